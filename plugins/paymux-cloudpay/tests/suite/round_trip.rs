//! Client and server side against each other: what one writes the other reads.

use paymux_core::acceptor::{FrontAnswer, FrontCall, FrontFact, FrontOrder};
use paymux_core::channel::{Blame, Opened};
use paymux_core::{ChannelError, Created, Money, NextAction, WireResponse};
use proptest::prelude::proptest;
use serde_json::json;

use crate::front::{Accounts, NOW, acceptor, account};
use crate::front_notices::order;
use crate::rig::{NUMBER, Rig, channel, get, page, post, stored};

#[tokio::test(start_paused = true)]
async fn a_create_is_read_as_it_was_meant() {
    let rig = Rig::new(json!({})).answers(page());
    let mut asked = rig.order("alipay.native");
    asked.extra.insert("custom".to_owned(), json!("张三 & co = 1%"));
    rig.create(&asked).await.unwrap();
    let sent = rig.transport.sent()[0].request.clone();
    let read = acceptor().read(&Accounts, &sent, NOW).unwrap();
    let FrontCall::Pay(pay) = &read.call else { panic!("{read:?}") };
    assert_eq!(
        (pay.number.as_str(), pay.amount, &pay.echo),
        (NUMBER, asked.amount, &json!("张三 & co = 1%"))
    );

    let action = NextAction::Redirect { url: "https://pay.example/pay/1".to_owned() };
    let answer =
        acceptor().answer(&read, &FrontAnswer::Opened { id: "1".to_owned(), action: Some(action) }, NOW);
    let want = Opened {
        action: Some(NextAction::Qr { qr: "https://pay.example/pay/1".to_owned() }),
        reference: None,
    };
    assert_eq!(answered(answer).await, Ok(Created::Open(want)));

    let doubt = answered(acceptor().answer(&read, &FrontAnswer::InDoubt, NOW)).await;
    assert!(matches!(doubt, Err(ChannelError::Unknown(_))), "{doubt:?}");
    let none = acceptor().answer(
        &read,
        &FrontAnswer::Refused(paymux_core::acceptor::FrontRefusal::MethodUnavailable),
        NOW,
    );
    let refused = answered(none).await;
    assert!(
        matches!(&refused, Err(ChannelError::Refused(why)) if why.blame == Blame::Provider),
        "{refused:?}"
    );
}

async fn answered(answer: WireResponse) -> Result<Created, ChannelError> {
    let rig = Rig::new(json!({})).answers(answer);
    rig.create(&rig.order("alipay.native")).await
}

#[test]
fn a_way_back_of_the_server_side_names_its_order_to_the_channel() {
    let query = crate::front_notices::way_back();
    assert_eq!(channel(json!({})).verify_return(&get(query)), Ok(NUMBER.to_owned()));
}

proptest! {
    #[test]
    fn a_notification_of_the_server_side_is_believed_by_the_channel(
        fen in 1_i64..1_000_000_000,
        received in 1_i64..1_000_000_000,
        id in "[a-z0-9_-]{1,40}",
        custom in ".{0,30}",
    ) {
        let told = FrontOrder {
            id,
            amount: Money::fen(fen),
            received: Some(Money::fen(received)),
            echo: json!(custom),
            ..order()
        };
        let notice = acceptor().notice(&account(json!({})), &FrontFact::Paid(Box::new(told)), NOW);
        let request = post(notice.body.to_vec());
        let claim = channel(json!({})).verify_callback(&request).unwrap();
        assert_eq!((claim.number.as_str(), claim.order_amount, claim.received), (NUMBER, Some(Money::fen(fen)), Money::fen(received)));
        assert!(channel(json!({})).fits(&request, &claim, &stored(fen, "alipay")).is_ok());
    }
}
