//! A provider that speaks by a plugin's own acceptor, over books of its own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use paymux_core::acceptor::{
    Acceptor, FrontAccount, FrontAccounts, FrontAnswer, FrontCall, FrontFact, FrontFilter, FrontOrder,
    FrontPay, FrontRead, FrontRefund, FrontRefundFilter, FrontRefundRecord, FrontRefundState, FrontRefusal,
};
use paymux_core::provider::Settings;
use paymux_core::{Method, Money, NextAction, Product, Timestamp, Verb, WireRequest, WireResponse};
use serde_json::json;

use super::rig::TRADE_NO;
use super::subject::{Gateway, RefusedCreate, SeenOrder, SeenOutflow};

/// A [`Gateway`] of an acceptor: it opens every order, takes every payer's money once, closes what is unpaid, and
/// sends money back as long as there is some.
pub struct AcceptorSide {
    acceptor: Arc<dyn Acceptor>,
    account: OneAccount,
    refusals: Vec<RefusedCreate>,
    unlisted: WireResponse,
    query_tells_amount: bool,
    books: Mutex<Books>,
}

#[derive(Default)]
struct Books {
    orders: BTreeMap<String, Kept<FrontOrder>>,
    refunds: BTreeMap<String, Kept<FrontRefundRecord>>,
}

/// A record, and how it was asked for.
struct Kept<T> {
    record: T,
    life: Option<Duration>,
    asked: u32,
}

/// The one account of the far side.
struct OneAccount(FrontAccount);

impl FrontAccounts for OneAccount {
    fn find(&self, key: &str, value: &str) -> Option<FrontAccount> {
        let own = self.0.settings.get(key).and_then(serde_json::Value::as_str);
        (own == Some(value)).then(|| self.0.clone())
    }
}

fn account(credentials: Settings) -> FrontAccount {
    FrontAccount { key: "conformance".to_owned(), settings: credentials }
}

/// The notice of a fact, signed with these credentials: what the account's channel gets as a callback.
pub fn notice(
    acceptor: &dyn Acceptor,
    credentials: Settings,
    fact: &FrontFact,
    now: Timestamp,
) -> WireRequest {
    acceptor.notice(&account(credentials), fact, now)
}

/// What a browser brings back from that order, signed with these credentials, where the protocol signs it.
pub fn return_request(
    acceptor: &dyn Acceptor,
    credentials: Settings,
    order: &FrontOrder,
) -> Option<WireRequest> {
    let query = acceptor.return_query(&account(credentials), order)?;
    Some(WireRequest::new(Verb::Get, "/return/conformance").query(query))
}

impl AcceptorSide {
    /// Over empty books, for the account of these credentials; with answers by which the provider refuses a create,
    /// and one whose code no table lists.
    pub fn new(
        acceptor: Arc<dyn Acceptor>,
        credentials: Settings,
        refusals: Vec<RefusedCreate>,
        unlisted: WireResponse,
    ) -> Self {
        let account = OneAccount(account(credentials));
        Self { acceptor, account, refusals, unlisted, query_tells_amount: true, books: Mutex::default() }
    }

