//! Bodies as they really come: with a length, in chunks, and with lengths that lie.

use bytes::Bytes;
use http::{Request, Version};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use paymux_http::Limits;

use crate::peer::{ALIVE, Service, create, create_head, order};

#[tokio::test]
async fn a_body_is_counted_however_it_comes() {
    let service = Service::start(Limits::default()).await;
    for (bytes, status) in [(65_535, 201), (65_536, 201), (65_537, 413), (900_000, 413)] {
        let body = order(&format!("L{bytes}"), bytes);
        let mut peer = service.connect().await;
        peer.send(create_head(&format!("content-length: {bytes}"))).await;
        peer.send(&body).await;
        assert_eq!(peer.answer().await.status, status, "{bytes} with a length");

        let body = order(&format!("C{bytes}"), bytes);
        let mut peer = service.connect().await;
        peer.send(create_head("transfer-encoding: chunked")).await;
        for chunk in body.as_bytes().chunks(9_999) {
            peer.send(format!("{:x}\r\n", chunk.len())).await;
            peer.send(chunk).await;
            peer.send("\r\n").await;
            // Lets the service read on, so that its refusal is due while the body still comes.
            tokio::task::yield_now().await;
        }
        peer.send("0\r\n\r\n").await;
        let answer = peer.answer().await;
        assert_eq!(answer.status, status, "{bytes} in chunks: {answer:?}");
        assert_eq!(answer.body.contains("body_too_large"), status == 413, "{answer:?}");
    }
}

#[tokio::test]
async fn lengths_that_lie_store_nothing() {
    let service = Service::start(Limits::default()).await;
    let whole = order("A1", 0);

    // Shorter than the body: what is over is no request, and the connection ends.
    let mut peer = service.connect().await;
    peer.send(create_head("content-length: 20")).await;
    peer.send(&whole).await;
    assert_eq!(peer.answer().await.status, 400);
    let rest = peer.rest().await;
    assert!(rest.is_empty() || rest.starts_with("HTTP/1.1 400"), "{rest}");

    // Longer than the limit, whatever comes.
    let mut peer = service.connect().await;
    peer.send(create_head("content-length: 99999999999999999999999")).await;
    assert!(peer.rest().await.starts_with("HTTP/1.1 4"));

    // Two lengths, or a length beside chunks: nobody can say where the next request begins.
    for fields in ["content-length: 5\r\ncontent-length: 6", "content-length: 5\r\ntransfer-encoding: gzip"] {
        let mut peer = service.connect().await;
        peer.send(create_head(fields)).await;
        peer.send(&whole).await;
        assert!(peer.rest().await.starts_with("HTTP/1.1 400"), "{fields}");
    }
    assert!(service.payment("A1").await.is_none());
}

#[tokio::test]
async fn answers_that_need_no_body_arrive_although_one_comes() {
    let service = Service::start(Limits::default()).await;
    for (line, status) in [
        ("POST /v1/payments", 401),
        ("POST /nowhere", 404),
        ("PUT /healthz", 405),
        ("POST /return/main", 200),
        ("POST /return/main/n", 200),
    ] {
        let mut peer = service.connect().await;
        peer.send(format!("{line} HTTP/1.1\r\nhost: h\r\ncontent-length: 60000\r\n\r\n")).await;
        // In pieces, so that the answer is due before the body is there.
        for _ in 0..6 {
            tokio::task::yield_now().await;
            peer.send("x".repeat(10_000)).await;
        }
        assert_eq!(peer.answer().await.status, status, "{line}");
        peer.send(ALIVE).await;
        assert_eq!(peer.answer().await.status, 200, "after {line}");
    }
}

#[tokio::test]
async fn header_fields_are_counted() {
    let service = Service::start(Limits::default()).await;
    for (fields, status) in [(60, 200), (70, 431)] {
        let mut peer = service.connect().await;
        let many: String = std::iter::repeat_n("x: 1\r\n", fields).collect();
        peer.send(format!("GET /healthz HTTP/1.1\r\nhost: h\r\n{many}\r\n")).await;
        assert_eq!(peer.answer().await.status, status, "{fields} fields");
    }
    let mut peer = service.connect().await;
    peer.send(format!("GET /healthz HTTP/1.1\r\nhost: h\r\nx: {}\r\n\r\n", "x".repeat(20_000))).await;
    assert!(peer.rest().await.starts_with("HTTP/1.1 431"));
}

#[tokio::test]
async fn http2_is_spoken_without_asking() {
    let service = Service::start(Limits::default()).await;
    let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
    let ask = async |order_no: &str| {
        let request = Request::post(format!("http://{}/v1/payments", service.address))
            .header("authorization", "Bearer key-of-shop")
            .header("content-type", "application/json");
        let request = request.body(Full::new(Bytes::from(order(order_no, 0)))).unwrap();
        let answer = client.request(request).await.unwrap();
        (answer.version(), answer.status().as_u16())
    };
    let answers = tokio::join!(ask("A1"), ask("A2"), ask("A3"));
    let want = (Version::HTTP_2, 201);
    assert_eq!(answers, (want, want, want));
}

#[tokio::test]
async fn one_connection_serves_request_after_request() {
    let service = Service::start(Limits::default()).await;
    let mut peer = service.connect().await;
    for order_no in ["A1", "A2", "A3"] {
        peer.send(create(order_no)).await;
        let answer = peer.answer().await;
        assert_eq!(answer.status, 201, "{answer:?}");
        assert!(answer.head.contains("content-type: application/json\r\n"), "{}", answer.head);
    }
}
