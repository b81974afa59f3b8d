//! How events of payments change an account.

use super::{Account, Lot, OpenRefund};
use crate::{
    event::{PaymentRefundFailed, PaymentRefundStarted, PaymentRefunded, PaymentSucceeded},
    payment::Purpose,
};

impl Account {
    pub(super) fn payment_succeeded(&mut self, payment: &PaymentSucceeded) {
        let paid = self.paid.get_or_insert_default(&payment.amount.currency);
        *paid = paid.saturating_add(payment.amount.amount);
        if let Some(Purpose::Package { package, .. }) = &payment.purpose
            && payment.is_limited
        {
            let bought = self.packages.get_or_insert_default(package);
            *bought = bought.saturating_add(1);
        }
        if let Some(created) = payment.payment {
            self.auto_top_up_ended(created, Some(&payment.amount));
        }
    }

    pub(super) fn payment_refund_started(
        &mut self,
        started: &PaymentRefundStarted,
        position: u64,
    ) -> Result<(), u64> {
        self.remove_parts(&started.parts)?;
        for part in &started.parts {
            let totals = self.totals_mut(&part.asset);
            totals.held = totals.held.saturating_add(part.amount);
        }
        self.refunds.push(OpenRefund {
            position,
            payment: started.payment,
            parts: started.parts.clone(),
        });
        Ok(())
    }

    pub(super) fn payment_refunded(&mut self, refunded: &PaymentRefunded) -> Result<(), u64> {
        if let Some(refund) = refunded.refund {
            self.end_refund(refund, &refunded.reserved)?;
        }
        self.remove_parts(&refunded.parts)?;
        for part in refunded.reserved.iter().chain(&refunded.parts) {
            self.lose(&part.asset, part.amount);
        }
        self.owe(&refunded.debts);
        self.drop_queued(refunded.payment);
        let back = self
            .paid_back
            .get_or_insert_default(&refunded.amount.currency);
        *back = back.saturating_add(refunded.amount.amount);
        Ok(())
    }

    pub(super) fn payment_refund_failed(
        &mut self,
        failed: &PaymentRefundFailed,
    ) -> Result<(), u64> {
        self.end_refund(failed.refund, &failed.parts)?;
        self.give_back(&failed.parts, &failed.graced, &failed.settled);
        Ok(())
    }

    /// Ends a refund, which must have reserved these parts.
    fn end_refund(&mut self, id: u64, parts: &[Lot]) -> Result<(), u64> {
        let index = self.refunds.iter().position(|refund| refund.position == id);
        let refund = index.map(|index| self.refunds.remove(index)).ok_or(id)?;
        let is_same = refund.parts.len() == parts.len()
            && refund
                .parts
                .iter()
                .zip(parts)
                .all(|(own, named)| (own.id, own.amount) == (named.id, named.amount));
        if !is_same {
            return Err(id);
        }
        for part in parts {
            let totals = self.totals_mut(&part.asset);
            totals.held = totals.held.saturating_sub(part.amount);
        }
        Ok(())
    }
}
