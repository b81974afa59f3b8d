//! The durable inbox: what came through a door, until its effects are done.
//!
//! A row waits, and ends as done or parked. Of the rows that wait with one
//! ordering key only the oldest may be taken, so that a retry holds back what
//! came after it and a parked row doesn't. One gateway process works on an
//! inbox; which rows are in work is known in its memory only, so that after a
//! crash they simply wait again.
//!
//! SQL is here and nowhere else. Both backends run the same statements.

mod parked;
mod schema;
mod url;

use std::str::FromStr as _;

use secrecy::ExposeSecret as _;
use sqlx::{
    ConnectOptions as _, PgPool, SqlitePool,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use thiserror::Error;

pub use parked::{Parked, Retried};
pub use url::{DatabaseUrl, UrlError};

use crate::limits;

/// Where a body came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Door {
    /// `POST /yookassa/webhook`.
    Yookassa,
    /// `POST /telegram/{bot}`.
    Telegram,
}

impl Door {
    /// All there are.
    pub const ALL: [Self; 2] = [Self::Yookassa, Self::Telegram];

    /// The name it is stored and logged under.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Yookassa => "yookassa",
            Self::Telegram => "telegram",
        }
    }
}

/// What a door stores.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// Where it came in.
    pub door: Door,
    /// What the sender calls the thing; a second one with this name is a
    /// duplicate.
    pub source_key: String,
    /// Empty where the sender is authenticated. Else a hash of the body: one
    /// that says something else under the same name is kept beside the first,
    /// until one of them is done.
    pub content_key: String,
    /// Rows with equal keys are handled one after another.
    pub ordering_key: String,
    /// The raw body.
    pub body: Vec<u8>,
    /// Whether it waits or is parked at once.
    pub fate: Fate,
}

/// How a row begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It waits, at least until then.
    Wait {
        /// Unix milliseconds.
        not_before_ms: i64,
    },
    /// Nobody can handle it.
    Park {
        /// Why.
        reason: String,
    },
}

/// What became of an arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It is a row now, with this id.
    New(i64),
    /// It was stored before.
    Duplicate,
    /// It isn't stored: [`limits::ROWS_WAITING_MAX`] rows of its door wait.
    Full,
}

/// A row to be handled.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its number.
    pub id: i64,
    /// Where it came in.
    pub door: Door,
    /// What it is in order with.
    pub ordering_key: String,
    /// The raw body.
    pub body: Vec<u8>,
    /// When it came in, Unix milliseconds.
    pub received_at_ms: i64,
    /// Attempts that failed so far.
    pub attempts: u32,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its effects are done.
    Done,
    /// Nobody can handle it; a person should look.
    Parked {
        /// Why, without personal data.
        reason: String,
    },
    /// It is to be tried again.
    Retry {
        /// Not before then, Unix milliseconds.
        at_ms: i64,
        /// Why it failed, without personal data.
        reason: String,
    },
}

/// What a row looks like to a person who looks it up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowState {
    /// `waiting`, `done` or `parked`.
    pub state: String,
    /// Attempts that failed so far.
    pub attempts: u32,
    /// Why the last of them failed, or why it is parked.
    pub last_error: Option<String>,
}

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What the inbox can't do.
#[derive(Debug, Error)]
pub enum Error {
    /// The database can't be opened, or its schema not be made.
    #[error("the database can't be opened")]
    Open(#[source] Cause),
    /// A statement failed.
    #[error("the database isn't available")]
    Unavailable(#[source] Cause),
    /// Somebody else's database.
    #[error(
        "the database has the table `{table}` and none of the gateway's: it belongs to something \
         else. Give the gateway a database of its own"
    )]
    Foreign {
        /// One of its tables.
        table: String,
    },
    /// A newer gateway has been here.
    #[error(
        "the database has schema version {found}, and this gateway knows {known} at most: \
         run the newer gateway"
    )]
    Newer {
        /// What it has.
        found: i64,
        /// What we know.
        known: i64,
    },
}

