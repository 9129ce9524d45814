//! One connection through the proxy: two pumps, one each way, and its end.

use std::ops::ControlFlow;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::{Direction, End, Orders, Setting, Shared, Taken, Toxic};

/// The largest piece that is passed on at once.
const PIECE_BYTES_MAX: usize = 16 * 1024;
/// How long a side may take to see that the connection was closed in order.
const FAREWELL_MAX: Duration = Duration::from_secs(1);
/// How many pieces a second a narrow line carries.
const NARROW_PIECES: u64 = 20;

/// Carries bytes both ways until both sides have said all, or a toxic or a word ends it.
pub(super) async fn carry(mut client: TcpStream, mut server: TcpStream, taken: Taken, shared: &Shared) {
    // Small pieces leave at once: what is cut behind them must not be what keeps them.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let mut seen = taken.severed;
    let mut end = {
        let (client_reads, client_writes) = client.split();
        let (server_reads, server_writes) = server.split();
        let up = Pump::new(Direction::Up, taken.number, shared, client_reads, server_writes);
        let down = Pump::new(Direction::Down, taken.number, shared, server_reads, client_writes);
        tokio::select! {
            both = async { tokio::try_join!(up.run(), down.run()) } => both.err().unwrap_or(End::Close),
            word = severed(shared, seen) => {
                seen = word.0;
                word.1
            }
        }
    };
    while end == End::Hang {
        (seen, end) = severed(shared, seen).await;
    }
    finish(client, Some(server), end).await;
}

/// The next word that ends all connections, after `before` of them.
async fn severed(shared: &Shared, before: u64) -> (u64, End) {
    match shared.orders.subscribe().wait_for(|orders| orders.severed.0 > before).await {
        Ok(orders) => orders.severed,
        Err(_) => (u64::MAX, End::Close),
    }
}

/// Ends both sides. A close in order reads on until the other side has closed too: the system answers
/// bytes that nobody reads with a reset.
pub(super) async fn finish(client: TcpStream, server: Option<TcpStream>, end: End) {
    for mut stream in [Some(client), server].into_iter().flatten() {
        match end {
            End::Reset | End::Hang => {
                let _ = stream.set_zero_linger();
            }
            End::Close => {
                let _ = stream.shutdown().await;
                tokio::spawn(timeout(FAREWELL_MAX, drain(stream)));
            }
        }
    }
}

async fn drain(mut stream: TcpStream) {
    let mut piece = [0; 1024];
    while stream.read(&mut piece).await.is_ok_and(|read| read > 0) {}
}

/// Carries one direction.
struct Pump<'a> {
    direction: Direction,
    shared: &'a Shared,
    orders: watch::Receiver<Orders>,
    dice: fastrand::Rng,
    from: ReadHalf<'a>,
    to: WriteHalf<'a>,
    /// Since which toxic `passed` counts.
    generation: u64,
    passed: u64,
}

impl<'a> Pump<'a> {
    fn new(
        direction: Direction,
        number: u64,
        shared: &'a Shared,
        from: ReadHalf<'a>,
        to: WriteHalf<'a>,
    ) -> Self {
        let own = number * 2 + u64::from(direction == Direction::Down);
        let dice = fastrand::Rng::with_seed(shared.seed.wrapping_add(own));
        let orders = shared.orders.subscribe();
        Self { direction, shared, orders, dice, from, to, generation: 0, passed: 0 }
    }

    /// Runs until its side has said all (`Ok`), or the whole connection must end.
    async fn run(mut self) -> Result<(), End> {
        let mut piece = vec![0; PIECE_BYTES_MAX];
        loop {
            let setting = self.look();
            let appetite = match self.before(setting) {
                ControlFlow::Break(end) => return Err(end),
                ControlFlow::Continue(0) => {
                    self.wait_for_orders().await?;
                    continue;
                }
                ControlFlow::Continue(appetite) => appetite,
            };
            let toxic = setting.map(|setting| setting.toxic);
            let read = tokio::select! {
                // First: what was set before a byte came holds for it.
                biased;
                changed = self.orders.changed() => {
                    changed.map_err(|_| End::Close)?;
                    continue;
                }
                read = self.from.read(&mut piece[..appetite]) => read.map_err(|_| End::Reset)?,
                end = quiet(toxic, self.passed) => {
                    if let Some(setting) = setting && self.strikes(setting) {
                        return Err(end);
                    }
                    continue;
                }
            };
            if read == 0 {
                let _ = self.to.shutdown().await;
                return Ok(());
            }
            self.pass(&mut piece[..read], setting).await?;
        }
    }

