//! What refunds and payouts have in common: what is learnt of one, how that is written down, and
//! what the caller is told of it.
//!
//! Whoever brings news (the call's own answer, a look of a worker, a callback, an operator) hands them
//! over as [`News`]; the table in [`crate::outflow`] decides.

mod answers;
mod claims;
mod schedule;
mod sweep;

use std::time::Duration;

use crate::catalog::{Catalog, ChannelEntry, Scope, Timing};
use crate::channel::Can;
use crate::clock::{Mono, Timestamp};
use crate::error::PaymentError;
use crate::ids::{AppId, ChannelId};
use crate::outflow::{Cell, Effect, Happening, OutflowState};
use crate::payment::Failure;
use crate::random::below;
use crate::refund::Refund;
use crate::store::{AuditRow, CallbackRow, CallbackVerdict};
use crate::transfer::Transfer;

use super::Payments;

pub(super) use answers::label as answer_label;
pub(super) use schedule::{LOST_PAUSE, next_look};

/// How often somebody who brings news reads again and decides anew when others were faster: many
/// refunds of one payment can end at once, and each changes the payment.
pub(super) const TRIES: u32 = 64;
/// The longest pause before reading again, in milliseconds; a random part of it is waited.
const AGAIN_MS_MAX: u64 = 20;
/// How long a provider's own word that money has moved is offered to a store that does not take it. Long,
/// since nobody else may ever say it.
pub(super) const MOVED_KEPT: Duration = Duration::from_mins(10);
/// How far apart the outcome of a call is offered to a store that does not take it.
pub(super) const OUTCOME_PAUSE: Duration = Duration::from_millis(200);
/// How often a repeat looks whether the first request has got its answer.
pub(super) const REPEAT_LOOK: Duration = Duration::from_millis(50);

/// What is known beside the happening itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct OutflowFacts {
    /// The provider's record id.
    pub(crate) reference: Option<String>,
    /// What a person must open.
    pub(crate) action_url: Option<String>,
    /// How it went wrong, or what waits.
    pub(crate) failure: Option<Failure>,
    /// When whoever sends it now must be gone.
    pub(crate) sender_until: Option<Timestamp>,
}

/// Who brings news.
#[derive(Debug, Clone)]
pub(crate) enum Bearer {
    /// The call's own answer, or a worker that looked.
    Worker,
    /// A callback; it is stored as applied with what it changes.
    Callback(Box<CallbackRow>),
    /// An operator. What was before and after is written into the line when it is stored.
    Operator(Box<AuditRow>),
}

impl Bearer {
    /// Whether a person says so.
    pub(super) fn is_operator(&self) -> bool {
        matches!(self, Self::Operator(_))
    }

    /// The callback that is stored with the change.
    pub(super) fn callback(&self) -> Option<CallbackRow> {
        match self {
            Self::Callback(row) => Some(CallbackRow { verdict: CallbackVerdict::Applied, ..(**row).clone() }),
            Self::Worker | Self::Operator(_) => None,
        }
    }

    /// The audit line that is stored with the change.
    pub(super) fn audit(&self, before: serde_json::Value, after: serde_json::Value) -> Option<AuditRow> {
        match self {
            Self::Operator(row) => Some(AuditRow { before, after, ..(**row).clone() }),
            Self::Worker | Self::Callback(_) => None,
        }
    }
}

/// Something that is learnt of a refund or a payout.
#[derive(Debug, Clone)]
pub(crate) struct News {
    /// For the table.
    pub(crate) happening: Happening,
    /// What goes with it.
    pub(crate) facts: OutflowFacts,
    /// Who says so.
    pub(crate) bearer: Bearer,
}

impl News {
    /// News of a worker, without more.
    pub(crate) fn of(happening: Happening) -> Self {
        Self::with(happening, OutflowFacts::default())
    }

    pub(crate) fn with(happening: Happening, facts: OutflowFacts) -> Self {
        Self { happening, facts, bearer: Bearer::Worker }
    }

    pub(crate) fn borne_by(self, bearer: Bearer) -> Self {
        Self { bearer, ..self }
    }
}

/// What an operator says of a refund or a payout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OperatorWord {
    /// The money has left.
    Done,
    /// It has not left and never will.
    NotDone,
}

impl OperatorWord {
    /// What it comes to where it changed nothing: all is well if it is so already.
    pub(super) fn on<T>(self, state: OutflowState, now: T) -> Result<T, PaymentError> {
        match (self, state) {
            (Self::Done, OutflowState::Succeeded) | (Self::NotDone, OutflowState::Failed) => Ok(now),
            (_, OutflowState::Sending) => Err(PaymentError::InFlight),
            _ => Err(PaymentError::NotResolvable(format!("it is {state}, which that word cannot change"))),
        }
    }

    pub(super) fn news(self, audit: AuditRow) -> News {
        let (happening, failure) = match self {
            Self::Done => (Happening::OperatorDone, None),
            Self::NotDone => {
                let message = "an operator found that it was not done and never will be".to_owned();
                (Happening::OperatorNotDone, Some(failure("not_done", message)))
            }
        };
        News::with(happening, OutflowFacts { failure, ..OutflowFacts::default() })
            .borne_by(Bearer::Operator(Box::new(audit)))
    }
}

/// What became of news.
#[derive(Debug, Clone)]
pub(crate) struct Learnt<T> {
    /// The refund or payout as it is now.
    pub(crate) now: T,
    /// What they did.
    pub(crate) how: How,
}

/// What news did to a refund or a payout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// It moved on, durably.
    Stored,
    /// Nothing: they were known, or do not count in its state.
    Nothing,
    /// Nothing: they contradict what is booked, and a person must look.
    Contradicts,
    /// Nothing: it is done although it counted as failed, and others have taken its room meanwhile.
    NoRoom,
    /// Nothing: a callback with this event key was applied before.
    CallbackKnown,
}

