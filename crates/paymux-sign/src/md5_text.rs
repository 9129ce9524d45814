//! MD5 over a text that arrives in pieces, with nothing between them.
//!
//! Reading and comparing the result lives in `md5_digest`; which pieces a provider signs, in
//! which order, lives in its plugin.

use core::fmt;

use crate::md5_block::{BLOCK, START, compress_block, compress_blocks, digest_of, to_number};
use crate::squeeze::{WINDOW, squeeze};
use crate::{Decimal, Md5Digest};

/// The text to be signed, taken piece by piece; only MD5's state and the last block are kept, never the text. Whose
/// pieces are all there at once is served quicker by [`Md5Digest::of`].
///
/// Nothing separates the pieces, so `"ab" + "c"` and `"a" + "bc"` sign alike. After the digest
/// is right, a receiver must still compare each field with the stored order.
///
/// Allocates nothing. Clone it to sign many texts that begin alike: whole blocks of the beginning are not hashed
/// again.
#[derive(Clone)]
pub struct Md5Text {
    state: [u32; 4],
    /// Bytes taken in so far.
    length: u64,
    /// What has come since the last whole block, and zeros behind it: that is how a text is padded.
    block: [u8; BLOCK],
}

impl Default for Md5Text {
    fn default() -> Self {
        Self { state: START, length: 0, block: [0; BLOCK] }
    }
}

impl Md5Text {
    /// An empty text.
    #[inline]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes as they are: no trimming, no escaping, no Unicode normalisation.
    #[inline]
    pub fn piece(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.take_in(bytes.as_ref());
        self
    }

