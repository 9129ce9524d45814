//! What only BeeCloud does: the channel's calls, and how a client of the front reaches them.

use paymux_beecloud::native::{
    AddUsers, Assigned, Auth, Authenticated, Call, CouponList, Coupons, HistoryBills, IssueCoupon, OneCoupon,
    OneTemplate, TemplateById, UserList, Users,
};
use paymux_core::acceptor::{FrontAnswer, FrontCall, FrontRefusal};
use paymux_core::channel::Blame;
use paymux_core::{ChannelError, Verb, WireRequest};
use serde_json::{Value, json};

use crate::front::{Accounts, NOW, Offering, acceptor, ask, post};
use crate::rig::{APP_ID, Rig, reply};

/// What was asked of BeeCloud, as one object.
fn asked(rig: &Rig) -> Value {
    let call = rig.sent().pop().unwrap();
    let mut fields: Value = match call.request.verb {
        Verb::Get => serde_json::from_str(&call.request.query_value("para").unwrap()).unwrap(),
        _ => serde_json::from_slice(&call.request.body).unwrap(),
    };
    assert_eq!(fields["app_id"], APP_ID);
    for name in ["app_id", "timestamp", "app_sign"] {
        assert!(fields.as_object_mut().unwrap().remove(name).is_some(), "{name}");
    }
    fields
}

async fn call(rig: &Rig, operation: &str, body: Value) -> Result<Value, ChannelError> {
    rig.channel.native(&rig.cx(), operation, body).await
}

