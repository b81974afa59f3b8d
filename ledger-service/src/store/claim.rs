//! Which ids of providers events claim.

use ledger_core::Event;

use super::ExternalId;

/// The ids of providers that an event claims, with the position that they stand
/// for: that of the payment.
#[must_use]
pub fn claims_of(event: &Event) -> Vec<(ExternalId, u64)> {
    let Some((provider, merchant_account, ids)) = event.payload.provider_ids() else {
        return Vec::new();
    };
    let payment = event.payload.payment(event.position);
    let payment = payment.unwrap_or(event.position);
    let claim = |id: &ledger_core::event::ProviderId| ExternalId {
        provider: provider.clone(),
        merchant_account: merchant_account.clone(),
        kind: id.kind.clone(),
        id: id.id.clone(),
    };
    ids.iter().map(|id| (claim(id), payment)).collect()
}
