//! The naive ledger: wallets and what earlier events are needed for, all in
//! memory, nothing forgotten.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use ledger_core::{
    Command, Event, Name, Payload, Rejection, Request, RequestId, Timestamp,
    account::{Hold, Lot},
    catalog::{Catalog, parse},
    command::Target,
    event::{Annotations, Balance},
    record::HoldEnd,
};

use super::{
    attempt::Attempt,
    wallet::{Wallet, split},
};
use crate::support::ask::BOOK;

/// A rule that the naive ledger gets wrong on purpose, so that a test can see
/// that the judge finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// The most expensive lots first.
    ReversedTurn,
    /// Holds of a millisecond more.
    LongHolds,
}

/// A charge, and what is not given back of it.
pub(crate) struct Charged {
    pub(crate) account: Name,
    pub(crate) operation: Option<Name>,
    pub(crate) asset: Name,
    pub(crate) left: Vec<Lot>,
    pub(crate) counted: bool,
    pub(crate) quantity: i64,
}

/// A hold, whatever became of it.
pub(crate) struct Held {
    pub(crate) account: Name,
    pub(crate) hold: Hold,
    pub(crate) end: HoldEnd,
}

/// A request that the log has.
pub(crate) struct Applied {
    pub(crate) position: u64,
    pub(crate) count: u64,
    /// Its own charge or hold.
    pub(crate) subject: Option<u64>,
    pub(crate) command: Vec<u8>,
    pub(crate) annotations: Annotations,
}

/// What a request would come to.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It was applied before.
    Applied,
    Refused(Rejection),
    /// There is nothing to do.
    Nothing(Vec<Balance>),
    /// These events.
    Events(Vec<Event>),
}

type ClaimKey = (Name, Name, Name, Name);

