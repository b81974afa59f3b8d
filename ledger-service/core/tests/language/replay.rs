//! Plays lines against a ledger in memory.
#![allow(dead_code, reason = "each test uses its share of it")]

use ledger_core::{Event, Rejection};

use crate::{
    driver::Ledger,
    language::{
        Words,
        command::{self, TargetBy},
        files::catalog_text,
        teller::{State, Teller},
    },
};

pub(crate) struct Replay {
    pub(crate) ledger: Ledger,
    teller: Teller,
}

impl Replay {
    pub(crate) fn new(catalog: &str, target_by: TargetBy) -> Self {
        Self {
            ledger: Ledger::new(&catalog_text(catalog)),
            teller: Teller::new(target_by, 0),
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
        let request_id = self.ledger.next_request_id();
        let asked = self.teller.ask(words, request_id);
        let outcome: Result<Vec<Event>, Rejection> = self.ledger.submit(&asked.request);
        self.teller.tell(&asked, outcome.as_deref())
    }

    /// What an expected line about an account should say.
    pub(crate) fn state(&self, expected: &str) -> Option<String> {
        let state = State::read(expected)?;
        Some(state.of(&self.ledger.account(&state.account)))
    }
}
