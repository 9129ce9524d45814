//! Bounds on size and number, and what is counted.

use std::sync::Arc;

use metrics_exporter_prometheus::PrometheusBuilder;
use paymux_core::transport::{Destination, Transport};
use paymux_transport::{CallsMax, Settings};
use tokio::sync::{Semaphore, mpsc};

use crate::support::{OK, OVERLOADED, Server, TOO_LARGE, body, dialler, open, post, send};

const BYTES_MAX: usize = 100 * 1024;

#[tokio::test]
async fn an_answer_may_be_as_large_as_its_limit_and_no_larger() {
    for (bytes, fits) in [
        (0, true),
        (1, true),
        (BYTES_MAX - 1, true),
        (BYTES_MAX, true),
        (BYTES_MAX + 1, false),
        (2 * BYTES_MAX, false),
    ] {
        let text = "x".repeat(bytes);
        check(format!("HTTP/1.1 200 OK\r\ncontent-length: {bytes}\r\n\r\n{text}"), bytes, fits).await;
        check(format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{text}"), bytes, fits).await;
        let chunk = if bytes == 0 { String::new() } else { format!("{bytes:x}\r\n{text}\r\n") };
        check(format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunk}0\r\n\r\n"), bytes, fits)
            .await;
    }

    async fn check(answer: String, bytes: usize, fits: bool) {
        let server = Server::closing_after(answer).await;
        let mut call = post(&server.url());
        call.response_bytes_max = BYTES_MAX;
        match send(call).await {
            Ok(answer) => assert!(fits && answer.body.len() == bytes, "{bytes}"),
            refused => assert!(!fits && refused == TOO_LARGE, "{bytes}: {refused:?}"),
        }
    }
}

#[tokio::test]
async fn a_large_answer_is_refused_by_its_length_alone() {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", u64::MAX / 2);
    let server = Server::start(move |_, mut peer| {
        let head = head.clone();
        async move {
            peer.request().await?;
            peer.say(&head).await?;
            peer.until_end().await
        }
    })
    .await;
    assert_eq!(send(post(&server.url())).await, TOO_LARGE);
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let server = Server::start(|_, mut peer| async move {
        peer.request().await?;
        peer.say("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n").await?;
        loop {
            peer.say(&"x".repeat(4096)).await?;
        }
    })
    .await;
    assert_eq!(send(post(&server.url())).await, TOO_LARGE);
}

#[tokio::test]
async fn heads_are_bounded_too() {
    let long = Server::closing_after(format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(70_000))).await;
    assert_eq!(send(post(&long.url())).await, TOO_LARGE);
    let many = Server::closing_after(format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(101))).await;
    assert_eq!(send(post(&many.url())).await, TOO_LARGE);
    let enough = Server::closing_after(format!(
        "HTTP/1.1 200 OK\r\n{}content-length: 2\r\n\r\nok",
        "x: y\r\n".repeat(99)
    ))
    .await;
    assert_eq!(body(&send(post(&enough.url())).await), "ok");
}

#[tokio::test]
async fn calls_above_the_bound_are_shed_at_once() {
    check(Settings { provider_calls: CallsMax { total: 2, per_origin: 9 }, ..open() }).await;
    check(Settings { provider_calls: CallsMax { total: 9, per_origin: 2 }, ..open() }).await;

    async fn check(settings: Settings) {
        let held = Held::start().await;
        let (dialler, _clock) = dialler(&settings);
        let mut running = held.fill(&dialler, 2).await;
        assert_eq!(dialler.send(post(&held.server.url())).await, OVERLOADED);
        assert_eq!(held.server.connections_at_last().await, 2);
        held.release.add_permits(1);
        assert_eq!(body(&running.join_next().await.unwrap().unwrap()), "ok");
        held.release.add_permits(2);
        assert_eq!(body(&dialler.send(post(&held.server.url())).await), "ok", "a place is free again");
        assert_eq!(body(&running.join_next().await.unwrap().unwrap()), "ok");
    }
}

