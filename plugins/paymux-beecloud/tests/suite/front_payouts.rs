//! The server side of payouts: which calls it takes, for whom, and what it answers.

use std::collections::BTreeMap;

use paymux_core::acceptor::{
    FrontAnswer, FrontCall, FrontFact, FrontPayOut, FrontPayoutRecord, FrontRefusal, FrontStanding,
};
use paymux_core::{Money, Timestamp, Verb, WireRequest, WireResponse};
use serde_json::{Value, json};

use crate::front::{Accounts, NOW, Offering, acceptor, account, as_master, ask, sign};
use crate::rig::{APP_ID, APP_SECRET, MASTER_SECRET};

const BANK: &str = "/2/rest/bc_transfer";
const WALLET: &str = "/2/rest/transfer";
const BATCH: &str = "/2/rest/transfers";

fn call(path: &str, patch: Value) -> WireRequest {
    let mut fields = match path {
        BANK => {
            json!({"total_fee": 700, "bill_no": "PAYOUT20240301", "title": "wages", "trade_source": "OUT_PC",
            "bank_fullname": "中国银行", "card_type": "DE", "account_type": "P", "account_no": "6222020200112233",
            "account_name": "王五", "notify_url": "https://shop.example/n", "optional": {"a": 1}})
        }
        WALLET => json!({"channel": "ALI_TRANSFER", "transfer_no": "PAYOUT20240302", "total_fee": 700,
            "desc": "wages", "channel_user_id": "w@example.com", "channel_user_name": "王五",
            "account_name": "Tea Ltd"}),
        _ => {
            json!({"channel": "ALI", "batch_no": "BATCH202403", "account_name": "Tea Ltd", "transfer_data": [
            {"transfer_id": "1", "receiver_account": "w@example.com", "receiver_name": "王五", "transfer_fee": 10,
                "transfer_note": "wages"},
            {"transfer_id": "2", "receiver_account": "x@example.com", "receiver_name": "赵六", "transfer_fee": 20}]})
        }
    };
    fields.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
    as_master(Verb::Post, path, fields)
}

fn read(request: &WireRequest) -> Result<(FrontCall, String), (i64, String)> {
    acceptor().read(&Offering, request, NOW).map(|read| (read.call, read.memo)).map_err(code)
}

fn code(answer: WireResponse) -> (i64, String) {
    assert_eq!(answer.status, 200);
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    (body["result_code"].as_i64().unwrap(), body["err_detail"].as_str().unwrap().to_owned())
}

