//! What the naive ledger knows of an account's subscriptions and of what was
//! bought by itself: a fold of its own over their events.

use std::collections::BTreeSet;

use ledger_core::{
    Account, Event, Money, Payload, Timestamp,
    account::{AutoTopUps, EndedSubscription, Lot, Subscription, SubscriptionPeriod},
    catalog::Renewal,
    event::{
        Credited, PaymentCreated, PaymentRefunded, PeriodTimes, SubscriptionEnded,
        SubscriptionRenewed, SubscriptionRescheduled, SubscriptionStarted,
    },
};

/// How many subscriptions an account may have.
pub(super) const SUBSCRIPTIONS_MAX: usize = 8;

/// How many periods of one may be paid for.
pub(super) const PERIODS_MAX: usize = 6;

/// How many subscriptions that have ended are remembered.
const ENDED_MAX: usize = 8;

/// The subscriptions of an account, and what it bought by itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Subscribed {
    pub(crate) running: Vec<Subscription>,
    pub(crate) ended: Vec<EndedSubscription>,
    pub(crate) automatic: Option<AutoTopUps>,
}

/// The end of all that is paid for.
pub(super) fn paid_until(subscription: &Subscription) -> Timestamp {
    subscription.periods.last().unwrap().times.ends_at
}

/// How many periods have not ended.
pub(super) fn ahead(subscription: &Subscription, now: Timestamp) -> usize {
    let periods = subscription.periods.iter();
    periods.filter(|period| period.times.ends_at > now).count()
}

/// Whether it is to go on.
pub(super) fn renews(subscription: &Subscription) -> bool {
    subscription.renewal != Renewal::None && !subscription.canceled
}

/// When time next does something to it: a period gives, begins or ends.
pub(super) fn due(subscription: &Subscription) -> Timestamp {
    let begun = || subscription.periods.iter().filter(|period| !period.waits);
    if let Some(giving) = begun().find(|period| !period.gives.is_empty()) {
        return giving.times.starts_at;
    }
    match (subscription.past_due_until, begun().next_back()) {
        (_, None) => subscription.periods[0].times.starts_at,
        (Some(until), _) => until,
        (None, Some(last)) => last.times.ends_at,
    }
}

impl Subscribed {
    pub(super) fn find(&self, position: u64) -> Option<&Subscription> {
        self.running.iter().find(|it| it.position == position)
    }

    fn find_mut(&mut self, position: u64) -> &mut Subscription {
        let mut running = self.running.iter_mut();
        running.find(|it| it.position == position).unwrap()
    }

    /// The subscription and the period that a payment paid for.
    pub(super) fn period(&self, payment: u64) -> Option<(&Subscription, &SubscriptionPeriod)> {
        let all = self.running.iter();
        let mut all = all.flat_map(|it| it.periods.iter().map(move |period| (it, period)));
        all.find(|(_, period)| period.times.payment == payment)
    }

    /// The moments at which time may do something, whatever else happens.
    pub(super) fn moments(&self) -> impl Iterator<Item = Timestamp> {
        self.running.iter().flat_map(|it| {
            let periods = it.periods.iter().flat_map(|period| {
                let PeriodTimes {
                    starts_at, ends_at, ..
                } = period.times;
                let gives = period.gives.iter();
                let ends = gives
                    .filter_map(move |planned| Some(starts_at.plus_us(planned.expires_after_us?)));
                ends.chain([starts_at, ends_at])
            });
            periods.chain([paid_until(it).plus_us(it.grace_us)])
        })
    }

    /// What is wrong with them, whatever happened: one a plan, and no more than may
    /// be had; of each the periods one after another, those that wait last.
    pub(super) fn fault(&self, now: Timestamp) -> Option<String> {
        let plans: BTreeSet<_> = self.running.iter().map(|it| &it.plan).collect();
        if plans.len() < self.running.len() || self.running.len() > SUBSCRIPTIONS_MAX {
            return Some(format!("too many of {:?}", self.running));
        }
        let is_wrong = |it: &&Subscription| {
            let order = it.periods.windows(2).all(|two| {
                two[0].times.ends_at <= two[1].times.starts_at && two[0].waits <= two[1].waits
            });
            let mut times = it.periods.iter().map(|period| &period.times);
            let backwards = times.any(|times| times.ends_at <= times.starts_at);
            !order || backwards || it.periods.is_empty() || ahead(it, now) > PERIODS_MAX
        };
        let wrong = self.running.iter().find(is_wrong);
        wrong.map(|wrong| format!("its periods cannot be: {wrong:?}"))
    }

