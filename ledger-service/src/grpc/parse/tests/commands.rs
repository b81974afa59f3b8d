//! The commands' own fields.

use ledger_core::{
    RequestId,
    catalog::OverrunPolicy,
    command::{self, AssetAmount, Change, Target},
};

use super::*;

fn request_id() -> RequestId {
    read(charge_message(), charge).unwrap().request_id.unwrap()
}

#[test]
fn a_charge_has_an_operation_or_a_price() {
    let expected = command::Charge {
        operation: Some("generate".into()),
        quantity: 1,
        explicit_price: None,
        max_price: None,
        attributes: std::collections::BTreeMap::new(),
        confirmed: false,
    };
    assert_eq!(command(charge_message(), charge), Command::Charge(expected));
    let free = v1::ChargeRequest {
        operation: String::new(),
        explicit_price: amount("RUB", 0),
        ..charge_message()
    };
    assert!(read(free, charge).is_ok());
    let nothing = v1::ChargeRequest {
        operation: String::new(),
        ..charge_message()
    };
    wrong(
        nothing,
        charge,
        &[("operation", "is required without `explicit_price`")],
    );
    let odd = v1::ChargeRequest {
        operation: "Generate".to_owned(),
        ..charge_message()
    };
    wrong(odd, charge, &[("operation", text::OPERATION_RULE)]);
    let long = v1::ChargeRequest {
        explicit_price: amount(&"A".repeat(32), 1),
        ..charge_message()
    };
    wrong(long, charge, &[("explicit_price.asset", ASSET_RULE)]);
}

#[test]
fn holds_last_a_second_to_thirty_days() {
    let message = |seconds, nanos| v1::PlaceHoldRequest {
        account: ACCOUNT.to_owned(),
        request_id: ID.to_owned(),
        operation: "generate".to_owned(),
        duration: Some(prost_types::Duration { seconds, nanos }),
        overrun_policy: v1::OverrunPolicy::Cap.into(),
        ..Default::default()
    };
    for (seconds, nanos) in [
        (0, 999_999_999),
        (2_592_000, 1_000),
        (-1, 0),
        (i64::MAX, 0),
        (1, -1_000),
    ] {
        wrong(
            message(seconds, nanos),
            place_hold,
            &[("duration", "must be 1 s to 30 days")],
        );
    }
    let expected = command::PlaceHold {
        operation: Some("generate".into()),
        quantity: 1,
        explicit_price: None,
        max_price: None,
        duration: Some(2_592_000_000_000),
        overrun_policy: Some(OverrunPolicy::Cap),
        attributes: std::collections::BTreeMap::new(),
        confirmed: false,
    };
    assert_eq!(
        command(message(2_592_000, 0), place_hold),
        Command::PlaceHold(expected)
    );
    let unknown = v1::PlaceHoldRequest {
        overrun_policy: 9,
        ..message(1, 0)
    };
    let rule = "is no policy that this service knows";
    wrong(unknown, place_hold, &[("overrun_policy", rule)]);
}

#[test]
fn targets_are_events_of_the_book_or_requests() {
    use v1::refund_request::Target as Asked;
    let message = |target| v1::RefundRequest {
        account: ACCOUNT.to_owned(),
        request_id: ID.to_owned(),
        target,
        amount: None,
        ..Default::default()
    };
    let of = |target| match command(message(Some(target)), refund) {
        Command::Refund(refund) => refund.charge,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        of(Asked::Charge("books/b/events/7".to_owned())),
        Target::Position(7)
    );
    assert_eq!(
        of(Asked::ChargeRequestId(ID.to_owned())),
        Target::Request(request_id())
    );
    let event = crate::grpc::names::EVENT_RULE;
    let table = [
        (
            None,
            (
                "charge",
                "one of `charge` and `charge_request_id` is required",
            ),
        ),
        (Some(Asked::Charge("7".to_owned())), ("charge", event)),
        (
            Some(Asked::Charge("books/c/events/7".to_owned())),
            ("charge", "must be an event of the account's book"),
        ),
        (
            Some(Asked::ChargeRequestId(String::new())),
            ("charge_request_id", "is required"),
        ),
    ];
    for (target, expected) in table {
        wrong(message(target), refund, &[expected]);
    }
    let target = Some(Asked::ChargeRequestId(ID.to_owned()));
    let zero = v1::RefundRequest {
        amount: Some(0),
        ..message(target)
    };
    wrong(zero, refund, &[("amount", "must be above 0")]);
}

