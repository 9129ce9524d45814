//! A clock that is moved by hand, servers that do exactly what a test scripts, and calls to them.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use paymux_core::clock::{Clock, Mono, Timestamp};
use paymux_core::transport::{Deadline, Destination, NoAnswer, NotSent, Outgoing, Transport, Undelivered};
use paymux_core::wire::{Endpoint, PlainHttp, Verb, WireRequest, WireResponse};
use paymux_transport::{Dialler, Guard, Names, Settings};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};

pub(crate) const CONNECT: Result<WireResponse, Undelivered> = Err(Undelivered::NotSent(NotSent::Connect));
pub(crate) const TOO_LATE: Result<WireResponse, Undelivered> = Err(Undelivered::NotSent(NotSent::TooLate));
pub(crate) const ADDRESS_REFUSED: Result<WireResponse, Undelivered> =
    Err(Undelivered::NotSent(NotSent::AddressRefused));
pub(crate) const OVERLOADED: Result<WireResponse, Undelivered> =
    Err(Undelivered::NotSent(NotSent::Overloaded));
pub(crate) const BROKEN: Result<WireResponse, Undelivered> = Err(Undelivered::NoAnswer(NoAnswer::Broken));
pub(crate) const TIMED_OUT: Result<WireResponse, Undelivered> =
    Err(Undelivered::NoAnswer(NoAnswer::TimedOut));
pub(crate) const TOO_LARGE: Result<WireResponse, Undelivered> =
    Err(Undelivered::NoAnswer(NoAnswer::TooLarge));
pub(crate) const UNREADABLE: Result<WireResponse, Undelivered> =
    Err(Undelivered::NoAnswer(NoAnswer::Unreadable));

/// The answer that most servers give.
pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// How long a call of these tests may take.
pub(crate) const SPAN: Duration = Duration::from_secs(15);

/// Time that moves only when a test moves it.
pub(crate) struct HandClock(watch::Sender<Duration>);

impl HandClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(watch::Sender::new(Duration::ZERO)))
    }

    /// Moves time and wakes who slept until then.
    pub(crate) fn advance(&self, span: Duration) {
        self.0.send_modify(|now| *now += span);
    }

    /// Moves time without waking anybody: a machine too busy to notice.
    pub(crate) fn slip(&self, span: Duration) {
        self.0.send_if_modified(|now| {
            *now += span;
            false
        });
    }
}

#[async_trait]
impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(0)
    }

    fn mono(&self) -> Mono {
        Mono(*self.0.borrow())
    }

    async fn sleep(&self, span: Duration) {
        let until = self.mono().plus(span);
        let mut time = self.0.subscribe();
        time.wait_for(|now| *now >= until.0).await.unwrap();
    }
}

/// A dialler whose time does not pass, and its clock.
pub(crate) fn dialler(settings: &Settings) -> (Arc<Dialler>, Arc<HandClock>) {
    let clock = HandClock::new();
    (Arc::new(Dialler::new(settings, clock.clone()).unwrap()), clock)
}

/// Settings under which merchants' URLs may point to loopback.
pub(crate) fn open() -> Settings {
    Settings { guard: Guard { allow_private_addresses: true, ..Guard::default() }, ..Settings::default() }
}

/// A POST of a short body to a provider, with [`SPAN`] until both deadlines.
pub(crate) fn post(base: &str) -> Outgoing {
    let request = WireRequest::new(Verb::Post, "/pay").body("text/plain", "amount=1");
    Outgoing {
        destination: Destination::Provider,
        endpoint: Endpoint::parse(base, PlainHttp::Anywhere).unwrap(),
        request,
        deadline: Deadline { dispatch_by: Mono(SPAN), answer_by: Mono(SPAN) },
        response_bytes_max: 64 * 1024,
    }
}

/// Sends one call over a dialler of its own.
pub(crate) async fn send(call: Outgoing) -> Result<WireResponse, Undelivered> {
    dialler(&open()).0.send(call).await
}

/// The body of an answer, as text.
#[track_caller]
pub(crate) fn body(result: &Result<WireResponse, Undelivered>) -> &str {
    std::str::from_utf8(&result.as_ref().unwrap().body).unwrap()
}

/// Names that all stand for the same addresses.
pub(crate) struct AllAre(pub(crate) Vec<IpAddr>);

#[async_trait]
impl Names for AllAre {
    async fn lookup(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        Ok(self.0.clone())
    }
}

pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A listener that treats each connection by a script, and remembers what it received.
pub(crate) struct Server {
    pub(crate) at: SocketAddr,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    callers: Mutex<Vec<SocketAddr>>,
    ended: watch::Sender<usize>,
    bytes: Mutex<Vec<u8>>,
}

impl Server {
    /// Runs `script` for each connection, with its number from 0.
    pub(crate) async fn start<Script, Run>(script: Script) -> Self
    where
        Script: Fn(usize, Peer) -> Run + Send + 'static,
        Run: Future<Output = io::Result<()>> + Send + 'static,
    {
        Self::start_as(|tcp| async { Ok(Box::new(tcp) as Box<dyn Io>) }, script).await
    }

