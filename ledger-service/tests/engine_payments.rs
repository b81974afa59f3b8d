//! Payments over several instances.
#![cfg(test)]

mod support;

use ledger_core::{
    Command, Money, Payload, Rejection,
    command::{RecordRefund, RefundPayment, Target},
    payment::{RefundStatus, RefundVia},
};
use support::{
    ask::{balance, done, engine, id, opened, payment, read, refused, request},
    database::Database,
    log::sound,
    on_both,
};

on_both!(
    a_refund_that_another_instance_began_is_ended,
    what_another_shop_says_twice_is_told_once,
);

fn pay_back(paid_by: &str, amount: i64) -> Command {
    Command::RefundPayment(RefundPayment {
        payment: Target::Request(id(paid_by)),
        amount: Some(amount),
        via: RefundVia::Provider,
        document_number: None,
    })
}

/// What a provider says of a refund that it did not make: nothing to look up.
fn failed(paid_by: &str, refund: u64, amount: i64) -> Command {
    Command::RecordRefund(RecordRefund {
        provider: "yookassa".into(),
        merchant_account: "shop".into(),
        payment: Some(Target::Request(id(paid_by))),
        payment_id: None,
        refund: Some(refund),
        provider_ids: Vec::new(),
        amount: Money {
            currency: "RUB".into(),
            amount,
        },
        status: RefundStatus::Failed,
        failure_reason: None,
    })
}

/// The payment is read anew, with what the other instance wrote; the account is
/// in memory, without it. The two must not be decided on together.
async fn a_refund_that_another_instance_began_is_ended(database: Database) {
    let one = opened(database.store().await).await;
    let two = engine(database.store().await);
    done(&one, request("tg:1", id("paid"), payment("p-1", 10_000))).await;
    for number in 0..5 {
        read(&one, "tg:1").await;
        let name = format!("back {number}");
        let begun = done(&two, request("tg:1", id(&name), pay_back("paid", 4_000))).await;
        let refund = begun.events[0].event.position;
        let said = failed("paid", refund, 4_000);
        let ended = done(&one, request("tg:1", id(&format!("{name} failed")), said)).await;
        let last = &ended.events[0].event.payload;
        assert!(matches!(last, Payload::PaymentRefundFailed(_)), "{last:?}");
    }
    assert_eq!(balance(&two, "tg:1", "RUB").await, 10_000);
    sound(one.store()).await;
}

/// An id that another shop has given to the payment is not claimed again: the
/// database would refuse it.
async fn what_another_shop_says_twice_is_told_once(database: Database) {
    let one = opened(database.store().await).await;
    done(&one, request("tg:1", id("paid"), payment("p-1", 10_000))).await;
    let said = |amount: i64| {
        let mut said = payment("p-1", amount);
        if let Command::RecordPayment(said) = &mut said {
            said.merchant_account = "shop-2".into();
            said.payment = Some(Target::Request(id("paid")));
        }
        said
    };
    for (name, amount, ids) in [("first", 10_000, 1), ("other amount", 9_999, 0)] {
        let told = done(&one, request("tg:1", id(name), said(amount))).await;
        let Payload::PaymentAnomaly(anomaly) = &told.events[0].event.payload else {
            panic!("{told:?}");
        };
        assert_eq!(anomaly.provider_ids.ids.len(), ids, "{anomaly:?}");
    }
    for (name, amount) in [("again", 10_000), ("other again", 9_999)] {
        let why = refused(&one, request("tg:1", id(name), said(amount))).await;
        assert!(
            matches!(why, Rejection::PaymentAlreadyRecorded { .. }),
            "{why:?}"
        );
    }
    sound(one.store()).await;
}
