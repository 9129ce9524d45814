//! Histories that a random drive may never come by: each leaves a row that a planted fault needs.

use paymux_core::payment::{AttemptState, Status};
use paymux_testkit::channel::QR;

use super::*;

/// How often a route that picks at random is asked before it has begun with one of two channels.
const TRIES: u32 = 64;

impl Drive {
    /// Plays each of them once, beside what random steps make.
    pub(in super::super) async fn rare(&mut self) {
        self.second_sum_goes_back().await;
        self.too_little_is_enough().await;
        self.late_money_waits().await;
        self.duplicate_goes_back().await;
        for outcome in [None, Some(Outcome::Paid), Some(Outcome::ReturnedOutside)] {
            self.close_crosses_money(outcome).await;
        }
    }

    /// A payment is paid twice on one order, the second time under a number that not every database can hold,
    /// and a person gives that sum back by hand.
    async fn second_sum_goes_back(&mut self) {
        let payment = self.open("shop").await;
        let attempt = &payment.attempts[0];
        self.comes_in(attempt, ASKED, "T1").await;
        self.comes_in(attempt, ASKED, "T2\0").await;
        let after = self.resolve(attempt, Outcome::ReturnedOutside).await;
        assert!(after.attempts[0].state == AttemptState::Paid && after.attempts[0].more[0].settled);
    }

    /// Less than was asked waits, and a person lets it do.
    async fn too_little_is_enough(&mut self) {
        let payment = self.open("shop").await;
        self.comes_in(&payment.attempts[0], ASKED - 1, "T1").await;
        let after = self.resolve(&payment.attempts[0], Outcome::AcceptUnderpaid).await;
        assert_eq!((after.status, after.attempts[0].state), (Status::Succeeded, AttemptState::Paid));
    }

    /// Money comes after the end, to an app that looks at it itself.
    async fn late_money_waits(&mut self) {
        let payment = self.open("market").await;
        self.pass(Duration::from_hours(1));
        self.settle().await;
        self.comes_in(&payment.attempts[0], ASKED, "T1").await;
        let after = self.payments.find(&payment.app, payment.id).await.unwrap();
        assert_eq!((after.status, after.attempts[0].state), (Status::Expired, AttemptState::Closed));
        assert!(after.attempts[0].holds_money());
    }

    /// Two attempts of one payment are paid, and a worker gives the second one's money back.
    async fn duplicate_goes_back(&mut self) {
        let payment = self.begun_twice().await;
        self.comes_in(&payment.attempts[1], ASKED, "T1").await;
        self.comes_in(&payment.attempts[0], ASKED, "T2").await;
        self.settle().await;
        let after = self.payments.find(&payment.app, payment.id).await.unwrap();
        assert_eq!(
            (after.attempts[0].state, after.attempts[0].refunded),
            (AttemptState::DuplicatePaid, ASKED)
        );
    }

    /// A close that was called before money was booked turns out to have sent it back; then a person says
    /// what is so, or has not looked yet.
    async fn close_crosses_money(&mut self, outcome: Option<Outcome>) {
        let payment = self.open("shop").await;
        let attempt = &payment.attempts[0];
        let number = attempt.number.to_string();
        let place = CHANNELS.iter().position(|id| *id == attempt.channel.as_str()).unwrap();
        let refused = CancelAnswer::Refused("busy".to_owned());
        self.channels[place].cancels.lock().unwrap().insert(number.clone(), refused);
        self.payments.cancel(payment.app.clone(), payment.id).await.unwrap_err();
        self.comes_in(attempt, ASKED, "T1").await;
        self.channels[place].queries.lock().unwrap().insert(number, Ok(QueryAnswer::Closed));
        self.pass(Duration::from_mins(11));
        self.settle().await;
        let after = self.payments.find(&payment.app, payment.id).await.unwrap();
        assert_eq!((after.status, after.attempts[0].contested), (Status::Succeeded, ASKED));
        if let Some(outcome) = outcome {
            let after = self.resolve(attempt, outcome).await;
            assert_eq!((after.held, after.attempts[0].contested), (None, 0));
        }
    }

    /// A payment whose first channel refused it.
    async fn begun_twice(&mut self) -> Payment {
        for _ in 0..TRIES {
            *self.channels[0].create.lock().unwrap() = Some(Script::Refuse(Blame::Account));
            let payment = self.open("shop").await;
            if payment.attempts.len() == 2 {
                return payment;
            }
        }
        panic!("the route never began with the channel that refuses");
    }

    /// A payment that waits for its payer, unless a channel was told otherwise.
    async fn open(&mut self, id: &str) -> Payment {
        let number = self.name("A");
        let body = json!({"order_no": number, "amount": ASKED, "currency": "CNY",
            "method": QR.to_string(), "subject": "Tea", "expires_in": 1800});
        let request: PaymentRequest = serde_json::from_value(body).unwrap();
        let created = self.payments.create(app(id), NewPayment::check(&request).unwrap()).await;
        let payment = created.unwrap().payment;
        assert_eq!(payment.status, Status::Pending);
        payment
    }

    /// The provider says that so much was paid.
    async fn comes_in(&self, attempt: &Attempt, minor: i64, trade_no: &str) {
        let receipt = Receipt { trade_no: Some(trade_no.to_owned()), ..Receipt::of(Money::fen(minor)) };
        for channel in &self.channels {
            let answer = Ok(QueryAnswer::Paid(receipt.clone()));
            channel.queries.lock().unwrap().insert(attempt.number.to_string(), answer);
        }
        let request = callback(attempt.number.as_str(), Money::fen(minor), trade_no);
        self.payments.take_callback(attempt.channel.clone(), request).await;
    }

    async fn resolve(&self, attempt: &Attempt, outcome: Outcome) -> Payment {
        let by = Operator { id: "root".to_owned(), request_id: "req".to_owned() };
        let amount = (outcome == Outcome::Paid).then_some(ASKED);
        let word = Resolution { outcome, amount, provider_trade_no: None, note: "seen".to_owned() };
        self.payments.resolve_attempt(by, attempt.id, word).await.unwrap()
    }
}
