//! A store that fails on demand: faults injected around a real one.
//!
//! Faults are put where the writer calls its end of the log. A lost
//! acknowledgement is a real append whose answer is replaced; an append that is
//! said not to have been done has not been done.

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use ledger_core::Timestamp;
use ledger_service::store::{
    AccountDay, Append, Appended, Counted, DayCount, ExternalId, IndexedEvent, Lease, Loaded,
    LogWriter, NewEvent, PositionRange, Progress, Rebuild, RequestKey, Seen, SharedStore,
    Statistics, StatisticsQuery, Store, StoreError, StoredAccount, StoredEvent, StoredExternalId,
    StoredRequest, Wanted,
};

/// Something to do in the middle of a call.
pub(crate) type Action = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Which of the writer's calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Load,
    ReadAfter,
    ReadWithReferences,
    Lock,
    Append,
    Reconnect,
    ReadAt,
}

/// What a call comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// What the store says.
    Real,
    /// Done, but the answer is lost.
    DoneAndLost,
    /// Done, but the time is up.
    DoneAndTimedOut,
    /// Not done; the connection is lost.
    Lost,
    /// Not done; the database is busy.
    Busy,
    /// Not done; the data is refused.
    Refused,
}

/// A fault of one call.
pub(crate) struct Fault {
    /// Before the call.
    pub(crate) before: Option<Action>,
    pub(crate) outcome: Outcome,
    /// After the call, before its answer is given.
    pub(crate) after: Option<Action>,
}

impl From<Outcome> for Fault {
    fn from(outcome: Outcome) -> Self {
        Self {
            before: None,
            outcome,
            after: None,
        }
    }
}

impl Fault {
    /// Does something first.
    pub(crate) fn before(action: impl Future<Output = ()> + Send + 'static) -> Self {
        Self {
            before: Some(Box::pin(action)),
            ..Self::from(Outcome::Real)
        }
    }

    /// Does something between the call and its answer.
    pub(crate) fn after(action: impl Future<Output = ()> + Send + 'static) -> Self {
        Self {
            after: Some(Box::pin(action)),
            ..Self::from(Outcome::Real)
        }
    }
}

/// A call that is about to be made.
pub(crate) struct Calling<'a> {
    pub(crate) kind: Kind,
    /// What is appended.
    pub(crate) append: Option<&'a Append>,
    /// What is loaded.
    pub(crate) wanted: Option<&'a Wanted>,
}

