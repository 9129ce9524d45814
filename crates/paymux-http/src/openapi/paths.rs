//! A router that knows what it serves: a path gets in together with its operation, and there is no other way in.

use axum::Router;
use axum::handler::Handler;
use axum::routing::on;

use super::operation::{Access, Operation};

/// Routes, each with its operation.
pub(crate) struct Paths<S> {
    router: Router<S>,
    operations: Vec<Operation>,
}

impl<S: Clone + Send + Sync + 'static> Paths<S> {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self { router: Router::new(), operations: Vec::new() }
    }

    /// With that operation, which this handler carries out.
    pub(crate) fn at<T: 'static>(mut self, operation: &Operation, handler: impl Handler<T, S>) -> Self {
        self.router = self.router.route(operation.path, on(operation.verb.filter(), handler));
        self.operations.push(*operation);
        self
    }

    /// With all of those too.
    pub(crate) fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.operations.extend(other.operations);
        self
    }

    /// Behind a guard, which lets only that kind of caller through. A wider guard around a narrower one leaves it.
    pub(crate) fn behind(mut self, access: Access, guard: impl FnOnce(Router<S>) -> Router<S>) -> Self {
        self.router = guard(self.router);
        for operation in self.operations.iter_mut().filter(|operation| operation.access == Access::Open) {
            operation.access = access;
        }
        self
    }

    /// What it serves.
    pub(crate) fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The router alone.
    pub(crate) fn into_router(self) -> Router<S> {
        self.router
    }
}
