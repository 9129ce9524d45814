//! Connections between calls: used again when that is safe, and only then.

use std::sync::Arc;
use std::time::Duration;

use paymux_core::transport::Transport;
use paymux_transport::{IDLE_MAX, IDLE_PER_ORIGIN_MAX};
use tokio::sync::{Notify, mpsc};

use crate::support::{OK, Server, TIMED_OUT, body, dialler, open, post};

#[tokio::test]
async fn calls_one_after_the_other_share_a_connection() {
    let server = Server::answering(OK).await;
    let (dialler, clock) = dialler(&open());
    for _ in 0..10 {
        assert_eq!(body(&dialler.send(post(&server.url())).await), "ok");
        clock.slip(Duration::from_millis(100));
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_chunked_answer_leaves_the_connection_usable() {
    let server =
        Server::answering("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n").await;
    let (dialler, _clock) = dialler(&open());
    for _ in 0..3 {
        assert_eq!(body(&dialler.send(post(&server.url())).await), "ok");
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn each_origin_has_its_own_connections() {
    let (one, other) = (Server::answering(OK).await, Server::answering(OK).await);
    let (dialler, _clock) = dialler(&open());
    for _ in 0..2 {
        dialler.send(post(&one.url())).await.unwrap();
        dialler.send(post(&other.url())).await.unwrap();
    }
    assert_eq!((one.connections(), other.connections()), (1, 1));
}

#[tokio::test]
async fn merchants_never_get_a_connection_of_providers() {
    let server = Server::answering(OK).await;
    let (dialler, _clock) = dialler(&open());
    dialler.send(post(&server.url())).await.unwrap();
    let mut notice = post(&server.url());
    notice.destination = paymux_core::transport::Destination::Merchant;
    dialler.send(notice).await.unwrap();
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn a_server_that_says_close_gets_a_new_connection() {
    let server =
        Server::closing_after("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok").await;
    let (dialler, _clock) = dialler(&open());
    for connections in 1..=3 {
        assert_eq!(body(&dialler.send(post(&server.url())).await), "ok");
        assert_eq!(server.connections(), connections);
    }
}

/// The other side closes without a word, at rest: seen before the next request goes.
#[tokio::test]
async fn a_connection_that_died_at_rest_is_left_alone() {
    let (server, close) = Server::closing_on_signal("").await;
    let (dialler, _clock) = dialler(&open());
    for connections in 1..=5 {
        assert_eq!(body(&dialler.send(post(&server.url())).await), "ok");
        assert_eq!(body(&dialler.send(post(&server.url())).await), "ok", "used again while it lives");
        assert_eq!(server.connections(), connections);
        close.notify_one();
        server.ended(connections).await;
    }
}

#[tokio::test]
async fn a_connection_rests_no_longer_than_its_time() {
    let server = Server::answering(OK).await;
    let (dialler, clock) = dialler(&open());
    dialler.send(post(&server.url())).await.unwrap();
    clock.slip(IDLE_MAX.saturating_sub(Duration::from_millis(1)));
    dialler.send(post(&server.url())).await.unwrap();
    assert_eq!(server.connections(), 1);
    clock.slip(IDLE_MAX);
    dialler.send(post(&server.url())).await.unwrap();
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn resting_connections_are_closed_without_another_call() {
    let (ended, mut end) = mpsc::unbounded_channel();
    let server = Server::start(move |_, mut peer| {
        let ended = ended.clone();
        async move {
            peer.request().await?;
            peer.say(OK).await?;
            peer.until_end().await?;
            ended.send(()).unwrap();
            Ok(())
        }
    })
    .await;
    let (dialler, clock) = dialler(&open());
    for _ in 0..2 {
        dialler.send(post(&server.url())).await.unwrap();
        // Lets the sweeper fall asleep before time moves.
        tokio::task::yield_now().await;
        clock.advance(IDLE_MAX);
        end.recv().await.unwrap();
    }
    assert_eq!(server.connections(), 2);
}

/// A second answer that nobody asked for must never be taken for the next call's.
#[tokio::test]
async fn bytes_in_the_same_breath_as_an_answer_spoil_the_connection() {
    let server = Server::answering(format!("{OK}HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil")).await;
    let (dialler, _clock) = dialler(&open());
    for connections in 1..=3 {
        assert_eq!(body(&dialler.send(post(&server.url())).await), "ok");
        assert_eq!(server.connections(), connections);
    }
}

/// The same, while the connection rests.
#[tokio::test]
async fn bytes_between_requests_spoil_the_connection() {
    let (server, speak) = Server::closing_on_signal("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil").await;
    let (dialler, _clock) = dialler(&open());
    for connections in 1..=3 {
        assert_eq!(body(&dialler.send(post(&server.url())).await), "ok");
        assert_eq!(server.connections(), connections);
        speak.notify_one();
        server.ended(connections).await;
    }
}

#[tokio::test]
async fn a_dropped_call_takes_its_connection_along() {
    let (heard, mut hear) = mpsc::unbounded_channel();
    let server = Server::start(move |number, mut peer| {
        let heard = heard.clone();
        async move {
            while !peer.request().await?.is_empty() {
                heard.send("request").unwrap();
                if number > 0 {
                    peer.say(OK).await?;
                }
            }
            heard.send("end").unwrap();
            Ok(())
        }
    })
    .await;
    let (dialler, _clock) = dialler(&open());
    let sending = tokio::spawn({
        let (dialler, call) = (dialler.clone(), post(&server.url()));
        async move { dialler.send(call).await }
    });
    assert_eq!(hear.recv().await, Some("request"));
    sending.abort();
    assert!(sending.await.unwrap_err().is_cancelled());
    assert_eq!(hear.recv().await, Some("end"), "the socket went with the call");
    assert_eq!(body(&dialler.send(post(&server.url())).await), "ok");
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn a_call_that_timed_out_leaves_no_connection_behind() {
    let asked = Arc::new(Notify::new());
    let asking = asked.clone();
    let server = Server::start(move |number, mut peer| {
        let asked = asking.clone();
        async move {
            peer.request().await?;
            asked.notify_one();
            if number == 0 {
                return peer.until_end().await;
            }
            peer.say(OK).await
        }
    })
    .await;
    let (dialler, clock) = dialler(&open());
    let sending = tokio::spawn({
        let (dialler, call) = (dialler.clone(), post(&server.url()));
        async move { dialler.send(call).await }
    });
    asked.notified().await;
    clock.advance(crate::support::SPAN);
    assert_eq!(sending.await.unwrap(), TIMED_OUT);
    let mut call = post(&server.url());
    call.deadline.dispatch_by = call.deadline.dispatch_by.plus(crate::support::SPAN);
    call.deadline.answer_by = call.deadline.dispatch_by;
    assert_eq!(body(&dialler.send(call).await), "ok");
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn no_more_connections_rest_than_their_bound() {
    let together = IDLE_PER_ORIGIN_MAX + 8;
    let everyone = Arc::new(tokio::sync::Barrier::new(together));
    let waiting = everyone.clone();
    let (ended, mut end) = mpsc::unbounded_channel();
    let server = Server::start(move |_, mut peer| {
        let (everyone, ended) = (waiting.clone(), ended.clone());
        async move {
            peer.request().await?;
            everyone.wait().await;
            peer.say(OK).await?;
            peer.until_end().await?;
            ended.send(()).unwrap();
            Ok(())
        }
    })
    .await;
    let (dialler, _clock) = dialler(&open());
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..together {
        let (dialler, call) = (dialler.clone(), post(&server.url()));
        calls.spawn(async move { dialler.send(call).await });
    }
    for answer in calls.join_all().await {
        assert_eq!(body(&answer), "ok");
    }
    for _ in 0..8 {
        end.recv().await.unwrap();
    }
    assert!(end.try_recv().is_err(), "the others rest");
    assert_eq!(server.connections(), together);
}
