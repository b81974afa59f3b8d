//! Starting and stopping: wrong settings are told, an outage of the database is
//! told and survived, a stop finishes what is in work.
#![cfg(test)]

use e2e_tests::{
    Backend, Ledger,
    client::{account, balance_of, balances, charge, credit, events, fresh_account, reason},
    eventually, fresh_id, http, in_workspace,
    ledger::Options,
    on_both_backends,
    postgres::Cluster,
    process::{Finished, Program},
    raw,
    sql::{file, files_beside},
};
use ledger_proto::v1::{AssetAmount, Event, QuoteChargeRequest, event::Payload};
use sqlx::{Connection as _, PgConnection};
use std::{fs, time::Duration};
use tempfile::TempDir;
use tonic::{Code, Request, Status};

const DEADLINE: Duration = Duration::from_secs(60);
const HEALTH: &str = "/grpc.health.v1.Health/Check";

async fn run(arguments: &[&str]) -> Finished {
    let mut program = Program::ours("ledger-service");
    for argument in arguments {
        program = program.argument(argument);
    }
    program.run(DEADLINE).await
}

/// What `/readyz` and `grpc.health.v1` say: 200 and 1 are yes, 503 and 2 no.
async fn health(ledger: &Ledger) -> (u16, u8) {
    let (ready, _) = http::get(&format!("http://{}/readyz", ledger.http())).await;
    let health = raw::call(ledger.channel(), HEALTH, "").await.unwrap();
    (ready, *health.last().unwrap())
}

