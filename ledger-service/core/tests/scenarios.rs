//! Replays the tables in `scenarios/`: goal and language are told in
//! `scenarios/README.md`.
//!
//! Each scenario is replayed twice: with targets named by their event, and by
//! the request that wrote it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests stop on what they did not expect"
)]

mod driver;
mod language;
#[path = "language/replay.rs"]
mod replay;

use std::{collections::BTreeSet, fs, path::Path};

use driver::auditor;
use language::{
    Scenario,
    command::TargetBy,
    files::{file, files, scenarios},
    parse,
    teller::difference,
};
use ledger_core::event::EventKind;
use replay::Replay;

/// What a replay went through.
#[derive(Default)]
struct Seen {
    scenarios: usize,
    kinds: BTreeSet<EventKind>,
    verbs: BTreeSet<String>,
    differences: String,
}

fn replay(scenario: &Scenario, target_by: TargetBy, seen: &mut Seen) {
    let mut replay = Replay::new(&scenario.catalog, target_by);
    seen.scenarios += 1;
    for step in &scenario.steps {
        seen.verbs.insert(step.words.word(0).to_owned());
        let mut actual = replay.step(&step.words);
        actual.extend(step.expected.iter().filter_map(|line| replay.state(line)));
        if actual != step.expected {
            let how = format!("by {target_by:?}");
            let told = difference(scenario, step, &actual, &how);
            seen.differences.push_str(&told);
        }
    }
    seen.kinds.extend(
        replay
            .ledger
            .events
            .iter()
            .map(|event| event.payload.kind()),
    );
    auditor::audit_refunds(&replay.ledger.events);
    replay.ledger.assert_replays();
}

fn replay_file(path: &Path, seen: &mut Seen) {
    let text = fs::read_to_string(path).expect("a readable file");
    for scenario in parse(&text) {
        for target_by in [TargetBy::Position, TargetBy::Request] {
            replay(&scenario, target_by, seen);
        }
    }
}

macro_rules! test {
    ($file:ident) => {
        #[test]
        fn $file() {
            let mut seen = Seen::default();
            let path = file(stringify!($file));
            replay_file(&path, &mut seen);
            assert!(
                seen.differences.is_empty(),
                "{}{}",
                path.display(),
                seen.differences
            );
        }
    };
}

scenarios! { test:
    account adjust catalog charge credit expiry expiry_in_time hold payback payment payments periods
    policy refund seed_dream_photo seed_media_lab seed_nano_banana seed_spin_bot seed_tz_bot
    subscription transfer
}

/// What the bots' own documents say in numbers, as their stories tell it: RUB is
/// in kopecks. `docs/moving-in.md` has the rows.
const FIGURES: [(&str, &[&str]); 4] = [
    (
        "seed_media_lab",
        &[
            "4 FREE_OP",
            "1000 RUB",
            "10000 RUB",
            "30000 RUB",
            "50000 RUB",
            "100000 RUB",
        ],
    ),
    (
        "seed_nano_banana",
        &[
            "10 TOKEN",
            "1 TOKEN",
            "maximum=20",
            "wait 10s",
            "wait 30s",
            "wait 1m",
            "4000",
            "5000 TOKEN",
            "1000 TOKEN",
        ],
    ),
    (
        "seed_spin_bot",
        &[
            "150 XP",
            "100 XP",
            "level 1 to 2",
            "level 2 to 3",
            "10 CREDIT",
            "meta.score=185",
        ],
    ),
    (
        "seed_tz_bot",
        &[
            "1 CREDIT",
            "5 CREDIT",
            "14900 RUB",
            "20 CREDIT",
            "39900 RUB",
            "50 CREDIT",
            "69900 RUB",
            "149900 RUB",
            "999 within 30 days",
        ],
    ),
];

#[test]
fn the_figures_of_the_bots_are_told() {
    for (name, figures) in FIGURES {
        let text = fs::read_to_string(file(name)).expect("a readable file");
        let told = text.lines().filter(|line| !line.starts_with('#'));
        let told: String = told.map(|line| format!(" {} ", line.trim())).collect();
        for figure in figures {
            let is_told = told
                .match_indices(figure)
                .any(|(place, _)| told[..place].ends_with([' ', '=']));
            assert!(is_told, "{name} does not tell of {figure}");
        }
    }
}

#[test]
fn every_command_and_every_kind_of_event_is_told_of() {
    let mut seen = Seen::default();
    for path in files() {
        replay_file(&path, &mut seen);
    }
    assert!(seen.scenarios >= 2 * 60, "only {} replays", seen.scenarios);
    assert_eq!(
        seen.kinds.len(),
        driver::KINDS,
        "a kind of event in no scenario: {:?}",
        seen.kinds
    );
    // 21 commands and `wait`.
    assert_eq!(
        seen.verbs.len(),
        22,
        "a command in no scenario: {:?}",
        seen.verbs
    );
}
