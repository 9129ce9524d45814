//! Refunds and the questions about them: what is sent, and what each answer means.

use paymux_core::channel::{OutflowAnswer, RefundOrder};
use paymux_core::clock::Clock;
use paymux_core::transport::{NoAnswer, NotSent, Undelivered};
use paymux_core::{ChannelError, Currency, Money, ProviderOrderNo, Timestamp, Verb, WireResponse};
use paymux_sign::Md5Text;
use serde_json::{Value, json};

use crate::rig::{APP_ID, APP_SECRET, MASTER_SECRET, NUMBER, REFUND_NO, Rig, TEST_SECRET, reply};

type Answer = Result<OutflowAnswer, ChannelError>;

fn recorded(name: &str) -> Value {
    let file: Value = serde_json::from_str(include_str!("../data/refunds.json")).unwrap();
    file[name].clone()
}

fn row(patch: Value) -> Value {
    let mut row = recorded("refunds_answer")["refunds"][0].clone();
    row["bill_no"] = json!(NUMBER);
    row["refund_no"] = json!(REFUND_NO);
    row["refund_fee"] = json!(23);
    row.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
    row
}

fn records(rows: &[Value]) -> WireResponse {
    reply(0, json!({"refunds": rows}))
}

fn status(word: Value) -> WireResponse {
    reply(0, json!({"refund_status": word}))
}

#[track_caller]
fn is_refused(answer: &Answer, code: &str) {
    assert!(matches!(answer, Err(ChannelError::Refused(refusal)) if refusal.code == code), "{answer:?}");
}

#[track_caller]
fn is_unknown(answer: &Answer, what: &str) {
    assert!(matches!(answer, Err(ChannelError::Unknown(told)) if told.contains(what)), "{answer:?}");
}

#[expect(clippy::unnecessary_wraps, reason = "it is compared with an answer")]
fn done(reference: Option<&str>) -> Answer {
    Ok(OutflowAnswer::Done { reference: reference.map(str::to_owned) })
}

#[expect(clippy::unnecessary_wraps, reason = "it is compared with an answer")]
fn pending(reference: Option<&str>) -> Answer {
    Ok(OutflowAnswer::Pending { reference: reference.map(str::to_owned) })
}

fn has_failed(answer: &Answer, code: &str) -> bool {
    matches!(answer, Ok(OutflowAnswer::Failed { code: got, .. }) if got == code)
}

#[tokio::test(start_paused = true)]
async fn an_online_refund_is_sent_as_the_vector_is() {
    let rig = Rig::new(json!({})).answers([reply(0, json!({"id": "rf-1"}))]);
    assert_eq!(rig.refund("wechat.native").await, pending(Some("rf-1")));
    let call = &rig.sent()[0];
    assert_eq!((call.request.verb, call.request.path.as_str()), (Verb::Post, "/2/rest/refund"));

    let file: Value = serde_json::from_str(include_str!("../data/vectors.json")).unwrap();
    let vector = file["vectors"].as_array().unwrap().iter().find(|one| one["id"] == "bc-v2").unwrap();
    let mut want: Value = serde_json::from_str(vector["message"].as_str().unwrap()).unwrap();
    let mut sent = rig.fields(0);
    for field in ["refund_no", "bill_no", "refund_fee", "app_id"] {
        assert_eq!(sent[field], want[field], "{field}");
    }
    // The vector's moment is another one.
    let now = rig.clock.now().ms();
    let sign = Md5Text::new().piece(APP_ID).number(now).piece(MASTER_SECRET).digest().to_hex();
    assert_eq!((&sent["timestamp"], &sent["app_sign"]), (&json!(now), &json!(sign.as_str())));
    want["notify_url"] = json!("https://pay.example/notify/bee-main");
    for message in [&mut sent, &mut want] {
        message.as_object_mut().unwrap().retain(|name, _| !matches!(name.as_str(), "timestamp" | "app_sign"));
    }
    assert_eq!(sent, want, "neither channel nor need_approval is sent");
}

