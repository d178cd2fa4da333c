//! The numbers in a topic's messages, and the line they make.

use std::fmt::Write;
use std::rc::Rc;

use serde_json::Value;

use super::format::fixed;
use super::message::Message;
use super::payload::Payload;

/// Members of an object that are offered.
const FIELDS_MAX: usize = 20;

/// The numbers that a payload has: itself (with an empty name), or the members of a JSON object.
pub fn fields(payload: &Payload) -> Vec<(String, f64)> {
    let Some(value) = value(payload) else {
        return Vec::new();
    };
    match &value {
        Value::Object(members) => {
            let number = |(name, value): (&String, &Value)| Some((name.clone(), number(value)?));
            members.iter().filter_map(number).take(FIELDS_MAX).collect()
        }
        plain => number(plain)
            .map(|n| (String::new(), n))
            .into_iter()
            .collect(),
    }
}

/// The number called so in each message, with when it arrived; the oldest first. `versions` have the newest first.
pub fn points(versions: &[Rc<Message>], field: &str) -> Vec<(i64, f64)> {
    let point = |message: &Rc<Message>| {
        let value = value(&message.payload)?;
        let value = if field.is_empty() {
            &value
        } else {
            value.get(field)?
        };
        Some((message.at_ms, number(value)?))
    };
    versions.iter().rev().filter_map(point).collect()
}

fn value(payload: &Payload) -> Option<Value> {
    if payload.is_cut() {
        return None;
    }
    serde_json::from_str(payload.text()?).ok()
}

/// `true` and `false` are drawn as steps.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::Bool(is) => Some(f64::from(u8::from(*is))),
        _ => None,
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// The `d` of a path.
    pub path: String,
    pub min: f64,
    pub max: f64,
    pub last: f64,
}

/// A line from left to right by time within `width` by `height`; `None` with less than two points.
pub fn line(points: &[(i64, f64)], width: f64, height: f64) -> Option<Line> {
    let (first, last) = (points.first()?, points.last()?);
    if points.len() < 2 {
        return None;
    }
    let values = || points.iter().map(|(_, value)| *value);
    let (min, max) = (
        values().fold(f64::INFINITY, f64::min),
        values().fold(f64::NEG_INFINITY, f64::max),
    );
    // Of numbers as large as they can be the difference is none.
    let range = (max / 2.0 - min / 2.0) * 2.0;
    let duration = (last.0 - first.0) as f64;
    let place = |index: usize, (at_ms, value): (i64, f64)| {
        let share = if duration > 0.0 {
            (at_ms - first.0) as f64 / duration
        } else {
            index as f64 / (points.len() - 1) as f64
        };
        let level = if range > 0.0 && range.is_finite() {
            (value - min) / range
        } else {
            0.5
        };
        (share * width, height - level * height)
    };
    let mut path = String::new();
    for (index, point) in points.iter().enumerate() {
        let (x, y) = place(index, *point);
        let command = if index == 0 { 'M' } else { 'L' };
        // Writing to a string does not fail.
        let _written = write!(path, "{command}{} {}", fixed(x, 1), fixed(y, 1));
    }
    Some(Line {
        path,
        min,
        max,
        last: last.1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::message::Properties;

    fn message(at_ms: i64, payload: &str) -> Rc<Message> {
        Rc::new(Message {
            topic: "t".into(),
            payload: Payload::new(payload.as_bytes()),
            qos: 0,
            retained: false,
            properties: Properties::default(),
            at_ms,
        })
    }

    #[test]
    fn numbers_stand_alone_or_in_an_object() {
        let fields = |text: &str| fields(&Payload::new(text.as_bytes()));
        assert_eq!(fields("21.5"), [(String::new(), 21.5)]);
        assert_eq!(
            fields(r#"{"b":2,"a":true,"s":"3","n":null}"#),
            [("a".to_owned(), 1.0), ("b".to_owned(), 2.0)]
        );
        assert!(fields("\"5\"").is_empty() && fields("[1]").is_empty() && fields("x").is_empty());
    }

    #[test]
    fn points_are_those_that_have_the_number() {
        let versions = [
            message(30, r#"{"t":3}"#),
            message(20, "broken"),
            message(10, r#"{"t":1}"#),
        ];
        assert_eq!(points(&versions, "t"), [(10, 1.0), (30, 3.0)]);
        assert!(points(&versions, "").is_empty());
    }

    #[test]
    fn the_line_fills_its_box() {
        let drawn = line(&[(0, 1.0), (50, 3.0), (100, 2.0)], 100.0, 20.0).expect("a line");
        assert_eq!(drawn.path, "M0.0 20.0L50.0 0.0L100.0 10.0");
        assert_eq!((drawn.min, drawn.max, drawn.last), (1.0, 3.0, 2.0));
        assert_eq!(line(&[(0, 1.0)], 100.0, 20.0), None);
        let level = line(&[(0, 5.0), (0, 5.0)], 100.0, 20.0).expect("a line");
        assert_eq!(level.path, "M0.0 10.0L100.0 10.0");
        let extreme = line(&[(0, f64::MIN), (1, f64::MAX)], 10.0, 10.0).expect("a line");
        assert!(!extreme.path.contains("NaN") && !extreme.path.contains("inf"));
    }
}
