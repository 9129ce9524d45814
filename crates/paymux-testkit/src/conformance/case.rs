//! One case of the suite: its name and what it does.

use std::pin::Pin;

use super::subject::Subject;

/// What a case found: nothing, or what is wrong.
pub(super) type Verdict = Result<(), String>;
/// A case under way.
pub(super) type Running<'a> = Pin<Box<dyn Future<Output = Verdict> + 'a>>;

/// One case.
pub(super) struct Case {
    /// As `group::name`.
    pub name: &'static str,
    work: Work,
}

enum Work {
    Pure(fn(&dyn Subject) -> Verdict),
    Calls(for<'a> fn(&'a dyn Subject) -> Running<'a>),
}

impl Case {
    /// One that calls nothing asynchronous.
    pub(super) const fn pure(name: &'static str, work: fn(&dyn Subject) -> Verdict) -> Self {
        Self { name, work: Work::Pure(work) }
    }

    /// One that calls the provider.
    pub(super) const fn calls(name: &'static str, work: for<'a> fn(&'a dyn Subject) -> Running<'a>) -> Self {
        Self { name, work: Work::Calls(work) }
    }

    pub(super) fn run<'a>(&self, subject: &'a dyn Subject) -> Running<'a> {
        match self.work {
            Work::Pure(work) => Box::pin(async move { work(subject) }),
            Work::Calls(work) => work(subject),
        }
    }
}
