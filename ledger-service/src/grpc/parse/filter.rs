//! Which events a reader wants to see.

use ledger_core::{Event, Name, RequestId, Timestamp, event::Payload};
use ledger_proto::v1;

use super::{Fields, annotations::filled, text};
use crate::grpc::names::AccountName;

/// Which events. What is set must all match.
#[derive(Clone, Debug, Default)]
pub(in crate::grpc) struct EventQuery {
    /// The bare id of an account.
    pub(in crate::grpc) account: Option<Name>,
    /// Recorded at or after this time.
    pub(in crate::grpc) time_min: Option<Timestamp>,
    /// Recorded before this time.
    pub(in crate::grpc) time_max: Option<Timestamp>,
    /// The numbers of kinds, a bit each; all if 0.
    kinds: u64,
    operation: Option<Name>,
    asset: Option<Name>,
    source: Option<Name>,
    /// Of this request.
    pub(in crate::grpc) request_id: Option<RequestId>,
    person: Option<Name>,
    /// With this id of the caller's own.
    pub(in crate::grpc) external_id: Option<Name>,
    origin: Option<Name>,
}

impl EventQuery {
    /// Whether an event is wanted. Times are left to positions.
    pub(in crate::grpc) fn matches(&self, event: &Event) -> bool {
        let is = |wanted: &Option<Name>, found: Option<&str>| {
            wanted.is_none() || wanted.as_deref() == found
        };
        // Of what time alone made, the envelope's request is not the cause.
        let cause = (!event.payload.is_of_time()).then_some(event);
        let said = cause.map(|event| &event.annotations);
        let person = said.and_then(|said| said.person.as_deref());
        let external_id = said.and_then(|said| said.external_id.as_deref());
        let request_id = cause.and_then(|event| event.request_id);
        self.is_kind(&event.payload)
            && is(&self.account, Some(&event.account))
            && is(&self.origin, cause.map(|event| event.origin.as_str()))
            && is(&self.operation, event.payload.operation())
            && is(&self.person, person)
            && is(&self.external_id, external_id)
            && (self.request_id.is_none() || self.request_id == request_id)
            && self.moves(&event.payload)
    }

    /// Whether every event is wanted, of those that the account, the request
    /// or the caller's id lead to.
    pub(in crate::grpc) fn is_plain(&self) -> bool {
        let texts = [
            &self.operation,
            &self.asset,
            &self.source,
            &self.person,
            &self.origin,
        ];
        self.kinds == 0 && texts.iter().all(|text| text.is_none())
    }

    /// Whether every event is wanted.
    pub(in crate::grpc) fn is_unfiltered(&self) -> bool {
        let ids = [&self.account, &self.external_id];
        self.is_plain() && self.request_id.is_none() && ids.iter().all(|id| id.is_none())
    }

    fn is_kind(&self, payload: &Payload) -> bool {
        self.kinds == 0 || self.kinds & (1 << (payload.kind() as u64)) != 0
    }

    fn moves(&self, payload: &Payload) -> bool {
        let any = |wanted: &Option<Name>, text: fn(&ledger_core::account::Lot) -> &Name| {
            wanted
                .as_ref()
                .is_none_or(|wanted| payload.parts().any(|part| text(part) == wanted))
        };
        any(&self.asset, |part| &part.asset) && any(&self.source, |part| &part.source)
    }
}

impl Fields {
    /// Which events of a book.
    pub(in crate::grpc) fn event_query(
        &mut self,
        filter: Option<v1::EventFilter>,
        book: &str,
    ) -> EventQuery {
        let Some(filter) = filter else {
            return EventQuery::default();
        };
        let request_id = (!filter.request_id.is_empty())
            .then(|| self.request_id("filter.request_id", &filter.request_id));
        EventQuery {
            account: self.filter_account("filter.account", filter.account, book),
            time_min: self.filter_time("filter.record_time_min", filter.record_time_min),
            time_max: self.filter_time("filter.record_time_max", filter.record_time_max),
            kinds: self.kinds(&filter.types),
            operation: self.operation("filter.operation", filter.operation),
            asset: self.word(
                "filter.asset",
                filter.asset,
                text::is_asset,
                text::ASSET_RULE,
            ),
            source: self.word(
                "filter.source",
                filter.source,
                text::is_code,
                text::CODE_RULE,
            ),
            request_id,
            person: self.word(
                "filter.person",
                filter.person,
                text::is_name,
                text::NAME_RULE,
            ),
            external_id: self.word(
                "filter.external_id",
                filter.external_id,
                text::is_name,
                text::NAME_RULE,
            ),
            origin: self.word(
                "filter.origin",
                filter.origin,
                text::is_origin,
                text::ORIGIN_RULE,
            ),
        }
    }

    /// What may not be set when a stream is filtered.
    pub(in crate::grpc) fn check_stream_query(&mut self, query: &EventQuery) {
        const RULE: &str = "must not be set for a stream";
        self.check(query.request_id.is_none(), "filter.request_id", RULE);
        self.check(query.time_min.is_none(), "filter.record_time_min", RULE);
        self.check(query.time_max.is_none(), "filter.record_time_max", RULE);
    }

    /// The events with which payments may begin.
    pub(in crate::grpc) fn payment_query(
        &mut self,
        message: &v1::ListPaymentsRequest,
        book: &str,
    ) -> EventQuery {
        let begins = [
            v1::EventType::PaymentCreated,
            v1::EventType::PaymentSucceeded,
        ];
        EventQuery {
            account: self.filter_account("account", message.account.clone(), book),
            time_min: self.filter_time("create_time_min", message.create_time_min),
            time_max: self.filter_time("create_time_max", message.create_time_max),
            kinds: self.kinds(&begins.map(i32::from)),
            ..EventQuery::default()
        }
    }

    /// Statuses of payments in a filter.
    pub(in crate::grpc) fn statuses(&mut self, statuses: &[i32]) {
        for (index, number) in statuses.iter().enumerate() {
            let known = v1::PaymentStatus::try_from(*number);
            if !known.is_ok_and(|known| known != v1::PaymentStatus::Unspecified) {
                let field = format!("statuses[{index}]");
                self.refuse(&field, "is no status that this service knows");
            }
        }
    }

    fn filter_account(&mut self, field: &str, name: String, book: &str) -> Option<Name> {
        if name.is_empty() {
            return None;
        }
        let name: AccountName = self.account(field, name);
        let is_inside = name.book() == book || name.book().is_empty() || book.is_empty();
        self.check(is_inside, field, "must be an account of the request's book");
        Some(name.account().into())
    }

    fn kinds(&mut self, types: &[i32]) -> u64 {
        let mut kinds = 0;
        for (index, number) in types.iter().enumerate() {
            match v1::EventType::try_from(*number) {
                // Types are numbered as the kinds of events are.
                Ok(known) if known != v1::EventType::Unspecified => kinds |= 1 << (known as u64),
                _ => {
                    let field = format!("filter.types[{index}]");
                    self.refuse(&field, "is no type that this service knows");
                }
            }
        }
        kinds
    }

    fn word(
        &mut self,
        field: &str,
        text: String,
        is_right: fn(&str) -> bool,
        rule: &str,
    ) -> Option<Name> {
        let text: Name = filled(text)?;
        self.check(is_right(&text), field, rule);
        Some(text)
    }
}
