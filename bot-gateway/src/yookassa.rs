//! YooKassa: what its notifications say ([`notification`]), what the API says
//! ([`client`]), and whether the two make a payment of ours ([`check`]).
//!
//! A notification has no signature: anybody can send one. It only says where
//! to look; what is credited comes from the API's answer.

pub mod check;
pub mod client;
pub mod notification;

use serde::Deserialize;

/// An amount as YooKassa writes it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Amount {
    /// Decimal text, e.g. `499.00`.
    pub value: String,
    /// ISO 4217 code.
    pub currency: String,
}

/// Whether text can be an id of YooKassa's. Ids go into URLs, so nothing else
/// may pass.
#[must_use]
pub fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}
