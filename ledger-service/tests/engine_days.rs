//! Bad days: the write path's points six to ten, and what they are for.
#![cfg(test)]

mod support;

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use ledger_core::{Command, Name, Rejection, Request};
use ledger_service::{
    engine::{Call, CallOptions, Clock, Engine, EngineError, EngineLimits},
    store::StoredEvent,
};
use support::{
    ask::{
        Asked, BOOK, add, ask, ask_with, balance, credit, done, dry, engine, id, in_one_batch,
        lot_until, opened, passed, payment, read, refused, request, small_limits, take,
    },
    database::Database,
    faulty::{Fault, FaultyStore, Kind, Outcome},
    gate::Gate,
    log::{of_request, sound},
    on_both, on_postgres,
};

on_both!(
    while_nothing_is_known_nobody_gets_an_answer,
    a_database_that_goes_and_comes_back,
    a_clock_that_is_wrong_stops_decisions,
    a_full_queue_says_so_at_once,
    a_batch_takes_no_more_than_its_bound,
    questions_count_by_their_accounts,
    a_passed_deadline_writes_nothing,
    the_cache_of_states_is_bounded,
    a_batch_of_everything,
    a_broken_hash_stops_the_writer,
);

on_postgres!(
    a_frozen_lock_holder_stops_nobody,
    a_server_that_ends_all_connections,
    what_one_wrote_the_other_reads,
);

/// Point 6. Anything but `Unavailable` would be a guess: the account may have
/// been emptied, or not.
async fn while_nothing_is_known_nobody_gets_an_answer(database: Database) {
    let (store, faults) = FaultyStore::around(database.store().await);
    let one = opened(store).await;
    done(&one, request("tg:1", id("credit"), credit("RUB", 100))).await;
    let down = Arc::clone(&faults);
    let mut fault = Fault::after(async move { down.set_down(true) });
    fault.outcome = Outcome::DoneAndLost;
    faults.once(Kind::Append, fault);
    let drain = request("tg:1", id("drain"), take("RUB", 100));
    let (first, second, late, seen) = tokio::join!(
        ask(&one, drain.clone()),
        ask(&one, request("tg:1", id("more"), take("RUB", 1))),
        ask_with(
            &one,
            request("tg:2", id("late"), add("XP", 1)),
            CallOptions {
                deadline: Some(Instant::now() + Duration::from_millis(100)),
                ..CallOptions::default()
            }
        ),
        one.read(BOOK, vec!["tg:1".into()], None),
    );
    for answer in [&first, &second, &late] {
        assert!(
            matches!(answer, Err(EngineError::Unavailable)),
            "{answer:?}"
        );
    }
    assert!(matches!(seen, Err(EngineError::Unavailable)), "{seen:?}");
    assert!(!one.is_healthy());
    faults.set_down(false);
    assert!(done(&one, drain).await.replayed);
    assert!(one.is_healthy());
    sound(one.store()).await;
}

/// It comes back by itself, without a restart.
async fn a_database_that_goes_and_comes_back(database: Database) {
    let (store, faults) = FaultyStore::around(database.store().await);
    let engine = opened(store).await;
    for number in 0..3 {
        faults.set_down(true);
        let request = || request("tg:1", id(&format!("r {number}")), add("XP", 1));
        let answer = ask(&engine, request()).await;
        assert!(
            matches!(answer, Err(EngineError::Unavailable)),
            "{answer:?}"
        );
        faults.set_down(false);
        assert!(!done(&engine, request()).await.replayed);
    }
    assert_eq!(balance(&engine, "tg:1", "XP").await, 3);
    sound(engine.store()).await;
}

/// The same with a real server that throws everybody out.
async fn a_server_that_ends_all_connections(database: Database) {
    let engine = opened(database.store().await).await;
    done(&engine, request("tg:1", id("before"), add("XP", 1))).await;
    database.shut().await;
    let answer = ask(&engine, request("tg:1", id("r"), add("XP", 1))).await;
    assert!(
        matches!(answer, Err(EngineError::Unavailable)),
        "{answer:?}"
    );
    database.reopen().await;
    done(&engine, request("tg:1", id("r"), add("XP", 1))).await;
    assert_eq!(balance(&engine, "tg:1", "XP").await, 2);
    sound(engine.store()).await;
}

/// Point 7. Without the server's limit on idle transactions, the head's row
/// would stay locked for as long as the frozen instance lives.
async fn a_frozen_lock_holder_stops_nobody(database: Database) {
    let engine = opened(database.store().await).await;
    let mut frozen = database.store().await.writer(BOOK).await.unwrap();
    frozen.lock().await.unwrap();
    let began = Instant::now();
    done(&engine, request("tg:1", id("r"), add("XP", 1))).await;
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
    let events = sound(engine.store()).await;
    assert_eq!(
        of_request(&events, id("r"))
            .iter()
            .filter(|r| r.event.request.is_some())
            .count(),
        1
    );
}

