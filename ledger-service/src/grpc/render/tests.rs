//! Values as callers see them.

use ledger_core::{
    Account, Event,
    account::{Hold, Status},
    event::{Annotations, Credited, FORMAT, HoldExtended},
};

use super::*;
use crate::engine::{Answer, Recorded};

fn lot_of(id: u64, amount: i64) -> Lot {
    Lot {
        id,
        asset: "RUB".into(),
        amount,
        funding: Funding::Purchased,
        source: "PAYMENT".into(),
        priority: 0,
        expires_at: None,
        scope: Vec::new(),
        basis: amount,
        currency: Some("RUB".into()),
        created_at: Timestamp(0),
        ..Lot::default()
    }
}

fn recorded(position: u64, payload: ledger_core::Payload) -> std::sync::Arc<Recorded> {
    let event = Event {
        format: FORMAT,
        book: "b".into(),
        position,
        account: "a".into(),
        version: 1,
        previous_position: 0,
        origin: "bot".into(),
        request_id: None,
        annotations: Annotations::default(),
        recorded_at: Timestamp(-1),
        catalog_version: 1,
        request: None,
        call_id: None,
        call_hash: None,
        balances: Vec::new(),
        payload,
    };
    std::sync::Arc::new(Recorded {
        event,
        hash: [7; 32],
    })
}

#[test]
fn times_before_1970_are_rendered_right() {
    let time = timestamp(Timestamp(-1));
    assert_eq!((time.seconds, time.nanos), (-1, 999_999_000));
    assert_eq!(
        timestamp(Timestamp(1_500_000)).to_string(),
        "1970-01-01T00:00:01.500Z"
    );
}

#[test]
fn a_dry_run_has_no_names_of_what_was_not_written() {
    let credited = Credited {
        lot: lot_of(1, 100),
        payment: Some(8),
        ..Credited::default()
    };
    let real = event(
        "b",
        &recorded(9, ledger_core::Payload::Credited(credited.clone())),
    );
    let dry = event("b", &recorded(0, ledger_core::Payload::Credited(credited)));
    let payment = |event: &v1::Event| match event.payload.clone() {
        Some(v1::event::Payload::Credited(credited)) => credited.payment,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        (real.name.as_str(), real.hash.len()),
        ("books/b/events/9", 32)
    );
    assert_eq!(payment(&real), "books/b/events/8");
    assert_eq!(
        (dry.name.as_str(), dry.position, dry.hash.len()),
        ("", 0, 0)
    );
    assert_eq!(payment(&dry), "");
    assert_eq!(real.actor.unwrap().key, "bot");
}

#[test]
fn a_lot_is_shown_with_its_held_parts() {
    let hold = Hold {
        position: 5,
        request_id: None,
        operation: None,
        quantity: 1,
        asset: "RUB".into(),
        parts: vec![lot_of(1, 30), lot_of(2, 10)],
        captured: 0,
        overrun: OverrunPolicy::Reject,
        expires_at: Timestamp(1),
        placed_at: Timestamp(0),
        ..Hold::default()
    };
    let account = Account {
        status: Status::Open,
        lots: vec![lot_of(1, 70), lot_of(3, 5)],
        holds: vec![hold],
        ..Account::default()
    };
    let shown: Vec<_> = open_lots(&account)
        .iter()
        .map(|open| (open.lot.id, open.lot.amount, open.lot.basis, open.held))
        .collect();
    assert_eq!(shown, [(1, 100, 100, 30), (2, 10, 10, 10), (3, 5, 5, 0)]);
}

#[test]
fn an_answer_without_its_event_is_an_error_and_a_correction_of_nothing_is_none() {
    let answer = |events| Answer {
        events,
        balances: Vec::new(),
        replayed: false,
        seen_at: (0, [0; 32]),
    };
    let empty = answer(Vec::new());
    let done = Done {
        book: "b",
        answer: &empty,
    };
    assert_eq!(charge(done).unwrap_err().code(), tonic::Code::Internal);
    let delta = adjust(done, "RUB").delta.unwrap();
    assert_eq!((delta.asset.as_str(), delta.amount), ("RUB", 0));
    let extended = HoldExtended {
        hold: 5,
        expires_at: Timestamp(2_000_000),
    };
    let full = answer(vec![recorded(
        9,
        ledger_core::Payload::HoldExtended(extended),
    )]);
    let response = extend_hold(Done {
        book: "b",
        answer: &full,
    })
    .unwrap();
    assert_eq!(response.hold_expire_time.unwrap().seconds, 2);
}
