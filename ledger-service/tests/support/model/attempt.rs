//! What one request would come to: who is admitted, what time has ended, and
//! which rule applies. The rules themselves are in `spending` and `moving`.

use std::{collections::BTreeMap, sync::Arc};

use ledger_core::{
    Command, Event, Payload, Rejection, Request, Timestamp,
    account::{Funding, Hold, Lot, Status},
    catalog::{Grant, parse},
    command::encode,
    event::{CatalogApplied, Credited, Debt, FORMAT, HOUSE, HoldEnded, LotExpired},
};

use super::{
    checks::identify,
    ledger::{Ledger, Verdict},
    paid::Paid,
    subscribed::due,
    wallet::{Wallet, sum},
};

pub(super) const DAY_US: i64 = 86_400_000_000;

pub(super) type Try<T> = Result<T, Rejection>;

/// What comes back to a wallet.
#[derive(Default)]
pub(super) struct Back {
    pub(super) parts: Vec<Lot>,
    pub(super) graced: Vec<u64>,
    pub(super) settled: Vec<Debt>,
}

/// A request being tried on copies of the wallets.
pub(crate) struct Attempt<'a> {
    pub(super) ledger: &'a Ledger,
    pub(super) request: &'a Request,
    pub(super) now: Timestamp,
    position: u64,
    pub(super) own: Wallet,
    pub(super) other: Option<Wallet>,
    /// The holds before time was looked at.
    pub(super) holds_before: Vec<Hold>,
    pub(super) events: Vec<Event>,
    /// The payment that it is about.
    pub(super) meant: Option<Arc<Paid>>,
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
            meant: None,
        }
    }

    pub(crate) fn decide(mut self) -> Verdict {
        match self.run() {
            Err(rejection) => Verdict::Refused(rejection),
            Ok(true) if !self.events.is_empty() => Verdict::Events(self.events),
            Ok(_) => {
                // What reads show, whatever would have been written down.
                self.give_recurring();
                Verdict::Nothing(self.own.balances())
            }
        }
    }

    /// Whether what was made counts; otherwise there is nothing to do.
    pub(super) fn run(&mut self) -> Try<bool> {
        let request = self.request;
        if let Some(expire_time) = request.expires_at.filter(|end| *end <= self.now) {
            return Err(Rejection::RequestExpired {
                expire_time,
                now: self.now,
            });
        }
        let account = || String::from(&request.account);
        let command = &request.command;
        let (opens, sweeps) = (
            matches!(command, Command::OpenAccount(_)),
            matches!(command, Command::Sweep(_)),
        );
        // What was paid and paid back is recorded, whatever became of the account.
        let is_of_money = matches!(
            command,
            Command::RecordPayment(_) | Command::RecordRefund(_) | Command::RefundPayment(_)
        );
        let is_closed = self.own.status == Status::Closed;
        if is_closed && !opens && !sweeps && !is_of_money {
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
            Command::Charge(_)
                | Command::PlaceHold(_)
                | Command::Transfer(_)
                | Command::CreatePayment(_)
        );
        if let Some(reason) = self.own.block.as_ref().filter(|_| spends) {
            return Err(Rejection::AccountBlocked {
                account: account(),
                code: (&reason.code).into(),
            });
        }
        let is_new = self.own.status == Status::NotOpened;
        if is_new {
            self.open();
        } else if !(is_closed && is_of_money) {
            self.settle(false);
            if !sweeps && !matches!(command, Command::CloseAccount(_)) {
                self.give_recurring();
            }
        }
        self.follow_meant();
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
            Command::CreatePayment(create) => self.create_payment(create)?,
            Command::RecordPayment(said) => self.record_payment(said)?,
            Command::RefundPayment(refund) => self.refund_payment(refund)?,
            Command::RecordRefund(said) => self.record_refund(said)?,
            Command::CancelSubscription(it) => return self.cancel(it.subscription, true),
            Command::ResumeSubscription(it) => return self.cancel(it.subscription, false),
            Command::ApplyCatalog(apply) => {
                let parsed = parse(&apply.text, &apply.overrides).map_err(|problems| {
                    Rejection::InvalidCatalog {
                        problems: problems.to_string(),
                    }
                })?;
                if parsed.catalog.book != self.ledger.book {
                    let catalog_book = parsed.catalog.book;
                    return Err(Rejection::CatalogForOtherBook { catalog_book });
                }
                let catalog_version = self.ledger.catalog_version;
                let expected = apply.expected_version.unwrap_or(catalog_version);
                if expected != catalog_version {
                    return Err(Rejection::CatalogChanged { catalog_version });
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

    /// The payment that it is about, with what time has just done to it.
    fn follow_meant(&mut self) {
        let Some(meant) = &mut self.meant else { return };
        for event in &self.events {
            if let Payload::Credited(credited) = &event.payload
                && credited.payment == Some(meant.position)
            {
                Arc::make_mut(meant).follow(event, None);
            }
        }
    }

    pub(super) fn push(&mut self, payload: Payload) {
        self.push_to(false, payload);
    }

    /// Makes an event of the own or the other account, and takes it in.
    pub(super) fn push_to(&mut self, to_other: bool, payload: Payload) {
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
            book: self.ledger.book.into(),
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
            call_id: None,
            call_hash: None,
            payload,
        };
        wallet.take_in(&event);
        event.balances = wallet.balances();
        self.events.push(event);
    }

    pub(super) fn next_position(&self) -> u64 {
        self.position + self.events.len() as u64
    }

    pub(super) fn open(&mut self) {
        self.push(Payload::AccountOpened);
        if self.request.account == HOUSE {
            return;
        }
        for grant in &self.ledger.catalog.grants_on_opening {
            if self.is_worn(&grant.asset) {
                continue;
            }
            let lot = self.granted(grant, 1);
            let lot = identify(&self.own, &mut 0, lot);
            self.credited(lot, None);
        }
        self.give_recurring();
    }

    /// A lot comes in; a bought one pays debts first.
    pub(super) fn credited(&mut self, lot: Lot, payment: Option<u64>) {
        self.credited_for(lot, payment, None);
    }

    /// The same of a period of a subscription.
    pub(super) fn credited_for(
        &mut self,
        lot: Lot,
        payment: Option<u64>,
        subscription: Option<u64>,
    ) {
        let settled = match lot.funding {
            Funding::Purchased => self.own.settles(&lot),
            Funding::Granted => Vec::new(),
        };
        self.push(Payload::Credited(Credited {
            levels: self.levels(&lot.asset, lot.amount),
            lot,
            payment,
            settled,
            subscription,
            ..Credited::default()
        }));
    }

    pub(super) fn granted(&self, grant: &Grant, quantity: i64) -> Lot {
        self.marked(Lot {
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
            ..Lot::default()
        })
    }

    /// Ends what is due, the earliest first; of what ends together,
    /// subscriptions, and then holds.
    pub(super) fn settle(&mut self, of_other: bool) {
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
            let subscription = self.first_due(wallet);
            let subscriptions = subscription.map(|it| (due(it), -1, it.position));
            let all = subscriptions.into_iter().chain(holds).chain(lots);
            let next = all.min_by_key(|(end, kind, _)| (*end, *kind));
            let Some((end, kind, id)) = next.filter(|(end, ..)| *end <= self.now) else {
                return;
            };
            let payload = if kind < 0 {
                self.time_does(wallet, subscription.unwrap())
            } else if kind == 0 {
                let hold = wallet
                    .holds
                    .iter()
                    .find(|hold| hold.position == id)
                    .unwrap();
                let back = self.given_back(wallet, &hold.parts, end);
                let (asset, amount) = (hold.asset.clone(), sum(&hold.parts));
                Payload::HoldExpired(HoldEnded {
                    hold: id,
                    operation: hold.operation.clone(),
                    asset,
                    amount,
                    parts: back.parts,
                    graced: back.graced,
                    settled: back.settled,
                })
            } else {
                let lot = wallet.lots.iter().find(|lot| lot.id == id).unwrap().clone();
                Payload::LotExpired(LotExpired { lot })
            };
            self.push_to(of_other, payload);
        }
    }

    /// Parts as they come back at a moment: they pay what is owed of their lot,
    /// and of the rest, a lot that has ended lives on for the grace, which begins
    /// once.
    pub(super) fn given_back(&self, to: &Wallet, parts: &[Lot], at: Timestamp) -> Back {
        let mut back = Back::default();
        let is_over = |lot: &Lot| lot.expires_at.is_some_and(|end| end <= at);
        for part in parts {
            let mut part = part.clone();
            let pays = to.settles_back(&part, &back.settled);
            let is_gone = pays.as_ref().is_some_and(|debt| debt.amount == part.amount);
            back.settled.extend(pays);
            if !is_gone && let Some(end) = self.end_of_period(to, &part) {
                part.expires_at = part.expires_at.map(|at| at.min(end));
            }
            let lives = to.lots.iter().any(|lot| lot.id == part.id && !is_over(lot));
            if !is_gone && !lives && is_over(&part) {
                let grace = to.graces.iter().rev().find(|grace| grace.lot == part.id);
                part.expires_at = Some(match grace {
                    Some(grace) => grace.ends_at,
                    None => at.plus_us(self.ledger.catalog.refund_grace_us),
                });
                if grace.is_none() && !back.graced.contains(&part.id) {
                    back.graced.push(part.id);
                }
            }
            back.parts.push(part);
        }
        back
    }

    pub(super) fn check_metadata(&self) -> Try<()> {
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

    pub(super) fn close(&mut self) -> Try<()> {
        let own = self.own.account();
        let refunds = own.refunds.iter().flat_map(|refund| &refund.parts);
        let left = own.lots.iter().map(|lot| lot.asset.clone());
        let left = left.chain(own.holds.iter().map(|hold| hold.asset.clone()));
        let left = left.chain(refunds.map(|part| part.asset.clone()));
        // Nor while something is paid for.
        let subscribed = own.subscriptions.iter().flat_map(|it| &it.periods);
        let mut left = left.chain(subscribed.map(|period| period.paid.currency.clone()));
        let owed = own.debts.iter().map(|debt| debt.asset.clone()).min();
        // Not before the last refund has ended, whatever it reserves.
        let paid = own.paid.iter().map(|(currency, _)| currency.clone());
        let running = paid.min().filter(|_| !own.refunds.is_empty());
        let asset = left.next().or(owed).or(running);
        if let Some(asset) = asset {
            return Err(Rejection::AccountNotEmpty {
                account: (&self.request.account).into(),
                asset: asset.into(),
            });
        }
        self.push(Payload::AccountClosed);
        Ok(())
    }

    pub(super) fn check_asset(&self, asset: &str) -> Try<()> {
        match self.ledger.catalog.assets.contains_key(asset) {
            true => Ok(()),
            false => Err(Rejection::UnknownAsset {
                asset: asset.to_owned(),
            }),
        }
    }
}
