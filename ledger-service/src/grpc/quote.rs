//! What a charge would cost and be paid with: the charge itself, decided on a
//! snapshot and thrown away, so that it says what a charge would say.

use ledger_core::{
    Accounts, Command, Context, Payload, Rejection, Request, Timestamp,
    account::Lot,
    command::{AssetAmount, Charge},
    decide::{Offered, decide, offered},
    event::{Annotations, Debited},
    rejection::Kind,
};
use ledger_proto::v1;
use tonic::Status;

use super::{edge::Look, parse::Order, render, status};

/// What a charge would cost, and whether it would succeed.
#[derive(Debug)]
pub(super) struct Quote {
    /// What it would take, or why it is refused.
    outcome: Result<Debited, Rejection>,
    /// What the catalog asks for it.
    offered: Offered,
    /// The price is above what is charged without the user's word.
    needs_confirmation: bool,
    /// When the pass that would pay ends.
    pass_ends_at: Option<Timestamp>,
    /// The account does not exist.
    is_not_opened: bool,
}

/// Quotes a charge.
///
/// # Errors
/// The order itself is wrong: something that it names is not in the catalog,
/// or is above its bound. A refusal for the account's sake is no error.
pub(super) fn quote(look: &Look, order: &Order) -> Result<Quote, Status> {
    quote_order(look, order)
        .map_err(|rejection| status::rejected(&rejection, look.name.book(), look.name.account()))
}

fn quote_order(look: &Look, order: &Order) -> Result<Quote, Rejection> {
    let context = look.context();
    let Order {
        operation,
        quantity,
        explicit_price,
        attributes,
        origin,
    } = order;
    let asked = ledger_core::decide::Order {
        operation: operation.as_deref(),
        quantity: *quantity,
        attributes,
        explicit_price: explicit_price.as_ref(),
        max_price: None,
        confirmed: true,
        origin,
    };
    let offered = offered(context.catalog, &asked)?;
    let request = Request {
        account: look.name.account().into(),
        request_id: None,
        origin: origin.clone(),
        annotations: Annotations::default(),
        expires_at: None,
        command: Command::Charge(Charge {
            operation: operation.clone(),
            quantity: *quantity,
            explicit_price: explicit_price.clone(),
            max_price: None,
            attributes: attributes.clone(),
            confirmed: true,
        }),
    };
    let accounts = Accounts {
        own: &look.account,
        other: None,
    };
    let outcome = match decide(accounts, &request, None, &context) {
        Ok(events) => events
            .into_iter()
            .find_map(|decided| match decided.payload {
                Payload::Debited(debited) => Some(Ok(debited)),
                _ => None,
            })
            // A charge always makes one.
            .unwrap_or(Err(Rejection::ChargeNotFound)),
        Err(rejection) => Err(rejection),
    };
    match outcome {
        Err(rejection) if !is_about_account(&rejection) => Err(rejection),
        outcome => Ok(Quote {
            needs_confirmation: needs_confirmation(&context, &outcome),
            pass_ends_at: pass_ends_at(look, &outcome),
            outcome,
            offered,
            is_not_opened: look.is_not_opened(),
        }),
    }
}

/// Whether the price is above the catalog's threshold.
fn needs_confirmation(context: &Context<'_>, outcome: &Result<Debited, Rejection>) -> bool {
    outcome.as_ref().is_ok_and(|debited| {
        let threshold = context.catalog.confirm_above.get(&debited.asset);
        threshold.is_some_and(|above| debited.amount > *above)
    })
}

/// When the pass ends that would pay, if one would.
fn pass_ends_at(look: &Look, outcome: &Result<Debited, Rejection>) -> Option<Timestamp> {
    let pass = outcome.as_ref().ok()?.pass?;
    let present = look.present();
    let lot = present.lots.iter().find(|lot| lot.id == pass)?;
    lot.expires_at
}

/// Whether a refusal is for the account's sake: it is a "no".
fn is_about_account(rejection: &Rejection) -> bool {
    matches!(
        rejection.kind(),
        Kind::FailedPrecondition | Kind::RateLimited
    ) || matches!(rejection, Rejection::AccountNotFound { .. })
}

impl Quote {
    /// What would be taken; if funds are lacking, what they lack for.
    fn price(&self) -> Option<AssetAmount> {
        match &self.outcome {
            Ok(debited) => Some(AssetAmount {
                asset: debited.asset.clone(),
                amount: debited.amount,
            }),
            Err(Rejection::InsufficientFunds {
                asset, required, ..
            }) => Some(AssetAmount {
                asset: asset.into(),
                amount: *required,
            }),
            Err(_) => self.offered.alternatives.last().cloned(),
        }
    }

    fn price_message(&self) -> Option<v1::AssetAmount> {
        self.price().map(|price| v1::AssetAmount {
            asset: price.asset.into(),
            amount: price.amount,
        })
    }

    fn parts(&self) -> &[Lot] {
        self.outcome
            .as_ref()
            .map_or(&[][..], |debited| &debited.parts)
    }

    fn paid_with(&self) -> i32 {
        match &self.outcome {
            Ok(debited) => render::paid_with(debited.paid_with),
            Err(_) => v1::PaidWith::Unspecified.into(),
        }
    }

    fn refusal_reason(&self) -> String {
        self.outcome
            .as_ref()
            .err()
            .map(Rejection::reason)
            .unwrap_or_default()
            .to_owned()
    }

    /// As CheckAccess answers it.
    pub(super) fn into_check_access(self) -> v1::CheckAccessResponse {
        let parts = self.parts().iter().filter_map(|part| part.expires_at);
        let until = parts.chain(self.pass_ends_at).min();
        v1::CheckAccessResponse {
            allowed: self.outcome.is_ok(),
            paid_with: self.paid_with(),
            price: self.price_message(),
            until_time: until.map(render::timestamp),
            refusal_reason: self.refusal_reason(),
            not_opened: self.is_not_opened,
        }
    }

    /// As QuoteCharge answers it.
    pub(super) fn into_quote_charge(self) -> v1::QuoteChargeResponse {
        let (shortfall_amount, top_up, package) = match &self.outcome {
            Err(Rejection::InsufficientFunds {
                shortfall,
                top_up,
                package,
                ..
            }) => (*shortfall, top_up.as_ref(), package.clone()),
            _ => (0, None, None),
        };
        let next_free_at = match &self.outcome {
            Err(Rejection::RateLimited { next_free_at, .. }) => *next_free_at,
            _ => None,
        };
        v1::QuoteChargeResponse {
            chargeable: self.outcome.is_ok(),
            price: self.price_message(),
            paid_with: self.paid_with(),
            takes: render::takes(self.parts()),
            refusal_reason: self.refusal_reason(),
            shortfall_amount,
            not_opened: self.is_not_opened,
            confirmation_required: self.needs_confirmation,
            top_up: top_up.map(render::money),
            package: package.unwrap_or_default(),
            attributes: render::attributes(&self.offered.attributes),
            next_free_time: next_free_at.map(render::timestamp),
            alternatives: self
                .offered
                .alternatives
                .into_iter()
                .map(|price| v1::AssetAmount {
                    asset: price.asset.into(),
                    amount: price.amount,
                })
                .collect(),
        }
    }
}
