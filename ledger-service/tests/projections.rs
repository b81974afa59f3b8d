//! Reads by account beside an index that is emptied meanwhile: right, or an
//! error.
#![cfg(test)]

mod support;

use std::time::{Duration, Instant};

use ledger_service::{
    engine::EngineError,
    projections::{AccountHistory, Index, ReadError},
    store::PositionRange,
};
use support::{
    ask::{BOOK, add, done, id, opened, request},
    database::Database,
    on_both,
};
use tokio_util::sync::CancellationToken;

on_both!(a_history_of_an_emptied_index_is_no_answer);

/// The index is emptied after the history was opened: a fold over what is left
/// would be a balance that never was.
async fn a_history_of_an_emptied_index_is_no_answer(database: Database) {
    let engine = opened(database.store().await).await;
    let mut last = 0;
    for number in 0..5 {
        let answer = done(
            &engine,
            request("tg:1", id(&format!("add {number}")), add("XP", 1)),
        )
        .await;
        last = answer.seen_at.0;
    }
    let shutdown = CancellationToken::new();
    let index = Index::spawn(engine.clone(), "test".to_owned(), shutdown.clone());
    let deadline = Instant::now() + Duration::from_secs(30);
    index.wait_for(BOOK, last, deadline).await.unwrap();
    // So that nobody builds it again.
    shutdown.cancel();
    index.stopped().await;

    let history = AccountHistory::open(&index, BOOK, "tg:1", last, deadline)
        .await
        .unwrap();
    let all = |newest_first| PositionRange {
        from: 1,
        to: last,
        newest_first,
        limit: 100,
    };
    let before = history.positions(all(false)).await.unwrap();
    assert_eq!(before.last(), Some(&last));
    database
        .execute("UPDATE index_progress SET position = 0; DELETE FROM account_events")
        .await;
    for newest_first in [false, true] {
        let read = history.positions(all(newest_first)).await;
        let Err(ReadError::Engine(EngineError::NotCaughtUp { position, wanted })) = read else {
            panic!("{read:?}")
        };
        assert_eq!((position, wanted), (0, last));
    }
}
