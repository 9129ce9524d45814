//! Orders that a merchant made at a provider itself, before paymux stood between: taken over under their own numbers.
//!
//! One payment with one attempt is made of each, and the money that came in is booked like any other: all in one
//! transaction, so that taking over twice, or by several at once, is taking over once. Nobody is told: the merchant
//! knows its own history.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use crate::catalog::{Catalog, ChannelEntry};
use crate::channel::{Can, ChannelError, ListedOrder, ListedTerms};
use crate::clock::Timestamp;
use crate::error::PaymentError;
use crate::ids::{AppId, AttemptId, ChannelId, OrderNo, PaymentId, PostingId, ProviderOrderNo, RouteName};
use crate::money::{AMOUNT_MAX, Money};
use crate::payment::request::{EXPIRES_IN_DEFAULT, SUBJECT_CHARS_MAX};
use crate::payment::{Attempt, AttemptState, Capacity, FrontNote, Origin, Payment, Status};
use crate::posting::{Account, Cause, Posting, PostingKind};
use crate::store::{Income, KeptDecision, Opened, Opening};
use crate::words::words;

use super::Payments;
use super::draft::storable;

/// How long a provider may take to list what is asked for, all pages together.
const LIST_LIMIT: Duration = Duration::from_mins(10);
/// What stands where a payment that was made here has a digest of its request: no request is the same.
const FINGERPRINT: &str = "imported";
/// What stands where a payment that was made here has its route.
const ROUTE: &str = "imported";

/// Which orders shall be taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Only those whose money is there.
    Paid,
    /// Those that still wait for their payer too: they are looked at from then on.
    Any,
}

/// What became of an order that should be taken over.
#[derive(Debug, Clone)]
pub enum Adoption {
    /// It is a payment from now on.
    New(Box<Payment>),
    /// It was one already.
    Known(Box<Payment>),
    /// It is not taken over.
    Left(Left),
}

words! {
    /// Why an order is not taken over.
    Left {
        /// No money came in, and only orders whose money is there are wanted.
        Unpaid = "unpaid",
        /// It was closed, or its money has gone back.
        Reverted = "reverted",
        /// A part of its money has gone back or is on its way, and of that the ledger would know nothing.
        Refunded = "refunded",
        /// The record contradicts itself.
        Flawed = "flawed",
        /// The record lacks the amount or the method, or the channel does not offer that.
        Unclear = "unclear",
        /// Its number is none that paymux takes.
        Number = "number",
        /// The app has another payment under that number.
        Taken = "taken",
    }
}

impl Left {
    /// The reason, for a person.
    pub const fn about(self) -> &'static str {
        match self {
            Self::Unpaid => "it is not paid",
            Self::Reverted => "it was closed, or its money has gone back",
            Self::Refunded => "a part of its money has gone back there; see to the rest at the provider",
            Self::Flawed => "the provider's record of it contradicts itself",
            Self::Unclear => {
                "the provider's record does not tell an amount and a method that its channel offers"
            }
            Self::Number => "its number is none of 1 to 64 printable characters",
            Self::Taken => "its number is another payment's",
        }
    }

    /// Whether a person must see to it: money may be there that the ledger does not know.
    pub const fn needs_a_person(self) -> bool {
        !matches!(self, Self::Unpaid | Self::Reverted)
    }
}

/// An order as far as it can be taken over.
struct Found<'a> {
    entry: &'a ChannelEntry,
    number: ProviderOrderNo,
    order_no: OrderNo,
    amount: Money,
    received: Option<Money>,
    terms: &'a ListedTerms,
    created_at: Timestamp,
}

