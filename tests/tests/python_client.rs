//! The Python example for internal services does what it says, against a real
//! ledger: `docs/examples/internal_service.py`.
#![cfg(test)]

use e2e_tests::{
    Backend, Ledger, fresh_id, in_workspace,
    ledger::Options,
    on_both_backends,
    process::{Finished, Program},
};
use ledger_proto::request_id;
use std::{env, path::PathBuf, process::Command, time::Duration};

/// The example makes eight calls; most of its time is the start of Python.
const RUN_DEADLINE: Duration = Duration::from_secs(60);
/// When the example's tasks were stored.
const CREATED_AT_MS: u64 = 1_795_166_100_000;

/// The interpreter that has the example's requirements.
fn python() -> PathBuf {
    if let Some(python) = env::var_os("E2E_PYTHON") {
        return python.into();
    }
    let output = Command::new(in_workspace("scripts/python.sh"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().into()
}

/// Runs the example on an account of a ledger.
async fn run(ledger: &Ledger, account: &str) -> Finished {
    let mut program = Program::new("internal_service.py", python())
        .argument(in_workspace("docs/examples/internal_service.py"))
        .argument(format!("--ledger={}", ledger.grpc()))
        .argument(format!("--account={account}"))
        .argument(format!("--created-at-ms={CREATED_AT_MS}"));
    if let Some(stubs) = env::var_os("E2E_PYTHON_STUBS") {
        program = program.argument("--stubs").argument(stubs);
    }
    program.run(RUN_DEADLINE).await
}

fn fresh_account() -> String {
    format!("py:{}", fresh_id())
}

on_both_backends! {
    async fn the_example_goes_as_it_says(backend: Backend) {
        let database = backend.database().await;
        let ledger = Ledger::start(&Options::media_lab(&database.url)).await;
        let finished = run(&ledger, &fresh_account()).await;
        assert!(finished.status.success(), "{}", finished.output());
        assert!(finished.stdout.ends_with("all as expected\n"), "{}", finished.output());
    }

    async fn the_repeat_is_marked(backend: Backend) {
        let database = backend.database().await;
        let ledger = Ledger::start(&Options::media_lab(&database.url)).await;
        let finished = run(&ledger, &fresh_account()).await;
        let replayed = finished.stdout.lines().filter(|line| line.contains("replayed=True"));
        assert_eq!(replayed.count(), 1, "{}", finished.output());
    }

    async fn the_refusal_tells_reason_and_shortfall(backend: Backend) {
        let database = backend.database().await;
        let ledger = Ledger::start(&Options::media_lab(&database.url)).await;
        let finished = run(&ledger, &fresh_account()).await;
        for figure in ["INSUFFICIENT_FUNDS", "    asset: RUB", "    shortfall_amount: 1000"] {
            assert!(finished.stdout.contains(figure), "{figure}: {}", finished.output());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_derives_request_ids_as_rust_does() {
    let database = Backend::Sqlite.database().await;
    let ledger = Ledger::start(&Options::media_lab(&database.url)).await;
    let account = fresh_account();
    let finished = run(&ledger, &account).await;
    let own_id = format!("books/media-lab/accounts/{account}/task-1");
    let expected = request_id::derive("charge", &own_id, CREATED_AT_MS);
    let line = format!("task-1: request {expected} ");
    assert!(
        finished.stdout.contains(&line),
        "{line}: {}",
        finished.output()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_run_again_charges_nothing() {
    let database = Backend::Sqlite.database().await;
    let ledger = Ledger::start(&Options::media_lab(&database.url)).await;
    let account = fresh_account();
    let first = run(&ledger, &account).await;
    assert!(first.status.success(), "{}", first.output());
    // The same tasks again: their ids are derived, so every charge is a repeat.
    let again = run(&ledger, &account).await;
    assert!(again.status.success(), "{}", again.output());
    let charges = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| line.contains("replayed="));
        lines.map(str::to_owned).collect()
    };
    assert!(charges(&first.stdout)[0].contains("replayed=False"));
    for line in charges(&again.stdout) {
        assert!(line.contains("replayed=True"), "{line}");
    }
    let tail = |text: &str| {
        text.split_once("balances:")
            .map(|(_, tail)| tail.to_owned())
    };
    assert_eq!(tail(&first.stdout), tail(&again.stdout));
}
