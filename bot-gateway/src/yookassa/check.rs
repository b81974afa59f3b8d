//! Decides whether a payment is ours to credit, and whom. Pure.

use chrono::DateTime;
use thiserror::Error;

use super::{Amount, client::Payment, is_id};
use crate::money;

/// What a payment must be to be credited.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Our shop.
    pub shop_id: &'a str,
    /// The shop's currency.
    pub currency: &'a str,
    /// Whether payments are of the test mode.
    pub test: bool,
    /// Our book.
    pub book: &'a str,
    /// When the notification came in, Unix milliseconds. The ledger refuses a
    /// time in its future, so a capture later than this (by a clock that runs
    /// ahead) is taken to be of this moment: the same at every attempt.
    pub received_at_ms: i64,
}

/// A payment to be credited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credit {
    /// YooKassa's id of it.
    pub payment_id: String,
    /// The invoice that it paid, if any.
    pub invoice_id: Option<String>,
    /// The account's id within the book.
    pub account: String,
    /// The currency of all amounts.
    pub currency: String,
    /// What was paid, in minor units.
    pub amount_minor: i64,
    /// What the shop gets, in minor units, once that is known.
    pub income_minor: Option<i64>,
    /// Whether it is of the test mode.
    pub test: bool,
    /// When it was created, Unix milliseconds.
    pub created_at_ms: u64,
    /// When it was captured, Unix milliseconds.
    pub captured_at_ms: Option<i64>,
}

/// Why a payment is not credited. A person should look at it.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Mismatch {
    /// The API answered with another payment.
    #[error("YooKassa answered with another payment")]
    OtherPayment,
    /// Not succeeded, whatever the notification said.
    #[error("the payment hasn't succeeded at YooKassa")]
    NotSucceeded,
    /// Another shop's.
    #[error("the payment is another shop's")]
    Shop,
    /// A test payment in a live shop, or the other way round.
    #[error("the payment's test flag isn't YOOKASSA_TEST")]
    TestFlag,
    /// Not in the shop's currency.
    #[error("the payment's currency isn't YOOKASSA_CURRENCY")]
    Currency,
    /// The amount can't be read.
    #[error("the payment's amount can't be read")]
    AmountUnreadable,
    /// The notification names another amount.
    #[error("the notification's amount isn't the payment's")]
    Amount,
    /// Money went back to the payer before the payment was credited.
    #[error("the payment has been refunded at YooKassa, in part or in whole")]
    Refunded,
    /// A time can't be read.
    #[error("the payment's times can't be read")]
    Times,
    /// Of another book.
    #[error("the payment's metadata names another book")]
    Book,
    /// Nobody to credit.
    #[error("the payment's metadata names no account")]
    NoAccount,
    /// Names somebody by something that is no account id.
    #[error("the payment's metadata names an account by something that is no id")]
    BadAccount,
}

/// Compares what the API shows with what the notification said and with what
/// the shop is.
///
/// # Errors
/// With the first thing that isn't as it must be.
pub fn check(
    expected: Expected<'_>,
    notified_id: &str,
    notified_amount: Option<&Amount>,
    payment: &Payment,
) -> Result<Credit, Mismatch> {
    require(payment.id == notified_id, Mismatch::OtherPayment)?;
    require(
        payment.status == "succeeded" && payment.paid,
        Mismatch::NotSucceeded,
    )?;
    require(
        payment.recipient.account_id == expected.shop_id,
        Mismatch::Shop,
    )?;
    require(payment.test == expected.test, Mismatch::TestFlag)?;
    require(
        payment.amount.currency == expected.currency,
        Mismatch::Currency,
    )?;
    let amount_minor = minor(&payment.amount, expected)?;
    require(amount_minor > 0, Mismatch::AmountUnreadable)?;
    let notified = notified_amount.ok_or(Mismatch::Amount)?;
    require(
        minor(notified, expected) == Ok(amount_minor),
        Mismatch::Amount,
    )?;
    if let Some(refunded) = &payment.refunded_amount {
        require(minor(refunded, expected)? == 0, Mismatch::Refunded)?;
    }
    let income_minor = payment
        .income_amount
        .as_ref()
        .map(|income| minor(income, expected))
        .transpose()?;
    let book = payment.metadata.get("book");
    require(
        book.is_none_or(|book| book == expected.book),
        Mismatch::Book,
    )?;
    let captured_at_ms = payment.captured_at.as_deref().map(unix_ms).transpose()?;
    Ok(Credit {
        payment_id: payment.id.clone(),
        invoice_id: invoice_id(payment),
        account: account(payment)?,
        currency: payment.amount.currency.clone(),
        amount_minor,
        income_minor,
        test: payment.test,
        created_at_ms: u64::try_from(unix_ms(&payment.created_at)?).map_err(|_| Mismatch::Times)?,
        captured_at_ms: captured_at_ms.map(|at_ms| at_ms.min(expected.received_at_ms)),
    })
}

