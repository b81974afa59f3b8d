//! Making all states and indexes anew from the events.

use std::{collections::BTreeMap, process::ExitCode, time::Instant};

use ledger_core::{Account, account::FOLD_VERSION, command::encode};
use thiserror::Error;

use super::{
    EXIT_USAGE,
    config::{DatabaseArgs, environment},
    fail,
    scan::{Progress, chunks},
};
use crate::{
    engine::log,
    limits::LEASE_RENEWAL_INTERVAL,
    projections::{INDEX_LEASE, index_row},
    store::{
        Head, IndexedEvent, Mode, SchemaError, SharedStore, StoreError, StoredAccount, StoredEvent,
        connect,
    },
};

/// Who holds the index's lease while it is rebuilt.
const HOLDER: &str = "rebuild";

/// How often a rebuild begins again with the events that came meanwhile.
const ATTEMPTS_MAX: u32 = 10;

#[derive(Debug, Error)]
enum RebuildError {
    #[error("the database cannot be used")]
    Database(#[from] SchemaError),
    #[error("the database failed")]
    Store(#[from] StoreError),
    #[error("book {book}: {what}; run `ledger-service verify`")]
    Damaged { book: String, what: String },
    #[error("book {book}: others wrote faster than the states could be made; try again")]
    Overtaken { book: String },
}

pub(super) async fn run(args: DatabaseArgs) -> ExitCode {
    let address = match args.address(&environment()) {
        Ok(address) => address,
        Err(errors) => return fail(&errors, EXIT_USAGE),
    };
    let result = async {
        let store = connect(&address, Mode::Write).await?;
        for book in store.books().await? {
            rebuild_book(&store, &book).await?;
        }
        Ok::<(), RebuildError>(())
    };
    match result.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error, 1),
    }
}

/// The states as the events so far make them.
pub(super) struct Fold {
    pub(super) accounts: BTreeMap<String, Account>,
    pub(super) head: Head,
}

impl Fold {
    pub(super) fn new() -> Self {
        Self {
            accounts: BTreeMap::new(),
            head: Head::default(),
        }
    }

    fn take_in(&mut self, rows: &[StoredEvent]) -> Result<(), String> {
        for row in rows {
            if row.position != self.head.position.saturating_add(1) {
                return Err(format!(
                    "event {} is missing",
                    self.head.position.saturating_add(1)
                ));
            }
            if row.hash != log::event_hash(&self.head.hash, &row.body) {
                return Err(format!("event {}: the hash is wrong", row.position));
            }
            let event = log::decode(row)?.event;
            self.head = Head {
                position: row.position,
                hash: row.hash,
                recorded_at: event.recorded_at,
            };
            if let Some(account) = self.accounts.get_mut(&event.account) {
                account.evolve(&event).map_err(|error| error.to_string())?;
            } else {
                let mut account = Account::default();
                account.evolve(&event).map_err(|error| error.to_string())?;
                self.accounts.insert(event.account, account);
            }
        }
        Ok(())
    }
}

/// The row of a state.
pub(super) fn stored_account(id: &str, account: &Account) -> StoredAccount {
    StoredAccount {
        account: id.to_owned(),
        version: account.version,
        fold_version: FOLD_VERSION,
        state: encode(account),
        due_at: account.next_due(),
    }
}

async fn rebuild_book(store: &SharedStore, book: &str) -> Result<(), RebuildError> {
    let damaged = |what| RebuildError::Damaged {
        book: book.to_owned(),
        what,
    };
    let mut head = current_head(store, book).await?;
    let mut progress = Progress::new(format!("{book}: states"), head.position);
    let mut fold = Fold::new();
    let mut source = chunks(store.clone(), book.to_owned(), head.position);
    while let Some(rows) = source.recv().await {
        fold.take_in(&rows?).map_err(damaged)?;
        progress.show(fold.head.position);
    }
    for _ in 0..ATTEMPTS_MAX {
        while fold.head.position < head.position {
            let rows = store.read_after(book, fold.head.position, 5_000).await?;
            if rows.is_empty() {
                return Err(damaged(format!(
                    "there are no events after {}",
                    fold.head.position
                )));
            }
            fold.take_in(&rows).map_err(damaged)?;
        }
        let rows = fold
            .accounts
            .iter()
            .map(|(id, account)| stored_account(id, account))
            .collect();
        if store.replace_accounts(book, &fold.head, rows).await? {
            eprintln!(
                "{book}: states of {} accounts: {}",
                fold.accounts.len(),
                progress.summary(fold.head.position)
            );
            return rebuild_index(store, book, fold.head.position).await;
        }
        head = current_head(store, book).await?;
    }
    Err(RebuildError::Overtaken {
        book: book.to_owned(),
    })
}

/// Empties the index and builds it again; if a running service leads, it does
/// the building.
async fn rebuild_index(store: &SharedStore, book: &str, head: u64) -> Result<(), RebuildError> {
    let Some(mut lease) = store.lease(INDEX_LEASE, HOLDER).await? else {
        store.clear_index(book).await?;
        eprintln!("{book}: index: emptied; the running service builds it again");
        return Ok(());
    };
    store.clear_index(book).await?;
    let mut progress = Progress::new(format!("{book}: index"), head);
    let mut renewed_at = Instant::now();
    let mut built = 0;
    let mut source = chunks(store.clone(), book.to_owned(), head);
    while let Some(stored) = source.recv().await {
        let rows = index_rows(&stored?).map_err(|what| RebuildError::Damaged {
            book: book.to_owned(),
            what,
        })?;
        let Some(to) = rows.iter().map(|row| row.position).max() else {
            break;
        };
        if renewed_at.elapsed() > LEASE_RENEWAL_INTERVAL {
            let renewed = store.lease(INDEX_LEASE, HOLDER).await?;
            lease = renewed.ok_or_else(|| RebuildError::Overtaken {
                book: book.to_owned(),
            })?;
            renewed_at = Instant::now();
        }
        if !store.index_events(book, built, to, &rows, lease).await? {
            return Err(RebuildError::Overtaken {
                book: book.to_owned(),
            });
        }
        built = to;
        progress.show(built);
    }
    eprintln!("{book}: index: {}", progress.summary(built));
    Ok(())
}

/// The index rows of events, in the order of the index, so that they touch its
/// pages in one sweep.
fn index_rows(stored: &[StoredEvent]) -> Result<Vec<IndexedEvent>, String> {
    let mut rows = stored
        .iter()
        .map(|row| Ok(index_row(log::decode(row)?.event)))
        .collect::<Result<Vec<_>, String>>()?;
    rows.sort_unstable_by(|a, b| (&a.account, a.position).cmp(&(&b.account, b.position)));
    Ok(rows)
}

async fn current_head(store: &SharedStore, book: &str) -> Result<Head, RebuildError> {
    let seen = store.head(book).await?;
    Ok(seen.map(|seen| seen.head).unwrap_or_default())
}
