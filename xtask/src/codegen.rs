//! `cargo xtask codegen`: writes the parts of files that are made of what the plugins say of themselves. What they are
//! and how they are made stands in the tests of paymux-server, since nothing else sees every plugin; without this
//! command the same tests fail where a part is not as it should be.

use std::path::Path;

use anyhow::Result;

use crate::{
    ci::steps::{cargo, succeed},
    crash,
};

/// Makes those tests write. Read by them.
const CODEGEN: &str = "PAYMUX_CODEGEN";
/// The tests.
const TESTS: &str = "plugins::catalogue";

/// Writes what differs.
///
/// # Errors
/// When the tests do not compile, or a plugin does not keep to its own words.
pub(crate) fn run(root: &Path) -> Result<()> {
    let test = ["test", "--package", "paymux-server", "--lib", "--profile", "ci"];
    let mut command = cargo(root, test.into_iter().chain(crash::FEATURES).chain(["--", TESTS]));
    command.env(CODEGEN, "1");
    succeed(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tests of another name, or of another switch, would write nothing and pass.
    #[test]
    fn the_tests_read_what_they_are_told() {
        let tests = crate::root().join("crates/paymux-server/src/plugins/catalogue.rs");
        let tests = std::fs::read_to_string(tests).unwrap();
        assert!(tests.contains(&format!("\"{CODEGEN}\"")));
    }
}
