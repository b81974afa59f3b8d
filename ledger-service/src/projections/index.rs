//! The index of events by account and by the caller's own ids, and statistics with
//! it: built from the log in the background, by the one instance that holds the
//! lease.
//!
//! Each chunk moves the index's checkpoint by compare-and-swap, in the same
//! transaction as its rows and guarded by the lease, so that two instances that
//! both believe to lead do no harm. It gives way to charges: while requests
//! wait for a book's writer and the lag is bearable, the book is passed over,
//! unless a read waits for the index.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use tokio::{sync::Notify, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::{Counting, ReadError};
use ledger_core::{Event, Name};

use crate::{
    engine::{Engine, EngineError, log},
    limits::{INDEX_EVENTS, INDEX_LAG_EVENTS_MAX, LEASE_RENEWAL_INTERVAL},
    store::{IndexedEvent, Lease, Progress, SharedStore, StoredEvent},
};

/// The name of the lease.
pub const INDEX_LEASE: &str = "index";
/// The shortest pause after a pass that found nothing to do.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// A pass over many idle books is followed by a pause of this many times its
/// own time, so that looking costs a fifth of one connection at the most.
const PAUSE_FACTOR: u32 = 4;
/// How often one who waits looks how far another instance has come.
const WAIT_INTERVAL: Duration = Duration::from_millis(25);
/// The first and the longest gap between tries when something fails.
const GAPS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
/// How many chunks of a book are built before the next book has its turn.
const CHUNKS_IN_A_ROW: usize = 4;
/// How many events are decoded before others get a turn.
const DECODED_IN_A_ROW: usize = 128;

/// The index. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Index {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Engine,
    /// Wakes the task.
    wanted: Notify,
    /// Wakes those who wait, when the task has come further.
    progress: Notify,
    /// How many wait for each book.
    waiting: std::sync::Mutex<HashMap<String, usize>>,
    shutdown: CancellationToken,
    task: tokio::sync::Mutex<Option<JoinHandle<()>>>,
}

impl Index {
    /// Starts building. `holder` is a random id of this process, which tells it
    /// from others that want the lease.
    #[must_use]
    pub fn spawn(engine: Engine, holder: String, shutdown: CancellationToken) -> Self {
        let inner = Arc::new(Inner {
            engine,
            wanted: Notify::new(),
            progress: Notify::new(),
            waiting: std::sync::Mutex::new(HashMap::new()),
            shutdown,
            task: tokio::sync::Mutex::new(None),
        });
        let builder = Builder {
            inner: Arc::clone(&inner),
            holder,
            books: HashMap::new(),
            served: None,
        };
        let task = tokio::spawn(builder.run());
        if let Ok(mut slot) = inner.task.try_lock() {
            *slot = Some(task);
        }
        Self { inner }
    }

    /// Waits until the building has stopped, after its shutdown was asked for.
    pub async fn stopped(&self) {
        if let Some(task) = self.inner.task.lock().await.take()
            && let Err(error) = task.await
        {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the index ended badly"
            );
        }
    }

    /// The store that it reads and writes.
    #[must_use]
    pub fn store(&self) -> &SharedStore {
        self.inner.engine.store()
    }

    /// Waits until the index of a book has come to `position`, and makes it go
    /// on at once.
    ///
    /// # Errors
    /// [`EngineError::NotCaughtUp`] at the deadline; the service stops.
    pub async fn wait_for(
        &self,
        book: &str,
        position: u64,
        deadline: Instant,
    ) -> Result<(), ReadError> {
        let indexed = |progress: Progress| progress.indexed;
        self.wait_until(book, (position, indexed), deadline).await
    }

    /// Waits until statistics of a book have come to `position`, and makes them go
    /// on at once.
    ///
    /// # Errors
    /// [`EngineError::NotCaughtUp`] at the deadline; the service stops.
    pub async fn wait_for_statistics(
        &self,
        book: &str,
        position: u64,
        deadline: Instant,
    ) -> Result<(), ReadError> {
        let counted = |progress: Progress| progress.counted;
        self.wait_until(book, (position, counted), deadline).await
    }

    async fn wait_until(
        &self,
        book: &str,
        (position, of): (u64, fn(Progress) -> u64),
        deadline: Instant,
    ) -> Result<(), ReadError> {
        let _waiting = Waiting::new(&self.inner, book);
        loop {
            let progress = self.inner.progress.notified();
            let reached = of(self.store().progress(book).await?);
            if reached >= position {
                return Ok(());
            }
            if self.inner.shutdown.is_cancelled() {
                return Err(EngineError::ShuttingDown.into());
            }
            if Instant::now() >= deadline {
                let error = EngineError::NotCaughtUp {
                    position: reached,
                    wanted: position,
                };
                return Err(error.into());
            }
            self.inner.wanted.notify_one();
            let until = deadline.min(Instant::now() + WAIT_INTERVAL);
            // Woken or not, the next look tells.
            let _ = tokio::time::timeout_at(until.into(), progress).await;
        }
    }
}

