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
    /// A command came too late to be carried out.
    Expired,
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
        Text::GenerateUsage => {
            "Напишите, что сгенерировать, например: /generate кот на луне".to_owned()
        }
        Text::Charged { price, left } => {
            format!("Списано: {}.\nОсталось: {}.", amount(price), all(left))
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
            let wait = match wait.map(whole) {
                Some(Wait::Minutes(minutes)) => format!("через {minutes} мин"),
                Some(Wait::Hours(hours)) => format!("через {hours} ч"),
                None => "позже".to_owned(),
            };
            format!("Слишком много операций подряд. Попробуйте ещё раз {wait}.")
        }
        Text::Expired => {
            "Мы не успели выполнить команду вовремя, ничего не списано. Отправьте её ещё раз."
                .to_owned()
        }
        Text::Failed => "Не удалось выполнить команду. Мы уже разбираемся.".to_owned(),
        Text::PaymentReceived { paid, wallet } => {
            format!(
                "Платёж на {} получен. Ваш баланс: {}.",
                amount(paid),
                all(wallet)
            )
        }
        Text::CheckoutRefused => "Оплата внутри Telegram пока недоступна.".to_owned(),
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
        Text::GenerateUsage => {
            "Say what to generate, for example: /generate a cat on the moon".to_owned()
        }
        Text::Charged { price, left } => {
            format!("Charged: {}.\nLeft: {}.", amount(price), all(left))
        }
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
                "You are {} short. Needed: {}, available: {}.{advice}",
                amount(shortfall),
                amount(required),
                amount(available)
            )
        }
        Text::Blocked => {
            "Your account is blocked and can't be charged. Please contact support.".to_owned()
        }
        Text::RateLimited { wait } => {
            let wait = match wait.map(whole) {
                Some(Wait::Minutes(minutes)) => format!("in {minutes} min"),
                Some(Wait::Hours(hours)) => format!("in {hours} h"),
                None => "later".to_owned(),
            };
            format!("Too many operations in a row. Try again {wait}.")
        }
        Text::Expired => "We couldn't carry out your command in time, and nothing was charged. \
             Please send it again."
            .to_owned(),
        Text::Failed => "The command failed. We are looking into it.".to_owned(),
        Text::PaymentReceived { paid, wallet } => {
            format!(
                "Payment of {} received. Your balance: {}.",
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

/// A wait in the unit that people would say it in.
enum Wait {
    Minutes(u64),
    Hours(u64),
}

/// Rounded up: nobody should come back too early.
fn whole(wait: Duration) -> Wait {
    let minutes = wait.as_secs().div_ceil(60).max(1);
    if minutes < 120 {
        Wait::Minutes(minutes)
    } else {
        Wait::Hours(minutes.div_ceil(60))
    }
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
            "Платёж на 499,00 ₽ получен. Ваш баланс: 3 бесплатные операции, 499,00 ₽."
        );
        assert_eq!(
            render(Language::English, &text),
            "Payment of 499.00 RUB received. Your balance: 3 free operations, 499.00 RUB."
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
            "Списано: 1 бесплатная операция.\nОсталось: 0 бесплатных операций, 0,00 ₽."
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
        assert!(render(Language::English, &poor).starts_with("You are 7.50 RUB short."));
    }

    #[test]
    fn a_wait_is_told_in_whole_minutes_or_hours() {
        let cases = [
            (None, "позже.", "later."),
            (Some(0), "через 1 мин.", "in 1 min."),
            (Some(61), "через 2 мин.", "in 2 min."),
            (Some(119 * 60), "через 119 мин.", "in 119 min."),
            (Some(119 * 60 + 1), "через 2 ч.", "in 2 h."),
            (Some(24 * 3600 + 1), "через 25 ч.", "in 25 h."),
        ];
        for (seconds, russian, english) in cases {
            let busy = Text::RateLimited {
                wait: seconds.map(Duration::from_secs),
            };
            let told = [Language::Russian, Language::English].map(|one| render(one, &busy));
            assert!(told[0].ends_with(russian), "{told:?}");
            assert!(told[1].ends_with(english), "{told:?}");
        }
    }

    #[test]
    fn who_came_too_late_is_asked_to_try_again() {
        let told = [Language::Russian, Language::English].map(|one| render(one, &Text::Expired));
        assert!(told[0].contains("ничего не списано. Отправьте её ещё раз"));
        assert!(told[1].contains("nothing was charged. Please send it again"));
    }
}
