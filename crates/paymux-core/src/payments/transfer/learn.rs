//! What is learnt of a transfer, and its storing: decided anew when somebody was faster.

use crate::acceptor::FrontFact;
use crate::catalog::Catalog;
use crate::channel::Can;
use crate::clock::Mono;
use crate::error::PaymentError;
use crate::ids::{EventId, PostingId, TransferId};
use crate::outflow::{Effect, OutflowState, is_idle, step};
use crate::posting::{Account, Cause, Posting, PostingKind};
use crate::store::{Applied, AuditRow, Event, EventKind, StoreError, Subject, TransferChange};
use crate::transfer::Transfer;
use crate::view::{Told, TransferView, notice_body, transfer_status};

use crate::payments::outflows::{How, Learnt, News, OperatorWord, TRIES, next_look};
use crate::payments::{Payments, payout_of};

/// What news do to a transfer.
enum Turn {
    /// Nothing, for this reason.
    Stays(How),
    /// This.
    Moves(Box<TransferChange>),
}

impl Payments {
    /// Applies what is learnt of a transfer; reads again and decides anew when somebody was faster.
    pub(crate) async fn learn_transfer(
        &self,
        mut transfer: Transfer,
        news: &News,
    ) -> Result<Learnt<Transfer>, PaymentError> {
        for _ in 0..TRIES {
            crate::crash_point!("transfer.before_outcome");
            let change = match self.transfer_turn(&self.catalog(), &transfer, news) {
                Turn::Moves(change) => *change,
                Turn::Stays(how) => return Ok(Learnt::new(transfer, how)),
            };
            let after = change.transfer.clone();
            let applied = self.store().apply_transfer(change).await;
            crate::crash_point!("transfer.after_outcome");
            if applied == Ok(Applied::Stale) {
                self.step_aside().await;
            }
            transfer = match applied {
                Ok(Applied::Done) => return Ok(Learnt::new(after, How::Stored)),
                Ok(Applied::CallbackKnown) => {
                    return Ok(Learnt::new(self.reload_transfer(transfer.id).await?, How::CallbackKnown));
                }
                Ok(Applied::Stale | Applied::Full) => self.reload_transfer(transfer.id).await?,
                Err(error) => return self.transfer_stored_after_all(after, error).await,
            };
        }
        Err(PaymentError::InFlight)
    }

    /// After an unconfirmed commit it was stored all the same if it reads so.
    async fn transfer_stored_after_all(
        &self,
        after: Transfer,
        error: StoreError,
    ) -> Result<Learnt<Transfer>, PaymentError> {
        match error {
            StoreError::Unconfirmed(_) if self.reload_transfer(after.id).await? == after => {
                Ok(Learnt::new(after, How::Stored))
            }
            error => Err(error.into()),
        }
    }

    fn transfer_turn(&self, catalog: &Catalog, before: &Transfer, news: &News) -> Turn {
        let cell = step(before.state, news.happening);
        match cell.1 {
            _ if is_idle(cell, before.check_at.is_some()) => return Turn::Stays(How::Nothing),
            Effect::Contradict => {
                tracing::error!(transfer = %before.id, "a transfer that is booked as done is said to have failed");
                return Turn::Stays(How::Contradicts);
            }
            _ => {}
        }
        let now = self.now();
        let mut after = before.clone();
        let entry = catalog.open_channel(&before.channel);
        let look = |checks, ended_at| next_look(entry, Can::QUERY_TRANSFER, (checks, ended_at), now);
        after.course().go(cell, &news.facts, now, look);
        let kind = event_kind(cell.1);
        after.events += i64::from(kind.is_some());
        let events =
            kind.map(|kind| self.transfer_event(catalog, kind, &after, before.state)).into_iter().collect();
        let as_json = |transfer| serde_json::to_value(TransferView::of(transfer)).unwrap_or_default();
        Turn::Moves(Box::new(TransferChange {
            seen_state: before.state,
            seen_fence: before.fence,
            postings: self.paid_out(cell.1, &after).into_iter().collect(),
            events,
            callback: news.bearer.callback(),
            audit: news.bearer.audit(as_json(before), as_json(&after)),
            transfer: after,
        }))
    }

