//! Callbacks in: raw bytes, verified as received, compared with the ledger, stored, and only then
//! acknowledged.

use crate::catalog::{Catalog, ChannelEntry};
use crate::channel::{CallbackError, Can, Claim, ClaimKind, Evidence, Receipt, Verdict};
use crate::crash_point;
use crate::error::PaymentError;
use crate::ids::{AttemptId, CallbackId, ChannelId, PaymentId};
use crate::money::Money;
use crate::payment::{Attempt, AttemptState, Payment, SecondSum};
use crate::payments::{Facts, Payments, TradeNo, can_close, order_ref, site, storable};
use crate::state::{Effect, Happening, Sum};
use crate::store::{Applied, CallbackRow, CallbackVerdict};
use crate::wire::{WireRequest, WireResponse};

/// How often a callback reads again and decides anew when somebody was faster.
const TRIES: u32 = 8;

/// What was made of a verified claim.
pub(crate) struct Outcome {
    pub(crate) verdict: CallbackVerdict,
    pub(crate) payment: Option<PaymentId>,
    pub(crate) detail: Option<String>,
    taken: Taken,
}

impl Outcome {
    /// It changed something, and was stored with the change.
    pub(crate) fn applied(payment: Option<PaymentId>) -> Self {
        let verdict = CallbackVerdict::Applied;
        Self { verdict, payment, detail: None, taken: Taken::of(verdict) }
    }

    /// It changed nothing, and is to be kept with the reason.
    pub(crate) fn kept(
        verdict: CallbackVerdict,
        payment: Option<PaymentId>,
        detail: impl Into<String>,
    ) -> Self {
        Self { verdict, payment, detail: Some(detail.into()), taken: Taken::of(verdict) }
    }

    /// The same, which fits its order all the same: a repeat would tell no more.
    fn that_fits(self) -> Self {
        Self { taken: Taken::As(Verdict::Accepted), ..self }
    }
}

/// How a callback is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    /// In the words for that verdict.
    As(Verdict),
    /// Genuine and kept, and it fits nothing that we know.
    Misfit,
}

impl Taken {
    /// What was made of a verified claim, once it is stored.
    fn of(verdict: CallbackVerdict) -> Self {
        match verdict {
            CallbackVerdict::Orphan | CallbackVerdict::Quarantined => Self::Misfit,
            _ => Self::As(Verdict::Accepted),
        }
    }
}

impl Payments {
    /// Takes one request to a channel's callback address and answers it in the provider's words.
    /// `None` when there is no such channel, or it is off.
    pub async fn take_callback(&self, channel: ChannelId, request: WireRequest) -> Option<WireResponse> {
        let catalog = self.catalog();
        let entry = catalog.open_channel(&channel)?.clone();
        let this = self.clone();
        let work = {
            let entry = entry.clone();
            async move { Ok(this.take_now(&catalog, &entry, request).await) }
        };
        let taken = self.run(work).await.unwrap_or(Taken::As(Verdict::TryAgain));
        metrics::counter!("paymux_callbacks_total", "channel" => channel.to_string(), "verdict" => label(taken))
            .increment(1);
        Some(match taken {
            Taken::As(verdict) => entry.channel.acknowledge(verdict),
            Taken::Misfit => entry.channel.acknowledge_misfit(),
        })
    }

    /// The payment to whose page a payer's browser comes back, where the provider signs the way back. What it
    /// brings is believed for that alone.
    pub async fn find_returned(&self, channel: &ChannelId, request: &WireRequest) -> Option<Payment> {
        let catalog = self.catalog();
        let entry = catalog.open_channel(channel)?;
        let number = entry.channel.verify_return(request).ok()?;
        self.store().payment_by_number(channel, &number).await.ok().flatten()
    }

