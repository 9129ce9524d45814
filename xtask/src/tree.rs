//! The workspace as values: its files with their text, its packages with their dependencies. Reads the disk and
//! `cargo metadata` once; the rules of `tidy` then see only what stands here, and their tests make their own.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

/// Folders whose name starts with a dot are left out, but for these.
const DOT_FOLDERS: [&str; 3] = [".cargo", ".ci", ".config"];

/// What we write ends like this, or has no extension at all; a log or a database that lies about is not judged.
const WRITTEN: [&str; 13] =
    ["css", "html", "js", "json", "md", "proto", "rs", "sh", "sql", "svg", "toml", "yaml", "yml"];

/// All that the rules look at.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    /// Sorted by path; only files that somebody writes.
    pub(crate) files: Vec<SourceFile>,
    /// The members of the workspace.
    pub(crate) packages: Vec<Package>,
}

/// One text file.
#[derive(Debug)]
pub(crate) struct SourceFile {
    /// From the workspace's folder, with `/` between the parts.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// One member of the workspace.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// From the workspace's folder, like `crates/paymux-core`.
    pub(crate) folder: String,
    pub(crate) dependencies: Vec<Dependency>,
}

/// One line of a package's dependency tables.
#[derive(Debug)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) table: Table,
}

/// Which table a dependency stands in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Table {
    /// What ships: `[dependencies]` and `[build-dependencies]`.
    Normal,
    /// `[dev-dependencies]`.
    Dev,
}

impl Tree {
    /// Reads the workspace at `root`.
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let read = |path: String| {
            let text =
                fs::read_to_string(root.join(&path)).with_context(|| format!("read `{path}` as UTF-8"))?;
            Ok(SourceFile { path, text })
        };
        let written = paths(root)?.into_iter().filter(|path| is_written(Path::new(path)));
        Ok(Self { files: written.map(read).collect::<Result<_>>()?, packages: read_packages(root)? })
    }

    /// The text of the file at exactly `path`.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.iter().find(|file| file.path == path).map(|file| file.text.as_str())
    }

    /// All files in `folder` and below it.
    pub(crate) fn under(&self, folder: &str) -> impl Iterator<Item = &SourceFile> {
        let prefix = format!("{folder}/");
        self.files.iter().filter(move |file| file.path.starts_with(&prefix))
    }

    /// The packages that implement a provider: whatever stands in `plugins/`.
    pub(crate) fn plugins(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| package.is_plugin())
    }

    /// The manifest's line that opens with the dependency's name; 1 if a table of its own hides it.
    pub(crate) fn line_of_dependency(&self, package: &Package, dependency: &Dependency) -> usize {
        let manifest = self.text(&package.manifest()).unwrap_or_default();
        let found = manifest.lines().position(|line| {
            let rest = line.strip_prefix(&dependency.name);
            rest.is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
        });
        found.map_or(1, |index| index + 1)
    }

    /// The member called `name`, if there is one.
    pub(crate) fn package(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.name == name)
    }
}

impl SourceFile {
    /// True for Rust source.
    pub(crate) fn is_rust(&self) -> bool {
        self.has_extension("rs")
    }

    /// True for TOML.
    pub(crate) fn is_toml(&self) -> bool {
        self.has_extension("toml")
    }

    /// True for a page of Markdown.
    pub(crate) fn is_page(&self) -> bool {
        self.has_extension("md")
    }

    fn has_extension(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|found| found == extension)
    }
}

impl Package {
    /// True for a provider's crate.
    pub(crate) fn is_plugin(&self) -> bool {
        self.folder.starts_with("plugins/")
    }

    /// Where its manifest stands.
    pub(crate) fn manifest(&self) -> String {
        format!("{}/Cargo.toml", self.folder)
    }
}

