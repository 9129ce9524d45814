//! A payment and its attempts, as the ledger keeps them.
//!
//! How they change is in [`crate::state`]; how they look from outside is in [`crate::view`];
//! how a request becomes one is in [`request`].

pub mod note;
pub mod request;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::day::Day;
use crate::ids::{AppId, AttemptId, ChannelId, OrderNo, PaymentId, ProviderOrderNo, RouteName};
use crate::method::Method;
use crate::money::{Currency, Money};
use crate::words::words;

pub use note::FrontNote;
pub use request::{NewPayment, Payer, PaymentRequest};

words! {
    /// Where a payment stands, as the merchant sees it.
    Status {
        /// Being placed, or its outcome is not known yet.
        Processing = "processing",
        /// Waits for the payer.
        Pending = "pending",
        /// The money is there.
        Succeeded = "succeeded",
        /// Every attempt was definitely refused.
        Failed = "failed",
        /// Closed at the merchant's word.
        Canceled = "canceled",
        /// Its time ran out unpaid.
        Expired = "expired",
    }
}

impl Status {
    /// Whether the payment has ended. Late money can still turn an unpaid end into success.
    pub const fn is_over(self) -> bool {
        !matches!(self, Self::Processing | Self::Pending)
    }
}

words! {
    /// How a payment came here.
    Origin {
        /// It was asked for here.
        Created = "created",
        /// Its order was made at the provider by the merchant itself, and taken over.
        Imported = "imported",
    }
}

words! {
    /// Where one attempt stands.
    AttemptState {
        /// Stored; the call to the provider is about to go out or is under way.
        Sending = "sending",
        /// The order exists and waits for its payer.
        Open = "open",
        /// The order took the money.
        Paid = "paid",
        /// The provider said no before making an order.
        Refused = "refused",
        /// No byte reached the provider.
        NotSent = "not_sent",
        /// An order may exist; only queries follow.
        Unknown = "unknown",
        /// Given up unseen by anyone who could pay it; watched for late money.
        Abandoned = "abandoned",
        /// Over by our clock alone, by absence, or by a word that its own create call contradicts; watched for
        /// late money.
        Lapsed = "lapsed",
        /// Ended without money, by the provider's word.
        Closed = "closed",
        /// Took money although another attempt of the payment had done so already.
        DuplicatePaid = "duplicate_paid",
    }
}

impl AttemptState {
    /// Whether its money is booked as a payment's, the payment's own or a second one for it.
    pub const fn is_booked(self) -> bool {
        matches!(self, Self::Paid | Self::DuplicatePaid)
    }

    /// The states of which a payment has at most one attempt: the database's partial unique
    /// index says the same.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Sending | Self::Open | Self::Unknown | Self::Paid)
    }

    /// Whether money can still arrive although the attempt is no longer live.
    pub const fn is_watched(self) -> bool {
        matches!(self, Self::Abandoned | Self::Lapsed)
    }
}

words! {
    /// Why money that came in does not settle its payment by itself.
    Held {
        /// Less came in than was asked.
        Underpaid = "underpaid",
        /// Another currency came in, or the provider contradicts itself.
        Mismatch = "mismatch",
        /// A second sum came in for one order.
        SecondPayment = "second_payment",
        /// The money came after the payment had ended, and the app wants a person to look at it.
        Late = "late",
        /// The payment has succeeded, and a close of its order may have sent its money back since.
        Reversed = "reversed",
    }
}

/// What the payer must do next.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum NextAction {
    /// Go to an address.
    Redirect {
        /// The address.
        url: String,
    },
    /// Scan a code.
    Qr {
        /// The text to draw as a QR code.
        qr: String,
    },
    /// Load a page that the provider wrote: executable markup, to be served as its own page only.
    Html {
        /// The markup.
        html: String,
    },
    /// Hand these to the wallet's SDK in the merchant's app.
    App {
        /// The parameters, unchanged.
        params: serde_json::Value,
    },
    /// Hand these to the wallet's bridge in its own browser.
    Jsapi {
        /// The parameters, unchanged.
        params: serde_json::Value,
    },
}

impl std::fmt::Debug for NextAction {
    /// Names the kind only: what is inside lets a payer act, and may be signed.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Redirect { .. } => "Redirect(..)",
            Self::Qr { .. } => "Qr(..)",
            Self::Html { .. } => "Html(..)",
            Self::App { .. } => "App(..)",
            Self::Jsapi { .. } => "Jsapi(..)",
        })
    }
}

/// Why a payment or an attempt ended badly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Our word: `refused`, `not_sent`, `unknown` or `reversed`.
    pub code: String,
    /// For a person.
    pub message: String,
    /// The provider's own code, when it gave one.
    pub provider_code: Option<String>,
}

