//! Connections: one that writes, shared by all writers, because a file has one
//! writer anyway; and a pool of those that read.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::sync::{Mutex, MutexGuard};

use super::error::store_error;
use crate::limits::{READ_CONNECTIONS_MAX, STATEMENT_TIME_MAX};
use crate::store::StoreError;
use crate::store::time_limit::within;

/// How long SQLite waits for a lock, e.g. of a shell that somebody has open on
/// the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// A batch touches states all over their table, and each touched page goes into
/// the log of writes as a whole. Upserts of 320 states of 300 bytes among 10 000
/// took 8.0 µs each with pages of 4 KiB, 9.9 with 8 and 12.1 with 16, commit and
/// checkpoints included.
const PAGE_SIZE: u32 = 4_096;

/// After how many pages the log of writes is moved into the file: 32 MiB. Rarer
/// moves write a page that changed often fewer times, and make the commit that
/// does the move wait longer: with 1000 pages the same upserts took 10.1 µs, with
/// 30 000 no less than with 8192.
const CHECKPOINT_PAGES: &str = "8192";

/// How large the log of writes stays on disk when it is empty again: 64 MiB.
const WAL_BYTES_KEPT: &str = "67108864";

/// Page caches, in KiB (negative: that is how SQLite knows): 32 MiB for the
/// writer, so that the states of busy accounts stay in it, 4 MiB for a reader.
const WRITER_CACHE: &str = "-32768";
const READER_CACHE: &str = "-4096";

fn options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(false)
        .disable_statement_logging()
}

/// For looking at a file, and for reading it.
pub(super) fn reading(file: &Path) -> SqliteConnectOptions {
    options(file)
        .read_only(true)
        .pragma("cache_size", READER_CACHE)
        .pragma("temp_store", "MEMORY")
}

/// For writing. `synchronous` is FULL: a commit is on the disk before it is
/// answered.
pub(super) fn writing(file: &Path) -> SqliteConnectOptions {
    options(file)
        .create_if_missing(true)
        .page_size(PAGE_SIZE)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("cache_size", WRITER_CACHE)
        .pragma("temp_store", "MEMORY")
        .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
        .pragma("journal_size_limit", WAL_BYTES_KEPT)
}

/// The pool that reads. Connections are made when they are needed.
pub(super) fn pool(file: &Path) -> SqlitePool {
    SqlitePoolOptions::new()
        .max_connections(READ_CONNECTIONS_MAX)
        .acquire_timeout(STATEMENT_TIME_MAX)
        .test_before_acquire(false)
        .connect_lazy_with(reading(file))
}

/// The connection that writes. One call has it at a time.
#[derive(Debug)]
pub(super) struct Shared {
    options: SqliteConnectOptions,
    slot: Mutex<Option<SqliteConnection>>,
}

impl Shared {
    /// Takes a connection in, and how to make the next one.
    pub(super) fn new(options: SqliteConnectOptions, connection: SqliteConnection) -> Self {
        Self {
            options,
            slot: Mutex::new(Some(connection)),
        }
    }

    /// The connection, if it lives.
    pub(super) async fn take(&self) -> Result<Held<'_>, StoreError> {
        let mut slot = self.wait().await?;
        match slot.take() {
            Some(connection) => Ok(Held { slot, connection }),
            None => Err(StoreError::Lost(sqlx::Error::PoolClosed)),
        }
    }

    /// The connection, or a new one.
    pub(super) async fn take_or_open(&self) -> Result<Held<'_>, StoreError> {
        let mut slot = self.wait().await?;
        let connection = match slot.take() {
            Some(connection) => connection,
            None => {
                within(STATEMENT_TIME_MAX, async {
                    SqliteConnection::connect_with(&self.options)
                        .await
                        .map_err(store_error)
                })
                .await?
            }
        };
        Ok(Held { slot, connection })
    }

    /// Ends the connection; after `writes`, with the log of writes moved into
    /// the file and emptied.
    pub(super) async fn close(&self, writes: bool) -> Result<(), StoreError> {
        let Some(mut connection) = self.slot.lock().await.take() else {
            return Ok(());
        };
        if writes {
            // Whoever else reads the file may keep it from being emptied, which
            // is no fault: everything stays readable.
            sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
                .fetch_all(&mut connection)
                .await
                .map_err(store_error)?;
        }
        connection.close().await.map_err(store_error)
    }

    /// Others write now; that is not long.
    async fn wait(&self) -> Result<MutexGuard<'_, Option<SqliteConnection>>, StoreError> {
        tokio::time::timeout(STATEMENT_TIME_MAX, self.slot.lock())
            .await
            .map_err(|_| StoreError::Busy(sqlx::Error::PoolTimedOut))
    }
}

/// The connection during one call. Unless it is given back, it is closed: a
/// call that is dropped halfway leaves nothing half done to the next one.
pub(super) struct Held<'a> {
    slot: MutexGuard<'a, Option<SqliteConnection>>,
    /// The connection itself.
    pub(super) connection: SqliteConnection,
}

impl Held<'_> {
    /// Gives the connection back, unless what came of the call says that it may
    /// still be at work or in a transaction.
    pub(super) fn give_back<T>(mut self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if !matches!(&result, Err(error) if error.outcome_unknown()) {
            *self.slot = Some(self.connection);
        }
        result
    }
}
