//! Credits, transfers and corrections.

use ledger_core::{
    Payload, Rejection,
    account::{Funding, Lot, Status},
    command::{Adjust, Change, Credit, Transfer},
    event::{Adjusted, TransferReceived, TransferSent},
};

use super::{
    attempt::{Attempt, Try},
    checks::{check_amount, check_balance, check_price, check_room, identify, is_new},
    wallet::{split, sum},
};

impl Attempt<'_> {
    pub(super) fn credit(&mut self, credit: &Credit) -> Try<()> {
        let operations = &self.ledger.catalog.operations;
        if let Some(operation) = credit
            .scope
            .iter()
            .find(|name| !operations.contains_key(name.as_str()))
        {
            return Err(Rejection::UnknownOperation {
                operation: operation.into(),
            });
        }
        self.check_asset(&credit.asset)?;
        check_amount(credit.amount)?;
        self.check_single(&credit.asset, credit.amount)?;
        credit
            .cost_basis
            .as_ref()
            .map_or(Ok(()), |basis| check_price(basis.amount))?;
        if let Some(expire_time) = credit.lot_expire_time.filter(|end| *end <= self.now) {
            return Err(Rejection::LotExpiryPast {
                expire_time,
                now: self.now,
            });
        }
        check_balance(&self.own, &credit.asset, credit.amount)?;
        self.refuse_worn(&credit.asset)?;
        let lot = self.marked(Lot {
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
            ..Lot::default()
        });
        let lot = self.roomy(lot)?;
        self.credited(lot, None);
        Ok(())
    }

    /// A lot with its id; refused if it is one more and there is no room.
    pub(super) fn roomy(&self, lot: Lot) -> Try<Lot> {
        let lot = identify(&self.own, &mut 0, lot);
        if is_new(&self.own, &lot) {
            check_room(&self.own, 1)?;
        }
        Ok(lot)
    }

    pub(super) fn transfer(&mut self, transfer: &Transfer) -> Try<()> {
        let Transfer {
            destination_account: destination,
            asset,
            amount,
        } = transfer;
        let account = || String::from(destination);
        if *destination == self.request.account {
            return Err(Rejection::TransferToSelf { account: account() });
        }
        self.check_asset(asset)?;
        self.check_movable(asset)?;
        check_amount(*amount)?;
        let other = self.other.as_ref().unwrap();
        match (other.status, &other.block) {
            (Status::NotOpened, _) => {
                return Err(Rejection::AccountNotFound { account: account() });
            }
            (Status::Closed, _) => return Err(Rejection::AccountClosed { account: account() }),
            (Status::Open, Some(reason)) => {
                let code = (&reason.code).into();
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
            return Err(self.insufficient(asset, *amount, sum(&bought), None));
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
            destination: destination.into(),
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

    pub(super) fn adjust(&mut self, adjust: &Adjust) -> Try<bool> {
        self.check_asset(&adjust.asset)?;
        let free = self.own.free(&adjust.asset);
        let delta = match adjust.change {
            Change::Delta(delta) => {
                check_price(delta.abs())?;
                delta
            }
            Change::SetTo {
                available,
                expected,
            } => {
                check_price(available)?;
                if expected != free {
                    let asset = (&adjust.asset).into();
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
                self.check_single(&asset, delta)?;
                check_balance(&self.own, &asset, delta)?;
                self.refuse_worn(&asset)?;
                let lot = self.marked(Lot {
                    id: 0,
                    asset: asset.clone(),
                    amount: delta,
                    funding: Funding::Granted,
                    source: "ADJUSTMENT".into(),
                    priority: 0,
                    expires_at: None,
                    scope: Vec::new(),
                    basis: 0,
                    currency: None,
                    created_at: self.now,
                    ..Lot::default()
                });
                (Vec::new(), Some(self.roomy(lot)?))
            }
            ..0 if free < -delta => return Err(self.insufficient(&asset, -delta, free, None)),
            ..0 => (split(&self.own.payers(&asset, |_| true), -delta).0, None),
        };
        let levels = self.levels(&asset, delta);
        self.push(Payload::Adjusted(Adjusted {
            asset,
            delta,
            parts,
            lot,
            levels,
        }));
        Ok(true)
    }
}
