//! Clients that waste a connection: silent, slow, idle, or too many.

use std::time::Duration;

use paymux_http::Limits;
use tokio::time::{Instant, sleep, timeout};

use crate::peer::{ALIVE, LONG, Peer, Service, create, create_head, order};

/// The limit under test; every other one is long.
const SHORT: Duration = Duration::from_millis(300);

fn patient() -> Limits {
    Limits { first_byte: LONG * 3, header: LONG * 3, body: LONG * 3, idle: LONG * 3, ..Limits::default() }
}

#[tokio::test]
async fn a_silent_connection_is_closed() {
    let service = Service::start(Limits { first_byte: SHORT, ..patient() }).await;
    let mut peer = service.connect().await;
    assert_eq!(closed_after(&mut peer).await, "");
}

#[tokio::test]
async fn a_dribbled_header_is_cut_on_a_fresh_connection_and_on_a_used_one() {
    let service = Service::start(Limits { header: SHORT, ..patient() }).await;
    for used in [false, true] {
        let mut peer = service.connect().await;
        if used {
            peer.send(ALIVE).await;
            assert_eq!(peer.answer().await.status, 200);
        }
        let began = Instant::now();
        // A byte now and then: each is progress, and the header never ends.
        for byte in create_head("x: 1").trim_end().bytes().chain(std::iter::repeat(b'x')) {
            if !peer.try_send(&[byte]).await {
                break;
            }
            assert!(began.elapsed() < LONG, "still open, used: {used}");
            sleep(Duration::from_millis(20)).await;
        }
        assert!(began.elapsed() >= SHORT, "cut too soon, used: {used}");
    }
    assert!(service.payment("A1").await.is_none());
}

#[tokio::test]
async fn a_dribbled_http2_preface_is_cut() {
    let service = Service::start(Limits { header: SHORT, ..patient() }).await;
    let mut peer = service.connect().await;
    peer.send("PRI * HT").await;
    assert_eq!(closed_after(&mut peer).await, "");

    // A whole hello, and then no request.
    let mut peer = service.connect().await;
    peer.send(crate::peer::HTTP2_HELLO).await;
    closed_after(&mut peer).await;
}

#[tokio::test]
async fn a_body_that_does_not_come_is_answered_and_stores_nothing() {
    let service = Service::start(Limits { body: SHORT, ..patient() }).await;
    let mut peer = service.connect().await;
    let body = order("A1", 0);
    peer.send(create_head(&format!("content-length: {}", body.len()))).await;
    peer.send(&body[..10]).await;
    let answer = peer.answer().await;
    assert_eq!(answer.status, 408, "{answer:?}");
    assert!(answer.body.contains("request_timeout"), "{answer:?}");
    peer.rest().await;
    assert!(service.payment("A1").await.is_none());
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_a_busy_one_is_not() {
    let service = Service::start(Limits { idle: SHORT, ..patient() }).await;
    let mut peer = service.connect().await;
    service.channel.on_create(paymux_testkit::Script::Slow(SHORT * 3));
    peer.send(create("A1")).await;
    assert_eq!(peer.answer().await.status, 201);
    assert_eq!(closed_after(&mut peer).await, "");
}

#[tokio::test]
async fn further_connections_wait_for_a_place() {
    let service = Service::start(Limits { connections: 1, ..patient() }).await;
    let mut first = service.connect().await;
    first.send(ALIVE).await;
    assert_eq!(first.answer().await.status, 200);
    let mut second = service.connect().await;
    second.send(ALIVE).await;
    assert!(timeout(SHORT, second.head()).await.is_err(), "there was no place for a second");
    drop(first);
    assert!(second.head().await.contains("200 OK"));
}

/// What came before the other side closed, which must be at its limit and not much later.
async fn closed_after(peer: &mut Peer) -> String {
    let began = Instant::now();
    let rest = peer.rest().await;
    assert!((SHORT..LONG).contains(&began.elapsed()), "closed after {:?}", began.elapsed());
    rest
}
