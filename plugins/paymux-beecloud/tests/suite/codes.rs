//! Every create code: the fields that it sends, and what its answer gives the payer.

use paymux_core::channel::{Needs, OrderEnd};
use paymux_core::{Created, Product};
use serde_json::{Value, json};

use crate::rig::{NUMBER, Rig, reply};

/// One code: how it is reached, what it adds to a create, what BeeCloud answers, what the payer gets.
struct Row {
    code: &'static str,
    method: &'static str,
    bc: bool,
    path: &'static str,
    extra: Value,
    adds: Value,
    answer: Value,
    action: Value,
}

const RETURN: &str = "https://pay.example/return/bee-main";

fn bridge() -> Value {
    json!({"app_id": "wx1", "package": "prepay_id=p", "nonce_str": "n", "timestamp": "1709251200000",
        "pay_sign": "s", "sign_type": "MD5"})
}

fn bridged() -> Value {
    json!({"type": "jsapi", "params": {"appId": "wx1", "package": "prepay_id=p", "nonceStr": "n",
        "timeStamp": "1709251200000", "paySign": "s", "signType": "MD5"}})
}

fn wx_app() -> Value {
    json!({"app_id": "wx1", "partner_id": "p", "package": "Sign=WXPay", "nonce_str": "n", "timestamp": "1709251200",
        "pay_sign": "s", "prepay_id": "pp"})
}

fn html() -> Value {
    json!({"html": "<form>"})
}

fn url() -> Value {
    json!({"url": "https://page.example/x?a=1"})
}

fn redirect() -> Value {
    json!({"type": "redirect", "url": "https://page.example/x?a=1"})
}

fn markup() -> Value {
    json!({"type": "html", "html": "<form>"})
}

fn qr() -> Value {
    json!({"type": "qr", "qr": "weixin://wxpay/bizpayurl?pr=1"})
}

fn code_url() -> Value {
    json!({"code_url": "weixin://wxpay/bizpayurl?pr=1"})
}

/// An online code of the merchant's own contract.
fn own(
    code: &'static str,
    method: &'static str,
    extra: Value,
    adds: Value,
    answer: Value,
    action: Value,
) -> Row {
    Row { code, method, bc: false, path: "/2/rest/bill", extra, adds, answer, action }
}

fn bc(
    code: &'static str,
    method: &'static str,
    extra: Value,
    adds: Value,
    answer: Value,
    action: Value,
) -> Row {
    Row { bc: true, ..own(code, method, extra, adds, answer, action) }
}

fn at_till(row: Row) -> Row {
    Row { path: "/2/rest/offline/bill", ..row }
}

fn scan(code: &'static str, method: &'static str, is_bc: bool, extra: Value, adds: Value) -> Row {
    let mut with_code = json!({"auth_code": "134567890123456789"});
    with_code.as_object_mut().unwrap().extend(adds.as_object().unwrap().clone());
    let row = own(code, method, extra, with_code, json!({"pay_result": false}), Value::Null);
    Row { bc: is_bc, ..at_till(row) }
}

fn timed(mut adds: Value) -> Value {
    adds["bill_timeout"] = json!(1800);
    adds
}

fn page() -> Value {
    timed(json!({"return_url": RETURN}))
}

