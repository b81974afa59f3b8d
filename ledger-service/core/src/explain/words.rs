//! Words, numbers and times, as each language writes them. A number never stands
//! before a noun that would have to agree with it.

use super::LineKind;
use crate::{
    calendar::wall_time,
    catalog::{AssetKind, Catalog, Language},
    primitives::Timestamp,
};

/// What the lines of a text are made of.
pub(super) struct Words {
    /// Before the moment that the text is about.
    pub(super) balance_at: &'static str,
    /// Before what was there before the lines.
    pub(super) before: &'static str,
    /// Before what holds have reserved.
    pub(super) held: &'static str,
    /// Before what can be spent.
    pub(super) available: &'static str,
    /// Before what is owed.
    pub(super) owed: &'static str,
    /// Before the sources of what was spent.
    pub(super) from: &'static str,
    /// After an operation that cost nothing.
    pub(super) for_free: &'static str,
    /// Before the moment at which a lot will expire.
    pub(super) expires: &'static str,
    /// Before the end of a pass.
    pub(super) valid_until: &'static str,
    /// Before what will be left.
    pub(super) left: &'static str,
    /// Before the end of a hold.
    pub(super) until: &'static str,
    /// Before the number of what is not shown.
    pub(super) more: &'static str,
    /// Before the number of assets that are not shown.
    pub(super) more_assets: &'static str,
    /// Instead of everything.
    pub(super) nothing: &'static str,
}

const RUSSIAN: Words = Words {
    balance_at: "Баланс на",
    before: "было",
    held: "удержано",
    available: "доступно",
    owed: "долг",
    from: "из",
    for_free: "без списания",
    expires: "сгорит",
    valid_until: "действует до",
    left: "останется",
    until: "до",
    more: "и ещё",
    more_assets: "Ещё видов средств",
    nothing: "Движений не было.",
};

const ENGLISH: Words = Words {
    balance_at: "Balance at",
    before: "before",
    held: "held",
    available: "available",
    owed: "owed",
    from: "from",
    for_free: "nothing charged",
    expires: "will expire",
    valid_until: "valid until",
    left: "leaving",
    until: "until",
    more: "and more",
    more_assets: "Other assets",
    nothing: "Nothing has happened yet.",
};

/// The words of a language.
pub(super) const fn words(language: Language) -> &'static Words {
    match language {
        Language::Ru => &RUSSIAN,
        Language::En => &ENGLISH,
    }
}

/// What a line is called that its operation does not name.
pub(super) const fn name(
    kind: LineKind,
    asset: Option<AssetKind>,
    language: Language,
) -> &'static str {
    let (russian, english) = match kind {
        LineKind::Before => (RUSSIAN.before, ENGLISH.before),
        LineKind::Granted => ("начислено", "granted"),
        LineKind::GrantedForPeriod => ("регулярное начисление", "recurring grant"),
        LineKind::Purchased if matches!(asset, Some(AssetKind::Money)) => ("пополнение", "top-up"),
        LineKind::Purchased => ("покупка", "purchase"),
        LineKind::Charged | LineKind::Captured => ("списание", "charge"),
        LineKind::Refunded => ("возврат", "refund"),
        LineKind::Held => ("удержание", "hold"),
        LineKind::HoldReleased | LineKind::HoldExpired => ("удержание снято", "hold released"),
        LineKind::LotExpired => ("сгорело", "expired"),
        LineKind::Adjusted => ("корректировка", "adjustment"),
        LineKind::TransferSent => ("перевод", "transfer"),
        LineKind::TransferReceived => ("перевод получен", "transfer received"),
        LineKind::PaymentRefundHeld => ("возврат платежа начат", "payment refund begun"),
        LineKind::PaymentRefunded => ("возврат платежа", "payment refunded"),
        LineKind::PaymentRefundReleased => ("возврат платежа не прошёл", "payment refund failed"),
        LineKind::SubscriptionPassEnded => ("абонемент закончился", "pass ended"),
        LineKind::Other => ("изменение", "change"),
    };
    match language {
        Language::Ru => russian,
        Language::En => english,
    }
}

/// An amount of an asset: `490,00 ₽`, `490.00 RUB`, `30`. What is no money is
/// named where its lines begin.
pub(super) fn amount(catalog: &Catalog, asset: &str, minor: i64, language: Language) -> String {
    let known = catalog.assets.get(asset);
    let exponent = known.map_or(0, |known| known.exponent);
    let point = match language {
        Language::Ru => ',',
        Language::En => '.',
    };
    let number = decimal(minor, exponent, point);
    let is_money = known.is_some_and(|known| known.kind == AssetKind::Money);
    match (is_money, asset, language) {
        (false, ..) => number,
        (true, "RUB", Language::Ru) => format!("{number} ₽"),
        (true, ..) => format!("{number} {asset}"),
    }
}

/// The same with its sign, also a plus.
pub(super) fn change(catalog: &Catalog, asset: &str, minor: i64, language: Language) -> String {
    let amount = amount(catalog, asset, minor, language);
    if minor > 0 {
        format!("+{amount}")
    } else {
        amount
    }
}

/// Whole units of a number of minor ones.
fn decimal(minor: i64, exponent: u8, point: char) -> String {
    let digits = minor.unsigned_abs().to_string();
    let sign = if minor < 0 { "−" } else { "" };
    let decimals = usize::from(exponent);
    if decimals == 0 {
        return format!("{sign}{digits}");
    }
    // At least one digit stands before the point.
    let padded = format!("{digits:0>width$}", width = decimals.saturating_add(1));
    let (whole, fraction) = padded.split_at(padded.len().saturating_sub(decimals));
    format!("{sign}{whole}{point}{fraction}")
}

/// A moment on the clocks of the book.
pub(super) fn moment(at: Timestamp, time_zone: &str, language: Language) -> String {
    let Some(wall) = wall_time(at, time_zone) else {
        return "–".to_owned();
    };
    let (year, month, day) = (wall.year, wall.month, wall.day);
    let (hour, minute) = (wall.hour, wall.minute);
    match language {
        Language::Ru => format!("{day:02}.{month:02}.{year:04} {hour:02}:{minute:02}"),
        Language::En => format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn numbers_have_the_decimals_of_their_asset() {
        let table = [
            (0, 0, "0"),
            (-7, 0, "−7"),
            (0, 2, "0,00"),
            (5, 2, "0,05"),
            (-150, 2, "−1,50"),
            (49_000, 2, "490,00"),
            (1, 9, "0,000000001"),
            (i64::MIN, 2, "−92233720368547758,08"),
            (i64::MAX, 0, "9223372036854775807"),
        ];
        for (minor, exponent, expected) in table {
            assert_eq!(decimal(minor, exponent, ','), expected);
        }
    }
}
