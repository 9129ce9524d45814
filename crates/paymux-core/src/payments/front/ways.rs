//! Where a payer's browser goes in the end: to the merchant's own addresses, with what a front's protocol adds.

use crate::acceptor::FrontAccount;
use crate::fronts::Front;
use crate::payment::{Payment, Status};
use crate::payments::Payments;

use super::{front_of, order_of};

impl Payments {
    /// The address that the merchant gave for the end, if it gave one; once the payment is paid, with the query that
    /// its front signs.
    pub fn way_on(&self, payment: &Payment) -> Option<String> {
        let url = payment.return_url.as_deref()?;
        let is_paid = payment.status == Status::Succeeded;
        let query = self.in_front(payment, |front, account| {
            let acceptor = front.acceptor();
            let query = || acceptor.return_query(account, &order_of(payment, acceptor.as_ref()));
            is_paid.then(query).flatten()
        });
        let mark = if url.contains('?') { '&' } else { '?' };
        Some(query.map_or_else(|| url.to_owned(), |query| format!("{url}{mark}{query}")))
    }

    /// Where the browser goes once the payment has ended unpaid: by its front's settings, else by the app's.
    pub fn way_out(&self, payment: &Payment) -> Option<String> {
        let of_front = self.in_front(payment, |front, account| front.acceptor().timeout_url(account));
        let of_app = || {
            let catalog = self.catalog();
            let app = catalog.app(&payment.app)?;
            app.timeout_url.as_ref().map(|url| url.as_str().to_owned())
        };
        of_front.or_else(of_app)
    }

    /// What the front of that payment says for its app.
    fn in_front(
        &self,
        payment: &Payment,
        say: impl FnOnce(&Front, &FrontAccount) -> Option<String>,
    ) -> Option<String> {
        let catalog = self.catalog();
        let front = front_of(&catalog, payment)?;
        say(front, front.account(&payment.app)?)
    }
}
