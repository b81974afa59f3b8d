//! Health over HTTP: `/healthz` (the process runs) and `/readyz` (it can do its
//! work).

use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::background::Readiness;

#[derive(Serialize)]
struct Health {
    status: &'static str,
    database: &'static str,
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
    if readiness.is_ready() {
        (
            StatusCode::OK,
            Json(Health {
                status: "ready",
                database: "ok",
            }),
        )
    } else {
        let health = Health {
            status: "not ready",
            database: "not reachable",
        };
        (StatusCode::SERVICE_UNAVAILABLE, Json(health))
    }
}
