//! What is served: our services behind their guard, health, and reflection where it is wanted.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use paymux_core::Payments;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic_reflection::server::Builder;
use tower_http::catch_panic::CatchPanicLayer;

use crate::guard::{self, Guard};
use crate::health::{self, Health};
use crate::known::Known;
use crate::v1::payment_service_server::PaymentServiceServer;
use crate::v1::routing_service_server::RoutingServiceServer;
use crate::watch::{Nudges, Watches};
use crate::{DESCRIPTORS, entry, payments, routing};

/// How it behaves.
#[derive(Debug, Clone)]
pub struct GrpcConfig {
    /// The largest message of a request, in bytes: `[limits] body_bytes`.
    pub body_bytes: usize,
    /// It must be here within this: `[limits] body_ms`.
    pub body: Duration,
    /// Whether anybody may ask what services and messages there are: `[server] grpc_reflection`.
    pub reflection: Reflection,
}

/// Whether reflection is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reflection {
    /// To nobody.
    #[default]
    Off,
    /// To everybody.
    On,
}

/// What describes the services cannot be read.
#[derive(Debug, Clone, thiserror::Error)]
#[error("what describes the services of gRPC cannot be read: {0}")]
pub struct Undescribed(String);

/// The merchant API over gRPC.
#[derive(Debug)]
pub struct Grpc {
    config: GrpcConfig,
    payments: Payments,
    nudges: Nudges,
    shutdown: CancellationToken,
}

impl Grpc {
    /// Over those payments; whoever stores changes of them tells `nudges`. With `shutdown` its streams end.
    pub fn new(config: GrpcConfig, payments: Payments, nudges: Nudges, shutdown: CancellationToken) -> Self {
        Self { config, payments, nudges, shutdown }
    }

    /// The router, for an HTTP/2 server, and the work that keeps its health known, which ends with `shutdown`. The
    /// answer to a path that it does not have is gRPC's own: it needs a listener to itself.
    ///
    /// # Errors
    /// When what describes the services cannot be read, which is a fault of the build.
    pub fn open(
        self,
        health: Arc<dyn Health>,
    ) -> Result<(Router, impl Future<Output = ()> + Send + 'static), Undescribed> {
        let bytes_max = self.config.body_bytes;
        let (reporter, health_service) = tonic_health::server::health_reporter();
        let routes = Routes::from(self.guarded()?);
        let routes = routes.add_service(health_service.max_decoding_message_size(bytes_max));
        let routes = match self.config.reflection {
            Reflection::On => with_reflection(routes, bytes_max)?,
            Reflection::Off => routes,
        };
        let router = routes
            .into_axum_router()
            .layer(CatchPanicLayer::custom(entry::panicked))
            .layer(from_fn_with_state(self.payments, entry::enter));
        Ok((router, health::follow(reporter, health, self.shutdown)))
    }

    /// What needs an app's key. A service that is added here cannot be reached without one.
    fn guarded(&self) -> Result<Router, Undescribed> {
        let bytes_max = self.config.body_bytes;
        let payments = self.payments.clone();
        let watches = Watches::new(payments.clone(), self.nudges.clone(), self.shutdown.clone());
        let service = PaymentServiceServer::new(payments::Service { payments: payments.clone(), watches });
        let routing = RoutingServiceServer::new(routing::Service { payments: payments.clone() });
        let known = Known::of(DESCRIPTORS).map_err(|error| Undescribed(error.to_string()))?;
        let guard = Arc::new(Guard { payments, bytes_max, within: self.config.body, known });
        Ok(Routes::new(service.max_decoding_message_size(bytes_max))
            .add_service(routing.max_decoding_message_size(bytes_max))
            .into_axum_router()
            .route_layer(from_fn_with_state(guard, guard::check)))
    }
}

/// Reflection in both of its versions: clients in the field ask by the older one.
fn with_reflection(routes: Routes, bytes_max: usize) -> Result<Routes, Undescribed> {
    let builder = || {
        Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let fault = |error: tonic_reflection::server::Error| Undescribed(error.to_string());
    let (new, old) = (builder().build_v1().map_err(fault)?, builder().build_v1alpha().map_err(fault)?);
    let routes = routes.add_service(new.max_decoding_message_size(bytes_max));
    Ok(routes.add_service(old.max_decoding_message_size(bytes_max)))
}
