//! What the catalog sells: what it costs, what it gives, and what is offered to
//! whom something is missing.

use ledger_core::{
    Money, Name, Rejection,
    account::{Funding, Lot},
    catalog::{Grant, Package, PaymentRefundPolicy, TopUp},
    event::{PaidPeriod, PlannedLot},
    payment::Purpose,
};

use super::{
    attempt::{Attempt, Try},
    wallet::share,
};

/// What is sold.
pub(super) struct Deal {
    pub(super) amount: Money,
    pub(super) gives: Vec<PlannedLot>,
    pub(super) policy: PaymentRefundPolicy,
    pub(super) is_limited: bool,
    pub(super) period: Option<PaidPeriod>,
}

impl Attempt<'_> {
    /// What may be asked for.
    pub(super) fn offered(&self, purpose: &Purpose) -> Try<Deal> {
        match purpose {
            Purpose::Subscription { .. } | Purpose::Renewal { .. } => {
                return self.plan_offered(purpose);
            }
            Purpose::TopUp(Money { currency, amount }) => {
                let top_up = self.ledger.catalog.top_ups.get(currency.as_str());
                let top_up = top_up.ok_or_else(|| unknown(currency))?;
                let is_whole = amount % step(top_up) == 0;
                if !is_whole || *amount < top_up.minimum || *amount > top_up.maximum {
                    return Err(not_offered(currency, *amount, top_up));
                }
            }
            Purpose::Package { package, currency } => {
                let found = self.package(package)?;
                let origin = &self.request.origin;
                let is_here = found.offer.origins.is_empty()
                    || found.offer.origins.iter().any(|other| other == origin);
                if !is_here || !found.offer.prices.contains_key(currency) {
                    return Err(Rejection::PackageNotAvailable {
                        package: package.into(),
                        origin: origin.into(),
                        currency: currency.into(),
                    });
                }
                let bought = self.own.bought.get(package).copied().unwrap_or(0);
                if let Some(maximum) = found.per_account.filter(|maximum| bought >= *maximum) {
                    return Err(Rejection::PackageLimitReached {
                        package: package.into(),
                        maximum,
                    });
                }
            }
        }
        self.deal(purpose, None)
    }

    /// What is given for it, whether or not it is offered, if so much has come.
    pub(super) fn deal(&self, purpose: &Purpose, paid: Option<&Money>) -> Try<Deal> {
        match purpose {
            Purpose::TopUp(money) => self.exchange(money),
            Purpose::Subscription { .. } | Purpose::Renewal { .. } => {
                self.plan_deal(purpose, paid.unwrap())
            }
            Purpose::Package { package, currency } => {
                Ok(self.contents(self.package(package)?, currency))
            }
        }
    }

    fn package(&self, id: &Name) -> Try<&Package> {
        let found = self.ledger.catalog.packages.get(id.as_str());
        found.ok_or_else(|| Rejection::UnknownPackage { package: id.into() })
    }

    fn contents(&self, package: &Package, currency: &Name) -> Deal {
        let price = package.offer.prices.get(currency).copied().unwrap_or(0);
        let weights: Vec<i64> = package.contents.iter().map(|part| part.weight).collect();
        let bought = package.contents.iter().zip(in_proportion(price, &weights));
        let bought = bought.map(|(content, basis)| {
            let mut planned = planned(&content.grant);
            planned.lot.funding = Funding::Purchased;
            planned.lot.basis = basis;
            planned.lot.currency = Some(currency.clone());
            planned
        });
        Deal {
            amount: Money {
                currency: currency.clone(),
                amount: price,
            },
            gives: bought.chain(package.bonuses.iter().map(planned)).collect(),
            policy: package.refund.unwrap_or(self.ledger.catalog.payment_refund),
            is_limited: package.per_account.is_some(),
            period: None,
        }
    }

    fn exchange(&self, money: &Money) -> Try<Deal> {
        let Money { currency, amount } = money;
        let catalog = &self.ledger.catalog;
        let top_up = catalog.top_ups.get(currency.as_str());
        let rate = top_up.and_then(|top_up| Some((top_up, top_up.rate.as_ref()?)));
        let (asset, units) = match rate {
            Some((_, rate)) => (rate.asset.clone(), amount / rate.pay * rate.get),
            None if is_money(self, currency) => (currency.clone(), *amount),
            None => return Err(unknown(currency)),
        };
        if let Some((top_up, _)) = rate.filter(|_| units == 0 && *amount > 0) {
            return Err(not_offered(currency, *amount, top_up));
        }
        let lot = Lot {
            asset,
            amount: units,
            funding: Funding::Purchased,
            source: "PAYMENT".into(),
            basis: *amount,
            currency: Some(currency.clone()),
            ..Lot::default()
        };
        Ok(Deal {
            amount: money.clone(),
            gives: vec![PlannedLot {
                lot,
                expires_after_us: None,
                with_period: false,
            }],
            policy: catalog.payment_refund,
            is_limited: false,
            period: None,
        })
    }

    /// The refusal of a price that cannot be paid, with what to buy.
    pub(super) fn insufficient(
        &self,
        asset: &str,
        required: i64,
        available: i64,
        operation: Option<&Name>,
    ) -> Rejection {
        let shortfall = required - available;
        let top_ups = self.ledger.catalog.top_ups.iter();
        let mut top_ups = top_ups.filter_map(|(currency, top_up)| {
            let gives = top_up
                .rate
                .as_ref()
                .map_or(currency.as_str(), |rate| &rate.asset);
            let amount = suggested(top_up, shortfall).filter(|_| gives == asset)?;
            Some(Money {
                currency: currency.as_str().into(),
                amount,
            })
        });
        let packages = self.ledger.catalog.packages.iter();
        let helps = packages.filter(|(_, package)| {
            let offer = &package.offer;
            let is_here = offer.origins.is_empty() || offer.origins.contains(&self.request.origin);
            offer.visible && is_here && gives(package, asset, operation) >= shortfall.max(1)
        });
        let cheapest =
            helps.min_by_key(|(_, package)| *package.offer.prices.values().next().unwrap());
        Rejection::InsufficientFunds {
            asset: asset.to_owned(),
            required,
            available,
            shortfall,
            top_up: top_ups.next(),
            package: cheapest.map(|(id, _)| id.clone()),
        }
    }
}

