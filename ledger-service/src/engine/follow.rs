//! Keeping up with the log: loading what is not in memory, following what
//! others wrote, and finding out what came of a lost append.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use hashbrown::{HashMap, HashSet};
use ledger_core::{Account, Name, Record, RequestId, account::EvolveError, command::Target};

use super::{
    CatalogInForce, EngineError, Recorded,
    cache::{CachedAccount, decode_state},
    draft::{Findings, has_open_hold},
    log::{self, ChainError},
    writer::{ActiveCall, Failure, Unit, Writer},
};
use crate::{
    limits::RECONNECT_TIME_MAX,
    store::{Head, RequestKey, Seen, StoredRequest, Wanted},
};

/// The longest wait between two tries to reach the database.
const RETRY_GAP_MAX: Duration = Duration::from_millis(500);

impl Writer {
    /// Reads what is wanted, and brings memory to the head that it was read
    /// at. Answers whether the head was where it was believed.
    pub(super) async fn load(
        &mut self,
        wanted: &Wanted,
        findings: &mut Findings,
    ) -> Result<bool, Failure> {
        let sent_at = Instant::now();
        let loaded = self.log().await.load(wanted).await?;
        self.time.observe(sent_at, loaded.seen.clock);
        let moved = loaded.seen.head != self.head;
        let mut found = HashSet::new();
        for row in &loaded.accounts {
            found.insert(row.account.as_str());
            let account = match decode_state(row).map_err(Failure::Broken)? {
                Some(account) => account,
                None => {
                    self.fold(&row.account, row.version, &loaded.seen.head)
                        .await?
                }
            };
            let cached = CachedAccount {
                account: Arc::new(account),
                due_at: row.due_at,
            };
            self.cache.put(&row.account, cached);
        }
        for id in wanted
            .accounts
            .iter()
            .filter(|id| !found.contains(id.as_str()))
        {
            self.cache.put(id, CachedAccount::default());
        }
        if moved {
            self.follow_to(loaded.seen).await?;
            self.forget(findings);
        }
        findings.looked_up.extend(wanted.requests.iter().cloned());
        for request in loaded.requests {
            findings.applied.insert(request.key.clone(), request);
        }
        if !moved {
            findings
                .claims_looked_up
                .extend(wanted.external_ids.iter().cloned());
        }
        for claim in loaded.external_ids {
            findings.claimed.insert(claim.external_id.clone(), claim);
        }
        Ok(!moved)
    }

    /// The head has moved: what was looked up and was not there may be there
    /// now. If the log is another one, nothing that was found out holds.
    pub(super) fn forget(&self, findings: &mut Findings) {
        if findings.log_number == self.log_number {
            findings.forget_lookups();
        } else {
            *findings = Findings::of(self.log_number);
        }
    }

    /// Follows the log from the believed head to at least `seen`.
    pub(super) async fn follow_to(&mut self, seen: Seen) -> Result<(), Failure> {
        if seen.head.position < self.head.position
            || (seen.head.position == self.head.position && seen.head.hash != self.head.hash)
        {
            return self.start_over(seen.head).await;
        }
        while self.head.position < seen.head.position {
            // Not beyond: what was appended after the look may be read only in
            // part, and a part of a request's events is not its answer.
            let missing = seen.head.position.saturating_sub(self.head.position);
            let limit = u32::try_from(missing).unwrap_or(u32::MAX);
            let limit = limit.min(self.limits.catch_up_events);
            let position = self.head.position;
            let stored = self.log().await.read_after(position, limit).await?;
            if stored.is_empty() {
                return Err(Failure::Broken(format!(
                    "the head is at {}, but there are no events after {}",
                    seen.head.position, self.head.position
                )));
            }
            let events = match log::follow(&mut self.head, stored) {
                Ok(events) => events,
                Err(ChainError::Forked) => return self.fork_or_damage(seen.head).await,
                Err(ChainError::Damaged(what)) => return Err(Failure::Broken(what)),
            };
            self.take_in(&events)?;
        }
        Ok(())
    }

    fn take_in(&mut self, events: &[Arc<Recorded>]) -> Result<(), Failure> {
        for recorded in events {
            self.cache
                .follow(recorded)
                .map_err(|error| broken(&error))?;
            if let Some(catalog) =
                CatalogInForce::from_event(&recorded.event).map_err(Failure::Broken)?
            {
                self.catalog = Arc::new(catalog);
            }
            self.remember_request(recorded);
        }
        Ok(())
    }

