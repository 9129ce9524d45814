//! Slow stores, lost commits and crashes at each step of a transfer: never two calls, and everything ends
//! or waits for a person.

use std::collections::BTreeMap;
use std::time::Duration;

use paymux_core::channel::OutflowAnswer;
use paymux_core::outflow::OutflowState as S;
use paymux_testkit::Outgo;
use paymux_testkit::memory_store::Trouble;
use serde_json::json;

use super::{books, request, transfer, world};
use crate::world::{World, app};

const NO_TROUBLE: Trouble = Trouble::Delayed(Duration::ZERO);
/// Long enough for three looks at an unknown transfer.
const AFTERWARDS: Duration = Duration::from_mins(20);

fn begin(world: &World) -> tokio::task::JoinHandle<()> {
    let payments = world.payments.clone();
    tokio::spawn(async move { drop(payments.transfer(app(), request(json!({}))).await) })
}

/// Compares what the provider saw with what is stored.
async fn judge(world: &World, case: &str) {
    let mut calls: BTreeMap<String, u32> = BTreeMap::new();
    for order in world.a.transfers() {
        *calls.entry(order.payout.number).or_default() += 1;
    }
    let transfers = world.store.transfers();
    assert!(calls.keys().all(|no| transfers.iter().any(|t| t.number == *no)), "{case}: sent, not stored");
    let waiting = world.waiting().await;
    let mut paid_out = 0;
    for transfer in &transfers {
        assert!(calls.get(&transfer.number).copied().unwrap_or(0) <= 1, "{case}: sent twice");
        let is_done = matches!(world.a.outgone(&transfer.number), Some(OutflowAnswer::Done { .. }));
        match transfer.state {
            S::Succeeded => assert!(is_done, "{case}: booked, not done"),
            S::Failed => assert!(!is_done, "{case}: failed, and done"),
            S::Unknown => {
                assert!(!is_done && transfer.check_at.is_some(), "{case}: nobody asked");
                assert!(waiting.iter().any(|(_, id)| *id == transfer.id.to_string()), "{case}: nobody knows");
            }
            _ => panic!("{case}: parked: {transfer:?}"),
        }
        paid_out += if transfer.state == S::Succeeded { transfer.amount.minor() } else { 0 };
    }
    let ended = transfers.iter().filter(|transfer| transfer.state.is_over()).count();
    assert_eq!(world.store.events().len(), ended, "{case}: told");
    assert_eq!(books(world).iter().map(|line| line.2).sum::<i64>(), paid_out, "{case}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_or_lossy_store_at_any_step_costs_no_second_call() {
    let mut troubles = vec![Trouble::AnswerLost, Trouble::Lost];
    for seconds in [3, 17, 60] {
        troubles.push(Trouble::Delayed(Duration::from_secs(seconds)));
        troubles.push(Trouble::AnsweredLate(Duration::from_secs(seconds)));
    }
    for (before, trouble) in (0..3).flat_map(|step| troubles.iter().map(move |trouble| (step, *trouble))) {
        for outgo in [Outgo::Done, Outgo::Refuse, Outgo::NotSent, Outgo::Slow(Duration::from_secs(5))] {
            let world = world();
            world.a.on_outgo(outgo);
            (0..before).for_each(|_| world.store.trouble(NO_TROUBLE));
            world.store.trouble(trouble);
            let begun = begin(&world);
            world.pass(AFTERWARDS).await;
            begun.await.unwrap();
            judge(&world, &format!("{before} {trouble:?} {outgo:?}")).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_step_costs_no_second_call() {
    let late = [Trouble::Delayed(Duration::from_secs(2)), Trouble::AnsweredLate(Duration::from_secs(2))];
    // The first write takes two seconds, the call the next two, the second write two more.
    for (first, second) in late.iter().flat_map(|first| late.iter().map(move |second| (*first, *second))) {
        for tenths in [0, 5, 15, 20, 25, 35, 40, 45, 55, 60, 65, 80] {
            let mut world = world();
            world.a.on_outgo(Outgo::Slow(Duration::from_secs(2)));
            world.store.trouble(first);
            world.store.trouble(second);
            let begun = begin(&world);
            world.clock.advance(Duration::from_millis(tenths * 100)).await;
            world.crash();
            begun.await.unwrap();
            let case = format!("{first:?} {second:?} at {tenths}");
            world.pass(AFTERWARDS).await;
            judge(&world, &case).await;
            // A merchant who heard nothing asks again, and the money leaves once in all.
            transfer(&world, json!({})).await.unwrap();
            judge(&world, &case).await;
            assert!(world.a.transfers().len() <= 1, "{case}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_sender_held_up_past_its_time_sends_nothing() {
    for trouble in [Trouble::Delayed, Trouble::AnsweredLate] {
        let world = world();
        world.store.trouble(trouble(Duration::from_secs(16)));
        let transfer = transfer(&world, json!({})).await.unwrap().transfer;
        assert_eq!((transfer.state, transfer.failure.unwrap().code.as_str()), (S::Failed, "not_sent"));
        assert!(world.a.transfers().is_empty());
    }
}
