//! Making an input of others: one that is right or was taken, changed in a few places.
//!
//! Which inputs there are to begin with says each target; which are kept says `run`.

use std::ops::Range;

use fastrand::Rng;

/// The longest input, in bytes: longer than any message that is read.
pub const BYTES_MAX: usize = 70_000;

/// What parsers stumble over.
const BYTES: &[u8] = b"\0\t\n\r \"#%&'*+,-./09:;<=>?AEFZ[\\]_aefz{|}~\x7f\x80\xbf\xc3\xe5\xed\xf0\xff";

/// The ends of ranges, and numbers in forms that a protocol may not have.
const NUMBERS: &[&str] = &[
    "",
    "0",
    "-0",
    "-1",
    "+1",
    "00",
    "01",
    "1",
    "0.01",
    "0.1",
    "1.0",
    "1.005",
    "1e2",
    "1E400",
    "0x10",
    "255",
    "256",
    "65535",
    "65536",
    "2147483648",
    "4294967296",
    "9007199254740993",
    "9999999999999",
    "10000000000000",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
    "-9223372036854775808",
    "99999999999999999999999999999999999999",
    "\u{0661}",
];

/// One of the inputs, changed in one to eight places. The same random numbers make the same input.
pub fn changed(rng: &mut Rng, inputs: &[Vec<u8>], words: &[&str]) -> Vec<u8> {
    let mut input = rng.choice(inputs).cloned().unwrap_or_default();
    for _ in 0..1 << rng.u32(0..4) {
        change(rng, &mut input, inputs, words);
    }
    input.truncate(BYTES_MAX);
    input
}

fn change(rng: &mut Rng, input: &mut Vec<u8>, inputs: &[Vec<u8>], words: &[&str]) {
    let range = range(rng, input.len());
    let place = range.start;
    match rng.u32(0..16) {
        0 | 1 => at(input, place, |byte| *byte ^= 1 << rng.u32(0..8)),
        2 | 3 => at(input, place, |byte| *byte = one_of(rng, BYTES)),
        4 => at(input, place, |byte| *byte = rng.u8(..)),
        5 | 6 => insert(input, place, &[one_of(rng, BYTES)]),
        7 => insert(input, place, word(rng, words).as_bytes()),
        8 => replace(input, range, word(rng, words).as_bytes()),
        9 => replace(input, range, &[]),
        10 => {
            let copy = input.get(range).unwrap_or_default().to_vec();
            let place = rng.usize(..=input.len());
            insert(input, place, &copy);
        }
        11 => {
            let other = rng.choice(inputs).map_or(&[][..], Vec::as_slice);
            let part = self::range(rng, other.len());
            replace(input, range, other.get(part).unwrap_or_default());
        }
        12 | 13 => {
            let number = number_at(input, place);
            replace(input, number, one_of(rng, NUMBERS).as_bytes());
        }
        14 => input.truncate(place),
        _ => {
            // Mostly a little too long, seldom longer than any limit.
            let most = if rng.u32(0..64) == 0 { BYTES_MAX } else { 200 };
            let filling = vec![one_of(rng, BYTES); rng.usize(..most)];
            insert(input, place, &filling);
        }
    }
}

/// A range of at most 64 bytes; empty at the end of the input.
fn range(rng: &mut Rng, length: usize) -> Range<usize> {
    let (start, most) = (rng.usize(..=length), 1 << rng.u32(0..7));
    start..length.min(start + rng.usize(..=most))
}

/// The digits, dots and signs at a place, or none.
fn number_at(input: &[u8], place: usize) -> Range<usize> {
    let is_part = |byte: &u8| byte.is_ascii_digit() || b".-+".contains(byte);
    let before = input[..place].iter().rev().take_while(|byte| is_part(byte)).count();
    let behind = input[place..].iter().take_while(|byte| is_part(byte)).count();
    place - before..place + behind
}

fn at(input: &mut [u8], place: usize, change: impl FnOnce(&mut u8)) {
    if let Some(byte) = input.get_mut(place) {
        change(byte);
    }
}

fn insert(input: &mut Vec<u8>, place: usize, bytes: &[u8]) {
    replace(input, place..place, bytes);
}

fn replace(input: &mut Vec<u8>, range: Range<usize>, bytes: &[u8]) {
    input.splice(range, bytes.iter().copied());
}

fn one_of<T: Copy + Default>(rng: &mut Rng, all: &[T]) -> T {
    rng.choice(all).copied().unwrap_or_default()
}

fn word<'a>(rng: &mut Rng, words: &[&'a str]) -> &'a str {
    one_of(rng, words)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn drawn(seed: u64, count: usize) -> Vec<Vec<u8>> {
        let mut rng = Rng::with_seed(seed);
        let inputs = [b"{\"amount\":1023}".to_vec(), b"price=10.23&sign=ab".to_vec()];
        (0..count).map(|_| changed(&mut rng, &inputs, &["sign", "\u{7ea2}"])).collect()
    }

    #[test]
    fn the_same_seed_draws_the_same_inputs() {
        assert_eq!(drawn(7, 200), drawn(7, 200));
        assert_ne!(drawn(7, 200), drawn(8, 200));
    }

    #[test]
    fn inputs_are_all_kinds_and_never_too_long() {
        let all: BTreeSet<Vec<u8>> = drawn(1, 20_000).into_iter().collect();
        assert!(all.len() > 15_000, "{}", all.len());
        assert!(all.iter().all(|input| input.len() <= BYTES_MAX));
        for (what, is_it) in [
            ("empty", Box::new(|input: &[u8]| input.is_empty()) as Box<dyn Fn(&[u8]) -> bool>),
            ("of thousands of bytes", Box::new(|input| input.len() > 10_000)),
            ("no UTF-8", Box::new(|input| std::str::from_utf8(input).is_err())),
            ("with the end of a range", Box::new(|input| holds(input, b":9223372036854775807}"))),
            ("with a part of another", Box::new(|input| holds(input, b"amount") && holds(input, b"price"))),
            ("with one byte other", Box::new(|input| holds(input, b"{\"amount\":") && input.len() == 15)),
        ] {
            assert!(all.iter().any(|input| is_it(input)), "none is {what}");
        }

        fn holds(input: &[u8], part: &[u8]) -> bool {
            input.windows(part.len()).any(|window| window == part)
        }
    }

    #[test]
    fn nothing_is_needed_to_begin_with() {
        let mut rng = Rng::with_seed(3);
        for _ in 0..1000 {
            changed(&mut rng, &[], &[]);
        }
    }
}
