//! The report: `report.json` for programs, a Markdown table for people.

use crate::{
    load::{Sample, median},
    measure::{Figure, Measure, Target},
};
use e2e_tests::Backend;
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, fs, io, path::Path};

/// One round of a measure.
#[derive(Clone, Debug, Default)]
pub(crate) struct Round {
    /// The rate of the other side, if there is one.
    pub(crate) reference_per_s: Option<f64>,
    pub(crate) sample: Sample,
}

/// What came of a measure on a backend.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) measure: Measure,
    pub(crate) backend: Backend,
    /// What the ratio is to: `insert` for the baseline, or another measure.
    pub(crate) reference: Option<&'static str>,
    pub(crate) rounds: Vec<Round>,
    /// Only of `memory`.
    pub(crate) mib: Option<f64>,
    /// Why there is no result, if there is none.
    pub(crate) failure: Option<String>,
    pub(crate) notes: Vec<String>,
}

impl Measured {
    /// Of nothing yet.
    pub(crate) fn new(measure: Measure, backend: Backend) -> Self {
        Self {
            measure,
            backend,
            reference: None,
            rounds: Vec::new(),
            mib: None,
            failure: None,
            notes: Vec::new(),
        }
    }

    /// The median over the rounds.
    pub(crate) fn rate_per_s(&self) -> Option<f64> {
        median(self.rounds.iter().map(|round| round.sample.rate_per_s))
    }

    /// The median of the rounds' ratios.
    pub(crate) fn ratio(&self) -> Option<f64> {
        median(self.rounds.iter().filter_map(Round::ratio))
    }

    fn ms(&self, field: impl Fn(&Sample) -> f64) -> Option<f64> {
        // A rebuild has no calls.
        let times = self.rounds.iter().map(|round| field(&round.sample));
        median(times.filter(|&ms| ms > 0.0))
    }

    /// Errors of all rounds, by reason.
    fn errors(&self) -> BTreeMap<&str, u64> {
        let mut errors = BTreeMap::new();
        for (reason, count) in self.rounds.iter().flat_map(|round| &round.sample.errors) {
            *errors.entry(reason.as_str()).or_default() += count;
        }
        errors
    }

    /// Whether the figures mean what they say.
    pub(crate) fn is_valid(&self) -> bool {
        self.failure.is_none() && self.errors().is_empty()
    }

    fn target(&self) -> Option<Target> {
        self.measure.target(self.backend)
    }

    fn is_met(&self, bound: impl Fn(Target) -> f64) -> Option<bool> {
        let target = self.target()?;
        let value = match target.figure {
            Figure::Ratio => self.ratio(),
            Figure::RatePerS => self.rate_per_s(),
            Figure::P50Ms => self.ms(|sample| sample.p50_ms),
            Figure::Mib => self.mib,
        };
        Some(self.is_valid() && value.is_some_and(|value| target.is_met(value, bound(target))))
    }

    /// Whether it reaches what it must; nothing if there is no must.
    pub(crate) fn meets_must(&self) -> Option<bool> {
        self.is_met(|target| target.must)
    }

    /// In a few words.
    pub(crate) fn verdict(&self) -> &'static str {
        let meets_aim = self.is_met(|target| target.aim);
        match (self.is_valid(), self.meets_must(), meets_aim) {
            (false, _, _) => "INVALID",
            (true, None, _) => "reported",
            (true, Some(true), Some(true)) => "aim",
            (true, Some(true), _) => "must",
            (true, Some(false), _) => "MISSED",
        }
    }

    fn json(&self) -> Value {
        let target = self.target();
        let rounds: Vec<_> = self.rounds.iter().map(Round::json).collect();
        let mut fields = Map::from_iter([
            ("name".to_owned(), json!(self.measure.name())),
            ("backend".to_owned(), json!(self.backend.to_string())),
            (
                "rate_per_s".to_owned(),
                json!(self.rate_per_s().map(f64::round)),
            ),
            ("p50_ms".to_owned(), json!(self.ms(|sample| sample.p50_ms))),
            ("p99_ms".to_owned(), json!(self.ms(|sample| sample.p99_ms))),
            ("must".to_owned(), json!(target.map(|target| target.must))),
            ("aim".to_owned(), json!(target.map(|target| target.aim))),
            ("meets_must".to_owned(), json!(self.meets_must())),
            (
                "meets_aim".to_owned(),
                json!(self.is_met(|target| target.aim)),
            ),
            ("valid".to_owned(), json!(self.is_valid())),
            ("errors".to_owned(), json!(self.errors())),
            ("failure".to_owned(), json!(self.failure)),
            ("notes".to_owned(), json!(self.notes)),
            ("rounds".to_owned(), json!(rounds)),
        ]);
        match self.reference {
            Some("insert") => {
                fields.insert(
                    "ratio_to_insert".to_owned(),
                    json!(self.ratio().map(three_digits)),
                );
            }
            Some(reference) => {
                fields.insert("ratio".to_owned(), json!(self.ratio().map(three_digits)));
                fields.insert("ratio_to".to_owned(), json!(reference));
            }
            None => {}
        }
        if let Some(mib) = self.mib {
            fields.insert("rss_mib".to_owned(), json!(three_digits(mib)));
        }
        Value::Object(fields)
    }

    fn row(&self) -> Vec<String> {
        let or_nothing = |text: Option<String>| text.unwrap_or_default();
        let ms = |value: Option<f64>| or_nothing(value.map(|ms| format!("{ms:.2}")));
        let ratio = self.ratio().zip(self.reference);
        let ratio = match self.mib {
            Some(mib) => format!("{mib:.0} MiB"),
            None => or_nothing(ratio.map(|(ratio, to)| {
                let to = if to == "insert" { "I" } else { to };
                format!("{ratio:.2} × {to}")
            })),
        };
        let target = self.target();
        vec![
            self.measure.to_string(),
            self.backend.to_string(),
            or_nothing(self.rate_per_s().map(|rate| format!("{rate:.0}"))),
            ratio,
            ms(self.ms(|sample| sample.p50_ms)),
            ms(self.ms(|sample| sample.p99_ms)),
            or_nothing(target.map(|target| target.text(target.must))),
            or_nothing(target.map(|target| target.text(target.aim))),
            self.verdict().to_owned(),
        ]
    }
}

