//! The index of events by account, and leases on background work.

use std::sync::{Arc, LazyLock};

use sqlx::sqlite::{SqliteArguments, SqliteExecutor};
use sqlx::{Arguments, SqliteConnection};

use super::clock;
use super::error::store_error;
use super::insert::Insert;
use super::statistics;
use super::transaction::{End, begin, end};
use crate::limits::LEASE_DURATION;
use crate::store::row::{self, signed, unsigned};
use crate::store::{Counted, IndexedEvent, Lease, PositionRange, Progress, StoreError};

static ROWS: LazyLock<Insert> = LazyLock::new(|| {
    Insert::new(
        "account_events (book, account, position, kind, operation, operations_delta,
                         recorded_at_us, external_id)",
        8,
        "ON CONFLICT (book, account, position) DO NOTHING",
    )
});

/// How far the index and statistics have come.
pub(super) async fn progress(
    on: impl SqliteExecutor<'_>,
    book: &str,
) -> Result<Progress, StoreError> {
    let row = sqlx::query("SELECT position, counted FROM index_progress WHERE book = $1")
        .bind(book)
        .fetch_optional(on)
        .await
        .map_err(store_error)?;
    let progress = row.as_ref().map(row::progress).transpose()?;
    Ok(progress.unwrap_or_default())
}

/// Adds rows and figures and moves the checkpoint, if both the checkpoint and the
/// lease are what the caller believes.
pub(super) async fn index_events(
    connection: &mut SqliteConnection,
    book: &Arc<str>,
    (from, to): (Progress, Progress),
    made: (&[IndexedEvent], &Counted),
    lease: Lease,
) -> Result<bool, StoreError> {
    begin(connection).await?;
    let work = add_rows(connection, book, (from, to), made, lease).await;
    end(connection, work).await
}

async fn add_rows(
    connection: &mut SqliteConnection,
    book: &Arc<str>,
    (from, to): (Progress, Progress),
    (rows, counted): (&[IndexedEvent], &Counted),
    lease: Lease,
) -> Result<End<bool>, StoreError> {
    let moved = sqlx::query(
        "UPDATE index_progress SET position = $3, counted = $6
         WHERE book = $1 AND position = $2 AND counted = $5
               AND EXISTS (SELECT 1 FROM leases WHERE number = $4)",
    )
    .bind(Arc::clone(book))
    .bind(signed(from.indexed))
    .bind(signed(to.indexed))
    .bind(signed(lease.number))
    .bind(signed(from.counted))
    .bind(signed(to.counted))
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    if moved.rows_affected() == 0 {
        return Ok(End::Rollback(false));
    }
    put_rows(connection, book, rows).await?;
    // Whoever emptied the index did not have to think of them.
    if from.counted == 0 && to.counted > 0 {
        statistics::empty(connection, book).await?;
    }
    statistics::add(connection, book, counted).await?;
    Ok(End::Commit(true))
}

/// Adds rows.
pub(super) async fn put_rows(
    connection: &mut SqliteConnection,
    book: &Arc<str>,
    rows: &[IndexedEvent],
) -> Result<(), StoreError> {
    ROWS.run(connection, rows, |values: &mut SqliteArguments, row| {
        values.add(Arc::clone(book))?;
        values.add(row.account.as_str())?;
        values.add(signed(row.position))?;
        values.add(i64::from(row.kind))?;
        values.add(row.operation.as_deref())?;
        values.add(row.operations_delta)?;
        values.add(row.recorded_at.0)?;
        values.add(row.external_id.as_deref())
    })
    .await
}

/// The indexed positions of an account.
pub(super) async fn positions_of_account(
    on: impl SqliteExecutor<'_>,
    book: &str,
    account: &str,
    range: PositionRange,
) -> Result<Vec<u64>, StoreError> {
    let statement = if range.newest_first {
        "SELECT position FROM account_events
         WHERE book = $1 AND account = $2 AND position BETWEEN $3 AND $4
         ORDER BY position DESC LIMIT $5"
    } else {
        "SELECT position FROM account_events
         WHERE book = $1 AND account = $2 AND position BETWEEN $3 AND $4
         ORDER BY position LIMIT $5"
    };
    positions(on, statement, book, account, range).await
}

/// The indexed positions with an id of the caller's own.
pub(super) async fn positions_of_external_id(
    on: impl SqliteExecutor<'_>,
    book: &str,
    external_id: &str,
    range: PositionRange,
) -> Result<Vec<u64>, StoreError> {
    let statement = if range.newest_first {
        "SELECT position FROM account_events
         WHERE book = $1 AND external_id = $2 AND position BETWEEN $3 AND $4
         ORDER BY position DESC LIMIT $5"
    } else {
        "SELECT position FROM account_events
         WHERE book = $1 AND external_id = $2 AND position BETWEEN $3 AND $4
         ORDER BY position LIMIT $5"
    };
    positions(on, statement, book, external_id, range).await
}

async fn positions(
    on: impl SqliteExecutor<'_>,
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
    on: impl SqliteExecutor<'_>,
    book: &str,
    account: &str,
    position: u64,
    limit: u32,
) -> Result<Vec<IndexedEvent>, StoreError> {
    let rows = sqlx::query(
        "SELECT account, position, kind, operation, operations_delta, recorded_at_us, external_id
         FROM account_events
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
    on: impl SqliteExecutor<'_>,
    book: &str,
    account: &str,
    position: u64,
) -> Result<Vec<(String, i64)>, StoreError> {
    sqlx::query_as(
        "SELECT operation, sum(operations_delta) FROM account_events
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
    on: impl SqliteExecutor<'_>,
    name: &str,
    holder: &str,
) -> Result<Option<Lease>, StoreError> {
    let now = clock().0;
    let duration_us = i64::try_from(LEASE_DURATION.as_micros()).unwrap_or(i64::MAX);
    // All rows are fetched, so that the statement has ended and is committed.
    let numbers: Vec<i64> = sqlx::query_scalar(
        "INSERT INTO leases (name, holder, number, expires_at_us)
         VALUES ($1, $2, (SELECT coalesce(max(number), 0) + 1 FROM leases), $3 + $4)
         ON CONFLICT (name) DO UPDATE SET
             number = CASE holder WHEN excluded.holder THEN number ELSE excluded.number END,
             holder = excluded.holder,
             expires_at_us = excluded.expires_at_us
         WHERE holder = excluded.holder OR expires_at_us <= $3
         RETURNING number",
    )
    .bind(name)
    .bind(holder)
    .bind(now)
    .bind(duration_us)
    .fetch_all(on)
    .await
    .map_err(store_error)?;
    numbers
        .first()
        .map(|number| unsigned(*number).map(|number| Lease { number }))
        .transpose()
}

/// Ends all leases of a holder.
pub(super) async fn end_leases(
    on: impl SqliteExecutor<'_>,
    holder: &str,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE leases SET expires_at_us = 0 WHERE holder = $1")
        .bind(holder)
        .execute(on)
        .await
        .map_err(store_error)?;
    Ok(())
}
