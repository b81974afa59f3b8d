//! Refunds of payments that run, and what refunds could not take back.

use minicbor::{CborLen, Decode, Encode};

use super::{Account, Lot};
use crate::{event::Debt, limits::DEBTS_MAX, primitives::basis_share};

/// A refund of a payment that was started and is not done. Its parts have left
/// the free lots, so nobody spends them meanwhile.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(map)]
pub struct OpenRefund {
    /// The position of the event that started it: its id.
    #[n(0)]
    pub position: u64,
    /// The payment.
    #[n(1)]
    pub payment: u64,
    /// What is reserved.
    #[n(2)]
    pub parts: Vec<Lot>,
}

impl Debt {
    /// What `amount` of `part` pays of what is owed for a lot; it is taken out of
    /// the part.
    #[must_use]
    pub fn paid_by(part: &mut Lot, lot: u64, amount: i64) -> Self {
        let pays = part.part(amount);
        part.remove(&pays);
        Self {
            lot,
            asset: pays.asset,
            amount: pays.amount,
            basis: pays.basis,
        }
    }
}

impl Account {
    /// The refund of a payment that the event at `position` started, if it is
    /// not done.
    #[must_use]
    pub fn open_refund(&self, position: u64) -> Option<&OpenRefund> {
        self.refunds
            .iter()
            .find(|refund| refund.position == position)
    }

    /// What of a lot's units is still owed, besides what `settled` pays.
    #[must_use]
    pub fn owed_of(&self, lot: u64, settled: &[Debt]) -> i64 {
        let sum = |debts: &[Debt]| {
            let of_lot = debts.iter().filter(|debt| debt.lot == lot);
            of_lot.fold(0_i64, |sum, debt| sum.saturating_add(debt.amount))
        };
        sum(&self.debts).saturating_sub(sum(settled))
    }

    /// What of a new lot pays what is owed of its asset, besides what `settled`
    /// pays: the oldest debt first.
    #[must_use]
    pub fn settles(&self, lot: &Lot, settled: &[Debt]) -> Vec<Debt> {
        let mut rest = lot.clone();
        let mut paid = settled.to_vec();
        let mut settles = Vec::new();
        for debt in self.debts.iter().filter(|debt| debt.asset == lot.asset) {
            let still = debt.amount.min(self.owed_of(debt.lot, &paid));
            let pays = still.min(rest.amount);
            if pays > 0 {
                let part = Debt::paid_by(&mut rest, debt.lot, pays);
                paid.push(part.clone());
                settles.push(part);
            }
        }
        settles
    }

    /// Owes more. Beyond the number that is kept apart, a debt is added to
    /// another one of its asset; a catalog has fewer assets than that number.
    pub(super) fn owe(&mut self, debts: &[Debt]) {
        for debt in debts {
            let totals = self.totals_mut(&debt.asset);
            totals.deficit = totals.deficit.saturating_add(debt.amount);
            totals.balance = totals.balance.saturating_sub(debt.amount);
            let is_full = self.debts.len() >= DEBTS_MAX;
            let of_lot = |kept: &Debt| kept.asset == debt.asset && kept.lot == debt.lot;
            let of_asset = |kept: &Debt| is_full && kept.asset == debt.asset;
            let index = self.debts.iter().position(of_lot);
            let index = index.or_else(|| self.debts.iter().position(of_asset));
            match index.and_then(|index| self.debts.get_mut(index)) {
                Some(kept) => {
                    kept.amount = kept.amount.saturating_add(debt.amount);
                    kept.basis = kept.basis.saturating_add(debt.basis);
                }
                None => self.debts.push(debt.clone()),
            }
        }
    }

    /// Owes less.
    pub(super) fn settle(&mut self, settled: &[Debt]) {
        for paid in settled {
            let mut left = paid.amount;
            for debt in &mut self.debts {
                if debt.asset == paid.asset && debt.lot == paid.lot {
                    let pays = left.min(debt.amount);
                    let basis = basis_share(debt.basis, pays, debt.amount);
                    debt.amount = debt.amount.saturating_sub(pays);
                    debt.basis = debt.basis.saturating_sub(basis);
                    left = left.saturating_sub(pays);
                }
            }
            self.debts.retain(|debt| debt.amount > 0);
            let totals = self.totals_mut(&paid.asset);
            totals.deficit = totals.deficit.saturating_sub(paid.amount);
        }
    }
}
