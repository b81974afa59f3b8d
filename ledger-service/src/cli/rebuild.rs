//! Making everything beside the events anew from them: requests, ids of
//! providers, states, the index, statistics.
//!
//! Three tasks, one for each kind of work: events are read ahead and decoded,
//! folded, and what they make is written, in one transaction a book. Memory is
//! bounded: a few chunks of events, and the states of some accounts; when there
//! are more, all are written down, and read again when they are needed.

mod fold;
#[cfg(test)]
mod tests;

use std::process::ExitCode;

use thiserror::Error;
use tokio::task::JoinHandle;

use super::{
    EXIT_USAGE,
    config::{DatabaseArgs, environment},
    fail,
    scan::{Progress, chunks},
};
use crate::{
    limits::CACHED_ACCOUNTS_MAX,
    store::{Derived, Mode, Rebuild, SchemaError, SharedStore, StoreError, connect},
};
use fold::{Fold, decoded};

/// How many states are written at once.
const STATES_AT_ONCE: usize = 5_000;

#[derive(Debug, Error)]
enum RebuildError {
    #[error("the database cannot be used")]
    Database(#[from] SchemaError),
    #[error("the database failed; nothing of this book was changed")]
    Store(#[from] StoreError),
    #[error("book {book}: {what}; nothing of it was changed; run `ledger-service verify`")]
    Damaged { book: String, what: String },
    #[error("the writing ended badly; nothing of this book was changed")]
    Writing(#[from] tokio::task::JoinError),
}

pub(super) async fn run(args: DatabaseArgs) -> ExitCode {
    let address = match args.address(&environment()) {
        Ok(address) => address,
        Err(errors) => return fail(&errors, EXIT_USAGE),
    };
    let result = async {
        let store = connect(&address, Mode::Write).await?;
        for book in store.books().await? {
            rebuild_book(&store, &book, CACHED_ACCOUNTS_MAX).await?;
        }
        store.close().await?;
        Ok::<(), RebuildError>(())
    };
    match result.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error, 1),
    }
}

/// Rebuilds a book, with the states of so many accounts in memory.
async fn rebuild_book(
    store: &SharedStore,
    book: &str,
    accounts_max: usize,
) -> Result<(), RebuildError> {
    let damaged = |what| RebuildError::Damaged {
        book: book.to_owned(),
        what,
    };
    let rebuild = store.rebuild(book).await?;
    let head = rebuild.head();
    let mut writing = Writing::Idle(rebuild);
    let mut progress = Progress::new(format!("{book}: rebuilding"), head.position);
    let mut fold = Fold::new();
    let mut source = decoded(chunks(store.clone(), book.to_owned(), head.position));
    while let Some(events) = source.recv().await {
        let events = events?.map_err(damaged)?;
        let missing = fold.missing(&events);
        if !missing.is_empty() {
            let mut rebuild = writing.idle().await?;
            let states = rebuild.accounts(&missing).await?;
            writing = Writing::Idle(rebuild);
            fold.take_back(&states).map_err(damaged)?;
        }
        let derived = fold.take_in(events).map_err(damaged)?;
        writing = writing.put(derived).await?;
        if fold.accounts_held() > accounts_max {
            writing = put_states(writing, &mut fold).await?;
        }
        progress.show(fold.head().position);
    }
    writing = writing.put(fold.last_rows()).await?;
    writing = put_states(writing, &mut fold).await?;
    if fold.head() != head {
        return Err(damaged(format!(
            "the head says {}, the last event is {}",
            head.position,
            fold.head().position
        )));
    }
    writing.idle().await?.commit().await?;
    eprintln!(
        "{book}: {} accounts, {} requests, {} ids of providers, index, statistics; {}",
        fold.accounts,
        fold.requests,
        fold.external_ids,
        progress.summary(head.position)
    );
    Ok(())
}

/// Writes all states down that are in memory.
async fn put_states(mut writing: Writing, fold: &mut Fold) -> Result<Writing, RebuildError> {
    let states = fold.take_states();
    for chunk in states.chunks(STATES_AT_ONCE) {
        let derived = Derived {
            accounts: chunk.iter().map(fold::stored_account).collect(),
            ..Derived::default()
        };
        writing = writing.put(derived).await?;
    }
    Ok(writing)
}

/// The transaction, which may be at work while the next rows are made.
enum Writing {
    Idle(Box<dyn Rebuild>),
    Busy(JoinHandle<Result<Box<dyn Rebuild>, StoreError>>),
}

impl Writing {
    /// The transaction, when it has written what it was given.
    async fn idle(self) -> Result<Box<dyn Rebuild>, RebuildError> {
        match self {
            Self::Idle(rebuild) => Ok(rebuild),
            Self::Busy(task) => Ok(task.await??),
        }
    }

    /// Gives it rows to write, after those that it has.
    async fn put(self, rows: Derived) -> Result<Self, RebuildError> {
        let mut rebuild = self.idle().await?;
        Ok(Self::Busy(tokio::spawn(async move {
            rebuild.put(&rows).await?;
            Ok(rebuild)
        })))
    }
}
