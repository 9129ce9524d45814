//! Orders of before: what a client made at a provider itself, and asks for here.

use crate::channel::Can;
use crate::error::PaymentError;
use crate::ids::OrderNo;
use crate::payment::Payment;
use crate::payments::Payments;
use crate::payments::adopt::{Adoption, Left, Wanted};

use super::Call;

impl Payments {
    /// The order of that number in the account where the app made orders before, taken over. Nobody here knows it.
    ///
    /// While that account does not answer, nobody knows whether there is such an order, and so the client is not told
    /// that there is none.
    pub(super) async fn inherited(
        &self,
        call: &Call<'_>,
        number: &OrderNo,
    ) -> Result<Option<Payment>, PaymentError> {
        let front = call.catalog.fronts.of(call.acceptor.slug());
        let entry = front
            .and_then(|front| front.legacy_channel(&call.app))
            .and_then(|channel| call.catalog.channel(channel))
            .filter(|entry| entry.channel.descriptor().can.has(Can::FIND));
        let Some(entry) = entry else { return Ok(None) };
        let cx = self.cx(self.clock().mono(), call.catalog.timing.request);
        let found = match self.guarded(&cx, entry.channel.find(&cx, number.as_str())).await {
            Ok(Some(found)) if found.number == number.as_str() => found,
            Ok(_) => return Ok(None),
            Err(error) => {
                let why = format!("channel `{}` does not say whether it has the order: {error}", entry.id);
                return Err(PaymentError::Overloaded(why));
            }
        };
        match self.adopt(&call.app, &entry.id, &found, Wanted::Any).await? {
            Adoption::New(payment) | Adoption::Known(payment) => {
                let is_its = payment.app == call.app && payment.order_no == *number;
                Ok(Some(*payment).filter(|_| is_its))
            }
            // What it stands for here is another order.
            Adoption::Left(Left::Taken | Left::Number) => Ok(None),
            Adoption::Left(why) => Err(PaymentError::NotAdopted(why.about())),
        }
    }
}
