//! The sweeper: writes down what time has ended. Decisions and reads do not
//! wait for it, they apply what is due in memory.

use ledger_core::{Command, Request, command::Sweep, event::Annotations};
use tokio_util::sync::CancellationToken;

use crate::{
    engine::{Call, CallOptions, Engine, EngineError},
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
    let mut is_troubled = false;
    loop {
        let swept = sweep_once(&engine, &holder).await;
        match swept {
            Ok(()) => is_troubled = false,
            // Said once an outage.
            Err(error) if !is_troubled => {
                is_troubled = true;
                tracing::warn!(error = &*error, "the sweeper cannot work");
            }
            Err(_) => {}
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(LEASE_RENEWAL_INTERVAL) => {}
        }
    }
}

type SweepError = Box<dyn std::error::Error + Send + Sync>;

async fn sweep_once(engine: &Engine, holder: &str) -> Result<(), SweepError> {
    let store = engine.store();
    if store.lease(LEASE, holder).await?.is_none() {
        return Ok(());
    }
    for book in store.books().await? {
        sweep_book(engine, &book).await?;
    }
    Ok(())
}

async fn sweep_book(engine: &Engine, book: &str) -> Result<(), SweepError> {
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
            account: account.clone(),
            request_id: None,
            origin: ORIGIN.to_owned(),
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
    for rejection in results.into_iter().filter_map(Result::err) {
        tracing::error!(book, reason = rejection.reason(), "a sweep was refused");
    }
    Ok(())
}

/// Bounds that were earlier than what was due are set right, so that they are
/// not found again.
async fn correct_bounds(
    engine: &Engine,
    book: &str,
    accounts: Vec<String>,
) -> Result<(), SweepError> {
    let snapshot = engine.read(book, accounts.clone(), None).await?;
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
