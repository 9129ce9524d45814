//! The generator tried on a copy of the workspace, for every change: it touches what it says and nothing else, what
//! it makes is tidy and formatted, compiles, and passes its own tests.
//!
//! Only the new crate and what it depends on is built: core, the signs, the testkit and some hundred small crates of
//! others, no server and no database. In a folder of its own: cargo takes a crate of the copy for the same crate of the
//! workspace, and would believe the one fresh that it has built of the other. The copy and its build are kept, and only
//! what differs is written, so that a second run compiles the new crate alone.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result, bail, ensure};

use super::{CHANGED, make, template};
use crate::{
    ci::steps::{cargo, succeed},
    tidy, tree,
};

/// What the crate is called that is made and thrown away.
pub(crate) const PROBE: &str = "probe";

/// The texts of a folder by their paths.
type Texts = BTreeMap<String, String>;

/// Makes a crate in a copy and looks at all that became of it.
///
/// # Errors
/// When the generator fails, touches what it must not, or makes what does not pass.
pub(crate) fn run(root: &Path) -> Result<()> {
    let place = tree::target_folder(root)?.join("new-channel");
    let copy = place.join("tree");
    tree::mirror(root, &copy)?;
    let before = texts(&copy)?;
    make(&copy, PROBE)?;
    touches_only_its_own(&before, &texts(&copy)?)?;
    tidy::run(&copy)?;
    succeed(cargo(&copy, ["fmt", "--all", "--check"]))?;
    // `--locked`: what was written to the lock is what cargo would have written.
    let own = format!("paymux-{PROBE}");
    let mut test = cargo(&copy, ["test", "--locked", "--profile", "ci", "--package", &own]);
    test.env("CARGO_TARGET_DIR", place.join("build"));
    succeed(test)
}

fn texts(folder: &Path) -> Result<Texts> {
    let text = |path: String| {
        let bytes = fs::read(folder.join(&path)).with_context(|| format!("read the copy's `{path}`"))?;
        Ok((path, String::from_utf8_lossy(&bytes).into_owned()))
    };
    tree::paths(folder)?.into_iter().map(text).collect()
}

/// The new crate, and one line in each file that must know of it; in the lock as many as it needs.
///
/// # Errors
/// When anything else is other than it was.
fn touches_only_its_own(before: &Texts, after: &Texts) -> Result<()> {
    let folder = format!("{}/", template::folder(PROBE));
    if let Some(lost) = before.keys().find(|path| !after.contains_key(*path)) {
        bail!("`{lost}` is gone");
    }
    for (path, text) in after {
        let Some(old) = before.get(path) else {
            ensure!(path.starts_with(&folder), "`{path}` is new and not of the new crate");
            continue;
        };
        let may_change = CHANGED.iter().any(|(changed, _)| changed == path);
        ensure!(
            old == text || may_change,
            "`{path}` was changed: nothing but the crate itself should know of it"
        );
        if may_change {
            let more =
                lines_more(old, text).with_context(|| format!("`{path}`: a line was changed or lost"))?;
            let is_enough = more == 1 || (path == "Cargo.lock" && more > 1);
            ensure!(is_enough, "`{path}` has {more} lines more; a plugin is one line");
        }
    }
    ensure!(after.keys().any(|path| path.starts_with(&folder)), "no crate was made");
    Ok(())
}

/// How many lines `new` has beside those of `old`; `None` if one of `old` is not there in its order.
fn lines_more(old: &str, new: &str) -> Option<usize> {
    let mut rest = new.lines();
    let all_there = old.lines().all(|line| rest.any(|other| other == line));
    all_there.then(|| new.lines().count() - old.lines().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> Texts {
        files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn anything_else_that_is_touched_is_told() {
        let before = tree(&[("Cargo.toml", "a\nc\n"), ("deny.toml", "x\n")]);
        let made = ("plugins/paymux-probe/src/lib.rs", "");
        let check = |after: &[(&str, &str)], want: Option<&str>| {
            let told = touches_only_its_own(&before, &tree(after)).err().map(|error| format!("{error:#}"));
            assert_eq!(told.as_deref(), want);
        };
        check(&[made, ("Cargo.toml", "a\nb\nc\n"), ("deny.toml", "x\n")], None);
        check(
            &[made, ("Cargo.toml", "a\nc\n"), ("deny.toml", "x\n")],
            Some("`Cargo.toml` has 0 lines more; a plugin is one line"),
        );
        check(
            &[made, ("Cargo.toml", "a\nb\nb\nc\n"), ("deny.toml", "x\n")],
            Some("`Cargo.toml` has 2 lines more; a plugin is one line"),
        );
        check(
            &[made, ("Cargo.toml", "a\nb\n"), ("deny.toml", "x\n")],
            Some("`Cargo.toml`: a line was changed or lost"),
        );
        check(&[made, ("Cargo.toml", "a\nb\nc\n")], Some("`deny.toml` is gone"));
        check(
            &[made, ("Cargo.toml", "a\nb\nc\n"), ("deny.toml", "y\n")],
            Some("`deny.toml` was changed: nothing but the crate itself should know of it"),
        );
        check(
            &[made, ("Cargo.toml", "a\nb\nc\n"), ("deny.toml", "x\n"), ("a.rs", "")],
            Some("`a.rs` is new and not of the new crate"),
        );
        check(&[("Cargo.toml", "a\nb\nc\n"), ("deny.toml", "x\n")], Some("no crate was made"));
    }
}
