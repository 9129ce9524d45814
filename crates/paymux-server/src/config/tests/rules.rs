//! What is right in form and wrong in meaning: one row per rule, with its line and its words.

use paymux_core::catalog::{DuplicatePaid, Late, LateSuccess, Scope, Strategy};
use paymux_core::money::AMOUNT_MAX;

use super::*;

#[test]
fn server() {
    check(
        "[server]\nhttp = \"localhost:80\"\n",
        &["f:2: server.http: `localhost:80`: write an address and a port, like 127.0.0.1:8080"],
    );
    check(
        "[server]\nhttp = \"0.0.0.0:80\"\n",
        &["f:1: server.public_url: required unless `server.http` is a loopback address"],
    );
    check(
        "[server]\nadmin = \"127.0.0.1:1\"\n",
        &["f:1: server.admin_token: required where `server.admin` is set"],
    );
    check(
        "[server]\nadmin = \"127.0.0.1:1\"\nadmin_token = \"short\"\n",
        &[
            "f:3: server.admin_token: write at least 24 printable ASCII characters without blanks; `paymux keys new` makes one",
        ],
    );
    check(
        "[server]\nadmin = \"127.0.0.1:8080\"\nadmin_token = { env = \"KEY\" }\n",
        &["f:2: server.admin: the operators' listener needs another port than `server.http`"],
    );
    check(
        "[server]\npublic_url = \"http://pay.example.com\"\n",
        &["f:2: server.public_url: must be https unless it is a loopback address"],
    );
    check("[server]\npublic_url = \"http://pay.example.com\"\ntest_mode = true\n", &[]);
    check(
        "[server]\npublic_url = \"https://pay.example.com?a=b\"\n",
        &["f:2: server.public_url: no ?query may stand in it: some providers cannot carry one"],
    );
    check(
        "[server]\npublic_url = \"pay.example.com\"\n",
        &["f:2: server.public_url: write an address like https://host:port/path"],
    );
    check(
        "[store]\nurl = \"paymux.db\"\n",
        &["f:2: store.url: write sqlite://FILE or postgres://USER:PASSWORD@HOST/DATABASE"],
    );
    check("[store]\nurl = \"\"\n", &["f:2: store.url: the text is empty"]);
    check("[routing]\nday_zone = \"Europe/Berlin\"\n", &[]);
    check(
        "[routing]\nday_zone = \"Berlin\"\n",
        &["f:2: routing.day_zone: `Berlin`: write the IANA name of a zone, like Asia/Shanghai"],
    );
}

#[test]
fn the_schedule_of_notices_has_bounds() {
    check("[notices]\nretry_ms = [1000, 604800000]\n", &[]);
    check("[notices]\nretry_ms = []\n", &["f:2: notices.retry_ms: write 1 to 32 pauses"]);
    check(
        "[notices]\nretry_ms = [999, 5000, 604800001]\n",
        &[
            "f:2: notices.retry_ms[0]: `999`: write a number from 1000 to 604800000",
            "f:2: notices.retry_ms[2]: `604800001`: write a number from 1000 to 604800000",
        ],
    );
}

#[test]
fn numbers_have_bounds() {
    for (section, key, least, most) in [
        ("timeouts", "connect_ms", 1, 600_000),
        ("timeouts", "request_ms", 1, 600_000),
        ("timeouts", "answer_ms", 1, 600_000),
        ("timeouts", "failover_budget_ms", 0, 600_000),
        ("timeouts", "notice_ms", 1, 60_000),
        ("sweeper", "interval_ms", 10, 600_000),
        ("routing", "snapshot_ms", 50, 60_000),
        ("health", "errors", 0, 1000),
        ("health", "window_ms", 1, 600_000),
        ("health", "cooldown_ms", 1, 600_000),
        ("health", "probe_percent", 1, 100),
        ("health", "slow_ms", 0, 600_000),
        ("desk", "settle_ms", 0, 86_400_000),
        ("desk", "patience_ms", 0, 86_400_000),
        ("limits", "idempotency_key_ms", 86_400_000, 31_536_000_000),
        ("limits", "body_bytes", 1024, 16_777_216),
        ("limits", "callback_bytes", 1024, 16_777_216),
        ("limits", "unverified_callbacks", 1, 1_000_000),
        ("limits", "unverified_bytes", 1024, 1_073_741_824_i64),
        ("limits", "connections", 1, 1_000_000),
        ("limits", "first_byte_ms", 1, 600_000),
        ("limits", "header_ms", 1, 600_000),
        ("limits", "body_ms", 1, 600_000),
        ("limits", "idle_ms", 1, 600_000),
        ("limits", "drain_ms", 0, 600_000),
    ] {
        let text = |value: i64| format!("[{section}]\n{key} = {value}\n");
        let wrong = |value| format!("f:2: {section}.{key}: `{value}`: write a number from {least} to {most}");
        check(&text(least), &[]);
        check(&text(most), &[]);
        check(&text(least - 1), &[&wrong(least - 1)]);
        check(&text(most + 1), &[&wrong(most + 1)]);
    }
}

