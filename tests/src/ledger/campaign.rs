//! A campaign: clients of all kinds at work, the broker killed again and again, and at the end the account.

use std::{
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Result, anyhow, bail};
use ebbtide_protocol::{QoS, Version};

use super::{
    actors::{
        publisher::Publisher,
        sessions::Visitor,
        subscriber::{Presence, Subscriber},
        subscriptions::Collector,
        values::Setter,
        wills::Testator,
    },
    book::Event,
    check,
    outgoing::{Outgoing, Post},
    random::Random,
    report::Report,
    server::Server,
    world::{Hello, Overdue, Phase, World},
};

/// Beyond this it hangs: a base, and more for each kill.
const LIMIT: Duration = Duration::from_secs(60);
const LIMIT_PER_KILL: Duration = Duration::from_secs(4);
/// The shortest will delay, and what a broker needs to notice a closed connection.
const WILLS_ARE_OUT: Duration = Duration::from_millis(1_500);

type Actor = JoinHandle<Result<(), Overdue>>;

/// Runs a campaign. `keep` says that what is left of the broker is to be kept if promises were broken.
pub fn run(server: &mut Server, kills: u32, seed: u64, keep: bool) -> Result<Report> {
    let mut random = Random::new(seed);
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let world = Arc::new(World::new(
        server.address(),
        format!("ledger-{:x}-{:x}", now.as_millis(), std::process::id()),
        LIMIT + LIMIT_PER_KILL * kills,
    ));
    let subscribers = subscribers(&world, &mut random);
    let others = others(&world, &mut random);

    let outcome = drive(server, &world, kills, &mut random, subscribers, others);
    world.give_up();
    let (book, names) = world.book.read();
    let (faults, counts) = check::check(&book);
    let mut report = Report {
        seed,
        counts,
        faults,
        names,
        book,
        kept_in: None,
    };
    if keep && (outcome.is_err() || !report.faults.is_empty()) {
        report.keep(server)?;
    }
    match outcome {
        Ok(()) => Ok(report),
        Err(error) => Err(error.context(format!("{report}"))),
    }
}

fn drive(
    server: &mut Server,
    world: &Arc<World>,
    kills: u32,
    random: &mut Random,
    subscribers: Vec<Actor>,
    others: Vec<Actor>,
) -> Result<()> {
    world
        .wait_for_beginners(u32::try_from(subscribers.len())?)
        .map_err(|Overdue| anyhow!("the subscribers do not get their subscriptions"))?;
    world.set_phase(Phase::Work);
    for _ in 0..kills {
        wait_for_the_moment(world, random);
        world.down();
        server.kill()?;
        // A start is not safe ground either.
        while random.chance(20) {
            let after = random.ms(0, 250);
            server.start_and_kill(after)?;
        }
        server.restart()?;
        world.up();
    }
    thread::sleep(random.ms(200, 600));
    world.set_phase(Phase::Finish);
    join(others)?;
    thread::sleep(WILLS_ARE_OUT);
    say_the_last_word(world)?;
    world.set_phase(Phase::Drain);
    join(subscribers)
}

/// Any time, or right after something was acknowledged: that is where a promise is broken first.
fn wait_for_the_moment(world: &World, random: &mut Random) {
    thread::sleep(random.ms(100, 700));
    let wait = |is_it: fn(&Event) -> bool| {
        world.book.wait_for(Duration::from_millis(300), is_it);
    };
    match random.below(6) {
        0 => wait(|event| matches!(event, Event::Accepted { .. })),
        1 => wait(|event| matches!(event, Event::Subscribed { .. } | Event::Unsubscribed { .. })),
        2 => wait(|event| matches!(event, Event::Connected { .. })),
        3 => wait(|event| {
            matches!(
                event,
                Event::Received {
                    qos: QoS::ExactlyOnce,
                    ..
                }
            )
        }),
        _ => {}
    }
}

/// A message that all subscribers get after everything else.
fn say_the_last_word(world: &World) -> Result<()> {
    let client = world.book.client("end");
    let hello = Hello::transient(client, Version::V3_1_1);
    let connected = world.connect(&hello);
    let (mut link, _) = connected.map_err(|Overdue| anyhow!("no connection at the end"))?;
    let mut outgoing = Outgoing::new(client);
    let post = Post {
        topic: world.topic("log/end"),
        qos: QoS::AtLeastOnce,
        retain: false,
        clears: false,
    };
    outgoing.publish(world, &mut link, post)?;
    outgoing.complete(world, &mut link)?;
    world.leave(client, link, true);
    Ok(())
}

