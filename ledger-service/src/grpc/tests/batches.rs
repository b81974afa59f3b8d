//! Batch calls.

use super::*;

#[tokio::test]
async fn items_of_a_batch_fail_alone_unless_it_is_atomic() {
    let mut stand = Stand::start().await;
    let message = v1::BatchChargeRequest {
        book: BOOK.to_owned(),
        requests: vec![
            charge("a", "generate"),
            charge("a", "edit"),
            charge("c", "generate"),
        ],
        ..Default::default()
    };
    let items = stand
        .ledger
        .batch_charge(message.clone())
        .await
        .unwrap()
        .into_inner()
        .items;
    let outcome = |item: &v1::BatchChargeItem| match item.outcome.as_ref().unwrap() {
        v1::batch_charge_item::Outcome::Response(response) => {
            format!("replayed={}", response.result.as_ref().unwrap().replayed)
        }
        v1::batch_charge_item::Outcome::Error(error) => error.code.to_string(),
    };
    let outcomes: Vec<String> = items.iter().map(outcome).collect();
    assert_eq!(outcomes, ["replayed=false", "9", "replayed=false"]);
    let items = stand
        .ledger
        .batch_charge(message.clone())
        .await
        .unwrap()
        .into_inner()
        .items;
    let outcomes: Vec<String> = items.iter().map(outcome).collect();
    assert_eq!(outcomes, ["replayed=true", "9", "replayed=true"]);

    let requests = vec![charge("a", "generate"), charge("a", "edit")];
    let atomic = v1::BatchChargeRequest {
        requests,
        atomic: true,
        request_id: id(),
        ..message
    };
    let status = stand.ledger.batch_charge(atomic).await.unwrap_err();
    let info = status.get_details_error_info().unwrap();
    assert_eq!(info.reason, "BATCH_ITEM_REFUSED");
    assert_eq!(
        (
            info.metadata["index"].as_str(),
            info.metadata["reason"].as_str()
        ),
        ("1", "INSUFFICIENT_FUNDS")
    );
}

#[tokio::test]
async fn lots_are_credited_in_a_batch() {
    let mut stand = Stand::start().await;
    let credit = |account: &str, asset: &str| v1::CreditRequest {
        account: name(account),
        request_id: id(),
        amount: asset_amount(asset, 7),
        ..Default::default()
    };
    let message = v1::BatchCreditRequest {
        book: BOOK.to_owned(),
        requests: vec![credit("a", "RUB"), credit("a", "USD")],
        ..Default::default()
    };
    let items = stand
        .ledger
        .batch_credit(message)
        .await
        .unwrap()
        .into_inner()
        .items;
    let is_error = |item: &v1::BatchCreditItem| {
        matches!(item.outcome, Some(v1::batch_credit_item::Outcome::Error(_)))
    };
    assert_eq!(
        items.iter().map(is_error).collect::<Vec<_>>(),
        [false, true]
    );
}