/// Decides about each call; nothing means no fault.
pub(crate) type Rule = Box<dyn FnMut(&Calling<'_>) -> Option<Fault> + Send>;

/// What goes wrong, shared by a store and its writers.
#[derive(Default)]
pub(crate) struct Faults {
    once: Mutex<VecDeque<(Kind, Fault)>>,
    rule: Mutex<Option<Rule>>,
    is_down: AtomicBool,
    /// How far the database's clock is ahead, in microseconds.
    ahead_us: AtomicI64,
    appends: AtomicU64,
    calls: Mutex<Vec<Kind>>,
    clock: Mutex<Option<Timestamp>>,
}

impl Faults {
    /// The next call of this kind gets this fault.
    pub(crate) fn once(&self, kind: Kind, fault: impl Into<Fault>) {
        self.once.lock().unwrap().push_back((kind, fault.into()));
    }

    /// The same, before those that wait already.
    pub(crate) fn first(&self, kind: Kind, fault: impl Into<Fault>) {
        self.once.lock().unwrap().push_front((kind, fault.into()));
    }

    /// Whether all of the faults of [`once`](Self::once) have happened.
    pub(crate) fn are_spent(&self) -> bool {
        self.once.lock().unwrap().is_empty()
    }

    /// From now on this rule decides.
    pub(crate) fn always(&self, rule: Rule) {
        *self.rule.lock().unwrap() = Some(rule);
    }

    /// The database cannot be reached, or can be again.
    pub(crate) fn set_down(&self, is_down: bool) {
        self.is_down.store(is_down, Ordering::Release);
    }

    /// The database's clock stands still at this time.
    pub(crate) fn stop_clock(&self, at: Timestamp) {
        *self.clock.lock().unwrap() = Some(at);
    }

    /// The database's clock is so far ahead from now on.
    pub(crate) fn set_ahead_us(&self, ahead_us: i64) {
        self.ahead_us.store(ahead_us, Ordering::Release);
    }

    /// What the database's clock says.
    fn clock(&self, says: Timestamp) -> Timestamp {
        let ahead = says.plus_us(self.ahead_us.load(Ordering::Acquire));
        self.clock.lock().unwrap().unwrap_or(ahead)
    }

    fn seen(&self, seen: Seen) -> Seen {
        let clock = self.clock(seen.clock);
        Seen { clock, ..seen }
    }

    /// How many appends were done.
    pub(crate) fn appends(&self) -> u64 {
        self.appends.load(Ordering::Acquire)
    }

    /// How many calls of this kind were made, whatever came of them.
    pub(crate) fn calls(&self, kind: Kind) -> usize {
        let calls = self.calls.lock().unwrap();
        calls.iter().filter(|made| **made == kind).count()
    }

    fn draw(&self, calling: &Calling<'_>) -> Fault {
        self.calls.lock().unwrap().push(calling.kind);
        if self.is_down.load(Ordering::Acquire) {
            return Outcome::Lost.into();
        }
        let mut once = self.once.lock().unwrap();
        if let Some(index) = once.iter().position(|(kind, _)| *kind == calling.kind)
            && let Some((_, fault)) = once.remove(index)
        {
            return fault;
        }
        drop(once);
        let mut rule = self.rule.lock().unwrap();
        rule.as_mut()
            .and_then(|rule| rule(calling))
            .unwrap_or_else(|| Outcome::Real.into())
    }

    async fn around<T: Send>(
        &self,
        calling: Calling<'_>,
        call: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let Fault {
            before,
            outcome,
            after,
        } = self.draw(&calling);
        if let Some(action) = before {
            action.await;
        }
        let is_append = calling.kind == Kind::Append;
        let result = match outcome {
            Outcome::Real | Outcome::DoneAndLost | Outcome::DoneAndTimedOut => {
                let result = call.await;
                if is_append && result.is_ok() {
                    self.appends.fetch_add(1, Ordering::AcqRel);
                }
                match outcome {
                    Outcome::DoneAndLost => Err(StoreError::Lost(injected())),
                    Outcome::DoneAndTimedOut => Err(StoreError::TimedOut { limit_ms: 1 }),
                    _ => result,
                }
            }
            Outcome::Lost => Err(StoreError::Lost(injected())),
            Outcome::Busy => Err(StoreError::Busy(injected())),
            Outcome::Refused => Err(StoreError::Refused(injected())),
        };
        if let Some(action) = after {
            action.await;
        }
        result
    }
}

fn injected() -> sqlx::Error {
    sqlx::Error::Protocol("injected by a test".to_owned())
}

/// A real store with faults around it.
pub(crate) struct FaultyStore {
    inner: SharedStore,
    faults: Arc<Faults>,
}

impl FaultyStore {
    /// The store, and what to make it fail with.
    pub(crate) fn around(inner: SharedStore) -> (SharedStore, Arc<Faults>) {
        let faults = Arc::new(Faults::default());
        let store = Arc::new(Self {
            inner,
            faults: Arc::clone(&faults),
        });
        (store, faults)
    }
}

struct FaultyWriter {
    inner: Box<dyn LogWriter>,
    faults: Arc<Faults>,
}

const fn calling(kind: Kind) -> Calling<'static> {
    Calling {
        kind,
        append: None,
        wanted: None,
    }
}

#[async_trait]
impl LogWriter for FaultyWriter {
    async fn load(&mut self, wanted: &Wanted) -> Result<Loaded, StoreError> {
        let calling = Calling {
            kind: Kind::Load,
            append: None,
            wanted: Some(wanted),
        };
        let mut loaded = self.faults.around(calling, self.inner.load(wanted)).await?;
        loaded.seen = self.faults.seen(loaded.seen);
        Ok(loaded)
    }

