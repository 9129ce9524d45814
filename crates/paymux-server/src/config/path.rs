//! Where a key stands in the tree of a configuration, such as `channels[1].settings.app_id`.

use std::fmt;

/// A way down from the root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct KeyPath(Vec<Step>);

/// One step of the way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// Into a table.
    Key(String),
    /// Into a list, from 0.
    Index(usize),
}

impl KeyPath {
    /// The root's `key`.
    pub(crate) fn of(key: &str) -> Self {
        Self::default().key(key)
    }

    /// One key further.
    pub(crate) fn key(&self, key: &str) -> Self {
        self.step(Step::Key(key.to_owned()))
    }

    /// One place in a list further.
    pub(crate) fn index(&self, index: usize) -> Self {
        self.step(Step::Index(index))
    }

    /// One step further.
    pub(crate) fn step(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    /// From the root down.
    pub(crate) fn steps(&self) -> &[Step] {
        &self.0
    }

    /// Whether this is `other` or below it.
    pub(crate) fn is_under(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }

    /// The same way whatever the place in each list: `channels[].rules.hours`.
    pub(crate) fn shape(&self) -> String {
        let mut text = String::new();
        for step in &self.0 {
            match step {
                Step::Key(key) if text.is_empty() => text.push_str(key),
                Step::Key(key) => text.extend([".", key]),
                Step::Index(_) => text.push_str("[]"),
            }
        }
        text
    }
}

impl FromIterator<Step> for KeyPath {
    fn from_iter<I: IntoIterator<Item = Step>>(steps: I) -> Self {
        Self(steps.into_iter().collect())
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(key) => {
                    if place > 0 {
                        f.write_str(".")?;
                    }
                    if is_bare(key) { f.write_str(key)? } else { write!(f, "{key:?}")? }
                }
            }
        }
        Ok(())
    }
}

/// Whether TOML takes the key without quotes.
pub(crate) fn is_bare(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_it_is_said() {
        let path = KeyPath::of("channels").index(1).key("settings").key("app_id");
        assert_eq!(path.to_string(), "channels[1].settings.app_id");
        assert_eq!(path.shape(), "channels[].settings.app_id");
        assert_eq!(KeyPath::of("a b").key("").to_string(), "\"a b\".\"\"");
    }

    #[test]
    fn knows_what_is_below_it() {
        let apps = KeyPath::of("apps");
        assert!(apps.is_under(&apps) && apps.index(0).key("id").is_under(&apps));
        assert!(!apps.is_under(&apps.index(0)) && !KeyPath::of("app").is_under(&apps));
    }
}
