//! Prices, and charging them at once.

use super::{
    Decided, Party,
    grant::{Giving, kind, push_grants},
    limit,
    work::Work,
};
use crate::{
    account::{Account, Lot, total},
    catalog::{AssetKind, AttributeProblem, Attributes, Buyer, Catalog, Operation},
    command::{AssetAmount, Charge},
    event::{Debited, PaidWith, Payload, WindowUse},
    limits::{AMOUNT_MAX, QUANTITY_MAX},
    name::Name,
    primitives::Timestamp,
    rejection::Rejection,
};

/// A price that the wallet can pay, and what it would be paid with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Priced {
    /// The asset.
    pub asset: Name,
    /// The price of all of it.
    pub amount: i64,
    /// What would be taken, in order of consumption; sums to `amount`.
    pub parts: Vec<Lot>,
    /// The lot of the pass that pays instead, if one does.
    pub pass: Option<u64>,
    /// What was said about the operation, with the catalog's defaults.
    pub attributes: Attributes,
    /// The limits that it counts in.
    pub counted_in: Vec<WindowUse>,
}

/// What is to be priced.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// The operation.
    pub operation: Option<&'a str>,
    /// How many of it.
    pub quantity: i64,
    /// What is said about it.
    pub attributes: &'a Attributes,
    /// A price of the caller's own.
    pub explicit_price: Option<&'a AssetAmount>,
    /// The price that the user was shown.
    pub max_price: Option<&'a AssetAmount>,
    /// The user has confirmed the price.
    pub confirmed: bool,
    /// The bot or service that asks: prices may be for some of them only.
    pub origin: &'a str,
}

pub(super) fn charge(mut work: Work<'_>, charge: &Charge) -> Result<Vec<Decided>, Rejection> {
    let order = Order {
        operation: charge.operation.as_deref(),
        quantity: charge.quantity,
        attributes: &charge.attributes,
        explicit_price: charge.explicit_price.as_ref(),
        max_price: charge.max_price.as_ref(),
        confirmed: charge.confirmed,
        origin: &work.request.origin,
    };
    let context = work.context;
    let priced = price(work.account(), context.catalog, &order, context.now)?;
    let grants = Giving::of_operation(&mut work, order.operation, order.quantity);
    grants.check_balances(&work)?;
    work.own.check_counting(&priced.counted_in)?;
    let grants = grants.after(&priced.asset, priced.amount);
    // From here on nothing fails.
    work.push(
        Party::Own,
        Payload::Debited(Debited {
            operation: charge.operation.clone(),
            quantity: charge.quantity,
            asset: priced.asset,
            amount: priced.amount,
            paid_with: PaidWith::of(&priced.parts, priced.pass),
            parts: priced.parts,
            attributes: priced.attributes,
            pass: priced.pass,
            counted_in: priced.counted_in,
        }),
    );
    push_grants(&mut work, grants);
    Ok(work.finish())
}

/// Finds the first alternative that the wallet can pay. The account has to be
/// as [`at_present`](super::at_present) gives it.
///
/// # Errors
/// What [`Charge`] is refused with: an unknown operation, attribute or asset, a
/// quantity or amount above its bound, a limit that is reached, a lack of funds,
/// said of the last alternative, a price above `max_price`, or one that has to
/// be confirmed.
pub fn price(
    account: &Account,
    catalog: &Catalog,
    order: &Order<'_>,
    now: Timestamp,
) -> Result<Priced, Rejection> {
    let Offered {
        attributes,
        alternatives,
    } = offered(catalog, order)?;
    let counted_in = limit::check(account, catalog, order.operation, order.quantity, now)?;
    let mut last = None;
    for (index, alternative) in alternatives.iter().enumerate() {
        let (parts, pass) = match pay(account, catalog, order, alternative) {
            Ok(paid) => paid,
            Err(available) => {
                last = Some((alternative, available));
                continue;
            }
        };
        check_max_price(&alternatives, index, order.max_price)?;
        check_confirmed(catalog, alternative, order.confirmed)?;
        return Ok(Priced {
            asset: alternative.asset.clone(),
            amount: alternative.amount,
            parts,
            pass,
            attributes,
            counted_in,
        });
    }
    let Some((alternative, available)) = last else {
        let Some(operation) = order.operation else {
            // The edge asks for an operation or a price.
            return Err(Rejection::UnknownOperation {
                operation: String::new(),
            });
        };
        return Err(Rejection::NotSoldHere {
            operation: operation.to_owned(),
            origin: order.origin.to_owned(),
        });
    };
    // Of a pass one is needed, though it costs nothing.
    let is_pass = kind(catalog, &alternative.asset) == Some(AssetKind::Pass);
    let lack = Lack {
        asset: &alternative.asset,
        required: alternative.amount.max(i64::from(is_pass)),
        available,
    };
    let buyer = Buyer {
        origin: order.origin,
        operation: order.operation,
    };
    Err(insufficient(catalog, lack, buyer))
}