fn join(actors: Vec<Actor>) -> Result<()> {
    for actor in actors {
        let name = actor.thread().name().unwrap_or_default().to_owned();
        match actor.join() {
            Ok(Ok(())) => {}
            Ok(Err(Overdue)) => bail!("{name} does not come to an end"),
            Err(_) => bail!("{name} panicked"),
        }
    }
    Ok(())
}

fn subscribers(world: &Arc<World>, random: &mut Random) -> Vec<Actor> {
    use Presence::{Away, Restless, Steady};
    use Version::{V3_1_1, V5};
    let all: [(&str, Version, Presence, QoS, u16); 7] = [
        ("steady-5", V5, Steady, QoS::ExactlyOnce, 100),
        ("steady-3", V3_1_1, Steady, QoS::ExactlyOnce, u16::MAX),
        ("steady-at-1", V5, Steady, QoS::AtLeastOnce, 20),
        ("restless-5", V5, Restless, QoS::ExactlyOnce, 5),
        ("restless-3", V3_1_1, Restless, QoS::ExactlyOnce, u16::MAX),
        (
            "restless-at-1",
            V3_1_1,
            Restless,
            QoS::AtLeastOnce,
            u16::MAX,
        ),
        ("away", V5, Away, QoS::ExactlyOnce, 50),
    ];
    let spawn = |(name, version, presence, qos, receive_maximum)| {
        let subscriber = Subscriber {
            client: world.book.client(name),
            version,
            presence,
            filters: ["log/#", "kept/#", "wills/#"]
                .map(|filter| world.topic(filter))
                .into(),
            qos,
            receive_maximum,
            end: world.topic("log/end"),
            random: random.fork(),
        };
        start(world, name, |world| subscriber.run(world))
    };
    all.map(spawn).into()
}

fn others(world: &Arc<World>, random: &mut Random) -> Vec<Actor> {
    use Version::{V3_1_1, V5};
    let mut actors = Vec::new();
    let publishers = [
        ("publisher-5", V5, true),
        ("publisher-3", V3_1_1, true),
        ("fleeting-5", V5, false),
        ("fleeting-3", V3_1_1, false),
    ];
    for (name, version, is_kept) in publishers {
        let publisher = Publisher {
            client: world.book.client(name),
            version,
            is_kept,
            random: random.fork(),
        };
        actors.push(start(world, name, |world| publisher.run(world)));
    }
    for (name, reader, version) in [
        ("setter-5", "reader-5", V5),
        ("setter-3", "reader-3", V3_1_1),
    ] {
        let setter = Setter {
            client: world.book.client(name),
            reader: world.book.client(reader),
            version,
            random: random.fork(),
        };
        actors.push(start(world, name, |world| setter.run(world)));
    }
    for (name, version) in [("collector-5", V5), ("collector-3", V3_1_1)] {
        let client = world.book.client(name);
        let collector = Collector::new(client, version, random.fork());
        actors.push(start(world, name, |world| collector.run(world)));
    }
    for (name, version) in [("visitor-5", V5), ("visitor-3", V3_1_1)] {
        let visitor = Visitor {
            client: world.book.client(name),
            version,
            random: random.fork(),
        };
        actors.push(start(world, name, |world| visitor.run(world)));
    }
    let testators = [
        ("will-fleeting-5", V5, false),
        ("will-fleeting-3", V3_1_1, false),
        ("will-kept-5", V5, true),
        ("will-kept-5-too", V5, true),
        ("will-kept-3", V3_1_1, true),
    ];
    for (name, version, is_kept) in testators {
        let testator = Testator {
            client: world.book.client(name),
            version,
            is_kept,
            random: random.fork(),
        };
        actors.push(start(world, name, |world| testator.run(world)));
    }
    actors
}

fn start(
    world: &Arc<World>,
    name: &str,
    run: impl FnOnce(&World) -> Result<(), Overdue> + Send + 'static,
) -> Actor {
    let world = Arc::clone(world);
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || run(&world))
        .expect("a few dozen threads can be had")
}
