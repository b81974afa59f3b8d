//! The ledger service's process.

use std::process::ExitCode;

/// A charge is some hundred small allocations, many of them freed by another
/// thread than made them: see docs/performance.md.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    ledger_service::cli::main()
}
