//! What the catalog's policy adds to events.

use ledger_core::{
    Payload,
    account::Lot,
    event::{
        Credited, Debited, HoldCaptured, HoldPlaced, LevelChange, PaidWith, RecurringPeriod,
        WindowUse,
    },
};

use super::{LATER, driver, full_lot};

/// Each with its name.
pub(crate) fn events() -> [(&'static str, Payload); 4] {
    let attributes = || [("model".into(), "dall-e-3".into())].into();
    let counted_in = || {
        vec![WindowUse {
            limit: "hourly".into(),
            window_us: driver::HOUR,
            returns: true,
        }]
    };
    let pass = Debited {
        operation: Some("draw".into()),
        quantity: 2,
        asset: "UNLIMITED".into(),
        paid_with: PaidWith::Pass,
        attributes: attributes(),
        pass: Some(300),
        counted_in: counted_in(),
        ..Debited::default()
    };
    let placed = HoldPlaced {
        quantity: 1,
        asset: "UNLIMITED".into(),
        expires_at: LATER,
        attributes: attributes(),
        pass: Some(300),
        counted_in: counted_in(),
        ..HoldPlaced::default()
    };
    let captured = HoldCaptured {
        hold: 990,
        asset: "UNLIMITED".into(),
        paid_with: PaidWith::Pass,
        is_final: true,
        late: true,
        attributes: attributes(),
        pass: Some(300),
        quantity: 3,
        counted_in: counted_in(),
        ..HoldCaptured::default()
    };
    let lot = Lot {
        used: 7,
        origin: Some("quiz_bot".into()),
        ..full_lot()
    };
    let credited = Credited {
        lot,
        payment: None,
        levels: Some(LevelChange {
            before: 1,
            after: 3,
        }),
        recurring: Some(RecurringPeriod {
            grant: "daily".into(),
            next_at: LATER,
        }),
        settled: Vec::new(),
        subscription: None,
    };
    [
        ("debited_by_pass", Payload::Debited(pass)),
        ("hold_placed_by_pass", Payload::HoldPlaced(placed)),
        ("hold_captured_by_pass", Payload::HoldCaptured(captured)),
        ("credited_each_period", Payload::Credited(credited)),
    ]
}
