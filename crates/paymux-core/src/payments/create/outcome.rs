//! What became of a create call, and its storing: offered again, on the payment as it is then, for as long
//! as the attempt is its sender's. A provider's own word that money is there is kept whosever it is.

use crate::catalog::{Catalog, Route};
use crate::clock::Mono;
use crate::error::PaymentError;
use crate::ids::{AttemptId, ChannelId};
use crate::payment::{Attempt, AttemptState, Payment};
use crate::payments::outflows::{MOVED_KEPT, OUTCOME_PAUSE};
use crate::payments::place::Placed;
use crate::payments::{Committed, Draft, Payments, can_ask, site};
use crate::router::{Ask, Router, Taken};
use crate::state::{Effect, Happening, Sum};

use super::{Dispatch, may_be_given_up};

/// A create call that has come to its end.
pub(super) struct Ended {
    /// Whose.
    pub(super) attempt: AttemptId,
    /// The fencing number under which it was sent.
    pub(super) fence: i64,
    /// How it went.
    pub(super) placed: Placed,
    /// When a worker counts the sender for lost.
    pub(super) until: Mono,
}

impl Ended {
    /// Whether the attempt is still its sender's.
    fn owns(&self, payment: &Payment) -> bool {
        let attempt = payment.attempt(self.attempt);
        attempt.is_some_and(|a| a.state == AttemptState::Sending && a.fence == self.fence)
    }
}

impl Payments {
    /// Offers the outcome to the store until it takes it, until the attempt is somebody else's, or until a
    /// worker would count the sender for lost: nothing that was not stored is shown. A look at a sibling
    /// moves the payment on and takes nothing from this attempt.
    pub(super) async fn store_outcome(
        &self,
        catalog: &Catalog,
        mut payment: Payment,
        ended: &Ended,
        dispatch: &mut Dispatch,
    ) -> Option<Payment> {
        // An unconfirmed try may have been written, and its attempt's time runs from before it.
        let begun = self.clock().mono();
        let mut full = Vec::new();
        while ended.owns(&payment) {
            crate::crash_point!("create.before_outcome");
            let next = self.next_channel(catalog, &payment, ended, dispatch, &full);
            let is_ready = match &next {
                Some(_) => self.keep_version(catalog).await,
                None => Ok(()),
            };
            let committed = match is_ready {
                Ok(()) => self.try_commit(self.outcome(catalog, &payment, ended, next.as_ref())).await,
                Err(error) => Err(error),
            };
            match committed {
                Ok(Committed::Done(stored)) => {
                    crate::crash_point!("create.after_outcome");
                    dispatch.begun = begun;
                    return Some(*stored);
                }
                Ok(Committed::Stale) => self.step_aside().await,
                Ok(Committed::Full) => {
                    if let Some(next) = next {
                        self.found_full(catalog, &mut full, next.channel).await;
                    }
                }
                Err(error) => self.wait_for_store(&payment, &error.into()).await,
            }
            match self.reload(payment.id).await {
                Ok(now) => payment = now,
                Err(error) => self.wait_for_store(&payment, &error).await,
            }
            if self.clock().mono() >= ended.until {
                tracing::error!(payment = %payment.id, "an outcome could not be stored in its sender's time");
                break;
            }
        }
        dispatch.begun = begun;
        self.keep_money(catalog, payment, ended).await
    }

    async fn wait_for_store(&self, payment: &Payment, error: &PaymentError) {
        tracing::warn!(payment = %payment.id, %error, "an outcome was not stored; trying again");
        self.clock().sleep(OUTCOME_PAUSE).await;
    }

    /// The attempt is not its sender's any more, and its answer counts no more, save where it says that money
    /// is there, or may come although the attempt has ended.
    async fn keep_money(&self, catalog: &Catalog, payment: Payment, ended: &Ended) -> Option<Payment> {
        match ended.placed.happening {
            Happening::AnswerPaid(sum) => self.keep_paid(catalog, payment, ended, sum).await,
            Happening::AnswerOpen | Happening::AnswerUnknown
                if may_still_be_paid(catalog, &payment, ended.attempt) =>
            {
                self.learn_surely(payment, ended, ended.placed.happening).await
            }
            _ => Some(payment),
        }
    }

