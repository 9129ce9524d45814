//! A provider that exists nowhere: small, and right unless it is told to have one fault.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use paymux_core::channel::{
    Blame, CallbackError, Can, CancelAnswer, Claim, ClaimKind, Evidence, ListedOrder, ListedRefund,
    MethodSpec, Needs, Opened, OrderEnd, OutflowAnswer, QueryAnswer, Receipt, RefundOrder, Refusal, Verdict,
};
use paymux_core::ids::RefundId;
use paymux_core::provider::{ChannelSite, SettingError, SettingKey, SettingReader, Settings};
use paymux_core::transport::{NoAnswer, NotSent, Undelivered};
use paymux_core::wire::PlainHttp;
use paymux_core::{
    Channel, ChannelError, Created, Currency, Cx, Descriptor, Endpoint, Method, Money, NextAction, Order,
    OrderRef, Product, Provider, Secret, Timestamp, Verb, Wallet, WireRequest, WireResponse,
};
use serde_json::{Value, json};

use crate::bank::{ACCOUNT, KEY_OF_ANOTHER, KEY_PREVIOUS, NOTE, SIGN, call_sign, callback_sign};
use crate::faults::Fault;

/// How old an order must be before it is closed.
const CLOSE_FROM: Duration = Duration::from_secs(10);

const KEYS: &[SettingKey] = &[
    SettingKey::new("account", "the shop").required(),
    SettingKey::new("key", "signs").secret().required(),
    SettingKey::new("key_previous", "verifies too").secret(),
];

/// The plugin, with that fault.
pub(crate) struct ToyProvider(pub(crate) Option<Fault>);

impl Provider for ToyProvider {
    fn slug(&self) -> &'static str {
        "toy"
    }

    fn settings(&self) -> &'static [SettingKey] {
        KEYS
    }

    fn channel(&self, _: ChannelSite, settings: Settings) -> Result<Arc<dyn Channel>, Vec<SettingError>> {
        let mut reader = SettingReader::new(&settings, KEYS);
        let is_word = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
        let account = reader.text("account", is_word, "write a word");
        let key = reader.text("key", is_word, "write a word");
        let previous = reader.text("key_previous", is_word, "write a word").map(Secret::new);
        let keys = key.map(|key| (Secret::new(key), previous));
        let made = account
            .zip(keys)
            .map(|(account, (key, previous))| Toy::new(account.to_owned(), key, previous, self.0));
        reader.finish(made).map(|toy| Arc::new(toy) as Arc<dyn Channel>)
    }
}

struct Toy {
    account: String,
    key: Secret,
    previous: Option<Secret>,
    base: Endpoint,
    descriptor: Descriptor,
    fault: Option<Fault>,
}

/// Counts channels, for the fault that lets a descriptor drift.
static CHANNELS: AtomicU64 = AtomicU64::new(0);

fn spec(wallet: Wallet, product: Product, end: OrderEnd) -> MethodSpec {
    MethodSpec {
        method: Method::new(wallet, product),
        code: "TOY",
        amounts: 1..=1_000_000,
        payer_must_act: true,
        needs: Needs::nothing(),
        end,
        request_min: None,
        not_found_final_after: None,
        watch: Duration::from_hours(1),
    }
}

fn descriptor(account: &str, key: &Secret, fault: Option<Fault>) -> Descriptor {
    let call = OrderEnd::Call { not_before: CLOSE_FROM, lives: None };
    let max = if fault == Some(Fault::TimerWithoutRange) { 1 } else { 3600 };
    let timer = OrderEnd::ProviderTimer {
        min: Duration::from_mins(1),
        max: Duration::from_secs(max),
        step: Duration::from_secs(1),
        margin: Duration::from_mins(1),
    };
    let mut methods =
        vec![spec(Wallet::Wechat, Product::Native, call), spec(Wallet::Alipay, Product::Web, timer)];
    if fault == Some(Fault::ListsAMethodTwice) {
        methods.push(methods[0].clone());
    }
    let account_key = match fault {
        Some(Fault::NamesItselfByItsKey) => key.expose().to_owned(),
        Some(Fault::DescriptorDrifts) => CHANNELS.fetch_add(1, Ordering::Relaxed).to_string(),
        _ => account.to_owned(),
    };
    Descriptor {
        provider: "toy",
        account_key,
        livemode: true,
        can: Can::QUERY | Can::CANCEL | Can::REFUND | Can::QUERY_REFUND | Can::LIST,
        refunds_per_order: None,
        currencies: vec![Currency::CNY],
        methods,
        payouts: &[],
        looks: &[],
        extra: &[],
    }
}

