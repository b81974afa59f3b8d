//! The README's story, with real processes: a YooKassa notification and three
//! Telegram updates are posted to the gateway, and the ledger has the money, the
//! operation and the events. The bodies are those of `docs/examples`.
#![cfg(test)]

use e2e_tests::{
    Backend, Billing,
    billing::{has_figure, other_payment, payment},
    gateway::{sample, update},
    on_both_backends,
};
use ledger_proto::v1::{Event, event::Payload};
use std::time::Duration;

/// Tells the story, and waits until all of it has arrived.
async fn told(backend: Backend) -> Billing {
    let billing = Billing::start(backend).await;
    billing.stand_ins.register_payment(&payment()).await;
    assert_eq!(
        billing
            .gateway
            .yookassa(sample("payment_succeeded.json"))
            .await,
        200
    );
    billing.balance_becomes("RUB", 49_900).await;
    assert_eq!(
        billing.gateway.telegram(sample("update_start.json")).await,
        200
    );
    assert_eq!(
        billing
            .gateway
            .telegram(sample("update_balance.json"))
            .await,
        200
    );
    assert_eq!(
        billing
            .gateway
            .telegram(update("update_generate.json", Duration::ZERO))
            .await,
        200
    );
    billing.balance_becomes("FREE_OP", 3).await;
    // The payment and each command have been answered.
    billing.texts(4).await;
    billing
}

/// How many events of a kind there are.
fn count(events: &[Event], kind: fn(&Payload) -> bool) -> usize {
    events
        .iter()
        .filter_map(|event| event.payload.as_ref())
        .filter(|&payload| kind(payload))
        .count()
}

on_both_backends! {
    async fn a_payment_is_credited(backend: Backend) {
        let billing = Billing::start(backend).await;
        billing.stand_ins.register_payment(&payment()).await;
        assert_eq!(billing.gateway.yookassa(sample("payment_succeeded.json")).await, 200);
        billing.balance_becomes("RUB", 49_900).await;
    }

    async fn the_balance_reply_has_the_right_figures(backend: Backend) {
        let billing = Billing::start(backend).await;
        billing.pay(&payment()).await;
        // One message at a time, so that it is clear which one answers what.
        billing.texts(1).await;
        assert_eq!(billing.gateway.telegram(sample("update_start.json")).await, 200);
        billing.texts(2).await;
        assert_eq!(billing.gateway.telegram(sample("update_balance.json")).await, 200);
        let reply = billing.texts(3).await.remove(2);
        assert!(has_figure(&reply, "499"), "the roubles: {reply}");
        assert!(has_figure(&reply, "4"), "the free operations: {reply}");
    }

    async fn an_operation_takes_a_free_one_before_money(backend: Backend) {
        let billing = told(backend).await;
        let balances = billing.balances().await;
        assert_eq!((balances["FREE_OP"], balances["RUB"]), (3, 49_900));
    }

    async fn the_events_are_listed(backend: Backend) {
        let billing = told(backend).await;
        let events = billing.events().await;
        assert_eq!(count(&events, |kind| matches!(kind, Payload::AccountOpened(_))), 1);
        assert_eq!(count(&events, |kind| matches!(kind, Payload::PaymentSucceeded(_))), 1);
        // The welcome grant, and what was bought.
        assert_eq!(count(&events, |kind| matches!(kind, Payload::Credited(_))), 2);
        let operations = count(&events, |kind| {
            matches!(kind, Payload::Debited(_) | Payload::HoldCaptured(_))
        });
        assert_eq!(operations, 1);
        let versions: Vec<i64> = events.iter().map(|event| event.version).collect();
        let expected: Vec<i64> = (1..).take(versions.len()).collect();
        assert_eq!(versions, expected, "no event is missing");
    }

    async fn the_same_bodies_again_change_nothing(backend: Backend) {
        let billing = told(backend).await;
        let before = billing.events().await;
        assert_eq!(billing.gateway.yookassa(sample("payment_succeeded.json")).await, 200);
        for file in ["update_start.json", "update_balance.json", "update_generate.json"] {
            assert_eq!(billing.gateway.telegram(update(file, Duration::ZERO)).await, 200);
        }
        // What comes after them is handled after them.
        billing.pay(&other_payment()).await;
        billing.balance_becomes("RUB", 2 * 49_900).await;
        billing.texts(5).await;
        let update = sample("update_balance.json").replace("881000102", "881000199");
        assert_eq!(billing.gateway.telegram(update).await, 200);
        let texts = billing.texts(6).await;
        assert!(has_figure(&texts[5], "998"), "{texts:#?}");
        assert_eq!(texts.len(), 6, "nobody is told anything twice: {texts:#?}");

        let after = billing.events().await;
        assert_eq!(after[..before.len()], before, "what was written stays as it was");
        let added = &after[before.len()..];
        assert_eq!(count(added, |kind| matches!(kind, Payload::PaymentSucceeded(_))), 1);
        assert_eq!(added.len(), 2, "the other payment and its lot: {added:#?}");
        assert_eq!(billing.balances().await["FREE_OP"], 3);
    }

    async fn the_ledger_verifies_after_it(backend: Backend) {
        let mut billing = told(backend).await;
        assert!(billing.gateway.terminate().await.success());
        assert!(billing.ledger.terminate().await.success());
        let verified = billing.ledger.verify().await;
        assert!(verified.status.success(), "{}", verified.output());
    }
}
