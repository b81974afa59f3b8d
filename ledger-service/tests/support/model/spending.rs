//! Charges, holds and refunds.

use ledger_core::{
    Command, Name, Payload, Rejection, Request, Timestamp,
    account::{Funding, Hold, Lot},
    catalog::{Attributes, OverrunPolicy},
    command::{CaptureHold, Charge, PlaceHold, Refund, Sweep, Target},
    event::{
        Annotations, Debited, HoldCaptured, HoldEnded, HoldExtended, HoldPlaced, PaidWith,
        Refunded, WindowUse,
    },
    record::HoldEnd,
};

use super::{
    attempt::{Attempt, Back, DAY_US, Try},
    checks::{
        check_amount, check_balance, check_counting, check_hold, check_price, check_room, identify,
        is_new,
    },
    ledger::{Flaw, Ledger},
    marks::may_pay,
    pricing::{Order, Price},
    wallet::{Wallet, split, sum},
};

impl Attempt<'_> {
    pub(super) fn charge(&mut self, charge: &Charge) -> Try<()> {
        let price = self.price(&Order {
            operation: &charge.operation,
            quantity: charge.quantity,
            attributes: &charge.attributes,
            explicit: &charge.explicit_price,
            shown: &charge.max_price,
            confirmed: charge.confirmed,
        })?;
        let (operation, quantity) = (&charge.operation, charge.quantity);
        let gifts = self.gifts(operation, quantity);
        for gift in &gifts {
            check_balance(&self.own, &gift.asset, gift.amount)?;
        }
        check_counting(&self.own, &price.counted_in)?;
        self.push(Payload::Debited(Debited {
            operation: operation.clone(),
            quantity,
            asset: price.asset,
            amount: price.amount,
            paid_with: paid_with(&price.parts, price.pass),
            parts: price.parts,
            attributes: price.attributes,
            pass: price.pass,
            counted_in: price.counted_in,
        }));
        self.give(gifts);
        Ok(())
    }

    /// What the operation itself gives, with ids.
    pub(super) fn gifts(&self, operation: &Option<Name>, quantity: i64) -> Vec<Lot> {
        let operations = &self.ledger.catalog.operations;
        let Some(found) = operation
            .as_ref()
            .and_then(|name| operations.get(name.as_str()))
        else {
            return Vec::new();
        };
        let mut lots: Vec<Lot> = Vec::new();
        for grant in &found.grants {
            let is_badge = self.is_badge(&grant.asset);
            let is_given = lots.iter().any(|lot| lot.asset == grant.asset);
            if !is_badge {
                lots.push(self.granted(grant, quantity));
            } else if !is_given && !self.is_worn(&grant.asset) {
                lots.push(self.granted(grant, 1));
            }
        }
        self.at_home(lots)
    }

    /// Lots that come with what is paid for, with ids. Where there is no room,
    /// they enlarge what is most like them: of the wallet, or of themselves.
    pub(super) fn at_home(&self, lots: Vec<Lot>) -> Vec<Lot> {
        let is_full = check_room(&self.own, lots.len()).is_err();
        let mut more = 0;
        let mut homed: Vec<Lot> = Vec::new();
        for mut lot in lots {
            let is_alike =
                |other: &Lot| other.funding == lot.funding && other.currency == lot.currency;
            let alike = self.own.payers(&lot.asset, is_alike);
            let among = homed.iter().rev();
            let among = among
                .into_iter()
                .find(|other| other.asset == lot.asset && is_alike(other));
            match alike.last().or(among).filter(|_| is_full) {
                Some(home) => lot.id = home.id,
                None => lot = identify(&self.own, &mut more, lot),
            }
            homed.push(lot);
        }
        homed
    }

    pub(super) fn give(&mut self, gifts: Vec<Lot>) {
        for lot in gifts {
            self.credited(lot, None);
        }
    }

    pub(super) fn place_hold(&mut self, place: &PlaceHold) -> Try<()> {
        let longest = 30 * DAY_US;
        if place.duration.is_some_and(|duration| duration > longest) {
            return Err(Rejection::HoldTooLong {
                maximum_expire_time: self.now.plus_us(longest),
            });
        }
        let price = self.price(&Order {
            operation: &place.operation,
            quantity: place.quantity,
            attributes: &place.attributes,
            explicit: &place.explicit_price,
            shown: &place.max_price,
            confirmed: place.confirmed,
        })?;
        check_room(&self.own, price.parts.len().max(1))?;
        check_hold(&self.own, &price)?;
        let operations = &self.ledger.catalog.operations;
        let (operation, quantity) = (&place.operation, place.quantity);
        let known = operation
            .as_ref()
            .and_then(|name| operations.get(name.as_str()));
        let by_catalog = known.map_or(15 * 60_000_000, |known| known.hold_duration_us);
        let mut duration = place.duration.unwrap_or(by_catalog);
        if self.ledger.flaw == Some(Flaw::LongHolds) {
            duration += 1_000;
        }
        let overrun = place.overrun_policy.or(known.map(|known| known.overrun));
        self.push(Payload::HoldPlaced(HoldPlaced {
            operation: operation.clone(),
            quantity,
            asset: price.asset,
            amount: price.amount,
            parts: price.parts,
            overrun: overrun.unwrap_or(OverrunPolicy::Reject),
            expires_at: self.now.plus_us(duration),
            attributes: price.attributes,
            pass: price.pass,
            counted_in: price.counted_in,
        }));
        Ok(())
    }

    /// The hold, and whether it is open; otherwise time has ended it.
    pub(super) fn find_hold(&self, target: Target) -> Try<(Hold, bool)> {
        let is_meant = |hold: &&Hold| match target {
            Target::Position(position) => hold.position == position,
            Target::Request(id) => hold.request_id == Some(id),
        };
        if let Some(hold) = self.own.holds.iter().find(is_meant) {
            return Ok((hold.clone(), true));
        }
        if let Some(hold) = self.holds_before.iter().find(is_meant) {
            return Ok((hold.clone(), false));
        }
        let held = self
            .ledger
            .held(&self.request.account, target)
            .ok_or(Rejection::HoldNotFound)?;
        match held.end {
            HoldEnd::Expired => Ok((held.hold.clone(), false)),
            end => Err(Rejection::HoldEnded {
                hold: held.hold.position,
                end,
            }),
        }
    }

    pub(super) fn open_hold(&self, target: Target) -> Try<Hold> {
        match self.find_hold(target)? {
            (hold, true) => Ok(hold),
            (hold, false) => Err(Rejection::HoldEnded {
                hold: hold.position,
                end: HoldEnd::Expired,
            }),
        }
    }

    pub(super) fn extend(&mut self, target: Target, end: Timestamp) -> Try<()> {
        let hold = self.open_hold(target)?;
        let maximum_expire_time = self.now.plus_us(30 * DAY_US);
        if end > maximum_expire_time {
            return Err(Rejection::HoldTooLong {
                maximum_expire_time,
            });
        }
        if end <= hold.expires_at {
            let expire_time = hold.expires_at;
            return Err(Rejection::HoldNotExtended {
                hold: hold.position,
                expire_time,
            });
        }
        self.push(Payload::HoldExtended(HoldExtended {
            hold: hold.position,
            expires_at: end,
        }));
        Ok(())
    }

    pub(super) fn release(&mut self, target: Target) -> Try<()> {
        let hold = self.open_hold(target)?;
        let back = self.given_back(&self.own, &hold.parts, self.now);
        let (asset, amount) = (hold.asset, sum(&hold.parts));
        let (operation, hold) = (hold.operation, hold.position);
        self.push(Payload::HoldReleased(HoldEnded {
            hold,
            operation,
            asset,
            amount,
            parts: back.parts,
            graced: back.graced,
            settled: back.settled,
        }));
        Ok(())
    }

    pub(super) fn capture(&mut self, capture: &CaptureHold) -> Try<()> {
        capture.amount.map_or(Ok(()), check_price)?;
        let (hold, is_open) = self.find_hold(capture.hold)?;
        let held = sum(&hold.parts);
        let asked = capture.amount.unwrap_or(held);
        if asked > held && hold.overrun == OverrunPolicy::Reject {
            return Err(Rejection::CaptureExceedsHold {
                hold: hold.position,
                asset: hold.asset.into(),
                amount: asked,
                held,
            });
        }
        // A pass is not spent, however much is asked for.
        let overdraws = hold.overrun == OverrunPolicy::OverdrawAvailable && hold.pass.is_none();
        let operation = hold.operation.as_ref();
        let mut pass = hold.pass;
        if pass.is_some() && !is_open {
            // It gave its use back, so an active one has to have it.
            pass = self.pass(&hold.asset, operation, hold.quantity);
            if pass.is_none() {
                return Err(self.insufficient(&hold.asset, 1, 0, operation));
            }
        }
        let free = self.own.payers(&hold.asset, |lot| may_pay(lot, operation));
        let (held_parts, rest, from_free) = if is_open {
            let (taken, rest) = split(&hold.parts, asked.min(held));
            (
                taken,
                rest,
                if overdraws { (asked - held).max(0) } else { 0 },
            )
        } else {
            let within = asked.min(held);
            if sum(&free) < within {
                return Err(self.insufficient(&hold.asset, within, sum(&free), operation));
            }
            (
                Vec::new(),
                Vec::new(),
                if overdraws { asked } else { within },
            )
        };
        let free_parts = split(&free, from_free.min(sum(&free))).0;
        let back = match capture.keep_open {
            true => Back::default(),
            false => self.given_back(&self.own, &rest, self.now),
        };
        let taken = [&held_parts[..], &free_parts[..]].concat();
        let amount = sum(&taken);
        let is_final = !capture.keep_open;
        let is_done = is_final && (hold.captured + amount > 0 || held == 0);
        let counted = is_done && hold.operation.is_some();
        let operation = hold.operation.clone().filter(|_| counted);
        let gifts = self.gifts(&operation, hold.quantity);
        // Its place was given back when it expired, unless something had been
        // captured before; where there is no room for it, it is not counted.
        let is_again = !is_open && hold.captured == 0 && (amount > 0 || is_done);
        let mut counted_in = self.limits_again(hold.operation.as_ref().filter(|_| is_again));
        if check_counting(&self.own, &counted_in).is_err() {
            counted_in.clear();
        }
        self.push(Payload::HoldCaptured(HoldCaptured {
            quantity: hold.quantity,
            hold: hold.position,
            operation: hold.operation,
            asset: hold.asset,
            amount,
            paid_with: paid_with(&taken, pass),
            held_parts,
            free_parts,
            released: back.parts,
            graced: back.graced,
            settled: back.settled,
            uncovered: asked - amount,
            is_final,
            late: !is_open,
            counted,
            attributes: hold.attributes,
            pass,
            counted_in,
        }));
        self.give(gifts);
        Ok(())
    }

    pub(super) fn refund(&mut self, refund: &Refund) -> Try<()> {
        refund.amount.map_or(Ok(()), check_amount)?;
        let found = self.ledger.charged(&self.request.account, refund.charge);
        let (position, charged) = found.ok_or(Rejection::ChargeNotFound)?;
        let refundable = sum(&charged.left);
        let amount = refund.amount.unwrap_or(refundable);
        let asset = (&charged.asset).into();
        // What a pass paid for is refunded once.
        let is_by_pass = charged.pass.is_some() && charged.counted;
        if amount > refundable || (refundable == 0 && !is_by_pass) {
            let charge = position;
            return Err(Rejection::RefundExceedsCharge {
                charge,
                asset,
                amount,
                refundable,
            });
        }
        let backwards: Vec<Lot> = charged.left.iter().rev().cloned().collect();
        let back = self.given_back(&self.own, &split(&backwards, amount).0, self.now);
        let gone = back
            .parts
            .iter()
            .filter(|part| is_new(&self.own, part))
            .count();
        if gone > 0 {
            check_room(&self.own, gone)?;
        }
        self.push(Payload::Refunded(Refunded {
            quantity: charged.quantity,
            charge: position,
            operation: charged.operation.clone(),
            asset: asset.into(),
            amount,
            refundable: refundable - amount,
            parts: back.parts,
            graced: back.graced,
            settled: back.settled,
            uncounted: charged.counted && charged.operation.is_some() && amount == refundable,
            pass: charged.pass,
        }));
        Ok(())
    }
}

