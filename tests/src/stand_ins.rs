//! `docs/examples/stand_ins.py`: YooKassa and Telegram, on loopback.

use crate::{
    eventually, http, in_workspace,
    process::{Process, Program},
};
use serde_json::Value;
use std::{env, path::PathBuf, time::Duration};

const SENT_DEADLINE: Duration = Duration::from_secs(30);

/// The shop of `docs/examples/payment.json`.
pub const SHOP_ID: &str = "100500";
/// Its key.
pub const SECRET_KEY: &str = "test_secret";

/// The running stand-ins.
pub struct StandIns {
    process: Process,
}

impl StandIns {
    /// Starts them on a free port.
    ///
    /// # Panics
    /// If there is no Python 3.
    pub async fn start() -> Self {
        let program = Program::new("stand-ins", python())
            .argument(in_workspace("docs/examples/stand_ins.py"))
            .argument("--port")
            .argument("0")
            .argument("--credentials")
            .argument(format!("{SHOP_ID}:{SECRET_KEY}"));
        Self {
            process: Process::start(&program).await,
        }
    }

    /// Where they answer: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.process.address("http"))
    }

    /// Makes a payment known to YooKassa.
    ///
    /// # Panics
    /// If it isn't a payment object.
    pub async fn register_payment(&self, payment: &Value) {
        let url = format!("{}/control/payments", self.url());
        let (status, answer) = http::post(&url, &[], payment.to_string()).await;
        assert_eq!(status, 200, "the payment is refused: {answer}");
    }

    /// Every message that was sent through Telegram, oldest first.
    ///
    /// # Panics
    /// If the answer isn't what the stand-ins give.
    pub async fn messages(&self) -> Vec<Value> {
        let (_, answer) = http::get(&format!("{}/control/messages", self.url())).await;
        let answer: Value = serde_json::from_str(&answer).expect("the stand-ins answer JSON");
        answer["messages"]
            .as_array()
            .expect("there is a list")
            .clone()
    }

    /// The texts of the messages, once there are at least `count` of them.
    ///
    /// # Panics
    /// If that takes too long.
    pub async fn texts(&self, count: usize) -> Vec<String> {
        let what = format!("{count} messages were sent");
        eventually(&what, SENT_DEADLINE, async || {
            let messages = self.messages().await;
            let texts = messages
                .iter()
                .filter_map(|message| message["text"].as_str());
            let texts: Vec<_> = texts.map(str::to_owned).collect();
            (texts.len() >= count).then_some(texts)
        })
        .await
    }
}

/// The interpreter: the one of `scripts/python.sh`, or any.
#[must_use]
pub fn python() -> PathBuf {
    env::var_os("E2E_PYTHON")
        .unwrap_or_else(|| "python3".into())
        .into()
}
