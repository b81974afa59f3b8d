//! Payments that are paid back.

use ledger_core::{
    Money, Payload, Rejection,
    account::{Funding, Lot},
    catalog::PaymentRefundPolicy::{LeaveDeficit, RefuseIfSpent, TakeWhatIsLeft},
    command::{RecordRefund, RefundPayment},
    event::{
        AnomalyKind, Debt, PaymentRefundFailed, PaymentRefundStarted, PaymentRefunded, PeriodTimes,
        PlannedLot, ProviderIds,
    },
    payment::{PaymentStatus, RefundStatus, RefundVia},
};

use super::{
    attempt::{Attempt, Try},
    checks::{check_amount, check_room},
    ledger::Flaw,
    offers::in_proportion,
    paid::{Given, Paid, Payback, PaybackState},
    paying::Voice,
    subscriptions::time_left,
    wallet::{piece, share, sum},
};

/// How many refunds may run in one account.
const RUNNING_MAX: usize = 16;

/// What a refund takes back: what is there, and what is not.
struct Takes {
    parts: Vec<Lot>,
    missing: Vec<Debt>,
}

impl Attempt<'_> {
    pub(super) fn refund_payment(&mut self, refund: &RefundPayment) -> Try<()> {
        refund.amount.map_or(Ok(()), check_amount)?;
        let paid = self.meant.clone().ok_or(Rejection::PaymentNotFound)?;
        let paid = &*paid;
        if paid.status != PaymentStatus::Succeeded {
            return Err(Rejection::PaymentNotSucceeded {
                payment: paid.position,
                status: paid.status,
            });
        }
        let amount = self.may_refund(paid, refund.amount)?;
        let gone = paid.gone() - self.unreserved(paid);
        let Takes { parts, missing } = self.takes(paid, amount, gone);
        let amount = Money {
            currency: paid.amount.currency.clone(),
            amount,
        };
        if refund.via == RefundVia::Outside {
            let refunded = PaymentRefunded {
                payment: paid.position,
                refund: None,
                amount,
                via: RefundVia::Outside,
                provider_ids: ProviderIds::default(),
                document_number: refund.document_number.clone(),
                reserved: Vec::new(),
                parts,
                debts: missing,
                test: paid.test,
                gives: Vec::new(),
            };
            self.pay_back(paid, refunded);
            return Ok(());
        }
        if self.own.refunds.len() >= RUNNING_MAX {
            let maximum = RUNNING_MAX;
            return Err(Rejection::TooManyRefunds { maximum });
        }
        check_room(&self.own, parts.len().max(1))?;
        self.push(Payload::PaymentRefundStarted(PaymentRefundStarted {
            payment: paid.position,
            amount,
            parts,
            missing,
        }));
        Ok(())
    }

    /// How much is paid back, if that may be.
    fn may_refund(&self, paid: &Paid, asked: Option<i64>) -> Try<i64> {
        let whole = paid.amount.amount;
        let refundable = whole - paid.gone();
        let there = self.there(paid);
        let bought = || {
            paid.given
                .iter()
                .zip(&there)
                .filter(|(given, _)| given.is_bought)
        };
        // What runs and has found nothing takes its part when it is done.
        let to_take = refundable + self.unreserved(paid);
        let worth: i64 = bought().map(|(it, there)| self.worth(it, *there)).sum();
        let worth = match bought().next() {
            // Nothing has been given yet.
            None => to_take,
            Some(_) => (worth - uncovered(paid, to_take)).max(0),
        };
        let unspent = refundable.min(worth);
        let is_used = |lot: &Lot| lot.used > 0;
        let is_spent = bought()
            .any(|(given, there)| *there < given.rest || self.lot(given.lot).is_some_and(is_used));
        let allowed = match paid.policy {
            TakeWhatIsLeft => unspent,
            RefuseIfSpent if is_spent => 0,
            RefuseIfSpent | LeaveDeficit => refundable,
        };
        let currency = || (&paid.amount.currency).into();
        let wanted = asked.unwrap_or(allowed);
        if refundable == 0 || wanted > refundable {
            return Err(Rejection::RefundExceedsPayment {
                payment: paid.position,
                currency: currency(),
                amount: asked.unwrap_or(whole),
                refundable,
            });
        }
        if allowed == 0 || wanted > allowed {
            return Err(Rejection::PaymentSpent {
                payment: paid.position,
                currency: currency(),
                amount: asked.unwrap_or(refundable),
                unspent,
            });
        }
        Ok(wanted)
    }

    /// Beside each gift of a payment, how much of its rest is in its lot. What
    /// is there counts once, for the first gift that went into it.
    fn there(&self, paid: &Paid) -> Vec<i64> {
        let mut lots = self.own.lots.clone();
        let there = paid.given.iter().map(|given| {
            let lot = lots.iter_mut().find(|lot| lot.id == given.lot);
            lot.map_or(0, |lot| {
                let here = lot.amount.min(given.rest);
                lot.amount -= here;
                here
            })
        });
        there.collect()
    }

    /// What is being paid back by refunds that found nothing to reserve.
    fn unreserved(&self, paid: &Paid) -> i64 {
        let running = paid.refunds.iter();
        let running = running.filter(|back| back.state == PaybackState::Running);
        let empty =
            running.filter(|back| back.missing.is_empty() && self.reserved(back).is_empty());
        empty.map(|back| back.amount).sum()
    }

    fn lot(&self, id: u64) -> Option<&Lot> {
        self.own.lots.iter().find(|lot| lot.id == id)
    }

    /// What so many units, which are there, were paid for: of a pass, the time
    /// that is left of it.
    fn worth(&self, given: &Given, there: i64) -> i64 {
        let basis = given.basis_of(there);
        let lot = self.lot(given.lot).filter(|_| there > 0);
        let Some(lot) = lot.filter(|lot| self.is_pass(&lot.asset)) else {
            return basis;
        };
        let running = self.own.subscribed.running.iter();
        let mut periods = running.flat_map(|it| &it.periods);
        if let Some(period) = periods.find(|period| period.lots.contains(&lot.id)) {
            return time_left(basis, &period.times, self.now);
        }
        let Some(ends_at) = lot.expires_at else {
            return basis;
        };
        let times = PeriodTimes {
            payment: 0,
            starts_at: lot.created_at,
            ends_at,
            counted_from: lot.created_at,
            number: 1,
        };
        time_left(basis, &times, self.now)
    }

    /// What paying back so much takes, beside what is gone already.
    fn takes(&self, paid: &Paid, amount: i64, gone: i64) -> Takes {
        let refundable = paid.amount.amount - gone;
        let is_all = amount >= refundable;
        let there = self.there(paid);
        let mut left = amount + uncovered(paid, refundable);
        let mut units: Vec<(&Given, i64)> = Vec::new();
        let mut missing = Vec::new();
        let bought = || {
            paid.given
                .iter()
                .zip(&there)
                .filter(|(given, _)| given.is_bought)
        };
        for (given, there) in bought() {
            let worth = self.worth(given, *there);
            let takes = if is_all {
                *there
            } else if !self.is_pass(&given.asset) {
                least(*there, worth, left)
            } else if left > 0 && left >= worth {
                *there
            } else {
                0
            };
            left -= share(worth, takes, *there);
            units.push((given, takes));
        }
        for (given, there) in bought() {
            let spent = given.rest - there;
            let worth = given.rest_basis - given.basis_of(*there);
            let amount = if is_all {
                spent
            } else if self.is_pass(&given.asset) {
                0
            } else {
                least(spent, worth, left)
            };
            let basis = share(worth, amount, spent);
            left -= basis;
            if amount > 0 {
                missing.push(Debt {
                    lot: given.lot,
                    asset: given.asset.clone(),
                    amount,
                    basis,
                });
            }
        }
        // What came on top goes back in proportion, as far as it is there.
        let back = gone + amount;
        let bonuses = paid
            .given
            .iter()
            .zip(&there)
            .filter(|(given, _)| !given.is_bought);
        for (given, there) in bonuses {
            let whole = paid.amount.amount - given.after;
            let wanted = least(given.amount, whole, (back - given.after).min(whole));
            let more = wanted - (given.amount - given.rest);
            units.push((given, more.clamp(0, *there)));
        }
        if self.ledger.flaw == Some(Flaw::KeptBonuses) {
            units.retain(|(given, _)| given.is_bought);
        }
        let units = units.into_iter().map(|(given, units)| (given.lot, units));
        let parts = self.pieces(units);
        Takes { parts, missing }
    }

    /// So many units of lots, one piece a lot.
    fn pieces(&self, units: impl IntoIterator<Item = (u64, i64)>) -> Vec<Lot> {
        let mut sums: Vec<(u64, i64)> = Vec::new();
        for (lot, units) in units.into_iter().filter(|(_, units)| *units > 0) {
            match sums.iter_mut().find(|(other, _)| *other == lot) {
                Some((_, sum)) => *sum += units,
                None => sums.push((lot, units)),
            }
        }
        let lot = |id: u64| self.own.lots.iter().find(|lot| lot.id == id).unwrap();
        let pieces = sums.into_iter().map(|(id, sum)| piece(lot(id), sum));
        pieces.collect()
    }

    pub(super) fn record_refund(&mut self, said: &RecordRefund) -> Try<()> {
        check_amount(said.amount.amount)?;
        let voice = Voice {
            provider: &said.provider,
            merchant: &said.merchant_account,
            ids: &said.provider_ids,
        };
        let paid = self.meant.clone().ok_or(Rejection::PaymentNotFound)?;
        let paid = &*paid;
        if (voice.provider, voice.merchant) != (&paid.provider, &paid.merchant) {
            return self.odd(paid, AnomalyKind::ProviderDiffers, &said.amount, voice);
        }
        if paid.status != PaymentStatus::Succeeded {
            return self.odd(paid, AnomalyKind::RefundOfUnpaid, &said.amount, voice);
        }
        let known = refund_meant(paid, said)?;
        let has_failed = said.status == RefundStatus::Failed;
        match known.map(|back| (back, back.state)) {
            Some((back, PaybackState::Running)) if has_failed => {
                self.fail(paid, back, said, voice);
                Ok(())
            }
            Some((back, PaybackState::Running)) => self.finish(paid, back, said, voice),
            Some((_, PaybackState::Done)) if has_failed => self.odd(
                paid,
                AnomalyKind::RefundFailedAfterDone,
                &said.amount,
                voice,
            ),
            Some((back, PaybackState::Done)) => Err(Rejection::RefundAlreadyRecorded {
                payment: paid.position,
                refund: back.position,
            }),
            _ if has_failed => Err(Rejection::RefundNotFound),
            _ => self.found_at_provider(paid, said, voice),
        }
    }

    fn fail(&mut self, paid: &Paid, back: &Payback, said: &RecordRefund, voice: Voice<'_>) {
        let reserved = self.reserved(back);
        let back_there = self.given_back(&self.own, &reserved, self.now);
        self.push(Payload::PaymentRefundFailed(PaymentRefundFailed {
            payment: paid.position,
            refund: back.position,
            reason: said.failure_reason.clone(),
            parts: back_there.parts,
            graced: back_there.graced,
            settled: back_there.settled,
            provider_ids: self.ids_of_refund(paid, voice),
        }));
    }

    /// All that were said: those that are new, and those that were heard before.
    fn ids_of_refund(&self, paid: &Paid, voice: Voice<'_>) -> ProviderIds {
        let known = voice.ids.iter().filter(|id| paid.refund_ids.contains(id));
        ProviderIds {
            known: known.cloned().collect(),
            ..self.news(voice)
        }
    }

    fn reserved(&self, back: &Payback) -> Vec<Lot> {
        let mut running = self.own.refunds.iter();
        let running = running.find(|refund| refund.position == back.position);
        running.unwrap().parts.clone()
    }

    /// What was missing is taken if it is there by now, and else owed.
    fn finish(
        &mut self,
        paid: &Paid,
        back: &Payback,
        said: &RecordRefund,
        voice: Voice<'_>,
    ) -> Try<()> {
        if said.amount.amount != back.amount || said.amount.currency != paid.amount.currency {
            return self.odd(paid, AnomalyKind::AmountDiffers, &said.amount, voice);
        }
        let refund = Some(back.position);
        let reserved = self.reserved(back);
        // What had not been given when it began is there by now.
        if reserved.is_empty() && back.missing.is_empty() {
            let takes = self.takes(paid, said.amount.amount, paid.gone() - back.amount);
            self.paid_back(paid, refund, reserved, takes, said, voice);
            return Ok(());
        }
        let mut lots = self.own.lots.clone();
        let (mut units, mut missing) = (Vec::new(), Vec::new());
        for debt in &back.missing {
            let lot = lots.iter_mut().find(|lot| lot.id == debt.lot);
            let there = lot.map_or(0, |lot| {
                let here = lot.amount.min(debt.amount);
                lot.amount -= here;
                here
            });
            units.push((debt.lot, there));
            if there < debt.amount {
                missing.push(Debt {
                    amount: debt.amount - there,
                    basis: debt.basis - share(debt.basis, there, debt.amount),
                    ..debt.clone()
                });
            }
        }
        let parts = self.pieces(units);
        let takes = Takes { parts, missing };
        self.paid_back(paid, refund, reserved, takes, said, voice);
        Ok(())
    }

    fn found_at_provider(&mut self, paid: &Paid, said: &RecordRefund, voice: Voice<'_>) -> Try<()> {
        let amount = said.amount.amount;
        let is_of_currency = said.amount.currency == paid.amount.currency;
        if !is_of_currency || amount > paid.amount.amount - paid.gone() {
            return self.odd(paid, AnomalyKind::RefundExceedsPayment, &said.amount, voice);
        }
        let takes = self.takes(paid, amount, paid.gone());
        self.paid_back(paid, None, Vec::new(), takes, said, voice);
        Ok(())
    }

    fn paid_back(
        &mut self,
        paid: &Paid,
        refund: Option<u64>,
        reserved: Vec<Lot>,
        takes: Takes,
        said: &RecordRefund,
        voice: Voice<'_>,
    ) {
        let refunded = PaymentRefunded {
            payment: paid.position,
            refund,
            amount: said.amount.clone(),
            via: RefundVia::Provider,
            provider_ids: self.ids_of_refund(paid, voice),
            document_number: None,
            reserved,
            parts: takes.parts,
            debts: takes.missing,
            test: paid.test,
            gives: Vec::new(),
        };
        self.pay_back(paid, refunded);
    }

    /// The money is back, and what was paid for with all of it is over; so is what
    /// the last of its access was taken of.
    fn pay_back(&mut self, paid: &Paid, mut refunded: PaymentRefunded) {
        let amount = refunded.amount.amount;
        let is_whole = paid.done() + amount >= paid.amount.amount;
        let is_over = is_whole || self.is_access_taken(paid, &refunded);
        if !is_over {
            refunded.gives = self.less_to_give(paid.position, amount);
        }
        let lost = is_over.then(|| self.lose_period(paid.position, &refunded.parts));
        self.push(Payload::PaymentRefunded(refunded));
        if let Some(event) = lost.flatten() {
            self.push(event);
        }
    }

    /// Whether a refund takes the last of what gives access: of the passes, or, if
    /// it gave none, of all that it gave for money.
    fn is_access_taken(&self, paid: &Paid, refunded: &PaymentRefunded) -> bool {
        let there = self.there(paid);
        let all = paid.given.iter().zip(there);
        let bought: Vec<(&Given, i64)> = all.filter(|(given, _)| given.is_bought).collect();
        let is_pass = |given: &Given| self.is_pass(&given.asset);
        let has_pass = bought.iter().any(|(given, _)| is_pass(given));
        let access = || bought.iter().filter(|(it, _)| !has_pass || is_pass(it));
        let is_of_it = |lot: &&Lot| access().any(|(given, _)| given.lot == lot.id);
        let of_it = |lots: &[Lot]| sum(lots.iter().filter(is_of_it));
        let others = self.own.refunds.iter().filter(|other| {
            other.payment == paid.position && Some(other.position) != refunded.refund
        });
        let elsewhere: i64 = others.map(|other| of_it(&other.parts)).sum();
        let there: i64 = access().map(|(_, there)| *there).sum();
        let (free, reserved) = (of_it(&refunded.parts), of_it(&refunded.reserved));
        elsewhere == 0 && free + reserved > 0 && free >= there
    }

    /// What a period that waits still gives for what is left of its price.
    fn less_to_give(&self, payment: u64, amount: i64) -> Vec<PlannedLot> {
        let found = self.own.subscribed.period(payment);
        let Some((_, period)) = found.filter(|(_, period)| period.waits) else {
            return Vec::new();
        };
        let whole = period.paid.amount;
        let bases: Vec<i64> = period.gives.iter().map(|it| it.lot.basis).collect();
        let bases = in_proportion((whole - amount).max(0), &bases);
        let left = period.gives.iter().zip(bases).map(|(planned, basis)| {
            let mut left = planned.clone();
            let takes = least(left.lot.amount, whole, amount);
            let is_bought = left.lot.funding == Funding::Purchased;
            left.lot.amount = (left.lot.amount - takes).max(i64::from(is_bought));
            left.lot.basis = basis;
            left
        });
        left.filter(|left| left.lot.amount > 0).collect()
    }
}

