//! The chain: how events become bytes and hashes, and how read ones are
//! checked.

use std::sync::Arc;

use ledger_core::{Event, RequestId, command::encode, event::Annotations};
use sha2::{Digest as _, Sha256};

use super::Recorded;
use crate::store::{Hash, Head, StoredEvent};

/// The hash of an event: SHA-256(0x00 ‖ previous hash in the log ‖ body). It is
/// the RFC 6962 leaf hash of the leaf data `previous hash ‖ body`.
#[must_use]
pub fn event_hash(previous: &Hash, body: &[u8]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([0]);
    hasher.update(previous);
    hasher.update(body);
    hasher.finalize().into()
}

/// The hash of a canonical request: the encoded command and annotations.
#[must_use]
pub fn request_hash(command: &[u8], annotations: &Annotations) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(command);
    hasher.update(encode(annotations));
    hasher.finalize().into()
}

/// The hash of an atomic batch call: of its items' accounts, ids and hashes.
pub(super) fn call_hash<'a>(items: impl Iterator<Item = (&'a str, RequestId, Hash)>) -> Hash {
    let mut hasher = Sha256::new();
    for (account, id, hash) in items {
        hasher.update(account.as_bytes());
        hasher.update([0]);
        hasher.update(id.0);
        hasher.update(hash);
    }
    hasher.finalize().into()
}

/// What is wrong with events that were read.
#[derive(Debug)]
pub(super) enum ChainError {
    /// They do not follow the head that the reader knew: the log is another.
    Forked,
    /// They cannot be read.
    Damaged(String),
}

/// Decodes stored events that follow `head`, checks that they do, and moves
/// `head` to the last of them.
pub(super) fn follow(
    head: &mut Head,
    stored: Vec<StoredEvent>,
) -> Result<Vec<Arc<Recorded>>, ChainError> {
    let mut events = Vec::with_capacity(stored.len());
    for row in stored {
        let expected = event_hash(&head.hash, &row.body);
        if row.position != head.position.saturating_add(1) || row.hash != expected {
            return Err(ChainError::Forked);
        }
        let recorded = decode(&row).map_err(ChainError::Damaged)?;
        *head = Head {
            position: row.position,
            hash: row.hash,
            recorded_at: recorded.event.recorded_at,
        };
        events.push(Arc::new(recorded));
    }
    Ok(events)
}

/// Decodes one stored event.
///
/// # Errors
/// What is wrong with it, for the log.
pub fn decode(row: &StoredEvent) -> Result<Recorded, String> {
    let event = Event::decode(&row.body)
        .map_err(|error| format!("event {} cannot be read: {error}", row.position))?;
    if event.position != row.position {
        return Err(format!(
            "event {} says that it is {}",
            row.position, event.position
        ));
    }
    Ok(Recorded {
        event,
        hash: row.hash,
    })
}
