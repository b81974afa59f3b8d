//! A reader of the log who is cut off and resumes misses nothing and sees
//! nothing twice, or is told that the log is not the one he knew.
#![cfg(test)]

use e2e_tests::{
    Backend, Ledger, Proxy,
    billing::BOOK,
    client::{charge, credit, events, fields, fresh_account, head, reason},
    fresh_id,
    ledger::Options,
    on_both_backends,
};
use ledger_proto::v1::{
    Event, EventFilter, EventType, SubscribeEventsRequest, SubscribeEventsResponse,
    event_service_client::EventServiceClient, subscribe_events_response::Message,
};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{task::JoinSet, time::timeout};
use tonic::{Code, Status, Streaming, transport::Channel};

/// Longer than a heartbeat takes to come.
const MESSAGE_DEADLINE: Duration = Duration::from_secs(20);

type Stream = Streaming<SubscribeEventsResponse>;

fn request(resume_token: &str, filter: Option<EventFilter>) -> SubscribeEventsRequest {
    SubscribeEventsRequest {
        book: BOOK.to_owned(),
        resume_token: resume_token.to_owned(),
        filter,
    }
}

/// A connection without a deadline for calls: a stream has no end.
async fn stream(
    channel: Channel,
    resume_token: &str,
    filter: Option<EventFilter>,
) -> Result<Stream, Status> {
    let mut client = EventServiceClient::new(channel);
    let request = request(resume_token, filter);
    Ok(client.subscribe_events(request).await?.into_inner())
}

/// Subscribes with a token that must be refused; the answer may come as the
/// stream's first message.
async fn refusal(ledger: &Ledger, request: SubscribeEventsRequest) -> Status {
    match ledger.events().subscribe_events(request).await {
        Err(status) => status,
        Ok(stream) => next(&mut stream.into_inner()).await.unwrap_err(),
    }
}

/// The next message, which must come before the deadline.
async fn next(stream: &mut Stream) -> Result<SubscribeEventsResponse, Status> {
    let message = timeout(MESSAGE_DEADLINE, stream.message()).await;
    message
        .expect("a message or a heartbeat comes in time")
        .map(|message| message.expect("the stream has no end"))
}

/// Reads until the caught-up marker: the events, the last token, the position.
async fn until_caught_up(stream: &mut Stream) -> (Vec<Event>, String, i64) {
    let mut events = Vec::new();
    loop {
        let response = next(stream).await.unwrap();
        match response.message.unwrap() {
            Message::Event(event) => events.push(event),
            Message::CaughtUp(caught_up) => {
                return (events, response.resume_token, caught_up.position);
            }
            Message::Heartbeat(heartbeat) => panic!("not caught up yet: {heartbeat:?}"),
        }
    }
}