#[tokio::test]
async fn a_dropped_call_gives_its_place_back() {
    let held = Held::start().await;
    let (dialler, _clock) =
        dialler(&Settings { provider_calls: CallsMax { total: 1, per_origin: 1 }, ..open() });
    for _ in 0..3 {
        let mut running = held.fill(&dialler, 1).await;
        assert_eq!(dialler.send(post(&held.server.url())).await, OVERLOADED);
        running.shutdown().await;
    }
    held.release.add_permits(10);
    assert_eq!(body(&dialler.send(post(&held.server.url())).await), "ok");
}

#[tokio::test]
async fn one_that_hangs_leaves_places_for_the_others() {
    let (held, other) = (Held::start().await, Server::answering(OK).await);
    let (dialler, _clock) = dialler(&Settings {
        provider_calls: CallsMax { total: 3, per_origin: 2 },
        merchant_calls: CallsMax { total: 1, per_origin: 1 },
        ..open()
    });
    let _running = held.fill(&dialler, 2).await;
    assert_eq!(body(&dialler.send(post(&other.url())).await), "ok", "another provider");
    let mut notice = post(&held.server.url());
    notice.destination = Destination::Merchant;
    let sending = tokio::spawn({
        let (dialler, notice) = (dialler.clone(), notice.clone());
        async move { dialler.send(notice).await }
    });
    tokio::task::yield_now().await;
    assert_eq!(dialler.send(notice).await, OVERLOADED, "merchants have their own bound");
    assert_eq!(body(&dialler.send(post(&other.url())).await), "ok", "which is not the providers'");
    sending.abort();
}

#[tokio::test]
async fn every_call_is_counted_once_by_how_it_ended() {
    let metrics = PrometheusBuilder::new().install_recorder().unwrap();
    let server = Server::answering(OK).await;
    let held = Held::start().await;
    let (dialler, _clock) = dialler(&open());
    for _ in 0..3 {
        dialler.send(post(&server.url())).await.unwrap();
    }
    let mut late = post(&server.url());
    late.deadline.dispatch_by = paymux_core::clock::Mono(std::time::Duration::ZERO);
    dialler.send(late).await.unwrap_err();
    held.fill(&dialler, 1).await.shutdown().await;
    let text = metrics.render();
    for line in [
        "paymux_outbound_calls_total{destination=\"provider\",outcome=\"answered\"} 3",
        "paymux_outbound_calls_total{destination=\"provider\",outcome=\"not_sent_too_late\"} 1",
        "paymux_outbound_calls_total{destination=\"provider\",outcome=\"dropped\"} 1",
        "paymux_outbound_connections_total{destination=\"provider\"} 2",
        "paymux_outbound_in_flight{destination=\"provider\"} 0",
        "paymux_outbound_call_seconds_count{destination=\"provider\"} 5",
    ] {
        assert!(text.contains(line), "no `{line}` in:\n{text}");
    }
    assert!(!text.contains("127.0.0.1"), "no address is a label");
}

/// A server that hears requests and answers each only when it is released.
struct Held {
    server: Server,
    release: Arc<Semaphore>,
    heard: tokio::sync::Mutex<mpsc::UnboundedReceiver<()>>,
}

impl Held {
    async fn start() -> Self {
        let release = Arc::new(Semaphore::new(0));
        let (hear, heard) = mpsc::unbounded_channel();
        let releasing = release.clone();
        let server = Server::start(move |_, mut peer| {
            let (release, hear) = (releasing.clone(), hear.clone());
            async move {
                while !peer.request().await?.is_empty() {
                    hear.send(()).unwrap();
                    release.acquire().await.unwrap().forget();
                    peer.say(OK).await?;
                }
                Ok(())
            }
        })
        .await;
        Self { server, release, heard: heard.into() }
    }

    /// Starts that many calls and waits until all have arrived.
    async fn fill(
        &self,
        dialler: &Arc<paymux_transport::Dialler>,
        calls: usize,
    ) -> tokio::task::JoinSet<Result<paymux_core::wire::WireResponse, paymux_core::transport::Undelivered>>
    {
        let mut running = tokio::task::JoinSet::new();
        for _ in 0..calls {
            let (dialler, call) = (dialler.clone(), post(&self.server.url()));
            running.spawn(async move { dialler.send(call).await });
        }
        for _ in 0..calls {
            self.heard.lock().await.recv().await.unwrap();
        }
        running
    }
}
