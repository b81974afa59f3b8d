//! Subscriptions as they are sold: what is offered, at what price, and what a
//! period gives.

use ledger_core::{
    Money, Name, Rejection,
    account::{Funding, Subscription},
    catalog::{OnRepurchase, Plan, SecondSuccess},
    event::{PaidPeriod, PlannedLot},
    payment::Purpose,
};

use super::{
    attempt::{Attempt, Try},
    offers::{Deal, in_proportion, planned},
    subscribed::{PERIODS_MAX, SUBSCRIPTIONS_MAX, ahead, paid_until, renews},
    subscriptions::{time_left, waits},
};

/// How many lots may wait to be given, over all.
const WAITING_MAX: usize = 32;

impl Attempt<'_> {
    /// What may be asked for.
    pub(super) fn plan_offered(&self, purpose: &Purpose) -> Try<Deal> {
        match purpose {
            Purpose::Subscription {
                plan,
                currency,
                upgrade_of,
            } => {
                let found = self.plan(plan)?;
                let mut price = self.sold(plan, found, currency)?;
                self.check_again(plan, found, upgrade_of.is_some())?;
                if let Some(old) = upgrade_of {
                    let old = self.running(*old)?;
                    price.amount = (price.amount - self.unused(&old, plan, currency)?).max(1);
                }
                let mut deal = self.period_of(plan, found, price);
                if let Some(old) = upgrade_of {
                    let period = deal.period.as_mut().unwrap();
                    period.upgrade_of = Some(*old);
                    period.upgrade_revision = self.running(*old)?.revision;
                }
                Ok(deal)
            }
            Purpose::Renewal { subscription } => {
                let renewed = self.running(*subscription)?;
                let id = renewed.position;
                if !renews(&renewed) {
                    return Err(Rejection::SubscriptionNotRenewed { subscription: id });
                }
                if self.has_all(&renewed, waits(&renewed, false)) {
                    return Err(Rejection::SubscriptionRuns { subscription: id });
                }
                if let Some(payment) = renewed.attempt {
                    return Err(Rejection::RenewalAttemptOpen {
                        subscription: id,
                        payment,
                    });
                }
                let found = self.plan(&renewed.plan)?;
                let price = self.sold(&renewed.plan, found, &currency_of(&renewed))?;
                Ok(self.next_of(&renewed, found, price))
            }
            Purpose::TopUp(_) | Purpose::Package { .. } => unreachable!("no subscription"),
        }
    }

    /// What is given for money that has come.
    pub(super) fn plan_deal(&self, purpose: &Purpose, paid: &Money) -> Try<Deal> {
        match purpose {
            Purpose::Subscription { plan, currency, .. } => {
                let found = self.plan(plan)?;
                let price = Money {
                    currency: currency.clone(),
                    amount: found.offer.prices.get(currency).copied().unwrap_or(0),
                };
                Ok(self.period_of(plan, found, price))
            }
            // It costs what was agreed, whatever that was.
            Purpose::Renewal { subscription } => {
                if let Some(renewed) = self.own.subscribed.find(*subscription) {
                    let found = self.plan(&renewed.plan)?;
                    return Ok(self.next_of(renewed, found, paid.clone()));
                }
                let mut ended = self.own.subscribed.ended.iter();
                let ended = ended.find(|ended| ended.position == *subscription);
                let ended = ended.ok_or(Rejection::SubscriptionNotFound)?;
                let found = self.plan(&ended.plan)?;
                let mut deal = self.period_of(&ended.plan, found, paid.clone());
                deal.period.as_mut().unwrap().subscription = Some(*subscription);
                Ok(deal)
            }
            Purpose::TopUp(_) | Purpose::Package { .. } => unreachable!("no subscription"),
        }
    }

    fn plan(&self, id: &Name) -> Try<&Plan> {
        let found = self.ledger.catalog.subscriptions.get(id.as_str());
        found.ok_or_else(|| Rejection::UnknownPlan { plan: id.into() })
    }

    pub(super) fn running(&self, position: u64) -> Try<Subscription> {
        let found = self.own.subscribed.find(position).cloned();
        found.ok_or(Rejection::SubscriptionNotFound)
    }

    fn sold(&self, id: &Name, plan: &Plan, currency: &Name) -> Try<Money> {
        let origin = &self.request.origin;
        let is_here = plan.offer.origins.is_empty() || plan.offer.origins.contains(origin);
        match plan.offer.prices.get(currency) {
            Some(amount) if is_here => Ok(Money {
                currency: currency.clone(),
                amount: *amount,
            }),
            _ => Err(Rejection::PlanNotAvailable {
                plan: id.into(),
                origin: origin.into(),
                currency: currency.into(),
            }),
        }
    }

    /// Whether it may be bought while it or others run. What takes the place of
    /// another one is none more.
    fn check_again(&self, id: &Name, plan: &Plan, is_upgrade: bool) -> Try<()> {
        let running = &self.own.subscribed.running;
        let Some(same) = running.iter().find(|it| it.plan == *id) else {
            return match running.len() >= SUBSCRIPTIONS_MAX && !is_upgrade {
                true => Err(Rejection::TooManySubscriptions {
                    maximum: SUBSCRIPTIONS_MAX,
                }),
                false => Ok(()),
            };
        };
        let is_refused = plan.on_repurchase == OnRepurchase::Refuse;
        let waits = waits(same, plan.on_repurchase == OnRepurchase::Queue);
        match is_refused || self.has_all(same, waits) {
            true => Err(Rejection::SubscriptionRuns {
                subscription: same.position,
            }),
            false => Ok(()),
        }
    }

    /// Whether no more is sold of it, another period of which waits or not.
    pub(super) fn has_all(&self, subscription: &Subscription, waits: bool) -> bool {
        let running = self.own.subscribed.running.iter();
        let periods = running.flat_map(|it| &it.periods);
        let waiting: usize = periods.map(|period| period.gives.len()).sum();
        ahead(subscription, self.now) >= PERIODS_MAX || (waits && waiting >= WAITING_MAX)
    }

    /// Whether any of it may be paid back soon.
    pub(super) fn may_go(&self, subscription: &Subscription) -> bool {
        let periods = || subscription.periods.iter();
        let mut refunds = self.own.refunds.iter();
        refunds.any(|refund| periods().any(|it| it.times.payment == refund.payment))
    }

    /// What of the old one's price is for time to come: of passes, and of what has
    /// not been given.
    fn unused(&self, old: &Subscription, plan: &Name, currency: &Name) -> Try<i64> {
        let known = self.ledger.catalog.subscriptions.get(old.plan.as_str());
        let is_offered = known.is_some_and(|known| known.upgrades.contains(plan));
        if !is_offered || currency_of(old) != *currency || self.may_go(old) {
            return Err(Rejection::UpgradeNotOffered {
                plan: plan.into(),
                from: (&old.plan).into(),
            });
        }
        let periods = old.periods.iter();
        let periods = periods.filter(|period| period.paid.currency == *currency);
        let unused = periods.map(|period| {
            let lots = self.own.lots.iter();
            let passes =
                lots.filter(|lot| period.lots.contains(&lot.id) && self.is_pass(&lot.asset));
            let left: i64 = passes
                .map(|lot| time_left(lot.basis, &period.times, self.now))
                .sum();
            match period.waits {
                true => period.paid.amount,
                false => left.min(period.paid.amount),
            }
        });
        Ok(unused.sum())
    }

    fn period_of(&self, id: &Name, plan: &Plan, price: Money) -> Deal {
        let weights: Vec<i64> = plan.contents.iter().map(|part| part.weight).collect();
        let shares = in_proportion(price.amount, &weights);
        let bought = plan.contents.iter().zip(shares).map(|(content, basis)| {
            let mut planned = planned(&content.grant);
            planned.lot.funding = Funding::Purchased;
            planned.lot.basis = basis;
            planned.lot.currency = Some(price.currency.clone());
            planned.with_period = !content.rollover;
            planned
        });
        let given = plan.bonuses.iter().map(|grant| PlannedLot {
            with_period: grant.expires_after_us.is_none(),
            ..planned(grant)
        });
        Deal {
            gives: bought.chain(given).collect(),
            amount: price,
            policy: plan.refund.unwrap_or(self.ledger.catalog.payment_refund),
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

    fn next_of(&self, renewed: &Subscription, plan: &Plan, price: Money) -> Deal {
        let mut deal = self.period_of(&renewed.plan, plan, price);
        let period = deal.period.as_mut().unwrap();
        period.subscription = Some(renewed.position);
        period.starts_at = Some(paid_until(renewed));
        deal
    }
}

fn currency_of(subscription: &Subscription) -> Name {
    subscription.periods.last().unwrap().paid.currency.clone()
}
