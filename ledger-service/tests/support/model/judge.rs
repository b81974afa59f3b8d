//! The judge: replays the log on the naive ledger, and explains every answer by
//! it.

use std::collections::{HashMap, HashSet};

use ledger_core::{
    Command, Event, Name, Rejection, Request, RequestId, Timestamp, command::encode,
};
use ledger_service::{
    engine::{
        Answer, EngineError, Recorded, Snapshot,
        log::{event_hash, request_hash},
    },
    store::Hash,
};

use super::{
    answers::{Claim, Pending, Point},
    counts::{Counts, name_of},
    explained::Explained,
    generate::{Ask, Manner, What, is_poison},
    ledger::{Ledger, Verdict},
};

/// What came of an ask.
pub(crate) enum Answered {
    Call(Result<Vec<Result<Answer, Rejection>>, EngineError>),
    Read(Result<Snapshot, EngineError>),
}

/// What is wrong, and with whom.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) what: String,
    pub(crate) accounts: Vec<Name>,
    /// The book, which the session knows.
    pub(crate) book: usize,
    /// What was asked, if the log does not show it.
    pub(crate) asked: Option<What>,
}

type Key = (Name, RequestId);
type Checked<T = ()> = Result<T, Box<Failure>>;

/// The judge of one log.
pub(crate) struct Judge {
    pub(crate) ledger: Ledger,
    pub(crate) counts: Counts,
    /// The hash of the event at each position, from 0 on.
    hashes: Vec<Hash>,
    /// Hashes of what was asked under an id and may be applied.
    asked: HashMap<Key, Vec<Hash>>,
    /// Requests that somebody was told to be the first to have made.
    first_told: HashSet<Key>,
    pub(crate) explained: Explained,
}

impl Judge {
    pub(crate) fn new(ledger: Ledger) -> Self {
        Self {
            ledger,
            counts: Counts::default(),
            hashes: vec![[0; 32]],
            asked: HashMap::new(),
            first_told: HashSet::new(),
            explained: Explained::new(),
        }
    }

    /// Judges a round: what was asked at once, what was answered, and what the
    /// log has got since the last round.
    pub(crate) fn round(&mut self, asked: &[(&Ask, &Answered)], events: &[Recorded]) -> Checked {
        let before = self.ledger.position;
        asked.iter().for_each(|(ask, _)| self.note(ask));
        let mut pending = Vec::new();
        for (ask, answered) in asked {
            self.sort_out(ask, answered, &mut pending)?;
        }
        let groups = groups_of(events);
        for (index, group) in groups.iter().enumerate() {
            self.explain(&mut pending, group[0].event.recorded_at);
            self.replay(group)?;
            let is_last = index + 1 == groups.len();
            self.hashes
                .extend(group.iter().map(|recorded| recorded.hash));
            debug_assert!(!is_last || self.hashes.len() as u64 == self.ledger.position + 1);
        }
        self.explain(&mut pending, Timestamp(i64::MAX));
        if let Some(left) = pending.first() {
            return Err(self.unexplained(&left.claim, before));
        }
        for (ask, answered) in asked {
            self.check(ask, answered, before)?;
        }
        Ok(())
    }

    fn note(&mut self, ask: &Ask) {
        let What::Call(requests, manner) = &ask.what else {
            return self.count_answer("read");
        };
        for request in requests {
            *self
                .counts
                .commands
                .entry(name_of(&request.command))
                .or_default() += 1;
            let may_apply = matches!(manner, Manner::Plain | Manner::Atomic(_));
            if let Some(id) = request
                .request_id
                .filter(|_| may_apply && !is_poison(request))
            {
                let hash = request_hash(&encode(&request.command), &request.annotations);
                self.asked
                    .entry((request.account.clone(), id))
                    .or_default()
                    .push(hash);
            }
        }
    }

    fn count_answer(&mut self, name: &'static str) {
        *self.counts.answers.entry(name).or_default() += 1;
    }

