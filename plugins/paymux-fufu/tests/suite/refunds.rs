//! Money that goes back: one call that is never repeated, and the questions about it.

use paymux_core::channel::OutflowAnswer;
use paymux_core::{Money, WireResponse};
use serde_json::{Value, json};

use crate::rig::{
    NUMBER, REFUND_NO, Rig, baht, done, fails_with, json_response, refusal, refused_with, unknown,
};

fn taken(patch: Value) -> WireResponse {
    let mut data = json!({"out_trade_no": NUMBER, "out_refund_no": REFUND_NO, "refund_no": "R1", "refund_fee": 50,
        "fee_type": "CNY"});
    data.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
    done(data)
}

/// By our number of the order alone, with the reason, in fen as text.
#[tokio::test(start_paused = true)]
async fn the_call_is_as_the_document_has_it() {
    let rig = Rig::answering([taken(json!({}))]);
    rig.refund().await.unwrap();
    assert_eq!(rig.paths(), ["/refund"]);
    assert_eq!(
        rig.body(0),
        r#"{"busi_id":"100000000000001","operator_id":"op1","terminal_id":"t1","refund_fee":"50","refund_subject":"too sweet","out_trade_no":"PMX20240301000001","out_refund_no":"0123456789abcdef0123456789abcdef","fee_type":"CNY"}"#
    );
    let mut refund = rig.refund_order();
    refund.reason = " \n".to_owned();
    rig.channel.refund(&rig.cx(), &refund).await.unwrap_err();
    assert_eq!(rig.fields(1)["refund_subject"], "refund");
}

/// F22: success is acceptance.
#[tokio::test(start_paused = true)]
async fn an_accepted_refund_is_pending() {
    let answer = Rig::answering([taken(json!({}))]).refund().await;
    assert_eq!(answer, Ok(OutflowAnswer::Pending { reference: Some("R1".to_owned()) }));
    for silent in
        [json!({"refund_fee": null, "fee_type": null}), json!({"out_trade_no": null, "out_refund_no": null})]
    {
        assert!(matches!(Rig::answering([taken(silent)]).refund().await, Ok(OutflowAnswer::Pending { .. })));
    }
    for other in [
        json!({"out_trade_no": "PMX20240301000002"}),
        json!({"out_refund_no": "1"}),
        json!({"refund_fee": 51}),
        json!({"fee_type": "THB"}),
    ] {
        unknown(Rig::answering([taken(other)]).refund().await);
    }
}

/// F21: above what the order received, nothing is sent; FuFu's own word for it is a refusal.
#[tokio::test(start_paused = true)]
async fn what_cannot_go_back_is_refused() {
    let rig = Rig::answering([]);
    for amount in [Money::fen(251), Money::fen(0), baht(50)] {
        let mut refund = rig.refund_order();
        refund.amount = amount;
        refusal(rig.channel.refund(&rig.cx(), &refund).await);
    }
    assert!(rig.sent().is_empty());
    for code in
        ["AMT_ERROR", "FAIL", "ILLEGAL_PARAMETER", "INVALID_SIGN", "CHARGE_NONEXISTENT", "AREADY_REVOKED"]
    {
        assert_eq!(refusal(Rig::answering([fails_with(code)]).refund().await).0, code);
    }
    for code in
        ["EXCEPTION", "DATABASE_ERROR", "IO_EXCEPTION", "HTTP_EXCEPTION", "SERVICE_UNAVAILABLE", "余额不足"]
    {
        unknown(Rig::answering([fails_with(code)]).refund().await);
        unknown(Rig::answering([refused_with(code)]).refund().await);
    }
    unknown(Rig::new(json!({})).then_breaks().refund().await);
    for (name, number, is_ours) in [
        ("out_trade_no", NUMBER, true),
        ("out_refund_no", REFUND_NO, true),
        ("out_trade_no", REFUND_NO, false),
        ("out_refund_no", NUMBER, false),
    ] {
        let data = json!({"return_code": "FAIL", "return_msg": "AMT_ERROR", name: number});
        let answer = json_response(&json!({"result": {"return_code": "SUCCESS"}, "data": data}));
        let told = Rig::answering([answer]).refund().await;
        if is_ours {
            assert_eq!(refusal(told).0, "AMT_ERROR");
        } else {
            unknown(told);
        }
    }
}

