//! Read models: what is built from the log in the background, and reads that
//! put it together with the log itself. Nothing here decides anything, and all
//! of it can be dropped and built again.

mod counting;
mod held_assets;
mod history;
mod index;

use thiserror::Error;

pub use counting::{Counting, Metric, paid_with_key};
pub use held_assets::{HeldAsset, held_asset, state_of};
pub use history::{AccountHistory, account_at, events_at};
pub use index::{INDEX_LEASE, Index, index_row};

use crate::{engine::EngineError, store::StoreError};

/// Why something could not be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The engine, or a projection that has not come far enough.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is stored cannot be right.
    #[error("the stored data is damaged: {0}")]
    Damaged(String),
}
