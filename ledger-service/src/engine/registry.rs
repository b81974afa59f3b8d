//! The engine as callers see it: the books in use, each with its writer.

use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use hashbrown::HashMap;
use ledger_core::{Name, Timestamp};
use tokio::{
    runtime::Handle,
    sync::{Mutex, mpsc, oneshot, watch},
    task::JoinHandle,
};

use super::{
    Call, Clock, EngineError, Snapshot,
    clock::{ClockWatch, LogTime},
    job::{CallResult, Job, PendingCall, PendingRead, Prepared},
    writer::{Shared, Writer},
};
use crate::{
    limits::{
        ANSWERED_REQUESTS_MAX, BATCH_COMMANDS_MAX, BOOKS_MAX, CACHED_ACCOUNTS_MAX, CATCH_UP_EVENTS,
        QUEUE_JOBS_MAX,
    },
    store::SharedStore,
};

/// How much an engine's writers hold at a time, each.
#[derive(Clone, Copy, Debug)]
pub struct EngineLimits {
    /// How many jobs may wait.
    pub queue_jobs_max: usize,
    /// How many commands a batch takes before it takes no more jobs.
    pub batch_commands_max: usize,
    /// How many states are kept.
    pub cached_accounts_max: usize,
    /// How many answered requests are remembered.
    pub answered_requests_max: usize,
    /// How many events are read in one go when catching up with the log.
    pub catch_up_events: u32,
}

impl Default for EngineLimits {
    fn default() -> Self {
        Self {
            queue_jobs_max: QUEUE_JOBS_MAX,
            batch_commands_max: BATCH_COMMANDS_MAX,
            cached_accounts_max: CACHED_ACCOUNTS_MAX,
            answered_requests_max: ANSWERED_REQUESTS_MAX,
            catch_up_events: CATCH_UP_EVENTS,
        }
    }
}

/// The engine. Cheap to clone; all clones are one engine.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    store: SharedStore,
    /// Where writers run.
    writers: Handle,
    clock: Clock,
    clock_watch: Arc<ClockWatch>,
    limits: EngineLimits,
    books: RwLock<HashMap<String, Book>>,
    /// Held while a book is opened, so that it gets one writer.
    opening: Mutex<()>,
    is_closed: AtomicBool,
}