async fn write(ledger: &Ledger, account: &str) {
    ledger
        .ledger()
        .credit(credit(account, 1_000))
        .await
        .unwrap();
    ledger.ledger().charge(charge(account, 10)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_who_resumes_many_times_sees_each_event_once() {
    const WRITERS: usize = 6;
    const WRITES: usize = 120;
    /// Writers go on beyond `WRITES` until the reader has resumed so often: a cut
    /// leaves as much in its buffers as it likes.
    const RESUMED_MIN: usize = 20;
    const WRITES_MAX: usize = 10 * WRITES;
    let seed = fresh_id().as_u64_pair().0;
    eprintln!("seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let database = Backend::Postgres.database().await;
    let options = Options::media_lab(&database.url);
    let instances = Arc::new([Ledger::start(&options).await, Ledger::start(&options).await]);
    let proxies = [
        Proxy::start(instances[0].grpc()).await,
        Proxy::start(instances[1].grpc()).await,
    ];
    let running = Arc::new(AtomicUsize::new(WRITERS));
    let resumed = Arc::new(AtomicUsize::new(0));
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (instances, running) = (Arc::clone(&instances), Arc::clone(&running));
        let resumed = Arc::clone(&resumed);
        writers.spawn(async move {
            let account = fresh_account();
            for count in 0..WRITES_MAX {
                if count >= WRITES && resumed.load(Ordering::Acquire) > RESUMED_MIN {
                    break;
                }
                write(&instances[(writer + count) % 2], &account).await;
            }
            running.fetch_sub(1, Ordering::AcqRel);
        });
    }

    let (mut seen, mut token) = (Vec::new(), String::new());
    'resuming: loop {
        resumed.fetch_add(1, Ordering::AcqRel);
        let proxy = &proxies[rng.random_range(0..2)];
        proxy.mend();
        let mut stream = stream(proxy.channel(), &token, None).await.unwrap();
        let messages = rng.random_range(1..30);
        for message in 0.. {
            // What the cut leaves in the client's own buffers may still come.
            let response = match next(&mut stream).await {
                Ok(response) => response,
                Err(status) if message >= messages => {
                    assert_ne!(status.code(), Code::DataLoss, "{status:?}");
                    break;
                }
                Err(status) => panic!("not cut yet: {status:?}"),
            };
            token = response.resume_token;
            match response.message.unwrap() {
                Message::Event(event) => seen.push(event),
                Message::CaughtUp(caught_up) => {
                    assert_eq!(caught_up.position, seen.last().map_or(0, |e| e.position));
                }
                Message::Heartbeat(_) => {}
            }
            let is_written = running.load(Ordering::Acquire) == 0;
            if is_written && seen.len() as i64 == head(&instances[0]).await {
                break 'resuming;
            }
            if message == messages {
                if rng.random_bool(0.5) {
                    proxy.cut();
                } else {
                    break;
                }
            }
        }
    }
    while let Some(ended) = writers.join_next().await {
        ended.unwrap();
    }
    let positions: Vec<i64> = seen.iter().map(|event| event.position).collect();
    let expected: Vec<i64> = (1..=head(&instances[1]).await).collect();
    assert_eq!(positions, expected, "each position once, in order");
    assert_eq!(seen, events(&instances[1], None).await);
    assert!(seen.len() > 2 * WRITERS * WRITES);
    let resumed = resumed.load(Ordering::Acquire);
    assert!(resumed > RESUMED_MIN, "resumed {resumed} times only");
}

on_both_backends! {
    async fn a_reader_is_told_when_caught_up_and_hears_what_comes(backend: Backend) {
        let database = backend.database().await;
        let ledger = Ledger::start(&Options::media_lab(&database.url)).await;
        write(&ledger, &fresh_account()).await;
        let mut stream = stream(ledger.channel(), "", None).await.unwrap();
        let (before, token, position) = until_caught_up(&mut stream).await;
        assert_eq!(before, events(&ledger, None).await);
        assert_eq!(position, head(&ledger).await);

        // What comes later comes through the same stream, and to one who
        // resumes with the marker's token.
        write(&ledger, &fresh_account()).await;
        let expected = events(&ledger, None).await.split_off(before.len());
        assert!(!expected.is_empty());
        for event in &expected {
            let message = next(&mut stream).await.unwrap().message;
            assert_eq!(message, Some(Message::Event(event.clone())));
        }
        let mut resumed = self::stream(ledger.channel(), &token, None).await.unwrap();
        let (after, _, position) = until_caught_up(&mut resumed).await;
        assert_eq!((after, position), (expected, head(&ledger).await));
    }

    async fn a_reader_of_a_silent_log_hears_a_heartbeat(backend: Backend) {
        let database = backend.database().await;
        let ledger = Ledger::start(&Options::media_lab(&database.url)).await;
        write(&ledger, &fresh_account()).await;
        let filter = EventFilter { account: fresh_account(), ..Default::default() };
        let mut stream = stream(ledger.channel(), "", Some(filter)).await.unwrap();
        let (seen, token, position) = until_caught_up(&mut stream).await;
        assert_eq!((seen.len(), position), (0, head(&ledger).await));
        let response = next(&mut stream).await.unwrap();
        let Some(Message::Heartbeat(heartbeat)) = response.message else {
            panic!("a heartbeat comes: {response:?}");
        };
        assert_eq!(heartbeat.position, head(&ledger).await);
        assert!(heartbeat.time.is_some());
        assert_eq!(response.resume_token, token, "nothing has happened meanwhile");
    }

    async fn a_token_of_another_log_is_refused(backend: Backend) {
        let databases = [backend.database().await, backend.database().await];
        let known = Ledger::start(&Options::media_lab(&databases[0].url)).await;
        let other = Ledger::start(&Options::media_lab(&databases[1].url)).await;
        for ledger in [&known, &other] {
            write(ledger, &fresh_account()).await;
        }
        let mut stream = stream(known.channel(), "", None).await.unwrap();
        let (_, token, position) = until_caught_up(&mut stream).await;
        assert_eq!(head(&other).await, position, "the same position, another event");
        let status = refusal(&other, request(&token, None)).await;
        assert_eq!((status.code(), reason(&status).as_str()), (Code::DataLoss, "LOG_FORKED"));

        // A position that the other log has not reached.
        write(&known, &fresh_account()).await;
        let mut stream = self::stream(known.channel(), &token, None).await.unwrap();
        let (_, token, _) = until_caught_up(&mut stream).await;
        let status = refusal(&other, request(&token, None)).await;
        assert_eq!((status.code(), reason(&status).as_str()), (Code::DataLoss, "LOG_FORKED"));
    }

    async fn filters_leave_out_what_is_not_wanted(backend: Backend) {
        let database = backend.database().await;
        let ledger = Ledger::start(&Options::media_lab(&database.url)).await;
        let account = fresh_account();
        write(&ledger, &account).await;
        write(&ledger, &fresh_account()).await;
        let all = events(&ledger, None).await;
        let own = |event: &&Event| event.account == account;
        let debited = EventType::Debited.into();
        let filters: [(EventFilter, Vec<Event>); 4] = [
            (
                EventFilter { account: account.clone(), ..Default::default() },
                all.iter().filter(own).cloned().collect(),
            ),
            (
                EventFilter { account: account.clone(), types: vec![debited], ..Default::default() },
                all.iter().rfind(own).into_iter().cloned().collect(),
            ),
            (
                EventFilter { types: vec![EventType::CatalogApplied.into()], ..Default::default() },
                all[1..2].to_vec(),
            ),
            (
                EventFilter { source: "NEVER_USED".to_owned(), ..Default::default() },
                Vec::new(),
            ),
        ];
        for (filter, expected) in filters {
            let what = format!("{filter:?}");
            let mut stream = stream(ledger.channel(), "", Some(filter.clone())).await.unwrap();
            let (seen, token, position) = until_caught_up(&mut stream).await;
            assert_eq!(seen, expected, "{what}");
            assert_eq!(position, head(&ledger).await, "{what}");
            // The token knows of what was left out, too.
            let mut resumed = self::stream(ledger.channel(), &token, Some(filter)).await.unwrap();
            let (seen, _, _) = until_caught_up(&mut resumed).await;
            assert_eq!(seen, [], "{what}");
        }
    }

    async fn a_stream_that_cannot_be_is_refused(backend: Backend) {
        let database = backend.database().await;
        let ledger = Ledger::start(&Options::media_lab(&database.url)).await;
        let status = refusal(&ledger, request("not a token", None)).await;
        assert_eq!((status.code(), fields(&status)), (Code::InvalidArgument, vec!["resume_token".to_owned()]));

        let filter = EventFilter {
            request_id: fresh_id().to_string(),
            record_time_min: Some(Default::default()),
            record_time_max: Some(Default::default()),
            types: vec![99],
            ..Default::default()
        };
        let status = refusal(&ledger, request("", Some(filter))).await;
        assert_eq!(status.code(), Code::InvalidArgument);
        let expected = [
            "filter.record_time_max",
            "filter.record_time_min",
            "filter.request_id",
            "filter.types[0]",
        ];
        assert_eq!(fields(&status), expected);

        let unknown = SubscribeEventsRequest { book: "books/nobody".to_owned(), ..Default::default() };
        let status = refusal(&ledger, unknown).await;
        assert_eq!((status.code(), reason(&status).as_str()), (Code::NotFound, "BOOK_NOT_FOUND"));
    }
}
