//! Quantities as each language writes them.

use super::Language;
use crate::{
    ledger::{Quantity, Wallet},
    limits, money,
};

/// The asset of operations that cost nothing.
const FREE_OPERATION: &str = "FREE_OP";

/// All that a wallet has, in one line.
#[must_use]
pub fn wallet(language: Language, wallet: &Wallet) -> String {
    if wallet.is_empty() {
        // It must fit behind "Balance:" and behind "Left:".
        return "0".to_owned();
    }
    let shown: Vec<String> = wallet
        .iter()
        .take(limits::ASSETS_SHOWN_MAX)
        .map(|one| quantity(language, one))
        .collect();
    shown.join(", ")
}

/// One quantity: `490,00 ₽`, `490.00 RUB`, `4 бесплатные операции`, `30 XP`.
#[must_use]
pub fn quantity(language: Language, quantity: &Quantity) -> String {
    let Quantity { asset, amount } = quantity;
    match (language, asset.as_str()) {
        (Language::Russian, FREE_OPERATION) => format!("{amount} {}", russian_free(*amount)),
        (Language::English, FREE_OPERATION) => {
            let operations = if *amount == 1 {
                "operation"
            } else {
                "operations"
            };
            format!("{amount} free {operations}")
        }
        (Language::Russian, "RUB") => format!("{} ₽", decimal(*amount, ',')),
        (Language::Russian, asset) if money::is_currency(asset) => {
            format!("{} {asset}", decimal(*amount, ','))
        }
        (Language::English, asset) if money::is_currency(asset) => {
            format!("{} {asset}", decimal(*amount, '.'))
        }
        (_, asset) => format!("{amount} {asset}"),
    }
}

/// Russian has three forms: 1 and 21, 2 to 4 and 22, the rest with 11 to 14.
fn russian_free(amount: i64) -> &'static str {
    let amount = amount.unsigned_abs();
    match (amount % 10, amount % 100) {
        (1, tens) if tens != 11 => "бесплатная операция",
        (2..=4, tens) if !(12..=14).contains(&tens) => "бесплатные операции",
        _ => "бесплатных операций",
    }
}

fn decimal(minor: i64, point: char) -> String {
    let sign = if minor < 0 { "-" } else { "" };
    let minor = minor.unsigned_abs();
    format!("{sign}{}{point}{:02}", minor / 100, minor % 100)
}

#[cfg(test)]
mod tests {
    use super::{Language, Quantity, quantity, wallet};

    #[test]
    fn quantities_are_written_as_each_language_does() {
        let cases = [
            ("RUB", 49_000, "490,00 ₽", "490.00 RUB"),
            ("RUB", 5, "0,05 ₽", "0.05 RUB"),
            ("RUB", -150, "-1,50 ₽", "-1.50 RUB"),
            ("USD", 100, "1,00 USD", "1.00 USD"),
            ("XTR", 250, "250 XTR", "250 XTR"),
            ("XP", 30, "30 XP", "30 XP"),
            ("FREE_OP", 0, "0 бесплатных операций", "0 free operations"),
            ("FREE_OP", 1, "1 бесплатная операция", "1 free operation"),
            ("FREE_OP", 2, "2 бесплатные операции", "2 free operations"),
            ("FREE_OP", 4, "4 бесплатные операции", "4 free operations"),
            ("FREE_OP", 5, "5 бесплатных операций", "5 free operations"),
            (
                "FREE_OP",
                11,
                "11 бесплатных операций",
                "11 free operations",
            ),
            (
                "FREE_OP",
                12,
                "12 бесплатных операций",
                "12 free operations",
            ),
            (
                "FREE_OP",
                21,
                "21 бесплатная операция",
                "21 free operations",
            ),
            (
                "FREE_OP",
                22,
                "22 бесплатные операции",
                "22 free operations",
            ),
            (
                "FREE_OP",
                111,
                "111 бесплатных операций",
                "111 free operations",
            ),
            (
                "RUB",
                i64::MIN,
                "-92233720368547758,08 ₽",
                "-92233720368547758.08 RUB",
            ),
        ];
        for (asset, amount, russian, english) in cases {
            let one = Quantity {
                asset: asset.to_owned(),
                amount,
            };
            assert_eq!(quantity(Language::Russian, &one), russian);
            assert_eq!(quantity(Language::English, &one), english);
        }
    }

    #[test]
    fn an_empty_wallet_is_said_to_be_empty() {
        assert_eq!(wallet(Language::Russian, &Vec::new()), "0");
        assert_eq!(wallet(Language::English, &Vec::new()), "0");
    }
}
