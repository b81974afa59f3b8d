//! What a catalog sells.

use ledger_core::{
    Name,
    catalog::{AutoTopUp, Catalog, Content, Grant, Offer, Text, TopUp},
};
use ledger_proto::v1;

use super::{asset_amount, subscription::renewal};

/// Microseconds in a second.
const SECOND_US: i64 = 1_000_000;

/// The packages that an origin sells, in the order in which they are shown.
pub(in crate::grpc) fn packages(
    catalog: &Catalog,
    origin: &Name,
    include_hidden: bool,
) -> Vec<v1::Package> {
    let packages = catalog.packages.iter();
    let sold = packages.map(|(id, package)| (&package.offer, (id, package)));
    in_order(sold, origin, include_hidden)
        .into_iter()
        .map(|(id, package)| v1::Package {
            package: id.clone(),
            title: Some(text(&package.offer.title)),
            description: Some(text(&package.offer.description)),
            prices: prices(&package.offer),
            contents: package.contents.iter().map(content).collect(),
            bonuses: package.bonuses.iter().map(part).collect(),
            badge: package.offer.badge.clone().unwrap_or_default(),
            purchases_max: package.per_account.unwrap_or(0),
        })
        .collect()
}

/// What can be topped up.
pub(in crate::grpc) fn top_ups(catalog: &Catalog) -> Vec<v1::TopUp> {
    let top_up = |(currency, top_up): (&String, &TopUp)| v1::TopUp {
        currency: currency.clone(),
        preset_amounts: top_up.presets.clone(),
        minimum_amount: top_up.minimum,
        maximum_amount: top_up.maximum,
        rate: top_up.rate.as_ref().map(|rate| v1::TopUpRate {
            pay_amount: rate.pay,
            gives: Some(asset_amount(&rate.asset, rate.get)),
        }),
    };
    catalog.top_ups.iter().map(top_up).collect()
}

/// The plans that an origin sells, in the order in which they are shown.
pub(in crate::grpc) fn plans(
    catalog: &Catalog,
    origin: &Name,
    include_hidden: bool,
) -> Vec<v1::Plan> {
    let plans = catalog.subscriptions.iter();
    let sold = plans.map(|(id, plan)| (&plan.offer, (id, plan)));
    let number = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    in_order(sold, origin, include_hidden)
        .into_iter()
        .map(|(id, plan)| v1::Plan {
            plan: id.clone(),
            title: Some(text(&plan.offer.title)),
            description: Some(text(&plan.offer.description)),
            prices: prices(&plan.offer),
            contents: plan.contents.iter().map(content).collect(),
            bonuses: plan.bonuses.iter().map(part).collect(),
            badge: plan.offer.badge.clone().unwrap_or_default(),
            period_months: number(plan.period.months),
            period_days: number(plan.period.days),
            renewal: renewal(plan.renewal),
            upgrades: plan.upgrades.iter().map(String::from).collect(),
        })
        .collect()
}

/// What may be bought by itself.
pub(in crate::grpc) fn auto_top_ups(catalog: &Catalog) -> Vec<v1::AutoTopUp> {
    let cap = |(currency, amount): (&Name, &i64)| v1::Money {
        currency: currency.into(),
        amount: *amount,
    };
    let auto_top_up = |(asset, rule): (&Name, &AutoTopUp)| v1::AutoTopUp {
        asset: asset.into(),
        threshold_amount: rule.threshold,
        package: rule.package.clone(),
        monthly_caps: rule.monthly_cap.iter().map(cap).collect(),
    };
    catalog.auto_top_ups.iter().map(auto_top_up).collect()
}

/// What an origin may sell and shows, by its order; by id where that is equal.
fn in_order<'a, T>(
    offers: impl Iterator<Item = (&'a Offer, T)>,
    origin: &Name,
    include_hidden: bool,
) -> Vec<T> {
    let is_sold = |offer: &Offer| offer.is_sold_by(origin) && (offer.visible || include_hidden);
    let mut sold: Vec<(i64, T)> = offers
        .filter(|(offer, _)| is_sold(offer))
        .map(|(offer, sold)| (offer.order, sold))
        .collect();
    // They come by id, and the sort keeps that.
    sold.sort_by_key(|(order, _)| *order);
    sold.into_iter().map(|(_, sold)| sold).collect()
}

fn text(text: &Text) -> v1::LocalizedText {
    v1::LocalizedText {
        ru: text.ru.clone(),
        en: text.en.clone(),
    }
}

fn prices(offer: &Offer) -> Vec<v1::Money> {
    let price = |(currency, amount): (&Name, &i64)| v1::Money {
        currency: currency.into(),
        amount: *amount,
    };
    offer.prices.iter().map(price).collect()
}

fn content(content: &Content) -> v1::PackagePart {
    part(&content.grant)
}

fn part(grant: &Grant) -> v1::PackagePart {
    v1::PackagePart {
        amount: Some(asset_amount(&grant.asset, grant.amount)),
        expire_after_seconds: grant.expires_after_us.map_or(0, |us| us / SECOND_US),
        scope: grant.scope.iter().map(String::from).collect(),
    }
}