fn unknown(what: impl Into<String>) -> ChannelError {
    ChannelError::unknown(what)
}

fn refused(code: &str, blame: Blame) -> ChannelError {
    ChannelError::Refused(Refusal { code: code.to_owned(), message: "the bank said so".to_owned(), blame })
}

fn minor(reply: &Value, name: &str) -> Result<Money, ChannelError> {
    reply[name].as_i64().map(Money::fen).ok_or_else(|| unknown(format!("an answer without `{name}`")))
}

impl Toy {
    fn new(account: String, key: Secret, previous: Option<Secret>, fault: Option<Fault>) -> Self {
        let descriptor = descriptor(&account, &key, fault);
        let base = Endpoint::parse("https://bank.example/toy", PlainHttp::LoopbackOnly).unwrap();
        Self { account, key, previous, base, descriptor, fault }
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn request(&self, cx: &Cx<'_>, op: &str, number: &str, amount: i64, more: Value) -> WireRequest {
        let mut call = json!({"account": self.account, "op": op, "number": number, "amount": amount,
            "time": cx.now().ms()});
        if let (Some(call), Value::Object(more)) = (call.as_object_mut(), more) {
            call.extend(more);
        }
        let key = if self.has(Fault::SignsWithAnotherKey) { KEY_PREVIOUS } else { self.key.expose() };
        call["sign"] = Value::from(call_sign(&call, key));
        WireRequest::new(Verb::Post, "/call").body("application/json", call.to_string())
    }

    /// One call, and its answer with a code.
    async fn call(
        &self,
        cx: &Cx<'_>,
        op: &str,
        number: &str,
        amount: i64,
        more: Value,
    ) -> Result<Value, ChannelError> {
        let request = self.request(cx, op, number, amount, more);
        if self.has(Fault::LogsItsKey) {
            tracing::debug!(key = self.key.expose(), op, "a call");
        }
        let sent_as = String::from_utf8_lossy(&request.body).into_owned();
        let mut answer = cx.send(&self.base, request.clone()).await;
        let again = (self.has(Fault::RefundsTwice) && op == "refund")
            || (self.has(Fault::SendsAgain)
                && matches!(answer, Err(Undelivered::NoAnswer(NoAnswer::Broken))));
        if again {
            answer = cx.send(&self.base, request).await;
        }
        if self.has(Fault::IgnoresTheDeadline) && answer == Err(Undelivered::NoAnswer(NoAnswer::TimedOut)) {
            tokio::time::sleep(Duration::from_mins(1)).await;
        }
        let response = match answer {
            Err(Undelivered::NoAnswer(_)) if self.has(Fault::SaysNotSentAfterACut) => {
                return Err(ChannelError::NotSent(NotSent::Connect));
            }
            Err(Undelivered::NotSent(_)) if self.has(Fault::SaysUnknownThoughNothingLeft) => {
                return Err(unknown("the bank could not be reached"));
            }
            answer => answer?,
        };
        self.read(&response, &sent_as)
    }

    fn read(&self, response: &WireResponse, sent_as: &str) -> Result<Value, ChannelError> {
        if (500..600).contains(&response.status) && !self.has(Fault::ReadsServerErrors) {
            let status = response.status;
            return Err(match self.fault {
                Some(Fault::ShowsItsKey) => {
                    unknown(format!("HTTP {status}, signed with {}", self.key.expose()))
                }
                Some(Fault::ShowsTheBody) => unknown(format!("HTTP {status} to {sent_as}")),
                Some(Fault::RefusesOnServerErrors) => refused("server_error", Blame::Provider),
                _ => unknown(format!("HTTP {status}")),
            });
        }
        let reply: Result<Value, _> = serde_json::from_slice(&response.body);
        match reply {
            Ok(reply) if reply["code"].is_string() => Ok(reply),
            _ if self.has(Fault::TakesTheUnreadableForGood) => {
                Ok(json!({"code": "ok", "url": "https://bank.example/pay", "state": "open", "rows": []}))
            }
            _ => Err(unknown("an answer that cannot be read")),
        }
    }

    fn found(&self, reply: &Value, order: &OrderRef) -> Result<QueryAnswer, ChannelError> {
        match (reply["code"].as_str(), reply["state"].as_str()) {
            (Some("ok"), Some("paid")) if self.has(Fault::TrustsTheLedgersAmount) => {
                Ok(QueryAnswer::Paid(Receipt::of(order.amount)))
            }
            (Some("ok"), Some("paid")) => Ok(QueryAnswer::Paid(Receipt::of(minor(reply, "received")?))),
            (Some("ok"), Some("open")) if self.has(Fault::FindsOpenOrdersClosed) => Ok(QueryAnswer::Closed),
            (Some("ok"), Some("open")) => Ok(QueryAnswer::Open),
            (Some("ok"), Some("closed")) => Ok(QueryAnswer::Closed),
            (Some("absent"), _) if self.has(Fault::FindsTheAbsentPaid) => {
                Ok(QueryAnswer::Paid(Receipt::of(order.amount)))
            }
            (Some("absent"), _) => Ok(QueryAnswer::NotFound),
            _ => Err(unknown("a state that no table lists")),
        }
    }

    /// The keys that verify callbacks.
    fn keys(&self) -> Vec<&str> {
        let (current, previous) = (self.key.expose(), self.previous.as_ref().map(Secret::expose));
        match self.fault {
            Some(Fault::BelievesThePreviousKeyOnly) => previous.into_iter().collect(),
            Some(Fault::BelievesTheCurrentKeyOnly) => vec![current],
            Some(Fault::BelievesThePreviousKeyForEver) => vec![current, KEY_PREVIOUS],
            Some(Fault::BelievesAnotherAccount) => {
                previous.into_iter().chain([current, KEY_OF_ANOTHER]).collect()
            }
            _ => previous.into_iter().chain([current]).collect(),
        }
    }

    fn check_sign(&self, request: &WireRequest, body: &str) -> Result<(), CallbackError> {
        let wrong = |what: &str| Err(CallbackError::BadSign(what.to_owned()));
        let Some(sign) = request.headers.first(SIGN).filter(|sign| !sign.is_empty()) else {
            return if self.has(Fault::NeedsNoSign) { Ok(()) } else { wrong("there is none") };
        };
        let lower = sign.to_ascii_lowercase();
        let sign = if self.has(Fault::TakesAnyLetterCase) { lower.as_str() } else { sign };
        let is_right = self.keys().iter().any(|key| callback_sign(body, key) == sign);
        if is_right || self.has(Fault::ForgetsTheSign) { Ok(()) } else { wrong("it fits no key") }
    }
}

#[async_trait]
impl Channel for Toy {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    async fn create(&self, cx: &Cx<'_>, order: &Order) -> Result<Created, ChannelError> {
        if !self.has(Fault::TakesAnyAmount) {
            self.descriptor.taking(order)?;
        }
        let number = order.number.as_str();
        let number = if self.has(Fault::ChangesTheNumber) { format!("P{number}") } else { number.to_owned() };
        let left = order.expires_at.since(cx.now()).as_secs();
        let life = if self.has(Fault::LivesTooLong) { left * 2 } else { left };
        let mut amount = order.amount.minor();
        if self.has(Fault::ChangesTheAmount) {
            amount += 1;
        }
        let more = json!({"currency": order.amount.currency().code(), "life": life});
        let reply = self.call(cx, "create", &number, amount, more).await?;
        match reply["code"].as_str().unwrap_or_default() {
            "ok" if self.has(Fault::ShowsThePayerNothing) => Ok(Created::Open(Opened::default())),
            "ok" => {
                let url =
                    reply["url"].as_str().ok_or_else(|| unknown("an order without its `url`"))?.to_owned();
                let action = Some(NextAction::Redirect { url });
                Ok(Created::Open(Opened { action, reference: None }))
            }
            "account_blocked" | "bad_field" if self.has(Fault::KnowsNoRefusal) => Err(unknown("refused")),
            "account_blocked" if self.has(Fault::BlamesTheRequest) => {
                Err(refused("account_blocked", Blame::Request))
            }
            "account_blocked" => Err(refused("account_blocked", Blame::Account)),
            "bad_field" => Err(refused("bad_field", Blame::Request)),
            code if self.has(Fault::TakesEveryCodeForARefusal) => Err(refused(code, Blame::Provider)),
            _ => Err(unknown("a code that no table lists")),
        }
    }