    /// Adds one piece after the other. Quicker than a call for each: the text is moved once.
    #[inline]
    pub fn pieces(mut self, pieces: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Self {
        for piece in pieces {
            self.take_in(piece.as_ref());
        }
        self
    }

    /// Adds bytes without their blanks and line breaks: U+0020, CR and LF, wherever they stand. All
    /// else is kept, TAB and the blanks of other alphabets too.
    ///
    /// In one pass, without a copy of the whole. Blanks inside a value are not signed either, so a
    /// receiver must compare each field as it was sent.
    #[inline]
    pub fn squeezed(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.take_in_squeezed(bytes.as_ref());
        self
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
    #[inline]
    pub fn nested(self) -> Self {
        Self::new().piece(self.digest().to_hex())
    }

    /// Adds an integer in plain decimal, see [`Decimal`].
    #[inline]
    pub fn number(self, value: impl Into<Decimal>) -> Self {
        self.piece(value.into())
    }

    /// The digest of all pieces.
    pub fn digest(mut self) -> Md5Digest {
        let at = self.filled();
        self.block[at] = END;
        if at >= LENGTH_AT {
            compress_block(&mut self.state, &self.block);
            self.block = [0; BLOCK];
        }
        self.block[LENGTH_AT..].copy_from_slice(&self.length.wrapping_mul(8).to_le_bytes());
        compress_block(&mut self.state, &self.block);
        Md5Digest::from_number(to_number(self.state))
    }

    /// How many bytes of the last block are there.
    fn filled(&self) -> usize {
        usize::from(self.length.to_le_bytes()[0]) % BLOCK
    }

    fn take_in(&mut self, bytes: &[u8]) {
        let at = self.filled();
        let room = &mut self.block[at..];
        self.length = self.length.wrapping_add(bytes.len() as u64);
        let Some((head, rest)) = bytes.split_at_checked(room.len()) else {
            copy(bytes, &mut room[..bytes.len()]);
            return;
        };
        copy(head, room);
        compress_block(&mut self.state, &self.block);
        self.block = [0; BLOCK];
        let (blocks, tail) = rest.as_chunks();
        compress_blocks(&mut self.state, blocks);
        copy(tail, &mut self.block[..tail.len()]);
    }

    fn take_in_squeezed(&mut self, bytes: &[u8]) {
        // Windows are written whole, so the last may reach over the block's end.
        let (mut room, mut at) = ([0; BLOCK + WINDOW], self.filled());
        room[..BLOCK].copy_from_slice(&self.block);
        squeeze(bytes, |window, count| {
            room[at..at + WINDOW].copy_from_slice(window);
            at += count;
            self.length = self.length.wrapping_add(count as u64);
            if let (true, Some(block)) = (at >= BLOCK, room.first_chunk()) {
                compress_block(&mut self.state, block);
                at -= BLOCK;
                room.copy_within(BLOCK.., 0);
            }
        });
        room[at..].fill(0);
        self.block.copy_from_slice(&room[..BLOCK]);
    }
}

impl Md5Digest {
    /// The digest of pieces with nothing between them: what [`Md5Text`] makes of one after the other, and quicker,
    /// since a text of at most 119 bytes is put together first.
    ///
    /// ```
    /// use paymux_sign::{Md5Digest, Md5Text};
    ///
    /// let digest = Md5Digest::of(&[b"key", b"10.23", b"secret"]);
    /// assert!(digest.matches(Md5Text::new().piece("key").piece("10.23").piece("secret").digest()));
    /// ```
    pub fn of(pieces: &[&[u8]]) -> Self {
        let (mut room, mut length) = ([0; 2 * BLOCK], 0);
        for piece in pieces {
            let end = length + piece.len();
            let Some(place) = room.get_mut(length..end) else { return of_long(pieces) };
            copy(piece, place);
            length = end;
        }
        let blocks = (length + 8) / BLOCK + 1;
        let Some((text, _)) = room.split_at_mut_checked(blocks * BLOCK) else { return of_long(pieces) };
        text[length] = END;
        let bits = (length as u64 * 8).to_le_bytes();
        text[blocks * BLOCK - bits.len()..].copy_from_slice(&bits);
        Self::from_number(digest_of(text.as_chunks().0))
    }
}

#[cold]
fn of_long(pieces: &[&[u8]]) -> Md5Digest {
    Md5Text::new().pieces(pieces).digest()
}

/// Copies to a room of the same length. As `copy_from_slice` does, without its call: pieces are short.
#[inline]
fn copy(bytes: &[u8], room: &mut [u8]) {
    match bytes.len() {
        0..4 => copy_up_to_3(bytes, room),
        4..8 => copy_ends::<4>(bytes, room),
        8..16 => {
            // Not twice eight: digits come here right after they were written eight at a time, and a processor waits
            // for what it has to gather from two writes.
            let ((from, bytes), (to, room)) = (bytes.split_at(8), room.split_at_mut(8));
            copy_ends::<8>(from, to);
            if bytes.len() < 4 { copy_up_to_3(bytes, room) } else { copy_ends::<4>(bytes, room) }
        }
        16..32 => copy_ends::<16>(bytes, room),
        32..=64 => copy_ends::<32>(bytes, room),
        _ => room.copy_from_slice(bytes),
    }
}

/// The first, the one in the middle and the last: of one byte three times the same, and no branch for each.
#[inline]
fn copy_up_to_3(bytes: &[u8], room: &mut [u8]) {
    for at in [0, bytes.len() / 2, bytes.len().saturating_sub(1)] {
        if let (Some(to), Some(from)) = (room.get_mut(at), bytes.get(at)) {
            *to = *from;
        }
    }
}

/// Copies N to 2N bytes: the first N, and the last N over what they share.
#[inline]
fn copy_ends<const N: usize>(bytes: &[u8], room: &mut [u8]) {
    if let (Some(to), Some(from)) = (room.first_chunk_mut::<N>(), bytes.first_chunk()) {
        *to = *from;
    }
    if let (Some(to), Some(from)) = (room.last_chunk_mut::<N>(), bytes.last_chunk()) {
        *to = *from;
    }
}

/// What follows the last byte of a text.
pub(crate) const END: u8 = 0x80;
/// Where the length stands in the last block, as bits.
const LENGTH_AT: usize = BLOCK - 8;

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

    use md5::Digest as _;
    use proptest::prelude::{Just, any, prop, prop_oneof, proptest};

    use super::*;

    #[test]
    fn does_not_print_its_state() {
        assert_eq!(format!("{:?}", Md5Text::new().piece("secret")), "Md5Text(****)");
    }

    /// Every length of a text around the ends of its blocks, in two pieces cut anywhere.
    #[test]
    fn digests_as_the_reference_at_every_length() {
        let text: Vec<u8> = (0..=255).cycle().take(200).collect();
        for length in 0..text.len() {
            let want = u128::from_le_bytes(md5::Md5::digest(&text[..length]).into());
            for at in 0..=length {
                let digest = Md5Text::new().piece(&text[..at]).piece(&text[at..length]).digest();
                assert!(digest.matches(Md5Digest::from_number(want)), "{length} bytes cut at {at}");
            }
        }
    }

    /// Every length around the ends of blocks and of the room for a text that is put together first, and every
    /// length of a piece beside it.
    #[test]
    fn pieces_given_at_once_digest_as_the_reference_at_every_length() {
        let text: Vec<u8> = (0..=255).cycle().take(200).collect();
        for length in 0..text.len() {
            let text = &text[..length];
            let want = u128::from_le_bytes(md5::Md5::digest(text).into());
            for at in 0..=length {
                let (first, second) = text.split_at(at);
                let digest = Md5Digest::of(&[first, &[], second]);
                assert!(digest.matches(Md5Digest::from_number(want)), "{length} bytes cut at {at}");
            }
        }
        assert!(Md5Digest::of(&[]).matches(Md5Text::new().digest()));
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
        fn digests_as_the_reference(pieces: Vec<Vec<u8>>) {
            let want = u128::from_le_bytes(md5::Md5::digest(pieces.concat()).into());
            let digest = pieces.iter().fold(Md5Text::new(), Md5Text::piece).digest();
            assert!(digest.matches(Md5Digest::from_number(want)));
            let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            assert!(Md5Digest::of(&pieces).matches(digest));
        }

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
