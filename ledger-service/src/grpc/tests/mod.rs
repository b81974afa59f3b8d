//! The API over a real connection, engine and SQLite file: what each method
//! answers. What the ledger decides is tested where it is decided.

mod batches;
mod events;
mod explain;
mod lists;
mod mutations;
mod payments;
mod policy;
mod reads;
mod server;
mod statistics;
mod subscribe;
mod subscriptions;

use std::{collections::BTreeMap, time::Duration};

use ledger_core::{
    Command, Request, RequestId,
    command::ApplyCatalog,
    event::{Annotations, HOUSE},
};
use ledger_proto::v1::{
    self, account_service_client::AccountServiceClient, event_service_client::EventServiceClient,
    ledger_service_client::LedgerServiceClient, payment_service_client::PaymentServiceClient,
};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tonic::{Status, transport::Channel};
use tonic_types::StatusExt as _;
use uuid::Uuid;

use super::health;
use crate::{
    engine::{Call, CallOptions, Clock, Engine},
    projections::Index,
    store::{Address, Mode, connect},
};

/// Four free operations, then 10 RUB each; a point for each operation.
const CATALOG: &str = r#"
schema = 1
book = "b"
time_zone = "UTC"
open_on_first_use = true
metadata_keys = ["model"]
refund_grace = "7d"

[assets.RUB]
kind = "money"
exponent = 2

[assets.FREE_OP]
kind = "allowance"

[[grants_on_opening]]
asset = "FREE_OP"
amount = 4
source = "WELCOME"

[operations.generate]
prices = [{ asset = "FREE_OP", amount = 1 }, { asset = "RUB", amount = 1000 }]
hold = { duration = "15m", overrun = "REJECT" }

[operations.edit]
prices = [{ asset = "RUB", amount = 500 }]
hold = { duration = "15m", overrun = "REJECT" }

[top_up.RUB]
presets = [10000, 30000]
minimum = 5000
maximum = 10000000
"#;

const BOOK: &str = "books/b";

/// How the index is built in a test.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Indexing {
    /// As in the service.
    On,
    /// Another instance leads, and does not come further.
    Elsewhere,
}

/// A server on a book of its own.
struct Stand {
    engine: Engine,
    index: Index,
    shutdown: CancellationToken,
    server: JoinHandle<Result<(), tonic::transport::Error>>,
    ledger: LedgerServiceClient<Channel>,
    accounts: AccountServiceClient<Channel>,
    events: EventServiceClient<Channel>,
    payments: PaymentServiceClient<Channel>,
    channel: Channel,
    _directory: TempDir,
}

impl Stand {
    async fn start() -> Self {
        Self::start_with(CATALOG, Indexing::On).await
    }

    async fn start_with(catalog: &str, indexing: Indexing) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:///{}", directory.path().join("l.db").display());
        let store = connect(&Address::parse(&url).unwrap(), Mode::Serve)
            .await
            .unwrap();
        store.create_book("b").await.unwrap();
        if indexing == Indexing::Elsewhere {
            store.lease("index", "another").await.unwrap().unwrap();
        }
        let engine = Engine::new(store, Clock::system());
        apply(&engine, catalog).await;
        let shutdown = CancellationToken::new();
        let index = Index::spawn(engine.clone(), "this".to_owned(), shutdown.clone());
        let reporter = health::reporter().await;
        health::set_serving(&reporter).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = super::serve(
            listener,
            engine.clone(),
            index.clone(),
            reporter,
            shutdown.clone(),
        );
        let server = tokio::spawn(serving);
        let channel = Channel::from_shared(url).unwrap().connect_lazy();
        Self {
            ledger: LedgerServiceClient::new(channel.clone()),
            accounts: AccountServiceClient::new(channel.clone()),
            events: EventServiceClient::new(channel.clone()),
            payments: PaymentServiceClient::new(channel.clone()),
            engine,
            index,
            shutdown,
            server,
            channel,
            _directory: directory,
        }
    }

    async fn charge(&mut self, message: v1::ChargeRequest) -> Result<v1::ChargeResponse, Status> {
        self.ledger
            .charge(message)
            .await
            .map(tonic::Response::into_inner)
    }

    /// Charges an operation and expects it to succeed.
    async fn charged(&mut self, account: &str, operation: &str) -> v1::ChargeResponse {
        self.charge(charge(account, operation)).await.unwrap()
    }

    async fn credited(&mut self, account: &str, asset: &str, amount: i64) -> v1::CreditResponse {
        let message = v1::CreditRequest {
            account: name(account),
            request_id: id(),
            amount: asset_amount(asset, amount),
            ..Default::default()
        };
        self.ledger.credit(message).await.unwrap().into_inner()
    }

    async fn paid(&mut self, account: &str, amount: i64) -> v1::RecordPaymentResponse {
        let provider_id = v1::ProviderId {
            kind: "payment".to_owned(),
            id: id(),
        };
        let message = v1::RecordPaymentRequest {
            account: name(account),
            request_id: id(),
            provider: "yookassa".to_owned(),
            merchant_account: "1".to_owned(),
            provider_ids: vec![provider_id],
            amount: Some(v1::Money {
                currency: "RUB".to_owned(),
                amount,
            }),
            status: v1::PaymentStatus::Succeeded.into(),
            ..Default::default()
        };
        self.payments
            .record_payment(message)
            .await
            .unwrap()
            .into_inner()
    }

    async fn balance(&mut self, message: v1::GetBalanceRequest) -> v1::GetBalanceResponse {
        self.accounts
            .get_balance(message)
            .await
            .unwrap()
            .into_inner()
    }

    /// All events of a list, page by page.
    async fn listed(&mut self, mut message: v1::ListEventsRequest) -> Vec<v1::Event> {
        let mut events = Vec::new();
        loop {
            let page = self
                .events
                .list_events(message.clone())
                .await
                .unwrap()
                .into_inner();
            events.extend(page.events);
            if page.next_page_token.is_empty() {
                return events;
            }
            message.page_token = page.next_page_token;
        }
    }
}

