//! What the targets of every provider's protocol have in common: callbacks, a client's calls, a provider's answers,
//! settings. What is a protocol's own stands in a file for each.
//!
//! Two kinds of sender are tried with each input. A stranger sends it as it is. Then it is signed as whoever has
//! the key would sign it, so that what comes behind the sign is reached too. Whatever is believed is read once more
//! by other code than the plugin's, which must find the same sign, number and amount.

mod beecloud;
mod cloudpay;
mod fufu;
mod sandbox;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use paymux_core::acceptor::{
    Acceptor, FrontAccount, FrontAccounts, FrontAnswer, FrontApproved, FrontCall, FrontFact, FrontOrder,
    FrontPay, FrontPayoutRecord, FrontRead, FrontRefundRecord, FrontRefundState, FrontRefusal, FrontStanding,
};
use paymux_core::channel::{CancelAnswer, Claim, QueryAnswer, Receipt, RefundOrder};
use paymux_core::clock::Clock as _;
use paymux_core::provider::{ChannelSite, Settings};
use paymux_core::transport::Deadline;
use paymux_core::{
    Channel, ChannelError, ChannelId, Created, Cx, Method, Money, NextAction, Order, OrderRef, Payer,
    Provider, ProviderOrderNo, Secret, Timestamp, Verb, WireRequest, WireResponse,
};
use paymux_testkit::{ScriptedTransport, TestClock};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use crate::spelt::{bytes_of, request_of};
use crate::{Seen, Target};

/// When every message of the vectors was made.
const NOW: Timestamp = Timestamp::from_ms(1_709_251_200_000);
/// The number of the vectors' order.
const NUMBER: &str = "PMX20240301000001";
/// What the host of a front calls its client.
const CLIENT: &str = "shop";

/// Every plugin's.
pub(crate) fn all() -> Vec<Target> {
    let protocols = [beecloud::protocol, cloudpay::protocol, fufu::protocol, sandbox::protocol];
    protocols.into_iter().flat_map(targets).collect()
}

/// What the targets have to know of a protocol.
struct Protocol {
    provider: Arc<dyn Provider>,
    /// Of a channel.
    settings: Value,
    /// Of a client, by the same secrets as the channel's, and by what it is found.
    account: Value,
    found_by: [&'static str; 2],
    /// What no text of ours may hold.
    secrets: &'static [&'static str],
    words: &'static [&'static str],
    /// What the provider sends to us, or a browser brings back.
    callbacks: Vec<WireRequest>,
    /// The same as whoever has the key would sign it; `None` where it cannot be signed.
    sign_callback: fn(&WireRequest) -> Option<WireRequest>,
    /// Panics unless the message is signed, and says what was read of it.
    check: fn(&WireRequest, &Claim),
    /// Answers: the call and its method, the status, the body.
    answers: Vec<(&'static str, u16, String)>,
    /// What clients send.
    calls: Vec<WireRequest>,
    /// The same as whoever has the key would sign it.
    sign_call: fn(&WireRequest) -> Option<WireRequest>,
}

impl Protocol {
    fn channel(&self) -> Arc<dyn Channel> {
        let channel = self.provider.channel(site(), object(&self.settings));
        channel.expect("settings that are right")
    }

    fn keeps_its_secrets(&self, text: &str) {
        for secret in self.secrets {
            assert!(!text.contains(secret), "a secret stands in: {text}");
        }
    }

    fn answers_well(&self, response: &WireResponse) {
        assert!((200..600).contains(&response.status), "status {}", response.status);
        self.keeps_its_secrets(&String::from_utf8_lossy(&response.body));
    }
}

impl FrontAccounts for Protocol {
    fn find(&self, key: &str, value: &str) -> Option<FrontAccount> {
        ([key, value] == self.found_by).then(|| client(&self.account))
    }
}

fn client(account: &Value) -> FrontAccount {
    FrontAccount { key: CLIENT.to_owned(), settings: object(account) }
}

fn object(value: &Value) -> Settings {
    value.as_object().cloned().unwrap_or_default()
}

fn site() -> ChannelSite {
    ChannelSite { id: ChannelId::new("fuzzed").expect("a literal") }
}

