//! The one place that reads the machine's clock. Everything else takes the
//! time as an argument.

use std::time::{SystemTime, UNIX_EPOCH};

/// Now, in Unix milliseconds.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the gateway's clock is read here and nowhere else"
)]
pub fn now_ms() -> i64 {
    // A clock before 1970 is broken; 0 keeps every row due.
    let elapsed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
}
