//! Making anew what stands beside the events: one transaction with the lock of
//! all logs, so that a service that runs or starts meanwhile can neither append
//! nor see a head, and so cannot decide anything on what is half made.

use async_trait::async_trait;
use ledger_core::Name;
use sqlx::postgres::{PgBindIterExt, PgConnectOptions, PgExecutor};
use sqlx::{Connection, PgConnection};

use super::connection::{open, rebuilding};
use super::error::store_error;
use super::serving::is_served;
use super::uuid::PgUuid;
use super::{accounts, load, statistics};
use crate::store::row::signed;
use crate::store::{
    Derived, ExternalId, Head, IndexedEvent, Rebuild, StoreError, StoredAccount, StoredRequest,
};

/// A rebuild of a book. Dropped, its connection ends and the server rolls back.
pub(super) struct PostgresRebuild {
    connection: PgConnection,
    book: String,
    head: Head,
}

impl PostgresRebuild {
    /// Takes the lock and empties the tables of a book.
    pub(super) async fn begin(writing: &PgConnectOptions, book: &str) -> Result<Self, StoreError> {
        let mut connection = open(&rebuilding(writing)).await?;
        run(&mut connection, "BEGIN").await?;
        run(
            &mut connection,
            "LOCK TABLE ledger.logs IN ACCESS EXCLUSIVE MODE",
        )
        .await?;
        if is_served(&mut connection).await? {
            return Err(StoreError::Busy(sqlx::Error::Protocol(
                "a service was started meanwhile: stop it and begin again".into(),
            )));
        }
        let seen = load::head(&mut connection, book).await?;
        let seen = seen.ok_or_else(|| load::no_log(book))?;
        empty(&mut connection, book).await?;
        Ok(Self {
            connection,
            book: book.to_owned(),
            head: seen.head,
        })
    }
}

#[async_trait]
impl Rebuild for PostgresRebuild {
    fn head(&self) -> Head {
        self.head
    }

    async fn accounts(&mut self, ids: &[Name]) -> Result<Vec<StoredAccount>, StoreError> {
        accounts::accounts_of(&mut self.connection, &self.book, ids).await
    }

    async fn put(&mut self, rows: &Derived) -> Result<(), StoreError> {
        let (connection, book) = (&mut self.connection, self.book.as_str());
        if !rows.requests.is_empty() {
            put_requests(&mut *connection, book, &rows.requests).await?;
        }
        if !rows.external_ids.is_empty() {
            put_external_ids(&mut *connection, book, &rows.external_ids).await?;
        }
        if !rows.accounts.is_empty() {
            accounts::put(&mut *connection, book, &rows.accounts).await?;
        }
        if !rows.index.is_empty() {
            put_index(&mut *connection, book, &rows.index).await?;
        }
        statistics::add(connection, book, &rows.counted).await
    }

    async fn commit(mut self: Box<Self>) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO ledger.index_progress (book, position, counted) VALUES ($1, $2, $2)
             ON CONFLICT (book) DO UPDATE SET
                 position = excluded.position, counted = excluded.counted",
        )
        .bind(self.book.as_str())
        .bind(signed(self.head.position))
        .execute(&mut self.connection)
        .await
        .map_err(store_error)?;
        // The planner knows nothing of what was filled just now, and would read
        // whole tables until the server looks at them by itself.
        run(
            &mut self.connection,
            "ANALYZE ledger.requests, ledger.external_ids, ledger.accounts, ledger.account_events,
                     ledger.statistics, ledger.account_days",
        )
        .await?;
        run(&mut self.connection, "COMMIT").await?;
        // It is committed, however the connection ends.
        let _ = self.connection.close().await;
        Ok(())
    }
}

async fn run(connection: &mut PgConnection, statement: &'static str) -> Result<(), StoreError> {
    sqlx::query(statement)
        .execute(connection)
        .await
        .map(drop)
        .map_err(store_error)
}

/// A book that is alone, as nearly all are, has its tables cut off: rows that
/// are deleted one by one take as long as those that are made.
async fn empty(connection: &mut PgConnection, book: &str) -> Result<(), StoreError> {
    let is_alone: bool =
        sqlx::query_scalar("SELECT NOT EXISTS (SELECT FROM ledger.logs WHERE book <> $1)")
            .bind(book)
            .fetch_one(&mut *connection)
            .await
            .map_err(store_error)?;
    if is_alone {
        let all = "TRUNCATE ledger.requests, ledger.external_ids, ledger.accounts,
                            ledger.account_events, ledger.statistics, ledger.account_days";
        return run(connection, all).await;
    }
    let deletions = [
        "DELETE FROM ledger.requests WHERE book = $1",
        "DELETE FROM ledger.external_ids WHERE book = $1",
        "DELETE FROM ledger.accounts WHERE book = $1",
        "DELETE FROM ledger.account_events WHERE book = $1",
    ];
    for deletion in deletions {
        sqlx::query(deletion)
            .bind(book)
            .execute(&mut *connection)
            .await
            .map_err(store_error)?;
    }
    statistics::empty(connection, book).await
}

async fn put_requests(
    on: impl PgExecutor<'_>,
    book: &str,
    rows: &[StoredRequest],
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO ledger.requests (book, request_id, account, position, count, hash)
         SELECT $1, r.*
         FROM unnest($2::uuid[], $3::text[], $4::bigint[], $5::integer[], $6::bytea[]) AS r",
    )
    .bind(book)
    .bind(
        rows.iter()
            .map(|row| PgUuid(row.key.request_id))
            .bind_iter(),
    )
    .bind(rows.iter().map(|row| row.key.account.as_str()).bind_iter())
    .bind(rows.iter().map(|row| signed(row.position)).bind_iter())
    .bind(rows.iter().map(|row| row.count.cast_signed()).bind_iter())
    .bind(rows.iter().map(|row| row.hash.as_slice()).bind_iter())
    .execute(on)
    .await
    .map(drop)
    .map_err(store_error)
}

async fn put_external_ids(
    on: impl PgExecutor<'_>,
    book: &str,
    rows: &[(ExternalId, u64)],
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO ledger.external_ids (book, provider, merchant_account, kind, id, position)
         SELECT $1, x.*
         FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[]) AS x",
    )
    .bind(book)
    .bind(rows.iter().map(|(id, _)| id.provider.as_str()).bind_iter())
    .bind(
        rows.iter()
            .map(|(id, _)| id.merchant_account.as_str())
            .bind_iter(),
    )
    .bind(rows.iter().map(|(id, _)| id.kind.as_str()).bind_iter())
    .bind(rows.iter().map(|(id, _)| id.id.as_str()).bind_iter())
    .bind(
        rows.iter()
            .map(|(_, position)| signed(*position))
            .bind_iter(),
    )
    .execute(on)
    .await
    .map(drop)
    .map_err(store_error)
}

async fn put_index(
    on: impl PgExecutor<'_>,
    book: &str,
    rows: &[IndexedEvent],
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO ledger.account_events
             (book, account, position, kind, operation, operations_delta, recorded_at_us,
              external_id)
         SELECT $1, r.*
         FROM unnest($2::text[], $3::bigint[], $4::smallint[], $5::text[], $6::bigint[],
                     $7::bigint[], $8::text[]) AS r",
    )
    .bind(book)
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
    .execute(on)
    .await
    .map(drop)
    .map_err(store_error)
}
