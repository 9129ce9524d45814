//! `cargo xtask tidy`: the list of rules and how a finding is told. Each rule is a pure function over a [`Tree`]
//! and stands in a module below; none reads the disk.

mod arrows;
mod code;
mod files;
mod manifests;
mod map;
mod words;

use std::{fmt, path::Path};

use anyhow::{Result, bail};

use crate::tree::Tree;

/// Every rule. A rule that isn't here isn't checked.
const RULES: [fn(&Tree) -> Vec<Finding>; 26] = [
    arrows::down_only,
    arrows::foreign_crates,
    arrows::errors_are_types,
    arrows::dialling,
    arrows::plugins_are_named_in_one_place,
    files::open_with_a_comment,
    files::names_say_something,
    files::are_short,
    files::plugin_is_complete,
    files::toml_parses,
    manifests::inherit_lints,
    manifests::versions_stand_once,
    manifests::drafts_move_no_money,
    manifests::dependencies_are_used,
    manifests::workspace_dependencies_are_used,
    map::crate_has_entry,
    map::entry_has_crate,
    map::named_files_exist,
    words::core_names_no_provider,
    words::money_has_no_float,
    words::nothing_is_left_undone,
    words::no_test_is_skipped,
    words::no_lint_is_allowed,
    words::no_path_of_a_machine,
    words::no_folder_outside,
    words::no_live_key,
];

/// One broken rule at one place.
#[derive(Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Finding {
    path: String,
    /// Counted from 1.
    line: usize,
    what: String,
    to_do: String,
}

impl Finding {
    fn new(path: &str, line: usize, what: impl Into<String>, to_do: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.into(), to_do: to_do.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}; {}", self.path, self.line, self.what, self.to_do)
    }
}

/// Checks the workspace at `root` and prints what it finds.
///
/// # Errors
/// When there is a finding, or when the workspace can't be read.
#[expect(clippy::print_stdout, reason = "the findings are this command's output")]
pub(crate) fn run(root: &Path) -> Result<()> {
    let tree = Tree::read(root)?;
    let findings = check(&tree);
    for finding in &findings {
        println!("{finding}");
    }
    if !findings.is_empty() {
        bail!("tidy: {} findings", findings.len());
    }
    println!(
        "tidy: {} rules hold over {} files and {} crates",
        RULES.len(),
        tree.files.len(),
        tree.packages.len()
    );
    Ok(())
}

/// All findings of all rules, sorted by place.
fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings: Vec<Finding> = RULES.iter().flat_map(|rule| rule(tree)).collect();
    findings.sort();
    findings
}

/// The line on which the byte at `offset` stands, counted from 1.
fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::planted;

    #[test]
    fn the_repository_is_tidy() {
        let tree = Tree::read(crate::root()).unwrap();
        assert!(tree.packages.iter().any(|package| package.name == "paymux-core"), "the walk found no core");
        assert!(tree.text("xtask/src/tidy.rs").is_some(), "the walk found no sources");

        let findings: Vec<String> = check(&tree).iter().map(ToString::to_string).collect();
        assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
    }

    #[test]
    fn tells_place_what_and_what_to_do() {
        let finding = Finding::new("crates/a/src/lib.rs", 7, "`f64` near money", "count in minor units");
        assert_eq!(finding.to_string(), "crates/a/src/lib.rs:7: `f64` near money; count in minor units");
    }

    #[test]
    fn runs_the_rules_of_every_module() {
        let mut tree = planted::files(&[
            ("ARCHITECTURE.md", "### `crates/paymux-gone`\n"),
            ("crates/paymux-core/src/lib.rs", "//! Core.\nfn rate() -> f64 { todo!() }\n"),
        ]);
        tree.packages.push(planted::package("crates/paymux-core", &["axum"]));

        let found: Vec<String> =
            check(&tree).iter().map(|finding| format!("{}:{}", finding.path, finding.line)).collect();
        let want = [
            "ARCHITECTURE.md:1",               // an entry without a crate
            "ARCHITECTURE.md:1",               // a crate without an entry
            "crates/paymux-core/Cargo.toml:1", // axum in core
            "crates/paymux-core/Cargo.toml:1", // and nothing calls it
            "crates/paymux-core/Cargo.toml:1", // no lints table
            "crates/paymux-core/src/lib.rs:2", // f64
            "crates/paymux-core/src/lib.rs:2", // todo
        ];
        assert_eq!(found, want);
    }

    #[test]
    fn counts_lines_from_one() {
        assert_eq!(line_of("a\nb\nc", 0), 1);
        assert_eq!(line_of("a\nb\nc", 1), 1);
        assert_eq!(line_of("a\nb\nc", 2), 2);
        assert_eq!(line_of("a\nb\nc", 4), 3);
    }
}
