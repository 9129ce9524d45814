//! Configuration from outside: text in, a configuration or its mistakes out. One row per rule.

mod compat;
mod keys;
mod rules;
mod tls;

use super::*;
use crate::plugins;

const ID_A: &str = "7c9f2f1e-3a44-4c8b-9d21-5b0e6f7a8c90";
const ID_B: &str = "0d4b6a52-91c7-4f0e-8a3d-2e6f1b7c5d84";

fn environment() -> Environment {
    Environment::from_pairs([
        ("KEY", "pmx_0123456789abcdefghijklmn"),
        ("SECRET", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="),
    ])
}

fn read_text(text: &str, environment: &Environment) -> Result<Config, Mistakes> {
    read("f", text.as_bytes().to_vec(), environment, &plugins::providers())
}

/// Every mistake of that text, one line each.
fn mistakes(text: &str) -> String {
    read_text(text, &environment()).err().map_or_else(String::new, |mistakes| mistakes.to_string())
}

/// The providers in the order of lists: which there are stands in one place, and not in tests.
fn known_providers() -> String {
    plugins::providers().iter().map(|provider| provider.slug()).collect::<Vec<_>>().join(", ")
}

/// Those whose protocol can be served.
fn known_fronts() -> String {
    let is_served = |provider: &&std::sync::Arc<dyn paymux_core::Provider>| {
        provider.acceptor().is_some_and(|acceptor| !acceptor.trees().is_empty())
    };
    let providers = plugins::providers();
    providers.iter().filter(is_served).map(|provider| provider.slug()).collect::<Vec<_>>().join(", ")
}

/// Exactly these lines are told of that text.
#[track_caller]
fn check(text: &str, want: &[&str]) {
    assert_eq!(mistakes(text), want.join("\n"), "\n{text}");
}

/// A whole configuration that stands on its own, in two channels: one real, one for tests.
fn good() -> String {
    format!(
        r#"
[server]
http = "127.0.0.1:0"
test_mode = true

[[apps]]
id = "shop"
api_key = {{ env = "KEY" }}
notify_url = "https://shop.example.com/hook"
notify_secret = {{ env = "SECRET" }}

[[channels]]
id = "bee"
provider = "beecloud"
state = "draining"
weight = 7
methods = ["wechat.*", "alipay.web"]
request_ms = 500
rules = {{ amount_min = 2, amount_max = 90, currency = "CNY" }}
settings = {{ app_id = "{ID_A}", app_secret = "s", master_secret = {{ env = "KEY" }} }}

[[channels]]
id = "bee-test"
provider = "beecloud"
settings = {{ app_id = "{ID_B}", sandbox = true, test_secret = "t" }}

[[routes]]
name = "real"
when = {{ apps = ["shop"], methods = ["wechat.native"], amount_max = 50 }}
strategy = "priority"
channels = ["bee"]
failover = 2
failover_unknown = "never"

[[routes]]
name = "rest"
strategy = "random"
channels = ["bee-test"]
"#
    )
}

#[test]
fn an_empty_file_is_all_defaults() {
    let config = read_text("", &Environment::default()).unwrap();
    assert_eq!(config.settings.http.to_string(), "127.0.0.1:8080");
    assert!(config.settings.admin.is_none());
    assert!(config.settings.store_url.matches("sqlite://paymux.db"));
    assert_eq!(config.catalog.public_url.as_str(), "http://127.0.0.1:8080/");
    assert_eq!(config.catalog.timing, paymux_core::catalog::Timing::default());
    assert_eq!(config.catalog.notice_schedule, paymux_core::notices::SCHEDULE);
    assert_eq!(config.settings.limits, Limits::default());
    assert_eq!(config.settings.metrics, MetricsPlace::Main);
    let none = |section| format!("no [[{section}]]: no payment can be made");
    assert_eq!(config.remarks, [none("apps"), none("channels"), none("routes")]);
}

#[test]
fn every_part_of_a_file_arrives() {
    use paymux_core::catalog::{FailoverUnknown, Lifecycle, Strategy};

    let config = read_text(&good(), &environment()).unwrap();
    assert_eq!(config.remarks, ["route `rest` has one channel: `random` has nothing to choose from"]);
    let catalog = &config.catalog;

    let app = catalog.app_by_key("pmx_0123456789abcdefghijklmn").unwrap();
    assert_eq!((app.id.as_str(), app.notify_secrets.len()), ("shop", 1));
    assert_eq!(app.notify_url.as_ref().unwrap().as_str(), "https://shop.example.com/hook");

    let bee = &catalog.channels()[0];
    assert_eq!((bee.id.as_str(), bee.state, bee.weight), ("bee", Lifecycle::Draining, 7));
    assert_eq!(bee.request, Some(Duration::from_millis(500)));
    assert_eq!((bee.rules.amount_min, bee.rules.amount_max), (Some(2), Some(90)));
    assert_eq!(bee.methods.as_ref().unwrap().len(), 2);
    assert!(bee.channel.descriptor().livemode && !catalog.channels()[1].channel.descriptor().livemode);

    let (real, rest) = (&catalog.routes()[0], &catalog.routes()[1]);
    assert_eq!(
        (real.channels.as_slice(), real.strategy, real.failover),
        ([0].as_slice(), Strategy::Priority, 2)
    );
    assert_eq!(real.failover_unknown, FailoverUnknown::Never);
    assert_eq!(real.when.amount_max, Some(50));
    assert_eq!(
        (rest.channels.as_slice(), rest.strategy, rest.failover),
        ([1].as_slice(), Strategy::Random, 0)
    );
    assert_eq!(rest.failover_unknown, FailoverUnknown::Abandon);
}

#[test]
fn all_mistakes_of_a_file_are_told_at_once() {
    let text = r#"
[server]
htpp = "127.0.0.1:1"
test_mode = "yes"
grpc = "127.0.0.1:8081"

[[apps]]
id = "shop"
api_key = { env = "NO_SUCH_KEY" }
notify_url = "http://shop.example.com/hook"

[[channels]]
id = "bee"
provider = "beclod"
fee_bp = 60
settings = { app_id = "x" }

[[channels]]
id = "bee"
provider = "beecloud"
settings = { app_idd = "x", app_secret = { env = "NO_SUCH_SECRET" }, master_secret = "m" }

[[routes]]
name = "default"
strategy = "evenly"
channels = ["bee", "bea"]
"#;
    check(
        text,
        &[
            "f:3: server.htpp: unknown key; known: http, admin, admin_token, public_url, tls_cert, tls_key, trusted_proxies, test_mode, metrics",
            "f:4: server.test_mode: write true or false, not text",
            "f:5: server.grpc: not supported by this version yet; remove it",
            "f:7: apps[0].notify_secret: required where `notify_url` is set: notices are signed",
            "f:9: apps[0].api_key: environment variable `NO_SUCH_KEY` is not set",
            "f:10: apps[0].notify_url: the scheme must be https",
            &format!("f:14: channels[0].provider: unknown provider `beclod`; known: {}", known_providers()),
            "f:19: channels[1].id: `bee` is taken by channels[0].id; names are unique",
            "f:21: channels[1].settings.app_id: required: the account's id in BeeCloud's console, a UUID",
            "f:21: channels[1].settings.app_idd: unknown key; known: app_id, app_secret, master_secret, \
             master_secret_previous, test_secret, sandbox, api_version, base_url, prefer_bc, refunds_per_order, allow_plain_http",
            "f:21: channels[1].settings.app_secret: environment variable `NO_SUCH_SECRET` is not set",
            "f:25: routes[0].strategy: unknown strategy `evenly`; known: random, smart-random, even, \
             weighted, round-robin, priority, least-collected, cheapest, adaptive, sticky",
            "f:26: routes[0].channels[1]: unknown channel `bea`; known: bee",
        ],
    );
}

#[test]
fn no_secret_stands_in_a_mistake() {
    let text = r#"
[server]
admin = "127.0.0.1:1"
admin_token = "hunter2"
test_mode = "hunter2"
[store]
url = "mysql://u:hunter2@h/d"
[[apps]]
id = "a"
api_key = "hunter2"
notify_secret = "hunter2"
api_key_previous = { value = "hunter2" }
[[channels]]
id = "b"
provider = "beecloud"
settings = { app_secret = "hunter2 hunter2", sandbox = "hunter2" }
"#;
    let told = mistakes(text);
    assert_eq!(told.lines().count(), 10, "{told}");
    assert!(!told.contains("hunter2"), "{told}");

    let told = mistakes("[[apps]]\napi_key = \"hunter2\n");
    assert!(told.starts_with("f:2:") && !told.contains("hunter2"), "{told}");
}

#[test]
fn machines_get_each_mistake_as_an_object() {
    let environment = Environment::from_pairs([("PAYMUX__SERVER__HTTP", "x")]);
    let told = read_text("[store]\nurl = \"x\"\n", &environment).unwrap_err().to_json();
    let want = serde_json::json!([
        {"file": "f", "line": 2, "column": null, "variable": null, "key": "store.url",
            "rule": "write sqlite://FILE or postgres://USER:PASSWORD@HOST/DATABASE"},
        {"file": "f", "line": null, "column": null, "variable": "PAYMUX__SERVER__HTTP", "key": "server.http",
            "rule": "`x`: write an address and a port, like 127.0.0.1:8080"},
    ]);
    assert_eq!(told, want);
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let told = load(Path::new("no/such.toml"), &Environment::default(), &[]).unwrap_err().to_string();
    assert!(told.starts_with("no/such.toml: cannot be read: "), "{told}");
}

#[test]
fn the_example_is_right_once_its_secrets_are_set() {
    let example = include_str!("../../../../config/example.toml");
    let told = read_text(example, &Environment::default()).unwrap_err();
    let unset = |mistake: &Mistake| mistake.rule.ends_with("is not set");
    assert!(told.list().iter().all(unset), "{told}");

    let secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    let environment = Environment::from_pairs([
        ("PAYMUX_ADMIN_TOKEN", "pmx_0123456789abcdefghijklmn"),
        ("PAYMUX_DATABASE_URL", "postgres://paymux:secret@db.internal/paymux"),
        ("SHOP_API_KEY", "pmx_1123456789abcdefghijklmn"),
        ("TILLS_API_KEY", "pmx_2123456789abcdefghijklmn"),
        ("SHOP_NOTIFY_SECRET", secret),
        ("BEE_MAIN_APP_SECRET", "1"),
        ("BEE_MAIN_MASTER_SECRET", "2"),
        ("BEE_RESERVE_APP_SECRET", "3"),
        ("BEE_RESERVE_MASTER_SECRET", "4"),
    ]);
    let config = read_text(example, &environment).unwrap();
    assert_eq!(config.remarks, [""; 0]);
    assert_eq!(told.list().len(), 9, "each secret is asked for once: {told}");
}

#[test]
fn the_rotation_of_several_merchants_is_right_once_its_secrets_are_set() {
    let rotation = include_str!("../../../../config/cloudpay-rotation.toml");
    let told = read_text(rotation, &Environment::default()).unwrap_err();
    let unset = |mistake: &Mistake| mistake.rule.ends_with("is not set");
    assert!(told.list().iter().all(unset), "{told}");
    let environment = Environment::from_pairs([
        ("SHOP_API_KEY", "pmx_1123456789abcdefghijklmn"),
        ("CLOUD_A_APPSECRET", "1"),
        ("CLOUD_B_APPSECRET", "2"),
        ("CLOUD_B_APPSECRET_PREVIOUS", "3"),
        ("CLOUD_C_APPSECRET", "4"),
    ]);
    let config = read_text(rotation, &environment).unwrap();
    assert_eq!(config.remarks, [""; 0]);
    assert_eq!(told.list().len(), 5, "each secret is asked for once: {told}");
}

mod bytes {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_soup_of_bytes_is_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = read("f", bytes, &environment(), &plugins::providers());
        }

        /// Lines that are TOML, cut and mixed: gets past the parser more often than not.
        #[test]
        fn no_mix_of_lines_is_a_panic(picks in proptest::collection::vec((any::<prop::sample::Index>(), 0..80_usize), 0..30)) {
            let good = good();
            let lines: Vec<&str> = good.lines().collect();
            let mixed: Vec<String> = picks
                .iter()
                .map(|(index, cut)| index.get(&lines).chars().take(*cut).collect())
                .collect();
            let result = read_text(&mixed.join("\n"), &environment());
            prop_assert!(result.is_ok_and(|_| true) || !mistakes(&mixed.join("\n")).is_empty());
        }

        /// Any value under any key: never a panic, and each mistake names its line.
        #[test]
        fn no_value_is_a_panic(
            key in "(server|store|limits|apps|channels|routes|timeouts|x)(\\.(http|url|id|when|rules|x))?",
            value in "(1|-1|1\\.5|true|\"\"|\"a\"|\\[\\]|\\[1\\]|\\[\\[\\]\\]|\\{\\}|\\{a=1\\}|\\[\\{\\}\\]|1979-05-27|nan)",
        ) {
            let text = format!("{key} = {value}\n");
            if let Err(mistakes) = read_text(&text, &environment()) {
                for mistake in mistakes.list() {
                    prop_assert!(matches!(mistake.place, Place::Line(1) | Place::Spot { line: 1, .. } | Place::File), "{mistakes}");
                }
            }
        }
    }
}
