//! Between BeeCloud's words and ours: creates, create answers, records and result codes.
//!
//! The tables are in `codes`, `extra` and `results`; refunds and lists are in `refunds`. How a call travels lives in `wire` and
//! `channel`.

pub(crate) mod codes;
pub(crate) mod extra;
pub(crate) mod refunds;
pub(crate) mod results;

use paymux_core::channel::{Blame, MethodSpec, Needs, Opened, QueryAnswer, Receipt, Refusal};
use paymux_core::transport::NotSent;
use paymux_core::{ChannelError, Created, Money, NextAction, Order, Secret, Timestamp};
use serde_json::{Map, Value};

use self::codes::{Code, Family, Moves, Page};
use self::extra::{EVERYWHERE, Form, Place};
use self::results::{Class, Step};
use crate::config::Books;
use crate::wire::{self, Analysis, Bill, BillRow, Reply};

/// Fields of every answer; the rest belongs to the code.
const COMMON: [&str; 5] = ["result_code", "result_msg", "err_detail", "id", "errMsg"];

/// How a method works at an account.
pub(crate) fn spec(code: &Code, books: Books) -> MethodSpec {
    MethodSpec {
        method: code.method,
        code: code.name,
        amounts: 1..=code.fee_max(),
        payer_must_act: code.moves == Moves::Payer,
        needs: code.needs,
        end: code.order_end(books),
        request_min: None,
        // Rows become visible late and a lost create can still be booked: absence proves nothing.
        not_found_final_after: None,
        watch: codes::WATCH,
    }
}

/// The create call of an order. What BeeCloud would surely refuse is not sent.
pub(crate) fn bill<'a>(
    code: &Code,
    order: &'a Order,
    books: Books,
    now: Timestamp,
) -> Result<Bill<'a>, ChannelError> {
    let number = order.number.as_str();
    if !is_bill_no(number) {
        return Err(unsendable("the order number: BeeCloud takes 8 to 32 letters and digits"));
    }
    let [top, optional] = extra_fields(code, order)?;
    Ok(Bill {
        channel: code.name,
        total_fee: total_fee(code, order.amount)?,
        bill_no: number,
        title: wire::title(&order.subject, number),
        auth_code: needed(code, Needs::AUTH_CODE, order.payer.auth_code.as_ref().map(Secret::expose))?,
        openid: needed(code, Needs::OPENID, order.payer.openid.as_deref())?,
        identity_id: identity(needed(code, Needs::PAYER_ID, order.payer.id.as_deref())?)?,
        analysis: needed(code, Needs::IP, order.payer.ip)?.map(|ip| Analysis { ip: ip.to_string() }),
        return_url: if code.page == Page::None {
            None
        } else {
            Some(address("return_url", &order.return_url)?)
        },
        notify_url: address("notify_url", &order.notify_url)?,
        bill_timeout: timeout(code, order, books, now)?,
        optional,
        extra: top,
    })
}

/// What an answer with code 0 to a create means.
pub(crate) fn created(code: &Code, order: &Order, reply: &Reply) -> Result<Created, ChannelError> {
    let reference = reply.id();
    if code.reply == codes::Reply::Scan {
        return match reply.flag("pay_result") {
            Some(true) => Ok(Created::Paid(Receipt { reference, ..Receipt::of(order.amount) })),
            Some(false) => Ok(Created::Open(Opened { action: None, reference })),
            None => Err(ChannelError::unknown("code 0 without a Boolean `pay_result`")),
        };
    }
    let action = if code.reply == codes::Reply::Nothing { None } else { Some(action(code, reply)?) };
    Ok(Created::Open(Opened { action, reference }))
}

/// Why nothing is said of an order that was paid twice.
const PAID_TWICE: &str = "two records of the order's number are paid; a person must look";

/// What an order's record means.
pub(crate) fn found(rows: &[BillRow]) -> Result<QueryAnswer, ChannelError> {
    let mut answer = QueryAnswer::NotFound;
    for row in rows {
        answer = match (answer, state(row)?) {
            // Of two payments neither sum may stand for both, nor both sums for one trade number.
            (QueryAnswer::Paid(_), QueryAnswer::Paid(_)) => return Err(ChannelError::unknown(PAID_TWICE)),
            (QueryAnswer::Paid(paid), _) | (_, QueryAnswer::Paid(paid)) => QueryAnswer::Paid(paid),
            // Only when every record is closed can the number take no money.
            (QueryAnswer::Open, _) | (_, QueryAnswer::Open) => QueryAnswer::Open,
            (_, other) => other,
        };
    }
    Ok(answer)
}

