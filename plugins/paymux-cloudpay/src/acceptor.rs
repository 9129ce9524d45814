//! The server side: reads a client's create, checks key, fields and sign, and answers in cloudpay's words. What it
//! sends by itself, the notification and the way back, is written in `notice`.
//!
//! Since the sign has no borders, every field is taken in one form only: the price with exactly two decimals, a
//! known type, and no order number that begins with `~`, which is how our own `product_id` begins. What happens
//! between reading and answering is the host's: a router, or a pretend bank.
//!
//! Source: cloudpay's integration document, create call and status codes.

mod notice;

use std::collections::BTreeMap;
use std::time::Duration;

use paymux_core::acceptor::{
    Acceptor, FrontAccount, FrontAccounts, FrontAnswer, FrontCall, FrontFact, FrontOrder, FrontPay,
    FrontRead, FrontRefusal, FrontRoute, FrontSign,
};
use paymux_core::provider::{SettingError, SettingKey, SettingReader, Settings};
use paymux_core::{Method, NextAction, Product, Secret, Timestamp, Verb, WireRequest, WireResponse};
use serde::Serialize;
use serde_json::{Value, json};

use crate::ID;
use crate::config::{APPKEY_EXAMPLE, CREDENTIAL_RULE, TYPES, Types, is_credential};
use crate::map::{code_row, is_web_address};
use crate::sign::{Message, SIGN, is_signed};
use crate::wire::{CREATE_PATH, Fields, JSON, is_number, yuan_exact};

/// cloudpay's protocol as a server speaks it.
pub(crate) struct CloudPayAcceptor;

const ROUTES: &[FrontRoute] = &[FrontRoute { verb: Verb::Post, path: CREATE_PATH }];

/// The parameters of a create. Any other is forbidden.
const PARAMETERS: [&str; 6] = ["appkey", "price", "type", "out_order_id", "custom", SIGN];
/// The longest `custom`, in bytes.
const CUSTOM_BYTES_MAX: usize = 512;
/// What no client's order number begins with, and every `product_id` of ours does: else the sign of a payer's way
/// back would be that of a create whose fields run together to the same text.
pub(super) const OWN_MARK: char = '~';
/// What stands behind the path of a page where the picture of its code is.
const PICTURE: &str = "/qr.svg";

const SETTINGS: &[SettingKey] = &[
    SettingKey::new("appkey", "what the client calls itself").required().such_as(APPKEY_EXAMPLE),
    SettingKey::new("appsecret", "verifies the client's creates and signs what it gets").secret().required(),
    SettingKey::new("appsecret_previous", "verifies creates too, during a change").secret(),
    SettingKey::new(
        "return_url",
        "where the payer's browser goes once the order is paid: the synchronous callback URL",
    )
    .such_as("https://shop.example.com/paid"),
    SettingKey::new(
        "timeout_url",
        "where the payer's browser goes when the order ends unpaid: the payment timeout URL",
    )
    .such_as("https://shop.example.com/unpaid"),
    TYPES,
];

/// Why a create is not taken, by the gateway's code.
struct Fault {
    code: i64,
    detail: String,
}

impl Fault {
    fn new(code: i64, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }
}

