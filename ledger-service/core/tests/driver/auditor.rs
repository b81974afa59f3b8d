//! A second opinion about every event: what it says against what it did.
//!
//! The expectations here are written from the meaning of the events, not from
//! the code of the core: amounts and paid basis that go in and out, the naive
//! order of consumption, and that nothing else moved.

use std::collections::BTreeMap;

use ledger_core::{
    Account, Event, Payload, Timestamp,
    account::{Funding, Lot},
    event::{Balance, Debt},
};

/// Amounts by some key; zeros are left out when they are compared.
pub(crate) type Sums = BTreeMap<String, i64>;

pub(crate) fn sums<'a>(items: impl Iterator<Item = (&'a str, i64)>) -> Sums {
    let mut sums = Sums::new();
    for (key, amount) in items {
        *sums.entry(key.to_owned()).or_default() += amount;
    }
    sums.retain(|_, amount| *amount != 0);
    sums
}

/// Free and reserved parts.
pub(crate) fn all_parts(account: &Account) -> impl Iterator<Item = &Lot> {
    let held = account.holds.iter().flat_map(|hold| &hold.parts);
    let refunding = account.refunds.iter().flat_map(|refund| &refund.parts);
    account.lots.iter().chain(held).chain(refunding)
}

fn units(parts: &[Lot]) -> i64 {
    parts.iter().map(|part| part.amount).sum()
}

/// The paid basis of an account, per currency.
pub(crate) fn basis_of(account: &Account) -> Sums {
    sums(all_parts(account).map(basis))
}

fn basis(part: &Lot) -> (&str, i64) {
    (part.currency.as_deref().unwrap_or("none"), part.basis)
}

/// What goes into the wallet and what leaves it, whole parts.
pub(crate) fn moved(payload: &Payload) -> (Vec<&Lot>, Vec<&Lot>) {
    match payload {
        Payload::Credited(credited) => (vec![&credited.lot], vec![]),
        Payload::Debited(debited) => (vec![], debited.parts.iter().collect()),
        Payload::Refunded(refunded) => (refunded.parts.iter().collect(), vec![]),
        Payload::HoldCaptured(captured) => (
            vec![],
            captured
                .held_parts
                .iter()
                .chain(&captured.free_parts)
                .collect(),
        ),
        Payload::LotExpired(expired) => (vec![], vec![&expired.lot]),
        Payload::Adjusted(adjusted) => (
            adjusted.lot.iter().collect(),
            adjusted.parts.iter().collect(),
        ),
        Payload::TransferSent(sent) => (vec![], sent.parts.iter().collect()),
        Payload::TransferReceived(received) => (received.parts.iter().collect(), vec![]),
        Payload::PaymentRefunded(it) => (vec![], it.reserved.iter().chain(&it.parts).collect()),
        Payload::SubscriptionRenewed(it) => (vec![], it.ended.iter().collect()),
        Payload::SubscriptionEnded(it) => (vec![], it.ended.iter().collect()),
        _ => (vec![], vec![]),
    }
}

/// The change of balances that an event states in so many words.
pub(crate) fn stated(payload: &Payload) -> Vec<(&str, i64)> {
    match payload {
        Payload::Credited(credited) => vec![(&credited.lot.asset, credited.lot.amount)],
        Payload::Debited(debited) => vec![(&debited.asset, -debited.amount)],
        Payload::Refunded(refunded) => vec![(&refunded.asset, refunded.amount)],
        Payload::HoldCaptured(captured) => vec![(&captured.asset, -captured.amount)],
        Payload::LotExpired(expired) => vec![(&expired.lot.asset, -expired.lot.amount)],
        Payload::Adjusted(adjusted) => vec![(&adjusted.asset, adjusted.delta)],
        Payload::TransferSent(sent) => vec![(&sent.asset, -sent.amount)],
        Payload::TransferReceived(received) => vec![(&received.asset, received.amount)],
        Payload::SubscriptionRenewed(it) => ending(&it.ended),
        Payload::SubscriptionEnded(it) => ending(&it.ended),
        Payload::PaymentRefunded(it) => {
            let parts = it.reserved.iter().chain(&it.parts);
            let taken = parts.map(|part| (part.asset.as_str(), -part.amount));
            let owed = it.debts.iter();
            let owed = owed.map(|debt| (debt.asset.as_str(), -debt.amount));
            taken.chain(owed).collect()
        }
        _ => vec![],
    }
}

