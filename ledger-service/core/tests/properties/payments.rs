//! Random payments: asked for, said of, and paid back.

use ledger_core::{
    Command, Event, Money, Name, Payload, Record,
    command::{
        CancelSubscription, CreatePayment, RecordPayment, RecordRefund, RefundPayment,
        ResumeSubscription, Target,
    },
    event::ProviderId,
    payment::{PaymentStatus, Purpose, RefundStatus, RefundVia},
    record::{PaymentRecord, Subject},
};
use proptest::{
    prelude::{Strategy, any, prop_oneof},
    sample::select,
};

use crate::driver::Ledger;

/// What is asked of a payment. An index stands for one of those that there are,
/// counted from the latest.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    Create(Option<&'static str>, i64),
    /// A success that nobody created.
    Direct(i64, bool),
    Say {
        index: usize,
        status: PaymentStatus,
        more: i64,
        named: bool,
    },
    Back {
        index: usize,
        part: Option<i64>,
        outside: bool,
    },
    Said {
        index: usize,
        refund: usize,
        status: RefundStatus,
        part: i64,
        named: bool,
    },
    Subscribe(&'static str),
    /// About a subscription, counted from the latest.
    About(usize, Period),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Period {
    Renew,
    Cancel,
    Resume,
}

pub(crate) fn ask() -> impl Strategy<Value = Ask> {
    use PaymentStatus::{Canceled, Pending, Succeeded, WaitingForCapture};
    let package = select(vec![None, Some("few"), Some("owed"), Some("mixed")]);
    let statuses = vec![
        Pending,
        WaitingForCapture,
        Succeeded,
        Succeeded,
        Succeeded,
        Canceled,
    ];
    let ends = vec![RefundStatus::Succeeded, RefundStatus::Failed];
    let periods = vec![
        Period::Renew,
        Period::Renew,
        Period::Cancel,
        Period::Resume,
        Period::Resume,
        Period::Resume,
    ];
    prop_oneof![
        3 => select(vec!["daily", "daily", "queued"]).prop_map(Ask::Subscribe),
        9 => (0..2_usize, select(periods)).prop_map(|(index, period)| Ask::About(index, period)),
        3 => (package, 1..300_i64).prop_map(|(package, amount)| Ask::Create(package, amount)),
        2 => (1..300_i64, any::<bool>()).prop_map(|(amount, test)| Ask::Direct(amount, test)),
        5 => (0..3_usize, select(statuses), select(vec![0, 0, 0, 0, 0, 1]), any::<bool>())
            .prop_map(|(index, status, more, named)| Ask::Say { index, status, more, named }),
        9 => (0..3_usize, proptest::option::of(1..150_i64), any::<bool>())
            .prop_map(|(index, part, outside)| Ask::Back { index, part, outside }),
        14 => (0..3_usize, 0..2_usize, select(ends), 1..150_i64, any::<bool>()).prop_map(
            |(index, refund, status, part, named)| Ask::Said { index, refund, status, part, named }
        ),
    ]
}

/// The command, and whose it is; nothing if there is no such payment.
pub(crate) fn asked(ledger: &Ledger, account: &str, ask: &Ask) -> Option<(Name, Command)> {
    let rub = |amount| Money {
        currency: "RUB".into(),
        amount,
    };
    match ask {
        Ask::Create(package, amount) => {
            let purpose = match package {
                Some(package) => Purpose::Package {
                    package: (*package).into(),
                    currency: "RUB".into(),
                },
                None => Purpose::TopUp(rub(*amount)),
            };
            let command = Command::CreatePayment(CreatePayment {
                provider: "yookassa".into(),
                merchant_account: "shop".into(),
                purpose,
                automatic: false,
            });
            Some((account.into(), command))
        }
        Ask::Subscribe(plan) => {
            let mut said = said(&format!("d{}", ledger.events.len()), rub(90));
            said.purpose = Some(Purpose::Subscription {
                plan: (*plan).into(),
                currency: "RUB".into(),
                upgrade_of: None,
            });
            Some((account.into(), Command::RecordPayment(said)))
        }
        Ask::About(index, period) => about(ledger, *index, *period),
        Ask::Direct(amount, test) => {
            let mut said = said(&format!("d{}", ledger.events.len()), rub(*amount));
            said.test = *test;
            Some((account.into(), Command::RecordPayment(said)))
        }
        Ask::Say {
            index,
            status,
            more,
            named,
        } => {
            let (account, payment) = found(ledger, *index)?;
            let amount = rub(payment.amount.amount + more);
            let mut said = said(&format!("p{}", payment.position), amount);
            said.status = *status;
            said.income_amount = (!named).then(|| rub(payment.amount.amount - 1));
            said.payment = named.then_some(Target::Position(payment.position));
            Some((account, Command::RecordPayment(said)))
        }
        Ask::Back {
            index,
            part,
            outside,
        } => {
            let (account, payment) = found(ledger, *index)?;
            let command = Command::RefundPayment(RefundPayment {
                payment: Target::Position(payment.position),
                amount: *part,
                via: if *outside {
                    RefundVia::Outside
                } else {
                    RefundVia::Provider
                },
                document_number: outside.then(|| "17".into()),
            });
            Some((account, command))
        }
        Ask::Said {
            index,
            refund,
            status,
            part,
            named,
        } => {
            let (account, payment) = found(ledger, *index)?;
            let begun = payment.refunds.iter().rev().nth(*refund);
            let id = begun.map_or(ledger.next_position(), |begun| begun.position);
            let amount = begun.map_or(*part, |begun| begun.amount.amount);
            let command = Command::RecordRefund(RecordRefund {
                provider: "yookassa".into(),
                merchant_account: "shop".into(),
                payment: Some(Target::Position(payment.position)),
                payment_id: None,
                refund: begun.filter(|_| *named).map(|begun| begun.position),
                provider_ids: vec![ProviderId {
                    kind: "refund".into(),
                    id: format!("r{id}").into(),
                }],
                amount: rub(amount),
                status: *status,
                failure_reason: None,
            });
            Some((account, command))
        }
    }
}

fn about(ledger: &Ledger, index: usize, period: Period) -> Option<(Name, Command)> {
    let mut started = ledger
        .events
        .iter()
        .rev()
        .filter(|event| matches!(event.payload, Payload::SubscriptionStarted(_)));
    let event = started.nth(index)?;
    let subscription = event.position;
    let command = match period {
        Period::Renew => Command::CreatePayment(CreatePayment {
            provider: "yookassa".into(),
            merchant_account: "shop".into(),
            purpose: Purpose::Renewal { subscription },
            automatic: false,
        }),
        Period::Cancel => Command::CancelSubscription(CancelSubscription { subscription }),
        Period::Resume => Command::ResumeSubscription(ResumeSubscription { subscription }),
    };
    Some((event.account.clone(), command))
}

fn said(id: &str, amount: Money) -> RecordPayment {
    RecordPayment {
        provider: "yookassa".into(),
        merchant_account: "shop".into(),
        provider_ids: vec![ProviderId {
            kind: "payment".into(),
            id: id.into(),
        }],
        amount,
        income_amount: None,
        test: false,
        status: PaymentStatus::Succeeded,
        payment: None,
        purpose: None,
        cancellation_reason: None,
    }
}

fn found(ledger: &Ledger, index: usize) -> Option<(Name, PaymentRecord)> {
    let mut records = ledger.events.iter().rev().filter_map(|event| {
        let record = Record::of(event)?;
        matches!(record.subject, Subject::Payment(_)).then_some(event)
    });
    let first = records.nth(index)?;
    Some((first.account.clone(), record(&ledger.events, first)?))
}

fn record(events: &[Event], first: &Event) -> Option<PaymentRecord> {
    let mut record = Record::of(first)?;
    for event in events {
        record.follow(event);
    }
    match record.subject {
        Subject::Payment(payment) => Some(*payment),
        _ => None,
    }
}

/// What the whole log says of each payment: never more paid back, or on its way
/// back, than was paid; of no lot more taken than it gave; of a running refund
/// everything is reserved in its account.
pub(crate) fn audit(ledger: &Ledger) {
    for first in &ledger.events {
        let Some(payment) = record(&ledger.events, first) else {
            continue;
        };
        assert!(payment.refundable() >= 0, "{payment:#?}");
        for lot in &payment.lots {
            assert!((0..=lot.amount).contains(&lot.taken), "{payment:#?}");
            assert!((0..=lot.basis).contains(&lot.taken_basis), "{payment:#?}");
            assert!(lot.rest() > 0 || lot.rest_basis() == 0, "{payment:#?}");
        }
        let account = ledger.account(&first.account);
        for refund in &payment.refunds {
            let is_open = account.open_refund(refund.position).is_some();
            assert_eq!(is_open, refund.end.is_none(), "{payment:#?}");
        }
        let paid = ledger.events.iter().filter(|event| {
            let payload = &event.payload;
            matches!(payload, Payload::PaymentSucceeded(_))
                && payload.payment(event.position) == Some(payment.position)
        });
        assert!(paid.count() <= 1, "a payment gives once: {payment:#?}");
    }
}
