//! Engines with small bounds, and short ways to ask them.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use ledger_core::{
    Command, Money, Rejection, Request, RequestId, Timestamp,
    account::Funding,
    command::{
        Adjust, ApplyCatalog, AssetAmount, CaptureHold, Change, Charge, Credit, OpenAccount,
        PlaceHold, RecordPayment, Target, Transfer,
    },
    event::{Annotations, HOUSE, ProviderId},
};
use ledger_service::{
    engine::{
        Answer, Call, CallOptions, CallResult, Clock, Engine, EngineError, EngineLimits, ItemError,
        Snapshot,
    },
    store::SharedStore,
};

use super::{
    faulty::{Faults, Kind},
    gate::Gate,
};

/// The book of the tests.
pub(crate) const BOOK: &str = "test";

/// Its catalog.
pub(crate) const CATALOG: &str = include_str!("catalog.toml");

/// What a call with one request gets.
pub(crate) type Asked = Result<Result<Answer, Rejection>, EngineError>;

/// What a call with several gets: all of them decided, or the first error.
pub(crate) type AskedAll = Result<Vec<Result<Answer, Rejection>>, EngineError>;

/// The results of a call if all of its requests were decided.
pub(crate) fn decided(results: CallResult) -> AskedAll {
    let decided = |result| match result {
        Ok(answer) => Ok(Ok(answer)),
        Err(ItemError::Rejected(rejection)) => Ok(Err(rejection)),
        Err(ItemError::Failed(error)) => Err(error),
    };
    results?.into_iter().map(decided).collect()
}

/// Bounds that make caches evict all the time.
pub(crate) const fn small_limits() -> EngineLimits {
    EngineLimits {
        queue_jobs_max: 1_024,
        batch_commands_max: 64,
        cached_accounts_max: 4,
        answered_requests_max: 16,
        catch_up_events: 3,
    }
}

/// An engine with small bounds.
pub(crate) fn engine(store: SharedStore) -> Engine {
    engine_ahead(store, 0)
}

/// The same, whose clock is so far ahead.
pub(crate) fn engine_ahead(store: SharedStore, ahead_us: i64) -> Engine {
    Engine::with_limits(store, Clock::off_by_us(ahead_us), small_limits())
}

/// An engine with small bounds whose book exists and has its catalog.
pub(crate) async fn opened(store: SharedStore) -> Engine {
    store.create_book(BOOK).await.unwrap();
    let engine = engine(store);
    done(&engine, request(HOUSE, id("catalog"), apply(CATALOG))).await;
    engine
}

/// An id that a name stands for; the same name gives the same id.
pub(crate) fn id(name: &str) -> RequestId {
    use sha2::{Digest as _, Sha256};
    let digest: [u8; 32] = Sha256::digest(name).into();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    RequestId(bytes)
}

pub(crate) fn request(account: &str, request_id: RequestId, command: Command) -> Request {
    Request {
        account: account.into(),
        request_id: Some(request_id),
        origin: "bot".into(),
        annotations: Annotations::default(),
        expires_at: None,
        command,
    }
}

/// Asks for one request, whatever comes of it.
pub(crate) async fn ask(engine: &Engine, request: Request) -> Asked {
    ask_with(engine, request, CallOptions::default()).await
}

pub(crate) async fn ask_with(engine: &Engine, request: Request, options: CallOptions) -> Asked {
    let call = Call {
        requests: vec![request],
        options,
    };
    let mut results = decided(engine.call(BOOK, call).await)?;
    assert_eq!(results.len(), 1, "one result a request");
    Ok(results.remove(0))
}

/// Asks for one request that is to be carried out.
pub(crate) async fn done(engine: &Engine, request: Request) -> Answer {
    ask(engine, request).await.unwrap().unwrap()
}

/// Asks for one request that is to be refused; gives the reason.
pub(crate) async fn refused(engine: &Engine, request: Request) -> Rejection {
    ask(engine, request).await.unwrap().unwrap_err()
}

pub(crate) async fn read(engine: &Engine, account: &str) -> Snapshot {
    engine.read(BOOK, vec![account.into()], None).await.unwrap()
}

/// What an account has of an asset.
pub(crate) async fn balance(engine: &Engine, account: &str, asset: &str) -> i64 {
    read(engine, account).await.accounts[0]
        .totals(asset)
        .balance
}

/// Has all of these decided in one batch, in this order: they gather while the
/// writer is held up at the gate of a load. (At that of an append it would
/// decide them ahead, one by one.)
pub(crate) async fn in_one_batch(
    engine: &Engine,
    faults: &Faults,
    calls: Vec<Call>,
) -> Vec<AskedAll> {
    let count = calls.len();
    let (fault, mut gate) = Gate::before();
    faults.first(Kind::Load, fault);
    let holding_up = tokio::spawn({
        let engine = engine.clone();
        async move { read(&engine, &format!("tg:cold {}", fresh())).await }
    });
    gate.arrived().await;
    let answers = tokio::spawn({
        let engine = engine.clone();
        async move {
            let calls = calls.into_iter().map(|call| engine.call(BOOK, call));
            futures::future::join_all(calls).await
        }
    });
    while engine.queued_jobs() < count {
        tokio::task::yield_now().await;
    }
    gate.open();
    holding_up.await.unwrap();
    answers.await.unwrap().into_iter().map(decided).collect()
}

