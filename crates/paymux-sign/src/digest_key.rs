//! Keyed digests: what lets a repeat be known again, and tells nothing to whoever only sees the digest.
//!
//! What is digested does not live here, nor where the key is kept.

use alloc::boxed::Box;
use core::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Bytes of a key: one block of SHA-256.
const KEY: usize = 64;

/// Bytes of one digest.
const DIGEST: usize = 32;

/// A key for digests, of 64 bytes: HMAC-SHA256 under it.
///
/// Whoever has digests alone cannot try card numbers until one fits. Prints as `DigestKey(****)`, and is
/// wiped when dropped.
#[derive(Clone)]
pub struct DigestKey(Box<Zeroizing<[u8; KEY]>>);

impl DigestKey {
    /// The key that those bytes are; `None` unless there are 64.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let key: [u8; KEY] = bytes.try_into().ok()?;
        Some(Self(Box::new(Zeroizing::new(key))))
    }

    /// The digest of a message. What is digested for one purpose has another digest for any other.
    pub fn digest(&self, purpose: &str, message: &[u8]) -> [u8; DIGEST] {
        Hmac::<Sha256>::new((&**self.0).into())
            .chain_update(purpose)
            .chain_update([0])
            .chain_update(message)
            .finalize()
            .into_bytes()
            .into()
    }
}

impl fmt::Debug for DigestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DigestKey(****)")
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;

    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
    }

    /// Made by: `printf 'card\0006222' | openssl dgst -sha256 -hmac "$(printf 'k%.0s' {1..64})"`
    #[test]
    fn is_hmac_sha256_over_purpose_and_message() {
        let key = DigestKey::new(&[b'k'; 64]).unwrap();
        assert_eq!(
            hex(&key.digest("card", b"6222")),
            "7be7b026fcc0473a4788b3d6fe67d5c8c7c5707bad764a83c466c7ec54f94538"
        );
    }

    #[test]
    fn another_key_purpose_or_message_has_another_digest() {
        let key = DigestKey::new(&[1; 64]).unwrap();
        let digest = key.digest("card", b"6222");
        assert_eq!(digest, key.clone().digest("card", b"6222"));
        assert_ne!(digest, DigestKey::new(&[2; 64]).unwrap().digest("card", b"6222"));
        assert_ne!(digest, key.digest("cards", b"6222"));
        assert_ne!(digest, key.digest("card", b"6223"));
        assert_ne!(digest, key.digest("car", b"d\x006222"));
    }

    #[test]
    fn a_key_has_64_bytes_and_does_not_print_itself() {
        for length in [0, 63, 65] {
            assert!(DigestKey::new(&[7; 65][..length]).is_none(), "{length}");
        }
        assert_eq!(format!("{:?}", DigestKey::new(&[7; 64]).unwrap()), "DigestKey(****)");
    }
}
