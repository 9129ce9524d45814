//! The pretend bank and money that goes back: what a call does to the books, and who is told.

use std::sync::Arc;

use paymux_core::acceptor::{
    FrontAnswer, FrontApproval, FrontApproved, FrontApproving, FrontRead, FrontRefund, FrontRefundFilter,
    FrontRefundRecord, FrontRefusal,
};
use paymux_core::clock::Mono;
use paymux_core::payments::Approval;

use super::{Engine, key};
use crate::books::refunds::{Refund, RefundEnd, RefundError, RefundState, RefusedRefund};
use crate::books::{Books, OrderKey};
use crate::config::RefundHabit;
use crate::courier::{self, FirstTry};
use crate::dialect::RefundCourse;
use crate::shell::page;

impl Engine {
    /// Sends money of an order back, as the protocol's call asks.
    pub(crate) fn refund(self: &Arc<Self>, read: &FrontRead, refund: &FrontRefund) -> FrontAnswer {
        let order_key = key(read, &refund.order);
        let memo = self.books.lock().order(&order_key).map(|order| order.memo.clone());
        let Some(memo) = memo else { return FrontAnswer::Refused(FrontRefusal::NoSuchOrder) };
        let Some(course) = self.dialect.refund_course(&memo, &read.memo) else {
            return FrontAnswer::Refused(FrontRefusal::MethodUnavailable);
        };
        let is_pre = refund.approval == FrontApproval::Needed;
        let state = if is_pre { RefundState::AwaitsApproval } else { begins(course) };
        let entry = self.entry(read, refund, state, &order_key);
        let refund_key = entry.key.clone();
        if let Err(refused) = self.books.lock().refund(entry, self.refunds_per_order) {
            return FrontAnswer::Refused(refusal(refused));
        }
        self.changed();
        if !is_pre {
            self.set_off(course, &refund_key);
        }
        FrontAnswer::Refund(self.front_refund(&refund_key).map(Box::new))
    }

    fn entry(
        &self,
        read: &FrontRead,
        refund: &FrontRefund,
        state: RefundState,
        order_key: &OrderKey,
    ) -> Refund {
        let account = self.accounts.of(&read.account.key).and_then(|account| account.notify_url.clone());
        let order = self.books.lock().order(order_key).and_then(|order| order.notify_url.clone());
        Refund {
            key: key(read, &refund.number),
            id: self.dice.uuid(),
            order: refund.order.clone(),
            amount: refund.amount,
            reason: refund.reason.clone(),
            state,
            is_told: false,
            was_pre: state == RefundState::AwaitsApproval,
            echo: refund.echo.clone(),
            notify_url: refund.notify_url.clone().or(account).or(order),
            created_at: self.now(),
            ended_at: None,
            visible_from: self.clock.mono().plus(self.scaled(self.pace.rows_late)),
            notices: Vec::new(),
        }
    }

    /// A refund that may move begins to.
    fn set_off(self: &Arc<Self>, course: RefundCourse, refund: &OrderKey) {
        match (course, self.refunds) {
            (RefundCourse::AtOnce, _) => {
                // A new refund can end; who is told of it hears by himself.
                drop(self.end_refund_as(refund, RefundEnd::Done, true));
            }
            (RefundCourse::Page, _) | (RefundCourse::Later, RefundHabit::Waits) => {}
            (RefundCourse::Later, RefundHabit::EndsAfter(delay, end)) => {
                let (engine, refund) = (self.clone(), refund.clone());
                self.spawn(async move {
                    engine.clock.sleep(engine.scaled(delay)).await;
                    if let Err(error) = engine.end_refund(&refund, end) {
                        tracing::debug!(number = refund.number, %error, "a refund had ended before");
                    }
                });
            }
        }
    }

    /// Ends a refund and, where the provider tells of it, sends the webhook.
    pub(crate) fn end_refund(
        self: &Arc<Self>,
        refund: &OrderKey,
        end: RefundEnd,
    ) -> Result<FirstTry, RefundError> {
        let memo = self.order_memo(refund);
        self.end_refund_as(refund, end, self.dialect.shows_refunds_unasked(&memo))
    }

    fn end_refund_as(
        self: &Arc<Self>,
        refund: &OrderKey,
        end: RefundEnd,
        is_told: bool,
    ) -> Result<FirstTry, RefundError> {
        let now = self.now();
        self.books.lock().refunds.end(refund, end, is_told, now)?;
        self.changed();
        let is_announced = end == RefundEnd::Done && self.dialect.announces_refunds(&self.order_memo(refund));
        Ok(if is_announced { courier::dispatch_refund(self, refund.clone()) } else { FirstTry::none() })
    }

