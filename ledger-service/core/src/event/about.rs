//! What a payload is about, without looking at all of it.

use super::{EndReason, EventKind, Payload, ProviderId};
use crate::{account::Lot, name::Name};

impl Payload {
    /// The position of the event that this one refers to: the hold, the
    /// charge, the payment or the transfer.
    #[must_use]
    pub const fn refers_to(&self) -> Option<u64> {
        match self {
            Self::Credited(credited) => credited.payment,
            Self::Refunded(refunded) => Some(refunded.charge),
            Self::HoldExtended(extended) => Some(extended.hold),
            Self::HoldCaptured(captured) => Some(captured.hold),
            Self::HoldReleased(ended) | Self::HoldExpired(ended) => Some(ended.hold),
            Self::TransferReceived(received) => Some(received.transfer),
            Self::PaymentSucceeded(succeeded) => succeeded.payment,
            Self::PaymentStatusRecorded(recorded) => Some(recorded.payment),
            Self::PaymentCanceled(canceled) => Some(canceled.payment),
            Self::PaymentFeeRecorded(fee) => Some(fee.payment),
            Self::PaymentRefundStarted(started) => Some(started.payment),
            Self::PaymentRefunded(refunded) => Some(refunded.payment),
            Self::PaymentRefundFailed(failed) => Some(failed.payment),
            Self::PaymentAnomaly(anomaly) => Some(anomaly.payment),
            Self::SubscriptionRenewed(renewed) => Some(renewed.subscription),
            Self::SubscriptionPastDue(due) => Some(due.subscription),
            Self::SubscriptionCanceled(changed) | Self::SubscriptionResumed(changed) => {
                Some(changed.subscription)
            }
            Self::SubscriptionEnded(ended) => Some(ended.subscription),
            _ => None,
        }
    }

    /// The payment that it is about, if its event stands at `position`.
    #[must_use]
    pub const fn payment(&self, position: u64) -> Option<u64> {
        match self {
            Self::PaymentCreated(_) => Some(position),
            Self::PaymentSucceeded(succeeded) => match succeeded.payment {
                Some(payment) => Some(payment),
                None => Some(position),
            },
            Self::PaymentStatusRecorded(_)
            | Self::PaymentCanceled(_)
            | Self::PaymentFeeRecorded(_)
            | Self::PaymentRefundStarted(_)
            | Self::PaymentRefunded(_)
            | Self::PaymentRefundFailed(_)
            | Self::PaymentAnomaly(_) => self.refers_to(),
            _ => None,
        }
    }

    /// The ids of a provider that it makes known, with the provider and the
    /// merchant account that they belong to.
    #[must_use]
    pub fn provider_ids(&self) -> Option<(&Name, &Name, &[ProviderId])> {
        let given = match self {
            Self::PaymentSucceeded(succeeded) => {
                return Some((
                    &succeeded.provider,
                    &succeeded.merchant_account,
                    &succeeded.provider_ids,
                ));
            }
            Self::PaymentStatusRecorded(recorded) => &recorded.provider_ids,
            Self::PaymentCanceled(canceled) => &canceled.provider_ids,
            Self::PaymentRefunded(refunded) => &refunded.provider_ids,
            Self::PaymentRefundFailed(failed) => &failed.provider_ids,
            Self::PaymentAnomaly(anomaly) => &anomaly.provider_ids,
            _ => return None,
        };
        Some((&given.provider, &given.merchant_account, &given.ids))
    }

    /// Whether time alone made it. Such an event may be written along with
    /// somebody's request, and is not that person's doing all the same: what
    /// the envelope keeps of the request is not about it.
    #[must_use]
    pub const fn is_of_time(&self) -> bool {
        match self {
            Self::HoldExpired(_) | Self::LotExpired(_) | Self::SubscriptionPastDue(_) => true,
            Self::SubscriptionRenewed(renewed) => renewed.begins,
            Self::SubscriptionEnded(ended) => {
                matches!(ended.reason, EndReason::NotRenewed | EndReason::Canceled)
            }
            _ => false,
        }
    }

    /// The operation that it is about.
    #[must_use]
    pub fn operation(&self) -> Option<&str> {
        match self {
            Self::Debited(debited) => debited.operation.as_deref(),
            Self::Refunded(refunded) => refunded.operation.as_deref(),
            Self::HoldPlaced(placed) => placed.operation.as_deref(),
            Self::HoldCaptured(captured) => captured.operation.as_deref(),
            Self::HoldReleased(ended) | Self::HoldExpired(ended) => ended.operation.as_deref(),
            _ => None,
        }
    }

