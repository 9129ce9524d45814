//! Deadlines: nothing leaves too late, nothing waits too long.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use paymux_core::clock::Mono;
use paymux_core::transport::Transport;
use paymux_transport::{Names, Settings};
use tokio::sync::Notify;

use crate::support::{CONNECT, HandClock, OK, SPAN, Server, TIMED_OUT, TOO_LATE, body, dialler, open, post};

const CONNECT_MAX: Duration = Duration::from_secs(3);

#[tokio::test]
async fn a_deadline_in_the_past_opens_no_connection() {
    let server = Server::answering(OK).await;
    let (dialler, clock) = dialler(&open());
    clock.advance(SPAN);
    assert_eq!(dialler.send(post(&server.url())).await, TOO_LATE);
    assert_eq!(server.connections_at_last().await, 0);
}

#[tokio::test]
async fn time_that_runs_out_while_a_name_is_looked_up_is_too_late() {
    let (names, settings) = hanging_names();
    let (dialler, clock) = dialler(&settings);
    let mut call = post("http://slow.example");
    call.deadline.dispatch_by = Mono(Duration::from_secs(1));
    let sending = tokio::spawn(async move { dialler.send(call).await });
    names.asked.notified().await;
    clock.advance(Duration::from_secs(1));
    assert_eq!(sending.await.unwrap(), TOO_LATE);
}

#[tokio::test]
async fn a_look_up_that_takes_longer_than_a_connect_may_is_a_failed_connect() {
    let (names, settings) = hanging_names();
    let (dialler, clock) = dialler(&settings);
    let sending = tokio::spawn(async move { dialler.send(post("http://slow.example")).await });
    names.asked.notified().await;
    clock.advance(CONNECT_MAX);
    assert_eq!(sending.await.unwrap(), CONNECT);
}

/// The timer has not fired, the connection is open, and still it is too late: the gate itself looks at
/// the clock before the first byte.
#[tokio::test]
async fn a_machine_too_busy_to_notice_the_deadline_sends_nothing() {
    let server = Server::start(|_, mut peer| async move { peer.until_end().await }).await;
    let clock = HandClock::new();
    let names = Arc::new(LateNames(clock.clone()));
    let dialler = paymux_transport::Dialler::new(&Settings { names, ..open() }, clock).unwrap();
    let call = post(&format!("http://late.example:{}", server.at.port()));
    assert_eq!(dialler.send(call).await, TOO_LATE);
    server.ended(1).await;
    assert_eq!((server.connections(), server.received().as_str()), (1, ""));
}

#[tokio::test]
async fn a_deadline_in_the_past_leaves_a_pooled_connection_alone() {
    let server = Server::answering(OK).await;
    let (dialler, clock) = dialler(&open());
    dialler.send(post(&server.url())).await.unwrap();
    clock.slip(Duration::from_secs(1));
    let mut call = post(&server.url());
    call.deadline.dispatch_by = Mono(Duration::from_secs(1));
    assert_eq!(dialler.send(call).await, TOO_LATE);
    assert_eq!(body(&dialler.send(post(&server.url())).await), "ok", "the next call is none the worse");
    assert_eq!(server.connections_at_last().await, 1);
    assert_eq!(server.received().matches("POST /pay").count(), 2);
}

#[tokio::test]
async fn an_answer_that_does_not_come_or_does_not_end_times_out() {
    for begun in
        ["", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no", "HTTP/1.1 100 Continue\r\n\r\n"]
    {
        let asked = Arc::new(Notify::new());
        let asking = asked.clone();
        let server = Server::start(move |_, mut peer| {
            let asked = asking.clone();
            async move {
                peer.request().await?;
                peer.say(begun).await?;
                asked.notify_one();
                peer.until_end().await
            }
        })
        .await;
        let (dialler, clock) = dialler(&open());
        let mut call = post(&server.url());
        // Bytes leave before the one deadline; the other bounds the answer.
        call.deadline.dispatch_by = Mono(Duration::from_secs(1));
        let sending = tokio::spawn(async move { dialler.send(call).await });
        asked.notified().await;
        clock.advance(Duration::from_secs(2));
        tokio::task::yield_now().await;
        assert!(!sending.is_finished(), "the dispatch deadline does not end an answer");
        clock.advance(SPAN);
        assert_eq!(sending.await.unwrap(), TIMED_OUT, "{begun:?}");
    }
}

fn hanging_names() -> (Arc<HangingNames>, Settings) {
    let names = Arc::new(HangingNames { asked: Notify::new() });
    (names.clone(), Settings { names, connect_max: CONNECT_MAX, ..open() })
}

/// Never answers.
struct HangingNames {
    asked: Notify,
}

#[async_trait]
impl Names for HangingNames {
    async fn lookup(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        self.asked.notify_one();
        std::future::pending().await
    }
}

/// Answers loopback, and time is over meanwhile.
struct LateNames(Arc<HandClock>);

#[async_trait]
impl Names for LateNames {
    async fn lookup(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        self.0.slip(SPAN);
        Ok(vec![Ipv4Addr::LOCALHOST.into()])
    }
}
