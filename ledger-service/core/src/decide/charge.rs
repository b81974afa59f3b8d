//! Prices, and charging them at once.

use super::{Decided, Party, prepare, work::Work};
use crate::{
    account::{Account, Lot, total},
    catalog::{Catalog, Operation},
    command::{AssetAmount, Charge},
    event::{Credited, Debited, PaidWith, Payload},
    limits::{AMOUNT_MAX, QUANTITY_MAX},
    name::Name,
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
}

/// What is to be priced.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order<'a> {
    pub(super) operation: Option<&'a str>,
    pub(super) quantity: i64,
    pub(super) explicit_price: Option<&'a AssetAmount>,
    pub(super) max_price: Option<&'a AssetAmount>,
}

pub(super) fn charge(mut work: Work<'_>, charge: &Charge) -> Result<Vec<Decided>, Rejection> {
    let order = Order {
        operation: charge.operation.as_deref(),
        quantity: charge.quantity,
        explicit_price: charge.explicit_price.as_ref(),
        max_price: charge.max_price.as_ref(),
    };
    let priced = price_order(work.account(), work.context.catalog, order)?;
    let grants = operation_grants(&mut work, order.operation, order.quantity);
    for lot in &grants {
        work.own.check_balance(&lot.asset, lot.amount)?;
    }
    // From here on nothing fails.
    work.push(
        Party::Own,
        Payload::Debited(Debited {
            operation: charge.operation.clone(),
            quantity: charge.quantity,
            asset: priced.asset,
            amount: priced.amount,
            paid_with: PaidWith::of(&priced.parts),
            parts: priced.parts,
        }),
    );
    push_grants(&mut work, grants);
    Ok(work.finish())
}

/// Finds the first alternative that the wallet can pay. The account has to be
/// as [`at_present`](super::at_present) gives it.
///
/// # Errors
/// What [`Charge`] is refused with: an unknown operation or asset, a quantity
/// or amount above its bound, a price above `max_price`, or a lack of funds,
/// said of the last alternative.
pub fn price(
    account: &Account,
    catalog: &Catalog,
    operation: Option<&str>,
    quantity: i64,
    explicit_price: Option<&AssetAmount>,
) -> Result<Priced, Rejection> {
    price_order(
        account,
        catalog,
        Order {
            operation,
            quantity,
            explicit_price,
            max_price: None,
        },
    )
}

pub(super) fn price_order(
    account: &Account,
    catalog: &Catalog,
    order: Order<'_>,
) -> Result<Priced, Rejection> {
    let alternatives = alternatives(
        catalog,
        order.operation,
        order.quantity,
        order.explicit_price,
    )?;
    let mut last = None;
    for (index, alternative) in alternatives.iter().enumerate() {
        let available = account.available_for(&alternative.asset, order.operation);
        if available >= alternative.amount {
            check_max_price(&alternatives, index, order.max_price)?;
            let parts = account.take(&alternative.asset, order.operation, alternative.amount);
            debug_assert_eq!(
                total(&parts),
                alternative.amount,
                "what is available can be taken"
            );
            return Ok(Priced {
                asset: alternative.asset.clone(),
                amount: alternative.amount,
                parts,
            });
        }
        last = Some((alternative, available));
    }
    let Some((alternative, available)) = last else {
        let operation = order.operation.unwrap_or_default().to_owned();
        return Err(Rejection::UnknownOperation { operation });
    };
    Err(insufficient(
        catalog,
        &alternative.asset,
        alternative.amount,
        available,
    ))
}

/// What the operation costs, each alternative for all of the quantity, in the
/// order in which they are tried.
///
/// # Errors
/// An unknown operation or asset, or a quantity or amount above its bound.
pub fn alternatives(
    catalog: &Catalog,
    operation: Option<&str>,
    quantity: i64,
    explicit_price: Option<&AssetAmount>,
) -> Result<Vec<AssetAmount>, Rejection> {
    let known = operation
        .map(|name| find_operation(catalog, name))
        .transpose()?;
    let maximum = known.map_or(QUANTITY_MAX, |operation| operation.quantity_max);
    if quantity < 1 {
        return Err(Rejection::AmountNotPositive {
            amount: quantity,
            minimum: 1,
        });
    }
    if quantity > maximum {
        return Err(Rejection::QuantityTooLarge { quantity, maximum });
    }
    if let Some(price) = explicit_price {
        check_asset(catalog, &price.asset)?;
        check_price(price.amount)?;
        return Ok(vec![price.clone()]);
    }
    let prices = known.map_or(&[][..], |operation| &operation.prices);
    prices
        .iter()
        .map(|price| {
            let amount = price.amount.saturating_mul(quantity);
            check_price(amount)?;
            Ok(AssetAmount {
                asset: price.asset.clone(),
                amount,
            })
        })
        .collect()
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

pub(super) fn insufficient(
    catalog: &Catalog,
    asset: &str,
    required: i64,
    available: i64,
) -> Rejection {
    let shortfall = required.saturating_sub(available);
    Rejection::InsufficientFunds {
        asset: asset.to_owned(),
        required,
        available,
        shortfall,
        top_up: catalog
            .top_ups
            .get(asset)
            .and_then(|top_up| top_up.suggestion(shortfall)),
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

/// What the operation itself gives. Nothing that is paid for is refused for
/// lack of room for it: in a full wallet it enlarges what is there.
pub(super) fn operation_grants(
    work: &mut Work<'_>,
    operation: Option<&str>,
    quantity: i64,
) -> Vec<Lot> {
    let context = work.context;
    let found = operation.and_then(|name| context.catalog.operations.get(name));
    let grants = found.map_or(&[][..], |operation| &operation.grants);
    let is_full = !grants.is_empty() && work.own.check_room(grants.len()).is_err();
    let mut lots: Vec<Lot> = Vec::with_capacity(grants.len());
    for grant in grants {
        let amount = grant.amount.saturating_mul(quantity);
        let lot = prepare::granted_lot(grant, amount, context.now);
        lots.push(if is_full {
            work.own.squeeze_in(lot, &lots)
        } else {
            work.own.place(lot)
        });
    }
    lots
}

pub(super) fn push_grants(work: &mut Work<'_>, grants: Vec<Lot>) {
    for lot in grants {
        let credited = Credited { lot, payment: None };
        work.push(Party::Own, Payload::Credited(credited));
    }
}
