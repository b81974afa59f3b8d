//! The ledger as the gateway sees it. Its protobuf messages don't leave this
//! module.
//!
//! Every mutation takes a request id that its caller can make again, so that a
//! repeat gets the first answer instead of a second charge.

mod failure;

use std::str::FromStr as _;

use ledger_proto::v1::{
    Annotations, Balance, ChargeRequest, GetBalanceRequest, Money, MutationResult,
    OpenAccountRequest, PaymentStatus, ProviderId, RecordPaymentRequest,
    account_service_client::AccountServiceClient, ledger_service_client::LedgerServiceClient,
    payment_service_client::PaymentServiceClient,
};
use thiserror::Error;
use tonic::{
    Code, Request,
    metadata::{Ascii, MetadataValue},
    transport::{Channel, Endpoint},
};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use uuid::Uuid;

pub use failure::{Failure, Refusal};

use crate::{config::LedgerConfig, limits, yookassa::check::Credit};

/// The provider's name in the ledger.
const YOOKASSA: &str = "yookassa";

/// A quantity of one asset, in minor units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quantity {
    /// The asset's id in the catalog.
    pub asset: String,
    /// Minor units.
    pub amount: i64,
}

/// What an account can spend, one entry an asset.
pub type Wallet = Vec<Quantity>;

/// A charge that was made, now or at an earlier attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charged {
    /// What was taken.
    pub price: Quantity,
    /// What was left.
    pub left: Wallet,
}

