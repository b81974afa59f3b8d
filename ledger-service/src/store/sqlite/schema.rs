//! Looking at a file before it is opened for writing, and migrating it.

use std::path::Path;

use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use super::connection::reading;
use super::error::{primary_code, store_error};
use crate::store::SchemaError;
use crate::store::lifecycle::{Found, Scripts, migration_failed, migrator};

/// Not sqlx's own name: another program of this file may use sqlx, too.
const MIGRATIONS_TABLE: &str = "ledger_migrations";

const SCRIPTS: Scripts = &[
    (
        1,
        "ledger",
        include_str!("../../../../migrations/sqlite/0001_ledger.sql"),
    ),
    (
        2,
        "statistics",
        include_str!("../../../../migrations/sqlite/0002_statistics.sql"),
    ),
];

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contents {
    /// No file, or an empty one.
    Nothing,
    /// Our tables, all that this program knows.
    Complete,
    /// Our tables, but not all.
    Older,
}

/// Looks at a file without writing to it; refuses what is not ours.
pub(super) async fn look(file: &Path) -> Result<Contents, SchemaError> {
    if std::fs::metadata(file).map_or(0, |metadata| metadata.len()) == 0 {
        return Ok(Contents::Nothing);
    }
    let mut connection = open(file, &reading(file)).await?;
    let contents = contents(file, &mut connection).await;
    // It only read: whatever closing says, nothing depends on it.
    let _ = connection.close().await;
    contents
}

async fn contents(file: &Path, connection: &mut SqliteConnection) -> Result<Contents, SchemaError> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_schema
         WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
         ORDER BY name",
    )
    .fetch_all(&mut *connection)
    .await
    .map_err(|error| not_a_database(file, error))?;
    if tables.iter().any(|table| table == MIGRATIONS_TABLE) {
        return versions(connection, tables.iter().any(|table| table == "meta")).await;
    }
    if tables.is_empty() {
        return Ok(Contents::Nothing);
    }
    Err(SchemaError::Foreign {
        tables: tables.into_iter().take(5).collect(),
        remedy: "a file of its own, e.g. sqlite:///./ledger.db",
    })
}

async fn versions(
    connection: &mut SqliteConnection,
    has_meta: bool,
) -> Result<Contents, SchemaError> {
    let applied =
        sqlx::query_as("SELECT version, checksum FROM ledger_migrations ORDER BY version")
            .fetch_all(&mut *connection)
            .await
            .map_err(store_error)?;
    let oldest_service = if has_meta {
        sqlx::query_scalar("SELECT value FROM meta WHERE key = 'oldest_service'")
            .fetch_optional(connection)
            .await
            .map_err(store_error)?
    } else {
        None
    };
    let found = Found {
        applied,
        oldest_service,
    };
    Ok(if found.is_complete(&our_migrator())? {
        Contents::Complete
    } else {
        Contents::Older
    })
}

fn our_migrator() -> Migrator {
    migrator(SCRIPTS, MIGRATIONS_TABLE)
}

/// Runs the migrations that are missing.
pub(super) async fn migrate(connection: &mut SqliteConnection) -> Result<(), SchemaError> {
    our_migrator()
        .run_direct(None, connection, false)
        .await
        .map_err(migration_failed)
}

/// Opens a connection to a file.
pub(super) async fn open(
    file: &Path,
    options: &SqliteConnectOptions,
) -> Result<SqliteConnection, SchemaError> {
    options
        .connect()
        .await
        .map_err(|error| not_a_database(file, error))
}

fn not_a_database(file: &Path, error: sqlx::Error) -> SchemaError {
    match primary_code(&error) {
        // SQLITE_NOTADB
        Some(26) => SchemaError::NotADatabase(file.to_path_buf()),
        _ => SchemaError::Store(store_error(error)),
    }
}
