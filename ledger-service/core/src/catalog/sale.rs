//! What to offer to whom something is missing.

use std::collections::BTreeSet;

use super::{Asset, Catalog, Grant, Offer, Package, TopUp};
use crate::{name::Name, primitives::Money};

/// Who lacks something, and for what.
#[derive(Clone, Copy, Debug)]
pub struct Buyer<'a> {
    /// The bot or service that would sell it.
    pub origin: &'a str,
    /// The operation that it has to pay for, if one is to be paid.
    pub operation: Option<&'a str>,
}

impl Catalog {
    /// The top-up that covers `shortfall` of `asset`: at least the least one,
    /// rounded up to a preset if one is large enough. Of several currencies that
    /// become the asset it is the first. Nothing if the asset cannot be topped
    /// up, or not by so much at once.
    #[must_use]
    pub fn top_up_for(&self, asset: &str, shortfall: i64) -> Option<Money> {
        let gives = |currency: &str, top_up: &TopUp| match &top_up.rate {
            Some(rate) => rate.asset == asset,
            None => currency == asset,
        };
        let mut top_ups = self.top_ups.iter();
        top_ups.find_map(|(currency, top_up)| {
            let amount = top_up
                .suggestion(shortfall)
                .filter(|_| gives(currency, top_up))?;
            Some(Money {
                currency: currency.as_str().into(),
                amount,
            })
        })
    }

    /// The cheapest package on sale to `buyer` that gives `shortfall` of `asset`
    /// or more, by the price in the first currency that it has.
    #[must_use]
    pub fn cheapest_package(&self, asset: &str, shortfall: i64, buyer: Buyer<'_>) -> Option<&str> {
        self.packages
            .iter()
            .filter(|(_, package)| {
                package.offer.is_shown(buyer.origin)
                    && package.gives(asset, buyer) >= shortfall.max(1)
            })
            .min_by_key(|(_, package)| package.offer.prices.iter().next().map(|(_, price)| *price))
            .map(|(id, _)| id.as_str())
    }
}

impl Package {
    /// Everything that it gives: what is bought, then what comes on top.
    pub fn grants(&self) -> impl Iterator<Item = &Grant> {
        let bought = self.contents.iter().map(|content| &content.grant);
        bought.chain(&self.bonuses)
    }

    /// How much of an asset it gives that the buyer can pay with, bonuses
    /// included.
    #[must_use]
    pub fn gives(&self, asset: &str, buyer: Buyer<'_>) -> i64 {
        self.grants()
            .filter(|grant| grant.asset == asset && pays(&grant.scope, buyer.operation))
            .fold(0, |sum, grant| sum.saturating_add(grant.amount))
    }
}

impl Offer {
    /// Whether an origin sells it and shows it.
    #[must_use]
    pub fn is_shown(&self, origin: &str) -> bool {
        self.visible && self.is_sold_by(origin)
    }

    /// Whether an origin sells it.
    #[must_use]
    pub fn is_sold_by(&self, origin: &str) -> bool {
        self.origins.is_empty() || self.origins.contains(origin)
    }
}

fn pays(scope: &BTreeSet<Name>, operation: Option<&str>) -> bool {
    scope.is_empty() || operation.is_some_and(|name| scope.contains(name))
}

impl Asset {
    /// The level that `total` points are worth, from 1: how many thresholds
    /// they have reached.
    #[must_use]
    pub fn level(&self, total: i64) -> u32 {
        let reached = self.levels.iter().filter(|threshold| **threshold <= total);
        u32::try_from(reached.count()).unwrap_or(u32::MAX).max(1)
    }
}
