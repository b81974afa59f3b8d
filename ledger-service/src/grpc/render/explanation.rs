//! Explanations of balances.

use ledger_core::{
    Event, Payload,
    explain::{Line, LineKind, Upcoming},
};
use ledger_proto::v1;

use super::{asset_amount, or_empty, paid_with, reason, takes, timestamp};
use crate::grpc::names::{account_name, event_name};

/// A line, with what users call it.
pub(in crate::grpc) fn balance_line(
    book: &str,
    line: &Line<'_>,
    title: Option<&str>,
) -> v1::BalanceLine {
    let mut message = v1::BalanceLine {
        kind: kind(line.kind).into(),
        title: title.unwrap_or_default().to_owned(),
        amount: Some(asset_amount(&line.asset, line.amount)),
        held_amount: line.held_amount,
        lots: takes(&line.lots),
        ..v1::BalanceLine::default()
    };
    if let Some(event) = line.event {
        add_event(&mut message, book, event);
    }
    message
}

fn add_event(message: &mut v1::BalanceLine, book: &str, event: &Event) {
    message.event = event_name(book, event.position);
    message.time = Some(timestamp(event.recorded_at));
    message.operation = event.payload.operation().unwrap_or_default().to_owned();
    let related = event.payload.refers_to().unwrap_or(0);
    message.related_event = event_name(book, related);
    match &event.payload {
        Payload::Debited(debited) => {
            message.quantity = debited.quantity;
            message.paid_with = paid_with(debited.paid_with);
        }
        Payload::HoldCaptured(captured) => {
            message.quantity = captured.quantity;
            message.paid_with = paid_with(captured.paid_with);
        }
        Payload::HoldPlaced(placed) => message.quantity = placed.quantity,
        Payload::TransferSent(sent) => {
            message.other_account = account_name(book, &sent.destination);
        }
        Payload::TransferReceived(received) => {
            message.other_account = account_name(book, &received.source);
        }
        _ => {}
    }
    // What time alone made is nobody's doing, whoever's request it came with.
    if !event.payload.is_of_time() {
        message.external_id = or_empty(event.annotations.external_id.as_ref());
        message.reason = event.annotations.reason.as_ref().map(reason);
    }
}

fn kind(kind: LineKind) -> v1::BalanceLineKind {
    match kind {
        LineKind::Before => v1::BalanceLineKind::Before,
        LineKind::Granted => v1::BalanceLineKind::Granted,
        LineKind::GrantedForPeriod => v1::BalanceLineKind::GrantedForPeriod,
        LineKind::Purchased => v1::BalanceLineKind::Purchased,
        LineKind::Charged => v1::BalanceLineKind::Charged,
        LineKind::Captured => v1::BalanceLineKind::Captured,
        LineKind::Refunded => v1::BalanceLineKind::Refunded,
        LineKind::Held => v1::BalanceLineKind::Held,
        LineKind::HoldReleased => v1::BalanceLineKind::HoldReleased,
        LineKind::HoldExpired => v1::BalanceLineKind::HoldExpired,
        LineKind::LotExpired => v1::BalanceLineKind::LotExpired,
        LineKind::Adjusted => v1::BalanceLineKind::Adjusted,
        LineKind::TransferSent => v1::BalanceLineKind::TransferSent,
        LineKind::TransferReceived => v1::BalanceLineKind::TransferReceived,
        LineKind::PaymentRefundHeld => v1::BalanceLineKind::PaymentRefundHeld,
        LineKind::PaymentRefunded => v1::BalanceLineKind::PaymentRefunded,
        LineKind::PaymentRefundReleased => v1::BalanceLineKind::PaymentRefundReleased,
        LineKind::SubscriptionPassEnded => v1::BalanceLineKind::SubscriptionPassEnded,
        LineKind::Other => v1::BalanceLineKind::Other,
    }
}

/// What an account will lose.
pub(in crate::grpc) fn coming_expiry(upcoming: &Upcoming) -> v1::ComingExpiry {
    v1::ComingExpiry {
        expire_time: Some(timestamp(upcoming.expires_at)),
        amount: Some(asset_amount(&upcoming.asset, upcoming.amount)),
        left_amount: upcoming.left_amount,
        lots: takes(&upcoming.lots),
    }
}