/// Every file of a folder but for git's and what cargo builds: from that folder, with `/` between the parts, sorted.
///
/// # Errors
/// When a folder cannot be read.
pub(crate) fn paths(root: &Path) -> Result<Vec<String>> {
    let mut paths = Vec::new();
    walk(root, "", &mut paths)?;
    paths.sort();
    Ok(paths)
}

fn walk(root: &Path, folder: &str, paths: &mut Vec<String>) -> Result<()> {
    let absolute = root.join(folder);
    for entry in fs::read_dir(&absolute).with_context(|| format!("read folder `{}`", absolute.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        let kind = entry.file_type()?;
        if kind.is_dir() && is_ours(&name, &entry.path()) {
            walk(root, &path, paths)?;
        } else if kind.is_file() && name != ".git" {
            paths.push(path);
        }
    }
    Ok(())
}

/// Makes `copy` the same as `root`, as far as [`paths`] goes. Only what differs is written, so that cargo finds the
/// rest as old as it was and builds it once.
///
/// # Errors
/// When a file cannot be read, written or removed.
pub(crate) fn mirror(root: &Path, copy: &Path) -> Result<()> {
    fs::create_dir_all(copy).with_context(|| format!("make `{}`", copy.display()))?;
    let wanted = paths(root)?;
    for path in paths(copy)?.iter().filter(|path| wanted.binary_search(path).is_err()) {
        let gone = copy.join(path);
        fs::remove_file(&gone).with_context(|| format!("remove `{}`", gone.display()))?;
        // A folder that still holds something stays, and so does all above it.
        let folders = gone.ancestors().skip(1).take_while(|folder| *folder != copy);
        for folder in folders {
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
    }
    for path in &wanted {
        let (from, to) = (root.join(path), copy.join(path));
        let text = fs::read(&from).with_context(|| format!("read `{}`", from.display()))?;
        if fs::read(&to).ok().is_none_or(|old| old != text) {
            fs::create_dir_all(to.parent().unwrap_or(copy))?;
            fs::copy(&from, &to).with_context(|| format!("copy `{path}`"))?;
        }
    }
    Ok(())
}

/// Leaves out git's own folder and what cargo builds (it marks each such folder with a cache tag).
fn is_ours(name: &str, folder: &Path) -> bool {
    if name.starts_with('.') { DOT_FOLDERS.contains(&name) } else { !folder.join("CACHEDIR.TAG").exists() }
}

fn is_written(path: &Path) -> bool {
    path.extension().is_none_or(|extension| WRITTEN.iter().any(|written| extension == *written))
}

/// Where cargo builds, wherever the environment puts that.
///
/// # Errors
/// When cargo cannot read the workspace.
pub(crate) fn target_folder(root: &Path) -> Result<PathBuf> {
    metadata(root).map(|metadata| metadata.target_directory.into_std_path_buf())
}

fn read_packages(root: &Path) -> Result<Vec<Package>> {
    metadata(root)?.packages.iter().map(|package| read_package(root, package)).collect()
}

fn metadata(root: &Path) -> Result<Metadata> {
    MetadataCommand::new()
        .manifest_path(root.join("Cargo.toml"))
        .no_deps()
        .exec()
        .context("read the workspace with `cargo metadata`")
}

fn read_package(root: &Path, package: &cargo_metadata::Package) -> Result<Package> {
    let folder = package.manifest_path.parent().context("a manifest stands in a folder")?;
    let folder =
        folder.strip_prefix(root).with_context(|| format!("`{folder}` is outside of the workspace"))?;
    let dependencies = package.dependencies.iter().map(|dependency| Dependency {
        name: dependency.name.clone(),
        table: if dependency.kind == DependencyKind::Development { Table::Dev } else { Table::Normal },
    });
    Ok(Package {
        name: package.name.to_string(),
        folder: folder.as_str().replace('\\', "/"),
        dependencies: dependencies.collect(),
    })
}

#[cfg(test)]
pub(crate) mod planted {
    //! Small trees for the tests of the rules.

    use super::{Dependency, Package, SourceFile, Table, Tree};

    /// A tree of these files and no packages.
    pub(crate) fn files(files: &[(&str, &str)]) -> Tree {
        let files = files
            .iter()
            .map(|(path, text)| SourceFile { path: (*path).to_owned(), text: (*text).to_owned() })
            .collect();
        Tree { files, packages: Vec::new() }
    }

    /// A package in `folder`, named as the folder's last part; a dependency that starts with `dev:` is one for tests.
    pub(crate) fn package(folder: &str, dependencies: &[&str]) -> Package {
        let name = folder.rsplit('/').next().unwrap_or(folder).to_owned();
        let dependencies = dependencies.iter().map(|text| match text.strip_prefix("dev:") {
            Some(name) => Dependency { name: name.to_owned(), table: Table::Dev },
            None => Dependency { name: (*text).to_owned(), table: Table::Normal },
        });
        Package { name, folder: folder.to_owned(), dependencies: dependencies.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_somebody_writes() {
        check("crates/a/src/lib.rs", true);
        check("config/default.toml", true);
        check(".ci/run", true);
        check("LICENSE", true);
        check("Cargo.lock", false);
        check("ci.log", false);
        check("paymux.db", false);

        #[track_caller]
        fn check(path: &str, want: bool) {
            assert_eq!(is_written(Path::new(path)), want, "{path}");
        }
    }

    #[test]
    fn leaves_out_what_is_built() {
        let root = crate::root();
        assert!(is_ours(".ci", &root.join(".ci")));
        assert!(is_ours("crates", &root.join("crates")));
        assert!(!is_ours(".git", &root.join(".git")));

        let test = std::env::current_exe().unwrap();
        let built: Vec<_> = test.ancestors().filter(|folder| !is_ours("target", folder)).collect();
        assert_eq!(built.len(), 1, "the folder that cargo builds in, and none around it: {built:?}");
    }

    #[test]
    fn a_mirror_is_the_same_and_touches_only_what_differs() {
        let folder = std::env::temp_dir().join(format!("paymux-mirror-{}", std::process::id()));
        let (root, copy) = (folder.join("root"), folder.join("copy"));
        let write = |path: PathBuf, text: &str| {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(root.join("a/b.rs"), "b");
        write(root.join(".git/x"), "");
        write(root.join("out/CACHEDIR.TAG"), "");
        write(copy.join("a/old/deep/c.rs"), "c");
        mirror(&root, &copy).unwrap();
        assert_eq!(paths(&copy).unwrap(), ["a/b.rs"]);
        assert!(!copy.join("a/old").exists(), "an empty folder would be in the way");

        let written = |path: &str| fs::metadata(copy.join(path)).unwrap().modified().unwrap();
        let before = written("a/b.rs");
        write(root.join("d.rs"), "d");
        mirror(&root, &copy).unwrap();
        assert_eq!(
            (written("a/b.rs"), paths(&copy).unwrap()),
            (before, vec!["a/b.rs".into(), "d.rs".into()])
        );
        write(root.join("a/b.rs"), "other");
        mirror(&root, &copy).unwrap();
        assert_eq!(fs::read_to_string(copy.join("a/b.rs")).unwrap(), "other");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn reads_the_members_and_their_tables() {
        let packages = read_packages(crate::root()).unwrap();
        let plugin = packages.iter().find(|package| package.name == "paymux-sandbox").unwrap();
        assert_eq!((plugin.folder.as_str(), plugin.is_plugin()), ("plugins/paymux-sandbox", true));

        let table = |name: &str| plugin.dependencies.iter().find(|d| d.name == name).map(|d| d.table);
        assert_eq!(table("paymux-core"), Some(Table::Normal));
        assert_eq!(table("paymux-testkit"), Some(Table::Dev));
        assert_eq!(table("axum"), None);
    }
}
