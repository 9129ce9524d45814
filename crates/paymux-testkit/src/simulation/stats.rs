//! How often each fault and each interesting state was hit, so that "no violation" means something.

use std::collections::BTreeMap;
use std::fmt::Write;

/// Counts by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats(BTreeMap<String, u64>);

impl Stats {
    /// One more of that name.
    pub fn add(&mut self, name: &str) {
        self.add_many(name, 1);
    }

    /// So many more of that name.
    pub fn add_many(&mut self, name: &str, count: u64) {
        match self.0.get_mut(name) {
            Some(sum) => *sum += count,
            None => {
                self.0.insert(name.to_owned(), count);
            }
        }
    }

    /// How many there were.
    pub fn count(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// Adds another run's counts.
    pub fn join(&mut self, other: &Self) {
        for (name, count) in &other.0 {
            self.add_many(name, *count);
        }
    }

    /// Every name with its count, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(name, count)| (name.as_str(), *count))
    }

    /// The names of that list that were hit less often than it says, with what was counted.
    pub fn below<'a>(&self, floors: &[(&'a str, u64)]) -> Vec<(&'a str, u64, u64)> {
        let short = |(name, floor): &(&'a str, u64)| {
            let count = self.count(name);
            (count < *floor).then_some((*name, *floor, count))
        };
        floors.iter().filter_map(short).collect()
    }

    /// Two columns of names and counts, as wide as a terminal.
    pub fn table(&self) -> String {
        let rows: Vec<String> = self.iter().map(|(name, count)| format!("{count:>11}  {name:<36}")).collect();
        let half = rows.len().div_ceil(2);
        let mut text = String::new();
        for (place, left) in rows.iter().take(half).enumerate() {
            let right = rows.get(half + place).map_or("", String::as_str);
            let _ = writeln!(text, "{}", format!("{left}{right}").trim_end());
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_joins_and_finds_what_is_rare() {
        let mut stats = Stats::default();
        stats.add("crash");
        let mut more = Stats::default();
        more.add_many("crash", 2);
        more.add("pause");
        stats.join(&more);
        assert_eq!((stats.count("crash"), stats.count("pause"), stats.count("none")), (3, 1, 0));
        assert_eq!(
            stats.below(&[("crash", 3), ("pause", 2), ("none", 1)]),
            [("pause", 2, 1), ("none", 1, 0)]
        );
        assert_eq!(stats.table(), "          3  crash                                         1  pause\n");
    }
}
