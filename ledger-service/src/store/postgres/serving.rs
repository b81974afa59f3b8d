//! Whether a service uses the database, as its leases on background work show.

use std::time::Duration;

use sqlx::PgConnection;
use sqlx::postgres::PgExecutor;

use super::error::store_error;
use crate::limits::LEASE_RENEWAL_INTERVAL;
use crate::store::{SchemaError, StoreError};

/// An instance that runs takes a lease that is free after this time at the
/// latest: it tries once an interval, and has a second for a slow answer.
const TAKEN_AFTER: Duration = LEASE_RENEWAL_INTERVAL.saturating_add(Duration::from_secs(1));

/// Refuses if an instance holds a lease. If one was given up just now, waits
/// until another instance would have taken it.
pub(super) async fn refuse_served(connection: &mut PgConnection) -> Result<(), SchemaError> {
    while let Some(left_us) = lease_left_us(&mut *connection).await? {
        if left_us > 0 {
            return Err(SchemaError::Served);
        }
        let free = Duration::from_micros(left_us.unsigned_abs());
        let wait = TAKEN_AFTER.saturating_sub(free);
        if wait.is_zero() {
            break;
        }
        tokio::time::sleep(wait).await;
    }
    Ok(())
}

/// Whether an instance holds a lease now.
pub(super) async fn is_served(on: impl PgExecutor<'_>) -> Result<bool, StoreError> {
    let left_us = lease_left_us(on).await?;
    Ok(left_us.is_some_and(|left_us| left_us > 0))
}

/// How much longer the longest lease lasts, in microseconds by the server's
/// clock; below zero, for how long it has been free. Nothing if there was none.
async fn lease_left_us(on: impl PgExecutor<'_>) -> Result<Option<i64>, StoreError> {
    sqlx::query_scalar(
        "SELECT max(expires_at_us) - (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
         FROM ledger.leases",
    )
    .fetch_one(on)
    .await
    .map_err(store_error)
}
