//! The service's server above a stage, and a client of it.

use std::future::Future;

use e2e_tests::{Backend, Database};
use ledger_core::{Rejection, Request, Timestamp};
use ledger_proto::v1::{GetEventRequest, event_service_client::EventServiceClient};
use ledger_service::{
    engine::Engine,
    grpc,
    projections::Index,
    store::{Address, Mode, connect},
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tonic::{Status, transport::Channel};

use crate::{
    language::teller::State,
    refusal,
    request::{self, Answered},
    stage::Stage,
    state,
};

/// How often a call is made again that met a clock which had gone too far.
const TRIES_MAX: usize = 5;

/// A book behind a server. The server goes when the stage's engine goes.
pub(crate) struct Door {
    pub(crate) stage: Stage,
    serving: Option<Serving>,
    _database: Database,
}

struct Serving {
    /// Which of the stage's engines it is above.
    above: u64,
    channel: Channel,
    index: Index,
    shutdown: CancellationToken,
    server: JoinHandle<Result<(), tonic::transport::Error>>,
}

impl Serving {
    async fn start(engine: Engine, above: u64) -> Self {
        let shutdown = CancellationToken::new();
        let index = Index::spawn(engine.clone(), "door".to_owned(), shutdown.clone());
        let reporter = grpc::health::reporter().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = grpc::serve(listener, engine, index.clone(), reporter, shutdown.clone());
        Self {
            above,
            channel: Channel::from_shared(url).unwrap().connect_lazy(),
            index,
            shutdown,
            server: tokio::spawn(serving),
        }
    }

    async fn stop(self) {
        let Self {
            channel,
            index,
            shutdown,
            server,
            ..
        } = self;
        drop(channel);
        shutdown.cancel();
        index.stopped().await;
        server.await.unwrap().unwrap();
    }
}

impl Door {
    /// A door to a new book with this catalog in force.
    pub(crate) async fn open(backend: Backend, catalog: &str, begins: Timestamp) -> Self {
        let database = backend.database().await;
        let address = Address::parse(&database.url).unwrap();
        let store = connect(&address, Mode::Serve).await.unwrap();
        Self {
            stage: Stage::open(store, catalog, begins).await,
            serving: None,
            _database: database,
        }
    }

    /// A connection to a server that works by the stage's time.
    async fn channel(&mut self) -> Channel {
        let (engine, number) = self.stage.engine().await;
        let (serving, old) = match self.serving.take() {
            Some(serving) if serving.above == number => (serving, None),
            old => (Serving::start(engine, number).await, old),
        };
        if let Some(old) = old {
            old.stop().await;
        }
        let channel = serving.channel.clone();
        self.serving = Some(serving);
        channel
    }

    /// Makes a call until no clock stands in its way.
    async fn ask<T, F>(&mut self, call: impl Fn(Channel, String) -> F) -> Result<T, Status>
    where
        F: Future<Output = Result<T, Status>>,
    {
        for _ in 0..TRIES_MAX {
            let channel = self.channel().await;
            match call(channel, self.stage.book.clone()).await {
                Err(status) if refusal::reason(&status) == "CLOCK_SKEW" => {
                    self.stage.retire().await;
                }
                answer => return answer,
            }
        }
        panic!("the clocks go apart faster than a call is answered");
    }

    /// Has a request carried out.
    pub(crate) async fn call(&mut self, request: &Request) -> Result<Answered, Status> {
        let answered = self
            .ask(async |channel, book| request::send(channel, &book, request).await)
            .await?;
        self.note(&answered);
        Ok(answered)
    }

    /// Has a request carried out that the API does not let one ask for, past
    /// it, and reads over it what came of that.
    pub(crate) async fn past(&mut self, request: &Request) -> Result<Answered, Rejection> {
        let written = self.stage.play(request).await?;
        let mut answered = Answered::default();
        for event in written {
            let get = async |channel, book: String| {
                let name = format!("books/{book}/events/{}", event.position);
                let request = GetEventRequest {
                    name,
                    ..Default::default()
                };
                let mut events = EventServiceClient::new(channel);
                Ok(events.get_event(request).await?.into_inner().event)
            };
            answered.events.extend(self.ask(get).await.unwrap());
        }
        Ok(answered)
    }

    /// What a line about an account should say.
    pub(crate) async fn state(&mut self, state: &State) -> String {
        self.ask(async |channel, book| state::line(channel, &book, state).await)
            .await
            .unwrap()
    }

    fn note(&mut self, answered: &Answered) {
        for event in &answered.events {
            if let Some(at) = &event.record_time {
                self.stage.has_seen(crate::answer::timestamp(at));
            }
        }
    }

    pub(crate) async fn close(mut self) {
        if let Some(serving) = self.serving.take() {
            serving.stop().await;
        }
        self.stage.retire().await;
        self.stage.store().close().await.unwrap();
    }
}