/// Point 8. Without it, a clock that is three seconds ahead would end lots that
/// are still good.
async fn a_clock_that_is_wrong_stops_decisions(database: Database) {
    let right = opened(database.store().await).await;
    let soon = right.now().plus_us(1_500_000);
    done(
        &right,
        request("tg:1", id("lot"), lot_until("RUB", 100, soon)),
    )
    .await;
    let before = sound(right.store()).await;
    for offset_us in [3_000_000, -3_000_000] {
        let clock = Clock::off_by_us(offset_us);
        let wrong = Engine::with_limits(database.store().await, clock, small_limits());
        let answer = ask(&wrong, request("tg:1", id("r"), add("XP", 1))).await;
        assert!(
            matches!(answer, Err(EngineError::ClockSkew { .. })),
            "{answer:?}"
        );
        let seen = wrong.read(BOOK, vec!["tg:1".into()], None).await;
        assert!(
            matches!(seen, Err(EngineError::ClockSkew { .. })),
            "{seen:?}"
        );
        let sweep = Request {
            request_id: None,
            ..request("tg:1", id(""), sweep())
        };
        let swept = ask(&wrong, sweep).await;
        assert!(
            matches!(swept, Err(EngineError::ClockSkew { .. })),
            "{swept:?}"
        );
    }
    assert_eq!(sound(right.store()).await, before);
    done(&right, request("tg:1", id("r"), add("XP", 1))).await;
}

fn sweep() -> Command {
    Command::Sweep(ledger_core::command::Sweep {})
}

/// Point 10. Without the bound, requests would pile up in memory.
async fn a_full_queue_says_so_at_once(database: Database) {
    let (store, faults) = FaultyStore::around(database.store().await);
    drop(opened(Arc::clone(&store)).await);
    let limits = EngineLimits {
        queue_jobs_max: 4,
        ..small_limits()
    };
    let engine = Engine::with_limits(store, Clock::system(), limits);
    let (fault, mut gate) = Gate::before();
    faults.once(Kind::Load, fault);
    let spawn = |name: &str| {
        let engine = engine.clone();
        let request = request("tg:1", id(name), add("XP", 1));
        tokio::spawn(async move { ask(&engine, request).await })
    };
    let held_up = spawn("held up");
    gate.arrived().await;
    let waiting: Vec<_> = (0..4)
        .map(|number| spawn(&format!("waiting {number}")))
        .collect();
    while engine.queued_jobs() < 4 {
        tokio::task::yield_now().await;
    }
    for number in 0..3 {
        let answer = spawn(&format!("too many {number}")).await.unwrap();
        assert!(matches!(answer, Err(EngineError::QueueFull)), "{answer:?}");
    }
    gate.open();
    held_up.await.unwrap().unwrap().unwrap();
    for answer in waiting {
        answer.await.unwrap().unwrap().unwrap();
    }
    assert_eq!(balance(&engine, "tg:1", "XP").await, 5);
}

/// Point 10.
async fn a_batch_takes_no_more_than_its_bound(database: Database) {
    let (store, faults) = FaultyStore::around(database.store().await);
    drop(opened(Arc::clone(&store)).await);
    let limits = EngineLimits {
        batch_commands_max: 8,
        ..small_limits()
    };
    let engine = Engine::with_limits(store, Clock::system(), limits);
    let sizes: Arc<Mutex<Vec<usize>>> = Arc::default();
    let seen = Arc::clone(&sizes);
    faults.always(Box::new(move |calling| {
        seen.lock()
            .unwrap()
            .extend(calling.append.map(|append| append.requests.len()));
        None
    }));
    let calls =
        (0..64).map(|number| single(request("tg:1", id(&format!("{number}")), add("XP", 1))));
    for answer in in_one_batch(&engine, &faults, calls.collect()).await {
        answer.unwrap().remove(0).unwrap();
    }
    let sizes = sizes.lock().unwrap().clone();
    // Full batches only, after the one that held them up.
    assert_eq!(sizes, [8; 8]);
}

