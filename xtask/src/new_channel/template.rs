//! The sandbox's crate as a template: which of its files are copied, and how they are renamed.
//!
//! Names are changed by rule and not by file, so that whatever the sandbox is made of is copied: its slug, its types
//! and its crate. What lies in `tests/data` stays byte for byte: a sign is over the words with which it was made.
//! The page gets a new beginning, and the manifest says that the crate is a draft.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::tree;

/// The plugin that is copied.
pub(super) const TEMPLATE: &str = "sandbox";
/// Vectors and recorded messages, from the crate's folder.
const DATA: &str = "tests/data/";
/// The section of the template's page that is about being one.
const ABOUT_COPIES: &str = "\n## For whoever copies it\n";

/// How a manifest says that a plugin speaks to no provider yet. Read by tidy, by the fuzz targets' own test and by
/// the server's tables.
const DRAFT: &str = "
# It speaks to no provider yet, so it stands in no table for people and needs no fuzz targets. `cargo xtask tidy` asks
# to remove this as soon as it can move real money.
[package.metadata.paymux]
draft = true
";

/// The folder of a plugin, from the workspace's.
pub(super) fn folder(name: &str) -> String {
    format!("plugins/paymux-{name}")
}

/// Every file of the new crate, from the workspace's folder.
pub(super) fn files(root: &Path, name: &str) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    let template = root.join(folder(TEMPLATE));
    let mut files = Vec::new();
    for inside in tree::paths(&template)? {
        let bytes =
            fs::read(template.join(&inside)).with_context(|| format!("read the sandbox's `{inside}`"))?;
        let to = Path::new(&folder(name)).join(renamed(&inside, name));
        files.push((to, content(&inside, bytes, name)?));
    }
    Ok(files)
}

/// What stands in the copy of the file at that place in the crate.
fn content(inside: &str, bytes: Vec<u8>, name: &str) -> Result<Vec<u8>> {
    if inside.starts_with(DATA) {
        return Ok(bytes);
    }
    let text = String::from_utf8(bytes).with_context(|| format!("the sandbox's `{inside}` is not UTF-8"))?;
    let made = match inside {
        "README.md" => page(&text, name),
        "Cargo.toml" => manifest(&text, name),
        _ => renamed(&text, name),
    };
    Ok(made.into_bytes())
}

/// The template's name in its three spellings: as a slug and in crates' names, in types, and in variables.
fn renamed(text: &str, name: &str) -> String {
    text.replace(TEMPLATE, name)
        .replace(&type_name(TEMPLATE), &type_name(name))
        .replace(&TEMPLATE.to_uppercase(), &name.to_uppercase())
}

/// The name as a type's begins: `acmepay` is `Acmepay`.
fn type_name(name: &str) -> String {
    let (first, rest) = name.split_at(1);
    format!("{}{rest}", first.to_uppercase())
}

fn manifest(text: &str, name: &str) -> String {
    let describe = |line: &str| {
        if line.starts_with("description = ") {
            format!("description = \"{name}, a provider\"\n")
        } else {
            format!("{}\n", renamed(line, name))
        }
    };
    text.lines().map(describe).chain([DRAFT.to_owned()]).collect()
}

/// The page with what comes next in the place of what the template is.
fn page(text: &str, name: &str) -> String {
    let sections = text.find("\n## ").map_or("", |at| &text[at..]);
    let end = sections.find(ABOUT_COPIES);
    let (before, about) = sections.split_at(end.unwrap_or(sections.len()));
    // The section ends where the next one begins.
    let after = about.get(1..).and_then(|about| about.find("\n## ").map(|at| &about[at..])).unwrap_or("");
    format!("{}{}", next_steps(name), renamed(&format!("{before}{after}"), name))
}

