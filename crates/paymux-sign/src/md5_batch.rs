//! MD5 of many texts at once, side by side in the processor's wide registers.
//!
//! For those who look at many stored messages again. One text after the other lives in `md5_text`; the steps of
//! MD5, which are the same for both, in `md5_block`.

#![expect(clippy::inline_always, reason = "what is not inlined is compiled for the oldest processor")]

use alloc::vec::Vec;
use core::fmt;

use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch, u32x16};

use crate::md5_block::{BLOCK, START, Word, compress, digest_of, to_number, words};
use crate::md5_text::END;
use crate::squeeze::squeeze;
use crate::{Decimal, Md5Digest};

/// How many texts are hashed side by side. With AVX2 two registers of eight, whose steps fill each other's pauses.
const LANES: usize = 16;
/// Fewer texts than this are hashed one after the other: most of the lanes would be empty.
const LANES_MIN: usize = 4;

/// Texts of which all digests are made at once; several times as fast as [`Md5Text`](crate::Md5Text) for each.
///
/// The texts are kept, padded, until [`clear`](Self::clear): hand in a few hundred at a time and use the same batch
/// again, then nothing is allocated either. Of a text around the digest of another, make the inner digests first.
///
/// ```
/// use paymux_sign::{Md5Batch, Md5Text};
///
/// let mut batch = Md5Batch::new();
/// for number in 0..100_u32 {
///     batch.text().piece("order").number(number);
/// }
/// let theirs = Md5Text::new().piece("order17").digest();
/// assert!(batch.digests()[17].matches(theirs));
/// ```
pub struct Md5Batch {
    /// All texts, each padded to whole blocks once it is complete.
    bytes: Vec<u8>,
    texts: Vec<Stored>,
    /// Places in `texts`, those of one length together.
    order: Vec<usize>,
    digests: Vec<Md5Digest>,
    level: Level,
}

/// Where a text stands, in bytes, and how many blocks it has; none while it is still written.
#[derive(Clone, Copy)]
struct Stored {
    start: usize,
    blocks: usize,
}

impl Default for Md5Batch {
    fn default() -> Self {
        Self::on(Level::new())
    }
}

impl Md5Batch {
    /// No texts. What this processor can do is found out once for a process.
    pub fn new() -> Self {
        Self::default()
    }

    fn on(level: Level) -> Self {
        Self { bytes: Vec::new(), texts: Vec::new(), order: Vec::new(), digests: Vec::new(), level }
    }

    /// Begins the next text; what was written of the one before is complete.
    pub fn text(&mut self) -> BatchText<'_> {
        self.complete();
        self.texts.push(Stored { start: self.bytes.len(), blocks: 0 });
        BatchText(self)
    }

    /// The digests of all texts, in the order in which they were begun.
    pub fn digests(&mut self) -> &[Md5Digest] {
        self.complete();
        let Self { bytes, texts, order, digests, level } = self;
        order.clear();
        order.extend(0..texts.len());
        // Lanes are full for as long as their texts are of one length.
        order.sort_unstable_by_key(|&place| texts[place].blocks);
        digests.clear();
        digests.resize(texts.len(), Md5Digest::from_number(0));
        for places in order.chunks(LANES) {
            if places.len() < LANES_MIN {
                for &place in places {
                    digests[place] = Md5Digest::from_number(digest_of(blocks_of(bytes, texts[place])));
                }
            } else {
                let last = places[places.len() - 1];
                let mut lanes: [&[[u8; BLOCK]]; LANES] = [blocks_of(bytes, texts[last]); LANES];
                for (lane, &place) in lanes.iter_mut().zip(places) {
                    *lane = blocks_of(bytes, texts[place]);
                }
                let states = dispatch!(*level, simd => side_by_side(simd, &lanes));
                for (&place, state) in places.iter().zip(states) {
                    digests[place] = Md5Digest::from_number(to_number(state));
                }
            }
        }
        digests
    }

    /// How many texts there are.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// Forgets all texts and keeps their room.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.texts.clear();
    }

    /// Pads the last text, unless it is padded.
    fn complete(&mut self) {
        let Some(text) = self.texts.last_mut().filter(|text| text.blocks == 0) else { return };
        let length = self.bytes.len() - text.start;
        text.blocks = (length + 8) / BLOCK + 1;
        let end = text.start + text.blocks * BLOCK;
        self.bytes.resize(end, 0);
        self.bytes[text.start + length] = END;
        self.bytes[end - 8..].copy_from_slice(&(length as u64).wrapping_mul(8).to_le_bytes());
    }
}

impl fmt::Debug for Md5Batch {
    /// Hides the texts: they hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Md5Batch").field("texts", &self.texts.len()).finish_non_exhaustive()
    }
}

/// The text of a batch that is being written. Each method adds what the one of [`Md5Text`](crate::Md5Text) does.
#[derive(Debug)]
pub struct BatchText<'a>(&'a mut Md5Batch);

impl BatchText<'_> {
    /// Adds bytes as they are.
    pub fn piece(self, bytes: impl AsRef<[u8]>) -> Self {
        self.0.bytes.extend_from_slice(bytes.as_ref());
        self
    }

    /// Adds bytes without U+0020, CR and LF.
    pub fn squeezed(self, bytes: impl AsRef<[u8]>) -> Self {
        squeeze(bytes.as_ref(), |window, count| self.0.bytes.extend_from_slice(&window[..count]));
        self
    }

    /// Adds an integer in plain decimal, see [`Decimal`].
    pub fn number(self, value: impl Into<Decimal>) -> Self {
        self.piece(value.into())
    }
}

