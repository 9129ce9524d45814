//! A bar for work that takes a while, on standard error and only where a person looks at it.

use indicatif::{ProgressBar, ProgressStyle};

/// How far a piece of work is.
#[derive(Debug, Clone)]
pub(super) struct Bar(ProgressBar);

impl Bar {
    /// A bar of that many steps, none of which is done. Shows nothing where nobody looks.
    pub(super) fn of(steps: usize) -> Self {
        let bar = ProgressBar::new(steps as u64);
        // A template that is wrong would leave the plain bar, which does no harm.
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {wide_msg}") {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// What is being done now.
    pub(super) fn doing(&self, what: impl Into<String>) {
        self.0.set_message(what.into());
    }

    /// So many steps are done.
    pub(super) fn at(&self, done: u64) {
        self.0.set_position(done);
    }

    /// One step is done.
    pub(super) fn step(&self) {
        self.0.inc(1);
    }

    /// How many steps are done.
    #[cfg(test)]
    pub(super) fn done(&self) -> u64 {
        self.0.position()
    }

    /// All is over; the bar goes away.
    pub(super) fn end(&self) {
        self.0.finish_and_clear();
    }
}
