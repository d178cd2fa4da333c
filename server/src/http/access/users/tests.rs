//! What becomes of a removal when whoever asks for it goes away, when connections do not answer, when clients come back, and when
//! the user does.

use std::{sync::Arc, task::Waker};

use bytes::BytesMut;
use ebbtide_broker::{
    Answer, Authentication, Connection, Identity, Origin, Pending, Question, Transport,
};
use ebbtide_protocol::{Packet, Version, codec::encode, packet::Connect};
use tokio::time::Instant;

use super::*;
use crate::{
    config::{Config, Method, Options},
    driver::Surroundings,
    events::Events,
    http::Service,
    logging::Throttle,
    proxy::Proxies,
    stats::History,
    storage::Storage,
    tcp::Door,
};

/// Far from what anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// A broker that asks for passwords, with a user `ann`.
fn app() -> (Storage, App) {
    app_with(&[])
}

/// It asks for these as well.
fn app_with(others: &[Method]) -> (Storage, App) {
    let options = Options {
        ephemeral: Some(true),
        auth: vec![Method::Password],
        ..Options::default()
    };
    let mut config = Config::resolve(options).expect("a valid configuration");
    config.auth.methods.extend(others);
    let (clock, directory) = (Clock::start(), Directory::default());
    let (events, proxies) = (Events::default(), Proxies::new(&config));
    let storage = Storage::start(&config, clock, &events, &directory).expect("in memory");
    let authenticator = Authenticator::new(&config.auth, directory, clock).expect("it is valid");
    let surroundings = Surroundings {
        broker: storage.current().clone(),
        clock,
        authenticator,
        durability: config.http_durability.into(),
        violations: Arc::new(Throttle::new()),
    };
    let (door, _) = Door::new(storage.current().clone(), clock, proxies.clone());
    let times = storage.commit_times().clone();
    let history = History::default();
    let service = Service::new(door, &config, surroundings, history, times, events, proxies);
    let app = service.app;
    make_ann(&app);
    (storage, app)
}

fn make_ann(app: &App) {
    let row = UserRow {
        name: "ann".into(),
        password: Secret(Vec::new()),
        scopes: Default::default(),
        claims: Vec::new(),
        changed_at: app.surroundings.clock.now().wall,
    };
    let directory = app.surroundings.authenticator.directory();
    let put = directory.put_user(&broker(app), |_| Ok::<_, ()>(row));
    put.expect("there is room");
}

fn broker(app: &App) -> Broker {
    app.surroundings.broker.get().0
}

/// A client of this user that is in. Its connection does nothing by itself.
fn client(app: &App, user: &str, client_id: &str) -> Connection {
    let now = app.surroundings.clock.now();
    let origin = Origin {
        address: "a test".to_owned(),
        transport: Transport::Tcp,
    };
    let waker = Waker::noop().clone();
    let mut connection = broker(app).connect(origin, waker, now);
    let connect = Packet::Connect(Box::new(Connect {
        version: Version::V5,
        clean_start: true,
        client_id: client_id.to_owned().into(),
        session_expiry_interval: Some(3600),
        ..Connect::default()
    }));
    let mut input = BytesMut::new();
    encode(&connect, Version::V5, &mut input);
    connection.receive(&mut input, now);
    let Some(Question::Authenticate(_)) = connection.poll_question() else {
        panic!("it is asked who it is");
    };
    let authentication = Authentication::Accepted {
        identity: Identity::of_user(Some(user.to_owned().into())),
        data: None,
    };
    connection.handle_answer(Answer::Authenticated(authentication), now);
    connection
}

/// Gives them their turns until this user has no session.
async fn until_gone(app: &App, user: &str, connections: &mut [Connection]) {
    let began = Instant::now();
    while !broker(app).client_ids_of(user).is_empty() {
        assert!(began.elapsed() < PATIENCE, "they stay");
        for connection in &mut *connections {
            connection.handle_wake(app.surroundings.clock.now());
        }
        sleep(Duration::from_millis(1)).await;
    }
}

fn ask(app: &App, user: &str) -> impl Future<Output = Result<Json<UserRemoved>, Problem>> + use<> {
    remove(State(app.clone()), InPath(user.to_owned()))
}

#[tokio::test]
async fn a_removal_goes_on_when_nobody_waits_for_it() {
    let (_storage, app) = app();
    let mut connections = ["a", "b", "c"].map(|id| client(&app, "ann", id));
    assert!(
        timeout(Duration::from_millis(50), ask(&app, "ann"))
            .await
            .is_err(),
        "they have not had a turn"
    );
    until_gone(&app, "ann", &mut connections).await;
    let again = ask(&app, "ann").await.expect_err("it is gone");
    assert_eq!(again.status(), StatusCode::NOT_FOUND);
}

