//! The record of a choice as the ledger keeps it: numbers alone, to be read with the [`Past`](super::Past) that they
//! were written by. What a [`Sheet`](super::Sheet) holds goes in as it is, so that a choice among ten thousand channels
//! is written without a word of text.
//!
//! At most [`BYTES_MAX`] bytes, one for each channel of the route, and ten more for each where the strategy looks at
//! figures; equal neighbours share theirs. Of the payment it has only what a channel was left out by.

use std::borrow::Cow;
use std::time::Duration;

use super::table::{Sheet, Stage};
use crate::catalog::Lifecycle;
use crate::channel::Needs;
use crate::region::Region;

/// Why a stored record cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the record of a decision cannot be read: {0}")]
pub struct RecordError(pub(super) &'static str);

/// The first byte of every record. Another layout has another one, and this one stays readable.
const FORMAT: u8 = 1;

/// The most bytes of what a record has beside its channels.
pub const BYTES_MAX: usize = 96;

/// What a channel was left out by, in the order of the numbers that stand for it, from 1; 0 = by nothing. None ever
/// gets another number.
const OUTS: [(Stage, Option<Lifecycle>); 15] = [
    (Stage::Pin, None),
    (Stage::Tried, None),
    (Stage::State, Some(Lifecycle::Active)),
    (Stage::State, Some(Lifecycle::Draining)),
    (Stage::State, Some(Lifecycle::VerifyOnly)),
    (Stage::State, Some(Lifecycle::Off)),
    (Stage::Method, None),
    (Stage::Currency, None),
    (Stage::Amount, None),
    (Stage::Expiry, None),
    (Stage::Needs, None),
    (Stage::Hours, None),
    (Stage::Region, None),
    (Stage::Capacity, None),
    (Stage::Health, None),
];

// What a record has beside what every record has.
const TURN: u8 = 1;
const TIE: u8 = 1 << 1;
const LAST: u8 = 1 << 2;
const COLLECTED: u8 = 1 << 3;
const RATES: u8 = 1 << 4;

/// By which number each place was left out. `state` tells where one stands in its life that was left out by that.
pub(super) fn outs(sheet: &Sheet, count: usize, state: impl Fn(usize) -> Lifecycle) -> Vec<u8> {
    let mut outs = vec![0; count];
    for stage in Stage::ALL {
        for place in sheet.out_by(stage) {
            let lifecycle = (stage == Stage::State).then(|| state(place));
            if let Some(out) = outs.get_mut(place) {
                *out = number_of((stage, lifecycle));
            }
        }
    }
    outs
}

fn number_of(out: (Stage, Option<Lifecycle>)) -> u8 {
    let known = (1..).zip(OUTS).find(|(_, known)| *known == out);
    known.map_or(0, |(number, _)| number)
}

/// What that number stands for, unless it is 0.
pub(super) fn out_of(number: u8) -> Option<(Stage, Option<Lifecycle>)> {
    OUTS.get(usize::from(number).checked_sub(1)?).copied()
}

/// One choice in numbers. Channels are places in the route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record<'a> {
    /// Which of the routes.
    pub(super) route: usize,
    pub(super) picked: usize,
    pub(super) seed: u64,
    pub(super) turn: Option<u64>,
    /// The number of what the payment sticks to.
    pub(super) tie: Option<u64>,
    /// Who had completed the last payment, where the strategy looked at that.
    #[expect(clippy::option_option, reason = "whether it looked, and whether there was one")]
    pub(super) last_completed: Option<Option<usize>>,
    /// A number of [`OUTS`] for each channel.
    pub(super) outs: Cow<'a, [u8]>,
    pub(super) facts: Facts,
    pub(super) figures: Figures<'a>,
}

/// What the filters looked at of the payment, beside what never changes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) expires_in: Duration,
    pub(super) carries: Needs,
    /// The minute of the day in the day zone.
    pub(super) minute: u16,
    pub(super) region: Option<Region>,
}

impl Facts {
    /// Of a payment of which nobody was left out by any of them.
    const NONE: Self =
        Self { expires_in: Duration::ZERO, carries: Needs::nothing(), minute: 0, region: None };
}