    async fn query(&self, cx: &Cx<'_>, order: &OrderRef) -> Result<QueryAnswer, ChannelError> {
        let number = order.number.as_str();
        if self.has(Fault::QueriesByCreating) {
            let more = json!({"currency": "CNY"});
            drop(self.call(cx, "create", number, order.amount.minor(), more).await?);
        }
        let reply = self.call(cx, "query", number, 0, json!({})).await?;
        self.found(&reply, order)
    }

    /// Not in the last hour of a day.
    fn cancel_not_before(&self, _: Method, at: Timestamp) -> Option<Timestamp> {
        const DAY_MS: i64 = 24 * 60 * 60 * 1000;
        const HOUR_MS: i64 = 60 * 60 * 1000;
        let midnight = (at.ms().div_euclid(DAY_MS) + 1) * DAY_MS;
        let opens = if self.has(Fault::KeepsClosesBackForEver) { midnight - 1 } else { midnight };
        (midnight - at.ms() <= HOUR_MS).then(|| Timestamp::from_ms(opens.max(at.ms() + 1)))
    }

    async fn cancel(&self, cx: &Cx<'_>, order: &OrderRef) -> Result<CancelAnswer, ChannelError> {
        if self.has(Fault::ClosesWithoutAsking) {
            self.call(cx, "query", order.number.as_str(), 0, json!({})).await?;
            return Ok(CancelAnswer::Closed);
        }
        if cx.now() < order.created_at.plus(CLOSE_FROM) && !self.has(Fault::ClosesTooEarly) {
            return Ok(CancelAnswer::Refused("the order is too young".to_owned()));
        }
        let reply = self.call(cx, "cancel", order.number.as_str(), 0, json!({})).await?;
        match self.found(&reply, order)? {
            QueryAnswer::Paid(_) if self.has(Fault::ClosesWhatIsPaid) => Ok(CancelAnswer::Closed),
            QueryAnswer::Paid(receipt) => Ok(CancelAnswer::Paid(receipt)),
            QueryAnswer::Closed => Ok(CancelAnswer::Closed),
            QueryAnswer::Returned(_) | QueryAnswer::Returning(_) => {
                Err(unknown("it was paid, and is no more"))
            }
            QueryAnswer::Open | QueryAnswer::NotFound => {
                Ok(CancelAnswer::Refused("it stays open".to_owned()))
            }
        }
    }

