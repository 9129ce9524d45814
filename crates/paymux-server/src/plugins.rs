//! The one list of providers: nothing else in this crate names a plugin.

use std::sync::Arc;

use paymux_core::Provider;

/// Every provider that this binary knows, in the order in which lists show them.
pub fn providers() -> Vec<Arc<dyn Provider>> {
    vec![paymux_beecloud::provider()]
}
