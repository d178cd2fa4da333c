//! Runs the wire cases against a broker: `--tcp` and `--ws` say where it listens; without them ours is started.

use std::{
    collections::VecDeque,
    net::{SocketAddr, ToSocketAddrs},
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, Mutex},
    thread,
    time::Instant,
};

use anyhow::{Context, Result, bail};
use ebbtide_tests::{
    broker::Broker,
    cases::{self, Case, Target, Transport},
    tls::Certificates,
};

/// Cases mostly wait for a broker, and some for time to pass.
const THREADS: usize = 24;

const USAGE: &str = "usage: wire [--addr HOST:PORT] [--ws ws://HOST:PORT/PATH] [--cases FOLDER] [--filter TEXT] [--list]

Runs the cases of tests/wire. Without an address it starts Ebbtide; with one it talks to whatever broker listens there, in one
or both ways. `--filter` takes the cases whose place, title or clauses contain the text.";

struct Options {
    tcp: Option<SocketAddr>,
    websocket: Option<(SocketAddr, String)>,
    cases: PathBuf,
    filter: String,
    list: bool,
}

fn main() -> ExitCode {
    match options().and_then(|options| run(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn options() -> Result<Options> {
    let mut options = Options {
        tcp: None,
        websocket: None,
        cases: "tests/wire".into(),
        filter: String::new(),
        list: false,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .with_context(|| format!("{argument} needs a value"))
        };
        match argument.as_str() {
            "--addr" => options.tcp = Some(address(&value()?)?),
            "--ws" => {
                let url = value()?;
                let rest = url
                    .strip_prefix("ws://")
                    .context("it is ws://HOST:PORT/PATH")?;
                let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
                options.websocket = Some((address(host)?, format!("/{path}")));
            }
            "--cases" => options.cases = value()?.into(),
            "--filter" => options.filter = value()?,
            "--list" => options.list = true,
            "--help" | "-h" => {
                println!("{USAGE}");
                std::process::exit(0);
            }
            other => bail!("`{other}` is not known\n\n{USAGE}"),
        }
    }
    Ok(options)
}

fn address(text: &str) -> Result<SocketAddr> {
    let mut found = text
        .to_socket_addrs()
        .with_context(|| format!("`{text}`: HOST:PORT"))?;
    found
        .next()
        .with_context(|| format!("`{text}` has no address"))
}

fn run(options: &Options) -> Result<bool> {
    let mut cases = cases::parse_folder(&options.cases)?;
    cases.retain(|case| {
        let clauses = case.clauses.join(" ");
        [&case.place, &case.title, &clauses]
            .iter()
            .any(|text| text.contains(&options.filter))
    });
    if options.list {
        for case in &cases {
            println!("{}: {} ({})", case.place, case.title, case.version.name());
        }
        return Ok(true);
    }
    // Ours says why it closes a connection; the standard only recommends it.
    let is_ours = options.tcp.is_none() && options.websocket.is_none();
    let ours = is_ours.then(start).transpose()?;
    let target = match &ours {
        Some((broker, certificates)) => Target {
            tcp: Some(broker.mqtt()),
            tls: Some((broker.address("mqtts")?, Arc::clone(certificates))),
            websocket: Some((broker.http(), "/mqtt".to_owned())),
            says_why: true,
        },
        None => Target {
            tcp: options.tcp,
            tls: None,
            websocket: options.websocket.clone(),
            says_why: false,
        },
    };
    if ours.is_none() {
        let all = cases.len();
        cases.retain(|case| case.beyond.is_none());
        let left_out = all - cases.len();
        println!("{left_out} cases left out that ask for more than the standard does");
    }
    let started = Instant::now();
    let runs: VecDeque<(&Case, Transport)> = cases
        .iter()
        .flat_map(|case| transports(case, &target).map(move |transport| (case, transport)))
        .collect();
    let total = runs.len();
    let failures = play(runs, &target);
    for (case, transport, error) in &failures {
        let clauses: Vec<String> = case
            .clauses
            .iter()
            .map(|name| format!("[{name}]"))
            .collect();
        println!(
            "{}: {} {}\n    over {}, version {}: {error:#}\n",
            case.place,
            case.title,
            clauses.join(" "),
            transport.name(),
            case.version.name(),
        );
    }
    println!("{} cases, {:.1?}", cases.len(), started.elapsed());
    println!(
        "test result: {}. {} passed; {} failed; 0 ignored",
        if failures.is_empty() { "ok" } else { "FAILED" },
        total - failures.len(),
        failures.len(),
    );
    Ok(failures.is_empty())
}

/// Our broker, with every kind of listener.
fn start() -> Result<(Broker, Arc<Certificates>)> {
    let certificates = Arc::new(Certificates::make()?);
    let flags = certificates.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    Ok((Broker::start_with(&flags)?, certificates))
}

fn transports<'a>(case: &'a Case, target: &'a Target) -> impl Iterator<Item = Transport> + 'a {
    let has = |transport: &Transport| match transport {
        Transport::Tcp => target.tcp.is_some(),
        Transport::Tls => target.tls.is_some(),
        Transport::WebSocket => target.websocket.is_some(),
    };
    [Transport::Tcp, Transport::Tls, Transport::WebSocket]
        .into_iter()
        .filter(has)
        .filter(|transport| case.transport.is_none_or(|only| only == *transport))
}

fn play<'a>(
    runs: VecDeque<(&'a Case, Transport)>,
    target: &Target,
) -> Vec<(&'a Case, Transport, anyhow::Error)> {
    let (runs, failures) = (Mutex::new(runs), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let next = runs.lock().ok().and_then(|mut runs| runs.pop_front());
                    let Some((case, transport)) = next else {
                        return;
                    };
                    if let Err(error) = cases::run(case, transport, target)
                        && let Ok(mut failures) = failures.lock()
                    {
                        failures.push((case, transport, error));
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().unwrap_or_default();
    failures.sort_by(|a, b| a.0.place.cmp(&b.0.place));
    failures
}
