//! `docs/secured-app.md`, typed: every command of the page in shells of its own, in an empty folder, and every output that it
//! shows; the page of the app in a real browser, over wss.
//!
//! Only ports differ: those of the page may be taken. What stands in ```` ```text ```` has to come in this order, other lines may stand between.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use ebbtide_tests::broker::without_variables;
use ebbtide_tests::script::Script;
use ebbtide_tests::tools::{self, Tool};
use tempfile::TempDir;

/// For one block.
const DEADLINE: Duration = Duration::from_secs(60);
const PORTS: [&str; 5] = ["1883", "8080", "8883", "8443", "8000"];

/// What the page has, in its order.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// To be typed in the first terminal, and what it has to show.
    Type(String, Vec<String>),
    /// To be typed in a terminal of its own, where it goes on.
    Start(String),
    /// The reader looks at the browser.
    Look,
}

fn steps(page: &str) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    let mut lines = page.lines();
    let mut elsewhere = false;
    while let Some(line) = lines.next() {
        match line {
            "<!-- second terminal -->" | "<!-- third terminal -->" => elsewhere = true,
            "<!-- browser -->" => steps.push(Step::Look),
            "```sh" | "```text" => {
                let block: Vec<&str> = lines.by_ref().take_while(|&line| line != "```").collect();
                if line == "```sh" {
                    steps.push(match std::mem::take(&mut elsewhere) {
                        true => Step::Start(block.join("\n")),
                        false => Step::Type(block.join("\n"), Vec::new()),
                    });
                } else {
                    let Some(Step::Type(_, shown)) = steps.last_mut() else {
                        bail!("an output without a command: {block:?}");
                    };
                    shown.extend(block.into_iter().map(str::to_owned));
                }
            }
            _ => ensure!(!line.starts_with("```") || line == "```", "{line}"),
        }
    }
    Ok(steps)
}

/// A shell, with all that it says in one stream.
struct Terminal {
    shell: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
    said: Vec<String>,
    /// What is typed goes through files here, so that no command eats the next one.
    typed: PathBuf,
    count: usize,
}

impl Terminal {
    fn open(folder: &Path, typed: &Path) -> Result<Self> {
        let broker = tools::broker();
        let programs = broker.parent().context("the program is in a folder")?;
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("bash");
        without_variables(&mut command);
        let mut shell = command
            .args(["--noprofile", "--norc"])
            .env("PATH", format!("{}:{path}", programs.display()))
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .context("starting bash")?;
        let stdout = shell.stdout.take().context("stdout is piped")?;
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                sender.send(line).ok();
            }
        });
        let mut stdin = shell.stdin.take().context("stdin is piped")?;
        writeln!(stdin, "exec 2>&1")?;
        Ok(Self {
            shell,
            stdin,
            lines,
            said: Vec::new(),
            typed: typed.to_owned(),
            count: 0,
        })
    }

    fn start(&mut self, block: &str) -> Result<()> {
        self.count += 1;
        let name = format!("{}-{}", self.shell.id(), self.count);
        let file = self.typed.join(name);
        fs::write(&file, block)?;
        writeln!(
            self.stdin,
            ". {} </dev/null; printf '\\nended %s\\n' $?",
            file.display()
        )?;
        Ok(())
    }

    /// Waits until a line has this in it; gives all since the last time.
    fn until(&mut self, part: &str) -> Result<Vec<String>> {
        let deadline = Instant::now() + DEADLINE;
        let mut since = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                bail!("no `{part}` in:\n{}", since.join("\n"));
            };
            let is_it = line.contains(part);
            self.said.push(line.clone());
            since.push(line);
            if is_it {
                return Ok(since);
            }
        }
    }

    fn interrupt(&mut self) -> Result<()> {
        // Ctrl-C reaches what runs in the terminal.
        self.signal("-INT")
    }

    fn signal(&self, signal: &str) -> Result<()> {
        let group = format!("-{}", self.shell.id());
        Command::new("kill").args([signal, "--", &group]).status()?;
        Ok(())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.signal("-KILL").ok();
        self.shell.wait().ok();
    }
}

fn free_port() -> Result<String> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    Ok(port.to_string())
}

