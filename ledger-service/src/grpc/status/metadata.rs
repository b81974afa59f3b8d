//! The words of each rejection that change from call to call.

use ledger_core::{Rejection, payment::PaymentStatus, record::HoldEnd};

use super::Metadata;
use crate::grpc::{names, render::timestamp};

/// The words of a rejection's message. Has no arm for the rest, so that a new
/// rejection is not forgotten here.
pub(super) fn of(rejection: &Rejection, book: &str) -> Metadata {
    let event = |position: u64| names::event_name(book, position);
    let account_of = |id: &str| names::account_name(book, id);
    match rejection {
        Rejection::RequestExpired { expire_time, now } => vec![
            ("expire_time", timestamp(*expire_time).to_string()),
            ("now", timestamp(*now).to_string()),
        ],
        Rejection::AccountNotFound { account }
        | Rejection::AccountClosed { account }
        | Rejection::AccountNotBlocked { account }
        | Rejection::TransferToSelf { account } => vec![("account", account_of(account))],
        Rejection::AccountBlocked { account, code } => {
            vec![("account", account_of(account)), ("code", code.clone())]
        }
        Rejection::AccountNotEmpty { account, asset } => {
            vec![("account", account_of(account)), ("asset", asset.clone())]
        }
        Rejection::MetadataKeyNotAllowed { key } => vec![("key", key.clone())],
        Rejection::MetadataPersonal { key, kind } => {
            vec![("key", key.clone()), ("kind", (*kind).to_owned())]
        }
        Rejection::UnknownAsset { asset } => vec![("asset", asset.clone())],
        Rejection::UnknownOperation { operation } => vec![("operation", operation.clone())],
        Rejection::UnknownCurrency { currency } => vec![("currency", currency.clone())],
        Rejection::QuantityTooLarge { quantity, maximum } => {
            vec![
                ("quantity", quantity.to_string()),
                ("maximum", maximum.to_string()),
            ]
        }
        Rejection::AmountNotPositive { amount, minimum } => {
            vec![
                ("amount", amount.to_string()),
                ("minimum_amount", minimum.to_string()),
            ]
        }
        Rejection::AmountTooLarge { amount, maximum } => {
            vec![
                ("amount", amount.to_string()),
                ("maximum_amount", maximum.to_string()),
            ]
        }
        Rejection::LotExpiryPast { expire_time, now } => vec![
            ("expire_time", timestamp(*expire_time).to_string()),
            ("now", timestamp(*now).to_string()),
        ],
        Rejection::BalanceTooLarge { asset, maximum } => {
            vec![
                ("asset", asset.clone()),
                ("maximum_amount", maximum.to_string()),
            ]
        }
        Rejection::WalletFull { parts, maximum } => {
            vec![
                ("parts", parts.to_string()),
                ("maximum", maximum.to_string()),
            ]
        }
        Rejection::PriceChanged {
            asset,
            amount,
            max_asset,
            max_amount,
        } => vec![
            ("asset", asset.clone()),
            ("amount", amount.to_string()),
            ("max_asset", max_asset.clone()),
            ("max_amount", max_amount.to_string()),
        ],
        Rejection::InsufficientFunds {
            asset,
            required,
            available,
            shortfall,
            top_up,
            package,
        } => {
            let mut metadata = vec![
                ("asset", asset.clone()),
                ("required_amount", required.to_string()),
                ("available_amount", available.to_string()),
                ("shortfall_amount", shortfall.to_string()),
            ];
            if let Some(top_up) = top_up {
                metadata.push(("top_up_amount", top_up.amount.to_string()));
                metadata.push(("top_up_currency", (&top_up.currency).into()));
            }
            metadata.extend(package.clone().map(|package| ("package", package)));
            metadata
        }
        Rejection::InvalidAttribute {
            operation,
            attribute,
            value,
            allowed,
        } => {
            let mut metadata = vec![
                ("operation", operation.clone()),
                ("attribute", attribute.clone()),
            ];
            metadata.extend(value.clone().map(|value| ("value", value)));
            metadata.push(("allowed", allowed.join(", ")));
            metadata
        }
        Rejection::VariantNotAvailable { operation } => vec![("operation", operation.clone())],
        Rejection::NotSoldHere { operation, origin } => {
            vec![("operation", operation.clone()), ("origin", origin.clone())]
        }
        Rejection::RateLimited {
            limit,
            used,
            maximum,
            next_free_at,
            now: _,
        } => {
            let mut metadata = vec![
                ("limit", limit.clone()),
                ("used", used.to_string()),
                ("maximum", maximum.to_string()),
            ];
            metadata.extend(next_free_at.map(|at| ("next_free_time", timestamp(at).to_string())));
            metadata
        }
        Rejection::ConfirmationRequired {
            asset,
            amount,
            threshold,
        } => vec![
            ("asset", asset.clone()),
            ("amount", amount.to_string()),
            ("confirm_above_amount", threshold.to_string()),
        ],
        Rejection::AssetNotSpendable { asset } | Rejection::BadgeAlreadyGranted { asset } => {
            vec![("asset", asset.clone())]
        }
        Rejection::HoldNotFound | Rejection::ChargeNotFound => Vec::new(),
        Rejection::HoldEnded { hold, end } => {
            vec![("hold", event(*hold)), ("end", end_name(*end).to_owned())]
        }
        Rejection::HoldNotExtended { hold, expire_time } => {
            vec![
                ("hold", event(*hold)),
                ("expire_time", timestamp(*expire_time).to_string()),
            ]
        }
        Rejection::HoldTooLong {
            maximum_expire_time,
        } => {
            vec![(
                "maximum_expire_time",
                timestamp(*maximum_expire_time).to_string(),
            )]
        }
        Rejection::CaptureExceedsHold {
            hold,
            asset,
            amount,
            held,
        } => vec![
            ("hold", event(*hold)),
            ("asset", asset.clone()),
            ("amount", amount.to_string()),
            ("held_amount", held.to_string()),
        ],
        Rejection::RefundExceedsCharge {
            charge,
            asset,
            amount,
            refundable,
        } => vec![
            ("charge", event(*charge)),
            ("asset", asset.clone()),
            ("amount", amount.to_string()),
            ("refundable_amount", refundable.to_string()),
        ],
        Rejection::BalanceMismatch {
            asset,
            expected,
            available,
        } => vec![
            ("asset", asset.clone()),
            ("expected_amount", expected.to_string()),
            ("available_amount", available.to_string()),
        ],
        Rejection::CatalogForOtherBook { catalog_book } => {
            vec![("catalog_book", catalog_book.clone())]
        }
        Rejection::CatalogChanged { catalog_version } => {
            vec![("catalog_version", catalog_version.to_string())]
        }
        Rejection::AssetInUse { asset, account } => {
            vec![("asset", asset.clone()), ("account", account_of(account))]
        }
        Rejection::InvalidCatalog { problems } => vec![("problems", problems.clone())],
        Rejection::RequestIdReused {
            field,
            event: position,
        } => {
            vec![("field", (*field).to_owned()), ("event", event(*position))]
        }
        Rejection::PaymentAlreadyRecorded {
            book,
            event,
            kind,
            id,
        } => vec![
            ("event", names::event_name(book, *event)),
            ("kind", kind.clone()),
            ("id", id.clone()),
        ],
        Rejection::UnknownPackage { package } => vec![("package", package.clone())],
        Rejection::PackageNotAvailable {
            package,
            origin,
            currency,
        } => vec![
            ("package", package.clone()),
            ("origin", origin.clone()),
            ("currency", currency.clone()),
        ],
        Rejection::PackageLimitReached { package, maximum } => vec![
            ("package", package.clone()),
            ("maximum", maximum.to_string()),
        ],
        Rejection::TopUpNotOffered {
            currency,
            amount,
            minimum,
            maximum,
            multiple,
        } => vec![
            ("currency", currency.clone()),
            ("amount", amount.to_string()),
            ("minimum_amount", minimum.to_string()),
            ("maximum_amount", maximum.to_string()),
            ("multiple_amount", multiple.to_string()),
        ],
        Rejection::PaymentAmountDiffers {
            currency,
            amount,
            expected,
        } => vec![
            ("currency", currency.clone()),
            ("amount", amount.to_string()),
            ("expected_amount", expected.to_string()),
        ],
        Rejection::PaymentNotFound | Rejection::RefundNotFound => Vec::new(),
        Rejection::PaymentNotSucceeded { payment, status } => vec![
            ("payment", event(*payment)),
            ("status", status_name(*status).to_owned()),
        ],
        Rejection::RefundExceedsPayment {
            payment,
            currency,
            amount,
            refundable,
        } => vec![
            ("payment", event(*payment)),
            ("currency", currency.clone()),
            ("amount", amount.to_string()),
            ("refundable_amount", refundable.to_string()),
        ],
        Rejection::PaymentSpent {
            payment,
            currency,
            amount,
            unspent,
        } => vec![
            ("payment", event(*payment)),
            ("currency", currency.clone()),
            ("amount", amount.to_string()),
            ("unspent_amount", unspent.to_string()),
        ],
        Rejection::TooManyRefunds { maximum } => vec![("maximum", maximum.to_string())],
        Rejection::RefundAlreadyRecorded { payment, refund } => {
            vec![("payment", event(*payment)), ("refund", event(*refund))]
        }
        Rejection::UnknownPlan { plan } => vec![("plan", plan.clone())],
        Rejection::PlanNotAvailable {
            plan,
            origin,
            currency,
        } => vec![
            ("plan", plan.clone()),
            ("origin", origin.clone()),
            ("currency", currency.clone()),
        ],
        Rejection::SubscriptionNotFound => Vec::new(),
        Rejection::SubscriptionRuns { subscription }
        | Rejection::SubscriptionNotRenewed { subscription } => {
            vec![("subscription", event(*subscription))]
        }
        Rejection::UpgradeNotOffered { plan, from } => {
            vec![("plan", plan.clone()), ("from", from.clone())]
        }
        Rejection::TooManySubscriptions { maximum } => {
            vec![("maximum", maximum.to_string())]
        }
        Rejection::RenewalAttemptOpen {
            subscription,
            payment,
        } => vec![
            ("subscription", event(*subscription)),
            ("payment", event(*payment)),
        ],
        Rejection::AutoTopUpNotOffered => Vec::new(),
        Rejection::AutoTopUpNotDue {
            asset,
            available,
            threshold,
        } => vec![
            ("asset", asset.clone()),
            ("available_amount", available.to_string()),
            ("threshold_amount", threshold.to_string()),
        ],
        Rejection::AutoTopUpOpen { payment } => vec![("payment", event(*payment))],
        Rejection::AutoTopUpCapReached {
            currency,
            paid,
            maximum,
        } => vec![
            ("currency", currency.clone()),
            ("paid_amount", paid.to_string()),
            ("maximum_amount", maximum.to_string()),
        ],
        Rejection::BatchItemRefused {
            index,
            reason,
            message,
        } => vec![
            ("index", index.to_string()),
            ("reason", (*reason).to_owned()),
            ("message", message.clone()),
        ],
    }
}

const fn end_name(end: HoldEnd) -> &'static str {
    match end {
        HoldEnd::Open => "OPEN",
        HoldEnd::Captured => "CAPTURED",
        HoldEnd::Released => "RELEASED",
        HoldEnd::Expired => "EXPIRED",
    }
}

const fn status_name(status: PaymentStatus) -> &'static str {
    match status {
        PaymentStatus::Created => "CREATED",
        PaymentStatus::Pending => "PENDING",
        PaymentStatus::WaitingForCapture => "WAITING_FOR_CAPTURE",
        PaymentStatus::Succeeded => "SUCCEEDED",
        PaymentStatus::Canceled => "CANCELED",
    }
}
