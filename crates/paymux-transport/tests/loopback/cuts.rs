//! Connections that never come about or break, at every point of an exchange.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use paymux_core::transport::{NotSent, Transport, Undelivered};
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};

use crate::support::{BROKEN, CONNECT, Io, OK, Server, UNREADABLE, dialler, open, post, send};

#[tokio::test]
async fn a_closed_port_is_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    drop(listener);
    assert_eq!(send(post(&format!("http://{at}"))).await, CONNECT);
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_not_sent() {
    // `.invalid` never exists (RFC 6761).
    assert_eq!(send(post("http://paymux.invalid")).await, CONNECT);
}

#[tokio::test]
async fn a_request_that_cannot_be_built_is_not_sent() {
    let server = Server::answering(OK).await;
    let mut call = post(&server.url());
    call.request.path = "/a b".to_owned();
    assert_eq!(send(call).await, Err(Undelivered::NotSent(NotSent::Unbuildable)));
    assert_eq!(server.connections_at_last().await, 0);
}

#[tokio::test]
async fn a_cut_inside_a_large_request_is_no_answer() {
    let server = Server::start(|_, mut peer| async move { peer.read(1000).await.map(drop) }).await;
    let mut call = post(&server.url());
    call.request.body = vec![b'x'; 16 << 20].into();
    assert_eq!(send(call).await, BROKEN);
    assert!(!server.received().is_empty());
}

#[tokio::test]
async fn an_answer_that_is_cut_or_garbled_is_no_answer() {
    // No byte of an answer.
    check("", &BROKEN).await;
    // In the middle of its head.
    check("H", &BROKEN).await;
    check("HTTP/1.1 200", &BROKEN).await;
    check("HTTP/1.1 200 OK\r\n", &BROKEN).await;
    check("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n", &BROKEN).await;
    // In the middle of its body.
    check("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n", &BROKEN).await;
    check("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no", &BROKEN).await;
    check("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", &BROKEN).await;
    check("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\no", &BROKEN).await;
    check("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n", &BROKEN).await;
    // Only interim answers.
    check("HTTP/1.1 100 Continue\r\n\r\n", &BROKEN).await;
    // Something else altogether.
    check("SSH-2.0-OpenSSH_9.6\r\n", &UNREADABLE).await;
    check("<html>not http</html>\r\n\r\n", &UNREADABLE).await;
    check("HTTP/1.1 abc OK\r\n\r\n", &UNREADABLE).await;
    check("HTTP/1.1 200 OK\r\nno colon here\r\n\r\n", &UNREADABLE).await;
    check("HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\nok", &UNREADABLE).await;
    check("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok", &UNREADABLE).await;
    check("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nok\r\n", &UNREADABLE).await;
    check("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", &UNREADABLE).await;

    async fn check(answer: &str, want: &Result<paymux_core::wire::WireResponse, Undelivered>) {
        let server = Server::closing_after(answer).await;
        assert_eq!(&send(post(&server.url())).await, want, "{answer:?}");
        assert_eq!(server.connections(), 1, "{answer:?}: asked once");
        assert_eq!(server.received().matches("POST /pay").count(), 1, "{answer:?}: sent once");
    }
}

/// The rule that money hangs on, tried where it is hardest: the other side resets a connection, new or
/// pooled, around the very moment when a request leaves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn not_sent_is_never_said_of_a_request_that_arrived() {
    let arrived = Arc::new(AtomicUsize::new(0));
    let counting = arrived.clone();
    let accepted = AtomicUsize::new(0);
    let resetting = move |tcp: TcpStream| {
        SockRef::from(&tcp).set_linger(Some(Duration::ZERO)).unwrap();
        // Each third connection is reset as soon as it is there.
        let is_reset = accepted.fetch_add(1, Ordering::SeqCst) % 3 == 2;
        let io = (!is_reset).then(|| Box::new(tcp) as Box<dyn Io>);
        async { io.ok_or_else(|| std::io::ErrorKind::ConnectionReset.into()) }
    };
    let server = Server::start_as(resetting, move |number, mut peer| {
        let arrived = counting.clone();
        async move {
            if number % 2 == 0 {
                peer.request().await?;
                peer.say(OK).await?;
            }
            for _ in 0..number * 7 % 200 {
                std::hint::spin_loop();
                tokio::task::yield_now().await;
            }
            // Takes what is there by now, without waiting, and resets the connection.
            if let Ok(bytes) = tokio::time::timeout(Duration::ZERO, peer.read(10)).await {
                arrived.fetch_add(bytes?.len(), Ordering::SeqCst);
            }
            Ok(())
        }
    })
    .await;

    let (dialler, _clock) = dialler(&open());
    let mut said = [0; 3];
    for round in 0..2000 {
        let before = arrived.load(Ordering::SeqCst);
        let end = dialler.send(post(&server.url())).await;
        let pause = round % 50;
        match end {
            Ok(_) => said[0] += 1,
            Err(Undelivered::NoAnswer(_)) => said[1] += 1,
            Err(Undelivered::NotSent(why)) => {
                said[2] += 1;
                assert!(matches!(why, NotSent::Closed | NotSent::Connect), "{why:?}");
                server.ended(server.connections()).await;
                assert_eq!(arrived.load(Ordering::SeqCst), before, "round {round}");
            }
        }
        for _ in 0..pause {
            tokio::task::yield_now().await;
        }
    }
    println!("answered {}, no answer {}, not sent {}", said[0], said[1], said[2]);
    assert!(said[0] > 0 && said[1] > 0, "the race was met: {said:?}");
}

#[tokio::test]
async fn a_handshake_that_hangs_is_a_failed_connect() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (dialler, clock) = dialler(&open());
    let call = post(&format!("https://{}", listener.local_addr().unwrap()));
    let sending = tokio::spawn(async move { dialler.send(call).await });
    let (_never_answers, _) = listener.accept().await.unwrap();
    clock.advance(open().connect_max);
    assert_eq!(sending.await.unwrap(), CONNECT);
}
