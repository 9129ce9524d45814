//! One call of the provider's protocol: read, counted, perhaps struck by a fault, worked on, answered.

use std::sync::Arc;
use std::time::Duration;

use paymux_core::acceptor::{FrontAnswer, FrontCall, FrontRead, FrontRefusal};
use paymux_core::{Verb, WireRequest, WireResponse};

use crate::books::refunds::RefundEnd;
use crate::books::{OrderKey, Pay};
use crate::dialect::{Seen, SeenRefund};
use crate::engine::Engine;
use crate::faults::{CallFault, FaultEffect};

/// How a request is answered on its connection.
#[derive(Debug)]
pub enum Reply {
    /// In full.
    Whole(WireResponse),
    /// The head says how long the body is; the connection is closed halfway through it.
    Truncated(WireResponse),
    /// The connection is closed without a byte.
    Closed,
}

/// Answers a request that came on one of the protocol's paths, or on none.
pub(crate) async fn answer(engine: Arc<Engine>, request: WireRequest) -> Reply {
    if !is_routed(&engine, &request) {
        engine.stats.lock().called("not_found", None);
        return Reply::Whole(engine.acceptor.not_found(&request));
    }
    let read = engine.acceptor.read(&engine.accounts, &request, engine.now());
    let call = Call { engine, request, read };
    let (operation, number) = call.subject();
    call.engine.stats.lock().called(operation, number);
    let fault = call.engine.faults.lock().draw_call(operation, number, &call.engine.dice);
    tracing::debug!(operation, number, fault = fault.as_ref().map(CallFault::word), "call");
    match fault {
        None => Reply::Whole(call.work()),
        Some(fault) => call.struck(fault).await,
    }
}

struct Call {
    engine: Arc<Engine>,
    request: WireRequest,
    /// What the acceptor read, or its refusal.
    read: Result<FrontRead, WireResponse>,
}

impl Call {
    /// The operation's name and the merchant's number it is about.
    fn subject(&self) -> (&'static str, Option<&str>) {
        let Ok(read) = &self.read else { return ("unread", None) };
        match &read.call {
            FrontCall::Pay(pay) => ("pay", Some(&pay.number)),
            FrontCall::Query { number } => ("query", Some(number)),
            FrontCall::List(filter) => ("list", filter.number.as_deref()),
            FrontCall::Count(filter) => ("count", filter.number.as_deref()),
            FrontCall::Cancel { number } => ("cancel", Some(number)),
            FrontCall::Refund(refund) => ("refund", Some(&refund.number)),
            FrontCall::QueryRefund { number } => ("query_refund", Some(number)),
            FrontCall::ListRefunds(filter) => ("list_refunds", filter.number.as_deref()),
            FrontCall::CountRefunds(filter) => ("count_refunds", filter.number.as_deref()),
            FrontCall::Approve(_) => ("approve", None),
            FrontCall::PayOut(asked) => ("pay_out", asked.items.first().map(|item| item.number.as_str())),
            FrontCall::ListPayouts(filter) => ("list_payouts", filter.number.as_deref()),
            FrontCall::CountPayouts(filter) => ("count_payouts", filter.number.as_deref()),
            FrontCall::Native { .. } => ("native", None),
        }
    }

    /// Lets the call have its effect and writes the answer that it would get.
    fn work(&self) -> WireResponse {
        match &self.read {
            Err(refused) => refused.clone(),
            Ok(read) => match self.misread(read) {
                Some(difference) => self.refuse_misread(&difference),
                None => self.reply(read, &self.engine.perform(read)),
            },
        }
    }

    fn reply(&self, read: &FrontRead, answer: &FrontAnswer) -> WireResponse {
        self.engine.acceptor.answer(read, answer, self.engine.now())
    }

    /// What the bank's own reading of a create or a refund finds other than the acceptor's.
    fn misread(&self, read: &FrontRead) -> Option<String> {
        match &read.call {
            FrontCall::Pay(pay) => {
                let theirs = Seen {
                    number: pay.number.clone(),
                    amount: pay.amount,
                    notify_url: pay.notify_url.clone(),
                };
                difference(self.engine.dialect.witness(&self.request, read), &theirs)
            }
            FrontCall::Refund(refund) => {
                let theirs = SeenRefund {
                    number: refund.number.clone(),
                    order: refund.order.clone(),
                    amount: refund.amount,
                    notify_url: refund.notify_url.clone(),
                };
                difference(self.engine.dialect.witness_refund(&self.request, read), &theirs)
            }
            _ => None,
        }
    }

    fn refuse_misread(&self, difference: &str) -> WireResponse {
        tracing::error!(difference, "a call was read in two ways");
        self.engine.stats.lock().misreadings += 1;
        WireResponse::with_status(500, "text/plain; charset=utf-8", format!("simulator: {difference}"))
    }