    /// The same, of a protocol whose answers to queries do not say how much came in.
    #[must_use]
    pub fn whose_queries_tell_no_amount(self) -> Self {
        Self { query_tells_amount: false, ..self }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn perform(&self, read: &FrontRead, now: Timestamp) -> FrontAnswer {
        let mut books = self.books();
        match &read.call {
            FrontCall::Pay(pay) => books.open(pay, &read.memo, now),
            FrontCall::Query { number } => {
                FrontAnswer::Order(books.orders.get(number).map(|kept| Box::new(kept.record.clone())))
            }
            FrontCall::List(filter) => {
                let rows = self.orders(&books, filter);
                let page = rows.into_iter().skip(filter.skip as usize).take(filter.limit as usize);
                FrontAnswer::Orders(page.collect())
            }
            FrontCall::Count(filter) => FrontAnswer::Count(self.orders(&books, filter).len() as u64),
            FrontCall::Cancel { number } => books.close(number),
            FrontCall::Refund(refund) => books.refund(refund, now),
            FrontCall::QueryRefund { number } => {
                FrontAnswer::Refund(books.refunds.get(number).map(|kept| Box::new(kept.record.clone())))
            }
            FrontCall::ListRefunds(filter) => {
                let rows = self.refunds(&books, filter);
                let page = rows.into_iter().skip(filter.skip as usize).take(filter.limit as usize);
                FrontAnswer::Refunds(page.collect())
            }
            FrontCall::CountRefunds(filter) => FrontAnswer::Count(self.refunds(&books, filter).len() as u64),
            FrontCall::Approve(_)
            | FrontCall::PayOut(_)
            | FrontCall::ListPayouts(_)
            | FrontCall::CountPayouts(_)
            | FrontCall::Native { .. } => FrontAnswer::Refused(FrontRefusal::MethodUnavailable),
        }
    }

    fn orders(&self, books: &Books, filter: &FrontFilter) -> Vec<FrontOrder> {
        let holds = |order: &&FrontOrder| {
            filter.number.as_ref().is_none_or(|number| *number == order.number)
                && filter.id.as_ref().is_none_or(|id| *id == order.id)
                && filter.paid.is_none_or(|paid| paid == order.received.is_some())
                && filter.refunded.is_none_or(|refunded| refunded == (order.refunded.minor() > 0))
                && filter.code.as_ref().is_none_or(|code| self.acceptor.has_code(&order.memo, code))
                && filter.from.is_none_or(|from| from <= order.created_at)
                && filter.to.is_none_or(|to| order.created_at <= to)
        };
        books.orders.values().map(|kept| &kept.record).filter(holds).cloned().collect()
    }

    fn refunds(&self, books: &Books, filter: &FrontRefundFilter) -> Vec<FrontRefundRecord> {
        let holds = |refund: &&FrontRefundRecord| {
            filter.number.as_ref().is_none_or(|number| *number == refund.number)
                && filter.order.as_ref().is_none_or(|order| *order == refund.order.number)
                && filter.id.as_ref().is_none_or(|id| *id == refund.id)
                && filter.approval.is_none_or(|approval| !approval)
                && filter.code.as_ref().is_none_or(|code| self.acceptor.has_code(&refund.order.memo, code))
                && filter.from.is_none_or(|from| from <= refund.created_at)
                && filter.to.is_none_or(|to| refund.created_at <= to)
        };
        books.refunds.values().map(|kept| &kept.record).filter(holds).cloned().collect()
    }
}

impl Books {
    fn open(&mut self, pay: &FrontPay, memo: &str, now: Timestamp) -> FrontAnswer {
        if let Some(known) = self.orders.get_mut(&pay.number) {
            known.asked += 1;
            return FrontAnswer::Refused(FrontRefusal::NumberTaken);
        }
        let nothing = Money::zero(pay.amount.currency());
        let record = FrontOrder {
            id: format!("r-{}", self.orders.len() + 1),
            number: pay.number.clone(),
            amount: pay.amount,
            received: None,
            discount: nothing,
            refunded: nothing,
            method: pay.method,
            memo: memo.to_owned(),
            subject: pay.subject.clone(),
            trade_no: None,
            closed: false,
            created_at: now,
            paid_at: None,
            echo: pay.echo.clone(),
        };
        let id = record.id.clone();
        self.orders.insert(pay.number.clone(), Kept { record, life: pay.expires_in, asked: 1 });
        FrontAnswer::Opened { id, action: action(pay.method) }
    }

    fn close(&mut self, number: &str) -> FrontAnswer {
        let Some(kept) = self.orders.get_mut(number) else { return FrontAnswer::Order(None) };
        kept.record.closed |= kept.record.received.is_none();
        FrontAnswer::Canceled(kept.record.closed)
    }

