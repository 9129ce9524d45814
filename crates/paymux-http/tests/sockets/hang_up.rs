//! Clients that do not wait: what they asked for is done all the same.

use std::time::Duration;

use paymux_core::payment::Status;
use paymux_http::Limits;
use paymux_testkit::Script;
use tokio::time::{Instant, sleep};

use crate::peer::{LONG, Service, create};

#[tokio::test]
async fn a_client_that_hangs_up_leaves_a_finished_payment() {
    let service = Service::start(Limits::default()).await;
    service.channel.on_create(Script::Slow(Duration::from_millis(300)));
    let mut peer = service.connect().await;
    peer.send(create("A1")).await;
    until("the order goes out", async || !service.channel.orders().is_empty()).await;
    assert_eq!(status(&service).await, Some(Status::Processing));
    drop(peer);
    until("the payment is finished", async || status(&service).await == Some(Status::Pending)).await;

    let mut peer = service.connect().await;
    peer.send(create("A1")).await;
    let answer = peer.answer().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.body.contains("\"type\":\"qr\""), "{answer:?}");
    assert_eq!(service.channel.orders().len(), 1);
}

#[tokio::test]
async fn a_body_that_breaks_off_stores_nothing() {
    let service = Service::start(Limits::default()).await;
    let whole = create("A1");
    let mut peer = service.connect().await;
    peer.send(&whole[..whole.len() - 1]).await;
    drop(peer);
    let mut peer = service.connect().await;
    peer.send(crate::peer::ALIVE).await;
    assert_eq!(peer.answer().await.status, 200);
    assert!(service.payment("A1").await.is_none());
}

async fn status(service: &Service) -> Option<Status> {
    service.payment("A1").await.map(|payment| payment.status)
}

/// Looks until it holds.
async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < LONG, "never: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}
