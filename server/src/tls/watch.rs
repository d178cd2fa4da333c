//! Looks at the files from time to time and reads them again when one has changed: certificates are renewed while the
//! broker runs, and nobody has to tell it.

use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime},
};

use super::Tls;

/// How often it looks.
const INTERVAL: Duration = Duration::from_secs(5);

/// What a file looks like from outside. Times alone would miss a file that was put in place with an old one.
type Look = Option<(SystemTime, u64)>;

/// Watches for ever.
pub async fn watch(tls: Tls) {
    let mut known = look(&tls);
    loop {
        tokio::time::sleep(INTERVAL).await;
        let seen = look(&tls);
        if seen == known {
            continue;
        }
        known = seen;
        match tls.reload() {
            Ok(()) => tracing::info!("the TLS certificate was read again: it is used from now on"),
            // A new certificate and its key come one after the other; the second change is seen as well.
            Err(error) => tracing::warn!("the old TLS certificate stays: {error}"),
        }
    }
}

fn look(tls: &Tls) -> Vec<Look> {
    let current = tls.current.load();
    let files = &current.files;
    [
        Some(&files.certificate),
        Some(&files.key),
        files.client_authorities.as_ref(),
        files.revoked.as_ref(),
    ]
    .into_iter()
    .flatten()
    .map(|path| look_at(path))
    .collect()
}

fn look_at(path: &Path) -> Look {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