/// What refunds have paid back beyond what they took.
fn uncovered(paid: &Paid, refundable: i64) -> i64 {
    let bought = paid.given.iter().filter(|given| given.is_bought);
    let bases: i64 = bought.map(|given| given.rest_basis).sum();
    (bases - refundable).max(0)
}

/// The refund that the provider speaks of: the one that is named, that has one
/// of the ids, or that runs with this amount.
fn refund_meant<'p>(paid: &'p Paid, said: &RecordRefund) -> Try<Option<&'p Payback>> {
    let has_id = |back: &&Payback| back.ids.iter().any(|id| said.provider_ids.contains(id));
    let by_id = paid.refunds.iter().rfind(has_id);
    // What is done under these ids is not done again, whatever is named.
    if by_id.is_some_and(|back| back.state == PaybackState::Done) {
        return Ok(by_id);
    }
    if let Some(named) = said.refund {
        let found = paid.refunds.iter().find(|back| back.position == named);
        return found.map(Some).ok_or(Rejection::RefundNotFound);
    }
    let runs = |back: &&Payback| {
        back.state == PaybackState::Running
            && back.amount == said.amount.amount
            && paid.amount.currency == said.amount.currency
    };
    Ok(by_id.or_else(|| paid.refunds.iter().find(runs)))
}

/// The least number of units, worth `worth` together, that cover an amount; all
/// of them if they do not. Nothing is taken for nothing.
fn least(units: i64, worth: i64, amount: i64) -> i64 {
    if amount <= 0 {
        return 0;
    }
    let (mut low, mut high) = (0, units);
    while low < high {
        let middle = low + (high - low) / 2;
        if share(worth, middle, units) >= amount {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}
