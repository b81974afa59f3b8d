//! A batch, from its units to their answers: tried until it is appended, or it
//! is known why not.

use std::{collections::HashMap, sync::Arc, time::Instant};

use ledger_core::Rejection;

use super::{
    Answer, EngineError, Recorded, Snapshot,
    draft::{Draft, Findings, Verdict, answer_from},
    job::{PendingRead, Prepared},
    log,
    writer::{ActiveCall, Failure, Unit, Writer, expire, fail_all, fail_reads},
};
use crate::{
    limits::{BUSY_ATTEMPTS_MAX, LOCKED_BATCHES},
    store::{Appended, Head, RequestKey, StoredRequest, Wanted},
};

/// The verdicts of a round, a unit each.
type Verdicts = Vec<(Unit, Vec<Verdict>)>;

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

fn decide_all(
    draft: &mut Draft<'_>,
    calls: &mut [ActiveCall],
    units: &[Unit],
    findings: &Findings,
) -> Result<Verdicts, Failure> {
    let mut verdicts = Vec::with_capacity(units.len());
    for unit in units {
        let Some(call) = calls.get_mut(unit.call) else {
            continue;
        };
        let decided = match unit.item {
            Some(_) => decide_items(draft, call, unit, findings)?,
            None => decide_atomic(draft, call, unit, findings)?,
        };
        verdicts.push((*unit, decided));
    }
    Ok(verdicts)
}

fn decide_items(
    draft: &mut Draft<'_>,
    call: &ActiveCall,
    unit: &Unit,
    findings: &Findings,
) -> Result<Vec<Verdict>, Failure> {
    let dry = call.pending.options.validate_only;
    call.items_of(unit)
        .iter()
        .map(|item| draft.decide(item, findings, dry))
        .collect::<Result<_, _>>()
        .map_err(|error| Failure::Broken(error.to_string()))
}

/// All items or none. What refuses one refuses the call; what makes one wait
/// makes the call wait.
fn decide_atomic(
    draft: &mut Draft<'_>,
    call: &mut ActiveCall,
    unit: &Unit,
    findings: &Findings,
) -> Result<Vec<Verdict>, Failure> {
    call.error = None;
    let Some((key, hash)) = call.pending.atomic_key() else {
        return Ok(Vec::new());
    };
    if let Some(applied) = findings.applied.get(&key)
        && applied.hash != hash
    {
        let rejection = Rejection::RequestIdReused {
            field: "requests",
            event: applied.position,
        };
        call.error = Some(EngineError::Rejected(Box::new(rejection)));
        return Ok(Vec::new());
    }
    let before = draft.clone();
    let first = draft.len();
    let verdicts = decide_items(draft, call, unit, findings)?;
    let refused = verdicts
        .iter()
        .enumerate()
        .find_map(|(index, verdict)| match verdict {
            Verdict::Refused(rejection) => Some((index, rejection)),
            _ => None,
        });
    if let Some((index, rejection)) = refused {
        *draft = before;
        call.error = Some(EngineError::Rejected(Box::new(
            Rejection::BatchItemRefused {
                index,
                reason: rejection.reason(),
                message: rejection.to_string(),
            },
        )));
        return Ok(Vec::new());
    }
    if verdicts
        .iter()
        .any(|verdict| matches!(verdict, Verdict::Deferred))
    {
        *draft = before;
        return Ok(vec![Verdict::Deferred]);
    }
    if !call.pending.options.validate_only {
        draft.close_atomic(key, hash, first);
    }
    Ok(verdicts)
}

