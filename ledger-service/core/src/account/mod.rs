//! An account: the aggregate that requests are decided on.
//!
//! Invariants: no lot and no part is below zero; for each asset, `balance` is
//! the sum over free lots and reserved parts less what is owed, and `held` the
//! sum over reserved parts ([`Account::check`] recounts both); lots are kept in
//! order of consumption.

mod auto_top_up;
mod evolve;
mod hold;
mod lot;
mod payment;
mod refund;
mod subscription;
mod window;

use std::collections::BTreeMap;

use minicbor::{CborLen, Decode, Encode};

pub use auto_top_up::AutoTopUps;
pub use evolve::EvolveError;
pub use hold::Hold;
pub use lot::{Funding, Lot, take_from_end, take_from_front, total};
pub use refund::OpenRefund;
pub use subscription::{QueuedPeriod, Subscription};
pub use window::Window;

use crate::{
    event::{Debt, Reason},
    name::Name,
    name_map::NameMap,
    primitives::Timestamp,
};

/// The version of the fold: raised when the same events give another state, so
/// that stored states of an older fold are not used.
pub const FOLD_VERSION: u32 = 1;

/// One owner's prepaid wallet, as its events made it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(map)]
pub struct Account {
    /// How many events it has.
    #[n(0)]
    pub version: u64,
    /// The position of the last of them.
    #[n(1)]
    pub position: u64,
    /// Whether it takes requests.
    #[n(2)]
    pub status: Status,
    /// Why it is blocked, if it is.
    #[n(3)]
    pub block: Option<Reason>,
    /// When it was opened.
    #[n(4)]
    pub opened_at: Timestamp,
    /// The origin that opened it.
    #[n(5)]
    pub origin: Name,
    /// When its last event was recorded.
    #[n(6)]
    pub last_activity_at: Timestamp,
    /// How many lots it ever had.
    #[n(7)]
    pub lots_created: u64,
    /// Free lots, in order of consumption.
    #[n(8)]
    pub lots: Vec<Lot>,
    /// Open holds, the oldest first.
    #[n(9)]
    pub holds: Vec<Hold>,
    /// The lots that got the refund grace, the latest last.
    #[n(10)]
    pub graced_lots: Vec<Grace>,
    /// Sums per asset that it has or had.
    #[n(11)]
    pub assets: NameMap<AssetTotals>,
    /// How often each operation was paid for, less what was refunded whole.
    #[n(12)]
    pub operations: NameMap<i64>,
    /// Money paid through providers, per currency.
    #[n(13)]
    pub paid: NameMap<i64>,
    /// When each recurring grant is due again.
    #[n(14)]
    #[cbor(default, skip_if = "NameMap::is_empty")]
    pub recurring: NameMap<Timestamp>,
    /// What was done lately, by limit.
    #[n(15)]
    #[cbor(default, skip_if = "NameMap::is_empty")]
    pub windows: NameMap<Window>,
    /// Refunds of payments that run, the oldest first.
    #[n(16)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub refunds: Vec<OpenRefund>,
    /// What refunds of payments could not take back, the oldest first.
    #[n(17)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub debts: Vec<Debt>,
    /// Money paid back through providers and outside of them, per currency.
    #[n(18)]
    #[cbor(default, skip_if = "NameMap::is_empty")]
    pub paid_back: NameMap<i64>,
    /// How often each package was bought that may be bought only so often.
    #[n(19)]
    #[cbor(default, skip_if = "NameMap::is_empty")]
    pub packages: NameMap<i64>,
    /// Subscriptions that have not ended, the oldest first.
    #[n(20)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub subscriptions: Vec<Subscription>,
    /// What was bought by itself this month; absent if nothing ever was.
    #[n(21)]
    pub auto_top_ups: Option<AutoTopUps>,
}

/// Whether an account takes requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(index_only)]
pub enum Status {
    /// It has no events.
    #[default]
    #[n(0)]
    NotOpened,
    /// It is in use, perhaps blocked.
    #[n(1)]
    Open,
    /// It takes nothing any more.
    #[n(2)]
    Closed,
}

/// The refund grace that a lot got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
pub struct Grace {
    /// The lot.
    #[n(0)]
    pub lot: u64,
    /// When it is over.
    #[n(1)]
    pub ends_at: Timestamp,
}

/// Sums over an account's events in one asset, in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(map)]
pub struct AssetTotals {
    /// Everything it owns, less what it owes.
    #[n(0)]
    pub balance: i64,
    /// What holds and refunds of payments have reserved.
    #[n(1)]
    pub held: i64,
    /// What charges and captures took.
    #[n(2)]
    pub spent: i64,
    /// What was credited as bought.
    #[n(3)]
    pub bought: i64,
    /// What was credited as given.
    #[n(4)]
    pub granted: i64,
    /// What refunds gave back.
    #[n(5)]
    pub refunded: i64,
    /// What it owes: what refunds of payments could not take back.
    #[n(6)]
    #[cbor(default, skip_if = "is_zero")]
    pub deficit: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the encoder's signature")]
const fn is_zero(value: &i64) -> bool {
    *value == 0
}

impl AssetTotals {
    /// What can be spent.
    #[must_use]
    pub const fn available(&self) -> i64 {
        self.balance
            .saturating_add(self.deficit)
            .saturating_sub(self.held)
    }
}

impl Account {
    /// What the account can spend of `asset` on `operation` now. Lots that are
    /// due have to have been settled.
    #[must_use]
    pub fn available_for(&self, asset: &str, operation: Option<&str>) -> i64 {
        self.lots
            .iter()
            .filter(|lot| lot.asset == asset && lot.pays_for(operation))
            .fold(0, |sum, lot| sum.saturating_add(lot.amount))
    }

