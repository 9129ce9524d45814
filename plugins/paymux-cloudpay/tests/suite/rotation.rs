//! Rotation over cloudpay merchants: ten thousand payments for each of the gateway's three strategies, with its three
//! kinds of collection rules. A small model of its own says of every single one who may take it, what the ledger has
//! to show, and who takes it; across restarts, and on two nodes.
//!
//! Source of the rules: cloudpay's integration document, rotation strategies and collection rules.

use std::collections::BTreeMap;
use std::time::Duration;

use paymux_core::catalog::{Rules, Strategy};
use paymux_core::{Clock as _, Hours, Payment, PaymentError, Payments, Region, Rng as _, Status, Timestamp};
use paymux_testkit::SeededRng;
use serde_json::{Value, json};

use crate::world::{Merchant, World, create, success, told};

const PAYMENTS: u32 = 10_000;
/// Between two payments: ten thousand of them take three days and a bit.
const PAUSE: Duration = Duration::from_secs(26);
/// After so many payments the only node dies, and another begins with what the ledger says.
const RESTARTS: [u32; 2] = [1500, 3000];
/// While there are two nodes.
const TWO_NODES: std::ops::Range<u32> = 4000..8000;

/// What one merchant may collect, in the words of this test: minutes of the day, fen, regions.
struct Limits {
    hours: &'static [(u32, u32)],
    fen: (i64, i64),
    regions: &'static [&'static str],
}

const ANY: Limits = Limits { hours: &[], fen: (1, i64::MAX), regions: &[] };

/// The merchants. Above 900,000 fen `cloud-c` alone takes a payment, at its hours and from its regions.
const MERCHANTS: [(&str, Limits); 5] = [
    ("cloud-a", Limits { hours: &[(360, 1410)], fen: (1, 500_000), ..ANY }),
    ("cloud-b", Limits { fen: (1, 900_000), ..ANY }),
    ("cloud-c", Limits { hours: &[(1200, 240), (480, 720)], regions: &["CN-44", "CN-45"], ..ANY }),
    ("cloud-d", Limits { fen: (10_000, 800_000), ..ANY }),
    ("cloud-e", Limits { hours: &[(0, 720)], fen: (1, 900_000), regions: &["CN-31", "CN-44"] }),
];

/// The same as paymux is told it.
fn configured() -> Vec<Merchant> {
    let clock = |minute: u32| format!("{:02}:{:02}", minute / 60, minute % 60);
    let rules = |limits: &Limits| {
        let hours = limits.hours.iter().map(|(from, to)| format!("{}-{}", clock(*from), clock(*to)));
        let hours: Vec<Hours> = hours.map(|text| text.parse().unwrap()).collect();
        let regions: Vec<_> = limits.regions.iter().map(|code| Region::from_code(code).unwrap()).collect();
        Rules {
            amount_min: Some(limits.fen.0).filter(|least| *least > 1),
            amount_max: Some(limits.fen.1).filter(|most| *most < i64::MAX),
            hours: Some(hours).filter(|hours| !hours.is_empty()),
            regions: Some(regions).filter(|regions| !regions.is_empty()),
            ..Rules::default()
        }
    };
    MERCHANTS.iter().map(|(id, limits)| (*id, rules(limits))).collect()
}

/// A payment as a merchant's customer wants it.
struct Wish {
    fen: i64,
    region: Option<&'static str>,
}

impl Limits {
    fn allow(&self, wish: &Wish, minute: u32) -> bool {
        let within = |(from, to): &(u32, u32)| {
            if from < to { (*from..*to).contains(&minute) } else { minute >= *from || minute < *to }
        };
        (self.hours.is_empty() || self.hours.iter().any(within))
            && (self.fen.0..=self.fen.1).contains(&wish.fen)
            && (self.regions.is_empty() || wish.region.is_some_and(|region| self.regions.contains(&region)))
    }
}

/// What has happened, as far as a strategy looks at it.
#[derive(Default)]
struct Books {
    /// Days since 1970 in China.
    day: i64,
    collected: [i64; 5],
    last_completed: Option<usize>,
}

/// The day in China, and the minute of it.
fn china(at: Timestamp) -> (i64, u32) {
    let seconds = at.ms().div_euclid(1000) + 8 * 3600;
    (seconds.div_euclid(86_400), u32::try_from(seconds.rem_euclid(86_400) / 60).unwrap())
}

impl Books {
    fn turn_to(&mut self, at: Timestamp) {
        let (day, _) = china(at);
        if day != self.day {
            *self = Self { day, collected: [0; 5], last_completed: self.last_completed };
        }
    }

