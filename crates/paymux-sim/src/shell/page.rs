//! The pages for people: where a payer pays, and the newest orders. Everything from outside is
//! escaped; nothing is loaded from elsewhere and no script runs.

use fast_qr::convert::svg::SvgBuilder;
use fast_qr::{ECL, QRBuilder};
use paymux_core::{Currency, Money, WireResponse};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::books::refunds::{RefundState, RefundView};
use crate::books::{OrderState, OrderView};

/// The most orders on the page of the books.
const ORDERS_SHOWN: usize = 50;
/// What stays as it is in a path's segment and in a query's value.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors *";
const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:32rem;margin:2rem auto;padding:0 1rem;\
    text-align:center}h1{font-size:1rem;color:#666}.sum{font-size:2.5rem;margin:.5rem}svg{width:14rem;height:14rem}\
    button{font:inherit;padding:.6rem 3rem;cursor:pointer}table{width:100%;text-align:left;border-collapse:collapse}\
    td,th{padding:.2rem .4rem;border-bottom:1px solid #ddd}small{color:#666;overflow-wrap:anywhere}";

/// Path and query of an order's page; the account is named where a number alone may be two orders.
pub(crate) fn path(number: &str, account: Option<&str>) -> String {
    let number = utf8_percent_encode(number, KEPT);
    match account {
        Some(account) => format!("/sim/pay/{number}?account={}", utf8_percent_encode(account, KEPT)),
        None => format!("/sim/pay/{number}"),
    }
}

/// Path and query of a refund's page.
pub(crate) fn refund_path(number: &str, account: Option<&str>) -> String {
    path(number, account).replacen("/sim/pay/", "/sim/refund/", 1)
}

/// A page as an answer.
pub(crate) fn answer(status: u16, html: &str) -> WireResponse {
    let mut response = WireResponse::with_status(status, "text/html; charset=utf-8", html.to_owned());
    response.headers.push("content-security-policy", POLICY);
    response.headers.push("cache-control", "no-store");
    response.headers.push("x-content-type-options", "nosniff");
    response.headers.push("referrer-policy", "no-referrer");
    response
}

/// Where a payer pays that order; `url` is the page's own address.
pub(crate) fn payer(order: &OrderView, url: &str) -> String {
    let (number, subject) = (escaped(&order.number), escaped(&order.subject));
    let sum = escaped(&sum(order.amount, order.currency));
    let act = match order.state {
        OrderState::Open => format!("{}{}", qr(url), form(url)),
        OrderState::Paid => format!("<p>paid</p>{}", back(order)),
        OrderState::Closed => "<p>closed: it takes no money any more</p>".to_owned(),
        OrderState::Expired => "<p>expired: it takes no money any more</p>".to_owned(),
    };
    let body = format!(
        "<h1>simulated payment: no real money moves</h1><p>{subject}</p><p class=\"sum\">{sum}</p>{act}\
         <p><small>{method} · {number}</small></p>",
        method = escaped(&order.method.to_string()),
    );
    document(&subject, &body)
}

fn form(url: &str) -> String {
    format!(
        "<form method=\"post\" action=\"{}\"><button>pay</button>\
         <details><summary><small>another sum</small></summary>\
         <label>pays, minor units <input name=\"amount\" inputmode=\"numeric\"></label><br>\
         <label>discount, minor units <input name=\"discount\" inputmode=\"numeric\"></label></details></form>",
        escaped(url)
    )
}

/// Where a person lets a refund go; `url` is the page's own address.
pub(crate) fn refund(refund: &RefundView, url: &str) -> String {
    let (number, order) = (escaped(&refund.number), escaped(&refund.order));
    let sum = escaped(&sum(refund.amount, refund.currency));
    let act = match refund.state {
        RefundState::NeedsAction => {
            format!("<form method=\"post\" action=\"{}\"><button>send back</button></form>", escaped(url))
        }
        RefundState::AwaitsApproval => "<p>waits for an approval</p>".to_owned(),
        RefundState::Processing => "<p>under way</p>".to_owned(),
        RefundState::Done => "<p>done</p>".to_owned(),
        RefundState::Failed => "<p>failed</p>".to_owned(),
    };
    let body = format!(
        "<h1>simulated refund: no real money moves</h1><p class=\"sum\">{sum}</p>{act}\
         <p><small>{number} · order {order}</small></p>",
    );
    document(&number, &body)
}

/// The way back to the merchant, where the order names one that a browser may follow.
fn back(order: &OrderView) -> String {
    let is_web = |url: &&String| url.starts_with("https://") || url.starts_with("http://");
    let link = |url: &String| format!("<p><a href=\"{}\">back to the merchant</a></p>", escaped(url));
    order.return_url.as_ref().filter(is_web).map(link).unwrap_or_default()
}

/// The newest orders, each with a link to its page.
pub(crate) fn books(orders: &[OrderView], url: impl Fn(&OrderView) -> String) -> String {
    use std::fmt::Write as _;
    let mut rows = String::new();
    for order in orders.iter().take(ORDERS_SHOWN) {
        let _ = write!(
            rows,
            "<tr><td><a href=\"{url}\">{number}</a></td><td>{sum}</td><td>{state:?}</td></tr>",
            url = escaped(&url(order)),
            number = escaped(&order.number),
            sum = escaped(&sum(order.amount, order.currency)),
            state = order.state,
        );
    }
    let table = format!("<table><tr><th>order</th><th>sum</th><th>state</th></tr>{rows}</table>");
    document("simulated orders", &format!("<h1>simulated orders, newest first</h1>{table}"))
}

/// Why something was not done.
pub(crate) fn refusal(why: &str) -> String {
    document("not done", &format!("<h1>not done</h1><p>{}</p>", escaped(why)))
}

/// `title` and `body` are escaped already.
fn document(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head>\
         <body>{body}</body></html>"
    )
}

fn sum(minor: i64, currency: &str) -> String {
    Currency::from_code(currency)
        .map_or(minor.to_string(), |currency| Money::new(minor, currency).to_string())
}

/// The page's address to scan; nothing where it is too long for a code.
fn qr(url: &str) -> String {
    let code = QRBuilder::new(url).ecl(ECL::M).build();
    code.map(|code| SvgBuilder::default().to_str(&code)).unwrap_or_default()
}

/// The picture of a page's code alone.
pub(crate) fn picture(url: &str) -> WireResponse {
    let mut response = WireResponse::ok("image/svg+xml", qr(url));
    response.headers.push("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'");
    response.headers.push("cache-control", "no-store");
    response.headers.push("x-content-type-options", "nosniff");
    response
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            letter => safe.push(letter),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use paymux_core::Timestamp;

    use super::*;

    fn order() -> OrderView {
        OrderView {
            account: "a&b".to_owned(),
            id: "id".to_owned(),
            number: "\"><script>1</script>".to_owned(),
            state: OrderState::Open,
            amount: 1023,
            received: None,
            discount: 0,
            currency: "CNY",
            method: "wechat.native".parse().unwrap(),
            memo: String::new(),
            subject: "<img src=x onerror=alert(1)> & 'tea'".to_owned(),
            trade_no: None,
            created_at: Timestamp::from_ms(0),
            paid_at: None,
            expires_at: None,
            notify_url: None,
            return_url: Some("javascript:alert(1)".to_owned()),
            echo: serde_json::Value::Null,
            notices: Vec::new(),
        }
    }

    fn hostile_refund() -> RefundView {
        RefundView {
            account: "a".to_owned(),
            id: "id".to_owned(),
            number: "\"><script>1</script>".to_owned(),
            order: "<b>".to_owned(),
            state: RefundState::NeedsAction,
            amount: 1,
            currency: "CNY",
            reason: String::new(),
            created_at: Timestamp::from_ms(0),
            ended_at: None,
            notify_url: None,
            echo: serde_json::Value::Null,
            notices: Vec::new(),
        }
    }

    #[test]
    fn a_refunds_page_has_a_button_while_a_person_is_needed() {
        assert_eq!(refund_path("R1", Some("a&b")), "/sim/refund/R1?account=a%26b");
        for (state, has) in [
            (RefundState::NeedsAction, true),
            (RefundState::AwaitsApproval, false),
            (RefundState::Processing, false),
            (RefundState::Done, false),
            (RefundState::Failed, false),
        ] {
            let page = refund(&RefundView { state, ..hostile_refund() }, "http://h/sim/refund/1");
            assert_eq!(page.contains("<button>send back</button>"), has, "{state:?}");
        }
    }

    #[test]
    fn nothing_from_outside_becomes_markup() {
        let url = format!("http://h{}", path(&order().number, Some("a&b")));
        assert_eq!(url, "http://h/sim/pay/%22%3E%3Cscript%3E1%3C%2Fscript%3E?account=a%26b");
        let refund = refund(&hostile_refund(), &url);
        for page in
            [refund, payer(&order(), &url), books(&[order()], |_| "\"><b>".to_owned()), refusal("<b>")]
        {
            for bad in ["<script", "<img", "\"><b>", "<b>"] {
                assert!(!page.contains(bad), "{bad} in {page}");
            }
        }
        assert!(payer(&order(), &url).contains("&lt;img src=x onerror=alert(1)&gt; &amp; &#39;tea&#39;"));
    }

    #[test]
    fn the_page_shows_sum_code_and_button_while_the_order_is_open() {
        let page = payer(&order(), "http://h/sim/pay/1");
        assert!(page.contains("10.23 CNY") && page.contains("<svg") && page.contains("<button>pay</button>"));
        for state in [OrderState::Paid, OrderState::Closed, OrderState::Expired] {
            let page = payer(&OrderView { state, ..order() }, "http://h/sim/pay/1");
            assert!(!page.contains("<button") && !page.contains("<svg"), "{state:?}");
        }
    }

    #[test]
    fn the_way_back_is_a_web_address_or_none() {
        let paid = OrderView { state: OrderState::Paid, ..order() };
        assert!(!payer(&paid, "http://h/").contains("javascript:"));
        let shop = OrderView { return_url: Some("https://shop.example/?a=1&b=2".to_owned()), ..paid };
        assert!(payer(&shop, "http://h/").contains("href=\"https://shop.example/?a=1&amp;b=2\""));
    }
}