    fn refund_number(&self, id: RefundId, _: Timestamp) -> String {
        if self.has(Fault::NumbersAllRefundsAlike) { "R1".to_owned() } else { id.digits() }
    }

    async fn refund(&self, cx: &Cx<'_>, refund: &RefundOrder) -> Result<OutflowAnswer, ChannelError> {
        let number = &refund.number;
        let number =
            if self.has(Fault::ChangesTheRefundsNumber) { format!("{number}0") } else { number.clone() };
        let more = json!({"order": refund.order.number.as_str()});
        let reply = self.call(cx, "refund", &number, refund.amount.minor(), more).await?;
        match reply["code"].as_str().unwrap_or_default() {
            "ok" => Ok(OutflowAnswer::Done { reference: None }),
            // What it would say to a number that it has: the first of the two requests of that fault.
            "number_taken" if self.has(Fault::RefundsTwice) => Ok(OutflowAnswer::Done { reference: None }),
            "not_paid" if self.has(Fault::RefundsTheUnpaid) => Ok(OutflowAnswer::Pending { reference: None }),
            "not_paid" => Err(refused("not_paid", Blame::Request)),
            _ => Err(unknown("a code that no table lists")),
        }
    }

    async fn query_refund(&self, cx: &Cx<'_>, refund: &RefundOrder) -> Result<OutflowAnswer, ChannelError> {
        let reply = self.call(cx, "query_refund", &refund.number, 0, json!({})).await?;
        match reply["code"].as_str().unwrap_or_default() {
            "ok" => Ok(OutflowAnswer::Done { reference: None }),
            "absent" if self.has(Fault::FindsTheAbsentRefundFailed) => {
                Ok(OutflowAnswer::Failed { code: "absent".to_owned(), message: "not there".to_owned() })
            }
            "absent" => Ok(OutflowAnswer::NotFound),
            _ => Err(unknown("a code that no table lists")),
        }
    }

