//! `cargo xtask schemathesis`: requests that a tool of others makes from the document which the binary serves of
//! itself, good ones and bad ones, against that binary. None may end in a server error, and none in an answer of which
//! the document says nothing.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result};
use clap::Args;

use crate::{
    ci::steps::{cargo, succeed},
    crash,
    demo::Demo,
    tree,
};

/// The tool, as `pip` installs it.
const TOOL: &str = "schemathesis==4.32.5";
/// What every answer must stand.
const CHECKS: [&str; 6] = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "ignored_auth",
];
/// The examples of the document, the bounds of its schemas, drawn requests, and chains of them.
const PHASES: &str = "examples,coverage,fuzzing,stateful";

/// How much of it.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Options {
    /// How many drawn requests each operation gets.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    examples: u64,
    /// What the requests follow from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Options {
    /// So many for each operation.
    pub(crate) fn of(examples: u64) -> Self {
        Self { examples, seed: 1 }
    }
}

/// Starts the demo and tries it.
///
/// # Errors
/// When an answer fails a check, or when the tool or the demo cannot be run.
pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let target = tree::target_folder(root)?;
    let tool = installed(&target.join("tmp/schemathesis"))?;
    let build = ["build", "--workspace", "--bin", "paymux", "--profile", "ci"];
    // With the features of all other builds of this profile, so that nothing is built twice.
    succeed(cargo(root, build.into_iter().chain(crash::FEATURES)))?;

    let mut demo = Demo::start(&target.join("ci/paymux"), &[])?;
    let ready = demo.until("ready")?;
    let told =
        |name: &str| ready[name].as_str().with_context(|| format!("the demo does not tell its `{name}`"));
    let (api, key) = (told("api")?.to_owned(), told("api_key")?.to_owned());
    // Its own story comes first: what it tells of is none of these requests.
    demo.until("up")?;
    demo.talk_on();

    let mut command = Command::new(tool);
    command.current_dir(root).args(arguments(root, &api, *options));
    command.arg("--header").arg(format!("Authorization: Bearer {key}"));
    succeed(command)
}

/// What the tool is told, but for the key.
fn arguments(root: &Path, api: &str, options: Options) -> Vec<String> {
    let config = root.join("xtask/src/schemathesis.toml");
    let arguments = [
        "--config-file",
        &config.to_string_lossy(),
        "run",
        &format!("{api}/openapi.json"),
        "--phases",
        PHASES,
        "--checks",
        &CHECKS.join(","),
        "--max-examples",
        &options.examples.to_string(),
        "--seed",
        &options.seed.to_string(),
        // Nothing is kept from one run to the next: the seed alone decides.
        "--generation-database",
        "none",
        "--continue-on-failure",
        "--no-color",
    ];
    arguments.map(str::to_owned).to_vec()
}

/// The tool in a folder of its own, got by `pip` where it is not there yet.
fn installed(folder: &Path) -> Result<PathBuf> {
    let (tool, mark) = (folder.join("bin/schemathesis"), folder.join("version"));
    if fs::read_to_string(&mark).is_ok_and(|version| version == TOOL) {
        return Ok(tool);
    }
    let mut python = Command::new("python3");
    python.args(["-m", "venv", "--clear"]).arg(folder).stdin(Stdio::null());
    succeed(python).context("this needs Python with venv; on Debian run `apt-get install python3-venv`")?;
    let mut pip = Command::new(folder.join("bin/pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check", TOOL]);
    succeed(pip)?;
    fs::write(&mark, TOOL).with_context(|| format!("write `{}`", mark.display()))?;
    Ok(tool)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tool_is_told_what_the_command_was_told() {
        let told = arguments(Path::new("/r"), "http://127.0.0.1:1", Options { examples: 7, seed: 3 });
        let value = |name: &str| {
            let place = told.iter().position(|word| word == name).unwrap();
            told[place + 1].as_str()
        };
        assert_eq!(value("--config-file"), "/r/xtask/src/schemathesis.toml");
        assert_eq!((value("run"), value("--seed")), ("http://127.0.0.1:1/openapi.json", "3"));
        assert_eq!((value("--max-examples"), value("--phases")), ("7", PHASES));
        assert!(value("--checks").starts_with("not_a_server_error,status_code_conformance,"));
    }

    #[test]
    fn its_configuration_is_there() {
        let config = fs::read_to_string(crate::root().join("xtask/src/schemathesis.toml")).unwrap();
        assert!(config.contains("[checks.not_a_server_error]"), "{config}");
    }
}
