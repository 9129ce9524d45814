//! Cancels and closes: asked first, then ended, then asked again; only the last answer counts.

use std::time::Duration;

use paymux_core::channel::CancelAnswer;
use paymux_core::{ChannelError, OrderRef, WireResponse};
use serde_json::{Value, json};

use crate::rig::{NUMBER, Rig, done, fails_with, in_state, unknown};

/// A rig in which the vectors' order was made `age` ago.
fn aged(answers: Vec<WireResponse>, method: &str, age: Duration) -> (Rig, OrderRef) {
    let rig = Rig::answering(answers);
    let mut order = rig.order_ref(method);
    order.created_at = order.created_at.minus(age);
    (rig, order)
}

async fn ended(
    method: &str,
    answers: Vec<WireResponse>,
) -> (Vec<String>, Result<CancelAnswer, ChannelError>) {
    let (rig, order) = aged(answers, method, Duration::from_mins(2));
    let answer = rig.cancel(&order).await;
    (rig.paths(), answer)
}

fn state(state: i64) -> WireResponse {
    in_state(json!(state))
}

fn accepted() -> WireResponse {
    done(json!({}))
}

/// F32: each kind of order has its own end.
#[tokio::test(start_paused = true)]
async fn a_till_order_is_cancelled_and_any_other_closed() {
    for (method, operation) in
        [("any.barcode", "/cancel"), ("any.native", "/close"), ("wechat.jsapi", "/close")]
    {
        let (rig, order) = aged(vec![state(0), accepted(), state(2)], method, Duration::from_mins(2));
        assert_eq!(rig.cancel(&order).await, Ok(CancelAnswer::Closed), "{method}");
        assert_eq!(rig.paths(), ["/query", operation, "/query"]);
        assert_eq!(
            rig.body(1),
            r#"{"busi_id":"100000000000001","operator_id":"op1","terminal_id":"t1","out_trade_no":"PMX20240301000001"}"#
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_first_question_tells_needs_no_cancel() {
    let (paths, answer) = ended("any.barcode", vec![state(1)]).await;
    assert!(matches!(answer, Ok(CancelAnswer::Paid(_))) && paths == ["/query"]);
    let (paths, answer) = ended("any.barcode", vec![state(14)]).await;
    assert!(answer == Ok(CancelAnswer::Closed) && paths == ["/query"]);
    let (paths, answer) = ended("any.barcode", vec![fails_with("CHARGE_NONEXISTENT")]).await;
    assert!(matches!(answer, Ok(CancelAnswer::Refused(_))) && paths == ["/query"]);
    let (paths, answer) = ended("any.barcode", vec![fails_with("EXCEPTION")]).await;
    unknown(answer);
    assert_eq!(paths, ["/query"], "whoever cannot ask does not cancel");
}

/// F26, F27: success may pass through 3, and no failure and no silence ends an order.
#[tokio::test(start_paused = true)]
async fn only_the_last_answer_ends_an_order() {
    let after = async |word: WireResponse, last: WireResponse| {
        ended("any.barcode", vec![state(0), word, last]).await.1
    };
    for end in [2, 6, 14] {
        for word in [accepted(), fails_with("AREADY_REVOKED"), fails_with("FAIL"), fails_with("EXCEPTION")] {
            assert_eq!(after(word, state(end)).await, Ok(CancelAnswer::Closed), "{end}");
        }
    }
    for word in [accepted(), fails_with("FAIL"), fails_with("订单已成功")] {
        assert!(matches!(after(word, state(1)).await, Ok(CancelAnswer::Paid(_))));
    }
    for open in [0, 3] {
        unknown(after(accepted(), state(open)).await);
        unknown(after(fails_with("AREADY_REVOKED"), state(open)).await);
        unknown(after(fails_with("EXCEPTION"), state(open)).await);
        for no in ["FAIL", "ILLEGAL_PARAMETER", "SERVICE_UNAVAILABLE", "订单已失败"] {
            assert!(matches!(after(fails_with(no), state(open)).await, Ok(CancelAnswer::Refused(_))), "{no}");
        }
    }
    unknown(after(accepted(), fails_with("EXCEPTION")).await);
    unknown(after(accepted(), state(7)).await);
    let of_another: Value = json!({"out_trade_no": "PMX20240301000002"});
    unknown(after(done(of_another), state(0)).await);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_without_an_answer_is_asked_about() {
    let rig = Rig::answering([state(0)]).then_breaks().then_answers(state(2));
    let mut order = rig.order_ref("any.barcode");
    order.created_at = order.created_at.minus(Duration::from_mins(2));
    assert_eq!(rig.cancel(&order).await, Ok(CancelAnswer::Closed));
    let rig = Rig::answering([state(0)]).then_breaks().then_answers(state(0));
    unknown(rig.cancel(&order).await);
}

/// Not before 15 s, and F25: not between 23:00 and 01:00 in China; a close goes at any time.
#[tokio::test(start_paused = true)]
async fn a_cancel_keeps_to_its_age_and_its_hours() {
    let check = async |method: &str, at: &str, age: u64, goes: bool| {
        let rig = Rig::answering([state(0), accepted(), state(2)]).at(&format!("2024-03-01T{at}+08:00"));
        let mut order = rig.order_ref(method);
        order.created_at = order.created_at.minus(Duration::from_secs(age));
        let answer = rig.cancel(&order).await.unwrap();
        if goes {
            assert_eq!(answer, CancelAnswer::Closed, "{method} {at} {age}");
        } else {
            let CancelAnswer::Refused(why) = answer else { panic!("{method} {at} {age}: went") };
            assert!(why.contains("from 2024-"), "{why}");
            assert_eq!(rig.paths(), ["/query"]);
        }
    };
    check("any.barcode", "12:00:00", 14, false).await;
    check("any.barcode", "12:00:00", 15, true).await;
    check("any.barcode", "01:00:59", 3600, false).await;
    check("any.barcode", "01:01:00", 3600, true).await;
    check("any.barcode", "22:58:59", 3600, true).await;
    check("any.barcode", "22:59:00", 3600, false).await;
    check("any.barcode", "00:30:00", 3600, false).await;
    check("any.native", "00:30:00", 0, true).await;
}

#[tokio::test(start_paused = true)]
async fn what_opened_an_order_decides_how_it_ends() {
    let (rig, mut order) = aged(vec![state(0), accepted(), state(6)], "any.barcode", Duration::from_mins(2));
    order.memo = "preOrder QRCODE 0".to_owned();
    assert_eq!(rig.cancel(&order).await, Ok(CancelAnswer::Closed));
    assert_eq!(rig.paths()[1], "/close");
    assert_eq!(rig.fields(1)["out_trade_no"], NUMBER);
}
