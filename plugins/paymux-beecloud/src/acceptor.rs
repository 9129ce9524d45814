//! The server side: reads a client's call, checks account, time and sign, then its
//! fields in the order in which BeeCloud was seen to check them.
//!
//! Which call it is says `operation`; fields are read in `fields`, calls about refunds in `refunds`; answers and webhooks are written in
//! `reply` and `refund_reply`. What happens between the two is the host's: a router, or a pretend bank.
//!
//! Source: BeeCloud V2 document; the vendor's own test sheet of 2016 for order and codes of checks.

mod fields;
mod operation;
mod refund_reply;
mod refunds;
mod reply;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use paymux_core::acceptor::{
    Acceptor, FrontAccount, FrontAccounts, FrontAnswer, FrontCall, FrontFact, FrontFilter, FrontPay,
    FrontRead, FrontRoute, FrontSign,
};
use paymux_core::channel::Needs;
use paymux_core::provider::{SettingError, SettingKey, SettingReader, Settings};
use paymux_core::{Money, Secret, Timestamp, Verb, WireRequest, WireResponse};
use paymux_sign::{HexCase, Md5Digest};
use serde_json::{Map, Value};

use self::fields::{Fault, Fields};
use self::operation::{APP_SECRET_MOVES_MONEY, Operation, Signer};
use crate::ID;
use crate::config::{APP_ID_EXAMPLE, is_app_id, is_secret};
use crate::map::codes::{CODES, Code, Family, GROUPS, OTHER_CODES, Page};
use crate::map::extra::{self, EVERYWHERE, Place};
use crate::sign;
use crate::wire::{TITLE_WIDTH_MAX, char_width};

/// BeeCloud's protocol as a server speaks it.
pub(crate) struct BeeCloudAcceptor;

const fn route(verb: Verb, path: &'static str) -> FrontRoute {
    FrontRoute { verb, path }
}

const ROUTES: &[FrontRoute] = &[
    route(Verb::Post, "/2/rest/bill"),
    route(Verb::Post, "/2/rest/offline/bill"),
    route(Verb::Post, "/2/rest/offline/bill/status"),
    route(Verb::Post, "/2/rest/offline/bill/{bill_no}"),
    route(Verb::Get, "/2/rest/bills"),
    route(Verb::Get, "/2/rest/bills/count"),
    route(Verb::Get, "/2/rest/bill/{id}"),
    route(Verb::Post, "/2/rest/refund"),
    route(Verb::Put, "/2/rest/refund"),
    route(Verb::Post, "/2/rest/offline/refund"),
    route(Verb::Get, "/2/rest/refund/status"),
    route(Verb::Get, "/2/rest/refunds"),
    route(Verb::Get, "/2/rest/refunds/count"),
    route(Verb::Get, "/2/rest/refund/{id}"),
];

const SETTINGS: &[SettingKey] = &[
    SettingKey::new("app_id", "the client's id, a UUID").required().such_as(APP_ID_EXAMPLE),
    SettingKey::new("app_secret", "verifies the client's calls").secret().required(),
    SettingKey::new("app_secret_previous", "verifies them too, during a change").secret(),
    SettingKey::new("master_secret", "signs the webhooks that the client gets and verifies its refunds")
        .secret()
        .required(),
    SettingKey::new("master_secret_previous", "verifies refunds too, during a change").secret(),
    SettingKey::flag(
        APP_SECRET_MOVES_MONEY,
        "true = refunds signed with the app secret are taken too; that secret lies in mobile apps",
    ),
];

/// Moments after the first try: 2, 4, 8 ... 2^17 s, then no more.
static SCHEDULE: [Duration; 17] = {
    let mut moments = [Duration::ZERO; 17];
    let mut i = 0;
    while i < moments.len() {
        moments[i] = Duration::from_secs(2 << i);
        i += 1;
    }
    moments
};

