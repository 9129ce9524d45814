//! The paths under `/sim`: what whoever runs a test may see and do. JSON in, JSON out, and pages for
//! people.
//!
//! | call | |
//! |---|---|
//! | `GET /sim` | a page with the newest orders |
//! | `GET /sim/orders?limit=100` | the books, newest first, at most 10 000 |
//! | `GET /sim/orders/{number}?account=` | one order with every try of its webhook |
//! | `GET /sim/pay/{number}?account=` | the payer's page |
//! | `GET /sim/pay/{number}/qr.svg?account=` | the picture of its code |
//! | `POST /sim/pay/{number}?account=` | pays: `{"amount"?, "discount"?, "force"?}`, or the page's form |
//! | `GET /sim/refunds?limit=100` | the refunds, newest first, at most 10 000 |
//! | `GET /sim/refunds/{number}?account=` | one refund with every try of its webhook |
//! | `GET /sim/refund/{number}?account=` | the page on which a person lets a refund go |
//! | `POST /sim/refund/{number}?account=` | ends it: `{"outcome"?: "done" \| "failed"}`, or the page's form |
//! | `GET /sim/faults` | the rules that stand |
//! | `POST /sim/faults` | adds rules: `{"calls": [..], "notices": [..]}`, see [`crate::FaultPlan`] |
//! | `DELETE /sim/faults` | removes them all |
//! | `GET /sim/stats` | counts, see [`crate::Stats`] |

use std::sync::Arc;

use paymux_core::wire::Headers;
use paymux_core::{Verb, WireRequest, WireResponse};
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::page;
use crate::books::refunds::{RefundEnd, RefundError, RefundView};
use crate::books::{NoticeOutcome, OrderView, Pay, PayError};
use crate::engine::Engine;
use crate::simulator::Bank;

const ROWS_SHOWN: usize = 100;
const ROWS_SHOWN_MAX: usize = 10_000;

/// Answers a request on one of the simulator's own paths.
pub(crate) fn answer(engine: &Arc<Engine>, request: &WireRequest) -> WireResponse {
    let bank = Bank::of(engine.clone());
    let path = request.path.trim_start_matches("/sim").trim_matches('/');
    let (room, name) = path.split_once('/').unwrap_or((path, ""));
    let Ok(number) = percent_decode_str(name).decode_utf8() else { return problem(404, "no such path") };
    match (request.verb, room, number.as_ref()) {
        (Verb::Get, "", "") => {
            page::answer(200, &page::books(&bank.orders(), |order| own_page(engine, order)))
        }
        (Verb::Get, "orders", "") => orders(&bank, request),
        (Verb::Get, "orders", number) => answered(bank.order_of(number, account(request).as_deref())),
        (Verb::Get, "pay", _) if name.ends_with(PICTURE) => {
            picture(engine, &bank, request, number.strip_suffix(PICTURE).unwrap_or_default())
        }
        (Verb::Get, "pay", number) if !number.is_empty() => pay_page(engine, &bank, request, number),
        (Verb::Post, "pay", number) if !number.is_empty() => pay(engine, &bank, request, number),
        (Verb::Get, "refunds", "") => refunds(&bank, request),
        (Verb::Get, "refunds", number) => told(bank.refund_of(number, account(request).as_deref())),
        (Verb::Get, "refund", number) if !number.is_empty() => refund_page(engine, &bank, request, number),
        (Verb::Post, "refund", number) if !number.is_empty() => end_refund(engine, &bank, request, number),
        (Verb::Get, "faults", "") => json(200, &bank.faults()),
        (Verb::Post, "faults", "") => add_faults(&bank, request),
        (Verb::Delete, "faults", "") => {
            bank.clear_faults();
            json(200, &bank.faults())
        }
        (Verb::Get, "stats", "") => json(200, &bank.stats()),
        _ => problem(
            404,
            "no such path; GET /sim/orders, /sim/refunds, /sim/stats, /sim/faults, /sim/pay/{number}",
        ),
    }
}

