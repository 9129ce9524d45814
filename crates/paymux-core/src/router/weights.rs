//! Weights of a route's channels, prepared for drawing by weight and for taking turns by weight.

use super::bits;
use super::draw::Draw;

/// How often a channel that may not take the payment is drawn before the draw is made among the others alone.
const TRIES: usize = 4;

/// Draws a place in proportion to its weight, in the same time however many there are (Walker's alias table,
/// in whole numbers).
#[derive(Debug)]
pub(super) struct Weights {
    total: u64,
    own: Box<[u32]>,
    /// The weight of each word's channels together.
    words: Box<[u64]>,
    columns: Box<[Column]>,
}

/// One column of the table: it stands for `total`, of which `own` belong to its own place.
#[derive(Debug, Clone, Copy)]
struct Column {
    own: u64,
    other: usize,
}

impl Weights {
    /// The weights of the places in order, each at least 1.
    pub(super) fn new(weights: &[u32]) -> Self {
        let total = weights.iter().map(|weight| u64::from(*weight)).sum();
        let words = weights.chunks(bits::WORD).map(|word| word.iter().map(|w| u64::from(*w)).sum());
        Self { total, words: words.collect(), columns: columns(weights, total), own: weights.into() }
    }

    /// One of `set`, each in proportion to its weight.
    pub(super) fn draw(&self, set: &[u64], draw: &mut Draw) -> Option<usize> {
        // Whoever is drawn of all and may not take it is laid aside: the others keep their proportions.
        let of_all = (0..TRIES).map(|_| self.draw_of_all(draw)).find(|place| bits::has(set, *place));
        of_all.or_else(|| self.draw_of(set, draw))
    }

    fn draw_of_all(&self, draw: &mut Draw) -> usize {
        let place = draw.place(self.columns.len());
        let column = self.columns.get(place).copied().unwrap_or(Column { own: 0, other: 0 });
        if draw.below(self.total) < column.own { place } else { column.other }
    }

    fn draw_of(&self, set: &[u64], draw: &mut Draw) -> Option<usize> {
        let weigh = |at: usize| self.weight_of_word(set, at);
        let mut left = draw.below((0..set.len()).map(weigh).sum());
        for at in 0..set.len() {
            let here = weigh(at);
            if left >= here {
                left -= here;
                continue;
            }
            for place in bits::all(&set[at..=at]).map(|place| at * bits::WORD + place) {
                let own = self.weight(place);
                if left < own {
                    return Some(place);
                }
                left -= own;
            }
        }
        None
    }

    fn weight_of_word(&self, set: &[u64], at: usize) -> u64 {
        match set[at] {
            0 => 0,
            u64::MAX => self.words[at],
            _ => bits::all(&set[at..=at]).map(|place| self.weight(at * bits::WORD + place)).sum(),
        }
    }

    fn weight(&self, place: usize) -> u64 {
        self.own.get(place).copied().map_or(0, u64::from)
    }
}

fn columns(weights: &[u32], total: u64) -> Box<[Column]> {
    let count = weights.len() as u64;
    // What is to be shared out is `count * total`; each column takes `total` of it.
    let mut shares: Vec<u64> = weights.iter().map(|weight| u64::from(*weight) * count).collect();
    let mut columns: Vec<Column> =
        (0..weights.len()).map(|place| Column { own: total, other: place }).collect();
    let (mut small, mut large): (Vec<usize>, Vec<usize>) =
        (0..weights.len()).partition(|place| shares[*place] < total);
    while let (Some(poor), Some(rich)) = (small.pop(), large.last().copied()) {
        columns[poor] = Column { own: shares[poor], other: rich };
        shares[rich] -= total - shares[poor];
        if shares[rich] < total {
            large.pop();
            small.push(rich);
        }
    }
    columns.into()
}

/// The order in which channels take turns, as smooth weighted round-robin makes it: over one cycle each has as many
/// turns as its weight, spread evenly.
#[derive(Debug)]
pub(super) struct Cycle(Box<[u32]>);

impl Cycle {
    /// How long a cycle times how many channels may be at the most: what it costs to prepare it.
    pub(super) const WORK_MAX: u64 = 1 << 26;

    /// The cycle of these weights, each at least 1; `None` where it would take more than [`Self::WORK_MAX`].
    pub(super) fn new(weights: &[u32]) -> Option<Self> {
        let common = weights.iter().copied().fold(0, greatest_common_divisor).max(1);
        let weights: Vec<i64> = weights.iter().map(|weight| i64::from(weight / common)).collect();
        let length: i64 = weights.iter().sum();
        let work = length.unsigned_abs().checked_mul(weights.len() as u64)?;
        (work <= Self::WORK_MAX).then(|| Self(turns(&weights, length)))
    }