/// What the strategy saw of each channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Figures<'a> {
    /// It looked at nothing that changes.
    None,
    Collected(Cow<'a, [i64]>),
    Rates(Cow<'a, [i64]>),
}

impl Figures<'_> {
    fn flag(&self) -> u8 {
        match self {
            Self::None => 0,
            Self::Collected(_) => COLLECTED,
            Self::Rates(_) => RATES,
        }
    }

    pub(super) fn collected(&self, place: usize) -> Option<i64> {
        match self {
            Self::Collected(sums) => sums.get(place).copied(),
            _ => None,
        }
    }

    pub(super) fn rate(&self, place: usize) -> Option<i64> {
        match self {
            Self::Rates(rates) => rates.get(place).copied(),
            _ => None,
        }
    }
}

impl Record<'_> {
    pub(super) fn write(&self) -> Vec<u8> {
        let flag = |is_there: bool, flag: u8| if is_there { flag } else { 0 };
        let flags = flag(self.turn.is_some(), TURN)
            | flag(self.tie.is_some(), TIE)
            | flag(self.last_completed.is_some(), LAST)
            | self.figures.flag();
        let mut out = Writer(Vec::with_capacity(BYTES_MAX));
        out.0.extend([FORMAT, flags]);
        out.place(self.route);
        out.place(self.picked);
        out.0.extend(self.seed.to_le_bytes());
        self.turn.into_iter().for_each(|turn| out.number(turn.into()));
        self.tie.into_iter().for_each(|tie| out.0.extend(tie.to_le_bytes()));
        if let Some(last) = self.last_completed {
            out.place(last.map_or(0, |place| place + 1));
        }
        out.runs(self.outs.iter().map(|number| u64::from(*number)));
        self.write_facts(&mut out);
        if let Figures::Collected(figures) | Figures::Rates(figures) = &self.figures {
            out.runs(figures.iter().map(|figure| figure.cast_unsigned()));
        }
        out.0
    }

    /// Only those that somebody was left out by.
    fn write_facts(&self, out: &mut Writer) {
        let Facts { expires_in, carries, minute, region } = self.facts;
        if is_out_by(&self.outs, Stage::Expiry) {
            out.number(u64::try_from(expires_in.as_millis()).unwrap_or(u64::MAX).into());
        }
        if is_out_by(&self.outs, Stage::Needs) {
            out.place(carries.to_bits());
        }
        if is_out_by(&self.outs, Stage::Hours) {
            out.number(minute.into());
        }
        if is_out_by(&self.outs, Stage::Region) {
            let code = region.as_ref().map_or("", Region::code);
            out.place(code.len());
            out.0.extend(code.as_bytes());
        }
    }

    /// Reads what [`Self::write`] wrote. `count` tells how many channels the route of that place has.
    pub(super) fn read(
        bytes: &[u8],
        count: impl Fn(usize) -> Option<usize>,
    ) -> Result<Record<'static>, RecordError> {
        let mut from = Reader(bytes);
        if from.byte()? != FORMAT {
            return Err(RecordError("it is of a newer version"));
        }
        let flags = from.byte()?;
        let has = |flag: u8| flags & flag != 0;
        let route = from.place()?;
        let count = count(route).ok_or(RecordError("its configuration has no such route"))?;
        let picked = from.place()?;
        let seed = from.fixed()?;
        let turn = has(TURN).then(|| from.small()).transpose()?;
        let tie = has(TIE).then(|| from.fixed()).transpose()?;
        let last = has(LAST).then(|| from.place()).transpose()?;
        let outs = from.runs(count, |number| u8::try_from(number).ok())?;
        let facts = from.facts(&outs)?;
        let figures = match (has(COLLECTED), has(RATES)) {
            (false, false) => Figures::None,
            (true, _) => Figures::Collected(from.figures(count)?.into()),
            (false, true) => Figures::Rates(from.figures(count)?.into()),
        };
        if !from.0.is_empty() || picked >= count {
            return Err(BROKEN);
        }
        let last_completed = last.map(|last| last.checked_sub(1));
        Ok(Record { route, picked, seed, turn, tie, last_completed, outs: outs.into(), facts, figures })
    }
}

const BROKEN: RecordError = RecordError("its bytes are not those of a record");

fn is_out_by(outs: &[u8], stage: Stage) -> bool {
    let is_it = |number: &u8| out_of(*number).is_some_and(|(known, _)| known == stage);
    outs.iter().any(is_it)
}

