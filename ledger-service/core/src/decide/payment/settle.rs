//! What a provider says of a payment.
//!
//! | known \ said | pending | waiting for capture | succeeded | canceled |
//! |---|---|---|---|---|
//! | nothing | not found | not found | succeeds | not found |
//! | created | pending | waiting | succeeds | canceled |
//! | pending | recorded | waiting | succeeds | canceled |
//! | waiting | recorded | recorded | succeeds | canceled |
//! | succeeded | recorded | recorded | recorded, or its fee | anomaly |
//! | canceled | recorded | recorded | succeeds, and anomaly | recorded |
//!
//! "Recorded" is the refusal `PAYMENT_ALREADY_RECORDED`, unless ids are new. A
//! payment of another amount, or at another provider or merchant account, than
//! was created is an anomaly in every row.

use super::{Decided, Said, already_recorded, anomaly, of_account, plan};
use crate::{
    command::RecordPayment,
    decide::{
        Party,
        charge::{check_amount, check_price},
        grant::{Giving, push_grants},
        subscription::Turn,
        work::Work,
    },
    event::{
        AnomalyKind, PaidPeriod, Payload, PaymentAnomaly, PaymentCanceled, PaymentFeeRecorded,
        PaymentStatusRecorded, PaymentSucceeded, PlannedLot, ProviderId, ProviderIds,
    },
    payment::{PaymentStatus, Purpose},
    record::{PaymentRecord, Record},
    rejection::Rejection,
};

/// What something that a provider says does to a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Nothing,
    Progress,
    Succeed,
    SucceedAfterCancel,
    Cancel,
    CanceledAfterSuccess,
}

const fn step(known: PaymentStatus, said: PaymentStatus) -> Step {
    use PaymentStatus::{Canceled, Created, Pending, Succeeded, WaitingForCapture};
    match (known, said) {
        (Created, Pending) | (Created | Pending, WaitingForCapture) => Step::Progress,
        (Created | Pending | WaitingForCapture, Succeeded) => Step::Succeed,
        (Canceled, Succeeded) => Step::SucceedAfterCancel,
        (Created | Pending | WaitingForCapture, Canceled) => Step::Cancel,
        (Succeeded, Canceled) => Step::CanceledAfterSuccess,
        (_, Created)
        | (Pending | WaitingForCapture | Succeeded | Canceled, Pending)
        | (WaitingForCapture | Succeeded | Canceled, WaitingForCapture)
        | (Succeeded, Succeeded)
        | (Canceled, Canceled) => Step::Nothing,
    }
}

pub(in crate::decide) fn record(
    work: Work<'_>,
    said: &RecordPayment,
    record: Option<&Record>,
) -> Result<Vec<Decided>, Rejection> {
    if record.is_none() && said.payment.is_none() && said.status == PaymentStatus::Succeeded {
        return record_unknown(work, said);
    }
    check_income(said)?;
    let payment = of_account(&work, record)?;
    if !of(said).is_of(payment) {
        return odd(work, payment, AnomalyKind::ProviderDiffers, said);
    }
    let step = step(payment.status, said.status);
    let is_paid = matches!(
        said.status,
        PaymentStatus::Succeeded | PaymentStatus::WaitingForCapture
    );
    if is_paid && step != Step::Nothing && said.amount != payment.amount {
        return odd(work, payment, AnomalyKind::AmountDiffers, said);
    }
    match step {
        Step::Nothing => add_to(work, payment, said),
        Step::Progress => progress(work, payment, said, said.status),
        Step::Succeed | Step::SucceedAfterCancel => succeed(work, payment, said, step),
        Step::Cancel => cancel(work, payment, said),
        Step::CanceledAfterSuccess => odd(work, payment, AnomalyKind::CanceledAfterSuccess, said),
    }
}

const fn of(said: &RecordPayment) -> Said<'_> {
    Said {
        provider: &said.provider,
        merchant_account: &said.merchant_account,
        ids: said.provider_ids.as_slice(),
    }
}

