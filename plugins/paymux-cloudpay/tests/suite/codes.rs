//! Status codes: what each does to a create, to failover and to the channel's health.

use paymux_core::ChannelError;
use paymux_core::WireResponse;
use paymux_core::channel::{Blame, Effect};
use serde_json::json;

use crate::rig::{Rig, reply};

async fn answered(answer: WireResponse) -> ChannelError {
    let rig = Rig::new(json!({})).answers(answer);
    rig.create(&rig.order("alipay.web")).await.unwrap_err()
}

/// `Request`: no other channel is tried. `Account`: another one may, and this one counts as well. `Provider`: another
/// one may, and the breaker of this one hears of it.
#[tokio::test(start_paused = true)]
async fn every_code_has_its_class() {
    use Blame::{Account, Provider, Request};
    for (code, blame) in [
        (101, Request),
        (102, Account),
        (103, Account),
        (104, Account),
        (105, Request),
        (106, Request),
        (107, Provider),
        (108, Account),
        (109, Account),
        (110, Provider),
        (201, Request),
        (202, Request),
        (203, Provider),
        (204, Provider),
        (205, Provider),
        (206, Provider),
        (207, Provider),
        (208, Provider),
        (209, Account),
    ] {
        let error = answered(reply(code, json!([]))).await;
        let ChannelError::Refused(refusal) = &error else { panic!("{code}: {error:?}") };
        assert_eq!((refusal.code.as_str(), refusal.blame), (code.to_string().as_str(), blame));
        assert_eq!(error.effect(), Effect::Nothing);
        assert_eq!(blame.lets_another_try(), blame != Request);
    }
}

#[tokio::test(start_paused = true)]
async fn codes_199_and_those_not_listed_leave_the_outcome_unknown() {
    for code in [199, 0, 1, -1, 99, 111, 200, 210, 300, 500, 1001, i64::MAX] {
        let error = answered(reply(code, json!([]))).await;
        assert!(
            matches!(&error, ChannelError::Unknown(what) if what.contains(&code.to_string())),
            "{code}: {error:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_read_whatever_its_data_is() {
    for data in ["null", "[]", "{}", "\"\"", "0", "[{}]", "{\"pay_url\":\"https://x\"}"] {
        let body = format!(r#"{{"code":204,"msg":"无可用支付方式","time":"1709251201","data":{data}}}"#);
        let error = answered(WireResponse::ok("application/json", body)).await;
        assert!(
            matches!(&error, ChannelError::Refused(refusal) if refusal.code == "204"),
            "{data}: {error:?}"
        );
    }
    let without = answered(WireResponse::ok("application/json", r#"{"code":"204"}"#)).await;
    assert!(matches!(&without, ChannelError::Refused(refusal) if refusal.code == "204"), "{without:?}");
}

/// 103 stands for an expired key and for a missing sign: the gateway's words are repeated, and decide nothing.
#[tokio::test(start_paused = true)]
async fn code_103_is_about_the_account_and_its_text_is_told() {
    for msg in ["秘钥已过期", "签名必须", ""] {
        let body = json!({"code": 103, "msg": msg, "data": []}).to_string();
        let ChannelError::Refused(refusal) = answered(WireResponse::ok("application/json", body)).await
        else {
            panic!("{msg}")
        };
        assert_eq!((refusal.code.as_str(), refusal.blame), ("103", Blame::Account));
        assert!(refusal.message.contains(msg), "{refusal:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_answer_of_the_protocol_leaves_the_outcome_unknown() {
    for (status, body) in [
        (500, r#"{"code":204}"#),
        (404, r#"{"code":101}"#),
        (403, r#"{"code":104}"#),
        (302, ""),
        (204, ""),
        (200, ""),
        (200, "<html>502 Bad Gateway</html>"),
        (200, r#"{"code":100,"data":{"pay_url":"https://pay.example.test/p",}}"#),
        (200, r#"{"code":204"#),
        (200, r"[204]"),
        (200, r#"{"code":null}"#),
        (200, r#"{"code":204.0}"#),
        (200, r#"{"msg":"无可用支付方式"}"#),
    ] {
        let error = answered(WireResponse::with_status(status, "application/json", body)).await;
        assert!(matches!(error, ChannelError::Unknown(_)), "{status} {body}: {error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_key_secret_or_sign_stands_in_an_error() {
    let rig = Rig::new(json!({}));
    drop(rig.create(&rig.order("alipay.web")).await);
    let sign = rig.body().split("sign=").nth(1).unwrap().to_owned();
    for code in [104, 199] {
        let msg = format!("bad {sign} of {} with {}", crate::rig::APPKEY, "s3cr3tOfShopOne");
        let body = json!({"code": code, "msg": msg, "data": []}).to_string();
        let error = answered(WireResponse::ok("application/json", body)).await.to_string();
        for hidden in [sign.as_str(), crate::rig::APPKEY, "s3cr3tOfShopOne"] {
            assert!(!error.contains(hidden), "{error}");
        }
    }
}