    /// The call under a fault.
    async fn struck(self, fault: CallFault) -> Reply {
        self.engine.stats.lock().faulted(fault.word());
        match fault {
            CallFault::Latency { ms } => {
                self.engine.clock.sleep(Duration::from_millis(ms)).await;
                Reply::Whole(self.work())
            }
            CallFault::Hang { ms } => {
                let answer = self.work();
                self.engine.clock.sleep(Duration::from_millis(ms)).await;
                Reply::Whole(answer)
            }
            CallFault::CloseBefore => Reply::Closed,
            CallFault::CloseAfter => {
                self.work();
                Reply::Closed
            }
            CallFault::Http500 { effect } => {
                self.replaced(effect, WireResponse::with_status(500, "text/plain", ""))
            }
            CallFault::Html502 { effect } => {
                self.replaced(effect, WireResponse::with_status(502, "text/html", BAD_GATEWAY))
            }
            CallFault::Malformed => Reply::Whole(malformed(self.work())),
            CallFault::Truncated => Reply::Truncated(self.work()),
            CallFault::Code { code, effect } => {
                let answer = match &self.read {
                    Ok(read) => self.reply(read, &FrontAnswer::Refused(FrontRefusal::Code(code))),
                    Err(refused) => refused.clone(),
                };
                self.replaced(effect, answer)
            }
            CallFault::NeverEnds => {
                let answer = self.work();
                self.outlive();
                Reply::Whole(answer)
            }
            CallFault::PaidBeforeAnswer => self.paid_first().await,
            CallFault::RefundedBeforeAnswer => self.refunded_first().await,
        }
    }

    /// Another answer than the call's own.
    fn replaced(&self, effect: FaultEffect, answer: WireResponse) -> Reply {
        if effect == FaultEffect::Done {
            self.work();
        }
        Reply::Whole(answer)
    }

    /// The order of a create, if the call is one.
    fn order_key(&self) -> Option<OrderKey> {
        match &self.read {
            Ok(FrontRead { account, call: FrontCall::Pay(pay), .. }) => {
                Some(OrderKey { number: pay.number.clone(), account: account.key.clone() })
            }
            _ => None,
        }
    }

    /// The order that was just made does not end by its own time.
    fn outlive(&self) {
        if let Some(key) = self.order_key() {
            self.engine.books.lock().outlive(&key);
        }
    }

    /// The webhook comes before the answer to the create.
    async fn paid_first(&self) -> Reply {
        let answer = self.work();
        if let Some(key) = self.order_key()
            && let Ok(first_try) = self.engine.take_money(&key, Pay::default())
        {
            first_try.over().await;
        }
        Reply::Whole(answer)
    }

    /// The refund is done, and its webhook tried, before the answer to its call.
    async fn refunded_first(&self) -> Reply {
        let answer = self.work();
        if let Ok(FrontRead { account, call: FrontCall::Refund(refund), .. }) = &self.read {
            let key = OrderKey { number: refund.number.clone(), account: account.key.clone() };
            if let Ok(first_try) = self.engine.end_refund(&key, RefundEnd::Done) {
                first_try.over().await;
            }
        }
        Reply::Whole(answer)
    }
}

/// What differs between the bank's own reading and the acceptor's.
fn difference<T: PartialEq + std::fmt::Debug>(own: Result<T, String>, theirs: &T) -> Option<String> {
    match own {
        Ok(own) if own == *theirs => None,
        Ok(own) => Some(format!("the bank reads {own:?}, the acceptor {theirs:?}")),
        Err(wrong) => Some(format!("the acceptor took it, the bank finds: {wrong}")),
    }
}

const BAD_GATEWAY: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n\
    <center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n";

/// The same answer without its last byte: all there but for the closing brace.
fn malformed(mut answer: WireResponse) -> WireResponse {
    answer.body.truncate(answer.body.len().saturating_sub(1));
    answer
}

/// Whether the protocol has that path and verb; one slash at the end is passed over.
fn is_routed(engine: &Engine, request: &WireRequest) -> bool {
    let path = request.path.strip_suffix('/').unwrap_or(&request.path);
    engine.acceptor.routes().iter().any(|route| is_route(route.verb, route.path, request.verb, path))
}

fn is_route(verb: Verb, pattern: &str, asked: Verb, path: &str) -> bool {
    let segments = pattern.split('/').zip(path.split('/'));
    verb == asked
        && pattern.split('/').count() == path.split('/').count()
        && segments.into_iter().all(|(want, got)| want == got || (want.starts_with('{') && !got.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_match_segment_by_segment() {
        check("/2/rest/bill", true);
        check("/2/rest/bill/1", true);
        check("/2/rest/bill/", false);
        check("/2/rest/bill/1/2", false);
        check("/2/rest", false);
        check("/2/rest/bills", false);

        #[track_caller]
        fn check(path: &str, want: bool) {
            let patterns = ["/2/rest/bill", "/2/rest/bill/{id}"];
            let got = patterns.iter().any(|pattern| is_route(Verb::Get, pattern, Verb::Get, path));
            assert_eq!(got, want, "{path}");
            assert!(!patterns.iter().any(|pattern| is_route(Verb::Get, pattern, Verb::Post, path)));
        }
    }

    #[test]
    fn a_malformed_answer_is_no_json() {
        let good = WireResponse::ok("application/json", r#"{"a":{"b":1}}"#);
        assert!(serde_json::from_slice::<serde_json::Value>(&malformed(good).body).is_err());
        assert!(malformed(WireResponse::ok("application/json", "")).body.is_empty());
    }
}
