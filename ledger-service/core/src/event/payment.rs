//! What events say about payments.

use minicbor::{CborLen, Decode, Encode};

use super::PaidPeriod;
use crate::{
    account::Lot,
    catalog::PaymentRefundPolicy,
    name::Name,
    payment::{PaymentStatus, Purpose, RefundVia},
    primitives::{Money, Timestamp},
};

/// A payment was asked for: what it is for, and what its success gives, as the
/// catalog then in force says. Its position is the payment's id.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct PaymentCreated {
    /// The provider that it is to be made through.
    #[n(0)]
    pub provider: Name,
    /// The shop or bot that it goes to.
    #[n(1)]
    pub merchant_account: Name,
    /// What it is for.
    #[n(2)]
    pub purpose: Purpose,
    /// What is to be paid.
    #[n(3)]
    pub amount: Money,
    /// What its success gives.
    #[n(4)]
    pub gives: Vec<PlannedLot>,
    /// What a refund of it does when that is spent.
    #[n(5)]
    pub refund: PaymentRefundPolicy,
    /// It is for a package that an account may buy only so often.
    #[n(6)]
    #[cbor(default, skip_if = "is_false")]
    pub is_limited: bool,
    /// The period of a subscription that it pays for.
    #[n(7)]
    pub period: Option<PaidPeriod>,
    /// It is bought because little is left: when the month of the calendar ends
    /// in whose cap it counts.
    #[n(8)]
    pub automatic_until: Option<Timestamp>,
}

/// A lot that a payment will give: bought ones are what it pays for, given ones
/// come on top.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(map)]
pub struct PlannedLot {
    /// The lot, without id and times; of a bought one the basis is its share of
    /// the price.
    #[n(0)]
    pub lot: Lot,
    /// How long after the success it expires, in microseconds; not at all if
    /// absent.
    #[n(1)]
    pub expires_after_us: Option<i64>,
    /// It lasts as long as the period of the subscription.
    #[n(2)]
    #[cbor(default, skip_if = "is_false")]
    pub with_period: bool,
}

/// The provider said how a payment stands, while it is not done.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct PaymentStatusRecorded {
    /// The payment.
    #[n(0)]
    pub payment: u64,
    /// How it stands.
    #[n(1)]
    pub status: PaymentStatus,
    /// The ids that the provider gave along and that were not known.
    #[n(2)]
    pub provider_ids: ProviderIds,
}

/// A payment succeeded at its provider.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct PaymentSucceeded {
    /// The provider.
    #[n(0)]
    pub provider: Name,
    /// The shop or bot that its ids belong to.
    #[n(1)]
    pub merchant_account: Name,
    /// Every id that it gave.
    #[n(2)]
    pub provider_ids: Vec<ProviderId>,
    /// What was paid.
    #[n(3)]
    pub amount: Money,
    /// What the merchant gets after the fee, if known.
    #[n(4)]
    pub income: Option<Money>,
    /// A payment of the provider's test mode.
    #[n(5)]
    pub test: bool,
    /// The payment that was created before; absent if this is the first that is
    /// known of it, and its position the payment's id.
    #[n(6)]
    pub payment: Option<u64>,
    /// What it is for; a top-up if absent.
    #[n(7)]
    pub purpose: Option<Purpose>,
    /// What a refund of it does when what it bought is spent.
    #[n(8)]
    #[cbor(default, skip_if = "PaymentRefundPolicy::is_default")]
    pub refund: PaymentRefundPolicy,
    /// It is for a package that an account may buy only so often.
    #[n(9)]
    #[cbor(default, skip_if = "is_false")]
    pub is_limited: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the encoder's signature")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// A payment was given up, by its user, its provider or time.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct PaymentCanceled {
    /// The payment.
    #[n(0)]
    pub payment: u64,
    /// The ids that the provider gave along and that were not known.
    #[n(1)]
    pub provider_ids: ProviderIds,
    /// Why, in the provider's word, or `provider_refused`.
    #[n(2)]
    pub reason: Option<Name>,
}

/// What the merchant gets of a payment became known after its success.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct PaymentFeeRecorded {
    /// The payment.
    #[n(0)]
    pub payment: u64,
    /// What the merchant gets after the fee.
    #[n(1)]
    pub income: Money,
}

/// A refund of a payment was begun: what it takes back is reserved. Its position
/// is the refund's id.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct PaymentRefundStarted {
    /// The payment.
    #[n(0)]
    pub payment: u64,
    /// What is to be paid back.
    #[n(1)]
    pub amount: Money,
    /// What is reserved, by lots.
    #[n(2)]
    pub parts: Vec<Lot>,
    /// What is spent and will be owed.
    #[n(3)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub missing: Vec<Debt>,
}

