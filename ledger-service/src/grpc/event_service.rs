//! `EventService`: one event, some, or all as they come.

use std::sync::Arc;

use ledger_proto::v1::{
    GetEventRequest, GetEventResponse, ListEventsRequest, ListEventsResponse,
    SubscribeEventsRequest, SubscribeEventsResponse, event_service_server::EventService,
};
use tokio::sync::Semaphore;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, async_trait};

use super::{
    edge::Edge,
    list_events::Listing,
    names,
    parse::{Caller, Fields},
    render, status,
    subscribe::Subscription,
};
use crate::{engine::log, limits::SUBSCRIBERS_MAX};

type Answer<T> = Result<Response<T>, Status>;

/// The service.
pub(super) struct EventApi {
    edge: Edge,
    /// Places for subscribers.
    places: Arc<Semaphore>,
    /// Ends the streams.
    stopping: CancellationToken,
}

impl EventApi {
    /// The service at this edge. Its streams end with `stopping`.
    pub(super) fn new(edge: Edge, stopping: CancellationToken) -> Self {
        Self {
            edge,
            places: Arc::new(Semaphore::new(SUBSCRIBERS_MAX)),
            stopping,
        }
    }
}

#[async_trait]
impl EventService for EventApi {
    type SubscribeEventsStream = ReceiverStream<Result<SubscribeEventsResponse, Status>>;

    async fn get_event(&self, request: Request<GetEventRequest>) -> Answer<GetEventResponse> {
        let deadline = Caller::deadline_of(&request);
        let GetEventRequest {
            name,
            consistency_token,
        } = request.into_inner();
        let mut fields = Fields::default();
        let (book, position) = names::parse_event(&name).unwrap_or_else(|| {
            fields.refuse("name", names::EVENT_RULE);
            ("", 0)
        });
        let token = fields.consistency_token(book, &consistency_token);
        fields.finish()?;
        // Says whether there is such a book at all.
        self.edge
            .snapshot(book, Vec::new(), token, deadline)
            .await?;
        let stored = self.edge.engine.store().read_at(book, &[position]).await;
        let stored = stored.map_err(|error| status::store(&error))?;
        let stored = stored
            .first()
            .ok_or_else(|| status::event_not_found(&name))?;
        let recorded = log::decode(stored).map_err(|what| status::damaged(&what))?;
        Ok(Response::new(GetEventResponse {
            event: Some(render::event(book, &recorded)),
        }))
    }

    async fn list_events(&self, request: Request<ListEventsRequest>) -> Answer<ListEventsResponse> {
        let deadline = Caller::deadline_of(&request);
        let listing = Listing::parse(request.into_inner(), deadline)?;
        Ok(Response::new(listing.page(&self.edge).await?))
    }

    async fn subscribe_events(
        &self,
        request: Request<SubscribeEventsRequest>,
    ) -> Answer<Self::SubscribeEventsStream> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_taken| status::too_many_subscribers(SUBSCRIBERS_MAX))?;
        let subscription = Subscription::parse(request.into_inner())?;
        let stream = subscription
            .start(self.edge.clone(), place, self.stopping.clone())
            .await?;
        Ok(Response::new(stream))
    }
}
