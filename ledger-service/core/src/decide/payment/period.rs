//! What a payment for a period of a subscription is, by the catalog.

use super::plan::{Plan, gives};
use crate::{
    account::{Account, Subscription, SubscriptionPeriod},
    catalog::{self, AssetKind, Catalog, OnRepurchase, SecondSuccess},
    decide::{
        grant::kind,
        subscription::{is_being_paid_back, is_full, waits},
    },
    event::PaidPeriod,
    limits::SUBSCRIPTIONS_MAX,
    name::Name,
    payment::Purpose,
    primitives::{Money, Timestamp},
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
            check_repurchase(account, (plan, found), upgrade_of.is_some(), now)?;
            let Some(old) = upgrade_of else {
                return Ok(period_plan(catalog, plan, found, price));
            };
            let old = running(account, *old)?;
            let credit = credit(catalog, account, old, (plan, currency), now)?;
            let price = Money {
                // A provider takes no payment of nothing.
                amount: price.amount.saturating_sub(credit).max(1),
                ..price
            };
            let mut plan = period_plan(catalog, plan, found, price);
            if let Some(period) = &mut plan.period {
                period.upgrade_of = Some(old.position);
                period.upgrade_revision = old.revision;
            }
            Ok(plan)
        }
        Purpose::Renewal { subscription } => {
            let renewed = running(account, *subscription)?;
            check_renewal(account, renewed, now)?;
            let found = find(catalog, &renewed.plan)?;
            let price = price(found, &renewed.plan, &renewed.currency(), origin)?;
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
        Purpose::Renewal { subscription } => renewal_paid(catalog, account, *subscription, amount),
        Purpose::TopUp(_) | Purpose::Package { .. } => Err(Rejection::SubscriptionNotFound),
    }
}

/// A renewal that comes when the subscription has ended is known by what the
/// account remembers of it.
fn renewal_paid(
    catalog: &Catalog,
    account: &Account,
    subscription: u64,
    amount: &Money,
) -> Result<Plan, Rejection> {
    if let Some(renewed) = account.subscription(subscription) {
        let found = find(catalog, &renewed.plan)?;
        return Ok(renewal_plan(catalog, renewed, found, amount.clone()));
    }
    let mut ended = account.ended_subscriptions.iter();
    let ended = ended.find(|ended| ended.position == subscription);
    let ended = ended.ok_or(Rejection::SubscriptionNotFound)?;
    let found = find(catalog, &ended.plan)?;
    let mut planned = period_plan(catalog, &ended.plan, found, amount.clone());
    if let Some(period) = &mut planned.period {
        period.subscription = Some(ended.position);
    }
    Ok(planned)
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

fn check_repurchase(
    account: &Account,
    (id, plan): (&Name, &catalog::Plan),
    is_upgrade: bool,
    now: Timestamp,
) -> Result<(), Rejection> {
    let mut subscriptions = account.subscriptions.iter();
    match subscriptions.find(|running| running.plan == *id) {
        Some(running)
            if plan.on_repurchase == OnRepurchase::Refuse
                || is_full(account, (running, queues(running, plan)), now) =>
        {
            Err(Rejection::SubscriptionRuns {
                subscription: running.position,
            })
        }
        // What takes the place of another one is none more.
        None if !is_upgrade && account.subscriptions.len() >= SUBSCRIPTIONS_MAX => {
            Err(Rejection::TooManySubscriptions {
                maximum: SUBSCRIPTIONS_MAX,
            })
        }
        _ => Ok(()),
    }
}

fn queues(running: &Subscription, plan: &catalog::Plan) -> bool {
    waits(running, plan.on_repurchase == OnRepurchase::Queue)
}

fn check_renewal(
    account: &Account,
    subscription: &Subscription,
    now: Timestamp,
) -> Result<(), Rejection> {
    if !subscription.renews() {
        return Err(Rejection::SubscriptionNotRenewed {
            subscription: subscription.position,
        });
    }
    if is_full(account, (subscription, waits(subscription, false)), now) {
        return Err(Rejection::SubscriptionRuns {
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

/// What is credited to what takes the place of a subscription, as of the moment
/// when the payment is created: of the passes of each paid period the share of
/// the time that is left of it, and all that was paid for a period that waits.
/// What else was given stays with the account.
fn credit(
    catalog: &Catalog,
    account: &Account,
    old: &Subscription,
    (plan, currency): (&Name, &Name),
    now: Timestamp,
) -> Result<i64, Rejection> {
    let known = catalog.subscriptions.get(old.plan.as_str());
    let is_offered = known.is_some_and(|known| known.upgrades.contains(plan));
    if !is_offered || old.currency() != *currency || is_being_paid_back(account, old) {
        return Err(Rejection::UpgradeNotOffered {
            plan: plan.into(),
            from: (&old.plan).into(),
        });
    }
    let periods = old.periods.iter();
    let periods = periods.filter(|period| period.paid.currency == *currency);
    let credits = periods.map(|period| match period.waits {
        true => period.paid.amount,
        false => unused(catalog, account, period, now),
    });
    Ok(credits.fold(0, i64::saturating_add))
}

fn unused(
    catalog: &Catalog,
    account: &Account,
    period: &SubscriptionPeriod,
    now: Timestamp,
) -> i64 {
    let passes = account
        .lots
        .iter()
        .filter(|lot| period.lots.contains(&lot.id))
        .filter(|lot| kind(catalog, &lot.asset) == Some(AssetKind::Pass));
    let shares = passes.map(|lot| period.share_left(lot.basis, now));
    let unused = shares.fold(0, i64::saturating_add);
    unused.min(period.paid.amount)
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
            on_repurchase: plan.on_repurchase,
            refunds_second: plan.second_success == SecondSuccess::Refund,
            subscription: None,
            starts_at: None,
            upgrade_of: None,
            upgrade_revision: 0,
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
