//! A running service, as the commands that call it see it.

use std::{collections::BTreeMap, io::Write as _};

use clap::Args;
use thiserror::Error;
use tonic::{
    Status,
    transport::{Channel, Endpoint},
};
use tonic_types::StatusExt as _;

/// Where a running service is.
#[derive(Debug, Args)]
pub(super) struct Server {
    /// Where the service listens.
    #[arg(long, env = "LEDGER_GRPC_ADDR", default_value = "127.0.0.1:50051")]
    addr: String,
}

/// Why a command got no answer from it, or could not show it.
#[derive(Debug, Error)]
pub(super) enum ServerError {
    #[error("`{0}` is not an address")]
    Address(String),
    #[error("{0} cannot be reached; is `ledger-service serve` running?")]
    Unreachable(String, #[source] tonic::transport::Error),
    #[error("{}", describe(.0))]
    Refused(Box<Status>),
    #[error("the answer cannot be printed")]
    Print(#[source] std::io::Error),
}

impl From<Status> for ServerError {
    fn from(status: Status) -> Self {
        Self::Refused(Box::new(status))
    }
}

impl ServerError {
    /// Whoever read the output has what they wanted, and went.
    pub(super) fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Print(error) if error.kind() == std::io::ErrorKind::BrokenPipe)
    }

    /// The command was wrong, not what came of it.
    pub(super) const fn is_usage(&self) -> bool {
        matches!(self, Self::Address(_))
    }
}

impl Server {
    /// A connection to it.
    pub(super) async fn connect(&self) -> Result<Channel, ServerError> {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.addr))
            .map_err(|_error| ServerError::Address(self.addr.clone()))?;
        endpoint
            .connect()
            .await
            .map_err(|error| self.unreachable(error))
    }

    /// It went away.
    pub(super) fn unreachable(&self, error: tonic::transport::Error) -> ServerError {
        ServerError::Unreachable(self.addr.clone(), error)
    }
}

/// Writes an answer to the standard output.
pub(super) fn print(bytes: &[u8]) -> Result<(), ServerError> {
    let mut output = std::io::stdout().lock();
    output
        .write_all(bytes)
        .and_then(|()| output.flush())
        .map_err(ServerError::Print)
}

/// What a status says, with its details.
fn describe(status: &Status) -> String {
    let mut text = format!("{:?}: {}", status.code(), status.message());
    let details = status.get_error_details();
    if let Some(info) = details.error_info() {
        text.push_str(&format!("\n  reason: {}", info.reason));
        // In an order, so that the same error reads the same.
        for (key, value) in info.metadata.iter().collect::<BTreeMap<_, _>>() {
            text.push_str(&format!("\n  {key}: {value}"));
        }
    }
    if let Some(request) = details.bad_request() {
        for violation in &request.field_violations {
            text.push_str(&format!(
                "\n  {}: {}",
                violation.field, violation.description
            ));
        }
    }
    text
}
