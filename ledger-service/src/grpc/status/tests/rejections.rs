//! Every rejection.

use std::collections::BTreeSet;

use ledger_core::{Timestamp, record::HoldEnd};

use super::*;

/// The place of a variant in the table. Has no arm for the rest, so that a new
/// variant is not forgotten there.
const fn place(rejection: &Rejection) -> usize {
    match rejection {
        Rejection::RequestExpired { .. } => 0,
        Rejection::AccountNotFound { .. } => 1,
        Rejection::AccountClosed { .. } => 2,
        Rejection::AccountBlocked { .. } => 3,
        Rejection::AccountNotBlocked { .. } => 4,
        Rejection::AccountNotEmpty { .. } => 5,
        Rejection::MetadataKeyNotAllowed { .. } => 6,
        Rejection::MetadataPersonal { .. } => 7,
        Rejection::UnknownAsset { .. } => 8,
        Rejection::UnknownOperation { .. } => 9,
        Rejection::UnknownCurrency { .. } => 10,
        Rejection::QuantityTooLarge { .. } => 11,
        Rejection::AmountTooLarge { .. } => 12,
        Rejection::LotExpiryPast { .. } => 13,
        Rejection::BalanceTooLarge { .. } => 14,
        Rejection::WalletFull { .. } => 15,
        Rejection::PriceChanged { .. } => 16,
        Rejection::InsufficientFunds { .. } => 17,
        Rejection::HoldNotFound => 18,
        Rejection::HoldEnded { .. } => 19,
        Rejection::HoldNotExtended { .. } => 20,
        Rejection::HoldTooLong { .. } => 21,
        Rejection::CaptureExceedsHold { .. } => 22,
        Rejection::ChargeNotFound => 23,
        Rejection::RefundExceedsCharge { .. } => 24,
        Rejection::TransferToSelf { .. } => 25,
        Rejection::BalanceMismatch { .. } => 26,
        Rejection::CatalogForOtherBook { .. } => 27,
        Rejection::InvalidCatalog { .. } => 28,
        Rejection::RequestIdReused { .. } => 29,
        Rejection::PaymentAlreadyRecorded { .. } => 30,
        Rejection::BatchItemRefused { .. } => 31,
        Rejection::AmountNotPositive { .. } => 32,
        Rejection::InvalidAttribute { .. } => 33,
        Rejection::VariantNotAvailable { .. } => 34,
        Rejection::NotSoldHere { .. } => 35,
        Rejection::RateLimited { .. } => 36,
        Rejection::ConfirmationRequired { .. } => 37,
        Rejection::BadgeAlreadyGranted { .. } => 38,
        Rejection::CatalogChanged { .. } => 39,
        Rejection::AssetInUse { .. } => 40,
        Rejection::AssetNotSpendable { .. } => 41,
        Rejection::UnknownPackage { .. } => 42,
        Rejection::PackageNotAvailable { .. } => 43,
        Rejection::PackageLimitReached { .. } => 44,
        Rejection::TopUpNotOffered { .. } => 45,
        Rejection::PaymentAmountDiffers { .. } => 46,
        Rejection::PaymentNotFound => 47,
        Rejection::PaymentNotSucceeded { .. } => 48,
        Rejection::RefundExceedsPayment { .. } => 49,
        Rejection::PaymentSpent { .. } => 50,
        Rejection::TooManyRefunds { .. } => 51,
        Rejection::RefundNotFound => 52,
        Rejection::RefundAlreadyRecorded { .. } => 53,
        Rejection::UnknownPlan { .. } => 54,
        Rejection::PlanNotAvailable { .. } => 55,
        Rejection::SubscriptionNotFound => 56,
        Rejection::SubscriptionRuns { .. } => 57,
        Rejection::UpgradeNotOffered { .. } => 58,
        Rejection::TooManySubscriptions { .. } => 59,
        Rejection::SubscriptionNotRenewed { .. } => 60,
        Rejection::RenewalAttemptOpen { .. } => 61,
        Rejection::AutoTopUpNotOffered => 62,
        Rejection::AutoTopUpNotDue { .. } => 63,
        Rejection::AutoTopUpOpen { .. } => 64,
        Rejection::AutoTopUpCapReached { .. } => 65,
    }
}

