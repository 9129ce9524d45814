//! The comparison against lists whose every difference was planted.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::money::Currency;
use crate::payment::{AttemptState, Status};
use crate::random::Rng;

struct Zero;
impl Rng for Zero {
    fn bits(&self) -> u64 {
        0
    }
}

fn payment() -> PaymentId {
    PaymentId::make(Timestamp::from_ms(1), &Zero)
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms)
}

fn order(number: &str, received: Option<i64>) -> OrderLine {
    OrderLine {
        number: number.to_owned(),
        payment: payment(),
        state: if received.is_some() { AttemptState::Paid } else { AttemptState::Closed },
        status: Status::Succeeded,
        amount: Money::fen(1999),
        received: received.map(Money::fen),
        reversed: false,
        created_at: at(5),
    }
}

fn listed(number: &str, received: Option<i64>) -> ListedOrder {
    ListedOrder {
        number: number.to_owned(),
        amount: Some(Money::fen(1999)),
        received: received.map(Money::fen),
        reverted: false,
        flaw: None,
        created_at: at(6),
        terms: None,
    }
}

fn refund(state: OutflowState) -> RefundLine {
    RefundLine {
        number: "r".to_owned(),
        payment: payment(),
        state,
        amount: Money::fen(100),
        created_at: at(5),
    }
}

fn listed_refund(done: Option<bool>) -> ListedRefund {
    ListedRefund { number: "r".to_owned(), amount: Money::fen(100), done, created_at: at(6) }
}

#[test]
fn orders() {
    let paid = || order("a", Some(1999));
    check(Some(paid()), vec![listed("a", Some(1999))], Kind::Matched);
    check(Some(paid()), vec![listed("a", Some(1998))], Kind::AmountDiffers);
    check(Some(paid()), vec![listed("a", None)], Kind::StateDiffers);
    check(Some(paid()), vec![], Kind::MissingThere);
    check(Some(order("a", None)), vec![listed("a", None)], Kind::Matched);
    check(Some(order("a", None)), vec![listed("a", Some(1999))], Kind::StateDiffers);
    check(Some(order("a", None)), vec![], Kind::NotListed);
    check(None, vec![listed("a", Some(1999))], Kind::MissingHere);
    check(None, vec![listed("a", None)], Kind::MissingHere);

    // Too little came in and waits for a person: the two agree all the same.
    check(Some(order("a", Some(5))), vec![listed("a", Some(5))], Kind::Matched);
    // Another amount was asked.
    let other = ListedOrder { amount: Some(Money::fen(1)), ..listed("a", None) };
    check(Some(order("a", None)), vec![other], Kind::AmountDiffers);
    // A provider that does not say what an order was for.
    let silent = ListedOrder { amount: None, ..listed("a", Some(1999)) };
    check(Some(paid()), vec![silent], Kind::Matched);
    // Another currency.
    let yen = Currency::from_code("JPY").unwrap();
    let foreign = ListedOrder { received: Some(Money::new(1999, yen)), ..listed("a", None) };
    check(Some(paid()), vec![foreign], Kind::AmountDiffers);
    // Undone there, before money came or after.
    for received in [None, Some(1999)] {
        let reverted = ListedOrder { reverted: true, ..listed("a", received) };
        check(Some(paid()), vec![reverted.clone()], Kind::StateDiffers);
        check(Some(order("a", None)), vec![reverted.clone()], Kind::Matched);
        check(None, vec![reverted.clone()], Kind::MissingHere);
        let other = ListedOrder { amount: Some(Money::fen(1)), ..reverted };
        check(Some(order("a", None)), vec![other], Kind::AmountDiffers);
    }
    // A record that contradicts itself agrees with nothing.
    let flawed = |received| ListedOrder { flaw: Some("its sums"), ..listed("a", received) };
    check(Some(paid()), vec![flawed(Some(1999))], Kind::AmountDiffers);
    check(Some(paid()), vec![flawed(None)], Kind::StateDiffers);
    check(Some(order("a", None)), vec![flawed(None)], Kind::AmountDiffers);

    #[track_caller]
    fn check(here: Option<OrderLine>, there: Vec<ListedOrder>, want: Kind) {
        let here: Vec<Here> = here.into_iter().map(Here::from).collect();
        let there = folded(there.into_iter().map(There::from).collect());
        let kinds: Vec<Kind> = pairs(&here, &there).into_iter().map(Pair::judge).collect();
        assert_eq!(kinds, [want], "{here:?} {there:?}");
    }
}

