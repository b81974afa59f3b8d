//! Answers that the log does not hold: refusals, dry runs, reads. Each has to be
//! what the naive ledger says at some point of the log between question and
//! answer.

use std::collections::{BTreeMap, BTreeSet};

use ledger_core::{
    Command, Context, Event, Name, Rejection, Request, Timestamp,
    catalog::Attributes,
    decide::{Order, at_present, price},
    event::Balance,
};
use ledger_service::{
    engine::{Answer, Snapshot},
    store::Hash,
};

use super::{
    ledger::{Ledger, Verdict, named_ids},
    periods,
    spending::quote,
    wallet::Wallet,
    windows,
};

/// How far the times of two engines on one machine are apart at the most: each
/// carries the database's on from its last look at it.
const CLOCKS_APART_US: i64 = 1_000_000;

const HOLD_MAX_US: i64 = 30 * 86_400_000_000;

/// What was answered, and is to be explained.
pub(crate) enum Claim<'a> {
    Refused(&'a Request, &'a Rejection),
    Nothing(&'a Request, &'a [Balance]),
    Dry(&'a Request, &'a Answer),
    RefusedCall(&'a [Request], &'a Rejection),
    Read(&'a [Name], &'a Snapshot),
}

/// A claim, and the state of the log at which it was tried in vain.
pub(crate) struct Pending<'a> {
    pub(crate) claim: Claim<'a>,
    tried: Option<Vec<u64>>,
}

/// A point of the log: after an event, and until the next.
pub(crate) struct Point {
    pub(crate) hash: Hash,
    pub(crate) until: Timestamp,
}

impl<'a> Pending<'a> {
    pub(crate) const fn new(claim: Claim<'a>) -> Self {
        Self { claim, tried: None }
    }

    /// Whether the claim holds at this point.
    pub(crate) fn holds(&mut self, ledger: &Ledger, point: &Point) -> bool {
        let requests = match self.claim {
            Claim::Refused(request, _) | Claim::Nothing(request, _) | Claim::Dry(request, _) => {
                std::slice::from_ref(request)
            }
            Claim::RefusedCall(requests, _) => requests,
            Claim::Read(accounts, snapshot) => {
                return snapshot.head.position == ledger.position
                    && snapshot.head.hash == point.hash
                    && read_holds(ledger, accounts, snapshot);
            }
        };
        let moments = self.moments(ledger, requests, point);
        // Nothing of it has changed: it would be tried in vain again.
        let names_positions = matches!(self.claim, Claim::Dry(..));
        let state =
            Some(state_of(ledger, requests)).filter(|_| moments.len() == 1 && !names_positions);
        if state.is_some() && state == self.tried {
            return false;
        }
        self.tried = state;
        moments.into_iter().any(|now| self.holds_at(ledger, now))
    }

    fn holds_at(&self, ledger: &Ledger, now: Timestamp) -> bool {
        match &self.claim {
            Claim::Refused(request, rejection) => {
                let is_it = |own| matches!(own, Verdict::Refused(own) if own == **rejection);
                ledger.attempts(request, now).any(is_it)
            }
            Claim::Nothing(request, balances) => {
                matches!(ledger.attempt(request, now), Verdict::Nothing(own) if own == **balances)
            }
            Claim::Dry(request, answer) => match ledger.attempt(request, now) {
                Verdict::Events(own) => is_dry_of(&own, answer),
                Verdict::Nothing(own) => answer.events.is_empty() && own == answer.balances,
                _ => false,
            },
            Claim::RefusedCall(requests, rejection) => {
                refused_item(ledger, requests, now).as_ref() == Some(*rejection)
            }
            Claim::Read(..) => false,
        }
    }

    /// The moments of this point at which the answer may differ: its beginning,
    /// and whenever something is due. Some answers say when they were made.
    fn moments(&self, ledger: &Ledger, requests: &[Request], point: &Point) -> Vec<Timestamp> {
        let said = match &self.claim {
            Claim::Dry(_, answer) => answer.events.first().map(|first| first.event.recorded_at),
            Claim::Refused(_, rejection) => match rejection {
                Rejection::RequestExpired { now, .. }
                | Rejection::LotExpiryPast { now, .. }
                | Rejection::RateLimited { now, .. } => Some(*now),
                Rejection::HoldTooLong {
                    maximum_expire_time,
                } => Some(maximum_expire_time.plus_us(-HOLD_MAX_US)),
                _ => None,
            },
            _ => None,
        };
        let from = ledger.recorded_at;
        // Who writes nothing may be ahead of who writes next.
        let until = point.until.plus_us(CLOCKS_APART_US);
        if let Some(said) = said {
            return if said >= from && said <= until {
                vec![said]
            } else {
                Vec::new()
            };
        }
        let mut moments = BTreeSet::from([from]);
        // What a pass is worth grows less all the time.
        if let Claim::Refused(_, Rejection::PaymentSpent { .. }) = &self.claim {
            moments.insert(match point.until {
                Timestamp(i64::MAX) => from.plus_us(CLOCKS_APART_US),
                _ => until,
            });
        }
        // A call does not say when one of its items was found to be late.
        let ends = requests.iter().flat_map(|request| match &request.command {
            Command::Credit(credit) => [request.expires_at, credit.lot_expire_time],
            _ => [request.expires_at, None],
        });
        moments.extend(ends.flatten().filter(|end| *end > from && *end <= until));
        for account in accounts_of(requests) {
            let wallet = ledger.wallet(account);
            let lots = wallet.lots.iter().filter_map(|lot| lot.expires_at);
            // What a hold gives back may live on for the grace.
            let grace = ledger.catalog.refund_grace_us;
            let holds = wallet.holds.iter().flat_map(|hold| {
                let parts = hold.parts.iter().filter_map(|part| part.expires_at);
                parts.chain([hold.expires_at, hold.expires_at.plus_us(grace)])
            });
            let graces = wallet.graces.iter().map(|grace| grace.ends_at);
            let due = lots.chain(holds).chain(graces);
            let due = due.chain(wallet.subscribed.moments());
            let due = due.chain(periods::due(wallet));
            moments.extend(due.filter(|moment| *moment > from && *moment <= until));
        }
        let room = requests
            .iter()
            .flat_map(|request| room_for(ledger, request, requests.len() > 1));
        moments.extend(room.filter(|moment| *moment > from && *moment <= until));
        moments.into_iter().collect()
    }
}

