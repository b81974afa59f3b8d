//! Reading the log, and what was written in one piece with it.

use ledger_core::{RequestId, Timestamp};
use sqlx::postgres::PgExecutor;

use super::error::store_error;
use super::uuid::PgUuid;
use crate::store::row::{self, signed};
use crate::store::{
    ExternalId, NewEvent, RequestKey, StoreError, StoredEvent, StoredExternalId, StoredRequest,
};

/// Makes an empty log and its empty index, unless they exist.
pub(super) async fn create_book(on: impl PgExecutor<'_>, book: &str) -> Result<(), StoreError> {
    sqlx::query(
        "WITH log AS (
             INSERT INTO ledger.logs (book, position, hash, recorded_at_us)
             VALUES ($1, 0, decode(repeat('00', 32), 'hex'), 0)
             ON CONFLICT (book) DO NOTHING
         )
         INSERT INTO ledger.index_progress (book, position)
         VALUES ($1, 0) ON CONFLICT (book) DO NOTHING",
    )
    .bind(book)
    .execute(on)
    .await
    .map(drop)
    .map_err(store_error)
}

/// The books that have logs.
pub(super) async fn books(on: impl PgExecutor<'_>) -> Result<Vec<String>, StoreError> {
    sqlx::query_scalar("SELECT book FROM ledger.logs ORDER BY book")
        .fetch_all(on)
        .await
        .map_err(store_error)
}

/// Up to `limit` events after a position.
pub(super) async fn read_after(
    on: impl PgExecutor<'_>,
    book: &str,
    position: u64,
    limit: u32,
) -> Result<Vec<StoredEvent>, StoreError> {
    let rows = sqlx::query(
        "SELECT position, body, hash FROM ledger.events
         WHERE book = $1 AND position > $2
         ORDER BY position LIMIT $3",
    )
    .bind(book)
    .bind(signed(position))
    .bind(i64::from(limit))
    .fetch_all(on)
    .await
    .map_err(store_error)?;
    row::all(&rows, row::event)
}

/// The events at these positions.
pub(super) async fn read_at(
    on: impl PgExecutor<'_>,
    book: &str,
    positions: &[u64],
) -> Result<Vec<StoredEvent>, StoreError> {
    let rows = sqlx::query(
        "SELECT position, body, hash FROM ledger.events
         WHERE book = $1 AND position = ANY ($2)
         ORDER BY position",
    )
    .bind(book)
    .bind(positions_of(positions))
    .fetch_all(on)
    .await
    .map_err(store_error)?;
    row::all(&rows, row::event)
}

/// The events in these ranges, and those that refer to them.
pub(super) async fn read_with_references(
    on: impl PgExecutor<'_>,
    book: &str,
    ranges: &[(u64, u32)],
) -> Result<Vec<StoredEvent>, StoreError> {
    let rows = sqlx::query(
        "SELECT position, body, hash FROM ledger.events
         WHERE book = $1 AND position = ANY ($2)
         UNION ALL
         SELECT position, body, hash FROM ledger.events
         WHERE book = $1 AND refers_to IS NOT NULL AND refers_to = ANY ($2)
               AND position <> ALL ($2)
         ORDER BY position",
    )
    .bind(book)
    .bind(row::positions(ranges))
    .fetch_all(on)
    .await
    .map_err(store_error)?;
    row::all(&rows, row::event)
}

/// Up to `limit` events after a position, with the columns beside the bodies.
pub(super) async fn read_columns_after(
    on: impl PgExecutor<'_>,
    book: &str,
    position: u64,
    limit: u32,
) -> Result<Vec<NewEvent>, StoreError> {
    let rows = sqlx::query(
        "SELECT position, account, version, kind::bigint, refers_to, recorded_at_us, body, hash
         FROM ledger.events
         WHERE book = $1 AND position > $2
         ORDER BY position LIMIT $3",
    )
    .bind(book)
    .bind(signed(position))
    .bind(i64::from(limit))
    .fetch_all(on)
    .await
    .map_err(store_error)?;
    row::all(&rows, row::event_with_copies)
}

/// The last CatalogApplied.
pub(super) async fn last_catalog(
    on: impl PgExecutor<'_>,
    book: &str,
) -> Result<Option<StoredEvent>, StoreError> {
    let row = sqlx::query(
        "SELECT position, body, hash FROM ledger.events
         WHERE book = $1 AND kind = 18
         ORDER BY position DESC LIMIT 1",
    )
    .bind(book)
    .fetch_optional(on)
    .await
    .map_err(store_error)?;
    row.as_ref().map(row::event).transpose()
}

