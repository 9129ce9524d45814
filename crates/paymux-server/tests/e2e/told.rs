//! How long a harness runs, as its environment says: `cargo xtask` turns its options into these variables.

/// The number in that variable; `default` where it is not set.
#[expect(clippy::disallowed_methods, reason = "a harness is told how long to run by its environment")]
pub(crate) fn number(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}=`{text}`: write a number")),
        Err(_) => default,
    }
}
