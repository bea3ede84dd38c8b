//! The command `netpol-gen`: parse, run, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    netpol_gen::cli::main()
}
