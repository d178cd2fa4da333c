//! `ebbtide compact`: a running broker gives back the space that its file no longer needs.

use clap::Args;
use ebbtide_api::{CompactRequest, CompactResponse};

use super::client::{self, At, ClientError, whole};
use crate::{
    config::Config,
    exit::Failure,
    progress::{Progress, Unit},
};

/// What may be typed.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    #[command(flatten)]
    at: At,

    /// Prints the result as one JSON object.
    #[arg(long)]
    json: bool,
}

impl Arguments {
    /// Asks the broker and waits until it is done.
    pub fn run(self, config: &Config) -> Result<(), Failure> {
        let broker = self.at.resolve(config)?;
        let progress = Progress::new();
        progress.show("compacting", Unit::Bytes, 0, 0);
        let exchange = async {
            let answer = broker.post("/api/v1/compact", &CompactRequest {}).await?;
            whole(answer).await
        };
        let body = client::run(exchange);
        progress.finish();
        let body = body??;
        let done: CompactResponse = serde_json::from_slice(&body)
            .map_err(|error| ClientError::BrokenOff(error.to_string()))?;
        if self.json {
            println!("{}", String::from_utf8_lossy(&body));
        } else {
            println!(
                "{} bytes before, {} bytes after; acknowledgements waited {} ms",
                done.before_bytes, done.after_bytes, done.paused_ms
            );
        }
        Ok(())
    }
}
