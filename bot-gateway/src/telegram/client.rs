//! The two Bot API calls that the gateway makes.
//!
//! The token is part of every URL, so no error keeps one. There is no
//! idempotency key: a repeated `sendMessage` may show twice.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use thiserror::Error;
use url::Url;

use crate::{config::BotConfig, http_client, limits};

/// Why a call failed.
#[derive(Debug, Error)]
pub enum Error {
    /// The call can't succeed: the user blocked the bot, the chat is gone, the
    /// query is too old.
    #[error("Telegram refuses the call ({0})")]
    Refused(u16),
    /// The token is wrong.
    #[error("Telegram refuses the bot's token ({0})")]
    Token(u16),
    /// It may succeed later.
    #[error("Telegram can't take the call now ({status})")]
    Later {
        /// The error's code.
        status: u16,
        /// How long to wait.
        after: Option<Duration>,
    },
    /// No answer, or one that isn't the Bot API's.
    #[error("Telegram doesn't answer: {}", .0.reason())]
    Transport(#[source] http_client::Error),
}

#[derive(Deserialize)]
struct Answer {
    ok: bool,
    parameters: Option<Parameters>,
}

#[derive(Deserialize)]
struct Parameters {
    retry_after: Option<u64>,
}

/// A client of one bot.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    token: SecretString,
}

impl Client {
    /// A client of the bot.
    ///
    /// # Errors
    /// If TLS can't be set up.
    pub fn new(bot: &BotConfig) -> Result<Self, reqwest::Error> {
        Ok(Self {
            http: http_client::build(&bot.api_url, limits::TELEGRAM_TIMEOUT)?,
            base: bot.api_url.clone(),
            token: bot.token.clone(),
        })
    }

    /// Sends plain text.
    ///
    /// # Errors
    /// If Telegram doesn't take it.
    pub async fn send_message(&self, chat_id: i64, text: &str) -> Result<(), Error> {
        self.call("sendMessage", &json!({ "chat_id": chat_id, "text": text }))
            .await
    }

    /// Refuses a checkout, with a reason that the user sees.
    ///
    /// # Errors
    /// If Telegram doesn't take it.
    pub async fn refuse_checkout(&self, query_id: &str, text: &str) -> Result<(), Error> {
        let answer =
            json!({ "pre_checkout_query_id": query_id, "ok": false, "error_message": text });
        self.call("answerPreCheckoutQuery", &answer).await
    }

    async fn call(&self, method: &str, parameters: &Value) -> Result<(), Error> {
        let base = self.base.as_str().trim_end_matches('/');
        let url = format!("{base}/bot{}/{method}", self.token.expose_secret());
        let sent = self.http.post(url).json(parameters).send().await;
        let response = sent.map_err(|error| Error::Transport(error.into()))?;
        let status = response.status().as_u16();
        let body = http_client::read(response)
            .await
            .map_err(Error::Transport)?;
        let answer: Option<Answer> = serde_json::from_slice(&body).ok();
        if status == 200 && answer.as_ref().is_some_and(|answer| answer.ok) {
            return Ok(());
        }
        Err(refusal(status, answer))
    }
}

/// What a refusal means. An answer that isn't the Bot API's comes from
/// something between, and may pass.
fn refusal(status: u16, answer: Option<Answer>) -> Error {
    let Some(answer) = answer else {
        return Error::Later {
            status,
            after: None,
        };
    };
    let after = answer
        .parameters
        .and_then(|parameters| parameters.retry_after);
    match status {
        // 404 is what a token in a wrong shape gets.
        401 | 404 => Error::Token(status),
        200..=299 | 408 | 429 | 500..=599 => Error::Later {
            status,
            after: after.map(Duration::from_secs),
        },
        _ => Error::Refused(status),
    }
}