/// The targets of one protocol. One without answers is spoken by nobody but us, in memory.
fn targets(make: fn() -> Protocol) -> Vec<Target> {
    let protocol = make();
    let named = |what: &str| format!("{}/{what}", protocol.provider.slug());
    let texts = |requests: &[WireRequest]| requests.iter().map(bytes_of).collect::<Vec<_>>();
    let mut all = vec![
        Target {
            name: named("callback"),
            about: "what a provider sends and a browser brings back: believed only with the sign over what was read",
            seeds: texts(&protocol.callbacks),
            words: protocol.words,
            begin: Box::new(move || {
                let protocol = make();
                let channel = protocol.channel();
                Box::new(move |input| callback(&protocol, channel.as_ref(), input))
            }),
        },
        Target {
            name: named("front"),
            about: "a client's call: taken only with its sign, whatever is answered; its notice is believed",
            seeds: texts(&protocol.calls),
            words: protocol.words,
            begin: Box::new(move || {
                let protocol = make();
                let front = Front::of(&protocol);
                Box::new(move |input| front.look(&protocol, input))
            }),
        },
        Target {
            name: named("settings"),
            about: "settings of a channel and of a client: refused by name, with no secret in the rule",
            seeds: vec![
                protocol.settings.to_string().into_bytes(),
                protocol.account.to_string().into_bytes(),
            ],
            words: protocol.words,
            begin: Box::new(move || {
                let protocol = make();
                Box::new(move |input| settings(&protocol, input))
            }),
        },
    ];
    if !protocol.answers.is_empty() {
        let seeds = protocol.answers.iter().map(|(call, status, body)| format!("{call} {status}\n{body}"));
        all.push(Target {
            name: named("answers"),
            about: "a provider's answer to each call: money only as it says, no secret in an error",
            seeds: seeds.map(String::into_bytes).collect(),
            words: protocol.words,
            begin: Box::new(move || {
                let protocol = make();
                let (channel, runtime) = (protocol.channel(), runtime());
                Box::new(move |input| answer(&protocol, channel.as_ref(), &runtime, input))
            }),
        });
    }
    all
}

fn callback(protocol: &Protocol, channel: &dyn Channel, input: &[u8]) -> Seen {
    let Some(request) = request_of(input) else { return Seen::Refused };
    let of_stranger = is_believed(protocol, channel, &request);
    let of_provider =
        (protocol.sign_callback)(&request).is_some_and(|signed| is_believed(protocol, channel, &signed));
    Seen::taken_if(of_stranger | of_provider | is_back(protocol, channel, &request))
}

fn is_believed(protocol: &Protocol, channel: &dyn Channel, request: &WireRequest) -> bool {
    match channel.verify_callback(request) {
        Ok(claim) => {
            (protocol.check)(request, &claim);
            // What it says of an order may well be wrong; it must not panic.
            let _ = channel.fits(request, &claim, &order_ref(channel, claim.method));
            true
        }
        Err(error) => {
            protocol.keeps_its_secrets(&error.to_string());
            false
        }
    }
}

/// Whether a browser's way back was believed.
fn is_back(protocol: &Protocol, channel: &dyn Channel, request: &WireRequest) -> bool {
    match channel.verify_return(request) {
        Ok(number) => {
            assert!((1..=64).contains(&number.len()), "`{number}`");
            true
        }
        Err(error) => {
            protocol.keeps_its_secrets(&error.to_string());
            false
        }
    }
}

/// The server side, and the client side that its notices go to.
struct Front {
    acceptor: Arc<dyn Acceptor>,
    channel: Arc<dyn Channel>,
}

impl Front {
    fn of(protocol: &Protocol) -> Self {
        let acceptor = protocol.provider.acceptor().expect("a protocol that is served");
        Self { acceptor, channel: protocol.channel() }
    }

    fn look(&self, protocol: &Protocol, input: &[u8]) -> Seen {
        let Some(request) = request_of(input) else { return Seen::Refused };
        let of_stranger = self.is_served(protocol, &request);
        let of_client =
            (protocol.sign_call)(&request).is_some_and(|signed| self.is_served(protocol, &signed));
        protocol.answers_well(&self.acceptor.not_found(&request));
        let _ = self.acceptor.acknowledged(&WireResponse::ok("text/plain", request.body.clone()));
        Seen::taken_if(of_stranger | of_client)
    }

    fn is_served(&self, protocol: &Protocol, request: &WireRequest) -> bool {
        match self.acceptor.read(protocol, request, NOW) {
            Ok(read) => {
                assert_eq!(read.account.key, CLIENT);
                let order = front_order(&read);
                for answer in front_answers(&order) {
                    protocol.answers_well(&self.acceptor.answer(&read, &answer, NOW));
                }
                self.tell(protocol, &read, &order);
                true
            }
            Err(response) => {
                protocol.answers_well(&response);
                false
            }
        }
    }

