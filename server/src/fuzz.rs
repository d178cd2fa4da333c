//! What the fuzz targets in `tests/fuzz` reach: everything that comes from outside and is not MQTT. Each function panics at what must not be;
//! what is merely wrong is refused.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
};

use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, HeaderValue, Request, StatusCode, header},
};
use clap::CommandFactory;
use ebbtide_api::SimulateRequest;
use ebbtide_broker::{Action, Decision, Rights, Rules, Subject};
use ebbtide_protocol::{TopicFilter, TopicName};
use ebbtide_store::access::{Effect, RuleRow};
use tokio::runtime::{Builder, Runtime};

use crate::{
    auth::{Authenticator, Directory, rows},
    cli::Cli,
    clock::Clock,
    config::{self, Config, Options},
    driver::Surroundings,
    events::Events,
    http::{self, Service},
    logging::Throttle,
    proxy::{Proxies, forwarded, header as proxy_header},
    stats::History,
    storage::Storage,
    tcp::{Door, Peer},
    turns,
};

/// The largest answer that is looked at, bytes.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

fn runtime() -> Runtime {
    let built = Builder::new_current_thread()
        .enable_all()
        .on_thread_park(turns::pass_on)
        .build();
    built.expect("a runtime can be made")
}

/// A configuration file: refused with a line, or what it means can be written down and means the same again.
pub fn configuration(text: &str) {
    let command = Cli::command();
    let parse = |text: &str| config::parse(text, Path::new("ebbtide.toml"), &command);
    let Ok(options) = parse(text) else { return };
    // Those that stand in the file only, and files that keys are in.
    let is_whole = options.users.is_empty() && options.rules.is_empty() && options.jwt.is_empty();
    if !is_whole {
        return;
    }
    let Ok(config) = Config::resolve(options) else {
        return;
    };
    let written = config.to_string();
    let again = parse(&written).map(Config::resolve);
    let again = again.expect("what it wrote itself").expect("the same");
    assert_eq!(again.to_string(), written);
}

/// Rules, somebody and a topic, as the route that simulates takes them. The first rule that decides alone is the one that decides.
pub fn rules(json: &[u8]) {
    let Ok(asked) = serde_json::from_slice::<SimulateRequest>(json) else {
        return;
    };
    let all: Vec<RuleRow> = asked
        .rules
        .unwrap_or_default()
        .into_iter()
        .map(rows::rule_row)
        .collect();
    let Ok(rules) = Rules::new(all.clone()).map(Arc::new) else {
        return;
    };
    for row in &all {
        assert_eq!(rows::rule_row(rows::rule(row)), *row, "there and back");
    }
    let subject = Subject {
        user: asked.user.map(Into::into),
        client_id: asked.client_id.into(),
        claims: asked
            .claims
            .as_ref()
            .map_or_else(Vec::new, rows::claims_row),
    };
    let decide = |rules: Arc<Rules>, ask: &dyn Fn(&Rights) -> Decision| {
        ask(&Rights::new(subject.clone(), rules))
    };
    let check = |ask: &dyn Fn(&Rights) -> Decision| {
        let decision = decide(Arc::clone(&rules), ask);
        let alone = all.iter().enumerate().find_map(|(at, row)| {
            let only = Rules::new(vec![row.clone()]).expect("it was valid among others");
            let decision = decide(Arc::new(only), ask);
            decision.rule.map(|_| (at + 1, decision.is_allowed))
        });
        let expected = alone.map_or((None, false), |(rule, is_allowed)| (Some(rule), is_allowed));
        assert_eq!((decision.rule, decision.is_allowed), expected);
        decision
    };
    if let Ok(topic) = TopicName::new(asked.topic.clone()) {
        for action in [Action::Publish, Action::Subscribe, Action::Retain] {
            check(&|rights| rights.decide(action, &topic));
        }
    }
    let Ok(filter) = TopicFilter::new(asked.topic) else {
        return;
    };
    let covered = check(&|rights| rights.decide_filter(&filter));
    // Who may subscribe to all of it may be sent each topic of it, if nothing before denies that one.
    if let Ok(topic) = TopicName::new(filter.pattern().replace(['+', '#'], "x"))
        && covered.is_allowed
        && filter.matches(&topic)
        && all.iter().all(|row| row.effect == Effect::Allow)
    {
        let sent = decide(Arc::clone(&rules), &|rights| {
            rights.decide(Action::Subscribe, &topic)
        });
        assert!(sent.is_allowed, "{filter:?} {topic:?}");
    }
}

