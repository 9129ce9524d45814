//! Callbacks about money on its way out: compared with what is stored, and believed only where number,
//! amount and currency agree.

use super::{Bearer, How, Learnt, News};
use crate::callbacks::Outcome;
use crate::catalog::ChannelEntry;
use crate::channel::{Claim, ClaimKind, Evidence};
use crate::error::PaymentError;
use crate::ids::PaymentId;
use crate::money::Money;
use crate::outflow::{Happening, OutflowState};
use crate::payments::Payments;
use crate::refund::Refund;
use crate::store::{CallbackRow, CallbackVerdict};
use crate::transfer::Transfer;

/// What a claim comes to.
enum Proof {
    /// This happened.
    Of(News),
    /// Nothing happened, with the reason.
    Nothing(&'static str),
}

impl Payments {
    /// Applies a verified claim about a refund or a payout, or says why it changes nothing; `None` when
    /// somebody was faster. Where it was applied, `row` is stored with the change.
    pub(crate) async fn take_outflow_claim(
        &self,
        entry: &ChannelEntry,
        claim: &Claim,
        row: &CallbackRow,
    ) -> Result<Option<Outcome>, PaymentError> {
        let taken = match claim.kind {
            ClaimKind::Refunded | ClaimKind::RefundFailed => self.take_refund_claim(entry, claim, row).await,
            ClaimKind::Transferred | ClaimKind::TransferFailed => {
                self.take_transfer_claim(entry, claim, row).await
            }
            ClaimKind::Paid | ClaimKind::Other => {
                Ok(quarantined(None, "not about money on its way out".to_owned()))
            }
        };
        match taken {
            Ok(outcome) => Ok(Some(outcome)),
            Err(PaymentError::InFlight) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn take_refund_claim(
        &self,
        entry: &ChannelEntry,
        claim: &Claim,
        row: &CallbackRow,
    ) -> Result<Outcome, PaymentError> {
        let Some(refund) = self.store().refund_by_number(&entry.id, &claim.number).await? else {
            return Ok(orphan("no refund of this channel has that number"));
        };
        let payment = Some(refund.payment);
        if claim.received != refund.amount {
            return Ok(quarantined(payment, other_amount(claim, refund.amount)));
        }
        let news = match self.refund_evidence(claim, &refund).await? {
            Proof::Of(news) => news,
            Proof::Nothing(why) => return Ok(quarantined(payment, why.to_owned())),
        };
        let news = news.borne_by(borne(row, payment));
        let Learnt { now, how } = self.learn_refund(refund, &news).await?;
        Ok(outcome(how, news.happening, now.state, payment))
    }

    /// What a claim about a refund proves: itself, or what the provider says when it is asked.
    async fn refund_evidence(&self, claim: &Claim, refund: &Refund) -> Result<Proof, PaymentError> {
        if claim.evidence == Evidence::Settles {
            return Ok(Proof::Of(News::of(told(claim.kind))));
        }
        let payment = self.reload(refund.payment).await?;
        confirmed(self.ask_refund(&self.catalog(), &payment, refund).await)
    }

    async fn take_transfer_claim(
        &self,
        entry: &ChannelEntry,
        claim: &Claim,
        row: &CallbackRow,
    ) -> Result<Outcome, PaymentError> {
        let Some(transfer) = self.store().transfer_by_number(&entry.id, &claim.number).await? else {
            return Ok(orphan("no transfer of this channel has that number"));
        };
        if claim.received != transfer.amount {
            return Ok(quarantined(None, other_amount(claim, transfer.amount)));
        }
        let news = match self.transfer_evidence(claim, &transfer).await? {
            Proof::Of(news) => news,
            Proof::Nothing(why) => return Ok(quarantined(None, why.to_owned())),
        };
        let news = news.borne_by(borne(row, None));
        let Learnt { now, how } = self.learn_transfer(transfer, &news).await?;
        Ok(outcome(how, news.happening, now.state, None))
    }

    async fn transfer_evidence(&self, claim: &Claim, transfer: &Transfer) -> Result<Proof, PaymentError> {
        if claim.evidence == Evidence::Settles {
            return Ok(Proof::Of(News::of(told(claim.kind))));
        }
        confirmed(self.ask_transfer(&self.catalog(), transfer).await)
    }
}

fn borne(row: &CallbackRow, payment: Option<PaymentId>) -> Bearer {
    Bearer::Callback(Box::new(CallbackRow { payment, ..row.clone() }))
}

/// What a claim that stands for itself says.
fn told(kind: ClaimKind) -> Happening {
    match kind {
        ClaimKind::Refunded | ClaimKind::Transferred => Happening::CallbackDone,
        _ => Happening::CallbackFailed,
    }
}

/// What the provider's own answer makes of a claim that is not signed: only an end counts, whatever the
/// claim was. A provider that gives no answer now is to send the callback again.
fn confirmed(asked: Option<News>) -> Result<Proof, PaymentError> {
    let Some(news) = asked else {
        return Ok(Proof::Nothing("what it claims is not signed, and the provider cannot be asked"));
    };
    // The provider has sent word and confirmed it: that counts as a callback, also for what is being
    // sent just now.
    let happening = match news.happening {
        Happening::QueryDone => Happening::CallbackDone,
        Happening::QueryFailed => Happening::CallbackFailed,
        Happening::QueryUnknown => {
            return Err(PaymentError::Overloaded("the provider could not be asked".to_owned()));
        }
        _ => return Ok(Proof::Nothing("what it claims is not signed, and the provider does not confirm it")),
    };
    Ok(Proof::Of(News { happening, ..news }))
}

/// What became of the callback, by what its news did to a refund or a payout that is in `state` now.
fn outcome(how: How, happening: Happening, state: OutflowState, payment: Option<PaymentId>) -> Outcome {
    let end = if happening == Happening::CallbackDone { "done" } else { "failed" };
    match how {
        How::Stored => Outcome::applied(payment),
        How::NoRoom => {
            let why = "it is done although it counted as failed, and others have taken its room meanwhile";
            quarantined(payment, why.to_owned())
        }
        How::Nothing | How::Contradicts | How::CallbackKnown if is_so(happening, state) => {
            Outcome::kept(CallbackVerdict::Duplicate, payment, "this was known")
        }
        How::Nothing | How::Contradicts | How::CallbackKnown => {
            quarantined(payment, format!("it says {end}, and here it is {state}"))
        }
    }
}

fn is_so(happening: Happening, state: OutflowState) -> bool {
    match happening {
        Happening::CallbackDone => state == OutflowState::Succeeded,
        _ => state == OutflowState::Failed,
    }
}

fn other_amount(claim: &Claim, amount: Money) -> String {
    format!("it tells of {}, and that number stands for {amount}", claim.received)
}

fn orphan(why: &str) -> Outcome {
    tracing::error!("a verified callback about money on its way out that is not ours");
    Outcome::kept(CallbackVerdict::Orphan, None, why)
}

fn quarantined(payment: Option<PaymentId>, why: String) -> Outcome {
    Outcome::kept(CallbackVerdict::Quarantined, payment, why)
}
