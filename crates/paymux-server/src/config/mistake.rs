//! What is wrong with a configuration: each mistake with its place, its key and the rule.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use super::path::KeyPath;
use super::place::{Place, Places};

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mistake {
    /// Where it stands.
    pub place: Place,
    /// Which key; `None` for the file as a whole.
    pub key: Option<String>,
    /// What is allowed, or what to do. Never holds a secret.
    pub rule: String,
}

/// All mistakes of one configuration, in the order of the file; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistakes {
    file: String,
    list: Vec<Mistake>,
}

impl Mistakes {
    /// One mistake about the whole file.
    pub(super) fn one(file: &str, place: Place, rule: impl Into<String>) -> Self {
        Self { file: file.to_owned(), list: vec![Mistake { place, key: None, rule: rule.into() }] }
    }

    /// Each of them.
    pub fn list(&self) -> &[Mistake] {
        &self.list
    }

    /// For machines: one object each.
    pub fn to_json(&self) -> serde_json::Value {
        let lines = self.list.iter().map(|mistake| {
            let (line, column, variable) = match &mistake.place {
                Place::File => (None, None, None),
                Place::Line(line) => (Some(*line), None, None),
                Place::Spot { line, column } => (Some(*line), Some(*column), None),
                Place::Variable(name) => (None, None, Some(name.as_str())),
            };
            let told =
                Told { file: &self.file, line, column, variable, key: &mistake.key, rule: &mistake.rule };
            serde_json::to_value(told).unwrap_or_default()
        });
        lines.collect()
    }
}

#[derive(Serialize)]
struct Told<'a> {
    file: &'a str,
    line: Option<usize>,
    column: Option<usize>,
    variable: Option<&'a str>,
    key: &'a Option<String>,
    rule: &'a str,
}

impl fmt::Display for Mistakes {
    /// One line each: `file:line: key: rule`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, mistake) in self.list.iter().enumerate() {
            if place > 0 {
                f.write_str("\n")?;
            }
            mistake.place.write(&self.file, f)?;
            if let Some(key) = &mistake.key {
                write!(f, ": {key}")?;
            }
            write!(f, ": {}", mistake.rule)?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

/// Gathers mistakes while a configuration is read.
#[derive(Debug)]
pub(super) struct Gathering<'a> {
    places: &'a Places,
    list: BTreeSet<Mistake>,
    /// Keys whose value was thrown away: nothing more is said of them or of what is below.
    spoiled: Vec<KeyPath>,
}

impl<'a> Gathering<'a> {
    pub(super) fn new(places: &'a Places) -> Self {
        Self { places, list: BTreeSet::new(), spoiled: Vec::new() }
    }

    /// That key breaks that rule. Silent where the key's value was thrown away before.
    pub(super) fn add(&mut self, key: &KeyPath, rule: impl Into<String>) {
        if !self.spoiled.iter().any(|spoiled| key.is_under(spoiled)) {
            let place = self.places.of(key);
            self.list.insert(Mistake { place, key: Some(key.to_string()), rule: rule.into() });
        }
    }

    /// That key breaks that rule, and its value is thrown away.
    pub(super) fn spoil(&mut self, key: KeyPath, rule: impl Into<String>) {
        self.add(&key, rule);
        self.spoiled.push(key);
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.list.len()
    }

    /// All of them as an error, or `value` if there is none.
    pub(super) fn end<T>(self, value: Option<T>) -> Result<T, Mistakes> {
        match value {
            Some(value) if self.list.is_empty() => Ok(value),
            _ => Err(Mistakes { file: self.places.file().to_owned(), list: self.list.into_iter().collect() }),
        }
    }
}
