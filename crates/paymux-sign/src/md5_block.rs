//! MD5's compression of one block, written once for one text and for many side by side.
//!
//! Buffering and padding one text lives in `md5_text`, many of them in `md5_batch`.
//!
//! A block is a chain of 64 steps of which none can begin before the last has ended: 288 operations of one
//! cycle each, whatever the code. So this is written for a short chain, not for few instructions: what does not
//! wait for the last step is added up first, and the constants come out of memory (see [`compress`]).

#![expect(clippy::inline_always, reason = "a step that is called is slower than the step itself")]

use core::hint::black_box;

/// Bytes of a block.
pub(crate) const BLOCK: usize = 64;

/// What a text begins with.
///
/// Source: RFC 1321, section 3.3.
pub(crate) const START: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

/// 2^32 times the absolute sine of 1 to 64, in radians.
///
/// Source: RFC 1321, section 3.4.
#[rustfmt::skip]
static CONSTANTS: [u32; 64] = [
    0xd76a_a478, 0xe8c7_b756, 0x2420_70db, 0xc1bd_ceee, 0xf57c_0faf, 0x4787_c62a, 0xa830_4613, 0xfd46_9501,
    0x6980_98d8, 0x8b44_f7af, 0xffff_5bb1, 0x895c_d7be, 0x6b90_1122, 0xfd98_7193, 0xa679_438e, 0x49b4_0821,
    0xf61e_2562, 0xc040_b340, 0x265e_5a51, 0xe9b6_c7aa, 0xd62f_105d, 0x0244_1453, 0xd8a1_e681, 0xe7d3_fbc8,
    0x21e1_cde6, 0xc337_07d6, 0xf4d5_0d87, 0x455a_14ed, 0xa9e3_e905, 0xfcef_a3f8, 0x676f_02d9, 0x8d2a_4c8a,
    0xfffa_3942, 0x8771_f681, 0x6d9d_6122, 0xfde5_380c, 0xa4be_ea44, 0x4bde_cfa9, 0xf6bb_4b60, 0xbebf_bc70,
    0x289b_7ec6, 0xeaa1_27fa, 0xd4ef_3085, 0x0488_1d05, 0xd9d4_d039, 0xe6db_99e5, 0x1fa2_7cf8, 0xc4ac_5665,
    0xf429_2244, 0x432a_ff97, 0xab94_23a7, 0xfc93_a039, 0x655b_59c3, 0x8f0c_cc92, 0xffef_f47d, 0x8584_5dd1,
    0x6fa8_7e4f, 0xfe2c_e6e0, 0xa301_4314, 0x4e08_11a1, 0xf753_7e82, 0xbd3a_f235, 0x2ad7_d2bb, 0xeb86_d391,
];

/// A 32-bit number, or many side by side.
pub(crate) trait Word: Copy {
    /// Sum, wrapping.
    fn plus(self, other: Self) -> Self;
    /// Sum with a constant, wrapping.
    fn plus_constant(self, constant: u32) -> Self;
    /// Bits of both.
    fn and(self, other: Self) -> Self;
    /// Bits of either.
    fn or(self, other: Self) -> Self;
    /// Bits of one.
    fn xor(self, other: Self) -> Self;
    /// All other bits.
    fn not(self) -> Self;
    /// Bits moved to the left, those that leave come in at the right. Between 1 and 31.
    fn rotated(self, bits: u32) -> Self;
}

impl Word for u32 {
    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }

    #[inline(always)]
    fn plus_constant(self, constant: u32) -> Self {
        self.wrapping_add(constant)
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        self & other
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        self | other
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        self ^ other
    }

    #[inline(always)]
    fn not(self) -> Self {
        !self
    }

    #[inline(always)]
    fn rotated(self, bits: u32) -> Self {
        self.rotate_left(bits)
    }
}

/// Takes one block of one text into its state.
///
/// Not inlined: 600 instructions, called from several places.
#[inline(never)]
pub(crate) fn compress_block(state: &mut [u32; 4], block: &[u8; BLOCK]) {
    compress(state, &words(block));
}

/// Takes blocks into a state and does nothing else.
///
/// Hidden: for benches, which compare signs with what MD5 alone costs.
pub fn compress_blocks(state: &mut [u32; 4], blocks: &[[u8; BLOCK]]) {
    for block in blocks {
        compress_block(state, block);
    }
}

/// The digest of a whole text in blocks, as a number whose lowest byte comes first.
///
/// Has the steps in it once more: with the state in registers a digest is there some nanoseconds earlier.
#[inline(always)]
pub(crate) fn digest_of(blocks: &[[u8; BLOCK]]) -> u128 {
    let mut state = START;
    for block in blocks {
        compress(&mut state, &words(block));
    }
    to_number(state)
}