async fn apply(engine: &Engine, catalog: &str) {
    let command = ApplyCatalog {
        text: catalog.to_owned(),
        overrides: BTreeMap::new(),
        expected_version: None,
    };
    let request = Request {
        account: HOUSE.into(),
        request_id: Some(RequestId(uuid().into_bytes())),
        origin: "operator".into(),
        annotations: Annotations::default(),
        expires_at: None,
        command: Command::ApplyCatalog(command),
    };
    let call = Call {
        requests: vec![request],
        options: CallOptions::default(),
    };
    engine.call("b", call).await.unwrap().remove(0).unwrap();
}

fn name(account: &str) -> String {
    format!("{BOOK}/accounts/{account}")
}

fn id() -> String {
    uuid().to_string()
}

#[expect(clippy::disallowed_methods, reason = "tests are where ids come from")]
fn uuid() -> Uuid {
    Uuid::new_v4()
}

fn charge(account: &str, operation: &str) -> v1::ChargeRequest {
    v1::ChargeRequest {
        account: name(account),
        request_id: id(),
        operation: operation.to_owned(),
        ..Default::default()
    }
}

fn get_balance(account: &str) -> v1::GetBalanceRequest {
    v1::GetBalanceRequest {
        account: name(account),
        ..Default::default()
    }
}

fn asset_amount(asset: &str, amount: i64) -> Option<v1::AssetAmount> {
    Some(v1::AssetAmount {
        asset: asset.to_owned(),
        amount,
    })
}

/// `FREE_OP 4 (1 held)` for each balance.
fn told(balances: &[v1::Balance]) -> String {
    let told = |balance: &v1::Balance| {
        assert_eq!(balance.available, balance.balance - balance.held);
        let held = if balance.held > 0 {
            format!(" ({} held)", balance.held)
        } else {
            String::new()
        };
        format!("{} {}{held}", balance.asset, balance.balance)
    };
    balances.iter().map(told).collect::<Vec<_>>().join(", ")
}

/// The kinds of events, in a line.
fn kinds(events: &[v1::Event]) -> String {
    let kind = |event: &v1::Event| {
        let shown = format!("{:?}", event.payload.as_ref().unwrap());
        shown.split('(').next().unwrap().to_owned()
    };
    events.iter().map(kind).collect::<Vec<_>>().join(" ")
}

fn reason(status: &Status) -> String {
    status
        .get_details_error_info()
        .map(|info| info.reason)
        .unwrap_or_default()
}

fn fields(status: &Status) -> Vec<String> {
    let violations = status
        .get_details_bad_request()
        .map(|bad| bad.field_violations);
    violations
        .unwrap_or_default()
        .into_iter()
        .map(|violation| violation.field)
        .collect()
}