impl Acceptor for CloudPayAcceptor {
    fn slug(&self) -> &'static str {
        ID
    }

    fn settings(&self) -> &'static [SettingKey] {
        SETTINGS
    }

    fn check_settings(&self, settings: &Settings) -> Vec<SettingError> {
        SettingReader::check(settings, SETTINGS, |key, value| wrong_setting(settings, key.name, value))
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
        if request.verb != Verb::Post || request.path.trim_end_matches('/') != CREATE_PATH {
            return Err(self.not_found(request));
        }
        read(accounts, request).map_err(|fault| refused(&fault, now))
    }

    fn answer(&self, read: &FrontRead, answer: &FrontAnswer, now: Timestamp) -> WireResponse {
        let fault = match answer {
            FrontAnswer::Opened { action, .. } => match page(action.as_ref()) {
                Some(url) => return opened(read, url, now),
                None => Fault::new(199, "the order is open, and its page cannot be shown yet"),
            },
            FrontAnswer::Refused(refusal) => why(refusal),
            FrontAnswer::InDoubt => {
                Fault::new(199, "what became of the order is not known yet; it is being asked about")
            }
            FrontAnswer::Paid { .. } => Fault::new(199, "the order is paid already; the notification tells"),
            FrontAnswer::Order(_)
            | FrontAnswer::Orders(_)
            | FrontAnswer::Count(_)
            | FrontAnswer::Canceled(_)
            | FrontAnswer::Refund(_)
            | FrontAnswer::Refunds(_)
            | FrontAnswer::Approved(_)
            | FrontAnswer::Payouts(_)
            | FrontAnswer::PartlyPaidOut(_)
            | FrontAnswer::Native(_) => Fault::new(199, "this protocol has no such answer"),
        };
        refused(&fault, now)
    }

    /// A client takes any status but 200 for an open outcome, so only a wrong path has one.
    fn not_found(&self, request: &WireRequest) -> WireResponse {
        let path: String = request.path.chars().take(80).collect();
        let detail = format!("{} {path} is not offered here; post to {CREATE_PATH}", request.verb.as_str());
        let mut response = refused(&Fault::new(107, detail), Timestamp::from_ms(0));
        response.status = 404;
        response
    }

    fn trees(&self) -> &'static [&'static str] {
        &["/api/cloudpay/"]
    }

    fn unread(&self, _request: &WireRequest, what: &str) -> WireResponse {
        refused(&Fault::new(105, format!("the body: {what}")), Timestamp::from_ms(0))
    }

    /// One number and one `custom` for each: they run together in what is signed. The sign has no time in it, so it
    /// is held for ever.
    fn sign(&self, read: &FrontRead, _request: &WireRequest) -> Option<FrontSign> {
        let FrontCall::Pay(pay) = &read.call else { return None };
        let (_, key) = read.memo.split_once(' ')?;
        let call = json!([pay.number, pay.echo]).to_string().into_bytes();
        Some(FrontSign { key: key.to_owned(), call, until: None })
    }

    /// `pay_url` is a page, and the picture of its code is behind it.
    fn wants_page(&self) -> bool {
        true
    }

    fn notice(&self, account: &FrontAccount, fact: &FrontFact, _now: Timestamp) -> WireRequest {
        match fact {
            FrontFact::Paid(order) => notice::paid(account, order),
            FrontFact::Refunded(refund) => notice::paid(account, &refund.order),
            FrontFact::PaidOut(_) => WireRequest::new(Verb::Post, "/"),
        }
    }

    /// Nobody is told of money that went back or out: the protocol has no message for it.
    fn tells(&self, fact: &FrontFact) -> bool {
        matches!(fact, FrontFact::Paid(_))
    }

    fn return_query(&self, account: &FrontAccount, order: &FrontOrder) -> Option<String> {
        Some(notice::way_back(account, order))
    }

    fn timeout_url(&self, account: &FrontAccount) -> Option<String> {
        account.settings.get("timeout_url").and_then(Value::as_str).map(str::to_owned)
    }

    /// The very bytes.
    fn acknowledged(&self, response: &WireResponse) -> bool {
        response.status == 200 && response.body.as_ref() == b"success"
    }

    /// The document promises one try.
    fn schedule(&self) -> &'static [Duration] {
        &[]
    }
}

/// What is wrong with a setting that is there.
fn wrong_setting(settings: &Settings, name: &str, value: &Value) -> Option<String> {
    let text = value.as_str();
    let (is_good, rule) = match name {
        "types" => return Types::read(settings, name).err().map(|error| error.rule),
        "return_url" | "timeout_url" => {
            (text.is_some_and(is_web_address), "write an address that begins with http:// or https://")
        }
        _ => (text.is_some_and(is_credential), CREDENTIAL_RULE),
    };
    (!is_good).then(|| rule.to_owned())
}

