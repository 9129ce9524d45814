//! The server side: reads a client's call, checks who it is and its sign, then its fields.
//!
//! Which call it is says `operation`, its fields are read in `calls`; a sign is held to its first call in `bound`;
//! answers and notifications are written in `reply`. What happens between the two is the host's: a router, or a
//! pretend bank.
//!
//! Source: FuFu interface 1.1.1.

mod bound;
mod calls;
mod operation;
mod reply;

use std::time::Duration;

use paymux_core::acceptor::{
    Acceptor, FrontAccount, FrontAccounts, FrontAnswer, FrontFact, FrontRead, FrontRoute, FrontSign,
};
use paymux_core::provider::{SettingError, SettingKey, SettingReader, Settings};
use paymux_core::{Secret, Timestamp, Verb, WireRequest, WireResponse};
use serde_json::Value;

use self::bound::Bound;
use self::calls::{Call, Fault};
use self::operation::Operation;
use crate::ID;
use crate::callback::ACKNOWLEDGED;
use crate::config::{BUSI_ID_EXAMPLE, is_id, is_key};
use crate::map::kinds::{Kind, Opening};
use crate::sign;
use crate::wire::fields::Fields;

/// The longest body that is read, in bytes (64 KiB).
const BODY_BYTES_MAX: usize = 65_536;

/// How long after its own time a sign is held to its call, and taken at all. FuFu has no window (F4), and a client is
/// to sign each call with the present time; a week spares whoever's clock is wrong.
const SIGN_LIFE: Duration = Duration::from_hours(7 * 24);

/// FuFu's protocol as a server speaks it.
#[derive(Default)]
pub(crate) struct FufuAcceptor {
    bound: Bound,
}

const SETTINGS: &[SettingKey] = &[
    SettingKey::new("busi_id", "the client's merchant number").required().such_as(BUSI_ID_EXAMPLE),
    SettingKey::new("key", "verifies the client's calls and signs its notifications").secret().required(),
    SettingKey::new("key_previous", "verifies calls too, during a change").secret(),
];

/// Five tries in all, 5 s apart.
///
/// Source: FuFu interface 1.1.1, asynchronous notification.
static SCHEDULE: [Duration; 4] =
    [Duration::from_secs(5), Duration::from_secs(10), Duration::from_secs(15), Duration::from_secs(20)];

