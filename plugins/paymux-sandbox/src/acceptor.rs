//! The server side of the sandbox's own small protocol: read a call, check its sign, answer.
//!
//! Three calls, each a POST with a JSON body that the header `sandbox-sign` covers together with
//! the path. What happens between reading and answering is the host's.

use std::collections::BTreeMap;
use std::time::Duration;

use paymux_core::acceptor::{
    Acceptor, FrontAccount, FrontAccounts, FrontAnswer, FrontCall, FrontFact, FrontOrder, FrontPay,
    FrontRead, FrontRefusal, FrontRoute,
};
use paymux_core::provider::{SettingError, SettingKey, SettingReader, Settings};
use paymux_core::{Currency, Money, Secret, Timestamp, Verb, WireRequest, WireResponse};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::ID;
use crate::config::is_key;
use crate::map::AMOUNT_MAX;
use crate::sign::{self, CALLBACK, SIGN_HEADER};
use crate::wire::{self, Callback, CallbackKind, JSON, OpenCall, OrderCall};

/// How far a call's `time` may be from our clock, either way.
const WINDOW: Duration = Duration::from_mins(5);
/// The largest call that is read, in bytes.
const BODY_BYTES_MAX: usize = 65_536;

const CREATE: &str = "/sandbox/create";
const QUERY: &str = "/sandbox/query";
const CANCEL: &str = "/sandbox/cancel";

const ROUTES: &[FrontRoute] = &[
    FrontRoute { verb: Verb::Post, path: CREATE },
    FrontRoute { verb: Verb::Post, path: QUERY },
    FrontRoute { verb: Verb::Post, path: CANCEL },
];

const SETTINGS: &[SettingKey] = &[
    SettingKey::new("account", "what the client calls itself").required(),
    SettingKey::new("key", "signs its calls and its callbacks").secret().required(),
];

/// When a callback that was not acknowledged comes again.
const SCHEDULE: &[Duration] = &[Duration::from_secs(5), Duration::from_secs(30), Duration::from_mins(2)];

/// The sandbox's protocol as a server speaks it.
pub(crate) struct SandboxAcceptor;

/// Why a call is not taken.
struct Fault {
    status: u16,
    error: &'static str,
    detail: String,
}

impl Fault {
    fn new(status: u16, error: &'static str, detail: impl Into<String>) -> Self {
        Self { status, error, detail: detail.into() }
    }

    fn answer(&self) -> WireResponse {
        answer(self.status, &json!({"error": self.error, "detail": self.detail}))
    }
}

