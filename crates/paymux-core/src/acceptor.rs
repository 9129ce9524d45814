//! The server side of a provider's protocol: read a request, check its sign, answer in its words,
//! and send its notices.
//!
//! The compatible front uses it over the router, the simulator over a pretend bank. Neither knows
//! the protocol, and the acceptor knows neither.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::method::Method;
use crate::money::Money;
use crate::payment::NextAction;
use crate::payments::Approval;
use crate::provider::{SettingError, SettingKey, Settings};
use crate::secret::Secret;
use crate::wire::{Verb, WireRequest, WireResponse};

/// One path that a protocol serves. `{name}` stands for one segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrontRoute {
    /// The verb.
    pub verb: Verb,
    /// The path, such as `/2/rest/bill/{id}`.
    pub path: &'static str,
}

/// Whoever calls: one set of credentials in a protocol. `Debug` shows none of them.
#[derive(Clone)]
pub struct FrontAccount {
    /// What the host calls it: an app's id, or a simulated account.
    pub key: String,
    /// Its credentials, checked by [`Acceptor::check_settings`].
    pub settings: Settings,
}

impl std::fmt::Debug for FrontAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FrontAccount").field("key", &self.key).finish_non_exhaustive()
    }
}

/// Finds an account by what a request says of itself, such as an app id or a merchant number.
pub trait FrontAccounts: Send + Sync {
    /// The account whose settings have `value` at `key`.
    fn find(&self, key: &str, value: &str) -> Option<FrontAccount>;
}

/// The server side of one protocol. Pure: bytes in, bytes out.
pub trait Acceptor: Send + Sync + 'static {
    /// The provider's slug.
    fn slug(&self) -> &'static str;

    /// The keys of an account's credentials.
    fn settings(&self) -> &'static [SettingKey];

    /// Those of them that name one of the host's channels, which must be there.
    fn channel_settings(&self) -> &'static [&'static str] {
        &[]
    }

    /// Checks an account's credentials. Every mistake is named.
    fn check_settings(&self, settings: &Settings) -> Vec<SettingError>;

    /// The paths that it serves, fixed words before variables.
    fn routes(&self) -> &'static [FrontRoute];

    /// The trees of paths that are the protocol's alone, such as `/2/`: whatever is asked below one is answered in
    /// its words, by [`Acceptor::read`]. Without one the protocol is served by simulators only.
    fn trees(&self) -> &'static [&'static str] {
        &[]
    }

    /// The credential that names an account: what [`FrontAccounts::find`] is asked for. No two accounts share it.
    fn account_key(&self) -> &'static str {
        self.settings().first().map_or("", |key| key.name)
    }

    /// The answer to a request that could not be taken whole, with what was wrong. None of it was read.
    fn unread(&self, request: &WireRequest, what: &str) -> WireResponse {
        let _ = what;
        self.not_found(request)
    }

    /// The sign of a call that was read, where a sign does not cover all of its call: it is then held to the first
    /// call that it came with. `None`: a second use of it can do nothing.
    fn sign(&self, read: &FrontRead, request: &WireRequest) -> Option<FrontSign> {
        let _ = (read, request);
        None
    }

    /// Whether the payer acts on a page of the host's, whatever the order waits for: then that page is what
    /// [`FrontAnswer::Opened`] shows.
    fn wants_page(&self) -> bool {
        false
    }

    /// Whether an order that ended unpaid by itself is told as one that was closed.
    fn tells_ended_as_closed(&self) -> bool {
        false
    }

    /// Whether an order with that memo is one of `code`, a word by which lists are filtered.
    fn has_code(&self, memo: &str, code: &str) -> bool {
        let _ = (memo, code);
        false
    }

    /// Reads a request and checks its sign. What is wrong is answered in the protocol's own words.
    fn read(
        &self,
        accounts: &dyn FrontAccounts,
        request: &WireRequest,
        now: Timestamp,
    ) -> Result<FrontRead, WireResponse>;

    /// Writes the answer to a request that was read.
    fn answer(&self, read: &FrontRead, answer: &FrontAnswer, now: Timestamp) -> WireResponse;

    /// The answer to a path or verb that the protocol does not have.
    fn not_found(&self, request: &WireRequest) -> WireResponse;

    /// Writes the notice of a fact, signed for that account. The path is the receiver's, and so is the query,
    /// but where the protocol puts its sign there: then the notice has a query, which is added to it.
    fn notice(&self, account: &FrontAccount, fact: &FrontFact, now: Timestamp) -> WireRequest;

    /// Whether the protocol has a notice for that fact; without one, [`Acceptor::notice`] is not asked.
    fn tells(&self, fact: &FrontFact) -> bool {
        let _ = fact;
        true
    }

    /// The query, signed where the protocol signs it, with which a payer's browser goes on to the account's own
    /// address once its order is paid and the notice of that was acknowledged. `None`: the protocol adds nothing.
    fn return_query(&self, account: &FrontAccount, order: &FrontOrder) -> Option<String> {
        let _ = (account, order);
        None
    }

    /// Where a payer's browser goes when an order of the account ends unpaid, if the account's settings say it.
    fn timeout_url(&self, account: &FrontAccount) -> Option<String> {
        let _ = account;
        None
    }

    /// Whether the receiver's answer to a notice ends its repeats.
    fn acknowledged(&self, response: &WireResponse) -> bool;

    /// How long after the first try of a notice each repeat comes.
    fn schedule(&self) -> &'static [Duration];
}