fn ending(parts: &[Lot]) -> Vec<(&str, i64)> {
    let ended = parts.iter();
    ended
        .map(|part| (part.asset.as_str(), -part.amount))
        .collect()
}

/// What an event says is owed from now on, and what of it is paid.
pub(crate) fn owing(payload: &Payload) -> (&[Debt], &[Debt]) {
    match payload {
        Payload::PaymentRefunded(it) => (&it.debts, &[]),
        Payload::PaymentRefundFailed(it) => (&[], &it.settled),
        Payload::Credited(it) => (&[], &it.settled),
        Payload::Refunded(it) => (&[], &it.settled),
        Payload::HoldCaptured(it) => (&[], &it.settled),
        Payload::HoldReleased(it) | Payload::HoldExpired(it) => (&[], &it.settled),
        _ => (&[], &[]),
    }
}

fn check_debts(before: &Account, event: &Event, after: &Account, say: &dyn Fn() -> String) {
    let owed = |account: &Account| {
        let assets = account.assets.iter();
        sums(assets.map(|(asset, totals)| (asset.as_str(), totals.deficit)))
    };
    let (more, less) = owing(&event.payload);
    let amounts = more.iter().map(|debt| (debt.asset.as_str(), debt.amount));
    let paid = less.iter().map(|debt| (debt.asset.as_str(), -debt.amount));
    let change = difference(&owed(before), &owed(after));
    assert_eq!(change, sums(amounts.chain(paid)), "debts{}", say());
    assert!(owed(after).values().all(|amount| *amount > 0), "{}", say());
}

/// Checks one event between two states of its account.
pub(crate) fn audit(before: &Account, event: &Event, after: &Account) {
    let say = || format!("\n  at {event:#?}\n  before {before:#?}\n  after {after:#?}");
    after
        .check()
        .unwrap_or_else(|error| panic!("{error}{}", say()));
    assert_eq!(after.version, before.version + 1);
    assert_eq!(after.position, event.position);
    assert!(event.previous_position < event.position);

    // Lots stand in order of consumption, each once.
    assert!(
        after.lots.is_sorted_by(|a, b| a.order() < b.order()),
        "order of lots{}",
        say()
    );
    let mut ids: Vec<u64> = after.lots.iter().map(|lot| lot.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), after.lots.len(), "a lot twice{}", say());
    assert!(all_parts(after).all(|part| part.id > 0 && part.id <= after.lots_created));
    assert!(all_parts(after).all(|part| part.basis == 0 || part.currency.is_some()));

    // Units: what the event states, what its parts say, and what happened.
    let balance = |account: &Account| {
        sums(
            account
                .assets
                .iter()
                .map(|(asset, totals)| (asset.as_str(), totals.balance)),
        )
    };
    let change = difference(&balance(before), &balance(after));
    assert_eq!(
        change,
        sums(stated(&event.payload).into_iter()),
        "stated change{}",
        say()
    );
    check_debts(before, event, after, &say);
    let (incoming, outgoing) = moved(&event.payload);
    let (owed, settled) = owing(&event.payload);
    let owed = owed.iter().map(|debt| (debt.asset.as_str(), debt.amount));
    let by_parts = difference(
        &sums(
            outgoing
                .iter()
                .map(|part| (part.asset.as_str(), part.amount))
                .chain(owed),
        ),
        &sums(
            incoming
                .iter()
                .map(|part| (part.asset.as_str(), part.amount)),
        ),
    );
    assert_eq!(change, by_parts, "change by parts{}", say());
    let recounted = sums(all_parts(after).map(|part| (part.asset.as_str(), part.amount)));
    let with_debts = after.assets.iter();
    let with_debts =
        with_debts.map(|(asset, totals)| (asset.as_str(), totals.balance + totals.deficit));
    assert_eq!(
        sums(with_debts),
        recounted,
        "balance against parts{}",
        say()
    );

    // Basis: no kopeck made or lost; what pays a debt leaves with its own.
    let by_parts = difference(
        &sums(outgoing.iter().map(|part| basis(part))),
        &sums(incoming.iter().map(|part| basis(part))),
    );
    let paying = settled.iter().map(|debt| debt.basis).sum::<i64>();
    let change = difference(&basis_of(before), &basis_of(after));
    let total = |sums: &Sums| sums.values().sum::<i64>();
    assert_eq!(total(&change), total(&by_parts) - paying, "basis{}", say());
    if settled.is_empty() {
        assert_eq!(change, by_parts, "basis{}", say());
    }

    check_balances(event, after);
    check_order(before, event, &say);
    check_amounts(event, &say);
}

