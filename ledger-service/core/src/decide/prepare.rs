//! What comes before a command: opening on first use, and what time has ended.

use std::borrow::Cow;

use super::{
    Context, Party,
    grant::{
        credited, granted_lot, has_badge, is_due, mark_origin, planned_lot, recurring_lot, settles,
    },
    returns::Returns,
    subscription,
    work::{Side, Work, bare_event},
};
use crate::{
    account::{Account, Lot, Status, Subscription},
    event::{Credited, Event, HoldEnded, LotExpired, Payload, PeriodTimes, RecurringPeriod},
    name::Name,
};

/// The events that open an account: the opening itself and the grants.
pub(super) fn open(work: &mut Work<'_>) {
    work.prepare(Party::Own, Payload::AccountOpened);
    if is_of_the_book(&work.request.account) {
        return;
    }
    for grant in &work.context.catalog.grants_on_opening {
        let mut lot = granted_lot(grant, grant.amount, work.context.now);
        if has_badge(work.account(), work.context.catalog, &lot.asset) {
            continue;
        }
        mark_origin(&mut lot, work.context.catalog, &work.request.origin);
        give(work, lot, None);
    }
    give_recurring(work);
}

/// The events of what the account gets this period and has not got yet. What
/// the wallet has no room for stays due.
pub(super) fn give_recurring(work: &mut Work<'_>) {
    if is_of_the_book(&work.request.account) {
        return;
    }
    let (catalog, now) = (work.context.catalog, work.context.now);
    for (id, recurring) in &catalog.recurring_grants {
        if !is_due(work.account(), id, now) {
            continue;
        }
        let (lot, period) = recurring_lot(id, recurring, catalog, now);
        if takes(&work.own, &lot) {
            give(work, lot, Some(period));
        }
    }
}

fn give(work: &mut Work<'_>, lot: Lot, recurring: Option<RecurringPeriod>) {
    let lot = work.own.place(lot);
    let before = work.account().totals(&lot.asset).balance;
    let credited = credited(work.context.catalog, lot, before, recurring);
    work.prepare(Party::Own, Payload::Credited(credited));
}

/// Whether the account has room for a lot that is given.
fn takes(side: &Side<'_>, lot: &Lot) -> bool {
    side.check_room(1).is_ok() && side.check_balance(&lot.asset, lot.amount).is_ok()
}

/// Accounts whose ids begin with `@` are the book's own and get nothing.
fn is_of_the_book(account: &str) -> bool {
    account.starts_with('@')
}

/// The events that end what is due on one side.
pub(super) fn settle_due(work: &mut Work<'_>, party: Party) {
    while let Some(payload) = next_due_event(side_account(work, party), work.context) {
        work.prepare(party, payload);
    }
}

/// The account as reads show it: what the next decision about it would begin
/// with.
pub(super) fn at_present<'a>(
    id: &str,
    account: &'a Account,
    context: &Context<'_>,
) -> Cow<'a, Account> {
    brought_up(id, account, context, &mut |_, _| {})
}

/// The events that the next decision about an account would begin with, each with
/// the balances after it. They are not recorded, and have no position.
pub(super) fn pending(id: &str, account: &Account, context: &Context<'_>) -> Vec<Event> {
    let mut events = Vec::new();
    brought_up(id, account, context, &mut |event, after| {
        events.push(Event {
            position: 0,
            previous_position: 0,
            balances: after.balances(),
            ..event
        });
    });
    events
}

/// Brings an account up to the context's time, and tells each event of that with
/// the account after it.
fn brought_up<'a>(
    id: &str,
    account: &'a Account,
    context: &Context<'_>,
    tell: &mut impl FnMut(Event, &Account),
) -> Cow<'a, Account> {
    let catalog = context.catalog;
    let mut present = Cow::Borrowed(account);
    while let Some(payload) = next_due_event(&present, context) {
        apply_payload(present.to_mut(), context, payload, tell);
    }
    let opens = account.status == Status::NotOpened && catalog.open_on_first_use;
    if is_of_the_book(id) || !(opens || account.status == Status::Open) {
        return present;
    }
    if opens {
        let mut opened = Account::default();
        for grant in &catalog.grants_on_opening {
            let lot = granted_lot(grant, grant.amount, context.now);
            if !has_badge(&opened, catalog, &lot.asset) {
                show(&mut opened, context, (lot, None), tell);
            }
        }
        present = Cow::Owned(opened);
    }
    for (id, recurring) in &catalog.recurring_grants {
        if !is_due(&present, id, context.now) {
            continue;
        }
        let (lot, period) = recurring_lot(id, recurring, catalog, context.now);
        if takes(&Side::new(&present), &lot) {
            show(present.to_mut(), context, (lot, Some(period)), tell);
        }
    }
    present
}

