//! Every mutation of the API does what its comment says, and repeated gives the
//! first answer again: at once, and by another process after a restart.
#![cfg(test)]

use e2e_tests::{
    Ledger,
    client::{account, balances, charge, credit, fresh_request, head, reason, rub},
    ledger::Options,
    on_both_backends,
};
use futures::future::BoxFuture;
use ledger_proto::v1::{
    AdjustRequest, Annotations, AssetAmount, BlockAccountRequest, CaptureHoldRequest,
    ChargeRequest, CloseAccountRequest, CreditRequest, ExtendHoldRequest, Money, MutationResult,
    OpenAccountRequest, PaidWith, PaymentStatus, PlaceHoldRequest, ProviderId, QuoteChargeRequest,
    Reason, RecordPaymentRequest, RefundRequest, ReleaseHoldRequest, TransferRequest,
    UnblockAccountRequest, adjust_request, capture_hold_request, event::Payload,
    extend_hold_request, ledger_service_client::LedgerServiceClient,
    payment_service_client::PaymentServiceClient, refund_request, release_hold_request,
};
use prost_types::{Duration, Timestamp};
use tonic::transport::Channel;
use tonic_types::StatusExt as _;

type Later = Box<dyn FnOnce(Channel) -> BoxFuture<'static, ()>>;

/// Calls a method; sees that a repeat gives the same, marked `replayed`, now
/// and, through `$later`, again; gives the answer.
macro_rules! twice {
    ($ledger:expr, $later:expr, $client:ident.$method:ident($request:expr)) => {{
        let request = $request;
        let mut client = $client::new($ledger.channel());
        let answer = client.$method(request.clone()).await;
        let first = answer
            .unwrap_or_else(|status| panic!("{request:?}: {status:?}"))
            .into_inner();
        let result = first.result.as_ref().unwrap();
        assert!(!result.replayed && !result.events.is_empty(), "{first:?}");
        for event in &result.events {
            assert_eq!(event.request_id, request.request_id);
        }
        let mut expected = first.clone();
        expected.result.as_mut().unwrap().replayed = true;
        let again = client.$method(request.clone()).await.unwrap().into_inner();
        assert_eq!(again, expected, "{request:?}");
        let later: Later = Box::new(move |channel| {
            Box::pin(async move {
                let again = $client::new(channel).$method(request.clone()).await;
                assert_eq!(again.unwrap().into_inner(), expected, "{request:?}");
            })
        });
        $later.push(later);
        first
    }};
}

fn amount(asset: &str, amount: i64) -> AssetAmount {
    AssetAmount {
        asset: asset.to_owned(),
        amount,
    }
}

fn because(code: &str) -> Option<Annotations> {
    Some(Annotations {
        person: "anna".to_owned(),
        reason: Some(Reason {
            code: code.to_owned(),
            text: "a test".to_owned(),
        }),
        ..Default::default()
    })
}

/// Balance and held part of an asset in an answer.
fn totals(result: Option<&MutationResult>, asset: &str) -> (i64, i64) {
    let balances = &result.unwrap().balances;
    let found = balances.iter().find(|balance| balance.asset == asset);
    found.map_or((0, 0), |balance| (balance.balance, balance.held))
}

fn payloads(result: Option<&MutationResult>) -> Vec<&Payload> {
    let events = result.unwrap().events.iter();
    events.filter_map(|event| event.payload.as_ref()).collect()
}

fn adjust(name: &str, asset: &str, change: adjust_request::Change) -> AdjustRequest {
    AdjustRequest {
        account: name.to_owned(),
        request_id: fresh_request(),
        annotations: because("CORRECTION"),
        asset: asset.to_owned(),
        change: Some(change),
        ..Default::default()
    }
}

fn hold(name: &str, price: i64) -> PlaceHoldRequest {
    PlaceHoldRequest {
        account: name.to_owned(),
        request_id: fresh_request(),
        operation: "merge".to_owned(),
        explicit_price: Some(rub(price)),
        duration: Some(Duration {
            seconds: 600,
            nanos: 0,
        }),
        ..Default::default()
    }
}