    /// Remembers the request that a followed event answers: one that carries a
    /// request begins it, and the following ones of the same id belong to it,
    /// wherever the run of events was cut to be read.
    fn remember_request(&mut self, recorded: &Recorded) {
        let event = &recorded.event;
        let Some(request_id) = event.request_id else {
            return;
        };
        let request = match (&event.request, self.followed.take()) {
            (Some(command), _) => StoredRequest {
                key: RequestKey {
                    account: event.account.clone(),
                    request_id,
                },
                position: event.position,
                count: 1,
                hash: log::request_hash(command, &event.annotations),
            },
            (None, Some(begun)) if goes_on(&begun, request_id, event.position) => StoredRequest {
                count: begun.count.saturating_add(1),
                ..begun
            },
            (None, _) => return,
        };
        self.answered.remember(&request);
        self.followed = Some(request);
    }

    /// An event does not follow the one that was known before it. If that one
    /// is not in the log any more, the log is another; else the log is damaged.
    async fn fork_or_damage(&mut self, head: Head) -> Result<(), Failure> {
        let known = self.head;
        let stored = self.log().await.read_at(&[known.position]).await?;
        let is_there = stored.first().is_some_and(|event| event.hash == known.hash);
        if is_there || known.position == 0 {
            return Err(Failure::Broken(format!(
                "event {} does not follow event {}: its hash is wrong",
                known.position.saturating_add(1),
                known.position
            )));
        }
        self.start_over(head).await
    }

    /// The log is not the one that was known (it was restored), or nothing is
    /// known yet: forgets everything and begins at `head`.
    async fn start_over(&mut self, head: Head) -> Result<(), Failure> {
        if self.head.position > 0 {
            tracing::error!(
                book = %self.book,
                known = self.head.position,
                found = head.position,
                "the log was forked: it is not the one that this instance knew"
            );
        }
        self.cache.clear();
        self.answered.clear();
        self.followed = None;
        self.log_number = self.log_number.saturating_add(1);
        let catalog = match self.store.last_catalog(&self.book).await? {
            Some(row) => {
                let recorded = log::decode(&row).map_err(Failure::Broken)?;
                CatalogInForce::from_event(&recorded.event).map_err(Failure::Broken)?
            }
            None => None,
        };
        let catalog = catalog.unwrap_or_else(|| CatalogInForce::none(&self.book));
        self.catalog = Arc::new(catalog);
        self.head = head;
        Ok(())
    }

    /// Folds an account whose stored state was made by another fold. Slow, and
    /// only until `rebuild` has run.
    async fn fold(&mut self, id: &str, version: u64, head: &Head) -> Result<Account, Failure> {
        let mut account = Account::default();
        let mut position = 0;
        while account.version < version && position < head.position {
            let limit = self.limits.catch_up_events;
            let stored = self.log().await.read_after(position, limit).await?;
            let Some(last) = stored.last() else { break };
            position = last.position;
            for row in &stored {
                let recorded = log::decode(row).map_err(Failure::Broken)?;
                if recorded.event.account == id && recorded.event.version <= version {
                    account
                        .evolve(&recorded.event)
                        .map_err(|error| broken(&error))?;
                }
            }
        }
        Ok(account)
    }

    /// Brings the connection back, which ends an append that may still be
    /// running on the one before, and finds out where the log stands: takes the
    /// head's lock and reads what came after the believed head.
    ///
    /// # Errors
    /// `Unavailable` if that takes too long.
    pub(super) async fn recover(&mut self) -> Result<(), Failure> {
        let give_up_at = Instant::now() + RECONNECT_TIME_MAX;
        let mut gap = Duration::from_millis(10);
        loop {
            match self.try_recover().await {
                Ok(()) => {
                    self.is_uncertain = false;
                    if !self.shared.is_connected.swap(true, Ordering::AcqRel) {
                        tracing::info!(book = %self.book, "the database is back");
                    }
                    return Ok(());
                }
                Err(broken @ (Failure::Broken(_) | Failure::Undecidable(_))) => return Err(broken),
                Err(failure) if Instant::now() + gap > give_up_at => {
                    self.report_outage(&failure);
                    return Err(Failure::Undecidable(EngineError::Unavailable));
                }
                Err(_) => {}
            }
            tokio::time::sleep(gap).await;
            gap = (gap * 2).min(RETRY_GAP_MAX);
        }
    }

    async fn try_recover(&mut self) -> Result<(), Failure> {
        self.log().await.reconnect().await?;
        let sent_at = Instant::now();
        let seen = self.log().await.lock().await?;
        self.time.observe(sent_at, seen.clock);
        if self.head.position == 0 {
            self.start_over(seen.head).await?;
        } else {
            self.follow_to(seen).await?;
        }
        self.log().await.unlock().await?;
        Ok(())
    }

