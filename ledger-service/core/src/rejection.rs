//! Why a request is refused.
//!
//! A rejection is an answer, not a fact: it is not stored, and the same
//! request may succeed later. `docs/api.md` lists the reasons in the order in
//! which they are checked.

use thiserror::Error;

use crate::{
    payment::PaymentStatus,
    primitives::{Money, Timestamp},
    record::HoldEnd,
};

/// Why a request is refused. `Display` is for developers; [`reason`] is stable.
///
/// [`reason`]: Rejection::reason
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the fields are named as the metadata that the API gives"
)]
pub enum Rejection {
    #[error("the request expired before it could be decided")]
    RequestExpired {
        expire_time: Timestamp,
        now: Timestamp,
    },
    #[error("there is no such account")]
    AccountNotFound { account: String },
    #[error("the account is closed")]
    AccountClosed { account: String },
    #[error("the account is blocked: {code}")]
    AccountBlocked { account: String, code: String },
    #[error("the account is not blocked")]
    AccountNotBlocked { account: String },
    #[error("the account still has {asset} or an open hold")]
    AccountNotEmpty { account: String, asset: String },
    #[error("metadata key `{key}` is not in the catalog's metadata_keys")]
    MetadataKeyNotAllowed { key: String },
    #[error("the value of metadata key `{key}` looks like personal data ({kind})")]
    MetadataPersonal { key: String, kind: &'static str },
    #[error("the catalog has no asset `{asset}`")]
    UnknownAsset { asset: String },
    #[error("the catalog has no operation `{operation}`")]
    UnknownOperation { operation: String },
    #[error("the catalog has no money asset for currency `{currency}`")]
    UnknownCurrency { currency: String },
    #[error("quantity {quantity} is above the operation's maximum of {maximum}")]
    QuantityTooLarge { quantity: i64, maximum: i64 },
    #[error("an amount or quantity of {amount} is below the least of {minimum}")]
    AmountNotPositive { amount: i64, minimum: i64 },
    #[error("an amount of {amount} is above the maximum of {maximum}")]
    AmountTooLarge { amount: i64, maximum: i64 },
    #[error("the lot would have expired already")]
    LotExpiryPast {
        expire_time: Timestamp,
        now: Timestamp,
    },
    #[error("the balance of {asset} would pass {maximum}")]
    BalanceTooLarge { asset: String, maximum: i64 },
    #[error("the account has too many lots and holds: spend, release or merge some first")]
    WalletFull { parts: usize, maximum: usize },
    #[error("attribute {attribute:?} of {operation:?} is not one that it has or may be")]
    InvalidAttribute {
        operation: String,
        attribute: String,
        /// What was said; absent if nothing was, or if there is no such
        /// attribute.
        value: Option<String>,
        /// What may be said; empty if there is no such attribute.
        allowed: Vec<String>,
    },
    #[error("{operation:?} cannot be had with these attributes")]
    VariantNotAvailable { operation: String },
    #[error("{operation:?} is not sold by {origin:?}")]
    NotSoldHere { operation: String, origin: String },
    #[error("{used} of {maximum} are used in the window of limit {limit:?}")]
    RateLimited {
        limit: String,
        used: i64,
        maximum: i64,
        /// When there is room for it; absent if there never is.
        next_free_at: Option<Timestamp>,
        now: Timestamp,
    },
    #[error("a price of {amount} {asset} has to be confirmed by the user")]
    ConfirmationRequired {
        asset: String,
        amount: i64,
        threshold: i64,
    },
    #[error("{asset} is a pass or a badge, which is neither spent nor moved")]
    AssetNotSpendable { asset: String },
    #[error("the account has {asset} already")]
    BadgeAlreadyGranted { asset: String },
    #[error("the price is now {amount} {asset}, which is not what the user was shown")]
    PriceChanged {
        asset: String,
        amount: i64,
        max_asset: String,
        max_amount: i64,
    },
    #[error("{required} {asset} are needed and {available} are available")]
    InsufficientFunds {
        asset: String,
        required: i64,
        available: i64,
        shortfall: i64,
        /// What to offer as a top-up, if the asset can be topped up.
        top_up: Option<Money>,
        /// The cheapest package that covers it.
        package: Option<String>,
    },
    #[error("there is no such hold in this account")]
    HoldNotFound,
    #[error("the hold has ended")]
    HoldEnded { hold: u64, end: HoldEnd },
    #[error("the hold would not end later than it does")]
    HoldNotExtended { hold: u64, expire_time: Timestamp },
    #[error("a hold may last 30 days at most")]
    HoldTooLong { maximum_expire_time: Timestamp },
    #[error("{amount} are to be captured and {held} are held")]
    CaptureExceedsHold {
        hold: u64,
        asset: String,
        amount: i64,
        held: i64,
    },
    #[error("there is no such charge in this account")]
    ChargeNotFound,
    #[error("{amount} {asset} are to be refunded and {refundable} {asset} are left to refund")]
    RefundExceedsCharge {
        charge: u64,
        asset: String,
        amount: i64,
        refundable: i64,
    },
    #[error("an account cannot transfer to itself")]
    TransferToSelf { account: String },
    #[error("{available} {asset} are available, not {expected}")]
    BalanceMismatch {
        asset: String,
        expected: i64,
        available: i64,
    },
    #[error("the catalog is for book `{catalog_book}`")]
    CatalogForOtherBook { catalog_book: String },
    #[error("another catalog is in force, of version {catalog_version}")]
    CatalogChanged { catalog_version: u64 },
    #[error("wallets still hold {asset}, which the catalog lacks or counts otherwise")]
    AssetInUse { asset: String, account: String },
    #[error("the catalog has errors:\n{problems}")]
    InvalidCatalog { problems: String },
    #[error("the request id was used for another request, which differs in `{field}`")]
    RequestIdReused { field: &'static str, event: u64 },
    #[error("this payment was recorded before")]
    PaymentAlreadyRecorded {
        book: String,
        event: u64,
        kind: String,
        id: String,
    },
    #[error("the catalog has no package `{package}`")]
    UnknownPackage { package: String },
    #[error("package {package:?} is not sold by {origin:?} for {currency}")]
    PackageNotAvailable {
        package: String,
        origin: String,
        currency: String,
    },
    #[error("package {package:?} can be bought {maximum} times by one account")]
    PackageLimitReached { package: String, maximum: i64 },
    #[error("a top-up is {minimum} to {maximum} {currency} and a multiple of {multiple}")]
    TopUpNotOffered {
        currency: String,
        amount: i64,
        minimum: i64,
        maximum: i64,
        multiple: i64,
    },
    #[error("{amount} {currency} were paid for what costs {expected}")]
    PaymentAmountDiffers {
        currency: String,
        amount: i64,
        expected: i64,
    },
    #[error("there is no such payment in this account")]
    PaymentNotFound,
    #[error("the payment has not succeeded")]
    PaymentNotSucceeded { payment: u64, status: PaymentStatus },
    #[error("{amount} {currency} are to be paid back and {refundable} are left of the payment")]
    RefundExceedsPayment {
        payment: u64,
        currency: String,
        amount: i64,
        refundable: i64,
    },
    #[error("what the payment bought is spent but for what is worth {unspent} {currency}")]
    PaymentSpent {
        payment: u64,
        currency: String,
        amount: i64,
        unspent: i64,
    },
    #[error("the account has {maximum} refunds of payments that run")]
    TooManyRefunds { maximum: usize },
    #[error("there is no such refund of this payment")]
    RefundNotFound,
    #[error("this refund was recorded before")]
    RefundAlreadyRecorded { payment: u64, refund: u64 },
    #[error("the catalog has no subscription `{plan}`")]
    UnknownPlan { plan: String },
    #[error("subscription {plan:?} is not sold by {origin:?} for {currency}")]
    PlanNotAvailable {
        plan: String,
        origin: String,
        currency: String,
    },
    #[error("there is no such subscription in this account, or it has ended")]
    SubscriptionNotFound,
    #[error("the account has this subscription, which cannot be bought again yet")]
    SubscriptionRuns { subscription: u64 },
    #[error("{from:?} cannot be changed to {plan:?} at this price")]
    UpgradeNotOffered { plan: String, from: String },
    #[error("an account may have {maximum} subscriptions")]
    TooManySubscriptions { maximum: usize },
    #[error("the subscription does not renew: it was canceled, or its plan says so")]
    SubscriptionNotRenewed { subscription: u64 },
    #[error("a payment that is to renew the subscription is open")]
    RenewalAttemptOpen { subscription: u64, payment: u64 },
    #[error("the catalog has no automatic top-up by this package")]
    AutoTopUpNotOffered,
    #[error("{available} {asset} are available, which is not below {threshold}")]
    AutoTopUpNotDue {
        asset: String,
        available: i64,
        threshold: i64,
    },
    #[error("an automatic top-up is open")]
    AutoTopUpOpen { payment: u64 },
    #[error("{paid} of {maximum} {currency} were paid automatically this month")]
    AutoTopUpCapReached {
        currency: String,
        paid: i64,
        maximum: i64,
    },
    #[error("item {index} of the batch was refused, so all of it is: {message}")]
    BatchItemRefused {
        index: usize,
        reason: &'static str,
        message: String,
    },
}

/// What kind of answer a rejection is; the edge turns it into a status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The request cannot be right, whatever the state.
    InvalidArgument,
    /// Something it names is not there.
    NotFound,
    /// It was done before, differently.
    AlreadyExists,
    /// The state does not allow it now.
    FailedPrecondition,
    /// It is too much for the time; later it may be done.
    RateLimited,
}

impl Rejection {
    /// The stable reason, for programs.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        self.class().0
    }

