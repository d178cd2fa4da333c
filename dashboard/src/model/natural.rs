//! Names in the order in which people count: `sensor 2` before `sensor 10`.

use std::cmp::Ordering;
use std::rc::Rc;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Natural(pub Rc<str>);

impl Ord for Natural {
    fn cmp(&self, other: &Self) -> Ordering {
        // Names that count alike (`1`, `01`) are told apart by their characters.
        natural(&self.0, &other.0).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Natural {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Once in the page, not wherever something is looked up.
#[inline(never)]
fn natural(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = without_common_start(left, right);
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

/// Topics have long starts in common: these need no look at each character. A number is not cut.
fn without_common_start<'a>(left: &'a str, right: &'a str) -> (&'a str, &'a str) {
    let pairs = left.bytes().zip(right.bytes());
    let mut common = pairs.take_while(|(one, other)| one == other).count();
    let is_digit = |at: usize| left.as_bytes()[at].is_ascii_digit();
    while common > 0 && (!left.is_char_boundary(common) || is_digit(common - 1)) {
        common -= 1;
    }
    (&left[common..], &right[common..])
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
    fn a_common_start_changes_nothing() {
        let order = |left: &str, right: &str| Natural(left.into()).cmp(&Natural(right.into()));
        assert_eq!(order("p/agent-19", "p/agent-2"), Ordering::Greater);
        assert_eq!(order("p/1234", "p/1235"), Ordering::Less);
        assert_eq!(order("p/12", "p/123"), Ordering::Less);
        assert_eq!(order("p/007", "p/07"), Ordering::Less);
        // Their first bytes are the same, their characters are not.
        assert_eq!(order("ä", "ö"), Ordering::Less);
        assert_eq!(order("p/1", "p/1"), Ordering::Equal);
    }

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
        names.sort_by_key(|name| Natural((*name).into()));
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
