//! What the manifests must say: the workspace's lints, each version once, and nothing that is not used. Which crate
//! may see which is the business of `arrows`.

use toml_edit::{DocumentMut, Item, TableLike};

use super::{Finding, code, line_of};
use crate::tree::{Dependency, Package, Table, Tree};

const ROOT: &str = "Cargo.toml";
const TABLES: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

/// Packages whose library has another name than the hyphens suggest.
const LIBRARY_NAMES: [(&str, &str); 1] = [("md-5", "md5")];

/// Dependencies that no line of code names, with what they are there for.
const SILENT: [(&str, &str, &str); 1] =
    [("paymux-store", "sqlx", "switches on TLS and the databases for sea-orm, which may not do it itself")];

/// Every manifest takes the workspace's lints.
pub(super) fn inherit_lints(tree: &Tree) -> Vec<Finding> {
    let bare = tree.packages.iter().filter(|package| {
        let manifest = parsed(tree, &package.manifest());
        !manifest.is_some_and(|manifest| manifest.get("lints").is_some_and(is_inherited))
    });
    bare.map(|package| {
        let to_do = "add `[lints]` with `workspace = true`";
        Finding::new(&package.manifest(), 1, format!("{} has lints of its own or none", package.name), to_do)
    })
    .collect()
}

/// Versions and features stand in the root's manifest alone.
pub(super) fn versions_stand_once(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &tree.packages {
        let Some(manifest) = parsed(tree, &package.manifest()) else { continue };
        let tables = TABLES.iter().filter_map(|table| manifest.get(table)?.as_table_like());
        let own = tables.flat_map(TableLike::iter).filter(|(_, item)| !is_inherited(item));
        findings.extend(own.map(|(name, _)| {
            let dependency = Dependency { name: name.to_owned(), table: Table::Normal };
            let line = tree.line_of_dependency(package, &dependency);
            let to_do = "put it in the root's [workspace.dependencies] and write `workspace = true` here";
            Finding::new(
                &package.manifest(),
                line,
                format!("`{name}` has a version or path of its own"),
                to_do,
            )
        }));
    }
    findings
}

/// A plugin that says it is a draft, and is spared what finished ones need, moves test money only: its descriptor says
/// `livemode: false` and nothing else.
pub(super) fn drafts_move_no_money(tree: &Tree) -> Vec<Finding> {
    const FIELD: &str = "livemode";
    let to_do = "remove `draft = true` from its manifest; its fuzz targets are then asked for";
    let mut findings = Vec::new();
    for plugin in tree.plugins().filter(|plugin| is_draft(tree, plugin)) {
        for file in tree.under(&format!("{}/src", plugin.folder)).filter(|file| file.is_rust()) {
            let code = code::only_code(&file.text);
            let is_real = |at: &usize| {
                let is_read = code[..*at].ends_with('.');
                !is_read && !code[at + FIELD.len()..].starts_with(": false")
            };
            findings.extend(code::words(&code, FIELD).filter(is_real).map(|at| {
                Finding::new(&file.path, line_of(&code, at), "a draft that can move real money", to_do)
            }));
        }
    }
    findings
}

/// True if the manifest has the mark that `cargo xtask new-channel` makes.
fn is_draft(tree: &Tree, package: &Package) -> bool {
    let manifest = parsed(tree, &package.manifest());
    let mark = |manifest: &DocumentMut| {
        manifest.get("package")?.get("metadata")?.get("paymux")?.get("draft")?.as_bool()
    };
    manifest.as_ref().and_then(mark) == Some(true)
}

/// Every dependency is named in the code of its crate.
pub(super) fn dependencies_are_used(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &tree.packages {
        let sources = sources(tree, package);
        let unused = package.dependencies.iter().filter(|dependency| !is_used(package, dependency, &sources));
        findings.extend(unused.map(|dependency| {
            let line = tree.line_of_dependency(package, dependency);
            let what = format!("nothing in {} uses `{}`", place(dependency.table), dependency.name);
            Finding::new(
                &package.manifest(),
                line,
                what,
                "remove the line, or move it to the table where it is used",
            )
        }));
    }
    findings
}

