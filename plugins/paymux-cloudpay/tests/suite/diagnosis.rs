//! A wrong sign is explained by the mistake that made it, and never believed.

use paymux_core::channel::CallbackError;
use proptest::prelude::{any, prop, proptest};
use serde_json::{Value, json};

use crate::callback::verify;
use crate::rig::{APPKEY, APPSECRET, NOTIFY, md5, notify, sign, vector};

const OLD: &str = "s3cr3t-of-yesterday";

fn values() -> Vec<String> {
    NOTIFY.iter().map(|name| vector("cp-s4")["fields"][name].as_str().unwrap().to_owned()).collect()
}

/// The digest of the vector's notification with one of its fields exchanged.
fn with(name: &str, value: &str, secret: &str) -> String {
    let mut values = values();
    let at = NOTIFY.iter().position(|own| *own == name).unwrap();
    value.clone_into(&mut values[at]);
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    sign(APPKEY, &values, secret)
}

fn inner() -> String {
    md5(format!("{APPKEY}{}", values().concat()))
}

#[track_caller]
fn told(patch: Value, want: &str) {
    let error = verify(json!({"appsecret_previous": OLD}), notify(patch)).unwrap_err();
    for secret in [APPSECRET, OLD] {
        assert!(!error.to_string().contains(secret), "{error}");
    }
    assert!(matches!(&error, CallbackError::BadSign(why) if why.contains(want)), "{want}: {error}");
}

#[test]
fn other_ways_to_hash_are_named() {
    let right = sign(APPKEY, &values().iter().map(String::as_str).collect::<Vec<_>>(), APPSECRET);
    let upper = inner().to_uppercase();
    for (digest, want) in [
        (right.to_uppercase(), "the secret in force, a digest in upper case"),
        (format!("{right}\n"), "white space around the digest"),
        (md5(format!("{APPKEY}{}{APPSECRET}", values().concat())), "one MD5 over all instead of two"),
        (inner(), "the inner MD5 alone"),
        (md5(format!("{upper}{APPSECRET}")), "the inner MD5 in upper case"),
        (md5(format!("{APPSECRET}{}", inner())), "the secret in front of the inner MD5"),
        (md5(md5(values().concat()) + APPSECRET), "no `appkey` in front"),
        (md5(format!("{}{APPSECRET}\n", inner())), "a line break behind the secret"),
        (md5(format!("{}{APPSECRET} ", inner())), "a blank behind the secret"),
        (md5(inner()), "no secret at all"),
        (md5(format!("{upper}{OLD}")), "the previous secret, the inner MD5 in upper case"),
    ] {
        told(json!({"sign": digest}), want);
    }
}

#[test]
fn other_spellings_of_a_field_are_named() {
    told(json!({"price": "10", "sign": with("price", "10.00", APPSECRET)}), "the amount with two decimals");
    told(
        json!({"realprice": "10.20", "sign": with("realprice", "1020", APPSECRET)}),
        "the amount in hundredths",
    );
    told(json!({"sign": with("extend", "", APPSECRET)}), "no `extend`");
    told(
        json!({"extend": " user_42 ", "sign": with("extend", "user_42", APPSECRET)}),
        "the white space around it",
    );
    told(
        json!({"extend": "user 42", "sign": with("extend", "user42", APPSECRET)}),
        "without any white space",
    );
    let gbk: Vec<u8> = [APPKEY.as_bytes(), values()[..6].concat().as_bytes(), &[0xd5, 0xc5]].concat();
    told(json!({"extend": "张", "sign": md5(md5(gbk) + APPSECRET)}), "`extend` in GBK instead of UTF-8");
}

#[test]
fn the_fields_of_another_message_are_named() {
    let fields = values();
    let as_create = format!("{APPKEY}{}{}{}", fields[2], fields[4], fields[1]);
    told(json!({"sign": md5(md5(as_create) + APPSECRET)}), "the fields of a create");
    let as_return = format!("{APPKEY}{}{}{}{}", fields[2], fields[4], fields[0], fields[1]);
    told(json!({"sign": md5(md5(as_return) + APPSECRET)}), "the fields of the way back");
}

#[test]
fn a_missing_or_foreign_sign_is_told_apart() {
    told(json!({"sign": ""}), "no `sign`");
    told(json!({"sign": "2fed"}), "32 hexadecimal digits");
    told(json!({"sign": "0".repeat(32)}), "fits no secret of this account and no known mistake");
}

proptest! {
    /// A digest over text and secret of a stranger is explained by nothing.
    #[test]
    fn it_explains_no_strangers_sign(secret in "[ -~]{1,20}", extend in prop::collection::vec(any::<char>(), 0..20)) {
        let extend: String = extend.into_iter().collect();
        let digest = with("extend", &extend, &format!("not {secret}"));
        let error = verify(json!({}), notify(json!({"extend": extend, "sign": digest}))).unwrap_err();
        assert!(error.to_string().contains("no known mistake"), "{error}");
    }
}
