//! Finds the clauses that a text cites: `MQTT-3.1.2-4` is one of 5.0, `MQTT3-3.1.2-6` one of 3.1.1.

/// In the order of the text. What only looks like a clause is found too: whoever asks knows which there are. A section,
/// `MQTT-3.1.2`, is none.
pub fn find(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("MQTT").filter_map(|(start, _)| {
        let rest = &text[start..];
        let prefix = ["MQTT-", "MQTT3-"]
            .into_iter()
            .find(|prefix| rest.starts_with(prefix))?;
        let number = &rest[prefix.len()..];
        let length = number
            .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-')))
            .unwrap_or(number.len());
        let number = number[..length].trim_end_matches(['.', '-']);
        let is_number = number.starts_with(|c: char| c.is_ascii_digit())
            && number.contains('.')
            && number.contains('-');
        is_number.then(|| &rest[..prefix.len() + number.len()])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        assert_eq!(find(text).collect::<Vec<_>>(), expected, "{text}");
    }

    #[test]
    fn finds_clauses_of_both_standards() {
        check(
            "ends [MQTT-3.1.2-4, MQTT3-3.1.2-6], see MQTT-4.2-1.",
            &["MQTT-3.1.2-4", "MQTT3-3.1.2-6", "MQTT-4.2-1"],
        );
    }

    #[test]
    fn a_misprint_is_found_but_no_section_and_nothing_else() {
        check("[MQTT-3-8.3-4]", &["MQTT-3-8.3-4"]);
        check("[MQTT-2.1.2], MQTT-3.1.2-", &[]);
        check("MQTT-5, MQTT-client, MQTT 3.1.1, MQTT3, mqtt-1.2.3-4", &[]);
    }
}
