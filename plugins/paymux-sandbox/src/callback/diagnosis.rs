//! Which known mistake explains a sign that is not believed.
//!
//! The candidates are what senders and proxies do to a body that is signed as a whole. Naming one
//! changes nothing: the callback stays unbelieved.

use std::ops::Range;

use paymux_core::Secret;
use paymux_sign::{Lineup, compact_json, from_gbk, gbk, number_spellings, trimmed, without_blanks};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::config::{Account, KEY_DEFAULT};
use crate::sign::CALLBACK;

/// What is said when nothing explains it.
const RULE: &str = "it is md5(\"callback\", newline, body, newline, key) in lower-case hex";

/// The paths of the server's calls, whose signs are worth nothing on a callback.
const CALLS: [&str; 3] = ["/sandbox/create", "/sandbox/query", "/sandbox/cancel"];

/// A body with another spelling, and what is other about it.
struct Variant {
    name: &'static str,
    body: Vec<u8>,
}

/// Which mistake was made, for a person; never a secret, a digest or the body.
pub(super) fn of(account: &Account, body: &[u8], received: &str) -> String {
    let Some(mut lineup) = Lineup::of(received) else {
        return format!("the header holds no MD5 digest; {RULE}");
    };
    let keys = keys(account);
    for (name, key) in &keys {
        signed(&mut lineup, &[name], [CALLBACK, "\n"], body, key);
    }
    for (name, key) in &keys {
        for variant in variants(body) {
            signed(&mut lineup, &[name, variant.name], [CALLBACK, "\n"], &variant.body, key);
        }
        for path in CALLS {
            signed(&mut lineup, &[name, "signed as a call, not as a callback"], [path, "\n"], body, key);
        }
        let key = key.expose().as_bytes();
        lineup.text(&[name, "without the first line"], &[body, b"\n", key]);
        lineup.text(&[name, "without line breaks between the parts"], &[CALLBACK.as_bytes(), body, key]);
        lineup.text(&[name, "the body and the key alone"], &[body, key]);
        lineup.text(&[name, "lines that end as on Windows"], &[b"callback\r\n", body, b"\r\n", key]);
    }
    match lineup.told() {
        Some(told) => format!("it would be right with: {told}; {RULE}"),
        None => format!("no known mistake explains it; {RULE}"),
    }
}

/// The keys that a sender may have by mistake. The default is no secret: everybody knows it.
fn keys(account: &Account) -> Vec<(&'static str, Secret)> {
    let mut keys = vec![("the key in force", account.key.clone())];
    keys.extend(account.key_previous.clone().map(|key| ("the previous key", key)));
    keys.push(("the default key `sandbox`", Secret::new(KEY_DEFAULT)));
    keys
}

fn signed(lineup: &mut Lineup, names: &[&'static str], first: [&str; 2], body: &[u8], key: &Secret) {
    let [line, end] = first.map(str::as_bytes);
    lineup.text(names, &[line, end, body, b"\n", key.expose().as_bytes()]);
}

fn variants(body: &[u8]) -> Vec<Variant> {
    let text = std::str::from_utf8(body).ok();
    let spelt = [
        ("without the white space around the body", trimmed(body).map(<[u8]>::to_vec)),
        ("with a line break after the body", Some([body, b"\n"].concat())),
        ("without the white space between the JSON tokens", compact_json(body)),
        ("without any white space", without_blanks(body)),
        ("the body in GBK instead of UTF-8", text.and_then(gbk)),
        ("the body in UTF-8 instead of GBK", from_gbk(body).map(String::into_bytes)),
    ];
    let mut variants: Vec<Variant> =
        spelt.into_iter().filter_map(|(name, body)| body.map(|body| Variant { name, body })).collect();
    if let Some(amount) = amount(body) {
        let raw = String::from_utf8_lossy(&body[amount.clone()]).into_owned();
        for spelling in number_spellings(&raw) {
            let (before, after) = (&body[..amount.start], &body[amount.end..]);
            let body = [before, spelling.text.as_bytes(), after].concat();
            variants.push(Variant { name: spelling.name, body });
        }
    }
    variants
}

/// Where the amount stands in the body.
fn amount(body: &[u8]) -> Option<Range<usize>> {
    #[derive(Deserialize)]
    struct Amount<'a> {
        #[serde(borrow)]
        amount: &'a RawValue,
    }
    let raw = serde_json::from_slice::<Amount<'_>>(body).ok()?.amount.get();
    // It is borrowed from the body, so it stands that far behind its beginning.
    let start = raw.as_ptr().addr().checked_sub(body.as_ptr().addr())?;
    let end = start.checked_add(raw.len()).filter(|end| *end <= body.len())?;
    Some(start..end)
}
