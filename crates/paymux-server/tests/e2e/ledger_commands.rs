//! `paymux doctor` and `paymux reconcile` from outside, on either database: what each prints for people and
//! for machines, the code that it ends with, and a bar only where a person looks.

use paymux_sim::{CallFault, FaultEffect, NoticeFault, Rule};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::database::Kind;
use crate::process::{Ended, ended};
use crate::world::{SHOP, World, day_of, order};

/// Runs a command on the world's file, with more behind it.
pub(crate) async fn run(world: &World, command: &str, more: &[&str]) -> Ended {
    let file = world.file();
    let arguments = [command, "-c", file.to_str().unwrap()];
    ended(arguments.into_iter().chain(more.iter().copied())).await
}

/// What it printed for machines, which is one line.
pub(crate) fn document(ended: &Ended) -> Value {
    assert_eq!(ended.out.lines().count(), 1, "{}", ended.out);
    serde_json::from_str(&ended.out).unwrap()
}

/// A payment once its money is booked.
pub(crate) async fn paid(world: &World, order_no: &str) -> Value {
    let created = world.create(&order(order_no)).await.body;
    world.bank().pay(created["provider_order_no"].as_str().unwrap()).unwrap();
    let id = created["id"].as_str().unwrap();
    world.payment_once(id, |payment| payment["status"] == "succeeded").await
}

#[tokio::test]
async fn doctor_proves_a_ledger_and_finds_what_is_wrong_on_sqlite() {
    doctor(Kind::Sqlite).await;
}

#[tokio::test]
async fn doctor_proves_a_ledger_and_finds_what_is_wrong_on_postgres() {
    doctor(Kind::Postgres).await;
}

async fn doctor(kind: Kind) {
    let mut world = World::start(kind).await;
    let payment = paid(&world, "A1001").await;

    let told = run(&world, "doctor", &[]).await;
    assert_eq!((told.code, told.err.as_str()), (Some(0), ""), "no bar where nobody looks");
    let lines: Vec<&str> = told.out.lines().collect();
    let (found, rule) = (lines[0].find("found").unwrap(), lines[0].find("rule").unwrap());
    assert!(lines[0].starts_with("check "), "{}", told.out);
    let last = lines.last().unwrap();
    let rows = &lines[1..lines.len() - 2];
    for row in rows {
        assert_eq!(row[found..rule].trim(), "0", "{row}");
        assert!(row[..found].ends_with("  ") && row[rule..].ends_with('.'), "in columns: {row}");
    }
    assert_eq!(*last, format!("{} rules: the ledger is sound", rows.len()));
    assert!(!told.out.contains('\u{1b}'), "no colour where nobody looks");

    let told = document(&run(&world, "doctor", &["--json"]).await);
    let checks = told["checks"].as_array().unwrap();
    assert_eq!((&told["ok"], checks.len()), (&json!(true), rows.len()));
    assert!(checks.iter().all(|check| check["found"] == 0 && check["ids"] == json!([])), "{told}");
    assert!(told["at"].is_string());

    world.down().await;
    let attempt = payment["attempts"][0]["id"].as_str().unwrap();
    world.database().execute(&format!("UPDATE attempts SET received = 1998 WHERE id = '{attempt}'")).await;
    let told = run(&world, "doctor", &[]).await;
    assert_eq!((told.code, told.err.as_str()), (Some(1), ""), "{}", told.out);
    let row = told.out.lines().find(|line| line.starts_with("booked_what_came_in ")).unwrap();
    assert_eq!(row[found..rule].trim(), "1", "{row}");
    assert!(told.out.contains(&format!("\nbooked_what_came_in: {attempt}\n  why: ")), "{}", told.out);
    assert!(told.out.lines().last().unwrap().ends_with("of them do not hold"), "{}", told.out);
    let told = run(&world, "doctor", &["--json"]).await;
    assert_eq!((told.code, &document(&told)["ok"]), (Some(1), &json!(false)));
    let checks = document(&told)["checks"].clone();
    let broken = |name: &str| checks.as_array().unwrap().iter().find(|check| check["name"] == name).cloned();
    let check = broken("booked_what_came_in").unwrap();
    assert_eq!((&check["found"], &check["ids"]), (&json!(1), &json!([attempt])));

    world.database().execute(&format!("UPDATE attempts SET received = 1999 WHERE id = '{attempt}'")).await;
    assert_eq!(run(&world, "doctor", &[]).await.code, Some(0), "it looks and changes nothing");
    world.up().await;
    world.end().await;
}

