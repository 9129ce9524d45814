//! The targets that are no provider's: signs, numbers and names, the merchants' API, the configuration.

mod config;
mod merchant;
mod names;
mod sign;

use crate::Target;

pub(crate) fn all() -> Vec<Target> {
    [sign::targets(), names::targets(), merchant::targets(), config::targets()]
        .into_iter()
        .flatten()
        .collect()
}

/// Literal texts as inputs.
fn texts(all: &[&str]) -> Vec<Vec<u8>> {
    all.iter().map(|text| text.as_bytes().to_vec()).collect()
}
