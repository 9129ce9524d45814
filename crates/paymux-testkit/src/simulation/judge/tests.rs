//! A judge that cannot fail is none: each row plants one inconsistency in a run that is clean, and the judge
//! must name the promise that it breaks.

use std::sync::Arc;

use super::*;
use crate::simulation::bank::{Outgo, OutgoKind, Take};
use crate::simulation::books::{AttemptRow, CallbackRow, EventRow, Ledger, OutflowRow, PaymentRow, QueueRow};
use crate::simulation::limits::Limit;
use crate::simulation::run::play;
use crate::simulation::world::Keep;

/// Among how many seeds one must have what a plant needs.
const SEEDS_MAX: u64 = 300;

/// Plants something; false where the run has nothing to plant it in.
type Plant = fn(&World, &mut Ledger) -> bool;

fn on_paused_time<T>(work: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().unwrap().block_on(work)
}

/// What the judge finds at that hour of that seed's end with that planted; `None` where it could not be.
async fn found(seed: u64, hour: Hour, plant: Plant) -> Option<Vec<String>> {
    let world = World::new(seed, Keep::default());
    let mut ledger = play(&world).await;
    assert_eq!(world.judge.violations(), Vec::<String>::new(), "seed {seed} is not clean");
    let is_planted = plant(&world, &mut ledger);
    if is_planted {
        check_end(&world, &ledger, hour);
    }
    world.close();
    is_planted.then(|| world.judge.violations())
}

#[track_caller]
fn check(promise: &str, plant: Plant) {
    check_at(Hour::Resolved, promise, plant);
}

#[track_caller]
fn check_at(hour: Hour, promise: &str, plant: Plant) {
    for seed in 1..=SEEDS_MAX {
        if let Some(found) = on_paused_time(found(seed, hour, plant)) {
            let names = found.iter().any(|what| what.starts_with(promise));
            assert!(names, "seed {seed}: {promise} is broken, and the judge found {found:#?}");
            return;
        }
    }
    panic!("none of {SEEDS_MAX} seeds has what this needs");
}

fn attempt(ledger: &mut Ledger, is_it: fn(&AttemptRow) -> bool) -> Option<&mut AttemptRow> {
    ledger.payments.iter_mut().flat_map(|payment| &mut payment.attempts).find(|attempt| is_it(attempt))
}

fn event<'a>(ledger: &'a mut Ledger, kind: &str) -> Option<&'a mut EventRow> {
    ledger.events.iter_mut().find(|event| event.kind == kind)
}

/// Does it to the first one; false where there is none.
fn edit<T>(one: Option<T>, plant: impl FnOnce(T)) -> bool {
    one.map(plant).is_some()
}

fn edit_order(world: &World, is_it: fn(&Order) -> bool, plant: fn(&mut Order)) -> bool {
    world.banks.iter().any(|bank| edit(bank.books().orders.values_mut().find(|order| is_it(order)), plant))
}

fn edit_outgo(world: &World, of: OutgoKind, plant: fn(&mut Outgo)) -> bool {
    let left_once = |outgo: &&mut Outgo| outgo.left_at.len() == 1;
    world.banks.iter().any(|bank| edit(bank.books().outgoes(of).values_mut().find(left_once), plant))
}

fn is_done(row: &&mut OutflowRow) -> bool {
    row.state == "succeeded" && row.origin == "merchant"
}

#[test]
fn misses_what_was_acknowledged() {
    check("J2", |_, ledger| ledger.payments.pop().is_some());
    check("J2", |_, ledger| edit(ledger.payments.first_mut(), |payment| payment.amount += 1));
    check("J2", |_, ledger| edit(ledger.payments.first_mut(), |payment| payment.app = "other".to_owned()));
    check("J2", |_, ledger| ledger.transfers.pop().is_some());
}

