//! `verify` finds what was changed behind the service's back, and `rebuild`
//! makes anew what can be made from the events.
#![cfg(test)]

use e2e_tests::{
    Backend, Database, Ledger,
    client::{account, balances, charge, credit, events, fresh_request, rub},
    ledger::{Options, rebuild, verify},
    on_both_backends,
    sql::{execute, try_execute},
};
use futures::future::join_all;
use ledger_proto::v1::{
    EventFilter, GetAccountStatisticsRequest, GetBalanceResponse, PlaceHoldRequest, TransferRequest,
};

/// Makes a ledger with thirteen events, as far as its index; gives the balances.
async fn made(database: &Database) -> Vec<GetBalanceResponse> {
    let mut ledger = Ledger::start(&Options::media_lab(&database.url)).await;
    let (a, b) = (account("tg:a"), account("tg:b"));
    for name in [&a, &b] {
        ledger.ledger().credit(credit(name, 1_000)).await.unwrap();
        ledger.ledger().charge(charge(name, 10)).await.unwrap();
    }
    let transfer = TransferRequest {
        account: a.clone(),
        request_id: fresh_request(),
        destination_account: b.clone(),
        amount: Some(rub(100)),
        ..Default::default()
    };
    ledger.ledger().transfer(transfer).await.unwrap();
    let hold = PlaceHoldRequest {
        account: b,
        request_id: fresh_request(),
        explicit_price: Some(rub(50)),
        ..Default::default()
    };
    ledger.ledger().place_hold(hold).await.unwrap();
    let now = shown(&ledger).await;
    wait_for_index(&ledger).await;
    assert!(ledger.terminate().await.success());
    let verified = verify(&database.url).await;
    assert!(verified.status.success(), "{}", verified.output());
    assert!(
        verified.stdout.contains("clean: 13 events"),
        "{}",
        verified.stdout
    );
    now
}

/// Waits until the index has the last event, which is `tg:b`'s.
async fn wait_for_index(ledger: &Ledger) {
    let request = GetAccountStatisticsRequest {
        account: account("tg:b"),
        ..Default::default()
    };
    let statistics = ledger.accounts().get_account_statistics(request).await;
    assert_eq!(statistics.unwrap().into_inner().spent, [rub(10)]);
}

async fn shown(ledger: &Ledger) -> Vec<GetBalanceResponse> {
    let mut shown = Vec::new();
    for name in [account("tg:a"), account("tg:b")] {
        let balances = balances(ledger, &name).await;
        shown.push(GetBalanceResponse {
            read_time: None,
            ..balances
        });
    }
    shown
}

/// Lets events be changed, which triggers refuse.
async fn drop_triggers(database: &Database) {
    let statements = match database.backend {
        Backend::Sqlite => "DROP TRIGGER events_no_update; DROP TRIGGER events_no_delete;",
        Backend::Postgres => "DROP TRIGGER no_change ON ledger.events;",
    };
    execute(database, statements).await;
}

/// `verify` finds each of the damages, each in a ledger of its own.
async fn all_are_found(backend: Backend, damages: &[(&str, &str)]) {
    for (statements, finding) in damages {
        let database = backend.database().await;
        made(&database).await;
        drop_triggers(&database).await;
        execute(&database, statements).await;
        let verified = verify(&database.url).await;
        let output = verified.output();
        assert_eq!(verified.status.code(), Some(1), "{statements}: {output}");
        assert!(
            verified.stdout.contains(finding),
            "{statements}: {finding}: {output}"
        );
        assert!(!verified.stdout.contains("clean"), "{statements}: {output}");
    }
}

/// `verify` finds a damage, `rebuild` repairs it, and nothing is found then.
async fn rebuild_repairs(database: &Database, statements: &str, finding: &str) {
    execute(database, statements).await;
    let verified = verify(&database.url).await;
    let output = verified.output();
    assert_eq!(verified.status.code(), Some(1), "{statements}: {output}");
    assert!(verified.stdout.contains(finding), "{statements}: {output}");
    let rebuilt = rebuild(&database.url).await;
    assert!(
        rebuilt.status.success(),
        "{statements}: {}",
        rebuilt.output()
    );
    let verified = verify(&database.url).await;
    assert!(
        verified.status.success(),
        "{statements}: {}",
        verified.output()
    );
}