async fn health_becomes(ledger: &Ledger, expected: (u16, u8)) {
    let what = format!("health becomes {expected:?}");
    eventually(&what, DEADLINE, async || {
        (health(ledger).await == expected).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_of_other_machines_and_all_other_errors_are_told_at_once() {
    let database = Backend::Sqlite.database().await;
    let refused = run(&[
        "serve",
        "--database-url",
        &database.url,
        "--grpc-addr",
        "0.0.0.0:0",
        "--http-addr",
        "[::]:0",
        "--log-format",
        "xml",
    ])
    .await;
    assert_eq!(refused.status.code(), Some(64), "{}", refused.output());
    for part in [
        "grpc_addr: 0.0.0.0:0 is not a loopback address",
        "http_addr: [::]:0 is not a loopback address",
        "xml",
    ] {
        assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
    }
    let refused = run(&[
        "serve",
        "--database-url",
        "mysql://root:hunter2@localhost/x",
    ])
    .await;
    assert_eq!(refused.status.code(), Some(64), "{}", refused.output());
    assert!(
        !refused.output().contains("hunter2"),
        "{}",
        refused.output()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_in_use_is_told() {
    let databases = [
        Backend::Sqlite.database().await,
        Backend::Sqlite.database().await,
    ];
    let first = Ledger::start(&Options::media_lab(&databases[0].url)).await;
    let second = Options {
        grpc_addr: first.grpc().to_string(),
        ..Options::media_lab(&databases[1].url)
    };
    let refused = second.program().run(DEADLINE).await;
    assert_eq!(refused.status.code(), Some(1), "{}", refused.output());
    for part in [first.grpc().to_string().as_str(), "--grpc-addr"] {
        assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_the_database_is_told_and_survived() {
    let mut cluster = Cluster::start().await;
    let url = cluster.fresh_database().await;
    let mut ledger = Ledger::start(&Options::media_lab(&url)).await;
    let account = fresh_account();
    ledger
        .ledger()
        .credit(credit(&account, 1_000))
        .await
        .unwrap();
    health_becomes(&ledger, (200, 1)).await;

    cluster.stop().await;
    health_becomes(&ledger, (503, 2)).await;
    let lost = charge(&account, 300);
    let statuses: [Status; 2] = [
        ledger.ledger().charge(lost.clone()).await.unwrap_err(),
        ledger
            .accounts()
            .get_balance(ledger_proto::v1::GetBalanceRequest {
                account: account.clone(),
                ..Default::default()
            })
            .await
            .unwrap_err(),
    ];
    for status in statuses {
        let found = (status.code(), reason(&status));
        assert_eq!(
            found,
            (Code::Unavailable, "DATABASE_UNAVAILABLE".to_owned())
        );
    }
    assert_eq!(
        http::get(&format!("http://{}/healthz", ledger.http()))
            .await
            .0,
        200
    );

    cluster.restart().await;
    health_becomes(&ledger, (200, 1)).await;
    let answer = ledger.ledger().charge(lost).await.unwrap().into_inner();
    assert!(!answer.result.unwrap().replayed, "it had not been applied");
    assert_eq!(balance_of(&balances(&ledger, &account).await, "RUB"), 700);
    assert!(ledger.terminate().await.success());
    let verified = ledger.verify().await;
    assert!(verified.status.success(), "{}", verified.output());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_finishes_what_is_in_work() {
    let database = Backend::Postgres.database().await;
    let mut ledger = Ledger::start(&Options::media_lab(&database.url)).await;
    let account = fresh_account();
    ledger
        .ledger()
        .credit(credit(&account, 1_000))
        .await
        .unwrap();

    // Somebody holds the head's row, so that the charge stays in work.
    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    let mut lock = connection.begin().await.unwrap();
    sqlx::query("SELECT FROM ledger.logs FOR UPDATE")
        .execute(&mut *lock)
        .await
        .unwrap();
    let mut client = ledger.ledger();
    let request = charge(&account, 300);
    let sent = request.clone();
    let call = tokio::spawn(async move { client.charge(sent).await });
    eventually("the charge waits for the row", DEADLINE, async || {
        let waiting: bool = sqlx::query_scalar(
            "SELECT count(*) > 0 FROM pg_stat_activity
             WHERE datname = current_database() AND wait_event_type = 'Lock'",
        )
        .fetch_one(&mut *lock)
        .await
        .unwrap();
        waiting.then_some(())
    })
    .await;
    let pid = ledger.pid().to_string();
    let signalled = std::process::Command::new("kill")
        .args(["-TERM", &pid])
        .status();
    assert!(signalled.unwrap().success());
    eventually("it begins to stop", DEADLINE, async || {
        ledger.stderr().contains("stopping").then_some(())
    })
    .await;
    lock.rollback().await.unwrap();

    let answer = call.await.unwrap();
    let answer = answer.unwrap_or_else(|status| panic!("cut off: {status:?}"));
    assert!(!answer.into_inner().result.unwrap().replayed);
    assert_eq!(ledger.wait("stop").await.code(), Some(0));
    let ledger = Ledger::start(&Options::media_lab(&database.url)).await;
    let again = ledger.ledger().charge(request).await.unwrap().into_inner();
    assert!(again.result.unwrap().replayed);
    assert_eq!(balance_of(&balances(&ledger, &account).await, "RUB"), 700);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clean_stop_leaves_one_sqlite_file_with_everything() {
    let database = Backend::Sqlite.database().await;
    let mut ledger = Ledger::start(&Options::media_lab(&database.url)).await;
    let account = fresh_account();
    for _ in 0..20 {
        ledger.ledger().credit(credit(&account, 5)).await.unwrap();
    }
    assert_eq!(balance_of(&balances(&ledger, &account).await, "RUB"), 100);
    assert!(ledger.terminate().await.success());

    let path = file(&database.url).unwrap();
    let mut files = files_beside(&path);
    let content = files.remove("ledger.db").unwrap();
    assert!(files.values().all(Vec::is_empty), "{:?}", files.keys());
    let left: Vec<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(left, ["ledger.db.lock"]);

    // The file alone is the ledger.
    let other = Backend::Sqlite.database().await;
    fs::write(file(&other.url).unwrap(), content).unwrap();
    let ledger = Ledger::start(&Options::media_lab(&other.url)).await;
    assert_eq!(balance_of(&balances(&ledger, &account).await, "RUB"), 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_who_gave_up_cost_others_on_the_connection_nothing() {
    let database = Backend::Sqlite.database().await;
    let ledger = Ledger::start(&Options::media_lab(&database.url)).await;
    let account = fresh_account();
    ledger
        .ledger()
        .credit(credit(&account, 1_000))
        .await
        .unwrap();

    // The service stands still; 25 callers don't wait for it, one does.
    ledger.freeze();
    let (mut client, request) = (ledger.ledger(), charge(&account, 500));
    let patient = tokio::spawn(async move { client.charge(request).await });
    let mut impatient = tokio::task::JoinSet::new();
    for _ in 0..25 {
        let (mut client, request) = (ledger.ledger(), charge(&account, 1));
        impatient.spawn(async move {
            // One after the other, as callers do who try again.
            for _ in 0..8 {
                let mut request = Request::new(request.clone());
                request.set_timeout(Duration::from_millis(50));
                let status = client.charge(request).await.unwrap_err();
                let code = status.code();
                assert!(
                    [Code::Cancelled, Code::DeadlineExceeded].contains(&code),
                    "{status:?}"
                );
            }
        });
    }
    while let Some(ended) = impatient.join_next().await {
        ended.unwrap();
    }
    ledger.thaw();
    let answer = patient.await.unwrap();
    assert!(answer.is_ok(), "a patient caller is answered: {answer:?}");
}

on_both_backends! {
    async fn a_stop_under_load_loses_nothing_acknowledged(backend: Backend) {
        let database = backend.database().await;
        let options = Options::media_lab(&database.url);
        let mut ledger = Ledger::start(&options).await;
        let account = fresh_account();
        ledger.ledger().credit(credit(&account, 1_000_000)).await.unwrap();
        let mut calls = tokio::task::JoinSet::new();
        for _ in 0..300 {
            let (mut client, request) = (ledger.ledger(), charge(&account, 1));
            calls.spawn(async move { client.charge(request).await });
        }
        let mut acknowledged = 0;
        while acknowledged == 0 {
            acknowledged += i64::from(calls.join_next().await.unwrap().unwrap().is_ok());
        }
        assert_eq!(ledger.terminate().await.code(), Some(0));
        while let Some(answer) = calls.join_next().await {
            match answer.unwrap() {
                Ok(_) => acknowledged += 1,
                Err(status) => assert!(
                    [Code::Unavailable, Code::Unknown, Code::Cancelled, Code::Internal].contains(&status.code()),
                    "{status:?}"
                ),
            }
        }
        let ledger = Ledger::start(&options).await;
        let left = balance_of(&balances(&ledger, &account).await, "RUB");
        assert!(1_000_000 - left >= acknowledged, "{left} are left after {acknowledged} charges");
        let charges = events(&ledger, None).await;
        let charges = charges.iter().filter(|event| matches!(event.payload, Some(Payload::Debited(_))));
        assert_eq!(charges.count() as i64, 1_000_000 - left);
    }

    async fn the_environment_changes_prices_as_a_version_of_the_catalog(backend: Backend) {
        let database = backend.database().await;
        let with = |price: &str| Options {
            environment: vec![
                ("PRICE_PER_OPERATION".to_owned(), price.to_owned()),
                ("FREE_OPERATIONS_COUNT".to_owned(), "2".to_owned()),
                ("REDIS_URL".to_owned(), "redis://localhost:6379/0".to_owned()),
            ],
            ..Options::media_lab(&database.url)
        };
        let price = async |ledger: &Ledger| {
            let quote = QuoteChargeRequest { account: account("tg:1"), operation: "generate".to_owned(), ..Default::default() };
            let quote = ledger.ledger().quote_charge(quote).await.unwrap().into_inner();
            quote.alternatives.last().cloned().unwrap()
        };
        let rub = |amount| AssetAmount { asset: "RUB".to_owned(), amount };
        for (setting, amount) in [("9.90", 990), ("9.90", 990), ("12", 1_200)] {
            let mut ledger = Ledger::start(&with(setting)).await;
            assert_eq!(price(&ledger).await, rub(amount));
            assert_eq!(balance_of(&balances(&ledger, &account("tg:1")).await, "FREE_OP"), 2);
            assert!(ledger.stderr().contains("REDIS_URL"), "{}", ledger.stderr());
            assert!(!ledger.stderr().contains("redis://"), "{}", ledger.stderr());
            assert!(ledger.terminate().await.success());
        }
        let mut ledger = Ledger::start(&Options::media_lab(&database.url)).await;
        assert_eq!(price(&ledger).await, rub(1_000));
        let all = events(&ledger, None).await;
        let catalogs: Vec<_> = all.iter().filter_map(catalog).collect();
        let expected = [(1, Some("9.90")), (2, Some("12")), (3, None)];
        assert_eq!(catalogs, expected.map(|(version, price)| (version, price.map(str::to_owned))));

        assert!(ledger.terminate().await.success());
        let wrong = with("a lot").program().run(DEADLINE).await;
        assert_eq!(wrong.status.code(), Some(1), "{}", wrong.output());
        assert!(wrong.stderr.contains("PRICE_PER_OPERATION"), "{}", wrong.stderr);
    }

    async fn the_command_line_calls_and_shows_reasons(backend: Backend) {
        let database = backend.database().await;
        let ledger = Ledger::start(&Options::media_lab(&database.url)).await;
        let addr = ledger.grpc().to_string();
        let name = account("tg:1");
        let call = async |method: &str, json: &str| run(&["call", "--addr", &addr, method, json]).await;
        let id = fresh_id();
        let json = format!(r#"{{"account": "{name}", "requestId": "{id}", "operation": "generate"}}"#);
        let charged = call("LedgerService/Charge", &json).await;
        assert!(charged.status.success(), "{}", charged.output());
        let answer: serde_json::Value = serde_json::from_str(&charged.stdout).unwrap();
        assert_eq!(answer["price"]["asset"], "FREE_OP");
        assert_eq!(answer["result"]["events"][0]["origin"], "cli");
        let again = call("LedgerService/Charge", &json).await;
        let answer: serde_json::Value = serde_json::from_str(&again.stdout).unwrap();
        assert_eq!(answer["result"]["replayed"], true);

        let json = format!(r#"{{"account": "{name}", "requestId": "{}", "explicitPrice": {{"asset": "RUB", "amount": "500"}}}}"#, fresh_id());
        let refused = call("LedgerService/Charge", &json).await;
        assert_eq!(refused.status.code(), Some(1));
        for part in ["INSUFFICIENT_FUNDS", "shortfall_amount: 500", "FailedPrecondition"] {
            assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
        }
        let refused = call("LedgerService/Charge", "{}").await;
        assert_eq!(refused.status.code(), Some(1));
        for part in ["INVALID_REQUEST", "account: ", "request_id: ", "operation: "] {
            assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
        }
        for (method, json) in [("LedgerService/Steal", "{}"), ("LedgerService/Charge", r#"{"acount": 1}"#)] {
            let refused = call(method, json).await;
            assert_eq!(refused.status.code(), Some(64), "{}", refused.output());
        }
        let listed = run(&["call"]).await;
        assert!(listed.stdout.contains("EventService/SubscribeEvents"), "{}", listed.output());
        let book = r#"{"book": "books/media-lab"}"#;
        let stream = run(&["call", "--addr", &addr, "--limit", "2", "EventService/SubscribeEvents", book]).await;
        assert!(stream.stdout.contains("catalogApplied"), "{}", stream.output());
        let nobody = run(&["call", "--addr", "127.0.0.1:1", "EventService/ListEvents", book]).await;
        assert_eq!(nobody.status.code(), Some(1));
        assert!(nobody.stderr.contains("cannot be reached"), "{}", nobody.stderr);
    }
}

/// The version of the catalog that an event applies, if it does, and what the
/// environment made of the price in it.
fn catalog(event: &Event) -> Option<(i64, Option<String>)> {
    let Some(Payload::CatalogApplied(applied)) = &event.payload else {
        return None;
    };
    let price = applied.overrides.get("PRICE_PER_OPERATION").cloned();
    Some((applied.catalog_version, price))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_is_checked_with_all_errors_and_their_lines() {
    let path = in_workspace("ledger-service/catalogs/media-lab.toml");
    let good = run(&["catalog", "check", path.to_str().unwrap()]).await;
    assert!(good.status.success(), "{}", good.output());
    assert!(good.output().contains("media-lab"), "{}", good.output());

    let directory = TempDir::new().unwrap();
    let file = directory.path().join("bad.toml");
    let text = "schema = 1\nbook = 'Bad Book'\n[assets.RUB]\nkind = 'gold'\nexponent = 2\n\
                [operations.draw]\nprices = [{ asset = 'EUR', amount = -1 }]\nsurprise = true\n";
    fs::write(&file, text).unwrap();
    let bad = run(&["catalog", "check", file.to_str().unwrap()]).await;
    assert_eq!(bad.status.code(), Some(64), "{}", bad.output());
    for part in [
        "line 2: book: ",
        "line 4: assets.RUB.kind: ",
        "line 7: operations.draw.prices[0].asset: ",
        "line 7: operations.draw.prices[0].amount: ",
        "line 8: operations.draw.surprise: ",
    ] {
        assert!(
            bad.stderr.contains(part),
            "{part} is missing:\n{}",
            bad.stderr
        );
    }
    let missing = directory.path().join("none.toml");
    let missing = run(&["catalog", "check", missing.to_str().unwrap()]).await;
    assert!(
        missing.stderr.contains("none.toml: cannot be read"),
        "{}",
        missing.stderr
    );
}
