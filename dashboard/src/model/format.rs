//! Numbers as people read them: few digits, one unit, always the same width class so that columns align.

/// `12,345`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 message`, `2 messages`: for words with a plain plural.
pub fn counted(number: u64, one: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {one}{plural}", count(number))
}

/// So many digits behind the point, which are none or a few; a half is rounded away from zero. The standard library's way
/// shows every number exactly, and weighs more than the page has room for.
pub fn fixed(number: f64, digits: u32) -> String {
    let scale = 10_u64.pow(digits);
    let scaled = (number.abs() * scale as f64).round() as u64;
    let sign = if number < 0.0 && scaled > 0 { "-" } else { "" };
    let (whole, rest) = (scaled / scale, scaled % scale);
    match digits {
        0 => format!("{sign}{whole}"),
        _ => format!("{sign}{whole}.{rest:0width$}", width = digits as usize),
    }
}

/// `0`, `0.4`, `12`, `1,234`: a rate or a gauge.
pub fn amount(number: f64) -> String {
    match number {
        number if number.is_nan() || number <= 0.0 => "0".to_owned(),
        ..0.05 => "<0.1".to_owned(),
        ..9.95 => {
            let text = fixed(number, 1);
            text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
        }
        _ => count(number.round() as u64),
    }
}

/// `0 B`, `512 B`, `1.5 KiB`, `12 MiB`.
pub fn bytes(number: f64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if number < 1023.5 {
        return format!("{} B", fixed(number.max(0.0), 0));
    }
    let mut scaled = number / 1024.0;
    let mut unit = 0;
    while scaled >= 1023.95 && unit + 1 < UNITS.len() {
        scaled /= 1024.0;
        unit += 1;
    }
    if scaled < 9.95 {
        format!("{} {}", fixed(scaled, 1), UNITS[unit])
    } else {
        format!("{} {}", fixed(scaled, 0), UNITS[unit])
    }
}

/// `0.42 ms`, `12 ms`, `1.2 s`.
pub fn milliseconds(number: f64) -> String {
    match number {
        ..0.005 => "0 ms".to_owned(),
        ..9.95 => format!("{} ms", fixed(number, 2)),
        ..999.5 => format!("{} ms", fixed(number, 0)),
        _ => format!("{} s", fixed(number / 1000.0, 1)),
    }
}

/// `12 s`, `5 min`, `3 h 12 min`, `2 d 4 h`.
pub fn duration_s(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        ..60 => format!("{seconds} s"),
        60..3600 => format!("{minutes} min"),
        3600..86_400 if minutes % 60 == 0 => format!("{hours} h"),
        3600..86_400 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{} d {} h", count(days), hours % 24),
    }
}

/// Why deliveries did not take place, as the broker names it, in words.
pub fn drop_reason(name: &str) -> String {
    match name {
        "damaged" => "could not be read",
        "expired" => "expired",
        "no_room" => "no room",
        "nobody_there" => "nobody there",
        "overflow" => "client too slow",
        "purged" => "purged",
        "qos0_unready" => "not kept, client not ready or gone",
        "queue_full" => "queue full",
        "refused" => "refused by the client",
        "too_large" => "too large for the client",
        other => return other.replace('_', " "),
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_as_many_as_wanted() {
        let cases = [
            (0.0, 1, "0.0"),
            (1.0 / 3.0, 4, "0.3333"),
            (-2.5, 0, "-3"),
            (-0.04, 1, "0.0"),
            (9.96, 1, "10.0"),
            (1e12, 2, "1000000000000.00"),
        ];
        for (number, digits, expected) in cases {
            assert_eq!(fixed(number, digits), expected);
        }
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_000), "1,000");
        assert_eq!(count(12_345_678), "12,345,678");
        assert_eq!(counted(1, "message"), "1 message");
        assert_eq!(counted(10_000, "message"), "10,000 messages");
    }

    #[test]
    fn small_amounts_keep_a_digit() {
        let cases = [
            (0.0, "0"),
            (0.01, "<0.1"),
            (0.4, "0.4"),
            (3.0, "3"),
            (9.96, "10"),
            (1234.4, "1,234"),
        ];
        for (number, expected) in cases {
            assert_eq!(amount(number), expected);
        }
        assert_eq!(amount(f64::NAN), "0");
    }

    #[test]
    fn bytes_take_the_unit_that_fits() {
        let cases = [
            (0.0, "0 B"),
            (1023.0, "1023 B"),
            (1023.9, "1.0 KiB"),
            (1536.0, "1.5 KiB"),
            (12.0 * 1024.0 * 1024.0, "12 MiB"),
            (1e18, "909495 TiB"),
        ];
        for (number, expected) in cases {
            assert_eq!(bytes(number), expected);
        }
    }

    #[test]
    fn times_have_one_unit_or_two() {
        assert_eq!(milliseconds(0.0), "0 ms");
        assert_eq!(milliseconds(0.42), "0.42 ms");
        assert_eq!(milliseconds(12.4), "12 ms");
        assert_eq!(milliseconds(1200.0), "1.2 s");
        assert_eq!(duration_s(59), "59 s");
        assert_eq!(duration_s(3_599), "59 min");
        assert_eq!(duration_s(7_200), "2 h");
        assert_eq!(duration_s(11_520), "3 h 12 min");
        assert_eq!(duration_s(187_200), "2 d 4 h");
    }
}