    async fn list(
        &self,
        cx: &Cx<'_>,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<ListedOrder>, ChannelError> {
        let (from, to) = if self.has(Fault::ListsEverything) { (0, i64::MAX) } else { (from.ms(), to.ms()) };
        let reply = self.call(cx, "list", "", 0, json!({"from": from, "to": to})).await?;
        let rows = reply["rows"].as_array().ok_or_else(|| unknown("an answer without `rows`"))?;
        let row = |row: &Value| {
            Ok(ListedOrder {
                number: row["number"].as_str().unwrap_or_default().to_owned(),
                amount: Some(minor(row, "amount")?),
                received: row["received"].as_i64().map(Money::fen),
                reverted: false,
                flaw: None,
                created_at: Timestamp::from_ms(row["made_at"].as_i64().unwrap_or_default()),
                terms: None,
            })
        };
        rows.iter().map(row).collect()
    }

    async fn list_refunds(
        &self,
        _: &Cx<'_>,
        _: Timestamp,
        _: Timestamp,
    ) -> Result<Vec<ListedRefund>, ChannelError> {
        if self.has(Fault::FakesAnAbility) { Ok(Vec::new()) } else { Err(ChannelError::Unsupported) }
    }

    fn verify_callback(&self, request: &WireRequest) -> Result<Claim, CallbackError> {
        let unreadable = || CallbackError::Unreadable("write one JSON object".to_owned());
        let body = std::str::from_utf8(&request.body).map_err(|_| unreadable())?;
        self.check_sign(request, body)?;
        let told: Value = serde_json::from_str(body).map_err(|_| unreadable())?;
        if told["account"] != ACCOUNT && !self.has(Fault::BelievesAnotherAccount) {
            return Err(CallbackError::BadSign("another account's".to_owned()));
        }
        let number = told["number"].as_str().ok_or_else(unreadable)?;
        let note = request.headers.first(NOTE).filter(|_| self.has(Fault::BelievesTheUnsigned));
        let amount = |name: &str| told[name].as_i64().map(Money::fen).ok_or_else(unreadable);
        let asked = amount("asked")?;
        let received = if self.has(Fault::ClaimsWhatWasAsked) { asked } else { amount("amount")? };
        let event_key = match self.fault {
            Some(Fault::KeysEventsByTime) => format!("paid:{number}:{}", told["time"]),
            Some(Fault::KeysEventsByKind) => "paid".to_owned(),
            _ => format!("paid:{number}"),
        };
        Ok(Claim {
            number: note.unwrap_or(number).to_owned(),
            kind: if self.has(Fault::MistakesTheKind) { ClaimKind::Refunded } else { ClaimKind::Paid },
            event_key,
            order_amount: Some(asked),
            received,
            method: None,
            trade_no: None,
            trade_no_is_signed: true,
            evidence: Evidence::Settles,
        })
    }

    fn fits(&self, _: &WireRequest, _: &Claim, _: &OrderRef) -> Result<(), &'static str> {
        if self.has(Fault::FitsNothing) { Err("nothing fits") } else { Ok(()) }
    }

    fn acknowledge(&self, verdict: Verdict) -> WireResponse {
        let (status, body) = match verdict {
            Verdict::Accepted if self.has(Fault::AcknowledgesWithALineBreak) => (200, "OK\n"),
            Verdict::Accepted => (200, "OK"),
            Verdict::Rejected if self.has(Fault::AcknowledgesTheForged) => (200, "OK"),
            Verdict::Rejected => (400, "NO"),
            Verdict::TryAgain => (503, "AGAIN"),
        };
        WireResponse::with_status(status, "text/plain", body)
    }

    fn verify_return(&self, request: &WireRequest) -> Result<String, CallbackError> {
        let number = request.query_value("number").filter(|_| self.has(Fault::BelievesAWayBack));
        number.ok_or_else(|| CallbackError::Unreadable("this provider signs no way back".to_owned()))
    }

    async fn native(&self, _: &Cx<'_>, operation: &str, _: Value) -> Result<Value, ChannelError> {
        if self.has(Fault::KnowsEveryOperation) {
            Ok(json!({"done": operation}))
        } else {
            Err(ChannelError::Unsupported)
        }
    }
}
