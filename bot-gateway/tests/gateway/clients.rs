//! The clients of YooKassa and of the Bot API, against servers on port 0.

use bot_gateway::{
    chain,
    config::{BotConfig, ShopConfig},
    telegram::client::{Client as Telegram, Error as TelegramError},
    yookassa::client::{Client as Yookassa, Error as YookassaError},
};

use crate::stand_ins::{Remote, telegram_ok};

fn yookassa(url: &str) -> Yookassa {
    Yookassa::new(&ShopConfig {
        api_url: url.parse().unwrap(),
        shop_id: "100500".to_owned(),
        secret_key: "test_key".to_owned().into(),
        test: true,
        currency: "RUB".to_owned(),
    })
    .unwrap()
}

fn telegram(url: &str) -> Telegram {
    Telegram::new(&BotConfig {
        api_url: url.parse().unwrap(),
        token: "1:hunter2".to_owned().into(),
        webhook_secret: "s".to_owned().into(),
    })
    .unwrap()
}

#[tokio::test]
async fn a_payment_is_read_with_the_shops_credentials() {
    let body = r#"{"id":"p-1","status":"succeeded","paid":true,"test":true,
        "amount":{"value":"499.00","currency":"RUB"},"recipient":{"account_id":"100500"},
        "created_at":"2026-11-20T09:15:12.345Z","metadata":{"tg_user":"7"},"unknown":[{}]}"#;
    let server = Remote::start([(200, body.to_owned())]).await;
    let payment = yookassa(&format!("{}/v3", server.url))
        .payment("p-1")
        .await
        .unwrap();
    assert_eq!(
        (payment.amount.value.as_str(), payment.paid),
        ("499.00", true)
    );
    let calls = server.calls();
    assert_eq!(calls[0].path, "v3/payments/p-1");
    // base64 of 100500:test_key
    assert_eq!(calls[0].authorization, "Basic MTAwNTAwOnRlc3Rfa2V5");
}

#[tokio::test]
async fn yookassas_refusals_are_told_apart() {
    let processing = r#"{"type":"processing","retry_after":1800}"#;
    let cases = [
        (
            404,
            r#"{"code":"not_found"}"#,
            "YooKassa doesn't know the payment",
        ),
        (
            401,
            "{}",
            "YooKassa refuses the shop's credentials (HTTP 401)",
        ),
        (
            403,
            "{}",
            "YooKassa refuses the shop's credentials (HTTP 403)",
        ),
        (400, "{}", "YooKassa refuses the request (HTTP 400)"),
        (302, "", "YooKassa can't answer now (HTTP 302)"),
        (202, processing, "YooKassa can't answer now (HTTP 202)"),
        (429, "{}", "YooKassa can't answer now (HTTP 429)"),
        (500, "<html>", "YooKassa can't answer now (HTTP 500)"),
        (502, "", "YooKassa can't answer now (HTTP 502)"),
        (200, "<html>", "YooKassa's answer is no payment"),
        (200, "{}", "YooKassa's answer is no payment"),
    ];
    for (status, body, expected) in cases {
        let server = Remote::start([(status, body.to_owned())]).await;
        let error = yookassa(&server.url).payment("p-1").await.unwrap_err();
        assert_eq!(error.to_string(), expected);
        if let YookassaError::Later { status: 202, after } = error {
            assert_eq!(after.unwrap().as_millis(), 1800);
        }
    }
    let error = yookassa("http://127.0.0.1:1")
        .payment("p-1")
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "YooKassa doesn't answer: connection failed"
    );
}

#[tokio::test]
async fn an_answer_that_never_ends_is_given_up() {
    let server = Remote::start([(200, " ".repeat(1024 * 1024 + 1))]).await;
    let error = yookassa(&server.url).payment("p-1").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "YooKassa doesn't answer: answer too large"
    );
}

#[tokio::test]
async fn a_message_is_sent_as_plain_text() {
    let server = Remote::start([telegram_ok()]).await;
    telegram(&server.url)
        .send_message(7, "Оплата <b>")
        .await
        .unwrap();
    let calls = server.calls();
    assert_eq!(calls[0].path, "bot1:hunter2/sendMessage");
    assert_eq!(
        calls[0].body,
        serde_json::json!({ "chat_id": 7, "text": "Оплата <b>" })
    );
}

#[tokio::test]
async fn telegrams_refusals_are_told_apart_and_never_show_the_token() {
    let error = |code: u16, parameters: &str| {
        let body = format!(r#"{{"ok":false,"error_code":{code},"description":"d"{parameters}}}"#);
        (code, body)
    };
    let cases = [
        (error(403, ""), "Telegram refuses the call (403)"),
        (error(400, ""), "Telegram refuses the call (400)"),
        (error(401, ""), "Telegram refuses the bot's token (401)"),
        (error(404, ""), "Telegram refuses the bot's token (404)"),
        (
            error(429, r#","parameters":{"retry_after":7}"#),
            "Telegram can't take the call now (429)",
        ),
        (error(500, ""), "Telegram can't take the call now (500)"),
        (
            (200, r#"{"ok":false}"#.to_owned()),
            "Telegram can't take the call now (200)",
        ),
        (
            (403, "<html>".to_owned()),
            "Telegram can't take the call now (403)",
        ),
    ];
    for (answer, expected) in cases {
        let server = Remote::start([answer]).await;
        let error = telegram(&server.url)
            .send_message(7, "t")
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), expected);
        if let TelegramError::Later { status: 429, after } = error {
            assert_eq!(after.unwrap().as_secs(), 7);
        }
    }
    let client = telegram("http://127.0.0.1:1");
    let error = client.send_message(7, "t").await.unwrap_err();
    let shown = format!("{} {error:?} {client:?}", chain(&error));
    assert!(!shown.contains("hunter2"), "{shown}");
}