impl Acceptor for SandboxAcceptor {
    fn slug(&self) -> &'static str {
        ID
    }

    fn settings(&self) -> &'static [SettingKey] {
        SETTINGS
    }

    fn check_settings(&self, settings: &Settings) -> Vec<SettingError> {
        SettingReader::check(settings, SETTINGS, |_, value| {
            let is_good = value.as_str().is_some_and(is_key);
            (!is_good).then(|| "write 1 to 128 visible ASCII characters".to_owned())
        })
    }

    fn routes(&self) -> &'static [FrontRoute] {
        ROUTES
    }

    fn read(
        &self,
        accounts: &dyn FrontAccounts,
        request: &WireRequest,
        now: Timestamp,
    ) -> Result<FrontRead, WireResponse> {
        let read =
            match (request.verb, request.path.as_str()) {
                (Verb::Post, CREATE) => create(accounts, request, now),
                (Verb::Post, QUERY) => about(accounts, request, now)
                    .map(|(account, number)| (account, FrontCall::Query { number })),
                (Verb::Post, CANCEL) => about(accounts, request, now)
                    .map(|(account, number)| (account, FrontCall::Cancel { number })),
                _ => return Err(self.not_found(request)),
            };
        read.map(|(account, call)| FrontRead { account, call, memo: String::new() })
            .map_err(|fault| fault.answer())
    }

    fn answer(&self, _read: &FrontRead, told: &FrontAnswer, _now: Timestamp) -> WireResponse {
        match told {
            FrontAnswer::Opened { id, action } => {
                answer(200, &json!({"outcome": "open", "id": id, "action": action}))
            }
            FrontAnswer::Paid { id } => answer(200, &json!({"outcome": "paid", "id": id})),
            FrontAnswer::InDoubt => answer(202, &json!({"outcome": "unknown"})),
            FrontAnswer::Order(Some(order)) => answer(200, &order_json(order)),
            FrontAnswer::Order(None) => Fault::new(404, "not_found", "no order of that number").answer(),
            FrontAnswer::Canceled(true) => answer(200, &json!({"state": "closed"})),
            FrontAnswer::Canceled(false) => {
                Fault::new(409, "not_closed", "the order stays as it was").answer()
            }
            FrontAnswer::Refused(refusal) => refused(refusal).answer(),
            FrontAnswer::Orders(_)
            | FrontAnswer::Count(_)
            | FrontAnswer::Refund(_)
            | FrontAnswer::Refunds(_)
            | FrontAnswer::Approved(_)
            | FrontAnswer::Payouts(_)
            | FrontAnswer::PartlyPaidOut(_)
            | FrontAnswer::Native(_) => {
                Fault::new(500, "no_such_answer", "this protocol has neither lists nor refunds").answer()
            }
        }
    }

    fn not_found(&self, _request: &WireRequest) -> WireResponse {
        Fault::new(404, "no_such_call", format!("post to {CREATE}, {QUERY} or {CANCEL}")).answer()
    }

    fn notice(&self, account: &FrontAccount, fact: &FrontFact, now: Timestamp) -> WireRequest {
        let (number, amount, at, kind) = match fact {
            FrontFact::Paid(order) => {
                (&order.number, order.received.unwrap_or(order.amount), order.paid_at, None)
            }
            FrontFact::Refunded(refund) => {
                (&refund.number, refund.amount, refund.ended_at, Some(CallbackKind::Refunded))
            }
            FrontFact::PaidOut(payout) => {
                (&payout.number, payout.amount, payout.ended_at, Some(CallbackKind::Transferred))
            }
        };
        let callback = Callback {
            number: number.clone(),
            amount: amount.minor(),
            currency: amount.currency().code().to_owned(),
            time: at.unwrap_or(now).ms(),
            kind,
            trade_no: None,
        };
        let body = serde_json::to_vec(&callback).unwrap_or_default();
        let sign = sign::sign(CALLBACK, &body, &key(account)).to_hex();
        WireRequest::new(Verb::Post, "/").header(SIGN_HEADER, sign.as_str()).body(JSON, body)
    }

    fn acknowledged(&self, response: &WireResponse) -> bool {
        response.status == 200 && response.body.as_ref() == b"ok"
    }

    fn schedule(&self) -> &'static [Duration] {
        SCHEDULE
    }
}

fn create(
    accounts: &dyn FrontAccounts,
    request: &WireRequest,
    now: Timestamp,
) -> Result<(FrontAccount, FrontCall), Fault> {
    let call: OpenCall = parse(request)?;
    let account = account(accounts, request, &call.account, call.time, now)?;
    let invalid = |detail: String| Fault::new(400, "invalid_field", detail);
    let currency = Currency::from_code(&call.currency)
        .ok_or_else(|| invalid("`currency` is no ISO 4217 code".to_owned()))?;
    if !(1..=AMOUNT_MAX).contains(&call.amount) {
        return Err(invalid("`amount` must be minor units, more than zero".to_owned()));
    }
    let pay = FrontPay {
        number: call.number,
        amount: Money::new(call.amount, currency),
        method: call.method.parse().map_err(|error| invalid(format!("`method`: {error}")))?,
        subject: call.subject,
        expires_in: call.expires_in.map(|seconds| Duration::from_secs(seconds.into())),
        return_url: call.return_url,
        notify_url: call.notify_url,
        payer_ip: call.ip,
        payer_id: None,
        openid: call.openid,
        auth_code: call.auth_code.map(Secret::new),
        echo: Value::Null,
        extra: BTreeMap::new(),
    };
    Ok((account, FrontCall::Pay(Box::new(pay))))
}

