//! Payments: asked for, and what their providers say of them.

use ledger_core::{
    Money, Name, Payload, Rejection,
    account::Lot,
    command::{CreatePayment, RecordPayment},
    event::{
        AnomalyKind, PaymentAnomaly, PaymentCanceled, PaymentCreated, PaymentFeeRecorded,
        PaymentStatusRecorded, PaymentSucceeded, PlannedLot, ProviderId, ProviderIds,
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
    paid::Paid,
};

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
            period: None,
            automatic_until: None,
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
        let paid = self.meant.ok_or(Rejection::PaymentNotFound)?;
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
        self.give_for(success, &paid.gives, paid.position)?;
        if paid.status == Canceled {
            self.push(Payload::PaymentAnomaly(PaymentAnomaly {
                payment: paid.position,
                kind: AnomalyKind::SucceededAfterCancel,
                amount: said.amount.clone(),
                provider_ids: ProviderIds::default(),
            }));
        }
        Ok(())
    }

    /// A success that nobody has asked for: a top-up, if nothing else is said.
    fn first_heard(&mut self, said: &RecordPayment) -> Try<()> {
        let top_up = Purpose::TopUp(said.amount.clone());
        let Deal {
            amount,
            gives,
            policy,
            is_limited,
        } = self.deal(said.purpose.as_ref().unwrap_or(&top_up))?;
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
        self.give_for(success, &gives, self.next_position())
    }

    fn give_for(
        &mut self,
        success: PaymentSucceeded,
        gives: &[PlannedLot],
        payment: u64,
    ) -> Try<()> {
        let lots = gives.iter().map(|planned| Lot {
            created_at: self.now,
            expires_at: planned
                .expires_after_us
                .map(|after| self.now.plus_us(after)),
            ..planned.lot.clone()
        });
        let lots = self.at_home(lots.collect());
        for lot in &lots {
            check_balance(&self.own, &lot.asset, lot.amount)?;
        }
        self.push(Payload::PaymentSucceeded(success));
        for lot in lots {
            self.credited(lot, Some(payment));
        }
        Ok(())
    }

    /// What cannot be, said for the first time.
    pub(super) fn odd(
        &mut self,
        paid: &Paid,
        kind: AnomalyKind,
        amount: &Money,
        voice: Voice<'_>,
    ) -> Try<()> {
        if paid.odd.contains(&kind) {
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