    fn refund(&mut self, refund: &FrontRefund, now: Timestamp) -> FrontAnswer {
        if let Some(known) = self.refunds.get_mut(&refund.number) {
            known.asked += 1;
            return FrontAnswer::Refused(FrontRefusal::NumberTaken);
        }
        let Some(order) = self.orders.get_mut(&refund.order) else {
            return FrontAnswer::Refused(FrontRefusal::NoSuchOrder);
        };
        let Some(received) = order.record.received else {
            return FrontAnswer::Refused(FrontRefusal::OrderUnpaid);
        };
        let refunded = order.record.refunded.checked_add(refund.amount);
        let Some(refunded) = refunded.ok().filter(|sum| sum.minor() <= received.minor()) else {
            return FrontAnswer::Refused(FrontRefusal::RefundTooLarge);
        };
        order.record.refunded = refunded;
        let record = FrontRefundRecord {
            id: format!("rr-{}", self.refunds.len() + 1),
            number: refund.number.clone(),
            order: order.record.clone(),
            amount: refund.amount,
            state: FrontRefundState::Done,
            created_at: now,
            ended_at: Some(now),
            echo: refund.echo.clone(),
        };
        let told = record.clone();
        self.refunds.insert(refund.number.clone(), Kept { record, life: None, asked: 1 });
        FrontAnswer::Refund(Some(Box::new(told)))
    }
}

/// What a payer must do; nothing of it leads anywhere.
fn action(method: Method) -> Option<NextAction> {
    let url = "https://bank.example/pay/1".to_owned();
    // What a wallet's bridge or SDK wants differs from provider to provider: all of the names that one may ask for.
    let params = json!({"appId": "wx0000000000000000", "app_id": "wx0000000000000000", "partner_id": "1900000109",
        "package": "prepay_id=wx1", "prepay_id": "wx1", "nonceStr": "n1", "nonce_str": "n1", "timeStamp": "1709251200",
        "timestamp": "1709251200", "paySign": "0123", "pay_sign": "0123", "signType": "MD5", "sign_type": "MD5",
        "order_string": "simulated=1", "tn": "1", "trade_no": "1", "prePayId": "1"});
    match method.product {
        Product::Native => Some(NextAction::Qr { qr: url }),
        Product::Web | Product::Wap | Product::Embed | Product::Gateway | Product::Express => {
            Some(NextAction::Redirect { url })
        }
        Product::App => Some(NextAction::App { params }),
        Product::Jsapi | Product::Mini => Some(NextAction::Jsapi { params }),
        Product::Barcode | Product::Card => None,
    }
}

impl Gateway for AcceptorSide {
    fn answer(&self, request: &WireRequest, now: Timestamp) -> WireResponse {
        match self.acceptor.read(&self.account, request, now) {
            Ok(read) => self.acceptor.answer(&read, &self.perform(&read, now), now),
            Err(refused) => refused,
        }
    }

    fn pay(&self, number: &str, now: Timestamp) -> Result<(), String> {
        let mut books = self.books();
        let kept = books.orders.get_mut(number).ok_or("there is no such order")?;
        if kept.record.closed {
            return Err("the order is closed".to_owned());
        }
        if kept.record.received.is_none() {
            kept.record.received = Some(kept.record.amount);
            kept.record.trade_no = Some(TRADE_NO.to_owned());
            kept.record.paid_at = Some(now);
        }
        Ok(())
    }

    fn order(&self, number: &str) -> Option<SeenOrder> {
        let books = self.books();
        let kept = books.orders.get(number)?;
        Some(SeenOrder { amount: kept.record.amount, life: kept.life, asked: kept.asked })
    }

    fn refund(&self, number: &str) -> Option<SeenOutflow> {
        let books = self.books();
        let kept = books.refunds.get(number)?;
        Some(SeenOutflow { amount: kept.record.amount, asked: kept.asked })
    }

    fn query_tells_amount(&self) -> bool {
        self.query_tells_amount
    }

    fn refusals(&self) -> Vec<RefusedCreate> {
        self.refusals.clone()
    }

    fn unlisted(&self) -> WireResponse {
        self.unlisted.clone()
    }
}