/// One app with those lines.
fn app(lines: &str) -> String {
    format!("[[apps]]\nid = \"shop\"\napi_key = {{ env = \"KEY\" }}\n{lines}\n")
}

#[test]
fn apps() {
    const KEY_FORM: &str =
        "write at least 24 printable ASCII characters without blanks; `paymux keys new` makes one";
    check("[[apps]]\n", &["f:1: apps[0].api_key: required", "f:1: apps[0].id: required"]);
    check(
        "[[apps]]\nid = \"a b\"\napi_key = { env = \"KEY\" }\n",
        &["f:2: apps[0].id: `a b`: a name is 1 to 64 letters, digits, `-` or `_`"],
    );
    check(
        "[[apps]]\nid = \"a\"\napi_key = \"12345678901234567890123\"\n",
        &[&format!("f:3: apps[0].api_key: {KEY_FORM}")],
    );
    check("[[apps]]\nid = \"a\"\napi_key = \"123456789012345678901234\"\n", &[]);
    check(
        "[[apps]]\nid = \"a\"\napi_key = \"1234567890 12345678901234\"\n",
        &[&format!("f:3: apps[0].api_key: {KEY_FORM}")],
    );
    check(
        &(app("") + &app("")),
        &[
            "f:6: apps[1].id: `shop` is taken by apps[0].id; names are unique",
            "f:7: apps[1].api_key: the same key as apps[0].api_key; a key says which app calls",
        ],
    );
    check(
        &app("api_key_previous = { env = \"KEY\" }"),
        &["f:4: apps[0].api_key_previous: the same key as apps[0].api_key; a key says which app calls"],
    );
    check(
        &app("api_key_previous = \"another key\""),
        &[&format!("f:4: apps[0].api_key_previous: {KEY_FORM}")],
    );
}

#[test]
fn what_an_app_may_do_and_what_becomes_of_unexpected_money() {
    let good = app(
        "scopes = [\"transfers\", \"payments\"]\nduplicate_paid = \"refund\"\ntransfer_amount_max = 9999999999999\n\
         late_success = { expired = \"hold\", canceled = \"accept\" }",
    );
    let config = read_text(&good, &environment()).unwrap();
    let shop = config.catalog.app_by_key("pmx_0123456789abcdefghijklmn").unwrap();
    assert_eq!(shop.scopes, [Scope::Transfers, Scope::Payments]);
    assert_eq!(shop.duplicate_paid, DuplicatePaid::Refund);
    assert_eq!(shop.late_success, LateSuccess { expired: Late::Hold, canceled: Late::Accept });
    assert_eq!(shop.transfer_amount_max, Some(AMOUNT_MAX));

    let config = read_text(&app("late_success.canceled = \"accept\""), &environment()).unwrap();
    let shop = config.catalog.app_by_key("pmx_0123456789abcdefghijklmn").unwrap();
    assert_eq!(shop.scopes, [Scope::Payments, Scope::Refunds]);
    assert_eq!((shop.duplicate_paid, shop.transfer_amount_max), (DuplicatePaid::Hold, None));
    assert_eq!(shop.late_success, LateSuccess { expired: Late::Accept, canceled: Late::Accept });

    for (line, rule) in [
        ("scopes = []", "scopes: name at least one, or remove the key"),
        ("scopes = \"payments\"", "scopes: write a list, not text"),
        ("scopes = [\"refund\"]", "scopes[0]: unknown scope `refund`; known: payments, refunds, transfers"),
        ("scopes = [\"refunds\", \"refunds\"]", "scopes[1]: `refunds` stands here twice"),
        ("duplicate_paid = \"keep\"", "duplicate_paid: unknown word `keep`; known: hold, refund"),
        ("late_success = \"hold\"", "late_success: write a table, not text"),
        ("late_success.failed = \"hold\"", "late_success.failed: unknown key; known: expired, canceled"),
        (
            "late_success.expired = \"refund\"",
            "late_success.expired: unknown word `refund`; known: accept, hold",
        ),
        ("late_success.canceled = 1", "late_success.canceled: write text, not a whole number"),
        ("transfer_amount_max = 0", "transfer_amount_max: `0`: write a number from 1 to 9999999999999"),
        (
            "transfer_amount_max = 10000000000000",
            "transfer_amount_max: `10000000000000`: write a number from 1 to 9999999999999",
        ),
    ] {
        check(&app(line), &[&format!("f:4: apps[0].{rule}")]);
    }
}

