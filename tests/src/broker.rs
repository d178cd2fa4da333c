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

use crate::{http, small_disk::SmallDisk, tools};

/// Generous: a debug build on a loaded machine.
const START_DEADLINE: Duration = Duration::from_secs(30);
const END_DEADLINE: Duration = Duration::from_secs(20);

/// A running broker with a data directory of its own.
pub struct Broker {
    child: Child,
    log: Arc<Mutex<String>>,
    setting: Setting,
    mqtt: SocketAddr,
    http: SocketAddr,
}

/// What a broker is started with, again after each kill.
#[derive(Clone)]
struct Setting {
    /// A program that runs the broker, with its arguments; or nothing.
    wrapper: Vec<String>,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    /// The data directory.
    data: PathBuf,
    /// Where that is, if it goes with the broker.
    _folder: Option<Arc<TempDir>>,
}

impl Setting {
    fn spawn(&self, mqtt: SocketAddr, http: SocketAddr) -> Result<Child> {
        let mut command = wrapped(&self.wrapper);
        command
            .args(["serve", "--mqtt", &mqtt.to_string()])
            .args(["--http", &http.to_string()])
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        if !self.arguments.iter().any(|word| word == "--ephemeral") {
            command.arg("--data-dir").arg(&self.data);
        }
        command.spawn().context("starting the broker")
    }
}

impl Broker {
    /// Starts a broker on free ports and waits until it is ready.
    pub fn start() -> Result<Self> {
        Self::start_with(&[])
    }

    /// The same with more flags.
    pub fn start_with(arguments: &[&str]) -> Result<Self> {
        Self::start_by(&[], arguments)
    }

    /// The same run by a program: its name and arguments, which the broker's follow.
    pub fn start_by(wrapper: &[&str], arguments: &[&str]) -> Result<Self> {
        let folder = Arc::new(TempDir::new().context("a temporary data directory")?);
        Self::start_in(Setting {
            wrapper: wrapper.iter().map(|&word| word.to_owned()).collect(),
            arguments: arguments.iter().map(|&word| word.to_owned()).collect(),
            environment: Vec::new(),
            data: folder.path().join("data"),
            _folder: Some(folder),
        })
    }

    /// The same with its data on a disk of its own, which has to outlive it.
    pub fn start_on(disk: &SmallDisk, arguments: &[&str]) -> Result<Self> {
        Self::start_in(Setting {
            wrapper: disk.enter(),
            arguments: arguments.iter().map(|&word| word.to_owned()).collect(),
            environment: Vec::new(),
            data: disk.path().join("data"),
            _folder: None,
        })
    }

    /// Starts one on data that is there: the folder `data` in this one.
    pub fn start_with_data(folder: TempDir) -> Result<Self> {
        Self::start_in(Setting {
            wrapper: Vec::new(),
            arguments: Vec::new(),
            environment: Vec::new(),
            data: folder.path().join("data"),
            _folder: Some(Arc::new(folder)),
        })
    }

    fn start_in(setting: Setting) -> Result<Self> {
        let any: SocketAddr = ([127, 0, 0, 1], 0).into();
        Self::launch(setting, any, any)
    }

    fn launch(setting: Setting, mqtt: SocketAddr, http: SocketAddr) -> Result<Self> {
        let mut child = setting.spawn(mqtt, http)?;
        let log = Arc::new(Mutex::new(String::new()));
        let lines = read_lines(&mut child, &log);
        match read_addresses(&lines) {
            Ok((mqtt, http)) => {
                let broker = Self {
                    child,
                    log,
                    setting,
                    mqtt,
                    http,
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

    /// Another address that the broker has printed, by its scheme: `mqtts` or `https`.
    pub fn address(&self, scheme: &str) -> Result<SocketAddr> {
        let log = self.log();
        // After a restart it may be another one.
        let mut lines = log.lines().rev();
        let found = lines.find_map(|line| address_after(line, &format!("{scheme}://")));
        found.with_context(|| format!("the broker named no {scheme} address:\n{log}"))
    }

    /// The data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.setting.data.clone()
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
        self.kill()?;
        self.start_again()
    }

    /// SIGKILL, and waits until the process is gone.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill().context("killing the broker")?;
        self.child.wait().context("waiting for the killed broker")?;
        Ok(())
    }

    /// After its end: starts on the same ports and data, and waits until it is ready.
    pub fn start_again(&mut self) -> Result<()> {
        let next = Self::launch(self.setting.clone(), self.mqtt, self.http)?;
        let earlier = self.log();
        *self = next;
        if let Ok(mut log) = self.log.lock() {
            log.insert_str(0, &earlier);
        }
        Ok(())
    }

    /// After its end: starts, and kills again after this time, wherever the start has got to.
    pub fn start_and_kill(&mut self, after: Duration) -> Result<()> {
        let mut child = self.setting.spawn(self.mqtt, self.http)?;
        read_lines(&mut child, &self.log);
        thread::sleep(after);
        child.kill().context("killing the broker as it starts")?;
        child.wait().context("waiting for the killed broker")?;
        Ok(())
    }

    /// Environment variables for the next starts.
    pub fn set_environment(&mut self, variables: &[(&str, &str)]) {
        self.setting.environment = variables
            .iter()
            .map(|&(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
    }

    /// SIGTERM, then a start on the same ports and data.
    pub fn restart(&mut self) -> Result<()> {
        self.ask_to_end()?;
        wait(&mut self.child, END_DEADLINE).context("after SIGTERM")?;
        self.start_again()
    }

    /// SIGTERM, then waits for the end; its data stays for as long as this does.
    pub fn end(&mut self) -> Result<ExitStatus> {
        self.ask_to_end()?;
        wait(&mut self.child, END_DEADLINE).context("after SIGTERM")
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
            // A disk that was full before is full.
            let ready = http::get(self.http, "/readyz").is_ok_and(|response| {
                response.status == 200 || response.body.contains("the disk is full")
            });
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
    run_to_end_by(&[], arguments, folder)
}

/// The same run by a program: its name and arguments, which the broker's follow.
pub fn run_to_end_by(wrapper: &[String], arguments: &[&str], folder: &Path) -> Result<Output> {
    let mut child = wrapped(wrapper)
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

/// The broker, run by another program if one is given.
fn wrapped(wrapper: &[String]) -> Command {
    let mut command = match wrapper.split_first() {
        None => Command::new(tools::broker()),
        Some((program, arguments)) => {
            let mut command = Command::new(program);
            command.args(arguments).arg(tools::broker());
            command
        }
    };
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    without_variables(&mut command);
    command
}

/// What is set where the tests run does not reach the program.
pub fn without_variables(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("EBBTIDE_") && name != "EBBTIDE_WEB_DIR" {
            command.env_remove(&*name);
        }
    }
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
