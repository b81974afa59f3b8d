//! Whether the service can do its work: its database answers, its clock is
//! right, and no book is stopped.

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

/// Whether the service can do its work, and if not, why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// It has not looked yet.
    #[default]
    Starting,
    /// It can.
    Ready,
    /// The database does not answer, or refuses.
    DatabaseUnreachable,
    /// A book is stopped: an invariant is broken, and an operator has to look.
    BookStopped,
    /// The clocks of service, database and log are too far apart.
    ClockSkew,
    /// It was told to stop.
    Stopping,
}

impl Condition {
    /// What an error of the engine says about the service as a whole.
    fn of(error: &EngineError) -> Self {
        match error {
            // A full queue is a sign of work, not of trouble.
            EngineError::QueueFull => Self::Ready,
            EngineError::Stopped => Self::BookStopped,
            EngineError::ClockSkew { .. } => Self::ClockSkew,
            EngineError::ShuttingDown => Self::Stopping,
            _ => Self::DatabaseUnreachable,
        }
    }

    /// In words, for people and probes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::DatabaseUnreachable => "the database is not reachable",
            Self::BookStopped => "a book is stopped, an invariant is broken",
            Self::ClockSkew => "the clocks of service, database and log differ",
            Self::Stopping => "stopping",
        }
    }
}

/// Whether the service can do its work; shared with whoever is asked.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<watch::Sender<Condition>>);

impl Readiness {
    /// How the service is.
    #[must_use]
    pub fn condition(&self) -> Condition {
        *self.0.borrow()
    }

    /// Says how it is; answers whether that is news.
    #[must_use]
    pub fn set(&self, condition: Condition) -> bool {
        self.0
            .send_if_modified(|known| std::mem::replace(known, condition) != condition)
    }

    /// Waits until it can do its work.
    pub async fn ready(&self) {
        let is_ready = |condition: &Condition| *condition == Condition::Ready;
        // The sender lives as long as `self`.
        drop(self.0.subscribe().wait_for(is_ready).await);
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
        let mut condition = probe(&engine).await;
        if shutdown.is_cancelled() {
            condition = Condition::Stopping;
        }
        if readiness.set(condition) {
            changed(condition == Condition::Ready).await;
            tracing::info!(condition = condition.as_str(), "readiness changed");
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
    }
}

async fn probe(engine: &Engine) -> Condition {
    // Also while no book is in use, so that a clock that was set is noticed and
    // settles without traffic.
    if !engine.is_clock_steady() {
        return Condition::ClockSkew;
    }
    let asked = tokio::time::timeout(TIME_MAX, engine.store().books()).await;
    if !matches!(asked, Ok(Ok(_))) {
        return Condition::DatabaseUnreachable;
    }
    for book in engine.books_in_use() {
        let deadline = Some(Instant::now() + TIME_MAX);
        let read = tokio::time::timeout(TIME_MAX, engine.read(&book, Vec::new(), deadline)).await;
        let condition = match read {
            Ok(Ok(_)) => Condition::Ready,
            Ok(Err(error)) => Condition::of(&error),
            Err(_too_long) => Condition::DatabaseUnreachable,
        };
        if condition != Condition::Ready {
            return condition;
        }
    }
    let trouble = engine.trouble();
    trouble.map_or(Condition::Ready, |error| Condition::of(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_trouble_has_its_own_name() {
        let skew = EngineError::ClockSkew {
            difference_ms: 3_000,
        };
        for (error, expected) in [
            (EngineError::Stopped, Condition::BookStopped),
            (skew, Condition::ClockSkew),
            (EngineError::ShuttingDown, Condition::Stopping),
            (EngineError::Unavailable, Condition::DatabaseUnreachable),
            (EngineError::QueueFull, Condition::Ready),
        ] {
            assert_eq!(Condition::of(&error), expected, "{error}");
        }
    }

    #[tokio::test]
    async fn only_news_is_news_and_whoever_waits_is_woken_by_readiness() {
        let readiness = Readiness::default();
        assert_eq!(readiness.condition(), Condition::Starting);
        assert!(readiness.set(Condition::BookStopped));
        assert!(!readiness.set(Condition::BookStopped));
        assert!(readiness.set(Condition::Ready));
        readiness.ready().await;
    }
}
