//! Notifications: what is believed, what is not, and how it is answered.

use paymux_core::channel::{CallbackError, Claim, ClaimKind, Evidence, Verdict};
use paymux_core::{Money, Verb, WireRequest};
use proptest::prelude::{any, prop, proptest};
use serde_json::{Value, json};

use crate::rig::{
    APPKEY, APPKEY_2, APPSECRET, APPSECRET_2, NOTIFY, NUMBER, channel, encode, form, get, notify, post, sign,
    stored, vector,
};

pub(crate) fn verify(settings: Value, form: impl Into<Vec<u8>>) -> Result<Claim, CallbackError> {
    channel(settings).verify_callback(&post(form))
}

fn claim() -> Claim {
    Claim {
        number: NUMBER.to_owned(),
        kind: ClaimKind::Paid,
        event_key: format!("PAID:{NUMBER}"),
        order_amount: Some(Money::fen(1023)),
        received: Money::fen(1023),
        method: None,
        trade_no: Some("880012".to_owned()),
        trade_no_is_signed: true,
        evidence: Evidence::Settles,
    }
}

#[test]
fn the_vectors_notifications_are_believed() {
    assert_eq!(verify(json!({}), form("cp-s4")), Ok(claim()));
    let second = verify(json!({"appkey": APPKEY_2, "appsecret": APPSECRET_2}), form("cp-s5")).unwrap();
    let want = Claim {
        number: "PMX20240301000009".to_owned(),
        event_key: "PAID:PMX20240301000009".to_owned(),
        order_amount: Some(Money::fen(8880)),
        received: Money::fen(8879),
        trade_no: Some("880013".to_owned()),
        ..claim()
    };
    assert_eq!(second, want);
}

/// What came in is told as it is, less or more than the price; what that means is the core's.
#[test]
fn the_real_price_is_what_came_in() {
    for (realprice, fen) in
        [("10.23", 1023), ("10.22", 1022), ("0.01", 1), ("10.24", 1024), ("99", 9900), ("10.2", 1020)]
    {
        let claim = verify(json!({}), notify(json!({"realprice": realprice}))).unwrap();
        assert_eq!(
            (claim.order_amount, claim.received),
            (Some(Money::fen(1023)), Money::fen(fen)),
            "{realprice}"
        );
    }
}

#[test]
fn a_changed_byte_in_any_field_is_not_believed() {
    let fields = vector("cp-s4")["fields"].clone();
    let sign = vector("cp-s4")["sign"].as_str().unwrap().to_owned();
    for name in NOTIFY {
        let right = fields[name].as_str().unwrap();
        for at in 0..right.len() {
            let mut bytes = right.as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'1' { b'2' } else { b'1' };
            let changed = String::from_utf8(bytes).unwrap();
            let error = verify(json!({}), notify(json!({name: changed, "sign": sign}))).unwrap_err();
            assert!(
                matches!(error, CallbackError::BadSign(_) | CallbackError::Unreadable(_)),
                "{name} {changed}"
            );
        }
    }
    let mut other = sign.clone();
    other.replace_range(0..1, if sign.starts_with('0') { "1" } else { "0" });
    for wrong in
        [other, sign.to_uppercase(), sign[1..].to_owned(), format!("{sign} "), String::new(), "x".repeat(32)]
    {
        let error = verify(json!({}), notify(json!({"sign": wrong}))).unwrap_err();
        assert!(matches!(error, CallbackError::BadSign(_)), "{wrong}: {error}");
    }
    assert!(verify(json!({"appkey": APPKEY_2}), form("cp-s4")).is_err());
    assert!(verify(json!({"appsecret": APPSECRET_2}), form("cp-s4")).is_err());
}

#[test]
fn a_missing_field_is_refused_unless_it_is_extend() {
    for name in NOTIFY {
        let taken = verify(json!({}), notify(json!({name: null})));
        let emptied = verify(json!({}), notify(json!({name: ""})));
        assert_eq!(taken, emptied, "{name}");
        assert_eq!(taken.is_ok(), name == "extend", "{name}: {taken:?}");
    }
    let unsigned = form("cp-s4").split("&sign").next().unwrap().to_owned();
    assert!(matches!(verify(json!({}), unsigned), Err(CallbackError::BadSign(_))));
}

