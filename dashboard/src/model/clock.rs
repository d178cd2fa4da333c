//! Points in time as people read them. Times are milliseconds since 1970; the present is an argument.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Clocks differ: what lies less than this ahead counts as now.
const SKEW_MS: i64 = 2 * MINUTE_MS;

/// An ISO 8601 time with its offset, as RFC 3339 writes it.
pub fn parse(text: &str) -> Option<i64> {
    let time = OffsetDateTime::parse(text.trim(), &Rfc3339).ok()?;
    i64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok()
}

/// `just now`, `5 min ago`, `3 h ago`, `2 d ago`; `in 4 h` for what lies ahead.
pub fn relative(now_ms: i64, then_ms: i64) -> String {
    let elapsed_ms = now_ms.saturating_sub(then_ms);
    if elapsed_ms < -SKEW_MS {
        return format!("in {}", span(elapsed_ms.saturating_neg()));
    }
    if elapsed_ms < MINUTE_MS {
        return "just now".to_owned();
    }
    format!("{} ago", span(elapsed_ms))
}

/// How long it has been so: `for 5 min`; `just now`; `from in 4 h on` for what lies ahead.
pub fn lasting(now_ms: i64, since_ms: i64) -> String {
    let elapsed_ms = now_ms.saturating_sub(since_ms);
    match elapsed_ms {
        ..MINUTE_MS if elapsed_ms >= -SKEW_MS => "just now".to_owned(),
        ..MINUTE_MS => format!("from {} on", relative(now_ms, since_ms)),
        _ => format!("for {}", span(elapsed_ms)),
    }
}

fn span(ms: i64) -> String {
    match ms {
        ..HOUR_MS => format!("{} min", ms / MINUTE_MS),
        HOUR_MS..DAY_MS => format!("{} h", ms / HOUR_MS),
        _ => format!("{} d", ms / DAY_MS),
    }
}

/// Whole seconds until then, rounded up; zero when it has passed.
pub fn seconds_until(now_ms: i64, then_ms: i64) -> i64 {
    (then_ms.saturating_sub(now_ms).max(0) + SECOND_MS - 1) / SECOND_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_iso_times() {
        assert_eq!(parse("1970-01-01T00:00:01Z"), Some(1_000));
        assert_eq!(parse("1970-01-01T01:00:00.250+01:00"), Some(250));
        assert_eq!(parse("yesterday"), None);
        assert_eq!(parse("2026-13-01T00:00:00Z"), None);
    }

    #[test]
    fn speaks_of_times_in_one_unit() {
        let now = 100 * DAY_MS;
        assert_eq!(relative(now, now - 59_999), "just now");
        assert_eq!(relative(now, now - MINUTE_MS), "1 min ago");
        assert_eq!(relative(now, now - 119 * MINUTE_MS), "1 h ago");
        assert_eq!(relative(now, now - 50 * HOUR_MS), "2 d ago");
        assert_eq!(relative(now, now + MINUTE_MS), "just now");
        assert_eq!(relative(now, now + 5 * HOUR_MS), "in 5 h");
        assert_eq!(
            relative(i64::MAX, i64::MIN),
            format!("{} d ago", i64::MAX / DAY_MS)
        );
    }

    #[test]
    fn speaks_of_how_long() {
        let now = 100 * DAY_MS;
        assert_eq!(lasting(now, now - 3 * HOUR_MS), "for 3 h");
        assert_eq!(lasting(now, now - 1_000), "just now");
        assert_eq!(lasting(now, now + MINUTE_MS), "just now");
        assert_eq!(lasting(now, now + HOUR_MS), "from in 1 h on");
    }

    #[test]
    fn counts_down_to_zero() {
        assert_eq!(seconds_until(1_000, 2_001), 2);
        assert_eq!(seconds_until(1_000, 2_000), 1);
        assert_eq!(seconds_until(5_000, 2_000), 0);
    }
}
