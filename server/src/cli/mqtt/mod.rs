//! `ebbtide pub` and `ebbtide sub`: an MQTT client for any broker, with the flags of `mosquitto_pub` and `mosquitto_sub`.
//!
//! A publish counts as done when the broker has acknowledged it, a message as handled when it was written out; an end
//! that was not asked for says what was done until then.

mod connect;
mod error;
mod lines;
mod output;
mod payload;
mod place;
mod properties;
mod publish;
mod subscribe;

pub use self::{
    error::MqttError,
    payload::{GROUP as PAYLOAD, PayloadFlags},
    properties::MessageFlags,
    publish::Publish,
    subscribe::Subscribe,
};

use self::lines::whole;

use std::time::Duration;

use ebbtide_client::Client;
use tokio::time::{Instant, sleep_until};

/// Runs one command.
fn run(command: impl Future<Output = Result<(), MqttError>>) -> Result<(), MqttError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(MqttError::Runtime)?;
    let done = runtime.block_on(command);
    // A thread may still wait for standard input.
    runtime.shutdown_background();
    done
}

/// `-W`: a point in time after which nobody waits any more.
#[derive(Clone, Copy, Debug)]
struct Deadline(Option<(Instant, u32)>);

impl Deadline {
    fn after(seconds: Option<u32>) -> Self {
        Self(seconds.map(|seconds| {
            let at = Instant::now() + Duration::from_secs(seconds.into());
            (at, seconds)
        }))
    }

    /// The error, once the time has come.
    async fn passed(self) -> MqttError {
        match self.0 {
            Some((at, seconds)) => {
                sleep_until(at).await;
                MqttError::TimedOut(format!("it took more than {seconds} s (-W)"))
            }
            None => std::future::pending().await,
        }
    }
}

/// Waits for SIGINT or SIGTERM.
async fn asked_to_end() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Says goodbye, and waits until that has left.
async fn goodbye(client: Client) {
    client.disconnect().await;
}
