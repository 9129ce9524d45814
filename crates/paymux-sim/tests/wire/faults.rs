//! Every fault of a call as it is seen on the wire, and what stays in the books.

use std::time::Duration;

use paymux_sim::{CallFault, FaultEffect, FaultPlan, Rule, Running, SimConfig};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::*;

async fn struck(fault: CallFault) -> (Running, Raw) {
    let sim = start(config()).await;
    sim.bank().strike_call(Rule::once(fault).on("pay")).unwrap();
    let raw = create(&sim, NUMBER, 1023).await;
    (sim, raw)
}

/// The answer under the fault, whether the order is in the books, and that the fault is over.
async fn check(fault: CallFault, is_booked: bool, answer: impl FnOnce(&Raw)) {
    let (sim, raw) = struck(fault.clone()).await;
    answer(&raw);
    assert_eq!(sim.bank().order(NUMBER).is_some(), is_booked, "{fault:?}");
    assert_eq!(sim.bank().stats().faults.values().sum::<u64>(), 1);
    assert_eq!(sim.bank().stats().creates(NUMBER), 1);
    let again = create(&sim, NUMBER, 1023).await.code();
    assert_eq!(again, if is_booked { 17 } else { 0 }, "{fault:?}");
    sim.stop().await;
}

#[tokio::test]
async fn a_cut_connection_gives_no_byte() {
    check(CallFault::CloseBefore, false, |raw| assert!(raw.bytes.is_empty())).await;
    check(CallFault::CloseAfter, true, |raw| assert!(raw.bytes.is_empty())).await;
}

#[tokio::test]
async fn server_errors_come_with_and_without_effect() {
    for (effect, is_booked) in [(FaultEffect::None, false), (FaultEffect::Done, true)] {
        check(CallFault::Http500 { effect }, is_booked, |raw| {
            assert_eq!((raw.status(), raw.body()), (500, &b""[..]));
        })
        .await;
        check(CallFault::Html502 { effect }, is_booked, |raw| {
            assert_eq!((raw.status(), raw.header("content-type")), (502, Some("text/html")));
            assert!(raw.text().contains("<h1>502 Bad Gateway</h1>"));
        })
        .await;
        check(CallFault::Code { code: 14, effect }, is_booked, |raw| {
            assert_eq!((raw.status(), raw.code()), (200, 14));
            assert_eq!(raw.json()["result_msg"], "RUNTIME_ERROR");
        })
        .await;
        check(CallFault::Code { code: 7, effect }, is_booked, |raw| {
            assert_eq!((raw.status(), raw.code()), (200, 7));
            assert!(raw.json().get("code_url").is_none());
        })
        .await;
    }
}

#[tokio::test]
async fn a_malformed_answer_is_whole_http_and_no_json() {
    check(CallFault::Malformed, true, |raw| {
        assert_eq!(raw.status(), 200);
        assert_eq!(raw.header("content-length").unwrap(), raw.body().len().to_string());
        assert!(serde_json::from_slice::<Value>(raw.body()).is_err());
    })
    .await;
}

#[tokio::test]
async fn a_truncated_answer_breaks_off_halfway() {
    check(CallFault::Truncated, true, |raw| {
        let declared: usize = raw.header("content-length").unwrap().parse().unwrap();
        assert_eq!((raw.status(), raw.body().len()), (200, declared / 2));
        assert!(raw.text().starts_with('{'));
    })
    .await;
}

#[tokio::test]
async fn latency_comes_before_the_work_and_a_hang_after_it() {
    let late = Duration::from_millis(150);
    check(CallFault::Latency { ms: 150 }, true, |raw| assert!(raw.took >= late && raw.code() == 0)).await;
    check(CallFault::Hang { ms: 150 }, true, |raw| assert!(raw.took >= late && raw.code() == 0)).await;

    let (sim, waiting) = waiting_under(CallFault::Latency { ms: 300 }).await;
    assert!(sim.bank().order(NUMBER).is_none(), "the work comes later");
    assert_eq!(waiting.await.unwrap().code(), 0);
    assert!(sim.bank().order(NUMBER).is_some());
    sim.stop().await;

    let (sim, waiting) = waiting_under(CallFault::Hang { ms: 300 }).await;
    tokio::time::timeout(PATIENCE, sim.bank().order_when(NUMBER, |_| true)).await.unwrap();
    assert!(!waiting.is_finished(), "the answer comes later");
    assert_eq!(waiting.await.unwrap().code(), 0);
    sim.stop().await;
}