fn next_steps(name: &str) -> String {
    format!(
        "# paymux-{name}

Made from the sandbox's crate by `cargo xtask new-channel`, and as yet the same under another name: a provider in memory, no network, no real money. The tests pass; keep them passing while the provider takes the sandbox's place, file by file:

1. This page: the provider's document, its version and the day on which it was read; what it leaves open, and what was decided.
2. `src/config.rs`: the settings, each with its kind and its help. What is said of mistakes, and what examples and forms show, comes from there.
3. `src/wire.rs`: requests and replies, spelt as the provider spells them.
4. `src/sign.rs` and `tests/data/vectors.json`: what a sign covers and what it does not, held to the document's own examples. The vectors that lie there are still the sandbox's.
5. `src/map.rs`: states and error codes, one table each; a code that is not in it is unknown, never a refusal.
6. `src/channel.rs`: build, sign, `cx.send`, read, map; and the descriptor, which says what the provider can do. `src/books.rs`, the pretend provider, goes then. Calls over the network are to be seen in `channel.rs`, `wire.rs` and `map/results.rs` of `paymux-beecloud`.
7. `src/callback.rs`: verify as received, read, acknowledge.
8. `src/acceptor.rs`: the server side of the same protocol, for the simulator and for clients who speak it.
9. `tests/`: the suites, and what they must know of the provider.
10. `Cargo.toml`: take `draft` away. Then `cargo xtask codegen` writes it into the tables for people, and a test asks for its fuzz targets in `fuzz/src/protocols.rs`.

What follows is still what the sandbox does.
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_renamed() {
        let text = "use paymux_sandbox::SandboxProvider; // `paymux-sandbox`: SANDBOX_KEY, sandbox-sign";
        let want = "use paymux_probe::ProbeProvider; // `paymux-probe`: PROBE_KEY, probe-sign";
        assert_eq!(renamed(text, "probe"), want);
    }

    #[test]
    fn data_stays_as_it_was_made() {
        let copied = |path: &str| content(path, b"sandbox".to_vec(), "probe").unwrap();
        assert_eq!(copied("tests/data/vectors.json"), b"sandbox");
        assert_eq!(copied("tests/conformance.rs"), b"probe");
        assert!(content("src/lib.rs", vec![0xff], "probe").is_err());
        assert_eq!(content("tests/data/a.bin", vec![0xff], "probe").unwrap(), [0xff]);
    }

    #[test]
    fn a_page_begins_with_what_comes_next() {
        let text = format!(
            "# paymux-sandbox\n\nThe template.\n\n## Settings\n\nsandbox\n{ABOUT_COPIES}\nYou.\n\n## End\n\nx\n"
        );
        let page = page(&text, "probe");
        assert!(page.starts_with("# paymux-probe\n\nMade from the sandbox's crate"), "{page}");
        assert!(page.ends_with("what the sandbox does.\n\n## Settings\n\nprobe\n\n## End\n\nx\n"), "{page}");
        assert!(!page.contains("The template.") && !page.contains("You."), "{page}");
    }

    #[test]
    fn a_manifest_says_that_it_is_a_draft() {
        let manifest = manifest("[package]\nname = \"paymux-sandbox\"\ndescription = \"x\"\n", "probe");
        let read: toml_edit::DocumentMut = manifest.parse().unwrap();
        let package = &read["package"];
        assert_eq!(package["name"].as_str(), Some("paymux-probe"));
        assert_eq!(package["description"].as_str(), Some("probe, a provider"));
        assert_eq!(package["metadata"]["paymux"]["draft"].as_bool(), Some(true));
    }

    /// The real template: nothing of it keeps the old name but what was made under it.
    #[test]
    fn the_sandbox_is_renamed_whole() {
        let files = files(crate::root(), "probe").unwrap();
        assert!(files.len() > 15, "{} files", files.len());
        for (path, bytes) in files {
            let told = path.display().to_string();
            assert!(path.starts_with("plugins/paymux-probe") && !told.contains(TEMPLATE), "{told}");
            if !told.contains(DATA) && !told.ends_with("README.md") {
                let text = String::from_utf8(bytes).unwrap().to_lowercase();
                assert!(!text.contains(TEMPLATE), "{told}");
            }
        }
    }
}
