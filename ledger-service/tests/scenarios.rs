//! The scenarios of the core, replayed through the engine on both databases:
//! the same files, the same lines to the letter. `core/tests/scenarios/README.md`
//! tells the language.
//!
//! Each scenario is replayed twice on each, as on the core: with targets named
//! by their event, and by the request that wrote it.
#![cfg(test)]

#[path = "../core/tests/language/mod.rs"]
mod language;
mod support;

use std::fs;

use language::{
    Scenario,
    clock::START,
    command::{TargetBy, duration},
    files::{catalog_text, file, scenarios},
    parse,
    teller::{EVENTS_OF_CATALOG, State, Teller, difference},
};
use support::{database::Database, log::sound_book, stage::Stage};

/// Replays a scenario and gives what it does not agree with.
async fn replay(database: &Database, scenario: &Scenario, target_by: TargetBy) -> String {
    let store = database.store().await;
    let mut stage = Stage::open(store, &catalog_text(&scenario.catalog), START).await;
    let mut teller = Teller::new(target_by, EVENTS_OF_CATALOG);
    let mut differences = String::new();
    for step in &scenario.steps {
        let mut actual = if step.words.word(0) == "wait" {
            stage.wait(duration(step.words.word(1))).await;
            Vec::new()
        } else {
            let asked = teller.ask(&step.words, stage.next_request_id());
            let outcome = stage.play(&asked.request).await;
            teller.tell(&asked, outcome.as_deref())
        };
        for state in step.expected.iter().filter_map(|line| State::read(line)) {
            let account = stage.account(&state.account).await;
            actual.push(state.of(&account));
        }
        if actual != step.expected {
            let how = format!("by {target_by:?}");
            differences.push_str(&difference(scenario, step, &actual, &how));
        }
    }
    stage.retire().await;
    sound_book(stage.store(), &stage.book).await;
    differences
}

async fn replay_file(name: &str, is_postgres: bool) {
    let path = file(name);
    let text = fs::read_to_string(&path).unwrap();
    let mut differences = String::new();
    for scenario in parse(&text) {
        for target_by in [TargetBy::Position, TargetBy::Request] {
            let database = if is_postgres {
                Database::postgres().await
            } else {
                Database::sqlite()
            };
            differences += &replay(&database, &scenario, target_by).await;
            database.remove().await;
        }
    }
    assert!(
        differences.is_empty(),
        "{} through the engine{differences}",
        path.display()
    );
}

macro_rules! test {
    ($file:ident) => {
        mod $file {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                crate::replay_file(stringify!($file), false).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                crate::replay_file(stringify!($file), true).await;
            }
        }
    };
}

scenarios! { test:
    account adjust catalog charge credit expiry expiry_in_time hold payback payment payments periods
    policy refund seed_dream_photo seed_media_lab seed_nano_banana seed_spin_bot seed_tz_bot
    subscription transfer
}
