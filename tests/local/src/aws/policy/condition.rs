//! Conditions of a statement: operators, set operators, keys and policy variables.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// The request's condition keys, lower case, with their values. A key that is absent is not in the request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Context {
    values: BTreeMap<String, Vec<String>>,
}

/// The keys that calls provide. A policy that names another one is refused when it is read, because its conditions
/// would be judged on a value that AWS has and we have not.
const KNOWN_KEYS: [&str; 21] = [
    "aws:currenttime",
    "aws:principalaccount",
    "aws:principalarn",
    "aws:securetransport",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:userid",
    "dynamodb:leadingkeys",
    "s3:authtype",
    "s3:delimiter",
    "s3:if-match",
    "s3:if-none-match",
    "s3:max-keys",
    "s3:objectcreationoperation",
    "s3:prefix",
    "s3:signatureage",
    "s3:signatureversion",
    "s3:versionid",
    "s3:x-amz-content-sha256",
    "sts:externalid",
    "sts:rolesessionname",
];

impl Context {
    /// Adds a value of a key.
    pub(crate) fn add(&mut self, key: &str, value: impl Into<String>) {
        self.values.entry(key.to_ascii_lowercase()).or_default().push(value.into());
    }

    /// The same context with more keys.
    #[must_use]
    pub(crate) fn with(mut self, key: &str, value: impl Into<String>) -> Context {
        self.add(key, value);
        self
    }

    /// Adds all keys of another context that this one does not have.
    pub(crate) fn extend(&mut self, other: &Context) {
        for (key, values) in &other.values {
            self.values.entry(key.clone()).or_insert_with(|| values.clone());
        }
    }

    fn get(&self, key: &str) -> Option<&[String]> {
        self.values.get(key).map(Vec::as_slice)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quantifier {
    /// No set operator: the key holds one value, and any of the request's may match.
    One,
    /// `ForAllValues:`; holds when the key is absent.
    All,
    /// `ForAnyValue:`; fails when the key is absent.
    Any,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    StringEquals,
    StringEqualsIgnoreCase,
    /// Also `ArnEquals` and `ArnLike`, which AWS treats alike.
    StringLike,
    Arn,
    NumericEquals,
    NumericLessThan,
    NumericLessThanEquals,
    NumericGreaterThan,
    NumericGreaterThanEquals,
    Bool,
}

#[derive(Debug, Clone)]
enum Test {
    /// `Null`: whether the key is absent.
    Absent(bool),
    Compare {
        quantifier: Quantifier,
        comparison: Comparison,
        negated: bool,
        if_exists: bool,
        values: Vec<String>,
    },
}

/// One operator applied to one key.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    /// Lower case.
    key: String,
    /// The key as the policy writes it.
    written_key: String,
    test: Test,
}

impl Condition {
    pub(super) fn parse_all(operators: &Map<String, Value>) -> Result<Vec<Condition>, String> {
        let mut conditions = Vec::new();
        for (operator, keys) in operators {
            let keys = keys.as_object().ok_or(format!("Condition.{operator} is an object"))?;
            for (key, values) in keys {
                conditions.push(Condition::parse(operator, key, values)?);
            }
        }
        Ok(conditions)
    }