    /// What kind of answer it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.class().1
    }

    const fn class(&self) -> (&'static str, Kind) {
        use Kind::{AlreadyExists, FailedPrecondition, InvalidArgument, NotFound};
        match self {
            Self::RequestExpired { .. } => ("REQUEST_EXPIRED", FailedPrecondition),
            Self::AccountNotFound { .. } => ("ACCOUNT_NOT_FOUND", NotFound),
            Self::AccountClosed { .. } => ("ACCOUNT_CLOSED", FailedPrecondition),
            Self::AccountBlocked { .. } => ("ACCOUNT_BLOCKED", FailedPrecondition),
            Self::AccountNotBlocked { .. } => ("ACCOUNT_NOT_BLOCKED", FailedPrecondition),
            Self::AccountNotEmpty { .. } => ("ACCOUNT_NOT_EMPTY", FailedPrecondition),
            Self::MetadataKeyNotAllowed { .. } => ("METADATA_KEY_NOT_ALLOWED", InvalidArgument),
            Self::MetadataPersonal { .. } => ("METADATA_PERSONAL", InvalidArgument),
            Self::UnknownAsset { .. } => ("UNKNOWN_ASSET", NotFound),
            Self::UnknownOperation { .. } => ("UNKNOWN_OPERATION", NotFound),
            Self::UnknownCurrency { .. } => ("UNKNOWN_CURRENCY", NotFound),
            Self::QuantityTooLarge { .. } => ("QUANTITY_TOO_LARGE", InvalidArgument),
            Self::AmountNotPositive { .. } => ("AMOUNT_NOT_POSITIVE", InvalidArgument),
            Self::AmountTooLarge { .. } => ("AMOUNT_TOO_LARGE", InvalidArgument),
            Self::LotExpiryPast { .. } => ("LOT_EXPIRY_PAST", FailedPrecondition),
            Self::BalanceTooLarge { .. } => ("BALANCE_TOO_LARGE", FailedPrecondition),
            Self::WalletFull { .. } => ("WALLET_FULL", FailedPrecondition),
            Self::InvalidAttribute { .. } => ("INVALID_ATTRIBUTE", InvalidArgument),
            Self::VariantNotAvailable { .. } => ("VARIANT_NOT_AVAILABLE", FailedPrecondition),
            Self::NotSoldHere { .. } => ("NOT_SOLD_HERE", FailedPrecondition),
            Self::RateLimited { .. } => ("RATE_LIMITED", Kind::RateLimited),
            Self::ConfirmationRequired { .. } => ("CONFIRMATION_REQUIRED", FailedPrecondition),
            Self::AssetNotSpendable { .. } => ("ASSET_NOT_SPENDABLE", InvalidArgument),
            Self::BadgeAlreadyGranted { .. } => ("BADGE_ALREADY_GRANTED", AlreadyExists),
            Self::PriceChanged { .. } => ("PRICE_CHANGED", FailedPrecondition),
            Self::InsufficientFunds { .. } => ("INSUFFICIENT_FUNDS", FailedPrecondition),
            Self::HoldNotFound => ("HOLD_NOT_FOUND", NotFound),
            Self::HoldEnded { .. } => ("HOLD_ENDED", FailedPrecondition),
            Self::HoldNotExtended { .. } => ("HOLD_NOT_EXTENDED", FailedPrecondition),
            Self::HoldTooLong { .. } => ("HOLD_TOO_LONG", InvalidArgument),
            Self::CaptureExceedsHold { .. } => ("CAPTURE_EXCEEDS_HOLD", FailedPrecondition),
            Self::ChargeNotFound => ("CHARGE_NOT_FOUND", NotFound),
            Self::RefundExceedsCharge { .. } => ("REFUND_EXCEEDS_CHARGE", FailedPrecondition),
            Self::TransferToSelf { .. } => ("TRANSFER_TO_SELF", InvalidArgument),
            Self::BalanceMismatch { .. } => ("BALANCE_MISMATCH", FailedPrecondition),
            Self::CatalogForOtherBook { .. } => ("CATALOG_FOR_OTHER_BOOK", InvalidArgument),
            Self::InvalidCatalog { .. } => ("INVALID_CATALOG", InvalidArgument),
            Self::CatalogChanged { .. } => ("CATALOG_CHANGED", FailedPrecondition),
            Self::AssetInUse { .. } => ("ASSET_IN_USE", FailedPrecondition),
            Self::RequestIdReused { .. } => ("REQUEST_ID_REUSED", AlreadyExists),
            Self::PaymentAlreadyRecorded { .. } => ("PAYMENT_ALREADY_RECORDED", AlreadyExists),
            Self::UnknownPackage { .. } => ("UNKNOWN_PACKAGE", NotFound),
            Self::PackageNotAvailable { .. } => ("PACKAGE_NOT_AVAILABLE", FailedPrecondition),
            Self::PackageLimitReached { .. } => ("PACKAGE_LIMIT_REACHED", FailedPrecondition),
            Self::TopUpNotOffered { .. } => ("TOP_UP_NOT_OFFERED", InvalidArgument),
            Self::PaymentAmountDiffers { .. } => ("PAYMENT_AMOUNT_DIFFERS", FailedPrecondition),
            Self::PaymentNotFound => ("PAYMENT_NOT_FOUND", NotFound),
            Self::PaymentNotSucceeded { .. } => ("PAYMENT_NOT_SUCCEEDED", FailedPrecondition),
            Self::RefundExceedsPayment { .. } => ("REFUND_EXCEEDS_PAYMENT", FailedPrecondition),
            Self::PaymentSpent { .. } => ("PAYMENT_SPENT", FailedPrecondition),
            Self::TooManyRefunds { .. } => ("TOO_MANY_REFUNDS", FailedPrecondition),
            Self::RefundNotFound => ("REFUND_NOT_FOUND", NotFound),
            Self::RefundAlreadyRecorded { .. } => ("REFUND_ALREADY_RECORDED", AlreadyExists),
            Self::UnknownPlan { .. } => ("UNKNOWN_PLAN", NotFound),
            Self::PlanNotAvailable { .. } => ("PLAN_NOT_AVAILABLE", FailedPrecondition),
            Self::SubscriptionNotFound => ("SUBSCRIPTION_NOT_FOUND", NotFound),
            Self::SubscriptionRuns { .. } => ("SUBSCRIPTION_RUNS", FailedPrecondition),
            Self::UpgradeNotOffered { .. } => ("UPGRADE_NOT_OFFERED", FailedPrecondition),
            Self::TooManySubscriptions { .. } => ("TOO_MANY_SUBSCRIPTIONS", FailedPrecondition),
            Self::SubscriptionNotRenewed { .. } => ("SUBSCRIPTION_NOT_RENEWED", FailedPrecondition),
            Self::RenewalAttemptOpen { .. } => ("RENEWAL_ATTEMPT_OPEN", FailedPrecondition),
            Self::AutoTopUpNotOffered => ("AUTO_TOP_UP_NOT_OFFERED", FailedPrecondition),
            Self::AutoTopUpNotDue { .. } => ("AUTO_TOP_UP_NOT_DUE", FailedPrecondition),
            Self::AutoTopUpOpen { .. } => ("AUTO_TOP_UP_OPEN", FailedPrecondition),
            Self::AutoTopUpCapReached { .. } => ("AUTO_TOP_UP_CAP_REACHED", FailedPrecondition),
            Self::BatchItemRefused { .. } => ("BATCH_ITEM_REFUSED", FailedPrecondition),
        }
    }
}
