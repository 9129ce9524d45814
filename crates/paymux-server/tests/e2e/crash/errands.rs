//! What a customer does with a payment that was acknowledged: asks again, pays, cancels, sends money
//! back, has some paid out.

use serde_json::{Value, json};

use crate::http::Answer;

use super::customers::{
    AMOUNT, Acknowledged, AcknowledgedRefund, AcknowledgedTransfer, Basket, Customers, TRIES,
};

/// One in so many payments is asked for again, with the same fields and with others.
const REPEATED_EACH: u64 = 4;
/// One in so many payments that can be closed is canceled instead of paid.
const CANCELED_EACH: u64 = 2;
/// How many of ten that are not canceled are paid.
const PAID_OF_TEN: u64 = 7;
/// One in so many paid payments goes back, in parts that together are more than was paid.
const REFUNDED_EACH: u64 = 3;
const PARTS: [i64; 3] = [700, 900, 1200];
/// After one in so many payments something is paid out, and what becomes of it.
const PAID_OUT_EACH: u64 = 3;
const PAID_OUT: i64 = 300;
const SCRIPTS: [&str; 4] = ["done", "slow", "unknown", "refused"];

impl Customers {
    pub(super) async fn run_errands(&self, basket: &Basket, payment: &Value, dice: &mut fastrand::Rng) {
        if dice.u64(0..REPEATED_EACH) == 0 {
            self.repeat(basket, payment).await;
        }
        if basket.is_closable && dice.u64(0..CANCELED_EACH) == 0 {
            self.cancel(basket, payment).await;
        } else if dice.u64(0..10) < PAID_OF_TEN && self.pay(basket, payment) {
            let goes_back = !basket.is_closable && dice.u64(0..REFUNDED_EACH) == 0;
            if goes_back {
                self.send_back(basket, payment).await;
            }
        }
        if dice.u64(0..PAID_OUT_EACH) == 0 {
            let script = SCRIPTS[dice.usize(0..SCRIPTS.len())];
            self.pay_out(basket, script).await;
        }
    }

    /// The same order is the same payment; with another amount it is refused.
    async fn repeat(&self, basket: &Basket, payment: &Value) {
        let order_no = &basket.order_no;
        let make = |amount| self.make(basket.keyed, "/v1/payments", order_no, basket.body(amount), TRIES);
        if let Some(again) = make(AMOUNT).await
            && (again.status != 200 || again.body["id"] != payment["id"])
        {
            self.fault(format!("{order_no}: asked again, became {}: {}", again.status, again.text));
        }
        if let Some(other) = make(AMOUNT + 1).await
            && other.status != 422
        {
            self.fault(format!("{order_no}: another amount, became {}: {}", other.status, other.text));
        }
    }

    /// Pays what was shown; whether it could be paid.
    fn pay(&self, basket: &Basket, payment: &Value) -> bool {
        let code = payment["next_action"]["qr"].as_str();
        let Some(number) = code.and(payment["provider_order_no"].as_str()) else { return false };
        let paid = self.bank.pay(number);
        if let Err(error) = &paid {
            self.fault(format!("{}: its code was shown but cannot be paid: {error}", basket.order_no));
        }
        paid.is_ok()
    }

    async fn cancel(&self, basket: &Basket, payment: &Value) {
        let path = format!("/v1/payments/{}/cancel", payment["id"].as_str().unwrap());
        let Some(answer) = self.post(&path, "", TRIES).await else { return };
        let order_no = &basket.order_no;
        match (answer.status, answer.body["status"].as_str(), answer.body["code"].as_str()) {
            (200, Some("canceled"), _) => {
                let canceled = Acknowledged::of(&answer.body);
                self.note(|book| book.canceled.insert(order_no.clone(), canceled));
            }
            // Its create is still under way, or the close was not answered: a worker goes on with it.
            (409, _, Some("in_flight")) | (200, Some("failed"), _) => {}
            // A create that nothing was sent of has failed.
            (409, _, Some("not_cancelable")) if payment["next_action"].is_null() => {}
            _ => self.fault(format!("{order_no}: canceling became {}: {}", answer.status, answer.text)),
        }
    }

