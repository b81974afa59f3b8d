//! Giving parts back to the lots they came from.

use super::Context;
use crate::account::{Account, Lot};

/// Gives parts back. A lot that is still there takes its part as it is; one
/// that expired meanwhile comes back for the catalog's grace, once per lot.
pub(super) struct Returns<'a> {
    account: &'a Account,
    context: &'a Context<'a>,
    graced: Vec<u64>,
}

impl<'a> Returns<'a> {
    pub(super) const fn new(account: &'a Account, context: &'a Context<'a>) -> Self {
        Self {
            account,
            context,
            graced: Vec::new(),
        }
    }

    /// The parts as they come back.
    pub(super) fn all(&mut self, parts: Vec<Lot>) -> Vec<Lot> {
        parts.into_iter().map(|part| self.one(part)).collect()
    }

    /// The lots that got the grace.
    pub(super) fn graced(self) -> Vec<u64> {
        self.graced
    }

    fn one(&mut self, mut part: Lot) -> Lot {
        let now = self.context.now;
        let alive = self
            .account
            .lots
            .iter()
            .any(|lot| lot.id == part.id && !lot.is_due(now));
        if alive || !part.is_due(now) {
            return part;
        }
        let had_grace = self.account.graced_lots.contains(&part.id);
        if !had_grace {
            part.expires_at = Some(now.plus_us(self.context.catalog.refund_grace_us));
            if !self.graced.contains(&part.id) {
                self.graced.push(part.id);
            }
        }
        part
    }
}
