//! What events add to statistics.
//!
//! An event adds to figures of its day, origin and account. A day is cut in the time
//! zone of the catalog that the event was decided under, so that the same events
//! give the same figures whenever they are counted. Nothing but the event itself is
//! looked at. Accounts of the book itself (`@house`) are not counted.

use std::collections::BTreeMap;

use hashbrown::HashMap;
use ledger_core::{
    Event, Name, Payload,
    account::Funding,
    calendar::Days,
    event::{Credited, Debited, HoldCaptured, HoldEnded, PaidWith, PaymentSucceeded, Refunded},
};

use super::ReadError;
use crate::{
    engine::{CatalogInForce, log},
    store::{AccountDay, Counted, DayCount, SharedStore},
};

/// What is counted. The numbers are kept in the database: a change of what one means
/// takes a migration that makes the projections begin anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Metric {
    /// Accounts that were opened.
    AccountsOpened = 1,
    /// Accounts that were closed.
    AccountsClosed = 2,
    /// Charges, by operation; an empty one for prices without an operation.
    Charged = 3,
    /// Holds that were placed, by operation.
    HoldsPlaced = 4,
    /// Operations of holds that count as done by a capture, by operation.
    HoldsCaptured = 5,
    /// Holds that were given up, by operation.
    HoldsReleased = 6,
    /// Holds that ended by time, by operation.
    HoldsExpired = 7,
    /// Holds that are open no more, for whatever reason, by operation.
    HoldsEnded = 8,
    /// Charges and captures that were refunded whole, by operation.
    RefundedWhole = 9,
    /// Operations that were paid for, by attribute and value: `model=dall-e-3`.
    ByAttribute = 10,
    /// Operations that were paid for, by what they were paid with: the names of
    /// [`paid_with_key`].
    ByPaidWith = 11,
    /// Operations that were paid for with given lots only, by the source of the
    /// first of them.
    FreeBySource = 12,
    /// Minor units that charges and captures took, by asset.
    Spent = 13,
    /// Minor units that refunds gave back, by asset.
    Refunded = 14,
    /// Minor units that were credited as bought, by asset.
    Bought = 15,
    /// Minor units that were credited as given, by asset.
    Granted = 16,
    /// Credits of given lots, by source.
    GrantsBySource = 17,
    /// Minor units that expired, by asset.
    Expired = 18,
    /// Minor units that corrections added, less those that they took, by asset.
    Adjusted = 19,
    /// Minor units of money that payments brought, by currency.
    Received = 20,
    /// Payments, by currency.
    Payments = 21,
    /// Minor units of money of payments of a provider's test mode, by currency.
    TestReceived = 22,
    /// Minor units of money that was paid back, by currency.
    PaidBack = 23,
    /// Subscriptions that began, by plan.
    SubscriptionsStarted = 24,
    /// Subscriptions that ended, by plan.
    SubscriptionsEnded = 25,
}

impl Metric {
    /// All of them.
    pub const ALL: [Self; 25] = [
        Self::AccountsOpened,
        Self::AccountsClosed,
        Self::Charged,
        Self::HoldsPlaced,
        Self::HoldsCaptured,
        Self::HoldsReleased,
        Self::HoldsExpired,
        Self::HoldsEnded,
        Self::RefundedWhole,
        Self::ByAttribute,
        Self::ByPaidWith,
        Self::FreeBySource,
        Self::Spent,
        Self::Refunded,
        Self::Bought,
        Self::Granted,
        Self::GrantsBySource,
        Self::Expired,
        Self::Adjusted,
        Self::Received,
        Self::Payments,
        Self::TestReceived,
        Self::PaidBack,
        Self::SubscriptionsStarted,
        Self::SubscriptionsEnded,
    ];

    /// The metric of a number.
    #[must_use]
    pub fn of_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|metric| *metric as u8 == number)
    }
}

/// The key of what an operation was paid with.
#[must_use]
pub const fn paid_with_key(paid_with: PaidWith) -> &'static str {
    match paid_with {
        PaidWith::Granted => "granted",
        PaidWith::Purchased => "purchased",
        PaidWith::Mixed => "mixed",
        PaidWith::Nothing => "nothing",
        PaidWith::Pass => "pass",
    }
}

type DayKey = (i64, Name, u8, Name);
type AccountKey = (i64, Name, Name, Name);

/// The figures of a book in the making.
#[derive(Debug, Default)]
pub struct Counting {
    /// The days of catalogs by version: those in force now, or soon.
    calendars: BTreeMap<u64, Days>,
    days: HashMap<DayKey, i64>,
    accounts: HashMap<AccountKey, [i64; 3]>,
}

impl Counting {
    /// Whether the catalog that an event was decided under is known.
    #[must_use]
    pub fn knows(&self, event: &Event) -> bool {
        event.catalog_version == 0 || self.calendars.contains_key(&event.catalog_version)
    }