impl Acceptor for BeeCloudAcceptor {
    fn slug(&self) -> &'static str {
        ID
    }

    fn settings(&self) -> &'static [SettingKey] {
        SETTINGS
    }

    fn check_settings(&self, settings: &Settings) -> Vec<SettingError> {
        SettingReader::check(settings, SETTINGS, |key, value| {
            let (form, rule): (fn(&str) -> bool, _) = if key.secret {
                (is_secret, "write the secret as text without blanks")
            } else {
                (is_app_id, "write a UUID of 36 characters")
            };
            (!value.as_str().is_some_and(form)).then(|| rule.to_owned())
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
        let operation = Operation::of(request).ok_or_else(|| self.not_found(request))?;
        read(accounts, request, operation, now).map_err(|fault| reply::fault(&fault))
    }

    fn answer(&self, read: &FrontRead, answer: &FrontAnswer, _now: Timestamp) -> WireResponse {
        reply::answer(read, answer)
    }

    /// SDKs break on anything but JSON with status 200, so what BeeCloud has and we have not is
    /// answered so too.
    fn not_found(&self, request: &WireRequest) -> WireResponse {
        let path: String = request.path.chars().take(80).collect();
        let mut response =
            reply::fault(&Fault::new(5, format!("{} {path} is not offered here", request.verb.as_str())));
        if !request.path.starts_with("/1/") && !request.path.starts_with("/2/") {
            response.status = 404;
        }
        response
    }

    /// All of both versions: the clients of the first find an answer that they can read there.
    fn trees(&self) -> &'static [&'static str] {
        &["/1/", "/2/"]
    }

    fn unread(&self, _request: &WireRequest, what: &str) -> WireResponse {
        reply::fault(&Fault::invalid("body", what))
    }

    /// Of what makes, ends or sends back: `app_sign` covers no field but the time.
    fn sign(&self, _read: &FrontRead, request: &WireRequest) -> Option<FrontSign> {
        let operation = Operation::of(request).filter(Operation::moves)?;
        let fields = Fields::parse(request).ok()?;
        let timestamp = fields.required_integer("timestamp").ok()?;
        let app_sign = fields.required_text("app_sign").ok()?.to_ascii_lowercase();
        let line = format!("{} {}\n", request.verb.as_str(), request.path);
        // At the very end of the window it is still taken.
        let until = Timestamp::from_ms(timestamp).plus(operation.signer().window());
        Some(FrontSign {
            key: format!("{timestamp} {app_sign}"),
            call: [line.as_bytes(), &request.body[..]].concat(),
            until: Some(until.plus(Duration::from_millis(1))),
        })
    }

    /// The words behind the first: the code, and its group.
    fn has_code(&self, memo: &str, code: &str) -> bool {
        memo.split(' ').skip(1).any(|word| word == code)
    }

    fn notice(&self, account: &FrontAccount, fact: &FrontFact, now: Timestamp) -> WireRequest {
        match fact {
            FrontFact::Paid(order) => reply::notice(account, order, now),
            FrontFact::Refunded(refund) => refund_reply::notice(account, refund, now),
        }
    }

    /// The body trimmed is `success`: some receivers add line breaks.
    fn acknowledged(&self, response: &WireResponse) -> bool {
        let body = std::str::from_utf8(&response.body).unwrap_or_default();
        (200..300).contains(&response.status) && body.trim() == "success"
    }

    fn schedule(&self) -> &'static [Duration] {
        &SCHEDULE
    }
}

fn read(
    accounts: &dyn FrontAccounts,
    request: &WireRequest,
    operation: Operation,
    now: Timestamp,
) -> Result<FrontRead, Fault> {
    let fields = Fields::parse(request)?;
    let account = account(accounts, &fields, operation.signer(), now)?;
    let (call, memo) = match operation {
        Operation::Create(family) => create(&fields, family)?,
        Operation::Status => {
            (FrontCall::Query { number: number(fields.required_text("bill_no")?)? }, "status".to_owned())
        }
        Operation::Revert(bill_no) => (FrontCall::Cancel { number: number(&bill_no)? }, "revert".to_owned()),
        Operation::Bills => {
            let detail = if fields.flag("need_detail")? == Some(true) { "bills detail" } else { "bills" };
            (FrontCall::List(page_filter(&fields)?), detail.to_owned())
        }
        Operation::Count => (FrontCall::Count(filter(&fields)?), "count".to_owned()),
        Operation::Record(id) => (
            FrontCall::List(FrontFilter { id: Some(id), limit: 1, ..FrontFilter::default() }),
            "record".to_owned(),
        ),
        Operation::Refund(family) => refunds::refund(&fields, family, now)?,
        Operation::Approve => refunds::approval(&fields)?,
        Operation::RefundStatus => refunds::status(&fields)?,
        Operation::Refunds => refunds::list(&fields)?,
        Operation::RefundCount => refunds::count(&fields)?,
        Operation::RefundRecord(id) => refunds::record(id),
    };
    Ok(FrontRead { account, call, memo })
}

