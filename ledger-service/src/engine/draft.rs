//! One attempt at a batch, in memory: requests decided one by one on top of
//! the cached states, and the append that they add up to. Dropping a draft
//! undoes it.

mod atomic;
mod decisions;

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use ledger_core::{
    Account, Accounts, Context, Decided, Event, Name, Party, Payload, Record, Rejection, Timestamp,
    account::EvolveError,
    command::{Target, encode},
    decide,
    decide::at_present,
    event::{Balance, FORMAT},
};

use self::atomic::AtomicCall;
pub(super) use self::decisions::{Decisions, Outcome};
use super::{
    Answer, CatalogInForce, Recorded,
    cache::{AccountCache, CachedAccount},
    job::Prepared,
    log::event_hash,
};
use crate::store::{ExternalId, Hash, Head, NewEvent, RequestKey, StoredExternalId, StoredRequest};

/// What was found out about the requests of a batch before it is decided. Facts
/// of the log: they stay true whatever attempt they were found in.
#[derive(Clone, Debug, Default)]
pub(super) struct Findings {
    /// Requests that were applied.
    pub(super) applied: HashMap<RequestKey, StoredRequest>,
    /// Requests that were looked up, at a head from which every event since
    /// has been followed.
    pub(super) looked_up: HashSet<RequestKey>,
    /// Ids of providers that were claimed.
    pub(super) claimed: HashMap<ExternalId, StoredExternalId>,
    /// Ids of providers that were looked up at the present head.
    pub(super) claims_looked_up: HashSet<ExternalId>,
    /// The number of the log of which all this is true.
    pub(super) log_number: u64,
}

impl Findings {
    /// Nothing yet, about the log of this number.
    pub(super) fn of(log_number: u64) -> Self {
        Self {
            log_number,
            ..Self::default()
        }
    }

    /// Whether there is a request or an id here that was not there before.
    pub(super) fn know_more_than(&self, before: &Self) -> bool {
        let mut requests = self.applied.keys();
        let mut ids = self.claimed.keys();
        requests.any(|key| !before.applied.contains_key(key))
            || ids.any(|id| !before.claimed.contains_key(id))
    }

    /// The head has moved: what was not there may be there now.
    pub(super) fn forget_lookups(&mut self) {
        self.looked_up.clear();
        self.claims_looked_up.clear();
    }
}

/// How one request was decided.
#[derive(Clone, Debug)]
pub(super) enum Verdict {
    /// Its events stand in the draft from `first` on.
    Accepted {
        first: usize,
        count: usize,
        repeat: bool,
    },
    /// It was applied before.
    Applied(StoredRequest),
    /// It is refused, if it was not applied before.
    Refused(Rejection),
    /// There is nothing to do, if it was not applied before.
    Nothing(Vec<Balance>),
    /// It would make these events.
    Dry(Vec<Arc<Recorded>>, Vec<Balance>),
    /// It has to wait for the next batch.
    Deferred,
    /// The call that it belongs to is refused as a whole.
    CallRefused(Box<Rejection>),
}

/// The draft of a batch.
#[derive(Clone)]
pub(super) struct Draft<'a> {
    book: &'a str,
    cache: &'a AccountCache,
    believed: Head,
    now: Timestamp,
    head: Head,
    catalog: Arc<CatalogInForce>,
    overlay: HashMap<Name, OverlayAccount>,
    events: Vec<NewEvent>,
    recorded: Vec<Arc<Recorded>>,
    requests: Vec<StoredRequest>,
    accepted: HashMap<RequestKey, Accepted>,
    external_ids: Vec<(ExternalId, u64)>,
    claimed: HashSet<ExternalId>,
    records: HashMap<(Name, Target), Record>,
    /// The atomic call whose items are being decided.
    call: Option<AtomicCall>,
    is_trial: bool,
}

#[derive(Clone)]
struct OverlayAccount {
    account: Account,
    due_at: Option<Timestamp>,
}

#[derive(Clone, Copy)]
struct Accepted {
    first: usize,
    count: usize,
    hash: Hash,
}