    async fn take_now(&self, catalog: &Catalog, entry: &ChannelEntry, request: WireRequest) -> Taken {
        let row = self.row(entry, request);
        let taken = match entry.channel.verify_callback(&row.request) {
            Ok(mut claim) => {
                claim.trade_no = claim.trade_no.map(storable);
                // Another sum for the same order, or other money, is another fact: it must not pass for
                // a repeat.
                let trade_no = claim.trade_no.as_deref().filter(|_| claim.trade_no_is_signed);
                let event_key =
                    Some(format!("{} {} {}", claim.event_key, claim.received, trade_no.unwrap_or("-")));
                let row = CallbackRow { event_key, ..row };
                self.take_claim(entry, &claim, row).await
            }
            Err(error) => self.keep_refused(catalog, row, &error).await,
        };
        taken.unwrap_or_else(|error| {
            tracing::error!(channel = %entry.id, %error, "a callback could not be stored; it is not acknowledged");
            Taken::As(Verdict::TryAgain)
        })
    }

    fn row(&self, entry: &ChannelEntry, request: WireRequest) -> CallbackRow {
        let now = self.now();
        CallbackRow {
            id: CallbackId::make(now, self.ports().rng.as_ref()),
            channel: entry.id.clone(),
            received_at: now,
            request,
            verdict: CallbackVerdict::Unreadable,
            event_key: None,
            payment: None,
            detail: None,
            times: 1,
        }
    }

    /// Keeps what is not believed, with the reason. What is genuine all the same is no stranger's: it waits for a
    /// person, and no forgery takes its place.
    async fn keep_refused(
        &self,
        catalog: &Catalog,
        row: CallbackRow,
        error: &CallbackError,
    ) -> Result<Taken, PaymentError> {
        tracing::warn!(channel = %row.channel, %error, "a callback was not believed");
        let rejected = Taken::As(Verdict::Rejected);
        let (verdict, taken, event_key) = match error {
            CallbackError::Unreadable(_) => (CallbackVerdict::Unreadable, rejected, None),
            CallbackError::BadSign(_) => (CallbackVerdict::Forged, rejected, None),
            CallbackError::Odd { event_key, .. } => {
                (CallbackVerdict::Quarantined, Taken::Misfit, Some(event_key.clone()))
            }
        };
        let row = CallbackRow { verdict, event_key, detail: Some(error.to_string()), ..row };
        self.store().keep_callback(row, catalog.callback_ring).await?;
        Ok(taken)
    }

    /// Applies a verified claim, or keeps it with the reason why it changes nothing. Tells how it is answered.
    async fn take_claim(
        &self,
        entry: &ChannelEntry,
        claim: &Claim,
        row: CallbackRow,
    ) -> Result<Taken, PaymentError> {
        for _ in 0..TRIES {
            let found = self.store().payment_by_number(&entry.id, &claim.number).await?;
            let step = match (found, claim.kind) {
                (Some(payment), ClaimKind::Paid) => self.apply_paid(entry, claim, payment, &row).await?,
                (payment, ClaimKind::Paid) => Some(orphan(payment)),
                (payment, ClaimKind::Other) => Some(beside_the_point(payment)),
                _ => self.take_outflow_claim(entry, claim, &row).await?,
            };
            let Some(Outcome { verdict, payment, detail, taken }) = step else { continue };
            if verdict == CallbackVerdict::Applied {
                return Ok(taken);
            }
            let row = CallbackRow { verdict, payment, detail, ..row };
            let ring = self.catalog().callback_ring;
            crash_point!("callback.before_keep" => return Err(PaymentError::Overloaded("crash point".to_owned())));
            self.store().keep_callback(row, ring).await?;
            crash_point!("callback.after_keep" => return Err(PaymentError::Overloaded("crash point".to_owned())));
            return Ok(taken);
        }
        Err(PaymentError::InFlight)
    }

