//! Making anew what stands beside the events of a book.

use async_trait::async_trait;
use ledger_core::Name;

use super::{Counted, ExternalId, Head, IndexedEvent, StoreError, StoredAccount, StoredRequest};

/// Rows that events make.
#[derive(Clone, Debug, Default)]
pub struct Derived {
    /// The requests that they answer.
    pub requests: Vec<StoredRequest>,
    /// The ids that they claim, with their positions.
    pub external_ids: Vec<(ExternalId, u64)>,
    /// States; each replaces the one of its account that was put in before.
    pub accounts: Vec<StoredAccount>,
    /// Their rows in the index.
    pub index: Vec<IndexedEvent>,
    /// What they add to statistics.
    pub counted: Counted,
}

/// One transaction over the tables beside a book's events. They are empty when
/// it begins; nobody else sees that before its commit, and nobody can write to
/// the log meanwhile. Dropped, it leaves everything as it was. Events are not
/// touched.
#[async_trait]
pub trait Rebuild: Send {
    /// The head of the log, which stays where it is.
    fn head(&self) -> Head;

    /// The states of these accounts, of those that were put in so far.
    async fn accounts(&mut self, ids: &[Name]) -> Result<Vec<StoredAccount>, StoreError>;

    /// Adds rows.
    async fn put(&mut self, rows: &Derived) -> Result<(), StoreError>;

    /// Ends it well: what was put in is there, and the index is at the head.
    async fn commit(self: Box<Self>) -> Result<(), StoreError>;
}
