//! What earlier events say about the thing that a command refers to: a charge
//! with what was refunded of it, a hold or a payment with how it went on.

mod payment;

pub use payment::{Anomaly, PaidLot, PaymentRecord, RefundEnd, RefundRecord};

use crate::{
    account::{Hold, Lot, take_from_end, take_from_front},
    event::{Event, Payload},
    name::Name,
};

/// An earlier thing, as its event and all that refer to it tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The account that it belongs to.
    pub account: Name,
    /// What it is.
    pub subject: Subject,
}

/// What a record is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A Debited or HoldCaptured event.
    Charge(ChargeRecord),
    /// A HoldPlaced event.
    Hold(HoldRecord),
    /// A PaymentCreated event, or the PaymentSucceeded event of a payment that
    /// was not created before.
    Payment(Box<PaymentRecord>),
}

/// A charge, and what is left to refund of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargeRecord {
    /// Its position.
    pub position: u64,
    /// Its operation.
    pub operation: Option<Name>,
    /// Its asset.
    pub asset: Name,
    /// What was taken and not given back, in order of consumption.
    pub parts: Vec<Lot>,
    /// It counted as an operation done.
    pub counted: bool,
    /// The lot of the pass that paid, if one did.
    pub pass: Option<u64>,
    /// How many of the operation.
    pub quantity: i64,
}

/// A hold that is not open any more, or not known to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldRecord {
    /// The hold, with what is left of it after what was captured since.
    pub hold: Hold,
    /// How it ended.
    pub end: HoldEnd,
}

/// How a hold ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldEnd {
    /// It has not.
    Open,
    /// By its last capture.
    Captured,
    /// It was given up.
    Released,
    /// By time.
    Expired,
}

impl Record {
    /// The record of the thing that `target` is, without what came after;
    /// nothing if it is none of these.
    #[must_use]
    pub fn of(target: &Event) -> Option<Self> {
        let subject = match &target.payload {
            Payload::Debited(debited) => Subject::Charge(ChargeRecord {
                position: target.position,
                operation: debited.operation.clone(),
                asset: debited.asset.clone(),
                parts: debited.parts.clone(),
                counted: true,
                pass: debited.pass,
                quantity: debited.quantity,
            }),
            Payload::HoldCaptured(captured) => Subject::Charge(ChargeRecord {
                position: target.position,
                operation: captured.operation.clone(),
                asset: captured.asset.clone(),
                parts: captured
                    .held_parts
                    .iter()
                    .chain(&captured.free_parts)
                    .cloned()
                    .collect(),
                counted: captured.counted,
                pass: captured.pass,
                quantity: captured.quantity,
            }),
            Payload::HoldPlaced(placed) => Subject::Hold(HoldRecord {
                hold: Hold {
                    position: target.position,
                    request_id: target.request_id,
                    operation: placed.operation.clone(),
                    quantity: placed.quantity,
                    asset: placed.asset.clone(),
                    parts: placed.parts.clone(),
                    captured: 0,
                    overrun: placed.overrun,
                    expires_at: placed.expires_at,
                    placed_at: target.recorded_at,
                    attributes: placed.attributes.clone(),
                    pass: placed.pass,
                    returns_in: Vec::new(),
                },
                end: HoldEnd::Open,
            }),
            _ => Subject::Payment(Box::new(PaymentRecord::of(target)?)),
        };
        Some(Self {
            account: target.account.clone(),
            subject,
        })
    }

    /// The position of the event that it is about.
    #[must_use]
    pub const fn position(&self) -> u64 {
        match &self.subject {
            Subject::Charge(charge) => charge.position,
            Subject::Hold(record) => record.hold.position,
            Subject::Payment(record) => record.position,
        }
    }

    /// Takes in a later event that refers to it. Others change nothing.
    pub fn follow(&mut self, event: &Event) {
        match (&mut self.subject, &event.payload) {
            (Subject::Charge(charge), Payload::Refunded(refunded))
                if refunded.charge == charge.position =>
            {
                take_from_end(&mut charge.parts, refunded.amount);
                charge.counted = charge.counted && !refunded.uncounted;
            }
            (Subject::Hold(record), payload) => record.follow(payload),
            (Subject::Payment(record), _) => record.follow(event),
            _ => {}
        }
    }
}

impl HoldRecord {
    fn follow(&mut self, payload: &Payload) {
        let id = self.hold.position;
        match payload {
            Payload::HoldExtended(extended) if extended.hold == id => {
                self.hold.expires_at = extended.expires_at;
            }
            Payload::HoldCaptured(captured) if captured.hold == id => {
                self.hold.captured = self.hold.captured.saturating_add(captured.amount);
                take_from_front(&mut self.hold.parts, captured.amount);
                if captured.is_final {
                    self.end = HoldEnd::Captured;
                }
            }
            Payload::HoldReleased(ended) if ended.hold == id => self.end = HoldEnd::Released,
            Payload::HoldExpired(ended) if ended.hold == id => self.end = HoldEnd::Expired,
            _ => {}
        }
    }
}