impl Error {
    fn open(error: sqlx::Error) -> Self {
        Self::Open(error.into())
    }

    fn unavailable(error: sqlx::Error) -> Self {
        Self::Unavailable(error.into())
    }
}

/// The inbox. Clones share one pool.
#[derive(Clone, Debug)]
pub struct Inbox {
    pool: Pool,
}

#[derive(Clone, Debug)]
enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// Runs one body for whichever pool there is: the statements are the same.
macro_rules! on_pool {
    ($inbox:expr, $pool:ident => $body:expr) => {
        match &$inbox.pool {
            Pool::Sqlite($pool) => $body,
            Pool::Postgres($pool) => $body,
        }
    };
}
use on_pool;

const STORE: &str = "INSERT INTO inbox (door, source_key, content_key, ordering_key, body, \
         received_at_ms, state, next_attempt_at_ms, last_error) \
     SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9 \
     WHERE NOT EXISTS (SELECT 1 FROM inbox \
         WHERE door = $1 AND source_key = $2 AND state = 'done') \
       AND NOT EXISTS (SELECT 1 FROM inbox \
         WHERE door = $1 AND state = 'waiting' LIMIT 1 OFFSET $10) \
     ON CONFLICT DO NOTHING \
     RETURNING id";

const IS_KNOWN: &str = "SELECT EXISTS (SELECT 1 FROM inbox \
     WHERE door = $1 AND source_key = $2 AND (content_key = $3 OR state = 'done'))";

/// The oldest waiting row of each key, if it is due.
const DUE: &str = "SELECT id, door, ordering_key, body, received_at_ms, attempts \
     FROM inbox AS candidate \
     WHERE state = 'waiting' AND door = $2 AND next_attempt_at_ms <= $1 \
       AND NOT EXISTS (SELECT 1 FROM inbox AS earlier \
           WHERE earlier.state = 'waiting' AND earlier.door = candidate.door \
             AND earlier.ordering_key = candidate.ordering_key AND earlier.id < candidate.id) \
     ORDER BY id LIMIT $3";

const FINISH: &str = "UPDATE inbox SET state = 'done', last_error = NULL WHERE id = $1";
const PARK: &str =
    "UPDATE inbox SET state = 'parked', attempts = attempts + 1, last_error = $2 WHERE id = $1";
const RETRY: &str = "UPDATE inbox SET attempts = attempts + 1, next_attempt_at_ms = $2, \
     last_error = $3 WHERE id = $1 AND state = 'waiting'";
const FIND: &str = "SELECT state, attempts, last_error FROM inbox WHERE id = $1";
const COUNT: &str = "SELECT COUNT(*) FROM inbox WHERE state = $1";
const PRUNE: &str = "DELETE FROM inbox WHERE id IN \
     (SELECT id FROM inbox WHERE state = 'done' AND received_at_ms < $1 LIMIT $2)";
/// Two halves, so that each can use its index.
const DROP_BODIES: &str = "UPDATE inbox SET body = $1 WHERE id IN (SELECT id FROM ( \
         SELECT id FROM inbox \
         WHERE state = 'parked' AND received_at_ms < $2 AND length(body) > 0 \
         UNION ALL SELECT id FROM inbox \
         WHERE state = 'done' AND received_at_ms < $2 AND length(body) > 0 \
     ) AS old LIMIT $3)";

type RawRow = (i64, String, String, Vec<u8>, i64, i64);

impl Inbox {
    /// Opens the inbox and brings its schema up to date.
    ///
    /// # Errors
    /// If the database can't be reached, is somebody else's or is newer.
    pub async fn open(database: &DatabaseUrl) -> Result<Self, Error> {
        let pool = match database {
            DatabaseUrl::Sqlite(path) => {
                let pool = sqlite_pool(path).await?;
                schema::migrate_sqlite(&pool).await?;
                Pool::Sqlite(pool)
            }
            DatabaseUrl::Postgres(url) => {
                let pool = postgres_pool(url.expose_secret()).await?;
                schema::migrate_postgres(&pool).await?;
                Pool::Postgres(pool)
            }
        };
        Ok(Self { pool })
    }

