//! The commands' own fields.

use std::collections::BTreeMap;

use ledger_core::{
    Command, Name,
    account::Funding,
    catalog::{Attributes, OverrunPolicy},
    command::{
        self, Adjust, ApplyCatalog, AssetAmount, BlockAccount, Change, Charge, CloseAccount,
        Credit, OpenAccount, PlaceHold, RecordPayment, UnblockAccount,
    },
    event::ProviderId,
    limits::{AMOUNT_MAX, HOLD_DURATION_US_MAX, QUANTITY_MAX},
};
use ledger_proto::v1;

use super::{
    Fields,
    fields::{AmountField, REQUIRED},
    mutation::Setting,
    text,
};

/// How many operations a lot's scope may name.
const SCOPE_MAX: usize = 16;
/// The priorities that a lot may have.
const PRIORITIES: std::ops::RangeInclusive<i32> = -1_000..=1_000;
/// How many ids of a provider a payment may have.
const PROVIDER_IDS_MAX: usize = 8;
/// The providers that there are.
const PROVIDERS: [&str; 4] = ["yookassa", "telegram_stars", "telegram_payments", "manual"];
/// The source of credits that name none.
const CREDIT_SOURCE: &str = "CREDIT";
/// How many values may replace those of a catalog, and how long they may be.
const OVERRIDES_MAX: usize = 64;
const OVERRIDE_BYTES_MAX: usize = 64;
/// How much may be said about an operation.
const ATTRIBUTES_MAX: usize = 8;
const ATTRIBUTE_BYTES_MAX: usize = 63;
/// One second, in microseconds.
const HOLD_DURATION_US_MIN: i64 = 1_000_000;

const AMOUNT: AmountField = AmountField {
    whole: "amount",
    unit: "amount.asset",
    amount: "amount.amount",
};
const MONEY: AmountField = AmountField {
    whole: "amount",
    unit: "amount.currency",
    amount: "amount.amount",
};
const INCOME: AmountField = AmountField {
    whole: "income_amount",
    unit: "income_amount.currency",
    amount: "income_amount.amount",
};
const COST_BASIS: AmountField = AmountField {
    whole: "cost_basis",
    unit: "cost_basis.currency",
    amount: "cost_basis.amount",
};
pub(super) const EXPLICIT_PRICE: AmountField = AmountField {
    whole: "explicit_price",
    unit: "explicit_price.asset",
    amount: "explicit_price.amount",
};
const MAX_PRICE: AmountField = AmountField {
    whole: "max_price",
    unit: "max_price.asset",
    amount: "max_price.amount",
};

pub(in crate::grpc) fn open_account(
    _: v1::OpenAccountRequest,
    _: Setting<'_>,
    _: &mut Fields,
) -> Command {
    Command::OpenAccount(OpenAccount {})
}

pub(in crate::grpc) fn close_account(
    _: v1::CloseAccountRequest,
    _: Setting<'_>,
    _: &mut Fields,
) -> Command {
    Command::CloseAccount(CloseAccount {})
}

pub(in crate::grpc) fn block_account(
    _: v1::BlockAccountRequest,
    setting: Setting<'_>,
    fields: &mut Fields,
) -> Command {
    fields.require_reason(setting.annotations);
    Command::BlockAccount(BlockAccount {})
}

pub(in crate::grpc) fn unblock_account(
    _: v1::UnblockAccountRequest,
    _: Setting<'_>,
    _: &mut Fields,
) -> Command {
    Command::UnblockAccount(UnblockAccount {})
}

pub(in crate::grpc) fn credit(
    message: v1::CreditRequest,
    _: Setting<'_>,
    fields: &mut Fields,
) -> Command {
    let AssetAmount { asset, amount } = required_amount(&AMOUNT, message.amount, fields);
    let funding = match v1::Funding::try_from(message.funding) {
        Ok(v1::Funding::Unspecified | v1::Funding::Granted) => Funding::Granted,
        Ok(v1::Funding::Purchased) => Funding::Purchased,
        Err(_) => {
            fields.refuse("funding", "is no funding that this service knows");
            Funding::Granted
        }
    };
    let source = if message.source.is_empty() {
        CREDIT_SOURCE.into()
    } else {
        Name::from(message.source)
    };
    fields.check(text::is_code(&source), "source", text::CODE_RULE);
    let has_priority = PRIORITIES.contains(&message.priority);
    fields.check(has_priority, "priority", "must be -1000 to 1000");
    let cost_basis = fields.money(&COST_BASIS, message.cost_basis, 0);
    let may_cost = cost_basis.is_none() || funding == Funding::Purchased;
    fields.check(may_cost, COST_BASIS.whole, "is for FUNDING_PURCHASED only");
    Command::Credit(Credit {
        asset,
        amount,
        funding,
        source,
        priority: message.priority,
        lot_expire_time: fields.time("lot_expire_time", message.lot_expire_time),
        scope: scope(message.scope, fields),
        cost_basis,
    })
}

