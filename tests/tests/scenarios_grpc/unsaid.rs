//! What a scenario says and the API does not: each kind of it, with how often it
//! was met. Everything else has to agree to the letter.

use std::{collections::BTreeMap, fmt};

use crate::language::command::TargetBy;

/// Words of an event that its message does not have, and why.
const WORDS: [(&str, &str); 4] = [
    (
        ", undone",
        "Refunded does not say whether its operation still counts",
    ),
    (
        ", done",
        "HoldCaptured does not say whether its operation counts from now on",
    ),
    (
        " with grace until ",
        "a lot that is given back does not say that it had expired",
    ),
    (
        ", earned in ",
        "Credited does not say where a badge was earned: ListLots does",
    ),
];

/// Lists that the API makes one of, and what they are in the scenario.
const MERGED: [(&str, &str); 2] = [(", taking free ", "takes"), (", taking reserved ", "takes")];

/// Verbs that name a payment, which the API lets one name by its event only.
const BY_EVENT: [&str; 3] = ["pay", "payback", "paidback"];

/// Stands for what was paid for a lot of which a part is held: ListLots tells it
/// of the whole lot.
pub(crate) const PAID_WITH_HELD: &str = " (paid ?)";

/// What the API refuses to be asked, and what the core would have said: how the
/// expected lines begin, the refusal, and why. The scenario goes on as if the
/// core had been asked.
const EDGE: [(&str, &str, &str); 5] = [
    (
        "refused UNKNOWN_OPERATION",
        "refused INVALID_REQUEST fields=operation",
        "a charge without a price names an operation",
    ),
    (
        "refused QUANTITY_TOO_LARGE",
        "refused INVALID_REQUEST fields=quantity",
        "a quantity has a bound of its own",
    ),
    (
        "refused UNKNOWN_CURRENCY",
        "refused INVALID_REQUEST fields=amount.currency",
        "a currency has three letters",
    ),
    (
        "-> HoldCaptured 0 ",
        "refused INVALID_REQUEST fields=amount",
        "nothing is captured: ReleaseHold",
    ),
    (
        "-> AccountOpened",
        "refused ASSET_IN_USE",
        "a catalog without an asset that wallets hold is not applied",
    ),
];

/// What was met.
#[derive(Default)]
pub(crate) struct Unsaid(BTreeMap<String, usize>);

impl Unsaid {
    fn met(&mut self, what: impl Into<String>) {
        *self.0.entry(what.into()).or_default() += 1;
    }

    /// How a line names what is earlier.
    pub(crate) fn target_by(&mut self, verb: &str, wanted: TargetBy) -> TargetBy {
        if wanted == TargetBy::Request && BY_EVENT.contains(&verb) {
            self.met("a payment is named by its event, not by the request that made it");
            return TargetBy::Position;
        }
        wanted
    }

    /// What is in the tables and was not met.
    pub(crate) fn never_met(&self) -> Vec<String> {
        let words = WORDS.iter().map(|(_, why)| (*why).to_owned());
        let edge = EDGE.iter().map(|(_, says, why)| format!("{says}: {why}"));
        let mut all: Vec<String> = words.chain(edge).collect();
        all.retain(|what| !self.0.contains_key(what));
        all
    }

    /// Whether a refusal is the edge's own, of what was expected.
    pub(crate) fn is_edge(&mut self, expected: &[String], refused: &str) -> bool {
        let found = EDGE.iter().find(|(begins, says, _)| {
            let is_it = |line: &String| line.starts_with(begins);
            *says == refused && expected.iter().any(is_it)
        });
        if let Some((_, says, why)) = found {
            self.met(format!("{says}: {why}"));
        }
        found.is_some()
    }

    /// A read differs from what is written, as it should.
    pub(crate) fn present(&mut self) {
        self.met("reads show what is due as ended, and a stranger as he would be opened");
    }

    /// Makes an expected line about lots say as little as the API does.
    pub(crate) fn hide_paid(&mut self, expected: &mut String, told: &str) {
        for (place, _) in told.match_indices(PAID_WITH_HELD) {
            let lot = told[..place].rsplit(' ').next().unwrap_or_default();
            let lead = format!("of {lot} (paid ");
            let Some(start) = expected.find(&lead) else {
                continue;
            };
            let start = start + lead.len();
            let Some(end) = expected[start..].find(')') else {
                continue;
            };
            expected.replace_range(start..start + end, "?");
            self.met("ListLots tells what was paid for a lot with what is held of it");
        }
    }

    /// A line that nobody can ask for.
    pub(crate) fn sweep(&mut self) {
        self.met("sweep: no call, the sweeper does it by itself; its events are read by GetEvent");
    }

    /// Takes out of an expected line about an event what the API does not say.
    pub(crate) fn cut(&mut self, line: &mut String) {
        if !line.starts_with("-> ") {
            return;
        }
        for (words, why) in WORDS {
            while let Some(start) = line.find(words) {
                self.met(why);
                let rest = start + words.len();
                // Of words with a value the value goes too.
                let value = if words.ends_with(' ') {
                    line[rest..].find([',', ' ']).unwrap_or(line.len() - rest)
                } else {
                    0
                };
                line.replace_range(start..rest + value, "");
            }
        }
        for (words, _) in MERGED {
            let Some(start) = line.find(words) else {
                continue;
            };
            self.met("what was held and what was free are one list of takes");
            let lead = if line[..start].contains(", taking ") {
                ", "
            } else {
                ", taking "
            };
            line.replace_range(start..start + words.len(), lead);
        }
        // After reserved parts come free ones.
        if let Some(first) = line.find(", taking ") {
            let second = first + 9;
            if let Some(found) = line[second..].find(", taking ") {
                line.replace_range(second + found..second + found + 9, ", ");
            }
        }
    }
}

impl fmt::Display for Unsaid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "the API does not say, or does not let one ask:")?;
        for (what, times) in &self.0 {
            writeln!(formatter, "  {times:4} × {what}")?;
        }
        Ok(())
    }
}