#[test]
fn paying_out_needs_both_its_scope_and_its_limit() {
    let remarks = |line: &str| {
        let remarks = read_text(&app(line), &environment()).unwrap().remarks;
        remarks.into_iter().filter(|remark| remark.contains("transfer")).collect::<Vec<_>>()
    };
    let scope = "scopes = [\"transfers\"]";
    assert_eq!(remarks(&format!("{scope}\ntransfer_amount_max = 1")), [""; 0]);
    assert_eq!(
        remarks(scope),
        ["app `shop` may use transfers and has no `transfer_amount_max`: each is refused"]
    );
    assert_eq!(
        remarks("transfer_amount_max = 1"),
        ["app `shop` has a `transfer_amount_max` and no scope `transfers`"]
    );
}

#[test]
fn notices() {
    let url = |url: &str, more: &str| {
        app(&format!("notify_url = \"{url}\"\nnotify_secret = {{ env = \"SECRET\" }}\n{more}"))
    };
    check(&url("https://shop.example.com/hook?a=b", ""), &[]);
    check(&url("shop", ""), &["f:4: apps[0].notify_url: write an address like https://host:port/path"]);
    check(&url("http://shop.example.com/", ""), &["f:4: apps[0].notify_url: the scheme must be https"]);
    check(&url("http://shop.example.com/", "allow_http_notify = true"), &[]);
    check(
        &url("https://127.0.0.1/", ""),
        &[
            "f:4: apps[0].notify_url: address `127.0.0.1` is not public: use one that the whole Internet can reach",
        ],
    );
    check(&url("http://127.0.0.1:9/", "[outbound]\nallow_private_addresses = true"), &[]);
    check(
        &url("https://shop/", ""),
        &["f:4: apps[0].notify_url: the host must be a public name with a dot, like shop.example.com"],
    );
    check(
        &app("notify_url = \"https://shop.example.com/\""),
        &["f:1: apps[0].notify_secret: required where `notify_url` is set: notices are signed"],
    );
    check(
        &app("notify_secret = \"secret\""),
        &[
            "f:4: apps[0].notify_secret: a webhook secret begins with `whsec_`: write whsec_ and the base64 of 24 to 64 random bytes",
        ],
    );
    check(
        &app("notify_secret = \"whsec_AAAA\""),
        &["f:4: apps[0].notify_secret: a webhook secret with a key of `3` bytes: use 24 to 64 random bytes"],
    );
    check(
        &app("notify_secret_previous = { env = \"SECRET\" }"),
        &[
            "f:4: apps[0].notify_secret_previous: a previous secret needs a current one: write `notify_secret`",
        ],
    );
}

/// One channel of the real kind with those lines, which begin in line 4.
fn channel(lines: &str) -> String {
    format!("[[channels]]\nid = \"bee\"\nprovider = \"beecloud\"\n{lines}\n{}\n", settings(ID_A, ""))
}

fn settings(app_id: &str, more: &str) -> String {
    format!("settings = {{ app_id = \"{app_id}\", app_secret = \"s\", master_secret = \"m\"{more} }}")
}

