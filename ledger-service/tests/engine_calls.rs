//! Calls of several requests, dry runs, and what time ends.
#![cfg(test)]

mod support;

use std::{collections::BTreeSet, time::Duration};

use ledger_core::{
    Command, Context, Name, Payload, Rejection, Request, Timestamp, account::FOLD_VERSION,
    decide::at_present,
};
use ledger_service::{
    background::sweep,
    engine::{Answer, Call, CallOptions, Engine, EngineError},
};
use support::{
    ask::{
        AskedAll, BOOK, add, ask_with, balance, capture, charge, credit, decided, done, dry,
        engine, hold, id, lot_until, open, opened, pass, read, refused, request, take,
    },
    database::Database,
    log::{of_request, sound},
    on_both,
};
use tokio_util::sync::CancellationToken;

on_both!(
    a_dry_run_says_what_would_happen_and_writes_nothing,
    a_dry_run_of_a_batch_adds_up,
    an_atomic_call_is_done_whole_or_not_at_all,
    an_atomic_call_with_a_used_item_id_is_refused_whole,
    a_batch_call_fails_item_by_item,
    what_is_due_is_ended_without_the_sweeper,
    an_answer_without_events_knows_what_is_due,
    the_sweeper_writes_down_once,
    the_sweeper_goes_on_past_a_bad_book,
    sweeping_or_not_makes_no_difference,
);

async fn call(engine: &Engine, requests: Vec<Request>, options: CallOptions) -> AskedAll {
    decided(engine.call(BOOK, Call { requests, options }).await)
}

fn atomic(name: &str) -> CallOptions {
    CallOptions {
        atomic: Some(id(name)),
        ..CallOptions::default()
    }
}

async fn a_dry_run_says_what_would_happen_and_writes_nothing(database: Database) {
    let engine = opened(database.store().await).await;
    done(&engine, request("tg:1", id("credit"), credit("RUB", 1_500))).await;
    let before = sound(engine.store()).await;
    let orders = ["generate", "edit", "train", "look", "none"];
    for operation in orders {
        let order = || request("tg:1", id(operation), charge(operation));
        let planned = ask_with(&engine, order(), dry()).await.unwrap();
        assert_eq!(
            sound(engine.store()).await.len(),
            before.len(),
            "{operation} wrote"
        );
        // On a copy of the account the real one would be the same.
        match planned {
            Ok(planned) => {
                assert!(
                    planned
                        .events
                        .iter()
                        .all(|recorded| recorded.event.position == 0)
                );
                assert_eq!(planned.events[0].event.request_id, Some(id(operation)));
            }
            Err(rejection) => assert_eq!(rejection.reason(), "UNKNOWN_OPERATION"),
        }
    }
    let order = || request("tg:1", id("generate"), charge("generate"));
    let planned = ask_with(&engine, order(), dry()).await.unwrap().unwrap();
    let real = done(&engine, order()).await;
    assert_eq!(planned.balances, real.balances);
    let payloads = |answer: &Answer| -> Vec<Payload> {
        answer
            .events
            .iter()
            .map(|recorded| without_times(&recorded.event.payload))
            .collect()
    };
    assert_eq!(payloads(&planned), payloads(&real));
    // Of what was applied it says so.
    assert!(
        ask_with(&engine, order(), dry())
            .await
            .unwrap()
            .unwrap()
            .replayed
    );
    let other = request("tg:1", id("generate"), charge("edit"));
    let reused = ask_with(&engine, other, dry()).await.unwrap().unwrap_err();
    assert_eq!(reused.reason(), "REQUEST_ID_REUSED");
}

fn without_times(payload: &Payload) -> Payload {
    let mut payload = payload.clone();
    if let Payload::Credited(credited) = &mut payload {
        credited.lot.created_at = Timestamp(0);
        credited.lot.expires_at = None;
    }
    payload
}