#[expect(clippy::too_many_lines, reason = "a flat table")]
fn rows() -> Vec<Row> {
    let none = || json!({});
    let timer = || timed(json!({}));
    let openid = || timed(json!({"openid": "o-1"}));
    let ip = || timed(json!({"return_url": RETURN, "analysis": {"ip": "203.0.113.7"}}));
    let app = |params: Value| json!({"type": "app", "params": params});
    let untimed = || json!({"return_url": RETURN});
    let card = || json!({"cardno": "1234", "cardpwd": "5678", "frqid": "SZX"});
    vec![
        own("WX_APP", "wechat.app", none(), timer(), wx_app(), app(wx_app())),
        own("WX_NATIVE", "wechat.native", none(), timer(), code_url(), qr()),
        own("WX_JSAPI", "wechat.jsapi", none(), openid(), bridge(), bridged()),
        own("WX_MINI", "wechat.mini", none(), openid(), bridge(), bridged()),
        own("WX_WAP", "wechat.wap", none(), ip(), url(), redirect()),
        scan(
            "WX_SCAN",
            "wechat.barcode",
            false,
            json!({"limit_credit": true}),
            json!({"limit_credit": true}),
        ),
        own(
            "ALI_APP",
            "alipay.app",
            json!({"hb_fq_num": "3"}),
            timed(json!({"optional": {"hb_fq_num": "3"}})),
            json!({"order_string": "a=b"}),
            app(json!({"order_string": "a=b"})),
        ),
        own(
            "ALI_WEB",
            "alipay.web",
            json!({"show_url": "http://shop.example/p"}),
            timed(json!({"return_url": RETURN, "show_url": "http://shop.example/p"})),
            json!({"html": "<form>", "url": "https://page.example/x?a=1"}),
            redirect(),
        ),
        own(
            "ALI_WAP",
            "alipay.wap",
            json!({"use_app": false, "disable_pay_channels": "coupon"}),
            timed(
                json!({"return_url": RETURN, "use_app": false, "optional": {"disable_pay_channels": "coupon"}}),
            ),
            html(),
            markup(),
        ),
        own(
            "ALI_QRCODE",
            "alipay.embed",
            json!({"qr_pay_mode": "1"}),
            timed(json!({"return_url": RETURN, "qr_pay_mode": "1"})),
            url(),
            redirect(),
        ),
        at_till(own("ALI_OFFLINE_QRCODE", "alipay.native", none(), none(), code_url(), qr())),
        scan("ALI_SCAN", "alipay.barcode", false, json!({"terminal_id": "T1"}), json!({"terminal_id": "T1"})),
        own("UN_APP", "unionpay.app", none(), timer(), json!({"tn": "201"}), app(json!({"tn": "201"}))),
        own("UN_WEB", "unionpay.web", none(), page(), html(), markup()),
        own("UN_WAP", "unionpay.wap", none(), page(), html(), markup()),
        own("JD_WAP", "jd.wap", none(), untimed(), html(), markup()),
        own("JD_WEB", "jd.web", none(), untimed(), html(), markup()),
        own(
            "JD_B2B",
            "jd.gateway",
            json!({"bank_code": 9102}),
            json!({"return_url": RETURN, "bank_code": 9102}),
            html(),
            markup(),
        ),
        own(
            "YEE_WAP",
            "yeepay.wap",
            none(),
            timed(json!({"return_url": RETURN, "identity_id": "u77"})),
            url(),
            redirect(),
        ),
        own("YEE_WEB", "yeepay.web", none(), page(), url(), redirect()),
        own("YEE_NOBANKCARD", "yeepay.card", card(), card(), none(), Value::Null),
        own("KUAIQIAN_WAP", "kuaiqian.wap", none(), untimed(), html(), markup()),
        own("KUAIQIAN_WEB", "kuaiqian.web", none(), untimed(), html(), markup()),
        own(
            "BD_APP",
            "baidu.app",
            none(),
            timer(),
            json!({"orderInfo": "o"}),
            app(json!({"orderInfo": "o"})),
        ),
        own("BD_WAP", "baidu.wap", none(), page(), url(), redirect()),
        own("BD_WEB", "baidu.web", none(), page(), url(), redirect()),
        bc(
            "BC_WX_APP",
            "wechat.app",
            none(),
            timer(),
            json!({"whatever": "1"}),
            app(json!({"whatever": "1"})),
        ),
        bc("BC_NATIVE", "wechat.native", none(), timer(), code_url(), qr()),
        bc("BC_WX_JSAPI", "wechat.jsapi", none(), openid(), bridge(), bridged()),
        bc("BC_WX_MINI", "wechat.mini", none(), openid(), bridge(), bridged()),
        bc("BC_WX_WAP", "wechat.wap", none(), ip(), url(), redirect()),
        scan("BC_WX_SCAN", "wechat.barcode", true, none(), none()),
        bc("BC_ALI_APP", "alipay.app", none(), timer(), code_url(), app(code_url())),
        bc("BC_ALI_WEB", "alipay.web", none(), page(), url(), redirect()),
        bc(
            "BC_ALI_WAP",
            "alipay.wap",
            none(),
            timer(),
            json!({"code_url": "https://page.example/x?a=1"}),
            redirect(),
        ),
        bc("BC_ALI_QRCODE", "alipay.native", none(), timer(), code_url(), qr()),
        bc(
            "BC_ALI_JSAPI",
            "alipay.jsapi",
            none(),
            openid(),
            json!({"trade_no": "t"}),
            json!({"type": "jsapi", "params": {"trade_no": "t"}}),
        ),
        scan("BC_ALI_SCAN", "alipay.barcode", true, none(), none()),
        scan(
            "BC_SCAN",
            "any.barcode",
            true,
            json!({"store_id": "S1", "seller_id": "M1"}),
            json!({"store_id": "S1", "seller_id": "M1"}),
        ),
        bc("BC_APP", "any.app", none(), timer(), json!({"x": {"y": 1}}), app(json!({"x": {"y": 1}}))),
        bc(
            "BC_GATEWAY",
            "bank.gateway",
            json!({"bank": "BOC", "card_type": "2"}),
            timed(json!({"return_url": RETURN, "bank": "BOC", "card_type": "2"})),
            html(),
            markup(),
        ),
        bc(
            "BC_EXPRESS",
            "bank.express",
            json!({"card_no": "6200000000000000001"}),
            timed(json!({"return_url": RETURN, "card_no": "6200000000000000001"})),
            html(),
            markup(),
        ),
    ]
}

