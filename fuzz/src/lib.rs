//! Fuzzing: bytes from strangers against every parser and verifier of paymux.
//!
//! A [`Target`] takes any bytes and panics where something is wrong with what became of them: a message was
//! believed that nobody signed, a number was read otherwise than it is written, a secret stands in an answer.
//! [`targets`] are all of them. [`run`] makes inputs by changing ones that are right, and whatever a target took
//! is changed further; no code is built otherwise for it, so it runs wherever the tests do.
//!
//! `cargo xtask fuzz` runs them all: a few seconds each in `cargo xtask ci`, a million inputs each by itself. An
//! input with which a target failed is kept in `found/` beside this crate, and runs first from then on.
//!
//! `cargo xtask fuzz --guided` runs the same targets under libFuzzer, which sees what an input reaches; that takes a
//! build of its own and a C++ compiler, so it is for whoever has changed a parser.
//!
//! Whose protocol a target speaks stands in `protocols/`, a file for each plugin; what their targets have in
//! common in `protocols.rs`. What is no provider's stands in `targets/`.

#![expect(clippy::expect_used, reason = "a target that cannot set itself up must fail")]

pub mod mutate;
mod protocols;
mod reference;
pub mod run;
mod spelt;
mod targets;

use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;

/// What became of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// It was read, or believed: worth changing further.
    Taken,
    /// It was refused, as most are.
    Refused,
}

impl Seen {
    /// Taken if that holds.
    #[must_use]
    pub fn taken_if(holds: bool) -> Self {
        if holds { Self::Taken } else { Self::Refused }
    }
}

/// Looks at one input after the other; what it remembers of those before is its own business.
pub type Exam = Box<dyn FnMut(&[u8]) -> Seen>;

/// A parser or verifier, and what to throw at it.
pub struct Target {
    /// What it is called, such as `beecloud/callback`.
    pub name: String,
    /// What it looks at and what must hold.
    pub about: &'static str,
    /// Inputs that are right, at least one of which it takes.
    pub seeds: Vec<Vec<u8>>,
    /// Words that mean something to it.
    pub words: &'static [&'static str],
    /// Sets up what looks at the inputs.
    pub begin: Box<dyn Fn() -> Exam + Send + Sync>,
}

impl Target {
    /// One that remembers nothing.
    pub fn plain(
        name: impl Into<String>,
        about: &'static str,
        seeds: Vec<Vec<u8>>,
        words: &'static [&'static str],
        exam: fn(&[u8]) -> Seen,
    ) -> Self {
        Self { name: name.into(), about, seeds, words, begin: Box::new(move || Box::new(exam)) }
    }

    /// Where inputs stand with which it once failed.
    pub fn folder(&self) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("found").join(&self.name)
    }

    /// These inputs, in the order of their names.
    ///
    /// # Errors
    /// When one cannot be read. That there is no folder means that none was found yet.
    pub fn found(&self) -> io::Result<Vec<Vec<u8>>> {
        let entries = match fs::read_dir(self.folder()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
        paths.sort();
        paths.iter().map(fs::read).collect()
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("name", &self.name).field("about", &self.about).finish_non_exhaustive()
    }
}

/// Every target, in the order of their names.
pub fn targets() -> Vec<Target> {
    let mut all = targets::all();
    all.extend(protocols::all());
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

#[cfg(test)]
mod tests {
    use super::run::{Current, Plan, run};
    use super::*;

    #[test]
    fn names_differ() {
        let names: Vec<String> = targets().into_iter().map(|target| target.name).collect();
        let mut once = names.clone();
        once.dedup();
        assert_eq!(names, once);
    }

    /// A plugin without its targets would have parsers that nobody throws anything at. A draft is still the sandbox
    /// under another name, whose parsers have theirs; tidy sees that none stays a draft once it moves real money.
    #[test]
    fn every_plugin_has_its_targets() {
        let plugins = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins")).unwrap();
        let names: Vec<String> = targets().into_iter().map(|target| target.name).collect();
        for plugin in plugins.map(Result::unwrap) {
            let manifest = fs::read_to_string(plugin.path().join("Cargo.toml")).unwrap();
            if manifest.lines().any(|line| line == "draft = true") {
                continue;
            }
            let folder = plugin.file_name().into_string().unwrap();
            let slug = folder.strip_prefix("paymux-").unwrap();
            for what in ["callback", "front", "settings"] {
                let name = format!("{slug}/{what}");
                assert!(names.contains(&name), "no target `{name}`; add the plugin to protocols.rs");
            }
        }
    }

    /// What once failed passes, every target takes something as it stands, and a few hundred inputs each pass.
    #[test]
    fn every_target_takes_its_own_inputs_and_fails_at_none() {
        for target in targets() {
            let found = target.found().unwrap();
            for (at, seed) in target.seeds.iter().enumerate() {
                assert_eq!(
                    (target.begin)()(seed),
                    Seen::Taken,
                    "{} does not take its own input {at}",
                    target.name
                );
            }
            let runs = (found.len() + target.seeds.len() + 300) as u64;
            let plan = Plan { runs, time: None, seed: 1 };
            let tally = run(&target, &found, plan, &Current::default());
            let tally = tally.unwrap_or_else(|failure| panic!("{}: {failure:?}", target.name));
            assert!(tally.taken > 0 && tally.runs == runs, "{}: {tally:?}", target.name);
        }
    }
}