    /// One of `set`: whose turn it is at `position`, or after it.
    pub(super) fn turn(&self, set: &[u64], position: u64) -> Option<usize> {
        let length = self.0.len();
        let from = usize::try_from(position % u64::try_from(length.max(1)).ok()?).ok()?;
        let turns = self.0[from..].iter().chain(&self.0[..from]);
        turns.map(|place| *place as usize).find(|place| bits::has(set, *place))
    }
}

/// Before each turn each channel is owed its weight more; whoever is owed most has the turn, the first of equals,
/// and is owed a whole cycle less. After `length` turns nobody is owed anything.
fn turns(weights: &[i64], length: i64) -> Box<[u32]> {
    let mut owed = vec![0; weights.len()];
    let turn = |_| {
        let mut most: Option<(usize, i64)> = None;
        for (place, (owed, weight)) in owed.iter_mut().zip(weights).enumerate() {
            *owed += weight;
            if most.is_none_or(|(_, so_far)| *owed > so_far) {
                most = Some((place, *owed));
            }
        }
        let place = most.map_or(0, |(place, _)| place);
        owed[place] -= length;
        u32::try_from(place).unwrap_or(u32::MAX)
    };
    (0..length).map(turn).collect()
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How far counts are from what was expected of them; in whole thousandths.
    fn chi_square_milli(seen: &[u64], weights: &[u32]) -> u64 {
        let (all, total) = (seen.iter().sum::<u64>(), weights.iter().map(|w| u64::from(*w)).sum::<u64>());
        let milli = |(seen, weight): (&u64, &u32)| {
            let want = all * u64::from(*weight) / total;
            seen.abs_diff(want).pow(2) * 1000 / want.max(1)
        };
        seen.iter().zip(weights).map(milli).sum()
    }

    #[test]
    fn draws_in_proportion() {
        let weights = [1, 2, 3, 10, 4];
        let table = Weights::new(&weights);
        let share = |set: &[u64]| {
            let mut seen = [0_u64; 5];
            let mut draw = Draw::new(11);
            for _ in 0..100_000 {
                seen[table.draw(set, &mut draw).unwrap()] += 1;
            }
            seen
        };
        // 99.9 % of fair draws stay below 18.47 with four degrees of freedom.
        assert!(chi_square_milli(&share(&[0b11111]), &weights) < 18_470);
        let seen = share(&[0b00111]);
        assert_eq!(seen[3..], [0, 0]);
        // 13.82 with two.
        assert!(chi_square_milli(&seen[..3], &weights[..3]) < 13_820, "{seen:?}");
        assert_eq!(table.draw(&[0], &mut Draw::new(1)), None);
        assert_eq!(Weights::new(&[]).draw(&[], &mut Draw::new(1)), None);
    }

    #[test]
    fn draws_among_many() {
        let weights: Vec<u32> = (0..200).map(|i| 1 + i % 7).collect();
        let table = Weights::new(&weights);
        let mut set = vec![0; bits::words(200)];
        for place in [70, 140, 199] {
            bits::insert(&mut set, place);
        }
        let mut draw = Draw::new(5);
        let mut seen = [0_u64; 3];
        for _ in 0..30_000 {
            match table.draw(&set, &mut draw) {
                Some(70) => seen[0] += 1,
                Some(140) => seen[1] += 1,
                Some(199) => seen[2] += 1,
                other => panic!("{other:?}"),
            }
        }
        assert!(chi_square_milli(&seen, &[weights[70], weights[140], weights[199]]) < 13_820, "{seen:?}");
    }

    #[test]
    fn a_cycle_gives_each_its_turns() {
        for weights in [&[5_u32, 1, 1][..], &[1], &[3, 3, 3], &[100, 10, 1], &[2, 7, 1, 30]] {
            let cycle = Cycle::new(weights).unwrap();
            let common = weights.iter().copied().fold(0, greatest_common_divisor);
            let all = bits::full(weights.len());
            let length: u32 = weights.iter().sum::<u32>() / common;
            let mut seen = vec![0; weights.len()];
            for position in 0..u64::from(length) {
                seen[cycle.turn(&all, position + 1000).unwrap()] += common;
            }
            assert_eq!(seen, weights);
        }
        assert!(Cycle::new(&[10_000, 9_999, 10_000, 10_000].repeat(60)).is_none());
    }

    #[test]
    fn turns_are_spread() {
        let cycle = Cycle::new(&[5, 1, 1]).unwrap();
        let order: Vec<usize> = (0..7).map(|p| cycle.turn(&[0b111], p).unwrap()).collect();
        assert_eq!(order, [0, 0, 1, 0, 2, 0, 0]);
        assert_eq!(cycle.turn(&[0b100], 0), Some(2));
        assert_eq!(cycle.turn(&[0], 0), None);
    }
}
