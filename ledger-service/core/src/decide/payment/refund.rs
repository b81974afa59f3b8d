//! Paying a payment back: begun by us and settled as its provider says, or
//! found at the provider, or done outside of it.
//!
//! | refund known \ provider says | succeeded | failed |
//! |---|---|---|
//! | running | refunded | failed: what was reserved is back |
//! | refunded | recorded | anomaly |
//! | failed, or none | refunded at once | no such refund |
//!
//! A refund is known by every id that its provider gave to it, so that what is
//! said twice of it is not taken to be about another one.
//!
//! "Recorded" is the refusal `REFUND_ALREADY_RECORDED`. A refund of a payment
//! that has not succeeded, or of more than was paid, is an anomaly.

use super::{
    Decided, Said, anomaly, of_account,
    take::{Leftovers, Taking},
};
use crate::{
    account::Account,
    catalog::PaymentRefundPolicy,
    command::{RecordRefund, RefundPayment},
    decide::{
        Party, charge::check_amount, returns::Returns, subscription::ended_by_refund, work::Work,
    },
    event::{
        AnomalyKind, Debt, Payload, PaymentRefundFailed, PaymentRefundStarted, PaymentRefunded,
        ProviderIds,
    },
    limits::OPEN_REFUNDS_MAX,
    payment::{PaymentStatus, RefundStatus, RefundVia},
    primitives::{Money, basis_share},
    record::{PaymentRecord, Record, RefundEnd, RefundRecord},
    rejection::Rejection,
};

/// Begins a refund, or records one that was done outside of the provider. Here
/// the catalog's policy refuses.
pub(in crate::decide) fn refund(
    mut work: Work<'_>,
    refund: &RefundPayment,
    record: Option<&Record>,
) -> Result<Vec<Decided>, Rejection> {
    if let Some(amount) = refund.amount {
        check_amount(amount)?;
    }
    let payment = of_account(&work, record)?;
    if payment.status != PaymentStatus::Succeeded {
        return Err(Rejection::PaymentNotSucceeded {
            payment: payment.position,
            status: payment.status,
        });
    }
    let leftovers = Leftovers::new(work.account(), payment, work.context);
    let amount = allowed(payment, &leftovers, refund.amount)?;
    let Taking { parts, missing } = leftovers.take(amount);
    let amount = Money {
        currency: payment.amount.currency.clone(),
        amount,
    };
    if refund.via == RefundVia::Outside {
        let refunded = PaymentRefunded {
            payment: payment.position,
            refund: None,
            amount,
            via: RefundVia::Outside,
            provider_ids: ProviderIds::default(),
            document_number: refund.document_number.clone(),
            reserved: Vec::new(),
            parts,
            debts: missing,
            test: payment.test,
        };
        return Ok(pay_back(work, payment, refunded));
    }
    if work.account().refunds.len() >= OPEN_REFUNDS_MAX {
        return Err(Rejection::TooManyRefunds {
            maximum: OPEN_REFUNDS_MAX,
        });
    }
    work.own.check_room(parts.len().max(1))?;
    // From here on nothing fails.
    let started = PaymentRefundStarted {
        payment: payment.position,
        amount,
        parts,
        missing,
    };
    work.push(Party::Own, Payload::PaymentRefundStarted(started));
    Ok(work.finish())
}

/// How much is paid back, by the payment's policy.
fn allowed(
    payment: &PaymentRecord,
    leftovers: &Leftovers<'_>,
    asked: Option<i64>,
) -> Result<i64, Rejection> {
    let refundable = payment.refundable();
    let most = match payment.refund {
        PaymentRefundPolicy::TakeWhatIsLeft => refundable.min(leftovers.value()),
        PaymentRefundPolicy::RefuseIfSpent if leftovers.is_spent() => 0,
        PaymentRefundPolicy::RefuseIfSpent | PaymentRefundPolicy::LeaveDeficit => refundable,
    };
    let currency = || (&payment.amount.currency).into();
    let amount = asked.unwrap_or(most);
    if refundable == 0 || amount > refundable {
        return Err(Rejection::RefundExceedsPayment {
            payment: payment.position,
            currency: currency(),
            amount: asked.unwrap_or(payment.amount.amount),
            refundable,
        });
    }
    if most == 0 || amount > most {
        return Err(Rejection::PaymentSpent {
            payment: payment.position,
            currency: currency(),
            amount: asked.unwrap_or(refundable),
            unspent: refundable.min(leftovers.value()),
        });
    }
    Ok(amount)
}

