//! A wrong sign is explained by the mistake that made it, and never believed.

use paymux_core::channel::{CallbackError, Evidence};
use proptest::prelude::{any, prop, proptest};
use serde_json::{Value, json};

use crate::callback::{changed, md5, signed, vector, verify};
use crate::rig::{APP_ID, APP_SECRET, MASTER_SECRET, NUMBER, TEST_SECRET};

const OLD_MASTER: &str = "old-master-1";

fn settings() -> Value {
    json!({"test_secret": TEST_SECRET, "master_secret_previous": OLD_MASTER})
}

/// The digest of the vector's webhook with one part exchanged: account, number, fee, secret.
fn bound(app_id: &str, id: &str, fee: &str, secret: &str) -> String {
    md5(&[app_id, id, "PAY", "WX", fee, secret])
}

fn told(body: impl Into<Vec<u8>>) -> CallbackError {
    let error = verify(settings(), body).unwrap_err();
    for secret in [MASTER_SECRET, APP_SECRET, TEST_SECRET, OLD_MASTER] {
        assert!(!error.to_string().contains(secret), "{error}");
    }
    error
}

#[track_caller]
fn bad_sign(patch: Value, want: &str) {
    let error = told(changed(patch));
    assert!(matches!(&error, CallbackError::BadSign(why) if why.contains(want)), "{error}");
}

#[track_caller]
fn unreadable(body: impl Into<Vec<u8>>, want: &[&str]) {
    let error = told(body);
    let CallbackError::Unreadable(why) = &error else { panic!("{error}") };
    for part in want {
        assert!(why.contains(part), "{part}: {why}");
    }
}

#[test]
fn the_accounts_other_secrets_are_named() {
    let by = |secret: &str| json!({"signature": bound(APP_ID, NUMBER, "1023", secret)});
    bad_sign(by(APP_SECRET), "right with: the app secret;");
    bad_sign(by(TEST_SECRET), "right with: the test secret;");
    bad_sign(by(&format!("{MASTER_SECRET}\n")), "the master secret, a line break behind the secret");
    bad_sign(by(&format!("{MASTER_SECRET} ")), "the master secret, a blank behind the secret");
    bad_sign(by(&MASTER_SECRET.to_uppercase()), "the master secret, the secret in upper case");
    bad_sign(by("another"), "fits no secret of this account and no known mistake");
}

#[test]
fn the_spelling_of_the_digest_is_named() {
    let digest = bound(APP_ID, NUMBER, "1023", MASTER_SECRET);
    let previous = bound(APP_ID, NUMBER, "1023", OLD_MASTER);
    bad_sign(json!({"signature": digest.to_uppercase()}), "the master secret, a digest in upper case");
    bad_sign(
        json!({"signature": previous.to_uppercase()}),
        "the previous master secret, a digest in upper case",
    );
    bad_sign(json!({"signature": format!("{digest}\n")}), "the master secret, white space around the digest");
    bad_sign(json!({"signature": "2ac4"}), "32 hexadecimal digits");
    bad_sign(json!({"signature": "g".repeat(32)}), "32 hexadecimal digits");
}

#[test]
fn older_schemes_and_a_missing_sign_are_named() {
    let unbound = |secret: &str| md5(&[APP_ID, secret, "1709251260000"]);
    bad_sign(json!({"signature": unbound(APP_SECRET)}), "before January 2017");
    bad_sign(json!({"signature": null, "sign": unbound(APP_SECRET)}), "before January 2017");
    bad_sign(json!({"signature": unbound(TEST_SECRET)}), "sandbox = true");
    bad_sign(json!({"signature": null, "sign": unbound(TEST_SECRET)}), "sandbox = true");
    let bound = bound(APP_ID, NUMBER, "1023", MASTER_SECRET);
    bad_sign(json!({"signature": null, "sign": bound}), "an older scheme");
    bad_sign(json!({"signature": null}), "no `signature`");
    bad_sign(json!({"signature": 7}), "no `signature`");
}

#[test]
fn another_text_of_the_fee_is_named() {
    for (signed, want) in [
        ("1023.0", "the amount with one decimal"),
        ("1023.00", "the amount with two decimals"),
        ("10.23", "the amount in hundreds, with two decimals"),
        ("102300", "the amount in hundredths"),
        ("01023", "the amount with a leading zero"),
        ("\"1023\"", "the amount in quotation marks"),
    ] {
        let sign = |secret: &str| json!({"signature": bound(APP_ID, NUMBER, signed, secret)});
        bad_sign(sign(MASTER_SECRET), &format!("the master secret, {want}"));
        bad_sign(sign(OLD_MASTER), &format!("the previous master secret, {want}"));
        bad_sign(sign(APP_SECRET), &format!("the app secret, {want}"));
    }
    let other_fee = json!({"bill_fee": 2000, "signature": bound(APP_ID, NUMBER, "2000", MASTER_SECRET)});
    bad_sign(other_fee, "`bill_fee` instead of `transaction_fee`");
}

