//! The write path's points one to three and nine (`ARCHITECTURE.md`, "Write
//! path"): several engines on one log. Each test says what it would see if the
//! point were taken out.
#![cfg(test)]

mod support;

use std::sync::{Arc, Mutex};

use ledger_core::Rejection;
use ledger_service::{
    engine::{Call, CallOptions, Engine, EngineError},
    store::{Append, Appended},
};
use support::{
    ask::{
        BOOK, add, ask, balance, credit, decided, done, engine, id, lot_until, opened, pass, read,
        refused, request, take, transfer,
    },
    database::Database,
    faulty::{Fault, FaultyStore, Kind, Outcome},
    log::{of_request, sound},
    on_both,
};

on_both!(
    two_engines_write_one_log,
    an_append_with_a_stale_head_writes_nothing,
    a_state_that_another_engine_changed_is_decided_afresh,
    a_cold_state_is_proved_by_the_head_it_came_with,
    states_follow_what_others_wrote,
    a_repeat_is_found_before_it_could_be_refused,
    a_repeat_is_found_whoever_is_asked_after_an_outage,
    a_credit_by_one_engine_is_there_for_a_charge_by_the_other,
    a_read_after_a_lost_swap_sees_what_was_written,
    an_atomic_repeat_that_is_overtaken_is_not_refused,
    transfers_both_ways_keep_the_sum,
    a_transfer_carries_its_request_on_its_own_account,
    two_charges_race_for_the_last_coin,
);

/// Point 1. Without the comparison, both engines would write at the positions
/// that they believe to be free: the primary key would refuse, or one would
/// overwrite the other.
async fn two_engines_write_one_log(database: Database) {
    let one = opened(database.store().await).await;
    let two = engine(database.store().await);
    let write = |name: &'static str, engine: Engine| async move {
        for number in 0..200 {
            let account = format!("tg:{}", number % 6);
            let request_id = id(&format!("{name} {number}"));
            done(&engine, request(&account, request_id, add("XP", 1))).await;
        }
    };
    tokio::join!(write("one", one.clone()), write("two", two));
    let events = sound(one.store()).await;
    let added = events
        .iter()
        .filter(|recorded| recorded.event.request.is_some())
        .count();
    // Two requests a name and number, and the catalog.
    assert_eq!(added, 401);
    for number in 0..6 {
        let expected = (0..200).filter(|other| other % 6 == number).count() as i64 * 2;
        assert_eq!(balance(&one, &format!("tg:{number}"), "XP").await, expected);
    }
}

/// Point 1, of the statement itself: the very append that was done before is
/// sent again.
async fn an_append_with_a_stale_head_writes_nothing(database: Database) {
    let (store, faults) = FaultyStore::around(database.store().await);
    let engine = opened(store).await;
    let sent: Arc<Mutex<Option<Append>>> = Arc::default();
    let seen = Arc::clone(&sent);
    faults.always(Box::new(move |calling| {
        if let Some(append) = calling.append {
            *seen.lock().unwrap() = Some(append.clone());
        }
        None
    }));
    done(&engine, request("tg:1", id("r"), add("XP", 5))).await;
    let events = sound(engine.store()).await;
    let stale = sent.lock().unwrap().take().unwrap();
    let mut writer = database.store().await.writer(BOOK).await.unwrap();
    assert_eq!(writer.append(&stale).await.unwrap(), Appended::Lost);
    assert_eq!(sound(engine.store()).await, events);
}

/// Point 2. Without the check, the first engine would take from the 100 that it
/// remembers, and a lot would go below zero.
async fn a_state_that_another_engine_changed_is_decided_afresh(database: Database) {
    let (store, faults) = FaultyStore::around(database.store().await);
    let one = opened(store).await;
    let two = engine(database.store().await);
    done(&one, request("tg:1", id("credit"), credit("RUB", 100))).await;
    let other = two.clone();
    faults.once(
        Kind::Append,
        Fault::before(async move {
            done(&other, request("tg:1", id("other"), take("RUB", 70))).await;
        }),
    );
    let rejection = refused(&one, request("tg:1", id("own"), take("RUB", 70))).await;
    assert!(
        matches!(
            rejection,
            Rejection::InsufficientFunds { available: 30, .. }
        ),
        "{rejection:?}"
    );
    sound(one.store()).await;
}

/// Point 2. If a cold state were loaded apart from the head, the swap would
/// succeed on top of what the other engine wrote between.
async fn a_cold_state_is_proved_by_the_head_it_came_with(database: Database) {
    let (store, faults) = FaultyStore::around(database.store().await);
    let one = opened(store).await;
    let two = engine(database.store().await);
    done(&two, request("tg:cold", id("credit"), credit("RUB", 100))).await;
    let other = two.clone();
    faults.once(
        Kind::Load,
        Fault::after(async move {
            done(&other, request("tg:cold", id("other"), take("RUB", 60))).await;
        }),
    );
    let rejection = refused(&one, request("tg:cold", id("own"), take("RUB", 60))).await;
    assert!(
        matches!(
            rejection,
            Rejection::InsufficientFunds { available: 40, .. }
        ),
        "{rejection:?}"
    );
    assert!(faults.are_spent());
    sound(one.store()).await;
}

