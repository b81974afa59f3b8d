//! `make run`: its script starts both programs, prints a charge that works as it
//! stands, and ends all that it started at Ctrl-C.
#![cfg(test)]

use e2e_tests::{
    eventually, in_workspace,
    process::{Finished, Process, Program, binaries},
    workspace,
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{process::Command, time::Duration};

/// The last line of what the script prints when everything runs.
const ALL_RUNS: &str = "Ctrl-C stops both.";
const CALL_DEADLINE: Duration = Duration::from_secs(30);
/// The script's own `sleep` may outlive it by a second.
const GONE_DEADLINE: Duration = Duration::from_secs(10);

/// A process as `ps` shows it.
#[derive(Debug)]
struct Listed {
    pid: i32,
    parent: i32,
    name: String,
}

/// All processes but those that have ended and only wait to be asked how.
fn processes() -> Vec<Listed> {
    let listing = Command::new("ps")
        .args([
            "-A", "-o", "pid=", "-o", "ppid=", "-o", "stat=", "-o", "comm=",
        ])
        .output()
        .unwrap();
    let listing = String::from_utf8_lossy(&listing.stdout).into_owned();
    let lines = listing.lines().map(|line| {
        let mut words = line.split_whitespace();
        let mut word = || words.next().unwrap_or_default();
        let (pid, parent, state) = (word(), word(), word());
        let listed = Listed {
            pid: pid.parse().unwrap(),
            parent: parent.parse().unwrap(),
            name: word().to_owned(),
        };
        (listed, state.starts_with('Z'))
    });
    lines
        .filter(|(_, has_ended)| !has_ended)
        .map(|(listed, _)| listed)
        .collect()
}

/// What the script started. It leads groups of its own, so that a test that
/// fails has to end it itself.
struct Children(Vec<Listed>);

impl Children {
    fn of(script: &Process) -> Self {
        let mut listed = processes();
        listed.retain(|process| process.parent == script.pid());
        Self(listed)
    }

    /// Those that still run.
    fn left(&self) -> Vec<Listed> {
        let mut listed = processes();
        listed.retain(|process| {
            let is_same = |child: &Listed| child.pid == process.pid && child.name == process.name;
            self.0.iter().any(is_same)
        });
        listed
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        for child in self.left() {
            if let Some(pid) = Pid::from_raw(child.pid) {
                // It may end by itself just now.
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}

/// Does what somebody does who pastes a line into a terminal.
async fn paste(line: &str) -> Finished {
    let here = format!("cd '{}' && {line}", workspace().display());
    Program::new("pasted", "bash")
        .argument("-c")
        .argument(here)
        .run(CALL_DEADLINE)
        .await
}

async fn charged(line: &str) -> Value {
    let finished = paste(line).await;
    assert!(finished.status.success(), "{line}\n{}", finished.output());
    serde_json::from_str(&finished.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_printed_charge_works_and_ctrl_c_ends_all() {
    let data = tempfile::tempdir().unwrap();
    let program = Program::new("run.sh", in_workspace("scripts/run.sh"))
        .variable("RUN_BINARIES", binaries().display().to_string())
        .variable("RUN_DATA", data.path().display().to_string())
        .variable("LEDGER_GRPC_ADDR", "127.0.0.1:0")
        .variable("LEDGER_HTTP_ADDR", "127.0.0.1:0")
        .variable("GATEWAY_HTTP_ADDR", "127.0.0.1:0")
        .in_own_group();
    let mut script = Process::start_until(&program, |line| line == ALL_RUNS).await;
    let children = Children::of(&script);
    for name in ["ledger-service", "bot-gateway"] {
        let runs = children.0.iter().any(|child| child.name.ends_with(name));
        assert!(runs, "{name} is not among {:?}", children.0);
    }

    let printed = script.stdout();
    let line = printed
        .lines()
        .find(|line| line.contains("ledger-service call "))
        .unwrap_or_else(|| panic!("no charge is printed:\n{printed}"));
    let first = charged(line).await;
    assert_eq!(first["price"]["asset"], "FREE_OP", "{first}");
    assert_eq!(first["price"]["amount"], "1", "{first}");
    assert_ne!(first["result"]["replayed"], true, "{first}");
    let again = charged(line).await;
    assert_eq!(again["result"]["replayed"], true, "{again}");
    assert_eq!(again["result"]["events"], first["result"]["events"]);

    script.interrupt_group();
    let status = script.wait("stop at Ctrl-C").await;
    assert_eq!(status.code(), Some(0), "{}", script.stderr());
    eventually(
        "nothing that it started is left",
        GONE_DEADLINE,
        async || children.left().is_empty().then_some(()),
    )
    .await;
}
