//! The inbox's contract, on each backend.

use bot_gateway::inbox::{Arrival, Door, Error, Fate, Inbox, OpenDoors, Outcome, Row, Stored};

use crate::backends::{Database, on_each};

const ALL: OpenDoors = OpenDoors {
    yookassa: true,
    telegram: true,
};
const NOW_MS: i64 = 1_795_166_100_000;

fn arrival(door: Door, source_key: &str, ordering_key: &str, body: &str) -> Arrival {
    let content_key = match door {
        Door::Yookassa => format!("hash of {body}"),
        Door::Telegram => String::new(),
    };
    Arrival {
        door,
        source_key: source_key.to_owned(),
        content_key,
        ordering_key: ordering_key.to_owned(),
        body: body.as_bytes().to_vec(),
        fate: Fate::Wait {
            not_before_ms: NOW_MS,
        },
    }
}

fn update(source_key: &str, chat: &str) -> Arrival {
    arrival(Door::Telegram, source_key, chat, source_key)
}

async fn store(inbox: &Inbox, arrival: &Arrival) -> i64 {
    match inbox.store(arrival, NOW_MS).await.unwrap() {
        Stored::New(id) => id,
        Stored::Duplicate => panic!("a duplicate: {arrival:?}"),
    }
}

async fn open(database: &Database) -> Inbox {
    Inbox::open(&database.parsed()).await.unwrap()
}

async fn due(inbox: &Inbox, now_ms: i64) -> Vec<String> {
    let rows = inbox.due(now_ms, ALL, 100).await.unwrap();
    rows.into_iter()
        .map(|row: Row| String::from_utf8(row.body).unwrap())
        .collect()
}

