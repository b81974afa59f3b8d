//! The harness keeps its own promises: servers of one's own can be killed and
//! come back, stand-ins answer, signals reach their process.
#![cfg(test)]

use e2e_tests::{
    Backend, StandIns, gateway::sample, http, postgres::Cluster, process::Process,
    process::Program, stand_ins::python,
};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection, Row as _};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_cluster_comes_back_with_what_was_committed() {
    let mut cluster = Cluster::start().await;
    let url = cluster.fresh_database().await;
    let mut connection = PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)")
        .execute(&mut connection)
        .await
        .unwrap();

    cluster.kill9().await;
    assert!(
        PgConnection::connect(&url).await.is_err(),
        "the server is gone"
    );
    cluster.restart().await;

    let mut connection = PgConnection::connect(&url).await.unwrap();
    let row = sqlx::query("SELECT n FROM kept")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(row.get::<i32, _>(0), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_keeps_safe_durability() {
    let cluster = Cluster::start().await;
    let mut connection = PgConnection::connect(&cluster.url("postgres"))
        .await
        .unwrap();
    for setting in ["fsync", "full_page_writes", "synchronous_commit"] {
        let row = sqlx::query("SELECT current_setting($1)")
            .bind(setting)
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert_eq!(row.get::<String, _>(0), "on", "{setting}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn databases_are_fresh() {
    for backend in Backend::all() {
        let (one, other) = (backend.database().await, backend.database().await);
        assert_ne!(one.url, other.url, "{backend}");
    }
    let database = Backend::Postgres.database().await;
    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    let tables = sqlx::query("SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    assert!(tables.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn stand_ins_answer_for_registered_payments_only() {
    let stand_ins = StandIns::start().await;
    let payment: Value = serde_json::from_str(&sample("payment.json")).unwrap();
    stand_ins.register_payment(&payment).await;

    let known = format!(
        "{}/v3/payments/{}",
        stand_ins.url(),
        payment["id"].as_str().unwrap()
    );
    let basic = "Basic MTAwNTAwOnRlc3Rfc2VjcmV0";
    let get = async |url: &str, authorization: &str| {
        let request = http::client()
            .get(url)
            .header("authorization", authorization);
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (
            status,
            serde_json::from_str::<Value>(&response.text().await.unwrap()).unwrap(),
        )
    };
    assert_eq!(get(&known, basic).await, (200, payment));
    let (status, error) = get(&known, "Basic MTAwNTAwOndyb25n").await;
    assert_eq!(
        (status, &error["code"]),
        (401, &json!("invalid_credentials"))
    );
    let (status, error) = get(&format!("{}/v3/payments/x", stand_ins.url()), basic).await;
    assert_eq!((status, &error["code"]), (404, &json!("not_found")));
}

#[tokio::test(flavor = "multi_thread")]
async fn stand_ins_keep_messages() {
    let stand_ins = StandIns::start().await;
    let url = format!("{}/bot7:secret/sendmessage", stand_ins.url());
    let body = json!({"chat_id": 700000001, "text": "Баланс: 499.00 ₽"});
    let (status, answer) = http::post(&url, &[], body.to_string()).await;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!((status, &answer["ok"]), (200, &json!(true)));
    assert_eq!(answer["result"]["text"], body["text"]);
    assert_eq!(stand_ins.texts(1).await, ["Баланс: 499.00 ₽"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_stops_when_asked_and_dies_when_killed() {
    let program = Program::new("stand-ins", python())
        .argument(e2e_tests::in_workspace("docs/examples/stand_ins.py"))
        .argument("--port=0");
    let mut process = Process::start(&program).await;
    assert_eq!(process.terminate().await.code(), Some(0));

    let mut process = Process::start(&program).await;
    process.freeze();
    assert_eq!(process.kill9().await.code(), None, "it ended by a signal");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_process_answers_after_it_thawed() {
    let program = Program::new("stand-ins", python())
        .argument(e2e_tests::in_workspace("docs/examples/stand_ins.py"))
        .argument("--port=0");
    let process = Process::start(&program).await;
    let url = format!("http://{}/control/messages", process.address("http"));
    process.freeze();
    let mut call = tokio::spawn(async move { http::get(&url).await });
    let early = tokio::time::timeout(Duration::from_millis(300), &mut call).await;
    assert!(early.is_err(), "a frozen process answered");
    process.thaw();
    assert_eq!(call.await.unwrap().0, 200);
}

#[tokio::test(flavor = "multi_thread")]
#[should_panic(expected = "ended before it was ready")]
async fn a_process_that_fails_to_start_says_why() {
    let program = Program::new("stand-ins", python()).argument("--no-such-option");
    Process::start(&program).await;
}
