//! Prices, charges, holds and refunds.

use ledger_core::{
    Command, Name, Payload, Rejection, Request, Timestamp,
    account::{Funding, Hold, Lot, Status},
    catalog::OverrunPolicy,
    command::{AssetAmount, CaptureHold, Charge, PlaceHold, Refund, Sweep, Target},
    event::{
        Annotations, Debited, HoldCaptured, HoldEnded, HoldExtended, HoldPlaced, PaidWith, Refunded,
    },
    record::HoldEnd,
};

use super::{
    attempt::{Attempt, Back, DAY_US, Try},
    checks::{check_amount, check_balance, check_least, check_price, check_room, identify, is_new},
    ledger::{Flaw, Ledger},
    wallet::{Wallet, split, sum},
};

/// A price that can be paid.
struct Price {
    asset: Name,
    amount: i64,
    parts: Vec<Lot>,
}

impl Attempt<'_> {
    pub(super) fn charge(&mut self, charge: &Charge) -> Try<()> {
        let Charge {
            operation,
            quantity,
            explicit_price,
            max_price,
            ..
        } = charge;
        let price = self.price(operation, *quantity, explicit_price, max_price)?;
        let gifts = self.gifts(operation, *quantity);
        for gift in &gifts {
            check_balance(&self.own, &gift.asset, gift.amount)?;
        }
        self.push(Payload::Debited(Debited {
            operation: operation.clone(),
            quantity: *quantity,
            asset: price.asset,
            amount: price.amount,
            paid_with: paid_with(&price.parts),
            parts: price.parts,
            ..Debited::default()
        }));
        self.give(gifts);
        Ok(())
    }

    fn price(
        &self,
        operation: &Option<Name>,
        quantity: i64,
        explicit: &Option<AssetAmount>,
        shown: &Option<AssetAmount>,
    ) -> Try<Price> {
        let catalog = &self.ledger.catalog;
        let unknown = |name: &str| Rejection::UnknownOperation {
            operation: name.to_owned(),
        };
        let known = match operation {
            Some(name) => Some(
                catalog
                    .operations
                    .get(name.as_str())
                    .ok_or_else(|| unknown(name))?,
            ),
            None => None,
        };
        let maximum = known.map_or(1_000_000, |operation| operation.quantity_max);
        check_least(1, quantity)?;
        if quantity > maximum {
            return Err(Rejection::QuantityTooLarge { quantity, maximum });
        }
        let prices: Vec<(Name, i64)> = match (explicit, known) {
            (Some(price), _) => {
                self.check_asset(&price.asset)?;
                vec![(price.asset.clone(), price.amount)]
            }
            (None, Some(known)) => {
                let prices = known.prices.iter();
                prices
                    .map(|price| (price.asset.clone(), price.amount * quantity))
                    .collect()
            }
            (None, None) => return Err(unknown("")),
        };
        prices
            .iter()
            .try_for_each(|(_, amount)| check_price(*amount))?;
        let may_pay = |lot: &Lot| {
            lot.scope.is_empty()
                || operation
                    .as_ref()
                    .is_some_and(|name| lot.scope.contains(name))
        };
        for (index, (asset, amount)) in prices.iter().enumerate() {
            let mut payers = self.own.payers(asset, may_pay);
            if sum(&payers) < *amount {
                continue;
            }
            if let Some(shown) = shown {
                let place = prices.iter().position(|(asset, _)| *asset == shown.asset);
                let is_fine = place.is_some_and(|place| {
                    index < place || (index == place && *amount <= shown.amount)
                });
                if !is_fine {
                    return Err(Rejection::PriceChanged {
                        asset: asset.into(),
                        amount: *amount,
                        max_asset: (&shown.asset).into(),
                        max_amount: shown.amount,
                    });
                }
            }
            if self.ledger.flaw == Some(Flaw::ReversedTurn) {
                payers.reverse();
            }
            let parts = split(&payers, *amount).0;
            return Ok(Price {
                asset: asset.clone(),
                amount: *amount,
                parts,
            });
        }
        let (asset, amount) = prices.last().unwrap();
        let available = sum(&self.own.payers(asset, may_pay));
        Err(self.insufficient(asset, *amount, available, operation.as_ref()))
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
        let lots = found
            .grants
            .iter()
            .map(|grant| self.granted(grant, quantity));
        self.at_home(lots.collect())
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
        let PlaceHold {
            operation,
            quantity,
            explicit_price,
            max_price,
            ..
        } = place;
        let price = self.price(operation, *quantity, explicit_price, max_price)?;
        check_room(&self.own, price.parts.len().max(1))?;
        let operations = &self.ledger.catalog.operations;
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
            quantity: *quantity,
            asset: price.asset,
            amount: price.amount,
            parts: price.parts,
            overrun: overrun.unwrap_or(OverrunPolicy::Reject),
            expires_at: self.now.plus_us(duration),
            ..HoldPlaced::default()
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
        let overdraws = hold.overrun == OverrunPolicy::OverdrawAvailable;
        let free = self.own.payers(&hold.asset, |lot| {
            lot.scope.is_empty()
                || hold
                    .operation
                    .as_ref()
                    .is_some_and(|name| lot.scope.contains(name))
        });
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
                let operation = hold.operation.as_ref();
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
        self.push(Payload::HoldCaptured(HoldCaptured {
            quantity: hold.quantity,
            hold: hold.position,
            operation: hold.operation,
            asset: hold.asset,
            amount,
            paid_with: paid_with(&taken),
            held_parts,
            free_parts,
            released: back.parts,
            graced: back.graced,
            settled: back.settled,
            uncovered: asked - amount,
            is_final,
            late: !is_open,
            counted,
            ..HoldCaptured::default()
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
        if amount > refundable || refundable == 0 {
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
            ..Refunded::default()
        }));
        Ok(())
    }
}

fn paid_with(parts: &[Lot]) -> PaidWith {
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

/// The price of an operation for a wallet as it stands.
pub(crate) fn quote(
    ledger: &Ledger,
    wallet: &Wallet,
    now: Timestamp,
    operation: &str,
) -> Result<(Name, i64, Vec<Lot>), Rejection> {
    let request = Request {
        account: Name::default(),
        request_id: None,
        origin: Name::default(),
        annotations: Annotations::default(),
        expires_at: None,
        command: Command::Sweep(Sweep {}),
    };
    let mut attempt = Attempt::new(ledger, &request, now, 1, wallet.clone(), None);
    match attempt.own.status {
        Status::NotOpened if ledger.catalog.open_on_first_use => attempt.open(),
        _ => attempt.settle(false),
    }
    let price = attempt.price(&Some(operation.into()), 1, &None, &None)?;
    Ok((price.asset, price.amount, price.parts))
}