fn account(request: &WireRequest) -> Option<String> {
    request.query_value("account").filter(|account| !account.is_empty())
}

fn orders(bank: &Bank, request: &WireRequest) -> WireResponse {
    listed("orders", bank.orders(), request)
}

fn refunds(bank: &Bank, request: &WireRequest) -> WireResponse {
    listed("refunds", bank.refunds(), request)
}

fn listed<T: Serialize>(name: &str, mut rows: Vec<T>, request: &WireRequest) -> WireResponse {
    let limit = match request.query_value("limit").map(|text| text.parse::<usize>()) {
        None => ROWS_SHOWN,
        Some(Ok(limit)) if limit <= ROWS_SHOWN_MAX => limit,
        Some(_) => return problem(400, &format!("limit: write 0 to {ROWS_SHOWN_MAX}")),
    };
    rows.truncate(limit);
    json(200, &serde_json::json!({name: rows}))
}

fn told(refund: Result<RefundView, RefundError>) -> WireResponse {
    match refund {
        Ok(refund) => json(200, &refund),
        Err(error) => problem(refund_status(&error), &error.to_string()),
    }
}

fn refund_status(error: &RefundError) -> u16 {
    match error {
        RefundError::NotFound(_) => 404,
        RefundError::Ambiguous(_) | RefundError::Over | RefundError::AwaitsApproval => 409,
    }
}

fn refund_page(engine: &Engine, bank: &Bank, request: &WireRequest, number: &str) -> WireResponse {
    match bank.refund_of(number, account(request).as_deref()) {
        Ok(refund) => page::answer(200, &page::refund(&refund, &own_refund_page(engine, &refund))),
        Err(error) => page::answer(refund_status(&error), &page::refusal(&error.to_string())),
    }
}

fn own_refund_page(engine: &Engine, refund: &RefundView) -> String {
    let key = crate::books::OrderKey { number: refund.number.clone(), account: refund.account.clone() };
    engine.refund_url(&key)
}

/// How a refund ends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ending {
    #[serde(default)]
    outcome: RefundEnd,
}

/// A program posts JSON and gets JSON; a person posts the form, which lets it go, and is led back to
/// the page.
fn end_refund(engine: &Engine, bank: &Bank, request: &WireRequest, number: &str) -> WireResponse {
    let is_form = is_form(request);
    let how = if is_form { Ok(Ending { outcome: RefundEnd::Done }) } else { read::<Ending>(request) };
    let end = match how {
        Ok(ending) => ending.outcome,
        Err(rule) => return problem(400, &rule),
    };
    match bank.end_refund(number, account(request).as_deref(), end) {
        Ok(refund) if is_form => see_other(&own_refund_page(engine, &refund)),
        Err(error) if is_form => page::answer(refund_status(&error), &page::refusal(&error.to_string())),
        ended => told(ended),
    }
}

fn answered(order: Result<OrderView, PayError>) -> WireResponse {
    match order {
        Ok(order) => json(200, &order),
        Err(error) => problem(status(&error), &error.to_string()),
    }
}

fn status(error: &PayError) -> u16 {
    match error {
        PayError::NotFound(_) => 404,
        PayError::Amount => 400,
        PayError::Ambiguous(_) | PayError::AlreadyPaid | PayError::Closed | PayError::Expired => 409,
    }
}

fn add_faults(bank: &Bank, request: &WireRequest) -> WireResponse {
    match read(request).and_then(|plan| bank.add_faults(plan).map_err(|error| error.to_string())) {
        Ok(()) => json(200, &bank.faults()),
        Err(rule) => problem(400, &rule),
    }
}

fn pay_page(engine: &Engine, bank: &Bank, request: &WireRequest, number: &str) -> WireResponse {
    match bank.order_of(number, account(request).as_deref()) {
        Ok(order) => {
            let url = own_page(engine, &order);
            page::answer(
                200,
                &page::payer(&OrderView { return_url: way_back(engine, &order), ..order }, &url),
            )
        }
        Err(error) => page::answer(status(&error), &page::refusal(&error.to_string())),
    }
}