    fn came_in(&mut self, who: usize, fen: i64, at: Timestamp, completes: bool) {
        self.turn_to(at);
        self.collected[who] += fen;
        if completes {
            self.last_completed = Some(who);
        }
    }

    /// Whom the strategy leaves out of the candidates before it draws.
    fn left_out(&self, strategy: Strategy, candidates: &[usize], draw: &mut SplitMix64) -> Option<usize> {
        match strategy {
            Strategy::Random => None,
            Strategy::SmartRandom => self.last_completed,
            Strategy::Even => {
                let most = candidates.iter().map(|who| self.collected[*who]).max()?;
                let richest: Vec<usize> =
                    candidates.iter().copied().filter(|who| self.collected[*who] == most).collect();
                Some(richest[draw.below(richest.len())])
            }
            other => panic!("{other:?} is none of the gateway's"),
        }
    }
}

/// The numbers of a seed, as Steele, Lea and Flood published them in 2014.
struct SplitMix64(u64);

impl SplitMix64 {
    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        usize::try_from((u128::from(z) * u128::try_from(count).unwrap()) >> 64).unwrap()
    }
}

/// Who was picked how often, and how often a fair draw would have picked them, in sixtieths.
#[derive(Default)]
struct Tally {
    picked: [u64; 5],
    fair: [u64; 5],
    nobody: u32,
    /// By how many the draw was among.
    pools: BTreeMap<usize, u32>,
}

/// The street: customers who come, pay now or later or never, and notifications that come once or twice.
struct Street {
    world: World,
    strategy: Strategy,
    nodes: Vec<Payments>,
    books: Books,
    tally: Tally,
    dice: SeededRng,
    unpaid: Vec<(Payment, usize)>,
}

impl Street {
    fn below(&self, count: u64) -> u64 {
        self.dice.bits() % count
    }

    fn node(&self) -> &Payments {
        &self.nodes[usize::try_from(self.below(self.nodes.len().try_into().unwrap())).unwrap()]
    }

    fn wish(&self) -> Wish {
        let most = [20_000, 600_000, 900_001, 1_000_000][usize::try_from(self.below(4)).unwrap()];
        let regions = [None, Some("CN-31"), Some("CN-44"), Some("CN-45"), Some("CN-11")];
        Wish {
            fen: i64::try_from(self.below(most) + 1).unwrap(),
            region: regions[usize::try_from(self.below(5)).unwrap()],
        }
    }

    /// One customer: who took the payment must be whom the model says.
    async fn comes(&mut self, number: u32) {
        let wish = self.wish();
        let order = json!({"order_no": format!("A{number}"), "amount": wish.fen, "method": "alipay.wap",
            "payer": {"region": wish.region}});
        let node = self.node();
        if self.nodes.len() > 1 {
            // What the other one books is known here within `routing.snapshot_ms`; let that time be over.
            node.read_figures().await.unwrap();
        }
        let created = create(node, order).await;
        let now = self.world.clock.now();
        self.books.turn_to(now);
        let (_, minute) = china(now);
        let candidates: Vec<usize> =
            (0..MERCHANTS.len()).filter(|who| MERCHANTS[*who].1.allow(&wish, minute)).collect();
        match created {
            Err(PaymentError::NoChannel(_)) => {
                assert!(candidates.is_empty(), "{number}: {candidates:?} could have taken it");
                self.tally.nobody += 1;
            }
            Err(error) => panic!("{number}: {error}"),
            Ok(payment) => {
                let record = self.nodes[0].decision(payment.attempts[0].id).await.unwrap().unwrap();
                self.check_record(number, &record, &candidates);
                let who = self.expected(&record, &candidates);
                assert_eq!(payment.attempts[0].channel.as_str(), MERCHANTS[who].0, "{number}: {record}");
                self.tally.picked[who] += 1;
                self.unpaid.push((payment, who));
            }
        }
    }

    /// The record shows who was a candidate, and the figures of the books.
    fn check_record(&self, number: u32, record: &Value, candidates: &[usize]) {
        for (who, shown) in record["candidates"].as_array().unwrap().iter().enumerate() {
            assert_eq!(shown["channel"], MERCHANTS[who].0, "{number}");
            assert_eq!(shown["eligible"], candidates.contains(&who), "{number}: {record}");
            let (figure, want) = match self.strategy {
                Strategy::Even => ("collected_today", json!(self.books.collected[who])),
                Strategy::SmartRandom => ("last_completed", json!(self.books.last_completed == Some(who))),
                _ => ("collected_today", Value::Null),
            };
            assert_eq!(shown[figure], want, "{number}, {who}: {record}");
        }
    }

