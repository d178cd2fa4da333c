//! What was measured, put into the document that has been written around it: each row takes the place of the one that had its title,
//! and what was said of it, or why it could not be measured, stands below the table.

use anyhow::{Context, Result, ensure};

/// The document with the rows of `tables`, both in Markdown, and with the notes to them: `- TITLE: …`.
pub fn with(document: &str, tables: &str, notes: &[String]) -> Result<String> {
    let mut lines: Vec<&str> = document.lines().collect();
    let mut rows = tables.lines().skip_while(|line| !is_row(line)).peekable();
    while let Some(first) = rows.next() {
        let mut row = vec![first];
        while let Some(more) = rows.next_if(|line| title(line) == Some("")) {
            row.push(more);
        }
        let name = title(first).unwrap_or_default();
        let start = lines.iter().position(|line| title(line) == Some(name));
        let start = start.with_context(|| format!("no row of the document is called `{name}`"))?;
        let cells = |line: &str| line.matches(" |").count();
        ensure!(
            cells(lines[start]) == cells(first),
            "`{name}` has other columns in the document: a broker is missing on this machine"
        );
        let more = lines[start + 1..].iter();
        let end = start + 1 + more.take_while(|line| title(line) == Some("")).count();
        drop(lines.splice(start..end, row));
        annotate(&mut lines, start, name, notes);
    }
    Ok(lines.join("\n") + "\n")
}

/// Puts the notes to a row below the table that it is in, and takes away those that were there.
fn annotate<'a>(lines: &mut Vec<&'a str>, row: usize, name: &str, notes: &'a [String]) {
    let head = format!("- {name}: ");
    let table_end = row
        + lines[row..]
            .iter()
            .take_while(|line| line.starts_with('|'))
            .count();
    let mut below: Vec<&str> = Vec::new();
    let mut end = table_end;
    if lines
        .get(end + 1)
        .is_some_and(|line| line.starts_with("- "))
    {
        let list = lines[end + 1..]
            .iter()
            .take_while(|line| line.starts_with("- "));
        below.extend(list);
        end += 1 + below.len();
    }
    below.retain(|line| !line.starts_with(&head));
    below.extend(
        notes
            .iter()
            .map(String::as_str)
            .filter(|line| line.starts_with(&head)),
    );
    if !below.is_empty() {
        below.insert(0, "");
    }
    drop(lines.splice(table_end..end, below));
}

/// Not the head of the table.
fn is_row(line: &&str) -> bool {
    title(line).is_some_and(|title| title != "scenario")
}

/// The first cell; empty where a row goes on.
fn title(line: &str) -> Option<&str> {
    let cells = line.strip_prefix("| ")?;
    Some(cells.split(" |").next()?.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = "# Figures\n\n| scenario | figure | A | |\n|---|---|---:|---|\n| one | rate | 1 | |\n|  | lost | 0 | |\n| two | rate | 2 | |\n\nWords.\n";

    #[test]
    fn a_row_takes_the_place_of_its_own() {
        let measured = "| scenario | figure | A | |\n|---|---|---:|---|\n| one | rate | 5 | |\n|  | lost | 6 | |\n|  | more | 7 | |\n";
        let expected = DOCUMENT.replace(
            "| one | rate | 1 | |\n|  | lost | 0 | |\n",
            "| one | rate | 5 | |\n|  | lost | 6 | |\n|  | more | 7 | |\n",
        );
        assert_eq!(with(DOCUMENT, measured, &[]).expect("it fits"), expected);
    }

    #[test]
    fn a_note_stands_below_the_table_until_there_is_another() {
        let measured = "| two | rate | – | |\n";
        let notes = ["- two: A: it fell over".to_owned()];
        let once = with(DOCUMENT, measured, &notes).expect("it fits");
        assert!(
            once.ends_with("| two | rate | – | |\n\n- two: A: it fell over\n\nWords.\n"),
            "{once}"
        );
        let one = ["- one: A: it broke".to_owned()];
        let both = with(&once, "| one | rate | – | |\n", &one).expect("it fits");
        let list = "\n\n- two: A: it fell over\n- one: A: it broke\n\nWords.\n";
        assert!(both.ends_with(list), "{both}");
        let other = with(&once, "| two | rate | 2 | |\n", &[]).expect("it fits");
        assert_eq!(other, DOCUMENT);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (row, title) in [
            ("| three | rate | 5 | |\n", "three"),
            ("| two | rate | 5 | 6 | |\n", "two"),
        ] {
            let why = with(DOCUMENT, row, &[]).expect_err(row);
            assert!(why.to_string().contains(title), "{why}");
        }
    }
}
