//! Catalogs of a running service: applied, shown, compared.

use std::{collections::BTreeMap, io::Write as _, process::ExitCode};

use clap::Args;
use ledger_core::catalog::Parsed;
use ledger_proto::v1::{
    ApplyCatalogRequest, Catalog, GetCatalogRequest, catalog_service_client::CatalogServiceClient,
};
use similar::TextDiff;
use thiserror::Error;
use tonic::{
    Code, Request, Status,
    transport::{Channel, Endpoint},
};
use tonic_types::StatusExt as _;

use super::{call::describe, catalog::request_id, fail};

/// Lines shown around each difference.
const CONTEXT_LINES: usize = 3;

/// The running service.
#[derive(Debug, Args)]
pub(super) struct Server {
    /// Where the service listens.
    #[arg(long, env = "LEDGER_GRPC_ADDR", default_value = "127.0.0.1:50051")]
    addr: String,
}

#[derive(Debug, Error)]
enum RemoteError {
    #[error("`{0}` is not an address")]
    Address(String),
    #[error("{0} cannot be reached; is `ledger-service serve` running?")]
    Unreachable(String, #[source] tonic::transport::Error),
    #[error("{}", describe(.0))]
    Refused(Box<Status>),
    #[error("the answer has no catalog in it")]
    Empty,
    #[error("the answer cannot be printed")]
    Print(#[source] std::io::Error),
}

impl From<Status> for RemoteError {
    fn from(status: Status) -> Self {
        Self::Refused(Box::new(status))
    }
}

type Client = CatalogServiceClient<Channel>;

async fn connect(server: &Server) -> Result<Client, RemoteError> {
    let endpoint = Endpoint::from_shared(format!("http://{}", server.addr))
        .map_err(|_error| RemoteError::Address(server.addr.clone()))?;
    let channel = endpoint
        .connect()
        .await
        .map_err(|error| RemoteError::Unreachable(server.addr.clone(), error))?;
    Ok(Client::new(channel))
}

/// The catalog of a version; nothing if the book does not exist.
async fn catalog(
    client: &mut Client,
    book: &str,
    catalog_version: i64,
) -> Result<Option<Catalog>, RemoteError> {
    let request = GetCatalogRequest {
        book: format!("books/{book}"),
        catalog_version,
    };
    match client.get_catalog(request).await {
        Ok(answer) => answer
            .into_inner()
            .catalog
            .map(Some)
            .ok_or(RemoteError::Empty),
        Err(status) if is_unknown_book(&status) => Ok(None),
        Err(status) => Err(status.into()),
    }
}

fn is_unknown_book(status: &Status) -> bool {
    let details = status.get_error_details();
    let reason = details.error_info().map(|info| info.reason.as_str());
    status.code() == Code::NotFound && reason == Some("BOOK_NOT_FOUND")
}

/// Brings a checked catalog into force, unless it is.
pub(super) async fn apply(server: &Server, text: String, parsed: Parsed) -> ExitCode {
    finish(try_apply(server, text, parsed).await)
}

async fn try_apply(server: &Server, text: String, parsed: Parsed) -> Result<(), RemoteError> {
    let mut client = connect(server).await?;
    let book = parsed.catalog.book;
    let in_force = catalog(&mut client, &book, 0).await?.unwrap_or_default();
    let version = in_force.catalog_version;
    if version > 0 && in_force.text == text && in_force.overrides == parsed.overrides {
        eprintln!("book `{book}`: this catalog is in force already, as version {version}");
        return Ok(());
    }
    let before = u64::try_from(version).unwrap_or(0);
    let request_id = request_id(before, &text, &parsed.overrides).to_string();
    let mut request = Request::new(ApplyCatalogRequest {
        book: format!("books/{book}"),
        request_id,
        text,
        overrides: parsed.overrides,
        // Whatever somebody else applies meanwhile is not overwritten unseen.
        expected_version: version,
        ..ApplyCatalogRequest::default()
    });
    let origin = tonic::metadata::MetadataValue::from_static("operator");
    request.metadata_mut().insert("x-ledger-origin", origin);
    let applied = client.apply_catalog(request).await?.into_inner();
    eprintln!(
        "book `{book}`: version {} is in force, after {version}",
        applied.catalog_version
    );
    Ok(())
}

/// Prints a catalog as it was applied, under what is not in its text.
pub(super) async fn show(server: &Server, book: &str, catalog_version: i64) -> ExitCode {
    finish(try_show(server, book, catalog_version).await)
}

async fn try_show(server: &Server, book: &str, catalog_version: i64) -> Result<(), RemoteError> {
    let mut client = connect(server).await?;
    let Some(shown) = catalog(&mut client, book, catalog_version).await? else {
        eprintln!("there is no book `{book}`");
        return Ok(());
    };
    let applied = shown.apply_time.map(|time| time.to_string());
    let mut text = format!(
        "# {}, version {}, in force since {} by {}\n",
        shown.book,
        shown.catalog_version,
        applied.unwrap_or_default(),
        shown.event
    );
    text.push_str(&values(&shown.overrides));
    text.push('\n');
    text.push_str(&shown.text);
    print(&text)
}

/// Prints how a file differs from what is in force.
pub(super) async fn diff(server: &Server, text: &str, parsed: &Parsed) -> ExitCode {
    match try_diff(server, text, parsed).await {
        Ok(false) => ExitCode::SUCCESS,
        Ok(true) => ExitCode::FAILURE,
        Err(error) => finish(Err(error)),
    }
}

async fn try_diff(server: &Server, text: &str, parsed: &Parsed) -> Result<bool, RemoteError> {
    let mut client = connect(server).await?;
    let book = &parsed.catalog.book;
    let in_force = catalog(&mut client, book, 0).await?.unwrap_or_default();
    // The environment's values stand before the text, so that they are compared
    // as well.
    let old = values(&in_force.overrides) + &in_force.text;
    let new = values(&parsed.overrides) + text;
    let difference = TextDiff::from_lines(&old, &new);
    let shown = difference
        .unified_diff()
        .context_radius(CONTEXT_LINES)
        .header(
            &format!("{book}, version {}", in_force.catalog_version),
            "the file",
        )
        .to_string();
    print(&shown)?;
    Ok(old != new)
}

/// The values that the environment replaced, as comments.
fn values(overrides: &BTreeMap<String, String>) -> String {
    let line = |(variable, value): (&String, &String)| {
        format!("# {variable} = {value} (from the environment)\n")
    };
    overrides.iter().map(line).collect()
}

fn print(text: &str) -> Result<(), RemoteError> {
    let mut output = std::io::stdout().lock();
    output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush())
        .map_err(RemoteError::Print)
}

fn finish(result: Result<(), RemoteError>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read the output has what they wanted.
        Err(RemoteError::Print(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(error) => fail(&error, 1),
    }
}
