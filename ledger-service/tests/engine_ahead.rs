//! Looking ahead: a request that is decided while the append before it is still
//! running rests on what that append comes to.
#![cfg(test)]

mod support;

use std::{future::Future, pin::pin, sync::Arc};

use futures::poll;
use ledger_core::{Rejection, Request};
use ledger_service::{
    engine::{Engine, EngineError},
    limits::{ANSWERS_APART_MIN, BATCH_COMMANDS_MIN},
};
use support::{
    ask::{
        Asked, ask, balance, capture, credit, done, engine, hold, id, opened, read, request, take,
    },
    database::Database,
    faulty::{Fault, Faults, FaultyStore, Kind, Outcome},
    gate::Gate,
    log::{of_request, sound},
    on_both,
};

on_both!(
    what_is_decided_ahead_rests_on_the_append_before,
    what_was_decided_ahead_of_a_refused_append_is_decided_anew,
    an_append_that_is_tried_again_goes_before_what_came_after,
    a_lost_swap_undoes_what_was_decided_ahead,
    a_repeat_ahead_gets_the_first_answer,
    a_read_ahead_waits_for_the_append,
    what_needs_the_database_is_not_decided_ahead,
    what_waits_for_the_database_is_not_overtaken,
    many_are_answered_before_the_engine_is_down,
);

/// What happens to an append, and while it is held up.
struct Course<F> {
    outcome: Outcome,
    meanwhile: F,
}

impl Course<std::future::Ready<()>> {
    fn of(outcome: Outcome) -> Self {
        Self {
            outcome,
            meanwhile: std::future::ready(()),
        }
    }
}

/// Asks for `first`, and while its append is held up for `then`, which is taken
/// from the queue before the append takes its course.
async fn while_appending<T>(
    (engine, faults): (&Engine, &Faults),
    course: Course<impl Future<Output = ()>>,
    first: Request,
    then: impl Future<Output = T>,
) -> (Asked, T) {
    let (fault, mut gate) = Gate::before();
    let outcome = course.outcome;
    faults.once(Kind::Append, Fault { outcome, ..fault });
    let asking = tokio::spawn({
        let engine = engine.clone();
        async move { ask(&engine, first).await }
    });
    gate.arrived().await;
    let mut then = pin!(then);
    // The first look at it puts it into the queue.
    assert!(poll!(then.as_mut()).is_pending());
    while engine.queued_jobs() > 0 {
        tokio::task::yield_now().await;
    }
    // Nobody is answered before the append has succeeded.
    assert!(poll!(then.as_mut()).is_pending());
    course.meanwhile.await;
    gate.open();
    let then = then.await;
    (asking.await.unwrap(), then)
}

async fn opened_with_faults(database: &Database) -> (Engine, Arc<Faults>) {
    let (store, faults) = FaultyStore::around(database.store().await);
    (opened(store).await, faults)
}

/// Puts an account with 10 RUB into memory.
async fn warm(engine: &Engine, account: &str) {
    let request_id = id(&format!("warm {account}"));
    done(engine, request(account, request_id, credit("RUB", 10))).await;
}

async fn what_is_decided_ahead_rests_on_the_append_before(database: Database) {
    let (engine, faults) = opened_with_faults(&database).await;
    warm(&engine, "tg:1").await;
    let (first, then) = while_appending(
        (&engine, &faults),
        Course::of(Outcome::Real),
        request("tg:1", id("first"), credit("RUB", 100)),
        ask(&engine, request("tg:1", id("then"), take("RUB", 110))),
    )
    .await;
    let position = |asked: Asked| asked.unwrap().unwrap().events[0].event.position;
    assert_eq!(position(then), position(first) + 1);
    assert_eq!(balance(&engine, "tg:1", "RUB").await, 0);
    sound(engine.store()).await;
}

/// If memory were not moved back, the charge would be paid from a credit that
/// never was.
async fn what_was_decided_ahead_of_a_refused_append_is_decided_anew(database: Database) {
    let (engine, faults) = opened_with_faults(&database).await;
    warm(&engine, "tg:1").await;
    let (first, then) = while_appending(
        (&engine, &faults),
        Course::of(Outcome::Refused),
        request("tg:1", id("first"), credit("RUB", 100)),
        ask(&engine, request("tg:1", id("then"), take("RUB", 110))),
    )
    .await;
    assert!(matches!(first, Err(EngineError::Refused)), "{first:?}");
    let rejection = then.unwrap().unwrap_err();
    assert!(
        matches!(
            rejection,
            Rejection::InsufficientFunds { available: 10, .. }
        ),
        "{rejection:?}"
    );
    sound(engine.store()).await;
}

