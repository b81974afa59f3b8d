//! How events change an account. Total over the events of this version; what
//! can go wrong is only that an event does not belong here.

use thiserror::Error;

use super::{Account, AssetTotals, Funding, Grace, Hold, Lot, Status};
use crate::{
    event::{
        Adjusted, Balance, Credited, Debited, Debt, Event, HoldCaptured, HoldEnded, HoldPlaced,
        Payload, Reason, Refunded, TransferReceived, TransferSent, WindowUse,
    },
    limits::GRACED_LOTS_MAX,
    name::Name,
    primitives::Timestamp,
};

/// An event that cannot be the account's next one: the log is damaged, or the
/// account is not the one it should be. Whoever meets this stops writing.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum EvolveError {
    /// A version is missing or repeated.
    #[error("event {position} has version {found}, the account expects {expected}")]
    VersionGap {
        /// The event's position.
        position: u64,
        /// The version that the account expects.
        expected: u64,
        /// The version that the event has.
        found: u64,
    },
    /// The event points at another predecessor.
    #[error("event {position} follows {found}, the account's last event is {expected}")]
    WrongPredecessor {
        /// The event's position.
        position: u64,
        /// The account's last position.
        expected: u64,
        /// The predecessor that the event names.
        found: u64,
    },
    /// The event takes what is not there.
    #[error("event {position} takes what lot or hold {id} does not have")]
    Missing {
        /// The event's position.
        position: u64,
        /// The lot or hold.
        id: u64,
    },
}

impl Account {
    /// Applies the account's next event.
    ///
    /// # Errors
    /// The event is not the account's next one, or takes what is not there;
    /// the account must not be used any more then.
    pub fn evolve(&mut self, event: &Event) -> Result<(), EvolveError> {
        let position = event.position;
        let expected = self.version.saturating_add(1);
        if event.version != expected {
            return Err(EvolveError::VersionGap {
                position,
                expected,
                found: event.version,
            });
        }
        if event.previous_position != self.position {
            return Err(EvolveError::WrongPredecessor {
                position,
                expected: self.position,
                found: event.previous_position,
            });
        }
        self.apply(event)
            .map_err(|id| EvolveError::Missing { position, id })?;
        self.version = event.version;
        self.position = position;
        self.last_activity_at = event.recorded_at;
        Ok(())
    }

    /// The balances as events carry them, every asset it has or had.
    #[must_use]
    pub fn balances(&self) -> Vec<Balance> {
        self.assets
            .iter()
            .map(|(asset, totals)| Balance::new(asset, totals))
            .collect()
    }

    fn apply(&mut self, event: &Event) -> Result<(), u64> {
        match &event.payload {
            Payload::AccountOpened => self.open(event),
            Payload::AccountClosed => self.status = Status::Closed,
            // The edge asks for a reason; without one it is blocked all the same.
            Payload::AccountBlocked => {
                let unsaid = || Reason {
                    code: "UNSPECIFIED".into(),
                    text: None,
                };
                self.block = Some(event.annotations.reason.clone().unwrap_or_else(unsaid));
            }
            Payload::AccountUnblocked => self.block = None,
            Payload::Credited(credited) => self.credited(credited),
            Payload::Debited(debited) => self.debited(debited, event.recorded_at)?,
            Payload::Refunded(refunded) => self.refunded(refunded),
            Payload::HoldPlaced(placed) => self.hold_placed(placed, event)?,
            Payload::HoldExtended(extended) => {
                self.hold_mut(extended.hold)?.expires_at = extended.expires_at;
            }
            Payload::HoldCaptured(captured) => self.hold_captured(captured, event.recorded_at)?,
            Payload::HoldReleased(ended) | Payload::HoldExpired(ended) => self.hold_ended(ended)?,
            Payload::LotExpired(expired) => {
                self.remove_parts(std::slice::from_ref(&expired.lot))?;
                self.lose(&expired.lot.asset, expired.lot.amount);
            }
            Payload::Adjusted(adjusted) => self.adjusted(adjusted)?,
            Payload::TransferSent(sent) => self.transfer_sent(sent)?,
            Payload::TransferReceived(received) => self.transfer_received(received),
            Payload::PaymentSucceeded(payment) => self.payment_succeeded(payment),
            Payload::PaymentRefundStarted(started) => {
                self.payment_refund_started(started, event.position)?;
            }
            Payload::PaymentRefunded(refunded) => self.payment_refunded(refunded)?,
            Payload::PaymentRefundFailed(failed) => self.payment_refund_failed(failed)?,
            Payload::PaymentCreated(created) => {
                let period = created.period.as_ref();
                let renews = period.and_then(|period| period.subscription);
                self.renewal_attempted(renews, event.position);
                self.auto_top_up_created(created, event.position);
            }
            Payload::PaymentCanceled(canceled) => {
                self.renewal_failed(canceled.payment, event.recorded_at);
                self.auto_top_up_ended(canceled.payment, None);
            }
            Payload::SubscriptionStarted(started) => {
                self.subscription_started(started, event.position);
            }
            Payload::SubscriptionRenewed(renewed) => self.subscription_renewed(renewed)?,
            Payload::SubscriptionPastDue(due) => self.subscription_past_due(due)?,
            Payload::SubscriptionCanceled(changed) => self.subscription_canceled(changed, true)?,
            Payload::SubscriptionResumed(changed) => self.subscription_canceled(changed, false)?,
            Payload::SubscriptionEnded(ended) => self.subscription_ended(ended)?,
            Payload::PaymentStatusRecorded(_)
            | Payload::PaymentFeeRecorded(_)
            | Payload::PaymentAnomaly(_)
            | Payload::CatalogApplied(_) => {}
        }
        Ok(())
    }

