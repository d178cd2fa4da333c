//! `ebbtide serve`: binds the ports, opens the store, takes connections, says where, and stops in good order.

mod descriptors;
mod listeners;
mod reload;
mod stop;

use std::{io, sync::Arc, time::Duration};

pub use self::{listeners::Addresses, reload::Reread};

use tokio::{sync::watch, time::timeout};

use self::{
    listeners::Listeners,
    reload::Running,
    stop::{ReloadSignal, StopSignal},
};
use crate::{
    announce,
    auth::{Authenticator, Directory, SetUpError},
    clock::Clock,
    config::{Config, ListenAddress},
    driver::Surroundings,
    drops,
    events::Events,
    exit, http,
    logging::{Filter, Throttle},
    looks, memory,
    proxy::Proxies,
    stats::{self, History},
    storage::{CurrentBroker, Storage, StorageError},
    sys,
    tcp::Door,
    tls::TlsError,
    turns,
    wake::Signal,
};

/// How long connections have to go when the broker stops.
const DRAIN: Duration = Duration::from_secs(5);
/// More threads than this only wait for each other: the writer has its own.
const WORKERS_MAX: usize = 8;

/// Why the broker does not run, or has not ended well.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The async runtime could not be started.
    #[error("cannot start: {0}")]
    Runtime(io::Error),
    /// A listener could not be opened.
    #[error("cannot listen on {address} ({source}); {}", remedy(.option, .source))]
    Listen {
        /// The option that names the address.
        option: &'static str,
        /// The address.
        address: ListenAddress,
        /// Why.
        source: io::Error,
    },
    /// There is no TLS with what was given.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Nobody could say who they are.
    #[error(transparent)]
    Auth(#[from] SetUpError),
    /// The data could not be used.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Not everything could be written at the end.
    #[error("not everything that waited could be written; {}", unwritten(*is_relaxed))]
    Unfinished {
        /// A listener acknowledges what is not on disk yet.
        is_relaxed: bool,
    },
}

fn unwritten(is_relaxed: bool) -> &'static str {
    if is_relaxed {
        "what a relaxed listener has acknowledged may be part of it"
    } else {
        "nothing of that was acknowledged"
    }
}

fn remedy(option: &str, source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::AddrInUse => format!(
            "another program uses this port: stop it, or choose another port, for example {option} 127.0.0.1:0 for a \
             free one"
        ),
        io::ErrorKind::PermissionDenied => {
            format!("ports below 1024 need privileges: choose another with {option}")
        }
        _ => format!("choose another address with {option}"),
    }
}

/// Runs until a signal. `reread` gives the configuration anew, `filter` is that of the log.
pub fn run(config: Config, reread: Reread, filter: Filter) -> Result<(), ServeError> {
    let workers = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(WORKERS_MAX);
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = looks::bound(runtime.worker_threads(workers))
        .on_thread_park(turns::pass_on)
        .enable_all()
        .build()
        .map_err(ServeError::Runtime)?;
    runtime.block_on(serve(config, reread, filter))
}