/// A secret that was changed yesterday still verifies where the settings keep it, and only there.
#[test]
fn the_secret_of_yesterday_verifies_while_it_is_kept() {
    let rotated = json!({"appsecret": "new-one", "appsecret_previous": APPSECRET});
    assert_eq!(verify(rotated, form("cp-s4")), Ok(claim()));
    let error = verify(json!({"appsecret": "new-one"}), form("cp-s4")).unwrap_err();
    assert!(matches!(&error, CallbackError::BadSign(why) if why.contains("a new secret")), "{error}");
    let values: Vec<String> =
        NOTIFY.iter().map(|name| vector("cp-s4")["fields"][name].as_str().unwrap().to_owned()).collect();
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    let now = json!({"sign": sign(APPKEY, &values, "new-one")});
    let both = json!({"appsecret": "new-one", "appsecret_previous": APPSECRET});
    assert_eq!(verify(both, notify(now)), Ok(claim()));
}

/// The same fact is the same message however often and with whatever beside it; another sum or order is not.
#[test]
fn a_repeat_has_the_key_of_the_first() {
    let first = verify(json!({}), form("cp-s4")).unwrap();
    for patch in
        [json!({}), json!({"paytime": "1709251999"}), json!({"extend": "other"}), json!({"extend": null})]
    {
        assert_eq!(verify(json!({}), notify(patch.clone())), Ok(first.clone()), "{patch}");
    }
    let other = verify(json!({}), notify(json!({"out_order_id": "PMX20240301000002"}))).unwrap();
    assert_ne!(other.event_key, first.event_key);
    let more = verify(json!({}), notify(json!({"order_id": "880013"}))).unwrap();
    assert_eq!((more.trade_no.as_deref(), more.trade_no_is_signed), (Some("880013"), true));
}

#[test]
fn paytime_and_extend_are_signed_and_decide_nothing() {
    for (name, good) in [
        ("paytime", "0"),
        ("paytime", "1709251200000"),
        ("extend", "user_43"),
        ("extend", " \t\r\n\u{3000}张三 "),
        ("extend", "10.23"),
    ] {
        assert_eq!(verify(json!({}), notify(json!({name: good}))), Ok(claim()), "{name} {good:?}");
    }
    for bad in ["", "now", "-1", "1.5", "1709251200 ", &"1".repeat(33)] {
        assert!(verify(json!({}), notify(json!({"paytime": bad}))).is_err(), "{bad}");
    }
}

#[test]
fn amounts_are_decimals_and_never_floats() {
    for (price, fen) in
        [("10.23", 1023), ("10.2", 1020), ("10", 1000), ("0.5", 50), ("99999999999.99", 9_999_999_999_999)]
    {
        let claim = verify(json!({}), notify(json!({"price": price}))).unwrap();
        assert_eq!(claim.order_amount, Some(Money::fen(fen)), "{price}");
    }
    for bad in [
        "0", "0.00", "010.23", "10.230", "10.", ".23", "1e1", "-10.23", "+10.23", "1,000.00", "10,23",
        " 10.23",
    ] {
        for name in ["price", "realprice"] {
            let error = verify(json!({}), notify(json!({name: bad}))).unwrap_err();
            assert!(
                matches!(&error, CallbackError::Odd { what, .. } if what.contains(name)),
                "{bad}: {error}"
            );
        }
    }
}

/// The bytes are signed as they were sent, in whatever characters.
#[test]
fn texts_that_are_not_utf8_are_signed_as_bytes() {
    let fields = vector("cp-s4")["fields"].clone();
    let mut signed = APPKEY.as_bytes().to_vec();
    for name in &NOTIFY[..6] {
        signed.extend(fields[*name].as_str().unwrap().bytes());
    }
    signed.extend([0xd5, 0xc5]);
    let digest = crate::rig::md5(crate::rig::md5(signed) + APPSECRET);
    let body = format!(
        "order_id=880012&out_order_id={NUMBER}&price=10.23&realprice=10.23&type=alipay&paytime=1709251200&extend=%D5%C5&sign={digest}"
    );
    assert_eq!(verify(json!({}), body), Ok(claim()));
}