/// A payment with all its attempts.
#[derive(Debug, Clone, PartialEq)]
pub struct Payment {
    /// Ours.
    pub id: PaymentId,
    /// Whose it is.
    pub app: AppId,
    /// The merchant's number.
    pub order_no: OrderNo,
    /// Where it stands.
    pub status: Status,
    /// What was asked.
    pub amount: Money,
    /// What really came in on the attempt that settled it.
    pub amount_received: Money,
    /// What the provider took off for the payer.
    pub amount_discount: Money,
    /// What went back.
    pub amount_refunded: Money,
    /// What the payer uses.
    pub method: Method,
    /// What is bought.
    pub subject: String,
    /// Whether real money moves.
    pub livemode: bool,
    /// Why money that came in waits for a person.
    pub held: Option<Held>,
    /// What the payer must do; never set before it is durable, never shown after the end.
    pub next_action: Option<NextAction>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its time runs out.
    pub expires_at: Timestamp,
    /// When the money was there.
    pub paid_at: Option<Timestamp>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// The merchant's own data.
    pub metadata: BTreeMap<String, String>,
    /// Where the payer's browser goes in the end.
    pub return_url: Option<String>,
    /// Where its notices go instead of the app's own address.
    pub notify_url: Option<String>,
    /// The route that took it.
    pub route: RouteName,
    /// A digest of the request that made it; the same order number with another is refused.
    pub fingerprint: String,
    /// Counts its changes; each change names the version that it saw.
    pub version: i64,
    /// How many events it has had: the `sequence` of the last one.
    pub events: i64,
    /// The merchant asked to cancel it; the end of its attempt will mean canceled, not expired.
    pub cancel_requested: bool,
    /// What is remembered of it where a client of a front asked for it.
    pub front: Option<Box<FrontNote>>,
    /// How it came here.
    pub origin: Origin,
    /// Its attempts in the order of their making.
    pub attempts: Vec<Attempt>,
}

impl Payment {
    /// The attempt that can take money now, if any.
    pub fn live(&self) -> Option<&Attempt> {
        self.attempts.iter().find(|a| a.state.is_live())
    }

    /// The attempt that the payment's provider fields speak of: the paid one, else the live one,
    /// else the last.
    pub fn face(&self) -> Option<&Attempt> {
        let paid = self.attempts.iter().find(|a| a.state == AttemptState::Paid);
        paid.or_else(|| self.live()).or(self.attempts.last())
    }

    /// The attempt with that id.
    pub fn attempt(&self, id: AttemptId) -> Option<&Attempt> {
        self.attempts.iter().find(|a| a.id == id)
    }

    /// The attempt with that number on that channel.
    pub fn attempt_by_number(&self, channel: &ChannelId, number: &str) -> Option<&Attempt> {
        self.attempts.iter().find(|a| a.channel == *channel && a.number.as_str() == number)
    }
}

/// Money that came in for an order that had been paid already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecondSum {
    /// The wallet's or bank's number of it; empty where it came without one.
    pub trade_no: String,
    /// How much, in minor units of `currency`.
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
    /// Whether a person has dealt with it.
    pub settled: bool,
}

impl SecondSum {
    /// That money, waiting for a person.
    pub fn of(trade_no: Option<String>, money: Money) -> Self {
        Self {
            trade_no: trade_no.unwrap_or_default(),
            amount: money.minor(),
            currency: money.currency().code().to_owned(),
            settled: false,
        }
    }

    /// The sum, if its currency is one that paymux knows.
    pub fn money(&self) -> Option<Money> {
        Some(Money::new(self.amount, Currency::from_code(&self.currency)?))
    }
}

/// One try of a payment on one channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// Ours.
    pub id: AttemptId,
    /// The account.
    pub channel: ChannelId,
    /// The provider's slug.
    pub provider: String,
    /// The number of the order there.
    pub number: ProviderOrderNo,
    /// Where it stands.
    pub state: AttemptState,
    /// Rises with every owner: a worker that lost its lease writes with an old one and is refused.
    pub fence: i64,
    /// What the plugin noted before the order went out.
    pub memo: String,
    /// The provider's record id.
    pub reference: Option<String>,
    /// The wallet's or bank's number of the money.
    pub trade_no: Option<String>,
    /// What came in on it.
    pub received: Option<Money>,
    /// What came in on it beside that, under other trade numbers: never part of the payment's success.
    pub more: Vec<SecondSum>,
    /// How much of `received` is set aside for refunds under way, in its minor units. Written by
    /// refunds alone: a change of the payment leaves it as it is.
    pub refunding: i64,
    /// How much of `received` has gone back, in its minor units. Written as `refunding` is.
    pub refunded: i64,
    /// How its last answer read, when it was not plain success.
    pub failure: Option<Failure>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its order ends at the provider, or by our clock where the provider has no end.
    pub ends_at: Timestamp,
    /// When a worker must look at it next; `None` once nothing more can come.
    pub check_at: Option<Timestamp>,
    /// How often a worker has looked.
    pub checks: i32,
    /// Until when a close of its order may still do something at the provider; `None` where none was ever
    /// called, or where a look has shown since that it took nothing back.
    pub closing_until: Option<Timestamp>,
    /// How much of `received` a close may have sent back after it was booked, in its minor units: it waits
    /// for a person.
    pub contested: i64,
    /// When its own create answer, come after its sender's time, said that the money was taken; nobody has
    /// shown that money yet, or see `received`.
    pub said_paid_at: Option<Timestamp>,
    /// What it takes of its channel's limits.
    pub capacity: Capacity,
}