    /// What the acceptor remembered of the refund's order.
    fn order_memo(&self, refund: &OrderKey) -> String {
        let books = self.books.lock();
        let order = books.refunds.get(refund).and_then(|refund| books.order(&refund.order_key()));
        order.map(|order| order.memo.clone()).unwrap_or_default()
    }

    /// The wallet is asked: from now on the records show what it says.
    pub(super) fn query_refund(&self, read: &FrontRead, number: &str) -> FrontAnswer {
        let refund = key(read, number);
        self.books.lock().refunds.tell(&refund);
        self.changed();
        FrontAnswer::Refund(self.front_refund(&refund).map(Box::new))
    }

    pub(super) fn list_refunds(&self, read: &FrontRead, filter: &FrontRefundFilter) -> FrontAnswer {
        let keys = self.refund_keys(read, filter);
        let page = keys.iter().skip(filter.skip as usize).take(filter.limit as usize);
        FrontAnswer::Refunds(page.filter_map(|key| self.front_refund(key)).collect())
    }

    pub(super) fn count_refunds(&self, read: &FrontRead, filter: &FrontRefundFilter) -> FrontAnswer {
        FrontAnswer::Count(self.refund_keys(read, filter).len() as u64)
    }

    fn refund_keys(&self, read: &FrontRead, filter: &FrontRefundFilter) -> Vec<OrderKey> {
        let now: Mono = self.clock.mono();
        let books = self.books.lock();
        let has_code = |refund: &Refund, code: &str| {
            books.order(&refund.order_key()).is_some_and(|order| self.dialect.has_code(&order.memo, code))
        };
        let rows = books.refunds.filtered(&read.account.key, filter, has_code, now);
        rows.into_iter().map(|refund| refund.key.clone()).collect()
    }

    /// A person's word on records that wait for it, each by its record id.
    pub(super) fn approve_refunds(self: &Arc<Self>, read: &FrontRead, asked: &FrontApproving) -> FrontAnswer {
        let agree = asked.approval == Approval::Agreed;
        let one = |id: &String| {
            let outcome = self.approve(read, id, agree).map_err(str::to_owned);
            FrontApproved { id: id.clone(), outcome }
        };
        FrontAnswer::Approved(asked.refunds.iter().map(one).collect())
    }

    /// The page that a person must open then, if there is one.
    fn approve(
        self: &Arc<Self>,
        read: &FrontRead,
        id: &str,
        agree: bool,
    ) -> Result<Option<String>, &'static str> {
        let found = self.books.lock().refunds.find(id, Some(&read.account.key)).map(|one| one.key.clone());
        let refund = found.map_err(|_| "no such refund")?;
        let course = self.dialect.refund_course(&self.order_memo(&refund), "refund");
        let course = course.ok_or("the order's channel has no pre-refund")?;
        let now = self.now();
        let agreed = agree.then(|| begins(course));
        if !self.books.lock().refunds.approve(&refund, agreed, now) {
            return Err("the refund does not wait for an approval");
        }
        self.changed();
        if agree {
            self.set_off(course, &refund);
        }
        Ok((agree && course == RefundCourse::Page).then(|| self.refund_url(&refund)))
    }

    /// The page on which a person lets that refund go.
    pub(crate) fn refund_url(&self, refund: &OrderKey) -> String {
        let account = if self.accounts.0.len() > 1 { Some(refund.account.as_str()) } else { None };
        format!("{}{}", self.public_url, page::refund_path(&refund.number, account))
    }

    /// A refund as the acceptor needs it.
    pub(crate) fn front_refund(&self, refund: &OrderKey) -> Option<FrontRefundRecord> {
        let page = self.refund_url(refund);
        let books = self.books.lock();
        let entry = books.refunds.get(refund)?;
        Some(entry.to_front(order_of(&books, entry)?, page))
    }
}

fn order_of(books: &Books, refund: &Refund) -> Option<paymux_core::acceptor::FrontOrder> {
    books.order(&refund.order_key()).map(|order| books.front(order))
}

/// Where a refund stands at first.
const fn begins(course: RefundCourse) -> RefundState {
    match course {
        RefundCourse::Page => RefundState::NeedsAction,
        RefundCourse::AtOnce | RefundCourse::Later => RefundState::Processing,
    }
}

fn refusal(refused: RefusedRefund) -> FrontRefusal {
    match refused {
        RefusedRefund::NumberTaken => FrontRefusal::NumberTaken,
        RefusedRefund::NoOrder => FrontRefusal::NoSuchOrder,
        RefusedRefund::Unpaid => FrontRefusal::OrderUnpaid,
        RefusedRefund::InProgress => FrontRefusal::RefundInProgress,
        RefusedRefund::TooLarge => FrontRefusal::RefundTooLarge,
        RefusedRefund::Full => FrontRefusal::Upstream("the books are full".to_owned()),
    }
}
