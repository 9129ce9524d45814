//! paymux-server: whole configuration files. All mistakes come with their place, and none tells a secret.
//!
//! A secret can be written as `{ file = ".." }`, and such a file would be opened: inputs that say `file` are refused
//! here, so that no input reads what lies on the machine.

use std::sync::Arc;

use paymux_core::Provider;
use paymux_server::config::read;
use paymux_server::environment::Environment;
use paymux_server::plugins::providers;

use crate::{Exam, Seen, Target};

const API_KEY: &str = "pmx_0123456789abcdefghijklmn";
const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

pub(super) fn targets() -> Vec<Target> {
    vec![Target {
        name: "config/text".to_owned(),
        about: "whole files: a configuration, or mistakes that tell no secret",
        seeds: super::texts(&[GOOD, "", "[server]\nhttp = \"127.0.0.1:0\"\ntest_mode = true\n"]),
        words: WORDS,
        begin: Box::new(begin),
    }]
}

const WORDS: &[&str] = &[
    "[server]",
    "[store]",
    "[timeouts]",
    "[limits]",
    "[routing]",
    "[notices]",
    "[[apps]]",
    "[[channels]]",
    "[[routes]]",
    "[channels.rules]",
    "[channels.settings]",
    "[routes.when]",
    "http = ",
    "admin = ",
    "metrics = \"admin\"",
    "url = ",
    "id = ",
    "api_key = ",
    "notify_url = ",
    "scopes = [\"payments\"]",
    "provider = ",
    "state = ",
    "weight = ",
    "methods = ",
    "hours = [\"06:00-23:30\"]",
    "regions = [\"CN-31\"]",
    "amount_min = ",
    "amount_max = ",
    "currency = \"JPY\"",
    "strategy = ",
    "failover = ",
    "failover_unknown = ",
    "\"sandbox\"",
    "\"beecloud\"",
    "\"cloudpay\"",
    "\"weighted\"",
    "\"wechat.*\"",
    "{ env = \"KEY\" }",
    "{ env = \"NONE\" }",
    "true",
    "1.5",
    "-1",
    "\"\"\"",
    "''",
    "#",
    "\\u0000",
    "2026-11-21",
    "inf",
];

/// Every part once.
const GOOD: &str = r#"
[server]
http = "127.0.0.1:0"
test_mode = true

[[apps]]
id = "shop"
api_key = { env = "KEY" }
notify_url = "https://shop.example.com/hook"
notify_secret = { env = "SECRET" }

[[channels]]
id = "bee"
provider = "beecloud"
state = "draining"
weight = 7
methods = ["wechat.*", "alipay.web"]
rules = { amount_min = 2, amount_max = 90, currency = "CNY", hours = ["06:00-23:30"], regions = ["CN-31"] }
settings = { app_id = "7c9f2f1e-3a44-4c8b-9d21-5b0e6f7a8c90", app_secret = "s", master_secret = { env = "KEY" } }

[[channels]]
id = "box"
provider = "sandbox"

[[routes]]
name = "real"
when = { apps = ["shop"], methods = ["wechat.native"], amount_max = 50 }
strategy = "priority"
channels = ["bee"]

[[routes]]
name = "rest"
strategy = "weighted"
channels = ["box"]
failover = 0
failover_unknown = "never"
"#;

fn begin() -> Exam {
    let environment = Environment::from_pairs([("KEY", API_KEY), ("SECRET", SECRET)]);
    let providers = providers();
    Box::new(move |input| look(&environment, &providers, input))
}

fn look(environment: &Environment, providers: &[Arc<dyn Provider>], input: &[u8]) -> Seen {
    if input.windows(4).any(|window| window.eq_ignore_ascii_case(b"file")) {
        return Seen::Refused;
    }
    let told = match read("f", input.to_vec(), environment, providers) {
        Ok(config) => {
            let again = read("f", input.to_vec(), environment, providers);
            assert!(again.is_ok_and(|again| again.hash == config.hash), "the same text, another hash");
            format!("{config:?}")
        }
        Err(mistakes) => {
            let told = mistakes.to_string();
            assert!(!told.is_empty(), "refused without a reason");
            no_secret(&told);
            return Seen::Refused;
        }
    };
    no_secret(&told);
    Seen::Taken
}

fn no_secret(told: &str) {
    for secret in [API_KEY, SECRET] {
        assert!(!told.contains(secret), "a secret is told: {told}");
    }
}
