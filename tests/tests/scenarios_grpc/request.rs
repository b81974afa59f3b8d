//! From a command of the core to a call of the API.

use ledger_core::{
    Command, Money, Request, Timestamp,
    account::Funding,
    catalog::{Attributes, OverrunPolicy},
    command::{AssetAmount, Change, Target},
    event::ProviderId,
    payment::{PaymentStatus, Purpose, RefundStatus, RefundVia},
};
use ledger_proto::v1::{
    self, catalog_service_client::CatalogServiceClient, ledger_service_client::LedgerServiceClient,
    payment_service_client::PaymentServiceClient,
};
use tonic::{Status, metadata::MetadataValue, transport::Channel};

/// What a mutation answered.
#[derive(Default)]
pub(crate) struct Answered {
    pub(crate) events: Vec<v1::Event>,
    /// Of a refund: what can still be given back.
    pub(crate) refundable: Option<i64>,
}

/// Calls the method that a request stands for.
pub(crate) async fn send(
    channel: Channel,
    book: &str,
    request: &Request,
) -> Result<Answered, Status> {
    let mut ledger = LedgerServiceClient::new(channel.clone());
    let mut payments = PaymentServiceClient::new(channel.clone());
    let mut catalogs = CatalogServiceClient::new(channel);
    let event = |position: u64| format!("books/{book}/events/{position}");
    let mut refundable = None;

    // A message with the fields that every mutation has, and some of its own.
    macro_rules! with_own {
        ($message:ident { $($own:ident: $value:expr),* $(,)? }) => {{
            let message = v1::$message {
                account: format!("books/{book}/accounts/{}", request.account),
                request_id: id(request),
                expire_time: request.expires_at.map(time),
                annotations: Some(annotations(request)),
                $($own: $value,)*
                ..Default::default()
            };
            from(request, message)
        }};
    }
    // The target of a message: an event by its name, or the request that wrote it.
    macro_rules! target {
        ($target:expr, $module:ident, $by_name:ident, $by_request:ident) => {
            Some(match $target {
                Target::Position(position) => v1::$module::Target::$by_name(event(*position)),
                Target::Request(id) => v1::$module::Target::$by_request(id.to_string()),
            })
        };
    }
    macro_rules! result {
        ($call:expr) => {
            $call.await?.into_inner().result
        };
    }

    let result = match &request.command {
        Command::OpenAccount(_) => {
            result!(ledger.open_account(with_own!(OpenAccountRequest {})))
        }
        Command::CloseAccount(_) => {
            result!(ledger.close_account(with_own!(CloseAccountRequest {})))
        }
        Command::BlockAccount(_) => {
            result!(ledger.block_account(with_own!(BlockAccountRequest {})))
        }
        Command::UnblockAccount(_) => {
            result!(ledger.unblock_account(with_own!(UnblockAccountRequest {})))
        }
        Command::Credit(it) => result!(ledger.credit(with_own!(CreditRequest {
            amount: amount(&it.asset, it.amount),
            funding: funding(it.funding),
            source: it.source.to_string(),
            priority: it.priority,
            lot_expire_time: it.lot_expire_time.map(time),
            scope: it.scope.iter().map(ToString::to_string).collect(),
            cost_basis: it.cost_basis.as_ref().map(money),
        }))),
        Command::Charge(it) => result!(ledger.charge(with_own!(ChargeRequest {
            operation: it.operation.as_deref().unwrap_or_default().to_owned(),
            quantity: it.quantity,
            explicit_price: it.explicit_price.as_ref().and_then(asset_amount),
            max_price: it.max_price.as_ref().and_then(asset_amount),
            attributes: attributes(&it.attributes),
            confirmed: it.confirmed,
        }))),
        Command::PlaceHold(it) => result!(ledger.place_hold(with_own!(PlaceHoldRequest {
            operation: it.operation.as_deref().unwrap_or_default().to_owned(),
            quantity: it.quantity,
            explicit_price: it.explicit_price.as_ref().and_then(asset_amount),
            max_price: it.max_price.as_ref().and_then(asset_amount),
            duration: it.duration.map(duration),
            overrun_policy: it.overrun_policy.map_or(0, overrun),
            attributes: attributes(&it.attributes),
            confirmed: it.confirmed,
        }))),
        Command::ExtendHold(it) => result!(ledger.extend_hold(with_own!(ExtendHoldRequest {
            target: target!(&it.hold, extend_hold_request, Hold, HoldRequestId),
            hold_expire_time: Some(time(it.hold_expire_time)),
        }))),
        Command::CaptureHold(it) => result!(ledger.capture_hold(with_own!(CaptureHoldRequest {
            target: target!(&it.hold, capture_hold_request, Hold, HoldRequestId),
            amount: it.amount,
            keep_open: it.keep_open,
        }))),
        Command::ReleaseHold(it) => result!(ledger.release_hold(with_own!(ReleaseHoldRequest {
            target: target!(&it.hold, release_hold_request, Hold, HoldRequestId),
        }))),
        Command::Refund(it) => {
            let message = with_own!(RefundRequest {
                target: target!(&it.charge, refund_request, Charge, ChargeRequestId),
                amount: it.amount,
            });
            let response = ledger.refund(message).await?.into_inner();
            refundable = Some(response.refundable_amount);
            response.result
        }
        Command::Transfer(it) => result!(ledger.transfer(with_own!(TransferRequest {
            destination_account: format!("books/{book}/accounts/{}", it.destination_account),
            amount: amount(&it.asset, it.amount),
        }))),
        Command::Adjust(it) => result!(ledger.adjust(with_own!(AdjustRequest {
            asset: it.asset.to_string(),
            change: Some(change(&it.change)),
        }))),
        Command::ApplyCatalog(it) => {
            let message = v1::ApplyCatalogRequest {
                book: format!("books/{book}"),
                request_id: id(request),
                expire_time: request.expires_at.map(time),
                annotations: Some(annotations(request)),
                text: it.text.clone(),
                overrides: it.overrides.clone(),
                expected_version: it.expected_version.map_or(0, number),
                ..Default::default()
            };
            result!(catalogs.apply_catalog(from(request, message)))
        }
        Command::CreatePayment(it) => match &it.purpose {
            Purpose::Subscription {
                plan,
                currency,
                upgrade_of,
            } => result!(
                payments.start_subscription(with_own!(StartSubscriptionRequest {
                    provider: it.provider.to_string(),
                    merchant_account: it.merchant_account.to_string(),
                    subscription: Some(v1::SubscriptionPurchase {
                        plan: plan.to_string(),
                        currency: currency.to_string(),
                        upgrade_of: upgrade_of.map(event).unwrap_or_default(),
                    }),
                }))
            ),
            bought => result!(payments.create_payment(with_own!(CreatePaymentRequest {
                provider: it.provider.to_string(),
                merchant_account: it.merchant_account.to_string(),
                purpose: Some(purpose(bought, event)),
                automatic: it.automatic,
            }))),
        },
        Command::RecordPayment(it) => {
            result!(payments.record_payment(with_own!(RecordPaymentRequest {
                provider: it.provider.to_string(),
                merchant_account: it.merchant_account.to_string(),
                provider_ids: ids(&it.provider_ids),
                amount: Some(money(&it.amount)),
                income_amount: it.income_amount.as_ref().map(money),
                test: it.test,
                status: status(it.status),
                payment: it.payment.as_ref().map(|it| named(it, event)).unwrap_or_default(),
                purpose: it.purpose.as_ref().map(|it| purpose(it, event)),
                cancellation_reason: text(it.cancellation_reason.as_deref()),
            })))
        }
        Command::RefundPayment(it) => {
            result!(payments.refund_payment(with_own!(RefundPaymentRequest {
                payment: named(&it.payment, event),
                amount: it.amount,
                via: match it.via {
                    RefundVia::Provider => v1::RefundVia::Provider,
                    RefundVia::Outside => v1::RefundVia::Outside,
                }
                .into(),
                document_number: text(it.document_number.as_deref()),
            })))
        }
        Command::RecordRefund(it) => {
            use v1::record_refund_request::Target as Of;
            let by_name = it.payment.as_ref().map(|it| Of::Payment(named(it, event)));
            let by_id = it
                .payment_id
                .as_ref()
                .map(|id| Of::ProviderPaymentId(id.to_string()));
            result!(payments.record_refund(with_own!(RecordRefundRequest {
                provider: it.provider.to_string(),
                merchant_account: it.merchant_account.to_string(),
                target: by_name.or(by_id),
                refund: it.refund.map(event).unwrap_or_default(),
                provider_ids: ids(&it.provider_ids),
                amount: Some(money(&it.amount)),
                status: match it.status {
                    RefundStatus::Succeeded => v1::RefundStatus::Succeeded,
                    RefundStatus::Failed => v1::RefundStatus::Failed,
                }
                .into(),
                failure_reason: text(it.failure_reason.as_deref()),
            })))
        }
        Command::CancelSubscription(it) => {
            result!(
                payments.cancel_subscription(with_own!(CancelSubscriptionRequest {
                    subscription: event(it.subscription),
                }))
            )
        }
        Command::ResumeSubscription(it) => {
            result!(
                payments.resume_subscription(with_own!(ResumeSubscriptionRequest {
                    subscription: event(it.subscription),
                }))
            )
        }
        other => panic!("the API has no call for {other:?}"),
    };
    let result = result.expect("every mutation answers its result");
    assert!(!result.replayed, "{request:?}");
    Ok(Answered {
        events: result.events,
        refundable,
    })
}