async fn money_comes_in(ledger: &Ledger, later: &mut Vec<Later>, a: &str) {
    let open = OpenAccountRequest {
        account: a.to_owned(),
        request_id: fresh_request(),
        ..Default::default()
    };
    let opened = twice!(
        ledger,
        later,
        LedgerServiceClient.open_account(open.clone())
    );
    assert!(opened.created);
    assert!(opened.result.as_ref().unwrap().account_opened);
    assert_eq!(totals(opened.result.as_ref(), "FREE_OP"), (4, 0));
    assert!(matches!(
        payloads(opened.result.as_ref())[..],
        [Payload::AccountOpened(_), Payload::Credited(_)]
    ));
    // Get or create: another request finds it there and writes nothing.
    let before = head(ledger).await;
    let other = OpenAccountRequest {
        request_id: fresh_request(),
        ..open
    };
    let found = ledger
        .ledger()
        .open_account(other)
        .await
        .unwrap()
        .into_inner();
    assert!(!found.created && found.result.unwrap().events.is_empty());
    assert_eq!(head(ledger).await, before);

    let request = CreditRequest {
        source: "PACK".to_owned(),
        cost_basis: Some(Money {
            currency: "RUB".to_owned(),
            amount: 4_000,
        }),
        annotations: Some(Annotations {
            external_id: "order-1".to_owned(),
            metadata: [("model".to_owned(), "flux".to_owned())].into(),
            occur_time: Some(Timestamp {
                seconds: 1_700_000_000,
                nanos: 5_000,
            }),
            ..Default::default()
        }),
        ..credit(a, 5_000)
    };
    let credited = twice!(ledger, later, LedgerServiceClient.credit(request.clone()));
    assert_eq!(totals(credited.result.as_ref(), "RUB"), (5_000, 0));
    let event = &credited.result.as_ref().unwrap().events[0];
    let annotations = request.annotations.unwrap();
    assert_eq!(event.external_id, "order-1");
    assert_eq!(event.occur_time, annotations.occur_time);
    assert_eq!(event.metadata, annotations.metadata);
    let Some(Payload::Credited(lot)) = &event.payload else {
        panic!("{event:?}")
    };
    assert_eq!(
        (lot.source.as_str(), &lot.cost_basis),
        ("PACK", &request.cost_basis)
    );

    let payment = RecordPaymentRequest {
        account: a.to_owned(),
        request_id: fresh_request(),
        provider: "yookassa".to_owned(),
        merchant_account: "100500".to_owned(),
        provider_ids: vec![ProviderId {
            kind: "payment".to_owned(),
            id: fresh_request(),
        }],
        amount: Some(Money {
            currency: "RUB".to_owned(),
            amount: 49_900,
        }),
        status: PaymentStatus::Succeeded.into(),
        ..Default::default()
    };
    let paid = twice!(
        ledger,
        later,
        PaymentServiceClient.record_payment(payment.clone())
    );
    assert_eq!(totals(paid.result.as_ref(), "RUB"), (54_900, 0));
    assert_eq!(paid.payment, paid.result.as_ref().unwrap().events[0].name);
    assert!(matches!(
        payloads(paid.result.as_ref())[..],
        [Payload::PaymentSucceeded(_), Payload::Credited(_)]
    ));
    let again = RecordPaymentRequest {
        request_id: fresh_request(),
        ..payment
    };
    let status = ledger.payments().record_payment(again).await.unwrap_err();
    assert_eq!(reason(&status), "PAYMENT_ALREADY_RECORDED");
    let details = status.get_error_details();
    assert_eq!(
        details.error_info().unwrap().metadata["event"],
        paid.payment
    );
}

async fn operations_are_charged_and_refunded(ledger: &Ledger, later: &mut Vec<Later>, a: &str) {
    let free = ChargeRequest {
        operation: "generate".to_owned(),
        explicit_price: None,
        max_price: Some(amount("FREE_OP", 1)),
        ..charge(a, 0)
    };
    let quote = QuoteChargeRequest {
        account: a.to_owned(),
        operation: "generate".to_owned(),
        ..Default::default()
    };
    let quote = ledger
        .ledger()
        .quote_charge(quote)
        .await
        .unwrap()
        .into_inner();
    assert!(quote.chargeable && !quote.not_opened);
    assert_eq!(quote.price, Some(amount("FREE_OP", 1)));
    assert_eq!(quote.alternatives, [amount("FREE_OP", 1), rub(1_000)]);
    let charged = twice!(ledger, later, LedgerServiceClient.charge(free));
    assert_eq!(charged.price, quote.price);
    assert_eq!(charged.paid_with, PaidWith::Granted as i32);
    let Some(Payload::Debited(debited)) = payloads(charged.result.as_ref()).pop() else {
        panic!("{charged:?}")
    };
    assert_eq!(debited.takes, quote.takes);
    let changed = ChargeRequest {
        operation: "edit".to_owned(),
        explicit_price: None,
        quantity: 4,
        max_price: Some(amount("FREE_OP", 4)),
        ..charge(a, 0)
    };
    let status = ledger.ledger().charge(changed).await.unwrap_err();
    assert_eq!(reason(&status), "PRICE_CHANGED");

    let request = ChargeRequest {
        operation: "edit".to_owned(),
        ..charge(a, 1_500)
    };
    let charged = twice!(ledger, later, LedgerServiceClient.charge(request.clone()));
    assert_eq!(charged.paid_with, PaidWith::Purchased as i32);
    assert_eq!(totals(charged.result.as_ref(), "RUB"), (53_400, 0));
    let name = charged.result.unwrap().events[0].name.clone();
    let refund = |target, amount| RefundRequest {
        account: a.to_owned(),
        request_id: fresh_request(),
        target: Some(target),
        amount,
        ..Default::default()
    };
    let part = refund(refund_request::Target::Charge(name.clone()), Some(600));
    let part = twice!(ledger, later, LedgerServiceClient.refund(part));
    assert_eq!(
        (part.refunded, part.refundable_amount),
        (Some(rub(600)), 900)
    );
    let by_request = || refund_request::Target::ChargeRequestId(request.request_id.clone());
    let rest = twice!(
        ledger,
        later,
        LedgerServiceClient.refund(refund(by_request(), None))
    );
    assert_eq!((rest.refunded, rest.refundable_amount), (Some(rub(900)), 0));
    assert_eq!(totals(rest.result.as_ref(), "RUB"), (54_900, 0));
    let status = ledger
        .ledger()
        .refund(refund(by_request(), Some(1)))
        .await
        .unwrap_err();
    assert_eq!(reason(&status), "REFUND_EXCEEDS_CHARGE");
}

