//! `server.tls_cert` and `server.tls_key`: two files, read here and checked against each other.

use std::fs::File;
use std::io::Read as _;

use paymux_http::{Identity, IdentityError};
use zeroize::Zeroizing;

use super::{Check, Told};
use crate::config::path::KeyPath;
use crate::config::raw;

/// A chain of certificates has a few thousand bytes: a file that is larger is the wrong one.
const FILE_BYTES_MAX: u64 = 256 * 1024;

impl Check<'_, '_> {
    /// What the main listener proves to be; `None` where it speaks plain HTTP.
    pub(super) fn tls(&mut self, server: &KeyPath, raw: &raw::Server) -> Result<Option<Identity>, Told> {
        let (cert_path, key_path) = (server.key("tls_cert"), server.key("tls_key"));
        let (cert, key) = match (raw.tls_cert.as_deref(), raw.tls_key.as_deref()) {
            (None, None) => return Ok(None),
            (Some(cert), Some(key)) => (cert, key),
            (Some(_), None) => {
                self.wrong(&key_path, "required where `server.tls_cert` is set");
                return Err(Told);
            }
            (None, Some(_)) => {
                self.wrong(&cert_path, "required where `server.tls_key` is set");
                return Err(Told);
            }
        };
        let chain = self.good(&cert_path, pem(cert));
        let secret = self.good(&key_path, pem(key));
        let (Some(chain), Some(secret)) = (chain, secret) else { return Err(Told) };
        Identity::from_pem(&chain, &secret).map(Some).map_err(|error| {
            match &error {
                IdentityError::Certificate(rule) => self.wrong(&cert_path, format!("file `{cert}` {rule}")),
                IdentityError::Key(rule) => self.wrong(&key_path, format!("file `{key}` {rule}")),
                IdentityError::Mismatch => self.wrong(&key_path, format!("file `{key}`: {error}")),
            }
            Told
        })
    }
}

fn pem(path: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    let unread = |error: std::io::Error| format!("file `{path}` cannot be read: {error}");
    let file = File::open(path).map_err(unread)?;
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unread)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("file `{path}` has more than {FILE_BYTES_MAX} bytes"));
    }
    Ok(bytes)
}
