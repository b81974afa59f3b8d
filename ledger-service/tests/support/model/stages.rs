//! What the log has seen of subscriptions and automatic top-ups.

use ledger_core::{
    Payload,
    event::{AnomalyKind, EndReason, SubscriptionRenewed},
};

/// What an event shows of them.
pub(crate) fn seen_in(payload: &Payload) -> Option<&'static str> {
    Some(match payload {
        Payload::PaymentCreated(created) if created.automatic_until.is_some() => "automatic",
        Payload::PaymentCreated(created) => {
            let period = created.period.as_ref()?;
            match (period.upgrade_of, period.subscription) {
                (Some(_), _) => "upgrade asked for",
                (None, Some(_)) => "renewal asked for",
                (None, None) => "plan asked for",
            }
        }
        Payload::SubscriptionStarted(_) => "started",
        Payload::SubscriptionRenewed(renewed) => renewed_how(renewed),
        Payload::SubscriptionPastDue(due) if due.passes.is_empty() => "past due",
        Payload::SubscriptionPastDue(_) => "past due with passes",
        Payload::SubscriptionCanceled(_) => "subscription canceled",
        Payload::SubscriptionResumed(_) => "resumed",
        Payload::SubscriptionRescheduled(_) => "rescheduled",
        Payload::SubscriptionEnded(ended) => match ended.reason {
            EndReason::NotRenewed => "ended: not renewed",
            EndReason::Canceled => "ended: canceled",
            EndReason::Upgraded => "ended: upgraded",
            EndReason::Refunded => "ended: refunded",
        },
        Payload::Credited(credited) if credited.subscription.is_some() => "lot of a period",
        Payload::PaymentRefunded(refunded) if !refunded.gives.is_empty() => "gives less",
        Payload::PaymentAnomaly(anomaly) => match anomaly.kind {
            AnomalyKind::NotAvailable => "anomaly: not available",
            AnomalyKind::PeriodPaidTwice => "anomaly: period paid twice",
            _ => return None,
        },
        _ => return None,
    })
}

const fn renewed_how(renewed: &SubscriptionRenewed) -> &'static str {
    match (renewed.begins, renewed.waits, renewed.ended.is_empty()) {
        (true, ..) => "begins",
        (_, true, _) => "waits",
        (_, _, false) => "renewed late",
        _ => "renewed",
    }
}

/// All that events may show of them.
pub(crate) const STAGES: [&str; 22] = [
    "automatic",
    "plan asked for",
    "renewal asked for",
    "upgrade asked for",
    "started",
    "renewed",
    "renewed late",
    "waits",
    "begins",
    "past due",
    "past due with passes",
    "subscription canceled",
    "resumed",
    "rescheduled",
    "ended: not renewed",
    "ended: canceled",
    "ended: upgraded",
    "ended: refunded",
    "lot of a period",
    "gives less",
    "anomaly: not available",
    "anomaly: period paid twice",
];