/// Bytes in the making. Numbers are of seven bits a byte, the lowest first; all but the last byte have the eighth.
struct Writer(Vec<u8>);

impl Writer {
    fn number(&mut self, mut number: u128) {
        while number > 0x7f {
            self.0.push(low_byte(number) | 0x80);
            number >>= 7;
        }
        self.0.push(low_byte(number));
    }

    fn place(&mut self, place: usize) {
        self.number(place as u128);
    }

    /// Each number doubled; plus one where more like it follow, and then how many beyond the first of those.
    fn runs(&mut self, numbers: impl Iterator<Item = u64>) {
        let mut numbers = numbers.peekable();
        while let Some(number) = numbers.next() {
            let more = std::iter::from_fn(|| numbers.next_if_eq(&number)).count();
            self.number((u128::from(number) << 1) | u128::from(more > 0));
            if let Some(further) = more.checked_sub(1) {
                self.place(further);
            }
        }
    }
}

const fn low_byte(number: u128) -> u8 {
    number.to_le_bytes()[0]
}

/// Bytes being read.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn byte(&mut self) -> Result<u8, RecordError> {
        let (byte, rest) = self.0.split_first().ok_or(BROKEN)?;
        self.0 = rest;
        Ok(*byte)
    }

    fn fixed(&mut self) -> Result<u64, RecordError> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(BROKEN)?;
        self.0 = rest;
        Ok(u64::from_le_bytes(*bytes))
    }

    fn number(&mut self) -> Result<u128, RecordError> {
        let mut number = 0;
        // As many as 70 bits take: no number that is written has more.
        for shift in (0..70).step_by(7) {
            let byte = self.byte()?;
            number |= u128::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(BROKEN)
    }

    fn small(&mut self) -> Result<u64, RecordError> {
        self.number()?.try_into().map_err(|_| BROKEN)
    }

    fn place(&mut self) -> Result<usize, RecordError> {
        self.number()?.try_into().map_err(|_| BROKEN)
    }

    fn runs<T: Clone>(
        &mut self,
        count: usize,
        read: impl Fn(u64) -> Option<T>,
    ) -> Result<Vec<T>, RecordError> {
        let mut all = Vec::with_capacity(count);
        while all.len() < count {
            let number = self.number()?;
            let value = u64::try_from(number >> 1).ok().and_then(&read).ok_or(BROKEN)?;
            let more = if number & 1 == 1 { self.place()?.checked_add(1).ok_or(BROKEN)? } else { 0 };
            if more >= count - all.len() {
                return Err(BROKEN);
            }
            all.resize(all.len() + more + 1, value);
        }
        Ok(all)
    }

    fn figures(&mut self, count: usize) -> Result<Vec<i64>, RecordError> {
        self.runs(count, |figure| Some(figure.cast_signed()))
    }

    fn facts(&mut self, outs: &[u8]) -> Result<Facts, RecordError> {
        let mut facts = Facts::NONE;
        if is_out_by(outs, Stage::Expiry) {
            facts.expires_in = Duration::from_millis(self.small()?);
        }
        if is_out_by(outs, Stage::Needs) {
            facts.carries = Needs::from_bits(self.number()?.try_into().map_err(|_| BROKEN)?);
        }
        if is_out_by(outs, Stage::Hours) {
            facts.minute = self.number()?.try_into().map_err(|_| BROKEN)?;
        }
        if is_out_by(outs, Stage::Region) {
            facts.region = self.region()?;
        }
        Ok(facts)
    }

    /// Empty where it was unknown.
    fn region(&mut self) -> Result<Option<Region>, RecordError> {
        let length = self.place()?;
        let (code, rest) = self.0.split_at_checked(length).ok_or(BROKEN)?;
        self.0 = rest;
        if code.is_empty() {
            return Ok(None);
        }
        let region = std::str::from_utf8(code).ok().and_then(Region::from_code);
        region.map(Some).ok_or(BROKEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNT: usize = 10_000;

    fn record() -> Record<'static> {
        Record {
            route: 3,
            picked: 9_999,
            seed: u64::MAX,
            turn: None,
            tie: None,
            last_completed: None,
            outs: vec![0; COUNT].into(),
            facts: Facts::NONE,
            figures: Figures::None,
        }
    }

    /// How many bytes it takes; it is read back.
    #[track_caller]
    fn size(record: &Record<'_>) -> usize {
        let bytes = record.write();
        let count = record.outs.len();
        assert_eq!(Record::read(&bytes, |_| Some(count)).as_ref(), Ok(record));
        bytes.len()
    }

    #[test]
    fn what_is_written_is_read_and_small() {
        assert_eq!(size(&record()), 2 + 1 + 2 + 8 + 3);
        let turn = Record { turn: Some(u64::MAX), tie: Some(1), last_completed: Some(None), ..record() };
        assert_eq!(size(&turn), size(&record()) + 10 + 8 + 1);
        // All facts of a payment, the longest region, and no two neighbours alike.
        let outs: Vec<u8> = (0..COUNT).map(|place| u8::try_from(place % 16).unwrap()).collect();
        let facts = Facts {
            expires_in: Duration::from_millis(u64::MAX),
            carries: Needs::AUTH_CODE | Needs::PAYER_ID,
            minute: 1439,
            region: Region::from_code("FR-75C"),
        };
        let last = Some(Some(usize::MAX - 1));
        let worst = Record { outs: outs.into(), facts, last_completed: last, ..turn };
        assert!(size(&worst) <= BYTES_MAX + COUNT, "{}", size(&worst));
        let unknown = Record { facts: Facts { region: None, ..facts }, ..worst.clone() };
        assert!(size(&unknown) < size(&worst));
        // What a strategy looks at: sums up to 100,000 yuan, rates that are mostly the best, and the worst of all.
        let sums: Vec<i64> = (0..10_000).map(|place| place * 997 % 10_000_000).collect();
        let even = Record { figures: Figures::Collected(sums.into()), ..record() };
        assert!(size(&even) < 42_000, "{}", size(&even));
        let rates: Vec<i64> = (0..10_000).map(|place| if place % 100 == 0 { 1 } else { 1_000_000 }).collect();
        let adaptive = Record { figures: Figures::Rates(rates.into()), ..record() };
        assert!(size(&adaptive) < 1_000, "{}", size(&adaptive));
        let sums: Vec<i64> = (0..10_000).map(|place| if place % 2 == 0 { i64::MIN } else { -1 }).collect();
        let most = Record { figures: Figures::Collected(sums.into()), ..worst };
        assert!(size(&most) <= BYTES_MAX + 11 * COUNT, "{}", size(&most));
    }

    #[test]
    fn every_number_stands_for_its_stage() {
        for number in 0..=u8::MAX {
            assert_eq!(out_of(number).is_some(), (1..=15).contains(&number), "{number}");
        }
        let record = Record { outs: (0..16).collect::<Vec<u8>>().into(), picked: 0, ..record() };
        assert_eq!(Record::read(&record.write(), |_| Some(16)).unwrap().outs, record.outs);
    }

    #[test]
    fn bytes_that_are_no_record_are_refused() {
        let outs = vec![0, 0, 10, 11, 12, 13, 13];
        let record = Record {
            route: 0,
            picked: 1,
            turn: Some(7),
            tie: Some(7),
            last_completed: Some(Some(1)),
            outs: outs.into(),
            figures: Figures::Rates(vec![1, 1, 2, 3, 3, 3, 3].into()),
            ..record()
        };
        let bytes = record.write();
        let read = |bytes: &[u8], count| Record::read(bytes, |_| count).map(drop);
        assert_eq!(read(&bytes, Some(7)), Ok(()));
        for length in 0..bytes.len() {
            assert_eq!(read(&bytes[..length], Some(7)), Err(BROKEN), "{length}");
        }
        assert_eq!(read(&[&bytes[..], &[0]].concat(), Some(7)), Err(BROKEN), "more than all");
        for count in [1, 6, 8] {
            assert!(read(&bytes, Some(count)).is_err(), "{count}");
        }
        assert_eq!(read(&bytes, None), Err(RecordError("its configuration has no such route")));
        let newer = [&[2], &bytes[1..]].concat();
        assert_eq!(read(&newer, Some(7)), Err(RecordError("it is of a newer version")));
        // Whatever bytes come, they are answered and nothing is reserved for them.
        for place in 0..bytes.len() {
            for byte in [0x7f, 0x80, 0xff] {
                let mut other = bytes.clone();
                other[place] = byte;
                let _ = read(&other, Some(7));
            }
        }
    }
}
