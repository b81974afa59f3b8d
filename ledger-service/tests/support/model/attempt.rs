//! What one request would come to: the rules, told once more.

use std::collections::BTreeMap;

use ledger_core::{
    Command, Event, Payload, Rejection, Request, Timestamp,
    account::{Funding, Grace, Hold, Lot, Status},
    catalog::{AssetKind, Grant, OverrunPolicy, parse},
    command::{
        Adjust, AssetAmount, CaptureHold, Change, Charge, Credit, PlaceHold, RecordPayment, Refund,
        Target, Transfer, encode,
    },
    event::{
        Adjusted, CatalogApplied, Credited, Debited, FORMAT, HOUSE, HoldCaptured, HoldEnded,
        HoldExtended, HoldPlaced, LotExpired, PaidWith, PaymentSucceeded, Refunded,
        TransferReceived, TransferSent,
    },
    record::HoldEnd,
};

use super::{
    ledger::{Flaw, Ledger, Verdict},
    wallet::{Wallet, split, sum},
};
use crate::support::ask::BOOK;

const AMOUNT_MAX: i64 = 1_000_000_000_000_000;
const BALANCE_MAX: i64 = 1_000 * AMOUNT_MAX;
const DAY_US: i64 = 86_400_000_000;
const PARTS_MAX: usize = 256;

type Try<T> = Result<T, Rejection>;

/// A request being tried on copies of the wallets.
pub(crate) struct Attempt<'a> {
    ledger: &'a Ledger,
    request: &'a Request,
    now: Timestamp,
    position: u64,
    own: Wallet,
    other: Option<Wallet>,
    /// The holds before time was looked at.
    holds_before: Vec<Hold>,
    events: Vec<Event>,
}

/// A price that can be paid.
struct Price {
    asset: String,
    amount: i64,
    parts: Vec<Lot>,
}

impl<'a> Attempt<'a> {
    pub(crate) fn new(
        ledger: &'a Ledger,
        request: &'a Request,
        now: Timestamp,
        position: u64,
        own: Wallet,
        other: Option<Wallet>,
    ) -> Self {
        let holds_before = own.holds.clone();
        Self {
            ledger,
            request,
            now,
            position,
            own,
            other,
            holds_before,
            events: Vec::new(),
        }
    }

    pub(crate) fn decide(mut self) -> Verdict {
        match self.run() {
            Err(rejection) => Verdict::Refused(rejection),
            Ok(true) if !self.events.is_empty() => Verdict::Events(self.events),
            Ok(_) => Verdict::Nothing(self.own.balances()),
        }
    }