    /// The same as the service keeps it.
    pub(super) fn tell(&self, account: &mut Account) {
        account.subscriptions.clone_from(&self.running);
        account.ended_subscriptions.clone_from(&self.ended);
        account.auto_top_ups.clone_from(&self.automatic);
    }

    /// Takes in an event; gives the lots that end at another time now.
    pub(super) fn take_in(&mut self, event: &Event, lots: &[Lot]) -> Vec<(u64, Timestamp)> {
        match &event.payload {
            Payload::SubscriptionStarted(started) => self.start(started, event.position),
            Payload::SubscriptionRenewed(renewed) if renewed.begins => {
                self.begin(renewed, event.recorded_at);
            }
            Payload::SubscriptionRenewed(renewed) => self.renew(renewed, event.recorded_at),
            Payload::SubscriptionPastDue(due) => {
                self.find_mut(due.subscription).past_due_until = Some(due.until);
                return due.passes.iter().map(|lot| (*lot, due.until)).collect();
            }
            Payload::SubscriptionCanceled(it) => self.find_mut(it.subscription).canceled = true,
            Payload::SubscriptionResumed(it) => self.find_mut(it.subscription).canceled = false,
            Payload::SubscriptionRescheduled(moved) => return self.reschedule(moved),
            Payload::SubscriptionEnded(ended) => self.end(ended),
            Payload::Credited(credited) => self.give(credited, lots),
            Payload::PaymentCreated(created) => self.attempt(created, event.position),
            Payload::PaymentCanceled(canceled) => {
                self.fail(canceled.payment, event.recorded_at);
                self.close(canceled.payment, None);
            }
            Payload::PaymentSucceeded(said) => {
                if let Some(payment) = said.payment {
                    self.close(payment, Some(&said.amount));
                }
            }
            Payload::PaymentRefunded(refunded) => self.pay_back(refunded),
            _ => {}
        }
        Vec::new()
    }

    fn start(&mut self, started: &SubscriptionStarted, position: u64) {
        let period = SubscriptionPeriod {
            times: PeriodTimes {
                payment: started.payment,
                starts_at: started.starts_at,
                ends_at: started.ends_at,
                counted_from: started.starts_at,
                number: 1,
            },
            length: started.length,
            paid: started.paid.clone(),
            waits: false,
            gives: Vec::new(),
            lots: Vec::new(),
        };
        self.running.push(Subscription {
            position,
            plan: started.plan.clone(),
            started_at: started.starts_at,
            renewal: started.renewal,
            grace_us: started.grace_us,
            canceled: false,
            past_due_until: None,
            attempt: None,
            failures: 0,
            failed_at: None,
            periods: vec![period],
            revision: 0,
        });
    }

    fn begin(&mut self, renewed: &SubscriptionRenewed, at: Timestamp) {
        let subscription = self.find_mut(renewed.subscription);
        let mut periods = subscription.periods.iter_mut();
        let period = periods.find(|period| period.times.payment == renewed.payment);
        let period = period.unwrap();
        assert!(period.waits, "a period begins twice");
        period.waits = false;
        period.gives.clone_from(&renewed.gives);
        subscription.revision += 1;
        forget(subscription, at);
    }

    fn renew(&mut self, renewed: &SubscriptionRenewed, at: Timestamp) {
        let subscription = self.find_mut(renewed.subscription);
        subscription.canceled &= !renewed.resumes;
        subscription.revision += 1;
        subscription.attempt = None;
        subscription.failures = 0;
        subscription.failed_at = None;
        subscription.past_due_until = None;
        subscription.periods.push(SubscriptionPeriod {
            times: renewed.times(),
            length: renewed.length,
            paid: renewed.paid.clone(),
            waits: renewed.waits,
            gives: renewed.gives.clone(),
            lots: Vec::new(),
        });
        forget(subscription, at);
    }

