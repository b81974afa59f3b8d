//! The writer of one book: takes what waits, has it decided and appended, and
//! answers.

use std::{
    collections::VecDeque,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{
    sync::{Mutex, MutexGuard, mpsc, watch},
    task::JoinHandle,
};

use super::{
    Answer, CallResult, CatalogInForce, EngineError, EngineLimits, ItemError,
    ahead::{Ahead, UnderWay},
    cache::{AccountCache, Answered},
    clock::LogTime,
    job::{Job, PendingCall, PendingRead, has_passed},
};
use crate::store::{Head, LogWriter, SharedStore, StoreError, StoredRequest};

/// What a writer shares with those who ask about it.
pub(super) struct Shared {
    /// The database answered the last time.
    pub(super) is_connected: AtomicBool,
    /// An invariant is broken: nothing is written any more.
    pub(super) is_stopped: AtomicBool,
    /// Jobs were taken out of the queue ahead of their batch.
    pub(super) has_ahead: AtomicBool,
}

/// The writer of one book.
pub(super) struct Writer {
    pub(super) book: Arc<str>,
    pub(super) store: SharedStore,
    /// Its end of the log, which an append that runs meanwhile may have.
    pub(super) log: Arc<Mutex<Box<dyn LogWriter>>>,
    /// What was asked and not yet taken.
    pub(super) jobs: mpsc::Receiver<Job>,
    /// What was taken and belongs to a later batch.
    pub(super) waiting: VecDeque<Job>,
    /// The next batch, if it was decided ahead.
    pub(super) ahead: Option<Work>,
    /// How much was under way lately.
    pub(super) under_way: UnderWay,
    /// The task that answers the batch before.
    pub(super) answering: Option<JoinHandle<()>>,
    pub(super) time: LogTime,
    pub(super) head: Head,
    pub(super) catalog: Arc<CatalogInForce>,
    pub(super) cache: AccountCache,
    pub(super) answered: Answered,
    /// The request that the last followed event belongs to: more of it may be
    /// in what is read next.
    pub(super) followed: Option<StoredRequest>,
    /// Counts the logs that this one has turned out to be: what was found out
    /// about another is not true of it.
    pub(super) log_number: u64,
    /// The connection was lost: nothing may be decided before the log was
    /// looked at behind the head's lock.
    pub(super) is_uncertain: bool,
    /// For so many batches more the head's lock is taken first.
    pub(super) locked_batches: u32,
    pub(super) shared: Arc<Shared>,
    pub(super) head_sender: watch::Sender<u64>,
    pub(super) limits: EngineLimits,
}

/// Why a round did not end with answers.
pub(super) enum Failure {
    /// The head was elsewhere, or something was found out: decide again.
    Again,
    /// The head was lost to another writer.
    Lost,
    /// The database refuses the data of some request.
    Refused(StoreError),
    /// The database could not do it now.
    Busy(StoreError),
    /// What came of the append is not known.
    Unknown(StoreError),
    /// Nothing can be decided now, for a reason that is not the store's.
    Undecidable(EngineError),
    /// An invariant is broken.
    Broken(String),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Refused(_) => Self::Refused(error),
            StoreError::Busy(_) | StoreError::CannotWrite(_) => Self::Busy(error),
            StoreError::Lost(_) | StoreError::TimedOut { .. } => Self::Unknown(error),
            StoreError::Damaged(what) => Self::Broken(what),
        }
    }
}

/// The result of one request; nothing while it has none.
pub(super) type Slot = Option<Result<Answer, ItemError>>;

/// A call in work.
pub(super) struct ActiveCall {
    pub(super) pending: PendingCall,
    pub(super) results: Vec<Slot>,
    /// The call as a whole fails: it is atomic, or a dry run of several.
    pub(super) error: Option<EngineError>,
}

impl ActiveCall {
    fn new(pending: PendingCall) -> Self {
        let results = pending.items.iter().map(|_| None).collect();
        Self {
            pending,
            results,
            error: None,
        }
    }

    /// Ends a unit of the call with an error.
    pub(super) fn fail(&mut self, unit: &Unit, error: &EngineError) {
        let Some(item) = unit.item else {
            self.error = Some(error.clone());
            return;
        };
        if let Some(slot) = self.results.get_mut(item) {
            *slot = Some(Err(ItemError::Failed(error.clone())));
        }
    }

    fn reply(self) {
        let result = match self.error {
            Some(error) => Err(error),
            None => as_a_whole(self.results),
        };
        // A caller who is gone does not need the answer.
        drop(self.pending.reply.send(result));
    }
}

/// The results of a call, or the one error that all of its requests have.
fn as_a_whole(slots: Vec<Slot>) -> CallResult {
    let results: Vec<_> = slots
        .into_iter()
        .map(|slot| slot.unwrap_or(Err(ItemError::Failed(EngineError::Unavailable))))
        .collect();
    let Some(Err(ItemError::Failed(first))) = results.first() else {
        return Ok(results);
    };
    let is_the_same = |result: &Result<Answer, ItemError>| {
        matches!(result, Err(ItemError::Failed(error))
            if std::mem::discriminant(error) == std::mem::discriminant(first))
    };
    if results.iter().all(is_the_same) {
        return Err(first.clone());
    }
    Ok(results)
}

/// What is decided and answered together: one request, or a call that is atomic
/// or a dry run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    pub(super) call: usize,
    /// The item; all of them in such a call.
    pub(super) item: Option<usize>,
}

