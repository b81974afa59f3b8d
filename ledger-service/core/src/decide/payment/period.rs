//! What a payment for a period of a subscription is, by the catalog.

use super::plan::{Plan, gives};
use crate::{
    account::{Account, Subscription},
    catalog::{self, Catalog, OnRepurchase, SecondSuccess},
    event::PaidPeriod,
    limits::{QUEUED_PERIODS_MAX, SUBSCRIPTIONS_MAX},
    name::Name,
    payment::Purpose,
    primitives::{Money, Timestamp, basis_share},
    rejection::Rejection,
};

/// What is to be paid for, before it is.
pub(super) fn offered(
    catalog: &Catalog,
    account: &Account,
    origin: &Name,
    purpose: &Purpose,
    now: Timestamp,
) -> Result<Plan, Rejection> {
    match purpose {
        Purpose::Subscription {
            plan,
            currency,
            upgrade_of,
        } => {
            let found = find(catalog, plan)?;
            let price = price(found, plan, currency, origin)?;
            check_repurchase(account, plan, found)?;
            let Some(old) = upgrade_of else {
                return Ok(period_plan(catalog, plan, found, price));
            };
            let old = running(account, *old)?;
            let credit = unused(catalog, old, plan, currency, now)?;
            let price = Money {
                // A provider takes no payment of nothing.
                amount: price.amount.saturating_sub(credit).max(1),
                ..price
            };
            let mut plan = period_plan(catalog, plan, found, price);
            if let Some(period) = &mut plan.period {
                period.upgrade_of = Some(old.position);
            }
            Ok(plan)
        }
        Purpose::Renewal { subscription } => {
            let renewed = running(account, *subscription)?;
            check_renewal(renewed)?;
            let found = find(catalog, &renewed.plan)?;
            let price = price(found, &renewed.plan, &renewed.paid.currency, origin)?;
            Ok(renewal_plan(catalog, renewed, found, price))
        }
        Purpose::TopUp(_) | Purpose::Package { .. } => Err(Rejection::SubscriptionNotFound),
    }
}

/// What has been paid for. A provider that renews by itself takes what was agreed
/// once, whatever the price is now.
pub(super) fn paid(
    catalog: &Catalog,
    account: &Account,
    purpose: &Purpose,
    amount: &Money,
) -> Result<Plan, Rejection> {
    match purpose {
        Purpose::Subscription { plan, currency, .. } => {
            let found = find(catalog, plan)?;
            let amount = found.offer.prices.get(currency).copied().unwrap_or(0);
            let price = Money {
                currency: currency.clone(),
                amount,
            };
            Ok(period_plan(catalog, plan, found, price))
        }
        Purpose::Renewal { subscription } => {
            let renewed = running(account, *subscription)?;
            let found = find(catalog, &renewed.plan)?;
            Ok(renewal_plan(catalog, renewed, found, amount.clone()))
        }
        Purpose::TopUp(_) | Purpose::Package { .. } => Err(Rejection::SubscriptionNotFound),
    }
}

fn find<'c>(catalog: &'c Catalog, plan: &Name) -> Result<&'c catalog::Plan, Rejection> {
    let found = catalog.subscriptions.get(plan.as_str());
    found.ok_or_else(|| Rejection::UnknownPlan { plan: plan.into() })
}

fn running(account: &Account, position: u64) -> Result<&Subscription, Rejection> {
    let found = account.subscription(position);
    found.ok_or(Rejection::SubscriptionNotFound)
}

fn price(
    plan: &catalog::Plan,
    id: &Name,
    currency: &Name,
    origin: &Name,
) -> Result<Money, Rejection> {
    let price = plan.offer.prices.get(currency).copied();
    match price.filter(|_| plan.offer.is_sold_by(origin)) {
        Some(amount) => Ok(Money {
            currency: currency.clone(),
            amount,
        }),
        None => Err(Rejection::PlanNotAvailable {
            plan: id.into(),
            origin: origin.into(),
            currency: currency.into(),
        }),
    }
}

fn check_repurchase(account: &Account, id: &Name, plan: &catalog::Plan) -> Result<(), Rejection> {
    let mut subscriptions = account.subscriptions.iter();
    match subscriptions.find(|running| running.plan == *id) {
        Some(running)
            if plan.on_repurchase == OnRepurchase::Refuse
                || running.queued.len() >= QUEUED_PERIODS_MAX =>
        {
            Err(Rejection::SubscriptionRuns {
                subscription: running.position,
            })
        }
        None if account.subscriptions.len() >= SUBSCRIPTIONS_MAX => {
            Err(Rejection::TooManySubscriptions {
                maximum: SUBSCRIPTIONS_MAX,
            })
        }
        _ => Ok(()),
    }
}

fn check_renewal(subscription: &Subscription) -> Result<(), Rejection> {
    if !subscription.renews() {
        return Err(Rejection::SubscriptionNotRenewed {
            subscription: subscription.position,
        });
    }
    match subscription.attempt {
        Some(payment) => Err(Rejection::RenewalAttemptOpen {
            subscription: subscription.position,
            payment,
        }),
        None => Ok(()),
    }
}

/// What of the price of what runs is credited to what takes its place: its share
/// of the time that is left.
fn unused(
    catalog: &Catalog,
    old: &Subscription,
    plan: &Name,
    currency: &Name,
    now: Timestamp,
) -> Result<i64, Rejection> {
    let known = catalog.subscriptions.get(old.plan.as_str());
    let is_offered = known.is_some_and(|known| known.upgrades.contains(plan));
    if !is_offered || old.paid.currency != *currency {
        return Err(Rejection::UpgradeNotOffered {
            plan: plan.into(),
            from: (&old.plan).into(),
        });
    }
    let whole = old.ends_at.us_since(old.starts_at).max(1);
    let left = old.ends_at.us_since(now).clamp(0, whole);
    Ok(basis_share(old.paid.amount, left, whole))
}

fn period_plan(catalog: &Catalog, id: &Name, plan: &catalog::Plan, price: Money) -> Plan {
    Plan {
        gives: gives(&plan.contents, &plan.bonuses, &price, true),
        amount: price,
        refund: plan.refund.unwrap_or(catalog.payment_refund),
        is_limited: false,
        period: Some(PaidPeriod {
            plan: id.clone(),
            length: plan.period,
            renewal: plan.renewal,
            grace_us: plan.grace_us,
            queues: plan.on_repurchase == OnRepurchase::Queue,
            refunds_second: plan.second_success == SecondSuccess::Refund,
            subscription: None,
            starts_at: None,
            upgrade_of: None,
        }),
    }
}

fn renewal_plan(
    catalog: &Catalog,
    renewed: &Subscription,
    plan: &catalog::Plan,
    price: Money,
) -> Plan {
    let mut planned = period_plan(catalog, &renewed.plan, plan, price);
    if let Some(period) = &mut planned.period {
        period.subscription = Some(renewed.position);
        period.starts_at = Some(renewed.paid_until());
    }
    planned
}
