//! The measures by name, and what each of them has to reach.

use clap::ValueEnum;
use e2e_tests::Backend;
use std::fmt;

/// What is measured. The order is the one of a run.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Measure {
    /// Single charges on 10 000 accounts, ids ordered by time.
    Charge,
    /// Resident memory of the service under that load.
    Memory,
    /// Single charges on one account.
    ChargeHot,
    /// Charges with 1 % repeats and 1 % refusals.
    ChargeMixed,
    /// Holds placed and captured, in pairs.
    HoldCapture,
    /// Charges in calls of 1000.
    ChargeBatch,
    /// Reads of balances.
    Balance,
    /// Charges one at a time.
    ChargeSerial,
    /// Single charges on an account with many events, 200 lots and 50 holds.
    ChargeHotGrown,
    /// Single charges with random ids: after the others, because such ids lie between
    /// all that follow.
    #[value(name = "charge_uuid4")]
    ChargeUuid4,
    /// Charges through two processes on one book (PostgreSQL).
    ChargeTwoInstances,
    /// Charges on a long log, against a short one.
    ChargeGrown,
    /// Making all states and indexes anew.
    Rebuild,
}

impl Measure {
    /// Its name in the report.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Charge => "charge",
            Self::Memory => "memory",
            Self::ChargeUuid4 => "charge_uuid4",
            Self::ChargeHot => "charge_hot",
            Self::ChargeHotGrown => "charge_hot_grown",
            Self::ChargeMixed => "charge_mixed",
            Self::ChargeTwoInstances => "charge_two_instances",
            Self::HoldCapture => "hold_capture",
            Self::ChargeBatch => "charge_batch",
            Self::Balance => "balance",
            Self::ChargeSerial => "charge_serial",
            Self::ChargeGrown => "charge_grown",
            Self::Rebuild => "rebuild",
        }
    }

    /// What it has to reach (design, section 15); nothing if it is only
    /// reported.
    pub(crate) fn target(self, backend: Backend) -> Option<Target> {
        let (figure, must, aim) = match self {
            Self::Charge => (Figure::Ratio, 1.0, 1.25),
            Self::Memory => (Figure::Mib, 150.0, 80.0),
            Self::ChargeUuid4 => return None,
            Self::ChargeHot => (Figure::Ratio, 1.3, 1.6),
            Self::ChargeHotGrown | Self::ChargeTwoInstances => (Figure::Ratio, 0.7, 0.9),
            Self::ChargeMixed => (Figure::Ratio, 0.8, 0.95),
            Self::HoldCapture => (Figure::Ratio, 0.5, 0.6),
            Self::ChargeBatch if backend == Backend::Sqlite => (Figure::Ratio, 2.5, 3.0),
            Self::ChargeBatch => (Figure::Ratio, 2.0, 3.0),
            Self::Balance => (Figure::Ratio, 1.2, 1.5),
            Self::ChargeSerial => (Figure::P50Ms, 1.0, 0.5),
            Self::ChargeGrown => (Figure::Ratio, 0.85, 0.95),
            Self::Rebuild => (Figure::RatePerS, 100_000.0, 300_000.0),
        };
        Some(Target { figure, must, aim })
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The figure that a target is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Figure {
    /// The ratio to the other side.
    Ratio,
    /// Calls, items or events a second.
    RatePerS,
    /// The median time of a call.
    P50Ms,
    /// Memory.
    Mib,
}

/// What must be reached, and what is aimed at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Target {
    pub(crate) figure: Figure,
    pub(crate) must: f64,
    pub(crate) aim: f64,
}

impl Target {
    /// Whether a value is as good as a bound.
    pub(crate) fn is_met(self, value: f64, bound: f64) -> bool {
        match self.figure {
            Figure::Ratio | Figure::RatePerS => value >= bound,
            Figure::P50Ms | Figure::Mib => value <= bound,
        }
    }

    /// A bound as text, e.g. `≥ 1.25` or `≤ 80 MiB`.
    pub(crate) fn text(self, bound: f64) -> String {
        match self.figure {
            Figure::Ratio => format!("≥ {bound:.2}"),
            Figure::RatePerS => format!("≥ {bound:.0}/s"),
            Figure::P50Ms => format!("≤ {bound} ms"),
            Figure::Mib => format!("≤ {bound:.0} MiB"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Measure;
    use clap::ValueEnum as _;

    #[test]
    fn names_on_the_command_line_are_those_of_the_report() {
        for measure in Measure::value_variants() {
            let value = measure.to_possible_value().unwrap();
            assert_eq!(value.get_name(), measure.name());
        }
    }
}
