//! A wallet of the naive ledger: a heap of lots, and open holds. Balances are
//! counted anew whenever they are asked for.

use std::collections::BTreeMap;

use ledger_core::{
    Account, Name, Payload, Timestamp,
    account::{AssetTotals, Funding, Grace, Hold, Lot, Status},
    event::{Balance, Event, Reason},
};

/// What an account is, by its events.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wallet {
    pub(crate) status: Status,
    pub(crate) block: Option<Reason>,
    pub(crate) version: u64,
    pub(crate) position: u64,
    /// In no order.
    pub(crate) lots: Vec<Lot>,
    pub(crate) holds: Vec<Hold>,
    pub(crate) graces: Vec<Grace>,
    pub(crate) lots_created: u64,
    opened_at: Timestamp,
    origin: Name,
    last_activity_at: Timestamp,
    /// `balance` and `held` stay 0 here: they are counted.
    sums: BTreeMap<Name, AssetTotals>,
    operations: BTreeMap<Name, i64>,
    paid: BTreeMap<Name, i64>,
}

/// The sum of what lots hold.
pub(crate) fn sum<'a>(lots: impl IntoIterator<Item = &'a Lot>) -> i64 {
    lots.into_iter().map(|lot| lot.amount).sum()
}

/// When a lot is spent among those of its asset.
pub(crate) fn turn(lot: &Lot) -> (i32, i64, bool, u64) {
    let end = lot.expires_at.map_or(i64::MAX, |end| end.0);
    (lot.priority, end, lot.funding == Funding::Purchased, lot.id)
}

/// `amount` out of a lot, with its share of what was paid.
pub(crate) fn piece(lot: &Lot, amount: i64) -> Lot {
    let share = i128::from(lot.basis) * i128::from(amount) / i128::from(lot.amount);
    Lot {
        amount,
        basis: i64::try_from(share).unwrap(),
        ..lot.clone()
    }
}

/// Takes `amount` out of parts, from the first on; gives what was taken and
/// what is left.
pub(crate) fn split(parts: &[Lot], amount: i64) -> (Vec<Lot>, Vec<Lot>) {
    let (mut taken, mut left) = (Vec::new(), Vec::new());
    let mut missing = amount;
    for part in parts {
        let here = part.amount.min(missing);
        missing -= here;
        if here > 0 {
            taken.push(piece(part, here));
        }
        if here < part.amount {
            let basis = part.basis - if here > 0 { piece(part, here).basis } else { 0 };
            left.push(Lot {
                amount: part.amount - here,
                basis,
                ..part.clone()
            });
        }
    }
    (taken, left)
}

impl Wallet {
    pub(crate) fn balances(&self) -> Vec<Balance> {
        self.sums
            .keys()
            .map(|asset| {
                let held = self.held(asset);
                Balance {
                    asset: asset.clone(),
                    balance: self.free(asset) + held,
                    held,
                }
            })
            .collect()
    }

    pub(crate) fn balance(&self, asset: &str) -> i64 {
        self.free(asset) + self.held(asset)
    }

    pub(crate) fn free(&self, asset: &str) -> i64 {
        sum(self.lots.iter().filter(|lot| lot.asset == asset))
    }

    fn held(&self, asset: &str) -> i64 {
        let parts = self.holds.iter().flat_map(|hold| &hold.parts);
        sum(parts.filter(|part| part.asset == asset))
    }

    /// The lots that may pay, in their turn.
    pub(crate) fn payers(&self, asset: &str, allows: impl Fn(&Lot) -> bool) -> Vec<Lot> {
        let mut lots: Vec<Lot> = self
            .lots
            .iter()
            .filter(|lot| lot.asset == asset && allows(lot))
            .cloned()
            .collect();
        lots.sort_by_key(turn);
        lots
    }

    pub(crate) fn part_count(&self) -> usize {
        self.lots.len()
            + self
                .holds
                .iter()
                .map(|hold| hold.parts.len().max(1))
                .sum::<usize>()
    }

    /// The same as the service keeps it.
    pub(crate) fn account(&self) -> Account {
        let mut lots = self.lots.clone();
        lots.sort_by(|a, b| a.asset.cmp(&b.asset).then(turn(a).cmp(&turn(b))));
        let assets = self.sums.iter().map(|(asset, sums)| {
            let held = self.held(asset);
            (
                asset.clone(),
                AssetTotals {
                    balance: self.free(asset) + held,
                    held,
                    ..*sums
                },
            )
        });
        Account {
            version: self.version,
            position: self.position,
            status: self.status,
            block: self.block.clone(),
            opened_at: self.opened_at,
            origin: self.origin.clone(),
            last_activity_at: self.last_activity_at,
            lots_created: self.lots_created,
            lots,
            holds: self.holds.clone(),
            graced_lots: self.graces.clone(),
            assets: assets.collect(),
            operations: self.operations.clone().into_iter().collect(),
            paid: self.paid.clone().into_iter().collect(),
            ..Account::default()
        }
    }

