//! What is kept: assets, and what is given of them.

use std::collections::BTreeSet;

use super::Text;
use crate::{account::Funding, name::Name};

/// A unit that balances are kept in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// What it is.
    pub kind: AssetKind,
    /// Minor units in a whole one, as a power of ten: 0 to 9.
    pub exponent: u8,
    /// What users call it.
    pub title: Option<Text>,
    /// Of points: the totals at which levels begin, ascending, the first 0;
    /// empty without levels.
    pub levels: Vec<i64>,
    /// Of a pass: how many operations one lot of it pays for; any number if
    /// absent.
    pub fair_use: Option<i64>,
}

/// What an asset is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssetKind {
    /// Real money; the asset's id is the currency's code.
    Money,
    /// Units that are bought.
    Credits,
    /// Units that are given.
    Allowance,
    /// Points that are earned, such as XP; they pay for nothing unless priced.
    Points,
    /// A time during which operations that it pays for cost nothing. A lot of
    /// it holds 1, and is used, not spent.
    Pass,
    /// A mark that an account has or has not: granted once, never spent.
    Badge,
}

/// Something given: on opening, or by an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The asset.
    pub asset: Name,
    /// How much, in minor units; above 0. 1 of a pass or a badge.
    pub amount: i64,
    /// The lot's source.
    pub source: Name,
    /// The lot's priority.
    pub priority: i32,
    /// How long the lot lives, in microseconds; never expires if absent. A pass
    /// that is bought or given always has it, unless it ends with a period.
    pub expires_after_us: Option<i64>,
    /// The operations that the lot may pay for; all if empty.
    pub scope: BTreeSet<Name>,
    /// Whether the lot counts as given or bought.
    pub funding: Funding,
}

/// Something that every account gets each period of the calendar in the book's
/// zone, by the first decision of that period. Nothing is made up for periods
/// in which nothing was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecurringGrant {
    /// What is given. Without rollover its lot ends with the period, or after
    /// `expires_after_us` if that is sooner.
    pub grant: Grant,
    /// How often.
    pub period: CalendarPeriod,
    /// Whether what is left outlives the period.
    pub rollover: bool,
}

/// A period of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CalendarPeriod {
    /// From midnight.
    Day,
    /// From Monday's midnight.
    Week,
    /// From the first day's midnight.
    Month,
}
