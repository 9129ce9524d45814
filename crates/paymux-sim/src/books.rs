//! The pretend bank's books: orders, who paid what, and which webhooks were tried. Refunds are in
//! `refunds`.
//!
//! Plain data and rules; no time of its own, no network. What a protocol calls things is not known
//! here.

pub(crate) mod refunds;

use std::collections::BTreeMap;

use paymux_core::acceptor::{FrontFilter, FrontOrder};
use paymux_core::clock::Mono;
use paymux_core::money::AMOUNT_MAX;
use paymux_core::{Method, Money, Timestamp};
use serde::{Deserialize, Serialize};

use self::refunds::{Refund, Refunds, RefusedRefund};

/// The most orders that the books hold; further creates are refused. They live in memory only.
pub const ORDERS_MAX: usize = 1_000_000;

/// Where an order stands in the books.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    /// Waits for its payer.
    Open,
    /// The money is there.
    Paid,
    /// Revoked; takes no money.
    Closed,
    /// Its time is over; takes no money.
    Expired,
}

/// Whose order: account and number. Two accounts may use one number. The number comes first, since
/// that is what orders are looked up by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct OrderKey {
    pub number: String,
    pub account: String,
}

/// One order as the books keep it.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub key: OrderKey,
    pub id: String,
    pub amount: Money,
    pub method: Method,
    pub memo: String,
    pub subject: String,
    pub echo: serde_json::Value,
    pub notify_url: Option<String>,
    pub return_url: Option<String>,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    /// Queries and lists do not show it before.
    pub visible_from: Mono,
    pub is_closed: bool,
    pub payment: Option<Payment>,
    pub notices: Vec<NoticeTry>,
}

/// The money of an order.
#[derive(Debug, Clone)]
pub(crate) struct Payment {
    pub received: Money,
    pub discount: Money,
    pub trade_no: String,
    pub paid_at: Timestamp,
}

/// One try of a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NoticeTry {
    /// 0 for the first try, then 1, 2, ...
    pub repeat: u32,
    /// When, by the provider's clock.
    pub at: Timestamp,
    /// What was made to go wrong, by its word.
    pub fault: Option<&'static str>,
    /// What came of it.
    pub outcome: NoticeOutcome,
}

/// What came of one try of a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum NoticeOutcome {
    /// The receiver acknowledged: no repeat follows.
    Acknowledged,
    /// The receiver answered something else.
    NotAcknowledged {
        /// The HTTP status.
        status: u16,
    },
    /// No answer came.
    Undelivered {
        /// Why.
        why: String,
    },
    /// It was made to get lost.
    Lost,
}

/// An order as it is shown to whoever looks at the books.
#[derive(Debug, Clone, Serialize)]
pub struct OrderView {
    /// The account's key.
    pub account: String,
    /// The provider's record id.
    pub id: String,
    /// The merchant's number.
    pub number: String,
    /// Where it stands.
    pub state: OrderState,
    /// What was asked, in minor units.
    pub amount: i64,
    /// What came in, in minor units.
    pub received: Option<i64>,
    /// What was taken off, in minor units.
    pub discount: i64,
    /// The currency.
    pub currency: &'static str,
    /// What the payer uses.
    pub method: Method,
    /// What the protocol remembers of it, its own code among that.
    pub memo: String,
    /// What is bought.
    pub subject: String,
    /// The wallet's number, once paid.
    pub trade_no: Option<String>,
    /// When it was made, by the provider's clock.
    pub created_at: Timestamp,
    /// When it was paid, by the provider's clock.
    pub paid_at: Option<Timestamp>,
    /// When it ends unpaid, by the provider's clock; absent: never.
    pub expires_at: Option<Timestamp>,
    /// Where its webhooks go.
    pub notify_url: Option<String>,
    /// Where the payer's browser goes afterwards.
    pub return_url: Option<String>,
    /// What the merchant gets back unchanged.
    pub echo: serde_json::Value,
    /// Every try of its webhook, in order.
    pub notices: Vec<NoticeTry>,
}

