//! Many who say the same at the same moment, on either database: one order at the provider, one change of
//! state, one notice.

use futures_util::future::join_all;
use paymux_core::{Verb, WireRequest};
use paymux_sign::Md5Text;
use paymux_sim::{CallFault, NoticeFault, Rule};
use serde_json::{Value, json};

use crate::database::Kind;
use crate::world::{SHOP, World, order};

/// How many equal creates there are at once.
const CREATES: usize = 200;
/// How many equal callbacks.
const CALLBACKS: usize = 64;
/// Equal ones are counted on one row.
const COUNTED: &str =
    "SELECT verdict, CAST(sum(times) AS bigint) FROM callbacks GROUP BY verdict ORDER BY verdict";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_creates_at_once_are_one_order_on_sqlite() {
    creates(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_creates_at_once_are_one_order_on_postgres() {
    creates(Kind::Postgres).await;
}

async fn creates(kind: Kind) {
    let world = World::start(kind).await;
    // The provider takes its time, so that all of them meet the first one under way.
    world.bank().strike_call(Rule::once(CallFault::Latency { ms: 300 }).on("pay")).unwrap();
    let body = order("A1001");
    let answers = join_all((0..CREATES).map(|_| world.create(&body))).await;
    let count = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(201), count(200)), (1, CREATES - 1), "one made it, all others found it");
    let first = &answers[0].body;
    assert_eq!(first["status"], "pending", "{first}");
    for answer in &answers {
        assert_eq!(answer.body, *first, "every one of them is shown the same");
    }
    let stats = world.bank().stats();
    let number = first["provider_order_no"].as_str().unwrap();
    assert_eq!((world.bank().orders().len(), stats.creates(number), stats.calls["pay"]), (1, 1, 1));
    let list = world.http.get(SHOP, "/v1/payments").await.body;
    assert_eq!(list["data"], json!([first]));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_callbacks_at_once_change_state_once_on_sqlite() {
    callbacks(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_callbacks_at_once_change_state_once_on_postgres() {
    callbacks(Kind::Postgres).await;
}

async fn callbacks(kind: Kind) {
    let world = World::start(kind).await;
    world.bank().strike_notice(Rule::chance(1_000_000, NoticeFault::Lost)).unwrap();
    let payment = world.create(&order("A1001")).await.body;
    let id = payment["id"].as_str().unwrap();
    world.bank().pay(payment["provider_order_no"].as_str().unwrap()).unwrap();
    let callback = paid_callback(&world, &payment);
    let answers = join_all((0..CALLBACKS).map(|_| world.http.send("", callback.clone()))).await;
    for answer in answers {
        let answer = answer.unwrap();
        assert_eq!((answer.status, answer.text.as_str()), (200, "success"), "each is acknowledged");
    }
    let paid = world.http.get(SHOP, &format!("/v1/payments/{id}")).await.body;
    assert_eq!((&paid["status"], &paid["amount_received"]), (&json!("succeeded"), &json!(1999)));

    let pairs = async |select: &str| world.database().pairs(select).await;
    let kept = pairs(COUNTED).await;
    assert_eq!(kept.iter().map(|(_, count)| count).sum::<i64>(), 64, "each delivery is kept: {kept:?}");
    assert_eq!(kept.iter().find(|(verdict, _)| verdict == "applied").unwrap().1, 1, "{kept:?}");
    let booked = pairs("SELECT kind, CAST(sum(amount) AS BIGINT) FROM postings GROUP BY kind").await;
    assert_eq!(booked, [("received".to_owned(), 1999)], "booked once");
    let events = pairs("SELECT kind, count(*) FROM events GROUP BY kind").await;
    assert_eq!(events, [("payment.succeeded".to_owned(), 1)]);
    let notices = world.notices_once(1).await;
    assert_eq!((notices.len(), &notices[0].body["type"]), (1, &json!("payment.succeeded")));
    world.end().await;
}

/// What the provider sends when that payment is paid, signed with the account's own secret.
fn paid_callback(world: &World, payment: &Value) -> WireRequest {
    let setting = |key: &str| world.account().settings[key].as_str().unwrap();
    let (number, fee) = (payment["provider_order_no"].as_str().unwrap(), payment["amount"].as_i64().unwrap());
    let text = Md5Text::new().piece(setting("app_id")).piece(number).piece("PAY").piece("WX").number(fee);
    let body = json!({
        "signature": text.piece(setting("master_secret")).digest().to_hex().as_str(),
        "timestamp": 1_709_251_200_000_i64, "channel_type": "WX", "sub_channel_type": "WX_NATIVE",
        "transaction_type": "PAY", "transaction_id": number, "transaction_fee": fee, "bill_fee": fee,
        "discount": 0, "trade_success": true, "message_detail": {}, "optional": {},
    });
    WireRequest::new(Verb::Post, "/notify/bee").body("application/json", body.to_string())
}
