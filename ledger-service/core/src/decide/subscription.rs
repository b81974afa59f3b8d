//! Subscriptions: what a paid period does to them, what time does, and who ends
//! them.

use super::{
    Context, Decided, Party, Rejection,
    grant::{has_badge, kind},
    work::Work,
};
use crate::{
    account::{Account, Lot, Subscription, SubscriptionPeriod},
    calendar::end_of_period,
    catalog::{AssetKind, OnRepurchase, Period, Renewal},
    command::{CancelSubscription, ResumeSubscription},
    event::{
        AnomalyKind, EndReason, PaidPeriod, Payload, PeriodTimes, PlannedLot, SubscriptionChanged,
        SubscriptionEnded, SubscriptionPastDue, SubscriptionRenewed, SubscriptionRescheduled,
        SubscriptionStarted,
    },
    limits::{LOTS_WAITING_MAX, PERIODS_PAID_MAX, SUBSCRIPTIONS_MAX},
    primitives::{Money, Timestamp},
};

/// What a payment for a period does to the subscriptions of an account.
pub(super) struct Turn<'a> {
    /// The subscription that another one takes the place of.
    upgraded: Option<&'a Subscription>,
    step: Step<'a>,
}

enum Step<'a> {
    /// It starts one.
    Start(PeriodTimes),
    /// It makes one longer; what it gives is given now.
    Extend(&'a Subscription, PeriodTimes),
    /// The same, but what it gives waits until the period begins.
    Queue(&'a Subscription, PeriodTimes),
    /// It comes to nothing and is to be refunded.
    Nothing(AnomalyKind),
}

impl<'a> Turn<'a> {
    /// What the payment for `period` does now.
    pub(super) fn of(
        account: &'a Account,
        period: &PaidPeriod,
        (payment, context): (u64, &Context<'_>),
    ) -> Self {
        let nothing = |kind| Self {
            upgraded: None,
            step: Step::Nothing(kind),
        };
        let upgraded = period.upgrade_of.and_then(|id| account.subscription(id));
        let is_as_counted = upgraded.is_some_and(|old| {
            old.revision == period.upgrade_revision && !is_being_paid_back(account, old)
        });
        if (period.upgrade_of.is_some() && !is_as_counted) || has_made_way(account, period) {
            return nothing(AnomalyKind::NotAvailable);
        }
        let renewed = period.subscription.and_then(|id| account.subscription(id));
        let mut subscriptions = account.subscriptions.iter();
        let same = renewed.or_else(|| subscriptions.find(|running| running.plan == period.plan));
        let Some(subscription) = same else {
            let others = account.subscriptions.len();
            if others >= SUBSCRIPTIONS_MAX && upgraded.is_none() {
                return nothing(AnomalyKind::NotAvailable);
            }
            let times = first_times(payment, period.length, context);
            return Self {
                upgraded,
                step: Step::Start(times),
            };
        };
        if is_second(subscription, period) {
            return nothing(AnomalyKind::PeriodPaidTwice);
        }
        let queues = period.on_repurchase == OnRepurchase::Queue && period.subscription.is_none();
        let waits = waits(subscription, queues);
        if is_full(account, (subscription, waits), context.now) {
            return nothing(AnomalyKind::NotAvailable);
        }
        let times = next_times(subscription, period.length, (payment, context));
        let step = if waits { Step::Queue } else { Step::Extend };
        Self {
            upgraded,
            step: step(subscription, times),
        }
    }

    /// Why it comes to nothing, if it does.
    pub(super) const fn anomaly(&self) -> Option<AnomalyKind> {
        match self.step {
            Step::Nothing(kind) => Some(kind),
            Step::Start(_) | Step::Extend(..) | Step::Queue(..) => None,
        }
    }

    /// When the period ends whose lots are given now; nothing if none are.
    pub(super) const fn gives_until(&self) -> Option<Timestamp> {
        match &self.step {
            Step::Start(times) | Step::Extend(_, times) => Some(times.ends_at),
            Step::Queue(..) | Step::Nothing(_) => None,
        }
    }

    /// The events of it, which come before those of the lots, and the
    /// subscription whose lots these are. `next` is the position of the first of
    /// them.
    pub(super) fn events(
        self,
        account: &Account,
        (period, gives): (&PaidPeriod, &[PlannedLot]),
        paid: &Money,
        (context, next): (&Context<'_>, u64),
    ) -> (Vec<Payload>, Option<u64>) {
        let mut events: Vec<Payload> = Vec::new();
        if let Some(old) = self.upgraded {
            let ended = passes(account, old, context);
            events.push(ending(old, EndReason::Upgraded, ended));
        }
        match self.step {
            Step::Start(times) => {
                let before = u64::try_from(events.len()).unwrap_or(u64::MAX);
                events.push(Payload::SubscriptionStarted(SubscriptionStarted {
                    plan: period.plan.clone(),
                    length: period.length,
                    renewal: period.renewal,
                    grace_us: period.grace_us,
                    starts_at: times.starts_at,
                    ends_at: times.ends_at,
                    payment: times.payment,
                    paid: paid.clone(),
                }));
                (events, Some(next.saturating_add(before)))
            }
            Step::Extend(subscription, times) => {
                let is_late = subscription.past_due_until.is_some();
                let ended = is_late.then(|| passes(account, subscription, context));
                events.push(Payload::SubscriptionRenewed(SubscriptionRenewed {
                    ended: ended.unwrap_or_default(),
                    resumes: resumes(subscription, period),
                    ..renewed(subscription, &times, (period.length, paid))
                }));
                (events, Some(subscription.position))
            }
            Step::Queue(subscription, times) => {
                events.push(Payload::SubscriptionRenewed(SubscriptionRenewed {
                    waits: true,
                    gives: gives.to_vec(),
                    resumes: resumes(subscription, period),
                    ..renewed(subscription, &times, (period.length, paid))
                }));
                (events, None)
            }
            Step::Nothing(_) => (Vec::new(), None),
        }
    }
}

/// Whether what another period gives waits until it begins, if buying it again
/// `queues`.
pub(super) fn waits(subscription: &Subscription, queues: bool) -> bool {
    let is_queued = subscription.next_waiting().is_some();
    is_queued || (queues && subscription.past_due_until.is_none())
}

/// Whether so much is paid for that no more is sold of a subscription, of which
/// another period would wait or not.
pub(super) fn is_full(
    account: &Account,
    (subscription, waits): (&Subscription, bool),
    now: Timestamp,
) -> bool {
    let subscriptions = account.subscriptions.iter();
    let periods = subscriptions.flat_map(|subscription| &subscription.periods);
    let waiting = periods.fold(0_usize, |sum, it| sum.saturating_add(it.gives.len()));
    subscription.ahead(now) >= PERIODS_PAID_MAX || (waits && waiting >= LOTS_WAITING_MAX)
}

/// Whether a refund of a payment for one of its periods runs.
pub(super) fn is_being_paid_back(account: &Account, subscription: &Subscription) -> bool {
    let mut refunds = account.refunds.iter();
    refunds.any(|refund| subscription.is_paid_with(refund.payment))
}

/// Whether the subscription that a payment renews has made way for another one,
/// was paid back, or was canceled. One that has ended by time is begun anew, and
/// so is one that Stars renew: its user has resumed it at Telegram.
fn has_made_way(account: &Account, period: &PaidPeriod) -> bool {
    let mut ended = account.ended_subscriptions.iter();
    let renewed = ended.find(|ended| Some(ended.position) == period.subscription);
    renewed.is_some_and(|ended| match ended.reason {
        EndReason::Upgraded | EndReason::Refunded => true,
        EndReason::Canceled => period.renewal != Renewal::Stars,
        EndReason::NotRenewed => false,
    })
}

/// Whether a payment undoes a cancellation: bought anew, it goes on. A renewal
/// that was under way does not undo what its user said meanwhile; one by Stars is
/// taken only from whoever has resumed it at Telegram.
fn resumes(subscription: &Subscription, period: &PaidPeriod) -> bool {
    let is_asked_for = period.subscription.is_none() || subscription.renewal == Renewal::Stars;
    subscription.canceled && is_asked_for
}

/// Whether what a payment pays for was paid for by another one meanwhile, and the
/// catalog wants that refunded.
fn is_second(subscription: &Subscription, period: &PaidPeriod) -> bool {
    let is_renewed = period
        .starts_at
        .is_some_and(|starts| subscription.paid_until() > starts);
    let is_bought = period.subscription.is_none() && period.on_repurchase == OnRepurchase::Refuse;
    period.refunds_second && (is_renewed || is_bought)
}

/// When the period after all that is paid for begins and ends.
fn next_times(
    subscription: &Subscription,
    length: Period,
    (payment, context): (u64, &Context<'_>),
) -> PeriodTimes {
    let last = subscription.periods.last();
    let last = last.map(|last| (&last.times, last.length));
    let times = times_after(last, subscription.paid_until(), length, (payment, context));
    if times.ends_at > context.now {
        return times;
    }
    // It comes late, and is shorter than the one before.
    first_times(payment, length, context)
}

/// When a period begins and ends that is the first, now.
fn first_times(payment: u64, length: Period, context: &Context<'_>) -> PeriodTimes {
    times_after(None, context.now, length, (payment, context))
}

/// When a period begins and ends that begins at a moment, after another one or
/// after none. One of another length is counted from its own beginning.
fn times_after(
    previous: Option<(&PeriodTimes, Period)>,
    starts_at: Timestamp,
    length: Period,
    (payment, context): (u64, &Context<'_>),
) -> PeriodTimes {
    let follows = previous.filter(|(_, other)| *other == length);
    let (counted_from, number) = follows.map_or((starts_at, 1), |(times, _)| {
        (times.counted_from, times.number.saturating_add(1))
    });
    let zone = &context.catalog.time_zone;
    PeriodTimes {
        payment,
        starts_at,
        ends_at: end_of_period(counted_from, length, number, zone),
        counted_from,
        number,
    }
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

/// The passes of its periods that are still there.
fn passes(account: &Account, subscription: &Subscription, context: &Context<'_>) -> Vec<Lot> {
    let lots = account.lots.iter();
    let own = lots.filter(|lot| is_pass_of(subscription, lot, context));
    own.cloned().collect()
}

/// The same, and those that a refund has reserved: it may come to nothing.
fn all_passes(account: &Account, subscription: &Subscription, context: &Context<'_>) -> Vec<u64> {
    let reserved = account.refunds.iter().flat_map(|refund| &refund.parts);
    let mut ids: Vec<u64> = Vec::new();
    for lot in account.lots.iter().chain(reserved) {
        if is_pass_of(subscription, lot, context) && !ids.contains(&lot.id) {
            ids.push(lot.id);
        }
    }
    ids
}

fn is_pass_of(subscription: &Subscription, lot: &Lot, context: &Context<'_>) -> bool {
    let is_pass = kind(context.catalog, &lot.asset) == Some(AssetKind::Pass);
    is_pass && subscription.period_of_lot(lot.id).is_some()
}

fn ending(subscription: &Subscription, reason: EndReason, ended: Vec<Lot>) -> Payload {
    Payload::SubscriptionEnded(SubscriptionEnded {
        subscription: subscription.position,
        plan: subscription.plan.clone(),
        reason,
        ended,
    })
}

/// What becomes of the subscription when the period that a payment paid for is
/// paid back, which has just taken `taken` of the lots: it ends with its only
/// period; the periods after one that runs begin now, those after a later one a
/// place earlier. Nothing if the period has ended and another one follows.
pub(super) fn without_period(
    account: &Account,
    (payment, taken): (u64, &[Lot]),
    context: &Context<'_>,
) -> Option<Payload> {
    let paid_with = |period: &SubscriptionPeriod| period.times.payment == payment;
    let mut subscriptions = account.subscriptions.iter();
    let subscription = subscriptions.find(|it| it.periods.iter().any(paid_with))?;
    let now = context.now;
    let (over, ahead): (Vec<_>, Vec<_>) = subscription
        .periods
        .iter()
        .partition(|period| period.times.ends_at <= now);
    let last = subscription.periods.last();
    let is_last = last.is_some_and(paid_with);
    if over.iter().any(|period| paid_with(period)) && !is_last {
        return None;
    }
    let left = ahead.iter().filter(|period| !paid_with(period));
    let left: Vec<&SubscriptionPeriod> = left.copied().collect();
    if left.is_empty() {
        let passes = passes(account, subscription, context);
        let ended = passes.into_iter().filter_map(|pass| without(pass, taken));
        let ended = ended.collect();
        return Some(ending(subscription, EndReason::Refunded, ended));
    }
    Some(Payload::SubscriptionRescheduled(SubscriptionRescheduled {
        subscription: subscription.position,
        periods: moved_up(&ahead, &left, context),
    }))
}

/// What is left of a lot.
fn without(lot: Lot, taken: &[Lot]) -> Option<Lot> {
    let id = lot.id;
    let parts = taken.iter().filter(|part| part.id == id);
    let left = parts.fold(lot, |left, part| Lot {
        amount: left.amount.saturating_sub(part.amount),
        basis: left.basis.saturating_sub(part.basis),
        ..left
    });
    (left.amount > 0).then_some(left)
}

/// When the periods that are left begin and end. Up to the one that is gone they
/// stay; the next one begins where that had begun, or now.
fn moved_up(
    before: &[&SubscriptionPeriod],
    left: &[&SubscriptionPeriod],
    context: &Context<'_>,
) -> Vec<PeriodTimes> {
    let mut moved: Vec<(PeriodTimes, Period)> = Vec::with_capacity(left.len());
    for (index, period) in left.iter().enumerate() {
        let place = before.get(index).map(|place| &place.times);
        if place == Some(&period.times) {
            moved.push((period.times.clone(), period.length));
            continue;
        }
        let starts_at = match moved.last() {
            Some((previous, _)) => previous.ends_at,
            None => place.map_or(context.now, |place| place.starts_at.max(context.now)),
        };
        let previous = moved.last().map(|(times, length)| (times, *length));
        let payment = (period.times.payment, context);
        let times = times_after(previous, starts_at, period.length, payment);
        moved.push((times, period.length));
    }
    moved.into_iter().map(|(times, _)| times).collect()
}

/// What time does next to a subscription, and when; nothing if nothing is due.
pub(super) fn next_due<'a>(
    account: &'a Account,
    context: &Context<'_>,
) -> Option<(Timestamp, &'a Subscription)> {
    let due = account
        .subscriptions
        .iter()
        .map(|subscription| (subscription.due_at(), subscription));
    due.filter(|(at, _)| *at <= context.now)
        .min_by_key(|(at, subscription)| (*at, subscription.position))
}

/// The event of a subscription that is due and has nothing to give: the next
/// period begins, its grace does, or it ends.
pub(super) fn due_event(
    account: &Account,
    subscription: &Subscription,
    context: &Context<'_>,
) -> Payload {
    if let Some(next) = subscription.next_waiting() {
        return Payload::SubscriptionRenewed(SubscriptionRenewed {
            begins: true,
            gives: without_badges(account, &next.gives, context),
            ..renewed(subscription, &next.times, (next.length, &next.paid))
        });
    }
    let has_grace = subscription.renews() && subscription.grace_us > 0;
    if has_grace && subscription.past_due_until.is_none() {
        return Payload::SubscriptionPastDue(SubscriptionPastDue {
            subscription: subscription.position,
            until: subscription.paid_until().plus_us(subscription.grace_us),
            passes: all_passes(account, subscription, context),
        });
    }
    let reason = if subscription.canceled {
        EndReason::Canceled
    } else {
        EndReason::NotRenewed
    };
    ending(subscription, reason, Vec::new())
}

/// What a period gives, without badges that the account has.
fn without_badges(
    account: &Account,
    gives: &[PlannedLot],
    context: &Context<'_>,
) -> Vec<PlannedLot> {
    let mut left: Vec<PlannedLot> = Vec::with_capacity(gives.len());
    for planned in gives {
        let asset = &planned.lot.asset;
        let is_badge = kind(context.catalog, asset) == Some(AssetKind::Badge);
        let is_given = is_badge && left.iter().any(|other| other.lot.asset == *asset);
        if !is_given && !has_badge(account, context.catalog, asset) {
            left.push(planned.clone());
        }
    }
    left
}

/// Canceling a canceled one changes nothing. Nothing is taken: it runs to the
/// end of what is paid for.
pub(super) fn cancel(
    mut work: Work<'_>,
    cancel: &CancelSubscription,
) -> Result<Vec<Decided>, Rejection> {
    if !find(&work, cancel.subscription)?.canceled {
        let subscription = cancel.subscription;
        work.push(
            Party::Own,
            Payload::SubscriptionCanceled(SubscriptionChanged { subscription }),
        );
    }
    Ok(work.finish())
}

/// Resuming one that was not canceled changes nothing.
pub(super) fn resume(
    mut work: Work<'_>,
    resume: &ResumeSubscription,
) -> Result<Vec<Decided>, Rejection> {
    if find(&work, resume.subscription)?.canceled {
        let subscription = resume.subscription;
        work.push(
            Party::Own,
            Payload::SubscriptionResumed(SubscriptionChanged { subscription }),
        );
    }
    Ok(work.finish())
}

fn find<'w>(work: &'w Work<'_>, position: u64) -> Result<&'w Subscription, Rejection> {
    let found = work.account().subscription(position);
    found.ok_or(Rejection::SubscriptionNotFound)
}