/// Why there is no client.
#[derive(Debug, Error)]
pub enum Error {
    /// Not an address that can be connected to.
    #[error("LEDGER_URL can't be used")]
    Url(#[source] tonic::transport::Error),
    /// Not a name that can be sent.
    #[error("GATEWAY_BOT can't be used as an origin")]
    Origin(#[source] tonic::metadata::errors::InvalidMetadataValue),
}

/// A client of the ledger, for one book and one origin. It connects when it is
/// first used, and again whenever it must.
#[derive(Clone, Debug)]
pub struct Client {
    channel: Channel,
    origin: MetadataValue<Ascii>,
    book: String,
}

impl Client {
    /// A client that calls as `origin`.
    ///
    /// # Errors
    /// If the address or the origin can't be used.
    pub fn new(ledger: &LedgerConfig, origin: &str) -> Result<Self, Error> {
        let channel = Endpoint::from_shared(ledger.url.to_string())
            .map_err(Error::Url)?
            .connect_timeout(limits::CONNECT_TIMEOUT)
            .connect_lazy();
        let origin = MetadataValue::from_str(origin).map_err(Error::Origin)?;
        Ok(Self {
            channel,
            origin,
            book: ledger.book.clone(),
        })
    }

    /// The book.
    #[must_use]
    pub fn book(&self) -> &str {
        &self.book
    }

    /// Opens an account, or finds it open, and says what it has now. The
    /// answer of the opening itself wouldn't do: a repeat gets the balances of
    /// the first time.
    ///
    /// # Errors
    /// If the ledger refuses or can't answer.
    pub async fn open_account(&self, account: &str, request_id: Uuid) -> Result<Wallet, Failure> {
        let request = self.request(OpenAccountRequest {
            account: self.account_name(account),
            request_id: request_id.to_string(),
            ..OpenAccountRequest::default()
        });
        let mut client = LedgerServiceClient::new(self.channel.clone());
        let opened = client
            .open_account(request)
            .await
            .map_err(Failure::from_status)?;
        let token = opened
            .into_inner()
            .result
            .unwrap_or_default()
            .consistency_token;
        self.balance_since(account, token).await
    }

    /// What an account has.
    ///
    /// # Errors
    /// If the ledger refuses or can't answer.
    pub async fn balance(&self, account: &str) -> Result<Wallet, Failure> {
        self.balance_since(account, String::new()).await
    }

    async fn balance_since(
        &self,
        account: &str,
        consistency_token: String,
    ) -> Result<Wallet, Failure> {
        let request = self.request(GetBalanceRequest {
            account: self.account_name(account),
            consistency_token,
            ..GetBalanceRequest::default()
        });
        let mut client = AccountServiceClient::new(self.channel.clone());
        let answer = client
            .get_balance(request)
            .await
            .map_err(Failure::from_status)?;
        Ok(wallet(answer.into_inner().balances))
    }

    /// Charges an operation at the catalog's price, unless it is too late:
    /// `expires_at_ms` is in Unix milliseconds.
    ///
    /// # Errors
    /// If the ledger refuses or can't answer.
    pub async fn charge(
        &self,
        account: &str,
        operation: &str,
        request_id: Uuid,
        external_id: &str,
        expires_at_ms: i64,
    ) -> Result<Charged, Failure> {
        let request = self.request(ChargeRequest {
            account: self.account_name(account),
            request_id: request_id.to_string(),
            operation: operation.to_owned(),
            expire_time: Some(timestamp(expires_at_ms)),
            annotations: Some(Annotations {
                external_id: external_id.to_owned(),
                ..Annotations::default()
            }),
            ..ChargeRequest::default()
        });
        let mut client = LedgerServiceClient::new(self.channel.clone());
        let answer = client
            .charge(request)
            .await
            .map_err(Failure::from_status)?
            .into_inner();
        let price = answer.price.unwrap_or_default();
        Ok(Charged {
            price: Quantity {
                asset: price.asset,
                amount: price.amount,
            },
            left: left(answer.result),
        })
    }

    /// Records a payment and says what the account has with it.
    ///
    /// # Errors
    /// If the ledger refuses or can't answer.
    pub async fn record_payment(&self, shop_id: &str, credit: &Credit) -> Result<Wallet, Failure> {
        let request = self.request(record_payment(
            &self.account_name(&credit.account),
            shop_id,
            credit,
        ));
        let mut client = PaymentServiceClient::new(self.channel.clone());
        let answer = client
            .record_payment(request)
            .await
            .map_err(Failure::from_status)?;
        Ok(left(answer.into_inner().result))
    }

    /// Whether the ledger serves.
    pub async fn is_reachable(&self) -> bool {
        let mut client = HealthClient::new(self.channel.clone());
        match client
            .check(self.request(HealthCheckRequest::default()))
            .await
        {
            Ok(answer) => answer.into_inner().status() == ServingStatus::Serving,
            // Without the health service it answered all the same.
            Err(status) => status.code() == Code::Unimplemented,
        }
    }

    fn account_name(&self, account: &str) -> String {
        format!("books/{}/accounts/{account}", self.book)
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(limits::LEDGER_DEADLINE);
        request
            .metadata_mut()
            .insert("x-ledger-origin", self.origin.clone());
        request
    }
}

/// The request id comes from the payment's own id and creation time, so that
/// every notification of a payment makes the same one.
fn record_payment(account: &str, shop_id: &str, credit: &Credit) -> RecordPaymentRequest {
    let own_id = format!("{YOOKASSA}:{shop_id}:{}", credit.payment_id);
    let request_id = ledger_proto::request_id::derive("payment", &own_id, credit.created_at_ms);
    let money = |amount| Money {
        currency: credit.currency.clone(),
        amount,
    };
    let id = |kind: &str, id: &str| ProviderId {
        kind: kind.to_owned(),
        id: id.to_owned(),
    };
    // Only ids that YooKassa keeps unique: a card network's `rrn` isn't.
    let invoice = credit
        .invoice_id
        .as_deref()
        .map(|invoice| id("invoice", invoice));
    RecordPaymentRequest {
        account: account.to_owned(),
        request_id: request_id.to_string(),
        provider: YOOKASSA.to_owned(),
        merchant_account: shop_id.to_owned(),
        provider_ids: std::iter::once(id("payment", &credit.payment_id))
            .chain(invoice)
            .collect(),
        amount: Some(money(credit.amount_minor)),
        income_amount: credit.income_minor.map(money),
        test: credit.test,
        status: PaymentStatus::Succeeded.into(),
        annotations: Some(Annotations {
            occur_time: credit.captured_at_ms.map(timestamp),
            ..Annotations::default()
        }),
        ..RecordPaymentRequest::default()
    }
}

fn timestamp(at_ms: i64) -> prost_types::Timestamp {
    let nanos = i32::try_from(at_ms.rem_euclid(1000) * 1_000_000).unwrap_or_default();
    prost_types::Timestamp {
        seconds: at_ms.div_euclid(1000),
        nanos,
    }
}

fn left(result: Option<MutationResult>) -> Wallet {
    wallet(result.unwrap_or_default().balances)
}

fn wallet(balances: Vec<Balance>) -> Wallet {
    balances
        .into_iter()
        .map(|balance| Quantity {
            asset: balance.asset,
            amount: balance.available,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{record_payment, timestamp};
    use crate::yookassa::check::Credit;

    fn credit() -> Credit {
        Credit {
            payment_id: "3017d1f0".to_owned(),
            invoice_id: Some("in-1".to_owned()),
            account: "tg:7".to_owned(),
            currency: "RUB".to_owned(),
            amount_minor: 49_900,
            income_minor: None,
            test: true,
            created_at_ms: 1_795_166_112_345,
            captured_at_ms: Some(1_795_166_200_002),
        }
    }

    #[test]
    fn a_payment_is_recorded_under_an_id_of_its_own() {
        let request = record_payment("books/b/accounts/tg:7", "100500", &credit());
        let expected = ledger_proto::request_id::derive(
            "payment",
            "yookassa:100500:3017d1f0",
            1_795_166_112_345,
        );
        assert_eq!(request.request_id, expected.to_string());
        let ids: Vec<_> = request
            .provider_ids
            .iter()
            .map(|id| (id.kind.as_str(), id.id.as_str()))
            .collect();
        assert_eq!(ids, [("payment", "3017d1f0"), ("invoice", "in-1")]);
        assert_eq!(request.amount.unwrap().amount, 49_900);
        assert!(request.income_amount.is_none() && request.test);
    }

    #[test]
    fn times_keep_their_milliseconds() {
        let cases = [
            (1_795_166_200_002, 1_795_166_200, 2_000_000),
            (0, 0, 0),
            (-1, -1, 999_000_000),
        ];
        for (at_ms, seconds, nanos) in cases {
            assert_eq!(timestamp(at_ms), prost_types::Timestamp { seconds, nanos });
        }
    }
}
