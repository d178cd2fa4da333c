//! Standard input, read by a thread of its own: a terminal or a pipe may keep it waiting for ever.

use std::io::{self, BufRead, Read};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::MqttError;

/// Lines that wait to be published, at most.
const LINES_MAX: usize = 64;
/// The longest line or file, bytes: as much as a packet of MQTT can have.
pub const PAYLOAD_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// The lines of standard input, without their ends; the last one may have none.
pub fn lines() -> mpsc::Receiver<Result<Bytes, MqttError>> {
    let (sender, receiver) = mpsc::channel(LINES_MAX);
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        loop {
            let line = match line(&mut input) {
                Ok(Some(line)) => Ok(line),
                Ok(None) => return,
                Err(error) => Err(error),
            };
            let is_last = line.is_err();
            // Nobody wants more: the command has ended.
            if sender.blocking_send(line).is_err() || is_last {
                return;
            }
        }
    });
    receiver
}

fn line(input: &mut impl BufRead) -> Result<Option<Bytes>, MqttError> {
    let mut line = Vec::new();
    let read = input.take(PAYLOAD_BYTES_MAX).read_until(b'\n', &mut line);
    let count = read.map_err(|error| fault("standard input", &error.to_string()))?;
    if count == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
    } else if line.len() as u64 == PAYLOAD_BYTES_MAX {
        return Err(fault("standard input", "a line is longer than any packet"));
    }
    Ok(Some(line.into()))
}

/// All of something.
pub fn whole(what: &str, input: impl Read) -> Result<Bytes, MqttError> {
    let mut payload = Vec::new();
    let read = input.take(PAYLOAD_BYTES_MAX).read_to_end(&mut payload);
    let count = read.map_err(|error| fault(what, &error.to_string()))?;
    match count as u64 == PAYLOAD_BYTES_MAX {
        true => Err(fault(what, "it is larger than any packet")),
        false => Ok(payload.into()),
    }
}

fn fault(what: &str, why: &str) -> MqttError {
    MqttError::Read {
        what: what.to_owned(),
        why: why.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_without_their_ends() {
        let mut input = &b"a\r\n\nlast"[..];
        let mut next = || line(&mut input).expect("readable");
        assert_eq!(next().as_deref(), Some(&b"a"[..]));
        assert_eq!(next().as_deref(), Some(&b""[..]));
        assert_eq!(next().as_deref(), Some(&b"last"[..]));
        assert_eq!(next(), None);
    }
}