    fn parse(operator: &str, key: &str, values: &Value) -> Result<Condition, String> {
        let lower = key.to_ascii_lowercase();
        if !KNOWN_KEYS.contains(&lower.as_str()) {
            return Err(format!("condition key {key} is not supported"));
        }
        let values = condition_values(values, operator)?;
        for value in &values {
            substitute(value, &Context::default(), true)?;
        }
        if operator == "Null" {
            let [absent] = values.as_slice() else { return Err("Null takes one value".to_owned()) };
            let absent = absent.parse().map_err(|_| "Null takes true or false".to_owned())?;
            return Ok(Condition { key: lower, written_key: key.to_owned(), test: Test::Absent(absent) });
        }
        let (quantifier, rest) = match operator.split_once(':') {
            Some(("ForAllValues", rest)) => (Quantifier::All, rest),
            Some(("ForAnyValue", rest)) => (Quantifier::Any, rest),
            Some(_) => return Err(format!("condition operator {operator} is not supported")),
            None => (Quantifier::One, operator),
        };
        let (rest, if_exists) = rest.strip_suffix("IfExists").map_or((rest, false), |rest| (rest, true));
        let (comparison, negated) = match rest {
            "StringEquals" => (Comparison::StringEquals, false),
            "StringNotEquals" => (Comparison::StringEquals, true),
            "StringEqualsIgnoreCase" => (Comparison::StringEqualsIgnoreCase, false),
            "StringNotEqualsIgnoreCase" => (Comparison::StringEqualsIgnoreCase, true),
            "StringLike" => (Comparison::StringLike, false),
            "StringNotLike" => (Comparison::StringLike, true),
            "ArnEquals" | "ArnLike" => (Comparison::Arn, false),
            "ArnNotEquals" | "ArnNotLike" => (Comparison::Arn, true),
            "NumericEquals" => (Comparison::NumericEquals, false),
            "NumericNotEquals" => (Comparison::NumericEquals, true),
            "NumericLessThan" => (Comparison::NumericLessThan, false),
            "NumericLessThanEquals" => (Comparison::NumericLessThanEquals, false),
            "NumericGreaterThan" => (Comparison::NumericGreaterThan, false),
            "NumericGreaterThanEquals" => (Comparison::NumericGreaterThanEquals, false),
            "Bool" => (Comparison::Bool, false),
            _ => return Err(format!("condition operator {operator} is not supported")),
        };
        Ok(Condition {
            key: lower,
            written_key: key.to_owned(),
            test: Test::Compare { quantifier, comparison, negated, if_exists, values },
        })
    }

    /// What can be used of it, for people: its key with each of its values, which are alternatives. Values of a negated
    /// one work together: they are one, with a leading `!`.
    pub(super) fn names(&self) -> Vec<String> {
        let key = &self.written_key;
        match &self.test {
            Test::Absent(absent) => vec![format!("{key} {}", if *absent { "absent" } else { "present" })],
            Test::Compare { negated: true, values, .. } => vec![format!("{key} !{}", values.join(","))],
            Test::Compare { values, .. } => values.iter().map(|value| format!("{key} {value}")).collect(),
        }
    }

    /// Whether the request meets it, and by which of its [`names`](Self::names): the first that fits each value of the
    /// request. Values of one condition are alternatives, negated ones must all differ.
    pub(super) fn holds(&self, context: &Context) -> Option<Vec<String>> {
        let present = context.get(&self.key);
        let (quantifier, comparison, negated, if_exists, values) = match &self.test {
            Test::Absent(absent) => return (present.is_none() == *absent).then(|| self.names()),
            Test::Compare { quantifier, comparison, negated, if_exists, values } => {
                (*quantifier, *comparison, *negated, *if_exists, values)
            }
        };
        let expected: Vec<Option<String>> =
            values.iter().map(|value| substitute(value, context, false).ok()).collect();
        let first_fit = |actual: &String| {
            let fits = |expected: &Option<String>| {
                expected.as_ref().is_some_and(|expected| comparison.matches(expected, actual))
            };
            expected.iter().position(fits)
        };
        let meets = |actual: &String| negated != first_fit(actual).is_some();
        let holds = match (present, quantifier) {
            (None, Quantifier::All) => true,
            (None, Quantifier::Any) => if_exists,
            (None, Quantifier::One) => if_exists || negated,
            (Some(actual), Quantifier::All) => actual.iter().all(meets),
            (Some(actual), Quantifier::One) if negated => actual.iter().all(meets),
            (Some(actual), Quantifier::Any | Quantifier::One) => actual.iter().any(meets),
        };
        holds.then(|| {
            let names = self.names();
            match present {
                None => Vec::new(),
                Some(_) if negated => names,
                Some(actual) => {
                    actual.iter().filter_map(first_fit).map(|position| names[position].clone()).collect()
                }
            }
        })
    }
}

impl Comparison {
    fn matches(self, expected: &str, actual: &str) -> bool {
        let numbers = || Some((expected.parse::<f64>().ok()?, actual.parse::<f64>().ok()?));
        match self {
            // A variable's wildcard characters stand for themselves, so equality never meets a pattern.
            Comparison::StringEquals => unmark(expected) == actual,
            Comparison::StringEqualsIgnoreCase => unmark(expected).to_lowercase() == actual.to_lowercase(),
            Comparison::StringLike => wildcard_match(expected, actual),
            Comparison::Arn => arn_match(expected, actual),
            Comparison::NumericEquals => {
                numbers().is_some_and(|(expected, actual)| (expected - actual).abs() < f64::EPSILON)
            }
            Comparison::NumericLessThan => numbers().is_some_and(|(expected, actual)| actual < expected),
            Comparison::NumericLessThanEquals => {
                numbers().is_some_and(|(expected, actual)| actual <= expected)
            }
            Comparison::NumericGreaterThan => numbers().is_some_and(|(expected, actual)| actual > expected),
            Comparison::NumericGreaterThanEquals => {
                numbers().is_some_and(|(expected, actual)| actual >= expected)
            }
            Comparison::Bool => expected.eq_ignore_ascii_case(actual),
        }
    }
}

fn condition_values(values: &Value, operator: &str) -> Result<Vec<String>, String> {
    let one = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(format!("Condition.{operator} holds strings")),
    };
    match values {
        Value::Array(values) => values.iter().map(one).collect(),
        value => Ok(vec![one(value)?]),
    }
}

