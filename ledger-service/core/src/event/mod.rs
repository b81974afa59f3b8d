//! Events: the file format of the ledger.
//!
//! An event is stored as CBOR (RFC 8949): maps with the small integer keys
//! below, absent where a value is. Keys and variants are never reused or
//! renumbered; `tests/golden` holds bytes of every kind that must stay
//! readable.

use std::collections::BTreeMap;

use minicbor::{CborLen, Decode, Encode, bytes::ByteVec};

mod about;
mod kind;
mod payload;
mod payment;
mod subscription;

pub use kind::EventKind;
pub use payload::{
    Adjusted, CatalogApplied, Credited, Debited, HoldCaptured, HoldEnded, HoldExtended, HoldPlaced,
    LevelChange, LotExpired, Payload, RecurringPeriod, Refunded, TransferReceived, TransferSent,
    WindowUse,
};
pub use payment::{
    AnomalyKind, Debt, PaymentAnomaly, PaymentCanceled, PaymentCreated, PaymentFeeRecorded,
    PaymentRefundFailed, PaymentRefundStarted, PaymentRefunded, PaymentStatusRecorded,
    PaymentSucceeded, PlannedLot, ProviderId, ProviderIds,
};
pub use subscription::{
    EndReason, PaidPeriod, PeriodTimes, SubscriptionChanged, SubscriptionEnded,
    SubscriptionPastDue, SubscriptionRenewed, SubscriptionRescheduled, SubscriptionStarted,
};

use crate::{
    account::{AssetTotals, Funding, Lot},
    name::Name,
    primitives::{RequestId, Timestamp},
};

/// The format of the events that this version writes.
pub const FORMAT: u8 = 1;

/// The reserved account of facts about the book itself.
pub const HOUSE: &str = "@house";

/// An immutable fact about one account.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Event {
    /// The format of this envelope.
    #[n(0)]
    pub format: u8,
    /// The book.
    #[n(1)]
    pub book: Name,
    /// The place in the book's log, from 1.
    #[n(2)]
    pub position: u64,
    /// The account's id within the book.
    #[n(3)]
    pub account: Name,
    /// The place among the account's own events, from 1.
    #[n(4)]
    pub version: u64,
    /// The position of the account's event before this one; 0 for the first.
    #[n(5)]
    pub previous_position: u64,
    /// The bot or service that it came from.
    #[n(6)]
    pub origin: Name,
    /// The request that wrote it; absent if time alone did.
    #[n(7)]
    pub request_id: Option<RequestId>,
    /// What the caller said about the request.
    #[n(8)]
    pub annotations: Annotations,
    /// When it was written, by the database's clock.
    #[n(9)]
    pub recorded_at: Timestamp,
    /// The version of the catalog that it was decided under; 0 before the
    /// first.
    #[n(10)]
    pub catalog_version: u64,
    /// The canonical request, encoded, on the first event of a request.
    #[n(11)]
    pub request: Option<ByteVec>,
    /// The account's balances after the event.
    #[n(12)]
    pub balances: Vec<Balance>,
    /// What happened.
    #[n(13)]
    pub payload: Payload,
    /// The id of the atomic batch call that the request was an item of; absent
    /// if it was none. On the first event of a request.
    #[n(14)]
    pub call_id: Option<RequestId>,
    /// The hash of that call as a whole, 32 bytes: of all of its items, also of
    /// those that had been applied before it. On the first event of the call.
    #[n(15)]
    pub call_hash: Option<ByteVec>,
}

/// What a caller said about a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Annotations {
    /// The caller's own id of the thing.
    #[n(0)]
    pub external_id: Option<Name>,
    /// Keys are in the catalog's list.
    #[n(1)]
    #[cbor(default, skip_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// When it happened, as the caller says.
    #[n(2)]
    pub occurred_at: Option<Timestamp>,
    /// The person who acted.
    #[n(3)]
    pub person: Option<Name>,
    /// Why.
    #[n(4)]
    pub reason: Option<Reason>,
}

/// Why a person acted.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(map)]
pub struct Reason {
    /// A stable code in UPPER_SNAKE.
    #[n(0)]
    pub code: Name,
    /// Free text for staff.
    #[n(1)]
    pub text: Option<String>,
}

/// The balance of one asset.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Balance {
    /// The asset.
    #[n(0)]
    pub asset: Name,
    /// Everything the account owns, less what it owes.
    #[n(1)]
    pub balance: i64,
    /// The part of it that holds and refunds have reserved.
    #[n(2)]
    pub held: i64,
    /// What is owed; `balance` is the lots less this.
    #[n(3)]
    #[cbor(default, skip_if = "is_zero")]
    pub deficit: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the encoder's signature")]
const fn is_zero(value: &i64) -> bool {
    *value == 0
}

impl Balance {
    /// The balance that the sums of an asset say.
    #[must_use]
    pub fn new(asset: &Name, totals: &AssetTotals) -> Self {
        Self {
            asset: asset.clone(),
            balance: totals.balance,
            held: totals.held,
            deficit: totals.deficit,
        }
    }
}

/// What a charge was paid with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum PaidWith {
    /// Given lots only.
    #[n(0)]
    Granted,
    /// Bought lots only.
    #[n(1)]
    Purchased,
    /// Both.
    #[n(2)]
    Mixed,
    /// Nothing: the price was 0.
    #[default]
    #[n(3)]
    Nothing,
    /// A pass: it cost nothing as long as that is active.
    #[n(4)]
    Pass,
}

impl PaidWith {
    /// What these parts say, or the pass that paid instead.
    #[must_use]
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a Lot>, pass: Option<u64>) -> Self {
        if pass.is_some() {
            return Self::Pass;
        }
        let (mut granted, mut purchased) = (false, false);
        for part in parts {
            match part.funding {
                Funding::Granted => granted = true,
                Funding::Purchased => purchased = true,
            }
        }
        match (granted, purchased) {
            (true, true) => Self::Mixed,
            (true, false) => Self::Granted,
            (false, true) => Self::Purchased,
            (false, false) => Self::Nothing,
        }
    }
}

impl Event {
    /// Decodes a stored body.
    ///
    /// # Errors
    /// The bytes are no event of a format and kind that this version knows.
    pub fn decode(body: &[u8]) -> Result<Self, minicbor::decode::Error> {
        let mut decoder = minicbor::Decoder::new(body);
        let event: Self = decoder.decode()?;
        if decoder.position() != body.len() {
            return Err(minicbor::decode::Error::message("bytes after the event"));
        }
        if event.format != FORMAT {
            return Err(minicbor::decode::Error::message("unknown event format"));
        }
        Ok(event)
    }
}