/// Point 10. A question about many accounts may have to load them all: it is as
/// much work as that many commands.
async fn questions_count_by_their_accounts(database: Database) {
    let (store, faults) = FaultyStore::around(database.store().await);
    drop(opened(Arc::clone(&store)).await);
    let limits = EngineLimits {
        batch_commands_max: 8,
        ..small_limits()
    };
    let engine = Engine::with_limits(store, Clock::system(), limits);
    let loaded: Arc<Mutex<Vec<usize>>> = Arc::default();
    let seen = Arc::clone(&loaded);
    faults.always(Box::new(move |calling| {
        let accounts = calling.wanted.map_or(0, |wanted| wanted.accounts.len());
        seen.lock().unwrap().push(accounts);
        None
    }));
    let (fault, mut gate) = Gate::before();
    faults.once(Kind::Load, fault);
    let held_up = tokio::spawn({
        let engine = engine.clone();
        async move { done(&engine, request("tg:1", id("held up"), add("XP", 1))).await }
    });
    gate.arrived().await;
    let questions: Vec<_> = (0..6)
        .map(|question| {
            let engine = engine.clone();
            let accounts = (0..8).map(|number| format!("tg:{question}-{number}").into());
            let accounts = accounts.collect();
            tokio::spawn(async move { engine.read(BOOK, accounts, None).await })
        })
        .collect();
    while engine.queued_jobs() < 6 {
        tokio::task::yield_now().await;
    }
    gate.open();
    held_up.await.unwrap();
    for question in questions {
        assert_eq!(question.await.unwrap().unwrap().accounts.len(), 8);
    }
    assert_eq!(loaded.lock().unwrap().iter().max(), Some(&8));
}

fn single(request: Request) -> Call {
    Call {
        requests: vec![request],
        options: CallOptions::default(),
    }
}

/// Point 10. A deadline that has passed is honoured before the append.
async fn a_passed_deadline_writes_nothing(database: Database) {
    let engine = opened(database.store().await).await;
    let before = sound(engine.store()).await;
    let late = ask_with(&engine, request("tg:1", id("late"), add("XP", 1)), passed()).await;
    assert!(
        matches!(late, Err(EngineError::DeadlineExceeded)),
        "{late:?}"
    );
    let seen = engine
        .read(BOOK, vec!["tg:1".into()], Some(Instant::now()))
        .await;
    assert!(
        matches!(seen, Err(EngineError::DeadlineExceeded)),
        "{seen:?}"
    );
    assert_eq!(sound(engine.store()).await, before);
    // The same id may be used again.
    assert!(
        !done(&engine, request("tg:1", id("late"), add("XP", 1)))
            .await
            .replayed
    );
}

/// Point 10. What is not kept has to be loaded again: four states are kept
/// here, so of ten the first is gone and the last is not.
async fn the_cache_of_states_is_bounded(database: Database) {
    let (store, faults) = FaultyStore::around(database.store().await);
    let engine = opened(store).await;
    for number in 0..10 {
        let request_id = id(&format!("{number}"));
        done(
            &engine,
            request(&format!("tg:{number}"), request_id, add("XP", 1)),
        )
        .await;
    }
    let loaded: Arc<Mutex<Vec<Name>>> = Arc::default();
    let seen = Arc::clone(&loaded);
    faults.always(Box::new(move |calling| {
        seen.lock()
            .unwrap()
            .extend(calling.wanted.into_iter().flat_map(|w| w.accounts.clone()));
        None
    }));
    for number in [9, 8, 7, 6, 0, 1] {
        read(&engine, &format!("tg:{number}")).await;
    }
    assert_eq!(*loaded.lock().unwrap(), ["tg:0", "tg:1"]);
}

/// The issue's batch: one of each, among requests that are fine.
async fn a_batch_of_everything(database: Database) {
    let (store, faults) = FaultyStore::around(database.store().await);
    let engine = opened(store).await;
    let committed = request("tg:1", id("committed"), add("XP", 100));
    done(&engine, committed.clone()).await;
    done(
        &engine,
        request("tg:2", id("paid before"), payment("p-0", 10)),
    )
    .await;
    let is_postgres = database.is_postgres();
    faults.always(Box::new(move |calling| {
        let append = calling.append?;
        // SQLite takes U+0000 as it is.
        let is_poison = |account: &str| account.contains('\0') && !is_postgres;
        append
            .events
            .iter()
            .any(|event| is_poison(&event.account))
            .then(|| Outcome::Refused.into())
    }));
    let mut calls = vec![
        single(committed),
        single(request("tg:1", id("r 0"), add("XP", 1))),
        single(request("tg:1", id("r 0"), add("XP", 2))),
        single(request("tg:2", id("pay"), payment("p-1", 50))),
        single(request("tg:2", id("pay again"), payment("p-1", 50))),
        single(request("tg:3\0", id("poison"), add("XP", 1))),
        single(request("tg:4", id("poor"), take("RUB", 1))),
        single(request("tg:new", id("new"), add("XP", 7))),
        Call {
            requests: vec![request("tg:5", id("late"), add("XP", 1))],
            options: passed(),
        },
    ];
    // Position 1 repeats the first of these, which comes before it.
    let fine = (0..64 - calls.len()).map(|number| {
        let account = format!("tg:{}", 1 + number % 5);
        single(request(&account, id(&format!("r {number}")), add("XP", 1)))
    });
    calls = fine.chain(calls).collect();
    assert_eq!(calls.len(), 64);
    let mut answers: Vec<Asked> = in_one_batch(&engine, &faults, calls)
        .await
        .into_iter()
        .map(|answer| answer.map(|mut results| results.remove(0)))
        .collect();
    let special = answers.split_off(55);
    for answer in answers {
        assert!(!answer.unwrap().unwrap().replayed);
    }
    let [
        committed,
        repeat,
        other,
        pay,
        pay_again,
        poison,
        poor,
        new,
        late,
    ] = &special[..]
    else {
        panic!("nine special ones")
    };
    assert!(committed.as_ref().unwrap().as_ref().unwrap().replayed);
    assert!(repeat.as_ref().unwrap().as_ref().unwrap().replayed);
    assert_eq!(reason(other), "REQUEST_ID_REUSED");
    assert!(!pay.as_ref().unwrap().as_ref().unwrap().replayed);
    assert_eq!(reason(pay_again), "PAYMENT_ALREADY_RECORDED");
    assert!(matches!(poison, Err(EngineError::Refused)), "{poison:?}");
    assert_eq!(reason(poor), "INSUFFICIENT_FUNDS");
    assert!(new.as_ref().unwrap().is_ok());
    assert!(
        matches!(late, Err(EngineError::DeadlineExceeded)),
        "{late:?}"
    );
    assert_eq!(balance(&engine, "tg:1", "XP").await, 111);
    assert_eq!(balance(&engine, "tg:2", "RUB").await, 60);
    done(&engine, request("tg:1", id("next"), add("XP", 1))).await;
    sound(engine.store()).await;
}

