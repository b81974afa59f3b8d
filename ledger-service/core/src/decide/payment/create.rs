//! Asking for a payment.

use super::{Decided, automatic, plan};
use crate::{
    command::CreatePayment,
    decide::{Party, charge::check_amount, work::Work},
    event::{Payload, PaymentCreated},
    rejection::Rejection,
};

/// Writes down what a payment is for and what its success will give, by the
/// catalog in force. Nothing is paid yet, so here a full wallet may refuse.
pub(in crate::decide) fn create(
    mut work: Work<'_>,
    create: &CreatePayment,
) -> Result<Vec<Decided>, Rejection> {
    let context = work.context;
    let origin = &work.request.origin;
    let (account, purpose) = (work.account(), &create.purpose);
    let plan = plan::offered(context.catalog, account, origin, purpose, context.now)?;
    let automatic_until = match create.automatic {
        true => Some(automatic::check(account, purpose, &plan, context)?),
        false => None,
    };
    check_amount(plan.amount.amount)?;
    for planned in &plan.gives {
        work.own
            .check_balance(&planned.lot.asset, planned.lot.amount)?;
    }
    work.own.check_room(plan.gives.len())?;
    // From here on nothing fails.
    work.push(
        Party::Own,
        Payload::PaymentCreated(PaymentCreated {
            provider: create.provider.clone(),
            merchant_account: create.merchant_account.clone(),
            purpose: create.purpose.clone(),
            amount: plan.amount,
            gives: plan.gives,
            refund: plan.refund,
            is_limited: plan.is_limited,
            period: plan.period,
            automatic_until,
        }),
    );
    Ok(work.finish())
}
