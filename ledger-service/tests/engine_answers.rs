//! The write path's points four to six: repeats, requests that the database
//! refuses, and outcomes that nobody knows.
#![cfg(test)]

mod support;

use std::time::{Duration, Instant};

use ledger_core::{Payload, Rejection, command::Target, event::HOUSE};
use ledger_service::engine::{Call, CallOptions, EngineError};
use support::{
    ask::{
        BOOK, CATALOG, add, apply, ask, ask_with, balance, capture, credit, decided, done, dry,
        each_in_one_batch, engine, hold, id, in_one_batch, opened, pass, payment, read, refund,
        refused, request, take,
    },
    database::Database,
    faulty::{Fault, FaultyStore, Kind, Outcome},
    log::sound,
    on_both, on_postgres,
};

on_both!(
    repeats_inside_a_batch,
    a_provider_id_repeated_inside_a_batch,
    a_provider_id_is_unique_over_engines,
    a_provider_id_is_unique_over_books,
    a_batch_may_refund_what_it_charged,
    a_target_beyond_the_head_is_not_found,
    a_hold_that_the_batch_ends_is_still_found,
    a_refused_request_hurts_nobody_else,
    a_repeat_is_not_refused_because_it_cannot_be_looked_up,
    an_append_whose_acknowledgement_was_lost_is_found,
    an_append_that_was_lost_is_decided_again,
    a_busy_database_is_asked_again,
);

on_postgres!(text_that_the_database_refuses_hurts_nobody_else);

/// Point 4. Without it, the second would break the unique key of requests and
/// halve the batch, or be applied again.
async fn repeats_inside_a_batch(database: Database) {
    let (store, faults) = FaultyStore::around(database.store().await);
    let engine = opened(store).await;
    done(&engine, request("tg:1", id("credit"), credit("RUB", 100))).await;
    let appends = faults.appends();
    let with_note = |note: &str| {
        let mut request = request("tg:1", id("r"), take("RUB", 60));
        request.annotations.external_id = Some(note.into());
        request
    };
    let requests = vec![
        with_note("task"),
        with_note("task"),
        request("tg:1", id("r"), take("RUB", 61)),
        request("tg:1", id("r"), add("RUB", 1)),
        with_note("another task"),
        // Another account may use the id too.
        request("tg:2", id("r"), add("XP", 1)),
    ];
    let answers = each_in_one_batch(&engine, &faults, requests).await;
    let [first, same, price, command, note, elsewhere] = &answers[..] else {
        panic!()
    };
    let first = first.as_ref().unwrap().as_ref().unwrap();
    assert!(!first.replayed);
    let same = same.as_ref().unwrap().as_ref().unwrap();
    assert!(same.replayed);
    assert_eq!(same.events, first.events);
    let position = first.events[0].event.position;
    for (answer, expected) in [
        (price, "explicit_price"),
        (command, "command"),
        (note, "annotations.external_id"),
    ] {
        let rejection = answer.as_ref().unwrap().as_ref().unwrap_err();
        let expected = Rejection::RequestIdReused {
            field: expected,
            event: position,
        };
        assert_eq!(*rejection, expected);
    }
    assert!(!elsewhere.as_ref().unwrap().as_ref().unwrap().replayed);
    assert_eq!(faults.appends(), appends + 1);
    sound(engine.store()).await;
}

/// Point 4. Decided in the same batch, the second payment would be applied too,
/// or break the unique key for all.
async fn a_provider_id_repeated_inside_a_batch(database: Database) {
    let (store, faults) = FaultyStore::around(database.store().await);
    let engine = opened(store).await;
    let requests = vec![
        request("tg:1", id("first"), payment("p-1", 500)),
        request("tg:1", id("again"), payment("p-1", 500)),
        request("tg:2", id("elsewhere"), payment("p-1", 500)),
        request("tg:2", id("another"), payment("p-2", 300)),
    ];
    let before = faults.calls(Kind::Append);
    let answers = each_in_one_batch(&engine, &faults, requests).await;
    let [first, again, elsewhere, another] = &answers[..] else {
        panic!()
    };
    // The database was not asked to refuse the second use of the id.
    assert_eq!(faults.calls(Kind::Append) - before, 1);
    let first = first.as_ref().unwrap().as_ref().unwrap();
    let paid = first
        .events
        .iter()
        .find(|recorded| recorded.event.payload.kind() as u8 == 17);
    for answer in [again, elsewhere] {
        let rejection = answer.as_ref().unwrap().as_ref().unwrap_err();
        let expected = Rejection::PaymentAlreadyRecorded {
            book: BOOK.to_owned(),
            event: paid.unwrap().event.position,
            kind: "payment".to_owned(),
            id: "p-1".to_owned(),
        };
        assert_eq!(*rejection, expected);
    }
    another.as_ref().unwrap().as_ref().unwrap();
    assert_eq!(balance(&engine, "tg:1", "RUB").await, 500);
    assert_eq!(balance(&engine, "tg:2", "RUB").await, 300);
    // Its own repeat is a repeat, not a second payment.
    let repeat = done(&engine, request("tg:1", id("first"), payment("p-1", 500))).await;
    assert!(repeat.replayed);
    sound(engine.store()).await;
}

