//! The store: a book's log, and what is written in one piece with it.
//!
//! Contract, the same on every backend and held by `tests/store_contract.rs`:
//!
//! - A log is a head (position, hash, time) and the events 1 … position. The
//!   only write is [`LogWriter::append`]: it moves the head from where the
//!   writer believes it is and adds events, requests, external ids and states,
//!   all or nothing. If the head was elsewhere, nothing happens.
//! - Whatever is read together with a head ([`LogWriter::load`]) was true at
//!   that head.
//! - Events are never changed; the database itself refuses it.
//! - An acknowledged append survives the death of this process and of the
//!   database server.

mod address;
mod claim;
mod lifecycle;
mod postgres;
mod rebuild;
mod row;
mod sqlite;
mod statistics;
mod time_limit;

use std::sync::Arc;

use async_trait::async_trait;
use ledger_core::{Name, RequestId, Timestamp};
use thiserror::Error;

pub use address::{Address, AddressError};
pub use claim::claims_of;
pub use lifecycle::{Mode, SchemaError, connect};
pub use postgres::PostgresStore;
pub use rebuild::{Derived, Rebuild};
pub use sqlite::SqliteStore;
pub use statistics::{
    AccountDay, Counted, DayCount, Figure, OTHER_KEYS, Statistics, StatisticsQuery, TopAccount,
};

/// A store that every part of the service shares.
pub type SharedStore = Arc<dyn Store>;

/// Where a log stands: its last event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The position of the last event; 0 for an empty log.
    pub position: u64,
    /// Its hash; zeros for an empty log.
    pub hash: Hash,
    /// When it was recorded.
    pub recorded_at: Timestamp,
}

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// A head, and what the database's clock said when it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The head.
    pub head: Head,
    /// The database's clock.
    pub clock: Timestamp,
}

/// An event as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its position.
    pub position: u64,
    /// Its encoded body.
    pub body: Vec<u8>,
    /// Its hash.
    pub hash: Hash,
}

/// An account as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAccount {
    /// Its id.
    pub account: Name,
    /// How many events it had.
    pub version: u64,
    /// The fold that made the state.
    pub fold_version: u32,
    /// The encoded state.
    pub state: Vec<u8>,
    /// Not later than the soonest moment at which a lot or hold of it expires;
    /// absent if none does.
    pub due_at: Option<Timestamp>,
}

/// Which request of which account.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestKey {
    /// The account's id.
    pub account: Name,
    /// The request's id.
    pub request_id: RequestId,
}

/// An applied request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRequest {
    /// Whose.
    pub key: RequestKey,
    /// The position of its first event.
    pub position: u64,
    /// How many events it made; they stand together.
    pub count: u32,
    /// The hash of the canonical request.
    pub hash: Hash,
}

/// An id that a provider gave: unique over all books.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExternalId {
    /// The provider.
    pub provider: Name,
    /// The shop or bot that the id belongs to.
    pub merchant_account: Name,
    /// What it names.
    pub kind: Name,
    /// The id.
    pub id: Name,
}

/// An id of a provider that an event claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredExternalId {
    /// The id.
    pub external_id: ExternalId,
    /// The book of the event.
    pub book: String,
    /// The position of the event.
    pub position: u64,
}

/// What a writer wants to know, all at one head.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// States of these accounts.
    pub accounts: Vec<Name>,
    /// Whether these requests were applied.
    pub requests: Vec<RequestKey>,
    /// Whether these ids were claimed.
    pub external_ids: Vec<ExternalId>,
}

impl Wanted {
    /// Whether nothing is wanted but the head.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.requests.is_empty() && self.external_ids.is_empty()
    }
}

/// What was found. What is missing does not exist at that head.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The head at which all of it is true.
    pub seen: Seen,
    /// The accounts that exist.
    pub accounts: Vec<StoredAccount>,
    /// The requests that were applied.
    pub requests: Vec<StoredRequest>,
    /// The ids that were claimed.
    pub external_ids: Vec<StoredExternalId>,
}