    /// Whether what was made counts; otherwise there is nothing to do.
    fn run(&mut self) -> Try<bool> {
        let request = self.request;
        if let Some(expire_time) = request.expires_at.filter(|end| *end <= self.now) {
            return Err(Rejection::RequestExpired {
                expire_time,
                now: self.now,
            });
        }
        let account = || request.account.clone();
        let command = &request.command;
        let (opens, sweeps) = (
            matches!(command, Command::OpenAccount(_)),
            matches!(command, Command::Sweep(_)),
        );
        if self.own.status == Status::Closed && !opens && !sweeps {
            return Err(Rejection::AccountClosed { account: account() });
        }
        if self.own.status == Status::NotOpened {
            let opens_anyway = opens || matches!(command, Command::ApplyCatalog(_));
            if sweeps {
                // Nothing to do; its balances are what reads show.
                if self.ledger.catalog.open_on_first_use {
                    self.open();
                }
                return Ok(false);
            }
            if matches!(command, Command::CloseAccount(_))
                || (!opens_anyway && !self.ledger.catalog.open_on_first_use)
            {
                return Err(Rejection::AccountNotFound { account: account() });
            }
        }
        let spends = matches!(
            command,
            Command::Charge(_) | Command::PlaceHold(_) | Command::Transfer(_)
        );
        if let Some(reason) = self.own.block.as_ref().filter(|_| spends) {
            return Err(Rejection::AccountBlocked {
                account: account(),
                code: reason.code.clone(),
            });
        }
        let is_new = self.own.status == Status::NotOpened;
        if is_new {
            self.open();
        } else {
            self.settle(false);
        }
        self.check_metadata()?;
        match command {
            Command::OpenAccount(_) => return Ok(is_new),
            Command::Sweep(_) => {}
            Command::CloseAccount(_) => self.close()?,
            Command::BlockAccount(_) => self.push(Payload::AccountBlocked),
            Command::UnblockAccount(_) if self.own.block.is_none() => {
                return Err(Rejection::AccountNotBlocked { account: account() });
            }
            Command::UnblockAccount(_) => self.push(Payload::AccountUnblocked),
            Command::Credit(credit) => self.credit(credit)?,
            Command::Charge(charge) => self.charge(charge)?,
            Command::PlaceHold(place) => self.place_hold(place)?,
            Command::ExtendHold(extend) => self.extend(extend.hold, extend.hold_expire_time)?,
            Command::CaptureHold(capture) => self.capture(capture)?,
            Command::ReleaseHold(release) => self.release(release.hold)?,
            Command::Refund(refund) => self.refund(refund)?,
            Command::Transfer(transfer) => self.transfer(transfer)?,
            Command::Adjust(adjust) => return self.adjust(adjust),
            Command::RecordPayment(payment) => self.pay(payment)?,
            Command::ApplyCatalog(apply) => {
                let parsed = parse(&apply.text, &apply.overrides).map_err(|problems| {
                    Rejection::InvalidCatalog {
                        problems: problems.to_string(),
                    }
                })?;
                if parsed.catalog.book != BOOK {
                    let catalog_book = parsed.catalog.book;
                    return Err(Rejection::CatalogForOtherBook { catalog_book });
                }
                self.push(Payload::CatalogApplied(CatalogApplied {
                    catalog_version: self.ledger.catalog_version + 1,
                    text: apply.text.clone(),
                    overrides: parsed.overrides,
                }));
            }
        }
        Ok(true)
    }

    fn push(&mut self, payload: Payload) {
        self.push_to(false, payload);
    }

    /// Makes an event of the own or the other account, and takes it in.
    fn push_to(&mut self, to_other: bool, payload: Payload) {
        let request = self.request;
        let position = self.next_position();
        let account = match request.command.other_account() {
            Some(other) if to_other => other,
            _ => &request.account,
        };
        let wallet = match &mut self.other {
            Some(other) if to_other => other,
            _ => &mut self.own,
        };
        let mut event = Event {
            format: FORMAT,
            book: BOOK.to_owned(),
            position,
            account: account.to_owned(),
            version: wallet.version + 1,
            previous_position: wallet.position,
            origin: request.origin.clone(),
            request_id: request.request_id,
            annotations: request.annotations.clone(),
            recorded_at: self.now,
            catalog_version: self.ledger.catalog_version,
            request: self
                .events
                .is_empty()
                .then(|| encode(&request.command).into()),
            balances: Vec::new(),
            payload,
        };
        wallet.take_in(&event);
        event.balances = wallet.balances();
        self.events.push(event);
    }

    fn next_position(&self) -> u64 {
        self.position + self.events.len() as u64
    }

    fn open(&mut self) {
        self.push(Payload::AccountOpened);
        if self.request.account == HOUSE {
            return;
        }
        for grant in &self.ledger.catalog.grants_on_opening {
            let lot = self.granted(grant, 1);
            let lot = identify(&self.own, &mut 0, lot);
            self.push(Payload::Credited(Credited { lot, payment: None }));
        }
    }

    fn granted(&self, grant: &Grant, quantity: i64) -> Lot {
        Lot {
            id: 0,
            asset: grant.asset.clone(),
            amount: grant.amount * quantity,
            funding: Funding::Granted,
            source: grant.source.clone(),
            priority: grant.priority,
            expires_at: grant.expires_after_us.map(|after| self.now.plus_us(after)),
            scope: grant.scope.iter().cloned().collect(),
            basis: 0,
            currency: None,
            created_at: self.now,
        }
    }

