//! Looking ahead: while a batch is being appended, the next one is decided on
//! top of what the append will make true.
//!
//! That an append succeeds is what it usually does, so memory is moved on when
//! it is sent, and moved back if it fails. Nobody is answered before the append
//! that an answer rests on has succeeded: what was decided ahead names the head
//! that it was decided on, and is decided anew if the log comes to another.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use hashbrown::HashMap;
use ledger_core::Name;
use tokio::task::JoinHandle;

use super::{
    CatalogInForce,
    cache::{AccountCache, CachedAccount},
    draft::{Decisions, Draft, Findings, Outcome, has_open_hold},
    job::{Job, PendingCall, PendingRead, Prepared},
    round::Plan,
    verdicts::decide_all,
    writer::{ActiveCall, Failure, Unit, Work, Writer, job_commands},
};
use crate::{
    limits::{AHEAD_AGE_MAX, BATCH_COMMANDS_MIN},
    store::{Append, Appended, Head, RequestKey, StoreError, StoredRequest, Wanted},
};

/// What was decided while the append before it was running.
pub(super) struct Ahead {
    pub(super) plan: Plan,
    /// What was found out about it.
    pub(super) findings: Findings,
    /// When that began.
    pub(super) begun_at: Instant,
}

/// How much was under way lately: in an append, decided, or waiting.
///
/// Callers send their next request when they have an answer, so those who are
/// answered together come back together. A batch that takes everything leaves
/// callers, server and writer with nothing to do while it is appended, and the
/// database with nothing while they work; two batches of the same size keep all of
/// them busy. So a batch takes half of what is under way.
#[derive(Debug, Default)]
pub(super) struct UnderWay {
    /// The most of late; forgotten slowly.
    commands_peak: usize,
    /// The last look ahead could decide all that came.
    overlaps: bool,
}

impl UnderWay {
    /// So many requests are in an append; so many commands of so many jobs were
    /// decided ahead of it; and so many jobs wait, which are taken to be like those.
    fn see(&mut self, requests: usize, (commands, jobs): (usize, usize), waiting: usize) {
        let commands_a_job = commands.checked_div(jobs).unwrap_or(1).max(1);
        let commands = requests + commands + waiting * commands_a_job;
        let faded = self.commands_peak - self.commands_peak / 32;
        self.commands_peak = faded.max(commands);
    }

    fn half(&self) -> usize {
        self.commands_peak / 2
    }
}

/// What memory held before an append was sent.
struct Before {
    head: Head,
    catalog: Arc<CatalogInForce>,
    states: Vec<(Name, Option<CachedAccount>)>,
    requests: Vec<RequestKey>,
}

impl Writer {
    /// Appends decisions and moves memory on; moves it back if that fails.
    /// `looks_ahead` says whether to decide what comes in meanwhile.
    pub(super) async fn write(
        &mut self,
        decisions: Decisions,
        findings: &mut Findings,
        looks_ahead: bool,
    ) -> Result<(), Failure> {
        let (append, outcome) = decisions.into_append();
        let before = self.advance(outcome, &append.requests);
        let sent_at = Instant::now();
        match self.send(append, looks_ahead).await {
            Ok(Appended::Done(clock)) => {
                self.time.observe(sent_at, clock);
                Ok(())
            }
            Ok(Appended::Lost) => {
                self.go_back(before);
                self.load(&Wanted::default(), findings).await?;
                Err(Failure::Lost)
            }
            Err(error) => {
                self.go_back(before);
                Err(error.into())
            }
        }
    }

    /// Moves memory to where it will be when the append has succeeded.
    fn advance(&mut self, outcome: Outcome, requests: &[StoredRequest]) -> Before {
        for request in requests {
            self.answered.remember(request);
        }
        let states = outcome.states.into_iter();
        let states = states.map(|(id, state)| {
            let old = self.cache.put(&id, state);
            (id, old)
        });
        Before {
            states: states.collect(),
            head: std::mem::replace(&mut self.head, outcome.head),
            catalog: std::mem::replace(&mut self.catalog, outcome.catalog),
            requests: requests.iter().map(|request| request.key.clone()).collect(),
        }
    }

    /// Moves memory back to where it was.
    fn go_back(&mut self, before: Before) {
        self.head = before.head;
        self.catalog = before.catalog;
        for (id, state) in before.states {
            match state {
                Some(state) => drop(self.cache.put(&id, state)),
                None => self.cache.evict(&id),
            }
        }
        for key in &before.requests {
            self.answered.forget(key);
        }
    }

    /// Sends an append, on a task of its own if there is something to do
    /// meanwhile.
    async fn send(&mut self, append: Append, looks_ahead: bool) -> Result<Appended, StoreError> {
        // What waits for the database is next: nothing may overtake it.
        if !looks_ahead || self.ahead.is_some() || !self.waiting.is_empty() {
            return self.log().await.append(&append).await;
        }
        let log = Arc::clone(&self.log);
        let requests = append.requests.len();
        let appending = tokio::spawn(async move { log.lock().await.append(&append).await });
        self.look_ahead(appending, requests).await
    }

    /// How many commands a batch takes before it takes no more jobs, if it and the
    /// next one keep each other's time filled.
    fn overlapping_commands_max(&self) -> usize {
        let half = self.under_way.half().max(BATCH_COMMANDS_MIN);
        half.min(self.limits.batch_commands_max)
    }

