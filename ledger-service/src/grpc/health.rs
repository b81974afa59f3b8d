//! Health, as `grpc.health.v1` tells it: of the server as a whole (the empty
//! name) and of each service.

use tonic::server::NamedService as _;
use tonic_health::{ServingStatus, server::HealthReporter};

use super::server::{Accounts, Catalogs, Events, Finances, Ledger, Payments};

/// A reporter that says `NOT_SERVING` until [`set_serving`].
pub async fn reporter() -> HealthReporter {
    let reporter = HealthReporter::new();
    set_not_serving(&reporter).await;
    reporter
}

/// Says that the service takes requests.
pub async fn set_serving(reporter: &HealthReporter) {
    set(reporter, ServingStatus::Serving).await;
}

/// Says that the service takes no requests, or will soon stop to.
pub async fn set_not_serving(reporter: &HealthReporter) {
    set(reporter, ServingStatus::NotServing).await;
}

async fn set(reporter: &HealthReporter, status: ServingStatus) {
    for service in [
        "",
        Ledger::NAME,
        Payments::NAME,
        Accounts::NAME,
        Events::NAME,
        Catalogs::NAME,
        Finances::NAME,
    ] {
        reporter.set_service_status(service, status).await;
    }
}
