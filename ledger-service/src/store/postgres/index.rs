//! The index of events by account, and leases on background work.

use sqlx::PgPool;
use sqlx::postgres::{PgBindIterExt, PgExecutor};

use super::error::store_error;
use super::statistics;
use crate::limits::LEASE_DURATION;
use crate::store::row::{self, signed, unsigned};
use crate::store::{Counted, IndexedEvent, Lease, PositionRange, Progress, StoreError};

/// How far the index and statistics have come.
pub(super) async fn progress(on: impl PgExecutor<'_>, book: &str) -> Result<Progress, StoreError> {
    let row = sqlx::query("SELECT position, counted FROM ledger.index_progress WHERE book = $1")
        .bind(book)
        .fetch_optional(on)
        .await
        .map_err(store_error)?;
    let progress = row.as_ref().map(row::progress).transpose()?;
    Ok(progress.unwrap_or_default())
}

/// Adds rows and figures and moves the checkpoint, if both the checkpoint and the
/// lease are what the caller believes. The lease's row is locked against being taken
/// over until it ends.
pub(super) async fn index_events(
    pool: &PgPool,
    book: &str,
    (from, to): (Progress, Progress),
    (rows, counted): (&[IndexedEvent], &Counted),
    lease: Lease,
) -> Result<bool, StoreError> {
    let mut work = pool.begin().await.map_err(store_error)?;
    let is_moved = add_rows(&mut *work, book, (from, to), rows, lease).await?;
    if !is_moved {
        work.rollback().await.map_err(store_error)?;
        return Ok(false);
    }
    // Whoever emptied the index did not have to think of them.
    if from.counted == 0 && to.counted > 0 {
        statistics::empty(&mut work, book).await?;
    }
    statistics::add(&mut work, book, counted).await?;
    work.commit().await.map_err(store_error)?;
    Ok(true)
}

/// Adds rows and moves the checkpoint: one statement.
async fn add_rows(
    on: impl PgExecutor<'_>,
    book: &str,
    (from, to): (Progress, Progress),
    rows: &[IndexedEvent],
    lease: Lease,
) -> Result<bool, StoreError> {
    let moved = sqlx::query(
        "WITH lease AS MATERIALIZED (
             SELECT number FROM ledger.leases WHERE number = $4 FOR SHARE
         ), progress AS (
             UPDATE ledger.index_progress SET position = $3, counted = $13
             WHERE book = $1 AND position = $2 AND counted = $12 AND EXISTS (SELECT FROM lease)
             RETURNING book
         ), new_rows AS (
             INSERT INTO ledger.account_events
                 (book, account, position, kind, operation, operations_delta, recorded_at_us,
                  external_id)
             SELECT progress.book, r.*
             FROM progress CROSS JOIN unnest(
                 $5::text[], $6::bigint[], $7::smallint[], $8::text[], $9::bigint[],
                 $10::bigint[], $11::text[]
             ) AS r
             ON CONFLICT (book, account, position) DO NOTHING
         )
         SELECT book FROM progress",
    )
    .bind(book)
    .bind(signed(from.indexed))
    .bind(signed(to.indexed))
    .bind(signed(lease.number))
    .bind(rows.iter().map(|row| row.account.as_str()).bind_iter())
    .bind(rows.iter().map(|row| signed(row.position)).bind_iter())
    .bind(rows.iter().map(|row| i16::from(row.kind)).bind_iter())
    .bind(rows.iter().map(|row| row.operation.as_deref()).bind_iter())
    .bind(rows.iter().map(|row| row.operations_delta).bind_iter())
    .bind(rows.iter().map(|row| row.recorded_at.0).bind_iter())
    .bind(
        rows.iter()
            .map(|row| row.external_id.as_deref())
            .bind_iter(),
    )
    .bind(signed(from.counted))
    .bind(signed(to.counted))
    .fetch_all(on)
    .await
    .map_err(store_error)?;
    Ok(!moved.is_empty())
}

/// The indexed positions of an account.
pub(super) async fn positions_of_account(
    on: impl PgExecutor<'_>,
    book: &str,
    account: &str,
    range: PositionRange,
) -> Result<Vec<u64>, StoreError> {
    let statement = if range.newest_first {
        "SELECT position FROM ledger.account_events
         WHERE book = $1 AND account = $2 AND position BETWEEN $3 AND $4
         ORDER BY position DESC LIMIT $5"
    } else {
        "SELECT position FROM ledger.account_events
         WHERE book = $1 AND account = $2 AND position BETWEEN $3 AND $4
         ORDER BY position LIMIT $5"
    };
    positions(on, statement, book, account, range).await
}

