//! Going through the measures of a backend.
//!
//! Most share one bed, whose log grows as they go. The sides of a ratio take
//! turns, and between them the service gets the time to finish what it does in
//! the background.

use crate::{
    baseline::Baseline,
    bed::Bed,
    callers::{Aim, Balance, Batch, Charge, HoldCapture, Mixed},
    ids::{Accounts, Ids},
    load::{self, Caller, Sample, Window},
    measure::Measure,
    options::Plan,
    report::{Measured, Round},
    wallets,
};
use e2e_tests::Backend;
use serde_json::Value;
use std::sync::Arc;

/// How many accounts share the load, unless a measure says otherwise.
const ACCOUNTS: usize = 10_000;
/// Accounts without funds, for refusals.
const EMPTY_ACCOUNTS: usize = 100;

/// A run of the benchmark.
pub(crate) struct Run {
    plan: Plan,
    ids: Arc<Ids>,
    baseline: Baseline,
}

impl Run {
    /// Finds the baseline.
    pub(crate) async fn begin(plan: Plan) -> Result<Self, String> {
        eprintln!("baseline: pgbench, one bare row a transaction");
        let baseline = Baseline::find(&plan).await?;
        Ok(Self {
            plan,
            ids: Arc::new(Ids::new()),
            baseline,
        })
    }

    /// Starts the bed of a backend, and makes its accounts.
    pub(crate) async fn on(&mut self, backend: Backend) -> Result<BackendRun<'_>, String> {
        eprintln!("{backend}: a service with {ACCOUNTS} accounts");
        let bed = Bed::start(backend, 1, self.plan.connections).await;
        let run = BackendRun {
            plan: &self.plan,
            ids: &self.ids,
            baseline: &mut self.baseline,
            bed,
            many: Arc::new(Accounts::new("many", ACCOUNTS)),
            empty: Arc::new(Accounts::new("empty", EMPTY_ACCOUNTS)),
            hot: Arc::new(Accounts::new("hot", 1)),
            memory_mib: None,
        };
        wallets::fund(&run.aim(&run.many)).await?;
        wallets::fund(&run.aim(&run.hot)).await?;
        wallets::empty(&run.aim(&run.empty)).await?;
        Ok(run)
    }
}

/// The part of a run that is about one backend.
pub(crate) struct BackendRun<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) ids: &'a Arc<Ids>,
    baseline: &'a mut Baseline,
    pub(crate) bed: Bed,
    pub(crate) many: Arc<Accounts>,
    empty: Arc<Accounts>,
    hot: Arc<Accounts>,
    /// The largest resident size seen under the load of `charge`.
    memory_mib: Option<f64>,
}