    /// One try to apply a claim of money; `None` when the payment has changed and it is to be read anew.
    async fn apply_paid(
        &self,
        entry: &ChannelEntry,
        claim: &Claim,
        payment: Payment,
        row: &CallbackRow,
    ) -> Result<Option<Outcome>, PaymentError> {
        let id = Some(payment.id);
        let Some(attempt) = payment.attempt_by_number(&entry.id, &claim.number) else {
            return Ok(Some(orphan(Some(payment))));
        };
        if let Err(why) = entry.channel.fits(&row.request, claim, &order_ref(&payment, attempt)) {
            tracing::error!(payment = %payment.id, why, "a verified callback does not fit its order");
            return Ok(Some(Outcome::kept(CallbackVerdict::Quarantined, id, why)));
        }
        let attempt = attempt.id;
        let (happening, facts) = match self.evidence(entry, claim, &payment, attempt).await? {
            Proof::Of(happening, facts) => (happening, *facts),
            Proof::Nothing(verdict, detail) => {
                return Ok(Some(Outcome::kept(verdict, id, detail).that_fits()));
            }
            Proof::Anew => return Ok(None),
        };
        let catalog = self.catalog();
        let mut draft = self.draft(&catalog, &payment);
        match draft.happen(attempt, happening, facts.clone()) {
            Effect::Next => draft.conclude(),
            // What it tells of its money may still be new, such as the number.
            Effect::Ignore if draft.payment() == &payment => {
                return Ok(Some(known(claim, &payment, attempt)));
            }
            _ => {}
        }
        let event_key = key_of(row, claim, happening, &facts);
        draft.caused_by(CallbackRow {
            verdict: CallbackVerdict::Applied,
            payment: id,
            event_key,
            ..row.clone()
        });
        let Some(change) = draft.into_change() else { return Ok(None) };
        crash_point!("callback.before_apply" => return Err(PaymentError::Overloaded("crash point".to_owned())));
        let applied = self.apply(change).await?;
        crash_point!("callback.after_apply" => return Err(PaymentError::Overloaded("crash point".to_owned())));
        Ok(match applied {
            Applied::Done => Some(Outcome::applied(id)),
            Applied::Stale | Applied::Full => None,
            Applied::CallbackKnown => Some(known(claim, &payment, attempt)),
        })
    }

    /// What the claim proves: itself, or what the provider says when it is asked. A provider that
    /// cannot be asked now is to send the callback again: nobody else may come to look.
    async fn evidence(
        &self,
        entry: &ChannelEntry,
        claim: &Claim,
        payment: &Payment,
        attempt: AttemptId,
    ) -> Result<Proof, PaymentError> {
        let Some(attempt) = payment.attempt(attempt) else {
            return Ok(Proof::Nothing(CallbackVerdict::Orphan, "no order of this channel has that number"));
        };
        if claim.evidence == Evidence::AskProvider {
            return self.confirmed(payment, attempt, Claimed::Unsigned).await;
        }
        if may_be_reversed(&self.catalog(), payment, attempt) {
            let proof = self.confirmed(payment, attempt, Claimed::Signed).await?;
            return self.beside_confirmed(claim, payment, attempt, proof).await;
        }
        if names_other_money(claim, attempt) && !claim.trade_no_is_signed {
            return Ok(self.second_sum(entry, claim, payment, attempt).await);
        }
        Ok(settled_by(claim, payment))
    }

    /// What the provider says now. What it has signed and does not show yet, it is to tell again: also where it
    /// shows nothing so late that this would prove absence, since that proof rests on our clocks.
    async fn confirmed(
        &self,
        payment: &Payment,
        attempt: &Attempt,
        claimed: Claimed,
    ) -> Result<Proof, PaymentError> {
        let again = |why: &str| Err(PaymentError::Overloaded(why.to_owned()));
        match self.ask(&self.catalog(), payment, attempt).await {
            Some((Happening::QueryUnknown, _)) | None => again("the provider could not be asked"),
            Some((happening @ Happening::QueryPaid(_), facts)) => Ok(Proof::Of(happening, Box::new(facts))),
            Some((Happening::QueryOpen | Happening::QueryNotFound | Happening::QueryAbsent, _))
                if claimed == Claimed::Signed =>
            {
                again("the provider does not confirm yet what it has signed")
            }
            Some(_) => Ok(Proof::Nothing(CallbackVerdict::Quarantined, claimed.unconfirmed())),
        }
    }