    async fn read_after(
        &mut self,
        position: u64,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let call = self.inner.read_after(position, limit);
        self.faults.around(calling(Kind::ReadAfter), call).await
    }

    async fn read_at(&mut self, positions: &[u64]) -> Result<Vec<StoredEvent>, StoreError> {
        let call = self.inner.read_at(positions);
        self.faults.around(calling(Kind::ReadAt), call).await
    }

    async fn read_with_references(
        &mut self,
        ranges: &[(u64, u32)],
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let call = self.inner.read_with_references(ranges);
        self.faults
            .around(calling(Kind::ReadWithReferences), call)
            .await
    }

    async fn lock(&mut self) -> Result<Seen, StoreError> {
        let call = self.inner.lock();
        let seen = self.faults.around(calling(Kind::Lock), call).await?;
        Ok(self.faults.seen(seen))
    }

    async fn unlock(&mut self) -> Result<(), StoreError> {
        self.inner.unlock().await
    }

    async fn append(&mut self, append: &Append) -> Result<Appended, StoreError> {
        let calling = Calling {
            kind: Kind::Append,
            append: Some(append),
            wanted: None,
        };
        let appended = self
            .faults
            .around(calling, self.inner.append(append))
            .await?;
        Ok(match appended {
            Appended::Done(at) => Appended::Done(self.faults.clock(at)),
            Appended::Lost => Appended::Lost,
        })
    }

    async fn reconnect(&mut self) -> Result<(), StoreError> {
        self.faults
            .around(calling(Kind::Reconnect), self.inner.reconnect())
            .await
    }
}

#[async_trait]
impl Store for FaultyStore {
    async fn create_book(&self, book: &str) -> Result<(), StoreError> {
        self.inner.create_book(book).await
    }

    async fn books(&self) -> Result<Vec<String>, StoreError> {
        self.inner.books().await
    }

    async fn head(&self, book: &str) -> Result<Option<Seen>, StoreError> {
        let seen = self.inner.head(book).await?;
        Ok(seen.map(|seen| self.faults.seen(seen)))
    }

    async fn writer(&self, book: &str) -> Result<Box<dyn LogWriter>, StoreError> {
        let inner = self.inner.writer(book).await?;
        Ok(Box::new(FaultyWriter {
            inner,
            faults: Arc::clone(&self.faults),
        }))
    }

    async fn read_after(
        &self,
        book: &str,
        position: u64,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        self.inner.read_after(book, position, limit).await
    }

    async fn read_at(&self, book: &str, positions: &[u64]) -> Result<Vec<StoredEvent>, StoreError> {
        self.inner.read_at(book, positions).await
    }

    async fn read_with_references(
        &self,
        book: &str,
        ranges: &[(u64, u32)],
    ) -> Result<Vec<StoredEvent>, StoreError> {
        self.inner.read_with_references(book, ranges).await
    }

    async fn external_id(&self, id: &ExternalId) -> Result<Option<StoredExternalId>, StoreError> {
        self.inner.external_id(id).await
    }

    async fn read_columns_after(
        &self,
        book: &str,
        position: u64,
        limit: u32,
    ) -> Result<Vec<NewEvent>, StoreError> {
        self.inner.read_columns_after(book, position, limit).await
    }

    async fn last_catalog(&self, book: &str) -> Result<Option<StoredEvent>, StoreError> {
        self.inner.last_catalog(book).await
    }

    async fn catalog(&self, book: &str, version: u64) -> Result<Option<StoredEvent>, StoreError> {
        self.inner.catalog(book, version).await
    }

    async fn position_at(&self, book: &str, time: Timestamp) -> Result<u64, StoreError> {
        self.inner.position_at(book, time).await
    }

