//! A stream of a book's events: those after a position, then those that come.
//!
//! One task a subscriber reads the log in chunks and sends into a bounded
//! channel, so that a slow reader holds up nobody but himself. The task ends
//! when the reader has gone, the service stops, or the log turns out not to be
//! the one that the reader knew: each chunk has to follow, by hash, what was
//! read before, and while nothing comes the head is looked at.

use std::{convert::Infallible, time::Duration};

use ledger_proto::v1::{
    CaughtUp, Heartbeat, SubscribeEventsRequest, SubscribeEventsResponse,
    subscribe_events_response::Message,
};
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc, watch},
    time::Instant,
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::{
    edge::Edge,
    parse::{EventQuery, Fields},
    render, status,
    tokens::{self, Owner, Resume},
};
use crate::{
    engine::{EngineError, log},
    limits::{HEARTBEAT_INTERVAL, SUBSCRIBE_EVENTS, SUBSCRIBE_POLL_INTERVAL},
    projections::ReadError,
    store::StoredEvent,
};

/// How many messages wait for a slow reader.
const WAITING_MESSAGES_MAX: usize = 64;
/// How long events gather after one has come, so that a busy log is not read
/// for each of them.
const GATHERING_TIME: Duration = Duration::from_millis(5);
/// How long the reason of the end may wait to be sent.
const FAREWELL_TIME_MAX: Duration = Duration::from_secs(1);

type Sent = Result<SubscribeEventsResponse, Status>;

/// What a subscriber wants.
#[derive(Debug)]
pub(super) struct Subscription {
    book: String,
    owner: Owner,
    resume: Resume,
    query: EventQuery,
}

impl Subscription {
    /// Reads a request.
    pub(super) fn parse(message: SubscribeEventsRequest) -> Result<Self, Status> {
        let mut fields = Fields::default();
        let book = fields.book_of_read(&message.book);
        let owner = tokens::owner_of_book(&book);
        let query = fields.event_query(message.filter, &book);
        fields.check_stream_query(&query);
        let resume = Resume::parse(&message.resume_token, owner).unwrap_or_else(|problem| {
            fields.refuse("resume_token", problem);
            Resume::default()
        });
        fields.finish()?;
        Ok(Self {
            book,
            owner,
            resume,
            query,
        })
    }

    /// Starts the stream, if the log is the one that the subscriber knows. It
    /// keeps its place until it ends.
    pub(super) async fn start(
        self,
        edge: Edge,
        place: OwnedSemaphorePermit,
        stopping: CancellationToken,
    ) -> Result<ReceiverStream<Sent>, Status> {
        let head = edge.engine.watch_head(&self.book).await;
        let head = head.map_err(|error| status::engine(&error, &self.book))?;
        let (sender, receiver) = mpsc::channel(WAITING_MESSAGES_MAX);
        let mut feed = Feed {
            subscription: self,
            edge,
            sender,
            head,
            is_behind: true,
            sent_at: Instant::now(),
        };
        feed.check_log().await?;
        tokio::spawn(async move {
            let _place = place;
            let reader = feed.sender.clone();
            let end = tokio::select! {
                Err(end) = feed.run() => end,
                () = stopping.cancelled() => End::Error(EngineError::ShuttingDown.into()),
                () = reader.closed() => End::ReaderGone,
            };
            if let End::Error(failure) = end {
                let status = status::read(&failure, &feed.subscription.book);
                // A reader who takes nothing gets no farewell either.
                let farewell = reader.send(Err(status));
                let _ = tokio::time::timeout(FAREWELL_TIME_MAX, farewell).await;
            }
        });
        Ok(ReceiverStream::new(receiver))
    }
}

/// Why a stream ends.
enum End {
    /// The reader has gone.
    ReaderGone,
    /// This is told to the reader.
    Error(ReadError),
}

impl<E: Into<ReadError>> From<E> for End {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

/// What feeds one subscriber.
struct Feed {
    subscription: Subscription,
    edge: Edge,
    sender: mpsc::Sender<Sent>,
    head: watch::Receiver<u64>,
    /// There was more to read than one chunk, and the end has not been reached
    /// since.
    is_behind: bool,
    /// When the last message was sent.
    sent_at: Instant,
}

impl Feed {
    /// Goes on until something ends it.
    async fn run(&mut self) -> Result<Infallible, End> {
        loop {
            // What is written from here on wakes the rest below.
            self.head.borrow_and_update();
            let has_more = self.forward().await?;
            if self.sent_at.elapsed() >= HEARTBEAT_INTERVAL {
                self.heartbeat().await?;
            }
            if !has_more {
                self.rest().await?;
            }
        }
    }

