//! Everything on the HTTP address: dashboard, site and npm build from the binary, WebSocket, API and health.
//!
//! Every request passes `guard` first; every answer gets the headers of `headers`.

mod access;
mod api;
mod assets;
mod backup;
mod bodies;
mod commit;
mod compact;
mod config;
pub mod content;
mod events;
mod exchange;
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
mod stalled;
mod stats;
mod upgrade;

use std::{convert::Infallible, future::ready, ops::Deref, sync::Arc};

use axum::{
    BoxError, Router,
    body::{Body, HttpBody},
    http::{Method, Request, StatusCode},
    middleware::{from_fn, from_fn_with_state},
    response::Response,
    routing::get,
};
use bytes::Bytes;
use futures_util::future::Either;
use parking_lot::Mutex;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tower::ServiceExt;

pub use self::routes::paths;
use self::{
    access::rules::Turns,
    bodies::Bodies,
    config::InForce,
    exchange::{Arrival, exchange, has_come},
    guard::Guard,
    problem::Problem,
};
use crate::{
    config::Config,
    driver::Surroundings,
    events::Events,
    proxy::Proxies,
    stats::{CommitTimes, History},
    tcp::{self, Door, Peer, Permit},
    tls::{self, Tls},
};

/// Where MQTT over WebSocket is.
const WEB_SOCKET: &str = "/mqtt";

/// What the routes share: one pointer, for it is cloned for each layer that a request passes.
#[derive(Clone, Debug)]
struct App(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    surroundings: Surroundings,
    guard: Arc<Guard>,
    config: Arc<InForce>,
    /// Backups and compactions, one at a time: each keeps pages of the file from being reused.
    maintenance: Arc<Semaphore>,
    /// Files of rules are looked at one by one.
    rules: Turns,
    /// Room for what requests carry.
    bodies: Bodies,
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
    app: App,
    proxies: Proxies,
}

/// Serves on a listener until the door is closed; with `tls` every connection begins with a handshake.
pub async fn serve(listener: TcpListener, door: Door, service: Service, tls: Option<Tls>) {
    let closing = door.clone();
    let handle = move |mut stream: TcpStream, peer: Peer, mut permit: Permit| {
        let (service, mut door, tls) = (service.clone(), closing.clone(), tls.clone());
        tokio::spawn(async move {
            let peer = match service.proxies.greet(&mut stream, peer).await {
                Ok(peer) => peer,
                Err(error) => return service.proxies.refused(&peer, &error),
            };
            if !door.locate(&mut permit, peer.remote.ip()) {
                return;
            }
            let Some(tls) = tls else {
                if !has_come(&stream, &mut door).await {
                    return;
                }
                return exchange(stream, peer, None, permit, service, door).await;
            };
            // A task is as large as the largest of its ways.
            Box::pin(encrypted(stream, peer, permit, tls, service, door)).await;
        });
    };
    tcp::accept(listener, door, handle).await;
}

/// A connection that begins with a handshake of TLS.
async fn encrypted(
    stream: TcpStream,
    mut peer: Peer,
    permit: Permit,
    tls: Tls,
    service: Service,
    door: Door,
) {
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
}

impl Service {
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
        let app = App(Arc::new(Shared {
            surroundings,
            guard: Arc::new(Guard::new(config)),
            config: Arc::new(InForce::new(config)),
            maintenance: Arc::new(Semaphore::new(1)),
            rules: Turns::new(),
            bodies: Bodies::new(),
            door,
            history,
            commit_times,
            events,
            description: openapi::description().into(),
        }));
        Self {
            router: router(app.clone()),
            app,
            proxies,
        }
    }

    /// The answer to a request of `peer`. A WebSocket begins where there is an `arrival` to say so.
    ///
    /// The handshake of a WebSocket does not go through the router, for that costs more than all the rest of it. It is checked like any
    /// other request, by the same guard.
    pub fn answer<B>(
        &self,
        mut request: Request<B>,
        peer: Peer,
        arrival: Option<&Mutex<Arrival>>,
    ) -> impl Future<Output = Result<Response, Infallible>> + Unpin + use<B>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        if request.method() == Method::GET && request.uri().path() == WEB_SOCKET {
            let answer = upgrade::answer(&self.app, &request, peer, arrival);
            return Either::Left(ready(Ok(answer)));
        }
        request.extensions_mut().insert(peer);
        let answer = self.router.clone().oneshot(request.map(Body::new));
        Either::Right(Box::pin(answer))
    }

    /// From now on the hosts and origins of `now` are allowed, and it is what is shown, with what waits of `file`.
    pub fn set_config(&self, now: &Config, file: &Config) {
        self.app.guard.set(now);
        self.app.config.set(now, file);
    }
}

fn router(app: App) -> Router {
    Router::new()
        .route(WEB_SOCKET, get(upgrade::refuse))
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
