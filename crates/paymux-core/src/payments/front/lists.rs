//! Which orders and refunds a client of a front has, and how many.
//!
//! The ledger finds them by app and time; what only the protocol tells of them is looked at here, row by row, up to
//! a bound.

use crate::acceptor::{FrontAnswer, FrontFilter, FrontRefundFilter, FrontRefundRecord};
use crate::clock::Timestamp;
use crate::error::PaymentError;
use crate::ids::{OrderNo, PaymentId, RefundId, RefundNo};
use crate::payment::request::InvalidField;
use crate::payment::{Payment, Status};
use crate::payments::Payments;
use crate::refund::Refund;
use crate::store::PaymentFilter;

use super::{CLOCKS_APART, Call, order_of, refund_of};

/// How many rows are read at once.
pub(super) const PAGE: u32 = 100;
/// How many rows are looked at for one call.
pub(super) const ROWS_MAX: usize = 10_000;
/// What is said of a list that would need more.
pub(super) const TOO_MANY: &str =
    "more than 10000 records would have to be looked through: ask for a shorter time";

impl Payments {
    pub(super) async fn list_in_front(
        &self,
        call: &Call<'_>,
        filter: &FrontFilter,
    ) -> Result<FrontAnswer, PaymentError> {
        let (skip, limit) = (count(filter.skip), count(filter.limit));
        let rows = self.rows(call, filter, skip.saturating_add(limit)).await?;
        let shown = rows.iter().skip(skip).take(limit);
        Ok(FrontAnswer::Orders(shown.map(|payment| order_of(payment, call.acceptor)).collect()))
    }

    pub(super) async fn count_in_front(
        &self,
        call: &Call<'_>,
        filter: &FrontFilter,
    ) -> Result<FrontAnswer, PaymentError> {
        let rows = self.rows(call, filter, usize::MAX).await?;
        Ok(FrontAnswer::Count(u64::try_from(rows.len()).unwrap_or(u64::MAX)))
    }

    /// Newest first, until there are enough.
    async fn rows(
        &self,
        call: &Call<'_>,
        filter: &FrontFilter,
        enough: usize,
    ) -> Result<Vec<Payment>, PaymentError> {
        if filter.number.is_some() || filter.id.is_some() {
            let one = self.named(call, filter).await?;
            return Ok(one.into_iter().filter(|payment| fits(call, filter, payment)).collect());
        }
        let mut page = PaymentFilter {
            app: call.app.clone(),
            order_no: None,
            status: (filter.paid == Some(true)).then_some(Status::Succeeded),
            from: filter.from,
            to: filter.to.map(just_after),
            after: None,
            limit: PAGE,
        };
        let (mut rows, mut seen) = (Vec::new(), 0);
        loop {
            let read = self.list(&page).await?;
            seen += read.len();
            let Some(last) = read.last().map(|payment| payment.id) else { return Ok(rows) };
            let ours = |payment: &Payment| is_of_front(call, payment) && fits(call, filter, payment);
            rows.extend(read.into_iter().filter(ours));
            if rows.len() >= enough {
                return Ok(rows);
            }
            if seen >= ROWS_MAX {
                return Err(InvalidField::new("from", TOO_MANY).into());
            }
            page.after = Some(last);
        }
    }

    /// The one that number and id both name.
    async fn named(&self, call: &Call<'_>, filter: &FrontFilter) -> Result<Option<Payment>, PaymentError> {
        let payment = match (&filter.id, &filter.number) {
            (Some(id), _) => match id.parse::<PaymentId>() {
                Ok(id) => self.store().payment(id).await?,
                Err(_) => None,
            },
            (None, Some(number)) => self.payment_in_front(call, number).await?,
            (None, None) => None,
        };
        let is_its = |payment: &Payment| {
            filter.number.as_ref().is_none_or(|number| payment.order_no.as_str() == number.as_str())
        };
        Ok(payment.filter(|payment| payment.app == call.app && is_its(payment)))
    }

    pub(super) async fn list_refunds_in_front(
        &self,
        call: &Call<'_>,
        filter: &FrontRefundFilter,
    ) -> Result<FrontAnswer, PaymentError> {
        let (skip, limit) = (count(filter.skip), count(filter.limit));
        let records = self.records(call, filter, skip.saturating_add(limit)).await?;
        Ok(FrontAnswer::Refunds(records.into_iter().skip(skip).take(limit).collect()))
    }

    pub(super) async fn count_refunds_in_front(
        &self,
        call: &Call<'_>,
        filter: &FrontRefundFilter,
    ) -> Result<FrontAnswer, PaymentError> {
        let records = self.records(call, filter, usize::MAX).await?;
        Ok(FrontAnswer::Count(u64::try_from(records.len()).unwrap_or(u64::MAX)))
    }