/// What one alternative would be paid with: parts of lots, or a pass; or what
/// there is, if that is too little.
fn pay(
    account: &Account,
    catalog: &Catalog,
    order: &Order<'_>,
    alternative: &AssetAmount,
) -> Result<(Vec<Lot>, Option<u64>), i64> {
    let asset = catalog.assets.get(alternative.asset.as_str());
    if let Some(asset) = asset.filter(|asset| asset.kind == AssetKind::Pass)
        && order.explicit_price.is_none()
    {
        let pass = account.pass(
            &alternative.asset,
            order.operation,
            order.quantity,
            asset.fair_use,
        );
        return pass.map(|lot| (Vec::new(), Some(lot.id))).ok_or(0);
    }
    let available = account.available_for(&alternative.asset, order.operation);
    if available < alternative.amount {
        return Err(available);
    }
    let parts = account.take(&alternative.asset, order.operation, alternative.amount);
    debug_assert_eq!(
        total(&parts),
        alternative.amount,
        "what is available can be taken"
    );
    Ok((parts, None))
}

/// What a catalog asks for an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offered {
    /// What was said about the operation, with the catalog's defaults.
    pub attributes: Attributes,
    /// The alternatives, each for all of the quantity, in the order in which
    /// they are tried. A pass has the amount 0.
    pub alternatives: Vec<AssetAmount>,
}

/// What the operation costs. None of its alternatives may be for the order's
/// origin.
///
/// # Errors
/// An unknown operation, attribute or asset, a combination of attributes that is
/// refused, or a quantity or amount above its bound.
pub fn offered(catalog: &Catalog, order: &Order<'_>) -> Result<Offered, Rejection> {
    let known = order
        .operation
        .map(|name| find_operation(catalog, name))
        .transpose()?;
    check_quantity(order.quantity, known)?;
    if known.is_none()
        && let Some(attribute) = order.attributes.keys().next()
    {
        // Nothing says what it may be: it would be any text, kept for ever.
        return Err(attribute_rejection(
            "",
            None,
            AttributeProblem::Unknown {
                attribute: attribute.clone(),
            },
        ));
    }
    let chosen = match (known, order.operation) {
        (Some(operation), Some(name)) => Some(
            operation
                .choose(order.attributes)
                .map_err(|problem| attribute_rejection(name, Some(operation), problem))?,
        ),
        _ => None,
    };
    let (attributes, prices) = match chosen {
        Some(chosen) => (chosen.attributes.into_owned(), chosen.prices),
        None => (Attributes::new(), &[][..]),
    };
    if let Some(price) = order.explicit_price {
        check_asset(catalog, &price.asset)?;
        check_movable(catalog, &price.asset)?;
        check_price(price.amount)?;
        return Ok(Offered {
            attributes,
            alternatives: vec![price.clone()],
        });
    }
    let is_for_origin = |origins: &std::collections::BTreeSet<Name>| {
        origins.is_empty() || origins.contains(order.origin)
    };
    let alternatives = prices
        .iter()
        .filter(|price| is_for_origin(&price.origins))
        .map(|price| {
            let amount = price.amount.saturating_mul(order.quantity);
            check_price(amount)?;
            Ok(AssetAmount {
                asset: price.asset.clone(),
                amount,
            })
        })
        .collect::<Result<_, Rejection>>()?;
    Ok(Offered {
        attributes,
        alternatives,
    })
}

fn check_quantity(quantity: i64, operation: Option<&Operation>) -> Result<(), Rejection> {
    let maximum = operation.map_or(QUANTITY_MAX, |operation| operation.quantity_max);
    if quantity < 1 {
        return Err(Rejection::AmountNotPositive {
            amount: quantity,
            minimum: 1,
        });
    }
    if quantity > maximum {
        return Err(Rejection::QuantityTooLarge { quantity, maximum });
    }
    Ok(())
}