    /// What a client is told, it believes, unless its number is of no form that a callback may have.
    fn tell(&self, protocol: &Protocol, read: &FrontRead, order: &FrontOrder) {
        let fact = FrontFact::Paid(Box::new(order.clone()));
        if !self.acceptor.tells(&fact) {
            return;
        }
        let notice = self.acceptor.notice(&read.account, &fact, NOW);
        if let Ok(claim) = self.channel.verify_callback(&notice) {
            (protocol.check)(&notice, &claim);
            assert_eq!((&claim.number, claim.received), (&order.number, order.amount));
        }
        if let Some(query) = self.acceptor.return_query(&read.account, order) {
            let back = WireRequest::new(Verb::Get, "/return/fuzzed").query(query);
            if let Ok(number) = self.channel.verify_return(&back) {
                assert_eq!(number, order.number);
            }
        }
    }
}

/// The order that a call opens, paid; of other calls one of the vectors' number.
fn front_order(read: &FrontRead) -> FrontOrder {
    let pay = match &read.call {
        FrontCall::Pay(pay) => pay.as_ref().clone(),
        _ => front_pay(),
    };
    FrontOrder {
        id: "880012".to_owned(),
        number: pay.number,
        amount: pay.amount,
        received: Some(pay.amount),
        discount: Money::zero(pay.amount.currency()),
        refunded: Money::zero(pay.amount.currency()),
        method: pay.method,
        memo: read.memo.clone(),
        subject: pay.subject,
        trade_no: Some("4200".to_owned()),
        closed: false,
        created_at: NOW,
        paid_at: Some(NOW),
        echo: pay.echo,
    }
}

fn front_pay() -> FrontPay {
    FrontPay {
        number: NUMBER.to_owned(),
        amount: Money::fen(1023),
        method: method("wechat.native"),
        subject: "tea".to_owned(),
        expires_in: None,
        return_url: None,
        notify_url: None,
        payer_ip: None,
        payer_id: None,
        openid: None,
        auth_code: None,
        echo: Value::Null,
        extra: BTreeMap::new(),
    }
}

fn payout(order: &FrontOrder, standing: FrontStanding) -> FrontPayoutRecord {
    FrontPayoutRecord {
        id: "3".to_owned(),
        number: order.number.clone(),
        amount: order.amount,
        memo: order.memo.clone(),
        reason: "wages".to_owned(),
        payee: BTreeMap::from([("account".to_owned(), "****6789".to_owned())]),
        trade_no: None,
        action_url: Some("https://pay.example/p?a=1".to_owned()),
        standing,
        created_at: NOW,
        ended_at: None,
        echo: order.echo.clone(),
    }
}

