//! What is learnt of a refund, and its storing: with its payment in one change, decided anew when somebody
//! was faster.

use crate::clock::{Mono, Timestamp};
use crate::error::PaymentError;
use crate::ids::RefundId;
use crate::outflow::Happening;
use crate::refund::Refund;
use crate::store::{Applied, AuditRow, StoreError};

use crate::payments::Payments;
use crate::payments::draft::RefundTurn;
use crate::payments::outflows::{How, Learnt, News, OperatorWord, TRIES};

impl Payments {
    /// Applies what is learnt of a refund to it and to its payment, in one change; reads both again and
    /// decides anew when somebody was faster. A taking counts only under the fencing number of `refund`,
    /// and an operator's word only on what has left, or not, as it was when the word was given.
    pub(crate) async fn learn_refund(
        &self,
        mut refund: Refund,
        news: &News,
    ) -> Result<Learnt<Refund>, PaymentError> {
        let lease = (news.happening == Happening::Take).then_some(refund.fence);
        let could_leave = refund.could_leave_from();
        for _ in 0..TRIES {
            crate::crash_point!("refund.before_outcome");
            let payment = self.reload(refund.payment).await?;
            let catalog = self.catalog();
            let mut draft = self.draft(&catalog, &payment);
            let after = match draft.refund_happens(&refund, news) {
                RefundTurn::Moves(after) => *after,
                RefundTurn::Nothing => return Ok(Learnt::new(refund, How::Nothing)),
                RefundTurn::Contradicts => return Ok(contradiction(refund)),
                RefundTurn::NoRoom => return Ok(no_room(refund)),
            };
            let Some(change) = draft.into_change() else { return Ok(Learnt::new(refund, How::Nothing)) };
            let applied = self.apply(change).await;
            crate::crash_point!("refund.after_outcome");
            if applied == Ok(Applied::Stale) {
                self.step_aside().await;
            }
            refund = match applied {
                Ok(Applied::Done) => return Ok(Learnt::new(after, How::Stored)),
                Ok(Applied::CallbackKnown) => {
                    return Ok(Learnt::new(self.reload_refund(refund.id).await?, How::CallbackKnown));
                }
                Ok(Applied::Stale | Applied::Full) => self.reload_refund(refund.id).await?,
                Err(error) => return self.refund_stored_after_all(after, error).await,
            };
            if lease.is_some_and(|fence| fence != refund.fence) {
                return Ok(Learnt::new(refund, How::Nothing));
            }
            if news.bearer.is_operator() && refund.could_leave_from() != could_leave {
                return Err(PaymentError::InFlight);
            }
        }
        Err(PaymentError::InFlight)
    }

    /// After an unconfirmed commit it was stored all the same if it reads so.
    async fn refund_stored_after_all(
        &self,
        after: Refund,
        error: StoreError,
    ) -> Result<Learnt<Refund>, PaymentError> {
        match error {
            StoreError::Unconfirmed(_) if self.reload_refund(after.id).await? == after => {
                Ok(Learnt::new(after, How::Stored))
            }
            error => Err(error.into()),
        }
    }

    /// Stores what became of a call, as [`Payments::keep_outcome`].
    pub(super) async fn keep_refund_outcome(
        &self,
        refund: Refund,
        news: &News,
        until: Mono,
    ) -> Option<Refund> {
        let offer = || self.learn_refund(refund.clone(), news);
        self.keep_outcome(refund.id, news.happening, until, offer).await
    }

    /// An operator's word on a refund. Given again it changes nothing; the line of the audit trail is
    /// completed with what was before and after, and stored with the change.
    pub(crate) async fn hear_operator_on_refund(
        &self,
        refund: Refund,
        word: OperatorWord,
        audit: AuditRow,
    ) -> Result<Refund, PaymentError> {
        let learnt = self.learn_refund(refund, &word.news(audit)).await?;
        match learnt.how {
            How::Stored => Ok(learnt.now),
            How::NoRoom => {
                let why = "its amount has gone back by other refunds meanwhile";
                Err(PaymentError::NotResolvable(why.to_owned()))
            }
            How::Nothing | How::Contradicts | How::CallbackKnown => word.on(learnt.now.state, learnt.now),
        }
    }

    /// Sets the next look at a refund about which nothing can be done just now.
    pub(crate) async fn put_off_refund(
        &self,
        refund: &Refund,
        until: Option<Timestamp>,
    ) -> Result<(), PaymentError> {
        let catalog = self.catalog();
        let payment = self.reload(refund.payment).await?;
        let mut draft = self.draft(&catalog, &payment);
        draft.put_off_refund(refund, until);
        // Where somebody was faster, the lease brings it back.
        self.commit(draft).await?;
        Ok(())
    }

    pub(in crate::payments) async fn reload_refund(&self, id: RefundId) -> Result<Refund, PaymentError> {
        let found = self.store().refund(id).await?;
        found.ok_or_else(|| PaymentError::Internal(format!("refund {id} is gone")))
    }
}

fn contradiction(refund: Refund) -> Learnt<Refund> {
    tracing::error!(refund = %refund.id, "a refund that is booked as done is said to have failed");
    Learnt::new(refund, How::Contradicts)
}

fn no_room(refund: Refund) -> Learnt<Refund> {
    tracing::error!(
        refund = %refund.id,
        payment = %refund.payment,
        "a refund that had failed is done all the same, and more has gone back than came in"
    );
    Learnt::new(refund, How::NoRoom)
}
