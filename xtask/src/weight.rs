//! `cargo xtask weight`: what paymux costs a team that builds it in. How many crates come with it, and how long a
//! clean release build takes and how much memory, beside the goals. Which crates come is judged without a build, in a
//! test here.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    fs,
    path::Path,
    process::Child,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::{
    ci::steps::{cargo, succeed},
    measure::{machine, mib},
    tree,
};

/// What is built.
const SUBJECTS: [Subject; 2] = [
    Subject {
        name: "core-and-sign",
        packages: &["paymux-core", "paymux-sign"],
        features: "",
        time_max: Duration::from_mins(1),
        memory_kib_max: Some(1024 * 1024),
    },
    Subject {
        name: "facade-with-beecloud",
        packages: &["paymux"],
        features: "beecloud",
        time_max: Duration::from_secs(90),
        memory_kib_max: None,
    },
];

/// What no build of the facade has that names neither a store nor the way out: servers, clients, databases, TLS.
const HEAVY: [&str; 7] = ["axum", "hyper", "libsqlite3-sys", "rustls", "sea-orm", "sqlx", "tonic"];

/// The machine of the goals has so many processors.
const JOBS: &str = "2";
/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// How much to do.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Counts the crates and builds nothing.
    #[arg(long)]
    trees: bool,
}

/// Some packages of the workspace as a team builds them in.
struct Subject {
    name: &'static str,
    packages: &'static [&'static str],
    /// As on a command line; nothing else is on.
    features: &'static str,
    time_max: Duration,
    memory_kib_max: Option<u64>,
}

impl Subject {
    /// How cargo is told of it.
    fn choice(&self) -> Vec<&'static str> {
        let packages = self.packages.iter().flat_map(|package| ["--package", *package]);
        packages.chain(features(self.features)).collect()
    }
}

/// What a subject weighs.
struct Weighed {
    subject: &'static Subject,
    crates: usize,
    /// `None` where nothing was built.
    build: Option<Build>,
}

/// What a build took.
#[derive(Clone, Copy)]
struct Build {
    took: Duration,
    peak_kib: u64,
}

/// Weighs each subject and prints a table.
///
/// # Errors
/// When a build fails or misses a goal, or brings what it must not.
#[expect(clippy::print_stdout, reason = "the table is this command's output")]
pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    succeed(cargo(root, ["fetch", "--locked"]))?;
    let mut weighed = Vec::new();
    for subject in &SUBJECTS {
        let crates = crates(root, &subject.choice())?;
        let heavy: Vec<&str> = heavy(&crates).collect();
        if !heavy.is_empty() {
            bail!(
                "{} brings {}; see with `cargo tree --invert` who depends on it",
                subject.name,
                heavy.join(", ")
            );
        }
        let build = if options.trees { None } else { Some(build(root, subject)?) };
        weighed.push(Weighed { subject, crates: crates.len(), build });
    }
    println!("machine   {}; builds run {JOBS} jobs", machine());
    print!("{}", table(&weighed));
    judge(&weighed)
}

/// The arguments that turn on those features and no others.
pub(crate) fn features(features: &'static str) -> impl Iterator<Item = &'static str> {
    let some = (!features.is_empty()).then_some(["--features", features]);
    ["--no-default-features"].into_iter().chain(some.into_iter().flatten())
}

/// Names and versions of all crates that are built for that choice, its own included.
fn crates(root: &Path, choice: &[&str]) -> Result<BTreeSet<String>> {
    let tree =
        ["tree", "--locked", "--offline", "--edges", "normal,build", "--prefix", "none", "--format", "{p}"];
    let mut command = cargo(root, tree.into_iter().chain(choice.iter().copied()));
    let ended = command.output().context("start `cargo tree`")?;
    if !ended.status.success() {
        bail!("`cargo tree` ended with {}: {}", ended.status, String::from_utf8_lossy(&ended.stderr));
    }
    Ok(listed(&String::from_utf8_lossy(&ended.stdout)))
}

/// Reads lines such as `serde_derive v1.0.229 (proc-macro) (*)`.
fn listed(tree: &str) -> BTreeSet<String> {
    let named = |line: &str| {
        let mut words = line.split_whitespace();
        Some(format!("{} {}", words.next()?, words.next()?))
    };
    tree.lines().filter_map(named).collect()
}

/// What of it must not be there.
fn heavy(crates: &BTreeSet<String>) -> impl Iterator<Item = &str> {
    let is_heavy = |name: &&str| HEAVY.contains(name);
    crates.iter().filter_map(|named| named.split(' ').next()).filter(is_heavy)
}

/// Builds it from nothing, in a folder of its own that is gone afterwards.
#[expect(clippy::disallowed_methods, reason = "the time that a build takes is no business of core's clock")]
fn build(root: &Path, subject: &Subject) -> Result<Build> {
    let folder = tree::target_folder(root)?.join("weight").join(subject.name);
    remove(&folder)?;
    let mut command = cargo(root, ["build", "--release", "--locked", "--offline", "--jobs", JOBS]);
    command.args(subject.choice()).arg("--target-dir").arg(&folder);
    // A cache of builds would build nothing.
    command.env("RUSTC_WRAPPER", "").env("RUSTC_WORKSPACE_WRAPPER", "");
    let began = Instant::now();
    let mut child = command.spawn().context("start `cargo build`")?;
    let peak_kib = watch(&mut child)?;
    let took = began.elapsed();
    let ended = child.wait()?;
    if !ended.success() {
        bail!("the build of {} ended with {ended}", subject.name);
    }
    remove(&folder)?;
    if peak_kib == 0 {
        bail!("`/proc` tells nothing of memory; this needs Linux");
    }
    Ok(Build { took, peak_kib })
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove `{}`", folder.display()))
        }
        _ => Ok(()),
    }
}

