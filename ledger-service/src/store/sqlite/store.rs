//! The `Store` of SQLite: which call goes to which connection.

use std::sync::Arc;

use async_trait::async_trait;
use ledger_core::Timestamp;
use sqlx::Row;

use super::error::store_error;
use super::rebuild::SqliteRebuild;
use super::writer::SqliteWriter;
use super::{SqliteStore, accounts, index, load, log};
use crate::limits::STATEMENT_TIME_MAX;
use crate::store::time_limit::within;
use crate::store::{
    ExternalId, IndexedEvent, Lease, LogWriter, NewEvent, PositionRange, Rebuild, RequestKey, Seen,
    Store, StoreError, StoredAccount, StoredEvent, StoredExternalId, StoredRequest,
};

#[async_trait]
impl Store for SqliteStore {
    async fn create_book(&self, book: &str) -> Result<(), StoreError> {
        let mut held = self.writer.take_or_open().await?;
        let result = sqlx::query(log::CREATE_BOOK)
            .bind(book)
            .execute(&mut held.connection)
            .await
            .map(drop)
            .map_err(store_error);
        held.give_back(result)
    }

    async fn books(&self) -> Result<Vec<String>, StoreError> {
        log::books(&self.readers).await
    }

    async fn head(&self, book: &str) -> Result<Option<Seen>, StoreError> {
        load::head(&self.readers, book).await
    }

    async fn writer(&self, book: &str) -> Result<Box<dyn LogWriter>, StoreError> {
        let held = self.writer.take_or_open().await?;
        held.give_back(Ok(()))?;
        Ok(Box::new(SqliteWriter::new(
            Arc::clone(&self.writer),
            book.into(),
        )))
    }

    async fn read_after(
        &self,
        book: &str,
        position: u64,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        log::read_after(&self.readers, book, position, limit).await
    }

    async fn read_at(&self, book: &str, positions: &[u64]) -> Result<Vec<StoredEvent>, StoreError> {
        log::read_at(&self.readers, book, positions).await
    }

    async fn read_with_references(
        &self,
        book: &str,
        ranges: &[(u64, u32)],
    ) -> Result<Vec<StoredEvent>, StoreError> {
        log::read_with_references(&self.readers, book, ranges).await
    }

    async fn external_id(&self, id: &ExternalId) -> Result<Option<StoredExternalId>, StoreError> {
        log::external_id(&self.readers, id).await
    }

    async fn read_columns_after(
        &self,
        book: &str,
        position: u64,
        limit: u32,
    ) -> Result<Vec<NewEvent>, StoreError> {
        log::read_columns_after(&self.readers, book, position, limit).await
    }

    async fn last_catalog(&self, book: &str) -> Result<Option<StoredEvent>, StoreError> {
        log::last_catalog(&self.readers, book).await
    }

    async fn catalog(&self, book: &str, version: u64) -> Result<Option<StoredEvent>, StoreError> {
        log::catalog(&self.readers, book, version).await
    }

    async fn position_at(&self, book: &str, time: Timestamp) -> Result<u64, StoreError> {
        log::position_at(&self.readers, book, time).await
    }