/// The operations that a lot may pay for, ordered, without doubles.
fn scope(mut scope: Vec<String>, fields: &mut Fields) -> Vec<Name> {
    fields.check(
        scope.len() <= SCOPE_MAX,
        "scope",
        "must be at most 16 operations",
    );
    let is_right = scope.iter().all(|id| text::is_operation(id));
    fields.check(is_right, "scope", text::OPERATION_RULE);
    scope.sort_unstable();
    scope.dedup();
    scope.into_iter().map(Name::from).collect()
}

pub(in crate::grpc) fn charge(
    message: v1::ChargeRequest,
    _: Setting<'_>,
    fields: &mut Fields,
) -> Command {
    let operation = fields.operation("operation", message.operation);
    let explicit_price = fields.amount(&EXPLICIT_PRICE, message.explicit_price, 0);
    check_priced(operation.as_ref(), explicit_price.as_ref(), fields);
    Command::Charge(Charge {
        operation,
        quantity: quantity(message.quantity, fields),
        explicit_price,
        max_price: fields.amount(&MAX_PRICE, message.max_price, 0),
        attributes: attributes(message.attributes, fields),
        confirmed: message.confirmed,
    })
}

pub(in crate::grpc) fn place_hold(
    message: v1::PlaceHoldRequest,
    _: Setting<'_>,
    fields: &mut Fields,
) -> Command {
    let operation = fields.operation("operation", message.operation);
    let explicit_price = fields.amount(&EXPLICIT_PRICE, message.explicit_price, 0);
    check_priced(operation.as_ref(), explicit_price.as_ref(), fields);
    let bounds = (HOLD_DURATION_US_MIN, HOLD_DURATION_US_MAX);
    Command::PlaceHold(PlaceHold {
        operation,
        quantity: quantity(message.quantity, fields),
        explicit_price,
        max_price: fields.amount(&MAX_PRICE, message.max_price, 0),
        attributes: attributes(message.attributes, fields),
        confirmed: message.confirmed,
        duration: fields.duration(
            "duration",
            message.duration,
            bounds,
            "must be 1 s to 30 days",
        ),
        overrun_policy: overrun_policy(message.overrun_policy, fields),
    })
}

fn overrun_policy(policy: i32, fields: &mut Fields) -> Option<OverrunPolicy> {
    match v1::OverrunPolicy::try_from(policy) {
        Ok(v1::OverrunPolicy::Unspecified) => None,
        Ok(v1::OverrunPolicy::Reject) => Some(OverrunPolicy::Reject),
        Ok(v1::OverrunPolicy::Cap) => Some(OverrunPolicy::Cap),
        Ok(v1::OverrunPolicy::OverdrawAvailable) => Some(OverrunPolicy::OverdrawAvailable),
        Err(_) => {
            fields.refuse("overrun_policy", "is no policy that this service knows");
            None
        }
    }
}

/// Without a price of the caller's own, an operation has to have one.
pub(super) fn check_priced(
    operation: Option<&Name>,
    explicit_price: Option<&AssetAmount>,
    fields: &mut Fields,
) {
    let is_priced = operation.is_some() || explicit_price.is_some();
    fields.check(
        is_priced,
        "operation",
        "is required without `explicit_price`",
    );
}

/// What is said about an operation.
pub(super) fn attributes(said: BTreeMap<String, String>, fields: &mut Fields) -> Attributes {
    let is_few = said.len() <= ATTRIBUTES_MAX;
    fields.check(is_few, "attributes", "must be at most 8 entries");
    let is_right = |(name, value): (&String, &String)| {
        text::is_operation(name) && (1..=ATTRIBUTE_BYTES_MAX).contains(&value.len())
    };
    let rule = "must be names in lower_snake with values of 1 to 63 bytes";
    fields.check(said.iter().all(is_right), "attributes", rule);
    let entry = |(name, value): (String, String)| (name.into(), value.into());
    said.into_iter().map(entry).collect()
}

/// How many; 1 if it is not said.
pub(super) fn quantity(quantity: i64, fields: &mut Fields) -> i64 {
    fields.check(
        (0..=QUANTITY_MAX).contains(&quantity),
        "quantity",
        "must be 1 to 1000000",
    );
    quantity.max(1)
}

pub(in crate::grpc) fn transfer(
    message: v1::TransferRequest,
    setting: Setting<'_>,
    fields: &mut Fields,
) -> Command {
    let destination = fields.own_account("destination_account", message.destination_account);
    let (book, other) = (setting.book, destination.book());
    let is_inside = book == other || book.is_empty() || other.is_empty();
    fields.check(
        is_inside,
        "destination_account",
        "must be an account of the same book",
    );
    let AssetAmount { asset, amount } = required_amount(&AMOUNT, message.amount, fields);
    let destination_account = destination.account().into();
    Command::Transfer(command::Transfer {
        destination_account,
        asset,
        amount,
    })
}