/// A block as the sixteen numbers that the steps take.
#[inline(always)]
pub(crate) fn words(block: &[u8; BLOCK]) -> [u32; 16] {
    let mut words = [0; 16];
    for (word, bytes) in words.iter_mut().zip(block.as_chunks().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    words
}

/// Takes the sixteen words of one block into a state.
///
/// The constants stand behind `black_box` on purpose: where the compiler sees them, it adds each of them last, after
/// what comes from the step before, and each step waits one cycle longer. The hint changes no result.
///
/// Source: RFC 1321, section 3.4.
#[inline(always)]
pub(crate) fn compress<W: Word>(state: &mut [W; 4], message: &[W; 16]) {
    let constants = black_box(&CONSTANTS);
    let [mut a, mut b, mut c, mut d] = *state;
    // Four steps: which function, from which constant on, with which words, moved by how many bits.
    macro_rules! four {
        ($mixed:ident, $at:literal, [$w0:literal, $w1:literal, $w2:literal, $w3:literal], $bits:expr) => {
            let sum =
                |to: W, step: usize, word: usize| to.plus_constant(constants[$at + step]).plus(message[word]);
            a = $mixed(sum(a, 0, $w0), b, c, d).rotated($bits[0]).plus(b);
            d = $mixed(sum(d, 1, $w1), a, b, c).rotated($bits[1]).plus(a);
            c = $mixed(sum(c, 2, $w2), d, a, b).rotated($bits[2]).plus(d);
            b = $mixed(sum(b, 3, $w3), c, d, a).rotated($bits[3]).plus(c);
        };
    }
    let (first, second, third, fourth) = ([7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]);
    four!(f, 0, [0, 1, 2, 3], first);
    four!(f, 4, [4, 5, 6, 7], first);
    four!(f, 8, [8, 9, 10, 11], first);
    four!(f, 12, [12, 13, 14, 15], first);
    four!(g, 16, [1, 6, 11, 0], second);
    four!(g, 20, [5, 10, 15, 4], second);
    four!(g, 24, [9, 14, 3, 8], second);
    four!(g, 28, [13, 2, 7, 12], second);
    four!(h, 32, [5, 8, 11, 14], third);
    four!(h, 36, [1, 4, 7, 10], third);
    four!(h, 40, [13, 0, 3, 6], third);
    four!(h, 44, [9, 12, 15, 2], third);
    four!(i, 48, [0, 7, 14, 5], fourth);
    four!(i, 52, [12, 3, 10, 1], fourth);
    four!(i, 56, [8, 15, 6, 13], fourth);
    four!(i, 60, [4, 11, 2, 9], fourth);
    *state = [state[0].plus(a), state[1].plus(b), state[2].plus(c), state[3].plus(d)];
}

/// `sum` and the bits of `c` where `b` has ones, of `d` where it has none.
#[inline(always)]
fn f<W: Word>(sum: W, b: W, c: W, d: W) -> W {
    sum.plus(d.xor(b.and(c.xor(d))))
}

/// `sum` and the bits of `b` where `d` has ones, of `c` where it has none. Added one by one, since only one of them
/// waits for `b`.
#[inline(always)]
fn g<W: Word>(sum: W, b: W, c: W, d: W) -> W {
    sum.plus(c.and(d.not())).plus(b.and(d))
}

#[inline(always)]
fn h<W: Word>(sum: W, b: W, c: W, d: W) -> W {
    sum.plus(b.xor(c.xor(d)))
}

#[inline(always)]
fn i<W: Word>(sum: W, b: W, c: W, d: W) -> W {
    sum.plus(c.xor(b.or(d.not())))
}

/// A state as the number that the 16 bytes of a digest are, the lowest first.
#[inline(always)]
pub(crate) fn to_number([a, b, c, d]: [u32; 4]) -> u128 {
    let two = |low: u32, high: u32| u64::from(low) | (u64::from(high) << 32);
    u128::from(two(a, b)) | (u128::from(two(c, d)) << 64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, proptest};

    use super::*;

    proptest! {
        /// Another's implementation says the same of any state and block.
        #[test]
        fn compresses_as_the_reference(
            state: [u32; 4],
            block in prop::collection::vec(any::<u8>(), BLOCK),
        ) {
            let block: [u8; BLOCK] = block.try_into().unwrap();
            let (mut ours, mut theirs) = (state, state);
            compress_blocks(&mut ours, &[block, block]);
            md5::block_api::compress(&mut theirs, &[block, block]);
            assert_eq!(ours, theirs);
        }
    }

    #[test]
    fn a_state_is_written_lowest_byte_first() {
        let number = to_number([0x0403_0201, 5, 0, 0x8000_0000]);
        assert_eq!(number.to_le_bytes(), [1, 2, 3, 4, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 128]);
    }
}
