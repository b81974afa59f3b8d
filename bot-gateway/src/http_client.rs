//! How the gateway calls other services over HTTP: bounded in time and size,
//! and never following a redirect, which could carry a secret elsewhere.

use std::time::Duration;

use thiserror::Error;
use url::Url;

use crate::limits;

/// Why an answer couldn't be read.
#[derive(Debug, Error)]
pub enum Error {
    /// No answer, or not in time. The URL is left out, since it may hold a
    /// secret.
    #[error("no answer")]
    Transport(#[source] reqwest::Error),
    /// More than [`limits::ANSWER_BYTES_MAX`].
    #[error("the answer is too large")]
    TooLarge,
}

impl From<reqwest::Error> for Error {
    fn from(error: reqwest::Error) -> Self {
        Self::Transport(error.without_url())
    }
}

impl Error {
    /// The kind of failure in a few words, safe for logs.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::TooLarge => "answer too large",
            Self::Transport(error) if error.is_timeout() => "timeout",
            Self::Transport(error) if error.is_connect() => "connection failed",
            Self::Transport(_) => "connection broken",
        }
    }
}

/// A client for the service at `base`.
///
/// # Errors
/// If TLS can't be set up on this machine.
pub fn build(base: &Url, timeout: Duration) -> Result<reqwest::Client, reqwest::Error> {
    // It may be installed already, by another client; that is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder()
        .connect_timeout(limits::CONNECT_TIMEOUT.min(timeout))
        .timeout(timeout)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("bot-gateway/", env!("CARGO_PKG_VERSION")));
    // A proxy of the environment is for the outside: it can't reach loopback.
    let builder = if is_loopback(base) {
        builder.no_proxy()
    } else {
        builder
    };
    builder.build()
}

/// The whole body of an answer, if it isn't too large.
///
/// # Errors
/// If it is, or if the connection breaks.
pub async fn read(mut response: reqwest::Response) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > limits::ANSWER_BYTES_MAX {
            return Err(Error::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn is_loopback(base: &Url) -> bool {
    match base.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}
