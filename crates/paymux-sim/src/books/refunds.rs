//! Refunds in the books: what may go back of an order, where each refund stands, and when that shows.
//!
//! Plain data and rules, as the orders.

use std::collections::BTreeMap;

use paymux_core::acceptor::{FrontRefundFilter, FrontRefundRecord, FrontRefundState};
use paymux_core::clock::Mono;
use paymux_core::{Money, Timestamp};
use serde::{Deserialize, Serialize};

use super::{NoticeTry, Order, OrderKey};

/// The most refunds that the books hold; further ones are refused. They live in memory only.
pub const REFUNDS_MAX: usize = 1_000_000;

/// Where a refund stands in the books.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundState {
    /// A record that waits for an approval.
    AwaitsApproval,
    /// Waits for a person who opens its page.
    NeedsAction,
    /// Under way.
    Processing,
    /// The money is back.
    Done,
    /// It is not, and never will be.
    Failed,
}

impl RefundState {
    /// Whether its money has gone back or still may.
    pub(crate) const fn counts(self) -> bool {
        !matches!(self, Self::Failed)
    }

    /// Whether it is over.
    pub(crate) const fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed)
    }
}

/// How a refund ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundEnd {
    /// The money goes back.
    #[default]
    Done,
    /// It does not.
    Failed,
}

impl RefundEnd {
    const fn state(self) -> RefundState {
        match self {
            Self::Done => RefundState::Done,
            Self::Failed => RefundState::Failed,
        }
    }
}

/// One refund as the books keep it.
#[derive(Debug, Clone)]
pub(crate) struct Refund {
    /// Account and the merchant's number of the refund.
    pub key: OrderKey,
    pub id: String,
    /// The order's number, in the same account.
    pub order: String,
    pub amount: Money,
    pub reason: String,
    pub state: RefundState,
    /// Whether the provider's records show its end; some do so only once they are asked for its state.
    pub is_told: bool,
    /// Whether it was made as a record that a person has to approve.
    pub was_pre: bool,
    pub echo: serde_json::Value,
    pub notify_url: Option<String>,
    pub created_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    /// Queries and lists do not show it before.
    pub visible_from: Mono,
    pub notices: Vec<NoticeTry>,
}

/// A refund as it is shown to whoever looks at the books.
#[derive(Debug, Clone, Serialize)]
pub struct RefundView {
    /// The account's key.
    pub account: String,
    /// The provider's record id.
    pub id: String,
    /// The merchant's number of the refund.
    pub number: String,
    /// The merchant's number of the order.
    pub order: String,
    /// Where it stands.
    pub state: RefundState,
    /// How much, in minor units.
    pub amount: i64,
    /// The currency.
    pub currency: &'static str,
    /// Why.
    pub reason: String,
    /// When it was made, by the provider's clock.
    pub created_at: Timestamp,
    /// When it ended, by the provider's clock.
    pub ended_at: Option<Timestamp>,
    /// Where its webhooks go.
    pub notify_url: Option<String>,
    /// What the merchant gets back unchanged.
    pub echo: serde_json::Value,
    /// Every try of its webhook, in order.
    pub notices: Vec<NoticeTry>,
}

/// Why a refund was not done as was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RefundError {
    /// No refund of that number.
    #[error("no refund `{0}`")]
    NotFound(String),
    /// Several accounts have a refund of that number.
    #[error("several accounts have a refund `{0}`: name the account")]
    Ambiguous(String),
    /// It has ended.
    #[error("the refund has ended")]
    Over,
    /// It waits for an approval.
    #[error("the refund waits for an approval, which is a call of the protocol")]
    AwaitsApproval,
}

/// Why the books take no refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefusedRefund {
    /// The number stands for another one.
    NumberTaken,
    /// There is no such order.
    NoOrder,
    /// The order is not paid.
    Unpaid,
    /// One is in progress, and the order allows one.
    InProgress,
    /// More than is left, or more refunds than the order allows.
    TooLarge,
    /// The books hold [`REFUNDS_MAX`].
    Full,
}

/// All refunds of all accounts.
#[derive(Debug, Default)]
pub(crate) struct Refunds {
    all: BTreeMap<OrderKey, Refund>,
    ids: BTreeMap<String, OrderKey>,
    /// The refunds' keys by their order's.
    by_order: BTreeMap<OrderKey, Vec<OrderKey>>,
}

