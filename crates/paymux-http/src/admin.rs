//! The admin listener's router. Off unless configured; every path needs the operator's token.
//!
//! Operators say here what became of money where nobody else can, and where channels stand in their lives, look at
//! what waits for them, and pay sandbox orders.

mod channels;
mod lists;
mod reload;
mod sandbox;
mod verdicts;
mod views;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};
use paymux_core::payments::desk::Operator;
use paymux_core::{Payments, Secret};

use crate::body::Measure;
use crate::envelope::RequestName;
use crate::front::MetricsPage;
use crate::limits::Limits;
use crate::routes::health;
use crate::{auth, envelope};

pub use self::reload::{NotReloaded, Reload, Reloaded};

/// Who the bearer of the admin token is in the audit trail.
const ROOT: &str = "root";

/// What the admin listener needs.
#[derive(Clone)]
pub struct Admin {
    /// What one client may ask.
    pub limits: Limits,
    /// The payments.
    pub payments: Payments,
    /// The operator's token: `[server] admin_token`. An empty one opens nothing.
    pub token: Secret,
    /// The metrics.
    pub metrics: MetricsPage,
    /// Reads the configuration again.
    pub reload: Arc<dyn Reload>,
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Admin {
    /// How much a request's body may be.
    fn body(&self) -> Measure {
        Measure { bytes_max: self.limits.body_bytes, within: self.limits.body }
    }
}

/// The router, for [`crate::serve`].
pub fn router(admin: Admin) -> Router {
    let payments = admin.payments.clone();
    let metrics = health::metrics(&admin.metrics, &payments);
    let admin = Arc::new(admin);
    let router = operators()
        .route_layer(from_fn_with_state(Arc::clone(&admin), operator))
        .route("/healthz", get(health::alive))
        .with_state(admin)
        .merge(metrics);
    envelope::wrap(router, payments)
}

/// What needs the operator's token. A path that is added here cannot be reached without it.
fn operators() -> Router<Arc<Admin>> {
    Router::new()
        .route("/sandbox/{channel}/pay/{number}", post(sandbox::pay))
        .route("/admin/api/payments/{id}/confirm", post(verdicts::confirm))
        .route("/admin/api/attempts/{id}/resolve", post(verdicts::resolve_attempt))
        .route("/admin/api/refunds/{id}/resolve", post(verdicts::resolve_refund))
        .route("/admin/api/transfers/{id}/resolve", post(verdicts::resolve_transfer))
        .route("/admin/api/callbacks/{id}/settle", post(verdicts::settle_callback))
        .route("/admin/api/channels", get(channels::list))
        .route("/admin/api/channels/{id}/state", post(channels::set_state))
        .route("/admin/api/reload", post(reload::reload))
        .route("/admin/api/queue", get(lists::queue))
        .route("/admin/api/attempts", get(lists::attempts))
        .route("/admin/api/attempts/{id}/decision", get(lists::decision))
        .route("/admin/api/callbacks", get(lists::callbacks))
        .route("/admin/api/audit", get(lists::audit))
}

/// Lets only requests with the operator's token through, and says whose word they bring.
async fn operator(State(admin): State<Arc<Admin>>, mut request: Request, next: Next) -> Response {
    match auth::check_token(request.headers(), &admin.token) {
        Ok(()) => {
            let name = request.extensions().get::<RequestName>();
            let request_id = name.map(|name| name.as_str().to_owned()).unwrap_or_default();
            request.extensions_mut().insert(Operator { id: ROOT.to_owned(), request_id });
            next.run(request).await
        }
        Err(problem) => auth::refuse(problem, request).await,
    }
}