    /// Sends what is wanted of the next chunk. Answers whether there may be
    /// more to read at once.
    async fn forward(&mut self) -> Result<bool, End> {
        let store = self.edge.engine.store();
        let Subscription { book, resume, .. } = &self.subscription;
        let stored = store
            .read_after(book, resume.position, SUBSCRIBE_EVENTS)
            .await?;
        if let Some(first) = stored.first() {
            check_follows(resume, first)?;
        }
        let is_full = stored.len() == SUBSCRIBE_EVENTS as usize;
        for event in &stored {
            let recorded = log::decode(event).map_err(ReadError::Damaged)?;
            self.subscription.resume = Resume {
                position: event.position,
                hash: event.hash,
            };
            if self.subscription.query.matches(&recorded.event) {
                let message = render::event(&self.subscription.book, &recorded);
                self.send(Message::Event(message)).await?;
            }
        }
        if is_full {
            self.is_behind = true;
        } else if std::mem::take(&mut self.is_behind) {
            let position = render::number(self.subscription.resume.position);
            self.send(Message::CaughtUp(CaughtUp { position })).await?;
        }
        Ok(is_full)
    }

    /// Waits until there may be something to do. Other instances' writes are
    /// seen by looking now and then.
    async fn rest(&mut self) -> Result<(), End> {
        let until = Instant::now() + SUBSCRIBE_POLL_INTERVAL;
        match tokio::time::timeout_at(until, self.head.changed()).await {
            Ok(Ok(())) => tokio::time::sleep(GATHERING_TIME).await,
            Ok(Err(_writer_gone)) => {
                tokio::time::sleep_until(until).await;
                self.head = self.edge.engine.watch_head(&self.subscription.book).await?;
            }
            Err(_time_to_look) => {}
        }
        Ok(())
    }

    /// Says that the stream is alive, if the log is still the same.
    async fn heartbeat(&mut self) -> Result<(), End> {
        let Subscription { book, resume, .. } = &self.subscription;
        let seen = self.edge.engine.store().head(book).await?;
        let head = seen.map(|seen| seen.head).unwrap_or_default();
        let is_other = head.position == resume.position && head.hash != resume.hash;
        if head.position < resume.position || is_other {
            return Err(EngineError::LogForked.into());
        }
        let time = Some(render::timestamp(self.edge.engine.now()));
        let position = render::number(head.position);
        self.send(Message::Heartbeat(Heartbeat { position, time }))
            .await
    }

    /// Sends a message, when the reader has room for it.
    async fn send(&mut self, message: Message) -> Result<(), End> {
        let resume_token = self.subscription.resume.render(self.subscription.owner);
        let response = SubscribeEventsResponse {
            resume_token,
            message: Some(message),
        };
        self.sender
            .send(Ok(response))
            .await
            .map_err(|_closed| End::ReaderGone)?;
        self.sent_at = Instant::now();
        Ok(())
    }

    /// Checks that the log has the event that the reader saw last.
    async fn check_log(&self) -> Result<(), Status> {
        let Subscription { book, resume, .. } = &self.subscription;
        if resume.position == 0 {
            return Ok(());
        }
        let stored = self
            .edge
            .engine
            .store()
            .read_at(book, &[resume.position])
            .await;
        let stored = stored.map_err(|error| status::store(&error))?;
        match stored.first() {
            Some(event) if event.hash == resume.hash => Ok(()),
            _ => Err(status::engine(&EngineError::LogForked, book)),
        }
    }
}

/// Checks by its hash that an event follows what was seen.
fn check_follows(resume: &Resume, next: &StoredEvent) -> Result<(), EngineError> {
    let is_next = next.position == resume.position.saturating_add(1)
        && next.hash == log::event_hash(&resume.hash, &next.body);
    if is_next {
        Ok(())
    } else {
        Err(EngineError::LogForked)
    }
}
