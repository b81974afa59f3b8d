//! Holds: placed, extended, captured, released.

use super::{
    Decided, Party,
    charge::{Lack, Order, check_price, insufficient, price},
    grant::{Giving, push_grants},
    limit,
    returns::Returns,
    work::Work,
};
use crate::{
    account::{Hold, Lot, take_from_front, total},
    catalog::OverrunPolicy,
    command::{CaptureHold, ExtendHold, PlaceHold, ReleaseHold, Target},
    event::{Debt, HoldCaptured, HoldEnded, HoldExtended, HoldPlaced, PaidWith, Payload},
    limits::{HOLD_DURATION_US_DEFAULT, HOLD_DURATION_US_MAX},
    record::{HoldEnd, HoldRecord, Record, Subject},
    rejection::Rejection,
};

pub(super) fn place(mut work: Work<'_>, place: &PlaceHold) -> Result<Vec<Decided>, Rejection> {
    let catalog = work.context.catalog;
    let order = Order {
        operation: place.operation.as_deref(),
        quantity: place.quantity,
        attributes: &place.attributes,
        explicit_price: place.explicit_price.as_ref(),
        max_price: place.max_price.as_ref(),
        confirmed: place.confirmed,
        origin: &work.request.origin,
    };
    let longest = work.context.now.plus_us(HOLD_DURATION_US_MAX);
    if place.duration.is_some_and(|us| us > HOLD_DURATION_US_MAX) {
        return Err(Rejection::HoldTooLong {
            maximum_expire_time: longest,
        });
    }
    let priced = price(work.account(), catalog, &order, work.context.now)?;
    work.own.check_room(priced.parts.len().max(1))?;
    work.own.check_hold(&priced)?;
    let operation = order
        .operation
        .and_then(|name| catalog.operations.get(name));
    let duration = place
        .duration
        .or_else(|| operation.map(|operation| operation.hold_duration_us))
        .unwrap_or(HOLD_DURATION_US_DEFAULT);
    let policy = place
        .overrun_policy
        .or_else(|| operation.map(|operation| operation.overrun));
    let expires_at = work.context.now.plus_us(duration);
    // From here on nothing fails.
    work.push(
        Party::Own,
        Payload::HoldPlaced(HoldPlaced {
            operation: place.operation.clone(),
            quantity: place.quantity,
            asset: priced.asset,
            amount: priced.amount,
            parts: priced.parts,
            overrun: policy.unwrap_or_default(),
            expires_at,
            attributes: priced.attributes,
            pass: priced.pass,
            counted_in: priced.counted_in,
        }),
    );
    Ok(work.finish())
}

pub(super) fn extend(
    mut work: Work<'_>,
    extend: &ExtendHold,
    record: Option<&Record>,
) -> Result<Vec<Decided>, Rejection> {
    let hold = open_hold(&work, extend.hold, record)?;
    let (id, present_end) = (hold.position, hold.expires_at);
    let maximum_expire_time = work.context.now.plus_us(HOLD_DURATION_US_MAX);
    if extend.hold_expire_time > maximum_expire_time {
        return Err(Rejection::HoldTooLong {
            maximum_expire_time,
        });
    }
    if extend.hold_expire_time <= present_end {
        return Err(Rejection::HoldNotExtended {
            hold: id,
            expire_time: present_end,
        });
    }
    // From here on nothing fails.
    let extended = HoldExtended {
        hold: id,
        expires_at: extend.hold_expire_time,
    };
    work.push(Party::Own, Payload::HoldExtended(extended));
    Ok(work.finish())
}

pub(super) fn release(
    mut work: Work<'_>,
    release: &ReleaseHold,
    record: Option<&Record>,
) -> Result<Vec<Decided>, Rejection> {
    let hold = open_hold(&work, release.hold, record)?;
    let mut returns = Returns::new(work.account(), work.context.catalog, work.context.now);
    let parts = returns.all(hold.parts.clone());
    let (graced, settled) = returns.end();
    // From here on nothing fails.
    let ended = HoldEnded {
        hold: hold.position,
        operation: hold.operation.clone(),
        asset: hold.asset.clone(),
        amount: hold.held(),
        parts,
        graced,
        settled,
    };
    work.push(Party::Own, Payload::HoldReleased(ended));
    Ok(work.finish())
}

