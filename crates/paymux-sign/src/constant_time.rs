//! Comparing secret bytes in a time that does not tell where they differ.
//!
//! The one place in the workspace that asks `subtle` to compare. Digest types
//! build on it; what a digest covers and how it is spelt does not live here.

use subtle::ConstantTimeEq as _;

/// Whether `a` and `b` are the same bytes.
///
/// The time taken depends on the lengths only, never on the contents. Unequal
/// lengths answer `false` at once, so the length itself is not kept secret.
#[must_use]
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::{any, proptest};

    use super::constant_time_eq;

    #[test]
    fn equal_means_same_length_and_same_bytes() {
        let check = |a: &[u8], b: &[u8], equal: bool| {
            assert_eq!(constant_time_eq(a, b), equal, "{a:?} and {b:?}");
            assert_eq!(constant_time_eq(b, a), equal, "{b:?} and {a:?}");
        };
        check(b"", b"", true);
        check(b"secret", b"secret", true);
        check(b"secret", b"secreT", false);
        check(b"Secret", b"secret", false);
        check(b"secret", b"secre", false);
        check(b"secret", b"secret\0", false);
        check(b"", b"\0", false);
    }

    proptest! {
        #[test]
        fn one_changed_byte_is_seen_wherever_it_stands(
            text in proptest::collection::vec(any::<u8>(), 1..100),
            at: proptest::sample::Index,
            flip in 1_u8..,
        ) {
            let mut changed: Vec<u8> = text.clone();
            changed[at.index(text.len())] ^= flip;
            assert!(constant_time_eq(&text, &text.clone()));
            assert!(!constant_time_eq(&text, &changed));
        }
    }
}
