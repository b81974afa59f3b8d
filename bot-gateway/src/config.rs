//! What the gateway is told at its start: defaults < environment < flags.
//!
//! Everything is read before anything is opened, and all that is wrong is told
//! together. Messages name a variable and its rule, never a secret's value.

mod flags;

use std::{ffi::OsString, net::SocketAddr};

use clap::Parser as _;
use secrecy::SecretString;
use tracing_subscriber::EnvFilter;
use url::Url;

pub use flags::Flags;

use crate::{inbox::DatabaseUrl, money};

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
    /// What to log.
    pub log_filter: EnvFilter,
    /// How to log.
    pub log_format: LogFormat,
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

impl Config {
    /// Reads the command line and, through it, the environment.
    ///
    /// # Errors
    /// With everything that is wrong.
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, Error> {
        let flags = Flags::try_parse_from(arguments).map_err(Error::CommandLine)?;
        Self::from_flags(&flags)
    }

    /// Reads the values.
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
        let log_filter = problems.log_filter(given(&flags.log));
        let log_format = problems.log_format(given(&flags.log_format));
        match (
            database, http_addr, ledger, bot_name, log_filter, log_format,
        ) {
            (
                Some(database),
                Some(http_addr),
                Some(ledger),
                Some(bot_name),
                Some(log_filter),
                Some(log_format),
            ) if problems.0.is_empty() => Ok(Self {
                database,
                http_addr,
                ledger,
                bot_name,
                bot,
                shop,
                log_filter,
                log_format,
            }),
            _ => Err(Error::Problems(problems.0)),
        }
    }
}

/// A value that is given: an empty variable counts as absent, since that is
/// how compose files and CI pass "nothing".
fn given(value: &Option<String>) -> Option<&str> {
    value
        .as_deref()
        .map(str::trim)
        .filter(|value| !value.is_empty())
}

/// What is wrong so far. Each reader answers `None` after it added a line.
#[derive(Default)]
struct Problems(Vec<String>);

impl Problems {
    fn add(&mut self, variable: &str, problem: impl std::fmt::Display) {
        self.0.push(format!("{variable}: {problem}"));
    }

    fn database(&mut self, value: Option<&str>) -> Option<DatabaseUrl> {
        DatabaseUrl::parse(value.unwrap_or("sqlite:///./gateway.db"))
            .map_err(|problem| self.add("GATEWAY_DATABASE_URL", problem))
            .ok()
    }

    fn http_addr(&mut self, value: Option<&str>) -> Option<SocketAddr> {
        let value = value.unwrap_or("127.0.0.1:8081");
        let problem = "must be an address and a port, e.g. 127.0.0.1:8081 or [::1]:8081";
        value
            .parse()
            .map_err(|_| self.add("GATEWAY_HTTP_ADDR", problem))
            .ok()
    }

    fn ledger(&mut self, flags: &Flags) -> Option<LedgerConfig> {
        let url = self.url(
            "LEDGER_URL",
            given(&flags.ledger_url).unwrap_or("http://127.0.0.1:50051"),
        );
        if url.as_ref().is_some_and(|url| url.scheme() != "http") {
            self.add(
                "LEDGER_URL",
                "must begin with http://: TLS to the ledger isn't supported yet",
            );
        }
        let book = self.text(
            "LEDGER_BOOK",
            given(&flags.ledger_book).unwrap_or("media-lab"),
            "1 to 64 of A-Z, a-z, 0-9, . _ and -",
            64,
            |c| c.is_ascii_alphanumeric() || "._-".contains(c),
        );
        Some(LedgerConfig {
            url: url?,
            book: book?,
        })
    }

    fn bot(&mut self, flags: &Flags) -> Option<BotConfig> {
        let api_url = self.url(
            "TELEGRAM_API_URL",
            given(&flags.telegram_api_url).unwrap_or("https://api.telegram.org"),
        );
        let secret = given(&flags.telegram_webhook_secret).and_then(|secret| {
            self.text(
                "TELEGRAM_WEBHOOK_SECRET",
                secret,
                "1 to 256 of A-Z, a-z, 0-9, _ and -",
                256,
                |c| c.is_ascii_alphanumeric() || "_-".contains(c),
            )
        });
        let token = given(&flags.bot_token).and_then(|token| {
            self.text(
                "BOT_TOKEN",
                token,
                "a token as @BotFather gives it: at most 256 of A-Z, a-z, 0-9, : _ and -",
                256,
                |c| c.is_ascii_alphanumeric() || ":_-".contains(c),
            )
        });
        if given(&flags.bot_token).is_some() && given(&flags.telegram_webhook_secret).is_none() {
            self.add(
                "TELEGRAM_WEBHOOK_SECRET",
                "is required with BOT_TOKEN: without it anybody could send updates",
            );
        }
        Some(BotConfig {
            api_url: api_url?,
            token: token?.into(),
            webhook_secret: secret?.into(),
        })
    }

