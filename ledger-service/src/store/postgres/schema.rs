//! Looking at a server and a database before anything is written, and
//! migrating.

use sqlx::PgConnection;
use sqlx::migrate::Migrator;

use super::error::store_error;
use crate::store::SchemaError;
use crate::store::lifecycle::{Found, Scripts, migration_failed, migrator};

/// The oldest server, as `server_version_num` says it.
const SERVER_VERSION_MIN: i32 = 140_000;

const SCRIPTS: Scripts = &[
    (
        1,
        "ledger",
        include_str!("../../../../migrations/postgres/0001_ledger.sql"),
    ),
    (
        2,
        "statistics",
        include_str!("../../../../migrations/postgres/0002_statistics.sql"),
    ),
];

/// What a database holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contents {
    /// No tables.
    Nothing,
    /// Our tables, all that this program knows.
    Complete,
    /// Our tables, but not all.
    Older,
}

/// Refuses a server that is too old, or that forgets what it acknowledged.
pub(super) async fn check_server(
    connection: &mut PgConnection,
    writes: bool,
) -> Result<(), SchemaError> {
    let (number, version): (i32, String) = sqlx::query_as(
        "SELECT current_setting('server_version_num')::integer, current_setting('server_version')",
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(store_error)?;
    if number < SERVER_VERSION_MIN {
        return Err(SchemaError::ServerTooOld(version));
    }
    let off: Option<String> = sqlx::query_scalar(
        "SELECT name FROM pg_settings
         WHERE name IN ('fsync', 'full_page_writes') AND setting <> 'on'
         ORDER BY name LIMIT 1",
    )
    .fetch_optional(connection)
    .await
    .map_err(store_error)?;
    match off {
        Some(setting) if writes => Err(SchemaError::Unsafe { setting }),
        _ => Ok(()),
    }
}

/// Looks at the database without writing to it; refuses what is not ours.
pub(super) async fn look(connection: &mut PgConnection) -> Result<Contents, SchemaError> {
    // Before the question whether they are ours: another instance that starts
    // now may make our tables between the two.
    let tables = tables(connection).await?;
    let (ours, has_meta): (bool, bool) = sqlx::query_as(
        "SELECT to_regclass('ledger.migrations') IS NOT NULL,
                to_regclass('ledger.meta') IS NOT NULL",
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(store_error)?;
    if ours {
        return versions(connection, has_meta).await;
    }
    if tables.is_empty() {
        return Ok(Contents::Nothing);
    }
    Err(SchemaError::Foreign {
        tables,
        remedy: "a database of its own (CREATE DATABASE ledger)",
    })
}

/// Some tables that are neither the server's nor an extension's; not only those
/// of others, if there are ours.
async fn tables(connection: &mut PgConnection) -> Result<Vec<String>, SchemaError> {
    sqlx::query_scalar(
        "SELECT CASE n.nspname WHEN 'public' THEN c.relname::text
                               ELSE n.nspname || '.' || c.relname END AS name
         FROM pg_class c
         JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p', 'f')
               AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
               AND NOT EXISTS (
                   SELECT FROM pg_depend d
                   WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
               )
         ORDER BY name LIMIT 5",
    )
    .fetch_all(connection)
    .await
    .map_err(|error| SchemaError::Store(store_error(error)))
}

async fn versions(connection: &mut PgConnection, has_meta: bool) -> Result<Contents, SchemaError> {
    let applied =
        sqlx::query_as("SELECT version, checksum FROM ledger.migrations ORDER BY version")
            .fetch_all(&mut *connection)
            .await
            .map_err(store_error)?;
    let oldest_service = if has_meta {
        sqlx::query_scalar("SELECT value FROM ledger.meta WHERE key = 'oldest_service'")
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

/// Runs the migrations that are missing. The migrator takes an advisory lock:
/// instances that start at once wait for the first.
pub(super) async fn migrate(connection: &mut PgConnection) -> Result<(), SchemaError> {
    our_migrator()
        .run_direct(None, connection, false)
        .await
        .map_err(migration_failed)
}

fn our_migrator() -> Migrator {
    let mut migrator = migrator(SCRIPTS, "ledger.migrations");
    migrator.create_schema("ledger");
    migrator
}

/// The last position of any book.
pub(super) async fn last_position(connection: &mut PgConnection) -> Result<i64, SchemaError> {
    sqlx::query_scalar("SELECT coalesce(max(position), 0) FROM ledger.logs")
        .fetch_one(connection)
        .await
        .map_err(|error| SchemaError::Store(store_error(error)))
}
