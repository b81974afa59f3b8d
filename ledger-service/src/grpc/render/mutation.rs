//! Answers to mutations.

use ledger_core::{Payload, event::PaidWith};
use ledger_proto::v1;
use tonic::Status;

use super::{
    asset_amount, attributes, balances, event, event::event_level_change, or_empty, paid_with,
    timestamp,
};
use crate::{
    engine::{Answer, Recorded},
    grpc::{
        names::event_name,
        status,
        tokens::{Consistency, owner_of_book},
    },
};

/// An answer, with the book it is of.
#[derive(Clone, Copy, Debug)]
pub(in crate::grpc) struct Done<'a> {
    /// The book.
    pub(in crate::grpc) book: &'a str,
    /// The answer.
    pub(in crate::grpc) answer: &'a Answer,
}

impl<'a> Done<'a> {
    /// What `pick` finds first in the events, with its event.
    pub(super) fn find<T>(
        self,
        pick: impl Fn(&'a Payload) -> Option<&'a T>,
    ) -> Option<(&'a Recorded, &'a T)> {
        let events = self.answer.events.iter().map(AsRef::as_ref);
        events
            .into_iter()
            .find_map(|recorded| Some((recorded, pick(&recorded.event.payload)?)))
    }

    /// The same, of an answer that has to have it.
    pub(super) fn get<T>(
        self,
        pick: impl Fn(&'a Payload) -> Option<&'a T>,
    ) -> Result<(&'a Recorded, &'a T), Status> {
        self.find(pick)
            .ok_or_else(|| status::incomplete("an event of the answer"))
    }

    /// What `pick` finds first in the events with their envelopes.
    pub(super) fn find_event<T>(self, pick: impl Fn(&Recorded) -> Option<T>) -> Option<T> {
        self.answer
            .events
            .iter()
            .find_map(|recorded| pick(recorded))
    }

    fn has_opened(self) -> bool {
        let mut events = self.answer.events.iter();
        events.any(|recorded| recorded.event.payload == Payload::AccountOpened)
    }
}

/// Picks the content of one kind of payload.
macro_rules! pick {
    ($kind:ident) => {
        |payload| match payload {
            Payload::$kind(content) => Some(content),
            _ => None,
        }
    };
}

pub(super) use pick;

/// What every mutation answers.
pub(in crate::grpc) fn result(done: Done<'_>) -> Option<v1::MutationResult> {
    let Done { book, answer } = done;
    Some(v1::MutationResult {
        events: answer
            .events
            .iter()
            .map(|recorded| event(book, recorded))
            .collect(),
        balances: balances(&answer.balances),
        consistency_token: Consistency::render(answer.seen_at, owner_of_book(book)),
        replayed: answer.replayed,
        account_opened: done.has_opened(),
        level_changes: answer
            .events
            .iter()
            .filter_map(|recorded| event_level_change(&recorded.event))
            .collect(),
    })
}

pub(in crate::grpc) fn open_account(done: Done<'_>) -> v1::OpenAccountResponse {
    v1::OpenAccountResponse {
        result: result(done),
        created: done.has_opened(),
    }
}

pub(in crate::grpc) fn charge(done: Done<'_>) -> Result<v1::ChargeResponse, Status> {
    let (_, debited) = done.get(pick!(Debited))?;
    Ok(v1::ChargeResponse {
        result: result(done),
        price: Some(asset_amount(&debited.asset, debited.amount)),
        paid_with: paid_with(debited.paid_with),
    })
}

pub(in crate::grpc) fn place_hold(done: Done<'_>) -> Result<v1::PlaceHoldResponse, Status> {
    let (recorded, placed) = done.get(pick!(HoldPlaced))?;
    let envelope = &recorded.event;
    let hold = v1::Hold {
        name: event_name(done.book, envelope.position),
        request_id: envelope
            .request_id
            .map(|id| id.to_string())
            .unwrap_or_default(),
        external_id: or_empty(envelope.annotations.external_id.as_ref()),
        operation: or_empty(placed.operation.as_ref()),
        asset: (&placed.asset).into(),
        held_amount: placed.amount,
        captured_amount: 0,
        overrun_policy: super::overrun(placed.overrun),
        expire_time: Some(timestamp(placed.expires_at)),
        create_time: Some(timestamp(envelope.recorded_at)),
        takes: super::takes(&placed.parts),
        attributes: attributes(&placed.attributes),
        quantity: placed.quantity,
    };
    Ok(v1::PlaceHoldResponse {
        result: result(done),
        hold: Some(hold),
        paid_with: paid_with(PaidWith::of(&placed.parts, placed.pass)),
    })
}

pub(in crate::grpc) fn extend_hold(done: Done<'_>) -> Result<v1::ExtendHoldResponse, Status> {
    let (_, extended) = done.get(pick!(HoldExtended))?;
    let hold_expire_time = Some(timestamp(extended.expires_at));
    Ok(v1::ExtendHoldResponse {
        result: result(done),
        hold_expire_time,
    })
}

pub(in crate::grpc) fn capture_hold(done: Done<'_>) -> Result<v1::CaptureHoldResponse, Status> {
    let (_, captured) = done.get(pick!(HoldCaptured))?;
    Ok(v1::CaptureHoldResponse {
        result: result(done),
        captured: Some(asset_amount(&captured.asset, captured.amount)),
        paid_with: paid_with(captured.paid_with),
        released_amount: ledger_core::account::total(&captured.released),
        uncovered_amount: captured.uncovered,
        late: captured.late,
    })
}

pub(in crate::grpc) fn release_hold(done: Done<'_>) -> Result<v1::ReleaseHoldResponse, Status> {
    let (_, released) = done.get(pick!(HoldReleased))?;
    let released = Some(asset_amount(&released.asset, released.amount));
    Ok(v1::ReleaseHoldResponse {
        result: result(done),
        released,
    })
}

pub(in crate::grpc) fn refund(done: Done<'_>) -> Result<v1::RefundResponse, Status> {
    let (_, refunded) = done.get(pick!(Refunded))?;
    Ok(v1::RefundResponse {
        result: result(done),
        refunded: Some(asset_amount(&refunded.asset, refunded.amount)),
        refundable_amount: refunded.refundable,
    })
}

pub(in crate::grpc) fn transfer(done: Done<'_>) -> Result<v1::TransferResponse, Status> {
    let (received, _) = done.get(pick!(TransferReceived))?;
    let destination_balances = balances(&received.event.balances);
    Ok(v1::TransferResponse {
        result: result(done),
        destination_balances,
    })
}

/// `asset` is the one of the request: a correction that changed nothing has no
/// event to tell it.
pub(in crate::grpc) fn adjust(done: Done<'_>, asset: &str) -> v1::AdjustResponse {
    let delta = done
        .find(pick!(Adjusted))
        .map_or(0, |(_, adjusted)| adjusted.delta);
    v1::AdjustResponse {
        result: result(done),
        delta: Some(asset_amount(asset, delta)),
    }
}

pub(in crate::grpc) fn apply_catalog(done: Done<'_>) -> Result<v1::ApplyCatalogResponse, Status> {
    let (_, applied) = done.get(pick!(CatalogApplied))?;
    Ok(v1::ApplyCatalogResponse {
        result: result(done),
        catalog_version: super::number(applied.catalog_version),
    })
}
