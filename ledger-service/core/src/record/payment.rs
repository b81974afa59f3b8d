//! What events say about a payment.

use crate::{
    account::{Funding, Lot},
    catalog::PaymentRefundPolicy,
    event::{
        AnomalyKind, Credited, Debt, Event, PaidPeriod, Payload, PaymentAnomaly, PaymentCreated,
        PaymentRefunded, PaymentSucceeded, PlannedLot, ProviderId, ProviderIds,
    },
    limits::PAYMENT_ANOMALIES_MAX,
    name::Name,
    payment::{PaymentStatus, Purpose, RefundVia},
    primitives::{Money, Timestamp},
};

/// A payment, as its events tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentRecord {
    /// Its id: the position of its first event.
    pub position: u64,
    /// The provider.
    pub provider: Name,
    /// The shop or bot that it goes to.
    pub merchant_account: Name,
    /// What it is for; a top-up if absent.
    pub purpose: Option<Purpose>,
    /// What is to be paid, or was.
    pub amount: Money,
    /// What its success gives, if it was created before.
    pub gives: Vec<PlannedLot>,
    /// What a refund does when that is spent.
    pub refund: PaymentRefundPolicy,
    /// It is for a package that an account may buy only so often.
    pub is_limited: bool,
    /// The period of a subscription that it pays for, if it was created before.
    pub period: Option<PaidPeriod>,
    /// How it stands.
    pub status: PaymentStatus,
    /// Every id that the provider gave.
    pub provider_ids: Vec<ProviderId>,
    /// What the merchant gets after the fee, if known.
    pub income: Option<Money>,
    /// A payment of the provider's test mode.
    pub test: bool,
    /// Why it was canceled.
    pub cancellation_reason: Option<Name>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it succeeded.
    pub succeeded_at: Option<Timestamp>,
    /// What it bought and what came on top, less what refunds have taken.
    pub lots: Vec<PaidLot>,
    /// Its refunds, the oldest first.
    pub refunds: Vec<RefundRecord>,
    /// What was odd about it.
    pub anomalies: Vec<Anomaly>,
    /// Ids of refunds that were odd.
    odd_refund_ids: Vec<ProviderId>,
    /// Ids that others than its own provider gave to it.
    others_ids: Vec<ProviderIds>,
}

/// What was odd about a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anomaly {
    /// What.
    pub kind: AnomalyKind,
    /// What the provider said it amounts to.
    pub amount: Money,
    /// The ids that came along and had not been known.
    pub provider_ids: Vec<ProviderId>,
}

/// A lot that a payment gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaidLot {
    /// The lot's id.
    pub lot: u64,
    /// The asset.
    pub asset: Name,
    /// Bought, or given on top.
    pub funding: Funding,
    /// How much it gave.
    pub amount: i64,
    /// What was paid for that.
    pub basis: i64,
    /// How much had been paid back when it was given, in minor units.
    pub given_after: i64,
    /// How much of it refunds have taken, or are owed.
    pub taken: i64,
    /// The basis of what they have taken or are owed.
    pub taken_basis: i64,
}

/// A refund of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundRecord {
    /// The position of its first event.
    pub position: u64,
    /// What is or was to be paid back.
    pub amount: Money,
    /// How.
    pub via: RefundVia,
    /// How it ended; nothing if it runs.
    pub end: Option<RefundEnd>,
    /// Every id that the provider gave to it.
    pub provider_ids: Vec<ProviderId>,
    /// The number of the document, if it was done outside of the provider.
    pub document_number: Option<Name>,
    /// Of one that runs: what is spent and will be owed.
    pub missing: Vec<Debt>,
    /// When it began.
    pub created_at: Timestamp,
}

/// How a refund ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundEnd {
    /// The money is paid back.
    Refunded,
    /// It is not.
    Failed,
}

impl PaidLot {
    fn new(lot: &Lot, given_after: i64) -> Self {
        Self {
            given_after,
            lot: lot.id,
            asset: lot.asset.clone(),
            funding: lot.funding,
            amount: lot.amount,
            basis: lot.basis,
            taken: 0,
            taken_basis: 0,
        }
    }

    /// What of it no refund has taken.
    #[must_use]
    pub const fn rest(&self) -> i64 {
        self.amount.saturating_sub(self.taken)
    }

