//! The dialler: core's `Transport` over tower layers, and the course of one call.
//!
//! Not here: the pieces that a call uses, each in its own file.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use paymux_core::clock::{Clock, within};
use paymux_core::transport::{Deadline, Destination, NoAnswer, NotSent, Outgoing, Transport, Undelivered};
use paymux_core::wire::{Endpoint, WireResponse};
use rustls::ClientConfig;
use tower::load_shed::error::Overloaded;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, ServiceBuilder, ServiceExt};

use crate::connect::{Connector, Roots, tls_config};
use crate::guard::Guard;
use crate::line::{Fault, Line};
use crate::measure::{self, Measured};
use crate::message;
use crate::names::{GuardedNames, Names, SystemNames};
use crate::pool::{Pool, Seat};
use crate::socket::Departure;

/// How many calls may run at once. What is above is shed as `NotSent::Overloaded`; nothing queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallsMax {
    /// To all origins together.
    pub total: usize,
    /// To one scheme, host and port, so that one that hangs leaves places for the others.
    pub per_origin: usize,
}

/// How the dialler dials.
#[derive(Clone)]
pub struct Settings {
    /// The longest that name, TCP and TLS may take together.
    pub connect_max: Duration,
    /// Which addresses merchants' URLs may reach.
    pub guard: Guard,
    /// Calls to providers.
    pub provider_calls: CallsMax,
    /// Calls to merchants; apart from providers', so that slow merchants cannot take the places that
    /// payments need.
    pub merchant_calls: CallsMax,
    /// Which certificate authorities are believed.
    pub roots: Roots,
    /// Who resolves names.
    pub names: Arc<dyn Names>,
}

impl Default for Settings {
    /// 3 s to connect, the strict guard, 1024 calls to providers (256 to each) and 512 to merchants (32
    /// to each), the system's authorities and names.
    fn default() -> Self {
        Self {
            connect_max: Duration::from_secs(3),
            guard: Guard::default(),
            provider_calls: CallsMax { total: 1024, per_origin: 256 },
            merchant_calls: CallsMax { total: 512, per_origin: 32 },
            roots: Roots::Native,
            names: Arc::new(SystemNames),
        }
    }
}

/// Why no dialler could be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A certificate authority or the TLS settings are not usable.
    #[error("tls: {0}; check the certificate authorities")]
    Tls(#[from] rustls::Error),
}

/// The only dialler. Needs a tokio runtime with IO and time.
pub struct Dialler {
    providers: Lane,
    merchants: Lane,
    guard: Guard,
    clock: Arc<dyn Clock>,
}

type Lane = BoxCloneSyncService<Outgoing, WireResponse, Undelivered>;

impl Dialler {
    /// A dialler with no connection yet. Reads the system's certificate authorities.
    ///
    /// # Errors
    /// When a certificate authority in the settings is not one.
    pub fn new(settings: &Settings, clock: Arc<dyn Clock>) -> Result<Self, SetupError> {
        let tls = Arc::new(tls_config(settings.roots.clone())?);
        let lane_to = |destination, calls_max: CallsMax| {
            let pool = Arc::new(Pool::new(clock.clone(), calls_max.per_origin));
            lane(Course::new(settings, destination, tls.clone(), pool, clock.clone()), calls_max.total)
        };
        Ok(Self {
            providers: lane_to(Destination::Provider, settings.provider_calls),
            merchants: lane_to(Destination::Merchant, settings.merchant_calls),
            guard: settings.guard,
            clock,
        })
    }
}

#[async_trait]
impl Transport for Dialler {
    fn check(&self, destination: Destination, endpoint: &Endpoint) -> Result<(), String> {
        match guard_for(destination, self.guard) {
            Some(guard) => guard.check(endpoint).map_err(|refusal| refusal.to_string()),
            None => Ok(()),
        }
    }

    async fn send(&self, call: Outgoing) -> Result<WireResponse, Undelivered> {
        let lane = match call.destination {
            Destination::Provider => &self.providers,
            Destination::Merchant => &self.merchants,
        };
        let measured = Measured::start(call.destination, self.clock.clone());
        let result = lane.clone().oneshot(call).await;
        measured.end(&result);
        result
    }
}

/// Operators vouch for the providers' addresses that they write down.
fn guard_for(destination: Destination, guard: Guard) -> Option<Guard> {
    match destination {
        Destination::Provider => None,
        Destination::Merchant => Some(guard),
    }
}

/// The layers around the course of a call. Shedding stands outside the limit: what finds no place is
/// refused now instead of waiting while its deadline runs. The deadline itself is no layer: only the
/// course knows whether a byte had left when time was over.
fn lane(course: Course, calls_max: usize) -> Lane {
    let course = Arc::new(course);
    let service = tower::service_fn(move |call| {
        let course = course.clone();
        async move { course.run(call).await }
    });
    BoxCloneSyncService::new(
        ServiceBuilder::new().map_err(undelivered).load_shed().concurrency_limit(calls_max).service(service),
    )
}

