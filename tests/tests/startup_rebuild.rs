//! `rebuild` makes everything beside the events anew, and only when nobody
//! serves.
#![cfg(test)]

use e2e_tests::{
    Backend, Database, Ledger,
    billing::BOOK,
    client::{account, balance_of, balances, charge, credit, fresh_request, reason},
    ledger::{Options, rebuild, verify},
    on_both_backends,
    process::Finished,
    sql::{execute, rows},
};
use ledger_proto::v1::{
    Annotations, BatchChargeRequest, BatchChargeResponse, ChargeRequest,
    GetAccountStatisticsRequest, Money, PaymentAnomalyKind, PaymentStatus, PlaceHoldRequest,
    ProviderId, RecordPaymentRequest, TransferRequest, batch_charge_item,
    payment_service_client::PaymentServiceClient,
};

/// Everything that can be made from the events.
const DERIVED: [&str; 7] = [
    "requests",
    "external_ids",
    "accounts",
    "account_events",
    "index_progress",
    "statistics",
    "account_days",
];

/// Requests of every kind that leaves a row of its own beside the events.
struct Requests {
    charge: ChargeRequest,
    payment: RecordPaymentRequest,
    calls: Vec<BatchChargeRequest>,
}

fn payment(account: &str) -> RecordPaymentRequest {
    let id = |kind: &str| ProviderId {
        kind: kind.to_owned(),
        id: fresh_request(),
    };
    RecordPaymentRequest {
        account: account.to_owned(),
        request_id: fresh_request(),
        provider: "yookassa".to_owned(),
        merchant_account: "100500".to_owned(),
        provider_ids: vec![id("payment"), id("charge")],
        amount: Some(Money {
            currency: "RUB".to_owned(),
            amount: 49_900,
        }),
        status: PaymentStatus::Succeeded.into(),
        ..Default::default()
    }
}

fn atomic(request_id: &str, requests: Vec<ChargeRequest>) -> BatchChargeRequest {
    BatchChargeRequest {
        book: BOOK.to_owned(),
        requests,
        atomic: true,
        request_id: request_id.to_owned(),
        ..Default::default()
    }
}

/// Asks for all of it, up to the index. The atomic calls: of three items, of
/// which one was applied before and two accounts use the same id; and one that
/// has the id of its first item.
async fn asked(ledger: &Ledger) -> Requests {
    let (a, b) = (account("tg:a"), account("tg:b"));
    for name in [&a, &b] {
        ledger.ledger().credit(credit(name, 1_000)).await.unwrap();
    }
    let annotations = Annotations {
        external_id: "task-7".to_owned(),
        ..Default::default()
    };
    let before = ChargeRequest {
        annotations: Some(annotations),
        ..charge(&a, 10)
    };
    ledger.ledger().charge(before.clone()).await.unwrap();
    let payment = payment(&b);
    ledger
        .payments()
        .record_payment(payment.clone())
        .await
        .unwrap();
    let transfer = TransferRequest {
        account: a.clone(),
        request_id: fresh_request(),
        destination_account: b.clone(),
        amount: Some(e2e_tests::client::rub(100)),
        ..Default::default()
    };
    ledger.ledger().transfer(transfer).await.unwrap();
    let first = charge(&a, 1);
    let same_id = ChargeRequest {
        request_id: first.request_id.clone(),
        ..charge(&b, 2)
    };
    let own_id = charge(&account("tg:c"), 0);
    let calls = vec![
        atomic(&fresh_request(), vec![before.clone(), first, same_id]),
        atomic(&own_id.request_id.clone(), vec![own_id, charge(&b, 3)]),
    ];
    for call in &calls {
        ledger.ledger().batch_charge(call.clone()).await.unwrap();
    }
    let hold = PlaceHoldRequest {
        account: b.clone(),
        request_id: fresh_request(),
        explicit_price: Some(e2e_tests::client::rub(50)),
        ..Default::default()
    };
    ledger.ledger().place_hold(hold).await.unwrap();
    let whole_index = GetAccountStatisticsRequest {
        account: b,
        ..Default::default()
    };
    ledger
        .accounts()
        .get_account_statistics(whole_index)
        .await
        .unwrap();
    Requests {
        charge: before,
        payment,
        calls,
    }
}

async fn derived(database: &Database) -> Vec<(&'static str, Vec<String>)> {
    let mut derived = Vec::new();
    for table in DERIVED {
        derived.push((table, rows(database, table).await));
    }
    derived
}

fn is_clean(verified: &Finished) {
    assert!(verified.status.success(), "{}", verified.output());
    assert!(verified.stdout.contains("clean"), "{}", verified.output());
}

fn replayed(answer: BatchChargeResponse) -> Vec<bool> {
    let items = answer.items.into_iter().map(|item| match item.outcome {
        Some(batch_charge_item::Outcome::Response(answer)) => answer.result.unwrap().replayed,
        other => panic!("{other:?}"),
    });
    items.collect()
}