/// The records of our number in the answer to a query, each once.
pub(crate) fn rows_of(number: &str, reply: &Reply) -> Result<Vec<BillRow>, ChannelError> {
    let list = reply.fields.get("bills").and_then(Value::as_array);
    let list = list.ok_or_else(|| ChannelError::unknown("code 0 without the list `bills`"))?;
    let mut rows: Vec<BillRow> = Vec::new();
    for value in list.iter().filter(|row| row.get("bill_no").and_then(Value::as_str) == Some(number)) {
        let row = BillRow::deserialize_from(value)?;
        if row.id.is_none() || rows.iter().all(|other| other.id != row.id) {
            rows.push(row);
        }
    }
    Ok(rows)
}

/// What a result code other than 0 means for a call.
pub(crate) fn failure(reply: &Reply, step: Step) -> ChannelError {
    let told = told(reply);
    match results::class(reply.code, step) {
        Class::Refused(blame) => {
            ChannelError::Refused(Refusal { code: reply.code.to_string(), message: told, blame })
        }
        Class::Done | Class::AskFirst | Class::Absent | Class::Unknown => {
            ChannelError::unknown(format!("BeeCloud answered code {}: {told}", reply.code))
        }
    }
}

/// The code as a definite no.
pub(crate) fn refusal(reply: &Reply, blame: Blame) -> ChannelError {
    ChannelError::Refused(Refusal { code: reply.code.to_string(), message: told(reply), blame })
}

/// What BeeCloud said, for a person.
pub(crate) fn told(reply: &Reply) -> String {
    let row = results::row(reply.code).map_or_else(
        || "a code that BeeCloud's documents do not list".to_owned(),
        |row| format!("{}: {}", row.name, row.about),
    );
    match reply.text("err_detail") {
        Some(detail) => format!("{row} ({})", masked(detail)),
        None => row,
    }
}

/// The most characters of a provider's text that an error repeats.
const TOLD_CHARS_MAX: usize = 160;
/// A run of hexadecimal digits from this length on can be a sign, a secret, a card or a barcode.
const RUN_MIN: usize = 10;

/// A provider's text as it may stand in an error: one line, every long run of digits masked, then
/// cut.
fn masked(text: &str) -> String {
    let hexadecimal = |c: char| c.is_ascii_hexdigit() || c == '-';
    let mut out = String::new();
    let mut run = String::new();
    for c in text.chars().take(8 * TOLD_CHARS_MAX).chain(['\n']) {
        if hexadecimal(c) {
            run.push(c);
            continue;
        }
        out.push_str(if run.len() >= RUN_MIN { "****" } else { &run });
        run.clear();
        out.push(if c.is_control() { ' ' } else { c });
    }
    let cut: String = out.chars().take(TOLD_CHARS_MAX).collect();
    cut.trim_end().to_owned()
}

/// What the payer must do, from an answer with code 0. The test mode answers `url` alone.
fn action(code: &Code, reply: &Reply) -> Result<NextAction, ChannelError> {
    use codes::Reply as R;
    let lacks = |what: &str| ChannelError::unknown(format!("code 0 without `{what}`"));
    match code.reply {
        R::Page => page(reply).ok_or_else(|| lacks("url` or `html")),
        R::Qr => {
            let text = reply.text("code_url").or_else(|| reply.text("qr_code"));
            match text {
                Some(qr) => Ok(NextAction::Qr { qr: qr.to_owned() }),
                None => page(reply).ok_or_else(|| lacks("code_url")),
            }
        }
        R::Link => {
            let url = reply.text("code_url").filter(|url| is_address(url)).map(str::to_owned);
            url.map(|url| NextAction::Redirect { url })
                .or_else(|| page(reply))
                .ok_or_else(|| lacks("code_url"))
        }
        R::WechatBridge => bridge(reply)
            .ok_or_else(|| lacks("app_id`, `package`, `nonce_str`, `timestamp`, `pay_sign` or `sign_type")),
        R::Bridge(names) => parameters(reply, names).map(|params| NextAction::Jsapi { params }),
        R::App(names) => match parameters(reply, names) {
            Err(error) => page(reply).ok_or(error),
            Ok(params) => Ok(NextAction::App { params }),
        },
        R::Unstated => parameters(reply, &[]).map(|params| NextAction::App { params }),
        R::Scan | R::Nothing => Err(lacks("a next step")),
    }
}

/// A page: its address where one came, else its markup.
fn page(reply: &Reply) -> Option<NextAction> {
    if let Some(url) = reply.text("url").filter(|url| is_address(url)) {
        return Some(NextAction::Redirect { url: url.to_owned() });
    }
    reply.text("html").map(|html| NextAction::Html { html: html.to_owned() })
}

