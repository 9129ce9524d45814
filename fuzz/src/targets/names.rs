//! paymux-core: amounts, names, ids, and the words and patterns of a configuration. What is read is written again
//! as it was, and an amount is what other arithmetic says.

use std::fmt::Display;
use std::net::IpAddr;
use std::str::FromStr;

use paymux_core::ids::{
    AttemptId, CallbackId, EventId, PostingId, RefundNo, RequestId, RouteName, TransferNo,
};
use paymux_core::payments::Times;
use paymux_core::posting::Account;
use paymux_core::reconcile::Day;
use paymux_core::router::Seed;
use paymux_core::wire::PlainHttp;
use paymux_core::{
    AppId, ChannelId, Currency, Endpoint, Hours, Method, MethodPattern, Money, OrderNo, PaymentId,
    ProviderOrderNo, RefundId, Region, Timestamp, TransferId, Verb, WireRequest,
};

use super::texts;
use crate::{Seen, Target};

pub(super) fn targets() -> Vec<Target> {
    vec![
        Target::plain(
            "core/amount",
            "decimal text of currencies with no, two and three decimals: what 128-bit arithmetic says",
            texts(&["10.23", "0.01", "100", "1.234", "92233720368547758.07"]),
            &[".", "0", "00", "-", "+", "e", "1", "9223372036854775807", "\u{ff11}", " "],
            amount,
        ),
        Target::plain(
            "core/name",
            "names, numbers and ids: written as they were read",
            texts(&[
                "shop",
                "A1001",
                "pay_018df74f840070008000000000000001",
                "channel:bee-main",
                "held:shop",
            ]),
            &[
                "pay_", "att_", "rfd_", "trf_", "evt_", "cbk_", "pst_", "req_", "channel:", "app:", "-", "_",
                "\u{e9}",
            ],
            name,
        ),
        Target::plain(
            "core/pattern",
            "methods and patterns of them, hours, regions, days, seeds: written as they were read",
            texts(&[
                "wechat.native",
                "alipay.*",
                "06:00-23:30",
                "22:00-24:00",
                "CN-31",
                "2026-11-21",
                "018df74f84007000",
                "1000",
                "2024-03-01T08:00:00.007+08:00",
            ]),
            &[
                "wechat",
                "alipay",
                ".*",
                ".",
                "-",
                ":",
                "24:00",
                "00:00",
                "T",
                "Z",
                "+08:00",
                "9999-12-31",
                "0000-01-01",
            ],
            pattern,
        ),
        Target::plain(
            "core/address",
            "addresses: https, or plain HTTP to this machine; read again as they are written",
            texts(&[
                "https://api.example/x",
                "http://127.0.0.1:80",
                "http://[::1]/a?b=1",
                "https://0x7f.1:8443/",
            ]),
            &[
                "http://",
                "https://",
                "@",
                "#",
                "?",
                "localhost",
                "127.1",
                "[::ffff:127.0.0.1]",
                "\u{3002}",
                "xn--",
                "%",
            ],
            address,
        ),
        Target::plain(
            "core/query",
            "one value of a query: decoded once",
            texts(&["a=1&para=%7B%22x%22%3A+1%7D&b", "para=%25%2B"]),
            &["para=", "&", "=", "%", "+", "%00", "%zz", "%e7%ba%a2", "%ff"],
            query,
        ),
    ]
}

/// By another way than the code under test: all digits as one number, moved by the decimals that are lacking.
fn amount(input: &[u8]) -> Seen {
    let Ok(text) = std::str::from_utf8(input) else { return Seen::Refused };
    let mut taken = false;
    for (code, decimals) in [("JPY", 0_usize), ("CNY", 2), ("KWD", 3)] {
        let currency = Currency::from_code(code).expect("a known code");
        let read = Money::from_decimal(text, currency).map(Money::minor).ok();
        assert_eq!(read, minor(text, decimals), "`{text}` {code}");
        if let Some(minor) = read {
            let money = Money::new(minor, currency);
            assert_eq!(Money::from_decimal(&money.to_decimal(), currency), Ok(money));
            taken = true;
        }
    }
    Seen::taken_if(taken)
}

fn minor(text: &str, decimals: usize) -> Option<i64> {
    let point = text.find('.').unwrap_or(text.len());
    let behind = text.len().saturating_sub(point + 1);
    let ends_with_point = text.ends_with('.');
    let digits = [&text[..point], text.get(point + 1..).unwrap_or_default()].concat();
    let is_number = point > 0 && !ends_with_point && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number || behind > decimals {
        return None;
    }
    let number = digits.bytes().try_fold(0_i128, |sum, digit| {
        sum.checked_mul(10)?.checked_add(i128::from(digit - b'0')).filter(|sum| *sum < 1 << 100)
    })?;
    let lacking = u32::try_from(decimals - behind).ok()?;
    i64::try_from(number * 10_i128.pow(lacking)).ok()
}

