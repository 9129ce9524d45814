//! Whole exchanges: what travels, and what comes back.

use paymux_core::transport::Transport;
use paymux_core::wire::{Endpoint, PlainHttp, Verb, WireRequest};

use crate::support::{OK, Server, body, dialler, open, post, send};

#[tokio::test]
async fn the_request_travels_byte_for_byte() {
    let server = Server::answering(OK).await;
    let mut call = post(&format!("{}/base/", server.url()));
    call.request = WireRequest::new(Verb::Post, "/2/rest/bill")
        .query("para=%7B%22a%22%3A1%7D&sign=AB+c")
        .header("X-Request-Id", "r1")
        .body("application/json", "{\"a\":\"\u{5143}\"}");
    assert_eq!(body(&send(call).await), "ok");
    let mut lines: Vec<_> = server.received().split("\r\n").map(str::to_owned).collect();
    lines[1..].sort_unstable();
    assert_eq!(
        lines,
        [
            "POST /base/2/rest/bill?para=%7B%22a%22%3A1%7D&sign=AB+c HTTP/1.1",
            "",
            "accept-encoding: identity",
            "content-length: 11",
            "content-type: application/json",
            &format!("host: {}", server.at),
            concat!("user-agent: paymux/", env!("CARGO_PKG_VERSION")),
            "x-request-id: r1",
            "{\"a\":\"\u{5143}\"}",
        ]
    );
}

#[tokio::test]
async fn a_get_has_no_body_and_no_length() {
    let server = Server::answering(OK).await;
    let mut call = post(&server.url());
    call.request = WireRequest::new(Verb::Get, "/");
    send(call).await.unwrap();
    assert!(server.received().starts_with("GET / HTTP/1.1\r\n"));
    assert!(!server.received().contains("content-length"));
}

#[tokio::test]
async fn an_empty_post_says_so() {
    let server = Server::answering(OK).await;
    let mut call = post(&server.url());
    call.request = WireRequest::new(Verb::Post, "/");
    send(call).await.unwrap();
    assert!(server.received().contains("content-length: 0\r\n"));
}

#[tokio::test]
async fn a_url_is_called_as_it_was_written() {
    let server = Server::answering(OK).await;
    let hook =
        Endpoint::parse(&format!("{}/hook?shop=1&x=%2F", server.url()), PlainHttp::LoopbackOnly).unwrap();
    let mut call = post(&server.url());
    let (path, query) = hook.path_and_query();
    call.request = WireRequest::new(Verb::Post, path);
    call.request.query = query.map(str::to_owned);
    call.endpoint = hook.origin();
    send(call).await.unwrap();
    assert!(server.received().starts_with("POST /hook?shop=1&x=%2F HTTP/1.1\r\n"), "{}", server.received());
}

#[tokio::test]
async fn any_status_is_an_answer() {
    for status in [200, 201, 204, 301, 304, 400, 404, 429, 500, 503, 599] {
        let server = Server::answering(format!(
            "HTTP/1.1 {status} X\r\ncontent-length: 0\r\nX-A: 1\r\nx-a: 2\r\n\r\n"
        ))
        .await;
        let answer = send(post(&server.url())).await.unwrap();
        assert_eq!(answer.status, status);
        assert_eq!(answer.headers.first("x-a"), Some("1"));
        assert_eq!(answer.headers.iter().filter(|(name, _)| *name == "x-a").count(), 2);
    }
}

#[tokio::test]
async fn redirects_are_answers_and_are_not_followed() {
    let target = Server::answering(OK).await;
    for status in [301, 302, 303, 307, 308] {
        let location = format!("{}/elsewhere", target.url());
        let server = Server::answering(format!(
            "HTTP/1.1 {status} X\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"
        ))
        .await;
        let answer = send(post(&server.url())).await.unwrap();
        assert_eq!((answer.status, answer.headers.first("location")), (status, Some(location.as_str())));
        assert_eq!(server.received().matches("HTTP/1.1").count(), 1);
    }
    assert_eq!(target.connections_at_last().await, 0);
}

#[tokio::test]
async fn bodies_are_read_however_they_are_framed() {
    check("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    check(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\no\r\n1;x=y\r\nk\r\n0\r\nx-sum: 1\r\n\r\n",
    )
    .await;
    check("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nok").await;
    check("HTTP/1.0 200 OK\r\n\r\nok").await;
    check("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;

    async fn check(answer: &str) {
        let server = Server::closing_after(answer).await;
        assert_eq!(body(&send(post(&server.url())).await), "ok", "{answer:?}");
    }
}

#[tokio::test]
async fn an_answer_in_single_bytes_is_put_together() {
    let server = Server::start(|_, mut peer| async move {
        peer.request().await?;
        for at in 0..OK.len() {
            peer.say(&OK[at..=at]).await?;
            tokio::task::yield_now().await;
        }
        Ok(())
    })
    .await;
    assert_eq!(body(&send(post(&server.url())).await), "ok");
}

#[tokio::test]
async fn an_answer_before_the_whole_request_was_read_is_an_answer() {
    let early = "HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno";
    let server = Server::start(move |_, mut peer| async move {
        peer.read(100).await?;
        peer.say(early).await?;
        peer.until_end().await
    })
    .await;
    let (dialler, _clock) = dialler(&open());
    for connections in 1..=2 {
        let mut call = post(&server.url());
        call.request.body = vec![b'x'; 16 << 20].into();
        let answer = dialler.send(call).await;
        assert_eq!(body(&answer), "no");
        assert_eq!(server.connections(), connections, "a connection with half a request is not used again");
    }
}
