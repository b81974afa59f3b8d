//! Who asks: rounds of requests at random, by a seed.
//!
//! Ids of requests are numbers from a counter, so that a target can be named
//! before its answer is known.

use std::collections::{BTreeMap, VecDeque};

use ledger_core::{
    Command, Name, Payload, Request, RequestId, Timestamp,
    command::Target,
    event::{Annotations, Reason},
};
use ledger_service::engine::Answer;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};

use super::{
    payments::{Back, Order},
    subscribing::Known,
};

/// How a call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    Plain,
    /// A dry run.
    Dry,
    /// With a deadline that has passed.
    Late,
    /// All or nothing, by this id.
    Atomic(RequestId),
}

/// What is asked of an engine.
#[derive(Clone, Debug)]
pub(crate) enum What {
    Call(Vec<Request>, Manner),
    Read(Vec<Name>),
}

#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) engine: usize,
    pub(crate) book: usize,
    pub(crate) what: What,
}

/// The mark of a request that the store refuses.
pub(crate) const POISON: &str = "poison";

/// Whether the store refuses it.
pub(crate) fn is_poison(request: &Request) -> bool {
    request.annotations.external_id.as_deref() == Some(POISON)
}

/// Makes rounds.
pub(crate) struct Generator {
    pub(crate) random: StdRng,
    pub(crate) now: Timestamp,
    pub(crate) counter: u64,
    /// Charges and captures by account, the latest last.
    pub(crate) charges: VecDeque<(Name, Target)>,
    pub(crate) holds: VecDeque<(Name, Target)>,
    pub(crate) orders: VecDeque<Order>,
    /// Refunds that were asked for, and those that were begun.
    pub(crate) backs_asked: VecDeque<Back>,
    pub(crate) backs: VecDeque<Back>,
    /// Subscriptions that were started, the latest last.
    pub(crate) subscribed: VecDeque<Known>,
    /// The version of the catalog, as last heard.
    pub(crate) catalog_version: u64,
    /// How many ids of providers there are.
    pub(crate) ids: u64,
    /// What accounts can spend, as last heard.
    pub(crate) known: BTreeMap<(Name, Name), i64>,
    /// What comes in a later round.
    pub(crate) later: VecDeque<Request>,
    /// What comes some rounds after that.
    pub(crate) much_later: VecDeque<Request>,
    /// What comes in this round too.
    pub(crate) at_once: VecDeque<Request>,
    recent: VecDeque<Request>,
    last_call: Option<(Vec<Request>, RequestId)>,
}

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            random: StdRng::seed_from_u64(seed),
            now: Timestamp(0),
            counter: 0,
            charges: VecDeque::new(),
            holds: VecDeque::new(),
            orders: VecDeque::new(),
            backs_asked: VecDeque::new(),
            backs: VecDeque::new(),
            subscribed: VecDeque::new(),
            catalog_version: 0,
            ids: 0,
            known: BTreeMap::new(),
            later: VecDeque::new(),
            much_later: VecDeque::new(),
            at_once: VecDeque::new(),
            recent: VecDeque::new(),
            last_call: None,
        }
    }

    /// Has what is refused only of large accounts asked first: as much as may be
    /// had of an asset, and as many lots.
    pub(crate) fn fill(&mut self) {
        for number in 0..1_300 {
            let (account, command) = match number % 5 {
                4 => super::intents::hoard(self),
                _ => super::intents::whale(),
            };
            let request = self.request_for(&account, command);
            self.later.push_back(request);
        }
        for number in 0..140 {
            let request = self.request_for("tg:heap", super::intents::heaped(number));
            self.later.push_back(request);
        }
    }

    /// How long nobody asks for anything, now and then: hours, days, or weeks.
    pub(crate) fn pause(&mut self) -> Option<i64> {
        if !self.random.random_bool(0.05) {
            return None;
        }
        let hours = match self.random.random_range(0..60) {
            0..45 => 1..13,
            45..58 => 13..49,
            _ => 49..800,
        };
        let us = 3_600_000_000;
        Some(self.random.random_range(hours.start * us..hours.end * us))
    }

    /// 1 to 64 commands, for two engines.
    pub(crate) fn round(&mut self, now: Timestamp) -> Vec<Ask> {
        self.now = now;
        let size = self.random.random_range(1..=64);
        let mut asks = Vec::new();
        let mut commands = 0;
        // One engine for these, so that they keep their order.
        let engine = self.random.random_range(0..2);
        while let Some(request) = self.later.pop_front() {
            if commands == 48 {
                self.later.push_front(request);
                break;
            }
            let what = What::Call(vec![request], Manner::Plain);
            asks.push(Ask {
                engine,
                book: 0,
                what,
            });
            commands += 1;
        }
        while commands < size {
            let what = self.what();
            commands += match &what {
                What::Call(requests, _) => requests.len(),
                What::Read(_) => 1,
            };
            let book = usize::from(self.random.random_bool(0.05));
            asks.push(self.ask(book, what));
        }
        if self.random.random_bool(0.5) {
            let next = self.much_later.len().min(3);
            self.later.extend(self.much_later.drain(..next));
        }
        while let Some(request) = self.at_once.pop_front() {
            let book = usize::from(self.random.random_bool(0.2));
            asks.push(self.ask(book, What::Call(vec![request], Manner::Plain)));
        }
        asks
    }

    fn ask(&mut self, book: usize, what: What) -> Ask {
        Ask {
            engine: self.random.random_range(0..2),
            book,
            what,
        }
    }

    fn what(&mut self) -> What {
        match self.random.random_range(0..1_000) {
            0..25 => {
                let count = self.random.random_range(1..=3);
                What::Read((0..count).map(|_| self.account()).collect())
            }
            25..40 => What::Call(vec![self.request()], Manner::Dry),
            40..45 => What::Call(vec![self.request()], Manner::Late),
            45..60 => {
                let count = self.random.random_range(1..=4);
                let mut items: Vec<Request> = (0..count).map(|_| self.item()).collect();
                let mut call = self.id();
                if let Some((last, id)) = self.last_call.take() {
                    // Repeated, or its id used again for something else.
                    match self.random.random_range(0..4) {
                        0 => (items, call) = (last, id),
                        1 => call = id,
                        _ => {}
                    }
                }
                self.last_call = Some((items.clone(), call));
                What::Call(items, Manner::Atomic(call))
            }
            60..75 => {
                let count = self.random.random_range(2..=8);
                What::Call((0..count).map(|_| self.request()).collect(), Manner::Plain)
            }
            75..115 => match self.recent.make_contiguous().choose(&mut self.random) {
                Some(request) => What::Call(vec![request.clone()], Manner::Plain),
                None => What::Read(Vec::new()),
            },
            115..125 => {
                let Some(recent) = self.recent.make_contiguous().choose(&mut self.random) else {
                    return What::Read(Vec::new());
                };
                let mut reused = recent.clone();
                if self.random.random_bool(0.5) {
                    reused.command = super::intents::random_command(self, &reused.account.clone());
                } else {
                    reused.annotations.external_id = Some(format!("task {}", self.counter).into());
                }
                What::Call(vec![reused], Manner::Plain)
            }
            125..128 => {
                let mut request = self.request();
                request.annotations.external_id = Some(POISON.into());
                What::Call(vec![request], Manner::Plain)
            }
            _ => {
                let request = self.request();
                if request.request_id.is_some() {
                    self.recent.push_back(request.clone());
                    if self.recent.len() > 200 {
                        self.recent.pop_front();
                    }
                }
                What::Call(vec![request], Manner::Plain)
            }
        }
    }

    /// One of the ten who do most of it.
    pub(crate) fn account(&mut self) -> Name {
        format!("tg:{}", self.random.random_range(0..10)).into()
    }

    pub(crate) fn id(&mut self) -> RequestId {
        self.counter += 1;
        let mut bytes = [0; 16];
        bytes[8..].copy_from_slice(&self.counter.to_be_bytes());
        RequestId(bytes)
    }

    pub(crate) fn request_for(&mut self, account: &str, command: Command) -> Request {
        Request {
            account: account.into(),
            request_id: Some(self.id()),
            origin: if self.random.random_bool(0.5) {
                "bot"
            } else {
                "web"
            }
            .into(),
            annotations: Annotations::default(),
            expires_at: None,
            command,
        }
    }

    fn request(&mut self) -> Request {
        let (account, command) = super::intents::random(self);
        self.annotated(&account, command)
    }

    fn annotated(&mut self, account: &str, command: Command) -> Request {
        let mut request = self.request_for(account, command);
        match self.random.random_range(0..1_000) {
            0..5 => self.annotate(&mut request, "secret", "1"),
            5..10 => {
                let personal = ["write to ann@example.org", "@ann_t", "+7 (912) 345-67-89"];
                let value = personal[self.random.random_range(0..3)];
                self.annotate(&mut request, "model", value);
            }
            10..110 => self.annotate(&mut request, "task_id", "task-77"),
            110..116 => request.expires_at = Some(self.now.plus_us(-1_000)),
            116..120 => request.expires_at = Some(self.now.plus_us(1_000)),
            _ => {}
        }
        self.note(&mut request);
        request
    }

    /// One that may stand in an atomic call: it has no target in it.
    fn item(&mut self) -> Request {
        loop {
            let (account, command) = super::intents::random(self);
            let is_fit = matches!(
                command,
                Command::Charge(_) | Command::Credit(_) | Command::Adjust(_) | Command::Transfer(_)
            );
            if is_fit {
                return self.annotated(&account, command);
            }
        }
    }

    fn annotate(&self, request: &mut Request, key: &str, value: &str) {
        request
            .annotations
            .metadata
            .insert(key.to_owned(), value.to_owned());
    }

    /// Remembers what later requests may name.
    fn note(&mut self, request: &mut Request) {
        let account = request.account.clone();
        let Some(id) = request.request_id else { return };
        super::payments::note(self, &account, id, &request.command);
        let target = Target::Request(id);
        match &request.command {
            Command::Charge(_) => self.charges.push_back((account, target)),
            Command::CaptureHold(_) => self.charges.push_back((account, target)),
            Command::PlaceHold(_) => self.holds.push_back((account, target)),
            Command::BlockAccount(_) => {
                let code = if self.random.random_bool(0.5) {
                    "FRAUD"
                } else {
                    "DEBT"
                };
                request.annotations.reason = Some(Reason {
                    code: code.into(),
                    text: None,
                });
            }
            Command::Sweep(_) => request.request_id = None,
            _ => {}
        }
        for queue in [&mut self.charges, &mut self.holds] {
            while queue.len() > 60 {
                queue.pop_front();
            }
        }
    }

    /// Learns from an answer: positions, and what there is to spend.
    pub(crate) fn learn(&mut self, account: &str, answer: &Answer) {
        for balance in &answer.balances {
            let key = (account.into(), balance.asset.clone());
            let available = balance.balance + balance.deficit - balance.held;
            self.known.insert(key, available);
        }
        for recorded in &answer.events {
            super::payments::learn(self, &recorded.event);
            super::subscribing::learn(self, &recorded.event);
            super::policies::learn(self, &recorded.event);
        }
        if self.random.random_bool(0.8) {
            return;
        }
        for recorded in &answer.events {
            let event = &recorded.event;
            let entry = (event.account.clone(), Target::Position(event.position));
            match event.payload {
                Payload::Debited(_) | Payload::HoldCaptured(_) => self.charges.push_back(entry),
                Payload::HoldPlaced(_) => self.holds.push_back(entry),
                _ => {}
            }
        }
    }
}