#[test]
fn channels() {
    check(&channel(""), &[]);
    check("[[channels]]\n", &["f:1: channels[0].id: required", "f:1: channels[0].provider: required"]);
    check(
        "[[channels]]\nid = \"a.b\"\nprovider = \"x\"\n",
        &[
            "f:2: channels[0].id: `a.b`: a name is 1 to 64 letters, digits, `-` or `_`",
            &format!("f:3: channels[0].provider: unknown provider `x`; known: {}", known_providers()),
        ],
    );
    check(
        &channel("state = \"paused\""),
        &["f:4: channels[0].state: unknown state `paused`; known: active, draining, verify-only, off"],
    );
    check(&channel("weight = 0"), &["f:4: channels[0].weight: `0`: write a number from 1 to 10000"]);
    check(&channel("request_ms = 0"), &["f:4: channels[0].request_ms: `0`: write a number from 1 to 600000"]);
    check(&channel("methods = []"), &["f:4: channels[0].methods: name at least one, or remove the key"]);
    check(
        &channel("methods = [\"wechat.*\",\n \"wecha.native\"]"),
        &[
            "f:5: channels[0].methods[1]: unknown wallet `wecha`; known: alipay, wechat, unionpay, jd, yeepay, kuaiqian, baidu, paypal, bank, any",
        ],
    );
    let told = mistakes(&channel("methods = [\"jd.barcode\"]"));
    assert!(told.starts_with("f:4: channels[0].methods[0]: `jd.barcode`: the provider offers "), "{told}");
    check(
        &channel("rules.currency = \"YUAN\""),
        &["f:4: channels[0].rules.currency: `YUAN`: write an ISO 4217 code in capitals, like CNY"],
    );
    check(
        &channel("rules = { currency = \"EUR\", amount_min = 1 }"),
        &["f:4: channels[0].rules.currency: `EUR`: the provider takes CNY"],
    );
    check(
        &channel("rules.amount_min = 0"),
        &["f:4: channels[0].rules.amount_min: `0`: write a number from 1 to 9999999999999"],
    );
    check(
        &channel("rules = { amount_min = 3, amount_max = 2 }"),
        &["f:4: channels[0].rules.amount_max: `2` is less than `amount_min`, 3"],
    );
    check(&channel("rules = { amount_min = 2, amount_max = 2 }"), &[]);
}

#[test]
fn limits_of_a_channel() {
    check(
        &channel("rules = { amount_min = 2, day_amount_max = 2, day_count_max = 1, in_flight_max = 1 }"),
        &[],
    );
    check(
        &channel("rules = { amount_min = 3, day_amount_max = 2 }"),
        &["f:4: channels[0].rules.day_amount_max: `2` is less than `amount_min`, 3: no payment would fit"],
    );
    check(
        &channel("rules = { currency = \"EUR\", day_count_max = 1 }"),
        &["f:4: channels[0].rules.currency: `EUR`: the provider takes CNY"],
    );
    for (key, most) in
        [("day_amount_max", AMOUNT_MAX), ("day_count_max", 1_000_000_000), ("in_flight_max", 1_000_000_000)]
    {
        check(&channel(&format!("rules.{key} = {most}")), &[]);
        for wrong in [0, most + 1] {
            let want = format!("f:4: channels[0].rules.{key}: `{wrong}`: write a number from 1 to {most}");
            check(&channel(&format!("rules.{key} = {wrong}")), &[want.as_str()]);
        }
    }
}

#[test]
fn a_limit_that_is_never_reached_is_remarked() {
    let remarks = |day: i64| {
        let rules = format!("rules = {{ amount_max = 10, day_count_max = 5, day_amount_max = {day} }}");
        let remarks = read_text(&channel(&rules), &environment()).unwrap().remarks;
        remarks.into_iter().filter(|remark| remark.contains("never")).collect::<Vec<_>>()
    };
    assert_eq!(remarks(49), [""; 0]);
    assert_eq!(
        remarks(50),
        [
            "channel `bee` never comes to its `day_amount_max`, 50: `day_count_max` times `amount_max` is no more"
        ]
    );
}

