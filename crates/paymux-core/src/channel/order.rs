//! What goes to a channel and what comes back.

use std::collections::BTreeMap;

use crate::clock::Timestamp;
use crate::ids::ProviderOrderNo;
use crate::method::Method;
use crate::money::Money;
use crate::payment::{NextAction, Payer};
use crate::secret::Secret;

/// An order to be opened.
#[derive(Debug, Clone)]
pub struct Order {
    /// The number under which it will be known there, made by paymux, never used twice.
    pub number: ProviderOrderNo,
    /// How much, more than zero and inside the method's range.
    pub amount: Money,
    /// What the payer uses; one of the descriptor's.
    pub method: Method,
    /// What is bought, in one line, 1 to 127 characters.
    pub subject: String,
    /// When the order must have ended.
    pub expires_at: Timestamp,
    /// Where the provider shall send its callbacks: public, without a query.
    pub notify_url: String,
    /// Where the payer's browser shall go afterwards: public, without a query.
    pub return_url: String,
    /// What is known of the payer.
    pub payer: Payer,
    /// Provider fields by the provider's own names, only those that the descriptor lists.
    pub extra: BTreeMap<String, serde_json::Value>,
    /// The merchant's own data; for the sandbox's scripts, and not sent to other providers.
    pub metadata: BTreeMap<String, String>,
    /// What [`super::Channel::memo`] said of it.
    pub memo: String,
}

/// An order that was sent, or may have been.
#[derive(Debug, Clone)]
pub struct OrderRef {
    /// Its number there.
    pub number: ProviderOrderNo,
    /// What it should cost.
    pub amount: Money,
    /// What the payer uses.
    pub method: Method,
    /// What [`super::Channel::memo`] said of it before it went out.
    pub memo: String,
    /// The provider's own record id, where one came back.
    pub reference: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// The merchant's own data.
    pub metadata: BTreeMap<String, String>,
}

/// An order exists.
#[derive(Debug, Clone, PartialEq)]
pub enum Created {
    /// The payer has to act.
    Open(Opened),
    /// The money is there already.
    Paid(Receipt),
}

/// An order that waits for its payer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Opened {
    /// What the payer must do; `None` where the payer acts on their own device, as with a barcode.
    pub action: Option<NextAction>,
    /// The provider's own record id, if it gave one.
    pub reference: Option<String>,
}

/// Money that a provider says it received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// How much really came in.
    pub received: Money,
    /// How much the provider took off for the payer, such as a coupon; received and discount
    /// together pay the order.
    pub discount: Money,
    /// The wallet's or bank's own number of the transaction.
    pub trade_no: Option<String>,
    /// The provider's own record id.
    pub reference: Option<String>,
}

impl Receipt {
    /// That much, without discount, number or record id.
    pub fn of(received: Money) -> Self {
        Self { received, discount: Money::zero(received.currency()), trade_no: None, reference: None }
    }
}

/// What a query found.
#[derive(Debug, Clone, PartialEq)]
pub enum QueryAnswer {
    /// Paid.
    Paid(Receipt),
    /// It was paid, and all of its money has gone back since.
    Returned(Receipt),
    /// It was paid, and of its money all or a part is on its way back.
    Returning(Receipt),
    /// There, unpaid, and still payable as far as the provider says.
    Open,
    /// Ended without money; can take none any more.
    Closed,
    /// The provider shows no such order. Ends nothing by itself.
    NotFound,
}

/// What a cancel did.
#[derive(Debug, Clone, PartialEq)]
pub enum CancelAnswer {
    /// The order can take no money any more.
    Closed,
    /// Too late: it is paid.
    Paid(Receipt),
    /// The provider would not, with its reason; the order stays as it was.
    Refused(String),
}