#[test]
fn counts_what_came_in() {
    check("J3", |world, _| edit_order(world, Order::is_paid, |order| order.takes[0].amount += 1));
    check("J3", |world, _| {
        edit_order(world, Order::is_paid, |order| {
            let twice = order.takes[0].clone();
            order.takes.push(twice);
        })
    });
    check("J3", |world, _| edit_order(world, Order::is_paid, |order| order.takes[0].reversed_at = Some(1)));
    check("J3", |world, _| edit_order(world, |_| true, |order| order.written_off = 1));
    check("J3", |_, ledger| edit(attempt(ledger, |a| a.state == "paid"), |attempt| attempt.contested = 1));
    check("J3", |world, _| edit_order(world, |_| true, |order| order.amount += 1));
    check("J3", |world, _| {
        let mut books = world.banks[0].books();
        let order = books.orders.values().next().cloned();
        edit(order, |order| drop(books.orders.insert("nobody's".to_owned(), order)))
    });
    check("J3", |_, ledger| edit(attempt(ledger, |a| a.state == "paid"), |attempt| attempt.received += 1));
    check("J3", |_, ledger| edit(attempt(ledger, |a| a.state == "closed"), |a| a.received = 5));
    check("J3: att", |_, ledger| edit(attempt(ledger, |a| a.received > 0), |a| a.currency = "JPY"));
    check("J3", |world, ledger| {
        let expired = ledger.payments.iter().filter(|p| p.status == "expired" && p.received == 0);
        let attempts: Vec<AttemptRow> = expired.flat_map(|payment| payment.attempts.clone()).collect();
        attempts.iter().any(|attempt| pay_past(world, ledger, attempt))
    });
}

/// The bank has all the money of that attempt's order, and its only callback is quarantined and seen to.
/// False where the order never came to the bank, or took money before.
fn pay_past(world: &World, ledger: &mut Ledger, attempt: &AttemptRow) -> bool {
    let bank = world.bank(&attempt.channel).unwrap();
    let mut books = bank.books();
    let unpaid = books.orders.get_mut(&attempt.number).filter(|order| order.takes.is_empty());
    edit(unpaid, |order| {
        let body = format!("kind=paid&number={}&amount={}&trade_no=t-past", attempt.number, order.amount);
        let trade_no = "t-past".to_owned();
        let take = Take {
            trade_no: String::new(),
            amount: 0,
            currency: "CNY",
            discount: 0,
            late: false,
            reversed_at: None,
        };
        order.takes.push(Take { trade_no, amount: order.amount, ..take });
        let (id, channel) = ("cb_past".to_owned(), attempt.channel.clone());
        ledger.callbacks.push(CallbackRow { id, channel, verdict: "quarantined", body });
    })
}

#[test]
fn counts_what_went_back() {
    check("J4", |world, _| edit_outgo(world, OutgoKind::Back, |back| back.left_at.push(1)));
    check("J4", |world, _| edit_outgo(world, OutgoKind::Back, |back| back.left_at.clear()));
    check("J4", |world, _| edit_outgo(world, OutgoKind::Back, |back| back.amount += 1));
    check("J4", |_, ledger| edit(ledger.refunds.iter_mut().find(is_done), |refund| refund.state = "failed"));
    check("J4", |_, ledger| edit(ledger.refunds.iter_mut().find(is_done), |refund| refund.amount += 1));
    check("J4", |_, ledger| edit(attempt(ledger, |a| a.refunded > 0), |a| a.refunded = a.received + 1));
    check("J4", |_, ledger| edit(attempt(ledger, |a| a.state == "paid"), |a| a.refunding = -1));
    check("J4", |_, ledger| {
        edit(ledger.payments.iter_mut().find(|p| p.received > 0), |p| p.refunded = p.received + 1)
    });
}

#[test]
fn counts_what_was_paid_out() {
    check("J8", |world, _| edit_outgo(world, OutgoKind::Payout, |payout| payout.left_at.push(1)));
    check("J8", |world, _| edit_outgo(world, OutgoKind::Payout, |payout| payout.left_at.clear()));
    check("J8", |world, _| edit_outgo(world, OutgoKind::Payout, |payout| payout.amount += 1));
    check("J8", |_, ledger| edit(ledger.transfers.iter_mut().find(is_done), |row| row.state = "failed"));
    check("J8", |_, ledger| {
        edit(ledger.transfers.iter_mut().find(is_done), |row| row.number = "?".to_owned())
    });
}

#[test]
fn knows_who_was_not_told() {
    check("J5", |_, ledger| edit(ledger.events.first_mut(), |event| event.delivery = "pending"));
    check("J5", |_, ledger| edit(ledger.events.first_mut(), |event| event.delivery = "dead"));
    check("J5", |_, ledger| edit(ledger.events.first_mut(), |event| event.body.push(' ')));
    check("J5", |_, ledger| edit(ledger.events.first_mut(), |event| event.sequence += 1));
    check("J5", |_, ledger| ledger.events.pop().is_some());
    check("J5", |world, _| world.judge.notes().told.pop_first().is_some());
    check("J5", |_, ledger| edit(event(ledger, "payment.succeeded"), |event| event.kind = "payment.failed"));
    check("J5", |_, ledger| {
        edit(event(ledger, "payment.duplicate_paid"), |event| event.kind = "payment.underpaid")
    });
    check("J5", |_, ledger| edit(event(ledger, "refund.succeeded"), |event| event.kind = "refund.failed"));
    check("J5", |_, ledger| {
        edit(event(ledger, "transfer.succeeded"), |event| event.kind = "transfer.failed")
    });
    check("J5", |_, ledger| {
        edit(ledger.payments.iter_mut().find(|p| p.events == 1 && p.status == "expired"), |payment| {
            payment.held = Some("late");
        })
    });
}

