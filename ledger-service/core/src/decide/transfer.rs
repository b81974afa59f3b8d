//! Transfers of purchased lots between two accounts of a book.

use super::{
    Decided, Party,
    account::refuse_blocked,
    charge::{Lack, check_amount, check_asset, check_movable, insufficient},
    prepare,
    work::Work,
};
use crate::{
    account::{Funding, Status, total},
    command::Transfer,
    event::{Payload, TransferReceived, TransferSent},
    rejection::Rejection,
};

pub(super) fn transfer(mut work: Work<'_>, transfer: &Transfer) -> Result<Vec<Decided>, Rejection> {
    let Transfer {
        destination_account,
        asset,
        amount,
    } = transfer;
    if *destination_account == work.request.account {
        return Err(Rejection::TransferToSelf {
            account: destination_account.into(),
        });
    }
    check_asset(work.context.catalog, asset)?;
    check_movable(work.context.catalog, asset)?;
    check_amount(*amount)?;
    admit_destination(&mut work, destination_account)?;
    let sent = work
        .account()
        .take_where(asset, *amount, |lot| lot.funding == Funding::Purchased);
    let available = total(&sent);
    if available < *amount {
        let purchased = work
            .account()
            .take_where(asset, i64::MAX, |lot| lot.funding == Funding::Purchased);
        let lack = Lack {
            asset,
            required: *amount,
            available: total(&purchased),
        };
        return Err(insufficient(work.context.catalog, lack, work.buyer(None)));
    }
    let Some(destination) = &mut work.other else {
        return Err(Rejection::AccountNotFound {
            account: destination_account.into(),
        });
    };
    destination.check_balance(asset, *amount)?;
    destination.check_room(sent.len())?;
    let received = sent
        .iter()
        .map(|part| destination.place(part.clone()))
        .collect();
    // From here on nothing fails.
    let position = work.next_position();
    work.push(
        Party::Own,
        Payload::TransferSent(TransferSent {
            destination: destination_account.clone(),
            asset: asset.clone(),
            amount: *amount,
            parts: sent,
        }),
    );
    work.push(
        Party::Other,
        Payload::TransferReceived(TransferReceived {
            source: work.request.account.clone(),
            transfer: position,
            asset: asset.clone(),
            amount: *amount,
            parts: received,
        }),
    );
    Ok(work.finish())
}

/// The account that gets has to be there: a transfer never opens it.
fn admit_destination(work: &mut Work<'_>, id: &str) -> Result<(), Rejection> {
    let account = work.other.as_ref().map(|side| &side.account);
    match account {
        None => {
            return Err(Rejection::AccountNotFound {
                account: id.to_owned(),
            });
        }
        Some(account) => match account.status {
            Status::NotOpened => {
                return Err(Rejection::AccountNotFound {
                    account: id.to_owned(),
                });
            }
            Status::Closed => {
                return Err(Rejection::AccountClosed {
                    account: id.to_owned(),
                });
            }
            Status::Open => refuse_blocked(id, account)?,
        },
    }
    prepare::settle_due(work, Party::Other);
    Ok(())
}
