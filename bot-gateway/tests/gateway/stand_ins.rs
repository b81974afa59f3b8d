//! Small servers that play Telegram, YooKassa and the ledger. Each keeps what
//! it was asked and answers from a script, whose last line it repeats.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    extract::{Path, Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{get, post as posted},
};
use bot_gateway::{config::Task, server::Gateway};
use ledger_proto::v1::{
    AssetAmount, Balance, ChargeRequest, ChargeResponse, GetBalanceRequest, GetBalanceResponse,
    MutationResult, OpenAccountRequest, OpenAccountResponse, RecordPaymentRequest,
    RecordPaymentResponse,
};
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::{Status, server::Grpc, service::Routes};
use tonic_prost::ProstCodec;

use crate::backends::Database;

/// Answers in order; the last one again and again.
#[derive(Debug)]
pub(crate) struct Script<T>(Mutex<Vec<T>>);

impl<T: Clone> Script<T> {
    pub(crate) fn new(answers: impl IntoIterator<Item = T>) -> Self {
        let mut answers: Vec<T> = answers.into_iter().collect();
        answers.reverse();
        Self(Mutex::new(answers))
    }

    fn next(&self) -> T {
        let mut answers = self.0.lock().unwrap();
        if answers.len() > 1 {
            answers.pop().unwrap()
        } else {
            answers[0].clone()
        }
    }
}

/// A call of the Bot API or of YooKassa.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) path: String,
    pub(crate) authorization: String,
    pub(crate) body: Value,
}

/// A server that answers HTTP from a script, or not at all.
pub(crate) struct Remote {
    pub(crate) url: String,
    calls: Arc<Mutex<Vec<Call>>>,
}

struct RemoteState {
    calls: Arc<Mutex<Vec<Call>>>,
    /// Without one it takes calls and leaves them hanging.
    script: Option<Script<(u16, String)>>,
}

impl Remote {
    pub(crate) async fn start(answers: impl IntoIterator<Item = (u16, String)>) -> Self {
        Self::serve(Some(Script::new(answers))).await
    }

    /// One that takes calls and never answers.
    pub(crate) async fn hanging() -> Self {
        Self::serve(None).await
    }

    async fn serve(script: Option<Script<(u16, String)>>) -> Self {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let state = RemoteState {
            calls: Arc::clone(&calls),
            script,
        };
        let router = Router::new()
            .route("/{*path}", get(answer).post(answer))
            .with_state(Arc::new(state));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, calls }
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }
}

async fn answer(
    State(state): State<Arc<RemoteState>>,
    Path(path): Path<String>,
    headers: HeaderMap,
    body: String,
) -> Response {
    let authorization = headers
        .get(header::AUTHORIZATION)
        .map(|value| value.to_str().unwrap());
    let call = Call {
        path,
        authorization: authorization.unwrap_or_default().to_owned(),
        body: serde_json::from_str(&body).unwrap_or_default(),
    };
    state.calls.lock().unwrap().push(call);
    let Some(script) = &state.script else {
        return std::future::pending().await;
    };
    let (status, body) = script.next();
    let mut response = (StatusCode::from_u16(status).unwrap(), body).into_response();
    if status == 302 {
        response
            .headers_mut()
            .insert(header::LOCATION, "http://127.0.0.1:1/".parse().unwrap());
    }
    response
}

/// What the ledger was asked.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub(crate) opened: Vec<OpenAccountRequest>,
    pub(crate) charged: Vec<ChargeRequest>,
    pub(crate) recorded: Vec<RecordPaymentRequest>,
    pub(crate) origins: Vec<String>,
}

/// What the ledger answers; balances are always 4 free operations and 499 ₽.
pub(crate) struct Answers {
    pub(crate) charges: Script<Result<AssetAmount, Status>>,
    pub(crate) payments: Script<Result<(), Status>>,
}

impl Default for Answers {
    fn default() -> Self {
        let free = AssetAmount {
            asset: "FREE_OP".to_owned(),
            amount: 1,
        };
        Self {
            charges: Script::new([Ok(free)]),
            payments: Script::new([Ok(())]),
        }
    }
}

/// A ledger with the four methods that the gateway calls.
pub(crate) struct Ledger {
    pub(crate) url: String,
    pub(crate) asked: Arc<Mutex<Asked>>,
}

