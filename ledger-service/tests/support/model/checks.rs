//! Checks and ids that need nothing but a wallet.

use ledger_core::{
    Rejection,
    account::{Funding, Lot},
    command::encode,
    event::WindowUse,
};

use super::{attempt::Try, pricing::Price, wallet::Wallet};

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
    match parts + more > PARTS_MAX || bytes(wallet) > 15 * 1_024 {
        true => Err(full(wallet)),
        false => Ok(()),
    }
}

/// How large the stored state is; 0 if it is far from large. Fewer parts than
/// these do not fill 10 KiB without periods, and windows another 4; encoding takes
/// time.
fn bytes(wallet: &Wallet) -> usize {
    match wallet.part_count() > 40 || !wallet.subscribed.running.is_empty() {
        true => encode(&wallet.account()).len(),
        false => 0,
    }
}

fn full(wallet: &Wallet) -> Rejection {
    Rejection::WalletFull {
        parts: wallet.part_count(),
        maximum: PARTS_MAX,
    }
}

fn check_bytes(wallet: &Wallet, more: usize) -> Try<()> {
    match bytes(wallet) + more > 15 * 1_024 + 512 {
        true => Err(full(wallet)),
        false => Ok(()),
    }
}

/// Room to count once more in each of these limits: 45 bytes at the most, and
/// the name.
pub(super) fn check_counting(wallet: &Wallet, counted_in: &[WindowUse]) -> Try<()> {
    let more = counted_in.iter().map(|used| used.limit.len() + 45).sum();
    match more {
        0 => Ok(()),
        more => check_bytes(wallet, more),
    }
}

/// Room for what a hold keeps besides its parts, twice.
pub(super) fn check_hold(wallet: &Wallet, price: &Price) -> Try<()> {
    check_counting(wallet, &price.counted_in)?;
    let names = price.counted_in.iter().map(|used| used.limit.len() + 2);
    let more = encode(&price.attributes).len() + names.sum::<usize>();
    check_bytes(wallet, 2 * more)
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
            used: lot.used,
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
