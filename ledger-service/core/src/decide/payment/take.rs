//! What a refund takes back of what a payment gave.

use crate::{
    account::{Account, Funding, Lot},
    catalog::AssetKind,
    decide::{Context, grant::kind},
    event::{Debt, PaymentRefunded},
    primitives::{basis_share, share_of_time},
    record::{PaidLot, PaymentRecord},
};

/// What a payment gave, lot by lot, and how much of that is still there.
pub(super) struct Leftovers<'a> {
    account: &'a Account,
    payment: &'a PaymentRecord,
    context: &'a Context<'a>,
    /// What of the money is neither paid back nor being paid back, but for the
    /// refund that this is about.
    refundable: i64,
    /// Beside each lot of the payment, what is there of what it gave.
    there: Vec<i64>,
}

/// What a refund takes: units that are there, and units that are not.
#[derive(Default)]
pub(super) struct Taking {
    pub(super) parts: Vec<Lot>,
    pub(super) missing: Vec<Debt>,
}

impl<'a> Leftovers<'a> {
    /// Lots that are due have to have been settled.
    pub(super) fn new(
        account: &'a Account,
        payment: &'a PaymentRecord,
        context: &'a Context<'a>,
        refundable: i64,
    ) -> Self {
        let mut there: Vec<i64> = Vec::with_capacity(payment.lots.len());
        for (index, paid) in payment.lots.iter().enumerate() {
            let found = account.lots.iter().find(|lot| lot.id == paid.lot);
            let in_lot = found.map_or(0, |lot| lot.amount);
            // Several gifts of one payment may be in one lot.
            let before = payment.lots.iter().take(index).zip(&there);
            let counted = before
                .filter(|(other, _)| other.lot == paid.lot)
                .fold(0_i64, |sum, (_, amount)| sum.saturating_add(*amount));
            there.push(paid.rest().min(in_lot.saturating_sub(counted)).max(0));
        }
        Self {
            account,
            payment,
            context,
            refundable,
            there,
        }
    }

    fn bought(&self) -> impl Iterator<Item = (&PaidLot, i64)> {
        let lots = self.payment.lots.iter().zip(self.there.iter().copied());
        lots.filter(|(paid, _)| paid.funding == Funding::Purchased)
    }

    /// Whether any of what was bought is not there (spent, held, moved or
    /// expired), or is a pass that was used.
    pub(super) fn is_spent(&self) -> bool {
        self.bought().any(|(paid, there)| {
            let lot = self.lot(paid.lot);
            there < paid.rest() || lot.is_some_and(|lot| lot.used > 0)
        })
    }

    /// What was paid for what is there, less what was paid back before without
    /// taking anything; of a pass, for the time that is left of it. If nothing
    /// has been given yet, all that was paid.
    pub(super) fn value(&self) -> i64 {
        if self.bought().next().is_none() {
            return self.refundable;
        }
        let values = self.bought().map(|(paid, there)| self.worth(paid, there));
        let value = values.fold(0, i64::saturating_add);
        value.saturating_sub(self.uncovered()).max(0)
    }

    fn worth(&self, paid: &PaidLot, there: i64) -> i64 {
        let basis = paid.basis_of(there);
        self.lot(paid.lot)
            .filter(|_| there > 0)
            .map_or(basis, |lot| self.unused(lot, basis))
    }

    /// What refunds before this one have paid back beyond what they have taken: a
    /// part of the price of a pass, which stays whole.
    fn uncovered(&self) -> i64 {
        let bases = self.bought().map(|(paid, _)| paid.rest_basis());
        let basis = bases.fold(0, i64::saturating_add);
        basis.saturating_sub(self.refundable).max(0)
    }

    /// Whether a refund that is done leaves nothing of what gives access: of the
    /// passes that were bought, or, if there were none, of all that was. What
    /// other refunds of the payment have reserved is there, until they are done.
    pub(super) fn is_access_taken(&self, refunded: &PaymentRefunded) -> bool {
        let had_pass = self.bought().any(|(paid, _)| self.is_pass(&paid.asset));
        let access: Vec<(&PaidLot, i64)> = self
            .bought()
            .filter(|(paid, _)| !had_pass || self.is_pass(&paid.asset))
            .collect();
        let of_access = |lots: &[Lot]| {
            let lots = lots.iter();
            let lots = lots.filter(|lot| access.iter().any(|(paid, _)| paid.lot == lot.id));
            lots.fold(0_i64, |sum, lot| sum.saturating_add(lot.amount))
        };
        let there = access.iter().map(|(_, there)| *there);
        let there = there.fold(0, i64::saturating_add);
        let others = self.account.refunds.iter().filter(|refund| {
            refund.payment == refunded.payment && Some(refund.position) != refunded.refund
        });
        let reserved = others.map(|refund| of_access(&refund.parts));
        let reserved = reserved.fold(0, i64::saturating_add);
        let free = of_access(&refunded.parts);
        let taken = of_access(&refunded.reserved).saturating_add(free);
        taken > 0 && reserved == 0 && free >= there
    }