    /// Ends what is due, the earliest first; of a hold and a lot that end
    /// together, the hold.
    fn settle(&mut self, of_other: bool) {
        loop {
            let wallet = match &self.other {
                Some(other) if of_other => other,
                _ => &self.own,
            };
            let holds = wallet
                .holds
                .iter()
                .map(|hold| (hold.expires_at, 0, hold.position));
            let turn_of = |lot: &Lot| (lot.asset.clone(), super::wallet::turn(lot));
            let is_due = |lot: &&Lot| lot.expires_at.is_some_and(|end| end <= self.now);
            let mut lots: Vec<&Lot> = wallet.lots.iter().filter(is_due).collect();
            lots.sort_by_key(|lot| turn_of(lot));
            let lots = lots
                .into_iter()
                .filter_map(|lot| Some((lot.expires_at?, 1, lot.id)));
            // The first of equals, as `min_by_key` gives it.
            let next = holds.chain(lots).min_by_key(|(end, kind, _)| (*end, *kind));
            let Some((end, kind, id)) = next.filter(|(end, ..)| *end <= self.now) else {
                return;
            };
            let payload = if kind == 0 {
                let hold = wallet
                    .holds
                    .iter()
                    .find(|hold| hold.position == id)
                    .unwrap();
                let (parts, graced) = self.given_back(wallet, &hold.parts, end);
                let (asset, amount) = (hold.asset.clone(), sum(&hold.parts));
                Payload::HoldExpired(HoldEnded {
                    hold: id,
                    asset,
                    amount,
                    parts,
                    graced,
                })
            } else {
                let lot = wallet.lots.iter().find(|lot| lot.id == id).unwrap().clone();
                Payload::LotExpired(LotExpired { lot })
            };
            self.push_to(of_other, payload);
        }
    }

    /// Parts as they come back at a moment: a lot that has ended lives on for
    /// the grace, which begins once.
    fn given_back(&self, to: &Wallet, parts: &[Lot], at: Timestamp) -> (Vec<Lot>, Vec<u64>) {
        let mut graced: Vec<u64> = Vec::new();
        let is_over = |lot: &Lot| lot.expires_at.is_some_and(|end| end <= at);
        let parts = parts.iter().map(|part| {
            let mut part = part.clone();
            let lives = to.lots.iter().any(|lot| lot.id == part.id && !is_over(lot));
            if lives || !is_over(&part) {
                return part;
            }
            let grace: Option<&Grace> = to.graces.iter().rev().find(|grace| grace.lot == part.id);
            part.expires_at = Some(match grace {
                Some(grace) => grace.ends_at,
                None => at.plus_us(self.ledger.catalog.refund_grace_us),
            });
            if grace.is_none() && !graced.contains(&part.id) {
                graced.push(part.id);
            }
            part
        });
        (parts.collect(), graced)
    }

