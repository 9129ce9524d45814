//! Reconciliation: one channel's records of a day, ours against the provider's own.
//!
//! The comparison is in [`compare`]; here is what is fetched for it, and in which order. The ledger is
//! read first and the provider asked then, and whatever differs is read from the ledger once more before
//! it is told: money that came in meanwhile is no difference.

pub mod compare;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::civil::Date;

use crate::catalog::ChannelEntry;
use crate::channel::{Can, ChannelError};
use crate::clock::Timestamp;
use crate::error::PaymentError;
use crate::ids::{ChannelId, PaymentId};
use crate::money::Money;
use crate::payment::{Attempt, Payment};
use crate::payments::Payments;
use crate::refund::{Refund, RefundOrigin};
use crate::store::{StoreError, Window};
use crate::words::words;

use compare::{Here, Pair, There, folded, pairs};
pub use compare::{Kind, Stage};

/// The zone whose days are meant: the providers' own, whose statements are by the day in China.
pub const DAY_ZONE: &str = "Asia/Shanghai";
/// How far a provider's clock and ours may differ over one record: so much more is asked for at both ends.
const MARGIN: Duration = Duration::from_hours(1);
/// How long a provider may take to list one day, all pages together.
const LIST_LIMIT: Duration = Duration::from_mins(10);
/// How many lines of the ledger are read at once.
const PAGE: u32 = 1000;

words! {
    /// Which records are compared.
    Records {
        /// Money that came in.
        Orders = "orders",
        /// Money that went back.
        Refunds = "refunds",
    }
}

/// A day in [`DAY_ZONE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day {
    date: Date,
    /// Its first moment.
    pub from: Timestamp,
    /// The first moment of the next one.
    pub to: Timestamp,
}

/// Text that is no day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write a day as YYYY-MM-DD, like 2026-11-21")]
pub struct NoDay;

impl FromStr for Day {
    type Err = NoDay;

    fn from_str(text: &str) -> Result<Self, NoDay> {
        let looks_right = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        let date: Date = text.parse().ok().filter(|_| looks_right).ok_or(NoDay)?;
        let start = |date: Date| {
            let start = date.in_tz(DAY_ZONE).map_err(|_| NoDay)?;
            Ok(Timestamp::from_ms(start.timestamp().as_millisecond()))
        };
        Ok(Self { date, from: start(date)?, to: start(date.tomorrow().map_err(|_| NoDay)?)? })
    }
}

impl fmt::Display for Day {
    /// As it is written: `2026-11-21`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.date.fmt(f)
    }
}

/// What one channel's comparison came to.
#[derive(Debug, Clone)]
pub struct Report {
    /// The channel.
    pub channel: ChannelId,
    /// Its provider's slug.
    pub provider: &'static str,
    /// Orders, then refunds.
    pub parts: Vec<(Records, Part)>,
}

/// What the comparison of one kind of records came to.
#[derive(Debug, Clone)]
pub enum Part {
    /// It was made.
    Compared(Comparison),
    /// It cannot be made, with the reason.
    NotReconcilable(&'static str),
    /// The provider did not answer as it should; the reason, without secrets.
    Failed(String),
}

/// A comparison that was made.
#[derive(Debug, Clone, Default)]
pub struct Comparison {
    /// How many numbers there are of each kind; kinds without any are absent.
    pub counts: BTreeMap<Kind, u64>,
    /// What has moved, by currency.
    pub moved: BTreeMap<&'static str, Moved>,
    /// Each difference, by number.
    pub differences: Vec<Difference>,
}

/// What has moved in one currency, in minor units, by each side's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moved {
    /// By the ledger's.
    pub here: i64,
    /// By the provider's.
    pub there: i64,
}

/// A number over which the two sides differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// How.
    pub kind: Kind,
    /// The number at the provider.
    pub number: String,
    /// The payment, where the ledger knows the number.
    pub payment: Option<PaymentId>,
    /// What the ledger has.
    pub here: Option<Here>,
    /// What the provider shows.
    pub there: Option<There>,
}

/// How far a comparison is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// So many lines of the ledger have been read.
    Read(u64),
    /// The provider is listing.
    Asking,
    /// So many differences have been looked at again, of so many.
    LookedAgain(u64, u64),
}

/// Hears how far it is.
pub type Listener<'a> = &'a (dyn Fn(Records, Step) + Send + Sync);

