//! The command line: one sub-command a role.

mod call;
mod catalog;
mod catalog_remote;
mod config;
mod derive;
mod http;
mod rebuild;
mod scan;
mod serve;
mod server;
mod verify;

use std::{num::NonZeroUsize, process::ExitCode};

use clap::{Parser, Subcommand};

pub use config::Settings;

/// The exit code of wrong usage or configuration (`EX_USAGE` of sysexits.h).
const EXIT_USAGE: u8 = 64;

/// The prepaid billing ledger.
#[derive(Debug, Parser)]
#[command(
    name = "ledger-service",
    version,
    about,
    after_help = "Start with:\n  ledger-service serve --catalog ledger-service/catalogs/media-lab.toml\n\
                  then, in another terminal:\n  ledger-service call LedgerService/Charge \
                  '{\"account\": \"books/media-lab/accounts/tg:1\", \"requestId\": \"<a UUID>\", \"operation\": \"generate\"}'"
)]
struct Cli {
    #[command(subcommand)]
    command: CliCommand,
}

#[derive(Debug, Subcommand)]
enum CliCommand {
    /// Serve the gRPC API.
    Serve(config::ServeArgs),
    /// Re-read everything and compare: chain, states, requests, indexes.
    ///
    /// Prints what is wrong and where, and exits with 1 if anything is. Reads
    /// only; the service may be running.
    Verify(config::DatabaseArgs),
    /// Make everything but the events anew from them: requests, ids of
    /// providers, states, the index.
    ///
    /// No service may be running on the database; it is refused if one is.
    Rebuild(config::DatabaseArgs),
    /// Check, apply, show and compare catalogs: what is sold, for what.
    Catalog(catalog::CatalogArgs),
    /// Call a running service: JSON in, JSON out.
    Call(call::CallArgs),
}

/// Runs the command line.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let (runtime, writers) = match (
        runtime("ledger", cores()),
        runtime("ledger-writer", writers()),
    ) {
        (Ok(runtime), Ok(writers)) => (runtime, writers),
        (Err(error), _) | (_, Err(error)) => return fail(&error, 1),
    };
    runtime.block_on(async {
        match cli.command {
            CliCommand::Serve(args) => serve::run(args, writers.handle().clone()).await,
            CliCommand::Verify(args) => verify::run(args).await,
            CliCommand::Rebuild(args) => rebuild::run(args).await,
            CliCommand::Catalog(args) => catalog::run(args).await,
            CliCommand::Call(args) => call::run(args).await,
        }
    })
}

/// Starts a runtime; its threads begin when there is work.
fn runtime(name: &str, threads: usize) -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .thread_name(name)
        .worker_threads(threads)
        .enable_all()
        .build()
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// How many threads writers share: two at least, because a writer decides while
/// its append runs.
fn writers() -> usize {
    cores().max(2)
}

/// Prints an error with its causes, and gives the code to exit with.
fn fail(error: &dyn std::error::Error, code: u8) -> ExitCode {
    eprintln!("ledger-service: {}", chain(error));
    ExitCode::from(code)
}

/// An error and its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
