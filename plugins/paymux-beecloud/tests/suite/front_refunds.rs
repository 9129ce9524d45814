//! The server side of refunds: which calls it takes, with which secret, and what it answers.

use paymux_core::acceptor::{
    FrontAccount, FrontAccounts, FrontAnswer, FrontApproval, FrontApproved, FrontCall, FrontFact,
    FrontRefund, FrontRefundRecord, FrontRefundState, FrontRefusal,
};
use paymux_core::payments::Approval;
use paymux_core::{Money, Timestamp, Verb, WireRequest};
use serde_json::{Value, json};

use crate::front::{NOW, acceptor, account, as_master, ask, read, refused, sign};
use crate::front_answers::{answered, order};
use crate::rig::{APP_SECRET, MASTER_SECRET, NUMBER};

const ONLINE: &str = "/2/rest/refund";
const TILL: &str = "/2/rest/offline/refund";

fn call(path: &str, patch: Value) -> WireRequest {
    let mut fields = json!({"refund_no": "20240301000017", "bill_no": NUMBER, "refund_fee": 23});
    fields.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
    as_master(Verb::Post, path, fields)
}

fn refund(request: &WireRequest) -> FrontRefund {
    match read(request).map(|read| read.call) {
        Ok(FrontCall::Refund(refund)) => *refund,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_vectors_refund_is_read() {
    let file: Value = serde_json::from_str(include_str!("../data/vectors.json")).unwrap();
    let vector = file["vectors"].as_array().unwrap().iter().find(|one| one["id"] == "bc-v2").unwrap().clone();
    let at = Timestamp::from_ms(1_709_254_800_500);
    let request = WireRequest::new(Verb::Post, ONLINE)
        .body("application/json", vector["message"].as_str().unwrap().to_owned());
    let read = acceptor().read(&crate::front::Accounts, &request, at).unwrap();
    assert_eq!(read.memo, "refund");
    let FrontCall::Refund(refund) = read.call else { panic!("not a refund") };
    assert_eq!((refund.number.as_str(), refund.order.as_str()), ("20240301000017", NUMBER));
    assert_eq!((refund.amount, refund.approval), (Money::fen(23), FrontApproval::NotNeeded));
}

#[test]
fn a_refund_carries_all_that_a_host_can_use() {
    let online = refund(&call(
        ONLINE,
        json!({"channel": "ALI", "notify_url": "https://shop.example/n", "optional": {"a": 1}, "need_approval": true,
            "refund_account": 1, "refund_reason": "of the till only"}),
    ));
    assert_eq!(online.notify_url.as_deref(), Some("https://shop.example/n"));
    assert_eq!((online.approval, online.echo), (FrontApproval::Needed, json!({"a": 1})));
    assert_eq!(online.reason, "");
    let till = refund(&call(
        TILL,
        json!({"refund_reason": "too sweet", "operator_id": "o", "store_id": "s", "need_approval": true,
            "notify_url": "not one", "optional": null}),
    ));
    assert_eq!((till.reason.as_str(), till.approval), ("too sweet", FrontApproval::NotNeeded));
    assert_eq!(till.notify_url, None, "the till's call has none");
    assert_eq!(read(&call(TILL, json!({}))).unwrap().memo, "offline_refund");
    for absent in [json!({"need_approval": null}), json!({"need_approval": false})] {
        assert_eq!(refund(&call(ONLINE, absent)).approval, FrontApproval::NotNeeded);
    }
}

#[test]
fn fields_of_a_refund_are_missing_or_wrong_by_name() {
    for name in ["refund_no", "bill_no", "refund_fee"] {
        for absent in [json!(null), json!(""), json!("null")] {
            refused(call(ONLINE, json!({name: absent})), 4, name);
        }
    }
    check(json!({"channel": "WX_NATIVE"}), 3, "channel");
    check(json!({"channel": "XX"}), 5, "channel");
    check(json!({"channel": 7}), 5, "channel");
    check(json!({"refund_no": 20_240_301_000_017_i64}), 5, "refund_no");
    check(json!({"refund_no": "20240301000"}), 5, "refund_no");
    check(json!({"refund_no": "2024030117"}), 5, "refund_no");
    check(json!({"refund_no": "20240301-0017"}), 5, "refund_no");
    check(json!({"refund_no": "20240229000017"}), 5, "today's date in China, 20240301");
    check(json!({"refund_no": "20240302000017"}), 5, "today's date in China");
    check(json!({"bill_no": "a b"}), 5, "bill_no");
    check(json!({"refund_fee": 0}), 5, "refund_fee");
    check(json!({"refund_fee": -1}), 5, "refund_fee");
    check(json!({"refund_fee": "23"}), 5, "refund_fee");
    check(json!({"refund_fee": 1.5}), 5, "refund_fee");
    check(json!({"refund_fee": 2_147_483_648_i64}), 5, "refund_fee");
    check(json!({"refund_account": 2}), 5, "refund_account");
    check(json!({"optional": "x"}), 5, "optional");

    #[track_caller]
    fn check(patch: Value, code: i64, detail: &str) {
        for path in [ONLINE, TILL] {
            refused(call(path, patch.clone()), code, detail);
        }
    }
    refused(call(ONLINE, json!({"notify_url": "shop"})), 5, "notify_url");
    refused(call(ONLINE, json!({"need_approval": "true"})), 5, "need_approval");
    refused(call(TILL, json!({"refund_reason": 7})), 5, "refund_reason");
}

#[test]
fn a_refund_names_a_group_that_has_refunds_on_its_path() {
    let online = ["WX", "ALI", "UN", "KUAIQIAN", "BD", "JD", "YEE", "BC"];
    let approve =
        |group: &str| as_master(Verb::Put, ONLINE, json!({"channel": group, "ids": ["r"], "agree": true}));
    for group in online {
        assert!(read(&call(ONLINE, json!({"channel": group}))).is_ok(), "{group}");
        assert!(read(&approve(group)).is_ok(), "{group}");
    }
    refused(call(ONLINE, json!({"channel": "PAYPAL"})), 3, "write WX, ALI, UN, KUAIQIAN, BD, JD, YEE, BC");
    refused(approve("PAYPAL"), 3, "PAYPAL cannot stand here");
    for group in online.into_iter().chain(["PAYPAL"]) {
        let at_till = call(TILL, json!({"channel": group}));
        if ["ALI", "WX", "BC"].contains(&group) {
            assert!(read(&at_till).is_ok(), "{group}");
        } else {
            refused(at_till, 3, "write ALI, WX, BC");
        }
    }
}

#[test]
fn the_day_before_is_taken_for_five_minutes_after_midnight() {
    check("2024-02-29T15:59:59Z", "20240229017", true);
    check("2024-02-29T16:00:00Z", "20240229017", true);
    check("2024-02-29T16:04:59Z", "20240229017", true);
    check("2024-02-29T16:05:00Z", "20240229017", false);
    check("2024-02-29T16:00:00Z", "20240301017", true);
    check("2024-02-29T15:59:59Z", "20240301017", false);

    #[track_caller]
    fn check(at: &str, refund_no: &str, taken: bool) {
        let now: Timestamp = at.parse().unwrap();
        let fields =
            json!({"timestamp": now.ms(), "app_sign": sign(now.ms(), MASTER_SECRET), "refund_no": refund_no});
        let read = acceptor().read(&crate::front::Accounts, &call(ONLINE, fields), now);
        assert_eq!(read.is_ok(), taken, "{at} {refund_no}");
    }
}

/// A host whose client may sign money-out calls with the app secret.
struct Lax;

impl FrontAccounts for Lax {
    fn find(&self, _: &str, _: &str) -> Option<FrontAccount> {
        let mut account = account();
        account.settings.insert("app_secret_moves_money".to_owned(), json!(true));
        account.settings.insert("master_secret_previous".to_owned(), json!("old-master"));
        Some(account)
    }
}

#[test]
fn money_out_wants_the_master_secret_and_questions_want_the_app_secret() {
    let by = |secret: &str| json!({"app_sign": sign(NOW.ms(), secret)});
    for path in [ONLINE, TILL] {
        assert!(read(&call(path, by(MASTER_SECRET))).is_ok());
        refused(call(path, by(APP_SECRET)), 1, "made with the app_secret");
        refused(call(path, by("old-secret")), 1, "made with the app_secret");
        refused(call(path, by("nobody's")), 1, "app_id, timestamp and master_secret");
        for secret in [APP_SECRET, MASTER_SECRET, "old-master", "old-secret"] {
            assert!(acceptor().read(&Lax, &call(path, by(secret)), NOW).is_ok(), "{secret}");
        }
    }
    let approve = |secret: &str| {
        let mut fields = json!({"channel": "ALI", "ids": ["r"], "agree": true});
        fields["app_sign"] = json!(sign(NOW.ms(), secret));
        as_master(Verb::Put, ONLINE, fields)
    };
    assert!(read(&approve(MASTER_SECRET)).is_ok());
    refused(approve(APP_SECRET), 1, "made with the app_secret");
    for path in ["/2/rest/refunds", "/2/rest/refunds/count", "/2/rest/refund/r1"] {
        assert!(read(&ask(path, json!({}))).is_ok());
        refused(ask(path, by(MASTER_SECRET)), 1, "made with the master_secret");
    }
}

#[test]
fn a_money_out_call_is_taken_for_five_minutes() {
    let at = |ms: i64| json!({"timestamp": ms, "app_sign": sign(ms, MASTER_SECRET)});
    for good in [-300_000, 300_000] {
        assert!(read(&call(ONLINE, at(NOW.ms() + good))).is_ok(), "{good}");
    }
    refused(call(ONLINE, at(NOW.ms() - 300_001)), 1, "at most 300 s");
    refused(call(ONLINE, at(NOW.ms() + 300_001)), 1, "at most 300 s");
}

#[test]
fn approvals_status_and_lists_are_read() {
    let approve = |patch: Value| {
        let mut fields = json!({"channel": "ALI", "ids": ["a", "b"], "agree": false, "deny_reason": "no"});
        fields.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
        as_master(Verb::Put, ONLINE, fields)
    };
    let approving = |patch: Value| match read(&approve(patch)).unwrap().call {
        FrontCall::Approve(approving) => *approving,
        other => panic!("{other:?}"),
    };
    let denied = |why: &str| Approval::Denied(why.to_owned());
    let plain = approving(json!({}));
    assert_eq!((plain.refunds, plain.approval), (vec!["a".to_owned(), "b".to_owned()], denied("no")));
    assert_eq!(approving(json!({"deny_reason": null, "denyReason": "nein"})).approval, denied("nein"));
    assert_eq!(approving(json!({"agree": true})).approval, Approval::Agreed);
    for (patch, code, name) in [
        (json!({"channel": null}), 4, "channel"),
        (json!({"channel": "ALI_WEB"}), 3, "channel"),
        (json!({"ids": null}), 4, "ids"),
        (json!({"ids": []}), 5, "ids"),
        (json!({"ids": [7]}), 5, "ids"),
        (json!({"ids": "a"}), 5, "ids"),
        (json!({"agree": null}), 4, "agree"),
        (json!({"agree": "true"}), 5, "agree"),
    ] {
        refused(approve(patch), code, name);
    }

    let status = |patch: Value| ask("/2/rest/refund/status", patch);
    for group in ["WX", "YEE", "KUAIQIAN", "BD"] {
        let asked = json!({"channel": group, "refund_no": "20240301000017", "bill_update_flag": "1"});
        let call = read(&status(asked)).unwrap().call;
        assert!(matches!(call, FrontCall::QueryRefund { number } if number == "20240301000017"));
    }
    refused(status(json!({"channel": "ALI", "refund_no": "1"})), 3, "channel");
    refused(status(json!({"channel": "XX", "refund_no": "1"})), 5, "channel");
    refused(status(json!({"refund_no": "1"})), 4, "channel");
    refused(status(json!({"channel": "WX"})), 4, "refund_no");
    refused(status(json!({"channel": "WX", "refund_no": "1", "bill_update_flag": 1})), 5, "bill_update_flag");

    let list = json!({"channel": "WX", "refund_no": "R", "bill_no": "B", "need_approval": true, "start_time": 1,
        "end_time": 2, "skip": 3, "limit": 60});
    let FrontCall::ListRefunds(filter) = read(&ask("/2/rest/refunds", list.clone())).unwrap().call else {
        panic!()
    };
    assert_eq!((filter.number.as_deref(), filter.order.as_deref()), (Some("R"), Some("B")));
    assert_eq!((filter.code.as_deref(), filter.approval), (Some("WX"), Some(true)));
    assert_eq!((filter.from, filter.to), (Some(Timestamp::from_ms(1)), Some(Timestamp::from_ms(2))));
    assert_eq!((filter.skip, filter.limit), (3, 50));
    assert!(matches!(read(&ask("/2/rest/refunds/count", list)).unwrap().call, FrontCall::CountRefunds(_)));
    let by_id = read(&ask("/2/rest/refund/r-1", json!({}))).unwrap().call;
    assert!(matches!(by_id, FrontCall::ListRefunds(filter) if filter.id.as_deref() == Some("r-1")));
    for (name, bad) in [
        ("refund_no", json!(7)),
        ("need_approval", json!("true")),
        ("limit", json!(-1)),
        ("channel", json!("XX")),
    ] {
        refused(ask("/2/rest/refunds", json!({name: bad})), 5, name);
    }
}

fn record(state: FrontRefundState) -> FrontRefundRecord {
    FrontRefundRecord {
        id: "rf-1".to_owned(),
        number: "20240301000018".to_owned(),
        order: order(|order| "bill ALI_WEB ALI".clone_into(&mut order.memo)),
        amount: Money::fen(1),
        state,
        created_at: Timestamp::from_ms(1_709_254_800_500),
        ended_at: None,
        echo: Value::Null,
    }
}

fn told(request: &WireRequest, state: FrontRefundState) -> Value {
    answered(request, FrontAnswer::Refund(Some(Box::new(record(state)))))
}

fn needs_action() -> FrontRefundState {
    FrontRefundState::NeedsAction { url: "https://ali.example/refund?x=1".to_owned() }
}

#[test]
fn an_accepted_refund_is_not_a_done_one_but_at_a_till() {
    let online = call(ONLINE, json!({}));
    let ok = json!({"result_code": 0, "result_msg": "OK", "err_detail": "", "id": "rf-1"});
    for state in [FrontRefundState::Pending, FrontRefundState::AwaitsApproval, FrontRefundState::Done] {
        assert_eq!(told(&online, state), ok);
    }
    assert_eq!(told(&online, needs_action())["url"], "https://ali.example/refund?x=1");
    assert_eq!(told(&online, FrontRefundState::Failed)["result_code"], 7);
    let till = call(TILL, json!({}));
    for (state, done) in [(FrontRefundState::Done, true), (FrontRefundState::Pending, false)] {
        let body = told(&till, state);
        assert_eq!((&body["refund_result"], &body["id"]), (&json!(done), &json!("rf-1")));
        assert_eq!(body["pay_result"], false, "Java wants it in every till answer");
    }
    for request in [&online, &till] {
        let doubt = answered(request, FrontAnswer::InDoubt);
        assert_eq!((&doubt["result_code"], doubt.get("id")), (&json!(14), None));
    }
}

#[test]
fn refusals_of_refunds_have_their_codes() {
    for (refusal, code) in [
        (FrontRefusal::NoSuchOrder, 8),
        (FrontRefusal::OrderUnpaid, 9),
        (FrontRefusal::RefundTooLate, 10),
        (FrontRefusal::RefundInProgress, 11),
        (FrontRefusal::RefundTooLarge, 12),
        (FrontRefusal::NoSuchRefund, 13),
        (FrontRefusal::NumberTaken, 5),
        (FrontRefusal::Upstream("no".to_owned()), 7),
        (FrontRefusal::Code(16), 16),
    ] {
        for path in [ONLINE, TILL] {
            let body = answered(&call(path, json!({})), FrontAnswer::Refused(refusal.clone()));
            assert_eq!(body["result_code"], code, "{refusal:?}");
            assert_eq!(body.get("refund_result"), (path == TILL).then_some(&json!(false)));
        }
    }
}

#[test]
fn the_state_of_a_refund_has_three_words() {
    let status = ask("/2/rest/refund/status", json!({"channel": "WX", "refund_no": "20240301000018"}));
    for (state, word) in [
        (FrontRefundState::Done, "SUCCESS"),
        (FrontRefundState::Failed, "FAIL"),
        (FrontRefundState::Pending, "PROCESSING"),
        (FrontRefundState::AwaitsApproval, "PROCESSING"),
        (needs_action(), "PROCESSING"),
    ] {
        assert_eq!(told(&status, state)["refund_status"], word);
    }
    assert_eq!(answered(&status, FrontAnswer::Refund(None))["result_code"], 13);
}

#[test]
fn records_of_refunds_have_every_field() {
    let list = ask("/2/rest/refunds", json!({}));
    let row = |state| answered(&list, FrontAnswer::Refunds(vec![record(state)]))["refunds"][0].clone();
    assert_eq!(
        row(FrontRefundState::Done),
        json!({"id": "rf-1", "bill_no": NUMBER, "refund_no": "20240301000018", "title": "红茶 A", "channel": "ALI",
            "sub_channel": "ALI_WEB", "total_fee": 1023, "refund_fee": 1, "finish": true, "result": true,
            "optional": "{}", "create_time": 1_709_254_800_500_i64})
    );
    for (state, finish, result) in [
        (FrontRefundState::Failed, true, false),
        (FrontRefundState::Pending, false, false),
        (FrontRefundState::AwaitsApproval, false, false),
        (needs_action(), false, false),
    ] {
        let row = row(state);
        assert_eq!((&row["finish"], &row["result"]), (&json!(finish), &json!(result)));
    }
    let detailed = ask("/2/rest/refunds", json!({"need_detail": true}));
    let row =
        answered(&detailed, FrontAnswer::Refunds(vec![record(FrontRefundState::Done)]))["refunds"][0].clone();
    assert!(row["message_detail"].is_string());
    assert_eq!(answered(&list, FrontAnswer::Refunds(Vec::new()))["refunds"], json!([]));
    assert_eq!(answered(&ask("/2/rest/refunds/count", json!({})), FrontAnswer::Count(3))["count"], 3);
    let one = ask("/2/rest/refund/rf-1", json!({}));
    let body = answered(&one, FrontAnswer::Refunds(vec![record(FrontRefundState::Done)]));
    assert_eq!(body["refund"]["refund_no"], "20240301000018");
    let absent = answered(&one, FrontAnswer::Refunds(Vec::new()));
    assert_eq!((&absent["result_code"], absent.get("refund")), (&json!(13), None));
}

#[test]
fn an_approval_always_answers_its_map() {
    let approve = as_master(Verb::Put, ONLINE, json!({"channel": "ALI", "ids": ["a"], "agree": true}));
    let one = |id: &str, outcome| FrontApproved { id: id.to_owned(), outcome };
    let page = || Ok(Some("https://ali.example/".to_owned()));
    let each = vec![one("a", page()), one("b", Ok(None)), one("c", Err("no such refund".to_owned()))];
    let body = answered(&approve, FrontAnswer::Approved(each));
    let results = json!({"a": "OK", "b": "OK", "c": "no such refund"});
    assert_eq!((&body["result_map"], &body["url"]), (&results, &json!("https://ali.example/")));
    assert_eq!(answered(&approve, FrontAnswer::Approved(Vec::new())).get("url"), None);
    let refused = answered(&approve, FrontAnswer::Refused(FrontRefusal::NoSuchRefund));
    assert_eq!((&refused["result_code"], &refused["result_map"]), (&json!(13), &json!({})));
}

#[test]
fn the_webhook_of_a_refund_is_the_vectors() {
    let fact = FrontFact::Refunded(Box::new(record(FrontRefundState::Done)));
    let request = acceptor().notice(&account(), &fact, Timestamp::from_ms(1_709_258_400_123));
    let file: Value = serde_json::from_str(include_str!("../data/vectors.json")).unwrap();
    let vector = file["vectors"].as_array().unwrap().iter().find(|one| one["id"] == "bc-v5").unwrap();
    let want: Value = serde_json::from_str(vector["message"].as_str().unwrap()).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&request.body).unwrap(), want);
}
