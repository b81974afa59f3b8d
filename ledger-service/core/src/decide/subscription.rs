//! Subscriptions: what a paid period does to them, what time does, and who ends
//! them.

use super::{Context, Decided, Party, Rejection, grant::kind, work::Work};
use crate::{
    account::{Account, Lot, Subscription},
    calendar::end_of_period,
    catalog::AssetKind,
    command::{CancelSubscription, ResumeSubscription},
    event::{
        EndReason, PaidPeriod, Payload, PlannedLot, SubscriptionChanged, SubscriptionEnded,
        SubscriptionPastDue, SubscriptionRenewed, SubscriptionStarted,
    },
    primitives::{Money, Timestamp},
};

/// What a payment for a period does to the subscriptions of an account.
pub(super) enum Turn<'a> {
    /// It starts one, which may take the place of another.
    Start {
        ends_at: Timestamp,
        upgraded: Option<&'a Subscription>,
    },
    /// It makes one longer, from now on.
    Extend {
        subscription: &'a Subscription,
        ends_at: Timestamp,
    },
    /// It is kept until what runs has ended.
    Queue {
        subscription: &'a Subscription,
        ends_at: Timestamp,
    },
    /// The period was paid for already, and a second payment is to be refunded.
    Twice,
}

impl<'a> Turn<'a> {
    /// What a payment for `period` does now.
    pub(super) fn of(account: &'a Account, period: &PaidPeriod, context: &Context<'_>) -> Self {
        let zone = &context.catalog.time_zone;
        let running = match period.subscription {
            Some(id) => account.subscription(id),
            None => account
                .subscriptions
                .iter()
                .find(|running| running.plan == period.plan),
        };
        let Some(subscription) = running else {
            let replaced = period.upgrade_of;
            return Self::Start {
                ends_at: end_of_period(context.now, period.length, 1, zone),
                upgraded: replaced.and_then(|id| account.subscription(id)),
            };
        };
        let paid_until = subscription.paid_until();
        let is_second = period.starts_at.is_some_and(|starts| paid_until > starts);
        if is_second && period.refunds_second {
            return Self::Twice;
        }
        let periods = subscription.periods.saturating_add(1);
        let (start, length) = (subscription.started_at, subscription.length);
        let ends_at = end_of_period(start, length, periods, zone);
        let waits = period.queues && period.subscription.is_none();
        if (waits && subscription.past_due_until.is_none()) || !subscription.queued.is_empty() {
            Self::Queue {
                subscription,
                ends_at,
            }
        } else {
            Self::Extend {
                subscription,
                ends_at,
            }
        }
    }

    /// When the period ends whose lots are given now; nothing if none are.
    pub(super) const fn gives_until(&self) -> Option<Timestamp> {
        match self {
            Self::Start { ends_at, .. } | Self::Extend { ends_at, .. } => Some(*ends_at),
            Self::Queue { .. } | Self::Twice => None,
        }
    }

    /// The events of it, which come before those of the lots, and the
    /// subscription. `next` is the position of the first of them.
    pub(super) fn events(
        self,
        account: &Account,
        period: &PaidPeriod,
        gives: &[PlannedLot],
        (payment, paid): (u64, &Money),
        (context, next): (&Context<'_>, u64),
    ) -> (Vec<Payload>, Option<u64>) {
        let renewed = |subscription: &Subscription, ends_at| SubscriptionRenewed {
            subscription: subscription.position,
            starts_at: subscription.paid_until(),
            ends_at,
            payment,
            paid: paid.clone(),
            queued: Vec::new(),
            begins: false,
            ended: Vec::new(),
        };
        match self {
            Self::Start { ends_at, upgraded } => {
                let mut events: Vec<Payload> = Vec::new();
                if let Some(old) = upgraded {
                    let ended = passes(account, old, context);
                    events.push(ending(old, EndReason::Upgraded, ended));
                }
                let position = next.saturating_add(u64::from(upgraded.is_some()));
                events.push(Payload::SubscriptionStarted(SubscriptionStarted {
                    plan: period.plan.clone(),
                    length: period.length,
                    renewal: period.renewal,
                    grace_us: period.grace_us,
                    starts_at: context.now,
                    ends_at,
                    payment,
                    paid: paid.clone(),
                }));
                (events, Some(position))
            }
            Self::Extend {
                subscription,
                ends_at,
            } => {
                let is_late = subscription.past_due_until.is_some();
                let ended = is_late.then(|| passes(account, subscription, context));
                let renewed = SubscriptionRenewed {
                    ended: ended.unwrap_or_default(),
                    ..renewed(subscription, ends_at)
                };
                (
                    vec![Payload::SubscriptionRenewed(renewed)],
                    Some(subscription.position),
                )
            }
            Self::Queue {
                subscription,
                ends_at,
            } => {
                let renewed = SubscriptionRenewed {
                    queued: gives.to_vec(),
                    ..renewed(subscription, ends_at)
                };
                (vec![Payload::SubscriptionRenewed(renewed)], None)
            }
            Self::Twice => (Vec::new(), None),
        }
    }
}

/// The passes of what runs that are still there.
fn passes(account: &Account, subscription: &Subscription, context: &Context<'_>) -> Vec<Lot> {
    let lots = account.lots.iter();
    let own = lots.filter(|lot| subscription.lots.contains(&lot.id));
    own.filter(|lot| kind(context.catalog, &lot.asset) == Some(AssetKind::Pass))
        .cloned()
        .collect()
}

fn ending(subscription: &Subscription, reason: EndReason, ended: Vec<Lot>) -> Payload {
    Payload::SubscriptionEnded(SubscriptionEnded {
        subscription: subscription.position,
        plan: subscription.plan.clone(),
        reason,
        ended,
    })
}

/// The end of the subscription whose period a payment paid for that is paid back
/// whole.
pub(super) fn ended_by_refund(account: &Account, payment: u64) -> Option<Payload> {
    let mut subscriptions = account.subscriptions.iter();
    let subscription = subscriptions.find(|running| running.payment == payment)?;
    Some(ending(subscription, EndReason::Refunded, Vec::new()))
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
    if let Some(next) = subscription.queued.first() {
        return Payload::SubscriptionRenewed(SubscriptionRenewed {
            subscription: subscription.position,
            starts_at: subscription.ends_at,
            ends_at: next.ends_at,
            payment: next.payment,
            paid: next.paid.clone(),
            queued: Vec::new(),
            begins: true,
            ended: Vec::new(),
        });
    }
    let has_grace = subscription.renews() && subscription.grace_us > 0;
    if has_grace && subscription.past_due_until.is_none() {
        let passes = passes(account, subscription, context);
        return Payload::SubscriptionPastDue(SubscriptionPastDue {
            subscription: subscription.position,
            until: subscription.ends_at.plus_us(subscription.grace_us),
            passes: passes.into_iter().map(|lot| lot.id).collect(),
        });
    }
    let reason = if subscription.canceled {
        EndReason::Canceled
    } else {
        EndReason::NotRenewed
    };
    ending(subscription, reason, Vec::new())
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