/// Says for as long as it lives that someone waits for a book.
struct Waiting<'a> {
    inner: &'a Inner,
    book: &'a str,
}

impl<'a> Waiting<'a> {
    fn new(inner: &'a Inner, book: &'a str) -> Self {
        let mut waiting = inner.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        *waiting.entry(book.to_owned()).or_default() += 1;
        Self { inner, book }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut waiting = self
            .inner
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = waiting.get_mut(self.book) {
            *count -= 1;
            if *count == 0 {
                waiting.remove(self.book);
            }
        }
    }
}

/// The task that builds.
struct Builder {
    inner: Arc<Inner>,
    holder: String,
    books: HashMap<String, BookProgress>,
    /// The book that had its turn last.
    served: Option<String>,
}

/// What came of a pass, the more there is to do the higher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Pass {
    /// Another instance leads.
    Follows,
    /// There was nothing to do, or charges went first.
    Idle,
    /// What there was is built.
    Built,
    /// There is more to do at once.
    HasMore,
}

/// How far a book has come.
#[derive(Default)]
struct BookProgress {
    /// The checkpoints, as this leader moved them last.
    at: Option<Progress>,
    counting: Counting,
    outage: Outage,
}

impl Builder {
    async fn run(mut self) {
        let mut outage = Outage::default();
        while !self.is_stopping() {
            let began = Instant::now();
            let pass = self.lead().await;
            let pause = match &pass {
                Ok(Pass::HasMore) => Duration::ZERO,
                Ok(Pass::Built) => PAUSE_MIN,
                Ok(Pass::Idle) => PAUSE_MIN.max(began.elapsed() * PAUSE_FACTOR),
                Ok(Pass::Follows) => LEASE_RENEWAL_INTERVAL,
                Err(error) => outage.begin("index", error),
            };
            if pass.is_ok() {
                outage.end("index");
            }
            if pause.is_zero() {
                tokio::task::yield_now().await;
            } else {
                self.pause(pause).await;
            }
        }
    }

    fn is_stopping(&self) -> bool {
        self.inner.shutdown.is_cancelled()
    }

    /// Waits, unless someone wants the index to go on, or to end.
    async fn pause(&self, pause: Duration) {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = self.inner.wanted.notified() => {}
            () = self.inner.shutdown.cancelled() => {}
        }
    }

    /// One pass over the books, if this instance leads.
    async fn lead(&mut self) -> Result<Pass, ReadError> {
        let store = Arc::clone(self.inner.engine.store());
        let Some(lease) = store.lease(INDEX_LEASE, &self.holder).await? else {
            self.books.clear();
            return Ok(Pass::Follows);
        };
        let renewed_at = Instant::now();
        let mut pass = Pass::Idle;
        for book in in_turn(store.books().await?, self.served.as_deref()) {
            if self.is_stopping() || renewed_at.elapsed() >= LEASE_RENEWAL_INTERVAL {
                return Ok(Pass::HasMore);
            }
            let mut progress = self.books.remove(&book).unwrap_or_default();
            if progress.outage.is_over() {
                match self.build(&book, &mut progress, lease, renewed_at).await {
                    Ok(built) => {
                        progress.outage.end(&book);
                        pass = pass.max(built);
                    }
                    Err(error) => {
                        progress.at = None;
                        progress.outage.begin(&book, &error);
                    }
                }
            }
            self.served = Some(book.clone());
            self.books.insert(book, progress);
        }
        Ok(pass)
    }

    /// Builds one book's index, chunk by chunk, until it has caught up, has to
    /// give way, has had its turn, or the lease is due.
    async fn build(
        &self,
        book: &str,
        progress: &mut BookProgress,
        lease: Lease,
        renewed_at: Instant,
    ) -> Result<Pass, ReadError> {
        let store = self.inner.engine.store();
        let mut pass = Pass::Idle;
        for _ in 0..CHUNKS_IN_A_ROW {
            if self.is_stopping() || renewed_at.elapsed() >= LEASE_RENEWAL_INTERVAL {
                break;
            }
            let from = match progress.at {
                Some(at) => at,
                None => store.progress(book).await?,
            };
            progress.at = Some(from);
            let low = from.indexed.min(from.counted);
            if self.gives_way(book, low).await? {
                return Ok(pass);
            }
            let mut stored = store.read_after(book, low, INDEX_EVENTS).await?;
            let has_more = stored.len() == INDEX_EVENTS as usize;
            // What is behind goes on alone until it meets the other.
            let high = from.indexed.max(from.counted);
            if high > low {
                stored.retain(|event| event.position <= high);
            }
            let Some(last) = stored.last().map(|event| event.position) else {
                return Ok(pass);
            };
            let to = Progress {
                indexed: if from.indexed == low {
                    last
                } else {
                    from.indexed
                },
                counted: if from.counted == low {
                    last
                } else {
                    from.counted
                },
            };
            let chunk = Chunk {
                book,
                stored: &stored,
                is_indexed: from.indexed == low,
                is_counted: from.counted == low,
            };
            let rows = chunk.made(store, &mut progress.counting).await?;
            let counted = progress.counting.take();
            let done = store.index_events(book, from, to, &rows, &counted, lease);
            let is_done = done.await?;
            // Whoever moved the checkpoints instead, they are looked up again.
            progress.at = is_done.then_some(to);
            self.inner.progress.notify_waiters();
            pass = Pass::Built;
            if !has_more && high == low {
                return Ok(pass);
            }
        }
        Ok(Pass::HasMore)
    }

    /// Whether charges go first now.
    async fn gives_way(&self, book: &str, indexed: u64) -> Result<bool, ReadError> {
        let engine = &self.inner.engine;
        if !engine.is_busy(book) || self.is_waited_for(book) {
            return Ok(false);
        }
        let seen = engine.store().head(book).await?;
        let head = seen.map_or(0, |seen| seen.head.position);
        Ok(head.saturating_sub(indexed) < INDEX_LAG_EVENTS_MAX)
    }

    fn is_waited_for(&self, book: &str) -> bool {
        let waiting = self
            .inner
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        waiting.contains_key(book)
    }
}