impl OrderView {
    /// Whether a webhook of it was acknowledged.
    pub fn is_acknowledged(&self) -> bool {
        self.notices.iter().any(|one| one.outcome == NoticeOutcome::Acknowledged)
    }
}

/// What a payer does. The default pays in full.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pay {
    /// What comes in, in minor units; the order's amount less the discount when absent.
    pub amount: Option<i64>,
    /// What is taken off, in minor units.
    pub discount: i64,
    /// Pays also what is closed or expired: money that should not have come.
    pub force: bool,
}

/// Why a payer could not pay.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PayError {
    /// No order of that number.
    #[error("no order `{0}`")]
    NotFound(String),
    /// Several accounts have an order of that number.
    #[error("several accounts have an order `{0}`: name the account")]
    Ambiguous(String),
    /// The money is there already.
    #[error("the order is paid already")]
    AlreadyPaid,
    /// It was revoked.
    #[error("the order is closed; `force` pays it all the same")]
    Closed,
    /// Its time is over.
    #[error("the order has expired; `force` pays it all the same")]
    Expired,
    /// The sum.
    #[error("amount: write minor units from 1 to {AMOUNT_MAX}; discount: from 0 to the order's amount")]
    Amount,
}

/// Why an order was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OpenError {
    /// The number is in use.
    NumberTaken,
    /// The books hold [`ORDERS_MAX`].
    Full,
}

/// All orders of all accounts.
#[derive(Debug, Default)]
pub(crate) struct Books {
    orders: BTreeMap<OrderKey, Order>,
    ids: BTreeMap<String, OrderKey>,
    pub(crate) refunds: Refunds,
}

impl Books {
    /// Enters a new order. A number is never used twice, not even by an equal order.
    pub(crate) fn open(&mut self, order: Order) -> Result<(), OpenError> {
        if self.orders.contains_key(&order.key) {
            return Err(OpenError::NumberTaken);
        }
        if self.orders.len() >= ORDERS_MAX {
            return Err(OpenError::Full);
        }
        self.ids.insert(order.id.clone(), order.key.clone());
        self.orders.insert(order.key.clone(), order);
        Ok(())
    }