fn attribute_rejection(
    name: &str,
    operation: Option<&Operation>,
    problem: AttributeProblem,
) -> Rejection {
    let allowed_of = |attribute: &Name| {
        let declared = operation.and_then(|operation| operation.attributes.get(attribute));
        declared.map_or_else(Vec::new, |declared| {
            declared.values.iter().map(String::from).collect()
        })
    };
    let operation = name.to_owned();
    match problem {
        AttributeProblem::Refused { .. } => Rejection::VariantNotAvailable { operation },
        AttributeProblem::Unknown { attribute } => Rejection::InvalidAttribute {
            operation,
            attribute: attribute.into(),
            value: None,
            allowed: Vec::new(),
        },
        AttributeProblem::Missing { attribute } => Rejection::InvalidAttribute {
            operation,
            allowed: allowed_of(&attribute),
            attribute: attribute.into(),
            value: None,
        },
        AttributeProblem::NotAllowed {
            attribute,
            value,
            allowed,
        } => Rejection::InvalidAttribute {
            operation,
            attribute: attribute.into(),
            value: Some(value.into()),
            allowed: allowed.into_iter().map(String::from).collect(),
        },
    }
}

/// A price above the catalog's threshold needs the user's word.
fn check_confirmed(
    catalog: &Catalog,
    price: &AssetAmount,
    confirmed: bool,
) -> Result<(), Rejection> {
    match catalog.confirm_above.get(&price.asset) {
        Some(above) if price.amount > *above && !confirmed => {
            Err(Rejection::ConfirmationRequired {
                asset: (&price.asset).into(),
                amount: price.amount,
                threshold: *above,
            })
        }
        _ => Ok(()),
    }
}

/// The user's protection: the alternative that would be taken must not come
/// later in the catalog than the one shown, nor cost more of the same asset.
fn check_max_price(
    alternatives: &[AssetAmount],
    chosen: usize,
    max_price: Option<&AssetAmount>,
) -> Result<(), Rejection> {
    let (Some(max), Some(price)) = (max_price, alternatives.get(chosen)) else {
        return Ok(());
    };
    let shown = alternatives
        .iter()
        .position(|alternative| alternative.asset == max.asset);
    let acceptable = match shown {
        Some(shown) if chosen < shown => true,
        Some(shown) => chosen == shown && price.amount <= max.amount,
        None => false,
    };
    if acceptable {
        return Ok(());
    }
    Err(Rejection::PriceChanged {
        asset: (&price.asset).into(),
        amount: price.amount,
        max_asset: (&max.asset).into(),
        max_amount: max.amount,
    })
}

/// What there is too little of.
#[derive(Clone, Copy)]
pub(super) struct Lack<'a> {
    pub(super) asset: &'a str,
    pub(super) required: i64,
    pub(super) available: i64,
}

pub(super) fn insufficient(catalog: &Catalog, lack: Lack<'_>, buyer: Buyer<'_>) -> Rejection {
    let Lack {
        asset,
        required,
        available,
    } = lack;
    let shortfall = required.saturating_sub(available);
    Rejection::InsufficientFunds {
        asset: asset.to_owned(),
        required,
        available,
        shortfall,
        top_up: catalog.top_up_for(asset, shortfall),
        package: catalog
            .cheapest_package(asset, shortfall, buyer)
            .map(ToOwned::to_owned),
    }
}

/// A pass is used and a badge worn: neither is spent or moved.
pub(super) fn check_movable(catalog: &Catalog, asset: &str) -> Result<(), Rejection> {
    match kind(catalog, asset) {
        Some(AssetKind::Pass | AssetKind::Badge) => Err(Rejection::AssetNotSpendable {
            asset: asset.to_owned(),
        }),
        _ => Ok(()),
    }
}

pub(super) fn check_asset(catalog: &Catalog, asset: &str) -> Result<(), Rejection> {
    if catalog.assets.contains_key(asset) {
        return Ok(());
    }
    Err(Rejection::UnknownAsset {
        asset: asset.to_owned(),
    })
}

/// What a command may move: at least 1, within the bound.
pub(super) fn check_amount(amount: i64) -> Result<(), Rejection> {
    check_amount_from(1, amount)
}

/// What a command may cost or name without moving it: at least 0.
pub(super) fn check_price(amount: i64) -> Result<(), Rejection> {
    check_amount_from(0, amount)
}

fn check_amount_from(minimum: i64, amount: i64) -> Result<(), Rejection> {
    if amount < minimum {
        return Err(Rejection::AmountNotPositive { amount, minimum });
    }
    if amount > AMOUNT_MAX {
        return Err(Rejection::AmountTooLarge {
            amount,
            maximum: AMOUNT_MAX,
        });
    }
    Ok(())
}

fn find_operation<'a>(catalog: &'a Catalog, name: &str) -> Result<&'a Operation, Rejection> {
    catalog
        .operations
        .get(name)
        .ok_or_else(|| Rejection::UnknownOperation {
            operation: name.to_owned(),
        })
}
