//! Reads values one by one, and keeps what is wrong with them.

use std::{net::SocketAddr, time::Duration};

use tracing_subscriber::EnvFilter;
use url::Url;

use super::{BotConfig, Flags, LedgerConfig, LogFormat, ShopConfig};
use crate::{inbox::DatabaseUrl, limits, money};

/// A value that is given: an empty variable counts as absent, since that is
/// how compose files and CI pass "nothing".
pub(super) fn given(value: &Option<String>) -> Option<&str> {
    value
        .as_deref()
        .map(str::trim)
        .filter(|value| !value.is_empty())
}

/// What is wrong so far. Each reader answers `None` after it added a line.
#[derive(Default)]
pub(super) struct Problems(pub(super) Vec<String>);

impl Problems {
    fn add(&mut self, variable: &str, problem: impl std::fmt::Display) {
        self.0.push(format!("{variable}: {problem}"));
    }

    pub(super) fn database(&mut self, value: Option<&str>) -> Option<DatabaseUrl> {
        DatabaseUrl::parse(value.unwrap_or("sqlite:///./gateway.db"))
            .map_err(|problem| self.add("GATEWAY_DATABASE_URL", problem))
            .ok()
    }

    pub(super) fn http_addr(&mut self, value: Option<&str>) -> Option<SocketAddr> {
        let value = value.unwrap_or("127.0.0.1:8081");
        let problem = "must be an address and a port, e.g. 127.0.0.1:8081 or [::1]:8081";
        value
            .parse()
            .map_err(|_| self.add("GATEWAY_HTTP_ADDR", problem))
            .ok()
    }

    pub(super) fn ledger(&mut self, flags: &Flags) -> Option<LedgerConfig> {
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
        let book = self.book(given(&flags.ledger_book).unwrap_or("media-lab"));
        Some(LedgerConfig {
            url: url?,
            book: book?,
        })
    }

    /// The ledger's own rule: it would refuse each call under another name, and
    /// each payment would be parked.
    fn book(&mut self, name: &str) -> Option<String> {
        if name.starts_with('-') {
            self.add("LEDGER_BOOK", "must not begin with -");
            return None;
        }
        self.text(
            "LEDGER_BOOK",
            name,
            "1 to 63 of a-z, 0-9 and -, the first one no -",
            63,
            |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-',
        )
    }

    pub(super) fn bot(&mut self, flags: &Flags) -> Option<BotConfig> {
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

    pub(super) fn shop(&mut self, flags: &Flags) -> Option<ShopConfig> {
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

    /// Whole days, as a duration.
    pub(super) fn body_days(&mut self, value: Option<&str>) -> Option<Duration> {
        let days = value.map_or(Some(limits::BODY_DAYS_DEFAULT), |days| days.parse().ok());
        let known = days.filter(|days| (1..=limits::BODY_DAYS_MAX).contains(days));
        if known.is_none() {
            self.add(
                "GATEWAY_BODY_DAYS",
                format_args!(
                    "must be a number of days from 1 to {}",
                    limits::BODY_DAYS_MAX
                ),
            );
        }
        known.map(|days| Duration::from_secs(u64::from(days) * 24 * 3600))
    }

    pub(super) fn log_filter(&mut self, value: Option<&str>) -> Option<EnvFilter> {
        EnvFilter::try_new(value.unwrap_or("info"))
            .map_err(|_| {
                self.add(
                    "GATEWAY_LOG",
                    "must be a filter, e.g. info or bot_gateway=debug",
                );
            })
            .ok()
    }

    pub(super) fn log_format(&mut self, value: Option<&str>) -> Option<LogFormat> {
        match value.unwrap_or("text") {
            "text" => Some(LogFormat::Text),
            "json" => Some(LogFormat::Json),
            _ => {
                self.add("GATEWAY_LOG_FORMAT", "must be text or json");
                None
            }
        }
    }

    pub(super) fn text(
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