/// Everything that a host may answer, to whatever was asked.
fn front_answers(order: &FrontOrder) -> Vec<FrontAnswer> {
    let refund = |state| FrontRefundRecord {
        id: "2".to_owned(),
        number: "20240301000018".to_owned(),
        order: order.clone(),
        amount: Money::fen(1),
        state,
        created_at: NOW,
        ended_at: Some(NOW),
        echo: order.echo.clone(),
    };
    let url = || "https://pay.example/p?a=1".to_owned();
    let actions = [
        None,
        Some(NextAction::Redirect { url: url() }),
        Some(NextAction::Qr { qr: url() }),
        Some(NextAction::Html { html: "<form></form>".to_owned() }),
        Some(NextAction::App { params: json!({"app_id": "wx"}) }),
        Some(NextAction::Jsapi { params: json!({"appId": "wx"}) }),
    ];
    let refunds = [
        FrontRefundState::AwaitsApproval,
        FrontRefundState::NeedsAction { url: url() },
        FrontRefundState::Pending,
        FrontRefundState::Done,
        FrontRefundState::Failed,
    ];
    let refusals = [
        FrontRefusal::NumberTaken,
        FrontRefusal::SignUsed,
        FrontRefusal::MethodUnavailable,
        FrontRefusal::Field { name: "title".to_owned(), rule: "too long".to_owned() },
        FrontRefusal::NoSuchOrder,
        FrontRefusal::NoSuchRefund,
        FrontRefusal::OrderUnpaid,
        FrontRefusal::RefundTooLate,
        FrontRefusal::RefundInProgress,
        FrontRefusal::RefundTooLarge,
        FrontRefusal::Upstream("no".to_owned()),
        FrontRefusal::Told { code: 5, detail: "no".to_owned() },
        FrontRefusal::Code(7),
    ];
    let id = || "880012".to_owned();
    let mut all = vec![
        FrontAnswer::Paid { id: id() },
        FrontAnswer::Order(None),
        FrontAnswer::Order(Some(Box::new(order.clone()))),
        FrontAnswer::Orders(vec![
            order.clone(),
            FrontOrder { received: None, closed: true, ..order.clone() },
        ]),
        FrontAnswer::Count(2),
        FrontAnswer::Canceled(true),
        FrontAnswer::Canceled(false),
        FrontAnswer::Refund(None),
        FrontAnswer::Refunds(refunds.iter().cloned().map(refund).collect()),
        FrontAnswer::Approved(vec![
            FrontApproved { id: id(), outcome: Ok(Some(url())) },
            FrontApproved { id: "2".to_owned(), outcome: Err("no".to_owned()) },
        ]),
        FrontAnswer::Payouts(vec![payout(order, FrontStanding::Done)]),
        FrontAnswer::Payouts(vec![
            payout(order, FrontStanding::Failed),
            payout(order, FrontStanding::UnderWay),
        ]),
        FrontAnswer::PartlyPaidOut(vec![(id(), FrontRefusal::NumberTaken)]),
        FrontAnswer::Native(object(&json!({"a": 1}))),
        FrontAnswer::InDoubt,
    ];
    all.extend(actions.map(|action| FrontAnswer::Opened { id: id(), action }));
    all.extend(refunds.map(|state| FrontAnswer::Refund(Some(Box::new(refund(state))))));
    all.extend(refusals.map(FrontAnswer::Refused));
    all
}

fn settings(protocol: &Protocol, input: &[u8]) -> Seen {
    let Ok(Value::Object(settings)) = serde_json::from_slice(input) else { return Seen::Refused };
    let acceptor = protocol.provider.acceptor().expect("a protocol that is served");
    let of_client = acceptor.check_settings(&settings);
    let of_channel = match protocol.provider.channel(site(), settings.clone()) {
        Ok(channel) => {
            assert!(!channel.descriptor().methods.is_empty());
            Vec::new()
        }
        Err(errors) => {
            assert!(!errors.is_empty(), "refused without a reason");
            errors
        }
    };
    let keys = protocol.provider.settings().iter().chain(acceptor.settings()).filter(|key| key.secret);
    let secrets = keys.filter_map(|key| settings.get(key.name)?.as_str());
    // Shorter ones may be words of a rule.
    for secret in secrets.filter(|secret| secret.len() >= 16) {
        for error in of_client.iter().chain(&of_channel) {
            assert!(!error.rule.contains(secret), "`{}` tells a secret: {}", error.key, error.rule);
        }
    }
    Seen::taken_if(of_client.is_empty() || of_channel.is_empty())
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime of one thread")
}

/// The first line is call, method and status; the rest is the body that comes back. What is asked after that is
/// answered with nothing.
fn answer(protocol: &Protocol, channel: &dyn Channel, runtime: &Runtime, input: &[u8]) -> Seen {
    let mut halves = input.splitn(2, |byte| *byte == b'\n');
    let (line, body) = (halves.next().unwrap_or_default(), halves.next().unwrap_or_default());
    let Ok(line) = std::str::from_utf8(line) else { return Seen::Refused };
    let words: Vec<&str> = line.split(' ').collect();
    let [call, method, status] = words[..] else { return Seen::Refused };
    let (Ok(method), Ok(status)) = (method.parse::<Method>(), status.parse::<u16>()) else {
        return Seen::Refused;
    };
    if channel.descriptor().method(method).is_none() {
        return Seen::Refused;
    }
    let transport = ScriptedTransport::new();
    transport.answer(Ok(WireResponse::with_status(status, "application/json", body.to_vec())));
    let outcome = runtime.block_on(async {
        let clock = TestClock::new();
        let deadline = Deadline::after(clock.mono(), Duration::from_secs(15));
        ask(channel, &Cx::new(&transport, &clock, deadline), call, method).await
    });
    match outcome {
        None => Seen::Refused,
        Some(Ok(())) => Seen::Taken,
        Some(Err(error)) => {
            protocol.keeps_its_secrets(&error.to_string());
            Seen::taken_if(matches!(error, ChannelError::Refused(_)))
        }
    }
}

