//! Answers, written: the core's types as messages. Answers to mutations are
//! made of the recorded events only, so that a repeat is answered as the first
//! time.

mod account;
mod catalog;
mod event;
mod explanation;
mod mutation;
mod payment;
mod statistics;
mod subscription;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use ledger_core::{
    Money, Name, Timestamp,
    account::{Funding, Lot},
    catalog::{Attributes, OverrunPolicy},
    event::{LevelChange, PaidWith, Reason},
};
use ledger_proto::v1;

pub(super) use account::{account, balances, hold, lot, open_lots, passes, state};
pub(super) use catalog::{auto_top_ups, packages, plans, top_ups};
pub(super) use event::event;
pub(super) use explanation::{balance_line, coming_expiry};
pub(super) use mutation::{
    Done, adjust, apply_catalog, capture_hold, charge, extend_hold, open_account, place_hold,
    refund, release_hold, result, transfer,
};
pub(super) use payment::{
    create_payment, payment, record_payment, record_refund, refund_payment, start_subscription,
};
pub(super) use statistics::statistics;
pub(super) use subscription::subscription;

/// Microseconds in a second.
const US_PER_SECOND: i64 = 1_000_000;

/// A moment.
pub(super) fn timestamp(time: Timestamp) -> prost_types::Timestamp {
    let us = time.0.rem_euclid(US_PER_SECOND);
    prost_types::Timestamp {
        seconds: time.0.div_euclid(US_PER_SECOND),
        // Below 10^9.
        nanos: i32::try_from(us * 1_000).unwrap_or(0),
    }
}

/// A length of time, of 0 or more microseconds.
fn duration(us: i64) -> prost_types::Duration {
    prost_types::Duration {
        seconds: us.div_euclid(US_PER_SECOND),
        nanos: i32::try_from(us.rem_euclid(US_PER_SECOND) * 1_000).unwrap_or(0),
    }
}

/// A count or a position: both stay far below the bound.
pub(super) fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A quantity of an asset.
pub(super) fn asset_amount(asset: &str, amount: i64) -> v1::AssetAmount {
    v1::AssetAmount {
        asset: asset.to_owned(),
        amount,
    }
}

/// An amount of money.
pub(super) fn money(money: &Money) -> v1::Money {
    v1::Money {
        currency: (&money.currency).into(),
        amount: money.amount,
    }
}

/// What something was paid with.
pub(super) fn paid_with(paid_with: PaidWith) -> i32 {
    let message = match paid_with {
        PaidWith::Granted => v1::PaidWith::Granted,
        PaidWith::Purchased => v1::PaidWith::Purchased,
        PaidWith::Mixed => v1::PaidWith::Mixed,
        PaidWith::Nothing => v1::PaidWith::Nothing,
        PaidWith::Pass => v1::PaidWith::Pass,
    };
    message.into()
}

/// What was said about an operation.
pub(super) fn attributes(attributes: &Attributes) -> BTreeMap<String, String> {
    let text = |(name, value): (&Name, &Name)| (name.into(), value.into());
    attributes.iter().map(text).collect()
}

/// What an event did to the level of points, of which there are `total` now.
pub(super) fn level_change(asset: &str, change: LevelChange, total: i64) -> v1::LevelChange {
    let level = |level: u32| i32::try_from(level).unwrap_or(i32::MAX);
    v1::LevelChange {
        asset: asset.to_owned(),
        old_level: level(change.before),
        new_level: level(change.after),
        leveled_up: change.after > change.before,
        total_amount: total,
    }
}

/// The parts of lots that something took.
pub(super) fn takes(parts: &[Lot]) -> Vec<v1::LotTake> {
    parts.iter().map(take).collect()
}

fn take(part: &Lot) -> v1::LotTake {
    v1::LotTake {
        lot: number(part.id),
        amount: part.amount,
        cost_basis: cost_basis(part),
        funding: funding(part.funding),
        source: (&part.source).into(),
        expire_time: part.expires_at.map(timestamp),
        priority: part.priority,
        scope: scope(part),
        asset: (&part.asset).into(),
    }
}

/// The operations that a lot may pay for.
fn scope(lot: &Lot) -> Vec<String> {
    lot.scope.iter().map(String::from).collect()
}

/// A name; empty if there is none.
fn or_empty(name: Option<&Name>) -> String {
    name.map(String::from).unwrap_or_default()
}

/// What was paid for a lot or a part of one.
fn cost_basis(lot: &Lot) -> Option<v1::Money> {
    let currency = lot.currency.as_ref()?;
    Some(v1::Money {
        currency: currency.into(),
        amount: lot.basis,
    })
}

fn funding(funding: Funding) -> i32 {
    let message = match funding {
        Funding::Granted => v1::Funding::Granted,
        Funding::Purchased => v1::Funding::Purchased,
    };
    message.into()
}

fn overrun(policy: OverrunPolicy) -> i32 {
    let message = match policy {
        OverrunPolicy::Reject => v1::OverrunPolicy::Reject,
        OverrunPolicy::Cap => v1::OverrunPolicy::Cap,
        OverrunPolicy::OverdrawAvailable => v1::OverrunPolicy::OverdrawAvailable,
    };
    message.into()
}

fn reason(reason: &Reason) -> v1::Reason {
    v1::Reason {
        code: (&reason.code).into(),
        text: reason.text.clone().unwrap_or_default(),
    }
}
