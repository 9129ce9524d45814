//! Arms the crash point that a test has named. A build without the feature `crash-points`, as every
//! release is, has no such point and does not look at the variable.

use crate::environment::Environment;

/// Names the point: `PAYMUX_CRASH_POINT=create.before_call:abort:3`.
#[cfg(feature = "crash-points")]
const VARIABLE: &str = "PAYMUX_CRASH_POINT";

/// Arms what the environment names, if anything.
///
/// # Errors
/// What is wrong with the name, in a sentence.
#[cfg(feature = "crash-points")]
pub(crate) fn arm(environment: &Environment) -> Result<(), String> {
    use std::sync::Arc;

    use paymux_core::crash::{self, PlanError};
    use paymux_transport::SystemClock;

    let Ok(text) = environment.text(VARIABLE) else { return Ok(()) };
    let plan = text.parse().map_err(|mistake: PlanError| format!("{VARIABLE}: {mistake}"))?;
    tracing::warn!(point = text, "a crash point is armed: this build is for tests");
    crash::arm(plan, Arc::new(SystemClock::new()));
    Ok(())
}

/// Nothing: this build has no crash points.
#[cfg(not(feature = "crash-points"))]
#[expect(clippy::unnecessary_wraps, reason = "the other build can fail")]
pub(crate) fn arm(_: &Environment) -> Result<(), String> {
    Ok(())
}