impl BackendRun<'_> {
    /// Measures one thing; nothing if the backend doesn't have it.
    pub(crate) async fn measure(&mut self, measure: Measure) -> Option<Measured> {
        let backend = self.bed.backend;
        if measure == Measure::ChargeTwoInstances && backend == Backend::Sqlite {
            return None;
        }
        eprintln!("{measure} on {backend}");
        let mut measured = Measured::new(measure, backend);
        if let Err(error) = Box::pin(self.fill(&mut measured)).await {
            measured.failure = Some(error);
        }
        Some(measured)
    }

    /// What the report says of the baseline.
    pub(crate) fn baseline_report(&self) -> Value {
        self.baseline.report()
    }

    /// Ends the service.
    pub(crate) async fn end(self) {
        self.bed.stop().await;
    }

    async fn fill(&mut self, measured: &mut Measured) -> Result<(), String> {
        let (many, hot) = (self.many.clone(), self.hot.clone());
        match measured.measure {
            Measure::Charge => self.against_insert(measured, &many, charge).await,
            Measure::Memory => self.memory(measured).await,
            Measure::ChargeHot => self.against_insert(measured, &hot, charge).await,
            Measure::ChargeMixed => self.mixed(measured).await,
            Measure::HoldCapture => self.against_insert(measured, &many, HoldCapture).await,
            Measure::ChargeBatch => self.against_insert(measured, &many, Batch).await,
            Measure::Balance => self.against_insert(measured, &many, Balance).await,
            Measure::ChargeSerial => self.serial(measured).await,
            Measure::ChargeHotGrown => self.hot_grown(measured).await,
            Measure::ChargeUuid4 => self.against_insert(measured, &many, charge_uuid4).await,
            Measure::ChargeTwoInstances => self.two_instances(measured).await,
            Measure::ChargeGrown => self.grown(measured).await,
            Measure::Rebuild => self.rebuild(measured).await,
        }
    }

    /// Rounds of the baseline and a load.
    async fn against_insert<C: Caller>(
        &mut self,
        measured: &mut Measured,
        accounts: &Arc<Accounts>,
        caller: impl Fn(Aim) -> C + Copy,
    ) -> Result<(), String> {
        measured.reference = Some("insert");
        for _ in 0..self.plan.rounds {
            self.bed.settle().await?;
            let reference = self.baseline.again().await?;
            let work = self.load(&self.bed, accounts, caller);
            let (sample, memory_mib) = self.bed.watching_memory(work).await;
            if measured.measure == Measure::Charge {
                let seen = self.memory_mib.into_iter().chain(memory_mib);
                self.memory_mib = seen.reduce(f64::max);
            }
            add_round(measured, Some(reference), sample);
        }
        Ok(())
    }

    async fn memory(&mut self, measured: &mut Measured) -> Result<(), String> {
        if self.memory_mib.is_none() {
            let work = self.load(&self.bed, &self.many, charge);
            let (sample, memory_mib) = self.bed.watching_memory(work).await;
            check(&sample)?;
            self.memory_mib = memory_mib;
        }
        measured.mib = self.memory_mib;
        measured
            .notes
            .push("the largest resident size while `charge` ran".to_owned());
        match self.memory_mib {
            Some(_) => Ok(()),
            None => Err("the system doesn't tell (/proc/PID/status)".to_owned()),
        }
    }

    async fn mixed(&mut self, measured: &mut Measured) -> Result<(), String> {
        measured.reference = Some("charge");
        for _ in 0..self.plan.rounds {
            let reference = self.reference(&self.many).await?;
            self.bed.settle().await?;
            let empty = &self.empty;
            let mixed = |at| Mixed::new(at, empty.clone());
            add_round(
                measured,
                Some(reference),
                self.load(&self.bed, &self.many, mixed).await,
            );
        }
        Ok(())
    }

    async fn hot_grown(&mut self, measured: &mut Measured) -> Result<(), String> {
        measured.reference = Some("charge_hot");
        let grown = Arc::new(Accounts::new("grown", 1));
        let at = self.aim(&grown);
        wallets::grow_account(&at, self.plan.grown_events).await?;
        for _ in 0..self.plan.rounds {
            let reference = self.reference(&self.hot).await?;
            self.bed.settle().await?;
            add_round(
                measured,
                Some(reference),
                self.load(&self.bed, &grown, charge).await,
            );
        }
        let (events, lots, holds) = at.client.clone().size_of(&grown.pick(0)).await?;
        measured.notes.push(format!(
            "the account has {lots} lots, {holds} holds and in the end {events} events; the \
             catalog has no limits, so no window is full"
        ));
        Ok(())
    }

    async fn serial(&mut self, measured: &mut Measured) -> Result<(), String> {
        for _ in 0..self.plan.rounds {
            self.bed.settle().await?;
            let caller = charge(self.aim(&self.many));
            add_round(measured, None, load::run(self.window(), vec![caller]).await);
        }
        Ok(())
    }

    /// The rate of single charges on the main bed, as the other side of a ratio.
    pub(crate) async fn reference(&self, accounts: &Arc<Accounts>) -> Result<f64, String> {
        self.bed.settle().await?;
        let sample = self.load(&self.bed, accounts, charge).await;
        check(&sample)?;
        Ok(sample.rate_per_s)
    }

    /// A load with as many callers as the plan says.
    pub(crate) async fn load<C: Caller>(
        &self,
        bed: &Bed,
        accounts: &Arc<Accounts>,
        caller: impl Fn(Aim) -> C,
    ) -> Sample {
        let count = caller_count::<C>(self.plan);
        let callers = (0..count).map(|number| caller(bed.aim(number, self.ids, accounts)));
        load::run(self.window(), callers.collect()).await
    }

    fn aim(&self, accounts: &Arc<Accounts>) -> Aim {
        self.bed.aim(0, self.ids, accounts)
    }

    fn window(&self) -> Window {
        Window {
            warm_up: self.plan.warm_up,
            seconds: self.plan.seconds,
        }
    }
}

/// A call of 1000 items counts for more than a single one.
fn caller_count<C: Caller>(plan: &Plan) -> usize {
    if C::IS_BATCH {
        plan.batches_in_flight
    } else {
        plan.in_flight
    }
}

/// A caller of single charges.
pub(crate) const fn charge(at: Aim) -> Charge {
    Charge {
        at,
        has_random_ids: false,
    }
}

const fn charge_uuid4(at: Aim) -> Charge {
    Charge {
        at,
        has_random_ids: true,
    }
}

/// Refuses a sample with errors as the other side of a ratio.
pub(crate) fn check(sample: &Sample) -> Result<(), String> {
    if sample.errors.is_empty() {
        return Ok(());
    }
    Err(format!("errors on the other side: {:?}", sample.errors))
}

/// Adds a round and tells it.
pub(crate) fn add_round(measured: &mut Measured, reference_per_s: Option<f64>, sample: Sample) {
    let mut parts = vec![format!("{:.0} a second", sample.rate_per_s)];
    parts.extend(reference_per_s.map(|rate| format!("other side {rate:.0}")));
    if sample.p50_ms > 0.0 {
        parts.push(format!(
            "p50 {:.2} ms, p99 {:.2} ms",
            sample.p50_ms, sample.p99_ms
        ));
    }
    if !sample.errors.is_empty() {
        parts.push(format!("{:?}", sample.errors));
    }
    eprintln!("    {}", parts.join(", "));
    measured.rounds.push(Round {
        reference_per_s,
        sample,
    });
}
