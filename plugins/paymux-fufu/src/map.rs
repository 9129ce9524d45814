//! Between FuFu's words and ours: creates, their answers, questions and failures.
//!
//! The tables are in `codes`, `states` and `kinds`; the hours of a cancel are in `hours`; refunds are in `refunds`.
//! Answers carry no sign, so each is compared with what was asked before it counts.

pub(crate) mod codes;
pub(crate) mod extra;
pub(crate) mod hours;
pub(crate) mod kinds;
pub(crate) mod refunds;
pub(crate) mod states;

use std::time::Duration;

use paymux_core::channel::{Blame, Opened, QueryAnswer, Receipt, Refusal};
use paymux_core::money::AMOUNT_MAX;
use paymux_core::{
    ChannelError, Created, Currency, Money, NextAction, Order, OrderRef, Secret, Timestamp, Wallet,
};
use serde_json::{Value, json};

use self::codes::{Class, Step};
use self::kinds::{Kind, LIFE_STEP, LIFE_STEPS_MAX, Opening};
use self::states::Says;
use crate::config::Account;
use crate::wire::fields::Fields;
use crate::wire::{Done, Failed, PreOrder, Reply, Scan};

/// The longest `out_trade_no` of ours: the shorter of two tables.
const NUMBER_CHARS_MAX: usize = 32;
/// The longest `auth_code`.
const AUTH_CODE_CHARS_MAX: usize = 100;
/// The longest `pay_subject`.
const SUBJECT_CHARS_MAX: usize = 100;
/// The longest `notifyUrl` that we send; the document's ten characters hold none.
const NOTIFY_URL_BYTES_MAX: usize = 256;

/// What FuFu takes money in: amounts of all three are hundredths.
///
/// Source: FuFu interface 1.1.1: CNY and THB by name, HKD in samples.
pub(crate) fn currencies() -> Vec<Currency> {
    ["CNY", "THB", "HKD"].into_iter().filter_map(Currency::from_code).collect()
}

/// The scan of a payer's code. What FuFu would surely refuse is not sent.
pub(crate) fn scan<'a>(
    account: &'a Account,
    kind: &Kind,
    order: &'a Order,
) -> Result<Scan<'a>, ChannelError> {
    extra::check(kind, order)?;
    let auth_code = order.payer.auth_code.as_ref().map(Secret::expose);
    let auth_code =
        auth_code.ok_or_else(|| unsendable(format!("`payer.auth_code`: {} needs it", kind.memo)))?;
    if !(1..=AUTH_CODE_CHARS_MAX).contains(&auth_code.len())
        || !auth_code.bytes().all(|b| b.is_ascii_graphic())
    {
        return Err(unsendable("`payer.auth_code`: FuFu takes 1 to 100 characters without blanks"));
    }
    Ok(Scan {
        busi_id: &account.busi_id,
        operator_id: extra::text(order, "operator_id").unwrap_or(&account.operator_id),
        terminal_id: extra::text(order, "terminal_id").unwrap_or(&account.terminal_id),
        total_fee: fee(order.amount)?,
        channel_type: kind.channel_type,
        auth_code,
        pay_subject: subject(&order.subject, order.number.as_str()),
        out_trade_no: number(order.number.as_str())?,
        fee_type: order.amount.currency().code(),
        store_id: extra::text(order, "store_id").or(account.store_id.as_deref()),
        merchant_param: extra::text(order, "merchant_param"),
    })
}

/// An order that waits for its payer.
pub(crate) fn pre_order<'a>(
    account: &'a Account,
    kind: &Kind,
    order: &'a Order,
    now: Timestamp,
) -> Result<PreOrder<'a>, ChannelError> {
    extra::check(kind, order)?;
    let is_bridge = kind.opening == Opening::Bridge;
    let open_id = order.payer.openid.as_deref().filter(|_| is_bridge);
    if is_bridge && open_id.is_none_or(str::is_empty) {
        return Err(unsendable(format!("`payer.openid`: {} needs it", kind.memo)));
    }
    Ok(PreOrder {
        busi_id: &account.busi_id,
        operator_id: extra::text(order, "operator_id").unwrap_or(&account.operator_id),
        total_fee: fee(order.amount)?,
        channel_type: kind.channel_type,
        pay_subject: subject(&order.subject, order.number.as_str()),
        out_trade_no: number(order.number.as_str())?,
        fee_type: order.amount.currency().code(),
        trade_type: if is_bridge { "JSAPI" } else { "QRCODE" },
        time_expire: minutes(order.expires_at.since(now))?,
        notify_url: notify_url(&order.notify_url)?,
        open_id,
        sub_app_id: extra::text(order, "subAppId"),
        store_id: extra::text(order, "store_id").or(account.store_id.as_deref()),
        merchant_param: extra::text(order, "merchant_param"),
    })
}

