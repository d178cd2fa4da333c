//! A session that is lent for a command, and who comes for it meanwhile.

use std::task::Waker;

use super::*;
use crate::{Limits, Now, Recovery, command::Pending, shared::Shared};

fn away(shared: &Shared) -> Box<Session> {
    let number = ebbtide_store::Incarnation(1);
    Box::new(Session::new(shared, number, "a".into(), None, 60))
}

fn per_user(most: usize) -> PerUser {
    PerUser {
        sessions_max: most,
        connections_max: most,
    }
}

fn control() -> Arc<Control> {
    Control::new(None, Waker::noop().clone())
}

/// Taken to be given a command.
fn lent(registry: &Registry) -> Box<Loan> {
    let (_pending, reply) = Pending::new();
    match registry.find("a", Command::Disconnect, reply) {
        Found::Away(loan) => loan,
        _ => panic!("it is away"),
    }
}

#[test]
fn who_comes_while_it_is_lent_gets_it_afterwards() {
    let broker = Recovery::new(Limits::default(), 0).finish(Now::default());
    let registry = &broker.shared.registry;
    registry.recover(away(&broker.shared));
    let loan = lent(registry);
    let newcomer = control();
    let claim = registry.claim(&"a".into(), &newcomer, per_user(10));
    assert!(matches!(claim, Claim::Asked), "{claim:?}");
    assert!(newcomer.take_handed().is_none());
    let is_away = registry.release(&loan.client_id, &loan.control, Some(loan.session));
    assert!(!is_away);
    assert!(matches!(newcomer.take_handed(), Some(Some(_))));
}

/// Its owner lets go a moment before, or a moment after: the session rests in either case.
#[test]
fn who_waits_no_longer_takes_it_to_nowhere() {
    for is_handed in [true, false] {
        let broker = Recovery::new(Limits::default(), 0).finish(Now::default());
        let registry = &broker.shared.registry;
        registry.recover(away(&broker.shared));
        let loan = lent(registry);
        let newcomer = control();
        registry.claim(&loan.client_id, &newcomer, per_user(10));
        if !is_handed {
            registry.stop_waiting(&loan.client_id, &newcomer);
        }
        let is_away = registry.release(&loan.client_id, &loan.control, Some(loan.session));
        assert_eq!(is_away, !is_handed);
        registry.stop_waiting(&loan.client_id, &newcomer);
        let handed = newcomer.take_handed().flatten();
        assert_eq!(handed.is_some(), is_handed);
        let is_away = registry.release(&loan.client_id, &newcomer, handed);
        assert_eq!(is_away, is_handed);
        let claim = registry.claim(&loan.client_id, &control(), per_user(1));
        assert!(matches!(claim, Claim::Granted(Some(_))), "{claim:?}");
    }
}

#[test]
fn it_rests_again_and_counts_once() {
    let broker = Recovery::new(Limits::default(), 0).finish(Now::default());
    let registry = &broker.shared.registry;
    registry.recover(away(&broker.shared));
    for _ in 0..2 {
        let loan = lent(registry);
        assert!(registry.release(&loan.client_id, &loan.control, Some(loan.session)));
    }
    let other = registry.claim(&"b".into(), &control(), per_user(1));
    assert!(
        matches!(other, Claim::TooMany(Limit::SessionsPerUserMax)),
        "the user has one: {other:?}"
    );
}

#[test]
fn so_many_wait_for_a_connection_and_no_more() {
    let registry = Registry::default();
    registry.claim(&"a".into(), &control(), per_user(10));
    let mut waiting = Vec::new();
    for _ in 0..COMMANDS_MAX {
        let (pending, reply) = Pending::new();
        waiting.push(pending);
        let found = registry.find("a", Command::Disconnect, reply);
        assert!(matches!(found, Found::Asked), "{found:?}");
    }
    let (_pending, reply) = Pending::new();
    let found = registry.find("a", Command::Disconnect, reply);
    assert!(matches!(found, Found::Busy(_)), "{found:?}");
}
