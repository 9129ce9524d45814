//! What is counted about calls out. Labels come from closed sets: no host, no id.

use std::sync::Arc;

use metrics::{counter, gauge, histogram};
use paymux_core::clock::{Clock, Mono};
use paymux_core::transport::{Destination, NoAnswer, NotSent, Undelivered};
use paymux_core::wire::WireResponse;

/// One call while it runs; dropping it counts the call.
pub(crate) struct Measured {
    clock: Arc<dyn Clock>,
    destination: &'static str,
    start: Mono,
    outcome: &'static str,
}

impl Measured {
    pub(crate) fn start(destination: Destination, clock: Arc<dyn Clock>) -> Self {
        let destination = destination.label();
        gauge!("paymux_outbound_in_flight", "destination" => destination).increment(1);
        Self { start: clock.mono(), clock, destination, outcome: "dropped" }
    }

    pub(crate) fn end(mut self, result: &Result<WireResponse, Undelivered>) {
        self.outcome = outcome(result);
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        let Self { destination, outcome, .. } = *self;
        let span = self.clock.mono().left(self.start);
        gauge!("paymux_outbound_in_flight", "destination" => destination).decrement(1);
        counter!("paymux_outbound_calls_total", "destination" => destination, "outcome" => outcome)
            .increment(1);
        histogram!("paymux_outbound_call_seconds", "destination" => destination).record(span);
    }
}

/// A connection was opened; calls minus connections is what the pool saved.
pub(crate) fn connected(destination: Destination) {
    counter!("paymux_outbound_connections_total", "destination" => destination.label()).increment(1);
}

fn outcome(result: &Result<WireResponse, Undelivered>) -> &'static str {
    match result {
        Ok(_) => "answered",
        Err(Undelivered::NotSent(why)) => match why {
            NotSent::Connect => "not_sent_connect",
            NotSent::Closed => "not_sent_closed",
            NotSent::TooLate => "not_sent_too_late",
            NotSent::AddressRefused => "not_sent_address_refused",
            NotSent::Unbuildable => "not_sent_unbuildable",
            NotSent::Overloaded => "not_sent_overloaded",
        },
        Err(Undelivered::NoAnswer(why)) => match why {
            NoAnswer::TimedOut => "no_answer_timed_out",
            NoAnswer::Broken => "no_answer_broken",
            NoAnswer::TooLarge => "no_answer_too_large",
            NoAnswer::Unreadable => "no_answer_unreadable",
        },
    }
}
