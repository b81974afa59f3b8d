//! Subscriptions: what a payment for a period does, and what time does.

use ledger_core::{
    Money, Payload, Timestamp,
    account::{Funding, Lot, Subscription, SubscriptionPeriod},
    calendar::end_of_period,
    catalog::{OnRepurchase, Period, Renewal},
    event::{
        AnomalyKind, Credited, EndReason, PaidPeriod, PeriodTimes, PlannedLot, SubscriptionChanged,
        SubscriptionEnded, SubscriptionPastDue, SubscriptionRenewed, SubscriptionRescheduled,
        SubscriptionStarted,
    },
};

use super::{
    attempt::{Attempt, Try},
    checks::{check_room, identify},
    subscribed::{SUBSCRIPTIONS_MAX, due, paid_until, renews},
    wallet::{Wallet, share},
};

/// What becomes of the money that a period was paid for with.
pub(super) enum Step {
    Starts(PeriodTimes),
    /// It goes on; what it gives waits if that is said.
    GoesOn(Subscription, PeriodTimes, bool),
    ComesToNothing(AnomalyKind),
}

impl Attempt<'_> {
    fn times(
        &self,
        payment: u64,
        from: Timestamp,
        counted: (Timestamp, u32),
        length: Period,
    ) -> PeriodTimes {
        let (counted_from, number) = counted;
        let zone = &self.ledger.catalog.time_zone;
        PeriodTimes {
            payment,
            starts_at: from,
            ends_at: end_of_period(counted_from, length, number, zone),
            counted_from,
            number,
        }
    }

    /// What the payment for a period comes to now.
    pub(super) fn step(&self, period: &PaidPeriod, payment: u64) -> Step {
        let nothing = Step::ComesToNothing;
        let own = &self.own.subscribed;
        // It has to be what its price was told for.
        let is_other = |id: u64| {
            let old = own.find(id);
            old.is_none_or(|old| old.revision != period.upgrade_revision || self.may_go(old))
        };
        let is_replaced_gone = period.upgrade_of.is_some_and(is_other);
        let has_made_way = own.ended.iter().any(|ended| {
            let is_final = match ended.reason {
                EndReason::Upgraded | EndReason::Refunded => true,
                // Stars are taken from who has resumed it at Telegram only.
                EndReason::Canceled => period.renewal != Renewal::Stars,
                EndReason::NotRenewed => false,
            };
            Some(ended.position) == period.subscription && is_final
        });
        if is_replaced_gone || has_made_way {
            return nothing(AnomalyKind::NotAvailable);
        }
        let named = period.subscription.and_then(|id| own.find(id));
        let mut running = own.running.iter();
        let Some(same) = named.or_else(|| running.find(|it| it.plan == period.plan)) else {
            let is_one_more = period.upgrade_of.is_none();
            if is_one_more && own.running.len() >= SUBSCRIPTIONS_MAX {
                return nothing(AnomalyKind::NotAvailable);
            }
            return Step::Starts(self.times(payment, self.now, (self.now, 1), period.length));
        };
        let until = paid_until(same);
        let is_second = match period.starts_at {
            Some(starts_at) => until > starts_at,
            None => period.subscription.is_none() && period.on_repurchase == OnRepurchase::Refuse,
        };
        if is_second && period.refunds_second {
            return nothing(AnomalyKind::PeriodPaidTwice);
        }
        let is_bought = period.subscription.is_none();
        let queues = is_bought && period.on_repurchase == OnRepurchase::Queue;
        let waits = waits(same, queues);
        if self.has_all(same, waits) {
            return nothing(AnomalyKind::NotAvailable);
        }
        let last = same.periods.last().unwrap();
        let counted = match last.length == period.length {
            true => (last.times.counted_from, last.times.number + 1),
            false => (until, 1),
        };
        let mut times = self.times(payment, until, counted, period.length);
        if times.ends_at <= self.now {
            // Nobody pays for the past.
            times = self.times(payment, self.now, (self.now, 1), period.length);
        }
        Step::GoesOn(same.clone(), times, waits)
    }

    /// The events of a step, besides those of lots; gives the subscription that
    /// they belong to.
    pub(super) fn take_step(
        &mut self,
        step: Step,
        (period, gives): (&PaidPeriod, &[PlannedLot]),
        paid: &Money,
    ) -> Option<u64> {
        let is_nothing = matches!(step, Step::ComesToNothing(_));
        if let Some(old) = period.upgrade_of.filter(|_| !is_nothing) {
            let old = self.own.subscribed.find(old).unwrap().clone();
            let ended = self.passes_of(&self.own, &old);
            self.end(&old, EndReason::Upgraded, ended);
        }
        match step {
            Step::Starts(times) => {
                self.push(Payload::SubscriptionStarted(SubscriptionStarted {
                    plan: period.plan.clone(),
                    length: period.length,
                    renewal: period.renewal,
                    grace_us: period.grace_us,
                    starts_at: times.starts_at,
                    ends_at: times.ends_at,
                    payment: times.payment,
                    paid: paid.clone(),
                }));
                Some(self.own.position)
            }
            Step::GoesOn(same, times, waits) => {
                let is_late = !waits && same.past_due_until.is_some();
                let ended = match is_late {
                    true => self.passes_of(&self.own, &same),
                    false => Vec::new(),
                };
                let gives = if waits { gives } else { &[] };
                let is_wanted = period.subscription.is_none() || same.renewal == Renewal::Stars;
                self.push(Payload::SubscriptionRenewed(SubscriptionRenewed {
                    gives: gives.to_vec(),
                    ended,
                    waits,
                    resumes: same.canceled && is_wanted,
                    ..renewed(&same, &times, (period.length, paid))
                }));
                (!waits).then_some(same.position)
            }
            Step::ComesToNothing(_) => None,
        }
    }

    fn end(&mut self, subscription: &Subscription, reason: EndReason, ended: Vec<Lot>) {
        self.push(Payload::SubscriptionEnded(SubscriptionEnded {
            subscription: subscription.position,
            plan: subscription.plan.clone(),
            reason,
            ended,
        }));
    }

    /// The passes that its periods gave and that are there, in their turn.
    fn passes_of(&self, wallet: &Wallet, subscription: &Subscription) -> Vec<Lot> {
        let periods = subscription.periods.iter();
        let own: Vec<u64> = periods.flat_map(|period| period.lots.clone()).collect();
        let mut lots = wallet.lots.clone();
        lots.retain(|lot| self.is_pass(&lot.asset) && own.contains(&lot.id));
        lots.sort_by_key(|lot| (lot.asset.clone(), super::wallet::turn(lot)));
        lots
    }

    /// What time does to a subscription that is due.
    pub(super) fn time_does(&self, wallet: &Wallet, subscription: &Subscription) -> Payload {
        let periods = || subscription.periods.iter();
        let giving = periods().find(|period| !period.waits && !period.gives.is_empty());
        if let Some(period) = giving {
            return Payload::Credited(self.lot_of(wallet, subscription, period));
        }
        if let Some(next) = periods().find(|period| period.waits) {
            return Payload::SubscriptionRenewed(SubscriptionRenewed {
                gives: next.gives.clone(),
                begins: true,
                ..renewed(subscription, &next.times, (next.length, &next.paid))
            });
        }
        let has_grace = renews(subscription) && subscription.grace_us > 0;
        if has_grace && subscription.past_due_until.is_none() {
            let passes = self.passes_of(wallet, subscription);
            let mut passes: Vec<u64> = passes.iter().map(|lot| lot.id).collect();
            // A refund that runs may come to nothing.
            let own: Vec<u64> = periods().flat_map(|period| period.lots.clone()).collect();
            let reserved = wallet.refunds.iter().flat_map(|refund| &refund.parts);
            for part in reserved.filter(|part| self.is_pass(&part.asset) && own.contains(&part.id))
            {
                if !passes.contains(&part.id) {
                    passes.push(part.id);
                }
            }
            return Payload::SubscriptionPastDue(SubscriptionPastDue {
                subscription: subscription.position,
                until: paid_until(subscription).plus_us(subscription.grace_us),
                passes,
            });
        }
        Payload::SubscriptionEnded(SubscriptionEnded {
            subscription: subscription.position,
            plan: subscription.plan.clone(),
            reason: match subscription.canceled {
                true => EndReason::Canceled,
                false => EndReason::NotRenewed,
            },
            ended: Vec::new(),
        })
    }

    /// Until when something lasts that lasts as long as a period; a pass outlives
    /// it by the grace.
    pub(super) fn end_of_period(&self, wallet: &Wallet, part: &Lot) -> Option<Timestamp> {
        let mut running = wallet.subscribed.running.iter();
        let found = running.find_map(|it| {
            let mut periods = it.periods.iter();
            let period = periods.find(|period| period.lots.contains(&part.id))?;
            Some((it.past_due_until, period.times.ends_at))
        });
        let (past_due_until, ends_at) = found?;
        let grace = past_due_until.filter(|_| self.is_pass(&part.asset));
        Some(grace.unwrap_or(ends_at))
    }

    /// The next lot of a period that has begun.
    fn lot_of(
        &self,
        wallet: &Wallet,
        subscription: &Subscription,
        period: &SubscriptionPeriod,
    ) -> Credited {
        let PeriodTimes {
            starts_at, ends_at, ..
        } = period.times;
        let mut lot = lot_at(&period.gives[0], starts_at, Some(ends_at));
        let is_alike = |other: &Lot| other.funding == lot.funding && other.currency == lot.currency;
        let alike = wallet.payers(&lot.asset, is_alike);
        let is_full = check_room(wallet, 1).is_err();
        match alike.last().filter(|_| is_full) {
            Some(home) => lot.id = home.id,
            None => lot = identify(wallet, &mut 0, lot),
        }
        Credited {
            levels: self.levels_in(wallet, &lot.asset, lot.amount),
            settled: match lot.funding {
                Funding::Purchased => wallet.settles(&lot),
                Funding::Granted => Vec::new(),
            },
            lot,
            payment: Some(period.times.payment),
            subscription: Some(subscription.position),
            ..Credited::default()
        }
    }

    /// The subscription that is due first.
    pub(super) fn first_due<'w>(&self, wallet: &'w Wallet) -> Option<&'w Subscription> {
        let running = wallet.subscribed.running.iter();
        running.min_by_key(|it| (due(it), it.position))
    }

    /// What is left of the subscription whose period is paid back, of which these
    /// lots have been taken by that.
    pub(super) fn lose_period(&mut self, payment: u64, taken: &[Lot]) -> Option<Payload> {
        let (subscription, gone) = self.own.subscribed.period(payment)?;
        let now = self.now;
        let is_last = subscription.periods.last() == Some(gone);
        if gone.times.ends_at <= now && !is_last {
            return None;
        }
        let ahead = subscription.periods.iter();
        let ahead: Vec<_> = ahead.filter(|period| period.times.ends_at > now).collect();
        let mut left = ahead.iter().filter(|period| **period != gone).peekable();
        if left.peek().is_none() {
            let mut ended = self.passes_of(&self.own, subscription);
            for lot in &mut ended {
                for part in taken.iter().filter(|part| part.id == lot.id) {
                    lot.amount -= part.amount;
                    lot.basis -= part.basis;
                }
            }
            ended.retain(|lot| lot.amount > 0);
            return Some(Payload::SubscriptionEnded(SubscriptionEnded {
                subscription: subscription.position,
                plan: subscription.plan.clone(),
                reason: EndReason::Refunded,
                ended,
            }));
        }
        // Those before it stay; the next takes its place, or begins now; and so on.
        let mut moved: Vec<(PeriodTimes, Period)> = Vec::new();
        let mut has_gone = false;
        for period in &ahead {
            if *period == gone {
                has_gone = true;
                continue;
            }
            if !has_gone {
                moved.push((period.times.clone(), period.length));
                continue;
            }
            let before = moved.last();
            let from = before.map_or(gone.times.starts_at.max(now), |(it, _)| it.ends_at);
            let same = before.filter(|(_, length)| *length == period.length);
            let counted = same.map_or((from, 1), |(it, _)| (it.counted_from, it.number + 1));
            let times = self.times(period.times.payment, from, counted, period.length);
            moved.push((times, period.length));
        }
        Some(Payload::SubscriptionRescheduled(SubscriptionRescheduled {
            subscription: subscription.position,
            periods: moved.into_iter().map(|(times, _)| times).collect(),
        }))
    }

    pub(super) fn cancel(&mut self, subscription: u64, cancels: bool) -> Try<bool> {
        if self.running(subscription)?.canceled == cancels {
            return Ok(true);
        }
        let changed = SubscriptionChanged { subscription };
        self.push(match cancels {
            true => Payload::SubscriptionCanceled(changed),
            false => Payload::SubscriptionResumed(changed),
        });
        Ok(true)
    }
}

