//! A batch, from its units to their answers: tried until it is appended, or it
//! is known why not.

use std::{sync::Arc, time::Instant};

use ledger_core::{Name, Timestamp};

use super::{
    EngineError, Snapshot,
    ahead::Ahead,
    draft::{Decisions, Draft, Findings},
    job::{PendingRead, Prepared},
    verdicts::{Answers, Verdicts, decide_all, not_looked_up},
    writer::{ActiveCall, Failure, Unit, Writer, expire, fail_all, fail_reads, reply_all},
};
use crate::{
    limits::{ANSWERS_APART_MIN, BUSY_ATTEMPTS_MAX, LOCKED_BATCHES},
    store::{RequestKey, StoreError, Wanted},
};

/// What is settled together.
pub(super) struct Batch {
    units: Vec<Unit>,
    reads: Vec<PendingRead>,
    /// It was tried, and what came of that was not known: whoever gives up on
    /// it must not say that nothing was written.
    is_in_doubt: bool,
    /// What was decided of it ahead, if it was.
    ahead: Option<Box<Ahead>>,
}

/// What a round has decided, before anything of it is written.
pub(super) struct Plan {
    pub(super) decisions: Decisions,
    pub(super) verdicts: Verdicts,
    /// The head was seen where it was believed, after all of the batch had been
    /// asked.
    pub(super) head_seen: bool,
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.units.is_empty() && self.reads.is_empty()
    }

    /// The batch in two; itself if there is only one thing in it.
    fn halves(mut self) -> Result<[Self; 2], Self> {
        if self.units.len() + self.reads.len() < 2 {
            return Err(self);
        }
        let (units, reads) = if self.units.is_empty() {
            (Vec::new(), self.reads.split_off(self.reads.len() / 2))
        } else if self.reads.is_empty() {
            (self.units.split_off(self.units.len() / 2), Vec::new())
        } else {
            (Vec::new(), std::mem::take(&mut self.reads))
        };
        let half = Self {
            units,
            reads,
            is_in_doubt: self.is_in_doubt,
            ahead: None,
        };
        Ok([half, self])
    }
}

/// What came of one batch.
enum Settled {
    /// The log has what it has to have, and these are the answers.
    Done(Answers),
    /// The database refuses something of it.
    Refused(StoreError),
}

impl ActiveCall {
    /// The items of a unit.
    pub(super) fn items_of(&self, unit: &Unit) -> &[Prepared] {
        match unit.item {
            Some(item) => self.pending.items.get(item..=item).unwrap_or_default(),
            None => &self.pending.items,
        }
    }
}

impl Writer {
    /// Settles units and questions: in the end each has an answer or an error.
    /// What the database refuses is halved until the one that it refuses stands
    /// alone.
    pub(super) async fn settle(
        &mut self,
        mut calls: Vec<ActiveCall>,
        units: Vec<Unit>,
        reads: Vec<PendingRead>,
        ahead: Option<Box<Ahead>>,
    ) {
        let mut waiting = vec![Batch {
            units,
            reads,
            is_in_doubt: false,
            ahead,
        }];
        while let Some(mut batch) = waiting.pop() {
            if batch.is_empty() {
                continue;
            }
            match self.settle_batch(&mut calls, &mut batch).await {
                Settled::Done(answers) => {
                    let deferred = answers.deferred();
                    if deferred.is_empty() && waiting.is_empty() {
                        return self.answer(calls, answers).await;
                    }
                    answers.put(&mut calls);
                    waiting.push(Batch {
                        units: deferred,
                        reads: Vec::new(),
                        is_in_doubt: false,
                        ahead: None,
                    });
                }
                Settled::Refused(error) => match batch.halves() {
                    Ok(halves) => waiting.extend(halves),
                    Err(single) => self.refuse(&mut calls, single, &error),
                },
            }
        }
        reply_all(calls);
    }

    /// Answers the calls. Many are answered on a task of its own, so that the
    /// next append does not wait for that.
    async fn answer(&mut self, mut calls: Vec<ActiveCall>, answers: Answers) {
        if answers.verdicts.len() < ANSWERS_APART_MIN {
            answers.put(&mut calls);
            return reply_all(calls);
        }
        // One such task at a time, so that they cannot pile up.
        self.all_answered().await;
        self.answering = Some(tokio::spawn(async move {
            answers.put(&mut calls);
            reply_all(calls);
        }));
    }

