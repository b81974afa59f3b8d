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
    event::{Annotations, Balance, ProviderId},
    record::HoldEnd,
};

use super::{
    attempt::Attempt,
    paid::{ClaimKey, Paid},
    wallet::{Wallet, split, sum},
};

/// A rule that the naive ledger gets wrong on purpose, so that a test can see
/// that the judge finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// The most expensive lots first.
    ReversedTurn,
    /// Holds of a millisecond more.
    LongHolds,
    /// What came on top of a payment is not taken back.
    KeptBonuses,
    /// A pass has one use less.
    ShortPasses,
    /// A limit lets one more through.
    LooseLimits,
}

/// A charge, and what is not given back of it.
pub(crate) struct Charged {
    pub(crate) account: Name,
    pub(crate) operation: Option<Name>,
    pub(crate) asset: Name,
    pub(crate) left: Vec<Lot>,
    pub(crate) counted: bool,
    pub(crate) quantity: i64,
    /// The pass that paid.
    pub(crate) pass: Option<u64>,
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
    /// Its own charge, hold or payment.
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

/// The naive ledger of one book.
pub(crate) struct Ledger {
    pub(crate) book: &'static str,
    pub(crate) position: u64,
    pub(crate) recorded_at: Timestamp,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) catalog_version: u64,
    pub(crate) flaw: Option<Flaw>,
    wallets: HashMap<Name, Wallet>,
    charges: HashMap<u64, Charged>,
    holds: HashMap<u64, Held>,
    payments: HashMap<u64, Paid>,
    requests: HashMap<(Name, RequestId), Applied>,
    /// The payments that ids of providers stand for.
    pub(crate) claims: HashMap<ClaimKey, u64>,
    /// The same of the other book.
    pub(crate) elsewhere: Elsewhere,
    empty: Wallet,
}

/// What the other book has claimed. Its log goes on beside this one, so that a
/// decision of this round may or may not have seen what is new.
#[derive(Default)]
pub(crate) struct Elsewhere {
    pub(crate) book: &'static str,
    pub(crate) claims: HashMap<ClaimKey, u64>,
    pub(crate) new: HashMap<ClaimKey, u64>,
}