/// Gives a lot to a copy that is only looked at.
fn show(
    account: &mut Account,
    context: &Context<'_>,
    (lot, recurring): (Lot, Option<RecurringPeriod>),
    tell: &mut impl FnMut(Event, &Account),
) {
    let lot = Side::new(account).place(lot);
    let before = account.totals(&lot.asset).balance;
    let credited = credited(context.catalog, lot, before, recurring);
    apply_payload(account, context, Payload::Credited(credited), tell);
}

/// Applies an event to a working copy. What this crate itself decided from the
/// same state always applies.
pub(super) fn apply(account: &mut Account, event: &Event) {
    let result = account.evolve(event);
    debug_assert_eq!(
        result,
        Ok(()),
        "a decision's own event applies to its state"
    );
}

fn apply_payload(
    account: &mut Account,
    context: &Context<'_>,
    payload: Payload,
    tell: &mut impl FnMut(Event, &Account),
) {
    let event = bare_event(
        account,
        context,
        &Name::default(),
        context.next_position,
        payload,
    );
    apply(account, &event);
    tell(event, account);
}

fn side_account<'w>(work: &'w Work<'_>, party: Party) -> &'w Account {
    match (party, &work.other) {
        (Party::Other, Some(side)) => &side.account,
        _ => &work.own.account,
    }
}

/// What time does to a subscription: the next lot of a period that has begun, or
/// its own next event.
fn due_period(account: &Account, subscription: &Subscription, context: &Context<'_>) -> Payload {
    let giving = subscription.giving();
    let Some((period, planned)) = giving.and_then(|period| Some((period, period.gives.first()?)))
    else {
        return subscription::due_event(account, subscription, context);
    };
    let PeriodTimes {
        payment,
        starts_at,
        ends_at,
        ..
    } = period.times;
    let lot = planned_lot(planned, starts_at, Some(ends_at));
    let mut side = Side::new(account);
    let lot = match side.check_room(1) {
        Ok(()) => side.place(lot),
        Err(_) => side.squeeze_in(lot, &[]),
    };
    let before = account.totals(&lot.asset).balance;
    Payload::Credited(Credited {
        payment: Some(payment),
        subscription: Some(subscription.position),
        settled: settles(account, &lot, &[]),
        ..credited(context.catalog, lot, before, None)
    })
}

/// What time ends next, in the order of time, whenever that is looked at. At
/// the same moment subscriptions come first, because their passes may live on,
/// then holds, because what they give back may be due itself.
fn next_due_event(account: &Account, context: &Context<'_>) -> Option<Payload> {
    let now = context.now;
    let due_lots = account.lots.iter().filter(|lot| lot.is_due(now));
    let lot = due_lots.min_by_key(|lot| lot.expires_at);
    let due_holds = account.holds.iter().filter(|hold| hold.is_due(now));
    let hold = due_holds.min_by_key(|hold| hold.expires_at);
    if let Some((at, subscription)) = subscription::next_due(account, context)
        && lot.is_none_or(|lot| lot.expires_at >= Some(at))
        && hold.is_none_or(|hold| hold.expires_at >= at)
    {
        return Some(due_period(account, subscription, context));
    }
    if let Some(hold) = hold
        && lot.is_none_or(|lot| lot.expires_at >= Some(hold.expires_at))
    {
        let mut returns = Returns::new(account, context.catalog, hold.expires_at);
        let parts = returns.all(hold.parts.clone());
        let (graced, settled) = returns.end();
        return Some(Payload::HoldExpired(HoldEnded {
            hold: hold.position,
            operation: hold.operation.clone(),
            asset: hold.asset.clone(),
            amount: hold.held(),
            parts,
            graced,
            settled,
        }));
    }
    Some(Payload::LotExpired(LotExpired { lot: lot?.clone() }))
}