#[tokio::test(start_paused = true)]
async fn every_code_sends_its_fields_and_reads_its_answer() {
    let rows = rows();
    assert_eq!(rows.len(), 42);
    for row in rows {
        let mut answer = row.answer.clone();
        answer["id"] = json!("record-1");
        let rig = Rig::new(json!({"prefer_bc": row.bc})).answers([reply(0, answer)]);
        let mut order = rig.order(row.method);
        order.extra = serde_json::from_value(row.extra).unwrap();
        let created =
            rig.channel.create(&rig.cx(), &order).await.unwrap_or_else(|e| panic!("{}: {e}", row.code));

        assert_eq!(rig.paths(), [row.path], "{}", row.code);
        let mut want = json!({"channel": row.code, "total_fee": 1023, "bill_no": NUMBER, "title": "红茶 A",
            "notify_url": "https://pay.example/notify/bee-main"});
        want.as_object_mut().unwrap().extend(row.adds.as_object().unwrap().clone());
        let mut sent = rig.fields(0);
        for common in ["app_id", "timestamp", "app_sign"] {
            sent.as_object_mut().unwrap().remove(common).unwrap();
        }
        assert_eq!(sent, want, "{}", row.code);

        let Created::Open(opened) = created else { panic!("{} was paid", row.code) };
        assert_eq!(opened.reference.as_deref(), Some("record-1"), "{}", row.code);
        assert_eq!(serde_json::to_value(&opened.action).unwrap(), row.action, "{}", row.code);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_what_its_code_promises_is_not_understood() {
    for row in rows() {
        let may_be_empty = matches!(row.code, "YEE_NOBANKCARD");
        let rig = Rig::new(json!({"prefer_bc": row.bc})).answers([reply(0, json!({"id": "record-1"}))]);
        let mut order = rig.order(row.method);
        order.extra = serde_json::from_value(row.extra).unwrap();
        let created = rig.channel.create(&rig.cx(), &order).await;
        match created {
            Ok(_) => assert!(may_be_empty, "{}", row.code),
            Err(error) => {
                assert!(!may_be_empty, "{}", row.code);
                assert!(matches!(error, paymux_core::ChannelError::Unknown(_)), "{}: {error}", row.code);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_descriptor_says_how_each_code_works() {
    let own = Rig::new(json!({}));
    let by_bc = Rig::new(json!({"prefer_bc": true}));
    for row in rows() {
        let rig = if row.bc { &by_bc } else { &own };
        let descriptor = rig.channel.descriptor();
        let spec = descriptor.method(row.method.parse().unwrap()).unwrap_or_else(|| panic!("{}", row.method));
        assert_eq!(spec.code, row.code);
        let product = spec.method.product;
        let names_or_moves = matches!(
            product,
            Product::Jsapi | Product::Mini | Product::Barcode | Product::Card | Product::Express
        ) || matches!(row.code, "YEE_WAP" | "BC_WX_APP" | "BC_APP");
        assert_eq!(spec.payer_must_act, !names_or_moves, "{}", row.code);
        let end = match row.code {
            "WX_SCAN" | "ALI_SCAN" | "ALI_OFFLINE_QRCODE" => "call",
            _ if row.adds.get("bill_timeout").is_some() => "timer",
            _ => "none",
        };
        let is = match spec.end {
            OrderEnd::Call { .. } => "call",
            OrderEnd::ProviderTimer { min, .. } => {
                assert_eq!(min.as_secs(), 361);
                "timer"
            }
            OrderEnd::None => "none",
        };
        assert_eq!(is, end, "{}", row.code);
        assert_eq!(spec.needs.has(Needs::IP), row.adds.get("analysis").is_some(), "{}", row.code);
        assert_eq!(spec.needs.has(Needs::OPENID), row.adds.get("openid").is_some(), "{}", row.code);
        assert_eq!(spec.needs.has(Needs::AUTH_CODE), row.adds.get("auth_code").is_some(), "{}", row.code);
        assert_eq!(spec.needs.has(Needs::PAYER_ID), row.adds.get("identity_id").is_some(), "{}", row.code);
        let max = if row.method.starts_with("wechat") || row.method.starts_with("any") {
            10_000_000
        } else {
            2_147_483_647
        };
        assert_eq!(*spec.amounts.end(), max, "{}", row.code);
        assert_eq!(spec.not_found_final_after, None);
        for name in row.extra.as_object().unwrap().keys() {
            assert!(descriptor.takes_extra(name), "{name}");
        }
    }
}

#[test]
fn the_account_says_what_it_is() {
    let names = |patch: Value| {
        let channel = crate::rig::channel(patch);
        let descriptor = channel.descriptor();
        assert_eq!(descriptor.account_key, crate::rig::APP_ID);
        assert_eq!(descriptor.provider, "beecloud");
        assert!(descriptor.payouts.is_empty());
        let moments: Vec<u64> = descriptor.looks[..3].iter().map(std::time::Duration::as_secs).collect();
        assert_eq!(moments, [5, 10, 45], "at 5, 15 and 60 s");
        (descriptor.livemode, descriptor.can.names().collect::<Vec<_>>(), descriptor.methods.len())
    };
    let money = ["refund", "query_refund", "list", "list_refunds", "find"];
    assert_eq!(names(json!({})), (true, [&["query", "cancel"], &money[..]].concat(), 31));
    assert_eq!(names(json!({"prefer_bc": true})), (true, [&["query"], &money[..]].concat(), 31));
    assert_eq!(names(json!({"api_version": "v1"})), (true, vec!["query"], 12));
    assert_eq!(
        names(json!({"sandbox": true, "test_secret": "t"})),
        (false, vec!["query", "list", "find"], 25)
    );
}

#[test]
fn the_readme_names_every_code_method_field_and_key() {
    let readme = include_str!("../../README.md");
    let lines =
        |word: &str| readme.lines().filter(|line| line.starts_with("| `") && line.contains(word)).count();
    for row in rows() {
        let method = format!("`{}`", row.method);
        let both = readme.lines().any(|line| line.contains(&method) && line.contains(row.code));
        assert!(both, "{} is not beside {}", row.code, row.method);
    }
    for key in paymux_beecloud::provider().settings() {
        assert!(lines(&format!("`{}`", key.name)) > 0, "{}", key.name);
    }
    for field in crate::rig::channel(json!({})).descriptor().extra {
        assert!(readme.contains(&format!("`{}`", field.name)), "{}", field.name);
    }
}
