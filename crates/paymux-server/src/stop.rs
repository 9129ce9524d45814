//! When to stop: SIGINT (Ctrl-C) or SIGTERM once means in order, twice means now. And when to read the configuration
//! again: at SIGHUP.

use std::process;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The exit code of a process that was told twice: as shells count, 128 and SIGINT's number.
pub const NOW: i32 = 130;

/// The two signals.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

/// The signal that asks for the configuration to be read again.
#[derive(Debug)]
pub struct Reloads(Signal);

impl Reloads {
    /// Begins to listen; from now on the signal does not end the process.
    ///
    /// # Errors
    /// When the system does not let us.
    pub fn listen() -> std::io::Result<Self> {
        signal(SignalKind::hangup()).map(Self)
    }

    /// Returns when it came, once for however many came meanwhile.
    pub async fn asked_for(&mut self) {
        self.0.recv().await;
    }
}

impl Signals {
    /// Begins to listen; from now on neither signal ends the process by itself.
    ///
    /// # Errors
    /// When the system does not let us.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Returns when one of them came.
    pub async fn came(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }

    /// Ends the process at the next one. What is cut off is whole in the ledger: the next start goes on.
    pub fn end_at_next(mut self) {
        tokio::spawn(async move {
            let name = self.came().await;
            tracing::warn!(signal = name, "told to stop again: ending now");
            process::exit(NOW);
        });
    }
}
