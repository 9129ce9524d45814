//! Payments as a tower service, so that a team can put its own layers around them.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use paymux_core::catalog::Scope;
use paymux_core::{AppId, NewPayment, Payment, PaymentError, Payments};
use tower_service::Service;

/// Takes payments for one app.
///
/// A layer may cut a call short or make it again: what was begun runs to its end all the same, and the same request
/// again finds the payment that it made. With another request under the same order number nothing is done. Every
/// layer of tower's fits, since a request can be cloned; one that retries should leave refusals alone
/// ([`PaymentError::code`]).
#[derive(Debug, Clone)]
pub struct PaymentService {
    payments: Payments,
    app: AppId,
}

impl PaymentService {
    /// Of that app.
    pub const fn new(payments: Payments, app: AppId) -> Self {
        Self { payments, app }
    }
}

impl Service<NewPayment> for PaymentService {
    type Response = Payment;
    type Error = PaymentError;
    type Future = Pin<Box<dyn Future<Output = Result<Payment, PaymentError>> + Send>>;

    /// Always: what is too much at once is refused by the call itself, as [`PaymentError::Overloaded`].
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), PaymentError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: NewPayment) -> Self::Future {
        let Self { payments, app } = self.clone();
        Box::pin(async move {
            may_pay(&payments, &app)?;
            Ok(payments.create(app, request).await?.payment)
        })
    }
}

/// Asked anew for each, since a catalog can be replaced.
fn may_pay(payments: &Payments, app: &AppId) -> Result<(), PaymentError> {
    let catalog = payments.catalog();
    let app = catalog.app(app).ok_or(PaymentError::NotFound("app"))?;
    if app.scopes.contains(&Scope::Payments) { Ok(()) } else { Err(PaymentError::Forbidden(Scope::Payments)) }
}
