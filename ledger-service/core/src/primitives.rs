//! Small values that everything else is made of.

use std::fmt;

use minicbor::{CborLen, Decode, Encode};

use crate::Name;

/// A moment: microseconds since 1970-01-01T00:00:00Z.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, CborLen,
)]
#[cbor(transparent)]
pub struct Timestamp(#[n(0)] pub i64);

impl Timestamp {
    /// The moment `us` microseconds later, or the last one there is.
    #[must_use]
    pub const fn plus_us(self, us: i64) -> Self {
        Self(self.0.saturating_add(us))
    }

    /// Microseconds from `earlier` to this moment; negative if it is later.
    #[must_use]
    pub const fn us_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// The id of a request: the 16 bytes of an RFC 9562 UUID.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, CborLen)]
#[cbor(transparent)]
pub struct RequestId(
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub [u8; 16],
);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        uuid::Uuid::from_bytes(self.0).fmt(f)
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An amount of real money.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(map)]
pub struct Money {
    /// ISO 4217 code, or `XTR`.
    #[n(0)]
    pub currency: Name,
    /// Minor units of the currency.
    #[n(1)]
    pub amount: i64,
}

/// The share of `basis` that `part` of `whole` carries: ⌊basis · part / whole⌋,
/// and all of it when `part` is the whole, so that repeated taking loses and
/// makes nothing. `0 < part <= whole` and `basis >= 0`.
#[must_use]
pub(crate) fn basis_share(basis: i64, part: i64, whole: i64) -> i64 {
    if part >= whole {
        return basis;
    }
    let product = i128::from(basis).saturating_mul(i128::from(part));
    let share = product.checked_div(i128::from(whole)).unwrap_or(0);
    i64::try_from(share).unwrap_or(basis)
}

/// The share of `amount`, paid for the time from one moment until another, that
/// is for what is left of it at `now`, rounded down.
#[must_use]
pub(crate) fn share_of_time(
    amount: i64,
    (from, until): (Timestamp, Timestamp),
    now: Timestamp,
) -> i64 {
    let whole = until.us_since(from).max(1);
    let left = until.us_since(now).clamp(0, whole);
    basis_share(amount, left, whole)
}

/// Divides `whole` among `weights` in proportion: ⌊whole · weight / sum⌋ each,
/// and what that leaves to the largest remainders, the first of equals. Sums to
/// `whole`. Weights are above 0, `whole` is 0 or more.
#[must_use]
pub(crate) fn divide(whole: i64, weights: &[i64]) -> Vec<i64> {
    let sum: i128 = weights.iter().map(|weight| i128::from(*weight)).sum();
    let exact = |weight: &i64| i128::from(whole).saturating_mul(i128::from(*weight));
    let mut shares: Vec<i64> = weights
        .iter()
        .map(|weight| exact(weight).checked_div(sum).unwrap_or(0))
        .map(|share| i64::try_from(share).unwrap_or(0))
        .collect();
    let given = shares.iter().copied().fold(0, i64::saturating_add);
    let mut order: Vec<usize> = (0..weights.len()).collect();
    let remainder = |index: &usize| {
        let weight = weights.get(*index);
        weight.map_or(0, |weight| exact(weight).checked_rem(sum).unwrap_or(0))
    };
    order.sort_by_key(|index| std::cmp::Reverse(remainder(index)));
    let left = usize::try_from(whole.saturating_sub(given)).unwrap_or(0);
    for index in order.into_iter().take(left) {
        if let Some(share) = shares.get_mut(index) {
            *share = share.saturating_add(1);
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::{basis_share, divide};

    #[test]
    fn a_price_is_divided_without_losing_a_kopeck() {
        let cases: [(i64, &[i64], &[i64]); 6] = [
            (100, &[1, 1, 1], &[34, 33, 33]),
            (39_900, &[1], &[39_900]),
            (10, &[3, 3, 1], &[4, 4, 2]),
            (1, &[1, 2], &[0, 1]),
            (0, &[5, 7], &[0, 0]),
            (7, &[], &[]),
        ];
        for (whole, weights, wanted) in cases {
            assert_eq!(divide(whole, weights), wanted, "{whole} by {weights:?}");
        }
    }

    #[test]
    fn a_basis_is_divided_without_loss() {
        // 399 ₽ for 20 credits: 19.95 ₽ each.
        let (mut basis, mut left) = (39_900, 20);
        while left > 0 {
            let share = basis_share(basis, 1, left);
            assert_eq!(share, 1_995);
            (basis, left) = (basis - share, left - 1);
        }
        assert_eq!(basis, 0);
    }

    #[test]
    fn an_indivisible_basis_ends_at_zero() {
        for pieces in 1..50_i64 {
            let (mut basis, mut left) = (1_000, pieces);
            while left > 0 {
                let share = basis_share(basis, 1, left);
                assert!(share >= 0);
                (basis, left) = (basis - share, left - 1);
            }
            assert_eq!(basis, 0, "{pieces} pieces");
        }
    }

    #[test]
    fn large_values_do_not_overflow() {
        assert_eq!(basis_share(i64::MAX, i64::MAX - 1, i64::MAX), i64::MAX - 1);
    }
}
