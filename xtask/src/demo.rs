//! `paymux demo` as something to try things on: started, read line by line, and killed in the end.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    thread,
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// A running demo, killed when dropped.
pub(crate) struct Demo {
    child: Child,
    /// What it tells; somebody else has it once it may talk.
    told: Option<BufReader<ChildStdout>>,
}

impl Demo {
    pub(crate) fn start(binary: &Path, arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new(binary);
        command.args(["demo", "--json"]).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("start `{}`", binary.display()))?;
        let told = child.stdout.take().map(BufReader::new);
        Ok(Self { child, told })
    }

    /// The process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Reads on until that step is told, and gives what is told of it.
    pub(crate) fn until(&mut self, step: &str) -> Result<Value> {
        while let Some(line) = self.line()? {
            let told: Value = serde_json::from_str(&line).context("read a line of the demo")?;
            if told["step"] == step {
                return Ok(told);
            }
        }
        bail!("the demo ended before it told `{step}`")
    }

    /// Reads on until it has ended well.
    pub(crate) fn until_end(&mut self) -> Result<()> {
        while self.line()?.is_some() {}
        let ended = self.child.wait()?;
        if !ended.success() {
            bail!("the demo ended with {ended}");
        }
        Ok(())
    }

    /// From now on it talks to nobody: with nobody to read it would stop at a full pipe.
    pub(crate) fn talk_on(&mut self) {
        if let Some(told) = self.told.take() {
            thread::spawn(move || told.lines().map_while(Result::ok).for_each(drop));
        }
    }

    fn line(&mut self) -> Result<Option<String>> {
        let mut line = String::new();
        let told = self.told.as_mut().context("the demo talks to nobody any more")?;
        Ok((told.read_line(&mut line)? > 0).then_some(line))
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