/// What Chromium calls a public key.
fn key_of(certificate: &Path) -> Result<String> {
    let line = "openssl x509 -in \"$1\" -pubkey -noout | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | openssl enc -base64";
    let mut command = Command::new("bash");
    command.args(["-c", line, "bash"]).arg(certificate);
    let output = command.output()?;
    ensure!(output.status.success(), "openssl: {output:?}");
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

#[test]
fn every_command_of_the_page_does_what_the_page_says() -> Result<()> {
    if !tools::present(&[Tool::Node, Tool::Chromium]) {
        return Ok(());
    }
    let page = tools::folder("../docs/secured-app.md");
    let mut page = fs::read_to_string(page)?;
    let mut base = String::new();
    for port in PORTS {
        ensure!(page.contains(port), "{port} is not in the page any more");
        let free = free_port()?;
        page = page.replace(port, &free);
        base = format!("http://127.0.0.1:{free}");
    }
    let folder = TempDir::new()?;
    let typed = TempDir::new()?;
    let app = folder.path().join("shop");
    let mut first = Terminal::open(folder.path(), typed.path())?;
    let mut others: Vec<(Terminal, String)> = Vec::new();
    for step in steps(&page)? {
        match step {
            Step::Type(block, shown) => {
                first.start(&block)?;
                let said = first.until("ended ").with_context(|| block.clone())?;
                let mut lines = said.iter();
                for part in &shown {
                    ensure!(
                        lines.any(|line| line.contains(part.as_str())),
                        "not shown, or not in this order: {part}\nby:\n{block}\nbut:\n{}",
                        said.join("\n")
                    );
                }
                // `echo` says what a command that is to fail has ended with.
                ensure!(
                    said.last().is_some_and(|line| line == "ended 0"),
                    "{block}\n{said:?}"
                );
                let failed = said.iter().filter(|line| line.starts_with("error: "));
                let expected = shown.iter().filter(|part| part.starts_with("error: "));
                ensure!(
                    failed.count() == expected.count(),
                    "{block}\n{}",
                    said.join("\n")
                );
            }
            Step::Start(block) => {
                let mut terminal = Terminal::open(&app, typed.path())?;
                terminal.start(&block)?;
                let is_broker = block.starts_with("ebbtide");
                terminal.until(if is_broker { "ready" } else { &base })?;
                others.push((terminal, block));
            }
            Step::Look => {
                let (broker, command) = others.first_mut().context("the broker runs")?;
                look(&base, &app, broker, command)?;
            }
        }
    }
    // Nothing secret was logged by either server.
    for (mut terminal, _) in others {
        terminal.interrupt()?;
        // Node and its shell end by the signal, and say nothing.
        terminal.until("ended ").ok();
        let log = terminal.said.join("\n");
        for name in [
            "ops-password",
            "ops-hash",
            "bob-password",
            "ada.jwt",
            "expired.jwt",
        ] {
            let secret = fs::read_to_string(app.join(name))?;
            for part in secret.trim().split('.') {
                ensure!(
                    part.len() > 16 && !log.contains(part),
                    "{name} is in the log:\n{log}"
                );
            }
        }
    }
    Ok(())
}

fn look(base: &str, app: &Path, broker: &mut Terminal, command: &str) -> Result<()> {
    let mut browser = tools::node("browser/secured_app.mjs");
    browser
        .arg(base)
        .arg(key_of(&app.join("ebbtide-certificates/certificate.pem"))?);
    let mut browser = Script::start(browser)?;
    browser.tell("write")?;
    browser.tell("untrusting")?;
    broker.interrupt()?;
    broker.until("ended 0")?;
    broker.start(command)?;
    broker.until("ready")?;
    browser.tell("again")?;
    browser.finish()
}

#[test]
fn the_page_is_read_as_it_is_meant() -> Result<()> {
    let page = "# a\n```sh\nx\ny\n```\n\n```text\nshown\n```\n<!-- second terminal -->\n```sh\nz\n```\n<!-- browser -->\n";
    let expected = [
        Step::Type("x\ny".to_owned(), vec!["shown".to_owned()]),
        Step::Start("z".to_owned()),
        Step::Look,
    ];
    ensure!(steps(page)? == expected);
    ensure!(steps("```text\nshown\n```\n").is_err());
    Ok(())
}