impl Ledger {
    pub(crate) async fn start(answers: Answers) -> Self {
        let asked = Arc::new(Mutex::new(Asked::default()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let routes = Routes::from(ledger_routes(&asked, Arc::new(answers)));
        let served = tonic::transport::Server::builder()
            .add_routes(routes)
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(served);
        Self { url, asked }
    }
}

fn ledger_routes(asked: &Arc<Mutex<Asked>>, answers: Arc<Answers>) -> Router {
    let (on_open, on_charge, on_record) = (Arc::clone(asked), Arc::clone(asked), Arc::clone(asked));
    let payments = Arc::clone(&answers);
    Router::new()
        .route(
            "/ledger.v1.LedgerService/OpenAccount",
            rpc(move |request: tonic::Request<OpenAccountRequest>| {
                on_open.lock().unwrap().opened.push(request.into_inner());
                Ok(OpenAccountResponse::default())
            }),
        )
        .route(
            "/ledger.v1.AccountService/GetBalance",
            rpc(|_: tonic::Request<GetBalanceRequest>| {
                Ok(GetBalanceResponse {
                    balances: balances(),
                    ..GetBalanceResponse::default()
                })
            }),
        )
        .route(
            "/ledger.v1.LedgerService/Charge",
            rpc(move |request: tonic::Request<ChargeRequest>| {
                on_charge.lock().unwrap().charged.push(request.into_inner());
                let price = Some(answers.charges.next()?);
                Ok(ChargeResponse {
                    price,
                    result: result(),
                    ..ChargeResponse::default()
                })
            }),
        )
        .route(
            "/ledger.v1.PaymentService/RecordPayment",
            rpc(move |request: tonic::Request<RecordPaymentRequest>| {
                let mut asked = on_record.lock().unwrap();
                let origin = request.metadata().get("x-ledger-origin").unwrap();
                asked.origins.push(origin.to_str().unwrap().to_owned());
                asked.recorded.push(request.into_inner());
                payments.payments.next()?;
                Ok(RecordPaymentResponse {
                    result: result(),
                    ..RecordPaymentResponse::default()
                })
            }),
        )
}

fn result() -> Option<MutationResult> {
    Some(MutationResult {
        balances: balances(),
        ..MutationResult::default()
    })
}

fn balances() -> Vec<Balance> {
    [("FREE_OP", 4), ("RUB", 49_900)]
        .map(|(asset, amount)| Balance {
            asset: asset.to_owned(),
            balance: amount,
            available: amount,
            held: 0,
            deficit: 0,
        })
        .to_vec()
}

/// One unary method, answered by a function.
fn rpc<Q, A, F>(function: F) -> axum::routing::MethodRouter
where
    Q: prost::Message + Default + Send + 'static,
    A: prost::Message + Default + Send + 'static,
    F: Fn(tonic::Request<Q>) -> Result<A, Status> + Send + Sync + 'static,
{
    let function = Arc::new(function);
    posted(move |request: Request| {
        let function = Arc::clone(&function);
        async move {
            let service = tower::service_fn(move |request: tonic::Request<Q>| {
                let answer = function(request).map(tonic::Response::new);
                async move { answer }
            });
            let answer = Grpc::new(ProstCodec::<A, Q>::default())
                .unary(service, request)
                .await;
            Ok::<_, Infallible>(answer)
        }
    })
}

/// A gateway that runs in the test's process.
pub(crate) struct Running {
    pub(crate) url: String,
    pub(crate) inbox: bot_gateway::inbox::Inbox,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    pub(crate) async fn start(database: &Database, flags: &[&str]) -> Self {
        let database = format!("--database-url={}", database.url);
        let fixed = ["bot-gateway", "--http-addr=127.0.0.1:0", &database];
        let arguments = fixed.iter().chain(flags).map(Into::into);
        let Task::Serve(config) = Task::parse(arguments).unwrap() else {
            panic!("not a gateway: {flags:?}");
        };
        let gateway = Gateway::bind(&config).await.unwrap();
        let url = format!("http://{}", gateway.address());
        let inbox = gateway.inbox().clone();
        let stop = CancellationToken::new();
        let task = tokio::spawn(gateway.run(stop.clone()));
        Self {
            url,
            inbox,
            stop,
            task,
        }
    }

    /// Posts a body; the secret header if there is one.
    pub(crate) async fn post(&self, path: &str, secret: Option<&str>, body: &[u8]) -> Reply {
        post(&format!("{}{path}", self.url), secret, body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        let answer = plain_client()
            .get(format!("{}{path}", self.url))
            .send()
            .await;
        Reply::read(answer.unwrap()).await
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

/// An answer of the gateway.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<String>,
    pub(crate) text: String,
}

impl Reply {
    async fn read(response: reqwest::Response) -> Self {
        let status = response.status().as_u16();
        let retry_after = response.headers().get(header::RETRY_AFTER);
        let retry_after = retry_after.map(|value| value.to_str().unwrap().to_owned());
        Self {
            status,
            retry_after,
            text: response.text().await.unwrap(),
        }
    }
}

/// Posts a body; the secret header if there is one.
pub(crate) async fn post(url: &str, secret: Option<&str>, body: &[u8]) -> Reply {
    let mut request = plain_client().post(url).body(body.to_vec());
    if let Some(secret) = secret {
        request = request.header("X-Telegram-Bot-Api-Secret-Token", secret);
    }
    Reply::read(request.send().await.unwrap()).await
}

fn plain_client() -> reqwest::Client {
    let base = "http://127.0.0.1".parse().unwrap();
    bot_gateway::http_client::build(&base, crate::PATIENCE).unwrap()
}

/// What the Bot API says when it took a call.
pub(crate) fn telegram_ok() -> (u16, String) {
    (
        200,
        Json(serde_json::json!({ "ok": true, "result": {} }))
            .0
            .to_string(),
    )
}