fn require(holds: bool, mismatch: Mismatch) -> Result<(), Mismatch> {
    if holds { Ok(()) } else { Err(mismatch) }
}

fn minor(amount: &Amount, expected: Expected<'_>) -> Result<i64, Mismatch> {
    require(amount.currency == expected.currency, Mismatch::Currency)?;
    money::parse_minor(&amount.value).ok_or(Mismatch::AmountUnreadable)
}

fn unix_ms(text: &str) -> Result<i64, Mismatch> {
    DateTime::parse_from_rfc3339(text)
        .map(|time| time.timestamp_millis())
        .map_err(|_| Mismatch::Times)
}

fn invoice_id(payment: &Payment) -> Option<String> {
    payment
        .invoice_details
        .as_ref()?
        .id
        .clone()
        .filter(|id| is_id(id))
}

/// `metadata.account`, else the Telegram user of `metadata.tg_user`.
fn account(payment: &Payment) -> Result<String, Mismatch> {
    if let Some(account) = payment.metadata.get("account") {
        let is_account = (1..=128).contains(&account.len())
            && account
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._:~-".contains(&byte));
        require(is_account, Mismatch::BadAccount)?;
        return Ok(account.clone());
    }
    let user = payment.metadata.get("tg_user").ok_or(Mismatch::NoAccount)?;
    let is_user = (1..=19).contains(&user.len())
        && user.bytes().all(|byte| byte.is_ascii_digit())
        && !user.starts_with('0');
    require(is_user, Mismatch::BadAccount)?;
    Ok(format!("tg:{user}"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Amount, Expected, Mismatch, Payment, check};

    const RECEIVED_AT_MS: i64 = 1_795_166_300_000;

    fn expected() -> Expected<'static> {
        Expected {
            shop_id: "100500",
            currency: "RUB",
            test: true,
            book: "media-lab",
            received_at_ms: RECEIVED_AT_MS,
        }
    }

    fn sample() -> Value {
        json!({"id":"3017d1f0","status":"succeeded","amount":{"value":"499.00","currency":"RUB"},
            "income_amount":{"value":"481.54","currency":"RUB"},
            "recipient":{"account_id":"100500","gateway_id":"100700"},
            "captured_at":"2026-11-20T09:16:40.002Z","created_at":"2026-11-20T09:15:12.345Z",
            "test":true,"paid":true,"metadata":{"intent_id":"01JD4Z8Q6T","tg_user":"700000001"},
            "authorization_details":{"rrn":"603668680243"}})
    }

    fn with(pointer: &str, value: Value) -> Payment {
        let mut payment = sample();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        payment.pointer_mut(parent).unwrap()[key] = value;
        serde_json::from_value(payment).unwrap()
    }

    fn refund(value: &str) -> Value {
        json!({"value": value, "currency": "RUB"})
    }

    fn rub(value: &str) -> Amount {
        Amount {
            value: value.to_owned(),
            currency: "RUB".to_owned(),
        }
    }

    #[test]
    fn a_payment_of_ours_is_credited() {
        let payment: Payment = serde_json::from_value(sample()).unwrap();
        let credit = check(expected(), "3017d1f0", Some(&rub("499.00")), &payment).unwrap();
        assert_eq!(credit.account, "tg:700000001");
        assert_eq!(
            (credit.amount_minor, credit.income_minor),
            (49_900, Some(48_154))
        );
        assert_eq!(credit.created_at_ms, 1_795_166_112_345);
        assert_eq!(credit.captured_at_ms, Some(1_795_166_200_002));
        assert_eq!(credit.invoice_id, None);
    }

    #[test]
    fn anything_else_is_refused() {
        let cases = [
            ("/id", json!("other"), Mismatch::OtherPayment),
            ("/status", json!("pending"), Mismatch::NotSucceeded),
            (
                "/status",
                json!("waiting_for_capture"),
                Mismatch::NotSucceeded,
            ),
            ("/paid", json!(false), Mismatch::NotSucceeded),
            ("/recipient/account_id", json!("999"), Mismatch::Shop),
            ("/test", json!(false), Mismatch::TestFlag),
            ("/amount/currency", json!("USD"), Mismatch::Currency),
            ("/amount/value", json!("4.99e2"), Mismatch::AmountUnreadable),
            ("/amount/value", json!("0.00"), Mismatch::AmountUnreadable),
            ("/amount/value", json!("499.01"), Mismatch::Amount),
            ("/income_amount/currency", json!("USD"), Mismatch::Currency),
            ("/refunded_amount", refund("499.00"), Mismatch::Refunded),
            ("/refunded_amount", refund("0.01"), Mismatch::Refunded),
            ("/refunded_amount", refund("-1"), Mismatch::AmountUnreadable),
            ("/created_at", json!("yesterday"), Mismatch::Times),
            ("/captured_at", json!(""), Mismatch::Times),
            ("/metadata", json!({}), Mismatch::NoAccount),
            ("/metadata/tg_user", json!("-5"), Mismatch::BadAccount),
            ("/metadata/tg_user", json!("0"), Mismatch::BadAccount),
            (
                "/metadata/account",
                json!("tg:1/../2"),
                Mismatch::BadAccount,
            ),
            ("/metadata/account", json!("@house"), Mismatch::BadAccount),
            ("/metadata/book", json!("other-book"), Mismatch::Book),
        ];
        for (pointer, value, mismatch) in cases {
            let payment = with(pointer, value.clone());
            let found = check(expected(), "3017d1f0", Some(&rub("499.00")), &payment);
            assert_eq!(found, Err(mismatch), "{pointer} {value}");
        }
    }

    #[test]
    fn a_refund_of_nothing_is_none() {
        let payment = with("/refunded_amount", refund("0.00"));
        let credit = check(expected(), "3017d1f0", Some(&rub("499.00")), &payment).unwrap();
        assert_eq!(credit.amount_minor, 49_900);
    }

    #[test]
    fn the_notified_amount_must_be_the_same() {
        let payment: Payment = serde_json::from_value(sample()).unwrap();
        for amount in [None, Some(rub("0.01")), Some(rub("499,00"))] {
            let found = check(expected(), "3017d1f0", amount.as_ref(), &payment);
            assert_eq!(found, Err(Mismatch::Amount), "{amount:?}");
        }
    }

    #[test]
    fn metadata_names_the_account_and_our_book_is_welcome() {
        let payment = with(
            "/metadata",
            json!({"account":"tg:5","tg_user":"6","book":"media-lab"}),
        );
        let credit = check(expected(), "3017d1f0", Some(&rub("499.00")), &payment).unwrap();
        assert_eq!(credit.account, "tg:5");
    }

    #[test]
    fn a_capture_ahead_of_our_clock_is_of_the_moment_of_its_notification() {
        let payment = with("/captured_at", json!("2026-11-21T00:00:00Z"));
        let credit = check(expected(), "3017d1f0", Some(&rub("499.00")), &payment).unwrap();
        assert_eq!(credit.captured_at_ms, Some(RECEIVED_AT_MS));
    }

    #[test]
    fn an_invoice_is_named_beside_the_payment() {
        let payment = with("/invoice_details", json!({"id":"in-1"}));
        let credit = check(expected(), "3017d1f0", Some(&rub("499.00")), &payment).unwrap();
        assert_eq!(credit.invoice_id.as_deref(), Some("in-1"));
    }
}