fn blocks_of(bytes: &[u8], text: Stored) -> &[[u8; BLOCK]] {
    bytes[text.start..].as_chunks().0.split_at(text.blocks).0
}

/// The last states of sixteen texts, of which the last is one of the longest.
#[inline(always)]
fn side_by_side<S: Simd>(simd: S, lanes: &[&[[u8; BLOCK]]; LANES]) -> [[u32; 4]; LANES] {
    let mut state = START.map(|word| u32x16::splat(simd, word));
    let mut ended = [START; LANES];
    let longest = lanes[LANES - 1].len();
    for at in 0..longest {
        let mut rows = [u32x16::splat(simd, 0); LANES];
        for (row, blocks) in rows.iter_mut().zip(lanes) {
            // A text that has ended goes on with its last block, and nobody looks at what comes of it.
            let Some(block) = blocks.get(at).or(blocks.last()) else { continue };
            *row = u32x16::simd_from(simd, words(block));
        }
        compress(&mut state, &turned(simd, rows));
        if lanes.iter().any(|blocks| blocks.len() == at + 1) {
            let columns: [[u32; LANES]; 4] = state.map(Into::into);
            for (lane, (blocks, ended)) in lanes.iter().zip(&mut ended).enumerate() {
                if blocks.len() == at + 1 {
                    *ended = columns.map(|column| column[lane]);
                }
            }
        }
    }
    ended
}

/// Rows as columns: of each text its words become of each word its texts. Four times, each pair of rows from the two
/// halves is shuffled together.
#[inline(always)]
fn turned<S: Simd>(simd: S, mut rows: [u32x16<S>; LANES]) -> [u32x16<S>; LANES] {
    for _ in 0..LANES.ilog2() {
        let mut shuffled = rows;
        let (upper, lower) = rows.split_at(LANES / 2);
        for (pair, (upper, lower)) in shuffled.as_chunks_mut().0.iter_mut().zip(upper.iter().zip(lower)) {
            *pair = simd.interleave_u32x16(*upper, *lower).into();
        }
        rows = shuffled;
    }
    rows
}

impl<S: Simd> Word for u32x16<S> {
    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self + other
    }

    #[inline(always)]
    fn plus_constant(self, constant: u32) -> Self {
        self + constant
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
        (self << bits) | (self >> (32 - bits))
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use md5::Digest as _;
    use proptest::prelude::{any, prop, proptest};

    use super::*;
    use crate::Md5Text;

    /// Compares each digest with the reference, on every kind of registers that this processor has.
    #[track_caller]
    fn check(texts: &[Vec<u8>]) {
        for level in [Level::baseline(), Level::new()] {
            let mut batch = Md5Batch::on(level);
            for text in texts {
                let (first, rest) = text.split_at(text.len() / 3);
                batch.text().piece(first).piece(rest);
            }
            let digests = batch.digests();
            assert_eq!(digests.len(), texts.len());
            for (text, digest) in texts.iter().zip(digests) {
                let want = u128::from_le_bytes(md5::Md5::digest(text).into());
                assert!(digest.matches(Md5Digest::from_number(want)), "{} bytes, {level:?}", text.len());
            }
        }
    }

    fn text(length: usize, seed: usize) -> Vec<u8> {
        (0..=255).cycle().skip(seed).take(length).collect()
    }

    #[test]
    fn every_count_of_texts_and_every_length_around_the_ends_of_blocks() {
        for count in 0..=40 {
            check(&(0..count).map(|seed| text(81, seed)).collect::<Vec<_>>());
        }
        check(&(0..200).map(|length| text(length, length)).collect::<Vec<_>>());
        check(&[0, 55, 56, 63, 64, 65, 119, 120, 128, 5000].map(|length| text(length, 7)));
    }

    #[test]
    fn a_text_can_be_empty_and_a_batch_used_again() {
        let mut batch = Md5Batch::new();
        assert!(batch.is_empty() && batch.digests().is_empty());
        let _ = batch.text();
        let _ = batch.text().piece("a");
        assert!(batch.digests()[0].matches(Md5Text::new().digest()));
        assert!(batch.digests()[1].matches(Md5Text::new().piece("a").digest()), "asked again");
        let _ = batch.text().piece("later");
        assert!(batch.digests()[2].matches(Md5Text::new().piece("later").digest()));
        assert_eq!(batch.len(), 3);
        batch.clear();
        let _ = batch.text().number(7_u32);
        assert!(batch.digests()[0].matches(Md5Text::new().piece("7").digest()));
        assert_eq!(batch.len(), 1);
    }

    #[test]
    fn it_prints_no_text() {
        let mut batch = Md5Batch::new();
        let shown = format!("{:?}", batch.text().piece("secret"));
        assert_eq!(shown, "BatchText(Md5Batch { texts: 1, .. })");
    }

    proptest! {
        #[test]
        fn digests_as_the_reference(texts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..400), 0..50)) {
            check(&texts);
        }

        #[test]
        fn squeezes_as_one_text_does(body in "[a-c \r\n]{0,200}") {
            let mut batch = Md5Batch::new();
            let _ = batch.text().piece("key").squeezed(&body);
            assert!(batch.digests()[0].matches(Md5Text::new().piece("key").squeezed(&body).digest()));
        }
    }
}
