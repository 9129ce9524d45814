//! The payer's way back: it names an order and settles nothing.

use paymux_core::channel::CallbackError;
use paymux_core::{Verb, WireRequest};
use proptest::prelude::proptest;
use serde_json::{Value, json};

use crate::rig::{APPSECRET, NUMBER, RETURN, channel, form, get, post, vector, way_back};

fn come_back(settings: Value, query: impl Into<String>) -> Result<String, CallbackError> {
    channel(settings).verify_return(&get(query))
}

#[test]
fn a_signed_way_back_names_its_order() {
    assert_eq!(come_back(json!({}), form("cp-s6")), Ok(NUMBER.to_owned()));
    let rotated = json!({"appsecret": "new-one", "appsecret_previous": APPSECRET});
    assert_eq!(come_back(rotated, form("cp-s6")), Ok(NUMBER.to_owned()));
    assert_eq!(come_back(json!({}), format!("from=app&{}", form("cp-s6"))), Ok(NUMBER.to_owned()));
}

#[test]
fn its_product_is_opaque() {
    for product in ["", "~1", "产品 7", &"x".repeat(300)] {
        assert_eq!(
            come_back(json!({}), way_back(json!({"product_id": product}))),
            Ok(NUMBER.to_owned()),
            "{product}"
        );
    }
    assert_eq!(come_back(json!({}), way_back(json!({"product_id": null}))), Ok(NUMBER.to_owned()));
}

#[test]
fn what_is_changed_missing_or_of_another_message_names_nothing() {
    let sign = vector("cp-s6")["sign"].as_str().unwrap().to_owned();
    for name in RETURN {
        let changed = format!("{}1", vector("cp-s6")["fields"][name].as_str().unwrap());
        assert!(come_back(json!({}), way_back(json!({name: changed, "sign": sign}))).is_err(), "{name}");
        let taken = come_back(json!({}), way_back(json!({name: null})));
        assert_eq!(taken.is_ok(), name == "product_id", "{name}: {taken:?}");
    }
    for wrong in [sign.to_uppercase(), String::new(), "0".repeat(32)] {
        let error = come_back(json!({}), way_back(json!({"sign": wrong}))).unwrap_err();
        assert!(matches!(error, CallbackError::BadSign(_)), "{wrong}: {error}");
    }
    assert!(come_back(json!({"appsecret": "new-one"}), form("cp-s6")).is_err());
    assert!(come_back(json!({}), form("cp-s4")).is_err());
    assert!(come_back(json!({}), form("cp-s1")).is_err());
    assert!(come_back(json!({}), format!("{}&price=10.23", form("cp-s6"))).is_err());
    assert!(channel(json!({})).verify_return(&post(form("cp-s6"))).is_err());
    assert!(channel(json!({})).verify_return(&WireRequest::new(Verb::Get, "/return/cloud-a")).is_err());
}

/// Whoever posts the payer's way back as a notification gets nowhere.
#[test]
fn a_way_back_is_no_notification() {
    let request = post(form("cp-s6"));
    assert!(matches!(channel(json!({})).verify_callback(&request), Err(CallbackError::Unreadable(_))));
}

proptest! {
    #[test]
    fn no_query_makes_it_panic(query in ".{0,200}") {
        assert!(come_back(json!({}), query).is_err());
    }
}