    /// Where the provider shows money of the order under another number than the signed one, the claim's is
    /// more money: what is shown is booked first, and the claim then is a second sum.
    async fn beside_confirmed(
        &self,
        claim: &Claim,
        payment: &Payment,
        attempt: &Attempt,
        proof: Proof,
    ) -> Result<Proof, PaymentError> {
        let Proof::Of(happening, facts) = proof else { return Ok(proof) };
        let shown = trade_no(&facts);
        let signed = claim.trade_no.as_deref().filter(|_| claim.trade_no_is_signed);
        if shown.is_none() || signed.is_none() || shown == signed {
            return Ok(Proof::Of(happening, facts));
        }
        if attempt.trade_no.as_deref() == shown || attempt.knows_beside(shown, claim.received) {
            return Ok(settled_by(claim, payment));
        }
        self.learn(payment.clone(), attempt.id, happening, &facts).await?;
        Ok(Proof::Anew)
    }

    /// A trade number that the sign does not cover differs from the booked one: whoever saw a genuine
    /// callback can write that, so only the provider's own word counts.
    async fn second_sum(
        &self,
        entry: &ChannelEntry,
        claim: &Claim,
        payment: &Payment,
        attempt: &Attempt,
    ) -> Proof {
        let unsure = "names another trade number, unsigned, and the provider could not be asked";
        if !entry.channel.descriptor().can.has(Can::QUERY) {
            return Proof::Nothing(CallbackVerdict::Quarantined, unsure);
        }
        match self.ask(&self.catalog(), payment, attempt).await {
            Some((happening @ Happening::QueryPaid(_), facts)) => told_of(claim, attempt, happening, facts),
            Some((Happening::QueryUnknown, _)) | None => Proof::Nothing(CallbackVerdict::Quarantined, unsure),
            Some(_) => Proof::Nothing(CallbackVerdict::Duplicate, UNCONFIRMED),
        }
    }
}

/// Why a claim under another trade number that is not signed changes nothing.
const UNCONFIRMED: &str =
    "this was known; its other trade number is not signed, and the provider does not confirm it";

/// What a claim under another trade number, unsigned, comes to where the provider tells of money. A sum that
/// is neither the claim's nor booked is more than either knows of: it must not pass for a repeat, and under
/// the claim's number it would be booked twice.
fn told_of(claim: &Claim, attempt: &Attempt, happening: Happening, facts: Facts) -> Proof {
    let told = facts.receipt.as_ref().map(|receipt| receipt.received);
    let is_of_claim = trade_no(&facts) == claim.trade_no.as_deref();
    match told {
        Some(told) if is_of_claim && told == claim.received => Proof::Of(happening, Box::new(facts)),
        Some(told) if !is_of_claim && is_booked(attempt, told) => {
            Proof::Nothing(CallbackVerdict::Duplicate, UNCONFIRMED)
        }
        _ => Proof::Nothing(
            CallbackVerdict::Quarantined,
            "names another trade number, unsigned, and the provider tells another sum than is booked",
        ),
    }
}

/// Whether that is what the attempt received, alone or with all that came in beside it.
fn is_booked(attempt: &Attempt, sum: Money) -> bool {
    let Some(received) = attempt.received else { return false };
    let beside = attempt.more.iter().filter_map(SecondSum::money);
    let mut beside = beside.filter(|money| money.currency() == received.currency());
    let all = beside.try_fold(received, |all, money| all.checked_add(money).ok());
    received == sum || all == Some(sum)
}

/// Whether a close may have been sent that gives the money back: a close is a reversal at some providers, and
/// a callback can be older than that. Where the create itself moves money that is asked about always; where the
/// payer acts first, once a close is noted, which it is before it is called.
fn may_be_reversed(catalog: &Catalog, payment: &Payment, attempt: &Attempt) -> bool {
    use AttemptState as S;
    let may_be_closed = matches!(attempt.state, S::Open | S::Unknown | S::Closed | S::Abandoned | S::Lapsed);
    may_be_closed
        && can_close(catalog, payment, attempt)
        && site(catalog, payment, attempt).is_some_and(|(entry, spec)| {
            let may_be_sent = !spec.payer_must_act || attempt.closing_until.is_some();
            may_be_sent && entry.channel.descriptor().can.has(Can::QUERY)
        })
}

