//! Partitions of the events, made ahead of the writers.

use std::sync::atomic::{AtomicU64, Ordering};

use sqlx::PgConnection;

use super::error::store_error;
use crate::store::StoreError;
use crate::store::row::{signed, unsigned};

/// How many positions a partition holds, as the schema's function has it.
const PARTITION_POSITIONS: u64 = 16_777_216;

/// The first position that no partition holds, as far as this process knows.
#[derive(Debug, Default)]
pub(super) struct Partitions {
    end: AtomicU64,
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
        let up_to = position.saturating_add(PARTITION_POSITIONS);
        let end: i64 = sqlx::query_scalar("SELECT ledger.ensure_event_partitions($1)")
            .bind(signed(up_to))
            .fetch_one(connection)
            .await
            .map_err(store_error)?;
        self.end.fetch_max(unsigned(end)?, Ordering::Relaxed);
        Ok(())
    }
}
