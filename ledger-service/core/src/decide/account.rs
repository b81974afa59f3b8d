//! Opening, closing, blocking and unblocking, and who is admitted at all.

use super::{Decided, Party, prepare, work::Work};
use crate::{
    account::{Account, Status},
    command::Command,
    event::Payload,
    rejection::Rejection,
};

/// Checks that the account takes the command, and does what comes before it.
pub(super) fn admit(work: &mut Work<'_>) -> Result<(), Rejection> {
    let id = &work.request.account;
    let command = &work.request.command;
    match work.account().status {
        Status::Closed if !matches!(command, Command::OpenAccount(_) | Command::Sweep(_)) => {
            return Err(Rejection::AccountClosed { account: id.into() });
        }
        Status::NotOpened => match command {
            Command::Sweep(_) => return Ok(()),
            Command::CloseAccount(_) => {
                return Err(Rejection::AccountNotFound { account: id.into() });
            }
            Command::OpenAccount(_) | Command::ApplyCatalog(_) => {}
            _ if !work.context.catalog.open_on_first_use => {
                return Err(Rejection::AccountNotFound { account: id.into() });
            }
            _ => {}
        },
        _ => {}
    }
    if spends(command) {
        refuse_blocked(id, work.account())?;
    }
    if work.account().status == Status::NotOpened {
        prepare::open(work);
    } else {
        prepare::settle_due(work, Party::Own);
        if !matches!(command, Command::Sweep(_) | Command::CloseAccount(_)) {
            // The sweeper gives nothing: who has gone gets nothing for it.
            prepare::give_recurring(work);
        }
    }
    Ok(())
}

/// Whether a blocked account refuses the command. It still takes captures and
/// releases of open holds, money already paid, refunds and corrections.
const fn spends(command: &Command) -> bool {
    matches!(
        command,
        Command::Charge(_)
            | Command::PlaceHold(_)
            | Command::Transfer(_)
            | Command::CreatePayment(_)
    )
}

pub(super) fn refuse_blocked(id: &str, account: &Account) -> Result<(), Rejection> {
    match &account.block {
        Some(reason) => Err(Rejection::AccountBlocked {
            account: id.to_owned(),
            code: (&reason.code).into(),
        }),
        None => Ok(()),
    }
}

/// Opening is get-or-create: `admit` has made the events, if there are any to
/// make. An account that is there gets none, not even of what is due.
pub(super) fn open(work: Work<'_>) -> Result<Vec<Decided>, Rejection> {
    let events = work.finish();
    let created = events
        .iter()
        .any(|event| event.payload == Payload::AccountOpened);
    Ok(if created { events } else { Vec::new() })
}

pub(super) fn close(mut work: Work<'_>) -> Result<Vec<Decided>, Rejection> {
    let account = work.account();
    let lots = account.lots.iter().map(|lot| &lot.asset);
    let holds = account.holds.iter().map(|hold| &hold.asset);
    let refunds = account.refunds.iter().flat_map(|refund| &refund.parts);
    let debts = account.debts.iter().map(|debt| &debt.asset);
    let subscriptions = account.subscriptions.iter().map(|it| &it.paid.currency);
    let reserved = refunds.map(|part| &part.asset);
    // A refund that reserves nothing runs all the same: how it ends has to find
    // the account open. Who has one has paid in some currency.
    let runs = account.refunds.first();
    let running = runs.and_then(|_| account.paid.iter().next());
    let mut left = lots.chain(holds).chain(reserved).chain(subscriptions);
    let owed = || debts.min().or(running.map(|(currency, _)| currency));
    if let Some(asset) = left.next().or_else(owed) {
        return Err(Rejection::AccountNotEmpty {
            account: (&work.request.account).into(),
            asset: asset.into(),
        });
    }
    work.push(Party::Own, Payload::AccountClosed);
    Ok(work.finish())
}

/// Blocking a blocked account gives it the new reason.
pub(super) fn block(mut work: Work<'_>) -> Result<Vec<Decided>, Rejection> {
    work.push(Party::Own, Payload::AccountBlocked);
    Ok(work.finish())
}

pub(super) fn unblock(mut work: Work<'_>) -> Result<Vec<Decided>, Rejection> {
    if work.account().block.is_none() {
        return Err(Rejection::AccountNotBlocked {
            account: (&work.request.account).into(),
        });
    }
    work.push(Party::Own, Payload::AccountUnblocked);
    Ok(work.finish())
}