    pub(crate) fn order(&self, key: &OrderKey) -> Option<&Order> {
        self.orders.get(key)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Order> {
        self.orders.values()
    }

    /// The order of that number or record id, of whichever account where none is named.
    pub(crate) fn find(&self, number: &str, account: Option<&str>) -> Result<&Order, PayError> {
        let is_account = |order: &&Order| account.is_none_or(|account| account == order.key.account);
        if let Some(order) = self.ids.get(number).and_then(|key| self.orders.get(key)).filter(is_account) {
            return Ok(order);
        }
        let mut found = self.numbered(number).filter(is_account);
        match (found.next(), found.next()) {
            (Some(order), None) => Ok(order),
            (None, _) => Err(PayError::NotFound(number.to_owned())),
            (Some(_), Some(_)) => Err(PayError::Ambiguous(number.to_owned())),
        }
    }

    /// Takes a payer's money.
    pub(crate) fn pay(
        &mut self,
        key: &OrderKey,
        pay: Pay,
        trade_no: String,
        now: Timestamp,
    ) -> Result<(), PayError> {
        let order = self.orders.get_mut(key).ok_or_else(|| PayError::NotFound(key.number.clone()))?;
        match order.state(now) {
            OrderState::Paid => return Err(PayError::AlreadyPaid),
            OrderState::Closed if !pay.force => return Err(PayError::Closed),
            OrderState::Expired if !pay.force => return Err(PayError::Expired),
            OrderState::Open | OrderState::Closed | OrderState::Expired => {}
        }
        let (received, discount) = order.sums(pay).ok_or(PayError::Amount)?;
        order.payment = Some(Payment { received, discount, trade_no, paid_at: now });
        Ok(())
    }

    /// Lets an order live for ever, until it is paid or revoked.
    pub(crate) fn outlive(&mut self, key: &OrderKey) {
        if let Some(order) = self.orders.get_mut(key) {
            order.expires_at = None;
        }
    }

    /// Revokes an order; what is paid stays so. `None`: no such order.
    pub(crate) fn close(&mut self, key: &OrderKey) -> Option<Closing> {
        let order = self.orders.get_mut(key)?;
        if order.payment.is_some() {
            return Some(Closing::TooLate);
        }
        order.is_closed = true;
        Some(Closing::Done)
    }

    /// Enters a new refund; see [`Refunds::add`].
    pub(crate) fn refund(&mut self, refund: Refund, per_order: usize) -> Result<(), RefusedRefund> {
        let order = self.orders.get(&refund.order_key());
        self.refunds.add(refund, order, per_order)
    }

    /// An order as the acceptor needs it.
    pub(crate) fn front(&self, order: &Order) -> FrontOrder {
        order.to_front(self.refunds.refunded(order))
    }

    pub(crate) fn noted(&mut self, key: &OrderKey, tried: NoticeTry) {
        if let Some(order) = self.orders.get_mut(key) {
            order.notices.push(tried);
        }
    }

    /// What a filter finds, newest first, then by record id; `skip` and `limit` are the caller's.
    ///
    /// Source of the order of rows: BeeCloud reference, reading B14.
    pub(crate) fn filtered<'a>(
        &'a self,
        account: &'a str,
        filter: &FrontFilter,
        has_code: impl Fn(&Order, &str) -> bool,
        now: Mono,
    ) -> Vec<&'a Order> {
        let is_it = |order: &&Order| {
            order.key.account == account
                && order.visible_from <= now
                && filter.id.as_ref().is_none_or(|id| *id == order.id)
                && filter.paid.is_none_or(|paid| paid == order.payment.is_some())
                && filter.refunded.is_none_or(|back| back == (self.refunds.refunded(order).minor() > 0))
                && filter.code.as_ref().is_none_or(|code| has_code(order, code))
                && filter.from.is_none_or(|from| from <= order.created_at)
                && filter.to.is_none_or(|to| order.created_at <= to)
        };
        let mut rows: Vec<_> = match (&filter.number, &filter.id) {
            (Some(number), _) => self.numbered(number).filter(is_it).collect(),
            (None, Some(id)) => {
                self.ids.get(id).and_then(|key| self.orders.get(key)).filter(is_it).into_iter().collect()
            }
            (None, None) => self.all().filter(is_it).collect(),
        };
        rows.sort_by(|a, b| b.created_at.cmp(&a.created_at).then_with(|| a.id.cmp(&b.id)));
        rows
    }

    /// Every account's order of that number.
    fn numbered(&self, number: &str) -> impl Iterator<Item = &Order> {
        let first = OrderKey { number: number.to_owned(), account: String::new() };
        let number = number.to_owned();
        self.orders.range(first..).map(|(_, order)| order).take_while(move |order| order.key.number == number)
    }
}

/// What became of a revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closing {
    /// It takes no money any more.
    Done,
    /// It is paid.
    TooLate,
}

impl Order {
    pub(crate) fn state(&self, now: Timestamp) -> OrderState {
        match (&self.payment, self.is_closed, self.expires_at) {
            (Some(_), _, _) => OrderState::Paid,
            (None, true, _) => OrderState::Closed,
            (None, false, Some(end)) if end <= now => OrderState::Expired,
            (None, false, _) => OrderState::Open,
        }
    }

    /// What comes in and what is taken off; `None` where the payer's figures make no sense.
    fn sums(&self, pay: Pay) -> Option<(Money, Money)> {
        let currency = self.amount.currency();
        let discount = (0..=self.amount.minor()).contains(&pay.discount).then_some(pay.discount)?;
        let received = pay.amount.unwrap_or(self.amount.minor() - discount);
        (1..=AMOUNT_MAX)
            .contains(&received)
            .then(|| (Money::new(received, currency), Money::new(discount, currency)))
    }

