//! Lists of accounts: by id, page by page through the store; or by another
//! order, for which every account of the book is read and the best are kept.

mod best;

use std::time::Instant;

use ledger_core::{Account, Name, Timestamp, account::Status as Written, command::AssetAmount};
use ledger_proto::v1::{
    self, ListAccountsRequest, ListAccountsResponse,
    list_accounts_request::{Filter, Order},
};
use tonic::Status;

use best::{Best, Cursor, Found, Rank};

use super::{
    edge::{self, Edge},
    names::{AccountName, account_name, is_reserved},
    parse::{Fields, Page, PageFields},
    render, status,
    tokens::{self, Consistency},
};
use crate::{
    engine::{EngineError, Snapshot},
    limits::PAGE_SCANNED_EVENTS_MAX,
    projections::state_of,
    store::StoredAccount,
};

/// How many accounts are read in one go: of 1 KiB each, a megabyte.
const ACCOUNTS_IN_A_ROW: u32 = 1_000;
/// How many accounts a page by id looks at: a state is about as much work as
/// an event is.
const SCANNED_MAX: usize = PAGE_SCANNED_EVENTS_MAX as usize;

/// Which accounts are to be listed.
#[derive(Debug)]
pub(super) struct Listing {
    book: String,
    page: Page<Cursor>,
    wanted: Wanted,
    order: Ordered,
    token: Option<Consistency>,
    deadline: Instant,
}

/// In which order.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Ordered {
    Id,
    LastActivity,
    Spent(String),
}

/// A filter.
#[derive(Clone, Debug, Default)]
struct Wanted {
    state: Option<v1::AccountState>,
    open_min: Option<Timestamp>,
    open_max: Option<Timestamp>,
    active_min: Option<Timestamp>,
    balance_min: Option<AssetAmount>,
}

impl Listing {
    /// Reads a request.
    pub(super) fn parse(
        mut message: ListAccountsRequest,
        deadline: Instant,
    ) -> Result<Self, Status> {
        let (token, size) = (std::mem::take(&mut message.page_token), message.page_size);
        let consistency_token = std::mem::take(&mut message.consistency_token);
        message.page_size = 0;
        let owner = tokens::owner_of_request("ListAccounts", &message);
        let mut fields = Fields::default();
        let book = fields.book_of_read(&message.book);
        let listing = Self {
            page: fields.page(PageFields {
                size,
                token: &token,
                owner,
            }),
            token: fields.consistency_token(&book, &consistency_token),
            book,
            wanted: message
                .filter
                .map(|filter| wanted(filter, &mut fields))
                .unwrap_or_default(),
            order: ordered(message.order, message.order_asset, &mut fields),
            deadline,
        };
        fields.finish()?;
        Ok(listing)
    }

    /// The page.
    pub(super) async fn page(self, edge: &Edge) -> Result<ListAccountsResponse, Status> {
        let snapshot = edge
            .snapshot(&self.book, Vec::new(), self.token, self.deadline)
            .await?;
        match self.order {
            Ordered::Id => self.page_by_id(edge, &snapshot).await,
            Ordered::LastActivity | Ordered::Spent(_) => self.page_by_key(edge, &snapshot).await,
        }
    }

    async fn page_by_id(
        self,
        edge: &Edge,
        snapshot: &Snapshot,
    ) -> Result<ListAccountsResponse, Status> {
        let cursor = self.page.cursor.as_ref();
        let mut after = cursor.map_or_else(Name::default, |cursor| cursor.account.clone());
        let mut accounts = Vec::new();
        let mut scanned = 0;
        loop {
            let rows = self.rows_after(edge, &after).await?;
            let is_last = rows.len() < ACCOUNTS_IN_A_ROW as usize;
            for row in rows {
                after.clone_from(&row.account);
                scanned += 1;
                if let Some(found) = self.look(edge, snapshot, row).await? {
                    let Found {
                        name,
                        written,
                        present,
                    } = found;
                    accounts.push(render::account(name, &written, &present));
                }
                if accounts.len() == self.page.size || scanned == SCANNED_MAX {
                    let cursor = Cursor {
                        key: 0,
                        account: after,
                    };
                    let next_page_token = tokens::page(self.page.owner, &cursor);
                    return Ok(ListAccountsResponse {
                        accounts,
                        next_page_token,
                    });
                }
            }
            if is_last {
                return Ok(ListAccountsResponse {
                    accounts,
                    next_page_token: String::new(),
                });
            }
        }
    }

    async fn page_by_key(
        self,
        edge: &Edge,
        snapshot: &Snapshot,
    ) -> Result<ListAccountsResponse, Status> {
        let mut best = Best::new(self.page.size + 1);
        let mut after = Name::default();
        loop {
            let rows = self.rows_after(edge, &after).await?;
            let is_last = rows.len() < ACCOUNTS_IN_A_ROW as usize;
            for row in rows {
                after.clone_from(&row.account);
                let Some(found) = self.look(edge, snapshot, row).await? else {
                    continue;
                };
                let rank = Rank {
                    key: self.key(&found.present, &found.written),
                    account: after.clone(),
                };
                if self
                    .page
                    .cursor
                    .as_ref()
                    .is_none_or(|cursor| rank.is_after(cursor))
                {
                    best.offer(rank, found);
                }
            }
            if is_last {
                return Ok(self.render(best));
            }
        }
    }

