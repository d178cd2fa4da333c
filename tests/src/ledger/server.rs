//! The broker under test as a process: ours, or whatever a command starts. Killed by SIGKILL and started again as before.

use std::{
    fs,
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use ebbtide_protocol::Version;
use tempfile::TempDir;

use super::link::{self, Link};
use crate::broker::Broker;

const START_DEADLINE: Duration = Duration::from_secs(30);

/// A broker that can be killed.
pub enum Server {
    /// Ebbtide.
    Ours(Box<Broker>),
    /// Any.
    Command(Foreign),
}

/// A broker that a command line starts, in the foreground, on a fixed port.
pub struct Foreign {
    command: String,
    address: SocketAddr,
    child: Child,
    folder: TempDir,
}

impl Server {
    /// Ebbtide with these flags, on ports and a folder of its own.
    pub fn ours(arguments: &[&str]) -> Result<Self> {
        Ok(Self::Ours(Box::new(Broker::start_with(arguments)?)))
    }

    /// A broker that the shell starts with `command`, which must become the broker and listen on `port` of 127.0.0.1.
    pub fn command(command: &str, port: u16) -> Result<Self> {
        let address = ([127, 0, 0, 1], port).into();
        if TcpStream::connect(address).is_ok() {
            bail!("something listens on port {port} already");
        }
        let folder = TempDir::new().context("a temporary folder")?;
        let foreign = Foreign {
            child: spawn(command, folder.path())?,
            command: command.to_owned(),
            address,
            folder,
        };
        let mut server = Self::Command(foreign);
        server.wait_until_ready()?;
        Ok(server)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        match self {
            Self::Ours(broker) => broker.mqtt(),
            Self::Command(foreign) => foreign.address,
        }
    }

    /// SIGKILL.
    pub fn kill(&mut self) -> Result<()> {
        match self {
            Self::Ours(broker) => broker.kill(),
            Self::Command(foreign) => foreign.kill(),
        }
    }

    /// After a kill: as before, and ready.
    pub fn restart(&mut self) -> Result<()> {
        match self {
            Self::Ours(broker) => broker.start_again(),
            Self::Command(foreign) => {
                foreign.child = spawn(&foreign.command, foreign.folder.path())?;
                self.wait_until_ready()
            }
        }
    }

    /// After a kill: started, and killed as it starts.
    pub fn start_and_kill(&mut self, after: Duration) -> Result<()> {
        match self {
            Self::Ours(broker) => broker.start_and_kill(after),
            Self::Command(foreign) => {
                foreign.child = spawn(&foreign.command, foreign.folder.path())?;
                thread::sleep(after);
                foreign.kill()
            }
        }
    }

    /// All that it has written so far.
    pub fn log(&self) -> String {
        match self {
            Self::Ours(broker) => broker.log(),
            Self::Command(foreign) => {
                fs::read_to_string(log_file(foreign.folder.path())).unwrap_or_default()
            }
        }
    }

    /// Kills it and copies what is left of it, for whoever looks for the cause: its log and, if it is ours, its data.
    pub fn keep(&mut self, folder: &Path) -> Result<()> {
        self.kill().ok();
        fs::write(folder.join("broker.log"), self.log())?;
        match self {
            Self::Ours(broker) => copy(&broker.data_dir(), &folder.join("data")),
            // Where it keeps what it keeps is for whoever gave the command to know.
            Self::Command(_) => Ok(()),
        }
    }

    /// Ready is who answers CONNECT.
    fn wait_until_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + START_DEADLINE;
        let Self::Command(foreign) = self else {
            return Ok(());
        };
        loop {
            let connect = link::connect(Version::V3_1_1, "ledger-is-it-ready", true, 0);
            if let Some(stream) = Link::dial(foreign.address)
                && let Ok((link, _)) = Link::connect(stream, connect, 0)
            {
                link.disconnect();
                return Ok(());
            }
            let ended = foreign.child.try_wait()?;
            if ended.is_some() || Instant::now() > deadline {
                let command = foreign.command.clone();
                bail!("`{command}` does not serve; it said:\n{}", self.log());
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Foreign {
    fn kill(&mut self) -> Result<()> {
        self.child.kill().context("killing the broker")?;
        self.child.wait().context("waiting for the killed broker")?;
        Ok(())
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        self.kill().ok();
    }
}

fn spawn(command: &str, folder: &Path) -> Result<Child> {
    let log = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(log_file(folder))?;
    Command::new("sh")
        .args(["-c", &format!("exec {command}")])
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .with_context(|| format!("starting `{command}`"))
}

fn log_file(folder: &Path) -> PathBuf {
    folder.join("broker.log")
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if !from.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
