//! Ledger, gateway and stand-ins together, as in the README: a bot whose users
//! pay through YooKassa.

use crate::{
    Backend, Database, Gateway, Ledger, StandIns, eventually, gateway::sample, ledger::Options,
};
use ledger_proto::v1::{Event, EventFilter, GetBalanceRequest, ListEventsRequest};
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};

/// What the gateway took in must have reached the ledger by then.
const HANDLED_DEADLINE: Duration = Duration::from_secs(30);

/// The book of the tests.
pub const BOOK: &str = "books/media-lab";
/// The account that the samples in `docs/examples` are about.
pub const ACCOUNT: &str = "books/media-lab/accounts/tg:700000001";

/// Everything that a bot's billing needs, running.
pub struct Billing {
    /// The gateway.
    pub gateway: Gateway,
    /// The ledger.
    pub ledger: Ledger,
    /// YooKassa and Telegram.
    pub stand_ins: StandIns,
    _databases: [Database; 2],
}

impl Billing {
    /// Starts all of it, with fresh databases of one kind.
    pub async fn start(backend: Backend) -> Self {
        let databases = [backend.database().await, backend.database().await];
        let ledger = Ledger::start(&Options::media_lab(&databases[0].url)).await;
        let stand_ins = StandIns::start().await;
        let gateway = Gateway::start(&ledger, &stand_ins, &databases[1].url, &[]).await;
        Self {
            gateway,
            ledger,
            stand_ins,
            _databases: databases,
        }
    }

    /// The account's balances by asset, in minor units.
    ///
    /// # Panics
    /// If the ledger doesn't answer.
    pub async fn balances(&self) -> BTreeMap<String, i64> {
        let request = GetBalanceRequest {
            account: ACCOUNT.to_owned(),
            ..Default::default()
        };
        let response = self.ledger.accounts().get_balance(request).await;
        let response = response.unwrap_or_else(|status| panic!("GetBalance: {status:?}"));
        let balances = response.into_inner().balances;
        balances
            .into_iter()
            .map(|balance| (balance.asset, balance.balance))
            .collect()
    }

    /// Waits until the account has so much of an asset.
    pub async fn balance_becomes(&self, asset: &str, amount: i64) {
        let what = format!("the balance of {asset} becomes {amount}");
        eventually(&what, HANDLED_DEADLINE, async || {
            (self.balances().await.get(asset) == Some(&amount)).then_some(())
        })
        .await;
    }

    /// The account's events, oldest first.
    ///
    /// # Panics
    /// If the ledger doesn't answer, or there are more than one page.
    pub async fn events(&self) -> Vec<Event> {
        let request = ListEventsRequest {
            book: BOOK.to_owned(),
            filter: Some(EventFilter {
                account: ACCOUNT.to_owned(),
                ..Default::default()
            }),
            page_size: 1000,
            ..Default::default()
        };
        let response = self.ledger.events().list_events(request).await;
        let response = response.unwrap_or_else(|status| panic!("ListEvents: {status:?}"));
        let response = response.into_inner();
        assert!(
            response.next_page_token.is_empty(),
            "one page holds a test's events"
        );
        response.events
    }

    /// The texts that the bot has sent, once there are at least `count`: one for
    /// each payment and one for each command.
    pub async fn texts(&self, count: usize) -> Vec<String> {
        self.stand_ins.texts(count).await
    }

    /// Pays: makes the payment known to YooKassa, and has it tell the gateway.
    ///
    /// # Panics
    /// If the gateway doesn't take it.
    pub async fn pay(&self, payment: &Value) {
        self.stand_ins.register_payment(payment).await;
        assert_eq!(self.gateway.yookassa(notification(payment)).await, 200);
    }
}

/// The sample payment, of 499.00 RUB for [`ACCOUNT`].
///
/// # Panics
/// If the sample isn't JSON.
#[must_use]
pub fn payment() -> Value {
    serde_json::from_str(&sample("payment.json")).expect("the sample is JSON")
}

/// Another payment of 499.00 RUB: the sample with another id.
#[must_use]
pub fn other_payment() -> Value {
    let mut other = payment();
    other["id"] = json!("3017d1f0-000f-5000-8000-0000000000ff");
    other["payment_method"]["id"] = other["id"].clone();
    other
}

/// What YooKassa posts when a payment succeeded.
#[must_use]
pub fn notification(payment: &Value) -> String {
    json!({"type": "notification", "event": "payment.succeeded", "object": payment}).to_string()
}

/// Whether a text has this whole number in it, e.g. 499 in `499,00 ₽`.
#[must_use]
pub fn has_figure(text: &str, figure: &str) -> bool {
    text.split(|letter: char| !letter.is_ascii_digit())
        .any(|number| number == figure)
}

#[cfg(test)]
mod tests {
    use super::has_figure;

    #[test]
    fn figures_are_whole_numbers() {
        assert!(has_figure("Баланс: 499,00 ₽, бесплатных: 4", "499"));
        assert!(has_figure("Баланс: 499,00 ₽, бесплатных: 4", "4"));
        assert!(!has_figure("Баланс: 1499 ₽", "499"));
    }
}