impl<'a> Draft<'a> {
    pub(super) fn new(
        book: &'a str,
        cache: &'a AccountCache,
        head: Head,
        now: Timestamp,
        catalog: Arc<CatalogInForce>,
        records: HashMap<(Name, Target), Record>,
    ) -> Self {
        Self {
            book,
            cache,
            believed: head,
            now,
            head,
            catalog,
            overlay: HashMap::new(),
            events: Vec::new(),
            recorded: Vec::new(),
            requests: Vec::new(),
            accepted: HashMap::new(),
            external_ids: Vec::new(),
            claimed: HashSet::new(),
            records,
            call: None,
            is_trial: false,
        }
    }

    /// Decides a request on top of what the draft holds so far.
    pub(super) fn decide(
        &mut self,
        prepared: &Prepared,
        findings: &Findings,
        dry: bool,
    ) -> Result<Verdict, EvolveError> {
        if let Some(verdict) = self.known(prepared, findings) {
            return Ok(verdict);
        }
        let request = &prepared.request;
        let record = request
            .command
            .target()
            .and_then(|target| self.records.get(&(request.account.clone(), target)));
        let own = self.account(&request.account);
        let other = request.command.other_account().map(|id| self.account(id));
        let context = Context {
            book: self.book,
            now: self.now,
            catalog: &self.catalog.catalog,
            catalog_version: self.catalog.version,
            next_position: self.head.position.saturating_add(1),
        };
        let decided = decide(Accounts { own, other }, request, record, &context);
        match decided {
            Err(rejection) => Ok(Verdict::Refused(rejection)),
            Ok(events) if events.is_empty() => Ok(Verdict::Nothing(
                at_present(&request.account, own, &context).balances(),
            )),
            Ok(events) if dry => self.dry_run(prepared, events),
            Ok(events) => self.accept(prepared, events),
        }
    }

    /// What is known of a request without deciding it: that it was applied, in
    /// the log or in this batch; that a provider's id of it is claimed; that it
    /// has to wait for something in this batch.
    fn known(&self, prepared: &Prepared, findings: &Findings) -> Option<Verdict> {
        let key = prepared.key.as_ref();
        if let Some(applied) = key.and_then(|key| findings.applied.get(key)) {
            return Some(Verdict::Applied(applied.clone()));
        }
        if let Some(accepted) = key.and_then(|key| self.accepted.get(key)) {
            return Some(self.repeat_in_batch(prepared, *accepted));
        }
        if let Some(stored) = prepared
            .external_ids
            .iter()
            .find_map(|id| findings.claimed.get(id))
        {
            return Some(Verdict::Refused(already_recorded(stored)));
        }
        (!self.is_trial && self.has_to_wait(prepared)).then_some(Verdict::Deferred)
    }

    /// Whether the request is about something of this batch that can be looked
    /// up only when the batch is stored.
    pub(super) fn has_to_wait(&self, prepared: &Prepared) -> bool {
        let mut external_ids = prepared.external_ids.iter();
        external_ids.any(|id| self.claimed.contains(id)) || self.targets_this_batch(prepared)
    }

    /// A copy for trying out, in which nothing waits.
    pub(super) fn trial(&self) -> Self {
        Self {
            is_trial: true,
            ..self.clone()
        }
    }

    /// A repeat inside the batch: the first one's result, or refused.
    fn repeat_in_batch(&self, prepared: &Prepared, accepted: Accepted) -> Verdict {
        let first = self.recorded.get(accepted.first);
        let event = first.map_or(0, |recorded| recorded.event.position);
        let field = first.and_then(|recorded| {
            let command = recorded.event.request.as_deref()?;
            prepared
                .request
                .differing_field(command, &recorded.event.annotations)
        });
        match field {
            Some(field) if accepted.hash != prepared.hash => {
                Verdict::Refused(Rejection::RequestIdReused { field, event })
            }
            _ => Verdict::Accepted {
                first: accepted.first,
                count: accepted.count,
                repeat: true,
            },
        }
    }

