//! One run from its seed to its verdict.

use std::sync::Arc;

use paymux_core::clock::Timestamp;

use super::bank::{Order, OutgoKind};
use super::books::{self, EventRow, Ledger, OutflowRow, PaymentRow};
use super::calls::RecordedCall;
use super::decisions;
use super::faults::Fault;
use super::front::Ask;
use super::judge::{Hour, check_end};
use super::merchant::ask_once;
use super::operator;
use super::stats::Stats;
use super::stories;
use super::world::{Keep, World};
use crate::clock::START;
use crate::memory_store::{Delivery, DeliveryState};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
/// How long everything may take to come to its end once nothing goes wrong any more.
const CALM_MS_MAX: i64 = 8 * 24 * HOUR_MS;
/// How long operators may take.
const OPERATORS_MS_MAX: i64 = 5 * 24 * HOUR_MS;

/// What came of a run.
#[derive(Debug)]
pub struct Run {
    /// Its seed.
    pub seed: u64,
    /// Every promise that was broken.
    pub violations: Vec<String>,
    /// What was hit how often.
    pub stats: Stats,
    /// What happened, if it was kept.
    pub trace: Option<String>,
    /// The calls that the store took, if they were kept.
    pub calls: Vec<RecordedCall>,
}

/// Runs that seed on a runtime of its own.
///
/// # Panics
/// When no runtime can be made.
#[expect(clippy::expect_used, reason = "a runtime without a driver asks nothing of the machine")]
pub fn run(seed: u64, keep: Keep) -> Run {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build().expect("a runtime");
    runtime.block_on(async move {
        let world = World::new(seed, keep);
        world.trace.line(0, || format!("seed {seed}, {} nodes: {}", world.nodes.len(), world.faults.told()));
        play(&world).await;
        let outcome = Run {
            seed,
            violations: world.judge.violations(),
            stats: world.counted(),
            trace: world.trace.text(),
            calls: world.disk.recorded(),
        };
        world.close();
        outcome
    })
}

/// Lets everything happen, from the first purchase to the last operator's word; what the ledger says then.
pub(super) async fn play(world: &Arc<World>) -> Ledger {
    world.start();
    stories::begin(world);
    begin_operator(world);
    let active = world.dice.one_of(&[10 * MINUTE_MS, 30 * MINUTE_MS, 90 * MINUTE_MS]);
    world.nap(active, active).await;
    world.trace.line(world.ms(), || "nothing goes wrong any more".to_owned());
    world.calm();
    let mut ledger = settle(world, CALM_MS_MAX, false).await;
    check_end(world, &ledger, Hour::Calm);
    census(world, &ledger);
    if !ledger.queue.is_empty() {
        ledger = settle(world, OPERATORS_MS_MAX, true).await;
    }
    check_end(world, &ledger, Hour::Resolved);
    decisions::check(world).await;
    ledger
}

/// An operator who works while everything else goes on.
fn begin_operator(world: &Arc<World>) {
    if !world.faults.is_on(Fault::OperatorActs) {
        return;
    }
    let world = world.clone();
    tokio::spawn(async move {
        while !world.faults.is_calm() {
            world.nap(MINUTE_MS, 10 * MINUTE_MS).await;
            if world.faults.strikes(Fault::OperatorActs) {
                operator::round(&world).await;
            }
        }
    });
}

/// Lets time pass until nothing moves any more; with operators, until nothing waits for them either.
async fn settle(world: &Arc<World>, most_ms: i64, operators: bool) -> Ledger {
    let until = world.ms() + most_ms;
    // What waits for a person is asked about once an hour all the same, by workers that rest meanwhile.
    let mut pause = 2 * HOUR_MS;
    loop {
        world.nap(pause, pause).await;
        if operators {
            operator::round(world).await;
            world.nap(30 * MINUTE_MS, 30 * MINUTE_MS).await;
        }
        redeliver(world).await;
        let ledger = ledger(world).await;
        let waits = operators && !ledger.queue.is_empty();
        if (world.pending() == 0 && is_still(&ledger) && !waits && !is_mistaken(world, &ledger))
            || world.ms() >= until
        {
            return ledger;
        }
        world.judge.watch(world, &ledger);
        pause = (pause * 3 / 2).min(12 * HOUR_MS);
    }
}