impl Refunds {
    /// Enters a new refund of that order, of which `per_order` may succeed and never more in all than
    /// came in.
    pub(crate) fn add(
        &mut self,
        refund: Refund,
        order: Option<&Order>,
        per_order: usize,
    ) -> Result<(), RefusedRefund> {
        if self.all.contains_key(&refund.key) {
            return Err(RefusedRefund::NumberTaken);
        }
        let payment = order.ok_or(RefusedRefund::NoOrder)?.payment.as_ref().ok_or(RefusedRefund::Unpaid)?;
        self.check_room(&refund, payment.received, per_order)?;
        if self.all.len() >= REFUNDS_MAX {
            return Err(RefusedRefund::Full);
        }
        self.ids.insert(refund.id.clone(), refund.key.clone());
        self.by_order.entry(refund.order_key()).or_default().push(refund.key.clone());
        self.all.insert(refund.key.clone(), refund);
        Ok(())
    }

    fn check_room(&self, refund: &Refund, received: Money, per_order: usize) -> Result<(), RefusedRefund> {
        let others: Vec<_> = self.of_order(&refund.order_key()).filter(|one| one.state.counts()).collect();
        let is_under_way = others.iter().any(|one| !one.state.is_over());
        if others.len() >= per_order {
            return Err(if is_under_way { RefusedRefund::InProgress } else { RefusedRefund::TooLarge });
        }
        let mut sum = refund.amount;
        for other in others {
            sum = sum.checked_add(other.amount).map_err(|_| RefusedRefund::TooLarge)?;
        }
        let fits = sum.checked_sub(received).is_ok_and(|over| over.minor() <= 0);
        if fits { Ok(()) } else { Err(RefusedRefund::TooLarge) }
    }

