//! ARCHITECTURE.md against the workspace: one entry for each crate, one crate for each entry, so that the map
//! can't rot. What an entry says is the reader's to judge.

use super::Finding;
use crate::tree::Tree;

const MAP: &str = "ARCHITECTURE.md";

/// Every crate has an entry.
pub(super) fn crate_has_entry(tree: &Tree) -> Vec<Finding> {
    let entries = entries(tree);
    let missing =
        tree.packages.iter().filter(|package| !entries.iter().any(|(_, name)| *name == package.folder));
    missing
        .map(|package| {
            let to_do = format!("write a heading like: ### `{}`", package.folder);
            Finding::new(MAP, 1, format!("`{}` has no entry", package.folder), to_do)
        })
        .collect()
}

/// Every entry has a crate.
pub(super) fn entry_has_crate(tree: &Tree) -> Vec<Finding> {
    let entries = entries(tree).into_iter();
    let stale = entries.filter(|(_, name)| !tree.packages.iter().any(|package| package.folder == *name));
    stale
        .map(|(line, name)| {
            let to_do = "remove the entry, or correct its folder";
            Finding::new(MAP, line, format!("no crate stands in `{name}`"), to_do)
        })
        .collect()
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
    let folder = name.strip_prefix("crates/").or_else(|| name.strip_prefix("plugins/"));
    folder.map_or(matches!(name, "benches" | "xtask"), |rest| !rest.contains(['/', '*', '<']))
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
    fn a_missing_map_lacks_every_entry() {
        let tree = Tree { files: Vec::new(), packages: vec![planted::package("xtask", &[])] };
        assert_eq!(crate_has_entry(&tree).len(), 1);
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
