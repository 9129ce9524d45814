//! Refunds that their client approves before they are sent: their amount is set aside from the beginning, and no
//! provider hears of them until then.

use crate::catalog::Scope;
use crate::channel::Can;
use crate::error::PaymentError;
use crate::ids::{AppId, RefundId};
use crate::outflow::{Happening, OutflowState};
use crate::payments::Payments;
use crate::payments::outflows::{News, OutflowFacts, able, check_scope, failure};
use crate::refund::Refund;

/// By which a refund is known that was denied.
const DENIED: &str = "denied";

/// What whoever has to approve a refund says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Approval {
    /// It goes.
    Agreed,
    /// It does not, for this reason; may be empty.
    Denied(String),
}

impl Payments {
    /// Sends a refund that waits for its approval, or ends it. The same word again changes nothing and is no error;
    /// the other word comes too late.
    ///
    /// # Errors
    /// Where the app has no such refund, where it never waited for an approval, or where the other word was heard
    /// before.
    pub async fn approve_refund(
        &self,
        app: AppId,
        id: RefundId,
        approval: Approval,
    ) -> Result<Refund, PaymentError> {
        let this = self.clone();
        self.run(async move { this.approve_refund_now(&app, id, approval).await }).await
    }

    async fn approve_refund_now(
        &self,
        app: &AppId,
        id: RefundId,
        approval: Approval,
    ) -> Result<Refund, PaymentError> {
        check_scope(&self.catalog(), app, Scope::Refunds)?;
        let refund = self.find_refund(app, id).await?;
        let after = match &approval {
            _ if !refund.awaits_approval() => refund,
            Approval::Agreed => self.let_go(refund).await?,
            Approval::Denied(why) => self.learn_refund(refund, &denial(why)).await?.now,
        };
        heard(after, &approval)
    }

    /// Takes and sends it, as a worker would; at an hour at which its channel keeps refunds back, a worker does so
    /// later. What is looked at later keeps its channel from being off, so one that is off is told before.
    async fn let_go(&self, refund: Refund) -> Result<Refund, PaymentError> {
        let (catalog, started, id) = (self.catalog(), self.clock().mono(), refund.id);
        if able(&catalog, &refund.channel, Can::REFUND).is_none() {
            let why = "its channel sends no refund now: approve it again once it does, or deny it";
            return Err(PaymentError::NotRefundable(why.to_owned()));
        }
        match self.take_queued(&catalog, refund).await? {
            Some(to_send) => self.send_refund_within(catalog, to_send, started).await,
            None => self.reload_refund(id).await,
        }
    }
}

fn denial(why: &str) -> News {
    let message = if why.is_empty() { "it was not approved".to_owned() } else { why.to_owned() };
    let facts = OutflowFacts { failure: Some(failure(DENIED, message)), ..OutflowFacts::default() };
    News::with(Happening::Denied, facts)
}

/// Whether the refund is as that word makes it.
fn heard(refund: Refund, approval: &Approval) -> Result<Refund, PaymentError> {
    if !refund.needs_approval() {
        return Err(PaymentError::NotRefundable("the refund needs no approval".to_owned()));
    }
    // Somebody else was at it.
    if refund.awaits_approval() {
        return Err(PaymentError::InFlight);
    }
    let is_denied = refund.state == OutflowState::Failed
        && refund.failure.as_ref().is_some_and(|failure| failure.code == DENIED);
    match approval {
        Approval::Agreed if is_denied => Err(PaymentError::NotRefundable("the refund was denied".to_owned())),
        Approval::Denied(_) if !is_denied => {
            Err(PaymentError::NotRefundable("the refund was approved before".to_owned()))
        }
        Approval::Agreed | Approval::Denied(_) => Ok(refund),
    }
}
