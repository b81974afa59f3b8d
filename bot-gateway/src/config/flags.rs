//! The command line as `--help` shows it. Values are text here: reading them
//! is [`super::Config`]'s, so that all that is wrong is told at once.

use clap::{Parser, Subcommand};

/// Turns Telegram updates and YooKassa notifications into calls on the ledger.
///
/// Every flag can be given as the environment variable named beside it; a flag
/// wins over its variable, an empty variable counts as absent. Prefer
/// variables for secrets: other users of the machine can read a command line.
#[derive(Parser)]
#[command(
    name = "bot-gateway",
    version,
    disable_help_subcommand = true,
    after_help = "\
Paths:
  POST /telegram/{bot}      give this to setWebhook, with the secret
  POST /yookassa/webhook    give this to YooKassa: Integration, HTTP notifications
  GET  /healthz, /readyz    the process is alive; the database and the ledger answer

When it is ready, it prints one line: bot-gateway ready http=ADDRESS
Exit codes: 0 after SIGINT or SIGTERM, 64 if a setting is wrong, 1 if it can't start."
)]
pub struct Flags {
    /// What to do instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Where the inbox is kept. `sqlite:///./gateway.db` is a path relative to
    /// the working directory, `sqlite:////var/lib/gateway.db` (four slashes)
    /// an absolute one; `postgresql://user:password@host/name` uses the schema
    /// `gateway` there. Driver suffixes such as `+asyncpg` are dropped.
    /// [default: sqlite:///./gateway.db]
    #[arg(
        long,
        value_name = "URL",
        env = "GATEWAY_DATABASE_URL",
        hide_env_values = true,
        global = true
    )]
    pub database_url: Option<String>,

    /// Where to listen; port 0 takes a free one. [default: 127.0.0.1:8081]
    #[arg(long, value_name = "ADDRESS", env = "GATEWAY_HTTP_ADDR")]
    pub http_addr: Option<String>,

    /// The ledger's gRPC address. [default: http://127.0.0.1:50051]
    #[arg(long, value_name = "URL", env = "LEDGER_URL")]
    pub ledger_url: Option<String>,

    /// The ledger's book that this bot's users are in: 1 to 63 of a-z, 0-9 and
    /// -, the first one no -. [default: media-lab]
    #[arg(long, value_name = "BOOK", env = "LEDGER_BOOK")]
    pub ledger_book: Option<String>,

    /// The bot's name: last part of its webhook's path, and the origin of its
    /// events in the ledger. 1 to 32 of a-z, 0-9 and _. [default: media_lab]
    #[arg(long, value_name = "NAME", env = "GATEWAY_BOT")]
    pub bot: Option<String>,

    /// The bot's token from @BotFather. Without it there is no bot, and users
    /// are not told of their payments.
    #[arg(long, value_name = "TOKEN", env = "BOT_TOKEN", hide_env_values = true)]
    pub bot_token: Option<String>,

    /// The Bot API. [default: `https://api.telegram.org`]
    #[arg(
        long,
        value_name = "URL",
        env = "TELEGRAM_API_URL",
        hide_env_values = true
    )]
    pub telegram_api_url: Option<String>,

    /// What Telegram must send as X-Telegram-Bot-Api-Secret-Token: 1 to 256 of
    /// A-Z, a-z, 0-9, _ and -. Required with a token.
    #[arg(
        long,
        value_name = "SECRET",
        env = "TELEGRAM_WEBHOOK_SECRET",
        hide_env_values = true
    )]
    pub telegram_webhook_secret: Option<String>,

    /// The YooKassa API. [default: `https://api.yookassa.ru/v3`]
    #[arg(
        long,
        value_name = "URL",
        env = "YOOKASSA_API_URL",
        hide_env_values = true
    )]
    pub yookassa_api_url: Option<String>,

    /// The shop's id. Without it notifications are stored and wait.
    #[arg(long, value_name = "ID", env = "YOOKASSA_SHOP_ID")]
    pub yookassa_shop_id: Option<String>,

    /// The shop's secret key. Given if and only if the shop's id is.
    #[arg(
        long,
        value_name = "KEY",
        env = "YOOKASSA_SECRET_KEY",
        hide_env_values = true
    )]
    pub yookassa_secret_key: Option<String>,

    /// Whether payments must be of the test mode: true for a test shop. A
    /// payment of the other mode is parked. [default: false]
    #[arg(long, value_name = "BOOL", env = "YOOKASSA_TEST")]
    pub yookassa_test: Option<String>,

    /// The currency that the shop takes. [default: RUB]
    #[arg(long, value_name = "CODE", env = "YOOKASSA_CURRENCY")]
    pub yookassa_currency: Option<String>,

    /// How many days bodies stay that nothing will be done about: of rows that
    /// are parked or done. They hold names and digits of cards. [default: 90]
    #[arg(long, value_name = "DAYS", env = "GATEWAY_BODY_DAYS")]
    pub body_days: Option<String>,

    /// What to log, e.g. `info` or `warn,bot_gateway=debug`. [default: info]
    #[arg(long, value_name = "FILTER", env = "GATEWAY_LOG")]
    pub log: Option<String>,

    /// How to log: text or json. [default: text]
    #[arg(long, value_name = "FORMAT", env = "GATEWAY_LOG_FORMAT")]
    pub log_format: Option<String>,
}

/// What to do instead of serving.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Shows which rows of the inbox are parked, or has some tried again.
    Inbox {
        /// What of it.
        #[command(subcommand)]
        verb: InboxVerb,
    },
}

/// What to do about the inbox.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum InboxVerb {
    /// Lists the rows that are parked, the oldest first.
    ///
    /// A row is a line of columns with tabs between them: its id, the door that
    /// it came in by, when (UTC), how often it was tried, what its sender calls
    /// it, and why it is parked. Bodies are not shown: they hold personal data.
    ListParked,
    /// Has parked rows tried again, once their cause is mended.
    ///
    /// They wait as if they had just come in; a gateway that runs finds them by
    /// itself. Nothing is charged or credited twice by it. A row whose
    /// body is gone (see GATEWAY_BODY_DAYS) can't be tried again. Exit code 1
    /// if one of them can't.
    Retry {
        /// The ids that list-parked shows.
        #[arg(required = true, value_name = "ID")]
        ids: Vec<i64>,
    },
}
