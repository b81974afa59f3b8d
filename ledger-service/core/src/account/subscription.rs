//! Subscriptions, and how events change them.

use minicbor::{CborLen, Decode, Encode};

use super::{Account, Lot};
use crate::{
    catalog::{Period, Renewal},
    event::{
        Credited, EndReason, PaymentRefunded, PeriodTimes, PlannedLot, SubscriptionChanged,
        SubscriptionEnded, SubscriptionPastDue, SubscriptionRenewed, SubscriptionRescheduled,
        SubscriptionStarted,
    },
    limits::{ENDED_SUBSCRIPTIONS_MAX, RENEWAL_LEAD_US},
    name::Name,
    primitives::{Money, Timestamp, share_of_time},
};

/// A subscription that has not ended.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(map)]
pub struct Subscription {
    /// The position of the event that started it: its id.
    #[n(0)]
    pub position: u64,
    /// Its plan.
    #[n(1)]
    pub plan: Name,
    /// When it began.
    #[n(2)]
    pub started_at: Timestamp,
    /// How the next period is paid for.
    #[n(3)]
    pub renewal: Renewal,
    /// How long access outlives a period that is not renewed, in microseconds.
    #[n(4)]
    #[cbor(default, skip_if = "is_zero")]
    pub grace_us: i64,
    /// It ends with what is paid for.
    #[n(5)]
    pub canceled: bool,
    /// The end of the grace, if a period has ended unrenewed.
    #[n(6)]
    pub past_due_until: Option<Timestamp>,
    /// The payment that is to renew it, if one is open.
    #[n(7)]
    pub attempt: Option<u64>,
    /// How many such payments have failed for the next period.
    #[n(8)]
    pub failures: u32,
    /// When the last of them did.
    #[n(9)]
    pub failed_at: Option<Timestamp>,
    /// The paid periods that have not ended, in the order of time, those that
    /// wait last; and of those that have ended the last, until another one
    /// begins. Never empty.
    #[n(10)]
    pub periods: Vec<SubscriptionPeriod>,
    /// How often what is paid for has changed: an upgrade whose credit was counted
    /// before is not carried out.
    #[n(11)]
    pub revision: u32,
}

/// A period of a subscription, paid for with one payment.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(map)]
pub struct SubscriptionPeriod {
    /// When it begins and ends.
    #[n(0)]
    pub times: PeriodTimes,
    /// How long it is.
    #[n(1)]
    pub length: Period,
    /// What was paid for it and is not paid back.
    #[n(2)]
    pub paid: Money,
    /// What it gives waits until it begins.
    #[n(3)]
    pub waits: bool,
    /// What it still has to give.
    #[n(4)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub gives: Vec<PlannedLot>,
    /// The lots that last as long as it.
    #[n(5)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub lots: Vec<u64>,
}

/// A subscription that has ended.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(map)]
pub struct EndedSubscription {
    /// The position of the event that started it: its id.
    #[n(0)]
    pub position: u64,
    /// Its plan.
    #[n(1)]
    pub plan: Name,
    /// The currency that it was paid in.
    #[n(2)]
    pub currency: Name,
    /// Why it has ended.
    #[n(3)]
    pub reason: EndReason,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the encoder's signature")]
const fn is_zero(value: &i64) -> bool {
    *value == 0
}

impl SubscriptionPeriod {
    /// What of `amount` is for the time of the period that is after `now`.
    #[must_use]
    pub fn share_left(&self, amount: i64, now: Timestamp) -> i64 {
        share_of_time(amount, (self.times.starts_at, self.times.ends_at), now)
    }
}

impl Subscription {
    /// When something happens to it by time alone.
    #[must_use]
    pub fn due_at(&self) -> Timestamp {
        let end = || self.past_due_until.unwrap_or_else(|| self.paid_until());
        let begins = self.giving().or(self.next_waiting());
        begins.map_or_else(end, |period| period.times.starts_at)
    }

