//! `POST /telegram/{bot}`.

use axum::{
    extract::{Path, Request, State},
    http::{HeaderMap, StatusCode},
};
use secrecy::{ExposeSecret as _, SecretString};
use subtle::ConstantTimeEq as _;

use super::{BotDoor, Doors, intake::Refused, malformed};
use crate::{
    chain,
    inbox::{Arrival, Door, Fate, Outcome, Stored},
    limits,
    telegram::update::{Envelope, PreCheckout},
    worker::refuse_checkout,
};

const SECRET_HEADER: &str = "x-telegram-bot-api-secret-token";

/// Takes an update in. One before a checkout is answered before it is done,
/// since Telegram gives it ten seconds and workers may be busy.
pub(super) async fn receive(
    State(doors): State<Doors>,
    Path(name): Path<String>,
    request: Request,
) -> Result<StatusCode, Refused> {
    let (parts, body) = request.into_parts();
    let Some(bot) = doors.bot.clone() else {
        return Err(Refused::NoBot);
    };
    if *name != *doors.bot_name {
        return Err(Refused::OtherBot);
    }
    if !is_from_telegram(&parts.headers, &bot.webhook_secret) {
        // Telegram will repeat it, so that a wrong secret shows here.
        tracing::warn!("an update without the webhook's secret is refused");
        return Err(Refused::WrongSecret);
    }
    let mut pre_checkout = None;
    let take = |body, now_ms| arrival(&doors.bot_name, body, now_ms, &mut pre_checkout);
    let stored = doors
        .take_in(Door::Telegram, &parts.headers, body, take)
        .await?;
    if let (Stored::New(row), Some(query)) = (stored, pre_checkout) {
        doors.refuse(&bot, row, &query).await;
    }
    Ok(StatusCode::OK)
}

impl Doors {
    async fn refuse(&self, bot: &BotDoor, row: i64, query: &PreCheckout) {
        refuse_checkout(&bot.client, query).await;
        if let Err(error) = self.inbox.settle(row, &Outcome::Done).await {
            tracing::warn!(
                row,
                error = chain(&error),
                "a worker will answer the checkout again"
            );
        }
    }
}

/// In constant time, so that the secret can't be found byte by byte.
fn is_from_telegram(headers: &HeaderMap, secret: &SecretString) -> bool {
    let given = headers
        .get(SECRET_HEADER)
        .map_or(&b""[..], |value| value.as_bytes());
    bool::from(given.ct_eq(secret.expose_secret().as_bytes()))
}

fn arrival(
    bot_name: &str,
    body: Vec<u8>,
    now_ms: i64,
    pre_checkout: &mut Option<PreCheckout>,
) -> Arrival {
    let envelope = match Envelope::parse(&body) {
        Ok(envelope) => envelope,
        Err(reason) => return malformed(Door::Telegram, &reason, body),
    };
    *pre_checkout = envelope.pre_checkout;
    let grace = if pre_checkout.is_some() {
        limits::PRE_CHECKOUT_GRACE
    } else {
        <_>::default()
    };
    let grace_ms = i64::try_from(grace.as_millis()).unwrap_or_default();
    Arrival {
        door: Door::Telegram,
        source_key: format!("{bot_name}:{}", envelope.update_id),
        content_key: String::new(),
        ordering_key: envelope.ordering_key,
        body,
        fate: Fate::Wait {
            not_before_ms: now_ms.saturating_add(grace_ms),
        },
    }
}