/// Every entry of [workspace.dependencies] has a crate that takes it.
pub(super) fn workspace_dependencies_are_used(tree: &Tree) -> Vec<Finding> {
    let Some(manifest) = parsed(tree, ROOT) else { return Vec::new() };
    let text = tree.text(ROOT).unwrap_or_default();
    let entries = manifest.get("workspace").and_then(|workspace| workspace.get("dependencies"));
    let entries = entries.and_then(Item::as_table_like).into_iter().flat_map(TableLike::iter);
    let taken =
        |name: &str| tree.packages.iter().any(|package| package.dependencies.iter().any(|d| d.name == name));
    let idle = entries.filter(|(name, _)| !taken(name));
    idle.map(|(name, _)| {
        let line = line_of(text, text.find(&format!("\n{name} ")).map_or(0, |at| at + 1));
        Finding::new(ROOT, line, format!("no crate depends on `{name}`"), "remove the line")
    })
    .collect()
}

fn parsed(tree: &Tree, path: &str) -> Option<DocumentMut> {
    tree.text(path)?.parse().ok()
}

fn is_inherited(item: &Item) -> bool {
    item.get("workspace").and_then(Item::as_bool) == Some(true)
}

/// The package's code: first what ships, then what only tests.
fn sources(tree: &Tree, package: &Package) -> [Vec<String>; 2] {
    let rust = tree.under(&package.folder).filter(|file| file.is_rust());
    let test_folders = ["tests", "benches", "examples"].map(|folder| format!("{}/{folder}/", package.folder));
    let (tests, shipped): (Vec<_>, Vec<_>) =
        rust.partition(|file| test_folders.iter().any(|folder| file.path.starts_with(folder)));
    [shipped, tests].map(|files| files.into_iter().map(|file| code::only_code(&file.text)).collect())
}

/// What ships must use a normal dependency; unit tests stand in the same files, so tests may look anywhere.
fn is_used(package: &Package, dependency: &Dependency, [shipped, tests]: &[Vec<String>; 2]) -> bool {
    let library = LIBRARY_NAMES.iter().find(|(name, _)| *name == dependency.name);
    let library =
        library.map_or_else(|| dependency.name.replace('-', "_"), |(_, library)| (*library).to_owned());
    let found = |sources: &[String]| sources.iter().any(|code| names_crate(code, &library));
    let silent = SILENT.iter().any(|(owner, name, _)| *owner == package.name && *name == dependency.name);
    // Benches are a crate of their own, whose code is what it measures with.
    let all = dependency.table == Table::Dev || package.folder == "benches";
    silent || found(shipped) || (all && found(tests))
}

/// True if `code` goes through the crate: `name::`, or a bare `use name`.
fn names_crate(code: &str, name: &str) -> bool {
    code::words(code, name)
        .any(|at| code[at + name.len()..].starts_with("::") || code[..at].ends_with("use "))
}

