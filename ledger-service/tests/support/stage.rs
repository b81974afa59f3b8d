//! A book whose time is a scenario's: it stands still while a line is played,
//! and goes on where the scenario says so.
//!
//! The clocks are the only things that are not real. The database's stands at
//! the time that the scenario tells; the engine's is off by as much. An engine
//! that is used for longer would find that the two go apart, and decide nothing
//! any more: then another takes its place, as it does when time passes.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use ledger_core::{
    Account, Command, Context, Event, Rejection, Request, RequestId, Timestamp,
    catalog::parse,
    command::ApplyCatalog,
    decide::at_present,
    event::{Annotations, HOUSE},
};
use ledger_service::{
    engine::{Call, CallOptions, Clock, Engine, EngineError, ItemError, Snapshot},
    store::SharedStore,
};

use super::faulty::{Faults, FaultyStore};

/// After which time an engine is replaced. A second later it would stop.
const ENGINE_AGE_MAX: Duration = Duration::from_secs(1);

/// How often a line is played again that met a clock which had gone too far.
const TRIES_MAX: usize = 5;

/// What came of a request.
pub(crate) type Outcome = Result<Vec<Event>, Rejection>;

pub(crate) struct Stage {
    pub(crate) book: String,
    store: SharedStore,
    faults: Arc<Faults>,
    /// What the scenario says.
    told: Timestamp,
    /// By how much the log is ahead of that: events have times of their own,
    /// and each call takes a moment.
    ahead_us: i64,
    engine: Option<(Engine, Instant)>,
    /// How many engines there were.
    engines: u64,
    requests: u64,
}

impl Stage {
    /// A stage on an empty database, with its book and its catalog in force.
    pub(crate) async fn open(store: SharedStore, catalog: &str, begins: Timestamp) -> Self {
        let parsed = parse(catalog, &Default::default()).unwrap_or_else(|what| panic!("{what}"));
        let book = parsed.catalog.book.to_string();
        store.create_book(&book).await.unwrap();
        let (store, faults) = FaultyStore::around(store);
        let mut stage = Self {
            book,
            store,
            faults,
            told: begins,
            ahead_us: 0,
            engine: None,
            engines: 0,
            requests: 0,
        };
        let request = Request {
            account: HOUSE.into(),
            request_id: Some(stage.next_request_id()),
            origin: "stage".into(),
            annotations: Annotations::default(),
            expires_at: None,
            command: Command::ApplyCatalog(ApplyCatalog {
                text: catalog.to_owned(),
                overrides: Default::default(),
                expected_version: None,
            }),
        };
        stage.play(&request).await.unwrap();
        stage
    }

    /// An id that no request had yet.
    pub(crate) fn next_request_id(&mut self) -> RequestId {
        self.requests += 1;
        let mut id = [0; 16];
        id[8..].copy_from_slice(&self.requests.to_be_bytes());
        (id[6], id[8]) = (0x80, 0x80);
        RequestId(id)
    }

    /// Time passes.
    pub(crate) async fn wait(&mut self, us: i64) {
        self.told = self.told.plus_us(us);
        self.retire().await;
    }

    /// The log has come as far as this.
    pub(crate) fn has_seen(&mut self, at: Timestamp) {
        self.ahead_us = self.ahead_us.max(at.us_since(self.told));
    }

    /// An engine for the next line, and how many there were with it.
    pub(crate) async fn engine(&mut self) -> (Engine, u64) {
        let now = self.told.plus_us(self.ahead_us + 1);
        self.faults.stop_clock(now);
        let young = |made: &Instant| made.elapsed() < ENGINE_AGE_MAX;
        if let Some((engine, made)) = &self.engine
            && young(made)
        {
            return (engine.clone(), self.engines);
        }
        self.retire().await;
        let clock = Clock::off_by_us(now.us_since(Clock::system().now()));
        let engine = Engine::new(self.store.clone(), clock);
        self.engine = Some((engine.clone(), Instant::now()));
        self.engines += 1;
        (engine, self.engines)
    }

    /// Ends the engine there is.
    pub(crate) async fn retire(&mut self) {
        if let Some((engine, _)) = self.engine.take() {
            engine.shut_down().await;
        }
    }

    /// Has a request carried out.
    pub(crate) async fn play(&mut self, request: &Request) -> Outcome {
        for _ in 0..TRIES_MAX {
            let (engine, _) = self.engine().await;
            let call = Call {
                requests: vec![request.clone()],
                options: CallOptions::default(),
            };
            let mut results = match engine.call(&self.book, call).await {
                Ok(results) => results,
                Err(EngineError::ClockSkew { .. }) => {
                    self.retire().await;
                    continue;
                }
                Err(error) => panic!("{error:?}: {request:?}"),
            };
            return match results.remove(0) {
                Ok(answer) => {
                    assert!(!answer.replayed, "{request:?}");
                    let events = answer.events.iter().map(|it| it.event.clone());
                    let events: Vec<Event> = events.collect();
                    for event in &events {
                        self.has_seen(event.recorded_at);
                    }
                    Ok(events)
                }
                Err(ItemError::Rejected(rejection)) => Err(rejection),
                Err(error) => panic!("{error:?}: {request:?}"),
            };
        }
        panic!("the clocks go apart faster than a call is answered");
    }

    /// What an account looks like; what is due is not ended yet.
    pub(crate) async fn account(&mut self, id: &str) -> Account {
        let snapshot = self.snapshot(id).await;
        (*snapshot.accounts[0]).clone()
    }

    /// What reads show of an account: what is due has ended, and a stranger is
    /// what he would be opened as.
    pub(crate) async fn present(&mut self, id: &str) -> Account {
        let snapshot = self.snapshot(id).await;
        let context = Context {
            book: &self.book,
            now: snapshot.now,
            catalog: &snapshot.catalog.catalog,
            catalog_version: snapshot.catalog.version,
            next_position: snapshot.head.position + 1,
        };
        at_present(id, &snapshot.accounts[0], &context).into_owned()
    }

    async fn snapshot(&mut self, id: &str) -> Snapshot {
        for _ in 0..TRIES_MAX {
            let (engine, _) = self.engine().await;
            match engine.read(&self.book, vec![id.into()], None).await {
                Ok(snapshot) => {
                    self.has_seen(snapshot.now);
                    return snapshot;
                }
                Err(EngineError::ClockSkew { .. }) => self.retire().await,
                Err(error) => panic!("{error:?}: {id}"),
            }
        }
        panic!("the clocks go apart faster than a read is answered");
    }

    /// The store below, for checks of the whole log.
    pub(crate) const fn store(&self) -> &SharedStore {
        &self.store
    }
}
