//! Tells steps: a line for a person, or a line of JSON for a program, with the time since the demo began.

use paymux_core::Clock as _;
use paymux_transport::SystemClock;
use serde_json::{Map, Value};

use super::qr;
use crate::commands::console::{self, Console, Tone};

/// Tells steps.
#[derive(Debug)]
pub(super) struct Teller {
    console: Console,
    json: bool,
    clock: SystemClock,
}

impl Teller {
    pub(super) fn new(console: Console, json: bool) -> Self {
        Self { console, json, clock: SystemClock::new() }
    }

    /// The clock that counts from the demo's beginning.
    pub(super) fn clock(&self) -> SystemClock {
        self.clock
    }

    /// Tells a step in one line. `facts`, an object, is for programs.
    pub(super) fn step(&self, step: &str, text: &str, facts: &Value) {
        let ms = self.clock.mono().0.as_millis();
        if self.json {
            let mut line = Map::new();
            line.insert("step".to_owned(), step.into());
            line.insert("ms".to_owned(), u64::try_from(ms).unwrap_or(u64::MAX).into());
            line.insert("text".to_owned(), text.into());
            line.extend(facts.as_object().cloned().unwrap_or_default());
            console::line(&Value::Object(line).to_string());
            return;
        }
        let when = self.console.tone(Tone::Faint, &format!("{ms:>6} ms"));
        let name = self.console.tone(Tone::Good, &format!("{step:<9}"));
        console::line(&format!("{when}  {name}  {text}"));
    }

    /// Draws a QR code where a person can scan it.
    pub(super) fn qr(&self, text: &str) {
        if self.json || !self.console.is_terminal() {
            return;
        }
        if let Some(drawing) = qr::drawing(text) {
            console::line(drawing.trim_end());
        }
    }

    /// A line for people only.
    pub(super) fn aside(&self, text: &str) {
        if !self.json {
            console::line(text);
        }
    }

    /// The text as it stands out for people.
    pub(super) fn strong(&self, text: &str) -> String {
        self.console.tone(Tone::Strong, text)
    }
}
