//! Crediting lots, by hand or by a payment.

use super::{
    Decided, Party,
    charge::{check_amount, check_asset, check_price},
    grant::{credited, has_badge, kind, mark_origin},
    work::Work,
};
use crate::{
    account::{Funding, Lot},
    catalog::AssetKind,
    command::{Credit, RecordPayment},
    event::{Credited, Payload, PaymentSucceeded},
    rejection::Rejection,
};

pub(super) fn credit(mut work: Work<'_>, credit: &Credit) -> Result<Vec<Decided>, Rejection> {
    let (catalog, now) = (work.context.catalog, work.context.now);
    if let Some(name) = credit
        .scope
        .iter()
        .find(|name| !catalog.operations.contains_key(name.as_str()))
    {
        return Err(Rejection::UnknownOperation {
            operation: name.into(),
        });
    }
    check_asset(catalog, &credit.asset)?;
    check_amount(credit.amount)?;
    check_single(&work, &credit.asset, credit.amount)?;
    if let Some(basis) = &credit.cost_basis {
        check_price(basis.amount)?;
    }
    if let Some(expire_time) = credit.lot_expire_time
        && expire_time <= now
    {
        return Err(Rejection::LotExpiryPast { expire_time, now });
    }
    work.own.check_balance(&credit.asset, credit.amount)?;
    let mut lot = Lot {
        asset: credit.asset.clone(),
        amount: credit.amount,
        funding: credit.funding,
        source: credit.source.clone(),
        priority: credit.priority,
        expires_at: credit.lot_expire_time,
        scope: credit.scope.clone(),
        basis: credit.cost_basis.as_ref().map_or(0, |basis| basis.amount),
        currency: credit
            .cost_basis
            .as_ref()
            .map(|basis| basis.currency.clone()),
        created_at: now,
        ..Lot::default()
    };
    refuse_second_badge(&work, &lot)?;
    mark_origin(&mut lot, catalog, &work.request.origin);
    let lot = work.own.place(lot);
    check_new_lot(&work, &lot)?;
    // From here on nothing fails.
    let before = work.account().totals(&lot.asset).balance;
    work.push(Party::Own, credited(catalog, lot, before, None));
    Ok(work.finish())
}

/// Records the payment, then credits the money asset of its currency, one to
/// one. The lot's basis is what was paid for it. Money that has been paid is
/// not refused for lack of room.
pub(super) fn record_payment(
    mut work: Work<'_>,
    payment: &RecordPayment,
) -> Result<Vec<Decided>, Rejection> {
    let currency = &payment.amount.currency;
    let asset = work.context.catalog.assets.get(currency.as_str());
    if asset.is_none_or(|asset| asset.kind != AssetKind::Money) {
        return Err(Rejection::UnknownCurrency {
            currency: currency.into(),
        });
    }
    check_amount(payment.amount.amount)?;
    if let Some(income) = &payment.income_amount {
        check_price(income.amount)?;
    }
    work.own.check_balance(currency, payment.amount.amount)?;
    let lot = work.own.place(Lot {
        asset: currency.clone(),
        amount: payment.amount.amount,
        funding: Funding::Purchased,
        source: "PAYMENT".into(),
        basis: payment.amount.amount,
        currency: Some(currency.clone()),
        created_at: work.context.now,
        ..Lot::default()
    });
    // From here on nothing fails.
    let position = work.next_position();
    work.push(
        Party::Own,
        Payload::PaymentSucceeded(PaymentSucceeded {
            provider: payment.provider.clone(),
            merchant_account: payment.merchant_account.clone(),
            provider_ids: payment.provider_ids.clone(),
            amount: payment.amount.clone(),
            income: payment.income_amount.clone(),
            test: payment.test,
        }),
    );
    work.push(
        Party::Own,
        Payload::Credited(Credited {
            lot,
            payment: Some(position),
            levels: None,
            recurring: None,
        }),
    );
    Ok(work.finish())
}

/// A lot of its own needs room; one that enlarges another does not.
pub(super) fn check_new_lot(work: &Work<'_>, lot: &Lot) -> Result<(), Rejection> {
    if work
        .account()
        .lots
        .iter()
        .any(|existing| existing.id == lot.id)
    {
        return Ok(());
    }
    work.own.check_room(1)
}

/// A badge or a pass is one at a time.
pub(super) fn check_single(work: &Work<'_>, asset: &str, amount: i64) -> Result<(), Rejection> {
    let kind = kind(work.context.catalog, asset);
    if matches!(kind, Some(AssetKind::Badge | AssetKind::Pass)) && amount > 1 {
        return Err(Rejection::AmountTooLarge { amount, maximum: 1 });
    }
    Ok(())
}

/// A badge is granted once.
pub(super) fn refuse_second_badge(work: &Work<'_>, lot: &Lot) -> Result<(), Rejection> {
    if has_badge(work.account(), work.context.catalog, &lot.asset) {
        return Err(Rejection::BadgeAlreadyGranted {
            asset: (&lot.asset).into(),
        });
    }
    Ok(())
}
