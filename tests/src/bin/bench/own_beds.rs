//! The measures that need databases of their own, or the service stopped.

use crate::{
    bed::Bed,
    ids::Accounts,
    load::{Sample, as_f64},
    report::Measured,
    run::{BackendRun, add_round, charge, check},
    wallets,
};
use e2e_tests::process::Program;
use ledger_service::limits::LEASE_DURATION;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::time::sleep;

/// Few, so that a log of [`SHORT_LOG`] events has them all.
const GROWN_ACCOUNTS: usize = 1_000;
/// The short log of `charge_grown`.
const SHORT_LOG: u64 = 10_000;
const REBUILD_DEADLINE: Duration = Duration::from_secs(3600);

impl BackendRun<'_> {
    /// Two processes on one book, against one process on another book: the same
    /// accounts, the load split over both.
    pub(crate) async fn two_instances(&mut self, measured: &mut Measured) -> Result<(), String> {
        measured.reference = Some("charge");
        let both = Bed::start(self.bed.backend, 2, self.plan.connections).await;
        wallets::fund(&both.aim(0, self.ids, &self.many)).await?;
        let before = both.positions().await?.head;
        for _ in 0..self.plan.rounds {
            let reference = self.reference(&self.many).await?;
            both.settle().await?;
            let sample = self.load(&both, &self.many, charge).await;
            add_round(measured, Some(reference), sample);
        }
        let written = both.positions().await?.head - before;
        let answered: u64 = measured
            .rounds
            .iter()
            .map(|round| round.sample.counted)
            .sum();
        both.stop().await;
        let errors = measured
            .rounds
            .iter()
            .flat_map(|round| round.sample.errors.values());
        let errors: u64 = errors.sum();
        measured.notes.push(format!(
            "{answered} charges answered, {errors} errors, {written} events written by both"
        ));
        if written != answered {
            return Err("not as many events as answers".to_owned());
        }
        Ok(())
    }

    /// A long log against a short one. The short one is made anew each round: it
    /// would not stay short.
    pub(crate) async fn grown(&mut self, measured: &mut Measured) -> Result<(), String> {
        measured.reference = Some("charge, short log");
        let accounts = Arc::new(Accounts::new("log", GROWN_ACCOUNTS));
        let long = self.log_of(&accounts, self.plan.grown_total).await?;
        let stored = long.positions().await?.head;
        for _ in 0..self.plan.rounds {
            let short = self.log_of(&accounts, SHORT_LOG).await?;
            let reference = self.load(&short, &accounts, charge).await;
            check(&reference)?;
            short.stop().await;
            long.settle().await?;
            let sample = self.load(&long, &accounts, charge).await;
            add_round(measured, Some(reference.rate_per_s), sample);
        }
        let bound = if stored < 10_000_000 {
            " (10 million with --full)"
        } else {
            ""
        };
        measured.notes.push(format!(
            "{stored} events stored at first{bound}, against {SHORT_LOG}; {GROWN_ACCOUNTS} accounts"
        ));
        long.stop().await;
        Ok(())
    }

    /// A bed whose log has so many events, with nothing left to do.
    async fn log_of(&self, accounts: &Arc<Accounts>, events: u64) -> Result<Bed, String> {
        let bed = Bed::start(self.bed.backend, 1, self.plan.connections).await;
        let at = bed.aim(0, self.ids, accounts);
        wallets::fund(&at).await?;
        let has = bed.positions().await?.head;
        wallets::charge("log", &at, events.saturating_sub(has)).await?;
        bed.settle().await?;
        Ok(bed)
    }

    /// The whole program, from its start to its end, on all that the measures
    /// before it have stored.
    pub(crate) async fn rebuild(&mut self, measured: &mut Measured) -> Result<(), String> {
        let has = self.bed.positions().await?.head;
        let at = self.bed.aim(0, self.ids, &self.many);
        wallets::charge("log", &at, self.plan.rebuild_events.saturating_sub(has)).await?;
        self.bed.settle().await?;
        let events = self.bed.positions().await?.head;
        if let Some(mib) = self.bed.memory_peak_mib() {
            let note = format!("before it, the service was resident with {mib:.0} MiB at most");
            measured.notes.push(note);
        }
        self.bed.pause().await;
        // Right after a stop `rebuild` waits whether another instance takes the
        // lease over, and would look slower than it is.
        sleep(LEASE_DURATION + Duration::from_secs(1)).await;
        let program = Program::ours("ledger-service").argument("rebuild");
        let program = program.argument("--database-url").argument(self.bed.url());
        let began = Instant::now();
        let finished = program.run(REBUILD_DEADLINE).await;
        let took = began.elapsed();
        if !finished.status.success() {
            return Err(format!("rebuild failed:\n{}", finished.output()));
        }
        let lines = finished
            .stderr
            .lines()
            .filter(|line| line.contains(" events in "));
        measured.notes.extend(lines.map(str::to_owned));
        let rate_per_s = as_f64(events) / took.as_secs_f64();
        let sample = Sample {
            rate_per_s,
            counted: events,
            ..Sample::default()
        };
        add_round(measured, None, sample);
        Ok(())
    }
}
