//! The binary `paymux`. All of it is in the library, where tests reach it.

use std::process::ExitCode;

fn main() -> ExitCode {
    paymux_server::commands::run()
}