fn undelivered(error: BoxError) -> Undelivered {
    match error.downcast::<Undelivered>() {
        Ok(own) => *own,
        Err(shed) if shed.is::<Overloaded>() => Undelivered::NotSent(NotSent::Overloaded),
        // No layer makes another error; if one ever does, it is not proof that nothing left.
        Err(_) => Undelivered::NoAnswer(NoAnswer::Broken),
    }
}

/// The course of one call to one kind of destination.
struct Course {
    connector: Connector,
    connect_max: Duration,
    guard: Option<Guard>,
    destination: Destination,
    pool: Arc<Pool>,
    clock: Arc<dyn Clock>,
}

impl Course {
    fn new(
        settings: &Settings,
        destination: Destination,
        tls: Arc<ClientConfig>,
        pool: Arc<Pool>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let guard = guard_for(destination, settings.guard);
        let names = GuardedNames { names: settings.names.clone(), guard };
        let connector = Connector::new(names, tls, settings.connect_max, clock.clone());
        Self { connector, connect_max: settings.connect_max, guard, destination, pool, clock }
    }

    async fn run(&self, call: Outgoing) -> Result<WireResponse, Undelivered> {
        let (request, seat, mut line) = self.prepare(&call).await.map_err(Undelivered::NotSent)?;

        let left = call.deadline.answer_by.left(self.clock.mono());
        let exchange = line.exchange(request, call.deadline.dispatch_by, call.response_bytes_max);
        let end = within(&*self.clock, left, exchange).await;

        let answer = judge(end, line.departure())?;
        if line.settle() {
            seat.give_back(line);
        }
        Ok(answer)
    }

    /// Everything before the first byte.
    async fn prepare(&self, call: &Outgoing) -> Result<(Request<Full<Bytes>>, Seat, Box<Line>), NotSent> {
        let request = message::request(call)?;
        self.check(&call.endpoint)?;
        let seat = self.pool.seat(&call.endpoint).ok_or(NotSent::Overloaded)?;
        let line = self.line(&seat, &call.endpoint, call.deadline).await?;
        Ok((request, seat, line))
    }

    fn check(&self, endpoint: &Endpoint) -> Result<(), NotSent> {
        let Some(guard) = self.guard else { return Ok(()) };
        guard.check(endpoint).map_err(|refusal| {
            tracing::debug!(host = endpoint.host(), port = endpoint.port(), %refusal, "not called");
            NotSent::AddressRefused
        })
    }

    /// A connection that rested, or a new one.
    async fn line(&self, seat: &Seat, endpoint: &Endpoint, deadline: Deadline) -> Result<Box<Line>, NotSent> {
        let left = deadline.dispatch_by.min(deadline.answer_by).left(self.clock.mono());
        if left.is_zero() {
            return Err(NotSent::TooLate);
        }
        if let Some(rested) = seat.take() {
            return Ok(rested);
        }
        let patience = left.min(self.connect_max);
        match within(&*self.clock, patience, self.connector.open(endpoint)).await {
            Some(line) => {
                let line = line?;
                measure::connected(self.destination);
                Ok(Box::new(line))
            }
            None if patience < left => Err(NotSent::Connect),
            None => Err(NotSent::TooLate),
        }
    }
}

/// What became of a call, from how its exchange ended (`None`: time was over) and what had left.
fn judge(
    end: Option<Result<WireResponse, Fault>>,
    departure: Departure,
) -> Result<WireResponse, Undelivered> {
    if let Some(Err(fault)) = &end {
        tracing::debug!(error = fault as &dyn std::error::Error, ?departure, "no answer");
    }
    match (departure, end) {
        (Departure::Begun, Some(Ok(answer))) => Ok(answer),
        (Departure::Begun, Some(Err(fault))) => Err(Undelivered::NoAnswer(NoAnswer::from(&fault))),
        (Departure::Begun, None) => Err(Undelivered::NoAnswer(NoAnswer::TimedOut)),
        (Departure::TooLate, _) | (Departure::None, None) => Err(Undelivered::NotSent(NotSent::TooLate)),
        (Departure::None, Some(Err(Fault::Http(error)))) if error.is_user() => {
            Err(Undelivered::NotSent(NotSent::Unbuildable))
        }
        // Whatever was read here cannot be an answer to a request of which no byte had left.
        (Departure::None, Some(_)) => Err(Undelivered::NotSent(NotSent::Closed)),
    }
}

#[cfg(test)]
mod tests {
    use hyper_util::rt::TokioIo;
    use paymux_core::clock::Mono;
    use paymux_core::wire::{PlainHttp, Verb, WireRequest};
    use socket2::SockRef;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::clock::SystemClock;
    use crate::socket::{Socket, Wire};

