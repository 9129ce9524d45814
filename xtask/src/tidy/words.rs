//! Words that must not stand in a file: floats near money, a provider's name in core, work left undone, and what
//! only one machine or one account knows.

use super::{Finding, code, line_of};
use crate::tree::{SourceFile, Tree};

/// Providers that core must be able to live without.
const PROVIDERS: [&str; 3] = ["beecloud", "cloudpay", "fufu"];

/// What people write where they stopped. Put together here, since this file is read like any other.
const MARKS: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];

/// Crates through which money goes, with every plugin.
const MONEY_CRATES: [&str; 5] =
    ["crates/paymux-core/", "crates/paymux-sign/", "crates/paymux-store/", "crates/paymux-http/", "plugins/"];

/// Folders of one machine. Put together here, since this file is read like any other.
const MACHINE: [&str; 3] = [concat!("/t", "mp/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];

/// How keys that are worth something begin.
const LIVE_KEYS: [&str; 2] = [concat!("PRIVATE", " KEY-----"), concat!("sk_", "live_")];

/// Core knows no provider, not even in its tests or comments.
pub(super) fn core_names_no_provider(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.under("crates/paymux-core") {
        let text = file.text.to_ascii_lowercase();
        for provider in PROVIDERS {
            findings.extend(text.match_indices(provider).map(|(at, _)| {
                let to_do = "say it in the provider's plugin; core's examples use `sandbox`";
                Finding::new(&file.path, line_of(&text, at), format!("core names `{provider}`"), to_do)
            }));
        }
    }
    findings
}

/// No float anywhere near money.
pub(super) fn money_has_no_float(tree: &Tree) -> Vec<Finding> {
    let money = |file: &SourceFile| MONEY_CRATES.iter().any(|folder| file.path.starts_with(folder));
    in_code(tree, money, &["f32", "f64"], "is a float in a crate that handles money", "count in minor units")
}

/// Nothing waits for a day that never comes.
pub(super) fn nothing_is_left_undone(tree: &Tree) -> Vec<Finding> {
    let (what, to_do) = ("stands for work left undone", "do it, or refuse the case");
    let mut findings = in_code(tree, |_| true, &["todo!", "unimplemented!"], what, to_do);
    for file in &tree.files {
        for mark in MARKS {
            findings.extend(code::words(&file.text, mark).map(|at| {
                Finding::new(&file.path, line_of(&file.text, at), format!("`{mark}` {what}"), to_do)
            }));
        }
    }
    findings
}

/// A test runs or isn't there.
pub(super) fn no_test_is_skipped(tree: &Tree) -> Vec<Finding> {
    // The second stands in `cfg_attr`; as the name of a function it would be no loss.
    let words = ["#[ignore", ", ignore)"];
    in_code(tree, |_| true, &words, "skips a test in silence", "make it run, or delete it")
}

/// A lint is silenced where it fires, with its reason, and the silence is reported when it outlives its cause.
pub(super) fn no_lint_is_allowed(tree: &Tree) -> Vec<Finding> {
    let to_do = "write #[expect(lint, reason = \"...\")] where it fires";
    in_code(tree, |_| true, &["#[allow(", "#![allow("], "silences a lint for ever", to_do)
}

/// Nothing in the repository knows the machine on which it was written.
pub(super) fn no_path_of_a_machine(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        for folder in MACHINE {
            let here = file.text.match_indices(folder).map(|(at, _)| at);
            findings.extend(here.filter(|at| is_absolute(&file.text, *at)).map(|at| {
                let to_do = "use a path inside the workspace, or a temporary folder that the code asks for";
                Finding::new(
                    &file.path,
                    line_of(&file.text, at),
                    format!("`{folder}` is a machine's folder"),
                    to_do,
                )
            }));
        }
    }
    findings
}

/// The repository stands alone.
pub(super) fn no_folder_outside(tree: &Tree) -> Vec<Finding> {
    let what = "points outside of the repository";
    in_text(
        tree,
        &[concat!("..", "/shared")],
        what,
        "copy what is needed, and name the document it came from",
    )
}

/// Fixtures hold only keys that open nothing.
pub(super) fn no_live_key(tree: &Tree) -> Vec<Finding> {
    in_text(tree, &LIVE_KEYS, "looks like a live key", "withdraw it, and let the test make its own")
}

/// True if the path at `at` starts there, and is no part of a URL or of a longer path.
fn is_absolute(text: &str, at: usize) -> bool {
    let before = text[..at].chars().next_back();
    !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '~' | '}' | '>' | '*'))
}

fn in_code(
    tree: &Tree,
    choose: impl Fn(&SourceFile) -> bool,
    words: &[&str],
    what: &str,
    to_do: &str,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| file.is_rust() && choose(file)) {
        let code = code::only_code(&file.text);
        for word in words {
            findings.extend(
                standing(&code, word).map(|at| {
                    Finding::new(&file.path, line_of(&code, at), format!("`{word}` {what}"), to_do)
                }),
            );
        }
    }
    findings
}

/// Attributes and their parts are found as they stand; a word must be whole.
fn standing<'a>(code: &'a str, word: &'a str) -> Box<dyn Iterator<Item = usize> + 'a> {
    if word.starts_with(['#', ',']) {
        Box::new(code.match_indices(word).map(|(at, _)| at))
    } else {
        Box::new(code::words(code, word))
    }
}

