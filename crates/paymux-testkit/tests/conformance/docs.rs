//! The behaviour lines of the trait `Channel` and the cases of the suite, against each other.

use std::collections::BTreeSet;

use paymux_testkit::conformance;

const TRAIT: &str = include_str!("../../../paymux-core/src/channel/mod.rs");

/// The behaviour lines as `group::name`, and what is wrong with them.
fn lines() -> (Vec<String>, Vec<String>) {
    let (mut lines, mut wrong) = (Vec::new(), Vec::new());
    // The names under the heading that was read last, until the item that they belong to is known.
    let mut names: Vec<String> = Vec::new();
    let mut is_behaviour = false;
    for line in TRAIT.lines().map(str::trim) {
        let Some(doc) = line.strip_prefix("///").map(str::trim_start) else {
            if let Some(group) = group(line) {
                lines.extend(names.drain(..).map(|name| format!("{group}::{name}")));
                is_behaviour = false;
            }
            continue;
        };
        if let Some(heading) = doc.strip_prefix("# ") {
            is_behaviour = heading.starts_with("Behaviour");
        }
        let Some(entry) = doc.strip_prefix("- ").filter(|_| is_behaviour) else { continue };
        let name = entry.strip_prefix('`').and_then(|rest| rest.split_once("`: "));
        match name {
            Some((name, _)) => names.push(name.to_owned()),
            None => wrong.push(line.to_owned()),
        }
    }
    (lines, wrong)
}

/// What a line of code is the item of.
fn group(line: &str) -> Option<&str> {
    if line.starts_with("pub trait Channel") {
        return Some("call");
    }
    let rest = line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn "))?;
    rest.split('(').next()
}

#[test]
fn each_line_of_the_docs_is_a_case_and_each_case_a_line() {
    let (lines, wrong) = lines();
    assert!(
        wrong.is_empty(),
        "begin each behaviour line with its case, as in - `number`: ...\n{}",
        wrong.join("\n")
    );
    let cases: Vec<&str> = conformance::names().collect();
    let (documented, tested): (BTreeSet<&str>, BTreeSet<&str>) =
        (lines.iter().map(String::as_str).collect(), cases.iter().copied().collect());
    let untested: Vec<_> = documented.difference(&tested).collect();
    let undocumented: Vec<_> = tested.difference(&documented).collect();
    assert!(untested.is_empty(), "lines of the trait's docs without a case: {untested:?}");
    assert!(undocumented.is_empty(), "cases without a line in the trait's docs: {undocumented:?}");
    assert_eq!((lines.len(), cases.len()), (documented.len(), tested.len()), "a name stands there twice");
    assert!(cases.len() > 40, "the docs were read to their end");
}
