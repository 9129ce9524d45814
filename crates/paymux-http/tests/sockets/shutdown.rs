//! The end: at once when nothing is under way, after the last answer otherwise, and never later
//! than the drain limit.

use std::time::Duration;

use paymux_http::{Limits, Served};
use paymux_testkit::Script;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::peer::{ALIVE, HTTP2_HELLO, LONG, Service, create, create_head};

#[tokio::test]
async fn idle_connections_of_every_kind_end_within_a_second() {
    let service = Service::start(Limits::default()).await;
    let mut silent = service.connect().await;
    let mut half_a_header = service.connect().await;
    half_a_header.send("GET /healthz HT").await;
    let mut kept = service.connect().await;
    kept.send(ALIVE).await;
    assert_eq!(kept.answer().await.status, 200);
    let mut http2 = service.connect().await;
    http2.send(HTTP2_HELLO).await;
    assert!(!http2.some().await.is_empty());

    let began = Instant::now();
    service.shutdown.cancel();
    assert_eq!(timeout(LONG, service.served).await.unwrap().unwrap(), Served::Drained);
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!((silent.rest().await, kept.rest().await), (String::new(), String::new()));
    assert!(TcpStream::connect(service.address).await.is_err(), "the listener is closed");
}

#[tokio::test]
async fn a_request_under_way_gets_its_answer() {
    let service = Service::start(Limits::default()).await;
    service.channel.on_create(Script::Slow(Duration::from_millis(600)));
    let mut peer = service.connect().await;
    peer.send(create("A1")).await;
    while service.channel.orders().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    service.shutdown.cancel();
    let answer = peer.answer().await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(timeout(LONG, service.served).await.unwrap().unwrap(), Served::Drained);
}

#[tokio::test]
async fn what_does_not_end_is_cut_at_the_drain_limit() {
    let drain = Duration::from_millis(400);
    let service = Service::start(Limits { drain, ..Limits::default() }).await;
    let mut peer = service.connect().await;
    peer.send(create_head("content-length: 500")).await;
    peer.send("{").await;
    // The header is complete, so a request is under way; its body never comes.
    let mut other = service.connect().await;
    other.send(ALIVE).await;
    assert_eq!(other.answer().await.status, 200);
    let began = Instant::now();
    service.shutdown.cancel();
    assert_eq!(timeout(LONG, service.served).await.unwrap().unwrap(), Served::Cut(1));
    assert!((drain..drain + Duration::from_secs(1)).contains(&began.elapsed()), "{:?}", began.elapsed());
    assert_eq!(peer.rest().await, "");
}
