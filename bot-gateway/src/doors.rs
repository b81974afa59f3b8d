//! The HTTP doors. Both do the same: look at the envelope, store the raw body,
//! wake the workers, and say 200 only then.
//!
//! A body that nobody can read is stored too, parked, and answered 200: its
//! sender would repeat it for a day, and Telegram would hold back the chat.
//! Bodies are never logged.

mod intake;
mod listener;
mod probes;
mod telegram;
mod yookassa;

use std::sync::Arc;

use axum::{
    Router,
    routing::{get, post},
};
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use tokio::sync::{Notify, Semaphore};

pub use listener::BoundedListener;

use crate::{
    inbox::{Arrival, Door, Fate, Inbox},
    ledger, limits,
    telegram::client::Client,
};

/// What the doors need.
#[derive(Clone, Debug)]
pub struct Doors {
    inbox: Inbox,
    wake: Arc<Notify>,
    ledger: ledger::Client,
    bot_name: Arc<str>,
    bot: Option<BotDoor>,
    /// One for each door: whoever floods the open one doesn't shut the bot's.
    yookassa_intakes: Arc<Semaphore>,
    telegram_intakes: Arc<Semaphore>,
}

/// What the bot's door needs.
#[derive(Clone, Debug)]
pub struct BotDoor {
    /// What Telegram sends with each update.
    pub webhook_secret: SecretString,
    /// How to answer what can't wait.
    pub client: Client,
}

impl Doors {
    /// Doors to this inbox.
    #[must_use]
    pub fn new(
        inbox: Inbox,
        wake: Arc<Notify>,
        ledger: ledger::Client,
        bot_name: &str,
        bot: Option<BotDoor>,
    ) -> Self {
        let intakes = || Arc::new(Semaphore::new(limits::INTAKES_MAX));
        let (yookassa_intakes, telegram_intakes) = (intakes(), intakes());
        Self {
            inbox,
            wake,
            ledger,
            bot_name: bot_name.into(),
            bot,
            yookassa_intakes,
            telegram_intakes,
        }
    }

    /// The routes.
    pub fn router(self) -> Router {
        Router::new()
            .route("/", get(probes::about))
            .route("/healthz", get(probes::alive))
            .route("/readyz", get(probes::ready))
            .route("/yookassa/webhook", post(yookassa::receive))
            .route("/telegram/{bot}", post(telegram::receive))
            .with_state(self)
    }
}

/// A body that has no name of its own, parked under its hash.
fn malformed(door: Door, reason: &impl ToString, body: Vec<u8>) -> Arrival {
    let key = format!("malformed:{}", sha256(&body));
    Arrival {
        door,
        source_key: key.clone(),
        content_key: String::new(),
        ordering_key: key,
        body,
        fate: Fate::Park {
            reason: reason.to_string(),
        },
    }
}

fn sha256(body: &[u8]) -> String {
    Sha256::digest(body)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