    fn shop(&mut self, flags: &Flags) -> Option<ShopConfig> {
        let api_url = self.url(
            "YOOKASSA_API_URL",
            given(&flags.yookassa_api_url).unwrap_or("https://api.yookassa.ru/v3"),
        );
        let test = self.bool(
            "YOOKASSA_TEST",
            given(&flags.yookassa_test).unwrap_or("false"),
        );
        let currency = given(&flags.yookassa_currency).unwrap_or("RUB").to_owned();
        if !money::is_currency(&currency) {
            let known = money::CURRENCIES.join(", ");
            self.add("YOOKASSA_CURRENCY", format_args!("must be one of {known}"));
        }
        let (shop_id, key) = match (
            given(&flags.yookassa_shop_id),
            given(&flags.yookassa_secret_key),
        ) {
            (Some(shop_id), Some(key)) => (shop_id, key),
            (None, None) => return None,
            (Some(_), None) => {
                self.add("YOOKASSA_SECRET_KEY", "is required with YOOKASSA_SHOP_ID");
                return None;
            }
            (None, Some(_)) => {
                self.add("YOOKASSA_SHOP_ID", "is required with YOOKASSA_SECRET_KEY");
                return None;
            }
        };
        let is_id = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
        let shop_id = self.text(
            "YOOKASSA_SHOP_ID",
            shop_id,
            "1 to 64 of A-Z, a-z, 0-9, _ and -",
            64,
            is_id,
        );
        let key = self.text(
            "YOOKASSA_SECRET_KEY",
            key,
            "1 to 256 visible ASCII characters",
            256,
            |c| c.is_ascii_graphic(),
        );
        Some(ShopConfig {
            api_url: api_url?,
            shop_id: shop_id?,
            secret_key: key?.into(),
            test: test?,
            currency,
        })
    }

    fn log_filter(&mut self, value: Option<&str>) -> Option<EnvFilter> {
        EnvFilter::try_new(value.unwrap_or("info"))
            .map_err(|_| {
                self.add(
                    "GATEWAY_LOG",
                    "must be a filter, e.g. info or bot_gateway=debug",
                );
            })
            .ok()
    }

    fn log_format(&mut self, value: Option<&str>) -> Option<LogFormat> {
        match value.unwrap_or("text") {
            "text" => Some(LogFormat::Text),
            "json" => Some(LogFormat::Json),
            _ => {
                self.add("GATEWAY_LOG_FORMAT", "must be text or json");
                None
            }
        }
    }

    fn text(
        &mut self,
        variable: &str,
        value: &str,
        rule: &str,
        length_max: usize,
        allowed: impl Fn(char) -> bool,
    ) -> Option<String> {
        if !value.is_empty() && value.len() <= length_max && value.chars().all(allowed) {
            return Some(value.to_owned());
        }
        self.add(variable, format_args!("must be {rule}"));
        None
    }

    fn bool(&mut self, variable: &str, value: &str) -> Option<bool> {
        match value.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Some(true),
            "false" | "0" | "no" | "off" => Some(false),
            _ => {
                self.add(variable, "must be true or false");
                None
            }
        }
    }

    /// An absolute http or https URL, without a slash at its end, so that a
    /// path can be put behind it.
    fn url(&mut self, variable: &str, value: &str) -> Option<Url> {
        let url = Url::parse(value.trim_end_matches('/')).ok().filter(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
                && url.fragment().is_none()
        });
        if url.is_none() {
            self.add(
                variable,
                "must be a URL with http:// or https:// and nothing after its path",
            );
        }
        url
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::{Config, Error};

    fn parse(arguments: &[&str]) -> Result<Config, Error> {
        Config::parse(
            std::iter::once("bot-gateway")
                .chain(arguments.iter().copied())
                .map(Into::into),
        )
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
            "--bot=Media Lab",
            "--bot-token=1:a",
            "--yookassa-shop-id=100500",
            "--yookassa-test=maybe",
            "--yookassa-currency=rub",
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
                "GATEWAY_BOT",
                "TELEGRAM_API_URL",
                "TELEGRAM_WEBHOOK_SECRET",
                "YOOKASSA_TEST",
                "YOOKASSA_CURRENCY",
                "YOOKASSA_SECRET_KEY",
                "GATEWAY_LOG_FORMAT",
            ]
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
