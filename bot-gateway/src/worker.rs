//! Takes rows from the inbox and makes their effects happen.
//!
//! One loop looks for rows that are due, starts a task for each (never two of
//! one ordering key, never more than [`limits::ROWS_IN_WORK_MAX`] of one door)
//! and writes down how they end. Doors wake it; a timer finds retries. A row is
//! done only after its effects, so a crash repeats them: each is harmless
//! twice.

mod conversation;
mod payment;
mod upkeep;
mod verdict;

use std::{collections::HashMap, sync::Arc};

use tokio::{
    sync::Notify,
    task::{Id, JoinError, JoinSet},
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

pub use conversation::refuse_checkout;
pub use payment::Shop;
pub use upkeep::Upkeep;
pub use verdict::{Verdict, retry_gap};

use crate::{
    chain, clock,
    inbox::{Door, Inbox, Outcome, Row},
    ledger, limits, telegram,
};

/// What rows are handled with.
#[derive(Debug)]
pub struct Handlers {
    /// The ledger.
    pub ledger: ledger::Client,
    /// The bot's name.
    pub bot_name: String,
    /// The bot, if there is one; without it updates wait.
    pub bot: Option<telegram::client::Client>,
    /// The shop, if there is one; without it notifications wait.
    pub shop: Option<Shop>,
}

/// The loop.
#[derive(Debug)]
pub struct Worker {
    /// Where rows come from.
    pub inbox: Inbox,
    /// What they are handled with.
    pub handlers: Arc<Handlers>,
    /// Rung by a door that stored a row.
    pub wake: Arc<Notify>,
    /// What is done about rows that are old.
    pub upkeep: Upkeep,
}

/// Rows in work, and which keys they hold.
#[derive(Default)]
struct Work {
    tasks: JoinSet<()>,
    rows: HashMap<Id, (i64, Key)>,
    /// The inbox didn't answer last time, and that has been logged.
    outage: bool,
}

type Key = (Door, String);

impl Work {
    /// How many rows of a door are in work.
    fn of(&self, door: Door) -> usize {
        let held = self.rows.values();
        held.filter(|(_, (of, _))| *of == door).count()
    }
}

impl Worker {
    /// Works until told to stop, then gives rows in work
    /// [`limits::STOP_GRACE`] to finish. What doesn't, waits for the next
    /// start.
    pub async fn run(self, stop: CancellationToken) {
        let mut work = Work::default();
        let mut poll = interval(limits::INBOX_POLL_INTERVAL);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut upkeep = interval(limits::PRUNE_INTERVAL);
        upkeep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.start_due(&mut work, &stop).await;
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.wake.notified() => {}
                Some(ended) = work.tasks.join_next_with_id(), if !work.tasks.is_empty() => {
                    self.end(&mut work, ended).await;
                }
                _ = poll.tick() => {}
                _ = upkeep.tick() => self.upkeep.run(clock::now_ms()).await,
            }
        }
        let drained = timeout(limits::STOP_GRACE, async {
            while let Some(ended) = work.tasks.join_next_with_id().await {
                self.end(&mut work, ended).await;
            }
        });
        if drained.await.is_err() {
            tracing::warn!(
                rows = work.tasks.len(),
                "stopping with rows in work: they wait"
            );
        }
    }

    async fn start_due(&self, work: &mut Work, stop: &CancellationToken) {
        for door in Door::ALL {
            if self.is_open(door) {
                self.start_due_of(door, work, stop).await;
            }
        }
    }

    async fn start_due_of(&self, door: Door, work: &mut Work, stop: &CancellationToken) {
        let running = work.of(door);
        if running >= limits::ROWS_IN_WORK_MAX {
            return;
        }
        // Rows in work still wait in the inbox: enough for the others besides.
        let rows_max = limits::ROWS_IN_WORK_MAX + running;
        match self.inbox.due(clock::now_ms(), door, rows_max).await {
            Ok(rows) => {
                work.outage = false;
                self.start(work, rows, stop);
            }
            Err(_) if work.outage => {}
            Err(error) => {
                work.outage = true;
                tracing::error!(error = chain(&error), "the inbox can't be read: rows wait");
            }
        }
    }

    fn start(&self, work: &mut Work, rows: Vec<Row>, stop: &CancellationToken) {
        for row in rows {
            let key = (row.door, row.ordering_key.clone());
            let is_free = !work.rows.values().any(|(_, held)| *held == key);
            if is_free && work.of(row.door) < limits::ROWS_IN_WORK_MAX {
                let id = row.id;
                let task = attempt(
                    Arc::clone(&self.handlers),
                    self.inbox.clone(),
                    row,
                    stop.child_token(),
                );
                let handle = work.tasks.spawn(task);
                work.rows.insert(handle.id(), (id, key));
            }
        }
    }

    async fn end(&self, work: &mut Work, ended: Result<(Id, ()), JoinError>) {
        let task = ended.as_ref().map_or_else(JoinError::id, |(id, ())| *id);
        let Some((id, (door, _))) = work.rows.remove(&task) else {
            return;
        };
        if ended.is_err() {
            // A panic is a bug of ours; trying again would repeat it.
            tracing::error!(
                row = id,
                door = door.name(),
                "a handler broke: the row is parked"
            );
            let outcome = Outcome::Parked {
                reason: "the handler broke".to_owned(),
            };
            if let Err(error) = self.inbox.settle(id, &outcome).await {
                tracing::error!(row = id, error = chain(&error), "a row can't be parked");
            }
        }
    }

    /// Whether there is what a door's rows are handled with; else they wait.
    fn is_open(&self, door: Door) -> bool {
        match door {
            Door::Yookassa => self.handlers.shop.is_some(),
            Door::Telegram => self.handlers.bot.is_some(),
        }
    }
}

/// One attempt at a row, with what became of it.
async fn attempt(handlers: Arc<Handlers>, inbox: Inbox, row: Row, stop: CancellationToken) {
    let verdict = match row.door {
        Door::Yookassa => handlers.yookassa(&row).await,
        Door::Telegram => handlers.telegram(&row).await,
    };
    log(&row, &verdict);
    let outcome = verdict.outcome(row.attempts, clock::now_ms());
    settle(&inbox, row.id, &outcome, &stop).await;
}

fn log(row: &Row, verdict: &Verdict) {
    let (row, door, attempt) = (row.id, row.door.name(), row.attempts + 1);
    match verdict {
        Verdict::Done => tracing::debug!(row, door, attempt, "done"),
        Verdict::Park { reason } => {
            tracing::warn!(row, door, attempt, reason, "parked: somebody should look");
        }
        Verdict::Retry { reason, .. } if attempt > limits::ATTEMPTS_QUIET_MAX => {
            tracing::warn!(
                row,
                door,
                attempt,
                reason,
                "still failing: will be tried again"
            );
        }
        Verdict::Retry { reason, .. } => {
            tracing::info!(
                row,
                door,
                attempt,
                reason,
                "failed for now: will be tried again"
            );
        }
    }
}

/// Writes an outcome down, for as long as that takes: letting the row go
/// unsettled would repeat its effects at once.
async fn settle(inbox: &Inbox, id: i64, outcome: &Outcome, stop: &CancellationToken) {
    for failures in 0.. {
        let Err(error) = inbox.settle(id, outcome).await else {
            return;
        };
        if failures == 0 {
            tracing::error!(
                row = id,
                error = chain(&error),
                "an outcome can't be stored yet"
            );
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(retry_gap(failures)) => {}
        }
    }
}
