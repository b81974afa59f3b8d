//! The gateway's parts over real databases and real sockets. Telegram,
//! YooKassa and the ledger are small servers in the test's own process.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod backends;
mod clients;
mod doors;
mod inbox;
mod program;
mod stand_ins;
mod worker;

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How long a condition may take to come true before a test gives up.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for what `probe` looks for.
async fn eventually<T>(what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = probe().await {
            return found;
        }
        assert!(Instant::now() < deadline, "not seen in time: {what}");
        sleep(Duration::from_millis(10)).await;
    }
}