#[test]
fn keeps_limits() {
    fn limited(world: &World, is_it: fn(&Limit) -> bool) -> Option<&Arc<Bank>> {
        world.banks.iter().find(|bank| is_it(&world.limit(bank)))
    }
    // One paid order after the other, beyond any limit.
    fn crowd(world: &World, bank: &Bank, amount: i64) {
        for number in 0..4 {
            let mut order = Order::fresh(amount);
            order.takes.push(Take {
                trade_no: number.to_string(),
                amount,
                currency: "CNY",
                discount: 0,
                late: false,
                reversed_at: None,
            });
            bank.books().orders.insert(format!("n{number}"), order);
        }
        world.judge.check_limits(world, bank);
    }
    check("J13", |world, _| {
        let bank = limited(world, |limit| limit.amount.is_some() && limit.count.is_none());
        edit(bank, |bank| crowd(world, bank, 10_000))
    });
    check("J13", |world, _| {
        let bank = limited(world, |limit| limit.count.is_some() && limit.amount.is_none());
        edit(bank, |bank| crowd(world, bank, 1))
    });
    check("J13", |_, ledger| {
        ledger.payments.iter_mut().flat_map(|p| &mut p.attempts).for_each(|a| a.is_looked_at = false);
        edit(ledger.limits.iter_mut().find(|row| row.is_of_day), |row| row.reserved = 1)
    });
    check("J13", |_, ledger| {
        edit(ledger.limits.iter_mut().find(|row| row.is_of_day), |row| {
            row.is_of_day = false;
            row.count = 1;
        })
    });
}

#[test]
fn knows_a_sender_that_was_given_up() {
    check("J12", |world, _| {
        world.judge.create_leaves(world, "n1", Some(("sending", "processing")));
        world.judge.create_leaves(world, "n1", Some(("lapsed", "succeeded")));
        assert_eq!(world.judge.violations(), Vec::<String>::new());
        world.judge.create_leaves(world, "n1", Some(("lapsed", "expired")));
        !world.a_clock_was_wrong()
    });
    check("J12", |world, _| {
        world.judge.create_leaves(world, "n1", None);
        !world.a_clock_was_wrong()
    });
}

#[test]
fn knows_what_is_parked() {
    check("J6", |_, ledger| edit(ledger.payments.first_mut(), |payment| payment.status = "pending"));
    check("J6", |_, ledger| edit(attempt(ledger, |_| true), |attempt| attempt.state = "unknown"));
    check("J6", |_, ledger| edit(attempt(ledger, |_| true), |attempt| attempt.is_crossed = true));
    check("J6", |_, ledger| edit(ledger.refunds.first_mut(), |refund| refund.state = "needs_action"));
    check("J6", |_, ledger| edit(ledger.transfers.first_mut(), |transfer| transfer.state = "unknown"));
    check("J6", |_, ledger| edit(ledger.payments.first_mut(), |payment| payment.held = Some("late")));
    check("J6", |_, ledger| {
        ledger.queue.push(waiting("money_held", "shop"));
        true
    });
    check("J6: the metric", |_, ledger| {
        ledger.waiting.push(("money_held", 1));
        true
    });
    check("J6: money_held att_1 does not say", |_, ledger| {
        ledger.queue.push(waiting("money_held", ""));
        true
    });
}

fn waiting(kind: &'static str, channel: &str) -> QueueRow {
    waiting_of(kind, "att_1", channel, "")
}

fn waiting_of(kind: &'static str, id: &str, channel: &str, payment: &str) -> QueueRow {
    let [id, app, channel, payment] = [id, "shop", channel, payment].map(str::to_owned);
    QueueRow { kind, id, app, channel, payment, since_ms: 0 }
}

/// Has a callback of that payment wait, which says nothing of what else is parked there.
fn quarantine(ledger: &mut Ledger, payment: &str) {
    ledger.queue.push(waiting_of("callback_unmatched", "cb_1", "qr-a", payment));
}

