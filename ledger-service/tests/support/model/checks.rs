//! Checks and ids that need nothing but a wallet.

use ledger_core::{
    Rejection,
    account::{Funding, Lot},
    command::encode,
};

use super::{attempt::Try, wallet::Wallet};

const AMOUNT_MAX: i64 = 1_000_000_000_000_000;
const BALANCE_MAX: i64 = 1_000 * AMOUNT_MAX;
const PARTS_MAX: usize = 256;

pub(super) fn check_least(minimum: i64, amount: i64) -> Try<()> {
    match amount < minimum {
        true => Err(Rejection::AmountNotPositive { amount, minimum }),
        false => Ok(()),
    }
}

pub(super) fn check_amount(amount: i64) -> Try<()> {
    check_least(1, amount)?;
    check_price(amount)
}

pub(super) fn check_price(amount: i64) -> Try<()> {
    check_least(0, amount)?;
    match amount > AMOUNT_MAX {
        true => Err(Rejection::AmountTooLarge {
            amount,
            maximum: AMOUNT_MAX,
        }),
        false => Ok(()),
    }
}

pub(super) fn check_balance(wallet: &Wallet, asset: &str, more: i64) -> Try<()> {
    check_amount(more)?;
    match wallet.balance(asset) + more > BALANCE_MAX {
        true => {
            let asset = asset.to_owned();
            Err(Rejection::BalanceTooLarge {
                asset,
                maximum: BALANCE_MAX,
            })
        }
        false => Ok(()),
    }
}

/// Room for so many more parts: in number, and in bytes of the stored state.
pub(super) fn check_room(wallet: &Wallet, more: usize) -> Try<()> {
    let parts = wallet.part_count();
    // Fewer parts than these do not fill 15 KiB, nor do a few periods with them;
    // encoding takes time.
    let is_large = parts > 40 || !wallet.subscribed.running.is_empty();
    let is_crowded = is_large && encode(&wallet.account()).len() > 15 * 1_024;
    match parts + more > PARTS_MAX || is_crowded {
        true => Err(Rejection::WalletFull {
            parts,
            maximum: PARTS_MAX,
        }),
        false => Ok(()),
    }
}

pub(super) fn is_new(wallet: &Wallet, lot: &Lot) -> bool {
    wallet.lots.iter().all(|other| other.id != lot.id)
}

/// Gives a lot the id of an equal one, or the next id. `more` ids are given out
/// already.
pub(super) fn identify(wallet: &Wallet, more: &mut u64, mut lot: Lot) -> Lot {
    let merges = lot.funding == Funding::Granted || wallet.part_count() >= 128;
    let is_equal = |other: &&Lot| {
        let of_one_unit = Lot {
            id: lot.id,
            amount: lot.amount,
            basis: lot.basis,
            created_at: lot.created_at,
            ..(*other).clone()
        };
        of_one_unit == lot
            && i128::from(other.basis) * i128::from(lot.amount)
                == i128::from(lot.basis) * i128::from(other.amount)
    };
    let equals = wallet.lots.iter().filter(|_| merges).filter(is_equal);
    match equals.map(|other| other.id).min() {
        Some(id) => lot.id = id,
        None => {
            *more += 1;
            lot.id = wallet.lots_created + *more;
        }
    }
    lot
}
