//! The engine's part, in memory: what the tests of the core share.
//!
//! [`Ledger`] gives events their envelopes (position, version, predecessor,
//! time), keeps all of them, and tells a command about its target what the
//! later events say, as the engine does. It decides everything twice and lets
//! the [`auditor`] look at every event.
#![allow(dead_code, reason = "each test uses its share of it")]

pub(crate) mod auditor;
#[allow(
    clippy::duplicate_mod,
    reason = "tests without the language need its time, and the language goes where there is no driver"
)]
#[path = "../language/clock.rs"]
mod clock;
mod explained;
pub(crate) mod sources;

use std::collections::BTreeMap;

use ledger_core::{
    Account, Accounts, Command, Context, Event, Name, Party, Payload, Record, Rejection, Request,
    RequestId, Timestamp,
    catalog::{Catalog, parse},
    command::{Target, encode},
    decide,
    event::{Annotations, FORMAT, ProviderId},
};

#[allow(unused_imports, reason = "each test uses its share of it")]
pub(crate) use clock::{DAY, HOUR, MINUTE, SECOND, START};

/// How many kinds of events there are; a new one has to come into the tests.
pub(crate) const KINDS: usize = 33;

/// One book in memory.
#[derive(Clone)]
pub(crate) struct Ledger {
    pub(crate) book: Name,
    pub(crate) now: Timestamp,
    pub(crate) catalog: Catalog,
    pub(crate) catalog_version: u64,
    /// The event at index `i` has position `i + 1`.
    pub(crate) events: Vec<Event>,
    pub(crate) accounts: BTreeMap<Name, Account>,
    requests: u64,
}

pub(crate) fn catalog(text: &str) -> Catalog {
    match parse(text, &BTreeMap::new()) {
        Ok(parsed) => parsed.catalog,
        Err(problems) => panic!("the catalog has errors:\n{problems}"),
    }
}

impl Ledger {
    /// A book with a catalog in force, of which no event tells.
    pub(crate) fn new(text: &str) -> Self {
        let catalog = catalog(text);
        Self {
            book: catalog.book.as_str().into(),
            now: START,
            catalog,
            catalog_version: 1,
            events: Vec::new(),
            accounts: BTreeMap::new(),
            requests: 0,
        }
    }

    pub(crate) fn account(&self, id: &str) -> Account {
        self.accounts.get(id).cloned().unwrap_or_default()
    }

    pub(crate) fn event(&self, position: u64) -> Option<&Event> {
        let index = usize::try_from(position.checked_sub(1)?).ok()?;
        self.events.get(index)
    }

    /// An id that no request had yet.
    pub(crate) fn next_request_id(&mut self) -> RequestId {
        self.requests += 1;
        let mut id = [0; 16];
        id[8..].copy_from_slice(&self.requests.to_be_bytes());
        id[6] = 0x80;
        RequestId(id)
    }

    /// A request with an id of its own.
    pub(crate) fn request(&mut self, account: &str, command: Command) -> Request {
        Request {
            account: account.into(),
            request_id: Some(self.next_request_id()),
            origin: "bot".into(),
            annotations: Annotations::default(),
            expires_at: None,
            command,
        }
    }

    /// Makes a request of the command and submits it.
    pub(crate) fn run(&mut self, account: &str, command: Command) -> Result<Vec<Event>, Rejection> {
        let request = self.request(account, command);
        self.submit(&request)
    }

    /// Decides a request and applies its events; a refusal changes nothing.
    pub(crate) fn submit(&mut self, request: &Request) -> Result<Vec<Event>, Rejection> {
        let decided = self.decide(request);
        assert_eq!(
            decided,
            self.decide(request),
            "a decision can be made again"
        );
        let first = self.events.len();
        for (index, decided) in decided?.into_iter().enumerate() {
            let id = match decided.party {
                Party::Own => &request.account,
                Party::Other => request
                    .command
                    .other_account()
                    .expect("it has another account"),
            };
            let before = self.account(id);
            let mut event = Event {
                format: FORMAT,
                book: self.book.clone(),
                position: self.next_position(),
                account: id.clone(),
                version: before.version + 1,
                previous_position: before.position,
                origin: request.origin.clone(),
                request_id: request.request_id,
                annotations: request.annotations.clone(),
                recorded_at: self.now,
                catalog_version: self.catalog_version,
                request: (index == 0).then(|| request.encoded_command().into()),
                balances: Vec::new(),
                call_id: None,
                call_hash: None,
                payload: decided.payload,
            };
            let mut after = before.clone();
            after.evolve(&event).expect("a decided event applies");
            event.balances = after.balances();
            auditor::audit(&before, &event, &after);
            explained::check_line(&before, &event);
            if let Payload::CatalogApplied(applied) = &event.payload {
                let parsed = parse(&applied.text, &applied.overrides);
                self.catalog = parsed.expect("what was applied can be read").catalog;
                self.catalog_version = applied.catalog_version;
            }
            self.accounts.insert(event.account.clone(), after);
            self.events.push(event);
        }
        let made = self.events.get(first..).unwrap_or_default().to_vec();
        auditor::audit_request(&made);
        explained::check_sums(self, &request.account);
        Ok(made)
    }

