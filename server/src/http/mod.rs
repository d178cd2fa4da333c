//! Everything on the HTTP address: dashboard, site and npm build from the binary, WebSocket, API and health.
//!
//! Every request passes `guard` first; every answer gets the headers of `headers`.

mod access;
mod api;
mod assets;
mod backup;
mod commit;
mod compact;
mod config;
pub mod content;
mod events;
mod extract;
mod guard;
mod headers;
mod health;
mod metrics;
mod openapi;
mod problem;
mod publish;
mod retained;
mod routes;
mod sessions;
mod stats;
mod upgrade;

use std::{ops::Deref, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    middleware::{from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use ebbtide_broker::Limit;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tower::ServiceExt;

pub use self::routes::paths;
use self::{config::InForce, guard::Guard, problem::Problem};
use crate::{
    config::Config,
    connection::Surroundings,
    events::Events,
    proxy::{self, Proxies},
    stats::{CommitTimes, History},
    tcp::{self, Door, Peer, Permit},
    tls::{self, ClientCertificate, Tls},
};

/// Where MQTT over WebSocket is.
const WEB_SOCKET: &str = "/mqtt";
/// How long a client may take to send the head of a request.
const HEAD_DEADLINE: Duration = Duration::from_secs(10);
/// The largest head of a request, bytes.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// What the routes share: one pointer, for it is cloned for each layer that a request passes.
#[derive(Clone)]
struct App(Arc<Shared>);

struct Shared {
    surroundings: Surroundings,
    guard: Arc<Guard>,
    config: Arc<InForce>,
    /// Backups and compactions, one at a time: each keeps pages of the file from being reused.
    maintenance: Arc<Semaphore>,
    door: Door,
    history: History,
    commit_times: CommitTimes,
    events: Events,
    /// The API described, as JSON.
    description: Arc<str>,
}

impl Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl App {
    /// The right to make a backup or a compaction.
    fn begin_maintenance(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let permit = Arc::clone(&self.maintenance).try_acquire_owned();
        permit.map_err(|_| {
            Problem::new(
                StatusCode::CONFLICT,
                "A backup or a compaction is under way; try again when it is done.",
            )
        })
    }
}

/// All routes, for every listener.
#[derive(Clone, Debug)]
pub struct Service {
    router: Router,
    proxies: Proxies,
    guard: Arc<Guard>,
    config: Arc<InForce>,
}

/// Serves on a listener until the door is closed; with `tls` every connection begins with a handshake.
pub async fn serve(listener: TcpListener, door: Door, service: Service, tls: Option<Tls>) {
    let closing = door.clone();
    let handle = move |mut stream: TcpStream, peer: Peer, mut permit: Permit| {
        let (service, door, tls) = (service.clone(), closing.clone(), tls.clone());
        tokio::spawn(async move {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "the connection was gone before it began");
                return;
            }
            let mut peer = match service.proxies.greet(&mut stream, peer).await {
                Ok(peer) => peer,
                Err(error) => return proxy::refused(&peer, &error),
            };
            if !door.locate(&mut permit, peer.remote.ip()) {
                return;
            }
            let Some(tls) = tls else {
                return exchange(stream, peer, None, permit, service, door).await;
            };
            if permit.refusal().is_some() {
                // To tell it why would take a handshake.
                return;
            }
            peer.is_encrypted = true;
            match tls.accept(stream).await {
                Ok(stream) => {
                    let certificate = tls::certificate(&stream);
                    exchange(stream, peer, certificate, permit, service, door).await;
                }
                Err(error) => tls.refused(&peer, &error),
            }
        });
    };
    tcp::accept(listener, door, handle).await;
}

impl Service {
    /// What answers requests.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// What they share is made once.
    pub fn new(
        door: Door,
        config: &Config,
        surroundings: Surroundings,
        history: History,
        commit_times: CommitTimes,
        events: Events,
        proxies: Proxies,
    ) -> Self {
        let guard = Arc::new(Guard::new(config));
        let config = Arc::new(InForce::new(config));
        let router = router(App(Arc::new(Shared {
            surroundings,
            guard: Arc::clone(&guard),
            config: Arc::clone(&config),
            maintenance: Arc::new(Semaphore::new(1)),
            door,
            history,
            commit_times,
            events,
            description: openapi::description().into(),
        })));
        Self {
            router,
            proxies,
            guard,
            config,
        }
    }

    /// From now on the hosts and origins of `current` are allowed, and it is what is shown, with what holds of `started` still.
    pub fn set_config(&self, started: &Config, current: &Config) {
        self.guard.set(current);
        self.config.set(started, current);
    }
}

fn router(app: App) -> Router {
    Router::new()
        .route(WEB_SOCKET, get(upgrade::upgrade))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .merge(guarded(&app))
        .fallback(assets::serve)
        .layer(from_fn_with_state(app.clone(), guard::check))
        .layer(from_fn(headers::add))
        .with_state(app)
}

/// What needs a key or a token where clients are asked who they are.
fn guarded(app: &App) -> Router<App> {
    routes::api()
        .route("/metrics", get(metrics::show))
        .route_layer(from_fn_with_state(app.clone(), access::check))
}

/// The answer to whoever is one too many.
fn too_many(limit: Limit) -> Response {
    let status = match limit {
        Limit::ConnectionsMax => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::TOO_MANY_REQUESTS,
    };
    let detail = format!("Too many connections: {} is reached.", limit.name());
    let mut response = Problem::new(status, detail).into_response();
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
    response
}

/// Request after request on one connection.
async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Peer,
    certificate: Option<Arc<ClientCertificate>>,
    permit: Permit,
    service: Service,
    mut door: Door,
) {
    // It goes with the connection into an upgrade: a WebSocket counts like any other.
    let permit = Arc::new(permit);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        let client = service.proxies.forwarded(request.headers(), peer);
        request.extensions_mut().insert(client);
        request.extensions_mut().insert(Arc::clone(&permit));
        if let Some(certificate) = &certificate {
            request.extensions_mut().insert(Arc::clone(certificate));
        }
        let router = service.router();
        // MQTT over WebSocket tells it in its own words.
        let refusal = permit
            .refusal()
            .filter(|_| request.uri().path() != WEB_SOCKET);
        async move {
            match refusal {
                Some(limit) => Ok(too_many(limit)),
                None => router.oneshot(request.map(Body::new) as Request).await,
            }
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_DEADLINE)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = door.closed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(address = %peer.remote, %error, "HTTP connection failed");
    }
}
