//! Handles YooKassa's notifications: look the payment up, check, record, tell.

use super::{Handlers, Verdict};
use crate::{
    config::ShopConfig,
    inbox::Row,
    ledger::{Failure, Quantity, Refusal, Wallet},
    limits,
    telegram::client::Error as TelegramError,
    texts::{Language, Text, render},
    yookassa::{
        check::{Credit, Expected, check},
        client::Client,
        notification::Notification,
    },
};

/// Parts of a recorded payment that YooKassa or our clock may tell differently
/// the next time.
const CHANGING_FIELDS: [&str; 2] = ["income_amount", "annotations"];

/// The shop and how to ask about it.
#[derive(Debug)]
pub struct Shop {
    /// What payments are checked against.
    pub config: ShopConfig,
    /// Where they are read.
    pub client: Client,
}

impl Handlers {
    /// Handles one notification.
    pub(super) async fn yookassa(&self, row: &Row) -> Verdict {
        let Some(shop) = &self.shop else {
            return Verdict::retry("no shop is configured");
        };
        let notification = match Notification::parse(&row.body) {
            Ok(notification) => notification,
            Err(malformed) => return Verdict::park(&malformed),
        };
        match notification.event.as_str() {
            "payment.succeeded" => self.credit(shop, row, &notification).await,
            // No money moved and none will.
            "payment.canceled" => Verdict::Done,
            // Money somebody must look at: refunds, payments to capture, news.
            _ => Verdict::park("not handled in this version"),
        }
    }

    async fn credit(&self, shop: &Shop, row: &Row, notification: &Notification) -> Verdict {
        let payment = match shop.client.payment(&notification.object_id).await {
            Ok(payment) => payment,
            Err(error) => return Verdict::of_yookassa(&error, row.attempts),
        };
        let expected = Expected {
            shop_id: &shop.config.shop_id,
            currency: &shop.config.currency,
            test: shop.config.test,
            book: self.ledger.book(),
            received_at_ms: row.received_at_ms,
        };
        let (id, amount) = (&notification.object_id, notification.amount.as_ref());
        let credit = match check(expected, id, amount, &payment) {
            Ok(credit) => credit,
            Err(mismatch) => return Verdict::park(&mismatch),
        };
        match self
            .ledger
            .record_payment(&shop.config.shop_id, &credit)
            .await
        {
            Ok(wallet) => self.tell_payer(row, credit, wallet).await,
            Err(Failure::Refused(refusal)) if is_recorded(&refusal) => Verdict::Done,
            Err(failure) => Verdict::of_ledger(&failure),
        }
    }

    /// The payment is safe by now: telling of it may be repeated a little, and
    /// never parks the row.
    async fn tell_payer(&self, row: &Row, credit: Credit, wallet: Wallet) -> Verdict {
        let (Some(bot), Some(chat_id)) = (&self.bot, telegram_user(&credit.account)) else {
            return Verdict::Done;
        };
        let paid = Quantity {
            asset: credit.currency,
            amount: credit.amount_minor,
        };
        // A payment doesn't say its payer's language; the shop's is Russian.
        let text = render(Language::Russian, &Text::PaymentReceived { paid, wallet });
        let Err(error) = bot.send_message(chat_id, &text).await else {
            return Verdict::Done;
        };
        let is_last = row.attempts + 1 >= limits::NOTICE_ATTEMPTS_MAX;
        if is_last || matches!(error, TelegramError::Refused(_)) {
            tracing::info!(row = row.id, %error, "the payment is recorded; its payer isn't told");
            return Verdict::Done;
        }
        Verdict::of_telegram(&error)
    }
}

/// Whether a refusal says that the payment is in the ledger already, by
/// another path or by an earlier attempt whose answer was lost.
fn is_recorded(refusal: &Refusal) -> bool {
    match refusal.reason.as_str() {
        "PAYMENT_ALREADY_RECORDED" => true,
        "REQUEST_ID_REUSED" => refusal
            .metadata
            .get("field")
            .is_some_and(|field| CHANGING_FIELDS.iter().any(|one| field.starts_with(one))),
        _ => false,
    }
}

/// In a private chat the chat has its user's number.
fn telegram_user(account: &str) -> Option<i64> {
    account.strip_prefix("tg:")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tonic::Code;

    use super::{Refusal, is_recorded, telegram_user};

    #[test]
    fn a_payment_counts_as_recorded_when_the_ledger_has_it() {
        let cases = [
            ("PAYMENT_ALREADY_RECORDED", None, true),
            ("REQUEST_ID_REUSED", Some("income_amount"), true),
            ("REQUEST_ID_REUSED", Some("income_amount.amount"), true),
            ("REQUEST_ID_REUSED", Some("annotations.occur_time"), true),
            ("REQUEST_ID_REUSED", Some("amount"), false),
            ("REQUEST_ID_REUSED", None, false),
            ("ACCOUNT_CLOSED", None, false),
        ];
        for (reason, field, expected) in cases {
            let metadata: HashMap<String, String> = field
                .map(|field| ("field".to_owned(), field.to_owned()))
                .into_iter()
                .collect();
            let refusal = Refusal {
                code: Code::AlreadyExists,
                reason: reason.to_owned(),
                metadata,
                fields: Vec::new(),
            };
            assert_eq!(is_recorded(&refusal), expected, "{reason} {field:?}");
        }
    }

    #[test]
    fn only_telegram_accounts_have_a_chat() {
        let cases = [
            ("tg:700000001", Some(700_000_001)),
            ("tg:", None),
            ("vk:7", None),
            ("tg:ann", None),
        ];
        for (account, expected) in cases {
            assert_eq!(telegram_user(account), expected);
        }
    }
}