    /// Whom the model picks under the seed of the record.
    fn expected(&mut self, record: &Value, candidates: &[usize]) -> usize {
        let seed = u64::from_str_radix(record["seed"].as_str().unwrap(), 16).unwrap();
        let mut draw = SplitMix64(seed);
        let left_out = self.books.left_out(self.strategy, candidates, &mut draw);
        let rest: Vec<usize> = candidates.iter().copied().filter(|who| Some(*who) != left_out).collect();
        let pool = if rest.is_empty() { candidates } else { &rest };
        for who in pool {
            self.tally.fair[*who] += 60 / u64::try_from(pool.len()).unwrap();
        }
        *self.tally.pools.entry(pool.len()).or_default() += 1;
        pool[draw.below(pool.len())]
    }

    /// Some of those who have not paid do, also some whose order is long over.
    async fn pay(&mut self) {
        while !self.unpaid.is_empty() && self.below(2) == 0 {
            let place = usize::try_from(self.below(self.unpaid.len().try_into().unwrap())).unwrap();
            let (payment, who) = self.unpaid.swap_remove(place);
            let asked = payment.amount.minor();
            let came = match self.below(20) {
                0 => (asked / 2).max(1),
                1 => asked + 7,
                _ => asked,
            };
            let realprice = paymux_core::Money::fen(came).to_decimal();
            // One after the other, so that it is clear who was the last.
            self.world.clock.advance(Duration::from_millis(1)).await;
            let times = if self.below(10) == 0 { 2 } else { 1 };
            for _ in 0..times {
                let number = payment.attempts[0].number.as_str();
                let answer =
                    told(self.node(), &self.world.gateway, number, &json!({"realprice": realprice})).await;
                assert_eq!(answer, success());
            }
            let is_paid = self.world.stored(&payment).await.status == Status::Succeeded;
            assert_eq!(is_paid, came >= asked);
            self.books.came_in(who, came, self.world.clock.now(), is_paid);
        }
    }

    /// Nodes die and begin.
    async fn turn(&mut self, number: u32) {
        if RESTARTS.contains(&number) || number == TWO_NODES.end {
            self.nodes.iter().for_each(Payments::halt);
            self.nodes = vec![self.world.node().await];
        }
        if number == TWO_NODES.start {
            self.nodes.push(self.world.node().await);
        }
    }
}

async fn rotates(strategy: Strategy) -> Tally {
    let world = World::start(strategy, configured()).await;
    let mut street = Street {
        nodes: vec![world.payments.clone()],
        world,
        strategy,
        books: Books::default(),
        tally: Tally::default(),
        dice: SeededRng::new(22),
        unpaid: Vec::new(),
    };
    for number in 0..PAYMENTS {
        street.turn(number).await;
        street.comes(number).await;
        street.pay().await;
        street.world.clock.advance(PAUSE).await;
        if number.is_multiple_of(20) {
            street.node().sweep().await.unwrap();
        }
    }
    let Street { tally, world, .. } = street;
    let taken: u64 = tally.picked.iter().sum();
    assert_eq!(usize::try_from(taken).unwrap(), world.gateway.count());
    assert_eq!(taken + u64::from(tally.nobody), u64::from(PAYMENTS));
    // Of n fair draws one merchant's number is off by less than 2.5 times the root of n, but for one in a million.
    for (who, (picked, fair)) in tally.picked.iter().zip(tally.fair).enumerate() {
        assert!(picked.abs_diff(fair / 60) < 250, "{who}: {picked} times instead of {}", fair / 60);
    }
    assert!(tally.nobody > 100, "{}", tally.nobody);
    tally
}

impl Tally {
    /// The sizes of the sets that more than fifty draws were among.
    fn sizes(&self) -> Vec<usize> {
        self.pools.iter().filter(|(_, count)| **count > 50).map(|(size, _)| *size).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn plain_random_draws_among_all_that_may() {
    assert_eq!(rotates(Strategy::Random).await.sizes(), [1, 2, 3, 4, 5]);
}

/// All five are left only until the first payment is completed.
#[tokio::test(start_paused = true)]
async fn smart_random_leaves_out_who_completed_last() {
    assert_eq!(rotates(Strategy::SmartRandom).await.sizes(), [1, 2, 3, 4]);
}

#[tokio::test(start_paused = true)]
async fn even_leaves_out_who_has_collected_most_today() {
    assert_eq!(rotates(Strategy::Even).await.sizes(), [1, 2, 3, 4]);
}
