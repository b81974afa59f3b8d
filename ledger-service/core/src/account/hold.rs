//! Holds: parts of lots reserved for a running operation.

use minicbor::{CborLen, Decode, Encode};

use super::lot::{Lot, total};
use crate::{
    catalog::{Attributes, OverrunPolicy},
    name::Name,
    primitives::{RequestId, Timestamp},
};

/// An open hold. Its parts have left the free lots, so a lot that expires
/// meanwhile still pays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(map)]
pub struct Hold {
    /// The position of the event that placed it: its id.
    #[n(0)]
    pub position: u64,
    /// The request that placed it.
    #[n(1)]
    pub request_id: Option<RequestId>,
    /// The operation; absent for an explicit price without one.
    #[n(2)]
    pub operation: Option<Name>,
    /// How many of it.
    #[n(3)]
    pub quantity: i64,
    /// The asset.
    #[n(4)]
    pub asset: Name,
    /// What is still reserved, in order of consumption.
    #[n(5)]
    pub parts: Vec<Lot>,
    /// What was captured so far.
    #[n(6)]
    pub captured: i64,
    /// What a capture above what is reserved does.
    #[n(7)]
    pub overrun: OverrunPolicy,
    /// When it ends by itself.
    #[n(8)]
    pub expires_at: Timestamp,
    /// When it was placed.
    #[n(9)]
    pub placed_at: Timestamp,
    /// What was said about the operation.
    #[n(10)]
    #[cbor(default, skip_if = "Attributes::is_empty")]
    pub attributes: Attributes,
    /// The pass that pays, if one does.
    #[n(11)]
    pub pass: Option<u64>,
    /// The limits in which its place is free again if it is given up.
    #[n(12)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub returns_in: Vec<Name>,
}

impl Hold {
    /// What is still reserved.
    #[must_use]
    pub fn held(&self) -> i64 {
        total(&self.parts)
    }

    /// Whether it has expired by `now`.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.expires_at <= now
    }
}
