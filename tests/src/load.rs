//! A load of requests on instances of the ledger, and the client's own log of
//! it, written before and after each call. [`crate::judge`] reads that log.

use crate::{
    Ledger,
    client::{account, charge, credit, fresh_request, reason, rub},
};
use ledger_proto::v1::{
    CaptureHoldRequest, ChargeRequest, CreditRequest, Funding, MutationResult, PlaceHoldRequest,
    RefundRequest, ReleaseHoldRequest, TransferRequest, capture_hold_request,
    ledger_service_client::LedgerServiceClient, refund_request, release_hold_request,
};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
};
use tonic::{Code, Request, Status, transport::Channel};

/// How many accounts share the load.
pub const ACCOUNTS: usize = 50;
/// How many requests are in work at once.
const WORKERS: u64 = 24;
/// What an account has at the beginning: more than a test spends.
const FIRST_CREDIT: i64 = 1_000_000;
/// Every so many accounts one is poor, so that some requests are refused.
const POOR_EVERY: usize = 5;
/// What it has at the beginning.
const POOR_CREDIT: i64 = 1_000;
/// How long a caller waits for an answer, in milliseconds.
const PATIENCE_MS: std::ops::Range<u64> = 200..2_000;
/// What requests of the load may be refused with.
const REFUSALS: [&str; 2] = ["INSUFFICIENT_FUNDS", "WALLET_FULL"];

/// A client of an instance; nothing while that is down.
type Slot = watch::Sender<Option<LedgerServiceClient<Channel>>>;

/// One request, of any kind.
#[derive(Clone, Debug)]
pub enum Act {
    /// Credits a lot.
    Credit(CreditRequest),
    /// Charges an operation.
    Charge(ChargeRequest),
    /// Reserves the price of one.
    Hold(PlaceHoldRequest),
    /// Takes what was reserved.
    Capture(CaptureHoldRequest),
    /// Gives it up.
    Release(ReleaseHoldRequest),
    /// Gives a charge back.
    Refund(RefundRequest),
    /// Moves lots to another account.
    Transfer(TransferRequest),
}

impl Act {
    /// The request's own id.
    #[must_use]
    pub fn request_id(&self) -> &str {
        match self {
            Self::Credit(request) => &request.request_id,
            Self::Charge(request) => &request.request_id,
            Self::Hold(request) => &request.request_id,
            Self::Capture(request) => &request.request_id,
            Self::Release(request) => &request.request_id,
            Self::Refund(request) => &request.request_id,
            Self::Transfer(request) => &request.request_id,
        }
    }

    /// Sends it to an instance, and waits so long for the answer.
    ///
    /// # Errors
    /// What the instance, or the way to it, answers.
    pub async fn send(
        &self,
        mut client: LedgerServiceClient<Channel>,
        patience: Duration,
    ) -> Result<MutationResult, Status> {
        macro_rules! call {
            ($method:ident, $message:expr) => {{
                let mut request = Request::new($message.clone());
                request.set_timeout(patience);
                let response = client.$method(request).await?.into_inner();
                Ok(response.result.expect("an answer has a result"))
            }};
        }
        match self {
            Self::Credit(message) => call!(credit, message),
            Self::Charge(message) => call!(charge, message),
            Self::Hold(message) => call!(place_hold, message),
            Self::Capture(message) => call!(capture_hold, message),
            Self::Release(message) => call!(release_hold, message),
            Self::Refund(message) => call!(refund, message),
            Self::Transfer(message) => call!(transfer, message),
        }
    }
}

/// What the client knows of a request.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It was sent, and no definite answer came.
    Unknown,
    /// It was applied, with this answer.
    Acknowledged(Box<MutationResult>),
    /// It was refused for this reason.
    Refused(String),
}

/// One line of the client's log.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What was asked.
    pub act: Act,
    /// How many attempts ended without a definite answer.
    pub doubts: u32,
    /// What came of it.
    pub outcome: Outcome,
}

/// Whether a status leaves open if the request was applied.
#[must_use]
pub fn is_in_doubt(status: &Status) -> bool {
    let reason = reason(status);
    match status.code() {
        Code::Unavailable | Code::DeadlineExceeded => true,
        // Made by the client's own transport, of what became of the connection.
        Code::Cancelled | Code::Unknown | Code::Internal | Code::ResourceExhausted => {
            reason.is_empty()
        }
        _ => false,
    }
}

struct Shared {
    slots: Vec<Slot>,
    acknowledged: Vec<AtomicU64>,
    doubts: AtomicU64,
    journal: Mutex<HashMap<String, Entry>>,
    unexpected: Mutex<Vec<String>>,
    permits: Semaphore,
    has_ended: AtomicBool,
}

