//! `ExplainBalance`: the lines that add up to a balance, page by page into the
//! past.
//!
//! The first page fixes the moment. Lines come from the events' own balances, so
//! that a page adds up whatever the page before it told.

use std::time::Instant;

use ledger_core::{
    Account, Name, Timestamp,
    catalog::Language,
    decide::pending,
    event::Balance,
    explain::{self, Explained, Line},
};
use ledger_proto::v1::{ExplainBalanceRequest, ExplainBalanceResponse};
use minicbor::{Decode, Encode};
use tonic::Status;

use super::{
    edge::{self, Edge, Look},
    parse::{AsOf, Fields, Page, PageFields, PageSizes, Reading},
    past, render, status, tokens,
};
use crate::{
    engine::{EngineError, Recorded},
    limits::{EXPLAINED_EVENTS_DEFAULT, EXPLAINED_EVENTS_MAX, PAGE_SCANNED_EVENTS_MAX},
    projections::{AccountHistory, events_at},
    store::PositionRange,
};

/// How many events are read in one go when many of them may be about other assets.
const EVENTS_IN_A_ROW: usize = 500;

/// What is to be explained.
#[derive(Debug)]
pub(super) struct Question {
    reading: Reading,
    as_of: Option<AsOf>,
    asset: Option<Name>,
    language: Language,
    page: Page<Cursor>,
}

/// Where a later page begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
struct Cursor {
    /// The position that all pages hold for.
    #[n(0)]
    position: u64,
    /// The time that all pages hold for.
    #[n(1)]
    time: Timestamp,
    /// The latest event of the page.
    #[n(2)]
    to: u64,
}

/// The events of a page.
struct Told {
    /// In their order.
    events: Vec<Recorded>,
    /// What the event before them says.
    before: Vec<Balance>,
    /// The event before them, if there is one.
    earlier: Option<u64>,
}

impl Question {
    /// Reads a request.
    pub(super) fn parse(
        mut message: ExplainBalanceRequest,
        deadline: Instant,
    ) -> Result<Self, Status> {
        let (token, size) = (std::mem::take(&mut message.page_token), message.page_size);
        let consistency_token = std::mem::take(&mut message.consistency_token);
        message.page_size = 0;
        let owner = tokens::owner_of_request("ExplainBalance", &message);
        let mut fields = Fields::default();
        let page = PageFields {
            size,
            token: &token,
            owner,
        };
        let sizes = PageSizes {
            default: EXPLAINED_EVENTS_DEFAULT,
            max: EXPLAINED_EVENTS_MAX,
        };
        fields.asset_filter("asset", &message.asset);
        let question = Self {
            page: fields.page_of(page, sizes),
            reading: fields.reading(message.account, &consistency_token, deadline),
            as_of: fields.as_of(message.as_of, message.as_of_position),
            asset: (!message.asset.is_empty()).then(|| message.asset.into()),
            language: fields.language("language", message.language),
        };
        fields.finish()?;
        Ok(question)
    }

    /// The page.
    pub(super) async fn answer(self, edge: &Edge) -> Result<ExplainBalanceResponse, Status> {
        let look = edge.look_at_any(self.reading.clone()).await?;
        let (book, id) = (look.name.book(), look.name.account());
        let history = AccountHistory::open(
            &edge.index,
            book,
            id,
            look.account.position,
            self.reading.deadline,
        );
        let history = history.await.map_err(|error| status::read(&error, book))?;
        match self.page.cursor {
            Some(cursor) if cursor.position > look.snapshot.head.position => {
                Err(status::engine(&EngineError::LogForked, book))
            }
            Some(cursor) => self.later_page(edge, look, &history, cursor).await,
            None => self.first_page(edge, look, &history).await,
        }
    }

    async fn first_page(
        self,
        edge: &Edge,
        look: Look,
        history: &AccountHistory,
    ) -> Result<ExplainBalanceResponse, Status> {
        let look = match self.as_of {
            Some(as_of) => past::look_back(edge, look, as_of, self.reading.deadline).await?,
            None => look,
        };
        edge::check_exists(&look.name, &look.account, &look.snapshot)?;
        let told = self.told(edge, history, look.account.position).await?;
        let unrecorded = pending(look.name.account(), &look.account, &look.context());
        let events = told.events.iter().map(|recorded| &recorded.event);
        let lines = explain::lines(&told.before, events.chain(&unrecorded), self.asset());
        let present = look.present();
        let balances = self.balances_of(&present);
        if !is_same(&explain::sums(&lines), &balances) {
            return Err(status::damaged(&format!(
                "the events of account {} do not add up to its balances",
                look.name.account()
            )));
        }
        let catalog = &look.snapshot.catalog.catalog;
        let explained = Explained {
            now: look.snapshot.now,
            lines: &lines,
            account: &present,
            asset: self.asset(),
            has_earlier: told.earlier.is_some(),
        };
        let held = present
            .holds
            .iter()
            .filter(|hold| self.is_asked(&hold.asset));
        let holds: Vec<_> = held.collect();
        let expiries = explain::upcoming(&present, self.asset());
        Ok(ExplainBalanceResponse {
            text: explain::text(&explained, catalog, self.language),
            holds: past::told_holds(edge, look.name.book(), &holds).await?,
            expiries: expiries.iter().map(render::coming_expiry).collect(),
            balances: render::balances(&balances),
            ..self.page(&look, &lines, told.earlier)
        })
    }

