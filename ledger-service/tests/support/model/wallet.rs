//! A wallet of the naive ledger: a heap of lots, open holds, refunds that run,
//! and debts. Balances are counted anew whenever they are asked for.

use std::collections::BTreeMap;

use ledger_core::{
    Account, Money, Name, Payload, Timestamp,
    account::{AssetTotals, Funding, Grace, Hold, Lot, OpenRefund, Status},
    event::{Balance, Debt, Event, PaymentRefunded, PaymentSucceeded, Reason},
    payment::Purpose,
};

use super::{periods::Due, subscribed::Subscribed, windows::Uses};

/// How many debts are told apart.
const DEBTS_MAX: usize = 16;

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
    pub(crate) refunds: Vec<OpenRefund>,
    /// The oldest first.
    pub(crate) debts: Vec<Debt>,
    pub(crate) lots_created: u64,
    opened_at: Timestamp,
    origin: Name,
    last_activity_at: Timestamp,
    /// `balance`, `held` and `deficit` stay 0 here: they are counted.
    sums: BTreeMap<Name, AssetTotals>,
    operations: BTreeMap<Name, i64>,
    paid: BTreeMap<Name, i64>,
    paid_back: BTreeMap<Name, i64>,
    /// How often each package was bought, of those that may be bought so often.
    pub(crate) bought: BTreeMap<Name, i64>,
    pub(crate) subscribed: Subscribed,
    /// When each recurring grant is due again.
    pub(crate) due: Due,
    /// What was done lately.
    pub(crate) uses: Uses,
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

/// The share of `whole` that `part` of `of` units have, rounded down.
pub(crate) fn share(whole: i64, part: i64, of: i64) -> i64 {
    let share = i128::from(whole) * i128::from(part) / i128::from(of.max(1));
    i64::try_from(share).unwrap()
}

/// `amount` out of a lot, with its share of what was paid.
pub(crate) fn piece(lot: &Lot, amount: i64) -> Lot {
    Lot {
        amount,
        basis: share(lot.basis, amount, lot.amount),
        ..lot.clone()
    }
}

