//! `paymux explain` from outside: what it prints for people and for machines, the code that it ends with, and that it
//! says what the service says.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::process::{Ended, ended, paymux};
use crate::world::{SHOP, Sandbox, order};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Asks the example configuration about a payment by a QR code, with more behind it.
async fn example(more: &[&str]) -> Ended {
    asked("wechat.native", more).await
}

async fn asked(method: &str, more: &[&str]) -> Ended {
    let file = root().join("config/explain.toml");
    let payment = ["explain", "-c", file.to_str().unwrap(), "--app", "shop", "--method", method];
    ended(payment.into_iter().chain(["--amount", "1999", "--seed", "7"]).chain(more.iter().copied())).await
}

/// The record that it printed, which is one line.
fn record(ended: &Ended) -> Value {
    assert_eq!(ended.out.lines().count(), 1, "{}{}", ended.out, ended.err);
    serde_json::from_str(&ended.out).unwrap()
}

/// The rule that removed each channel, in their order.
fn rules(record: &Value) -> Vec<Option<&str>> {
    let candidates = record["candidates"].as_array().unwrap().iter();
    candidates.map(|candidate| candidate["removed_by"]["rule"].as_str()).collect()
}

/// What the README shows was printed by the command that it names, from the root of the repository.
#[tokio::test]
async fn the_readme_shows_what_it_prints() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let shown = readme.split("```").find(|block| block.starts_with("text\n$ paymux explain ")).unwrap();
    let (line, output) = shown.trim_start_matches("text\n$ paymux ").split_once('\n').unwrap();
    let mut command = paymux(line.split_whitespace());
    command.current_dir(root());
    let told = Ended::of(command).await;
    assert_eq!((told.code, told.out.as_str(), told.err.as_str()), (Some(0), output, ""));
}

#[tokio::test]
async fn what_if_is_asked_by_time_and_place() {
    let all = Some("amount");
    check(&["--at", "12:00"], [None, Some("region"), Some("hours"), all]).await;
    check(&["--at", "12:00", "--region", "CN-44"], [None, None, Some("hours"), all]).await;
    check(&["--at", "22:00", "--region", "CN-44"], [None, None, None, all]).await;
    check(&["--at", "2026-11-21T05:59:00+08:00"], [None, Some("region"), None, all]).await;
    check(&["--at", "2026-11-20T22:00:00Z"], [None, Some("region"), Some("hours"), all]).await;
    let pin = Some("pin");
    check(&["--at", "12:00", "--channel", "north"], [None, pin, pin, pin]).await;

    async fn check(more: &[&str], want: [Option<&str>; 4]) {
        let told = example(&[more, &["--json"]].concat()).await;
        assert_eq!((told.code, told.err.as_str()), (Some(0), ""), "{more:?}");
        assert_eq!(rules(&record(&told)), want, "{more:?}");
    }
}

#[tokio::test]
async fn where_no_channel_may_take_it_the_code_is_1() {
    let told = example(&["--channel", "elsewhere", "--json"]).await;
    let record = record(&told);
    assert_eq!((told.code, told.err.as_str(), &record["picked"]), (Some(1), "", &Value::Null));
    assert_eq!(rules(&record), [Some("pin"); 5]);

    let told = example(&["--channel", "elsewhere", "--times", "9"]).await;
    assert_eq!((told.code, told.err.as_str()), (Some(1), ""));
    assert!(told.out.contains("\npicked    none: no channel may take this payment\n"), "{}", told.out);
    let row = told.out.lines().last().unwrap();
    assert!(row.starts_with("elsewhere  no        -       -"), "{}", told.out);
    assert!(
        row.ends_with("  pin: no route that takes this payment lists the channel; the first is `default`")
    );
    assert!(!told.out.contains('\u{1b}'), "no colour where nobody looks");
}

#[tokio::test]
async fn mistakes_end_with_2_and_are_named() {
    let file = root().join("config/explain.toml").to_str().unwrap().to_owned();
    let folder = tempfile::tempdir().unwrap();
    let closed = folder.path().join("closed.toml").to_str().unwrap().to_owned();
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&closed, text.replace("[[apps]]", "[[apps]]\nscopes = [\"refunds\"]")).unwrap();

    check(&file, &["--app", "shop", "--amount", "0"], "`amount`: write minor units from 1").await;
    check(&file, &["--app", "shop", "--amount", "-5"], "`amount`: write minor units from 1").await;
    check(&file, &["--app", "shpo", "--amount", "1"], "unknown app `shpo`; known: shop").await;
    check(&closed, &["--app", "shop", "--amount", "1"], "its `scopes` do not list payments").await;
    check("gone.toml", &["--app", "shop", "--amount", "1"], "gone.toml").await;
    let more = |word: &'static str, value: &'static str| ["--app", "shop", "--amount", "1", word, value];
    check(&file, &more("--currency", "RMB"), "`currency`: write an ISO 4217 code").await;
    check(&file, &more("--region", "Shanghai"), "`payer.region`: write ISO 3166-2").await;
    check(&file, &more("--order-no", "a b"), "`order_no`: an order number is").await;
    check(&file, &more("--expires-in", "0"), "`expires_in`: write seconds").await;
    check(&file, &more("--metadata", "a b=1"), "`metadata`: a key is").await;
    let twice = ["--app", "shop", "--amount", "1", "--metadata", "k=1", "--metadata", "k=2"];
    check(&file, &twice, "`metadata.k`: is given twice").await;
    check(&file, &more("--at", "25:00"), "write HH:MM, like 20:00").await;
    check(&file, &more("--times", "0"), "write a whole number from 1 to 1000000").await;
    check(&file, &more("--seed", "x"), "16 hexadecimal digits of a record").await;

    async fn check(file: &str, more: &[&str], why: &str) {
        let words = ["explain", "-c", file, "--method", "wechat.native"];
        let told = ended(words.into_iter().chain(more.iter().copied())).await;
        assert_eq!((told.code, told.out.as_str()), (Some(2), ""), "{more:?}: {}", told.err);
        assert!(told.err.contains(why), "{more:?}: {}", told.err);
    }
}

