//! What events say about subscriptions.

use minicbor::{CborLen, Decode, Encode};

use crate::{
    account::Lot,
    catalog::{OnRepurchase, Period, Renewal},
    name::Name,
    primitives::{Money, Timestamp},
};

/// What a payment for a period of a subscription buys, as the catalog that was
/// in force when it was created says.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct PaidPeriod {
    /// The plan.
    #[n(0)]
    pub plan: Name,
    /// How long the period is.
    #[n(1)]
    pub length: Period,
    /// How the next one is paid for.
    #[n(2)]
    pub renewal: Renewal,
    /// How long access outlives a period that is not renewed, in microseconds.
    #[n(3)]
    pub grace_us: i64,
    /// What buying it again does while it runs.
    #[n(4)]
    pub on_repurchase: OnRepurchase,
    /// A second success for the same period is to be refunded.
    #[n(5)]
    pub refunds_second: bool,
    /// Of a renewal: the subscription.
    #[n(6)]
    pub subscription: Option<u64>,
    /// Of a renewal: until when was paid when it was created.
    #[n(7)]
    pub starts_at: Option<Timestamp>,
    /// The subscription that it takes the place of.
    #[n(8)]
    pub upgrade_of: Option<u64>,
    /// How often what is paid for of that one had changed when its credit was
    /// counted.
    #[n(9)]
    pub upgrade_revision: u32,
}

/// A subscription began with its first paid period. Its position is its id.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct SubscriptionStarted {
    /// The plan.
    #[n(0)]
    pub plan: Name,
    /// How long a period is.
    #[n(1)]
    pub length: Period,
    /// How the next one is paid for.
    #[n(2)]
    pub renewal: Renewal,
    /// How long access outlives a period that is not renewed, in microseconds.
    #[n(3)]
    pub grace_us: i64,
    /// When it began.
    #[n(4)]
    pub starts_at: Timestamp,
    /// When its first period ends.
    #[n(5)]
    pub ends_at: Timestamp,
    /// The payment.
    #[n(6)]
    pub payment: u64,
    /// What was paid.
    #[n(7)]
    pub paid: Money,
}

/// Another period of a subscription was paid for, or one that had been paid for
/// begins.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct SubscriptionRenewed {
    /// The subscription.
    #[n(0)]
    pub subscription: u64,
    /// When what it pays for begins.
    #[n(1)]
    pub starts_at: Timestamp,
    /// When that ends.
    #[n(2)]
    pub ends_at: Timestamp,
    /// The payment.
    #[n(3)]
    pub payment: u64,
    /// What was paid.
    #[n(4)]
    pub paid: Money,
    /// Of a period that waits, and of one that had and begins: what it gives.
    #[n(5)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub gives: Vec<super::PlannedLot>,
    /// A period that had been waiting begins.
    #[n(6)]
    #[cbor(default, skip_if = "is_false")]
    pub begins: bool,
    /// Passes that had outlived their period by grace, and end.
    #[n(7)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub ended: Vec<Lot>,
    /// It begins when what runs has ended.
    #[n(8)]
    #[cbor(default, skip_if = "is_false")]
    pub waits: bool,
    /// How long it is.
    #[n(9)]
    pub length: Period,
    /// The moment that its end is counted from.
    #[n(10)]
    pub counted_from: Timestamp,
    /// How many periods from there it ends.
    #[n(11)]
    pub number: u32,
    /// It had been canceled, and is not any more.
    #[n(12)]
    #[cbor(default, skip_if = "is_false")]
    pub resumes: bool,
}

impl SubscriptionRenewed {
    /// When the period begins and ends.
    #[must_use]
    pub const fn times(&self) -> PeriodTimes {
        PeriodTimes {
            payment: self.payment,
            starts_at: self.starts_at,
            ends_at: self.ends_at,
            counted_from: self.counted_from,
            number: self.number,
        }
    }
}

/// Periods of a subscription begin and end at other times, because one of them
/// was paid back. The others move up: what the next one gives and time it pays for
/// is not lost.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct SubscriptionRescheduled {
    /// The subscription.
    #[n(0)]
    pub subscription: u64,
    /// The periods that there are from now on, in the order of time.
    #[n(1)]
    pub periods: Vec<PeriodTimes>,
}

/// When a period of a subscription begins and ends.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(map)]
pub struct PeriodTimes {
    /// Its payment.
    #[n(0)]
    pub payment: u64,
    /// When it begins.
    #[n(1)]
    pub starts_at: Timestamp,
    /// When it ends.
    #[n(2)]
    pub ends_at: Timestamp,
    /// The moment that its end is counted from, so that months from the 31st come
    /// back to it.
    #[n(3)]
    pub counted_from: Timestamp,
    /// How many periods from there it ends.
    #[n(4)]
    pub number: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the encoder's signature")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// A period has ended and the next one is not paid for: access goes on for the
/// grace.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct SubscriptionPastDue {
    /// The subscription.
    #[n(0)]
    pub subscription: u64,
    /// When the grace is over.
    #[n(1)]
    pub until: Timestamp,
    /// The lots of passes that live on until then.
    #[n(2)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub passes: Vec<u64>,
}

/// A subscription was canceled, or taken up again. It runs to the end of what is
/// paid for.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct SubscriptionChanged {
    /// The subscription.
    #[n(0)]
    pub subscription: u64,
}

/// A subscription has ended.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct SubscriptionEnded {
    /// The subscription.
    #[n(0)]
    pub subscription: u64,
    /// Its plan.
    #[n(1)]
    pub plan: Name,
    /// Why.
    #[n(2)]
    pub reason: EndReason,
    /// Passes that end with it before their time.
    #[n(3)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub ended: Vec<Lot>,
}

/// Why a subscription has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(index_only)]
pub enum EndReason {
    /// What was paid for has ended, and it does not renew or was not renewed.
    #[n(0)]
    NotRenewed,
    /// What was paid for has ended, and it had been canceled.
    #[n(1)]
    Canceled,
    /// Another one took its place.
    #[n(2)]
    Upgraded,
    /// The payment of its period was paid back.
    #[n(3)]
    Refunded,
}
