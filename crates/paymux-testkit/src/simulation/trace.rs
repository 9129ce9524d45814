//! What happened in a run, line by line. Off unless asked for: a run with a violation is run again with
//! it, since the same seed writes the same lines.

use std::fmt::Write;
use std::sync::{Mutex, PoisonError};

/// The lines of one run.
#[derive(Debug)]
pub(super) struct Trace(Option<Mutex<String>>);

impl Trace {
    /// One that writes, or one that costs nothing.
    pub(super) fn new(writes: bool) -> Self {
        Self(writes.then(Mutex::default))
    }

    /// Whether lines are kept.
    pub(super) fn writes(&self) -> bool {
        self.0.is_some()
    }

    /// Adds a line; `text` is called only if it is kept.
    pub(super) fn line(&self, at_ms: i64, text: impl FnOnce() -> String) {
        let Some(lines) = &self.0 else { return };
        let (seconds, ms) = (at_ms / 1000, at_ms % 1000);
        let text = text();
        let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = writeln!(lines, "{seconds:>7}.{ms:03} {text}");
    }

    /// All of it; `None` when nothing was kept.
    pub(super) fn text(&self) -> Option<String> {
        self.0.as_ref().map(|lines| lines.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}