/// Records what a provider says of a refund.
pub(in crate::decide) fn record_refund(
    work: Work<'_>,
    said: &RecordRefund,
    record: Option<&Record>,
) -> Result<Vec<Decided>, Rejection> {
    check_amount(said.amount.amount)?;
    let payment = of_account(&work, record)?;
    if !of(said).is_of(payment) {
        return odd(work, payment, AnomalyKind::ProviderDiffers, said);
    }
    if payment.status != PaymentStatus::Succeeded {
        return odd(work, payment, AnomalyKind::RefundOfUnpaid, said);
    }
    let known = find(payment, said)?;
    match (known, said.status) {
        (Some(refund), _) if refund.end.is_none() => settle(work, payment, refund, said),
        (Some(refund), RefundStatus::Succeeded) if refund.end == Some(RefundEnd::Refunded) => {
            Err(Rejection::RefundAlreadyRecorded {
                payment: payment.position,
                refund: refund.position,
            })
        }
        (Some(refund), RefundStatus::Failed) if refund.end == Some(RefundEnd::Refunded) => {
            odd(work, payment, AnomalyKind::RefundFailedAfterDone, said)
        }
        (_, RefundStatus::Succeeded) => record_found(work, payment, said),
        (_, RefundStatus::Failed) => Err(Rejection::RefundNotFound),
    }
}

const fn of(said: &RecordRefund) -> Said<'_> {
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
    said: &RecordRefund,
) -> Result<Vec<Decided>, Rejection> {
    anomaly(work, payment, kind, &said.amount, of(said))
}

/// The refund that the provider speaks of: the one that the caller names, the
/// one that has its ids, or the one that runs with its amount. Which of two of
/// one amount it is makes no difference to what is taken.
fn find<'r>(
    payment: &'r PaymentRecord,
    said: &RecordRefund,
) -> Result<Option<&'r RefundRecord>, Rejection> {
    let has_id = |refund: &&RefundRecord| {
        let mut ids = said.provider_ids.iter();
        ids.any(|id| refund.provider_ids.contains(id))
    };
    // One that failed and was made after all is there twice: the latest.
    let by_id = payment.refunds.iter().rfind(has_id);
    let is_done = by_id.is_some_and(|refund| refund.end == Some(RefundEnd::Refunded));
    let mut refunds = payment.refunds.iter();
    if let Some(named) = said.refund.filter(|_| !is_done) {
        let found = refunds.find(|refund| refund.position == named);
        return found.map(Some).ok_or(Rejection::RefundNotFound);
    }
    let runs = |refund: &&RefundRecord| refund.end.is_none() && refund.amount == said.amount;
    Ok(by_id.or_else(|| refunds.find(runs)))
}

