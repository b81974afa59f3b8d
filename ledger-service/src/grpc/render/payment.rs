//! Payments.

use ledger_core::{
    Payload,
    event::{self as core, AnomalyKind, Debt, PlannedLot, ProviderId},
    payment::{PaymentStatus, Purpose, RefundVia},
    record::{PaymentRecord, RefundEnd, RefundRecord},
};
use ledger_proto::v1::{self, event::Payload as Message};
use tonic::Status;

use super::{
    asset_amount, cost_basis, funding, money,
    mutation::{Done, pick, result},
    number, or_empty, scope, takes, timestamp,
};
use crate::{
    engine::Recorded,
    grpc::{
        names::{account_name, event_name},
        status,
    },
};

pub(super) fn created(book: &str, created: &core::PaymentCreated) -> Message {
    Message::PaymentCreated(v1::PaymentCreated {
        provider: (&created.provider).into(),
        merchant_account: (&created.merchant_account).into(),
        purpose: Some(purpose(book, &created.purpose)),
        amount: Some(money(&created.amount)),
        gives: created.gives.iter().map(planned).collect(),
        automatic: created.automatic_until.is_some(),
    })
}

pub(super) fn status_recorded(book: &str, recorded: &core::PaymentStatusRecorded) -> Message {
    Message::PaymentStatusRecorded(v1::PaymentStatusRecorded {
        payment: event_name(book, recorded.payment),
        status: status_number(recorded.status),
        provider_ids: provider_ids(&recorded.provider_ids.ids),
    })
}

pub(super) fn succeeded(book: &str, payment: &core::PaymentSucceeded) -> Message {
    Message::PaymentSucceeded(v1::PaymentSucceeded {
        provider: (&payment.provider).into(),
        merchant_account: (&payment.merchant_account).into(),
        provider_ids: provider_ids(&payment.provider_ids),
        amount: Some(money(&payment.amount)),
        income_amount: payment.income.as_ref().map(money),
        test: payment.test,
        payment: event_name(book, payment.payment.unwrap_or(0)),
        purpose: payment.purpose.as_ref().map(|it| purpose(book, it)),
    })
}

pub(super) fn canceled(book: &str, canceled: &core::PaymentCanceled) -> Message {
    Message::PaymentCanceled(v1::PaymentCanceled {
        payment: event_name(book, canceled.payment),
        provider_ids: provider_ids(&canceled.provider_ids.ids),
        reason: or_empty(canceled.reason.as_ref()),
    })
}

pub(super) fn fee_recorded(book: &str, fee: &core::PaymentFeeRecorded) -> Message {
    Message::PaymentFeeRecorded(v1::PaymentFeeRecorded {
        payment: event_name(book, fee.payment),
        income_amount: Some(money(&fee.income)),
    })
}

pub(super) fn refund_started(book: &str, started: &core::PaymentRefundStarted) -> Message {
    Message::PaymentRefundStarted(v1::PaymentRefundStarted {
        payment: event_name(book, started.payment),
        amount: Some(money(&started.amount)),
        takes: takes(&started.parts),
        missing: debts(&started.missing),
    })
}

pub(super) fn refunded(book: &str, refunded: &core::PaymentRefunded) -> Message {
    let parts = refunded.reserved.iter().chain(&refunded.parts);
    Message::PaymentRefunded(v1::PaymentRefunded {
        payment: event_name(book, refunded.payment),
        refund: event_name(book, refunded.refund.unwrap_or(0)),
        amount: Some(money(&refunded.amount)),
        outside: refunded.via == RefundVia::Outside,
        provider_ids: provider_ids(&refunded.provider_ids.ids),
        document_number: or_empty(refunded.document_number.as_ref()),
        takes: parts.map(super::take).collect(),
        debts: debts(&refunded.debts),
    })
}

pub(super) fn refund_failed(book: &str, failed: &core::PaymentRefundFailed) -> Message {
    Message::PaymentRefundFailed(v1::PaymentRefundFailed {
        payment: event_name(book, failed.payment),
        refund: event_name(book, failed.refund),
        reason: or_empty(failed.reason.as_ref()),
        returns: takes(&failed.parts),
        settled: debts(&failed.settled),
    })
}

pub(super) fn odd(book: &str, anomaly: &core::PaymentAnomaly) -> Message {
    Message::PaymentAnomaly(v1::PaymentAnomaly {
        payment: event_name(book, anomaly.payment),
        kind: anomaly_kind(anomaly.kind),
        amount: Some(money(&anomaly.amount)),
        provider_ids: provider_ids(&anomaly.provider_ids.ids),
    })
}

fn planned(planned: &PlannedLot) -> v1::PlannedLot {
    let lot = &planned.lot;
    v1::PlannedLot {
        amount: Some(asset_amount(&lot.asset, lot.amount)),
        funding: funding(lot.funding),
        source: (&lot.source).into(),
        priority: lot.priority,
        expires_after: planned.expires_after_us.map(super::duration),
        scope: scope(lot),
        cost_basis: cost_basis(lot),
        with_period: planned.with_period,
    }
}

