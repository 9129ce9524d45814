//! `cargo xtask measure`: how long the binary takes until it is ready, and how much memory it holds after many
//! payments, both in the demo's set-up, beside the goals of DESIGN.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::demo::Demo;

/// The longest that a start may take, until `/readyz` says yes.
const START_MAX: Duration = Duration::from_millis(300);
/// The most memory that the process may hold after the payments, in KiB.
const MEMORY_KIB_MAX: u64 = 40 * 1024;

/// What is measured.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The binary; the release build, built first, when absent.
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// How many payments are made, paid and told before the memory is read.
    #[arg(long, value_name = "COUNT", default_value_t = 1000)]
    payments: u32,
    /// How many starts are timed; the figure is the one in the middle.
    #[arg(long, value_name = "COUNT", default_value_t = 9, value_parser = clap::value_parser!(u8).range(1..))]
    starts: u8,
}

/// Measures and prints both figures.
///
/// # Errors
/// When the binary cannot be run, or a figure misses its goal.
#[expect(clippy::print_stdout, reason = "the figures are this command's output")]
pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let binary = match &options.binary {
        Some(binary) => binary.clone(),
        None => built(root)?,
    };
    let mut starts = (0..options.starts).map(|_| start(&binary)).collect::<Result<Vec<_>>>()?;
    starts.sort_unstable();
    let (least, middle, most) = (starts[0], starts[starts.len() / 2], starts[starts.len() - 1]);
    let memory = memory_after(&binary, options.payments)?;

    println!("machine   {}", machine());
    println!("binary    {}", binary.display());
    println!(
        "start-up  {} ms to /readyz (least {}, most {}, of {}); goal: under {} ms",
        middle.as_millis(),
        least.as_millis(),
        most.as_millis(),
        starts.len(),
        START_MAX.as_millis()
    );
    println!(
        "memory    {} resident after {} payments (most ever {}), router, simulator and merchant in one process; goal: under {}",
        mib(memory.now_kib),
        options.payments,
        mib(memory.peak_kib),
        mib(MEMORY_KIB_MAX)
    );
    judge(middle, memory.now_kib)
}

fn judge(start: Duration, memory_kib: u64) -> Result<()> {
    if start >= START_MAX {
        bail!("start-up took {} ms; the goal is under {} ms", start.as_millis(), START_MAX.as_millis());
    }
    if memory_kib >= MEMORY_KIB_MAX {
        bail!("the process holds {}; the goal is under {}", mib(memory_kib), mib(MEMORY_KIB_MAX));
    }
    Ok(())
}

fn built(root: &Path) -> Result<PathBuf> {
    let built = Command::new("cargo")
        .current_dir(root)
        .args(["build", "--release", "--package", "paymux-server"])
        .status()
        .context("start `cargo build`")?;
    if !built.success() {
        bail!("`cargo build --release --package paymux-server` ended with {built}");
    }
    Ok(root.join("target/release/paymux"))
}

/// From the start of the process until it has seen `/readyz` say yes.
#[expect(clippy::disallowed_methods, reason = "the time that a process takes is no business of core's clock")]
fn start(binary: &Path) -> Result<Duration> {
    let began = Instant::now();
    let mut demo = Demo::start(binary, &["--once"])?;
    demo.until("ready")?;
    let took = began.elapsed();
    demo.until_end()?;
    Ok(took)
}

/// What the system says of a process's memory.
#[derive(Debug, PartialEq)]
struct Memory {
    now_kib: u64,
    peak_kib: u64,
}

fn memory_after(binary: &Path, payments: u32) -> Result<Memory> {
    let mut demo = Demo::start(binary, &["--payments", &payments.to_string()])?;
    demo.until("up")?;
    let path = format!("/proc/{}/status", demo.id());
    let status = fs::read_to_string(&path).with_context(|| format!("read `{path}`; this needs Linux"))?;
    memory(&status).with_context(|| format!("`{path}` has no VmRSS or VmHWM"))
}

/// Reads lines such as `VmRSS:     34012 kB`.
fn memory(status: &str) -> Option<Memory> {
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim_start_matches(':').trim().strip_suffix(" kB")?.parse().ok()
    };
    Some(Memory { now_kib: field("VmRSS")?, peak_kib: field("VmHWM")? })
}

/// The processor and how many of it there are.
pub(crate) fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{}, {count} at hand", processor(&info))
}

fn processor(info: &str) -> &str {
    let line = info.lines().find(|line| line.starts_with("model name"));
    line.and_then(|line| line.split_once(':')).map_or("an unnamed processor", |(_, name)| name.trim())
}

pub(crate) fn mib(kib: u64) -> String {
    format!("{}.{} MiB", kib / 1024, kib % 1024 * 10 / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_system_says() {
        let status = "Name:\tpaymux\nVmHWM:\t   36100 kB\nVmRSS:\t   34012 kB\n";
        assert_eq!(memory(status), Some(Memory { now_kib: 34_012, peak_kib: 36_100 }));
        assert_eq!(memory("Name:\tpaymux\n"), None);
        let info = "processor\t: 0\nmodel name\t: A Processor @ 2.0GHz\n";
        assert_eq!(processor(info), "A Processor @ 2.0GHz");
        assert_eq!(processor(""), "an unnamed processor");
    }

    #[test]
    fn a_missed_goal_is_an_error() {
        let ms = Duration::from_millis;
        assert!(judge(ms(299), 40 * 1024 - 1).is_ok());
        let late = judge(ms(300), 0).unwrap_err().to_string();
        assert_eq!(late, "start-up took 300 ms; the goal is under 300 ms");
        let large = judge(ms(0), 40 * 1024).unwrap_err().to_string();
        assert_eq!(large, "the process holds 40.0 MiB; the goal is under 40.0 MiB");
    }

    #[test]
    fn a_binary_that_is_none_is_named() {
        let error = start(Path::new("no-such-binary")).unwrap_err().to_string();
        assert_eq!(error, "start `no-such-binary`");
    }
}
