//! Lots that the catalog gives: on opening, each period, with an operation.

use super::{Party, work::Work};
use crate::{
    account::{Account, Funding, Lot},
    calendar,
    catalog::{AssetKind, Catalog, Grant, RecurringGrant},
    command::AssetAmount,
    event::{Credited, Debt, LevelChange, Payload, PlannedLot, RecurringPeriod},
    name::Name,
    primitives::Timestamp,
    rejection::Rejection,
};

/// The lot that a grant makes; its id is given by the account.
pub(super) fn granted_lot(grant: &Grant, amount: i64, now: Timestamp) -> Lot {
    Lot {
        asset: grant.asset.clone(),
        amount,
        funding: Funding::Granted,
        source: grant.source.clone(),
        priority: grant.priority,
        expires_at: grant.expires_after_us.map(|after| now.plus_us(after)),
        scope: grant.scope.iter().cloned().collect(),
        created_at: now,
        ..Lot::default()
    }
}

/// Whether the account has the badge already: those are granted once.
pub(super) fn has_badge(account: &Account, catalog: &Catalog, asset: &str) -> bool {
    kind(catalog, asset) == Some(AssetKind::Badge) && account.totals(asset).balance > 0
}

/// What an asset is, if the catalog knows it.
pub(super) fn kind(catalog: &Catalog, asset: &str) -> Option<AssetKind> {
    catalog.assets.get(asset).map(|asset| asset.kind)
}

/// A badge keeps where it was earned.
pub(super) fn mark_origin(lot: &mut Lot, catalog: &Catalog, origin: &Name) {
    if kind(catalog, &lot.asset) == Some(AssetKind::Badge) {
        lot.origin = Some(origin.clone());
    }
}

/// What a change of a balance does to the level, of points with levels.
pub(super) fn levels(
    catalog: &Catalog,
    asset: &str,
    before: i64,
    delta: i64,
) -> Option<LevelChange> {
    let asset = catalog.assets.get(asset)?;
    (!asset.levels.is_empty()).then(|| LevelChange {
        before: asset.level(before),
        after: asset.level(before.saturating_add(delta)),
    })
}

/// The event of a lot that is given to an account which has `before` of its
/// asset.
pub(super) fn credited(
    catalog: &Catalog,
    lot: Lot,
    before: i64,
    recurring: Option<RecurringPeriod>,
) -> Credited {
    Credited {
        levels: levels(catalog, &lot.asset, before, lot.amount),
        lot,
        payment: None,
        recurring,
        settled: Vec::new(),
        subscription: None,
    }
}

/// The lot that is planned, given at a moment; `period_end` is when the period of
/// its subscription ends.
pub(super) fn planned_lot(
    planned: &PlannedLot,
    at: Timestamp,
    period_end: Option<Timestamp>,
) -> Lot {
    let after = planned.expires_after_us.map(|after| at.plus_us(after));
    Lot {
        created_at: at,
        expires_at: period_end.filter(|_| planned.with_period).or(after),
        ..planned.lot.clone()
    }
}

/// What of a lot pays what the account owes, if it is bought.
pub(super) fn settles(account: &Account, lot: &Lot, before: &[Debt]) -> Vec<Debt> {
    match lot.funding {
        Funding::Purchased => account.settles(lot, before),
        Funding::Granted => Vec::new(),
    }
}

/// Whether a recurring grant is due.
pub(super) fn is_due(account: &Account, id: &str, now: Timestamp) -> bool {
    account.recurring.get(id).is_none_or(|next| *next <= now)
}

/// The lot of a recurring grant for the period of `now`, and that period.
pub(super) fn recurring_lot(
    id: &Name,
    recurring: &RecurringGrant,
    catalog: &Catalog,
    now: Timestamp,
) -> (Lot, RecurringPeriod) {
    let (_, next_at) = calendar::period_of(now, recurring.period, &catalog.time_zone);
    let mut lot = granted_lot(&recurring.grant, recurring.grant.amount, now);
    if !recurring.rollover {
        lot.expires_at = Some(lot.expires_at.map_or(next_at, |end| end.min(next_at)));
    }
    let period = RecurringPeriod {
        grant: id.clone(),
        next_at,
    };
    (lot, period)
}

