//! Sets of channels as words of bits: bit `i` is the `i`-th channel of a route. Plain slices of words, so that
//! a filter is one AND a word and a choice allocates nothing.

/// How many channels one word holds.
pub(super) const WORD: usize = 64;

/// How many words `count` channels take.
pub(super) const fn words(count: usize) -> usize {
    count.div_ceil(WORD)
}

/// Adds a place to a set.
pub(super) fn insert(set: &mut [u64], place: usize) {
    if let Some(word) = set.get_mut(place / WORD) {
        *word |= bit(place);
    }
}

/// Takes a place out of a set.
pub(super) fn remove(set: &mut [u64], place: usize) {
    if let Some(word) = set.get_mut(place / WORD) {
        *word &= !bit(place);
    }
}

/// Whether a place is in a set.
pub(super) fn has(set: &[u64], place: usize) -> bool {
    set.get(place / WORD).is_some_and(|word| word & bit(place) != 0)
}

/// Keeps of `set` what is in `other` too.
pub(super) fn retain(set: &mut [u64], other: &[u64]) {
    for (word, other) in set.iter_mut().zip(other) {
        *word &= other;
    }
}

/// How many are in a set.
pub(super) fn count(set: &[u64]) -> usize {
    set.iter().map(|word| word.count_ones() as usize).sum()
}

/// The first of a set.
pub(super) fn first(set: &[u64]) -> Option<usize> {
    let (place, word) = set.iter().enumerate().find(|(_, word)| **word != 0)?;
    Some(place * WORD + word.trailing_zeros() as usize)
}

/// The `rank`-th of a set, counted from 0.
pub(super) fn nth(set: &[u64], rank: usize) -> Option<usize> {
    let mut left = rank;
    for (place, word) in set.iter().enumerate() {
        let here = word.count_ones() as usize;
        if left < here {
            return Some(place * WORD + nth_of_word(*word, left));
        }
        left -= here;
    }
    None
}

/// All of a set, in order.
pub(super) fn all(set: &[u64]) -> impl Iterator<Item = usize> + '_ {
    set.iter().enumerate().flat_map(|(place, word)| Ones(*word).map(move |bit| place * WORD + bit))
}

/// All of a set that are not in `other`, in order.
pub(super) fn without<'a>(set: &'a [u64], other: &'a [u64]) -> impl Iterator<Item = usize> + 'a {
    let words = set.iter().zip(other).map(|(word, other)| word & !other).enumerate();
    words.flat_map(|(place, word)| Ones(word).map(move |bit| place * WORD + bit))
}

/// A set of the first `count` places.
pub(super) fn full(count: usize) -> Box<[u64]> {
    let mut set = vec![u64::MAX; words(count)];
    if let (Some(last), rest @ 1..) = (set.last_mut(), count % WORD) {
        *last = bit(rest) - 1;
    }
    set.into()
}

const fn bit(place: usize) -> u64 {
    1 << (place % WORD)
}

/// The place of the `rank`-th one, which is there: halves are counted and left behind.
fn nth_of_word(mut word: u64, mut rank: usize) -> usize {
    let mut place = 0;
    for half in [32, 16, 8, 4, 2, 1] {
        let lower = word & ((1 << half) - 1);
        let ones = lower.count_ones() as usize;
        if rank < ones {
            word = lower;
        } else {
            rank -= ones;
            place += half;
            word >>= half;
        }
    }
    place
}

/// The ones of a word, lowest first.
struct Ones(u64);

impl Iterator for Ones {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let place = self.0.trailing_zeros() as usize;
        self.0 &= self.0.checked_sub(1)?;
        Some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_in() {
        for size in [1, 63, 64, 65, 200] {
            let mut set = vec![0; words(size)];
            for place in (0..size).step_by(3) {
                insert(&mut set, place);
            }
            let want: Vec<usize> = (0..size).step_by(3).collect();
            assert_eq!(all(&set).collect::<Vec<_>>(), want);
            assert_eq!(count(&set), want.len());
            assert_eq!(first(&set), want.first().copied());
            for (rank, place) in want.iter().enumerate() {
                assert_eq!(nth(&set, rank), Some(*place), "{size} {rank}");
            }
            assert_eq!(nth(&set, want.len()), None);
            remove(&mut set, 0);
            assert!(!has(&set, 0) && (size <= 3 || has(&set, 3)));
        }
        assert_eq!(first(&[]), None);
    }
    #[test]
    fn a_full_set_ends_where_it_should() {
        for size in [0, 1, 63, 64, 65, 128] {
            assert_eq!(all(&full(size)).collect::<Vec<_>>(), (0..size).collect::<Vec<_>>());
        }
    }
}