#[tokio::test]
async fn reconcile_compares_a_day_on_sqlite() {
    reconcile(Kind::Sqlite).await;
}

#[tokio::test]
async fn reconcile_compares_a_day_on_postgres() {
    reconcile(Kind::Postgres).await;
}

async fn reconcile(kind: Kind) {
    let mut world = World::start(kind).await;
    let done = paid(&world, "A1001").await;
    let open = world.create(&order("A1002")).await.body;
    let mut at_till = order("A1003");
    at_till["method"] = json!("alipay.native");
    let closed = world.create(&at_till).await.body;
    let cancel = format!("/v1/payments/{}/cancel", closed["id"].as_str().unwrap());
    assert_eq!(world.http.post(SHOP, &cancel, "").await.body["status"], "canceled");
    let back = format!("/v1/payments/{}/refunds", done["id"].as_str().unwrap());
    let refund = json!({"refund_no": "R1", "amount": 500});
    assert_eq!(world.http.post(SHOP, &back, refund).await.status, 201);
    let day = day_of(&done);

    let told = run(&world, "reconcile", &["--day", &day]).await;
    assert_eq!(told.code, Some(0), "{}{}", told.out, told.err);
    let not_over = format!("{day} is not over in Asia/Shanghai: what is under way may still differ\n");
    assert_eq!(told.err, not_over, "and no bar where nobody looks");
    assert!(told.out.contains("\nbee (beecloud)\n  orders: 3 matched, 19.99 CNY here, 19.99 CNY there\n"));
    assert!(told.out.contains("\n  refunds: 1 matched"), "{}", told.out);
    let told = document(&run(&world, "reconcile", &["--day", &day, "--channel", "bee", "--json"]).await);
    let (channel, orders) = (&told["channels"][0], &told["channels"][0]["orders"]);
    assert_eq!((&told["ok"], &told["day"], &channel["channel"]), (&json!(true), &json!(day), &json!("bee")));
    assert_eq!((&orders["status"], &orders["counts"]), (&json!("compared"), &json!({"matched": 3})));
    assert_eq!(orders["moved"], json!({"CNY": {"here": 1999, "there": 1999}}), "the closed one is nobody's");

    world.down().await;
    differences(&world, &day, &open).await;
    world.up().await;
    world.end().await;
}

/// Money that the provider has and the ledger does not know of.
async fn differences(world: &World, day: &str, open: &Value) {
    let number = open["provider_order_no"].as_str().unwrap();
    world.bank().strike_notice(Rule::once(NoticeFault::Lost)).unwrap();
    world.bank().pay(number).unwrap();
    let told = run(world, "reconcile", &["--day", day]).await;
    assert_eq!(told.code, Some(1), "{}{}", told.out, told.err);
    assert!(told.out.contains("orders: 2 matched, 1 state_differs, 19.99 CNY here, 39.98 CNY there"));
    let table: Vec<&str> = told.out.lines().skip_while(|line| !line.starts_with("    difference")).collect();
    let (here, there) = (table[0].find(" here").unwrap(), table[0].find(" there").unwrap());
    assert!(table[1].starts_with(&format!("    state_differs  {number}")), "{}", told.out);
    assert!(table[1][here..].starts_with(" open 0 of 19.99 CNY "), "{}", told.out);
    assert!(table[1][there..].starts_with(" moved 19.99 CNY "), "{}", told.out);
    assert!(table[1].ends_with(open["id"].as_str().unwrap()), "{}", told.out);

    let told = run(world, "reconcile", &["--day", day, "--json"]).await;
    assert_eq!((told.code, &document(&told)["ok"]), (Some(1), &json!(false)));
    let difference = document(&told)["channels"][0]["orders"]["differences"][0].clone();
    assert_eq!((&difference["kind"], &difference["number"]), (&json!("state_differs"), &json!(number)));
    assert_eq!((&difference["here"]["state"], &difference["here"]["moved"]), (&json!("open"), &Value::Null));
    assert_eq!(
        (&difference["there"]["state"], &difference["there"]["moved"]),
        (&json!("moved"), &json!(1999))
    );
    assert_eq!(difference["payment"], open["id"]);
}

