//! Making anew what stands beside the events: one transaction on a connection
//! of its own, which holds the file's write lock.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use ledger_core::Name;
use sqlx::{Arguments, Connection, SqliteConnection};

use super::connection::writing;
use super::error::store_error;
use super::insert::Insert;
use super::transaction::{End, begin, end};
use super::{accounts, index, load, statistics};
use crate::store::row::signed;
use crate::store::{Derived, ExternalId, Head, Rebuild, StoreError, StoredAccount, StoredRequest};

static REQUESTS: LazyLock<Insert> = LazyLock::new(|| {
    Insert::new(
        "requests (request_id, book, account, position, count, hash)",
        6,
        "",
    )
});

static EXTERNAL_IDS: LazyLock<Insert> = LazyLock::new(|| {
    Insert::new(
        "external_ids (provider, merchant_account, kind, id, book, position)",
        6,
        "",
    )
});

/// A rebuild of a book. Dropped, its connection ends, and the transaction with
/// it.
pub(super) struct SqliteRebuild {
    connection: SqliteConnection,
    book: Arc<str>,
    head: Head,
}

impl SqliteRebuild {
    /// Takes the write lock and empties the tables of a book.
    pub(super) async fn begin(file: &Path, book: &str) -> Result<Self, StoreError> {
        let mut connection = SqliteConnection::connect_with(&writing(file))
            .await
            .map_err(store_error)?;
        begin(&mut connection).await?;
        let head = load::head_of_log(&mut connection, book).await?.head;
        let deletions = [
            "DELETE FROM requests WHERE book = $1",
            "DELETE FROM external_ids WHERE book = $1",
            "DELETE FROM accounts WHERE book = $1",
            "DELETE FROM account_events WHERE book = $1",
        ];
        for deletion in deletions {
            sqlx::query(deletion)
                .bind(book)
                .execute(&mut connection)
                .await
                .map_err(store_error)?;
        }
        statistics::empty(&mut connection, book).await?;
        Ok(Self {
            connection,
            book: book.into(),
            head,
        })
    }
}

#[async_trait]
impl Rebuild for SqliteRebuild {
    fn head(&self) -> Head {
        self.head
    }

    async fn accounts(&mut self, ids: &[Name]) -> Result<Vec<StoredAccount>, StoreError> {
        let mut found = Vec::new();
        for id in ids {
            found.extend(accounts::account_of(&mut self.connection, &self.book, id).await?);
        }
        Ok(found)
    }

    async fn put(&mut self, rows: &Derived) -> Result<(), StoreError> {
        let (connection, book) = (&mut self.connection, &self.book);
        put_requests(connection, book, &rows.requests).await?;
        put_external_ids(connection, book, &rows.external_ids).await?;
        accounts::put_accounts(connection, book, &rows.accounts).await?;
        index::put_rows(connection, book, &rows.index).await?;
        statistics::add(connection, book, &rows.counted).await
    }

    async fn commit(mut self: Box<Self>) -> Result<(), StoreError> {
        let moved = sqlx::query(
            "INSERT INTO index_progress (book, position, counted) VALUES ($1, $2, $2)
             ON CONFLICT (book) DO UPDATE SET
                 position = excluded.position, counted = excluded.counted",
        )
        .bind(Arc::clone(&self.book))
        .bind(signed(self.head.position))
        .execute(&mut self.connection)
        .await
        .map(|_| End::Commit(()))
        .map_err(store_error);
        end(&mut self.connection, moved).await?;
        self.connection.close().await.map_err(store_error)
    }
}

async fn put_requests(
    connection: &mut SqliteConnection,
    book: &Arc<str>,
    requests: &[StoredRequest],
) -> Result<(), StoreError> {
    REQUESTS
        .run(connection, requests, |row, request| {
            row.add(request.key.request_id.0.as_slice())?;
            row.add(Arc::clone(book))?;
            row.add(request.key.account.as_str())?;
            row.add(signed(request.position))?;
            row.add(i64::from(request.count))?;
            row.add(request.hash.as_slice())
        })
        .await
}

async fn put_external_ids(
    connection: &mut SqliteConnection,
    book: &Arc<str>,
    external_ids: &[(ExternalId, u64)],
) -> Result<(), StoreError> {
    EXTERNAL_IDS
        .run(connection, external_ids, |row, (external_id, position)| {
            row.add(external_id.provider.as_str())?;
            row.add(external_id.merchant_account.as_str())?;
            row.add(external_id.kind.as_str())?;
            row.add(external_id.id.as_str())?;
            row.add(Arc::clone(book))?;
            row.add(signed(*position))
        })
        .await
}
