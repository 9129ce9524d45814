//! What each file must look like from outside: how it opens, how long it is, that it is there, that it parses.

use toml_edit::DocumentMut;

use super::{Finding, line_of};
use crate::tree::Tree;

/// The most lines that a source file may have; past it nobody reads it in one go.
const LINES_MAX: usize = 700;

/// Names that say nothing about what lives inside.
const EMPTY_NAMES: [&str; 8] = ["util", "utils", "common", "helper", "helpers", "manager", "misc", "shared"];

/// What every plugin consists of, so that whoever has read one knows the way in all.
const PLUGIN: [(&str, &str); 12] = [
    ("README.md", "what the provider is, which document and version we follow, quirks, code table"),
    ("src/lib.rs", "doc include, ID, register()"),
    ("src/config.rs", "settings as written and as checked"),
    ("src/channel.rs", "impl Channel: the steps in order"),
    ("src/wire.rs", "requests and replies as the provider spells them"),
    ("src/sign.rs", "which fields the sign covers, in which order"),
    ("src/map.rs", "wire to core: states and error codes"),
    ("src/callback.rs", "verify, read, acknowledge"),
    ("src/acceptor.rs", "the server side of the same protocol"),
    ("tests/conformance.rs", "what the suite of paymux-testkit must know of the plugin, and its run"),
    ("tests/data/README.md", "where each vector and recording came from"),
    ("tests/data/vectors.json", "the signatures that we must reproduce"),
];

/// Every Rust file says first what lives in it. A plugin's `lib.rs` may include its README instead.
pub(super) fn open_with_a_comment(tree: &Tree) -> Vec<Finding> {
    let silent = tree.files.iter().filter(|file| {
        let includes_readme =
            file.path.ends_with("src/lib.rs") && file.text.starts_with("#![doc = include_str!(");
        file.is_rust() && !file.text.starts_with("//!") && !includes_readme
    });
    silent
        .map(|file| {
            let to_do = "open with what lives here and what does not";
            Finding::new(&file.path, 1, "the file does not open with `//!`", to_do)
        })
        .collect()
}

/// A file's or folder's name says what lives there.
pub(super) fn names_say_something(tree: &Tree) -> Vec<Finding> {
    let vague = tree.files.iter().filter(|file| file.is_rust()).filter_map(|file| {
        let mut parts = file.path.trim_end_matches(".rs").split('/');
        parts.find(|part| EMPTY_NAMES.contains(part)).map(|part| (file, part))
    });
    vague
        .map(|(file, part)| {
            Finding::new(&file.path, 1, format!("`{part}` says nothing"), "name it after what lives there")
        })
        .collect()
}

/// No source file is longer than a sitting.
pub(super) fn are_short(tree: &Tree) -> Vec<Finding> {
    let long = tree.files.iter().filter(|file| file.is_rust() && file.text.lines().count() > LINES_MAX);
    long.map(|file| {
        let what = format!("{} lines", file.text.lines().count());
        Finding::new(&file.path, LINES_MAX + 1, what, format!("move a part out; {LINES_MAX} lines at most"))
    })
    .collect()
}

/// A plugin has every file of the fixed list.
pub(super) fn plugin_is_complete(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for plugin in tree.plugins() {
        for (file, holds) in PLUGIN {
            let path = format!("{}/{file}", plugin.folder);
            if tree.text(&path).is_none() {
                findings.push(Finding::new(
                    &path,
                    1,
                    "the plugin lacks this file",
                    format!("it holds {holds}"),
                ));
            }
        }
    }
    findings
}

/// Every TOML file is TOML.
pub(super) fn toml_parses(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| file.is_toml()) {
        if let Err(error) = file.text.parse::<DocumentMut>() {
            let line = error.span().map_or(1, |span| line_of(&file.text, span.start));
            let what = format!("not TOML: {}", error.message().replace('\n', ", "));
            findings.push(Finding::new(&file.path, line, what, "correct the syntax"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::planted;

    #[test]
    fn a_file_says_what_it_is() {
        check("a/src/a.rs", "//! Routes.\n", true);
        check("a/src/a.rs", "\n//! Routes.\n", false);
        check("a/src/a.rs", "// Routes.\n", false);
        check("a/src/a.rs", "", false);
        check("a/src/a.md", "Routes.\n", true);
        check("a/src/lib.rs", "#![doc = include_str!(\"../README.md\")]\n", true);
        check("a/src/a.rs", "#![doc = include_str!(\"../README.md\")]\n", false);

        #[track_caller]
        fn check(path: &str, text: &str, want: bool) {
            let findings = open_with_a_comment(&planted::files(&[(path, text)]));
            assert_eq!(findings.is_empty(), want, "{path} {text:?}");
        }
    }

    #[test]
    fn a_name_says_what_lives_there() {
        check("a/src/clock.rs", &[]);
        check("a/src/commonality.rs", &[]);
        check("a/src/utils.rs", &["`utils` says nothing"]);
        check("a/tests/common/mod.rs", &["`common` says nothing"]);
        check("common/a.toml", &[]);

        #[track_caller]
        fn check(path: &str, want: &[&str]) {
            let findings = names_say_something(&planted::files(&[(path, "")]));
            assert_eq!(
                findings.iter().map(|finding| finding.what.as_str()).collect::<Vec<_>>(),
                want,
                "{path}"
            );
        }
    }

    #[test]
    fn refuses_the_first_line_too_many() {
        assert_eq!(are_short(&planted::files(&[("a.rs", &"//!\n".repeat(LINES_MAX))])), []);
        assert_eq!(are_short(&planted::files(&[("a.md", &"a\n".repeat(LINES_MAX + 1))])), []);

        let findings = are_short(&planted::files(&[("a.rs", &"//!\n".repeat(LINES_MAX + 1))]));
        assert_eq!(findings[0].to_string(), "a.rs:701: 701 lines; move a part out; 700 lines at most");
    }

    #[test]
    fn a_plugin_has_all_its_files() {
        let paths = PLUGIN.map(|(file, _)| format!("plugins/paymux-x/{file}"));
        let mut files: Vec<(&str, &str)> = paths.iter().map(|path| (path.as_str(), "")).collect();
        assert_eq!(missing(&files), [""; 0]);

        files.retain(|(path, _)| !path.ends_with("sign.rs"));
        assert_eq!(missing(&files), ["plugins/paymux-x/src/sign.rs"]);

        fn missing(files: &[(&str, &str)]) -> Vec<String> {
            let mut tree = planted::files(files);
            tree.packages.push(planted::package("plugins/paymux-x", &[]));
            tree.packages.push(planted::package("crates/paymux-core", &[]));
            plugin_is_complete(&tree).into_iter().map(|finding| finding.path).collect()
        }
    }

    #[test]
    fn toml_is_toml() {
        assert_eq!(toml_parses(&planted::files(&[("config/default.toml", "a = 1\n"), ("a.md", "a =")])), []);

        let findings = toml_parses(&planted::files(&[("config/default.toml", "a = 1\nb = \n")]));
        assert_eq!((findings.len(), findings[0].line), (1, 2), "{findings:?}");
    }
}
