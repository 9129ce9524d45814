//! Attempts that a worker must look at, taken under a lease.

use std::time::Duration;

use async_trait::async_trait;
use paymux_core::clock::Timestamp;
use paymux_core::ids::{AttemptId, ChannelId, PaymentId};
use paymux_core::store::DueAttempt;
use sea_orm::ConnectionTrait;

use super::fair::Fair;
use super::{Guard, Work, among, as_json, read};
use crate::fault::Fault;
use crate::rows::Cells;
use crate::script::Sql;

pub(crate) struct TakeAttempts {
    pub(crate) now: Timestamp,
    pub(crate) lease: Duration,
    pub(crate) limit: u32,
    pub(crate) busy: Vec<ChannelId>,
}

/// Attempts that are looked at once more, some of each channel.
const DUE: Fair =
    Fair { table: "attempts", group: "channel", id: "id", at: "check_at", waits: "{x}.check_at IS NOT NULL" };

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
        let backend = db.get_database_backend();
        let mut sql = Sql::new(backend);
        sql.push(&DUE.groups()).push("SELECT d.id, d.payment ").push(&DUE.from(backend, "$2", "$3"));
        sql.push(" ORDER BY d.check_at, d.id LIMIT $2");
        sql.hold(self.now.ms()).hold(i64::from(self.limit)).hold(as_json(&self.busy)?);
        let found = sql.rows(db).await?;
        found.iter().map(Cells::new).map(|mut cells| Ok((cells.parsed()?, cells.parsed()?))).collect()
    }

    async fn take<C: ConnectionTrait>(&self, db: &C, due: &[(AttemptId, PaymentId)]) -> Result<(), Fault> {
        let ids: Vec<AttemptId> = due.iter().map(|(attempt, _)| *attempt).collect();
        let list = as_json(&ids)?;
        let mut sql = Sql::new(db.get_database_backend());
        sql.push("UPDATE attempts SET fence = fence + 1, check_at = ").bind(self.now.plus(self.lease).ms());
        let among = among(db.get_database_backend(), "id", "$2");
        sql.push(" WHERE ").push(&among).hold(list);
        Ok(sql.execute(db).await?)
    }
}
