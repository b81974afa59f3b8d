//! What the naive ledger knows of a payment: what its events said, and what is
//! left of what it gave.

use ledger_core::{
    Command, Event, Money, Name, Payload,
    account::{Funding, Lot},
    catalog::PaymentRefundPolicy,
    event::{AnomalyKind, Debt, PaidPeriod, PaymentSucceeded, PlannedLot, ProviderId},
    payment::{PaymentStatus, Purpose},
};

use super::wallet::share;

/// Who gives an id, and what it names.
pub(crate) type ClaimKey = (Name, Name, ProviderId);

/// A payment, whatever became of it.
#[derive(Clone)]
pub(crate) struct Paid {
    pub(crate) position: u64,
    pub(crate) account: Name,
    pub(crate) provider: Name,
    pub(crate) merchant: Name,
    pub(crate) purpose: Option<Purpose>,
    pub(crate) amount: Money,
    pub(crate) gives: Vec<PlannedLot>,
    pub(crate) policy: PaymentRefundPolicy,
    pub(crate) is_limited: bool,
    pub(crate) period: Option<PaidPeriod>,
    pub(crate) status: PaymentStatus,
    pub(crate) income: Option<Money>,
    pub(crate) test: bool,
    /// The ids of its own provider, as they became known.
    pub(crate) ids: Vec<ProviderId>,
    /// Those that were given to refunds of it, odd ones too.
    pub(crate) refund_ids: Vec<ProviderId>,
    pub(crate) odd: Vec<Odd>,
    pub(crate) given: Vec<Given>,
    pub(crate) refunds: Vec<Payback>,
}

/// What was odd of a payment, as it was said.
#[derive(Clone)]
pub(crate) struct Odd {
    pub(crate) kind: AnomalyKind,
    pub(crate) amount: Money,
}

/// What a payment put into one lot, and what no refund has taken of that.
#[derive(Clone)]
pub(crate) struct Given {
    pub(crate) lot: u64,
    pub(crate) asset: Name,
    pub(crate) is_bought: bool,
    pub(crate) amount: i64,
    basis: i64,
    pub(crate) rest: i64,
    pub(crate) rest_basis: i64,
    /// How much had been paid back when it was given.
    pub(crate) after: i64,
}

/// A refund of a payment.
#[derive(Clone)]
pub(crate) struct Payback {
    pub(crate) position: u64,
    pub(crate) amount: i64,
    pub(crate) state: PaybackState,
    /// Every id that its provider gave to it.
    pub(crate) ids: Vec<ProviderId>,
    /// What could not be reserved.
    pub(crate) missing: Vec<Debt>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PaybackState {
    Running,
    Done,
    Failed,
}

impl Given {
    /// What was paid for so many of the rest.
    pub(crate) fn basis_of(&self, units: i64) -> i64 {
        share(self.rest_basis, units, self.rest)
    }
}

impl Paid {
    /// The payment that an event begins, if it begins one.
    pub(crate) fn begun_by(event: &Event) -> Option<Self> {
        let begun = |provider: &Name, merchant: &Name, amount: &Money| Self {
            position: event.position,
            account: event.account.clone(),
            provider: provider.clone(),
            merchant: merchant.clone(),
            purpose: None,
            amount: amount.clone(),
            gives: Vec::new(),
            policy: PaymentRefundPolicy::default(),
            is_limited: false,
            period: None,
            status: PaymentStatus::Created,
            income: None,
            test: false,
            ids: Vec::new(),
            refund_ids: Vec::new(),
            odd: Vec::new(),
            given: Vec::new(),
            refunds: Vec::new(),
        };
        match &event.payload {
            Payload::PaymentCreated(created) => Some(Self {
                purpose: Some(created.purpose.clone()),
                gives: created.gives.clone(),
                policy: created.refund,
                is_limited: created.is_limited,
                period: created.period.clone(),
                ..begun(
                    &created.provider,
                    &created.merchant_account,
                    &created.amount,
                )
            }),
            Payload::PaymentSucceeded(said) if said.payment.is_none() => {
                let mut paid = begun(&said.provider, &said.merchant_account, &said.amount);
                paid.purpose.clone_from(&said.purpose);
                paid.policy = said.refund;
                paid.is_limited = said.is_limited;
                paid.succeed(said);
                Some(paid)
            }
            _ => None,
        }
    }

    fn succeed(&mut self, said: &PaymentSucceeded) {
        self.status = PaymentStatus::Succeeded;
        self.income.clone_from(&said.income);
        self.test = said.test;
        self.ids.extend(said.provider_ids.iter().cloned());
    }