    fn open(&mut self, event: &Event) {
        self.status = Status::Open;
        self.opened_at = event.recorded_at;
        self.origin.clone_from(&event.origin);
    }

    fn credited(&mut self, credited: &Credited) {
        let lot = &credited.lot;
        self.add_less(lot, &credited.settled);
        self.settle(&credited.settled);
        let totals = self.totals_mut(&lot.asset);
        totals.balance = totals.balance.saturating_add(lot.amount);
        let sum = match lot.funding {
            Funding::Granted => &mut totals.granted,
            Funding::Purchased => &mut totals.bought,
        };
        *sum = sum.saturating_add(lot.amount);
        if let Some(period) = &credited.recurring {
            self.recurring.insert(period.grant.clone(), period.next_at);
        }
        self.period_gave(credited);
    }

    fn debited(&mut self, debited: &Debited, at: Timestamp) -> Result<(), u64> {
        self.remove_parts(&debited.parts)?;
        self.use_pass(debited.pass, debited.quantity);
        self.count_in(&debited.counted_in, debited.quantity, at);
        self.lose(&debited.asset, debited.amount);
        self.spend(&debited.asset, debited.amount);
        self.count_operation(debited.operation.as_deref(), 1);
        Ok(())
    }

    fn refunded(&mut self, refunded: &Refunded) {
        self.give_back(&refunded.parts, &refunded.graced, &refunded.settled);
        let totals = self.totals_mut(&refunded.asset);
        totals.balance = totals.balance.saturating_add(refunded.amount);
        totals.refunded = totals.refunded.saturating_add(refunded.amount);
        totals.spent = totals.spent.saturating_sub(refunded.amount);
        if refunded.uncounted {
            self.count_operation(refunded.operation.as_deref(), -1);
        }
        self.use_pass(refunded.pass, refunded.quantity.saturating_neg());
    }

