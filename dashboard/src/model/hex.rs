//! Binary content as rows of hexadecimal digits beside their ASCII characters.

/// Few enough for a row to fit a phone.
pub const BYTES_PER_ROW: usize = 8;

/// `0008  68 69 00 ff 20 20 20 20  hi..    `
pub fn rows(bytes: &[u8], rows_max: usize) -> Vec<String> {
    bytes
        .chunks(BYTES_PER_ROW)
        .take(rows_max)
        .enumerate()
        .map(|(row, chunk)| {
            let digits: Vec<String> = chunk.iter().map(|byte| format!("{byte:02x}")).collect();
            let characters: String = chunk
                .iter()
                .map(|byte| {
                    if byte.is_ascii_graphic() || *byte == b' ' {
                        char::from(*byte)
                    } else {
                        '.'
                    }
                })
                .collect();
            let width = BYTES_PER_ROW * 3 - 1;
            format!(
                "{:04x}  {:<width$}  {characters}",
                row * BYTES_PER_ROW,
                digits.join(" ")
            )
        })
        .collect()
}

/// The first bytes on one line: `ff 00 2a …`.
pub fn start(bytes: &[u8], bytes_max: usize) -> String {
    let digits: Vec<String> = bytes
        .iter()
        .take(bytes_max)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let rest = if bytes.len() > bytes_max { " …" } else { "" };
    format!("{}{rest}", digits.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_align_and_hide_what_cannot_be_printed() {
        assert_eq!(
            rows(b"hi\x00\xff<b>!tail", 9),
            [
                "0000  68 69 00 ff 3c 62 3e 21  hi..<b>!",
                "0008  74 61 69 6c              tail"
            ]
        );
        assert_eq!(rows(&[0; 100], 2).len(), 2);
    }

    #[test]
    fn a_line_says_when_there_is_more() {
        assert_eq!(start(&[1, 2, 255], 2), "01 02 …");
        assert_eq!(start(&[1, 2], 2), "01 02");
    }
}
