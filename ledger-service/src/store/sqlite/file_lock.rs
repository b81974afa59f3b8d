//! One service process for each database file.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// Held as long as the process writes. The system gives it back when the
/// process ends, however it ends; the file beside the database stays.
#[derive(Debug)]
pub(super) struct FileLock {
    _file: File,
}

impl FileLock {
    /// Takes the lock of a database file; nothing if another process has it.
    pub(super) fn take(database: &Path) -> io::Result<Option<Self>> {
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path_beside(database))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

fn path_beside(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}
