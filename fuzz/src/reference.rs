//! MD5 by another's code than ours, which digests are compared with.

use std::fmt::Write as _;

use md5::{Digest as _, Md5};

/// The digest of all parts with nothing between them, as lower-case hex.
pub(crate) fn md5_hex(parts: &[&[u8]]) -> String {
    let digest = parts.iter().fold(Md5::new(), Md5::chain_update).finalize();
    digest.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
