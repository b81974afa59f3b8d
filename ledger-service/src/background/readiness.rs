//! Whether the service can do its work: its database answers, its clock is
//! right.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::engine::{Engine, EngineError};

/// How often the database is asked.
const INTERVAL: Duration = Duration::from_millis(500);

/// How long it may take to answer.
const TIME_MAX: Duration = Duration::from_secs(2);

/// Whether the service can do its work; shared with whoever is asked.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<watch::Sender<bool>>);

impl Readiness {
    /// Whether it can.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        *self.0.borrow()
    }

    /// Says whether it can; answers whether that is news.
    #[must_use]
    pub fn set(&self, ready: bool) -> bool {
        self.0
            .send_if_modified(|known| std::mem::replace(known, ready) != ready)
    }

    /// Waits until it can.
    pub async fn ready(&self) {
        // The sender lives as long as `self`.
        drop(self.0.subscribe().wait_for(|ready| *ready).await);
    }
}

/// Asks the database again and again, through the writers of the books in use,
/// so that they recover without traffic. `changed` hears of each change.
pub async fn watch_database(
    engine: Engine,
    readiness: Readiness,
    shutdown: CancellationToken,
    changed: impl AsyncFn(bool),
) {
    loop {
        let ready = probe(&engine).await && !shutdown.is_cancelled();
        if readiness.set(ready) {
            changed(ready).await;
            tracing::info!(ready, "readiness changed");
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
    }
}

async fn probe(engine: &Engine) -> bool {
    // Also while no book is in use, so that a clock that was set is noticed and
    // settles without traffic.
    if !engine.is_clock_steady() {
        return false;
    }
    let asked = tokio::time::timeout(TIME_MAX, engine.store().books()).await;
    if !matches!(asked, Ok(Ok(_))) {
        return false;
    }
    for book in engine.books_in_use() {
        let deadline = Some(Instant::now() + TIME_MAX);
        let read = tokio::time::timeout(TIME_MAX, engine.read(&book, Vec::new(), deadline)).await;
        match read {
            Ok(Ok(_)) => {}
            // A full queue is a sign of work, not of trouble.
            Ok(Err(EngineError::QueueFull)) => {}
            Ok(Err(_)) | Err(_) => return false,
        }
    }
    engine.is_healthy()
}