    /// Puts aside what has to be explained by a point of the log; refuses what
    /// may not be answered at all.
    fn sort_out<'a>(
        &mut self,
        ask: &'a Ask,
        answered: &'a Answered,
        pending: &mut Vec<Pending<'a>>,
    ) -> Checked {
        let (requests, manner, results) = match (&ask.what, answered) {
            (What::Read(accounts), Answered::Read(Ok(snapshot))) => {
                pending.push(Pending::new(Claim::Read(accounts, snapshot)));
                return Ok(());
            }
            (What::Call(requests, manner), Answered::Call(Ok(results))) => {
                (requests, *manner, results)
            }
            (What::Call(requests, manner), Answered::Call(Err(error))) => {
                return self.sort_out_error(requests, *manner, error, pending);
            }
            (What::Read(_), Answered::Read(Err(EngineError::Unavailable))) => {
                self.count_answer("unavailable");
                return Ok(());
            }
            (_, Answered::Read(Err(error))) => return Err(failure(format!("a read got {error}"))),
            _ => return Err(failure("an answer of another kind".to_owned())),
        };
        if manner == Manner::Late {
            return Err(of(
                &requests[0],
                "a passed deadline was not honoured".to_owned(),
            ));
        }
        for (request, result) in requests.iter().zip(results) {
            let claim = match result {
                Err(rejection) => {
                    self.counts.rejection(rejection, self.ledger.book);
                    Claim::Refused(request, rejection)
                }
                Ok(answer) if answer.replayed => continue,
                Ok(answer) if manner == Manner::Dry => Claim::Dry(request, answer),
                Ok(answer) if answer.events.is_empty() => {
                    self.count_answer("nothing to do");
                    Claim::Nothing(request, &answer.balances)
                }
                Ok(_) => continue,
            };
            pending.push(Pending::new(claim));
        }
        Ok(())
    }

    fn sort_out_error<'a>(
        &mut self,
        requests: &'a [Request],
        manner: Manner,
        error: &'a EngineError,
        pending: &mut Vec<Pending<'a>>,
    ) -> Checked {
        match (error, manner) {
            (EngineError::Unavailable, _) => self.count_answer("unavailable"),
            (EngineError::DeadlineExceeded, Manner::Late) => self.count_answer("late"),
            (EngineError::Refused, _) if requests.iter().any(is_poison) => {
                self.count_answer("poison");
            }
            (EngineError::Rejected(rejection), Manner::Atomic(_)) => {
                self.counts.rejection(rejection, self.ledger.book);
                if !matches!(
                    **rejection,
                    Rejection::RequestIdReused {
                        field: "requests",
                        ..
                    }
                ) {
                    pending.push(Pending::new(Claim::RefusedCall(requests, rejection)));
                }
            }
            _ => return Err(of(&requests[0], format!("{manner:?} got {error}"))),
        }
        Ok(())
    }

    fn explain(&self, pending: &mut Vec<Pending<'_>>, until: Timestamp) {
        let hash = self.hashes[self.hashes.len() - 1];
        let point = Point { hash, until };
        pending.retain_mut(|pending| !pending.holds(&self.ledger, &point));
    }

    /// Makes the same decision as the log has, and compares.
    fn replay(&mut self, group: &[&Recorded]) -> Checked {
        let first = &group[0].event;
        let mut previous = self.hashes[self.hashes.len() - 1];
        for (offset, recorded) in group.iter().enumerate() {
            let expected = event_hash(&previous, &encode(&recorded.event));
            let position = self.ledger.position + 1 + offset as u64;
            if recorded.hash != expected || recorded.event.position != position {
                return Err(failure(format!("event {position} breaks the chain")));
            }
            previous = recorded.hash;
        }
        let Some(command) = &first.request else {
            return Err(failure(format!(
                "event {} belongs to no request",
                first.position
            )));
        };
        let request = Request {
            account: first.account.clone(),
            request_id: first.request_id,
            origin: first.origin.clone(),
            annotations: first.annotations.clone(),
            expires_at: None,
            command: minicbor::decode(command).unwrap(),
        };
        if let Some(id) = request.request_id {
            let hash = request_hash(command, &first.annotations);
            let key = (request.account.clone(), id);
            if !self
                .asked
                .get(&key)
                .is_some_and(|hashes| hashes.contains(&hash))
            {
                return Err(of(
                    &request,
                    format!("event {}: nobody asked for it", first.position),
                ));
            }
        }
        if first.recorded_at < self.ledger.recorded_at {
            return Err(of(
                &request,
                format!("event {}: time runs backwards", first.position),
            ));
        }
        let events: Vec<Event> = group
            .iter()
            .map(|recorded| Event {
                // The naive ledger knows single requests only.
                call_id: None,
                call_hash: None,
                ..recorded.event.clone()
            })
            .collect();
        let is_it = |own| matches!(own, Verdict::Events(own) if own == events);
        if !self.ledger.attempts(&request, first.recorded_at).any(is_it) {
            let own = match self.ledger.attempt(&request, first.recorded_at) {
                Verdict::Events(own) => lines(&own),
                other => format!("  {other:?}"),
            };
            let position = first.position;
            let what = format!(
                "event {position}: the log has\n{}\nand the naive ledger\n{own}",
                lines(&events),
            );
            return Err(in_log(&request, what));
        }
        events.iter().for_each(|event| self.counts.event(event));
        let taken_in = self.ledger.take_in(&events);
        taken_in.map_err(|fault| in_log(&request, format!("event {}: {fault}", first.position)))?;
        let explained = self.explained.take_in(&events, &self.ledger);
        explained.map_err(|what| of(&request, what))
    }

    fn unexplained(&self, claim: &Claim<'_>, before: u64) -> Box<Failure> {
        let position = self.ledger.position;
        let between = format!("nowhere between {before} and {position}");
        let now = |request: &Request| {
            format!(
                "{:?}",
                self.ledger.attempt(request, self.ledger.recorded_at)
            )
        };
        match claim {
            Claim::Refused(request, rejection) => of(
                request,
                format!(
                    "{rejection:?} is right {between}; at the end: {}",
                    now(request)
                ),
            ),
            Claim::Nothing(request, balances) => of(
                request,
                format!(
                    "nothing to do, {balances:?}, is right {between}; at the end: {}",
                    now(request)
                ),
            ),
            Claim::Dry(request, answer) => {
                let what = format!("the dry run {answer:?} is right {between}");
                let mut failure = of(request, format!("{what}; at the end: {}", now(request)));
                failure.asked = Some(What::Call(vec![(*request).clone()], Manner::Dry));
                failure
            }
            Claim::RefusedCall(requests, rejection) => {
                let what = format!("{rejection:?} of an atomic call is right {between}");
                let mut failure = of(&requests[0], what);
                failure.accounts = requests.iter().flat_map(accounts_of).collect();
                let call = Manner::Atomic(requests[0].request_id.unwrap());
                failure.asked = Some(What::Call(requests.to_vec(), call));
                failure
            }
            Claim::Read(accounts, snapshot) => Box::new(Failure {
                what: format!(
                    "the read at {} is right {between}: {:?}\nat the end: {:?}",
                    snapshot.head.position,
                    snapshot.accounts,
                    accounts
                        .iter()
                        .map(|id| self.ledger.wallet(id).account())
                        .collect::<Vec<_>>()
                ),
                accounts: accounts.to_vec(),
                book: 0,
                asked: Some(What::Read(accounts.to_vec())),
            }),
        }
    }

    /// Answers that name events, against the log.
    fn check(&mut self, ask: &Ask, answered: &Answered, before: u64) -> Checked {
        let (What::Call(requests, manner), Answered::Call(result)) = (&ask.what, answered) else {
            return Ok(());
        };
        if let (Manner::Atomic(_), true) = (manner, requests.iter().all(|r| !is_poison(r))) {
            self.check_atomic(requests, result.is_ok())?;
        }
        let Ok(results) = result else { return Ok(()) };
        for (request, result) in requests.iter().zip(results) {
            match result {
                Ok(answer) if answer.replayed || *manner != Manner::Dry => {
                    self.check_answer(request, answer, before)?;
                }
                Err(Rejection::RequestIdReused { .. }) | Ok(_) => {}
                Err(_) => {
                    let id = request.request_id.filter(|_| *manner != Manner::Dry);
                    let applied = id.and_then(|id| self.ledger.applied(&request.account, id));
                    if applied.is_some_and(|applied| applied.position <= before) {
                        return Err(of(request, "refused, though it was applied".to_owned()));
                    }
                }
            }
        }
        Ok(())
    }

    /// All of an atomic call's items are in the log, or none.
    fn check_atomic(&self, requests: &[Request], is_ok: bool) -> Checked {
        let applied = requests
            .iter()
            .filter(|request| {
                request
                    .request_id
                    .is_some_and(|id| self.ledger.applied(&request.account, id).is_some())
            })
            .count() as u64;
        // An item with nothing to do is applied by leaving no event.
        let writes_nothing = |request: &&Request| matches!(request.command, Command::Adjust(_));
        let quiet = requests.iter().filter(writes_nothing).count() as u64;
        let all = requests.len() as u64;
        if applied != 0 && applied + quiet < all {
            return Err(of(
                &requests[0],
                format!("{applied} of {all} items of an atomic call"),
            ));
        }
        if is_ok && applied + quiet < all {
            return Err(of(
                &requests[0],
                "an atomic call was acknowledged, not applied".to_owned(),
            ));
        }
        Ok(())
    }

    fn check_answer(&mut self, request: &Request, answer: &Answer, before: u64) -> Checked {
        let Some(first) = answer.events.first() else {
            return Ok(());
        };
        let Some(id) = request.request_id else {
            return Ok(());
        };
        self.count_answer(if answer.replayed { "replayed" } else { "first" });
        let Some(applied) = self.ledger.applied(&request.account, id) else {
            return Err(of(request, "acknowledged, and not in the log".to_owned()));
        };
        let (position, count) = (applied.position, applied.count);
        if position != first.event.position || count != answer.events.len() as u64 {
            return Err(of(
                request,
                format!(
                    "{count} events at {position}, another answer: replayed {} {:?}",
                    answer.replayed, answer.events
                ),
            ));
        }
        for (offset, recorded) in answer.events.iter().enumerate() {
            let index = usize::try_from(position).unwrap() + offset;
            let hash = event_hash(&self.hashes[index - 1], &encode(&recorded.event));
            if recorded.hash != self.hashes[index] || recorded.hash != hash {
                return Err(of(
                    request,
                    format!("event {index} is answered with another content"),
                ));
            }
        }
        let own = answer
            .events
            .iter()
            .rev()
            .find(|r| r.event.account == request.account);
        let last = answer.events.last().map(|r| (r.event.position, r.hash));
        if own.is_none_or(|own| own.event.balances != answer.balances)
            || last != Some(answer.seen_at)
        {
            return Err(of(
                request,
                "balances or position are not those of its events".to_owned(),
            ));
        }
        if position <= before && !answer.replayed {
            return Err(of(request, "an old request is said to be new".to_owned()));
        }
        if !answer.replayed && !self.first_told.insert((request.account.clone(), id)) {
            return Err(of(request, "two were told to be the first".to_owned()));
        }
        Ok(())
    }
}

