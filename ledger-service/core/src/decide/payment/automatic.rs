//! Payments that nobody asked for just now: bought because little is left, for
//! those who have agreed to that.

use super::plan::Plan;
use crate::{
    account::Account, calendar::period_of, catalog::CalendarPeriod, decide::Context,
    payment::Purpose, primitives::Timestamp, rejection::Rejection,
};

/// Checks that such a payment is due and within the month's cap. Answers when the
/// month ends.
pub(super) fn check(
    account: &Account,
    purpose: &Purpose,
    plan: &Plan,
    context: &Context<'_>,
) -> Result<Timestamp, Rejection> {
    let catalog = context.catalog;
    let Purpose::Package { package, .. } = purpose else {
        return Err(Rejection::AutoTopUpNotOffered);
    };
    let mut rules = catalog.auto_top_ups.iter();
    let rule = rules.find(|(_, rule)| rule.package == package.as_str());
    let currency = &plan.amount.currency;
    let (asset, rule) = rule.ok_or(Rejection::AutoTopUpNotOffered)?;
    let maximum = rule.monthly_cap.get(currency).copied();
    let maximum = maximum.ok_or(Rejection::AutoTopUpNotOffered)?;
    let available = account.totals(asset).available();
    if available >= rule.threshold {
        return Err(Rejection::AutoTopUpNotDue {
            asset: asset.into(),
            available,
            threshold: rule.threshold,
        });
    }
    let own = account.auto_top_ups.clone().unwrap_or_default();
    if let Some(payment) = own.attempt {
        return Err(Rejection::AutoTopUpOpen { payment });
    }
    let (_, month_ends_at) = period_of(context.now, CalendarPeriod::Month, &catalog.time_zone);
    let paid = own.paid_in(month_ends_at, currency);
    if paid.saturating_add(plan.amount.amount) > maximum {
        return Err(Rejection::AutoTopUpCapReached {
            currency: currency.into(),
            paid,
            maximum,
        });
    }
    Ok(month_ends_at)
}