    pub(crate) fn get(&self, key: &OrderKey) -> Option<&Refund> {
        self.all.get(key)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Refund> {
        self.all.values()
    }

    /// The refunds of an order.
    pub(crate) fn of_order(&self, order: &OrderKey) -> impl Iterator<Item = &Refund> {
        let keys = self.by_order.get(order).into_iter().flatten();
        keys.filter_map(|key| self.all.get(key))
    }

    /// What went back of an order, as far as the provider's records tell.
    pub(crate) fn refunded(&self, order: &Order) -> Money {
        let done = self.of_order(&order.key).filter(|one| one.state == RefundState::Done && one.is_told);
        done.map(|one| one.amount)
            .try_fold(Money::zero(order.amount.currency()), Money::checked_add)
            .unwrap_or(order.amount)
    }

    /// The refund of that number or record id, of whichever account where none is named.
    pub(crate) fn find(&self, number: &str, account: Option<&str>) -> Result<&Refund, RefundError> {
        let is_account = |refund: &&Refund| account.is_none_or(|account| account == refund.key.account);
        if let Some(refund) = self.ids.get(number).and_then(|key| self.all.get(key)).filter(is_account) {
            return Ok(refund);
        }
        let mut found = self.numbered(number).filter(is_account);
        match (found.next(), found.next()) {
            (Some(refund), None) => Ok(refund),
            (None, _) => Err(RefundError::NotFound(number.to_owned())),
            (Some(_), Some(_)) => Err(RefundError::Ambiguous(number.to_owned())),
        }
    }

    /// Ends a refund that is under way or waits for its page.
    pub(crate) fn end(
        &mut self,
        key: &OrderKey,
        end: RefundEnd,
        is_told: bool,
        now: Timestamp,
    ) -> Result<(), RefundError> {
        let refund = self.all.get_mut(key).ok_or_else(|| RefundError::NotFound(key.number.clone()))?;
        match refund.state {
            RefundState::Done | RefundState::Failed => return Err(RefundError::Over),
            RefundState::AwaitsApproval => return Err(RefundError::AwaitsApproval),
            RefundState::NeedsAction | RefundState::Processing => {}
        }
        refund.state = end.state();
        refund.ended_at = Some(now);
        refund.is_told = is_told;
        Ok(())
    }

    /// A person's word on a record that waits for it: from there on it is in `agreed`, or has failed.
    pub(crate) fn approve(&mut self, key: &OrderKey, agreed: Option<RefundState>, now: Timestamp) -> bool {
        let Some(refund) = self.all.get_mut(key) else { return false };
        if refund.state != RefundState::AwaitsApproval {
            return false;
        }
        refund.state = agreed.unwrap_or(RefundState::Failed);
        refund.ended_at = agreed.is_none().then_some(now);
        refund.is_told = true;
        true
    }

    /// The provider has asked the wallet: its records show the end from now on.
    pub(crate) fn tell(&mut self, key: &OrderKey) {
        if let Some(refund) = self.all.get_mut(key) {
            refund.is_told = true;
        }
    }

    pub(crate) fn noted(&mut self, key: &OrderKey, tried: NoticeTry) {
        if let Some(refund) = self.all.get_mut(key) {
            refund.notices.push(tried);
        }
    }

    /// What a filter finds, newest first, then by record id; `skip` and `limit` are the caller's.
    pub(crate) fn filtered<'a>(
        &'a self,
        account: &'a str,
        filter: &FrontRefundFilter,
        has_code: impl Fn(&Refund, &str) -> bool,
        now: Mono,
    ) -> Vec<&'a Refund> {
        let is_it = |refund: &&Refund| {
            refund.key.account == account
                && refund.visible_from <= now
                && filter.id.as_ref().is_none_or(|id| *id == refund.id)
                && filter.number.as_ref().is_none_or(|number| *number == refund.key.number)
                && filter.order.as_ref().is_none_or(|order| *order == refund.order)
                && filter.approval.is_none_or(|pre| pre == refund.was_pre)
                && filter.code.as_ref().is_none_or(|code| has_code(refund, code))
                && filter.from.is_none_or(|from| from <= refund.created_at)
                && filter.to.is_none_or(|to| refund.created_at <= to)
        };
        let mut rows: Vec<_> = match (&filter.number, &filter.order) {
            (Some(number), _) => self.numbered(number).filter(is_it).collect(),
            (None, Some(order)) => {
                let key = OrderKey { number: order.clone(), account: account.to_owned() };
                self.of_order(&key).filter(is_it).collect()
            }
            (None, None) => self.all().filter(is_it).collect(),
        };
        rows.sort_by(|a, b| b.created_at.cmp(&a.created_at).then_with(|| a.id.cmp(&b.id)));
        rows
    }

    /// Every account's refund of that number.
    fn numbered(&self, number: &str) -> impl Iterator<Item = &Refund> {
        let first = OrderKey { number: number.to_owned(), account: String::new() };
        let number = number.to_owned();
        self.all.range(first..).map(|(_, one)| one).take_while(move |one| one.key.number == number)
    }
}

impl Refund {
    pub(crate) fn order_key(&self) -> OrderKey {
        OrderKey { number: self.order.clone(), account: self.key.account.clone() }
    }

    /// As the acceptor needs it: an end that the provider's records do not show is under way.
    pub(crate) fn to_front(
        &self,
        order: paymux_core::acceptor::FrontOrder,
        page: String,
    ) -> FrontRefundRecord {
        let shown = if self.state.is_over() && !self.is_told { RefundState::Processing } else { self.state };
        FrontRefundRecord {
            id: self.id.clone(),
            number: self.key.number.clone(),
            order,
            amount: self.amount,
            state: match shown {
                RefundState::AwaitsApproval => FrontRefundState::AwaitsApproval,
                RefundState::NeedsAction => FrontRefundState::NeedsAction { url: page },
                RefundState::Processing => FrontRefundState::Pending,
                RefundState::Done => FrontRefundState::Done,
                RefundState::Failed => FrontRefundState::Failed,
            },
            created_at: self.created_at,
            ended_at: self.ended_at.filter(|_| self.is_told),
            echo: self.echo.clone(),
        }
    }