    /// The period that has begun and has not given all that it gives.
    #[must_use]
    pub fn giving(&self) -> Option<&SubscriptionPeriod> {
        let mut begun = self.periods.iter().filter(|period| !period.waits);
        begun.find(|period| !period.gives.is_empty())
    }

    /// The period that begins next.
    #[must_use]
    pub fn next_waiting(&self) -> Option<&SubscriptionPeriod> {
        self.periods.iter().find(|period| period.waits)
    }

    /// The period that runs at `now`; if none does, the next or the last one.
    #[must_use]
    pub fn running(&self, now: Timestamp) -> Option<&SubscriptionPeriod> {
        let mut periods = self.periods.iter();
        let runs = periods.find(|period| period.times.ends_at > now);
        runs.or(self.periods.last())
    }

    /// How many of its periods have not ended at `now`.
    #[must_use]
    pub fn ahead(&self, now: Timestamp) -> usize {
        let periods = self.periods.iter();
        periods.filter(|period| period.times.ends_at > now).count()
    }

    /// Until when is paid for, periods that wait included.
    #[must_use]
    pub fn paid_until(&self) -> Timestamp {
        let last = self.periods.last();
        last.map(|period| period.times.ends_at).unwrap_or_default()
    }

    /// The currency that it was last paid in.
    #[must_use]
    pub fn currency(&self) -> Name {
        let last = self.periods.last();
        last.map(|period| period.paid.currency.clone())
            .unwrap_or_default()
    }

    /// The period that a lot lasts as long as.
    #[must_use]
    pub fn period_of_lot(&self, lot: u64) -> Option<&SubscriptionPeriod> {
        let mut periods = self.periods.iter();
        periods.find(|period| period.lots.contains(&lot))
    }

    /// Until when a lot lasts that lasts as long as one of its periods. A pass
    /// outlives a period that is not renewed by the grace.
    #[must_use]
    pub fn end_of_lot(&self, lot: u64, is_pass: bool) -> Option<Timestamp> {
        let period = self.period_of_lot(lot)?;
        let grace = self.past_due_until.filter(|_| is_pass);
        Some(grace.unwrap_or(period.times.ends_at))
    }

    /// Whether a payment paid for one of its periods.
    #[must_use]
    pub fn is_paid_with(&self, payment: u64) -> bool {
        let mut periods = self.periods.iter();
        periods.any(|period| period.times.payment == payment)
    }

    /// When the payment of the next period is to be created: shortly before the
    /// end, and after a failure when the plan's `retries_us` say. Nothing if it
    /// does not renew by us, one is open, or no retry is left.
    #[must_use]
    pub fn next_renewal_at(&self, retries_us: &[i64]) -> Option<Timestamp> {
        let is_ours = self.renewal == Renewal::SavedMethod && !self.canceled;
        if !is_ours || self.attempt.is_some() {
            return None;
        }
        let Some(failed_at) = self.failed_at else {
            return Some(self.paid_until().plus_us(RENEWAL_LEAD_US.saturating_neg()));
        };
        let index = usize::try_from(self.failures).ok()?.checked_sub(1)?;
        Some(failed_at.plus_us(*retries_us.get(index)?))
    }

    /// The latest notice before the end of what is paid for that is due by
    /// `now`, of those so long before it.
    #[must_use]
    pub fn notice_at(&self, before_us: &[i64], now: Timestamp) -> Option<Timestamp> {
        let end = self.paid_until();
        before_us
            .iter()
            .map(|before| end.plus_us(before.saturating_neg()))
            .filter(|at| *at <= now && now < end)
            .max()
    }

    /// Whether it goes on after what is paid for, if that is renewed.
    #[must_use]
    pub fn renews(&self) -> bool {
        !self.canceled && self.renewal != Renewal::None
    }

    /// Forgets periods that have ended and been followed by another one.
    fn forget(&mut self, now: Timestamp) {
        let is_over = |first: &SubscriptionPeriod, second: &SubscriptionPeriod| {
            first.times.ends_at <= now && first.gives.is_empty() && !second.waits
        };
        while let [first, second, ..] = self.periods.as_slice()
            && is_over(first, second)
        {
            self.periods.remove(0);
        }
    }