    fn render(&self, best: Best) -> ListAccountsResponse {
        let mut ranked = best.into_sorted();
        let has_more = ranked.len() > self.page.size;
        ranked.truncate(self.page.size);
        let next_page_token = match ranked.last() {
            Some((Rank { key, account }, _)) if has_more => {
                let cursor = Cursor {
                    key: *key,
                    account: account.clone(),
                };
                tokens::page(self.page.owner, &cursor)
            }
            _ => String::new(),
        };
        let accounts = ranked
            .into_iter()
            .map(|(_, found)| render::account(found.name, &found.written, &found.present))
            .collect();
        ListAccountsResponse {
            accounts,
            next_page_token,
        }
    }

    async fn rows_after(&self, edge: &Edge, after: &str) -> Result<Vec<StoredAccount>, Status> {
        if Instant::now() >= self.deadline {
            return Err(status::engine(&EngineError::DeadlineExceeded, &self.book));
        }
        let rows = edge
            .engine
            .store()
            .accounts_after(&self.book, after, ACCOUNTS_IN_A_ROW)
            .await;
        rows.map_err(|error| status::store(&error))
    }

    /// The account of a row as it is now, if it is wanted. The book's own
    /// accounts are nobody's wallets, and not listed.
    async fn look(
        &self,
        edge: &Edge,
        snapshot: &Snapshot,
        row: StoredAccount,
    ) -> Result<Option<Found>, Status> {
        if is_reserved(&row.account) {
            return Ok(None);
        }
        let written = state_of(&edge.engine, &self.book, &row, Some(self.deadline))
            .await
            .map_err(|error| status::read(&error, &self.book))?;
        let name = account_name(&self.book, &row.account);
        let parsed = AccountName::parse(name.clone()).unwrap_or_default();
        let context = edge::context(&self.book, snapshot);
        let present = edge::present(&parsed, &written, &context).into_owned();
        let is_wanted = self.wanted.matches(&written, &present);
        Ok(is_wanted.then_some(Found {
            name,
            written,
            present,
        }))
    }

    fn key(&self, present: &Account, written: &Account) -> i64 {
        match &self.order {
            Ordered::Id => 0,
            Ordered::LastActivity => written.last_activity_at.0,
            Ordered::Spent(asset) => present.totals(asset).spent,
        }
    }
}

impl Wanted {
    fn matches(&self, written: &Account, present: &Account) -> bool {
        let is_opened = written.status != Written::NotOpened;
        let balance = |min: &AssetAmount| present.totals(&min.asset).balance >= min.amount;
        self.state
            .is_none_or(|state| render::state(written) == state)
            && self
                .open_min
                .is_none_or(|min| is_opened && written.opened_at >= min)
            && self
                .open_max
                .is_none_or(|max| is_opened && written.opened_at < max)
            && self
                .active_min
                .is_none_or(|min| is_opened && written.last_activity_at >= min)
            && self.balance_min.as_ref().is_none_or(balance)
    }
}

fn wanted(filter: Filter, fields: &mut Fields) -> Wanted {
    let state = match v1::AccountState::try_from(filter.state) {
        Ok(v1::AccountState::Unspecified) => None,
        Ok(state) => Some(state),
        Err(_) => {
            fields.refuse("filter.state", "is no state that this service knows");
            None
        }
    };
    Wanted {
        state,
        open_min: fields.filter_time("filter.open_time_min", filter.open_time_min),
        open_max: fields.filter_time("filter.open_time_max", filter.open_time_max),
        active_min: fields.filter_time(
            "filter.last_activity_time_min",
            filter.last_activity_time_min,
        ),
        balance_min: filter.balance_min.map(|min| {
            fields.asset_filter("filter.balance_min.asset", &min.asset);
            if min.asset.is_empty() {
                fields.refuse("filter.balance_min.asset", "is required");
            }
            AssetAmount {
                asset: min.asset.into(),
                amount: min.amount,
            }
        }),
    }
}

fn ordered(order: i32, asset: String, fields: &mut Fields) -> Ordered {
    let is_spent = order == i32::from(Order::SpentDesc);
    if is_spent && asset.is_empty() {
        fields.refuse("order_asset", "is required for ORDER_SPENT_DESC");
    } else if !is_spent && !asset.is_empty() {
        fields.refuse("order_asset", "is for ORDER_SPENT_DESC only");
    }
    fields.asset_filter("order_asset", &asset);
    match Order::try_from(order) {
        Ok(Order::Unspecified | Order::AccountId) => Ordered::Id,
        Ok(Order::LastActivityDesc) => Ordered::LastActivity,
        Ok(Order::SpentDesc) => Ordered::Spent(asset),
        Err(_) => {
            fields.refuse("order", "is no order that this service knows");
            Ordered::Id
        }
    }
}
