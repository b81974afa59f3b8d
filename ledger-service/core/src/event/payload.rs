//! What events say: their payloads.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use super::{
    Debt, PaidWith, PaymentAnomaly, PaymentCanceled, PaymentCreated, PaymentFeeRecorded,
    PaymentRefundFailed, PaymentRefundStarted, PaymentRefunded, PaymentStatusRecorded,
    PaymentSucceeded, SubscriptionChanged, SubscriptionEnded, SubscriptionPastDue,
    SubscriptionRenewed, SubscriptionRescheduled, SubscriptionStarted,
};
use crate::{
    account::Lot,
    catalog::{Attributes, OverrunPolicy},
    name::Name,
    primitives::Timestamp,
};

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the encoder's signature")]
const fn is_zero(value: &i64) -> bool {
    *value == 0
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Payload {
    /// The account was opened.
    #[n(1)]
    AccountOpened,
    /// The account was closed.
    #[n(2)]
    AccountClosed,
    /// A lot was credited.
    #[n(3)]
    Credited(#[n(0)] Credited),
    /// An operation was charged.
    #[n(4)]
    Debited(#[n(0)] Debited),
    /// A charge was refunded.
    #[n(5)]
    Refunded(#[n(0)] Refunded),
    /// Lots were reserved.
    #[n(6)]
    HoldPlaced(#[n(0)] HoldPlaced),
    /// A hold got more time.
    #[n(7)]
    HoldExtended(#[n(0)] HoldExtended),
    /// A hold was charged.
    #[n(8)]
    HoldCaptured(#[n(0)] HoldCaptured),
    /// A hold was given up.
    #[n(9)]
    HoldReleased(#[n(0)] HoldEnded),
    /// A hold ended by time.
    #[n(10)]
    HoldExpired(#[n(0)] HoldEnded),
    /// What was left of a lot ended by time.
    #[n(11)]
    LotExpired(#[n(0)] LotExpired),
    /// A person corrected a balance.
    #[n(12)]
    Adjusted(#[n(0)] Adjusted),
    /// Lots went to another account.
    #[n(13)]
    TransferSent(#[n(0)] TransferSent),
    /// Lots came from another account.
    #[n(14)]
    TransferReceived(#[n(0)] TransferReceived),
    /// The account was blocked.
    #[n(15)]
    AccountBlocked,
    /// The account was unblocked.
    #[n(16)]
    AccountUnblocked,
    /// A payment succeeded at its provider.
    #[n(17)]
    PaymentSucceeded(#[n(0)] PaymentSucceeded),
    /// A catalog came into force.
    #[n(18)]
    CatalogApplied(#[n(0)] CatalogApplied),
    /// A payment was asked for.
    #[n(19)]
    PaymentCreated(#[n(0)] PaymentCreated),
    /// The provider said how a payment stands.
    #[n(20)]
    PaymentStatusRecorded(#[n(0)] PaymentStatusRecorded),
    /// A payment was given up.
    #[n(21)]
    PaymentCanceled(#[n(0)] PaymentCanceled),
    /// What the merchant gets of a payment became known.
    #[n(22)]
    PaymentFeeRecorded(#[n(0)] PaymentFeeRecorded),
    /// A refund of a payment was begun.
    #[n(23)]
    PaymentRefundStarted(#[n(0)] PaymentRefundStarted),
    /// A refund of a payment was done.
    #[n(24)]
    PaymentRefunded(#[n(0)] PaymentRefunded),
    /// A refund of a payment came to nothing.
    #[n(25)]
    PaymentRefundFailed(#[n(0)] PaymentRefundFailed),
    /// A provider said what cannot be.
    #[n(26)]
    PaymentAnomaly(#[n(0)] PaymentAnomaly),
    /// A subscription began.
    #[n(28)]
    SubscriptionStarted(#[n(0)] SubscriptionStarted),
    /// Another period was paid for, or one that had been paid for began.
    #[n(29)]
    SubscriptionRenewed(#[n(0)] SubscriptionRenewed),
    /// A period has ended unrenewed.
    #[n(30)]
    SubscriptionPastDue(#[n(0)] SubscriptionPastDue),
    /// A subscription was canceled: it ends with what is paid for.
    #[n(31)]
    SubscriptionCanceled(#[n(0)] SubscriptionChanged),
    /// A canceled subscription was taken up again.
    #[n(32)]
    SubscriptionResumed(#[n(0)] SubscriptionChanged),
    /// A subscription has ended.
    #[n(33)]
    SubscriptionEnded(#[n(0)] SubscriptionEnded),
    /// Periods of a subscription moved, because one was paid back.
    #[n(34)]
    SubscriptionRescheduled(#[n(0)] SubscriptionRescheduled),
}

/// A lot was credited, or an equal one enlarged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Credited {
    /// What was added, with the id of the lot that it is or enlarges.
    #[n(0)]
    pub lot: Lot,
    /// The position of the payment that bought it.
    #[n(1)]
    pub payment: Option<u64>,
    /// Of points with levels: what the total was worth before and is now.
    #[n(2)]
    pub levels: Option<LevelChange>,
    /// The recurring grant that gave it, and when that is due again.
    #[n(3)]
    pub recurring: Option<RecurringPeriod>,
    /// What of it pays what is owed; the rest goes to the lot.
    #[n(4)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub settled: Vec<Debt>,
    /// The subscription that gives it.
    #[n(5)]
    pub subscription: Option<u64>,
}

/// Levels of points, from 1, as the catalog of the event counted them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct LevelChange {
    /// Before the event.
    #[n(0)]
    pub before: u32,
    /// After it.
    #[n(1)]
    pub after: u32,
}

/// A recurring grant was given for a period.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct RecurringPeriod {
    /// The grant.
    #[n(0)]
    pub grant: Name,
    /// When the next period begins.
    #[n(1)]
    pub next_at: Timestamp,
}

/// Something counted in the window of a limit.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct WindowUse {
    /// The limit.
    #[n(0)]
    pub limit: Name,
    /// How long it counts, in microseconds.
    #[n(1)]
    pub window_us: i64,
    /// Whether the place is free again if a hold is given up.
    #[n(2)]
    pub returns: bool,
}

/// An operation was charged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Debited {
    /// The operation; absent for an explicit price without one.
    #[n(0)]
    pub operation: Option<Name>,
    /// How many of it.
    #[n(1)]
    pub quantity: i64,
    /// The asset.
    #[n(2)]
    pub asset: Name,
    /// The price of all of it.
    #[n(3)]
    pub amount: i64,
    /// What it was paid with.
    #[n(4)]
    pub paid_with: PaidWith,
    /// What was taken, in order of consumption; sums to `amount`.
    #[n(5)]
    pub parts: Vec<Lot>,
    /// What was said about the operation, with the catalog's defaults.
    #[n(6)]
    #[cbor(default, skip_if = "Attributes::is_empty")]
    pub attributes: Attributes,
    /// The lot of the pass that paid, if one did.
    #[n(7)]
    pub pass: Option<u64>,
    /// The limits that it counts in.
    #[n(8)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub counted_in: Vec<WindowUse>,
}

/// A charge or a capture was refunded, in part or whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Refunded {
    /// The position of the Debited or HoldCaptured event.
    #[n(0)]
    pub charge: u64,
    /// The operation of the charge.
    #[n(1)]
    pub operation: Option<Name>,
    /// The asset.
    #[n(2)]
    pub asset: Name,
    /// What came back.
    #[n(3)]
    pub amount: i64,
    /// What is left to refund.
    #[n(4)]
    pub refundable: i64,
    /// Where it went back to, the last taken first; sums to `amount`. A lot
    /// that had expired carries its new expiry.
    #[n(5)]
    pub parts: Vec<Lot>,
    /// The lots in `parts` that got the refund grace.
    #[n(6)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub graced: Vec<u64>,
    /// The operation counts as not done: its charge is refunded whole.
    #[n(7)]
    pub uncounted: bool,
    /// The lot of the pass that paid for it, which may pay so many times again.
    #[n(8)]
    pub pass: Option<u64>,
    /// How many of the operation were charged.
    #[n(9)]
    #[cbor(default, skip_if = "is_zero")]
    pub quantity: i64,
    /// What of `parts` pays what is owed for the same lots.
    #[n(10)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub settled: Vec<Debt>,
}

/// Lots were reserved for a running operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct HoldPlaced {
    /// The operation; absent for an explicit price without one.
    #[n(0)]
    pub operation: Option<Name>,
    /// How many of it.
    #[n(1)]
    pub quantity: i64,
    /// The asset.
    #[n(2)]
    pub asset: Name,
    /// The price, reserved in full.
    #[n(3)]
    pub amount: i64,
    /// What was reserved, in order of consumption; sums to `amount`.
    #[n(4)]
    pub parts: Vec<Lot>,
    /// What a capture above the price does.
    #[n(5)]
    pub overrun: OverrunPolicy,
    /// When it ends by itself.
    #[n(6)]
    pub expires_at: Timestamp,
    /// What was said about the operation, with the catalog's defaults.
    #[n(7)]
    #[cbor(default, skip_if = "Attributes::is_empty")]
    pub attributes: Attributes,
    /// The lot of the pass that pays, if one does.
    #[n(8)]
    pub pass: Option<u64>,
    /// The limits that it counts in.
    #[n(9)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub counted_in: Vec<WindowUse>,
}

/// A hold got more time.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct HoldExtended {
    /// The position of the HoldPlaced event.
    #[n(0)]
    pub hold: u64,
    /// The new end.
    #[n(1)]
    pub expires_at: Timestamp,
}

/// A hold was charged, in part or whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct HoldCaptured {
    /// The position of the HoldPlaced event.
    #[n(0)]
    pub hold: u64,
    /// The operation of the hold.
    #[n(1)]
    pub operation: Option<Name>,
    /// The asset.
    #[n(2)]
    pub asset: Name,
    /// What was taken in all.
    #[n(3)]
    pub amount: i64,
    /// What it was paid with.
    #[n(4)]
    pub paid_with: PaidWith,
    /// What was taken of the hold.
    #[n(5)]
    pub held_parts: Vec<Lot>,
    /// What was taken of free lots: above the hold, or after its expiry.
    #[n(6)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub free_parts: Vec<Lot>,
    /// What went back to the wallet, because this capture was final.
    #[n(7)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub released: Vec<Lot>,
    /// The lots in `released` that got the refund grace.
    #[n(8)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub graced: Vec<u64>,
    /// What was asked for and could not be covered.
    #[n(9)]
    pub uncovered: i64,
    /// Nothing more can be captured.
    #[n(10)]
    pub is_final: bool,
    /// The hold had expired before.
    #[n(11)]
    pub late: bool,
    /// The operation counts as done by this capture.
    #[n(12)]
    pub counted: bool,
    /// What was said about the operation.
    #[n(13)]
    #[cbor(default, skip_if = "Attributes::is_empty")]
    pub attributes: Attributes,
    /// The lot of the pass that paid, if one did.
    #[n(14)]
    pub pass: Option<u64>,
    /// How many of the operation were held.
    #[n(15)]
    #[cbor(default, skip_if = "is_zero")]
    pub quantity: i64,
    /// Of a late capture: the limits that it counts in again, because its place
    /// was given back when the hold expired.
    #[n(16)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub counted_in: Vec<WindowUse>,
    /// What of `released` pays what is owed for the same lots.
    #[n(17)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub settled: Vec<Debt>,
}

/// A hold was given up, or ended by time.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct HoldEnded {
    /// The position of the HoldPlaced event.
    #[n(0)]
    pub hold: u64,
    /// The asset.
    #[n(1)]
    pub asset: Name,
    /// What went back to the wallet.
    #[n(2)]
    pub amount: i64,
    /// Where it went back to; sums to `amount`.
    #[n(3)]
    pub parts: Vec<Lot>,
    /// The lots in `parts` that got the refund grace.
    #[n(4)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub graced: Vec<u64>,
    /// The operation of the hold.
    #[n(5)]
    pub operation: Option<Name>,
    /// What of `parts` pays what is owed for the same lots.
    #[n(6)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub settled: Vec<Debt>,
}

/// What was left of a lot ended by time.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct LotExpired {
    /// What was lost.
    #[n(0)]
    pub lot: Lot,
}

/// A person corrected a balance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Adjusted {
    /// The asset.
    #[n(0)]
    pub asset: Name,
    /// The change.
    #[n(1)]
    pub delta: i64,
    /// What was taken, if `delta` is negative.
    #[n(2)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub parts: Vec<Lot>,
    /// What was added, if `delta` is positive.
    #[n(3)]
    pub lot: Option<Lot>,
    /// Of points with levels: what the total was worth before and is now.
    #[n(4)]
    pub levels: Option<LevelChange>,
}

/// Lots went to another account.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct TransferSent {
    /// The other account's id.
    #[n(0)]
    pub destination: Name,
    /// The asset.
    #[n(1)]
    pub asset: Name,
    /// What was sent.
    #[n(2)]
    pub amount: i64,
    /// What it was taken from; sums to `amount`.
    #[n(3)]
    pub parts: Vec<Lot>,
}

/// Lots came from another account.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct TransferReceived {
    /// The other account's id.
    #[n(0)]
    pub source: Name,
    /// The position of the TransferSent event.
    #[n(1)]
    pub transfer: u64,
    /// The asset.
    #[n(2)]
    pub asset: Name,
    /// What was received.
    #[n(3)]
    pub amount: i64,
    /// What was added, with this account's ids of lots; sums to `amount`.
    #[n(4)]
    pub parts: Vec<Lot>,
}

/// A catalog came into force.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct CatalogApplied {
    /// Its number within the book, from 1.
    #[n(0)]
    pub catalog_version: u64,
    /// Its whole text.
    #[n(1)]
    pub text: String,
    /// The values that the environment replaced.
    #[n(2)]
    pub overrides: BTreeMap<String, String>,
}
