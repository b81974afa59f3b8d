//! One payment.

use std::time::Instant;

use ledger_core::{Record, Rejection, record::Subject};
use ledger_proto::v1::{self, get_payment_request::Target};
use tonic::Status;

use super::{edge::Edge, names, parse::Fields, render, status};
use crate::{engine::log, store::ExternalId};

/// Which payment: by its position, or by an id of its provider.
enum Wanted {
    Position(u64),
    Id(ExternalId),
}

/// The payment that a request asks for.
pub(super) async fn get(
    edge: &Edge,
    message: v1::GetPaymentRequest,
    deadline: Instant,
) -> Result<v1::Payment, Status> {
    let mut fields = Fields::default();
    let (book, wanted) = wanted(message.target, &mut fields);
    let token = fields.consistency_token(&book, &message.consistency_token);
    fields.finish()?;
    // Says whether there is such a book at all.
    edge.snapshot(&book, Vec::new(), token, deadline).await?;
    let position = match wanted {
        Wanted::Position(position) => Some(position),
        Wanted::Id(id) => {
            let found = edge.engine.store().external_id(&id).await;
            let found = found.map_err(|error| status::store(&error))?;
            found
                .filter(|found| found.book == book)
                .map(|found| found.position)
        }
    };
    let found = read(edge, &book, position.as_slice()).await?;
    found
        .into_iter()
        .next()
        .ok_or_else(|| status::rejected(&Rejection::PaymentNotFound, &book, ""))
}

fn wanted(target: Option<Target>, fields: &mut Fields) -> (String, Wanted) {
    match target {
        Some(Target::Name(name)) => match names::parse_event(&name) {
            Some((book, position)) => (book.to_owned(), Wanted::Position(position)),
            None => {
                fields.refuse("name", names::EVENT_RULE);
                (String::new(), Wanted::Position(0))
            }
        },
        Some(Target::ProviderId(said)) => {
            let prefix = "provider_id.";
            let book = fields.book("provider_id.book", &said.book);
            let (provider, merchant_account) =
                fields.merchant(prefix, said.provider, said.merchant_account);
            let id = fields.provider_id("provider_id.id", said.id.unwrap_or_default());
            let id = ExternalId {
                provider,
                merchant_account,
                kind: id.kind,
                id: id.id,
            };
            (book, Wanted::Id(id))
        }
        None => {
            fields.refuse("name", "one of `name` and `provider_id` is required");
            (String::new(), Wanted::Position(0))
        }
    }
}

/// The payments whose first events stand at these positions, in their order.
pub(super) async fn read(
    edge: &Edge,
    book: &str,
    positions: &[u64],
) -> Result<Vec<v1::Payment>, Status> {
    let ranges: Vec<(u64, u32)> = positions.iter().map(|position| (*position, 1)).collect();
    if ranges.is_empty() {
        return Ok(Vec::new());
    }
    let stored = edge
        .engine
        .store()
        .read_with_references(book, &ranges)
        .await;
    let stored = stored.map_err(|error| status::store(&error))?;
    let mut events = Vec::with_capacity(stored.len());
    for event in &stored {
        events.push(
            log::decode(event)
                .map_err(|what| status::damaged(&what))?
                .event,
        );
    }
    let mut found = Vec::with_capacity(positions.len());
    for position in positions {
        let first = events.iter().find(|event| event.position == *position);
        let Some(mut record) = first.and_then(Record::of) else {
            continue;
        };
        for event in &events {
            record.follow(event);
        }
        if let Subject::Payment(payment) = &record.subject {
            found.push(render::payment(book, &record.account, payment));
        }
    }
    Ok(found)
}
