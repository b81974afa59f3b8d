//! States of accounts.

use std::sync::{Arc, LazyLock};

use ledger_core::Timestamp;
use sqlx::sqlite::SqliteExecutor;
use sqlx::{Arguments, SqliteConnection};

use super::error::store_error;
use super::insert::Insert;
use crate::store::row::{self, signed};
use crate::store::{StoreError, StoredAccount};

static ACCOUNTS: LazyLock<Insert> = LazyLock::new(|| {
    Insert::new(
        "accounts (book, account, version, fold_version, state, due_at_us)",
        6,
        "ON CONFLICT (book, account) DO UPDATE SET
            version = excluded.version, fold_version = excluded.fold_version,
            state = excluded.state, due_at_us = excluded.due_at_us",
    )
});

/// Makes or replaces states.
pub(super) async fn put_accounts(
    connection: &mut SqliteConnection,
    book: &Arc<str>,
    accounts: &[StoredAccount],
) -> Result<(), StoreError> {
    ACCOUNTS
        .run(connection, accounts, |row, account| {
            row.add(Arc::clone(book))?;
            row.add(account.account.as_str())?;
            row.add(signed(account.version))?;
            row.add(i64::from(account.fold_version))?;
            row.add(account.state.as_slice())?;
            row.add(account.due_at.map(|due_at| due_at.0))
        })
        .await
}

/// Up to `limit` accounts after one, in the order of ids.
pub(super) async fn accounts_after(
    on: impl SqliteExecutor<'_>,
    book: &str,
    after: &str,
    limit: u32,
) -> Result<Vec<StoredAccount>, StoreError> {
    let rows = sqlx::query(
        "SELECT account, version, fold_version, state, due_at_us
         FROM accounts
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

/// The state of an account.
pub(super) async fn account_of(
    on: impl SqliteExecutor<'_>,
    book: &Arc<str>,
    account: &str,
) -> Result<Option<StoredAccount>, StoreError> {
    let row = sqlx::query(
        "SELECT account, version, fold_version, state, due_at_us
         FROM accounts WHERE book = $1 AND account = $2",
    )
    .bind(Arc::clone(book))
    .bind(account)
    .fetch_optional(on)
    .await
    .map_err(store_error)?;
    row.as_ref().map(|row| row::account(row, 0)).transpose()
}

/// Accounts that are due, the longest due first.
pub(super) async fn due_accounts(
    on: impl SqliteExecutor<'_>,
    book: &str,
    time: Timestamp,
    limit: u32,
) -> Result<Vec<String>, StoreError> {
    sqlx::query_scalar(
        "SELECT account FROM accounts
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
    on: impl SqliteExecutor<'_>,
    book: &str,
    time: Timestamp,
    after: &str,
    limit: u32,
) -> Result<Vec<String>, StoreError> {
    sqlx::query_scalar(
        "SELECT account FROM accounts
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
    on: impl SqliteExecutor<'_>,
    book: &str,
    account: &str,
    version: u64,
    due_at: Option<Timestamp>,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE accounts SET due_at_us = $4
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
