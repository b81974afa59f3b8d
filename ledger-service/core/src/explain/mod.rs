//! Why a balance is what it is: the lines that add up to it.
//!
//! An event carries the balances after it. A line is the difference between those
//! of two events that follow each other, so that lines sum to the balance whatever
//! the events between them are about; what the line is called and which lots it
//! moved, the event's payload says.

mod texts;
mod words;

pub use texts::{Explained, TEXT_UTF16_UNITS_MAX, text, title};

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    account::{Account, Funding, Lot, total},
    event::{Balance, Event, Payload},
    name::Name,
    primitives::Timestamp,
};

/// What moved a balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LineKind {
    /// What was there before the lines that follow.
    Before,
    /// Something was given.
    Granted,
    /// Something was given for a period of the calendar.
    GrantedForPeriod,
    /// Something was bought.
    Purchased,
    /// An operation was charged.
    Charged,
    /// A hold was charged.
    Captured,
    /// A charge came back.
    Refunded,
    /// A hold was placed: held, not spent.
    Held,
    /// A hold was given up.
    HoldReleased,
    /// A hold ended by time.
    HoldExpired,
    /// What was left of a lot ended by time.
    LotExpired,
    /// A person corrected it.
    Adjusted,
    /// It went to another account.
    TransferSent,
    /// It came from another account.
    TransferReceived,
    /// A refund of a payment was begun: held, not taken.
    PaymentRefundHeld,
    /// A payment was paid back.
    PaymentRefunded,
    /// A refund of a payment came to nothing: no longer held.
    PaymentRefundReleased,
    /// A subscription ended, or went on after its grace: a pass of it ended.
    SubscriptionPassEnded,
    /// An event of another kind.
    Other,
}

/// A line: by how much something moved the balance of one asset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// What moved it.
    pub kind: LineKind,
    /// The event; nothing of what was there before. One without a position is not
    /// recorded yet: see [`pending`](crate::decide::pending).
    pub event: Option<&'a Event>,
    /// The asset.
    pub asset: Name,
    /// The change of the balance, in minor units.
    pub amount: i64,
    /// The change of the held part of it, in minor units.
    pub held_amount: i64,
    /// The parts of lots that came or went.
    pub lots: Vec<Lot>,
}

/// The lines of an account's events, in their order, after a line for each asset
/// that there was something of before them. Of one asset, if one is asked for.
///
/// `before` is what the event before the first one says. Between two of the events
/// others may be left out that [`moves`] nothing of what is asked for.
#[must_use]
pub fn lines<'a>(
    before: &[Balance],
    events: impl IntoIterator<Item = &'a Event>,
    asset: Option<&str>,
) -> Vec<Line<'a>> {
    let mut lines: Vec<Line<'a>> = before
        .iter()
        .filter(|balance| is_asked(asset, &balance.asset))
        .filter(|balance| balance.balance != 0 || balance.held != 0)
        .map(|balance| Line {
            kind: LineKind::Before,
            event: None,
            asset: balance.asset.clone(),
            amount: balance.balance,
            held_amount: balance.held,
            lots: Vec::new(),
        })
        .collect();
    let mut before = before;
    for event in events {
        lines.extend(lines_of(before, event, asset));
        before = &event.balances;
    }
    lines
}

/// Whether an event has a line of its own. `before` is what the event before it
/// says.
#[must_use]
pub fn moves(before: &[Balance], event: &Event, asset: Option<&str>) -> bool {
    lines_of(before, event, asset).next().is_some()
}

/// The sums of lines by asset: the balances after the last of them, without saying
/// what of it is owed.
#[must_use]
pub fn sums(lines: &[Line<'_>]) -> Vec<Balance> {
    let mut sums: BTreeMap<&Name, (i64, i64)> = BTreeMap::new();
    for line in lines {
        let (balance, held) = sums.entry(&line.asset).or_default();
        *balance = balance.saturating_add(line.amount);
        *held = held.saturating_add(line.held_amount);
    }
    let balance = |(asset, (balance, held)): (&Name, (i64, i64))| Balance {
        asset: asset.clone(),
        balance,
        held,
        deficit: 0,
    };
    sums.into_iter().map(balance).collect()
}

fn is_asked(asked: Option<&str>, asset: &str) -> bool {
    asked.is_none_or(|asked| asked == asset)
}

fn lines_of<'a>(
    before: &[Balance],
    event: &'a Event,
    asked: Option<&str>,
) -> impl Iterator<Item = Line<'a>> {
    let known = before.iter().chain(&event.balances);
    let assets: BTreeSet<&Name> = known
        .map(|balance| &balance.asset)
        .filter(|asset| is_asked(asked, asset))
        .collect();
    let used = operation_of(&event.payload);
    let moved: Vec<Line<'a>> = assets
        .into_iter()
        .map(|asset| {
            let (balance_before, held_before) = of(before, asset);
            let (balance, held) = of(&event.balances, asset);
            Line {
                kind: kind(&event.payload),
                event: Some(event),
                asset: asset.clone(),
                amount: balance.saturating_sub(balance_before),
                held_amount: held.saturating_sub(held_before),
                lots: lots(&event.payload, asset),
            }
        })
        // An operation that cost nothing is a line of what would have paid.
        .filter(|line| line.amount != 0 || line.held_amount != 0 || used == Some(&line.asset))
        .collect();
    moved.into_iter()
}

