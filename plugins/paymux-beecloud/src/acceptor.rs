//! The server side: reads a client's call, checks account, time and sign, then its
//! fields in the order in which BeeCloud was seen to check them.
//!
//! Which call it is says `operation`; fields are read in `fields`, creates in `create`, calls about refunds in `refunds`,
//! payouts in `payouts`, what only BeeCloud itself does in `natives`; answers and webhooks are written in `reply`,
//! `refund_reply` and `payout_reply`, and put into the first version's words in `v1`. What happens between the two is the
//! host's: a router, or a pretend bank.
//!
//! Source: BeeCloud V2 document; the vendor's own test sheet of 2016 for order and codes of checks.

mod create;
mod fields;
mod natives;
mod operation;
mod payout_reply;
mod payouts;
mod refund_reply;
mod refunds;
mod reply;
mod v1;

use std::time::Duration;

use paymux_core::acceptor::{
    Acceptor, FrontAccount, FrontAccounts, FrontAnswer, FrontCall, FrontFact, FrontFilter, FrontRead,
    FrontRoute, FrontSign,
};
use paymux_core::ids::ChannelId;
use paymux_core::provider::{SettingError, SettingKey, SettingReader, Settings};
use paymux_core::{Secret, Timestamp, Verb, WireRequest, WireResponse};
use paymux_sign::{HexCase, Md5Digest};
use serde_json::Value;

use self::fields::{Fault, Fields};
use self::operation::{APP_SECRET_MOVES_MONEY, Operation, Signer, Version};
use crate::ID;
use crate::config::{APP_ID_EXAMPLE, is_app_id, is_secret};
use crate::map::codes::{Code, GROUPS, OTHER_CODES};
use crate::sign;

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
    route(Verb::Post, "/2/rest/bc_transfer"),
    route(Verb::Post, "/2/rest/transfer"),
    route(Verb::Post, "/2/rest/transfers"),
    route(Verb::Get, "/2/rest/transfers"),
    route(Verb::Get, "/2/rest/transfers/count"),
    route(Verb::Post, "/2/auth"),
    route(Verb::Post, "/2/rest/user"),
    route(Verb::Post, "/2/rest/users"),
    route(Verb::Get, "/2/rest/users"),
    route(Verb::Put, "/2/rest/history_bills"),
    route(Verb::Post, "/2/rest/history_bills"),
    route(Verb::Post, "/2/rest/coupon"),
    route(Verb::Get, "/2/rest/coupon"),
    route(Verb::Get, "/2/rest/coupon/template"),
    route(Verb::Get, "/2/rest/coupon/template/{id}"),
    route(Verb::Get, "/2/rest/coupon/{id}"),
    route(Verb::Post, "/1/rest/bill"),
    route(Verb::Get, "/1/rest/bills"),
    route(Verb::Get, "/1/rest/bill/{id}"),
    route(Verb::Post, "/1/rest/refund"),
    route(Verb::Post, "/1/rest/approve"),
    route(Verb::Get, "/1/rest/refund/status"),
    route(Verb::Get, "/1/rest/refunds"),
    route(Verb::Get, "/1/rest/refund/{id}"),
    route(Verb::Post, "/1/rest/transfers"),
];

const SETTINGS: &[SettingKey] = &[
    SettingKey::new("app_id", "the client's id, a UUID").required().such_as(APP_ID_EXAMPLE),
    SettingKey::new("app_secret", "verifies the client's calls").secret().required(),
    SettingKey::new("app_secret_previous", "verifies them too, during a change").secret(),
    SettingKey::new(
        "master_secret",
        "signs the webhooks that the client gets and verifies its refunds and payouts",
    )
    .secret()
    .required(),
    SettingKey::new("master_secret_previous", "verifies refunds and payouts too, during a change").secret(),
    SettingKey::flag(
        APP_SECRET_MOVES_MONEY,
        "true = refunds and payouts signed with the app secret are taken too, as version 1 signs all of them; that secret lies in mobile apps",
    ),
    SettingKey::new(
        PAYOUT_CHANNEL,
        "the channel that pays what the client wants paid out; without it no payout is offered",
    )
    .such_as("bee-main"),
    SettingKey::new(
        NATIVE_CHANNEL,
        "the channel at BeeCloud that does what only BeeCloud does: real-name checks, buyers, coupons",
    )
    .such_as("bee-main"),
];

