//! Each of the 38 places where the document is silent or contradicts itself is decided in the README, and each
//! decision names tests that are there. The README's tables are the code's.

use serde_json::json;

use crate::rig::channel;

const README: &str = include_str!("../../README.md");

/// A module as the README names it, and its source.
const MODULES: [(&str, &str); 17] = [
    ("callback", include_str!("callback.rs")),
    ("create", include_str!("create.rs")),
    ("descriptor", include_str!("descriptor.rs")),
    ("ending", include_str!("ending.rs")),
    ("front", include_str!("front.rs")),
    ("front_answers", include_str!("front_answers.rs")),
    ("query", include_str!("query.rs")),
    ("refunds", include_str!("refunds.rs")),
    ("src/config", include_str!("../../src/config.rs")),
    ("src/map", include_str!("../../src/map.rs")),
    ("src/map/extra", include_str!("../../src/map/extra.rs")),
    ("src/map/hours", include_str!("../../src/map/hours.rs")),
    ("src/map/kinds", include_str!("../../src/map/kinds.rs")),
    ("src/map/states", include_str!("../../src/map/states.rs")),
    ("src/sign", include_str!("../../src/sign.rs")),
    ("src/wire", include_str!("../../src/wire.rs")),
    ("src/wire/fields", include_str!("../../src/wire/fields.rs")),
];

#[test]
fn every_ambiguity_is_decided_and_shown_by_tests_that_are_there() {
    let rows: Vec<Vec<&str>> = README
        .lines()
        .filter(|line| line.starts_with("| F") && line.as_bytes()[3].is_ascii_digit())
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    let numbers: Vec<&str> = rows.iter().map(|row| row[1]).collect();
    let want: Vec<String> = (1..=38).map(|number| format!("F{number}")).collect();
    assert_eq!(numbers, want);
    for row in rows {
        assert!(!row[2].is_empty() && !row[3].is_empty(), "{row:?}");
        let shown: Vec<&str> = row[4].split('`').skip(1).step_by(2).collect();
        assert!(!shown.is_empty(), "{row:?}");
        for test in shown {
            let (module, name) = test.split_once("::").unwrap();
            let source = MODULES.iter().find(|(own, _)| *own == module).unwrap_or_else(|| panic!("{test}")).1;
            assert!(source.contains(&format!("fn {name}(")), "{}: {test} is not there", row[1]);
        }
    }
}

#[test]
fn the_readme_names_every_code_state_method_field_and_key() {
    let codes = [
        "SUCESS",
        "FAIL",
        "ILLEGAL_PARAMETER",
        "INVALID_SIGN",
        "AMT_ERROR",
        "DATABASE_ERROR",
        "INVALID_CONTRACT",
        "UNREGISTERED_BUSI",
        "EXCEPTION",
        "CHARGE_NONEXISTENT",
        "SERVICE_UNAVAILABLE",
        "HTTP_EXCEPTION",
        "IO_EXCEPTION",
        "CREATE_SECURITY_CONNECTION_ERROR",
        "AREADY_REVOKED",
        "SERIAL_REPEAT",
    ];
    for code in codes {
        assert!(row_with(&format!("`{code}`")), "{code}");
    }
    for state in 0..15 {
        let named = README.lines().any(|line| {
            let first = line.split('|').nth(1).unwrap_or_default();
            first.split(',').any(|value| value.trim() == state.to_string())
        });
        assert!(named, "state {state}");
    }
    for funding in [
        "00 Alipay red packet",
        "10 Alipay balance",
        "30 Alipay points",
        "40 discount coupon",
        "60 Alipay prepaid card",
        "70 Alipay credit",
        "80 prepaid card",
        "90 consumer credit",
        "11 WeChat Pay",
        "41 WeChat cash coupon",
    ] {
        assert!(README.contains(funding), "{funding}");
    }
    let channel = channel(json!({}));
    for spec in &channel.descriptor().methods {
        assert!(row_with(&format!("`{}`", spec.method)), "{}", spec.method);
    }
    for field in channel.descriptor().extra {
        assert!(README.contains(&format!("`{}`", field.name)), "{}", field.name);
    }
    for key in paymux_fufu::provider().settings() {
        assert!(row_with(&format!("`{}`", key.name)), "{}", key.name);
    }
}

/// Whether a row of a table names it in its first cell.
fn row_with(word: &str) -> bool {
    README
        .lines()
        .any(|line| line.starts_with('|') && line.split('|').nth(1).is_some_and(|first| first.contains(word)))
}
