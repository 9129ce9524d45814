//! The admin listener's router. Off unless configured; every path needs the operator's token.
//!
//! Today it pays sandbox orders and shows the metrics. The admin API and page come here.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};
use http::StatusCode;
use paymux_core::channel::ChannelError;
use paymux_core::payments::NativeError;
use paymux_core::{ChannelId, Payments, Secret};

use crate::body::Measure;
use crate::front::MetricsPage;
use crate::limits::Limits;
use crate::problem::Problem;
use crate::query::Query;
use crate::routes::{InPath, health, payments::shown};
use crate::{auth, body, envelope, json};

/// The provider whose orders an operator may pay by a call: no money moves there.
const SANDBOX: &str = "sandbox";

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
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// The router, for [`crate::serve`].
pub fn router(admin: Admin) -> Router {
    let payments = admin.payments.clone();
    let metrics = health::metrics(&admin.metrics);
    let admin = Arc::new(admin);
    let router = Router::new()
        .route("/sandbox/{channel}/pay/{number}", post(pay))
        .route_layer(from_fn_with_state(Arc::clone(&admin), operator))
        .route("/healthz", get(health::alive))
        .with_state(admin)
        .merge(metrics);
    envelope::wrap(router, payments)
}

/// Lets only requests with the operator's token through.
async fn operator(State(admin): State<Arc<Admin>>, request: Request, next: Next) -> Response {
    match auth::check_token(request.headers(), &admin.token) {
        Ok(()) => next.run(request).await,
        Err(problem) => auth::refuse(problem, request).await,
    }
}

/// `POST /sandbox/{channel_id}/pay/{provider_order_no}`: the payer pays, and the payment hears of it.
async fn pay(
    State(admin): State<Arc<Admin>>,
    InPath((channel, number)): InPath<(String, String)>,
    request: Request,
) -> Result<Response, Problem> {
    take_nothing(&admin, request).await?;
    let channel = sandbox_channel(&admin.payments, &channel)?;
    let payment = admin.payments.find_by_number(&channel, &number).await?;
    let order = serde_json::json!({ "number": number });
    admin.payments.native(channel, "pay".to_owned(), order).await.map_err(not_paid)?;
    let payment = admin.payments.sync(payment.app, payment.id).await?;
    Ok(shown(StatusCode::OK, &payment))
}

async fn take_nothing(admin: &Admin, request: Request) -> Result<(), Problem> {
    let (parts, content) = request.into_parts();
    let measure = Measure { bytes_max: admin.limits.body_bytes, within: admin.limits.body };
    let bytes = body::read(&parts.headers, content, measure).await?;
    Query::none(&parts.uri)?;
    json::read_nothing(&parts.headers, &bytes)
}

/// The channel, if no real money moves there.
fn sandbox_channel(payments: &Payments, text: &str) -> Result<ChannelId, Problem> {
    let catalog = payments.catalog();
    let entry = ChannelId::new(text).ok().and_then(|id| catalog.channel(&id));
    let sandbox = entry.filter(|entry| entry.channel.descriptor().provider == SANDBOX);
    sandbox
        .map(|entry| entry.id.clone())
        .ok_or_else(|| Problem::not_found("there is no such sandbox channel"))
}

fn not_paid(error: NativeError) -> Problem {
    match error {
        NativeError::Payment(error) => error.into(),
        NativeError::Channel(ChannelError::Refused(refusal)) => Problem::not_payable(refusal.message),
        NativeError::Channel(error) => {
            tracing::error!(%error, "a sandbox did not do as it should");
            Problem::internal()
        }
    }
}
