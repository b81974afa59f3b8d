//! Lengths of time on the calendar: `30 days`, `1 month`, `1 month 3 days`.

use super::limits::PERIOD_YEARS_MAX;
use super::model::Period;
use super::reader::Section;
use super::report::Report;

/// Reads the period of a key; it is a problem if it is not given.
pub(super) fn required(section: &Section<'_>, key: &str, report: &mut Report) -> Option<Period> {
    let node = section.required(key, report)?;
    let Some(period) = parse(node.string(report)?) else {
        let message = "must be years, months and days, like \"30 days\" or \"1 month 3 days\"";
        report.add(&node.place, message);
        return None;
    };
    if !is_short(period) {
        let message = format!("must be {PERIOD_YEARS_MAX} years or less");
        report.add(&node.place, message);
        return None;
    }
    Some(period)
}

/// Reads years, months and days, each at most once and in this order. Nothing
/// if the text is something else; the largest numbers if they do not fit.
fn parse(text: &str) -> Option<Period> {
    let mut period = Period { months: 0, days: 0 };
    let mut words = text.split(' ');
    let mut units = UNITS.as_slice();
    while let Some(digits) = words.next() {
        let count = parse_count(digits)?;
        let unit = words.next()?;
        let singular = unit.strip_suffix('s').unwrap_or(unit);
        let index = units.iter().position(|(name, _)| *name == singular)?;
        let (_, (months, days)) = *units.get(index)?;
        units = units.get(index.saturating_add(1)..)?;
        period.months = period.months.saturating_add(count.saturating_mul(months));
        period.days = period.days.saturating_add(count.saturating_mul(days));
    }
    Some(period)
}

/// The units by size, with their months and days.
const UNITS: [(&str, (u32, u32)); 3] = [("year", (12, 0)), ("month", (1, 0)), ("day", (0, 1))];

/// A number above 0, in plain digits.
fn parse_count(digits: &str) -> Option<u32> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let count = is_number.then(|| digits.parse().unwrap_or(u32::MAX))?;
    (count > 0).then_some(count)
}

/// Whether it is within the bound, a month being a twelfth of 365 days.
fn is_short(period: Period) -> bool {
    let twelfths = |count: u32, of_each: u64| u64::from(count).saturating_mul(of_each);
    let length = twelfths(period.months, 365).saturating_add(twelfths(period.days, 12));
    length <= twelfths(PERIOD_YEARS_MAX, 365 * 12)
}

#[cfg(test)]
mod tests {
    use super::{Period, is_short, parse};

    #[test]
    fn periods_are_counts_and_units() {
        for (text, months, days) in [
            ("1 day", 0, 1),
            ("30 days", 0, 30),
            ("1 month", 1, 0),
            ("1 month 3 days", 1, 3),
            ("1 year", 12, 0),
            ("2 years 1 month 1 day", 25, 1),
            ("99999999999 years", u32::MAX, 0),
        ] {
            assert_eq!(parse(text), Some(Period { months, days }), "{text:?}");
        }
        for text in [
            "",
            " ",
            "1",
            "day",
            "1day",
            "1  day",
            "1 day ",
            " 1 day",
            "0 days",
            "-1 day",
            "+1 day",
            "1.5 months",
            "1 week",
            "1 Day",
            "1 dayss",
            "3 days 1 month",
            "1 day 1 day",
            "1d",
            "1 month, 3 days",
            "١ day",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn ten_years_are_the_most() {
        for (months, days, expected) in [
            (120, 0, true),
            (120, 1, false),
            (119, 30, true),
            (119, 31, false),
            (0, 3650, true),
            (0, 3651, false),
            (u32::MAX, u32::MAX, false),
        ] {
            assert_eq!(
                is_short(Period { months, days }),
                expected,
                "{months} {days}"
            );
        }
    }
}