#[tokio::test]
async fn what_no_payment_of_the_method_is_without_is_made_up() {
    for method in ["wechat.barcode", "wechat.jsapi", "wechat.mini"] {
        let told = asked(method, &["--json"]).await;
        assert_eq!((told.code, told.err.as_str()), (Some(0), ""), "{method}");
    }
}

/// Two accounts of test money, of which one has collected something.
const EVEN: &str = r#"
[server]
http = "ADDRESS"
test_mode = true
[[channels]]
id = "one"
provider = "sandbox"
[[channels]]
id = "two"
provider = "sandbox"
[[routes]]
name = "default"
strategy = "even"
channels = ["one", "two"]
"#;

#[tokio::test]
async fn says_what_the_service_says_by_the_ledgers_figures() {
    let service = Sandbox::start(EVEN).await;
    let mut paid = order("A1001");
    paid["metadata"] = json!({"sandbox": "paid"});
    let paid = service.http.post(SHOP, "/v1/payments", paid).await.body;
    assert_eq!(paid["status"], "succeeded", "{paid}");
    let rich = paid["channel"].as_str().unwrap();
    let other = if rich == "one" { "two" } else { "one" };

    let asked = service.http.post(SHOP, "/v1/routes/explain?seed=7&times=100", order("A1002")).await;
    assert_eq!((asked.status, &asked.body["picked"]), (200, &json!(other)), "{}", asked.text);
    assert_eq!(asked.body["spread"], json!({other: 100}));
    let told = explain(&service.file, &["--json"]).await;
    assert_eq!((told.code, told.err.as_str()), (Some(0), ""));
    assert_eq!(record(&told), asked.body);

    let text = explain(&service.file, &[]).await.out;
    let row = |id: &str| text.lines().find(|line| line.starts_with(id)).unwrap();
    assert!(row(rich).contains("  19.99 CNY  ") && row(other).contains("  0.00 CNY  "), "{text}");
    assert!(text.contains("\n100 picks under seeds drawn from 0000000000000007\n"), "{text}");

    // Without a ledger the figures count as nothing, and a person is told so.
    let folder = tempfile::tempdir().unwrap();
    let lost = folder.path().join("paymux.toml").to_str().unwrap().to_owned();
    let file = std::fs::read_to_string(&service.file).unwrap();
    std::fs::write(&lost, file.replace("/a.db", "/gone.db")).unwrap();
    let told = explain(&lost, &["--json"]).await;
    assert_eq!(told.code, Some(0));
    assert!(told.err.starts_with("the ledger could not be looked at, so what channels have collected"));
    assert!(told.err.contains("gone.db") && told.err.lines().count() == 1, "{}", told.err);
    let figures: Vec<Value> = record(&told)["candidates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["collected_today"].clone())
        .collect();
    assert_eq!(figures, [0, 0]);

    let list = service.http.get(SHOP, "/v1/payments").await.body;
    assert_eq!(list["data"].as_array().unwrap().len(), 1, "asking made no payment");
    service.end().await;
}

/// Limits are the ledger's too, whatever the strategy looks at.
#[tokio::test]
async fn says_what_a_limit_leaves() {
    let limited = EVEN.replace("even", "priority").replacen(
        "provider = \"sandbox\"",
        "provider = \"sandbox\"\nrules.day_count_max = 1",
        1,
    );
    let service = Sandbox::start(&limited).await;
    assert_eq!(record(&explain(&service.file, &["--json"]).await)["picked"], "one");
    let taken = service.http.post(SHOP, "/v1/payments", order("A1001")).await.body;
    assert_eq!(taken["channel"], "one", "{taken}");
    let told = record(&explain(&service.file, &["--json"]).await);
    assert_eq!(
        (&told["picked"], &told["candidates"][0]["removed_by"]["rule"]),
        (&json!("two"), &json!("cap"))
    );
    let asked = service.http.post(SHOP, "/v1/routes/explain?seed=7&times=100", order("A1002")).await;
    assert_eq!(told, asked.body);
    service.end().await;
}

/// The same payment as `order`, as far as a route looks at it.
async fn explain(file: &str, more: &[&str]) -> Ended {
    let words = ["explain", "-c", file, "--app", "shop", "--method", "wechat.native", "--amount", "1999"];
    let rest = ["--metadata", "table=7", "--seed", "7", "--times", "100"];
    ended(words.into_iter().chain(rest).chain(more.iter().copied())).await
}
