//! ARCHITECTURE.md against the workspace: one entry for each crate, one crate for each entry, and no file that isn't
//! there, so that the map can't rot. What an entry says is the reader's to judge. Plugins are one entry together: all
//! have the same files, and each has a page of its own, which `files` asks for.

use std::path::Path;

use super::Finding;
use crate::tree::{Package, Tree};

const MAP: &str = "ARCHITECTURE.md";
/// The entry of all plugins.
const PLUGINS: &str = "plugins/*";

/// Every crate has an entry; a plugin's is that of all plugins.
pub(super) fn crate_has_entry(tree: &Tree) -> Vec<Finding> {
    let entries = entries(tree);
    let has_entry = |package: &&Package| {
        let own = |name: &str| name == package.folder || (name == PLUGINS && package.is_plugin());
        entries.iter().any(|(_, name)| own(name))
    };
    let missing = tree.packages.iter().filter(|package| !has_entry(package));
    missing
        .map(|package| {
            let to_do = format!("write a heading like: ### `{}`", package.folder);
            Finding::new(MAP, 1, format!("`{}` has no entry", package.folder), to_do)
        })
        .collect()
}

/// Every entry has a crate.
pub(super) fn entry_has_crate(tree: &Tree) -> Vec<Finding> {
    let entries = entries(tree).into_iter().filter(|(_, name)| *name != PLUGINS);
    let stale = entries.filter(|(_, name)| !tree.packages.iter().any(|package| package.folder == *name));
    stale
        .map(|(line, name)| {
            let to_do = "remove the entry, or correct its folder";
            Finding::new(MAP, line, format!("no crate stands in `{name}`"), to_do)
        })
        .collect()
}

/// Every source file that the map names is there, and so is every place that a page links to.
pub(super) fn named_files_exist(tree: &Tree) -> Vec<Finding> {
    let pages = tree.files.iter().filter(|file| file.is_page());
    let lost = pages.flat_map(|page| {
        let lines = page.text.lines().enumerate();
        lines.flat_map(move |(index, line)| {
            let sources = sources(line).filter(|name| page.path == MAP && !has_source(tree, name));
            let links = links(line).filter(|to| !has_place(tree, &page.path, to));
            sources.chain(links).map(move |name| (page, index + 1, name))
        })
    });
    lost.map(|(page, line, name)| {
        Finding::new(&page.path, line, format!("`{name}` is not there"), "name what is, or remove the line")
    })
    .collect()
}

/// The names of source files in a line of text.
fn sources(line: &str) -> impl Iterator<Item = &str> {
    let words = line.split(|c: char| !(c.is_ascii_alphanumeric() || "/._-*".contains(c)));
    words.filter(|word| Path::new(word).extension().is_some_and(|extension| extension == "rs"))
}

/// A name may be the end of a path, and `*` stands for any part of one.
fn has_source(tree: &Tree, name: &str) -> bool {
    let (start, end) = name.split_once('*').unwrap_or(("", name));
    let ends = |path: &str| {
        path.strip_suffix(end).is_some_and(|rest| name != end || rest.is_empty() || rest.ends_with('/'))
    };
    tree.files.iter().any(|file| file.path.starts_with(start) && ends(&file.path))
}

/// Where a line's Markdown links lead, as far as that is inside the repository.
fn links(line: &str) -> impl Iterator<Item = &str> {
    let targets = line.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    targets.filter(|to| !to.is_empty() && !to.contains("://"))
}

/// A link starts at the folder of its page; it may lead to a file or to a folder.
fn has_place(tree: &Tree, page: &str, to: &str) -> bool {
    let mut path: Vec<&str> = page.split('/').collect();
    path.pop();
    for step in to.split('/').filter(|step| !matches!(*step, "" | ".")) {
        match step {
            ".." => drop(path.pop()),
            name => path.push(name),
        }
    }
    let (file, folder) = (path.join("/"), format!("{}/", path.join("/")));
    tree.files.iter().any(|known| known.path == file || known.path.starts_with(&folder))
}

/// Line and folder of each entry: a heading that holds a crate's folder in backticks.
fn entries(tree: &Tree) -> Vec<(usize, &str)> {
    let map = tree.text(MAP).unwrap_or_default();
    let headings = map.lines().enumerate().filter(|(_, line)| line.starts_with('#'));
    headings
        .flat_map(|(index, heading)| {
            let quoted = heading.split('`').skip(1).step_by(2);
            quoted.filter(|name| is_folder(name)).map(move |name| (index + 1, name))
        })
        .collect()
}