/// Point 2. A state that missed one of the other's events would give an event a
/// version that is taken: the fold in `sound` would find it.
async fn states_follow_what_others_wrote(database: Database) {
    let one = opened(database.store().await).await;
    let two = engine(database.store().await);
    // As many as an engine of the tests keeps, so that each is in memory when
    // the other changes it; then more, so that some are loaded.
    for (round, accounts) in (0..10)
        .map(|round| (round, 3))
        .chain((10..20).map(|round| (round, 6)))
    {
        for account in 0..accounts {
            let account = format!("tg:{account}");
            for (name, engine) in [("one", &one), ("two", &two)] {
                let request_id = id(&format!("{name} {round}"));
                done(engine, request(&account, request_id, add("XP", 1))).await;
            }
        }
    }
    sound(one.store()).await;
    for account in 0..6 {
        let expected = if account < 3 { 40 } else { 20 };
        let found = balance(&two, &format!("tg:{account}"), "XP").await;
        assert_eq!(found, expected);
    }
}

/// Point 3. Without the look-up before a refusal, the repeat of the charge that
/// emptied the account would be told that there is no money.
async fn a_repeat_is_found_before_it_could_be_refused(database: Database) {
    let (store, faults) = FaultyStore::around(database.store().await);
    let one = opened(store).await;
    let two = engine(database.store().await);
    done(&one, request("tg:1", id("credit"), credit("RUB", 100))).await;
    let drain = || request("tg:1", id("drain"), take("RUB", 100));
    faults.once(Kind::Append, Outcome::DoneAndLost);
    let first = done(&one, drain()).await;
    assert!(faults.are_spent());
    // More requests than are remembered, so that memory alone does not help.
    for number in 0..20 {
        done(
            &one,
            request("tg:2", id(&format!("other {number}")), add("XP", 1)),
        )
        .await;
    }
    for engine in [&one, &two] {
        let again = done(engine, drain()).await;
        assert!(again.replayed);
        assert_eq!(again.events, first.events);
        assert_eq!(again.balances, first.balances);
    }
    let events = sound(one.store()).await;
    assert_eq!(of_request(&events, id("drain")).len(), 1);
}

/// Point 3 and 6, with the answer lost for good.
async fn a_repeat_is_found_whoever_is_asked_after_an_outage(database: Database) {
    let (store, faults) = FaultyStore::around(database.store().await);
    let one = opened(store).await;
    let two = engine(database.store().await);
    done(&one, request("tg:1", id("credit"), credit("RUB", 100))).await;
    let drain = || request("tg:1", id("drain"), take("RUB", 100));
    let down = Arc::clone(&faults);
    let mut fault = Fault::after(async move { down.set_down(true) });
    fault.outcome = Outcome::DoneAndLost;
    faults.once(Kind::Append, fault);
    let lost = ask(&one, drain()).await;
    assert!(matches!(lost, Err(EngineError::Unavailable)), "{lost:?}");
    assert!(done(&two, drain()).await.replayed);
    faults.set_down(false);
    assert!(done(&one, drain()).await.replayed);
    sound(two.store()).await;
}

/// Point 3. A refusal from memory alone would not know of the other's credit.
async fn a_credit_by_one_engine_is_there_for_a_charge_by_the_other(database: Database) {
    let one = opened(database.store().await).await;
    let two = engine(database.store().await);
    for number in 0..100 {
        let (giver, taker) = if number % 2 == 0 {
            (&one, &two)
        } else {
            (&two, &one)
        };
        let account = format!("tg:{}", number % 3);
        done(
            giver,
            request(&account, id(&format!("give {number}")), credit("RUB", 7)),
        )
        .await;
        done(
            taker,
            request(&account, id(&format!("take {number}")), take("RUB", 7)),
        )
        .await;
    }
    sound(one.store()).await;
}

/// Point 3, for reads. After a lost swap an engine takes the head's lock before
/// it decides; reads alone take no lock, and have to look at the head all the
/// same.
async fn a_read_after_a_lost_swap_sees_what_was_written(database: Database) {
    let (store, faults) = FaultyStore::around(database.store().await);
    let one = opened(store).await;
    let two = engine(database.store().await);
    let other = two.clone();
    faults.once(
        Kind::Append,
        Fault::before(async move {
            done(&other, request("tg:2", id("other"), add("XP", 1))).await;
        }),
    );
    done(&one, request("tg:1", id("own"), add("XP", 1))).await;
    for number in 2..10 {
        let acknowledged = done(
            &two,
            request("tg:1", id(&format!("more {number}")), add("XP", 1)),
        )
        .await;
        let seen = read(&one, "tg:1").await;
        assert!(
            seen.head.position >= acknowledged.seen_at.0,
            "a read is not older than a write"
        );
        assert_eq!(seen.accounts[0].totals("XP").balance, number);
    }
}

