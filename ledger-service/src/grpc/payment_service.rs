//! `PaymentService`: money coming in through a provider, and going back.

use ledger_core::Rejection;
use ledger_proto::v1::{
    CancelSubscriptionRequest, CancelSubscriptionResponse, CreatePaymentRequest,
    CreatePaymentResponse, GetPaymentRequest, GetPaymentResponse, GetSubscriptionRequest,
    GetSubscriptionResponse, ListDueSubscriptionsRequest, ListDueSubscriptionsResponse,
    ListPaymentsRequest, ListPaymentsResponse, ListSubscriptionsRequest, ListSubscriptionsResponse,
    RecordPaymentRequest, RecordPaymentResponse, RecordRefundRequest, RecordRefundResponse,
    RefundPaymentRequest, RefundPaymentResponse, ResumeSubscriptionRequest,
    ResumeSubscriptionResponse, StartSubscriptionRequest, StartSubscriptionResponse,
    payment_service_server::PaymentService,
};
use tonic::{Request, Response, Status, async_trait};

use super::{
    edge::Edge,
    get_payment,
    list_payments::PaymentListing,
    parse,
    parse::{Caller, Fields, Reading},
    render, status, subscriptions,
    subscriptions::DueListing,
};

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

    async fn start_subscription(
        &self,
        request: Request<StartSubscriptionRequest>,
    ) -> Answer<StartSubscriptionResponse> {
        let applied = self.edge.mutate(request, parse::start_subscription).await?;
        Ok(Response::new(render::start_subscription(applied.done())?))
    }

    async fn cancel_subscription(
        &self,
        request: Request<CancelSubscriptionRequest>,
    ) -> Answer<CancelSubscriptionResponse> {
        let applied = self
            .edge
            .mutate(request, parse::cancel_subscription)
            .await?;
        Ok(Response::new(CancelSubscriptionResponse {
            result: render::result(applied.done()),
        }))
    }

    async fn resume_subscription(
        &self,
        request: Request<ResumeSubscriptionRequest>,
    ) -> Answer<ResumeSubscriptionResponse> {
        let applied = self
            .edge
            .mutate(request, parse::resume_subscription)
            .await?;
        Ok(Response::new(ResumeSubscriptionResponse {
            result: render::result(applied.done()),
        }))
    }

    async fn get_subscription(
        &self,
        request: Request<GetSubscriptionRequest>,
    ) -> Answer<GetSubscriptionResponse> {
        let deadline = Caller::deadline_of(&request);
        let message = request.into_inner();
        let mut fields = Fields::default();
        let reading = fields.reading(message.account, &message.consistency_token, deadline);
        let (field, name) = ("subscription", message.subscription.clone());
        fields.subscription_name(field, name, reading.name.book());
        fields.finish()?;
        let look = self.edge.look(reading).await?;
        let found = subscriptions::of_account(&look);
        let mut found = found.into_iter();
        let subscription = found.find(|it| it.name == message.subscription);
        let none = Rejection::SubscriptionNotFound;
        let subscription = subscription
            .ok_or_else(|| status::rejected(&none, look.name.book(), look.name.account()))?;
        Ok(Response::new(GetSubscriptionResponse {
            subscription: Some(subscription),
        }))
    }

    async fn list_subscriptions(
        &self,
        request: Request<ListSubscriptionsRequest>,
    ) -> Answer<ListSubscriptionsResponse> {
        let deadline = Caller::deadline_of(&request);
        let ListSubscriptionsRequest {
            account,
            consistency_token,
        } = request.into_inner();
        let reading = Reading::parse(account, &consistency_token, deadline)?;
        let look = self.edge.look(reading).await?;
        Ok(Response::new(ListSubscriptionsResponse {
            subscriptions: subscriptions::of_account(&look),
        }))
    }

    async fn list_due_subscriptions(
        &self,
        request: Request<ListDueSubscriptionsRequest>,
    ) -> Answer<ListDueSubscriptionsResponse> {
        let deadline = Caller::deadline_of(&request);
        let listing = DueListing::parse(request.into_inner(), deadline)?;
        Ok(Response::new(listing.page(&self.edge).await?))
    }
}