    /// The parts that taking `amount` of `asset` for `operation` would take,
    /// in order of consumption. Less if there is less.
    #[must_use]
    pub fn take(&self, asset: &str, operation: Option<&str>, amount: i64) -> Vec<Lot> {
        self.take_where(asset, amount, |lot| lot.pays_for(operation))
    }

    /// The parts that taking `amount` of `asset` from the lots that `allows`
    /// accepts would take, in order of consumption. Less if there is less.
    #[must_use]
    pub fn take_where(&self, asset: &str, amount: i64, allows: impl Fn(&Lot) -> bool) -> Vec<Lot> {
        let mut parts = Vec::new();
        let mut missing = amount;
        for lot in self
            .lots
            .iter()
            .filter(|lot| lot.asset == asset && allows(lot))
        {
            if missing <= 0 {
                break;
            }
            let part = lot.part(missing.min(lot.amount));
            missing = missing.saturating_sub(part.amount);
            parts.push(part);
        }
        parts
    }

    /// The pass of `asset` that pays for `quantity` more of `operation`, the one
    /// that ends soonest. Lots that are due have to have been settled.
    #[must_use]
    pub fn pass(
        &self,
        asset: &str,
        operation: Option<&str>,
        quantity: i64,
        fair_use: Option<i64>,
    ) -> Option<&Lot> {
        self.lots.iter().find(|lot| {
            lot.asset == asset && lot.pays_for(operation) && lot.admits(quantity, fair_use)
        })
    }

    /// Sums of one asset; zeros if it never had any.
    #[must_use]
    pub fn totals(&self, asset: &str) -> AssetTotals {
        self.assets.get(asset).copied().unwrap_or_default()
    }

    /// The open hold that the event at `position` placed.
    #[must_use]
    pub fn hold(&self, position: u64) -> Option<&Hold> {
        self.holds.iter().find(|hold| hold.position == position)
    }

    /// How many parts of lots it has, free and reserved; a hold or a refund
    /// counts for one at least.
    #[must_use]
    pub fn parts(&self) -> usize {
        let holds = self.holds.iter().map(|hold| hold.parts.len());
        let refunds = self.refunds.iter().map(|refund| refund.parts.len());
        holds.chain(refunds).fold(self.lots.len(), |sum, parts| {
            sum.saturating_add(parts.max(1))
        })
    }

    /// The soonest moment at which a lot, a hold or a period of it ends.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        let lots = self.lots.iter().filter_map(|lot| lot.expires_at);
        let holds = self.holds.iter().map(|hold| hold.expires_at);
        let subscriptions = self.subscriptions.iter().map(Subscription::due_at);
        lots.chain(holds).chain(subscriptions).min()
    }

    /// Its encoded size, without encoding it.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        minicbor::len(self)
    }

    /// Recounts what is kept as sums.
    ///
    /// # Errors
    /// The first asset whose sums differ from its lots, or a lot that is not
    /// above zero.
    pub fn check(&self) -> Result<(), String> {
        let mut counted: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
        let holds = self.holds.iter().flat_map(|hold| &hold.parts);
        let refunds = self.refunds.iter().flat_map(|refund| &refund.parts);
        let held = holds.chain(refunds).map(|part| (part, true));
        for (part, is_held) in self.lots.iter().map(|lot| (lot, false)).chain(held) {
            if part.amount <= 0 || part.basis < 0 {
                return Err(format!("lot {} holds {}", part.id, part.amount));
            }
            let sums = counted.entry(&part.asset).or_default();
            sums.0 = sums.0.saturating_add(part.amount);
            if is_held {
                sums.1 = sums.1.saturating_add(part.amount);
            }
        }
        for (asset, totals) in self.assets.iter() {
            let sums = counted.remove(asset.as_str()).unwrap_or_default();
            let owed = self.debts.iter().filter(|debt| debt.asset == *asset);
            let owed = owed.fold(0_i64, |sum, debt| sum.saturating_add(debt.amount));
            let lots = totals.balance.saturating_add(totals.deficit);
            if sums != (lots, totals.held) || owed != totals.deficit {
                return Err(format!("{asset}: sums {totals:?} against lots {sums:?}"));
            }
        }
        match counted.keys().next() {
            Some(asset) => Err(format!("{asset}: lots without sums")),
            None => Ok(()),
        }
    }
}