/// A create that was struck and is not answered yet.
async fn waiting_under(fault: CallFault) -> (Running, tokio::task::JoinHandle<Raw>) {
    let sim = start(config()).await;
    sim.bank().strike_call(Rule::once(fault)).unwrap();
    let addr = sim.addr();
    let waiting = tokio::spawn(async move { exchange(addr, &create_bytes()).await });
    while sim.bank().stats().faults.is_empty() {
        tokio::task::yield_now().await;
    }
    (sim, waiting)
}

#[tokio::test]
async fn a_client_that_gave_up_does_not_undo_its_create() {
    let sim = start(config()).await;
    sim.bank().strike_call(Rule::once(CallFault::Latency { ms: 100 })).unwrap();
    let mut stream = TcpStream::connect(sim.addr()).await.unwrap();
    stream.write_all(&create_bytes()).await.unwrap();
    while sim.bank().stats().faults.is_empty() {
        tokio::task::yield_now().await;
    }
    drop(stream);
    tokio::time::timeout(PATIENCE, sim.bank().order_when(NUMBER, |_| true)).await.unwrap();
    sim.stop().await;
}

#[tokio::test]
async fn a_request_whose_body_breaks_off_was_never_asked() {
    let sim = start(config()).await;
    let bytes = create_bytes();
    let mut stream = TcpStream::connect(sim.addr()).await.unwrap();
    stream.write_all(&bytes[..bytes.len() - 1]).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap();
    assert!(answer.is_empty());
    assert_eq!((sim.bank().stats().calls.len(), sim.bank().stats().orders), (0, 0));
    sim.stop().await;
}

#[tokio::test]
async fn stopping_cuts_what_hangs() {
    let (sim, waiting) = waiting_under(CallFault::Hang { ms: 30_000 }).await;
    tokio::time::timeout(PATIENCE, sim.bank().order_when(NUMBER, |_| true)).await.unwrap();
    let addr = sim.addr();
    tokio::time::timeout(Duration::from_secs(2), sim.stop()).await.expect("stops at once");
    assert!(waiting.await.unwrap().bytes.is_empty());
    assert!(TcpStream::connect(addr).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn faults_meet_the_operation_and_number_that_they_name() {
    let sim = start(config()).await;
    sim.bank().strike_call(Rule::once(CallFault::CloseAfter).of("PMX20240301000009").times(5)).unwrap();
    sim.bank().strike_call(Rule::once(CallFault::Malformed).on("list")).unwrap();
    assert_eq!(create(&sim, NUMBER, 1).await.code(), 0);
    assert!(create(&sim, "PMX20240301000009", 1).await.bytes.is_empty());
    let list = get_para(&sim, "/2/rest/bills", &signed(serde_json::json!({}))).await;
    assert!(serde_json::from_slice::<Value>(list.body()).is_err());
    sim.stop().await;
}

#[tokio::test]
async fn chances_follow_the_seed() {
    let run = async |seed| {
        let faults =
            FaultPlan { calls: vec![Rule::chance(400_000, CallFault::CloseBefore)], notices: vec![] };
        let sim = start(SimConfig { seed, faults, ..config() }).await;
        let mut run = String::new();
        for n in 0..24 {
            let raw = create(&sim, &format!("SEED{n:08}"), 1).await;
            run.push(if raw.bytes.is_empty() { 'x' } else { '.' });
        }
        sim.stop().await;
        run
    };
    let first = run(11).await;
    assert_eq!(first, run(11).await);
    assert_ne!(first, run(12).await);
    assert!(first.contains('x') && first.contains('.'), "{first}");
}

fn create_bytes() -> Vec<u8> {
    http("POST", "/2/rest/bill", "application/json", &signed(bill(NUMBER, 1023)).to_string())
}
