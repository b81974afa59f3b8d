//! `POST /yookassa/webhook`.

use axum::{
    extract::{Request, State},
    http::StatusCode,
};

use super::{Doors, intake::Refused, malformed, sha256};
use crate::{
    inbox::{Arrival, Door, Fate},
    yookassa::notification::Notification,
};

/// Takes a notification in. YooKassa counts nothing but 200 as delivered.
pub(super) async fn receive(
    State(doors): State<Doors>,
    request: Request,
) -> Result<StatusCode, Refused> {
    let (parts, body) = request.into_parts();
    doors
        .take_in(Door::Yookassa, &parts.headers, body, arrival)
        .await
        .map(|_| StatusCode::OK)
}

fn arrival(body: Vec<u8>, now_ms: i64) -> Arrival {
    match Notification::parse(&body) {
        Err(reason) => malformed(Door::Yookassa, &reason, body),
        Ok(notification) => Arrival {
            door: Door::Yookassa,
            source_key: notification.source_key(),
            // Anybody can send one: a forged body must not push the real one
            // out as a duplicate.
            content_key: sha256(&body),
            ordering_key: format!("payment:{}", notification.payment_id),
            body,
            fate: Fate::Wait {
                not_before_ms: now_ms,
            },
        },
    }
}