    fn paid_with_mut(&mut self, payment: u64) -> Option<&mut SubscriptionPeriod> {
        let mut periods = self.periods.iter_mut();
        periods.find(|period| period.times.payment == payment)
    }

    fn begin(&mut self, renewed: &SubscriptionRenewed) -> Result<(), u64> {
        let position = self.position;
        let period = self.paid_with_mut(renewed.payment);
        let period = period.filter(|period| period.waits).ok_or(position)?;
        period.waits = false;
        period.gives.clone_from(&renewed.gives);
        Ok(())
    }

    fn add(&mut self, renewed: &SubscriptionRenewed) {
        if renewed.resumes {
            self.canceled = false;
        }
        self.attempt = None;
        self.failures = 0;
        self.failed_at = None;
        self.past_due_until = None;
        self.periods.push(SubscriptionPeriod {
            times: renewed.times(),
            length: renewed.length,
            paid: renewed.paid.clone(),
            waits: renewed.waits,
            gives: renewed.gives.clone(),
            lots: Vec::new(),
        });
    }
}

impl Account {
    /// The subscription that the event at `position` started, if it has not
    /// ended.
    #[must_use]
    pub fn subscription(&self, position: u64) -> Option<&Subscription> {
        self.subscriptions
            .iter()
            .find(|subscription| subscription.position == position)
    }

    fn subscription_mut(&mut self, position: u64) -> Result<&mut Subscription, u64> {
        self.subscriptions
            .iter_mut()
            .find(|subscription| subscription.position == position)
            .ok_or(position)
    }