/// What a callback that the provider must confirm is worth by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claimed {
    /// Nothing: anybody may have written it.
    Unsigned,
    /// It was true when it was signed.
    Signed,
}

impl Claimed {
    /// Why it changes nothing where the provider says otherwise.
    fn unconfirmed(self) -> &'static str {
        match self {
            Self::Unsigned => "what it claims is not signed, and the provider does not confirm it",
            Self::Signed => "its money may have gone back since, and the provider does not confirm it",
        }
    }
}

/// What a claim comes to.
enum Proof {
    /// This happened.
    Of(Happening, Box<Facts>),
    /// Nothing happened, with the reason.
    Nothing(CallbackVerdict, &'static str),
    /// Other money was booked meanwhile, beside which it is to be judged.
    Anew,
}

fn settled_by(claim: &Claim, payment: &Payment) -> Proof {
    let receipt = Receipt {
        received: claim.received,
        discount: Money::zero(claim.received.currency()),
        trade_no: claim.trade_no.clone(),
        reference: None,
    };
    // An order of another amount is not ours, whatever came in.
    let is_our_order = claim.order_amount.is_none_or(|amount| amount == payment.amount);
    let sum =
        if is_our_order { Sum::of(payment.amount, claim.received, receipt.discount) } else { Sum::Foreign };
    let trade_no = if claim.trade_no_is_signed { TradeNo::Proven } else { TradeNo::Told };
    let facts = Facts { receipt: Some(receipt), trade_no, ..Facts::default() };
    Proof::Of(Happening::Callback(sum), Box::new(facts))
}

/// Whether the claim names money other than what is booked on the attempt.
fn names_other_money(claim: &Claim, attempt: &Attempt) -> bool {
    let differs = |no: &str| attempt.trade_no.as_deref().is_some_and(|booked| booked != no);
    attempt.received.is_some() && claim.trade_no.as_deref().is_some_and(differs)
}

fn trade_no(facts: &Facts) -> Option<&str> {
    facts.receipt.as_ref()?.trade_no.as_deref()
}

/// What makes a callback the same when it comes again. A second sum that only the provider's word
/// proves has the same signed fields as the first: its trade number tells them apart.
fn key_of(row: &CallbackRow, claim: &Claim, happening: Happening, facts: &Facts) -> Option<String> {
    let key = row.event_key.clone()?;
    let by_asking = matches!(happening, Happening::QueryPaid(_)) && claim.evidence == Evidence::Settles;
    Some(if by_asking { format!("{key} {}", trade_no(facts).unwrap_or_default()) } else { key })
}

/// The order's money is booked already. Another sum than the booked one contradicts it, and a person
/// must look.
fn known(claim: &Claim, payment: &Payment, attempt: AttemptId) -> Outcome {
    let booked = payment.attempt(attempt);
    let is_beside = |a: &Attempt| a.knows_beside(claim.trade_no.as_deref(), claim.received);
    let other_sum = booked.and_then(|a| a.received).is_some_and(|sum| sum != claim.received);
    if other_sum && !booked.is_some_and(is_beside) {
        tracing::error!(payment = %payment.id, attempt = %attempt, "a callback tells another sum than is booked");
        return Outcome::kept(
            CallbackVerdict::Quarantined,
            Some(payment.id),
            "tells another sum than is booked",
        );
    }
    Outcome::kept(CallbackVerdict::Duplicate, Some(payment.id), "this was known")
}

fn orphan(payment: Option<Payment>) -> Outcome {
    tracing::error!("a verified callback for an order that is not ours");
    Outcome::kept(CallbackVerdict::Orphan, payment.map(|p| p.id), "no order of this channel has that number")
}

fn beside_the_point(payment: Option<Payment>) -> Outcome {
    Outcome::kept(CallbackVerdict::Quarantined, payment.map(|p| p.id), "not about money of ours")
}

fn label(taken: Taken) -> &'static str {
    match taken {
        Taken::As(Verdict::Accepted) => "accepted",
        Taken::As(Verdict::Rejected) => "rejected",
        Taken::As(Verdict::TryAgain) => "try_again",
        Taken::Misfit => "misfit",
    }
}
