//! `paymux import` from outside, on either database: the provider knows orders of which the ledger knows nothing.

use serde_json::{Value, json};

use crate::database::{Database, Kind};
use crate::ledger_commands::{document, paid, run};
use crate::world::{SHOP, World, day_of, order};

#[tokio::test]
async fn what_was_paid_before_is_taken_over_on_sqlite() {
    import(Kind::Sqlite).await;
}

#[tokio::test]
async fn what_was_paid_before_is_taken_over_on_postgres() {
    import(Kind::Postgres).await;
}

async fn import(kind: Kind) {
    let mut world = World::start(kind).await;
    let done = paid(&world, "A1001").await;
    let open = world.create(&order("A1002")).await.body;
    let (number, day) = (done["provider_order_no"].as_str().unwrap(), day_of(&done));
    world.down().await;
    // Another ledger, to which all of that happened elsewhere.
    let fresh = Database::create(kind).await;
    let text = std::fs::read_to_string(world.file()).unwrap();
    std::fs::write(world.file(), text.replace(&world.database().url(), &fresh.url())).unwrap();

    let of_day = ["--channel", "bee", "--from", &day, "--to", &day, "--app", "shop"];
    let json_too = [&of_day[..], &["--json"]].concat();
    let told = run(&world, "import", &json_too).await;
    assert_eq!((told.code, told.err.as_str()), (Some(0), ""), "no bar where nobody looks: {}", told.out);
    let told = document(&told);
    assert_eq!((&told["ok"], &told["taken_over"], &told["known"]), (&json!(true), &json!(1), &json!(0)));
    assert_eq!((&told["booked"], &told["left"]), (&json!({"CNY": 1999}), &json!({"unpaid": 1})), "{told}");
    let told = run(&world, "import", &of_day).await;
    assert_eq!(told.code, Some(0), "{}", told.err);
    let want = format!(
        "bee for shop, {day} to {day} in Asia/Shanghai\n  0 taken over, 1 known before\n  left: 1 unpaid\n"
    );
    assert_eq!(told.out, want, "twice is once");

    tables(&world).await;
    mistakes(&world, &day).await;
    let sound = run(&world, "doctor", &[]).await;
    assert_eq!(sound.code, Some(0), "{}", sound.out);

    world.up().await;
    let found = found(&world, number).await;
    assert_eq!((&found["status"], &found["origin"]), (&json!("succeeded"), &json!("imported")), "{found}");
    assert_eq!((&found["provider_order_no"], &found["amount_received"]), (&json!(number), &json!(1999)));
    assert_eq!(found["provider_trade_no"], done["provider_trade_no"]);
    let id = found["id"].as_str().unwrap();
    let events = world.http.get(SHOP, &format!("/v1/events?payment={id}")).await.body;
    assert_eq!(events["data"], json!([]), "nobody is told of history");
    let refund = json!({"refund_no": "R1", "amount": 500});
    let refunded = world.http.post(SHOP, &format!("/v1/payments/{id}/refunds"), refund).await;
    assert_eq!(refunded.status, 201, "{}", refunded.text);
    assert_eq!(world.bank().order(number).unwrap().number, number);
    let again = world.create(&order(number)).await;
    assert_eq!((again.status, &again.body["code"]), (422, &json!("order_mismatch")), "{}", again.text);
    let unpaid = open["provider_order_no"].as_str().unwrap();
    let none = world.http.get(SHOP, &format!("/v1/payments?order_no={unpaid}")).await.body;
    assert_eq!(none["data"], json!([]));

    world.down().await;
    let sound = run(&world, "doctor", &[]).await;
    assert_eq!(sound.code, Some(0), "{}", sound.out);
    world.up().await;
    world.end().await;
    fresh.drop().await;
}

async fn found(world: &World, number: &str) -> Value {
    world.http.get(SHOP, &format!("/v1/payments?order_no={number}")).await.body["data"][0].clone()
}

/// From a table of the merchant's own.
async fn tables(world: &World) {
    let table = world.file().with_file_name("orders.csv");
    let arguments = ["--channel", "bee", "--app", "other", "--csv", table.to_str().unwrap()];
    let rows = "number,amount,method,created_at,subject\n\
                OLD-1,500,alipay.web,2019-03-01T09:30:00+08:00,\"Tea, green\"\n\
                OLD-2,700,baidu.mini,2019-03-02T09:30:00+08:00,\n";
    std::fs::write(&table, rows).unwrap();
    let told = run(world, "import", &arguments).await;
    assert_eq!((told.code, told.err.as_str()), (Some(1), ""), "{}", told.out);
    assert!(
        told.out.starts_with("bee for other\n  1 taken over, 5.00 CNY, 0 known before\n"),
        "{}",
        told.out
    );
    assert!(
        told.out.contains("\n  left: 1 unclear\n  to see to:\n    number  why\n    OLD-2   "),
        "{}",
        told.out
    );

    std::fs::write(&table, rows.replace("500", "5.00")).unwrap();
    let told = run(world, "import", &arguments).await;
    assert_eq!((told.code, told.out.as_str()), (Some(2), ""));
    assert!(told.err.ends_with("orders.csv:2: amount: write minor units, more than zero\n"), "{}", told.err);
}

/// What cannot be done says why, and ends with 2.
async fn mistakes(world: &World, day: &str) {
    let check = async |more: &[&str], says: &str| {
        let told = run(world, "import", more).await;
        assert_eq!((told.code, told.out.as_str()), (Some(2), ""), "{more:?}");
        assert!(told.err.contains(says), "{more:?}: {}", told.err);
    };
    let days = ["--from", day, "--to", day];
    check(&[&["--channel", "wasp"], &days[..]].concat(), "unknown channel `wasp`; known: bee").await;
    check(
        &[&["--channel", "bee"], &days[..]].concat(),
        "say whose the orders are by --app; known: other, shop",
    )
    .await;
    check(&[&["--channel", "bee", "--app", "x"], &days[..]].concat(), "unknown app `x`").await;
    let turned = ["--channel", "bee", "--app", "shop", "--from", "2026-01-02", "--to", "2026-01-01"];
    check(&turned, "2026-01-02 is after 2026-01-01").await;
}