    const LATER: Mono = Mono(Duration::from_hours(1));

    /// The other side resets a connection between its checkout and the first byte: too late for the
    /// pool to see it, and still exactly known.
    #[tokio::test]
    async fn a_connection_that_dies_before_the_first_byte_is_closed_and_not_sent() {
        for is_pooled in [false, true] {
            let (mut line, mut peer) = line().await;
            if is_pooled {
                assert_eq!(exchange(&mut line, &mut peer).await.unwrap().status, 204);
                assert!(line.settle() && line.is_quiet());
                assert_eq!(line.departure(), Departure::None, "the gate is shut between requests");
            }
            SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
            drop(peer);
            let end = line.exchange(request(), LATER, 0).await;
            assert!(end.is_err());
            assert_eq!(line.departure(), Departure::None);
            assert_eq!(judge(Some(end), line.departure()), Err(Undelivered::NotSent(NotSent::Closed)));
            assert!(!line.settle(), "nobody gets this connection again");
        }
    }

    /// A close without a reset lets the kernel take our bytes: they may have been read.
    #[tokio::test]
    async fn a_connection_that_is_half_closed_takes_bytes_and_is_no_answer() {
        let (mut line, peer) = line().await;
        drop(peer);
        let end = line.exchange(request(), LATER, 0).await;
        assert_eq!(line.departure(), Departure::Begun);
        assert_eq!(judge(Some(end), line.departure()), Err(Undelivered::NoAnswer(NoAnswer::Broken)));
    }

    /// The call was in time for the pool and comes too late to the gate.
    #[tokio::test]
    async fn a_pooled_connection_sends_nothing_too_late() {
        let (mut line, mut peer) = line().await;
        assert_eq!(exchange(&mut line, &mut peer).await.unwrap().status, 204);
        assert!(line.settle());
        let end = line.exchange(request(), Mono(Duration::ZERO), 0).await;
        assert_eq!(judge(Some(end), line.departure()), Err(Undelivered::NotSent(NotSent::TooLate)));
        assert!(!line.settle(), "nobody gets this connection again");
        drop(line);
        assert_eq!(peer.read(&mut [0; 64]).await.unwrap(), 0, "not a byte came");
    }

    #[test]
    fn what_left_decides_and_not_how_it_ended() {
        let answer = || Some(Ok(WireResponse::ok("text/plain", "ok")));
        let fault = || Some(Err(Fault::Unreadable));
        check(Departure::Begun, answer(), "answered");
        check(Departure::Begun, fault(), "sent, but no answer: the answer is not HTTP");
        check(Departure::Begun, None, "sent, but no answer: no answer in time");
        check(Departure::None, answer(), "not sent: the connection was closed before the first byte");
        check(Departure::None, fault(), "not sent: the connection was closed before the first byte");
        check(Departure::None, None, "not sent: too late to send");
        check(Departure::TooLate, fault(), "not sent: too late to send");
        check(Departure::TooLate, None, "not sent: too late to send");

        #[track_caller]
        fn check(departure: Departure, end: Option<Result<WireResponse, Fault>>, want: &str) {
            let got = judge(end, departure).map_or_else(|error| error.to_string(), |_| "answered".to_owned());
            assert_eq!(got, want);
        }
    }

    #[test]
    fn an_error_of_unknown_make_is_no_proof_that_nothing_left() {
        assert_eq!(undelivered("?".into()), Undelivered::NoAnswer(NoAnswer::Broken));
        assert_eq!(undelivered(Overloaded::new().into()), Undelivered::NotSent(NotSent::Overloaded));
        let own = Undelivered::NotSent(NotSent::Connect);
        assert_eq!(undelivered(own.clone().into()), own);
    }

    async fn exchange(line: &mut Line, peer: &mut TcpStream) -> Result<WireResponse, Fault> {
        let answering = async {
            let mut read = [0; 1024];
            assert!(peer.read(&mut read).await.unwrap() > 0);
            peer.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
        };
        tokio::join!(line.exchange(request(), LATER, 0), answering).0
    }

    fn request() -> Request<Full<Bytes>> {
        let endpoint = Endpoint::parse("http://127.0.0.1", PlainHttp::LoopbackOnly).unwrap();
        message::request(&Outgoing {
            destination: Destination::Provider,
            endpoint,
            request: WireRequest::new(Verb::Post, "/"),
            deadline: Deadline { dispatch_by: LATER, answer_by: LATER },
            response_bytes_max: 0,
        })
        .unwrap()
    }

    async fn line() -> (Line, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (theirs, _) = listener.accept().await.unwrap();
        let socket = Arc::new(Socket::new(ours, Arc::new(SystemClock::new())));
        let stream: Box<dyn crate::connect::Stream> = Box::new(Wire(socket.clone()));
        (Line::over(TokioIo::new(stream), socket).await.unwrap(), theirs)
    }
}
