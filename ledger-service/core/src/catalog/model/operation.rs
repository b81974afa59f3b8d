//! What users pay for, and how much of it they may do.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{CborLen, Decode, Encode};

use super::{Grant, Text};
use crate::name::Name;

/// Something a user pays for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// What users call it.
    pub title: Option<Text>,
    /// What a call may or must say about it, by name.
    pub attributes: BTreeMap<Name, Attribute>,
    /// The alternatives where no variant says otherwise, in the order in which
    /// they are tried. Empty only if the variants leave no combination out.
    pub prices: Vec<Price>,
    /// What it costs with certain attributes. No combination fits two of those
    /// with prices; of those that are refused it may fit several, and they come
    /// first.
    pub variants: Vec<Variant>,
    /// How many of it one call may order; at least 1.
    pub quantity_max: i64,
    /// What the operation itself gives, per unit of quantity.
    pub grants: Vec<Grant>,
    /// How long its holds live, in microseconds.
    pub hold_duration_us: i64,
    /// What a capture above the hold does.
    pub overrun: OverrunPolicy,
}

/// Something that a call says about an operation: a model, a quality, a size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// What it may be; at least one.
    pub values: BTreeSet<Name>,
    /// What it is if the call does not say; required if absent.
    pub default: Option<Name>,
}

/// A combination of attributes, and what it costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// The values that it fits, by attribute; an attribute that is not named
    /// may be anything.
    pub when: BTreeMap<Name, BTreeSet<Name>>,
    /// The alternatives; nothing if the combination is refused.
    pub prices: Option<Vec<Price>>,
}

/// One alternative of a price, per unit of quantity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    /// The asset.
    pub asset: Name,
    /// How much, in minor units; 0 or more. 0 of a pass, which has to be active.
    pub amount: i64,
    /// The origins that it is for; all if empty.
    pub origins: BTreeSet<Name>,
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

/// How much may be done in a window of time that ends now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The operations that count together; all if empty.
    pub operations: BTreeSet<Name>,
    /// How many of them, by quantity; 0 switches the operations off.
    pub maximum: i64,
    /// The window's length, in microseconds.
    pub window_us: i64,
    /// What counts.
    pub counts: Counts,
}

/// What counts in a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counts {
    /// Whatever was charged or held, also if it was released.
    Accepted,
    /// What was charged or is held: a hold that is released or expires gives its
    /// place back.
    Completed,
}
