//! Mutations, and their repeats.

use super::*;

#[tokio::test]
async fn the_first_charge_opens_the_account_and_a_repeat_gets_the_same_answer() {
    let mut stand = Stand::start().await;
    let message = v1::ChargeRequest {
        annotations: Some(v1::Annotations {
            external_id: "task-1".to_owned(),
            metadata: [("model".to_owned(), "m1".to_owned())].into(),
            ..Default::default()
        }),
        ..charge("tg:42", "generate")
    };
    let mut request = tonic::Request::new(message.clone());
    request
        .metadata_mut()
        .insert("x-ledger-origin", "nano".parse().unwrap());
    let first = stand.ledger.charge(request).await.unwrap().into_inner();
    let result = first.result.clone().unwrap();
    assert!(result.account_opened && !result.replayed);
    assert_eq!(kinds(&result.events), "AccountOpened Credited Debited");
    assert_eq!(told(&result.balances), "FREE_OP 3");
    assert_eq!(first.price, asset_amount("FREE_OP", 1));
    assert_eq!(first.paid_with(), v1::PaidWith::Granted);
    let debited = &result.events[2];
    assert_eq!(debited.name, format!("{BOOK}/events/{}", debited.position));
    assert_eq!(
        (debited.origin.as_str(), debited.external_id.as_str()),
        ("nano", "task-1")
    );
    assert_eq!(
        (debited.version, debited.previous_position),
        (3, debited.position - 1)
    );
    assert_eq!(
        (debited.request_id.as_str(), debited.hash.len()),
        (message.request_id.as_str(), 32)
    );

    stand.charged("tg:42", "generate").await;
    let again = stand.charge(message.clone()).await.unwrap();
    let again_result = again.result.clone().unwrap();
    assert!(again_result.replayed);
    assert_eq!(again_result.events, result.events);
    assert_eq!(again_result.balances, result.balances);
    assert_eq!(
        (again.price.clone(), again.paid_with),
        (first.price, first.paid_with)
    );

    let other = v1::ChargeRequest {
        quantity: 2,
        ..message
    };
    let status = stand.charge(other).await.unwrap_err();
    let info = status.get_details_error_info().unwrap();
    assert_eq!(info.reason, "REQUEST_ID_REUSED");
    assert_eq!(info.metadata["field"], "quantity");
    assert_eq!(info.metadata["event"], result.events[0].name);
}

#[tokio::test]
async fn a_lack_of_funds_says_what_is_missing() {
    let mut stand = Stand::start().await;
    let status = stand.charge(charge("a", "edit")).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::FailedPrecondition);
    let info = status.get_details_error_info().unwrap();
    assert_eq!(info.reason, "INSUFFICIENT_FUNDS");
    assert_eq!(info.metadata["shortfall_amount"], "500");
    assert_eq!(info.metadata["top_up_amount"], "10000");
    let preconditions = status.get_details_precondition_failure().unwrap();
    assert_eq!(preconditions.violations[0].subject, name("a"));
}

#[tokio::test]
async fn a_dry_run_writes_nothing() {
    let mut stand = Stand::start().await;
    let message = v1::ChargeRequest {
        validate_only: true,
        ..charge("a", "generate")
    };
    let result = stand.charge(message).await.unwrap().result.unwrap();
    assert_eq!(kinds(&result.events), "AccountOpened Credited Debited");
    assert!(
        result
            .events
            .iter()
            .all(|event| event.name.is_empty() && event.hash.is_empty())
    );
    assert!(stand.balance(get_balance("a")).await.not_opened);
}

#[tokio::test]
async fn a_hold_goes_its_way() {
    let mut stand = Stand::start().await;
    stand.paid("a", 10_000).await;
    let message = v1::PlaceHoldRequest {
        account: name("a"),
        request_id: id(),
        operation: "edit".to_owned(),
        quantity: 4,
        ..Default::default()
    };
    let placed = stand
        .ledger
        .place_hold(message.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        told(&placed.result.unwrap().balances),
        "FREE_OP 4, RUB 10000 (2000 held)"
    );
    assert_eq!(placed.paid_with, i32::from(v1::PaidWith::Purchased));
    let hold = placed.hold.unwrap();
    assert_eq!(
        (hold.held_amount, hold.request_id.as_str()),
        (2_000, message.request_id.as_str())
    );

    let expire_time = hold.expire_time.unwrap();
    let later = prost_types::Timestamp {
        seconds: expire_time.seconds + 60,
        ..expire_time
    };
    let message = v1::ExtendHoldRequest {
        account: name("a"),
        request_id: id(),
        target: Some(v1::extend_hold_request::Target::Hold(hold.name.clone())),
        hold_expire_time: Some(later),
        ..Default::default()
    };
    let extended = stand
        .ledger
        .extend_hold(message)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(extended.hold_expire_time, Some(later));

    let message = v1::CaptureHoldRequest {
        account: name("a"),
        request_id: id(),
        target: Some(v1::capture_hold_request::Target::HoldRequestId(
            hold.request_id,
        )),
        amount: Some(1_500),
        keep_open: true,
        ..Default::default()
    };
    let captured = stand
        .ledger
        .capture_hold(message)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(captured.captured, asset_amount("RUB", 1_500));
    assert_eq!(captured.released_amount, 0);

    let message = v1::ReleaseHoldRequest {
        account: name("a"),
        request_id: id(),
        target: Some(v1::release_hold_request::Target::Hold(hold.name)),
        ..Default::default()
    };
    let released = stand
        .ledger
        .release_hold(message)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(released.released, asset_amount("RUB", 500));
    assert_eq!(
        told(&released.result.unwrap().balances),
        "FREE_OP 4, RUB 8500"
    );
}

