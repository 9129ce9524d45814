//! Webhooks: what is believed, what is not, and why.

use paymux_core::channel::{CallbackError, Claim, ClaimKind, Evidence, Verdict};
use paymux_core::{Money, Verb, WireRequest};
use paymux_sign::Md5Text;
use proptest::prelude::{any, prop, proptest};
use serde_json::{Value, json};

use crate::rig::{APP_ID, APP_SECRET, MASTER_SECRET, NUMBER, TEST_SECRET, channel};

pub(crate) fn vector(id: &str) -> String {
    let file: Value = serde_json::from_str(include_str!("../data/vectors.json")).unwrap();
    let vectors = file["vectors"].as_array().unwrap().clone();
    let found = vectors.into_iter().find(|vector| vector["id"] == id).unwrap();
    found["message"].as_str().unwrap().to_owned()
}

fn post(body: impl Into<Vec<u8>>) -> WireRequest {
    WireRequest::new(Verb::Post, "/notify/bee-main").body("application/json", body.into())
}

pub(crate) fn verify(settings: Value, body: impl Into<Vec<u8>>) -> Result<Claim, CallbackError> {
    channel(settings).verify_callback(&post(body))
}

pub(crate) fn md5(parts: &[&str]) -> String {
    Md5Text::new().piece(parts.concat()).digest().to_hex().as_str().to_owned()
}

/// The message of vector bc-v4 with changed fields; null takes one away.
pub(crate) fn changed(patch: Value) -> String {
    let mut message: Value = serde_json::from_str(&vector("bc-v4")).unwrap();
    for (key, value) in patch.as_object().unwrap() {
        if value.is_null() {
            message.as_object_mut().unwrap().remove(key);
        } else {
            message[key] = value.clone();
        }
    }
    message.to_string()
}

/// The same, signed anew with the master secret over what it says then.
pub(crate) fn signed(patch: Value) -> String {
    let message: Value = serde_json::from_str(&changed(patch.clone())).unwrap();
    let text = |key: &str| message[key].as_str().unwrap_or_default().to_owned();
    let fee = message["transaction_fee"].to_string();
    let sign = md5(&[
        APP_ID,
        &text("transaction_id"),
        &text("transaction_type"),
        &text("channel_type"),
        &fee,
        MASTER_SECRET,
    ]);
    let mut patch = patch;
    patch["signature"] = json!(sign);
    changed(patch)
}

#[test]
fn the_vectors_messages_are_believed() {
    let paid = verify(json!({}), vector("bc-v4")).unwrap();
    assert_eq!(
        paid,
        Claim {
            number: NUMBER.to_owned(),
            kind: ClaimKind::Paid,
            event_key: format!("PAY:{NUMBER}"),
            order_amount: Some(Money::fen(1023)),
            received: Money::fen(1023),
            method: Some("wechat.native".parse().unwrap()),
            trade_no: Some("4200000000202403010000000001".to_owned()),
            trade_no_is_signed: false,
            evidence: Evidence::Settles,
        }
    );
    let refunded = verify(json!({}), vector("bc-v5")).unwrap();
    assert_eq!(
        refunded,
        Claim {
            number: "20240301000018".to_owned(),
            kind: ClaimKind::Refunded,
            event_key: "REFUND:20240301000018".to_owned(),
            order_amount: None,
            received: Money::fen(1),
            method: Some("alipay.web".parse().unwrap()),
            trade_no: None,
            trade_no_is_signed: false,
            evidence: Evidence::Settles,
        }
    );
}

#[test]
fn what_a_refund_says_of_its_order_decides_nothing() {
    check(json!({"bill_fee": 99_999, "discount": 3, "coupon_id": "c"}), Evidence::Settles);
    check(json!({"message_detail": {"transaction_id": "4200"}}), Evidence::Settles);
    check(json!({"trade_success": false}), Evidence::AskProvider);

    #[track_caller]
    fn check(mut patch: Value, evidence: Evidence) {
        for kind in ["REFUND", "TRANSFER"] {
            patch["transaction_type"] = json!(kind);
            let claim = verify(json!({}), signed(patch.clone())).unwrap();
            assert_eq!(claim.evidence, evidence, "{patch}");
            assert_eq!((claim.order_amount, claim.trade_no), (None, None), "{patch}");
            assert_eq!(claim.received, Money::fen(1023));
        }
    }
}

