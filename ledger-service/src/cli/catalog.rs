//! Catalog files: read and checked, brought into force at the start, and what
//! the command line does with them.

use std::{collections::BTreeMap, path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand};
use ledger_core::{
    Command, Rejection, Request, RequestId,
    catalog::{Parsed, parse},
    command::ApplyCatalog,
    event::{Annotations, HOUSE},
};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::{EXIT_USAGE, catalog_remote as remote, config::environment, server::Server};
use crate::{
    engine::{Call, CallOptions, Engine, EngineError},
    projections::{ReadError, held_asset},
    store::StoreError,
};

/// What to do with a catalog.
#[derive(Debug, Args)]
#[command(
    after_help = "A catalog is checked before it is applied, and what would change is shown \
                        by `diff`:\n  ledger-service catalog check my-bot.toml\n  \
                        ledger-service catalog diff my-bot.toml\n  \
                        ledger-service catalog apply my-bot.toml"
)]
pub(super) struct CatalogArgs {
    #[command(subcommand)]
    command: CatalogCommand,
}

#[derive(Debug, Subcommand)]
enum CatalogCommand {
    /// Check a file: all errors at once, with their lines. The environment's
    /// values are applied.
    Check {
        /// The catalog (TOML).
        file: PathBuf,
    },
    /// Bring a file into force in the running service, with the environment's
    /// values.
    Apply {
        /// The catalog (TOML).
        file: PathBuf,
        #[command(flatten)]
        server: Server,
    },
    /// Show the catalog in force, or an earlier one.
    Show {
        /// The book.
        book: String,
        /// Its number within the book; the one in force if not given.
        #[arg(long, default_value_t = 0, hide_default_value = true)]
        catalog_version: i64,
        #[command(flatten)]
        server: Server,
    },
    /// Show how a file differs from the catalog in force. Exits with 1 if it
    /// does, with 2 if that could not be found out.
    Diff {
        /// The catalog (TOML).
        file: PathBuf,
        #[command(flatten)]
        server: Server,
    },
}

/// Why a catalog cannot be brought into force.
#[derive(Debug, Error)]
pub(super) enum ApplyError {
    #[error("{}: cannot be read", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{}:\n{problems}", path.display())]
    Invalid { path: PathBuf, problems: String },
    #[error("the book cannot be made")]
    Store(#[from] StoreError),
    #[error("the catalog cannot be applied")]
    Engine(#[from] EngineError),
    #[error("the accounts cannot be looked through")]
    Read(#[from] ReadError),
    #[error("the catalog is refused: {0}")]
    Refused(String),
}

pub(super) async fn run(args: CatalogArgs) -> ExitCode {
    match args.command {
        CatalogCommand::Check { file } => match read(file.clone(), &environment()) {
            Ok((_, parsed)) => {
                describe(&file, &parsed);
                ExitCode::SUCCESS
            }
            Err(error) => super::fail(&error, EXIT_USAGE),
        },
        CatalogCommand::Apply { file, server } => match read(file, &environment()) {
            Ok((text, parsed)) => remote::apply(&server, text, parsed).await,
            Err(error) => super::fail(&error, EXIT_USAGE),
        },
        CatalogCommand::Show {
            book,
            catalog_version,
            server,
        } => remote::show(&server, &book, catalog_version).await,
        CatalogCommand::Diff { file, server } => match read(file, &environment()) {
            Ok((text, parsed)) => remote::diff(&server, &text, &parsed).await,
            Err(error) => super::fail(&error, EXIT_USAGE),
        },
    }
}

/// Says what a catalog has.
fn describe(file: &std::path::Path, parsed: &Parsed) {
    let catalog = &parsed.catalog;
    let counted = [
        (catalog.assets.len(), "assets"),
        (catalog.operations.len(), "operations"),
        (catalog.packages.len(), "packages"),
        (catalog.limits.len(), "limits"),
    ];
    let parts: Vec<String> = counted
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    eprintln!(
        "{}: a catalog of book `{}` with {}",
        file.display(),
        catalog.book,
        parts.join(", ")
    );
    for (variable, value) in &parsed.overrides {
        eprintln!("  {variable} = {value} (from the environment)");
    }
}

/// Reads and checks a catalog file.
fn read(
    path: PathBuf,
    environment: &BTreeMap<String, String>,
) -> Result<(String, Parsed), ApplyError> {
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(source) => return Err(ApplyError::Unreadable { path, source }),
    };
    match parse(&text, environment) {
        Ok(parsed) => Ok((text, parsed)),
        Err(problems) => Err(ApplyError::Invalid {
            path,
            problems: problems.to_string(),
        }),
    }
}

/// Brings a catalog file into force, unless it is; makes its book if there is
/// none. Answers the book.
pub(super) async fn apply_file(
    engine: &Engine,
    path: PathBuf,
    environment: &BTreeMap<String, String>,
) -> Result<String, ApplyError> {
    let (text, parsed) = read(path, environment)?;
    let book = parsed.catalog.book.clone();
    engine.store().create_book(&book).await?;
    let in_force = engine.read(&book, Vec::new(), None).await?.catalog;
    if in_force.version > 0 && in_force.text == text && in_force.overrides == parsed.overrides {
        tracing::info!(
            book,
            catalog_version = in_force.version,
            "the catalog is in force"
        );
        return Ok(book);
    }
    if let Some(held) = held_asset(engine, &book, &parsed.catalog, None).await? {
        let (asset, account) = (held.asset, (&held.account).into());
        let rejection = Rejection::AssetInUse { asset, account };
        return Err(ApplyError::Refused(rejection.to_string()));
    }
    let version = in_force.version;
    let request = Request {
        account: HOUSE.into(),
        request_id: Some(request_id(version, &text, &parsed.overrides)),
        origin: "operator".into(),
        annotations: Annotations::default(),
        expires_at: None,
        command: Command::ApplyCatalog(ApplyCatalog {
            text,
            overrides: parsed.overrides,
            // As `catalog apply` says it, so that both are one request.
            expected_version: (version > 0).then_some(version),
        }),
    };
    let call = Call {
        requests: vec![request],
        options: CallOptions::default(),
    };
    for result in engine.call(&book, call).await? {
        result.map_err(|rejection| ApplyError::Refused(rejection.to_string()))?;
    }
    tracing::info!(book, "a new catalog is in force");
    Ok(book)
}

/// The same for two instances that start at once with the same catalog, and
/// another one for each change of it.
pub(super) fn request_id(
    version_before: u64,
    text: &str,
    overrides: &BTreeMap<String, String>,
) -> RequestId {
    let mut hasher = Sha256::new();
    hasher.update(version_before.to_be_bytes());
    hasher.update(text);
    for (variable, value) in overrides {
        hasher.update([0]);
        hasher.update(variable);
        hasher.update([0]);
        hasher.update(value);
    }
    let digest: [u8; 32] = hasher.finalize().into();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    RequestId(
        uuid::Builder::from_custom_bytes(bytes)
            .into_uuid()
            .into_bytes(),
    )
}