#[test]
fn accounts_and_settings() {
    let one = |settings: &str| format!("[[channels]]\nid = \"a\"\nprovider = \"beecloud\"\n{settings}\n");
    let two = one(&settings(ID_A, "")) + &one(&settings(ID_A, "")).replace("\"a\"", "\"b\"");
    check(
        &two,
        &[
            "f:8: channels[1].settings: the same account as channels[0].settings; an account belongs to one channel",
        ],
    );
    check(
        &one(&settings(ID_A, ", base_url = { env = \"KEY\" }")),
        &["f:4: channels[0].settings.base_url: no secret: write the value itself"],
    );
    check(
        &one(&settings(ID_A, ", test_secret = { envv = \"KEY\" }")),
        &["f:4: channels[0].settings.test_secret: write \"text\", { env = \"NAME\" } or { file = \"path\" }"],
    );
    check(&one(&settings(ID_A, ", test_secret = { env = \"KEY\" }")), &[]);
    check(
        &one(&settings(ID_A, ", api_version = \"v3\"")),
        &["f:4: channels[0].settings.api_version: write \"v2\" or \"v1\""],
    );
    check(
        &one(&format!("settings = {{ app_id = \"{ID_A}\", sandbox = true, test_secret = \"t\" }}")),
        &[
            "f:3: channels[0].provider: a test-mode account: it needs `server.test_mode = true`, so that test money never passes for real",
        ],
    );
}

/// A route with those lines, after one channel of each kind.
fn route(lines: &str) -> String {
    let channels = "[server]\ntest_mode = true\n".to_owned() + &channel("methods = [\"wechat.*\"]");
    let test = format!(
        "[[channels]]\nid = \"test\"\nprovider = \"beecloud\"\nsettings = {{ app_id = \"{ID_B}\", sandbox = true, test_secret = \"t\" }}\n"
    );
    channels + &test + "[[routes]]\n" + lines + "\n"
}

/// The line on which a route's own lines begin.
const ROUTE: usize = 13;