/// A refund to be asked for or asked about.
#[derive(Debug, Clone)]
pub struct RefundOrder {
    /// Its number at the provider, as [`super::Channel::refund_number`] made it.
    pub number: String,
    /// The paid order.
    pub order: OrderRef,
    /// The wallet's or bank's own number of the money, where one is known.
    pub trade_no: Option<String>,
    /// The money that the order received.
    pub received: Money,
    /// How much shall go back.
    pub amount: Money,
    /// Why, for the provider's records; may be empty.
    pub reason: String,
    /// The provider's own record id, where one came back.
    pub reference: Option<String>,
    /// Where the provider shall send its callbacks: public, without a query.
    pub notify_url: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A payout to be made.
#[derive(Debug, Clone)]
pub struct TransferOrder {
    /// What of it is stored.
    pub payout: TransferRef,
    /// Who receives, by the provider's field names. In memory only.
    pub payee: BTreeMap<String, Secret>,
    /// Provider fields by the provider's own names, only those that the descriptor lists.
    pub extra: BTreeMap<String, serde_json::Value>,
    /// Where the provider shall send its callbacks: public, without a query.
    pub notify_url: String,
}

/// A payout that was sent, or may have been.
#[derive(Debug, Clone)]
pub struct TransferRef {
    /// Its number at the provider, as [`super::Channel::transfer_number`] made it.
    pub number: String,
    /// How much.
    pub amount: Money,
    /// The provider's product, such as a bank card or a wallet; one of the descriptor's.
    pub product: String,
    /// Why, for the provider's records; may be empty.
    pub reason: String,
    /// The provider's own record id, where one came back.
    pub reference: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What became of money on its way out: a refund or a payout.
#[derive(Debug, Clone, PartialEq)]
pub enum OutflowAnswer {
    /// Taken in; the end comes later.
    Pending {
        /// The provider's own record id, if it gave one.
        reference: Option<String>,
    },
    /// The money has left.
    Done {
        /// The provider's own record id, if it gave one.
        reference: Option<String>,
    },
    /// Surely not done, and it never will be.
    Failed {
        /// The provider's code.
        code: String,
        /// What it means.
        message: String,
    },
    /// A person must open this address, or approve it where the text says.
    NeedsAction {
        /// The address.
        url: Option<String>,
        /// What is to be done.
        message: String,
    },
    /// The provider shows nothing of that number. Ends nothing by itself.
    NotFound,
}

/// One line of a provider's own records: money that came in, or was to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedOrder {
    /// Our number.
    pub number: String,
    /// What the order was for, where the provider says so.
    pub amount: Option<Money>,
    /// What came in; `None` while unpaid.
    pub received: Option<Money>,
    /// Whether it was reverted: it can take no money, and what had come in has gone back.
    pub reverted: bool,
    /// What is wrong with the record in itself, such as sums that do not add up: a person must look at it,
    /// whatever the ledger has.
    pub flaw: Option<&'static str>,
    /// When the record was made.
    pub created_at: Timestamp,
    /// What must be known of its order where it was not made here; `None` where the provider does not tell it.
    pub terms: Option<Box<ListedTerms>>,
}

/// What a provider's record tells of its order beside numbers and sums.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedTerms {
    /// What the payer uses.
    pub method: Method,
    /// What [`super::Channel::memo`] would have said of it; empty where that says it.
    pub memo: String,
    /// What is bought; may be empty.
    pub subject: String,
    /// The provider's own record id.
    pub reference: Option<String>,
    /// The wallet's or bank's own number of the money.
    pub trade_no: Option<String>,
    /// When it was paid, where the provider says so.
    pub paid_at: Option<Timestamp>,
    /// Whether some of its money has gone back, or is on its way.
    pub refunded: bool,
}

/// One line of a provider's own records: money that went back, or was to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedRefund {
    /// Our number of the refund.
    pub number: String,
    /// How much.
    pub amount: Money,
    /// Whether it is done; `None` while it is under way.
    pub done: Option<bool>,
    /// When the record was made.
    pub created_at: Timestamp,
}