fn check_balances(event: &Event, after: &Account) {
    let expected: Vec<Balance> = after
        .assets
        .iter()
        .map(|(asset, totals)| Balance {
            asset: asset.clone(),
            balance: totals.balance,
            held: totals.held,
            deficit: totals.deficit,
        })
        .collect();
    assert_eq!(event.balances, expected);
}

/// Free parts are taken in the naive order, from lots that may pay and are not
/// due.
fn check_order(before: &Account, event: &Event, say: &dyn Fn() -> String) {
    let operation = event.payload.operation();
    let (asset, parts, only_bought): (&str, &[Lot], bool) = match &event.payload {
        Payload::Debited(it) => (&it.asset, &it.parts, false),
        Payload::HoldPlaced(it) => (&it.asset, &it.parts, false),
        Payload::HoldCaptured(it) => (&it.asset, &it.free_parts, false),
        Payload::TransferSent(it) => (&it.asset, &it.parts, true),
        Payload::Adjusted(it) => (&it.asset, &it.parts, false),
        _ => return,
    };
    let any_scope = matches!(
        event.payload,
        Payload::TransferSent(_) | Payload::Adjusted(_)
    );
    let pays = |lot: &Lot| {
        any_scope
            || lot.scope.is_empty()
            || operation.is_some_and(|name| lot.scope.contains(&name.into()))
    };
    let mut lots: Vec<&Lot> = before
        .lots
        .iter()
        .filter(|lot| lot.asset == asset)
        .collect();
    lots.retain(|lot| pays(lot) && (!only_bought || lot.funding == Funding::Purchased));
    lots.sort_by_key(|lot| {
        let expiry = lot.expires_at.map_or(i64::MAX, |time| time.0);
        (
            lot.priority,
            expiry,
            lot.funding == Funding::Purchased,
            lot.id,
        )
    });
    let mut missing = units(parts);
    let mut expected = Vec::new();
    for lot in lots {
        let taken = missing.min(lot.amount);
        if taken > 0 {
            expected.push((lot.id, taken));
            missing -= taken;
        }
    }
    let actual: Vec<(u64, i64)> = parts.iter().map(|part| (part.id, part.amount)).collect();
    assert_eq!(actual, expected, "order of consumption{}", say());
    let due = |part: &Lot| {
        part.expires_at
            .is_some_and(|time| time <= event.recorded_at)
    };
    assert!(!parts.iter().any(due), "an expired lot paid{}", say());
}

