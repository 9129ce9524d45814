//! What is written with a change: the callback that caused it, movements of money, events with their
//! deliveries, the operator's line.

use paymux_core::posting::Posting;
use paymux_core::store::{Applied, AuditRow, CallbackRow, CallbackVerdict, Event, StoreError};

use crate::fault::{Constraint, Fault};
use crate::rows::{self, names};
use crate::script::Script;

pub(crate) struct Attached<'c> {
    pub(crate) callback: &'c Option<CallbackRow>,
    pub(crate) postings: &'c [Posting],
    pub(crate) events: &'c [Event],
    pub(crate) audit: &'c Option<AuditRow>,
}

impl Attached<'_> {
    /// Adds its rows, after those that they refer to.
    pub(crate) fn write(&self, script: &mut Script) -> Result<(), Fault> {
        if let Some(callback) = self.callback {
            check_claims(callback)?;
            let values = rows::callback_values(callback, rows::Worth::Evidence)?;
            script.step(|sql| sql.insert("callbacks", &names::CALLBACKS, values));
        }
        for posting in self.postings {
            let values = rows::posting_values(posting);
            script.step(|sql| sql.insert("postings", &names::POSTINGS, values));
        }
        self.events.iter().for_each(|event| add_event(script, event));
        if let Some(audit) = self.audit {
            add_audit(script, audit)?;
        }
        Ok(())
    }
}

/// What was not applied, or has no key, keeps nobody from applying it again.
fn check_claims(callback: &CallbackRow) -> Result<(), Fault> {
    if callback.verdict != CallbackVerdict::Applied || callback.event_key.is_none() {
        return Err(Fault::Corrupt("a change by a callback that claims no event"));
    }
    Ok(())
}

fn add_event(script: &mut Script, event: &Event) {
    script.step(|sql| sql.insert("events", &names::EVENTS, rows::event_values(event)));
    if event.url.is_some() {
        script.step(|sql| sql.insert("deliveries", &names::DELIVERIES, rows::delivery_values(event)));
    }
}

pub(crate) fn add_audit(script: &mut Script, row: &AuditRow) -> Result<(), Fault> {
    let values = rows::audit_values(row)?;
    script.step(|sql| sql.insert("audit", &names::AUDIT, values));
    Ok(())
}

/// What the writer of a change hears when the schema refused a row of it.
pub(crate) fn refused(constraint: Constraint) -> Result<Applied, StoreError> {
    match constraint {
        Constraint::EventKey => Ok(Applied::CallbackKnown),
        // Somebody else made an attempt live, or the writer's view is wrong: it reads again.
        Constraint::Live => Ok(Applied::Stale),
        Constraint::Account | Constraint::Other => Err(Fault::Constraint(constraint).not_written()),
    }
}
