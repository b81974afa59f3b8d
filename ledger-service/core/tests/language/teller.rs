//! From lines to requests and from outcomes to lines, whoever carries the
//! requests out: the core alone, an engine, or a server.

use std::collections::BTreeMap;

use ledger_core::{Account, Command, Event, Payload, Record, Rejection, Request, RequestId};

use super::{
    Words,
    command::{self, Label, Said, Scope, TargetBy},
    files::catalog_text,
    render,
};

/// The events that bring a book's first catalog into force.
pub(crate) const EVENTS_OF_CATALOG: u64 = 2;

/// What a scenario has told so far.
pub(crate) struct Teller {
    labels: BTreeMap<String, Label>,
    target_by: TargetBy,
    /// How many events of the log are not the scenario's: those by which the
    /// house was opened and its catalog came into force.
    before: u64,
}

/// What a line asks for.
pub(crate) struct Asked {
    pub(crate) request: Request,
    label: Option<String>,
    subscription: Option<String>,
}

impl Teller {
    /// `before` events stand in the log before the scenario begins.
    pub(crate) const fn new(target_by: TargetBy, before: u64) -> Self {
        Self {
            labels: BTreeMap::new(),
            target_by,
            before,
        }
    }

    /// The request that a line stands for.
    pub(crate) fn ask(&self, words: &Words, request_id: RequestId) -> Asked {
        self.ask_by(words, request_id, self.target_by)
    }

    /// The same, naming what is earlier in another way than the others.
    pub(crate) fn ask_by(
        &self,
        words: &Words,
        request_id: RequestId,
        target_by: TargetBy,
    ) -> Asked {
        let scope = Scope {
            labels: &self.labels,
            target_by,
            catalog_text: &catalog_text,
        };
        let Said {
            account,
            command,
            annotations,
            expires_at,
            label,
            subscription,
            origin,
        } = command::read(words, &scope);
        let request = Request {
            account: account.into(),
            request_id: Some(request_id),
            origin: origin.into(),
            annotations,
            expires_at,
            command,
        };
        Asked {
            request,
            label,
            subscription,
        }
    }

    /// Remembers what a line named. `main` is the position of the event that
    /// its label stands for, `started` that of the subscription it started.
    pub(crate) fn name(&mut self, asked: &Asked, main: Option<u64>, started: Option<u64>) {
        let request_id = asked.request.request_id.expect("an id");
        for (label, position) in [(&asked.subscription, started), (&asked.label, main)] {
            let Some(label) = label else { continue };
            let position = position.expect("a labelled step has its event");
            let named = Label {
                request_id,
                position,
            };
            self.labels.insert(label.clone(), named);
        }
    }

    /// A refusal with positions as the scenarios count them.
    pub(crate) fn told(&self, refusal: &str) -> String {
        let words = refusal.split(' ').map(|word| {
            let (key, value) = word.split_once('=')?;
            let position: u64 = value.parse().ok()?;
            let is_position = POSITIONS.contains(&key);
            is_position.then(|| format!("{key}={}", position - self.before))
        });
        let words: Vec<String> = refusal
            .split(' ')
            .zip(words)
            .map(|(word, counted)| counted.unwrap_or_else(|| word.to_owned()))
            .collect();
        words.join(" ")
    }

    /// Tells with the first catalog of the scenario that the house was opened
    /// for it, which a log did before the scenario began.
    pub(crate) fn with_house(&mut self, asked: &Asked, mut lines: Vec<String>) -> Vec<String> {
        let is_catalog = matches!(asked.request.command, Command::ApplyCatalog(_));
        if is_catalog && self.before == EVENTS_OF_CATALOG {
            self.before -= 1;
            lines.insert(0, "-> AccountOpened".to_owned());
        }
        lines
    }

    /// The lines of an outcome.
    pub(crate) fn tell(
        &mut self,
        asked: &Asked,
        outcome: Result<&[Event], &Rejection>,
    ) -> Vec<String> {
        let events = match outcome {
            Ok(events) => events,
            Err(rejection) => return vec![self.told(&render::rejection(rejection))],
        };
        let target = events.iter().find(|event| Record::of(event).is_some());
        let main = target.or(events.first()).map(|event| event.position);
        let is_start = |event: &&Event| matches!(event.payload, Payload::SubscriptionStarted(_));
        let started = events.iter().find(is_start).map(|event| event.position);
        self.name(asked, main, started);
        let lines = events
            .iter()
            .map(|event| (event.account.as_str(), render::event(event)));
        let lines = listed(&asked.request.account, lines);
        self.with_house(asked, lines)
    }
}

/// The words of a refusal that are positions.
const POSITIONS: [&str; 4] = ["event", "payment", "refund", "subscription"];

/// The lines of events of these accounts, as an answer to one of `own`.
pub(crate) fn listed<'a>(
    own: &str,
    events: impl Iterator<Item = (&'a str, String)>,
) -> Vec<String> {
    let line = |(account, text)| {
        if account == own {
            format!("-> {text}")
        } else {
            format!("-> {account}: {text}")
        }
    };
    let lines: Vec<String> = events.map(line).collect();
    if lines.is_empty() {
        return vec!["nothing to do".to_owned()];
    }
    lines
}

/// An expected line about what an account looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    /// `balance`, `lots`, `done` or `totals`.
    pub(crate) what: String,
    pub(crate) account: String,
    /// For `totals`.
    pub(crate) asset: String,
}

impl State {
    /// Reads one; nothing if the line is about something else.
    pub(crate) fn read(line: &str) -> Option<Self> {
        let (what, rest) = line.split(':').next()?.split_once(' ')?;
        if !["balance", "lots", "done", "totals"].contains(&what) {
            return None;
        }
        let (account, asset) = rest.split_once(' ').unwrap_or((rest, ""));
        Some(Self {
            what: what.to_owned(),
            account: account.to_owned(),
            asset: asset.to_owned(),
        })
    }

    /// What the line should say of an account.
    pub(crate) fn of(&self, account: &Account) -> String {
        let id = &self.account;
        match self.what.as_str() {
            "balance" => render::balance(id, account),
            "lots" => render::lots(id, account),
            "done" => render::done(id, account),
            _ => render::totals(id, &self.asset, account),
        }
    }
}

/// What an expected line does not agree with, told for people.
pub(crate) fn difference(
    scenario: &super::Scenario,
    step: &super::Step,
    actual: &[String],
    how: &str,
) -> String {
    format!(
        "\n{} ({how}), line {}, expected\n  {}\nbut got\n  {}\n",
        scenario.title,
        step.line,
        step.expected.join("\n  "),
        actual.join("\n  "),
    )
}