/// A sign that is held to one call.
#[derive(Clone, PartialEq, Eq)]
pub struct FrontSign {
    /// The sign, or what it was made of: the same for each call that it fits; at most 255 characters.
    pub key: String,
    /// What of the call it must stay with.
    pub call: Vec<u8>,
    /// From when on nobody takes it any more: the host refuses it then, and so may forget it. `None`: for ever.
    pub until: Option<Timestamp>,
}

impl std::fmt::Debug for FrontSign {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FrontSign").field("until", &self.until).finish_non_exhaustive()
    }
}

/// A request that was read, with what its answer needs.
#[derive(Debug, Clone)]
pub struct FrontRead {
    /// Who calls.
    pub account: FrontAccount,
    /// What is asked.
    pub call: FrontCall,
    /// What the acceptor itself must remember until it answers, such as the provider's code.
    pub memo: String,
}

/// What a protocol's client asks, in words that no protocol owns.
#[derive(Debug, Clone)]
pub enum FrontCall {
    /// Open an order.
    Pay(Box<FrontPay>),
    /// What became of an order, by the client's number. `None` in the answer: not found.
    Query {
        /// The client's number.
        number: String,
    },
    /// Which orders there are.
    List(FrontFilter),
    /// How many orders there are; `skip` and `limit` do not count.
    Count(FrontFilter),
    /// Close or revoke an order.
    Cancel {
        /// The client's number.
        number: String,
    },
    /// Send money of a paid order back.
    Refund(Box<FrontRefund>),
    /// What became of a refund, by the client's number. `None` in the answer: not found.
    QueryRefund {
        /// The client's number of the refund.
        number: String,
    },
    /// Which refunds there are.
    ListRefunds(FrontRefundFilter),
    /// How many refunds there are; `skip` and `limit` do not count.
    CountRefunds(FrontRefundFilter),
    /// Let refunds go that wait for an approval, or end them.
    Approve(Box<FrontApproving>),
    /// Pay out.
    PayOut(Box<FrontPayOut>),
    /// Which payouts there are.
    ListPayouts(FrontPayoutFilter),
    /// How many payouts there are; `skip` and `limit` do not count.
    CountPayouts(FrontPayoutFilter),
    /// An operation that is not routed, by the provider's own name and with its own fields.
    Native {
        /// The channel of that same provider that does it: one that [`Acceptor::channel_settings`] names. `None`:
        /// the account has none.
        channel: Option<String>,
        /// The operation.
        operation: &'static str,
        /// Its fields.
        fields: serde_json::Value,
    },
}