#[tokio::test]
async fn a_duplicate_is_not_stored_twice() {
    on_each(async |database| {
        let inbox = open(database).await;
        let id = store(&inbox, &update("bot:1", "chat:1")).await;
        let mut again = update("bot:1", "chat:1");
        again.body = b"another body under the same number".to_vec();
        assert_eq!(
            inbox.store(&again, NOW_MS).await.unwrap(),
            Stored::Duplicate
        );
        inbox.settle(id, &Outcome::Done).await.unwrap();
        assert_eq!(
            inbox.store(&again, NOW_MS).await.unwrap(),
            Stored::Duplicate
        );
        let elsewhere = arrival(Door::Yookassa, "bot:1", "payment:1", "{}");
        store(&inbox, &elsewhere).await;
        assert_eq!(inbox.count("done").await.unwrap(), 1);
        assert_eq!(inbox.count("waiting").await.unwrap(), 1);
        inbox.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_forged_notification_does_not_push_the_real_one_out() {
    on_each(async |database| {
        let inbox = open(database).await;
        let forged = arrival(
            Door::Yookassa,
            "payment.succeeded/p/succeeded",
            "p",
            "forged",
        );
        let real = arrival(Door::Yookassa, "payment.succeeded/p/succeeded", "p", "real");
        let forged_id = store(&inbox, &forged).await;
        let real_id = store(&inbox, &real).await;
        assert_eq!(inbox.store(&real, NOW_MS).await.unwrap(), Stored::Duplicate);
        assert_eq!(due(&inbox, NOW_MS).await, ["forged"]);
        inbox
            .settle(
                forged_id,
                &Outcome::Parked {
                    reason: "amount".to_owned(),
                },
            )
            .await
            .unwrap();
        assert_eq!(due(&inbox, NOW_MS).await, ["real"]);
        inbox.settle(real_id, &Outcome::Done).await.unwrap();
        let late = arrival(Door::Yookassa, "payment.succeeded/p/succeeded", "p", "late");
        assert_eq!(inbox.store(&late, NOW_MS).await.unwrap(), Stored::Duplicate);
        inbox.close().await;
    })
    .await;
}

#[tokio::test]
async fn rows_are_in_order_within_their_key_and_free_across_keys() {
    on_each(async |database| {
        let inbox = open(database).await;
        let first = store(&inbox, &update("a1", "chat:a")).await;
        let second = store(&inbox, &update("a2", "chat:a")).await;
        store(&inbox, &update("a3", "chat:a")).await;
        store(&inbox, &update("b1", "chat:b")).await;
        assert_eq!(due(&inbox, NOW_MS).await, ["a1", "b1"]);
        assert_eq!(inbox.due(NOW_MS, ALL, 1).await.unwrap().len(), 1);
        let retry = Outcome::Retry {
            at_ms: NOW_MS + 1000,
            reason: "busy".to_owned(),
        };
        inbox.settle(first, &retry).await.unwrap();
        assert_eq!(
            due(&inbox, NOW_MS).await,
            ["b1"],
            "a retry holds its key back"
        );
        assert_eq!(due(&inbox, NOW_MS + 1000).await, ["a1", "b1"]);
        inbox
            .settle(
                first,
                &Outcome::Parked {
                    reason: "poison".to_owned(),
                },
            )
            .await
            .unwrap();
        assert_eq!(
            due(&inbox, NOW_MS).await,
            ["a2", "b1"],
            "a parked row doesn't"
        );
        inbox.settle(second, &Outcome::Done).await.unwrap();
        assert_eq!(due(&inbox, NOW_MS).await, ["a3", "b1"]);
        let state = inbox.find(first).await.unwrap().unwrap();
        assert_eq!((state.state.as_str(), state.attempts), ("parked", 2));
        assert_eq!(state.last_error.as_deref(), Some("poison"));
        inbox.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_closed_door_keeps_its_rows() {
    on_each(async |database| {
        let inbox = open(database).await;
        store(&inbox, &update("u", "chat:1")).await;
        store(&inbox, &arrival(Door::Yookassa, "n", "payment:1", "n")).await;
        let cases = [
            (true, true, 2),
            (true, false, 1),
            (false, true, 1),
            (false, false, 0),
        ];
        for (yookassa, telegram, expected) in cases {
            let doors = OpenDoors { yookassa, telegram };
            assert_eq!(inbox.due(NOW_MS, doors, 100).await.unwrap().len(), expected);
        }
        inbox.close().await;
    })
    .await;
}

#[tokio::test]
async fn what_waits_goes_on_after_a_restart() {
    on_each(async |database| {
        let inbox = open(database).await;
        let id = store(&inbox, &update("u", "chat:1")).await;
        let retry = Outcome::Retry {
            at_ms: NOW_MS + 5,
            reason: "busy".to_owned(),
        };
        inbox.settle(id, &retry).await.unwrap();
        let mut parked = arrival(Door::Yookassa, "malformed:1", "malformed:1", "bytes");
        parked.body = vec![0xff, 0x00, 0xfe];
        parked.fate = Fate::Park {
            reason: "not JSON".to_owned(),
        };
        let parked = store(&inbox, &parked).await;
        inbox.close().await;
        let inbox = open(database).await;
        let rows = inbox.due(NOW_MS + 5, ALL, 100).await.unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].id, rows[0].attempts), (id, 1));
        assert_eq!(
            (rows[0].door, rows[0].received_at_ms),
            (Door::Telegram, NOW_MS)
        );
        let state = inbox.find(parked).await.unwrap().unwrap();
        assert_eq!(state.last_error.as_deref(), Some("not JSON"));
        inbox.close().await;
    })
    .await;
}

#[tokio::test]
async fn only_old_rows_that_are_done_are_removed() {
    on_each(async |database| {
        let inbox = open(database).await;
        let done = store(&inbox, &update("done", "chat:1")).await;
        inbox.settle(done, &Outcome::Done).await.unwrap();
        store(&inbox, &update("waiting", "chat:1")).await;
        assert_eq!(inbox.prune(NOW_MS).await.unwrap(), 0);
        assert_eq!(inbox.prune(NOW_MS + 1).await.unwrap(), 1);
        assert_eq!(inbox.count("done").await.unwrap(), 0);
        assert_eq!(inbox.count("waiting").await.unwrap(), 1);
        inbox.close().await;
    })
    .await;
}

#[tokio::test]
async fn somebody_elses_database_is_refused() {
    on_each(async |database| {
        database.execute("CREATE TABLE users (id INTEGER)").await;
        let error = Inbox::open(&database.parsed()).await.unwrap_err();
        assert!(
            matches!(&error, Error::Foreign { table } if table.ends_with("users")),
            "{error}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    on_each(async |database| {
        open(database).await.close().await;
        let schema = if database.url.starts_with("sqlite") {
            ""
        } else {
            "gateway."
        };
        database
            .execute(&format!("INSERT INTO {schema}gateway_schema VALUES (2, 0)"))
            .await;
        let error = Inbox::open(&database.parsed()).await.unwrap_err();
        assert!(
            matches!(error, Error::Newer { found: 2, known: 1 }),
            "{error}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_shared_database_keeps_the_ledgers_schema_apart() {
    let Ok(_) = std::env::var("TEST_POSTGRES_URL") else {
        return;
    };
    on_each(async |database| {
        if database.url.starts_with("postgres") {
            database.execute("CREATE SCHEMA ledger").await;
            database
                .execute("CREATE TABLE ledger.events (id INTEGER)")
                .await;
            open(database).await.close().await;
            open(database).await.close().await;
            database.execute("SELECT 1 FROM gateway.inbox").await;
        }
    })
    .await;
}

#[tokio::test]
async fn sqlite_writes_ahead() {
    let database = Database::sqlite();
    let inbox = open(&database).await;
    let path = database.url.trim_start_matches("sqlite:///").to_owned();
    let header = std::fs::read(path).unwrap();
    assert_eq!(header[18..20], [2, 2], "the file's header says WAL");
    inbox.close().await;
}

#[tokio::test]
async fn a_database_that_is_gone_is_an_error() {
    let database = Database::sqlite();
    let inbox = open(&database).await;
    inbox.close().await;
    assert!(matches!(inbox.ping().await, Err(Error::Unavailable(_))));
    let stored = inbox.store(&update("u", "chat:1"), NOW_MS).await;
    assert!(matches!(stored, Err(Error::Unavailable(_))));
}