/// F31: the number in use may be this very refund.
#[tokio::test(start_paused = true)]
async fn a_repeat_is_asked_about() {
    let repeat = || fails_with("SERIAL_REPEAT");
    let rig = Rig::answering([repeat(), status("refunding", json!({}))]);
    assert_eq!(rig.refund().await, Ok(OutflowAnswer::Pending { reference: None }));
    assert_eq!(rig.paths(), ["/refund", "/refundQuery"]);
    let rig = Rig::answering([repeat(), status("succ", json!({"refund_fee": 50}))]);
    assert_eq!(rig.refund().await, Ok(OutflowAnswer::Done { reference: None }));
    unknown(Rig::answering([repeat(), fails_with("CHARGE_NONEXISTENT")]).refund().await);
    unknown(Rig::answering([repeat(), fails_with("EXCEPTION")]).refund().await);
}

fn status(word: &str, patch: Value) -> WireResponse {
    let mut data = json!({"out_trade_no": REFUND_NO, "trade_no": "T1", "trade_status": word});
    data.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
    done(data)
}

/// The number in the question is the refund's. F28: the platform's number there is not looked at.
#[tokio::test(start_paused = true)]
async fn asks_by_the_refunds_own_number() {
    let rig =
        Rig::answering([status("succ", json!({"refund_fee": "50", "gmt_refund_time": "20240301120000"}))]);
    assert_eq!(rig.query_refund().await, Ok(OutflowAnswer::Done { reference: None }));
    assert_eq!(rig.paths(), ["/refundQuery"]);
    assert_eq!(
        rig.body(0),
        r#"{"busi_id":"100000000000001","operator_id":"op1","terminal_id":"t1","out_trade_no":"0123456789abcdef0123456789abcdef"}"#
    );
}

#[tokio::test(start_paused = true)]
async fn three_words_tell_where_a_refund_stands() {
    let of = async |word: &str, patch: Value| Rig::answering([status(word, patch)]).query_refund().await;
    assert_eq!(of("succ", json!({})).await, Ok(OutflowAnswer::Done { reference: None }));
    assert!(matches!(of("fail", json!({})).await, Ok(OutflowAnswer::Failed { .. })));
    assert_eq!(
        of("refunding", json!({"refund_fee": 7})).await,
        Ok(OutflowAnswer::Pending { reference: None })
    );
    for word in ["", "SUCC", "success", "done"] {
        unknown(of(word, json!({})).await);
    }
    unknown(of("succ", json!({"refund_fee": 49})).await);
    unknown(of("succ", json!({"out_trade_no": NUMBER})).await);
    unknown(of("succ", json!({"out_trade_no": null})).await);
    assert_eq!(
        Rig::answering([fails_with("CHARGE_NONEXISTENT")]).query_refund().await,
        Ok(OutflowAnswer::NotFound)
    );
    for code in ["FAIL", "EXCEPTION", "AREADY_REVOKED"] {
        unknown(Rig::answering([fails_with(code)]).query_refund().await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refund_in_another_currency_keeps_its_conversion() {
    let rig = Rig::answering([taken(
        json!({"fee_type": "THB", "exchange_rate": 4.93, "refund_amount_cny": "1014",
        "refund_fee": "5000"}),
    )]);
    let mut refund = rig.refund_order();
    (refund.received, refund.amount) = (baht(10_000), baht(5000));
    let answer = rig.channel.refund(&rig.cx(), &refund).await;
    assert_eq!(rig.fields(0)["fee_type"], "THB");
    assert_eq!(answer, Ok(OutflowAnswer::Pending { reference: Some("R1 = 10.14 CNY at 4.93".to_owned()) }));
}