    fn hold_placed(&mut self, placed: &HoldPlaced, event: &Event) -> Result<(), u64> {
        self.remove_parts(&placed.parts)?;
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
            returns_in: returning(&placed.counted_in),
        });
        self.use_pass(placed.pass, placed.quantity);
        self.count_in(&placed.counted_in, placed.quantity, event.recorded_at);
        let totals = self.totals_mut(&placed.asset);
        totals.held = totals.held.saturating_add(placed.amount);
        Ok(())
    }

    fn hold_captured(&mut self, captured: &HoldCaptured, at: Timestamp) -> Result<(), u64> {
        if captured.late && captured.counted {
            self.use_pass(captured.pass, captured.quantity);
        }
        self.count_in(&captured.counted_in, captured.quantity, at);
        self.remove_parts(&captured.free_parts)?;
        self.take_from_hold(captured.hold, &captured.held_parts, captured.amount)?;
        self.take_from_hold(captured.hold, &captured.released, 0)?;
        self.give_back(&captured.released, &captured.graced, &captured.settled);
        if captured.is_final && captured.counted {
            self.holds.retain(|hold| hold.position != captured.hold);
        } else if captured.is_final {
            self.end_hold(captured.hold);
        }
        self.lose(&captured.asset, captured.amount);
        self.spend(&captured.asset, captured.amount);
        if captured.counted {
            self.count_operation(captured.operation.as_deref(), 1);
        }
        Ok(())
    }

    fn hold_ended(&mut self, ended: &HoldEnded) -> Result<(), u64> {
        self.take_from_hold(ended.hold, &ended.parts, 0)?;
        self.end_hold(ended.hold);
        self.give_back(&ended.parts, &ended.graced, &ended.settled);
        Ok(())
    }

    fn adjusted(&mut self, adjusted: &Adjusted) -> Result<(), u64> {
        self.remove_parts(&adjusted.parts)?;
        if let Some(lot) = &adjusted.lot {
            self.add_part(lot);
        }
        let totals = self.totals_mut(&adjusted.asset);
        totals.balance = totals.balance.saturating_add(adjusted.delta);
        Ok(())
    }

    fn transfer_sent(&mut self, sent: &TransferSent) -> Result<(), u64> {
        self.remove_parts(&sent.parts)?;
        self.lose(&sent.asset, sent.amount);
        Ok(())
    }

    fn transfer_received(&mut self, received: &TransferReceived) {
        for part in &received.parts {
            self.add_part(part);
        }
        let totals = self.totals_mut(&received.asset);
        totals.balance = totals.balance.saturating_add(received.amount);
    }

    /// Counts uses of a pass, or takes them back. One that has ended counts
    /// nothing.
    fn use_pass(&mut self, pass: Option<u64>, quantity: i64) {
        let lot = pass.and_then(|id| self.lots.iter_mut().find(|lot| lot.id == id));
        if let Some(lot) = lot {
            lot.used = lot.used.saturating_add(quantity).max(0);
        }
    }

    /// Counts in windows, and forgets what has left any of them, so that those
    /// of limits that are no more do not stay.
    fn count_in(&mut self, uses: &[WindowUse], quantity: i64, at: Timestamp) {
        if uses.is_empty() {
            return;
        }
        for used in uses {
            self.windows
                .get_or_insert_default(&used.limit)
                .add(at, quantity, used.window_us);
        }
        self.windows
            .values_mut()
            .for_each(|window| window.forget(at));
        self.windows.retain(|window| !window.is_empty());
    }

    /// Ends a hold. One of which nothing was captured gives back what it had
    /// taken besides lots.
    fn end_hold(&mut self, id: u64) {
        let index = self.holds.iter().position(|hold| hold.position == id);
        let Some(hold) = index.map(|index| self.holds.remove(index)) else {
            return;
        };
        if hold.captured > 0 {
            return;
        }
        self.use_pass(hold.pass, hold.quantity.saturating_neg());
        for limit in &hold.returns_in {
            if let Some(window) = self.windows.get_mut(limit) {
                window.take_back(hold.placed_at, hold.quantity);
            }
        }
    }

    /// Takes `parts` out of a hold, which must have them, in their order. A
    /// late capture takes nothing of a hold that is gone.
    fn take_from_hold(&mut self, id: u64, parts: &[Lot], captured: i64) -> Result<(), u64> {
        if parts.is_empty() && captured == 0 {
            return Ok(());
        }
        let Some(hold) = self.holds.iter_mut().find(|hold| hold.position == id) else {
            return if parts.is_empty() { Ok(()) } else { Err(id) };
        };
        hold.captured = hold.captured.saturating_add(captured);
        let asset = hold.asset.clone();
        let mut taken = 0_i64;
        for part in parts {
            let index = hold
                .parts
                .iter()
                .position(|held| held.id == part.id)
                .ok_or(id)?;
            let held = hold.parts.get_mut(index).ok_or(id)?;
            if held.amount < part.amount {
                return Err(id);
            }
            held.remove(part);
            if held.amount == 0 {
                hold.parts.remove(index);
            }
            taken = taken.saturating_add(part.amount);
        }
        let totals = self.totals_mut(&asset);
        totals.held = totals.held.saturating_sub(taken);
        Ok(())
    }

    /// Gives parts back to their lots, but for what of them pays what is owed.
    pub(super) fn give_back(&mut self, parts: &[Lot], graced: &[u64], settled: &[Debt]) {
        let mut settled_left = settled.iter().peekable();
        for part in parts {
            let pays = settled_left.next_if(|debt| debt.lot == part.id);
            self.add_less(part, pays);
        }
        self.settle(settled);
        let part_of = |lot: &u64| parts.iter().find(|part| part.id == *lot);
        self.graced_lots.extend(graced.iter().filter_map(|lot| {
            Some(Grace {
                lot: *lot,
                ends_at: part_of(lot)?.expires_at?,
            })
        }));
        let excess = self.graced_lots.len().saturating_sub(GRACED_LOTS_MAX);
        self.graced_lots.drain(..excess);
    }

    /// Adds a part to its lot, less what of it pays what is owed.
    fn add_less<'d>(&mut self, part: &Lot, pays: impl IntoIterator<Item = &'d Debt>) {
        self.lots_created = self.lots_created.max(part.id);
        let mut rest = part.clone();
        for debt in pays {
            rest.amount = rest.amount.saturating_sub(debt.amount);
            rest.basis = rest.basis.saturating_sub(debt.basis);
        }
        if rest.amount > 0 {
            self.add_part(&rest);
        }
    }

    /// Adds a part to its lot, or makes the lot anew in its place in the order.
    pub(super) fn add_part(&mut self, part: &Lot) {
        self.lots_created = self.lots_created.max(part.id);
        if let Some(lot) = self.lots.iter_mut().find(|lot| lot.id == part.id) {
            lot.add(part);
            return;
        }
        let index = self.lots.partition_point(|lot| lot.order() < part.order());
        self.lots.insert(index, part.clone());
    }

    pub(super) fn remove_parts(&mut self, parts: &[Lot]) -> Result<(), u64> {
        // Parts come in order of consumption, so the search goes on where the
        // last one was found.
        let mut from = 0_usize;
        for part in parts {
            let index = self.find_lot(part.id, from).ok_or(part.id)?;
            let lot = self.lots.get_mut(index).ok_or(part.id)?;
            if lot.amount < part.amount || lot.basis < part.basis {
                return Err(part.id);
            }
            lot.remove(part);
            if lot.amount == 0 {
                self.lots.remove(index);
            }
            from = index;
        }
        Ok(())
    }

    fn find_lot(&self, id: u64, from: usize) -> Option<usize> {
        let ahead = self.lots.get(from..)?.iter().position(|lot| lot.id == id);
        match ahead {
            Some(offset) => from.checked_add(offset),
            None => self.lots.iter().position(|lot| lot.id == id),
        }
    }

    fn hold_mut(&mut self, id: u64) -> Result<&mut Hold, u64> {
        self.holds
            .iter_mut()
            .find(|hold| hold.position == id)
            .ok_or(id)
    }

    pub(super) fn totals_mut(&mut self, asset: &str) -> &mut AssetTotals {
        self.assets.get_or_insert_default(asset)
    }

    pub(super) fn lose(&mut self, asset: &str, amount: i64) {
        let totals = self.totals_mut(asset);
        totals.balance = totals.balance.saturating_sub(amount);
    }

    fn spend(&mut self, asset: &str, amount: i64) {
        let totals = self.totals_mut(asset);
        totals.spent = totals.spent.saturating_add(amount);
    }

    fn count_operation(&mut self, operation: Option<&str>, delta: i64) {
        let Some(operation) = operation else { return };
        let count = self.operations.get_or_insert_default(operation);
        *count = count.saturating_add(delta);
    }
}

/// The limits whose places a hold gives back when it is given up.
fn returning(counted_in: &[WindowUse]) -> Vec<Name> {
    let returning = counted_in.iter().filter(|used| used.returns);
    returning.map(|used| used.limit.clone()).collect()
}
