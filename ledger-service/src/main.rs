//! The ledger service's process.

use std::process::ExitCode;

fn main() -> ExitCode {
    ledger_service::cli::main()
}
