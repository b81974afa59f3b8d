//! A batch, from its units to their answers: tried until it is appended, or it
//! is known why not.

use std::{collections::HashMap, sync::Arc, time::Instant};

use super::{
    EngineError, Recorded, Snapshot,
    draft::{Draft, Findings, Verdict},
    job::{PendingRead, Prepared},
    log,
    verdicts::{Verdicts, answer_all, decide_all, first_answers, not_looked_up},
    writer::{ActiveCall, Failure, Unit, Writer, expire, fail_all, fail_reads},
};
use crate::{
    limits::{BUSY_ATTEMPTS_MAX, LOCKED_BATCHES},
    store::{Appended, RequestKey, Wanted},
};

/// What came of one round.
struct Done {
    /// Units that wait for the next batch.
    deferred: Vec<Unit>,
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
    pub(super) async fn settle(
        &mut self,
        calls: &mut [ActiveCall],
        units: Vec<Unit>,
        reads: &mut Vec<PendingRead>,
    ) {
        let mut waiting = units;
        loop {
            waiting = self.settle_batch(calls, waiting, reads).await;
            if waiting.is_empty() && reads.is_empty() {
                return;
            }
        }
    }

    /// Settles one batch; answers the units that wait for the next.
    async fn settle_batch(
        &mut self,
        calls: &mut [ActiveCall],
        mut units: Vec<Unit>,
        reads: &mut Vec<PendingRead>,
    ) -> Vec<Unit> {
        let mut findings = Findings::default();
        let (mut lost, mut busy, mut refused) = (0_u32, 0_u32, 0_u32);
        loop {
            let too_late = if self.is_uncertain {
                EngineError::Unavailable
            } else {
                EngineError::DeadlineExceeded
            };
            expire(calls, &mut units, reads, &too_late);
            if units.is_empty() && reads.is_empty() {
                return Vec::new();
            }
            let locked = lost >= 2 || self.locked_batches > 0;
            let failure = match self
                .round(calls, &units, reads, &mut findings, locked)
                .await
            {
                Ok(done) => {
                    self.locked_batches = match lost {
                        0 => self.locked_batches.saturating_sub(1),
                        _ => LOCKED_BATCHES,
                    };
                    return done.deferred;
                }
                Err(failure) => failure,
            };
            self.leave_lock(&failure).await;
            match failure {
                Failure::Again => {}
                Failure::Lost => lost = lost.saturating_add(1),
                Failure::Busy(error) => {
                    busy = busy.saturating_add(1);
                    if busy >= BUSY_ATTEMPTS_MAX {
                        tracing::warn!(book = %self.book, error = &error as &dyn std::error::Error, "a batch was given up");
                        return give_up(calls, &units, reads, &EngineError::Unavailable);
                    }
                    self.is_uncertain = true;
                }
                Failure::Unknown(error) => {
                    tracing::debug!(book = %self.book, error = &error as &dyn std::error::Error, "a statement's outcome is not known");
                    self.is_uncertain = true;
                }
                Failure::Refused(error) => {
                    refused = refused.saturating_add(1);
                    let explained = refused == 1
                        && self.look_all_up(calls, &units, &mut findings).await.is_ok();
                    if !explained {
                        return self.halve(calls, units, reads, &error).await;
                    }
                }
                Failure::Undecidable(error) => return give_up(calls, &units, reads, &error),
                Failure::Broken(what) => {
                    self.stop(&what);
                    return give_up(calls, &units, reads, &EngineError::Stopped);
                }
            }
        }
    }

    /// One attempt: load, decide, look up, append, answer.
    async fn round(
        &mut self,
        calls: &mut [ActiveCall],
        units: &[Unit],
        reads: &mut Vec<PendingRead>,
        findings: &mut Findings,
        locked: bool,
    ) -> Result<Done, Failure> {
        if self.is_uncertain {
            self.recover().await?;
        }
        // Questions alone take no lock, so they have to look at the head.
        let locked = locked && !units.is_empty();
        if locked {
            let sent_at = Instant::now();
            let seen = self.log.lock().await?;
            self.time.observe(sent_at, seen.clock);
            if seen.head != self.head {
                self.follow_to(seen).await?;
                findings.claims_looked_up.clear();
            }
        }
        self.recall(calls, units, findings);
        let (known, mut head_seen) = (self.head, locked);
        head_seen |= self.load_missing(calls, units, reads, findings).await?;
        let records = self.load_records(calls, units, findings).await?;
        if self.head != known {
            // What was followed may be of this batch.
            self.recall(calls, units, findings);
        }
        let now = self.time.next(&self.head).map_err(Failure::Undecidable)?;

        let book = Arc::clone(&self.book);
        let catalog = Arc::clone(&self.catalog);
        let mut draft = Draft::new(&book, &self.cache, self.head, now, catalog, records);
        let verdicts = decide_all(&mut draft, calls, units, findings)?;
        let unknown = not_looked_up(calls, &verdicts, findings);
        let answers = first_answers(&draft, calls, &verdicts);
        let (append, outcome) = draft.finish();

        if !unknown.is_empty() {
            let wanted = Wanted {
                requests: unknown,
                ..Wanted::default()
            };
            let believed = self.head;
            if !self.load(&wanted, findings).await? || self.head != believed {
                return Err(Failure::Lost);
            }
            if wanted
                .requests
                .iter()
                .any(|key| findings.applied.contains_key(key))
            {
                return Err(Failure::Again);
            }
            head_seen = true;
        }
        if !append.events.is_empty() {
            let sent_at = Instant::now();
            match self.log.append(&append).await? {
                Appended::Done(clock) => self.time.observe(sent_at, clock),
                Appended::Lost => {
                    let wanted = Wanted::default();
                    self.load(&wanted, findings).await?;
                    return Err(Failure::Lost);
                }
            }
            self.head = outcome.head;
            self.catalog = outcome.catalog;
            for (id, cached) in outcome.states {
                self.cache.put(&id, cached);
            }
            for request in &append.requests {
                self.answered.remember(request);
            }
        } else {
            if !head_seen && !self.load(&Wanted::default(), findings).await? {
                return Err(Failure::Lost);
            }
            if locked {
                self.log.unlock().await?;
            }
        }
        let repeats = self.read_repeats(&verdicts).await?;
        let deferred = answer_all(calls, verdicts, answers, &repeats, self.head);
        self.answer_reads(reads);
        Ok(Done { deferred })
    }

