//! The store on SQLite: one file, one process that writes to it.
//!
//! Shape: one connection writes, shared by the writers of all books, because
//! SQLite lets one transaction write at a time; a small pool reads beside it
//! (WAL). A commit is on the disk before it is answered (`synchronous = FULL`).

mod accounts;
mod append;
mod connection;
mod error;
mod file_lock;
mod index;
mod insert;
mod load;
mod log;
mod rebuild;
mod schema;
mod statistics;
mod store;
mod transaction;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ledger_core::Timestamp;
use sqlx::SqlitePool;

use self::connection::Shared;
use self::file_lock::FileLock;
use self::schema::Contents;
use super::{Mode, SchemaError};

/// A store in a SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    file: PathBuf,
    writer: Arc<Shared>,
    readers: SqlitePool,
    /// Given back when the store is dropped, after its connections; none if it
    /// only reads.
    lock: Option<FileLock>,
}

impl SqliteStore {
    /// Opens a file; makes it, and its folder, unless `mode` only reads.
    ///
    /// # Errors
    ///
    /// If it cannot be opened, is not ours, was made by a newer program, or is
    /// open for writing in another process.
    pub async fn connect(file: &Path, mode: Mode) -> Result<Self, SchemaError> {
        // What is not ours is left alone: not even a lock is made beside it.
        let contents = schema::look(file).await?;
        if mode == Mode::Read {
            return Self::open_to_read(file, contents).await;
        }
        let lock = prepare(file)?;
        let options = connection::writing(file);
        let mut connection = schema::open(file, &options).await?;
        schema::migrate(&mut connection).await?;
        Ok(Self {
            file: file.to_path_buf(),
            writer: Arc::new(Shared::new(options, connection)),
            readers: connection::pool(file),
            lock: Some(lock),
        })
    }

    async fn open_to_read(file: &Path, contents: Contents) -> Result<Self, SchemaError> {
        match contents {
            Contents::Nothing => return Err(SchemaError::Missing),
            Contents::Older => return Err(SchemaError::Older),
            Contents::Complete => {}
        }
        let options = connection::reading(file);
        let connection = schema::open(file, &options).await?;
        Ok(Self {
            file: file.to_path_buf(),
            writer: Arc::new(Shared::new(options, connection)),
            readers: connection::pool(file),
            lock: None,
        })
    }
}

/// Makes the folder and takes the lock.
fn prepare(file: &Path) -> Result<FileLock, SchemaError> {
    let failed = |source| SchemaError::File {
        path: file.to_path_buf(),
        source,
    };
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    FileLock::take(file)
        .map_err(failed)?
        .ok_or_else(|| SchemaError::InUse(file.to_path_buf()))
}

/// The machine's clock, which is the database's here.
#[expect(
    clippy::disallowed_methods,
    reason = "SQLite's own clock has milliseconds only"
)]
fn clock() -> Timestamp {
    let since_1970 = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp(i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX))
}
