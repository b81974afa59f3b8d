//! Logs go to standard error; standard output is for the ready line.

use std::io::IsTerminal as _;

use tracing::{Metadata, subscriber::SetGlobalDefaultError};
use tracing_subscriber::{
    EnvFilter, Layer as _,
    filter::{FilterExt as _, filter_fn},
    layer::SubscriberExt as _,
    registry,
};

use crate::config::LogFormat;

/// Libraries whose debug lines may show URLs (the bot's token is part of one),
/// headers or bodies. They may warn, whatever the filter says.
const WIRE_TARGETS: [&str; 7] = ["hyper", "reqwest", "h2", "rustls", "tonic", "tower", "sqlx"];

/// Installs the process's log.
///
/// # Errors
/// If one is installed already.
pub fn init(filter: EnvFilter, format: LogFormat) -> Result<(), SetGlobalDefaultError> {
    let filter = filter.and(filter_fn(shows_no_wire));
    // Colours are for a person's eyes: in a file they are noise.
    let is_terminal = std::io::stderr().is_terminal();
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(is_terminal);
    let layer = match format {
        LogFormat::Text => layer.boxed(),
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
    };
    tracing::subscriber::set_global_default(registry().with(layer.with_filter(filter)))
}

fn shows_no_wire(metadata: &Metadata<'_>) -> bool {
    let is_wire = WIRE_TARGETS
        .iter()
        .any(|target| metadata.target().starts_with(target));
    !is_wire || *metadata.level() <= tracing::Level::WARN
}
