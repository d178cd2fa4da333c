//! How a message is written: its payload as it is, with its topic, or as one JSON object a line.

use std::io::{self, Write};

use ebbtide_api::Properties;
use ebbtide_broker::rfc3339;
use ebbtide_client::IncomingMessage;
use ebbtide_store::WallTime;
use serde::Serialize;

use crate::http::content::{Payload, shown};

/// One of them.
#[derive(Clone, Copy, Debug)]
pub enum Format {
    /// The payload, and the end of a line if it is wanted.
    Payload {
        ends_line: bool,
    },
    /// The topic before it.
    Verbose {
        ends_line: bool,
    },
    Json,
}

/// A message as JSON; documented in docs/cli.md.
#[derive(Serialize)]
struct Shown<'a> {
    topic: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_base64: Option<String>,
    qos: u8,
    retain: bool,
    dup: bool,
    #[serde(skip_serializing_if = "Properties::is_empty")]
    properties: Properties,
    received_at: String,
}

/// Writes one and sees to it that it has left.
pub fn write(
    output: &mut impl Write,
    format: Format,
    message: &IncomingMessage,
    received_at: WallTime,
) -> io::Result<()> {
    match format {
        Format::Payload { ends_line } => {
            output.write_all(&message.payload)?;
            end(output, ends_line)?;
        }
        Format::Verbose { ends_line } => {
            output.write_all(message.topic.as_str().as_bytes())?;
            output.write_all(b" ")?;
            output.write_all(&message.payload)?;
            end(output, ends_line)?;
        }
        Format::Json => {
            let payload = Payload::new(&message.payload, usize::MAX);
            let shown = Shown {
                topic: message.topic.as_str(),
                payload: payload.text,
                payload_base64: payload.base64,
                qos: message.qos as u8,
                retain: message.retain,
                dup: message.dup,
                properties: shown(&message.properties),
                received_at: to_the_millisecond(received_at),
            };
            serde_json::to_writer(&mut *output, &shown)?;
            end(output, true)?;
        }
    }
    output.flush()
}

/// RFC 3339, in UTC.
fn to_the_millisecond(at: WallTime) -> String {
    let seconds = rfc3339(at);
    format!("{}.{:03}Z", seconds.trim_end_matches('Z'), at.0 % 1000)
}

fn end(output: &mut impl Write, ends_line: bool) -> io::Result<()> {
    match ends_line {
        true => output.write_all(b"\n"),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_milliseconds() {
        let shown = to_the_millisecond(WallTime(1_000_000_000_007));
        assert_eq!(shown, "2001-09-09T01:46:40.007Z");
    }
}
