//! The history of an account: which events it has, and what it was like.
//!
//! Positions come from the index as far as it has come, and from the account's
//! own chain behind that: each event names the one before it, so walking back
//! from the last one meets the index. A long gap is left to the index.

use std::time::Instant;

use ledger_core::Account;

use super::{Index, ReadError};
use crate::{
    engine::{EngineError, Recorded, log},
    limits::CHAIN_EVENTS_MAX,
    store::{PositionRange, SharedStore},
};

/// How many events are folded in one go.
const FOLD_EVENTS: u32 = 500;

/// The positions of an account's events, complete up to its last one.
#[derive(Clone, Debug)]
pub struct AccountHistory {
    store: SharedStoreHandle,
    book: String,
    account: String,
    /// Up to here the index has them.
    indexed: u64,
    /// Those after it, ascending.
    tail: Vec<u64>,
}

/// A store in something that can be shown.
#[derive(Clone)]
struct SharedStoreHandle(SharedStore);

impl std::fmt::Debug for SharedStoreHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}

impl AccountHistory {
    /// The history of an account up to its event at `last`, which is 0 if it
    /// has none.
    ///
    /// # Errors
    /// [`NotCaughtUp`](EngineError::NotCaughtUp) if too much has
    /// happened since the index, and it does not get there in time.
    pub async fn open(
        index: &Index,
        book: &str,
        account: &str,
        last: u64,
        deadline: Instant,
    ) -> Result<Self, ReadError> {
        let store = index.store().clone();
        let mut history = Self {
            indexed: store.indexed_position(book).await?,
            store: SharedStoreHandle(store),
            book: book.to_owned(),
            account: account.to_owned(),
            tail: Vec::new(),
        };
        if !history.walk_back(last).await? {
            index.wait_for(book, last, deadline).await?;
            history.indexed = history.indexed.max(last);
        }
        Ok(history)
    }

    /// Walks from `last` down to what is indexed. Answers whether it got there.
    async fn walk_back(&mut self, last: u64) -> Result<bool, ReadError> {
        let mut position = last;
        let mut steps = 0;
        while position > self.indexed {
            if steps == CHAIN_EVENTS_MAX {
                self.tail.clear();
                return Ok(false);
            }
            steps += 1;
            self.tail.push(position);
            let events = events_at(&self.store.0, &self.book, &[position]).await?;
            position = match events.first() {
                Some(recorded) if recorded.event.account == self.account => {
                    recorded.event.previous_position
                }
                _ => return Err(missing(&self.account, position)),
            };
        }
        self.tail.reverse();
        Ok(true)
    }

    /// A page of positions, in the order asked for. A page that is not full is
    /// the last one.
    ///
    /// # Errors
    /// The store's; [`NotCaughtUp`](EngineError::NotCaughtUp) if the index was
    /// emptied since the history was opened.
    pub async fn positions(&self, range: PositionRange) -> Result<Vec<u64>, ReadError> {
        let limit = usize::try_from(range.limit).unwrap_or(usize::MAX);
        let fits = |position: &&u64| (range.from..=range.to).contains(*position);
        if range.newest_first {
            let tail = self.tail.iter().rev().filter(fits).take(limit).copied();
            let mut page: Vec<u64> = tail.collect();
            page.extend(self.indexed_positions(range, page.len()).await?);
            return Ok(page);
        }
        let mut page = self.indexed_positions(range, 0).await?;
        let free = limit.saturating_sub(page.len());
        page.extend(self.tail.iter().filter(fits).take(free).copied());
        Ok(page)
    }

    /// What the index has of a page that has some positions already.
    async fn indexed_positions(
        &self,
        range: PositionRange,
        found: usize,
    ) -> Result<Vec<u64>, ReadError> {
        let found = u32::try_from(found).unwrap_or(u32::MAX);
        // The index may have come further meanwhile, into the tail.
        let to = range.to.min(self.indexed);
        let range = PositionRange {
            to,
            limit: range.limit.saturating_sub(found),
            ..range
        };
        if range.limit == 0 || range.from > range.to {
            return Ok(Vec::new());
        }
        let store = &self.store.0;
        let positions = store
            .indexed_positions(&self.book, &self.account, range)
            .await?;
        // An index that was emptied meanwhile has none, and that is no answer.
        let indexed = store.indexed_position(&self.book).await?;
        if indexed < self.indexed {
            let error = EngineError::NotCaughtUp {
                position: indexed,
                wanted: self.indexed,
            };
            return Err(error.into());
        }
        Ok(positions)
    }
}

/// The events at these positions, in their order in the log.
///
/// # Errors
/// The store's; one of the events is missing or cannot be read.
pub async fn events_at(
    store: &SharedStore,
    book: &str,
    positions: &[u64],
) -> Result<Vec<Recorded>, ReadError> {
    if positions.is_empty() {
        return Ok(Vec::new());
    }
    let stored = store.read_at(book, positions).await?;
    if stored.len() != positions.len() {
        let what = format!(
            "of {} events of book {book}, {} are there",
            positions.len(),
            stored.len()
        );
        return Err(ReadError::Damaged(what));
    }
    stored
        .iter()
        .map(log::decode)
        .collect::<Result<_, _>>()
        .map_err(ReadError::Damaged)
}

/// An account as it was right after the event of the book at `position`.
/// `now` is the account as it is, which is the answer if nothing has happened
/// to it since; otherwise its events are folded.
///
/// # Errors
/// As of [`AccountHistory::open`]; the events do not fit together.
pub async fn account_at(
    index: &Index,
    (book, account): (&str, &str),
    now: &Account,
    position: u64,
    deadline: Instant,
) -> Result<Account, ReadError> {
    if now.position <= position {
        return Ok(now.clone());
    }
    let history = AccountHistory::open(index, book, account, now.position, deadline).await?;
    let mut then = Account::default();
    let mut from = 1;
    loop {
        let range = PositionRange {
            from,
            to: position,
            newest_first: false,
            limit: FOLD_EVENTS,
        };
        let positions = history.positions(range).await?;
        for recorded in events_at(index.store(), book, &positions).await? {
            then.evolve(&recorded.event)
                .map_err(|error| ReadError::Damaged(error.to_string()))?;
        }
        match positions.last() {
            Some(last) if positions.len() == FOLD_EVENTS as usize => from = last + 1,
            _ => return Ok(then),
        }
    }
}

fn missing(account: &str, position: u64) -> ReadError {
    ReadError::Damaged(format!(
        "account {account} has no event at {position}, as it should"
    ))
}
