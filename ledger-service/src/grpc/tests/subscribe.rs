//! Streams of events.

use tonic::Streaming;
use v1::subscribe_events_response::Message;

use super::*;
use crate::grpc::tokens;

impl Stand {
    async fn subscribe(
        &mut self,
        resume_token: &str,
    ) -> Result<Streaming<v1::SubscribeEventsResponse>, Status> {
        let message = v1::SubscribeEventsRequest {
            book: BOOK.to_owned(),
            resume_token: resume_token.to_owned(),
            filter: None,
        };
        self.events
            .subscribe_events(message)
            .await
            .map(tonic::Response::into_inner)
    }
}

async fn next(
    stream: &mut Streaming<v1::SubscribeEventsResponse>,
) -> Result<Option<(String, Message)>, Status> {
    let message = tokio::time::timeout(Duration::from_secs(15), stream.message()).await;
    let message = message.expect("a message comes in time")?;
    Ok(message.map(|response| (response.resume_token, response.message.unwrap())))
}

/// The positions up to the next CaughtUp, and the last token.
async fn until_caught_up(
    stream: &mut Streaming<v1::SubscribeEventsResponse>,
) -> (Vec<i64>, String) {
    let mut positions = Vec::new();
    loop {
        match next(stream).await.unwrap().unwrap() {
            (_, Message::Event(event)) => positions.push(event.position),
            (token, Message::CaughtUp(_)) => return (positions, token),
            (_, Message::Heartbeat(_)) => {}
        }
    }
}

#[tokio::test]
async fn a_reader_gets_the_whole_log_then_what_comes_and_resumes() {
    let mut stand = Stand::start().await;
    stand.charged("a", "generate").await;
    let mut stream = stand.subscribe("").await.unwrap();
    let (positions, caught_up) = until_caught_up(&mut stream).await;
    let head = i64::try_from(positions.len()).unwrap();
    assert_eq!(positions, (1..=head).collect::<Vec<_>>());
    stand.charged("a", "generate").await;
    let Some((token, Message::Event(event))) = next(&mut stream).await.unwrap() else {
        panic!("an event comes")
    };
    assert_eq!(event.position, head + 1);
    drop(stream);

    let mut resumed = stand.subscribe(&caught_up).await.unwrap();
    assert_eq!(until_caught_up(&mut resumed).await.0, [head + 1]);
    let mut resumed = stand.subscribe(&token).await.unwrap();
    assert!(until_caught_up(&mut resumed).await.0.is_empty());
}

#[tokio::test]
async fn many_events_come_in_order_and_end_with_one_mark() {
    let mut stand = Stand::start().await;
    let message = |from: usize| v1::BatchChargeRequest {
        book: BOOK.to_owned(),
        requests: (from..from + 300)
            .map(|n| charge(&format!("u{n}"), "generate"))
            .collect(),
        ..Default::default()
    };
    stand.ledger.batch_charge(message(0)).await.unwrap();
    let mut stream = stand.subscribe("").await.unwrap();
    stand.ledger.batch_charge(message(300)).await.unwrap();
    let mut positions = Vec::new();
    while positions.len() < 1_800 {
        if let (_, Message::Event(event)) = next(&mut stream).await.unwrap().unwrap() {
            positions.push(event.position);
        }
    }
    assert!(positions.windows(2).all(|pair| pair[1] == pair[0] + 1));
}

#[tokio::test]
async fn what_is_filtered_out_still_moves_the_token() {
    let mut stand = Stand::start().await;
    stand.charged("a", "generate").await;
    let filter = v1::EventFilter {
        account: name("nobody"),
        ..Default::default()
    };
    let message = v1::SubscribeEventsRequest {
        book: BOOK.to_owned(),
        resume_token: String::new(),
        filter: Some(filter),
    };
    let mut stream = stand
        .events
        .subscribe_events(message)
        .await
        .unwrap()
        .into_inner();
    let (positions, token) = until_caught_up(&mut stream).await;
    assert!(positions.is_empty());
    let resume = tokens::Resume::parse(&token, tokens::owner_of_book("b")).unwrap();
    assert!(resume.position > 1);
}

#[tokio::test]
async fn a_log_that_the_reader_does_not_know_is_told() {
    let mut stand = Stand::start().await;
    let owner = tokens::owner_of_book("b");
    for (position, hash) in [(1_000, [0; 32]), (1, [9; 32])] {
        let token = tokens::Resume { position, hash }.render(owner);
        let status = stand.subscribe(&token).await.unwrap_err();
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (tonic::Code::DataLoss, "LOG_FORKED")
        );
    }
    let others = tokens::Resume::default().render(tokens::owner_of_book("c"));
    let status = stand.subscribe(&others).await.unwrap_err();
    assert_eq!(fields(&status), ["resume_token"]);
}

#[tokio::test]
async fn places_are_bounded_and_freed() {
    let mut stand = Stand::start().await;
    let mut streams = Vec::new();
    for _ in 0..crate::limits::SUBSCRIBERS_MAX {
        streams.push(stand.subscribe("").await.unwrap());
    }
    let status = stand.subscribe("").await.unwrap_err();
    assert_eq!(reason(&status), "TOO_MANY_SUBSCRIBERS");
    streams.truncate(1);
    let freed = async {
        while stand.subscribe("").await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), freed)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_quiet_stream_lives_and_ends_with_the_service() {
    let mut stand = Stand::start().await;
    let mut stream = stand.subscribe("").await.unwrap();
    let (positions, token) = until_caught_up(&mut stream).await;
    let Some((beat, Message::Heartbeat(heartbeat))) = next(&mut stream).await.unwrap() else {
        panic!("a heartbeat comes")
    };
    assert_eq!(
        (beat, heartbeat.position),
        (token, i64::try_from(positions.len()).unwrap())
    );
    stand.shutdown.cancel();
    let status = next(&mut stream).await.unwrap_err();
    assert_eq!(reason(&status), "SHUTTING_DOWN");
    let ended = tokio::time::timeout(Duration::from_secs(5), stand.server).await;
    ended.unwrap().unwrap().unwrap();
}
