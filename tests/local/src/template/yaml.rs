//! YAML with CloudFormation's short tags, read into the long form: `!Sub x` becomes `{"Fn::Sub": "x"}`, as
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html> has it. Which
//! functions exist is decided where they are evaluated; a duplicate key is an error here.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::Tagged;

use super::error::TemplateError;

/// Reads a template's text into a tree in which every intrinsic function has its long form.
pub fn parse(text: &str) -> Result<Value, TemplateError> {
    // Only `true` and `false` are booleans: `AttributeType: N` is a string.
    let options = serde_saphyr::options! { strict_booleans: true };
    let node: Node = serde_saphyr::from_str_with_options(text, options)
        .map_err(|error| TemplateError::Yaml(error.to_string()))?;
    Ok(node.0)
}

struct Node(Value);

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Tagged(Content(value), tag) = Tagged::<Content>::deserialize(deserializer)?;
        match tag {
            None => Ok(Self(value)),
            // YAML's own tags (`!!str`, …) have steered the reading of the scalar already.
            Some(tag) if tag.starts_with("tag:yaml.org,2002:") => Ok(Self(value)),
            Some(tag) => Ok(Self(long_form(&tag, value).map_err(D::Error::custom)?)),
        }
    }
}

fn long_form(tag: &str, value: Value) -> Result<Value, String> {
    let name = tag.strip_prefix('!').ok_or_else(|| format!("unknown tag {tag}"))?;
    let key = match name {
        "Ref" | "Condition" => name.to_owned(),
        _ => format!("Fn::{name}"),
    };
    let value = match (name, value) {
        ("GetAtt", Value::String(text)) => {
            let (resource, attribute) =
                text.split_once('.').ok_or_else(|| format!("!GetAtt {text}: expected Resource.Attribute"))?;
            Value::from(vec![resource, attribute])
        }
        (_, value) => value,
    };
    Ok(Value::Object(Map::from_iter([(key, value)])))
}

/// A node without its tag.
struct Content(Value);

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor).map(Self)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a YAML node")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number must be finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Node::deserialize(deserializer).map(|node| node.0)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Node(value)) = sequence.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut mapping: A) -> Result<Value, A::Error> {
        let mut values = Map::new();
        while let Some((key, Node(value))) = mapping.next_entry::<String, Node>()? {
            if values.contains_key(&key) {
                return Err(A::Error::custom(format!("duplicate key {key}")));
            }
            values.insert(key, value);
        }
        Ok(Value::Object(values))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use serde_json::json;

    use super::*;

    #[test]
    fn short_tags_become_the_long_form() {
        let tree = parse(
            "a: !Ref Table\nb: !GetAtt Table.Arn\nc: !Sub '${AWS::Region}-x'\nd: !If [Prod, !Ref A, !Sub b]\n\
             e: !Sub\n  - '${x}'\n  - x: !Ref Y\nf: !Not [!Condition C]\n",
        )
        .unwrap();

        assert_eq!(
            tree,
            json!({
                "a": {"Ref": "Table"},
                "b": {"Fn::GetAtt": ["Table", "Arn"]},
                "c": {"Fn::Sub": "${AWS::Region}-x"},
                "d": {"Fn::If": ["Prod", {"Ref": "A"}, {"Fn::Sub": "b"}]},
                "e": {"Fn::Sub": ["${x}", {"x": {"Ref": "Y"}}]},
                "f": {"Fn::Not": [{"Condition": "C"}]},
            })
        );
    }

    #[test]
    fn scalars_keep_their_types() {
        let tree =
            parse("a: 30\nb: 'true'\nc: true\nd: 2012-10-17\ne: 1.5\nf:\ng: '000000000000'\nh: |\n  two\n  lines\ni: N\n")
                .unwrap();

        assert_eq!(
            tree,
            json!({"a": 30, "b": "true", "c": true, "d": "2012-10-17", "e": 1.5, "f": null, "g": "000000000000",
                   "h": "two\nlines\n", "i": "N"})
        );
    }

    #[test]
    fn tagged_scalars_that_look_like_numbers_stay_usable() {
        assert_eq!(parse("a: !Ref 12ab").unwrap(), json!({"a": {"Ref": "12ab"}}));
    }

    #[test]
    fn duplicate_keys_and_malformed_text_are_errors() {
        for text in ["a: 1\na: 2\n", "a: [1\n", "a: !GetAtt Table\n"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
