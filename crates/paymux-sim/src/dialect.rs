//! What differs from provider to provider: everything that the engine must be told about one.
//!
//! The wire itself is the plugin's acceptor. Here is only what a pretend bank needs beyond it.

use std::sync::Arc;
use std::time::Duration;

use paymux_core::acceptor::{Acceptor, FrontPay, FrontRead, FrontRefusal};
use paymux_core::provider::Settings;
use paymux_core::{Money, NextAction, Timestamp, WireRequest};

use crate::dice::Dice;

/// One provider, as its simulator sees it.
pub(crate) trait Dialect: Send + Sync + 'static {
    /// The server side of its protocol.
    fn acceptor(&self) -> Arc<dyn Acceptor>;

    /// What a channel's `base_url` has behind the host, where its calls do not say the whole path.
    fn base_path(&self) -> &'static str {
        ""
    }

    /// What the provider refuses although the protocol could carry it, such as a number of a form
    /// that it does not take.
    fn refuses(&self, pay: &FrontPay) -> Option<FrontRefusal>;

    /// What the payer must do; everything that can be opened leads to `pay_url`. `memo` is the
    /// acceptor's.
    fn action(&self, pay: &FrontPay, memo: &str, pay_url: &str, dice: &Dice) -> Option<NextAction>;

    /// Whether an order with that memo is one of `code`, a create code or a group of them.
    fn has_code(&self, memo: &str, code: &str) -> bool;

    /// Whether the provider ends such an order by such a call, then.
    fn closes(&self, ending: Ending<'_>) -> bool;

    /// Whether an order whose time is over is told as one that was ended.
    fn tells_expired_as_closed(&self) -> bool {
        false
    }

    /// How a refund of an order with that memo goes when the call with that memo asks for it; `None`:
    /// that call does not take the order.
    fn refund_course(&self, order_memo: &str, call_memo: &str) -> Option<RefundCourse>;

    /// Whether the provider's records show the end of a refund before it is asked for its state.
    fn shows_refunds_unasked(&self, order_memo: &str) -> bool;

    /// Whether a webhook tells of a refund that is done.
    fn announces_refunds(&self, order_memo: &str) -> bool;

    /// The number of a payment at the wallet.
    fn trade_no(&self, dice: &Dice) -> String;

    /// The same account with the secrets that sign webhooks replaced by made-up ones.
    fn retired(&self, settings: &Settings) -> Settings;

    /// Somebody else's account.
    fn stranger(&self, settings: &Settings) -> Settings;

    /// The same webhook with a wrong sign.
    fn forged(&self, notice: WireRequest) -> WireRequest;

    /// Reads a create with code of its own, sign included, without the acceptor: one misreading
    /// must not hide on both sides.
    ///
    /// # Errors
    /// What it finds wrong.
    fn witness(&self, request: &WireRequest, read: &FrontRead) -> Result<Seen, String>;

    /// The same for a refund.
    ///
    /// # Errors
    /// What it finds wrong.
    fn witness_refund(&self, request: &WireRequest, read: &FrontRead) -> Result<SeenRefund, String>;
}

/// An order that is to be ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ending<'a> {
    /// The order's memo.
    pub order: &'a str,
    /// The call's.
    pub call: &'a str,
    /// How old the order is.
    pub age: Duration,
    /// The provider's clock.
    pub now: Timestamp,
}

/// How a refund goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefundCourse {
    /// It is done by its call.
    AtOnce,
    /// A person has to open a page.
    Page,
    /// It takes its time.
    Later,
}

/// What the bank itself sees in a create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub number: String,
    pub amount: Money,
    pub notify_url: Option<String>,
}

/// What the bank itself sees in a refund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SeenRefund {
    pub number: String,
    pub order: String,
    pub amount: Money,
    pub notify_url: Option<String>,
}
