//! Callbacks: what is believed and what is not.

use paymux_core::channel::{CallbackError, ClaimKind, Evidence, Verdict};
use paymux_core::{Money, Verb, WireRequest};
use serde_json::json;

use crate::front::{acceptor, notice, refunded_notice};
use crate::rig::{NUMBER, Rig};

#[tokio::test(start_paused = true)]
async fn a_callback_is_believed_as_it_was_signed_and_not_otherwise() {
    let rig = Rig::of(&paymux_sandbox::provider(), json!({"key": "k-9f2c"}));
    let good = notice();
    let claim = rig.channel.verify_callback(&good).unwrap();
    assert_eq!(claim.number, NUMBER);
    assert_eq!(claim.received, Money::fen(1999));
    assert_eq!(claim.event_key, format!("paid:{NUMBER}"));
    assert_eq!(claim.evidence, Evidence::Settles);

    let sign = good.headers.first("sandbox-sign").unwrap().to_owned();
    let with = |sign: &str, body: &[u8]| {
        WireRequest::new(Verb::Post, "/").header("sandbox-sign", sign).body("application/json", body.to_vec())
    };
    for at in 0..good.body.len() {
        let mut body = good.body.to_vec();
        body[at] ^= 1;
        let error = rig.channel.verify_callback(&with(&sign, &body)).unwrap_err();
        assert!(matches!(error, CallbackError::BadSign(_)), "byte {at}: {error}");
    }
    check(&rig, with(&sign.to_uppercase(), &good.body), "a digest in upper case");
    check(&rig, with("", &good.body), "md5(");
    check(&rig, WireRequest::new(Verb::Post, "/").body("application/json", good.body.clone()), "no header");
    check(&rig, WireRequest { verb: Verb::Get, ..good.clone() }, "a POST");
    check(&rig, with(&sign, &[b' '; 4097]), "at most 4096 bytes");
    check(&Rig::new(), good, "md5(");

    #[track_caller]
    fn check(rig: &Rig, request: WireRequest, want: &str) {
        let error = rig.channel.verify_callback(&request).unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
    }
}

fn signed(body: &str) -> WireRequest {
    let sign = paymux_sign::Md5Text::new().piece(format!("callback\n{body}\nsandbox")).digest().to_hex();
    WireRequest::new(Verb::Post, "/")
        .header("sandbox-sign", sign.as_str())
        .body("application/json", body.to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_callback_tells_what_happened_to_what() {
    check("", ClaimKind::Paid, "paid:N", Some("sandbox-N"));
    check(r#","kind":"paid""#, ClaimKind::Paid, "paid:N", Some("sandbox-N"));
    check(r#","kind":null,"trade_no":"T9""#, ClaimKind::Paid, "paid:N", Some("T9"));
    check(r#","kind":"refunded""#, ClaimKind::Refunded, "refunded:N", None);
    check(r#","kind":"refund_failed""#, ClaimKind::RefundFailed, "refund_failed:N", None);
    check(r#","kind":"transferred""#, ClaimKind::Transferred, "transferred:N", None);
    check(r#","kind":"transfer_failed""#, ClaimKind::TransferFailed, "transfer_failed:N", None);

    #[track_caller]
    fn check(more: &str, kind: ClaimKind, event_key: &str, trade_no: Option<&str>) {
        let body = format!(r#"{{"number":"N","amount":7,"currency":"JPY","time":1{more}}}"#);
        let claim = Rig::new().channel.verify_callback(&signed(&body)).unwrap();
        assert_eq!((claim.kind, claim.event_key.as_str()), (kind, event_key), "{more}");
        assert_eq!((claim.number.as_str(), claim.received.minor()), ("N", 7));
        assert_eq!((claim.trade_no.as_deref(), claim.trade_no_is_signed), (trade_no, true), "{more}");
        assert_eq!(claim.evidence, Evidence::Settles);
    }
}

#[tokio::test(start_paused = true)]
async fn the_server_side_tells_of_a_refund() {
    let rig = Rig::of(&paymux_sandbox::provider(), json!({"key": "k-9f2c"}));
    let claim = rig.channel.verify_callback(&refunded_notice()).unwrap();
    assert_eq!(
        (claim.kind, claim.number.as_str(), claim.received),
        (ClaimKind::Refunded, "R1", Money::fen(99))
    );
}

#[tokio::test(start_paused = true)]
async fn the_previous_key_verifies_too() {
    let rotated = Rig::of(&paymux_sandbox::provider(), json!({"key": "k2", "key_previous": "k-9f2c"}));
    assert!(rotated.channel.verify_callback(&notice()).is_ok());
    let over = Rig::of(&paymux_sandbox::provider(), json!({"key": "k2"}));
    assert!(over.channel.verify_callback(&notice()).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_signed_callback_must_still_be_a_whole_one() {
    let rig = Rig::new();
    for body in [
        r#"{"number":"n","amount":0,"currency":"CNY","time":1}"#,
        r#"{"number":"n","amount":1.5,"currency":"CNY","time":1}"#,
        r#"{"number":"n","amount":1,"currency":"yuan","time":1}"#,
        r#"{"number":"","amount":1,"currency":"CNY","time":1}"#,
        r#"{"number":"n","amount":1,"currency":"CNY"}"#,
        r#"{"number":"n","amount":1,"currency":"CNY","time":1,"x":1}"#,
        r#"{"number":"n","amount":1,"currency":"CNY","time":1,"kind":"lost"}"#,
        r#"{"number":"n","amount":1,"currency":"CNY","time":1,"trade_no":""}"#,
        r#"{"number":"n","amount":1,"currency":"CNY","time":1,"trade_no":"a b"}"#,
        r#"["n",1,"CNY",1]"#,
        "",
    ] {
        let error = rig.channel.verify_callback(&signed(body)).unwrap_err();
        assert!(matches!(error, CallbackError::Unreadable(_)), "{body}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_acknowledgement_is_exact() {
    let rig = Rig::new();
    for (verdict, status, body) in [
        (Verdict::Accepted, 200, "ok"),
        (Verdict::Rejected, 400, "rejected"),
        (Verdict::TryAgain, 503, "again"),
    ] {
        let answer = rig.channel.acknowledge(verdict);
        assert_eq!((answer.status, answer.body.as_ref()), (status, body.as_bytes()));
        assert_eq!(acceptor().acknowledged(&answer), verdict == Verdict::Accepted);
    }
}