/// What an attempt takes of its channel's limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capacity {
    /// The day whose limits it counts in, by the day zone when it was made; `None` where its channel had none then.
    pub day: Option<Day>,
    /// What is set aside for it of the day's amount, in minor units of the payment's currency, until money came in or
    /// none can any more.
    pub reserved: i64,
    /// Whether it counts as under way.
    pub in_flight: bool,
}

impl Attempt {
    /// Whether its provider has said that money was taken, and nobody has shown it or its end since: neither
    /// time nor absence ends such an attempt, and nobody closes it.
    pub fn is_said_paid(&self) -> bool {
        use AttemptState as S;
        let may_take_money = matches!(self.state, S::Open | S::Unknown | S::Abandoned | S::Lapsed);
        self.said_paid_at.is_some() && self.received.is_none() && may_take_money
    }

    /// Whether it is open although its order was to end before that moment, and nothing came in: whatever was
    /// to end it did not.
    pub fn is_overdue(&self, ended_before: Timestamp) -> bool {
        let is_plain = self.received.is_none() && self.said_paid_at.is_none();
        self.state == AttemptState::Open && is_plain && self.ends_at < ended_before
    }

    /// Whether it counts in the limits of its day: money may still come in on it, or has.
    pub fn counts_in_its_day(&self) -> bool {
        let has_money = self.received.is_some() || !self.more.is_empty();
        self.capacity.day.is_some() && (self.capacity.reserved > 0 || has_money)
    }

    /// What of its money is neither set aside for refunds nor gone back.
    pub fn left(&self) -> Option<Money> {
        let received = self.received?;
        let left = received.minor().checked_sub(self.refunding)?.checked_sub(self.refunded)?;
        Some(Money::new(left, received.currency()))
    }

    /// What of its money can still go back: all that is left, unless it may have gone already.
    pub fn refundable(&self) -> Option<Money> {
        let left = self.left()?;
        Some(Money::new(left.minor().checked_sub(self.contested)?, left.currency()))
    }

    /// Until when a close may still act that was called before its money was booked, and of which no look
    /// has shown yet that it took nothing back.
    pub fn crossing(&self) -> Option<Timestamp> {
        self.closing_until.filter(|_| self.state.is_booked())
    }

    /// Whether a close may have sent its booked money back, or still may. No clock ends that: only a look that
    /// finds the money, or a person.
    pub fn is_in_doubt(&self) -> bool {
        self.contested > 0 || self.crossing().is_some()
    }

    /// Whether that money was booked before, beside what the attempt received. Money that came without a
    /// trade number is told by its currency and its sum alone: no more than was booked so is known.
    pub fn knows_beside(&self, trade_no: Option<&str>, money: Money) -> bool {
        match trade_no {
            Some(no) => self.more.iter().any(|sum| sum.trade_no == no),
            None => self.unnumbered(money.currency()).is_some_and(|booked| booked >= money.minor()),
        }
    }

    /// How much came in beside what the attempt received, in that currency and without a trade number, in
    /// its minor units; `None` where nothing did.
    pub(crate) fn unnumbered(&self, currency: Currency) -> Option<i64> {
        let is_such = |sum: &&SecondSum| sum.trade_no.is_empty() && sum.currency == currency.code();
        self.more.iter().filter(is_such).map(|sum| sum.amount).reduce(i64::saturating_add)
    }

    /// Whether it holds money that is not its payment's success, or may have gone back although it is, and
    /// nothing is being done about it.
    pub fn holds_money(&self) -> bool {
        self.first_held().is_some() || self.more.iter().any(|sum| !sum.settled)
    }

    /// How much that is; of sums in several currencies, those in the first one's.
    pub fn held(&self) -> Option<Money> {
        let beside = self.more.iter().filter(|sum| !sum.settled).filter_map(SecondSum::money);
        let sums = self.first_held().into_iter().chain(beside);
        sums.reduce(|total, sum| total.checked_add(sum).unwrap_or(total))
    }

    /// What is left of the money that came in first; of the payment's success, what is contested.
    fn first_held(&self) -> Option<Money> {
        let left = self.left()?;
        let held = if self.state == AttemptState::Paid { self.contested } else { left.minor() };
        (held > 0).then(|| Money::new(held, left.currency()))
    }

    /// As [`Self::holds_money`], or money that is on its way back and may not arrive.
    pub fn keeps_money(&self) -> bool {
        self.holds_money() || (self.state != AttemptState::Paid && self.refunding > 0)
    }
}