    /// Newest first, until there are enough.
    async fn records(
        &self,
        call: &Call<'_>,
        filter: &FrontRefundFilter,
        enough: usize,
    ) -> Result<Vec<FrontRefundRecord>, PaymentError> {
        if filter.number.is_some() || filter.id.is_some() {
            let one = self.named_refund(call, filter).await?;
            return self.fitting(call, filter, one.into_iter().collect()).await;
        }
        if filter.order.is_some() {
            return self.records_of_order(call, filter).await;
        }
        let (mut records, mut seen, mut after) = (Vec::new(), 0, None);
        loop {
            let read = self.store().refunds_of_app(&call.app, after, PAGE).await?;
            seen += read.len();
            let Some(last) = read.last() else { return Ok(records) };
            after = Some(last.id);
            let is_over = read.iter().any(|refund| is_long_before(filter, refund));
            let ours = read.into_iter().filter(|refund| is_ours(call, refund)).collect();
            records.extend(self.fitting(call, filter, ours).await?);
            if is_over || records.len() >= enough {
                return Ok(records);
            }
            if seen >= ROWS_MAX {
                return Err(InvalidField::new("from", TOO_MANY).into());
            }
        }
    }

    async fn records_of_order(
        &self,
        call: &Call<'_>,
        filter: &FrontRefundFilter,
    ) -> Result<Vec<FrontRefundRecord>, PaymentError> {
        let Some(Ok(order)) = filter.order.as_ref().map(OrderNo::given) else { return Ok(Vec::new()) };
        let Some(payment) = self.store().payment_by_order(&call.app, &order).await? else {
            return Ok(Vec::new());
        };
        let mut refunds = self.store().refunds_of(payment.id, None, u32::MAX).await?;
        refunds.retain(|refund| refund.refund_no.is_some());
        refunds.reverse();
        self.fitting(call, filter, refunds).await
    }

    async fn named_refund(
        &self,
        call: &Call<'_>,
        filter: &FrontRefundFilter,
    ) -> Result<Option<Refund>, PaymentError> {
        let refund = match (&filter.id, &filter.number) {
            (Some(id), _) => match id.parse::<RefundId>() {
                Ok(id) => self.store().refund(id).await?,
                Err(_) => None,
            },
            (None, Some(number)) => match RefundNo::given(number) {
                Ok(number) => self.store().refund_by_no(&call.app, &number).await?,
                Err(_) => None,
            },
            (None, None) => None,
        };
        let is_its = |refund: &Refund| {
            let number = refund.refund_no.as_ref().map(RefundNo::as_str);
            refund.app == call.app && filter.number.as_deref().is_none_or(|asked| number == Some(asked))
        };
        Ok(refund.filter(is_its))
    }

    /// Those of them that the filter wants, each with its order.
    async fn fitting(
        &self,
        call: &Call<'_>,
        filter: &FrontRefundFilter,
        refunds: Vec<Refund>,
    ) -> Result<Vec<FrontRefundRecord>, PaymentError> {
        let mut records = Vec::new();
        for refund in refunds.into_iter().filter(|refund| is_in_time(filter, refund.created_at)) {
            let payment = self.reload(refund.payment).await?;
            let has_order =
                filter.order.as_ref().is_none_or(|order| payment.order_no.as_str() == order.as_str());
            let has_code = has_code(call, filter.code.as_deref(), &payment);
            if has_order
                && has_code
                && filter.approval.is_none_or(|wanted| wanted == refund.awaits_approval())
            {
                records.push(refund_of(&refund, &payment, call.acceptor));
            }
        }
        Ok(records)
    }
}

pub(super) fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// The first moment that a filter's last does not include.
fn just_after(last: Timestamp) -> Timestamp {
    Timestamp::from_ms(last.ms().saturating_add(1))
}

/// A list shows what was made in its own protocol.
fn is_of_front(call: &Call<'_>, payment: &Payment) -> bool {
    payment.front.as_ref().is_some_and(|note| note.slug == call.acceptor.slug())
}

fn is_ours(call: &Call<'_>, refund: &Refund) -> bool {
    let in_front = refund.front.as_ref().is_some_and(|note| note.slug == call.acceptor.slug());
    in_front && refund.refund_no.is_some()
}

fn fits(call: &Call<'_>, filter: &FrontFilter, payment: &Payment) -> bool {
    let is_paid = payment.status == Status::Succeeded;
    let is_refunded = payment.amount_refunded.minor() > 0;
    let is_in_time = filter.from.is_none_or(|from| payment.created_at >= from)
        && filter.to.is_none_or(|to| payment.created_at <= to);
    is_in_time
        && filter.paid.is_none_or(|wanted| wanted == is_paid)
        && filter.refunded.is_none_or(|wanted| wanted == is_refunded)
        && has_code(call, filter.code.as_deref(), payment)
}

fn has_code(call: &Call<'_>, code: Option<&str>, payment: &Payment) -> bool {
    let memo = payment.front.as_ref().map_or("", |note| note.memo.as_str());
    code.is_none_or(|code| call.acceptor.has_code(memo, code))
}

fn is_in_time(filter: &FrontRefundFilter, at: Timestamp) -> bool {
    filter.from.is_none_or(|from| at >= from) && filter.to.is_none_or(|to| at <= to)
}

/// Whether it is so old that none that comes after it in the list can be in time: an id begins with the time of its
/// making, by one node's clock. That of a refund that nobody asked for is older than the refund.
fn is_long_before(filter: &FrontRefundFilter, refund: &Refund) -> bool {
    let is_before = |from| refund.created_at.plus(CLOCKS_APART) < from;
    refund.refund_no.is_some() && filter.from.is_some_and(is_before)
}