/// The books in the order of their turns: those after the one that was served
/// last go first, so that a pass that ends early leaves none out for good.
fn in_turn(mut books: Vec<String>, served: Option<&str>) -> Vec<String> {
    let next = books
        .iter()
        .position(|book| Some(book.as_str()) > served)
        .unwrap_or_default();
    books.rotate_left(next);
    books
}

/// Events that are taken in together.
struct Chunk<'a> {
    book: &'a str,
    stored: &'a [StoredEvent],
    /// They are to be indexed.
    is_indexed: bool,
    /// They are to be counted.
    is_counted: bool,
}

impl Chunk<'_> {
    /// The index rows of the events; they are counted, too.
    async fn made(
        &self,
        store: &SharedStore,
        counting: &mut Counting,
    ) -> Result<Vec<IndexedEvent>, ReadError> {
        // Of a chunk that was not written, nothing is counted.
        counting.take();
        let mut rows = Vec::with_capacity(self.stored.len());
        for part in self.stored.chunks(DECODED_IN_A_ROW) {
            for event in part {
                let event = log::decode(event).map_err(ReadError::Damaged)?.event;
                if self.is_counted {
                    if !counting.knows(&event) {
                        counting.learn_of(store, self.book, &event).await?;
                    }
                    counting.take_in(&event).map_err(ReadError::Damaged)?;
                }
                if self.is_indexed {
                    rows.push(index_row(event));
                }
            }
            tokio::task::yield_now().await;
        }
        Ok(rows)
    }
}

/// The index row of an event.
#[must_use]
pub fn index_row(event: Event) -> IndexedEvent {
    IndexedEvent {
        position: event.position,
        kind: event.payload.kind() as u8,
        operation: event.payload.operation().map(Name::from),
        operations_delta: event.payload.operations_delta(),
        recorded_at: event.recorded_at,
        // What time alone made is not about the caller's thing.
        external_id: match event.payload.is_of_time() {
            true => None,
            false => event.annotations.external_id,
        },
        account: event.account,
    }
}

/// A time in which something fails: said once when it begins and once when it
/// ends, with growing gaps between the tries.
#[derive(Default)]
struct Outage {
    gap: Duration,
    retry_at: Option<Instant>,
}

impl Outage {
    /// Something failed. Answers how long to wait.
    fn begin(&mut self, what: &str, error: &ReadError) -> Duration {
        let (first, longest) = GAPS;
        if self.retry_at.is_none() {
            self.gap = first;
            let error = error as &dyn std::error::Error;
            tracing::warn!(what, error, "the index of events cannot be built");
        } else {
            self.gap = (self.gap * 2).min(longest);
        }
        self.retry_at = Some(Instant::now() + self.gap);
        self.gap
    }

    /// It went well.
    fn end(&mut self, what: &str) {
        if self.retry_at.take().is_some() {
            tracing::info!(what, "the index of events is being built again");
        }
    }

    fn is_over(&self) -> bool {
        self.retry_at
            .is_none_or(|retry_at| retry_at <= Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::in_turn;

    #[test]
    fn a_pass_that_ends_early_is_gone_on_with_at_the_next_book() {
        let books = || ["a", "b", "c"].map(str::to_owned).to_vec();
        let table = [
            (None, ["a", "b", "c"]),
            (Some("a"), ["b", "c", "a"]),
            (Some("b"), ["c", "a", "b"]),
            (Some("c"), ["a", "b", "c"]),
            // One that is gone.
            (Some("aa"), ["b", "c", "a"]),
        ];
        for (served, expected) in table {
            assert_eq!(in_turn(books(), served), expected, "{served:?}");
        }
        // Whatever one pass has time for, each book has its turn.
        let mut served = None;
        let mut turns = Vec::new();
        for _ in 0..6 {
            let first = in_turn(books(), served.as_deref()).remove(0);
            turns.push(first.clone());
            served = Some(first);
        }
        assert_eq!(turns, ["a", "b", "c", "a", "b", "c"]);
        assert!(in_turn(Vec::new(), Some("a")).is_empty());
    }
}