    /// Whether the request is about something that this batch has made and that
    /// is not an open hold: its record can be read once the batch is stored.
    fn targets_this_batch(&self, prepared: &Prepared) -> bool {
        let request = &prepared.request;
        let Some(target) = request.command.target() else {
            return false;
        };
        if self
            .records
            .contains_key(&(request.account.clone(), target))
        {
            return false;
        }
        let is_open = |account: &Account| has_open_hold(account, target);
        if self
            .cache
            .peek(&request.account)
            .is_some_and(|cached| is_open(&cached.account))
            && !is_open(self.account(&request.account))
        {
            // This batch ends it.
            return true;
        }
        match target {
            // One that nobody has written is not waited for.
            Target::Position(position) => {
                (self.believed.position.saturating_add(1)..=self.head.position).contains(&position)
            }
            Target::Request(request_id) => {
                let account = request.account.clone();
                let key = RequestKey {
                    account,
                    request_id,
                };
                self.accepted.contains_key(&key) && !is_open(self.account(&request.account))
            }
        }
    }

    fn account(&self, id: &str) -> &Account {
        static NOT_OPENED: std::sync::LazyLock<Account> =
            std::sync::LazyLock::new(Account::default);
        match self.overlay.get(id) {
            Some(overlaid) => &overlaid.account,
            None => self
                .cache
                .peek(id)
                .map_or(&NOT_OPENED, |cached| &cached.account),
        }
    }

    fn accept(
        &mut self,
        prepared: &Prepared,
        decided: Vec<Decided>,
    ) -> Result<Verdict, EvolveError> {
        let (first, count) = (self.events.len(), decided.len());
        let position = self.head.position.saturating_add(1);
        for (index, decided) in decided.into_iter().enumerate() {
            self.record(prepared, decided, index == 0)?;
        }
        if let Some(key) = &prepared.key {
            let hash = prepared.hash;
            self.accepted
                .insert(key.clone(), Accepted { first, count, hash });
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            self.requests.push(StoredRequest {
                key: key.clone(),
                position,
                count,
                hash,
            });
        }
        if !prepared.external_ids.is_empty() {
            let made = self.recorded.iter().skip(first);
            let payment = made
                .map(|recorded| &recorded.event)
                .find(|event| matches!(event.payload, Payload::PaymentSucceeded(_)))
                .map_or(position, |event| event.position);
            for id in &prepared.external_ids {
                self.claimed.insert(id.clone());
                self.external_ids.push((id.clone(), payment));
            }
        }
        Ok(Verdict::Accepted {
            first,
            count,
            repeat: false,
        })
    }

    fn record(
        &mut self,
        prepared: &Prepared,
        decided: Decided,
        is_first: bool,
    ) -> Result<(), EvolveError> {
        let id = party_account(prepared, decided.party);
        let position = self.head.position.saturating_add(1);
        let cache = self.cache;
        if !self.overlay.contains_key(id) {
            self.overlay
                .insert(id.clone(), OverlayAccount::from(cache.peek(id)));
        }
        let Some(overlaid) = self.overlay.get_mut(id) else {
            return Ok(());
        };
        let mut event = envelope(
            self.book,
            &overlaid.account,
            prepared,
            position,
            self.now,
            decided,
        );
        event.catalog_version = self.catalog.version;
        event.request = is_first.then(|| prepared.encoded.clone().into());
        if let Some(call) = self.call.as_ref().filter(|_| is_first) {
            call.mark(&mut event, self.events.len());
        }
        overlaid.account.evolve(&event)?;
        event.balances = overlaid.account.balances();
        let body = encode(&event);
        let hash = event_hash(&self.head.hash, &body);
        self.head = Head {
            position,
            hash,
            recorded_at: self.now,
        };
        self.events.push(NewEvent {
            position,
            account: event.account.clone(),
            version: event.version,
            kind: event.payload.kind() as u8,
            refers_to: event.payload.refers_to(),
            recorded_at: event.recorded_at,
            body,
            hash,
        });
        self.follow(&event);
        self.recorded.push(Arc::new(Recorded { event, hash }));
        Ok(())
    }

    /// What later requests of the batch have to know of an event.
    fn follow(&mut self, event: &Event) {
        if event.payload.refers_to().is_some() {
            for record in self.records.values_mut() {
                record.follow(event);
            }
        }
        // A decision has parsed the text already.
        if let Ok(Some(catalog)) = CatalogInForce::from_event(event) {
            self.catalog = Arc::new(catalog);
        }
    }