/// Point 4 and 1. Claimed by the other engine between the look-up and the
/// append: the unique key refuses, and the look-up after that explains it.
async fn a_provider_id_is_unique_over_engines(database: Database) {
    let one = opened(database.store().await).await;
    let two = engine(database.store().await);
    for number in 0..20 {
        let pay = |engine: &ledger_service::engine::Engine, name: &str| {
            let engine = engine.clone();
            let request_id = id(&format!("{name} {number}"));
            let request = request(name, request_id, payment(&format!("p-{number}"), 100));
            async move { ask(&engine, request).await.unwrap() }
        };
        let (first, second) = tokio::join!(pay(&one, "tg:one"), pay(&two, "tg:two"));
        let refused = [&first, &second]
            .into_iter()
            .filter(|result| matches!(result, Err(Rejection::PaymentAlreadyRecorded { .. })));
        assert_eq!(refused.count(), 1, "{first:?} {second:?}");
        assert!(first.is_ok() || second.is_ok());
    }
    let sum = balance(&one, "tg:one", "RUB").await + balance(&two, "tg:two", "RUB").await;
    assert_eq!(sum, 2_000);
    sound(one.store()).await;
}

/// Point 5. Another book's log moves no head of ours, so only the unique key can
/// tell, and the look-up after the refusal has to explain it.
async fn a_provider_id_is_unique_over_books(database: Database) {
    let (store, faults) = FaultyStore::around(database.store().await);
    let engine = opened(store).await;
    let others = database.store().await;
    others.create_book("other").await.unwrap();
    faults.once(
        Kind::Append,
        Fault::before(async move {
            let two = support::ask::engine(others);
            let catalog = CATALOG.replace("book = \"test\"", "book = \"other\"");
            for request in [
                request(HOUSE, id("catalog"), apply(&catalog)),
                request("tg:1", id("theirs"), payment("p-1", 100)),
            ] {
                let call = Call {
                    requests: vec![request],
                    options: CallOptions::default(),
                };
                decided(two.call("other", call).await)
                    .unwrap()
                    .remove(0)
                    .unwrap();
            }
        }),
    );
    let refused = refused(&engine, request("tg:1", id("ours"), payment("p-1", 100))).await;
    assert!(
        matches!(&refused, Rejection::PaymentAlreadyRecorded { book, .. } if book == "other"),
        "{refused:?}"
    );
    assert!(faults.are_spent());
    assert_eq!(balance(&engine, "tg:1", "RUB").await, 0);
    sound(engine.store()).await;
}

/// A charge and its refund gather in one batch: the refund waits until the
/// charge can be read.
async fn a_batch_may_refund_what_it_charged(database: Database) {
    let (store, faults) = FaultyStore::around(database.store().await);
    let engine = opened(store).await;
    done(&engine, request("tg:1", id("credit"), credit("RUB", 100))).await;
    let requests = vec![
        request("tg:1", id("take"), take("RUB", 60)),
        request("tg:1", id("back"), refund(Target::Request(id("take")))),
    ];
    for answer in each_in_one_batch(&engine, &faults, requests).await {
        answer.unwrap().unwrap();
    }
    assert_eq!(balance(&engine, "tg:1", "RUB").await, 100);
    sound(engine.store()).await;
}

/// A position that nobody has written is not one that this batch will write:
/// waiting for it would hold the book up until the caller's deadline.
async fn a_target_beyond_the_head_is_not_found(database: Database) {
    let engine = opened(database.store().await).await;
    for position in [3, 4, 1_000_000, u64::MAX] {
        let request_id = id(&format!("back {position}"));
        let refund = request("tg:1", request_id, refund(Target::Position(position)));
        let deadline = Instant::now() + Duration::from_secs(5);
        let options = CallOptions {
            deadline: Some(deadline),
            ..CallOptions::default()
        };
        let answer = ask_with(&engine, refund, options).await.unwrap();
        assert_eq!(answer.unwrap_err(), Rejection::ChargeNotFound);
    }
}