#[test]
fn a_changed_signed_field_is_not_believed() {
    for (field, value) in [
        ("transaction_id", json!("PMX20240301000002")),
        ("transaction_type", json!("REFUND")),
        ("channel_type", json!("ALI")),
        ("transaction_fee", json!(1024)),
        ("signature", json!("2ac475a54bb32b29ae32f97b301e3dee")),
    ] {
        let error = verify(json!({}), changed(json!({field: value}))).unwrap_err();
        assert!(matches!(error, CallbackError::BadSign(_)), "{field}: {error}");
    }
    let other_account = json!({"app_id": "7c9f2f1e-3a44-4c8b-9d21-5b0e6f7a8c91"});
    assert!(matches!(verify(other_account, vector("bc-v4")), Err(CallbackError::BadSign(_))));
}

#[test]
fn changed_unsigned_fields_pass_the_sign_and_at_most_ask_beecloud() {
    check(json!({"timestamp": 1}), Evidence::Settles);
    check(json!({"timestamp": null}), Evidence::Settles);
    check(json!({"sub_channel_type": "ALI_WEB"}), Evidence::Settles);
    check(json!({"sub_channel_type": 7}), Evidence::Settles);
    check(json!({"optional": {"shop": "8"}}), Evidence::Settles);
    check(json!({"message_detail": {"total_fee": "1"}}), Evidence::Settles);
    check(json!({"message_detail": "text"}), Evidence::Settles);
    check(json!({"bill_fee": null, "discount": null}), Evidence::Settles);
    check(json!({"coupon_id": ""}), Evidence::Settles);
    check(json!({"transactionFee": 1, "transactionId": "x", "tradeSuccess": false}), Evidence::Settles);
    check(json!({"bill_fee": 1024}), Evidence::AskProvider);
    check(json!({"bill_fee": "1023"}), Evidence::AskProvider);
    check(json!({"discount": 1}), Evidence::AskProvider);
    check(json!({"discount": 0.5}), Evidence::AskProvider);
    check(json!({"coupon_id": "c1"}), Evidence::AskProvider);
    check(json!({"trade_success": false}), Evidence::AskProvider);

    #[track_caller]
    fn check(patch: Value, evidence: Evidence) {
        let claim =
            verify(json!({}), changed(patch.clone())).unwrap_or_else(|error| panic!("{patch}: {error}"));
        assert_eq!(claim.evidence, evidence, "{patch}");
        assert_eq!((claim.number.as_str(), claim.received), (NUMBER, Money::fen(1023)), "{patch}");
    }
}

#[test]
fn the_wallets_number_is_read_from_every_form_of_the_detail() {
    let detail = json!({"transaction_id": "4200"});
    check(json!({"message_detail": detail}), Some("4200"));
    check(json!({"message_detail": detail.to_string()}), Some("4200"));
    check(json!({"message_detail": null, "messageDetail": detail}), Some("4200"));
    check(json!({"message_detail": detail, "messageDetail": {"transaction_id": "twin"}}), Some("4200"));
    check(json!({"message_detail": "{"}), None);
    check(json!({"message_detail": "\"4200\""}), None);
    check(json!({"message_detail": [detail]}), None);
    check(json!({"message_detail": {"transaction_id": "a b"}}), None);

    #[track_caller]
    fn check(patch: Value, want: Option<&str>) {
        let claim = verify(json!({}), changed(patch.clone())).unwrap();
        assert_eq!((claim.trade_no.as_deref(), claim.evidence), (want, Evidence::Settles), "{patch}");
    }
}

#[test]
fn a_coupon_names_the_whole_amount_and_what_came_in() {
    let claim =
        verify(json!({}), signed(json!({"transaction_fee": 923, "discount": 100, "coupon_id": "c1"})))
            .unwrap();
    assert_eq!((claim.order_amount, claim.received), (Some(Money::fen(1023)), Money::fen(923)));
    assert_eq!(claim.evidence, Evidence::AskProvider);
}

