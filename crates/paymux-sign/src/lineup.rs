//! Which known mistake explains a digest that did not match: named candidates, compared, never
//! believed.
//!
//! Whose message it is and which mistakes its senders make is a plugin's knowledge; the ways in
//! which a text gets another spelling on its way are in `spelling`.

use alloc::string::String;
use alloc::vec::Vec;

use crate::{HexCase, Md5Digest, Md5Text};

/// The most candidates that are compared for one received digest.
pub const CANDIDATES_MAX: usize = 256;
/// The most bytes that are hashed for one received digest (256 KiB). Whoever sends garbage can make
/// us do no more than this.
pub const CANDIDATE_BYTES_MAX: usize = 256 * 1024;

/// A received digest that is not believed, and the candidates that may explain it.
///
/// A candidate has names instead of values, so that no secret can stand in what is told. All
/// candidates are compared, each in constant time, whichever matches; of several that match, the
/// first is told: put those that differ least in front.
///
/// ```
/// use paymux_sign::{Lineup, Md5Text};
///
/// let received = Md5Text::new().piece("A1").piece("old").digest().to_hex();
/// let mut lineup = Lineup::of(received.as_str()).unwrap();
/// lineup.text(&["the secret in force"], &["A1", "new"]);
/// lineup.text(&["the previous secret"], &["A1", "old"]);
/// assert_eq!(lineup.told().as_deref(), Some("the previous secret"));
/// ```
pub struct Lineup {
    received: Md5Digest,
    /// How the received digest itself deviates from 32 lower-case digits.
    spelt: Vec<&'static str>,
    found: Option<Vec<&'static str>>,
    candidates_left: usize,
    bytes_left: usize,
}

impl Lineup {
    /// Reads a received digest in any spelling: white space around it and upper case are named.
    /// `None` where it is none however it is read.
    pub fn of(received: &str) -> Option<Self> {
        let trimmed = received.trim();
        let digest = Md5Digest::from_hex(trimmed, HexCase::Any).ok()?;
        let mut spelt = Vec::new();
        if trimmed.len() != received.len() {
            spelt.push("white space around the digest");
        }
        if Md5Digest::from_hex(trimmed, HexCase::Lower).is_err() {
            spelt.push("a digest in upper case");
        }
        Some(Self {
            received: digest,
            spelt,
            found: None,
            candidates_left: CANDIDATES_MAX,
            bytes_left: CANDIDATE_BYTES_MAX,
        })
    }

    /// Compares the digest of these pieces with nothing between them.
    pub fn text(&mut self, names: &[&'static str], pieces: &[impl AsRef<[u8]>]) {
        let bytes = pieces.iter().map(|piece| piece.as_ref().len()).sum();
        self.digest(names, bytes, || pieces.iter().fold(Md5Text::new(), Md5Text::piece).digest());
    }

    /// Compares a digest that `make` computes over so many bytes. Past the limits it is not
    /// computed.
    pub fn digest(&mut self, names: &[&'static str], bytes: usize, make: impl FnOnce() -> Md5Digest) {
        let (Some(candidates), Some(left)) =
            (self.candidates_left.checked_sub(1), self.bytes_left.checked_sub(bytes))
        else {
            return;
        };
        (self.candidates_left, self.bytes_left) = (candidates, left);
        if make().matches(self.received) && self.found.is_none() {
            self.found = Some(names.to_vec());
        }
    }

    /// The names of the first candidate that matched, and what is odd about the digest itself, all
    /// joined with commas. `None`: no candidate matched.
    pub fn told(&self) -> Option<String> {
        let found = self.found.as_ref()?;
        let names: Vec<&str> = found.iter().chain(&self.spelt).copied().collect();
        Some(names.join(", "))
    }
}

impl core::fmt::Debug for Lineup {
    /// Hides the digest, as [`Md5Digest`] does.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Lineup").field("found", &self.found).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::{String, ToString as _};

    use proptest::prelude::{any, prop, proptest};

    use super::*;

    fn hex(text: &str) -> String {
        Md5Text::new().piece(text).digest().to_hex().as_str().to_string()
    }

    fn told(received: &str) -> Option<String> {
        let mut lineup = Lineup::of(received)?;
        lineup.text(&["plain"], &["a", "b"]);
        lineup.text(&["doubled", "twice"], &["aabb"]);
        lineup.text(&["plain again"], &["ab"]);
        lineup.told()
    }

    #[test]
    fn the_first_candidate_that_matches_is_told_with_the_spelling_of_the_digest() {
        let padded = format!(" {}\n", hex("ab"));
        check(&hex("ab"), Some("plain"));
        check(&hex("aabb"), Some("doubled, twice"));
        check(&hex("ab").to_uppercase(), Some("plain, a digest in upper case"));
        check(&padded, Some("plain, white space around the digest"));
        check(&padded.to_uppercase(), Some("plain, white space around the digest, a digest in upper case"));
        check(&hex("abc"), None);
        check("", None);
        check("ab", None);
        check(&format!("{}0", hex("ab")), None);
        check(&hex("ab").replace('9', "g"), None);

        #[track_caller]
        fn check(received: &str, want: Option<&str>) {
            assert_eq!(told(received).as_deref(), want, "{received}");
        }
    }

    #[test]
    fn what_is_past_a_limit_is_not_computed() {
        assert_eq!(CANDIDATE_BYTES_MAX, 262_144);
        let mut lineup = Lineup::of(&hex("x")).unwrap();
        for _ in 0..CANDIDATES_MAX {
            lineup.text(&["no"], &["y"]);
        }
        lineup.digest(&["late"], 1, || panic!("one candidate too many"));
        assert_eq!(lineup.told(), None);

        let mut lineup = Lineup::of(&hex("x")).unwrap();
        lineup.digest(&["large"], CANDIDATE_BYTES_MAX + 1, || panic!("too many bytes"));
        lineup.digest(&["all"], CANDIDATE_BYTES_MAX, || Md5Text::new().digest());
        lineup.digest(&["one more"], 1, || panic!("the bytes are used up"));
        lineup.digest(&["free"], 0, || Md5Text::new().piece("x").digest());
        assert_eq!(lineup.told().as_deref(), Some("free"), "a large candidate stops no smaller one");
    }

    #[test]
    fn it_prints_no_digest() {
        let shown = format!("{:?}", Lineup::of(&hex("ab")).unwrap());
        assert!(shown.starts_with("Lineup {") && !shown.contains(&hex("ab")[..8]), "{shown}");
    }

    proptest! {
        #[test]
        fn names_only_what_fits(text in ".{0,20}", other in prop::collection::vec(any::<u8>(), 0..20)) {
            let mut lineup = Lineup::of(&hex(&text)).unwrap();
            lineup.text(&["it"], &[&other]);
            assert_eq!(lineup.told().is_some(), other == text.as_bytes());
        }
    }
}