/// Point 3. What is followed from the log after an id was looked up counts too:
/// here the same atomic call is done by the other engine just after this one
/// has looked.
async fn an_atomic_repeat_that_is_overtaken_is_not_refused(database: Database) {
    let (store, faults) = FaultyStore::around(database.store().await);
    let one = opened(store).await;
    let two = engine(database.store().await);
    done(&one, request("tg:1", id("credit"), credit("RUB", 100))).await;
    let call = || Call {
        requests: vec![request("tg:1", id("drain"), take("RUB", 100))],
        options: CallOptions {
            atomic: Some(id("call")),
            ..CallOptions::default()
        },
    };
    // The head is not where the first engine believes it.
    done(&two, request("tg:2", id("other"), add("XP", 1))).await;
    let other = two.clone();
    faults.once(
        Kind::Load,
        Fault::after(async move {
            other.call(BOOK, call()).await.unwrap();
        }),
    );
    let results = decided(one.call(BOOK, call()).await);
    assert!(faults.are_spent());
    let results = results.unwrap_or_else(|error| panic!("it was applied, not refused: {error}"));
    assert!(results[0].as_ref().unwrap().replayed);
    sound(one.store()).await;
}

/// Point 9. Decided over one state only, money would appear or vanish.
async fn transfers_both_ways_keep_the_sum(database: Database) {
    let one = opened(database.store().await).await;
    let two = engine(database.store().await);
    done(&one, request("tg:a", id("a"), credit("RUB", 1_000))).await;
    done(&one, request("tg:b", id("b"), credit("RUB", 999))).await;
    // One that has neither state in memory.
    let cold = engine(database.store().await);
    done(
        &cold,
        request("tg:a", id("first"), transfer("tg:b", "RUB", 1)),
    )
    .await;
    let mut moves = Vec::new();
    for number in 0..60 {
        let (from, to) = if number % 2 == 0 {
            ("tg:a", "tg:b")
        } else {
            ("tg:b", "tg:a")
        };
        let engine = if number % 3 == 0 {
            one.clone()
        } else {
            two.clone()
        };
        let request_id = id(&format!("move {number}"));
        let request = request(from, request_id, transfer(to, "RUB", 1 + number));
        moves.push(tokio::spawn(
            async move { ask(&engine, request).await.unwrap() },
        ));
    }
    let (mut a, mut b) = (999, 1_000);
    for (number, moved) in moves.into_iter().enumerate() {
        if moved.await.unwrap().is_ok() {
            let amount = 1 + number as i64;
            let sent = if number % 2 == 0 { amount } else { -amount };
            (a, b) = (a - sent, b + sent);
        }
    }
    assert_eq!(balance(&one, "tg:a", "RUB").await, a);
    assert_eq!(balance(&two, "tg:b", "RUB").await, b);
    sound(one.store()).await;
}

/// Point 9. What is due of the account that gets is written down with the
/// transfer. The first event carries the request, and whoever follows the log
/// takes that event's account for the request's: it has to be.
async fn a_transfer_carries_its_request_on_its_own_account(database: Database) {
    let one = opened(database.store().await).await;
    let two = engine(database.store().await);
    let soon = one.now().plus_us(100_000);
    done(&one, request("tg:from", id("from"), credit("RUB", 100))).await;
    done(&one, request("tg:to", id("to"), lot_until("RUB", 7, soon))).await;
    read(&two, "tg:from").await;
    pass(&one, soon).await;
    let moved = done(
        &one,
        request("tg:from", id("move"), transfer("tg:to", "RUB", 60)),
    )
    .await;
    let kinds: Vec<u8> = moved
        .events
        .iter()
        .map(|r| r.event.payload.kind() as u8)
        .collect();
    assert!(
        kinds.contains(&11),
        "a lot of the other account expired: {kinds:?}"
    );
    let first = &moved.events[0].event;
    assert_eq!(first.account, "tg:from");
    assert!(first.request.is_some());
    let again = done(
        &two,
        request("tg:from", id("move"), transfer("tg:to", "RUB", 60)),
    )
    .await;
    assert!(again.replayed);
    assert_eq!(again.events, moved.events);
    sound(one.store()).await;
}

/// Exactly one wins, whoever is asked.
async fn two_charges_race_for_the_last_coin(database: Database) {
    let one = opened(database.store().await).await;
    let two = engine(database.store().await);
    for number in 0..30 {
        let account = format!("tg:{number}");
        done(&one, request(&account, id("coin"), credit("RUB", 1))).await;
        let race = |engine: &Engine, name: &str| {
            let (engine, request) = (engine.clone(), request(&account, id(name), take("RUB", 1)));
            async move { ask(&engine, request).await.unwrap() }
        };
        let (first, second) = tokio::join!(race(&one, "first"), race(&two, "second"));
        assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
        let loser = first.err().or(second.err()).unwrap();
        assert!(
            matches!(loser, Rejection::InsufficientFunds { available: 0, .. }),
            "{loser:?}"
        );
    }
    sound(one.store()).await;
}
