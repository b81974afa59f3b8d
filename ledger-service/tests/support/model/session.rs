//! A database with engines on it, and the judges of its logs.

use std::{sync::Arc, time::Duration};

use ledger_core::event::HOUSE;
use ledger_service::{
    engine::{Call, CallOptions, Engine, Recorded, log::decode},
    store::SharedStore,
};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use super::{
    BOOKS, catalog_of,
    counts::Counts,
    generate::{Ask, Manner, POISON, What},
    judge::{Answered, Failure, Judge},
    ledger::{Flaw, Ledger, claims_of},
};
use crate::support::{
    ask::{apply, decided, dry, engine, engine_ahead, id, passed, request},
    database::Database,
    faulty::{Calling, Fault, Faults, FaultyStore, Kind, Outcome},
};

/// How long a round may take; more is a hang.
const ROUND_TIME_MAX: Duration = Duration::from_secs(60);

pub(crate) struct Session {
    store: SharedStore,
    engines: Vec<Engine>,
    /// What the engines stand on.
    stands: Vec<(SharedStore, Arc<Faults>)>,
    /// How far time has been moved on.
    ahead_us: i64,
    /// One a book.
    pub(crate) judges: Vec<Judge>,
}

impl Session {
    /// One engine without faults, or two with.
    pub(crate) async fn open(
        database: &Database,
        faults: Option<u64>,
        flaw: Option<Flaw>,
    ) -> Result<Self, Box<Failure>> {
        let store = database.store().await;
        for book in BOOKS {
            store.create_book(book).await.unwrap();
        }
        let mut stands = Vec::new();
        match faults {
            None => stands.push(FaultyStore::around(Arc::clone(&store))),
            Some(seed) => {
                for number in 0..2 {
                    let (faulty, faults) = FaultyStore::around(database.store().await);
                    go_wrong(&faults, seed ^ number);
                    stands.push((faulty, faults));
                }
            }
        }
        let engines = stands.iter().map(|(store, _)| engine(Arc::clone(store)));
        let engines = engines.collect();
        let judges = [0, 1].map(|book| {
            let mut ledger = Ledger::new(BOOKS[book]);
            ledger.flaw = flaw;
            ledger.elsewhere.book = BOOKS[1 - book];
            Judge::new(ledger)
        });
        let mut session = Self {
            store,
            engines,
            stands,
            ahead_us: 0,
            judges: judges.into(),
        };
        for book in 0..BOOKS.len() {
            let catalog = request(HOUSE, id("catalog"), apply(&catalog_of(book)));
            let what = What::Call(vec![catalog], Manner::Plain);
            let ask = Ask {
                engine: 0,
                book,
                what,
            };
            session.round(&[ask]).await?;
        }
        Ok(session)
    }

    pub(crate) fn counts(&self) -> Counts {
        self.judges[0].counts.and(&self.judges[1].counts)
    }

    pub(crate) fn store(&self) -> &SharedStore {
        &self.store
    }

    /// What the instance's clock says.
    pub(crate) fn now(&self) -> ledger_core::Timestamp {
        self.engines[0].now()
    }

    /// Moves time on, of all clocks. No instance lives through that: it would say
    /// that its clock was set.
    pub(crate) async fn pass(&mut self, us: i64) {
        for engine in self.engines.drain(..) {
            engine.shut_down().await;
        }
        self.ahead_us += us;
        for (store, faults) in &self.stands {
            faults.set_ahead_us(self.ahead_us);
            let engine = engine_ahead(Arc::clone(store), self.ahead_us);
            self.engines.push(engine);
        }
    }

    /// Asks all of it at once, and judges.
    pub(crate) async fn round(&mut self, asks: &[Ask]) -> Result<Vec<Answered>, Box<Failure>> {
        let asking = futures::future::join_all(asks.iter().map(|ask| self.ask(ask)));
        let Ok(answers) = tokio::time::timeout(ROUND_TIME_MAX, asking).await else {
            let what = "a round got no answers in a minute".to_owned();
            return Err(Box::new(Failure {
                what,
                accounts: Vec::new(),
                book: 0,
                asked: None,
            }));
        };
        let logs = [self.read_on(0).await, self.read_on(1).await];
        for (book, log) in logs.iter().enumerate() {
            let events = log.iter().map(|recorded| &recorded.event);
            let new = events.flat_map(claims_of).collect();
            self.judges[1 - book].ledger.elsewhere.new = new;
        }
        for (book, log) in logs.iter().enumerate() {
            let asked = asks.iter().zip(&answers);
            let asked: Vec<_> = asked.filter(|(ask, _)| ask.book == book).collect();
            let judge = &mut self.judges[book];
            judge.round(&asked, log).map_err(|mut failure| {
                failure.book = book;
                failure
            })?;
            let elsewhere = &mut judge.ledger.elsewhere;
            elsewhere.claims.extend(elsewhere.new.drain());
        }
        Ok(answers)
    }

    /// What a book's log has got since its judge last saw it.
    async fn read_on(&self, book: usize) -> Vec<Recorded> {
        let mut events = Vec::new();
        let mut position = self.judges[book].ledger.position;
        loop {
            let rows = self.store.read_after(BOOKS[book], position, 2_000);
            let rows = rows.await.unwrap();
            let Some(last) = rows.last() else {
                return events;
            };
            position = last.position;
            events.extend(rows.iter().map(|row| decode(row).unwrap()));
        }
    }

    async fn ask(&self, ask: &Ask) -> Answered {
        let engine = &self.engines[ask.engine % self.engines.len()];
        let book = BOOKS[ask.book];
        match &ask.what {
            What::Read(accounts) => Answered::Read(engine.read(book, accounts.clone(), None).await),
            What::Call(requests, manner) => {
                let options = match manner {
                    Manner::Plain => CallOptions::default(),
                    Manner::Dry => dry(),
                    Manner::Late => passed(),
                    Manner::Atomic(call) => CallOptions {
                        atomic: Some(*call),
                        ..CallOptions::default()
                    },
                };
                let requests = requests.clone();
                Answered::Call(decided(engine.call(book, Call { requests, options }).await))
            }
        }
    }
}

/// Lost acknowledgements, lost connections, a busy database, now and then; and
/// always a refusal of what is poison.
fn go_wrong(faults: &Faults, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    faults.always(Box::new(move |calling| {
        if is_poisoned(calling) {
            return Some(Outcome::Refused.into());
        }
        let drawn = random.random_range(0..1_000);
        let outcome = match (calling.kind, drawn) {
            (Kind::Append, 0..15) => Outcome::DoneAndLost,
            (Kind::Append, 15..20) => Outcome::DoneAndTimedOut,
            (Kind::Append, 20..30) => Outcome::Lost,
            (Kind::Append, 30..35) => Outcome::Busy,
            (Kind::Load | Kind::Lock | Kind::ReadAfter, 0..3) => Outcome::Lost,
            (Kind::ReadWithReferences | Kind::ReadAt, 0..3) => Outcome::Lost,
            (Kind::Reconnect, 0..50) => Outcome::Lost,
            // Somebody else gets in between.
            (Kind::Append, 35..135) => {
                return Some(Fault::before(async {
                    for _ in 0..20 {
                        tokio::task::yield_now().await;
                    }
                }));
            }
            _ => return None,
        };
        Some(outcome.into())
    }));
}

fn is_poisoned(calling: &Calling<'_>) -> bool {
    let mark = POISON.as_bytes();
    calling.append.is_some_and(|append| {
        let bodies = append.events.iter().map(|event| &event.body);
        bodies
            .into_iter()
            .any(|body| body.windows(mark.len()).any(|window| window == mark))
    })
}
