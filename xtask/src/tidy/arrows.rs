//! Which crate may see which: the arrows of ARCHITECTURE.md, read from the manifests, and the two habits that no
//! manifest shows (who dials, who names a plugin).

use super::{Finding, code, line_of};
use crate::tree::{Dependency, Package, Table, Tree};

/// Stands for every crate in `plugins/`.
const PLUGINS: &str = "plugins/*";
/// The suites and fakes: for tests everywhere, in no shipped crate.
const TESTKIT: &str = "paymux-testkit";
/// The provider in memory: tests of any crate but a plugin may use it.
const SANDBOX: &str = "paymux-sandbox";
/// The only crate that dials out.
const TRANSPORT: &str = "paymux-transport";

/// What each crate may see of the workspace in what it ships. A crate with no line here has not found its place yet.
const ARROWS: [(&str, &[&str]); 12] = [
    ("paymux-sign", &[]),
    ("paymux-core", &["paymux-sign"]),
    (PLUGINS, &["paymux-core", "paymux-sign"]),
    ("paymux-transport", &["paymux-core"]),
    ("paymux-store", &["paymux-core"]),
    ("paymux-http", &["paymux-core", "paymux-sign"]),
    ("paymux-grpc", &["paymux-core"]),
    // The simulator is a server on http's accept loop, and its webhooks go out by the one dialler.
    ("paymux-sim", &["paymux-core", "paymux-sign", "paymux-http", "paymux-transport", PLUGINS]),
    (TESTKIT, &["paymux-core", "paymux-sign"]),
    // The facade is what teams build in: no front, no simulator.
    ("paymux", &["paymux-core", "paymux-sign", "paymux-transport", "paymux-store", PLUGINS]),
    (
        "paymux-server",
        &[
            "paymux",
            "paymux-core",
            "paymux-sign",
            "paymux-transport",
            "paymux-store",
            "paymux-http",
            "paymux-grpc",
            "paymux-sim",
            PLUGINS,
        ],
    ),
    ("xtask", &[]),
];

/// Foreign crates that may stand in no shipped table of these crates, with the reason.
const FOREIGN: [(&str, &[&str], &str); 3] = [
    (
        "paymux-core",
        &["axum", "tonic", "hyper", "hyper-util", "sea-orm", "sqlx", "reqwest"],
        "core opens nothing: take a port instead",
    ),
    (
        "paymux-sign",
        &["axum", "tonic", "hyper", "hyper-util", "sea-orm", "sqlx", "reqwest", "tokio"],
        "signing is pure: bytes in, digest out",
    ),
    (
        PLUGINS,
        &["axum", "tonic", "hyper", "hyper-util", "http", "sea-orm", "sqlx", "reqwest", "tokio"],
        "a plugin speaks in `WireRequest` and `WireResponse` and gets a `Transport`",
    ),
];

/// Crates whose errors nobody matches on: the programs at the top, which only tell them.
const MAY_USE_ANYHOW: [&str; 2] = ["paymux-server", "xtask"];

/// Crates that dial, and the words by which code dials.
const DIALLERS: [&str; 3] = ["hyper-rustls", "reqwest", "ureq"];
const DIALLING: [&str; 5] =
    ["TcpStream::connect", "TcpSocket::new", "UdpSocket::bind", "client::conn", "client::legacy"];

/// Crates of the workspace see only what stands below them; a plugin sees no other plugin.
pub(super) fn down_only(tree: &Tree) -> Vec<Finding> {
    tree.packages.iter().flat_map(|package| package_down_only(tree, package)).collect()
}

/// Core and plugins carry no server, client or database.
pub(super) fn foreign_crates(tree: &Tree) -> Vec<Finding> {
    each_dependency(tree, |package, dependency| {
        let (_, _, reason) = FOREIGN.iter().find(|(owner, banned, _)| {
            is_named(package, owner) && banned.contains(&dependency.name.as_str())
        })?;
        (dependency.table == Table::Normal).then(|| {
            (format!("{} must not depend on `{}`", package.name, dependency.name), (*reason).to_owned())
        })
    })
}

