//! What a notification says, as far as it is believed: which object to look up.

use serde::Deserialize;
use thiserror::Error;

use super::{Amount, is_id};

/// A notification's envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// E.g. `payment.succeeded`.
    pub event: String,
    /// The object's id.
    pub object_id: String,
    /// The object's status, or nothing.
    pub status: String,
    /// The payment that the object is or belongs to; else the object.
    pub payment_id: String,
    /// The object's amount, if it has one.
    pub amount: Option<Amount>,
}

/// Why a body is no notification.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Malformed {
    /// No bytes.
    #[error("empty body")]
    Empty,
    /// Not JSON, or not of a notification's shape.
    #[error("not a notification")]
    Shape,
    /// Names an object by something that is no id.
    #[error("the object's id or the event's name is not one")]
    Name,
}

#[derive(Deserialize)]
struct Wire {
    event: String,
    object: WireObject,
}

#[derive(Deserialize)]
struct WireObject {
    id: String,
    #[serde(default)]
    status: String,
    payment_id: Option<String>,
    amount: Option<Amount>,
}

impl Notification {
    /// Reads a body.
    ///
    /// # Errors
    /// If it is not a notification.
    pub fn parse(body: &[u8]) -> Result<Self, Malformed> {
        if body.is_empty() {
            return Err(Malformed::Empty);
        }
        let wire: Wire = serde_json::from_slice(body).map_err(|_| Malformed::Shape)?;
        let payment_id = wire
            .object
            .payment_id
            .unwrap_or_else(|| wire.object.id.clone());
        let are_names = is_name(&wire.event) && is_name(&wire.object.status);
        if !is_id(&wire.object.id) || !is_id(&payment_id) || wire.event.is_empty() || !are_names {
            return Err(Malformed::Name);
        }
        Ok(Self {
            event: wire.event,
            object_id: wire.object.id,
            status: wire.object.status,
            payment_id,
            amount: wire.object.amount,
        })
    }

    /// What makes two notifications the same: they carry no id of their own.
    #[must_use]
    pub fn source_key(&self) -> String {
        format!("{}/{}/{}", self.event, self.object_id, self.status)
    }
}

/// Event names and statuses: `payment_method.active`, `waiting_for_capture`.
fn is_name(text: &str) -> bool {
    text.len() <= 64
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'.' || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::{Malformed, Notification};

    #[test]
    fn reads_what_identifies_the_object() {
        let payment = Notification::parse(
            br#"{"type":"notification","event":"payment.succeeded","object":{"id":"3017d1f0-000f",
                "status":"succeeded","amount":{"value":"499.00","currency":"RUB"},"new":[1]}}"#,
        )
        .unwrap();
        assert_eq!(
            payment.source_key(),
            "payment.succeeded/3017d1f0-000f/succeeded"
        );
        assert_eq!(payment.payment_id, "3017d1f0-000f");
        let refund = Notification::parse(
            br#"{"event":"refund.succeeded","object":{"id":"r-1","payment_id":"p-1","status":"succeeded"}}"#,
        )
        .unwrap();
        assert_eq!(refund.payment_id, "p-1");
    }

    #[test]
    fn refuses_what_is_no_notification() {
        let cases: [(&[u8], Malformed); 8] = [
            (b"", Malformed::Empty),
            (b"{", Malformed::Shape),
            (b"\xff\xfe", Malformed::Shape),
            (b"[]", Malformed::Shape),
            (br#"{"event":"payment.succeeded"}"#, Malformed::Shape),
            (
                br#"{"event":"payment.succeeded","object":{"id":"../refunds/1"}}"#,
                Malformed::Name,
            ),
            (
                br#"{"event":"payment.succeeded","object":{"id":""}}"#,
                Malformed::Name,
            ),
            (br#"{"event":"a b","object":{"id":"p-1"}}"#, Malformed::Name),
        ];
        for (body, expected) in cases {
            assert_eq!(Notification::parse(body), Err(expected));
        }
    }
}
