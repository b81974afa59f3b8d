//! What a refund of a payment does when its lots are spent.

use super::model::PaymentRefundPolicy;
use super::reader::Section;
use super::report::Report;

const POLICIES: [(&str, PaymentRefundPolicy); 3] = [
    ("refuse_if_spent", PaymentRefundPolicy::RefuseIfSpent),
    ("take_what_is_left", PaymentRefundPolicy::TakeWhatIsLeft),
    ("leave_deficit", PaymentRefundPolicy::LeaveDeficit),
];

/// Reads the policy of a key, if it is given.
pub(super) fn optional(
    section: &Section<'_>,
    key: &str,
    report: &mut Report,
) -> Option<PaymentRefundPolicy> {
    section.optional(key)?.choice(&POLICIES, report)
}
