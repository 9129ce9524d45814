//! `cargo xtask drill`: plants one bug after the other in a copy of the workspace and sees whether a harness
//! catches it. A bug that nothing catches is the harness's fault. Caught is what the judge of a harness tells: that
//! it failed otherwise, or hit something too seldom, says nothing of the bug.
//!
//! The bugs stand in `xtask/drill/bugs.toml`, each as a text that must stand exactly once in a file and what
//! takes its place; nothing of them is in the code itself.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use toml_edit::{DocumentMut, Table};

use crate::{
    ci::steps::{cargo, succeed},
    crash,
};

/// Where the bugs stand, from the workspace's folder.
pub(crate) const BUGS: &str = "xtask/drill/bugs.toml";
/// What caught each of them at the last drill of all, from the workspace's folder.
const CAUGHT: &str = "xtask/drill/CAUGHT.md";
/// Most bugs are caught by so few seeds or kills; only one that is not is looked for with all of them.
const AT_FIRST: (u32, u32) = (500, 10);
/// The copy and its build, from the workspace's folder: kept, so that a second drill compiles little.
const COPY: &str = "target/drill/tree";
const BUILD: &str = "target/drill/build";

/// Which bugs, and how hard they are looked for.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Only the bugs whose name has this in it.
    #[arg(long)]
    only: Option<String>,
    /// How many seeds the simulation may take for each.
    #[arg(long, default_value_t = 10_000)]
    seeds: u32,
    /// How many kills the crash harness may take for each.
    #[arg(long, default_value_t = 40)]
    kills: u32,
    /// Only looks whether each bug can still be planted.
    #[arg(long)]
    check: bool,
    /// Writes down what caught each bug, in `xtask/drill/CAUGHT.md`.
    #[arg(long, conflicts_with_all = ["only", "check"])]
    record: bool,
}

/// One bug.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Bug {
    pub(crate) name: String,
    /// What is wrong with it, in one sentence.
    pub(crate) what: String,
    pub(crate) harness: Harness,
    pub(crate) file: String,
    /// Stands exactly once in `file`.
    pub(crate) find: String,
    /// What stands there instead.
    pub(crate) put: String,
}

/// What is to catch a bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Harness {
    Simulation,
    Crash,
}

impl Harness {
    const ALL: [(Self, &'static str); 2] = [(Self::Simulation, "simulation"), (Self::Crash, "crash")];

    /// Its binary among the tests.
    fn test(self) -> &'static str {
        match self {
            Self::Simulation => "simulation",
            Self::Crash => "e2e",
        }
    }

    fn word(self) -> &'static str {
        Self::ALL.iter().find(|(harness, _)| *harness == self).map_or("", |(_, word)| word)
    }
}

/// Plants and looks.
///
/// # Errors
/// When a bug cannot be planted, does not compile, or is not caught.
#[expect(clippy::print_stdout, reason = "the table is this command's output")]
pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let text = fs::read_to_string(root.join(BUGS)).with_context(|| format!("read {BUGS}"))?;
    let wanted = |bug: &Bug| options.only.as_ref().is_none_or(|part| bug.name.contains(part.as_str()));
    let bugs: Vec<Bug> = read(&text)?.into_iter().filter(wanted).collect();
    for bug in &bugs {
        let source =
            fs::read_to_string(root.join(&bug.file)).with_context(|| format!("read {}", bug.file))?;
        planted(bug, &source)?;
    }
    if options.check {
        println!("drill: each of {} bugs can be planted", bugs.len());
        return Ok(());
    }
    let copy = Copy::make(root)?;
    copy.stands(options)?;
    let mut caught = Vec::new();
    for bug in &bugs {
        let outcome = copy.drill(bug, options)?;
        let word = if matches!(outcome, Outcome::Caught(_)) { "caught" } else { "MISSED" };
        println!("{word:7} {:36} {:10}  {}", bug.name, bug.harness.word(), bug.what);
        match outcome {
            Outcome::Passed => {}
            Outcome::Failed(line) => println!("        failed, which proves nothing: {line}"),
            Outcome::Caught(line) => {
                println!("        {line}");
                caught.push((bug, line));
            }
        }
    }
    let missed = bugs.iter().filter(|bug| caught.iter().all(|(other, _)| other.name != bug.name));
    let missed: Vec<&str> = missed.map(|bug| bug.name.as_str()).collect();
    ensure!(
        missed.is_empty(),
        "{} of {} bugs were not caught: {}",
        missed.len(),
        bugs.len(),
        missed.join(", ")
    );
    println!("drill: {} of {} bugs were caught", bugs.len(), bugs.len());
    if options.record {
        fs::write(root.join(CAUGHT), record(&caught)).with_context(|| format!("write {CAUGHT}"))?;
    }
    Ok(())
}

