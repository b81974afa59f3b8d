//! What events show of policy.

use ledger_core::{Payload, event::LevelChange};

/// All that events may show of policy, but for what time alone decides.
pub(crate) const OF_POLICY: [&str; 12] = [
    "paid by a pass",
    "held by a pass",
    "captured by a pass",
    "late by a pass",
    "refund to a pass",
    "counted again",
    "with attributes",
    "given each period",
    "level reached",
    "level lost",
    "badge",
    "badge by staff",
];

/// Those that one event shows.
pub(crate) fn of_policy(payload: &Payload) -> Vec<&'static str> {
    let mut seen = Vec::new();
    let mut see = |name, is_seen: bool| seen.extend(Some(name).filter(|_| is_seen));
    match payload {
        Payload::Credited(credited) => {
            see("given each period", credited.recurring.is_some());
            see("level reached", moved(credited.levels) > 0);
            see("badge", credited.lot.origin.is_some());
        }
        Payload::Adjusted(adjusted) => {
            let lot = adjusted.lot.as_ref();
            see("level reached", moved(adjusted.levels) > 0);
            see("level lost", moved(adjusted.levels) < 0);
            see(
                "badge by staff",
                lot.is_some_and(|lot| lot.origin.is_some()),
            );
        }
        Payload::Debited(debited) => {
            see("paid by a pass", debited.pass.is_some());
            see("with attributes", !debited.attributes.is_empty());
        }
        Payload::HoldPlaced(placed) => see("held by a pass", placed.pass.is_some()),
        Payload::HoldCaptured(captured) => {
            let is_by_pass = captured.pass.is_some();
            see("captured by a pass", is_by_pass && !captured.late);
            see("late by a pass", is_by_pass && captured.late);
            see("counted again", !captured.counted_in.is_empty());
        }
        Payload::Refunded(refunded) => see("refund to a pass", refunded.pass.is_some()),
        _ => {}
    }
    seen
}

fn moved(levels: Option<LevelChange>) -> i64 {
    levels.map_or(0, |levels| {
        i64::from(levels.after) - i64::from(levels.before)
    })
}
