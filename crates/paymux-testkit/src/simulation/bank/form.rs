//! How the bank reads and writes messages: `name=value` joined by `&`, with a sign. Written apart from the
//! client's side, so that no mistake is made on both.

use std::collections::BTreeMap;

use crate::simulation::accounts::Sign;

/// The fields of a message.
pub(super) type Fields = BTreeMap<String, String>;

/// Reads a message; `None` when it is not one.
pub(super) fn read(text: &str) -> Option<Fields> {
    let mut fields = Fields::new();
    for pair in text.split('&') {
        let at = pair.find('=')?;
        fields.insert(pair[..at].to_owned(), pair[at + 1..].to_owned());
    }
    Some(fields)
}

/// Whether the message carries the right sign over all its other fields.
pub(super) fn is_signed(fields: &Fields, secret: &str) -> bool {
    fields.get("sign").is_some_and(|sign| *sign == sign_of(fields, secret, |name| name != "sign"))
}

/// The message with its sign.
pub(super) fn written(pairs: &[(&str, String)], secret: &str) -> String {
    let fields: Fields = pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let sign = sign_of(&fields, secret, |_| true);
    joined(&fields, &sign)
}

/// A callback of that kind, signed as the account does.
pub(in crate::simulation) fn signed_callback(pairs: &[(&str, String)], style: Sign, secret: &str) -> String {
    let fields: Fields = pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let covered = |name: &str| match style {
        Sign::All => true,
        Sign::NotTrade => name != "trade_no",
        Sign::NotAmount => name == "kind" || name == "number",
    };
    let sign = sign_of(&fields, secret, covered);
    joined(&fields, &sign)
}

fn joined(fields: &Fields, sign: &str) -> String {
    let mut text = String::new();
    for (name, value) in fields {
        text.push_str(name);
        text.push('=');
        text.push_str(value);
        text.push('&');
    }
    text.push_str("sign=");
    text.push_str(sign);
    text
}

/// FNV-1a with 64 bits over the secret, each covered field by name, and the secret again. A pretend sign:
/// whoever forges one here does not know the secret.
fn sign_of(fields: &Fields, secret: &str, covered: impl Fn(&str) -> bool) -> String {
    let mut hash = 0xCBF2_9CE4_8422_2325_u64;
    let mut eat = |text: &str| {
        for byte in text.as_bytes() {
            hash ^= u64::from(*byte);
            hash = hash.wrapping_mul(0x0100_0000_01B3);
        }
    };
    eat(secret);
    for (name, value) in fields.iter().filter(|(name, _)| covered(name)) {
        eat(name);
        eat("=");
        eat(value);
        eat("\n");
    }
    eat(secret);
    format!("{hash:016x}")
}