async fn holds_reserve(ledger: &Ledger, later: &mut Vec<Later>, a: &str) {
    let request = hold(a, 2_000);
    let placed = twice!(
        ledger,
        later,
        LedgerServiceClient.place_hold(request.clone())
    );
    assert_eq!(totals(placed.result.as_ref(), "RUB"), (54_900, 2_000));
    let held = placed.hold.unwrap();
    let (created, ends) = (held.create_time.unwrap(), held.expire_time.unwrap());
    assert_eq!(
        (ends.seconds - created.seconds, ends.nanos),
        (600, created.nanos)
    );
    assert_eq!(
        (held.held_amount, &held.request_id),
        (2_000, &request.request_id)
    );

    let later_end = Timestamp {
        seconds: ends.seconds + 3_600,
        ..ends
    };
    let extend = ExtendHoldRequest {
        account: a.to_owned(),
        request_id: fresh_request(),
        target: Some(extend_hold_request::Target::Hold(held.name.clone())),
        hold_expire_time: Some(later_end),
        ..Default::default()
    };
    let extended = twice!(
        ledger,
        later,
        LedgerServiceClient.extend_hold(extend.clone())
    );
    assert_eq!(extended.hold_expire_time, Some(later_end));
    let shorter = ExtendHoldRequest {
        request_id: fresh_request(),
        hold_expire_time: Some(ends),
        ..extend
    };
    let status = ledger.ledger().extend_hold(shorter).await.unwrap_err();
    assert_eq!(reason(&status), "HOLD_NOT_EXTENDED");

    let capture = |amount, keep_open| CaptureHoldRequest {
        account: a.to_owned(),
        request_id: fresh_request(),
        target: Some(capture_hold_request::Target::HoldRequestId(
            request.request_id.clone(),
        )),
        amount,
        keep_open,
        ..Default::default()
    };
    let status = ledger
        .ledger()
        .capture_hold(capture(Some(2_001), false))
        .await
        .unwrap_err();
    assert_eq!(reason(&status), "CAPTURE_EXCEEDS_HOLD");
    let first = twice!(
        ledger,
        later,
        LedgerServiceClient.capture_hold(capture(Some(500), true))
    );
    assert_eq!((first.captured, first.released_amount), (Some(rub(500)), 0));
    assert_eq!(totals(first.result.as_ref(), "RUB"), (54_400, 1_500));
    let last = twice!(
        ledger,
        later,
        LedgerServiceClient.capture_hold(capture(Some(500), false))
    );
    assert_eq!(
        (last.captured, last.released_amount, last.late),
        (Some(rub(500)), 1_000, false)
    );
    assert_eq!(totals(last.result.as_ref(), "RUB"), (53_900, 0));
    let status = ledger
        .ledger()
        .capture_hold(capture(None, false))
        .await
        .unwrap_err();
    assert_eq!(reason(&status), "HOLD_ENDED");

    let placed = twice!(ledger, later, LedgerServiceClient.place_hold(hold(a, 700)));
    let release = ReleaseHoldRequest {
        account: a.to_owned(),
        request_id: fresh_request(),
        target: Some(release_hold_request::Target::Hold(
            placed.hold.unwrap().name,
        )),
        ..Default::default()
    };
    let released = twice!(ledger, later, LedgerServiceClient.release_hold(release));
    assert_eq!(released.released, Some(rub(700)));
    assert_eq!(totals(released.result.as_ref(), "RUB"), (53_900, 0));
}