fn odd(
    work: Work<'_>,
    payment: &PaymentRecord,
    kind: AnomalyKind,
    said: &RecordPayment,
) -> Result<Vec<Decided>, Rejection> {
    anomaly(work, payment, kind, &said.amount, of(said))
}

/// Ids or a fee that became known late; nothing else is new.
fn add_to(
    mut work: Work<'_>,
    payment: &PaymentRecord,
    said: &RecordPayment,
) -> Result<Vec<Decided>, Rejection> {
    let is_second = |id: &ProviderId| id.kind == "payment";
    let unknown = payment.unknown_ids(&said.provider_ids);
    if said.status == PaymentStatus::Succeeded
        && payment.status == PaymentStatus::Succeeded
        && payment.provider_ids.iter().any(is_second)
        && unknown.iter().any(is_second)
    {
        return odd(work, payment, AnomalyKind::PaidTwice, said);
    }
    let has_new_ids = !payment.unknown_ids(&said.provider_ids).is_empty();
    // Of what is said late, the success alone knows the fee.
    let is_paid =
        payment.status == PaymentStatus::Succeeded && said.status == PaymentStatus::Succeeded;
    let fee = said
        .income_amount
        .as_ref()
        .filter(|income| is_paid && payment.income.as_ref() != Some(income));
    if let Some(income) = fee {
        work.push(
            Party::Own,
            Payload::PaymentFeeRecorded(PaymentFeeRecorded {
                payment: payment.position,
                income: income.clone(),
            }),
        );
    }
    if has_new_ids {
        return progress(work, payment, said, payment.status);
    }
    if fee.is_none() {
        return Err(already_recorded(&work, payment, &said.provider_ids));
    }
    Ok(work.finish())
}

fn progress(
    mut work: Work<'_>,
    payment: &PaymentRecord,
    said: &RecordPayment,
    status: PaymentStatus,
) -> Result<Vec<Decided>, Rejection> {
    work.push(
        Party::Own,
        Payload::PaymentStatusRecorded(PaymentStatusRecorded {
            payment: payment.position,
            status,
            provider_ids: of(said).unknown_to(payment),
        }),
    );
    Ok(work.finish())
}

fn cancel(
    mut work: Work<'_>,
    payment: &PaymentRecord,
    said: &RecordPayment,
) -> Result<Vec<Decided>, Rejection> {
    work.push(
        Party::Own,
        Payload::PaymentCanceled(PaymentCanceled {
            payment: payment.position,
            provider_ids: of(said).unknown_to(payment),
            reason: said.cancellation_reason.clone(),
        }),
    );
    Ok(work.finish())
}

/// The success of a payment that was created: it gives what was said then.
fn succeed(
    work: Work<'_>,
    payment: &PaymentRecord,
    said: &RecordPayment,
    step: Step,
) -> Result<Vec<Decided>, Rejection> {
    let event = PaymentSucceeded {
        payment: Some(payment.position),
        purpose: payment.purpose.clone(),
        refund: payment.refund,
        is_limited: payment.is_limited,
        provider_ids: payment.unknown_ids(&said.provider_ids),
        ..succeeded(said)
    };
    let is_odd = step == Step::SucceedAfterCancel;
    let odd = is_odd.then_some(AnomalyKind::SucceededAfterCancel);
    let period = payment.period.as_ref();
    give(work, event, (payment.position, &payment.gives, period), odd)
}

/// The success of a payment that nobody has created: a top-up, unless the caller
/// says what it is for.
fn record_unknown(work: Work<'_>, said: &RecordPayment) -> Result<Vec<Decided>, Rejection> {
    let top_up = Purpose::TopUp(said.amount.clone());
    let purpose = said.purpose.as_ref().unwrap_or(&top_up);
    let (catalog, account) = (work.context.catalog, work.account());
    let plan = plan::paid(catalog, account, purpose, &said.amount)?;
    check_amount(said.amount.amount)?;
    check_income(said)?;
    if plan.amount != said.amount {
        return Err(Rejection::PaymentAmountDiffers {
            currency: (&plan.amount.currency).into(),
            amount: said.amount.amount,
            expected: plan.amount.amount,
        });
    }
    let event = PaymentSucceeded {
        purpose: said.purpose.clone(),
        refund: plan.refund,
        is_limited: plan.is_limited,
        ..succeeded(said)
    };
    let position = work.next_position();
    give(
        work,
        event,
        (position, &plan.gives, plan.period.as_ref()),
        None,
    )
}

