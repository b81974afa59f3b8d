//! What an operator or a load balancer asks.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde_json::json;
use tokio::time::timeout;

use super::Doors;
use crate::limits;

const ABOUT: &str = "\
bot-gateway: turns Telegram updates and YooKassa notifications into ledger calls.

POST /telegram/{bot}      updates, with the webhook's secret
POST /yookassa/webhook    notifications
GET  /healthz             the process is alive
GET  /readyz              the database and the ledger answer
";

pub(super) async fn about() -> &'static str {
    ABOUT
}

pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// 503 names what doesn't answer. Without the ledger the doors still take
/// bodies in; they are handled when it is back.
pub(super) async fn ready(State(doors): State<Doors>) -> Response {
    let (database, ledger) = tokio::join!(
        timeout(limits::PROBE_TIMEOUT, doors.inbox.ping()),
        timeout(limits::PROBE_TIMEOUT, doors.ledger.is_reachable()),
    );
    let database = matches!(database, Ok(Ok(())));
    let ledger = ledger.unwrap_or(false);
    let ready = database && ledger;
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let word = |answers| if answers { "ok" } else { "unreachable" };
    let body = json!({ "ready": ready, "database": word(database), "ledger": word(ledger) });
    (status, Json(body)).into_response()
}
