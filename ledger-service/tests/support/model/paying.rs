//! Payments: asked for, and what their providers say of them.

use ledger_core::{
    Money, Name, Payload, Rejection,
    account::Status,
    command::{CreatePayment, RecordPayment},
    event::{
        AnomalyKind, PaidPeriod, PaymentAnomaly, PaymentCanceled, PaymentCreated,
        PaymentFeeRecorded, PaymentStatusRecorded, PaymentSucceeded, PlannedLot, ProviderId,
        ProviderIds,
    },
    payment::{
        PaymentStatus::{self, Canceled, Created, Pending, Succeeded, WaitingForCapture},
        Purpose,
    },
};

use super::{
    attempt::{Attempt, Try},
    checks::{check_amount, check_balance, check_price, check_room},
    offers::Deal,
    paid::{Odd, Paid},
    subscriptions::{Step, lot_at},
};

/// How much that is odd of one payment is kept.
const ODD_MAX: usize = 16;

/// Who says something, and the ids that come along.
#[derive(Clone, Copy)]
pub(super) struct Voice<'a> {
    pub(super) provider: &'a Name,
    pub(super) merchant: &'a Name,
    pub(super) ids: &'a [ProviderId],
}

impl Attempt<'_> {
    pub(super) fn create_payment(&mut self, create: &CreatePayment) -> Try<()> {
        let deal = self.offered(&create.purpose)?;
        let automatic_until = match create.automatic {
            true => Some(self.check_automatic(&create.purpose, &deal.amount)?),
            false => None,
        };
        check_amount(deal.amount.amount)?;
        for PlannedLot { lot, .. } in &deal.gives {
            check_balance(&self.own, &lot.asset, lot.amount)?;
        }
        check_room(&self.own, deal.gives.len())?;
        self.push(Payload::PaymentCreated(PaymentCreated {
            provider: create.provider.clone(),
            merchant_account: create.merchant_account.clone(),
            purpose: create.purpose.clone(),
            amount: deal.amount,
            gives: deal.gives,
            refund: deal.policy,
            is_limited: deal.is_limited,
            period: deal.period,
            automatic_until,
        }));
        Ok(())
    }

    pub(super) fn record_payment(&mut self, said: &RecordPayment) -> Try<()> {
        let voice = Voice {
            provider: &said.provider,
            merchant: &said.merchant_account,
            ids: &said.provider_ids,
        };
        let is_claimed = voice
            .ids
            .iter()
            .any(|id| self.claimed_by(&voice, id).is_some());
        if said.payment.is_none() && !is_claimed && said.status == Succeeded {
            return self.first_heard(said);
        }
        if let Some(income) = &said.income_amount {
            check_price(income.amount)?;
        }
        let paid = self.meant.clone().ok_or(Rejection::PaymentNotFound)?;
        let paid = &*paid;
        if (voice.provider, voice.merchant) != (&paid.provider, &paid.merchant) {
            return self.odd(paid, AnomalyKind::ProviderDiffers, &said.amount, voice);
        }
        let is_news = match said.status {
            Created => false,
            Pending => paid.status == Created,
            WaitingForCapture => matches!(paid.status, Created | Pending),
            Succeeded => paid.status != Succeeded,
            Canceled => paid.status != Canceled,
        };
        let names = |ids: &[ProviderId]| ids.iter().any(|id| id.kind == "payment");
        let is_second = said.status == Succeeded && paid.status == Succeeded;
        if is_second && names(&paid.ids) && names(&self.news(voice).ids) {
            return self.odd(paid, AnomalyKind::PaidTwice, &said.amount, voice);
        }
        if !is_news {
            return self.late_details(paid, said, voice);
        }
        let is_paid = matches!(said.status, Succeeded | WaitingForCapture);
        if is_paid && said.amount != paid.amount {
            return self.odd(paid, AnomalyKind::AmountDiffers, &said.amount, voice);
        }
        match said.status {
            Succeeded => self.succeed(paid, said, voice),
            Canceled if paid.status == Succeeded => {
                self.odd(paid, AnomalyKind::CanceledAfterSuccess, &said.amount, voice)
            }
            Canceled => {
                self.push(Payload::PaymentCanceled(PaymentCanceled {
                    payment: paid.position,
                    provider_ids: self.news(voice),
                    reason: said.cancellation_reason.clone(),
                }));
                Ok(())
            }
            status => self.stands(paid, status, voice),
        }
    }

    fn stands(&mut self, paid: &Paid, status: PaymentStatus, voice: Voice<'_>) -> Try<()> {
        self.push(Payload::PaymentStatusRecorded(PaymentStatusRecorded {
            payment: paid.position,
            status,
            provider_ids: self.news(voice),
        }));
        Ok(())
    }

    /// Nothing happened, but ids or the fee may be new.
    fn late_details(&mut self, paid: &Paid, said: &RecordPayment, voice: Voice<'_>) -> Try<()> {
        let are_both = paid.status == Succeeded && said.status == Succeeded;
        let income = said.income_amount.as_ref();
        let fee = income.filter(|income| are_both && paid.income.as_ref() != Some(income));
        let has_news = !self.news(voice).ids.is_empty();
        if fee.is_none() && !has_news {
            return Err(self.recorded(paid, voice));
        }
        if let Some(income) = fee {
            self.push(Payload::PaymentFeeRecorded(PaymentFeeRecorded {
                payment: paid.position,
                income: income.clone(),
            }));
        }
        if has_news {
            return self.stands(paid, paid.status, voice);
        }
        Ok(())
    }

    fn succeed(&mut self, paid: &Paid, said: &RecordPayment, voice: Voice<'_>) -> Try<()> {
        let success = PaymentSucceeded {
            provider: said.provider.clone(),
            merchant_account: said.merchant_account.clone(),
            provider_ids: self.news(voice).ids,
            amount: said.amount.clone(),
            income: said.income_amount.clone(),
            test: said.test,
            payment: Some(paid.position),
            purpose: paid.purpose.clone(),
            refund: paid.policy,
            is_limited: paid.is_limited,
        };
        let is_late = paid.status == Canceled;
        let late = is_late.then_some(AnomalyKind::SucceededAfterCancel);
        let bought = (&paid.gives[..], paid.period.as_ref());
        self.give_for(success, paid.position, bought, late)
    }

    /// A success that nobody has asked for: a top-up, if nothing else is said.
    fn first_heard(&mut self, said: &RecordPayment) -> Try<()> {
        let top_up = Purpose::TopUp(said.amount.clone());
        let Deal {
            amount,
            gives,
            policy,
            is_limited,
            period,
        } = self.deal(said.purpose.as_ref().unwrap_or(&top_up), Some(&said.amount))?;
        check_amount(said.amount.amount)?;
        if let Some(income) = &said.income_amount {
            check_price(income.amount)?;
        }
        if amount != said.amount {
            return Err(Rejection::PaymentAmountDiffers {
                currency: amount.currency.into(),
                amount: said.amount.amount,
                expected: amount.amount,
            });
        }
        let success = PaymentSucceeded {
            provider: said.provider.clone(),
            merchant_account: said.merchant_account.clone(),
            provider_ids: said.provider_ids.clone(),
            amount,
            income: said.income_amount.clone(),
            test: said.test,
            payment: None,
            purpose: said.purpose.clone(),
            refund: policy,
            is_limited,
        };
        let bought = (&gives[..], period.as_ref());
        self.give_for(success, self.next_position(), bought, None)
    }

    /// The success, what it does to subscriptions, the lots, and what is odd.
    fn give_for(
        &mut self,
        mut success: PaymentSucceeded,
        payment: u64,
        (gives, period): (&[PlannedLot], Option<&PaidPeriod>),
        late: Option<AnomalyKind>,
    ) -> Try<()> {
        let amount = success.amount.clone();
        if self.has_gone(&success) {
            success.is_limited = false;
            self.push(Payload::PaymentSucceeded(success));
            let kinds = late.into_iter().chain([AnomalyKind::NotAvailable]);
            self.wonder(payment, &amount, kinds);
            return Ok(());
        }
        let step = period.map(|period| (period, self.step(period, payment)));
        let (gives_now, until, nothing) = match &step {
            None => (gives, None, None),
            Some((_, Step::Starts(times) | Step::GoesOn(_, times, false))) => {
                (gives, Some(times.ends_at), None)
            }
            Some((_, Step::GoesOn(..))) => (&[][..], None, None),
            Some((_, Step::ComesToNothing(kind))) => (&[][..], None, Some(*kind)),
        };
        let lots = gives_now
            .iter()
            .map(|planned| lot_at(planned, self.now, until));
        let lots = self.at_home(lots.collect());
        for lot in &lots {
            check_balance(&self.own, &lot.asset, lot.amount)?;
        }
        self.push(Payload::PaymentSucceeded(success));
        let subscription =
            step.and_then(|(period, step)| self.take_step(step, (period, gives), &amount));
        for lot in lots {
            self.credited_for(lot, Some(payment), subscription);
        }
        self.wonder(payment, &amount, late.into_iter().chain(nothing));
        Ok(())
    }

    /// Whether nobody is there to have it, or has it as often as may be.
    fn has_gone(&self, success: &PaymentSucceeded) -> bool {
        let package = match &success.purpose {
            Some(Purpose::Package { package, .. }) if success.is_limited => package.as_str(),
            _ => "",
        };
        let known = self.ledger.catalog.packages.get(package);
        let maximum = known.and_then(|known| known.per_account);
        let bought = self.own.bought.get(package).copied().unwrap_or(0);
        self.own.status == Status::Closed || maximum.is_some_and(|maximum| bought >= maximum)
    }

    fn wonder(&mut self, payment: u64, amount: &Money, kinds: impl Iterator<Item = AnomalyKind>) {
        for kind in kinds {
            self.push(Payload::PaymentAnomaly(PaymentAnomaly {
                payment,
                kind,
                amount: amount.clone(),
                provider_ids: ProviderIds::default(),
            }));
        }
    }

    /// What cannot be, said for the first time.
    pub(super) fn odd(
        &mut self,
        paid: &Paid,
        kind: AnomalyKind,
        amount: &Money,
        voice: Voice<'_>,
    ) -> Try<()> {
        let mut odd = paid.odd.iter();
        let is_same = odd.any(|odd: &Odd| odd.kind == kind && odd.amount == *amount);
        let is_told = is_same && self.news(voice).ids.is_empty();
        if is_told || paid.odd.len() >= ODD_MAX {
            return Err(self.recorded(paid, voice));
        }
        self.push(Payload::PaymentAnomaly(PaymentAnomaly {
            payment: paid.position,
            kind,
            amount: amount.clone(),
            provider_ids: self.news(voice),
        }));
        Ok(())
    }

    fn recorded(&self, paid: &Paid, voice: Voice<'_>) -> Rejection {
        let named = voice.ids.first().or(paid.ids.first());
        Rejection::PaymentAlreadyRecorded {
            book: self.ledger.book.to_owned(),
            event: paid.position,
            kind: named.map_or_else(String::new, |id| (&id.kind).into()),
            id: named.map_or_else(String::new, |id| (&id.id).into()),
        }
    }

    /// The ids that nobody has claimed.
    pub(super) fn news(&self, voice: Voice<'_>) -> ProviderIds {
        let ids = voice.ids.iter();
        let news = ids.filter(|id| self.claimed_by(&voice, id).is_none());
        ProviderIds {
            provider: voice.provider.clone(),
            merchant_account: voice.merchant.clone(),
            ids: news.cloned().collect(),
            known: Vec::new(),
        }
    }

    fn claimed_by(&self, voice: &Voice<'_>, id: &ProviderId) -> Option<u64> {
        let key = (voice.provider.clone(), voice.merchant.clone(), id.clone());
        self.ledger.claims.get(&key).copied()
    }
}