/// The success itself, what it does to subscriptions, and the lots.
fn give(
    mut work: Work<'_>,
    event: PaymentSucceeded,
    (payment, gives, period): (u64, &[PlannedLot], Option<&PaidPeriod>),
    odd: Option<AnomalyKind>,
) -> Result<Vec<Decided>, Rejection> {
    let (amount, context) = (event.amount.clone(), work.context);
    let account = work.own.account.clone();
    let turn = period.map(|period| (period, Turn::of(&account, period, context)));
    let is_twice = matches!(turn, Some((_, Turn::Twice)));
    let (is_given, until) = match &turn {
        Some((_, turn)) => (turn.gives_until().is_some(), turn.gives_until()),
        None => (true, None),
    };
    let gives_now = if is_given { gives } else { &[] };
    let giving = Giving::of_payment(&mut work, gives_now, payment, until);
    giving.check_balances(&work)?;
    // From here on nothing fails.
    work.push(Party::Own, Payload::PaymentSucceeded(event));
    let mut subscription = None;
    if let Some((period, turn)) = turn {
        let at = (context, work.next_position());
        let (events, id) = turn.events(&account, period, gives, (payment, &amount), at);
        subscription = id;
        for event in events {
            work.push(Party::Own, event);
        }
    }
    push_grants(&mut work, giving.of_subscription(subscription));
    let twice = is_twice.then_some(AnomalyKind::PeriodPaidTwice);
    for kind in odd.into_iter().chain(twice) {
        let anomaly = PaymentAnomaly {
            payment,
            kind,
            amount: amount.clone(),
            provider_ids: ProviderIds::default(),
        };
        work.push(Party::Own, Payload::PaymentAnomaly(anomaly));
    }
    Ok(work.finish())
}

fn check_income(said: &RecordPayment) -> Result<(), Rejection> {
    match &said.income_amount {
        Some(income) => check_price(income.amount),
        None => Ok(()),
    }
}

fn succeeded(said: &RecordPayment) -> PaymentSucceeded {
    PaymentSucceeded {
        provider: said.provider.clone(),
        merchant_account: said.merchant_account.clone(),
        provider_ids: said.provider_ids.clone(),
        amount: said.amount.clone(),
        income: said.income_amount.clone(),
        test: said.test,
        payment: None,
        purpose: None,
        refund: crate::catalog::PaymentRefundPolicy::default(),
        is_limited: false,
    }
}

#[cfg(test)]
mod tests {
    use super::{Step, step};
    use crate::payment::PaymentStatus::{
        self, Canceled, Created, Pending, Succeeded, WaitingForCapture,
    };

    /// The table at the top, whole.
    #[test]
    fn every_cell_of_the_table_is_as_it_says() {
        use Step::{Cancel, CanceledAfterSuccess, Nothing, Progress, Succeed, SucceedAfterCancel};
        let said = [Pending, WaitingForCapture, Succeeded, Canceled];
        let table: [(PaymentStatus, [Step; 4]); 5] = [
            (Created, [Progress, Progress, Succeed, Cancel]),
            (Pending, [Nothing, Progress, Succeed, Cancel]),
            (WaitingForCapture, [Nothing, Nothing, Succeed, Cancel]),
            (Succeeded, [Nothing, Nothing, Nothing, CanceledAfterSuccess]),
            (Canceled, [Nothing, Nothing, SucceedAfterCancel, Nothing]),
        ];
        for (known, row) in table {
            for (said, wanted) in said.into_iter().zip(row) {
                assert_eq!(step(known, said), wanted, "{known:?}, {said:?}");
            }
        }
    }
}
