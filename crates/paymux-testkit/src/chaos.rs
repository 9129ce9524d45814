//! A TCP proxy that breaks connections as it is told: it stands between paymux and a provider, a
//! database or a merchant, and knows nothing of what they say to each other.
//!
//! A [`Toxic`] holds for one [`Direction`], on the connections that stand and on those that come. It
//! counts bytes on each connection for itself, from the moment it was set. Besides, the proxy refuses
//! connections as if nobody listened ([`ChaosProxy::refuse`]) and ends all that stand at a word
//! ([`ChaosProxy::sever`]).
//!
//! For tests only. What waits here waits in the runtime's time, not in core's.

mod connection;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Ports below those that the system hands out by itself (32768 and up): a proxy that refuses for a
/// while must find its own port free afterwards.
const PORTS: std::ops::Range<u16> = 15_000..32_000;

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From whoever dialled to the target.
    Up,
    /// From the target back.
    Down,
}

/// What goes wrong in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Toxic {
    /// Each piece waits so long before it is passed on.
    Latency {
        /// At the least.
        least: Duration,
        /// Up to so much more, out of the proxy's seed.
        jitter: Duration,
    },
    /// The connection ends, both ways, as soon as so many bytes have passed. With 0 it ends when the
    /// first byte would pass, so that a connection on which nothing happens lives on.
    Cut {
        /// How many bytes pass.
        after: u64,
        /// How it ends.
        end: End,
    },
    /// The connection ends, both ways, when something has passed and nothing followed for so long:
    /// after a whole answer, say.
    CutWhenQuiet {
        /// For how long.
        quiet: Duration,
        /// How it ends.
        end: End,
    },
    /// Half open: so many bytes pass, then nothing is read or written any more, and the sockets stay.
    Stall {
        /// How many bytes pass.
        after: u64,
    },
    /// Bytes pass slowly.
    Bandwidth {
        /// So many at the most; at least 1.
        bytes_per_second: u32,
    },
    /// The lowest bit of one byte is turned over.
    Corrupt {
        /// Which byte, counted from 0.
        at: u64,
    },
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// In order, by a FIN to both sides.
    Close,
    /// By an RST to both sides.
    Reset,
    /// Not at all, as far as anybody can see: the sockets stay, and nothing passes any more. Another
    /// [`ChaosProxy::sever`] ends it in earnest.
    Hang,
}

/// A running proxy. Dropping it ends its connections and frees its port.
#[derive(Debug)]
pub struct ChaosProxy {
    address: SocketAddr,
    target: SocketAddr,
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
}

impl ChaosProxy {
    /// A proxy on a free port of this machine, with no toxic. `seed` decides every jitter.
    ///
    /// # Errors
    /// What the system says when it gives no port.
    pub async fn start(target: SocketAddr, seed: u64) -> io::Result<Self> {
        let listener = bind_somewhere().await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            seed,
            orders: watch::Sender::new(Orders::default()),
            accepted: AtomicU64::new(0),
            struck: AtomicU64::new(0),
        });
        let listening = Some(tokio::spawn(accept(listener, target, shared.clone())));
        Ok(Self { address, target, shared, listening })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on this goes wrong in that direction, in place of what went wrong before.
    pub fn set(&self, direction: Direction, toxic: Toxic) {
        self.shared.set(direction, Some(Setting { toxic, is_once: false }));
    }

    /// The same, until it has cut or corrupted one connection. What does neither stays until healed.
    pub fn once(&self, direction: Direction, toxic: Toxic) {
        self.shared.set(direction, Some(Setting { toxic, is_once: true }));
    }

    /// Nothing goes wrong any more, in neither direction. What is broken stays so.
    pub fn heal(&self) {
        self.shared.set(Direction::Up, None);
        self.shared.set(Direction::Down, None);
    }

    /// Ends every connection that stands.
    pub fn sever(&self, end: End) {
        self.shared.orders.send_modify(|orders| orders.severed = (orders.severed.0 + 1, end));
    }

    /// Connections are refused from now on, as if nobody listened. Those that stand stay.
    pub async fn refuse(&mut self) {
        if let Some(listening) = self.listening.take() {
            listening.abort();
            // Its error says that it was ended, which is what was wanted.
            let _ = listening.await;
        }
    }

    /// Connections are taken again.
    ///
    /// # Errors
    /// When somebody else has taken the port meanwhile.
    pub async fn welcome(&mut self) -> io::Result<()> {
        if self.listening.is_none() {
            let listener = TcpListener::bind(self.address).await?;
            self.listening = Some(tokio::spawn(accept(listener, self.target, self.shared.clone())));
        }
        Ok(())
    }

    /// How many connections were taken.
    pub fn accepted(&self) -> u64 {
        self.shared.accepted.load(Ordering::Relaxed)
    }

    /// How often a toxic has cut, stalled or corrupted a connection: a test whose toxic never struck
    /// proves nothing.
    pub fn struck(&self) -> u64 {
        self.shared.struck.load(Ordering::Relaxed)
    }
}