fn reason(answer: &Asked) -> &'static str {
    answer.as_ref().unwrap().as_ref().unwrap_err().reason()
}

/// An event that does not follow the one before it is not history: whoever
/// meets it writes nothing more.
async fn a_broken_hash_stops_the_writer(database: Database) {
    let store = database.store().await;
    let engine = opened(Arc::clone(&store)).await;
    done(&engine, request("tg:1", id("r"), add("XP", 1))).await;
    let last = sound(&store).await.len() as u64;
    let StoredEvent { body, .. } = store.read_at(BOOK, &[last]).await.unwrap().remove(0);
    let mut event = ledger_core::Event::decode(&body).unwrap();
    event.position = last + 1;
    let body = ledger_core::command::encode(&event);
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    let literal = |bytes: &[u8]| match database.is_postgres() {
        true => format!("'\\x{}'::bytea", hex(bytes)),
        false => format!("x'{}'", hex(bytes)),
    };
    let wrong_hash = literal(&[7; 32]);
    let sql = format!(
        "INSERT INTO events (book, position, account, version, kind, recorded_at_us, body, hash)
         VALUES ('test', {position}, 'tg:1', 9, 12, {time}, {body}, {wrong_hash});
         UPDATE logs SET position = {position}, hash = {wrong_hash} WHERE book = 'test';",
        position = last + 1,
        time = event.recorded_at.0,
        body = literal(&body),
    );
    database.execute(&sql).await;
    for number in 0..3 {
        let request_id = id(&format!("after {number}"));
        let answer = ask(&engine, request("tg:2", request_id, add("XP", 1))).await;
        assert!(matches!(answer, Err(EngineError::Stopped)), "{answer:?}");
    }
    assert!(!engine.is_healthy());
    assert_eq!(
        store.head(BOOK).await.unwrap().unwrap().head.position,
        last + 1
    );
    let dry = ask_with(&engine, request("tg:2", id("dry"), add("XP", 1)), dry()).await;
    assert!(matches!(dry, Err(EngineError::Stopped)), "{dry:?}");
}

/// Whatever one instance acknowledged, the other reads, without a token: ten
/// thousand times, by ten askers at once.
async fn what_one_wrote_the_other_reads(database: Database) {
    let one = opened(database.store().await).await;
    let two = engine(database.store().await);
    let askers = (0..10).map(|asker| {
        let (one, two) = (one.clone(), two.clone());
        tokio::spawn(async move {
            let account = format!("tg:{asker}");
            for number in 1..=1_000_i64 {
                let (writer, reader) = if number % 16 < 8 {
                    (&one, &two)
                } else {
                    (&two, &one)
                };
                let written = request(&account, id(&format!("{number}")), add("XP", 1));
                let position = done(writer, written).await.seen_at.0;
                let seen = read(reader, &account).await;
                assert!(seen.head.position >= position, "write {number} is not seen");
                assert_eq!(seen.accounts[0].totals("XP").balance, number);
            }
        })
    });
    for asker in futures::future::join_all(askers).await {
        asker.unwrap();
    }
    let rejection = refused(&two, request("tg:1", id("over"), take("XP", 1_001))).await;
    assert!(matches!(
        rejection,
        Rejection::InsufficientFunds {
            available: 1_000,
            ..
        }
    ));
}
