//! What is bought by itself when little is left.

use ledger_core::{
    Money, Rejection, Timestamp, calendar::period_of, catalog::CalendarPeriod, payment::Purpose,
};

use super::attempt::{Attempt, Try};

impl Attempt<'_> {
    /// When the month ends in whose cap it counts, if it may be bought.
    pub(super) fn check_automatic(&self, purpose: &Purpose, price: &Money) -> Try<Timestamp> {
        let Purpose::Package { package, .. } = purpose else {
            return Err(Rejection::AutoTopUpNotOffered);
        };
        let catalog = &self.ledger.catalog;
        let mut rules = catalog.auto_top_ups.iter();
        let rule = rules.find(|(_, rule)| *rule.package == **package);
        let cap = |currency: &str| Some(*rule?.1.monthly_cap.get(currency)?);
        let Some(((asset, rule), maximum)) = rule.zip(cap(&price.currency)) else {
            return Err(Rejection::AutoTopUpNotOffered);
        };
        let available = self.own.free(asset);
        if available >= rule.threshold {
            return Err(Rejection::AutoTopUpNotDue {
                asset: asset.into(),
                available,
                threshold: rule.threshold,
            });
        }
        let own = self.own.subscribed.automatic.clone().unwrap_or_default();
        if let Some(payment) = own.attempt {
            return Err(Rejection::AutoTopUpOpen { payment });
        }
        let (_, month_ends_at) = period_of(self.now, CalendarPeriod::Month, &catalog.time_zone);
        let paid = match own.month_ends_at == month_ends_at {
            true => own.paid.get(&price.currency).copied().unwrap_or(0),
            false => 0,
        };
        if paid + price.amount > maximum {
            return Err(Rejection::AutoTopUpCapReached {
                currency: (&price.currency).into(),
                paid,
                maximum,
            });
        }
        Ok(month_ends_at)
    }
}