/// The naive ledger.
pub(crate) struct Ledger {
    pub(crate) position: u64,
    pub(crate) recorded_at: Timestamp,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) catalog_version: u64,
    pub(crate) flaw: Option<Flaw>,
    wallets: HashMap<Name, Wallet>,
    charges: HashMap<u64, Charged>,
    holds: HashMap<u64, Held>,
    requests: HashMap<(Name, RequestId), Applied>,
    claims: HashMap<ClaimKey, u64>,
    empty: Wallet,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        let catalog = ledger_service::engine::CatalogInForce::none(BOOK).catalog;
        Self {
            position: 0,
            recorded_at: Timestamp(0),
            catalog: Arc::new(catalog),
            catalog_version: 0,
            flaw: None,
            wallets: HashMap::new(),
            charges: HashMap::new(),
            holds: HashMap::new(),
            requests: HashMap::new(),
            claims: HashMap::new(),
            empty: Wallet::default(),
        }
    }

    pub(crate) fn wallet(&self, account: &str) -> &Wallet {
        self.wallets.get(account).unwrap_or(&self.empty)
    }

    pub(crate) fn applied(&self, account: &str, request_id: RequestId) -> Option<&Applied> {
        self.requests.get(&(account.into(), request_id))
    }

    pub(crate) fn charged(&self, account: &str, target: Target) -> Option<(u64, &Charged)> {
        let position = self.subject(account, target)?;
        let charged = self.charges.get(&position)?;
        (charged.account == account).then_some((position, charged))
    }

    pub(crate) fn held(&self, account: &str, target: Target) -> Option<&Held> {
        let held = self.holds.get(&self.subject(account, target)?)?;
        (held.account == account).then_some(held)
    }

    fn subject(&self, account: &str, target: Target) -> Option<u64> {
        match target {
            Target::Position(position) => Some(position),
            Target::Request(request_id) => self.applied(account, request_id)?.subject,
        }
    }

    /// What the request would come to now.
    pub(crate) fn attempt(&self, request: &Request, now: Timestamp) -> Verdict {
        self.attempt_over(request, now, &BTreeMap::new(), self.position + 1)
    }

    /// The same on top of wallets that requests before it would leave.
    pub(crate) fn attempt_over(
        &self,
        request: &Request,
        now: Timestamp,
        over: &BTreeMap<Name, Wallet>,
        position: u64,
    ) -> Verdict {
        let applied = request
            .request_id
            .and_then(|id| self.applied(&request.account, id));
        if let Some(applied) = applied {
            let differs = request.differing_field(&applied.command, &applied.annotations);
            return match differs {
                Some(field) => Verdict::Refused(Rejection::RequestIdReused {
                    field,
                    event: applied.position,
                }),
                None => Verdict::Applied,
            };
        }
        for (key, kind, id) in claims_of(&request.command) {
            if let Some(event) = self.claims.get(&key) {
                return Verdict::Refused(Rejection::PaymentAlreadyRecorded {
                    book: BOOK.to_owned(),
                    event: *event,
                    kind: kind.into(),
                    id: id.into(),
                });
            }
        }
        let find = |account: &str| {
            over.get(account)
                .unwrap_or_else(|| self.wallet(account))
                .clone()
        };
        let own = find(&request.account);
        let other = request.command.other_account().map(|id| find(id));
        Attempt::new(self, request, now, position, own, other).decide()
    }

    /// Takes in the events of one request, which the log has.
    pub(crate) fn take_in(&mut self, events: &[Event]) {
        let first = &events[0];
        let (Some(request_id), Some(command)) = (first.request_id, &first.request) else {
            return self.take_in_each(events);
        };
        let is_subject = |event: &&Event| {
            event.account == first.account
                && matches!(
                    event.payload,
                    Payload::Debited(_) | Payload::HoldPlaced(_) | Payload::HoldCaptured(_)
                )
        };
        let applied = Applied {
            position: first.position,
            count: events.len() as u64,
            subject: events.iter().find(is_subject).map(|event| event.position),
            command: command.to_vec(),
            annotations: first.annotations.clone(),
        };
        let is_payment = |event: &&Event| matches!(event.payload, Payload::PaymentSucceeded(_));
        let decoded: Command = minicbor::decode(command).unwrap();
        for (key, ..) in claims_of(&decoded) {
            let payment = events.iter().find(is_payment).unwrap();
            assert_eq!(
                self.claims.insert(key, payment.position),
                None,
                "claimed once"
            );
        }
        let before = self
            .requests
            .insert((first.account.clone(), request_id), applied);
        assert!(
            before.is_none(),
            "request {request_id} of {} is applied once",
            first.account
        );
        self.take_in_each(events);
    }

    fn take_in_each(&mut self, events: &[Event]) {
        for event in events {
            self.wallets
                .entry(event.account.clone())
                .or_default()
                .take_in(event);
            self.remember(event);
            self.position = event.position;
            self.recorded_at = event.recorded_at;
        }
    }

    fn remember(&mut self, event: &Event) {
        let account = event.account.clone();
        match &event.payload {
            Payload::Debited(debited) => {
                let charged = Charged {
                    account,
                    operation: debited.operation.clone(),
                    asset: debited.asset.clone(),
                    left: debited.parts.clone(),
                    counted: true,
                    quantity: debited.quantity,
                };
                self.charges.insert(event.position, charged);
            }
            Payload::HoldCaptured(captured) => {
                let charged = Charged {
                    account,
                    operation: captured.operation.clone(),
                    asset: captured.asset.clone(),
                    left: [&captured.held_parts[..], &captured.free_parts[..]].concat(),
                    counted: captured.counted,
                    quantity: captured.quantity,
                };
                self.charges.insert(event.position, charged);
                let held = self.holds.get_mut(&captured.hold).unwrap();
                held.hold.captured += captured.amount;
                held.hold.parts = split(&held.hold.parts, captured.amount).1;
                if captured.is_final {
                    held.end = HoldEnd::Captured;
                }
            }
            Payload::Refunded(refunded) => {
                let charged = self.charges.get_mut(&refunded.charge).unwrap();
                charged.left.reverse();
                charged.left = split(&charged.left, refunded.amount).1;
                charged.left.reverse();
                charged.counted &= !refunded.uncounted;
            }
            Payload::HoldPlaced(_) => {
                let hold = self.wallet(&account).holds.last().unwrap().clone();
                self.holds.insert(
                    event.position,
                    Held {
                        account,
                        hold,
                        end: HoldEnd::Open,
                    },
                );
            }
            Payload::HoldExtended(extended) => {
                self.holds.get_mut(&extended.hold).unwrap().hold.expires_at = extended.expires_at;
            }
            Payload::HoldReleased(ended) => self.end(ended.hold, HoldEnd::Released),
            Payload::HoldExpired(ended) => self.end(ended.hold, HoldEnd::Expired),
            Payload::CatalogApplied(applied) => {
                self.catalog = Arc::new(parse(&applied.text, &applied.overrides).unwrap().catalog);
                self.catalog_version = applied.catalog_version;
            }
            _ => {}
        }
    }

    fn end(&mut self, hold: u64, end: HoldEnd) {
        self.holds.get_mut(&hold).unwrap().end = end;
    }
}

/// The ids of providers that a command claims, with kind and id.
fn claims_of(command: &Command) -> Vec<(ClaimKey, Name, Name)> {
    let Command::RecordPayment(payment) = command else {
        return Vec::new();
    };
    let ids = payment.provider_ids.iter();
    ids.map(|id| {
        let (provider, merchant) = (payment.provider.clone(), payment.merchant_account.clone());
        (
            (provider, merchant, id.kind.clone(), id.id.clone()),
            id.kind.clone(),
            id.id.clone(),
        )
    })
    .collect()
}