#[test]
fn refunds() {
    use OutflowState as S;
    for (state, matched, when_absent) in [
        (S::Succeeded, Some(true), Kind::MissingThere),
        (S::Failed, Some(false), Kind::NotListed),
        (S::Queued, None, Kind::NotListed),
        (S::Sending, None, Kind::NotListed),
        (S::Pending, None, Kind::NotListed),
        (S::NeedsAction, None, Kind::NotListed),
        (S::Unknown, None, Kind::NotListed),
    ] {
        let here = Here::from(refund(state));
        assert_eq!(Pair::Here(&here).judge(), when_absent, "{state}");
        for done in [None, Some(true), Some(false)] {
            let there = There::from(listed_refund(done));
            let want = if done == matched { Kind::Matched } else { Kind::StateDiffers };
            assert_eq!(Pair::Both(&here, &there).judge(), want, "{state} {done:?}");
            let more =
                There { amount: Some(Money::fen(101)), moved: there.moved.map(|_| Money::fen(101)), ..there };
            let want = if done == matched { Kind::AmountDiffers } else { Kind::StateDiffers };
            assert_eq!(Pair::Both(&here, &more).judge(), want, "{state} {done:?}");
        }
    }
}

#[test]
fn a_refund_that_was_never_sent_is_not_missed() {
    let here = Here { was_sent: false, ..refund(OutflowState::Succeeded).into() };
    assert_eq!(Pair::Here(&here).judge(), Kind::NotListed);
}

#[test]
fn what_came_in_beside_may_be_listed_or_not() {
    let here = Here { moved_in_all: Some(Money::fen(2500)), ..order("a", Some(1999)).into() };
    for (received, want) in [(1999, Kind::Matched), (2500, Kind::Matched), (501, Kind::AmountDiffers)] {
        let there = listed("a", Some(received)).into();
        assert_eq!(Pair::Both(&here, &there).judge(), want, "{received}");
    }
}

#[test]
fn records_of_one_number_are_one() {
    let fold = |list: Vec<ListedOrder>| folded(list.into_iter().map(There::from).collect());
    let paid = |received, at_ms| ListedOrder { created_at: at(at_ms), ..listed("a", Some(received)) };
    // A page that shifted.
    assert_eq!(fold(vec![paid(5, 1), listed("b", None), paid(5, 1)]).len(), 2);
    assert_eq!(fold(vec![paid(5, 1), paid(5, 1)])[0].moved, Some(Money::fen(5)));
    // A second try that was paid, in whatever order they come.
    let unpaid = ListedOrder { amount: None, created_at: at(0), ..listed("a", None) };
    for list in [vec![unpaid.clone(), paid(5, 1)], vec![paid(5, 1), unpaid]] {
        let one = &fold(list)[0];
        assert_eq!((one.stage, one.moved, one.created_at), (Stage::Moved, Some(Money::fen(5)), at(1)));
        assert_eq!(one.amount, Some(Money::fen(1999)));
    }
    // Undone, and another try of it that was paid, or that waits.
    let undone = ListedOrder { reverted: true, flaw: Some("its sums"), ..paid(5, 0) };
    for (other, stage, moved) in [(Some(7), Stage::Moved, Some(7)), (None, Stage::Waiting, None)] {
        let other = ListedOrder { created_at: at(1), ..listed("a", other) };
        for list in [vec![undone.clone(), other.clone()], vec![other, undone.clone()]] {
            let one = &fold(list)[0];
            let want = (stage, moved.map(Money::fen), Some("its sums"));
            assert_eq!((one.stage, one.moved, one.flaw), want);
        }
    }
    // Paid twice.
    assert_eq!(fold(vec![paid(5, 1), paid(7, 2), paid(7, 2)])[0].moved, Some(Money::fen(12)));
}

#[test]
fn pairs_are_by_number_byte_by_byte() {
    let here: Vec<Here> = ["B", "a", "c"].map(|n| order(n, None).into()).into();
    let there: Vec<There> = ["A", "a", "b"].map(|n| listed(n, None).into()).into();
    let told: Vec<String> = pairs(&here, &there)
        .into_iter()
        .map(|pair| match pair {
            Pair::Both(here, there) => format!("{}={}", here.number, there.number),
            Pair::Here(here) => format!("{}<", here.number),
            Pair::There(there) => format!(">{}", there.number),
        })
        .collect();
    assert_eq!(told, [">A", "B<", "a=a", ">b", "c<"]);
}

