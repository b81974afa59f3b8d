//! Refunds of charges, to the lots they came from.

use super::{Decided, Party, charge::check_amount, returns::Returns, work::Work};
use crate::{
    account::{Lot, take_from_end, total},
    command::Refund,
    event::{Payload, Refunded},
    record::{Record, Subject},
    rejection::Rejection,
};

pub(super) fn refund(
    mut work: Work<'_>,
    refund: &Refund,
    record: Option<&Record>,
) -> Result<Vec<Decided>, Rejection> {
    if let Some(amount) = refund.amount {
        check_amount(amount)?;
    }
    let charge = match record {
        Some(Record {
            account,
            subject: Subject::Charge(charge),
        }) if *account == work.request.account => charge,
        _ => return Err(Rejection::ChargeNotFound),
    };
    let refundable = total(&charge.parts);
    let amount = refund.amount.unwrap_or(refundable);
    // What a pass paid for is refunded once: it counts as not done then.
    let is_by_pass = charge.pass.is_some() && charge.counted;
    if amount > refundable || (refundable == 0 && !is_by_pass) {
        return Err(Rejection::RefundExceedsCharge {
            charge: charge.position,
            asset: (&charge.asset).into(),
            amount,
            refundable,
        });
    }
    let mut left = charge.parts.clone();
    let taken = take_from_end(&mut left, amount);
    let mut returns = Returns::new(work.account(), work.context.catalog, work.context.now);
    let parts = returns.all(taken);
    let is_gone = |part: &&Lot| work.account().lots.iter().all(|lot| lot.id != part.id);
    let gone = parts.iter().filter(is_gone).count();
    if gone > 0 {
        work.own.check_room(gone)?;
    }
    // From here on nothing fails.
    let refunded = Refunded {
        charge: charge.position,
        operation: charge.operation.clone(),
        asset: charge.asset.clone(),
        amount,
        refundable: total(&left),
        parts,
        graced: returns.graced(),
        uncounted: charge.counted && charge.operation.is_some() && left.is_empty(),
        pass: charge.pass,
        quantity: charge.quantity,
    };
    work.push(Party::Own, Payload::Refunded(refunded));
    Ok(work.finish())
}
