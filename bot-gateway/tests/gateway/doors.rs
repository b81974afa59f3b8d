//! The doors over real sockets.

use std::time::Duration;

use bot_gateway::limits;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::{
    backends::Database,
    eventually,
    stand_ins::{Remote, Running, telegram_ok},
};

const SECRET: &str = "hook-secret_1";
/// Nothing listens there: the ledger is down.
const NO_LEDGER: &str = "--ledger-url=http://127.0.0.1:1";
const PAID: &[u8] = br#"{"type":"notification","event":"payment.succeeded",
    "object":{"id":"p-1","status":"succeeded","amount":{"value":"499.00","currency":"RUB"}}}"#;
const BALANCE: &[u8] = br#"{"update_id":1,"message":{"message_id":1,"date":1,"text":"/balance",
    "chat":{"id":7,"type":"private"},"from":{"id":7,"is_bot":false,"first_name":"A"}}}"#;

async fn with_bot(database: &Database, telegram: &str) -> Running {
    let api = format!("--telegram-api-url={telegram}");
    let secret = format!("--telegram-webhook-secret={SECRET}");
    Running::start(database, &[NO_LEDGER, "--bot-token=1:token", &api, &secret]).await
}

#[tokio::test]
async fn the_bots_door_lets_telegram_in_and_nobody_else() {
    let database = Database::sqlite();
    let gateway = with_bot(&database, "http://127.0.0.1:1").await;
    let longer = format!("{SECRET}x");
    let cases = [
        ("/telegram/media_lab", None, 401),
        ("/telegram/media_lab", Some(""), 401),
        ("/telegram/media_lab", Some("wrong"), 401),
        ("/telegram/media_lab", Some(longer.as_str()), 401),
        ("/telegram/other_bot", Some(SECRET), 404),
        ("/telegram/media_lab", Some(SECRET), 200),
        ("/telegram/media_lab", Some(SECRET), 200),
    ];
    for (path, secret, status) in cases {
        assert_eq!(
            gateway.post(path, secret, BALANCE).await.status,
            status,
            "{path} {secret:?}"
        );
    }
    assert_eq!(
        gateway.inbox.count("waiting").await.unwrap(),
        1,
        "the second is a duplicate"
    );
    gateway.stop().await;
}

#[tokio::test]
async fn without_a_bot_its_door_says_so() {
    let database = Database::sqlite();
    let gateway = Running::start(&database, &[NO_LEDGER]).await;
    let reply = gateway
        .post("/telegram/media_lab", Some(SECRET), BALANCE)
        .await;
    assert_eq!(
        (reply.status, reply.retry_after.as_deref()),
        (503, Some("2"))
    );
    assert!(reply.text.contains("BOT_TOKEN"), "{}", reply.text);
    gateway.stop().await;
}

#[tokio::test]
async fn notifications_wait_until_there_is_a_shop() {
    let database = Database::sqlite();
    let gateway = Running::start(&database, &[NO_LEDGER]).await;
    for _ in 0..3 {
        assert_eq!(
            gateway.post("/yookassa/webhook", None, PAID).await.status,
            200
        );
    }
    assert_eq!(gateway.inbox.count("waiting").await.unwrap(), 1);
    gateway.stop().await;
}

