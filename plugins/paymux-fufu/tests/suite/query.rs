//! Questions about orders: the call on the wire, and what each answer means.

use paymux_core::Money;
use paymux_core::channel::{QueryAnswer, Receipt};
use serde_json::{Value, json};

use crate::rig::{NUMBER, Rig, baht, done, fails_with, in_state, json_response, refused_with, unknown};

/// F23: our number always, FuFu's own where it is known, without what was kept beside it.
#[tokio::test(start_paused = true)]
async fn asks_by_our_number_and_by_fufus_where_it_is_known() {
    let rig = Rig::answering([in_state(json!(0)), in_state(json!(0)), in_state(json!(0))]);
    rig.query("any.native").await.unwrap();
    assert_eq!(rig.paths(), ["/query"]);
    assert_eq!(rig.body(0), r#"{"busi_id":"100000000000001","out_trade_no":"PMX20240301000001"}"#);
    let mut order = rig.order_ref("any.native");
    for (reference, want) in
        [("20240301100000000001", "20240301100000000001"), ("T1 = 20.28 CNY at 4.93", "T1")]
    {
        order.reference = Some(reference.to_owned());
        rig.channel.query(&rig.cx(), &order).await.unwrap();
        assert_eq!(rig.fields(rig.sent().len() - 1)["trade_no"], want);
    }
}

/// F27, F29: the fifteen states, as numbers and as text.
#[tokio::test(start_paused = true)]
async fn each_state_says_what_a_payment_is_then() {
    let check = async |states: &[i64], want: &str| {
        for state in states {
            for value in [json!(state), json!(state.to_string())] {
                let got = Rig::answering([in_state(value)]).query("any.native").await;
                let got = match &got {
                    Ok(QueryAnswer::Paid(_)) => "paid",
                    Ok(QueryAnswer::Returned(_)) => "returned",
                    Ok(QueryAnswer::Returning(_)) => "returning",
                    Ok(QueryAnswer::Open) => "open",
                    Ok(QueryAnswer::Closed) => "closed",
                    Ok(QueryAnswer::NotFound) => "absent",
                    Err(_) => "unknown",
                };
                assert_eq!(got, want, "{state}");
            }
        }
    };
    check(&[0, 3], "open").await;
    check(&[1, 4, 9], "paid").await;
    check(&[5], "returned").await;
    check(&[8], "returning").await;
    check(&[2, 6, 14], "closed").await;
    check(&[7, 10, 11, 12, 13, 15, -1, 99], "unknown").await;
    let told = unknown(Rig::answering([in_state(json!(99))]).query("any.native").await);
    assert!(told.contains("not in FuFu's dictionary"), "{told}");
    unknown(Rig::answering([in_state(Value::Null)]).query("any.native").await);
}

/// F24: what is labelled an amount is not compared; the order's own is booked.
#[tokio::test(start_paused = true)]
async fn the_paid_amount_is_ours() {
    let record = json!({"out_trade_no": NUMBER, "trade_no": "T1", "channel_trade_no": "W1", "fee_type": "CNY",
        "refund_fee": 7, "state": 1});
    let answer = Rig::answering([done(record.clone())]).query("any.native").await.unwrap();
    let want = Receipt {
        trade_no: Some("W1".to_owned()),
        reference: Some("T1".to_owned()),
        ..Receipt::of(Money::fen(250))
    };
    assert_eq!(answer, QueryAnswer::Paid(want));
    for (patch, is_ours) in [
        (json!({"total_fee": 250}), true),
        (json!({"total_fee": "250"}), true),
        (json!({"total_fee": 251}), false),
        (json!({"fee_type": "HKD"}), false),
        (json!({"out_trade_no": "PMX20240301000002"}), false),
        (json!({"out_trade_no": null}), false),
    ] {
        let mut record = record.clone();
        record.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
        let answer = Rig::answering([done(record)]).query("any.native").await;
        assert_eq!(answer.is_ok(), is_ours, "{patch}: {answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_paid_order_in_another_currency_keeps_its_conversion() {
    let record = json!({"out_trade_no": NUMBER, "trade_no": "T1", "fee_type": "THB", "exchange_rate": "4.93",
        "trans_amount_cny": 2028, "state": 1});
    let rig = Rig::answering([done(record)]);
    let mut order = rig.order_ref("any.native");
    order.amount = baht(10_000);
    let QueryAnswer::Paid(receipt) = rig.channel.query(&rig.cx(), &order).await.unwrap() else {
        panic!("unpaid")
    };
    assert_eq!(receipt.received, baht(10_000));
    assert_eq!(receipt.reference.as_deref(), Some("T1 = 20.28 CNY at 4.93"));
}

/// F30: absence is told as it is; from when on it counts, the descriptor says.
#[tokio::test(start_paused = true)]
async fn an_unknown_number_is_absent_and_other_failures_answer_nothing() {
    for answer in [fails_with("CHARGE_NONEXISTENT"), refused_with("CHARGE_NONEXISTENT")] {
        assert_eq!(Rig::answering([answer]).query("any.native").await, Ok(QueryAnswer::NotFound));
    }
    assert_eq!(
        Rig::answering([fails_with("AREADY_REVOKED")]).query("any.barcode").await,
        Ok(QueryAnswer::Closed)
    );
    for code in
        ["FAIL", "INVALID_SIGN", "EXCEPTION", "DATABASE_ERROR", "SERIAL_REPEAT", "UNREGISTERED_BUSI", "订单"]
    {
        unknown(Rig::answering([fails_with(code)]).query("any.native").await);
    }
    let of_another = json!({"result": {"return_code": "SUCCESS"}, "data": {"return_code": "FAIL",
        "return_msg": "CHARGE_NONEXISTENT", "out_trade_no": "PMX20240301000002"}});
    unknown(Rig::answering([json_response(&of_another)]).query("any.native").await);
    unknown(Rig::new(json!({})).then_breaks().query("any.native").await);
}