fn paid_by(part: &Lot, lot: u64) -> Debt {
    Debt {
        lot,
        asset: part.asset.clone(),
        amount: part.amount,
        basis: part.basis,
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
            .map(|asset| Balance {
                asset: asset.clone(),
                balance: self.balance(asset),
                held: self.held(asset),
                deficit: self.deficit(asset),
            })
            .collect()
    }

    /// What there is, less what is owed.
    pub(crate) fn balance(&self, asset: &str) -> i64 {
        self.free(asset) + self.held(asset) - self.deficit(asset)
    }

    pub(crate) fn free(&self, asset: &str) -> i64 {
        sum(self.lots.iter().filter(|lot| lot.asset == asset))
    }

    fn held(&self, asset: &str) -> i64 {
        sum(self.reserved().filter(|part| part.asset == asset))
    }

    fn reserved(&self) -> impl Iterator<Item = &Lot> {
        let holds = self.holds.iter().flat_map(|hold| &hold.parts);
        holds.chain(self.refunds.iter().flat_map(|refund| &refund.parts))
    }

    fn deficit(&self, asset: &str) -> i64 {
        let debts = self.debts.iter().filter(|debt| debt.asset == asset);
        debts.map(|debt| debt.amount).sum()
    }

    /// What is wrong with it, whatever happened.
    pub(crate) fn fault(&self) -> Option<String> {
        let lots = self.lots.iter().chain(self.reserved());
        let low = lots
            .into_iter()
            .find(|lot| lot.amount <= 0 || lot.basis < 0)
            .map(|lot| format!("{lot:?} is not above zero"));
        let owed = self.debts.iter().find(|debt| debt.amount <= 0);
        let owed = owed.map(|debt| format!("{debt:?} is not above zero"));
        let subscribed = self.subscribed.fault(self.last_activity_at);
        low.or(owed).or(subscribed)
    }

    /// What of something bought pays debts: the oldest of its asset first.
    pub(crate) fn settles(&self, lot: &Lot) -> Vec<Debt> {
        let mut rest = vec![lot.clone()];
        let mut settled = Vec::new();
        for debt in self.debts.iter().filter(|debt| debt.asset == lot.asset) {
            let (pays, left) = split(&rest, debt.amount);
            rest = left;
            settled.extend(pays.iter().map(|part| paid_by(part, debt.lot)));
        }
        settled
    }

    /// What of a part that comes back pays what is owed of its lot, besides what
    /// `before` it does.
    pub(crate) fn settles_back(&self, part: &Lot, before: &[Debt]) -> Option<Debt> {
        let of_lot = |debts: &[Debt]| -> i64 {
            let of_lot = debts.iter().filter(|debt| debt.lot == part.id);
            of_lot.map(|debt| debt.amount).sum()
        };
        let pays = part.amount.min(of_lot(&self.debts) - of_lot(before));
        (pays > 0).then(|| paid_by(&piece(part, pays), part.id))
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
        let holds = self.holds.iter().map(|hold| hold.parts.len());
        let refunds = self.refunds.iter().map(|refund| refund.parts.len());
        let reserved = holds.chain(refunds).map(|parts| parts.max(1));
        self.lots.len() + reserved.sum::<usize>()
    }

    /// The same as the service keeps it.
    pub(crate) fn account(&self) -> Account {
        let mut lots = self.lots.clone();
        lots.sort_by(|a, b| a.asset.cmp(&b.asset).then(turn(a).cmp(&turn(b))));
        let assets = self.sums.iter().map(|(asset, sums)| {
            let totals = AssetTotals {
                balance: self.balance(asset),
                held: self.held(asset),
                deficit: self.deficit(asset),
                ..*sums
            };
            (asset.clone(), totals)
        });
        let mut account = Account {
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
            paid_back: self.paid_back.clone().into_iter().collect(),
            packages: self.bought.clone().into_iter().collect(),
            refunds: self.refunds.clone(),
            debts: self.debts.clone(),
            recurring: self.due.clone().into_iter().collect(),
            windows: self.uses.windows(),
            ..Account::default()
        };
        self.subscribed.tell(&mut account);
        account
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
                self.put_less(&credited.lot, &credited.settled);
                self.settle(&credited.settled);
                let sums = self.sums(&credited.lot.asset);
                match credited.lot.funding {
                    Funding::Granted => sums.granted += credited.lot.amount,
                    Funding::Purchased => sums.bought += credited.lot.amount,
                }
                let period = credited.recurring.iter();
                let due = period.map(|period| (period.grant.clone(), period.next_at));
                self.due.extend(due);
            }
            Payload::Debited(debited) => {
                self.remove(&debited.parts);
                self.use_pass(debited.pass, debited.quantity);
                self.uses
                    .count(&debited.counted_in, debited.quantity, event.recorded_at);
                self.sums(&debited.asset).spent += debited.amount;
                self.count(debited.operation.as_ref(), 1);
            }
            Payload::Refunded(refunded) => {
                self.give_back(&refunded.parts, &refunded.graced, &refunded.settled);
                let sums = self.sums(&refunded.asset);
                sums.refunded += refunded.amount;
                sums.spent -= refunded.amount;
                if refunded.uncounted {
                    self.count(refunded.operation.as_ref(), -1);
                }
                self.use_pass(refunded.pass, -refunded.quantity);
            }
            Payload::HoldPlaced(placed) => {
                self.remove(&placed.parts);
                self.sums(&placed.asset);
                self.use_pass(placed.pass, placed.quantity);
                self.uses
                    .count(&placed.counted_in, placed.quantity, event.recorded_at);
                let returning = placed.counted_in.iter().filter(|used| used.returns);
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
                    attributes: placed.attributes.clone(),
                    pass: placed.pass,
                    returns_in: returning.map(|used| used.limit.clone()).collect(),
                });
            }
            Payload::SubscriptionRenewed(renewed) => self.remove(&renewed.ended),
            Payload::SubscriptionEnded(ended) => self.remove(&ended.ended),
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
                if captured.late && captured.counted {
                    self.use_pass(captured.pass, captured.quantity);
                }
                let at = event.recorded_at;
                self.uses.count(&captured.counted_in, captured.quantity, at);
                for hold in self
                    .holds
                    .iter_mut()
                    .filter(|hold| hold.position == captured.hold)
                {
                    hold.captured += captured.amount;
                    hold.parts = split(&hold.parts, sum(&captured.held_parts)).1;
                }
                if captured.is_final {
                    self.end_hold(captured.hold, captured.counted);
                }
                self.give_back(&captured.released, &captured.graced, &captured.settled);
                self.sums(&captured.asset).spent += captured.amount;
                if captured.counted {
                    self.count(captured.operation.as_ref(), 1);
                }
            }
            Payload::HoldReleased(ended) | Payload::HoldExpired(ended) => {
                self.end_hold(ended.hold, false);
                self.give_back(&ended.parts, &ended.graced, &ended.settled);
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
            Payload::PaymentSucceeded(payment) => self.paid(payment),
            Payload::PaymentRefundStarted(started) => {
                self.remove(&started.parts);
                self.refunds.push(OpenRefund {
                    position: event.position,
                    payment: started.payment,
                    parts: started.parts.clone(),
                });
            }
            Payload::PaymentRefunded(refunded) => self.paid_back(refunded),
            Payload::PaymentRefundFailed(failed) => {
                self.refunds
                    .retain(|refund| refund.position != failed.refund);
                self.give_back(&failed.parts, &failed.graced, &failed.settled);
            }
            Payload::SubscriptionStarted(_)
            | Payload::SubscriptionPastDue(_)
            | Payload::SubscriptionCanceled(_)
            | Payload::SubscriptionResumed(_)
            | Payload::SubscriptionRescheduled(_)
            | Payload::PaymentCreated(_)
            | Payload::PaymentStatusRecorded(_)
            | Payload::PaymentCanceled(_)
            | Payload::PaymentFeeRecorded(_)
            | Payload::PaymentAnomaly(_)
            | Payload::CatalogApplied(_) => {}
        }
        for (lot, end) in self.subscribed.take_in(event, &self.lots) {
            self.end_lot_at(lot, end);
        }
        self.version += 1;
        self.position = event.position;
        self.last_activity_at = event.recorded_at;
    }

    /// A lot ends at another time, whatever of it is reserved too.
    fn end_lot_at(&mut self, id: u64, end: Timestamp) {
        let holds = self.holds.iter_mut().flat_map(|hold| &mut hold.parts);
        let refunds = self.refunds.iter_mut().flat_map(|it| &mut it.parts);
        let all = self.lots.iter_mut().chain(holds).chain(refunds);
        for lot in all.filter(|lot| lot.id == id) {
            lot.expires_at = Some(end);
        }
    }

    fn paid(&mut self, payment: &PaymentSucceeded) {
        let Money { currency, amount } = &payment.amount;
        *self.paid.entry(currency.clone()).or_default() += amount;
        if let Some(Purpose::Package { package, .. }) = &payment.purpose
            && payment.is_limited
        {
            *self.bought.entry(package.clone()).or_default() += 1;
        }
    }

    fn paid_back(&mut self, refunded: &PaymentRefunded) {
        self.refunds
            .retain(|refund| Some(refund.position) != refunded.refund);
        self.remove(&refunded.parts);
        for debt in &refunded.debts {
            self.owe(debt);
        }
        let Money { currency, amount } = &refunded.amount;
        *self.paid_back.entry(currency.clone()).or_default() += amount;
    }

    /// Debts of one lot are one; where there are too many, those of one asset.
    fn owe(&mut self, debt: &Debt) {
        self.sums(&debt.asset);
        let of_lot = self.debts.iter().position(|kept| kept.lot == debt.lot);
        let of_asset = self.debts.iter().position(|kept| kept.asset == debt.asset);
        let is_full = self.debts.len() >= DEBTS_MAX;
        match of_lot.or(of_asset.filter(|_| is_full)) {
            Some(index) => {
                self.debts[index].amount += debt.amount;
                self.debts[index].basis += debt.basis;
            }
            None => self.debts.push(debt.clone()),
        }
    }

    fn settle(&mut self, settled: &[Debt]) {
        for paid in settled {
            let index = self.debts.iter().position(|debt| debt.lot == paid.lot);
            let debt = &mut self.debts[index.unwrap()];
            assert!(paid.amount <= debt.amount, "more is settled than is owed");
            debt.basis -= share(debt.basis, paid.amount, debt.amount);
            debt.amount -= paid.amount;
            self.debts.retain(|debt| debt.amount > 0);
        }
    }

    /// Ends a hold. If nothing came of it, nothing was used.
    fn end_hold(&mut self, position: u64, is_done: bool) {
        let index = self.holds.iter().position(|hold| hold.position == position);
        let Some(hold) = index.map(|index| self.holds.remove(index)) else {
            return;
        };
        if !is_done && hold.captured == 0 {
            self.use_pass(hold.pass, -hold.quantity);
            self.uses
                .give_back(&hold.returns_in, hold.quantity, hold.placed_at);
        }
    }

    /// A pass is used so often, if it is still there.
    fn use_pass(&mut self, pass: Option<u64>, times: i64) {
        let lots = self.lots.iter_mut();
        for lot in lots.filter(|lot| Some(lot.id) == pass) {
            lot.used = (lot.used + times).max(0);
        }
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

    /// Puts a part to its lot, but for what of it pays debts.
    fn put_less(&mut self, part: &Lot, pays: &[Debt]) {
        self.lots_created = self.lots_created.max(part.id);
        let rest = Lot {
            amount: part.amount - pays.iter().map(|debt| debt.amount).sum::<i64>(),
            basis: part.basis - pays.iter().map(|debt| debt.basis).sum::<i64>(),
            ..part.clone()
        };
        if rest.amount > 0 {
            self.put(&rest);
        }
    }

    fn give_back(&mut self, parts: &[Lot], graced: &[u64], settled: &[Debt]) {
        let mut pays = settled;
        for part in parts {
            if graced.contains(&part.id) && self.graces.iter().all(|grace| grace.lot != part.id) {
                self.graces.push(Grace {
                    lot: part.id,
                    ends_at: part.expires_at.unwrap(),
                });
            }
            let of_part = usize::from(pays.first().is_some_and(|debt| debt.lot == part.id));
            self.put_less(part, &pays[..of_part]);
            pays = &pays[of_part..];
        }
        self.settle(settled);
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