fn name(input: &[u8]) -> Seen {
    let Ok(text) = std::str::from_utf8(input) else { return Seen::Refused };
    Seen::taken_if(
        is_as_written::<AppId>(text)
            | is_as_written::<ChannelId>(text)
            | is_as_written::<RouteName>(text)
            | is_as_written::<OrderNo>(text)
            | is_as_written::<RefundNo>(text)
            | is_as_written::<TransferNo>(text)
            | is_as_written::<ProviderOrderNo>(text)
            | is_as_written::<PaymentId>(text)
            | is_as_written::<AttemptId>(text)
            | is_as_written::<RefundId>(text)
            | is_as_written::<TransferId>(text)
            | is_as_written::<EventId>(text)
            | is_as_written::<CallbackId>(text)
            | is_as_written::<PostingId>(text)
            | is_as_written::<RequestId>(text)
            | is_as_written::<Account>(text),
    )
}

fn pattern(input: &[u8]) -> Seen {
    let Ok(text) = std::str::from_utf8(input) else { return Seen::Refused };
    let region = Region::from_code(text);
    assert!(region.is_none_or(|region| region.code() == text));
    if let (Ok(pattern), Ok(method)) = (text.parse::<MethodPattern>(), text.parse::<Method>()) {
        assert!(pattern.holds(method));
    }
    if let Ok(hours) = text.parse::<Hours>() {
        assert!((0..24 * 60).any(|minute| hours.hold(minute)), "hours that hold nothing");
    }
    if let Ok(day) = text.parse::<Day>() {
        let hours = (day.to.ms() - day.from.ms()) / 3_600_000;
        assert!((23..=25).contains(&hours), "a day of {hours} hours");
    }
    let times = text.parse::<Times>().ok();
    assert!(times.is_none_or(|times| text.parse() == Ok(times.count())));
    let (seed, moment) = (is_read_again::<Seed>(text), is_read_again::<Timestamp>(text));
    Seen::taken_if(
        is_as_written::<Method>(text)
            | is_as_written::<MethodPattern>(text)
            | is_as_written::<Hours>(text)
            | is_as_written::<Day>(text)
            | (seed || moment || region.is_some() || times.is_some()),
    )
}

/// Whether it is read; what is read must be written with the same characters.
fn is_as_written<T: FromStr + Display>(text: &str) -> bool {
    let read = text.parse::<T>();
    if let Ok(read) = &read {
        assert_eq!(read.to_string(), text);
    }
    read.is_ok()
}

/// Whether it is read; what is written of it must be read as the same, in whatever characters.
fn is_read_again<T: FromStr + Display + PartialEq>(text: &str) -> bool {
    let Ok(read) = text.parse::<T>() else { return false };
    let written = read.to_string();
    assert!(written.parse::<T>().is_ok_and(|again| again == read), "`{text}` is written `{written}`");
    true
}

fn address(input: &[u8]) -> Seen {
    let Ok(text) = std::str::from_utf8(input) else { return Seen::Refused };
    let anywhere = Endpoint::parse(text, PlainHttp::Anywhere);
    let Ok(endpoint) = Endpoint::parse(text, PlainHttp::LoopbackOnly) else {
        // Plain HTTP is the only thing that makes the difference.
        assert!(anywhere.is_err() || anywhere.is_ok_and(|endpoint| !endpoint.is_tls()));
        return Seen::Refused;
    };
    assert!(anywhere.is_ok_and(|other| other == endpoint));
    let is_here = endpoint.ip().map_or(endpoint.host() == "localhost", |ip| match ip {
        IpAddr::V4(ip) => ip.is_loopback(),
        IpAddr::V6(ip) => ip.is_loopback(),
    });
    assert!(endpoint.is_tls() || is_here, "plain HTTP to `{}`", endpoint.host());
    let again = Endpoint::parse(endpoint.as_str(), PlainHttp::LoopbackOnly);
    assert!(again.is_ok_and(|again| again == endpoint), "`{}` is not read again", endpoint.as_str());
    let joined = endpoint.join("/a", Some("b=1"));
    assert!(joined.ends_with("/a?b=1") && joined.bytes().all(|byte| byte.is_ascii_graphic()), "`{joined}`");
    assert!(!endpoint.to_string().contains("?b"), "a query is shown");
    Seen::Taken
}

fn query(input: &[u8]) -> Seen {
    let Ok(text) = std::str::from_utf8(input) else { return Seen::Refused };
    let value = WireRequest::new(Verb::Get, "/").query(text).query_value("para");
    if let Some(value) = &value {
        assert!(value.len() <= text.len());
    }
    Seen::taken_if(value.is_some())
}
