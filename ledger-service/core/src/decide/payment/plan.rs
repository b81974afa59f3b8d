//! What a payment is for, worked out by the catalog: what it costs, what it
//! gives, and what of that a refund takes.

use super::period;
use crate::{
    account::{Account, Funding, Lot},
    catalog::{AssetKind, Catalog, Content, Grant, Package, PaymentRefundPolicy, TopUp},
    decide::grant::granted_lot,
    event::{PaidPeriod, PlannedLot},
    name::Name,
    payment::Purpose,
    primitives::{Money, Timestamp, divide},
    rejection::Rejection,
};

/// A purpose, worked out.
pub(super) struct Plan {
    pub(super) amount: Money,
    pub(super) gives: Vec<PlannedLot>,
    pub(super) refund: PaymentRefundPolicy,
    pub(super) is_limited: bool,
    pub(super) period: Option<PaidPeriod>,
}

/// What is to be paid for, before it is.
pub(super) fn offered(
    catalog: &Catalog,
    account: &Account,
    origin: &Name,
    purpose: &Purpose,
    now: Timestamp,
) -> Result<Plan, Rejection> {
    match purpose {
        Purpose::TopUp(money) => {
            check_top_up(catalog, money)?;
            top_up(catalog, money)
        }
        Purpose::Package { package, currency } => {
            let found = find(catalog, package)?;
            let is_here = found.offer.origins.is_empty() || found.offer.origins.contains(origin);
            let is_priced = found.offer.prices.contains_key(currency);
            if !is_here || !is_priced {
                return Err(Rejection::PackageNotAvailable {
                    package: package.into(),
                    origin: origin.into(),
                    currency: currency.into(),
                });
            }
            check_times(account, package, found)?;
            Ok(package_plan(catalog, found, currency))
        }
        Purpose::Subscription { .. } | Purpose::Renewal { .. } => {
            period::offered(catalog, account, origin, purpose, now)
        }
    }
}

/// What has been paid for, at whatever amount. What the catalog would not have
/// offered is given all the same, if it is known.
pub(super) fn paid(
    catalog: &Catalog,
    account: &Account,
    purpose: &Purpose,
    amount: &Money,
) -> Result<Plan, Rejection> {
    match purpose {
        Purpose::TopUp(money) => top_up(catalog, money),
        Purpose::Package { package, currency } => {
            Ok(package_plan(catalog, find(catalog, package)?, currency))
        }
        Purpose::Subscription { .. } | Purpose::Renewal { .. } => {
            period::paid(catalog, account, purpose, amount)
        }
    }
}

fn find<'c>(catalog: &'c Catalog, package: &Name) -> Result<&'c Package, Rejection> {
    let found = catalog.packages.get(package.as_str());
    found.ok_or_else(|| Rejection::UnknownPackage {
        package: package.into(),
    })
}

fn check_times(account: &Account, id: &Name, package: &Package) -> Result<(), Rejection> {
    let Some(maximum) = package.per_account else {
        return Ok(());
    };
    let bought = account.packages.get(id).copied().unwrap_or(0);
    if bought < maximum {
        return Ok(());
    }
    Err(Rejection::PackageLimitReached {
        package: id.into(),
        maximum,
    })
}

fn package_plan(catalog: &Catalog, package: &Package, currency: &Name) -> Plan {
    let price = package.offer.prices.get(currency).copied().unwrap_or(0);
    let amount = Money {
        currency: currency.clone(),
        amount: price,
    };
    Plan {
        gives: gives(&package.contents, &package.bonuses, &amount, false),
        amount,
        refund: package.refund.unwrap_or(catalog.payment_refund),
        is_limited: package.per_account.is_some(),
        period: None,
    }
}

/// What money buys: the price divided over it by its weights; and what comes on
/// top. What a subscription gives lasts as long as the period, unless it says
/// otherwise.
pub(super) fn gives(
    contents: &[Content],
    bonuses: &[Grant],
    price: &Money,
    is_period: bool,
) -> Vec<PlannedLot> {
    let planned = |grant: &Grant, with_period| PlannedLot {
        lot: Lot {
            expires_at: None,
            ..granted_lot(grant, grant.amount, Timestamp(0))
        },
        expires_after_us: grant.expires_after_us,
        with_period,
    };
    let weights: Vec<i64> = contents.iter().map(|part| part.weight).collect();
    let bought = contents.iter().zip(divide(price.amount, &weights));
    let bought = bought.map(|(content, basis)| {
        let mut bought = planned(&content.grant, is_period && !content.rollover);
        bought.lot.funding = Funding::Purchased;
        bought.lot.basis = basis;
        bought.lot.currency = Some(price.currency.clone());
        bought
    });
    let given = bonuses.iter();
    let given = given.map(|grant| planned(grant, is_period && grant.expires_after_us.is_none()));
    bought.chain(given).collect()
}

fn check_top_up(catalog: &Catalog, money: &Money) -> Result<(), Rejection> {
    let unknown = || Rejection::UnknownCurrency {
        currency: (&money.currency).into(),
    };
    let rules = catalog
        .top_ups
        .get(money.currency.as_str())
        .ok_or_else(unknown)?;
    let fits = (rules.minimum..=rules.maximum).contains(&money.amount)
        && money.amount.checked_rem(multiple(rules)) == Some(0);
    if fits {
        return Ok(());
    }
    Err(not_offered(rules, money))
}

fn not_offered(rules: &TopUp, money: &Money) -> Rejection {
    Rejection::TopUpNotOffered {
        currency: (&money.currency).into(),
        amount: money.amount,
        minimum: rules.minimum,
        maximum: rules.maximum,
        multiple: multiple(rules),
    }
}

fn multiple(rules: &TopUp) -> i64 {
    rules.rate.as_ref().map_or(1, |rate| rate.pay)
}

/// Money becomes what the catalog's rate says, or the money asset of its
/// currency, one to one.
fn top_up(catalog: &Catalog, money: &Money) -> Result<Plan, Rejection> {
    let currency = &money.currency;
    let rules = catalog.top_ups.get(currency.as_str());
    let rate = rules.and_then(|rules| rules.rate.as_ref());
    let (asset, amount) = match rate {
        Some(rate) => {
            let times = money.amount.checked_div(rate.pay).unwrap_or(0);
            (rate.asset.clone(), times.saturating_mul(rate.get))
        }
        None => (currency.clone(), money.amount),
    };
    let kind = catalog.assets.get(asset.as_str()).map(|asset| asset.kind);
    if kind.is_none() || (rate.is_none() && kind != Some(AssetKind::Money)) {
        return Err(Rejection::UnknownCurrency {
            currency: currency.into(),
        });
    }
    if let Some(rules) = rules.filter(|_| amount == 0 && money.amount > 0) {
        return Err(not_offered(rules, money));
    }
    let lot = Lot {
        asset,
        amount,
        funding: Funding::Purchased,
        source: "PAYMENT".into(),
        basis: money.amount,
        currency: Some(currency.clone()),
        ..Lot::default()
    };
    Ok(Plan {
        amount: money.clone(),
        gives: vec![PlannedLot {
            lot,
            expires_after_us: None,
            with_period: false,
        }],
        refund: catalog.payment_refund,
        is_limited: false,
        period: None,
    })
}
