//! Where a ledger is: `sqlite://name.db`, `sqlite:///abs/path.db`, `postgres://user@host/db`.

use std::path::PathBuf;

use crate::error::ConnectError;

#[derive(Debug)]
pub(crate) enum Address {
    Sqlite(PathBuf),
    Postgres(String),
}

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    /// [`ConnectError::Url`], which shows no more of the address than its scheme: a password may
    /// stand in it.
    pub(crate) fn parse(url: &str) -> Result<Self, ConnectError> {
        let known = "write `sqlite://name.db`, `sqlite:///path/name.db` or `postgres://user@host/db`";
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(ConnectError::Url(format!("the scheme is missing; {known}")));
        };
        match scheme {
            "sqlite" => sqlite(rest),
            "postgres" | "postgresql" => Ok(Self::Postgres(url.to_owned())),
            other => Err(ConnectError::Url(format!("`{other}` is not a store; {known}"))),
        }
    }
}

fn sqlite(path: &str) -> Result<Address, ConnectError> {
    let rule = if path.is_empty() {
        "the file's name is missing; write `sqlite://name.db`"
    } else if path.contains(":memory:") {
        "a ledger in memory is lost with its process; name a file"
    } else if path.contains(['?', '#', '\0']) {
        "a file's name ends the address: no `?` or `#` may stand in it"
    } else if path.ends_with('/') {
        "this names a folder; name a file in it"
    } else {
        return Ok(Address::Sqlite(path.into()));
    };
    Err(ConnectError::Url(rule.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_files_and_servers() {
        check("sqlite://paymux.db", "Sqlite(\"paymux.db\")");
        check("sqlite:///var/lib/paymux.db", "Sqlite(\"/var/lib/paymux.db\")");
        check("sqlite://data/a b.db", "Sqlite(\"data/a b.db\")");
        check("postgres://u:p@h/d", "Postgres(\"postgres://u:p@h/d\")");
        check("postgresql://h/d", "Postgres(\"postgresql://h/d\")");

        #[track_caller]
        fn check(url: &str, want: &str) {
            assert_eq!(format!("{:?}", Address::parse(url).unwrap()), want);
        }
    }

    #[test]
    fn refuses_what_is_no_ledger_and_shows_no_password() {
        check("mysql://root:hunter2@h/d", "`mysql` is not a store");
        check("paymux.db", "the scheme is missing");
        check("sqlite:paymux.db", "the scheme is missing");
        check("sqlite://", "the file's name is missing");
        check("sqlite://:memory:", "a ledger in memory");
        check("sqlite://a.db?mode=memory", "no `?` or `#`");
        check("sqlite://data/", "names a folder");

        #[track_caller]
        fn check(url: &str, want: &str) {
            let error = Address::parse(url).unwrap_err().to_string();
            assert!(error.contains(want), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