#[test]
fn other_kinds_are_told_apart() {
    check("REFUND", ClaimKind::Refunded);
    check("TRANSFER", ClaimKind::Transferred);
    check("SUBSCRIPTION", ClaimKind::Other);
    check("SIGN", ClaimKind::Other);

    #[track_caller]
    fn check(word: &str, kind: ClaimKind) {
        let claim = verify(json!({}), signed(json!({"transaction_type": word}))).unwrap();
        assert_eq!((claim.kind, claim.event_key), (kind, format!("{word}:{NUMBER}")));
    }
}

#[test]
fn fields_that_could_be_read_two_ways_are_refused_even_when_signed() {
    check(json!({"transaction_type": "PAYW"}), "transaction_type");
    check(json!({"transaction_type": "pay"}), "transaction_type");
    check(json!({"channel_type": "WX_NATIVE"}), "channel_type");
    check(json!({"channel_type": "X"}), "channel_type");
    check(json!({"transaction_id": ""}), "transaction_id");
    check(json!({"transaction_id": "a b"}), "transaction_id");
    check(json!({"transaction_id": "订单"}), "transaction_id");
    check(json!({"transaction_id": "x".repeat(65)}), "transaction_id");
    check(json!({"transaction_fee": "1023"}), "transaction_fee");
    check(json!({"transaction_fee": 1023.5}), "transaction_fee");
    check(json!({"transaction_fee": -1023}), "transaction_fee");
    check(json!({"transaction_fee": true}), "transaction_fee");
    check(json!({"transaction_fee": null}), "transaction_fee");

    #[track_caller]
    fn check(patch: Value, field: &str) {
        let error = verify(json!({}), signed(patch.clone())).unwrap_err();
        assert!(
            matches!(&error, CallbackError::Unreadable(what) if what.contains(field)),
            "{patch}: {error}"
        );
    }
}

#[test]
fn a_fee_has_one_spelling() {
    let sign = |fee: &str| md5(&[APP_ID, NUMBER, "PAY", "WX", fee, MASTER_SECRET]);
    let body = |fee: &str| {
        format!(
            r#"{{"signature":"{}","channel_type":"WX","transaction_type":"PAY","transaction_id":"{NUMBER}","transaction_fee":{fee}}}"#,
            sign(fee)
        )
    };
    assert_eq!(verify(json!({}), body("1023")).unwrap().received, Money::fen(1023));
    assert_eq!(verify(json!({}), body("999999999999999")).unwrap().received.minor(), 999_999_999_999_999);
    for bad in ["1023.0", "1.023e3", "1023e0", "01023", "-0", "+1023", "9999999999999999", "0x3ff", "1023 4"]
    {
        assert!(verify(json!({}), body(bad)).is_err(), "{bad}");
    }
}

#[test]
fn hostile_bodies_are_unreadable() {
    let whole = vector("bc-v4");
    check(String::new());
    check("{}".to_owned());
    check("[]".to_owned());
    check(as_list(&whole));
    check("null".to_owned());
    check(format!("\u{feff}{whole}"));
    check(format!("{whole}x"));
    check(whole[..whole.len() - 1].to_owned());
    check(whole.replacen("\"transaction_fee\":1023", "\"transaction_fee\":1023,\"transaction_fee\":1", 1));
    check(whole.replacen('{', &format!("{{\"pad\":\"{}\",", " ".repeat(65_536)), 1));
    check("[".repeat(10_000));
    check(format!("{{\"a\":{}", "[".repeat(10_000)));

    #[track_caller]
    fn check(body: String) {
        let error = verify(json!({}), body).unwrap_err();
        assert!(matches!(error, CallbackError::Unreadable(_)), "{error}");
    }
}

/// The message's fields as a list, in the order in which they are declared.
fn as_list(message: &str) -> String {
    let message: Value = serde_json::from_str(message).unwrap();
    let names = [
        "signature",
        "sign",
        "timestamp",
        "channel_type",
        "sub_channel_type",
        "transaction_type",
        "transaction_id",
        "transaction_fee",
        "bill_fee",
        "discount",
        "coupon_id",
        "trade_success",
        "message_detail",
        "messageDetail",
    ];
    json!(names.map(|name| &message[name])).to_string()
}

