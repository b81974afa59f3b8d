//! The program itself: settings, the ready line, signals.

use std::process::Stdio;

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    process::{Child, Command},
    time::timeout,
};

use bot_gateway::inbox::{Arrival, Door, Fate, Inbox};

use crate::{PATIENCE, backends::Database, eventually, stand_ins::post};

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bot-gateway"));
    command
        .env_clear()
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

async fn ready(child: &mut Child) -> String {
    let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    timeout(PATIENCE, lines.next_line())
        .await
        .unwrap()
        .unwrap()
        .unwrap()
}

#[tokio::test]
async fn wrong_settings_are_told_together_and_exit_64() {
    let output = program()
        .env("GATEWAY_HTTP_ADDR", "nowhere")
        .env("BOT_TOKEN", "1:hunter2")
        .env("YOOKASSA_SHOP_ID", "100500")
        .arg("--log-format=xml")
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(64));
    let told = String::from_utf8(output.stderr).unwrap();
    let named = [
        "GATEWAY_HTTP_ADDR",
        "TELEGRAM_WEBHOOK_SECRET",
        "YOOKASSA_SECRET_KEY",
        "GATEWAY_LOG_FORMAT",
    ];
    for variable in named {
        assert!(told.contains(variable), "{told}");
    }
    assert!(!told.contains("hunter2"));
    assert_eq!(
        program()
            .arg("--nonsense")
            .output()
            .await
            .unwrap()
            .status
            .code(),
        Some(64)
    );
    assert_eq!(
        program()
            .arg("--help")
            .output()
            .await
            .unwrap()
            .status
            .code(),
        Some(0)
    );
}

#[tokio::test]
async fn it_says_when_it_is_ready_and_stops_when_told() {
    for signal in ["-TERM", "-INT"] {
        let database = Database::sqlite();
        let mut child = program()
            .env("GATEWAY_DATABASE_URL", &database.url)
            .env("GATEWAY_HTTP_ADDR", "127.0.0.1:1")
            .arg("--http-addr=127.0.0.1:0")
            .env("GATEWAY_LOG_FORMAT", "json")
            .spawn()
            .unwrap();
        let line = ready(&mut child).await;
        let address = line
            .strip_prefix("bot-gateway ready http=127.0.0.1:")
            .unwrap();
        assert!(
            address.parse::<u16>().unwrap() > 0,
            "flags win over the environment"
        );
        let pid = child.id().unwrap().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &pid])
                .status()
                .await
                .unwrap()
                .success()
        );
        let status = timeout(PATIENCE, child.wait()).await.unwrap().unwrap();
        assert_eq!(status.code(), Some(0));
        let mut logs = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut logs)
            .await
            .unwrap();
        assert!(logs.contains("BOT_TOKEN is not set"), "{logs}");
        assert!(logs.contains("YOOKASSA_SHOP_ID"), "{logs}");
        for log in logs.lines() {
            assert!(
                serde_json::from_str::<serde_json::Value>(log).is_ok(),
                "{log}"
            );
        }
    }
}

#[tokio::test]
async fn a_database_of_somebody_else_stops_the_start() {
    let database = Database::sqlite();
    database.execute("CREATE TABLE users (id INTEGER)").await;
    let output = program()
        .env("GATEWAY_DATABASE_URL", &database.url)
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("`users`"), "{told}");
}

#[tokio::test]
async fn variables_of_the_bots_that_are_not_used_are_named() {
    let database = Database::sqlite();
    let mut child = program()
        .env("GATEWAY_DATABASE_URL", &database.url)
        .env("GATEWAY_HTTP_ADDR", "127.0.0.1:0")
        .env("YOOKASSA_RETURN_URL", "https://hunter2.example/return")
        .env("YOOKASSA_WEBHOOK_URL", "https://hunter2.example/webhook")
        .env("REDIS_URL", "")
        .spawn()
        .unwrap();
    ready(&mut child).await;
    child.kill().await.unwrap();
    let mut logs = String::new();
    let mut stderr = child.stderr.take().unwrap();
    stderr.read_to_string(&mut logs).await.unwrap();
    for name in ["YOOKASSA_RETURN_URL", "YOOKASSA_WEBHOOK_URL"] {
        let told = logs.matches(&format!("{name} is set and not used")).count();
        assert_eq!(told, 1, "{name}:\n{logs}");
    }
    assert!(
        !logs.contains("hunter2") && !logs.contains("REDIS_URL"),
        "{logs}"
    );
}

