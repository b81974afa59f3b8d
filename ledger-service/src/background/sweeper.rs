//! The sweeper: writes down what time has ended. Decisions and reads do not
//! wait for it, they apply what is due in memory.

use std::collections::HashSet;

use ledger_core::{Command, Name, Request, command::Sweep, event::Annotations};
use tokio_util::sync::CancellationToken;

use crate::{
    engine::{Call, CallOptions, Engine, EngineError, ItemError},
    limits::{LEASE_RENEWAL_INTERVAL, SWEEP_ACCOUNTS},
    store::StoreError,
};

/// The origin of what the ledger does by itself.
const ORIGIN: &str = "ledger";

/// The name of the sweeper's lease.
const LEASE: &str = "sweeper";

/// Sweeps until `shutdown`, while this process leads. `holder` names the
/// process.
pub async fn sweep(engine: Engine, holder: String, shutdown: CancellationToken) {
    let mut outages = Outages::default();
    loop {
        let swept = sweep_once(&engine, &holder, &mut outages).await;
        outages.note("the lease and the list of books", swept);
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(LEASE_RENEWAL_INTERVAL) => {}
        }
    }
}

type SweepError = Box<dyn std::error::Error + Send + Sync>;

/// What fails, so that each outage is said once when it begins and once when
/// it ends.
#[derive(Default)]
struct Outages(HashSet<String>);

impl Outages {
    fn note(&mut self, what: &str, result: Result<(), SweepError>) {
        match result {
            Ok(()) => {
                if self.0.remove(what) {
                    tracing::info!(what, "the sweeper works again");
                }
            }
            Err(error) => {
                if self.0.insert(what.to_owned()) {
                    tracing::warn!(what, error = &*error, "the sweeper cannot work");
                }
            }
        }
    }
}

/// One pass over the books. One that cannot be swept does not keep the rest
/// from it.
async fn sweep_once(
    engine: &Engine,
    holder: &str,
    outages: &mut Outages,
) -> Result<(), SweepError> {
    let store = engine.store();
    if store.lease(LEASE, holder).await?.is_none() {
        return Ok(());
    }
    for book in store.books().await? {
        let swept = sweep_book(engine, &book).await;
        outages.note(&book, swept);
    }
    Ok(())
}

async fn sweep_book(engine: &Engine, book: &str) -> Result<(), SweepError> {
    // Looked at beside the engine: a book in which nothing is due needs no
    // writer. What is due in the end, the log's own time decides.
    let looked = engine.store().due_accounts(book, engine.now(), 1).await?;
    if looked.is_empty() {
        return Ok(());
    }
    loop {
        let now = engine.read(book, Vec::new(), None).await?.now;
        let due = engine
            .store()
            .due_accounts(book, now, SWEEP_ACCOUNTS)
            .await?;
        if due.is_empty() {
            return Ok(());
        }
        let found = due.len();
        write_down(engine, book, &due).await?;
        correct_bounds(engine, book, due).await?;
        if found < SWEEP_ACCOUNTS as usize {
            return Ok(());
        }
    }
}

/// Ends what is due, through the same door as everything else. Twice is
/// harmless: what has ended is not due any more.
async fn write_down(engine: &Engine, book: &str, accounts: &[String]) -> Result<(), EngineError> {
    let requests = accounts
        .iter()
        .map(|account| Request {
            account: account.into(),
            request_id: None,
            origin: ORIGIN.into(),
            annotations: Annotations::default(),
            expires_at: None,
            command: Command::Sweep(Sweep {}),
        })
        .collect();
    let results = engine
        .call(
            book,
            Call {
                requests,
                options: CallOptions::default(),
            },
        )
        .await?;
    let mut failed = Ok(());
    for error in results.into_iter().filter_map(Result::err) {
        match error {
            ItemError::Rejected(rejection) => {
                tracing::error!(book, reason = rejection.reason(), "a sweep was refused");
            }
            ItemError::Failed(error) => failed = Err(error),
        }
    }
    failed
}

/// Bounds that were earlier than what was due are set right, so that they are
/// not found again.
async fn correct_bounds(
    engine: &Engine,
    book: &str,
    accounts: Vec<String>,
) -> Result<(), SweepError> {
    let wanted = accounts.iter().map(Name::from).collect();
    let snapshot = engine.read(book, wanted, None).await?;
    for (id, account) in accounts.iter().zip(&snapshot.accounts) {
        let result = engine
            .store()
            .set_due(book, id, account.version, account.next_due())
            .await;
        match result {
            Ok(()) | Err(StoreError::Busy(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
