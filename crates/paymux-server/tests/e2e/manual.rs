//! The documentation in a browser: on a desk and on a phone, light and dark. Pictures of it are kept beside those of the
//! payers' page.

use serde_json::{Value, json};

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
    Screen { name: "phone", width: 360, height: 740, kind: Kind::Phone, language: "en-US", colours: "light" };

/// What the page is like: whether all of it fits beside each other, where its contents stand, how bright its ground is,
/// and whether its letters can be told from that.
const LOOK: &str = r##"
    const nav = document.querySelector("nav").getBoundingClientRect();
    const main = document.querySelector("main").getBoundingClientRect();
    const style = getComputedStyle(document.body);
    return {
      fits: document.documentElement.scrollWidth <= innerWidth,
      beside: nav.right <= main.left + 1,
      above: nav.bottom <= main.top + 1,
      ground: style.backgroundColor,
      letters: style.color,
      operations: document.querySelectorAll("article .call").length,
      lost: [...document.querySelectorAll('a[href^="#"]')]
        .map((a) => a.getAttribute("href")).filter((href) => !document.getElementById(href.slice(1))),
      wide: [...document.querySelectorAll("article")]
        .filter((article) => article.scrollWidth > article.clientWidth).map((article) => article.id),
    };
"##;

#[tokio::test]
async fn the_documentation_is_readable_on_each_screen() {
    let gateway = Gateway::start().await;
    let url = format!("http://{}/docs", gateway.paymux.address);
    for screen in [
        DESK,
        Screen { name: "desk-dark", colours: "dark", ..DESK },
        PHONE,
        Screen { name: "phone-dark", colours: "dark", ..PHONE },
    ] {
        let browser = Browser::start(screen).await;
        browser.go(&url).await;
        let look = browser.tells(LOOK).await;
        assert_eq!(look["fits"], true, "{look}");
        assert_eq!((&look["lost"], &look["wide"]), (&json!([]), &json!([])), "{look}");
        let is_phone = screen.kind == Kind::Phone;
        let place = (&look["beside"], &look["above"]);
        assert_eq!(place, (&json!(!is_phone), &json!(is_phone)), "{}: {look}", screen.name);
        let (ground, letters) = match screen.colours {
            "dark" => ("rgb(16, 18, 22)", "rgb(238, 240, 244)"),
            _ => ("rgb(244, 245, 247)", "rgb(22, 24, 29)"),
        };
        assert_eq!((&look["ground"], &look["letters"]), (&json!(ground), &json!(letters)), "{look}");
        assert_eq!(look["operations"], operations(&gateway).await, "every operation is there");
        browser.picture("docs").await;
        browser.tells("document.querySelector('nav a[href=\"#errors\"]').click()").await;
        browser.arrives(&format!("{url}#errors")).await;
        browser.picture("docs-errors").await;
        assert_eq!(browser.complaints().await, [""; 0]);
        browser.end().await;
    }
    gateway.end().await;
}

/// How many operations the document has.
async fn operations(gateway: &Gateway) -> usize {
    let document = gateway.paymux.http.get("", "/openapi.json").await.body;
    let paths = document["paths"].as_object().unwrap();
    paths.values().filter_map(Value::as_object).map(serde_json::Map::len).sum()
}