/// Two charges that fit one by one and not together: a dry run has to say so.
async fn a_dry_run_of_a_batch_adds_up(database: Database) {
    let engine = opened(database.store().await).await;
    done(&engine, request("tg:1", id("credit"), credit("RUB", 100))).await;
    let both = || {
        let take = |name| request("tg:1", id(name), take("RUB", 60));
        vec![take("first"), take("second")]
    };
    let planned = call(&engine, both(), dry()).await.unwrap();
    let real = call(&engine, both(), CallOptions::default()).await.unwrap();
    let accepted = |results: &[Result<Answer, Rejection>]| -> Vec<bool> {
        results.iter().map(Result::is_ok).collect()
    };
    assert_eq!(accepted(&real), [true, false]);
    assert_eq!(
        accepted(&planned),
        accepted(&real),
        "the dry run promised something else"
    );
}

async fn an_atomic_call_is_done_whole_or_not_at_all(database: Database) {
    let one = opened(database.store().await).await;
    let two = engine(database.store().await);
    done(&one, request("tg:1", id("credit"), credit("RUB", 100))).await;
    let before = sound(one.store()).await;
    let items = |amount| {
        vec![
            request("tg:1", id("first"), take("RUB", 60)),
            request("tg:2", id("second"), add("XP", 1)),
            request("tg:1", id("third"), take("RUB", amount)),
        ]
    };
    let refused = call(&one, items(41), atomic("call")).await.unwrap_err();
    match refused {
        EngineError::Rejected(rejection) => {
            let Rejection::BatchItemRefused { index, reason, .. } = *rejection else {
                panic!()
            };
            assert_eq!((index, reason), (2, "INSUFFICIENT_FUNDS"));
        }
        other => panic!("{other}"),
    }
    assert_eq!(sound(one.store()).await, before);
    // A refusal is no fact: the id may be used again, and differently.
    let first = call(&one, items(40), atomic("call")).await.unwrap();
    assert!(
        first
            .iter()
            .all(|result| !result.as_ref().unwrap().replayed)
    );
    for engine in [&one, &two] {
        let again = call(engine, items(40), atomic("call")).await.unwrap();
        for (again, first) in again.iter().zip(&first) {
            let (again, first) = (again.as_ref().unwrap(), first.as_ref().unwrap());
            assert!(again.replayed);
            assert_eq!(again.events, first.events);
        }
        let other = vec![request("tg:1", id("another"), add("XP", 1))];
        let reused = call(engine, other, atomic("call")).await.unwrap_err();
        let EngineError::Rejected(rejection) = reused else {
            panic!("{reused}")
        };
        assert!(
            matches!(
                *rejection,
                Rejection::RequestIdReused {
                    field: "requests",
                    ..
                }
            ),
            "{rejection:?}"
        );
    }
    sound(one.store()).await;
}

/// An item whose id was used for something else refuses the whole call.
async fn an_atomic_call_with_a_used_item_id_is_refused_whole(database: Database) {
    let engine = opened(database.store().await).await;
    done(&engine, request("tg:1", id("used"), add("XP", 5))).await;
    let before = sound(engine.store()).await;
    let items = vec![
        request("tg:1", id("new"), add("XP", 1)),
        request("tg:1", id("used"), add("XP", 6)),
    ];
    let refused = call(&engine, items, atomic("call")).await;
    assert!(
        matches!(&refused, Err(EngineError::Rejected(rejection))
            if matches!(**rejection, Rejection::BatchItemRefused { index: 1, .. })),
        "{refused:?}"
    );
    assert_eq!(
        sound(engine.store()).await,
        before,
        "half of an atomic call was applied"
    );
}

async fn a_batch_call_fails_item_by_item(database: Database) {
    let engine = opened(database.store().await).await;
    done(&engine, request("tg:1", id("credit"), credit("RUB", 100))).await;
    let items = || {
        vec![
            request("tg:1", id("first"), take("RUB", 60)),
            request("tg:1", id("too much"), take("RUB", 60)),
            request("tg:1", id("last"), take("RUB", 40)),
            request("tg:1", id("first"), take("RUB", 60)),
        ]
    };
    let results = call(&engine, items(), CallOptions::default())
        .await
        .unwrap();
    let [first, too_much, last, repeat] = &results[..] else {
        panic!()
    };
    assert!(!first.as_ref().unwrap().replayed);
    assert_eq!(
        too_much.as_ref().unwrap_err().reason(),
        "INSUFFICIENT_FUNDS"
    );
    assert!(!last.as_ref().unwrap().replayed);
    assert!(repeat.as_ref().unwrap().replayed);
    // Refused ones are decided anew: now there is money.
    done(&engine, request("tg:1", id("more"), credit("RUB", 60))).await;
    let results = call(&engine, items(), CallOptions::default())
        .await
        .unwrap();
    let replayed: Vec<bool> = results
        .iter()
        .map(|result| result.as_ref().unwrap().replayed)
        .collect();
    assert_eq!(replayed, [true, false, true, true]);
    sound(engine.store()).await;
}