/// Whether what another period gives waits for it, if it queues.
pub(super) fn waits(subscription: &Subscription, queues: bool) -> bool {
    let has_queue = subscription.periods.iter().any(|period| period.waits);
    has_queue || (queues && subscription.past_due_until.is_none())
}

/// A planned lot, as it is at a moment.
pub(super) fn lot_at(planned: &PlannedLot, at: Timestamp, period_end: Option<Timestamp>) -> Lot {
    let after = planned.expires_after_us.map(|after| at.plus_us(after));
    Lot {
        created_at: at,
        expires_at: match planned.with_period {
            true => period_end,
            false => after,
        },
        ..planned.lot.clone()
    }
}

/// What of an amount is for the time of a period that is to come.
pub(super) fn time_left(amount: i64, times: &PeriodTimes, now: Timestamp) -> i64 {
    let whole = times.ends_at.us_since(times.starts_at).max(1);
    share(amount, times.ends_at.us_since(now).clamp(0, whole), whole)
}

fn renewed(
    subscription: &Subscription,
    times: &PeriodTimes,
    (length, paid): (Period, &Money),
) -> SubscriptionRenewed {
    SubscriptionRenewed {
        subscription: subscription.position,
        starts_at: times.starts_at,
        ends_at: times.ends_at,
        payment: times.payment,
        paid: paid.clone(),
        gives: Vec::new(),
        begins: false,
        ended: Vec::new(),
        waits: false,
        length,
        counted_from: times.counted_from,
        number: times.number,
        resumes: false,
    }
}
