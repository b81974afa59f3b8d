//! Words of payments that commands, events and records share.

use minicbor::{Decode, Encode};

use crate::{name::Name, primitives::Money};

/// How a payment stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum PaymentStatus {
    /// It was asked for; its provider has said nothing yet.
    #[n(0)]
    Created,
    /// Its provider waits for the user.
    #[n(1)]
    Pending,
    /// The user has paid; the merchant has to confirm it.
    #[n(2)]
    WaitingForCapture,
    /// It is paid.
    #[default]
    #[n(3)]
    Succeeded,
    /// It was given up. Final.
    #[n(4)]
    Canceled,
}

impl PaymentStatus {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the encoder's signature")]
    pub(crate) const fn is_succeeded(&self) -> bool {
        matches!(self, Self::Succeeded)
    }
}

/// What a payment is for.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Purpose {
    /// Money into the wallet, of any amount that the catalog allows.
    #[n(0)]
    TopUp(#[n(0)] Money),
    /// A package of the catalog, for its price in a currency.
    #[n(1)]
    Package {
        /// The package.
        #[n(0)]
        package: Name,
        /// The currency.
        #[n(1)]
        currency: Name,
    },
    /// The first period of a subscription, or one that is bought again.
    #[n(2)]
    Subscription {
        /// The plan.
        #[n(0)]
        plan: Name,
        /// The currency.
        #[n(1)]
        currency: Name,
        /// The subscription that it takes the place of.
        #[n(2)]
        upgrade_of: Option<u64>,
    },
    /// The next period of a subscription.
    #[n(3)]
    Renewal {
        /// The subscription.
        #[n(0)]
        subscription: u64,
    },
}

/// How money is paid back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum RefundVia {
    /// By the provider of the payment.
    #[default]
    #[n(0)]
    Provider,
    /// By a bank order or by hand, with a document of its own.
    #[n(1)]
    Outside,
}

/// How a refund at a provider ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum RefundStatus {
    /// The money is paid back.
    #[default]
    #[n(0)]
    Succeeded,
    /// It is not, and will not be.
    #[n(1)]
    Failed,
}