    /// As the acceptor needs it.
    pub(crate) fn to_front(&self, refunded: Money) -> FrontOrder {
        FrontOrder {
            id: self.id.clone(),
            number: self.key.number.clone(),
            amount: self.amount,
            received: self.payment.as_ref().map(|payment| payment.received),
            discount: self.discount(),
            refunded,
            method: self.method,
            memo: self.memo.clone(),
            subject: self.subject.clone(),
            trade_no: self.payment.as_ref().map(|payment| payment.trade_no.clone()),
            closed: self.is_closed,
            created_at: self.created_at,
            paid_at: self.payment.as_ref().map(|payment| payment.paid_at),
            echo: self.echo.clone(),
        }
    }

    /// As whoever looks at the books sees it.
    pub(crate) fn view(&self, now: Timestamp) -> OrderView {
        OrderView {
            account: self.key.account.clone(),
            id: self.id.clone(),
            number: self.key.number.clone(),
            state: self.state(now),
            amount: self.amount.minor(),
            received: self.payment.as_ref().map(|payment| payment.received.minor()),
            discount: self.discount().minor(),
            currency: self.amount.currency().code(),
            method: self.method,
            memo: self.memo.clone(),
            subject: self.subject.clone(),
            trade_no: self.payment.as_ref().map(|payment| payment.trade_no.clone()),
            created_at: self.created_at,
            paid_at: self.payment.as_ref().map(|payment| payment.paid_at),
            expires_at: self.expires_at,
            notify_url: self.notify_url.clone(),
            return_url: self.return_url.clone(),
            echo: self.echo.clone(),
            notices: self.notices.clone(),
        }
    }

    fn discount(&self) -> Money {
        self.payment.as_ref().map_or(Money::zero(self.amount.currency()), |payment| payment.discount)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_000_000);
    const LATER: Timestamp = Timestamp::from_ms(2_000_000);

    pub(crate) fn order(account: &str, number: &str) -> Order {
        Order {
            key: OrderKey { account: account.to_owned(), number: number.to_owned() },
            id: format!("id-{account}-{number}"),
            amount: Money::fen(1000),
            method: "wechat.native".parse().unwrap(),
            memo: "bill WX_NATIVE WX".to_owned(),
            subject: "tea".to_owned(),
            echo: serde_json::Value::Null,
            notify_url: None,
            return_url: None,
            created_at: NOW,
            expires_at: Some(LATER),
            visible_from: Mono(Duration::ZERO),
            is_closed: false,
            payment: None,
            notices: Vec::new(),
        }
    }

    fn books(orders: impl IntoIterator<Item = Order>) -> Books {
        let mut books = Books::default();
        for order in orders {
            books.open(order).unwrap();
        }
        books
    }

    fn key(account: &str, number: &str) -> OrderKey {
        OrderKey { account: account.to_owned(), number: number.to_owned() }
    }

    fn pay(books: &mut Books, pay: Pay, now: Timestamp) -> Result<(), PayError> {
        books.pay(&key("a", "N1"), pay, "T1".to_owned(), now)
    }

    #[test]
    fn a_number_is_used_once_in_its_account() {
        let mut books = books([order("a", "N1")]);
        assert_eq!(books.open(order("a", "N1")), Err(OpenError::NumberTaken));
        assert_eq!(books.open(order("b", "N1")), Ok(()));
        assert_eq!(books.find("N1", None).map(|order| &order.id), Err(PayError::Ambiguous("N1".to_owned())));
        assert_eq!(books.find("N1", Some("b")).unwrap().id, "id-b-N1");
        assert_eq!(books.find("id-a-N1", None).unwrap().key, key("a", "N1"));
        assert!(matches!(books.find("N2", None), Err(PayError::NotFound(_))));
    }

