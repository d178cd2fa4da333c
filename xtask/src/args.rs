//! What the commands' arguments have in common: telling an unknown one apart and naming the nearest.

use anyhow::{Result, bail};

/// A message for an unknown word, with the nearest allowed one.
pub fn unknown<'a>(kind: &str, given: &str, allowed: impl Iterator<Item = &'a str>) -> String {
    let allowed: Vec<&str> = allowed.collect();
    let nearest = allowed
        .iter()
        .min_by_key(|word| distance(given, word))
        .filter(|word| distance(given, word) <= 3);
    let hint = nearest
        .map(|word| format!("; did you mean `{word}`?"))
        .unwrap_or_default();
    format!(
        "unknown {kind} `{given}`{hint} (allowed: {})",
        allowed.join(", ")
    )
}

/// Refuses arguments that are not in `allowed`.
pub fn only(arguments: &[String], allowed: &[&str]) -> Result<()> {
    match arguments
        .iter()
        .find(|argument| !allowed.contains(&argument.as_str()))
    {
        Some(argument) if allowed.is_empty() => {
            bail!("this command takes no argument, got `{argument}`")
        }
        Some(argument) => bail!(unknown("argument", argument, allowed.iter().copied())),
        None => Ok(()),
    }
}

/// The number of single-character edits between two words.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let substituted = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_nearest_word() {
        let message = unknown("command", "tets", ["run", "test"].into_iter());
        assert_eq!(
            message,
            "unknown command `tets`; did you mean `test`? (allowed: run, test)"
        );
    }

    #[test]
    fn names_none_when_all_are_far() {
        assert!(!unknown("command", "completely-else", ["run"].into_iter()).contains("mean"));
    }
}