fn read(accounts: &dyn FrontAccounts, request: &WireRequest) -> Result<FrontRead, Fault> {
    let fields = Fields::of_body(request).map_err(|what| Fault::new(105, format!("the body: {what}")))?;
    let account = account(accounts, &fields)?;
    let (pay, word) = pay(&account, &fields)?;
    // One number and one `custom` for each sign: the host needs it to hold a client to that.
    let memo = format!("{word} {}", fields.text(SIGN).unwrap_or_default());
    Ok(FrontRead { account, call: FrontCall::Pay(Box::new(pay)), memo })
}

/// Who calls, and whether the call is theirs: key, presence of every field, nothing else, sign.
fn account(accounts: &dyn FrontAccounts, fields: &Fields) -> Result<FrontAccount, Fault> {
    let appkey = fields.text("appkey").ok_or_else(|| Fault::new(101, "appkey is missing"))?;
    let account = accounts.find("appkey", appkey).ok_or_else(|| Fault::new(102, "appkey is not known"))?;
    if fields.text(SIGN).is_none() {
        return Err(Fault::new(103, "sign is missing"));
    }
    for name in ["price", "type", "out_order_id"] {
        if fields.bytes(name).is_empty() {
            return Err(Fault::new(105, format!("{name} is missing")));
        }
    }
    if let Some(name) = fields.names().find(|name| !PARAMETERS.contains(name)) {
        let name: String = name.chars().take(40).collect();
        return Err(Fault::new(106, format!("{name} is not a parameter; send {}", PARAMETERS.join(", "))));
    }
    let secrets = ["appsecret", "appsecret_previous"].map(|name| secret(&account, name));
    if is_signed(Message::Create, appkey, fields, secrets.iter().flatten()) {
        return Ok(account);
    }
    let rule = "sign is wrong: it is the MD5, in lower-case hex, of (the MD5 of appkey, price, type, out_order_id and \
         custom, in lower-case hex) and appsecret";
    Err(Fault::new(104, rule))
}

pub(super) fn secret(account: &FrontAccount, name: &str) -> Option<Secret> {
    account.settings.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(Secret::new)
}

fn pay(account: &FrontAccount, fields: &Fields) -> Result<(FrontPay, String), Fault> {
    let price = fields.text("price").and_then(yuan_exact);
    let amount = price.ok_or_else(|| {
        Fault::new(
            201,
            "price: write yuan, more than zero, with exactly two decimals and no leading zero, like 10.23",
        )
    })?;
    let types = Types::read(&account.settings, "types").unwrap_or_default();
    let known = || types.wallets().filter_map(|wallet| types.word(wallet)).collect::<Vec<_>>().join(", ");
    let word = fields.text("type").unwrap_or_default();
    let wallet = types
        .wallet(word)
        .ok_or_else(|| Fault::new(202, format!("type: is none of those offered: {}", known())))?;
    let number = number(fields.text("out_order_id"))?;
    let pay = FrontPay {
        subject: number.clone(),
        number,
        amount,
        // The page shows a code, and every provider that has this wallet has that product.
        method: Method::new(wallet, Product::Native),
        expires_in: None,
        return_url: account.settings.get("return_url").and_then(Value::as_str).map(str::to_owned),
        notify_url: None,
        payer_ip: None,
        payer_id: None,
        openid: None,
        auth_code: None,
        echo: custom(fields)?,
        extra: BTreeMap::new(),
    };
    Ok((pay, word.to_owned()))
}

/// A client's number, as given.
fn number(text: Option<&str>) -> Result<String, Fault> {
    let number = text.filter(|number| is_number(number) && !number.starts_with(OWN_MARK));
    number.map(str::to_owned).ok_or_else(|| {
        let rule = "out_order_id: must be 1 to 64 visible ASCII characters without blanks, the first not ~";
        Fault::new(105, rule)
    })
}

/// Null where it is absent: then it is not echoed.
fn custom(fields: &Fields) -> Result<Value, Fault> {
    if !fields.has("custom") {
        return Ok(Value::Null);
    }
    match std::str::from_utf8(fields.bytes("custom")) {
        Ok(text) if text.len() <= CUSTOM_BYTES_MAX => Ok(Value::from(text)),
        _ => Err(Fault::new(105, "custom: must be at most 512 bytes of UTF-8")),
    }
}