/// What an event says in sum is what its parts sum to; parts are above zero.
fn check_amounts(event: &Event, say: &dyn Fn() -> String) {
    assert!(
        event
            .payload
            .parts()
            .all(|part| part.amount > 0 && part.basis >= 0),
        "{}",
        say()
    );
    let pairs = match &event.payload {
        Payload::Debited(it) => vec![(it.amount, units(&it.parts))],
        Payload::Refunded(it) => vec![(it.amount, units(&it.parts))],
        Payload::HoldPlaced(it) => vec![(it.amount, units(&it.parts))],
        Payload::HoldCaptured(it) => {
            vec![(it.amount, units(&it.held_parts) + units(&it.free_parts))]
        }
        Payload::HoldReleased(it) | Payload::HoldExpired(it) => {
            vec![(it.amount, units(&it.parts))]
        }
        Payload::TransferSent(it) => vec![(it.amount, units(&it.parts))],
        Payload::TransferReceived(it) => vec![(it.amount, units(&it.parts))],
        Payload::Adjusted(it) => {
            let added = it.lot.as_ref().map_or(0, |lot| lot.amount);
            vec![(it.delta, added - units(&it.parts))]
        }
        _ => vec![],
    };
    for (said, parts) in pairs {
        assert_eq!(said, parts, "sum of parts{}", say());
    }
}

/// Checks the events of one request together: what leaves one account by a
/// transfer arrives at the other, unit for unit and kopeck for kopeck.
pub(crate) fn audit_request(events: &[Event]) {
    let transfer = |pick: fn(&Payload) -> Option<&[Lot]>| -> Vec<&Lot> {
        events
            .iter()
            .filter_map(|event| pick(&event.payload))
            .flatten()
            .collect()
    };
    let sent = transfer(|payload| match payload {
        Payload::TransferSent(sent) => Some(&sent.parts),
        _ => None,
    });
    let received = transfer(|payload| match payload {
        Payload::TransferReceived(received) => Some(&received.parts),
        _ => None,
    });
    // Whatever a lot is worth goes along; only its number is the recipient's.
    let worth = |parts: Vec<&Lot>| -> Vec<Lot> {
        parts
            .into_iter()
            .map(|part| Lot {
                id: 0,
                ..part.clone()
            })
            .collect()
    };
    assert_eq!(worth(sent), worth(received));
}

/// What the whole log says of each charge: never more refunded than taken, of
/// no lot more than it gave, and of the basis no more than it carried.
pub(crate) fn audit_refunds(events: &[Event]) {
    let mut charges: BTreeMap<u64, BTreeMap<u64, (i64, i64)>> = BTreeMap::new();
    for event in events {
        match &event.payload {
            Payload::Debited(_) | Payload::HoldCaptured(_) => {
                let by_lot = charges.entry(event.position).or_default();
                for part in moved(&event.payload).1 {
                    let sums = by_lot.entry(part.id).or_default();
                    *sums = (sums.0 + part.amount, sums.1 + part.basis);
                }
            }
            Payload::Refunded(refunded) => {
                let by_lot = charges
                    .get_mut(&refunded.charge)
                    .expect("a refund has its charge");
                for part in &refunded.parts {
                    let left = by_lot
                        .get_mut(&part.id)
                        .expect("a refund goes where it came from");
                    *left = (left.0 - part.amount, left.1 - part.basis);
                    assert!(left.0 >= 0 && left.1 >= 0, "{refunded:?} leaves {left:?}");
                    assert!(
                        left.0 > 0 || left.1 == 0,
                        "{refunded:?} loses basis {left:?}"
                    );
                }
                let left: i64 = by_lot.values().map(|sums| sums.0).sum();
                assert_eq!(refunded.refundable, left, "{refunded:?}");
            }
            _ => {}
        }
    }
}

/// The time at which a part expires is not over.
pub(crate) fn is_alive(part: &Lot, now: Timestamp) -> bool {
    part.expires_at.is_none_or(|time| time > now)
}

/// What came of every key from `before` to `after`, without zeros.
pub(crate) fn difference(before: &Sums, after: &Sums) -> Sums {
    let gone = before.iter().map(|(key, amount)| (key.as_str(), -amount));
    sums(gone.chain(after.iter().map(|(key, amount)| (key.as_str(), *amount))))
}
