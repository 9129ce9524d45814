//! Planted faults: a channel with one of them must fail, by the case that is meant for it; one with none passes.

use std::sync::Arc;
use std::time::Duration;

use paymux_core::acceptor::FrontFact;
use paymux_core::provider::Settings;
use paymux_core::{Method, Money, Product, Provider, Timestamp, Verb, Wallet, WireRequest, WireResponse};
use paymux_testkit::conformance::{self, CallbackKeys, FarSide, Key, Place, Recorded, Signing, Subject};
use serde_json::json;

use crate::bank::{self, ACCOUNT, Bank, KEY, KEY_PREVIOUS, NOTE, SIGN};
use crate::toy::ToyProvider;

/// Lists the faults, each with the case that must find it.
macro_rules! faults {
    ($($fault:ident => $case:literal,)+) => {
        /// One thing that a plugin does wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Fault {
            $($fault,)+
        }

        const FAULTS: &[(Fault, &str)] = &[$((Fault::$fault, $case),)+];
    };
}

faults! {
    SaysUnknownThoughNothingLeft => "call::not_sent",
    SaysNotSentAfterACut => "call::cut",
    ReadsServerErrors => "call::server_error",
    RefusesOnServerErrors => "call::server_error",
    TakesTheUnreadableForGood => "call::unreadable",
    IgnoresTheDeadline => "call::deadline",
    SendsAgain => "call::once",
    RefundsTwice => "call::once",
    FakesAnAbility => "call::absent",
    LogsItsKey => "call::silent",
    ShowsItsKey => "call::silent",
    ShowsTheBody => "call::silent",
    NamesItselfByItsKey => "call::silent",
    ListsAMethodTwice => "descriptor::sound",
    DescriptorDrifts => "descriptor::constant",
    TimerWithoutRange => "descriptor::timers",
    KeepsClosesBackForEver => "cancel_not_before::opens",
    NumbersAllRefundsAlike => "refund_number::unique",
    ChangesTheNumber => "create::number",
    ChangesTheAmount => "create::number",
    ShowsThePayerNothing => "create::opens",
    TakesAnyAmount => "create::range",
    LivesTooLong => "create::life",
    KnowsNoRefusal => "create::refused",
    BlamesTheRequest => "create::refused",
    TakesEveryCodeForARefusal => "create::unlisted",
    SignsWithAnotherKey => "create::signed",
    FindsOpenOrdersClosed => "query::open",
    TrustsTheLedgersAmount => "query::paid",
    FindsTheAbsentPaid => "query::absent",
    QueriesByCreating => "query::reads",
    ClosesWithoutAsking => "cancel::closed",
    ClosesWhatIsPaid => "cancel::paid",
    ClosesTooEarly => "cancel::early",
    ChangesTheRefundsNumber => "refund::number",
    RefundsTheUnpaid => "refund::unpaid",
    FindsTheAbsentRefundFailed => "query_refund::absent",
    ListsEverything => "list::window",
    KnowsEveryOperation => "native::unknown",
    MistakesTheKind => "verify_callback::good",
    ForgetsTheSign => "verify_callback::forged",
    NeedsNoSign => "verify_callback::sign_missing",
    TakesAnyLetterCase => "verify_callback::sign_case",
    BelievesAnotherAccount => "verify_callback::other_account",
    BelievesThePreviousKeyOnly => "verify_callback::previous",
    BelievesTheCurrentKeyOnly => "verify_callback::previous",
    BelievesThePreviousKeyForEver => "verify_callback::previous",
    KeysEventsByTime => "verify_callback::repeated",
    KeysEventsByKind => "verify_callback::repeated",
    ClaimsWhatWasAsked => "verify_callback::wrong_amount",
    BelievesTheUnsigned => "verify_callback::unsigned",
    FitsNothing => "fits::good",
    AcknowledgesWithALineBreak => "acknowledge::exact",
    AcknowledgesTheForged => "acknowledge::exact",
    BelievesAWayBack => "verify_return::signed",
}

/// The toy, with one fault or none.
struct Toy(Option<Fault>);

fn settings() -> Settings {
    json!({"account": ACCOUNT, "key": KEY, "key_previous": KEY_PREVIOUS}).as_object().unwrap().clone()
}

impl Subject for Toy {
    fn provider(&self) -> Arc<dyn Provider> {
        Arc::new(ToyProvider(self.0))
    }

    fn settings(&self) -> Settings {
        settings()
    }

    fn callback_keys(&self) -> CallbackKeys {
        CallbackKeys { current: "key", previous: "key_previous" }
    }

    fn far_side(&self) -> FarSide {
        FarSide::Network(Arc::new(Bank::default()))
    }

    fn methods(&self) -> Vec<Method> {
        vec![Method::new(Wallet::Wechat, Product::Native), Method::new(Wallet::Alipay, Product::Web)]
    }

    fn callback(&self, key: Key, fact: &FrontFact, now: Timestamp) -> WireRequest {
        match fact {
            FrontFact::Paid(order) => bank::callback(key, order, now),
            FrontFact::Refunded(refund) => bank::callback(key, &refund.order, now),
            FrontFact::PaidOut(_) => unreachable!("this bank pays nothing out"),
        }
    }

    fn signing(&self) -> Signing {
        Signing { sign: Place::Header(SIGN), covers: &[Place::Body], leaves_out: &[Place::Header(NOTE)] }
    }

    fn acknowledgement(&self) -> WireResponse {
        WireResponse::ok("text/plain", "OK")
    }

    /// The signs are from Python's `hashlib`.
    fn recorded(&self) -> Vec<Recorded> {
        let body = r#"{"account":"shop-1","number":"PMX20240301000001","asked":1023,"amount":1023,"currency":"CNY","time":1709251200000}"#;
        vec![
            Recorded::Callback {
                what: "callback".to_owned(),
                settings: settings(),
                request: WireRequest::new(Verb::Post, "/notify")
                    .header(SIGN, "9dd8c92188db7b31e5b59eb640c20628")
                    .body("application/json", body),
                number: "PMX20240301000001".to_owned(),
                received: Money::fen(1023),
            },
            Recorded::Create {
                what: "create".to_owned(),
                settings: settings(),
                order: |_| (),
                after: Duration::ZERO,
                place: Place::Json("sign"),
                sign: "bd63bbde5181b73955355c891d001893".to_owned(),
            },
        ]
    }
}

#[tokio::test(start_paused = true)]
async fn a_channel_without_a_fault_passes() {
    conformance::check(&Toy(None)).await;
}

#[tokio::test(start_paused = true)]
async fn each_fault_is_found_by_its_case() {
    for (fault, case) in FAULTS {
        let failures = conformance::run(&Toy(Some(*fault))).await;
        let found = failures.iter().any(|failure| failure.case == *case);
        assert!(found, "{fault:?} is not found by {case}, only by {failures:?}");
    }
}

/// A case that is never needed finds nothing: but for those of what the toy cannot do, each has its fault.
#[test]
fn each_case_has_a_fault_that_it_finds() {
    // Of these the toy has nothing, or nothing to do wrong; the sandbox goes through them.
    let without = [
        "memo::same",
        "refund_not_before::opens",
        "transfer_number::unique",
        "query_refund::known",
        "transfer::number",
        "transfer::range",
        "query_transfer::known",
        "query_transfer::absent",
        "list_refunds::window",
        "verify_callback::recorded",
    ];
    for case in conformance::names() {
        let has_one = FAULTS.iter().any(|(_, found_by)| *found_by == case);
        assert!(has_one != without.contains(&case), "{case}: plant a fault that it finds, once");
    }
}