async fn serve(config: Config, reread: Reread, filter: Filter) -> Result<(), ServeError> {
    // From here on a signal stops the broker in good order, however early it comes.
    let mut stop = StopSignal::catch().map_err(ServeError::Runtime)?;
    let mut reload = ReloadSignal::catch().map_err(ServeError::Runtime)?;
    descriptors::provide(config.limits.connections_max);
    // Ports first: a broker that could not be reached must not touch the data.
    let listeners = Listeners::open(&config)?;
    let clock = Clock::start();
    let events = Events::default();
    let directory = Directory::default();
    let storage = Storage::start(&config, clock, &events, &directory)?;
    let authenticator = Authenticator::new(&config.auth, directory, clock)?;
    warn_of_relaxed(&config);
    let mqtt = Surroundings {
        broker: storage.current().clone(),
        clock,
        authenticator: authenticator.clone(),
        durability: config.mqtt_durability.into(),
        violations: Arc::new(Throttle::new()),
    };
    let web = Surroundings {
        durability: config.http_durability.into(),
        ..mqtt.clone()
    };
    let proxies = Proxies::new(&config);
    let (door, close) = Door::new(storage.current().clone(), clock, proxies.clone());
    let history = History::default();
    spawn_watchers(&config, &storage, &events, &history, clock);
    announce::started(&config, &listeners.addresses());
    let web = http::Service::new(
        door.clone(),
        &config,
        web,
        history,
        storage.commit_times().clone(),
        events,
        proxies.clone(),
    );
    let mut running = Running {
        reread,
        filter,
        tls: listeners.tls(),
        proxies: proxies.clone(),
        web: web.clone(),
        authenticator,
        broker: storage.current().clone(),
        holds: config.clone(),
        file: config,
    };
    listeners.accept(&door, &mqtt, &web, &proxies);
    announce::ready();

    until_stopped(&mut stop, &mut reload, &mut running).await;
    tracing::info!("stopping: no new connections, those that are there are told to go");
    tokio::spawn(exit_at_once(stop));
    dismiss(&door, &close, &running).await;
    let is_finished = tokio::task::spawn_blocking(move || storage.finish())
        .await
        .unwrap_or(false);
    tracing::info!("stopped");
    if is_finished {
        Ok(())
    } else {
        let is_relaxed = running.holds.relaxed().next().is_some();
        Err(ServeError::Unfinished { is_relaxed })
    }
}

fn warn_of_relaxed(config: &Config) {
    for listener in config.relaxed() {
        tracing::warn!(
            "{listener}_durability is relaxed: a crash loses what was acknowledged in the last {:?} or more",
            config.relaxed_commit
        );
    }
}

/// What runs beside the connections for as long as the program does.
fn spawn_watchers(
    config: &Config,
    storage: &Storage,
    events: &Events,
    history: &History,
    clock: Clock,
) {
    let current = || storage.current().clone();
    tokio::spawn(memory::watch(current()));
    tokio::spawn(keep_time(current(), clock));
    tokio::spawn(drops::watch(current(), events.clone(), clock));
    let times = storage.commit_times().clone();
    tokio::spawn(stats::watch(current(), times, history.clone(), clock));
    if let Some(interval) = config.sys_interval {
        tokio::spawn(sys::publish(current(), clock, interval));
    }
}

/// Reads the configuration again whenever it is told to, until the broker is to stop.
async fn until_stopped(stop: &mut StopSignal, reload: &mut ReloadSignal, running: &mut Running) {
    loop {
        tokio::select! {
            () = stop.received() => return,
            () = reload.received() => {
                if reload.is_end_of_terminal() {
                    return;
                }
                running.reload().await;
            }
        }
    }
}

/// Whoever asks a second time does not want to wait for the good order.
async fn exit_at_once(mut stop: StopSignal) {
    stop.received().await;
    std::process::exit(exit::INTERRUPTED);
}

/// Takes nobody in any more, tells those who are there to go, and waits for them, but not for long.
async fn dismiss(door: &Door, close: &watch::Sender<bool>, running: &Running) {
    let _ = close.send(true);
    let elsewhere = running.holds.server_reference.clone();
    running.broker.get().0.shut_down(elsewhere);
    if timeout(DRAIN, door.empty()).await.is_err() {
        tracing::warn!("some connections did not go in time");
    }
}

/// Calls the broker when a will is due or something expires.
async fn keep_time(current: CurrentBroker, clock: Clock) {
    loop {
        let (broker, _) = current.get();
        let moved = Signal::new();
        broker.set_timer_waker(Arc::clone(&moved).into());
        let is_replaced = loop {
            broker.handle_timeout(clock.now());
            // What is left of this turn's work has to wait for others.
            tokio::task::yield_now().await;
            let due = async {
                match broker.poll_timeout() {
                    Some(deadline) => tokio::time::sleep_until(clock.instant(deadline)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = moved.wait() => {}
                () = due => {}
                () = current.replaced() => break true,
            }
        };
        debug_assert!(is_replaced, "only a successor ends the inner loop");
    }
}
