//! Why a ledger does not open. Read by the person who starts it: these may name files and hosts.

use std::path::PathBuf;

/// A ledger that did not open. Nothing was changed, unless a migration says that it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The address is not one of a ledger.
    #[error("store url: {0}")]
    Url(String),
    /// Another process has the file.
    #[error("`{}` is in use by another process{}: one SQLite file serves one paymux; stop the other, or use PostgreSQL for several nodes", file.display(), holder(*process))]
    InUse {
        /// The database.
        file: PathBuf,
        /// The process, where it told its number.
        process: Option<u32>,
    },
    /// The file or its folder cannot be used.
    #[error("`{}`: {source}", file.display())]
    File {
        /// The database or the lock beside it.
        file: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// A setting of the database would lose what was acknowledged.
    #[error("{setting} is `{value}`: {rule}")]
    Durability {
        /// The database's own name of the setting.
        setting: &'static str,
        /// What it is.
        value: String,
        /// What it must be.
        rule: &'static str,
    },
    /// The way to the server would not be secret, or its end not certain.
    #[error("store url: {0}")]
    Tls(String),
    /// The server cannot be reached or refuses.
    #[error("the database does not open: {0}")]
    Open(String),
    /// The schema is another one than this version's, and was to be looked at only.
    #[error("the schema is not this version's: {0}")]
    Schema(String),
    /// The schema could not be brought up to date, or is newer than this version.
    #[error("the schema cannot be brought up to date: {0}")]
    Migration(String),
}

fn holder(process: Option<u32>) -> String {
    process.map(|id| format!(" ({id})")).unwrap_or_default()
}