    async fn later_page(
        self,
        edge: &Edge,
        mut look: Look,
        history: &AccountHistory,
        cursor: Cursor,
    ) -> Result<ExplainBalanceResponse, Status> {
        look.snapshot.head.position = cursor.position;
        look.snapshot.now = cursor.time;
        let told = self.told(edge, history, cursor.to).await?;
        let events = told.events.iter().map(|recorded| &recorded.event);
        let lines = explain::lines(&told.before, events, self.asset());
        Ok(ExplainBalanceResponse {
            balances: render::balances(&explain::sums(&lines)),
            ..self.page(&look, &lines, told.earlier)
        })
    }

    /// What all pages have.
    fn page(
        &self,
        look: &Look,
        lines: &[Line<'_>],
        earlier: Option<u64>,
    ) -> ExplainBalanceResponse {
        let (position, time) = (look.snapshot.head.position, look.snapshot.now);
        let catalog = &look.snapshot.catalog.catalog;
        let render = |line| {
            let title = explain::title(line, catalog, self.language);
            render::balance_line(look.name.book(), line, title)
        };
        let next_page = |to| tokens::page(self.page.owner, &Cursor { position, time, to });
        ExplainBalanceResponse {
            account: look.name.as_str().to_owned(),
            lines: lines.iter().map(render).collect(),
            position: render::number(position),
            read_time: Some(render::timestamp(time)),
            not_opened: look.is_not_opened(),
            next_page_token: earlier.map(next_page).unwrap_or_default(),
            ..ExplainBalanceResponse::default()
        }
    }

    /// The latest events up to `to` that moved what is asked for, as many as a page
    /// tells; fewer if they are rare.
    async fn told(
        &self,
        edge: &Edge,
        history: &AccountHistory,
        mut to: u64,
    ) -> Result<Told, Status> {
        let mut told = Told {
            events: Vec::new(),
            before: Vec::new(),
            earlier: None,
        };
        let mut looked_at = 0;
        // An event is judged when the one before it is known.
        let mut later: Option<Recorded> = None;
        loop {
            let limit = self.step_size(told.events.len());
            let events = self.events_up_to(edge, history, to, limit).await?;
            let is_last = events.len() < limit;
            to = events
                .last()
                .map_or(0, |event| event.event.position.saturating_sub(1));
            for recorded in events {
                if let Some(later) = later.take() {
                    self.keep(&mut told.events, later, &recorded.event.balances);
                }
                let is_full = told.events.len() == self.page.size;
                if is_full || looked_at == PAGE_SCANNED_EVENTS_MAX {
                    told.events.reverse();
                    told.earlier = Some(recorded.event.position);
                    told.before = recorded.event.balances;
                    return Ok(told);
                }
                looked_at += 1;
                later = Some(recorded);
            }
            if is_last {
                if let Some(first) = later {
                    self.keep(&mut told.events, first, &[]);
                }
                told.events.reverse();
                return Ok(told);
            }
        }
    }

    fn keep(&self, kept: &mut Vec<Recorded>, recorded: Recorded, before: &[Balance]) {
        if explain::moves(before, &recorded.event, self.asset()) {
            kept.push(recorded);
        }
    }

    /// No more than the page needs with the event before it, if nearly every event
    /// is wanted.
    fn step_size(&self, found: usize) -> usize {
        match self.asset {
            Some(_) => EVENTS_IN_A_ROW,
            None => self.page.size.saturating_sub(found).saturating_add(1),
        }
    }

    /// The latest events up to `to`, the latest first.
    async fn events_up_to(
        &self,
        edge: &Edge,
        history: &AccountHistory,
        to: u64,
        limit: usize,
    ) -> Result<Vec<Recorded>, Status> {
        let book = self.reading.name.book();
        if Instant::now() >= self.reading.deadline {
            return Err(status::engine(&EngineError::DeadlineExceeded, book));
        }
        let range = PositionRange {
            from: 1,
            to,
            newest_first: true,
            limit: u32::try_from(limit).unwrap_or(u32::MAX),
        };
        let positions = history.positions(range).await;
        let mut positions = positions.map_err(|error| status::read(&error, book))?;
        positions.reverse();
        let events = events_at(edge.engine.store(), book, &positions).await;
        let mut events = events.map_err(|error| status::read(&error, book))?;
        events.reverse();
        Ok(events)
    }

    fn asset(&self) -> Option<&str> {
        self.asset.as_deref()
    }

    fn is_asked(&self, asset: &str) -> bool {
        self.asset().is_none_or(|asked| asked == asset)
    }

    fn balances_of(&self, account: &Account) -> Vec<Balance> {
        let mut balances = account.balances();
        balances.retain(|balance| self.is_asked(&balance.asset));
        balances
    }
}

/// Whether balances are the same. One that is not there is nothing.
fn is_same(sums: &[Balance], balances: &[Balance]) -> bool {
    let some = |balance: &&Balance| balance.balance != 0 || balance.held != 0;
    sums.iter().filter(some).eq(balances.iter().filter(some))
}