impl<T> Learnt<T> {
    pub(super) fn new(now: T, how: How) -> Self {
        Self { now, how }
    }
}

/// The fields of a refund or a payout that an outcome writes.
pub(super) struct Course<'a> {
    pub(super) state: &'a mut OutflowState,
    pub(super) action_url: &'a mut Option<String>,
    pub(super) failure: &'a mut Option<Failure>,
    pub(super) reference: &'a mut Option<String>,
    pub(super) ended_at: &'a mut Option<Timestamp>,
    pub(super) check_at: &'a mut Option<Timestamp>,
    pub(super) checks: &'a mut i32,
}

impl Course<'_> {
    /// Writes down what a cell of the table says. `look` tells when a worker looks next after so many
    /// looks at what has ended then, if it has.
    pub(super) fn go(
        mut self,
        (next, effect): Cell,
        facts: &OutflowFacts,
        now: Timestamp,
        look: impl FnOnce(i32, Option<Timestamp>) -> Option<Timestamp>,
    ) {
        let is_new_state = *self.state != next;
        *self.checks = if is_new_state { 0 } else { self.checks.saturating_add(1) };
        if is_new_state {
            *self.state = next;
            *self.ended_at = next.is_over().then_some(now);
        }
        // What has ended stays as the merchant was told it; only the looks at it go on.
        if is_new_state || !next.is_over() {
            self.note(is_new_state, facts);
        }
        *self.check_at = match effect {
            Effect::Send => facts.sender_until.or(*self.check_at),
            Effect::Ask | Effect::Act | Effect::Trust => look(*self.checks, *self.ended_at),
            Effect::Book | Effect::Release | Effect::Reclaim | Effect::Rest => None,
            Effect::Ignore | Effect::Contradict => *self.check_at,
        };
    }

    fn note(&mut self, is_new_state: bool, facts: &OutflowFacts) {
        if facts.reference.is_some() {
            self.reference.clone_from(&facts.reference);
        }
        // What waits for a person keeps the person's address and text until a query knows better ones.
        if is_new_state || facts.action_url.is_some() {
            self.action_url.clone_from(&facts.action_url);
        }
        if is_new_state || facts.failure.is_some() {
            self.failure.clone_from(&facts.failure);
        }
    }
}

/// The same fields of each kind of outflow.
macro_rules! with_a_course {
    ($($kind:ty),+) => {$(
        impl $kind {
            pub(super) fn course(&mut self) -> Course<'_> {
                Course {
                    state: &mut self.state,
                    action_url: &mut self.action_url,
                    failure: &mut self.failure,
                    reference: &mut self.reference,
                    ended_at: &mut self.ended_at,
                    check_at: &mut self.check_at,
                    checks: &mut self.checks,
                }
            }
        }
    )+};
}

with_a_course!(Refund, Transfer);

/// A failure in our own words.
pub(super) fn failure(code: &str, message: String) -> Failure {
    Failure { code: code.to_owned(), message, provider_code: None }
}

/// What is learnt when the deadline of a sender is over and it has stored nothing.
pub(super) fn sender_is_gone() -> News {
    let message = "its sender was gone before it had stored an answer".to_owned();
    let facts = OutflowFacts { failure: Some(failure("unknown", message)), ..OutflowFacts::default() };
    News::with(Happening::DispatchOver, facts)
}

/// Refuses an app whose scopes do not list this part of the API.
pub(super) fn check_scope(catalog: &Catalog, app: &AppId, scope: Scope) -> Result<(), PaymentError> {
    let may = catalog.app(app).is_some_and(|app| app.scopes.contains(&scope));
    if may { Ok(()) } else { Err(PaymentError::Forbidden(scope)) }
}

/// The channel, if it is configured, not off, and can do that.
pub(super) fn able<'a>(catalog: &'a Catalog, channel: &ChannelId, can: Can) -> Option<&'a ChannelEntry> {
    let entry = catalog.open_channel(channel)?;
    entry.channel.descriptor().can.has(can).then_some(entry)
}

/// How long one call about money on its way out may take there.
pub(super) fn request_limit(entry: &ChannelEntry, timing: &Timing) -> Duration {
    entry.request.unwrap_or(timing.request)
}

impl Payments {
    /// Offers the outcome of a call to the store until it takes it, or until a worker would count its
    /// sender for lost; that money has left, longer. `None` where the store did not take it: a worker finds
    /// the refund or payout.
    pub(super) async fn keep_outcome<T, F: Future<Output = Result<Learnt<T>, PaymentError>>>(
        &self,
        id: impl std::fmt::Display,
        happening: Happening,
        until: Mono,
        offer: impl Fn() -> F,
    ) -> Option<T> {
        let kept = if happening == Happening::AnswerDone { MOVED_KEPT } else { Duration::ZERO };
        let until = until.max(self.clock().mono().plus(kept));
        loop {
            match offer().await {
                Ok(learnt) => return Some(learnt.now),
                Err(error) if self.clock().mono() < until => {
                    tracing::warn!(%id, %error, "an outcome was not stored; trying again");
                    self.clock().sleep(OUTCOME_PAUSE).await;
                }
                Err(error) => {
                    tracing::error!(%id, ?happening, %error, "an outcome could not be stored; only its provider knows it");
                    return None;
                }
            }
        }
    }

    /// Waits a moment before reading again, so that many who change the same do not meet each time.
    pub(super) async fn step_aside(&self) {
        let ms = below(self.ports().rng.as_ref(), AGAIN_MS_MAX);
        self.clock().sleep(Duration::from_millis(ms)).await;
    }
}
