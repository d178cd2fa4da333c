//! Where things are: the repository, the build directory, the per-user tool cache. Looks, never writes.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

/// The places that every command works with.
pub struct Project {
    /// The repository.
    pub root: PathBuf,
    /// Cargo's build directory; follows `CARGO_TARGET_DIR`.
    pub target: PathBuf,
    /// Tools that xtask installs for this user, outside the repository: a fresh clone finds them again.
    pub tools: PathBuf,
}

impl Project {
    pub fn locate() -> Result<Self> {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = manifest
            .parent()
            .context("xtask lies in a folder of the repository")?
            .to_path_buf();
        let target = match env::var_os("CARGO_TARGET_DIR") {
            Some(directory) => root.join(directory),
            None => root.join("target"),
        };
        Ok(Self {
            root,
            target,
            tools: cache_home()?.join("ebbtide/tools"),
        })
    }

    /// The built web assets: `dashboard/`, `pkg/`, `docs/`.
    pub fn web(&self) -> PathBuf {
        self.target.join("web")
    }

    /// A command that runs in the repository, has no stdin and finds the installed tools first on its PATH.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(&self.root)
            .stdin(Stdio::null())
            .env("PATH", self.search_path());
        command
            .env("CARGO_TARGET_DIR", &self.target)
            .env("EBBTIDE_WEB_DIR", self.web());
        command
    }

    /// The `cargo` that runs this program.
    pub fn cargo(&self) -> Command {
        self.command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
    }

    /// PATH with the tools that the cache holds put in front.
    pub fn search_path(&self) -> OsString {
        let mut directories = crate::tools::cached_bin_directories(self);
        directories.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
        env::join_paths(directories).unwrap_or_else(|_| env::var_os("PATH").unwrap_or_default())
    }
}

fn cache_home() -> Result<PathBuf> {
    if let Some(directory) = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
    {
        return Ok(directory);
    }
    let home = env::var_os("HOME")
        .context("neither XDG_CACHE_HOME nor HOME is set: no place for the tool cache")?;
    Ok(PathBuf::from(home).join(".cache"))
}
