//! Payers' browsers coming back from a provider. Such a request only says which page to show, also where the
//! provider has signed it.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::{Html, IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use paymux_core::payment::{Payment, Status};
use paymux_core::{ChannelId, WireRequest};

use crate::front::Shared;
use crate::openapi::{Body, Group, Operation, Param, Reply, Verb, schema};
use crate::{body, wire};

/// Nothing may be loaded, run, framed or sent from this page.
const POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const CHANNEL: Param = Param::needed("channel", schema::name, "The channel.", "bee-main");
const REPLIES: &[Reply] = &[
    Reply::media(200, "How the payment stands, in two languages.", "text/html; charset=utf-8"),
    Reply::elsewhere("To the address that the merchant gave."),
];

/// `GET /return/{channel}`
pub(crate) const WITHOUT_NUMBER: Operation = Operation {
    title: "Come back from a provider",
    says: "Never believed as payment: it only says which page to show.",
    places: &[CHANNEL],
    replies: REPLIES,
    ..Operation::get("/return/{channel}", "comeBack", Group::Payers)
};

/// `POST /return/{channel}`
pub(crate) const WITHOUT_NUMBER_BY_POST: Operation = Operation {
    verb: Verb::Post,
    id: "comeBackByPost",
    title: "Come back from a provider by POST",
    body: Body::Unread,
    ..WITHOUT_NUMBER
};

/// `GET /return/{channel}/{number}`
pub(crate) const WITH_NUMBER: Operation = Operation {
    title: "Come back from an order",
    says: "Never believed as payment: it only says which page to show.",
    places: &[CHANNEL, Param::needed("number", schema::text, "The order's number there.", "1")],
    replies: REPLIES,
    ..Operation::get("/return/{channel}/{number}", "comeBackFromOrder", Group::Payers)
};

/// `POST /return/{channel}/{number}`
pub(crate) const WITH_NUMBER_BY_POST: Operation = Operation {
    verb: Verb::Post,
    id: "comeBackFromOrderByPost",
    title: "Come back from an order by POST",
    body: Body::Unread,
    ..WITH_NUMBER
};

/// See [`WITHOUT_NUMBER`]. Where the provider signs what the browser brings along, that names the payment;
/// without a right sign it looks like one that is not settled yet.
pub(crate) async fn without_number(
    State(shared): State<Shared>,
    path: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    let (parts, content) = request.into_parts();
    body::discard(content).await;
    let brought = path.ok().zip(wire::request_of(&parts, Bytes::new(), None));
    let found = match &brought {
        Some((Path(channel), request)) => returned(&shared, channel, request).await,
        None => None,
    };
    shown(&shared, found)
}

/// See [`WITH_NUMBER`]. An unknown number looks like a payment that is not
/// settled yet, so nobody learns from this page which numbers exist.
pub(crate) async fn with_number(
    State(shared): State<Shared>,
    path: Result<Path<(String, String)>, PathRejection>,
    request: Request,
) -> Response {
    body::discard(request.into_body()).await;
    let Ok(Path((channel, number))) = path else { return shown(&shared, None) };
    let found = found(&shared, &channel, &number).await;
    shown(&shared, found)
}

fn shown(shared: &Shared, found: Option<Payment>) -> Response {
    match found {
        Some(payment) => back_to_merchant(shared, &payment).unwrap_or_else(|| state_page(&payment)),
        None => page(&WAITING, Livemode::Live),
    }
}

async fn returned(shared: &Shared, channel: &str, request: &WireRequest) -> Option<Payment> {
    let channel = ChannelId::new(channel).ok()?;
    shared.payments().find_returned(&channel, request).await
}

async fn found(shared: &Shared, channel: &str, number: &str) -> Option<Payment> {
    let channel = ChannelId::new(channel).ok()?;
    shared.payments().find_by_number(&channel, number).await.ok()
}

/// To the address that the merchant gave, if it gave one. What the provider appended stays here.
fn back_to_merchant(shared: &Shared, payment: &Payment) -> Option<Response> {
    let place = HeaderValue::from_str(&shared.payments().way_on(payment)?).ok()?;
    let headers = [
        (header::LOCATION, place),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    Some((StatusCode::SEE_OTHER, headers).into_response())
}

fn state_page(payment: &Payment) -> Response {
    let words = match payment.status {
        Status::Processing | Status::Pending => &WAITING,
        Status::Succeeded => &PAID,
        Status::Failed | Status::Canceled | Status::Expired => &UNPAID,
    };
    page(words, if payment.livemode { Livemode::Live } else { Livemode::Test })
}

/// What a page says, in both languages.
struct Words {
    zh: &'static str,
    zh_more: &'static str,
    en: &'static str,
    en_more: &'static str,
}

const WAITING: Words = Words {
    zh: "正在确认付款结果",
    zh_more: "请回到商家页面查看订单。如已付款，请勿重复支付。",
    en: "Your payment is being confirmed",
    en_more: "Go back to the shop to see your order. If you have paid, do not pay again.",
};
const PAID: Words = Words {
    zh: "付款成功",
    zh_more: "您可以关闭此页面，回到商家。",
    en: "Payment received",
    en_more: "You can close this page and go back to the shop.",
};
const UNPAID: Words = Words {
    zh: "付款未完成",
    zh_more: "此订单已结束，没有收到付款。如需购买，请回到商家重新下单。",
    en: "Payment not completed",
    en_more: "This order has ended without a payment. To buy, go back to the shop and order again.",
};

/// Whether real money moves: a page says so when none does.
#[derive(Clone, Copy)]
enum Livemode {
    Live,
    Test,
}

/// One page without scripts, styles or anything from elsewhere. All of its text is ours: nothing of
/// the request and nothing of the payment is written into it.
fn page(words: &Words, livemode: Livemode) -> Response {
    let test = match livemode {
        Livemode::Live => "",
        Livemode::Test => "<p>测试，不涉及真实资金 · Test: no real money moves</p>\n",
    };
    let Words { zh, zh_more, en, en_more } = words;
    let html = format!(
        "<!doctype html>\n<html lang=\"zh\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{zh} · {en}</title>\n</head>\n<body>\n<main>\n{test}\
         <h1>{zh}</h1>\n<p>{zh_more}</p>\n\
         <section lang=\"en\">\n<h2>{en}</h2>\n<p>{en_more}</p>\n</section>\n</main>\n</body>\n</html>\n"
    );
    let headers = [
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (headers, Html(html)).into_response()
}
