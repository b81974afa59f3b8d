//! What is said of subscriptions, in events and commands.

use ledger_core::{
    Command, Money, Payload,
    catalog::{Period, Renewal},
    command::{CancelSubscription, CreatePayment, ResumeSubscription},
    event::{
        Credited, EndReason, PaidPeriod, PaymentCreated, PlannedLot, SubscriptionChanged,
        SubscriptionEnded, SubscriptionPastDue, SubscriptionRenewed, SubscriptionStarted,
    },
    payment::Purpose,
};

use super::{LATER, NOW, full_lot, plain_lot};

const LENGTH: Period = Period { months: 1, days: 3 };

fn money() -> Money {
    Money {
        currency: "RUB".into(),
        amount: 49_900,
    }
}

fn planned() -> PlannedLot {
    PlannedLot {
        lot: plain_lot(),
        expires_after_us: None,
        with_period: true,
    }
}

/// Each with its name.
pub(crate) fn events() -> Vec<(&'static str, Payload)> {
    let created = PaymentCreated {
        provider: "yookassa".into(),
        merchant_account: "506751".into(),
        purpose: Purpose::Renewal { subscription: 980 },
        amount: money(),
        gives: vec![planned()],
        refund: ledger_core::catalog::PaymentRefundPolicy::RefuseIfSpent,
        is_limited: false,
        period: Some(PaidPeriod {
            plan: "month".into(),
            length: LENGTH,
            renewal: Renewal::SavedMethod,
            grace_us: 7,
            queues: true,
            refunds_second: true,
            subscription: Some(980),
            starts_at: Some(NOW),
            upgrade_of: Some(970),
        }),
        automatic_until: None,
    };
    let changed = || SubscriptionChanged { subscription: 980 };
    vec![
        (
            "payment_created_for_a_period",
            Payload::PaymentCreated(created),
        ),
        (
            "SubscriptionStarted",
            Payload::SubscriptionStarted(SubscriptionStarted {
                plan: "month".into(),
                length: LENGTH,
                renewal: Renewal::Stars,
                grace_us: 7,
                starts_at: NOW,
                ends_at: LATER,
                payment: 990,
                paid: money(),
            }),
        ),
        (
            "SubscriptionRenewed",
            Payload::SubscriptionRenewed(SubscriptionRenewed {
                subscription: 980,
                starts_at: NOW,
                ends_at: LATER,
                payment: 990,
                paid: money(),
                queued: vec![planned()],
                begins: true,
                ended: vec![full_lot()],
            }),
        ),
        (
            "SubscriptionPastDue",
            Payload::SubscriptionPastDue(SubscriptionPastDue {
                subscription: 980,
                until: LATER,
                passes: vec![300],
            }),
        ),
        (
            "SubscriptionCanceled",
            Payload::SubscriptionCanceled(changed()),
        ),
        (
            "SubscriptionResumed",
            Payload::SubscriptionResumed(changed()),
        ),
        (
            "SubscriptionEnded",
            Payload::SubscriptionEnded(SubscriptionEnded {
                subscription: 980,
                plan: "month".into(),
                reason: EndReason::Upgraded,
                ended: vec![full_lot()],
            }),
        ),
        (
            "credited_by_a_subscription",
            Payload::Credited(Credited {
                lot: full_lot(),
                payment: Some(990),
                subscription: Some(980),
                ..Credited::default()
            }),
        ),
    ]
}

/// Each with its name.
pub(crate) fn commands() -> Vec<(&'static str, Command)> {
    let purpose = Purpose::Subscription {
        plan: "month".into(),
        currency: "RUB".into(),
        upgrade_of: Some(970),
    };
    vec![
        (
            "create_payment_for_a_subscription",
            Command::CreatePayment(CreatePayment {
                provider: "yookassa".into(),
                merchant_account: "506751".into(),
                purpose,
                automatic: false,
            }),
        ),
        (
            "CancelSubscription",
            Command::CancelSubscription(CancelSubscription { subscription: 980 }),
        ),
        (
            "ResumeSubscription",
            Command::ResumeSubscription(ResumeSubscription { subscription: 980 }),
        ),
    ]
}