/// Ends a refund that runs.
fn settle(
    mut work: Work<'_>,
    payment: &PaymentRecord,
    refund: &RefundRecord,
    said: &RecordRefund,
) -> Result<Vec<Decided>, Rejection> {
    let open = work.account().open_refund(refund.position);
    let reserved = open.map(|open| open.parts.clone()).unwrap_or_default();
    if said.status == RefundStatus::Failed {
        let (account, catalog) = (work.account(), work.context.catalog);
        let mut returns = Returns::new(account, catalog, work.context.now);
        let parts = returns.all(reserved);
        let (graced, settled) = returns.end();
        let failed = PaymentRefundFailed {
            payment: payment.position,
            refund: refund.position,
            reason: said.failure_reason.clone(),
            parts,
            graced,
            settled,
            provider_ids: of(said).of_refund(payment),
        };
        work.push(Party::Own, Payload::PaymentRefundFailed(failed));
        return Ok(work.finish());
    }
    if said.amount != refund.amount {
        return odd(work, payment, AnomalyKind::AmountDiffers, said);
    }
    // Of what was not given yet when it began, nothing could be reserved.
    let Taking { parts, missing } = if reserved.is_empty() && refund.missing.is_empty() {
        Leftovers::new(work.account(), payment, work.context).take(said.amount.amount)
    } else {
        take_missing(work.account(), &refund.missing)
    };
    let refunded = PaymentRefunded {
        payment: payment.position,
        refund: Some(refund.position),
        amount: said.amount.clone(),
        via: RefundVia::Provider,
        provider_ids: of(said).of_refund(payment),
        document_number: None,
        reserved,
        parts,
        debts: missing,
        test: payment.test,
    };
    Ok(pay_back(work, payment, refunded))
}

/// The money is back. A subscription whose period it paid for ends, if all of it
/// is.
fn pay_back(
    mut work: Work<'_>,
    payment: &PaymentRecord,
    refunded: PaymentRefunded,
) -> Vec<Decided> {
    let back = payment.refunded().saturating_add(refunded.amount.amount);
    let is_whole = back >= payment.amount.amount;
    let ended = is_whole.then(|| ended_by_refund(work.account(), payment.position));
    work.push(Party::Own, Payload::PaymentRefunded(refunded));
    if let Some(ended) = ended.flatten() {
        work.push(Party::Own, ended);
    }
    work.finish()
}

/// What was missing when a refund began, and may be back since.
fn take_missing(account: &Account, missing: &[Debt]) -> Taking {
    let mut taking = Taking::default();
    for debt in missing {
        let found = account.lots.iter().find(|lot| lot.id == debt.lot);
        // Several gifts of one payment may have been in one lot.
        let taken = taking.parts.iter().position(|part| part.id == debt.lot);
        let counted = taken.and_then(|index| taking.parts.get(index));
        let counted = counted.map_or(0, |part| part.amount);
        let in_lot = found.map_or(0, |lot| lot.amount).saturating_sub(counted);
        let there = in_lot.min(debt.amount);
        if let Some(lot) = found.filter(|_| there > 0) {
            let part = lot.part(counted.saturating_add(there));
            match taken.and_then(|index| taking.parts.get_mut(index)) {
                Some(own) => *own = part,
                None => taking.parts.push(part),
            }
        }
        if there < debt.amount {
            let back = basis_share(debt.basis, there, debt.amount);
            taking.missing.push(Debt {
                amount: debt.amount.saturating_sub(there),
                basis: debt.basis.saturating_sub(back),
                ..debt.clone()
            });
        }
    }
    taking
}

/// A refund that nobody has started: the money is back already, so what is
/// spent is owed.
fn record_found(
    work: Work<'_>,
    payment: &PaymentRecord,
    said: &RecordRefund,
) -> Result<Vec<Decided>, Rejection> {
    let is_possible = said.amount.currency == payment.amount.currency
        && said.amount.amount <= payment.refundable();
    if !is_possible {
        return odd(work, payment, AnomalyKind::RefundExceedsPayment, said);
    }
    let Taking { parts, missing } =
        Leftovers::new(work.account(), payment, work.context).take(said.amount.amount);
    let refunded = PaymentRefunded {
        payment: payment.position,
        refund: None,
        amount: said.amount.clone(),
        via: RefundVia::Provider,
        provider_ids: of(said).of_refund(payment),
        document_number: None,
        reserved: Vec::new(),
        parts,
        debts: missing,
        test: payment.test,
    };
    Ok(pay_back(work, payment, refunded))
}
