//! The kinds of events.

/// The kinds of events, numbered as in their encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "each is the payload of the same name")]
pub enum EventKind {
    AccountOpened = 1,
    AccountClosed = 2,
    Credited = 3,
    Debited = 4,
    Refunded = 5,
    HoldPlaced = 6,
    HoldExtended = 7,
    HoldCaptured = 8,
    HoldReleased = 9,
    HoldExpired = 10,
    LotExpired = 11,
    Adjusted = 12,
    TransferSent = 13,
    TransferReceived = 14,
    AccountBlocked = 15,
    AccountUnblocked = 16,
    PaymentSucceeded = 17,
    CatalogApplied = 18,
    PaymentCreated = 19,
    PaymentStatusRecorded = 20,
    PaymentCanceled = 21,
    PaymentFeeRecorded = 22,
    PaymentRefundStarted = 23,
    PaymentRefunded = 24,
    PaymentRefundFailed = 25,
    PaymentAnomaly = 26,
    SubscriptionStarted = 28,
    SubscriptionRenewed = 29,
    SubscriptionPastDue = 30,
    SubscriptionCanceled = 31,
    SubscriptionResumed = 32,
    SubscriptionEnded = 33,
    SubscriptionRescheduled = 34,
}