    /// What goes wrong now. Another toxic than before counts anew.
    fn look(&mut self) -> Option<Setting> {
        let (generation, setting) = self.orders.borrow_and_update().of(self.direction);
        if generation != self.generation {
            (self.generation, self.passed) = (generation, 0);
        }
        setting
    }

    /// How many bytes may be read now (0: none until told otherwise), or the end.
    fn before(&self, setting: Option<Setting>) -> ControlFlow<End, usize> {
        let left = |after: u64| usize::try_from(after - self.passed.min(after)).unwrap_or(usize::MAX);
        let appetite = match setting.map(|setting| (setting, setting.toxic)) {
            Some((_, Toxic::Cut { after: 0, .. })) => PIECE_BYTES_MAX,
            Some((setting, Toxic::Cut { after, end })) if left(after) == 0 => {
                if self.strikes(setting) {
                    return ControlFlow::Break(end);
                }
                PIECE_BYTES_MAX
            }
            Some((_, Toxic::Cut { after, .. } | Toxic::Stall { after })) => left(after),
            Some((_, Toxic::Bandwidth { bytes_per_second })) => {
                usize::try_from(u64::from(bytes_per_second) / NARROW_PIECES).unwrap_or(1).max(1)
            }
            _ => PIECE_BYTES_MAX,
        };
        ControlFlow::Continue(appetite.min(PIECE_BYTES_MAX))
    }

    /// Half open, until something else is said.
    async fn wait_for_orders(&mut self) -> Result<(), End> {
        self.shared.struck.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.orders.changed().await.map_err(|_| End::Close)
    }

    async fn pass(&mut self, piece: &mut [u8], setting: Option<Setting>) -> Result<(), End> {
        match setting.map(|setting| (setting, setting.toxic)) {
            Some((setting, Toxic::Cut { after: 0, end })) if self.strikes(setting) => return Err(end),
            Some((_, Toxic::Latency { least, jitter })) => sleep(self.spread(least, jitter)).await,
            Some((_, Toxic::Bandwidth { bytes_per_second })) => {
                let ms = piece.len() as u64 * 1000 / u64::from(bytes_per_second.max(1));
                sleep(Duration::from_millis(ms)).await;
            }
            Some((setting, Toxic::Corrupt { at })) => self.corrupt(piece, at, setting),
            _ => {}
        }
        self.passed += piece.len() as u64;
        // Whoever reads there has gone: the connection is over in this direction and in the other.
        self.to.write_all(piece).await.map_err(|_| End::Reset)
    }

    fn corrupt(&self, piece: &mut [u8], at: u64, setting: Setting) {
        let place = at.checked_sub(self.passed).and_then(|place| usize::try_from(place).ok());
        if let Some(byte) = place.and_then(|place| piece.get_mut(place))
            && self.strikes(setting)
        {
            *byte ^= 1;
        }
    }

    fn spread(&mut self, least: Duration, jitter: Duration) -> Duration {
        let most = u64::try_from(jitter.as_micros()).unwrap_or(u64::MAX);
        least + Duration::from_micros(self.dice.u64(0..=most))
    }

    fn strikes(&self, setting: Setting) -> bool {
        self.shared.strikes(self.direction, self.generation, setting)
    }
}

/// How the connection ends once it has been quiet for as long as the toxic says; never by another.
async fn quiet(toxic: Option<Toxic>, passed: u64) -> End {
    match toxic {
        Some(Toxic::CutWhenQuiet { quiet, end }) if passed > 0 => {
            sleep(quiet).await;
            end
        }
        _ => std::future::pending().await,
    }
}
