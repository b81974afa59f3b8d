//! States of accounts.

use ledger_core::{Name, Timestamp};
use sqlx::postgres::{PgBindIterExt, PgExecutor};

use super::error::store_error;
use crate::store::row::{self, signed};
use crate::store::{StoreError, StoredAccount};

/// Up to `limit` accounts after one, in the order of ids.
pub(super) async fn accounts_after(
    on: impl PgExecutor<'_>,
    book: &str,
    after: &str,
    limit: u32,
) -> Result<Vec<StoredAccount>, StoreError> {
    let rows = sqlx::query(
        "SELECT account, version, fold_version::bigint, state, due_at_us
         FROM ledger.accounts
         WHERE book = $1 AND account > $2
         ORDER BY account LIMIT $3",
    )
    .bind(book)
    .bind(after)
    .bind(i64::from(limit))
    .fetch_all(on)
    .await
    .map_err(store_error)?;
    row::all(&rows, |row| row::account(row, 0))
}

/// Accounts that are due, the longest due first.
pub(super) async fn due_accounts(
    on: impl PgExecutor<'_>,
    book: &str,
    time: Timestamp,
    limit: u32,
) -> Result<Vec<String>, StoreError> {
    sqlx::query_scalar(
        "SELECT account FROM ledger.accounts
         WHERE book = $1 AND due_at_us IS NOT NULL AND due_at_us <= $2
         ORDER BY due_at_us LIMIT $3",
    )
    .bind(book)
    .bind(time.0)
    .bind(i64::from(limit))
    .fetch_all(on)
    .await
    .map_err(store_error)
}

/// Accounts that are due by a time, after one in the order of ids.
pub(super) async fn due_accounts_after(
    on: impl PgExecutor<'_>,
    book: &str,
    time: Timestamp,
    after: &str,
    limit: u32,
) -> Result<Vec<String>, StoreError> {
    sqlx::query_scalar(
        "SELECT account FROM ledger.accounts
         WHERE book = $1 AND due_at_us IS NOT NULL AND due_at_us <= $2 AND account > $3
         ORDER BY account LIMIT $4",
    )
    .bind(book)
    .bind(time.0)
    .bind(after)
    .bind(i64::from(limit))
    .fetch_all(on)
    .await
    .map_err(store_error)
}

/// Corrects when an account is due, if it still has this version.
pub(super) async fn set_due(
    on: impl PgExecutor<'_>,
    book: &str,
    account: &str,
    version: u64,
    due_at: Option<Timestamp>,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE ledger.accounts SET due_at_us = $4
         WHERE book = $1 AND account = $2 AND version = $3",
    )
    .bind(book)
    .bind(account)
    .bind(signed(version))
    .bind(due_at.map(|due_at| due_at.0))
    .execute(on)
    .await
    .map(drop)
    .map_err(store_error)
}

/// The states of these accounts that exist.
pub(super) async fn accounts_of(
    on: impl PgExecutor<'_>,
    book: &str,
    accounts: &[Name],
) -> Result<Vec<StoredAccount>, StoreError> {
    let rows = sqlx::query(
        "SELECT account, version, fold_version::bigint, state, due_at_us
         FROM ledger.accounts WHERE book = $1 AND account = ANY ($2)",
    )
    .bind(book)
    .bind(accounts.iter().map(Name::as_str).bind_iter())
    .fetch_all(on)
    .await
    .map_err(store_error)?;
    row::all(&rows, |row| row::account(row, 0))
}

/// Makes or replaces states.
pub(super) async fn put(
    on: impl PgExecutor<'_>,
    book: &str,
    states: &[StoredAccount],
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO ledger.accounts (book, account, version, fold_version, state, due_at_us)
         SELECT $1, a.*
         FROM unnest($2::text[], $3::bigint[], $4::integer[], $5::bytea[], $6::bigint[]) AS a
         ON CONFLICT (book, account) DO UPDATE SET
             version = excluded.version, fold_version = excluded.fold_version,
             state = excluded.state, due_at_us = excluded.due_at_us",
    )
    .bind(book)
    .bind(
        states
            .iter()
            .map(|state| state.account.as_str())
            .bind_iter(),
    )
    .bind(states.iter().map(|state| signed(state.version)).bind_iter())
    .bind(
        states
            .iter()
            .map(|state| state.fold_version.cast_signed())
            .bind_iter(),
    )
    .bind(
        states
            .iter()
            .map(|state| state.state.as_slice())
            .bind_iter(),
    )
    .bind(
        states
            .iter()
            .map(|state| state.due_at.map(|due_at| due_at.0))
            .bind_iter(),
    )
    .execute(on)
    .await
    .map(drop)
    .map_err(store_error)
}
