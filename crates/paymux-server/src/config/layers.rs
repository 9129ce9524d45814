//! The three layers that make a configuration: embedded defaults, then the file, then the environment.

use std::collections::HashMap;

use config::{ConfigError, Source, Value, ValueKind};
use toml_edit::{Item, TableLike};

use super::mistake::Gathering;
use super::path::{KeyPath, Step, is_bare};
use super::place::{Override, Places};
use crate::environment::{Environment, PREFIX};

/// All defaults, with every key that there is. Checked by tests against the types that read it.
pub(super) const DEFAULTS: &str = include_str!("../../../../config/default.toml");

/// Sections that are lists of tables: a variable's name cannot say which element it means.
const LISTS: [&str; 3] = ["apps", "channels", "routes"];

/// The layers as one tree, the later over the earlier.
pub(super) fn merged(
    places: &Places,
    environment: &Environment,
    mistakes: &mut Gathering<'_>,
) -> Option<Value> {
    let file = Layer(file(places, mistakes));
    let overrides = overrides(places, environment, mistakes);
    let variables = config::Environment::with_prefix(PREFIX.trim_end_matches('_'))
        .prefix_separator("__")
        .separator("__")
        .source(Some(overrides));
    let merged = config::Config::builder()
        .add_source(config::File::from_str(DEFAULTS, config::FileFormat::Toml))
        .add_source(file)
        .add_source(variables)
        .build();
    match merged {
        Ok(merged) => Some(merged.cache),
        Err(error) => {
            mistakes.add(&KeyPath::default(), error.to_string());
            None
        }
    }
}

/// Whether a value came from the environment, where everything is text.
pub(super) fn is_from_environment(value: &Value) -> bool {
    value.origin() == Some("the environment")
}

/// The file as it was parsed.
#[derive(Debug, Clone)]
struct Layer(HashMap<String, Value>);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<HashMap<String, Value>, ConfigError> {
        Ok(self.0.clone())
    }
}

/// The merge reads dots and brackets in a key of the first level as a way down: such keys, which TOML
/// takes between quotes, stay out of it.
fn file(places: &Places, mistakes: &mut Gathering<'_>) -> HashMap<String, Value> {
    let root = KeyPath::default();
    let mut layer = table(places.document().as_table(), &root, mistakes);
    layer.retain(|key, _| {
        if !is_bare(key) {
            mistakes.add(&root.key(key), "unknown key; no key of the first level needs quotes");
        }
        is_bare(key)
    });
    layer
}

fn table(table: &dyn TableLike, path: &KeyPath, mistakes: &mut Gathering<'_>) -> HashMap<String, Value> {
    table.iter().map(|(key, item)| (key.to_owned(), value(item, &path.key(key), mistakes))).collect()
}

fn value(item: &Item, path: &KeyPath, mistakes: &mut Gathering<'_>) -> Value {
    let kind = match item {
        Item::None => ValueKind::Nil,
        Item::Table(inner) => ValueKind::Table(table(inner, path, mistakes)),
        Item::ArrayOfTables(tables) => {
            let each = tables.iter().enumerate();
            let each = each.map(|(i, t)| ValueKind::Table(table(t, &path.index(i), mistakes)));
            ValueKind::Array(each.map(|kind| Value::new(None, kind)).collect())
        }
        Item::Value(inner) => scalar(inner, path, mistakes),
    };
    Value::new(None, kind)
}

fn scalar(value: &toml_edit::Value, path: &KeyPath, mistakes: &mut Gathering<'_>) -> ValueKind {
    use toml_edit::Value as Toml;
    match value {
        Toml::String(text) => ValueKind::String(text.value().clone()),
        Toml::Integer(number) => ValueKind::I64(*number.value()),
        Toml::Float(number) => ValueKind::Float(*number.value()),
        Toml::Boolean(flag) => ValueKind::Boolean(*flag.value()),
        Toml::Datetime(_) => {
            mistakes.spoil(path.clone(), "no key takes a date; write text in quotes");
            ValueKind::Nil
        }
        Toml::Array(list) => {
            let each = list.iter().enumerate();
            let each = each.map(|(i, v)| Value::new(None, scalar(v, &path.index(i), mistakes)));
            ValueKind::Array(each.collect())
        }
        Toml::InlineTable(inner) => ValueKind::Table(table(inner, path, mistakes)),
    }
}

/// The variables that may take part, with their values.
fn overrides(
    places: &Places,
    environment: &Environment,
    mistakes: &mut Gathering<'_>,
) -> HashMap<String, String> {
    let mut taken = HashMap::new();
    for variable in places.overrides() {
        if let Some(rule) = broken_rule(variable, places.overrides()) {
            mistakes.spoil(variable.key.clone(), rule);
            continue;
        }
        match environment.text(&variable.name) {
            Ok(text) => _ = taken.insert(variable.name.clone(), text.to_owned()),
            Err(rule) => mistakes.spoil(variable.key.clone(), rule),
        }
    }
    taken
}

fn broken_rule(variable: &Override, all: &[Override]) -> Option<String> {
    const FORM: &str = "write the variable as PAYMUX__SECTION__KEY, in capitals, digits and `_`";
    let steps = variable.key.steps();
    let parts = || steps.iter().filter_map(|step| if let Step::Key(key) = step { Some(key) } else { None });
    let is_capital = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
    if !variable.name.bytes().all(is_capital) || parts().any(String::is_empty) {
        return Some(FORM.to_owned());
    }
    if parts().next().is_some_and(|section| LISTS.contains(&section.as_str())) {
        return Some("apps, channels and routes stand in the file only".to_owned());
    }
    if steps.len() < 2 {
        return Some(FORM.to_owned());
    }
    let part_of_it = all.iter().find(|other| other.key != variable.key && other.key.is_under(&variable.key));
    part_of_it.map(|other| format!("`{}` sets a part of the same key; keep one of the two", other.name))
}