impl Payments {
    /// The provider's own records of orders that were made in that channel's account in `from..to`, whoever made them.
    pub async fn orders_at_provider(
        &self,
        channel: &ChannelId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Result<Vec<ListedOrder>, ChannelError>, PaymentError> {
        let catalog = self.catalog();
        let entry = catalog.channel(channel).ok_or(PaymentError::NotFound("channel"))?;
        if !entry.channel.descriptor().can.has(Can::LIST) {
            let channel = channel.clone();
            return Err(PaymentError::Unsupported { channel, operation: "list orders" });
        }
        let cx = self.cx(self.clock().mono(), LIST_LIMIT);
        Ok(self.guarded(&cx, entry.channel.list(&cx, from, to)).await)
    }

    /// Takes over an order that was made in that channel's account, as a payment of that app.
    ///
    /// # Errors
    /// When there is no such app or channel, or the ledger is away; nothing was stored then, or all of it.
    pub async fn adopt(
        &self,
        app: &AppId,
        channel: &ChannelId,
        order: &ListedOrder,
        wanted: Wanted,
    ) -> Result<Adoption, PaymentError> {
        let catalog = self.catalog();
        let entry = catalog.channel(channel).ok_or(PaymentError::NotFound("channel"))?;
        catalog.app(app).ok_or(PaymentError::NotFound("app"))?;
        // What is known is known, whatever its record says by now.
        if let Some(payment) = self.adopted(channel, &order.number).await? {
            return Ok(Adoption::Known(Box::new(payment)));
        }
        let found = match Found::read(entry, order, wanted) {
            Ok(found) => found,
            Err(why) => return Ok(Adoption::Left(why)),
        };
        let payment = self.payment_of(&catalog, app, &found)?;
        let opening = self.opening_of(&catalog, &found, payment.clone());
        match self.open(opening).await {
            Ok(Opened::New) => {
                tracing::info!(%app, %channel, payment = %payment.id, "an order that was made elsewhere is taken over");
                Ok(Adoption::New(Box::new(payment)))
            }
            Ok(Opened::Exists(stored)) if stored.attempt_by_number(channel, &order.number).is_some() => {
                Ok(Adoption::Known(stored))
            }
            Ok(Opened::Exists(_)) => Ok(Adoption::Left(Left::Taken)),
            Ok(Opened::Full) => Err(PaymentError::Internal("a limit where none was asked for".to_owned())),
            // Another app may have been faster: the ledger takes a channel's number once.
            Err(error) => match self.adopted(channel, &order.number).await? {
                Some(payment) => Ok(Adoption::Known(Box::new(payment))),
                None => Err(error.into()),
            },
        }
    }

    async fn adopted(&self, channel: &ChannelId, number: &str) -> Result<Option<Payment>, PaymentError> {
        // No number of ours has what no text in a database can hold.
        if number.contains('\0') {
            return Ok(None);
        }
        Ok(self.store().payment_by_number(channel, number).await?)
    }

    fn payment_of(&self, catalog: &Catalog, app: &AppId, found: &Found<'_>) -> Result<Payment, PaymentError> {
        let (now, rng) = (self.now(), self.ports().rng.as_ref());
        let zero = Money::zero(found.amount.currency());
        // A list is in the order of ids: history stands where it happened.
        let at = past(found.created_at, now);
        let heir = catalog.fronts.heir(app, &found.entry.id);
        let note = heir.map(|front| FrontNote::new(front.acceptor().slug(), "", &serde_json::Value::Null));
        let expires_at = if found.received.is_some() { at } else { now };
        let expires_at = expires_at.plus(Duration::from_secs(EXPIRES_IN_DEFAULT.into()));
        let no_route = |_| PaymentError::Internal("`imported` is no name of a route".to_owned());
        Ok(Payment {
            id: PaymentId::make(at, rng),
            app: app.clone(),
            order_no: found.order_no.clone(),
            status: if found.received.is_some() { Status::Succeeded } else { Status::Pending },
            amount: found.amount,
            amount_received: found.received.unwrap_or(zero),
            amount_discount: found.discount(),
            amount_refunded: zero,
            method: found.terms.method,
            subject: subject(found),
            livemode: found.entry.channel.descriptor().livemode,
            held: None,
            next_action: None,
            created_at: at,
            expires_at,
            paid_at: found.received.map(|_| found.paid_at(now)),
            failure: None,
            metadata: BTreeMap::new(),
            return_url: None,
            notify_url: None,
            route: RouteName::new(ROUTE).map_err(no_route)?,
            fingerprint: FINGERPRINT.to_owned(),
            version: 1,
            events: 0,
            cancel_requested: false,
            front: note.map(Box::new),
            origin: Origin::Imported,
            attempts: vec![found.attempt(AttemptId::make(at, rng), at, expires_at, now)],
        })
    }

    /// With the money that is there, on the day on which it came.
    fn opening_of(&self, catalog: &Catalog, found: &Found<'_>, payment: Payment) -> Opening {
        let (now, channel) = (self.now(), &found.entry.id);
        let decision = KeptDecision::Told(json!({ "imported": true, "channel": channel, "at": now }));
        let Some(received) = found.received else { return Opening::new(payment, decision, Vec::new()) };
        let paid_at = found.paid_at(now);
        let postings = payment.attempts.iter().map(|attempt| Posting {
            id: PostingId::make(now, self.ports().rng.as_ref()),
            at: now,
            kind: PostingKind::Received,
            debit: Account::Channel(channel.clone()),
            credit: Account::App(payment.app.clone()),
            amount: received,
            cause: Cause::Attempt(payment.id, attempt.id),
        });
        let income = Income {
            channel: channel.clone(),
            day: catalog.day_zone.day(paid_at),
            money: received,
            completed_at: Some(paid_at),
        };
        Opening {
            postings: postings.collect(),
            incomes: vec![income],
            ..Opening::new(payment, decision, Vec::new())
        }
    }
}

impl<'a> Found<'a> {
    fn read(entry: &'a ChannelEntry, order: &'a ListedOrder, wanted: Wanted) -> Result<Self, Left> {
        if order.reverted {
            return Err(Left::Reverted);
        }
        if order.received.is_none() && wanted == Wanted::Paid {
            return Err(Left::Unpaid);
        }
        if order.flaw.is_some() {
            return Err(Left::Flawed);
        }
        let number = ProviderOrderNo::new(&order.number).map_err(|_| Left::Number)?;
        let order_no = OrderNo::given(&order.number).map_err(|_| Left::Number)?;
        let terms = order.terms.as_deref().ok_or(Left::Unclear)?;
        if terms.refunded {
            return Err(Left::Refunded);
        }
        let amount = order.amount.or(order.received).ok_or(Left::Unclear)?;
        let is_amount = |money: Money| (1..=AMOUNT_MAX).contains(&money.minor());
        let offers = entry.channel.descriptor().method(terms.method).is_some();
        if !offers || !is_amount(amount) {
            return Err(Left::Unclear);
        }
        let fits = |money: Money| is_amount(money) && money.currency() == amount.currency();
        if !order.received.is_none_or(fits) {
            return Err(Left::Flawed);
        }
        let (received, created_at) = (order.received, order.created_at);
        Ok(Self { entry, number, order_no, amount, received, terms, created_at })
    }