/// What became of a scan: paid only where all three levels say so.
pub(crate) fn scanned(order: &Order, reply: Reply) -> Result<Created, ChannelError> {
    let done = done(reply, Step::Order, order.number.as_str())?;
    check_order(&done.data, order.number.as_str(), order.amount)?;
    match integer(&done.data, "state")? {
        Some(states::PAID) => Ok(Created::Paid(receipt(&done.data, order.amount))),
        Some(state) if states::says(state) == Says::Open => {
            Ok(Created::Open(Opened { action: None, reference: reference(&done.data) }))
        }
        state => Err(ChannelError::unknown(format!("FuFu answered a scan with {}", told_state(state)))),
    }
}

/// What the payer of a new order must do.
pub(crate) fn pre_ordered(kind: &Kind, order: &Order, reply: Reply) -> Result<Created, ChannelError> {
    let done = match reply {
        Reply::Done(done) => done,
        Reply::Failed(failed) => return Err(failed_call(&failed, Step::PreOrder, order.number.as_str())),
    };
    check_order(&done.data, order.number.as_str(), order.amount)?;
    let action = action(kind, &done.data)?;
    // One table of the document leaves the code out: then the platform's number must stand for it.
    if !done.is_coded && done.data.is_absent("trade_no") {
        return Err(ChannelError::unknown("an answer without `data.return_code` and without `trade_no`"));
    }
    Ok(Created::Open(Opened { action: Some(action), reference: reference(&done.data) }))
}

fn action(kind: &Kind, data: &Fields) -> Result<NextAction, ChannelError> {
    let lacks = |what: &str| ChannelError::unknown(format!("an order without its `{what}`"));
    match (kind.opening, kind.method.wallet) {
        (Opening::Bridge, Wallet::Alipay) => {
            let id = data.text("prePayId").ok_or_else(|| lacks("prePayId"))?;
            // Under FuFu's name, and under the one that this number has for Alipay's bridge at every provider.
            Ok(NextAction::Jsapi { params: json!({"prePayId": id, "trade_no": id}) })
        }
        (Opening::Bridge, _) => {
            let params = pay_info(data).ok_or_else(|| lacks("payInfo"))?;
            Ok(NextAction::Jsapi { params })
        }
        _ => {
            let qr = data.text("qr_code").filter(|qr| !qr.chars().any(char::is_control));
            Ok(NextAction::Qr { qr: qr.ok_or_else(|| lacks("qr_code"))? })
        }
    }
}

/// The parameters of WeChat's bridge: an object, or the JSON text of one.
fn pay_info(data: &Fields) -> Option<Value> {
    let value: Value = serde_json::from_str(data.raw("payInfo")?).ok()?;
    let value = match value {
        Value::String(text) => serde_json::from_str(&text).ok()?,
        value => value,
    };
    value.as_object().is_some_and(|object| !object.is_empty()).then_some(value)
}

/// What a question about an order found.
pub(crate) fn found(order: &OrderRef, reply: Reply) -> Result<QueryAnswer, ChannelError> {
    let done = match reply {
        Reply::Done(done) if done.is_coded => done,
        Reply::Done(_) => return Err(uncoded()),
        Reply::Failed(failed) => return not_found(order, &failed),
    };
    check_order(&done.data, order.number.as_str(), order.amount)?;
    let state = integer(&done.data, "state")?;
    match state.map_or(Says::Nothing, states::says) {
        Says::Open => Ok(QueryAnswer::Open),
        Says::Paid => Ok(QueryAnswer::Paid(receipt(&done.data, order.amount))),
        Says::Returned => Ok(QueryAnswer::Returned(receipt(&done.data, order.amount))),
        Says::Returning => Ok(QueryAnswer::Returning(receipt(&done.data, order.amount))),
        Says::Over => Ok(QueryAnswer::Closed),
        Says::Nothing => Err(ChannelError::unknown(format!("the order is in {}", told_state(state)))),
    }
}

