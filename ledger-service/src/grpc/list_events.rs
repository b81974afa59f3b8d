//! Pages of a book's log.
//!
//! The first page fixes the head; all pages of a list end there, so that they
//! fit together whatever is written meanwhile. A page looks at a bounded number
//! of events, in the order of the list, by the narrowest way there is: a
//! request's own events, the index by the caller's id, the history of an
//! account, or the log as it is.

use std::time::Instant;

use ledger_core::{Name, Timestamp};
use ledger_proto::v1::{ListEventsRequest, ListEventsResponse};
use minicbor::{Decode, Encode};
use tonic::Status;

use super::{
    edge::Edge,
    parse::{EventQuery, Fields, Page, PageFields},
    render, status, tokens,
    tokens::Consistency,
};
use crate::{
    engine::{EngineError, Recorded, Snapshot},
    limits::PAGE_SCANNED_EVENTS_MAX,
    projections::{AccountHistory, events_at},
    store::{PositionRange, RequestKey},
};

/// How many events are read in one go when most of them may not match.
const EVENTS_IN_A_ROW: u32 = 500;

/// Which events are to be listed.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) book: String,
    pub(super) query: EventQuery,
    pub(super) page: Page<Cursor>,
    pub(super) newest_first: bool,
    pub(super) token: Option<Consistency>,
    pub(super) deadline: Instant,
}

/// Where a page begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Cursor {
    /// The head, when the first page was asked for.
    #[n(0)]
    head: u64,
    /// The last event that was looked at.
    #[n(1)]
    last: u64,
}

/// The way to the events.
enum Way {
    /// All of the log.
    Log,
    /// An account's events.
    Account(Box<AccountHistory>),
    /// Those with an id of the caller's own.
    ExternalId(Name),
}

/// The positions that are left to look at; nothing if `from` is above `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    from: u64,
    to: u64,
}

impl Listing {
    /// Reads a request.
    pub(super) fn parse(mut message: ListEventsRequest, deadline: Instant) -> Result<Self, Status> {
        let (token, size) = (std::mem::take(&mut message.page_token), message.page_size);
        let consistency_token = std::mem::take(&mut message.consistency_token);
        message.page_size = 0;
        let owner = tokens::owner_of_request("ListEvents", &message);
        let mut fields = Fields::default();
        let book = fields.book_of_read(&message.book);
        let listing = Self {
            query: fields.event_query(message.filter, &book),
            page: fields.page(PageFields {
                size,
                token: &token,
                owner,
            }),
            newest_first: message.newest_first,
            token: fields.consistency_token(&book, &consistency_token),
            book,
            deadline,
        };
        fields.finish()?;
        Ok(listing)
    }

    /// The page.
    pub(super) async fn page(self, edge: &Edge) -> Result<ListEventsResponse, Status> {
        let book = self.book.clone();
        let (events, next_page_token) = self.events(edge).await?;
        let render = |recorded: &Recorded| render::event(&book, recorded);
        Ok(ListEventsResponse {
            events: events.iter().map(render).collect(),
            next_page_token,
        })
    }

    /// The events of the page, and the token of the next one.
    pub(super) async fn events(self, edge: &Edge) -> Result<(Vec<Recorded>, String), Status> {
        let account = self.query.account.iter().cloned().collect();
        let snapshot = edge
            .snapshot(&self.book, account, self.token, self.deadline)
            .await?;
        let head = match self.page.cursor {
            Some(cursor) if cursor.head > snapshot.head.position => {
                return Err(status::engine(&EngineError::LogForked, &self.book));
            }
            Some(cursor) => cursor.head,
            None => snapshot.head.position,
        };
        let request = self.request_span(edge).await?;
        let span = self.span(edge, head, request).await?;
        let way = match request {
            Some(_) => Way::Log,
            None => self.way(edge, &snapshot, head).await?,
        };
        let mut scan = Scan {
            span,
            events: Vec::new(),
            looked_at: 0,
            is_done: false,
        };
        while !scan.is_done && !self.is_full(&scan) {
            self.step(edge, &way, &mut scan).await?;
        }
        let next_page_token = match scan.last(self.newest_first) {
            Some(last) if !scan.is_done => tokens::page(self.page.owner, &Cursor { head, last }),
            _ => String::new(),
        };
        Ok((scan.events, next_page_token))
    }

    fn is_full(&self, scan: &Scan) -> bool {
        scan.events.len() >= self.page.size || scan.looked_at >= PAGE_SCANNED_EVENTS_MAX
    }

    /// The positions that are left to look at: within the list's times, up to
    /// its head, after the last page.
    async fn span(&self, edge: &Edge, head: u64, request: Option<Span>) -> Result<Span, Status> {
        let mut span = request.unwrap_or(Span { from: 1, to: head });
        span.to = span.to.min(head);
        if let Some(min) = self.query.time_min {
            span.from = span.from.max(self.position_before(edge, min).await? + 1);
        }
        if let Some(max) = self.query.time_max {
            span.to = span.to.min(self.position_before(edge, max).await?);
        }
        match self.page.cursor {
            Some(cursor) if self.newest_first => {
                span.to = span.to.min(cursor.last.saturating_sub(1));
            }
            Some(cursor) => span.from = span.from.max(cursor.last.saturating_add(1)),
            None => {}
        }
        Ok(span)
    }

