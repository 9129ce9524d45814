//! Which fields cloudpay signs, in which order and with which secret, and what the signs leave open.
//!
//! How MD5 is fed, nested and compared lives in paymux-sign. All three messages are signed in one way: the digest
//! of `appkey` and the fields, as lower-case hex, then once more with the secret behind it.
//!
//! Nothing stands between the fields, so characters can move over a border and leave the digest as it is: the last
//! digit of `order_id` into `out_order_id`, of `price` into `realprice`, of `realprice` into `type`. For the same
//! reason one kind of message can have the digest of another. So the form of every field is checked in `wire`,
//! `callback` and `acceptor`, and number, price and type are compared with the stored order ([`super::callback`]).
//! Not covered: every field that is not in the list of its message.
//!
//! Source: cloudpay's integration document, signature of the create call and of the two notifications.

use paymux_core::Secret;
use paymux_sign::{HexCase, Md5Digest};

use crate::wire::Fields;

/// The field that carries the sign, in every message.
pub(crate) const SIGN: &str = "sign";

/// One of the three signed messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Message {
    /// A payment is asked for.
    Create,
    /// The gateway tells that money came in.
    Notify,
    /// The payer's browser comes back.
    Return,
}

impl Message {
    /// The signed fields behind `appkey`, in their order.
    pub(crate) const fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Create => &["price", "type", "out_order_id", "custom"],
            Self::Notify => &["order_id", "out_order_id", "price", "realprice", "type", "paytime", "extend"],
            // The document's formula spells the third `prodcut_id`; its table does not.
            Self::Return => &["price", "type", "product_id", "order_id", "out_order_id"],
        }
    }
}

/// The most fields that a sign covers.
const FIELDS_MAX: usize = 7;
const _: () = assert!(
    Message::Create.fields().len() <= FIELDS_MAX
        && Message::Notify.fields().len() <= FIELDS_MAX
        && Message::Return.fields().len() <= FIELDS_MAX
);

/// The sign of a message: its fields as they stand in it, each the very bytes that travelled; a field that is not
/// there adds nothing.
pub(crate) fn sign(message: Message, appkey: &str, fields: &Fields, appsecret: &Secret) -> Md5Digest {
    let mut parts: [&[u8]; 1 + FIELDS_MAX] = [&[]; 1 + FIELDS_MAX];
    parts[0] = appkey.as_bytes();
    for (part, name) in parts[1..].iter_mut().zip(message.fields()) {
        *part = fields.bytes(name);
    }
    let inner = Md5Digest::of(&parts).to_hex();
    Md5Digest::of(&[inner.as_bytes(), appsecret.expose().as_bytes()])
}

/// Whether `sign` of a message was made with one of these secrets. All are tried, in constant time; a digest in
/// upper case is refused.
pub(crate) fn is_signed<'a>(
    message: Message,
    appkey: &str,
    fields: &Fields,
    secrets: impl IntoIterator<Item = &'a Secret>,
) -> bool {
    let Ok(received) = Md5Digest::from_hex(fields.bytes(SIGN), HexCase::Lower) else { return false };
    let matches = |secret| received.matches(sign(message, appkey, fields, secret));
    secrets.into_iter().fold(false, |found, secret| matches(secret) | found)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn vectors() -> Vec<Value> {
        let file: Value = serde_json::from_str(include_str!("../tests/data/vectors.json")).unwrap();
        file["vectors"].as_array().unwrap().clone()
    }

    fn text(vector: &Value, name: &str) -> String {
        vector[name].as_str().unwrap().to_owned()
    }

    fn message(vector: &Value) -> Message {
        match vector["kind"].as_str().unwrap() {
            "create" => Message::Create,
            "async" => Message::Notify,
            "sync" => Message::Return,
            other => panic!("a vector of an unknown kind: {other}"),
        }
    }

    fn check(vector: &Value, fields: &Fields, secret: &str) -> bool {
        is_signed(message(vector), &text(vector, "appkey"), fields, [&Secret::new(secret)])
    }

    #[test]
    fn every_vector_is_reproduced_from_its_fields_and_from_what_travels() {
        let vectors = vectors();
        assert_eq!(vectors.len(), 6);
        for vector in &vectors {
            let pairs = vector["fields"].as_object().unwrap();
            let pairs = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap()));
            let (appkey, secret) = (text(vector, "appkey"), Secret::new(text(vector, "appsecret")));
            let ours = sign(message(vector), &appkey, &Fields::of_pairs(pairs), &secret);
            assert_eq!(ours.to_hex().as_str(), vector["sign"], "{}", vector["id"]);
            let travelled = Fields::of_form(text(vector, "form").as_bytes()).unwrap();
            assert!(check(vector, &travelled, secret.expose()), "{}", vector["id"]);
        }
    }

    #[test]
    fn one_changed_byte_of_any_signed_field_key_or_secret_fails() {
        let mut flips = 0;
        for vector in vectors() {
            let form = text(&vector, "form");
            let secret = text(&vector, "appsecret");
            for name in message(&vector).fields() {
                let value = vector["fields"][name].as_str().unwrap();
                for changed in [flipped(value), format!("{value} "), format!("{value}0")] {
                    let pairs = Fields::of_form(form.as_bytes()).unwrap().with(name, &changed);
                    assert!(!check(&vector, &pairs, &secret), "{} {name} {changed}", vector["id"]);
                    flips += 1;
                }
            }
            let fields = Fields::of_form(form.as_bytes()).unwrap();
            assert!(!check(&vector, &fields, &flipped(&secret)), "{}", vector["id"]);
            let mut other = vector.clone();
            other["appkey"] = Value::from(flipped(&text(&vector, "appkey")));
            assert!(!check(&other, &fields, &secret), "{}", vector["id"]);
        }
        assert_eq!(flips, 3 * (3 * 4 + 2 * 7 + 5));
    }

    #[test]
    fn a_sign_is_there_whole_and_in_lower_case() {
        for vector in vectors() {
            let (form, secret) = (text(&vector, "form"), text(&vector, "appsecret"));
            let right = text(&vector, "sign");
            for wrong in [
                String::new(),
                right.to_uppercase(),
                right[1..].to_owned(),
                format!("{right}0"),
                format!(" {right}"),
                text(&vector, "inner_md5"),
            ] {
                let fields = Fields::of_form(form.as_bytes()).unwrap().with(SIGN, &wrong);
                assert!(!check(&vector, &fields, &secret), "{} {wrong}", vector["id"]);
            }
        }
    }

    #[test]
    fn either_secret_of_a_change_signs_and_no_third_one() {
        let vector = &vectors()[3];
        let fields = Fields::of_form(text(vector, "form").as_bytes()).unwrap();
        let [right, other] = [Secret::new(text(vector, "appsecret")), Secret::new("another")];
        let signed = |secrets: &[&Secret]| {
            is_signed(Message::Notify, &text(vector, "appkey"), &fields, secrets.iter().copied())
        };
        assert!(signed(&[&right, &other]) && signed(&[&other, &right]) && signed(&[&right]));
        assert!(!signed(&[&other]) && !signed(&[]));
    }

    /// The text with its last character replaced by another.
    fn flipped(value: &str) -> String {
        let mut chars: Vec<char> = value.chars().collect();
        let last = chars.pop();
        chars.push(if last == Some('0') { '1' } else { '0' });
        chars.into_iter().collect()
    }
}