pub(super) fn capture(
    work: Work<'_>,
    capture: &CaptureHold,
    record: Option<&Record>,
) -> Result<Vec<Decided>, Rejection> {
    if let Some(amount) = capture.amount {
        // Nothing may be taken: a final capture of nothing ends the hold.
        check_price(amount)?;
    }
    match find_hold(&work, capture.hold, record)? {
        Found::Open(hold) => {
            let hold = hold.clone();
            capture_open(work, capture, &hold)
        }
        Found::Expired(hold) => capture_late(work, capture, &hold),
    }
}

fn capture_open(
    mut work: Work<'_>,
    capture: &CaptureHold,
    hold: &Hold,
) -> Result<Vec<Decided>, Rejection> {
    let held = hold.held();
    let asked = capture.amount.unwrap_or(held);
    let above = asked.saturating_sub(held).max(0);
    let (free_parts, uncovered) = cover_overrun(&work, hold, asked, above)?;
    let mut rest = hold.parts.clone();
    let held_parts = take_from_front(&mut rest, asked.min(held));
    let mut returns = Returns::new(work.account(), work.context.catalog, work.context.now);
    let released = if capture.keep_open {
        Vec::new()
    } else {
        returns.all(rest)
    };
    let (graced, settled) = returns.end();
    // From here on nothing fails.
    let taken = Taken {
        held_parts,
        free_parts,
        released,
        graced,
        settled,
        uncovered,
        late: false,
        pass: hold.pass,
    };
    push_capture(&mut work, capture, hold, taken);
    Ok(work.finish())
}

/// What of the free lots pays for the part above the hold, and what stays
/// uncovered, by the hold's policy.
fn cover_overrun(
    work: &Work<'_>,
    hold: &Hold,
    asked: i64,
    above: i64,
) -> Result<(Vec<Lot>, i64), Rejection> {
    if above == 0 {
        return Ok((Vec::new(), 0));
    }
    match hold.overrun {
        OverrunPolicy::Reject => Err(Rejection::CaptureExceedsHold {
            hold: hold.position,
            asset: (&hold.asset).into(),
            amount: asked,
            held: hold.held(),
        }),
        OverrunPolicy::Cap => Ok((Vec::new(), above)),
        // A pass is not spent, however much is asked for.
        OverrunPolicy::OverdrawAvailable if hold.pass.is_some() => Ok((Vec::new(), above)),
        OverrunPolicy::OverdrawAvailable => {
            let parts = work
                .account()
                .take(&hold.asset, hold.operation.as_deref(), above);
            let uncovered = above.saturating_sub(total(&parts));
            Ok((parts, uncovered))
        }
    }
}

/// A capture after the hold expired takes what it may from the free lots, if
/// they still cover it.
fn capture_late(
    mut work: Work<'_>,
    capture: &CaptureHold,
    hold: &Hold,
) -> Result<Vec<Decided>, Rejection> {
    let left = hold.held();
    let asked = capture.amount.unwrap_or(left);
    if asked > left && hold.overrun == OverrunPolicy::Reject {
        return Err(Rejection::CaptureExceedsHold {
            hold: hold.position,
            asset: (&hold.asset).into(),
            amount: asked,
            held: left,
        });
    }
    let within = asked.min(left);
    let operation = hold.operation.as_deref();
    let pass = late_pass(&work, hold)?;
    let available = work.account().available_for(&hold.asset, operation);
    if available < within {
        let lack = Lack {
            asset: &hold.asset,
            required: within,
            available,
        };
        let buyer = work.buyer(operation);
        return Err(insufficient(work.context.catalog, lack, buyer));
    }
    let wanted = match hold.overrun {
        OverrunPolicy::OverdrawAvailable if pass.is_none() => asked.min(available),
        _ => within,
    };
    let free_parts = work.account().take(&hold.asset, operation, wanted);
    // From here on nothing fails.
    let taken = Taken {
        held_parts: Vec::new(),
        free_parts,
        released: Vec::new(),
        graced: Vec::new(),
        settled: Vec::new(),
        uncovered: asked.saturating_sub(wanted),
        late: true,
        pass,
    };
    push_capture(&mut work, capture, hold, taken);
    Ok(work.finish())
}

/// The pass that pays for a hold which has expired: it gave its use back, so an
/// active one has to have it, like money.
fn late_pass(work: &Work<'_>, hold: &Hold) -> Result<Option<u64>, Rejection> {
    if hold.pass.is_none() {
        return Ok(None);
    }
    let catalog = work.context.catalog;
    let operation = hold.operation.as_deref();
    let asset = catalog.assets.get(hold.asset.as_str());
    let fair_use = asset.and_then(|asset| asset.fair_use);
    let account = work.account();
    match account.pass(&hold.asset, operation, hold.quantity, fair_use) {
        Some(lot) => Ok(Some(lot.id)),
        None => {
            let lack = Lack {
                asset: &hold.asset,
                required: 1,
                available: 0,
            };
            Err(insufficient(catalog, lack, work.buyer(operation)))
        }
    }
}

