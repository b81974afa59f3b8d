//! Lots, and parts of them.

use minicbor::{CborLen, Decode, Encode};

use crate::{
    name::Name,
    primitives::{Timestamp, basis_share},
};

/// Whether a lot was given or bought. Given ones are spent first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, CborLen)]
#[cbor(index_only)]
pub enum Funding {
    /// Given: nothing was paid.
    #[default]
    #[n(0)]
    Granted,
    /// Bought.
    #[n(1)]
    Purchased,
}

/// What one credit left in a wallet; also a part of that, taken by a charge or
/// reserved by a hold. A part carries all that is needed to give it back after
/// the rest of the lot is gone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(map)]
pub struct Lot {
    /// Counts from 1 within the account: a lower one is older.
    #[n(0)]
    pub id: u64,
    /// The asset.
    #[n(1)]
    pub asset: Name,
    /// What there is of it, above 0.
    #[n(2)]
    pub amount: i64,
    /// Whether it was given or bought.
    #[n(3)]
    pub funding: Funding,
    /// What it came from.
    #[n(4)]
    pub source: Name,
    /// Lower is spent first.
    #[n(5)]
    #[cbor(default, skip_if = "is_zero")]
    pub priority: i32,
    /// When what is left of it expires.
    #[n(6)]
    pub expires_at: Option<Timestamp>,
    /// The operations that it may pay for; all if empty. Ordered.
    #[n(7)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub scope: Vec<Name>,
    /// What was paid for `amount`, in minor units of `currency`.
    #[n(8)]
    #[cbor(default, skip_if = "is_none_paid")]
    pub basis: i64,
    /// The currency of `basis`; absent if nothing was paid.
    #[n(9)]
    pub currency: Option<Name>,
    /// When it was credited.
    #[n(10)]
    pub created_at: Timestamp,
    /// Of a pass: how many operations it has paid for.
    #[n(11)]
    #[cbor(default, skip_if = "is_none_paid")]
    pub used: i64,
    /// Of a badge: the origin in which it was earned.
    #[n(12)]
    pub origin: Option<Name>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the encoder's signature")]
const fn is_zero(value: &i32) -> bool {
    *value == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the encoder's signature")]
const fn is_none_paid(value: &i64) -> bool {
    *value == 0
}

impl Lot {
    /// Its place in the order of consumption: by asset, then priority, then
    /// soonest expiry (none last), then given before bought, then oldest.
    #[must_use]
    pub fn order(&self) -> (&str, i32, Timestamp, Funding, u64) {
        let expiry = self.expires_at.unwrap_or(Timestamp(i64::MAX));
        (&self.asset, self.priority, expiry, self.funding, self.id)
    }

    /// Whether it may pay for `operation`; a lot with a scope pays only for
    /// operations that it names.
    #[must_use]
    pub fn pays_for(&self, operation: Option<&str>) -> bool {
        self.scope.is_empty()
            || operation.is_some_and(|name| self.scope.iter().any(|allowed| allowed == name))
    }

    /// Whether, as a pass, it pays for `quantity` more operations: each unit of it
    /// for `fair_use` in all, or for any number.
    #[must_use]
    pub fn admits(&self, quantity: i64, fair_use: Option<i64>) -> bool {
        let used = self.used.saturating_add(quantity);
        fair_use.is_none_or(|uses| used <= uses.saturating_mul(self.amount))
    }

    /// Whether it has expired by `now`.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|expiry| expiry <= now)
    }

    /// A part of it, with its share of the basis. `0 < amount <= self.amount`.
    #[must_use]
    pub fn part(&self, amount: i64) -> Self {
        let basis = basis_share(self.basis, amount, self.amount);
        Self {
            amount,
            basis,
            ..self.clone()
        }
    }

    /// Takes `part` away from it.
    pub fn remove(&mut self, part: &Self) {
        self.amount = self.amount.saturating_sub(part.amount);
        self.basis = self.basis.saturating_sub(part.basis);
    }

    /// Adds `part` to it.
    pub fn add(&mut self, part: &Self) {
        self.amount = self.amount.saturating_add(part.amount);
        self.basis = self.basis.saturating_add(part.basis);
    }

    /// Whether the two may become one: equal in all that decides when they are
    /// spent and what they are worth.
    #[must_use]
    pub fn merges_with(&self, other: &Self) -> bool {
        let unit_basis_equal = i128::from(self.basis).saturating_mul(i128::from(other.amount))
            == i128::from(other.basis).saturating_mul(i128::from(self.amount));
        unit_basis_equal
            && self.asset == other.asset
            && self.source == other.source
            && self.priority == other.priority
            && self.expires_at == other.expires_at
            && self.funding == other.funding
            && self.currency == other.currency
            && self.scope == other.scope
            && self.origin == other.origin
    }
}

/// The sum of the parts' amounts.
#[must_use]
pub fn total(parts: &[Lot]) -> i64 {
    parts
        .iter()
        .fold(0, |sum, part| sum.saturating_add(part.amount))
}

/// Takes `amount` from the end of `parts`, the last taken first, and gives
/// what was taken in that order. Less if there is less.
pub fn take_from_end(parts: &mut Vec<Lot>, amount: i64) -> Vec<Lot> {
    let mut taken = Vec::new();
    let mut missing = amount;
    while missing > 0 {
        let Some(last) = parts.last_mut() else { break };
        let part = last.part(missing.min(last.amount));
        last.remove(&part);
        if last.amount == 0 {
            parts.pop();
        }
        missing = missing.saturating_sub(part.amount);
        taken.push(part);
    }
    taken
}

/// Takes `amount` from the front of `parts`, in order of consumption. Less if
/// there is less.
pub fn take_from_front(parts: &mut Vec<Lot>, amount: i64) -> Vec<Lot> {
    parts.reverse();
    let taken = take_from_end(parts, amount);
    parts.reverse();
    taken
}