/// Who calls: `app_id`, `timestamp`, `app_sign`, in this order, each absent, of a wrong form, wrong.
fn account(
    accounts: &dyn FrontAccounts,
    fields: &Fields,
    signer: Signer,
    now: Timestamp,
) -> Result<FrontAccount, Fault> {
    let app_id = fields.required_text("app_id")?;
    if !is_app_id(app_id) {
        return Err(Fault::invalid("app_id", "must be a UUID of 36 characters"));
    }
    let account = accounts.find("app_id", app_id).ok_or_else(|| Fault::new(1, "app_id is not known"))?;
    let timestamp = timestamp(fields, signer.window(), now)?;
    let app_sign = fields.required_text("app_sign")?;
    if app_sign.chars().count() != 32 {
        return Err(Fault::invalid("app_sign", "must be 32 characters"));
    }
    if is_signed(&account, signer.secrets(&account), timestamp, app_sign) {
        return Ok(account);
    }
    Err(Fault::new(1, wrong_sign(&account, signer, timestamp, app_sign)))
}

/// Why a sign is wrong, as far as whoever holds one of the account's secrets may know.
fn wrong_sign(account: &FrontAccount, signer: Signer, timestamp: i64, app_sign: &str) -> &'static str {
    let signed_by = |other: Signer| is_signed(account, other.secrets(account), timestamp, app_sign);
    match signer {
        Signer::App if signed_by(Signer::Master) => {
            "app_sign is wrong: it was made with the master_secret, this call is signed with the app_secret"
        }
        Signer::Master if signed_by(Signer::App) => {
            "app_sign is wrong: it was made with the app_secret, calls that move money out are signed with the master_secret"
        }
        Signer::App => "app_sign is wrong: it is the MD5 of app_id, timestamp and app_secret",
        Signer::Master => "app_sign is wrong: it is the MD5 of app_id, timestamp and master_secret",
    }
}

fn timestamp(fields: &Fields, window: Duration, now: Timestamp) -> Result<i64, Fault> {
    let timestamp = fields.required_integer("timestamp")?;
    if !(0..10_000_000_000_000).contains(&timestamp) {
        return Err(Fault::invalid("timestamp", "must be milliseconds since 1970, at most 13 digits"));
    }
    let skew = now.ms().abs_diff(timestamp);
    if u128::from(skew) > window.as_millis() {
        let direction = if timestamp < now.ms() { "behind" } else { "ahead of" };
        let (seconds, most) = (skew / 1000, window.as_secs());
        return Err(Fault::new(
            1,
            format!("timestamp is {seconds} s {direction} this server's clock, at most {most} s are taken"),
        ));
    }
    Ok(timestamp)
}

/// Whether one of these secrets made the sign. All are tried; letter case is ignored.
fn is_signed(account: &FrontAccount, secrets: &[&str], timestamp: i64, app_sign: &str) -> bool {
    let Ok(received) = Md5Digest::from_hex(app_sign, HexCase::Any) else { return false };
    let app_id = account.settings.get("app_id").and_then(Value::as_str).unwrap_or_default();
    secrets.iter().fold(false, |signed, key| {
        let secret = account.settings.get(*key).and_then(Value::as_str).filter(|secret| !secret.is_empty());
        let matches =
            |secret: &str| sign::app_sign(app_id, timestamp, &Secret::new(secret)).matches(received);
        secret.is_some_and(matches) | signed
    })
}

/// A client's number, as given. BeeCloud's own rule is 8 to 32 letters and digits; clients in the
/// field do not keep to it, and the number only has to be found again.
fn number(text: &str) -> Result<String, Fault> {
    if (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(text.to_owned());
    }
    Err(Fault::invalid("bill_no", "must be 1 to 64 printable ASCII characters without blanks"))
}

fn create(fields: &Fields, family: Family) -> Result<(FrontCall, String), Fault> {
    let code = code(fields.required_text("channel")?, family)?;
    let amount = total_fee(fields, code)?;
    let number = number(fields.required_text("bill_no")?)?;
    let subject = title(fields.required_text("title")?)?;
    let echo = fields.map("optional")?;
    refuse_card_session(code, fields, echo)?;
    if fields.text("coupon_id")?.is_some() {
        return Err(Fault::invalid("coupon_id", "coupons are not offered here"));
    }
    let auth_code = needed(fields, code, Needs::AUTH_CODE, "auth_code")?;
    if auth_code.is_some_and(|digits| digits.len() > 64 || !digits.bytes().all(|b| b.is_ascii_digit())) {
        return Err(Fault::invalid("auth_code", "must be the digits of the payer's code"));
    }
    let pay = FrontPay {
        number,
        amount,
        method: code.method,
        subject,
        expires_in: fields
            .integer("bill_timeout", 1)?
            .map(|seconds| Duration::from_secs(seconds.unsigned_abs())),
        return_url: return_url(fields, code)?,
        notify_url: notify_url(fields)?,
        payer_ip: payer_ip(fields)?,
        openid: needed(fields, code, Needs::OPENID, "openid")?.map(str::to_owned),
        auth_code: auth_code.map(Secret::new),
        echo: echo.map_or(Value::Null, |map| Value::Object(map.clone())),
        extra: extra_fields(fields, code, echo)?,
        payer_id: needed(fields, code, Needs::PAYER_ID, "identity_id")?.map(str::to_owned),
    };
    let via = auth_code
        .filter(|_| code.name == "BC_SCAN")
        .and_then(wallet_of)
        .map_or(String::new(), |w| format!(" via:{w}"));
    let memo = code.memo(family) + &via;
    Ok((FrontCall::Pay(Box::new(pay)), memo))
}

