//! A wrong sign is explained by the mistake that made it, and never believed.

use paymux_core::channel::CallbackError;
use paymux_core::{Verb, WireRequest};
use paymux_sign::Md5Text;
use proptest::prelude::{any, prop, proptest};
use serde_json::json;

use crate::rig::Rig;

const KEY: &str = "k-9f2c";
const BODY: &str = r#"{"number":"A1","amount":1999,"currency":"CNY","time":1709251200000}"#;

fn md5(parts: &[&[u8]]) -> String {
    Md5Text::new().piece(parts.concat()).digest().to_hex().as_str().to_owned()
}

/// The sign of that body under that key, as it should be made.
fn sign(body: impl AsRef<[u8]>, key: &str) -> String {
    md5(&[b"callback\n", body.as_ref(), b"\n", key.as_bytes()])
}

fn verdict(body: impl AsRef<[u8]>, sign: &str) -> CallbackError {
    let rig = Rig::of(&paymux_sandbox::provider(), json!({"key": KEY, "key_previous": "old-k"}));
    let request = WireRequest::new(Verb::Post, "/")
        .header("sandbox-sign", sign.to_owned())
        .body("application/json", body.as_ref().to_vec());
    rig.channel.verify_callback(&request).unwrap_err()
}

#[track_caller]
fn check(body: impl AsRef<[u8]>, sign: &str, want: &str) {
    let error = verdict(body, sign);
    let CallbackError::BadSign(told) = &error else { panic!("{error}") };
    assert!(told.contains(want), "{told}");
    for secret in [KEY, "old-k", sign] {
        assert!(secret.len() < 4 || !told.contains(secret), "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn another_key_is_named() {
    check(BODY, &sign(BODY, "sandbox"), "with: the default key `sandbox`;");
    check(BODY, &sign(BODY, "sandbox").to_uppercase(), "the default key `sandbox`, a digest in upper case");
    check(BODY, &sign(BODY, KEY).to_uppercase(), "the key in force, a digest in upper case");
    check(BODY, &sign(BODY, "old-k").to_uppercase(), "the previous key, a digest in upper case");
    check(BODY, &format!(" {}", sign(BODY, KEY)), "the key in force, white space around the digest");
    check(BODY, &sign(BODY, "foreign"), "no known mistake");
}

#[tokio::test(start_paused = true)]
async fn white_space_is_named() {
    check(
        format!("{BODY}\r\n"),
        &sign(BODY, KEY),
        "the key in force, without the white space around the body",
    );
    check(BODY, &sign(format!("{BODY}\n"), KEY), "with a line break after the body");
    let spaced = BODY.replace(':', ": ");
    check(&spaced, &sign(BODY, KEY), "without the white space between the JSON tokens");
    let blank_inside = BODY.replace("A1", "A 1");
    check(&blank_inside, &sign(BODY, KEY), "without any white space");
}

#[tokio::test(start_paused = true)]
async fn another_character_set_is_named() {
    let body = BODY.replace("A1", "红茶");
    let gbk: Vec<u8> = body
        .replace("红茶", "\u{1}")
        .bytes()
        .flat_map(|b| if b == 1 { vec![0xba, 0xec, 0xb2, 0xe8] } else { vec![b] })
        .collect();
    check(&body, &sign(&gbk, KEY), "the key in force, the body in GBK instead of UTF-8");
    check(&gbk, &sign(&body, KEY), "the key in force, the body in UTF-8 instead of GBK");
    check(&gbk, &sign(&body, "old-k"), "the previous key, the body in UTF-8 instead of GBK");
}

#[tokio::test(start_paused = true)]
async fn another_text_of_the_amount_is_named() {
    for (sent, signed, want) in [
        ("1999.00", "1999", "the amount as a plain integer"),
        ("1999", "1999.0", "the amount with one decimal"),
        ("1999", "1999.00", "the amount with two decimals"),
        ("1999", "19.99", "the amount in hundreds, with two decimals"),
        ("19.99", "1999", "the amount in hundredths"),
        ("\"1999\"", "1999", "the amount without its quotation marks"),
        ("1999", "\"1999\"", "the amount in quotation marks"),
        ("1999", "01999", "the amount with a leading zero"),
    ] {
        check(BODY.replace("1999", sent), &sign(BODY.replace("1999", signed), KEY), want);
    }
}

#[tokio::test(start_paused = true)]
async fn another_order_of_the_parts_is_named() {
    let (body, key) = (BODY.as_bytes(), KEY.as_bytes());
    check(BODY, &md5(&[b"/sandbox/query\n", body, b"\n", key]), "signed as a call");
    check(BODY, &md5(&[body, b"\n", key]), "without the first line");
    check(BODY, &md5(&[b"callback", body, key]), "without line breaks");
    check(BODY, &md5(&[body, key]), "the body and the key alone");
    check(BODY, &md5(&[b"callback\r\n", body, b"\r\n", key]), "as on Windows");
}

#[tokio::test(start_paused = true)]
async fn what_is_no_digest_is_said_to_be_none() {
    for sign in ["", "x", &"0".repeat(33), &"g".repeat(32)] {
        check(BODY, sign, "no MD5 digest");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_or_pass(body in prop::collection::vec(any::<u8>(), 0..300), sign in "[0-9a-fA-F ]{30,34}") {
        assert!(verdict(&body, &sign).to_string().len() < 500);
    }

    #[test]
    fn a_variant_is_named_and_never_believed(at in 0_usize..68, byte: u8) {
        let mut body = BODY.as_bytes().to_vec();
        let at = at % body.len();
        let is_same = body[at] == byte;
        body[at] = byte;
        if !is_same {
            let error = verdict(&body, &sign(BODY, KEY));
            assert!(matches!(error, CallbackError::BadSign(_)), "{error}");
        }
    }
}
