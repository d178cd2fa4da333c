//! Every exit code of the program and the error that leads to it.
//!
//! A code keeps its meaning for ever: service managers and scripts decide by it. 0 is a clean end, 2 is also what the
//! command-line parser uses.

use std::process::ExitCode;

use ebbtide_store::redb::restore::RestoreError;

use crate::{
    bench::BenchError,
    cli::{
        AccessError, CertError, CheckError, ClientError, CopyError, MoveError, MqttError,
        PageError, PutBackError,
    },
    config::ConfigError,
    serve::ServeError,
    storage::StorageError,
    tls::TrustError,
};

/// The program was stopped by a second signal, before everything was written down.
pub const INTERRUPTED: i32 = 130;

/// Every code with what it means; the reference prints it.
pub const CODES: &[(i32, &str)] = &[
    (0, "It ended as it was meant to."),
    (
        1,
        "It could not start, or at the end not everything that waited could be written; nothing of that was acknowledged, unless by a relaxed listener.",
    ),
    (
        2,
        "The command line, the environment or the file has a mistake.",
    ),
    (3, "It could not listen on an address."),
    (4, "The data folder or the file in it could not be used."),
    (
        5,
        "`ebbtide check` has found damage, or `ebbtide restore` was given an incomplete backup.",
    ),
    (
        6,
        "A running broker could not be reached, refused the request, or broke it off.",
    ),
    (
        7,
        "A backup, a certificate, a file of rules or of another broker, or what the broker has answered, could not be read or written, or something would have been overwritten.",
    ),
    (8, "`ebbtide acl test`: it is not allowed."),
    (
        9,
        "`ebbtide pub`, `ebbtide sub`: the broker does not let this user in, or does not allow this.",
    ),
    (
        10,
        "`ebbtide pub`, `ebbtide sub`: the time (`-W`) is over, or the broker did not answer.",
    ),
    (
        11,
        "`ebbtide pub`, `ebbtide sub`: the broker does not support it, or it is against the protocol.",
    ),
    (
        INTERRUPTED,
        "It was stopped by a second signal, before everything was written. `ebbtide bench`: by a first one.",
    ),
];

/// Why the program ends without success.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// What was asked for makes no sense.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It could not be done.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The data is not sound, or could not be looked at.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// A running broker did not do what it was asked.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// There is no backup.
    #[error(transparent)]
    Backup(#[from] CopyError),
    /// There is no certificate.
    #[error(transparent)]
    Cert(#[from] CertError),
    /// Another broker's files are no configuration yet.
    #[error(transparent)]
    Import(#[from] MoveError),
    /// Users, keys or rules are as they were.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// It was not published, or nothing comes any more.
    #[error(transparent)]
    Mqtt(#[from] MqttError),
    /// There is no manual page.
    #[error(transparent)]
    Page(#[from] PageError),
    /// There are no figures.
    #[error(transparent)]
    Bench(#[from] BenchError),
    /// Nothing was restored.
    #[error(transparent)]
    Restore(#[from] PutBackError),
}

impl Failure {
    fn code(&self) -> u8 {
        match self {
            Self::Serve(ServeError::Runtime(_) | ServeError::Unfinished { .. }) => 1,
            Self::Config(_) | Self::Serve(ServeError::Tls(_) | ServeError::Auth(_)) => 2,
            Self::Serve(ServeError::Listen { .. }) => 3,
            Self::Serve(ServeError::Storage(error)) => of_storage(error),
            Self::Check(error) => match error {
                CheckError::Ephemeral => 2,
                CheckError::NoData(_) | CheckError::InUse(_) => 4,
                CheckError::Storage(error) => of_storage(error),
                CheckError::Unreadable(_) | CheckError::Faults(_) => 5,
            },
            Self::Client(error) => of_client(error),
            Self::Backup(error) => match error {
                CopyError::Broker(error) => of_client(error),
                CopyError::Write { .. } => 7,
                CopyError::NotWhole(_) => 6,
            },
            Self::Mqtt(error) => error.code(),
            Self::Page(_) => 7,
            Self::Bench(BenchError::Runtime(_)) => 1,
            Self::Bench(BenchError::Typed(_)) => 2,
            Self::Bench(BenchError::Password(_)) => 7,
            Self::Bench(BenchError::Broker { .. }) => 6,
            Self::Bench(BenchError::Interrupted) => INTERRUPTED as u8,
            Self::Access(AccessError::Typed(_)) => 2,
            Self::Access(AccessError::Read { .. }) => 7,
            Self::Access(AccessError::Denied) => 8,
            Self::Import(MoveError::Read(_) | MoveError::Write { .. }) => 7,
            Self::Cert(CertError::Make(_)) => 2,
            Self::Cert(CertError::Write { .. }) => 7,
            Self::Restore(error) => match error {
                PutBackError::Ephemeral => 2,
                PutBackError::NotEmpty(_) | PutBackError::Read { .. } => 7,
                PutBackError::Storage(error) => of_storage(error),
                PutBackError::Restore(RestoreError::Exists(_)) => 7,
                PutBackError::Restore(RestoreError::Backup(_)) => 5,
                PutBackError::Restore(RestoreError::Store(_)) => 4,
            },
        }
    }

    /// Says it on standard error.
    pub fn report(&self) -> ExitCode {
        eprintln!("error: {self}");
        ExitCode::from(self.code())
    }
}

fn of_storage(error: &StorageError) -> u8 {
    match error {
        StorageError::Directory { .. } | StorageError::Open { .. } => 4,
        StorageError::Thread(_) => 1,
    }
}

fn of_client(error: &ClientError) -> u8 {
    match error {
        ClientError::Url(_)
        | ClientError::NoPassword(_)
        | ClientError::Key
        | ClientError::Trust(TrustError::Unusable(_)) => 2,
        ClientError::Password(_)
        | ClientError::Write(_)
        | ClientError::Trust(TrustError::Read { .. }) => 7,
        ClientError::Runtime(_) => 1,
        ClientError::Unreachable { .. }
        | ClientError::Handshake { .. }
        | ClientError::Refused { .. }
        | ClientError::BrokenOff(_) => 6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_in_the_table() {
        let address = "127.0.0.1:1".parse().expect("an address");
        let io = || std::io::Error::other("test");
        let directory = StorageError::Directory {
            path: "d".into(),
            source: io(),
        };
        let listen = ServeError::Listen {
            option: "--mqtt",
            address,
            source: io(),
        };
        let unreachable = CopyError::Broker(ClientError::BrokenOff("test".into()));
        for (failure, code) in [
            (
                Failure::Serve(ServeError::Unfinished { is_relaxed: false }),
                1,
            ),
            (
                Failure::Config(ConfigError::SameAddress("--mqtt", "--http", address)),
                2,
            ),
            (Failure::Serve(listen), 3),
            (Failure::Serve(ServeError::Storage(directory)), 4),
            (Failure::Check(CheckError::NoData("d".into())), 4),
            (Failure::Check(CheckError::Faults(1)), 5),
            (Failure::Backup(unreachable), 6),
            (Failure::Restore(PutBackError::NotEmpty("d".into())), 7),
        ] {
            assert_eq!(failure.code(), code);
            assert!(CODES.iter().any(|(listed, _)| *listed == i32::from(code)));
        }
        assert!(CODES.iter().any(|(listed, _)| *listed == INTERRUPTED));
    }
}
