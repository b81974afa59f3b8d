//! The program itself: settings, the ready line, signals.

use std::process::Stdio;

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    process::{Child, Command},
    time::timeout,
};

use bot_gateway::inbox::Inbox;

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