#[test]
fn knows_whose_word_is_waited_for() {
    check_at(Hour::Calm, "J6: attempt", |_, ledger| {
        let payment = ledger.payments.first().map(|payment| payment.id.clone());
        edit(payment, |payment| {
            quarantine(ledger, &payment);
            edit(ledger.payments[0].attempts.first_mut(), |attempt| attempt.state = "unknown");
        })
    });
    check_at(Hour::Calm, "J6: shop", |_, ledger| {
        let pending = ledger.payments.iter_mut().find(|payment| payment.app == "shop");
        let payment = pending.map(|payment| {
            payment.status = "pending";
            payment.id.clone()
        });
        edit(payment, |payment| quarantine(ledger, &payment))
    });
    check_at(Hour::Calm, "J3: attempt", |_, ledger| {
        let mut payments = ledger.payments.iter_mut();
        let payment = payments.find(|payment| payment.attempts.iter().any(|a| a.state == "closed"));
        let payment = payment.map(|payment| {
            edit(payment.attempts.iter_mut().find(|a| a.state == "closed"), |a| a.received = 5);
            payment.id.clone()
        });
        edit(payment, |payment| quarantine(ledger, &payment))
    });
}

#[test]
fn knows_what_nobody_looks_at() {
    check_at(Hour::Calm, "J11: attempt", |_, ledger| {
        edit(attempt(ledger, |a| a.state == "closed" && !a.is_looked_at), |attempt| attempt.state = "open")
    });
    check_at(Hour::Calm, "J11: nobody", |world, ledger| {
        world.judge.expect_looks(world.ms() - 86_400_001);
        edit(attempt(ledger, |a| a.state == "not_sent"), |attempt| {
            (attempt.state, attempt.is_looked_at) = ("unknown", true);
        })
    });
    check_at(Hour::Calm, "J11: ", |_, ledger| {
        let ended = |row: &&mut OutflowRow| is_done(row) && !row.is_looked_at && row.channel == "qr-b";
        edit(ledger.transfers.iter_mut().find(ended), |row| row.state = "pending")
    });
    const DAY_MS: i64 = 86_400_000;
    let looked = |since: i64, state: &'static str| {
        watched(move |world| {
            world.judge.expect_looks(world.ms() - since);
            world.judge.looked(world, "att_1", state);
            world.judge.looked(world, "att_1", state);
        })
    };
    assert_eq!(looked(DAY_MS, "unknown"), Vec::<String>::new());
    assert_eq!(looked(DAY_MS + 1, "paid"), Vec::<String>::new(), "it had ended");
    assert_eq!(looked(DAY_MS + 1, "unknown").len(), 1, "and the second look is in time");
}

#[test]
fn knows_one_number_for_two_things() {
    check("J7", |_, ledger| {
        let twin =
            ledger.payments.first().map(|first| PaymentRow { id: "pay_2".to_owned(), ..first.clone() });
        edit(twin, |twin| ledger.payments.push(twin))
    });
    check("J7", |_, ledger| {
        let twin = ledger.refunds.iter().find(|refund| refund.origin == "merchant").cloned();
        edit(twin, |twin| ledger.refunds.push(twin))
    });
    check("J7", |_, ledger| {
        let twin = ledger.transfers.first().cloned();
        edit(twin, |twin| ledger.transfers.push(twin))
    });
}

#[test]
fn knows_success_without_money() {
    check("J9", |_, ledger| edit(attempt(ledger, |a| a.state == "paid"), |attempt| attempt.state = "closed"));
    check("J9", |_, ledger| edit(attempt(ledger, |a| a.state == "paid"), |a| a.currency = "USD"));
    let body = |channel: &str, number: &str, received: i64| {
        let data = serde_json::json!({
            "object": "payment", "id": "pay_1", "status": "succeeded", "amount": 100,
            "amount_received": received, "amount_discount": 0, "channel": channel, "provider_order_no": number,
        });
        data.to_string()
    };
    let seen = |text: &str| {
        let text = text.to_owned();
        watched(move |world| {
            let merchant = world.merchants[0].clone();
            world.judge.answered(world, &merchant, &Ask::Find("pay_1".to_owned()), 200, &text);
        })
    };
    assert!(seen(&body("qr-a", "n1", 101))[0].starts_with("J9"), "more than the bank has");
    assert!(seen(&body("qr-a", "n2", 100))[0].starts_with("J9"), "an order that took nothing");
    assert!(seen(&body("qr-a", "n1", 0))[0].starts_with("J9"), "nothing");
    assert!(seen(&body("qr-a", "n1", 99))[0].starts_with("J9"), "less than asked");
    assert_eq!(seen(&body("qr-a", "n1", 100)), Vec::<String>::new());
}

