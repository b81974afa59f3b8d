//! The API's methods over one connection, with errors as reasons that can be
//! counted.

use crate::wire::Wire;
use ledger_proto::v1::{
    BatchChargeRequest, BatchChargeResponse, BatchCreditRequest, BatchCreditResponse,
    CaptureHoldRequest, CaptureHoldResponse, ChargeRequest, ChargeResponse, GetAccountRequest,
    GetAccountResponse, GetBalanceRequest, GetBalanceResponse, ListHoldsRequest, ListHoldsResponse,
    ListLotsRequest, ListLotsResponse, PlaceHoldRequest, PlaceHoldResponse,
};
use std::{net::SocketAddr, sync::Arc};
use tonic_types::StatusExt as _;

/// A client over one HTTP/2 connection.
#[derive(Clone, Debug)]
pub(crate) struct Client(Arc<Wire>);

/// Methods by their names on the wire.
macro_rules! methods {
    ($($name:ident = $path:literal: $question:ty => $answer:ty;)*) => {
        $(pub(crate) async fn $name(&self, request: $question) -> Result<$answer, String> {
            self.0.call($path, &request).await.map_err(status_reason)
        })*
    };
}

impl Client {
    /// Makes one; it connects at its first call.
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self(Arc::new(Wire::new(address)))
    }

    methods! {
        charge = "/ledger.v1.LedgerService/Charge": ChargeRequest => ChargeResponse;
        place_hold = "/ledger.v1.LedgerService/PlaceHold": PlaceHoldRequest => PlaceHoldResponse;
        capture_hold =
            "/ledger.v1.LedgerService/CaptureHold": CaptureHoldRequest => CaptureHoldResponse;
        batch_charge =
            "/ledger.v1.LedgerService/BatchCharge": BatchChargeRequest => BatchChargeResponse;
        batch_credit =
            "/ledger.v1.LedgerService/BatchCredit": BatchCreditRequest => BatchCreditResponse;
        get_balance =
            "/ledger.v1.AccountService/GetBalance": GetBalanceRequest => GetBalanceResponse;
        get_account =
            "/ledger.v1.AccountService/GetAccount": GetAccountRequest => GetAccountResponse;
        list_lots = "/ledger.v1.AccountService/ListLots": ListLotsRequest => ListLotsResponse;
        list_holds = "/ledger.v1.AccountService/ListHolds": ListHoldsRequest => ListHoldsResponse;
    }

    /// How many events, lots and holds an account has (of the last two, up to
    /// 1000).
    pub(crate) async fn size_of(&self, account: &str) -> Result<(i64, usize, usize), String> {
        let account = account.to_owned();
        let request = GetAccountRequest {
            account: account.clone(),
            ..Default::default()
        };
        let found = self.get_account(request).await?.account;
        let request = ListLotsRequest {
            account: account.clone(),
            page_size: 1000,
            ..Default::default()
        };
        let lots = self.list_lots(request).await?.lots.len();
        let request = ListHoldsRequest {
            account,
            page_size: 1000,
            ..Default::default()
        };
        let holds = self.list_holds(request).await?.holds.len();
        Ok((found.unwrap_or_default().version, lots, holds))
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
