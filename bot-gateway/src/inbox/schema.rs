//! The inbox's schema: made on an empty database, recognised on our own, and
//! refused on anything else.

use sqlx::{Executor, PgPool, SqlitePool};

use super::Error;
use crate::clock;

/// The newest schema that this program knows.
const VERSION: i64 = 1;

const SQLITE_MIGRATIONS: [&str; 1] = [include_str!("../../migrations/sqlite/0001_inbox.sql")];
const POSTGRES_MIGRATIONS: [&str; 1] = [include_str!("../../migrations/postgres/0001_inbox.sql")];

/// The table that says whose the database is, and how new.
const CREATE_VERSIONS: &str = "CREATE TABLE IF NOT EXISTS gateway_schema \
     (version BIGINT PRIMARY KEY, applied_at_ms BIGINT NOT NULL)";
const LATEST: &str = "SELECT COALESCE(MAX(version), 0) FROM gateway_schema";
const ADD_VERSION: &str = "INSERT INTO gateway_schema (version, applied_at_ms) VALUES ($1, $2)";

const SQLITE_IS_OURS: &str =
    "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'gateway_schema')";
const SQLITE_FOREIGN: &str = "SELECT name FROM sqlite_master \
     WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name LIMIT 1";

const POSTGRES_IS_OURS: &str = "SELECT to_regclass('gateway.gateway_schema') IS NOT NULL";
/// The ledger may live in the same database, in its own schema; tables of
/// extensions are nobody's.
const POSTGRES_FOREIGN: &str = "SELECT n.nspname || '.' || c.relname \
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
     WHERE c.relkind IN ('r', 'p') AND n.nspname NOT LIKE 'pg\\_%' \
       AND n.nspname NOT IN ('information_schema', 'ledger') \
       AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e') \
     ORDER BY 1 LIMIT 1";

/// Any number of the lock that keeps two starting gateways apart.
const POSTGRES_LOCK: &str = "SELECT pg_advisory_xact_lock(7403518220)";

/// Brings a SQLite database to [`VERSION`].
pub(super) async fn migrate_sqlite(pool: &SqlitePool) -> Result<(), Error> {
    let mut tx = pool
        .begin_with("BEGIN IMMEDIATE")
        .await
        .map_err(Error::open)?;
    let ours: bool = sqlx::query_scalar(SQLITE_IS_OURS)
        .fetch_one(&mut *tx)
        .await
        .map_err(Error::open)?;
    if !ours {
        let foreign = sqlx::query_scalar(SQLITE_FOREIGN)
            .fetch_optional(&mut *tx)
            .await
            .map_err(Error::open)?;
        refuse_foreign(foreign)?;
    }
    tx.execute(CREATE_VERSIONS).await.map_err(Error::open)?;
    let found: i64 = sqlx::query_scalar(LATEST)
        .fetch_one(&mut *tx)
        .await
        .map_err(Error::open)?;
    for (version, text) in missing(found, SQLITE_MIGRATIONS)? {
        sqlx::raw_sql(text)
            .execute(&mut *tx)
            .await
            .map_err(Error::open)?;
        sqlx::query(ADD_VERSION)
            .bind(version)
            .bind(clock::now_ms())
            .execute(&mut *tx)
            .await
            .map_err(Error::open)?;
    }
    tx.commit().await.map_err(Error::open)
}

/// Brings the schema `gateway` of a PostgreSQL database to [`VERSION`].
pub(super) async fn migrate_postgres(pool: &PgPool) -> Result<(), Error> {
    let mut tx = pool.begin().await.map_err(Error::open)?;
    tx.execute(POSTGRES_LOCK).await.map_err(Error::open)?;
    let ours: bool = sqlx::query_scalar(POSTGRES_IS_OURS)
        .fetch_one(&mut *tx)
        .await
        .map_err(Error::open)?;
    if !ours {
        let foreign = sqlx::query_scalar(POSTGRES_FOREIGN)
            .fetch_optional(&mut *tx)
            .await
            .map_err(Error::open)?;
        refuse_foreign(foreign)?;
        create_schema(&mut tx).await?;
    }
    tx.execute(CREATE_VERSIONS).await.map_err(Error::open)?;
    let found: i64 = sqlx::query_scalar(LATEST)
        .fetch_one(&mut *tx)
        .await
        .map_err(Error::open)?;
    for (version, text) in missing(found, POSTGRES_MIGRATIONS)? {
        sqlx::raw_sql(text)
            .execute(&mut *tx)
            .await
            .map_err(Error::open)?;
        sqlx::query(ADD_VERSION)
            .bind(version)
            .bind(clock::now_ms())
            .execute(&mut *tx)
            .await
            .map_err(Error::open)?;
    }
    tx.commit().await.map_err(Error::open)
}

/// Makes the schema unless it is there: where a role may not create schemas,
/// somebody else has made it.
async fn create_schema(connection: &mut sqlx::PgConnection) -> Result<(), Error> {
    let exists: bool = sqlx::query_scalar("SELECT to_regnamespace('gateway') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await
        .map_err(Error::open)?;
    if !exists {
        connection
            .execute("CREATE SCHEMA gateway")
            .await
            .map_err(Error::open)?;
    }
    Ok(())
}

fn refuse_foreign(table: Option<String>) -> Result<(), Error> {
    table.map_or(Ok(()), |table| Err(Error::Foreign { table }))
}

/// The migrations that a database at `found` still needs, numbered.
fn missing(
    found: i64,
    migrations: [&'static str; 1],
) -> Result<impl Iterator<Item = (i64, &'static str)>, Error> {
    if found > VERSION {
        return Err(Error::Newer {
            found,
            known: VERSION,
        });
    }
    Ok((1..=VERSION)
        .zip(migrations)
        .filter(move |(version, _)| *version > found))
}
