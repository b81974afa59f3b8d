//! A running `bot-gateway`.

use crate::{
    Ledger, StandIns, http, in_workspace,
    process::{Process, Program},
    stand_ins::{SECRET_KEY, SHOP_ID},
};
use serde_json::{Value, json};
use std::{
    fs,
    ops::{Deref, DerefMut},
    time::{Duration, SystemTime},
};

/// The secret that Telegram sends in its header.
pub const WEBHOOK_SECRET: &str = "e2e-webhook-secret";
/// The bot's token; the stand-in takes any.
pub const BOT_TOKEN: &str = "7000000002:e2e-token";

/// A running `bot-gateway`, in front of a ledger and of stand-ins. It is also
/// the [`Process`] that it is.
pub struct Gateway {
    process: Process,
}

impl Gateway {
    /// Starts one, with its own data in `database_url`. `environment` adds to
    /// or overrides the variables that the tests share.
    ///
    /// # Panics
    /// If it doesn't become ready.
    pub async fn start(
        ledger: &Ledger,
        stand_ins: &StandIns,
        database_url: &str,
        environment: &[(&str, &str)],
    ) -> Self {
        let mut program = Program::ours("bot-gateway")
            .variable("GATEWAY_DATABASE_URL", database_url)
            .variable("GATEWAY_HTTP_ADDR", "127.0.0.1:0")
            .variable("LEDGER_URL", format!("http://{}", ledger.grpc()))
            .variable("LEDGER_BOOK", "media-lab")
            .variable("BOT_TOKEN", BOT_TOKEN)
            .variable("TELEGRAM_API_URL", stand_ins.url())
            .variable("TELEGRAM_WEBHOOK_SECRET", WEBHOOK_SECRET)
            .variable("YOOKASSA_API_URL", format!("{}/v3", stand_ins.url()))
            .variable("YOOKASSA_SHOP_ID", SHOP_ID)
            .variable("YOOKASSA_SECRET_KEY", SECRET_KEY)
            .variable("YOOKASSA_TEST", "true");
        for (name, value) in environment {
            program = program.variable(name, *value);
        }
        Self {
            process: Process::start(&program).await,
        }
    }

    /// Where it answers: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.process.address("http"))
    }

    /// Posts a body as YooKassa does; returns the status.
    pub async fn yookassa(&self, body: impl Into<Vec<u8>>) -> u16 {
        http::post(&format!("{}/yookassa/webhook", self.url()), &[], body)
            .await
            .0
    }

    /// Posts an update as Telegram does; returns the status.
    pub async fn telegram(&self, body: impl Into<Vec<u8>>) -> u16 {
        self.telegram_with_secret(WEBHOOK_SECRET, body).await
    }

    /// Posts an update with any secret; returns the status.
    pub async fn telegram_with_secret(&self, secret: &str, body: impl Into<Vec<u8>>) -> u16 {
        let headers = [("x-telegram-bot-api-secret-token", secret)];
        http::post(
            &format!("{}/telegram/media_lab", self.url()),
            &headers,
            body,
        )
        .await
        .0
    }
}

impl Deref for Gateway {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl DerefMut for Gateway {
    fn deref_mut(&mut self) -> &mut Process {
        &mut self.process
    }
}

/// A sample of `docs/examples`, as it is.
///
/// # Panics
/// If there is no such file.
#[must_use]
pub fn sample(file: &str) -> String {
    let path = in_workspace("docs/examples").join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// An update of `docs/examples`, sent so long ago: a command that costs
/// something is carried out for some minutes only.
///
/// # Panics
/// If there is no such file, or it isn't JSON.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "tests are where times come from")]
pub fn update(file: &str, age: Duration) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let sent = now.expect("a clock after 1970").saturating_sub(age);
    let mut update: Value = serde_json::from_str(&sample(file)).expect("the sample is JSON");
    update["message"]["date"] = json!(sent.as_secs());
    update.to_string()
}
