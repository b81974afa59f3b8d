//! The writing end of a book's log.

use std::sync::Arc;

use async_trait::async_trait;

use super::connection::Shared;
use super::transaction::{End, begin, end};
use super::{append, load, log};
use crate::limits::{APPEND_TIME_MAX, STATEMENT_TIME_MAX};
use crate::store::time_limit::within;
use crate::store::{Append, Appended, Loaded, LogWriter, Seen, StoreError, StoredEvent, Wanted};

/// All writers use the one connection that writes, a call at a time.
pub(super) struct SqliteWriter {
    shared: Arc<Shared>,
    book: Arc<str>,
}

impl SqliteWriter {
    /// A writer of a book.
    pub(super) const fn new(shared: Arc<Shared>, book: Arc<str>) -> Self {
        Self { shared, book }
    }
}

#[async_trait]
impl LogWriter for SqliteWriter {
    async fn load(&mut self, wanted: &Wanted) -> Result<Loaded, StoreError> {
        let mut held = self.shared.take().await?;
        let work = load::load(&mut held.connection, &self.book, wanted);
        let result = within(STATEMENT_TIME_MAX, work).await;
        held.give_back(result)
    }

    async fn read_after(
        &mut self,
        position: u64,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let mut held = self.shared.take().await?;
        let work = log::read_after(&mut held.connection, &self.book, position, limit);
        let result = within(STATEMENT_TIME_MAX, work).await;
        held.give_back(result)
    }

    async fn read_at(&mut self, positions: &[u64]) -> Result<Vec<StoredEvent>, StoreError> {
        let mut held = self.shared.take().await?;
        let work = log::read_at(&mut held.connection, &self.book, positions);
        let result = within(STATEMENT_TIME_MAX, work).await;
        held.give_back(result)
    }

    async fn read_with_references(
        &mut self,
        ranges: &[(u64, u32)],
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let mut held = self.shared.take().await?;
        let work = log::read_with_references(&mut held.connection, &self.book, ranges);
        let result = within(STATEMENT_TIME_MAX, work).await;
        held.give_back(result)
    }

    /// Only this process writes, and within it only this writer to this book:
    /// there is nobody to keep out, and the append compares the head all the
    /// same. But an append of this writer may still be committing on a
    /// connection that was given up: it has had the file's write lock since it
    /// began, and whoever gets that lock after it sees what came of it.
    async fn lock(&mut self) -> Result<Seen, StoreError> {
        let mut held = self.shared.take().await?;
        let work = async {
            begin(&mut held.connection).await?;
            let seen = load::head_of_log(&mut held.connection, &self.book).await;
            end(&mut held.connection, seen.map(End::Rollback)).await
        };
        let result = within(STATEMENT_TIME_MAX, work).await;
        held.give_back(result)
    }

    async fn unlock(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn append(&mut self, append: &Append) -> Result<Appended, StoreError> {
        let mut held = self.shared.take().await?;
        let work = append::append(&mut held.connection, &self.book, append);
        let result = within(APPEND_TIME_MAX, work).await;
        held.give_back(result)
    }

    /// A connection that still lives is not this writer's to close: it is
    /// between calls, and other books use it.
    async fn reconnect(&mut self) -> Result<(), StoreError> {
        let held = self.shared.take_or_open().await?;
        held.give_back(Ok(()))
    }
}