    #[test]
    fn money_is_what_the_payer_says() {
        check(Pay::default(), &Ok((1000, 0)));
        check(Pay { discount: 100, ..Pay::default() }, &Ok((900, 100)));
        check(Pay { amount: Some(999), ..Pay::default() }, &Ok((999, 0)));
        check(Pay { amount: Some(1), discount: 1000, force: false }, &Ok((1, 1000)));
        for (amount, discount) in
            [(Some(0), 0), (Some(-1), 0), (None, -1), (None, 1001), (None, 1000), (Some(AMOUNT_MAX + 1), 0)]
        {
            check(Pay { amount, discount, force: false }, &Err(PayError::Amount));
        }

        #[track_caller]
        fn check(how: Pay, want: &Result<(i64, i64), PayError>) {
            let mut books = books([order("a", "N1")]);
            let got = pay(&mut books, how, NOW).map(|()| {
                let view = books.order(&key("a", "N1")).unwrap().view(NOW);
                (view.received.unwrap(), view.discount)
            });
            assert_eq!(got, *want, "{how:?}");
        }
    }

    #[test]
    fn what_has_ended_takes_no_money_unless_forced() {
        let force = Pay { force: true, ..Pay::default() };
        let mut expired = books([order("a", "N1")]);
        assert_eq!(pay(&mut expired, Pay::default(), LATER), Err(PayError::Expired));
        assert_eq!(pay(&mut expired, force, LATER), Ok(()));
        assert_eq!(pay(&mut expired, force, LATER), Err(PayError::AlreadyPaid));

        let mut closed = books([order("a", "N1")]);
        assert_eq!(closed.close(&key("a", "N1")), Some(Closing::Done));
        assert_eq!(closed.order(&key("a", "N1")).unwrap().state(NOW), OrderState::Closed);
        assert_eq!(pay(&mut closed, Pay::default(), NOW), Err(PayError::Closed));
        assert_eq!(pay(&mut closed, force, NOW), Ok(()));
        assert_eq!(closed.close(&key("a", "N1")), Some(Closing::TooLate));
        assert_eq!(closed.close(&key("a", "N2")), None);

        let mut lasting = books([order("a", "N1")]);
        lasting.outlive(&key("a", "N2"));
        lasting.outlive(&key("a", "N1"));
        assert_eq!(lasting.order(&key("a", "N1")).unwrap().state(LATER), OrderState::Open);
        assert_eq!(pay(&mut lasting, Pay::default(), LATER), Ok(()));
    }

    #[test]
    fn filters_are_joined_and_rows_stand_newest_first() {
        let mut second = order("a", "N2");
        second.created_at = LATER;
        let mut hidden = order("a", "N3");
        hidden.visible_from = Mono(Duration::from_secs(3));
        let mut books = books([order("a", "N1"), second, hidden, order("b", "N1")]);
        pay(&mut books, Pay::default(), NOW).unwrap();

        check(&books, &FrontFilter::default(), 0, &["N2", "N1"]);
        check(&books, &FrontFilter::default(), 3, &["N2", "N1", "N3"]);
        check(&books, &FrontFilter { number: Some("N1".into()), ..FrontFilter::default() }, 0, &["N1"]);
        check(&books, &FrontFilter { number: Some("N".into()), ..FrontFilter::default() }, 0, &[]);
        check(&books, &FrontFilter { id: Some("id-b-N1".into()), ..FrontFilter::default() }, 0, &[]);
        check(&books, &FrontFilter { paid: Some(true), ..FrontFilter::default() }, 0, &["N1"]);
        check(&books, &FrontFilter { paid: Some(false), ..FrontFilter::default() }, 0, &["N2"]);
        check(&books, &FrontFilter { from: Some(LATER), ..FrontFilter::default() }, 0, &["N2"]);
        check(&books, &FrontFilter { to: Some(NOW), ..FrontFilter::default() }, 0, &["N1"]);
        check(&books, &FrontFilter { code: Some("ALI".into()), ..FrontFilter::default() }, 0, &[]);

        #[track_caller]
        fn check(books: &Books, filter: &FrontFilter, at: u64, want: &[&str]) {
            let has_code = |order: &Order, code: &str| order.memo.split(' ').any(|word| word == code);
            let rows = books.filtered("a", filter, has_code, Mono(Duration::from_secs(at)));
            let numbers: Vec<_> = rows.iter().map(|order| order.key.number.as_str()).collect();
            assert_eq!(numbers, want, "{filter:?}");
        }
    }
}