/// A book in use.
#[derive(Clone)]
struct Book {
    queue: mpsc::Sender<Job>,
    head: watch::Receiver<u64>,
    shared: Arc<Shared>,
    task: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Engine {
    /// An engine on a store. Writers are made when their books are first used.
    #[must_use]
    pub fn new(store: SharedStore, clock: Clock) -> Self {
        Self::with_limits(store, clock, EngineLimits::default())
    }

    /// An engine with bounds of its own.
    #[must_use]
    pub fn with_limits(store: SharedStore, clock: Clock, limits: EngineLimits) -> Self {
        Self::with_writers(store, clock, limits, Handle::current())
    }

    /// An engine whose writers run on a runtime of their own: a writer is what
    /// every request of its book waits for, and must not stand in one queue with
    /// thousands of answers that are being sent.
    #[must_use]
    pub fn with_writers(
        store: SharedStore,
        clock: Clock,
        limits: EngineLimits,
        writers: Handle,
    ) -> Self {
        let inner = Inner {
            store,
            writers,
            clock,
            clock_watch: Arc::new(ClockWatch::new(clock)),
            limits,
            books: RwLock::new(HashMap::new()),
            opening: Mutex::new(()),
            is_closed: AtomicBool::new(false),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The store below.
    #[must_use]
    pub fn store(&self) -> &SharedStore {
        &self.inner.store
    }

    /// What the instance's clock says.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// Whether the instance's clock goes on as it should: it was not set lately.
    /// Who asks again and again notices early that it was.
    #[must_use]
    pub fn is_clock_steady(&self) -> bool {
        self.inner.clock_watch.check(self.inner.clock).is_ok()
    }

    /// Carries a call out. One result a request, in order.
    ///
    /// # Errors
    /// See [`EngineError`]. A call fails as a whole if all of its requests fail
    /// for the same reason; else each has its answer or its error. After `Unavailable` and `DeadlineExceeded` the
    /// caller does not know more than before: the same call, with the same
    /// ids, finds out.
    pub async fn call(&self, book: &str, call: Call) -> CallResult {
        let book = self.book(book).await?;
        let items = call.requests.into_iter().map(Prepared::new).collect();
        let (reply, answer) = oneshot::channel();
        let pending = PendingCall {
            items,
            options: call.options,
            reply,
        };
        send(&book, Job::Call(pending))?;
        answer.await.map_err(|_closed| EngineError::Unavailable)?
    }

    /// Looks at accounts. The snapshot holds every write that any instance
    /// acknowledged before the question.
    ///
    /// # Errors
    /// See [`EngineError`].
    pub async fn read(
        &self,
        book: &str,
        accounts: Vec<Name>,
        deadline: Option<Instant>,
    ) -> Result<Snapshot, EngineError> {
        let book = self.book(book).await?;
        let (reply, answer) = oneshot::channel();
        send(
            &book,
            Job::Read(PendingRead {
                accounts,
                deadline,
                reply,
            }),
        )?;
        answer.await.map_err(|_closed| EngineError::Unavailable)?
    }

    /// The position of a book's head, as this instance knows it.
    ///
    /// # Errors
    /// There is no such book, or it cannot be reached.
    pub async fn watch_head(&self, book: &str) -> Result<watch::Receiver<u64>, EngineError> {
        Ok(self.book(book).await?.head)
    }

    /// Whether requests wait for a book's writer.
    #[must_use]
    pub fn is_busy(&self, book: &str) -> bool {
        self.known(book).is_some_and(|book| {
            book.shared.has_ahead.load(Ordering::Acquire)
                || book.queue.capacity() < book.queue.max_capacity()
        })
    }

    /// The books that have writers in this process.
    #[must_use]
    pub fn books_in_use(&self) -> Vec<String> {
        let books = self
            .inner
            .books
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        books.keys().cloned().collect()
    }

    /// How many jobs wait, over all books.
    #[must_use]
    pub fn queued_jobs(&self) -> usize {
        self.all()
            .iter()
            .map(|book| book.queue.max_capacity() - book.queue.capacity())
            .sum()
    }

    /// Whether every book in use can be written: its database answered the last
    /// time, and none is stopped.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.trouble().is_none()
    }

    /// Why a book in use cannot be written; nothing if all can.
    #[must_use]
    pub fn trouble(&self) -> Option<EngineError> {
        let books = self.all();
        let is_any = |has: fn(&Book) -> bool| books.iter().any(has);
        if is_any(|book| book.shared.is_stopped.load(Ordering::Acquire)) {
            return Some(EngineError::Stopped);
        }
        let is_cut_off = is_any(|book| !book.shared.is_connected.load(Ordering::Acquire));
        is_cut_off.then_some(EngineError::Unavailable)
    }

    /// Takes no more calls, and waits until those in the queues are answered.
    pub async fn shut_down(&self) {
        self.inner.is_closed.store(true, Ordering::Release);
        let tasks: Vec<_> = {
            let mut books = self
                .inner
                .books
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            books.drain().map(|(_, book)| book.task).collect()
        };
        for task in tasks {
            if let Some(task) = task.lock().await.take()
                && let Err(error) = task.await
            {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "a writer ended badly"
                );
            }
        }
    }

    fn all(&self) -> Vec<Book> {
        let books = self
            .inner
            .books
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        books.values().cloned().collect()
    }

    fn known(&self, name: &str) -> Option<Book> {
        let books = self
            .inner
            .books
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        books
            .get(name)
            .filter(|book| !book.queue.is_closed())
            .cloned()
    }

    async fn book(&self, name: &str) -> Result<Book, EngineError> {
        if self.inner.is_closed.load(Ordering::Acquire) {
            return Err(EngineError::ShuttingDown);
        }
        if let Some(book) = self.known(name) {
            return Ok(book);
        }
        let _opening = self.inner.opening.lock().await;
        if let Some(book) = self.known(name) {
            return Ok(book);
        }
        if self.all().len() >= BOOKS_MAX {
            return Err(EngineError::TooManyBooks);
        }
        let book = self.open_book(name).await?;
        let mut books = self
            .inner
            .books
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        books.insert(name.to_owned(), book.clone());
        Ok(book)
    }

    async fn open_book(&self, name: &str) -> Result<Book, EngineError> {
        let head = self.inner.store.head(name).await.map_err(|error| {
            tracing::warn!(
                book = name,
                error = &error as &dyn std::error::Error,
                "the book cannot be read"
            );
            EngineError::Unavailable
        })?;
        if head.is_none() {
            return Err(EngineError::UnknownBook(name.to_owned()));
        }
        let shared = Arc::new(Shared {
            is_connected: AtomicBool::new(true),
            is_stopped: AtomicBool::new(false),
            has_ahead: AtomicBool::new(false),
        });
        let (head_sender, head) = watch::channel(0);
        let (queue, jobs) = mpsc::channel(self.inner.limits.queue_jobs_max);
        let opening = Writer::open(
            name.into(),
            Arc::clone(&self.inner.store),
            LogTime::new(self.inner.clock, Arc::clone(&self.inner.clock_watch)),
            self.inner.limits,
            Arc::clone(&shared),
            jobs,
            head_sender,
        );
        // Opened where it will run: its connection is driven there, too.
        let writer = self.inner.writers.spawn(opening).await;
        let writer = writer.map_err(|_ended| EngineError::ShuttingDown)??;
        let task = self.inner.writers.spawn(writer.run());
        Ok(Book {
            queue,
            head,
            shared,
            task: Arc::new(Mutex::new(Some(task))),
        })
    }
}

fn send(book: &Book, job: Job) -> Result<(), EngineError> {
    book.queue.try_send(job).map_err(|error| match error {
        mpsc::error::TrySendError::Full(_) => EngineError::QueueFull,
        mpsc::error::TrySendError::Closed(_) => EngineError::Unavailable,
    })
}