    /// Takes in an event. Of the envelope, position, time, origin, request and
    /// reason count.
    pub(crate) fn take_in(&mut self, event: &Event) {
        match &event.payload {
            Payload::AccountOpened => {
                self.status = Status::Open;
                self.opened_at = event.recorded_at;
                self.origin.clone_from(&event.origin);
            }
            Payload::AccountClosed => self.status = Status::Closed,
            Payload::AccountBlocked => self.block.clone_from(&event.annotations.reason),
            Payload::AccountUnblocked => self.block = None,
            Payload::Credited(credited) => {
                self.put(&credited.lot);
                let sums = self.sums(&credited.lot.asset);
                match credited.lot.funding {
                    Funding::Granted => sums.granted += credited.lot.amount,
                    Funding::Purchased => sums.bought += credited.lot.amount,
                }
            }
            Payload::Debited(debited) => {
                self.remove(&debited.parts);
                self.sums(&debited.asset).spent += debited.amount;
                self.count(debited.operation.as_ref(), 1);
            }
            Payload::Refunded(refunded) => {
                self.give_back(&refunded.parts, &refunded.graced);
                let sums = self.sums(&refunded.asset);
                sums.refunded += refunded.amount;
                sums.spent -= refunded.amount;
                if refunded.uncounted {
                    self.count(refunded.operation.as_ref(), -1);
                }
            }
            Payload::HoldPlaced(placed) => {
                self.remove(&placed.parts);
                self.sums(&placed.asset);
                self.holds.push(Hold {
                    position: event.position,
                    request_id: event.request_id,
                    operation: placed.operation.clone(),
                    quantity: placed.quantity,
                    asset: placed.asset.clone(),
                    parts: placed.parts.clone(),
                    captured: 0,
                    overrun: placed.overrun,
                    expires_at: placed.expires_at,
                    placed_at: event.recorded_at,
                    ..Hold::default()
                });
            }
            Payload::HoldExtended(extended) => {
                for hold in self
                    .holds
                    .iter_mut()
                    .filter(|hold| hold.position == extended.hold)
                {
                    hold.expires_at = extended.expires_at;
                }
            }
            Payload::HoldCaptured(captured) => {
                self.remove(&captured.free_parts);
                for hold in self
                    .holds
                    .iter_mut()
                    .filter(|hold| hold.position == captured.hold)
                {
                    hold.captured += captured.amount;
                    hold.parts = split(&hold.parts, sum(&captured.held_parts)).1;
                }
                if captured.is_final {
                    self.holds.retain(|hold| hold.position != captured.hold);
                }
                self.give_back(&captured.released, &captured.graced);
                self.sums(&captured.asset).spent += captured.amount;
                if captured.counted {
                    self.count(captured.operation.as_ref(), 1);
                }
            }
            Payload::HoldReleased(ended) | Payload::HoldExpired(ended) => {
                self.holds.retain(|hold| hold.position != ended.hold);
                self.give_back(&ended.parts, &ended.graced);
            }
            Payload::LotExpired(expired) => self.lots.retain(|lot| lot.id != expired.lot.id),
            Payload::Adjusted(adjusted) => {
                self.remove(&adjusted.parts);
                adjusted.lot.iter().for_each(|lot| self.put(lot));
                self.sums(&adjusted.asset);
            }
            Payload::TransferSent(sent) => {
                self.remove(&sent.parts);
                self.sums(&sent.asset);
            }
            Payload::TransferReceived(received) => {
                received.parts.iter().for_each(|part| self.put(part));
                self.sums(&received.asset);
            }
            Payload::PaymentSucceeded(payment) => {
                *self
                    .paid
                    .entry(payment.amount.currency.clone())
                    .or_default() += payment.amount.amount;
            }
            Payload::CatalogApplied(_) => {}
        }
        self.version += 1;
        self.position = event.position;
        self.last_activity_at = event.recorded_at;
    }

    fn sums(&mut self, asset: &str) -> &mut AssetTotals {
        self.sums.entry(asset.into()).or_default()
    }

    fn count(&mut self, operation: Option<&Name>, by: i64) {
        if let Some(operation) = operation {
            *self.operations.entry(operation.clone()).or_default() += by;
        }
    }

    fn put(&mut self, part: &Lot) {
        self.lots_created = self.lots_created.max(part.id);
        match self.lots.iter_mut().find(|lot| lot.id == part.id) {
            Some(lot) => {
                lot.amount += part.amount;
                lot.basis += part.basis;
            }
            None => self.lots.push(part.clone()),
        }
    }

    fn give_back(&mut self, parts: &[Lot], graced: &[u64]) {
        for part in parts {
            if graced.contains(&part.id) && self.graces.iter().all(|grace| grace.lot != part.id) {
                self.graces.push(Grace {
                    lot: part.id,
                    ends_at: part.expires_at.unwrap(),
                });
            }
            self.put(part);
        }
        let forgotten = self.graces.len().saturating_sub(64);
        self.graces.drain(..forgotten);
    }

    fn remove(&mut self, parts: &[Lot]) {
        for part in parts {
            let lot = self.lots.iter_mut().find(|lot| lot.id == part.id).unwrap();
            lot.amount -= part.amount;
            lot.basis -= part.basis;
            assert!(
                lot.amount >= 0 && lot.basis >= 0,
                "lot {} goes below zero",
                lot.id
            );
        }
        self.lots.retain(|lot| lot.amount > 0);
    }
}