    /// The basis of [`rest`](Self::rest).
    #[must_use]
    pub const fn rest_basis(&self) -> i64 {
        self.basis.saturating_sub(self.taken_basis)
    }

    /// The basis of `amount` of the rest.
    #[must_use]
    pub fn basis_of(&self, amount: i64) -> i64 {
        crate::primitives::basis_share(self.rest_basis(), amount, self.rest())
    }

    fn take(&mut self, amount: i64) {
        let basis = self.basis_of(amount);
        self.taken = self.taken.saturating_add(amount);
        self.taken_basis = self.taken_basis.saturating_add(basis);
    }

    fn put_back(&mut self, amount: i64) {
        let basis = crate::primitives::basis_share(self.taken_basis, amount, self.taken);
        self.taken = self.taken.saturating_sub(amount);
        self.taken_basis = self.taken_basis.saturating_sub(basis);
    }
}

impl PaymentRecord {
    /// The record that a payment's first event begins; nothing if the event is
    /// none.
    pub(super) fn of(event: &Event) -> Option<Self> {
        match &event.payload {
            Payload::PaymentCreated(created) => Some(Self::created(event, created)),
            Payload::PaymentSucceeded(succeeded) if succeeded.payment.is_none() => {
                Some(Self::direct(event, succeeded))
            }
            _ => None,
        }
    }

    fn created(event: &Event, created: &PaymentCreated) -> Self {
        Self {
            position: event.position,
            provider: created.provider.clone(),
            merchant_account: created.merchant_account.clone(),
            purpose: Some(created.purpose.clone()),
            amount: created.amount.clone(),
            gives: created.gives.clone(),
            refund: created.refund,
            is_limited: created.is_limited,
            period: created.period.clone(),
            status: PaymentStatus::Created,
            provider_ids: Vec::new(),
            income: None,
            test: false,
            cancellation_reason: None,
            created_at: event.recorded_at,
            updated_at: event.recorded_at,
            succeeded_at: None,
            lots: Vec::new(),
            refunds: Vec::new(),
            anomalies: Vec::new(),
            odd_refund_ids: Vec::new(),
            others_ids: Vec::new(),
        }
    }

    fn direct(event: &Event, succeeded: &PaymentSucceeded) -> Self {
        let mut record = Self {
            position: event.position,
            provider: succeeded.provider.clone(),
            merchant_account: succeeded.merchant_account.clone(),
            purpose: succeeded.purpose.clone(),
            amount: succeeded.amount.clone(),
            gives: Vec::new(),
            refund: succeeded.refund,
            is_limited: succeeded.is_limited,
            period: None,
            status: PaymentStatus::Created,
            provider_ids: Vec::new(),
            income: None,
            test: false,
            cancellation_reason: None,
            created_at: event.recorded_at,
            updated_at: event.recorded_at,
            succeeded_at: None,
            lots: Vec::new(),
            refunds: Vec::new(),
            anomalies: Vec::new(),
            odd_refund_ids: Vec::new(),
            others_ids: Vec::new(),
        };
        record.succeed(event, succeeded);
        record
    }

    fn succeed(&mut self, event: &Event, succeeded: &PaymentSucceeded) {
        self.status = PaymentStatus::Succeeded;
        self.succeeded_at = Some(event.recorded_at);
        self.income.clone_from(&succeeded.income);
        self.test = succeeded.test;
        self.know(&succeeded.provider_ids);
    }

    /// Takes in a later event, if it is of this payment.
    pub(super) fn follow(&mut self, event: &Event) {
        if event.payload.refers_to() != Some(self.position) {
            return;
        }
        self.updated_at = event.recorded_at;
        match &event.payload {
            Payload::PaymentStatusRecorded(recorded) => {
                self.status = recorded.status;
                self.know(&recorded.provider_ids.ids);
            }
            Payload::PaymentSucceeded(succeeded) => self.succeed(event, succeeded),
            Payload::PaymentCanceled(canceled) => {
                self.status = PaymentStatus::Canceled;
                self.know(&canceled.provider_ids.ids);
                self.cancellation_reason.clone_from(&canceled.reason);
            }
            Payload::PaymentFeeRecorded(fee) => self.income = Some(fee.income.clone()),
            Payload::PaymentAnomaly(anomaly) => self.wonder(anomaly),
            Payload::Credited(credited) => self.give(credited),
            payload => self.follow_refund(event, payload),
        }
    }