fn not_found(order: &OrderRef, failed: &Failed) -> Result<QueryAnswer, ChannelError> {
    check_echo(&failed.data, "out_trade_no", order.number.as_str())?;
    match codes::class(failed.code, Step::Query) {
        Class::Absent => Ok(QueryAnswer::NotFound),
        Class::Revoked => Ok(QueryAnswer::Closed),
        _ => Err(failure(failed, Step::Query)),
    }
}

/// An answer that says `SUCCESS` at both levels, or what its failure means for the call about that number.
pub(crate) fn done(reply: Reply, step: Step, number: &str) -> Result<Done, ChannelError> {
    match reply {
        Reply::Done(done) if done.is_coded => Ok(done),
        Reply::Done(_) => Err(uncoded()),
        Reply::Failed(failed) => Err(failed_call(&failed, step, number)),
    }
}

/// What a failure means for the call about that number. One that names another number is no refusal of this one.
pub(crate) fn failed_call(failed: &Failed, step: Step, number: &str) -> ChannelError {
    match check_echo(&failed.data, "out_trade_no", number) {
        Ok(()) => failure(failed, step),
        Err(error) => error,
    }
}

fn uncoded() -> ChannelError {
    ChannelError::unknown("`result` says SUCCESS, and `data` has no `return_code`")
}

/// What a failure means for the call that got it.
pub(crate) fn failure(failed: &Failed, step: Step) -> ChannelError {
    match codes::class(failed.code, step) {
        Class::Refused(blame) => ChannelError::Refused(refusal(failed, blame)),
        Class::Absent | Class::Revoked | Class::AskFirst | Class::Unknown => {
            ChannelError::unknown(format!("FuFu answered {}", told(failed)))
        }
    }
}

fn refusal(failed: &Failed, blame: Blame) -> Refusal {
    Refusal { code: failed.code.map_or("FAIL", |row| row.name).to_owned(), message: told(failed), blame }
}

/// The number of an answer to a question about one order must be there, and all that it repeats must be ours.
fn check_order(data: &Fields, number: &str, amount: Money) -> Result<(), ChannelError> {
    if data.is_absent("out_trade_no") {
        return Err(ChannelError::unknown("the answer names no `out_trade_no`, and carries no sign"));
    }
    check_echo(data, "out_trade_no", number)?;
    check_amount(data, "total_fee", amount)
}

/// A number that an answer repeats is ours to the byte.
pub(crate) fn check_echo(data: &Fields, name: &str, ours: &str) -> Result<(), ChannelError> {
    if data.is_absent(name) || data.text(name).as_deref() == Some(ours) {
        return Ok(());
    }
    Err(ChannelError::unknown(format!("the answer's `{name}` is not the one that was asked about")))
}

/// An amount and a currency that an answer repeats are ours.
pub(crate) fn check_amount(data: &Fields, name: &'static str, ours: Money) -> Result<(), ChannelError> {
    if integer(data, name)?.is_some_and(|fee| fee != ours.minor()) {
        return Err(ChannelError::unknown(format!("the answer's `{name}` is not what was asked")));
    }
    check_echo(data, "fee_type", ours.currency().code())
}

/// A whole number of an answer.
pub(crate) fn integer(data: &Fields, name: &'static str) -> Result<Option<i64>, ChannelError> {
    data.integer(name).map_err(ChannelError::unknown)
}

/// What came in: the order's amount, which no answer has to repeat and none may contradict.
fn receipt(data: &Fields, amount: Money) -> Receipt {
    let converted = converted(data, "trans_amount_cny", amount.currency());
    Receipt {
        trade_no: word(data, "channel_trade_no"),
        reference: join(reference(data), converted),
        ..Receipt::of(amount)
    }
}

/// FuFu's own number of an order.
fn reference(data: &Fields) -> Option<String> {
    word(data, "trade_no")
}

/// FuFu's own number in what was kept of an order.
pub(crate) fn own_number(reference: Option<&str>) -> Option<&str> {
    reference?.split(' ').next().filter(|word| *word != NO_NUMBER)
}