#[tokio::test]
async fn parked_rows_are_shown_and_tried_again() {
    let database = Database::sqlite();
    let run = async |arguments: &[&str]| {
        let mut command = program();
        command.env("GATEWAY_DATABASE_URL", &database.url);
        let output = command.arg("inbox").args(arguments).output().await.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    let (code, _, told) = run(&["list-parked"]).await;
    assert_eq!(code, Some(1), "a database that isn't there is not made");
    assert!(told.contains("GATEWAY_DATABASE_URL"), "{told}");

    let inbox = Inbox::open(&database.parsed()).await.unwrap();
    let arrival = Arrival {
        door: Door::Yookassa,
        source_key: "payment.succeeded/p-1/succeeded".to_owned(),
        content_key: "hash".to_owned(),
        ordering_key: "payment:p-1".to_owned(),
        body: b"4111 Ann".to_vec(),
        fate: Fate::Park {
            reason: "the payment is another shop's".to_owned(),
        },
    };
    inbox.store(&arrival, 1_795_166_100_000).await.unwrap();
    let row = "1\tyookassa\t2026-11-20T09:15:00Z\t0\tpayment.succeeded/p-1/succeeded\t\
               the payment is another shop's\n";
    let (code, listed, _) = run(&["list-parked"]).await;
    assert_eq!(code, Some(0));
    assert_eq!(
        listed,
        format!("ID\tDOOR\tRECEIVED\tATTEMPTS\tSOURCE\tREASON\n{row}")
    );

    let (code, told, _) = run(&["retry", "1", "2"]).await;
    assert_eq!(code, Some(1));
    assert_eq!(told, "1: will be tried again\n2: there is no such row\n");
    assert_eq!(inbox.count("waiting").await.unwrap(), 1);
    let (code, listed, _) = run(&["list-parked"]).await;
    assert_eq!((code, listed.lines().count()), (Some(0), 1));
    inbox.close().await;
}

#[tokio::test]
async fn what_was_answered_200_survives_a_kill() {
    let database = Database::sqlite();
    let mut child = program()
        .env("GATEWAY_DATABASE_URL", &database.url)
        .env("GATEWAY_HTTP_ADDR", "127.0.0.1:0")
        .spawn()
        .unwrap();
    let url = address(&ready(&mut child).await);
    let body = br#"{"event":"payment.succeeded","object":{"id":"p-1","status":"succeeded"}}"#;
    assert_eq!(
        post(&format!("{url}/yookassa/webhook"), None, body)
            .await
            .status,
        200
    );
    child.kill().await.unwrap();
    let inbox = Inbox::open(&database.parsed()).await.unwrap();
    assert_eq!(inbox.count("waiting").await.unwrap(), 1);
    inbox.close().await;
}

#[tokio::test]
async fn logs_show_neither_secrets_nor_what_users_write() {
    let database = Database::sqlite();
    let mut child = program()
        .env("GATEWAY_DATABASE_URL", &database.url)
        .env("GATEWAY_HTTP_ADDR", "127.0.0.1:0")
        .env("GATEWAY_LOG", "trace,hyper=trace,reqwest=trace")
        .env("BOT_TOKEN", "1:hunter2")
        .env("TELEGRAM_WEBHOOK_SECRET", "swordfish")
        .env("TELEGRAM_API_URL", "http://127.0.0.1:1")
        .spawn()
        .unwrap();
    let url = address(&ready(&mut child).await);
    let body = br#"{"update_id":1,"message":{"message_id":1,"date":1,"text":"my diary",
        "chat":{"id":700000001,"type":"private"},
        "from":{"id":700000001,"is_bot":false,"first_name":"Annabel"}}}"#;
    let door = format!("{url}/telegram/media_lab");
    assert_eq!(post(&door, Some("swordfish"), body).await.status, 200);
    assert_eq!(
        post(&door, Some("swordfish"), b"my diary").await.status,
        200
    );
    let inbox = Inbox::open(&database.parsed()).await.unwrap();
    eventually("the answer failed once", async || {
        inbox.find(1).await.unwrap().filter(|row| row.attempts > 0)
    })
    .await;
    inbox.close().await;
    child.kill().await.unwrap();
    let mut logs = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut logs)
        .await
        .unwrap();
    assert!(logs.contains("failed for now"), "{logs}");
    for secret in ["hunter2", "swordfish", "diary", "Annabel", "700000001"] {
        assert!(!logs.contains(secret), "{secret} is in the logs:\n{logs}");
    }
}

fn address(ready: &str) -> String {
    format!(
        "http://{}",
        ready.strip_prefix("bot-gateway ready http=").unwrap()
    )
}