    /// What is remembered of the requests and of the calls.
    fn recall(&self, calls: &[ActiveCall], units: &[Unit], findings: &mut Findings) {
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
            let nothing = wanted.accounts.is_empty()
                && wanted.requests.is_empty()
                && wanted.external_ids.is_empty();
            if nothing && !self.time.is_stale() {
                return Ok(seen);
            }
            seen = self.load(&wanted, findings).await?;
            if self.time.is_stale() {
                // The database answers too slowly to tell the time.
                return Err(Failure::Undecidable(EngineError::Unavailable));
            }
        }
    }

    fn missing(
        &mut self,
        calls: &[ActiveCall],
        units: &[Unit],
        reads: &[PendingRead],
        findings: &Findings,
    ) -> Wanted {
        let mut wanted = Wanted::default();
        let mut used: Vec<&str> = reads
            .iter()
            .flat_map(|read| read.accounts.iter().map(String::as_str))
            .collect();
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
                wanted.accounts.push(id.to_owned());
            }
        }
        wanted
    }

    /// After a refused append: which of the batch's requests and ids are there
    /// already? An error if that explains nothing.
    async fn look_all_up(
        &mut self,
        calls: &[ActiveCall],
        units: &[Unit],
        findings: &mut Findings,
    ) -> Result<(), Failure> {
        let known = findings.applied.len() + findings.claimed.len();
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
        if findings.applied.len() + findings.claimed.len() > known {
            return Ok(());
        }
        Err(Failure::Again)
    }

    /// Settles the two halves of a batch that the database refuses; a single
    /// unit alone gets the error.
    async fn halve(
        &mut self,
        calls: &mut [ActiveCall],
        mut units: Vec<Unit>,
        reads: &mut Vec<PendingRead>,
        error: &crate::store::StoreError,
    ) -> Vec<Unit> {
        if let [unit] = units.as_slice() {
            tracing::error!(
                book = %self.book,
                error = error as &dyn std::error::Error,
                "the database refuses a request"
            );
            fail_all(calls, &[*unit], &EngineError::Refused);
            return Vec::new();
        }
        let second = units.split_off(units.len() / 2);
        Box::pin(self.settle(calls, units, &mut Vec::new())).await;
        Box::pin(self.settle(calls, second, reads)).await;
        Vec::new()
    }

    /// The events of the requests that were applied before.
    async fn read_repeats(
        &mut self,
        verdicts: &Verdicts,
    ) -> Result<HashMap<u64, Arc<Recorded>>, Failure> {
        let mut positions: Vec<u64> = verdicts
            .iter()
            .flat_map(|(_, verdicts)| verdicts)
            .filter_map(|verdict| match verdict {
                Verdict::Applied(request) => Some(request),
                _ => None,
            })
            .flat_map(|request| {
                request.position..request.position.saturating_add(u64::from(request.count))
            })
            .collect();
        if positions.is_empty() {
            return Ok(HashMap::new());
        }
        positions.sort_unstable();
        positions.dedup();
        let mut events = HashMap::new();
        for row in self.store.read_at(&self.book, &positions).await? {
            let recorded = log::decode(&row).map_err(Failure::Broken)?;
            events.insert(row.position, Arc::new(recorded));
        }
        Ok(events)
    }

    fn answer_reads(&mut self, reads: &mut Vec<PendingRead>) {
        if reads.is_empty() {
            return;
        }
        let now = match self.time.present(&self.head) {
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

    /// Gives the head's lock back after a round that failed, unless the
    /// connection that held it is gone anyway.
    async fn leave_lock(&mut self, failure: &Failure) {
        if matches!(failure, Failure::Unknown(_)) {
            return;
        }
        if self.log.unlock().await.is_err() {
            self.is_uncertain = true;
        }
    }
}

fn give_up(
    calls: &mut [ActiveCall],
    units: &[Unit],
    reads: &mut Vec<PendingRead>,
    error: &EngineError,
) -> Vec<Unit> {
    fail_all(calls, units, error);
    fail_reads(reads, error);
    Vec::new()
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