    /// By how much it changes the count of operations paid for.
    #[must_use]
    pub const fn operations_delta(&self) -> i64 {
        match self {
            Self::Debited(debited) if debited.operation.is_some() => 1,
            Self::HoldCaptured(captured) if captured.counted => 1,
            Self::Refunded(refunded) if refunded.uncounted => -1,
            _ => 0,
        }
    }

    /// Every part of a lot that it moves.
    pub fn parts(&self) -> impl Iterator<Item = &Lot> {
        let (first, second, third): (&[Lot], &[Lot], &[Lot]) = match self {
            Self::Credited(credited) => (std::slice::from_ref(&credited.lot), &[], &[]),
            Self::Debited(debited) => (&debited.parts, &[], &[]),
            Self::Refunded(refunded) => (&refunded.parts, &[], &[]),
            Self::HoldPlaced(placed) => (&placed.parts, &[], &[]),
            Self::HoldCaptured(captured) => (
                &captured.held_parts,
                &captured.free_parts,
                &captured.released,
            ),
            Self::HoldReleased(ended) | Self::HoldExpired(ended) => (&ended.parts, &[], &[]),
            Self::LotExpired(expired) => (std::slice::from_ref(&expired.lot), &[], &[]),
            Self::Adjusted(adjusted) => (&adjusted.parts, adjusted.lot.as_slice(), &[]),
            Self::TransferSent(sent) => (&sent.parts, &[], &[]),
            Self::TransferReceived(received) => (&received.parts, &[], &[]),
            Self::PaymentRefundStarted(started) => (&started.parts, &[], &[]),
            Self::PaymentRefunded(refunded) => (&refunded.reserved, &refunded.parts, &[]),
            Self::PaymentRefundFailed(failed) => (&failed.parts, &[], &[]),
            Self::SubscriptionRenewed(renewed) => (&renewed.ended, &[], &[]),
            Self::SubscriptionEnded(ended) => (&ended.ended, &[], &[]),
            _ => (&[], &[], &[]),
        };
        first.iter().chain(second).chain(third)
    }

    /// The number of its kind: what the encoding and the copies in the
    /// database use.
    #[must_use]
    pub const fn kind(&self) -> EventKind {
        match self {
            Self::AccountOpened => EventKind::AccountOpened,
            Self::AccountClosed => EventKind::AccountClosed,
            Self::Credited(_) => EventKind::Credited,
            Self::Debited(_) => EventKind::Debited,
            Self::Refunded(_) => EventKind::Refunded,
            Self::HoldPlaced(_) => EventKind::HoldPlaced,
            Self::HoldExtended(_) => EventKind::HoldExtended,
            Self::HoldCaptured(_) => EventKind::HoldCaptured,
            Self::HoldReleased(_) => EventKind::HoldReleased,
            Self::HoldExpired(_) => EventKind::HoldExpired,
            Self::LotExpired(_) => EventKind::LotExpired,
            Self::Adjusted(_) => EventKind::Adjusted,
            Self::TransferSent(_) => EventKind::TransferSent,
            Self::TransferReceived(_) => EventKind::TransferReceived,
            Self::AccountBlocked => EventKind::AccountBlocked,
            Self::AccountUnblocked => EventKind::AccountUnblocked,
            Self::PaymentSucceeded(_) => EventKind::PaymentSucceeded,
            Self::CatalogApplied(_) => EventKind::CatalogApplied,
            Self::PaymentCreated(_) => EventKind::PaymentCreated,
            Self::PaymentStatusRecorded(_) => EventKind::PaymentStatusRecorded,
            Self::PaymentCanceled(_) => EventKind::PaymentCanceled,
            Self::PaymentFeeRecorded(_) => EventKind::PaymentFeeRecorded,
            Self::PaymentRefundStarted(_) => EventKind::PaymentRefundStarted,
            Self::PaymentRefunded(_) => EventKind::PaymentRefunded,
            Self::PaymentRefundFailed(_) => EventKind::PaymentRefundFailed,
            Self::PaymentAnomaly(_) => EventKind::PaymentAnomaly,
            Self::SubscriptionStarted(_) => EventKind::SubscriptionStarted,
            Self::SubscriptionRenewed(_) => EventKind::SubscriptionRenewed,
            Self::SubscriptionPastDue(_) => EventKind::SubscriptionPastDue,
            Self::SubscriptionCanceled(_) => EventKind::SubscriptionCanceled,
            Self::SubscriptionResumed(_) => EventKind::SubscriptionResumed,
            Self::SubscriptionEnded(_) => EventKind::SubscriptionEnded,
        }
    }
}
