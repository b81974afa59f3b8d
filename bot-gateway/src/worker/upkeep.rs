//! Keeps the inbox from holding on to what nobody needs any more: rows that are
//! done, and the bodies of rows that nothing will be done about. Bodies hold
//! names and digits of cards.

use std::time::Duration;

use crate::{
    chain,
    inbox::{Error, Inbox},
    limits,
};

/// What is done about rows that are old.
#[derive(Debug)]
pub struct Upkeep {
    /// Where they are.
    pub inbox: Inbox,
    /// How long a body stays with a row that doesn't wait.
    pub bodies_kept: Duration,
}

impl Upkeep {
    /// Removes what is too old by now. What can't be removed is logged, and
    /// goes the next time.
    pub async fn run(&self, now_ms: i64) {
        if let Err(error) = self.remove(now_ms).await {
            tracing::warn!(
                error = chain(&error),
                "old rows and bodies can't be removed now"
            );
        }
    }

    async fn remove(&self, now_ms: i64) -> Result<(), Error> {
        let rows_before_ms = earlier(now_ms, limits::DONE_KEPT);
        let bodies_before_ms = earlier(now_ms, self.bodies_kept);
        for _ in 0..limits::PRUNE_STATEMENTS_MAX {
            let rows = self.inbox.prune(rows_before_ms).await?;
            let bodies = self.inbox.drop_bodies(bodies_before_ms).await?;
            if rows + bodies == 0 {
                break;
            }
        }
        Ok(())
    }
}

fn earlier(now_ms: i64, by: Duration) -> i64 {
    now_ms.saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX))
}
