//! Payments and their attempts: opened, found, taken by workers. How they change is in
//! [`super::apply`].

use std::time::Duration;

use async_trait::async_trait;
use paymux_core::clock::Timestamp;
use paymux_core::ids::{AppId, AttemptId, ChannelId, OrderNo, PaymentId};
use paymux_core::payment::{Attempt, Payment};
use paymux_core::secret::Secret;
use paymux_core::store::{
    Applied, CallbackRow, Change, Claim, Claimed, DueAttempt, KeptDecision, Opened, Opening, PaymentFilter,
    PaymentLedger, Ring, StoreError,
};

use super::apply::keeps_its_bound;
use super::day_book::check_income;
use super::plain::{plain_claim, plain_payment};
use super::{Books, Home, MemoryStore, corrupt, places};

#[async_trait]
impl PaymentLedger for MemoryStore {
    async fn open(&self, opening: Opening) -> Result<Opened, StoreError> {
        self.troubled(|books| books.open(opening)).await
    }

    async fn apply(&self, change: Change) -> Result<Applied, StoreError> {
        self.troubled(|books| books.apply(change)).await
    }

    async fn payment(&self, id: PaymentId) -> Result<Option<Payment>, StoreError> {
        Ok(self.books()?.payments.get(&id).cloned())
    }

    async fn payment_by_order(&self, app: &AppId, order_no: &OrderNo) -> Result<Option<Payment>, StoreError> {
        let books = self.books()?;
        let id = books.orders.get(&(app.clone(), order_no.clone()));
        Ok(id.and_then(|id| books.payments.get(id)).cloned())
    }

    async fn payment_by_number(
        &self,
        channel: &ChannelId,
        number: &str,
    ) -> Result<Option<Payment>, StoreError> {
        let books = self.books()?;
        let id = books.numbers.get(&(channel.clone(), number.to_owned()));
        Ok(id.and_then(|id| books.payment_of(*id)).cloned())
    }

    async fn payment_by_attempt(&self, id: AttemptId) -> Result<Option<Payment>, StoreError> {
        Ok(self.books()?.payment_of(id).cloned())
    }

    async fn payments(&self, filter: &PaymentFilter) -> Result<Vec<Payment>, StoreError> {
        Ok(self.books()?.list(filter))
    }

    async fn keep_callback(&self, row: CallbackRow, ring: Ring) -> Result<(), StoreError> {
        self.books()?.keep_callback(row, ring)
    }

    async fn take_due_attempts(
        &self,
        now: Timestamp,
        lease: Duration,
        limit: u32,
        busy: &[ChannelId],
    ) -> Result<Vec<DueAttempt>, StoreError> {
        Ok(self.books()?.take_due_attempts(now, lease, limit, busy))
    }

    async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError> {
        Ok(self.books()?.claim(claim))
    }

    async fn digest_key(&self) -> Result<Secret, StoreError> {
        Ok(Secret::new(format!("{:064}", self.books()?.digest_key)))
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.books().map(drop)
    }
}

fn matches(payment: &Payment, filter: &PaymentFilter) -> bool {
    filter.order_no.as_ref().is_none_or(|order_no| payment.order_no == *order_no)
        && filter.status.is_none_or(|status| payment.status == status)
        && filter.from.is_none_or(|from| payment.created_at >= from)
        && filter.to.is_none_or(|to| payment.created_at < to)
        && filter.after.is_none_or(|after| payment.id < after)
}

impl Books {
    fn open(&mut self, opening: Opening) -> Result<Opened, StoreError> {
        let Opening { mut payment, decision, capacity, postings, incomes } = opening;
        incomes.iter().try_for_each(check_income)?;
        plain_payment(&mut payment);
        check_numbers(&payment)?;
        let [attempt] = payment.attempts.as_mut_slice() else {
            return corrupt("a new payment that has not exactly one attempt");
        };
        begin(attempt);
        if !keeps_its_bound(attempt) {
            return corrupt("more is contested than came in");
        }
        let attempt = attempt.clone();
        let order = (payment.app.clone(), payment.order_no.clone());
        if let Some(stored) = self.orders.get(&order).and_then(|id| self.payments.get(id)) {
            return Ok(Opened::Exists(Box::new(stored.clone())));
        }
        if self.payments.contains_key(&payment.id) {
            return corrupt("an id is in use");
        }
        self.check_new(&attempt)?;
        if !self.has_room(&capacity) {
            return Ok(Opened::Full);
        }
        self.check_postings(&postings)?;
        self.use_capacity(&capacity);
        self.add(payment.id, &attempt, decision);
        self.post(postings);
        for income in incomes {
            self.add_income(income);
        }
        self.orders.insert(order, payment.id);
        self.of_app.entry(payment.app.clone()).or_default().insert(payment.id);
        self.put(payment);
        Ok(Opened::New)
    }

