//! The proxy in front of a server that says everything back.

use std::io::ErrorKind;
use std::sync::Mutex;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, timeout};

use super::*;

/// How long anything may take that should be over in a moment.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long to look at something that must not happen.
const A_WHILE: Duration = Duration::from_millis(100);

/// Says everything back, and keeps what it heard, by connection.
#[derive(Clone, Default)]
struct Echo(Arc<Mutex<Vec<Heard>>>);

#[derive(Debug, Clone, Default)]
struct Heard {
    bytes: Vec<u8>,
    /// How the other side ended: in order, or with an error.
    end: Option<Result<(), ErrorKind>>,
}

impl Echo {
    async fn open() -> (Self, SocketAddr) {
        let (echo, listener) = (Self::default(), TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap());
        let address = listener.local_addr().unwrap();
        let own = echo.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(own.clone().serve(stream));
            }
        });
        (echo, address)
    }

    async fn serve(self, mut stream: TcpStream) {
        let place = {
            let mut all = self.0.lock().unwrap();
            all.push(Heard::default());
            all.len() - 1
        };
        let mut piece = [0; 4096];
        let end = loop {
            match stream.read(&mut piece).await {
                Ok(0) => break Ok(()),
                Ok(read) => {
                    self.0.lock().unwrap()[place].bytes.extend(&piece[..read]);
                    // Whether anybody is there to hear the answer is not this server's business.
                    let _ = stream.write_all(&piece[..read]).await;
                }
                Err(error) => break Err(error.kind()),
            }
        };
        self.0.lock().unwrap()[place].end = Some(end);
    }

    /// What that connection heard, once it has ended.
    async fn ended(&self, place: usize) -> Heard {
        let looking = async {
            loop {
                let heard = self.0.lock().unwrap().get(place).cloned();
                if let Some(heard) = heard.filter(|heard| heard.end.is_some()) {
                    return heard;
                }
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, looking).await.expect("the connection ends")
    }
}

struct World {
    echo: Echo,
    proxy: ChaosProxy,
}

impl World {
    async fn new() -> Self {
        let (echo, address) = Echo::open().await;
        Self { echo, proxy: ChaosProxy::start(address, 7).await.unwrap() }
    }

    async fn dial(&self) -> TcpStream {
        TcpStream::connect(self.proxy.address()).await.unwrap()
    }
}

/// Says `text` and hears as many bytes.
async fn heard_back(stream: &mut TcpStream, text: &[u8]) -> Vec<u8> {
    stream.write_all(text).await.unwrap();
    let mut answer = vec![0; text.len()];
    timeout(PATIENCE, stream.read_exact(&mut answer)).await.expect("an answer in time").unwrap();
    answer
}

/// All that still comes, and how it ends.
async fn rest(stream: &mut TcpStream) -> (Vec<u8>, Result<(), ErrorKind>) {
    let mut bytes = Vec::new();
    let end = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("an end in time");
    (bytes, end.map(drop).map_err(|error| error.kind()))
}

const CLOSE: End = End::Close;
const RESET: End = End::Reset;

#[tokio::test]
async fn passes_everything_on_as_it_is() {
    let world = World::new().await;
    let mut stream = world.dial().await;
    let much: Vec<u8> = (0..1_000_000_u32).map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect();
    let (mut reads, mut writes) = stream.split();
    let mut answer = vec![0; much.len()];
    let (read, written) = tokio::join!(reads.read_exact(&mut answer), writes.write_all(&much));
    assert!(read.is_ok() && written.is_ok() && answer == much);
    drop(stream);
    let heard = world.echo.ended(0).await;
    assert_eq!((heard.bytes.len(), heard.end), (much.len(), Some(Ok(()))));
    assert_eq!((world.proxy.accepted(), world.proxy.struck()), (1, 0));
}

