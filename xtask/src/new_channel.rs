//! `cargo xtask new-channel NAME`: a crate for one more provider, made from the sandbox's. Beside the crate it writes
//! one line in the server's list and one in each manifest that must know of it, and nothing else: no rule, test or
//! table has to hear of a provider. What is copied, and how it is renamed, stands in `template`.

mod lines;
mod template;
pub(crate) mod trial;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::ci::steps::{cargo, succeed};

/// The server's list of providers.
const LIST: &str = "crates/paymux-server/src/plugins.rs";
/// Every file that changes, with what changes in it: one line in each, and in the lock whatever cargo would write.
const CHANGED: [(&str, Change); 4] = [
    ("Cargo.lock", lines::locked),
    ("Cargo.toml", lines::in_the_workspace),
    ("crates/paymux-server/Cargo.toml", lines::depended_on),
    (LIST, lines::registered),
];

/// The text with the new crate in it.
type Change = fn(&str, &str) -> Result<String>;

/// The longest name: it is a label of metrics and a part of paths.
const NAME_CHARS_MAX: usize = 20;

/// Words of Rust: a name is that of a module wherever a file is about its provider.
const KEYWORDS: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn",
    "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop",
    "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static",
    "struct", "super", "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use", "virtual",
    "where", "while",
];

/// What it is to be called.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// The provider's one slug: lower-case letters and digits, a letter first. The crate is `paymux-NAME`.
    name: String,
}

/// Makes the crate and says what comes next.
///
/// # Errors
/// When the name cannot be taken or a file is not as expected; nothing is written then.
#[expect(clippy::print_stdout, reason = "what was made and what comes next is this command's output")]
pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let made = make(root, &options.name)?;
    for path in &made {
        println!("{}", path.display());
    }
    let (name, folder) = (&options.name, template::folder(&options.name));
    println!("\n`paymux-{name}` is the sandbox under another name; {folder}/README.md says what comes next");
    println!("try it: cargo test -p paymux-{name}");
    Ok(())
}

/// Writes the crate, and the lines by which others know it. What was written, from the workspace's folder.
///
/// # Errors
/// As [`run`].
pub(crate) fn make(root: &Path, name: &str) -> Result<Vec<PathBuf>> {
    let plan = plan(root, name)?;
    for (path, bytes) in &plan {
        let to = root.join(path);
        let folder = to.parent().context("a file stands in a folder")?;
        fs::create_dir_all(folder).with_context(|| format!("make `{}`", folder.display()))?;
        fs::write(&to, bytes).with_context(|| format!("write `{}`", to.display()))?;
    }
    // Lines are longer and shorter now, and names stand in another order.
    succeed(cargo(root, ["fmt", "--package", &format!("paymux-{name}")]))?;
    Ok(plan.into_iter().map(|(path, _)| path).collect())
}

/// Every file that is to be written, whole: all of it is known before anything is.
fn plan(root: &Path, name: &str) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    let read = |path: &str| fs::read_to_string(root.join(path)).with_context(|| format!("read `{path}`"));
    is_a_name(name)?;
    is_free(root, name, &read("Cargo.lock")?)?;
    let mut plan = template::files(root, name)?;
    for (path, change) in CHANGED {
        let changed = change(&read(path)?, name).with_context(|| format!("`{path}` is not as expected"))?;
        plan.push((path.into(), changed.into_bytes()));
    }
    Ok(plan)
}

fn is_a_name(name: &str) -> Result<()> {
    let is_good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    ensure!(
        (2..=NAME_CHARS_MAX).contains(&name.len())
            && name.chars().all(is_good)
            && name.starts_with(|c: char| c.is_ascii_lowercase()),
        "`{name}`: write 2 to {NAME_CHARS_MAX} lower-case letters and digits, a letter first, like `acmepay2`; \
         `paymux-` is put before it"
    );
    if KEYWORDS.contains(&name) {
        bail!("`{name}` is a word of Rust, and a plugin's name is that of a module; choose another");
    }
    Ok(())
}

/// No crate is called that yet, of ours or of those that we use, and no folder is in the way.
fn is_free(root: &Path, name: &str, lock: &str) -> Result<()> {
    let own = format!("name = \"paymux-{name}\"");
    ensure!(
        !lock.lines().any(|line| line == own),
        "there is a crate `paymux-{name}` already; choose another name"
    );
    let folder = template::folder(name);
    ensure!(
        !root.join(&folder).exists(),
        "`{folder}` is there already; choose another name, or remove the folder"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_checked() {
        for good in ["alipay", "acmepay2", "x1", &"a".repeat(NAME_CHARS_MAX)] {
            assert!(is_a_name(good).is_ok(), "{good}");
        }
        let too_long = "a".repeat(NAME_CHARS_MAX + 1);
        for bad in ["", "a", "2pay", "AcmePay", "acme-pay", "acme_pay", "acme pay", "支付", "../x", &too_long]
        {
            let told = is_a_name(bad).unwrap_err().to_string();
            assert!(told.contains("lower-case letters and digits, a letter first"), "{told}");
        }
        for word in ["type", "self", "match", "gen"] {
            let told = is_a_name(word).unwrap_err().to_string();
            assert!(told.contains("a word of Rust"), "{told}");
        }
    }

    #[test]
    fn a_name_that_is_taken_is_refused() {
        let root = crate::root();
        for taken in ["sandbox", "beecloud", "core", "testkit", "server"] {
            let told = plan(root, taken).unwrap_err().to_string();
            assert!(told.contains(&format!("there is a crate `paymux-{taken}` already")), "{told}");
        }
    }

    #[test]
    fn a_crate_and_four_lines_are_planned() {
        let plan = plan(crate::root(), trial::PROBE).unwrap();
        let paths: Vec<String> = plan.iter().map(|(path, _)| path.display().to_string()).collect();
        let folder = format!("{}/", template::folder(trial::PROBE));
        let (own, others): (Vec<_>, Vec<_>) = paths.iter().partition(|path| path.starts_with(&folder));
        assert_eq!(others, CHANGED.map(|(path, _)| path));
        assert!(own.iter().any(|path| path.ends_with("src/channel.rs")), "{own:?}");
    }
}