#[tokio::test(start_paused = true)]
async fn a_refund_of_a_till_order_takes_the_tills_path() {
    for method in ["wechat.barcode", "alipay.barcode", "alipay.native", "any.barcode"] {
        let rig = Rig::new(json!({})).answers([reply(0, json!({"id": "rf-1", "refund_result": true}))]);
        assert_eq!(rig.refund(method).await, done(Some("rf-1")), "{method}");
        assert_eq!(rig.paths(), ["/2/rest/offline/refund"]);
        let mut sent = rig.fields(0);
        let sign = Md5Text::new().piece(APP_ID).number(rig.clock.now().ms()).piece(MASTER_SECRET).digest();
        assert_eq!(sent["app_sign"], sign.to_hex().as_str());
        for common in ["app_id", "timestamp", "app_sign"] {
            sent.as_object_mut().unwrap().remove(common).unwrap();
        }
        let want = json!({"refund_no": REFUND_NO, "bill_no": NUMBER, "refund_fee": 23, "refund_reason": "too sweet"});
        assert_eq!(sent, want, "{method}");
    }
    let rig = Rig::new(json!({})).answers([reply(0, json!({"refund_result": false}))]);
    let mut refund = rig.refund_order("wechat.barcode");
    refund.reason = String::new();
    assert_eq!(rig.channel.refund(&rig.cx(), &refund).await, pending(None));
    assert_eq!(rig.fields(0).get("refund_reason"), None);
}

#[tokio::test(start_paused = true)]
async fn the_path_is_the_one_that_made_the_order() {
    let rig = Rig::new(json!({"prefer_bc": true})).answers([reply(0, json!({"refund_result": true}))]);
    let mut refund = rig.refund_order("alipay.native");
    refund.order.memo = "offline ALI_OFFLINE_QRCODE ALI".to_owned();
    assert_eq!(rig.channel.refund(&rig.cx(), &refund).await, done(None));
    assert_eq!(rig.paths(), ["/2/rest/offline/refund"], "whatever the settings choose today");
}

#[tokio::test(start_paused = true)]
async fn an_answer_with_an_address_needs_a_person() {
    let refund =
        async |fields: Value| Rig::new(json!({})).answers([reply(0, fields)]).refund("alipay.web").await;
    let recorded = recorded("refund_answer_alipay");
    let url = recorded["url"].as_str().unwrap();
    let Ok(OutflowAnswer::NeedsAction { url: got, message }) = refund(recorded.clone()).await else {
        panic!("no action")
    };
    assert_eq!(got.as_deref(), Some(url));
    assert!(message.contains("password"), "{message}");
    let odd = refund(json!({"id": "rf-1", "url": "javascript:alert(1)"})).await;
    assert!(matches!(odd, Ok(OutflowAnswer::NeedsAction { url: None, .. })), "{odd:?}");
    for none in [json!({"id": "rf-1"}), json!({"id": "rf-1", "url": ""}), json!({"id": "rf-1", "url": null})]
    {
        assert_eq!(refund(none).await, pending(Some("rf-1")), "accepted is not done");
    }
}

