//! What is said of payments, in events and commands.

use ledger_core::{
    Command, Money, Payload, RequestId,
    catalog::PaymentRefundPolicy,
    command::{CreatePayment, RecordPayment, RecordRefund, RefundPayment, Target},
    event::{
        AnomalyKind, Credited, Debt, PaymentAnomaly, PaymentCanceled, PaymentCreated,
        PaymentFeeRecorded, PaymentRefundFailed, PaymentRefundStarted, PaymentRefunded,
        PaymentStatusRecorded, PaymentSucceeded, PlannedLot, ProviderId, ProviderIds, Refunded,
    },
    payment::{PaymentStatus, Purpose, RefundStatus, RefundVia},
};

use super::{driver, full_lot, plain_lot};

fn money(amount: i64) -> Money {
    Money {
        currency: "RUB".into(),
        amount,
    }
}

fn id(kind: &str) -> ProviderId {
    ProviderId {
        kind: kind.into(),
        id: "22e1".into(),
    }
}

fn provider_ids(kind: &str) -> ProviderIds {
    ProviderIds {
        provider: "yookassa".into(),
        merchant_account: "506751".into(),
        ids: vec![id(kind)],
        known: Vec::new(),
    }
}

fn package() -> Purpose {
    Purpose::Package {
        package: "optimal".into(),
        currency: "RUB".into(),
    }
}

fn debt() -> Debt {
    Debt {
        lot: 300,
        asset: "RUB".into(),
        amount: 7,
        basis: 6,
    }
}

/// A payment that nobody has created.
pub(crate) fn succeeded_at_once() -> Payload {
    let money = |amount| Money {
        currency: "RUB".into(),
        amount,
    };
    Payload::PaymentSucceeded(PaymentSucceeded {
        provider: "yookassa".into(),
        merchant_account: "506751".into(),
        provider_ids: vec![ProviderId {
            kind: "payment".into(),
            id: "22e12f66".into(),
        }],
        amount: money(30_000),
        income: Some(money(28_950)),
        test: true,
        payment: None,
        purpose: None,
        refund: PaymentRefundPolicy::default(),
        is_limited: false,
    })
}

/// Each with its name.
pub(crate) fn events() -> Vec<(&'static str, Payload)> {
    let planned = |lot, expires_after_us| PlannedLot {
        lot,
        expires_after_us,
        with_period: false,
    };
    let created = PaymentCreated {
        provider: "yookassa".into(),
        merchant_account: "506751".into(),
        purpose: package(),
        amount: money(39_900),
        gives: vec![
            planned(full_lot(), Some(30 * driver::DAY)),
            planned(plain_lot(), None),
        ],
        refund: PaymentRefundPolicy::LeaveDeficit,
        is_limited: true,
        period: None,
        automatic_until: Some(super::LATER),
    };
    let succeeded = PaymentSucceeded {
        provider: "yookassa".into(),
        merchant_account: "506751".into(),
        provider_ids: vec![id("payment")],
        amount: money(39_900),
        income: None,
        test: false,
        payment: Some(990),
        purpose: Some(package()),
        refund: PaymentRefundPolicy::TakeWhatIsLeft,
        is_limited: true,
    };
    vec![
        ("PaymentCreated", Payload::PaymentCreated(created)),
        (
            "PaymentStatusRecorded",
            Payload::PaymentStatusRecorded(PaymentStatusRecorded {
                payment: 990,
                status: PaymentStatus::WaitingForCapture,
                provider_ids: provider_ids("payment"),
            }),
        ),
        (
            "payment_succeeded_after_it_was_created",
            Payload::PaymentSucceeded(succeeded),
        ),
        (
            "PaymentCanceled",
            Payload::PaymentCanceled(PaymentCanceled {
                payment: 990,
                provider_ids: ProviderIds::default(),
                reason: Some("provider_refused".into()),
            }),
        ),
        (
            "PaymentFeeRecorded",
            Payload::PaymentFeeRecorded(PaymentFeeRecorded {
                payment: 990,
                income: money(38_304),
            }),
        ),
        (
            "PaymentRefundStarted",
            Payload::PaymentRefundStarted(PaymentRefundStarted {
                payment: 990,
                amount: money(39_900),
                parts: vec![full_lot()],
                missing: vec![debt()],
            }),
        ),
        (
            "PaymentRefunded",
            Payload::PaymentRefunded(PaymentRefunded {
                payment: 990,
                refund: Some(995),
                amount: money(39_900),
                via: RefundVia::Outside,
                provider_ids: provider_ids("refund"),
                document_number: Some("17/2".into()),
                reserved: vec![full_lot()],
                parts: vec![plain_lot()],
                debts: vec![debt()],
                test: true,
            }),
        ),
        (
            "PaymentRefundFailed",
            Payload::PaymentRefundFailed(PaymentRefundFailed {
                payment: 990,
                refund: 995,
                reason: Some("insufficient_funds".into()),
                parts: vec![full_lot()],
                graced: vec![300],
                settled: vec![debt()],
                provider_ids: ProviderIds::default(),
            }),
        ),
        (
            "payment_refund_failed_with_ids",
            Payload::PaymentRefundFailed(PaymentRefundFailed {
                payment: 990,
                refund: 995,
                reason: None,
                parts: Vec::new(),
                graced: Vec::new(),
                settled: Vec::new(),
                provider_ids: ProviderIds {
                    known: vec![id("refund")],
                    ..provider_ids("charge")
                },
            }),
        ),
        (
            "PaymentAnomaly",
            Payload::PaymentAnomaly(PaymentAnomaly {
                payment: 990,
                kind: AnomalyKind::SucceededAfterCancel,
                amount: money(1),
                provider_ids: provider_ids("payment"),
            }),
        ),
        (
            "credited_settling_a_debt",
            Payload::Credited(Credited {
                lot: full_lot(),
                settled: vec![debt()],
                ..Credited::default()
            }),
        ),
        (
            "refunded_settling_a_debt",
            Payload::Refunded(Refunded {
                charge: 990,
                settled: vec![debt()],
                ..Refunded::default()
            }),
        ),
    ]
}

/// Each with its name.
pub(crate) fn commands() -> Vec<(&'static str, Command)> {
    let target = || Target::Request(RequestId([7; 16]));
    vec![
        (
            "CreatePayment",
            Command::CreatePayment(CreatePayment {
                provider: "yookassa".into(),
                merchant_account: "506751".into(),
                purpose: Purpose::TopUp(money(30_000)),
                automatic: true,
            }),
        ),
        (
            "record_payment_canceled",
            Command::RecordPayment(RecordPayment {
                provider: "yookassa".into(),
                merchant_account: "506751".into(),
                provider_ids: vec![id("payment")],
                amount: money(30_000),
                income_amount: None,
                test: false,
                status: PaymentStatus::Canceled,
                payment: Some(target()),
                purpose: Some(package()),
                cancellation_reason: Some("card_expired".into()),
            }),
        ),
        (
            "RefundPayment",
            Command::RefundPayment(RefundPayment {
                payment: target(),
                amount: Some(3),
                via: RefundVia::Outside,
                document_number: Some("17/2".into()),
            }),
        ),
        (
            "RecordRefund",
            Command::RecordRefund(RecordRefund {
                provider: "yookassa".into(),
                merchant_account: "506751".into(),
                payment: Some(target()),
                payment_id: Some("22e1".into()),
                refund: Some(995),
                provider_ids: vec![id("refund")],
                amount: money(30_000),
                status: RefundStatus::Failed,
                failure_reason: Some("rejected_by_payee".into()),
            }),
        ),
    ]
}