/// All of it is known, and nothing of it is done again.
async fn all_are_repeats(ledger: &Ledger, requests: Requests) {
    let names = [account("tg:a"), account("tg:b"), account("tg:c")];
    let mut before = Vec::new();
    for name in &names {
        before.push(balance_of(&balances(ledger, name).await, "RUB"));
    }
    let charged = ledger.ledger().charge(requests.charge).await.unwrap();
    assert!(charged.into_inner().result.unwrap().replayed);
    let mut payments: PaymentServiceClient<_> = ledger.payments();
    let paid = payments
        .record_payment(requests.payment.clone())
        .await
        .unwrap();
    let paid = paid.into_inner();
    assert!(paid.result.unwrap().replayed);
    for provider_id in requests.payment.provider_ids.clone() {
        let kind = provider_id.kind.clone();
        let mut ids = vec![provider_id];
        if kind != "payment" {
            let id = fresh_request();
            ids.push(ProviderId {
                kind: "payment".to_owned(),
                id,
            });
        }
        let other = RecordPaymentRequest {
            request_id: fresh_request(),
            provider_ids: ids,
            ..requests.payment.clone()
        };
        let answer = payments.record_payment(other).await;
        if kind == "payment" {
            let status = answer.unwrap_err();
            assert_eq!(reason(&status), "PAYMENT_ALREADY_RECORDED");
        } else {
            // Found by an id of another kind: a second payment of the same thing.
            let answer = answer.unwrap().into_inner();
            assert_eq!(answer.payment, paid.payment, "{kind}");
            assert_eq!(answer.anomaly(), PaymentAnomalyKind::PaidTwice, "{kind}");
        }
    }
    for call in requests.calls {
        let again = ledger.ledger().batch_charge(call.clone()).await.unwrap();
        assert!(
            replayed(again.into_inner())
                .into_iter()
                .all(|replayed| replayed)
        );
        let other = BatchChargeRequest {
            requests: vec![charge(&names[0], 0)],
            ..call
        };
        let status = ledger.ledger().batch_charge(other).await.unwrap_err();
        assert_eq!(reason(&status), "REQUEST_ID_REUSED");
    }
    for (name, before) in names.iter().zip(before) {
        assert_eq!(
            balance_of(&balances(ledger, name).await, "RUB"),
            before,
            "{name}"
        );
    }
}

on_both_backends! {
    async fn rebuild_makes_everything_beside_the_events_anew(backend: Backend) {
        let database = backend.database().await;
        let options = Options::media_lab(&database.url);
        let mut ledger = Ledger::start(&options).await;
        let requests = asked(&ledger).await;
        assert!(ledger.terminate().await.success());
        is_clean(&verify(&database.url).await);
        let before = derived(&database).await;
        let events = rows(&database, "events").await;

        for table in DERIVED {
            execute(&database, &format!("DELETE FROM {{ledger}}{table}")).await;
        }
        assert!(derived(&database).await.iter().all(|(_, rows)| rows.is_empty()));
        let damaged = verify(&database.url).await;
        assert_eq!(damaged.status.code(), Some(1), "{}", damaged.output());

        let rebuilt = rebuild(&database.url).await;
        assert!(rebuilt.status.success(), "{}", rebuilt.output());
        for ((table, before), (_, after)) in before.iter().zip(derived(&database).await) {
            assert!(!before.is_empty(), "{table}");
            assert_eq!(&after, before, "{table}");
        }
        assert_eq!(rows(&database, "events").await, events);
        is_clean(&verify(&database.url).await);

        let ledger = Ledger::start(&options).await;
        all_are_repeats(&ledger, requests).await;
        ledger.ledger().charge(charge(&account("tg:a"), 1)).await.unwrap();
        is_clean(&ledger.verify().await);
    }

    async fn rebuild_removes_what_no_event_made(backend: Backend) {
        let database = backend.database().await;
        let mut ledger = Ledger::start(&Options::media_lab(&database.url)).await;
        asked(&ledger).await;
        assert!(ledger.terminate().await.success());
        let before = derived(&database).await;
        execute(
            &database,
            "UPDATE {ledger}requests SET account = 'tg:nobody' WHERE position = 5;
             UPDATE {ledger}external_ids SET merchant_account = 'another' WHERE kind = 'charge';
             UPDATE {ledger}accounts SET account = 'tg:nobody' WHERE account = 'tg:c';
             UPDATE {ledger}account_events SET account = 'tg:nobody', external_id = 'x' WHERE position = 5;
             UPDATE {ledger}statistics SET key = 'nothing' WHERE key = 'RUB';
             UPDATE {ledger}account_days SET account = 'tg:nobody' WHERE account = 'tg:c'",
        )
        .await;
        assert_ne!(derived(&database).await, before);
        let rebuilt = rebuild(&database.url).await;
        assert!(rebuilt.status.success(), "{}", rebuilt.output());
        assert_eq!(derived(&database).await, before);
    }

    async fn rebuild_is_refused_while_a_service_runs(backend: Backend) {
        let database = backend.database().await;
        let options = Options::media_lab(&database.url);
        let mut ledger = Ledger::start(&options).await;
        asked(&ledger).await;
        let charges = async |ledger: &Ledger| {
            ledger.ledger().charge(charge(&account("tg:a"), 1)).await.unwrap();
        };
        // One that runs; and one that is being started in place of another.
        for restarts in [false, true] {
            if restarts {
                assert!(ledger.terminate().await.success());
                ledger = Ledger::start(&options).await;
            }
            let refused = rebuild(&database.url).await;
            assert_eq!(refused.status.code(), Some(1), "{}", refused.output());
            let (who, what) = match backend {
                Backend::Sqlite => ("another ledger process has", "one process serves"),
                Backend::Postgres => ("a ledger service is using this database", "stop all of its instances"),
            };
            for part in [who, what] {
                assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
            }
            charges(&ledger).await;
        }
        is_clean(&ledger.verify().await);
        assert!(ledger.terminate().await.success());
        let rebuilt = rebuild(&database.url).await;
        assert!(rebuilt.status.success(), "{}", rebuilt.output());
        is_clean(&verify(&database.url).await);
    }
}