/// An order that a client wants opened. `Debug` shows neither the payer nor the protocol's other
/// fields: a card may stand in them.
#[derive(Clone)]
pub struct FrontPay {
    /// The client's number.
    pub number: String,
    /// How much.
    pub amount: Money,
    /// What the payer uses, as far as the protocol says.
    pub method: Method,
    /// What is bought.
    pub subject: String,
    /// How long it shall live.
    pub expires_in: Option<Duration>,
    /// Where the payer's browser goes in the end.
    pub return_url: Option<String>,
    /// Where the notices of this order go.
    pub notify_url: Option<String>,
    /// The payer's address.
    pub payer_ip: Option<String>,
    /// The client's own stable id of the payer.
    pub payer_id: Option<String>,
    /// The payer's id inside the wallet.
    pub openid: Option<String>,
    /// The digits of the payer's barcode.
    pub auth_code: Option<Secret>,
    /// What comes back unchanged in queries and notices.
    pub echo: serde_json::Value,
    /// The protocol's other fields by their own names.
    pub extra: BTreeMap<String, serde_json::Value>,
}

impl std::fmt::Debug for FrontPay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { number, amount, method, .. } = self;
        f.debug_struct("FrontPay")
            .field("number", number)
            .field("amount", amount)
            .field("method", method)
            .finish_non_exhaustive()
    }
}

/// Money that a client wants sent back.
#[derive(Debug, Clone)]
pub struct FrontRefund {
    /// The client's number of the refund.
    pub number: String,
    /// The client's number of the order.
    pub order: String,
    /// How much.
    pub amount: Money,
    /// Why; may be empty.
    pub reason: String,
    /// Where the notices of this refund go.
    pub notify_url: Option<String>,
    /// Whether a person must approve it before money moves.
    pub approval: FrontApproval,
    /// What comes back unchanged in queries and notices.
    pub echo: serde_json::Value,
}

/// Whether a person must approve a refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrontApproval {
    /// It is worked on at once.
    NotNeeded,
    /// Only a record is made; money moves after an approval.
    Needed,
}

/// What a client says of refunds that wait for its approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrontApproving {
    /// The host's own record ids.
    pub refunds: Vec<String>,
    /// What is said of all of them.
    pub approval: Approval,
}

/// What became of one refund that a client approved or denied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrontApproved {
    /// The host's own record id.
    pub id: String,
    /// Whether it is as the client wants it, with what a person must open then; or why not.
    pub outcome: Result<Option<String>, String>,
}

/// Money that a client wants paid out, to one or to many. `Debug` shows nobody who receives it.
#[derive(Clone)]
pub struct FrontPayOut {
    /// The host's channel that pays: one that [`Acceptor::channel_settings`] names.
    pub channel: String,
    /// To whom, and how much.
    pub items: Vec<FrontPayee>,
    /// Where the notices of these payouts go.
    pub notify_url: Option<String>,
    /// What comes back unchanged in queries and notices.
    pub echo: serde_json::Value,
}

impl std::fmt::Debug for FrontPayOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { channel, items, .. } = self;
        let numbers: Vec<&str> = items.iter().map(|item| item.number.as_str()).collect();
        f.debug_struct("FrontPayOut")
            .field("channel", channel)
            .field("items", &numbers)
            .finish_non_exhaustive()
    }
}

/// One who receives money.
#[derive(Clone)]
pub struct FrontPayee {
    /// The client's number of the payout.
    pub number: String,
    /// How much.
    pub amount: Money,
    /// By what: `bank_card`, `wallet` or `red_packet`.
    pub product: &'static str,
    /// Who receives, by names that several providers have: `account_no`, `account_name`, `account`, `openid` and so
    /// on.
    pub payee: BTreeMap<String, Secret>,
    /// Why; may be empty.
    pub reason: String,
    /// The protocol's other fields by their own names; of them those go on that the channel takes.
    pub extra: BTreeMap<String, serde_json::Value>,
}

