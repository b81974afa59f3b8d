//! The `Store` of PostgreSQL: which call goes to which connection.

use std::sync::Arc;

use async_trait::async_trait;
use ledger_core::Timestamp;

use super::error::store_error;
use super::rebuild::PostgresRebuild;
use super::writer::PostgresWriter;
use super::{PostgresStore, accounts, index, load, log};
use crate::store::{
    ExternalId, IndexedEvent, Lease, LogWriter, NewEvent, PositionRange, Rebuild, RequestKey, Seen,
    Store, StoreError, StoredAccount, StoredEvent, StoredExternalId, StoredRequest,
};

#[async_trait]
impl Store for PostgresStore {
    async fn create_book(&self, book: &str) -> Result<(), StoreError> {
        log::create_book(&self.pool, book).await
    }

    async fn books(&self) -> Result<Vec<String>, StoreError> {
        log::books(&self.pool).await
    }

    async fn head(&self, book: &str) -> Result<Option<Seen>, StoreError> {
        load::head(&self.pool, book).await
    }

    async fn writer(&self, book: &str) -> Result<Box<dyn LogWriter>, StoreError> {
        let (options, partitions) = (self.writing.clone(), Arc::clone(&self.partitions));
        let writer = PostgresWriter::connect(options, partitions, book).await?;
        Ok(Box::new(writer))
    }

    async fn read_after(
        &self,
        book: &str,
        position: u64,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        log::read_after(&self.pool, book, position, limit).await
    }

    async fn read_at(&self, book: &str, positions: &[u64]) -> Result<Vec<StoredEvent>, StoreError> {
        log::read_at(&self.pool, book, positions).await
    }

    async fn read_with_references(
        &self,
        book: &str,
        ranges: &[(u64, u32)],
    ) -> Result<Vec<StoredEvent>, StoreError> {
        log::read_with_references(&self.pool, book, ranges).await
    }

    async fn external_id(&self, id: &ExternalId) -> Result<Option<StoredExternalId>, StoreError> {
        log::external_id(&self.pool, id).await
    }

    async fn read_columns_after(
        &self,
        book: &str,
        position: u64,
        limit: u32,
    ) -> Result<Vec<NewEvent>, StoreError> {
        log::read_columns_after(&self.pool, book, position, limit).await
    }

    async fn last_catalog(&self, book: &str) -> Result<Option<StoredEvent>, StoreError> {
        log::last_catalog(&self.pool, book).await
    }

    async fn catalog(&self, book: &str, version: u64) -> Result<Option<StoredEvent>, StoreError> {
        log::catalog(&self.pool, book, version).await
    }

    async fn position_at(&self, book: &str, time: Timestamp) -> Result<u64, StoreError> {
        log::position_at(&self.pool, book, time).await
    }

    async fn accounts_after(
        &self,
        book: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<StoredAccount>, StoreError> {
        accounts::accounts_after(&self.pool, book, after, limit).await
    }

    async fn requests_after(
        &self,
        book: &str,
        after: Option<&RequestKey>,
        limit: u32,
    ) -> Result<Vec<StoredRequest>, StoreError> {
        log::requests_after(&self.pool, book, after, limit).await
    }

    async fn request(
        &self,
        book: &str,
        key: &RequestKey,
    ) -> Result<Option<StoredRequest>, StoreError> {
        log::request(&self.pool, book, key).await
    }

    async fn external_ids_of(&self, book: &str) -> Result<Vec<StoredExternalId>, StoreError> {
        log::external_ids_of(&self.pool, book).await
    }

    async fn due_accounts(
        &self,
        book: &str,
        time: Timestamp,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        accounts::due_accounts(&self.pool, book, time, limit).await
    }

    async fn set_due(
        &self,
        book: &str,
        account: &str,
        version: u64,
        due_at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        accounts::set_due(&self.pool, book, account, version, due_at).await
    }

    async fn rebuild(&self, book: &str) -> Result<Box<dyn Rebuild>, StoreError> {
        let rebuild = PostgresRebuild::begin(&self.writing, book).await?;
        Ok(Box::new(rebuild))
    }

    async fn indexed_position(&self, book: &str) -> Result<u64, StoreError> {
        index::indexed_position(&self.pool, book).await
    }

    async fn index_events(
        &self,
        book: &str,
        from: u64,
        to: u64,
        rows: &[IndexedEvent],
        lease: Lease,
    ) -> Result<bool, StoreError> {
        index::index_events(&self.pool, book, (from, to), rows, lease).await
    }

    async fn indexed_positions(
        &self,
        book: &str,
        account: &str,
        range: PositionRange,
    ) -> Result<Vec<u64>, StoreError> {
        index::positions_of_account(&self.pool, book, account, range).await
    }

    async fn indexed_positions_by_external_id(
        &self,
        book: &str,
        external_id: &str,
        range: PositionRange,
    ) -> Result<Vec<u64>, StoreError> {
        index::positions_of_external_id(&self.pool, book, external_id, range).await
    }

    async fn index_rows_after(
        &self,
        book: &str,
        account: &str,
        position: u64,
        limit: u32,
    ) -> Result<Vec<IndexedEvent>, StoreError> {
        index::rows_after(&self.pool, book, account, position, limit).await
    }

    async fn count_operations_since(
        &self,
        book: &str,
        account: &str,
        position: u64,
    ) -> Result<Vec<(String, i64)>, StoreError> {
        index::count_operations_since(&self.pool, book, account, position).await
    }

    async fn lease(&self, name: &str, holder: &str) -> Result<Option<Lease>, StoreError> {
        index::lease(&self.pool, name, holder).await
    }

    async fn end_leases(&self, holder: &str) -> Result<(), StoreError> {
        index::end_leases(&self.pool, holder).await
    }

    /// Of the pool's connections, which set the same as the writers'.
    async fn settings(&self) -> Result<Vec<(String, String)>, StoreError> {
        sqlx::query_as(
            "SELECT name, setting FROM pg_settings
             WHERE name IN ('server_version', 'fsync', 'full_page_writes', 'synchronous_commit',
                            'synchronous_standby_names', 'wal_sync_method', 'wal_level')
             ORDER BY name",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(store_error)
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.pool.close().await;
        Ok(())
    }
}
