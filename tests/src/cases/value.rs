//! How values are written: numbers, text with escapes, `hex(…)` and `repeat(…,n)`.

use anyhow::{Context, Result, bail};

/// Decimal, or hexadecimal after `0x`.
pub(super) fn number(text: &str) -> Result<u64> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.with_context(|| format!("`{text}` is not a number"))
}

/// Bytes as hexadecimal digits, spaces allowed.
pub(super) fn hex(text: &str) -> Result<Vec<u8>> {
    let digits: Vec<u8> = text
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    if !digits.len().is_multiple_of(2) {
        bail!("`{text}`: an odd number of hexadecimal digits");
    }
    let byte = |pair: &[u8]| {
        let pair = std::str::from_utf8(pair).unwrap_or_default();
        u8::from_str_radix(pair, 16).with_context(|| format!("`{pair}` is not hexadecimal"))
    };
    digits.chunks(2).map(byte).collect()
}

/// Text, or bytes that are none. Quotes only hold it together.
pub(super) fn bytes(text: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some(inner) = rest.strip_prefix("hex(") {
            let (digits, after) = inner.split_once(')').context("`hex(` without `)`")?;
            bytes.extend(hex(digits)?);
            rest = after;
        } else if let Some(inner) = rest.strip_prefix("repeat(") {
            let (inside, after) = inner.split_once(')').context("`repeat(` without `)`")?;
            let (what, count) = inside
                .rsplit_once(',')
                .context("it is `repeat(text,count)`")?;
            let what = self::bytes(what)?;
            bytes.extend(what.repeat(usize::try_from(number(count.trim())?)?));
            rest = after;
        } else if let Some(escaped) = rest.strip_prefix('\\') {
            let code = escaped.chars().next().context("`\\` at the end")?;
            match code {
                '0' => bytes.push(0),
                'x' => bytes.extend(hex(escaped.get(1..3).context("it is `\\xNN`")?)?),
                other => bytes.extend(other.to_string().bytes()),
            }
            rest = &escaped[if code == 'x' { 3 } else { code.len_utf8() }..];
        } else {
            if first != '"' {
                bytes.extend(first.to_string().bytes());
            }
            rest = &rest[first.len_utf8()..];
        }
    }
    Ok(bytes)
}

/// Milliseconds of `200ms` or `1.2s`.
pub(super) fn milliseconds(text: &str) -> Result<u64> {
    if let Some(number) = text.strip_suffix("ms") {
        return Ok(number.parse()?);
    }
    let seconds: f64 = text
        .strip_suffix('s')
        .and_then(|number| number.parse().ok())
        .with_context(|| format!("`{text}` is not a time: `200ms` or `1.2s`"))?;
    Ok((seconds * 1000.0) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_notation() -> Result<()> {
        assert_eq!(number("0x82")?, 130);
        assert_eq!(bytes("a\"b c\"")?, b"ab c");
        assert_eq!(bytes(r"\xc0\0\@")?, b"\xc0\0@");
        assert_eq!(bytes("hex(00 ff)x")?, b"\x00\xffx");
        assert_eq!(bytes("repeat(a/,3)b")?, b"a/a/a/b");
        assert_eq!(milliseconds("1.2s")?, 1200);
        assert!(bytes("hex(0)").is_err());
        assert!(milliseconds("5").is_err());
        Ok(())
    }
}
