//! What is shipped says nothing of the machine that it was built on, and spends no bytes on it.
//!
//! A panic names its source file, and for a dependency that is where cargo has put it: somebody's home.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// Has the compiler leave out where cargo keeps the sources of dependencies. They must have been fetched.
pub fn shorten(command: &mut Command) {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")));
    let Some(sources) = home.map(|home| home.join("registry/src")) else {
        return;
    };
    let mut folders: Vec<_> = fs::read_dir(sources)
        .into_iter()
        .flatten()
        .flatten()
        .map(|registry| format!("--remap-path-prefix={}=", registry.path().display()))
        .collect();
    folders.sort();
    // Other flags of the environment are for the programs of this machine, not for the web.
    command.env("CARGO_ENCODED_RUSTFLAGS", folders.join("\x1f"));
}
