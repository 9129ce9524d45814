//! Attempts that a worker must look at, taken under a lease.

use std::time::Duration;

use async_trait::async_trait;
use paymux_core::clock::Timestamp;
use paymux_core::ids::{AttemptId, PaymentId};
use paymux_core::store::DueAttempt;
use sea_orm::ConnectionTrait;

use super::{Guard, Work, among, read};
use crate::fault::Fault;
use crate::rows::Cells;
use crate::script::Sql;

pub(crate) struct TakeAttempts {
    pub(crate) now: Timestamp,
    pub(crate) lease: Duration,
    pub(crate) limit: u32,
}

#[async_trait]
impl Work for TakeAttempts {
    type Answer = Vec<DueAttempt>;
    const NAME: &'static str = "take_due_attempts";
    const GUARD: Guard = Guard::Transaction;

    async fn run<C: ConnectionTrait>(&self, db: &C) -> Result<Vec<DueAttempt>, Fault> {
        let due = self.find(db).await?;
        if due.is_empty() {
            return Ok(Vec::new());
        }
        self.take(db, &due).await?;
        let mut ids: Vec<PaymentId> = due.iter().map(|(_, payment)| *payment).collect();
        ids.sort_unstable();
        ids.dedup();
        let payments = read::by_ids(db, &ids).await?;
        let with_payment = |(attempt, id): (AttemptId, PaymentId)| {
            let place = payments.binary_search_by_key(&id, |payment| payment.id).ok();
            let payment = place.and_then(|place| payments.get(place)).cloned();
            payment
                .map(|payment| DueAttempt { payment, attempt })
                .ok_or(Fault::Corrupt("an attempt without a payment"))
        };
        due.into_iter().map(with_payment).collect()
    }
}

impl TakeAttempts {
    async fn find<C: ConnectionTrait>(&self, db: &C) -> Result<Vec<(AttemptId, PaymentId)>, Fault> {
        let mut sql = Sql::new(db.get_database_backend());
        sql.push("SELECT id, payment FROM attempts WHERE check_at IS NOT NULL AND check_at <= ")
            .bind(self.now.ms());
        sql.push(" ORDER BY check_at, id LIMIT ").bind(i64::from(self.limit));
        sql.push(read::for_update(db.get_database_backend()));
        let found = sql.rows(db).await?;
        found.iter().map(Cells::new).map(|mut cells| Ok((cells.parsed()?, cells.parsed()?))).collect()
    }

    async fn take<C: ConnectionTrait>(&self, db: &C, due: &[(AttemptId, PaymentId)]) -> Result<(), Fault> {
        let ids: Vec<AttemptId> = due.iter().map(|(attempt, _)| *attempt).collect();
        let list = serde_json::to_string(&ids).map_err(|_| Fault::Corrupt("ids do not fit into JSON"))?;
        let mut sql = Sql::new(db.get_database_backend());
        sql.push("UPDATE attempts SET fence = fence + 1, check_at = ").bind(self.now.plus(self.lease).ms());
        let among = among(db.get_database_backend(), "id", "$2");
        sql.push(" WHERE ").push(&among).hold(list);
        Ok(sql.execute(db).await?)
    }
}
