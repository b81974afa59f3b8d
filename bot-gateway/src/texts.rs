//! What users read, in Russian and English. Pure; plain text, no markup.

mod amounts;

use std::time::Duration;

pub use amounts::{quantity, wallet};

use crate::ledger::{Quantity, Wallet};

/// A language that we write in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Also for those whose neighbours read it.
    Russian,
    /// For everybody else.
    English,
}

impl Language {
    /// The language for what Telegram says of a user, e.g. `ru` or `pt-br`.
    #[must_use]
    pub fn of(code: Option<&str>) -> Self {
        let code = code
            .unwrap_or_default()
            .split(['-', '_'])
            .next()
            .unwrap_or_default();
        match code {
            "ru" | "be" | "uk" | "kk" => Self::Russian,
            _ => Self::English,
        }
    }
}

/// A message to a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// After `/start`.
    Greeting {
        /// What they have.
        wallet: Wallet,
    },
    /// After `/balance`.
    Balance {
        /// What they have.
        wallet: Wallet,
    },
    /// What the bot understands.
    Help,
    /// `/generate` without a prompt.
    GenerateUsage,
    /// An operation is paid.
    Charged {
        /// What was taken.
        price: Quantity,
        /// What is left.
        left: Wallet,
    },
    /// Too little for an operation.
    InsufficientFunds {
        /// What it costs.
        required: Quantity,
        /// What there is.
        available: Quantity,
        /// What is missing.
        shortfall: Quantity,
        /// What to top up by, if that helps.
        top_up: Option<Quantity>,
    },
    /// The account is blocked.
    Blocked,
    /// Too many operations for now.
    RateLimited {
        /// How long to wait, if known.
        wait: Option<Duration>,
    },
    /// Something went wrong that a person will look at.
    Failed,
    /// A payment arrived.
    PaymentReceived {
        /// What was paid.
        paid: Quantity,
        /// What they have now.
        wallet: Wallet,
    },
    /// Why a checkout within Telegram is refused.
    CheckoutRefused,
}

/// The message in a language.
#[must_use]
pub fn render(language: Language, text: &Text) -> String {
    match language {
        Language::Russian => russian(text),
        Language::English => english(text),
    }
}

fn russian(text: &Text) -> String {
    let amount = |one: &Quantity| quantity(Language::Russian, one);
    let all = |many: &Wallet| wallet(Language::Russian, many);
    match text {
        Text::Greeting { wallet } => {
            format!(
                "Здравствуйте!\nВаш баланс: {}.\n\n{RUSSIAN_COMMANDS}",
                all(wallet)
            )
        }
        Text::Balance { wallet } => format!("Ваш баланс: {}.", all(wallet)),
        Text::Help => RUSSIAN_COMMANDS.to_owned(),
        Text::GenerateUsage => "Напишите, что сгенерировать: /generate кот на луне".to_owned(),
        Text::Charged { price, left } => {
            format!("Оплачено: {}.\nОсталось: {}.", amount(price), all(left))
        }
        Text::InsufficientFunds {
            required,
            available,
            shortfall,
            top_up,
        } => {
            let advice = top_up
                .as_ref()
                .map(|top_up| format!("\nПополните баланс, например на {}.", amount(top_up)))
                .unwrap_or_default();
            format!(
                "Не хватает: {}. Нужно: {}, доступно: {}.{advice}",
                amount(shortfall),
                amount(required),
                amount(available)
            )
        }
        Text::Blocked => {
            "Ваш счёт заблокирован, списания невозможны. Напишите в поддержку.".to_owned()
        }
        Text::RateLimited { wait } => {
            let wait = wait
                .map(|wait| format!(" через {} мин", minutes(wait)))
                .unwrap_or_default();
            format!("Слишком много операций подряд. Попробуйте ещё раз{wait}.")
        }
        Text::Failed => "Не получилось выполнить команду. Мы уже разбираемся.".to_owned(),
        Text::PaymentReceived { paid, wallet } => {
            format!("Оплата {} получена. Баланс: {}.", amount(paid), all(wallet))
        }
        Text::CheckoutRefused => "Оплата внутри Telegram пока не принимается.".to_owned(),
    }
}

const RUSSIAN_COMMANDS: &str = "Команды:\n\
    /generate <описание> — сгенерировать изображение\n\
    /balance — показать баланс";