    async fn accounts_after(
        &self,
        book: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<StoredAccount>, StoreError> {
        self.inner.accounts_after(book, after, limit).await
    }

    async fn requests_after(
        &self,
        book: &str,
        after: Option<&RequestKey>,
        limit: u32,
    ) -> Result<Vec<StoredRequest>, StoreError> {
        self.inner.requests_after(book, after, limit).await
    }

    async fn request(
        &self,
        book: &str,
        key: &RequestKey,
    ) -> Result<Option<StoredRequest>, StoreError> {
        self.inner.request(book, key).await
    }

    async fn external_ids_of(&self, book: &str) -> Result<Vec<StoredExternalId>, StoreError> {
        self.inner.external_ids_of(book).await
    }

    async fn due_accounts(
        &self,
        book: &str,
        time: Timestamp,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        self.inner.due_accounts(book, time, limit).await
    }

    async fn due_accounts_after(
        &self,
        book: &str,
        time: Timestamp,
        after: &str,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        self.inner
            .due_accounts_after(book, time, after, limit)
            .await
    }

    async fn set_due(
        &self,
        book: &str,
        account: &str,
        version: u64,
        due_at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        self.inner.set_due(book, account, version, due_at).await
    }

    async fn rebuild(&self, book: &str) -> Result<Box<dyn Rebuild>, StoreError> {
        self.inner.rebuild(book).await
    }

    async fn indexed_position(&self, book: &str) -> Result<u64, StoreError> {
        self.inner.indexed_position(book).await
    }

    async fn progress(&self, book: &str) -> Result<Progress, StoreError> {
        self.inner.progress(book).await
    }

    async fn index_events(
        &self,
        book: &str,
        from: Progress,
        to: Progress,
        rows: &[IndexedEvent],
        counted: &Counted,
        lease: Lease,
    ) -> Result<bool, StoreError> {
        self.inner
            .index_events(book, from, to, rows, counted, lease)
            .await
    }

    async fn indexed_positions(
        &self,
        book: &str,
        account: &str,
        range: PositionRange,
    ) -> Result<Vec<u64>, StoreError> {
        self.inner.indexed_positions(book, account, range).await
    }

    async fn indexed_positions_by_external_id(
        &self,
        book: &str,
        external_id: &str,
        range: PositionRange,
    ) -> Result<Vec<u64>, StoreError> {
        self.inner
            .indexed_positions_by_external_id(book, external_id, range)
            .await
    }

    async fn index_rows_after(
        &self,
        book: &str,
        account: &str,
        position: u64,
        limit: u32,
    ) -> Result<Vec<IndexedEvent>, StoreError> {
        self.inner
            .index_rows_after(book, account, position, limit)
            .await
    }

    async fn count_operations_since(
        &self,
        book: &str,
        account: &str,
        position: u64,
    ) -> Result<Vec<(String, i64)>, StoreError> {
        self.inner
            .count_operations_since(book, account, position)
            .await
    }

    async fn statistics(
        &self,
        book: &str,
        query: &StatisticsQuery,
    ) -> Result<Statistics, StoreError> {
        self.inner.statistics(book, query).await
    }

    async fn day_counts_after(
        &self,
        book: &str,
        after: Option<&DayCount>,
        limit: u32,
    ) -> Result<Vec<DayCount>, StoreError> {
        self.inner.day_counts_after(book, after, limit).await
    }

    async fn account_days_after(
        &self,
        book: &str,
        after: Option<&AccountDay>,
        limit: u32,
    ) -> Result<Vec<AccountDay>, StoreError> {
        self.inner.account_days_after(book, after, limit).await
    }

    async fn lease(&self, name: &str, holder: &str) -> Result<Option<Lease>, StoreError> {
        self.inner.lease(name, holder).await
    }

    async fn end_leases(&self, holder: &str) -> Result<(), StoreError> {
        self.inner.end_leases(holder).await
    }

    async fn settings(&self) -> Result<Vec<(String, String)>, StoreError> {
        self.inner.settings().await
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.inner.close().await
    }
}
