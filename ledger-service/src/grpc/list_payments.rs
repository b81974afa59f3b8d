//! Pages of payments: of the events that begin them, each with all that its
//! payment's events tell.

use std::time::Instant;

use ledger_core::Payload;
use ledger_proto::v1::{self, ListPaymentsRequest, ListPaymentsResponse};
use tonic::Status;

use super::{
    edge::Edge,
    get_payment,
    list_events::Listing,
    parse::{Fields, PageFields},
    tokens,
};

/// Which payments are to be listed.
pub(super) struct PaymentListing {
    book: String,
    listing: Listing,
    statuses: Vec<i32>,
}

impl PaymentListing {
    /// Reads a request.
    pub(super) fn parse(
        mut message: ListPaymentsRequest,
        deadline: Instant,
    ) -> Result<Self, Status> {
        let (token, size) = (std::mem::take(&mut message.page_token), message.page_size);
        let consistency_token = std::mem::take(&mut message.consistency_token);
        message.page_size = 0;
        let owner = tokens::owner_of_request("ListPayments", &message);
        let mut fields = Fields::default();
        let book = fields.book_of_read(&message.book);
        fields.statuses(&message.statuses);
        let page = fields.page(PageFields {
            size,
            token: &token,
            owner,
        });
        let query = fields.payment_query(&message, &book);
        let token = fields.consistency_token(&book, &consistency_token);
        fields.finish()?;
        Ok(Self {
            listing: Listing {
                book: book.clone(),
                query,
                page,
                newest_first: true,
                token,
                deadline,
            },
            book,
            statuses: message.statuses,
        })
    }

    /// The page.
    pub(super) async fn page(self, edge: &Edge) -> Result<ListPaymentsResponse, Status> {
        let (events, next_page_token) = self.listing.events(edge).await?;
        let begins = |payload: &Payload| match payload {
            Payload::PaymentCreated(_) => true,
            Payload::PaymentSucceeded(succeeded) => succeeded.payment.is_none(),
            _ => false,
        };
        let positions: Vec<u64> = events
            .iter()
            .filter(|recorded| begins(&recorded.event.payload))
            .map(|recorded| recorded.event.position)
            .collect();
        let mut payments = get_payment::read(edge, &self.book, &positions).await?;
        payments.retain(|it: &v1::Payment| {
            self.statuses.is_empty() || self.statuses.contains(&it.status)
        });
        Ok(ListPaymentsResponse {
            payments,
            next_page_token,
        })
    }
}