/// The code for a host's refusal.
fn why(refusal: &FrontRefusal) -> Fault {
    match refusal {
        // The document has no code for it and allows 199; a definite one would let the client take the order for
        // unpaid.
        FrontRefusal::NumberTaken => {
            Fault::new(199, "out_order_id is in use for another order; take a new one")
        }
        FrontRefusal::SignUsed => Fault::new(104, "sign was used for another out_order_id or custom"),
        FrontRefusal::MethodUnavailable => Fault::new(204, "no account can take this payment now"),
        FrontRefusal::Field { name, rule } => {
            let code = match name.as_str() {
                "price" => 201,
                "type" => 202,
                _ => 105,
            };
            Fault::new(code, format!("{name}: {rule}"))
        }
        FrontRefusal::Upstream(why) => Fault::new(206, why.clone()),
        FrontRefusal::Told { code, detail } => Fault::new(*code, detail.clone()),
        FrontRefusal::Code(code) => Fault::new(*code, "as asked for"),
        FrontRefusal::NoSuchOrder
        | FrontRefusal::NoSuchRefund
        | FrontRefusal::OrderUnpaid
        | FrontRefusal::RefundTooLate
        | FrontRefusal::RefundInProgress
        | FrontRefusal::RefundTooLarge => Fault::new(199, "this protocol has neither queries nor refunds"),
    }
}

/// The address that a payer's browser can open.
fn page(action: Option<&NextAction>) -> Option<&str> {
    match action? {
        NextAction::Redirect { url } | NextAction::Qr { qr: url } => {
            Some(url.as_str()).filter(|url| is_web_address(url))
        }
        NextAction::Html { .. } | NextAction::App { .. } | NextAction::Jsapi { .. } => None,
    }
}

/// The fields of every answer, in the order of the document.
#[derive(Serialize)]
struct Answer<'a> {
    code: i64,
    msg: &'a str,
    time: String,
    data: Value,
}

fn written(answer: &Answer<'_>) -> WireResponse {
    // It holds nothing that JSON cannot.
    WireResponse::ok(JSON, serde_json::to_string(answer).unwrap_or_default())
}

/// Code 100: the page, the picture of its code, and the create's own parameters.
fn opened(read: &FrontRead, url: &str, now: Timestamp) -> WireResponse {
    let mut params = serde_json::Map::new();
    if let FrontCall::Pay(pay) = &read.call {
        let (word, sign) = read.memo.split_once(' ').unwrap_or((read.memo.as_str(), ""));
        params.insert("appkey".to_owned(), read.account.settings.get("appkey").cloned().unwrap_or_default());
        params.insert("price".to_owned(), Value::from(pay.amount.to_decimal()));
        params.insert("type".to_owned(), Value::from(word));
        params.insert("out_order_id".to_owned(), Value::from(pay.number.as_str()));
        if !pay.echo.is_null() {
            params.insert("custom".to_owned(), pay.echo.clone());
        }
        params.insert(SIGN.to_owned(), Value::from(sign));
    }
    let data = json!({"pay_url": url, "qrcode_url": picture(url), "params": params});
    let msg = code_row(100).map_or("", |row| row.zh);
    written(&Answer { code: 100, msg, time: now.seconds().to_string(), data })
}

/// Where the picture of a page's code is: behind the page's path, before its query.
fn picture(url: &str) -> String {
    match url.split_once('?') {
        Some((path, query)) => format!("{}{PICTURE}?{query}", path.trim_end_matches('/')),
        None => format!("{}{PICTURE}", url.trim_end_matches('/')),
    }
}

fn refused(fault: &Fault, now: Timestamp) -> WireResponse {
    let words = code_row(fault.code).map_or("未知错误", |row| row.zh);
    let msg = format!("{words} ({})", fault.detail);
    written(&Answer { code: fault.code, msg: &msg, time: now.seconds().to_string(), data: json!([]) })
}
