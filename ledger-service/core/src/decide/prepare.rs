//! What comes before a command: opening on first use, and what time has ended.

use std::borrow::Cow;

use super::{
    Context, Party,
    returns::Returns,
    work::{Work, bare_event},
};
use crate::{
    account::{Account, Funding, Lot, Status},
    catalog::Grant,
    event::{Credited, Event, HOUSE, HoldEnded, LotExpired, Payload},
    name::Name,
    primitives::Timestamp,
};

/// The events that open an account: the opening itself and the grants.
pub(super) fn open(work: &mut Work<'_>) {
    work.prepare(Party::Own, Payload::AccountOpened);
    if work.request.account == HOUSE {
        return;
    }
    for grant in &work.context.catalog.grants_on_opening {
        let lot = work
            .own
            .place(granted_lot(grant, grant.amount, work.context.now));
        work.prepare(
            Party::Own,
            Payload::Credited(Credited { lot, payment: None }),
        );
    }
}

/// The events that end what is due on one side.
pub(super) fn settle_due(work: &mut Work<'_>, party: Party) {
    while let Some(payload) = next_due_event(side_account(work, party), work.context) {
        work.prepare(party, payload);
    }
}

/// The account as reads show it.
pub(super) fn at_present<'a>(account: &'a Account, context: &Context<'_>) -> Cow<'a, Account> {
    let mut present = Cow::Borrowed(account);
    if account.status == Status::NotOpened && context.catalog.open_on_first_use {
        let mut opened = Account::default();
        for grant in &context.catalog.grants_on_opening {
            let mut lot = granted_lot(grant, grant.amount, context.now);
            lot.id = opened.lots_created.saturating_add(1);
            apply_payload(
                &mut opened,
                context,
                Payload::Credited(Credited { lot, payment: None }),
            );
        }
        return Cow::Owned(opened);
    }
    while let Some(payload) = next_due_event(&present, context) {
        apply_payload(present.to_mut(), context, payload);
    }
    present
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

fn apply_payload(account: &mut Account, context: &Context<'_>, payload: Payload) {
    let event = bare_event(
        account,
        context,
        &Name::default(),
        context.next_position,
        payload,
    );
    apply(account, &event);
}

fn side_account<'w>(work: &'w Work<'_>, party: Party) -> &'w Account {
    match (party, &work.other) {
        (Party::Other, Some(side)) => &side.account,
        _ => &work.own.account,
    }
}

/// What time ends next, in the order of time, whenever that is looked at. At
/// the same moment holds come first, because what they give back may be due
/// itself.
fn next_due_event(account: &Account, context: &Context<'_>) -> Option<Payload> {
    let now = context.now;
    let due_lots = account.lots.iter().filter(|lot| lot.is_due(now));
    let lot = due_lots.min_by_key(|lot| lot.expires_at);
    let due_holds = account.holds.iter().filter(|hold| hold.is_due(now));
    let hold = due_holds.min_by_key(|hold| hold.expires_at);
    if let Some(hold) = hold
        && lot.is_none_or(|lot| lot.expires_at >= Some(hold.expires_at))
    {
        let mut returns = Returns::new(account, context.catalog, hold.expires_at);
        let parts = returns.all(hold.parts.clone());
        return Some(Payload::HoldExpired(HoldEnded {
            hold: hold.position,
            operation: hold.operation.clone(),
            asset: hold.asset.clone(),
            amount: hold.held(),
            parts,
            graced: returns.graced(),
        }));
    }
    Some(Payload::LotExpired(LotExpired { lot: lot?.clone() }))
}

/// The lot that a grant makes; its id is given by the account.
pub(super) fn granted_lot(grant: &Grant, amount: i64, now: Timestamp) -> Lot {
    Lot {
        id: 0,
        asset: grant.asset.clone(),
        amount,
        funding: Funding::Granted,
        source: grant.source.clone(),
        priority: grant.priority,
        expires_at: grant.expires_after_us.map(|after| now.plus_us(after)),
        scope: grant.scope.iter().cloned().collect(),
        basis: 0,
        currency: None,
        created_at: now,
    }
}