    pub(super) fn subscription_started(&mut self, started: &SubscriptionStarted, position: u64) {
        let first = SubscriptionPeriod {
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
        self.subscriptions.push(Subscription {
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
            periods: vec![first],
            revision: 0,
        });
    }

    pub(super) fn subscription_renewed(
        &mut self,
        renewed: &SubscriptionRenewed,
        at: Timestamp,
    ) -> Result<(), u64> {
        self.lose_passes(&renewed.ended)?;
        let subscription = self.subscription_mut(renewed.subscription)?;
        if renewed.begins {
            subscription.begin(renewed)?;
        } else {
            subscription.add(renewed);
        }
        subscription.revision = subscription.revision.saturating_add(1);
        subscription.forget(at);
        Ok(())
    }

    /// Periods begin and end at other times, and what lasts as long as they do
    /// with them, held or not. Those that are not named are gone.
    pub(super) fn subscription_rescheduled(
        &mut self,
        rescheduled: &SubscriptionRescheduled,
    ) -> Result<(), u64> {
        let subscription = self.subscription_mut(rescheduled.subscription)?;
        let mut periods = Vec::with_capacity(rescheduled.periods.len());
        for times in &rescheduled.periods {
            let found = subscription.paid_with_mut(times.payment).cloned();
            periods.push(SubscriptionPeriod {
                times: times.clone(),
                ..found.ok_or(times.payment)?
            });
        }
        if periods.is_empty() {
            return Err(rescheduled.subscription);
        }
        subscription.periods.clone_from(&periods);
        for period in &periods {
            for lot in &period.lots {
                self.expire_lot_at(*lot, period.times.ends_at);
            }
        }
        Ok(())
    }

    /// Whether there is something of the lot.
    fn expire_lot_at(&mut self, id: u64, at: Timestamp) -> bool {
        let mut is_there = false;
        if let Some(index) = self.lots.iter().position(|lot| lot.id == id) {
            let mut lot = self.lots.remove(index);
            lot.expires_at = Some(at);
            self.add_part(&lot);
            is_there = true;
        }
        let held = self.holds.iter_mut().flat_map(|hold| &mut hold.parts);
        let reserved = self.refunds.iter_mut().flat_map(|it| &mut it.parts);
        for part in held.chain(reserved).filter(|part| part.id == id) {
            part.expires_at = Some(at);
            is_there = true;
        }
        is_there
    }

    fn lose_passes(&mut self, ended: &[Lot]) -> Result<(), u64> {
        self.remove_parts(ended)?;
        for lot in ended {
            self.lose(&lot.asset, lot.amount);
        }
        Ok(())
    }

    pub(super) fn subscription_past_due(&mut self, due: &SubscriptionPastDue) -> Result<(), u64> {
        self.subscription_mut(due.subscription)?.past_due_until = Some(due.until);
        for id in &due.passes {
            if !self.expire_lot_at(*id, due.until) {
                return Err(*id);
            }
        }
        Ok(())
    }

    pub(super) fn subscription_canceled(
        &mut self,
        changed: &SubscriptionChanged,
        canceled: bool,
    ) -> Result<(), u64> {
        self.subscription_mut(changed.subscription)?.canceled = canceled;
        Ok(())
    }

    pub(super) fn subscription_ended(&mut self, ended: &SubscriptionEnded) -> Result<(), u64> {
        let currency = self.subscription_mut(ended.subscription)?.currency();
        self.subscriptions
            .retain(|subscription| subscription.position != ended.subscription);
        if self.ended_subscriptions.len() >= ENDED_SUBSCRIPTIONS_MAX {
            self.ended_subscriptions.remove(0);
        }
        self.ended_subscriptions.push(EndedSubscription {
            position: ended.subscription,
            plan: ended.plan.clone(),
            currency,
            reason: ended.reason,
        });
        self.lose_passes(&ended.ended)
    }

    /// A payment that was to renew a subscription was created.
    pub(super) fn renewal_attempted(&mut self, subscription: Option<u64>, payment: u64) {
        let Some(Ok(subscription)) = subscription.map(|id| self.subscription_mut(id)) else {
            return;
        };
        subscription.attempt = Some(payment);
    }

    /// A payment came to nothing.
    pub(super) fn renewal_failed(&mut self, payment: u64, at: Timestamp) {
        for subscription in &mut self.subscriptions {
            if subscription.attempt == Some(payment) {
                subscription.attempt = None;
                subscription.failures = subscription.failures.saturating_add(1);
                subscription.failed_at = Some(at);
            }
        }
    }

    /// What was paid for a period is paid back in part, and of one that waits
    /// this is left to be given. One that is paid back whole ends by an event of
    /// its own.
    pub(super) fn period_paid_back(&mut self, refunded: &PaymentRefunded) {
        let mut subscriptions = self.subscriptions.iter_mut();
        let paid_with = subscriptions.find(|it| it.is_paid_with(refunded.payment));
        let Some(subscription) = paid_with else {
            return;
        };
        subscription.revision = subscription.revision.saturating_add(1);
        let Some(period) = subscription.paid_with_mut(refunded.payment) else {
            return;
        };
        let left = period.paid.amount.saturating_sub(refunded.amount.amount);
        period.paid.amount = left.max(0);
        if period.waits && !refunded.gives.is_empty() {
            period.gives.clone_from(&refunded.gives);
        }
    }

    /// A lot that a period of a subscription gives. One that went into another of a
    /// full wallet lasts as long as that one.
    pub(super) fn period_gave(&mut self, credited: &Credited) {
        let mut lots = self.lots.iter();
        let home = lots.find(|lot| lot.id == credited.lot.id);
        let is_own = home.is_none_or(|lot| lot.expires_at == credited.lot.expires_at);
        let Some(Ok(subscription)) = credited.subscription.map(|id| self.subscription_mut(id))
        else {
            return;
        };
        let payment = credited.payment.unwrap_or_default();
        let Some(period) = subscription.paid_with_mut(payment) else {
            return;
        };
        if !period.gives.is_empty() {
            period.gives.remove(0);
        }
        if is_own && credited.lot.expires_at == Some(period.times.ends_at) {
            period.lots.push(credited.lot.id);
        }
    }
}