impl Round {
    fn ratio(&self) -> Option<f64> {
        self.reference_per_s
            .map(|reference| self.sample.rate_per_s / reference)
    }

    fn json(&self) -> Value {
        json!({
            "reference_per_s": self.reference_per_s.map(f64::round),
            "rate_per_s": self.sample.rate_per_s.round(),
            "ratio": self.ratio().map(three_digits),
            "p50_ms": self.sample.p50_ms,
            "p99_ms": self.sample.p99_ms,
            "counted": self.sample.counted,
            "errors": self.sample.errors,
        })
    }
}

/// Writes both files; returns the text for people.
pub(crate) fn write(
    directory: &Path,
    mut head: Map<String, Value>,
    measured: &[Measured],
) -> io::Result<String> {
    let measures: Vec<_> = measured.iter().map(Measured::json).collect();
    let text = text(&head, measured);
    head.insert("measures".to_owned(), Value::Array(measures));
    fs::create_dir_all(directory)?;
    fs::write(
        directory.join("report.json"),
        format!("{:#}\n", Value::Object(head)),
    )?;
    fs::write(directory.join("report.md"), &text)?;
    Ok(text)
}

fn text(head: &Map<String, Value>, measured: &[Measured]) -> String {
    const TITLES: [&str; 9] = [
        "measure",
        "on",
        "per second",
        "ratio",
        "p50 ms",
        "p99 ms",
        "must",
        "aim",
        "reached",
    ];
    let mut rows = vec![TITLES.map(str::to_owned).to_vec()];
    rows.extend(measured.iter().map(Measured::row));
    let mut text = String::new();
    if let Some(machine) = head
        .get("machine")
        .filter(|machine| machine["busy"] == json!(true))
    {
        text += &format!(
            "Others used {} % of the cores before the run: these figures are wrong.\n\n",
            machine["busy_percent_before"]
        );
    }
    if let Some(baseline) = head.get("baseline") {
        text += &format!(
            "I = {} rows a second (pgbench, {} clients).\n\n",
            baseline["rate_per_s"], baseline["clients"]
        );
    }
    text += &table(&rows);
    let mut notes = String::new();
    for one in measured {
        let errors = one.errors();
        let errors = errors
            .iter()
            .map(|(reason, count)| format!("{count} × {reason}"));
        for note in one
            .notes
            .iter()
            .cloned()
            .chain(one.failure.clone())
            .chain(errors)
        {
            notes += &format!("- {} on {}: {note}\n", one.measure, one.backend);
        }
    }
    if !notes.is_empty() {
        text += &format!("\n{notes}");
    }
    text
}

/// A Markdown table whose columns line up; the first row are the titles.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..columns)
        .map(|column| width(column).unwrap_or(0))
        .collect();
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        for (cell, &width) in row.iter().zip(&widths) {
            text += &format!("| {cell:<width$} ");
        }
        text += "|\n";
        if number == 0 {
            for &width in &widths {
                text += &format!("|{}", "-".repeat(width + 2));
            }
            text += "|\n";
        }
    }
    text
}

fn three_digits(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::{Measured, Round, table};
    use crate::{load::Sample, measure::Measure};
    use e2e_tests::Backend;

    fn measured(ratios: &[f64]) -> Measured {
        let round = |&ratio: &f64| Round {
            reference_per_s: Some(100.0),
            sample: Sample {
                rate_per_s: 100.0 * ratio,
                ..Sample::default()
            },
        };
        let rounds = ratios.iter().map(round).collect();
        Measured {
            reference: Some("insert"),
            rounds,
            ..Measured::new(Measure::Charge, Backend::Sqlite)
        }
    }

    #[test]
    fn the_median_ratio_decides() {
        let cases: [(&[f64], &str); 4] = [
            (&[0.5, 1.3, 1.4], "aim"),
            (&[0.5, 1.1, 1.4], "must"),
            (&[0.5, 0.9, 1.4], "MISSED"),
            (&[], "MISSED"),
        ];
        for (ratios, verdict) in cases {
            assert_eq!(measured(ratios).verdict(), verdict, "{ratios:?}");
        }
    }

    #[test]
    fn an_error_makes_it_invalid() {
        let mut measured = measured(&[1.4]);
        measured.rounds[0]
            .sample
            .errors
            .insert("UNAVAILABLE".to_owned(), 1);
        assert_eq!(measured.verdict(), "INVALID");
        assert_eq!(measured.meets_must(), Some(false));
    }

    #[test]
    fn columns_line_up() {
        let rows = [["a", "≥ 1"], ["long", "b"]];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(
            table(&rows),
            "| a    | ≥ 1 |\n|------|-----|\n| long | b   |\n"
        );
    }
}