    /// Decides a request, and changes nothing.
    pub(crate) fn decide(&self, request: &Request) -> Result<Vec<ledger_core::Decided>, Rejection> {
        let own = self.account(&request.account);
        let other = request.command.other_account().map(|id| self.account(id));
        let target = request.command.target().or_else(|| self.payment(request));
        let record = target.and_then(|target| self.record(&own, request, target));
        let context = Context {
            book: &self.book,
            now: self.now,
            catalog: &self.catalog,
            catalog_version: self.catalog_version,
            next_position: self.next_position(),
        };
        let accounts = Accounts {
            own: &own,
            other: other.as_ref(),
        };
        decide(accounts, request, record.as_ref(), &context)
    }

    /// The events alone, applied from scratch, give the same accounts; bytes of
    /// events and accounts give the same values again.
    pub(crate) fn assert_replays(&self) {
        let mut accounts: BTreeMap<Name, Account> = BTreeMap::new();
        for event in &self.events {
            let bytes = encode(event);
            let decoded = Event::decode(&bytes).expect("an event can be read");
            assert_eq!(&decoded, event);
            let account = accounts.entry(event.account.clone()).or_default();
            account.evolve(event).expect("a stored event applies");
        }
        assert_eq!(accounts, self.accounts);
        for account in accounts.values() {
            let bytes = encode(account);
            let decoded: Account = minicbor::decode(&bytes).expect("an account can be read");
            assert_eq!(&decoded, account);
        }
    }

    pub(crate) fn next_position(&self) -> u64 {
        u64::try_from(self.events.len()).expect("few events") + 1
    }

    /// The payment that has the ids of a provider which a request brings.
    fn payment(&self, request: &Request) -> Option<Target> {
        let (provider, merchant, ids) = match &request.command {
            Command::RecordPayment(said) => (
                &said.provider,
                &said.merchant_account,
                said.provider_ids.clone(),
            ),
            Command::RecordRefund(said) => {
                let named = said.payment_id.iter().map(|id| ProviderId {
                    kind: "payment".into(),
                    id: id.clone(),
                });
                let ids = named.chain(said.provider_ids.iter().cloned());
                (&said.provider, &said.merchant_account, ids.collect())
            }
            _ => return None,
        };
        let has_one = |event: &&Event| {
            event.payload.provider_ids().is_some_and(|(by, to, known)| {
                (by, to) == (provider, merchant) && known.iter().any(|id| ids.contains(id))
            })
        };
        let event = self.events.iter().find(has_one)?;
        event.payload.payment(event.position).map(Target::Position)
    }

    /// What is known of a target: nothing if the account has it among its open
    /// holds, else its event and all later ones that refer to it. A request's
    /// target is the charge or the hold among its events.
    fn record(&self, own: &Account, request: &Request, target: Target) -> Option<Record> {
        let open = own.holds.iter().any(|hold| match target {
            Target::Position(position) => hold.position == position,
            Target::Request(id) => hold.request_id == Some(id),
        });
        if open {
            return None;
        }
        let event = match target {
            Target::Position(position) => self.event(position)?,
            Target::Request(id) => self.events.iter().find(|event| {
                event.account == request.account
                    && event.request_id == Some(id)
                    && Record::of(event).is_some()
            })?,
        };
        if event.account != request.account {
            return None;
        }
        let mut record = Record::of(event)?;
        for later in &self.events {
            if later.payload.refers_to() == Some(event.position) {
                record.follow(later);
            }
        }
        Some(record)
    }
}