    fn dry_run(&self, prepared: &Prepared, decided: Vec<Decided>) -> Result<Verdict, EvolveError> {
        let mut accounts: HashMap<&str, Account> = HashMap::new();
        let mut events = Vec::with_capacity(decided.len());
        let mut position = self.head.position;
        for (index, decided) in decided.into_iter().enumerate() {
            position = position.saturating_add(1);
            let id = party_account(prepared, decided.party);
            let account = accounts
                .entry(id)
                .or_insert_with(|| self.account(id).clone());
            let mut event = envelope(self.book, account, prepared, position, self.now, decided);
            event.catalog_version = self.catalog.version;
            event.request = (index == 0).then(|| prepared.encoded.clone().into());
            account.evolve(&event)?;
            event.balances = account.balances();
            event.position = 0;
            events.push(Arc::new(Recorded {
                event,
                hash: [0; 32],
            }));
        }
        let own = accounts.get(prepared.request.account.as_str());
        Ok(Verdict::Dry(
            events,
            own.map(Account::balances).unwrap_or_default(),
        ))
    }

    /// What was accepted, as a dry run shows it: without positions and hashes.
    pub(super) fn as_dry(&self, prepared: &Prepared, first: usize, count: usize) -> Verdict {
        let made = self.recorded.iter().skip(first).take(count);
        let events: Vec<Arc<Recorded>> = made
            .map(|recorded| {
                let mut event = recorded.event.clone();
                event.position = 0;
                Arc::new(Recorded {
                    event,
                    hash: [0; 32],
                })
            })
            .collect();
        let balances = answer_from(&prepared.request.account, events.clone(), false).balances;
        Verdict::Dry(events, balances)
    }

    /// Ends the draft, and lets go of the states that it was made on.
    pub(super) fn end(self) -> Decisions {
        Decisions {
            believed: self.believed,
            now: self.now,
            head: self.head,
            catalog: self.catalog,
            overlay: self.overlay,
            events: self.events,
            recorded: self.recorded,
            requests: self.requests,
            external_ids: self.external_ids,
        }
    }
}

impl From<Option<&CachedAccount>> for OverlayAccount {
    fn from(cached: Option<&CachedAccount>) -> Self {
        cached.map_or_else(
            || Self {
                account: Account::default(),
                due_at: None,
            },
            |cached| Self {
                account: Account::clone(&cached.account),
                due_at: cached.due_at,
            },
        )
    }
}

/// The answer that events make: the same for the first time and for repeats.
pub(super) fn answer_from(account: &str, events: Vec<Arc<Recorded>>, replayed: bool) -> Answer {
    let own = events
        .iter()
        .rev()
        .find(|recorded| recorded.event.account == account);
    let balances = own
        .map(|recorded| recorded.event.balances.clone())
        .unwrap_or_default();
    let seen_at = events.last().map_or((0, [0; 32]), |recorded| {
        (recorded.event.position, recorded.hash)
    });
    Answer {
        events,
        balances,
        replayed,
        seen_at,
    }
}

fn party_account(prepared: &Prepared, party: Party) -> &Name {
    let request = &prepared.request;
    match party {
        Party::Own => &request.account,
        Party::Other => request.command.other_account().unwrap_or(&request.account),
    }
}

fn envelope(
    book: &str,
    account: &Account,
    prepared: &Prepared,
    position: u64,
    now: Timestamp,
    decided: Decided,
) -> Event {
    let request = &prepared.request;
    Event {
        format: FORMAT,
        book: book.into(),
        position,
        account: party_account(prepared, decided.party).clone(),
        version: account.version.saturating_add(1),
        previous_position: account.position,
        origin: request.origin.clone(),
        request_id: request.request_id,
        annotations: request.annotations.clone(),
        recorded_at: now,
        catalog_version: 0,
        request: None,
        call_id: None,
        call_hash: None,
        balances: Vec::new(),
        payload: decided.payload,
    }
}

/// Whether a target names an open hold of the account.
pub(super) fn has_open_hold(account: &Account, target: Target) -> bool {
    account.holds.iter().any(|hold| match target {
        Target::Position(position) => hold.position == position,
        Target::Request(id) => hold.request_id == Some(id),
    })
}

fn already_recorded(stored: &StoredExternalId) -> Rejection {
    Rejection::PaymentAlreadyRecorded {
        book: stored.book.clone(),
        event: stored.position,
        kind: (&stored.external_id.kind).into(),
        id: (&stored.external_id.id).into(),
    }
}
