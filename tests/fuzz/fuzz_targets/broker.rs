//! The broker core, fed by three connections with any bytes in any order, with commits and time in between: no panic, and
//! the store always recovers.

#![no_main]

use std::{
    sync::Arc,
    task::{Wake, Waker},
};

use bytes::BytesMut;
use ebbtide_broker::{
    Answer, Broker, Connection, Identity, Limits, Monotonic, Now, Origin, Question, Recovery,
};
use ebbtide_store::{Store, WallTime, memory::MemoryStore};
use libfuzzer_sys::fuzz_target;

struct Ignore;

impl Wake for Ignore {
    fn wake(self: Arc<Self>) {}
}

fuzz_target!(|steps: Vec<(u8, &[u8])>| {
    let store = MemoryStore::new();
    let mut now = Now {
        monotonic: Monotonic(1),
        wall: WallTime(1),
    };
    let mut broker = start(&store, now);
    let mut connections: Vec<Connection> = (0..3).map(|_| connect(&broker, now)).collect();
    for (step, bytes) in steps {
        let at = usize::from(step) % 3;
        match step / 3 {
            0..60 => {
                let mut input = BytesMut::from(bytes);
                while connections[at].receive(&mut input, now) {}
            }
            60..70 => commit(&broker, &store),
            70..74 => {
                connections[at].handle_end(now);
                connections[at] = connect(&broker, now);
            }
            74..80 => {
                let ms = bytes.len() as u64 * 1_000;
                now.monotonic = now.monotonic.plus_ms(ms);
                now.wall.0 += ms;
                broker.handle_timeout(now);
            }
            _ => {
                connections.clear();
                broker = start(&store, now);
                connections.extend((0..3).map(|_| connect(&broker, now)));
            }
        }
        for connection in &mut connections {
            turn(connection, &store, now);
        }
    }
});

fn start(store: &MemoryStore, now: Now) -> Broker {
    let mut recovery = Recovery::new(Limits::default(), 0);
    store
        .recover(&mut |row| recovery.row(row))
        .expect("a store in memory does not fail");
    let broker = recovery.finish(now);
    commit(&broker, store);
    broker
}

fn connect(broker: &Broker, now: Now) -> Connection {
    let origin = Origin {
        address: String::new(),
        transport: "fuzz",
    };
    broker.connect(origin, Waker::from(Arc::new(Ignore)), now)
}

fn commit(broker: &Broker, store: &MemoryStore) {
    while let Some(batch) = broker.journal().take() {
        store
            .commit(&batch.operations)
            .expect("a store in memory does not fail");
        broker.journal().committed(&batch);
    }
}

fn turn(connection: &mut Connection, store: &MemoryStore, now: Now) {
    connection.handle_wake(now);
    connection.handle_timeout(now);
    let mut output = BytesMut::new();
    loop {
        while connection.poll_transmit(&mut output, now) {
            output.clear();
        }
        let Some(question) = connection.poll_question() else {
            return;
        };
        let answer = match question {
            Question::Authenticate(_) | Question::Continue(_) | Question::Reauthenticate(_) => {
                Answer::Authenticated(Ok(Identity { user: None }).into())
            }
            Question::Read {
                session,
                sequences,
                bytes_max,
            } => Answer::Read(store.read_part(session, &sequences, bytes_max)),
        };
        connection.handle_answer(answer, now);
    }
}
