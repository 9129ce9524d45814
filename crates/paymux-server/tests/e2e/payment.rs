//! A payment from its create to its notice, on either database, and over a restart.

use std::time::Duration;

use paymux_core::{Clock as _, Verb, WireRequest};
use paymux_sim::{CallFault, NoticeFault, Rule};
use paymux_transport::SystemClock;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::database::Kind;
use crate::http::Http;
use crate::process::ended;
use crate::world::{OTHER, SHOP, Sandbox, World, free_address, order};

/// Two apps with notice secrets, where private addresses are not allowed.
const PLAIN: &str = r#"
[[apps]]
id = "strict"
api_key = "pmx_strict_0123456789abcdefghij"
notify_secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
[[apps]]
id = "lenient"
api_key = "pmx_lenient_0123456789abcdefghij"
notify_secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
allow_http_notify = true
"#;
const STRICT: &str = "pmx_strict_0123456789abcdefghij";
const LENIENT: &str = "pmx_lenient_0123456789abcdefghij";

#[tokio::test]
async fn is_created_paid_told_and_kept_on_sqlite() {
    whole_life(Kind::Sqlite).await;
}

#[tokio::test]
async fn is_created_paid_told_and_kept_on_postgres() {
    whole_life(Kind::Postgres).await;
}

async fn whole_life(kind: Kind) {
    let mut world = World::start(kind).await;
    let created = world.create(&order("A1001")).await;
    assert_eq!(created.status, 201, "{}", created.text);
    let (payment, id) = (&created.body, created.body["id"].as_str().unwrap());
    let qr = payment["next_action"]["qr"].as_str().unwrap();
    assert_eq!((&payment["status"], &payment["next_action"]["type"]), (&json!("pending"), &json!("qr")));
    assert!(!qr.is_empty());
    assert_eq!((&payment["channel"], &payment["amount"]), (&json!("bee"), &json!(1999)));
    let number = payment["provider_order_no"].as_str().unwrap();
    assert_eq!(world.bank().order(number).unwrap().amount, 1999, "the provider took the signed create");

    repeats(&world, payment).await;
    strangers(&world, id).await;

    world.bank().pay(number).unwrap();
    let paid = world.payment_once(id, |payment| payment["status"] == "succeeded").await;
    assert_eq!((&paid["amount_received"], &paid["next_action"]), (&json!(1999), &Value::Null));
    assert_eq!(paid["attempts"][0]["state"], "paid");
    let notices = world.notices_once(1).await;
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert_eq!(notices[0].body["type"], "payment.succeeded");
    assert_eq!(notices[0].body["data"]["id"], *id);
    assert!(notices[0].id.starts_with("evt_"));

    world.restart().await;
    let kept = world.http.get(SHOP, &format!("/v1/payments/{id}")).await;
    assert_eq!((kept.status, &kept.body), (200, &paid));
    let again = world.create(&order("A1001")).await;
    assert_eq!((again.status, &again.body), (200, &paid), "{}", again.text);
    let list = world.http.get(SHOP, "/v1/payments?order_no=A1001").await;
    assert_eq!(list.body["data"], json!([paid]));
    assert_eq!(world.bank().orders().len(), 2, "one order for each app, whatever was asked how often");
    assert_eq!(world.merchant.notices().len(), 1, "a notice that was taken is not sent again");
    world.end().await;
}

/// The same order with the same fields is the same payment; with other fields it is refused.
async fn repeats(world: &World, payment: &Value) {
    let again = world.create(&order("A1001")).await;
    assert_eq!((again.status, &again.body["id"]), (200, &payment["id"]), "{}", again.text);
    for patch in [json!({"amount": 2000}), json!({"subject": "Coffee"}), json!({"metadata": {"table": "8"}})]
    {
        let mut other = order("A1001");
        other.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
        let refused = world.create(&other).await;
        assert_eq!((refused.status, &refused.body["code"]), (422, &json!("order_mismatch")), "{patch}");
    }
}

