//! Questions about subscriptions: of one account, and which are due.

use std::time::Instant;

use ledger_core::{
    Name, Timestamp,
    account::Subscription,
    catalog::Catalog,
    limits::{GRACE_US_MAX, RENEWAL_LEAD_US},
};
use ledger_proto::v1;
use minicbor::{Decode, Encode};
use tonic::Status;

use super::{
    edge::{Edge, Look},
    names::{self, AccountName},
    parse::{Fields, Page, PageFields},
    render, status, tokens,
    tokens::Consistency,
};

/// The subscriptions of an account that have not ended.
pub(super) fn of_account(look: &Look) -> Vec<v1::Subscription> {
    let catalog = &look.snapshot.catalog.catalog;
    let present = look.present();
    let subscriptions = present.subscriptions.iter();
    subscriptions
        .map(|it| rendered(&look.name, it, (catalog, look.snapshot.now)))
        .collect()
}

fn rendered(
    name: &AccountName,
    subscription: &Subscription,
    (catalog, now): (&Catalog, Timestamp),
) -> v1::Subscription {
    let plan = catalog.subscriptions.get(subscription.plan.as_str());
    render::subscription(name, subscription, plan, now)
}

/// What is due in a book.
pub(super) struct DueListing {
    book: String,
    due_by: Option<Timestamp>,
    page: Page<Cursor>,
    token: Option<Consistency>,
    deadline: Instant,
}

/// Where a page begins.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct Cursor {
    /// The last account that was looked at.
    #[n(0)]
    last: String,
    /// What is due by then.
    #[n(1)]
    due_by: Timestamp,
}

impl DueListing {
    /// Reads a request.
    pub(super) fn parse(
        mut message: v1::ListDueSubscriptionsRequest,
        deadline: Instant,
    ) -> Result<Self, Status> {
        let (token, size) = (std::mem::take(&mut message.page_token), message.page_size);
        let consistency_token = std::mem::take(&mut message.consistency_token);
        message.page_size = 0;
        let owner = tokens::owner_of_request("ListDueSubscriptions", &message);
        let mut fields = Fields::default();
        let book = fields.book_of_read(&message.book);
        let listing = Self {
            due_by: fields.filter_time("due_by", message.due_by),
            page: fields.page(PageFields {
                size,
                token: &token,
                owner,
            }),
            token: fields.consistency_token(&book, &consistency_token),
            book,
            deadline,
        };
        fields.finish()?;
        Ok(listing)
    }

    /// The page.
    pub(super) async fn page(
        self,
        edge: &Edge,
    ) -> Result<v1::ListDueSubscriptionsResponse, Status> {
        let snapshot = edge
            .snapshot(&self.book, Vec::new(), self.token, self.deadline)
            .await?;
        let (after, due_by) = match self.page.cursor {
            Some(cursor) => (cursor.last, cursor.due_by),
            None => (String::new(), self.due_by.unwrap_or(snapshot.now)),
        };
        let horizon = due_by.plus_us(lead_us(&snapshot.catalog.catalog));
        let limit = u32::try_from(self.page.size).unwrap_or(u32::MAX);
        let store = edge.engine.store();
        let found = store
            .due_accounts_after(&self.book, horizon, &after, limit)
            .await;
        let found = found.map_err(|error| status::store(&error))?;
        let last = found.last().filter(|_| found.len() == self.page.size);
        let next_page_token = last.map_or_else(String::new, |last| {
            let last = last.clone();
            tokens::page(self.page.owner, &Cursor { last, due_by })
        });
        Ok(v1::ListDueSubscriptionsResponse {
            due: due(edge, &self.book, found, due_by, self.deadline).await?,
            next_page_token,
        })
    }
}

/// How long before an account has something to do by itself a subscription of it
/// may be due: accounts are found by the former. A grace that has begun may be one
/// that the catalog has no more.
fn lead_us(catalog: &Catalog) -> i64 {
    let plans = catalog.subscriptions.values();
    let notices = plans.flat_map(|plan| plan.notify_before_us.iter().copied());
    let leads = notices.chain([RENEWAL_LEAD_US, GRACE_US_MAX]);
    leads.max().unwrap_or(GRACE_US_MAX)
}

async fn due(
    edge: &Edge,
    book: &str,
    accounts: Vec<String>,
    due_by: Timestamp,
    deadline: Instant,
) -> Result<Vec<v1::DueSubscription>, Status> {
    if accounts.is_empty() {
        return Ok(Vec::new());
    }
    let wanted = accounts.iter().map(Name::from).collect();
    let snapshot = edge.snapshot(book, wanted, None, deadline).await?;
    let catalog = &snapshot.catalog.catalog;
    let mut found = Vec::new();
    for (id, account) in accounts.iter().zip(&snapshot.accounts) {
        let name = AccountName::parse(names::account_name(book, id));
        let name = name.ok_or_else(|| status::incomplete("the name of an account"))?;
        let present = super::edge::present(&name, account, &super::edge::context(book, &snapshot));
        for subscription in &present.subscriptions {
            let plan = catalog.subscriptions.get(subscription.plan.as_str());
            let retries = plan.map_or(&[][..], |plan| &plan.retries_us);
            let notices = plan.map_or(&[][..], |plan| &plan.notify_before_us);
            let renewal = subscription.next_renewal_at(retries);
            let renewal_due = renewal.is_some_and(|at| at <= due_by);
            let notice = subscription.notice_at(notices, due_by);
            if renewal_due || notice.is_some() {
                found.push(v1::DueSubscription {
                    subscription: Some(rendered(&name, subscription, (catalog, snapshot.now))),
                    renewal_due,
                    notice_time: notice.map(render::timestamp),
                });
            }
        }
    }
    Ok(found)
}