/// Stands for FuFu's number where only a conversion is kept.
const NO_NUMBER: &str = "-";

/// A record's number and what FuFu said of its conversion, as they are kept together.
pub(crate) fn join(number: Option<String>, converted: Option<String>) -> Option<String> {
    match (number, converted) {
        (number, None) => number,
        (number, Some(converted)) => Some(format!("{} {converted}", number.as_deref().unwrap_or(NO_NUMBER))),
    }
}

/// What was taken in CNY, and at which rate: of other currencies only, for the books and never computed with.
/// The document prints one of the names with a blank behind it.
pub(crate) fn converted(data: &Fields, name: &'static str, currency: Currency) -> Option<String> {
    if currency == Currency::CNY {
        return None;
    }
    let stray = if name == "trans_amount_cny" { "trans_amount_cny " } else { name };
    let amount = data.integer(name).ok().flatten().or_else(|| data.integer(stray).ok().flatten());
    let rate = data.decimal("exchange_rate").map(|rate| format!(" at {rate}"));
    amount.map(|fen| format!("= {}{}", Money::fen(fen), rate.unwrap_or_default()))
}

/// A number that is shown and compared: visible characters alone, since blanks are not signed.
pub(crate) fn word(data: &Fields, name: &str) -> Option<String> {
    let good = |text: &String| text.len() <= 64 && text.bytes().all(|b| b.is_ascii_graphic());
    data.text(name).filter(good)
}

/// A state for a person.
fn told_state(state: Option<i64>) -> String {
    match state {
        None => "no `state`".to_owned(),
        Some(value) => {
            let about =
                states::row(value).map_or("not in FuFu's dictionary: tell its operator", |row| row.about);
            format!("state {value} ({about})")
        }
    }
}

/// What FuFu said of a failure, for a person.
pub(crate) fn told(failed: &Failed) -> String {
    let known = failed.code.map(|row| format!("{}: {}", row.name, row.about));
    let beside = failed.said.as_deref().filter(|said| codes::row(said).is_none()).map(masked);
    match (known, beside) {
        (Some(known), Some(said)) => format!("{known} ({said})"),
        (Some(known), None) => known,
        (None, Some(said)) => format!("a code that FuFu's document does not list ({said})"),
        (None, None) => "a code that FuFu's document does not list".to_owned(),
    }
}

/// The most characters of a provider's text that an error repeats.
const TOLD_CHARS_MAX: usize = 160;
/// A run of letters and digits that is so long can be a sign, a key or a payer's code, where a digit is among them.
const RUN_MIN: usize = 10;
/// The same without a digit: no word is so long.
const WORD_MAX: usize = 24;

fn may_be_secret(run: &str) -> bool {
    run.len() > WORD_MAX || (run.len() >= RUN_MIN && run.bytes().any(|byte| byte.is_ascii_digit()))
}

/// A provider's text as it may stand in an error: one line, every run that may be a secret masked, then cut.
fn masked(text: &str) -> String {
    let mut out = String::new();
    let mut run = String::new();
    for c in text.chars().take(8 * TOLD_CHARS_MAX).chain(['\n']) {
        if c.is_ascii_alphanumeric() {
            run.push(c);
            continue;
        }
        out.push_str(if may_be_secret(&run) { "****" } else { &run });
        run.clear();
        out.push(if c.is_control() { ' ' } else { c });
    }
    let cut: String = out.chars().take(TOLD_CHARS_MAX).collect();
    cut.trim_end().to_owned()
}

/// An amount as it travels: decimal digits in text.
pub(crate) fn fee(amount: Money) -> Result<String, ChannelError> {
    if !currencies().contains(&amount.currency()) {
        return Err(unsendable("the currency: FuFu takes CNY, THB and HKD"));
    }
    if !(1..=AMOUNT_MAX).contains(&amount.minor()) {
        return Err(unsendable(format!("the amount: FuFu takes 1 or more, at most {AMOUNT_MAX}")));
    }
    Ok(amount.minor().to_string())
}

/// A number of ours: letters and digits, which no reading of the sign can change.
pub(crate) fn number(text: &str) -> Result<&str, ChannelError> {
    if (1..=NUMBER_CHARS_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Ok(text);
    }
    Err(unsendable("the order number: FuFu takes 1 to 32 letters and digits"))
}