#[tokio::test]
async fn what_nobody_can_read_is_stored_and_parked() {
    let database = Database::sqlite();
    let gateway = with_bot(&database, "http://127.0.0.1:1").await;
    let bodies: [&[u8]; 5] = [b"", b"not json", b"{\"update_id\":", b"\xff\xfe\x00", b"[]"];
    for body in bodies {
        assert_eq!(
            gateway.post("/yookassa/webhook", None, body).await.status,
            200
        );
        assert_eq!(
            gateway.post("/yookassa/webhook", None, body).await.status,
            200
        );
        let reply = gateway
            .post("/telegram/media_lab", Some(SECRET), body)
            .await;
        assert_eq!(reply.status, 200);
    }
    assert_eq!(gateway.inbox.count("parked").await.unwrap(), 10);
    assert_eq!(gateway.inbox.count("waiting").await.unwrap(), 0);
    let first = gateway.inbox.find(1).await.unwrap().unwrap();
    assert_eq!(first.last_error.as_deref(), Some("empty body"));
    gateway.stop().await;
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_before_it_is_read() {
    let database = Database::sqlite();
    let gateway = Running::start(&database, &[NO_LEDGER]).await;
    let address = gateway.url.trim_start_matches("http://").to_owned();
    let mut socket = TcpStream::connect(&address).await.unwrap();
    let head = format!(
        "POST /yookassa/webhook HTTP/1.1\r\nHost: {address}\r\nContent-Length: {}\r\n\r\n",
        1024 * 1024 + 1
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    timeout(Duration::from_secs(5), socket.read_exact(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    let largest = vec![b' '; 1024 * 1024];
    assert_eq!(
        gateway
            .post("/yookassa/webhook", None, &largest)
            .await
            .status,
        200
    );
    gateway.stop().await;
}

#[tokio::test]
async fn an_inbox_that_is_gone_is_503_with_when_to_come_back() {
    let database = Database::sqlite();
    let gateway = Running::start(&database, &[NO_LEDGER]).await;
    gateway.inbox.close().await;
    let reply = gateway.post("/yookassa/webhook", None, PAID).await;
    assert_eq!(
        (reply.status, reply.retry_after.as_deref()),
        (503, Some("2"))
    );
    let reply = gateway.get("/readyz").await;
    assert_eq!(reply.status, 503);
    assert!(
        reply.text.contains(r#""database":"unreachable""#),
        "{}",
        reply.text
    );
    gateway.stop().await;
}

#[tokio::test]
async fn an_inbox_that_is_full_is_503_with_when_to_come_back() {
    let database = Database::sqlite();
    let gateway = Running::start(&database, &[NO_LEDGER]).await;
    let rows = limits::ROWS_WAITING_MAX;
    database
        .execute(&format!(
            "WITH RECURSIVE numbers (n) AS \
                 (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {rows}) \
             INSERT INTO inbox (door, source_key, content_key, ordering_key, body, \
                 received_at_ms, state, next_attempt_at_ms) \
             SELECT 'yookassa', 'n' || n, '', 'n' || n, x'7b', 0, 'waiting', 0 FROM numbers"
        ))
        .await;
    let reply = gateway.post("/yookassa/webhook", None, PAID).await;
    assert_eq!(
        (reply.status, reply.retry_after.as_deref()),
        (503, Some("2"))
    );
    assert!(
        reply.text.contains("too many bodies wait"),
        "{}",
        reply.text
    );
    gateway.stop().await;
}

#[tokio::test]
async fn probes_say_what_they_know() {
    let database = Database::sqlite();
    let gateway = Running::start(&database, &[NO_LEDGER]).await;
    assert_eq!(gateway.get("/healthz").await.status, 200);
    assert!(gateway.get("/").await.text.contains("bot-gateway"));
    let ready = gateway.get("/readyz").await;
    assert_eq!(ready.status, 503);
    assert_eq!(
        ready.text,
        r#"{"database":"ok","ledger":"unreachable","ready":false}"#
    );
    assert_eq!(gateway.get("/yookassa/webhook").await.status, 405);
    assert_eq!(gateway.get("/nothing").await.status, 404);
    gateway.stop().await;
}

#[tokio::test]
async fn a_checkout_is_refused_before_its_door_answers() {
    let database = Database::sqlite();
    let telegram = Remote::start([telegram_ok()]).await;
    let gateway = with_bot(&database, &telegram.url).await;
    let checkout = br#"{"update_id":3,"pre_checkout_query":{"id":"30064","from":{"id":7,
        "is_bot":false,"first_name":"A","language_code":"ru"},"currency":"XTR","total_amount":250,
        "invoice_payload":"x"}}"#;
    let reply = gateway
        .post("/telegram/media_lab", Some(SECRET), checkout)
        .await;
    assert_eq!(reply.status, 200);
    let calls = telegram.calls();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].path, "bot1:token/answerPreCheckoutQuery");
    assert_eq!(calls[0].body["pre_checkout_query_id"], "30064");
    assert_eq!(calls[0].body["ok"], false);
    assert!(!calls[0].body["error_message"].as_str().unwrap().is_empty());
    eventually("the row is done", async || {
        (gateway.inbox.count("done").await.unwrap() == 1).then_some(())
    })
    .await;
    gateway.stop().await;
}
