//! Batches, whose items fail alone or all together, and dry runs, which check
//! all and write nothing.
#![cfg(test)]

use e2e_tests::{
    Ledger,
    billing::BOOK,
    client::{account, balance_of, balances, charge, credit, events, fresh_request, head, reason},
    ledger::Options,
    on_both_backends,
};
use ledger_proto::v1::{
    BatchChargeRequest, BatchCreditRequest, ChargeRequest, CreditRequest, MutationResult,
    batch_charge_item, batch_credit_item,
};
use tonic_types::StatusExt as _;

/// Balance and held part of an asset in an answer.
fn totals(result: Option<&MutationResult>, asset: &str) -> (i64, i64) {
    let balances = &result.unwrap().balances;
    let found = balances.iter().find(|balance| balance.asset == asset);
    found.map_or((0, 0), |balance| (balance.balance, balance.held))
}

on_both_backends! {
    async fn items_of_a_batch_fail_alone_unless_it_is_atomic(backend: Backend) {
        let database = backend.database().await;
        let ledger = Ledger::start(&Options::media_lab(&database.url)).await;
        let (a, b) = (account("tg:a"), account("tg:b"));
        let credits = BatchCreditRequest {
            book: BOOK.to_owned(),
            requests: vec![credit(&a, 1_000), credit(&b, 10), credit(&a, 1)],
            ..Default::default()
        };
        let credited = ledger.ledger().batch_credit(credits.clone()).await.unwrap().into_inner();
        assert_eq!(credited.items.len(), 3);
        let again = ledger.ledger().batch_credit(credits).await.unwrap().into_inner();
        for (first, again) in credited.items.iter().zip(&again.items) {
            let (Some(batch_credit_item::Outcome::Response(first)), Some(batch_credit_item::Outcome::Response(again))) =
                (&first.outcome, &again.outcome) else { panic!("{credited:?}\n{again:?}") };
            let mut expected = first.clone();
            expected.result.as_mut().unwrap().replayed = true;
            assert_eq!(*again, expected);
        }

        let charges = BatchChargeRequest {
            book: BOOK.to_owned(),
            requests: vec![charge(&a, 600), charge(&b, 20), charge(&a, 401)],
            ..Default::default()
        };
        let charged = ledger.ledger().batch_charge(charges.clone()).await.unwrap().into_inner();
        let refused = |item: Option<&ledger_proto::v1::BatchChargeItem>| match &item.unwrap().outcome {
            Some(batch_charge_item::Outcome::Error(status)) => Some(status.message.clone()),
            Some(batch_charge_item::Outcome::Response(_)) | None => None,
        };
        assert_eq!(refused(charged.items.first()), None);
        assert!(refused(charged.items.get(1)).is_some_and(|message| message.contains("20 RUB")));
        assert_eq!(refused(charged.items.get(2)), None);
        // What was applied is replayed, what was refused is decided anew.
        ledger.ledger().credit(credit(&b, 10)).await.unwrap();
        let again = ledger.ledger().batch_charge(charges).await.unwrap().into_inner();
        let replayed: Vec<_> = again.items.iter().map(|item| match &item.outcome {
            Some(batch_charge_item::Outcome::Response(answer)) => answer.result.as_ref().unwrap().replayed,
            other => panic!("{other:?}"),
        }).collect();
        assert_eq!(replayed, [true, false, true]);

        let before = head(&ledger).await;
        let atomic = |requests| BatchChargeRequest {
            book: BOOK.to_owned(), requests, atomic: true, request_id: fresh_request(), ..Default::default()
        };
        let status = ledger.ledger().batch_charge(atomic(vec![charge(&a, 0), charge(&b, 1)])).await.unwrap_err();
        assert_eq!(reason(&status), "BATCH_ITEM_REFUSED");
        let details = status.get_error_details();
        assert_eq!(details.error_info().unwrap().metadata["index"], "1");
        assert_eq!(head(&ledger).await, before, "all or nothing");
        ledger.ledger().credit(credit(&b, 1)).await.unwrap();
        let request = atomic(vec![charge(&a, 0), charge(&b, 1)]);
        for replayed in [false, true] {
            let done = ledger.ledger().batch_charge(request.clone()).await.unwrap().into_inner();
            for item in done.items {
                let Some(batch_charge_item::Outcome::Response(answer)) = item.outcome else { panic!() };
                assert_eq!(answer.result.unwrap().replayed, replayed);
            }
        }
        let other = BatchChargeRequest { requests: vec![charge(&a, 0)], ..request };
        let status = ledger.ledger().batch_charge(other).await.unwrap_err();
        assert_eq!(reason(&status), "REQUEST_ID_REUSED");
    }

    async fn a_dry_run_checks_all_and_writes_nothing(backend: Backend) {
        let database = backend.database().await;
        let ledger = Ledger::start(&Options::media_lab(&database.url)).await;
        let a = account("tg:a");
        let before = head(&ledger).await;
        let dry = CreditRequest { validate_only: true, ..credit(&a, 500) };
        let answer = ledger.ledger().credit(dry.clone()).await.unwrap().into_inner();
        let result = answer.result.unwrap();
        assert_eq!(result.events.len(), 3, "opened, welcomed, credited: {result:?}");
        for event in &result.events {
            assert_eq!((event.position, event.name.as_str(), event.hash.len()), (0, "", 0));
        }
        assert_eq!(totals(Some(&result), "RUB"), (500, 0));
        let refused = ChargeRequest { validate_only: true, ..charge(&a, 1) };
        let status = ledger.ledger().charge(refused).await.unwrap_err();
        assert_eq!(reason(&status), "INSUFFICIENT_FUNDS");
        assert_eq!(head(&ledger).await, before);
        assert!(balances(&ledger, &a).await.not_opened);

        // The id is free still; once it is used, a dry run is a repeat.
        let wet = CreditRequest { validate_only: false, ..dry.clone() };
        let first = ledger.ledger().credit(wet).await.unwrap().into_inner().result.unwrap();
        assert!(!first.replayed);
        let again = ledger.ledger().credit(dry).await.unwrap().into_inner().result.unwrap();
        assert!(again.replayed);
        assert_eq!(again.events, first.events);
        assert_eq!(balance_of(&balances(&ledger, &a).await, "RUB"), 500);
        assert_eq!(events(&ledger, None).await.split_off(before as usize), first.events);
    }
}
