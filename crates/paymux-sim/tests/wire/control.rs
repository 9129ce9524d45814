//! The simulator's own paths: paying, the books, faults and counts, and the pages for people.

use paymux_sim::{BeeCloudSim, SimConfig, StartError};
use serde_json::{Value, json};

use crate::support::*;

#[tokio::test]
async fn a_call_pays() {
    let sim = start(config()).await;
    for (number, body, received, discount) in [
        ("PAYING0001", json!({}), 1000, 0),
        ("PAYING0002", json!({"discount": 100}), 900, 100),
        ("PAYING0003", json!({"amount": 999}), 999, 0),
    ] {
        create(&sim, number, 1000).await;
        let answer = post(&sim, &format!("/sim/pay/{number}"), &body).await;
        assert_eq!(answer.status(), 200);
        let order = answer.json();
        assert_eq!((&order["state"], &order["received"]), (&json!("paid"), &json!(received)));
        assert_eq!(order["discount"], discount);
        assert_eq!(post(&sim, &format!("/sim/pay/{number}"), &body).await.status(), 409);
    }
    create(&sim, "PAYING0004", 1000).await;
    assert_eq!(
        request(&sim, "POST", "/sim/pay/PAYING0004", "", "").await.status(),
        200,
        "no body pays in full"
    );
    sim.stop().await;
}

#[tokio::test]
async fn a_payment_that_cannot_be_is_refused_with_a_reason() {
    let sim = start(config()).await;
    create(&sim, "PAYING0001", 1000).await;
    check(&sim, "PAYING0002", json!({}), 404, "no order `PAYING0002`").await;
    check(&sim, "PAYING0001", json!({"amount": 0}), 400, "from 1 to").await;
    check(&sim, "PAYING0001", json!({"amount": 1.5}), 400, "invalid type").await;
    check(&sim, "PAYING0001", json!({"sum": 1}), 400, "unknown field `sum`").await;
    check(&sim, "PAYING0001", json!([5, 0, false]), 400, "write a JSON object").await;
    assert_eq!(sim.bank().stats().paid, 0);
    sim.stop().await;

    async fn check(sim: &paymux_sim::Running, number: &str, body: Value, status: u16, why: &str) {
        let answer = post(sim, &format!("/sim/pay/{number}"), &body).await;
        assert_eq!(answer.status(), status, "{body}");
        assert!(answer.json()["error"].as_str().unwrap().contains(why), "{}", answer.text());
    }
}

