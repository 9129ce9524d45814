//! Notifications: which are believed, what they claim, and how they are answered.

use paymux_core::channel::{CallbackError, Claim, ClaimKind, Evidence, Verdict};
use paymux_core::{Money, Verb, WireRequest};
use paymux_sign::Md5Text;
use proptest::prelude::{any, prop, proptest};
use serde_json::{Value, json};

use crate::rig::{BUSI_ID, KEY, NUMBER, Rig, baht, channel, sign};

const TIME: &str = "1709251200000";

fn posted(body: &[u8], sign: &str) -> WireRequest {
    WireRequest::new(Verb::Post, "/notify/fufu-1")
        .query(format!("sign={sign}"))
        .body("application/json", body.to_vec())
}

fn signed(body: &[u8]) -> WireRequest {
    posted(body, &sign(TIME, KEY, body))
}

fn verify(request: &WireRequest) -> Result<Claim, CallbackError> {
    channel(json!({})).verify_callback(request)
}

/// The document's newer table whole, with what `patch` changes or, by null, takes away.
fn notice(patch: Value) -> Vec<u8> {
    let mut data = json!({"busi_id": BUSI_ID, "channel_trade_no": "W1", "trade_no": "T1", "out_trade_no": NUMBER,
        "phone_code": "P1", "operator_id": "op1", "begin_time": "20240301120000", "end_time": "20240301120009",
        "total_fee": 250, "fee_type": "CNY", "credit": "balance", "state": 1, "channel_type": 1});
    data.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
    data.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    json!({"result": {"return_code": "SUCCESS", "return_msg": "OK"}, "data": data}).to_string().into_bytes()
}

#[track_caller]
fn claim(patch: Value) -> Claim {
    verify(&signed(&notice(patch))).unwrap()
}

