//! What a writer reads together with the head. All of it is read on the one
//! connection that writes, while no other call has it: nothing comes between.

use std::sync::Arc;

use ledger_core::Name;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteExecutor;

use super::clock;
use super::error::store_error;
use crate::store::row::{self, Columns, agreed};
use crate::store::{
    ExternalId, Loaded, RequestKey, Seen, StoreError, StoredAccount, StoredExternalId,
    StoredRequest, Wanted,
};

/// The head of a book's log; nothing if there is no such book.
pub(super) async fn head(
    on: impl SqliteExecutor<'_>,
    book: &str,
) -> Result<Option<Seen>, StoreError> {
    let row = sqlx::query("SELECT position, hash, recorded_at_us, $2 FROM logs WHERE book = $1")
        .bind(book)
        .bind(clock().0)
        .fetch_optional(on)
        .await
        .map_err(store_error)?;
    row.as_ref().map(row::seen).transpose()
}

/// The head of a log that must exist.
pub(super) async fn head_of_log(
    on: impl SqliteExecutor<'_>,
    book: &str,
) -> Result<Seen, StoreError> {
    head(on, book).await?.ok_or_else(|| no_log(book))
}

/// All that is wanted, at one head.
pub(super) async fn load(
    connection: &mut SqliteConnection,
    book: &Arc<str>,
    wanted: &Wanted,
) -> Result<Loaded, StoreError> {
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
        all_seen.push(head_of_log(connection, book).await?);
    }
    let moved = || StoreError::Busy(sqlx::Error::Protocol("another process writes".into()));
    Ok(Loaded {
        seen: agreed(&all_seen).ok_or_else(moved)?,
        accounts,
        requests,
        external_ids,
    })
}

async fn load_accounts(
    connection: &mut SqliteConnection,
    book: &Arc<str>,
    accounts: &[Name],
) -> Result<(Seen, Vec<StoredAccount>), StoreError> {
    let accounts: Vec<&str> = accounts.iter().map(Name::as_str).collect();
    let rows = sqlx::query(
        "SELECT l.position, l.hash, l.recorded_at_us, $2,
                a.account, a.version, a.fold_version, a.state, a.due_at_us
         FROM logs l
         LEFT JOIN accounts a
             ON a.book = l.book AND a.account IN (SELECT value FROM json_each($3))
         WHERE l.book = $1",
    )
    .bind(Arc::clone(book))
    .bind(clock().0)
    .bind(json(&accounts)?)
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    beside_the_head(book, &rows, row::account)
}

async fn load_requests(
    connection: &mut SqliteConnection,
    book: &Arc<str>,
    keys: &[RequestKey],
) -> Result<(Seen, Vec<StoredRequest>), StoreError> {
    let keys: Vec<(String, &str)> = keys
        .iter()
        .map(|key| (hex(&key.request_id.0), key.account.as_str()))
        .collect();
    let rows = sqlx::query(
        "WITH keys AS MATERIALIZED (
             SELECT DISTINCT unhex(value ->> 0) AS request_id, value ->> 1 AS account
             FROM json_each($3)
         ), found AS MATERIALIZED (
             SELECT r.account, r.request_id, r.position, r.count, r.hash
             FROM keys k
             CROSS JOIN requests r
                 ON r.request_id = k.request_id AND r.book = $1 AND r.account = k.account
         )
         SELECT l.position, l.hash, l.recorded_at_us, $2, f.*
         FROM logs l LEFT JOIN found f
         WHERE l.book = $1",
    )
    .bind(Arc::clone(book))
    .bind(clock().0)
    .bind(json(&keys)?)
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    beside_the_head(book, &rows, row::request)
}

async fn load_external_ids(
    connection: &mut SqliteConnection,
    book: &Arc<str>,
    ids: &[ExternalId],
) -> Result<(Seen, Vec<StoredExternalId>), StoreError> {
    let ids: Vec<[&str; 4]> = ids
        .iter()
        .map(|id| [&id.provider, &id.merchant_account, &id.kind, &id.id].map(Name::as_str))
        .collect();
    let rows = sqlx::query(
        "WITH keys AS MATERIALIZED (
             SELECT DISTINCT value ->> 0 AS provider, value ->> 1 AS merchant_account,
                             value ->> 2 AS kind, value ->> 3 AS id
             FROM json_each($3)
         ), found AS MATERIALIZED (
             SELECT x.provider, x.merchant_account, x.kind, x.id, x.book, x.position
             FROM keys k
             CROSS JOIN external_ids x
                 ON x.provider = k.provider AND x.merchant_account = k.merchant_account
                    AND x.kind = k.kind AND x.id = k.id
         )
         SELECT l.position, l.hash, l.recorded_at_us, $2, f.*
         FROM logs l LEFT JOIN found f
         WHERE l.book = $1",
    )
    .bind(Arc::clone(book))
    .bind(clock().0)
    .bind(json(&ids)?)
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    beside_the_head(book, &rows, row::external_id)
}

/// The head and what stands beside it, from the fifth column on; a row of nulls
/// there says that nothing was found.
fn beside_the_head<R: Columns, T>(
    book: &str,
    rows: &[R],
    read: impl Fn(&R, usize) -> Result<T, StoreError>,
) -> Result<(Seen, Vec<T>), StoreError> {
    let first = rows.first().ok_or_else(|| no_log(book))?;
    let seen = row::seen(first)?;
    if first.is_null(4)? {
        return Ok((seen, Vec::new()));
    }
    let found = row::all(rows, |row| read(row, 4))?;
    Ok((seen, found))
}

fn no_log(book: &str) -> StoreError {
    StoreError::Damaged(format!("the book {book} has no log"))
}

/// A parameter for `json_each`: a list of any length in one statement.
pub(super) fn json(list: &(impl serde::Serialize + ?Sized)) -> Result<String, StoreError> {
    serde_json::to_string(list)
        .map_err(|error| StoreError::Refused(sqlx::Error::Encode(error.into())))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing to a string does not fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}