#[tokio::test]
async fn a_half_that_has_said_all_still_hears_the_answer() {
    let world = World::new().await;
    let mut stream = world.dial().await;
    stream.write_all(b"last words").await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(rest(&mut stream).await, (b"last words".to_vec(), Ok(())));
}

#[tokio::test]
async fn cuts_a_request_after_each_byte() {
    for after in 0..=6_u64 {
        let world = World::new().await;
        world.proxy.once(Direction::Up, Toxic::Cut { after, end: CLOSE });
        let mut stream = world.dial().await;
        stream.write_all(b"sesame").await.unwrap();
        let (_, end) = rest(&mut stream).await;
        assert_eq!(end, Ok(()), "a FIN, after {after}");
        let heard = world.echo.ended(0).await;
        let want = &b"sesame"[..usize::try_from(after).unwrap()];
        assert_eq!((heard.bytes.as_slice(), heard.end), (want, Some(Ok(()))), "after {after}");
        assert_eq!(world.proxy.struck(), 1);
        assert_eq!(heard_back(&mut world.dial().await, b"again").await, b"again", "it strikes once");
    }
}

#[tokio::test]
async fn cuts_an_answer_after_each_byte() {
    for after in 0..=6_u64 {
        for (end, seen) in [(CLOSE, Ok(())), (RESET, Err(ErrorKind::ConnectionReset))] {
            let world = World::new().await;
            world.proxy.once(Direction::Down, Toxic::Cut { after, end });
            let mut stream = world.dial().await;
            stream.write_all(b"sesame").await.unwrap();
            let (answer, ended) = rest(&mut stream).await;
            let want = &b"sesame"[..usize::try_from(after).unwrap()];
            assert_eq!((answer.as_slice(), ended), (want, seen), "{end:?} after {after}");
            let heard = world.echo.ended(0).await;
            assert_eq!(heard.bytes, b"sesame", "the request had its effect");
            assert_eq!(heard.end, Some(seen), "{end:?} after {after}");
        }
    }
}

#[tokio::test]
async fn a_toxic_counts_from_the_moment_it_is_set() {
    let world = World::new().await;
    let mut stream = world.dial().await;
    assert_eq!(heard_back(&mut stream, b"before").await, b"before");
    world.proxy.once(Direction::Down, Toxic::Cut { after: 2, end: CLOSE });
    stream.write_all(b"after").await.unwrap();
    assert_eq!(rest(&mut stream).await, (b"af".to_vec(), Ok(())));
}

#[tokio::test]
async fn resets_after_the_whole_answer() {
    let world = World::new().await;
    world.proxy.set(Direction::Down, Toxic::CutWhenQuiet { quiet: Duration::from_millis(50), end: RESET });
    let mut stream = world.dial().await;
    assert_eq!(heard_back(&mut stream, b"sesame").await, b"sesame");
    assert_eq!(rest(&mut stream).await, (Vec::new(), Err(ErrorKind::ConnectionReset)));
    assert_eq!(world.proxy.struck(), 1);
}

#[tokio::test]
async fn half_open_keeps_the_sockets_and_goes_on_when_healed() {
    let world = World::new().await;
    world.proxy.set(Direction::Down, Toxic::Stall { after: 3 });
    let mut stream = world.dial().await;
    stream.write_all(b"sesame").await.unwrap();
    let mut answer = vec![0; 3];
    timeout(PATIENCE, stream.read_exact(&mut answer)).await.expect("three bytes").unwrap();
    let mut byte = [0];
    assert!(timeout(A_WHILE, stream.read(&mut byte)).await.is_err(), "neither a byte nor an end");
    assert_eq!(world.proxy.struck(), 1);

    world.proxy.heal();
    timeout(PATIENCE, stream.read_exact(&mut answer)).await.expect("the rest").unwrap();
    assert_eq!(answer, b"ame");
}

