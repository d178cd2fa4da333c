//! Scripts in other languages that drive real clients: run to their end, or told line by line what to do next.
//!
//! A script ends with exit code 0 when all it checked held. A line on its standard output is an answer; the rest it has to
//! say goes to standard error.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// What a script may take for one answer. Each thing that it waits for has a time of its own (30 s in the browser), and the
/// script says which it was when that is over: this time and the next are for one that hangs.
const ANSWER_DEADLINE: Duration = Duration::from_secs(120);
/// What a script may take to its end: a busy machine needs minutes for what an idle one does in half of one.
const END_DEADLINE: Duration = Duration::from_secs(300);

/// A running script.
pub struct Script {
    child: Child,
    stdin: Option<ChildStdin>,
    answers: Receiver<String>,
}

impl Script {
    /// Starts a script; its standard error is shown with the test's output.
    pub fn start(mut command: Command) -> Result<Self> {
        let name = format!("{command:?}");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .with_context(|| format!("starting {name}"))?;
        let stdout = child.stdout.take().context("stdout is piped")?;
        let (sender, answers) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                sender.send(line).ok();
            }
        });
        Ok(Self {
            stdin: child.stdin.take(),
            child,
            answers,
        })
    }

    /// Waits for the next answer, which must be `expected`.
    pub fn expect(&self, expected: &str) -> Result<()> {
        match self.answers.recv_timeout(ANSWER_DEADLINE) {
            Ok(answer) if answer == expected => Ok(()),
            Ok(answer) => bail!("the script said `{answer}` instead of `{expected}`"),
            Err(_) => bail!("the script did not say `{expected}`"),
        }
    }

    /// Tells the script what to do and waits for its answer.
    pub fn ask(&mut self, order: &str) -> Result<String> {
        let stdin = self.stdin.as_mut().context("the script listens")?;
        writeln!(stdin, "{order}").context("telling the script")?;
        let answer = self.answers.recv_timeout(ANSWER_DEADLINE);
        answer.with_context(|| format!("no answer to `{order}`"))
    }

    /// Tells the script what to do and waits until it says `done`.
    pub fn tell(&mut self, order: &str) -> Result<()> {
        let stdin = self.stdin.as_mut().context("the script listens")?;
        writeln!(stdin, "{order}").context("telling the script")?;
        self.expect("done")
            .with_context(|| format!("order `{order}`"))
    }

    /// Closes the script's stdin and waits for its successful end.
    pub fn finish(mut self) -> Result<()> {
        self.stdin = None;
        let deadline = Instant::now() + END_DEADLINE;
        loop {
            if let Some(status) = self.child.try_wait()? {
                if !status.success() {
                    bail!("the script ended with {status}");
                }
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("the script still runs after {END_DEADLINE:?}");
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Runs a script to its successful end.
pub fn run(command: Command) -> Result<()> {
    let name = format!("{command:?}");
    Script::start(command)?.finish().context(name)
}
