//! What an operation costs: for what is said about it, for whom asks, and for
//! what the wallet has.

use ledger_core::{
    Name, Rejection,
    account::Lot,
    catalog::{Attributes, Operation, Price as Alternative},
    command::AssetAmount,
    event::WindowUse,
};

use super::{
    attempt::{Attempt, Try},
    checks::{check_least, check_price},
    ledger::Flaw,
    marks::may_pay,
    wallet::{split, sum},
};

/// What is ordered.
pub(super) struct Order<'r> {
    pub(super) operation: &'r Option<Name>,
    pub(super) quantity: i64,
    pub(super) attributes: &'r Attributes,
    pub(super) explicit: &'r Option<AssetAmount>,
    pub(super) shown: &'r Option<AssetAmount>,
    pub(super) confirmed: bool,
}

/// A price that can be paid.
pub(super) struct Price {
    pub(super) asset: Name,
    pub(super) amount: i64,
    pub(super) parts: Vec<Lot>,
    pub(super) pass: Option<u64>,
    pub(super) attributes: Attributes,
    pub(super) counted_in: Vec<WindowUse>,
}

impl Attempt<'_> {
    pub(super) fn price(&self, order: &Order<'_>) -> Try<Price> {
        let (attributes, prices) = self.prices(order)?;
        let operation = order.operation.as_ref();
        let counted_in = self.limited(operation, order.quantity)?;
        let mut available = 0;
        for (index, (asset, amount)) in prices.iter().enumerate() {
            let mut payers = self.own.payers(asset, |lot| may_pay(lot, operation));
            available = sum(&payers);
            let mut pass = None;
            if self.is_pass(asset) {
                // It has no price: it is active, or it is not.
                available = 0;
                pass = self.pass(asset, operation, order.quantity);
                payers.clear();
            }
            let can_pay = match self.is_pass(asset) {
                true => pass.is_some(),
                false => available >= *amount,
            };
            if !can_pay {
                continue;
            }
            if let Some(shown) = order.shown {
                check_shown(&prices, index, shown)?;
            }
            self.check_confirmed(asset, *amount, order.confirmed)?;
            if self.ledger.flaw == Some(Flaw::ReversedTurn) {
                payers.reverse();
            }
            return Ok(Price {
                asset: asset.clone(),
                amount: *amount,
                parts: split(&payers, *amount).0,
                pass,
                attributes,
                counted_in,
            });
        }
        let Some((asset, amount)) = prices.last() else {
            return Err(Rejection::NotSoldHere {
                operation: operation.map_or_else(String::new, |name| name.into()),
                origin: (&self.request.origin).into(),
            });
        };
        let required = if self.is_pass(asset) { 1 } else { *amount };
        Err(self.insufficient(asset, required, available, operation))
    }

    /// What was said with what goes without saying, and what may be paid for
    /// all of it.
    fn prices(&self, order: &Order<'_>) -> Try<(Attributes, Vec<(Name, i64)>)> {
        let operations = &self.ledger.catalog.operations;
        let known = match order.operation {
            Some(name) => {
                let unknown = || Rejection::UnknownOperation {
                    operation: name.into(),
                };
                Some(operations.get(name.as_str()).ok_or_else(unknown)?)
            }
            None => None,
        };
        let quantity = order.quantity;
        let maximum = known.map_or(1_000_000, |operation| operation.quantity_max);
        check_least(1, quantity)?;
        if quantity > maximum {
            return Err(Rejection::QuantityTooLarge { quantity, maximum });
        }
        let name = order.operation.as_deref().unwrap_or_default();
        let declared = known.map(|operation| &operation.attributes);
        let said = |attribute: &Name, value: Option<&Name>| {
            let found = declared.and_then(|declared| declared.get(attribute));
            let values = found.into_iter().flat_map(|found| &found.values);
            Rejection::InvalidAttribute {
                operation: name.to_owned(),
                attribute: attribute.into(),
                value: value.filter(|_| found.is_some()).map(String::from),
                allowed: values.map(String::from).collect(),
            }
        };
        for (attribute, value) in order.attributes {
            let found = declared.and_then(|declared| declared.get(attribute));
            if !found.is_some_and(|found| found.values.contains(value)) {
                return Err(said(attribute, Some(value)));
            }
        }
        let mut attributes = order.attributes.clone();
        for (attribute, found) in declared.into_iter().flatten() {
            if !attributes.contains_key(attribute) {
                let default = found.default.clone();
                let value = default.ok_or_else(|| said(attribute, None))?;
                attributes.insert(attribute.clone(), value);
            }
        }
        let variant = known.map(|operation| variant(operation, &attributes));
        if variant == Some(None) {
            return Err(Rejection::VariantNotAvailable {
                operation: name.to_owned(),
            });
        }
        let prices = match order.explicit {
            Some(price) => {
                self.check_asset(&price.asset)?;
                self.check_movable(&price.asset)?;
                vec![(price.asset.clone(), price.amount)]
            }
            None => {
                let prices = variant
                    .flatten()
                    .ok_or_else(|| Rejection::UnknownOperation {
                        operation: String::new(),
                    })?;
                let origin = &self.request.origin;
                let is_here = |price: &&Alternative| {
                    price.origins.is_empty() || price.origins.contains(origin)
                };
                let prices = prices.iter().filter(is_here);
                prices
                    .map(|price| (price.asset.clone(), price.amount * quantity))
                    .collect()
            }
        };
        prices
            .iter()
            .try_for_each(|(_, amount)| check_price(*amount))?;
        Ok((attributes, prices))
    }

    fn check_confirmed(&self, asset: &Name, amount: i64, confirmed: bool) -> Try<()> {
        match self.ledger.catalog.confirm_above.get(asset) {
            Some(threshold) if amount > *threshold && !confirmed => {
                Err(Rejection::ConfirmationRequired {
                    asset: asset.into(),
                    amount,
                    threshold: *threshold,
                })
            }
            _ => Ok(()),
        }
    }
}

/// What a combination costs; nothing if it is refused.
fn variant<'o>(operation: &'o Operation, said: &Attributes) -> Option<&'o [Alternative]> {
    let fitting = operation.variants.iter().filter(|variant| {
        let mut when = variant.when.iter();
        when.all(|(attribute, values)| values.contains(&said[attribute]))
    });
    let fitting: Vec<_> = fitting.collect();
    if fitting.iter().any(|variant| variant.prices.is_none()) {
        return None;
    }
    let own = fitting.first().and_then(|variant| variant.prices.as_ref());
    Some(own.unwrap_or(&operation.prices))
}

/// No alternative after the one that was shown, and no more of the same.
fn check_shown(prices: &[(Name, i64)], index: usize, shown: &AssetAmount) -> Try<()> {
    let (asset, amount) = &prices[index];
    let place = prices.iter().position(|(asset, _)| *asset == shown.asset);
    let is_fine =
        place.is_some_and(|place| index < place || (index == place && *amount <= shown.amount));
    match is_fine {
        true => Ok(()),
        false => Err(Rejection::PriceChanged {
            asset: asset.into(),
            amount: *amount,
            max_asset: (&shown.asset).into(),
            max_amount: shown.amount,
        }),
    }
}
