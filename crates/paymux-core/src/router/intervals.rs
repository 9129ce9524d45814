//! Which channels take a value, for channels that each take ranges of values: amounts, lives, times of day.
//!
//! The line of values is cut at the ends of all ranges; between two cuts the same channels hold, and they are
//! one row of bits. Where there are more ends than [`CUTS_MAX`], only some are cuts: a row then has also those
//! channels whose ranges begin or end inside of it, and these are looked at one by one.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use super::bits;

/// How many cuts a table has at the most: 512 rows over 10,000 channels take 640 KiB.
const CUTS_MAX: usize = 512;

/// Values that one channel takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    /// The channel's place.
    pub(super) place: usize,
    /// The values: the start is inside, the end is not.
    pub(super) values: Range<i64>,
}

/// The table.
#[derive(Debug)]
pub(super) struct Intervals {
    words: usize,
    /// Interval `i` ends before `cuts[i]`; the last one has no end.
    cuts: Box<[i64]>,
    between: Box<[Interval]>,
    sets: Box<[u64]>,
    edges: Box<[Span]>,
}

#[derive(Debug)]
struct Interval {
    /// Where its words begin in `sets`: many intervals share theirs.
    row: usize,
    /// The spans in `edges` that begin or end inside it, by channel.
    edges: Range<usize>,
}

impl Intervals {
    /// The table of `count` channels that take the values of their spans, and no others.
    pub(super) fn new(count: usize, spans: &[Span]) -> Self {
        let ends: BTreeSet<i64> =
            spans.iter().flat_map(|span| [span.values.start, span.values.end]).collect();
        let every = ends.len().div_ceil(CUTS_MAX).max(1);
        let cuts: Box<[i64]> = ends.into_iter().step_by(every).collect();
        let mut rows = Rows::new(count);
        let mut edges = Vec::new();
        let filled = fill(count, &cuts, spans);
        let between = filled.into_iter().map(|(set, inside)| {
            let from = edges.len();
            edges.extend(inside);
            Interval { row: rows.row(set), edges: from..edges.len() }
        });
        let between = between.collect();
        Self { words: rows.words, cuts, between, sets: rows.sets.into(), edges: edges.into() }
    }

    /// Leaves in `set` only the channels that take `value`.
    pub(super) fn retain(&self, set: &mut [u64], value: i64) {
        let Some(interval) = self.between.get(self.cuts.partition_point(|cut| *cut <= value)) else { return };
        bits::retain(set, &self.sets[interval.row..][..self.words]);
        for own in self.edges[interval.edges.clone()].chunk_by(|a, b| a.place == b.place) {
            if !own.iter().any(|span| span.values.contains(&value)) {
                bits::remove(set, own[0].place);
            }
        }
    }
}

/// What holds in each interval: the channels that take any of its values, and the spans that take only some.
fn fill(count: usize, cuts: &[i64], spans: &[Span]) -> Vec<(Box<[u64]>, Vec<Span>)> {
    let empty = vec![0; bits::words(count)].into_boxed_slice();
    let mut whole = vec![empty; cuts.len() + 1];
    let mut inside = vec![Vec::new(); cuts.len() + 1];
    for span in spans.iter().filter(|span| !span.values.is_empty()) {
        let first = cuts.partition_point(|cut| *cut <= span.values.start);
        let last = cuts.partition_point(|cut| *cut < span.values.end);
        for place in first..=last {
            let begins = place > 0 && cuts[place - 1] >= span.values.start;
            let ends = cuts.get(place).is_some_and(|cut| *cut <= span.values.end);
            if begins && ends {
                bits::insert(&mut whole[place], span.place);
            } else {
                inside[place].push(span.clone());
            }
        }
    }
    let join = |(mut set, mut inside): (Box<[u64]>, Vec<Span>)| {
        inside.retain(|span| !bits::has(&set, span.place));
        inside.sort_by_key(|span| span.place);
        for span in &inside {
            bits::insert(&mut set, span.place);
        }
        (set, inside)
    };
    whole.into_iter().zip(inside).map(join).collect()
}

/// Rows of bits, each kept once.
struct Rows {
    words: usize,
    sets: Vec<u64>,
    known: HashMap<Box<[u64]>, usize>,
}

impl Rows {
    fn new(count: usize) -> Self {
        Self { words: bits::words(count), sets: Vec::new(), known: HashMap::new() }
    }

    /// Where that row begins.
    fn row(&mut self, set: Box<[u64]>) -> usize {
        if let Some(row) = self.known.get(&set) {
            return *row;
        }
        let row = self.sets.len();
        self.sets.extend_from_slice(&set);
        self.known.insert(set, row);
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(count: usize, spans: &[(usize, Range<i64>)]) -> (Intervals, Vec<Span>) {
        let spans: Vec<Span> =
            spans.iter().map(|(place, values)| Span { place: *place, values: values.clone() }).collect();
        (Intervals::new(count, &spans), spans)
    }

    fn left(table: &Intervals, count: usize, value: i64) -> Vec<usize> {
        let mut set = bits::full(count);
        table.retain(&mut set, value);
        bits::all(&set).collect()
    }

    #[test]
    fn the_start_is_inside_and_the_end_is_not() {
        let (table, _) = of(3, &[(0, 10..20), (1, 20..30), (2, i64::MIN..i64::MAX)]);
        for (value, want) in
            [(9, &[2][..]), (10, &[0, 2]), (19, &[0, 2]), (20, &[1, 2]), (29, &[1, 2]), (30, &[2])]
        {
            assert_eq!(left(&table, 3, value), want, "{value}");
        }
        let (empty, _) = of(2, &[]);
        assert_eq!(left(&empty, 2, 0), [0_usize; 0]);
    }

    #[test]
    fn tables_say_what_the_spans_say() {
        let mut rng = fastrand::Rng::with_seed(7);
        for (count, number, line) in [(5, 8, 30), (70, 100, 50), (300, 900, 100_000)] {
            let spans: Vec<(usize, Range<i64>)> = (0..number)
                .map(|_| {
                    let start = rng.i64(0..line);
                    (rng.usize(..count), start..start + rng.i64(0..line / 3))
                })
                .collect();
            let (table, spans) = of(count, &spans);
            assert!(table.cuts.len() <= CUTS_MAX);
            for _ in 0..2000 {
                let value = rng.i64(0..line * 2) - line / 4;
                let mut want: Vec<usize> =
                    spans.iter().filter(|s| s.values.contains(&value)).map(|s| s.place).collect();
                want.sort_unstable();
                want.dedup();
                assert_eq!(left(&table, count, value), want, "{value} of {spans:?}");
            }
        }
    }
}