    /// Waits until the calls before are answered.
    pub(super) async fn all_answered(&mut self) {
        if let Some(answering) = self.answering.take()
            && let Err(error) = answering.await
        {
            // What was written stays written: a repeat of a call finds it.
            tracing::error!(
                book = %self.book,
                error = &error as &dyn std::error::Error,
                "answers were not sent; their callers do not know what came of their calls"
            );
        }
    }

    /// Settles one batch: it is answered, or the database refuses something of
    /// it.
    async fn settle_batch(&mut self, calls: &mut [ActiveCall], batch: &mut Batch) -> Settled {
        let mut findings = Findings::of(self.log_number);
        let mut ahead = batch.ahead.take();
        let (mut lost, mut busy, mut refused) = (0_u32, 0_u32, 0_u32);
        loop {
            let Batch {
                units,
                reads,
                is_in_doubt,
                ..
            } = &mut *batch;
            let too_late = if self.is_uncertain || *is_in_doubt {
                EngineError::Unavailable
            } else {
                EngineError::DeadlineExceeded
            };
            expire(calls, units, reads, &too_late);
            if units.is_empty() && reads.is_empty() {
                return Settled::Done(Answers::default());
            }
            let locked = lost >= 2 || self.locked_batches > 0;
            let plan = match ahead.take() {
                Some(ahead) if !locked && self.still_holds(&ahead, calls, units, reads) => {
                    findings = ahead.findings;
                    Some(ahead.plan)
                }
                _ => None,
            };
            let round = self.round(calls, units, reads, &mut findings, locked, plan);
            let failure = match round.await {
                Ok(answers) => {
                    self.locked_batches = match lost {
                        0 => self.locked_batches.saturating_sub(1),
                        _ => LOCKED_BATCHES,
                    };
                    return Settled::Done(answers);
                }
                Err(Failure::Refused(error)) => {
                    self.leave_lock().await;
                    refused = refused.saturating_add(1);
                    if refused > 1 {
                        return Settled::Refused(error);
                    }
                    match self.look_all_up(calls, units, &mut findings).await {
                        Ok(true) => Failure::Again,
                        Ok(false) | Err(Failure::Refused(_)) => return Settled::Refused(error),
                        Err(failure) => {
                            // What explains the refusal is not known yet.
                            refused = 0;
                            failure
                        }
                    }
                }
                Err(failure) => failure,
            };
            match failure {
                Failure::Unknown(error) => {
                    tracing::debug!(book = %self.book, error = &error as &dyn std::error::Error, "a statement's outcome is not known");
                    self.is_uncertain = true;
                    *is_in_doubt = true;
                    continue;
                }
                Failure::Lost => lost = lost.saturating_add(1),
                Failure::Busy(error) => {
                    busy = busy.saturating_add(1);
                    self.is_uncertain = true;
                    if busy >= BUSY_ATTEMPTS_MAX {
                        tracing::warn!(book = %self.book, error = &error as &dyn std::error::Error, "a batch was given up");
                        give_up(calls, units, reads, &EngineError::Unavailable);
                    }
                }
                Failure::Undecidable(error) => give_up(calls, units, reads, &error),
                Failure::Broken(what) => {
                    self.stop(&what);
                    give_up(calls, units, reads, &EngineError::Stopped);
                }
                Failure::Again | Failure::Refused(_) => {}
            }
            self.leave_lock().await;
        }
    }

    /// A single request or question that the database refuses.
    fn refuse(&self, calls: &mut [ActiveCall], mut single: Batch, error: &StoreError) {
        tracing::error!(
            book = %self.book,
            error = error as &dyn std::error::Error,
            "the database refuses a request"
        );
        give_up(
            calls,
            &mut single.units,
            &mut single.reads,
            &EngineError::Refused,
        );
    }

    /// One attempt: decide, unless that is done already; look up, append. Answers
    /// the questions; what the calls are answered with is given back.
    async fn round(
        &mut self,
        calls: &[ActiveCall],
        units: &[Unit],
        reads: &mut Vec<PendingRead>,
        findings: &mut Findings,
        locked: bool,
        plan: Option<Plan>,
    ) -> Result<Answers, Failure> {
        // Questions alone take no lock, so they have to look at the head.
        let locked = locked && !units.is_empty();
        let plan = match plan {
            Some(plan) => plan,
            None => self.plan(calls, units, reads, findings, locked).await?,
        };
        let Plan {
            mut decisions,
            verdicts,
            mut head_seen,
        } = plan;
        head_seen |= self.look_up_unknown(calls, &verdicts, findings).await?;
        let repeats = self.read_repeats(&verdicts, findings).await?;
        let recorded = decisions.take_recorded();
        if decisions.has_events() {
            self.write(decisions, findings, !locked).await?;
        } else {
            if !head_seen && !self.load(&Wanted::default(), findings).await? {
                return Err(Failure::Lost);
            }
            if locked {
                self.log().await.unlock().await?;
            }
        }
        self.answer_reads(reads);
        Ok(Answers {
            verdicts,
            recorded,
            repeats,
            head: self.head,
        })
    }

