//! The generated clients over one connection, with errors as reasons that can be
//! counted.

use ledger_proto::v1::{
    BatchChargeItem, BatchChargeRequest, BatchCreditItem, BatchCreditRequest, CaptureHoldRequest,
    ChargeRequest, GetAccountRequest, GetBalanceRequest, GetBalanceResponse, ListHoldsRequest,
    ListLotsRequest, MutationResult, PlaceHoldRequest,
    account_service_client::AccountServiceClient, ledger_service_client::LedgerServiceClient,
};
use std::{net::SocketAddr, time::Duration};
use tonic::transport::{Channel, Endpoint};
use tonic_types::StatusExt as _;

/// A call that takes longer has failed.
const CALL_DEADLINE: Duration = Duration::from_secs(30);
/// A BatchCharge of 1000 answers more than tonic's default of 4 MiB.
const RESPONSE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A client over one HTTP/2 connection.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    ledger: LedgerServiceClient<Channel>,
    accounts: AccountServiceClient<Channel>,
}

impl Client {
    /// Makes one; it connects at its first call.
    pub(crate) fn new(address: SocketAddr) -> Self {
        let channel = Endpoint::from_shared(format!("http://{address}"))
            .expect("an address makes a URL")
            .timeout(CALL_DEADLINE)
            .tcp_nodelay(true)
            .connect_lazy();
        Self {
            ledger: LedgerServiceClient::new(channel.clone())
                .max_decoding_message_size(RESPONSE_BYTES_MAX),
            accounts: AccountServiceClient::new(channel),
        }
    }

    pub(crate) async fn charge(
        &mut self,
        request: ChargeRequest,
    ) -> Result<Option<MutationResult>, String> {
        let answer = self.ledger.charge(request).await.map_err(status_reason)?;
        Ok(answer.into_inner().result)
    }

    pub(crate) async fn place_hold(
        &mut self,
        request: PlaceHoldRequest,
    ) -> Result<Option<MutationResult>, String> {
        let answer = self
            .ledger
            .place_hold(request)
            .await
            .map_err(status_reason)?;
        Ok(answer.into_inner().result)
    }

    pub(crate) async fn capture_hold(
        &mut self,
        request: CaptureHoldRequest,
    ) -> Result<Option<MutationResult>, String> {
        let answer = self
            .ledger
            .capture_hold(request)
            .await
            .map_err(status_reason)?;
        Ok(answer.into_inner().result)
    }

    pub(crate) async fn batch_charge(
        &mut self,
        request: BatchChargeRequest,
    ) -> Result<Vec<BatchChargeItem>, String> {
        let answer = self
            .ledger
            .batch_charge(request)
            .await
            .map_err(status_reason)?;
        Ok(answer.into_inner().items)
    }

    pub(crate) async fn batch_credit(
        &mut self,
        request: BatchCreditRequest,
    ) -> Result<Vec<BatchCreditItem>, String> {
        let answer = self
            .ledger
            .batch_credit(request)
            .await
            .map_err(status_reason)?;
        Ok(answer.into_inner().items)
    }

    pub(crate) async fn get_balance(
        &mut self,
        request: GetBalanceRequest,
    ) -> Result<GetBalanceResponse, String> {
        let answer = self
            .accounts
            .get_balance(request)
            .await
            .map_err(status_reason)?;
        Ok(answer.into_inner())
    }

    /// How many events, lots and holds an account has (of the last two, up to
    /// 1000).
    pub(crate) async fn size_of(&mut self, account: &str) -> Result<(i64, usize, usize), String> {
        let account = account.to_owned();
        let request = GetAccountRequest {
            account: account.clone(),
            ..Default::default()
        };
        let answer = self
            .accounts
            .get_account(request)
            .await
            .map_err(status_reason)?;
        let version = answer.into_inner().account.unwrap_or_default().version;
        let request = ListLotsRequest {
            account: account.clone(),
            page_size: 1000,
            ..Default::default()
        };
        let answer = self
            .accounts
            .list_lots(request)
            .await
            .map_err(status_reason)?;
        let lots = answer.into_inner().lots.len();
        let request = ListHoldsRequest {
            account,
            page_size: 1000,
            ..Default::default()
        };
        let answer = self
            .accounts
            .list_holds(request)
            .await
            .map_err(status_reason)?;
        Ok((version, lots, answer.into_inner().holds.len()))
    }
}

/// The reason of an error: that of its `ErrorInfo`, else its code and message.
#[expect(clippy::needless_pass_by_value, reason = "it is what map_err gives")]
fn status_reason(status: tonic::Status) -> String {
    match status.get_details_error_info() {
        Some(info) => info.reason,
        None => format!("{:?}: {}", status.code(), status.message()),
    }
}

/// The same of an item's error.
pub(crate) fn reason(status: &tonic_types::Status) -> String {
    use tonic_types::RpcStatusExt as _;
    match status.get_details_error_info() {
        Some(info) => info.reason,
        None => format!("code {}: {}", status.code, status.message),
    }
}
