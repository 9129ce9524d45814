//! Each of the 29 places where the document is silent or contradicts itself is decided in the README, and each
//! decision names tests that are there.

const README: &str = include_str!("../../README.md");

/// A module as the README names it, and its source.
const MODULES: [(&str, &str); 16] = [
    ("borders", include_str!("borders.rs")),
    ("callback", include_str!("callback.rs")),
    ("codes", include_str!("codes.rs")),
    ("create", include_str!("create.rs")),
    ("descriptor", include_str!("descriptor.rs")),
    ("front", include_str!("front.rs")),
    ("front_notices", include_str!("front_notices.rs")),
    ("life", include_str!("life.rs")),
    ("returns", include_str!("returns.rs")),
    ("rotation", include_str!("rotation.rs")),
    ("sign", include_str!("../../src/sign.rs")),
    ("wire", include_str!("../../src/wire.rs")),
    ("hours", include_str!("../../../../crates/paymux-core/src/hours.rs")),
    ("regions", include_str!("../../../../crates/paymux-core/src/router/regions.rs")),
    ("figures", include_str!("../../../../crates/paymux-core/tests/use_cases/routing/figures.rs")),
    ("routing", include_str!("../../../../crates/paymux-core/tests/use_cases/routing.rs")),
];

#[test]
fn every_ambiguity_is_decided_and_shown_by_tests_that_are_there() {
    let rows: Vec<Vec<&str>> = README
        .lines()
        .filter(|line| line.starts_with("| C"))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    let numbers: Vec<&str> = rows.iter().map(|row| row[1]).collect();
    let want: Vec<String> = (1..=29).map(|number| format!("C{number}")).collect();
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
