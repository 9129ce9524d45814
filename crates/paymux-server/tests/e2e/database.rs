//! Where a test's ledger stands: a file in a folder of its own, or a PostgreSQL database of its own.

use sea_orm::{ConnectionTrait as _, Database as Connector, QueryResult, Statement};

/// Which database.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

/// A ledger's place, removed in the end by [`Database::drop`].
pub(crate) enum Database {
    Sqlite(tempfile::TempDir),
    Postgres { server: String, name: String, owner: Option<Owner> },
}

/// Who has a PostgreSQL database of their own.
pub(crate) struct Owner {
    role: String,
    /// As it stands in a URL.
    password: String,
}

impl Database {
    pub(crate) async fn create(kind: Kind) -> Self {
        match kind {
            Kind::Sqlite => Self::Sqlite(tempfile::tempdir().unwrap()),
            Kind::Postgres => {
                let (server, name) = (server(), format!("paymux_e2e_{:016x}", fastrand::u64(..)));
                execute(&server, &format!("CREATE DATABASE {name}")).await;
                Self::Postgres { server, name, owner: None }
            }
        }
    }

    /// The same with an owner, who dials it with that password; on SQLite there is nobody to be named.
    pub(crate) async fn create_owned(kind: Kind, password: &str) -> Self {
        let mut database = Self::create(kind).await;
        if let Self::Postgres { server, name, owner } = &mut database {
            let role = format!("{name}_owner");
            execute(server, &format!("CREATE ROLE {role} LOGIN PASSWORD '{password}'")).await;
            execute(server, &format!("ALTER DATABASE {name} OWNER TO {role}")).await;
            *owner = Some(Owner { role, password: in_url(password) });
        }
        database
    }

    /// Its address for `store.url`.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Sqlite(folder) => format!("sqlite://{}", folder.path().join("paymux.db").display()),
            Self::Postgres { server, name, owner } => {
                let (start, query) = around_name(server);
                match owner {
                    None => format!("{start}{name}{query}"),
                    Some(Owner { role, password }) => {
                        let host = start.trim_end_matches('/').rsplit_once(['@', '/']).unwrap().1;
                        format!("postgres://{role}:{password}@{host}/{name}{query}")
                    }
                }
            }
        }
    }

    /// Runs these statements.
    pub(crate) async fn execute(&self, sql: &str) {
        let url = match self {
            Self::Sqlite(_) => self.url() + "?mode=rwc",
            Self::Postgres { .. } => self.url(),
        };
        execute(&url, sql).await;
    }

    /// Another one with all that is in this one, which nobody uses just now.
    pub(crate) async fn copy(&self) -> Self {
        match self {
            Self::Sqlite(folder) => {
                let copy = tempfile::tempdir().unwrap();
                let file = |folder: &tempfile::TempDir| folder.path().join("paymux.db");
                std::fs::copy(file(folder), file(&copy)).unwrap();
                Self::Sqlite(copy)
            }
            Self::Postgres { server, name: own, .. } => {
                let name = format!("paymux_e2e_{:016x}", fastrand::u64(..));
                execute(server, &format!("CREATE DATABASE {name} TEMPLATE {own}")).await;
                Self::Postgres { server: server.clone(), name, owner: None }
            }
        }
    }

    /// What a `SELECT` of a text and a number says, read beside the running binary.
    pub(crate) async fn pairs(&self, select: &str) -> Vec<(String, i64)> {
        let pair = |row: &QueryResult| (row.try_get_by_index(0).unwrap(), row.try_get_by_index(1).unwrap());
        self.rows(select).await.iter().map(pair).collect()
    }

    async fn rows(&self, select: &str) -> Vec<QueryResult> {
        let connection = Connector::connect(self.url()).await.unwrap();
        let statement = Statement::from_string(connection.get_database_backend(), select);
        let rows = connection.query_all_raw(statement).await.unwrap();
        connection.close().await.unwrap();
        rows
    }

    /// All that is in it, piece by piece under a name: files as they are, rows as JSON.
    pub(crate) async fn contents(&self) -> Vec<(String, Vec<u8>)> {
        let text = |row: &QueryResult| row.try_get_by_index::<String>(0).unwrap();
        if let Self::Sqlite(folder) = self {
            let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            return files.map(|path| (path.display().to_string(), std::fs::read(path).unwrap())).collect();
        }
        let tables = "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'";
        let mut contents = Vec::new();
        for table in self.rows(tables).await.iter().map(text) {
            let rows = self.rows(&format!("SELECT row_to_json(t)::text FROM \"{table}\" t")).await;
            contents
                .push((format!("the table {table}"), rows.iter().map(text).collect::<String>().into_bytes()));
        }
        contents
    }

    pub(crate) async fn drop(self) {
        if let Self::Postgres { server, name, owner } = self {
            execute(&server, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
            if let Some(Owner { role, .. }) = owner {
                execute(&server, &format!("DROP ROLE {role}")).await;
            }
        }
    }
}

/// What stands before and after a database's name in its address.
fn around_name(address: &str) -> (&str, &str) {
    let (path, query) = address.split_at(address.find('?').unwrap_or(address.len()));
    (&path[..=path.rfind('/').unwrap()], query)
}

/// A text as it must stand in a URL: what is no letter or digit is escaped.
pub(crate) fn in_url(text: &str) -> String {
    let escaped =
        |c: char| if c.is_ascii_alphanumeric() { c.to_string() } else { format!("%{:02X}", u32::from(c)) };
    text.chars().map(escaped).collect()
}

async fn execute(server: &str, sql: &str) {
    let connection = Connector::connect(server).await.unwrap_or_else(|error| {
        panic!(
            "no PostgreSQL server at {server}: {error}; install one (Debian: apt install postgresql) or set \
             PAYMUX_TEST_POSTGRES_URL=postgres://user:password@host:port/database"
        )
    });
    connection.execute_unprepared(sql).await.unwrap();
    connection.close().await.unwrap();
}

#[expect(clippy::disallowed_methods, reason = "tests are told by their environment where the server is")]
fn server() -> String {
    let told = std::env::var("PAYMUX_TEST_POSTGRES_URL");
    told.unwrap_or_else(|_| "postgres://root@127.0.0.1:5432/postgres".to_owned())
}

#[test]
fn an_address_keeps_what_follows_the_name() {
    let address = |server: &str, owner| {
        let (server, name) = (server.to_owned(), "own".to_owned());
        Database::Postgres { server, name, owner }.url()
    };
    let owner = || Some(Owner { role: "ada".to_owned(), password: "p".to_owned() });
    let server = "postgres://root:secret@db.example:5433/postgres?sslmode=disable&options=/a";
    assert_eq!(
        address(server, None),
        "postgres://root:secret@db.example:5433/own?sslmode=disable&options=/a"
    );
    let want = "postgres://ada:p@db.example:5433/own?sslmode=disable&options=/a";
    assert_eq!(address(server, owner()), want);
    assert_eq!(address("postgres://db.example/postgres", None), "postgres://db.example/own");
    assert_eq!(address("postgres://db.example/postgres", owner()), "postgres://ada:p@db.example/own");
}