fn purpose(book: &str, purpose: &Purpose) -> v1::PaymentPurpose {
    use v1::payment_purpose::Purpose as Said;
    let said = match purpose {
        Purpose::TopUp(amount) => Said::TopUp(money(amount)),
        Purpose::Package { package, currency } => Said::Package(v1::PackagePurchase {
            package: package.into(),
            currency: currency.into(),
        }),
        Purpose::Subscription {
            plan,
            currency,
            upgrade_of,
        } => Said::Subscription(v1::SubscriptionPurchase {
            plan: plan.into(),
            currency: currency.into(),
            upgrade_of: event_name(book, upgrade_of.unwrap_or(0)),
        }),
        Purpose::Renewal { subscription } => Said::Renewal(v1::SubscriptionRenewal {
            subscription: event_name(book, *subscription),
        }),
    };
    v1::PaymentPurpose {
        purpose: Some(said),
    }
}

fn provider_ids(ids: &[ProviderId]) -> Vec<v1::ProviderId> {
    let id = |id: &ProviderId| v1::ProviderId {
        kind: (&id.kind).into(),
        id: (&id.id).into(),
    };
    ids.iter().map(id).collect()
}

/// What is owed, or is no longer.
pub(super) fn debts(debts: &[Debt]) -> Vec<v1::Debt> {
    let debt = |debt: &Debt| v1::Debt {
        lot: number(debt.lot),
        amount: Some(asset_amount(&debt.asset, debt.amount)),
    };
    debts.iter().map(debt).collect()
}

fn status_number(status: PaymentStatus) -> i32 {
    let message = match status {
        PaymentStatus::Created => v1::PaymentStatus::Created,
        PaymentStatus::Pending => v1::PaymentStatus::Pending,
        PaymentStatus::WaitingForCapture => v1::PaymentStatus::WaitingForCapture,
        PaymentStatus::Succeeded => v1::PaymentStatus::Succeeded,
        PaymentStatus::Canceled => v1::PaymentStatus::Canceled,
    };
    message.into()
}

/// How a payment stands, with what has been paid back.
fn payment_status(payment: &PaymentRecord) -> v1::PaymentStatus {
    let refunded = payment.refunded();
    let whole = payment.amount.amount;
    match payment.status {
        PaymentStatus::Created => v1::PaymentStatus::Created,
        PaymentStatus::Pending => v1::PaymentStatus::Pending,
        PaymentStatus::WaitingForCapture => v1::PaymentStatus::WaitingForCapture,
        PaymentStatus::Succeeded if refunded >= whole => v1::PaymentStatus::Refunded,
        PaymentStatus::Succeeded if refunded > 0 => v1::PaymentStatus::PartiallyRefunded,
        PaymentStatus::Succeeded => v1::PaymentStatus::Succeeded,
        PaymentStatus::Canceled => v1::PaymentStatus::Canceled,
    }
}

fn anomaly_kind(kind: AnomalyKind) -> i32 {
    let message = match kind {
        AnomalyKind::AmountDiffers => v1::PaymentAnomalyKind::AmountDiffers,
        AnomalyKind::ProviderDiffers => v1::PaymentAnomalyKind::ProviderDiffers,
        AnomalyKind::CanceledAfterSuccess => v1::PaymentAnomalyKind::CanceledAfterSuccess,
        AnomalyKind::SucceededAfterCancel => v1::PaymentAnomalyKind::SucceededAfterCancel,
        AnomalyKind::RefundOfUnpaid => v1::PaymentAnomalyKind::RefundOfUnpaid,
        AnomalyKind::RefundExceedsPayment => v1::PaymentAnomalyKind::RefundExceedsPayment,
        AnomalyKind::RefundFailedAfterDone => v1::PaymentAnomalyKind::RefundFailedAfterDone,
        AnomalyKind::PeriodPaidTwice => v1::PaymentAnomalyKind::PeriodPaidTwice,
        AnomalyKind::PaidTwice => v1::PaymentAnomalyKind::PaidTwice,
    };
    message.into()
}

/// A payment, as its events tell, of which `first` is the first.
pub(in crate::grpc) fn payment(
    book: &str,
    first: &Recorded,
    payment: &PaymentRecord,
) -> v1::Payment {
    let is_created = matches!(first.event.payload, Payload::PaymentCreated(_));
    let is_paid = payment.status == PaymentStatus::Succeeded;
    let top_up = || Purpose::TopUp(payment.amount.clone());
    v1::Payment {
        name: event_name(book, payment.position),
        account: account_name(book, &first.event.account),
        provider: (&payment.provider).into(),
        merchant_account: (&payment.merchant_account).into(),
        purpose: Some(purpose(
            book,
            &payment.purpose.clone().unwrap_or_else(top_up),
        )),
        amount: Some(money(&payment.amount)),
        status: payment_status(payment).into(),
        provider_ids: provider_ids(&payment.provider_ids),
        income_amount: payment.income.as_ref().map(money),
        test: payment.test,
        cancellation_reason: or_empty(payment.cancellation_reason.as_ref()),
        create_time: Some(timestamp(payment.created_at)),
        update_time: Some(timestamp(payment.updated_at)),
        success_time: payment.succeeded_at.map(timestamp),
        gives: payment.gives.iter().map(planned).collect(),
        refunded_amount: payment.refunded(),
        refundable_amount: if is_paid { payment.refundable() } else { 0 },
        refunds: payment.refunds.iter().map(|it| refund(book, it)).collect(),
        anomalies: payment
            .anomalies
            .iter()
            .map(|it| anomaly_kind(*it))
            .collect(),
        idempotence_key: if is_created {
            idempotence_key(first)
        } else {
            String::new()
        },
    }
}