async fn an_append_that_is_tried_again_goes_before_what_came_after(database: Database) {
    let (engine, faults) = opened_with_faults(&database).await;
    for outcome in [Outcome::Lost, Outcome::Busy, Outcome::DoneAndLost] {
        let account = format!("tg:{outcome:?}");
        let ids = ["first", "then"].map(|name| id(&format!("{name} {account}")));
        warm(&engine, &account).await;
        let (first, then) = while_appending(
            (&engine, &faults),
            Course::of(outcome),
            request(&account, ids[0], credit("RUB", 100)),
            ask(&engine, request(&account, ids[1], take("RUB", 110))),
        )
        .await;
        assert!(first.unwrap().is_ok() && !then.unwrap().unwrap().replayed);
        assert_eq!(balance(&engine, &account, "RUB").await, 0, "{outcome:?}");
        let events = sound(engine.store()).await;
        for id in ids {
            assert_eq!(of_request(&events, id).len(), 1, "{outcome:?}");
        }
    }
}

async fn a_lost_swap_undoes_what_was_decided_ahead(database: Database) {
    let (engine, faults) = opened_with_faults(&database).await;
    warm(&engine, "tg:1").await;
    let other = self::engine(database.store().await);
    let meanwhile = async {
        done(&other, request("tg:1", id("other"), take("RUB", 5))).await;
    };
    let (first, then) = while_appending(
        (&engine, &faults),
        Course {
            outcome: Outcome::Real,
            meanwhile,
        },
        request("tg:1", id("first"), credit("RUB", 100)),
        ask(&engine, request("tg:1", id("then"), take("RUB", 110))),
    )
    .await;
    assert!(first.unwrap().is_ok());
    let rejection = then.unwrap().unwrap_err();
    assert!(
        matches!(
            rejection,
            Rejection::InsufficientFunds { available: 105, .. }
        ),
        "{rejection:?}"
    );
    sound(engine.store()).await;
}

async fn a_repeat_ahead_gets_the_first_answer(database: Database) {
    let (engine, faults) = opened_with_faults(&database).await;
    for outcome in [Outcome::Real, Outcome::DoneAndLost, Outcome::Lost] {
        let account = format!("tg:{outcome:?}");
        warm(&engine, &account).await;
        let same = || request(&account, id(&account), take("RUB", 10));
        let (first, then) = while_appending(
            (&engine, &faults),
            Course::of(outcome),
            same(),
            ask(&engine, same()),
        )
        .await;
        let (first, then) = (first.unwrap().unwrap(), then.unwrap().unwrap());
        assert!(then.replayed, "{outcome:?}");
        assert_eq!(then.events, first.events, "{outcome:?}");
        assert_eq!(balance(&engine, &account, "RUB").await, 0, "{outcome:?}");
        sound(engine.store()).await;
    }
}

async fn a_read_ahead_waits_for_the_append(database: Database) {
    let (engine, faults) = opened_with_faults(&database).await;
    warm(&engine, "tg:1").await;
    let (first, then) = while_appending(
        (&engine, &faults),
        Course::of(Outcome::Real),
        request("tg:1", id("first"), credit("RUB", 100)),
        read(&engine, "tg:1"),
    )
    .await;
    assert!(first.unwrap().is_ok());
    assert_eq!(then.accounts[0].totals("RUB").balance, 110);
}

/// An account that is not in memory; a hold that was open before the append.
async fn what_needs_the_database_is_not_decided_ahead(database: Database) {
    let (engine, faults) = opened_with_faults(&database).await;
    warm(&engine, "tg:1").await;
    let minute_us = 60_000_000;
    done(
        &engine,
        request("tg:1", id("hold"), hold("RUB", 5, minute_us)),
    )
    .await;
    for (then, name) in [
        (request("tg:cold", id("cold"), credit("RUB", 7)), "cold"),
        (request("tg:1", id("late"), capture("hold")), "late"),
    ] {
        let first = match name {
            "cold" => request("tg:1", id("first"), credit("RUB", 1)),
            _ => request("tg:1", id("capture"), capture("hold")),
        };
        let (first, then) = while_appending(
            (&engine, &faults),
            Course::of(Outcome::Real),
            first,
            ask(&engine, then),
        )
        .await;
        assert!(first.unwrap().is_ok(), "{name}");
        assert_eq!(then.unwrap().is_ok(), name == "cold", "{name}");
    }
    assert_eq!(balance(&engine, "tg:cold", "RUB").await, 7);
    assert_eq!(balance(&engine, "tg:1", "RUB").await, 6);
    sound(engine.store()).await;
}

