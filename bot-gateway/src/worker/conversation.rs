//! Handles Telegram updates: decide, ask the ledger, answer.

use tokio::time::timeout;

use super::{Handlers, Verdict};
use crate::{
    dialogue::{self, Answer, Decision, Reply, Step, Turn},
    inbox::Row,
    ledger::Failure,
    limits,
    telegram::{
        client::{Client, Error},
        update::{PreCheckout, Update},
    },
    texts::{Language, Text, render},
};

impl Handlers {
    /// Handles one update.
    pub(super) async fn telegram(&self, row: &Row) -> Verdict {
        let Some(bot) = &self.bot else {
            return Verdict::retry("no bot is configured");
        };
        let update = match Update::parse(&row.body) {
            Ok(update) => update,
            Err(malformed) => return Verdict::park(&malformed),
        };
        match dialogue::decide(&self.bot_name, update) {
            Decision::Ignore => Verdict::Done,
            Decision::Park { reason } => Verdict::Park { reason },
            Decision::RefuseCheckout(query) => {
                refuse_checkout(bot, &query).await;
                Verdict::Done
            }
            Decision::Converse(turn) => self.converse(bot, turn).await,
        }
    }

    async fn converse(&self, bot: &Client, turn: Turn) -> Verdict {
        let Turn {
            chat_id,
            language,
            account,
            step,
        } = turn;
        let answer = match step {
            Step::Say(text) => return tell(bot, chat_id, language, &text).await,
            step => self.ask(&account, step).await,
        };
        let failure = answer.as_ref().err().cloned();
        match (dialogue::reply(answer.as_ref()), failure) {
            (Reply::Tell(text), _) => tell(bot, chat_id, language, &text).await,
            (Reply::TellAndPark(text), failure) => {
                // The user hears of it if that works; the row is parked anyway.
                let _ = bot.send_message(chat_id, &render(language, &text)).await;
                failure.map_or_else(
                    || Verdict::park("ledger"),
                    |failure| Verdict::park(&failure),
                )
            }
            (Reply::AskAgain, failure) => failure.map_or_else(
                || Verdict::retry("ledger"),
                |failure| Verdict::of_ledger(&failure),
            ),
        }
    }

    async fn ask(&self, account: &str, step: Step) -> Result<Answer, Failure> {
        match step {
            Step::Open { request_id } => self
                .ledger
                .open_account(account, request_id)
                .await
                .map(Answer::Opened),
            Step::Charge {
                operation,
                request_id,
                external_id,
                expires_at_ms,
            } => self
                .ledger
                .charge(account, operation, request_id, &external_id, expires_at_ms)
                .await
                .map(Answer::Charged),
            Step::Balance | Step::Say(_) => self.ledger.balance(account).await.map(Answer::Balance),
        }
    }
}

async fn tell(bot: &Client, chat_id: i64, language: Language, text: &Text) -> Verdict {
    match bot.send_message(chat_id, &render(language, text)).await {
        Ok(()) => Verdict::Done,
        Err(error) => {
            if let Error::Refused(status) = error {
                tracing::info!(
                    status,
                    "an answer can't be delivered: the user may have left"
                );
            }
            Verdict::of_telegram(&error)
        }
    }
}

/// Says no to a checkout, once and in time: money must not move before this
/// version can credit it. Silence would end in the same no, later.
pub async fn refuse_checkout(bot: &Client, query: &PreCheckout) {
    let language = Language::of(query.language_code.as_deref());
    let text = render(language, &Text::CheckoutRefused);
    let answered = bot.refuse_checkout(&query.query_id, &text);
    match timeout(limits::PRE_CHECKOUT_TIMEOUT, answered).await {
        Ok(Ok(())) => tracing::info!("a checkout within Telegram is refused"),
        Ok(Err(error)) => {
            tracing::info!(%error, "a checkout isn't answered: Telegram will end it");
        }
        Err(_) => tracing::info!("a checkout isn't answered in time: Telegram will end it"),
    }
}
