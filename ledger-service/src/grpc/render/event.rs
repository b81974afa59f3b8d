//! Events.

use ledger_core::{Event, RequestId, account::Lot, event as core, event::Payload};
use ledger_proto::v1::{self, event::Payload as Message};

use super::{
    asset_amount, attributes, balances, cost_basis, funding, level_change, number, or_empty,
    overrun, paid_with, payment, reason, scope, subscription, take, takes, timestamp,
};
use crate::{
    engine::Recorded,
    grpc::names::{account_name, event_name},
};

/// An event. One of a dry run has no name, position and hash, and no names of
/// events that it would have been recorded with. One that time alone made has
/// no cause, though it may have been written along with somebody's request.
pub(in crate::grpc) fn event(book: &str, recorded: &Recorded) -> v1::Event {
    let event = &recorded.event;
    let is_recorded = event.position > 0;
    let mut message = v1::Event {
        name: event_name(book, event.position),
        position: number(event.position),
        account: account_name(book, &event.account),
        version: number(event.version),
        previous_position: number(event.previous_position),
        record_time: Some(timestamp(event.recorded_at)),
        catalog_version: number(event.catalog_version),
        balances: balances(&event.balances),
        hash: if is_recorded {
            recorded.hash.to_vec()
        } else {
            Vec::new()
        },
        payload: Some(payload(book, event)),
        ..Default::default()
    };
    if !event.payload.is_of_time() {
        add_cause(&mut message, event);
    }
    message
}

/// Adds the request that made an event, and what its caller said.
fn add_cause(message: &mut v1::Event, event: &Event) {
    let annotations = &event.annotations;
    message.origin = (&event.origin).into();
    message.request_id = id(event.request_id);
    message.atomic_request_id = id(event.call_id);
    message.external_id = or_empty(annotations.external_id.as_ref());
    message.actor = Some(v1::Actor {
        key: (&event.origin).into(),
        person: or_empty(annotations.person.as_ref()),
    });
    message.occur_time = annotations.occurred_at.map(timestamp);
    message.reason = annotations.reason.as_ref().map(reason);
    message.metadata.clone_from(&annotations.metadata);
}

fn id(id: Option<RequestId>) -> String {
    id.map(|id| id.to_string()).unwrap_or_default()
}

fn payload(book: &str, event: &Event) -> Message {
    match &event.payload {
        Payload::AccountOpened => Message::AccountOpened(v1::AccountOpened {}),
        Payload::AccountClosed => Message::AccountClosed(v1::AccountClosed {}),
        Payload::AccountBlocked => Message::AccountBlocked(v1::AccountBlocked {}),
        Payload::AccountUnblocked => Message::AccountUnblocked(v1::AccountUnblocked {}),
        Payload::Credited(credited) => Message::Credited(self::credited(book, event, credited)),
        Payload::Debited(debited) => Message::Debited(self::debited(debited)),
        Payload::Refunded(refunded) => Message::Refunded(v1::Refunded {
            charge: event_name(book, refunded.charge),
            amount: Some(asset_amount(&refunded.asset, refunded.amount)),
            returns: takes(&refunded.parts),
            settled: payment::debts(&refunded.settled),
        }),
        Payload::HoldPlaced(placed) => Message::HoldPlaced(hold_placed(placed)),
        Payload::HoldExtended(extended) => Message::HoldExtended(v1::HoldExtended {
            hold: event_name(book, extended.hold),
            expire_time: Some(timestamp(extended.expires_at)),
        }),
        Payload::HoldCaptured(captured) => Message::HoldCaptured(hold_captured(book, captured)),
        Payload::HoldReleased(ended) => Message::HoldReleased(v1::HoldReleased {
            hold: event_name(book, ended.hold),
            amount: Some(asset_amount(&ended.asset, ended.amount)),
            returns: takes(&ended.parts),
            operation: or_empty(ended.operation.as_ref()),
            settled: payment::debts(&ended.settled),
        }),
        Payload::HoldExpired(ended) => Message::HoldExpired(v1::HoldExpired {
            hold: event_name(book, ended.hold),
            amount: Some(asset_amount(&ended.asset, ended.amount)),
            returns: takes(&ended.parts),
            operation: or_empty(ended.operation.as_ref()),
            settled: payment::debts(&ended.settled),
        }),
        Payload::LotExpired(expired) => Message::LotExpired(lot_expired(&expired.lot)),
        Payload::Adjusted(adjusted) => Message::Adjusted(v1::Adjusted {
            delta: Some(asset_amount(&adjusted.asset, adjusted.delta)),
            takes: takes(&adjusted.parts),
            added: adjusted.lot.as_ref().map(take),
            level_change: event_level_change(event),
        }),
        Payload::TransferSent(sent) => Message::TransferSent(v1::TransferSent {
            destination_account: account_name(book, &sent.destination),
            amount: Some(asset_amount(&sent.asset, sent.amount)),
            takes: takes(&sent.parts),
        }),
        Payload::TransferReceived(received) => {
            Message::TransferReceived(transfer_received(book, event, received))
        }
        Payload::PaymentCreated(created) => payment::created(book, created),
        Payload::PaymentStatusRecorded(recorded) => payment::status_recorded(book, recorded),
        Payload::PaymentSucceeded(succeeded) => payment::succeeded(book, succeeded),
        Payload::PaymentCanceled(canceled) => payment::canceled(book, canceled),
        Payload::PaymentFeeRecorded(fee) => payment::fee_recorded(book, fee),
        Payload::PaymentRefundStarted(started) => payment::refund_started(book, started),
        Payload::PaymentRefunded(refunded) => payment::refunded(book, refunded),
        Payload::PaymentRefundFailed(failed) => payment::refund_failed(book, failed),
        Payload::PaymentAnomaly(anomaly) => payment::odd(book, anomaly),
        Payload::SubscriptionStarted(started) => subscription::started(book, started),
        Payload::SubscriptionRenewed(renewed) => subscription::renewed(book, renewed),
        Payload::SubscriptionPastDue(due) => subscription::past_due(book, due),
        Payload::SubscriptionCanceled(changed) => subscription::canceled(book, changed),
        Payload::SubscriptionResumed(changed) => subscription::resumed(book, changed),
        Payload::SubscriptionEnded(ended) => subscription::ended(book, ended),
        Payload::SubscriptionRescheduled(moved) => subscription::rescheduled(book, moved),
        Payload::CatalogApplied(applied) => Message::CatalogApplied(v1::CatalogApplied {
            catalog_version: number(applied.catalog_version),
            text: applied.text.clone(),
            overrides: applied.overrides.clone(),
        }),
    }
}

