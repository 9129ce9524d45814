//! A change of one payment, if nobody was faster.

use async_trait::async_trait;
use paymux_core::payment::Attempt;
use paymux_core::store::{Applied, Change, RefundWrite, StoreError, Touched};
use sea_orm::ConnectionTrait;

use super::attached::{self, Attached};
use super::shift::{self, Shift};
use super::{Guard, Work, capacity, day_book};
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
        if self.script(db)?.run(db).await? {
            return Ok(Applied::Done);
        }
        let moves = &self.0.capacity;
        if !capacity::is_bounded(moves) {
            return Ok(Applied::Stale);
        }
        capacity::begin(db, moves).await?;
        if self.script(db)?.run(db).await? {
            return Ok(Applied::Done);
        }
        Ok(if capacity::has_room(db, moves).await? { Applied::Stale } else { Applied::Full })
    }

    fn refused(&self, constraint: Constraint) -> Result<Applied, StoreError> {
        attached::refused(constraint)
    }
}

impl Apply {
    fn script<C: ConnectionTrait>(&self, db: &C) -> Result<Script, Fault> {
        let change = &self.0;
        if change.seen_version.checked_add(1) != Some(change.payment.version) {
            return Err(Fault::Corrupt("a change whose version does not follow the one it saw"));
        }
        self.check_refund()?;
        let shift = change.refund.as_ref().map(Shift::of).filter(Shift::moves);
        let mut script = Script::new(db.get_database_backend());
        self.look(&mut script, shift.as_ref())?;
        self.write_payment(&mut script)?;
        self.write_attempts(&mut script, shift.as_ref())?;
        self.add_attempt(&mut script, shift.as_ref())?;
        self.write_refund(&mut script)?;
        let Change { callback, postings, events, audit, .. } = change;
        Attached { callback, postings, events, audit }.write(&mut script)?;
        capacity::write(&mut script, &change.capacity);
        // Last, since a row of a channel's day is what most writers would wait for.
        let backend = db.get_database_backend();
        change
            .incomes
            .iter()
            .for_each(|income| day_book::add(&mut script, backend, change.payment.id, income));
        Ok(script)
    }

    fn check_refund(&self) -> Result<(), Fault> {
        let Some(refund) = self.0.refund.as_ref().map(RefundWrite::refund) else { return Ok(()) };
        let payment = &self.0.payment;
        if refund.payment != payment.id || payment.attempt(refund.attempt).is_none() {
            return Err(Fault::Corrupt("a refund of another payment"));
        }
        shift::check(refund)
    }

    /// The payment first, then its attempts, then a refund, then channels' limits: who locks in one order never waits
    /// in a circle.
    fn look(&self, script: &mut Script, shift: Option<&Shift<'_>>) -> Result<(), Fault> {
        let Change { payment, seen_version, touched, refund, .. } = &self.0;
        let id = payment.id.to_string();
        script.must_see(|sql| {
            sql.push("FROM payments WHERE id = ")
                .bind(id.clone())
                .push(" AND version = ")
                .bind(*seen_version);
        });
        for seen in touched {
            let attempt = self.attempt(seen)?;
            script.must_see(|sql| {
                look_at_attempt(sql, seen, &id);
                shift::keeps_currency(sql, attempt);
                match shift.filter(|shift| shift.attempt() == seen.id) {
                    Some(shift) => shift.fits_into(sql, attempt),
                    None => shift::holds(sql, attempt),
                }
            });
        }
        if let Some(shift) = self.apart(shift) {
            script.must_see(|sql| {
                sql.push("FROM attempts WHERE id = ").bind(shift.attempt().to_string());
                sql.push(" AND payment = ").bind(id.clone());
                shift.fits(sql);
            });
        }
        if self.on_added(shift).is_some_and(|(shift, attempt)| shift.on_new(attempt).is_none()) {
            script.must_see(|sql| {
                sql.push("FROM payments WHERE 1 = 0");
            });
        }
        if let Some(write @ RefundWrite::Step { .. }) = refund {
            script.must_see(|sql| look_at_refund(sql, write, &id));
        }
        capacity::look(script, &self.0.capacity);
        Ok(())
    }