#[test]
fn another_account_or_channel_is_named() {
    let other = "7c9f2f1e-3a44-4c8b-9d21-5b0e6f7a8c99";
    let sign = |app_id: &str| bound(app_id, NUMBER, "1023", MASTER_SECRET);
    bad_sign(json!({"app_id": other, "signature": sign(other)}), "another account, which the message names");
    bad_sign(json!({"appId": other, "signature": sign(other)}), "another account, which the message names");
    bad_sign(json!({"signature": sign(&APP_ID.to_uppercase())}), "the `app_id` in upper case");
    bad_sign(json!({"signature": sign(&APP_ID.replace('-', ""))}), "the `app_id` without its dashes");
    let by_sub = md5(&[APP_ID, NUMBER, "PAY", "WX_NATIVE", "1023", MASTER_SECRET]);
    bad_sign(json!({"signature": by_sub}), "`sub_channel_type` instead of `channel_type`");
}

#[test]
fn a_field_of_another_form_stays_unreadable_and_its_sign_is_explained() {
    let fee = |sent: Value, signed: &str| {
        changed(json!({"transaction_fee": sent, "signature": bound(APP_ID, NUMBER, signed, MASTER_SECRET)}))
    };
    let right = "would be right with: the master secret";
    unreadable(fee(json!("1023"), "1023"), &["`transaction_fee` must", right, "without its quotation marks"]);
    unreadable(fee(json!("1023"), "\"1023\""), &["`transaction_fee` must", right]);
    unreadable(fee(json!(1023.5), "1023.5"), &["`transaction_fee` must", right]);
    unreadable(fee(json!("10.23"), "1023"), &["`transaction_fee` must", right, "the amount in hundredths"]);
    unreadable(fee(json!("1023"), "7"), &["`transaction_fee` must be a JSON integer in plain digits"]);

    let id = |sent: &str, signed: &str| {
        changed(json!({"transaction_id": sent, "signature": bound(APP_ID, signed, "1023", MASTER_SECRET)}))
    };
    let spaced = format!(" {NUMBER} ");
    unreadable(id(&spaced, NUMBER), &["`transaction_id` must", right, "without the white space around it"]);
    unreadable(id("PMX 2024", "PMX2024"), &["`transaction_id` must", right, "without any white space"]);
    unreadable(id(&spaced, &spaced), &["`transaction_id` must", right]);

    let kind = md5(&[APP_ID, NUMBER, "PAY", "WX", "1023", MASTER_SECRET]);
    let kind = changed(json!({"transaction_type": "pay", "signature": kind}));
    unreadable(kind, &["`transaction_type` must", right, "`transaction_type` as it should be"]);
}

#[test]
fn gbk_is_named_where_the_text_or_the_body_is_in_it() {
    // 红茶 in GBK: `printf 红茶 | iconv -t GBK | xxd -p`.
    let tea = [0xba, 0xec, 0xb2, 0xe8];
    let parts: [&[u8]; 6] = [APP_ID.as_bytes(), &tea, b"PAY", b"WX", b"1023", MASTER_SECRET.as_bytes()];
    let digest = paymux_sign::Md5Text::new().piece(parts.concat()).digest().to_hex();
    let body = changed(json!({"transaction_id": "红茶", "signature": digest.as_str()}));
    unreadable(body, &["`transaction_id` must", "`transaction_id` in GBK instead of UTF-8"]);

    let in_gbk = |body: &str| {
        body.replace("红茶", "\u{1}")
            .bytes()
            .flat_map(|b| if b == 1 { tea.to_vec() } else { vec![b] })
            .collect::<Vec<u8>>()
    };
    let detail = json!({"message_detail": {"shop": "红茶"}});
    unreadable(
        in_gbk(&signed(detail)),
        &["not a JSON object", "in GBK it is one, and its sign is right: send UTF-8"],
    );
    let forged = changed(json!({"message_detail": {"shop": "红茶"}, "transaction_fee": 1}));
    unreadable(in_gbk(&forged), &["in GBK it is one: send UTF-8"]);
    // Of a field that nobody reads the character set does not matter: the money is signed and there.
    let good = signed(json!({"optional": {"shop": "红茶"}}));
    assert_eq!(verify(settings(), in_gbk(&good)).unwrap().evidence, Evidence::Settles);
}

#[test]
fn no_variant_is_ever_believed() {
    assert!(verify(settings(), vector("bc-v4")).is_ok());
    for fee in ["1023.0", "1023.00", "\"1023\"", "01023", "1.023e3"] {
        for signed in ["1023", fee] {
            let signature = bound(APP_ID, NUMBER, signed, MASTER_SECRET);
            let body = vector("bc-v4")
                .replace("\"transaction_fee\":1023", &format!("\"transaction_fee\":{fee}"))
                .replace("2ac475a54bb32b29ae32f97b301e3def", &signature);
            assert!(verify(settings(), body).is_err(), "{fee} {signed}");
        }
    }
}

proptest! {
    #[test]
    fn odd_fields_make_no_panic_and_no_long_text(
        id in ".{0,300}", fee in "[0-9.\"]{0,30}", kind in "[A-Za-z ]{0,10}", sign in "[0-9a-fA-F]{32}|.{0,40}",
        junk in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let body = changed(json!({"transaction_id": id, "transaction_type": kind, "transaction_fee": fee, "signature": sign}));
        assert!(told(body).to_string().len() < 1000);
        told(junk);
    }
}