/// Each with its status, told in a line.
#[expect(clippy::too_many_lines, reason = "a table of all there is")]
pub(super) fn every_rejection() -> Vec<(Rejection, &'static str)> {
    let (account, asset) = ("a".to_owned(), "RUB".to_owned());
    let (expire_time, now) = (Timestamp(1_000_000), Timestamp(2_500_000));
    let mut rejections = vec![
        (
            Rejection::RequestExpired { expire_time, now },
            "FailedPrecondition REQUEST_EXPIRED expire_time=1970-01-01T00:00:01Z \
             now=1970-01-01T00:00:02.500Z",
        ),
        (
            Rejection::AccountNotFound {
                account: account.clone(),
            },
            "NotFound ACCOUNT_NOT_FOUND account=books/b/accounts/a",
        ),
        (
            Rejection::AccountClosed {
                account: account.clone(),
            },
            "FailedPrecondition ACCOUNT_CLOSED account=books/b/accounts/a",
        ),
        (
            Rejection::AccountBlocked {
                account: account.clone(),
                code: "FRAUD".to_owned(),
            },
            "FailedPrecondition ACCOUNT_BLOCKED account=books/b/accounts/a code=FRAUD",
        ),
        (
            Rejection::AccountNotBlocked {
                account: account.clone(),
            },
            "FailedPrecondition ACCOUNT_NOT_BLOCKED account=books/b/accounts/a",
        ),
        (
            Rejection::AccountNotEmpty {
                account: account.clone(),
                asset: asset.clone(),
            },
            "FailedPrecondition ACCOUNT_NOT_EMPTY account=books/b/accounts/a asset=RUB",
        ),
        (
            Rejection::MetadataKeyNotAllowed {
                key: "k".to_owned(),
            },
            "InvalidArgument METADATA_KEY_NOT_ALLOWED key=k",
        ),
        (
            Rejection::MetadataPersonal {
                key: "k".to_owned(),
                kind: "e-mail",
            },
            "InvalidArgument METADATA_PERSONAL key=k kind=e-mail",
        ),
        (
            Rejection::UnknownAsset {
                asset: asset.clone(),
            },
            "NotFound UNKNOWN_ASSET asset=RUB",
        ),
        (
            Rejection::UnknownOperation {
                operation: "o".to_owned(),
            },
            "NotFound UNKNOWN_OPERATION operation=o",
        ),
        (
            Rejection::UnknownCurrency {
                currency: "USD".to_owned(),
            },
            "NotFound UNKNOWN_CURRENCY currency=USD",
        ),
        (
            Rejection::QuantityTooLarge {
                quantity: 7,
                maximum: 5,
            },
            "InvalidArgument QUANTITY_TOO_LARGE maximum=5 quantity=7",
        ),
        (
            Rejection::AmountTooLarge {
                amount: 7,
                maximum: 5,
            },
            "InvalidArgument AMOUNT_TOO_LARGE amount=7 maximum_amount=5",
        ),
        (
            Rejection::LotExpiryPast { expire_time, now },
            "FailedPrecondition LOT_EXPIRY_PAST expire_time=1970-01-01T00:00:01Z \
             now=1970-01-01T00:00:02.500Z",
        ),
        (
            Rejection::BalanceTooLarge {
                asset: asset.clone(),
                maximum: 5,
            },
            "FailedPrecondition BALANCE_TOO_LARGE asset=RUB maximum_amount=5",
        ),
        (
            Rejection::WalletFull {
                parts: 256,
                maximum: 256,
            },
            "FailedPrecondition WALLET_FULL maximum=256 parts=256",
        ),
        (
            Rejection::PriceChanged {
                asset: asset.clone(),
                amount: 7,
                max_asset: "XTR".to_owned(),
                max_amount: 5,
            },
            "FailedPrecondition PRICE_CHANGED amount=7 asset=RUB max_amount=5 max_asset=XTR",
        ),
        (
            Rejection::InsufficientFunds {
                asset: asset.clone(),
                required: 7,
                available: 5,
                shortfall: 2,
                top_up: Some(ledger_core::Money {
                    currency: "XTR".into(),
                    amount: 100,
                }),
                package: Some("start".to_owned()),
            },
            "FailedPrecondition INSUFFICIENT_FUNDS asset=RUB available_amount=5 package=start \
             required_amount=7 shortfall_amount=2 top_up_amount=100 top_up_currency=XTR",
        ),
        (Rejection::HoldNotFound, "NotFound HOLD_NOT_FOUND"),
        (
            Rejection::HoldEnded {
                hold: 3,
                end: HoldEnd::Captured,
            },
            "FailedPrecondition HOLD_ENDED end=CAPTURED hold=books/b/events/3",
        ),
        (
            Rejection::HoldNotExtended {
                hold: 3,
                expire_time,
            },
            "FailedPrecondition HOLD_NOT_EXTENDED expire_time=1970-01-01T00:00:01Z \
             hold=books/b/events/3",
        ),
        (
            Rejection::HoldTooLong {
                maximum_expire_time: expire_time,
            },
            "InvalidArgument HOLD_TOO_LONG maximum_expire_time=1970-01-01T00:00:01Z",
        ),
        (
            Rejection::CaptureExceedsHold {
                hold: 3,
                asset: asset.clone(),
                amount: 7,
                held: 5,
            },
            "FailedPrecondition CAPTURE_EXCEEDS_HOLD amount=7 asset=RUB held_amount=5 \
             hold=books/b/events/3",
        ),
        (Rejection::ChargeNotFound, "NotFound CHARGE_NOT_FOUND"),
        (
            Rejection::RefundExceedsCharge {
                charge: 3,
                asset: asset.clone(),
                amount: 7,
                refundable: 5,
            },
            "FailedPrecondition REFUND_EXCEEDS_CHARGE amount=7 asset=RUB \
             charge=books/b/events/3 refundable_amount=5",
        ),
        (
            Rejection::TransferToSelf {
                account: account.clone(),
            },
            "InvalidArgument TRANSFER_TO_SELF account=books/b/accounts/a",
        ),
        (
            Rejection::BalanceMismatch {
                asset: asset.clone(),
                expected: 7,
                available: 5,
            },
            "FailedPrecondition BALANCE_MISMATCH asset=RUB available_amount=5 expected_amount=7",
        ),
        (
            Rejection::CatalogForOtherBook {
                catalog_book: "c".to_owned(),
            },
            "InvalidArgument CATALOG_FOR_OTHER_BOOK catalog_book=c",
        ),
        (
            Rejection::InvalidCatalog {
                problems: "line 3".to_owned(),
            },
            "InvalidArgument INVALID_CATALOG problems=line 3",
        ),
        (
            Rejection::RequestIdReused {
                field: "amount",
                event: 3,
            },
            "AlreadyExists REQUEST_ID_REUSED event=books/b/events/3 field=amount",
        ),
        (
            Rejection::PaymentAlreadyRecorded {
                book: "c".to_owned(),
                event: 3,
                kind: "payment".to_owned(),
                id: "p-1".to_owned(),
            },
            "AlreadyExists PAYMENT_ALREADY_RECORDED event=books/c/events/3 id=p-1 kind=payment",
        ),
        (
            Rejection::BatchItemRefused {
                index: 2,
                reason: "INSUFFICIENT_FUNDS",
                message: "m".to_owned(),
            },
            "FailedPrecondition BATCH_ITEM_REFUSED index=2 message=m reason=INSUFFICIENT_FUNDS",
        ),
        (
            Rejection::AmountNotPositive {
                amount: -7,
                minimum: 1,
            },
            "InvalidArgument AMOUNT_NOT_POSITIVE amount=-7 minimum_amount=1",
        ),
        (
            Rejection::InvalidAttribute {
                operation: "edit".to_owned(),
                attribute: "model".to_owned(),
                value: Some("x".to_owned()),
                allowed: vec!["a".to_owned(), "b".to_owned()],
            },
            "InvalidArgument INVALID_ATTRIBUTE allowed=a, b attribute=model operation=edit value=x",
        ),
        (
            Rejection::VariantNotAvailable {
                operation: "edit".to_owned(),
            },
            "FailedPrecondition VARIANT_NOT_AVAILABLE operation=edit",
        ),
        (
            Rejection::NotSoldHere {
                operation: "edit".to_owned(),
                origin: "quiz_bot".to_owned(),
            },
            "FailedPrecondition NOT_SOLD_HERE operation=edit origin=quiz_bot",
        ),
        (
            Rejection::RateLimited {
                limit: "hourly".to_owned(),
                used: 20,
                maximum: 20,
                next_free_at: Some(now),
                now: expire_time,
            },
            "ResourceExhausted RATE_LIMITED limit=hourly maximum=20 \
             next_free_time=1970-01-01T00:00:02.500Z used=20",
        ),
        (
            Rejection::ConfirmationRequired {
                asset: asset.clone(),
                amount: 7,
                threshold: 5,
            },
            "FailedPrecondition CONFIRMATION_REQUIRED amount=7 asset=RUB confirm_above_amount=5",
        ),
        (
            Rejection::BadgeAlreadyGranted {
                asset: "STAR".to_owned(),
            },
            "AlreadyExists BADGE_ALREADY_GRANTED asset=STAR",
        ),
        (
            Rejection::CatalogChanged { catalog_version: 3 },
            "FailedPrecondition CATALOG_CHANGED catalog_version=3",
        ),
        (
            Rejection::AssetInUse { asset, account },
            "FailedPrecondition ASSET_IN_USE account=books/b/accounts/a asset=RUB",
        ),
        (
            Rejection::AssetNotSpendable {
                asset: "STAR".to_owned(),
            },
            "InvalidArgument ASSET_NOT_SPENDABLE asset=STAR",
        ),
    ];
    rejections.extend(payments::rejections());
    rejections.extend(payments::of_subscriptions());
    rejections.extend(payments::automatic());
    rejections
}

#[test]
fn every_rejection_is_told_with_its_words() {
    let table = every_rejection();
    for (index, (rejection, expected)) in table.iter().enumerate() {
        assert_eq!(place(rejection), index, "{rejection:?}");
        let status = rejected(rejection, "b", "a");
        assert_eq!(told(&status), *expected);
        assert_eq!(status.message(), rejection.to_string());
        let details = status.get_error_details();
        let is_precondition = status.code() == Code::FailedPrecondition;
        assert_eq!(
            details.has_precondition_failure_violations(),
            is_precondition
        );
        let message = into_message(&status);
        assert_eq!(message.code, status.code() as i32);
        assert_eq!(message.message, status.message());
        assert!(!message.details.is_empty());
    }
    let reasons: BTreeSet<&str> = table
        .iter()
        .map(|(rejection, _)| rejection.reason())
        .collect();
    assert_eq!(reasons.len(), table.len(), "each has a reason of its own");
}