#[tokio::test]
async fn a_charge_is_refunded_in_parts() {
    let mut stand = Stand::start().await;
    stand.paid("a", 10_000).await;
    let charged = stand.charged("a", "edit").await.result.unwrap();
    let refund = |amount| v1::RefundRequest {
        account: name("a"),
        request_id: id(),
        target: Some(v1::refund_request::Target::Charge(
            charged.events[0].name.clone(),
        )),
        amount,
        ..Default::default()
    };
    let part = stand
        .ledger
        .refund(refund(Some(200)))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (part.refunded, part.refundable_amount),
        (asset_amount("RUB", 200), 300)
    );
    let rest = stand
        .ledger
        .refund(refund(None))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (rest.refunded, rest.refundable_amount),
        (asset_amount("RUB", 300), 0)
    );
    let status = stand.ledger.refund(refund(None)).await.unwrap_err();
    assert_eq!(reason(&status), "REFUND_EXCEEDS_CHARGE");
}

#[tokio::test]
async fn a_transfer_tells_both_balances() {
    let mut stand = Stand::start().await;
    stand.paid("a", 10_000).await;
    stand.charged("c", "generate").await;
    let message = v1::TransferRequest {
        account: name("a"),
        request_id: id(),
        destination_account: name("c"),
        amount: asset_amount("RUB", 4_000),
        ..Default::default()
    };
    let moved = stand.ledger.transfer(message).await.unwrap().into_inner();
    assert_eq!(told(&moved.result.unwrap().balances), "FREE_OP 4, RUB 6000");
    assert_eq!(told(&moved.destination_balances), "FREE_OP 3, RUB 4000");
}

#[tokio::test]
async fn a_payment_is_recorded_once() {
    let mut stand = Stand::start().await;
    let provider_ids = vec![v1::ProviderId {
        kind: "payment".to_owned(),
        id: "p-1".to_owned(),
    }];
    let message = v1::RecordPaymentRequest {
        account: name("a"),
        request_id: id(),
        provider: "yookassa".to_owned(),
        merchant_account: "1".to_owned(),
        provider_ids,
        amount: Some(v1::Money {
            currency: "RUB".to_owned(),
            amount: 500,
        }),
        status: v1::PaymentStatus::Succeeded.into(),
        ..Default::default()
    };
    let first = stand
        .payments
        .record_payment(message.clone())
        .await
        .unwrap()
        .into_inner();
    let events = first.result.unwrap().events;
    assert_eq!(
        kinds(&events),
        "AccountOpened Credited PaymentSucceeded Credited"
    );
    assert_eq!(first.payment, events[2].name);
    let again = v1::RecordPaymentRequest {
        request_id: id(),
        ..message
    };
    let status = stand.payments.record_payment(again).await.unwrap_err();
    let info = status.get_details_error_info().unwrap();
    assert_eq!(info.reason, "PAYMENT_ALREADY_RECORDED");
    assert_eq!(
        (
            info.metadata["event"].as_str(),
            info.metadata["id"].as_str()
        ),
        (first.payment.as_str(), "p-1")
    );
}

#[tokio::test]
async fn accounts_are_opened_corrected_blocked_and_closed() {
    let mut stand = Stand::start().await;
    let message = v1::OpenAccountRequest {
        account: name("a"),
        request_id: id(),
        ..Default::default()
    };
    assert!(
        stand
            .ledger
            .open_account(message.clone())
            .await
            .unwrap()
            .into_inner()
            .created
    );
    assert!(
        stand
            .ledger
            .open_account(message.clone())
            .await
            .unwrap()
            .into_inner()
            .created
    );
    let other = v1::OpenAccountRequest {
        request_id: id(),
        ..message
    };
    assert!(
        !stand
            .ledger
            .open_account(other)
            .await
            .unwrap()
            .into_inner()
            .created
    );

    let annotations = Some(v1::Annotations {
        person: "anna".to_owned(),
        reason: Some(v1::Reason {
            code: "TEST".to_owned(),
            text: "why".to_owned(),
        }),
        ..Default::default()
    });
    let adjust = |change| v1::AdjustRequest {
        account: name("a"),
        request_id: id(),
        asset: "FREE_OP".to_owned(),
        annotations: annotations.clone(),
        change: Some(change),
        ..Default::default()
    };
    let set_to = v1::adjust_request::SetTo {
        available: 4,
        expected_available: 4,
    };
    let nothing = adjust(v1::adjust_request::Change::SetTo(set_to));
    let nothing = stand.ledger.adjust(nothing).await.unwrap().into_inner();
    assert_eq!(nothing.delta, asset_amount("FREE_OP", 0));
    assert!(nothing.result.unwrap().events.is_empty());
    let all = adjust(v1::adjust_request::Change::Delta(-4));
    let all = stand.ledger.adjust(all).await.unwrap().into_inner();
    assert_eq!(all.delta, asset_amount("FREE_OP", -4));

    let message = v1::BlockAccountRequest {
        account: name("a"),
        request_id: id(),
        annotations,
        ..Default::default()
    };
    stand.ledger.block_account(message).await.unwrap();
    let status = stand.charge(charge("a", "generate")).await.unwrap_err();
    assert_eq!(
        status.get_details_error_info().unwrap().metadata["code"],
        "TEST"
    );
    let message = v1::UnblockAccountRequest {
        account: name("a"),
        request_id: id(),
        ..Default::default()
    };
    stand.ledger.unblock_account(message).await.unwrap();
    let message = v1::CloseAccountRequest {
        account: name("a"),
        request_id: id(),
        ..Default::default()
    };
    stand.ledger.close_account(message).await.unwrap();
    let status = stand.charge(charge("a", "generate")).await.unwrap_err();
    assert_eq!(reason(&status), "ACCOUNT_CLOSED");
}
