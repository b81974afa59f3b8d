//! Accounts, and what they have.

use ledger_core::{
    Account, Name, Timestamp,
    account::{Hold, Lot, Status},
    catalog::{AssetKind, Catalog},
    event::Balance,
};
use ledger_proto::v1;

use super::{
    attributes, cost_basis, funding, number, or_empty, overrun, reason, scope, takes, timestamp,
};
use crate::grpc::names::{AccountName, event_name, lot_name};

/// Balances.
pub(in crate::grpc) fn balances(balances: &[Balance]) -> Vec<v1::Balance> {
    let balance = |balance: &Balance| v1::Balance {
        asset: (&balance.asset).into(),
        balance: balance.balance,
        available: balance
            .balance
            .saturating_add(balance.deficit)
            .saturating_sub(balance.held),
        held: balance.held,
        deficit: balance.deficit,
    };
    balances.iter().map(balance).collect()
}

/// An account: what was written of it, and its balances as they are now.
pub(in crate::grpc) fn account(name: String, written: &Account, present: &Account) -> v1::Account {
    let is_opened = written.status != Status::NotOpened;
    v1::Account {
        name,
        state: state(written).into(),
        open_time: is_opened.then(|| timestamp(written.opened_at)),
        origin: (&written.origin).into(),
        block_reason: written.block.as_ref().map(reason),
        last_activity_time: is_opened.then(|| timestamp(written.last_activity_at)),
        version: number(written.version),
        balances: balances(&present.balances()),
    }
}

/// The passes of an account, the one that ends first first.
pub(in crate::grpc) fn passes(account: &Account, catalog: &Catalog) -> Vec<v1::ActivePass> {
    let known = |lot: &Lot| catalog.assets.get(lot.asset.as_str());
    let is_pass = |lot: &&Lot| known(lot).is_some_and(|asset| asset.kind == AssetKind::Pass);
    let mut passes: Vec<&Lot> = account.lots.iter().filter(is_pass).collect();
    passes.sort_by_key(|lot| lot.expires_at.unwrap_or(Timestamp(i64::MAX)));
    let pass = |lot: &Lot| v1::ActivePass {
        asset: (&lot.asset).into(),
        expire_time: lot.expires_at.map(timestamp),
        used_count: lot.used,
        fair_use_count: known(lot).and_then(|asset| asset.fair_use).unwrap_or(0),
    };
    passes.into_iter().map(pass).collect()
}

/// Whether an account takes requests.
pub(in crate::grpc) fn state(account: &Account) -> v1::AccountState {
    match account.status {
        Status::NotOpened => v1::AccountState::NotOpened,
        Status::Closed => v1::AccountState::Closed,
        Status::Open if account.block.is_some() => v1::AccountState::Blocked,
        Status::Open => v1::AccountState::Open,
    }
}

/// A lot with its held parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::grpc) struct OpenLot {
    /// All that is left of it, held parts included.
    pub(in crate::grpc) lot: Lot,
    /// The held parts.
    pub(in crate::grpc) held: i64,
}

/// The open lots of an account with their held parts, in the order in which
/// they are spent.
pub(in crate::grpc) fn open_lots(account: &Account) -> Vec<OpenLot> {
    let mut lots: Vec<OpenLot> = account
        .lots
        .iter()
        .map(|lot| OpenLot {
            lot: lot.clone(),
            held: 0,
        })
        .collect();
    let held = account.holds.iter().flat_map(|hold| &hold.parts);
    let refunding = account.refunds.iter().flat_map(|refund| &refund.parts);
    for part in held.chain(refunding) {
        match lots.iter_mut().find(|open| open.lot.id == part.id) {
            Some(open) => {
                open.lot.add(part);
                open.held = open.held.saturating_add(part.amount);
            }
            None => lots.push(OpenLot {
                lot: part.clone(),
                held: part.amount,
            }),
        }
    }
    lots.sort_by(|a, b| a.lot.order().cmp(&b.lot.order()));
    lots
}

/// A lot.
pub(in crate::grpc) fn lot(account: &AccountName, open: OpenLot) -> v1::Lot {
    let OpenLot { lot, held } = open;
    v1::Lot {
        name: lot_name(account, lot.id),
        remaining_amount: lot.amount,
        held_amount: held,
        funding: funding(lot.funding),
        priority: lot.priority,
        expire_time: lot.expires_at.map(timestamp),
        cost_basis: cost_basis(&lot),
        create_time: Some(timestamp(lot.created_at)),
        scope: scope(&lot),
        used_count: lot.used,
        origin: or_empty(lot.origin.as_ref()),
        asset: lot.asset.into(),
        source: lot.source.into(),
    }
}

/// An open hold. `external_id` is told by the event that placed it.
pub(in crate::grpc) fn hold(book: &str, hold: &Hold, external_id: Option<&Name>) -> v1::Hold {
    v1::Hold {
        name: event_name(book, hold.position),
        request_id: hold.request_id.map(|id| id.to_string()).unwrap_or_default(),
        external_id: or_empty(external_id),
        operation: or_empty(hold.operation.as_ref()),
        asset: (&hold.asset).into(),
        held_amount: hold.held(),
        captured_amount: hold.captured,
        overrun_policy: overrun(hold.overrun),
        expire_time: Some(timestamp(hold.expires_at)),
        create_time: Some(timestamp(hold.placed_at)),
        takes: takes(&hold.parts),
        attributes: attributes(&hold.attributes),
        quantity: hold.quantity,
    }
}