/// The row of a `channel`: 5 for a text that BeeCloud does not know, 3 for one that it knows and
/// this path does not take.
fn code(name: &str, family: Family) -> Result<&'static Code, Fault> {
    let known_as = match name {
        "SCAN" => "BC_SCAN",
        "BC_WX_NATIVE" => "BC_NATIVE",
        name => name,
    };
    let refused = |why: &str| Err(Fault::new(3, format!("channel: {name} {why}")));
    match CODES.iter().find(|code| code.name == known_as) {
        Some(code) if code.is_taken_by(family) => Ok(code),
        Some(_) => refused("is not taken on this path"),
        None if OTHER_CODES.contains(&name) => refused("is not offered here"),
        None => Err(Fault::invalid("channel", "is not a known code")),
    }
}

fn total_fee(fields: &Fields, code: &Code) -> Result<Money, Fault> {
    let fee = fields.required_integer("total_fee")?;
    if !(1..=code.fee_max()).contains(&fee) {
        return Err(Fault::invalid("total_fee", &format!("must be 1 to {} fen", code.fee_max())));
    }
    Ok(Money::fen(fee))
}

/// 32 bytes counted as in GBK.
fn title(text: &str) -> Result<String, Fault> {
    let width: usize = text.chars().map(char_width).sum();
    if width > TITLE_WIDTH_MAX || text.trim().is_empty() || text.chars().any(char::is_control) {
        return Err(Fault::invalid("title", "must be one line of at most 32 bytes, or 16 Han characters"));
    }
    Ok(text.to_owned())
}

/// Paying by a card's stored session moves card data, which nobody may pass through here.
fn refuse_card_session(
    code: &Code,
    fields: &Fields,
    optional: Option<&Map<String, Value>>,
) -> Result<(), Fault> {
    let held = ["token", "phone_no", "id_no", "customer_name", "card_no"];
    let session = held.iter().any(|name| optional.is_some_and(|map| map.contains_key(*name)));
    if code.name == "BC_EXPRESS" && (session || fields.value("token").is_some()) {
        return Err(Fault::new(3, "channel: BC_EXPRESS with card data in optional is not offered here"));
    }
    Ok(())
}

/// A field that the code needs; of other codes it is not read.
fn needed<'a>(fields: &'a Fields, code: &Code, need: Needs, name: &str) -> Result<Option<&'a str>, Fault> {
    if code.needs.has(need) { fields.required_text(name).map(Some) } else { Ok(None) }
}

/// Any address is taken: BeeCloud was never seen to check one.
fn return_url(fields: &Fields, code: &Code) -> Result<Option<String>, Fault> {
    if code.page == Page::MustReturn {
        return fields.required_text("return_url").map(|url| Some(url.to_owned()));
    }
    Ok(fields.text("return_url")?.map(str::to_owned))
}

fn notify_url(fields: &Fields) -> Result<Option<String>, Fault> {
    match fields.text("notify_url")? {
        Some(url) if !extra::is_web_address(url) => {
            Err(Fault::invalid("notify_url", "must begin with http:// or https://"))
        }
        url => Ok(url.map(str::to_owned)),
    }
}

/// `analysis.ip`, which no code has to carry here.
fn payer_ip(fields: &Fields) -> Result<Option<String>, Fault> {
    let Some(ip) = fields.map("analysis")?.and_then(|analysis| analysis.get("ip")).filter(|ip| !ip.is_null())
    else {
        return Ok(None);
    };
    match ip.as_str() {
        Some("") => Ok(None),
        Some(text) if text.parse::<IpAddr>().is_ok() => Ok(Some(text.to_owned())),
        _ => Err(Fault::invalid("analysis.ip", "must be an IPv4 or IPv6 address")),
    }
}