/// A library's errors are types.
pub(super) fn errors_are_types(tree: &Tree) -> Vec<Finding> {
    each_dependency(tree, |package, dependency| {
        let erased = dependency.name == "anyhow" && dependency.table == Table::Normal;
        (erased && !MAY_USE_ANYHOW.contains(&package.name.as_str())).then(|| {
            let what = format!("{} depends on `anyhow`", package.name);
            (what, "make one `thiserror` enum, sorted by whose fault it is".to_owned())
        })
    })
}

/// Only the transport dials: by its manifest and by its code. Tests may dial the loopback, and so may the testkit,
/// which is of tests alone.
pub(super) fn dialling(tree: &Tree) -> Vec<Finding> {
    let mut findings = each_dependency(tree, |package, dependency| {
        let dials = package.name != TRANSPORT && DIALLERS.contains(&dependency.name.as_str());
        dials.then(|| {
            let what = format!("{} depends on `{}`, which dials out", package.name, dependency.name);
            (what, format!("{TRANSPORT} is the only dialler: take a `Transport`"))
        })
    });
    let may_not = |package: &&Package| ![TRANSPORT, TESTKIT].contains(&package.name.as_str());
    for package in tree.packages.iter().filter(may_not) {
        for file in tree.under(&format!("{}/src", package.folder)).filter(|file| file.is_rust()) {
            let code = code::only_code(&file.text);
            let shipped = code::before_tests(&code);
            for word in DIALLING {
                findings.extend(code::words(shipped, word).map(|at| {
                    let to_do = format!("{TRANSPORT} is the only dialler: take a `Transport`");
                    Finding::new(&file.path, line_of(shipped, at), format!("`{word}` dials out"), to_do)
                }));
            }
        }
    }
    findings
}

/// Inside the server only `src/plugins.rs` and the tests name a plugin.
pub(super) fn plugins_are_named_in_one_place(tree: &Tree) -> Vec<Finding> {
    const SOURCES: &str = "crates/paymux-server/src";
    const LIST: &str = "crates/paymux-server/src/plugins.rs";
    let mut findings = Vec::new();
    for file in tree.under(SOURCES).filter(|file| file.is_rust() && file.path != LIST) {
        let code = code::only_code(&file.text);
        for plugin in tree.plugins().map(|plugin| plugin.name.replace('-', "_")) {
            findings.extend(code::words(&code, &plugin).map(|at| {
                let to_do = format!("name plugins only in `{LIST}`");
                Finding::new(
                    &file.path,
                    line_of(&code, at),
                    format!("the server names `{plugin}` here"),
                    to_do,
                )
            }));
        }
    }
    findings
}

fn package_down_only(tree: &Tree, package: &Package) -> Vec<Finding> {
    // Benches and fuzz targets look at any part and ship with none.
    if ["benches", "fuzz"].contains(&package.folder.as_str()) {
        return Vec::new();
    }
    let Some((_, below)) = ARROWS.iter().find(|(owner, _)| is_named(package, owner)) else {
        let to_do = "give it a line in `ARROWS` of xtask/src/tidy/arrows.rs and a place in ARCHITECTURE.md";
        let what = format!("nothing says what `{}` may see", package.name);
        return vec![Finding::new(&package.manifest(), 1, what, to_do)];
    };
    let wrong = package.dependencies.iter().filter(|dependency| {
        let seen = tree.package(&dependency.name);
        seen.is_some_and(|seen| !may_see(below, seen) && !may_test_with(package, seen, dependency.table))
    });
    wrong.map(|dependency| points_up(tree, package, dependency, below)).collect()
}

fn may_see(below: &[&str], seen: &Package) -> bool {
    below.iter().any(|name| is_named(seen, name))
}

fn may_test_with(package: &Package, seen: &Package, table: Table) -> bool {
    // A crate that names itself turns on features for its tests and examples.
    let may =
        seen.name == package.name || seen.name == TESTKIT || (seen.name == SANDBOX && !package.is_plugin());
    table == Table::Dev && may
}

fn points_up(tree: &Tree, package: &Package, dependency: &Dependency, below: &[&str]) -> Finding {
    let what = format!("{} must not see `{}`", package.name, dependency.name);
    let below = if below.is_empty() { "nothing of the workspace".to_owned() } else { below.join(", ") };
    let to_do = format!("arrows point down only: it may see {below}, and {TESTKIT} in its tests");
    Finding::new(&package.manifest(), tree.line_of_dependency(package, dependency), what, to_do)
}