    fn wonder(&mut self, anomaly: &PaymentAnomaly) {
        self.anomalies.push(Anomaly {
            kind: anomaly.kind,
            amount: anomaly.amount.clone(),
            provider_ids: anomaly.provider_ids.ids.clone(),
        });
        let ids = &anomaly.provider_ids.ids;
        let is_paid = self.status == PaymentStatus::Succeeded;
        match anomaly.kind {
            // The ids of somebody else.
            AnomalyKind::ProviderDiffers => self.others_ids.push(anomaly.provider_ids.clone()),
            AnomalyKind::RefundOfUnpaid
            | AnomalyKind::RefundExceedsPayment
            | AnomalyKind::RefundFailedAfterDone => self.odd_refund_ids.extend_from_slice(ids),
            // Of what has been paid, only a refund has another amount.
            AnomalyKind::AmountDiffers if is_paid => self.odd_refund_ids.extend_from_slice(ids),
            AnomalyKind::AmountDiffers
            | AnomalyKind::CanceledAfterSuccess
            | AnomalyKind::SucceededAfterCancel
            | AnomalyKind::PeriodPaidTwice
            | AnomalyKind::PaidTwice
            | AnomalyKind::NotAvailable => self.know(ids),
        }
    }

    fn follow_refund(&mut self, event: &Event, payload: &Payload) {
        match payload {
            Payload::PaymentRefundStarted(started) => {
                self.take(&started.parts);
                self.take_debts(&started.missing);
                self.refunds.push(RefundRecord {
                    position: event.position,
                    amount: started.amount.clone(),
                    via: RefundVia::Provider,
                    end: None,
                    provider_ids: Vec::new(),
                    document_number: None,
                    missing: started.missing.clone(),
                    created_at: event.recorded_at,
                });
            }
            Payload::PaymentRefunded(refunded) => {
                if !self.has_taken(refunded) {
                    self.take(&refunded.parts);
                    self.take_debts(&refunded.debts);
                }
                let index = self.begun(refunded.refund, event, refunded);
                if let Some(record) = self.refunds.get_mut(index) {
                    record.end = Some(RefundEnd::Refunded);
                    record.provider_ids = all_ids(&refunded.provider_ids);
                    record.document_number.clone_from(&refunded.document_number);
                    record.missing = Vec::new();
                }
            }
            Payload::PaymentRefundFailed(failed) => {
                let is_it = |record: &&mut RefundRecord| record.position == failed.refund;
                let Some(record) = self.refunds.iter_mut().find(is_it) else {
                    return;
                };
                record.end = Some(RefundEnd::Failed);
                record.provider_ids = all_ids(&failed.provider_ids);
                let missing = std::mem::take(&mut record.missing);
                let parts = failed.parts.iter().map(|part| (part.id, part.amount));
                let owed = missing.iter().map(|debt| (debt.lot, debt.amount));
                for (lot, amount) in parts.chain(owed) {
                    self.put_back(lot, amount);
                }
            }
            _ => {}
        }
    }

    /// Whether what a refund takes was counted when it began: not if it did not
    /// begin, nor if nothing had been given then.
    fn has_taken(&self, refunded: &PaymentRefunded) -> bool {
        let mut refunds = self.refunds.iter();
        let begun = refunds.find(|record| Some(record.position) == refunded.refund);
        begun.is_some_and(|begun| !refunded.reserved.is_empty() || !begun.missing.is_empty())
    }

    /// The index of a refund that was started, or of a new record of one that
    /// was not.
    fn begun(&mut self, started: Option<u64>, event: &Event, refunded: &PaymentRefunded) -> usize {
        let found = self
            .refunds
            .iter()
            .position(|record| Some(record.position) == started);
        found.unwrap_or_else(|| {
            self.refunds.push(RefundRecord {
                position: event.position,
                amount: refunded.amount.clone(),
                via: refunded.via,
                end: None,
                provider_ids: Vec::new(),
                document_number: None,
                missing: Vec::new(),
                created_at: event.recorded_at,
            });
            self.refunds.len().saturating_sub(1)
        })
    }

