//! What a catalog says, after it was read and checked.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{CborLen, Decode, Encode};

use crate::{account::Funding, name::Name};

/// Billing policy of one book. Made by [`parse`](super::parse); a value of
/// this type is valid as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalog {
    /// The book that it is for.
    pub book: String,
    /// IANA name of the zone in which the book cuts days and months.
    pub time_zone: String,
    /// Whether a mutation on an unknown account opens it.
    pub open_on_first_use: bool,
    /// The keys that metadata may have.
    pub metadata_keys: BTreeSet<String>,
    /// Every asset, by id.
    pub assets: BTreeMap<String, Asset>,
    /// What an account gets on its opening, in this order.
    pub grants_on_opening: Vec<Grant>,
    /// Every operation, by id.
    pub operations: BTreeMap<String, Operation>,
    /// Limits of top-ups, by money asset.
    pub top_ups: BTreeMap<String, TopUp>,
    /// How long a lot that expired meanwhile lives on after a refund gave
    /// something back to it, in microseconds.
    pub refund_grace_us: i64,
}

/// A unit that balances are kept in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// What it is.
    pub kind: AssetKind,
    /// Minor units in a whole one, as a power of ten: 0 to 9.
    pub exponent: u8,
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
}

/// Something given: on opening, or by an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The asset.
    pub asset: Name,
    /// How much, in minor units; above 0.
    pub amount: i64,
    /// The lot's source.
    pub source: Name,
    /// The lot's priority.
    pub priority: i32,
    /// How long the lot lives, in microseconds; never expires if absent.
    pub expires_after_us: Option<i64>,
    /// The operations that the lot may pay for; all if empty.
    pub scope: BTreeSet<Name>,
    /// Whether the lot counts as given or bought; grants are given.
    pub funding: Funding,
}

/// Something a user pays for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The alternatives, in the order in which they are tried; at least one.
    pub prices: Vec<Price>,
    /// How many of it one call may order; at least 1.
    pub quantity_max: i64,
    /// What the operation itself gives, per unit of quantity.
    pub grants: Vec<Grant>,
    /// How long its holds live, in microseconds.
    pub hold_duration_us: i64,
    /// What a capture above the hold does.
    pub overrun: OverrunPolicy,
}

/// One alternative of a price, per unit of quantity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    /// The asset.
    pub asset: Name,
    /// How much, in minor units; 0 or more.
    pub amount: i64,
}

/// What a capture above the held amount does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(index_only)]
pub enum OverrunPolicy {
    /// Refuse it.
    #[default]
    #[n(0)]
    Reject,
    /// Capture what is held and forget the rest.
    #[n(1)]
    Cap,
    /// Take the rest from what is available, and report what is not covered.
    #[n(2)]
    OverdrawAvailable,
}

/// Limits of top-ups in one money asset, in minor units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopUp {
    /// Amounts to offer.
    pub presets: Vec<i64>,
    /// The least that may be asked for.
    pub minimum: i64,
    /// The most that may be asked for.
    pub maximum: i64,
}

impl TopUp {
    /// What to offer to someone who lacks `shortfall`: at least the minimum,
    /// rounded up to a preset if one is large enough; nothing if the maximum
    /// does not cover it.
    #[must_use]
    pub fn suggestion(&self, shortfall: i64) -> Option<i64> {
        let needed = shortfall.max(self.minimum);
        let preset = self
            .presets
            .iter()
            .copied()
            .filter(|preset| *preset >= needed)
            .min();
        preset
            .or(Some(needed))
            .filter(|amount| *amount <= self.maximum)
    }
}