/// Whether a browser may be sent there: pages, and the wallets' own apps.
fn is_address(url: &str) -> bool {
    ["https://", "http://", "weixin://", "alipays://"].iter().any(|scheme| url.starts_with(scheme))
        && !url.chars().any(|c| c.is_control() || c == ' ')
}

/// BeeCloud's names of the six fields, and the bridge's.
pub(crate) const BRIDGE: [(&str, &str); 6] = [
    ("app_id", "appId"),
    ("package", "package"),
    ("nonce_str", "nonceStr"),
    ("timestamp", "timeStamp"),
    ("pay_sign", "paySign"),
    ("sign_type", "signType"),
];

/// The six fields as text under the bridge's names, characters unchanged: `pay_sign` covers them.
fn bridge(reply: &Reply) -> Option<NextAction> {
    let mut params = Map::new();
    for (theirs, bridges) in BRIDGE {
        params.insert(bridges.to_owned(), Value::from(reply.word(theirs)?));
    }
    Some(NextAction::Jsapi { params: Value::Object(params) })
}

/// All fields of the code, known or not, if the known ones are there.
fn parameters(reply: &Reply, names: &[&str]) -> Result<Value, ChannelError> {
    if let Some(missing) = names.iter().find(|name| reply.word(name).is_none()) {
        return Err(ChannelError::unknown(format!("code 0 without `{missing}`")));
    }
    let own = |name: &str| !COMMON.contains(&name);
    let params: Map<_, _> = reply
        .fields
        .iter()
        .filter(|(name, _)| own(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if params.is_empty() {
        return Err(ChannelError::unknown("code 0 without anything for the payer"));
    }
    Ok(Value::Object(params))
}

impl BillRow {
    fn deserialize_from(value: &Value) -> Result<Self, ChannelError> {
        serde::Deserialize::deserialize(value)
            .map_err(|_| ChannelError::unknown("the record of the order has fields of a wrong type"))
    }
}

/// What one record says. What was reverted is over, paid or not: a revert that took money back may leave both
/// marks.
fn state(row: &BillRow) -> Result<QueryAnswer, ChannelError> {
    match (row.spay_result, is_reverted(row)) {
        (_, true) => Ok(QueryAnswer::Closed),
        (true, false) => receipt(row).map(QueryAnswer::Paid),
        (false, false) => Ok(QueryAnswer::Open),
    }
}

fn is_reverted(row: &BillRow) -> bool {
    row.revert_result == Some(true)
}

/// Whether the records know of the order's money already, so that a status that says "paid" is no news.
pub(crate) fn knows_money(found: &QueryAnswer, rows: &[BillRow]) -> bool {
    match found {
        QueryAnswer::Paid(_) | QueryAnswer::Returned(_) | QueryAnswer::Returning(_) => true,
        QueryAnswer::Closed => rows.iter().any(|row| row.spay_result),
        QueryAnswer::Open | QueryAnswer::NotFound => false,
    }
}

/// The sums of a paid record, fen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fees {
    /// `bill_fee`, what was asked.
    pub bill: Option<i64>,
    /// `total_fee`, what was paid.
    pub total: i64,
    /// What a coupon took off.
    pub discount: Option<i64>,
}

impl Fees {
    fn discount(self) -> i64 {
        self.discount.unwrap_or(0)
    }

    /// What was asked, by the record's own word, else by its parts.
    pub(crate) fn asked(self) -> Option<i64> {
        self.bill.or_else(|| self.total.checked_add(self.discount()))
    }

    /// Whether they can be. A discount has to make up what is missing; without one, too little was paid.
    pub(crate) fn check(self) -> Result<(), &'static str> {
        let discount = self.discount();
        let sum = self.total.checked_add(discount);
        let adds_up = sum.is_some() && (discount == 0 || sum == self.asked());
        if self.total < 0 || discount < 0 || !adds_up {
            return Err("the record's `total_fee`, `discount` and `bill_fee` do not add up");
        }
        Ok(())
    }
}

/// What a paid record says came in: `total_fee`, which with `discount` makes the order's amount.
fn receipt(row: &BillRow) -> Result<Receipt, ChannelError> {
    let fees = Fees { bill: row.bill_fee, total: row.total_fee, discount: row.discount };
    fees.check().map_err(ChannelError::unknown)?;
    Ok(Receipt {
        received: Money::fen(row.total_fee),
        discount: Money::fen(fees.discount()),
        trade_no: row.trade_no.clone().filter(|text| !text.is_empty()),
        reference: row.id.clone().filter(|text| !text.is_empty()),
    })
}