/// What caught each bug, for people.
fn record(caught: &[(&Bug, String)]) -> String {
    let mut text = String::from(
        "# What caught each planted bug\n\n\
         Written by `cargo xtask drill --record`. The bugs stand in [bugs.toml](bugs.toml); each was planted alone.\n\n\
         | bug | what is wrong with it | caught by | which said first |\n|---|---|---|---|\n",
    );
    for (bug, line) in caught {
        let line = line.replace('|', "\\|").replace('`', "'");
        let _ = writeln!(text, "| `{}` | {} | {} | `{line}` |", bug.name, bug.what, bug.harness.word());
    }
    text
}

/// The bugs of a text.
///
/// # Errors
/// When the text is no list of bugs.
pub(crate) fn read(text: &str) -> Result<Vec<Bug>> {
    let document: DocumentMut = text.parse().context("the list of bugs is no TOML")?;
    let tables = document.get("bug").and_then(|item| item.as_array_of_tables()).context("no [[bug]]")?;
    tables.iter().map(bug).collect()
}

fn bug(table: &Table) -> Result<Bug> {
    let field = |key: &str| {
        let text = table.get(key).and_then(|item| item.as_str());
        text.map(str::to_owned).with_context(|| format!("a bug without `{key}`: {table}"))
    };
    let word = field("harness")?;
    let harness = Harness::ALL.iter().find(|(_, known)| *known == word);
    let (harness, _) = harness.with_context(|| format!("`{word}`: a harness is simulation or crash"))?;
    Ok(Bug {
        name: field("name")?,
        what: field("what")?,
        harness: *harness,
        file: field("file")?,
        find: field("find")?,
        put: field("put")?,
    })
}

/// The source with the bug in it.
///
/// # Errors
/// When its place is not there, or not once.
pub(crate) fn planted(bug: &Bug, source: &str) -> Result<String> {
    let places = source.matches(bug.find.as_str()).count();
    ensure!(places == 1, "{}: its place stands {places} times in {}, not once", bug.name, bug.file);
    Ok(source.replace(bug.find.as_str(), &bug.put))
}

/// A copy of the workspace, with a build of its own.
struct Copy {
    tree: PathBuf,
    build: PathBuf,
}

impl Copy {
    /// Of what git tracks or would track, as it is now.
    fn make(root: &Path) -> Result<Self> {
        let (tree, build) = (root.join(COPY), root.join(BUILD));
        if tree.exists() {
            fs::remove_dir_all(&tree).context("remove the old copy")?;
        }
        let mut list = Command::new("git");
        let list = list
            .current_dir(root)
            .args(["ls-files", "-co", "--exclude-standard", "-z"])
            .output()
            .context("start `git`")?;
        ensure!(list.status.success(), "`git ls-files` failed");
        let names = String::from_utf8(list.stdout).context("a file's name is not UTF-8")?;
        // What was removed and not yet committed is listed too.
        let is_there = |name: &&str| !name.is_empty() && root.join(name).is_file();
        for name in names.split('\0').filter(is_there) {
            let to = tree.join(name);
            fs::create_dir_all(to.parent().unwrap_or(&tree))?;
            fs::copy(root.join(name), &to).with_context(|| format!("copy {name}"))?;
        }
        Ok(Self { tree, build })
    }

    /// The copy as it is must pass all that a bug is looked for with, or a failure later would prove nothing.
    fn stands(&self, options: &Options) -> Result<()> {
        for (harness, word) in Harness::ALL {
            match self.look(harness, options)? {
                Outcome::Passed => {}
                Outcome::Caught(line) | Outcome::Failed(line) => {
                    bail!("without any bug the {word} fails: {line}")
                }
            }
        }
        Ok(())
    }