/// A call about an order: who asks, and the number.
fn about(
    accounts: &dyn FrontAccounts,
    request: &WireRequest,
    now: Timestamp,
) -> Result<(FrontAccount, String), Fault> {
    let call: OrderCall = parse(request)?;
    let account = account(accounts, request, &call.account, call.time, now)?;
    Ok((account, call.number))
}

/// The body has to be parsed before its sign can be checked: it says whose key it is.
fn parse<T: DeserializeOwned>(request: &WireRequest) -> Result<T, Fault> {
    if request.body.len() > BODY_BYTES_MAX {
        return Err(Fault::new(413, "too_large", format!("at most {BODY_BYTES_MAX} bytes")));
    }
    wire::read(&request.body).map_err(|error| Fault::new(400, "unreadable", error.to_string()))
}

fn account(
    accounts: &dyn FrontAccounts,
    request: &WireRequest,
    name: &str,
    time: i64,
    now: Timestamp,
) -> Result<FrontAccount, Fault> {
    let unauthorized = || Fault::new(401, "bad_sign", "no such account, or not signed with its key");
    let account = accounts.find("account", name).ok_or_else(unauthorized)?;
    let received = request.headers.first(SIGN_HEADER).ok_or_else(unauthorized)?;
    if !sign::is_signed(&request.path, &request.body, &key(&account), received) {
        return Err(unauthorized());
    }
    if u128::from(now.ms().abs_diff(time)) > WINDOW.as_millis() {
        return Err(Fault::new(401, "stale", format!("`time` is more than {} s off", WINDOW.as_secs())));
    }
    Ok(account)
}

fn key(account: &FrontAccount) -> Secret {
    Secret::new(account.settings.get("key").and_then(Value::as_str).unwrap_or_default())
}

fn order_json(order: &FrontOrder) -> Value {
    let state = match (order.received, order.closed) {
        (Some(_), _) => "paid",
        (None, true) => "closed",
        (None, false) => "open",
    };
    json!({
        "id": order.id,
        "number": order.number,
        "state": state,
        "amount": order.amount.minor(),
        "currency": order.amount.currency().code(),
        "received": order.received.map(Money::minor),
        "trade_no": order.trade_no,
    })
}

fn refused(refusal: &FrontRefusal) -> Fault {
    match refusal {
        FrontRefusal::NumberTaken => Fault::new(422, "number_taken", "the number was used before"),
        FrontRefusal::SignUsed => Fault::new(401, "sign_used", "the sign was used for another call"),
        FrontRefusal::MethodUnavailable => {
            Fault::new(422, "method_unavailable", "not offered to this account")
        }
        FrontRefusal::Field { name, rule } => Fault::new(400, "invalid_field", format!("`{name}`: {rule}")),
        FrontRefusal::NoSuchOrder => Fault::new(404, "not_found", "no order of that number"),
        FrontRefusal::NoSuchRefund => Fault::new(404, "not_found", "no refund of that number"),
        FrontRefusal::OrderUnpaid => Fault::new(409, "not_paid", "the order is not paid"),
        FrontRefusal::RefundTooLate => Fault::new(422, "too_late", "the order is too old for a refund"),
        FrontRefusal::RefundInProgress => Fault::new(409, "in_progress", "a refund of it is in progress"),
        FrontRefusal::RefundTooLarge => Fault::new(422, "too_large", "more than what is left"),
        FrontRefusal::Upstream(why) => Fault::new(422, "refused", why.clone()),
        FrontRefusal::Told { detail, .. } => Fault::new(422, "refused", detail.clone()),
        FrontRefusal::Code(code) => Fault::new(422, "refused", format!("code {code}")),
    }
}

fn answer(status: u16, body: &Value) -> WireResponse {
    WireResponse::with_status(status, JSON, body.to_string())
}