/// Source: V2 document, `bill_no`.
fn is_bill_no(text: &str) -> bool {
    (8..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

fn total_fee(code: &Code, amount: Money) -> Result<i64, ChannelError> {
    if amount.currency() != paymux_core::Currency::CNY || !(1..=code.fee_max()).contains(&amount.minor()) {
        return Err(unsendable(format!(
            "the amount: {} takes 1 to {} fen of CNY",
            code.name,
            code.fee_max()
        )));
    }
    Ok(amount.minor())
}

/// The value of a payer's field, for codes that need it; others do not get it.
fn needed<T>(code: &Code, need: Needs, value: Option<T>) -> Result<Option<T>, ChannelError> {
    if !code.needs.has(need) {
        return Ok(None);
    }
    let field = Needs::FIELDS.iter().find(|(known, _)| *known == need).map_or("payer", |(_, field)| field);
    value.map(Some).ok_or_else(|| unsendable(format!("`{field}`: {} needs it", code.name)))
}

/// Source: V2 document, `identity_id` of YEE_WAP.
fn identity(id: Option<&str>) -> Result<Option<&str>, ChannelError> {
    let good = |id: &str| id.len() <= 50 && id.bytes().all(|b| b.is_ascii_alphanumeric());
    match id {
        Some(id) if !good(id) => Err(unsendable("`payer.id`: YEE_WAP takes 1 to 50 letters and digits")),
        id => Ok(id),
    }
}

/// An address that BeeCloud takes: of `#`, `,` and `?` none may stand in a `return_url`, and the
/// account stands in the path of our `notify_url`, never in a query.
fn address<'a>(name: &str, url: &'a str) -> Result<&'a str, ChannelError> {
    if extra::is_web_address(url) && !url.contains(['#', ',', '?']) {
        return Ok(url);
    }
    Err(unsendable(format!("`{name}`: BeeCloud takes http(s) addresses without `#`, `,` and `?`")))
}

/// `bill_timeout` in seconds, for codes that take it. An order with too little life left is not
/// sent: it would outlive its payment.
fn timeout(code: &Code, order: &Order, books: Books, now: Timestamp) -> Result<Option<u64>, ChannelError> {
    let end = code.order_end(books);
    if !matches!(end, paymux_core::channel::OrderEnd::ProviderTimer { .. }) {
        return Ok(None);
    }
    let life = end.life(order.expires_at.since(now)).ok_or(ChannelError::NotSent(NotSent::TooLate))?;
    Ok(Some(life.as_secs()))
}

/// The merchant's provider fields, for the top of the call and for `optional`.
fn extra_fields(code: &Code, order: &Order) -> Result<[Map<String, Value>; 2], ChannelError> {
    if let Some(missing) = code.wants.iter().find(|name| !order.extra.contains_key(**name)) {
        return Err(unsendable(format!("`extra.{missing}`: {} needs it", code.name)));
    }
    if code.name == "ALI_SCAN"
        && !["terminal_id", "store_id"].iter().any(|name| order.extra.contains_key(*name))
    {
        return Err(unsendable("`extra.terminal_id`: ALI_SCAN needs it or `extra.store_id`"));
    }
    let mut places = [Map::new(), Map::new()];
    for (name, value) in &order.extra {
        let taken = [code.wants, code.takes, EVERYWHERE].iter().any(|names| names.contains(&name.as_str()));
        let field = extra::field(name).filter(|_| taken);
        let field =
            field.ok_or_else(|| unsendable(format!("`extra.{name}`: {} does not take it", code.name)))?;
        check_form(name, field.form, value)?;
        places[usize::from(field.place == Place::Optional)].insert(name.clone(), value.clone());
    }
    Ok(places)
}

fn check_form(name: &str, form: Form, value: &Value) -> Result<(), ChannelError> {
    form.check(value).map_err(|rule| unsendable(format!("`extra.{name}`: {rule}")))
}

/// Nothing was sent, since the request could not be right anywhere.
fn unsendable(what: impl Into<String>) -> ChannelError {
    let message = format!("not sent, {}", what.into());
    ChannelError::Refused(Refusal { code: "invalid_request".to_owned(), message, blame: Blame::Request })
}

/// The path of a create.
pub(crate) fn create_path(books: Books, family: Family) -> String {
    let tail = if family == Family::Bill { "/bill" } else { "/offline/bill" };
    format!("{}{tail}", books.prefix())
}