/// Makes that call and looks at what it gives; `None` where there is no such call.
async fn ask(
    channel: &dyn Channel,
    cx: &Cx<'_>,
    call: &str,
    method: Method,
) -> Option<Result<(), ChannelError>> {
    let order = order_ref(channel, Some(method));
    let (from, to) = (NOW.minus(Duration::from_hours(12)), NOW.plus(Duration::from_hours(12)));
    Some(match call {
        "create" => channel.create(cx, &order_of(channel, method)).await.map(|created| match created {
            Created::Paid(receipt) => is_money(&receipt),
            Created::Open(_) => {}
        }),
        "query" => channel.query(cx, &order).await.map(|answer| match answer {
            QueryAnswer::Paid(receipt) | QueryAnswer::Returned(receipt) | QueryAnswer::Returning(receipt) => {
                is_money(&receipt);
            }
            QueryAnswer::Open | QueryAnswer::Closed | QueryAnswer::NotFound => {}
        }),
        "cancel" => channel.cancel(cx, &order).await.map(|answer| match answer {
            CancelAnswer::Paid(receipt) => is_money(&receipt),
            CancelAnswer::Closed | CancelAnswer::Refused(_) => {}
        }),
        "refund" => channel.refund(cx, &refund_of(order)).await.map(drop),
        "query_refund" => channel.query_refund(cx, &refund_of(order)).await.map(drop),
        "list" => channel.list(cx, from, to).await.map(|rows| {
            assert!(rows.iter().all(|row| (from..to).contains(&row.created_at)), "a row of another time");
        }),
        "find" => channel.find(cx, order.number.as_str()).await.map(|row| {
            assert!(row.is_none_or(|row| row.number == order.number.as_str()), "a row of another order");
        }),
        "list_refunds" => channel.list_refunds(cx, from, to).await.map(|rows| {
            assert!(rows.iter().all(|row| (from..to).contains(&row.created_at)), "a row of another time");
        }),
        _ => return None,
    })
}

/// What a provider says it received is some money.
fn is_money(receipt: &Receipt) {
    assert!(receipt.received.minor() > 0 && receipt.discount.minor() >= 0, "{receipt:?}");
}

fn method(text: &str) -> Method {
    text.parse().expect("a method of a literal")
}

fn number() -> ProviderOrderNo {
    ProviderOrderNo::new(NUMBER).expect("a literal")
}

/// The vectors' order, with every field of a payer that a method may need.
fn order_of(channel: &dyn Channel, method: Method) -> Order {
    Order {
        number: number(),
        amount: Money::fen(1023),
        method,
        subject: "tea".to_owned(),
        expires_at: NOW.plus(Duration::from_mins(30)),
        notify_url: "https://pay.example/notify/fuzzed".to_owned(),
        return_url: "https://pay.example/return/fuzzed".to_owned(),
        payer: Payer {
            ip: "203.0.113.7".parse().ok(),
            region: None,
            id: Some("u77".to_owned()),
            openid: Some("o-1".to_owned()),
            auth_code: Some(Secret::new("134567890123456789")),
        },
        extra: BTreeMap::new(),
        metadata: BTreeMap::new(),
        memo: channel.memo(method),
    }
}

/// The same order once it was sent, by that method or by the channel's first.
fn order_ref(channel: &dyn Channel, of: Option<Method>) -> OrderRef {
    let first = || channel.descriptor().methods.first().map(|spec| spec.method);
    let method = of.or_else(first).expect("a channel has methods");
    OrderRef {
        number: number(),
        amount: Money::fen(1023),
        method,
        memo: channel.memo(method),
        reference: None,
        created_at: NOW,
        metadata: BTreeMap::new(),
    }
}

fn refund_of(order: OrderRef) -> RefundOrder {
    RefundOrder {
        number: "20240301000018".to_owned(),
        order,
        trade_no: Some("4200".to_owned()),
        received: Money::fen(1023),
        amount: Money::fen(1),
        reason: "too sweet".to_owned(),
        reference: None,
        notify_url: "https://pay.example/notify/fuzzed".to_owned(),
        created_at: NOW,
    }
}

/// A message of a plugin's vectors.
fn vector(file: &str, id: &str, field: &str) -> String {
    let file: Value = serde_json::from_str(file).expect("the vectors of a plugin");
    let vectors = file["vectors"].as_array().cloned().unwrap_or_default();
    let found = vectors.iter().find(|vector| vector["id"] == id).and_then(|vector| vector[field].as_str());
    found.expect("a vector of that name").to_owned()
}