/// When there may be room in limits for what a request does. In one call with
/// others, it may be full because of them.
fn room_for(ledger: &Ledger, request: &Request, is_with_others: bool) -> Vec<Timestamp> {
    let (operation, quantity) = match &request.command {
        Command::Charge(charge) => (&charge.operation, charge.quantity),
        Command::PlaceHold(place) => (&place.operation, place.quantity),
        _ => return Vec::new(),
    };
    let Some(operation) = operation else {
        return Vec::new();
    };
    let quantity = if is_with_others {
        i64::MAX / 2
    } else {
        quantity
    };
    let uses = &ledger.wallet(&request.account).uses;
    let limits = &ledger.catalog.limits;
    windows::leaving(limits, uses, operation, quantity, ledger.recorded_at)
}

fn accounts_of(requests: &[Request]) -> impl Iterator<Item = &str> {
    requests
        .iter()
        .flat_map(|request| {
            [
                Some(request.account.as_str()),
                request.command.other_account().map(Name::as_str),
            ]
        })
        .flatten()
}

/// Whatever a decision may depend on, besides time and targets.
fn state_of(ledger: &Ledger, requests: &[Request]) -> Vec<u64> {
    let mut state = vec![ledger.catalog_version];
    state.extend(accounts_of(requests).map(|account| ledger.wallet(account).version));
    for request in requests {
        let applied = request
            .request_id
            .and_then(|id| ledger.applied(&request.account, id));
        state.push(applied.map_or(0, |applied| applied.position));
        let ids = named_ids(&request.command);
        let claimed = ids.iter().map(|key| ledger.claims.get(key).copied());
        state.extend(claimed.map(Option::unwrap_or_default));
    }
    state
}

/// The same events, but for what a dry run leaves out.
fn is_dry_of(own: &[Event], answer: &Answer) -> bool {
    let dry = |event: &Event| {
        let mut event = event.clone();
        event.position = 0;
        // Of a second account, the positions are made up.
        event.previous_position = 0;
        event
    };
    let account = own.first().map(|event| event.account.as_str());
    let last = own
        .iter()
        .rev()
        .find(|event| Some(event.account.as_str()) == account);
    own.len() == answer.events.len()
        && own
            .iter()
            .zip(&answer.events)
            .all(|(own, other)| dry(own) == dry(&other.event))
        && last.is_some_and(|last| last.balances == answer.balances)
}

/// What refuses the call as a whole, if anything does.
fn refused_item(ledger: &Ledger, requests: &[Request], now: Timestamp) -> Option<Rejection> {
    let mut over: BTreeMap<Name, Wallet> = BTreeMap::new();
    let mut position = ledger.position + 1;
    for (index, request) in requests.iter().enumerate() {
        match ledger.attempt_over(request, now, &over, position) {
            Verdict::Refused(rejection) => {
                return Some(Rejection::BatchItemRefused {
                    index,
                    reason: rejection.reason(),
                    message: rejection.to_string(),
                });
            }
            Verdict::Applied | Verdict::Nothing(_) => {}
            Verdict::Events(events) => {
                position += events.len() as u64;
                for event in events {
                    let wallet = over
                        .entry(event.account.clone())
                        .or_insert_with(|| ledger.wallet(&event.account).clone());
                    wallet.take_in(&event);
                }
            }
        }
    }
    None
}

/// Whether a snapshot is what the ledger has, and prices are the same.
fn read_holds(ledger: &Ledger, accounts: &[Name], snapshot: &Snapshot) -> bool {
    let context = Context {
        book: ledger.book,
        now: snapshot.now,
        catalog: &snapshot.catalog.catalog,
        catalog_version: snapshot.catalog.version,
        next_position: snapshot.head.position + 1,
    };
    snapshot.catalog.version == ledger.catalog_version
        && snapshot.now >= ledger.recorded_at
        && accounts
            .iter()
            .zip(&snapshot.accounts)
            .all(|(id, account)| {
                let wallet = ledger.wallet(id);
                let present = at_present(id, account, &context);
                **account == wallet.account()
                    && ["generate", "edit", "draw", "show"]
                        .into_iter()
                        .all(|operation| {
                            let mut attributes = Attributes::new();
                            if operation == "draw" {
                                attributes.insert("quality".into(), "low".into());
                            }
                            let order = Order {
                                operation: Some(operation),
                                quantity: 1,
                                attributes: &attributes,
                                explicit_price: None,
                                max_price: None,
                                confirmed: false,
                                origin: "bot",
                            };
                            let priced = price(&present, context.catalog, &order, context.now)
                                .map(|it| (it.asset, it.amount, it.parts, it.pass, it.counted_in));
                            priced == quote(ledger, wallet, snapshot.now, operation, &attributes)
                        })
            })
}
