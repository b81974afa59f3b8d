//! Corrections of a balance by a person.

use super::{
    Decided, Party,
    charge::{Lack, check_asset, check_price, insufficient},
    credit::{check_new_lot, check_single, refuse_second_badge},
    grant::{levels, mark_origin},
    work::Work,
};
use crate::{
    account::{Funding, Lot},
    command::{Adjust, Change},
    event::{Adjusted, LevelChange, Payload},
    name::Name,
    rejection::Rejection,
};

pub(super) fn adjust(work: Work<'_>, adjust: &Adjust) -> Result<Vec<Decided>, Rejection> {
    let asset = &adjust.asset;
    check_asset(work.context.catalog, asset)?;
    match change_by(&work, adjust)? {
        // Nothing to do, and so nothing to write, not even what is due.
        0 => Ok(Vec::new()),
        delta if delta > 0 => add(work, asset, delta),
        delta => take(work, asset, delta),
    }
}

fn change_by(work: &Work<'_>, adjust: &Adjust) -> Result<i64, Rejection> {
    match adjust.change {
        Change::Delta(delta) => {
            check_price(delta.saturating_abs())?;
            Ok(delta)
        }
        Change::SetTo {
            available: wanted,
            expected,
        } => {
            let available = work.account().totals(&adjust.asset).available();
            check_price(wanted)?;
            if available != expected {
                return Err(Rejection::BalanceMismatch {
                    asset: (&adjust.asset).into(),
                    expected,
                    available,
                });
            }
            Ok(wanted.saturating_sub(available))
        }
    }
}

fn add(mut work: Work<'_>, asset: &Name, delta: i64) -> Result<Vec<Decided>, Rejection> {
    check_single(&work, asset, delta)?;
    work.own.check_balance(asset, delta)?;
    let mut lot = Lot {
        asset: asset.clone(),
        amount: delta,
        funding: Funding::Granted,
        source: "ADJUSTMENT".into(),
        created_at: work.context.now,
        ..Lot::default()
    };
    refuse_second_badge(&work, &lot)?;
    mark_origin(&mut lot, work.context.catalog, &work.request.origin);
    let lot = work.own.place(lot);
    check_new_lot(&work, &lot)?;
    // From here on nothing fails.
    let adjusted = Adjusted {
        asset: asset.clone(),
        delta,
        parts: Vec::new(),
        levels: level_change(&work, asset, delta),
        lot: Some(lot),
    };
    work.push(Party::Own, Payload::Adjusted(adjusted));
    Ok(work.finish())
}

/// Takes from all lots, whatever their scope.
fn take(mut work: Work<'_>, asset: &Name, delta: i64) -> Result<Vec<Decided>, Rejection> {
    let required = delta.saturating_neg();
    let available = work.account().totals(asset).available();
    if available < required {
        let lack = Lack {
            asset,
            required,
            available,
        };
        return Err(insufficient(work.context.catalog, lack, work.buyer(None)));
    }
    let parts = work.account().take_where(asset, required, |_| true);
    // From here on nothing fails.
    let adjusted = Adjusted {
        asset: asset.clone(),
        delta,
        parts,
        lot: None,
        levels: level_change(&work, asset, delta),
    };
    work.push(Party::Own, Payload::Adjusted(adjusted));
    Ok(work.finish())
}

fn level_change(work: &Work<'_>, asset: &str, delta: i64) -> Option<LevelChange> {
    let before = work.account().totals(asset).balance;
    levels(work.context.catalog, asset, before, delta)
}
