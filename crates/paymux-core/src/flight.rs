//! What is under way in this process, counted by whom it is for: what hangs for one must not take the places
//! of all others.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Calls under way, by whom they are for.
#[derive(Debug)]
pub(crate) struct Flight<K: Ord> {
    under_way: Mutex<BTreeMap<K, u32>>,
}

impl<K: Ord> Default for Flight<K> {
    fn default() -> Self {
        Self { under_way: Mutex::default() }
    }
}

impl<K: Ord + Clone> Flight<K> {
    /// How many more can begin where `most` may be under way at once.
    pub(crate) fn room(&self, most: u32) -> u32 {
        self.counts().values().fold(most, |room, count| room.saturating_sub(*count))
    }

    /// Those for whom `most` or more are under way.
    pub(crate) fn busy(&self, most: u32) -> Vec<K> {
        let counts = self.counts();
        counts.iter().filter(|(_, count)| **count >= most).map(|(key, _)| key.clone()).collect()
    }

    /// One more begins; it is over when what is given back is dropped.
    pub(crate) fn begin(self: &Arc<Self>, key: K) -> Aboard<K> {
        *self.counts().entry(key.clone()).or_default() += 1;
        Aboard { flight: self.clone(), key }
    }

    fn counts(&self) -> MutexGuard<'_, BTreeMap<K, u32>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One call under way.
#[derive(Debug)]
pub(crate) struct Aboard<K: Ord + Clone> {
    flight: Arc<Flight<K>>,
    key: K,
}

impl<K: Ord + Clone> Drop for Aboard<K> {
    fn drop(&mut self) {
        let mut counts = self.flight.counts();
        let left = counts.get(&self.key).map_or(0, |count| count.saturating_sub(1));
        if left == 0 {
            counts.remove(&self.key);
        } else {
            counts.insert(self.key.clone(), left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_makes_room() {
        let flight = Arc::new(Flight::default());
        let first = flight.begin("a");
        let second = flight.begin("a");
        let other = flight.begin("b");
        assert_eq!((flight.room(4), flight.room(3), flight.room(2)), (1, 0, 0));
        assert_eq!((flight.busy(2), flight.busy(3)), (vec!["a"], Vec::new()));
        drop(first);
        assert_eq!((flight.room(3), flight.busy(2)), (1, Vec::new()));
        drop((second, other));
        assert_eq!((flight.room(3), flight.busy(1)), (3, Vec::new()));
    }
}