    /// Plants a bug, looks for it, and takes it out again.
    fn drill(&self, bug: &Bug, options: &Options) -> Result<Outcome> {
        let path = self.tree.join(&bug.file);
        let source = fs::read_to_string(&path)?;
        fs::write(&path, planted(bug, &source)?)?;
        let found = self.compiles(bug).and_then(|()| self.hunt(bug.harness, options));
        fs::write(&path, source)?;
        found
    }

    /// A bug that does not compile is not caught by a harness.
    fn compiles(&self, bug: &Bug) -> Result<()> {
        let build =
            ["test", "--no-run", "-q", "--workspace", "--profile", "ci", "--test", bug.harness.test()];
        let build = build.into_iter().chain(crash::FEATURES).collect::<Vec<_>>();
        succeed(self.cargo(&build)).with_context(|| format!("{}: the bug must compile", bug.name))
    }

    /// Looks a little, and hard only where that finds nothing.
    fn hunt(&self, harness: Harness, options: &Options) -> Result<Outcome> {
        let (seeds, kills) = AT_FIRST;
        let little =
            Options { seeds: options.seeds.min(seeds), kills: options.kills.min(kills), ..options.clone() };
        match self.look(harness, &little)? {
            Outcome::Caught(line) => Ok(Outcome::Caught(line)),
            Outcome::Passed | Outcome::Failed(_) => self.look(harness, options),
        }
    }

    fn look(&self, harness: Harness, options: &Options) -> Result<Outcome> {
        let (seeds, kills) = (options.seeds.to_string(), options.kills.to_string());
        let mut command = match harness {
            Harness::Simulation => self.cargo(&["xtask", "simulate", "--seeds", &seeds]),
            Harness::Crash => self.cargo(&["xtask", "crash", "--kills", &kills]),
        };
        let output = command.output().context("start the harness")?;
        if output.status.success() {
            return Ok(Outcome::Passed);
        }
        Ok(failure(&(String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr))))
    }

    fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = cargo(&self.tree, arguments.iter().copied());
        command.env("CARGO_TARGET_DIR", &self.build);
        // What a bug leaves unused is no reason not to compile.
        command.env("RUSTFLAGS", "--cap-lints warn");
        command
    }
}

/// How a harness ended.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// It found nothing.
    Passed,
    /// Its judge says what is wrong.
    Caught(String),
    /// It failed, and its judge says nothing: a panic, a stop, something that was hit too seldom.
    Failed(String),
}

