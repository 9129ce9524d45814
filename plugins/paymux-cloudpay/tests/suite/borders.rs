//! The digest has no borders between fields. Every way to cut the signed text into other fields is tried, and none
//! but the true one gets past form, number, price and type.

use paymux_core::channel::CallbackError;
use serde_json::json;

use crate::rig::{APPKEY, APPSECRET, NUMBER, channel, encode, post, sign, stored, vector};

/// What became of a genuine digest over other borders.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// Believed, of our order, and fit.
    Booked,
    /// Genuine, of a form that none of them has.
    Odd,
    /// Genuine, of another number than any of ours.
    OtherNumber,
    /// Genuine, of our order, and it does not fit.
    Misfit,
}

/// How a channel and the core end a message of these fields for the vectors' order of that amount.
fn end(values: &[&str; 7], sign: &str, fen: i64) -> End {
    let names = crate::rig::NOTIFY;
    let pairs: Vec<(&str, &str)> = names.into_iter().zip(*values).chain([("sign", sign)]).collect();
    let (channel, request) = (channel(json!({})), post(encode(&pairs)));
    match channel.verify_callback(&request) {
        Err(CallbackError::Odd { event_key, .. }) => {
            assert_eq!(event_key, format!("ODD:{sign}"), "{values:?}: the same sign is the same message");
            End::Odd
        }
        Err(error) => panic!("{values:?}: {error}"),
        Ok(claim) if claim.number != NUMBER => End::OtherNumber,
        Ok(claim) => match channel.fits(&request, &claim, &stored(fen, "alipay")) {
            Ok(()) => End::Booked,
            Err(_) => End::Misfit,
        },
    }
}

/// The fields of a payment, with that price and that much coming in.
fn fields<'a>(price: &'a str, realprice: &'a str) -> [&'a str; 7] {
    ["880012", NUMBER, price, realprice, "alipay", "1709251200", "user_42"]
}

/// Moves the border between two neighbours to every other place.
#[test]
fn a_moved_border_is_found_out_wherever_it_moves() {
    let mut seen = 0;
    for (price, realprice, fen) in [
        ("10.23", "10.23", 1023),
        ("10.20", "10.20", 1020),
        ("10.00", "10.00", 1000),
        ("100.00", "0.50", 10_000),
        ("0.50", "0.50", 50),
        ("10", "10", 1000),
        ("10.0", "5.00", 1000),
    ] {
        let right = fields(price, realprice);
        let digest = sign(APPKEY, &right, APPSECRET);
        assert_eq!(end(&right, &digest, fen), End::Booked, "{right:?}");
        for left in 0..5 {
            let joined = format!("{}{}", right[left], right[left + 1]);
            for border in (0..=joined.len()).filter(|border| *border != right[left].len()) {
                let mut moved = right;
                (moved[left], moved[left + 1]) = joined.split_at(border);
                let ended = end(&moved, &digest, fen);
                assert_ne!(ended, End::Booked, "{moved:?}");
                seen += 1;
            }
        }
    }
    assert!(seen > 500, "{seen}");
}

/// The last two fields decide nothing: a border that moves between them changes nothing either.
#[test]
fn between_paytime_and_extend_a_border_is_of_no_use() {
    let right = ["880012", NUMBER, "10.23", "10.23", "alipay", "1709251200", "42"];
    let digest = sign(APPKEY, &right, APPSECRET);
    let moved = ["880012", NUMBER, "10.23", "10.23", "alipay", "170925120042", ""];
    let claim = |values: [&str; 7]| {
        let pairs: Vec<(&str, &str)> =
            crate::rig::NOTIFY.into_iter().zip(values).chain([("sign", digest.as_str())]).collect();
        channel(json!({})).verify_callback(&post(encode(&pairs))).unwrap()
    };
    assert_eq!(claim(right), claim(moved));
}

#[test]
fn the_documents_own_examples_are_refused() {
    let digest = vector("cp-s4")["sign"].as_str().unwrap().to_owned();
    let right = fields("10.23", "10.23");
    let with = |at: usize, left: &'static str, right_text: &'static str| {
        let mut moved = right;
        (moved[at], moved[at + 1]) = (left, right_text);
        end(&moved, &digest, 1023)
    };
    assert_eq!(with(0, "88001", "2PMX20240301000001"), End::OtherNumber);
    assert_eq!(with(3, "10.2", "3alipay"), End::Odd);
    assert_eq!(with(2, "10.2", "310.23"), End::Misfit);
    assert_eq!(with(2, "10.231", "0.23"), End::Odd);
    assert_eq!(with(4, "alipay1", "709251200"), End::Misfit);
}

/// Two borders at once: digits move from the price through the real price into the type, and so on.
#[test]
fn two_borders_that_move_at_once_are_found_out_too() {
    let right = fields("10.00", "10.00");
    let digest = sign(APPKEY, &right, APPSECRET);
    for left in 0..4 {
        let joined = right[left..left + 3].concat();
        for first in 0..=joined.len() {
            for second in first..=joined.len() {
                let mut moved = right;
                moved[left] = &joined[..first];
                moved[left + 1] = &joined[first..second];
                moved[left + 2] = &joined[second..];
                let booked = end(&moved, &digest, 1000) == End::Booked;
                assert_eq!(booked, moved == right, "{moved:?}");
            }
        }
    }
}

/// The digest of a payer's way back, or of a create, can be that of a notification whose fields are cut out of the
/// same text: then its number or its price begins at the dot of the other's price, and neither of ours does.
#[test]
fn a_sign_of_another_kind_of_message_is_of_no_order_of_ours() {
    for id in ["cp-s1", "cp-s6"] {
        let vector = vector(id);
        let text = vector["inner_input"].as_str().unwrap().strip_prefix(APPKEY).unwrap();
        let sign = vector["sign"].as_str().unwrap();
        let cuts = cuts(text);
        assert!(cuts.len() > 100, "{id}: {}", cuts.len());
        for values in cuts {
            assert_eq!(end(&values, sign, 1023), End::Odd, "{id}: {values:?}");
        }
    }
}

/// Every way to cut a text into the seven fields that could pass for them: digits, anything, two amounts, a word
/// that begins with a letter, digits, and the rest.
fn cuts(text: &str) -> Vec<[&str; 7]> {
    let ends = |from: usize, good: fn(char) -> bool| -> Vec<usize> {
        let length = text[from..].find(|c| !good(c)).unwrap_or(text.len() - from);
        (from + 1..=from + length).collect()
    };
    let (digit, amount) = (|c: char| c.is_ascii_digit(), |c: char| c.is_ascii_digit() || c == '.');
    let mut all = Vec::new();
    for a in ends(0, digit) {
        for b in ends(a, |_| true) {
            for c in ends(b, amount) {
                for d in ends(c, amount) {
                    for e in ends(d, |c| c.is_ascii_alphanumeric()) {
                        for f in ends(e, digit) {
                            all.push([
                                &text[..a],
                                &text[a..b],
                                &text[b..c],
                                &text[c..d],
                                &text[d..e],
                                &text[e..f],
                                &text[f..],
                            ]);
                        }
                    }
                }
            }
        }
    }
    all
}
