//! One level of a topic, ordered as people count: `sensor 2` before `sensor 10`.

use std::cmp::Ordering;
use std::rc::Rc;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level(pub Rc<str>);

impl Ord for Level {
    fn cmp(&self, other: &Self) -> Ordering {
        // Names that count alike (`1`, `01`) are told apart by their characters.
        natural(&self.0, &other.0).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Level {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn natural(mut left: &str, mut right: &str) -> Ordering {
    loop {
        let (Some(first), Some(second)) = (left.chars().next(), right.chars().next()) else {
            return left.len().cmp(&right.len());
        };
        if first.is_ascii_digit() && second.is_ascii_digit() {
            let (number, rest) = digits(left);
            let (other_number, other_rest) = digits(right);
            let order = number.len().cmp(&other_number.len());
            match order.then_with(|| number.cmp(other_number)) {
                Ordering::Equal => (left, right) = (rest, other_rest),
                unequal => return unequal,
            }
        } else if first == second {
            left = &left[first.len_utf8()..];
            right = &right[second.len_utf8()..];
        } else {
            return first.cmp(&second);
        }
    }
}

/// The digits at the start without leading zeros, and what follows.
fn digits(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    (text[..end].trim_start_matches('0'), &text[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_and_everything_else_is_by_character() {
        let mut names = [
            "b",
            "a10",
            "a9",
            "",
            "a",
            "a01",
            "a1",
            "10",
            "9",
            "ä",
            "a1x",
            "a99999999999999999999",
        ];
        names.sort_by_key(|name| Level((*name).into()));
        assert_eq!(
            names,
            [
                "",
                "9",
                "10",
                "a",
                "a01",
                "a1",
                "a1x",
                "a9",
                "a10",
                "a99999999999999999999",
                "b",
                "ä"
            ]
        );
    }
}
