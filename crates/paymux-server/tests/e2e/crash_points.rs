//! Crash points that answer with an error, and the builds that have none.
//!
//! What happens when the process dies at one is the crash harness's work: see [`crash`](crate::crash).

/// With the feature, as `cargo xtask ci` builds the tests.
#[cfg(feature = "crash-points")]
mod armed {
    use std::os::unix::process::ExitStatusExt as _;
    use std::time::Duration;

    use paymux_sim::{NoticeFault, NoticeOutcome, OrderView, Rule, SimConfig};
    use serde_json::{Value, json};
    use tokio::time::{sleep, timeout};

    use crate::database::Kind;
    use crate::merchant::Notice;
    use crate::process::{Ended, PATIENCE, paymux};
    use crate::world::{World, order};

    #[tokio::test]
    async fn an_unknown_point_is_a_mistake() {
        for (point, why) in [
            (
                "create.nowhere:abort:1",
                "PAYMUX_CRASH_POINT: there is no crash point `create.nowhere`; there are",
            ),
            (
                "create.before_call:error:1",
                "PAYMUX_CRASH_POINT: crash point `create.before_call` cannot fail",
            ),
            ("create.before_call", "PAYMUX_CRASH_POINT: `create.before_call`: write `name:action:n`"),
        ] {
            let mut command = paymux(["keys", "new"]);
            command.env("PAYMUX_CRASH_POINT", point);
            let ended = Ended::of(command).await;
            assert!(ended.code == Some(2) && ended.err.contains(why), "{point}: {ended:?}");
        }
    }

    /// Where a callback can break between its coming and its acknowledgement, and how often it is then
    /// stored as known when it comes again, by what happens there: an error, or a delay beyond the
    /// provider's patience. That the process dies there is the crash harness's work.
    const CALLBACK_POINTS: [(&str, [i64; 2]); 4] = [
        ("callback.before_apply", [0, 1]),
        ("callback.after_apply", [1, 1]),
        ("callback.before_keep", [1, 2]),
        ("callback.after_keep", [2, 2]),
    ];
    /// How long the provider waits for an acknowledgement; half as long as the delay.
    const NOTICE_TIMEOUT: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn a_callback_that_breaks_before_its_acknowledgement_comes_again_and_changes_nothing_twice() {
        let cases = CALLBACK_POINTS.into_iter().flat_map(|(point, known)| {
            ["error", "delay-2000"].into_iter().zip(known).map(move |(action, known)| (point, action, known))
        });
        futures_util::future::join_all(cases.map(|(point, action, known)| broken(point, action, known)))
            .await;
    }

    /// One payment whose callback comes twice, of which one breaks there.
    async fn broken(point: &str, action: &str, known: i64) {
        let case = format!("{point}:{action}:1");
        let sim = SimConfig {
            time_scale: 100.try_into().unwrap(),
            notice_timeout: NOTICE_TIMEOUT,
            ..SimConfig::default()
        };
        let mut world = World::start_hasty(Kind::Sqlite, sim).await;
        world.down().await;
        world.up_armed(&case).await;
        world.bank().strike_notice(Rule::once(NoticeFault::Duplicate)).unwrap();
        let created = world.create(&order("A1001")).await.body;
        let number = created["provider_order_no"].as_str().unwrap();
        world.bank().pay(number).unwrap();
        let is_over = |order: &OrderView| {
            order.notices.len() > 1
                && order.notices.last().is_some_and(|one| one.outcome == NoticeOutcome::Acknowledged)
        };
        let paid = world.bank().order_when(number, is_over).await;
        let broken = paid.notices.iter().filter(|one| one.outcome != NoticeOutcome::Acknowledged);
        assert_eq!(broken.count(), 1, "{case}: {:?}", paid.notices);
        let id = created["id"].as_str().unwrap();
        let payment = world.payment_once(id, |payment| payment["status"] == "succeeded").await;
        assert_eq!(payment["amount_received"], 1999, "{case}");
        let known = (known > 0).then(|| ("duplicate".to_owned(), known));
        let want: Vec<_> = [("applied".to_owned(), 1)].into_iter().chain(known).collect();
        let stored = async {
            while world.database().pairs(VERDICTS).await != want {
                sleep(Duration::from_millis(20)).await;
            }
        };
        let is_stored = timeout(PATIENCE, stored).await.is_ok();
        assert!(is_stored, "{case}: {:?} are stored, not {want:?}", world.database().pairs(VERDICTS).await);
        assert_eq!(world.notices_once(1).await.len(), 1, "{case}");
        world.end().await;
    }

