//! Where a value was written: a line of the file or a variable of the environment.

use std::fmt;

use toml_edit::{Document, Item};

use super::path::{KeyPath, Step};
use crate::environment::{Environment, PREFIX};

/// Where something stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Nowhere in particular.
    File,
    /// In this line, from 1.
    Line(usize),
    /// In this line at this character, both from 1.
    Spot {
        /// The line.
        line: usize,
        /// The character.
        column: usize,
    },
    /// In this variable of the environment.
    Variable(String),
}

impl Place {
    pub(super) fn write(&self, file: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => f.write_str(file),
            Self::Line(line) => write!(f, "{file}:{line}"),
            Self::Spot { line, column } => write!(f, "{file}:{line}:{column}"),
            Self::Variable(name) => write!(f, "environment variable {name}"),
        }
    }

    /// The line and character of that byte.
    pub(super) fn spot(text: &str, at: usize) -> Self {
        let before = text.get(..at.min(text.len())).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        Self::Spot { line: line_of(text, at), column: before[line_start..].chars().count() + 1 }
    }
}

/// The file as it was parsed and the overrides: enough to say where each key was written.
#[derive(Debug)]
pub(super) struct Places {
    file: String,
    document: Document<String>,
    overrides: Vec<Override>,
}

/// One variable of the environment, and the key that it sets.
#[derive(Debug)]
pub(super) struct Override {
    pub(super) name: String,
    pub(super) key: KeyPath,
}

impl Places {
    /// Of that file, so named, and of that environment.
    ///
    /// # Errors
    /// What TOML says, with its place.
    pub(super) fn read(file: &str, text: &str, environment: &Environment) -> Result<Self, (Place, String)> {
        let document = Document::parse(text.to_owned()).map_err(|error| syntax_error(text, &error))?;
        Ok(Self { file: file.to_owned(), document, overrides: overrides(environment) })
    }

    pub(super) fn file(&self) -> &str {
        &self.file
    }

    pub(super) fn document(&self) -> &Document<String> {
        &self.document
    }

    pub(super) fn overrides(&self) -> &[Override] {
        &self.overrides
    }

    /// Where that key's value was written; where it is written nowhere, the nearest table around it.
    pub(super) fn of(&self, key: &KeyPath) -> Place {
        let overrides = || self.overrides.iter();
        let (line, is_exact) = self.line(key);
        let variable = overrides()
            .find(|variable| key.is_under(&variable.key))
            .or_else(|| overrides().find(|variable| !is_exact && variable.key.is_under(key)));
        match (variable, line) {
            (Some(variable), _) => Place::Variable(variable.name.clone()),
            (None, Some(line)) => Place::Line(line),
            (None, None) => Place::File,
        }
    }

    /// The line of the last step of `key` that the file has, and whether it has them all.
    fn line(&self, key: &KeyPath) -> (Option<usize>, bool) {
        let mut here = Spanned::Item(self.document.as_item());
        let mut line = None;
        for step in key.steps() {
            let Some((next, start)) = here.down(step) else { return (line, false) };
            line = start.map(|at| line_of(self.document.raw(), at)).or(line);
            here = next;
        }
        (line, true)
    }
}

/// A node of the parsed file. Tables of an array of tables and elements of a list are no items.
enum Spanned<'a> {
    Item(&'a Item),
    Table(&'a toml_edit::Table),
    Value(&'a toml_edit::Value),
}

impl<'a> Spanned<'a> {
    /// The node one step further down, and the byte where it begins.
    fn down(&self, step: &Step) -> Option<(Self, Option<usize>)> {
        match step {
            Step::Key(key) => {
                let (key, item) = self.table()?.get_key_value(key)?;
                let start = key.span().or_else(|| item.span()).map(|span| span.start);
                Some((Self::Item(item), start))
            }
            Step::Index(index) => self.element(*index),
        }
    }

    fn table(&self) -> Option<&'a dyn toml_edit::TableLike> {
        match self {
            Self::Item(item) => item.as_table_like(),
            Self::Table(table) => Some(*table),
            Self::Value(value) => Some(value.as_inline_table()?),
        }
    }

    fn element(&self, index: usize) -> Option<(Self, Option<usize>)> {
        if let Self::Item(Item::ArrayOfTables(tables)) = self {
            let table = tables.get(index)?;
            return Some((Self::Table(table), table.span().map(|span| span.start)));
        }
        let array = match self {
            Self::Item(item) => item.as_array(),
            Self::Value(value) => value.as_array(),
            Self::Table(_) => None,
        };
        let value = array?.get(index)?;
        Some((Self::Value(value), value.span().map(|span| span.start)))
    }
}

/// What TOML says, without the line that its own text shows: a secret may stand in it.
fn syntax_error(text: &str, error: &toml_edit::TomlError) -> (Place, String) {
    let place = error.span().map_or(Place::File, |span| Place::spot(text, span.start));
    (place, format!("not TOML: {}", error.message().trim().replace('\n', "; ")))
}

/// The variables that override, each with its key: `PAYMUX__STORE__URL` sets `store.url`.
fn overrides(environment: &Environment) -> Vec<Override> {
    let of = |name: &str| Override {
        name: name.to_owned(),
        key: name[PREFIX.len()..].split("__").map(|part| Step::Key(part.to_lowercase())).collect(),
    };
    environment.overrides().map(of).collect()
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
[server]
http = \"x\"

[[channels]]
id = \"a\"
methods = [
  \"wechat.*\",
  \"alipay.web\",
]
[[channels]]
id = \"b\"
rules.amount_min = 1
settings = { app_id = \"x\" }
[channels.more]
";

    #[test]
    fn finds_the_line_of_a_key_or_of_what_is_around_it() {
        check("server", 1);
        check("server.http", 2);
        check("server.admin", 1);
        check("channels[0]", 4);
        check("channels[0].provider", 4);
        check("channels[0].methods[1]", 8);
        check("channels[0].methods[7]", 6);
        check("channels[1].rules.amount_min", 12);
        check("channels[1].rules.amount_max", 12);
        check("channels[1].settings.app_id", 13);
        check("channels[1].settings.app_secret", 13);
        check("channels[1].more", 14);

        #[track_caller]
        fn check(key: &str, line: usize) {
            let places = Places::read("f", TEXT, &Environment::default()).unwrap();
            assert_eq!(places.of(&path(key)), Place::Line(line), "{key}");
        }
    }

    #[test]
    fn what_the_environment_sets_stands_there() {
        let environment =
            Environment::from_pairs([("PAYMUX__SERVER__HTTP", ""), ("PAYMUX__STORE__URL__FILE", "")]);
        let places = Places::read("f", TEXT, &environment).unwrap();
        assert_eq!(places.of(&path("server.http")), Place::Variable("PAYMUX__SERVER__HTTP".into()));
        assert_eq!(places.of(&path("store.url")), Place::Variable("PAYMUX__STORE__URL__FILE".into()));
        assert_eq!(places.of(&path("server")), Place::Line(1));
        assert_eq!(places.of(&path("outbound")), Place::File);
    }

    #[test]
    fn columns_count_characters() {
        assert_eq!(Place::spot("a\n茶b", 5), Place::Spot { line: 2, column: 2 });
        assert_eq!(Place::spot("a", 9), Place::Spot { line: 1, column: 2 });
    }

    /// Reads what `KeyPath` prints.
    fn path(text: &str) -> KeyPath {
        let parts = text.split(['.', '[', ']']).filter(|part| !part.is_empty());
        parts.map(|part| part.parse().map_or_else(|_| Step::Key(part.to_owned()), Step::Index)).collect()
    }
}
