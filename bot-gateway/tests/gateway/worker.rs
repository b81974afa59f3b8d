//! From a body at a door to its effects.

use bot_gateway::{inbox::Retried, limits};
use ledger_proto::v1::AssetAmount;
use serde_json::json;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::{
    backends::{Database, on_each},
    eventually,
    stand_ins::{Answers, Ledger, Remote, Running, Script, telegram_ok},
};

const SECRET: &str = "hook";

fn notification(event: &str) -> Vec<u8> {
    notification_of(event, "p-1")
}

fn notification_of(event: &str, id: &str) -> Vec<u8> {
    json!({"type": "notification", "event": event, "object": {"id": id, "status": "succeeded",
        "amount": {"value": "499.00", "currency": "RUB"}}})
    .to_string()
    .into_bytes()
}

fn payment() -> (u16, String) {
    let body = json!({"id": "p-1", "status": "succeeded", "paid": true, "test": true,
        "amount": {"value": "499.00", "currency": "RUB"}, "recipient": {"account_id": "100500"},
        "created_at": "2026-11-20T09:15:12.345Z", "captured_at": "2026-11-20T09:16:40.002Z",
        "metadata": {"tg_user": "700000001"}});
    (200, body.to_string())
}

fn said(update_id: u32, text: &str) -> Vec<u8> {
    json!({"update_id": update_id, "message": {"message_id": update_id, "date": 1_795_166_100,
        "text": text, "chat": {"id": 700_000_001, "type": "private"},
        "from": {"id": 700_000_001, "is_bot": false, "first_name": "Ann", "language_code": "ru"}}})
    .to_string()
    .into_bytes()
}

struct Scene {
    ledger: Ledger,
    yookassa: Remote,
    telegram: Remote,
    gateway: Running,
}

impl Scene {
    async fn start(
        database: &Database,
        answers: Answers,
        yookassa: Vec<(u16, String)>,
        telegram: Vec<(u16, String)>,
    ) -> Self {
        let yookassa = Remote::start(yookassa).await;
        let telegram = Remote::start(telegram).await;
        Self::between(database, Ledger::start(answers).await, yookassa, telegram).await
    }

    async fn between(
        database: &Database,
        ledger: Ledger,
        yookassa: Remote,
        telegram: Remote,
    ) -> Self {
        let flags = [
            format!("--ledger-url={}", ledger.url),
            format!("--yookassa-api-url={}", yookassa.url),
            format!("--telegram-api-url={}", telegram.url),
            format!("--telegram-webhook-secret={SECRET}"),
            "--bot-token=1:token".to_owned(),
            "--yookassa-shop-id=100500".to_owned(),
            "--yookassa-secret-key=test_key".to_owned(),
            "--yookassa-test=true".to_owned(),
        ];
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let gateway = Running::start(database, &flags).await;
        Self {
            ledger,
            yookassa,
            telegram,
            gateway,
        }
    }

    async fn pays(&self, event: &str) {
        let reply = self
            .gateway
            .post("/yookassa/webhook", None, &notification(event))
            .await;
        assert_eq!(reply.status, 200);
    }

    async fn says(&self, update_id: u32, text: &str) {
        let body = said(update_id, text);
        let reply = self
            .gateway
            .post("/telegram/media_lab", Some(SECRET), &body)
            .await;
        assert_eq!(reply.status, 200);
    }

    async fn ends(&self, state: &str, rows: i64) {
        eventually(&format!("{rows} rows are {state}"), async || {
            (self.gateway.inbox.count(state).await.unwrap() == rows).then_some(())
        })
        .await;
    }

    fn texts(&self) -> Vec<String> {
        let calls = self.telegram.calls();
        calls
            .iter()
            .map(|call| call.body["text"].as_str().unwrap().to_owned())
            .collect()
    }
}

