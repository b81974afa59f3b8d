//! How often what was asked and answered, so that a test can say that all of it
//! was.

use std::{collections::BTreeMap, fmt};

use ledger_core::{Command, Event, Payload, Rejection, event::AnomalyKind, payment::RefundVia};

use super::stages;

pub(crate) type Counted = BTreeMap<&'static str, u64>;

/// How often what was seen.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) commands: Counted,
    pub(crate) reasons: Counted,
    pub(crate) answers: Counted,
    /// What the log has of payments, debts and policy.
    pub(crate) events: Counted,
}

impl Counts {
    /// What was seen here and there.
    pub(crate) fn and(&self, other: &Self) -> Self {
        let both = |own: &Counted, others: &Counted| {
            let mut sums = own.clone();
            for (name, count) in others {
                *sums.entry(name).or_default() += count;
            }
            sums
        };
        Self {
            commands: both(&self.commands, &other.commands),
            reasons: both(&self.reasons, &other.reasons),
            answers: both(&self.answers, &other.answers),
            events: both(&self.events, &other.events),
        }
    }

    /// A refusal in this book.
    pub(crate) fn rejection(&mut self, rejection: &Rejection, book: &str) {
        *self.reasons.entry(rejection.reason()).or_default() += 1;
        if let Rejection::PaymentAlreadyRecorded { book: other, .. } = rejection
            && other != book
        {
            *self.events.entry("claimed in the other book").or_default() += 1;
        }
    }

    /// An event of the log.
    pub(crate) fn event(&mut self, event: &Event) {
        let seen = seen_in(&event.payload).into_iter();
        let seen = seen.chain([stages::seen_in(&event.payload)]).flatten();
        for name in seen.chain(super::seen::of_policy(&event.payload)) {
            *self.events.entry(name).or_default() += 1;
        }
    }

    pub(crate) fn total(&self) -> u64 {
        self.commands.values().sum()
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "commands {:?}", self.commands)?;
        writeln!(f, "reasons {:?}", self.reasons)?;
        writeln!(f, "answers {:?}", self.answers)?;
        write!(f, "events {:?}", self.events)
    }
}

/// The name of a command.
pub(crate) const fn name_of(command: &Command) -> &'static str {
    match command {
        Command::OpenAccount(_) => "OpenAccount",
        Command::CancelSubscription(_) => "CancelSubscription",
        Command::ResumeSubscription(_) => "ResumeSubscription",
        Command::CloseAccount(_) => "CloseAccount",
        Command::BlockAccount(_) => "BlockAccount",
        Command::UnblockAccount(_) => "UnblockAccount",
        Command::Credit(_) => "Credit",
        Command::Charge(_) => "Charge",
        Command::PlaceHold(_) => "PlaceHold",
        Command::ExtendHold(_) => "ExtendHold",
        Command::CaptureHold(_) => "CaptureHold",
        Command::ReleaseHold(_) => "ReleaseHold",
        Command::Refund(_) => "Refund",
        Command::Transfer(_) => "Transfer",
        Command::Adjust(_) => "Adjust",
        Command::CreatePayment(_) => "CreatePayment",
        Command::RecordPayment(_) => "RecordPayment",
        Command::RefundPayment(_) => "RefundPayment",
        Command::RecordRefund(_) => "RecordRefund",
        Command::ApplyCatalog(_) => "ApplyCatalog",
        Command::Sweep(_) => "Sweep",
    }
}

/// All of them.
pub(crate) const COMMANDS: [&str; 21] = [
    "OpenAccount",
    "CancelSubscription",
    "ResumeSubscription",
    "CloseAccount",
    "BlockAccount",
    "UnblockAccount",
    "Credit",
    "Charge",
    "PlaceHold",
    "ExtendHold",
    "CaptureHold",
    "ReleaseHold",
    "Refund",
    "Transfer",
    "Adjust",
    "CreatePayment",
    "RecordPayment",
    "RefundPayment",
    "RecordRefund",
    "ApplyCatalog",
    "Sweep",
];