/// One append.
#[derive(Clone, Debug, Default)]
pub struct Append {
    /// Where the writer believes the head to be.
    pub believed: Head,
    /// Where it will be.
    pub head: Head,
    /// The events at the positions after `believed`, in order, at least one.
    pub events: Vec<NewEvent>,
    /// The requests that they answer.
    pub requests: Vec<StoredRequest>,
    /// The ids that they claim, with their positions.
    pub external_ids: Vec<(ExternalId, u64)>,
    /// The states that they leave; accounts are new or replaced.
    pub accounts: Vec<StoredAccount>,
}

/// An event to be appended: the body, and the copies of its fields that
/// queries use.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// Its position.
    pub position: u64,
    /// Its account.
    pub account: Name,
    /// Its place among the account's events.
    pub version: u64,
    /// The number of its kind.
    pub kind: u8,
    /// The event that it refers to.
    pub refers_to: Option<u64>,
    /// When it is recorded.
    pub recorded_at: Timestamp,
    /// Its encoded body.
    pub body: Vec<u8>,
    /// Its hash.
    pub hash: Hash,
}

/// What came of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It is done; the database's clock then.
    Done(Timestamp),
    /// The head was elsewhere; nothing has happened.
    Lost,
}

/// What a store cannot do.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The database refused the data itself (SQLSTATE class 22, 23 or 54, or
    /// SQLite's constraint errors). Nothing was written.
    #[error("the database refused the data")]
    Refused(#[source] sqlx::Error),
    /// The database could not do it now, and did not: a lock or time limit, a
    /// lack of resources. Nothing was written.
    #[error("the database is busy")]
    Busy(#[source] sqlx::Error),
    /// The connection was lost or its time was up. A write may have been done.
    #[error("the connection to the database was lost")]
    Lost(#[source] sqlx::Error),
    /// The time limit passed; the connection was closed. A write may have been
    /// done.
    #[error("the database did not answer in {limit_ms} ms")]
    TimedOut {
        /// The limit.
        limit_ms: u64,
    },
    /// The disk is full or cannot be written. Nothing was written.
    #[error("the database cannot write")]
    CannotWrite(#[source] sqlx::Error),
    /// What is stored is not what this program stores. Nothing may be written.
    #[error("the stored data is damaged: {0}")]
    Damaged(String),
}

impl StoreError {
    /// Whoever did a call went down in the middle of it: nobody knows how far it
    /// came.
    #[must_use]
    pub const fn crashed() -> Self {
        Self::Lost(sqlx::Error::WorkerCrashed)
    }

    /// Whether a write that ended so may have been done.
    #[must_use]
    pub const fn outcome_unknown(&self) -> bool {
        matches!(self, Self::Lost(_) | Self::TimedOut { .. })
    }
}

/// A row of the index of events by account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexedEvent {
    /// The account.
    pub account: Name,
    /// The position.
    pub position: u64,
    /// The number of the event's kind.
    pub kind: u8,
    /// The operation that it is about.
    pub operation: Option<Name>,
    /// By how much it changes the count of operations paid for.
    pub operations_delta: i64,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// The caller's own id of the thing.
    pub external_id: Option<Name>,
}

/// How far a book's projections have come: the position up to which they have all
/// events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The index of events by account.
    pub indexed: u64,
    /// Statistics.
    pub counted: u64,
}

impl Progress {
    /// Both at one position.
    #[must_use]
    pub const fn both(position: u64) -> Self {
        Self {
            indexed: position,
            counted: position,
        }
    }
}

/// A page of an account's positions.
#[derive(Clone, Copy, Debug)]
pub struct PositionRange {
    /// The lowest position.
    pub from: u64,
    /// The highest position.
    pub to: u64,
    /// The highest first.
    pub newest_first: bool,
    /// How many at the most.
    pub limit: u32,
}

/// A lease on background work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Grows with each new holder; no two leases have the same, whatever their
    /// names.
    pub number: u64,
}

/// Everything that may be done outside of a log's writer: reads, background
/// work, and making a log.
#[async_trait]
pub trait Store: Send + Sync {
    /// Makes an empty log for a book, unless there is one.
    async fn create_book(&self, book: &str) -> Result<(), StoreError>;

    /// The books that have logs, ordered.
    async fn books(&self) -> Result<Vec<String>, StoreError>;

    /// The head of a book's log; nothing if there is no such book.
    async fn head(&self, book: &str) -> Result<Option<Seen>, StoreError>;