    /// Stores an arrival durably, unless it was stored before or too many
    /// wait. A body that differs from a stored one of the same name is another
    /// row, unless one of that name is done.
    ///
    /// # Errors
    /// If the database isn't available; then nothing is known to be stored.
    pub async fn store(&self, arrival: &Arrival, now_ms: i64) -> Result<Stored, Error> {
        let (state, not_before_ms, reason) = match &arrival.fate {
            Fate::Wait { not_before_ms } => ("waiting", *not_before_ms, None),
            Fate::Park { reason } => ("parked", now_ms, Some(cut(reason))),
        };
        let id: Option<i64> = on_pool!(self, pool => sqlx::query_scalar(STORE)
            .bind(arrival.door.name())
            .bind(&arrival.source_key)
            .bind(&arrival.content_key)
            .bind(&arrival.ordering_key)
            .bind(&arrival.body)
            .bind(now_ms)
            .bind(state)
            .bind(not_before_ms)
            .bind(reason)
            .bind(limits::ROWS_WAITING_MAX - 1)
            .fetch_optional(pool)
            .await)
        .map_err(Error::unavailable)?;
        match id {
            Some(id) => Ok(Stored::New(id)),
            None if self.is_known(arrival).await? => Ok(Stored::Duplicate),
            None => Ok(Stored::Full),
        }
    }

    async fn is_known(&self, arrival: &Arrival) -> Result<bool, Error> {
        on_pool!(self, pool => sqlx::query_scalar(IS_KNOWN)
            .bind(arrival.door.name())
            .bind(&arrival.source_key)
            .bind(&arrival.content_key)
            .fetch_one(pool)
            .await)
        .map_err(Error::unavailable)
    }

    /// Up to `rows_max` rows of a door that may be handled now, the oldest of
    /// each ordering key, in the order in which they came.
    ///
    /// # Errors
    /// If the database isn't available.
    pub async fn due(&self, now_ms: i64, door: Door, rows_max: usize) -> Result<Vec<Row>, Error> {
        let rows: Vec<RawRow> = on_pool!(self, pool => sqlx::query_as(DUE)
            .bind(now_ms)
            .bind(door.name())
            .bind(i64::try_from(rows_max).unwrap_or(i64::MAX))
            .fetch_all(pool)
            .await)
        .map_err(Error::unavailable)?;
        Ok(rows.into_iter().map(row).collect())
    }

    /// Writes down how an attempt at a row ended.
    ///
    /// # Errors
    /// If the database isn't available; the row then still waits.
    pub async fn settle(&self, id: i64, outcome: &Outcome) -> Result<(), Error> {
        let settled = match outcome {
            Outcome::Done => on_pool!(self, pool =>
                sqlx::query(FINISH).bind(id).execute(pool).await.map(drop)),
            Outcome::Parked { reason } => on_pool!(self, pool =>
                sqlx::query(PARK).bind(id).bind(cut(reason)).execute(pool).await.map(drop)),
            Outcome::Retry { at_ms, reason } => on_pool!(self, pool => sqlx::query(RETRY)
                .bind(id)
                .bind(at_ms)
                .bind(cut(reason))
                .execute(pool)
                .await
                .map(drop)),
        };
        settled.map_err(Error::unavailable)
    }

    /// How a row stands, if there is one with this id.
    ///
    /// # Errors
    /// If the database isn't available.
    pub async fn find(&self, id: i64) -> Result<Option<RowState>, Error> {
        let found: Option<(String, i64, Option<String>)> =
            on_pool!(self, pool => sqlx::query_as(FIND).bind(id).fetch_optional(pool).await)
                .map_err(Error::unavailable)?;
        Ok(found.map(|(state, attempts, last_error)| RowState {
            state,
            attempts: count(attempts),
            last_error,
        }))
    }

