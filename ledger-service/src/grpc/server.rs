//! The server: services, limits and layers put together, and its orderly end.

use std::{future::IntoFuture as _, time::Duration};

use futures::TryStreamExt as _;
use ledger_proto::{
    FILE_DESCRIPTOR_SET,
    v1::{
        account_service_server::AccountServiceServer, catalog_service_server::CatalogServiceServer,
        event_service_server::EventServiceServer, finance_service_server::FinanceServiceServer,
        ledger_service_server::LedgerServiceServer, payment_service_server::PaymentServiceServer,
    },
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::{
    codegen::http::Request,
    service::Routes,
    transport::{Error, Server, server::TcpIncoming},
};
use tonic_health::{
    pb::health_server::HealthServer,
    server::{HealthReporter, HealthService},
};
use tower::{ServiceBuilder, limit::GlobalConcurrencyLimitLayer, load_shed::LoadShedLayer};

use super::{
    account_service::AccountApi,
    catalog_service::CatalogApi,
    coalesce::Coalesced,
    edge::Edge,
    event_service::EventApi,
    finance_service::FinanceApi,
    health,
    layers::{Deadlines, REQUESTS_MAX, Rescue},
    ledger_service::LedgerApi,
    payment_service::PaymentApi,
};
use crate::{
    engine::Engine,
    limits::{DRAIN_TIME_MAX, REQUEST_BYTES_MAX, RESPONSE_BYTES_MAX, STREAMS_PER_CONNECTION_MAX},
    projections::Index,
};

/// The service of mutations, with its messages' limits.
pub(super) type Ledger = LedgerServiceServer<LedgerApi>;
/// The service of payments.
pub(super) type Payments = PaymentServiceServer<PaymentApi>;
/// The service of reads of accounts.
pub(super) type Accounts = AccountServiceServer<AccountApi>;
/// The service of reads of the log.
pub(super) type Events = EventServiceServer<EventApi>;
/// The service of billing policy.
pub(super) type Catalogs = CatalogServiceServer<CatalogApi>;
/// The service of figures of a book.
pub(super) type Finances = FinanceServiceServer<FinanceApi>;

/// How often a connection on which nothing comes is asked whether it lives.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
/// How long it has to answer.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// How much one connection may send ahead: a thousand charges at once, or the
/// largest message.
const CONNECTION_WINDOW_BYTES: u32 = 4 * 1024 * 1024;
/// How much one request may send ahead.
const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;

/// Serves the API on a listener until `shutdown`, then ends: health says so
/// first, streams end, requests in work get [`DRAIN_TIME_MAX`].
///
/// # Errors
/// The transport's.
pub async fn serve(
    listener: TcpListener,
    engine: Engine,
    index: Index,
    reporter: HealthReporter,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let edge = Edge { engine, index };
    // Streams end when the server stops taking connections, not before health
    // has said so.
    let stopping = CancellationToken::new();
    let routes = routes(&edge, &reporter, &stopping);
    let incoming = TcpIncoming::from(listener)
        .with_nodelay(Some(true))
        .with_keepalive(Some(KEEPALIVE_INTERVAL))
        .map_ok(Coalesced::new);
    let signal = {
        let (shutdown, stopping) = (shutdown.clone(), stopping.clone());
        async move {
            shutdown.cancelled().await;
            health::set_not_serving(&reporter).await;
            stopping.cancel();
        }
    };
    let layers = ServiceBuilder::new()
        .layer(Rescue)
        .layer(LoadShedLayer::new())
        .layer(GlobalConcurrencyLimitLayer::new(REQUESTS_MAX))
        .layer(Deadlines)
        .into_inner();
    let serving = Server::builder()
        .trace_fn(span)
        .max_concurrent_streams(STREAMS_PER_CONNECTION_MAX)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        // After a stall many callers give up at once; that must not cost the
        // others on their connection.
        .http2_max_pending_accept_reset_streams(Some(STREAMS_PER_CONNECTION_MAX as usize))
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .layer(layers)
        .add_routes(routes)
        .serve_with_incoming_shutdown(incoming, signal);
    tokio::select! {
        result = serving.into_future() => result,
        () = drained(&stopping) => {
            tracing::warn!("requests were still in work when the time to stop was up");
            Ok(())
        }
    }
}

/// The services.
fn routes(edge: &Edge, reporter: &HealthReporter, stopping: &CancellationToken) -> Routes {
    macro_rules! limited {
        ($server:ident, $api:expr) => {
            $server::new($api)
                .max_decoding_message_size(REQUEST_BYTES_MAX)
                .max_encoding_message_size(RESPONSE_BYTES_MAX)
        };
    }
    let routes = Routes::new(limited!(LedgerServiceServer, LedgerApi::new(edge.clone())))
        .add_service(limited!(
            PaymentServiceServer,
            PaymentApi::new(edge.clone())
        ))
        .add_service(limited!(
            AccountServiceServer,
            AccountApi::new(edge.clone())
        ))
        .add_service(limited!(
            EventServiceServer,
            EventApi::new(edge.clone(), stopping.clone())
        ))
        .add_service(limited!(
            CatalogServiceServer,
            CatalogApi::new(edge.clone())
        ))
        .add_service(limited!(
            FinanceServiceServer,
            FinanceApi::new(edge.clone())
        ))
        .add_service(HealthServer::new(HealthService::from_health_reporter(
            reporter.clone(),
        )));
    with_reflection(routes)
}

/// Reflection, in both versions that clients ask for.
fn with_reflection(mut routes: Routes) -> Routes {
    let builder = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    match (builder().build_v1(), builder().build_v1alpha()) {
        (Ok(v1), Ok(v1alpha)) => routes = routes.add_service(v1).add_service(v1alpha),
        (Err(error), _) | (_, Err(error)) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "there is no reflection"
            );
        }
    }
    routes
}

/// The span of a request. Of level `debug`, because at tens of thousands of
/// requests a second each span costs; what is logged about a request names
/// what it has to.
fn span(request: &Request<()>) -> tracing::Span {
    tracing::debug_span!("grpc", method = request.uri().path())
}

/// Ends when the time for a graceful end is up.
async fn drained(stopping: &CancellationToken) {
    stopping.cancelled().await;
    tokio::time::sleep(DRAIN_TIME_MAX).await;
}