    /// A writer for a book's log, with a connection of its own.
    async fn writer(&self, book: &str) -> Result<Box<dyn LogWriter>, StoreError>;

    /// Up to `limit` events after a position, in order.
    async fn read_after(
        &self,
        book: &str,
        position: u64,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError>;

    /// The events at these positions, in order of position; what does not
    /// exist is left out.
    async fn read_at(&self, book: &str, positions: &[u64]) -> Result<Vec<StoredEvent>, StoreError>;

    /// The events at each `position … position + count - 1`, and every event
    /// that refers to one of them, in order of position, without doubles.
    async fn read_with_references(
        &self,
        book: &str,
        ranges: &[(u64, u32)],
    ) -> Result<Vec<StoredEvent>, StoreError>;

    /// What an id of a provider stands for; nothing if no event claimed it.
    async fn external_id(&self, id: &ExternalId) -> Result<Option<StoredExternalId>, StoreError>;

    /// The copies of fields beside the events after a position: what `verify`
    /// compares with the bodies.
    async fn read_columns_after(
        &self,
        book: &str,
        position: u64,
        limit: u32,
    ) -> Result<Vec<NewEvent>, StoreError>;

    /// The event that brought the catalog in force into it; nothing if there is
    /// none.
    async fn last_catalog(&self, book: &str) -> Result<Option<StoredEvent>, StoreError>;

    /// The event that brought the catalog of a version into force; nothing if
    /// there is none.
    async fn catalog(&self, book: &str, version: u64) -> Result<Option<StoredEvent>, StoreError>;

    /// The last position recorded at or before a time; 0 if there is none.
    async fn position_at(&self, book: &str, time: Timestamp) -> Result<u64, StoreError>;

    /// The account of a book after `after` in the order of ids, up to `limit`.
    async fn accounts_after(
        &self,
        book: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<StoredAccount>, StoreError>;

    /// The requests of a book after one, ordered by (request id, account), up to
    /// `limit`: what `verify` compares with the events.
    async fn requests_after(
        &self,
        book: &str,
        after: Option<&RequestKey>,
        limit: u32,
    ) -> Result<Vec<StoredRequest>, StoreError>;

    /// Looks one request up.
    async fn request(
        &self,
        book: &str,
        key: &RequestKey,
    ) -> Result<Option<StoredRequest>, StoreError>;

    /// The ids that events of a book claimed, ordered by position.
    async fn external_ids_of(&self, book: &str) -> Result<Vec<StoredExternalId>, StoreError>;

    /// The accounts whose `due_at` is at or before a time, up to `limit`.
    async fn due_accounts(
        &self,
        book: &str,
        time: Timestamp,
        limit: u32,
    ) -> Result<Vec<String>, StoreError>;

    /// The accounts whose `due_at` is at or before a time, after one in the order
    /// of ids, up to `limit`.
    async fn due_accounts_after(
        &self,
        book: &str,
        time: Timestamp,
        after: &str,
        limit: u32,
    ) -> Result<Vec<String>, StoreError>;

    /// Corrects an account's `due_at`, if the account still has this version.
    async fn set_due(
        &self,
        book: &str,
        account: &str,
        version: u64,
        due_at: Option<Timestamp>,
    ) -> Result<(), StoreError>;

    /// Begins to make anew what stands beside a book's events. Nobody else
    /// writes to the database until it ends. What `rebuild` does.
    async fn rebuild(&self, book: &str) -> Result<Box<dyn Rebuild>, StoreError>;

    /// How far the index of events by account has come.
    async fn indexed_position(&self, book: &str) -> Result<u64, StoreError>;

    /// How far the index and statistics have come.
    async fn progress(&self, book: &str) -> Result<Progress, StoreError>;

    /// Adds rows to the index, adds to statistics and moves their checkpoints from
    /// `from` to `to`, in one transaction, if they are at `from` and the lease is
    /// held. Statistics that begin at 0 begin empty. Answers whether it was done.
    async fn index_events(
        &self,
        book: &str,
        from: Progress,
        to: Progress,
        rows: &[IndexedEvent],
        counted: &Counted,
        lease: Lease,
    ) -> Result<bool, StoreError>;

    /// The indexed positions of an account.
    async fn indexed_positions(
        &self,
        book: &str,
        account: &str,
        range: PositionRange,
    ) -> Result<Vec<u64>, StoreError>;

    /// The indexed positions with an id of the caller's own.
    async fn indexed_positions_by_external_id(
        &self,
        book: &str,
        external_id: &str,
        range: PositionRange,
    ) -> Result<Vec<u64>, StoreError>;

    /// All index rows of a book after (account, position), ordered, up to
    /// `limit`: what `verify` compares with the events.
    async fn index_rows_after(
        &self,
        book: &str,
        account: &str,
        position: u64,
        limit: u32,
    ) -> Result<Vec<IndexedEvent>, StoreError>;

    /// How often each operation was paid for by an account since a position
    /// (exclusive), by the index, ordered by operation.
    async fn count_operations_since(
        &self,
        book: &str,
        account: &str,
        position: u64,
    ) -> Result<Vec<(String, i64)>, StoreError>;

    /// Statistics of a book, all of one moment.
    async fn statistics(
        &self,
        book: &str,
        query: &StatisticsQuery,
    ) -> Result<Statistics, StoreError>;

    /// Figures of a book after one, in the order of their keys, up to `limit`: what
    /// `verify` compares with the events.
    async fn day_counts_after(
        &self,
        book: &str,
        after: Option<&DayCount>,
        limit: u32,
    ) -> Result<Vec<DayCount>, StoreError>;

    /// Days of accounts after one, in the order of their keys, up to `limit`: what
    /// `verify` compares with the events.
    async fn account_days_after(
        &self,
        book: &str,
        after: Option<&AccountDay>,
        limit: u32,
    ) -> Result<Vec<AccountDay>, StoreError>;

    /// Takes or renews the lease on background work for `holder`, by the
    /// database's clock; nothing if another holds it.
    async fn lease(&self, name: &str, holder: &str) -> Result<Option<Lease>, StoreError>;

    /// Gives up all leases of `holder`, so that another need not wait for them.
    async fn end_leases(&self, holder: &str) -> Result<(), StoreError>;

    /// The database's version and its settings of durability, read from it:
    /// names and values.
    async fn settings(&self) -> Result<Vec<(String, String)>, StoreError>;

    /// Ends all connections; on SQLite everything is in the one file then.
    /// Nothing may be asked afterwards.
    async fn close(&self) -> Result<(), StoreError>;
}

/// The writing end of one book's log: one connection, one call at a time.
#[async_trait]
pub trait LogWriter: Send {
    /// Reads all that is wanted at one head.
    async fn load(&mut self, wanted: &Wanted) -> Result<Loaded, StoreError>;

    /// Up to `limit` events after a position, in order.
    async fn read_after(
        &mut self,
        position: u64,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError>;

    /// The events at these positions, in order of position; what does not
    /// exist is left out.
    async fn read_at(&mut self, positions: &[u64]) -> Result<Vec<StoredEvent>, StoreError>;

    /// The events at each `position … position + count - 1`, and every event
    /// that refers to one of them, in order of position, without doubles.
    async fn read_with_references(
        &mut self,
        ranges: &[(u64, u32)],
    ) -> Result<Vec<StoredEvent>, StoreError>;

    /// Takes the head's row lock, waiting for an append that is running
    /// anywhere, and holds it until the next [`append`](Self::append) or
    /// [`unlock`](Self::unlock). Where only one process writes, it waits for a
    /// write that is running and reads the head, and there is nobody to keep
    /// out after that.
    async fn lock(&mut self) -> Result<Seen, StoreError>;

    /// Gives the lock back without writing.
    async fn unlock(&mut self) -> Result<(), StoreError>;

    /// Appends, as the contract says; ends the lock if it is held. Past its
    /// time limit the connection is closed, not the statement cancelled.
    async fn append(&mut self, append: &Append) -> Result<Appended, StoreError>;

    /// Drops the connection and makes a new one. What was still running on the
    /// one before has ended, one way or the other, at the latest when
    /// [`lock`](Self::lock) has answered after this: it is in the log then, or
    /// will never be.
    async fn reconnect(&mut self) -> Result<(), StoreError>;
}
