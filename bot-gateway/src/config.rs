//! What the gateway is told at its start: defaults < environment < flags.
//!
//! Everything is read before anything is opened, and all that is wrong is told
//! together. Messages name a variable and its rule, never a secret's value.

mod flags;
mod problems;

use std::{ffi::OsString, net::SocketAddr, time::Duration};

use clap::Parser as _;
use secrecy::SecretString;
use tracing_subscriber::EnvFilter;
use url::Url;

pub use flags::{Command, Flags, InboxVerb};

use crate::inbox::DatabaseUrl;
use problems::{Problems, given};

/// Variables of the bots that move here which the gateway doesn't use, and why.
const LEFTOVERS: [(&str, &str); 8] = [
    (
        "YOOKASSA_RETURN_URL",
        "this version creates no payments, so nobody returns from one",
    ),
    (
        "YOOKASSA_WEBHOOK_URL",
        "set it in YooKassa's cabinet; here the path is /yookassa/webhook",
    ),
    (
        "WEBHOOK_URL",
        "give it to Telegram's setWebhook; here the path is /telegram/{bot}",
    ),
    ("ADMIN_IDS", "this version has no commands for admins"),
    ("ADMIN_API_KEY", "this version has no API for admins"),
    ("OPENAI_API_KEY", "this version makes no pictures"),
    ("IMAGE_API_URL", "this version makes no pictures"),
    ("REDIS_URL", "what waits is in the gateway's own database"),
];

/// What the program is to do.
#[derive(Debug)]
pub enum Task {
    /// Be the gateway.
    Serve(Box<Config>),
    /// Do something about the inbox of this database, and end.
    Inbox(DatabaseUrl, InboxVerb),
}

/// What the gateway runs with.
#[derive(Debug)]
pub struct Config {
    /// Where the inbox is kept.
    pub database: DatabaseUrl,
    /// Where the doors listen.
    pub http_addr: SocketAddr,
    /// The ledger, and our place in it.
    pub ledger: LedgerConfig,
    /// The bot's name: path segment and ledger origin.
    pub bot_name: String,
    /// The bot, if there is one.
    pub bot: Option<BotConfig>,
    /// The shop, if there is one.
    pub shop: Option<ShopConfig>,
    /// How long bodies stay with rows that don't wait.
    pub bodies_kept: Duration,
    /// What to log.
    pub log_filter: EnvFilter,
    /// How to log.
    pub log_format: LogFormat,
    /// Variables that are set and not used, with the reason.
    pub leftovers: Vec<(&'static str, &'static str)>,
}

/// The ledger, and our place in it.
#[derive(Clone, Debug)]
pub struct LedgerConfig {
    /// Its gRPC address.
    pub url: Url,
    /// The book of the bot's users.
    pub book: String,
}

/// How to be the bot.
#[derive(Clone, Debug)]
pub struct BotConfig {
    /// The Bot API.
    pub api_url: Url,
    /// The bot's token.
    pub token: SecretString,
    /// What Telegram sends with each update.
    pub webhook_secret: SecretString,
}