#[track_caller]
fn bad_sign(request: &WireRequest) -> String {
    match verify(request) {
        Err(CallbackError::BadSign(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn unreadable(request: &WireRequest) -> String {
    match verify(request) {
        Err(CallbackError::Unreadable(why)) => why,
        other => panic!("{other:?}"),
    }
}

/// The document's older sample, whose numbers are texts and which lacks half of the table.
#[test]
fn the_vectors_notification_is_believed() {
    let file: Value = serde_json::from_str(include_str!("../data/vectors.json")).unwrap();
    let vector = file["vectors"].as_array().unwrap().iter().find(|vector| vector["id"] == "ff-s5").unwrap();
    let channel = channel(json!({"key": vector["key"]}));
    let body = vector["body"].as_str().unwrap();
    let claim = channel.verify_callback(&posted(body.as_bytes(), vector["sign"].as_str().unwrap())).unwrap();
    let want = Claim {
        number: "PMX20240301000007".to_owned(),
        kind: ClaimKind::Paid,
        event_key: "paid:PMX20240301000007".to_owned(),
        order_amount: Some(Money::fen(1)),
        received: Money::fen(1),
        method: None,
        trade_no: None,
        trade_no_is_signed: false,
        evidence: Evidence::Settles,
    };
    assert_eq!(claim, want);
}

#[test]
fn the_whole_table_is_read() {
    let claim = claim(json!({}));
    assert_eq!((claim.number.as_str(), claim.received), (NUMBER, Money::fen(250)));
    assert_eq!((claim.trade_no.as_deref(), claim.trade_no_is_signed), (Some("W1"), true));
    assert_eq!(claim.evidence, Evidence::Settles);
}

/// F18: only a message that calls the order paid settles it; any other sends us to ask.
#[test]
fn a_state_other_than_paid_is_asked_about() {
    for (patch, want) in [
        (json!({"state": "1"}), Evidence::Settles),
        (json!({"return_code": "SUCCESS"}), Evidence::Settles),
        (json!({"state": null}), Evidence::AskProvider),
        (json!({"state": 0}), Evidence::AskProvider),
        (json!({"state": 5}), Evidence::AskProvider),
        (json!({"state": "paid"}), Evidence::AskProvider),
        (json!({"return_code": "FAIL"}), Evidence::AskProvider),
        (json!({"return_code": "FAIL", "return_msg": "EXCEPTION"}), Evidence::AskProvider),
    ] {
        assert_eq!(claim(patch.clone()).evidence, want, "{patch}");
    }
    let failed = json!({"result": {"return_code": "FAIL"}, "data": {"out_trade_no": NUMBER, "total_fee": 250, "state": 1}});
    let claim = verify(&signed(failed.to_string().as_bytes())).unwrap();
    assert_eq!(claim.evidence, Evidence::AskProvider);
}

#[test]
fn numbers_may_be_text_and_the_currency_may_be_left_out() {
    assert_eq!(claim(json!({"total_fee": "250"})).received, Money::fen(250));
    assert_eq!(claim(json!({"fee_type": null})).received, Money::fen(250));
    assert_eq!(claim(json!({"fee_type": "THB"})).received, baht(250));
    assert_eq!(claim(json!({"busi_id": null})).number, NUMBER);
}

#[test]
fn what_lacks_its_number_or_amount_or_is_anothers_is_unreadable() {
    for (patch, want) in [
        (json!({"out_trade_no": null}), "`out_trade_no`"),
        (json!({"out_trade_no": ""}), "`out_trade_no`"),
        (json!({"total_fee": null}), "`total_fee`"),
        (json!({"total_fee": 0}), "`total_fee`"),
        (json!({"total_fee": -250}), "`total_fee`"),
        (json!({"total_fee": "2.50"}), "`total_fee`"),
        (json!({"total_fee": 250.0}), "`total_fee`"),
        (json!({"fee_type": "YUAN"}), "`fee_type`"),
        (json!({"busi_id": "100000000000002"}), "`busi_id`"),
    ] {
        let why = unreadable(&signed(&notice(patch.clone())));
        assert!(why.contains(want), "{patch}: {why}");
    }
    for body in ["", "[]", "{}", "null", r#"{"result":{"return_code":"SUCCESS"}}"#] {
        unreadable(&signed(body.as_bytes()));
    }
    let mut got = signed(&notice(json!({})));
    got.verb = Verb::Get;
    unreadable(&got);
    unreadable(&signed(&vec![b' '; 65_537]));
}

/// Blanks are not signed, so they change no number into another: what is compared is what stands there.
#[test]
fn blanks_inside_values_are_not_squeezed_away() {
    let plain = notice(json!({}));
    let sign = sign(TIME, KEY, &plain);
    let with = |from: &str, to: &str| {
        let text = String::from_utf8(plain.clone()).unwrap();
        assert!(text.contains(from));
        posted(text.replace(from, to).as_bytes(), &sign)
    };
    let spaced = verify(&with(NUMBER, "PMX2024030100 0001")).unwrap();
    assert_eq!(spaced.number, "PMX2024030100 0001", "another order's number, which is none of ours");
    let spaced = verify(&with("\"W1\"", "\"W 1\"")).unwrap();
    assert_eq!((spaced.trade_no, spaced.trade_no_is_signed), (None, false), "no second payment by a blank");
    unreadable(&with(":250", ":2 50"));
    assert_eq!(verify(&with("\"state\"", "\"sta te\"")).unwrap().evidence, Evidence::AskProvider);
    assert_eq!(verify(&with("{", "{ \r\n")).unwrap(), verify(&signed(&plain)).unwrap());
}

/// The key stands in front of the text, so bytes can be added and the sign be computed from the old one: those
/// bytes hold MD5's padding, which no UTF-8 text has.
#[test]
fn an_extended_message_is_not_believed() {
    let body = notice(json!({}));
    let text = 13 + KEY.len() + body.iter().filter(|byte| !b" \r\n".contains(byte)).count();
    let mut padding = vec![0x80];
    while (text + padding.len()) % 64 != 56 {
        padding.push(0);
    }
    padding.extend((text as u64 * 8).to_le_bytes());
    for forged in [&b"\"total_fee\":1"[..], b"{\"data\":{}}", b"", b" "] {
        let extended = [body.as_slice(), &padding, forged].concat();
        let request = posted(&extended, &sign(TIME, KEY, &extended));
        let why = unreadable(&request);
        assert!(why.contains("UTF-8"), "{why}");
    }
    let second = [body.as_slice(), body.as_slice()].concat();
    unreadable(&signed(&second));
}

#[test]
fn a_wrong_missing_or_misspelt_sign_is_not_believed() {
    let body = notice(json!({}));
    let good = sign(TIME, KEY, &body);
    assert!(verify(&posted(&body, &good)).is_ok());
    assert!(verify(&posted(&body, &good.replace(':', "%3A"))).is_ok());
    let (digest, time) = good.split_once(':').unwrap();
    for bad in [
        digest.to_owned(),
        format!("{}:{time}", digest.to_uppercase()),
        format!("{digest}:1709251200001"),
        format!("{digest}:{}", &time[1..]),
        format!("{digest}{time}"),
        format!("{}:{time}", &digest[1..]),
        sign(TIME, "another-key", &body),
        String::new(),
    ] {
        let why = bad_sign(&posted(&body, &bad));
        assert!(!why.contains(digest) && !why.contains(KEY), "{why}");
    }
    bad_sign(&WireRequest::new(Verb::Post, "/notify/fufu-1").body("application/json", body.clone()));
    bad_sign(&posted(&notice(json!({"total_fee": 251})), &good));
    bad_sign(&posted(&notice(json!({"out_trade_no": "PMX20240301000002"})), &good));
}

#[test]
fn the_previous_key_verifies_too() {
    let body = notice(json!({}));
    let request = posted(&body, &sign(TIME, "old-key", &body));
    assert!(channel(json!({"key_previous": "old-key"})).verify_callback(&request).is_ok());
    bad_sign(&request);
}

/// F3: a sender that leaves TABs out is told apart, and not believed.
#[test]
fn a_digest_without_tabs_is_explained_and_not_believed() {
    let body = String::from_utf8(notice(json!({}))).unwrap().replacen('{', "{\t", 1);
    assert!(verify(&signed(body.as_bytes())).is_ok());
    let why = bad_sign(&posted(body.as_bytes(), &sign(TIME, KEY, body.replace('\t', "").as_bytes())));
    assert!(why.contains("TAB"), "{why}");
}

#[test]
fn other_known_mistakes_are_explained_and_not_believed() {
    let body = String::from_utf8(notice(json!({}))).unwrap().replacen('{', "{ ", 1);
    let squeezed = body.replace([' ', '\r', '\n'], "");
    let of = |text: String| format!("{}:{TIME}", Md5Text::new().piece(text).digest().to_hex().as_str());
    for (text, want) in [
        (format!("{TIME}{KEY}{body}"), "not left out"),
        (format!("{TIME}{squeezed}{KEY}"), "behind the body"),
        (format!("{TIME}old-key{body}"), "not left out"),
        (format!("{KEY}{squeezed}"), "fits no key"),
    ] {
        let request = posted(body.as_bytes(), &of(text));
        let error = channel(json!({"key_previous": "old-key"})).verify_callback(&request).unwrap_err();
        let CallbackError::BadSign(why) = error else { panic!("{error:?}") };
        assert!(why.contains(want) && !why.contains(KEY) && !why.contains("old-key"), "{why}");
    }
}

/// F20: genuine, and of another sum or in another currency: nothing is booked, and FuFu gets no acknowledgement.
#[tokio::test(start_paused = true)]
async fn only_the_orders_own_sum_fits_it() {
    let rig = Rig::new(json!({}));
    let order = rig.order_ref("any.native");
    for (patch, is_ours) in [
        (json!({}), true),
        (json!({"total_fee": "250"}), true),
        (json!({"fee_type": null}), true),
        (json!({"total_fee": 249}), false),
        (json!({"total_fee": 251}), false),
        (json!({"fee_type": "THB"}), false),
        (json!({"total_fee": 249, "state": 0}), false),
    ] {
        let request = signed(&notice(patch.clone()));
        let claim = rig.channel.verify_callback(&request).unwrap();
        assert_eq!(rig.channel.fits(&request, &claim, &order).is_ok(), is_ours, "{patch}");
    }
}

/// F19, F20.
#[test]
fn the_answer_is_seven_bytes_or_no_acknowledgement() {
    let channel = channel(json!({}));
    let answers = [
        (channel.acknowledge(Verdict::Accepted), 200, "SUCCESS"),
        (channel.acknowledge_misfit(), 200, "FAIL"),
        (channel.acknowledge(Verdict::Rejected), 400, "FAIL"),
        (channel.acknowledge(Verdict::TryAgain), 503, "FAIL"),
    ];
    for (answer, status, body) in answers {
        assert_eq!((answer.status, answer.body.as_ref()), (status, body.as_bytes()));
    }
}

proptest! {
    /// Every changed byte that is signed breaks the sign.
    #[test]
    fn a_changed_byte_is_not_believed(at: prop::sample::Index, flip in 1_u8..) {
        let body = notice(json!({}));
        let sign = sign(TIME, KEY, &body);
        let mut changed = body.clone();
        let at = at.index(body.len());
        changed[at] ^= flip;
        assert!(verify(&posted(&changed, &sign)).is_err(), "{at}");
    }

    #[test]
    fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..200), query in ".{0,80}") {
        let _ = verify(&signed(&body));
        let mut request = signed(&body);
        request.query = Some(query);
        let _ = verify(&request);
    }
}