    async fn accounts_after(
        &self,
        book: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<StoredAccount>, StoreError> {
        accounts::accounts_after(&self.readers, book, after, limit).await
    }

    async fn requests_after(
        &self,
        book: &str,
        after: Option<&RequestKey>,
        limit: u32,
    ) -> Result<Vec<StoredRequest>, StoreError> {
        log::requests_after(&self.readers, book, after, limit).await
    }

    async fn request(
        &self,
        book: &str,
        key: &RequestKey,
    ) -> Result<Option<StoredRequest>, StoreError> {
        log::request(&self.readers, book, key).await
    }

    async fn external_ids_of(&self, book: &str) -> Result<Vec<StoredExternalId>, StoreError> {
        log::external_ids_of(&self.readers, book).await
    }

    async fn due_accounts(
        &self,
        book: &str,
        time: Timestamp,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        accounts::due_accounts(&self.readers, book, time, limit).await
    }

    async fn set_due(
        &self,
        book: &str,
        account: &str,
        version: u64,
        due_at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let mut held = self.writer.take_or_open().await?;
        let result = accounts::set_due(&mut held.connection, book, account, version, due_at).await;
        held.give_back(result)
    }

    async fn rebuild(&self, book: &str) -> Result<Box<dyn Rebuild>, StoreError> {
        let rebuild = SqliteRebuild::begin(&self.file, book).await?;
        Ok(Box::new(rebuild))
    }

    async fn indexed_position(&self, book: &str) -> Result<u64, StoreError> {
        index::indexed_position(&self.readers, book).await
    }

    async fn index_events(
        &self,
        book: &str,
        from: u64,
        to: u64,
        rows: &[IndexedEvent],
        lease: Lease,
    ) -> Result<bool, StoreError> {
        let mut held = self.writer.take_or_open().await?;
        let book = Arc::from(book);
        let result =
            index::index_events(&mut held.connection, &book, (from, to), rows, lease).await;
        held.give_back(result)
    }

    async fn indexed_positions(
        &self,
        book: &str,
        account: &str,
        range: PositionRange,
    ) -> Result<Vec<u64>, StoreError> {
        index::positions_of_account(&self.readers, book, account, range).await
    }

    async fn indexed_positions_by_external_id(
        &self,
        book: &str,
        external_id: &str,
        range: PositionRange,
    ) -> Result<Vec<u64>, StoreError> {
        index::positions_of_external_id(&self.readers, book, external_id, range).await
    }

    async fn index_rows_after(
        &self,
        book: &str,
        account: &str,
        position: u64,
        limit: u32,
    ) -> Result<Vec<IndexedEvent>, StoreError> {
        index::rows_after(&self.readers, book, account, position, limit).await
    }

    async fn count_operations_since(
        &self,
        book: &str,
        account: &str,
        position: u64,
    ) -> Result<Vec<(String, i64)>, StoreError> {
        index::count_operations_since(&self.readers, book, account, position).await
    }

    async fn lease(&self, name: &str, holder: &str) -> Result<Option<Lease>, StoreError> {
        let mut held = self.writer.take_or_open().await?;
        let result = index::lease(&mut held.connection, name, holder).await;
        held.give_back(result)
    }

    async fn end_leases(&self, holder: &str) -> Result<(), StoreError> {
        let mut held = self.writer.take_or_open().await?;
        let result = index::end_leases(&mut held.connection, holder).await;
        held.give_back(result)
    }

    /// Of the connection that writes: `synchronous` is each connection's own.
    async fn settings(&self) -> Result<Vec<(String, String)>, StoreError> {
        let mut held = self.writer.take_or_open().await?;
        let result = sqlx::query(
            "SELECT sqlite_version(),
                    (SELECT journal_mode FROM pragma_journal_mode),
                    (SELECT CASE synchronous WHEN 0 THEN 'off' WHEN 1 THEN 'normal'
                                             WHEN 2 THEN 'full' ELSE 'extra' END
                     FROM pragma_synchronous),
                    (SELECT CAST(page_size AS TEXT) FROM pragma_page_size)",
        )
        .fetch_one(&mut held.connection)
        .await
        .and_then(|row| {
            ["version", "journal_mode", "synchronous", "page_size"]
                .into_iter()
                .enumerate()
                .map(|(column, name)| Ok((name.to_owned(), row.try_get::<String, _>(column)?)))
                .collect()
        })
        .map_err(store_error);
        held.give_back(result)
    }

    /// The readers first: while one of them looks at the log of writes, it
    /// cannot be emptied.
    async fn close(&self) -> Result<(), StoreError> {
        within(STATEMENT_TIME_MAX, async {
            self.readers.close().await;
            self.writer.close(self.lock.is_some()).await
        })
        .await
    }
}