/// A call from the scenario's bot.
fn from<T>(request: &Request, message: T) -> tonic::Request<T> {
    let mut call = tonic::Request::new(message);
    let origin = MetadataValue::try_from(request.origin.as_str()).unwrap();
    call.metadata_mut().insert("x-ledger-origin", origin);
    call
}

fn id(request: &Request) -> String {
    request
        .request_id
        .map(|id| id.to_string())
        .unwrap_or_default()
}

fn annotations(request: &Request) -> v1::Annotations {
    let said = &request.annotations;
    v1::Annotations {
        external_id: text(said.external_id.as_deref()),
        metadata: said.metadata.clone(),
        occur_time: said.occurred_at.map(time),
        person: text(said.person.as_deref()),
        reason: said.reason.as_ref().map(|reason| v1::Reason {
            code: reason.code.to_string(),
            text: reason.text.clone().unwrap_or_default(),
        }),
    }
}

fn text(text: Option<&str>) -> String {
    text.unwrap_or_default().to_owned()
}

fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap()
}

fn time(at: Timestamp) -> prost_types::Timestamp {
    let nanos = at.0.rem_euclid(1_000_000) * 1_000;
    prost_types::Timestamp {
        seconds: at.0.div_euclid(1_000_000),
        nanos: i32::try_from(nanos).unwrap(),
    }
}