#[tokio::test]
async fn a_payment_is_recorded_once_and_its_payer_told() {
    on_each(async |database| {
        let scene = Scene::start(
            database,
            Answers::default(),
            vec![payment()],
            vec![telegram_ok()],
        )
        .await;
        scene.pays("payment.succeeded").await;
        scene.ends("done", 1).await;
        scene.pays("payment.succeeded").await;
        {
            let asked = scene.ledger.asked.lock().unwrap();
            assert_eq!(asked.recorded.len(), 1);
            let request = &asked.recorded[0];
            assert_eq!(request.account, "books/media-lab/accounts/tg:700000001");
            assert_eq!(request.amount.as_ref().unwrap().amount, 49_900);
            assert_eq!(asked.origins, ["media_lab"]);
        }
        let told = "Платёж на 499,00 ₽ получен. Ваш баланс: 4 бесплатные операции, 499,00 ₽.";
        assert_eq!(scene.texts(), [told]);
        assert_eq!(scene.gateway.inbox.count("waiting").await.unwrap(), 0);
        scene.gateway.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_payment_waits_out_what_passes() {
    let answers = Answers {
        payments: Script::new([Err(Status::unavailable("starting")), Ok(())]),
        ..Answers::default()
    };
    let yookassa = vec![(500, String::new()), payment()];
    let database = Database::sqlite();
    let scene = Scene::start(&database, answers, yookassa, vec![telegram_ok()]).await;
    scene.pays("payment.succeeded").await;
    scene.ends("done", 1).await;
    assert_eq!(scene.yookassa.calls().len(), 3);
    let state = scene.gateway.inbox.find(1).await.unwrap().unwrap();
    assert_eq!((state.attempts, state.last_error), (2, None));
    let ids: Vec<String> = scene
        .ledger
        .asked
        .lock()
        .unwrap()
        .recorded
        .iter()
        .map(|request| request.request_id.clone())
        .collect();
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[0], ids[1]);
    scene.gateway.stop().await;
}

#[tokio::test]
async fn a_payer_who_blocked_the_bot_is_credited_all_the_same() {
    let blocked = (403, r#"{"ok":false,"error_code":403}"#.to_owned());
    let database = Database::sqlite();
    let scene = Scene::start(
        &database,
        Answers::default(),
        vec![payment()],
        vec![blocked],
    )
    .await;
    scene.pays("payment.succeeded").await;
    scene.ends("done", 1).await;
    assert_eq!(scene.telegram.calls().len(), 1);
    scene.gateway.stop().await;
}

#[tokio::test]
async fn a_payment_recorded_elsewhere_is_done() {
    let details = ErrorDetails::with_error_info("PAYMENT_ALREADY_RECORDED", "ledger.v1", []);
    let recorded = Status::with_error_details(Code::AlreadyExists, "", details);
    let answers = Answers {
        payments: Script::new([Err(recorded)]),
        ..Answers::default()
    };
    let database = Database::sqlite();
    let scene = Scene::start(&database, answers, vec![payment()], vec![telegram_ok()]).await;
    scene.pays("payment.succeeded").await;
    scene.ends("done", 1).await;
    assert!(scene.telegram.calls().is_empty());
    scene.gateway.stop().await;
}

#[tokio::test]
async fn what_is_not_ours_to_credit_is_parked_with_its_reason() {
    let database = Database::sqlite();
    let other_shop = payment().1.replace("100500", "999");
    let scene = Scene::start(
        &database,
        Answers::default(),
        vec![(200, other_shop)],
        vec![telegram_ok()],
    )
    .await;
    scene.pays("payment.succeeded").await;
    scene.pays("refund.succeeded").await;
    scene.pays("payment.waiting_for_capture").await;
    scene.pays("deal.closed").await;
    scene.ends("parked", 4).await;
    scene.pays("payment.canceled").await;
    scene.ends("done", 1).await;
    let reason = async |id| {
        scene
            .gateway
            .inbox
            .find(id)
            .await
            .unwrap()
            .unwrap()
            .last_error
    };
    assert_eq!(
        reason(1).await.as_deref(),
        Some("the payment is another shop's")
    );
    assert_eq!(
        reason(2).await.as_deref(),
        Some("not handled in this version")
    );
    assert!(scene.ledger.asked.lock().unwrap().recorded.is_empty());
    scene.gateway.stop().await;
}

#[tokio::test]
async fn a_payment_that_was_refunded_meanwhile_is_parked() {
    let mut refunded: serde_json::Value = serde_json::from_str(&payment().1).unwrap();
    refunded["refunded_amount"] = json!({"value": "499.00", "currency": "RUB"});
    let database = Database::sqlite();
    let scene = Scene::start(
        &database,
        Answers::default(),
        vec![(200, refunded.to_string())],
        vec![telegram_ok()],
    )
    .await;
    scene.pays("payment.succeeded").await;
    scene.ends("parked", 1).await;
    let row = scene.gateway.inbox.find(1).await.unwrap().unwrap();
    assert_eq!(
        row.last_error.as_deref(),
        Some("the payment has been refunded at YooKassa, in part or in whole")
    );
    assert!(scene.ledger.asked.lock().unwrap().recorded.is_empty());
    scene.gateway.stop().await;
}

#[tokio::test]
async fn a_parked_row_is_handled_after_a_retry() {
    on_each(async |database| {
        let forbidden = (400, "{}".to_owned());
        let scene = Scene::start(
            database,
            Answers::default(),
            vec![forbidden, payment()],
            vec![telegram_ok()],
        )
        .await;
        scene.pays("payment.succeeded").await;
        scene.ends("parked", 1).await;
        assert_eq!(scene.gateway.inbox.retry(1).await.unwrap(), Retried::Waits);
        scene.ends("done", 1).await;
        assert_eq!(scene.ledger.asked.lock().unwrap().recorded.len(), 1);
        scene.gateway.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_chat_is_answered_in_its_order() {
    let database = Database::sqlite();
    let scene = Scene::start(
        &database,
        Answers::default(),
        vec![payment()],
        vec![telegram_ok()],
    )
    .await;
    scene.says(1, "/start pay_01JD4Z8Q6T").await;
    scene.says(2, "/generate a very private prompt").await;
    scene.says(3, "/balance@example_bot").await;
    scene.says(4, "hello").await;
    scene.says(2, "/generate a very private prompt").await;
    scene.ends("done", 4).await;
    let texts = scene.texts();
    assert_eq!(texts.len(), 4, "{texts:?}");
    assert!(texts[0].starts_with("Здравствуйте!\nВаш баланс: 4 бесплатные операции, 499,00 ₽."));
    assert!(texts[1].starts_with("Списано: 1 бесплатная операция."));
    assert_eq!(texts[2], "Ваш баланс: 4 бесплатные операции, 499,00 ₽.");
    assert!(texts[3].starts_with("Команды:"));
    {
        let asked = scene.ledger.asked.lock().unwrap();
        assert_eq!((asked.opened.len(), asked.charged.len()), (1, 1));
        let charge = &asked.charged[0];
        assert_eq!(
            charge.annotations.as_ref().unwrap().external_id,
            "media_lab:2"
        );
        let expires = charge.expire_time.as_ref().unwrap();
        assert_eq!(
            expires.seconds,
            1_795_166_100 + 600,
            "ten minutes after the message"
        );
        assert!(
            !format!("{charge:?}").contains("private"),
            "the prompt stays out of the ledger"
        );
    }
    scene.gateway.stop().await;
}

#[tokio::test]
async fn a_wallet_that_is_empty_is_explained() {
    let metadata = [
        ("asset", "RUB"),
        ("required_amount", "1000"),
        ("available_amount", "0"),
        ("shortfall_amount", "1000"),
        ("top_up_amount", "10000"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()));
    let details = ErrorDetails::with_error_info("INSUFFICIENT_FUNDS", "ledger.v1", metadata);
    let poor = Status::with_error_details(Code::FailedPrecondition, "", details);
    let answers = Answers {
        charges: Script::new([Err(poor)]),
        ..Answers::default()
    };
    let database = Database::sqlite();
    let scene = Scene::start(&database, answers, vec![payment()], vec![telegram_ok()]).await;
    scene.says(1, "/generate a cat").await;
    scene.ends("done", 1).await;
    assert_eq!(
        scene.texts(),
        ["Не хватает: 10,00 ₽. Нужно: 10,00 ₽, доступно: 0,00 ₽.\n\
          Пополните баланс, например на 100,00 ₽."]
    );
    scene.gateway.stop().await;
}

#[tokio::test]
async fn an_operation_that_came_too_late_is_not_charged_later() {
    for code in [Code::DeadlineExceeded, Code::FailedPrecondition] {
        let details = ErrorDetails::with_error_info("REQUEST_EXPIRED", "ledger.v1", []);
        let late = Status::with_error_details(code, "", details);
        let free = AssetAmount::default();
        let answers = Answers {
            charges: Script::new([Err(late), Ok(free)]),
            ..Answers::default()
        };
        let database = Database::sqlite();
        let scene = Scene::start(&database, answers, vec![payment()], vec![telegram_ok()]).await;
        scene.says(1, "/generate a cat").await;
        scene.ends("done", 1).await;
        assert_eq!(
            scene.texts(),
            ["Мы не успели выполнить команду вовремя, ничего не списано. Отправьте её ещё раз."]
        );
        assert_eq!(scene.ledger.asked.lock().unwrap().charged.len(), 1);
        scene.gateway.stop().await;
    }
}

#[tokio::test]
async fn a_yookassa_that_hangs_does_not_keep_the_bot_from_answering() {
    let database = Database::sqlite();
    let yookassa = Remote::hanging().await;
    let telegram = Remote::start([telegram_ok()]).await;
    let ledger = Ledger::start(Answers::default()).await;
    let scene = Scene::between(&database, ledger, yookassa, telegram).await;
    for number in 0..3 * limits::ROWS_IN_WORK_MAX {
        let body = notification_of("payment.succeeded", &format!("p-{number}"));
        let reply = scene.gateway.post("/yookassa/webhook", None, &body).await;
        assert_eq!(reply.status, 200);
    }
    eventually("as many notifications hang as may", async || {
        (scene.yookassa.calls().len() >= limits::ROWS_IN_WORK_MAX).then_some(())
    })
    .await;
    scene.says(1, "/balance").await;
    // More notifications wait than are in work: with slots in common the
    // command would wait for all of them, again and again.
    scene.ends("done", 1).await;
    assert_eq!(
        scene.texts(),
        ["Ваш баланс: 4 бесплатные операции, 499,00 ₽."]
    );
    // Not stopped: that would wait for what hangs.
}

#[tokio::test]
async fn every_kind_of_update_ends_somewhere() {
    let database = Database::sqlite();
    let scene = Scene::start(
        &database,
        Answers::default(),
        vec![payment()],
        vec![telegram_ok()],
    )
    .await;
    let bodies = [
        r#"{"update_id":1,"invented_in_2030":{"from":{"id":7}}}"#,
        r#"{"update_id":2,"subscription":{"user":{"id":7,"is_bot":false,"first_name":"A"},
            "invoice_payload":"x","state":"canceled"}}"#,
        r#"{"update_id":3,"message":{"message_id":1,"date":1,"chat":{"id":7,"type":"private"},
            "from":{"id":7,"is_bot":false,"first_name":"A"},"successful_payment":{"currency":"XTR",
            "total_amount":250,"invoice_payload":"x","telegram_payment_charge_id":"c",
            "provider_payment_charge_id":"p"}}}"#,
        r#"{"update_id":4,"message":{"nonsense":true}}"#,
    ];
    for body in bodies {
        let body = body.as_bytes();
        let reply = scene
            .gateway
            .post("/telegram/media_lab", Some(SECRET), body)
            .await;
        assert_eq!(reply.status, 200);
    }
    scene.ends("done", 2).await;
    scene.ends("parked", 2).await;
    assert!(scene.telegram.calls().is_empty());
    scene.gateway.stop().await;
}

#[tokio::test]
async fn what_waited_through_a_restart_is_handled() {
    on_each(async |database| {
        let before = Running::start(database, &["--ledger-url=http://127.0.0.1:1"]).await;
        let body = notification("payment.succeeded");
        assert_eq!(
            before.post("/yookassa/webhook", None, &body).await.status,
            200
        );
        before.stop().await;
        let scene = Scene::start(
            database,
            Answers::default(),
            vec![payment()],
            vec![telegram_ok()],
        )
        .await;
        scene.ends("done", 1).await;
        assert_eq!(scene.ledger.asked.lock().unwrap().recorded.len(), 1);
        let ready = scene.gateway.get("/readyz").await;
        assert_eq!(
            (ready.status, ready.text.contains(r#""ready":true"#)),
            (200, true)
        );
        scene.gateway.stop().await;
    })
    .await;
}