/// An amount that has to be said, above 0.
fn required_amount(
    field: &'static AmountField,
    amount: Option<v1::AssetAmount>,
    fields: &mut Fields,
) -> AssetAmount {
    fields.check(amount.is_some(), field.whole, REQUIRED);
    let amount = fields.amount(field, amount, 1);
    amount.unwrap_or_else(|| AssetAmount {
        asset: Name::default(),
        amount: 0,
    })
}

pub(in crate::grpc) fn adjust(
    message: v1::AdjustRequest,
    setting: Setting<'_>,
    fields: &mut Fields,
) -> Command {
    use v1::adjust_request::{Change as Asked, SetTo};
    fields.require_person(setting.annotations);
    fields.require_reason(setting.annotations);
    fields.asset("asset", &message.asset);
    let change = match message.change {
        Some(Asked::Delta(delta)) => {
            fields.check(delta != 0, "delta", "must not be 0");
            Change::Delta(delta)
        }
        Some(Asked::SetTo(SetTo {
            available,
            expected_available,
        })) => {
            fields.at_least("set_to.available", available, 0);
            Change::SetTo {
                available,
                expected: expected_available,
            }
        }
        None => {
            fields.refuse("delta", "is required without `set_to`");
            Change::Delta(0)
        }
    };
    Command::Adjust(Adjust {
        asset: message.asset.into(),
        change,
    })
}

pub(in crate::grpc) fn record_payment(
    message: v1::RecordPaymentRequest,
    _: Setting<'_>,
    fields: &mut Fields,
) -> Command {
    let is_provider = PROVIDERS.contains(&message.provider.as_str());
    let rule = "must be yookassa, telegram_stars, telegram_payments or manual";
    fields.check(is_provider, "provider", rule);
    let is_merchant = text::is_id(&message.merchant_account);
    fields.check(is_merchant, "merchant_account", text::ID_RULE);
    fields.check(message.amount.is_some(), MONEY.whole, REQUIRED);
    let amount = fields.money(&MONEY, message.amount, 1);
    let income_amount = fields.money(&INCOME, message.income_amount, 0);
    let is_small = income_amount
        .as_ref()
        .is_none_or(|income| income.amount <= AMOUNT_MAX);
    fields.check(is_small, INCOME.amount, "must be at most 10^15");
    Command::RecordPayment(RecordPayment {
        provider: message.provider.into(),
        merchant_account: message.merchant_account.into(),
        provider_ids: provider_ids(message.provider_ids, fields),
        amount: amount.unwrap_or_else(|| ledger_core::Money {
            currency: Name::default(),
            amount: 0,
        }),
        income_amount,
        test: message.test,
    })
}

/// The ids that a provider gave a payment.
fn provider_ids(ids: Vec<v1::ProviderId>, fields: &mut Fields) -> Vec<ProviderId> {
    const FIELD: &str = "provider_ids";
    fields.check(
        (1..=PROVIDER_IDS_MAX).contains(&ids.len()),
        FIELD,
        "must be 1 to 8 ids",
    );
    let payments = ids.iter().filter(|id| id.kind == "payment").count();
    fields.check(
        payments == 1,
        FIELD,
        "must have exactly one id of kind `payment`",
    );
    let mut read: Vec<ProviderId> = Vec::with_capacity(ids.len().min(PROVIDER_IDS_MAX));
    for (index, v1::ProviderId { kind, id }) in ids.into_iter().take(PROVIDER_IDS_MAX).enumerate() {
        let id = ProviderId {
            kind: kind.into(),
            id: id.into(),
        };
        if !text::is_kind(&id.kind) {
            fields.refuse(&format!("{FIELD}[{index}].kind"), text::KIND_RULE);
        }
        if !text::is_id(&id.id) {
            fields.refuse(&format!("{FIELD}[{index}].id"), text::ID_RULE);
        }
        if read.contains(&id) {
            fields.refuse(&format!("{FIELD}[{index}]"), "is given twice");
        }
        read.push(id);
    }
    read
}

pub(in crate::grpc) fn apply_catalog(
    message: v1::ApplyCatalogRequest,
    _: Setting<'_>,
    fields: &mut Fields,
) -> Command {
    fields.check(!message.text.is_empty(), "text", REQUIRED);
    let is_few = message.overrides.len() <= OVERRIDES_MAX;
    fields.check(is_few, "overrides", "must be at most 64 values");
    let are_short = message
        .overrides
        .iter()
        .all(|(name, value)| name.len() <= OVERRIDE_BYTES_MAX && value.len() <= OVERRIDE_BYTES_MAX);
    let rule = "must be names and values of at most 64 bytes";
    fields.check(are_short, "overrides", rule);
    Command::ApplyCatalog(ApplyCatalog {
        text: message.text,
        overrides: message.overrides,
        expected_version: fields.version("expected_version", message.expected_version),
    })
}