    fn check_metadata(&self) -> Try<()> {
        let metadata = &self.request.annotations.metadata;
        let allowed = &self.ledger.catalog.metadata_keys;
        if let Some(key) = metadata.keys().find(|key| !allowed.contains(*key)) {
            return Err(Rejection::MetadataKeyNotAllowed { key: key.clone() });
        }
        // The values that the tests use.
        let kinds: BTreeMap<&str, &'static str> = [
            ("write to ann@example.org", "e-mail"),
            ("@ann_t", "@name"),
            ("+7 (912) 345-67-89", "phone"),
        ]
        .into();
        match metadata
            .iter()
            .find_map(|(key, value)| Some((key, *kinds.get(value.as_str())?)))
        {
            Some((key, kind)) => Err(Rejection::MetadataPersonal {
                key: key.clone(),
                kind,
            }),
            None => Ok(()),
        }
    }

    fn close(&mut self) -> Try<()> {
        let first_lot = self.own.account().lots.first().map(|lot| lot.asset.clone());
        let asset = first_lot.or_else(|| self.own.holds.first().map(|hold| hold.asset.clone()));
        if let Some(asset) = asset {
            let account = self.request.account.clone();
            return Err(Rejection::AccountNotEmpty { account, asset });
        }
        self.push(Payload::AccountClosed);
        Ok(())
    }

    fn check_asset(&self, asset: &str) -> Try<()> {
        match self.ledger.catalog.assets.contains_key(asset) {
            true => Ok(()),
            false => Err(Rejection::UnknownAsset {
                asset: asset.to_owned(),
            }),
        }
    }

    fn insufficient(&self, asset: &str, required: i64, available: i64) -> Rejection {
        let shortfall = required - available;
        let top_up = self.ledger.catalog.top_ups.get(asset).and_then(|top_up| {
            let needed = shortfall.max(top_up.minimum);
            let mut presets = top_up.presets.clone();
            presets.retain(|preset| *preset >= needed);
            let offer = presets.into_iter().min().unwrap_or(needed);
            (offer <= top_up.maximum).then_some(offer)
        });
        let asset = asset.to_owned();
        Rejection::InsufficientFunds {
            asset,
            required,
            available,
            shortfall,
            top_up,
        }
    }

    fn credit(&mut self, credit: &Credit) -> Try<()> {
        let operations = &self.ledger.catalog.operations;
        if let Some(operation) = credit
            .scope
            .iter()
            .find(|name| !operations.contains_key(*name))
        {
            return Err(Rejection::UnknownOperation {
                operation: operation.clone(),
            });
        }
        self.check_asset(&credit.asset)?;
        check_amount(credit.amount)?;
        credit
            .cost_basis
            .as_ref()
            .map_or(Ok(()), |basis| check_amount(basis.amount))?;
        if let Some(expire_time) = credit.lot_expire_time.filter(|end| *end <= self.now) {
            return Err(Rejection::LotExpiryPast {
                expire_time,
                now: self.now,
            });
        }
        check_balance(&self.own, &credit.asset, credit.amount)?;
        let lot = Lot {
            id: 0,
            asset: credit.asset.clone(),
            amount: credit.amount,
            funding: credit.funding,
            source: credit.source.clone(),
            priority: credit.priority,
            expires_at: credit.lot_expire_time,
            scope: credit.scope.clone(),
            basis: credit.cost_basis.as_ref().map_or(0, |basis| basis.amount),
            currency: credit
                .cost_basis
                .as_ref()
                .map(|basis| basis.currency.clone()),
            created_at: self.now,
        };
        let lot = self.roomy(lot)?;
        self.push(Payload::Credited(Credited { lot, payment: None }));
        Ok(())
    }

    /// A lot with its id; refused if it is one more and there is no room.
    fn roomy(&self, lot: Lot) -> Try<Lot> {
        let lot = identify(&self.own, &mut 0, lot);
        if is_new(&self.own, &lot) {
            check_room(&self.own, 1)?;
        }
        Ok(lot)
    }

    fn charge(&mut self, charge: &Charge) -> Try<()> {
        let Charge {
            operation,
            quantity,
            explicit_price,
            max_price,
        } = charge;
        let price = self.price(operation, *quantity, explicit_price, max_price)?;
        let gifts = self.gifts(operation, *quantity, false);
        for gift in &gifts {
            check_balance(&self.own, &gift.asset, gift.amount)?;
        }
        if gifts.iter().any(|gift| is_new(&self.own, gift)) {
            check_room(&self.own, gifts.len())?;
        }
        self.push(Payload::Debited(Debited {
            operation: operation.clone(),
            quantity: *quantity,
            asset: price.asset,
            amount: price.amount,
            paid_with: paid_with(&price.parts),
            parts: price.parts,
        }));
        self.give(gifts);
        Ok(())
    }

    fn price(
        &self,
        operation: &Option<String>,
        quantity: i64,
        explicit: &Option<AssetAmount>,
        shown: &Option<AssetAmount>,
    ) -> Try<Price> {
        let catalog = &self.ledger.catalog;
        let unknown = |name: &str| Rejection::UnknownOperation {
            operation: name.to_owned(),
        };
        let known = match operation {
            Some(name) => Some(catalog.operations.get(name).ok_or_else(|| unknown(name))?),
            None => None,
        };
        let maximum = known.map_or(1_000_000, |operation| operation.quantity_max);
        if quantity > maximum {
            return Err(Rejection::QuantityTooLarge { quantity, maximum });
        }
        let prices: Vec<(String, i64)> = match (explicit, known) {
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
            .try_for_each(|(_, amount)| check_amount(*amount))?;
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
                        asset: asset.clone(),
                        amount: *amount,
                        max_asset: shown.asset.clone(),
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
        Err(self.insufficient(asset, *amount, sum(&self.own.payers(asset, may_pay))))
    }

    /// What the operation itself gives, with ids.
    fn gifts(&self, operation: &Option<String>, quantity: i64, must_fit: bool) -> Vec<Lot> {
        let operations = &self.ledger.catalog.operations;
        let Some(found) = operation.as_ref().and_then(|name| operations.get(name)) else {
            return Vec::new();
        };
        let is_full = must_fit && check_room(&self.own, found.grants.len()).is_err();
        let mut more = 0;
        let gifts = found.grants.iter().map(|grant| {
            let mut lot = self.granted(grant, quantity);
            let given = self
                .own
                .payers(&lot.asset, |lot| lot.funding == Funding::Granted);
            match given.last().filter(|_| is_full) {
                Some(last) => {
                    lot.id = last.id;
                    lot
                }
                None => identify(&self.own, &mut more, lot),
            }
        });
        gifts.collect()
    }

    fn give(&mut self, gifts: Vec<Lot>) {
        for lot in gifts {
            self.push(Payload::Credited(Credited { lot, payment: None }));
        }
    }

    fn place_hold(&mut self, place: &PlaceHold) -> Try<()> {
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
        let known = operation.as_ref().and_then(|name| operations.get(name));
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
        }));
        Ok(())
    }

    /// The hold, and whether it is open; otherwise time has ended it.
    fn find_hold(&self, target: Target) -> Try<(Hold, bool)> {
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

    fn open_hold(&self, target: Target) -> Try<Hold> {
        match self.find_hold(target)? {
            (hold, true) => Ok(hold),
            (hold, false) => Err(Rejection::HoldEnded {
                hold: hold.position,
                end: HoldEnd::Expired,
            }),
        }
    }

    fn extend(&mut self, target: Target, end: Timestamp) -> Try<()> {
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

    fn release(&mut self, target: Target) -> Try<()> {
        let hold = self.open_hold(target)?;
        let (parts, graced) = self.given_back(&self.own, &hold.parts, self.now);
        let (asset, amount) = (hold.asset, sum(&hold.parts));
        let hold = hold.position;
        self.push(Payload::HoldReleased(HoldEnded {
            hold,
            asset,
            amount,
            parts,
            graced,
        }));
        Ok(())
    }

    fn capture(&mut self, capture: &CaptureHold) -> Try<()> {
        let (hold, is_open) = self.find_hold(capture.hold)?;
        let held = sum(&hold.parts);
        let asked = capture.amount.unwrap_or(held);
        if asked > held && hold.overrun == OverrunPolicy::Reject {
            return Err(Rejection::CaptureExceedsHold {
                hold: hold.position,
                asset: hold.asset,
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
                return Err(self.insufficient(&hold.asset, within, sum(&free)));
            }
            (
                Vec::new(),
                Vec::new(),
                if overdraws { asked } else { within },
            )
        };
        let free_parts = split(&free, from_free.min(sum(&free))).0;
        let (released, graced) = match capture.keep_open {
            true => (Vec::new(), Vec::new()),
            false => self.given_back(&self.own, &rest, self.now),
        };
        let taken = [&held_parts[..], &free_parts[..]].concat();
        let amount = sum(&taken);
        let is_final = !capture.keep_open;
        let is_done = is_final && (hold.captured + amount > 0 || held == 0);
        let counted = is_done && hold.operation.is_some();
        let operation = hold.operation.clone().filter(|_| counted);
        let gifts = self.gifts(&operation, hold.quantity, true);
        self.push(Payload::HoldCaptured(HoldCaptured {
            hold: hold.position,
            operation: hold.operation,
            asset: hold.asset,
            amount,
            paid_with: paid_with(&taken),
            held_parts,
            free_parts,
            released,
            graced,
            uncovered: asked - amount,
            is_final,
            late: !is_open,
            counted,
        }));
        self.give(gifts);
        Ok(())
    }

    fn refund(&mut self, refund: &Refund) -> Try<()> {
        let found = self.ledger.charged(&self.request.account, refund.charge);
        let (position, charged) = found.ok_or(Rejection::ChargeNotFound)?;
        let refundable = sum(&charged.left);
        let amount = refund.amount.unwrap_or(refundable);
        let asset = charged.asset.clone();
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
        let (parts, graced) = self.given_back(&self.own, &split(&backwards, amount).0, self.now);
        let gone = parts.iter().filter(|part| is_new(&self.own, part)).count();
        if gone > 0 {
            check_room(&self.own, gone)?;
        }
        self.push(Payload::Refunded(Refunded {
            charge: position,
            operation: charged.operation.clone(),
            asset,
            amount,
            refundable: refundable - amount,
            parts,
            graced,
            uncounted: charged.counted && charged.operation.is_some() && amount == refundable,
        }));
        Ok(())
    }

    fn transfer(&mut self, transfer: &Transfer) -> Try<()> {
        let Transfer {
            destination_account: destination,
            asset,
            amount,
        } = transfer;
        let account = || destination.clone();
        if *destination == self.request.account {
            return Err(Rejection::TransferToSelf { account: account() });
        }
        self.check_asset(asset)?;
        check_amount(*amount)?;
        let other = self.other.as_ref().unwrap();
        match (other.status, &other.block) {
            (Status::NotOpened, _) => {
                return Err(Rejection::AccountNotFound { account: account() });
            }
            (Status::Closed, _) => return Err(Rejection::AccountClosed { account: account() }),
            (Status::Open, Some(reason)) => {
                let code = reason.code.clone();
                return Err(Rejection::AccountBlocked {
                    account: account(),
                    code,
                });
            }
            (Status::Open, None) => {}
        }
        // What is due of the other account counts now and is written down after
        // the own account's events: the first event carries the request.
        let (events, unsettled) = (self.events.clone(), self.other.clone());
        self.settle(true);
        let settled = std::mem::replace(&mut self.other, unsettled).unwrap();
        self.events = events;
        let bought = self
            .own
            .payers(asset, |lot| lot.funding == Funding::Purchased);
        if sum(&bought) < *amount {
            return Err(self.insufficient(asset, *amount, sum(&bought)));
        }
        let parts = split(&bought, *amount).0;
        check_balance(&settled, asset, *amount)?;
        check_room(&settled, parts.len())?;
        let mut more = 0;
        let received = parts
            .iter()
            .map(|part| identify(&settled, &mut more, part.clone()))
            .collect();
        let sent_at = self.next_position();
        let (asset, amount) = (asset.clone(), *amount);
        let (destination, source) = (account(), self.request.account.clone());
        self.push(Payload::TransferSent(TransferSent {
            destination,
            asset: asset.clone(),
            amount,
            parts,
        }));
        self.settle(true);
        let parts = received;
        let received = TransferReceived {
            source,
            transfer: sent_at,
            asset,
            amount,
            parts,
        };
        self.push_to(true, Payload::TransferReceived(received));
        Ok(())
    }

    fn adjust(&mut self, adjust: &Adjust) -> Try<bool> {
        self.check_asset(&adjust.asset)?;
        let free = self.own.free(&adjust.asset);
        let delta = match adjust.change {
            Change::Delta(delta) => {
                check_amount(delta.abs())?;
                delta
            }
            Change::SetTo {
                available,
                expected,
            } => {
                check_amount(available)?;
                if expected != free {
                    let asset = adjust.asset.clone();
                    return Err(Rejection::BalanceMismatch {
                        asset,
                        expected,
                        available: free,
                    });
                }
                available - free
            }
        };
        let asset = adjust.asset.clone();
        let (parts, lot) = match delta {
            0 => return Ok(false),
            1.. => {
                check_balance(&self.own, &asset, delta)?;
                let lot = Lot {
                    id: 0,
                    asset: asset.clone(),
                    amount: delta,
                    funding: Funding::Granted,
                    source: "ADJUSTMENT".to_owned(),
                    priority: 0,
                    expires_at: None,
                    scope: Vec::new(),
                    basis: 0,
                    currency: None,
                    created_at: self.now,
                };
                (Vec::new(), Some(self.roomy(lot)?))
            }
            ..0 if free < -delta => return Err(self.insufficient(&asset, -delta, free)),
            ..0 => (split(&self.own.payers(&asset, |_| true), -delta).0, None),
        };
        self.push(Payload::Adjusted(Adjusted {
            asset,
            delta,
            parts,
            lot,
        }));
        Ok(true)
    }

    fn pay(&mut self, payment: &RecordPayment) -> Try<()> {
        let currency = &payment.amount.currency;
        let asset = self.ledger.catalog.assets.get(currency);
        if asset.is_none_or(|asset| asset.kind != AssetKind::Money) {
            return Err(Rejection::UnknownCurrency {
                currency: currency.clone(),
            });
        }
        check_balance(&self.own, currency, payment.amount.amount)?;
        let lot = Lot {
            id: 0,
            asset: currency.clone(),
            amount: payment.amount.amount,
            funding: Funding::Purchased,
            source: "PAYMENT".to_owned(),
            priority: 0,
            expires_at: None,
            scope: Vec::new(),
            basis: payment.amount.amount,
            currency: Some(currency.clone()),
            created_at: self.now,
        };
        let lot = identify(&self.own, &mut 0, lot);
        let position = self.next_position();
        self.push(Payload::PaymentSucceeded(PaymentSucceeded {
            provider: payment.provider.clone(),
            merchant_account: payment.merchant_account.clone(),
            provider_ids: payment.provider_ids.clone(),
            amount: payment.amount.clone(),
            income: payment.income_amount.clone(),
            test: payment.test,
        }));
        self.push(Payload::Credited(Credited {
            lot,
            payment: Some(position),
        }));
        Ok(())
    }
}

fn check_amount(amount: i64) -> Try<()> {
    match amount > AMOUNT_MAX {
        true => Err(Rejection::AmountTooLarge {
            amount,
            maximum: AMOUNT_MAX,
        }),
        false => Ok(()),
    }
}

fn check_balance(wallet: &Wallet, asset: &str, more: i64) -> Try<()> {
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
fn check_room(wallet: &Wallet, more: usize) -> Try<()> {
    let parts = wallet.part_count();
    // Fewer parts than these do not fill 15 KiB; encoding takes time.
    let is_crowded = parts > 40 && encode(&wallet.account()).len() > 15 * 1_024;
    match parts + more > PARTS_MAX || is_crowded {
        true => Err(Rejection::WalletFull {
            parts,
            maximum: PARTS_MAX,
        }),
        false => Ok(()),
    }
}

fn is_new(wallet: &Wallet, lot: &Lot) -> bool {
    wallet.lots.iter().all(|other| other.id != lot.id)
}

/// Gives a lot the id of an equal one, or the next id. `more` ids are given out
/// already.
fn identify(wallet: &Wallet, more: &mut u64, mut lot: Lot) -> Lot {
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
) -> Result<(String, i64, Vec<Lot>), Rejection> {
    let request = Request {
        account: String::new(),
        request_id: None,
        origin: String::new(),
        annotations: ledger_core::event::Annotations::default(),
        expires_at: None,
        command: Command::Sweep(ledger_core::command::Sweep {}),
    };
    let mut attempt = Attempt::new(ledger, &request, now, 1, wallet.clone(), None);
    match attempt.own.status {
        Status::NotOpened if ledger.catalog.open_on_first_use => attempt.open(),
        _ => attempt.settle(false),
    }
    let price = attempt.price(&Some(operation.to_owned()), 1, &None, &None)?;
    Ok((price.asset, price.amount, price.parts))
}
