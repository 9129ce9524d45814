//! Bytes without blanks and line breaks, run by run.
//!
//! Whose text is signed so, and what becomes of the bytes, does not live here.

/// Bytes that are looked at together, and that are handed on together: a copy of known size costs one move.
pub(crate) const WINDOW: usize = 32;
/// 1 in each byte.
const ONES: u64 = 0x0101_0101_0101_0101;
/// The highest bit of each byte.
const HIGHS: u64 = 0x80 * ONES;

/// Hands on, in their order, all bytes but U+0020, CR and LF: each time a window, and how many of its first bytes
/// are meant.
pub(crate) fn squeeze(text: &[u8], mut keep: impl FnMut(&[u8; WINDOW], usize)) {
    // Windows reach over what they are for, so the end of the text is looked at in a longer copy.
    let direct = text.len().saturating_sub(WINDOW) / WINDOW * WINDOW;
    let tail = &text[direct..];
    let mut longer = [0; 3 * WINDOW];
    longer[..tail.len()].copy_from_slice(tail);
    squeeze_first(text, direct, &mut keep);
    squeeze_first(&longer, tail.len(), &mut keep);
}

/// The first `count` bytes, behind which there is at least one window more.
fn squeeze_first(text: &[u8], count: usize, keep: &mut impl FnMut(&[u8; WINDOW], usize)) {
    for start in (0..count).step_by(WINDOW) {
        let Some(chunk) = text[start..].first_chunk() else { return };
        let end = WINDOW.min(count - start);
        // What is not of the text counts as a blank.
        let mut blanks = blanks(chunk) | (u64::MAX << end);
        let mut at = 0;
        while at < end {
            let run = blanks.trailing_zeros();
            if let Some(window) = text[start + at..].first_chunk() {
                keep(window, run as usize);
            }
            blanks >>= run;
            let skipped = blanks.trailing_ones();
            // In two steps: all of it can be 64 bits.
            blanks = blanks.checked_shr(skipped).unwrap_or_default();
            at += (run + skipped) as usize;
        }
    }
}

/// One bit for each byte of a window, set where it is dropped; the first byte is the lowest bit.
fn blanks(window: &[u8; WINDOW]) -> u64 {
    let groups = window.as_chunks::<8>().0.iter().rev();
    groups.fold(0, |blanks, group| (blanks << 8) | blanks_of_group(u64::from_le_bytes(*group)))
}

fn blanks_of_group(bytes: u64) -> u64 {
    // Whether any byte is below 0x21, as the three are and hardly any other: most groups have none.
    if bytes.wrapping_sub(0x21 * ONES) & !bytes & HIGHS == 0 {
        return 0;
    }
    let blanks = is(bytes, b' ') | is(bytes, b'\r') | is(bytes, b'\n');
    // Moves the highest bit of each byte next to the others.
    (blanks >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// The highest bit of each byte that is `wanted`.
fn is(bytes: u64, wanted: u8) -> u64 {
    let other = bytes ^ (ONES * u64::from(wanted));
    // Set unless all bits of the byte are zero; no carry leaves a byte.
    !(((other & !HIGHS) + !HIGHS) | other) & HIGHS
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::{Just, any, prop, prop_oneof, proptest};

    use super::*;

    fn squeezed(text: &[u8]) -> Vec<u8> {
        let mut all = Vec::new();
        squeeze(text, |window, count| all.extend_from_slice(&window[..count]));
        all
    }

    fn filtered(text: &[u8]) -> Vec<u8> {
        text.iter().copied().filter(|byte| !b" \r\n".contains(byte)).collect()
    }

    #[test]
    fn each_byte_is_kept_or_dropped_wherever_it_stands() {
        for byte in 0..=255 {
            for length in [1, 7, 8, 9, 31, 32, 33, 63, 64, 65, 96, 97] {
                for at in [0, length / 3, length / 2, length - 1] {
                    let mut text: Vec<u8> = (b'a'..=b'z').cycle().take(length).collect();
                    text[at] = byte;
                    assert_eq!(squeezed(&text), filtered(&text), "{byte} at {at} of {length}");
                    assert_eq!(squeezed(&vec_of(byte, length)), filtered(&vec_of(byte, length)), "{byte}");
                }
            }
        }

        fn vec_of(byte: u8, length: usize) -> Vec<u8> {
            core::iter::repeat_n(byte, length).collect()
        }
    }

    proptest! {
        #[test]
        fn is_filtering(
            text in prop::collection::vec(prop_oneof![any::<u8>(), Just(b' '), Just(b'\r'), Just(b'\n'), Just(b'\t')], 0..300),
        ) {
            assert_eq!(squeezed(&text), filtered(&text));
        }
    }
}
