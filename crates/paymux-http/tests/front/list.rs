//! Lists: pages, filters, and whose payments are in them.

use std::time::Duration;

use serde_json::Value;

use crate::world::{RIVAL, SHOP, World};

#[tokio::test(start_paused = true)]
async fn pages_follow_each_other_without_a_gap_or_a_repeat() {
    let world = World::new();
    let mut made = orders(&world, 5).await;
    made.reverse();
    let (mut seen, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = world.get(SHOP, &format!("/v1/payments?limit=2{cursor}")).await.json();
        seen.extend(names(&page));
        pages += 1;
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!((seen, pages), (made, 3));
}

#[tokio::test(start_paused = true)]
async fn a_page_that_fills_exactly_is_the_last() {
    let world = World::new();
    orders(&world, 2).await;
    let page = world.get(SHOP, "/v1/payments?limit=2").await.json();
    assert_eq!((names(&page).len(), &page["next_cursor"]), (2, &Value::Null));
    let empty = world.get(RIVAL, "/v1/payments").await.json();
    assert_eq!(empty, serde_json::json!({"data": [], "next_cursor": null}));
}

#[tokio::test(start_paused = true)]
async fn a_page_holds_20_unless_told_otherwise() {
    let world = World::new();
    orders(&world, 21).await;
    assert_eq!(names(&world.get(SHOP, "/v1/payments").await.json()).len(), 20);
    assert_eq!(names(&world.get(SHOP, "/v1/payments?limit=100").await.json()).len(), 21);
    assert_eq!(names(&world.get(SHOP, "/v1/payments?limit=1").await.json()).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn filters_keep_what_they_say() {
    let world = World::new();
    let made = orders(&world, 3).await;
    let at = |page: &Value| page["data"][0]["created_at"].as_str().unwrap().to_owned();
    let middle = at(&world.get(SHOP, &format!("/v1/payments?order_no={}", made[1])).await.json());
    for (query, want) in [
        (format!("order_no={}", made[1]), vec![&made[1]]),
        ("order_no=none".to_owned(), vec![]),
        ("status=pending".to_owned(), vec![&made[2], &made[1], &made[0]]),
        ("status=succeeded".to_owned(), vec![]),
        (format!("from={middle}"), vec![&made[2], &made[1]]),
        (format!("to={middle}"), vec![&made[0]]),
        (format!("from={middle}&to={middle}"), vec![]),
        ("from=2024-03-01T08:00:00%2B08:00&limit=1".to_owned(), vec![&made[2]]),
    ] {
        let page = world.get(SHOP, &format!("/v1/payments?{query}")).await.json();
        assert_eq!(names(&page).iter().collect::<Vec<_>>(), want, "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn bad_queries_are_named() {
    let world = World::new();
    for (query, param, says) in [
        ("page=2", "page", "known: order_no, status, from, to, limit, cursor"),
        ("limit=0", "limit", "1 to 100"),
        ("limit=101", "limit", "1 to 100"),
        ("limit=ten", "limit", "1 to 100"),
        ("limit=-1", "limit", "1 to 100"),
        ("limit=1&limit=2", "limit", "twice"),
        ("status=paid", "status", "known: processing, pending, succeeded"),
        ("status=", "status", "is empty"),
        ("status", "status", "is empty"),
        ("order_no=a%20b", "order_no", "1 to 64"),
        ("order_no=%FF", "order_no", "UTF-8"),
        ("from=yesterday", "from", "RFC 3339"),
        ("from=2024-03-01T08:00:00+08:00", "from", "%2B"),
        ("to=1709251200", "to", "RFC 3339"),
        ("cursor=x", "cursor", "next_cursor"),
        ("cursor=pay_00000000000070008000000000000000", "cursor", "next_cursor"),
    ] {
        let problem = world.get(SHOP, &format!("/v1/payments?{query}")).await.problem(400, "invalid_request");
        assert_eq!(problem["param"], param, "{query}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(says), "{query}: {problem}");
    }
}

#[tokio::test(start_paused = true)]
async fn another_apps_payments_are_in_no_list_of_ours() {
    let world = World::new();
    let made = orders(&world, 3).await;
    for query in ["", "?limit=100", "?status=pending", &format!("?order_no={}", made[0])] {
        let page = world.get(RIVAL, &format!("/v1/payments{query}")).await.json();
        assert_eq!(page["data"], serde_json::json!([]), "{query}");
    }
    let ours = world.get(SHOP, "/v1/payments?limit=1").await.json();
    let path = format!("/v1/payments?cursor={}", ours["next_cursor"].as_str().unwrap());
    assert_eq!(world.get(RIVAL, &path).await.json()["data"], serde_json::json!([]));
}

/// Makes that many payments, a millisecond apart, and gives their order numbers.
async fn orders(world: &World, count: u32) -> Vec<String> {
    let mut made = Vec::new();
    for i in 0..count {
        let order_no = format!("A{i}");
        world.created(&order_no).await;
        made.push(order_no);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    made
}

fn names(page: &Value) -> Vec<String> {
    let data = page["data"].as_array().unwrap();
    data.iter().map(|payment| payment["order_no"].as_str().unwrap().to_owned()).collect()
}
