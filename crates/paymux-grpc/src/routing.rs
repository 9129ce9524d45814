//! `RoutingService`: which channel would take a payment, and why.

use paymux_core::Payments;
use paymux_core::catalog::Scope;
use paymux_core::payment::NewPayment;
use paymux_core::payment::request::InvalidField;
use tokio::task::spawn_blocking;
use tonic::{Request, Response, Status};

use crate::v1::routing_service_server::RoutingService;
use crate::{guard, refusal, reply, request, v1};

/// The service.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) payments: Payments,
}

#[tonic::async_trait]
impl RoutingService for Service {
    async fn explain(
        &self,
        request: Request<v1::ExplainRequest>,
    ) -> Result<Response<v1::ExplainResponse>, Status> {
        let app = guard::caller(&request)?;
        self.payments.check_scope(&app, Scope::Payments).map_err(|error| refusal::of(&error))?;
        let v1::ExplainRequest { payment, seed, times } = request.into_inner();
        let new = asked(payment).map_err(refusal::invalid)?;
        let seed = seed.map(|text| read("seed", &text)).transpose().map_err(refusal::invalid)?;
        let times = times.map(|n| read("times", &n.to_string())).transpose().map_err(refusal::invalid)?;
        let payments = self.payments.clone();
        // A million picks take a while, and the thread of a call is not theirs alone.
        let explained = spawn_blocking(move || payments.explain(&app, &new, seed, times)).await;
        let explained = explained.map_err(|error| {
            tracing::error!(%error, "explaining a route died");
            refusal::internal()
        })?;
        let explained = explained.map_err(|error| refusal::of(&error))?;
        Ok(Response::new(reply::explained(explained)))
    }
}

fn asked(payment: Option<v1::CreatePaymentRequest>) -> Result<NewPayment, InvalidField> {
    let payment = payment.ok_or_else(|| InvalidField::new("payment", "is missing"))?;
    NewPayment::check(&request::payment(payment)?)
}

fn read<T: std::str::FromStr>(param: &str, text: &str) -> Result<T, InvalidField>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| InvalidField::new(param, error.to_string()))
}
