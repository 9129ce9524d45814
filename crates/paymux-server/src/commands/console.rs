//! What is printed: results on standard output, mistakes on standard error, colour only on a terminal.

use std::io::{IsTerminal as _, Write as _};

/// Prints a line. A reader that went away is no mistake of ours.
pub(super) fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Prints a line to standard error.
pub(super) fn error(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Where a command prints.
#[derive(Debug, Clone, Copy)]
pub(super) struct Console {
    /// Whether a person looks at standard output.
    is_terminal: bool,
}

/// How a piece of text stands out on a terminal.
#[derive(Debug, Clone, Copy)]
pub(super) enum Tone {
    Good,
    Bad,
    Faint,
    Strong,
}

impl Console {
    pub(super) fn of_process() -> Self {
        Self { is_terminal: std::io::stdout().is_terminal() }
    }

    /// Whether a person looks at standard output.
    pub(super) fn is_terminal(self) -> bool {
        self.is_terminal
    }

    /// The text, coloured on a terminal.
    pub(super) fn tone(self, tone: Tone, text: &str) -> String {
        if !self.is_terminal {
            return text.to_owned();
        }
        let code = match tone {
            Tone::Good => "32",
            Tone::Bad => "31",
            Tone::Faint => "2",
            Tone::Strong => "1",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}
