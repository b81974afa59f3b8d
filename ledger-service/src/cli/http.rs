//! Health over HTTP: `/healthz` (the process runs) and `/readyz` (it can do its
//! work).

use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::background::{Condition, Readiness};

#[derive(Serialize)]
struct Health {
    status: &'static str,
    /// Why it is not ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'static str>,
}

/// Serves until `shutdown`.
pub(super) async fn serve(
    listener: TcpListener,
    readiness: Readiness,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    let routes = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .with_state(readiness);
    axum::serve(listener, routes)
        .with_graceful_shutdown(shutdown.cancelled_owned())
        .await
}

async fn ready(State(readiness): State<Readiness>) -> (StatusCode, Json<Health>) {
    match readiness.condition() {
        Condition::Ready => {
            let health = Health {
                status: "ready",
                cause: None,
            };
            (StatusCode::OK, Json(health))
        }
        condition => {
            let health = Health {
                status: "not ready",
                cause: Some(condition.as_str()),
            };
            (StatusCode::SERVICE_UNAVAILABLE, Json(health))
        }
    }
}
