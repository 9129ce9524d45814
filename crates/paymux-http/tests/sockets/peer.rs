//! A listener with a small service behind it, and a client that writes what it likes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use paymux_core::catalog::{
    App, Catalog, CatalogHandle, ChannelEntry, FailoverUnknown, Route, Strategy, When,
};
use paymux_core::ids::{AppId, ChannelId, OrderNo, RouteName};
use paymux_core::payments::Ports;
use paymux_core::wire::{Endpoint, PlainHttp};
use paymux_core::{Payment, Payments, Secret};
use paymux_http::{Front, FrontConfig, Limits, Readiness, Ready, Served, Tls, serve, serve_tls};
use paymux_testkit::{MemoryStore, ScriptedChannel, ScriptedTransport, SeededRng, TestClock};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Longer than anything here takes: a test that waits so long has failed.
pub(crate) const LONG: Duration = Duration::from_secs(10);

/// A service on a free port.
pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    pub(crate) channel: Arc<ScriptedChannel>,
    pub(crate) payments: Payments,
    pub(crate) shutdown: CancellationToken,
    pub(crate) served: JoinHandle<Served>,
}

impl Service {
    pub(crate) async fn start(limits: Limits) -> Self {
        Self::start_over(limits, None).await
    }

    /// The same over TLS.
    pub(crate) async fn start_tls(limits: Limits, tls: Tls) -> Self {
        Self::start_over(limits, Some(tls)).await
    }

    async fn start_over(limits: Limits, tls: Option<Tls>) -> Self {
        let channel = Arc::new(ScriptedChannel::new("main"));
        let ports = Ports {
            store: Arc::new(MemoryStore::new()),
            transport: Arc::new(ScriptedTransport::new()),
            clock: Arc::new(TestClock::new()),
            rng: Arc::new(SeededRng::new(7)),
        };
        let payments = Payments::new(ports, CatalogHandle::new(catalog(&channel)));
        let config = FrontConfig { limits: limits.clone(), ..FrontConfig::default() };
        let router =
            Front::new(config, payments.clone(), Arc::new(AlwaysReady), Arc::new(String::new)).router();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let word = shutdown.clone();
        let served = match tls {
            Some(tls) => tokio::spawn(serve_tls(listener, tls, router, limits, word)),
            None => tokio::spawn(serve(listener, router, limits, word)),
        };
        Self { address, channel, payments, shutdown, served }
    }

    pub(crate) async fn connect(&self) -> Peer {
        Peer::over(TcpStream::connect(self.address).await.unwrap())
    }

    /// The stored payment of that order number.
    pub(crate) async fn payment(&self, order_no: &str) -> Option<Payment> {
        let app = AppId::new("shop").unwrap();
        self.payments.find_by_order(&app, &OrderNo::new(order_no).unwrap()).await.ok()
    }
}

/// What bytes travel over.
trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A client that writes bytes.
pub(crate) struct Peer(Box<dyn Io>);

impl Peer {
    pub(crate) fn over(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Self(Box::new(stream))
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
        self.0.flush().await.unwrap();
    }

    /// Whether the bytes could still be written.
    pub(crate) async fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.0.write_all(bytes).await.is_ok()
    }

    /// The next answer's status line and header fields.
    pub(crate) async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let byte =
                timeout(LONG, self.0.read_u8()).await.expect("no answer").expect("closed before an answer");
            head.push(byte);
        }
        String::from_utf8(head).unwrap()
    }

    /// The next answer, body included.
    pub(crate) async fn answer(&mut self) -> Answer {
        let head = self.head().await;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |text| text.trim().parse().unwrap())];
        timeout(LONG, self.0.read_exact(&mut body)).await.expect("no body").unwrap();
        Answer { status: head[9..12].parse().unwrap(), head, body: String::from_utf8(body).unwrap() }
    }

    /// Whatever comes first.
    pub(crate) async fn some(&mut self) -> Vec<u8> {
        let mut some = vec![0; 64];
        let read = timeout(LONG, self.0.read(&mut some)).await.expect("nothing came").unwrap();
        some.truncate(read);
        some
    }

    /// Everything until the other side closes.
    pub(crate) async fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        // A reset is an end too.
        let _ = timeout(LONG, self.0.read_to_end(&mut rest)).await.expect("the connection stayed open");
        String::from_utf8_lossy(&rest).into_owned()
    }
}

/// An answer over HTTP/1.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// A create whose body has that many bytes: a good order with blanks behind it.
pub(crate) fn order(order_no: &str, bytes: usize) -> String {
    let mut order = format!(
        "{{\"order_no\":\"{order_no}\",\"amount\":1999,\"currency\":\"CNY\",\"method\":\"wechat.native\",\"subject\":\"Tea\"}}"
    );
    order.extend(std::iter::repeat_n(' ', bytes.saturating_sub(order.len())));
    order
}

/// The head of a create, up to the field that says how the body comes.
pub(crate) fn create_head(body_field: &str) -> String {
    format!(
        "POST /v1/payments HTTP/1.1\r\nhost: h\r\nauthorization: Bearer key-of-shop\r\n\
         content-type: application/json\r\n{body_field}\r\n\r\n"
    )
}

/// A whole create.
pub(crate) fn create(order_no: &str) -> String {
    let body = order(order_no, 0);
    format!("{}{body}", create_head(&format!("content-length: {}", body.len())))
}

/// A whole question after health.
pub(crate) const ALIVE: &str = "GET /healthz HTTP/1.1\r\nhost: h\r\n\r\n";

/// The preface of HTTP/2 and an empty SETTINGS frame (RFC 9113, sections 3.4 and 6.5).
pub(crate) const HTTP2_HELLO: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";

fn catalog(channel: &Arc<ScriptedChannel>) -> Catalog {
    let entry = ChannelEntry::new(ChannelId::new("main").unwrap(), Arc::clone(channel) as _);
    let route = Route {
        name: RouteName::new("default").unwrap(),
        when: When::default(),
        strategy: Strategy::Priority,
        channels: vec![0],
        failover: 0,
        failover_unknown: FailoverUnknown::Abandon,
    };
    let app = App::new(AppId::new("shop").unwrap(), &[Secret::new("key-of-shop")]);
    let public_url = Endpoint::parse("https://pay.example", PlainHttp::LoopbackOnly).unwrap();
    Catalog::new(vec![app], vec![entry], vec![route], public_url)
}

struct AlwaysReady;

#[async_trait]
impl Ready for AlwaysReady {
    async fn look(&self) -> Readiness {
        Readiness { store: Ok(()), config: String::new() }
    }
}
