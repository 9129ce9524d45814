//! Holds a sign to the first call that used it.
//!
//! The sign covers neither the operation nor blanks: a captured question with an operator's name in it would be
//! a valid cancel, and the same digest fits another body. So what was signed once stays what it was. The same call
//! again is a repeat and passes.
//!
//! This process alone remembers, and so many signs: where several serve one client, the host claims them in its store.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use paymux_sign::{Md5Digest, Md5Text};

use super::operation::Operation;

/// How many signs are remembered; the oldest is forgotten first.
const SIGNS_MAX: usize = 65_536;

/// Signs that were used.
#[derive(Default)]
pub(super) struct Bound(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    calls: BTreeMap<String, Md5Digest>,
    order: VecDeque<String>,
}

impl Bound {
    /// Whether a sign, which is right, may be used for that call: it is new, or was used for the same.
    pub(super) fn claim(&self, sign: &str, operation: Operation, body: &[u8]) -> bool {
        let call = Md5Text::new().piece(operation.word()).piece("\n").piece(body).digest();
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(first) = seen.calls.get(sign) {
            return first.matches(call);
        }
        if seen.order.len() >= SIGNS_MAX
            && let Some(oldest) = seen.order.pop_front()
        {
            seen.calls.remove(&oldest);
        }
        seen.calls.insert(sign.to_owned(), call);
        seen.order.push_back(sign.to_owned());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_stays_with_its_first_call() {
        let bound = Bound::default();
        assert!(bound.claim("s1", Operation::Query, b"{}"));
        assert!(bound.claim("s1", Operation::Query, b"{}"), "a repeat");
        assert!(!bound.claim("s1", Operation::Cancel, b"{}"), "another operation");
        assert!(!bound.claim("s1", Operation::Query, b"{ }"), "another body of the same digest");
        assert!(bound.claim("s2", Operation::Cancel, b"{}"));
    }

    #[test]
    fn the_oldest_is_forgotten_first() {
        let bound = Bound::default();
        for number in 0..=SIGNS_MAX {
            assert!(bound.claim(&number.to_string(), Operation::Query, b"{}"));
        }
        assert!(!bound.claim("1", Operation::Close, b"{}"), "still known");
        assert!(bound.claim("0", Operation::Close, b"{}"), "forgotten");
        assert_eq!(bound.0.lock().unwrap().calls.len(), SIGNS_MAX);
    }
}
