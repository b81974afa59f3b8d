//! How often what was asked and answered, so that a test can say that all of it
//! was.

use std::{collections::BTreeMap, fmt};

use ledger_core::Command;

/// How often what was seen.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) commands: BTreeMap<&'static str, u64>,
    pub(crate) reasons: BTreeMap<&'static str, u64>,
    pub(crate) answers: BTreeMap<&'static str, u64>,
}

impl Counts {
    pub(crate) fn total(&self) -> u64 {
        self.commands.values().sum()
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "commands {:?}", self.commands)?;
        writeln!(f, "reasons {:?}", self.reasons)?;
        write!(f, "answers {:?}", self.answers)
    }
}

/// The name of a command.
pub(crate) const fn name_of(command: &Command) -> &'static str {
    match command {
        Command::OpenAccount(_) => "OpenAccount",
        Command::CloseAccount(_) => "CloseAccount",
        Command::BlockAccount(_) => "BlockAccount",
        Command::UnblockAccount(_) => "UnblockAccount",
        Command::Credit(_) => "Credit",
        Command::Charge(_) => "Charge",
        Command::PlaceHold(_) => "PlaceHold",
        Command::ExtendHold(_) => "ExtendHold",
        Command::CaptureHold(_) => "CaptureHold",
        Command::ReleaseHold(_) => "ReleaseHold",
        Command::Refund(_) => "Refund",
        Command::Transfer(_) => "Transfer",
        Command::Adjust(_) => "Adjust",
        Command::RecordPayment(_) => "RecordPayment",
        Command::ApplyCatalog(_) => "ApplyCatalog",
        Command::Sweep(_) => "Sweep",
    }
}

/// All of them.
pub(crate) const COMMANDS: [&str; 16] = [
    "OpenAccount",
    "CloseAccount",
    "BlockAccount",
    "UnblockAccount",
    "Credit",
    "Charge",
    "PlaceHold",
    "ExtendHold",
    "CaptureHold",
    "ReleaseHold",
    "Refund",
    "Transfer",
    "Adjust",
    "RecordPayment",
    "ApplyCatalog",
    "Sweep",
];
