//! HTTP calls of the tests.

use std::{sync::OnceLock, time::Duration};

/// A call that takes longer is a failure of the test.
const CALL_DEADLINE: Duration = Duration::from_secs(30);

/// The client that all tests of a process share.
///
/// # Panics
/// If it can't be made.
#[must_use]
pub fn client() -> &'static reqwest::Client {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    CLIENT.get_or_init(|| {
        // Calls are plain HTTP on loopback; the client wants a provider for TLS
        // all the same. If there is one already, that one will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        reqwest::Client::builder()
            .no_proxy()
            .timeout(CALL_DEADLINE)
            // A test's runtime ends with it, and its connections too.
            .pool_max_idle_per_host(0)
            .build()
            .expect("a client can be made")
    })
}

/// Posts a JSON body, byte by byte as given, and returns status and answer.
///
/// # Panics
/// If there is no answer.
pub async fn post(url: &str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> (u16, String) {
    let mut request = client()
        .post(url)
        .header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    answer(request.body(body.into())).await
}

/// Gets a URL and returns status and answer.
///
/// # Panics
/// If there is no answer.
pub async fn get(url: &str) -> (u16, String) {
    answer(client().get(url)).await
}

async fn answer(request: reqwest::RequestBuilder) -> (u16, String) {
    let response = request
        .send()
        .await
        .unwrap_or_else(|error| panic!("no answer: {error:?}"));
    let status = response.status().as_u16();
    let body = response
        .text()
        .await
        .unwrap_or_else(|error| panic!("no whole answer: {error:?}"));
    (status, body)
}
