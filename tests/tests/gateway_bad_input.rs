//! What comes to the gateway's doors and isn't what it should be credits nobody.
//!
//! Each test posts something bad, then something good, and waits for the good:
//! it came later, so the bad has been handled.
#![cfg(test)]

use e2e_tests::{
    Backend, Billing,
    billing::{has_figure, notification, other_payment, payment},
    gateway::{sample, update},
};
use ledger_proto::v1::event::Payload;
use serde_json::{Value, json};
use std::time::Duration;

async fn billing() -> Billing {
    Billing::start(Backend::Sqlite).await
}

/// Pays 499.00 in good order, and sees that this is all there is.
async fn only_a_good_payment_is_credited(billing: &Billing) {
    billing.pay(&other_payment()).await;
    billing.balance_becomes("RUB", 49_900).await;
    let events = billing.events().await;
    let paid = events
        .iter()
        .filter(|event| matches!(event.payload, Some(Payload::PaymentSucceeded(_))))
        .count();
    assert_eq!(paid, 1, "{events:#?}");
}

/// The sample payment, otherwise at YooKassa than in its notification.
async fn nothing_is_credited_if_yookassa_says(change: fn(&mut Value)) {
    let billing = billing().await;
    let mut actual = payment();
    change(&mut actual);
    billing.stand_ins.register_payment(&actual).await;
    assert_eq!(
        billing.gateway.yookassa(notification(&payment())).await,
        200
    );
    only_a_good_payment_is_credited(&billing).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_notification_is_taken_and_credits_nobody() {
    let billing = billing().await;
    for body in [
        "",
        "{",
        "[]",
        "null",
        r#"{"type":"notification"}"#,
        "\u{0}",
        "\"\\u0000\"",
    ] {
        assert_eq!(billing.gateway.yookassa(body).await, 200, "{body:?}");
    }
    only_a_good_payment_is_credited(&billing).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_that_is_not_text_is_taken_and_credits_nobody() {
    let billing = billing().await;
    assert_eq!(billing.gateway.yookassa([0xff, 0xfe, 0x00]).await, 200);
    only_a_good_payment_is_credited(&billing).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_payment_credits_nobody() {
    let billing = billing().await;
    assert_eq!(
        billing
            .gateway
            .yookassa(sample("payment_succeeded.json"))
            .await,
        200
    );
    only_a_good_payment_is_credited(&billing).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_amount_credits_nobody() {
    nothing_is_credited_if_yookassa_says(|payment| payment["amount"]["value"] = json!("1.00"))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_currency_credits_nobody() {
    nothing_is_credited_if_yookassa_says(|payment| payment["amount"]["currency"] = json!("USD"))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_is_not_finished_credits_nobody() {
    nothing_is_credited_if_yookassa_says(|payment| {
        payment["status"] = json!("waiting_for_capture");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_of_another_shop_credits_nobody() {
    nothing_is_credited_if_yookassa_says(|payment| {
        payment["recipient"]["account_id"] = json!("100501");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_of_the_other_mode_credits_nobody() {
    nothing_is_credited_if_yookassa_says(|payment| payment["test"] = json!(false)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_was_refunded_meanwhile_credits_nobody() {
    nothing_is_credited_if_yookassa_says(|payment| {
        payment["refunded_amount"] = payment["amount"].clone();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_that_was_asked_for_long_ago_is_not_charged() {
    let billing = billing().await;
    billing.pay(&payment()).await;
    billing.texts(1).await;
    let hours_old = update("update_generate.json", Duration::from_secs(2 * 3600));
    assert_eq!(billing.gateway.telegram(hours_old).await, 200);
    let texts = billing.texts(2).await;
    assert!(texts[1].contains("ничего не списано"), "{texts:#?}");
    let balances = billing.balances().await;
    assert_eq!((balances["FREE_OP"], balances["RUB"]), (4, 49_900));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_with_a_wrong_secret_is_refused() {
    let billing = billing().await;
    for secret in ["", "wrong", "e2e-webhook-secret-and-more"] {
        let status = billing
            .gateway
            .telegram_with_secret(secret, update("update_generate.json", Duration::ZERO))
            .await;
        assert_eq!(status, 401, "{secret:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_with_a_wrong_secret_does_nothing() {
    let billing = billing().await;
    let status = billing
        .gateway
        .telegram_with_secret("wrong", update("update_generate.json", Duration::ZERO))
        .await;
    assert_eq!(status, 401);
    only_a_good_payment_is_credited(&billing).await;
    assert_eq!(
        billing
            .gateway
            .telegram(sample("update_balance.json"))
            .await,
        200
    );
    let texts = billing.texts(2).await;
    assert!(has_figure(&texts[1], "499"), "{texts:#?}");
    assert_eq!(billing.balances().await["FREE_OP"], 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_update_is_taken_and_blocks_nobody() {
    let billing = billing().await;
    for body in [
        "{",
        "[]",
        r#"{"update_id":881000900}"#,
        r#"{"update_id":"x"}"#,
    ] {
        // Anything but 2xx would make Telegram send it again, and again.
        assert_eq!(billing.gateway.telegram(body).await, 200, "{body:?}");
    }
    only_a_good_payment_is_credited(&billing).await;
    billing.texts(1).await;
    assert_eq!(
        billing
            .gateway
            .telegram(sample("update_balance.json"))
            .await,
        200
    );
    let texts = billing.texts(2).await;
    assert!(has_figure(&texts[1], "499"), "{texts:#?}");
}