    fn is_pass(&self, asset: &str) -> bool {
        kind(self.context.catalog, asset) == Some(AssetKind::Pass)
    }

    fn lot(&self, id: u64) -> Option<&Lot> {
        self.account.lots.iter().find(|lot| lot.id == id)
    }

    fn unused(&self, lot: &Lot, basis: i64) -> i64 {
        let is_pass = self.is_pass(&lot.asset);
        let Some(end) = lot.expires_at.filter(|_| is_pass) else {
            return basis;
        };
        let now = self.context.now;
        let mut subscriptions = self.account.subscriptions.iter();
        let period = subscriptions.find_map(|it| it.period_of_lot(lot.id));
        period.map_or_else(
            || share_of_time(basis, (lot.created_at, end), now),
            |period| period.share_left(basis, now),
        )
    }

    /// What a refund of `amount` takes: of what was bought, what is there first,
    /// then what is not; of what came on top, the same share of it as of the
    /// price, as far as it is there. A pass is taken for what the time is worth
    /// that is left of it, and only as a whole.
    pub(super) fn take(&self, amount: i64) -> Taking {
        let is_all = amount >= self.refundable;
        let mut taking = Taking::default();
        let mut left = amount.saturating_add(self.uncovered());
        for (paid, there) in self.bought() {
            let worth = self.worth(paid, there);
            let units = match self.is_pass(&paid.asset) {
                true if is_all || (left >= worth && left > 0) => there,
                true => 0,
                false => units_for(left, worth, there, is_all),
            };
            left = left.saturating_sub(basis_share(worth, units, there));
            self.take_part(paid, units, &mut taking);
        }
        left = left.max(0);
        for (paid, there) in self.bought() {
            let gone = paid.rest().saturating_sub(there);
            let basis = paid.rest_basis().saturating_sub(paid.basis_of(there));
            // A pass that is gone, in part, would be owed whole.
            let is_owed = is_all || !self.is_pass(&paid.asset);
            let units = if is_owed {
                units_for(left, basis, gone, is_all)
            } else {
                0
            };
            let basis = basis_share(basis, units, gone);
            left = left.saturating_sub(basis);
            if units > 0 {
                taking.missing.push(Debt {
                    lot: paid.lot,
                    asset: paid.asset.clone(),
                    amount: units,
                    basis,
                });
            }
        }
        self.take_bonuses(amount, &mut taking);
        taking
    }

    fn take_bonuses(&self, amount: i64, taking: &mut Taking) {
        let price = self.payment.amount.amount;
        let back = price.saturating_sub(self.refundable);
        let back = back.saturating_add(amount);
        let lots = self.payment.lots.iter().zip(self.there.iter().copied());
        for (paid, there) in lots.filter(|(paid, _)| paid.funding == Funding::Granted) {
            // What was paid back before it was given has made it less already.
            let whole = price.saturating_sub(paid.given_after);
            let back = back.saturating_sub(paid.given_after);
            let wanted = share_up(paid.amount, back.min(whole), whole);
            let units = wanted.saturating_sub(paid.taken).min(there);
            self.take_part(paid, units, taking);
        }
    }

    fn take_part(&self, paid: &PaidLot, units: i64, taking: &mut Taking) {
        let Some(lot) = self.lot(paid.lot).filter(|_| units > 0) else {
            return;
        };
        match taking.parts.iter_mut().find(|part| part.id == lot.id) {
            // All that is taken of a lot is one part of it.
            Some(part) => *part = lot.part(part.amount.saturating_add(units)),
            None => taking.parts.push(lot.part(units)),
        }
    }
}

/// How many of `units`, worth `basis` together, are taken for `amount`: as many
/// as it takes to cover it.
fn units_for(amount: i64, basis: i64, units: i64, is_all: bool) -> i64 {
    if is_all || basis <= amount {
        // What costs nothing is not taken for nothing, unless all is.
        return if is_all || amount > 0 { units } else { 0 };
    }
    share_up(units, amount, basis)
}

/// ⌈whole · part / of⌉, and no more than the whole.
pub(super) fn share_up(whole: i64, part: i64, of: i64) -> i64 {
    if part >= of {
        return whole;
    }
    let product = i128::from(whole).saturating_mul(i128::from(part.max(0)));
    let up = product.saturating_add(i128::from(of)).saturating_sub(1);
    let share = up.checked_div(i128::from(of)).unwrap_or(0);
    i64::try_from(share).map_or(whole, |share| share.min(whole))
}