fn is_folder(name: &str) -> bool {
    if name == PLUGINS {
        return true;
    }
    let folder = name.strip_prefix("crates/").or_else(|| name.strip_prefix("plugins/"));
    folder.map_or(matches!(name, "benches" | "fuzz" | "xtask"), |rest| !rest.contains(['/', '*', '<']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::planted;

    #[test]
    fn a_crate_has_an_entry() {
        check("### `crates/paymux-core`\n", &[]);
        check("### `crates/paymux-core`: the middle\n", &[]);
        check("### The middle: `crates/paymux-core`\n", &[]);
        check("See `crates/paymux-core`.\n", &["`crates/paymux-core` has no entry"]);
        check("### crates/paymux-core\n", &["`crates/paymux-core` has no entry"]);
        check("### `crates/paymux-core/src`\n", &["`crates/paymux-core` has no entry"]);
        check("", &["`crates/paymux-core` has no entry"]);

        #[track_caller]
        fn check(map: &str, want: &[&str]) {
            let mut tree = planted::files(&[(MAP, map)]);
            tree.packages.push(planted::package("crates/paymux-core", &[]));
            let found: Vec<String> = crate_has_entry(&tree).into_iter().map(|finding| finding.what).collect();
            assert_eq!(found, want, "{map}");
        }
    }

    #[test]
    fn plugins_have_one_entry_together() {
        check("### `plugins/*`\n", &[]);
        check("### `plugins/paymux-x`\n### `plugins/paymux-y`\n", &[]);
        check("### `plugins/paymux-x`\n", &["`plugins/paymux-y` has no entry"]);
        check("See `plugins/*`.\n", &["`plugins/paymux-x` has no entry", "`plugins/paymux-y` has no entry"]);

        #[track_caller]
        fn check(map: &str, want: &[&str]) {
            let mut tree = planted::files(&[(MAP, map)]);
            tree.packages =
                ["x", "y"].map(|name| planted::package(&format!("plugins/paymux-{name}"), &[])).into();
            let found: Vec<String> = crate_has_entry(&tree).into_iter().map(|finding| finding.what).collect();
            assert_eq!(found, want, "{map}");
            assert_eq!(entry_has_crate(&tree), [], "{map}");
        }
    }

    #[test]
    fn a_missing_map_lacks_every_entry() {
        let tree = Tree { files: Vec::new(), packages: vec![planted::package("xtask", &[])] };
        assert_eq!(crate_has_entry(&tree).len(), 1);
    }

    #[test]
    fn a_map_leads_somewhere() {
        check(MAP, "1. `state.rs`, core/src/state.rs, */src/state.rs", &[]);
        check(MAP, "\nmove to gone.rs", &[(2, "`gone.rs` is not there")]);
        check(MAP, "tate.rs", &[(1, "`tate.rs` is not there")]);
        check(MAP, "plugins/*/src/state.rs", &[(1, "`plugins/*/src/state.rs` is not there")]);
        check("README.md", "gone.rs was renamed", &[]);
        check("README.md", "[a](core/src/state.rs) [b](core/src) [c](https://a.example/b) [d](#here)", &[]);
        check(
            "README.md",
            "[a](core/src/state.rs#x) [b](core/gone.md)",
            &[(1, "`core/gone.md` is not there")],
        );
        check("core/README.md", "[a](src/state.rs) [b](../core/src/)", &[]);
        check("core/README.md", "[a](core/src/state.rs)", &[(1, "`core/src/state.rs` is not there")]);

        #[track_caller]
        fn check(page: &str, text: &str, want: &[(usize, &str)]) {
            let findings = named_files_exist(&planted::files(&[(page, text), ("core/src/state.rs", "")]));
            let found: Vec<_> =
                findings.iter().map(|finding| (finding.line, finding.what.as_str())).collect();
            assert_eq!(found, want, "{page}: {text}");
        }
    }

    #[test]
    fn an_entry_has_a_crate() {
        check("# paymux\n### `xtask`\n", &[]);
        check("# paymux\n### `crates/paymux-old`\n", &[(2, "no crate stands in `crates/paymux-old`")]);
        check("# paymux\nOnce there was `crates/paymux-old`.\n", &[]);
        check("# A plugin: `plugins/*`, `src/payments.rs`\n", &[]);
        check("### `benches`\n", &[(1, "no crate stands in `benches`")]);

        #[track_caller]
        fn check(map: &str, want: &[(usize, &str)]) {
            let mut tree = planted::files(&[(MAP, map)]);
            tree.packages.push(planted::package("xtask", &[]));
            let findings = entry_has_crate(&tree);
            let found: Vec<_> =
                findings.iter().map(|finding| (finding.line, finding.what.as_str())).collect();
            assert_eq!(found, want, "{map}");
        }
    }
}
