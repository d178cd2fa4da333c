//! A program that ends by itself, or is told to: what it was given, what it said, and its exit code.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::broker::without_variables;
use crate::tools;

/// Generous: a debug build on a loaded machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// The program `ebbtide` with these arguments, and none of the variables that are set here.
pub fn ebbtide(arguments: &[&str]) -> Command {
    let mut command = Command::new(tools::broker());
    without_variables(&mut command);
    command.args(arguments);
    command
}

/// What a program said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The exit code.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Said {
    /// What it wrote, if it ended with 0.
    pub fn well(self) -> Result<String> {
        ensure!(
            self.code == 0,
            "it ended with {}: {}",
            self.code,
            self.stderr
        );
        Ok(self.stdout)
    }
}

/// One that runs; it ends with this.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    stderr: Option<JoinHandle<String>>,
}

/// Runs it to its end.
pub fn run(command: Command, input: &str) -> Result<Said> {
    let mut running = Running::start(command)?;
    running.tell(input)?;
    running.end()
}

impl Running {
    /// Starts it.
    pub fn start(mut command: Command) -> Result<Self> {
        let name = format!("{command:?}");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {name}"))?;
        let stdout = child.stdout.take().context("stdout is piped")?;
        let mut stderr = child.stderr.take().context("stderr is piped")?;
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                sender.send(line).ok();
            }
        });
        let stderr = thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).ok();
            text
        });
        Ok(Self {
            child,
            lines,
            stderr: Some(stderr),
        })
    }

    /// Writes to its standard input and closes it.
    pub fn tell(&mut self, input: &str) -> Result<()> {
        let mut stdin = self.child.stdin.take().context("stdin is open")?;
        match stdin.write_all(input.as_bytes()) {
            // It did not want to know.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            written => Ok(written?),
        }
    }

    /// Its next line.
    pub fn line(&self) -> Result<String> {
        let line = self.lines.recv_timeout(DEADLINE);
        line.context("it says nothing more")
    }

    /// Its next line, if it comes so soon.
    pub fn line_within(&self, time: Duration) -> Option<String> {
        self.lines.recv_timeout(time).ok()
    }

    /// Its process number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGTERM.
    pub fn ask_to_end(&self) -> Result<()> {
        let id = self.child.id().to_string();
        let kill = Command::new("kill").args(["-TERM", &id]).status()?;
        ensure!(kill.success(), "SIGTERM could not be sent");
        Ok(())
    }

    /// SIGKILL; gives the lines that it had written and nobody has taken.
    pub fn kill(mut self) -> Result<Vec<String>> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(self.lines.iter().collect())
    }

    /// Waits for its end; the lines that were taken are not in what it said.
    pub fn end(mut self) -> Result<Said> {
        drop(self.child.stdin.take());
        let deadline = Instant::now() + DEADLINE;
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            if Instant::now() > deadline {
                bail!("it still runs");
            }
            thread::sleep(Duration::from_millis(5));
        };
        let stdout: Vec<String> = self.lines.iter().collect();
        let stderr = self.stderr.take().map(JoinHandle::join);
        Ok(Said {
            code: status.code().context("a signal has ended it")?,
            stdout: stdout.join("\n"),
            stderr: stderr.and_then(Result::ok).unwrap_or_default(),
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