fn paid_with(parts: &[Lot], pass: Option<u64>) -> PaidWith {
    if pass.is_some() {
        return PaidWith::Pass;
    }
    let bought = parts
        .iter()
        .filter(|part| part.funding == Funding::Purchased)
        .count();
    match (bought, parts.len() - bought) {
        (0, 0) => PaidWith::Nothing,
        (0, _) => PaidWith::Granted,
        (_, 0) => PaidWith::Purchased,
        _ => PaidWith::Mixed,
    }
}

/// The asset and how much of it, what it is paid with, and what it counts in.
pub(crate) type Quote = (Name, i64, Vec<Lot>, Option<u64>, Vec<WindowUse>);

/// The price of an operation for a wallet as it stands.
pub(crate) fn quote(
    ledger: &Ledger,
    wallet: &Wallet,
    now: Timestamp,
    operation: &str,
    attributes: &Attributes,
) -> Result<Quote, Rejection> {
    let request = Request {
        account: Name::default(),
        request_id: None,
        origin: "bot".into(),
        annotations: Annotations::default(),
        expires_at: None,
        command: Command::Sweep(Sweep {}),
    };
    let mut attempt = Attempt::new(ledger, &request, now, 1, wallet.clone(), None);
    attempt.bring_up();
    let Price {
        asset,
        amount,
        parts,
        pass,
        counted_in,
        ..
    } = attempt.price(&Order {
        operation: &Some(operation.into()),
        quantity: 1,
        attributes,
        explicit: &None,
        shown: &None,
        confirmed: false,
    })?;
    Ok((asset, amount, parts, pass, counted_in))
}