    /// The line in the books, where the money has left.
    fn paid_out(&self, effect: Effect, transfer: &Transfer) -> Option<Posting> {
        let has_left = matches!(effect, Effect::Book | Effect::Reclaim);
        has_left.then(|| Posting {
            id: PostingId::make(self.now(), self.ports().rng.as_ref()),
            at: self.now(),
            kind: PostingKind::PaidOut,
            debit: Account::App(transfer.app.clone()),
            credit: Account::Channel(transfer.channel.clone()),
            amount: transfer.amount,
            cause: Cause::Transfer(transfer.id),
        })
    }

    fn transfer_event(
        &self,
        catalog: &Catalog,
        kind: EventKind,
        after: &Transfer,
        before: OutflowState,
    ) -> Event {
        let now = self.now();
        let sequence = after.events;
        let told = Told { sequence, late: before.is_over(), previous_status: transfer_status(before) };
        Event {
            id: EventId::make(now, self.ports().rng.as_ref()),
            app: after.app.clone(),
            subject: Subject::Transfer(after.id),
            kind,
            sequence,
            created_at: now,
            body: notice_body(kind, now, TransferView::of(after), told),
            url: transfer_address(catalog, kind, after),
        }
    }

    /// Stores what became of a call, as [`Payments::keep_outcome`].
    pub(super) async fn keep_transfer_outcome(
        &self,
        transfer: Transfer,
        news: &News,
        until: Mono,
    ) -> Option<Transfer> {
        let offer = || self.learn_transfer(transfer.clone(), news);
        self.keep_outcome(transfer.id, news.happening, until, offer).await
    }

    /// An operator's word on a transfer, as [`Payments::hear_operator_on_refund`].
    pub(crate) async fn hear_operator_on_transfer(
        &self,
        id: TransferId,
        word: OperatorWord,
        audit: AuditRow,
    ) -> Result<Transfer, PaymentError> {
        let transfer = self.store().transfer(id).await?.ok_or(PaymentError::NotFound("transfer"))?;
        let learnt = self.learn_transfer(transfer, &word.news(audit)).await?;
        match learnt.how {
            How::Stored => Ok(learnt.now),
            _ => word.on(learnt.now.state, learnt.now),
        }
    }

    pub(in crate::payments) async fn reload_transfer(
        &self,
        id: TransferId,
    ) -> Result<Transfer, PaymentError> {
        let found = self.store().transfer(id).await?;
        found.ok_or_else(|| PaymentError::Internal(format!("transfer {id} is gone")))
    }
}

/// Where the merchant is told of that, if it is. What was asked for in a front is told in its protocol or not at all; it
/// stands in the list of events all the same.
fn transfer_address(catalog: &Catalog, kind: EventKind, transfer: &Transfer) -> Option<String> {
    let own = match &transfer.front {
        None => None,
        Some(note) => {
            let acceptor = catalog.fronts.of(&note.slug)?.acceptor();
            let is_told = kind == EventKind::TransferSucceeded
                && acceptor.tells(&FrontFact::PaidOut(Box::new(payout_of(transfer))));
            if !is_told {
                return None;
            }
            note.notify_url.clone()
        }
    };
    own.or_else(|| catalog.app(&transfer.app)?.notify_url.as_ref().map(|url| url.as_str().to_owned()))
}

fn event_kind(effect: Effect) -> Option<EventKind> {
    match effect {
        Effect::Book | Effect::Reclaim => Some(EventKind::TransferSucceeded),
        Effect::Release | Effect::Trust => Some(EventKind::TransferFailed),
        Effect::Act => Some(EventKind::TransferNeedsAction),
        Effect::Ignore | Effect::Send | Effect::Ask | Effect::Rest | Effect::Contradict => None,
    }
}
