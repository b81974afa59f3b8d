//! Updates, read in two steps: the door needs only a name and an order
//! ([`Envelope`]), the worker the content ([`Update`]).
//!
//! The types are frankenstein's. They know the Bot API of their day: anything
//! newer, a kind of update or a part of a message, fails to parse; then the
//! raw JSON has to say what matters.

use frankenstein::{
    types::{ChatType, Message, User},
    updates::{Update as WireUpdate, UpdateContent},
};
use serde_json::{Map, Value};
use thiserror::Error;

/// Service messages that mean money, found even in an update that can't be
/// read otherwise.
const MONEY_FIELDS: [&str; 2] = ["successful_payment", "refunded_payment"];

/// Why a body is no update.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Malformed {
    /// No bytes.
    #[error("empty body")]
    Empty,
    /// Not a JSON object.
    #[error("not a JSON object")]
    Shape,
    /// Without a number of its own.
    #[error("no update_id")]
    NoId,
    /// Of a kind that we know, in a shape that we don't.
    #[error("an update of a known kind that can't be read")]
    Content,
}

/// What the door has to know of an update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The bot's number of it.
    pub update_id: u64,
    /// Updates with equal keys are handled in order: the chat, else the user.
    pub ordering_key: String,
    /// The query, if the update is one before a checkout: it can't wait.
    pub pre_checkout: Option<PreCheckout>,
}

/// A query before a checkout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreCheckout {
    /// What to answer to.
    pub query_id: String,
    /// The payer's language, as Telegram says it.
    pub language_code: Option<String>,
}

/// An update with its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// The bot's number of it.
    pub update_id: u64,
    /// What happened.
    pub event: Event,
}

/// What happened, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A person wrote to the bot alone.
    Private(PrivateMessage),
    /// A message in a group or a channel.
    Elsewhere,
    /// Money went through Telegram.
    Money {
        /// `successful_payment` or `refunded_payment`.
        kind: &'static str,
    },
    /// A checkout waits for a yes.
    PreCheckout(PreCheckout),
    /// Anything else.
    Other,
}

/// What a person wrote to the bot alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrivateMessage {
    /// Who.
    pub user_id: u64,
    /// Where to answer.
    pub chat_id: i64,
    /// Their language, as Telegram says it.
    pub language_code: Option<String>,
    /// What; empty for a picture and the like.
    pub text: String,
    /// When, Unix seconds.
    pub date_s: u64,
}

impl Envelope {
    /// Reads a body's envelope. Any kind of update will do.
    ///
    /// # Errors
    /// If it is not an update.
    pub fn parse(body: &[u8]) -> Result<Self, Malformed> {
        let object = object(body)?;
        let update_id = object
            .get("update_id")
            .and_then(Value::as_u64)
            .ok_or(Malformed::NoId)?;
        let content = content(&object).map(|(_, content)| content);
        let pre_checkout = object.get("pre_checkout_query").and_then(pre_checkout);
        let scope = if pre_checkout.is_some() {
            "pre_checkout"
        } else {
            "chat"
        };
        let ordering_key = content.and_then(correspondent).map_or_else(
            || format!("update:{update_id}"),
            |id| format!("{scope}:{id}"),
        );
        Ok(Self {
            update_id,
            ordering_key,
            pre_checkout,
        })
    }
}

impl Update {
    /// Reads a body.
    ///
    /// # Errors
    /// If it is not an update, or one of a needed kind that can't be read.
    pub fn parse(body: &[u8]) -> Result<Self, Malformed> {
        match serde_json::from_slice::<WireUpdate>(body) {
            Ok(wire) => Ok(Self {
                update_id: wire.update_id.into(),
                event: event(wire.content),
            }),
            Err(_) => Self::parse_unknown(body),
        }
    }

    fn parse_unknown(body: &[u8]) -> Result<Self, Malformed> {
        let object = object(body)?;
        let update_id = object
            .get("update_id")
            .and_then(Value::as_u64)
            .ok_or(Malformed::NoId)?;
        let Some((kind, content)) = content(&object) else {
            return Ok(Self {
                update_id,
                event: Event::Other,
            });
        };
        let money = MONEY_FIELDS
            .into_iter()
            .find(|field| content.get(field).is_some());
        let event = match (money, kind) {
            (Some(kind), _) => Some(Event::Money { kind }),
            (None, "message") => raw_message(content),
            (None, "pre_checkout_query") => pre_checkout(content).map(Event::PreCheckout),
            (None, _) => Some(Event::Other),
        };
        event
            .map(|event| Self { update_id, event })
            .ok_or(Malformed::Content)
    }
}