    /// Brings memory to where it has to be, and decides.
    async fn plan(
        &mut self,
        calls: &[ActiveCall],
        units: &[Unit],
        reads: &[PendingRead],
        findings: &mut Findings,
        locked: bool,
    ) -> Result<Plan, Failure> {
        let known = self.head;
        if self.is_uncertain {
            self.recover().await?;
        }
        if locked {
            let sent_at = Instant::now();
            let seen = self.log().await.lock().await?;
            self.time.observe(sent_at, seen.clock);
            if seen.head != self.head {
                // Others go on writing: without the lock, the swap would be lost
                // again.
                self.locked_batches = LOCKED_BATCHES;
                self.follow_to(seen).await?;
            }
        }
        if self.head != known {
            self.forget(findings);
        }
        self.recall(calls, units, findings);
        let (known, mut head_seen) = (self.head, locked);
        head_seen |= self.load_missing(calls, units, reads, findings).await?;
        let loaded = self.head;
        let records = self.load_records(calls, units, findings).await?;
        if self.head != loaded {
            // A hold that was open may have ended: its record is missing.
            return Err(Failure::Again);
        }
        if self.head != known {
            // What was followed may be of this batch.
            self.recall(calls, units, findings);
        }
        let now = self.time.next(&self.head).map_err(Failure::Undecidable)?;
        let (book, catalog) = (Arc::clone(&self.book), Arc::clone(&self.catalog));
        let mut draft = Draft::new(&book, &self.cache, self.head, now, catalog, records);
        let verdicts = decide_all(&mut draft, calls, units, findings)?;
        Ok(Plan {
            decisions: draft.end(),
            verdicts,
            head_seen,
        })
    }

    /// Looks up the requests that would be answered without writing. Answers
    /// whether there were any: then the head was seen where it was believed.
    async fn look_up_unknown(
        &mut self,
        calls: &[ActiveCall],
        verdicts: &Verdicts,
        findings: &mut Findings,
    ) -> Result<bool, Failure> {
        let wanted = Wanted {
            requests: not_looked_up(calls, verdicts, findings),
            ..Wanted::default()
        };
        if wanted.requests.is_empty() {
            return Ok(false);
        }
        let believed = self.head;
        if !self.load(&wanted, findings).await? || self.head != believed {
            return Err(Failure::Lost);
        }
        let mut requests = wanted.requests.iter();
        if requests.any(|key| findings.applied.contains_key(key)) {
            return Err(Failure::Again);
        }
        Ok(true)
    }

    /// What is remembered of the requests and of the calls.
    pub(super) fn recall(&self, calls: &[ActiveCall], units: &[Unit], findings: &mut Findings) {
        for key in keys_of(calls, units) {
            if !findings.applied.contains_key(&key)
                && let Some(applied) = self.answered.find(&key)
            {
                findings.applied.insert(key, applied);
            }
        }
    }

    /// Loads the states that are not in memory, and looks up what has to be
    /// known before deciding: ids of providers, and everything of an atomic
    /// call. Answers whether the head was seen where it was believed.
    async fn load_missing(
        &mut self,
        calls: &[ActiveCall],
        units: &[Unit],
        reads: &[PendingRead],
        findings: &mut Findings,
    ) -> Result<bool, Failure> {
        let mut seen = false;
        loop {
            let wanted = self.missing(calls, units, reads, findings);
            if wanted.is_empty() && !self.time.is_stale() {
                return Ok(seen);
            }
            seen = self.load(&wanted, findings).await?;
            if self.time.is_stale() {
                // The database answers too slowly to tell the time.
                return Err(Failure::Undecidable(EngineError::Unavailable));
            }
        }
    }