#[test]
fn holds_are_extended_to_a_time() {
    use v1::extend_hold_request::Target as Asked;
    let message = v1::ExtendHoldRequest {
        account: ACCOUNT.to_owned(),
        request_id: ID.to_owned(),
        target: Some(Asked::HoldRequestId(ID.to_owned())),
        ..Default::default()
    };
    wrong(message, extend_hold, &[("hold_expire_time", "is required")]);
}

#[test]
fn transfers_stay_in_the_book() {
    let message = |destination: &str| v1::TransferRequest {
        account: ACCOUNT.to_owned(),
        request_id: ID.to_owned(),
        destination_account: destination.to_owned(),
        amount: amount("RUB", 1),
        ..Default::default()
    };
    let expected = command::Transfer {
        destination_account: "c".into(),
        asset: "RUB".into(),
        amount: 1,
    };
    let moved = command(message("books/b/accounts/c"), transfer);
    assert_eq!(moved, Command::Transfer(expected));
    let rule = "must be an account of the same book";
    wrong(
        message("books/c/accounts/c"),
        transfer,
        &[("destination_account", rule)],
    );
    let reserved = crate::grpc::names::RESERVED_RULE;
    wrong(
        message("books/b/accounts/@house"),
        transfer,
        &[("destination_account", reserved)],
    );
}

#[test]
fn a_correction_needs_a_person_a_reason_and_a_change() {
    use v1::adjust_request::{Change as Asked, SetTo};
    let message = |change| v1::AdjustRequest {
        account: ACCOUNT.to_owned(),
        request_id: ID.to_owned(),
        asset: "RUB".to_owned(),
        annotations: Some(v1::Annotations {
            person: "anna".to_owned(),
            reason: Some(v1::Reason {
                code: "GIFT".to_owned(),
                text: String::new(),
            }),
            ..Default::default()
        }),
        change,
        ..Default::default()
    };
    let nobody = v1::AdjustRequest {
        annotations: None,
        asset: String::new(),
        ..message(None)
    };
    let expected = [
        ("annotations.person", "is required"),
        ("annotations.reason.code", "is required"),
        ("asset", ASSET_RULE),
        ("delta", "is required without `set_to`"),
    ];
    wrong(nobody, adjust, &expected);
    wrong(
        message(Some(Asked::Delta(0))),
        adjust,
        &[("delta", "must not be 0")],
    );
    let set_to = |available| {
        message(Some(Asked::SetTo(SetTo {
            available,
            expected_available: 5,
        })))
    };
    wrong(
        set_to(-1),
        adjust,
        &[("set_to.available", "must be 0 or more")],
    );
    let change = Change::SetTo {
        available: 0,
        expected: 5,
    };
    let expected = command::Adjust {
        asset: "RUB".into(),
        change,
    };
    assert_eq!(command(set_to(0), adjust), Command::Adjust(expected));
}

#[test]
fn blocking_needs_a_reason() {
    let message = v1::BlockAccountRequest {
        account: ACCOUNT.to_owned(),
        request_id: ID.to_owned(),
        ..Default::default()
    };
    wrong(
        message,
        block_account,
        &[("annotations.reason.code", "is required")],
    );
}

#[test]
fn amounts_above_the_cores_bound_are_left_to_it() {
    let message = v1::ChargeRequest {
        explicit_price: amount("RUB", i64::MAX),
        ..charge_message()
    };
    let Command::Charge(charge) = command(message, charge) else {
        panic!("a charge")
    };
    let price = AssetAmount {
        asset: "RUB".into(),
        amount: i64::MAX,
    };
    assert_eq!(charge.explicit_price, Some(price));
}
