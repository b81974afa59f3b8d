//! Giving parts back to the lots they came from.

use super::grant::kind;
use crate::{
    account::{Account, Lot},
    catalog::{AssetKind, Catalog},
    event::Debt,
    primitives::Timestamp,
};

/// Gives parts back. A lot that is still there takes its part as it is; one
/// that expired meanwhile comes back for the catalog's grace, which begins once
/// per lot: what comes back later gets what is left of it.
pub(super) struct Returns<'a> {
    account: &'a Account,
    catalog: &'a Catalog,
    /// When they come back.
    at: Timestamp,
    graced: Vec<u64>,
    settled: Vec<Debt>,
}

impl<'a> Returns<'a> {
    pub(super) const fn new(account: &'a Account, catalog: &'a Catalog, at: Timestamp) -> Self {
        Self {
            account,
            catalog,
            at,
            graced: Vec::new(),
            settled: Vec::new(),
        }
    }

    /// The parts as they come back.
    pub(super) fn all(&mut self, parts: Vec<Lot>) -> Vec<Lot> {
        parts.into_iter().map(|part| self.one(part)).collect()
    }

    /// The lots that got the grace, and what of the parts pays what is owed.
    pub(super) fn end(self) -> (Vec<u64>, Vec<Debt>) {
        (self.graced, self.settled)
    }

    /// What comes back to a lot goes first to what a refund of its payment could
    /// not take back. Answers whether all of it does.
    fn settle(&mut self, part: &Lot) -> bool {
        let owed = self.account.owed_of(part.id, &self.settled);
        let pays = owed.min(part.amount);
        if pays > 0 {
            let debt = Debt::paid_by(&mut part.clone(), part.id, pays);
            self.settled.push(debt);
        }
        pays == part.amount
    }

    fn one(&mut self, mut part: Lot) -> Lot {
        if self.settle(&part) {
            return part;
        }
        // The period that it lasts as long as may have moved since it was taken.
        let is_pass = kind(self.catalog, &part.asset) == Some(AssetKind::Pass);
        let mut subscriptions = self.account.subscriptions.iter();
        let end = subscriptions.find_map(|it| it.end_of_lot(part.id, is_pass));
        if let Some(end) = end {
            part.expires_at = part.expires_at.map(|at| at.min(end));
        }
        let alive = self
            .account
            .lots
            .iter()
            .any(|lot| lot.id == part.id && !lot.is_due(self.at));
        if alive || !part.is_due(self.at) {
            return part;
        }
        let grace = self
            .account
            .graced_lots
            .iter()
            .rev()
            .find(|grace| grace.lot == part.id);
        if let Some(grace) = grace {
            part.expires_at = Some(grace.ends_at);
        } else {
            part.expires_at = Some(self.at.plus_us(self.catalog.refund_grace_us));
            if !self.graced.contains(&part.id) {
                self.graced.push(part.id);
            }
        }
        part
    }
}
