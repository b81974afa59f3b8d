//! What is sold for money: top-ups and packages.

use std::collections::{BTreeMap, BTreeSet};

use super::{Grant, Text};
use crate::name::Name;

/// Limits of top-ups in one currency, in its minor units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopUp {
    /// Amounts to offer.
    pub presets: Vec<i64>,
    /// The least that may be asked for.
    pub minimum: i64,
    /// The most that may be asked for.
    pub maximum: i64,
    /// How the receipt calls it; 1 to 128 characters a language.
    pub receipt: Option<Text>,
}

/// What is shown where something is sold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// 1 to 32 characters a language, as Telegram's invoices have it.
    pub title: Text,
    /// 1 to 255 characters a language, as Telegram's invoices have it.
    pub description: Text,
    /// How the receipt calls it; 1 to 128 characters a language. The title if
    /// absent.
    pub receipt: Option<Text>,
    /// What it costs, in minor units by currency; at least one.
    pub prices: BTreeMap<Name, i64>,
    /// Lower is shown first; then by id.
    pub order: i64,
    /// Whether it is listed; it can be bought all the same.
    pub visible: bool,
    /// A mark such as `popular`, for whoever shows it.
    pub badge: Option<String>,
    /// The origins that may sell it; all if empty.
    pub origins: BTreeSet<Name>,
}

/// Something that can be bought once or several times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// How it is sold.
    pub offer: Offer,
    /// What the money buys; at least one.
    pub contents: Vec<Content>,
    /// What is given on top.
    pub bonuses: Vec<Grant>,
    /// How often one account may buy it; any number of times if absent.
    pub per_account: Option<i64>,
}

/// A part of what money buys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The lot; its funding is bought.
    pub grant: Grant,
    /// Its share of the price, relative to the other parts; above 0.
    pub weight: i64,
}

impl TopUp {
    /// What to offer to someone who lacks `shortfall`: at least the minimum,
    /// rounded up to a preset if one is large enough; nothing if the maximum
    /// does not cover it.
    #[must_use]
    pub fn suggestion(&self, shortfall: i64) -> Option<i64> {
        let needed = shortfall.max(self.minimum);
        let preset = self
            .presets
            .iter()
            .copied()
            .filter(|preset| *preset >= needed)
            .min();
        preset
            .or(Some(needed))
            .filter(|amount| *amount <= self.maximum)
    }
}
