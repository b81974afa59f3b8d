//! The fold of a rebuild: events in, rows out.

use std::collections::{HashMap, HashSet};

use ledger_core::{Account, Name, account::FOLD_VERSION, command::encode};
use tokio::sync::mpsc;

use crate::{
    cli::derive::Requests,
    engine::{Recorded, log},
    projections::{Counting, index_row},
    store::{Derived, Head, StoreError, StoredAccount, StoredEvent, claims_of},
};

/// How many decoded chunks may wait.
const CHUNKS_AHEAD: usize = 2;

/// How many rows of statistics are kept in memory, so that the same ones are written
/// seldom: 200 bytes each.
const COUNTED_ROWS_MAX: usize = 50_000;

/// What came of reading a chunk: events, or what is wrong with them.
type Chunk = Result<Result<Vec<Recorded>, String>, StoreError>;

/// Decodes chunks, in a task of its own, and checks that they are one chain.
pub(super) fn decoded(
    mut source: mpsc::Receiver<Result<Vec<StoredEvent>, StoreError>>,
) -> mpsc::Receiver<Chunk> {
    let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
    tokio::spawn(async move {
        let mut head = Head::default();
        while let Some(rows) = source.recv().await {
            let chunk = rows.map(|rows| follow(&mut head, &rows));
            let is_over = !matches!(chunk, Ok(Ok(_)));
            if sender.send(chunk).await.is_err() || is_over {
                return;
            }
        }
    });
    receiver
}

fn follow(head: &mut Head, rows: &[StoredEvent]) -> Result<Vec<Recorded>, String> {
    let mut events = Vec::with_capacity(rows.len());
    for row in rows {
        let position = head.position.saturating_add(1);
        if row.position != position {
            return Err(format!("event {position} is missing"));
        }
        if row.hash != log::event_hash(&head.hash, &row.body) {
            return Err(format!("event {position}: the hash is wrong"));
        }
        let recorded = log::decode(row)?;
        *head = Head {
            position,
            hash: row.hash,
            recorded_at: recorded.event.recorded_at,
        };
        events.push(recorded);
    }
    Ok(events)
}

/// The states as the events so far make them, as far as they are in memory.
pub(super) struct Fold {
    head: Head,
    held: HashMap<Name, Account>,
    open: Requests,
    counting: Counting,
    /// How many accounts there are so far.
    pub(super) accounts: u64,
    /// How many rows of requests and atomic calls were made.
    pub(super) requests: usize,
    /// How many ids of providers were claimed.
    pub(super) external_ids: usize,
}

impl Fold {
    pub(super) fn new() -> Self {
        Self {
            head: Head::default(),
            held: HashMap::new(),
            open: Requests::default(),
            counting: Counting::default(),
            accounts: 0,
            requests: 0,
            external_ids: 0,
        }
    }

    /// The last event that was taken in.
    pub(super) const fn head(&self) -> Head {
        self.head
    }

    /// How many accounts are in memory.
    pub(super) fn accounts_held(&self) -> usize {
        self.held.len()
    }

    /// The accounts that these events go on with, and that are not in memory.
    pub(super) fn missing(&self, events: &[Recorded]) -> Vec<Name> {
        let mut seen = HashSet::new();
        let accounts = events.iter().map(|recorded| &recorded.event);
        accounts
            .filter(|event| seen.insert(event.account.as_str()))
            .filter(|event| event.version > 1 && !self.held.contains_key(&event.account))
            .map(|event| event.account.clone())
            .collect()
    }

    /// Takes states back that were written down.
    pub(super) fn take_back(&mut self, states: &[StoredAccount]) -> Result<(), String> {
        for state in states {
            let account = minicbor::decode(&state.state)
                .map_err(|error| format!("account {}: {error}", state.account))?;
            self.held.insert(state.account.clone(), account);
        }
        Ok(())
    }

    /// Takes the next events in, and gives the rows that they make.
    pub(super) fn take_in(&mut self, events: Vec<Recorded>) -> Result<Derived, String> {
        let mut derived = Derived {
            index: Vec::with_capacity(events.len()),
            requests: Vec::with_capacity(events.len()),
            ..Derived::default()
        };
        for Recorded { event, hash } in events {
            self.head = Head {
                position: event.position,
                hash,
                recorded_at: event.recorded_at,
            };
            if let Some(account) = self.held.get_mut(&event.account) {
                account.evolve(&event).map_err(|error| error.to_string())?;
            } else {
                let mut account = Account::default();
                account.evolve(&event).map_err(|error| error.to_string())?;
                self.held.insert(event.account.clone(), account);
                self.accounts += 1;
            }
            self.open.take_in(&event, &mut derived.requests)?;
            derived.external_ids.extend(claims_of(&event));
            self.counting.take_in(&event)?;
            derived.index.push(index_row(event));
        }
        if self.counting.len() > COUNTED_ROWS_MAX {
            derived.counted = self.counting.take();
        }
        self.requests += derived.requests.len();
        self.external_ids += derived.external_ids.len();
        // In the order of the index, so that its pages are touched in one sweep.
        derived
            .index
            .sort_unstable_by(|a, b| (&a.account, a.position).cmp(&(&b.account, b.position)));
        Ok(derived)
    }

    /// After the last event: the rows of the requests that ended with it, and the
    /// figures that are not written yet.
    pub(super) fn last_rows(&mut self) -> Derived {
        let mut derived = Derived {
            counted: self.counting.take(),
            ..Derived::default()
        };
        self.open.finish(&mut derived.requests);
        self.requests += derived.requests.len();
        derived
    }

    /// The states, which are not in memory any more, in the order of ids.
    pub(super) fn take_states(&mut self) -> Vec<(Name, Account)> {
        let mut states: Vec<_> = std::mem::take(&mut self.held).into_iter().collect();
        states.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        states
    }
}

/// The row of a state.
pub(super) fn stored_account((id, account): &(Name, Account)) -> StoredAccount {
    StoredAccount {
        account: id.clone(),
        version: account.version,
        fold_version: FOLD_VERSION,
        state: encode(account),
        due_at: account.next_due(),
    }
}
