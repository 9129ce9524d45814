//! The secret that a merchant and paymux share to sign notices: read, written, wiped.
//!
//! What is signed with it lives in `webhook`; where it is stored does not live here.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec;
use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// How a written secret begins.
///
/// Source: Standard Webhooks 1.0.0, "Signature scheme", row "Secret serialization".
const PREFIX: &str = "whsec_";

/// Fewest bytes of a key: 192 bits, the standard's minimum.
const KEY_MIN: usize = 24;

/// Most bytes of a key: 512 bits, the standard's maximum, which is also one block of SHA-256.
const KEY_MAX: usize = 64;

/// A Standard Webhooks secret: a key of 24 to 64 bytes, written `whsec_` + base64.
///
/// Has no `Display` and no `==`, prints as `WebhookSecret(****)`, and is wiped when dropped.
#[derive(Clone)]
pub struct WebhookSecret {
    /// Filled up with zeros, as HMAC itself does with a short key. In a box, so that moving
    /// the secret leaves no copy behind.
    key: Box<Zeroizing<[u8; KEY_MAX]>>,
    length: usize,
    /// HMAC after the two blocks that the key alone makes: each message begins from here, two blocks further.
    keyed: Box<Hmac<Sha256>>,
}

/// Why a text or some bytes are no webhook secret. Holds nothing of the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WebhookSecretError {
    /// The first characters are others.
    #[error("a webhook secret begins with `whsec_`: write whsec_ and the base64 of 24 to 64 random bytes")]
    Prefix,
    /// The rest is no base64.
    #[error("after `whsec_` stands no base64: use the standard alphabet (+ and /) with = padding, no blanks")]
    Base64,
    /// The key is weaker or longer than the standard allows.
    #[error("a webhook secret with a key of `{length}` bytes: use 24 to 64 random bytes")]
    Length {
        /// Bytes of the key.
        length: usize,
    },
}

impl WebhookSecret {
    /// Reads `whsec_` and standard base64 with padding.
    ///
    /// # Errors
    /// [`WebhookSecretError`] says which part breaks the form.
    pub fn parse(text: &str) -> Result<Self, WebhookSecretError> {
        let encoded = text.strip_prefix(PREFIX).ok_or(WebhookSecretError::Prefix)?;
        let mut key = Zeroizing::new(vec![0; base64::decoded_len_estimate(encoded.len())]);
        let length = STANDARD.decode_slice(encoded, &mut key).map_err(|_| WebhookSecretError::Base64)?;
        Self::from_key(&key[..length])
    }

    /// Takes a key of 24 to 64 bytes, which a caller has drawn from a source fit for secrets.
    ///
    /// # Errors
    /// [`WebhookSecretError::Length`].
    pub fn from_key(key: &[u8]) -> Result<Self, WebhookSecretError> {
        let length = key.len();
        if !(KEY_MIN..=KEY_MAX).contains(&length) {
            return Err(WebhookSecretError::Length { length });
        }
        let mut padded = Box::new(Zeroizing::new([0; KEY_MAX]));
        padded[..length].copy_from_slice(key);
        let keyed = Box::new(Hmac::new((&**padded).into()));
        Ok(Self { key: padded, length, keyed })
    }

    /// As it is handed to a merchant: `whsec_` and base64. Keep it out of logs.
    pub fn expose(&self) -> Zeroizing<String> {
        // 64 bytes are 88 characters: with this room the text is never moved, so never left behind.
        let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + 88));
        text.push_str(PREFIX);
        STANDARD.encode_string(&self.key[..self.length], &mut text);
        text
    }

    /// HMAC-SHA256 under this key, before the first byte of a message.
    pub(crate) fn hmac(&self) -> Hmac<Sha256> {
        (*self.keyed).clone()
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(****)")
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;
    use alloc::vec::Vec;

    use base64::Engine as _;
    use hmac::{Hmac, KeyInit as _, Mac as _};
    use proptest::prelude::{any, proptest};
    use sha2::Sha256;

    use super::{STANDARD, WebhookSecret, WebhookSecretError};

    #[test]
    fn reads_whsec_and_a_key_of_24_to_64_bytes() {
        use WebhookSecretError::{Base64, Length, Prefix};
        check("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", Ok(24));
        check(&of_length(24), Ok(24));
        check(&of_length(25), Ok(25));
        check(&of_length(32), Ok(32));
        check(&of_length(64), Ok(64));
        check(&of_length(23), Err(Length { length: 23 }));
        check(&of_length(65), Err(Length { length: 65 }));
        check(&of_length(1000), Err(Length { length: 1000 }));
        check("whsec_", Err(Length { length: 0 }));
        check("", Err(Prefix));
        check("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", Err(Prefix));
        check("WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", Err(Prefix));
        check(" whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", Err(Prefix));
        // The prefix of the standard's asymmetric secret keys.
        check("whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", Err(Prefix));
        check("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n", Err(Base64));
        check("whsec_MfKQ9r8G KYqrTwjUPD8ILPZIo2LaLaSw", Err(Base64));
        check("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS-", Err(Base64));
        check(of_length(25).trim_end_matches('='), Err(Base64));

        #[track_caller]
        fn check(text: &str, want: Result<usize, WebhookSecretError>) {
            assert_eq!(WebhookSecret::parse(text).map(|secret| secret.length), want, "{text}");
        }
    }

    #[test]
    fn does_not_print_itself() {
        let secret = WebhookSecret::parse(&of_length(24)).unwrap();
        assert_eq!(format!("{secret:?}"), "WebhookSecret(****)");
    }

    proptest! {
        #[test]
        fn a_secret_that_is_written_reads_back(key in proptest::collection::vec(any::<u8>(), 24..=64)) {
            let secret = WebhookSecret::from_key(&key).unwrap();
            let read = WebhookSecret::parse(&secret.expose()).unwrap();
            assert_eq!(read.key[..read.length], key);
            assert!(read.key[read.length..].iter().all(|byte| *byte == 0));
        }

        /// What is kept of the key is where HMAC itself begins with it.
        #[test]
        fn begins_where_hmac_begins(key in proptest::collection::vec(any::<u8>(), 24..=64), message: Vec<u8>) {
            let ours = WebhookSecret::from_key(&key).unwrap().hmac().chain_update(&message).finalize();
            let theirs = Hmac::<Sha256>::new_from_slice(&key).unwrap().chain_update(&message).finalize();
            assert_eq!(ours.into_bytes(), theirs.into_bytes());
        }

        #[test]
        fn any_text_is_refused_or_written_as_it_was_read(text in "(whsec_)?[A-Za-z0-9+/]{0,100}={0,2}|whsec_.*|.*") {
            if let Ok(secret) = WebhookSecret::parse(&text) {
                assert_eq!(*secret.expose(), text);
            }
        }
    }

    fn of_length(length: usize) -> String {
        format!("whsec_{}", STANDARD.encode(alloc::vec![7; length]))
    }
}