/// If the look ahead went on beside what waits, a cold account could wait for
/// ever under load.
async fn what_waits_for_the_database_is_not_overtaken(database: Database) {
    let (engine, faults) = opened_with_faults(&database).await;
    warm(&engine, "tg:1").await;
    let (first, mut gate) = Gate::before();
    let (second, mut next_gate) = Gate::before();
    faults.once(Kind::Append, first);
    faults.once(Kind::Append, second);
    let spawn = |account: &str, name: &str| {
        let (engine, request) = (engine.clone(), request(account, id(name), credit("RUB", 1)));
        tokio::spawn(async move { done(&engine, request).await })
    };
    let taken = async || {
        while engine.queued_jobs() > 0 {
            tokio::task::yield_now().await;
        }
    };
    let held_up = spawn("tg:1", "held up");
    gate.arrived().await;
    let mut warm = pin!(ask(&engine, request("tg:1", id("warm"), credit("RUB", 1))));
    let mut cold = pin!(ask(
        &engine,
        request("tg:cold", id("cold"), credit("RUB", 1))
    ));
    for asked in [warm.as_mut(), cold.as_mut()] {
        assert!(poll!(asked).is_pending());
        taken().await;
    }
    gate.open();
    next_gate.arrived().await;
    let later = ask(&engine, request("tg:1", id("later"), credit("RUB", 1)));
    let mut later = pin!(later);
    assert!(poll!(later.as_mut()).is_pending());
    next_gate.open();
    let position = |asked: Asked| asked.unwrap().unwrap().events[0].event.position;
    let (warm, cold, later) = futures::join!(warm, cold, later);
    let (warm, cold, later) = (position(warm), position(cold), position(later));
    assert!(warm < cold && cold < later, "{warm} {cold} {later}");
    held_up.await.unwrap();
    sound(engine.store()).await;
}

/// Many calls are answered beside the next append: also when that is the end of
/// the engine, each has its own answer.
async fn many_are_answered_before_the_engine_is_down(database: Database) {
    let (engine, faults) = opened_with_faults(&database).await;
    warm(&engine, "tg:1").await;
    let (fault, mut gate) = Gate::before();
    faults.once(Kind::Append, fault);
    let spawn = |name: String| {
        let (engine, request) = (engine.clone(), request("tg:1", id(&name), credit("RUB", 1)));
        tokio::spawn(async move { ask(&engine, request).await })
    };
    let mut asking = vec![spawn("held up".to_owned())];
    gate.arrived().await;
    let calls = 3 * ANSWERS_APART_MIN.max(BATCH_COMMANDS_MIN);
    asking.extend((0..calls).map(|number| spawn(number.to_string())));
    // The look ahead takes a batch, the rest waits.
    while engine.queued_jobs() < calls - BATCH_COMMANDS_MIN {
        tokio::task::yield_now().await;
    }
    let mut stopping = pin!(engine.shut_down());
    assert!(poll!(stopping.as_mut()).is_pending());
    gate.open();
    stopping.await;
    let mut balances = Vec::new();
    for asked in asking {
        let answer = match asked.await.unwrap() {
            Ok(answer) => answer.unwrap(),
            // It came when the engine took nothing any more.
            Err(EngineError::ShuttingDown) => continue,
            Err(error) => panic!("{error:?}"),
        };
        let mut assets = answer.balances.iter();
        balances.push(
            assets
                .find(|balance| balance.asset == "RUB")
                .unwrap()
                .balance,
        );
    }
    balances.sort_unstable();
    assert!(balances.len() > calls - BATCH_COMMANDS_MIN);
    let expected: Vec<i64> = (11..).take(balances.len()).collect();
    assert_eq!(balances, expected, "each its own");
    sound(engine.store()).await;
}
