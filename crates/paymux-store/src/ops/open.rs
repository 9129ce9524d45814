//! A new payment with its first attempt.

use async_trait::async_trait;
use paymux_core::store::{Opened, Opening};
use sea_orm::ConnectionTrait;

use super::attached::Attached;
use super::{Guard, Work, capacity, day_book, read};
use crate::fault::Fault;
use crate::rows::{self, names};
use crate::script::Script;

pub(crate) struct Open(pub(crate) Opening);

#[async_trait]
impl Work for Open {
    type Answer = Opened;
    const NAME: &'static str = "open";
    const GUARD: Guard = Guard::Itself;

    async fn run<C: ConnectionTrait>(&self, db: &C) -> Result<Opened, Fault> {
        if self.script(db)?.run(db).await? {
            return Ok(Opened::New);
        }
        if let Some(stored) = self.stored(db).await? {
            return Ok(stored);
        }
        let moves = &self.0.capacity;
        if !capacity::is_bounded(moves) {
            return Err(Fault::Corrupt("an order number without a payment"));
        }
        capacity::begin(db, moves).await?;
        if self.script(db)?.run(db).await? {
            return Ok(Opened::New);
        }
        Ok(self.stored(db).await?.unwrap_or(Opened::Full))
    }
}

impl Open {
    /// The payment that has the order number.
    async fn stored<C: ConnectionTrait>(&self, db: &C) -> Result<Option<Opened>, Fault> {
        let payment = &self.0.payment;
        let stored = read::by_order(db, &payment.app, &payment.order_no).await?;
        Ok(stored.map(|stored| Opened::Exists(Box::new(stored))))
    }

    fn script<C: ConnectionTrait>(&self, db: &C) -> Result<Script, Fault> {
        let Opening { payment, decision, capacity, postings, incomes } = &self.0;
        let [attempt] = payment.attempts.as_slice() else {
            return Err(Fault::Corrupt("a new payment that has not exactly one attempt"));
        };
        let (p, a) = (rows::payment_values(payment)?, rows::attempt_values(payment, 0, (0, 0))?);
        let d = rows::decision_values(attempt, decision)?;
        let mut script = Script::new(db.get_database_backend());
        // Any conflict, not only that of the order number: an equal opening under way at the same
        // time may be met at its id first.
        let known = " ON CONFLICT DO NOTHING";
        capacity::look(&mut script, capacity);
        script.step_unless(|sql| sql.insert("payments", &names::PAYMENTS, p), known);
        script.step(|sql| sql.insert("attempts", &names::ATTEMPTS, a));
        script.step(|sql| sql.insert("decisions", &names::DECISIONS, d));
        Attached { callback: &None, postings, events: &[], audit: &None }.write(&mut script)?;
        capacity::write(&mut script, capacity);
        // Last, as in a change.
        let backend = db.get_database_backend();
        for income in incomes {
            day_book::add(&mut script, backend, payment.id, income);
        }
        Ok(script)
    }
}