/// How to ask YooKassa about the shop's payments.
#[derive(Clone, Debug)]
pub struct ShopConfig {
    /// The API.
    pub api_url: Url,
    /// The shop's id.
    pub shop_id: String,
    /// The shop's key.
    pub secret_key: SecretString,
    /// Whether payments must be of the test mode.
    pub test: bool,
    /// The currency that payments must have.
    pub currency: String,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Why there is no configuration.
#[derive(Debug)]
pub enum Error {
    /// `--help`, `--version`, or a command line that can't be read.
    CommandLine(clap::Error),
    /// Everything that is wrong, a line each.
    Problems(Vec<String>),
}

impl Task {
    /// Reads the command line and, through it, the environment.
    ///
    /// # Errors
    /// With everything that is wrong.
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, Error> {
        let mut flags = Flags::try_parse_from(arguments).map_err(Error::CommandLine)?;
        if let Some(Command::Inbox { verb }) = flags.command.take() {
            let mut problems = Problems::default();
            let database = problems.database(given(&flags.database_url));
            return database
                .map(|database| Self::Inbox(database, verb))
                .ok_or(Error::Problems(problems.0));
        }
        let mut config = Config::from_flags(&flags)?;
        config.leftovers =
            leftovers(|name| std::env::var_os(name).is_some_and(|it| !it.is_empty()));
        Ok(Self::Serve(Box::new(config)))
    }
}

fn leftovers(is_set: impl Fn(&str) -> bool) -> Vec<(&'static str, &'static str)> {
    let known = LEFTOVERS.into_iter();
    known.filter(|(name, _)| is_set(name)).collect()
}

impl Config {
    /// Reads the values. What is left over of the environment isn't among them.
    ///
    /// # Errors
    /// With everything that is wrong.
    pub fn from_flags(flags: &Flags) -> Result<Self, Error> {
        let mut problems = Problems::default();
        let database = problems.database(given(&flags.database_url));
        let http_addr = problems.http_addr(given(&flags.http_addr));
        let ledger = problems.ledger(flags);
        let bot_name = problems.text(
            "GATEWAY_BOT",
            given(&flags.bot).unwrap_or("media_lab"),
            "1 to 32 of a-z, 0-9 and _",
            32,
            |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_',
        );
        let bot = problems.bot(flags);
        let shop = problems.shop(flags);
        let bodies_kept = problems.body_days(given(&flags.body_days));
        let log_filter = problems.log_filter(given(&flags.log));
        let log_format = problems.log_format(given(&flags.log_format));
        match (
            database,
            http_addr,
            ledger,
            bot_name,
            bodies_kept,
            log_filter,
            log_format,
        ) {
            (
                Some(database),
                Some(http_addr),
                Some(ledger),
                Some(bot_name),
                Some(bodies_kept),
                Some(log_filter),
                Some(log_format),
            ) if problems.0.is_empty() => Ok(Self {
                database,
                http_addr,
                ledger,
                bot_name,
                bot,
                shop,
                bodies_kept,
                log_filter,
                log_format,
                leftovers: Vec::new(),
            }),
            _ => Err(Error::Problems(problems.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::{Config, Error, InboxVerb, Task, leftovers};

    fn task(arguments: &[&str]) -> Result<Task, Error> {
        let arguments = std::iter::once("bot-gateway").chain(arguments.iter().copied());
        Task::parse(arguments.map(Into::into))
    }

    fn parse(arguments: &[&str]) -> Result<Config, Error> {
        match task(arguments)? {
            Task::Serve(config) => Ok(*config),
            other => panic!("{other:?}"),
        }
    }

    fn problems(arguments: &[&str]) -> Vec<String> {
        match parse(arguments) {
            Err(Error::Problems(problems)) => problems,
            Err(Error::CommandLine(error)) => panic!("{error}"),
            Ok(_) => Vec::new(),
        }
    }

    #[test]
    fn nothing_given_is_enough() {
        let config = parse(&[]).unwrap();
        assert_eq!(config.http_addr.to_string(), "127.0.0.1:8081");
        assert_eq!(config.ledger.url.as_str(), "http://127.0.0.1:50051/");
        assert_eq!(config.ledger.book, "media-lab");
        assert_eq!(config.bot_name, "media_lab");
        assert!(config.bot.is_none() && config.shop.is_none());
    }

    #[test]
    fn all_problems_are_told_together() {
        let found = problems(&[
            "--database-url=mysql://x/y",
            "--http-addr=8081",
            "--ledger-url=https://ledger",
            "--ledger-book=My_Book",
            "--bot=Media Lab",
            "--bot-token=1:a",
            "--yookassa-shop-id=100500",
            "--yookassa-test=maybe",
            "--yookassa-currency=rub",
            "--body-days=0",
            "--log-format=xml",
            "--telegram-api-url=ftp://x",
        ]);
        let named: Vec<&str> = found
            .iter()
            .filter_map(|line| line.split(':').next())
            .collect();
        assert_eq!(
            named,
            [
                "GATEWAY_DATABASE_URL",
                "GATEWAY_HTTP_ADDR",
                "LEDGER_URL",
                "LEDGER_BOOK",
                "GATEWAY_BOT",
                "TELEGRAM_API_URL",
                "TELEGRAM_WEBHOOK_SECRET",
                "YOOKASSA_TEST",
                "YOOKASSA_CURRENCY",
                "YOOKASSA_SECRET_KEY",
                "GATEWAY_BODY_DAYS",
                "GATEWAY_LOG_FORMAT",
            ]
        );
    }

    #[test]
    fn a_book_has_a_name_that_the_ledger_takes() {
        let longest = "b".repeat(63);
        for name in ["media-lab", "7", "a-", longest.as_str()] {
            let config = parse(&[&format!("--ledger-book={name}")]).unwrap();
            assert_eq!(config.ledger.book, name);
        }
        let longer = "b".repeat(64);
        for name in ["My_Book", "media_lab", "a.b", "-a", "книга", "a/b", &longer] {
            let found = problems(&[&format!("--ledger-book={name}")]);
            assert_eq!(found.len(), 1, "{name}");
            assert!(found[0].starts_with("LEDGER_BOOK: must "), "{found:?}");
        }
    }

    #[test]
    fn bodies_stay_for_as_many_days_as_wanted() {
        let days = |arguments| parse(arguments).unwrap().bodies_kept.as_secs() / 86_400;
        assert_eq!([days(&[]), days(&["--body-days=7"])], [90, 7]);
        for wrong in ["-1", "0", "3651", "1.5", "week"] {
            let found = problems(&[&format!("--body-days={wrong}")]);
            assert!(found[0].starts_with("GATEWAY_BODY_DAYS: "), "{found:?}");
        }
    }

    #[test]
    fn the_inbox_needs_its_database_only() {
        let wanted = ["--bot=Media Lab", "inbox", "retry", "7", "9"];
        let Task::Inbox(_, InboxVerb::Retry { ids }) = task(&wanted).unwrap() else {
            panic!("another task");
        };
        assert_eq!(ids, [7, 9]);
        let elsewhere = ["inbox", "list-parked", "--database-url=mysql://x/y"];
        assert!(matches!(task(&elsewhere), Err(Error::Problems(told)) if told.len() == 1));
        for incomplete in [
            &["inbox"][..],
            &["inbox", "retry"],
            &["inbox", "retry", "x"],
        ] {
            assert!(matches!(task(incomplete), Err(Error::CommandLine(_))));
        }
    }

    #[test]
    fn what_is_left_over_of_the_bots_is_named() {
        let set = [
            "REDIS_URL",
            "YOOKASSA_RETURN_URL",
            "YOOKASSA_WEBHOOK_URL",
            "HOME",
        ];
        let names: Vec<&str> = leftovers(|name| set.contains(&name))
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(
            names,
            ["YOOKASSA_RETURN_URL", "YOOKASSA_WEBHOOK_URL", "REDIS_URL"]
        );
    }

    #[test]
    fn secrets_are_read_and_never_shown() {
        let config = parse(&[
            "--bot-token=123:hunter2",
            "--telegram-webhook-secret=hunter2-hook",
            "--yookassa-shop-id=100500",
            "--yookassa-secret-key=test_hunter2",
            "--database-url=postgresql+asyncpg://u:hunter2@db/gateway",
        ])
        .unwrap();
        assert_eq!(
            config.bot.as_ref().unwrap().token.expose_secret(),
            "123:hunter2"
        );
        assert!(!format!("{config:?}").contains("hunter2"));
        let found = problems(&[
            "--bot-token=hunter2 token",
            "--telegram-webhook-secret=hunter2?",
            "--yookassa-shop-id=1",
            "--yookassa-secret-key=hunter2 key",
            "--database-url=postgres://u:hunter2@",
        ]);
        assert_eq!(found.len(), 4, "{found:?}");
        assert!(!found.join("\n").contains("hunter2"), "{found:?}");
    }

    #[test]
    fn empty_values_count_as_absent() {
        let config = parse(&["--bot-token=", "--yookassa-shop-id=", "--http-addr= "]).unwrap();
        assert!(config.bot.is_none() && config.shop.is_none());
    }

    #[test]
    fn help_describes_every_flag_with_its_variable() {
        let Err(Error::CommandLine(help)) = parse(&["--help"]) else {
            panic!("no help")
        };
        let help = help.to_string();
        for variable in [
            "GATEWAY_DATABASE_URL",
            "GATEWAY_HTTP_ADDR",
            "LEDGER_URL",
            "LEDGER_BOOK",
            "GATEWAY_BOT",
            "BOT_TOKEN",
            "TELEGRAM_API_URL",
            "TELEGRAM_WEBHOOK_SECRET",
            "YOOKASSA_API_URL",
            "YOOKASSA_SHOP_ID",
            "YOOKASSA_SECRET_KEY",
            "YOOKASSA_TEST",
            "YOOKASSA_CURRENCY",
            "GATEWAY_BODY_DAYS",
            "GATEWAY_LOG",
            "GATEWAY_LOG_FORMAT",
        ] {
            assert!(
                help.contains(&format!("[env: {variable}")),
                "{variable} is not in the help"
            );
        }
    }
}
