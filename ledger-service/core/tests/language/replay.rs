//! Plays lines against a ledger in memory.

use std::{collections::BTreeMap, fs, path::PathBuf};

use ledger_core::{Event, Payload, Record};

use super::{
    Words,
    command::{self, Label, Scope, TargetBy},
    render,
};
use crate::driver::Ledger;

pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios")
}

/// The text of a catalog: one of the tests' own, or, as `seeds/NAME`, one that
/// the service comes with.
pub(crate) fn catalog_text(name: &str) -> String {
    let path = match name.strip_prefix("seeds/") {
        Some(seed) => folder()
            .join("../../../catalogs")
            .join(format!("{seed}.toml")),
        None => folder().join("catalogs").join(format!("{name}.toml")),
    };
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) struct Replay {
    pub(crate) ledger: Ledger,
    labels: BTreeMap<String, Label>,
    target_by: TargetBy,
}

impl Replay {
    pub(crate) fn new(catalog: &str, target_by: TargetBy) -> Self {
        let ledger = Ledger::new(&catalog_text(catalog));
        Self {
            ledger,
            labels: BTreeMap::new(),
            target_by,
        }
    }

    /// What a line of text did.
    pub(crate) fn line(&mut self, line: &str) -> Vec<String> {
        self.step(&Words::parse(line))
    }

    /// What a step did, as lines; nothing for a line about the clock.
    pub(crate) fn step(&mut self, words: &Words) -> Vec<String> {
        if words.word(0) == "wait" {
            let duration = command::duration(words.word(1));
            self.ledger.now = self.ledger.now.plus_us(duration);
            return Vec::new();
        }
        let said = {
            let scope = Scope {
                labels: &self.labels,
                target_by: self.target_by,
                catalog_text: &catalog_text,
            };
            command::read(words, &scope)
        };
        let mut request = self.ledger.request(&said.account, said.command);
        request.annotations = said.annotations;
        request.origin = said.origin.into();
        request.expires_at = said.expires_at;
        let events = match self.ledger.submit(&request) {
            Ok(events) => events,
            Err(rejection) => return vec![render::rejection(&rejection)],
        };
        if let Some(label) = said.subscription {
            let is_start =
                |event: &&Event| matches!(event.payload, Payload::SubscriptionStarted(_));
            let started = events.iter().find(is_start).expect("it starts one");
            let request_id = request.request_id.expect("an id");
            let position = started.position;
            self.labels.insert(
                label,
                Label {
                    request_id,
                    position,
                },
            );
        }
        if let Some(label) = said.label {
            let target = events.iter().find(|event| Record::of(event).is_some());
            let position = target
                .or(events.first())
                .expect("a labelled step has events")
                .position;
            let request_id = request.request_id.expect("an id");
            self.labels.insert(
                label,
                Label {
                    request_id,
                    position,
                },
            );
        }
        if events.is_empty() {
            return vec!["nothing to do".to_owned()];
        }
        let line = |event| {
            let text = render::event(event);
            if event.account == said.account {
                format!("-> {text}")
            } else {
                format!("-> {}: {text}", event.account)
            }
        };
        events.iter().map(line).collect()
    }

    /// What an expected line about an account should say.
    pub(crate) fn state(&self, expected: &str) -> Option<String> {
        let (what, id) = expected.split(':').next()?.split_once(' ')?;
        let (id, asset) = id.split_once(' ').unwrap_or((id, ""));
        let account = self.ledger.account(id);
        match what {
            "balance" => Some(render::balance(id, &account)),
            "lots" => Some(render::lots(id, &account)),
            "done" => Some(render::done(id, &account)),
            "totals" => Some(render::totals(id, asset, &account)),
            _ => None,
        }
    }
}
