//! `[compat]` and `[apps.compat]`: which fronts are served, and who is known in them.

use paymux_core::AppId;

use super::*;

/// An app with that in its table, from line 4 on.
fn shop(compat: &str) -> String {
    format!("[[apps]]\nid = \"shop\"\napi_key = {{ env = \"KEY\" }}\n{compat}")
}

#[test]
fn credentials_arrive_with_their_secrets_in_place() {
    let fronts = format!(
        "[compat]\nbeecloud = true\n{}",
        shop(&format!(
            "notify_url = \"https://shop.example.com/hook\"\n[apps.compat.beecloud]\napp_id = \"{ID_A}\"\n\
             app_secret = \"s\"\nmaster_secret = {{ env = \"KEY\" }}\napp_secret_moves_money = true\n\
             [apps.compat.fufu]\nbusi_id = \"b1\"\nkey = \"k\"\nkey_previous = \"j\"\n"
        ))
    );
    let catalog = read_text(&fronts, &environment()).unwrap().catalog;
    let shop = AppId::new("shop").unwrap();
    let beecloud = catalog.fronts.of("beecloud").unwrap();
    let settings = &beecloud.account(&shop).unwrap().settings;
    assert!(beecloud.is_served());
    assert_eq!(settings["master_secret"], "pmx_0123456789abcdefghijklmn");
    assert_eq!(settings["app_secret_moves_money"], true);
    let fufu = catalog.fronts.of("fufu").unwrap();
    assert!(!fufu.is_served(), "what began in it is told in it all the same");
    assert_eq!(fufu.account(&shop).unwrap().settings["key_previous"], "j");
    assert!(catalog.fronts.of("cloudpay").unwrap().account(&shop).is_none());
    assert!(catalog.fronts.of("sandbox").is_none());
    assert!(!format!("{catalog:?}").contains("pmx_0123456789abcdefghijklmn"));
}

#[test]
fn a_front_is_found_by_the_credential_that_names_its_account() {
    use paymux_core::acceptor::FrontAccounts as _;

    let text = shop("compat.fufu = { busi_id = \"b1\", key = \"k\" }\n");
    let catalog = read_text(&text, &environment()).unwrap().catalog;
    let fufu = catalog.fronts.of("fufu").unwrap();
    assert_eq!(fufu.find("busi_id", "b1").unwrap().key, "shop");
    assert!(fufu.find("busi_id", "b2").is_none());
    assert!(fufu.find("key", "k").is_none(), "nobody is found by a secret");
}

#[test]
fn each_mistake_names_its_key_and_line() {
    check(
        "[compat]\nsandbox = true\n",
        &[&format!("f:2: compat.sandbox: unknown front `sandbox`; known: {}", known_fronts())],
    );
    check("[compat]\nbeecloud = \"yes\"\n", &["f:2: compat.beecloud: write true or false, not text"]);
    app(
        "compat.wxpay = { key = \"k\" }",
        &format!("wxpay: unknown front `wxpay`; known: {}", known_fronts()),
    );
    app(
        "compat.fufu = { busi_id = \"b 1\", key = \"k\" }",
        "fufu.busi_id: write text of 1 to 32 characters without blanks",
    );
    app(
        "compat.fufu = { busi_id = \"b1\" }",
        "fufu.key: required: verifies the client's calls and signs its notifications",
    );
    app(
        "compat.fufu = { busi_id = \"b1\", key = \"k\", keys = \"k\" }",
        "fufu.keys: unknown key; known: busi_id, key, key_previous",
    );
    app(
        "compat.fufu = { busi_id = \"b1\", key = { env = \"UNSET\" } }",
        "fufu.key: environment variable `UNSET` is not set",
    );
    app("compat.fufu = 5", "fufu: write a table, not a whole number");
    let bee = |more: &str| {
        format!(
            "compat.beecloud = {{ app_id = \"{ID_A}\", app_secret = \"s\", master_secret = \"m\", {more} }}"
        )
    };
    app(
        &bee("payout_channel = \"purse\""),
        "beecloud.payout_channel: unknown channel `purse`; there is none",
    );
    app(&bee("native_channel = \"a b\""), "beecloud.native_channel: write the id of a channel as text");

    #[track_caller]
    fn app(line: &str, want: &str) {
        check(&shop(&format!("{line}\n")), &[&format!("f:4: apps[0].compat.{want}")]);
    }
}

#[test]
fn two_apps_share_no_account() {
    let table = "compat.fufu = { busi_id = \"b1\", key = \"k\" }\n";
    let other = "[[apps]]\nid = \"other\"\napi_key = \"pmx_another_key_0123456789\"\n";
    check(
        &format!("{}{other}{table}", shop(table)),
        &[
            "f:8: apps[1].compat.fufu.busi_id: the same account as apps[0].compat.fufu.busi_id; it says which app calls",
        ],
    );
    check(&format!("{}{other}{}", shop(table), table.replace("b1", "b2")), &[]);
}

#[test]
fn orders_of_before_lie_in_a_channel_that_can_look_them_up() {
    let account =
        |id: &str| format!("app_id = \"{id}\", app_secret = \"s\", master_secret = {{ env = \"KEY\" }}");
    let channels = format!(
        "[[channels]]\nid = \"bee\"\nprovider = \"beecloud\"\nsettings = {{ {} }}\n\
         [[channels]]\nid = \"box\"\nprovider = \"sandbox\"\n",
        account(ID_A)
    );
    let text = |legacy: &str| {
        let table = format!("compat.beecloud = {{ {}, legacy_channel = {legacy} }}\n", account(ID_B));
        format!("[server]\ntest_mode = true\n{}{channels}", shop(&table))
    };
    let config = read_text(&text("\"bee\""), &environment()).unwrap();
    let app = paymux_core::AppId::new("shop").unwrap();
    let front = config.catalog.fronts.of("beecloud").unwrap();
    assert_eq!(front.legacy_channel(&app).unwrap().as_str(), "bee");
    assert!(front.account(&app).unwrap().settings.get("legacy_channel").is_none(), "it is not the plugin's");
    let place = "f:6: apps[0].compat.beecloud.legacy_channel: ";
    check(&text("\"wasp\""), &[&format!("{place}unknown channel `wasp`; known: bee, box")]);
    check(&text("5"), &[&format!("{place}write the id of a channel")]);
    let rule = "its provider cannot look up orders that were not made here";
    check(&text("\"box\""), &[&format!("{place}{rule}")]);
}

#[test]
fn a_front_on_an_open_line_must_be_wanted() {
    let open =
        "[server]\nhttp = \"0.0.0.0:80\"\npublic_url = \"https://pay.example.com\"\n[compat]\nfufu = true\n";
    let told = mistakes(open);
    assert!(told.starts_with("f:5: compat.fufu: `server.http` speaks plain HTTP"), "{told}");
    check(&format!("{open}allow_plain_http = true\n"), &[]);
    check(&open.replace("true", "false"), &[]);
    check(&open.replace("[compat]", "trusted_proxies = [\"10.0.0.0/8\"]\n[compat]"), &[]);
    check(&open.replace("0.0.0.0", "127.0.0.1"), &[]);
}

#[test]
fn a_front_without_anybody_is_remarked() {
    let remarks = |text: &str| read_text(text, &environment()).unwrap().remarks.join("\n");
    let text = format!("[compat]\nfufu = true\n{}", shop(""));
    assert!(remarks(&text).contains("front `fufu` is served, and no app has credentials for it"));
    let text = format!("{text}compat.fufu = {{ busi_id = \"b1\", key = \"k\" }}\n");
    assert!(!remarks(&text).contains("front `fufu`"));
}
