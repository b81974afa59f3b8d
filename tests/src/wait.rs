//! Waiting for conditions, with a bound.

use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How often a condition is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Looks at `condition` until it gives a value, and returns that. Panics with
/// `what` if that takes longer than `deadline`.
pub async fn eventually<T>(
    what: &str,
    deadline: Duration,
    mut condition: impl AsyncFnMut() -> Option<T>,
) -> T {
    let end = Instant::now() + deadline;
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        assert!(Instant::now() < end, "{what}: not within {deadline:?}");
        sleep(POLL_INTERVAL).await;
    }
}
