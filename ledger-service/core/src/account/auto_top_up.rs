//! What was bought by itself this month, and how events change that.

use minicbor::{CborLen, Decode, Encode};

use super::Account;
use crate::{
    event::PaymentCreated,
    name_map::NameMap,
    primitives::{Money, Timestamp},
};

/// Payments that nobody asked for, of a month of the calendar.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(map)]
pub struct AutoTopUps {
    /// When the month ends.
    #[n(0)]
    pub month_ends_at: Timestamp,
    /// What was paid in it, by currency.
    #[n(1)]
    #[cbor(default, skip_if = "NameMap::is_empty")]
    pub paid: NameMap<i64>,
    /// The payment that is open.
    #[n(2)]
    pub attempt: Option<u64>,
}

impl AutoTopUps {
    /// What was paid so far in the month that ends then.
    #[must_use]
    pub fn paid_in(&self, month_ends_at: Timestamp, currency: &str) -> i64 {
        let paid = self.paid.get(currency).copied();
        paid.filter(|_| self.month_ends_at == month_ends_at)
            .unwrap_or(0)
    }
}

impl Account {
    pub(super) fn auto_top_up_created(&mut self, created: &PaymentCreated, payment: u64) {
        let Some(month_ends_at) = created.automatic_until else {
            return;
        };
        let own = self.auto_top_ups.get_or_insert_default();
        if own.month_ends_at != month_ends_at {
            own.month_ends_at = month_ends_at;
            own.paid = NameMap::default();
        }
        own.attempt = Some(payment);
    }

    /// A payment came about, with what was paid, or came to nothing.
    pub(super) fn auto_top_up_ended(&mut self, payment: u64, paid: Option<&Money>) {
        let own = self.auto_top_ups.as_mut();
        let Some(own) = own.filter(|own| own.attempt == Some(payment)) else {
            return;
        };
        own.attempt = None;
        if let Some(paid) = paid {
            let sum = own.paid.get_or_insert_default(&paid.currency);
            *sum = sum.saturating_add(paid.amount);
        }
    }
}
