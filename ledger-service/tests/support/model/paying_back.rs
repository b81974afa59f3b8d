//! Payments that are paid back.

use ledger_core::{
    Money, Payload, Rejection,
    account::Lot,
    catalog::PaymentRefundPolicy::{LeaveDeficit, RefuseIfSpent, TakeWhatIsLeft},
    command::{RecordRefund, RefundPayment},
    event::{
        AnomalyKind, Debt, PaymentRefundFailed, PaymentRefundStarted, PaymentRefunded, ProviderIds,
    },
    payment::{PaymentStatus, RefundStatus, RefundVia},
};

use super::{
    attempt::{Attempt, Try},
    checks::{check_amount, check_room},
    ledger::Flaw,
    paid::{Given, Paid, Payback, PaybackState},
    paying::Voice,
    wallet::{piece, share},
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
        let paid = self.meant.ok_or(Rejection::PaymentNotFound)?;
        if paid.status != PaymentStatus::Succeeded {
            return Err(Rejection::PaymentNotSucceeded {
                payment: paid.position,
                status: paid.status,
            });
        }
        let amount = self.may_refund(paid, refund.amount)?;
        let Takes { parts, missing } = self.takes(paid, amount);
        let amount = Money {
            currency: paid.amount.currency.clone(),
            amount,
        };
        if refund.via == RefundVia::Outside {
            self.push(Payload::PaymentRefunded(PaymentRefunded {
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
            }));
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
        let worth = bought().map(|(given, there)| given.basis_of(*there)).sum();
        let unspent = refundable.min(worth);
        let is_spent = bought().any(|(given, there)| *there < given.rest);
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

    /// What paying back so much takes.
    fn takes(&self, paid: &Paid, amount: i64) -> Takes {
        let is_all = amount >= paid.amount.amount - paid.gone();
        let there = self.there(paid);
        let mut left = amount;
        let mut units: Vec<(&Given, i64)> = Vec::new();
        let mut missing = Vec::new();
        let bought = || {
            paid.given
                .iter()
                .zip(&there)
                .filter(|(given, _)| given.is_bought)
        };
        for (given, there) in bought() {
            let takes = if is_all {
                *there
            } else {
                least(*there, given.basis_of(*there), left)
            };
            left -= given.basis_of(takes);
            units.push((given, takes));
        }
        for (given, there) in bought() {
            let spent = given.rest - there;
            let worth = given.rest_basis - given.basis_of(*there);
            let amount = if is_all {
                spent
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
        let back = paid.gone() + amount;
        let bonuses = paid
            .given
            .iter()
            .zip(&there)
            .filter(|(given, _)| !given.is_bought);
        for (given, there) in bonuses {
            let wanted = least(given.amount, paid.amount.amount, back);
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
        let paid = self.meant.ok_or(Rejection::PaymentNotFound)?;
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
        let refund = Some(back.position);
        let reserved = self.reserved(back);
        self.paid_back(paid, refund, reserved, takes, said, voice);
        Ok(())
    }

    fn found_at_provider(&mut self, paid: &Paid, said: &RecordRefund, voice: Voice<'_>) -> Try<()> {
        let amount = said.amount.amount;
        let is_of_currency = said.amount.currency == paid.amount.currency;
        if !is_of_currency || amount > paid.amount.amount - paid.gone() {
            return self.odd(paid, AnomalyKind::RefundExceedsPayment, &said.amount, voice);
        }
        let takes = self.takes(paid, amount);
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
        self.push(Payload::PaymentRefunded(PaymentRefunded {
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
        }));
    }
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
