//! The binary as a child process: started, watched, told to stop, and what it printed.

use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// How long anything may take that should be over in a moment.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// `paymux` with these arguments and with none of our own environment that it would read.
pub(crate) fn paymux<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_paymux"));
    command.args(arguments).env_remove("PAYMUX_LOG").stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Runs it to its end.
pub(crate) async fn ended<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Ended {
    Ended::of(paymux(arguments)).await
}

/// How a process ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    pub(crate) async fn of(mut command: Command) -> Self {
        let output = timeout(PATIENCE, command.output()).await.expect("an end in time").unwrap();
        let Output { status, stdout, stderr } = output;
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: status.code(), out: text(stdout), err: text(stderr) }
    }
}

/// A process that runs on, with its standard output line by line.
pub(crate) struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The next line; `None` at the end.
    pub(crate) async fn line(&mut self) -> Option<String> {
        timeout(PATIENCE, self.lines.next_line()).await.expect("a line in time").unwrap()
    }

    /// How it ended by itself; `None` when it did not in time.
    #[cfg(feature = "crash-points")]
    pub(crate) async fn ended(mut self) -> Option<std::process::ExitStatus> {
        timeout(PATIENCE, self.child.wait()).await.ok().map(Result::unwrap)
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> Option<std::process::ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Sends a signal, such as `TERM`.
    pub(crate) async fn send(&self, name: &str) {
        send(self.child.id().unwrap(), name).await;
    }

    /// Sends a signal and waits for the end.
    pub(crate) async fn signal(mut self, name: &str) -> Option<i32> {
        self.send(name).await;
        timeout(PATIENCE, self.child.wait()).await.expect("an end in time").unwrap().code()
    }
}

async fn send(process: u32, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &process.to_string()]).status().await.unwrap();
    assert!(sent.success());
}