#[tokio::test]
async fn a_person_pays_on_the_page() {
    let mut hook = Hook::new().await;
    let sim = start(SimConfig { accounts: vec![account(Some(hook.url.clone()))], ..config() }).await;
    let mut call = bill(NUMBER, 1023);
    call["title"] = json!("<b>茶</b> & \"x\"");
    call["return_url"] = json!("https://shop.example/back?a=1&b=2");
    let code_url =
        post(&sim, "/2/rest/bill", &signed(call)).await.json()["code_url"].as_str().unwrap().to_owned();
    let path = code_url.strip_prefix(&sim.base_url()).unwrap().to_owned();

    let page = get(&sim, &path).await;
    assert_eq!((page.status(), page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(page.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
    for part in
        ["10.23 CNY", "<svg", "<button>pay</button>", "&lt;b&gt;茶&lt;/b&gt; &amp; &quot;x&quot;", NUMBER]
    {
        assert!(page.text().contains(part), "{part} in {}", page.text());
    }
    assert!(!page.text().contains("<b>"));

    let form = "application/x-www-form-urlencoded";
    let clicked = request(&sim, "POST", &path, form, "amount=&discount=").await;
    assert_eq!((clicked.status(), clicked.header("location")), (303, Some(code_url.as_str())));
    assert!(hook.next().await.is_genuine());
    let page = get(&sim, &path).await;
    assert!(page.text().contains("<p>paid</p>") && !page.text().contains("<button>"));
    assert!(page.text().contains("href=\"https://shop.example/back?a=1&amp;b=2\""));

    let again = request(&sim, "POST", &path, form, "").await;
    assert_eq!(again.status(), 409);
    assert!(again.text().contains("paid already"));
    assert_eq!(request(&sim, "POST", &path, form, "amount=ten").await.status(), 400);
    assert_eq!(get(&sim, "/sim/pay/NOSUCHORDER").await.status(), 404);
    assert!(get(&sim, "/sim").await.text().contains(NUMBER));
    sim.stop().await;
}

#[tokio::test]
async fn two_accounts_may_use_one_number() {
    let other = BeeCloudSim::account("other", 1, None);
    let text = |name: &str| other.settings[name].as_str().unwrap().to_owned();
    let (other_id, other_secret) = (text("app_id"), text("app_secret"));
    let sim = start(SimConfig { accounts: vec![account(None), other], ..config() }).await;
    assert_eq!(create(&sim, NUMBER, 1).await.code(), 0);
    let theirs = signed_as(&other_id, &other_secret, bill(NUMBER, 2));
    let theirs = post(&sim, "/2/rest/bill", &theirs).await.json();
    assert_eq!(theirs["code_url"], format!("{}/sim/pay/{NUMBER}?account=other", sim.base_url()));

    assert_eq!(post(&sim, &format!("/sim/pay/{NUMBER}"), &json!({})).await.status(), 409);
    let paid = post(&sim, &format!("/sim/pay/{NUMBER}?account=other"), &json!({})).await.json();
    assert_eq!((&paid["account"], &paid["received"]), (&json!("other"), &json!(2)));
    assert_eq!(get(&sim, &format!("/sim/orders/{NUMBER}?account=main")).await.json()["state"], "open");
    // An account sees its own orders only.
    let mine = get_para(&sim, "/2/rest/bills", &signed(json!({}))).await.json();
    assert_eq!(mine["bills"].as_array().unwrap().len(), 1);
    sim.stop().await;
}

#[tokio::test]
async fn the_books_are_open() {
    let sim = start(config()).await;
    for n in 1..=3 {
        create(&sim, &format!("BOOKED000{n}"), n).await;
    }
    let books = get(&sim, "/sim/orders").await.json();
    assert_eq!(books["orders"].as_array().unwrap().len(), 3);
    assert_eq!(get(&sim, "/sim/orders?limit=2").await.json()["orders"].as_array().unwrap().len(), 2);
    assert_eq!(get(&sim, "/sim/orders?limit=x").await.status(), 400);
    let one = get(&sim, "/sim/orders/BOOKED0002").await.json();
    assert_eq!((&one["amount"], &one["method"]), (&json!(2), &json!("wechat.native")));
    let by_id = get(&sim, &format!("/sim/orders/{}", one["id"].as_str().unwrap())).await.json();
    assert_eq!(by_id["number"], "BOOKED0002");
    assert_eq!(get(&sim, "/sim/orders/BOOKED0009").await.status(), 404);
    assert_eq!(get(&sim, "/sim/nothing").await.status(), 404);
    assert_eq!(get(&sim, "/simple").await.status(), 404);
    sim.stop().await;
}

#[tokio::test]
async fn faults_are_scripted_by_calls() {
    let sim = start(config()).await;
    let plan = json!({
        "calls": [{"operation": "pay", "times": 2, "fault": {"kind": "http_500"}}],
        "notices": [{"fault": {"kind": "lost"}}],
    });
    let stands = post(&sim, "/sim/faults", &plan).await;
    assert_eq!((stands.status(), &stands.json()["calls"][0]["times"]), (200, &json!(2)));
    assert_eq!(create(&sim, NUMBER, 1).await.status(), 500);
    assert_eq!(get(&sim, "/sim/faults").await.json()["calls"][0]["times"], 1);
    let wrong = post(&sim, "/sim/faults", &json!({"calls": [{"fault": {"kind": "flood"}}]})).await;
    assert_eq!(wrong.status(), 400);
    assert!(wrong.json()["error"].as_str().unwrap().contains("unknown variant `flood`"), "{}", wrong.text());
    assert_eq!(
        request(&sim, "DELETE", "/sim/faults", "", "").await.json(),
        json!({"calls": [], "notices": []})
    );
    assert_eq!(create(&sim, NUMBER, 1).await.code(), 0);

    let stats = get(&sim, "/sim/stats").await.json();
    assert_eq!((&stats["calls"]["pay"], &stats["numbers"][NUMBER]["pay"]), (&json!(2), &json!(2)));
    assert_eq!((&stats["orders"], &stats["faults"]["http_500"]), (&json!(1), &json!(1)));
    assert_eq!(stats["misreadings"], 0);
    sim.stop().await;
}

#[tokio::test]
async fn a_wrong_set_up_is_refused_with_its_place() {
    check(SimConfig::default(), "accounts: give at least one").await;
    check(SimConfig { accounts: vec![account(None), account(None)], ..config() }, "`main` stands twice")
        .await;
    let mut short = account(None);
    short.settings.remove("master_secret");
    check(SimConfig { accounts: vec![short], ..config() }, "accounts.main.master_secret: required").await;
    let nowhere = account(Some("ftp://h/".to_owned()));
    check(SimConfig { accounts: vec![nowhere], ..config() }, "accounts.main.notify_url: the scheme").await;
    let sim = start(config()).await;
    check(SimConfig { listen: sim.addr(), ..config() }, "cannot listen on 127.0.0.1").await;
    sim.stop().await;

    async fn check(config: SimConfig, want: &str) {
        let error: StartError = BeeCloudSim::start(config).await.unwrap_err();
        assert!(error.to_string().contains(want), "{error}");
    }
}
