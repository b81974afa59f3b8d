//! Payments: asked for, settled as their providers say, and paid back.
//!
//! What a provider says is never refused for what it says: what cannot be is an
//! event PaymentAnomaly. Only what says nothing new is refused, as recorded.

mod automatic;
mod create;
mod period;
mod plan;
mod refund;
mod settle;
mod take;

pub(super) use create::create;
pub(super) use refund::{record_refund, refund};
pub(super) use settle::record;

use super::{Decided, Party, work::Work};
use crate::{
    event::{AnomalyKind, Payload, PaymentAnomaly, ProviderId, ProviderIds},
    name::Name,
    primitives::Money,
    record::{PaymentRecord, Record, Subject},
    rejection::Rejection,
};

/// Who said something of a payment, and the ids that came along.
#[derive(Clone, Copy)]
struct Said<'a> {
    provider: &'a Name,
    merchant_account: &'a Name,
    ids: &'a [ProviderId],
}

impl Said<'_> {
    fn is_of(&self, payment: &PaymentRecord) -> bool {
        *self.provider == payment.provider && *self.merchant_account == payment.merchant_account
    }

    /// What is known of a payment are ids of its own provider and merchant
    /// account: of another one, the same id is another's.
    fn unknown_to(&self, payment: &PaymentRecord) -> ProviderIds {
        let mut unknown = ProviderIds {
            provider: self.provider.clone(),
            merchant_account: self.merchant_account.clone(),
            ids: Vec::new(),
            known: Vec::new(),
        };
        unknown.ids = if self.is_of(payment) {
            payment.unknown_ids(self.ids)
        } else {
            let ids = self.ids.iter();
            let ids = ids.filter(|id| !payment.has_others_id(&unknown, id));
            ids.cloned().collect()
        };
        unknown
    }

    /// The same with those by which a refund is found again, though they have
    /// been said before.
    fn of_refund(&self, payment: &PaymentRecord) -> ProviderIds {
        ProviderIds {
            known: payment.known_refund_ids(self.ids),
            ..self.unknown_to(payment)
        }
    }
}

/// The payment of a record, if it is one of this account.
fn of_account<'r>(
    work: &Work<'_>,
    record: Option<&'r Record>,
) -> Result<&'r PaymentRecord, Rejection> {
    match record {
        Some(Record {
            account,
            subject: Subject::Payment(payment),
        }) if *account == work.request.account => Ok(payment),
        _ => Err(Rejection::PaymentNotFound),
    }
}

/// What a provider said of a payment that cannot be; refused if just that was said
/// before, or so much that nobody needs to hear more.
fn anomaly(
    mut work: Work<'_>,
    payment: &PaymentRecord,
    kind: AnomalyKind,
    amount: &Money,
    said: Said<'_>,
) -> Result<Vec<Decided>, Rejection> {
    let provider_ids = said.unknown_to(payment);
    if payment.knows_anomaly(kind, amount, &provider_ids.ids) {
        return Err(already_recorded(&work, payment, said.ids));
    }
    work.push(
        Party::Own,
        Payload::PaymentAnomaly(PaymentAnomaly {
            payment: payment.position,
            kind,
            amount: amount.clone(),
            provider_ids,
        }),
    );
    Ok(work.finish())
}

fn already_recorded(
    work: &Work<'_>,
    payment: &PaymentRecord,
    provider_ids: &[ProviderId],
) -> Rejection {
    let said = provider_ids.first().or(payment.provider_ids.first());
    Rejection::PaymentAlreadyRecorded {
        book: work.context.book.to_owned(),
        event: payment.position,
        kind: said.map_or_else(String::new, |id| (&id.kind).into()),
        id: said.map_or_else(String::new, |id| (&id.id).into()),
    }
}