#[test]
fn a_json_body_says_the_same_and_its_numbers_are_signed_as_written() {
    let sign = vector("cp-s4")["sign"].clone();
    let json = format!(
        r#"{{"order_id":880012,"out_order_id":"{NUMBER}","price":10.23,"realprice":"10.23","type":"alipay","paytime":1709251200,"extend":"user_42","sign":{sign},"more":{{}}}}"#
    );
    let request = |body: &str| {
        WireRequest::new(Verb::Post, "/notify/cloud-a").body("application/json", body.to_owned())
    };
    assert_eq!(channel(json!({})).verify_callback(&request(&json)), Ok(claim()));
    let trailing = json.replace("10.23,\"realprice", "10.230,\"realprice");
    assert!(channel(json!({})).verify_callback(&request(&trailing)).is_err());
    let twice = json.replace("\"type\":", "\"price\":10.23,\"type\":");
    assert!(matches!(
        channel(json!({})).verify_callback(&request(&twice)),
        Err(CallbackError::Unreadable(_))
    ));
}

#[test]
fn only_a_post_of_one_reading_is_taken() {
    assert!(matches!(
        channel(json!({})).verify_callback(&get(form("cp-s4"))),
        Err(CallbackError::Unreadable(_))
    ));
    let twice = format!("{}&price=10.23", form("cp-s4"));
    assert!(matches!(verify(json!({}), twice), Err(CallbackError::Unreadable(_))));
    assert!(verify(json!({}), "").is_err());
    assert!(verify(json!({}), "x".repeat(70_000)).is_err());
    let more = format!("{}&shop=7", form("cp-s4"));
    assert_eq!(verify(json!({}), more), Ok(claim()), "what is not listed is not signed, and not read");
}

#[test]
fn it_is_answered_with_exactly_these_bytes() {
    let channel = channel(json!({}));
    for (verdict, status, body) in [
        (Verdict::Accepted, 200, "success"),
        (Verdict::Rejected, 200, "fail"),
        (Verdict::TryAgain, 503, "fail"),
    ] {
        let answer = channel.acknowledge(verdict);
        assert_eq!((answer.status, answer.body.as_ref()), (status, body.as_bytes()));
        assert_eq!(answer.headers.first("content-type"), Some("text/html"));
    }
    let misfit = channel.acknowledge_misfit();
    assert_eq!((misfit.status, misfit.body.as_ref()), (200, &b"fail"[..]));
}

#[test]
fn what_is_genuine_must_also_fit_the_stored_order() {
    check(json!({}), 1023, "alipay", true);
    check(json!({"price": "10.20"}), 1020, "alipay", true);
    check(json!({"price": "10.2"}), 1020, "alipay", true);
    check(json!({"realprice": "10.22"}), 1023, "alipay", true);
    check(json!({"realprice": "99.99"}), 1023, "alipay", true);
    check(json!({"type": "wxpay"}), 1023, "wxpay", true);
    check(json!({}), 1023, "", true);
    check(json!({}), 1024, "alipay", false);
    check(json!({"price": "10.24"}), 1023, "alipay", false);
    check(json!({"type": "wxpay"}), 1023, "alipay", false);
    check(json!({"type": "Alipay"}), 1023, "alipay", false);
    check(json!({"type": "wxpay"}), 1023, "", false);

    #[track_caller]
    fn check(patch: Value, fen: i64, memo: &str, want: bool) {
        let (channel, request) = (channel(json!({})), post(notify(patch.clone())));
        let claim = channel.verify_callback(&request).unwrap();
        let fits = channel.fits(&request, &claim, &stored(fen, memo));
        assert_eq!(fits.is_ok(), want, "{patch} {fen} {memo}: {fits:?}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..300)) {
        assert!(verify(json!({}), body).is_err());
    }

    #[test]
    fn a_right_sign_over_any_text_is_believed_as_that_text(extend in ".{0,40}", realprice in 1_i64..100_000_000) {
        let text = Money::fen(realprice).to_decimal();
        let claim = verify(json!({}), notify(json!({"extend": extend, "realprice": text}))).unwrap();
        assert_eq!(claim.received, Money::fen(realprice));
    }

    #[test]
    fn without_the_secret_nothing_is_believed(sign in "[0-9a-f]{32}") {
        let pairs: Vec<(String, String)> = NOTIFY
            .iter()
            .map(|name| ((*name).to_owned(), vector("cp-s4")["fields"][name].as_str().unwrap().to_owned()))
            .chain([("sign".to_owned(), sign)])
            .collect();
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert!(verify(json!({}), encode(&pairs)).is_err());
    }
}
