//! Catalogs of a running service: applied, shown, compared.

use std::{collections::BTreeMap, process::ExitCode};

use ledger_core::catalog::Parsed;
use ledger_proto::v1::{
    ApplyCatalogRequest, Catalog, GetCatalogRequest, catalog_service_client::CatalogServiceClient,
};
use similar::TextDiff;
use tonic::{Code, Request, Status, transport::Channel};
use tonic_types::StatusExt as _;

use super::{
    catalog::request_id,
    fail,
    server::{Server, ServerError, print},
};

/// Lines shown around each difference.
const CONTEXT_LINES: usize = 3;

type Client = CatalogServiceClient<Channel>;

async fn connect(server: &Server) -> Result<Client, ServerError> {
    Ok(Client::new(server.connect().await?))
}

/// The catalog of a version; nothing if the book does not exist.
async fn catalog(
    client: &mut Client,
    book: &str,
    catalog_version: i64,
) -> Result<Option<Catalog>, ServerError> {
    let request = GetCatalogRequest {
        book: format!("books/{book}"),
        catalog_version,
    };
    match client.get_catalog(request).await {
        Ok(answer) => Ok(answer.into_inner().catalog),
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
    finish(try_apply(server, text, parsed).await, 1)
}

async fn try_apply(server: &Server, text: String, parsed: Parsed) -> Result<(), ServerError> {
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
    finish(try_show(server, book, catalog_version).await, 1)
}

async fn try_show(server: &Server, book: &str, catalog_version: i64) -> Result<(), ServerError> {
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
    print(text.as_bytes())
}

/// Prints how a file differs from what is in force.
pub(super) async fn diff(server: &Server, text: &str, parsed: &Parsed) -> ExitCode {
    match try_diff(server, text, parsed).await {
        Ok(false) => ExitCode::SUCCESS,
        Ok(true) => ExitCode::FAILURE,
        // As of diff(1): 1 is an answer.
        Err(error) => finish(Err(error), 2),
    }
}

async fn try_diff(server: &Server, text: &str, parsed: &Parsed) -> Result<bool, ServerError> {
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
    print(shown.as_bytes())?;
    Ok(old != new)
}

/// The values that the environment replaced, as comments.
fn values(overrides: &BTreeMap<String, String>) -> String {
    let line = |(variable, value): (&String, &String)| {
        format!("# {variable} = {value} (from the environment)\n")
    };
    overrides.iter().map(line).collect()
}

fn finish(result: Result<(), ServerError>, failure: u8) -> ExitCode {
    match result {
        Err(error) if !error.is_closed_pipe() => fail(&error, failure),
        _ => ExitCode::SUCCESS,
    }
}