impl Writer {
    /// Makes a writer that knows nothing yet.
    pub(super) async fn open(
        book: Arc<str>,
        store: SharedStore,
        time: LogTime,
        limits: EngineLimits,
        shared: Arc<Shared>,
        jobs: mpsc::Receiver<Job>,
        head_sender: watch::Sender<u64>,
    ) -> Result<Self, EngineError> {
        let log = store.writer(&book).await.map_err(|error| {
            tracing::warn!(book = %book, error = &error as &dyn std::error::Error, "no connection for the writer");
            EngineError::Unavailable
        })?;
        let catalog = Arc::new(CatalogInForce::none(&book));
        Ok(Self {
            book,
            store,
            log: Arc::new(Mutex::new(log)),
            jobs,
            waiting: VecDeque::new(),
            ahead: None,
            under_way: UnderWay::default(),
            answering: None,
            time,
            head: Head::default(),
            catalog,
            cache: AccountCache::new(limits.cached_accounts_max),
            answered: Answered::new(limits.answered_requests_max),
            followed: None,
            log_number: 0,
            is_uncertain: true,
            locked_batches: 0,
            shared,
            head_sender,
            limits,
        })
    }

    /// Its end of the log.
    pub(super) async fn log(&self) -> MutexGuard<'_, Box<dyn LogWriter>> {
        self.log.lock().await
    }

    /// Serves jobs until no one can send any more.
    pub(super) async fn run(mut self) {
        while let Some(work) = self.next_work().await {
            self.serve(work).await;
        }
        self.all_answered().await;
    }

    /// What was decided ahead, or what waits, as far as a batch takes it.
    async fn next_work(&mut self) -> Option<Work> {
        if let Some(ahead) = self.ahead.take() {
            return Some(ahead);
        }
        self.shared.has_ahead.store(false, Ordering::Release);
        let mut next = match self.waiting.pop_front() {
            Some(job) => job,
            None => self.jobs.recv().await?,
        };
        let (mut work, mut commands) = (Work::default(), 0);
        let commands_max = self.commands_max();
        loop {
            commands += job_commands(&next);
            let _units = work.add(next);
            if commands >= commands_max {
                return Some(work);
            }
            next = match self.waiting.pop_front() {
                Some(job) => job,
                None => match self.jobs.try_recv() {
                    Ok(job) => job,
                    Err(_) => return Some(work),
                },
            };
        }
    }

    async fn serve(&mut self, work: Work) {
        let Work {
            mut calls,
            units,
            mut reads,
            ahead,
        } = work;
        if self.shared.is_stopped.load(Ordering::Acquire) {
            fail_all(&mut calls, &units, &EngineError::Stopped);
            fail_reads(&mut reads, &EngineError::Stopped);
            reply_all(calls);
        } else {
            self.settle(calls, units, reads, ahead).await;
        }
        let position = self.head.position;
        self.head_sender
            .send_if_modified(|known| std::mem::replace(known, position) != position);
    }

    /// Marks the book as one whose writes have stopped, and says why.
    pub(super) fn stop(&self, what: &str) {
        self.shared.is_stopped.store(true, Ordering::Release);
        tracing::error!(
            book = %self.book,
            what,
            "an invariant is broken: the book takes no writes; run `ledger-service verify`"
        );
    }
}

/// Sends every call its results.
pub(super) fn reply_all(calls: Vec<ActiveCall>) {
    for call in calls {
        call.reply();
    }
}

/// How much of a batch a job takes.
pub(super) fn job_commands(job: &Job) -> usize {
    match job {
        Job::Call(call) => call.items.len(),
        // Each account may have to be loaded.
        Job::Read(read) => read.accounts.len().max(1),
    }
}

/// What is served together.
#[derive(Default)]
pub(super) struct Work {
    pub(super) calls: Vec<ActiveCall>,
    pub(super) units: Vec<Unit>,
    pub(super) reads: Vec<PendingRead>,
    /// How it was decided ahead, if it was.
    pub(super) ahead: Option<Box<Ahead>>,
}

impl Work {
    /// Takes a job in; answers its units.
    pub(super) fn add(&mut self, job: Job) -> Range<usize> {
        let first = self.units.len();
        match job {
            Job::Call(call) => {
                let call = ActiveCall::new(call);
                self.units.extend(units_of(self.calls.len(), &call.pending));
                self.calls.push(call);
            }
            Job::Read(read) => self.reads.push(read),
        }
        first..self.units.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty() && self.reads.is_empty()
    }
}

/// The units of a call: its items, or the call as one.
fn units_of(index: usize, call: &PendingCall) -> Vec<Unit> {
    let unit = |item| Unit { call: index, item };
    if call.options.atomic.is_some() || call.is_dry_batch() {
        return vec![unit(None)];
    }
    (0..call.items.len()).map(|item| unit(Some(item))).collect()
}

/// Fails these units.
pub(super) fn fail_all(calls: &mut [ActiveCall], units: &[Unit], error: &EngineError) {
    for unit in units {
        if let Some(call) = calls.get_mut(unit.call) {
            call.fail(unit, error);
        }
    }
}

/// Fails the questions.
pub(super) fn fail_reads(reads: &mut Vec<PendingRead>, error: &EngineError) {
    for read in reads.drain(..) {
        drop(read.reply.send(Err(error.clone())));
    }
}

/// Takes out the units whose callers' deadlines have passed, and answers them
/// with `error`: that nothing was written, or that it is not known.
pub(super) fn expire(
    calls: &mut [ActiveCall],
    units: &mut Vec<Unit>,
    reads: &mut Vec<PendingRead>,
    error: &EngineError,
) {
    units.retain(|unit| {
        let Some(call) = calls.get_mut(unit.call) else {
            return false;
        };
        let expired = has_passed(call.pending.options.deadline);
        if expired {
            call.fail(unit, error);
        }
        !expired
    });
    let (mut expired, alive) = std::mem::take(reads)
        .into_iter()
        .partition(|read| has_passed(read.deadline));
    *reads = alive;
    fail_reads(&mut expired, error);
}
