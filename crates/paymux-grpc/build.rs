//! Makes Rust of the proto files, without a `protoc`.

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use prost::Message as _;

/// Code that a generator wrote is not held to the rules for code that people write.
const WRAPPED: &str =
    "/// The messages and services of the package `paymux.v1`, as its proto file tells them.
#[allow(warnings, clippy::allow_attributes, clippy::allow_attributes_without_reason, reason = \"generated\")]
pub mod v1 {
    include!(concat!(env!(\"OUT_DIR\"), \"/paymux.v1.rs\"));
}
";

#[expect(clippy::disallowed_methods, reason = "cargo tells a build script by the environment where to write")]
fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    let descriptors = protox::compile(["paymux/v1/paymux.proto"], ["proto"])?;
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    fs::write(out.join("v1.rs"), WRAPPED)?;
    // Ordered maps: a request that is written again is the same bytes.
    tonic_prost_build::configure()
        .build_transport(false)
        .btree_map(".")
        .emit_rerun_if_changed(true)
        .compile_fds(descriptors)?;
    Ok(())
}