/// A number that was not given before.
fn fresh() -> u64 {
    static GIVEN: AtomicU64 = AtomicU64::new(0);
    GIVEN.fetch_add(1, Ordering::Relaxed)
}

/// The same for single requests.
pub(crate) async fn each_in_one_batch(
    engine: &Engine,
    faults: &Faults,
    requests: Vec<Request>,
) -> Vec<Asked> {
    let call = |request| Call {
        requests: vec![request],
        options: CallOptions::default(),
    };
    let answers = in_one_batch(engine, faults, requests.into_iter().map(call).collect()).await;
    answers
        .into_iter()
        .map(|answer| answer.map(|mut results| results.remove(0)))
        .collect()
}

/// A deadline that has passed.
pub(crate) fn passed() -> CallOptions {
    CallOptions {
        deadline: Some(Instant::now()),
        ..CallOptions::default()
    }
}

pub(crate) fn dry() -> CallOptions {
    CallOptions {
        validate_only: true,
        ..CallOptions::default()
    }
}

pub(crate) fn apply(text: &str) -> Command {
    Command::ApplyCatalog(ApplyCatalog {
        text: text.to_owned(),
        overrides: BTreeMap::new(),
        expected_version: None,
    })
}

pub(crate) fn open() -> Command {
    Command::OpenAccount(OpenAccount {})
}

/// A bought lot without an end.
pub(crate) fn credit(asset: &str, amount: i64) -> Command {
    Command::Credit(Credit {
        asset: asset.into(),
        amount,
        funding: Funding::Purchased,
        source: "TEST".into(),
        priority: 0,
        lot_expire_time: None,
        scope: Vec::new(),
        cost_basis: Some(Money {
            currency: "RUB".into(),
            amount,
        }),
    })
}

/// A given lot that ends.
pub(crate) fn lot_until(asset: &str, amount: i64, end: Timestamp) -> Command {
    Command::Credit(Credit {
        asset: asset.into(),
        amount,
        funding: Funding::Granted,
        source: "SHORT".into(),
        priority: 0,
        lot_expire_time: Some(end),
        scope: Vec::new(),
        cost_basis: None,
    })
}

/// Asks until the log's own time has passed a moment.
pub(crate) async fn pass(engine: &Engine, moment: Timestamp) {
    while read(engine, "tg:nobody").await.now <= moment {
        tokio::task::yield_now().await;
    }
}

/// A final capture of all that the hold of this request reserves.
pub(crate) fn capture(placed_by: &str) -> Command {
    let hold = Target::Request(id(placed_by));
    Command::CaptureHold(CaptureHold {
        hold,
        amount: None,
        keep_open: false,
    })
}

/// A charge of an explicit price.
pub(crate) fn take(asset: &str, amount: i64) -> Command {
    Command::Charge(Charge {
        operation: None,
        quantity: 1,
        explicit_price: Some(AssetAmount {
            asset: asset.into(),
            amount,
        }),
        max_price: None,
        attributes: BTreeMap::new(),
        confirmed: false,
    })
}

/// A charge by the catalog.
pub(crate) fn charge(operation: &str) -> Command {
    Command::Charge(Charge {
        operation: Some(operation.into()),
        quantity: 1,
        explicit_price: None,
        max_price: None,
        attributes: BTreeMap::new(),
        confirmed: false,
    })
}

/// A hold of an explicit price.
pub(crate) fn hold(asset: &str, amount: i64, duration_us: i64) -> Command {
    Command::PlaceHold(PlaceHold {
        operation: None,
        quantity: 1,
        explicit_price: Some(AssetAmount {
            asset: asset.into(),
            amount,
        }),
        max_price: None,
        duration: Some(duration_us),
        overrun_policy: None,
        attributes: BTreeMap::new(),
        confirmed: false,
    })
}

pub(crate) fn refund(charge: Target) -> Command {
    Command::Refund(ledger_core::command::Refund {
        charge,
        amount: None,
    })
}

pub(crate) fn transfer(to: &str, asset: &str, amount: i64) -> Command {
    let destination_account = to.to_owned();
    Command::Transfer(Transfer {
        destination_account: destination_account.into(),
        asset: asset.into(),
        amount,
    })
}

pub(crate) fn add(asset: &str, delta: i64) -> Command {
    Command::Adjust(Adjust {
        asset: asset.into(),
        change: Change::Delta(delta),
    })
}

/// A payment of roubles that a provider calls `payment_id`.
pub(crate) fn payment(payment_id: &str, amount: i64) -> Command {
    Command::RecordPayment(RecordPayment {
        provider: "yookassa".into(),
        merchant_account: "shop".into(),
        provider_ids: vec![ProviderId {
            kind: "payment".into(),
            id: payment_id.into(),
        }],
        amount: Money {
            currency: "RUB".into(),
            amount,
        },
        income_amount: None,
        test: false,
        status: ledger_core::payment::PaymentStatus::Succeeded,
        payment: None,
        purpose: None,
        cancellation_reason: None,
    })
}
