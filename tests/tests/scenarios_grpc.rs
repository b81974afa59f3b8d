//! The scenarios of the core, replayed over gRPC: the same files, played by the
//! generated client against the service's own server on a real socket, above a
//! real engine and database. `ledger-service/core/tests/scenarios/README.md`
//! tells the language.
//!
//! The server runs in this process, because the program has no clock that can
//! be moved, and is to have none. What the API does not say, or does not let
//! one ask, is named in `scenarios_grpc/unsaid.rs`; whatever else differs fails.
#![cfg(test)]

#[path = "scenarios_grpc/answer.rs"]
mod answer;
#[path = "scenarios_grpc/door.rs"]
mod door;
#[path = "../../ledger-service/tests/support/faulty.rs"]
#[allow(dead_code, reason = "only its clock is needed here")]
mod faulty;
#[path = "../../ledger-service/core/tests/language/mod.rs"]
mod language;
#[path = "scenarios_grpc/payment_events.rs"]
mod payment_events;
#[path = "scenarios_grpc/refusal.rs"]
mod refusal;
#[path = "scenarios_grpc/request.rs"]
mod request;
#[path = "../../ledger-service/tests/support/stage.rs"]
#[allow(dead_code, reason = "the engine's tests use the rest")]
mod stage;
#[path = "scenarios_grpc/state.rs"]
mod state;
#[path = "scenarios_grpc/unsaid.rs"]
mod unsaid;

use std::{fs, path::Path};

use door::Door;
use e2e_tests::Backend;
use language::{
    Scenario, Step,
    clock::START,
    command::{TargetBy, duration},
    files::{catalog_text, file, files, scenarios},
    parse,
    teller::{Asked, EVENTS_OF_CATALOG, State, Teller, difference},
};
use ledger_core::Command;
use request::Answered;
use unsaid::Unsaid;

/// A scenario that is being replayed.
struct Replay {
    door: Door,
    teller: Teller,
    target_by: TargetBy,
}

impl Replay {
    /// What a step did, as lines; nothing for a line about the clock.
    async fn step(&mut self, step: &Step, unsaid: &mut Unsaid) -> Vec<String> {
        let words = &step.words;
        if words.word(0) == "wait" {
            self.door.stage.wait(duration(words.word(1))).await;
            return Vec::new();
        }
        let request_id = self.door.stage.next_request_id();
        let by = unsaid.target_by(words.word(0), self.target_by);
        let asked = self.teller.ask_by(words, request_id, by);
        if let Command::Sweep(_) = asked.request.command {
            unsaid.sweep();
            return self.step_past(&asked).await;
        }
        match self.door.call(&asked.request).await {
            Ok(answered) => self.tell(&asked, &answered),
            Err(status) => {
                let expected = step.expected.first().map_or("", String::as_str);
                let refused = refusal::line(&status, expected);
                if unsaid.is_edge(&step.expected, &refused) {
                    return self.step_past(&asked).await;
                }
                vec![self.teller.told(&refused)]
            }
        }
    }

    /// The same, past the API.
    async fn step_past(&mut self, asked: &Asked) -> Vec<String> {
        match self.door.past(&asked.request).await {
            Ok(answered) => self.tell(asked, &answered),
            Err(rejection) => self.teller.tell(asked, Err(&rejection)),
        }
    }

    fn tell(&mut self, asked: &Asked, answered: &Answered) -> Vec<String> {
        self.teller
            .name(asked, answer::main(answered), answer::started(answered));
        let lines = answer::lines(&asked.request.account, answered);
        self.teller.with_house(asked, lines)
    }

    /// What a line about an account should say, and what it does.
    async fn state(&mut self, line: &str, state: &State, unsaid: &mut Unsaid) -> (String, String) {
        let told = self.door.state(state).await;
        let mut expected = line.to_owned();
        unsaid.hide_paid(&mut expected, &told);
        if expected != told {
            let present = self.door.stage.present(&state.account).await;
            let mut present = state.of(&present);
            unsaid.hide_paid(&mut present, &told);
            if present == told {
                unsaid.present();
                expected = present;
            }
        }
        (expected, told)
    }
}

/// Replays a scenario and gives what it does not agree with.
async fn replay(
    backend: Backend,
    scenario: &Scenario,
    target_by: TargetBy,
    unsaid: &mut Unsaid,
) -> String {
    let mut replay = Replay {
        door: Door::open(backend, &catalog_text(&scenario.catalog), START).await,
        teller: Teller::new(target_by, EVENTS_OF_CATALOG),
        target_by,
    };
    let mut differences = String::new();
    for step in &scenario.steps {
        let mut actual = replay.step(step, unsaid).await;
        let mut expected = Vec::new();
        for line in &step.expected {
            let mut wanted = line.clone();
            match State::read(line) {
                Some(state) => {
                    let (line, told) = replay.state(line, &state, unsaid).await;
                    wanted = line;
                    actual.push(told);
                }
                None => unsaid.cut(&mut wanted),
            }
            expected.push(wanted);
        }
        if expected != actual {
            let step = Step {
                expected,
                ..step.clone()
            };
            let how = format!("by {target_by:?}");
            differences.push_str(&difference(scenario, &step, &actual, &how));
        }
    }
    replay.door.close().await;
    differences
}

async fn replay_file(backend: Backend, name: &str) {
    let path = file(name);
    let mut unsaid = Unsaid::default();
    let differences = play(backend, &path, &mut unsaid).await;
    eprintln!("{unsaid}");
    assert!(
        differences.is_empty(),
        "{} over gRPC{differences}",
        path.display()
    );
}

async fn play(backend: Backend, path: &Path, unsaid: &mut Unsaid) -> String {
    let text = fs::read_to_string(path).unwrap();
    let mut differences = String::new();
    for scenario in parse(&text) {
        for target_by in [TargetBy::Position, TargetBy::Request] {
            differences += &replay(backend, &scenario, target_by, unsaid).await;
        }
    }
    differences
}

/// An exception that no scenario needs any more hides what is wrong.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_api_does_not_say_is_met() {
    let mut unsaid = Unsaid::default();
    for path in files() {
        play(Backend::Sqlite, &path, &mut unsaid).await;
    }
    eprintln!("{unsaid}");
    let never = unsaid.never_met();
    assert!(never.is_empty(), "no scenario needs: {never:?}");
}

macro_rules! test {
    ($file:ident) => {
        mod $file {
            use e2e_tests::Backend;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                crate::replay_file(Backend::Sqlite, stringify!($file)).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                crate::replay_file(Backend::Postgres, stringify!($file)).await;
            }
        }
    };
}

scenarios! { test:
    account adjust catalog charge credit expiry expiry_in_time hold payback payment payments periods
    policy refund seed_dream_photo seed_media_lab seed_nano_banana seed_spin_bot seed_tz_bot
    subscription transfer
}