    fn reschedule(&mut self, moved: &SubscriptionRescheduled) -> Vec<(u64, Timestamp)> {
        let subscription = self.find_mut(moved.subscription);
        let before = std::mem::take(&mut subscription.periods);
        for times in &moved.periods {
            let mut periods = before.iter();
            let period = periods.find(|period| period.times.payment == times.payment);
            let mut period = period.unwrap().clone();
            period.times = times.clone();
            subscription.periods.push(period);
        }
        let periods = subscription.periods.iter();
        let ends = periods.flat_map(|period| {
            let lots = period.lots.iter();
            lots.map(|lot| (*lot, period.times.ends_at))
        });
        ends.collect()
    }

    fn end(&mut self, ended: &SubscriptionEnded) {
        let running = self.running.iter();
        let index = running.map(|it| it.position);
        let index = index.into_iter().position(|it| it == ended.subscription);
        let subscription = self.running.remove(index.unwrap());
        self.ended.push(EndedSubscription {
            position: ended.subscription,
            plan: ended.plan.clone(),
            currency: subscription.periods.last().unwrap().paid.currency.clone(),
            reason: ended.reason,
        });
        let forgotten = self.ended.len().saturating_sub(ENDED_MAX);
        self.ended.drain(..forgotten);
    }

    /// A lot of a period; those that end with it are its own, unless there was
    /// room for it only in another one.
    fn give(&mut self, credited: &Credited, lots: &[Lot]) {
        let Some(subscription) = credited.subscription else {
            return;
        };
        let subscription = self.find_mut(subscription);
        let mut periods = subscription.periods.iter_mut();
        let period = periods.find(|period| Some(period.times.payment) == credited.payment);
        let period = period.unwrap();
        period.gives.drain(..period.gives.len().min(1));
        let ends_at = Some(period.times.ends_at);
        let mut homes = lots.iter().filter(|lot| lot.id == credited.lot.id);
        if credited.lot.expires_at == ends_at && homes.all(|lot| lot.expires_at == ends_at) {
            period.lots.push(credited.lot.id);
        }
    }

    fn attempt(&mut self, created: &PaymentCreated, position: u64) {
        let period = created.period.as_ref();
        if let Some(renewed) = period.and_then(|period| period.subscription) {
            self.find_mut(renewed).attempt = Some(position);
        }
        if let Some(month_ends_at) = created.automatic_until {
            let own = self.automatic.get_or_insert_default();
            if own.month_ends_at != month_ends_at {
                *own = AutoTopUps {
                    month_ends_at,
                    ..AutoTopUps::default()
                };
            }
            own.attempt = Some(position);
        }
    }

    fn fail(&mut self, payment: u64, at: Timestamp) {
        let running = self.running.iter_mut();
        for subscription in running.filter(|it| it.attempt == Some(payment)) {
            subscription.attempt = None;
            subscription.failures += 1;
            subscription.failed_at = Some(at);
        }
    }

    fn close(&mut self, payment: u64, paid: Option<&Money>) {
        let own = self.automatic.as_mut();
        let Some(own) = own.filter(|own| own.attempt == Some(payment)) else {
            return;
        };
        own.attempt = None;
        if let Some(Money { currency, amount }) = paid {
            let before = own.paid.get(currency).copied().unwrap_or(0);
            own.paid.insert(currency.clone(), before + amount);
        }
    }

    fn pay_back(&mut self, refunded: &PaymentRefunded) {
        let Some((position, _)) = self.period(refunded.payment) else {
            return;
        };
        let position = position.position;
        let subscription = self.find_mut(position);
        subscription.revision += 1;
        let mut periods = subscription.periods.iter_mut();
        let period = periods.find(|it| it.times.payment == refunded.payment);
        let period = period.unwrap();
        period.paid.amount = (period.paid.amount - refunded.amount.amount).max(0);
        if period.waits && !refunded.gives.is_empty() {
            period.gives.clone_from(&refunded.gives);
        }
    }
}

/// Of periods that are over, the last is kept until another one has begun.
fn forget(subscription: &mut Subscription, now: Timestamp) {
    while subscription.periods.len() > 1 {
        let (first, second) = (&subscription.periods[0], &subscription.periods[1]);
        if first.times.ends_at > now || !first.gives.is_empty() || second.waits {
            return;
        }
        subscription.periods.remove(0);
    }
}
