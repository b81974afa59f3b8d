//! The command line, and the plan that follows from it.

use crate::measure::Measure;
use clap::{Parser, ValueEnum};
use e2e_tests::{Backend, in_workspace};
use std::{path::PathBuf, time::Duration};

const AFTER_HELP: &str = "\
The load comes from this process, over TCP, to a release `ledger-service serve`. Everything is
compared with a baseline I on the same machine: pgbench, inserting one bare row a transaction.
The sides of a ratio are measured in turn (A B A B); the report gives the median of the ratios.

Examples:
  make bench                                              everything, about 45 minutes
  make bench ARGS=--quick                                 does it run at all? about 5 minutes
  make bench ARGS='--only charge,balance --backend sqlite --rounds 5'
  make bench ARGS='--only charge_grown --full'            10 million events; 20 GB below /tmp

A missed must is said loudly and does not change the exit code. A measure in which anything
failed that should not have is INVALID, whatever its rate.";

/// Measures the ledger service on this machine.
#[derive(Clone, Debug, Parser)]
#[command(name = "bench", after_help = AFTER_HELP)]
pub(crate) struct Options {
    /// How long each side of a round is measured, after a second of warm-up [default: 8; quick: 2].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    seconds: Option<u64>,
    /// How often the sides are measured in turn [default: 3; quick: 1].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    rounds: Option<u64>,
    /// Only these measures, separated by commas.
    #[arg(long, value_enum, value_name = "NAME", value_delimiter = ',')]
    only: Vec<Measure>,
    /// Which database the service runs on.
    #[arg(long, value_enum, default_value = "both")]
    backend: Backends,
    /// A short run that shows that everything works; its figures are rough.
    #[arg(long)]
    quick: bool,
    /// Measure charge_grown with 10 million events instead of 2.
    #[arg(long)]
    full: bool,
    /// Events of the account of charge_hot_grown [default: 1000000; quick: 20000].
    #[arg(long, value_name = "N")]
    grown_events: Option<u64>,
    /// Events stored for charge_grown [default: 2000000; full: 10000000; quick: 50000].
    #[arg(long, value_name = "N")]
    grown_total: Option<u64>,
    /// HTTP/2 connections of the load to each service.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=64))]
    connections: u64,
    /// Calls in flight.
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u64).range(2..=4096))]
    in_flight: u64,
    /// Calls in flight of charge_batch.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=64))]
    batches_in_flight: u64,
    /// Threads of the load. More take time from the service, which shares the cores.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=64))]
    pub(crate) client_threads: u64,
    /// Where report.json and report.md go [default: target/bench].
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
}

/// Which databases.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Backends {
    Sqlite,
    Postgres,
    Both,
}

/// What to do, with all defaults filled in.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) backends: Vec<Backend>,
    pub(crate) measures: Vec<Measure>,
    pub(crate) rounds: u64,
    pub(crate) seconds: Duration,
    pub(crate) warm_up: Duration,
    /// How long each number of clients of the baseline is tried at first.
    pub(crate) baseline_seconds: u64,
    /// How long the baseline is measured again beside each measure.
    pub(crate) baseline_round_seconds: u64,
    pub(crate) grown_events: u64,
    pub(crate) grown_total: u64,
    /// How many events there are at least when a rebuild is timed.
    pub(crate) rebuild_events: u64,
    pub(crate) connections: usize,
    pub(crate) in_flight: usize,
    pub(crate) batches_in_flight: usize,
    pub(crate) quick: bool,
    pub(crate) output: PathBuf,
}

impl Options {
    /// Fills in the defaults, which depend on how thorough the run is.
    pub(crate) fn plan(self) -> Plan {
        let quick = self.quick;
        let by_default = |normal, short| if quick { short } else { normal };
        let total = if self.full {
            10_000_000
        } else {
            by_default(2_000_000, 50_000)
        };
        let backends = match self.backend {
            Backends::Sqlite => vec![Backend::Sqlite],
            Backends::Postgres => vec![Backend::Postgres],
            Backends::Both => Backend::all().to_vec(),
        };
        let all = Measure::value_variants().iter().copied();
        Plan {
            backends,
            measures: all
                .filter(|measure| self.only.is_empty() || self.only.contains(measure))
                .collect(),
            rounds: self.rounds.unwrap_or_else(|| by_default(3, 1)),
            seconds: Duration::from_secs(self.seconds.unwrap_or_else(|| by_default(8, 2))),
            warm_up: Duration::from_secs(1),
            baseline_seconds: by_default(15, 5),
            baseline_round_seconds: by_default(5, 2),
            grown_events: self
                .grown_events
                .unwrap_or_else(|| by_default(1_000_000, 20_000)),
            grown_total: self.grown_total.unwrap_or(total),
            rebuild_events: by_default(1_000_000, 50_000),
            connections: size(self.connections),
            in_flight: size(self.in_flight),
            batches_in_flight: size(self.batches_in_flight),
            quick,
            output: self.output.unwrap_or_else(|| in_workspace("target/bench")),
        }
    }
}

fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
