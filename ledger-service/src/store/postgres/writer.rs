//! The writing end of a book's log.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;

use super::connection::open;
use super::error::store_error;
use super::partitions::Partitions;
use super::session::{self, Session};
use super::{append, load, log};
use crate::limits::{APPEND_TIME_MAX, STATEMENT_TIME_MAX};
use crate::store::time_limit::within;
use crate::store::{Append, Appended, Loaded, LogWriter, Seen, StoreError, StoredEvent, Wanted};

/// A writer and its connection.
///
/// Each call takes the connection out and puts it back when the server has said
/// how the call ended. A call that ends otherwise (its time passed, its future
/// was dropped, the connection failed) leaves none: the socket is closed, and
/// `reconnect` makes a new one. The server may still be at work on the old one,
/// or may even have the statement in a buffer yet, where no lock shows it: so
/// the server is told to end that session before anything is read on the new
/// one.
pub(super) struct PostgresWriter {
    options: PgConnectOptions,
    partitions: Arc<Partitions>,
    book: String,
    live: Option<Live>,
    /// The session of the last connection that was used.
    session: Option<Session>,
}

struct Live {
    connection: PgConnection,
    /// Whether it is in a transaction that holds the head's lock.
    locked: bool,
}

impl PostgresWriter {
    /// A writer of a book, connected.
    pub(super) async fn connect(
        options: PgConnectOptions,
        partitions: Arc<Partitions>,
        book: &str,
    ) -> Result<Self, StoreError> {
        let mut writer = Self {
            options,
            partitions,
            book: book.to_owned(),
            live: None,
            session: None,
        };
        writer.reconnect().await?;
        Ok(writer)
    }

    fn take(&mut self) -> Result<Live, StoreError> {
        self.live
            .take()
            .ok_or(StoreError::Lost(sqlx::Error::PoolClosed))
    }

    /// Puts the connection back, unless what came of the call says that it may
    /// not be used again. A transaction in which a statement failed is ended.
    async fn give_back<T>(
        &mut self,
        mut live: Live,
        result: Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match &result {
            Ok(_) => self.live = Some(live),
            Err(error) if error.outcome_unknown() => {}
            Err(_) => {
                within(STATEMENT_TIME_MAX, live.rollback()).await?;
                self.live = Some(live);
            }
        }
        result
    }
}

impl Live {
    async fn lock(&mut self, book: &str) -> Result<Seen, StoreError> {
        if !self.locked {
            run(&mut self.connection, "BEGIN").await?;
            self.locked = true;
        }
        load::lock_head(&mut self.connection, book).await
    }

    async fn rollback(&mut self) -> Result<(), StoreError> {
        if self.locked {
            run(&mut self.connection, "ROLLBACK").await?;
            self.locked = false;
        }
        Ok(())
    }

    async fn commit(&mut self) -> Result<(), StoreError> {
        if self.locked {
            run(&mut self.connection, "COMMIT").await?;
            self.locked = false;
        }
        Ok(())
    }

    async fn append(
        &mut self,
        partitions: &Partitions,
        book: &str,
        append: &Append,
    ) -> Result<Appended, StoreError> {
        let position = append.head.position;
        if !self.locked {
            // In a transaction, its failure would be the append's.
            partitions
                .make_ahead(&mut self.connection, position)
                .await?;
        }
        partitions.ensure(&mut self.connection, position).await?;
        let appended = append::append(&mut self.connection, book, append).await?;
        match appended {
            Appended::Done(_) => self.commit().await?,
            Appended::Lost => self.rollback().await?,
        }
        Ok(appended)
    }
}

async fn run(connection: &mut PgConnection, statement: &'static str) -> Result<(), StoreError> {
    sqlx::query(statement)
        .execute(connection)
        .await
        .map(drop)
        .map_err(store_error)
}

#[async_trait]
impl LogWriter for PostgresWriter {
    async fn load(&mut self, wanted: &Wanted) -> Result<Loaded, StoreError> {
        let mut live = self.take()?;
        let work = load::load(&mut live.connection, &self.book, wanted);
        let result = within(STATEMENT_TIME_MAX, work).await;
        self.give_back(live, result).await
    }

    async fn read_after(
        &mut self,
        position: u64,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let mut live = self.take()?;
        let work = log::read_after(&mut live.connection, &self.book, position, limit);
        let result = within(STATEMENT_TIME_MAX, work).await;
        self.give_back(live, result).await
    }

    async fn read_at(&mut self, positions: &[u64]) -> Result<Vec<StoredEvent>, StoreError> {
        let mut live = self.take()?;
        let work = log::read_at(&mut live.connection, &self.book, positions);
        let result = within(STATEMENT_TIME_MAX, work).await;
        self.give_back(live, result).await
    }

    async fn read_with_references(
        &mut self,
        ranges: &[(u64, u32)],
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let mut live = self.take()?;
        let work = log::read_with_references(&mut live.connection, &self.book, ranges);
        let result = within(STATEMENT_TIME_MAX, work).await;
        self.give_back(live, result).await
    }

    async fn lock(&mut self) -> Result<Seen, StoreError> {
        let mut live = self.take()?;
        let result = within(STATEMENT_TIME_MAX, live.lock(&self.book)).await;
        self.give_back(live, result).await
    }

    async fn unlock(&mut self) -> Result<(), StoreError> {
        let mut live = self.take()?;
        let result = within(STATEMENT_TIME_MAX, live.rollback()).await;
        self.give_back(live, result).await
    }

    async fn append(&mut self, append: &Append) -> Result<Appended, StoreError> {
        let mut live = self.take()?;
        let work = live.append(&self.partitions, &self.book, append);
        let result = within(APPEND_TIME_MAX, work).await;
        self.give_back(live, result).await
    }

    async fn reconnect(&mut self) -> Result<(), StoreError> {
        self.live = None;
        let mut connection = open(&self.options).await?;
        let (left, book) = (self.session, self.book.as_str());
        let work = async {
            if let Some(left) = left {
                session::end(&mut connection, left, book).await?;
            }
            session::of(&mut connection).await
        };
        self.session = Some(within(STATEMENT_TIME_MAX, work).await?);
        self.live = Some(Live {
            connection,
            locked: false,
        });
        Ok(())
    }
}
