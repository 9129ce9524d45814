//! The commands from outside: what they print, and the code that they end with.

use std::path::Path;

use paymux_sign::WebhookSecret;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::database::Kind;
use crate::process::{Ended, Running, ended, paymux};
use crate::world::{SHOP, Sandbox, World, order};

/// A file with that text.
fn file(folder: &tempfile::TempDir, text: &str) -> String {
    let path = folder.path().join("paymux.toml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn check_tells_every_mistake_and_its_code_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, "[server]\nhttp = \"x\"\nhtpp = 1\n");
    let checked = ended(["check", "-c", &path]).await;
    assert_eq!((checked.code, checked.out.as_str()), (Some(1), ""));
    let want = format!(
        "{path}:2: server.http: `x`: write an address and a port, like 127.0.0.1:8080\n\
         {path}:3: server.htpp: unknown key; known: http, admin, admin_token, public_url, tls_cert, tls_key, trusted_proxies, test_mode, metrics\n\
         2 mistakes; nothing would start\n"
    );
    assert_eq!(checked.err, want);

    let checked = ended(["check", "-c", &path, "--json"]).await;
    let told: Value = serde_json::from_str(&checked.out).unwrap();
    assert_eq!(
        (checked.code, &told["ok"], told["mistakes"].as_array().unwrap().len()),
        (Some(1), &json!(false), 2)
    );
    assert_eq!(told["mistakes"][0]["line"], 2);
}

/// Runs a command on the rotation of several cloudpay merchants, with its secrets set.
async fn rotation(command: &str, words: &[&str]) -> Ended {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/cloudpay-rotation.toml");
    let folder = tempfile::tempdir().unwrap();
    let mut paymux = paymux([command, "-c", file.to_str().unwrap()].into_iter().chain(words.iter().copied()));
    for name in [
        "SHOP_API_KEY",
        "CLOUD_A_APPSECRET",
        "CLOUD_B_APPSECRET",
        "CLOUD_B_APPSECRET_PREVIOUS",
        "CLOUD_C_APPSECRET",
    ] {
        paymux.env(name, format!("pmx_{name}_0123456789abcdefghij"));
    }
    paymux.env("PAYMUX__STORE__URL", format!("sqlite://{}/a.db", folder.path().display()));
    Ended::of(paymux).await
}

#[tokio::test]
async fn check_accepts_the_rotation_of_several_merchants_and_explains_it() {
    let checked = rotation("check", &["--json"]).await;
    assert_eq!(checked.code, Some(0), "{}{}", checked.out, checked.err);
    for (amount, route, at, region, channels) in [
        ("1999", "small", "10:00", "CN-44", &["cloud-a", "cloud-b", "cloud-c"][..]),
        ("1999", "small", "10:00", "CN-31", &["cloud-a", "cloud-b"]),
        ("1999", "small", "03:00", "CN-45", &["cloud-b", "cloud-c"]),
        ("10001", "middle", "21:00", "CN-45", &["cloud-a", "cloud-b", "cloud-c"]),
        ("500001", "large", "21:00", "CN-31", &["cloud-b"]),
    ] {
        let words = ["--app", "shop", "--method", "alipay.wap", "--seed", "7", "--times", "1000", "--json"];
        let asked = [&words[..], &["--amount", amount, "--at", at, "--region", region]].concat();
        let told = rotation("explain", &asked).await;
        assert_eq!(told.code, Some(0), "{}{}", told.out, told.err);
        let told: Value = serde_json::from_str(&told.out).unwrap();
        assert_eq!(told["route"], route, "{told}");
        let spread: Vec<(&str, u64)> = told["spread"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(channel, picks)| (channel.as_str(), picks.as_u64().unwrap()))
            .filter(|(_, picks)| *picks > 0)
            .collect();
        assert_eq!(spread.iter().map(|(channel, _)| *channel).collect::<Vec<_>>(), channels, "{told}");
        let share = 1000 / channels.len() as u64;
        assert!(spread.iter().all(|(_, picks)| picks.abs_diff(share) <= 80), "{spread:?}");
    }
}