/// A hold that was open when the batch began and is not any more: its record
/// can be read in the next batch, so nobody is told that there was no hold.
async fn a_hold_that_the_batch_ends_is_still_found(database: Database) {
    let (store, faults) = FaultyStore::around(database.store().await);
    let engine = opened(store).await;
    done(&engine, request("tg:1", id("credit"), credit("RUB", 100))).await;
    done(
        &engine,
        request("tg:1", id("short"), hold("RUB", 10, 50_000)),
    )
    .await;
    done(
        &engine,
        request("tg:1", id("long"), hold("RUB", 20, 60_000_000)),
    )
    .await;
    pass(&engine, engine.now().plus_us(60_000)).await;
    let single = |request, options| Call {
        requests: vec![request],
        options,
    };
    let plain = CallOptions::default();
    let calls = vec![
        // Ends the short hold, which is due.
        single(request("tg:1", id("charge"), take("RUB", 5)), plain),
        single(request("tg:1", id("late"), capture("short")), plain),
        single(request("tg:1", id("final"), capture("long")), plain),
        single(request("tg:1", id("more"), capture("long")), plain),
        single(request("tg:1", id("dry"), capture("long")), dry()),
    ];
    let mut answers = in_one_batch(&engine, &faults, calls).await;
    let mut next = || answers.remove(0).unwrap().remove(0);
    next().unwrap();
    let late = next().unwrap();
    let captured = &late.events.last().unwrap().event.payload;
    assert!(
        matches!(captured, Payload::HoldCaptured(captured) if captured.late),
        "{captured:?}"
    );
    next().unwrap();
    for _ in 0..2 {
        assert_eq!(next().unwrap_err().reason(), "HOLD_ENDED");
    }
    assert_eq!(balance(&engine, "tg:1", "RUB").await, 65);
    sound(engine.store()).await;
}

/// Makes the store refuse what carries this note.
fn refuse_poison(faults: &support::faulty::Faults) {
    faults.always(Box::new(|calling| {
        let append = calling.append?;
        let is_poison = |body: &[u8]| body.windows(6).any(|window| window == b"poison");
        append
            .events
            .iter()
            .any(|event| is_poison(&event.body))
            .then(|| Outcome::Refused.into())
    }));
}

/// Point 5. Without halving, the whole batch would fail with the one.
async fn a_refused_request_hurts_nobody_else(database: Database) {
    let (store, faults) = FaultyStore::around(database.store().await);
    let engine = opened(store).await;
    refuse_poison(&faults);
    let requests = (0..40).map(|number| {
        let account = format!("tg:{}", number % 7);
        let mut request = request(&account, id(&format!("r {number}")), add("XP", 1));
        if number % 13 == 5 {
            request.annotations.external_id = Some("poison".into());
        }
        request
    });
    let answers = each_in_one_batch(&engine, &faults, requests.collect()).await;
    for (number, answer) in answers.into_iter().enumerate() {
        if number % 13 == 5 {
            assert!(
                matches!(answer, Err(EngineError::Refused)),
                "{number}: {answer:?}"
            );
        } else {
            answer.unwrap().unwrap();
        }
    }
    let events = sound(engine.store()).await;
    let added: i64 = (0..40).filter(|number| number % 13 != 5).count() as i64;
    let xp = events
        .iter()
        .filter(|recorded| recorded.event.payload.kind() as u8 == 12);
    assert_eq!(xp.count() as i64, added);
    done(&engine, request("tg:1", id("next"), add("XP", 1))).await;
}

/// Point 5, with text that PostgreSQL itself refuses, past the edge. It fails
/// already where states are loaded.
async fn text_that_the_database_refuses_hurts_nobody_else(database: Database) {
    let (store, faults) = FaultyStore::around(database.store().await);
    let engine = opened(store).await;
    let requests = vec![
        request("tg:1", id("1"), add("XP", 1)),
        request("tg:\0", id("2"), add("XP", 1)),
        request("tg:2", id("3"), payment("p-\0", 5)),
        request("tg:2", id("4"), add("XP", 1)),
    ];
    let reading = tokio::spawn({
        let engine = engine.clone();
        async move {
            let deadline = Some(Instant::now() + Duration::from_secs(5));
            engine.read(BOOK, vec!["tg:1\0".into()], deadline).await
        }
    });
    let answers = each_in_one_batch(&engine, &faults, requests).await;
    for (index, answer) in answers.into_iter().enumerate() {
        match index {
            0 | 3 => assert!(answer.unwrap().is_ok(), "{index}"),
            _ => assert!(
                matches!(answer, Err(EngineError::Refused)),
                "{index}: {answer:?}"
            ),
        }
    }
    let read = reading.await.unwrap();
    assert!(matches!(read, Err(EngineError::Refused)), "{read:?}");
    done(&engine, request("tg:1", id("5"), add("XP", 1))).await;
    sound(engine.store()).await;
}

