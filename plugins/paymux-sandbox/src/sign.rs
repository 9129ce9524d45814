//! What the sandbox's two signs cover, and with which key.
//!
//! Both cover every byte of the body, and a first line that says what the message is for, so that
//! the sign of one kind of message is worth nothing on another. Not covered: headers. A client's
//! call is bound to its path; a callback is not bound to the address that it is posted to.

use paymux_core::Secret;
use paymux_sign::{HexCase, Md5Digest};

/// The header that carries a sign.
pub(crate) const SIGN_HEADER: &str = "sandbox-sign";
/// The first line of a callback.
pub(crate) const CALLBACK: &str = "callback";

/// md5(first line, newline, body, newline, key)
pub(crate) fn sign(first_line: &str, body: &[u8], key: &Secret) -> Md5Digest {
    Md5Digest::of(&[first_line.as_bytes(), b"\n", body, b"\n", key.expose().as_bytes()])
}

/// Whether `received` is the sign of that body, in constant time.
pub(crate) fn is_signed(first_line: &str, body: &[u8], key: &Secret, received: &str) -> bool {
    Md5Digest::from_hex(received, HexCase::Lower)
        .is_ok_and(|digest| digest.matches(sign(first_line, body, key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vectors() -> Vec<[String; 4]> {
        let file: serde_json::Value =
            serde_json::from_str(include_str!("../tests/data/vectors.json")).unwrap();
        let text = |row: &serde_json::Value, key: &str| row[key].as_str().unwrap().to_owned();
        let rows = file["vectors"].as_array().unwrap();
        rows.iter().map(|row| ["first_line", "body", "key", "digest"].map(|key| text(row, key))).collect()
    }

    #[test]
    fn every_vector_is_reproduced() {
        let vectors = vectors();
        assert_eq!(vectors.len(), 3);
        for [first_line, body, key, digest] in &vectors {
            let ours = sign(first_line, body.as_bytes(), &Secret::new(key));
            assert_eq!(ours.to_hex().as_str(), digest);
        }
    }

    #[test]
    fn any_changed_part_fails() {
        for [first_line, body, key, digest] in vectors() {
            let key = Secret::new(key);
            assert!(is_signed(&first_line, body.as_bytes(), &key, &digest));
            assert!(!is_signed(&format!("{first_line}x"), body.as_bytes(), &key, &digest));
            assert!(!is_signed(&first_line, format!("{body} ").as_bytes(), &key, &digest));
            assert!(!is_signed(&first_line, body.as_bytes(), &Secret::new("other"), &digest));
            assert!(!is_signed(&first_line, body.as_bytes(), &key, &digest.to_uppercase()));
            assert!(!is_signed(&first_line, body.as_bytes(), &key, &digest[1..]));
            assert!(!is_signed(&first_line, body.as_bytes(), &key, ""));
        }
    }
}
