//! The inbox's contract, on each backend.

use std::time::Duration;

use bot_gateway::{
    inbox::{Arrival, Door, Error, Fate, Inbox, Outcome, Retried, Row, Stored},
    limits,
    worker::Upkeep,
};

use crate::backends::{Database, on_each};

const DAY_MS: i64 = 24 * 3600 * 1000;
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
        other => panic!("{other:?}: {arrival:?}"),
    }
}

async fn open(database: &Database) -> Inbox {
    Inbox::open(&database.parsed()).await.unwrap()
}

async fn due(inbox: &Inbox, now_ms: i64) -> Vec<String> {
    let mut rows = Vec::new();
    for door in Door::ALL {
        rows.extend(inbox.due(now_ms, door, 100).await.unwrap());
    }
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
        let one = inbox.due(NOW_MS, Door::Telegram, 1).await.unwrap();
        assert_eq!(one.len(), 1);
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
async fn each_door_has_its_own_rows() {
    on_each(async |database| {
        let inbox = open(database).await;
        let update = store(&inbox, &update("u", "1")).await;
        let notification = store(&inbox, &arrival(Door::Yookassa, "n", "1", "n")).await;
        for (door, id) in [(Door::Telegram, update), (Door::Yookassa, notification)] {
            let rows = inbox.due(NOW_MS, door, 100).await.unwrap();
            let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
            assert_eq!(ids, [id], "{door:?}");
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
        let rows = inbox.due(NOW_MS + 5, Door::Telegram, 100).await.unwrap();
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

async fn parked(inbox: &Inbox, source_key: &str, received_at_ms: i64) -> i64 {
    let mut arrival = arrival(Door::Yookassa, source_key, source_key, "4111 Ann");
    arrival.fate = Fate::Park {
        reason: "amount".to_owned(),
    };
    match inbox.store(&arrival, received_at_ms).await.unwrap() {
        Stored::New(id) => id,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn bodies_that_are_old_and_do_not_wait_are_dropped() {
    on_each(async |database| {
        let inbox = open(database).await;
        let waiting = store(&inbox, &update("waiting", "chat:1")).await;
        let done = store(&inbox, &update("done", "chat:2")).await;
        inbox.settle(done, &Outcome::Done).await.unwrap();
        let old = parked(&inbox, "old", NOW_MS).await;
        let young = parked(&inbox, "young", NOW_MS + 1).await;
        let upkeep = Upkeep {
            inbox: inbox.clone(),
            bodies_kept: Duration::from_secs(90 * 24 * 3600),
        };
        let has_bodies = async || -> Vec<(i64, bool)> {
            let rows = inbox.parked(0, 100).await.unwrap();
            rows.iter().map(|row| (row.id, row.has_body)).collect()
        };
        upkeep.run(NOW_MS + 90 * DAY_MS).await;
        assert_eq!(has_bodies().await, [(old, true), (young, true)]);
        upkeep.run(NOW_MS + 90 * DAY_MS + 1).await;
        assert_eq!(has_bodies().await, [(old, false), (young, true)]);
        let row = &inbox.parked(0, 1).await.unwrap()[0];
        assert_eq!(
            (row.source_key.as_str(), row.reason.as_str()),
            ("old", "amount")
        );
        assert_eq!(due(&inbox, NOW_MS).await, ["waiting"], "it has its body");
        // What is done goes whole, and sooner.
        assert_eq!(inbox.find(done).await.unwrap(), None);
        assert!(inbox.find(waiting).await.unwrap().is_some());
        inbox.close().await;
    })
    .await;
}

#[tokio::test]
async fn bodies_of_rows_that_are_done_may_go_before_the_rows() {
    on_each(async |database| {
        let inbox = open(database).await;
        let done = store(&inbox, &update("done", "chat:1")).await;
        inbox.settle(done, &Outcome::Done).await.unwrap();
        assert_eq!(inbox.drop_bodies(NOW_MS).await.unwrap(), 0);
        assert_eq!(inbox.drop_bodies(NOW_MS + 1).await.unwrap(), 1);
        assert_eq!(inbox.drop_bodies(NOW_MS + 1).await.unwrap(), 0);
        let again = inbox.store(&update("done", "chat:1"), NOW_MS).await;
        assert_eq!(again.unwrap(), Stored::Duplicate);
        inbox.close().await;
    })
    .await;
}

#[tokio::test]
async fn parked_rows_are_listed_and_tried_again() {
    on_each(async |database| {
        let inbox = open(database).await;
        let waiting = store(&inbox, &update("waiting", "chat:1")).await;
        let [one, two] = [
            parked(&inbox, "one", NOW_MS).await,
            parked(&inbox, "two", NOW_MS).await,
        ];
        let listed = inbox.parked(0, 1).await.unwrap();
        assert_eq!((listed.len(), listed[0].id), (1, one));
        let behind = inbox.parked(one, 100).await.unwrap();
        let row = &behind[0];
        assert_eq!((behind.len(), row.id), (1, two));
        assert_eq!(
            (row.door.as_str(), row.received_at_ms),
            ("yookassa", NOW_MS)
        );
        assert_eq!((row.reason.as_str(), row.has_body), ("amount", true));

        assert_eq!(inbox.retry(two).await.unwrap(), Retried::Waits);
        assert_eq!(due(&inbox, 0).await, ["4111 Ann"], "it is due at once");
        assert_eq!(inbox.retry(99).await.unwrap(), Retried::Unknown);
        assert!(matches!(
            inbox.retry(waiting).await.unwrap(),
            Retried::NotParked(row) if row.state == "waiting"
        ));
        inbox.drop_bodies(NOW_MS + 1).await.unwrap();
        assert_eq!(inbox.retry(one).await.unwrap(), Retried::NoBody);
        assert_eq!(inbox.count("parked").await.unwrap(), 1);
        inbox.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_door_with_too_many_rows_waiting_takes_no_more() {
    on_each(async |database| {
        let inbox = open(database).await;
        let schema = if database.url.starts_with("sqlite") {
            ""
        } else {
            "gateway."
        };
        let rows = limits::ROWS_WAITING_MAX - 1;
        database
            .execute(&format!(
                "WITH RECURSIVE numbers (n) AS \
                     (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {rows}) \
                 INSERT INTO {schema}inbox (door, source_key, content_key, ordering_key, body, \
                     received_at_ms, state, next_attempt_at_ms) \
                 SELECT 'telegram', 'n' || n, '', 'chat:1', '', 0, 'waiting', 0 FROM numbers"
            ))
            .await;
        let last = update("last", "chat:1");
        let id = store(&inbox, &last).await;
        let more = update("more", "chat:1");
        assert_eq!(inbox.store(&more, NOW_MS).await.unwrap(), Stored::Full);
        assert_eq!(inbox.store(&last, NOW_MS).await.unwrap(), Stored::Duplicate);
        // The other door has its own bound.
        store(&inbox, &arrival(Door::Yookassa, "n", "payment:1", "n")).await;
        inbox.settle(id, &Outcome::Done).await.unwrap();
        store(&inbox, &more).await;
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
