//! Shares of a payment: `10%`, `0.25%`.

use super::decimal;
use super::reader::Node;
use super::report::Report;

/// Digits after the point of a percent.
const PERCENT_DIGITS: u8 = 2;

/// Hundredths of a percent in a whole.
const WHOLE_BP: i64 = 10_000;

/// Reads a share, in hundredths of a percent: 1 to 10 000.
pub(super) fn read(node: &Node<'_>, report: &mut Report) -> Option<i64> {
    let text = node.string(report)?;
    let share_bp = parse(text);
    if share_bp.is_none() {
        let message = "must be 0.01% to 100% with two digits after the point or less, like \"10%\"";
        report.add(&node.place, message);
    }
    share_bp
}

fn parse(text: &str) -> Option<i64> {
    let percent = text.strip_suffix('%')?;
    let share_bp = decimal::parse(percent, PERCENT_DIGITS).ok()?;
    (1..=WHOLE_BP).contains(&share_bp).then_some(share_bp)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn shares_are_percents() {
        for (text, expected) in [("0.01%", 1), ("0.5%", 50), ("10%", 1000), ("100%", 10_000)] {
            assert_eq!(parse(text), Some(expected), "{text}");
        }
        for text in [
            "", "%", "10", "0%", "0.00%", "0.001%", "100.01%", "-1%", "10 %", "1,5%", "1e1%",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