    /// Looks the catalog up that an event was decided under.
    ///
    /// # Errors
    /// The store's; there is no such catalog, or it cannot be read.
    pub async fn learn_of(
        &mut self,
        store: &SharedStore,
        book: &str,
        event: &Event,
    ) -> Result<(), ReadError> {
        let version = event.catalog_version;
        let missing = || ReadError::Damaged(format!("book {book} has no catalog {version}"));
        let stored = store.catalog(book, version).await?.ok_or_else(missing)?;
        let applied = log::decode(&stored).map_err(ReadError::Damaged)?;
        self.learn(&applied.event).map_err(ReadError::Damaged)
    }

    /// Learns the time zone of a catalog that an event brings into force.
    fn learn(&mut self, event: &Event) -> Result<(), String> {
        if let Some(in_force) = CatalogInForce::from_event(event)? {
            let days = Days::new(&in_force.catalog.time_zone);
            self.calendars.insert(in_force.version, days);
        }
        Ok(())
    }

    /// Counts the next event.
    ///
    /// # Errors
    /// The catalog that it was decided under is not [known](Self::knows), or the one
    /// that it brings into force cannot be read.
    pub fn take_in(&mut self, event: &Event) -> Result<(), String> {
        self.learn(event)?;
        let day = self.day_of(event)?;
        if event.account.starts_with('@') {
            return Ok(());
        }
        let origin = match event.payload.is_of_time() {
            true => Name::default(),
            false => event.origin.clone(),
        };
        let place = Place {
            day,
            origin,
            account: event.account.clone(),
        };
        self.count(&place, &event.payload);
        Ok(())
    }

    /// The number of an event's day. Versions only grow: earlier ones are forgotten.
    fn day_of(&mut self, event: &Event) -> Result<i64, String> {
        let version = event.catalog_version;
        if self
            .calendars
            .first_key_value()
            .is_some_and(|(first, _)| *first < version)
        {
            self.calendars = self.calendars.split_off(&version);
        }
        if version == 0 {
            return Ok(Days::new("UTC").number(event.recorded_at));
        }
        let days = self.calendars.get_mut(&version);
        let days = days.ok_or_else(|| {
            format!(
                "event {}: its catalog, {version}, is not known",
                event.position
            )
        })?;
        Ok(days.number(event.recorded_at))
    }

    /// How many rows the figures have so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.days.len().saturating_add(self.accounts.len())
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The figures so far, in the order of their keys; counting goes on from zero.
    pub fn take(&mut self) -> Counted {
        let mut days: Vec<DayCount> = std::mem::take(&mut self.days)
            .into_iter()
            .map(|((day, origin, metric, key), value)| DayCount {
                day,
                origin,
                metric,
                key,
                value,
            })
            .collect();
        let mut accounts: Vec<AccountDay> = std::mem::take(&mut self.accounts)
            .into_iter()
            .map(
                |((day, asset, account, origin), [active, operations, spent])| AccountDay {
                    day,
                    asset,
                    account,
                    origin,
                    active,
                    operations,
                    spent,
                },
            )
            .collect();
        days.sort_unstable();
        accounts.sort_unstable();
        Counted { days, accounts }
    }

    fn count(&mut self, place: &Place, payload: &Payload) {
        match payload {
            Payload::AccountOpened => {
                self.add(place, Metric::AccountsOpened, "", 1);
                self.add_account(place, "", [1, 0, 0]);
            }
            Payload::AccountClosed => self.add(place, Metric::AccountsClosed, "", 1),
            Payload::Credited(credited) => self.credited(place, credited),
            Payload::Debited(debited) => self.debited(place, debited),
            Payload::Refunded(refunded) => self.refunded(place, refunded),
            Payload::HoldPlaced(placed) => {
                self.add(
                    place,
                    Metric::HoldsPlaced,
                    or_none(placed.operation.as_ref()),
                    1,
                );
                self.add_account(place, &placed.asset, [1, 0, 0]);
            }
            Payload::HoldCaptured(captured) => self.captured(place, captured),
            Payload::HoldReleased(ended) => self.ended(place, Metric::HoldsReleased, ended),
            Payload::HoldExpired(ended) => self.ended(place, Metric::HoldsExpired, ended),
            Payload::LotExpired(expired) => {
                self.add(
                    place,
                    Metric::Expired,
                    &expired.lot.asset,
                    expired.lot.amount,
                );
            }
            Payload::Adjusted(adjusted) => {
                self.add(place, Metric::Adjusted, &adjusted.asset, adjusted.delta);
            }
            Payload::PaymentSucceeded(payment) => self.received(place, payment),
            Payload::PaymentRefunded(refunded) if !refunded.test => {
                let money = &refunded.amount;
                self.add(place, Metric::PaidBack, &money.currency, money.amount);
            }
            Payload::SubscriptionStarted(started) => {
                self.add(place, Metric::SubscriptionsStarted, &started.plan, 1);
            }
            Payload::SubscriptionEnded(ended) => {
                self.add(place, Metric::SubscriptionsEnded, &ended.plan, 1);
            }
            Payload::HoldExtended(_)
            | Payload::PaymentCreated(_)
            | Payload::PaymentStatusRecorded(_)
            | Payload::PaymentCanceled(_)
            | Payload::PaymentFeeRecorded(_)
            | Payload::PaymentRefundStarted(_)
            | Payload::PaymentRefunded(_)
            | Payload::PaymentRefundFailed(_)
            | Payload::PaymentAnomaly(_)
            | Payload::SubscriptionRenewed(_)
            | Payload::SubscriptionPastDue(_)
            | Payload::SubscriptionCanceled(_)
            | Payload::SubscriptionResumed(_)
            | Payload::SubscriptionRescheduled(_)
            | Payload::TransferSent(_)
            | Payload::TransferReceived(_)
            | Payload::AccountBlocked
            | Payload::AccountUnblocked
            | Payload::CatalogApplied(_) => {}
        }
    }