    /// Takes in a later event that is about it, of a request that brought these
    /// ids.
    pub(crate) fn follow(&mut self, event: &Event, command: Option<&Command>) {
        let (event_is_of_refund, said) = match command {
            Some(Command::RecordRefund(said)) => (true, &said.provider_ids[..]),
            _ => (false, &[][..]),
        };
        match &event.payload {
            Payload::PaymentStatusRecorded(recorded) => {
                self.status = recorded.status;
                self.ids.extend(recorded.provider_ids.ids.iter().cloned());
            }
            Payload::PaymentSucceeded(said) => self.succeed(said),
            Payload::PaymentCanceled(canceled) => {
                self.status = PaymentStatus::Canceled;
                self.ids.extend(canceled.provider_ids.ids.iter().cloned());
            }
            Payload::PaymentFeeRecorded(fee) => self.income = Some(fee.income.clone()),
            Payload::PaymentAnomaly(anomaly) => {
                let given = &anomaly.provider_ids;
                self.odd.push(Odd {
                    kind: anomaly.kind,
                    amount: anomaly.amount.clone(),
                });
                let is_own =
                    (&given.provider, &given.merchant_account) == (&self.provider, &self.merchant);
                let news = given.ids.iter().filter(|_| is_own).cloned();
                match event_is_of_refund {
                    true => self.refund_ids.extend(news),
                    false => self.ids.extend(news),
                }
            }
            Payload::Credited(credited) => self.given.push(Given {
                after: self.done(),
                lot: credited.lot.id,
                asset: credited.lot.asset.clone(),
                is_bought: credited.lot.funding == Funding::Purchased,
                amount: credited.lot.amount,
                basis: credited.lot.basis,
                rest: credited.lot.amount,
                rest_basis: credited.lot.basis,
            }),
            Payload::PaymentRefundStarted(started) => {
                self.take(&started.parts, &started.missing);
                let (amount, missing) = (started.amount.amount, started.missing.clone());
                self.pay_back(event.position, amount, PaybackState::Running, missing);
            }
            Payload::PaymentRefunded(refunded) => {
                let index = match refunded.refund {
                    Some(begun) => {
                        let index = self.refunds.iter().position(|back| back.position == begun);
                        // It had found nothing to take when it began.
                        if refunded.reserved.is_empty()
                            && self.refunds[index.unwrap()].missing.is_empty()
                        {
                            self.take(&refunded.parts, &refunded.debts);
                        }
                        index
                    }
                    None => {
                        self.take(&refunded.parts, &refunded.debts);
                        let amount = refunded.amount.amount;
                        self.pay_back(event.position, amount, PaybackState::Done, Vec::new());
                        self.refunds.len().checked_sub(1)
                    }
                };
                let back = &mut self.refunds[index.unwrap()];
                back.state = PaybackState::Done;
                back.missing.clear();
                back.ids = said.to_vec();
                self.refund_ids.extend_from_slice(said);
            }
            Payload::PaymentRefundFailed(failed) => {
                let is_it = |back: &&mut Payback| back.position == failed.refund;
                let back = self.refunds.iter_mut().find(is_it).unwrap();
                back.state = PaybackState::Failed;
                back.ids = said.to_vec();
                self.refund_ids.extend_from_slice(said);
                let missing = std::mem::take(&mut back.missing);
                for (lot, units) in of_lots(&failed.parts, &missing) {
                    self.put_back(lot, units);
                }
            }
            _ => {}
        }
    }

    fn pay_back(&mut self, position: u64, amount: i64, state: PaybackState, missing: Vec<Debt>) {
        self.refunds.push(Payback {
            position,
            amount,
            state,
            ids: Vec::new(),
            missing,
        });
    }

    fn take(&mut self, parts: &[Lot], missing: &[Debt]) {
        for (lot, units) in of_lots(parts, missing) {
            let mut left = units;
            for given in self.given.iter_mut().filter(|given| given.lot == lot) {
                let here = left.min(given.rest);
                given.rest_basis -= given.basis_of(here);
                given.rest -= here;
                left -= here;
            }
        }
    }

    fn put_back(&mut self, lot: u64, units: i64) {
        let mut left = units;
        for given in self.given.iter_mut().filter(|given| given.lot == lot) {
            let taken = given.amount - given.rest;
            let here = left.min(taken);
            given.rest_basis += share(given.basis - given.rest_basis, here, taken);
            given.rest += here;
            left -= here;
        }
    }

    /// What has been paid back.
    pub(crate) fn done(&self) -> i64 {
        let refunds = self.refunds.iter();
        let refunds = refunds.filter(|back| back.state == PaybackState::Done);
        refunds.map(|back| back.amount).sum()
    }

    /// What is paid back or about to be.
    pub(crate) fn gone(&self) -> i64 {
        let refunds = self.refunds.iter();
        let refunds = refunds.filter(|back| back.state != PaybackState::Failed);
        refunds.map(|back| back.amount).sum()
    }

    /// What is wrong with it, whatever happened.
    pub(crate) fn fault(&self) -> Option<String> {
        let gone = self.gone();
        if gone > self.amount.amount {
            return Some(format!("{gone} of {:?} are paid back", self.amount));
        }
        let is_off = |given: &&Given| {
            !(0..=given.amount).contains(&given.rest)
                || !(0..=given.basis).contains(&given.rest_basis)
        };
        let off = self.given.iter().find(is_off);
        off.map(|given| {
            let Given { rest, amount, .. } = given;
            format!(
                "{rest} of {amount} of what payment {} gave are left",
                self.position
            )
        })
    }
}

/// How much of which lots.
fn of_lots(parts: &[Lot], missing: &[Debt]) -> Vec<(u64, i64)> {
    let parts = parts.iter().map(|part| (part.id, part.amount));
    let missing = missing.iter().map(|debt| (debt.lot, debt.amount));
    parts.chain(missing).collect()
}