    /// Says once that the database is gone.
    fn report_outage(&self, failure: &Failure) {
        if !self.shared.is_connected.swap(false, Ordering::AcqRel) {
            return;
        }
        match failure {
            Failure::Busy(error) | Failure::Unknown(error) | Failure::Refused(error) => {
                tracing::warn!(
                    book = %self.book,
                    error = error as &dyn std::error::Error,
                    "the database cannot be reached"
                );
            }
            _ => tracing::warn!(book = %self.book, "the database cannot be reached"),
        }
    }

    /// Reads the records of what the units refer to and is not an open hold.
    pub(super) async fn load_records(
        &mut self,
        calls: &[ActiveCall],
        units: &[Unit],
        findings: &mut Findings,
    ) -> Result<HashMap<(Name, Target), Record>, Failure> {
        let targets = self.missing_targets(calls, units, findings);
        if targets.is_empty() {
            return Ok(HashMap::new());
        }
        let keys: Vec<RequestKey> = targets.iter().filter_map(request_target).collect();
        let unknown: Vec<RequestKey> = keys
            .iter()
            .filter(|key| self.find_applied(key, findings).is_none())
            .cloned()
            .collect();
        if !unknown.is_empty() {
            let wanted = Wanted {
                requests: unknown,
                ..Wanted::default()
            };
            self.load(&wanted, findings).await?;
        }
        let mut ranges = Vec::new();
        for target in &targets {
            match &target.1 {
                Target::Position(position) => ranges.push((*position, 1)),
                Target::Request(_) => {
                    let key = request_target(target);
                    let found = key.and_then(|key| self.find_applied(&key, findings));
                    ranges.extend(found.map(|request| (request.position, request.count)));
                }
            }
        }
        if ranges.is_empty() {
            return Ok(HashMap::new());
        }
        let stored = self.log().await.read_with_references(&ranges).await?;
        // What others have written meanwhile is not in the accounts that this
        // will be decided on: a record that knows it would not fit them.
        let head = self.head.position;
        let events = stored
            .iter()
            .filter(|event| event.position <= head)
            .map(log::decode)
            .collect::<Result<Vec<_>, _>>()
            .map_err(Failure::Broken)?;
        Ok(targets
            .into_iter()
            .filter_map(|target| Some((target.clone(), record_of(&target, &events)?)))
            .collect())
    }

    fn missing_targets(
        &self,
        calls: &[ActiveCall],
        units: &[Unit],
        findings: &Findings,
    ) -> Vec<(Name, Target)> {
        let mut targets: Vec<(Name, Target)> = Vec::new();
        for unit in units {
            let Some(call) = calls.get(unit.call) else {
                continue;
            };
            for item in call.items_of(unit) {
                let request = &item.request;
                let Some(target) = findings.target(item, &self.book) else {
                    continue;
                };
                let cached = self.cache.peek(&request.account);
                let is_open = cached.is_some_and(|cached| has_open_hold(&cached.account, target));
                let entry = (request.account.clone(), target);
                if !is_open && !targets.contains(&entry) {
                    targets.push(entry);
                }
            }
        }
        targets
    }

    /// What is known of a request, in memory or by this batch's look-ups.
    pub(super) fn find_applied(
        &self,
        key: &RequestKey,
        findings: &Findings,
    ) -> Option<StoredRequest> {
        findings
            .applied
            .get(key)
            .cloned()
            .or_else(|| self.answered.find(key))
    }
}

fn broken(error: &EvolveError) -> Failure {
    Failure::Broken(error.to_string())
}

fn request_target(target: &(Name, Target)) -> Option<RequestKey> {
    match target.1 {
        Target::Request(request_id) => Some(RequestKey {
            account: target.0.clone(),
            request_id,
        }),
        Target::Position(_) => None,
    }
}

/// The record that the events give of a target: its own event, then those that
/// refer to it.
fn record_of(target: &(Name, Target), events: &[Recorded]) -> Option<Record> {
    let is_target = |recorded: &&Recorded| {
        let event = &recorded.event;
        event.account == target.0
            && match target.1 {
                Target::Position(position) => event.position == position,
                Target::Request(id) => event.request_id == Some(id),
            }
    };
    let mut record = events
        .iter()
        .filter(is_target)
        .find_map(|recorded| Record::of(&recorded.event))?;
    for recorded in events {
        record.follow(&recorded.event);
    }
    Some(record)
}

/// Whether an event without a request of its own belongs to one that has begun.
fn goes_on(begun: &StoredRequest, request_id: RequestId, position: u64) -> bool {
    begun.key.request_id == request_id
        && begun.position.saturating_add(u64::from(begun.count)) == position
}