/// A running load. It makes only as many requests as it is allowed to.
pub struct Load {
    shared: Arc<Shared>,
    workers: JoinSet<()>,
}

impl Load {
    /// Gives every account something to spend, and begins.
    ///
    /// # Panics
    /// If that is refused.
    pub async fn start(instances: &[Ledger], seed: u64) -> Self {
        let slots = instances
            .iter()
            .map(|ledger| watch::channel(Some(ledger.ledger())).0);
        let shared = Arc::new(Shared {
            slots: slots.collect(),
            acknowledged: instances.iter().map(|_| AtomicU64::new(0)).collect(),
            doubts: AtomicU64::new(0),
            journal: Mutex::default(),
            unexpected: Mutex::default(),
            permits: Semaphore::new(0),
            has_ended: AtomicBool::new(false),
        });
        for number in 0..ACCOUNTS {
            let is_poor = number % POOR_EVERY == 0;
            let amount = if is_poor { POOR_CREDIT } else { FIRST_CREDIT };
            let act = Act::Credit(credit(&numbered(number), amount));
            shared.sent(&act);
            let client = shared.slots[0].borrow().clone().expect("it runs");
            let answer = act.send(client, Duration::from_secs(30)).await;
            shared.answered(&act, 0, answer);
        }
        let mut workers = JoinSet::new();
        for worker in 0..WORKERS {
            workers.spawn(work(Arc::clone(&shared), seed.wrapping_add(worker)));
        }
        let load = Self { shared, workers };
        load.check();
        load
    }

    /// Allows so many requests more.
    pub fn allow(&self, requests: usize) {
        self.shared.permits.add_permits(requests);
    }

    /// Sends nothing new to an instance from now on.
    pub fn leave(&self, instance: usize) {
        self.shared.slots[instance].send_replace(None);
    }

    /// Uses an instance, in the place of one that was left.
    pub fn use_instance(&self, instance: usize, ledger: &Ledger) {
        self.shared.slots[instance].send_replace(Some(ledger.ledger()));
    }

    /// How many requests were acknowledged, by all instances.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        (0..self.shared.slots.len())
            .map(|instance| self.acknowledged_by(instance))
            .sum()
    }

    /// How many requests an instance acknowledged.
    #[must_use]
    pub fn acknowledged_by(&self, instance: usize) -> u64 {
        self.shared.acknowledged[instance].load(Ordering::Acquire)
    }

    /// How many attempts ended without a definite answer.
    #[must_use]
    pub fn doubts(&self) -> u64 {
        self.shared.doubts.load(Ordering::Acquire)
    }

    /// Looks whether an answer came that the load must never get.
    ///
    /// # Panics
    /// If one did.
    pub fn check(&self) {
        let unexpected = lock(&self.shared.unexpected);
        let count = unexpected.len();
        assert_eq!(count, 0, "unexpected, e.g.: {:#?}", unexpected.first());
    }

    /// Ends the load, and gives the client's log.
    ///
    /// # Panics
    /// If an answer came that the load must never get.
    pub async fn finish(mut self) -> HashMap<String, Entry> {
        self.shared.has_ended.store(true, Ordering::Release);
        self.allow(usize::try_from(WORKERS).unwrap_or_default());
        while let Some(ended) = self.workers.join_next().await {
            ended.expect("a worker ends in good order");
        }
        self.check();
        std::mem::take(&mut *lock(&self.shared.journal))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Writes down that a request is about to be sent.
    fn sent(&self, act: &Act) {
        let entry = Entry {
            act: act.clone(),
            doubts: 0,
            outcome: Outcome::Unknown,
        };
        let before = lock(&self.journal).insert(act.request_id().to_owned(), entry);
        assert!(before.is_none(), "a request id was made twice");
    }

    /// Writes down what came of it; answers whether that is definite.
    fn answered(&self, act: &Act, instance: usize, answer: Result<MutationResult, Status>) -> bool {
        let mut journal = lock(&self.journal);
        let entry = journal.get_mut(act.request_id()).expect("it was sent");
        match answer {
            Ok(result) => {
                entry.outcome = Outcome::Acknowledged(Box::new(result));
                drop(journal);
                self.acknowledged[instance].fetch_add(1, Ordering::AcqRel);
                true
            }
            Err(status) if is_in_doubt(&status) => {
                entry.doubts += 1;
                drop(journal);
                self.doubts.fetch_add(1, Ordering::AcqRel);
                false
            }
            Err(status) => {
                let reason = reason(&status);
                if !REFUSALS.contains(&reason.as_str()) {
                    let what = format!("{act:?}: {status:?}");
                    lock(&self.unexpected).push(what);
                }
                entry.outcome = Outcome::Refused(reason);
                true
            }
        }
    }

    /// An instance that is there, any of them; waits for one if none is.
    async fn client(&self, rng: &mut StdRng) -> (usize, LedgerServiceClient<Channel>) {
        let first = rng.random_range(0..self.slots.len());
        for offset in 0..self.slots.len() {
            let instance = (first + offset) % self.slots.len();
            if let Some(client) = self.slots[instance].borrow().clone() {
                return (instance, client);
            }
        }
        let mut slot = self.slots[first].subscribe();
        let client = slot.wait_for(Option::is_some).await;
        let client = client.expect("the load holds the slot").clone();
        (first, client.expect("it is there"))
    }
}

