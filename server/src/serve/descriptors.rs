//! File descriptors, of which each connection takes one: as many as the program may have, for what it gets unless it asks is few.

/// Takes all that the system lets it have; says so if that is less than `connections_max`. It is no warning yet, for the default is more than
/// most need: when they are used up, that is.
#[cfg(unix)]
pub fn provide(connections_max: usize) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let mut limit = getrlimit(Resource::Nofile);
    // The soft limit is low for the sake of programs that use select(2), and this one does not.
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if limit != raised && setrlimit(Resource::Nofile, raised).is_ok() {
        limit = raised;
    }
    // Otherwise there is no limit.
    if let Some(descriptors) = limit.current
        && descriptors < connections_max as u64
    {
        tracing::info!(
            descriptors,
            connections_max,
            "there are not enough file descriptors for connections_max: see ulimit -n, or LimitNOFILE of systemd"
        );
    }
}

/// Others have none.
#[cfg(not(unix))]
pub fn provide(_: usize) {}