fn refund(book: &str, refund: &RefundRecord) -> v1::PaymentRefund {
    let status = match refund.end {
        None => v1::RefundStatus::Pending,
        Some(RefundEnd::Refunded) => v1::RefundStatus::Succeeded,
        Some(RefundEnd::Failed) => v1::RefundStatus::Failed,
    };
    v1::PaymentRefund {
        name: event_name(book, refund.position),
        amount: Some(money(&refund.amount)),
        status: status.into(),
        via: via(refund.via),
        provider_ids: provider_ids(&refund.provider_ids),
        document_number: or_empty(refund.document_number.as_ref()),
        create_time: Some(timestamp(refund.created_at)),
    }
}

fn via(via: RefundVia) -> i32 {
    match via {
        RefundVia::Provider => v1::RefundVia::Provider.into(),
        RefundVia::Outside => v1::RefundVia::Outside.into(),
    }
}

pub(in crate::grpc) fn create_payment(done: Done<'_>) -> Result<v1::CreatePaymentResponse, Status> {
    let (recorded, created) = done.get(pick!(PaymentCreated))?;
    Ok(v1::CreatePaymentResponse {
        result: result(done),
        payment: event_name(done.book, recorded.event.position),
        amount: Some(money(&created.amount)),
        idempotence_key: idempotence_key(recorded),
    })
}

pub(in crate::grpc) fn start_subscription(
    done: Done<'_>,
) -> Result<v1::StartSubscriptionResponse, Status> {
    let v1::CreatePaymentResponse {
        result,
        payment,
        amount,
        idempotence_key,
    } = create_payment(done)?;
    Ok(v1::StartSubscriptionResponse {
        result,
        payment,
        amount,
        idempotence_key,
    })
}

pub(in crate::grpc) fn record_payment(done: Done<'_>) -> Result<v1::RecordPaymentResponse, Status> {
    let about = |recorded: &Recorded| recorded.event.payload.payment(recorded.event.position);
    let payment = done
        .find_event(about)
        .ok_or_else(|| status::incomplete("the payment of an answer"))?;
    Ok(v1::RecordPaymentResponse {
        result: result(done),
        payment: event_name(done.book, payment),
        anomaly: anomaly(done),
    })
}

pub(in crate::grpc) fn refund_payment(done: Done<'_>) -> Result<v1::RefundPaymentResponse, Status> {
    if let Some((recorded, started)) = done.find(pick!(PaymentRefundStarted)) {
        return Ok(v1::RefundPaymentResponse {
            result: result(done),
            refund: event_name(done.book, recorded.event.position),
            amount: Some(money(&started.amount)),
            idempotence_key: idempotence_key(recorded),
        });
    }
    let (recorded, refunded) = done.get(pick!(PaymentRefunded))?;
    Ok(v1::RefundPaymentResponse {
        result: result(done),
        refund: event_name(done.book, recorded.event.position),
        amount: Some(money(&refunded.amount)),
        idempotence_key: String::new(),
    })
}

pub(in crate::grpc) fn record_refund(done: Done<'_>) -> v1::RecordRefundResponse {
    let about = |recorded: &Recorded| match &recorded.event.payload {
        Payload::PaymentRefunded(refunded) => {
            Some(refunded.refund.unwrap_or(recorded.event.position))
        }
        Payload::PaymentRefundFailed(failed) => Some(failed.refund),
        _ => None,
    };
    v1::RecordRefundResponse {
        result: result(done),
        refund: event_name(done.book, done.find_event(about).unwrap_or(0)),
        anomaly: anomaly(done),
    }
}

fn anomaly(done: Done<'_>) -> i32 {
    done.find(pick!(PaymentAnomaly))
        .map_or(0, |(_, anomaly)| anomaly_kind(anomaly.kind))
}

/// A key that only this event has: an RFC 9562 UUID of version 8 from its hash.
fn idempotence_key(recorded: &Recorded) -> String {
    let (Some(bytes), true) = (recorded.hash.first_chunk(), recorded.event.position > 0) else {
        return String::new();
    };
    uuid::Builder::from_custom_bytes(*bytes)
        .into_uuid()
        .to_string()
}