/// Makes a typed call against that answer; its verb, path and fields, and what was read.
async fn made<C: Call>(typed: C, answer: Value) -> (String, Value, C::Answer) {
    let rig = Rig::new(json!({})).answers([reply(0, answer)]);
    let told = call(&rig, C::OPERATION, serde_json::to_value(typed).unwrap()).await.unwrap();
    let request = rig.sent().pop().unwrap().request;
    let line = format!("{} {}", request.verb.as_str(), request.path);
    (line, asked(&rig), serde_json::from_value(told).unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_person_is_checked_by_two_three_or_four_factors() {
    let answer = || json!({"auth_result": false, "auth_msg": "no", "card_id": "c1"});
    let two = Auth::two_factors("王五", "11010519491231002X");
    let three = two.clone().with_card("6222020200112233");
    let four = three.clone().with_mobile("13800000000");
    for (check, factors) in [(two, 2), (three, 3), (four, 4)] {
        assert_eq!(format!("{check:?}"), format!("Auth {{ factors: {factors}, .. }}"));
        let (line, fields, told) = made(check, answer()).await;
        assert_eq!((line.as_str(), fields.as_object().unwrap().len()), ("POST /2/auth", factors));
        let card_id = Some("c1".to_owned());
        assert_eq!(told, Authenticated { auth_result: false, auth_msg: "no".to_owned(), card_id });
    }
}

#[tokio::test(start_paused = true)]
async fn buyers_and_their_old_orders() {
    let users = AddUsers { email: None, buyer_ids: vec!["u1".to_owned()] };
    let (line, fields, _) = made(users, json!({})).await;
    assert_eq!((line.as_str(), fields), ("POST /2/rest/users", json!({"buyer_ids": ["u1"]})));
    for rows in [json!(["u1"]), json!([{"buyer_id": "u1", "email": "x"}])] {
        let (line, _, list): (_, _, UserList) = made(Users::default(), json!({"users": rows})).await;
        assert_eq!((line.as_str(), list.users[0].buyer_id.as_str()), ("GET /2/rest/users", "u1"));
    }
    let bills = || [("u1".to_owned(), vec!["A1".to_owned()])].into();
    let call = HistoryBills { bill_info: bills() };
    let (line, _, told) = made(call, json!({"failed_bills": {"u1": ["A1"]}})).await;
    assert_eq!((line.as_str(), told), ("PUT /2/rest/history_bills", Assigned { failed_bills: bills() }));
}

#[tokio::test(start_paused = true)]
async fn coupons_and_their_templates() {
    let template =
        json!({"id": "t1", "name": "spring", "type": 1, "limit_fee": 100, "discount": 0.9, "status": 1});
    let coupon = |template: Value| json!({"id": "c1", "user_id": "u1", "status": 0, "template": template, "start_time": 1, "use_time": null});
    let issue = IssueCoupon { template_id: "t1".to_owned(), user_id: "u1".to_owned() };
    let (line, _, told): (_, _, OneCoupon) = made(issue, json!({"coupon": coupon(template.clone())})).await;
    assert_eq!(line, "POST /2/rest/coupon");
    assert_eq!(told.coupon.template.unwrap().discount.to_string(), "0.9", "as digits");
    let all = Coupons { user_id: Some("u1".to_owned()), ..Coupons::default() };
    let (line, fields, list): (_, _, CouponList) = made(all, json!({"coupons": [coupon(json!("t1"))]})).await;
    assert_eq!((line.as_str(), fields), ("GET /2/rest/coupon", json!({"user_id": "u1"})));
    assert_eq!(list.coupons[0].template, None, "text in the place of a template");
    let by_id = TemplateById { id: "t/1".to_owned() };
    let (line, fields, told): (_, _, OneTemplate) = made(by_id, json!({"coupon_template": template})).await;
    assert_eq!((line.as_str(), fields), ("GET /2/rest/coupon/template/t%2F1", json!({})));
    assert_eq!(told.coupon_template.limit_fee, 100);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_breaks_a_rule_is_not_sent() {
    let rig = Rig::new(json!({}));
    for (operation, body, code, what) in [
        ("auth", json!({"name": "W"}), "4", "id_no is missing"),
        ("auth", json!({"name": "W", "id_no": 7}), "5", "id_no"),
        (
            "auth",
            json!({"name": "W", "id_no": "1", "app_secret": "x"}),
            "5",
            "`app_secret` is no field of `auth`",
        ),
        ("add_user", json!({"buyer_id": "u".repeat(33)}), "5", "buyer_id"),
        ("add_users", json!({"buyer_ids": []}), "5", "buyer_ids"),
        ("history_bills", json!({"bill_info": {"u": "A1"}}), "5", "bill_info"),
        ("coupons", json!({"limit": -1}), "5", "limit"),
        ("coupon", json!([]), "5", "one JSON object"),
    ] {
        let Err(ChannelError::Refused(refusal)) = call(&rig, operation, body).await else {
            panic!("{operation}")
        };
        assert_eq!((refusal.code.as_str(), refusal.blame), (code, Blame::Request), "{}", refusal.message);
        assert!(refusal.message.contains(what), "{}", refusal.message);
    }
    assert_eq!(call(&rig, "revert", json!({})).await, Err(ChannelError::Unsupported));
    assert!(rig.sent().is_empty());
    let first = Rig::new(json!({"api_version": "v1"}));
    let check = json!({"name": "W", "id_no": "1"});
    assert_eq!(call(&first, "auth", check).await, Err(ChannelError::Unsupported));
}

#[tokio::test(start_paused = true)]
async fn what_is_said_of_a_person_is_not_repeated_and_a_lost_answer_is_unknown() {
    let check = || json!({"name": "王五", "id_no": "11010519491231002X"});
    let rig = Rig::new(json!({})).answers([reply(5, json!({"err_detail": "王五 is nobody"}))]);
    let error = call(&rig, "auth", check()).await.unwrap_err();
    assert!(matches!(&error, ChannelError::Refused(refusal) if refusal.code == "5"), "{error}");
    assert!(!error.to_string().contains("王五"), "{error}");
    for code in [7, 14, 15, 99] {
        let rig = Rig::new(json!({})).answers([reply(code, json!({}))]);
        assert!(matches!(call(&rig, "auth", check()).await, Err(ChannelError::Unknown(_))), "{code}");
        assert_eq!(rig.sent().len(), 1, "never again by itself");
    }
}

fn read(request: &WireRequest) -> (Option<String>, &'static str, Value) {
    match acceptor().read(&Offering, request, NOW).map(|read| read.call) {
        Ok(FrontCall::Native { channel, operation, fields }) => (channel, operation, fields),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_client_reaches_it_with_the_fields_of_the_call_alone() {
    let bee = Some("bee".to_owned());
    let stale = json!({"name": "W", "id_no": "1", "card_no": "", "bill_no": "A1", "master_secret": "m"});
    let want = (bee.clone(), "auth", json!({"name": "W", "id_no": "1"}));
    assert_eq!(read(&post("/2/auth", stale)), want);
    let put =
        WireRequest { verb: Verb::Put, ..post("/2/rest/history_bills", json!({"bill_info": {"u": ["A1"]}})) };
    assert_eq!(read(&put).1, "history_bills");
    assert_eq!(read(&ask("/2/rest/users", json!({"start_time": 1}))).2, json!({"start_time": 1}));
    let by_id = ask("/2/rest/coupon/c1", json!({"id": "another"}));
    assert_eq!(read(&by_id), (bee, "coupon", json!({"id": "c1"})));
    assert_eq!(read(&ask("/2/rest/coupon/template", json!({}))).1, "coupon_templates");
    assert_eq!(read(&ask("/2/rest/coupon/template/t1", json!({}))).1, "coupon_template");
}

#[test]
fn a_client_is_told_what_is_wrong_or_not_offered() {
    let check = || json!({"name": "W", "id_no": "1"});
    for (accounts_offer, request, code) in [
        (true, post("/2/auth", json!({"name": "W"})), 4),
        (true, post("/2/auth", json!({"name": 7, "id_no": "1"})), 5),
        (false, post("/2/auth", check()), 3),
        (false, ask("/2/rest/users", json!({})), 3),
    ] {
        let read = if accounts_offer {
            acceptor().read(&Offering, &request, NOW)
        } else {
            acceptor().read(&Accounts, &request, NOW)
        };
        let body: Value = serde_json::from_slice(&read.unwrap_err().body).unwrap();
        assert_eq!(body["result_code"], code, "{body}");
    }
    let request = post("/2/auth", check());
    let read = acceptor().read(&Offering, &request, NOW).unwrap();
    assert!(acceptor().sign(&read, &request).is_some(), "it costs money");
    let answered = |answer: FrontAnswer| -> Value {
        serde_json::from_slice(&acceptor().answer(&read, &answer, NOW).body).unwrap()
    };
    let told = json!({"auth_result": true, "result_code": 7, "err_detail": "x"});
    let good = answered(FrontAnswer::Native(told.as_object().unwrap().clone()));
    assert_eq!(good, json!({"auth_result": true, "result_code": 0, "result_msg": "OK", "err_detail": ""}));
    let refusal = FrontRefusal::Told { code: 5, detail: "id_no".to_owned() };
    let bad = answered(FrontAnswer::Refused(refusal));
    assert_eq!((&bad["result_code"], &bad["errMsg"]), (&json!(5), &json!("id_no")));
    assert_eq!((&bad["err_detail"], &bad["auth_result"]), (&json!("id_no"), &json!(false)));
    assert_eq!(answered(FrontAnswer::InDoubt)["result_code"], 14);
}