/// Which payouts a client wants listed.
#[derive(Debug, Clone, Default)]
pub struct FrontPayoutFilter {
    /// The client's number of the payout.
    pub number: Option<String>,
    /// Only those that stand there.
    pub standing: Option<FrontStanding>,
    /// Made at this moment or later.
    pub from: Option<Timestamp>,
    /// Made at this moment or before.
    pub to: Option<Timestamp>,
    /// How many to pass over.
    pub skip: u32,
    /// How many at most.
    pub limit: u32,
}

/// Where a payout stands, roughly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrontStanding {
    /// Its end comes later.
    UnderWay,
    /// The money has left.
    Done,
    /// Surely not done.
    Failed,
}

/// Which orders a client wants listed.
#[derive(Debug, Clone, Default)]
pub struct FrontFilter {
    /// The client's number.
    pub number: Option<String>,
    /// The provider's own record id.
    pub id: Option<String>,
    /// Only paid, or only unpaid.
    pub paid: Option<bool>,
    /// Only those of which money went back, or only those of which none did.
    pub refunded: Option<bool>,
    /// Only those of that provider code or group.
    pub code: Option<String>,
    /// Made at this moment or later.
    pub from: Option<Timestamp>,
    /// Made at this moment or before.
    pub to: Option<Timestamp>,
    /// How many to pass over.
    pub skip: u32,
    /// How many at most.
    pub limit: u32,
}

/// Which refunds a client wants listed.
#[derive(Debug, Clone, Default)]
pub struct FrontRefundFilter {
    /// The client's number of the refund.
    pub number: Option<String>,
    /// The client's number of the order.
    pub order: Option<String>,
    /// The provider's own record id of the refund.
    pub id: Option<String>,
    /// Only those that a person has to approve, or only the others.
    pub approval: Option<bool>,
    /// Only those of orders of that provider code or group.
    pub code: Option<String>,
    /// Made at this moment or later.
    pub from: Option<Timestamp>,
    /// Made at this moment or before.
    pub to: Option<Timestamp>,
    /// How many to pass over.
    pub skip: u32,
    /// How many at most.
    pub limit: u32,
}

/// The answer to a [`FrontCall`], in words that no protocol owns.
#[derive(Debug, Clone)]
pub enum FrontAnswer {
    /// The order is open: what the payer must do.
    Opened {
        /// The host's own record id.
        id: String,
        /// What the payer must do.
        action: Option<NextAction>,
    },
    /// The order is paid at once.
    Paid {
        /// The host's own record id.
        id: String,
    },
    /// An order, or none of that number.
    Order(Option<Box<FrontOrder>>),
    /// Orders.
    Orders(Vec<FrontOrder>),
    /// How many orders.
    Count(u64),
    /// The order can take no money any more (`true`), or would not be closed (`false`).
    Canceled(bool),
    /// A refund, or none of that number.
    Refund(Option<Box<FrontRefundRecord>>),
    /// Refunds.
    Refunds(Vec<FrontRefundRecord>),
    /// What became of refunds that were approved or denied, one by one.
    Approved(Vec<FrontApproved>),
    /// Payouts, as they stand.
    Payouts(Vec<FrontPayoutRecord>),
    /// Of several payouts these were not taken, each by the client's number and for a reason; the others were.
    PartlyPaidOut(Vec<(String, FrontRefusal)>),
    /// What an operation gave that is not routed, by the provider's own names.
    Native(serde_json::Map<String, serde_json::Value>),
    /// Nobody knows yet: the client must query.
    InDoubt,
    /// A definite no.
    Refused(FrontRefusal),
}