/// The most memory that a process and all below it held at once, until it has ended, in KiB.
fn watch(child: &mut Child) -> Result<u64> {
    let mut peak: u64 = 0;
    while child.try_wait()?.is_none() {
        peak = peak.max(family(child.id(), &parents()).into_iter().map(memory_kib).sum());
        thread::sleep(LOOK);
    }
    Ok(peak)
}

/// Each process that there is, with its parent.
fn parents() -> BTreeMap<u32, u32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let read = |entry: fs::DirEntry| {
        let process = entry.file_name().to_str()?.parse().ok()?;
        // It may have ended meanwhile.
        Some((process, parent(&fs::read_to_string(entry.path().join("stat")).ok()?)?))
    };
    processes.filter_map(read).collect()
}

/// Reads a line such as `4358 (a name) S 1 4358 ...`, of whose name anything may be part.
fn parent(stat: &str) -> Option<u32> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// A process and all that come from it.
fn family(first: u32, parents: &BTreeMap<u32, u32>) -> BTreeSet<u32> {
    let mut family = BTreeSet::from([first]);
    loop {
        let before = family.len();
        let children = parents.iter().filter(|(_, parent)| family.contains(parent)).map(|(child, _)| *child);
        let children: Vec<u32> = children.collect();
        family.extend(children);
        if family.len() == before {
            return family;
        }
    }
}

/// What a process holds: of pages that it shares, its share. Nothing for one that has ended.
fn memory_kib(process: u32) -> u64 {
    let told = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap_or_default();
    share_kib(&told).unwrap_or(0)
}

/// Reads a line such as `Pss:    34012 kB`.
fn share_kib(rollup: &str) -> Option<u64> {
    rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?.trim().strip_suffix(" kB")?.parse().ok()
}

fn table(weighed: &[Weighed]) -> String {
    let mut text =
        format!("{:<22}{:>8}{:>10}{:>14}{:>14}{:>16}\n", "", "crates", "build", "goal", "memory", "goal");
    for Weighed { subject, crates, build } in weighed {
        let took = build.map_or_else(|| "-".to_owned(), |build| seconds(build.took));
        let time_max = format!("under {} s", subject.time_max.as_secs());
        let peak = build.map_or_else(|| "-".to_owned(), |build| mib(build.peak_kib));
        let memory_max = subject
            .memory_kib_max
            .map_or_else(|| "-".to_owned(), |most| format!("under {} MiB", most / 1024));
        let _ = writeln!(
            text,
            "{:<22}{crates:>8}{took:>10}{time_max:>14}{peak:>14}{memory_max:>16}",
            subject.name
        );
    }
    text
}

/// Every missed goal.
fn judge(weighed: &[Weighed]) -> Result<()> {
    let mut missed = Vec::new();
    for Weighed { subject, build, .. } in weighed {
        let Some(Build { took, peak_kib }) = *build else { continue };
        if took >= subject.time_max {
            let most = subject.time_max.as_secs();
            missed.push(format!("{} took {}; the goal is under {most} s", subject.name, seconds(took)));
        }
        if let Some(most) = subject.memory_kib_max.filter(|most| peak_kib >= *most) {
            missed.push(format!("{} held {}; the goal is under {}", subject.name, mib(peak_kib), mib(most)));
        }
    }
    if !missed.is_empty() {
        bail!("{}", missed.join("\n"));
    }
    Ok(())
}