/// No sweeper runs here.
async fn what_is_due_is_ended_without_the_sweeper(database: Database) {
    let engine = opened(database.store().await).await;
    let soon = engine.now().plus_us(100_000);
    done(
        &engine,
        request("tg:1", id("lot"), lot_until("RUB", 70, soon)),
    )
    .await;
    done(&engine, request("tg:1", id("credit"), credit("RUB", 30))).await;
    done(&engine, request("tg:2", id("credit"), credit("RUB", 50))).await;
    done(
        &engine,
        request("tg:2", id("hold"), hold("RUB", 50, 50_000)),
    )
    .await;
    pass(&engine, soon).await;
    // The lot does not pay any more.
    let rejection = refused(&engine, request("tg:1", id("over"), take("RUB", 31))).await;
    assert!(
        matches!(
            rejection,
            Rejection::InsufficientFunds { available: 30, .. }
        ),
        "{rejection:?}"
    );
    // Reads do not show it.
    let seen = read(&engine, "tg:1").await;
    let context = Context {
        book: BOOK,
        now: seen.now,
        catalog: &seen.catalog.catalog,
        catalog_version: seen.catalog.version,
        next_position: seen.head.position + 1,
    };
    assert_eq!(
        at_present("tg:1", &seen.accounts[0], &context)
            .totals("RUB")
            .balance,
        30
    );
    // The end is written with the next decision that writes.
    let taken = done(&engine, request("tg:1", id("take"), take("RUB", 30))).await;
    let expired = &taken.events[0].event.payload;
    assert!(matches!(expired, Payload::LotExpired(expired) if expired.lot.amount == 70));
    // What the hold reserved is free again, and a late capture takes it.
    let late = done(&engine, request("tg:2", id("capture"), capture("hold"))).await;
    let kinds: Vec<u8> = late
        .events
        .iter()
        .map(|r| r.event.payload.kind() as u8)
        .collect();
    assert_eq!(kinds, [10, 8], "HoldExpired, then HoldCaptured");
    let Payload::HoldCaptured(captured) = &late.events[1].event.payload else {
        panic!()
    };
    assert!(captured.late);
    assert_eq!(captured.amount, 50);
    sound(engine.store()).await;
}

/// `OpenAccount` of an open account writes nothing; its balances are still
/// those of now.
async fn an_answer_without_events_knows_what_is_due(database: Database) {
    let engine = opened(database.store().await).await;
    let soon = engine.now().plus_us(50_000);
    done(
        &engine,
        request("tg:1", id("lot"), lot_until("RUB", 70, soon)),
    )
    .await;
    pass(&engine, soon).await;
    let answer = done(&engine, request("tg:1", id("open"), open())).await;
    assert!(answer.events.is_empty());
    let rub = answer
        .balances
        .iter()
        .find(|balance| balance.asset == "RUB")
        .unwrap();
    assert_eq!(rub.balance, 0, "the lot has expired");
}