pub(super) fn planned(grant: &Grant) -> PlannedLot {
    PlannedLot {
        lot: Lot {
            asset: grant.asset.clone(),
            amount: grant.amount,
            source: grant.source.clone(),
            priority: grant.priority,
            scope: grant.scope.iter().cloned().collect(),
            ..Lot::default()
        },
        expires_after_us: grant.expires_after_us,
        with_period: false,
    }
}

/// Divides a price: what rounding leaves goes to whom it took the most, one
/// each.
pub(super) fn in_proportion(price: i64, weights: &[i64]) -> Vec<i64> {
    let sum: i64 = weights.iter().sum();
    let mut shares: Vec<i64> = weights.iter().map(|it| share(price, *it, sum)).collect();
    let lost = |weight: &i64| i128::from(price) * i128::from(*weight) % i128::from(sum);
    let mut lost: Vec<i128> = weights.iter().map(lost).collect();
    for _ in 0..price - shares.iter().sum::<i64>() {
        let most = *lost.iter().max().unwrap();
        let index = lost.iter().position(|one| *one == most).unwrap();
        shares[index] += 1;
        lost[index] = -1;
    }
    shares
}

fn is_money(attempt: &Attempt<'_>, currency: &str) -> bool {
    let asset = attempt.ledger.catalog.assets.get(currency);
    asset.is_some_and(|asset| asset.kind == ledger_core::catalog::AssetKind::Money)
}

fn unknown(currency: &Name) -> Rejection {
    Rejection::UnknownCurrency {
        currency: currency.into(),
    }
}

fn step(top_up: &TopUp) -> i64 {
    top_up.rate.as_ref().map_or(1, |rate| rate.pay)
}

fn not_offered(currency: &Name, amount: i64, top_up: &TopUp) -> Rejection {
    Rejection::TopUpNotOffered {
        currency: currency.into(),
        amount,
        minimum: top_up.minimum,
        maximum: top_up.maximum,
        multiple: step(top_up),
    }
}

/// The least that may be paid and gives so much, or a preset that does.
fn suggested(top_up: &TopUp, shortfall: i64) -> Option<i64> {
    let get = top_up.rate.as_ref().map_or(1, |rate| rate.get);
    let step = step(top_up);
    let up = |amount: i64, by: i64| (amount + by - 1) / by;
    let needed = step * up(shortfall, get).max(up(top_up.minimum, step));
    let preset = top_up.presets.iter().find(|preset| **preset >= needed);
    Some(preset.copied().unwrap_or(needed)).filter(|amount| *amount <= top_up.maximum)
}

/// What a package gives of an asset that may pay for the operation.
fn gives(package: &Package, asset: &str, operation: Option<&Name>) -> i64 {
    let contents = package.contents.iter().map(|content| &content.grant);
    let grants = contents.chain(&package.bonuses);
    let pays = |grant: &&Grant| {
        let is_for_it = operation.is_some_and(|name| grant.scope.contains(name));
        grant.asset == asset && (grant.scope.is_empty() || is_for_it)
    };
    grants.filter(pays).map(|grant| grant.amount).sum()
}
