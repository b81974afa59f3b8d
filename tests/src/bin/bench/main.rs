//! `make bench`: what the ledger does on this machine, against what it must.
//!
//! - [`options`] is the command line, [`measure`] the measures and their targets;
//! - [`run`] and [`own_beds`] go through the measures of one backend, in [`bed`]s:
//!   databases with service processes on them;
//! - [`load`] drives [`callers`], over [`client`] and [`wire`]; [`wallets`] makes what they
//!   charge;
//! - [`baseline`] is what ratios are to; [`machine`] and [`report`] say what came
//!   of it.
//!
//! Nothing here is tuned to the service: it speaks the generated client of the
//! API, checks every answer, and a measure with an unexpected one is invalid.
#![expect(
    clippy::expect_used,
    reason = "of a harness, like the library beside it: a failed step ends the run"
)]

mod baseline;
mod bed;
mod callers;
mod client;
mod ids;
mod load;
mod machine;
mod measure;
mod options;
mod own_beds;
mod report;
mod run;
mod wallets;
mod wire;

use clap::Parser as _;
use options::{Options, Plan};
use report::Measured;
use run::Run;
use serde_json::{Map, Value, json};
use std::{
    io::{self, Write as _},
    process::ExitCode,
    time::{Duration, Instant},
};
use tokio::{
    runtime,
    signal::unix::{SignalKind, signal},
};

/// The load shares two cores with what it measures: the less it takes, the better.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Around what nobody may miss.
const RULE: &str = "==============================================================";

fn main() -> ExitCode {
    let options = Options::parse();
    let mut builder = match options.client_threads {
        1 => runtime::Builder::new_current_thread(),
        _ => runtime::Builder::new_multi_thread(),
    };
    let threads = usize::try_from(options.client_threads).unwrap_or(1);
    let runtime = builder.worker_threads(threads).enable_all().build();
    let done = runtime.expect("a runtime starts").block_on(async {
        let mut terminated = signal(SignalKind::terminate()).expect("signals can be heard");
        // Whatever is dropped here ends the processes that it stands for.
        tokio::select! {
            done = Box::pin(bench(options.plan())) => done,
            _ = tokio::signal::ctrl_c() => Err("interrupted".to_owned()),
            _ = terminated.recv() => Err("terminated".to_owned()),
        }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn bench(plan: Plan) -> Result<(), String> {
    let began = Instant::now();
    let machine = machine::machine().await;
    if machine["busy"] == json!(true) {
        eprintln!(
            "{RULE}\nOTHERS USE THIS MACHINE ({} % OF ITS CORES): THE FIGURES WILL BE WRONG\n{RULE}",
            machine["busy_percent_before"]
        );
    }
    let mut head = Map::from_iter([("machine".to_owned(), machine)]);
    let mut settings = Map::new();
    for &backend in &plan.backends {
        settings.insert(backend.to_string(), machine::settings(backend).await?);
    }
    head.insert("settings".to_owned(), Value::Object(settings));
    head.insert("plan".to_owned(), plan_report(&plan));

    let mut run = Run::begin(plan.clone()).await?;
    let mut measured: Vec<Measured> = Vec::new();
    let mut text = String::new();
    for &backend in &plan.backends {
        let mut backend_run = run.on(backend).await?;
        for &measure in &plan.measures {
            let Some(one) = backend_run.measure(measure).await else {
                continue;
            };
            eprintln!("    {}", summary(&one));
            measured.push(one);
            // After each measure: whatever ends the run, the report has what there is.
            head.insert("baseline".to_owned(), backend_run.baseline_report());
            text = report::write(&plan.output, head.clone(), &measured)
                .map_err(|error| format!("{}: {error}", plan.output.display()))?;
        }
        backend_run.end().await;
    }
    io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| format!("the report cannot be printed: {error}"))?;
    eprintln!(
        "{} after {} min: {}",
        if plan.quick { "quick run done" } else { "done" },
        began.elapsed().as_secs().div_ceil(60),
        plan.output.join("report.json").display()
    );
    shout(&measured);
    Ok(())
}

fn plan_report(plan: &Plan) -> Value {
    let seconds = |duration: Duration| duration.as_secs();
    json!({
        "quick": plan.quick,
        "rounds": plan.rounds,
        "seconds": seconds(plan.seconds),
        "warm_up_seconds": seconds(plan.warm_up),
        "in_flight": plan.in_flight,
        "connections": plan.connections,
        "batches_in_flight": plan.batches_in_flight,
        "grown_events": plan.grown_events,
        "grown_total": plan.grown_total,
    })
}

/// A measure in one line.
fn summary(one: &Measured) -> String {
    let rate = one.rate_per_s().map(|rate| format!("{rate:.0} a second"));
    let ratio = one
        .ratio()
        .zip(one.reference)
        .map(|(ratio, to)| format!("{ratio:.2} × {to}"));
    let mib = one.mib.map(|mib| format!("{mib:.0} MiB"));
    let parts = [
        rate,
        ratio,
        mib,
        one.failure.clone(),
        Some(one.verdict().to_owned()),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Says what was missed so that nobody misses it.
fn shout(measured: &[Measured]) {
    let missed = measured
        .iter()
        .filter(|one| !one.is_valid() || one.meets_must() == Some(false));
    let missed: Vec<_> = missed
        .map(|one| format!("  {} on {}: {}", one.measure, one.backend, summary(one)))
        .collect();
    if missed.is_empty() {
        eprintln!("every must is met");
    } else {
        eprintln!(
            "{RULE}\nMUSTS THAT ARE NOT MET\n{}\n{RULE}",
            missed.join("\n")
        );
    }
}