impl Acceptor for FufuAcceptor {
    fn slug(&self) -> &'static str {
        ID
    }

    fn settings(&self) -> &'static [SettingKey] {
        SETTINGS
    }

    fn check_settings(&self, settings: &Settings) -> Vec<SettingError> {
        SettingReader::check(settings, SETTINGS, |key, value| {
            let (form, rule): (fn(&str) -> bool, _) = if key.secret {
                (is_key, "write the key as text without blanks")
            } else {
                (is_id, "write text of 1 to 32 characters without blanks")
            };
            (!value.as_str().is_some_and(form)).then(|| rule.to_owned())
        })
    }

    fn routes(&self) -> &'static [FrontRoute] {
        operation::ROUTES
    }

    fn trees(&self) -> &'static [&'static str] {
        &[operation::PREFIX]
    }

    fn unread(&self, _request: &WireRequest, what: &str) -> WireResponse {
        reply::fault(&Fault::field("body", what))
    }

    /// Every call's: the sign covers neither the operation nor blanks.
    fn sign(&self, _read: &FrontRead, request: &WireRequest) -> Option<FrontSign> {
        let operation = Operation::of(request)?;
        let sign = sign::received(request).ok()?;
        let call = [operation.word().as_bytes(), b"\n".as_slice(), &request.body[..]].concat();
        let until = Timestamp::from_ms(sign.time_ms()).plus(SIGN_LIFE);
        Some(FrontSign { key: sign.to_text().as_str().to_owned(), call, until: Some(until) })
    }

    /// State 6: closed.
    fn tells_ended_as_closed(&self) -> bool {
        true
    }

    fn read(
        &self,
        accounts: &dyn FrontAccounts,
        request: &WireRequest,
        now: Timestamp,
    ) -> Result<FrontRead, WireResponse> {
        let operation = Operation::of(request).ok_or_else(|| self.not_found(request))?;
        self.read_call(accounts, request, operation, now).map_err(|fault| reply::fault(&fault))
    }

    fn answer(&self, read: &FrontRead, answer: &FrontAnswer, now: Timestamp) -> WireResponse {
        reply::answer(read, answer, now)
    }

    fn not_found(&self, request: &WireRequest) -> WireResponse {
        let path: String = request.path.chars().take(80).collect();
        let what = format!(
            "{} {path} is not offered here: post to /gateway/pay/ and an operation",
            request.verb.as_str()
        );
        let mut response = reply::fault(&Fault::request("ILLEGAL_PARAMETER", what));
        response.status = 404;
        response
    }

    /// Only that an order was paid which the payer had to act on: of a scan its own answer tells, and of
    /// refunds FuFu never does.
    fn tells(&self, fact: &FrontFact) -> bool {
        match fact {
            FrontFact::Paid(order) => {
                let kind = Kind::from_memo(&order.memo).or_else(|| Kind::of_method(order.method));
                kind.is_none_or(|kind| kind.opening != Opening::Scan)
            }
            FrontFact::Refunded(_) | FrontFact::PaidOut(_) => false,
        }
    }

    fn notice(&self, account: &FrontAccount, fact: &FrontFact, now: Timestamp) -> WireRequest {
        let body = reply::notice_body(account, fact);
        let key = secrets(account).into_iter().next();
        let sign = key.and_then(|key| sign::sign(body.as_bytes(), now, &key).ok());
        let request = WireRequest::new(Verb::Post, "/").body(crate::wire::JSON, body);
        // Without a key there is no sign, and no receiver believes it: a sign of nothing would be anybody's.
        match sign {
            Some(sign) => request.query(sign::query(sign)),
            None => request,
        }
    }

    /// These seven bytes and no others, with status 200.
    fn acknowledged(&self, response: &WireResponse) -> bool {
        response.status == 200 && response.body == ACKNOWLEDGED.as_bytes()
    }

    fn schedule(&self) -> &'static [Duration] {
        &SCHEDULE
    }
}

impl FufuAcceptor {
    /// Who calls: the body, `busi_id`, the sign, whether the sign was used for another call; then the fields.
    fn read_call(
        &self,
        accounts: &dyn FrontAccounts,
        request: &WireRequest,
        operation: Operation,
        now: Timestamp,
    ) -> Result<FrontRead, Fault> {
        if request.body.len() > BODY_BYTES_MAX {
            return Err(Fault::field("body", "at most 65536 bytes"));
        }
        let fields = Fields::parse(&request.body)
            .map_err(|what| Fault::field("body", &format!("it is {what}: send one JSON object in UTF-8")))?;
        let call = Call(&fields);
        let busi_id = call.required("busi_id")?;
        let account = accounts
            .find("busi_id", &busi_id)
            .ok_or_else(|| Fault::request("UNREGISTERED_BUSI", "busi_id: no such merchant here"))?;
        self.check_sign(request, operation, &account)?;
        let (call, memo) = call.read(operation, now)?;
        Ok(FrontRead { account, call, memo })
    }

    fn check_sign(
        &self,
        request: &WireRequest,
        operation: Operation,
        account: &FrontAccount,
    ) -> Result<(), Fault> {
        let invalid = |why: &str| Fault::request("INVALID_SIGN", why);
        let received = sign::received(request).map_err(|why| invalid(&why))?;
        if !sign::is_signed(received, &request.body, &secrets(account)) {
            return Err(invalid(
                "sign: it is the MD5 of timestamp, key and the body as sent without blanks, CR and LF",
            ));
        }
        if !self.bound.claim(received.to_text().as_str(), operation, &request.body) {
            return Err(invalid(reply::SIGN_USED));
        }
        Ok(())
    }
}

/// The keys of an account, the current one first.
fn secrets(account: &FrontAccount) -> Vec<Secret> {
    let text =
        |name: &str| account.settings.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    ["key", "key_previous"].into_iter().filter_map(text).map(Secret::new).collect()
}
