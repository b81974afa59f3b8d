//! Short ways to say the requests that many tests make, and to read answers.

use crate::{Ledger, billing::BOOK, fresh_id};
use ledger_proto::v1::{
    AssetAmount, ChargeRequest, CreditRequest, Event, EventFilter, Funding, GetBalanceRequest,
    GetBalanceResponse, ListEventsRequest,
};
use tonic::Status;
use tonic_types::StatusExt as _;

/// `books/media-lab/accounts/{id}`.
#[must_use]
pub fn account(id: &str) -> String {
    format!("{BOOK}/accounts/{id}")
}

/// An account that nobody has used.
#[must_use]
pub fn fresh_account() -> String {
    account(&format!("tg:{}", fresh_id().simple()))
}

/// A request id that nobody has used.
#[must_use]
pub fn fresh_request() -> String {
    fresh_id().to_string()
}

/// So many kopecks of the asset `RUB`.
#[must_use]
pub fn rub(amount: i64) -> AssetAmount {
    AssetAmount {
        asset: "RUB".to_owned(),
        amount,
    }
}

/// A credit of bought kopecks, with a fresh id.
#[must_use]
pub fn credit(account: &str, amount: i64) -> CreditRequest {
    CreditRequest {
        account: account.to_owned(),
        request_id: fresh_request(),
        amount: Some(rub(amount)),
        funding: Funding::Purchased.into(),
        ..Default::default()
    }
}

/// A charge of kopecks at the caller's own price, with a fresh id.
#[must_use]
pub fn charge(account: &str, amount: i64) -> ChargeRequest {
    ChargeRequest {
        account: account.to_owned(),
        request_id: fresh_request(),
        explicit_price: Some(rub(amount)),
        ..Default::default()
    }
}

/// The stable reason that a status carries; empty if the ledger didn't make it.
#[must_use]
pub fn reason(status: &Status) -> String {
    let details = status.get_error_details();
    details
        .error_info()
        .map(|info| info.reason.clone())
        .unwrap_or_default()
}

/// The fields that a status complains of, ordered.
#[must_use]
pub fn fields(status: &Status) -> Vec<String> {
    let details = status.get_error_details();
    let violations = details.bad_request().map(|bad| &bad.field_violations);
    let fields = violations.into_iter().flatten();
    let mut fields: Vec<String> = fields.map(|violation| violation.field.clone()).collect();
    fields.sort();
    fields
}

/// The balances of an account, without a consistency token.
///
/// # Panics
/// If the ledger doesn't answer.
pub async fn balances(ledger: &Ledger, account: &str) -> GetBalanceResponse {
    let request = GetBalanceRequest {
        account: account.to_owned(),
        ..Default::default()
    };
    let response = ledger.accounts().get_balance(request).await;
    response
        .unwrap_or_else(|status| panic!("GetBalance of {account}: {status:?}"))
        .into_inner()
}

/// What the account owns of an asset.
#[must_use]
pub fn balance_of(balances: &GetBalanceResponse, asset: &str) -> i64 {
    let mut found = balances.balances.iter();
    found
        .find(|balance| balance.asset == asset)
        .map_or(0, |balance| balance.balance)
}

/// The position of the log's last event, as a read of any account tells it.
pub async fn head(ledger: &Ledger) -> i64 {
    balances(ledger, &account("nobody")).await.position
}

/// Every event of the book that matches a filter, oldest first, in pages.
///
/// # Panics
/// If the ledger doesn't answer.
pub async fn events(ledger: &Ledger, filter: Option<EventFilter>) -> Vec<Event> {
    let mut events = Vec::new();
    let mut request = ListEventsRequest {
        book: BOOK.to_owned(),
        filter,
        page_size: 1000,
        ..Default::default()
    };
    loop {
        let response = ledger.events().list_events(request.clone()).await;
        let page = response.unwrap_or_else(|status| panic!("ListEvents: {status:?}"));
        let page = page.into_inner();
        events.extend(page.events);
        if page.next_page_token.is_empty() {
            return events;
        }
        request.page_token = page.next_page_token;
    }
}