async fn the_sweeper_writes_down_once(database: Database) {
    let one = opened(database.store().await).await;
    let two = engine(database.store().await);
    let soon = one.now().plus_us(1_000_000);
    let accounts: BTreeSet<Name> = (0..20)
        .map(|number| format!("tg:{number}").into())
        .collect();
    for account in &accounts {
        done(&one, request(account, id("lot"), lot_until("RUB", 7, soon))).await;
        done(
            &one,
            request(account, id("hold"), hold("CREDIT", 2, 50_000)),
        )
        .await;
    }
    pass(&one, soon).await;
    let shutdown = CancellationToken::new();
    let sweepers = [("one", &one), ("two", &two)].map(|(name, engine)| {
        tokio::spawn(sweep(engine.clone(), name.to_owned(), shutdown.clone()))
    });
    // Waits for the sweepers' own events; the last account's end is enough to
    // know that a round was done.
    let swept = async {
        loop {
            let due = one.store().due_accounts(BOOK, soon, 100).await.unwrap();
            if due.is_empty() {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), swept)
        .await
        .unwrap();
    shutdown.cancel();
    for sweeper in sweepers {
        sweeper.await.unwrap();
    }
    let events = sound(one.store()).await;
    for kind in [10, 11] {
        let ended: Vec<&Name> = events
            .iter()
            .map(|recorded| &recorded.event)
            .filter(|event| event.payload.kind() as u8 == kind && accounts.contains(&event.account))
            .filter(|event| match &event.payload {
                Payload::LotExpired(expired) => expired.lot.asset == "RUB",
                _ => true,
            })
            .map(|event| &event.account)
            .collect();
        assert_eq!(ended.len(), accounts.len(), "once each, of kind {kind}");
        assert_eq!(
            ended.into_iter().cloned().collect::<BTreeSet<_>>(),
            accounts
        );
    }
    for account in &accounts {
        assert_eq!(balance(&two, account, "RUB").await, 0);
    }
}

/// A book that cannot be swept does not keep the rest from it, and one in which
/// nothing is due needs no writer.
async fn the_sweeper_goes_on_past_a_bad_book(database: Database) {
    let store = database.store().await;
    let bad = "a bad book, before all others";
    store.create_book(bad).await.unwrap();
    store.create_book("idle").await.unwrap();
    let state = if database.is_postgres() {
        "'\\x00'"
    } else {
        "x'00'"
    };
    let sql = format!(
        "INSERT INTO accounts (book, account, version, fold_version, state, due_at_us)
         VALUES ('{bad}', 'tg:1', 1, {FOLD_VERSION}, {state}, 1)"
    );
    database.execute(&sql).await;
    let engine = opened(store).await;
    let soon = engine.now().plus_us(100_000);
    done(
        &engine,
        request("tg:1", id("lot"), lot_until("RUB", 7, soon)),
    )
    .await;
    let store = engine.store();
    pass(&engine, soon).await;
    let shutdown = CancellationToken::new();
    let sweeper = tokio::spawn(sweep(engine.clone(), "one".to_owned(), shutdown.clone()));
    let swept = async {
        while !store.due_accounts(BOOK, soon, 1).await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), swept)
        .await
        .unwrap();
    shutdown.cancel();
    sweeper.await.unwrap();
    let is_due = store.due_accounts(bad, soon, 1).await.unwrap();
    assert_eq!(is_due, ["tg:1"], "the bad book is as bad as before");
    let mut in_use = engine.books_in_use();
    in_use.sort_unstable();
    assert_eq!(in_use, [bad, BOOK]);
}

/// A hold on a lot that ends before it: two accounts with the same history, of
/// which one is swept between the two ends. What time does must not depend on
/// when it is noticed.
async fn sweeping_or_not_makes_no_difference(database: Database) {
    let engine = opened(database.store().await).await;
    let first = engine.now().plus_us(150_000);
    let second = first.plus_us(150_000);
    for account in ["tg:swept", "tg:left"] {
        done(
            &engine,
            request(account, id("lot"), lot_until("RUB", 100, first)),
        )
        .await;
        let placed = engine.now();
        let duration = second.us_since(placed);
        done(
            &engine,
            request(account, id("hold"), hold("RUB", 60, duration)),
        )
        .await;
    }
    let sweep = |account: &str| Request {
        request_id: None,
        ..request(
            account,
            id(""),
            Command::Sweep(ledger_core::command::Sweep {}),
        )
    };
    pass(&engine, first).await;
    done(&engine, sweep("tg:swept")).await;
    assert!(
        read(&engine, "tg:swept").await.now < second,
        "the machine is too slow for this test"
    );
    pass(&engine, second.plus_us(20_000)).await;
    done(&engine, sweep("tg:swept")).await;
    done(&engine, sweep("tg:left")).await;
    let swept = balance(&engine, "tg:swept", "RUB").await;
    let left = balance(&engine, "tg:left", "RUB").await;
    assert_eq!(
        swept, 60,
        "what the hold gives back has the grace of refunds"
    );
    assert_eq!(
        left, swept,
        "the one that nobody looked at meanwhile lost money"
    );
    let events = sound(engine.store()).await;
    assert!(of_request(&events, id("hold")).len() >= 2);
}