/// The balance and the held part of an asset.
fn of(balances: &[Balance], asset: &str) -> (i64, i64) {
    let found = balances.iter().find(|balance| balance.asset == *asset);
    found.map_or((0, 0), |balance| (balance.balance, balance.held))
}

/// The asset of an operation that was done.
fn operation_of(payload: &Payload) -> Option<&Name> {
    match payload {
        Payload::Debited(debited) => Some(&debited.asset),
        Payload::HoldCaptured(captured) if captured.counted => Some(&captured.asset),
        _ => None,
    }
}

/// What an event is called.
fn kind(payload: &Payload) -> LineKind {
    match payload {
        Payload::Credited(credited) if credited.recurring.is_some() => LineKind::GrantedForPeriod,
        Payload::Credited(credited) => match credited.lot.funding {
            Funding::Granted => LineKind::Granted,
            Funding::Purchased => LineKind::Purchased,
        },
        Payload::Debited(_) => LineKind::Charged,
        Payload::HoldCaptured(_) => LineKind::Captured,
        Payload::Refunded(_) => LineKind::Refunded,
        Payload::HoldPlaced(_) => LineKind::Held,
        Payload::HoldReleased(_) => LineKind::HoldReleased,
        Payload::HoldExpired(_) => LineKind::HoldExpired,
        Payload::LotExpired(_) => LineKind::LotExpired,
        Payload::Adjusted(_) => LineKind::Adjusted,
        Payload::TransferSent(_) => LineKind::TransferSent,
        Payload::TransferReceived(_) => LineKind::TransferReceived,
        Payload::PaymentRefundStarted(_) => LineKind::PaymentRefundHeld,
        Payload::PaymentRefunded(_) => LineKind::PaymentRefunded,
        Payload::PaymentRefundFailed(_) => LineKind::PaymentRefundReleased,
        Payload::SubscriptionRenewed(_) | Payload::SubscriptionEnded(_) => {
            LineKind::SubscriptionPassEnded
        }
        Payload::AccountOpened
        | Payload::AccountClosed
        | Payload::AccountBlocked
        | Payload::AccountUnblocked
        | Payload::HoldExtended(_)
        | Payload::PaymentCreated(_)
        | Payload::PaymentStatusRecorded(_)
        | Payload::PaymentSucceeded(_)
        | Payload::PaymentCanceled(_)
        | Payload::PaymentFeeRecorded(_)
        | Payload::PaymentAnomaly(_)
        | Payload::SubscriptionStarted(_)
        | Payload::SubscriptionPastDue(_)
        | Payload::SubscriptionCanceled(_)
        | Payload::SubscriptionResumed(_)
        | Payload::SubscriptionRescheduled(_)
        | Payload::CatalogApplied(_) => LineKind::Other,
    }
}

/// The parts of lots that an event moved, of one asset. What a final capture gave
/// back was not taken: it is not among them.
fn lots(payload: &Payload, asset: &str) -> Vec<Lot> {
    let parts: Vec<Lot> = match payload {
        Payload::HoldCaptured(captured) => {
            let taken = captured.held_parts.iter().chain(&captured.free_parts);
            taken.cloned().collect()
        }
        other => other.parts().cloned().collect(),
    };
    let of_asset = parts.into_iter().filter(|part| part.asset == *asset);
    of_asset.collect()
}

/// What an account loses at a moment to come, if nothing else happens until then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upcoming {
    /// When.
    pub expires_at: Timestamp,
    /// The asset.
    pub asset: Name,
    /// How much of it, in minor units.
    pub amount: i64,
    /// What would be left of the balance, in minor units.
    pub left_amount: i64,
    /// The lots that end then.
    pub lots: Vec<Lot>,
}

/// What an account loses by time, the soonest first. What holds have reserved is
/// not lost while they are open.
#[must_use]
pub fn upcoming(account: &Account, asset: Option<&str>) -> Vec<Upcoming> {
    let mut ending: BTreeMap<(Timestamp, &Name), Vec<Lot>> = BTreeMap::new();
    let lots = account
        .lots
        .iter()
        .filter(|lot| is_asked(asset, &lot.asset));
    for lot in lots {
        if let Some(expires_at) = lot.expires_at {
            let ending = ending.entry((expires_at, &lot.asset)).or_default();
            ending.push(lot.clone());
        }
    }
    let mut left: BTreeMap<&Name, i64> = BTreeMap::new();
    ending
        .into_iter()
        .map(|((expires_at, asset), lots)| {
            let amount = total(&lots);
            let left = left
                .entry(asset)
                .or_insert_with(|| account.totals(asset).balance);
            *left = left.saturating_sub(amount);
            Upcoming {
                expires_at,
                asset: asset.clone(),
                amount,
                left_amount: *left,
                lots,
            }
        })
        .collect()
}
