//! What accounts get each day, week or month, by a calendar that is counted out.

use ledger_core::{
    Name, Payload, Timestamp,
    account::{Lot, Status},
    catalog::CalendarPeriod,
    event::{Balance, Credited, RecurringPeriod},
};

use super::{
    attempt::{Attempt, DAY_US},
    checks::{check_balance, check_room, identify},
};

/// Zones that never change their clocks, and how far they are ahead, in minutes.
pub(crate) const ZONES: [(&str, i64); 12] = [
    ("UTC", 0),
    ("Etc/GMT-14", 840),
    ("Etc/GMT-9", 540),
    ("Australia/Eucla", 525),
    ("Etc/GMT-7", 420),
    ("Asia/Kathmandu", 345),
    ("Asia/Kolkata", 330),
    ("Etc/GMT-3", 180),
    ("Etc/GMT+2", -120),
    ("Etc/GMT+5", -300),
    ("Pacific/Marquesas", -570),
    ("Etc/GMT+11", -660),
];

/// When the period after that of a moment begins in a zone.
fn next_period(now: Timestamp, period: CalendarPeriod, zone: &str) -> Timestamp {
    let known = ZONES.iter().find(|(name, _)| *name == zone);
    let ahead_us = known.unwrap().1 * 60_000_000;
    let today = (now.0 + ahead_us).div_euclid(DAY_US);
    let next = match period {
        CalendarPeriod::Day => today + 1,
        // Day 0, 1970-01-01, was a Thursday.
        CalendarPeriod::Week => today + 7 - (today + 3) % 7,
        CalendarPeriod::Month => {
            let mut first = 0;
            for year in 1970.. {
                for month in 1..=12 {
                    first += days_of(year, month);
                    if first > today {
                        return Timestamp(first * DAY_US - ahead_us);
                    }
                }
            }
            first
        }
    };
    Timestamp(next * DAY_US - ahead_us)
}

const fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl Attempt<'_> {
    /// Gives what the account has not got in this period. What there is no room
    /// for stays due.
    pub(super) fn give_recurring(&mut self) {
        let is_own = self.request.account.starts_with('@');
        if is_own || self.own.status != Status::Open {
            return;
        }
        let catalog = &self.ledger.catalog;
        for (id, recurring) in &catalog.recurring_grants {
            if self.own.due.get(id).is_some_and(|due| *due > self.now) {
                continue;
            }
            let next_at = next_period(self.now, recurring.period, &catalog.time_zone);
            let mut lot = self.granted(&recurring.grant, 1);
            if !recurring.rollover {
                let ends = [lot.expires_at, Some(next_at)];
                lot.expires_at = ends.into_iter().flatten().min();
            }
            let has_room = check_room(&self.own, 1).is_ok();
            if has_room && check_balance(&self.own, &lot.asset, lot.amount).is_ok() {
                let grant = id.clone();
                self.give_period(lot, RecurringPeriod { grant, next_at });
            }
        }
    }

    fn give_period(&mut self, lot: Lot, period: RecurringPeriod) {
        let lot = identify(&self.own, &mut 0, lot);
        self.push(Payload::Credited(Credited {
            levels: self.levels(&lot.asset, lot.amount),
            lot,
            recurring: Some(period),
            ..Credited::default()
        }));
    }

    /// The account as reads show it: without what has ended, with what is due.
    pub(super) fn bring_up(&mut self) {
        match self.own.status {
            Status::NotOpened if self.ledger.catalog.open_on_first_use => self.open(),
            _ => {
                self.settle(false);
                self.give_recurring();
            }
        }
    }

    /// What reads show of its balances.
    pub(crate) fn shown(mut self) -> Vec<Balance> {
        self.bring_up();
        self.own.balances()
    }
}

/// When a grant of this wallet is due again.
pub(crate) fn due(wallet: &super::wallet::Wallet) -> impl Iterator<Item = Timestamp> {
    wallet.due.values().copied()
}

/// The zone whose day ends soonest.
pub(crate) fn zone_of_midnight(now: Timestamp) -> &'static str {
    let since_midnight =
        |ahead_minutes: i64| (now.0 + ahead_minutes * 60_000_000).rem_euclid(DAY_US);
    let latest = ZONES.iter().max_by_key(|(_, ahead)| since_midnight(*ahead));
    latest.unwrap().0
}

/// A grant by its name.
pub(crate) type Due = std::collections::BTreeMap<Name, Timestamp>;
