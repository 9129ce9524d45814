//! Every vector, each signed field changed, and the borders that no sign protects.

use paymux_sign::{HexCase, MalformedMd5};
use proptest::prelude::{any, prop, proptest};
use serde_json::Value;

use super::*;

fn vectors() -> Vec<Value> {
    let file: Value = serde_json::from_str(include_str!("../../tests/data/vectors.json")).unwrap();
    file["vectors"].as_array().unwrap().clone()
}

fn vector(id: &str) -> Value {
    vectors().into_iter().find(|vector| vector["id"] == id).unwrap()
}

/// Signs the inputs of a vector.
fn sign(scheme: &str, inputs: &Value) -> Md5Digest {
    let text = |key: &str| inputs[key].as_str().unwrap();
    let secret = |key: &str| Secret::new(text(key));
    let app_id = text("app_id");
    let amount = || inputs["amount"].as_u64().unwrap();
    let timestamp_ms = || inputs["timestamp"].as_i64().unwrap();
    match scheme {
        "app_sign" => app_sign(app_id, timestamp_ms(), &secret("secret")),
        "webhook" => {
            let notified = Notified {
                transaction_id: text("transaction_id"),
                transaction_type: text("transaction_type"),
                channel_type: text("channel_type"),
                transaction_fee: &inputs["transaction_fee"].to_string(),
            };
            notice_sign(app_id, notified, &secret("master_secret"))
        }
        "webhook_test_mode" => unbound_sign(app_id, &secret("test_secret"), &inputs["timestamp"].to_string()),
        "js_button" => {
            let button =
                Button { title: text("title"), amount: amount(), out_trade_no: text("out_trade_no") };
            button_sign(app_id, button, &secret("app_secret"))
        }
        "coupon_redeem" => {
            let redeem = Redeem {
                account: text("account"),
                bill_no: text("bill_no"),
                template_id: text("template_id"),
                timestamp_ms: timestamp_ms(),
                user_id: text("user_id"),
            };
            redeem_sign(app_id, redeem, &secret("master_secret"))
        }
        "bank_payout" => {
            let payout = Payout {
                bill_no: text("bill_no"),
                amount: amount(),
                bank_account_no: text("bank_account_no"),
            };
            payout_sign(app_id, payout, &secret("master_secret"))
        }
        other => panic!("a vector of an unknown scheme: {other}"),
    }
}

#[test]
fn every_vector_is_reproduced() {
    let vectors = vectors();
    assert_eq!(vectors.len(), 11);
    for vector in vectors {
        let digest = sign(vector["scheme"].as_str().unwrap(), &vector["inputs"]);
        assert_eq!(digest.to_hex().as_str(), vector["digest"], "{}", vector["id"]);
    }
}

/// Every byte of every signed text, and every digit of every signed number.
#[test]
fn one_changed_byte_of_any_signed_field_changes_the_digest() {
    let mut flips = 0;
    for vector in vectors() {
        let scheme = vector["scheme"].as_str().unwrap();
        let right = Md5Digest::from_hex(vector["digest"].as_str().unwrap(), HexCase::Lower).unwrap();
        for (key, value) in vector["inputs"].as_object().unwrap() {
            for changed in changes(value) {
                let mut inputs = vector["inputs"].clone();
                inputs[key] = changed;
                assert!(!sign(scheme, &inputs).matches(right), "{} {key} {}", vector["id"], inputs[key]);
                flips += 1;
            }
        }
    }
    // Each byte once, and each field once shortened and twice lengthened.
    let bytes: usize = vectors()
        .iter()
        .flat_map(|vector| vector["inputs"].as_object().unwrap().clone())
        .map(|(_, value)| characters(&value))
        .sum();
    let fields: usize = vectors().iter().map(|vector| vector["inputs"].as_object().unwrap().len()).sum();
    assert_eq!(flips, bytes + 3 * fields);
}

fn characters(value: &Value) -> usize {
    value.as_str().map_or_else(|| value.to_string().len(), |text| text.chars().count())
}

/// The value with each of its characters changed, without its last one, and with one more at either end.
fn changes(value: &Value) -> Vec<Value> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let other = |c: char| if c == '1' { '2' } else { '1' };
    let with =
        |at: usize| text.chars().enumerate().map(|(i, c)| if i == at { other(c) } else { c }).collect();
    let mut all: Vec<String> = (0..text.chars().count()).map(with).collect();
    let mut shorter = text.clone();
    shorter.pop();
    // A number that had one digit is 0 then, since none is no number.
    all.extend([
        if shorter.is_empty() { "0".to_owned() } else { shorter },
        format!("{text}1"),
        format!("1{text}"),
    ]);
    let read = |text: String| {
        if value.is_string() { Value::from(text) } else { Value::from(text.parse::<u64>().unwrap()) }
    };
    all.into_iter().map(read).collect()
}

