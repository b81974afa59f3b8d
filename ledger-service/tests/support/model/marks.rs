//! Badges, passes, and levels of points.

use ledger_core::{Name, Rejection, account::Lot, catalog::AssetKind, event::LevelChange};

use super::{
    attempt::{Attempt, Try},
    ledger::Flaw,
    wallet::Wallet,
};

impl Attempt<'_> {
    fn is_a(&self, asset: &str, kind: AssetKind) -> bool {
        let found = self.ledger.catalog.assets.get(asset);
        found.is_some_and(|found| found.kind == kind)
    }

    pub(super) fn is_badge(&self, asset: &str) -> bool {
        self.is_a(asset, AssetKind::Badge)
    }

    pub(super) fn is_pass(&self, asset: &str) -> bool {
        self.is_a(asset, AssetKind::Pass)
    }

    /// A badge that is there already.
    pub(super) fn is_worn(&self, asset: &str) -> bool {
        self.is_badge(asset) && self.own.balance(asset) > 0
    }

    /// A badge is granted once.
    pub(super) fn refuse_worn(&self, asset: &str) -> Try<()> {
        match self.is_worn(asset) {
            true => Err(Rejection::BadgeAlreadyGranted {
                asset: asset.to_owned(),
            }),
            false => Ok(()),
        }
    }

    /// Of badges and passes there is one at a time.
    pub(super) fn check_single(&self, asset: &str, amount: i64) -> Try<()> {
        match amount > 1 && (self.is_badge(asset) || self.is_pass(asset)) {
            true => Err(Rejection::AmountTooLarge { amount, maximum: 1 }),
            false => Ok(()),
        }
    }

    /// Neither is spent or moved.
    pub(super) fn check_movable(&self, asset: &str) -> Try<()> {
        match self.is_badge(asset) || self.is_pass(asset) {
            true => Err(Rejection::AssetNotSpendable {
                asset: asset.to_owned(),
            }),
            false => Ok(()),
        }
    }

    /// A badge keeps where it was earned.
    pub(super) fn marked(&self, lot: Lot) -> Lot {
        let origin = Some(self.request.origin.clone());
        Lot {
            origin: origin.filter(|_| self.is_badge(&lot.asset)),
            ..lot
        }
    }

    /// The first active pass that so many more operations may use.
    pub(super) fn pass(&self, asset: &str, operation: Option<&Name>, quantity: i64) -> Option<u64> {
        let found = self.ledger.catalog.assets.get(asset)?;
        let passes = self.own.payers(asset, |lot| may_pay(lot, operation));
        let has_left = |lot: &&Lot| match found.fair_use {
            // Each unit of a lot is so many uses.
            Some(uses) if self.ledger.flaw == Some(Flaw::ShortPasses) => {
                lot.used + quantity < uses * lot.amount
            }
            Some(uses) => lot.used + quantity <= uses * lot.amount,
            None => true,
        };
        passes.iter().find(has_left).map(|lot| lot.id)
    }

    /// What points are worth before and after a change, if they have levels.
    pub(super) fn levels(&self, asset: &str, delta: i64) -> Option<LevelChange> {
        self.levels_in(&self.own, asset, delta)
    }

    /// The same in a wallet.
    pub(super) fn levels_in(
        &self,
        wallet: &Wallet,
        asset: &str,
        delta: i64,
    ) -> Option<LevelChange> {
        let levels = &self.ledger.catalog.assets.get(asset)?.levels;
        let level = |total: i64| {
            let reached = levels.iter().filter(|least| **least <= total).count();
            u32::try_from(reached.max(1)).unwrap()
        };
        let before = wallet.balance(asset);
        (!levels.is_empty()).then(|| LevelChange {
            before: level(before),
            after: level(before + delta),
        })
    }
}

/// Whether a lot may pay for an operation at all.
pub(super) fn may_pay(lot: &Lot, operation: Option<&Name>) -> bool {
    lot.scope.is_empty() || operation.is_some_and(|name| lot.scope.contains(name))
}
