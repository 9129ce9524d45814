//! A new refund that a merchant asked for.

use async_trait::async_trait;
use paymux_core::refund::Refund;
use paymux_core::store::{RefundOpened, RefundWrite};
use sea_orm::ConnectionTrait;

use super::shift::{self, Shift};
use super::{Guard, Work, outflows};
use crate::fault::Fault;
use crate::rows::{self, names};
use crate::script::Script;

pub(crate) struct OpenRefund(RefundWrite);

impl OpenRefund {
    pub(crate) fn new(refund: Refund) -> Self {
        Self(RefundWrite::Begin(refund))
    }
}

#[async_trait]
impl Work for OpenRefund {
    type Answer = RefundOpened;
    const NAME: &'static str = "open_refund";
    const GUARD: Guard = Guard::Itself;

    async fn run<C: ConnectionTrait>(&self, db: &C) -> Result<RefundOpened, Fault> {
        if self.script(db)?.run(db).await? {
            return Ok(RefundOpened::New);
        }
        let refund = self.0.refund();
        if let Some(no) = &refund.refund_no
            && let Some(stored) = outflows::by_no::<Refund, C>(db, &refund.app, no.as_str()).await?
        {
            return Ok(RefundOpened::Exists(Box::new(stored)));
        }
        // The money is the likely reason. An id or a number that is in use is none that may be hidden.
        if outflows::is_taken::<Refund, C>(db, refund.id.to_string(), &refund.channel, &refund.number).await?
        {
            return Err(Fault::Corrupt("a new refund whose id or number is in use"));
        }
        Ok(RefundOpened::TooLarge)
    }
}

impl OpenRefund {
    /// The attempt's row is what everybody who wants its money waits for; the payment's is not touched.
    fn script<C: ConnectionTrait>(&self, db: &C) -> Result<Script, Fault> {
        let refund = self.0.refund();
        shift::check(refund)?;
        let shift = Shift::of(&self.0);
        let values = rows::refund_values(refund)?;
        let mut script = Script::new(db.get_database_backend());
        script.must_see(|sql| {
            sql.push("FROM attempts WHERE id = ").bind(refund.attempt.to_string());
            sql.push(" AND payment = ").bind(refund.payment.to_string()).push(" AND state = 'paid'");
            // No close has sent it back, as a look has shown: no clock does.
            sql.push(" AND contested = 0 AND closing_until IS NULL");
            shift.fits(sql);
        });
        // Any conflict, not only that of the refund number: an equal request under way at the same time
        // may be met at its id first.
        let known = " ON CONFLICT DO NOTHING";
        script.step_unless(|sql| sql.insert("refunds", &names::REFUNDS, values), known);
        script.step(|sql| shift.update(sql));
        Ok(script)
    }
}