    /// How many commands a batch takes that was not decided ahead. If the look
    /// ahead before it could decide all that came, the next one will; else there is
    /// nothing that a smaller batch would leave time for.
    pub(super) fn commands_max(&mut self) -> usize {
        if std::mem::take(&mut self.under_way.overlaps) {
            self.overlapping_commands_max()
        } else {
            self.limits.batch_commands_max
        }
    }

    /// Whether what was decided ahead is what would be decided now.
    pub(super) fn still_holds(
        &mut self,
        ahead: &Ahead,
        calls: &[ActiveCall],
        units: &[Unit],
        reads: &[PendingRead],
    ) -> bool {
        !self.is_uncertain
            && ahead.plan.decisions.believed == self.head
            && ahead.findings.log_number == self.log_number
            && ahead.plan.verdicts.iter().map(|(unit, _)| unit).eq(units)
            && ahead.begun_at.elapsed() <= AHEAD_AGE_MAX
            && !self.time.is_stale()
            && self
                .missing(calls, units, reads, &ahead.findings)
                .is_empty()
    }

    /// Decides what comes in until the append of so many requests has ended, as
    /// far as a batch takes it.
    async fn look_ahead(
        &mut self,
        mut appending: JoinHandle<Result<Appended, StoreError>>,
        requests: usize,
    ) -> Result<Appended, StoreError> {
        let Ok(now) = self.time.next(&self.head) else {
            return ended(appending.await);
        };
        let (book, catalog) = (Arc::clone(&self.book), Arc::clone(&self.catalog));
        let mut draft = Draft::new(&book, &self.cache, self.head, now, catalog, HashMap::new());
        let mut findings = Findings::of(self.log_number);
        let (mut work, mut verdicts, mut commands) = (Work::default(), Vec::new(), 0);
        let (mut is_open, mut is_sound) = (true, true);
        let begun_at = Instant::now();
        let commands_max = self.overlapping_commands_max();
        // The append first: else it would begin when there is nothing to decide.
        tokio::task::yield_now().await;
        let done = loop {
            let takes_more = is_open && commands < commands_max;
            let job = tokio::select! {
                biased;
                done = &mut appending => break done,
                job = self.jobs.recv(), if takes_more => job,
            };
            let Some(job) = job else {
                is_open = false;
                continue;
            };
            if !can_be_decided(&job, &self.cache) {
                self.waiting.push_back(job);
                is_open = false;
                continue;
            }
            self.shared.has_ahead.store(true, Ordering::Release);
            commands += job_commands(&job);
            let added = work.add(job);
            let units = work.units.get(added).unwrap_or_default();
            self.recall(&work.calls, units, &mut findings);
            match decide_all(&mut draft, &work.calls, units, &findings) {
                Ok(decided) => verdicts.extend(decided),
                // Whoever decides it again will meet that again.
                Err(_) => (is_open, is_sound) = (false, false),
            }
        };
        let decisions = draft.end();
        let taken = work.calls.len() + work.reads.len();
        let waiting = self.jobs.len() + self.waiting.len();
        self.under_way.see(requests, (commands, taken), waiting);
        self.under_way.overlaps = is_open;
        if !work.is_empty() {
            let plan = Plan {
                decisions,
                verdicts,
                head_seen: false,
            };
            let ahead = Ahead {
                plan,
                findings,
                begun_at,
            };
            work.ahead = is_sound.then(|| Box::new(ahead));
            self.ahead = Some(work);
        }
        ended(done)
    }
}

fn ended(
    appending: Result<Result<Appended, StoreError>, tokio::task::JoinError>,
) -> Result<Appended, StoreError> {
    // The task went down in the middle of it: nobody knows how far it came.
    appending.unwrap_or_else(|_down| Err(StoreError::crashed()))
}

/// Whether memory has all that is needed to decide a job.
fn can_be_decided(job: &Job, cache: &AccountCache) -> bool {
    match job {
        Job::Call(call) => can_call_be_decided(call, cache),
        Job::Read(read) => read.accounts.iter().all(|id| cache.contains(id)),
    }
}

fn can_call_be_decided(call: &PendingCall, cache: &AccountCache) -> bool {
    let stands_alone = call.options.atomic.is_none() && !call.is_dry_batch();
    let is_known = |item: &Prepared| {
        let request = &item.request;
        let Some(own) = cache.peek(&request.account) else {
            return false;
        };
        let mut other = request.command.other_account().into_iter();
        let target = request.command.target();
        item.looked_up_ids().next().is_none()
            && other.all(|id| cache.contains(id))
            && target.is_none_or(|target| has_open_hold(&own.account, target))
    };
    stands_alone && call.items.iter().all(is_known)
}

#[cfg(test)]
mod tests {
    use super::{BATCH_COMMANDS_MIN, UnderWay};

    #[test]
    fn half_of_the_most_of_late_is_taken() {
        let mut under_way = UnderWay::default();
        assert_eq!(under_way.half(), 0);
        under_way.see(500, (400, 400), 100);
        assert_eq!(under_way.half(), 500);
        // One quiet batch does not change much, many do.
        under_way.see(2, (0, 0), 0);
        assert_eq!(under_way.half(), 484);
        for _ in 0..1000 {
            under_way.see(2, (0, 0), 0);
        }
        assert!(under_way.half() < BATCH_COMMANDS_MIN, "{under_way:?}");
        // Those who wait are like those that were taken.
        under_way.see(1000, (2000, 2), 1);
        assert_eq!(under_way.half(), 2000);
    }
}