async fn money_moves(ledger: &Ledger, later: &mut Vec<Later>, a: &str, b: &str) {
    let first = twice!(ledger, later, LedgerServiceClient.credit(credit(b, 100)));
    assert!(
        first.result.as_ref().unwrap().account_opened,
        "by its first mutation"
    );
    let transfer = TransferRequest {
        account: a.to_owned(),
        request_id: fresh_request(),
        destination_account: b.to_owned(),
        amount: Some(rub(900)),
        ..Default::default()
    };
    let sent = twice!(ledger, later, LedgerServiceClient.transfer(transfer));
    assert_eq!(totals(sent.result.as_ref(), "RUB"), (53_000, 0));
    let received = sent
        .destination_balances
        .iter()
        .find(|balance| balance.asset == "RUB");
    assert_eq!(received.unwrap().balance, 1_000);

    let added = adjust(a, "RUB", adjust_request::Change::Delta(50));
    let added = twice!(ledger, later, LedgerServiceClient.adjust(added));
    assert_eq!(
        (added.delta, totals(added.result.as_ref(), "RUB")),
        (Some(rub(50)), (53_050, 0))
    );
    let set_to = |available, expected_available| {
        adjust_request::Change::SetTo(adjust_request::SetTo {
            available,
            expected_available,
        })
    };
    let set = adjust(a, "RUB", set_to(53_000, 53_050));
    let set = twice!(ledger, later, LedgerServiceClient.adjust(set));
    assert_eq!(set.delta, Some(rub(-50)));
    let stale = adjust(a, "RUB", set_to(0, 53_050));
    let status = ledger.ledger().adjust(stale).await.unwrap_err();
    assert_eq!(reason(&status), "BALANCE_MISMATCH");
}

async fn accounts_are_blocked_and_closed(ledger: &Ledger, later: &mut Vec<Later>, c: &str) {
    let block = BlockAccountRequest {
        account: c.to_owned(),
        request_id: fresh_request(),
        annotations: because("FRAUD"),
        ..Default::default()
    };
    twice!(ledger, later, LedgerServiceClient.block_account(block));
    let free = ChargeRequest {
        operation: "edit".to_owned(),
        explicit_price: None,
        ..charge(c, 0)
    };
    let status = ledger.ledger().charge(free.clone()).await.unwrap_err();
    assert_eq!(reason(&status), "ACCOUNT_BLOCKED");
    let details = status.get_error_details();
    assert_eq!(details.error_info().unwrap().metadata["code"], "FRAUD");
    let unblock = UnblockAccountRequest {
        account: c.to_owned(),
        request_id: fresh_request(),
        ..Default::default()
    };
    twice!(ledger, later, LedgerServiceClient.unblock_account(unblock));
    // A refusal is not stored: the same request succeeds now.
    twice!(ledger, later, LedgerServiceClient.charge(free));

    let close = CloseAccountRequest {
        account: c.to_owned(),
        request_id: fresh_request(),
        ..Default::default()
    };
    let status = ledger
        .ledger()
        .close_account(close.clone())
        .await
        .unwrap_err();
    assert_eq!(reason(&status), "ACCOUNT_NOT_EMPTY");
    let empty = adjust(c, "FREE_OP", adjust_request::Change::Delta(-3));
    twice!(ledger, later, LedgerServiceClient.adjust(empty));
    twice!(ledger, later, LedgerServiceClient.close_account(close));
    let status = ledger.ledger().credit(credit(c, 1)).await.unwrap_err();
    assert_eq!(reason(&status), "ACCOUNT_CLOSED");
}

on_both_backends! {
    async fn every_mutation_answers_and_is_repeated(backend: Backend) {
        let database = backend.database().await;
        let options = Options::media_lab(&database.url);
        let mut ledger = Ledger::start(&options).await;
        let (a, b, c) = (account("tg:a"), account("tg:b"), account("tg:c"));
        let mut later = Vec::new();
        money_comes_in(&ledger, &mut later, &a).await;
        operations_are_charged_and_refunded(&ledger, &mut later, &a).await;
        holds_reserve(&ledger, &mut later, &a).await;
        money_moves(&ledger, &mut later, &a, &b).await;
        accounts_are_blocked_and_closed(&ledger, &mut later, &c).await;

        assert!(ledger.terminate().await.success());
        let ledger = Ledger::start(&options).await;
        let before = (head(&ledger).await, balances(&ledger, &a).await.balances);
        assert!(later.len() > 20);
        for repeat in later {
            repeat(ledger.channel()).await;
        }
        assert_eq!((head(&ledger).await, balances(&ledger, &a).await.balances), before);
    }
}