/// A character that stands for itself although it looks like a wildcard: what a policy variable brought in.
const LITERAL: char = '\u{0}';

/// Replaces `${key}` by the request's value, `${*}`, `${?}` and `${$}` by the character. While a policy is read
/// (`reading`), only the names are checked. Where the request lacks the key, the text matches nothing: an error.
pub(super) fn substitute(text: &str, context: &Context, reading: bool) -> Result<String, String> {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        result.push_str(&rest[..start]);
        let (name, after) =
            rest[start + 2..].split_once('}').ok_or(format!("{text}: a policy variable ends in }}"))?;
        match name {
            "*" | "?" | "$" => push_literal(&mut result, name),
            _ => {
                let key = name.to_ascii_lowercase();
                if !KNOWN_KEYS.contains(&key.as_str()) {
                    return Err(format!("policy variable ${{{name}}} is not supported"));
                }
                match context.get(&key) {
                    Some([value]) => push_literal(&mut result, value),
                    _ if reading => {}
                    _ => return Err(format!("the request has no single {name}")),
                }
            }
        }
        rest = after;
    }
    result.push_str(rest);
    Ok(result)
}

fn push_literal(text: &mut String, value: &str) {
    for character in value.chars() {
        if matches!(character, '*' | '?') {
            text.push(LITERAL);
        }
        text.push(character);
    }
}

fn unmark(text: &str) -> String {
    text.replace(LITERAL, "")
}

/// ARNs match part by part: a wildcard does not reach beyond its colon, except in the last part.
fn arn_match(pattern: &str, arn: &str) -> bool {
    let (patterns, parts): (Vec<&str>, Vec<&str>) =
        (pattern.splitn(6, ':').collect(), arn.splitn(6, ':').collect());
    patterns.len() == 6
        && parts.len() == 6
        && patterns.iter().zip(&parts).all(|(pattern, part)| wildcard_match(pattern, part))
}

/// Whether a text fits a pattern, in which `*` stands for any characters and `?` for one.
pub(crate) fn wildcard_match(pattern: &str, text: &str) -> bool {
    #[derive(PartialEq)]
    enum Symbol {
        Many,
        Single,
        Exactly(char),
    }
    let mut symbols = Vec::new();
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        symbols.push(match character {
            LITERAL => Symbol::Exactly(characters.next().unwrap_or(LITERAL)),
            '*' => Symbol::Many,
            '?' => Symbol::Single,
            other => Symbol::Exactly(other),
        });
    }
    let text: Vec<char> = text.chars().collect();
    let (mut symbol, mut position) = (0, 0);
    // Where to go on after the last `*`: it takes one character more each time.
    let mut retry: Option<(usize, usize)> = None;
    while position < text.len() {
        match symbols.get(symbol) {
            Some(Symbol::Many) => {
                retry = Some((symbol + 1, position));
                symbol += 1;
            }
            Some(Symbol::Single) => {
                symbol += 1;
                position += 1;
            }
            Some(Symbol::Exactly(expected)) if *expected == text[position] => {
                symbol += 1;
                position += 1;
            }
            _ => match &mut retry {
                Some((after, taken)) => {
                    *taken += 1;
                    (symbol, position) = (*after, *taken);
                }
                None => return false,
            },
        }
    }
    symbols[symbol..].iter().all(|symbol| *symbol == Symbol::Many)
}