    const VERDICTS: &str =
        "SELECT verdict, CAST(sum(times) AS bigint) FROM callbacks GROUP BY verdict ORDER BY verdict";

    #[tokio::test]
    async fn a_commit_that_sqlite_does_not_confirm_ends_the_process_and_nothing_else() {
        let mut world = World::start_hasty(Kind::Sqlite, SimConfig::default()).await;
        world.down().await;
        // Readiness itself writes; a few writes later a create is under way.
        world.up_armed("sqlite.after_commit:error:8").await;
        let mut place = 0;
        let status = loop {
            place += 1;
            let request = paymux_core::WireRequest::new(paymux_core::Verb::Post, "/v1/payments")
                .body("application/json", order(&format!("A{place}")).to_string());
            if world.http.send(crate::world::SHOP, request).await.is_err() {
                break world.take_process().ended().await.expect("it ends by itself");
            }
        };
        assert_eq!((status.code(), status.signal()), (Some(3), None), "it says that it could not go on");
        world.up().await;
        settled(&world, (1..=place).map(|place| format!("A{place}")).collect()).await;
        world.end().await;
    }

    #[tokio::test]
    async fn a_write_whose_answer_is_lost_is_done_once() {
        let mut world = World::start_hasty(Kind::Postgres, SimConfig::default()).await;
        let mut numbers = Vec::new();
        for point in ["postgres.before_write:error", "postgres.after_write:error"] {
            for visit in 1..=8 {
                world.down().await;
                world.up_armed(&format!("{point}:{visit}")).await;
                let order_no = format!("A{}", numbers.len());
                let answer = world.create(&order(&order_no)).await;
                assert!(matches!(answer.status, 201 | 503), "{point}:{visit}: {}", answer.text);
                numbers.push(order_no);
            }
        }
        settled(&world, numbers).await;
        world.end().await;
    }

    /// Each order, asked for again, is one payment with one order at the provider at the most, paid and
    /// told once; without an order nothing is claimed.
    async fn settled(world: &World, order_nos: Vec<String>) {
        let mut paid = Vec::new();
        for order_no in order_nos {
            let payment = asked_again(world, &order_no).await;
            assert_eq!(payment["attempts"].as_array().unwrap().len(), 1, "{payment}");
            let number = payment["provider_order_no"].as_str().unwrap();
            if world.bank().order(number).is_none() {
                assert!(matches!(payment["status"].as_str(), Some("processing" | "failed")), "{payment}");
                continue;
            }
            assert_eq!(world.bank().stats().creates(number), 1, "{order_no}: {payment}");
            world.bank().pay(number).unwrap();
            world.payment_once(payment["id"].as_str().unwrap(), |p| p["status"] == "succeeded").await;
            paid.push(Value::from(order_no));
        }
        assert!(paid.len() > 1, "too little was left to settle");
        assert_eq!(world.bank().orders().len(), paid.len(), "one order each");
        let succeeded = |notice: &Notice| notice.body["type"] == "payment.succeeded";
        let is_told = |order_no: &Value| {
            let told = world.merchant.notices();
            told.iter().filter(|notice| succeeded(notice)).any(|n| n.body["data"]["order_no"] == *order_no)
        };
        while !paid.iter().all(is_told) {
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// The payment of that number, once its create is over: asked for as a merchant should.
    async fn asked_again(world: &World, order_no: &str) -> Value {
        loop {
            let answer = world.create(&order(order_no)).await;
            let is_under_way = answer.body["attempts"][0]["state"] == json!("sending");
            if matches!(answer.status, 200 | 201) && !is_under_way {
                return answer.body;
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Without the feature, as every release is built.
#[cfg(not(feature = "crash-points"))]
#[tokio::test]
async fn a_build_without_crash_points_ignores_the_variable() {
    use crate::database::Kind;
    use crate::world::{World, order};

    let mut world = World::start(Kind::Sqlite).await;
    world.down().await;
    world.up_armed("create.before_call:abort:1").await;
    let created = world.create(&order("A1001")).await;
    assert_eq!((created.status, &created.body["status"]), (201, &serde_json::json!("pending")));
    world.end().await;
}
