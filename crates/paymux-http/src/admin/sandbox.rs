//! Paying a sandbox's order by a call: no money moves there.

use std::sync::Arc;

use axum::extract::{Request, State};
use paymux_core::channel::ChannelError;
use paymux_core::payments::NativeError;
use paymux_core::view::PaymentView;
use paymux_core::{ChannelId, Payments};

use super::Admin;
use crate::openapi::{Described as _, Group, Operation, Param, Reply, schema};
use crate::posted::Posted;
use crate::problem::{Problem, Refusal};
use crate::routes::{Answer, InPath, payments::shown};

/// The provider whose orders an operator may pay.
const SANDBOX: &str = "sandbox";

/// `POST /sandbox/{channel}/pay/{number}`
pub(super) const PAY: Operation = Operation {
    title: "Pay a sandbox's order",
    says: "The payer pays, and the payment hears of it. No real money moves there.",
    places: &[
        Param::needed("channel", schema::name, "The sandbox channel.", "sand"),
        Param::needed("number", schema::text, "The order's number there: `provider_order_no`.", "1"),
    ],
    replies: &[Reply::json(200, "The payment as it stands now.", PaymentView::object)],
    refusals: &[Refusal::NotFound, Refusal::NotPayable, Refusal::InFlight, Refusal::Unsupported],
    ..Operation::post("/sandbox/{channel}/pay/{number}", "paySandboxOrder", Group::Sandbox)
};

/// See [`PAY`].
pub(super) async fn pay(
    State(admin): State<Arc<Admin>>,
    InPath((channel, number)): InPath<(String, String)>,
    request: Request,
) -> Answer {
    Posted::read(request, admin.body()).await?.nothing()?;
    let channel = sandbox_channel(&admin.payments, &channel)?;
    let payment = admin.payments.find_by_number(&channel, &number).await?;
    let order = serde_json::json!({ "number": number });
    admin.payments.native(channel, "pay".to_owned(), order).await.map_err(not_paid)?;
    let payment = admin.payments.sync(payment.app, payment.id).await?;
    Ok(shown(&admin.payments, &payment))
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