fn duration(us: i64) -> prost_types::Duration {
    prost_types::Duration {
        seconds: us / 1_000_000,
        nanos: i32::try_from(us % 1_000_000 * 1_000).unwrap(),
    }
}

fn amount(asset: &str, amount: i64) -> Option<v1::AssetAmount> {
    let asset = asset.to_owned();
    Some(v1::AssetAmount { asset, amount })
}

fn asset_amount(said: &AssetAmount) -> Option<v1::AssetAmount> {
    amount(&said.asset, said.amount)
}

fn money(money: &Money) -> v1::Money {
    v1::Money {
        currency: money.currency.to_string(),
        amount: money.amount,
    }
}

fn funding(funding: Funding) -> i32 {
    match funding {
        Funding::Granted => v1::Funding::Granted,
        Funding::Purchased => v1::Funding::Purchased,
    }
    .into()
}

fn overrun(policy: OverrunPolicy) -> i32 {
    match policy {
        OverrunPolicy::Reject => v1::OverrunPolicy::Reject,
        OverrunPolicy::Cap => v1::OverrunPolicy::Cap,
        OverrunPolicy::OverdrawAvailable => v1::OverrunPolicy::OverdrawAvailable,
    }
    .into()
}

fn status(status: PaymentStatus) -> i32 {
    match status {
        PaymentStatus::Created => v1::PaymentStatus::Created,
        PaymentStatus::Pending => v1::PaymentStatus::Pending,
        PaymentStatus::WaitingForCapture => v1::PaymentStatus::WaitingForCapture,
        PaymentStatus::Succeeded => v1::PaymentStatus::Succeeded,
        PaymentStatus::Canceled => v1::PaymentStatus::Canceled,
    }
    .into()
}

fn attributes(said: &Attributes) -> std::collections::BTreeMap<String, String> {
    let text = |(name, value): (&ledger_core::Name, &ledger_core::Name)| {
        (name.to_string(), value.to_string())
    };
    said.iter().map(text).collect()
}

fn change(change: &Change) -> v1::adjust_request::Change {
    match change {
        Change::Delta(delta) => v1::adjust_request::Change::Delta(*delta),
        Change::SetTo {
            available,
            expected,
        } => v1::adjust_request::Change::SetTo(v1::adjust_request::SetTo {
            available: *available,
            expected_available: *expected,
        }),
    }
}

fn ids(ids: &[ProviderId]) -> Vec<v1::ProviderId> {
    let id = |id: &ProviderId| v1::ProviderId {
        kind: id.kind.to_string(),
        id: id.id.to_string(),
    };
    ids.iter().map(id).collect()
}

/// A payment can be named by its event only.
fn named(target: &Target, event: impl Fn(u64) -> String) -> String {
    match target {
        Target::Position(position) => event(*position),
        Target::Request(id) => panic!("a payment is not named by its request {id}"),
    }
}

fn purpose(purpose: &Purpose, event: impl Fn(u64) -> String) -> v1::PaymentPurpose {
    use v1::payment_purpose::Purpose as Said;
    let said = match purpose {
        Purpose::TopUp(said) => Said::TopUp(money(said)),
        Purpose::Package { package, currency } => Said::Package(v1::PackagePurchase {
            package: package.to_string(),
            currency: currency.to_string(),
        }),
        Purpose::Subscription {
            plan,
            currency,
            upgrade_of,
        } => Said::Subscription(v1::SubscriptionPurchase {
            plan: plan.to_string(),
            currency: currency.to_string(),
            upgrade_of: upgrade_of.map(event).unwrap_or_default(),
        }),
        Purpose::Renewal { subscription } => Said::Renewal(v1::SubscriptionRenewal {
            subscription: event(*subscription),
        }),
    };
    v1::PaymentPurpose {
        purpose: Some(said),
    }
}