/// The requests that would be answered without writing, and of which it is not
/// known yet that they were not applied before.
fn not_looked_up(
    calls: &[ActiveCall],
    verdicts: &Verdicts,
    findings: &Findings,
) -> Vec<RequestKey> {
    let mut keys = Vec::new();
    for (unit, decided) in verdicts {
        let Some(call) = calls.get(unit.call) else {
            continue;
        };
        for (item, verdict) in call.items_of(unit).iter().zip(decided) {
            let writes_nothing = matches!(
                verdict,
                Verdict::Refused(_) | Verdict::Nothing(_) | Verdict::Dry(..)
            );
            if let Some(key) = &item.key
                && writes_nothing
                && !findings.looked_up.contains(key)
            {
                keys.push(key.clone());
            }
        }
    }
    keys.sort_unstable_by(|a, b| (&a.account, a.request_id).cmp(&(&b.account, b.request_id)));
    keys.dedup();
    keys
}

/// The answers to what the draft accepted, in the order of the verdicts.
fn first_answers(draft: &Draft<'_>, calls: &[ActiveCall], verdicts: &Verdicts) -> Vec<Vec<Answer>> {
    verdicts
        .iter()
        .map(|(unit, decided)| {
            let Some(call) = calls.get(unit.call) else {
                return Vec::new();
            };
            call.items_of(unit)
                .iter()
                .zip(decided)
                .filter_map(|(item, verdict)| match verdict {
                    Verdict::Accepted {
                        first,
                        count,
                        repeat,
                    } => {
                        let mut answer = draft.answer(item, *first, *count);
                        answer.replayed = *repeat;
                        Some(answer)
                    }
                    _ => None,
                })
                .collect()
        })
        .collect()
}

/// Puts every answer in its place; gives back the units that have to wait.
fn answer_all(
    calls: &mut [ActiveCall],
    verdicts: Verdicts,
    answers: Vec<Vec<Answer>>,
    repeats: &HashMap<u64, Arc<Recorded>>,
    head: Head,
) -> Vec<Unit> {
    let mut deferred = Vec::new();
    for ((unit, decided), first_answers) in verdicts.into_iter().zip(answers) {
        let mut first_answers = first_answers.into_iter();
        let Some(call) = calls.get_mut(unit.call) else {
            continue;
        };
        if decided
            .iter()
            .any(|verdict| matches!(verdict, Verdict::Deferred))
        {
            deferred.push(unit);
            continue;
        }
        let from = unit.item.unwrap_or(0);
        for (offset, verdict) in decided.into_iter().enumerate() {
            let index = from + offset;
            let Some(item) = call.pending.items.get(index) else {
                continue;
            };
            let result = match verdict {
                Verdict::Accepted { .. } => first_answers.next().map(Ok),
                Verdict::Applied(request) => Some(repeat_answer(item, &request, repeats)),
                Verdict::Refused(rejection) => Some(Err(rejection)),
                Verdict::Nothing(balances) => Some(Ok(Answer {
                    events: Vec::new(),
                    balances,
                    replayed: false,
                    seen_at: (head.position, head.hash),
                })),
                Verdict::Dry(events, balances) => Some(Ok(Answer {
                    events,
                    balances,
                    replayed: false,
                    seen_at: (head.position, head.hash),
                })),
                Verdict::Deferred => None,
            };
            if let Some(slot) = call.results.get_mut(index) {
                *slot = result;
            }
        }
    }
    deferred
}

/// The first answer again; or a refusal that names what differs.
fn repeat_answer(
    item: &Prepared,
    applied: &StoredRequest,
    events: &HashMap<u64, Arc<Recorded>>,
) -> Result<Answer, Rejection> {
    let positions = applied.position..applied.position.saturating_add(u64::from(applied.count));
    let events: Vec<Arc<Recorded>> = positions
        .filter_map(|position| events.get(&position).cloned())
        .collect();
    if applied.hash != item.hash {
        let first = events.first();
        let field = first.and_then(|recorded| {
            let command = recorded.event.request.as_deref()?;
            item.request
                .differing_field(command, &recorded.event.annotations)
        });
        if let Some(field) = field {
            return Err(Rejection::RequestIdReused {
                field,
                event: applied.position,
            });
        }
    }
    Ok(answer_from(&item.request.account, events, true))
}
