//! `AccountService`: what accounts have and may do.

use std::{collections::BTreeMap, time::Instant};

use ledger_core::{Account, Timestamp};
use ledger_proto::v1::{
    AssetAmount, BatchGetBalancesRequest, BatchGetBalancesResponse, CheckAccessRequest,
    CheckAccessResponse, ExplainBalanceRequest, ExplainBalanceResponse, GetAccountRequest,
    GetAccountResponse, GetAccountStatisticsRequest, GetAccountStatisticsResponse,
    GetBalanceRequest, GetBalanceResponse, ListAccountsRequest, ListAccountsResponse,
    ListHoldsRequest, ListHoldsResponse, ListLotsRequest, ListLotsResponse, Money, OperationCount,
    QuoteChargeRequest, account_service_server::AccountService,
};
use minicbor::{Decode, Encode};
use tonic::{Request, Response, Status, async_trait};

use super::{
    edge::{self, Edge, Look},
    explain_balance, list_accounts, names,
    parse::{self, Caller, Fields, Page, PageFields, Reading},
    past, quote, render, status, subscriptions, tokens,
};
use crate::limits::BATCH_CALL_ITEMS_MAX;

type Answer<T> = Result<Response<T>, Status>;

/// The days that statistics call the last ones, in microseconds.
const LAST_30_DAYS_US: i64 = 30 * 24 * 3_600 * 1_000_000;

/// The service.
pub(super) struct AccountApi {
    edge: Edge,
}

impl AccountApi {
    /// The service at this edge.
    pub(super) const fn new(edge: Edge) -> Self {
        Self { edge }
    }
}

#[async_trait]
impl AccountService for AccountApi {
    async fn get_account(&self, request: Request<GetAccountRequest>) -> Answer<GetAccountResponse> {
        let deadline = Caller::deadline_of(&request);
        let GetAccountRequest {
            account,
            consistency_token,
        } = request.into_inner();
        let reading = Reading::parse(account, &consistency_token, deadline)?;
        let look = self.edge.look(reading).await?;
        let name = look.name.as_str().to_owned();
        let present = look.present();
        let account = render::account(name, &look.account, &present);
        Ok(Response::new(GetAccountResponse {
            account: Some(account),
            passes: render::passes(&present, &look.snapshot.catalog.catalog),
            subscriptions: subscriptions::of_account(&look),
        }))
    }

    async fn list_accounts(
        &self,
        request: Request<ListAccountsRequest>,
    ) -> Answer<ListAccountsResponse> {
        let deadline = Caller::deadline_of(&request);
        let listing = list_accounts::Listing::parse(request.into_inner(), deadline)?;
        Ok(Response::new(listing.page(&self.edge).await?))
    }

    async fn check_access(
        &self,
        request: Request<CheckAccessRequest>,
    ) -> Answer<CheckAccessResponse> {
        let caller = Caller::of(&request);
        let CheckAccessRequest {
            account,
            operation,
            quantity,
            consistency_token,
            attributes,
        } = request.into_inner();
        let mut fields = Fields::default();
        let reading = fields.reading(account, &consistency_token, caller.deadline());
        let asked = QuoteChargeRequest {
            operation,
            quantity,
            attributes,
            ..QuoteChargeRequest::default()
        };
        let order = parse::order(asked, caller, &mut fields);
        fields.finish()?;
        let look = self.edge.look_at_any(reading).await?;
        Ok(Response::new(
            quote::quote(&look, &order)?.into_check_access(),
        ))
    }

    async fn get_account_statistics(
        &self,
        request: Request<GetAccountStatisticsRequest>,
    ) -> Answer<GetAccountStatisticsResponse> {
        let deadline = Caller::deadline_of(&request);
        let GetAccountStatisticsRequest {
            account,
            consistency_token,
        } = request.into_inner();
        let reading = Reading::parse(account, &consistency_token, deadline)?;
        let look = self.edge.look(reading).await?;
        let recent = self.recent_operations(&look, deadline).await?;
        Ok(Response::new(statistics(&look, &recent)))
    }

