//! Hears every log line of the thread, whatever its level.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Metadata, Subscriber};

/// What was logged since this was made.
pub(super) struct Ears {
    heard: Heard,
    _guard: DefaultGuard,
}

#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Ears {
    /// Listens on this thread until it is dropped.
    pub(super) fn open() -> Self {
        let heard = Heard::default();
        let guard = tracing::subscriber::set_default(Listener(heard.clone()));
        Self { heard, _guard: guard }
    }

    /// Every value of every event and span so far.
    pub(super) fn heard(&self) -> Vec<String> {
        self.heard.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

struct Listener(Heard);

impl Subscriber for Listener {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut self.0.clone());
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut self.0.clone());
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.0.clone());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl Visit for Heard {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let line = format!("log: {field} = {value:?}");
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }
}