#[test]
fn a_padded_body_of_exactly_64_kib_is_read() {
    let whole = vector("bc-v4");
    let body = format!("{whole}{}", " ".repeat(65_536 - whole.len()));
    assert_eq!(body.len(), 65_536);
    assert!(verify(json!({}), body.clone()).is_ok());
    assert!(verify(json!({}), format!("{body} ")).is_err());
}

#[test]
fn only_posts_are_webhooks() {
    let request = WireRequest { verb: Verb::Get, ..post(vector("bc-v4")) };
    assert!(matches!(channel(json!({})).verify_callback(&request), Err(CallbackError::Unreadable(_))));
}

#[test]
fn the_previous_master_secret_still_verifies() {
    let rotated = json!({"master_secret": "new-master", "master_secret_previous": MASTER_SECRET});
    assert!(verify(rotated, vector("bc-v4")).is_ok());
    assert!(verify(json!({"master_secret": "new-master"}), vector("bc-v4")).is_err());
}

#[test]
fn test_mode_takes_its_own_scheme_and_asks() {
    let sandbox =
        || json!({"sandbox": true, "test_secret": TEST_SECRET, "app_secret": null, "master_secret": null});
    let sign = md5(&[APP_ID, TEST_SECRET, "1709251200008"]);
    assert_eq!(sign, "0c56173c3599b25bd591d86dbcecec25", "vector bc-v8");
    for field in ["sign", "signature"] {
        let body = changed(json!({"signature": null, "timestamp": 1_709_251_200_008_i64, field: sign}));
        let claim = verify(sandbox(), body).unwrap();
        assert_eq!(claim.evidence, Evidence::AskProvider, "{field}");
    }
    let other_time = changed(json!({"signature": sign, "timestamp": 1_709_251_200_009_i64}));
    assert!(verify(sandbox(), other_time).is_err());
    let upper = changed(json!({"signature": sign.to_uppercase(), "timestamp": 1_709_251_200_008_i64}));
    assert!(verify(sandbox(), upper).is_err());
    let old = changed(json!({"signature": null, "sign": md5(&[APP_ID, APP_SECRET, "1709251260000"])}));
    assert!(verify(json!({"sandbox": true, "test_secret": TEST_SECRET}), old).is_err());
}

#[test]
fn the_acknowledgement_is_exact() {
    for (verdict, status, body) in [
        (Verdict::Accepted, 200, "success"),
        (Verdict::Rejected, 200, "fail"),
        (Verdict::TryAgain, 503, "fail"),
    ] {
        let answer = channel(json!({})).acknowledge(verdict);
        assert_eq!((answer.status, answer.body.as_ref()), (status, body.as_bytes()));
        assert_eq!(answer.headers.first("content-type"), Some("text/plain"));
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..2000)) {
        assert!(verify(json!({}), body).is_err());
    }
}

/// Every byte of a real message in each of the 255 other ways, left out, and doubled: some 200,000 messages. Each
/// is refused, or claims what was signed and settles no more than that.
#[test]
fn no_changed_byte_changes_what_is_claimed() {
    for id in ["bc-v4", "bc-v5"] {
        let good = vector(id).into_bytes();
        let bee = channel(json!({}));
        let said = bee.verify_callback(&post(good.clone())).unwrap();
        let check = |body: Vec<u8>| {
            let Ok(claim) = bee.verify_callback(&post(body)) else { return };
            let signed = (&claim.number, claim.kind, claim.received, &claim.event_key);
            assert_eq!(signed, (&said.number, said.kind, said.received, &said.event_key), "{id}");
            let is_same_order = claim.order_amount == said.order_amount || claim.order_amount.is_none();
            assert!(is_same_order || claim.evidence == Evidence::AskProvider, "{id}: {claim:?}");
            assert!(!claim.trade_no_is_signed, "{id}");
        };
        for at in 0..good.len() {
            for byte in (0..=u8::MAX).filter(|byte| *byte != good[at]) {
                let mut body = good.clone();
                body[at] = byte;
                check(body);
            }
            check([&good[..at], &good[at + 1..]].concat());
            check([&good[..=at], &good[at..]].concat());
        }
    }
}