    async fn get_balance(&self, request: Request<GetBalanceRequest>) -> Answer<GetBalanceResponse> {
        let deadline = Caller::deadline_of(&request);
        let GetBalanceRequest {
            account,
            as_of,
            as_of_position,
            consistency_token,
        } = request.into_inner();
        let mut fields = Fields::default();
        let reading = fields.reading(account, &consistency_token, deadline);
        let as_of = fields.as_of(as_of, as_of_position);
        fields.finish()?;
        let look = self.edge.look_at_any(reading).await?;
        let look = match as_of {
            Some(as_of) => past::look_back(&self.edge, look, as_of, deadline).await?,
            None => look,
        };
        edge::check_exists(&look.name, &look.account, &look.snapshot)?;
        Ok(Response::new(balance(&look)))
    }

    async fn explain_balance(
        &self,
        request: Request<ExplainBalanceRequest>,
    ) -> Answer<ExplainBalanceResponse> {
        let deadline = Caller::deadline_of(&request);
        let question = explain_balance::Question::parse(request.into_inner(), deadline)?;
        Ok(Response::new(question.answer(&self.edge).await?))
    }

    async fn batch_get_balances(
        &self,
        request: Request<BatchGetBalancesRequest>,
    ) -> Answer<BatchGetBalancesResponse> {
        let deadline = Caller::deadline_of(&request);
        let message = request.into_inner();
        let mut fields = Fields::default();
        let book = fields.book_of_read(&message.book);
        let token = fields.consistency_token(&book, &message.consistency_token);
        let names = fields.accounts_of(&book, message.accounts, BATCH_CALL_ITEMS_MAX);
        fields.finish()?;
        let looks = self.edge.look_at_all(&book, names, token, deadline).await?;
        let balances = looks.iter().map(balance).collect();
        Ok(Response::new(BatchGetBalancesResponse { balances }))
    }

    async fn list_holds(&self, request: Request<ListHoldsRequest>) -> Answer<ListHoldsResponse> {
        let deadline = Caller::deadline_of(&request);
        let mut message = request.into_inner();
        let (token, size) = (std::mem::take(&mut message.page_token), message.page_size);
        let consistency_token = std::mem::take(&mut message.consistency_token);
        message.page_size = 0;
        let owner = tokens::owner_of_request("ListHolds", &message);
        let mut fields = Fields::default();
        let page = fields.page::<u64>(PageFields {
            size,
            token: &token,
            owner,
        });
        let reading = fields.reading(message.account, &consistency_token, deadline);
        fields.finish()?;
        let look = self.edge.look(reading).await?;
        Ok(Response::new(self.holds(&look, &page).await?))
    }

    async fn list_lots(&self, request: Request<ListLotsRequest>) -> Answer<ListLotsResponse> {
        let deadline = Caller::deadline_of(&request);
        let mut message = request.into_inner();
        let (token, size) = (std::mem::take(&mut message.page_token), message.page_size);
        let consistency_token = std::mem::take(&mut message.consistency_token);
        message.page_size = 0;
        let owner = tokens::owner_of_request("ListLots", &message);
        let mut fields = Fields::default();
        let page = fields.page::<LotCursor>(PageFields {
            size,
            token: &token,
            owner,
        });
        let reading = fields.reading(message.account, &consistency_token, deadline);
        fields.asset_filter("asset", &message.asset);
        fields.finish()?;
        let look = self.edge.look(reading).await?;
        Ok(Response::new(lots(&look, &page, &message.asset)))
    }
}

impl AccountApi {
    /// How often each operation was paid for in the last 30 days.
    async fn recent_operations(
        &self,
        look: &Look,
        deadline: Instant,
    ) -> Result<BTreeMap<String, i64>, Status> {
        if look.is_not_opened() {
            return Ok(BTreeMap::new());
        }
        let (book, account) = (look.name.book(), look.name.account());
        let reached = self
            .edge
            .index
            .wait_for(book, look.account.position, deadline)
            .await;
        reached.map_err(|error| status::read(&error, book))?;
        let store = self.edge.engine.store();
        let since = look.snapshot.now.plus_us(-LAST_30_DAYS_US);
        let position = store.position_at(book, since).await;
        let position = position.map_err(|error| status::store(&error))?;
        let counts = store.count_operations_since(book, account, position).await;
        Ok(counts
            .map_err(|error| status::store(&error))?
            .into_iter()
            .collect())
    }

