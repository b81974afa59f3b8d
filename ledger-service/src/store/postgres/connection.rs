//! How connections are made: one for each writer, a pool for all the rest.

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, PgConnection};
use url::Url;

use super::error::store_error;
use crate::limits::{READ_CONNECTIONS_MAX, RECONNECT_TIME_MAX, STATEMENT_TIME_MAX};
use crate::store::time_limit::within;
use crate::store::{Mode, StoreError};

/// What every session sets.
const EVERYWHERE: [(&str, &str); 8] = [
    // An answered commit is on the disk, whatever the server's default.
    ("synchronous_commit", "on"),
    // A frozen instance holds its locks for two seconds, and waits as long.
    ("idle_in_transaction_session_timeout", "2s"),
    ("lock_timeout", "2s"),
    // A peer that vanished is noticed by the server after 4 + 3 · 2 seconds.
    ("tcp_keepalives_idle", "4"),
    ("tcp_keepalives_interval", "2"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "10000"),
    // Compiling takes longer than any statement of ours.
    ("jit", "off"),
];

/// What is different where nobody waits: the last word counts.
const PATIENT: [(&str, &str); 2] = [
    ("lock_timeout", "60s"),
    ("idle_in_transaction_session_timeout", "0"),
];

/// What the URL says, and what every session sets.
fn options(url: &Url) -> Result<PgConnectOptions, StoreError> {
    let options = PgConnectOptions::from_url(url).map_err(store_error)?;
    Ok(options.options(EVERYWHERE).disable_statement_logging())
}

/// For a book's writer. Its few statements take lists as parameters: one plan
/// fits all, and is made once.
pub(super) fn writing(url: &Url) -> Result<PgConnectOptions, StoreError> {
    Ok(options(url)?
        .application_name("ledger-writer")
        .options([("plan_cache_mode", "force_generic_plan")]))
}

/// For looking at the schema and migrating it, which may wait long for locks.
pub(super) fn migrating(url: &Url) -> Result<PgConnectOptions, StoreError> {
    Ok(options(url)?
        .application_name("ledger-schema")
        .options(PATIENT))
}

/// For rebuilding, in one long transaction.
pub(super) fn rebuilding(writing: &PgConnectOptions) -> PgConnectOptions {
    writing
        .clone()
        .application_name("ledger-rebuild")
        .options(PATIENT)
}

/// The pool for reads and background work. Connections are made when they are
/// needed.
pub(super) fn pool(url: &Url, mode: Mode) -> Result<PgPool, StoreError> {
    let mut options = options(url)?
        .application_name("ledger-reader")
        .options([("statement_timeout", "30s")]);
    if mode == Mode::Read {
        options = options.options([("default_transaction_read_only", "on")]);
    }
    Ok(PgPoolOptions::new()
        .max_connections(READ_CONNECTIONS_MAX)
        .acquire_timeout(RECONNECT_TIME_MAX)
        .connect_lazy_with(options))
}

/// Opens one connection.
pub(super) async fn open(options: &PgConnectOptions) -> Result<PgConnection, StoreError> {
    within(STATEMENT_TIME_MAX, async {
        options.connect().await.map_err(store_error)
    })
    .await
}
