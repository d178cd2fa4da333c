//! JSON objects read as such. By themselves the types of requests would also be read from an array that has their members in
//! their order, which is nobody's intention.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};

/// A value that stands as an object.
#[derive(Clone, Copy, Debug)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members(PhantomData)).map(Self)
    }
}

struct Members<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(members))
    }
}

/// One member.
pub(crate) fn one<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Object::deserialize(deserializer).map(|Object(value)| value)
}

/// A member that has many.
pub(crate) fn all<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    let objects = Vec::<Object<T>>::deserialize(deserializer)?;
    Ok(objects.into_iter().map(|Object(value)| value).collect())
}

/// A member of this name that has so many at the most: of what is more nothing is kept, nor read.
pub(crate) fn few<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
    name: &'static str,
    most: usize,
) -> Result<Vec<T>, D::Error> {
    let objects = PhantomData;
    deserializer.deserialize_seq(Few {
        name,
        most,
        objects,
    })
}

struct Few<T> {
    name: &'static str,
    most: usize,
    objects: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Few<T> {
    type Value = Vec<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut objects: A) -> Result<Vec<T>, A::Error> {
        let mut values = Vec::new();
        while let Some(Object(value)) = objects.next_element()? {
            if values.len() == self.most {
                let Self { name, most, .. } = self;
                return Err(Error::custom(format_args!(
                    "{name}: at most {most} of them"
                )));
            }
            values.push(value);
        }
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PublishManyRequest, PublishRequest};

    fn error<'a, T: Deserialize<'a> + fmt::Debug>(text: &'a str) -> String {
        let read: Result<Object<T>, _> = serde_json::from_str(text);
        read.expect_err(text).to_string()
    }

    #[test]
    fn an_array_is_no_object() {
        for text in [
            r#"["t"]"#,
            r#"{"topic":"t","properties":[null]}"#,
            r#"{"topic":"t","properties":{"user_properties":[["a","b"]]}}"#,
        ] {
            let error = error::<PublishRequest>(text);
            assert!(error.contains("expected an object"), "{text}: {error}");
        }
        let error = error::<PublishManyRequest>(r#"{"messages":[["t"]]}"#);
        assert!(error.contains("expected an object"), "{error}");
    }

    #[test]
    fn an_object_is_read_with_all_its_rules() {
        let read: Result<Object<PublishRequest>, _> =
            serde_json::from_str(r#"{"topic":"t","properties":{"user_properties":[]}}"#);
        assert_eq!(read.expect("a request").0.qos, 1);
        let error = error::<PublishRequest>(r#"{"topic":"t","ttl":1}"#);
        assert!(error.contains("unknown field `ttl`"), "{error}");
    }
}
