//! Rejections about payments.

use ledger_core::payment::PaymentStatus;

use super::*;

/// Each with its status, told in a line.
pub(super) fn rejections() -> [(Rejection, &'static str); 12] {
    let (currency, package) = ("RUB".to_owned(), "start".to_owned());
    let (payment, amount) = (7, 9);
    [
        (
            Rejection::UnknownPackage {
                package: package.clone(),
            },
            "NotFound UNKNOWN_PACKAGE package=start",
        ),
        (
            Rejection::PackageNotAvailable {
                package: package.clone(),
                origin: "quiz".to_owned(),
                currency: currency.clone(),
            },
            "FailedPrecondition PACKAGE_NOT_AVAILABLE currency=RUB origin=quiz package=start",
        ),
        (
            Rejection::PackageLimitReached {
                package,
                maximum: 1,
            },
            "FailedPrecondition PACKAGE_LIMIT_REACHED maximum=1 package=start",
        ),
        (
            Rejection::TopUpNotOffered {
                currency: currency.clone(),
                amount,
                minimum: 10,
                maximum: 20,
                multiple: 5,
            },
            "InvalidArgument TOP_UP_NOT_OFFERED amount=9 currency=RUB maximum_amount=20 \
             minimum_amount=10 multiple_amount=5",
        ),
        (
            Rejection::PaymentAmountDiffers {
                currency: currency.clone(),
                amount,
                expected: 8,
            },
            "FailedPrecondition PAYMENT_AMOUNT_DIFFERS amount=9 currency=RUB expected_amount=8",
        ),
        (Rejection::PaymentNotFound, "NotFound PAYMENT_NOT_FOUND"),
        (
            Rejection::PaymentNotSucceeded {
                payment,
                status: PaymentStatus::WaitingForCapture,
            },
            "FailedPrecondition PAYMENT_NOT_SUCCEEDED payment=books/b/events/7 \
             status=WAITING_FOR_CAPTURE",
        ),
        (
            Rejection::RefundExceedsPayment {
                payment,
                currency: currency.clone(),
                amount,
                refundable: 8,
            },
            "FailedPrecondition REFUND_EXCEEDS_PAYMENT amount=9 currency=RUB \
             payment=books/b/events/7 refundable_amount=8",
        ),
        (
            Rejection::PaymentSpent {
                payment,
                currency,
                amount,
                unspent: 8,
            },
            "FailedPrecondition PAYMENT_SPENT amount=9 currency=RUB payment=books/b/events/7 \
             unspent_amount=8",
        ),
        (
            Rejection::TooManyRefunds { maximum: 16 },
            "FailedPrecondition TOO_MANY_REFUNDS maximum=16",
        ),
        (Rejection::RefundNotFound, "NotFound REFUND_NOT_FOUND"),
        (
            Rejection::RefundAlreadyRecorded { payment, refund: 8 },
            "AlreadyExists REFUND_ALREADY_RECORDED payment=books/b/events/7 \
             refund=books/b/events/8",
        ),
    ]
}

/// The same, about subscriptions.
pub(super) fn of_subscriptions() -> [(Rejection, &'static str); 8] {
    let (plan, subscription) = ("month".to_owned(), 7);
    [
        (
            Rejection::UnknownPlan { plan: plan.clone() },
            "NotFound UNKNOWN_PLAN plan=month",
        ),
        (
            Rejection::PlanNotAvailable {
                plan: plan.clone(),
                origin: "quiz".to_owned(),
                currency: "XTR".to_owned(),
            },
            "FailedPrecondition PLAN_NOT_AVAILABLE currency=XTR origin=quiz plan=month",
        ),
        (
            Rejection::SubscriptionNotFound,
            "NotFound SUBSCRIPTION_NOT_FOUND",
        ),
        (
            Rejection::SubscriptionRuns { subscription },
            "FailedPrecondition SUBSCRIPTION_RUNS subscription=books/b/events/7",
        ),
        (
            Rejection::UpgradeNotOffered {
                plan,
                from: "year".to_owned(),
            },
            "FailedPrecondition UPGRADE_NOT_OFFERED from=year plan=month",
        ),
        (
            Rejection::TooManySubscriptions { maximum: 8 },
            "FailedPrecondition TOO_MANY_SUBSCRIPTIONS maximum=8",
        ),
        (
            Rejection::SubscriptionNotRenewed { subscription },
            "FailedPrecondition SUBSCRIPTION_NOT_RENEWED subscription=books/b/events/7",
        ),
        (
            Rejection::RenewalAttemptOpen {
                subscription,
                payment: 9,
            },
            "FailedPrecondition RENEWAL_ATTEMPT_OPEN payment=books/b/events/9 \
             subscription=books/b/events/7",
        ),
    ]
}

/// The same, about what is bought by itself.
pub(super) fn automatic() -> [(Rejection, &'static str); 4] {
    [
        (
            Rejection::AutoTopUpNotOffered,
            "FailedPrecondition AUTO_TOP_UP_NOT_OFFERED",
        ),
        (
            Rejection::AutoTopUpNotDue {
                asset: "CREDIT".to_owned(),
                available: 5,
                threshold: 3,
            },
            "FailedPrecondition AUTO_TOP_UP_NOT_DUE asset=CREDIT available_amount=5 \
             threshold_amount=3",
        ),
        (
            Rejection::AutoTopUpOpen { payment: 7 },
            "FailedPrecondition AUTO_TOP_UP_OPEN payment=books/b/events/7",
        ),
        (
            Rejection::AutoTopUpCapReached {
                currency: "RUB".to_owned(),
                paid: 5,
                maximum: 7,
            },
            "FailedPrecondition AUTO_TOP_UP_CAP_REACHED currency=RUB maximum_amount=7 \
             paid_amount=5",
        ),
    ]
}