/// One part of a comparison under way.
struct Work<'a> {
    entry: &'a ChannelEntry,
    records: Records,
    day: Day,
    listener: Listener<'a>,
}

impl Payments {
    /// Compares what was made on one channel in `day` with its provider's own records. Reads only.
    ///
    /// A number belongs to the day where either side's record of it was made in it.
    pub async fn reconcile(
        &self,
        channel: &ChannelId,
        day: Day,
        listener: Listener<'_>,
    ) -> Result<Report, PaymentError> {
        let catalog = self.catalog();
        let entry = catalog.channel(channel).ok_or(PaymentError::NotFound("channel"))?;
        let mut parts = Vec::new();
        for records in Records::ALL.iter().copied() {
            let work = Work { entry, records, day, listener };
            parts.push((records, self.compared(&work).await?));
        }
        Ok(Report { channel: channel.clone(), provider: entry.channel.descriptor().provider, parts })
    }

    async fn compared(&self, work: &Work<'_>) -> Result<Part, PaymentError> {
        if let Some(reason) = work.cannot() {
            return Ok(Part::NotReconcilable(reason));
        }
        let here = self.ledger_lines(work).await?;
        (work.listener)(work.records, Step::Asking);
        let there = match self.provider_lines(work).await {
            Ok(listed) => folded(listed),
            Err(error) => return Ok(Part::Failed(error.to_string())),
        };
        Ok(Part::Compared(self.judged(work, &here, &there).await?))
    }

    /// What the ledger has of the day, by number.
    async fn ledger_lines(&self, work: &Work<'_>) -> Result<Vec<Here>, StoreError> {
        let mut lines: Vec<Here> = Vec::new();
        loop {
            let window = Window {
                channel: work.entry.id.clone(),
                from: work.day.from,
                to: work.day.to,
                after: lines.last().map(|line| line.number.clone()),
                limit: PAGE,
            };
            let page: Vec<Here> = match work.records {
                Records::Orders => converted(self.store().order_lines(&window).await?),
                Records::Refunds => converted(self.store().refund_lines(&window).await?),
            };
            let is_last = page.len() < PAGE as usize;
            lines.extend(page);
            (work.listener)(work.records, Step::Read(lines.len() as u64));
            if is_last {
                return Ok(lines);
            }
        }
    }

    /// What the provider lists of the day, and of a while around it.
    async fn provider_lines(&self, work: &Work<'_>) -> Result<Vec<There>, ChannelError> {
        let cx = self.cx(self.clock().mono(), LIST_LIMIT);
        let (from, to) = (work.day.from.minus(MARGIN), work.day.to.plus(MARGIN));
        let channel = &work.entry.channel;
        match work.records {
            Records::Orders => self.guarded(&cx, channel.list(&cx, from, to)).await.map(converted),
            Records::Refunds => self.guarded(&cx, channel.list_refunds(&cx, from, to)).await.map(converted),
        }
    }

    async fn judged(
        &self,
        work: &Work<'_>,
        here: &[Here],
        there: &[There],
    ) -> Result<Comparison, PaymentError> {
        let mut comparison = Comparison::default();
        let all = pairs(here, there);
        // What the provider made on another day, and the ledger too, is another day's.
        let of_day =
            all.into_iter().filter(|pair| !matches!(pair, Pair::There(t) if !work.day.has(t.created_at)));
        let (agreed, doubtful): (Vec<_>, Vec<_>) = of_day.partition(|pair| !pair.judge().is_difference());
        for pair in agreed {
            comparison.add(pair);
        }
        for (done, pair) in (1..).zip(&doubtful) {
            self.look_again(work, *pair, &mut comparison).await?;
            (work.listener)(work.records, Step::LookedAgain(done, doubtful.len() as u64));
        }
        Ok(comparison)
    }

    /// Judges a number with what the ledger has of it now, whatever the day.
    async fn look_again(
        &self,
        work: &Work<'_>,
        pair: Pair<'_>,
        comparison: &mut Comparison,
    ) -> Result<(), PaymentError> {
        let (known, there) = match pair {
            Pair::Both(here, there) => (Some(here.clone()), Some(there)),
            Pair::Here(here) => (Some(here.clone()), None),
            Pair::There(there) => (None, Some(there)),
        };
        let number = known.as_ref().map(|here| &here.number).or(there.map(|there| &there.number));
        let fresh = match number {
            // A provider's list may hold what no text in a database does, and no number of ours.
            Some(number) if !number.contains('\0') => self.ledger_line(work, number).await?,
            _ => None,
        };
        match (fresh.or(known), there) {
            (Some(here), Some(there)) => comparison.add(Pair::Both(&here, there)),
            (Some(here), None) => comparison.add(Pair::Here(&here)),
            (None, Some(there)) => comparison.add(Pair::There(there)),
            (None, None) => {}
        }
        Ok(())
    }