fn seconds(took: Duration) -> String {
    format!("{}.{} s", took.as_secs(), took.subsec_millis() / 100)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// What the facade brings with those features.
    fn tree_of(with: &'static str) -> BTreeSet<String> {
        let choice: Vec<&str> = ["--package", "paymux"].into_iter().chain(features(with)).collect();
        crates(crate::root(), &choice).unwrap()
    }

    #[test]
    fn one_plugin_brings_no_server_no_client_and_no_database() {
        for with in ["", "beecloud", "cloudpay", "fufu", "sandbox"] {
            let tree = tree_of(with);
            assert!(tree.contains("paymux-core v0.1.0"), "{tree:?}");
            assert_eq!(heavy(&tree).collect::<Vec<_>>(), [""; 0], "{with}");
            let here = tree.iter().filter(|named| plugins().any(|plugin| named.starts_with(plugin)));
            assert_eq!(here.count(), usize::from(!with.is_empty()), "{with}: no other plugin comes with it");
        }
    }

    fn plugins() -> impl Iterator<Item = &'static str> {
        ["paymux-beecloud ", "paymux-cloudpay ", "paymux-fufu ", "paymux-sandbox "].into_iter()
    }

    #[test]
    fn what_is_heavy_is_found() {
        let sql = tree_of("sqlite");
        assert_eq!(heavy(&sql).filter(|name| ["sea-orm", "sqlx"].contains(name)).count(), 2, "{sql:?}");
        let transport = tree_of("transport");
        assert_eq!(heavy(&transport).collect::<Vec<_>>(), ["hyper", "rustls"]);
    }

    #[test]
    fn reads_a_tree() {
        let tree = "paymux v0.1.0 (/a/b)\nserde v1.0.229\nserde_derive v1.0.229 (proc-macro)\nserde v1.0.229 (*)\n\n\
                    syn v2.0.1\nsyn v3.0.0\n";
        let want = ["paymux v0.1.0", "serde v1.0.229", "serde_derive v1.0.229", "syn v2.0.1", "syn v3.0.0"];
        assert_eq!(listed(tree), want.map(str::to_owned).into());
    }

    #[test]
    fn reads_what_the_system_says() {
        assert_eq!(parent("4358 (a (b) c) S 77 4358 1"), Some(77));
        assert_eq!(parent(""), None);
        assert_eq!(
            share_kib("55 [rollup]\nRss:  40 kB\nPss:              34012 kB\nPss_Dirty:  7 kB\n"),
            Some(34_012)
        );
        assert_eq!(share_kib(""), None);
        let own = std::process::id();
        assert!(memory_kib(own) > 0);
        assert!(parents().contains_key(&own));
    }

    #[test]
    fn a_family_is_found_in_any_order() {
        let parents = BTreeMap::from([(2, 1), (3, 9), (4, 3), (5, 4), (9, 2), (6, 7)]);
        assert_eq!(family(9, &parents), BTreeSet::from([3, 4, 5, 9]));
        assert_eq!(family(8, &parents), BTreeSet::from([8]));
    }

    #[test]
    fn the_memory_of_children_counts() {
        let mut child = Command::new("sleep").arg("0.5").spawn().unwrap();
        assert!(watch(&mut child).unwrap() > 0);
        assert!(child.wait().unwrap().success());
    }

    #[test]
    fn missed_goals_are_told() {
        let build = |ms, peak_kib| Some(Build { took: Duration::from_millis(ms), peak_kib });
        let weighed = |first, second| {
            let both = [first, second].into_iter().zip(&SUBJECTS);
            both.map(|(build, subject)| Weighed { subject, crates: 7, build }).collect::<Vec<_>>()
        };
        assert!(judge(&weighed(build(59_999, 1024 * 1024 - 1), build(89_999, u64::MAX))).is_ok());
        assert!(judge(&weighed(None, None)).is_ok());
        let missed = judge(&weighed(build(60_000, 1024 * 1024), build(90_000, 1))).unwrap_err().to_string();
        let want = "core-and-sign took 60.0 s; the goal is under 60 s\n\
                    core-and-sign held 1024.0 MiB; the goal is under 1024.0 MiB\n\
                    facade-with-beecloud took 90.0 s; the goal is under 90 s";
        assert_eq!(missed, want);
    }

    #[test]
    fn a_table_has_a_line_for_each() {
        let weighed = [
            Weighed {
                subject: &SUBJECTS[0],
                crates: 90,
                build: Some(Build { took: Duration::from_millis(41_250), peak_kib: 700 * 1024 }),
            },
            Weighed { subject: &SUBJECTS[1], crates: 120, build: None },
        ];
        let want = [
            "                        crates     build          goal        memory            goal",
            "core-and-sign               90    41.2 s    under 60 s     700.0 MiB  under 1024 MiB",
            "facade-with-beecloud       120         -    under 90 s             -               -",
        ];
        assert_eq!(table(&weighed).lines().collect::<Vec<_>>(), want);
    }
}