/// What one number is made to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Planted {
    Nothing,
    Missing,
    Extra,
    Amount,
    State,
}

/// A number that both sides agree on, and what is then done to it.
#[derive(Debug, Clone)]
struct Seed {
    number: u16,
    amount: i64,
    /// What came in: nothing, all, or another sum.
    received: Option<i64>,
    /// Whether the provider shows what is unpaid, and whether it says what an order was for.
    shows_unpaid: bool,
    shows_amount: bool,
    /// How often it is listed.
    times: usize,
    planted: Planted,
}

fn seed() -> impl Strategy<Value = Seed> {
    use Planted as P;
    let planted = prop_oneof![
        6 => Just(P::Nothing),
        1 => Just(P::Missing),
        1 => Just(P::Extra),
        1 => Just(P::Amount),
        1 => Just(P::State),
    ];
    let received = prop_oneof![2 => Just(None), 3 => Just(Some(0)), 1 => (1_i64..50).prop_map(Some)];
    (any::<u16>(), 100_i64..10_000, received, any::<bool>(), any::<bool>(), 1_usize..3, planted).prop_map(
        |(number, amount, less, shows_unpaid, shows_amount, times, planted)| Seed {
            number,
            amount,
            received: less.map(|less| amount - less),
            shows_unpaid,
            shows_amount,
            times,
            planted,
        },
    )
}

/// Writes the seed down on both sides. What was planted is really a difference: money that the ledger has
/// is not listed, a record is not in the ledger, an amount or a state is another one.
fn write(seed: &Seed, here: &mut Vec<OrderLine>, there: &mut Vec<ListedOrder>) -> Option<Kind> {
    let number = format!("{:05}", seed.number);
    let moved = |seed: &Seed| seed.received.unwrap_or(seed.amount);
    let mut line = OrderLine { amount: Money::fen(seed.amount), ..order(&number, seed.received) };
    let mut record = ListedOrder {
        amount: seed.shows_amount.then_some(Money::fen(seed.amount)),
        ..listed(&number, seed.received)
    };
    let (mut is_here, mut is_there) = (true, seed.received.is_some() || seed.shows_unpaid);
    let kind = match seed.planted {
        Planted::Nothing => None,
        Planted::Missing => {
            line.received = Some(Money::fen(moved(seed)));
            is_there = false;
            Some(Kind::MissingThere)
        }
        Planted::Extra => {
            (is_here, is_there) = (false, true);
            Some(Kind::MissingHere)
        }
        Planted::Amount => {
            line.received = Some(Money::fen(moved(seed)));
            record.received = Some(Money::fen(moved(seed) + 1));
            is_there = true;
            Some(Kind::AmountDiffers)
        }
        Planted::State => {
            is_there = true;
            match seed.received {
                Some(_) => record.received = None,
                None => record.received = Some(Money::fen(seed.amount)),
            }
            Some(Kind::StateDiffers)
        }
    };
    here.extend(is_here.then_some(line));
    there.extend(vec![record; if is_there { seed.times } else { 0 }]);
    kind
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// All that was planted is found, as what it is, and nothing else.
    #[test]
    fn finds_what_was_planted_and_nothing_else(
        seeds in prop::collection::vec(seed(), 0..60),
        shuffle in any::<u64>(),
    ) {
        let seeds: BTreeMap<u16, Seed> = seeds.into_iter().map(|seed| (seed.number, seed)).collect();
        let (mut here, mut there, mut want) = (vec![], vec![], BTreeMap::new());
        for seed in seeds.values() {
            if let Some(kind) = write(seed, &mut here, &mut there) {
                want.insert(format!("{:05}", seed.number), kind);
            }
        }
        fastrand::Rng::with_seed(shuffle).shuffle(&mut there);
        let here: Vec<Here> = here.into_iter().map(Here::from).collect();
        let there = folded(there.into_iter().map(There::from).collect());
        let pairs = pairs(&here, &there);
        let number = |pair: &Pair<'_>| match pair {
            Pair::Both(here, _) | Pair::Here(here) => here.number.clone(),
            Pair::There(there) => there.number.clone(),
        };
        let found: BTreeMap<String, Kind> = pairs
            .iter()
            .filter(|pair| pair.judge().is_difference())
            .map(|pair| (number(pair), pair.judge()))
            .collect();
        prop_assert_eq!(found, want);
        prop_assert!(pairs.len() <= seeds.len());
    }
}
