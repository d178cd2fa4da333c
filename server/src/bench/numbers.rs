//! Numbers that may be typed: what makes no sense is refused before anything is sent, and never becomes another number.

use std::{ops::RangeInclusive, time::Duration};

/// The longest run, seconds: the clients send no pings, and the longest Keep Alive there is lasts 18 hours.
const SECONDS_MAX: f64 = 60_000.0;
/// Messages a second: from one in a quarter of an hour to more than one thread can write.
const RATES: RangeInclusive<f64> = 0.001..=10_000_000.0;
/// Microseconds between the moments at which messages leave: one tenth of a second would be one burst after the other.
const TICK_US_MAX: usize = 100_000;
/// Clients, sessions: more than one machine has ports for.
const CLIENTS_MAX: usize = 1_000_000;
/// Topics of a publisher, of which each is made before the first is sent.
const TOPICS_MAX: usize = 100_000;
/// Messages of which each is made before the first is sent (retained), or counted.
const MESSAGES_MAX: usize = 100_000_000;
/// The largest payload, bytes.
const PAYLOAD_BYTES_MAX: usize = 64_000_000;

/// Seconds, none among them.
pub fn seconds(typed: &str) -> Result<Duration, String> {
    let seconds = number(typed).filter(|seconds| (0.0..=SECONDS_MAX).contains(seconds));
    let seconds = seconds.ok_or_else(|| format!("give 0 to {SECONDS_MAX} seconds"))?;
    Ok(Duration::from_secs_f64(seconds))
}

/// Seconds, and not none.
pub fn some_seconds(typed: &str) -> Result<Duration, String> {
    let is_long = |time: &Duration| *time >= Duration::from_millis(1);
    let time = seconds(typed).ok().filter(is_long);
    time.ok_or_else(|| format!("give 0.001 to {SECONDS_MAX} seconds"))
}

/// Messages a second.
pub fn rate(typed: &str) -> Result<f64, String> {
    let rate = number(typed).filter(|rate| RATES.contains(rate));
    rate.ok_or_else(|| {
        let (least, most) = (RATES.start(), RATES.end());
        format!("give {least} to {most} messages a second")
    })
}

/// Microseconds, none among them.
pub fn tick(typed: &str) -> Result<Duration, String> {
    let us = count(typed, 0..=TICK_US_MAX).map_err(|range| format!("{range} microseconds"))?;
    Ok(Duration::from_micros(us as u64))
}

/// So many clients, at least one.
pub fn clients(typed: &str) -> Result<usize, String> {
    count(typed, 1..=CLIENTS_MAX)
}

/// So many topics of each publisher, at least one.
pub fn topics(typed: &str) -> Result<usize, String> {
    count(typed, 1..=TOPICS_MAX)
}

/// So many messages, at least one.
pub fn messages(typed: &str) -> Result<usize, String> {
    count(typed, 1..=MESSAGES_MAX)
}

/// Bytes of a payload.
pub fn payload_bytes(typed: &str) -> Result<usize, String> {
    count(typed, 0..=PAYLOAD_BYTES_MAX)
}

/// Unacknowledged messages: packet identifiers must not meet.
pub fn window(typed: &str) -> Result<usize, String> {
    count(typed, 1..=30_000)
}

fn number(typed: &str) -> Option<f64> {
    typed.parse().ok()
}

fn count(typed: &str, range: RangeInclusive<usize>) -> Result<usize, String> {
    let number = typed.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| format!("give {} to {}", range.start(), range.end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_refused() {
        for typed in ["nan", "inf", "-inf", "-1", "1e300", "", "x"] {
            assert!(seconds(typed).is_err(), "{typed}");
            assert!(some_seconds(typed).is_err(), "{typed}");
            assert!(rate(typed).is_err(), "{typed}");
            assert!(clients(typed).is_err(), "{typed}");
        }
        assert!(some_seconds("0").is_err() && rate("0").is_err() && clients("0").is_err());
        assert!(messages("0").is_err() && payload_bytes("999999999").is_err());
        assert!(rate("1e8").is_err() && window("70000").is_err());
        assert!(tick("-1").is_err() && tick("0.5").is_err() && tick("1000000").is_err());
        assert_eq!(tick("0"), Ok(Duration::ZERO));
        assert_eq!(tick("250"), Ok(Duration::from_micros(250)));
        assert_eq!(seconds("0"), Ok(Duration::ZERO));
        assert_eq!(some_seconds("0.25"), Ok(Duration::from_millis(250)));
        assert_eq!((rate("0.5"), clients("7")), (Ok(0.5), Ok(7)));
        assert_eq!(payload_bytes("0"), Ok(0));
    }
}
