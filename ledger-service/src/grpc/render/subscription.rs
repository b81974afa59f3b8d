//! Subscriptions.

use ledger_core::{
    account::Subscription,
    catalog::{Plan, Renewal},
    event as core,
    event::EndReason,
};
use ledger_proto::v1::{self, event::Payload as Message};

use super::{money, number, takes, timestamp};
use crate::grpc::names::{AccountName, event_name};

pub(super) fn started(book: &str, started: &core::SubscriptionStarted) -> Message {
    Message::SubscriptionStarted(v1::SubscriptionStarted {
        plan: (&started.plan).into(),
        start_time: Some(timestamp(started.starts_at)),
        end_time: Some(timestamp(started.ends_at)),
        payment: event_name(book, started.payment),
        amount: Some(money(&started.paid)),
    })
}

pub(super) fn renewed(book: &str, renewed: &core::SubscriptionRenewed) -> Message {
    Message::SubscriptionRenewed(v1::SubscriptionRenewed {
        subscription: event_name(book, renewed.subscription),
        start_time: Some(timestamp(renewed.starts_at)),
        end_time: Some(timestamp(renewed.ends_at)),
        payment: event_name(book, renewed.payment),
        amount: Some(money(&renewed.paid)),
        queued: !renewed.queued.is_empty(),
        begins: renewed.begins,
        ended: takes(&renewed.ended),
    })
}

pub(super) fn past_due(book: &str, due: &core::SubscriptionPastDue) -> Message {
    Message::SubscriptionPastDue(v1::SubscriptionPastDue {
        subscription: event_name(book, due.subscription),
        grace_end_time: Some(timestamp(due.until)),
        passes: due.passes.iter().map(|lot| number(*lot)).collect(),
    })
}

pub(super) fn canceled(book: &str, changed: &core::SubscriptionChanged) -> Message {
    Message::SubscriptionCanceled(v1::SubscriptionCanceled {
        subscription: event_name(book, changed.subscription),
    })
}

pub(super) fn resumed(book: &str, changed: &core::SubscriptionChanged) -> Message {
    Message::SubscriptionResumed(v1::SubscriptionResumed {
        subscription: event_name(book, changed.subscription),
    })
}

pub(super) fn ended(book: &str, ended: &core::SubscriptionEnded) -> Message {
    let reason = match ended.reason {
        EndReason::NotRenewed => v1::SubscriptionEndReason::NotRenewed,
        EndReason::Canceled => v1::SubscriptionEndReason::Canceled,
        EndReason::Upgraded => v1::SubscriptionEndReason::Upgraded,
        EndReason::Refunded => v1::SubscriptionEndReason::Refunded,
    };
    Message::SubscriptionEnded(v1::SubscriptionEnded {
        subscription: event_name(book, ended.subscription),
        plan: (&ended.plan).into(),
        reason: reason.into(),
        ended: takes(&ended.ended),
    })
}

/// How the next period is paid for.
pub(super) fn renewal(renewal: Renewal) -> i32 {
    let message = match renewal {
        Renewal::None => v1::SubscriptionRenewalKind::None,
        Renewal::SavedMethod => v1::SubscriptionRenewalKind::SavedMethod,
        Renewal::Stars => v1::SubscriptionRenewalKind::Stars,
    };
    message.into()
}

/// A subscription; `plan` is what the catalog in force says of it, if it knows
/// it.
pub(in crate::grpc) fn subscription(
    name: &AccountName,
    subscription: &Subscription,
    plan: Option<&Plan>,
) -> v1::Subscription {
    let book = name.book();
    let state = if subscription.past_due_until.is_some() {
        v1::SubscriptionState::PastDue
    } else if subscription.canceled {
        v1::SubscriptionState::Canceled
    } else {
        v1::SubscriptionState::Active
    };
    let retries = plan.map_or(&[][..], |plan| &plan.retries_us);
    v1::Subscription {
        name: event_name(book, subscription.position),
        account: name.as_str().to_owned(),
        plan: (&subscription.plan).into(),
        state: state.into(),
        renewal: renewal(subscription.renewal),
        start_time: Some(timestamp(subscription.started_at)),
        period_end_time: Some(timestamp(subscription.ends_at)),
        paid_until_time: Some(timestamp(subscription.paid_until())),
        grace_end_time: subscription.past_due_until.map(timestamp),
        payment: event_name(book, subscription.payment),
        amount: Some(money(&subscription.paid)),
        open_renewal: event_name(book, subscription.attempt.unwrap_or(0)),
        failed_renewals: i32::try_from(subscription.failures).unwrap_or(i32::MAX),
        next_renewal_time: subscription.next_renewal_at(retries).map(timestamp),
    }
}
