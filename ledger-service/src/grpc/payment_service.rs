//! `PaymentService`: money coming in through a provider.

use ledger_proto::v1::{
    RecordPaymentRequest, RecordPaymentResponse, payment_service_server::PaymentService,
};
use tonic::{Request, Response, Status, async_trait};

use super::{edge::Edge, parse, render};

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
    async fn record_payment(
        &self,
        request: Request<RecordPaymentRequest>,
    ) -> Result<Response<RecordPaymentResponse>, Status> {
        let applied = self.edge.mutate(request, parse::record_payment).await?;
        Ok(Response::new(render::record_payment(applied.done())?))
    }
}
