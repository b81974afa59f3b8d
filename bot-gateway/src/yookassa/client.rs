//! Reads payments from YooKassa's API.

use std::{collections::BTreeMap, time::Duration};

use reqwest::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use thiserror::Error;
use url::Url;

use super::Amount;
use crate::{config::ShopConfig, http_client, limits};

/// A payment as the API shows it, as far as it is needed.
#[derive(Clone, Debug, Deserialize)]
pub struct Payment {
    /// Its id.
    pub id: String,
    /// `pending`, `waiting_for_capture`, `succeeded` or `canceled`.
    pub status: String,
    /// Whether the payer paid. True before a capture too.
    pub paid: bool,
    /// What was paid.
    pub amount: Amount,
    /// What the payer got back since: a refund leaves the status as it is.
    pub refunded_amount: Option<Amount>,
    /// What the shop gets after the fee, once that is known.
    pub income_amount: Option<Amount>,
    /// Which shop.
    pub recipient: Recipient,
    /// Whether it is of the test mode.
    pub test: bool,
    /// When it was created, RFC 3339.
    pub created_at: String,
    /// When it was captured, RFC 3339.
    pub captured_at: Option<String>,
    /// What the shop wrote at its creation.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    /// The invoice it paid, if any.
    pub invoice_details: Option<InvoiceDetails>,
}

/// Who gets a payment.
#[derive(Clone, Debug, Deserialize)]
pub struct Recipient {
    /// The shop's id.
    pub account_id: String,
}

/// The invoice that a payment paid.
#[derive(Clone, Debug, Deserialize)]
pub struct InvoiceDetails {
    /// The invoice's id.
    pub id: Option<String>,
}

/// Why a payment couldn't be read.
#[derive(Debug, Error)]
pub enum Error {
    /// YooKassa doesn't know it, or not yet.
    #[error("YooKassa doesn't know the payment")]
    Unknown,
    /// The shop's id or key is wrong, or lacks a right.
    #[error("YooKassa refuses the shop's credentials (HTTP {0})")]
    Credentials(u16),
    /// It will not answer this request otherwise.
    #[error("YooKassa refuses the request (HTTP {0})")]
    Refused(u16),
    /// It may answer later.
    #[error("YooKassa can't answer now (HTTP {status})")]
    Later {
        /// The answer's status.
        status: u16,
        /// How long it asks to wait.
        after: Option<Duration>,
    },
    /// It didn't answer.
    #[error("YooKassa doesn't answer: {}", .0.reason())]
    Transport(#[source] http_client::Error),
    /// It answered something that is no payment.
    #[error("YooKassa's answer is no payment")]
    Unreadable(#[source] serde_json::Error),
}

/// What `retry_after` is in: YooKassa counts milliseconds.
#[derive(Deserialize)]
struct Busy {
    retry_after: Option<u64>,
}

/// A client of one shop.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    shop_id: String,
    secret_key: SecretString,
}

impl Client {
    /// A client of the shop.
    ///
    /// # Errors
    /// If TLS can't be set up.
    pub fn new(shop: &ShopConfig) -> Result<Self, reqwest::Error> {
        Ok(Self {
            http: http_client::build(&shop.api_url, limits::YOOKASSA_TIMEOUT)?,
            base: shop.api_url.clone(),
            shop_id: shop.shop_id.clone(),
            secret_key: shop.secret_key.clone(),
        })
    }

    /// Reads a payment. `id` must have passed [`super::is_id`].
    ///
    /// # Errors
    /// If YooKassa doesn't show it.
    pub async fn payment(&self, id: &str) -> Result<Payment, Error> {
        let base = self.base.as_str().trim_end_matches('/');
        let response = self
            .http
            .get(format!("{base}/payments/{id}"))
            .basic_auth(&self.shop_id, Some(self.secret_key.expose_secret()))
            .send()
            .await
            .map_err(|error| Error::Transport(error.into()))?;
        let status = response.status();
        let body = http_client::read(response)
            .await
            .map_err(Error::Transport)?;
        if status == StatusCode::OK {
            return serde_json::from_slice(&body).map_err(Error::Unreadable);
        }
        Err(refusal(status, &body))
    }
}

fn refusal(status: StatusCode, body: &[u8]) -> Error {
    let code = status.as_u16();
    match code {
        404 => Error::Unknown,
        401 | 403 => Error::Credentials(code),
        // A redirect is not followed: it would show the key to another host.
        202 | 300..=399 | 408 | 425 | 429 | 500..=599 => {
            let busy: Option<Busy> = serde_json::from_slice(body).ok();
            let after = busy
                .and_then(|busy| busy.retry_after)
                .map(Duration::from_millis);
            Error::Later {
                status: code,
                after,
            }
        }
        _ => Error::Refused(code),
    }
}