    /// Whether nothing that must be an attempt's own is in use.
    pub(super) fn check_new(&self, attempt: &Attempt) -> Result<(), StoreError> {
        let number = (attempt.channel.clone(), attempt.number.as_str().to_owned());
        if self.attempts.contains_key(&attempt.id) || self.numbers.contains_key(&number) {
            return corrupt("an attempt's id or number is in use");
        }
        Ok(())
    }

    /// Notes by what a new attempt is found.
    pub(super) fn add(&mut self, payment: PaymentId, attempt: &Attempt, decision: KeptDecision) {
        self.attempts.insert(attempt.id, Home { payment, decision });
        self.numbers.insert((attempt.channel.clone(), attempt.number.as_str().to_owned()), attempt.id);
    }

    /// Writes a payment, new or changed.
    pub(super) fn put(&mut self, payment: Payment) {
        let before = self.payments.get(&payment.id);
        for attempt in &payment.attempts {
            let from = before.and_then(|before| before.attempt(attempt.id)).and_then(|a| a.check_at);
            self.due_attempts.moves(attempt.id, from, attempt.check_at);
        }
        self.payments.insert(payment.id, payment);
    }

    fn payment_of(&self, attempt: AttemptId) -> Option<&Payment> {
        self.attempts.get(&attempt).and_then(|home| self.payments.get(&home.payment))
    }

    fn list(&self, filter: &PaymentFilter) -> Vec<Payment> {
        let of_app = self.of_app.get(&filter.app).into_iter().flatten().rev();
        let payments = of_app.filter_map(|id| self.payments.get(id));
        payments.filter(|payment| matches(payment, filter)).take(places(filter.limit)).cloned().collect()
    }

    fn take_due_attempts(
        &mut self,
        now: Timestamp,
        lease: Duration,
        limit: u32,
        busy: &[ChannelId],
    ) -> Vec<DueAttempt> {
        let is_free = |id: &AttemptId| {
            let attempt = self.payment_of(*id).and_then(|payment| payment.attempt(*id));
            attempt.is_some_and(|attempt| !busy.contains(&attempt.channel))
        };
        let due: Vec<_> = self.due_attempts.by(now).filter(is_free).take(places(limit)).collect();
        for id in &due {
            let Some(mut payment) = self.payment_of(*id).cloned() else { continue };
            if let Some(attempt) = payment.attempts.iter_mut().find(|attempt| attempt.id == *id) {
                attempt.fence += 1;
                attempt.check_at = Some(now.plus(lease));
            }
            self.put(payment);
        }
        let with_payment = |attempt| {
            self.payment_of(attempt).map(|payment| DueAttempt { payment: payment.clone(), attempt })
        };
        due.into_iter().filter_map(with_payment).collect()
    }

    fn claim(&mut self, mut claim: Claim) -> Claimed {
        plain_claim(&mut claim);
        let key = (claim.scope.clone(), claim.key.clone());
        match self.claims.get(&key).filter(|stored| stored.until > claim.at) {
            Some(stored) if stored.digest == claim.digest => Claimed::Same,
            Some(_) => Claimed::Other,
            None => {
                self.claims.insert(key, claim);
                Claimed::New
            }
        }
    }
}

/// Of a new attempt's money nothing is set aside, whatever its writer says.
pub(super) fn begin(attempt: &mut Attempt) {
    attempt.refunding = 0;
    attempt.refunded = 0;
}

/// What the schema of a database checks. The amounts of one payment share its currency, which is
/// written once.
pub(super) fn check_numbers(payment: &Payment) -> Result<(), StoreError> {
    let others = [payment.amount_received, payment.amount_discount, payment.amount_refunded];
    if others.iter().any(|other| other.currency() != payment.amount.currency()) {
        return corrupt("the amounts of one payment are in two currencies");
    }
    if payment.amount.minor() <= 0 || others.iter().any(|other| other.minor() < 0) {
        return corrupt("an amount that cannot be");
    }
    if payment.version < 0 || payment.events < 0 {
        return corrupt("a count below zero");
    }
    payment.attempts.iter().try_for_each(check_attempt)
}

fn check_attempt(attempt: &Attempt) -> Result<(), StoreError> {
    let is_negative = attempt.received.is_some_and(|received| received.minor() < 0);
    if is_negative || attempt.fence < 0 || attempt.checks < 0 || attempt.contested < 0 {
        return corrupt("an attempt's number below zero");
    }
    Ok(())
}