fn asked(request: &WireRequest) -> FrontPayOut {
    match read(request) {
        Ok((FrontCall::PayOut(asked), _)) => *asked,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn refused(request: WireRequest, want: i64, detail: &str) {
    let (got, why) = read(&request).map(|read| panic!("taken: {read:?}")).unwrap_err();
    assert_eq!(got, want, "{why}");
    assert!(why.contains(detail), "{why}");
}

#[test]
fn who_receives_is_handed_on_under_common_names() {
    let bank = asked(&call(BANK, json!({"mobile": "13800000000"})));
    assert_eq!(
        (bank.channel.as_str(), bank.notify_url.as_deref()),
        ("payer", Some("https://shop.example/n"))
    );
    assert_eq!((bank.items.len(), &bank.echo), (1, &json!({"a": 1})));
    let one = &bank.items[0];
    assert_eq!(
        (one.number.as_str(), one.amount, one.product),
        ("PAYOUT20240301", Money::fen(700), "bank_card")
    );
    for (name, text) in [
        ("account_no", "6222020200112233"),
        ("account_name", "王五"),
        ("bank_fullname", "中国银行"),
        ("card_type", "DE"),
        ("account_type", "P"),
        ("mobile", "13800000000"),
    ] {
        assert!(one.payee[name].matches(text), "{name}");
    }
    let ali = &asked(&call(WALLET, json!({}))).items[0];
    assert!(ali.payee["account"].matches("w@example.com") && ali.payee["wallet"].matches("alipay"));
    assert_eq!((ali.product, &ali.extra["payer_name"]), ("wallet", &json!("Tea Ltd")));
    let wechat = json!({"channel": "WX_TRANSFER", "channel_user_id": "o-1"});
    let wechat = &asked(&call(WALLET, wechat)).items[0];
    assert!(wechat.payee["openid"].matches("o-1") && wechat.payee["wallet"].matches("wechat"));
    let info = json!({"send_name": "Tea", "wishing": "Luck", "act_name": "Spring"});
    let red = json!({"channel": "WX_REDPACK", "channel_user_id": "o-1", "redpack_info": info});
    let (red, memo) = read(&call(WALLET, red)).unwrap();
    let FrontCall::PayOut(red) = red else { panic!("no payout") };
    assert_eq!((red.items[0].product, &red.items[0].extra["wishing"]), ("red_packet", &json!("Luck")));
    assert_eq!(memo, "payout WX_REDPACK WX");
    let batch = asked(&call(BATCH, json!({})));
    let numbers: Vec<_> =
        batch.items.iter().map(|item| (item.number.as_str(), item.amount.minor())).collect();
    assert_eq!(numbers, [("BATCH202403-1", 10), ("BATCH202403-2", 20)]);
    assert!(!format!("{bank:?}{batch:?}").contains("6222"), "nobody who receives stands in Debug");
}

#[test]
fn fields_are_missing_or_wrong_by_name() {
    for name in
        ["total_fee", "bill_no", "title", "trade_source", "bank_fullname", "account_no", "account_name"]
    {
        refused(call(BANK, json!({name: null})), 4, name);
    }
    for name in ["channel", "transfer_no", "total_fee", "desc", "channel_user_id", "channel_user_name"] {
        refused(call(WALLET, json!({name: null})), 4, name);
    }
    for name in ["channel", "batch_no", "account_name", "transfer_data"] {
        refused(call(BATCH, json!({name: null})), 4, name);
    }
    refused(call(BANK, json!({"card_type": "XX"})), 5, "card_type: must be one of DE, CR");
    refused(call(BANK, json!({"account_type": "X"})), 5, "account_type");
    refused(call(BANK, json!({"trade_source": "IN"})), 5, "trade_source");
    refused(call(BANK, json!({"total_fee": 0})), 5, "total_fee");
    refused(call(BANK, json!({"total_fee": "700"})), 5, "total_fee");
    refused(call(BANK, json!({"notify_url": "shop"})), 5, "notify_url");
    refused(call(WALLET, json!({"channel": "ALI"})), 5, "channel");
    refused(call(WALLET, json!({"channel": "WX_TRANSFER", "total_fee": 99})), 5, "100 to");
    let red =
        json!({"channel": "WX_REDPACK", "redpack_info": {"send_name": "a", "wishing": "b", "act_name": "c"}});
    let mut much = red.clone();
    much["total_fee"] = json!(20_001);
    refused(call(WALLET, much), 5, "100 to 20000 fen");
    refused(call(WALLET, json!({"channel": "WX_REDPACK"})), 4, "redpack_info");
    let mut nameless = red;
    nameless["redpack_info"]["wishing"] = json!("");
    refused(call(WALLET, nameless), 4, "redpack_info.wishing");
    refused(call(BATCH, json!({"transfer_data": []})), 5, "transfer_data");
    refused(call(BATCH, json!({"transfer_data": [7]})), 5, "transfer_data");
    refused(
        call(BATCH, json!({"transfer_data": [{"transfer_id": "1"}]})),
        4,
        "transfer_data[0].receiver_account",
    );
    let row = json!({"transfer_id": "1", "receiver_account": "a", "receiver_name": "b", "transfer_fee": 1});
    refused(call(BATCH, json!({"transfer_data": [row, row]})), 5, "each transfer_id must be there once");
    let mut long = row;
    long["transfer_id"] = json!("9".repeat(60));
    refused(call(BATCH, json!({"transfer_data": [long]})), 5, "transfer_data[0].transfer_id");
}

#[test]
fn the_master_secret_pays_out_within_five_minutes_where_a_channel_is_named() {
    for path in [BANK, WALLET, BATCH] {
        let by_app = json!({"app_sign": sign(NOW.ms(), APP_SECRET)});
        refused(call(path, by_app), 1, "made with the app_secret");
        let at = |ms: i64| json!({"timestamp": ms, "app_sign": sign(ms, MASTER_SECRET)});
        assert!(read(&call(path, at(NOW.ms() - 300_000))).is_ok());
        refused(call(path, at(NOW.ms() - 300_001)), 1, "at most 300 s");
        let (got, why) = code(acceptor().read(&Accounts, &call(path, json!({})), NOW).unwrap_err());
        assert_eq!(got, 3, "{why}");
        assert!(why.contains("payout_channel"), "{why}");
        let request = call(path, json!({}));
        let read = acceptor().read(&Offering, &request, NOW).unwrap();
        assert!(acceptor().sign(&read, &request).is_some(), "its sign is held to it");
    }
    let first = call(BATCH, json!({}));
    let first = WireRequest { path: "/1/rest/transfers".to_owned(), ..first };
    assert!(read(&first).is_ok());
}

/// One SDK asks for a batch with a GET.
#[test]
fn nothing_is_paid_out_on_a_get() {
    let batch = json!({"channel": "ALI", "batch_no": "BATCH202403", "account_name": "Tea Ltd",
        "transfer_data": [{"transfer_id": "1"}]});
    refused(ask(BATCH, batch), 5, "nothing is paid out on a GET");
    for path in [BANK, WALLET] {
        let (got, _) = read(&ask(path, json!({}))).map(|_| ()).unwrap_err();
        assert_eq!(got, 5, "{path}");
    }
    let asked =
        json!({"bill_no": "T1", "transfer_status": "SUCCESS", "start_time": 1, "end_time": 2, "skip": 3});
    let (FrontCall::ListPayouts(filter), _) = read(&ask(BATCH, asked.clone())).unwrap() else { panic!() };
    assert_eq!((filter.number.as_deref(), filter.standing), (Some("T1"), Some(FrontStanding::Done)));
    assert_eq!((filter.from, filter.to), (Some(Timestamp::from_ms(1)), Some(Timestamp::from_ms(2))));
    assert_eq!((filter.skip, filter.limit), (3, 10));
    let count = ask("/2/rest/transfers/count", asked);
    assert!(matches!(read(&count).unwrap().0, FrontCall::CountPayouts(_)));
    refused(ask(BATCH, json!({"transfer_status": "X"})), 5, "transfer_status");
}

/// It is asked for without a sign, so nobody knows for whom.
#[test]
fn no_list_of_banks_is_kept() {
    let banks = |kind: &str| {
        let para = format!("para=%7B%22type%22%3A%22{kind}%22%7D");
        WireRequest::new(Verb::Get, "/2/rest/bc_transfer/banks").query(para)
    };
    refused(banks("P_DE"), 3, "no list of banks");
    refused(banks("XX"), 5, "type");
}

fn record(standing: FrontStanding) -> FrontPayoutRecord {
    FrontPayoutRecord {
        id: "trf-1".to_owned(),
        number: "PAYOUT20240301".to_owned(),
        amount: Money::fen(700),
        memo: "payout BC_TRANSFER BC".to_owned(),
        reason: "wages".to_owned(),
        payee: BTreeMap::from([("account_no".to_owned(), "****2233".to_owned())]),
        trade_no: Some("4200".to_owned()),
        action_url: None,
        standing,
        created_at: Timestamp::from_ms(7),
        ended_at: None,
        echo: json!({"a": 1}),
    }
}

fn told(request: &WireRequest, answer: FrontAnswer) -> Value {
    let read = acceptor().read(&Offering, request, NOW).unwrap();
    let response = acceptor().answer(&read, &answer, NOW);
    let body: Value = serde_json::from_slice(&response.body).unwrap();
    assert!(body["result_code"].is_i64() && body["result_msg"].is_string() && body["err_detail"].is_string());
    body
}

#[test]
fn taken_in_is_not_paid_and_an_open_outcome_is_never_a_refusal() {
    let bank = call(BANK, json!({}));
    let taken = told(&bank, FrontAnswer::Payouts(vec![record(FrontStanding::UnderWay)]));
    assert_eq!((&taken["result_code"], &taken["id"], taken.get("url")), (&json!(0), &json!("trf-1"), None));
    let page = FrontPayoutRecord {
        action_url: Some("https://ali.example/p".to_owned()),
        ..record(FrontStanding::UnderWay)
    };
    assert_eq!(told(&bank, FrontAnswer::Payouts(vec![page]))["url"], "https://ali.example/p");
    let failed = told(&bank, FrontAnswer::Payouts(vec![record(FrontStanding::Failed)]));
    assert_eq!((&failed["result_code"], failed.get("id")), (&json!(7), None));
    assert_eq!(told(&bank, FrontAnswer::InDoubt)["result_code"], 14);
    for (refusal, code) in [
        (FrontRefusal::NumberTaken, 5),
        (FrontRefusal::MethodUnavailable, 3),
        (FrontRefusal::SignUsed, 1),
        (FrontRefusal::Field { name: "amount".to_owned(), rule: "too much".to_owned() }, 5),
    ] {
        assert_eq!(told(&bank, FrontAnswer::Refused(refusal))["result_code"], code);
    }
    let batch = call(BATCH, json!({}));
    let rows = vec![record(FrontStanding::Done), record(FrontStanding::Failed)];
    assert_eq!(told(&batch, FrontAnswer::Payouts(rows))["result_code"], 0, "each is asked for");
    let not_taken = vec![("BATCH202403-2".to_owned(), FrontRefusal::NumberTaken)];
    let partly = told(&batch, FrontAnswer::PartlyPaidOut(not_taken));
    assert_eq!(partly["result_code"], 5);
    assert!(partly["err_detail"].as_str().unwrap().starts_with("not taken: BATCH202403-2;"), "{partly}");
}

#[test]
fn a_list_says_where_each_stands() {
    let list = ask(BATCH, json!({}));
    let all = [FrontStanding::Done, FrontStanding::Failed, FrontStanding::UnderWay];
    let body = told(&list, FrontAnswer::Payouts(all.map(record).to_vec()));
    let words: Vec<_> =
        body["transfers"].as_array().unwrap().iter().map(|row| &row["transfer_status"]).collect();
    assert_eq!(words, ["SUCCESS", "FAIL", "PROCESSING"]);
    let row = &body["transfers"][0];
    assert_eq!(
        (&row["bill_no"], &row["total_fee"], &body["count"]),
        (&json!("PAYOUT20240301"), &json!(700), &json!(3))
    );
    assert_eq!((&row["account_no"], &row["optional"]), (&json!("****2233"), &json!("{\"a\":1}")));
    let count = ask("/2/rest/transfers/count", json!({}));
    assert_eq!(told(&count, FrontAnswer::Count(3))["count"], 3);
}

#[test]
fn the_webhook_is_signed_with_the_master_secret_and_wechat_has_none() {
    let fact = FrontFact::PaidOut(Box::new(record(FrontStanding::Done)));
    assert!(acceptor().tells(&fact));
    let body: Value = serde_json::from_slice(&acceptor().notice(&account(), &fact, NOW).body).unwrap();
    let signed = format!("{APP_ID}PAYOUT20240301TRANSFERBC700{MASTER_SECRET}");
    let digest = paymux_sign::Md5Text::new().piece(&signed).digest();
    assert_eq!(body["signature"], digest.to_hex().as_str());
    assert_eq!(
        (&body["sub_channel_type"], &body["transaction_type"]),
        (&json!("BC_TRANSFER"), &json!("TRANSFER"))
    );
    assert_eq!((&body["transaction_fee"], &body["optional"]), (&json!(700), &json!({"a": 1})));
    let wechat = FrontPayoutRecord { memo: "payout WX_REDPACK WX".to_owned(), ..record(FrontStanding::Done) };
    assert!(!acceptor().tells(&FrontFact::PaidOut(Box::new(wechat))));
}
