//! What a refund does to the sums of its attempt: how much is set aside, and how much has gone back.
//!
//! They are only ever moved, never set: another refund may have moved them since they were read.

use paymux_core::ids::AttemptId;
use paymux_core::money::Money;
use paymux_core::payment::Attempt;
use paymux_core::refund::Refund;
use paymux_core::store::RefundWrite;

use crate::fault::Fault;
use crate::script::Sql;

/// By how much both sums of an attempt move: each by -1, 0 or 1 times the refund's amount.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shift<'c> {
    refund: &'c Refund,
    /// Whether the refund is stored: then its amount is the one that was agreed, whatever its writer says.
    is_stored: bool,
    refunding: i64,
    refunded: i64,
}

impl<'c> Shift<'c> {
    pub(crate) fn of(write: &'c RefundWrite) -> Self {
        let (refunding, refunded) = write.shift();
        let is_stored = matches!(write, RefundWrite::Step { .. });
        Self { refund: write.refund(), is_stored, refunding, refunded }
    }

    /// Whose sums.
    pub(crate) fn attempt(&self) -> AttemptId {
        self.refund.attempt
    }

    /// Whether it does anything at all: a refund that only waits longer does not.
    pub(crate) fn moves(&self) -> bool {
        (self.refunding, self.refunded) != (0, 0)
    }

    /// Adds the condition that what the attempt has received, and is not contested, is enough.
    pub(crate) fn fits(&self, sql: &mut Sql) {
        sql.push(" AND received_currency = ").bind(self.refund.amount.currency().code().to_owned());
        sql.push(" AND ");
        self.amount(sql, self.refunding + self.refunded);
        sql.push(" <= received - refunding - refunded - contested");
        self.is_there(sql);
    }

    /// As [`Self::fits`], where the same statement writes what was received and what is contested.
    pub(crate) fn fits_into(&self, sql: &mut Sql, attempt: &Attempt) {
        match attempt.received.filter(|money| money.currency() == self.refund.amount.currency()) {
            Some(received) => {
                let most = received.minor().saturating_sub(attempt.contested);
                sql.push(" AND ");
                self.amount(sql, self.refunding + self.refunded);
                sql.push(" <= ").bind(most).push(" - refunding - refunded");
                self.is_there(sql);
            }
            None => {
                sql.push(" AND 1 = 0");
            }
        }
    }

    /// Adds the condition that neither sum falls below nothing.
    fn is_there(&self, sql: &mut Sql) {
        sql.push(" AND refunding >= ");
        self.amount(sql, -self.refunding);
        sql.push(" AND refunded >= ");
        self.amount(sql, -self.refunded);
    }

    /// Both sums of an attempt that begins together with this refund of its money; `None` where it does
    /// not fit.
    pub(crate) fn on_new(&self, attempt: &Attempt) -> Option<(i64, i64)> {
        let amount = self.refund.amount;
        let received = attempt.received.filter(|money| money.currency() == amount.currency())?;
        let sums = (self.refunding * amount.minor(), self.refunded * amount.minor());
        (!self.is_stored && amount.minor() <= received.minor()).then_some(sums)
    }

    /// Adds it to the columns of an `UPDATE`.
    pub(crate) fn assign(&self, sql: &mut Sql) {
        sql.push("refunding = refunding + ");
        self.amount(sql, self.refunding);
        sql.push(", refunded = refunded + ");
        self.amount(sql, self.refunded);
    }

    /// Adds the whole statement.
    pub(crate) fn update(&self, sql: &mut Sql) {
        sql.push("UPDATE attempts SET ");
        self.assign(sql);
        sql.push(" WHERE id = ").bind(self.refund.attempt.to_string());
    }

    /// Adds so many times the refund's amount.
    fn amount(&self, sql: &mut Sql, times: i64) {
        if self.is_stored {
            sql.bind(times).push(" * (SELECT r.amount FROM refunds r WHERE r.id = ");
            sql.bind(self.refund.id.to_string()).push(")");
        } else {
            sql.bind(times.saturating_mul(self.refund.amount.minor()));
        }
    }
}

/// What the schema would refuse in a refund: said before anything is looked for.
pub(crate) fn check(refund: &Refund) -> Result<(), Fault> {
    if refund.amount.minor() <= 0 || refund.fence < 0 || refund.checks < 0 {
        return Err(Fault::Corrupt("a refund's number that cannot be"));
    }
    Ok(())
}

/// Adds the condition that what an attempt shall have received is enough for what shall be contested of it,
/// and for what is set aside and has gone back, of which its writer need not know.
pub(crate) fn holds(sql: &mut Sql, attempt: &Attempt) {
    let most = attempt.received.map_or(0, Money::minor).saturating_sub(attempt.contested);
    sql.push(" AND refunding + refunded <= ").bind(most);
}

/// Adds the condition that what is set aside and has gone back was in the currency that the attempt shall have
/// received.
pub(crate) fn keeps_currency(sql: &mut Sql, attempt: &Attempt) {
    let code = attempt.received.map(|money| money.currency().code().to_owned());
    sql.push(" AND (refunding + refunded = 0 OR received_currency = ").bind(code).push(")");
}