/// What an event shows of payments and debts.
fn seen_in(payload: &Payload) -> [Option<&'static str>; 2] {
    let settles = |name, is_settling: bool| Some(name).filter(|_| is_settling);
    match payload {
        Payload::PaymentCreated(_) => [Some("created"), None],
        Payload::PaymentStatusRecorded(recorded) => {
            let has_ids = !recorded.provider_ids.ids.is_empty();
            [Some("status"), settles("late ids", has_ids)]
        }
        Payload::PaymentSucceeded(said) => match said.payment {
            Some(_) => [Some("succeeded"), None],
            None => [
                Some("heard of"),
                settles("with a purpose", said.purpose.is_some()),
            ],
        },
        Payload::PaymentCanceled(_) => [Some("canceled"), None],
        Payload::PaymentFeeRecorded(_) => [Some("fee"), None],
        Payload::PaymentRefundStarted(started) => {
            let is_missing = !started.missing.is_empty();
            [
                Some("refund started"),
                settles("with something missing", is_missing),
            ]
        }
        Payload::PaymentRefunded(refunded) => {
            let how = match (refunded.refund, refunded.via) {
                (Some(_), _) => "refunded",
                (None, RefundVia::Outside) => "refunded outside",
                (None, RefundVia::Provider) => "refund found",
            };
            [Some(how), settles("deficit", !refunded.debts.is_empty())]
        }
        Payload::PaymentRefundFailed(failed) => [
            Some("refund failed"),
            settles("settled by a failed refund", !failed.settled.is_empty()),
        ],
        Payload::PaymentAnomaly(anomaly) => [anomaly_name(anomaly.kind), None],
        Payload::Credited(credited) => [
            settles("settled by a purchase", !credited.settled.is_empty()),
            None,
        ],
        Payload::Refunded(refunded) => [
            settles("settled by a refund", !refunded.settled.is_empty()),
            None,
        ],
        Payload::HoldCaptured(captured) => [
            settles("settled by a capture", !captured.settled.is_empty()),
            None,
        ],
        Payload::HoldReleased(ended) => [
            settles("settled by a release", !ended.settled.is_empty()),
            None,
        ],
        Payload::HoldExpired(ended) => [
            settles("settled by an expiry", !ended.settled.is_empty()),
            None,
        ],
        _ => [None, None],
    }
}

const fn anomaly_name(kind: AnomalyKind) -> Option<&'static str> {
    Some(match kind {
        AnomalyKind::AmountDiffers => "anomaly: amount differs",
        AnomalyKind::ProviderDiffers => "anomaly: provider differs",
        AnomalyKind::CanceledAfterSuccess => "anomaly: canceled after success",
        AnomalyKind::SucceededAfterCancel => "anomaly: succeeded after cancel",
        AnomalyKind::RefundOfUnpaid => "anomaly: refund of unpaid",
        AnomalyKind::RefundExceedsPayment => "anomaly: refund exceeds payment",
        AnomalyKind::RefundFailedAfterDone => "anomaly: refund failed after done",
        AnomalyKind::PaidTwice => "anomaly: paid twice",
        // Counted among the stages of subscriptions.
        AnomalyKind::PeriodPaidTwice | AnomalyKind::NotAvailable => return None,
    })
}

/// All that events may show of payments and debts.
pub(crate) const EVENTS: [&str; 28] = [
    "created",
    "status",
    "late ids",
    "succeeded",
    "heard of",
    "with a purpose",
    "canceled",
    "fee",
    "refund started",
    "refunded",
    "refunded outside",
    "refund found",
    "deficit",
    "refund failed",
    "settled by a failed refund",
    "settled by a purchase",
    "settled by a refund",
    "settled by a capture",
    "settled by a release",
    "settled by an expiry",
    "claimed in the other book",
    "anomaly: amount differs",
    "anomaly: provider differs",
    "anomaly: canceled after success",
    "anomaly: succeeded after cancel",
    "anomaly: refund of unpaid",
    "anomaly: refund exceeds payment",
    "anomaly: refund failed after done",
];