    /// What the provider took off for the payer: what is missing of the amount of an order that it calls paid.
    fn discount(&self) -> Money {
        let missing = self.received.map_or(0, |received| self.amount.minor() - received.minor());
        Money::new(missing.max(0), self.amount.currency())
    }

    fn paid_at(&self, now: Timestamp) -> Timestamp {
        past(self.terms.paid_at.unwrap_or(self.created_at), now)
    }

    /// The attempt that has made it. One that waits is looked at soon, and then as its kind is.
    fn attempt(&self, id: AttemptId, at: Timestamp, ends_at: Timestamp, now: Timestamp) -> Attempt {
        let memo = &self.terms.memo;
        Attempt {
            id,
            channel: self.entry.id.clone(),
            provider: self.entry.channel.descriptor().provider.to_owned(),
            number: self.number.clone(),
            state: if self.received.is_some() { AttemptState::Paid } else { AttemptState::Open },
            fence: 1,
            memo: if memo.is_empty() { self.entry.channel.memo(self.terms.method) } else { memo.clone() },
            reference: self.terms.reference.clone().map(storable),
            trade_no: self.received.and(self.terms.trade_no.clone()).map(storable),
            received: self.received,
            more: Vec::new(),
            refunding: 0,
            refunded: 0,
            failure: None,
            created_at: at,
            ends_at,
            check_at: self.received.is_none().then_some(now),
            checks: 0,
            closing_until: None,
            contested: 0,
            said_paid_at: None,
            capacity: Capacity::default(),
        }
    }
}

/// The provider's title in one line, or the number where it has none.
fn subject(found: &Found<'_>) -> String {
    let line = found.terms.subject.chars().map(|c| if c.is_control() { ' ' } else { c });
    let line: String = line.take(SUBJECT_CHARS_MAX).collect();
    let line = line.trim();
    if line.is_empty() { found.order_no.to_string() } else { line.to_owned() }
}

/// A provider's moment, unless it cannot be one of history.
fn past(at: Timestamp, now: Timestamp) -> Timestamp {
    if at.ms() > 0 && at <= now { at } else { now }
}
