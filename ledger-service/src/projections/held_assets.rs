//! Whether a new catalog would leave wallets with what it does not know.

use std::time::Instant;

use ledger_core::{Account, Name, account::FOLD_VERSION, catalog::Catalog};

use super::ReadError;
use crate::{
    engine::{Engine, EngineError},
    store::StoredAccount,
};

/// How many accounts are looked through in one go.
const ACCOUNTS_IN_A_ROW: u32 = 1_000;

/// An asset, and an account that holds some of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldAsset {
    /// The asset.
    pub asset: String,
    /// One of those who hold it.
    pub account: Name,
}

/// Looks for an account that holds an asset which `next` lacks, or of which it
/// changes the kind or the decimals. A look before the decision: what is credited
/// between the two stays in its wallet, and is there again with a catalog that has
/// the asset. Lots that are due and not written off yet count.
///
/// # Errors
/// What stands in the way of reading; `DeadlineExceeded` if the accounts could not
/// be looked through by then.
pub async fn held_asset(
    engine: &Engine,
    book: &str,
    next: &Catalog,
    deadline: Option<Instant>,
) -> Result<Option<HeldAsset>, ReadError> {
    let in_force = engine.read(book, Vec::new(), deadline).await?.catalog;
    let assets = in_force.catalog.assets.iter();
    let gone: Vec<&String> = assets
        .filter(|(id, asset)| {
            let kept = next.assets.get(*id);
            kept.is_none_or(|kept| (kept.kind, kept.exponent) != (asset.kind, asset.exponent))
        })
        .map(|(id, _)| id)
        .collect();
    if gone.is_empty() {
        return Ok(None);
    }
    let mut after = Name::default();
    loop {
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Err(EngineError::DeadlineExceeded.into());
        }
        let rows = engine
            .store()
            .accounts_after(book, &after, ACCOUNTS_IN_A_ROW)
            .await?;
        for row in &rows {
            let account = state_of(engine, book, row, deadline).await?;
            let held = gone.iter().find(|asset| account.totals(asset).balance != 0);
            if let Some(asset) = held {
                return Ok(Some(HeldAsset {
                    asset: (*asset).clone(),
                    account: row.account.clone(),
                }));
            }
        }
        match rows.last() {
            Some(last) if rows.len() == ACCOUNTS_IN_A_ROW as usize => {
                after.clone_from(&last.account);
            }
            _ => return Ok(None),
        }
    }
}

/// The state of a row. One that another fold made is asked of the engine, which
/// folds it anew.
///
/// # Errors
/// It cannot be read.
pub async fn state_of(
    engine: &Engine,
    book: &str,
    row: &StoredAccount,
    deadline: Option<Instant>,
) -> Result<Account, ReadError> {
    if row.fold_version == FOLD_VERSION {
        return minicbor::decode(&row.state)
            .map_err(|error| ReadError::Damaged(format!("state of {}: {error}", row.account)));
    }
    let wanted = vec![row.account.clone()];
    let snapshot = engine.read(book, wanted, deadline).await?;
    let account = snapshot.accounts.first();
    Ok(account.map_or_else(Account::default, |account| Account::clone(account)))
}