#[test]
fn routes() {
    const GOOD: &str = "name = \"r\"\nstrategy = \"random\"\nchannels = [\"bee\"]\n";
    one(GOOD, &[]);
    one("", &[(0, "channels: required"), (0, "name: required"), (0, "strategy: required")]);
    one(
        "name = \"a b\"\nstrategy = \"random\"\nchannels = [\"bee\"]",
        &[(1, "name: `a b`: a name is 1 to 64 letters, digits, `-` or `_`")],
    );
    one(
        "name = \"r\"\nstrategy = \"randm\"\nchannels = [\"bee\"]",
        &[(
            2,
            "strategy: unknown strategy `randm`; known: random, smart-random, even, weighted, \
             round-robin, priority, least-collected, cheapest, adaptive, sticky",
        )],
    );
    one(
        "name = \"r\"\nstrategy = \"random\"\nchannels = []",
        &[(3, "channels: a route needs at least one channel")],
    );
    one(
        "name = \"r\"\nstrategy = \"random\"\nchannels = [\"bea\"]",
        &[(3, "channels[0]: unknown channel `bea`; known: bee, test")],
    );
    one(
        "name = \"r\"\nstrategy = \"random\"\nchannels = [\"bee\", \"bee\"]",
        &[(3, "channels[1]: `bee` stands here twice")],
    );
    one(
        "name = \"r\"\nstrategy = \"random\"\nchannels = [\"bee\", \"test\"]",
        &[(3, "channels: `bee` moves real money and `test` does not: a route holds one kind")],
    );
    one(&format!("{GOOD}failover = 17"), &[(4, "failover: `17`: write a number from 0 to 16")]);
    one(
        &format!("{GOOD}failover_unknown = \"maybe\""),
        &[(4, "failover_unknown: unknown word `maybe`; known: abandon, never")],
    );
    one(
        &format!("{GOOD}when = {{ apps = [\"shop\"] }}"),
        &[(4, "when.apps[0]: unknown app `shop`; there is none")],
    );
    one(&format!("{GOOD}when = {{ apps = [] }}"), &[(4, "when.apps: name at least one, or remove the key")]);
    one(
        &format!("{GOOD}when = {{ methods = [\"wechat\"] }}"),
        &[(4, "when.methods[0]: `wechat`: write a method as wallet.product, like wechat.native")],
    );
    one(
        &format!("{GOOD}when = {{ currency = \"RMB\" }}"),
        &[(4, "when.currency: `RMB`: write an ISO 4217 code in capitals, like CNY")],
    );
    one(
        &format!("{GOOD}when = {{ amount_min = 2, amount_max = 1 }}"),
        &[(4, "when.amount_max: `1` is less than `amount_min`, 2")],
    );
    one(&format!("{GOOD}when = {{ methods = [\"wechat.native\"] }}"), &[]);
    one(
        &format!("{GOOD}when = {{ regions = [\"cn-31\"] }}"),
        &[(4, "when.regions[0]: `cn-31`: write ISO 3166-2, like CN-31")],
    );
    one(
        &format!("{GOOD}when = {{ metadata = {{ tier = [] }} }}"),
        &[(4, "when.metadata.tier: name at least one, or remove the key")],
    );
    one(
        &format!(
            "{GOOD}when = {{ metadata = {{ tier = \"gold\", shop = [\"1\", \"2\"] }}, payers = [\"u\"] }}"
        ),
        &[],
    );
    let told = mistakes(&route(&format!("{GOOD}when = {{ methods = [\"alipay.*\"] }}")));
    assert!(
        told.starts_with(
            "f:15: routes[0].channels[0]: `bee` serves none of the route's methods; it serves wechat."
        ),
        "{told}"
    );

    #[track_caller]
    fn one(lines: &str, want: &[(usize, &str)]) {
        let want: Vec<String> =
            want.iter().map(|(line, rule)| format!("f:{}: routes[0].{rule}", ROUTE - 1 + line)).collect();
        check(&route(lines), &want.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

#[test]
fn a_route_that_is_never_reached_is_a_mistake() {
    check_pair("", "", true);
    check_pair("amount_max = 5", "", false);
    check_pair("amount_max = 5", "amount_max = 5", true);
    check_pair("amount_max = 5", "amount_max = 6", false);
    check_pair("amount_min = 5", "amount_min = 6, amount_max = 9", true);
    check_pair("amount_max = 5", "amount_max = 4, currency = \"USD\"", false);
    check_pair("currency = \"CNY\"", "amount_max = 4", true);
    check_pair("methods = [\"wechat.*\"]", "methods = [\"wechat.native\"]", true);
    check_pair("methods = [\"wechat.native\"]", "methods = [\"wechat.*\"]", false);
    check_pair("methods = [\"wechat.*\"]", "", false);
    check_pair("apps = [\"a\", \"b\"]", "apps = [\"a\"]", true);
    check_pair("apps = [\"a\"]", "apps = [\"a\", \"b\"]", false);
    check_pair("apps = [\"a\"]", "", false);
    check_pair("regions = [\"CN-31\", \"CN-44\"]", "regions = [\"CN-44\"]", true);
    check_pair("regions = [\"CN-44\"]", "", false);
    check_pair("payers = [\"u\"]", "payers = [\"u\", \"v\"]", false);
    check_pair("metadata = { a = [\"1\", \"2\"] }", "metadata = { a = \"1\", b = \"1\" }", true);
    check_pair("metadata = { a = \"1\" }", "metadata = { a = [\"1\", \"2\"] }", false);
    check_pair("metadata = { a = \"1\" }", "metadata = { b = \"1\" }", false);

    #[track_caller]
    fn check_pair(first: &str, second: &str, is_hidden: bool) {
        let apps = "[[apps]]\nid = \"a\"\napi_key = \"1-3456789012345678901234\"\n[[apps]]\nid = \"b\"\napi_key = \"2-3456789012345678901234\"\n";
        let route = |name: &str, when: &str| {
            format!(
                "[[routes]]\nname = \"{name}\"\nstrategy = \"random\"\nchannels = [\"bee\"]\nwhen = {{ {when} }}\n"
            )
        };
        let told = mistakes(&(apps.to_owned() + &channel("") + &route("one", first) + &route("two", second)));
        let want = "f:21: routes[1].when: never reached: route `one` takes all of it before";
        assert_eq!(told, if is_hidden { want } else { "" }, "{first} / {second}");
    }
}

#[test]
fn a_channel_whose_rules_contradict_its_route_is_a_mistake() {
    check_pair("amount_max = 99", "amount_min = 100", Some("its amounts are all outside of the route's"));
    check_pair("amount_max = 100", "amount_min = 100", None);
    check_pair("amount_min = 100", "amount_max = 99", Some("its amounts are all outside of the route's"));
    check_pair("amount_min = 100", "amount_max = 100", None);
    check_pair(
        "day_amount_max = 99",
        "amount_min = 100",
        Some("each of the route's amounts is above its `day_amount_max`"),
    );
    check_pair("day_amount_max = 100", "amount_min = 100", None);
    check_pair(
        "amount_max = 5",
        "currency = \"USD\"",
        Some("its amount rules are in CNY, the route takes USD"),
    );
    let regions = "its regions are all outside of the route's";
    check_pair("regions = [\"CN-31\"]", "regions = [\"CN-44\"]", Some(regions));
    check_pair("regions = [\"CN-31\"]", "regions = [\"CN-44\", \"CN-31\"]", None);
    check_pair("regions = [\"CN-31\"]", "", None);

    #[track_caller]
    fn check_pair(rules: &str, when: &str, why: Option<&str>) {
        let route =
            format!("name = \"r\"\nstrategy = \"random\"\nchannels = [\"bee\"]\nwhen = {{ {when} }}\n");
        let told = mistakes(&(channel(&format!("rules = {{ {rules} }}")) + "[[routes]]\n" + &route));
        let want = why.map(|why| format!("`bee` can take none of the route's payments: {why}"));
        match want {
            Some(want) => assert!(told.ends_with(&want), "{rules} / {when}: {told}"),
            None => assert_eq!(told, "", "{rules} / {when}"),
        }
    }
}

#[test]
fn a_strategy_must_know_what_it_needs() {
    let of = |strategy: &str, lines: &str| {
        let route = format!("[[routes]]\nname = \"r\"\nstrategy = \"{strategy}\"\nchannels = [\"bee\"]\n");
        mistakes(&(channel(lines) + &route))
    };
    for strategy in Strategy::ALL.iter().filter(|strategy| **strategy != Strategy::Cheapest) {
        assert_eq!(of(strategy.word(), ""), "");
    }
    assert!(
        of("cheapest", "")
            .ends_with("strategy: `cheapest` needs the `fee_bp` of each channel; `bee` has none")
    );
    assert_eq!(of("cheapest", "fee_bp = 60"), "");
    assert!(of("random", "fee_bp = 10001").contains("fee_bp: `10001`: write a number from 0 to 10000"));
    assert!(
        of("evenly", "").contains("strategy: unknown strategy `evenly`; known: random, smart-random, even,")
    );
    let text = channel("") + "[[routes]]\nname = \"r\"\nstrategy = \"random\"\nchannels = [\"bee\"]\n";
    let remarks = read_text(&text, &environment()).unwrap().remarks;
    assert!(
        remarks.contains(&"route `r` has one channel: `random` has nothing to choose from".to_owned()),
        "{remarks:?}"
    );
}

#[test]
fn times_of_day_and_regions_are_read() {
    let told = |rules: &str| mistakes(&channel(&format!("rules = {{ {rules} }}")));
    assert_eq!(told("hours = [\"06:00-12:00\", \"22:00-02:00\"], regions = [\"CN-31\"]"), "");
    assert!(
        told("hours = [\"6-12\"]").contains("rules.hours[0]: `6-12`: write start and end like 06:00-23:30")
    );
    assert!(told("hours = [\"06:00-06:00\"]").contains("start and end are the same"));
    assert!(
        told("regions = [\"Shanghai\"]")
            .contains("rules.regions[0]: `Shanghai`: write ISO 3166-2, like CN-31")
    );
    assert!(told("hours = []").contains("rules.hours: name at least one, or remove the key"));
}

#[test]
fn route_names_are_unique() {
    let lines = "name = \"r\"\nwhen = { amount_max = 5 }\nstrategy = \"random\"\nchannels = [\"bee\"]\n";
    let told =
        mistakes(&(route(lines) + "[[routes]]\nname = \"r\"\nstrategy = \"random\"\nchannels = [\"bee\"]\n"));
    assert_eq!(told, "f:19: routes[1].name: `r` is taken by routes[0].name; names are unique");
}

#[test]
fn an_active_channel_that_nothing_reaches_is_remarked_upon() {
    let config = read_text(&channel(""), &environment()).unwrap();
    assert!(config.remarks.contains(&"channel `bee` is active and stands in no route".to_owned()));
    let config = read_text(&channel("state = \"draining\""), &environment()).unwrap();
    assert!(!config.remarks.iter().any(|remark| remark.contains("bee")), "{:?}", config.remarks);
}
