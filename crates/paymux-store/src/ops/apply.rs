//! A change of one payment, if nobody was faster.

use async_trait::async_trait;
use paymux_core::payment::Attempt;
use paymux_core::store::{Applied, Change, Event, StoreError, Touched};
use sea_orm::ConnectionTrait;

use super::{Guard, Work};
use crate::fault::{Constraint, Fault};
use crate::rows::{self, names};
use crate::script::{Script, Sql};

pub(crate) struct Apply(pub(crate) Change);

#[async_trait]
impl Work for Apply {
    type Answer = Applied;
    const NAME: &'static str = "apply";
    const GUARD: Guard = Guard::Itself;

    async fn run<C: ConnectionTrait>(&self, db: &C) -> Result<Applied, Fault> {
        let done = self.script(db)?.run(db).await?;
        Ok(if done { Applied::Done } else { Applied::Stale })
    }

    fn refused(&self, constraint: Constraint) -> Result<Applied, StoreError> {
        match constraint {
            Constraint::EventKey => Ok(Applied::CallbackKnown),
            // Somebody else made an attempt live, or the writer's view is wrong: it reads again.
            Constraint::Live => Ok(Applied::Stale),
            Constraint::Other => Err(Fault::Constraint(constraint).not_written()),
        }
    }
}

impl Apply {
    fn script<C: ConnectionTrait>(&self, db: &C) -> Result<Script, Fault> {
        let change = &self.0;
        if change.seen_version.checked_add(1) != Some(change.payment.version) {
            return Err(Fault::Corrupt("a change whose version does not follow the one it saw"));
        }
        let mut script = Script::new(db.get_database_backend());
        self.look(&mut script);
        self.write_payment(&mut script)?;
        self.write_attempts(&mut script)?;
        self.add_attempt(&mut script)?;
        if let Some(callback) = &change.callback {
            let values = rows::callback_values(callback)?;
            script.step(|sql| sql.insert("callbacks", &names::CALLBACKS, values));
        }
        change.events.iter().for_each(|event| add_event(&mut script, event));
        Ok(script)
    }

    /// The payment first, then its attempts: who locks in one order never waits in a circle.
    fn look(&self, script: &mut Script) {
        let Change { payment, seen_version, touched, .. } = &self.0;
        let id = payment.id.to_string();
        script.must_see(|sql| {
            sql.push("FROM payments WHERE id = ")
                .bind(id.clone())
                .push(" AND version = ")
                .bind(*seen_version);
        });
        for seen in touched {
            script.must_see(|sql| look_at_attempt(sql, seen, &id));
        }
    }

    fn write_payment(&self, script: &mut Script) -> Result<(), Fault> {
        let payment = &self.0.payment;
        let values = rows::payment_changes(payment)?;
        script.step(|sql| sql.update("payments", values, payment.id.to_string()));
        Ok(())
    }

    /// Attempts that end come first, so that at no moment two are live.
    fn write_attempts(&self, script: &mut Script) -> Result<(), Fault> {
        let mut touched =
            self.0.touched.iter().map(|seen| self.attempt(seen)).collect::<Result<Vec<_>, _>>()?;
        touched.sort_by_key(|attempt| attempt.state.is_live());
        for attempt in touched {
            let values = rows::attempt_changes(attempt)?;
            script.step(|sql| sql.update("attempts", values, attempt.id.to_string()));
        }
        Ok(())
    }

    fn attempt(&self, seen: &Touched) -> Result<&Attempt, Fault> {
        self.0.payment.attempt(seen.id).ok_or(Fault::Corrupt("a change of an attempt that is not there"))
    }

    fn add_attempt(&self, script: &mut Script) -> Result<(), Fault> {
        let Some((id, decision)) = &self.0.added else { return Ok(()) };
        let payment = &self.0.payment;
        let place = payment.attempts.iter().position(|attempt| attempt.id == *id);
        let place = place.ok_or(Fault::Corrupt("a new attempt that is not there"))?;
        let values = rows::attempt_values(payment, place)?;
        script.step(|sql| sql.insert("attempts", &names::ATTEMPTS, values));
        let values = rows::decision_values(&payment.attempts[place], decision)?;
        script.step(|sql| sql.insert("decisions", &names::DECISIONS, values));
        Ok(())
    }
}

fn look_at_attempt(sql: &mut Sql, seen: &Touched, payment: &str) {
    sql.push("FROM attempts WHERE id = ").bind(seen.id.to_string());
    sql.push(" AND payment = ").bind(payment.to_owned());
    sql.push(" AND state = ").bind(seen.seen_state.word().to_owned());
    sql.push(" AND fence = ").bind(seen.seen_fence);
}

fn add_event(script: &mut Script, event: &Event) {
    script.step(|sql| sql.insert("events", &names::EVENTS, rows::event_values(event)));
    if event.url.is_some() {
        script.step(|sql| sql.insert("deliveries", &names::DELIVERIES, rows::delivery_values(event)));
    }
}
