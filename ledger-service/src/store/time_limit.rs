//! Time limits of statements.

use std::future::Future;
use std::time::Duration;

use super::StoreError;

/// Waits for `work` no longer than `limit`. Past it, `work` is dropped where it
/// stands: whoever calls must not use its connection again.
pub(super) async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
        Err(StoreError::TimedOut {
            limit_ms: u64::try_from(limit.as_millis()).unwrap_or(u64::MAX),
        })
    })
}