#[test]
fn adds_up_the_books() {
    check("J10", |_, ledger| ledger.postings.pop().is_some());
    check("J10", |_, ledger| {
        let twice = ledger.postings.first().cloned();
        edit(twice, |line| ledger.postings.push(line))
    });
    check("J10", |_, ledger| edit(ledger.postings.first_mut(), |line| line.amount = 0));
    check("J10", |_, ledger| edit(ledger.postings.first_mut(), |line| line.amount += 1));
    check("J10", |_, ledger| {
        edit(ledger.postings.first_mut(), |line| std::mem::swap(&mut line.debit, &mut line.credit))
    });
    check("J10", |_, ledger| {
        edit(ledger.postings.iter_mut().find(|line| line.kind == "released"), |line| {
            line.credit = "app:other".to_owned();
        })
    });
    check("J10", |_, ledger| edit(ledger.postings.first_mut(), |line| line.attempt = "att_other".to_owned()));
}

/// What the judge says of something in a world where `qr-a` has order `n1`, shown and paid with 100, and
/// `n2` and `n3` of the same purchase as each other, not shown.
fn watched(happens: impl FnOnce(&Arc<World>)) -> Vec<String> {
    on_paused_time(async {
        let world = World::new(1, Keep::default());
        let bank = world.bank("qr-a").unwrap();
        for number in ["n1", "n2", "n3"] {
            let subject = if number == "n1" { "shop/A1" } else { "shop/A2" };
            let order = Order { subject: subject.to_owned(), ..Order::fresh(100) };
            bank.books().orders.insert(number.to_owned(), order);
        }
        bank.note_seen("n1", 0);
        bank.pay("n1", 100, 0);
        happens(&world);
        world.judge.violations()
    })
}

#[test]
fn sees_two_orders_that_can_take_money() {
    let seen = |numbers: &'static [&'static str]| {
        watched(move |world| {
            let bank = world.bank("qr-a").unwrap();
            for number in numbers {
                bank.note_seen(number, 0);
                world.judge.check_exposure(world, &bank, number);
            }
        })
    };
    assert!(seen(&["n2", "n3"])[0].starts_with("J1"));
    assert_eq!(seen(&["n1", "n2"]), Vec::<String>::new(), "two purchases");
}

#[test]
fn hears_when_answers_contradict_each_other() {
    let created = |answers: &'static [(u16, &'static str)]| {
        watched(move |world| {
            let merchant = world.merchants[0].clone();
            let ask = Ask::Create(r#"{"order_no":"A1","amount":100}"#.to_owned());
            for (status, text) in answers {
                world.judge.answered(world, &merchant, &ask, *status, text);
            }
        })
    };
    const ONE: &str = r#"{"id":"pay_1","amount":100}"#;
    assert_eq!(created(&[(201, ONE), (200, ONE)]), Vec::<String>::new());
    assert!(created(&[(201, ONE), (201, ONE)])[0].starts_with("J7"), "new twice");
    assert!(created(&[(201, ONE), (200, r#"{"id":"pay_2","amount":100}"#)])[0].starts_with("J7"));
    assert!(created(&[(201, r#"{"id":"pay_1","amount":99}"#)])[0].starts_with("J7"), "another amount");
    assert!(created(&[(201, ONE), (422, r#"{"code":"order_mismatch"}"#)])[0].starts_with("J7"));
    assert!(created(&[(500, r#"{"code":"internal"}"#)])[0].starts_with("J2"));
}

#[test]
fn hears_false_notices() {
    let told = |notices: &'static [(&'static str, &'static str)], is_signed: bool| {
        watched(move |world| {
            let merchant = world.merchants[0].clone();
            for (id, body) in notices {
                let key = if is_signed { merchant.key } else { [0; 32] };
                let signature = seal::signed(&key, id, "1709251200", body);
                world.judge.told(world, &merchant, [id, "1709251200", &signature], body);
            }
        })
    };
    assert_eq!(told(&[("evt_1", "{}"), ("evt_1", "{}")], true), Vec::<String>::new());
    assert!(told(&[("evt_1", "{}")], false)[0].starts_with("J5"), "another's secret");
    assert!(told(&[("evt_1", "{}"), ("evt_1", "{ }")], true)[0].starts_with("J5"), "another body");
    const DONE: &str = r#"{"type":"refund.succeeded","data":{"channel":"qr-a","provider_refund_no":"r1"}}"#;
    assert!(told(&[("evt_1", DONE)], true)[0].starts_with("J5"), "a refund that the bank does not know");
}
