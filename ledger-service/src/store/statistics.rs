//! Statistics: what events of each day add up to.

use ledger_core::Name;

/// The key of all that is beyond the largest of a figure: no operation, asset,
/// source, currency or attribute is called so.
pub const OTHER_KEYS: &str = "~";

/// A figure of a book, of one day and origin.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DayCount {
    /// Days since 1970-01-01.
    pub day: i64,
    /// The bot or service; empty where time alone was at work.
    pub origin: Name,
    /// The number of what is counted.
    pub metric: u8,
    /// Of what.
    pub key: Name,
    /// How much is added to it.
    pub value: i64,
}

/// What an account did on a day, with one asset and from one origin.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AccountDay {
    /// Days since 1970-01-01.
    pub day: i64,
    /// The asset; empty for what is about none.
    pub asset: Name,
    /// The account's id.
    pub account: Name,
    /// The bot or service; empty where time alone was at work.
    pub origin: Name,
    /// How many events of it were its owner's doing.
    pub active: i64,
    /// How many operations it paid for, less those refunded whole.
    pub operations: i64,
    /// What it spent of the asset, less what was refunded.
    pub spent: i64,
}

/// What events add to statistics: each key at most once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Figures of the book.
    pub days: Vec<DayCount>,
    /// Figures of accounts.
    pub accounts: Vec<AccountDay>,
}

impl Counted {
    /// Whether nothing is added.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.days.is_empty() && self.accounts.is_empty()
    }
}

/// Which statistics.
#[derive(Clone, Debug)]
pub struct StatisticsQuery {
    /// The first day of the period.
    pub first_day: i64,
    /// The last day of the period.
    pub last_day: i64,
    /// Of this origin only; of all if absent.
    pub origin: Option<Name>,
    /// How many keys a figure has at the most; the largest, and the rest together
    /// as [`OTHER_KEYS`].
    pub keys_max: u32,
    /// How many origins are told apart at the most, in the order of their ids.
    pub origins_max: u32,
    /// How many accounts are told at the most.
    pub top_max: u32,
    /// By what accounts are ordered: what they spent of an asset, or how many
    /// operations they paid for if absent.
    pub top_asset: Option<Name>,
}

/// A sum of a figure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure {
    /// Of this origin; over all that were asked for if absent.
    pub origin: Option<Name>,
    /// The number of what is counted.
    pub metric: u8,
    /// Of what.
    pub key: Name,
    /// The sum.
    pub value: i64,
}

/// An account of those that did most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopAccount {
    /// Its id.
    pub account: Name,
    /// How many operations it paid for.
    pub operations: i64,
    /// What it spent of the asset that accounts are ordered by; 0 without one.
    pub spent: i64,
}

/// Statistics, all of one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// How far the log is counted.
    pub position: u64,
    /// Sums over all days.
    pub all_time: Vec<Figure>,
    /// Sums over the period.
    pub period: Vec<Figure>,
    /// How many accounts were active in the period, by origin; absent for all that
    /// were asked for.
    pub active: Vec<(Option<Name>, i64)>,
    /// The accounts that did most in the period, the first first.
    pub top: Vec<TopAccount>,
}

/// Sums are taken of parts, so that no number of addends can overflow them: of
/// `value / SPLIT` and of `value % SPLIT`.
pub(super) const SPLIT: i64 = 1_000_000_000;

/// The sum that its parts make, or the number nearest to it.
pub(super) fn joined(high: i64, low: i64) -> i64 {
    let sum = i128::from(high) * i128::from(SPLIT) + i128::from(low);
    let nearest = sum.clamp(i64::MIN.into(), i64::MAX.into());
    i64::try_from(nearest).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{SPLIT, joined};

    #[test]
    fn parts_make_their_sum() {
        for value in [0, 1, -1, SPLIT, -SPLIT - 7, i64::MAX, i64::MIN] {
            assert_eq!(joined(value / SPLIT, value % SPLIT), value);
        }
        assert_eq!(joined(i64::MAX, 0), i64::MAX);
        assert_eq!(joined(i64::MIN, 0), i64::MIN);
    }
}
