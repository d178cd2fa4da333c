//! The program. All of it is in the library beside it, so that the fuzz targets reach what they try out.

use std::process::ExitCode;

fn main() -> ExitCode {
    ebbtide::main()
}
