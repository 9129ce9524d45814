//! The page on which a payer pays, in a browser: on a desk and on a phone, in both languages, light and dark, with its
//! script and without; from a create to where the browser goes in the end. Pictures of it are kept beside the build, in
//! `tmp/pages` of the target folder.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::browser::{Browser, Kind, Screen};
use crate::cloudpay::Gateway;

const DESK: Screen = Screen {
    name: "desk",
    width: 1280,
    height: 900,
    kind: Kind::Desktop,
    language: "en-US",
    colours: "light",
};
const PHONE: Screen =
    Screen { name: "phone", width: 360, height: 740, kind: Kind::Phone, language: "zh-CN", colours: "light" };
const NIGHT: Screen = Screen { name: "phone-dark", language: "en-GB", colours: "dark", ..PHONE };

/// What the page is like: its language, what is written on it, whether it fits, how large its code is, whether the
/// button for the same phone is there, and how bright its ground is.
const LOOK: &str = r#"
    const shown = (selector) => {
      const found = document.querySelector(selector);
      return !!found && found.getClientRects().length > 0;
    };
    const code = document.querySelector(".code svg");
    const box = document.querySelector("main").getBoundingClientRect();
    return {
      language: document.documentElement.lang,
      text: document.body.innerText,
      fits: document.documentElement.scrollWidth <= innerWidth && box.left >= 0 && box.right <= innerWidth
        && box.top >= 0,
      code: code ? Math.min(code.getBoundingClientRect().width, code.getBoundingClientRect().height) : 0,
      button: shown(".button"),
      late: shown(".late"),
      ground: getComputedStyle(document.body).backgroundColor,
    };
"#;

/// Where a shop's own page would be: an address that answers anything.
fn shop(gateway: &Gateway, what: &str) -> String {
    format!("http://{}/healthz?{what}", gateway.paymux.address)
}

/// The page of a payment at the address at which it is served here.
fn page_of(payment: &Value) -> &str {
    payment["cashier_url"].as_str().unwrap()
}

#[tokio::test]
async fn a_payer_scans_pays_and_is_led_back_on_each_screen() {
    for (screen, words, has_button) in [
        (DESK, ["Scan with Alipay to pay", "Time left"], false),
        (PHONE, ["请用支付宝扫码付款", "剩余时间"], true),
        (NIGHT, ["Scan with Alipay to pay", "Time left"], true),
    ] {
        let (gateway, browser) = (Gateway::start().await, Browser::start(screen).await);
        let back = shop(&gateway, "paid");
        let subject = "一壶红茶 A pot of tea whose name is so long that it has to be broken somewhere";
        let payment = json!({"order_no": "A1", "subject": subject, "return_url": back});
        let payment = gateway.create_as(payment).await;
        browser.go(page_of(&payment)).await;
        let look = browser.tells(LOOK).await;
        let text = look["text"].as_str().unwrap();
        for part in [&words[..], &[subject, "¥19.99"][..]].concat() {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert_eq!(look["language"], if screen.language == "zh-CN" { "zh-CN" } else { "en" });
        assert_eq!((&look["fits"], &look["late"]), (&json!(true), &json!(false)), "{look}");
        assert_eq!(look["button"], has_button, "{look}");
        assert!(look["code"].as_f64().unwrap() >= 200.0, "{look}");
        assert_eq!(look["ground"] == "rgb(16, 18, 22)", screen.colours == "dark", "{look}");
        browser.picture("cashier").await;

        let clock = "return document.querySelector('[data-clock]').textContent";
        let before = browser.tells(clock).await;
        browser
            .comes_to(&format!("return document.querySelector('[data-clock]').textContent !== {before}"))
            .await;
        // Before the browser is at the shop, whose page has no icon for it.
        assert_eq!(browser.complaints().await, [""; 0]);
        gateway.bank().pay(payment["provider_order_no"].as_str().unwrap()).unwrap();
        browser.arrives(&back).await;
        browser.end().await;
        gateway.end().await;
    }
}

/// From our page to the gateway's own, which leads back to us, and we to the shop.
#[tokio::test]
async fn a_payer_goes_to_the_gateways_page_and_comes_back_by_it() {
    let (gateway, browser) = (Gateway::start().await, Browser::start(PHONE).await);
    let back = shop(&gateway, "paid");
    let payment = json!({"order_no": "A1", "method": "alipay.wap", "return_url": back});
    let payment = gateway.create_as(payment).await;
    browser.go(page_of(&payment)).await;
    let look = browser.tells(LOOK).await;
    assert_eq!((&look["button"], &look["code"]), (&json!(true), &json!(0)), "{look}");
    browser.picture("button").await;
    browser.tells("document.querySelector('.button').click()").await;
    let till = payment["next_action"]["url"].as_str().unwrap();
    browser.arrives(till).await;
    browser.tells("document.querySelector('button').click()").await;
    // The gateway's page has its way back once our answer to its notification was `success`.
    gateway.told(&payment).await;
    browser.go(till).await;
    browser.tells("document.querySelector('a[href]').click()").await;
    browser.arrives(&back).await;
    browser.end().await;
    gateway.end().await;
}

#[tokio::test]
async fn time_runs_out_and_the_browser_goes_where_the_app_says() {
    let gateway = Gateway::start_for("timeout_url = \"http://ADDRESS/healthz?late\"\n").await;
    let browser = Browser::start(PHONE).await;
    let payment = gateway.create_as(json!({"order_no": "A1", "expires_in": 4})).await;
    browser.go(page_of(&payment)).await;
    let over = "const late = document.querySelector('.late'); \
                return !late || (late.getClientRects().length > 0 && !document.querySelector('.code svg').getClientRects().length);";
    browser.comes_to(over).await;
    browser.picture("late").await;
    browser.arrives(&shop(&gateway, "late")).await;
    browser.end().await;
    gateway.end().await;
}

/// Without addresses to go to, the page itself says how it ended.
#[tokio::test]
async fn a_page_says_how_its_payment_has_ended() {
    let (gateway, browser) = (Gateway::start().await, Browser::start(DESK).await);
    let paid = gateway.create_as(json!({"order_no": "A1"})).await;
    browser.go(page_of(&paid)).await;
    gateway.bank().pay(paid["provider_order_no"].as_str().unwrap()).unwrap();
    browser.comes_to("return document.body.innerText.includes('Payment received')").await;
    assert_eq!(browser.tells(LOOK).await["code"], 0, "nothing is left to scan");
    browser.picture("paid").await;

    let other = json!({"order_no": "A2", "expires_in": 2, "return_url": shop(&gateway, "paid")});
    let other = gateway.create_as(other).await;
    browser.go(page_of(&other)).await;
    browser.comes_to("return document.body.innerText.includes('Payment not completed')").await;
    browser.picture("unpaid").await;
    browser.go(&format!("http://{}/pay/nobody", gateway.paymux.address)).await;
    browser.comes_to("return document.body.innerText.includes('There is no such payment')").await;
    browser.end().await;
    gateway.end().await;
}

#[tokio::test]
async fn without_a_script_the_page_loads_itself_anew() {
    let (gateway, browser) = (Gateway::start().await, Browser::start(PHONE).await);
    let back = shop(&gateway, "paid");
    let payment = gateway.create_as(json!({"order_no": "A1", "return_url": back})).await;
    browser.forbid_scripts().await;
    browser.go(page_of(&payment)).await;
    sleep(Duration::from_millis(500)).await;
    gateway.bank().pay(payment["provider_order_no"].as_str().unwrap()).unwrap();
    browser.arrives(&back).await;
    browser.end().await;
    gateway.end().await;
}