    pub(super) fn missing(
        &mut self,
        calls: &[ActiveCall],
        units: &[Unit],
        reads: &[PendingRead],
        findings: &Findings,
    ) -> Wanted {
        let mut wanted = Wanted::default();
        let mut used: Vec<&Name> = reads.iter().flat_map(|read| &read.accounts).collect();
        for unit in units {
            let Some(call) = calls.get(unit.call) else {
                continue;
            };
            for item in call.items_of(unit) {
                used.push(&item.request.account);
                used.extend(item.request.command.other_account());
                let unclaimed = |id: &&_| {
                    !findings.claimed.contains_key(*id) && !findings.claims_looked_up.contains(*id)
                };
                wanted
                    .external_ids
                    .extend(item.external_ids.iter().filter(unclaimed).cloned());
            }
            if unit.item.is_none() {
                let keys = call
                    .pending
                    .items
                    .iter()
                    .filter_map(|item| item.key.clone());
                let own = call.pending.atomic_key().map(|(key, _)| key);
                wanted.requests.extend(keys.chain(own).filter(|key| {
                    !findings.applied.contains_key(key) && !findings.looked_up.contains(key)
                }));
            }
        }
        used.sort_unstable();
        used.dedup();
        self.cache.reserve(used.len());
        for id in used {
            if self.cache.contains(id) {
                self.cache.touch(id);
            } else {
                wanted.accounts.push(id.clone());
            }
        }
        wanted
    }

    /// After a refused append: looks up which of the batch's requests and ids
    /// are there already. Answers whether that explains anything.
    async fn look_all_up(
        &mut self,
        calls: &[ActiveCall],
        units: &[Unit],
        findings: &mut Findings,
    ) -> Result<bool, Failure> {
        let before = findings.clone();
        let mut wanted = Wanted {
            requests: keys_of(calls, units),
            ..Wanted::default()
        };
        for unit in units {
            let Some(call) = calls.get(unit.call) else {
                continue;
            };
            let items = call.items_of(unit).iter();
            wanted
                .external_ids
                .extend(items.flat_map(|item| item.external_ids.iter().cloned()));
        }
        self.load(&wanted, findings).await?;
        // Another log explains everything.
        Ok(self.log_number != before.log_number || findings.know_more_than(&before))
    }

    fn answer_reads(&mut self, reads: &mut Vec<PendingRead>) {
        if reads.is_empty() {
            return;
        }
        let now = match self.present() {
            Ok(now) => now,
            Err(error) => return fail_reads(reads, &error),
        };
        for read in reads.drain(..) {
            let accounts = read
                .accounts
                .iter()
                .map(|id| {
                    self.cache
                        .peek(id)
                        .map(|c| Arc::clone(&c.account))
                        .unwrap_or_default()
                })
                .collect();
            let catalog = Arc::clone(&self.catalog);
            let snapshot = Snapshot {
                head: self.head,
                now,
                catalog,
                accounts,
            };
            drop(read.reply.send(Ok(snapshot)));
        }
    }

    /// The time that an answer may name: before what is decided already on top of
    /// this head, and will be written after it.
    fn present(&mut self) -> Result<Timestamp, EngineError> {
        let now = self.time.present(&self.head)?;
        let ahead = self.ahead.as_ref().and_then(|work| work.ahead.as_ref());
        let decided_at = ahead
            .map(|ahead| &ahead.plan.decisions)
            .filter(|decisions| decisions.believed == self.head && decisions.has_events())
            .map(Decisions::now);
        Ok(decided_at.map_or(now, |decided_at| now.min(decided_at.plus_us(-1))))
    }

    /// Gives the head's lock back after a round that failed.
    async fn leave_lock(&mut self) {
        if self.log().await.unlock().await.is_err() {
            self.is_uncertain = true;
        }
    }
}

fn give_up(
    calls: &mut [ActiveCall],
    units: &mut Vec<Unit>,
    reads: &mut Vec<PendingRead>,
    error: &EngineError,
) {
    fail_all(calls, units, error);
    units.clear();
    fail_reads(reads, error);
}

/// The keys of the units' requests, and of atomic calls.
fn keys_of(calls: &[ActiveCall], units: &[Unit]) -> Vec<RequestKey> {
    let mut keys = Vec::with_capacity(units.len());
    for unit in units {
        let Some(call) = calls.get(unit.call) else {
            continue;
        };
        keys.extend(
            call.items_of(unit)
                .iter()
                .filter_map(|item| item.key.clone()),
        );
        if unit.item.is_none() {
            keys.extend(call.pending.atomic_key().map(|(key, _)| key));
        }
    }
    keys
}