on_both_backends! {
    async fn verify_finds_changed_events(backend: Backend) {
        let bodies = "UPDATE {ledger}events SET body = (SELECT body FROM {ledger}events WHERE position = 4) WHERE position = 5";
        all_are_found(backend, &[
            (bodies, "event 5: its hash is not the one that its body and predecessor give"),
            ("UPDATE {ledger}events SET recorded_at_us = recorded_at_us + 1 WHERE position = 5", "event 5: the column recorded_at is not what the body says"),
            ("UPDATE {ledger}events SET account = 'tg:c' WHERE position = 5", "event 5: the column account is not what the body says"),
            ("UPDATE {ledger}events SET version = 99, kind = 1 WHERE position = 5", "event 5: the column kind is not what the body says"),
            ("UPDATE {ledger}events SET hash = (SELECT hash FROM {ledger}events WHERE position = 4) WHERE position = 5", "event 5: its hash"),
            ("DELETE FROM {ledger}events WHERE position = 5", "event 5 is missing"),
            ("DELETE FROM {ledger}events WHERE position = 13", "the head says 13, the last event is 12"),
        ]).await;
    }

    async fn verify_finds_changes_beside_the_events(backend: Backend) {
        all_are_found(backend, &[
            ("DELETE FROM {ledger}requests WHERE position = 6", "stored requests are not the"),
            ("UPDATE {ledger}requests SET position = 5 WHERE position = 6", "stored requests are not the"),
            ("DELETE FROM {ledger}account_events WHERE position = 5", "the index has"),
            ("UPDATE {ledger}account_events SET operations_delta = 7 WHERE position = 5", "the index has"),
            ("UPDATE {ledger}account_events SET external_id = 'x' WHERE position = 5", "the index has"),
            ("DELETE FROM {ledger}account_events", "the index has 0 rows up to event 13"),
            ("UPDATE {ledger}index_progress SET position = 5", "the index has rows up to event 13, beyond 5"),
            ("UPDATE {ledger}statistics SET value = value + 1", "statistics up to event 13 are not what the events add up to"),
            ("UPDATE {ledger}statistics SET origin = 'another'", "statistics up to event 13 are not"),
            ("DELETE FROM {ledger}account_days", "statistics up to event 13 are not"),
            ("UPDATE {ledger}account_days SET spent = 5", "statistics up to event 13 are not"),
            ("UPDATE {ledger}index_progress SET counted = 5", "statistics up to event 5 are not"),
            ("DELETE FROM {ledger}accounts WHERE account = 'tg:a'", "accounts have no stored state"),
            ("UPDATE {ledger}accounts SET state = (SELECT state FROM {ledger}accounts WHERE account = 'tg:b') WHERE account = 'tg:a'", "account tg:a: its state is not what its events make"),
            ("UPDATE {ledger}accounts SET due_at_us = NULL WHERE account = 'tg:b'", "account tg:b: its due time is later than what is due"),
            ("UPDATE {ledger}logs SET position = 12", "the head says 12"),
        ]).await;
    }

    /// As after a restore of some of the tables only.
    async fn verify_finds_tables_that_are_ahead_of_the_log(backend: Backend) {
        let back = "UPDATE {ledger}logs SET position = 10,
                        hash = (SELECT hash FROM {ledger}events WHERE position = 10),
                        recorded_at_us = (SELECT recorded_at_us FROM {ledger}events WHERE position = 10);
                    DELETE FROM {ledger}events WHERE position > 10;";
        let states = "DELETE FROM {ledger}requests WHERE position > 10;
                      DELETE FROM {ledger}account_events WHERE position > 10;
                      UPDATE {ledger}index_progress SET position = 10;";
        let index = "DELETE FROM {ledger}requests WHERE position > 10;";
        let provider = "INSERT INTO {ledger}external_ids (provider, merchant_account, kind, id, book, position)
                        VALUES ('yookassa', 'shop', 'payment', 'x', 'media-lab', 99)";
        all_are_found(backend, &[
            (back, "requests go on to event 13, beyond the last event, 10"),
            (&format!("{back}{states}"), "states go on to event 13, beyond the last event, 10"),
            (&format!("{back}{index}"), "index rows go on to event 13, beyond the last event, 10"),
            (&format!("{back}{index}"), "index checkpoints go on to event 13, beyond the last event, 10"),
            (provider, "ids of providers go on to event 99, beyond the last event, 13"),
        ]).await;
    }

    /// An index that is being built is not wrong, and it shows how far it is.
    async fn verify_says_how_far_the_index_is(backend: Backend) {
        let database = backend.database().await;
        made(&database).await;
        let verified = verify(&database.url).await;
        assert!(verified.stdout.contains("index: caught up to 13 of 13"), "{}", verified.output());
        execute(&database, "DELETE FROM {ledger}account_events; UPDATE {ledger}index_progress SET position = 0").await;
        let verified = verify(&database.url).await;
        assert!(verified.status.success(), "{}", verified.output());
        assert!(verified.stdout.contains("index: caught up to 0 of 13"), "{}", verified.output());
        assert!(verified.stdout.contains("statistics: caught up to 13 of 13"), "{}", verified.output());
    }

    async fn events_cannot_be_changed_by_mistake(backend: Backend) {
        let database = backend.database().await;
        made(&database).await;
        let mut statements = vec![
            "UPDATE {ledger}events SET version = version + 1 WHERE position = 5",
            "DELETE FROM {ledger}events",
            "DELETE FROM {ledger}events WHERE position = 5",
        ];
        statements.push(match backend {
            Backend::Sqlite => "INSERT OR REPLACE INTO events SELECT * FROM events WHERE position = 5",
            Backend::Postgres => "TRUNCATE ledger.events",
        });
        for statement in statements {
            let refused = try_execute(&database, statement).await.unwrap_err();
            assert!(refused.contains("events are never changed"), "{statement}: {refused}");
        }
        let verified = verify(&database.url).await;
        assert!(verified.status.success(), "{}", verified.output());
    }

    async fn rebuild_makes_states_anew(backend: Backend) {
        let database = backend.database().await;
        let before = made(&database).await;
        let zeros = match backend {
            Backend::Sqlite => "x'00'",
            Backend::Postgres => "'\\x00'",
        };
        let damages = [
            ("DELETE FROM {ledger}accounts".to_owned(), "accounts have no stored state"),
            (format!("UPDATE {{ledger}}accounts SET state = {zeros}"), "its state cannot be read"),
            ("UPDATE {ledger}accounts SET version = version + 1".to_owned(), "its state is not what its events make"),
            ("UPDATE {ledger}accounts SET fold_version = 0".to_owned(), "its state is of fold 0"),
        ];
        for (statements, finding) in damages {
            rebuild_repairs(&database, &statements, finding).await;
        }
        let ledger = Ledger::start(&Options::media_lab(&database.url)).await;
        assert_eq!(shown(&ledger).await, before);
        ledger.ledger().charge(charge(&account("tg:a"), 1)).await.unwrap();
    }

    async fn rebuild_and_a_running_service_make_the_index_anew(backend: Backend) {
        let damages = [
            ("DELETE FROM {ledger}account_events", "the index has 0 rows"),
            ("UPDATE {ledger}account_events SET kind = 1", "the index has"),
            ("DELETE FROM {ledger}account_events; DELETE FROM {ledger}accounts", "accounts have no stored state"),
        ];
        let mut databases = Vec::new();
        for (statements, finding) in damages {
            let database = backend.database().await;
            made(&database).await;
            rebuild_repairs(&database, statements, finding).await;
            databases.push(database);
        }
        // All at once: each of them waits for the lease of its predecessor.
        let indexing = databases.iter().map(async |database| {
            let mut ledger = Ledger::start(&Options::media_lab(&database.url)).await;
            wait_for_index(&ledger).await;
            let filter = EventFilter { account: account("tg:b"), ..Default::default() };
            assert_eq!(events(&ledger, Some(filter)).await.len(), 6);
            assert!(ledger.terminate().await.success());
            let verified = verify(&database.url).await;
            assert!(verified.status.success(), "{}", verified.output());
        });
        join_all(indexing).await;
    }

    async fn rebuild_refuses_a_damaged_log(backend: Backend) {
        let database = backend.database().await;
        made(&database).await;
        drop_triggers(&database).await;
        execute(&database, "DELETE FROM {ledger}events WHERE position = 5; DELETE FROM {ledger}accounts WHERE account = 'tg:a'").await;
        let rebuilt = rebuild(&database.url).await;
        assert_eq!(rebuilt.status.code(), Some(1), "{}", rebuilt.output());
        assert!(rebuilt.stderr.contains("event 5 is missing"), "{}", rebuilt.output());
        assert!(rebuilt.stderr.contains("verify"), "{}", rebuilt.output());
    }
}
