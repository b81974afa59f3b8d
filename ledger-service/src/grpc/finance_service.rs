//! `FinanceService`: what a book has done.

use std::time::Instant;

use ledger_core::{
    Name,
    calendar::{Days, day_of_text, text_of_day},
};
use ledger_proto::v1::{
    GetStatisticsRequest, GetStatisticsResponse, finance_service_server::FinanceService,
};
use tonic::{Request, Response, Status, async_trait};

use super::{
    edge::Edge,
    names,
    parse::{Caller, Fields},
    render, status,
    tokens::Consistency,
};
use crate::{
    limits::{
        STATISTICS_DAYS_MAX, STATISTICS_KEYS_MAX, STATISTICS_ORIGINS_MAX, TOP_ACCOUNTS_DEFAULT,
        TOP_ACCOUNTS_MAX,
    },
    store::StatisticsQuery,
};

type Answer<T> = Result<Response<T>, Status>;

const DATE_RULE: &str = "must be a date like 2026-11-25";

/// The service.
pub(super) struct FinanceApi {
    edge: Edge,
}

impl FinanceApi {
    /// The service at this edge.
    pub(super) const fn new(edge: Edge) -> Self {
        Self { edge }
    }
}

#[async_trait]
impl FinanceService for FinanceApi {
    async fn get_statistics(
        &self,
        request: Request<GetStatisticsRequest>,
    ) -> Answer<GetStatisticsResponse> {
        let deadline = Caller::deadline_of(&request);
        let question = Question::parse(request.into_inner(), deadline)?;
        Ok(Response::new(question.answer(&self.edge).await?))
    }
}

/// Which statistics are asked for.
#[derive(Debug)]
struct Question {
    book: String,
    origin: Option<Name>,
    /// The numbers of days that were said.
    start: Option<i64>,
    end: Option<i64>,
    top_max: u32,
    top_asset: Option<Name>,
    token: Option<Consistency>,
    deadline: Instant,
}

impl Question {
    /// Reads a request.
    fn parse(message: GetStatisticsRequest, deadline: Instant) -> Result<Self, Status> {
        let mut fields = Fields::default();
        let book = fields.book_of_read(&message.book);
        fields.asset_filter("top_asset", &message.top_asset);
        let start = date("start_date", &message.start_date, &mut fields);
        let end = date("end_date", &message.end_date, &mut fields);
        if let (Some(start), Some(end)) = (start, end) {
            check_period(start, end, &mut fields);
        }
        let question = Self {
            token: fields.consistency_token(&book, &message.consistency_token),
            origin: fields.origin_filter("origin", message.origin),
            top_max: top_max(message.top_size, &mut fields),
            top_asset: (!message.top_asset.is_empty()).then(|| message.top_asset.into()),
            book,
            start,
            end,
            deadline,
        };
        fields.finish()?;
        Ok(question)
    }

    /// The answer, of a moment at which all is counted that was acknowledged before.
    async fn answer(self, edge: &Edge) -> Result<GetStatisticsResponse, Status> {
        let snapshot = edge
            .snapshot(&self.book, Vec::new(), self.token, self.deadline)
            .await?;
        let time_zone = &snapshot.catalog.catalog.time_zone;
        let today = Days::new(time_zone).number(snapshot.now);
        let (first_day, last_day) = self.period(today)?;
        let head = snapshot.head.position;
        let counted = edge
            .index
            .wait_for_statistics(&self.book, head, self.deadline);
        let to_status = |error| status::read(&error, &self.book);
        counted.await.map_err(to_status)?;
        let query = StatisticsQuery {
            first_day,
            last_day,
            origin: self.origin,
            keys_max: STATISTICS_KEYS_MAX,
            origins_max: STATISTICS_ORIGINS_MAX,
            top_max: self.top_max,
            top_asset: self.top_asset.clone(),
        };
        let statistics = edge.engine.store().statistics(&self.book, &query).await;
        let statistics = statistics.map_err(|error| status::store(&error))?;
        Ok(GetStatisticsResponse {
            book: names::book_name(&self.book),
            start_date: text_of_day(first_day),
            end_date: text_of_day(last_day),
            time_zone: time_zone.clone(),
            position: render::number(statistics.position),
            read_time: Some(render::timestamp(snapshot.now)),
            ..render::statistics(&self.book, &statistics, &query)
        })
    }

    /// The first and the last day.
    fn period(&self, today: i64) -> Result<(i64, i64), Status> {
        let first = self.start.or(self.end).unwrap_or(today);
        let last = self.end.unwrap_or(today.max(first));
        let mut fields = Fields::default();
        check_period(first, last, &mut fields);
        fields.finish()?;
        Ok((first, last))
    }
}

fn date(field: &str, text: &str, fields: &mut Fields) -> Option<i64> {
    if text.is_empty() {
        return None;
    }
    let day = day_of_text(text);
    if day.is_none() {
        fields.refuse(field, DATE_RULE);
    }
    day
}

fn check_period(first: i64, last: i64, fields: &mut Fields) {
    if last < first {
        fields.refuse("end_date", "must not be before `start_date`");
    } else if last.saturating_sub(first) >= STATISTICS_DAYS_MAX {
        let rule = format!("must be at most {STATISTICS_DAYS_MAX} days from `start_date`");
        fields.refuse("end_date", rule);
    }
}

fn top_max(size: i32, fields: &mut Fields) -> u32 {
    match u32::try_from(size) {
        Ok(0) => TOP_ACCOUNTS_DEFAULT,
        Ok(size) => size.min(TOP_ACCOUNTS_MAX),
        Err(_) => {
            fields.refuse("top_size", "must be 0 or more");
            TOP_ACCOUNTS_DEFAULT
        }
    }
}
