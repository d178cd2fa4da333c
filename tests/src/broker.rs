//! The broker program as a child process: started, killed without warning, started again on the same ports and data.

use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::{http, tools};

/// Generous: a debug build on a loaded machine.
const START_DEADLINE: Duration = Duration::from_secs(30);
const END_DEADLINE: Duration = Duration::from_secs(20);

/// A running broker with a data directory of its own.
pub struct Broker {
    child: Child,
    log: Arc<Mutex<String>>,
    arguments: Vec<String>,
    mqtt: SocketAddr,
    http: SocketAddr,
    data: Arc<TempDir>,
}

impl Broker {
    /// Starts a broker on free ports and waits until it is ready.
    pub fn start() -> Result<Self> {
        Self::start_with(&[])
    }

    /// The same with more flags.
    pub fn start_with(arguments: &[&str]) -> Result<Self> {
        let data = Arc::new(TempDir::new().context("a temporary data directory")?);
        let arguments = arguments.iter().map(|&word| word.to_owned()).collect();
        let any: SocketAddr = ([127, 0, 0, 1], 0).into();
        Self::launch(data, any, any, arguments)
    }

    fn launch(
        data: Arc<TempDir>,
        mqtt: SocketAddr,
        http: SocketAddr,
        arguments: Vec<String>,
    ) -> Result<Self> {
        let mut command = command();
        command.args([
            "serve",
            "--mqtt",
            &mqtt.to_string(),
            "--http",
            &http.to_string(),
            "--data-dir",
        ]);
        command.arg(data.path().join("data")).args(&arguments);
        let mut child = command.spawn().context("starting the broker")?;
        let log = Arc::new(Mutex::new(String::new()));
        let lines = read_lines(&mut child, &log);
        match read_addresses(&lines) {
            Ok((mqtt, http)) => {
                let broker = Self {
                    child,
                    log,
                    arguments,
                    mqtt,
                    http,
                    data,
                };
                broker.wait_until_ready()?;
                Ok(broker)
            }
            Err(error) => {
                child.kill().ok();
                child.wait().ok();
                let log = log.lock().map(|log| log.clone()).unwrap_or_default();
                Err(error.context(format!("the broker did not start; it said:\n{log}")))
            }
        }
    }

    /// The MQTT listener.
    pub fn mqtt(&self) -> SocketAddr {
        self.mqtt
    }

    /// The HTTP listener: dashboard, WebSocket, API.
    pub fn http(&self) -> SocketAddr {
        self.http
    }

    /// The data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.data.path().join("data")
    }

    /// All that the broker has written so far.
    pub fn log(&self) -> String {
        self.log.lock().map(|log| log.clone()).unwrap_or_default()
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL, then a start on the same ports and data.
    pub fn crash_and_restart(&mut self) -> Result<()> {
        self.child.kill().context("killing the broker")?;
        self.child.wait().context("waiting for the killed broker")?;
        let next = Self::launch(
            self.data.clone(),
            self.mqtt,
            self.http,
            self.arguments.clone(),
        )?;
        *self = next;
        Ok(())
    }

    /// SIGTERM, then a start on the same ports and data.
    pub fn restart(&mut self) -> Result<()> {
        self.ask_to_end()?;
        wait(&mut self.child, END_DEADLINE).context("after SIGTERM")?;
        let next = Self::launch(
            self.data.clone(),
            self.mqtt,
            self.http,
            self.arguments.clone(),
        )?;
        *self = next;
        Ok(())
    }

    fn ask_to_end(&self) -> Result<()> {
        let kill = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status()?;
        if !kill.success() {
            bail!("SIGTERM could not be sent");
        }
        Ok(())
    }

    /// SIGTERM, then waits for the end.
    pub fn terminate(mut self) -> Result<(ExitStatus, String)> {
        self.ask_to_end()?;
        let status = wait(&mut self.child, END_DEADLINE).context("after SIGTERM")?;
        Ok((status, self.log()))
    }

    fn wait_until_ready(&self) -> Result<()> {
        let deadline = Instant::now() + START_DEADLINE;
        loop {
            let ready =
                http::get(self.http, "/readyz").is_ok_and(|response| response.status == 200);
            if ready && TcpStream::connect(self.mqtt).is_ok() {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("the broker did not turn ready; it said:\n{}", self.log());
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        if thread::panicking() {
            eprintln!("--- the broker said:\n{}", self.log());
        }
    }
}

/// Runs the broker with arguments that should make it end by itself.
pub fn run_to_end(arguments: &[&str], folder: &Path) -> Result<Output> {
    let mut child = command()
        .args(arguments)
        .current_dir(folder)
        .spawn()
        .context("starting the broker")?;
    let mut stdout = child.stdout.take().context("stdout is piped")?;
    let mut stderr = child.stderr.take().context("stderr is piped")?;
    let read_stdout = thread::spawn(move || read_all(&mut stdout));
    let read_stderr = thread::spawn(move || read_all(&mut stderr));
    let status = wait(&mut child, END_DEADLINE).context("it should have refused to start");
    child.kill().ok();
    child.wait().ok();
    Ok(Output {
        status: status?,
        stdout: read_stdout.join().unwrap_or_default(),
        stderr: read_stderr.join().unwrap_or_default(),
    })
}

fn command() -> Command {
    let mut command = Command::new(tools::broker());
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("EBBTIDE_") && name != "EBBTIDE_WEB_DIR" {
            command.env_remove(&*name);
        }
    }
    command
}

fn wait(child: &mut Child, limit: Duration) -> Result<ExitStatus> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if Instant::now() > deadline {
            bail!("the broker still runs after {limit:?}");
        }
        thread::sleep(Duration::from_millis(10));
    }
}

fn read_all(source: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    source.read_to_end(&mut bytes).ok();
    bytes
}

/// Reads both streams to their end, so that the broker never blocks on a full pipe.
fn read_lines(child: &mut Child, log: &Arc<Mutex<String>>) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    let streams: [Option<Box<dyn Read + Send>>; 2] = [
        child.stdout.take().map(|s| Box::new(s) as _),
        child.stderr.take().map(|s| Box::new(s) as _),
    ];
    for stream in streams.into_iter().flatten() {
        let (sender, log) = (sender.clone(), Arc::clone(log));
        thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                if let Ok(mut log) = log.lock() {
                    log.push_str(&line);
                    log.push('\n');
                }
                sender.send(line).ok();
            }
        });
    }
    receiver
}

fn read_addresses(lines: &Receiver<String>) -> Result<(SocketAddr, SocketAddr)> {
    let deadline = Instant::now() + START_DEADLINE;
    let (mut mqtt, mut http) = (None, None);
    loop {
        if let (Some(mqtt), Some(http)) = (mqtt, http) {
            return Ok((mqtt, http));
        }
        let line = match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => line,
            Err(RecvTimeoutError::Disconnected) => bail!("it ended"),
            Err(RecvTimeoutError::Timeout) => bail!("it printed no addresses in time"),
        };
        mqtt = mqtt.or_else(|| address_after(&line, "mqtt://"));
        http = http.or_else(|| address_after(&line, "http://"));
    }
}

fn address_after(line: &str, scheme: &str) -> Option<SocketAddr> {
    let rest = &line[line.find(scheme)? + scheme.len()..];
    let end = rest
        .find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ':'))
        .unwrap_or(rest.len());
    rest[..end].parse().ok()
}
