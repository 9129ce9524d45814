//! Which channels, or routes, a payer's region leaves. A payer whose region nobody knows is in none that is listed.

use std::collections::BTreeMap;

use super::bits;
use crate::region::Region;

/// The table.
#[derive(Debug)]
pub(super) struct Regions {
    words: usize,
    /// In order, each with a row in `sets`; row 0 holds for every other region, and for none.
    listed: Box<[Region]>,
    sets: Box<[u64]>,
}

impl Regions {
    /// The table of places with the regions that each takes; `None` = any, known or not. No table where every
    /// place takes any.
    pub(super) fn new(of_places: &[Option<&[Region]>]) -> Option<Self> {
        if of_places.iter().all(Option::is_none) {
            return None;
        }
        let words = bits::words(of_places.len());
        let mut any = vec![0; words];
        let mut by_region: BTreeMap<Region, Vec<u64>> = BTreeMap::new();
        for (place, regions) in of_places.iter().enumerate() {
            match regions {
                None => bits::insert(&mut any, place),
                Some(regions) => regions.iter().for_each(|region| {
                    bits::insert(by_region.entry(*region).or_insert_with(|| vec![0; words]), place);
                }),
            }
        }
        let mut sets = any.clone();
        for set in by_region.values() {
            sets.extend(set.iter().zip(&any).map(|(own, any)| own | any));
        }
        Some(Self { words, listed: by_region.into_keys().collect(), sets: sets.into() })
    }

    /// Leaves in `set` only those that take a payer from there.
    pub(super) fn retain(&self, set: &mut [u64], region: Option<Region>) {
        let listed = region.and_then(|region| self.listed.binary_search(&region).ok());
        let row = listed.map_or(0, |place| place + 1);
        bits::retain(set, &self.sets[row * self.words..][..self.words]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_region_is_in_no_list() {
        let code = |code| Region::from_code(code).unwrap();
        let (sh, bj) = (code("CN-31"), code("CN-11"));
        assert!(Regions::new(&[None, None]).is_none());
        let table = Regions::new(&[Some(&[sh]), None, Some(&[sh, bj])]).unwrap();
        let left = |region| {
            let mut set = [0b111];
            table.retain(&mut set, region);
            set[0]
        };
        assert_eq!(left(Some(sh)), 0b111);
        assert_eq!(left(Some(bj)), 0b110);
        assert_eq!(left(Some(code("CN-44"))), 0b010);
        assert_eq!(left(None), 0b010);
    }
}
