//! Arms the crash point that a test has named, and writes down the payouts of the sandbox where a test asks for it.
//! A build without the feature `crash-points`, as every release is, does neither and does not look at the variables.

use crate::environment::Environment;

/// Names the point: `PAYMUX_CRASH_POINT=create.before_call:abort:3`.
#[cfg(feature = "crash-points")]
const VARIABLE: &str = "PAYMUX_CRASH_POINT";

/// Names the file to which each payout that the sandbox is called for adds a line: it outlives the sandbox's books.
#[cfg(feature = "crash-points")]
const PAYOUTS: &str = "PAYMUX_CRASH_PAYOUTS";

/// Arms what the environment names, if anything.
///
/// # Errors
/// What is wrong with the name, in a sentence.
#[cfg(feature = "crash-points")]
pub(crate) fn arm(environment: &Environment) -> Result<(), String> {
    use std::sync::Arc;

    use paymux_core::crash::{self, PlanError};
    use paymux_transport::SystemClock;

    write_payouts(environment)?;
    let Ok(text) = environment.text(VARIABLE) else { return Ok(()) };
    let plan = text.parse().map_err(|mistake: PlanError| format!("{VARIABLE}: {mistake}"))?;
    tracing::warn!(point = text, "a crash point is armed: this build is for tests");
    crash::arm(plan, Arc::new(SystemClock::new()));
    Ok(())
}

/// A line is one write to the end of the file, so that no kill tears it.
#[cfg(feature = "crash-points")]
fn write_payouts(environment: &Environment) -> Result<(), String> {
    use std::io::Write as _;

    let Ok(file) = environment.text(PAYOUTS) else { return Ok(()) };
    let file = std::fs::OpenOptions::new().append(true).create(true).open(file);
    let file = file.map_err(|error| format!("{PAYOUTS}: {error}"))?;
    paymux_core::crash::hear_payouts(Box::new(move |number| {
        if let Err(error) = (&file).write_all(format!("{number}\n").as_bytes()) {
            tracing::error!(%error, "a payout is not written down: this build is for tests");
        }
    }));
    Ok(())
}

/// Nothing: this build has no crash points.
#[cfg(not(feature = "crash-points"))]
#[expect(clippy::unnecessary_wraps, reason = "the other build can fail")]
pub(crate) fn arm(_: &Environment) -> Result<(), String> {
    Ok(())
}