    /// A page of open holds. What the caller called them is in their events.
    async fn holds(&self, look: &Look, page: &Page<u64>) -> Result<ListHoldsResponse, Status> {
        let present = look.present();
        let after = page.cursor.unwrap_or(0);
        let mut holds: Vec<_> = present
            .holds
            .iter()
            .filter(|hold| hold.position > after)
            .collect();
        let has_more = holds.len() > page.size;
        holds.truncate(page.size);
        let next_page_token = match holds.last() {
            Some(last) if has_more => tokens::page(page.owner, &last.position),
            _ => String::new(),
        };
        Ok(ListHoldsResponse {
            holds: past::told_holds(&self.edge, look.name.book(), &holds).await?,
            next_page_token,
        })
    }
}

fn balance(look: &Look) -> GetBalanceResponse {
    GetBalanceResponse {
        account: look.name.as_str().to_owned(),
        balances: render::balances(&look.present().balances()),
        position: render::number(look.snapshot.head.position),
        read_time: Some(render::timestamp(look.snapshot.now)),
        not_opened: look.is_not_opened(),
    }
}

/// Where a page of lots begins: the last lot of the page before, by the order
/// of consumption, which holds even if that lot is gone by then.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
struct LotCursor {
    #[n(0)]
    asset: String,
    #[n(1)]
    priority: i32,
    #[n(2)]
    expiry: Timestamp,
    #[n(3)]
    funding: ledger_core::account::Funding,
    #[n(4)]
    id: u64,
}

impl LotCursor {
    fn of(lot: &ledger_core::account::Lot) -> Self {
        let (asset, priority, expiry, funding, id) = lot.order();
        Self {
            asset: asset.to_owned(),
            priority,
            expiry,
            funding,
            id,
        }
    }
}

/// A page of open lots.
fn lots(look: &Look, page: &Page<LotCursor>, asset: &str) -> ListLotsResponse {
    let mut lots = render::open_lots(&look.present());
    lots.retain(|open| {
        let is_after = page
            .cursor
            .as_ref()
            .is_none_or(|cursor| LotCursor::of(&open.lot) > *cursor);
        is_after && (asset.is_empty() || open.lot.asset == asset)
    });
    let has_more = lots.len() > page.size;
    lots.truncate(page.size);
    let next_page_token = match lots.last() {
        Some(last) if has_more => tokens::page(page.owner, &LotCursor::of(&last.lot)),
        _ => String::new(),
    };
    let lots = lots
        .into_iter()
        .map(|open| render::lot(&look.name, open))
        .collect();
    ListLotsResponse {
        lots,
        next_page_token,
    }
}

/// What an account has done. Sums are the account's own; the counts of the
/// last days are the index's.
fn statistics(look: &Look, recent: &BTreeMap<String, i64>) -> GetAccountStatisticsResponse {
    let account: &Account = &look.account;
    let by_type = operation_counts(account, recent);
    let per_asset = |sum: fn(&ledger_core::account::AssetTotals) -> i64| -> Vec<AssetAmount> {
        let sums = account
            .assets
            .iter()
            .map(|(asset, totals)| (asset, sum(totals)));
        let told = sums.filter(|(_, sum)| *sum != 0);
        told.map(|(asset, sum)| render::asset_amount(asset, sum))
            .collect()
    };
    let paid = account.paid.iter();
    GetAccountStatisticsResponse {
        account: names::account_name(look.name.book(), look.name.account()),
        open_time: (!look.is_not_opened()).then(|| render::timestamp(account.opened_at)),
        operations: by_type.iter().map(|count| count.count).sum(),
        operations_last_30_days: by_type.iter().map(|count| count.count_last_30_days).sum(),
        operations_by_type: by_type,
        spent: per_asset(|totals| totals.spent),
        bought: per_asset(|totals| totals.bought),
        granted: per_asset(|totals| totals.granted),
        refunded: per_asset(|totals| totals.refunded),
        paid: paid
            .map(|(currency, amount)| Money {
                currency: currency.into(),
                amount: *amount,
            })
            .collect(),
        not_opened: look.is_not_opened(),
    }
}

/// How often each operation was paid for. A refund of the last days may be of
/// an older charge: less than none is told as none.
fn operation_counts(account: &Account, recent: &BTreeMap<String, i64>) -> Vec<OperationCount> {
    let counts = account
        .operations
        .iter()
        .map(|(operation, count)| OperationCount {
            operation: operation.into(),
            count: *count,
            count_last_30_days: recent
                .get(operation.as_str())
                .copied()
                .unwrap_or(0)
                .clamp(0, (*count).max(0)),
        });
    counts.filter(|counted| counted.count != 0).collect()
}