/// The CatalogApplied of a version: they are numbered 1, 2, 3 in their order.
pub(super) async fn catalog(
    on: impl PgExecutor<'_>,
    book: &str,
    version: u64,
) -> Result<Option<StoredEvent>, StoreError> {
    let Some(before) = version.checked_sub(1) else {
        return Ok(None);
    };
    let row = sqlx::query(
        "SELECT position, body, hash FROM ledger.events
         WHERE book = $1 AND kind = 18
         ORDER BY position LIMIT 1 OFFSET $2",
    )
    .bind(book)
    .bind(signed(before))
    .fetch_optional(on)
    .await
    .map_err(store_error)?;
    row.as_ref().map(row::event).transpose()
}

/// The last position recorded at or before a time. Times never decrease along a
/// log, so the span is halved until one position is left: each row of `span` is
/// one read by key.
pub(super) async fn position_at(
    on: impl PgExecutor<'_>,
    book: &str,
    time: Timestamp,
) -> Result<u64, StoreError> {
    let row = sqlx::query(
        "WITH RECURSIVE span (low, high) AS (
             SELECT 0::bigint, position FROM ledger.logs WHERE book = $1
             UNION ALL
             SELECT CASE WHEN e.recorded_at_us <= $2 THEN e.position ELSE low END,
                    CASE WHEN e.recorded_at_us <= $2 THEN high ELSE e.position - 1 END
             FROM span JOIN ledger.events e ON e.book = $1 AND e.position = (low + high + 1) / 2
             WHERE low < high
         )
         SELECT low, high FROM span ORDER BY high - low LIMIT 1",
    )
    .bind(book)
    .bind(time.0)
    .fetch_optional(on)
    .await
    .map_err(store_error)?;
    row::searched(row.as_ref())
}

/// Up to `limit` requests after one.
pub(super) async fn requests_after(
    on: impl PgExecutor<'_>,
    book: &str,
    after: Option<&RequestKey>,
    limit: u32,
) -> Result<Vec<StoredRequest>, StoreError> {
    // Before the first id and account there is nothing.
    let (request_id, account) = after.map_or((RequestId([0; 16]), ""), |key| {
        (key.request_id, key.account.as_str())
    });
    let rows = sqlx::query(
        "SELECT account, uuid_send(request_id), position, count::bigint, hash
         FROM ledger.requests
         WHERE book = $1 AND (request_id, book, account) > ($2, $1, $3)
         ORDER BY request_id, book, account LIMIT $4",
    )
    .bind(book)
    .bind(PgUuid(request_id))
    .bind(account)
    .bind(i64::from(limit))
    .fetch_all(on)
    .await
    .map_err(store_error)?;
    row::all(&rows, |row| row::request(row, 0))
}

/// One request.
pub(super) async fn request(
    on: impl PgExecutor<'_>,
    book: &str,
    key: &RequestKey,
) -> Result<Option<StoredRequest>, StoreError> {
    let row = sqlx::query(
        "SELECT account, uuid_send(request_id), position, count::bigint, hash FROM ledger.requests
         WHERE request_id = $1 AND book = $2 AND account = $3",
    )
    .bind(PgUuid(key.request_id))
    .bind(book)
    .bind(key.account.as_str())
    .fetch_optional(on)
    .await
    .map_err(store_error)?;
    row.as_ref().map(|row| row::request(row, 0)).transpose()
}

/// What an id of a provider stands for, if an event claimed it.
pub(super) async fn external_id(
    on: impl PgExecutor<'_>,
    id: &ExternalId,
) -> Result<Option<StoredExternalId>, StoreError> {
    let row = sqlx::query(
        "SELECT provider, merchant_account, kind, id, book, position
         FROM ledger.external_ids
         WHERE provider = $1 AND merchant_account = $2 AND kind = $3 AND id = $4",
    )
    .bind(id.provider.as_str())
    .bind(id.merchant_account.as_str())
    .bind(id.kind.as_str())
    .bind(id.id.as_str())
    .fetch_optional(on)
    .await
    .map_err(store_error)?;
    row.as_ref().map(|row| row::external_id(row, 0)).transpose()
}

/// The ids of providers that events of a book claimed.
pub(super) async fn external_ids_of(
    on: impl PgExecutor<'_>,
    book: &str,
) -> Result<Vec<StoredExternalId>, StoreError> {
    let rows = sqlx::query(
        "SELECT provider, merchant_account, kind, id, book, position
         FROM ledger.external_ids WHERE book = $1
         ORDER BY position, provider, merchant_account, kind, id",
    )
    .bind(book)
    .fetch_all(on)
    .await
    .map_err(store_error)?;
    row::all(&rows, |row| row::external_id(row, 0))
}

fn positions_of(positions: &[u64]) -> Vec<i64> {
    positions.iter().copied().map(signed).collect()
}