#[tokio::test]
async fn latency_and_bandwidth_take_their_time() {
    let world = World::new().await;
    let mut stream = world.dial().await;
    let took = async |stream: &mut TcpStream, text: &[u8]| {
        let begun = Instant::now();
        assert_eq!(heard_back(stream, text).await, text);
        begun.elapsed()
    };
    let (least, jitter) = (Duration::from_millis(60), Duration::from_millis(20));
    world.proxy.set(Direction::Up, Toxic::Latency { least, jitter });
    assert!(took(&mut stream, b"slow").await >= least);

    world.proxy.heal();
    world.proxy.set(Direction::Up, Toxic::Bandwidth { bytes_per_second: 1000 });
    assert!(took(&mut stream, &[7; 100]).await >= Duration::from_millis(100));
    assert_eq!(world.proxy.struck(), 0);
}

#[tokio::test]
async fn corrupts_exactly_one_byte() {
    let world = World::new().await;
    world.proxy.once(Direction::Up, Toxic::Corrupt { at: 7 });
    let mut stream = world.dial().await;
    assert_eq!(heard_back(&mut stream, b"open ").await, b"open ");
    assert_eq!(heard_back(&mut stream, b"sesame").await, b"serame");
    assert_eq!(heard_back(&mut stream, b"sesame sesame").await, b"sesame sesame");
    assert_eq!(world.proxy.struck(), 1);
}

#[tokio::test]
async fn refuses_and_welcomes() {
    let mut world = World::new().await;
    let mut stands = world.dial().await;
    // Only what the proxy has taken stands; what still waits in the system's queue goes with the port.
    assert_eq!(heard_back(&mut stands, b"here").await, b"here");
    world.proxy.refuse().await;
    let refused = TcpStream::connect(world.proxy.address()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    assert_eq!(heard_back(&mut stands, b"still here").await, b"still here");

    world.proxy.welcome().await.unwrap();
    assert_eq!(heard_back(&mut world.dial().await, b"back").await, b"back");
}

#[tokio::test]
async fn a_word_ends_all_that_stand() {
    for (end, seen) in [(CLOSE, Ok(())), (RESET, Err(ErrorKind::ConnectionReset))] {
        let world = World::new().await;
        let (mut one, mut other) = (world.dial().await, world.dial().await);
        assert_eq!(heard_back(&mut one, b"one").await, b"one");
        assert_eq!(heard_back(&mut other, b"two").await, b"two");
        world.proxy.sever(end);
        assert_eq!(rest(&mut one).await.1, seen);
        assert_eq!(rest(&mut other).await.1, seen);
        assert_eq!(heard_back(&mut world.dial().await, b"anew").await, b"anew");
    }
}

#[tokio::test]
async fn what_hangs_looks_alive_until_another_word() {
    let world = World::new().await;
    let mut stream = world.dial().await;
    assert_eq!(heard_back(&mut stream, b"here").await, b"here");
    world.proxy.sever(End::Hang);
    assert_eq!(heard_back(&mut world.dial().await, b"a new one").await, b"a new one");
    stream.write_all(b"are you there").await.unwrap();
    let mut byte = [0];
    assert!(timeout(A_WHILE, stream.read(&mut byte)).await.is_err(), "neither a byte nor an end");
    world.proxy.sever(RESET);
    assert_eq!(rest(&mut stream).await, (Vec::new(), Err(ErrorKind::ConnectionReset)));
}

#[tokio::test]
async fn ends_with_its_proxy() {
    let world = World::new().await;
    let (address, mut stream) = (world.proxy.address(), world.dial().await);
    assert_eq!(heard_back(&mut stream, b"here").await, b"here");
    drop(world);
    assert_eq!(rest(&mut stream).await, (Vec::new(), Ok(())));
    let refused = async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, refused).await.expect("the port is free again");
}

#[tokio::test]
async fn nobody_behind_it_is_a_reset() {
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap();
    let proxy = ChaosProxy::start(nobody, 1).await.unwrap();
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(rest(&mut stream).await, (Vec::new(), Err(ErrorKind::ConnectionReset)));
}
