//! Partitions of the events, made ahead of the writers.

use std::sync::atomic::{AtomicU64, Ordering};

use sqlx::PgConnection;

use super::error::store_error;
use crate::store::StoreError;
use crate::store::row::{signed, unsigned};

/// How many positions a partition holds, as the schema's function has it.
const PARTITION_POSITIONS: u64 = 16_777_216;

/// From how little room on the next partition is made: half of one.
const ROOM_MIN: u64 = PARTITION_POSITIONS / 2;

/// After how many more positions it is tried again if that failed.
const RETRY_POSITIONS: u64 = PARTITION_POSITIONS / 64;

/// What this process knows of the partitions.
#[derive(Debug, Default)]
pub(super) struct Partitions {
    /// The first position that no partition holds.
    end: AtomicU64,
    /// From which position on the next one is made.
    make_from: AtomicU64,
}

impl Partitions {
    /// Makes sure that `position` can be written, and leaves a whole partition
    /// of room behind it, so that this is rare. In a transaction, others that
    /// need room wait for it; appends that have room do not.
    pub(super) async fn ensure(
        &self,
        connection: &mut PgConnection,
        position: u64,
    ) -> Result<(), StoreError> {
        if position < self.end.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.make(connection, position).await
    }

    /// Makes the next partition while there is still room, so that whatever
    /// prevents it is known long before it stops an append. Not in a
    /// transaction.
    ///
    /// # Errors
    /// Only if the connection is of no more use.
    pub(super) async fn make_ahead(
        &self,
        connection: &mut PgConnection,
        position: u64,
    ) -> Result<(), StoreError> {
        let from = self.make_from.load(Ordering::Relaxed);
        if position < from {
            return Ok(());
        }
        let next_try = position.saturating_add(RETRY_POSITIONS);
        let is_ours =
            self.make_from
                .compare_exchange(from, next_try, Ordering::Relaxed, Ordering::Relaxed);
        if is_ours.is_err() {
            return Ok(());
        }
        match self.make(connection, position).await {
            Err(error) if !error.outcome_unknown() => {
                tracing::error!(
                    position,
                    end = self.end.load(Ordering::Relaxed),
                    error = &error as &dyn std::error::Error,
                    "no partition of events can be made ahead: appends end where the last one does"
                );
                Ok(())
            }
            result => result,
        }
    }

    async fn make(&self, connection: &mut PgConnection, position: u64) -> Result<(), StoreError> {
        let up_to = position.saturating_add(PARTITION_POSITIONS);
        let end: i64 = sqlx::query_scalar("SELECT ledger.ensure_event_partitions($1)")
            .bind(signed(up_to))
            .fetch_one(connection)
            .await
            .map_err(store_error)?;
        let end = unsigned(end)?;
        self.end.fetch_max(end, Ordering::Relaxed);
        self.make_from
            .fetch_max(end.saturating_sub(ROOM_MIN), Ordering::Relaxed);
        Ok(())
    }
}