    async fn ledger_line(&self, work: &Work<'_>, number: &str) -> Result<Option<Here>, StoreError> {
        let channel = &work.entry.id;
        if work.records == Records::Refunds {
            let refund = self.store().refund_by_number(channel, number).await?;
            return Ok(refund.as_ref().map(Here::of_refund));
        }
        let payment = self.store().payment_by_number(channel, number).await?;
        let attempt = payment.as_ref().and_then(|payment| payment.attempt_by_number(channel, number));
        let (Some(payment), Some(attempt)) = (&payment, attempt) else { return Ok(None) };
        let was_reversed = self.was_reversed(payment, attempt).await?;
        Ok(Some(Here::of_attempt(payment, attempt, was_reversed)))
    }

    /// Whether a person has found that a close had sent the attempt's money back.
    async fn was_reversed(&self, payment: &Payment, attempt: &Attempt) -> Result<bool, StoreError> {
        if attempt.received.is_none_or(|received| received.minor() != attempt.refunded) {
            return Ok(false);
        }
        let is_of_it =
            |refund: &Refund| refund.attempt == attempt.id && refund.origin == RefundOrigin::Reversal;
        let mut after = None;
        loop {
            let page = self.store().refunds_of(payment.id, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(false) };
            if page.iter().any(is_of_it) {
                return Ok(true);
            }
            after = Some(last.id);
        }
    }
}

fn converted<T, U: From<T>>(list: Vec<T>) -> Vec<U> {
    list.into_iter().map(U::from).collect()
}

impl Day {
    fn has(self, at: Timestamp) -> bool {
        self.from <= at && at < self.to
    }
}

impl Work<'_> {
    /// Why it cannot be compared.
    fn cannot(&self) -> Option<&'static str> {
        let can = self.entry.channel.descriptor().can;
        match self.records {
            Records::Orders if !can.has(Can::LIST) => Some("its provider has no list of orders"),
            Records::Refunds if !can.has(Can::REFUND) => Some("its provider has no refunds"),
            Records::Refunds if !can.has(Can::LIST_REFUNDS) => Some("its provider has no list of refunds"),
            _ => None,
        }
    }
}

impl Comparison {
    fn add(&mut self, pair: Pair<'_>) {
        let kind = pair.judge();
        *self.counts.entry(kind).or_default() += 1;
        let (here, there) = match pair {
            Pair::Both(here, there) => (Some(here), Some(there)),
            Pair::Here(here) => (Some(here), None),
            Pair::There(there) => (None, Some(there)),
        };
        self.total(here.and_then(|here| here.moved), |moved| &mut moved.here);
        self.total(there.and_then(|there| there.moved), |moved| &mut moved.there);
        if kind.is_difference() {
            self.differences.push(Difference {
                kind,
                number: here
                    .map(|here| &here.number)
                    .or(there.map(|there| &there.number))
                    .cloned()
                    .unwrap_or_default(),
                payment: here.map(|here| here.payment),
                here: here.cloned(),
                there: there.cloned(),
            });
        }
    }

    fn total(&mut self, money: Option<Money>, side: impl Fn(&mut Moved) -> &mut i64) {
        let Some(money) = money else { return };
        let sum = side(self.moved.entry(money.currency().code()).or_default());
        *sum = sum.saturating_add(money.minor());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_a_day_in_china() {
        let day: Day = "2026-11-21".parse().unwrap();
        assert_eq!(day.from.to_string(), "2026-11-20T16:00:00.000Z");
        assert_eq!(day.to.to_string(), "2026-11-21T16:00:00.000Z");
        assert_eq!(day.to_string(), "2026-11-21");
        assert!(day.has(day.from) && !day.has(day.to));
        for bad in ["", "2026-11-31", "2026-1-1", "20261121", "2026-11-21T00:00", "today", "+02026-11-2"] {
            assert_eq!(bad.parse::<Day>(), Err(NoDay), "{bad}");
        }
    }
}
