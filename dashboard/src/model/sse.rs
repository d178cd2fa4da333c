//! Server-sent events, as the HTML standard has them, from bytes that come in pieces of any length.
//!
//! Only what the broker sends is understood: `event` and `data`. What waits for its end is bounded by [`LINE_BYTES_MAX`].

/// A line that is longer is no event of ours.
pub const LINE_BYTES_MAX: usize = 1 << 20;

/// What has come of a stream so far.
#[derive(Debug, Default)]
pub struct Stream {
    line: Vec<u8>,
    data: String,
}

/// The stream cannot be ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

impl Stream {
    /// The data of each event that is complete with these bytes.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Vec<String>, TooLong> {
        let mut complete = Vec::new();
        for byte in bytes {
            match byte {
                b'\n' => self.end_of_line(&mut complete),
                b'\r' => {}
                _ if self.line.len() + self.data.len() >= LINE_BYTES_MAX => return Err(TooLong),
                byte => self.line.push(*byte),
            }
        }
        Ok(complete)
    }

    fn end_of_line(&mut self, complete: &mut Vec<String>) {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            let data = std::mem::take(&mut self.data);
            if !data.is_empty() {
                complete.push(data);
            }
            return;
        }
        // The name of the event stands in the data as well; comments only keep the connection alive.
        let text = String::from_utf8_lossy(&line);
        if let Some(data) = text.strip_prefix("data:") {
            if !self.data.is_empty() {
                self.data.push('\n');
            }
            self.data.push_str(data.strip_prefix(' ').unwrap_or(data));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = ": comment\n\nevent: connect\ndata: {\"a\":\"ü\"}\n\ndata:1\r\ndata: 2\r\n\r\nevent: late\n";

    #[test]
    fn events_are_found_wherever_the_pieces_end() {
        for length in 1..TEXT.len() {
            let mut stream = Stream::default();
            let pieces = TEXT.as_bytes().chunks(length);
            let found: Vec<String> = pieces
                .flat_map(|piece| stream.take(piece).expect("short"))
                .collect();
            assert_eq!(found, ["{\"a\":\"ü\"}", "1\n2"], "{length}");
        }
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let mut stream = Stream::default();
        let piece = vec![b'x'; LINE_BYTES_MAX];
        assert_eq!(stream.take(&piece), Ok(Vec::new()));
        assert_eq!(stream.take(b"x"), Err(TooLong));
    }
}