/// What a capture takes and gives back.
struct Taken {
    held_parts: Vec<Lot>,
    free_parts: Vec<Lot>,
    released: Vec<Lot>,
    graced: Vec<u64>,
    settled: Vec<Debt>,
    uncovered: i64,
    late: bool,
    pass: Option<u64>,
}

fn push_capture(work: &mut Work<'_>, capture: &CaptureHold, hold: &Hold, taken: Taken) {
    let amount = total(&taken.held_parts).saturating_add(total(&taken.free_parts));
    let is_final = !capture.keep_open;
    let captured_in_all = hold.captured.saturating_add(amount);
    let done = is_final && (captured_in_all > 0 || hold.held() == 0);
    let counted = done && hold.operation.is_some();
    let parts = taken.held_parts.iter().chain(&taken.free_parts);
    let paid_with = PaidWith::of(parts, taken.pass);
    let operation = hold.operation.as_deref();
    let grants = counted
        .then(|| Giving::of_operation(work, operation, hold.quantity).after(&hold.asset, amount));
    // The hold gave its place back when it expired, unless it had been captured
    // in part; the first capture after that takes it again. There is no refusing
    // any more: in a state without room it is not counted.
    let takes_place = taken.late && hold.captured == 0 && (amount > 0 || done);
    let counted_in = if takes_place {
        limit::of_late_capture(work.context.catalog, operation)
    } else {
        Vec::new()
    };
    let counted_in = match work.own.check_counting(&counted_in) {
        Ok(()) => counted_in,
        Err(_) => Vec::new(),
    };
    work.push(
        Party::Own,
        Payload::HoldCaptured(HoldCaptured {
            hold: hold.position,
            operation: hold.operation.clone(),
            asset: hold.asset.clone(),
            amount,
            paid_with,
            held_parts: taken.held_parts,
            free_parts: taken.free_parts,
            released: taken.released,
            graced: taken.graced,
            settled: taken.settled,
            uncovered: taken.uncovered,
            is_final,
            late: taken.late,
            counted,
            attributes: hold.attributes.clone(),
            pass: taken.pass,
            quantity: hold.quantity,
            counted_in,
        }),
    );
    if let Some(grants) = grants {
        push_grants(work, grants);
    }
}

/// A hold that a command may be about.
enum Found<'a> {
    Open(&'a Hold),
    Expired(Hold),
}

/// The hold, which must be open.
fn open_hold<'a>(
    work: &'a Work<'_>,
    target: Target,
    record: Option<&Record>,
) -> Result<&'a Hold, Rejection> {
    match find_hold(work, target, record)? {
        Found::Open(hold) => Ok(hold),
        Found::Expired(hold) => Err(Rejection::HoldEnded {
            hold: hold.position,
            end: HoldEnd::Expired,
        }),
    }
}

fn find_hold<'a>(
    work: &'a Work<'_>,
    target: Target,
    record: Option<&Record>,
) -> Result<Found<'a>, Rejection> {
    if let Some(hold) = find_by_target(&work.account().holds, target) {
        return Ok(Found::Open(hold));
    }
    // One that this very decision found due is known from before.
    if let Some(hold) = find_by_target(&work.before().holds, target) {
        return Ok(Found::Expired(hold.clone()));
    }
    match record {
        Some(Record {
            account,
            subject: Subject::Hold(record),
        }) if *account == work.request.account => ended_hold(record),
        _ => Err(Rejection::HoldNotFound),
    }
}

fn ended_hold<'a>(record: &HoldRecord) -> Result<Found<'a>, Rejection> {
    match record.end {
        HoldEnd::Expired => Ok(Found::Expired(record.hold.clone())),
        HoldEnd::Open => Err(Rejection::HoldNotFound),
        end => Err(Rejection::HoldEnded {
            hold: record.hold.position,
            end,
        }),
    }
}

/// The hold among `holds` that a target names.
pub(super) fn find_by_target(holds: &[Hold], target: Target) -> Option<&Hold> {
    holds.iter().find(|hold| match target {
        Target::Position(position) => hold.position == position,
        Target::Request(id) => hold.request_id == Some(id),
    })
}
