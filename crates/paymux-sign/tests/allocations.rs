//! Making and verifying a sign allocates nothing: counted, for every shape.

use std::hint::black_box;

use paymux_sign::{
    Decimal, HexCase, Md5Batch, Md5Digest, Md5Text, ReceivedWebhook, StampedMd5, WebhookMessage,
    WebhookSecret,
};

const KEY: &str = "11111111111111111111111111111111";
const BODY: &str =
    "{\r\n    \"busi_id\": \"100000000000001\",\r\n    \"pay_subject\": \"red shoes size 42\"\r\n}\r\n";
const AT_MS: i64 = 1_709_251_200_000;

#[track_caller]
fn check<R>(what: &str, sign: impl Fn() -> R) {
    let counted = allocation_counter::measure(|| {
        for _ in 0..100 {
            black_box(sign());
        }
    });
    assert_eq!(counted.count_total, 0, "{what}");
}

#[test]
fn signs_of_every_shape_allocate_nothing() {
    let price = || Decimal::hundredths(black_box(1023));
    check("pieces", || Md5Text::new().piece(black_box(KEY)).number(AT_MS).piece(KEY).digest().to_hex());
    check("many pieces", || Md5Text::new().pieces([KEY, "PAY", "WX", "1023", KEY]).digest().to_hex());
    check("all at once", || Md5Digest::of(&[KEY, "PAY", "WX", "1023", KEY].map(str::as_bytes)).to_hex());
    check("long, at once", || Md5Digest::of(&[black_box(BODY), KEY, KEY].map(str::as_bytes)).to_hex());
    check("nested", || Md5Text::new().piece(KEY).piece(price()).nested().piece(KEY).digest().to_hex());
    check("squeezed", || Md5Text::new().number(AT_MS).piece(KEY).squeezed(black_box(BODY)).digest().to_hex());
    check("long", || Md5Text::new().piece(black_box([b'x'; 1000])).digest().to_hex());
    let prefix = Md5Text::new().piece([b'x'; 100]);
    check("after a prefix", || prefix.clone().piece(black_box(KEY)).digest());
    let digest = Md5Text::new().digest();
    check("with its time", || StampedMd5::new(digest, AT_MS).unwrap().to_text());
    check("price", || price().as_str().len());
}

#[test]
fn verifying_allocates_nothing_whether_it_fits_or_not() {
    let ours = || Md5Text::new().piece(black_box(KEY)).digest();
    let hex = ours().to_hex();
    let stamped = StampedMd5::new(ours(), AT_MS).unwrap().to_text();
    for received in [hex.as_str(), stamped.as_str(), "", "0123456789abcdef0123456789abcdef"] {
        check(received, || Md5Digest::from_hex(received, HexCase::Any).is_ok_and(|it| it.matches(ours())));
        check(received, || {
            StampedMd5::parse(received, HexCase::Lower).is_ok_and(|it| it.digest().matches(ours()))
        });
    }
}

#[test]
fn webhooks_are_signed_and_verified_without_an_allocation() {
    let [current, previous] = [[1; 64], [2; 64]].map(|key| WebhookSecret::from_key(&key).unwrap());
    let message = || WebhookMessage::new(black_box("evt_1"), AT_MS / 1000, BODY.as_bytes()).unwrap();
    check("signed", || message().signature(&current, None));
    check("signed twice", || message().signature(&current, Some(&previous)));
    let signature = message().signature(&current, Some(&previous));
    let timestamp = (AT_MS / 1000).to_string();
    let secrets = [previous, current];
    for body in [BODY, "another"] {
        let received = ReceivedWebhook {
            id: "evt_1",
            timestamp: &timestamp,
            signature: signature.as_str(),
            body: body.as_bytes(),
        };
        assert_eq!(received.verify(&secrets, AT_MS / 1000).is_ok(), body == BODY);
        check(body, || black_box(&received).verify(&secrets, AT_MS / 1000));
    }
}

#[test]
fn a_batch_that_is_used_again_allocates_nothing() {
    let mut batch = Md5Batch::new();
    let mut run = || {
        batch.clear();
        for number in 0..100_u32 {
            let _ = batch.text().piece(KEY).number(number).squeezed(black_box(BODY));
        }
        black_box(batch.digests());
    };
    run();
    let counted = allocation_counter::measure(&mut run);
    assert_eq!(counted.count_total, 0);
}

/// What counts, counts.
#[test]
fn the_count_is_one() {
    let counted = allocation_counter::measure(|| drop(black_box(hex_as_text())));
    assert!(counted.count_total > 0);
}

fn hex_as_text() -> String {
    Md5Text::new().digest().to_hex().as_str().to_owned()
}