    /// All parts at once: as many are taken as the payment has money for.
    async fn send_back(&self, basket: &Basket, payment: &Value) {
        let parts = PARTS
            .iter()
            .enumerate()
            .map(|(part, amount)| self.refund(payment, format!("{}-r{part}", basket.order_no), *amount));
        futures_util::future::join_all(parts).await;
    }

    async fn refund(&self, payment: &Value, refund_no: String, amount: i64) {
        let id = payment["id"].as_str().unwrap();
        let body = json!({"refund_no": refund_no, "amount": amount, "reason": "cold"});
        for _ in 0..TRIES {
            let Some(answer) = self.post(&format!("/v1/payments/{id}/refunds"), &body, TRIES).await else {
                continue;
            };
            match (answer.status, answer.body["code"].as_str()) {
                (200 | 201, _) => {
                    let id = answer.body["id"].as_str().unwrap().to_owned();
                    let payment = answer.body["payment"].as_str().unwrap().to_owned();
                    let refund = AcknowledgedRefund { id, payment, amount };
                    self.note(|book| book.refunds.insert(refund_no.clone(), refund));
                    return;
                }
                (422, Some("refund_too_large" | "unsupported")) => return,
                // The money has not been told of yet, or a refund of that number is being sent.
                (409, Some("not_refundable" | "in_flight")) => {
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
                _ => {
                    self.fault(format!("{refund_no}: status {}: {}", answer.status, answer.text));
                    return;
                }
            }
        }
    }

    /// Asks for a transfer until an answer comes, so often, and then once more: that makes no other.
    async fn pay_out(&self, basket: &Basket, script: &str) {
        let transfer_no = format!("{}-t", basket.order_no);
        for _ in 0..TRIES {
            let answer = match self.ask_for_transfer(basket, &transfer_no, script, PAID_OUT).await {
                None => continue,
                Some(answer) if answer.body["code"] == "in_flight" => {
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                    continue;
                }
                Some(answer) => answer,
            };
            let (true, Some(id)) = (matches!(answer.status, 200 | 201), answer.body["id"].as_str()) else {
                return self.fault(format!("{transfer_no}: status {}: {}", answer.status, answer.text));
            };
            let transfer = AcknowledgedTransfer { id: id.to_owned(), amount: PAID_OUT };
            self.note(|book| book.transfers.insert(transfer_no.clone(), transfer));
            return self.repeat_transfer(basket, &transfer_no, script, id).await;
        }
    }

    /// The same transfer is the same; with another amount it is refused.
    async fn repeat_transfer(&self, basket: &Basket, transfer_no: &str, script: &str, id: &str) {
        if let Some(again) = self.ask_for_transfer(basket, transfer_no, script, PAID_OUT).await
            && (again.status, again.body["id"].as_str()) != (200, Some(id))
            && again.body["code"] != "in_flight"
        {
            self.fault(format!("{transfer_no}: asked again, became {}: {}", again.status, again.text));
        }
        if let Some(other) = self.ask_for_transfer(basket, transfer_no, script, PAID_OUT + 1).await
            && other.status != 422
        {
            self.fault(format!("{transfer_no}: another amount, became {}: {}", other.status, other.text));
        }
    }

    async fn ask_for_transfer(
        &self,
        basket: &Basket,
        transfer_no: &str,
        script: &str,
        amount: i64,
    ) -> Option<Answer> {
        let body = json!({"transfer_no": transfer_no, "amount": amount, "currency": "CNY", "product": "wallet",
            "payee": {"account": "ada"}, "channel": "box", "reason": format!("sandbox:{script}")});
        self.make(basket.keyed, "/v1/transfers", transfer_no, body, TRIES).await
    }
}