fn english(text: &Text) -> String {
    let amount = |one: &Quantity| quantity(Language::English, one);
    let all = |many: &Wallet| wallet(Language::English, many);
    match text {
        Text::Greeting { wallet } => {
            format!(
                "Hello!\nYour balance: {}.\n\n{ENGLISH_COMMANDS}",
                all(wallet)
            )
        }
        Text::Balance { wallet } => format!("Your balance: {}.", all(wallet)),
        Text::Help => ENGLISH_COMMANDS.to_owned(),
        Text::GenerateUsage => "Say what to generate: /generate a cat on the moon".to_owned(),
        Text::Charged { price, left } => format!("Paid: {}.\nLeft: {}.", amount(price), all(left)),
        Text::InsufficientFunds {
            required,
            available,
            shortfall,
            top_up,
        } => {
            let advice = top_up
                .as_ref()
                .map(|top_up| format!("\nTop up your balance, for example by {}.", amount(top_up)))
                .unwrap_or_default();
            format!(
                "Missing: {}. Needed: {}, available: {}.{advice}",
                amount(shortfall),
                amount(required),
                amount(available)
            )
        }
        Text::Blocked => {
            "Your account is blocked and can't be charged. Please contact support.".to_owned()
        }
        Text::RateLimited { wait } => {
            let wait = wait
                .map(|wait| format!(" in {} min", minutes(wait)))
                .unwrap_or_default();
            format!("Too many operations in a row. Try again{wait}.")
        }
        Text::Failed => "The command failed. We are looking into it.".to_owned(),
        Text::PaymentReceived { paid, wallet } => {
            format!(
                "Payment of {} received. Balance: {}.",
                amount(paid),
                all(wallet)
            )
        }
        Text::CheckoutRefused => "Payments inside Telegram are not accepted yet.".to_owned(),
    }
}

const ENGLISH_COMMANDS: &str = "Commands:\n\
    /generate <description> — generate an image\n\
    /balance — show your balance";

/// Whole minutes, rounded up: nobody should come back too early.
fn minutes(wait: Duration) -> u64 {
    wait.as_secs().div_ceil(60).max(1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Language, Quantity, Text, render};

    fn rub(amount: i64) -> Quantity {
        Quantity {
            asset: "RUB".to_owned(),
            amount,
        }
    }

    fn free(amount: i64) -> Quantity {
        Quantity {
            asset: "FREE_OP".to_owned(),
            amount,
        }
    }

    #[test]
    fn languages_follow_the_users() {
        let cases = [
            (Some("ru"), Language::Russian),
            (Some("uk"), Language::Russian),
            (Some("be"), Language::Russian),
            (Some("kk"), Language::Russian),
            (Some("ru-RU"), Language::Russian),
            (Some("en"), Language::English),
            (Some("pt-br"), Language::English),
            (Some(""), Language::English),
            (None, Language::English),
        ];
        for (code, expected) in cases {
            assert_eq!(Language::of(code), expected, "{code:?}");
        }
    }

    #[test]
    fn payments_are_told_in_both_languages() {
        let text = Text::PaymentReceived {
            paid: rub(49_900),
            wallet: vec![free(3), rub(49_900)],
        };
        assert_eq!(
            render(Language::Russian, &text),
            "Оплата 499,00 ₽ получена. Баланс: 3 бесплатные операции, 499,00 ₽."
        );
        assert_eq!(
            render(Language::English, &text),
            "Payment of 499.00 RUB received. Balance: 3 free operations, 499.00 RUB."
        );
    }

    #[test]
    fn charges_and_refusals_say_what_and_how_much() {
        let paid = Text::Charged {
            price: free(1),
            left: vec![free(0), rub(0)],
        };
        assert_eq!(
            render(Language::Russian, &paid),
            "Оплачено: 1 бесплатная операция.\nОсталось: 0 бесплатных операций, 0,00 ₽."
        );
        let poor = Text::InsufficientFunds {
            required: rub(1000),
            available: rub(250),
            shortfall: rub(750),
            top_up: Some(rub(10_000)),
        };
        assert_eq!(
            render(Language::Russian, &poor),
            "Не хватает: 7,50 ₽. Нужно: 10,00 ₽, доступно: 2,50 ₽.\n\
             Пополните баланс, например на 100,00 ₽."
        );
        assert!(render(Language::English, &poor).contains("Missing: 7.50 RUB."));
        let busy = Text::RateLimited {
            wait: Some(Duration::from_secs(61)),
        };
        assert!(render(Language::English, &busy).ends_with("in 2 min."));
    }
}