/// Why a client's call is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FrontRefusal {
    /// The number is in use for another order.
    NumberTaken,
    /// The sign was used for another call, or is too old to be remembered.
    SignUsed,
    /// The channel or method cannot be had by this account.
    MethodUnavailable,
    /// A field breaks its rule.
    Field {
        /// The protocol's name of it.
        name: String,
        /// What is allowed.
        rule: String,
    },
    /// There is no order of that number.
    NoSuchOrder,
    /// There is no refund of that number or id.
    NoSuchRefund,
    /// The order is not paid, so nothing can go back.
    OrderUnpaid,
    /// The order is too old for a refund.
    RefundTooLate,
    /// A refund of the order is in progress, and it allows no other.
    RefundInProgress,
    /// More than can still go back.
    RefundTooLarge,
    /// The wallet or bank behind refused.
    Upstream(String),
    /// A provider of the same protocol refused with that code of its own, and said so.
    Told {
        /// The protocol's own code.
        code: i64,
        /// What was said.
        detail: String,
    },
    /// The protocol's own code, for simulated faults.
    Code(i64),
}

/// An order as the host keeps it.
#[derive(Debug, Clone)]
pub struct FrontOrder {
    /// The host's own record id.
    pub id: String,
    /// The client's number.
    pub number: String,
    /// What was asked.
    pub amount: Money,
    /// What really came in; `None` while unpaid.
    pub received: Option<Money>,
    /// What was taken off.
    pub discount: Money,
    /// What went back.
    pub refunded: Money,
    /// What the payer uses.
    pub method: Method,
    /// What the acceptor remembered of the order: [`FrontRead::memo`].
    pub memo: String,
    /// What is bought.
    pub subject: String,
    /// The wallet's or bank's number, once paid.
    pub trade_no: Option<String>,
    /// Whether it was closed or revoked.
    pub closed: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was paid.
    pub paid_at: Option<Timestamp>,
    /// What comes back unchanged.
    pub echo: serde_json::Value,
}

/// A refund as the host keeps it.
#[derive(Debug, Clone)]
pub struct FrontRefundRecord {
    /// The host's own record id.
    pub id: String,
    /// The client's number of the refund.
    pub number: String,
    /// The order, as it is now.
    pub order: FrontOrder,
    /// How much goes back.
    pub amount: Money,
    /// Where it stands.
    pub state: FrontRefundState,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// What comes back unchanged.
    pub echo: serde_json::Value,
}

/// A payout as the host keeps it.
#[derive(Debug, Clone)]
pub struct FrontPayoutRecord {
    /// The host's own record id.
    pub id: String,
    /// The client's number of the payout.
    pub number: String,
    /// How much.
    pub amount: Money,
    /// What the acceptor remembered of it: [`FrontRead::memo`].
    pub memo: String,
    /// Why.
    pub reason: String,
    /// Who receives, each field masked but for its last characters.
    pub payee: BTreeMap<String, String>,
    /// The provider's record id, once it is known.
    pub trade_no: Option<String>,
    /// What a person must open before money moves.
    pub action_url: Option<String>,
    /// Where it stands.
    pub standing: FrontStanding,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// What comes back unchanged.
    pub echo: serde_json::Value,
}

/// Where a refund stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FrontRefundState {
    /// A record that waits for an approval; no money moves.
    AwaitsApproval,
    /// A person must open that address before money moves.
    NeedsAction {
        /// The address.
        url: String,
    },
    /// Taken in; the end comes later.
    Pending,
    /// The money is back.
    Done,
    /// Surely not done, and it never will be.
    Failed,
}

/// What a notice tells.
#[derive(Debug, Clone)]
pub enum FrontFact {
    /// An order was paid.
    Paid(Box<FrontOrder>),
    /// Money went back.
    Refunded(Box<FrontRefundRecord>),
    /// Money was paid out.
    PaidOut(Box<FrontPayoutRecord>),
}