    /// The events of the request that is asked for, which stand together; nothing
    /// if none is, or the account made no such request. (Another's may have sent
    /// it something: the account's history tells.)
    async fn request_span(&self, edge: &Edge) -> Result<Option<Span>, Status> {
        let (Some(account), Some(request_id)) = (&self.query.account, self.query.request_id) else {
            return Ok(None);
        };
        let key = RequestKey {
            account: account.clone(),
            request_id,
        };
        let request = edge.engine.store().request(&self.book, &key).await;
        let request = request.map_err(|error| status::store(&error))?;
        Ok(request.map(|request| {
            let count = u64::from(request.count);
            let to = request.position.saturating_add(count).saturating_sub(1);
            Span {
                from: request.position,
                to,
            }
        }))
    }

    /// The last position that was recorded before a time.
    async fn position_before(&self, edge: &Edge, time: Timestamp) -> Result<u64, Status> {
        let position = edge
            .engine
            .store()
            .position_at(&self.book, time.plus_us(-1))
            .await;
        position.map_err(|error| status::store(&error))
    }

    async fn way(&self, edge: &Edge, snapshot: &Snapshot, head: u64) -> Result<Way, Status> {
        let to_status = |error| status::read(&error, &self.book);
        if let Some(external_id) = &self.query.external_id {
            // The events of an id are no chain: the index has to have them all.
            let reached = edge.index.wait_for(&self.book, head, self.deadline).await;
            reached.map_err(to_status)?;
            return Ok(Way::ExternalId(external_id.clone()));
        }
        let Some(account) = &self.query.account else {
            return Ok(Way::Log);
        };
        let last = snapshot
            .accounts
            .first()
            .map_or(0, |account| account.position);
        let history =
            AccountHistory::open(&edge.index, &self.book, account, last, self.deadline).await;
        Ok(Way::Account(Box::new(history.map_err(to_status)?)))
    }

    /// Looks at the next events.
    async fn step(&self, edge: &Edge, way: &Way, scan: &mut Scan) -> Result<(), Status> {
        let limit = self.step_size(way, scan);
        let positions = self.next_positions(edge, way, scan.span, limit).await?;
        scan.is_done = positions.len() < limit as usize;
        let mut ascending = positions;
        ascending.sort_unstable();
        let events = events_at(edge.engine.store(), &self.book, &ascending).await;
        let mut events = events.map_err(|error| status::read(&error, &self.book))?;
        if self.newest_first {
            events.reverse();
        }
        for recorded in events {
            if scan.events.len() == self.page.size {
                scan.is_done = false;
                return Ok(());
            }
            scan.pass(recorded.event.position, self.newest_first);
            if self.query.matches(&recorded.event) {
                scan.events.push(recorded);
            }
        }
        Ok(())
    }

    /// No more than the page needs, if every event is wanted; and one more, to
    /// know whether it is the last.
    fn step_size(&self, way: &Way, scan: &Scan) -> u32 {
        let is_narrow = match way {
            Way::Log => self.query.is_unfiltered(),
            Way::Account(_) => self.query.is_plain() && self.query.external_id.is_none(),
            Way::ExternalId(_) => self.query.is_plain() && self.query.account.is_none(),
        };
        let missing = self
            .page
            .size
            .saturating_sub(scan.events.len())
            .saturating_add(1);
        let missing = u32::try_from(missing).unwrap_or(EVENTS_IN_A_ROW);
        if is_narrow { missing } else { EVENTS_IN_A_ROW }
    }

    async fn next_positions(
        &self,
        edge: &Edge,
        way: &Way,
        span: Span,
        limit: u32,
    ) -> Result<Vec<u64>, Status> {
        let Span { from, to } = span;
        if from > to {
            return Ok(Vec::new());
        }
        let range = PositionRange {
            from,
            to,
            newest_first: self.newest_first,
            limit,
        };
        match way {
            Way::Log => Ok(self.log_positions(range)),
            Way::Account(history) => {
                let positions = history.positions(range).await;
                positions.map_err(|error| status::read(&error, &self.book))
            }
            Way::ExternalId(id) => {
                let store = edge.engine.store();
                let found = store
                    .indexed_positions_by_external_id(&self.book, id, range)
                    .await;
                found.map_err(|error| status::store(&error))
            }
        }
    }

    /// The log has no gaps.
    fn log_positions(&self, range: PositionRange) -> Vec<u64> {
        let limit = u64::from(range.limit);
        if self.newest_first {
            let from = range
                .from
                .max(range.to.saturating_add(1).saturating_sub(limit));
            return (from..=range.to).rev().collect();
        }
        let to = range
            .to
            .min(range.from.saturating_add(limit).saturating_sub(1));
        (range.from..=to).collect()
    }
}

/// A page in the making.
struct Scan {
    span: Span,
    events: Vec<Recorded>,
    looked_at: u32,
    /// Nothing is left to look at.
    is_done: bool,
}

impl Scan {
    /// An event was looked at.
    fn pass(&mut self, position: u64, newest_first: bool) {
        self.looked_at = self.looked_at.saturating_add(1);
        if newest_first {
            self.span.to = position.saturating_sub(1);
        } else {
            self.span.from = position.saturating_add(1);
        }
    }

    /// The last event that was looked at, if any was.
    fn last(&self, newest_first: bool) -> Option<u64> {
        let last = if newest_first {
            self.span.to.saturating_add(1)
        } else {
            self.span.from.saturating_sub(1)
        };
        (self.looked_at > 0).then_some(last)
    }
}
