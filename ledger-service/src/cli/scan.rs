//! Reading a whole log, for `verify` and `rebuild`: the next events are read
//! while the last ones are worked on, and progress is shown.

use std::{
    io::{IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

use crate::store::{SharedStore, StoreError, StoredEvent};

/// How many events are read at once.
const CHUNK_EVENTS: u32 = 5_000;

/// How many chunks may wait.
const CHUNKS_AHEAD: usize = 3;

/// The events of a book up to a position, in chunks.
pub(super) fn chunks(
    store: SharedStore,
    book: String,
    up_to: u64,
) -> mpsc::Receiver<Result<Vec<StoredEvent>, StoreError>> {
    let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
    tokio::spawn(async move {
        let mut position = 0;
        while position < up_to {
            let mut read = store.read_after(&book, position, CHUNK_EVENTS).await;
            if let Ok(events) = &mut read {
                events.retain(|event| event.position <= up_to);
                match events.last() {
                    Some(last) => position = last.position,
                    None => return,
                }
            }
            let is_over = read.is_err();
            if sender.send(read).await.is_err() || is_over {
                return;
            }
        }
    });
    receiver
}

/// Progress on a terminal, a line that is written over; in a file, a line now
/// and then.
pub(super) struct Progress {
    what: String,
    total: u64,
    started_at: Instant,
    shown_at: Instant,
}

impl Progress {
    pub(super) fn new(what: String, total: u64) -> Self {
        let now = Instant::now();
        Self {
            what,
            total,
            started_at: now,
            shown_at: now,
        }
    }

    /// Shows how far it is, not too often.
    pub(super) fn show(&mut self, done: u64) {
        let gap = if std::io::stderr().is_terminal() {
            Duration::from_millis(200)
        } else {
            Duration::from_secs(5)
        };
        if self.shown_at.elapsed() < gap {
            return;
        }
        self.shown_at = Instant::now();
        let per_second = rate(done, self.started_at.elapsed());
        let end = if std::io::stderr().is_terminal() {
            "\r"
        } else {
            "\n"
        };
        eprint!(
            "{}: {done} of {} events, {per_second} a second   {end}",
            self.what, self.total
        );
        // Nothing is lost if a progress line is.
        drop(std::io::stderr().flush());
    }

    /// How long it took so far, and how many a second that makes.
    pub(super) fn summary(&self, done: u64) -> String {
        let took = self.started_at.elapsed();
        format!(
            "{done} events in {} ms, {} a second",
            took.as_millis(),
            rate(done, took)
        )
    }
}

fn rate(done: u64, took: Duration) -> u64 {
    let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
    done.saturating_mul(1_000) / ms
}