/// What is given along with something that is paid for.
pub(super) struct Giving {
    lots: Vec<Lot>,
    payment: Option<u64>,
    subscription: Option<u64>,
    /// What is spent before it is given.
    spent: Option<AssetAmount>,
}

impl Giving {
    /// What an operation itself gives. Nothing that is paid for is refused for
    /// lack of room for it: in a full wallet it enlarges what is there. A badge
    /// that the account has is not given again.
    pub(super) fn of_operation(
        work: &mut Work<'_>,
        operation: Option<&str>,
        quantity: i64,
    ) -> Self {
        let context = work.context;
        let found = operation.and_then(|name| context.catalog.operations.get(name));
        let grants = found.map_or(&[][..], |operation| &operation.grants);
        let is_full = !grants.is_empty() && work.own.check_room(grants.len()).is_err();
        let mut lots: Vec<Lot> = Vec::with_capacity(grants.len());
        for grant in grants {
            let is_badge = kind(context.catalog, &grant.asset) == Some(AssetKind::Badge);
            let is_given = is_badge && lots.iter().any(|lot| lot.asset == grant.asset);
            if is_given || has_badge(work.account(), context.catalog, &grant.asset) {
                continue;
            }
            let times = if is_badge { 1 } else { quantity };
            let mut lot = granted_lot(grant, grant.amount.saturating_mul(times), context.now);
            mark_origin(&mut lot, context.catalog, &work.request.origin);
            lots.push(if is_full {
                work.own.squeeze_in(lot, &lots)
            } else {
                work.own.place(lot)
            });
        }
        Self {
            lots,
            payment: None,
            subscription: None,
            spent: None,
        }
    }

    /// The same, after so much was spent: levels are counted from what that
    /// leaves.
    pub(super) fn after(self, asset: &Name, amount: i64) -> Self {
        let asset = asset.clone();
        Self {
            spent: Some(AssetAmount { asset, amount }),
            ..self
        }
    }

    /// What a payment gives. Money that has been paid is not refused for lack of
    /// room either.
    pub(super) fn of_payment(
        work: &mut Work<'_>,
        gives: &[PlannedLot],
        payment: u64,
        period_end: Option<Timestamp>,
    ) -> Self {
        let context = work.context;
        let is_full = work.own.check_room(gives.len()).is_err();
        let mut lots: Vec<Lot> = Vec::with_capacity(gives.len());
        for planned in gives {
            let lot = planned_lot(planned, context.now, period_end);
            let is_given = lots.iter().any(|other| other.asset == lot.asset)
                && kind(context.catalog, &lot.asset) == Some(AssetKind::Badge);
            if is_given || has_badge(work.account(), context.catalog, &lot.asset) {
                continue;
            }
            lots.push(if is_full {
                work.own.squeeze_in(lot, &lots)
            } else {
                work.own.place(lot)
            });
        }
        Self {
            lots,
            payment: Some(payment),
            subscription: None,
            spent: None,
        }
    }

    /// The same, as lots of a subscription.
    pub(super) fn of_subscription(self, subscription: Option<u64>) -> Self {
        Self {
            subscription,
            ..self
        }
    }

    /// Whether the balances take it.
    pub(super) fn check_balances(&self, work: &Work<'_>) -> Result<(), Rejection> {
        self.lots
            .iter()
            .try_for_each(|lot| work.own.check_balance(&lot.asset, lot.amount))
    }
}

/// Adds the events of what is given.
pub(super) fn push_grants(work: &mut Work<'_>, giving: Giving) {
    let mut given: Vec<(Name, i64)> = Vec::new();
    let mut settled: Vec<Debt> = Vec::new();
    for lot in giving.lots {
        let spent = giving.spent.iter().filter(|it| it.asset == lot.asset);
        let left = spent.fold(work.account().totals(&lot.asset).balance, |sum, it| {
            sum.saturating_sub(it.amount)
        });
        let before = given
            .iter()
            .filter(|(asset, _)| *asset == lot.asset)
            .fold(left, |sum, (_, amount)| sum.saturating_add(*amount));
        given.push((lot.asset.clone(), lot.amount));
        let settles = settles(work.account(), &lot, &settled);
        settled.extend(settles.iter().cloned());
        let credited = Credited {
            payment: giving.payment,
            subscription: giving.subscription,
            settled: settles,
            ..credited(work.context.catalog, lot, before, None)
        };
        work.push(Party::Own, Payload::Credited(credited));
    }
}
