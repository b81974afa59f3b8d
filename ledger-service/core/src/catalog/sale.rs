//! What to offer to whom something is missing.

use super::{Asset, Catalog, Package};
use crate::primitives::Money;

impl Catalog {
    /// The top-up that covers `shortfall` of `asset`: at least the least one,
    /// rounded up to a preset if one is large enough. Nothing if the asset
    /// cannot be topped up, or not by so much at once.
    #[must_use]
    pub fn top_up_for(&self, asset: &str, shortfall: i64) -> Option<Money> {
        let amount = self.top_ups.get(asset)?.suggestion(shortfall)?;
        Some(Money {
            currency: asset.into(),
            amount,
        })
    }

    /// The cheapest package on sale that gives `shortfall` of `asset` or more,
    /// by the price in the first currency that it has.
    #[must_use]
    pub fn cheapest_package(&self, asset: &str, shortfall: i64) -> Option<&str> {
        self.packages
            .iter()
            .filter(|(_, package)| package.offer.visible && package.gives(asset) >= shortfall)
            .min_by_key(|(_, package)| package.offer.prices.iter().next().map(|(_, price)| *price))
            .map(|(id, _)| id.as_str())
    }
}

impl Package {
    /// How much of an asset it gives, bonuses included.
    #[must_use]
    pub fn gives(&self, asset: &str) -> i64 {
        let bought = self.contents.iter().map(|content| &content.grant);
        bought
            .chain(&self.bonuses)
            .filter(|grant| grant.asset == asset)
            .fold(0, |sum, grant| sum.saturating_add(grant.amount))
    }
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
