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
use paymux_core::payments::desk::Operator;
use paymux_core::{Payments, Secret};

use crate::body::Measure;
use crate::envelope::RequestName;
use crate::front::MetricsPage;
use crate::limits::Limits;
use crate::openapi::{Access, Book, Manual, Paths};
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
    let manual = Manual::new(Book::Admin, String::new());
    let admin = Arc::new(admin);
    let guard = from_fn_with_state(Arc::clone(&admin), operator);
    let paths = operators()
        .merge(manual.for_operators())
        .behind(Access::Operator, |router| router.route_layer(guard))
        .at(&health::ALIVE, health::alive)
        .merge(metrics);
    manual.of(paths.operations());
    envelope::wrap(paths.into_router().with_state(admin), payments)
}

/// What needs the operator's token. A path that is added here cannot be reached without it.
fn operators() -> Paths<Arc<Admin>> {
    Paths::new()
        .at(&lists::QUEUE, lists::queue)
        .at(&lists::ATTEMPTS, lists::attempts)
        .at(&lists::DECISION, lists::decision)
        .at(&lists::CALLBACKS, lists::callbacks)
        .at(&lists::AUDIT, lists::audit)
        .at(&verdicts::CONFIRM, verdicts::confirm)
        .at(&verdicts::RESOLVE_ATTEMPT, verdicts::resolve_attempt)
        .at(&verdicts::RESOLVE_REFUND, verdicts::resolve_refund)
        .at(&verdicts::RESOLVE_TRANSFER, verdicts::resolve_transfer)
        .at(&verdicts::SETTLE_CALLBACK, verdicts::settle_callback)
        .at(&channels::LIST, channels::list)
        .at(&channels::SET_STATE, channels::set_state)
        .at(&reload::RELOAD, reload::reload)
        .at(&sandbox::PAY, sandbox::pay)
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