/// A subject in one line, cut at a character to what FuFu takes; the order's number when nothing is left.
fn subject(text: &str, number: &str) -> String {
    let kept: String = text.chars().filter(|c| !c.is_control()).take(SUBJECT_CHARS_MAX).collect();
    let kept = kept.trim();
    if kept.is_empty() { number.to_owned() } else { kept.to_owned() }
}

/// A life in whole minutes, never longer than what is left. An order with too little left is not sent: another
/// provider may take it.
fn minutes(left: Duration) -> Result<u64, ChannelError> {
    match left.as_secs() / LIFE_STEP.as_secs() {
        0 => Err(not_sent("the order has less than a minute to live: FuFu takes 1 or more", Blame::Account)),
        minutes => Ok(minutes.min(LIFE_STEPS_MAX)),
    }
}

/// An address to which FuFu can add its `?sign=`.
fn notify_url(url: &str) -> Result<&str, ChannelError> {
    let is_web = url.starts_with("https://") || url.starts_with("http://");
    if is_web && url.len() <= NOTIFY_URL_BYTES_MAX && !url.contains(['?', '#', ' ']) {
        return Ok(url);
    }
    Err(unsendable("`notify_url`: FuFu takes http(s) addresses of at most 256 bytes without `?` and `#`"))
}

/// Nothing was sent, since the request could not be right anywhere.
pub(crate) fn unsendable(what: impl AsRef<str>) -> ChannelError {
    not_sent(what.as_ref(), Blame::Request)
}

fn not_sent(what: &str, blame: Blame) -> ChannelError {
    let message = format!("not sent, {what}");
    ChannelError::Refused(Refusal { code: "invalid_request".to_owned(), message, blame })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_provider_says_is_masked() {
        check("busi_id is wrong", "busi_id is wrong");
        check("sign e25401af2683d1387346dfc25298da2f:1709251200000 wrong", "sign ****:**** wrong");
        check("code 281234567890123456", "code ****");
        check("key PaymuxTestKeyPaymuxTestKey012345.", "key ****.");
        check(&format!("key {} SOUNDWAVE_PARSER_FAIL", "k".repeat(25)), "key **** SOUNDWAVE_PARSER_FAIL");
        check("CHARGENONEXISTENT v1.1.1", "CHARGENONEXISTENT v1.1.1");
        check("a\nb\tc", "a b c");
        check(&"渠道".repeat(100), &"渠道".repeat(80));

        #[track_caller]
        fn check(text: &str, want: &str) {
            assert_eq!(masked(text), want);
        }
    }

    /// F9: a String(n) is counted in characters.
    #[test]
    fn subjects_fit_a_hundred_characters() {
        check("coffee", "coffee");
        check("red shoes size 42", "red shoes size 42");
        check(&"茶".repeat(101), &"茶".repeat(100));
        check("a\tb\nc", "abc");
        check(" \t ", "N1");
        check("", "N1");

        #[track_caller]
        fn check(text: &str, want: &str) {
            assert_eq!(subject(text, "N1"), want, "{text:?}");
        }
    }

    #[test]
    fn a_life_is_whole_minutes_and_never_too_long() {
        check(1800, Some(30));
        check(1799, Some(29));
        check(60, Some(1));
        check(59, None);
        check(0, None);
        check(999_999, Some(1440));

        #[track_caller]
        fn check(seconds: u64, want: Option<u64>) {
            assert_eq!(minutes(Duration::from_secs(seconds)).ok(), want, "{seconds}");
        }
    }

    #[test]
    fn what_is_kept_of_an_order_gives_fufus_number_back() {
        let kept = |number: Option<&str>, converted: Option<&str>| {
            join(number.map(str::to_owned), converted.map(str::to_owned))
        };
        assert_eq!(kept(None, None), None);
        assert_eq!(own_number(kept(Some("T1"), None).as_deref()), Some("T1"));
        let both = kept(Some("T1"), Some("= 20.28 CNY at 4.93")).unwrap();
        assert_eq!(both, "T1 = 20.28 CNY at 4.93");
        assert_eq!(own_number(Some(&both)), Some("T1"));
        assert_eq!(own_number(kept(None, Some("= 20.28 CNY")).as_deref()), None);
        assert_eq!(own_number(None), None);
    }
}