/// Fills what waits for it.
fn occupy(app: &App, client_id: &str) -> Vec<Pending> {
    let command = || Command::Queue {
        offset: 0,
        count: 0,
    };
    let now = app.surroundings.clock.now();
    let asked = (0..16).map(|_| broker(app).command(client_id, command(), now));
    asked.map(|asked| asked.expect("a session")).collect()
}

#[tokio::test]
async fn who_is_busy_is_asked_again() {
    let (_storage, app) = app();
    let mut connections = [client(&app, "ann", "a")];
    let _waiting = occupy(&app, "a");
    let removal = tokio::spawn(ask(&app, "ann"));
    // Long enough for many looks.
    sleep(Duration::from_millis(100)).await;
    assert!(!removal.is_finished(), "it is there still");
    until_gone(&app, "ann", &mut connections).await;
    let removed = removal.await.expect("it ends");
    assert_eq!(removed.expect("it is done").0.sessions, 1);
}

#[tokio::test]
async fn sessions_that_are_left_are_said() {
    let (_storage, app) = app();
    let mut connections = ["a", "b"].map(|id| client(&app, "ann", id));
    let mut other = client(&app, "ann", "c");
    let _waiting = occupy(&app, "a");
    let removal = removed(app.clone(), "ann".to_owned(), Duration::from_millis(200));
    let removal = tokio::spawn(removal);
    while broker(&app).client_ids_of("ann").len() == 3 {
        other.handle_wake(app.surroundings.clock.now());
        sleep(Duration::from_millis(1)).await;
    }
    let problem = removal.await.expect("it ends").expect_err("two are left");
    assert_eq!(problem.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        problem.detail().contains("2 of its sessions are left"),
        "{}",
        problem.detail()
    );
    // Asked again, there is no such user, and it goes on.
    let again = tokio::spawn(ask(&app, "ann"));
    sleep(Duration::from_millis(20)).await;
    until_gone(&app, "ann", &mut connections).await;
    assert!(again.await.expect("it ends").is_ok());
}

/// As a crash leaves them that has cut a removal short.
#[tokio::test]
async fn sessions_of_nobody_are_ended() {
    let (_storage, app) = app();
    let mut connections = [client(&app, "bob", "a")];
    connections[0].handle_end(app.surroundings.clock.now());
    let removed = ask(&app, "bob").await.expect("it was there");
    assert_eq!(removed.0.sessions, 1);
    let again = ask(&app, "bob").await.expect_err("nothing is left");
    assert_eq!(again.status(), StatusCode::NOT_FOUND);
    assert!(broker(&app).client_ids_of("ann").is_empty());
    assert!(ask(&app, "ann").await.is_ok());
}

/// Would fail if one that only others know were taken for what a crash has left.
#[tokio::test]
async fn who_is_known_to_others_only_is_no_user_to_be_removed() {
    for others in [Method::Jwt, Method::Certificate] {
        let (_storage, app) = app_with(&[others]);
        let mut connections = [client(&app, "bob", "a")];
        let problem = ask(&app, "bob").await.expect_err("there is no bob");
        assert_eq!(problem.status(), StatusCode::NOT_FOUND);
        connections[0].handle_wake(app.surroundings.clock.now());
        assert_eq!(broker(&app).client_ids_of("bob").len(), 1);
    }
}

/// Would fail if the removal ran after those who come in again by what others have signed.
#[tokio::test]
async fn who_comes_back_by_what_others_have_signed_stays() {
    let (_storage, app) = app_with(&[Method::Jwt]);
    let mut connections = ["a", "b"].map(|id| client(&app, "ann", id));
    let removal = tokio::spawn(ask(&app, "ann"));
    let mut back = Vec::new();
    while !removal.is_finished() {
        let now = app.surroundings.clock.now();
        for connection in connections.iter_mut().chain(&mut back) {
            connection.handle_wake(now);
        }
        if broker(&app).client_ids_of("ann").is_empty() {
            back.extend(["a", "c"].map(|id| client(&app, "ann", id)));
        }
        sleep(Duration::from_millis(1)).await;
    }
    let removed = removal.await.expect("it ends").expect("it is done");
    assert_eq!((removed.0.sessions, back.len()), (2, 2));
    assert_eq!(broker(&app).client_ids_of("ann").len(), 2);
}

/// Would fail if a removal that nobody waits for any more took the sessions of the next user of that name.
#[tokio::test]
async fn a_user_that_is_made_again_keeps_its_sessions() {
    let (_storage, app) = app();
    let mut connections = [client(&app, "ann", "a")];
    // So the removal goes on.
    let _waiting = occupy(&app, "a");
    let removal = tokio::spawn(ask(&app, "ann"));
    sleep(Duration::from_millis(50)).await;
    make_ann(&app);
    let outcome = timeout(PATIENCE, removal).await.expect("it does not go on");
    let problem = outcome.expect("it ends").expect_err("one is left");
    assert_eq!(problem.status(), StatusCode::CONFLICT);
    connections[0].handle_wake(app.surroundings.clock.now());
    assert_eq!(broker(&app).client_ids_of("ann").len(), 1);
}