    /// The same, with something between TCP and the script, such as TLS.
    pub(crate) async fn start_as<Wrap, Wrapped, Script, Run>(wrap: Wrap, script: Script) -> Self
    where
        Wrap: Fn(TcpStream) -> Wrapped + Send + Sync + 'static,
        Wrapped: Future<Output = io::Result<Box<dyn Io>>> + Send + 'static,
        Script: Fn(usize, Peer) -> Run + Send + 'static,
        Run: Future<Output = io::Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let watching = seen.clone();
        tokio::spawn(async move {
            while let Ok((tcp, caller)) = listener.accept().await {
                watching.callers.lock().unwrap().push(caller);
                let number = watching.connections.fetch_add(1, Ordering::SeqCst);
                // A failed handshake is a connection of which the script sees nothing.
                let Ok(io) = wrap(tcp).await else {
                    watching.ended.send_modify(|ended| *ended += 1);
                    continue;
                };
                let (seen, run) = (watching.clone(), script(number, Peer { io, seen: watching.clone() }));
                tokio::spawn(async move {
                    // What a script could not do shows in what the caller gets.
                    let _ = run.await;
                    seen.ended.send_modify(|ended| *ended += 1);
                });
            }
        });
        Self { at, seen }
    }

    /// Answers each request of each connection with `answer`.
    pub(crate) async fn answering(answer: impl Into<String>) -> Self {
        let answer = answer.into();
        Self::start(move |_, mut peer| {
            let answer = answer.clone();
            async move {
                while !peer.request().await?.is_empty() {
                    peer.say(&answer).await?;
                }
                Ok(())
            }
        })
        .await
    }

    /// Answers one request of each connection with `answer` and closes.
    pub(crate) async fn closing_after(answer: impl Into<String>) -> Self {
        let answer = answer.into();
        Self::start(move |_, mut peer| {
            let answer = answer.clone();
            async move {
                peer.request().await?;
                peer.say(&answer).await
            }
        })
        .await
    }

    /// Answers each request until the signal comes, then says `last_words` and closes.
    pub(crate) async fn closing_on_signal(last_words: &'static str) -> (Self, Arc<Notify>) {
        let signal = Arc::new(Notify::new());
        let waiting = signal.clone();
        let server = Self::start(move |_, peer| peer.answer_until(waiting.clone(), last_words)).await;
        (server, signal)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.at)
    }

    /// How many connections were accepted.
    pub(crate) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    /// How many connections were accepted, once it is certain that none waits to be: a last one of
    /// our own comes after all others.
    pub(crate) async fn connections_at_last(&self) -> usize {
        let last = TcpStream::connect(self.at).await.unwrap();
        let last = last.local_addr().unwrap();
        loop {
            let callers = self.seen.callers.lock().unwrap().clone();
            if let Some(earlier) = callers.iter().position(|caller| *caller == last) {
                return earlier;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Waits until that many scripts have come to their end.
    pub(crate) async fn ended(&self, scripts: usize) {
        self.seen.ended.subscribe().wait_for(|ended| *ended >= scripts).await.unwrap();
    }

    /// Everything that was received, above TLS where there is TLS.
    pub(crate) fn received(&self) -> String {
        String::from_utf8_lossy(&self.seen.bytes.lock().unwrap()).into_owned()
    }
}

/// The server's end of a connection.
pub(crate) struct Peer {
    io: Box<dyn Io>,
    seen: Arc<Seen>,
}

impl Peer {
    /// Reads one whole request; empty at the end of the connection.
    pub(crate) async fn request(&mut self) -> io::Result<String> {
        let mut text = String::new();
        loop {
            if let Some(head) = text.find("\r\n\r\n") {
                let length = text[..head].lines().find_map(|line| line.strip_prefix("content-length: "));
                if text.len() >= head + 4 + length.map_or(0, |length| length.parse::<usize>().unwrap()) {
                    return Ok(text);
                }
            }
            let read = self.read(64 * 1024).await?;
            if read.is_empty() {
                return Ok(text);
            }
            text.push_str(&String::from_utf8_lossy(&read));
        }
    }

    /// Reads at most `bytes_max` of what is there; empty at the end.
    pub(crate) async fn read(&mut self, bytes_max: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; bytes_max];
        let read = self.io.read(&mut bytes).await?;
        bytes.truncate(read);
        self.seen.bytes.lock().unwrap().extend_from_slice(&bytes);
        Ok(bytes)
    }

    /// Answers each request until the signal comes, then says `last_words` and closes.
    pub(crate) async fn answer_until(mut self, signal: Arc<Notify>, last_words: &str) -> io::Result<()> {
        loop {
            tokio::select! {
                () = signal.notified() => return self.say(last_words).await,
                request = self.request() => match request?.as_str() {
                    "" => return Ok(()),
                    _ => self.say(OK).await?,
                },
            }
        }
    }

    /// Reads until the other side ends.
    pub(crate) async fn until_end(&mut self) -> io::Result<()> {
        while !self.read(64 * 1024).await?.is_empty() {}
        Ok(())
    }

    pub(crate) async fn say(&mut self, text: &str) -> io::Result<()> {
        self.io.write_all(text.as_bytes()).await?;
        self.io.flush().await
    }
}