/// Bytes that a proxy sends: refused, or exactly the header is read, whatever follows it.
pub fn proxy(bytes: &[u8]) {
    let runtime = runtime();
    let read = |bytes: &[u8]| {
        let mut left = bytes;
        let client = runtime.block_on(proxy_header::read(&mut left));
        (client.ok(), bytes.len() - left.len())
    };
    let (client, length) = read(bytes);
    assert!(length <= 16 + 4096, "{length}");
    if let Some(client) = client {
        let header = &bytes[..length];
        assert_eq!(read(header), (Some(client), length), "without the rest");
        let more = [header, b"\x10\r\n more"].concat();
        assert_eq!(read(&more), (Some(client), length), "with another");
        let (cut, _) = read(&header[..length - 1]);
        assert_eq!(cut, None, "one byte is missing");
    }
}

/// `X-Forwarded-For` of several lines: whoever is found is named there, and what a client writes in front changes nothing.
pub fn forwarded(lines: &[&[u8]]) {
    let values = lines
        .iter()
        .filter_map(|line| HeaderValue::from_bytes(line).ok());
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append("x-forwarded-for", value);
    }
    let is_trusted = |address: IpAddr| address.is_loopback();
    let found = forwarded::client(&headers, is_trusted);
    let _ = forwarded::is_encrypted(&headers);
    let Some(found) = found.filter(|address| !is_trusted(*address)) else {
        return;
    };
    let mut forged = HeaderMap::new();
    forged.append("x-forwarded-for", HeaderValue::from_static("203.0.113.66"));
    for value in headers.get_all("x-forwarded-for") {
        forged.append("x-forwarded-for", value.clone());
    }
    assert_eq!(forwarded::client(&forged, is_trusted), Some(found));
}

/// All routes of the HTTP API: path, and methods.
#[must_use]
pub fn routes() -> Vec<(&'static str, &'static str)> {
    http::paths().collect()
}

/// A broker in memory that answers over HTTP, without a socket.
pub struct Api {
    runtime: Runtime,
    service: Service,
    _storage: Storage,
    _open: tokio::sync::watch::Sender<bool>,
}

impl Api {
    /// Nobody is asked who they are.
    #[must_use]
    pub fn start() -> Self {
        let runtime = runtime();
        let guard = runtime.enter();
        let options = Options {
            ephemeral: Some(true),
            ..Options::default()
        };
        let config = Config::resolve(options).expect("a valid configuration");
        let (clock, events, directory) = (Clock::start(), Events::default(), Directory::default());
        let storage = Storage::start(&config, clock, &events, &directory).expect("in memory");
        let authenticator = Authenticator::new(&config.auth, directory, clock);
        let surroundings = Surroundings {
            broker: storage.current().clone(),
            clock,
            authenticator: authenticator.expect("nobody is asked"),
            durability: config.http_durability.into(),
            violations: Arc::new(Throttle::new()),
        };
        let proxies = Proxies::new(&config);
        let (door, open) = Door::new(storage.current().clone(), clock, proxies.clone());
        let service = Service::new(
            door,
            &config,
            surroundings,
            History::default(),
            storage.commit_times().clone(),
            events,
            proxies,
        );
        drop(guard);
        Self {
            runtime,
            service,
            _storage: storage,
            _open: open,
        }
    }

    /// A request; nothing if it is none. No answer is a fault of the broker's, and what is refused comes with a reason.
    pub fn request(&self, method: &str, target: &str, body: &[u8]) -> Option<u16> {
        let request = Request::builder()
            .method(method)
            .uri(target)
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_vec()));
        let request = request.ok()?;
        let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let peer = Peer {
            remote: local,
            local,
            is_encrypted: false,
        };
        self.runtime.block_on(async {
            let Ok(answer) = self.service.answer(request, peer, None).await;
            let status = answer.status();
            let is_fault = status.is_server_error() && status != StatusCode::SERVICE_UNAVAILABLE;
            assert!(!is_fault, "{method} {target}: {status}");
            let kind = answer.headers().get(header::CONTENT_TYPE).cloned();
            if kind
                .as_ref()
                .is_some_and(|kind| kind == "text/event-stream")
            {
                return Some(status.as_u16());
            }
            let body = to_bytes(answer.into_body(), ANSWER_BYTES_MAX).await;
            let body = body.expect("it comes whole");
            if status.is_client_error() && method != "HEAD" {
                assert_eq!(
                    kind.as_ref().map(HeaderValue::as_bytes),
                    Some(&b"application/problem+json"[..])
                );
                let problem: ebbtide_api::ProblemDetails =
                    serde_json::from_slice(&body).expect("a problem");
                assert!(!problem.detail.is_empty(), "{method} {target}");
            }
            Some(status.as_u16())
        })
    }
}