#[tokio::test(start_paused = true)]
async fn every_result_code_of_a_refund_has_its_class() {
    for method in ["wechat.native", "wechat.barcode"] {
        for code in (1..=17).chain([-1, 18, 10086]) {
            let rig = Rig::new(json!({})).answers([
                reply(code, json!({"id": "rf-1", "refund_result": true, "url": "https://a.example/"})),
                records(&[]),
            ]);
            let answer = rig.refund(method).await;
            match code {
                1..=6 | 8..=10 | 12 => is_refused(&answer, &code.to_string()),
                _ => is_unknown(&answer, ""),
            }
            let calls = if code == 11 { 2 } else { 1 };
            assert_eq!(rig.sent().len(), calls, "{code}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_clear_answer_to_a_refund_is_unknown() {
    for answer in [
        WireResponse::with_status(500, "text/plain", ""),
        WireResponse::with_status(502, "text/html", "<html>"),
        WireResponse::with_status(302, "text/plain", ""),
        WireResponse::ok("application/json", "{"),
        WireResponse::ok("application/json", "{}"),
        WireResponse::ok("application/json", r#"{"result_code":"0"}"#),
        WireResponse::with_status(403, "application/json", r#"{"result_code":0}"#),
    ] {
        is_unknown(&Rig::new(json!({})).answers([answer]).refund("wechat.native").await, "");
    }
    let no_word =
        Rig::new(json!({})).answers([reply(0, json!({"id": "rf-1"}))]).refund("wechat.barcode").await;
    is_unknown(&no_word, "refund_result");
    for failure in [NoAnswer::TimedOut, NoAnswer::Broken] {
        let rig = Rig::new(json!({"base_url": ["https://a.example", "https://b.example"]}))
            .fails(Undelivered::NoAnswer(failure));
        is_unknown(&rig.refund("wechat.native").await, "");
        assert_eq!(rig.sent().len(), 1, "money is never asked for twice");
    }
    let rig = Rig::new(json!({})).fails(Undelivered::NotSent(NotSent::Connect));
    assert_eq!(rig.refund("wechat.native").await, Err(ChannelError::NotSent(NotSent::Connect)));
}

#[tokio::test(start_paused = true)]
async fn the_next_address_is_tried_only_when_nothing_was_sent() {
    let rig = Rig::new(json!({"base_url": ["https://a.example", "https://b.example"]}))
        .fails(Undelivered::NotSent(NotSent::Connect))
        .answers([reply(0, json!({"id": "rf-1"}))]);
    assert_eq!(rig.refund("wechat.native").await, pending(Some("rf-1")));
    let hosts: Vec<_> = rig.sent().iter().map(|call| call.endpoint.host().to_owned()).collect();
    assert_eq!(hosts, ["a.example", "b.example"]);
}

#[tokio::test(start_paused = true)]
async fn a_refund_in_progress_is_a_no_only_if_it_is_another_one() {
    let under = async |settings: Value, answer: WireResponse| {
        let rig = Rig::new(settings).answers([reply(11, json!({})), answer]);
        let told = rig.refund("wechat.native").await;
        assert_eq!(rig.paths(), ["/2/rest/refund", "/2/rest/refunds"]);
        let asked = rig.fields(1);
        assert_eq!((&asked["bill_no"], asked.get("refund_no")), (&json!(NUMBER), None));
        told
    };
    let after = async |answer: WireResponse| under(json!({}), answer).await;
    let other = || row(json!({"id": "o", "refund_no": "20240301000099", "finish": false, "result": false}));
    is_refused(&after(records(&[other()])).await, "11");
    let own = row(json!({"finish": false, "result": false}));
    assert_eq!(after(records(std::slice::from_ref(&own))).await, pending(Some("rf-1")));
    assert_eq!(after(records(&[other(), own])).await, pending(Some("rf-1")));
    assert_eq!(after(records(&[row(json!({}))])).await, done(Some("rf-1")));
    is_unknown(&after(records(&[])).await, "no other refund");
    // The one that an order may have is done already, or as many as the account takes; a failed one is none.
    let over = |n: i64, result: bool| {
        row(
            json!({"id": n.to_string(), "refund_no": format!("202403010000{n}"), "finish": true, "result": result}),
        )
    };
    is_refused(&after(records(&[over(91, true)])).await, "11");
    is_unknown(&after(records(&[over(91, false)])).await, "no other refund");
    let two = json!({"refunds_per_order": 2});
    is_unknown(&under(two.clone(), records(&[over(91, true)])).await, "no other refund");
    is_refused(&under(two, records(&[over(91, true), over(92, true)])).await, "11");
    assert_eq!(after(records(&[over(91, true), row(json!({}))])).await, done(Some("rf-1")));
    let of_another_order =
        row(json!({"id": "o", "refund_no": "20240301000099", "bill_no": "X", "finish": false}));
    is_unknown(&after(records(&[of_another_order])).await, "no other refund");
    is_unknown(&after(reply(14, json!({}))).await, "could not be asked for");
    is_unknown(&after(WireResponse::with_status(500, "text/plain", "")).await, "could not be asked for");
}

/// Sends a refund that `change` has spoilt; nothing may go out.
#[track_caller]
fn unsent(rig: &Rig, answer: &Answer, what: &str) {
    is_refused(answer, "invalid_request");
    assert!(matches!(answer, Err(error) if error.to_string().contains(what)), "{answer:?}");
    assert!(rig.sent().is_empty(), "{what}");
}

#[tokio::test(start_paused = true)]
async fn what_beecloud_would_not_take_is_not_sent() {
    let check = async |change: fn(&mut RefundOrder), what: &str| {
        let rig = Rig::new(json!({}));
        let mut refund = rig.refund_order("wechat.native");
        change(&mut refund);
        let answer = rig.channel.refund(&rig.cx(), &refund).await;
        unsent(&rig, &answer, what);
    };
    check(|refund| refund.amount = Money::fen(0), "the amount").await;
    check(|refund| refund.amount = Money::fen(1024), "at most what was paid").await;
    check(|refund| refund.amount = Money::new(1, Currency::from_code("USD").unwrap()), "the amount").await;
    check(|refund| refund.number = "20240301000".to_owned(), "the refund's number").await;
    check(|refund| refund.number = "r-1".to_owned(), "the refund's number").await;
    check(|refund| refund.notify_url = "https://h/?a=1".to_owned(), "`notify_url`").await;
    let rig = Rig::new(json!({})).answers([reply(0, json!({}))]);
    let mut whole = rig.refund_order("wechat.native");
    whole.amount = Money::fen(1023);
    assert_eq!(rig.channel.refund(&rig.cx(), &whole).await, pending(None));
    assert_eq!(rig.fields(0)["refund_fee"], 1023);
}

#[tokio::test(start_paused = true)]
async fn an_order_has_one_refund_unless_the_settings_say_more() {
    for (settings, most) in [(json!({}), 1), (json!({"refunds_per_order": 3}), 3)] {
        let descriptor = crate::rig::channel(settings).descriptor().clone();
        assert_eq!(descriptor.refunds_per_order.map(std::num::NonZeroU32::get), Some(most));
    }
}

#[tokio::test(start_paused = true)]
async fn the_number_is_of_the_day_in_china_and_never_sent_on_another() {
    let id = "rfd_018df74f840070008000000000000007".parse().unwrap();
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let number = |text: &str| crate::rig::channel(json!({})).refund_number(id, at(text));
    assert_eq!(number("2024-02-29T15:59:59Z"), "20240229840070008000000000000007");
    assert_eq!(number("2024-02-29T16:00:00Z"), "20240301840070008000000000000007");

    // The rig's clock says 2024-03-01T00:00:00Z, 08:00 in China.
    let check = async |ahead: &str, taken: Option<&str>| {
        let rig = Rig::new(json!({})).answers([reply(0, json!({}))]);
        rig.clock.skew(at(ahead).ms() - rig.clock.now().ms());
        let answer = rig.refund("wechat.native").await;
        match taken {
            None => assert_eq!(answer, pending(None), "{ahead}"),
            Some(what) => unsent(&rig, &answer, what),
        }
    };
    check("2024-02-29T15:59:00Z", Some("has passed in China")).await;
    check("2024-02-29T16:00:59Z", Some("less than a minute from midnight")).await;
    check("2024-02-29T16:01:00Z", None).await;
    check("2024-03-01T15:59:00Z", None).await;
    check("2024-03-01T15:59:01Z", Some("less than a minute from midnight")).await;
    check("2024-03-01T16:00:00Z", Some("has passed in China")).await;
    check("2024-03-02T04:00:00Z", Some("has passed in China")).await;
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_kept_back_around_midnight_in_china_and_then_taken() {
    let check = async |at: &str, until: Option<&str>| {
        let rig = Rig::new(json!({})).answers([reply(0, json!({}))]);
        let at: Timestamp = at.parse().unwrap();
        let until = until.map(|text| text.parse::<Timestamp>().unwrap());
        assert_eq!(rig.channel.refund_not_before(at), until, "{at}");
        // At the end of the wait it goes through, under a number that is made then.
        let goes_at = until.unwrap_or(at);
        assert_eq!(rig.channel.refund_not_before(goes_at), None);
        rig.clock.skew(goes_at.ms() - rig.clock.now().ms());
        let mut refund = rig.refund_order("wechat.native");
        refund.number = rig.channel.refund_number(refund_id(), goes_at);
        assert_eq!(rig.channel.refund(&rig.cx(), &refund).await, pending(None), "{goes_at}");
    };
    check("2024-03-01T00:00:00Z", None).await;
    check("2024-03-01T15:58:00Z", None).await;
    check("2024-03-01T15:58:00.001Z", Some("2024-03-01T16:01:00Z")).await;
    check("2024-03-01T15:59:59.999Z", Some("2024-03-01T16:01:00Z")).await;
    check("2024-03-01T16:00:00Z", Some("2024-03-01T16:01:00Z")).await;
    check("2024-03-01T16:00:59.999Z", Some("2024-03-01T16:01:00Z")).await;
    check("2024-03-01T16:01:00Z", None).await;
}

fn refund_id() -> paymux_core::RefundId {
    "rfd_018df74f840070008000000000000007".parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn two_ids_never_share_a_number() {
    let rig = Rig::new(json!({}));
    let number = |id: &str| rig.channel.refund_number(id.parse().unwrap(), rig.clock.now());
    assert_ne!(
        number("rfd_018df74f840070008000000000000007"),
        number("rfd_018df74f840070008000000000000008")
    );
    assert_eq!(number("rfd_018df74f840070008000000000000007").len(), 32);
}

#[tokio::test(start_paused = true)]
async fn test_mode_and_v1_send_no_money_back() {
    for settings in [json!({"sandbox": true, "test_secret": TEST_SECRET}), json!({"api_version": "v1"})] {
        let rig = Rig::new(settings);
        assert_eq!(rig.refund("wechat.native").await, Err(ChannelError::Unsupported));
        assert_eq!(rig.query_refund("wechat.native").await, Err(ChannelError::Unsupported));
        assert!(rig.sent().is_empty());
    }
}

const REFUNDS: &str = "/2/rest/refunds";
const STATUS: &str = "/2/rest/refund/status";

/// What a query makes of these answers, all of which it must have asked for.
async fn query(method: &str, answers: Vec<WireResponse>) -> Answer {
    let asked = &[REFUNDS, STATUS][..answers.len()];
    let rig = Rig::new(json!({})).answers(answers);
    let answer = rig.query_refund(method).await;
    assert_eq!(rig.paths(), asked, "{method}");
    answer
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_over_is_the_answer_for_every_group() {
    for method in [
        "wechat.native",
        "alipay.web",
        "unionpay.web",
        "jd.web",
        "yeepay.web",
        "kuaiqian.web",
        "baidu.web",
        "bank.gateway",
        "wechat.barcode",
    ] {
        assert_eq!(query(method, vec![records(&[row(json!({}))])]).await, done(Some("rf-1")), "{method}");
        let failed = query(method, vec![records(&[row(json!({"result": false}))])]).await;
        assert!(has_failed(&failed, "finished"), "{method}: {failed:?}");
    }
    let rig = Rig::new(json!({})).answers([records(&[row(json!({}))])]);
    rig.query_refund("wechat.native").await.unwrap();
    let asked = rig.fields(0);
    assert_eq!(
        (&asked["refund_no"], asked.get("bill_no"), asked.get("channel")),
        (&json!(REFUND_NO), None, None)
    );
    let sign = Md5Text::new().piece(APP_ID).number(rig.clock.now().ms()).piece(APP_SECRET).digest();
    assert_eq!(asked["app_sign"], sign.to_hex().as_str(), "a question is signed with the app secret");
}

#[tokio::test(start_paused = true)]
async fn groups_that_send_a_webhook_are_asked_by_record_alone() {
    let open = || records(&[row(json!({"finish": false, "result": false}))]);
    for method in ["alipay.web", "unionpay.web", "jd.web", "bank.gateway", "any.barcode"] {
        assert_eq!(query(method, vec![open()]).await, pending(Some("rf-1")), "{method}");
        assert_eq!(query(method, vec![records(&[])]).await, Ok(OutflowAnswer::NotFound), "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn other_groups_state_is_pulled_while_the_record_is_open() {
    let open = || records(&[row(json!({"finish": false, "result": false}))]);
    for (method, group) in [
        ("wechat.native", "WX"),
        ("wechat.barcode", "WX"),
        ("yeepay.web", "YEE"),
        ("kuaiqian.web", "KUAIQIAN"),
        ("baidu.web", "BD"),
    ] {
        assert_eq!(query(method, vec![open(), status(json!("SUCCESS"))]).await, done(None), "{method}");
        let rig = Rig::new(json!({})).answers([open(), status(json!("PROCESSING"))]);
        assert_eq!(rig.query_refund(method).await, pending(Some("rf-1")));
        let asked = rig.fields(1);
        assert_eq!(
            (&asked["channel"], &asked["refund_no"], &asked["bill_update_flag"]),
            (&json!(group), &json!(REFUND_NO), &json!("1")),
            "{method}"
        );
    }
    let asked = async |word: Value| query("wechat.native", vec![open(), status(word)]).await;
    assert!(has_failed(&asked(json!("FAIL")).await, "FAIL"));
    for unclear in [
        json!("NOTSURE"),
        json!("CHANGE"),
        json!("success"),
        json!(""),
        json!(null),
        json!(["SUCCESS"]),
        json!(true),
    ] {
        assert_eq!(asked(unclear.clone()).await, pending(Some("rf-1")), "{unclear}");
    }
    for code in (1..=17).chain([-1, 18]) {
        let answer = reply(code, json!({"refund_status": "SUCCESS"}));
        assert_eq!(query("wechat.native", vec![open(), answer]).await, pending(Some("rf-1")), "{code}");
    }
    let nothing = query("wechat.native", vec![records(&[]), reply(13, json!({}))]).await;
    assert_eq!(nothing, Ok(OutflowAnswer::NotFound));
    let late_record = query("wechat.native", vec![records(&[]), status(json!("SUCCESS"))]).await;
    assert_eq!(late_record, done(None), "the wallet's word comes before the record");
}

#[tokio::test(start_paused = true)]
async fn every_result_code_of_a_refunds_query_has_its_class() {
    for code in (1..=17).chain([-1, 18]) {
        let answers = vec![reply(code, json!({"refunds": []}))];
        let answer = query("alipay.web", answers).await;
        match code {
            13 => assert_eq!(answer, Ok(OutflowAnswer::NotFound)),
            // A question that is refused says nothing of the refund.
            _ => is_unknown(&answer, &format!("code {code}")),
        }
    }
    for bad in [json!({}), json!({"refunds": null}), json!({"refunds": {}}), json!({"bills": []})] {
        is_unknown(&query("alipay.web", vec![reply(0, bad)]).await, "`refunds`");
    }
    let rig = Rig::new(json!({})).fails(Undelivered::NoAnswer(NoAnswer::TimedOut));
    is_unknown(&rig.query_refund("wechat.native").await, "");
}

#[tokio::test(start_paused = true)]
async fn records_that_do_not_fit_prove_nothing() {
    let asked = async |rows: Vec<Value>| query("alipay.web", vec![records(&rows)]).await;
    is_unknown(&asked(vec![row(json!({"refund_fee": 24}))]).await, "another order or amount");
    is_unknown(&asked(vec![row(json!({"bill_no": "X"}))]).await, "another order or amount");
    for (field, value) in [
        ("finish", json!(null)),
        ("finish", json!("true")),
        ("finish", json!(1)),
        ("refund_fee", json!("23")),
        ("refund_fee", json!(null)),
        ("refund_no", json!(7)),
        ("result", json!("true")),
    ] {
        is_unknown(&asked(vec![row(json!({field: value}))]).await, "wrong type");
    }
    is_unknown(&asked(vec![row(json!({"result": null}))]).await, "no `result`");
    for (field, value) in
        [("id", json!(7)), ("title", json!(1)), ("create_time", json!("x")), ("optional", json!({}))]
    {
        assert!(
            matches!(asked(vec![row(json!({field: value}))]).await, Ok(OutflowAnswer::Done { .. })),
            "{field}"
        );
    }
    assert_eq!(asked(vec![row(json!({"refund_no": "20240301000099"}))]).await, Ok(OutflowAnswer::NotFound));
}

#[tokio::test(start_paused = true)]
async fn several_records_of_one_number_are_over_when_all_are() {
    let asked = async |rows: Vec<Value>| query("alipay.web", vec![records(&rows)]).await;
    let open = || row(json!({"id": "a", "finish": false, "result": false}));
    let failed = || row(json!({"id": "b", "result": false}));
    let good = |id: &str| row(json!({"id": id}));
    assert_eq!(asked(vec![open(), good("c")]).await, pending(Some("a")));
    assert_eq!(asked(vec![good("c"), open()]).await, pending(Some("a")));
    assert_eq!(asked(vec![failed(), good("c")]).await, done(Some("c")));
    assert_eq!(asked(vec![good("c"), failed()]).await, done(Some("c")));
    assert_eq!(asked(vec![good("c"), good("c")]).await, done(Some("c")), "one record, shown twice");
    is_unknown(&asked(vec![good("c"), good("d")]).await, "two refunds under that number");
}

#[tokio::test(start_paused = true)]
async fn a_legacy_orders_number_goes_out_as_it_is() {
    let rig = Rig::new(json!({})).answers([reply(0, json!({}))]);
    let mut refund = rig.refund_order("wechat.native");
    refund.order.number = ProviderOrderNo::new("WEB_20240301_0001").unwrap();
    refund.order.memo = String::new();
    assert_eq!(rig.channel.refund(&rig.cx(), &refund).await, pending(None));
    assert_eq!(rig.fields(0)["bill_no"], "WEB_20240301_0001");
}