/// Whether nothing moves by itself any more, as far as the ledger tells.
fn is_still(ledger: &Ledger) -> bool {
    let is_over = |status: &str| matches!(status, "succeeded" | "failed" | "canceled" | "expired");
    let is_crossed = |payment: &PaymentRow| payment.attempts.iter().any(|attempt| attempt.is_crossed);
    let is_still = |payment: &PaymentRow| {
        let mut live = payment.attempts.iter().filter(|attempt| attempt.is_live());
        (is_over(payment.status) || ledger.waits(payment))
            && live.all(|attempt| ledger.may_stay(payment, attempt))
    };
    ledger.payments.iter().all(is_still)
        && !ledger.payments.iter().any(is_crossed)
        && ledger
            .refunds
            .iter()
            .chain(&ledger.transfers)
            .all(|row| is_over(row.state) || ledger.is_queued(&row.id))
        && ledger.events.iter().all(|event| event.delivery != "pending")
}

/// Whether a person has called an outflow not done that is, and the look that will find it is still to come.
fn is_mistaken(world: &World, ledger: &Ledger) -> bool {
    let left = |row: &OutflowRow, of| {
        let bank = world.bank(&row.channel);
        bank.is_some_and(|bank| {
            bank.books().outgoes(of).get(&row.number).is_some_and(|outgo| outgo.left() > 0)
        })
    };
    let is_one = |row: &OutflowRow, of| row.state == "failed" && row.is_looked_at && left(row, of);
    ledger.refunds.iter().any(|row| is_one(row, OutgoKind::Back))
        || ledger.transfers.iter().any(|row| is_one(row, OutgoKind::Payout))
}

/// Merchants whose endpoint was not well ask again for what they missed.
async fn redeliver(world: &Arc<World>) {
    for merchant in &world.merchants {
        let gone = world.disk.store.gone_endpoints().iter().any(|(app, _)| *app == merchant.app);
        let is_dead = |delivery: &Delivery| delivery.state == DeliveryState::Dead;
        let misses = gone || world.disk.store.deliveries().iter().any(is_dead);
        if misses && !merchant.is_down(world.ms()) {
            world.count("state: merchant asks for what it missed");
            ask_once(world, merchant, Ask::Redeliver).await;
            world.nap(MINUTE_MS, MINUTE_MS).await;
        }
    }
}

async fn ledger(world: &World) -> Ledger {
    let now = Timestamp::from_ms(START.ms() + world.ms());
    books::read(&world.disk.store, Timestamp::from_ms(now.ms() - 5 * MINUTE_MS)).await
}

/// Counts the payments that were over, and have succeeded all the same.
fn count_reversal(world: &World, ledger: &Ledger, payment: &PaymentRow) {
    let of_it = |kind: &str| ledger.events.iter().any(|e| e.subject == payment.id && e.kind == kind);
    for end in ["expired", "canceled", "failed"] {
        if payment.status == "succeeded" && of_it(&format!("payment.{end}")) {
            world.count(&format!("state: succeeded after it was {end}"));
        }
    }
}

/// Counts what a person has called not done, and was found to be done all the same.
fn count_mistakes(world: &World, ledger: &Ledger) {
    for row in ledger.refunds.iter().chain(&ledger.transfers).filter(|row| row.state == "succeeded") {
        let failed = |event: &&EventRow| event.kind.ends_with(".failed") && event.body.contains(&row.id);
        if ledger.events.iter().any(|event| failed(&event)) {
            world.count("state: outflow succeeded after it was failed");
        }
    }
}

/// Counts the states that things ended in.
fn census(world: &World, ledger: &Ledger) {
    for payment in &ledger.payments {
        count_reversal(world, ledger, payment);
        world.count(&format!("payment: {}", payment.status));
        if let Some(held) = payment.held {
            world.count(&format!("held: {held}"));
        }
        if payment.attempts.len() > 1 {
            world.count("state: failover");
        }
        for attempt in &payment.attempts {
            world.count(&format!("attempt: {}", attempt.state));
        }
    }
    let is_reversed = |order: &Order| order.takes.iter().any(|take| take.reversed_at.is_some());
    for bank in &world.banks {
        let count = bank.books().orders.values().filter(|order| is_reversed(order)).count();
        world.count_many("state: close sent money back", count);
    }
    for refund in &ledger.refunds {
        world.count(&format!("refund: {} ({})", refund.state, refund.origin));
    }
    count_mistakes(world, ledger);
    for transfer in &ledger.transfers {
        world.count(&format!("transfer: {}", transfer.state));
    }
    for row in &ledger.queue {
        world.count(&format!("waits: {}", row.kind));
    }
    for callback in &ledger.callbacks {
        world.count(&format!("callback: {}", callback.verdict));
    }
    for event in &ledger.events {
        let late = if event.body.contains("\"late\":true") { " (late)" } else { "" };
        world.count(&format!("event: {}{late}", event.kind));
    }
}
