//! How the page is written. Everything from outside is escaped; style and script are files of ours, and no other may
//! run.

use std::fmt::Write as _;

use axum::response::{Html, IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use paymux_core::payment::{NextAction, Payment};
use paymux_core::{Currency, Money, Product, Timestamp};

use super::language::Language;
use super::{Stage, qr, seconds_left, step};
use crate::html::escaped;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// Addresses that a button may lead to: of the web, and of the wallets' own apps.
const FOLLOWED: [&str; 5] = ["https://", "http://", "alipays://", "alipay://", "weixin://"];
/// Seconds until a page without its script loads itself anew.
const RELOAD: u32 = 5;

/// The page of a payment as it stands now.
pub(super) fn of(payment: &Payment, now: Timestamp, language: Language) -> Response {
    let stage = Stage::of(payment);
    let body = match stage {
        Stage::Waiting | Stage::Preparing => to_pay(payment, now, stage, language),
        Stage::Checking => told(
            payment,
            stage,
            language.says("正在核对付款", "We are checking your payment"),
            language.says(
                "已收到款项，商家正在核对。请勿重复支付。",
                "Money has arrived and the shop is checking it. Do not pay again.",
            ),
            language,
        ),
        Stage::Paid => told(
            payment,
            stage,
            language.says("付款成功", "Payment received"),
            language.says("您可以关闭此页面，回到商家。", "You can close this page and go back to the shop."),
            language,
        ),
        Stage::Unpaid => told(
            payment,
            stage,
            language.says("付款未完成", "Payment not completed"),
            language.says(
                "此订单已结束，没有收到付款。如需购买，请回到商家重新下单。",
                "This order has ended without a payment. To buy, go back to the shop and order again.",
            ),
            language,
        ),
    };
    let title = format!("{} {}", language.says("付款", "Pay"), sum(payment.amount));
    let reloads = !matches!(stage, Stage::Paid | Stage::Unpaid);
    answer(StatusCode::OK, &document(&title, &body, reloads, language))
}

/// There is no such payment.
pub(super) fn missing(language: Language) -> Response {
    let words = language.says("没有这笔付款", "There is no such payment");
    let more = language
        .says("请回到商家，重新打开付款页面。", "Go back to the shop and open its payment page again.");
    let body = format!("<main>\n<h1>{words}</h1>\n<p>{more}</p>\n</main>");
    answer(StatusCode::NOT_FOUND, &document(words, &body, false, language))
}

/// The ledger does not answer just now.
pub(super) fn away(language: Language) -> Response {
    let words = language.says("暂时无法显示付款", "The payment cannot be shown just now");
    let more = language.says("请稍后刷新此页面。", "Load this page again in a moment.");
    let body = format!("<main>\n<h1>{words}</h1>\n<p>{more}</p>\n</main>");
    let mut response = answer(StatusCode::SERVICE_UNAVAILABLE, &document(words, &body, false, language));
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// What there is to do, and for how long.
fn to_pay(payment: &Payment, now: Timestamp, stage: Stage, language: Language) -> String {
    let left = seconds_left(payment, now);
    let act = match &payment.next_action {
        Some(action) => act(payment, action, language),
        None => hint(waiting_words(payment, language)),
    };
    format!(
        "<main{data}>\n{head}<div class=\"act\">\n{act}</div>\n<p class=\"late\">{late}</p>\n\
         <p class=\"time\">{words} <span data-clock>{minutes:02}:{seconds:02}</span></p>\n</main>",
        data = data(payment, stage, left),
        head = head(payment, language),
        late = language.says("付款时间已到，请勿再支付。", "Time is up. Do not pay any more."),
        words = language.says("剩余时间", "Time left"),
        minutes = left / 60,
        seconds = left % 60,
    )
}

/// What its script must know.
fn data(payment: &Payment, stage: Stage, left: u64) -> String {
    format!(
        " data-stage=\"{}\" data-step=\"{}\" data-left=\"{left}\" data-state=\"{}/state\"",
        stage.word(),
        step(payment),
        payment.id
    )
}

/// How a payment stands where there is nothing to do.
fn told(payment: &Payment, stage: Stage, words: &str, more: &str, language: Language) -> String {
    let data = if stage == Stage::Checking { data(payment, stage, 1) } else { String::new() };
    let back = payment.return_url.as_deref().filter(|url| is_followed(url) && stage == Stage::Unpaid);
    let back =
        back.map_or_else(String::new, |url| button(url, language.says("返回商家", "Back to the shop"), ""));
    format!("<main{data}>\n<h1>{words}</h1>\n{}<p>{more}</p>\n{back}</main>", head(payment, language))
}

/// What is bought, and for how much.
fn head(payment: &Payment, language: Language) -> String {
    let mut head = String::new();
    if !payment.livemode {
        let words = language.says("测试，不涉及真实资金", "Test: no real money moves");
        let _ = writeln!(head, "<p class=\"test\">{words}</p>");
    }
    let (subject, sum) = (escaped(&payment.subject), escaped(&sum(payment.amount)));
    let _ = writeln!(head, "<p class=\"subject\">{subject}</p>\n<p class=\"sum\">{sum}</p>");
    head
}

/// While there is nothing to do yet.
fn waiting_words(payment: &Payment, language: Language) -> &'static str {
    match payment.method.product {
        Product::Barcode => language.says("请在手机上确认付款", "Confirm the payment on your phone"),
        _ => language.says("正在准备付款，请稍候", "Preparing your payment"),
    }
}

fn act(payment: &Payment, action: &NextAction, language: Language) -> String {
    match action {
        NextAction::Qr { qr } => code(payment, qr, language),
        NextAction::Redirect { url } if is_followed(url) => button(url, &go_on(payment, language), ""),
        NextAction::Html { .. } => button(&format!("{}/form", payment.id), &go_on(payment, language), ""),
        NextAction::Redirect { .. } | NextAction::App { .. } | NextAction::Jsapi { .. } => {
            hint(language.says("请在商家的应用内完成付款", "Complete the payment in the shop's own app"))
        }
    }
}

/// The code to scan, and where it is an address, the way to it for the phone that shows this page.
fn code(payment: &Payment, text: &str, language: Language) -> String {
    let label = language.says("付款二维码", "Payment code");
    let picture = qr::picture(text);
    let mut act = match &picture {
        Some(picture) => format!("<div class=\"code\" role=\"img\" aria-label=\"{label}\">{picture}</div>\n"),
        None => String::new(),
    };
    if is_followed(text) {
        // Without a picture it is the only way.
        let class = if picture.is_some() { " here" } else { "" };
        act += &button(text, &go_on(payment, language), class);
    }
    let with = language.wallet(payment.method.wallet);
    let words = match (language, with) {
        (Language::Chinese, Some(wallet)) => format!("请用{wallet}扫码付款"),
        (Language::Chinese, None) => "请扫码付款".to_owned(),
        (Language::English, Some(wallet)) => format!("Scan with {wallet} to pay"),
        (Language::English, None) => "Scan to pay".to_owned(),
    };
    act + &hint(&words)
}

fn go_on(payment: &Payment, language: Language) -> String {
    match (language, language.wallet(payment.method.wallet)) {
        (Language::Chinese, Some(wallet)) => format!("前往{wallet}付款"),
        (Language::Chinese, None) => "前往付款".to_owned(),
        (Language::English, Some(wallet)) => format!("Pay with {wallet}"),
        (Language::English, None) => "Go on to pay".to_owned(),
    }
}

fn hint(words: &str) -> String {
    format!("<p class=\"hint\">{words}</p>\n")
}

fn button(url: &str, words: &str, class: &str) -> String {
    format!("<a class=\"button{class}\" rel=\"noreferrer\" href=\"{}\">{words}</a>\n", escaped(url))
}

fn is_followed(url: &str) -> bool {
    let begins = |scheme: &&str| url.get(..scheme.len()).is_some_and(|own| own.eq_ignore_ascii_case(scheme));
    FOLLOWED.iter().any(begins) && !url.chars().any(|c| c.is_control() || c.is_whitespace())
}

fn sum(money: Money) -> String {
    if money.currency() == Currency::CNY { format!("¥{}", money.to_decimal()) } else { money.to_string() }
}

/// `title` is text, `body` is markup.
fn document(title: &str, body: &str, reloads: bool, language: Language) -> String {
    let reload = if reloads {
        format!("<noscript><meta http-equiv=\"refresh\" content=\"{RELOAD}\"></noscript>\n")
    } else {
        String::new()
    };
    format!(
        "<!doctype html>\n<html lang=\"{lang}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<link rel=\"stylesheet\" href=\"cashier.css\">\n\
         <script src=\"cashier.js\" defer></script>\n{reload}</head>\n<body>\n{body}\n</body>\n</html>\n",
        lang = language.tag(),
        title = escaped(title),
    )
}

fn answer(status: StatusCode, html: &str) -> Response {
    let headers = [
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (status, headers, Html(html.to_owned())).into_response()
}

#[cfg(test)]
mod tests {
    use paymux_testkit::Fixtures;
    use serde_json::json;

    use super::*;

    fn payment(action: NextAction) -> Payment {
        let fixtures = Fixtures::new(1);
        Payment { next_action: Some(action), ..fixtures.payment("shop", "A1") }
    }

    #[test]
    fn each_action_has_its_way() {
        let act = |action: NextAction| act(&payment(action.clone()), &action, Language::English);
        let code = act(NextAction::Qr { qr: "weixin://wxpay/x".to_owned() });
        assert!(code.contains("<svg") && code.contains("Scan with WeChat to pay"), "{code}");
        assert!(
            code.contains("class=\"button here\"") && code.contains("href=\"weixin://wxpay/x\""),
            "{code}"
        );
        let plain = act(NextAction::Qr { qr: "qr:1".to_owned() });
        assert!(plain.contains("<svg") && !plain.contains("href"), "{plain}");
        let long = format!("https://pay.example/{}", "x".repeat(5000));
        let long = act(NextAction::Qr { qr: long });
        assert!(!long.contains("<svg") && long.contains("class=\"button\""), "without a picture, for all");
        let page = act(NextAction::Redirect { url: "https://pay.example/?a=1&b=2".to_owned() });
        assert!(page.contains("href=\"https://pay.example/?a=1&amp;b=2\""), "{page}");
        let form = act(NextAction::Html { html: "<form>".to_owned() });
        assert!(form.contains("/form\"") && !form.contains("<form"), "{form}");
        for action in [NextAction::App { params: json!({}) }, NextAction::Jsapi { params: json!({}) }] {
            assert!(act(action).contains("in the shop's own app"));
        }
    }

    #[test]
    fn a_button_leads_to_the_web_or_into_a_wallet() {
        for good in ["https://a", "HTTP://a", "alipays://x", "weixin://wxpay/bizpayurl?pr=1"] {
            assert!(is_followed(good), "{good}");
        }
        for bad in [
            "",
            "javascript:alert(1)",
            " https://a",
            "https://a b",
            "https:/a",
            "data:text/html,x",
            "//a",
            "支付宝",
            "java\nscript:1",
        ] {
            assert!(!is_followed(bad), "{bad}");
            let act = act(
                &payment(NextAction::Redirect { url: bad.to_owned() }),
                &NextAction::Redirect { url: bad.to_owned() },
                Language::Chinese,
            );
            assert!(!act.contains("href"), "{act}");
        }
    }

    #[test]
    fn nothing_from_outside_becomes_markup() {
        let nasty = "\"><script>alert(1)</script><img src=x onerror='y'>&";
        let mut payment = payment(NextAction::Qr { qr: format!("https://a/{}", "'\"<b>") });
        nasty.clone_into(&mut payment.subject);
        payment.return_url = Some("https://shop.example/\"><b>".to_owned());
        let now = payment.created_at;
        for language in [Language::Chinese, Language::English] {
            for stage in [Stage::Waiting, Stage::Preparing] {
                let page = to_pay(&payment, now, stage, language);
                check(&page);
                assert!(page.contains("&lt;img src=x onerror=&#39;y&#39;&gt;&amp;"), "{page}");
            }
            check(&told(&payment, Stage::Unpaid, "x", "y", language));
        }

        #[track_caller]
        fn check(page: &str) {
            for bad in ["<script", "<img", "<b>", "'\""] {
                assert!(!page.contains(bad), "{bad} in {page}");
            }
        }
    }

    #[test]
    fn sums_are_said_as_people_write_them() {
        assert_eq!(sum(Money::fen(1999)), "¥19.99");
        assert_eq!(sum(Money::new(1999, Currency::from_code("JPY").unwrap())), "1999 JPY");
    }
}