    fn credited(&mut self, place: &Place, credited: &Credited) {
        let lot = &credited.lot;
        match lot.funding {
            Funding::Purchased => self.add(place, Metric::Bought, &lot.asset, lot.amount),
            Funding::Granted => {
                self.add(place, Metric::Granted, &lot.asset, lot.amount);
                self.add(place, Metric::GrantsBySource, &lot.source, 1);
            }
        }
    }

    fn debited(&mut self, place: &Place, debited: &Debited) {
        self.add(
            place,
            Metric::Charged,
            or_none(debited.operation.as_ref()),
            1,
        );
        self.add(place, Metric::Spent, &debited.asset, debited.amount);
        let done = i64::from(debited.operation.is_some());
        self.add_account(place, &debited.asset, [1, done, debited.amount]);
        if done > 0 {
            let paid = (debited.paid_with, debited.parts.first());
            self.done(place, &debited.attributes, paid);
        }
    }

    fn captured(&mut self, place: &Place, captured: &HoldCaptured) {
        let operation = or_none(captured.operation.as_ref());
        let done = i64::from(captured.counted);
        self.add(place, Metric::Spent, &captured.asset, captured.amount);
        self.add_account(place, &captured.asset, [1, done, captured.amount]);
        // One that is late ends no hold: that had ended before.
        if captured.is_final && !captured.late {
            self.add(place, Metric::HoldsEnded, operation, 1);
        }
        if captured.counted {
            self.add(place, Metric::HoldsCaptured, operation, 1);
            let first = captured.held_parts.first().or(captured.free_parts.first());
            self.done(place, &captured.attributes, (captured.paid_with, first));
        }
    }

    /// An operation was paid for.
    fn done(
        &mut self,
        place: &Place,
        attributes: &ledger_core::catalog::Attributes,
        (paid_with, first): (PaidWith, Option<&ledger_core::account::Lot>),
    ) {
        self.add(place, Metric::ByPaidWith, paid_with_key(paid_with), 1);
        for (attribute, value) in attributes {
            self.add(
                place,
                Metric::ByAttribute,
                &format!("{attribute}={value}"),
                1,
            );
        }
        if let (PaidWith::Granted, Some(lot)) = (paid_with, first) {
            self.add(place, Metric::FreeBySource, &lot.source, 1);
        }
    }

    fn refunded(&mut self, place: &Place, refunded: &Refunded) {
        self.add(place, Metric::Refunded, &refunded.asset, refunded.amount);
        let undone = i64::from(refunded.uncounted);
        if undone > 0 {
            let operation = or_none(refunded.operation.as_ref());
            self.add(place, Metric::RefundedWhole, operation, 1);
        }
        self.add_account(place, &refunded.asset, [0, -undone, -refunded.amount]);
    }

    fn ended(&mut self, place: &Place, metric: Metric, ended: &HoldEnded) {
        let operation = or_none(ended.operation.as_ref());
        self.add(place, metric, operation, 1);
        self.add(place, Metric::HoldsEnded, operation, 1);
    }

    fn received(&mut self, place: &Place, payment: &PaymentSucceeded) {
        let (currency, amount) = (&payment.amount.currency, payment.amount.amount);
        if payment.test {
            return self.add(place, Metric::TestReceived, currency, amount);
        }
        self.add(place, Metric::Received, currency, amount);
        self.add(place, Metric::Payments, currency, 1);
        self.add_account(place, "", [1, 0, 0]);
    }

    fn add(&mut self, place: &Place, metric: Metric, key: &str, value: i64) {
        let key = (place.day, place.origin.clone(), metric as u8, key.into());
        let sum = self.days.entry(key).or_default();
        *sum = sum.saturating_add(value);
    }

    fn add_account(&mut self, place: &Place, asset: &str, values: [i64; 3]) {
        let Place {
            day,
            origin,
            account,
        } = place;
        let key = (*day, asset.into(), account.clone(), origin.clone());
        let sums = self.accounts.entry(key).or_default();
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum = sum.saturating_add(value);
        }
    }
}

/// Where an event is counted.
struct Place {
    day: i64,
    origin: Name,
    account: Name,
}

fn or_none(operation: Option<&Name>) -> &str {
    operation.map(Name::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests;