fn each_dependency(
    tree: &Tree,
    judge: impl Fn(&Package, &Dependency) -> Option<(String, String)>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &tree.packages {
        for dependency in &package.dependencies {
            if let Some((what, to_do)) = judge(package, dependency) {
                let line = tree.line_of_dependency(package, dependency);
                findings.push(Finding::new(&package.manifest(), line, what, to_do));
            }
        }
    }
    findings
}

fn is_named(package: &Package, name: &str) -> bool {
    if name == PLUGINS { package.is_plugin() } else { package.name == name }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::planted;

    #[test]
    fn arrows_point_down() {
        check("crates/paymux-core", &["paymux-sign", "serde"], &[]);
        check("crates/paymux-core", &["paymux-http"], &["paymux-core must not see `paymux-http`"]);
        check("crates/paymux-core", &["dev:paymux-http"], &["paymux-core must not see `paymux-http`"]);
        check("crates/paymux-sign", &["paymux-core"], &["paymux-sign must not see `paymux-core`"]);
        check("crates/paymux-http", &["paymux-core"], &[]);
        check("crates/paymux-http", &["paymux-store"], &["paymux-http must not see `paymux-store`"]);
        check("crates/paymux-sim", &["paymux-fufu", "paymux-http"], &[]);
        check("crates/paymux-server", &["paymux-sim", "paymux-fufu"], &[]);
        check("crates/paymux", &["paymux-store", "paymux-fufu"], &[]);
        check("crates/paymux", &["dev:paymux"], &[]);
        check("crates/paymux", &["paymux-server"], &["paymux must not see `paymux-server`"]);
        check("crates/paymux", &["paymux-http"], &["paymux must not see `paymux-http`"]);
        check("crates/paymux-server", &["paymux"], &[]);
        check("crates/paymux-http", &["paymux"], &["paymux-http must not see `paymux`"]);
        check("benches", &["paymux-fufu", "paymux-testkit"], &[]);
        check("fuzz", &["paymux-fufu", "paymux-server", "paymux-testkit"], &[]);
    }

    #[test]
    fn plugins_see_core_and_sign() {
        check("plugins/paymux-x", &["paymux-core", "paymux-sign", "dev:paymux-testkit"], &[]);
        check("plugins/paymux-x", &["paymux-fufu"], &["paymux-x must not see `paymux-fufu`"]);
        check("plugins/paymux-x", &["dev:paymux-fufu"], &["paymux-x must not see `paymux-fufu`"]);
        check("plugins/paymux-x", &["dev:paymux-sandbox"], &["paymux-x must not see `paymux-sandbox`"]);
        check("plugins/paymux-x", &["paymux-http"], &["paymux-x must not see `paymux-http`"]);
        check("crates/paymux-http", &["paymux-fufu"], &["paymux-http must not see `paymux-fufu`"]);
    }

    #[test]
    fn testkit_ships_with_nothing() {
        check("crates/paymux-store", &["dev:paymux-testkit", "dev:paymux-sandbox"], &[]);
        check("crates/paymux-store", &["paymux-testkit"], &["paymux-store must not see `paymux-testkit`"]);
        check("crates/paymux-server", &["paymux-testkit"], &["paymux-server must not see `paymux-testkit`"]);
    }

    #[test]
    fn a_new_crate_needs_a_line() {
        check("crates/paymux-new", &[], &["nothing says what `paymux-new` may see"]);
    }

    #[track_caller]
    fn check(folder: &str, dependencies: &[&str], want: &[&str]) {
        let mut tree = workspace();
        let planted = planted::package(folder, dependencies);
        tree.packages.retain(|package| package.name != planted.name);
        tree.packages.push(planted);
        assert_eq!(whats(&down_only(&tree)), want, "{folder} {dependencies:?}");
    }

    fn workspace() -> Tree {
        let crates = ["sign", "core", "transport", "store", "http", "grpc", "sim", "testkit", "server"];
        let mut packages: Vec<Package> =
            crates.iter().map(|name| planted::package(&format!("crates/paymux-{name}"), &[])).collect();
        packages.push(planted::package("crates/paymux", &[]));
        packages.push(planted::package("plugins/paymux-fufu", &[]));
        packages.push(planted::package("plugins/paymux-sandbox", &[]));
        Tree { files: Vec::new(), packages }
    }

    fn whats(findings: &[Finding]) -> Vec<&str> {
        findings.iter().map(|finding| finding.what.as_str()).collect()
    }

    #[test]
    fn core_and_plugins_carry_no_server() {
        check("crates/paymux-core", "sea-orm", &["paymux-core must not depend on `sea-orm`"]);
        check("crates/paymux-core", "dev:sea-orm", &[]);
        check("crates/paymux-core", "serde", &[]);
        check("crates/paymux-store", "sea-orm", &[]);
        check("plugins/paymux-x", "tokio", &["paymux-x must not depend on `tokio`"]);
        check("plugins/paymux-x", "dev:tokio", &[]);

        #[track_caller]
        fn check(folder: &str, dependency: &str, want: &[&str]) {
            let tree = Tree { files: Vec::new(), packages: vec![planted::package(folder, &[dependency])] };
            assert_eq!(whats(&foreign_crates(&tree)), want, "{folder} {dependency}");
        }
    }

    #[test]
    fn libraries_have_error_types() {
        check("crates/paymux-core", "anyhow", &["paymux-core depends on `anyhow`"]);
        check("crates/paymux-core", "dev:anyhow", &[]);
        check("crates/paymux-core", "thiserror", &[]);
        check("crates/paymux-server", "anyhow", &[]);

        #[track_caller]
        fn check(folder: &str, dependency: &str, want: &[&str]) {
            let tree = Tree { files: Vec::new(), packages: vec![planted::package(folder, &[dependency])] };
            assert_eq!(whats(&errors_are_types(&tree)), want, "{folder} {dependency}");
        }
    }

    #[test]
    fn only_the_transport_dials() {
        check("crates/paymux-transport", &["hyper-rustls"], "use hyper_util::client::legacy;", &[]);
        let by_manifest = ["paymux-http depends on `hyper-rustls`, which dials out"];
        check("crates/paymux-http", &["hyper-rustls"], "", &by_manifest);
        check("crates/paymux-http", &["dev:hyper-rustls"], "", &by_manifest);
        check("crates/paymux-http", &[], "use hyper_util::client::legacy;", &["`client::legacy` dials out"]);
        check("crates/paymux-http", &[], "a(TcpStream::connect(b))", &["`TcpStream::connect` dials out"]);
        check("crates/paymux-http", &[], "// TcpStream::connect dials", &[]);
        check("crates/paymux-testkit", &[], "a(TcpStream::connect(b))", &[]);
        check("crates/paymux-http", &[], "#[cfg(test)]\nmod tests { TcpStream::connect }", &[]);

        #[track_caller]
        fn check(folder: &str, dependencies: &[&str], code: &str, want: &[&str]) {
            let mut tree = planted::files(&[(&format!("{folder}/src/lib.rs"), code)]);
            tree.packages.push(planted::package(folder, dependencies));
            assert_eq!(whats(&dialling(&tree)), want, "{folder} {dependencies:?} {code}");
        }
    }

    #[test]
    fn the_server_names_plugins_in_its_list() {
        check("crates/paymux-server/src/plugins.rs", "paymux_fufu::register();", &[]);
        check("crates/paymux-server/tests/spine.rs", "use paymux_fufu::Settings;", &[]);
        check("crates/paymux-server/src/demo.rs", "// like paymux_fufu", &[]);
        check("crates/paymux-server/src/demo.rs", "use paymux_core::Money;", &[]);
        check(
            "crates/paymux-server/src/demo.rs",
            "use paymux_fufu::Settings;",
            &["the server names `paymux_fufu` here"],
        );

        #[track_caller]
        fn check(path: &str, code: &str, want: &[&str]) {
            let mut tree = planted::files(&[(path, code)]);
            tree.packages.push(planted::package("plugins/paymux-fufu", &[]));
            assert_eq!(whats(&plugins_are_named_in_one_place(&tree)), want, "{path} {code}");
        }
    }

    #[test]
    fn points_at_the_line_of_the_manifest() {
        let manifest = "[dependencies]\nhyper-util.workspace = true\nhyper = { workspace = true }\n";
        let mut tree = planted::files(&[("crates/paymux-core/Cargo.toml", manifest)]);
        tree.packages.push(planted::package("crates/paymux-core", &["hyper"]));
        assert_eq!(foreign_crates(&tree)[0].line, 3);
    }
}