/// What a receiver reads before it hashes anything.
#[test]
fn a_sign_in_another_form_is_refused_or_read_as_its_scheme_says() {
    let digest = vector("bc-v4")["digest"].as_str().unwrap().to_owned();
    let ours = sign("webhook", &vector("bc-v4")["inputs"]);
    let fits = |text: &str, case| Md5Digest::from_hex(text, case).map(|theirs| theirs.matches(ours));
    assert_eq!(fits(&digest, HexCase::Lower), Ok(true));
    // The letter case counts in a webhook and not in a call.
    let upper = digest.to_uppercase();
    assert_eq!(fits(&upper, HexCase::Any), Ok(true));
    assert_eq!(fits(&upper, HexCase::Lower), Err(MalformedMd5::Digit { at: 1, case: HexCase::Lower }));
    assert_eq!(fits("", HexCase::Lower), Err(MalformedMd5::Length { length: 0 }));
    assert_eq!(fits(&format!("{digest}0"), HexCase::Lower), Err(MalformedMd5::Length { length: 33 }));
    for at in 0..32 {
        let mut changed = digest.clone().into_bytes();
        changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
        assert_eq!(fits(core::str::from_utf8(&changed).unwrap(), HexCase::Lower), Ok(false), "{at}");
    }
}

/// Every scheme ends with a secret or with what comes after it, so that a text cannot be made longer without it: the
/// digest of a signed text and its padding and more is not the sign of anything.
#[test]
fn only_the_scheme_that_is_never_believed_can_be_lengthened() {
    for vector in vectors() {
        let order: Vec<&str> =
            vector["order"].as_array().unwrap().iter().map(|key| key.as_str().unwrap()).collect();
        let ends_with_secret = order.last().is_some_and(|last| last.contains("secret"));
        assert_eq!(ends_with_secret, vector["scheme"] != "webhook_test_mode", "{}", vector["id"]);
    }
}

#[test]
fn two_orders_can_share_the_sign_of_a_button() {
    let (shown, paid) = (vector("bc-v6"), vector("bc-x1"));
    assert_eq!(shown["digest"], paid["digest"]);
    assert_ne!(shown["inputs"]["amount"], paid["inputs"]["amount"]);
}

/// A webhook's signed fields, as they are compared with the stored order.
type Fields = [String; 4];

fn notified([transaction_id, transaction_type, channel_type, transaction_fee]: &Fields) -> Notified<'_> {
    Notified { transaction_id, transaction_type, channel_type, transaction_fee }
}

proptest! {
    /// One secret for each account, any fields: another byte anywhere in the text is another digest.
    #[test]
    fn a_changed_byte_anywhere_fails(
        fields in prop::array::uniform4("[0-9A-Za-z_-]{1,20}"),
        secret in "[0-9a-f]{8,40}",
        which in 0_usize..4,
        at: prop::sample::Index,
        to in any::<char>(),
    ) {
        let secret = Secret::new(secret);
        let mut changed = fields.clone();
        let mut characters: Vec<char> = changed[which].chars().collect();
        let at = at.index(characters.len());
        let differs = characters[at] != to;
        characters[at] = to;
        changed[which] = characters.into_iter().collect();
        let [ours, theirs] = [&fields, &changed].map(|fields| notice_sign("app", notified(fields), &secret));
        assert_eq!(ours.matches(theirs), !differs);
    }

    /// Moving a border leaves the sign as it is, which is why fields are compared and not only signs: of two
    /// messages with one sign, either every field agrees with the order, or at least two do not.
    #[test]
    fn a_moved_border_keeps_the_sign_and_changes_two_fields(
        fields in prop::array::uniform4("[0-9A-Z]{2,12}"),
        border in 0_usize..3,
        count in 1_usize..2,
    ) {
        let secret = Secret::new("secret");
        let mut moved = fields.clone();
        let cut = moved[border].len() - count;
        let tail = moved[border].split_off(cut);
        moved[border + 1].insert_str(0, &tail);
        let [ours, theirs] = [&fields, &moved].map(|fields| notice_sign("app", notified(fields), &secret));
        assert!(ours.matches(theirs));
        let others = fields.iter().zip(&moved).filter(|(field, moved)| field != moved).count();
        assert!(others == 2 && fields.concat() == moved.concat());
    }
}