    fn give(&mut self, credited: &Credited) {
        let lot = PaidLot::new(&credited.lot, self.refunded());
        self.lots.push(lot);
    }

    fn know(&mut self, provider_ids: &[ProviderId]) {
        for id in provider_ids {
            if !self.provider_ids.contains(id) {
                self.provider_ids.push(id.clone());
            }
        }
    }

    fn take(&mut self, parts: &[Lot]) {
        for part in parts {
            self.take_of(part.id, part.amount);
        }
    }

    fn take_debts(&mut self, debts: &[Debt]) {
        for debt in debts {
            self.take_of(debt.lot, debt.amount);
        }
    }

    /// Takes of what it gave to a lot; several of its gifts may be in one.
    fn take_of(&mut self, lot: u64, amount: i64) {
        let mut left = amount;
        for paid in self.lots.iter_mut().filter(|paid| paid.lot == lot) {
            let takes = left.min(paid.rest());
            if takes > 0 {
                paid.take(takes);
                left = left.saturating_sub(takes);
            }
        }
    }

    fn put_back(&mut self, lot: u64, amount: i64) {
        let mut left = amount;
        for paid in self.lots.iter_mut().filter(|paid| paid.lot == lot) {
            let back = left.min(paid.taken);
            if back > 0 {
                paid.put_back(back);
                left = left.saturating_sub(back);
            }
        }
    }

    /// The ids of these that nobody has given to it or to a refund of it.
    #[must_use]
    pub fn unknown_ids(&self, ids: &[ProviderId]) -> Vec<ProviderId> {
        let is_known = |id: &&ProviderId| self.provider_ids.contains(id) || self.is_of_refund(id);
        ids.iter().filter(|id| !is_known(id)).cloned().collect()
    }

    /// The ids of these that were given to a refund of it.
    #[must_use]
    pub(crate) fn known_refund_ids(&self, ids: &[ProviderId]) -> Vec<ProviderId> {
        let known = ids.iter().filter(|id| self.is_of_refund(id));
        known.cloned().collect()
    }

    /// Whether another provider or merchant account than its own gave this id to
    /// it.
    #[must_use]
    pub(crate) fn has_others_id(&self, said: &ProviderIds, id: &ProviderId) -> bool {
        let mut others = self.others_ids.iter();
        others.any(|other| {
            other.provider == said.provider
                && other.merchant_account == said.merchant_account
                && other.ids.contains(id)
        })
    }

    /// Whether just that was said of it before: the same amount, and none of the
    /// ids was `unknown`; or too much was.
    #[must_use]
    pub(crate) fn knows_anomaly(
        &self,
        kind: AnomalyKind,
        amount: &Money,
        unknown: &[ProviderId],
    ) -> bool {
        let mut anomalies = self.anomalies.iter();
        let is_said = anomalies.any(|known| known.kind == kind && known.amount == *amount);
        (is_said && unknown.is_empty()) || self.anomalies.len() >= PAYMENT_ANOMALIES_MAX
    }

    fn is_of_refund(&self, id: &ProviderId) -> bool {
        let mut refunds = self.refunds.iter();
        self.odd_refund_ids.contains(id) || refunds.any(|refund| refund.provider_ids.contains(id))
    }

    /// What was paid and neither is nor is being paid back.
    #[must_use]
    pub fn refundable(&self) -> i64 {
        let refunds = self
            .refunds
            .iter()
            .filter(|refund| refund.end != Some(RefundEnd::Failed));
        refunds.fold(self.amount.amount, |left, refund| {
            left.saturating_sub(refund.amount.amount)
        })
    }

    /// What has been paid back.
    #[must_use]
    pub fn refunded(&self) -> i64 {
        let refunds = self
            .refunds
            .iter()
            .filter(|refund| refund.end == Some(RefundEnd::Refunded));
        refunds.fold(0_i64, |sum, refund| {
            sum.saturating_add(refund.amount.amount)
        })
    }
}

/// Every id that was given to a refund.
fn all_ids(given: &ProviderIds) -> Vec<ProviderId> {
    given.ids.iter().chain(&given.known).cloned().collect()
}