#[cfg(test)]
#[expect(clippy::needless_pass_by_value, reason = "rows read better with values")]
mod tests {
    use serde_json::json;

    use super::*;

    fn reply(fields: Value) -> Reply {
        let fields = fields.as_object().unwrap().clone();
        Reply { code: fields.get("result_code").and_then(Value::as_i64).unwrap_or(0), fields, date: None }
    }

    #[test]
    fn records_say_what_came_in() {
        let row = |patch: Value| {
            let mut row = json!({"id": "r1", "bill_no": "N", "bill_fee": 100, "total_fee": 100, "discount": 0,
                "trade_no": "T", "spay_result": true});
            row.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
            row
        };
        let paid = |received, discount| Some((received, discount));
        check(vec![row(json!({}))], "paid", paid(100, 0));
        check(vec![row(json!({"total_fee": 70, "discount": 30}))], "paid", paid(70, 30));
        check(vec![row(json!({"total_fee": 70}))], "paid", paid(70, 0));
        check(vec![row(json!({"bill_fee": null, "discount": null}))], "paid", paid(100, 0));
        check(vec![row(json!({"spay_result": false}))], "open", None);
        check(vec![row(json!({"spay_result": false, "revert_result": true}))], "closed", None);
        check(vec![row(json!({"bill_no": "M"}))], "absent", None);
        check(vec![], "absent", None);
        check(vec![row(json!({})), row(json!({}))], "paid", paid(100, 0));
        check(vec![row(json!({"revert_result": true}))], "closed", None);
        // One number paid twice: no single receipt can say that.
        check(vec![row(json!({})), row(json!({"id": "r2", "trade_no": "U"}))], "error", None);
        check(vec![row(json!({})), row(json!({"id": "r2"}))], "error", None);
        check(vec![row(json!({})), row(json!({"id": "r2", "revert_result": true}))], "paid", paid(100, 0));
        check(vec![row(json!({"spay_result": false})), row(json!({"id": "r2"}))], "paid", paid(100, 0));
        let reverted = json!({"id": "r2", "spay_result": false, "revert_result": true});
        check(vec![row(json!({"spay_result": false})), row(reverted)], "open", None);
        for contradiction in [
            json!({"discount": 30}),
            json!({"discount": -1}),
            json!({"total_fee": -1}),
            json!({"total_fee": "100"}),
            json!({"total_fee": 100.5}),
            json!({"total_fee": null}),
            json!({"spay_result": "true"}),
            json!({"spay_result": null}),
        ] {
            check(vec![row(contradiction)], "error", None);
        }

        #[track_caller]
        fn check(rows: Vec<Value>, want: &str, money: Option<(i64, i64)>) {
            let reply = reply(json!({"result_code": 0, "bills": rows}));
            let answer = rows_of("N", &reply).and_then(|rows| found(&rows));
            let got = match &answer {
                Ok(QueryAnswer::Paid(_)) => "paid",
                Ok(QueryAnswer::Open) => "open",
                Ok(QueryAnswer::Closed) => "closed",
                Ok(QueryAnswer::Returned(_) | QueryAnswer::Returning(_)) => "gone back",
                Ok(QueryAnswer::NotFound) => "absent",
                Err(_) => "error",
            };
            assert_eq!(got, want, "{rows:?}");
            if let Ok(QueryAnswer::Paid(receipt)) = answer {
                assert_eq!(Some((receipt.received.minor(), receipt.discount.minor())), money, "{rows:?}");
            }
        }
    }

    #[test]
    fn a_query_without_its_list_proves_nothing() {
        for bad in [json!({}), json!({"bills": null}), json!({"bills": {}}), json!({"bill": []})] {
            assert!(rows_of("N", &reply(bad)).is_err());
        }
    }

    #[test]
    fn what_a_provider_says_is_masked() {
        check("bill_no is invalid", "bill_no is invalid");
        check("app_sign 43115fee5e62264f182da1d57bcef9a2 wrong", "app_sign **** wrong");
        check("secret 1f0e2d3c-4b5a-4978-8695-a4b3c2d1e0f9", "secret ****");
        check("card 6200000000000000001", "card ****");
        check("a\nb", "a b");
        let late = format!("{}1f0e2d3c-4b5a-4978-8695-a4b3c2d1e0f9", "渠".repeat(155));
        check(&late, &format!("{}****", "渠".repeat(155)));
        check(&"渠道".repeat(100), &"渠道".repeat(80));

        #[track_caller]
        fn check(text: &str, want: &str) {
            assert_eq!(masked(text), want);
        }
    }
}