    /// The shift, where it is of an attempt that nothing else writes.
    fn apart<'s>(&self, shift: Option<&'s Shift<'s>>) -> Option<&'s Shift<'s>> {
        let is_written = |id| {
            let added = self.0.added.as_ref().is_some_and(|(added, _)| *added == id);
            added || self.0.touched.iter().any(|seen| seen.id == id)
        };
        shift.filter(|shift| !is_written(shift.attempt()))
    }

    /// The shift, where it is of the new attempt.
    fn on_added<'s>(&self, shift: Option<&'s Shift<'s>>) -> Option<(&'s Shift<'s>, &Attempt)> {
        let (id, _) = self.0.added.as_ref()?;
        let shift = shift.filter(|shift| shift.attempt() == *id)?;
        Some((shift, self.0.payment.attempt(*id)?))
    }

    fn write_payment(&self, script: &mut Script) -> Result<(), Fault> {
        let payment = &self.0.payment;
        let values = rows::payment_changes(payment)?;
        script.step(|sql| sql.update("payments", values, payment.id.to_string()));
        Ok(())
    }

    /// Attempts that end come first, so that at no moment two are live. Each is written once: its part
    /// in a refund with all else, since PostgreSQL writes a row once a statement.
    fn write_attempts(&self, script: &mut Script, shift: Option<&Shift<'_>>) -> Result<(), Fault> {
        let mut touched =
            self.0.touched.iter().map(|seen| self.attempt(seen)).collect::<Result<Vec<_>, _>>()?;
        touched.sort_by_key(|attempt| attempt.state.is_live());
        for attempt in touched {
            let values = rows::attempt_changes(attempt)?;
            script.step(|sql| {
                sql.push("UPDATE attempts SET ").assign(values);
                if let Some(shift) = shift.filter(|shift| shift.attempt() == attempt.id) {
                    sql.push(", ");
                    shift.assign(sql);
                }
                sql.push(" WHERE id = ").bind(attempt.id.to_string());
            });
        }
        if let Some(shift) = self.apart(shift) {
            script.step(|sql| shift.update(sql));
        }
        Ok(())
    }

    fn attempt(&self, seen: &Touched) -> Result<&Attempt, Fault> {
        self.0.payment.attempt(seen.id).ok_or(Fault::Corrupt("a change of an attempt that is not there"))
    }

    fn write_refund(&self, script: &mut Script) -> Result<(), Fault> {
        match &self.0.refund {
            None => {}
            Some(RefundWrite::Begin(refund)) => {
                let values = rows::refund_values(refund)?;
                script.step(|sql| sql.insert("refunds", &names::REFUNDS, values));
            }
            Some(RefundWrite::Step { refund, seen_state, .. }) => {
                let values = rows::refund_changes(refund, *seen_state)?;
                script.step(|sql| sql.update("refunds", values, refund.id.to_string()));
            }
        }
        Ok(())
    }

    fn add_attempt(&self, script: &mut Script, shift: Option<&Shift<'_>>) -> Result<(), Fault> {
        let Some((id, decision)) = &self.0.added else { return Ok(()) };
        let payment = &self.0.payment;
        let place = payment.attempts.iter().position(|attempt| attempt.id == *id);
        let place = place.ok_or(Fault::Corrupt("a new attempt that is not there"))?;
        let sums = self.on_added(shift).and_then(|(shift, attempt)| shift.on_new(attempt));
        let values = rows::attempt_values(payment, place, sums.unwrap_or((0, 0)))?;
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

/// As its writer saw it, and of the attempt whose sums are moved.
fn look_at_refund(sql: &mut Sql, write: &RefundWrite, payment: &str) {
    let RefundWrite::Step { refund, seen_state, seen_fence } = write else { return };
    sql.push("FROM refunds WHERE id = ").bind(refund.id.to_string());
    sql.push(" AND payment = ").bind(payment.to_owned());
    sql.push(" AND attempt = ").bind(refund.attempt.to_string());
    sql.push(" AND state = ").bind(seen_state.word().to_owned());
    sql.push(" AND fence = ").bind(*seen_fence);
}