impl Ledger {
    pub(crate) fn new(book: &'static str) -> Self {
        let catalog = ledger_service::engine::CatalogInForce::none(book).catalog;
        Self {
            book,
            position: 0,
            recorded_at: Timestamp(0),
            catalog: Arc::new(catalog),
            catalog_version: 0,
            flaw: None,
            wallets: HashMap::new(),
            charges: HashMap::new(),
            holds: HashMap::new(),
            payments: HashMap::new(),
            requests: HashMap::new(),
            claims: HashMap::new(),
            elsewhere: Elsewhere::default(),
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

    pub(crate) fn paid(&self, account: &str, target: Target) -> Option<&Paid> {
        let paid = self.payments.get(&self.subject(account, target)?)?;
        (paid.account == account).then_some(paid)
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

    /// The same if it has not seen what the other book claims in this round, and
    /// if it has.
    pub(crate) fn attempts(
        &self,
        request: &Request,
        now: Timestamp,
    ) -> impl Iterator<Item = Verdict> {
        let ids = named_ids(&request.command);
        let differs = ids.iter().any(|key| self.elsewhere.new.contains_key(key));
        let sights = if differs {
            &[false, true][..]
        } else {
            &[false]
        };
        sights.iter().map(move |sees_new| {
            let position = self.position + 1;
            self.attempt_seeing(request, now, &BTreeMap::new(), position, *sees_new)
        })
    }

    /// The same on top of wallets that requests before it would leave.
    pub(crate) fn attempt_over(
        &self,
        request: &Request,
        now: Timestamp,
        over: &BTreeMap<Name, Wallet>,
        position: u64,
    ) -> Verdict {
        self.attempt_seeing(request, now, over, position, false)
    }

    fn attempt_seeing(
        &self,
        request: &Request,
        now: Timestamp,
        over: &BTreeMap<Name, Wallet>,
        position: u64,
        sees_new: bool,
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
        let meant = self.payment_meant(request);
        for key in named_ids(&request.command) {
            let own = self.claims.get(&key).map(|event| (self.book, *event));
            let other = self.elsewhere.find(&key, sees_new);
            let is_meant = |event: &u64| meant.is_some_and(|paid| paid.position == *event);
            let claimed = own.filter(|(_, event)| !is_meant(event)).or(other);
            if let Some((book, event)) = claimed {
                return Verdict::Refused(Rejection::PaymentAlreadyRecorded {
                    book: book.to_owned(),
                    event,
                    kind: key.2.kind.into(),
                    id: key.2.id.into(),
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
        let mut attempt = Attempt::new(self, request, now, position, own, other);
        attempt.meant = meant.cloned().map(Arc::new);
        attempt.decide()
    }

    /// The payment of this account that a request names, or that has the first
    /// of its ids that anybody has claimed.
    fn payment_meant(&self, request: &Request) -> Option<&Paid> {
        let named = match &request.command {
            Command::RecordPayment(said) => said.payment,
            Command::RefundPayment(refund) => Some(refund.payment),
            Command::RecordRefund(said) => said.payment,
            _ => None,
        };
        let target = named.or_else(|| {
            let mut ids = named_ids(&request.command).into_iter();
            ids.find_map(|key| self.claims.get(&key).copied())
                .map(Target::Position)
        });
        self.paid(&request.account, target?)
    }

    /// Takes in the events of one request, which the log has; says what no log
    /// may have, if they make it so.
    pub(crate) fn take_in(&mut self, events: &[Event]) -> Result<(), String> {
        let first = &events[0];
        let mut asked = None;
        if let (Some(request_id), Some(command)) = (first.request_id, &first.request) {
            let is_subject = |event: &&Event| {
                event.account == first.account
                    && match &event.payload {
                        Payload::Debited(_)
                        | Payload::HoldPlaced(_)
                        | Payload::HoldCaptured(_)
                        | Payload::PaymentCreated(_) => true,
                        Payload::PaymentSucceeded(succeeded) => succeeded.payment.is_none(),
                        _ => false,
                    }
            };
            let applied = Applied {
                position: first.position,
                count: events.len() as u64,
                subject: events.iter().find(is_subject).map(|event| event.position),
                command: command.to_vec(),
                annotations: first.annotations.clone(),
            };
            let key = (first.account.clone(), request_id);
            if self.requests.insert(key, applied).is_some() {
                return Err(format!("request {request_id} is applied twice"));
            }
            asked = Some(minicbor::decode(command).unwrap());
        }
        events
            .iter()
            .try_for_each(|event| self.take_in_one(event, asked.as_ref()))
    }

    fn take_in_one(&mut self, event: &Event, asked: Option<&Command>) -> Result<(), String> {
        let wallet = self.wallets.entry(event.account.clone()).or_default();
        let before = wallet.balances();
        wallet.take_in(event);
        if let Some(fault) = wallet
            .fault()
            .or_else(|| moved_wrong(wallet, &before, event))
        {
            return Err(format!("{}: {fault}", event.account));
        }
        self.remember(event);
        let payment = self.remember_payment(event, asked);
        if let Some(fault) = payment.and_then(|paid| paid.fault()) {
            return Err(fault);
        }
        for key in claimed_by(event) {
            let payment = payment_of(event).unwrap_or(event.position);
            let is_elsewhere = self.elsewhere.find(&key, true).is_some();
            if self.claims.insert(key.clone(), payment).is_some() || is_elsewhere {
                return Err(format!("{key:?} is claimed twice"));
            }
        }
        self.position = event.position;
        self.recorded_at = event.recorded_at;
        Ok(())
    }

    fn remember_payment(&mut self, event: &Event, asked: Option<&Command>) -> Option<&Paid> {
        if let Some(begun) = Paid::begun_by(event) {
            return Some(self.payments.entry(event.position).or_insert(begun));
        }
        let paid = self.payments.get_mut(&payment_of(event)?)?;
        paid.follow(event, asked);
        Some(paid)
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
                    pass: debited.pass,
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
                    pass: captured.pass,
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

impl Elsewhere {
    /// Book and payment that an id stands for there.
    fn find(&self, key: &ClaimKey, sees_new: bool) -> Option<(&'static str, u64)> {
        let new = self.new.get(key).filter(|_| sees_new);
        let payment = self.claims.get(key).or(new)?;
        Some((self.book, *payment))
    }
}

/// The payment that an event goes on with.
fn payment_of(event: &Event) -> Option<u64> {
    match &event.payload {
        Payload::Credited(credited) => credited.payment,
        Payload::PaymentSucceeded(succeeded) => succeeded.payment,
        Payload::PaymentStatusRecorded(recorded) => Some(recorded.payment),
        Payload::PaymentCanceled(canceled) => Some(canceled.payment),
        Payload::PaymentFeeRecorded(fee) => Some(fee.payment),
        Payload::PaymentRefundStarted(started) => Some(started.payment),
        Payload::PaymentRefunded(refunded) => Some(refunded.payment),
        Payload::PaymentRefundFailed(failed) => Some(failed.payment),
        Payload::PaymentAnomaly(anomaly) => Some(anomaly.payment),
        _ => None,
    }
}

/// What an event claims for its payment.
pub(crate) fn claimed_by(event: &Event) -> Vec<ClaimKey> {
    let given = match &event.payload {
        Payload::PaymentSucceeded(said) => {
            return keys(&said.provider, &said.merchant_account, &said.provider_ids);
        }
        Payload::PaymentStatusRecorded(recorded) => &recorded.provider_ids,
        Payload::PaymentCanceled(canceled) => &canceled.provider_ids,
        Payload::PaymentRefunded(refunded) => &refunded.provider_ids,
        Payload::PaymentRefundFailed(failed) => &failed.provider_ids,
        Payload::PaymentAnomaly(anomaly) => &anomaly.provider_ids,
        _ => return Vec::new(),
    };
    keys(&given.provider, &given.merchant_account, &given.ids)
}

/// The claims of an event, with the payment that they are for.
pub(crate) fn claims_of(event: &Event) -> impl Iterator<Item = (ClaimKey, u64)> {
    let payment = payment_of(event).unwrap_or(event.position);
    claimed_by(event).into_iter().map(move |key| (key, payment))
}

/// The ids that a command brings or is about.
pub(crate) fn named_ids(command: &Command) -> Vec<ClaimKey> {
    match command {
        Command::RecordPayment(said) => {
            keys(&said.provider, &said.merchant_account, &said.provider_ids)
        }
        Command::RecordRefund(said) => {
            let payment_id = said.payment_id.clone().map(|id| ProviderId {
                kind: "payment".into(),
                id,
            });
            let ids = said.provider_ids.iter().cloned().chain(payment_id);
            let ids: Vec<ProviderId> = ids.collect();
            keys(&said.provider, &said.merchant_account, &ids)
        }
        _ => Vec::new(),
    }
}

fn keys(provider: &Name, merchant: &Name, ids: &[ProviderId]) -> Vec<ClaimKey> {
    let key = |id: &ProviderId| (provider.clone(), merchant.clone(), id.clone());
    ids.iter().map(key).collect()
}

/// Balances move by what an event says, and by nothing else.
fn moved_wrong(wallet: &Wallet, before: &[Balance], event: &Event) -> Option<String> {
    fn of(asset: &str, lots: &[Lot]) -> i64 {
        sum(lots.iter().filter(|lot| lot.asset == asset))
    }
    let moves = |asset: &str| match &event.payload {
        Payload::Credited(credited) => of(asset, std::slice::from_ref(&credited.lot)),
        Payload::Debited(debited) => -of(asset, &debited.parts),
        Payload::Refunded(refunded) => of(asset, &refunded.parts),
        Payload::HoldCaptured(captured) => {
            -of(asset, &captured.held_parts) - of(asset, &captured.free_parts)
        }
        Payload::LotExpired(expired) => -of(asset, std::slice::from_ref(&expired.lot)),
        Payload::SubscriptionRenewed(renewed) => -of(asset, &renewed.ended),
        Payload::SubscriptionEnded(ended) => -of(asset, &ended.ended),
        Payload::Adjusted(adjusted) if adjusted.asset == asset => adjusted.delta,
        Payload::TransferSent(sent) => -of(asset, &sent.parts),
        Payload::TransferReceived(received) => of(asset, &received.parts),
        Payload::PaymentRefunded(refunded) => {
            let debts = refunded.debts.iter().filter(|debt| debt.asset == asset);
            let owed: i64 = debts.map(|debt| debt.amount).sum();
            -of(asset, &refunded.reserved) - of(asset, &refunded.parts) - owed
        }
        _ => 0,
    };
    let was = |asset: &str| {
        let found = before.iter().find(|balance| balance.asset == asset);
        found.map_or(0, |balance| balance.balance)
    };
    let after = wallet.balances();
    let wrong = after
        .iter()
        .find(|now| now.balance != was(&now.asset) + moves(&now.asset))?;
    Some(format!("{wrong:?} after {before:?}"))
}
