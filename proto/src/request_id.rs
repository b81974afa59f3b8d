//! Request ids that a caller can make again after a crash.
//!
//! `request_id` is what makes a retry harmless, so it must be the same on each
//! attempt: make it where the intent is stored, not where the call is made.

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// Derives a time-ordered UUIDv8 (RFC 9562, section 5.8) from what the caller
/// stores anyway: `kind` names the step (`charge`, `capture`, `refund` …),
/// `own_id` is the caller's own id of the thing, `created_at_ms` the Unix time
/// in milliseconds at which the caller stored it.
///
/// The first 48 bits are the time, so that ids made together are stored
/// together; the rest is the start of SHA-256(`kind` ‖ 0x00 ‖ `own_id`), less the version
/// and variant bits. The Python example derives the same ids.
#[must_use]
pub fn derive(kind: &str, own_id: &str, created_at_ms: u64) -> Uuid {
    let mut hash = Sha256::new();
    hash.update(kind.as_bytes());
    hash.update([0]);
    hash.update(own_id.as_bytes());
    let digest = hash.finalize();
    let mut bytes = [0_u8; 16];
    bytes[..6].copy_from_slice(&created_at_ms.to_be_bytes()[2..]);
    bytes[6..].copy_from_slice(&digest[..10]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::derive;

    #[test]
    fn is_repeatable_and_ordered_by_time() {
        let first = derive("charge", "task-77", 1_795_166_100_000);
        assert_eq!(first, derive("charge", "task-77", 1_795_166_100_000));
        assert_eq!(first.get_version_num(), 8);
        assert_eq!(first.to_string(), "01a1f83c-da20-8abe-b903-b8af8299af90");
        assert!(first < derive("charge", "task-76", 1_795_166_100_001));
        assert_ne!(first, derive("refund", "task-77", 1_795_166_100_000));
    }

    #[test]
    fn kind_and_id_do_not_run_together() {
        assert_ne!(derive("a", "bc", 0), derive("ab", "c", 0));
    }
}