/// The indexed positions with an id of the caller's own.
pub(super) async fn positions_of_external_id(
    on: impl PgExecutor<'_>,
    book: &str,
    external_id: &str,
    range: PositionRange,
) -> Result<Vec<u64>, StoreError> {
    let statement = if range.newest_first {
        "SELECT position FROM ledger.account_events
         WHERE book = $1 AND external_id = $2 AND position BETWEEN $3 AND $4
         ORDER BY position DESC LIMIT $5"
    } else {
        "SELECT position FROM ledger.account_events
         WHERE book = $1 AND external_id = $2 AND position BETWEEN $3 AND $4
         ORDER BY position LIMIT $5"
    };
    positions(on, statement, book, external_id, range).await
}

async fn positions(
    on: impl PgExecutor<'_>,
    statement: &'static str,
    book: &str,
    key: &str,
    range: PositionRange,
) -> Result<Vec<u64>, StoreError> {
    let positions: Vec<i64> = sqlx::query_scalar(statement)
        .bind(book)
        .bind(key)
        .bind(signed(range.from))
        .bind(signed(range.to))
        .bind(i64::from(range.limit))
        .fetch_all(on)
        .await
        .map_err(store_error)?;
    positions.into_iter().map(unsigned).collect()
}

/// Up to `limit` rows after one.
pub(super) async fn rows_after(
    on: impl PgExecutor<'_>,
    book: &str,
    account: &str,
    position: u64,
    limit: u32,
) -> Result<Vec<IndexedEvent>, StoreError> {
    let rows = sqlx::query(
        "SELECT account, position, kind::bigint, operation, operations_delta, recorded_at_us, external_id
         FROM ledger.account_events
         WHERE book = $1 AND (account, position) > ($2, $3)
         ORDER BY account, position LIMIT $4",
    )
    .bind(book)
    .bind(account)
    .bind(signed(position))
    .bind(i64::from(limit))
    .fetch_all(on)
    .await
    .map_err(store_error)?;
    row::all(&rows, row::indexed_event)
}

/// How often each operation was paid for since a position.
pub(super) async fn count_operations_since(
    on: impl PgExecutor<'_>,
    book: &str,
    account: &str,
    position: u64,
) -> Result<Vec<(String, i64)>, StoreError> {
    sqlx::query_as(
        "SELECT operation, sum(operations_delta)::bigint FROM ledger.account_events
         WHERE book = $1 AND account = $2 AND position > $3 AND operation IS NOT NULL
         GROUP BY operation HAVING sum(operations_delta) <> 0
         ORDER BY operation",
    )
    .bind(book)
    .bind(account)
    .bind(signed(position))
    .fetch_all(on)
    .await
    .map_err(store_error)
}

/// Takes or renews a lease. Its number is new when its holder is.
pub(super) async fn lease(
    on: impl PgExecutor<'_>,
    name: &str,
    holder: &str,
) -> Result<Option<Lease>, StoreError> {
    let duration_us = i64::try_from(LEASE_DURATION.as_micros()).unwrap_or(i64::MAX);
    let numbers: Vec<i64> = sqlx::query_scalar(
        "WITH clock AS MATERIALIZED (
             SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now_us
         )
         INSERT INTO ledger.leases AS old (name, holder, number, expires_at_us)
         SELECT $1, $2, nextval('ledger.lease_numbers'), now_us + $3 FROM clock
         ON CONFLICT (name) DO UPDATE SET
             number = CASE old.holder WHEN excluded.holder THEN old.number
                                      ELSE excluded.number END,
             holder = excluded.holder,
             expires_at_us = excluded.expires_at_us
         WHERE old.holder = excluded.holder OR old.expires_at_us <= excluded.expires_at_us - $3
         RETURNING number",
    )
    .bind(name)
    .bind(holder)
    .bind(duration_us)
    .fetch_all(on)
    .await
    .map_err(store_error)?;
    numbers
        .first()
        .map(|number| unsigned(*number).map(|number| Lease { number }))
        .transpose()
}

/// Ends all leases of a holder: now, so that it shows how long nobody has taken
/// them (see `serving`).
pub(super) async fn end_leases(on: impl PgExecutor<'_>, holder: &str) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE ledger.leases SET expires_at_us = least(
             expires_at_us, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
         WHERE holder = $1",
    )
    .bind(holder)
    .execute(on)
    .await
    .map(drop)
    .map_err(store_error)
}