/// A refund of a payment was done: what was reserved for it is gone.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct PaymentRefunded {
    /// The payment.
    #[n(0)]
    pub payment: u64,
    /// The refund that was started; absent if it was found at the provider, or
    /// done outside of it.
    #[n(1)]
    pub refund: Option<u64>,
    /// What was paid back.
    #[n(2)]
    pub amount: Money,
    /// How.
    #[n(3)]
    pub via: RefundVia,
    /// The ids that the provider gave along and that were not known.
    #[n(4)]
    pub provider_ids: ProviderIds,
    /// The number of the document, if it was done outside of the provider.
    #[n(5)]
    pub document_number: Option<Name>,
    /// What had been reserved and is taken.
    #[n(6)]
    pub reserved: Vec<Lot>,
    /// What is taken of free lots.
    #[n(7)]
    pub parts: Vec<Lot>,
    /// What is owed from now on, because it is spent.
    #[n(8)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub debts: Vec<Debt>,
    /// The payment was one of the provider's test mode.
    #[n(9)]
    #[cbor(default, skip_if = "is_false")]
    pub test: bool,
}

/// A refund of a payment came to nothing: what was reserved is back.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct PaymentRefundFailed {
    /// The payment.
    #[n(0)]
    pub payment: u64,
    /// The refund that was started.
    #[n(1)]
    pub refund: u64,
    /// Why, in the provider's word.
    #[n(2)]
    pub reason: Option<Name>,
    /// What comes back.
    #[n(3)]
    pub parts: Vec<Lot>,
    /// The lots that got the refund grace.
    #[n(4)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub graced: Vec<u64>,
    /// What of it pays what is owed for the same lots.
    #[n(5)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub settled: Vec<Debt>,
    /// The ids that the provider gave along and that were not known.
    #[n(6)]
    #[cbor(default, skip_if = "ProviderIds::is_default")]
    pub provider_ids: ProviderIds,
}

/// A provider said what cannot be of a payment. Nothing was credited or taken
/// for it; a person has to look.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct PaymentAnomaly {
    /// The payment.
    #[n(0)]
    pub payment: u64,
    /// What is odd.
    #[n(1)]
    pub kind: AnomalyKind,
    /// What the provider said it amounts to.
    #[n(2)]
    pub amount: Money,
    /// The ids that the provider gave along and that were not known.
    #[n(3)]
    pub provider_ids: ProviderIds,
}

/// What a provider said that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum AnomalyKind {
    /// Another amount or currency was paid than was asked for.
    #[n(0)]
    AmountDiffers,
    /// Another provider or merchant account names it than the one that it was
    /// created for.
    #[n(1)]
    ProviderDiffers,
    /// It was canceled after it had succeeded.
    #[n(2)]
    CanceledAfterSuccess,
    /// It succeeded after it had been canceled. This one was credited: the money
    /// has been paid.
    #[n(3)]
    SucceededAfterCancel,
    /// A refund of a payment that has not succeeded.
    #[n(4)]
    RefundOfUnpaid,
    /// Refunds of more than was paid.
    #[n(5)]
    RefundExceedsPayment,
    /// A refund failed that had been done.
    #[n(6)]
    RefundFailedAfterDone,
    /// A second payment for one period of a subscription. Nothing was given for
    /// it; it is to be refunded.
    #[n(7)]
    PeriodPaidTwice,
    /// Two payments at the provider for one that was asked for. Nothing was given
    /// for the second; it is to be refunded.
    #[n(8)]
    PaidTwice,
}

/// What an account owes: units that a refund could not take back, because they
/// were spent; or what pays some of that.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(map)]
pub struct Debt {
    /// The lot that they were in.
    #[n(0)]
    pub lot: u64,
    /// The asset.
    #[n(1)]
    pub asset: Name,
    /// How many.
    #[n(2)]
    pub amount: i64,
    /// What was paid for them, in minor units of the currency of the lot; of what
    /// pays a debt, what was paid for that.
    #[n(3)]
    #[cbor(default, skip_if = "is_zero")]
    pub basis: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the encoder's signature")]
const fn is_zero(value: &i64) -> bool {
    *value == 0
}

/// Ids that a provider gave, and whose they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ProviderIds {
    /// The provider.
    #[n(0)]
    pub provider: Name,
    /// The shop or bot that the ids belong to.
    #[n(1)]
    pub merchant_account: Name,
    /// The ids.
    #[n(2)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub ids: Vec<ProviderId>,
    /// Of a refund: its ids that an anomaly or a failure before it had made
    /// known.
    #[n(3)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub known: Vec<ProviderId>,
}

impl ProviderIds {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// An id that a provider gave.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(map)]
pub struct ProviderId {
    /// What it names, e.g. `payment`.
    #[n(0)]
    pub kind: Name,
    /// The id.
    #[n(1)]
    pub id: Name,
}