#[tokio::test]
async fn what_could_not_be_looked_at_ends_with_2() {
    let world = World::start(Kind::Sqlite).await;
    let day = day_of(&world.create(&order("A1001")).await.body);
    let good = world.file().to_str().unwrap().to_owned();
    let text = std::fs::read_to_string(&good).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let mistaken = file("mistaken.toml", text.replace("interval_ms = 100", "interval_ms = \"x\""));
    let gone = file("gone.toml", text.replace("paymux.db", "gone.db"));
    let listless =
        file("v1.toml", text.replace("[channels.settings]", "[channels.settings]\napi_version = \"v1\""));
    let nowhere = folder.path().join("nowhere.toml").to_str().unwrap().to_owned();

    for (file, why) in [(&mistaken, "sweeper.interval_ms"), (&gone, "gone.db"), (&nowhere, "nowhere.toml")] {
        check(&["doctor", "-c", file], why).await;
        check(&["doctor", "--json", "-c", file], why).await;
        check(&["reconcile", "--day", &day, "-c", file], why).await;
        check(&["reconcile", "--day", &day, "--json", "-c", file], why).await;
    }
    check(&["reconcile", "--day", "2999-01-01", "-c", &good], "2999-01-01 has not begun").await;
    check(
        &["reconcile", "--day", &day, "--channel", "bea", "-c", &good],
        "unknown channel `bea`; known: bee",
    )
    .await;
    check(&["reconcile", "--day", "21.11.2026", "-c", &good], "write a day as YYYY-MM-DD").await;
    check(&["doctor"], "--config").await;

    // A provider that gives no list, and one that has none, are told on standard output.
    let unlisted = ["reconcile", "--day", &day, "-c", &listless];
    let told = ended(unlisted).await;
    assert_eq!(told.code, Some(2), "{}", told.err);
    assert!(
        told.out.contains("orders: not reconcilable: its provider has no list of orders"),
        "{}",
        told.out
    );
    let fault = CallFault::Http500 { effect: FaultEffect::None };
    world.bank().strike_call(Rule::chance(1_000_000, fault).on("list")).unwrap();
    let told = run(&world, "reconcile", &["--day", &day, "--json"]).await;
    let channel = document(&told)["channels"][0].clone();
    assert_eq!((told.code, &channel["orders"]["status"]), (Some(2), &json!("failed")), "{}", told.out);
    assert_eq!(channel["refunds"]["status"], "compared", "the rest is compared all the same");
    let told = run(&world, "reconcile", &["--day", &day]).await;
    assert!(told.code == Some(2) && told.out.contains("  orders: not compared: "), "{}", told.out);
    world.end().await;

    async fn check(arguments: &[&str], why: &str) {
        let told = ended(arguments.iter().copied()).await;
        assert_eq!((told.code, told.out.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(told.err.contains(why), "{arguments:?}: {}", told.err);
    }
}

/// On a terminal there is a bar while it works, which then goes away, and colour; the result is the same.
#[tokio::test]
async fn a_person_at_a_terminal_sees_a_bar() {
    let world = World::start(Kind::Sqlite).await;
    let day = day_of(&paid(&world, "A1001").await);
    for (command, more, step, result) in [
        ("doctor", vec![], "posting_is_sound", "the ledger is sound"),
        ("reconcile", vec!["--day", &day], "bee: orders: the provider is listing", "1 matched"),
    ] {
        let shown = at_terminal(&world, command, &more).await;
        assert_eq!(shown.code, Some(0), "{}", shown.out);
        assert!(shown.out.contains(step) && shown.out.contains('\u{1b}'), "{command}: {:?}", shown.out);
        let plain = run(&world, command, &more).await;
        assert!(!plain.err.contains(step) && !plain.out.contains('\u{1b}'), "{command}: {}", plain.err);
        assert!(shown.out.contains(result) && plain.out.contains(result), "{command}");
    }
    world.end().await;
}

/// Runs a command with a terminal on both outputs; what both show comes back in one.
async fn at_terminal(world: &World, command: &str, more: &[&str]) -> Ended {
    let words =
        [env!("CARGO_BIN_EXE_paymux"), command, "-c", world.file().to_str().unwrap()].map(str::to_owned);
    let line =
        words.into_iter().chain(more.iter().map(|word| (*word).to_owned())).collect::<Vec<_>>().join(" ");
    let mut terminal = Command::new("script");
    terminal.args(["-qec", &format!("stty cols 120; {line}"), "/dev/null"]).env("TERM", "xterm");
    Ended::of(terminal).await
}
