//! The standard health service: whether this node can do its work, as `/readyz` tells it over HTTP.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

/// The services that it is asked about; the empty name is the node as a whole.
const SERVICES: [&str; 3] = ["", "paymux.v1.PaymentService", "paymux.v1.RoutingService"];
/// How often it is looked. Those who ask are told what was seen last, however many they are.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long a look may take before the ledger counts as away.
const LOOK: Duration = Duration::from_secs(2);

/// Finds out whether this process can do its work.
#[async_trait]
pub trait Health: Send + Sync + 'static {
    /// Looks now.
    async fn is_ready(&self) -> bool;
}

/// Looks again and again until `shutdown`; from then on nothing serves.
pub(crate) async fn follow(reporter: HealthReporter, health: Arc<dyn Health>, shutdown: CancellationToken) {
    while !shutdown.is_cancelled() {
        let is_ready = timeout(LOOK, health.is_ready()).await.unwrap_or(false);
        set(&reporter, if is_ready { ServingStatus::Serving } else { ServingStatus::NotServing }).await;
        shutdown.run_until_cancelled(sleep(LOOK_EVERY)).await;
    }
    set(&reporter, ServingStatus::NotServing).await;
}

/// Says the same of all.
pub(crate) async fn set(reporter: &HealthReporter, status: ServingStatus) {
    for service in SERVICES {
        reporter.set_service_status(service, status).await;
    }
}