fn object(body: &[u8]) -> Result<Map<String, Value>, Malformed> {
    if body.is_empty() {
        return Err(Malformed::Empty);
    }
    serde_json::from_slice(body).map_err(|_| Malformed::Shape)
}

/// An update has one field beside its number: its kind.
fn content(object: &Map<String, Value>) -> Option<(&str, &Value)> {
    object
        .iter()
        .find(|(key, value)| *key != "update_id" && value.is_object())
        .map(|(key, value)| (key.as_str(), value))
}

/// Whom an update is about: its chat, else its user. In a private chat the two
/// have the same number, so that everything of one person is in one order.
fn correspondent(content: &Value) -> Option<i64> {
    ["/chat/id", "/from/id", "/user/id", "/message/chat/id"]
        .into_iter()
        .find_map(|pointer| content.pointer(pointer).and_then(Value::as_i64))
}

fn pre_checkout(query: &Value) -> Option<PreCheckout> {
    let text = |pointer| {
        query
            .pointer(pointer)
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    Some(PreCheckout {
        query_id: text("/id")?,
        language_code: text("/from/language_code"),
    })
}

/// A message that has something newer than frankenstein in it, perhaps only a
/// new kind of entity: the few fields that matter are where they always were.
fn raw_message(message: &Value) -> Option<Event> {
    let number = |pointer| message.pointer(pointer).and_then(Value::as_u64);
    let text = |pointer| {
        message
            .pointer(pointer)
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    if text("/chat/type")? != "private" {
        return Some(Event::Elsewhere);
    }
    Some(Event::Private(PrivateMessage {
        user_id: number("/from/id")?,
        chat_id: message.pointer("/chat/id")?.as_i64()?,
        language_code: text("/from/language_code"),
        text: text("/text").unwrap_or_default(),
        date_s: number("/date")?,
    }))
}

fn event(content: UpdateContent) -> Event {
    match content {
        UpdateContent::Message(message) => message_event(*message),
        UpdateContent::PreCheckoutQuery(query) => Event::PreCheckout(PreCheckout {
            query_id: query.id,
            language_code: query.from.language_code,
        }),
        _ => Event::Other,
    }
}

fn message_event(message: Message) -> Event {
    if message.successful_payment.is_some() {
        return Event::Money {
            kind: MONEY_FIELDS[0],
        };
    }
    if message.refunded_payment.is_some() {
        return Event::Money {
            kind: MONEY_FIELDS[1],
        };
    }
    if message.chat.type_field != ChatType::Private {
        return Event::Elsewhere;
    }
    let Some(User {
        id,
        is_bot: false,
        language_code,
        ..
    }) = message.from.map(|user| *user)
    else {
        return Event::Other;
    };
    Event::Private(PrivateMessage {
        user_id: id,
        chat_id: message.chat.id,
        language_code,
        text: message.text.unwrap_or_default(),
        date_s: message.date,
    })
}

#[cfg(test)]
mod tests {
    use super::{Envelope, Event, Malformed, Update};

    const TEXT: &str = r#"{"update_id":881000001,"message":{"message_id":11,"from":{"id":700000001,
        "is_bot":false,"first_name":"Ann","language_code":"ru"},"chat":{"id":700000001,
        "first_name":"Ann","type":"private"},"date":1795166100,"text":"/start pay_01JD4Z8Q6T"}}"#;
    const CHECKOUT: &str = r#"{"update_id":881000003,"pre_checkout_query":{"id":"30064","from":
        {"id":700000001,"is_bot":false,"first_name":"Ann","language_code":"ru"},"currency":"XTR",
        "total_amount":250,"invoice_payload":"int:01"}}"#;
    const PAID: &str = r#"{"update_id":881000004,"message":{"message_id":14,"from":{"id":700000001,
        "is_bot":false,"first_name":"Ann"},"chat":{"id":700000001,"type":"private"},
        "date":1795166130,"successful_payment":{"currency":"XTR","total_amount":250,
        "invoice_payload":"int:01","telegram_payment_charge_id":"stx1",
        "provider_payment_charge_id":"700000001_12"}}}"#;

    #[test]
    fn envelopes_name_and_order() {
        let cases = [
            (TEXT, Ok("chat:700000001")),
            (PAID, Ok("chat:700000001")),
            (CHECKOUT, Ok("pre_checkout:700000001")),
            (
                r#"{"update_id":7,"callback_query":{"id":"1","from":{"id":5}}}"#,
                Ok("chat:5"),
            ),
            (
                r#"{"update_id":7,"subscription":{"user":{"id":6}}}"#,
                Ok("chat:6"),
            ),
            (
                r#"{"update_id":7,"invented_in_2030":{"x":1}}"#,
                Ok("update:7"),
            ),
            (r#"{"update_id":7}"#, Ok("update:7")),
            (r#"{"message":{}}"#, Err(Malformed::NoId)),
            (r#"{"update_id":"7"}"#, Err(Malformed::NoId)),
            ("[1]", Err(Malformed::Shape)),
            ("nonsense", Err(Malformed::Shape)),
            ("", Err(Malformed::Empty)),
        ];
        for (body, expected) in cases {
            let key = Envelope::parse(body.as_bytes()).map(|envelope| envelope.ordering_key);
            assert_eq!(key, expected.map(str::to_owned), "{body}");
        }
    }

    #[test]
    fn a_checkout_is_known_at_the_door() {
        let query = Envelope::parse(CHECKOUT.as_bytes())
            .unwrap()
            .pre_checkout
            .unwrap();
        assert_eq!(query.query_id, "30064");
        assert_eq!(query.language_code.as_deref(), Some("ru"));
    }

    #[test]
    fn a_message_with_something_new_in_it_is_read_all_the_same() {
        let known = Update::parse(TEXT.as_bytes()).unwrap();
        let newer = TEXT.replace(r#""date":"#, r#""dice":{"invented_in_2030":true},"date":"#);
        assert!(serde_json::from_str::<super::WireUpdate>(&newer).is_err());
        assert_eq!(Update::parse(newer.as_bytes()), Ok(known));
    }

    #[test]
    fn every_sample_is_read() {
        let samples = include_str!("../../tests/gateway/samples.jsonl");
        let kinds: Vec<&str> = samples
            .lines()
            .map(|line| match Update::parse(line.as_bytes()).unwrap().event {
                Event::Private(_) => "private",
                Event::Money { kind } => kind,
                Event::PreCheckout(_) => "pre_checkout",
                Event::Elsewhere | Event::Other => "other",
            })
            .collect();
        let (paid, refunded) = ("successful_payment", "refunded_payment");
        assert_eq!(
            kinds,
            [
                "private",
                "other",
                "pre_checkout",
                paid,
                paid,
                refunded,
                paid,
                "other"
            ]
        );
    }

    #[test]
    fn content_is_read_as_far_as_it_matters() {
        let Event::Private(message) = Update::parse(TEXT.as_bytes()).unwrap().event else {
            panic!("not a private message");
        };
        assert_eq!(
            (message.user_id, message.date_s),
            (700_000_001, 1_795_166_100)
        );
        assert_eq!(message.text, "/start pay_01JD4Z8Q6T");
        let cases = [
            (
                PAID,
                Ok(Event::Money {
                    kind: "successful_payment",
                }),
            ),
            (
                r#"{"update_id":7,"invented_in_2030":{"x":1}}"#,
                Ok(Event::Other),
            ),
            (
                r#"{"update_id":7,"message":{"text":"no chat"}}"#,
                Err(Malformed::Content),
            ),
            (
                r#"{"update_id":7,"message":{"refunded_payment":{"currency":1}}}"#,
                Ok(Event::Money {
                    kind: "refunded_payment",
                }),
            ),
            (
                r#"{"update_id":7,"message":{"message_id":1,"date":1,"text":"hi","chat":{"id":-5,
                "type":"group","title":"g"},"from":{"id":1,"is_bot":false,"first_name":"A"}}}"#,
                Ok(Event::Elsewhere),
            ),
        ];
        for (body, expected) in cases {
            assert_eq!(
                Update::parse(body.as_bytes()).map(|update| update.event),
                expected,
                "{body}"
            );
        }
    }
}
