//! Reads a body within its limits, and stores it.

use std::time::Duration;

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::StreamExt as _;
use tokio::time::timeout;

use super::Doors;
use crate::{
    chain, clock,
    inbox::{Arrival, Door, Fate, Stored},
    limits,
};

/// Why a body isn't taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// More than [`limits::BODY_BYTES_MAX`].
    TooLarge,
    /// Not there within [`limits::BODY_READ_TIMEOUT`].
    TooSlow,
    /// The sender went away.
    BrokenOff,
    /// [`limits::INTAKES_MAX`] others are being taken in.
    Busy,
    /// It can't be stored.
    NoInbox,
    /// [`limits::ROWS_WAITING_MAX`] others wait.
    Full,
    /// There is no bot.
    NoBot,
    /// There is a bot, of another name.
    OtherBot,
    /// Not from Telegram.
    WrongSecret,
}

/// Reads a whole body.
///
/// # Errors
/// With the answer to give instead.
pub(super) async fn read(headers: &HeaderMap, body: Body) -> Result<Vec<u8>, Refused> {
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limits::BODY_BYTES_MAX) {
        return Err(Refused::TooLarge);
    }
    read_within(body, limits::BODY_READ_TIMEOUT).await
}

async fn read_within(body: Body, allowed: Duration) -> Result<Vec<u8>, Refused> {
    let collected = timeout(allowed, async {
        let mut bytes = Vec::new();
        let mut stream = body.into_data_stream();
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|_| Refused::BrokenOff)?;
            if bytes.len() + chunk.len() > limits::BODY_BYTES_MAX {
                return Err(Refused::TooLarge);
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    });
    collected.await.unwrap_or(Err(Refused::TooSlow))
}

impl Doors {
    /// Reads a body and stores what `arrival` makes of it: one of a bounded
    /// number at once.
    ///
    /// # Errors
    /// With the answer to give instead of 200.
    pub(super) async fn take_in(
        &self,
        door: Door,
        headers: &HeaderMap,
        body: Body,
        arrival: impl FnOnce(Vec<u8>, i64) -> Arrival,
    ) -> Result<Stored, Refused> {
        let intakes = match door {
            Door::Yookassa => &self.yookassa_intakes,
            Door::Telegram => &self.telegram_intakes,
        };
        let Ok(_permit) = intakes.try_acquire() else {
            return Err(Refused::Busy);
        };
        let body = read(headers, body).await?;
        let now_ms = clock::now_ms();
        self.store(&arrival(body, now_ms), now_ms).await
    }

    async fn store(&self, arrival: &Arrival, now_ms: i64) -> Result<Stored, Refused> {
        let door = arrival.door.name();
        let stored = timeout(limits::STORE_TIMEOUT, self.inbox.store(arrival, now_ms)).await;
        match stored {
            Ok(Ok(Stored::Full)) => {
                tracing::error!(
                    door,
                    "too many bodies wait: more are refused until fewer do"
                );
                Err(Refused::Full)
            }
            Ok(Ok(stored)) => {
                self.log(arrival, stored);
                Ok(stored)
            }
            Ok(Err(error)) => {
                tracing::error!(door, error = chain(&error), "a body can't be stored");
                Err(Refused::NoInbox)
            }
            Err(_) => {
                tracing::error!(door, "a body can't be stored in time");
                Err(Refused::NoInbox)
            }
        }
    }

    fn log(&self, arrival: &Arrival, stored: Stored) {
        let door = arrival.door.name();
        match (&arrival.fate, stored) {
            (Fate::Park { reason }, Stored::New(row)) => {
                tracing::warn!(
                    row,
                    door,
                    reason,
                    "parked at the door: somebody should look"
                );
            }
            (Fate::Wait { .. }, Stored::New(row)) => {
                tracing::debug!(row, door, "stored");
                self.wake.notify_one();
            }
            (_, Stored::Duplicate) => tracing::debug!(door, "a duplicate"),
            (_, Stored::Full) => {}
        }
    }
}

impl Refused {
    const fn status(self) -> StatusCode {
        match self {
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::BrokenOff => StatusCode::BAD_REQUEST,
            Self::OtherBot => StatusCode::NOT_FOUND,
            Self::WrongSecret => StatusCode::UNAUTHORIZED,
            Self::Busy | Self::NoInbox | Self::Full | Self::NoBot => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::TooLarge => "the body is larger than 1 MiB\n",
            Self::TooSlow => "the body took too long\n",
            Self::BrokenOff => "the body broke off\n",
            Self::OtherBot => "no such bot\n",
            Self::WrongSecret => "wrong or missing secret token\n",
            Self::Busy => "too many requests at once\n",
            Self::NoInbox => "the inbox isn't available\n",
            Self::Full => "too many bodies wait in the inbox\n",
            Self::NoBot => "this gateway has no bot: BOT_TOKEN is not set\n",
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut response = (status, self.text()).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            // Both senders repeat what isn't answered 200; this says when.
            let seconds = HeaderValue::from(limits::RETRY_AFTER_S);
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::{Body, Bytes};
    use futures::stream;

    use super::{Refused, limits, read_within};

    #[tokio::test]
    async fn a_body_that_never_ends_is_given_up() {
        let body = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
        let response = read_within(body, Duration::from_millis(1))
            .await
            .unwrap_err();
        assert_eq!(response.status(), 408);
    }

    #[tokio::test]
    async fn a_body_without_a_length_is_counted() {
        let chunk = Bytes::from(vec![b' '; limits::BODY_BYTES_MAX / 2 + 1]);
        let chunks = [chunk.clone(), chunk].map(Ok::<_, std::io::Error>);
        let body = Body::from_stream(stream::iter(chunks));
        let refused = read_within(body, Duration::from_secs(5)).await;
        assert_eq!(refused, Err(Refused::TooLarge));
    }

    #[tokio::test]
    async fn a_body_of_the_largest_size_is_read() {
        let body = Body::from(vec![b' '; limits::BODY_BYTES_MAX]);
        let bytes = read_within(body, Duration::from_secs(5)).await.unwrap();
        assert_eq!(bytes.len(), limits::BODY_BYTES_MAX);
    }
}