/// The setting that names the channel which pays out.
const PAYOUT_CHANNEL: &str = "payout_channel";
/// The setting that names the channel which does what is not routed.
const NATIVE_CHANNEL: &str = "native_channel";
/// Those that name channels.
const CHANNELS: &[&str] = &[PAYOUT_CHANNEL, NATIVE_CHANNEL];

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

    fn channel_settings(&self) -> &'static [&'static str] {
        CHANNELS
    }

    fn check_settings(&self, settings: &Settings) -> Vec<SettingError> {
        SettingReader::check(settings, SETTINGS, |key, value| {
            let is_channel: fn(&str) -> bool = |id| ChannelId::new(id).is_ok();
            let (form, rule): (fn(&str) -> bool, _) = if key.secret {
                (is_secret, "write the secret as text without blanks")
            } else if CHANNELS.contains(&key.name) {
                (is_channel, "write the id of a channel as text")
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
        let (version, operation) = Operation::of(request).ok_or_else(|| self.not_found(request))?;
        read(accounts, request, version, operation, now).map_err(|fault| reply::fault(&fault))
    }

    fn answer(&self, read: &FrontRead, answer: &FrontAnswer, _now: Timestamp) -> WireResponse {
        let answer = reply::answer(read, answer);
        if v1::is_marked(&read.memo) { v1::worded(answer) } else { answer }
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

    /// Of what makes, ends, sends back, pays out or costs something: `app_sign` covers no field but the time.
    fn sign(&self, _read: &FrontRead, request: &WireRequest) -> Option<FrontSign> {
        let (_, operation) = Operation::of(request).filter(|(_, operation)| operation.moves())?;
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
            FrontFact::PaidOut(payout) => payout_reply::notice(account, payout, now),
        }
    }

    /// Payouts to WeChat have no webhook.
    fn tells(&self, fact: &FrontFact) -> bool {
        match fact {
            FrontFact::Paid(_) | FrontFact::Refunded(_) => true,
            FrontFact::PaidOut(payout) => payout_reply::is_told(payout),
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
    version: Version,
    operation: Operation,
    now: Timestamp,
) -> Result<FrontRead, Fault> {
    let fields = Fields::parse(request)?;
    if operation == Operation::Banks {
        // Nobody says who calls.
        return Err(payouts::banks(&fields));
    }
    let account = account(accounts, &fields, version, operation.signer(), now)?;
    if version == Version::V1 {
        v1::check(&operation, &fields)?;
    }
    let (call, memo) = asked(&account, &fields, operation, now)?;
    Ok(FrontRead { account, call, memo: version.marked(memo) })
}

fn asked(
    account: &FrontAccount,
    fields: &Fields,
    operation: Operation,
    now: Timestamp,
) -> Result<(FrontCall, String), Fault> {
    match operation {
        Operation::Create(family) => create::create(fields, family),
        Operation::Status => {
            let number = number("bill_no", fields.required_text("bill_no")?)?;
            Ok((FrontCall::Query { number }, "status".to_owned()))
        }
        Operation::Revert(bill_no) => {
            let number = number("bill_no", &bill_no)?;
            Ok((FrontCall::Cancel { number }, "revert".to_owned()))
        }
        Operation::Bills => {
            let detail = if fields.flag("need_detail")? == Some(true) { "bills detail" } else { "bills" };
            Ok((FrontCall::List(page_filter(fields)?), detail.to_owned()))
        }
        Operation::Count => Ok((FrontCall::Count(filter(fields)?), "count".to_owned())),
        Operation::Record(id) => {
            let filter = FrontFilter { id: Some(id), limit: 1, ..FrontFilter::default() };
            Ok((FrontCall::List(filter), "record".to_owned()))
        }
        Operation::Refund(family) => refunds::refund(fields, family, now),
        Operation::Approve => refunds::approval(fields),
        Operation::RefundStatus => refunds::status(fields),
        Operation::Refunds => refunds::list(fields),
        Operation::RefundCount => refunds::count(fields),
        Operation::RefundRecord(id) => Ok(refunds::record(id)),
        Operation::Payout(kind) => payouts::pay_out(account, fields, kind),
        Operation::Payouts => payouts::list(fields),
        Operation::PayoutCount => payouts::count(fields),
        Operation::Banks => Err(payouts::banks(fields)),
        Operation::Native(native, id) => natives::read(account, fields, native, id.as_deref()),
    }
}

/// The host's channel that the account names for something.
fn channel_of(account: &FrontAccount, key: &str) -> Option<String> {
    account.settings.get(key).and_then(Value::as_str).map(str::to_owned)
}

/// Who calls: `app_id`, `timestamp`, `app_sign`, in this order, each absent, of a wrong form, wrong.
fn account(
    accounts: &dyn FrontAccounts,
    fields: &Fields,
    version: Version,
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
    Err(Fault::new(1, wrong_sign(&account, version, signer, timestamp, app_sign)))
}

/// Why a sign is wrong, as far as whoever holds one of the account's secrets may know.
fn wrong_sign(
    account: &FrontAccount,
    version: Version,
    signer: Signer,
    timestamp: i64,
    app_sign: &str,
) -> &'static str {
    let signed_by = |other: Signer| is_signed(account, other.secrets(account), timestamp, app_sign);
    match signer {
        Signer::App if signed_by(Signer::Master) => {
            "app_sign is wrong: it was made with the master_secret, this call is signed with the app_secret"
        }
        Signer::Master if signed_by(Signer::App) && version == Version::V1 => {
            "app_sign is wrong: it was made with the app_key, which moves no money out here unless \
             `app_secret_moves_money` is set for this app; else sign with the master_secret"
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
fn number(name: &str, text: &str) -> Result<String, Fault> {
    if (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(text.to_owned());
    }
    Err(Fault::invalid(name, "must be 1 to 64 printable ASCII characters without blanks"))
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