/// The code's own fields. What other codes define is passed over, right or wrong: an SDK sends the
/// fields of all its earlier calls again.
fn extra_fields(
    fields: &Fields,
    code: &Code,
    optional: Option<&Map<String, Value>>,
) -> Result<BTreeMap<String, Value>, Fault> {
    let mut taken = BTreeMap::new();
    for name in code.wants.iter().chain(code.takes).chain(EVERYWHERE) {
        let Some(field) = extra::field(name) else { continue };
        let value = match field.place {
            Place::Top => fields.formed(name, field.form)?,
            Place::Optional => {
                optional.and_then(|map| map.get(*name)).filter(|value| field.form.check(value).is_ok())
            }
        };
        match value {
            Some(value) => drop(taken.insert((*name).to_owned(), value.clone())),
            None if code.wants.contains(name) => return Err(Fault::missing(name)),
            None => {}
        }
    }
    if code.name == "ALI_SCAN" && !taken.contains_key("terminal_id") && !taken.contains_key("store_id") {
        return Err(Fault::new(4, "terminal_id or store_id is missing"));
    }
    if let Some(id) = needed(fields, code, Needs::PAYER_ID, "identity_id")? {
        if id.len() > 50 || !id.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(Fault::invalid("identity_id", "must be 1 to 50 letters and digits"));
        }
        taken.insert("identity_id".to_owned(), Value::from(id));
    }
    fields.short_text("buyer_id", 64)?;
    Ok(taken)
}

/// Whose code a payer shows: WeChat's begin with 10 to 15, Alipay's with 25 to 30.
///
/// Source: the two wallets' own documents of their barcode payments.
fn wallet_of(auth_code: &str) -> Option<&'static str> {
    match auth_code.get(..2)?.parse::<u8>().ok()? {
        10..=15 => Some("WX_SCAN"),
        25..=30 => Some("ALI_SCAN"),
        _ => None,
    }
}

/// Filters joined with AND, as a list and a count both have them.
///
/// Source: BeeCloud V2 document, table of filters: a count has neither page nor persons nor shops.
fn filter(fields: &Fields) -> Result<FrontFilter, Fault> {
    let code = checked_code(fields)?;
    Ok(FrontFilter {
        number: fields.text("bill_no")?.map(str::to_owned),
        paid: fields.flag("spay_result")?,
        code: code.map(str::to_owned),
        from: fields.integer("start_time", 0)?.map(Timestamp::from_ms),
        to: fields.integer("end_time", 0)?.map(Timestamp::from_ms),
        ..FrontFilter::default()
    })
}

/// A `channel` that filters: a group or a create code.
fn checked_code(fields: &Fields) -> Result<Option<&str>, Fault> {
    let code = fields.text("channel")?;
    let is_known =
        |name: &str| GROUPS.contains(&name) || OTHER_CODES.contains(&name) || Code::named(name).is_some();
    if code.is_some_and(|name| !is_known(name)) {
        return Err(Fault::invalid("channel", "is not a known code or group"));
    }
    Ok(code)
}

/// The filters and the page of a list.
fn page_filter(fields: &Fields) -> Result<FrontFilter, Fault> {
    let filter = filter(fields)?;
    refuse_unkept(fields, &filter)?;
    let refunded = fields.flag("refund_result")?;
    let (skip, limit) = page(fields)?;
    Ok(FrontFilter { refunded, skip, limit, ..filter })
}

/// How many to pass over, and how many at most.
fn page(fields: &Fields) -> Result<(u32, u32), Fault> {
    let skip = fields.integer("skip", 0)?.unwrap_or(0);
    let limit = fields.integer("limit", 0)?.unwrap_or(10).clamp(10, 50);
    Ok((bounded(skip), bounded(limit)))
}

/// Filters that no record here has are refused: passing them over would show more than was asked
/// for. Beside a `bill_no`, which names one order at most, they are passed over: an SDK sends the
/// shop and the buyer of its last create along with each query.
fn refuse_unkept(fields: &Fields, filter: &FrontFilter) -> Result<(), Fault> {
    let unkept = |name| Err(Fault::invalid(name, "is not kept here, so it cannot be asked for"));
    for name in ["buyer_id", "seller_id", "store_id", "operator_id"] {
        if fields.text(name)?.is_some() && filter.number.is_none() {
            return unkept(name);
        }
    }
    Ok(())
}

fn bounded(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