/// Points 5 and 6. The unique key refuses the repeat, and the connection is
/// lost before the look-up explains why: that is no reason to tell the caller
/// that the database refuses what it has in fact applied.
async fn a_repeat_is_not_refused_because_it_cannot_be_looked_up(database: Database) {
    let one = opened(database.store().await).await;
    done(&one, request("tg:1", id("r"), add("XP", 1))).await;
    let (store, faults) = FaultyStore::around(database.store().await);
    let two = engine(store);
    // The state is in memory now; the request is not.
    read(&two, "tg:1").await;
    faults.once(Kind::Load, Outcome::Lost);
    let answer = ask(&two, request("tg:1", id("r"), add("XP", 1))).await;
    assert!(faults.are_spent());
    match answer {
        Ok(result) => assert!(result.unwrap().replayed),
        Err(error) => assert!(matches!(error, EngineError::Unavailable), "{error}"),
    }
    sound(one.store()).await;
}

/// Point 6, found: it is answered, not written twice.
async fn an_append_whose_acknowledgement_was_lost_is_found(database: Database) {
    let (store, faults) = FaultyStore::around(database.store().await);
    let engine = opened(store).await;
    for (number, outcome) in [
        Outcome::DoneAndLost,
        Outcome::DoneAndTimedOut,
        Outcome::DoneAndLost,
    ]
    .iter()
    .enumerate()
    {
        faults.once(Kind::Append, *outcome);
        let calls = || [Kind::Reconnect, Kind::Lock].map(|kind| faults.calls(kind));
        let before = calls();
        let requests = (0..5)
            .map(|account| {
                let request_id = id(&format!("r {number}"));
                request(&format!("tg:{account}"), request_id, add("XP", 1))
            })
            .collect();
        for answer in each_in_one_batch(&engine, &faults, requests).await {
            assert_eq!(
                answer.unwrap().unwrap().balances.last().unwrap().balance,
                number as i64 + 1
            );
        }
        assert!(faults.are_spent());
        // It went and looked, on a connection that ends the lost one, before it
        // tried again.
        assert_eq!(calls(), before.map(|calls| calls + 1));
    }
    sound(engine.store()).await;
}

/// Point 6, not found: it is decided again, on what the log says by then.
async fn an_append_that_was_lost_is_decided_again(database: Database) {
    let (store, faults) = FaultyStore::around(database.store().await);
    let one = opened(store).await;
    let two = engine(database.store().await);
    done(&one, request("tg:1", id("credit"), credit("RUB", 100))).await;
    faults.once(Kind::Append, Outcome::Lost);
    done(&one, request("tg:1", id("first"), take("RUB", 40))).await;
    let mut fault = Fault::before(async move {
        done(&two, request("tg:1", id("other"), take("RUB", 30))).await;
    });
    fault.outcome = Outcome::Lost;
    faults.once(Kind::Append, fault);
    let rejection = refused(&one, request("tg:1", id("second"), take("RUB", 40))).await;
    assert!(
        matches!(
            rejection,
            Rejection::InsufficientFunds { available: 30, .. }
        ),
        "{rejection:?}"
    );
    sound(one.store()).await;
}

async fn a_busy_database_is_asked_again(database: Database) {
    let (store, faults) = FaultyStore::around(database.store().await);
    let engine = opened(store).await;
    for _ in 0..4 {
        faults.once(Kind::Append, Outcome::Busy);
    }
    done(&engine, request("tg:1", id("r"), add("XP", 1))).await;
    for _ in 0..5 {
        faults.once(Kind::Append, Outcome::Busy);
    }
    let answer = ask(&engine, request("tg:1", id("s"), add("XP", 1))).await;
    assert!(
        matches!(answer, Err(EngineError::Unavailable)),
        "{answer:?}"
    );
    done(&engine, request("tg:1", id("s"), add("XP", 1))).await;
    assert_eq!(balance(&engine, "tg:1", "XP").await, 2);
    sound(engine.store()).await;
}
