//! A disk that a test can fill: a file system in memory, mounted where nobody else sees it. It outlives the broker that runs on
//! it, so that one can be killed.
//!
//! Mounting needs root, or a system that lets users have namespaces; where neither is there, the test is skipped and counted.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::tools;

/// A file that takes room away from others.
const FILLER: &str = "filler";

/// The disk; it goes with this value.
pub struct SmallDisk {
    /// Holds the namespace in which the disk is mounted, until its input ends.
    keeper: Child,
    is_own_user: bool,
    folder: TempDir,
}

impl SmallDisk {
    /// A disk of so many bytes; `None` where mounting is not allowed, and that is noted.
    pub fn new(bytes: u64) -> Result<Option<Self>> {
        // As root the first way works, and for other users the second one, if any.
        for is_own_user in [false, true] {
            if let Some(disk) = Self::mount(bytes, is_own_user)? {
                return Ok(Some(disk));
            }
        }
        tools::note_skip("mounting is not allowed here");
        Ok(None)
    }

    fn mount(bytes: u64, is_own_user: bool) -> Result<Option<Self>> {
        let folder = TempDir::new().context("a folder to mount on")?;
        let mut unshare = Command::new("unshare");
        unshare.arg("--mount");
        if is_own_user {
            unshare.args(["--user", "--map-root-user"]);
        }
        unshare.args(["sh", "-c"]).arg(format!(
            r#"mount -t tmpfs -o size={bytes},mode=0700 none "$0" && echo mounted && exec cat"#
        ));
        let spawned = unshare
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut keeper = match spawned {
            Ok(keeper) => keeper,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).context("starting unshare"),
        };
        let mut line = String::new();
        if let Some(stdout) = keeper.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let disk = Self {
            keeper,
            is_own_user,
            folder,
        };
        Ok((line == "mounted\n").then_some(disk))
    }

    /// Where it is, for a program that [`SmallDisk::enter`] runs.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// What to put before a program and its arguments so that it sees the disk.
    pub fn enter(&self) -> Vec<String> {
        let mut words = vec!["nsenter".to_owned(), "--mount".to_owned()];
        if self.is_own_user {
            words.extend(["--user", "--preserve-credentials"].map(str::to_owned));
        }
        words.push(format!("--target={}", self.keeper.id()));
        words
    }

    /// From now on nothing can be written.
    pub fn make_read_only(&self) -> Result<()> {
        let mut words = self.enter().into_iter();
        let mut command = Command::new(words.next().context("a program")?);
        command.args(words);
        command.args(["mount", "-o", "remount,ro"]).arg(self.path());
        anyhow::ensure!(command.status()?.success(), "it cannot be made read-only");
        Ok(())
    }

    /// The names of the files in a folder of it.
    pub fn names(&self, folder: &str) -> Result<Vec<String>> {
        let mut names = Vec::new();
        match fs::read_dir(self.seen_from_here(folder)) {
            Ok(entries) => {
                for entry in entries {
                    names.push(entry?.file_name().to_string_lossy().into_owned());
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
        Ok(names)
    }

    /// Others take all of it but so many bytes, in whole pages.
    pub fn fill_but(&self, bytes: u64) -> Result<()> {
        let path = self.seen_from_here(FILLER);
        let mut file = File::create(&path)?;
        let page = [1; 4096];
        while let Ok(()) = file.write_all(&page) {}
        let length = file.metadata()?.len();
        file.set_len(length.saturating_sub(bytes))?;
        Ok(())
    }

    /// They give it back.
    pub fn empty(&self) -> Result<()> {
        fs::remove_file(self.seen_from_here(FILLER)).context("removing the filler")
    }

    fn seen_from_here(&self, name: &str) -> PathBuf {
        let root = format!("/proc/{}/root", self.keeper.id());
        let inside = self.path().strip_prefix("/").unwrap_or(self.path());
        Path::new(&root).join(inside).join(name)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        self.keeper.kill().ok();
        self.keeper.wait().ok();
    }
}
