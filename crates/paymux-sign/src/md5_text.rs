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

    /// Adds bytes without their blanks and line breaks: U+0020, CR and LF, wherever they stand. All
    /// else is kept, TAB and the blanks of other alphabets too.
    ///
    /// In one pass, without a copy of the whole. Blanks inside a value are not signed either, so a
    /// receiver must compare each field as it was sent.
    pub fn squeezed(self, bytes: impl AsRef<[u8]>) -> Self {
        let runs = bytes.as_ref().split(|byte| matches!(byte, b' ' | b'\r' | b'\n'));
        runs.fold(self, Self::piece)
    }

    /// Begins a new text with the 32 lower-case hex digits of this one's digest: what is added now
    /// is signed around the digest of what was added before.
    ///
    /// ```
    /// use paymux_sign::Md5Text;
    ///
    /// let inner = Md5Text::new().piece("key").piece("10.23").digest().to_hex();
    /// let outer = Md5Text::new().piece(inner).piece("secret").digest();
    /// assert!(outer.matches(Md5Text::new().piece("key").piece("10.23").nested().piece("secret").digest()));
    /// ```
    pub fn nested(self) -> Self {
        Self::new().piece(self.digest().to_hex())
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

    use proptest::prelude::{Just, any, prop, prop_oneof, proptest};

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

    #[test]
    fn squeezing_removes_three_characters_and_keeps_all_others() {
        check("a b\r\nc \n", "abc");
        check(" \r\n", "");
        check("", "");
        check("red shoes size 42", "redshoessize42");
        check("a\tb", "a\tb");
        check("a\u{b}\u{c}b", "a\u{b}\u{c}b");
        check("a\u{3000}b\u{a0}c\u{2028}d\u{85}e", "a\u{3000}b\u{a0}c\u{2028}d\u{85}e");
        check("a\\n\\r\\t\\u0020b", "a\\n\\r\\t\\u0020b");
        check("a\0b", "a\0b");

        #[track_caller]
        fn check(text: &str, want: &str) {
            let whole = Md5Text::new().piece("key").piece(want).piece("end").digest();
            let squeezed = Md5Text::new().piece("key").squeezed(text).piece("end").digest();
            assert!(squeezed.matches(whole), "{text:?}");
        }
    }

    #[test]
    fn a_nested_text_covers_the_digest_of_the_inner_one() {
        let inner = Md5Text::new().piece("inner").digest().to_hex();
        let outer = Md5Text::new().piece(format!("{}outer", inner.as_str())).digest();
        assert!(Md5Text::new().piece("inner").nested().piece("outer").digest().matches(outer));
        assert!(!Md5Text::new().piece("inne").nested().piece("router").digest().matches(outer));
    }

    proptest! {
        #[test]
        fn squeezing_is_filtering(
            before in prop::collection::vec(any::<u8>(), 0..70),
            body in prop::collection::vec(prop_oneof![any::<u8>(), Just(b' '), Just(b'\r'), Just(b'\n')], 0..300),
            after in prop::collection::vec(any::<u8>(), 0..70),
        ) {
            let kept: Vec<u8> = body.iter().copied().filter(|byte| !b" \r\n".contains(byte)).collect();
            let squeezed = Md5Text::new().piece(&before).squeezed(&body).piece(&after).digest();
            assert!(squeezed.matches(Md5Text::new().piece(before).piece(kept).piece(after).digest()));
        }

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