/// What an event did to the level of an asset of points, if it did anything.
pub(super) fn event_level_change(event: &Event) -> Option<v1::LevelChange> {
    let (asset, change) = match &event.payload {
        Payload::Credited(credited) => (&credited.lot.asset, credited.levels?),
        Payload::Adjusted(adjusted) => (&adjusted.asset, adjusted.levels?),
        _ => return None,
    };
    let mut balances = event.balances.iter();
    let total = balances.find(|balance| balance.asset == *asset)?.balance;
    Some(level_change(asset, change, total))
}

/// The name of an event that was recorded together with this one. A dry run's
/// was not.
fn companion(book: &str, event: &Event, position: u64) -> String {
    event_name(book, if event.position > 0 { position } else { 0 })
}

fn credited(book: &str, event: &Event, credited: &core::Credited) -> v1::Credited {
    let lot = &credited.lot;
    v1::Credited {
        lot: number(lot.id),
        amount: Some(asset_amount(&lot.asset, lot.amount)),
        funding: funding(lot.funding),
        source: (&lot.source).into(),
        priority: lot.priority,
        expire_time: lot.expires_at.map(timestamp),
        scope: scope(lot),
        cost_basis: cost_basis(lot),
        payment: credited
            .payment
            .map(|position| companion(book, event, position))
            .unwrap_or_default(),
        level_change: event_level_change(event),
        recurring_grant: credited
            .recurring
            .as_ref()
            .map(|period| String::from(&period.grant))
            .unwrap_or_default(),
        settled: payment::debts(&credited.settled),
        subscription: credited
            .subscription
            .map(|position| companion(book, event, position))
            .unwrap_or_default(),
    }
}

fn debited(debited: &core::Debited) -> v1::Debited {
    v1::Debited {
        operation: or_empty(debited.operation.as_ref()),
        quantity: debited.quantity,
        price: Some(asset_amount(&debited.asset, debited.amount)),
        paid_with: paid_with(debited.paid_with),
        takes: takes(&debited.parts),
        attributes: attributes(&debited.attributes),
        pass_lot: number(debited.pass.unwrap_or(0)),
    }
}

fn hold_placed(placed: &core::HoldPlaced) -> v1::HoldPlaced {
    v1::HoldPlaced {
        operation: or_empty(placed.operation.as_ref()),
        quantity: placed.quantity,
        price: Some(asset_amount(&placed.asset, placed.amount)),
        overrun_policy: overrun(placed.overrun),
        expire_time: Some(timestamp(placed.expires_at)),
        takes: takes(&placed.parts),
        attributes: attributes(&placed.attributes),
        pass_lot: number(placed.pass.unwrap_or(0)),
    }
}

fn hold_captured(book: &str, captured: &core::HoldCaptured) -> v1::HoldCaptured {
    v1::HoldCaptured {
        hold: event_name(book, captured.hold),
        operation: or_empty(captured.operation.as_ref()),
        amount: Some(asset_amount(&captured.asset, captured.amount)),
        paid_with: paid_with(captured.paid_with),
        takes: captured
            .held_parts
            .iter()
            .chain(&captured.free_parts)
            .map(take)
            .collect(),
        released_amount: ledger_core::account::total(&captured.released),
        returns: takes(&captured.released),
        uncovered_amount: captured.uncovered,
        r#final: captured.is_final,
        late: captured.late,
        attributes: attributes(&captured.attributes),
        pass_lot: number(captured.pass.unwrap_or(0)),
        quantity: captured.quantity,
        settled: payment::debts(&captured.settled),
    }
}

fn lot_expired(lot: &Lot) -> v1::LotExpired {
    v1::LotExpired {
        lot: number(lot.id),
        amount: Some(asset_amount(&lot.asset, lot.amount)),
        cost_basis: cost_basis(lot),
        funding: funding(lot.funding),
        source: (&lot.source).into(),
    }
}

fn transfer_received(
    book: &str,
    event: &Event,
    received: &core::TransferReceived,
) -> v1::TransferReceived {
    v1::TransferReceived {
        source_account: account_name(book, &received.source),
        transfer: companion(book, event, received.transfer),
        amount: Some(asset_amount(&received.asset, received.amount)),
        lots: takes(&received.parts),
    }
}