fn in_text(tree: &Tree, words: &[&str], what: &str, to_do: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        for word in words {
            findings.extend(file.text.match_indices(word).map(|(at, _)| {
                Finding::new(&file.path, line_of(&file.text, at), format!("`{word}` {what}"), to_do)
            }));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::planted;

    type Rule = fn(&Tree) -> Vec<Finding>;

    #[test]
    fn core_lives_without_providers() {
        let rule: Rule = core_names_no_provider;
        check(rule, "crates/paymux-core/src/a.rs", "// the sandbox\n", &[]);
        check(
            rule,
            "crates/paymux-core/src/a.rs",
            "\n// as BeeCloud does\n",
            &[(2, "core names `beecloud`")],
        );
        check(rule, "crates/paymux-core/tests/a.rs", "id(\"fufu-1\")", &[(1, "core names `fufu`")]);
        check(rule, "plugins/paymux-fufu/src/a.rs", "id(\"fufu-1\")", &[]);
    }

    #[test]
    fn money_is_counted() {
        let rule: Rule = money_has_no_float;
        let float = [(1, "`f64` is a float in a crate that handles money")];
        check(rule, "crates/paymux-core/src/a.rs", "let a: f64 = b;", &float);
        check(rule, "crates/paymux-core/src/a.rs", "let a = 3f64;", &float);
        check(rule, "crates/paymux-core/src/a.rs", "// never f64\nlet a: i64 = b;", &[]);
        check(rule, "plugins/paymux-x/tests/a.rs", "let a: f64 = b;", &float);
        check(rule, "crates/paymux-sim/src/a.rs", "let a: f64 = b;", &[]);
    }

    #[test]
    fn work_is_done() {
        let rule: Rule = nothing_is_left_undone;
        check(rule, "a.rs", "\ntodo!()", &[(2, "`todo!` stands for work left undone")]);
        check(rule, "a.rs", "unimplemented!(\"x\")", &[(1, "`unimplemented!` stands for work left undone")]);
        check(rule, "a.rs", "a(\"todo!()\") // todo!()", &[]);
        check(rule, "a.md", "todo!()", &[]);

        let what = format!("`{}` stands for work left undone", MARKS[0]);
        check(rule, "a.rs", &format!("// {}: round", MARKS[0]), &[(1, &what)]);
        check(rule, "a.toml", &format!("\n# {}", MARKS[0]), &[(2, &what)]);
        check(rule, "a.rs", &format!("const {}S: u8 = 1;", MARKS[0]), &[]);
    }

    #[test]
    fn tests_run() {
        let rule: Rule = no_test_is_skipped;
        check(rule, "a.rs", "#[ignore]", &[(1, "`#[ignore` skips a test in silence")]);
        check(rule, "a.rs", "#[ignore = \"slow\"]", &[(1, "`#[ignore` skips a test in silence")]);
        check(rule, "a.rs", "#[cfg_attr(a, ignore)]", &[(1, "`, ignore)` skips a test in silence")]);
        check(rule, "a.rs", "// no #[ignore]\n#[test]", &[]);
    }

    #[test]
    fn lints_are_expected() {
        let rule: Rule = no_lint_is_allowed;
        check(rule, "a.rs", "#[allow(dead_code)]", &[(1, "`#[allow(` silences a lint for ever")]);
        check(rule, "a.rs", "//! A.\n#![allow(dead_code)]", &[(2, "`#![allow(` silences a lint for ever")]);
        check(rule, "a.rs", "#[expect(dead_code, reason = \"a\")]", &[]);
    }

    #[test]
    fn no_machine_is_named() {
        let (rule, folder): (Rule, _) = (no_path_of_a_machine, MACHINE[0]);
        let what = format!("`{folder}` is a machine's folder");
        check(rule, "a.rs", &format!("open(\"{folder}a.db\")"), &[(1, &what)]);
        check(rule, "a.md", &format!("\n{folder}a.db"), &[(2, &what)]);
        check(rule, "a.toml", &format!("url = \"sqlite://{folder}a.db\""), &[(1, &what)]);
        check(rule, "a.md", &format!("https://docs.example{folder}a"), &[]);
        check(rule, "a.rs", "open(\"tests/data\")", &[]);
    }

    #[test]
    fn the_repository_stands_alone() {
        let rule: Rule = no_folder_outside;
        let outside = concat!("..", "/shared");
        let what = format!("`{outside}` points outside of the repository");
        check(rule, "README.md", &format!("see {outside}/a.md"), &[(1, &what)]);
        check(rule, "README.md", "see docs/a.md", &[]);
    }

    #[test]
    fn fixtures_open_nothing() {
        let rule: Rule = no_live_key;
        let what = format!("`{}` looks like a live key", LIVE_KEYS[1]);
        check(rule, "a.json", &format!("{{\"key\": \"{}abc\"}}", LIVE_KEYS[1]), &[(1, &what)]);
        check(rule, "a.json", "{\"key\": \"sk_test_abc\"}", &[]);
    }

    #[track_caller]
    fn check(rule: Rule, path: &str, text: &str, want: &[(usize, &str)]) {
        let findings = rule(&planted::files(&[(path, text)]));
        let found: Vec<_> = findings.iter().map(|finding| (finding.line, finding.what.as_str())).collect();
        assert_eq!(found, want, "{path}: {text}");
    }
}
