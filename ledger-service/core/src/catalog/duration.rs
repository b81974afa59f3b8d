//! Durations as a catalog writes them: `30s`, `15m`, `6h`, `7d`.

/// Microseconds in a second.
pub(super) const SECOND_US: i64 = 1_000_000;
/// Microseconds in a day of 24 hours.
pub(super) const DAY_US: i64 = 86_400 * SECOND_US;

/// Reads a duration, in microseconds. Nothing if the text is not digits and one
/// of `s`, `m`, `h`, `d`; the largest number if it does not fit.
pub(super) fn parse(text: &str) -> Option<i64> {
    let (last, _) = text.char_indices().next_back()?;
    let (digits, unit) = text.split_at(last);
    let unit_us = match unit {
        "s" => SECOND_US,
        "m" => 60 * SECOND_US,
        "h" => 3600 * SECOND_US,
        "d" => DAY_US,
        _ => return None,
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().unwrap_or(i64::MAX).saturating_mul(unit_us))
}

/// Writes a duration of whole seconds in the largest unit that divides it.
pub(super) fn render(duration_us: i64) -> String {
    let seconds = duration_us.checked_div(SECOND_US).unwrap_or(0);
    let units = [(86_400, "d"), (3600, "h"), (60, "m")];
    let whole = |unit: i64| {
        (seconds > 0 && seconds.checked_rem(unit) == Some(0))
            .then(|| seconds.checked_div(unit))
            .flatten()
    };
    units
        .into_iter()
        .find_map(|(unit, name)| whole(unit).map(|count| format!("{count}{name}")))
        .unwrap_or_else(|| format!("{seconds}s"))
}

#[cfg(test)]
mod tests {
    use super::{DAY_US, SECOND_US, parse, render};

    #[test]
    fn durations_are_digits_and_a_unit() {
        assert_eq!(parse("0s"), Some(0));
        assert_eq!(parse("1s"), Some(SECOND_US));
        assert_eq!(parse("15m"), Some(900 * SECOND_US));
        assert_eq!(parse("6h"), Some(21_600 * SECOND_US));
        assert_eq!(parse("7d"), Some(7 * DAY_US));
        assert_eq!(parse("99999999999999999999d"), Some(i64::MAX));
        for text in [
            "", "d", "7", "7 d", "-7d", "+7d", "1.5h", "1h30m", "7w", "7D", "7д", "٧d",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn durations_are_written_in_the_largest_unit() {
        for text in ["0s", "1s", "90s", "15m", "25h", "3650d"] {
            assert_eq!(parse(text).map(render).as_deref(), Some(text));
        }
        assert_eq!(render(3600 * SECOND_US), "1h");
    }
}
