//! Subscriptions, and how events change them.

use minicbor::{CborLen, Decode, Encode};

use super::Account;
use crate::{
    catalog::{Period, Renewal},
    event::{
        Credited, PlannedLot, SubscriptionChanged, SubscriptionEnded, SubscriptionPastDue,
        SubscriptionRenewed, SubscriptionStarted,
    },
    limits::RENEWAL_LEAD_US,
    name::Name,
    primitives::{Money, Timestamp},
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
    /// When it began: ends of periods are counted from here.
    #[n(2)]
    pub started_at: Timestamp,
    /// How long a period is.
    #[n(3)]
    pub length: Period,
    /// How many periods are paid for, queued ones included.
    #[n(4)]
    pub periods: u32,
    /// When what runs began.
    #[n(5)]
    pub starts_at: Timestamp,
    /// When what runs ends.
    #[n(6)]
    pub ends_at: Timestamp,
    /// How the next period is paid for.
    #[n(7)]
    pub renewal: Renewal,
    /// How long access outlives a period that is not renewed, in microseconds.
    #[n(8)]
    #[cbor(default, skip_if = "is_zero")]
    pub grace_us: i64,
    /// It ends with what is paid for.
    #[n(9)]
    pub canceled: bool,
    /// The end of the grace, if a period has ended unrenewed.
    #[n(10)]
    pub past_due_until: Option<Timestamp>,
    /// The payment of what runs.
    #[n(11)]
    pub payment: u64,
    /// What was paid with it.
    #[n(12)]
    pub paid: Money,
    /// The payment that is to renew it, if one is open.
    #[n(13)]
    pub attempt: Option<u64>,
    /// How many such payments have failed for the next period.
    #[n(14)]
    pub failures: u32,
    /// When the last of them did.
    #[n(15)]
    pub failed_at: Option<Timestamp>,
    /// The lots that last as long as what runs.
    #[n(16)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub lots: Vec<u64>,
    /// Periods that are paid for and have not begun, the first first.
    #[n(17)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub queued: Vec<QueuedPeriod>,
    /// What the period that has just begun still has to give.
    #[n(18)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub gives: Vec<PlannedLot>,
}

/// A period that is paid for and has not begun.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(map)]
pub struct QueuedPeriod {
    /// When it ends.
    #[n(0)]
    pub ends_at: Timestamp,
    /// Its payment.
    #[n(1)]
    pub payment: u64,
    /// What was paid.
    #[n(2)]
    pub paid: Money,
    /// What it gives when it begins.
    #[n(3)]
    pub gives: Vec<PlannedLot>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the encoder's signature")]
const fn is_zero(value: &i64) -> bool {
    *value == 0
}

impl Subscription {
    /// When something happens to it by time alone.
    #[must_use]
    pub fn due_at(&self) -> Timestamp {
        if self.gives.is_empty() {
            self.past_due_until.unwrap_or(self.ends_at)
        } else {
            self.starts_at
        }
    }

    /// Until when is paid for, queued periods included.
    #[must_use]
    pub fn paid_until(&self) -> Timestamp {
        self.queued
            .last()
            .map_or(self.ends_at, |queued| queued.ends_at)
    }

    /// When the payment of the next period is to be created: shortly before the
    /// end, and after a failure when the plan's `retries_us` say. Nothing if it
    /// does not renew by us, one is open, or no retry is left.
    #[must_use]
    pub fn next_renewal_at(&self, retries_us: &[i64]) -> Option<Timestamp> {
        let is_ours = self.renewal == Renewal::SavedMethod && !self.canceled;
        if !is_ours || self.attempt.is_some() || !self.queued.is_empty() {
            return None;
        }
        let Some(failed_at) = self.failed_at else {
            return Some(self.ends_at.plus_us(RENEWAL_LEAD_US.saturating_neg()));
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
        self.subscriptions.push(Subscription {
            position,
            plan: started.plan.clone(),
            started_at: started.starts_at,
            length: started.length,
            periods: 1,
            starts_at: started.starts_at,
            ends_at: started.ends_at,
            renewal: started.renewal,
            grace_us: started.grace_us,
            canceled: false,
            past_due_until: None,
            payment: started.payment,
            paid: started.paid.clone(),
            attempt: None,
            failures: 0,
            failed_at: None,
            lots: Vec::new(),
            queued: Vec::new(),
            gives: Vec::new(),
        });
    }

    pub(super) fn subscription_renewed(
        &mut self,
        renewed: &SubscriptionRenewed,
    ) -> Result<(), u64> {
        self.remove_parts(&renewed.ended)?;
        for lot in &renewed.ended {
            self.lose(&lot.asset, lot.amount);
        }
        let subscription = self.subscription_mut(renewed.subscription)?;
        if renewed.begins {
            if subscription.queued.is_empty() {
                return Err(renewed.subscription);
            }
            subscription.gives = subscription.queued.remove(0).gives;
            subscription.lots.clear();
        } else {
            subscription.periods = subscription.periods.saturating_add(1);
            // Bought anew, it goes on; a renewal that was under way does not undo
            // what its user said meanwhile.
            if subscription.attempt != Some(renewed.payment) {
                subscription.canceled = false;
            }
            subscription.attempt = None;
            subscription.failures = 0;
            subscription.failed_at = None;
        }
        if !renewed.begins && !renewed.queued.is_empty() {
            subscription.queued.push(QueuedPeriod {
                ends_at: renewed.ends_at,
                payment: renewed.payment,
                paid: renewed.paid.clone(),
                gives: renewed.queued.clone(),
            });
            return Ok(());
        }
        if renewed.begins || subscription.past_due_until.is_some() {
            subscription.starts_at = renewed.starts_at;
        }
        subscription.ends_at = renewed.ends_at;
        subscription.past_due_until = None;
        subscription.payment = renewed.payment;
        subscription.paid = renewed.paid.clone();
        Ok(())
    }

    pub(super) fn subscription_past_due(&mut self, due: &SubscriptionPastDue) -> Result<(), u64> {
        self.subscription_mut(due.subscription)?.past_due_until = Some(due.until);
        for id in &due.passes {
            let index = self.lots.iter().position(|lot| lot.id == *id).ok_or(*id)?;
            let mut lot = self.lots.remove(index);
            lot.expires_at = Some(due.until);
            self.add_part(&lot);
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
        self.subscription_mut(ended.subscription)?;
        self.subscriptions
            .retain(|subscription| subscription.position != ended.subscription);
        self.remove_parts(&ended.ended)?;
        for lot in &ended.ended {
            self.lose(&lot.asset, lot.amount);
        }
        Ok(())
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

    /// A period that was paid for and has not begun is paid back.
    pub(super) fn drop_queued(&mut self, payment: u64) {
        for subscription in &mut self.subscriptions {
            let before = subscription.queued.len();
            subscription
                .queued
                .retain(|queued| queued.payment != payment);
            let dropped = before.saturating_sub(subscription.queued.len());
            let dropped = u32::try_from(dropped).unwrap_or(0);
            subscription.periods = subscription.periods.saturating_sub(dropped);
        }
    }

    /// A lot that a period of a subscription gives.
    pub(super) fn period_gave(&mut self, credited: &Credited) {
        let Some(Ok(subscription)) = credited.subscription.map(|id| self.subscription_mut(id))
        else {
            return;
        };
        if !subscription.gives.is_empty() {
            subscription.gives.remove(0);
        }
        if credited.lot.expires_at == Some(subscription.ends_at) {
            subscription.lots.push(credited.lot.id);
        }
    }
}
