//! A value behind a lock that is never held across a wait.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A value that several tasks change, each in one short step.
#[derive(Debug, Default)]
pub(crate) struct Guarded<T>(Mutex<T>);

impl<T> Guarded<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    /// The value. A task that panicked while it held it left whole entries behind: the steps below
    /// insert and replace, they leave nothing half written.
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