fn place(table: Table) -> &'static str {
    match table {
        Table::Normal => "what ships",
        Table::Dev => "the tests",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::planted;

    #[test]
    fn lints_come_from_the_workspace() {
        check("[lints]\nworkspace = true\n", true);
        check("lints.workspace = true\n", true);
        check("lints = { workspace = true }\n", true);
        check("[lints]\nworkspace = false\n", false);
        check("[lints.rust]\nunsafe_code = \"allow\"\n", false);
        check("# [lints]\n# workspace = true\n", false);
        check("[lints\n", false);

        #[track_caller]
        fn check(manifest: &str, want: bool) {
            assert_eq!(inherit_lints(&one_crate(manifest, "", &[])).is_empty(), want, "{manifest}");
        }
    }

    #[test]
    fn a_version_stands_in_the_root() {
        check("[dependencies]\nserde.workspace = true\n", &[]);
        check("[dependencies]\nserde = { workspace = true, features = [\"rc\"] }\n", &[]);
        check("[dependencies.serde]\nworkspace = true\n", &[]);
        check("[package]\nversion = \"1\"\n", &[]);
        check("[dependencies]\nserde = \"1\"\n", &[(2, "`serde` has a version or path of its own")]);
        check(
            "[dev-dependencies]\nb = { path = \"../b\" }\n",
            &[(2, "`b` has a version or path of its own")],
        );
        check("[build-dependencies.c]\nversion = \"1\"\n", &[(1, "`c` has a version or path of its own")]);

        #[track_caller]
        fn check(manifest: &str, want: &[(usize, &str)]) {
            assert_eq!(found(&versions_stand_once(&one_crate(manifest, "", &[]))), want, "{manifest}");
        }
    }

    #[test]
    fn a_draft_moves_test_money() {
        let draft = "[package.metadata.paymux]\ndraft = true\n";
        check(draft, "livemode: false,", &[]);
        check(draft, "if descriptor.livemode {}", &[]);
        check(draft, "// livemode: true", &[]);
        check(draft, "\nlivemode: true,", &[(2, "a draft that can move real money")]);
        check(draft, "livemode,", &[(1, "a draft that can move real money")]);
        check("[package.metadata.paymux]\ndraft = false\n", "livemode: true,", &[]);
        check("", "livemode: true,", &[]);

        #[track_caller]
        fn check(manifest: &str, code: &str, want: &[(usize, &str)]) {
            let folder = "plugins/paymux-x";
            let mut tree = planted::files(&[
                (&format!("{folder}/Cargo.toml"), manifest),
                (&format!("{folder}/src/channel.rs"), code),
            ]);
            tree.packages.push(planted::package(folder, &[]));
            assert_eq!(found(&drafts_move_no_money(&tree)), want, "{manifest} {code}");
        }
    }

    #[test]
    fn a_dependency_is_used() {
        check("tower-http", "use tower_http::trace;", &[]);
        check("serde", "#[derive(serde::Serialize)]", &[]);
        check("md-5", "use md5::Digest;", &[]);
        check("trybuild", "pub use trybuild;", &[]);
        check("url", "let url = a;", &[(1, "nothing in what ships uses `url`")]);
        check("url", "// url::Url", &[(1, "nothing in what ships uses `url`")]);
        check("dev:url", "", &[(1, "nothing in the tests uses `url`")]);
        check("dev:url", "#[cfg(test)]\nmod tests { use url::Url; }", &[]);

        #[track_caller]
        fn check(dependency: &str, code: &str, want: &[(usize, &str)]) {
            let tree = one_crate("", code, &[dependency]);
            assert_eq!(found(&dependencies_are_used(&tree)), want, "{dependency} {code}");
        }
    }

    #[test]
    fn tests_do_not_justify_what_ships() {
        let mut tree = planted::files(&[("crates/a/tests/a.rs", "use url::Url;")]);
        tree.packages.push(planted::package("crates/a", &["url"]));
        assert_eq!(found(&dependencies_are_used(&tree)), [(1, "nothing in what ships uses `url`")]);

        tree.packages = vec![planted::package("crates/a", &["dev:url"])];
        assert_eq!(found(&dependencies_are_used(&tree)), []);
    }

    #[test]
    fn the_root_holds_nothing_idle() {
        let root = "[workspace.dependencies]\nserde = \"1\"\nurl = \"2\"\n";
        let mut tree = planted::files(&[(ROOT, root)]);
        tree.packages.push(planted::package("crates/a", &["serde"]));
        assert_eq!(found(&workspace_dependencies_are_used(&tree)), [(3, "no crate depends on `url`")]);

        tree.packages.push(planted::package("crates/b", &["dev:url"]));
        assert_eq!(found(&workspace_dependencies_are_used(&tree)), []);
    }

    fn one_crate(manifest: &str, code: &str, dependencies: &[&str]) -> Tree {
        let mut tree = planted::files(&[("crates/a/Cargo.toml", manifest), ("crates/a/src/lib.rs", code)]);
        tree.packages.push(planted::package("crates/a", dependencies));
        tree
    }

    fn found(findings: &[Finding]) -> Vec<(usize, &str)> {
        findings.iter().map(|finding| (finding.line, finding.what.as_str())).collect()
    }
}
