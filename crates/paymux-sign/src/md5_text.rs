//! MD5 over a text that arrives in pieces, with nothing between them.
//!
//! Reading and comparing the result lives in `md5_digest`; which pieces a provider signs, in
//! which order, lives in its plugin.

use core::fmt;

use md5::{Digest as _, Md5};

use crate::{Decimal, Md5Digest};

/// The text to be signed, taken piece by piece; only MD5's state is kept, never the text.
///
/// Nothing separates the pieces, so `"ab" + "c"` and `"a" + "bc"` sign alike. After the digest
/// is right, a receiver must still compare each field with the stored order.
///
/// Allocates nothing. Clone it to sign many texts that begin alike.
#[derive(Clone, Default)]
pub struct Md5Text(Md5);

impl Md5Text {
    /// An empty text.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes as they are: no trimming, no escaping, no Unicode normalisation.
    pub fn piece(self, bytes: impl AsRef<[u8]>) -> Self {
        Self(self.0.chain_update(bytes))
    }

    /// Adds an integer in plain decimal, see [`Decimal`].
    pub fn number(self, value: impl Into<Decimal>) -> Self {
        self.piece(value.into())
    }

    /// The digest of all pieces.
    pub fn digest(self) -> Md5Digest {
        Md5Digest::from_bytes(self.0.finalize().into())
    }
}

impl fmt::Debug for Md5Text {
    /// Hides the state: whoever knows it can sign longer texts.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Md5Text(****)")
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec::Vec;

    use proptest::prelude::{any, proptest};

    use super::Md5Text;

    #[test]
    fn does_not_print_its_state() {
        assert_eq!(format!("{:?}", Md5Text::new().piece("secret")), "Md5Text(****)");
    }

    #[test]
    fn a_cloned_prefix_signs_like_the_whole_text() {
        let prefix = Md5Text::new().piece("app-1");
        let cloned = prefix.clone().piece("a").digest();
        assert!(cloned.matches(Md5Text::new().piece("app-1a").digest()));
        assert!(prefix.piece("b").digest().matches(Md5Text::new().piece("app-1b").digest()));
    }

    proptest! {
        #[test]
        fn pieces_sign_like_one_text(pieces: Vec<Vec<u8>>, number: u64, last in any::<i64>()) {
            let fed = pieces.iter().fold(Md5Text::new(), Md5Text::piece).number(number).number(last);
            let joined = [pieces.concat(), format!("{number}{last}").into_bytes()].concat();
            assert!(fed.digest().matches(Md5Text::new().piece(joined).digest()));
        }

        #[test]
        fn a_changed_byte_changes_the_digest(
            mut text in proptest::collection::vec(any::<u8>(), 1..200),
            at: proptest::sample::Index,
            flip in 1_u8..,
        ) {
            let before = Md5Text::new().piece(&text).digest();
            let at = at.index(text.len());
            text[at] ^= flip;
            assert!(!before.matches(Md5Text::new().piece(&text).digest()));
        }
    }
}