    /// As whoever looks at the books sees it.
    pub(crate) fn view(&self) -> RefundView {
        RefundView {
            account: self.key.account.clone(),
            id: self.id.clone(),
            number: self.key.number.clone(),
            order: self.order.clone(),
            state: self.state,
            amount: self.amount.minor(),
            currency: self.amount.currency().code(),
            reason: self.reason.clone(),
            created_at: self.created_at,
            ended_at: self.ended_at,
            notify_url: self.notify_url.clone(),
            echo: self.echo.clone(),
            notices: self.notices.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::books::Payment;
    use crate::books::tests::order;

    const NOW: Timestamp = Timestamp::from_ms(1_000_000);

    fn paid(number: &str) -> Order {
        let received = Money::fen(1000);
        let payment = Payment { received, discount: Money::fen(0), trade_no: "T".to_owned(), paid_at: NOW };
        Order { payment: Some(payment), ..order("a", number) }
    }

    fn refund(number: &str, order: &str, amount: i64) -> Refund {
        Refund {
            key: OrderKey { number: number.to_owned(), account: "a".to_owned() },
            id: format!("id-{number}"),
            order: order.to_owned(),
            amount: Money::fen(amount),
            reason: String::new(),
            state: RefundState::Processing,
            is_told: true,
            was_pre: false,
            echo: serde_json::Value::Null,
            notify_url: None,
            created_at: NOW,
            ended_at: None,
            visible_from: Mono(Duration::ZERO),
            notices: Vec::new(),
        }
    }

    fn key(number: &str) -> OrderKey {
        refund(number, "N1", 1).key
    }

    fn end(refunds: &mut Refunds, number: &str, end: RefundEnd) {
        refunds.end(&key(number), end, true, NOW).unwrap();
    }

    #[test]
    fn never_more_goes_back_than_came_in() {
        let order = paid("N1");
        let mut refunds = Refunds::default();
        let add = |refunds: &mut Refunds, number: &str, amount| {
            refunds.add(refund(number, "N1", amount), Some(&order), 9)
        };
        assert_eq!(add(&mut refunds, "r0", 1001), Err(RefusedRefund::TooLarge));
        assert_eq!(add(&mut refunds, "r1", 600), Ok(()));
        assert_eq!(add(&mut refunds, "r2", 401), Err(RefusedRefund::TooLarge));
        assert_eq!(add(&mut refunds, "r3", 400), Ok(()));
        assert_eq!(add(&mut refunds, "r4", 1), Err(RefusedRefund::TooLarge));
        end(&mut refunds, "r1", RefundEnd::Failed);
        assert_eq!(add(&mut refunds, "r5", 600), Ok(()), "what failed counts no more");
        assert_eq!(add(&mut refunds, "r6", i64::MAX), Err(RefusedRefund::TooLarge));
        assert_eq!(refunds.refunded(&order), Money::fen(0));
        end(&mut refunds, "r3", RefundEnd::Done);
        end(&mut refunds, "r5", RefundEnd::Done);
        assert_eq!(refunds.refunded(&order), Money::fen(1000));
    }

    #[test]
    fn an_order_allows_one_refund_unless_more_are_configured() {
        let order = paid("N1");
        let mut refunds = Refunds::default();
        let add = |refunds: &mut Refunds, number: &str| refunds.add(refund(number, "N1", 1), Some(&order), 1);
        assert_eq!(add(&mut refunds, "r1"), Ok(()));
        assert_eq!(add(&mut refunds, "r2"), Err(RefusedRefund::InProgress));
        end(&mut refunds, "r1", RefundEnd::Failed);
        assert_eq!(add(&mut refunds, "r3"), Ok(()), "after a rejected one another may be asked for");
        end(&mut refunds, "r3", RefundEnd::Done);
        assert_eq!(add(&mut refunds, "r4"), Err(RefusedRefund::TooLarge));
    }

    #[test]
    fn only_paid_orders_are_refunded_and_a_number_is_used_once() {
        let mut refunds = Refunds::default();
        assert_eq!(refunds.add(refund("r1", "N1", 1), None, 1), Err(RefusedRefund::NoOrder));
        let unpaid = order("a", "N1");
        assert_eq!(refunds.add(refund("r1", "N1", 1), Some(&unpaid), 1), Err(RefusedRefund::Unpaid));
        assert_eq!(refunds.add(refund("r1", "N1", 1), Some(&paid("N1")), 1), Ok(()));
        let other = paid("N2");
        assert_eq!(refunds.add(refund("r1", "N2", 1), Some(&other), 1), Err(RefusedRefund::NumberTaken));
        assert_eq!(refunds.find("r1", None).unwrap().order, "N1");
        assert_eq!(refunds.find("id-r1", Some("a")).unwrap().key, key("r1"));
        assert!(matches!(refunds.find("r1", Some("b")), Err(RefundError::NotFound(_))));
    }

    #[test]
    fn what_has_ended_ends_once_and_an_approval_comes_first() {
        let order = paid("N1");
        let mut refunds = Refunds::default();
        let pre = Refund { state: RefundState::AwaitsApproval, ..refund("p", "N1", 1) };
        refunds.add(pre, Some(&order), 9).unwrap();
        assert_eq!(refunds.end(&key("p"), RefundEnd::Done, true, NOW), Err(RefundError::AwaitsApproval));
        assert!(refunds.approve(&key("p"), Some(RefundState::Processing), NOW));
        assert!(!refunds.approve(&key("p"), None, NOW), "only once");
        end(&mut refunds, "p", RefundEnd::Done);
        assert_eq!(refunds.end(&key("p"), RefundEnd::Failed, true, NOW), Err(RefundError::Over));
        let denied = Refund { state: RefundState::AwaitsApproval, ..refund("d", "N1", 1) };
        refunds.add(denied, Some(&order), 9).unwrap();
        assert!(refunds.approve(&key("d"), None, NOW));
        assert_eq!(refunds.get(&key("d")).unwrap().state, RefundState::Failed);
        assert!(!refunds.approve(&key("x"), None, NOW));
    }

    #[test]
    fn an_end_shows_only_once_it_is_told() {
        let order = paid("N1");
        let mut refunds = Refunds::default();
        refunds.add(refund("r1", "N1", 5), Some(&order), 1).unwrap();
        refunds.end(&key("r1"), RefundEnd::Done, false, NOW).unwrap();
        let shown = |refunds: &Refunds| {
            let front = order.to_front(refunds.refunded(&order));
            refunds.get(&key("r1")).unwrap().to_front(front, String::new()).state
        };
        assert_eq!((shown(&refunds), refunds.refunded(&order)), (FrontRefundState::Pending, Money::fen(0)));
        refunds.tell(&key("r1"));
        assert_eq!((shown(&refunds), refunds.refunded(&order)), (FrontRefundState::Done, Money::fen(5)));
    }

    #[test]
    fn filters_are_joined_and_rows_stand_newest_first() {
        let (one, two) = (paid("N1"), paid("N2"));
        let mut refunds = Refunds::default();
        refunds.add(refund("r1", "N1", 1), Some(&one), 9).unwrap();
        let later = Timestamp::from_ms(2_000_000);
        refunds.add(Refund { created_at: later, ..refund("r2", "N1", 1) }, Some(&one), 9).unwrap();
        let hidden = Mono(Duration::from_secs(3));
        refunds.add(Refund { visible_from: hidden, ..refund("r3", "N2", 1) }, Some(&two), 9).unwrap();
        refunds.add(Refund { was_pre: true, ..refund("r4", "N2", 1) }, Some(&two), 9).unwrap();
        let all = FrontRefundFilter::default;
        check(&refunds, &all(), 0, &["r2", "r1", "r4"]);
        check(&refunds, &all(), 3, &["r2", "r1", "r3", "r4"]);
        check(&refunds, &FrontRefundFilter { number: Some("r1".into()), ..all() }, 0, &["r1"]);
        check(&refunds, &FrontRefundFilter { order: Some("N1".into()), ..all() }, 0, &["r2", "r1"]);
        check(&refunds, &FrontRefundFilter { id: Some("id-r4".into()), ..all() }, 0, &["r4"]);
        check(&refunds, &FrontRefundFilter { approval: Some(true), ..all() }, 0, &["r4"]);
        check(&refunds, &FrontRefundFilter { approval: Some(false), ..all() }, 0, &["r2", "r1"]);
        check(&refunds, &FrontRefundFilter { from: Some(later), ..all() }, 0, &["r2"]);
        check(&refunds, &FrontRefundFilter { to: Some(NOW), ..all() }, 0, &["r1", "r4"]);
        check(&refunds, &FrontRefundFilter { code: Some("ALI".into()), ..all() }, 0, &[]);

        #[track_caller]
        fn check(refunds: &Refunds, filter: &FrontRefundFilter, at: u64, want: &[&str]) {
            let rows = refunds.filtered("a", filter, |_, code| code == "WX", Mono(Duration::from_secs(at)));
            let numbers: Vec<_> = rows.iter().map(|one| one.key.number.as_str()).collect();
            assert_eq!(numbers, want, "{filter:?}");
        }
    }
}
