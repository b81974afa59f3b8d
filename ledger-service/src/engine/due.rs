//! When the sweeper has to look at an account again.

use ledger_core::Timestamp;

/// The `due_at` to store: not later than what is due next, and changed as
/// seldom as that allows, because it is indexed. An old one that is earlier
/// only makes the sweeper look once in vain.
pub(super) fn due_bound(
    stored: Option<Timestamp>,
    next: Option<Timestamp>,
    now: Timestamp,
) -> Option<Timestamp> {
    match (stored, next) {
        (Some(stored), Some(next)) if stored <= next && stored > now => Some(stored),
        (Some(stored), None) if stored > now => Some(stored),
        (_, next) => next,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_due_bound_is_never_late_and_seldom_moves() {
        let t = |us| Some(Timestamp(us));
        let now = Timestamp(100);
        let table = [
            (None, None, None),
            (None, t(200), t(200)),
            // An earlier bound stays, a later one does not.
            (t(150), t(200), t(150)),
            (t(250), t(200), t(200)),
            // Nothing is due any more: the sweeper will find that out.
            (t(150), None, t(150)),
            // A bound that has passed is made anew.
            (t(100), t(200), t(200)),
            (t(50), None, None),
        ];
        for (stored, next, expected) in table {
            assert_eq!(
                due_bound(stored, next, now),
                expected,
                "{stored:?} {next:?}"
            );
        }
    }
}