/// The events of each request: those that follow the one that carries it.
fn groups_of(events: &[Recorded]) -> Vec<Vec<&Recorded>> {
    let mut groups: Vec<Vec<&Recorded>> = Vec::new();
    for recorded in events {
        match groups.last_mut() {
            Some(group) if recorded.event.request.is_none() => group.push(recorded),
            _ => groups.push(vec![recorded]),
        }
    }
    groups
}

fn lines(events: &[Event]) -> String {
    let shown = |event: &Event| Event {
        request: None,
        ..event.clone()
    };
    events
        .iter()
        .map(|event| format!("  {:?}", shown(event)))
        .collect::<Vec<_>>()
        .join("\n")
}

fn accounts_of(request: &Request) -> Vec<Name> {
    let other = request.command.other_account().cloned();
    [request.account.clone()].into_iter().chain(other).collect()
}

/// What the log itself shows.
fn in_log(request: &Request, what: String) -> Box<Failure> {
    Box::new(Failure {
        what,
        accounts: accounts_of(request),
        book: 0,
        asked: None,
    })
}

fn failure(what: String) -> Box<Failure> {
    Box::new(Failure {
        what,
        accounts: Vec::new(),
        book: 0,
        asked: None,
    })
}

fn of(request: &Request, mut what: String) -> Box<Failure> {
    what.push_str(&format!("\nof {request:?}"));
    let asked = Some(What::Call(vec![request.clone()], Manner::Plain));
    Box::new(Failure {
        what,
        accounts: accounts_of(request),
        book: 0,
        asked,
    })
}
