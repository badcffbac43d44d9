#![allow(clippy::unwrap_used, clippy::expect_used)]

use serde_json::json;

use super::*;

struct Names;

impl Scope for Names {
    fn reference(&self, name: &str, place: &str) -> Result<Option<Value>, TemplateError> {
        match name {
            "AWS::NoValue" => Ok(None),
            "AWS::Region" => Ok(Some(json!("us-east-1"))),
            "Stage" => Ok(Some(json!("prod"))),
            "Zones" => Ok(Some(json!(["a", "b"]))),
            _ => Err(TemplateError::at(place, Problem::UnresolvedReference(name.to_owned()))),
        }
    }

    fn attribute(&self, resource: &str, attribute: &str, _: &str) -> Result<Value, TemplateError> {
        Ok(json!(format!("<{resource}|{attribute}>")))
    }

    fn condition(&self, name: &str, place: &str) -> Result<bool, TemplateError> {
        match name {
            "Yes" => Ok(true),
            "No" => Ok(false),
            _ => Err(TemplateError::at(place, Problem::UnknownCondition(name.to_owned()))),
        }
    }
}

fn value_of(value: &Value) -> Result<Option<Value>, TemplateError> {
    evaluate(value, &Names, "X.Properties.P")
}

#[test]
fn each_intrinsic_function() {
    let cases = [
        (json!({"Ref": "Stage"}), json!("prod")),
        (json!({"Fn::GetAtt": ["Table", "Arn"]}), json!("<Table|Arn>")),
        (json!({"Fn::GetAtt": "Keys.Public.Jwks"}), json!("<Keys|Public.Jwks>")),
        (
            json!({"Fn::Sub": "a-${Stage}-${Table.Arn}-${!Literal}-$x"}),
            json!("a-prod-<Table|Arn>-${Literal}-$x"),
        ),
        (
            json!({"Fn::Sub": ["${x}/${Stage}/${x.y}", {"x": {"Ref": "AWS::Region"}, "x.y": 7}]}),
            json!("us-east-1/prod/7"),
        ),
        (json!({"Fn::If": ["Yes", "then", {"Fn::Nope": 1}]}), json!("then")),
        (json!({"Fn::If": ["No", {"Ref": "Nothing"}, {"Ref": "Stage"}]}), json!("prod")),
        (json!({"Fn::Join": ["-", ["a", {"Ref": "Stage"}, 3, {"Ref": "AWS::NoValue"}]]}), json!("a-prod-3")),
        (json!({"Fn::Join": [",", {"Ref": "Zones"}]}), json!("a,b")),
        (json!({"Fn::Select": [1, {"Ref": "Zones"}]}), json!("b")),
        (json!({"Fn::Select": ["0", {"Fn::Split": [",", "x,y"]}]}), json!("x")),
        (json!({"Fn::Split": ["|", "a|b|c"]}), json!(["a", "b", "c"])),
        (json!({"plain": [1, true, null, "s"]}), json!({"plain": [1, true, null, "s"]})),
    ];
    for (input, expected) in cases {
        assert_eq!(value_of(&input).unwrap(), Some(expected), "{input}");
    }
}

#[test]
fn no_value_removes_the_property_and_the_item() {
    let input = json!({
        "kept": 1,
        "gone": {"Ref": "AWS::NoValue"},
        "list": [1, {"Fn::If": ["No", 2, {"Ref": "AWS::NoValue"}]}, 3],
    });
    assert_eq!(value_of(&input).unwrap(), Some(json!({"kept": 1, "list": [1, 3]})));
    assert_eq!(value_of(&json!({"Ref": "AWS::NoValue"})).unwrap(), None);
}

#[test]
fn every_error_names_place_and_cause() {
    let cases = [
        (
            json!({"a": [{"Fn::ImportValue": "x"}]}),
            "X.Properties.P.a[0].Fn::ImportValue: intrinsic function Fn::ImportValue",
        ),
        (json!({"Fn::FindInMap": ["a", "b", "c"]}), "Fn::FindInMap"),
        (json!({"Ref": "Nothing"}), "X.Properties.P.Ref: Nothing refers to nothing"),
        (json!({"Fn::Sub": "${Nothing}"}), "Nothing refers to nothing"),
        (json!({"Fn::Sub": "${Stage"}), "without `}`"),
        (json!({"Fn::Sub": {"a": 1}}), "expected a text"),
        (json!({"Fn::If": ["Maybe", 1, 2]}), "condition Maybe is not declared"),
        (json!({"Fn::If": ["Yes", 1]}), "expected a list of three"),
        (json!({"Fn::Select": [2, ["a", "b"]]}), "no item 2 among 2"),
        (json!({"Fn::Join": ["", "text"]}), "expected a list"),
        (json!({"Fn::GetAtt": ["Table"]}), "expected a resource and an attribute"),
        (json!({"Ref": "Stage", "Other": 1}), "only key"),
    ];
    for (input, message) in cases {
        let error = value_of(&input).unwrap_err().to_string();
        assert!(error.starts_with("X.Properties.P"), "{error}");
        assert!(error.contains(message), "{input}: {error}");
    }
}

#[test]
fn conditions_combine_and_name_each_other() {
    let declared = json!({
        "A": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]},
        "B": {"Fn::Not": [{"Condition": "A"}]},
        "C": {"Fn::And": [{"Condition": "A"}, {"Condition": "B"}]},
        "D": {"Fn::Or": [{"Condition": "A"}, {"Condition": "B"}]},
        "E": {"Fn::Equals": [true, "true"]},
    });
    let values = conditions(declared.as_object().unwrap(), &Names).unwrap();
    let expected = [("A", true), ("B", false), ("C", false), ("D", true), ("E", true)];
    assert_eq!(values, expected.map(|(name, value)| (name.to_owned(), value)).into());
}

#[test]
fn bad_conditions_are_named() {
    let cases = [
        (json!({"A": {"Condition": "B"}, "B": {"Condition": "A"}}), "A → B → A"),
        (json!({"A": {"Condition": "Z"}}), "condition Z is not declared"),
        (json!({"A": {"Fn::Contains": [1, 2]}}), "Fn::Contains"),
        (json!({"A": {"Fn::Not": []}}), "expected a list of conditions"),
        (json!({"A": true}), "expected a condition function"),
    ];
    for (declared, message) in cases {
        let error = conditions(declared.as_object().unwrap(), &Names).unwrap_err().to_string();
        assert!(error.starts_with("Conditions.A") || error.starts_with("Conditions.B"), "{error}");
        assert!(error.contains(message), "{error}");
    }
}