impl Drop for ChaosProxy {
    fn drop(&mut self) {
        if let Some(listening) = &self.listening {
            listening.abort();
        }
        self.sever(End::Close);
    }
}

/// A toxic as it was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Setting {
    toxic: Toxic,
    is_once: bool,
}

/// What every connection is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Orders {
    up: (u64, Option<Setting>),
    down: (u64, Option<Setting>),
    /// How often all connections were ended, and how the last time.
    severed: (u64, End),
}

impl Default for Orders {
    fn default() -> Self {
        Self { up: (0, None), down: (0, None), severed: (0, End::Close) }
    }
}

impl Orders {
    /// The toxic of that direction, and a number that changes whenever one is set.
    fn of(&self, direction: Direction) -> (u64, Option<Setting>) {
        match direction {
            Direction::Up => self.up,
            Direction::Down => self.down,
        }
    }
}

#[derive(Debug)]
struct Shared {
    seed: u64,
    orders: watch::Sender<Orders>,
    accepted: AtomicU64,
    struck: AtomicU64,
}

impl Shared {
    fn set(&self, direction: Direction, setting: Option<Setting>) {
        self.orders.send_modify(|orders| {
            let place = match direction {
                Direction::Up => &mut orders.up,
                Direction::Down => &mut orders.down,
            };
            *place = (place.0 + 1, setting);
        });
    }

    /// Whether this connection is the one to be struck: a toxic that strikes once is gone for others.
    fn strikes(&self, direction: Direction, generation: u64, setting: Setting) -> bool {
        let is_first = |orders: &mut Orders| {
            let place = match direction {
                Direction::Up => &mut orders.up,
                Direction::Down => &mut orders.down,
            };
            let is_ours = place.0 == generation && place.1.is_some();
            if is_ours {
                *place = (generation + 1, None);
            }
            is_ours
        };
        let strikes = !setting.is_once || self.orders.send_if_modified(is_first);
        self.struck.fetch_add(u64::from(strikes), Ordering::Relaxed);
        strikes
    }
}

async fn bind_somewhere() -> io::Result<TcpListener> {
    const TRIES: u32 = 64;
    for _ in 0..TRIES {
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, fastrand::u16(PORTS))).await {
            return Ok(listener);
        }
    }
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await
}

/// The place of a connection among all.
#[derive(Debug, Clone, Copy)]
struct Taken {
    number: u64,
    /// How often all connections had been ended by then.
    severed: u64,
}

async fn accept(listener: TcpListener, target: SocketAddr, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        let number = shared.accepted.fetch_add(1, Ordering::Relaxed);
        let shared = shared.clone();
        // As it is now: a word that ends all connections reaches one that is still being made.
        let severed = shared.orders.borrow().severed.0;
        tokio::spawn(async move {
            match TcpStream::connect(target).await {
                Ok(server) => connection::carry(client, server, Taken { number, severed }, &shared).await,
                // Nobody is behind the proxy: whoever dialled sees a reset, the nearest thing to that.
                Err(_) => connection::finish(client, None, End::Reset).await,
            }
        });
    }
}