    /// How many rows are in a state.
    ///
    /// # Errors
    /// If the database isn't available.
    pub async fn count(&self, state: &str) -> Result<i64, Error> {
        on_pool!(self, pool => sqlx::query_scalar(COUNT).bind(state).fetch_one(pool).await)
            .map_err(Error::unavailable)
    }

    /// Removes up to [`limits::PRUNE_ROWS_MAX`] rows that are done and came in
    /// before a time, and says how many.
    ///
    /// # Errors
    /// If the database isn't available.
    pub async fn prune(&self, before_ms: i64) -> Result<u64, Error> {
        on_pool!(self, pool => sqlx::query(PRUNE)
            .bind(before_ms)
            .bind(limits::PRUNE_ROWS_MAX)
            .execute(pool)
            .await
            .map(|done| done.rows_affected()))
        .map_err(Error::unavailable)
    }

    /// Empties the bodies of up to [`limits::PRUNE_ROWS_MAX`] rows that don't
    /// wait and came in before a time, and says how many. What is known of a
    /// row besides stays.
    ///
    /// # Errors
    /// If the database isn't available.
    pub async fn drop_bodies(&self, before_ms: i64) -> Result<u64, Error> {
        on_pool!(self, pool => sqlx::query(DROP_BODIES)
            .bind(Vec::<u8>::new())
            .bind(before_ms)
            .bind(limits::PRUNE_ROWS_MAX)
            .execute(pool)
            .await
            .map(|done| done.rows_affected()))
        .map_err(Error::unavailable)
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// If there is none.
    pub async fn ping(&self) -> Result<(), Error> {
        on_pool!(self, pool => sqlx::query("SELECT 1 FROM gateway_schema").execute(pool).await.map(drop))
            .map_err(Error::unavailable)
    }

    /// Closes the connections, after what runs on them.
    pub async fn close(&self) {
        on_pool!(self, pool => pool.close().await);
    }
}

/// WAL with `FULL`: a commit is on disk before the sender hears 200.
async fn sqlite_pool(path: &std::path::Path) -> Result<SqlitePool, Error> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(limits::DATABASE_WAIT_MAX)
        .disable_statement_logging();
    SqlitePoolOptions::new()
        .max_connections(limits::DATABASE_CONNECTIONS_MAX)
        .acquire_timeout(limits::DATABASE_WAIT_MAX)
        .connect_with(options)
        .await
        .map_err(Error::open)
}

/// `gateway` is the whole search path, so that the same statements find our
/// tables and nobody else's.
async fn postgres_pool(url: &str) -> Result<PgPool, Error> {
    let statement_timeout = limits::DATABASE_STATEMENT_MS_MAX.to_string();
    let options = PgConnectOptions::from_str(url)
        .map_err(Error::open)?
        .application_name("bot-gateway")
        .options([
            ("search_path", "gateway"),
            ("synchronous_commit", "on"),
            ("statement_timeout", statement_timeout.as_str()),
        ])
        .disable_statement_logging();
    PgPoolOptions::new()
        .max_connections(limits::DATABASE_CONNECTIONS_MAX)
        .acquire_timeout(limits::DATABASE_WAIT_MAX)
        .connect_with(options)
        .await
        .map_err(Error::open)
}

fn row((id, door, ordering_key, body, received_at_ms, attempts): RawRow) -> Row {
    // The table's own check leaves no third name.
    let door = if door == Door::Yookassa.name() {
        Door::Yookassa
    } else {
        Door::Telegram
    };
    Row {
        id,
        door,
        ordering_key,
        body,
        received_at_ms,
        attempts: count(attempts),
    }
}

fn count(attempts: i64) -> u32 {
    u32::try_from(attempts).unwrap_or(u32::MAX)
}

fn cut(reason: &str) -> &str {
    &reason[..reason.floor_char_boundary(limits::REASON_BYTES_MAX)]
}