/// What stands behind a page's path where the picture of its code is. An escaped slash does not make one.
const PICTURE: &str = "/qr.svg";

fn picture(engine: &Engine, bank: &Bank, request: &WireRequest, number: &str) -> WireResponse {
    match bank.order_of(number, account(request).as_deref()) {
        Ok(order) => page::picture(&own_page(engine, &order)),
        Err(error) => problem(status(&error), &error.to_string()),
    }
}

/// Where the payer's browser may go on to. A protocol that adds something to the address does so only once its
/// webhook was acknowledged.
fn way_back(engine: &Engine, order: &OrderView) -> Option<String> {
    let url = order.return_url.clone()?;
    let Some(query) = engine.return_query(&order.account, &order.number) else { return Some(url) };
    let is_told = order.notices.iter().any(|tried| tried.outcome == NoticeOutcome::Acknowledged);
    let joint = if url.contains('?') { '&' } else { '?' };
    is_told.then(|| format!("{url}{joint}{query}"))
}

/// The address of an order's page as it stands on the page itself.
fn own_page(engine: &Engine, order: &OrderView) -> String {
    let key = crate::books::OrderKey { number: order.number.clone(), account: order.account.clone() };
    engine.pay_url(&key)
}

/// A program posts JSON and gets JSON; a person posts the form and is led back to the page.
fn pay(engine: &Engine, bank: &Bank, request: &WireRequest, number: &str) -> WireResponse {
    let is_form = is_form(request);
    let how = if is_form { read_form(request) } else { read(request) };
    let how = match how {
        Ok(how) => how,
        Err(rule) if is_form => return page::answer(400, &page::refusal(&rule)),
        Err(rule) => return problem(400, &rule),
    };
    let paid = bank.pay_as(number, account(request).as_deref(), how);
    match paid {
        Ok(order) if is_form => see_other(&own_page(engine, &order)),
        Err(error) if is_form => page::answer(status(&error), &page::refusal(&error.to_string())),
        paid => answered(paid),
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

fn is_form(request: &WireRequest) -> bool {
    request.headers.first("content-type").is_some_and(|kind| kind.starts_with(FORM))
}

/// An empty field is an absent one.
fn read_form(request: &WireRequest) -> Result<Pay, String> {
    let body = String::from_utf8_lossy(&request.body).into_owned();
    // A form's body has the form of a query.
    let fields = WireRequest::new(Verb::Get, "/").query(body);
    let sum = |name: &str| {
        let text = fields.query_value(name).filter(|text| !text.is_empty());
        text.map(|text| text.parse::<i64>().map_err(|_| format!("{name}: write minor units, like 1999")))
            .transpose()
    };
    Ok(Pay { amount: sum("amount")?, discount: sum("discount")?.unwrap_or(0), force: false })
}

/// An empty body is `{}`. A list is refused: serde would read it as the fields in their order.
fn read<T: DeserializeOwned>(request: &WireRequest) -> Result<T, String> {
    let body: &[u8] = if request.body.is_empty() { b"{}" } else { &request.body };
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err("write a JSON object, or nothing".to_owned());
    }
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

fn see_other(to: &str) -> WireResponse {
    let mut headers = Headers::new();
    headers.push("location", to);
    WireResponse { status: 303, headers, body: bytes::Bytes::new() }
}

fn json(status: u16, body: &impl Serialize) -> WireResponse {
    // What is shown here holds nothing that JSON cannot.
    let text = serde_json::to_string_pretty(body).unwrap_or_default();
    WireResponse::with_status(status, "application/json", text + "\n")
}

fn problem(status: u16, error: &str) -> WireResponse {
    json(status, &serde_json::json!({"error": error}))
}
