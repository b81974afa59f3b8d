//! `PaymentService`: money coming in through a provider, and going back.

use ledger_proto::v1::{
    CreatePaymentRequest, CreatePaymentResponse, GetPaymentRequest, GetPaymentResponse,
    ListPaymentsRequest, ListPaymentsResponse, RecordPaymentRequest, RecordPaymentResponse,
    RecordRefundRequest, RecordRefundResponse, RefundPaymentRequest, RefundPaymentResponse,
    payment_service_server::PaymentService,
};
use tonic::{Request, Response, Status, async_trait};

use super::{edge::Edge, get_payment, list_payments::PaymentListing, parse, parse::Caller, render};

type Answer<T> = Result<Response<T>, Status>;

/// The service.
pub(super) struct PaymentApi {
    edge: Edge,
}

impl PaymentApi {
    /// The service at this edge.
    pub(super) const fn new(edge: Edge) -> Self {
        Self { edge }
    }
}

#[async_trait]
impl PaymentService for PaymentApi {
    async fn create_payment(
        &self,
        request: Request<CreatePaymentRequest>,
    ) -> Answer<CreatePaymentResponse> {
        let applied = self.edge.mutate(request, parse::create_payment).await?;
        Ok(Response::new(render::create_payment(applied.done())?))
    }

    async fn record_payment(
        &self,
        request: Request<RecordPaymentRequest>,
    ) -> Answer<RecordPaymentResponse> {
        let applied = self.edge.mutate(request, parse::record_payment).await?;
        Ok(Response::new(render::record_payment(applied.done())?))
    }

    async fn refund_payment(
        &self,
        request: Request<RefundPaymentRequest>,
    ) -> Answer<RefundPaymentResponse> {
        let applied = self.edge.mutate(request, parse::refund_payment).await?;
        Ok(Response::new(render::refund_payment(applied.done())?))
    }

    async fn record_refund(
        &self,
        request: Request<RecordRefundRequest>,
    ) -> Answer<RecordRefundResponse> {
        let applied = self.edge.mutate(request, parse::record_refund).await?;
        Ok(Response::new(render::record_refund(applied.done())))
    }

    async fn get_payment(&self, request: Request<GetPaymentRequest>) -> Answer<GetPaymentResponse> {
        let deadline = Caller::deadline_of(&request);
        let found = get_payment::get(&self.edge, request.into_inner(), deadline).await?;
        Ok(Response::new(GetPaymentResponse {
            payment: Some(found),
        }))
    }

    async fn list_payments(
        &self,
        request: Request<ListPaymentsRequest>,
    ) -> Answer<ListPaymentsResponse> {
        let deadline = Caller::deadline_of(&request);
        let listing = PaymentListing::parse(request.into_inner(), deadline)?;
        Ok(Response::new(listing.page(&self.edge).await?))
    }
}
