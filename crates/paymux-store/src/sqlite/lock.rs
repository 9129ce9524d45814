//! One process a file: a lock of the operating system on `<file>-lock`, which ends with its holder
//! however that ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::error::ConnectError;

/// Held for as long as it lives.
#[derive(Debug)]
pub(super) struct FileLock {
    _file: File,
}

impl FileLock {
    /// Takes the lock of that database file, which exists.
    ///
    /// # Errors
    /// [`ConnectError::InUse`] when somebody has it.
    pub(super) fn take(database: &Path) -> Result<Self, ConnectError> {
        let path = beside(database);
        let fail = |source| ConnectError::File { file: path.clone(), source };
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = open.map_err(fail)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(ConnectError::InUse {
                    file: database.to_owned(),
                    process: read_holder(&mut file),
                });
            }
            Err(TryLockError::Error(source)) => return Err(fail(source)),
        }
        write_holder(&mut file).map_err(fail)?;
        Ok(Self { _file: file })
    }
}

/// `a/b.db` has its lock at `a/b.db-lock`, as SQLite has its log at `a/b.db-wal`.
fn beside(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-lock");
    name.into()
}

fn read_holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn write_holder(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}
