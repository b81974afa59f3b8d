//! What a writer reads together with the head.
//!
//! Each kind of thing is one statement that gives the head beside what it finds,
//! by an outer join, so that the head comes even if nothing is found. A
//! statement sees one moment; if several see different heads, all are read
//! again.

use ledger_core::Name;
use sqlx::postgres::{PgBindIterExt, PgExecutor};
use sqlx::{PgConnection, postgres::PgRow};

use super::error::store_error;
use super::uuid::PgUuid;
use crate::store::row::{self, Columns, agreed};
use crate::store::{
    ExternalId, Loaded, RequestKey, Seen, StoreError, StoredAccount, StoredExternalId,
    StoredRequest, Wanted,
};

/// How often heads may disagree. Whoever needs more takes the lock.
const ATTEMPTS_MAX: usize = 5;

/// The head of a book's log; nothing if there is no such book.
pub(super) async fn head(on: impl PgExecutor<'_>, book: &str) -> Result<Option<Seen>, StoreError> {
    let row = sqlx::query(
        "SELECT position, hash, recorded_at_us,
                (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
         FROM ledger.logs WHERE book = $1",
    )
    .bind(book)
    .fetch_optional(on)
    .await
    .map_err(store_error)?;
    row.as_ref().map(row::seen).transpose()
}

/// Takes the lock of a log's head, inside of a transaction.
pub(super) async fn lock_head(
    connection: &mut PgConnection,
    book: &str,
) -> Result<Seen, StoreError> {
    let row = sqlx::query(
        "SELECT position, hash, recorded_at_us,
                (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
         FROM ledger.logs WHERE book = $1 FOR UPDATE",
    )
    .bind(book)
    .fetch_optional(connection)
    .await
    .map_err(store_error)?;
    row.as_ref().map_or_else(|| Err(no_log(book)), row::seen)
}

/// All that is wanted, at one head.
pub(super) async fn load(
    connection: &mut PgConnection,
    book: &str,
    wanted: &Wanted,
) -> Result<Loaded, StoreError> {
    for _ in 0..ATTEMPTS_MAX {
        if let Some(loaded) = load_once(connection, book, wanted).await? {
            return Ok(loaded);
        }
    }
    Err(StoreError::Busy(sqlx::Error::Protocol(
        "the head moved between every two reads".into(),
    )))
}

/// Nothing if the head moved meanwhile.
async fn load_once(
    connection: &mut PgConnection,
    book: &str,
    wanted: &Wanted,
) -> Result<Option<Loaded>, StoreError> {
    let mut all_seen = Vec::with_capacity(3);
    let (mut accounts, mut requests, mut external_ids) = (vec![], vec![], vec![]);
    if !wanted.accounts.is_empty() {
        let (seen, found) = load_accounts(connection, book, &wanted.accounts).await?;
        all_seen.push(seen);
        accounts = found;
    }
    if !wanted.requests.is_empty() {
        let (seen, found) = load_requests(connection, book, &wanted.requests).await?;
        all_seen.push(seen);
        requests = found;
    }
    if !wanted.external_ids.is_empty() {
        let (seen, found) = load_external_ids(connection, book, &wanted.external_ids).await?;
        all_seen.push(seen);
        external_ids = found;
    }
    if all_seen.is_empty() {
        all_seen.push(head(connection, book).await?.ok_or_else(|| no_log(book))?);
    }
    Ok(agreed(&all_seen).map(|seen| Loaded {
        seen,
        accounts,
        requests,
        external_ids,
    }))
}

async fn load_accounts(
    connection: &mut PgConnection,
    book: &str,
    accounts: &[Name],
) -> Result<(Seen, Vec<StoredAccount>), StoreError> {
    let rows = sqlx::query(
        "SELECT l.position, l.hash, l.recorded_at_us,
                (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
                a.account, a.version, a.fold_version::bigint, a.state, a.due_at_us
         FROM ledger.logs l
         LEFT JOIN ledger.accounts a ON a.book = $1 AND a.account = ANY ($2)
         WHERE l.book = $1",
    )
    .bind(book)
    .bind(accounts.iter().map(Name::as_str).bind_iter())
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    beside_the_head(book, &rows, row::account)
}

async fn load_requests(
    connection: &mut PgConnection,
    book: &str,
    keys: &[RequestKey],
) -> Result<(Seen, Vec<StoredRequest>), StoreError> {
    let rows = sqlx::query(
        "SELECT l.position, l.hash, l.recorded_at_us,
                (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
                f.account, uuid_send(f.request_id), f.position, f.count::bigint, f.hash
         FROM ledger.logs l
         LEFT JOIN (
             SELECT r.*
             FROM unnest($2::uuid[], $3::text[]) AS k (request_id, account)
             JOIN ledger.requests r
                 ON r.request_id = k.request_id AND r.book = $1 AND r.account = k.account
         ) f ON true
         WHERE l.book = $1",
    )
    .bind(book)
    .bind(keys.iter().map(|key| PgUuid(key.request_id)).bind_iter())
    .bind(keys.iter().map(|key| key.account.as_str()).bind_iter())
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    let (seen, mut found) = beside_the_head(book, &rows, row::request)?;
    // A key that was asked for twice was found twice.
    found.sort_unstable_by(|a, b| {
        a.key
            .account
            .cmp(&b.key.account)
            .then(a.key.request_id.cmp(&b.key.request_id))
    });
    found.dedup_by(|a, b| a.key == b.key);
    Ok((seen, found))
}

async fn load_external_ids(
    connection: &mut PgConnection,
    book: &str,
    ids: &[ExternalId],
) -> Result<(Seen, Vec<StoredExternalId>), StoreError> {
    let rows = sqlx::query(
        "SELECT l.position, l.hash, l.recorded_at_us,
                (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
                f.provider, f.merchant_account, f.kind, f.id, f.book, f.position
         FROM ledger.logs l
         LEFT JOIN (
             SELECT x.*
             FROM unnest($2::text[], $3::text[], $4::text[], $5::text[])
                 AS k (provider, merchant_account, kind, id)
             JOIN ledger.external_ids x
                 ON x.provider = k.provider AND x.merchant_account = k.merchant_account
                    AND x.kind = k.kind AND x.id = k.id
         ) f ON true
         WHERE l.book = $1",
    )
    .bind(book)
    .bind(ids.iter().map(|id| id.provider.as_str()).bind_iter())
    .bind(
        ids.iter()
            .map(|id| id.merchant_account.as_str())
            .bind_iter(),
    )
    .bind(ids.iter().map(|id| id.kind.as_str()).bind_iter())
    .bind(ids.iter().map(|id| id.id.as_str()).bind_iter())
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    let (seen, mut found) = beside_the_head(book, &rows, row::external_id)?;
    found.sort_unstable_by(|a, b| a.external_id.cmp(&b.external_id));
    found.dedup();
    Ok((seen, found))
}

/// The head and what stands beside it, from the fifth column on; a row of nulls
/// there says that nothing was found.
fn beside_the_head<T>(
    book: &str,
    rows: &[PgRow],
    read: impl Fn(&PgRow, usize) -> Result<T, StoreError>,
) -> Result<(Seen, Vec<T>), StoreError> {
    let first = rows.first().ok_or_else(|| no_log(book))?;
    let seen = row::seen(first)?;
    if first.is_null(4)? {
        return Ok((seen, Vec::new()));
    }
    let found = row::all(rows, |row| read(row, 4))?;
    Ok((seen, found))
}

/// What a book without a log means.
pub(super) fn no_log(book: &str) -> StoreError {
    StoreError::Damaged(format!("the book {book} has no log"))
}