/// Without the right key there is nothing to see, and one app never sees another's payments.
async fn strangers(world: &World, id: &str) {
    let path = format!("/v1/payments/{id}");
    for key in ["", "pmx_wrong_0123456789abcdefghij", &SHOP[..SHOP.len() - 1]] {
        let refused = world.http.get(key, &path).await;
        assert_eq!((refused.status, &refused.body["code"]), (401, &json!("unauthorized")), "{key}");
    }
    let foreign = world.http.get(OTHER, &path).await;
    assert_eq!((foreign.status, &foreign.body["code"]), (404, &json!("not_found")));
    let list = world.http.get(OTHER, "/v1/payments").await;
    assert_eq!((list.status, &list.body["data"]), (200, &json!([])));
    // Order numbers are each app's own.
    let same_number = world.http.post(OTHER, "/v1/payments", order("A1001")).await;
    assert_eq!(same_number.status, 201, "{}", same_number.text);
    let number = same_number.body["provider_order_no"].as_str().unwrap();
    world.bank().pay(number).unwrap();
    let other_id = same_number.body["id"].as_str().unwrap();
    let paid = async || {
        world.http.get(OTHER, &format!("/v1/payments/{other_id}")).await.body["status"] == "succeeded"
    };
    while !paid().await {
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_missed_callback_is_made_up_for_by_asking() {
    let world = World::start(Kind::Sqlite).await;
    world.bank().strike_notice(Rule::chance(1_000_000, NoticeFault::Lost)).unwrap();
    let created = world.create(&order("A1001")).await.body;
    world.bank().pay(created["provider_order_no"].as_str().unwrap()).unwrap();
    let id = created["id"].as_str().unwrap();
    let synced = world.http.post(SHOP, &format!("/v1/payments/{id}/sync"), "").await;
    assert_eq!((synced.status, &synced.body["status"]), (200, &json!("succeeded")), "{}", synced.text);
    assert_eq!(world.notices_once(1).await[0].body["type"], "payment.succeeded");
    world.end().await;
}

#[tokio::test]
async fn a_stop_lets_what_is_under_way_end() {
    let mut world = World::start(Kind::Sqlite).await;
    world.bank().strike_call(Rule::once(CallFault::Latency { ms: 700 }).on("pay")).unwrap();
    let bank = world.bank().clone();
    let client = Http::new(&format!("http://{}", world.address()));
    let create = client.post(SHOP, "/v1/payments", order("A1001"));
    let stop = async {
        // The create has reached the provider, which takes its time.
        while bank.stats().calls.is_empty() {
            sleep(Duration::from_millis(5)).await;
        }
        world.restart().await;
    };
    let (created, ()) = tokio::join!(create, stop);
    assert_eq!((created.status, &created.body["status"]), (201, &json!("pending")), "{}", created.text);
    let id = created.body["id"].as_str().unwrap();
    let kept = world.http.get(SHOP, &format!("/v1/payments/{id}")).await;
    assert_eq!(kept.body, created.body, "what was answered is what the next start finds");
    world.end().await;
}

#[tokio::test]
async fn a_second_signal_ends_at_once_and_the_next_start_goes_on() {
    let mut world = World::start(Kind::Sqlite).await;
    world.bank().strike_call(Rule::once(CallFault::Hang { ms: 20_000 }).on("pay")).unwrap();
    let bank = world.bank().clone();
    let client = Http::new(&format!("http://{}", world.address()));
    let (key, body) = (SHOP, order("A1001").to_string());
    let create = tokio::spawn(async move {
        let request = WireRequest::new(Verb::Post, "/v1/payments").body("application/json", body);
        client.send(key, request).await
    });
    while bank.orders().is_empty() {
        sleep(Duration::from_millis(5)).await;
    }
    let process = world.take_process();
    let clock = SystemClock::new();
    process.send("INT").await;
    sleep(Duration::from_millis(100)).await;
    assert_eq!(process.signal("INT").await, Some(130));
    assert!(clock.mono().0 < Duration::from_secs(5), "{:?}", clock.mono());
    assert!(create.await.unwrap().is_err(), "a create that was cut off was not answered");

    world.up().await;
    let list = world.http.get(SHOP, "/v1/payments?order_no=A1001").await;
    assert_eq!(list.body["data"][0]["status"], "processing", "{}", list.text);
    assert_eq!(list.body["data"][0]["next_action"], Value::Null, "what was never durable is not shown");
    assert_eq!(world.bank().orders().len(), 1);
    world.end().await;
}

#[tokio::test]
async fn a_sandbox_order_is_paid_by_an_operator() {
    let admin = free_address().await;
    let text = format!(
        "[server]\nhttp = \"ADDRESS\"\nadmin = \"{admin}\"\nadmin_token = \"operator-0123456789abcdef\"\ntest_mode = true\n\
         [[channels]]\nid = \"box\"\nprovider = \"sandbox\"\n\
         [[routes]]\nname = \"test\"\nstrategy = \"priority\"\nchannels = [\"box\"]\n"
    );
    let sandbox = Sandbox::start(&text).await;
    let created = sandbox.http.post(SHOP, "/v1/payments", order("A1001")).await;
    assert_eq!((created.status, &created.body["livemode"]), (201, &json!(false)), "{}", created.text);
    let operator = Http::new(&format!("http://{admin}"));
    let path = format!("/sandbox/box/pay/{}", created.body["provider_order_no"].as_str().unwrap());
    assert_eq!(operator.post("", &path, "").await.status, 401);
    let paid = operator.post("operator-0123456789abcdef", &path, "").await;
    assert_eq!((paid.status, &paid.body["status"]), (200, &json!("succeeded")), "{}", paid.text);

    let ready = sandbox.http.get("", "/readyz").await;
    let checked = ended(["check", "--json", "-c", &sandbox.file]).await;
    let checked: Value = serde_json::from_str(&checked.out).unwrap();
    assert_eq!(ready.body["config"], checked["config"], "a node tells which configuration it runs");
    sandbox.end().await;
}

#[tokio::test]
async fn only_an_app_that_asked_for_it_may_name_plain_http() {
    let world = World::start_with(Kind::Sqlite, PLAIN).await;
    let body = |order_no: &str, url: &str| {
        let mut body = order(order_no);
        body["notify_url"] = json!(url);
        body
    };
    let refused = world.http.post(STRICT, "/v1/payments", body("A1", "http://shop.example.com/hook")).await;
    assert_eq!((refused.status, &refused.body["param"]), (400, &json!("notify_url")), "{}", refused.text);
    let taken = world.http.post(STRICT, "/v1/payments", body("A2", "https://shop.example.com/hook")).await;
    assert_eq!(taken.status, 201, "{}", taken.text);
    let taken = world.http.post(LENIENT, "/v1/payments", body("A3", "http://shop.example.com/hook")).await;
    assert_eq!(taken.status, 201, "{}", taken.text);
    let private = world.http.post(LENIENT, "/v1/payments", body("A4", "http://127.0.0.1/hook")).await;
    assert_eq!((private.status, &private.body["param"]), (400, &json!("notify_url")), "{}", private.text);
    world.end().await;
}