    /// That money is there is looked into at once, whatever the ledger says meanwhile. Where nobody can be
    /// asked, the answer is the provider's last word.
    async fn keep_paid(
        &self,
        catalog: &Catalog,
        payment: Payment,
        ended: &Ended,
        sum: Sum,
    ) -> Option<Payment> {
        let attempt = payment.attempt(ended.attempt)?;
        if attempt.received.is_some() {
            return Some(payment);
        }
        tracing::error!(attempt = %attempt.id, state = %attempt.state, "an answer says paid, after its sender's time");
        let can_ask = can_ask(catalog, &payment, attempt);
        let happening = if can_ask { ended.placed.happening } else { Happening::QueryPaid(sum) };
        let stored = self.learn_surely(payment, ended, happening).await?;
        let is_open = stored.attempt(ended.attempt).is_some_and(|attempt| attempt.received.is_none());
        if !(can_ask && is_open) {
            return Some(stored);
        }
        match self.probe(stored.clone(), ended.attempt).await {
            Ok(asked) => Some(asked),
            Err(error) => {
                tracing::warn!(payment = %stored.id, %error, "money is not looked into yet; a worker does");
                Some(stored)
            }
        }
    }

    async fn learn_surely(&self, payment: Payment, ended: &Ended, happening: Happening) -> Option<Payment> {
        let until = self.clock().mono().plus(MOVED_KEPT);
        loop {
            match self.learn(payment.clone(), ended.attempt, happening, &ended.placed.facts).await {
                Ok(stored) => return Some(stored),
                Err(error) if self.clock().mono() < until => self.wait_for_store(&payment, &error).await,
                Err(error) => {
                    tracing::error!(payment = %payment.id, %error, "an answer about money could not be stored");
                    return None;
                }
            }
        }
    }

    /// The outcome as one change: the end of this attempt and the beginning of the next, or the
    /// end of the payment, together.
    fn outcome<'a>(
        &'a self,
        catalog: &'a Catalog,
        payment: &'a Payment,
        ended: &Ended,
        next: Option<&Taken<'_>>,
    ) -> Draft<'a> {
        let mut draft = self.draft(catalog, payment);
        let placed = &ended.placed;
        let gives_up = placed.happening == Happening::AnswerUnknown && next.is_some();
        let happening = if gives_up { Happening::GiveUp } else { placed.happening };
        let effect = draft.happen(ended.attempt, happening, placed.facts.clone());
        match (effect, next) {
            (Effect::Next, Some(next)) => {
                let attempt = self.new_attempt(catalog, next.channel, payment, self.now());
                draft.add(attempt, next.kept.clone());
            }
            (Effect::Next, None) => draft.conclude(),
            _ => {}
        }
        draft
    }

    /// The channel that is tried next, if one may be.
    fn next_channel<'a>(
        &self,
        catalog: &'a Catalog,
        payment: &Payment,
        ended: &Ended,
        dispatch: &Dispatch,
        full: &[ChannelId],
    ) -> Option<Taken<'a>> {
        let attempt = payment.attempt(ended.attempt)?;
        let mut ask = Ask::of(catalog, &dispatch.app, &dispatch.request, self.now());
        ask.expires_in = payment.expires_at.since(self.now());
        ask.full = full;
        let router = Router::new(catalog);
        let route = router.route(&ask)?;
        let tried: Vec<ChannelId> = payment.attempts.iter().map(|a| a.channel.clone()).collect();
        let waited = self.clock().mono().0.saturating_sub(dispatch.started.0);
        let may = ended.placed.another_may
            && ask.pin.is_none()
            && !payment.cancel_requested
            && route.name == payment.route
            && tried.len() <= usize::try_from(route.failover).unwrap_or(usize::MAX)
            && waited < catalog.timing.failover_budget
            && ends_for_sure(catalog, route, payment, attempt, ended.placed.happening);
        if !may {
            return None;
        }
        let taken = router.take(&ask, &tried, self.ports().rng.bits()).ok()?;
        // A reload may have changed the route meanwhile: test money never mixes with real.
        let is_same_money = taken.channel.channel.descriptor().livemode == payment.livemode;
        is_same_money.then_some(taken)
    }
}

/// Whether an attempt counts as ended although its create call may have begun to move money: an order that
/// comes to be after that end, or a payer who types a password meanwhile.
fn may_still_be_paid(catalog: &Catalog, payment: &Payment, id: AttemptId) -> bool {
    use AttemptState as S;
    let Some(attempt) = payment.attempt(id) else { return false };
    let has_ended = matches!(attempt.state, S::Closed | S::Refused | S::NotSent);
    has_ended && site(catalog, payment, attempt).is_some_and(|(_, spec)| !spec.payer_must_act)
}

/// Whether the attempt that just ended can surely take no money that a payer might pay: a
/// definite no, or an unknown that nobody can act on and that the route gives up.
fn ends_for_sure(
    catalog: &Catalog,
    route: &Route,
    payment: &Payment,
    attempt: &Attempt,
    happening: Happening,
) -> bool {
    match happening {
        Happening::AnswerNotSent | Happening::AnswerRefused => true,
        Happening::AnswerUnknown => may_be_given_up(catalog, route, payment, attempt),
        _ => false,
    }
}