/// What a harness that failed printed: the seed that broke a promise and the first that it broke, in the words of
/// its judge; or else the line that says best why it failed.
fn failure(told: &str) -> Outcome {
    let lines: Vec<&str> = told.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let broken = lines.windows(2).find_map(|pair| {
        let seed = pair[0].strip_prefix("seed ")?.strip_suffix(": [")?;
        Some(format!("seed {seed}: {}", pair[1].trim_matches(['"', ','])))
    });
    let seldom = lines.iter().find(|line| line.starts_with("hit too seldom"));
    let panic = seldom.or_else(|| lines.iter().find(|line| line.contains("panicked")));
    let last = panic.or_else(|| lines.last()).map_or("it failed without a word of why", |line| *line);
    broken.map_or_else(|| Outcome::Failed(last.to_owned()), Outcome::Caught)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bug_is_read_and_planted_once() {
        let text = "[[bug]]\nname = \"n\"\nwhat = \"w\"\nharness = \"crash\"\nfile = \"crates/a/b.rs\"\n\
                    find = \"x < 1\"\nput = \"x < 2\"\n";
        let bugs = read(text).unwrap();
        assert_eq!((bugs.len(), bugs[0].harness), (1, Harness::Crash));
        assert_eq!(planted(&bugs[0], "if x < 1 {").unwrap(), "if x < 2 {");
        assert!(planted(&bugs[0], "").unwrap_err().to_string().contains("0 times"));
        assert!(planted(&bugs[0], "x < 1 x < 1").unwrap_err().to_string().contains("2 times"));
        assert!(read(&text.replace("crash", "luck")).is_err());
        assert!(read(&text.replace("find", "seek")).is_err());
    }

    /// The code moves on; a bug that has lost its place would be drilled no more.
    #[test]
    fn every_bug_can_still_be_planted() {
        let root = crate::root();
        let bugs = read(&fs::read_to_string(root.join(BUGS)).unwrap()).unwrap();
        assert!(bugs.len() >= 20, "{} bugs", bugs.len());
        for bug in &bugs {
            let source = fs::read_to_string(root.join(&bug.file)).unwrap();
            assert_ne!(planted(bug, &source).unwrap(), source, "{}", bug.name);
        }
        let mut names: Vec<&str> = bugs.iter().map(|bug| bug.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), bugs.len(), "each has its own name");
    }

    /// A bug that was added or changed has not been caught by anything yet.
    #[test]
    fn every_bug_was_caught() {
        let root = crate::root();
        let bugs = read(&fs::read_to_string(root.join(BUGS)).unwrap()).unwrap();
        let record = fs::read_to_string(root.join(CAUGHT)).unwrap();
        if let Err(why) = check_record(&record, &bugs) {
            panic!("{CAUGHT}: {why}; write it anew with: cargo xtask drill --record");
        }
    }

    /// What is written down is of these bugs, each once, with the harness that caught it and with what that said.
    fn check_record(record: &str, bugs: &[Bug]) -> Result<(), String> {
        let rows = record.lines().filter_map(|line| line.strip_prefix("| `"));
        let mut rows: Vec<&str> = rows.collect();
        for bug in bugs {
            let begin = format!("{}` | {} | {} | `", bug.name, bug.what, bug.harness.word());
            let place = rows.iter().position(|row| row.starts_with(&begin));
            let place = place.ok_or_else(|| format!("no row of its own begins with `{begin}"))?;
            let said = rows.remove(place)[begin.len()..].strip_suffix("` |").map(str::trim);
            if said.is_none_or(str::is_empty) {
                return Err(format!("{}: nobody said anything", bug.name));
            }
        }
        if rows.is_empty() { Ok(()) } else { Err(format!("of no bug, or of one that has changed: {rows:?}")) }
    }

    #[test]
    fn a_record_is_of_all_bugs_and_of_no_other() {
        let bug = |name: &str, harness| Bug {
            name: name.to_owned(),
            what: "w".to_owned(),
            harness,
            file: String::new(),
            find: String::new(),
            put: String::new(),
        };
        let (one, two) = (bug("one", Harness::Simulation), bug("two", Harness::Crash));
        let row = |bug| (bug, "seed 7: `paid` | twice".to_owned());
        let both = record(&[row(&one), row(&two)]);
        let is_of = |text: &str, bugs: &[&Bug]| {
            let bugs = bugs.iter().map(|own| bug(&own.name, own.harness)).collect::<Vec<_>>();
            check_record(text, &bugs).is_ok()
        };
        assert!(is_of(&both, &[&one, &two]) && is_of(&record(&[]), &[]));
        assert!(!is_of(&both, &[&one]), "a bug that is no more");
        assert!(!is_of(&record(&[row(&one)]), &[&one, &two]), "a bug that was not caught");
        assert!(!is_of(&record(&[row(&one), row(&one), row(&two)]), &[&one, &two]), "twice");
        assert!(!is_of(&both.replace("| crash |", "| simulation |"), &[&one, &two]), "by another harness");
        assert!(!is_of(&both.replace("| crash |", "| luck |"), &[&one, &two]), "by none");
        assert!(!is_of(&both.replace("| w |", "| v |"), &[&one, &two]), "a bug that has changed");
        assert!(!is_of(&record(&[(&one, String::new())]), &[&one]), "a silent harness");
    }

    #[test]
    fn only_the_judge_catches() {
        let caught = |told: &str, line: &str| assert_eq!(failure(told), Outcome::Caught(line.to_owned()));
        let failed = |told: &str, line: &str| assert_eq!(failure(told), Outcome::Failed(line.to_owned()));
        let broken = "thread panicked\nseed 7: [\n    \"order 3 was paid twice\",\n    \"x\",\n]\nlast\n";
        caught(broken, "seed 7: order 3 was paid twice");
        caught(&format!("hit too seldom: y\n{broken}"), "seed 7: order 3 was paid twice");
        failed("a\nhit too seldom: x: 1 times, not 2\nlast", "hit too seldom: x: 1 times, not 2");
        failed("a\nthread panicked at x\nlast\n", "thread panicked at x");
        failed("a\nlast\n\n", "last");
        failed("", "it failed without a word of why");
    }
}