#[tokio::test]
async fn check_accepts_the_example_once_its_secrets_are_set() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/example.toml");
    let mut command = paymux(["check", "--json", "-c", example.to_str().unwrap()]);
    for name in ["PAYMUX_ADMIN_TOKEN", "SHOP_API_KEY", "TILLS_API_KEY"] {
        command.env(name, format!("pmx_{name}_0123456789abcdefghij"));
    }
    for name in [
        "BEE_MAIN_APP_SECRET",
        "BEE_MAIN_MASTER_SECRET",
        "BEE_RESERVE_APP_SECRET",
        "BEE_RESERVE_MASTER_SECRET",
    ] {
        command.env(name, name);
    }
    command.env("PAYMUX_DATABASE_URL", "postgres://paymux:secret@db.internal/paymux");
    command.env("SHOP_NOTIFY_SECRET", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=");
    let checked = Ended::of(command).await;
    assert_eq!(checked.code, Some(0), "{}{}", checked.out, checked.err);
    let told: Value = serde_json::from_str(&checked.out).unwrap();
    assert_eq!((&told["ok"], &told["remarks"]), (&json!(true), &json!([])));
    assert_eq!(told["routes"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn keys_are_fresh_and_fit_into_a_configuration() {
    let one = ended(["keys", "new", "--json"]).await;
    let other = ended(["keys", "new", "--json"]).await;
    assert_eq!((one.code, one.err.as_str()), (Some(0), ""));
    let keys: Value = serde_json::from_str(&one.out).unwrap();
    let (api_key, notify_secret) =
        (keys["api_key"].as_str().unwrap(), keys["notify_secret"].as_str().unwrap());
    assert!(api_key.starts_with("pmx_") && api_key.len() >= 4 + 43, "{api_key}");
    assert!(WebhookSecret::parse(notify_secret).is_ok());
    assert_ne!(one.out, other.out);

    let text = ended(["keys", "new"]).await.out;
    assert!(text.starts_with("api_key       pmx_") && text.contains("\nnotify_secret whsec_"), "{text}");
}

#[tokio::test]
async fn a_wrong_command_line_ends_with_2() {
    for words in [vec![], vec!["serve"], vec!["serv"], vec!["explain"], vec!["check", "-c"]] {
        let ended = ended(words.iter().copied()).await;
        assert_eq!(ended.code, Some(2), "{words:?}: {}", ended.err);
    }
    let mut command = paymux(["keys", "new"]);
    command.env("PAYMUX_LOG", "a=b=c");
    let ended = Ended::of(command).await;
    assert_eq!(ended.code, Some(2));
    assert!(ended.err.starts_with("environment variable `PAYMUX_LOG`: "), "{}", ended.err);
    let help = crate::process::ended(["--help"]).await;
    assert_eq!(help.code, Some(0));
    assert!(help.out.contains("Exit codes:"), "{}", help.out);
}

#[tokio::test]
async fn what_cannot_start_says_why_and_ends_with_3() {
    let folder = tempfile::tempdir().unwrap();
    let store = |folder: &tempfile::TempDir| {
        format!("[store]\nurl = \"sqlite://{}/a.db\"\n", folder.path().display())
    };
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();

    let path = file(&folder, &format!("{}[server]\nhttp = \"{address}\"\n", store(&folder)));
    let failed = ended(["serve", "-c", &path]).await;
    assert_eq!(failed.code, Some(3), "{}", failed.err);
    assert!(failed.err.contains(&format!("cannot listen on `{address}` (server.http): ")), "{}", failed.err);
    assert!(!folder.path().join("a.db").exists(), "what cannot serve opens no ledger");

    let path = file(
        &folder,
        &format!(
            "{}[server]\nhttp = \"127.0.0.1:0\"\nadmin = \"{address}\"\nadmin_token = \"0123456789abcdef01234567\"\n",
            store(&folder)
        ),
    );
    let failed = ended(["serve", "-c", &path]).await;
    assert_eq!(failed.code, Some(3), "{}", failed.err);
    assert!(failed.err.contains(&format!("cannot listen on `{address}` (server.admin): ")), "{}", failed.err);

    let path =
        file(&folder, "[server]\nhttp = \"127.0.0.1:0\"\n[store]\nurl = \"sqlite://no/such/folder/a.db\"\n");
    let failed = ended(["serve", "-c", &path]).await;
    assert_eq!(failed.code, Some(3), "{}", failed.err);
    assert!(failed.err.contains("the ledger (store.url) does not open: "), "{}", failed.err);

    let path = file(&folder, "[server]\nhttp = 5\n");
    let failed = ended(["serve", "-c", &path]).await;
    assert_eq!(
        (failed.code, failed.err),
        (Some(1), format!("{path}:2: server.http: write text, not a whole number\n"))
    );
}

#[tokio::test]
async fn a_second_paymux_on_one_sqlite_file_is_refused() {
    let world = World::start(Kind::Sqlite).await;
    let mut command = paymux(["serve", "-c", world.file().to_str().unwrap()]);
    command.env("PAYMUX__SERVER__HTTP", "127.0.0.1:0");
    let refused = Ended::of(command).await;
    assert_eq!(refused.code, Some(3), "{}", refused.err);
    assert!(refused.err.contains("is in use by another process"), "{}", refused.err);
    let good = world.create(&order("A1001")).await;
    assert_eq!(good.status, 201, "the first one goes on: {}", good.text);
    world.end().await;
}

#[tokio::test]
async fn logs_are_json_where_nobody_looks_and_hold_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(
        &folder,
        &format!(
            "[server]\nhttp = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\nadmin_token = \"hunter2-hunter2-hunter2-hunter2\"\n\
             [store]\nurl = \"sqlite://{}/a.db\"\n",
            folder.path().display()
        ),
    );
    let mut command = paymux(["serve", "-c", &path]);
    let log = std::fs::File::create(folder.path().join("log")).unwrap();
    command.env("PAYMUX_LOG", "trace").stderr(log);
    let process = Running::start(command);
    let read = || std::fs::read_to_string(folder.path().join("log")).unwrap();
    while !read().contains("paymux serves") {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(process.signal("INT").await, Some(0));
    let log = read();
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(line["level"].is_string() && line["timestamp"].is_string(), "{line}");
    }
    assert!(log.contains("told to stop") && log.contains("paymux has stopped"), "{log}");
    assert!(!log.contains("hunter2"), "{log}");
}

#[tokio::test]
async fn sim_prints_a_channel_that_works() {
    check("beecloud", "wechat.native").await;
    check("cloudpay", "alipay.native").await;
    check("fufu", "wechat.native").await;

    async fn check(provider: &str, method: &str) {
        let mut sim = Running::start(paymux(["sim", "--provider", provider, "--listen", "127.0.0.1:0"]));
        let mut channel = String::new();
        while !channel.contains("base_url") {
            channel += &(sim.line().await.unwrap() + "\n");
        }
        let text = format!(
            "[server]\nhttp = \"ADDRESS\"\n{channel}\
             [[routes]]\nname = \"default\"\nstrategy = \"priority\"\nchannels = [\"{provider}-sim\"]\n"
        );
        let paymux = Sandbox::start(&text).await;
        let mut body = order("A1001");
        body["method"] = json!(method);
        let created = paymux.http.post(SHOP, "/v1/payments", body).await;
        assert_eq!((created.status, &created.body["status"]), (201, &json!("pending")), "{}", created.text);
        paymux.end().await;
        assert_eq!(sim.signal("INT").await, Some(0));
    }
}

/// A pipe holds 64 KiB, and each of these requests is a line of some 200 bytes in the log.
#[tokio::test]
async fn a_log_that_nobody_reads_stops_nothing() {
    let mut world = World::start(Kind::Sqlite).await;
    world.restart_unread().await;
    for _ in 0..1000 {
        assert_eq!(world.http.get(SHOP, "/v1/payments").await.status, 200);
    }
    world.end().await;
}