/// Sends requests until the load ends. Half of those in doubt are repeated at
/// once, the others are left to the judge.
async fn work(shared: Arc<Shared>, seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut next_steps = Vec::new();
    loop {
        let permit = shared.permits.acquire().await;
        permit.expect("the semaphore is never closed").forget();
        if shared.has_ended.load(Ordering::Acquire) {
            return;
        }
        let act = match next_steps.pop() {
            Some(act) if rng.random_bool(0.7) => act,
            _ => first_step(&mut rng),
        };
        shared.sent(&act);
        for _ in 0..3 {
            let (instance, client) = shared.client(&mut rng).await;
            let patience = Duration::from_millis(rng.random_range(PATIENCE_MS));
            let answer = act.send(client, patience).await;
            let result = answer.as_ref().ok().cloned();
            let is_definite = shared.answered(&act, instance, answer);
            if let Some(result) = result {
                next_steps.extend(next_step(&act, &result, &mut rng));
            }
            if is_definite || rng.random_bool(0.5) {
                break;
            }
        }
    }
}

fn numbered(number: usize) -> String {
    account(&format!("load:{number}"))
}

/// Something that needs nothing before it.
fn first_step(rng: &mut StdRng) -> Act {
    let from = rng.random_range(0..ACCOUNTS);
    let account = numbered(from);
    match rng.random_range(0..10) {
        0 => Act::Credit(credit(&account, rng.random_range(1..5_000))),
        1 => Act::Credit(CreditRequest {
            funding: Funding::Granted.into(),
            ..credit(&account, rng.random_range(1..5_000))
        }),
        2 | 3 => Act::Charge(ChargeRequest {
            operation: "generate".to_owned(),
            explicit_price: None,
            ..charge(&account, 0)
        }),
        4 | 5 => Act::Charge(charge(&account, rng.random_range(1..2_000))),
        6..=8 => Act::Hold(PlaceHoldRequest {
            account,
            request_id: fresh_request(),
            operation: "upscale".to_owned(),
            explicit_price: Some(rub(rng.random_range(2..2_000))),
            ..Default::default()
        }),
        _ => Act::Transfer(TransferRequest {
            account,
            request_id: fresh_request(),
            destination_account: numbered((from + rng.random_range(1..ACCOUNTS)) % ACCOUNTS),
            amount: Some(rub(rng.random_range(1..3_000))),
            ..Default::default()
        }),
    }
}

/// What follows an acknowledged request: an end of a hold, perhaps a refund.
fn next_step(act: &Act, result: &MutationResult, rng: &mut StdRng) -> Option<Act> {
    let event = result.events.last()?.name.clone();
    let request_id = fresh_request();
    match act {
        Act::Hold(hold) if rng.random_bool(0.3) => Some(Act::Release(ReleaseHoldRequest {
            account: hold.account.clone(),
            request_id,
            target: Some(release_hold_request::Target::HoldRequestId(
                hold.request_id.clone(),
            )),
            ..Default::default()
        })),
        Act::Hold(hold) => Some(Act::Capture(CaptureHoldRequest {
            account: hold.account.clone(),
            request_id,
            amount: rng.random_bool(0.5).then_some(1),
            target: Some(capture_hold_request::Target::Hold(event)),
            ..Default::default()
        })),
        Act::Charge(charge) if rng.random_bool(0.4) => Some(Act::Refund(RefundRequest {
            account: charge.account.clone(),
            request_id,
            target: Some(refund_request::Target::Charge(event)),
            ..Default::default()
        })),
        Act::Capture(capture) if rng.random_bool(0.4) => Some(Act::Refund(RefundRequest {
            account: capture.account.clone(),
            request_id,
            amount: Some(1),
            target: Some(refund_request::Target::ChargeRequestId(
                capture.request_id.clone(),
            )),
            ..Default::default()
        })),
        _ => None,
    }
}
