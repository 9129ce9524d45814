//! A second look at money that a close may have crossed.

use crate::error::PaymentError;
use crate::ids::AttemptId;
use crate::payment::{Attempt, Payment};

use super::draft::Sight;
use super::probe::can_ask;
use super::{Payments, site};

/// How often a look is stored anew when somebody was faster.
const TRIES: u32 = 5;

impl Payments {
    /// Asks the provider about booked money once the close is over that may have sent it back, and stores
    /// what it says.
    pub(crate) async fn look_back(&self, mut payment: Payment, id: AttemptId) -> Result<(), PaymentError> {
        let seen = payment.attempt(id).and_then(Attempt::crossing);
        let sight = self.sight(&payment, id).await;
        for _ in 0..TRIES {
            let catalog = self.catalog();
            let mut draft = self.draft(&catalog, &payment);
            draft.look_back(id, &sight);
            let is_empty = draft.payment() == &payment;
            if self.commit(draft).await?.is_some() || is_empty {
                return Ok(());
            }
            payment = self.reload(payment.id).await?;
            if payment.attempt(id).and_then(Attempt::crossing) != seen {
                return Ok(());
            }
        }
        Err(PaymentError::InFlight)
    }

    async fn sight(&self, payment: &Payment, id: AttemptId) -> Sight {
        let catalog = self.catalog();
        let Some(attempt) = payment.attempt(id) else { return Sight::NoSite };
        if site(&catalog, payment, attempt).is_some() && !can_ask(&catalog, payment, attempt) {
            return Sight::Blind;
        }
        let at = self.now();
        match self.ask(&catalog, payment, attempt).await {
            Some((happening, facts)) => Sight::Told(at, happening, Box::new(facts)),
            None => Sight::NoSite,
        }
    }
}
