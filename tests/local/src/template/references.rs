//! What refers to what: the order in which custom resources can be provisioned, and circles, which CloudFormation
//! refuses at deployment and this stack at start.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::error::{Problem, TemplateError};
use super::evaluate::{SubPart, attribute_name, intrinsic, sub_arguments, sub_parts};

/// Adds the names that a value refers to; of a `Fn::If` only the branch that counts.
pub(super) fn collect(
    value: &Value,
    conditions: &BTreeMap<String, bool>,
    place: &str,
    names: &mut BTreeSet<String>,
) -> Result<(), TemplateError> {
    match intrinsic(value, place)? {
        Some(("Ref", argument)) => {
            names.extend(argument.as_str().map(str::to_owned));
            return Ok(());
        }
        Some(("Fn::GetAtt", argument)) => {
            names.insert(attribute_name(argument, place)?.0);
            return Ok(());
        }
        Some(("Fn::Sub", argument)) => {
            let (template, variables) = sub_arguments(argument, place)?;
            for part in sub_parts(template, place)? {
                if let SubPart::Variable(name) = part
                    && !variables.is_some_and(|variables| variables.contains_key(name))
                {
                    names.insert(name.split_once('.').map_or(name, |(resource, _)| resource).to_owned());
                }
            }
            for value in variables.into_iter().flat_map(serde_json::Map::values) {
                collect(value, conditions, place, names)?;
            }
            return Ok(());
        }
        Some(("Fn::If", Value::Array(parts))) if parts.len() == 3 => {
            let chosen =
                parts[0].as_str().and_then(|name| conditions.get(name)).map(|yes| if *yes { 1 } else { 2 });
            if let Some(chosen) = chosen {
                return collect(&parts[chosen], conditions, place, names);
            }
        }
        _ => {}
    }
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| collect(item, conditions, place, names)),
        Value::Object(entries) => {
            entries.values().try_for_each(|entry| collect(entry, conditions, place, names))
        }
        _ => Ok(()),
    }
}

/// Which resource needs which others to exist before it.
pub(super) type Graph = BTreeMap<String, BTreeSet<String>>;

/// An error that shows the first circle.
pub(super) fn refuse_circles(graph: &Graph) -> Result<(), TemplateError> {
    let mut done = BTreeSet::new();
    for start in graph.keys() {
        let mut path = Vec::new();
        visit(start, graph, &mut path, &mut done)?;
    }
    Ok(())
}

fn visit<'a>(
    name: &'a str,
    graph: &'a Graph,
    path: &mut Vec<&'a str>,
    done: &mut BTreeSet<&'a str>,
) -> Result<(), TemplateError> {
    if done.contains(name) {
        return Ok(());
    }
    if let Some(start) = path.iter().position(|other| *other == name) {
        let circle: Vec<String> = path[start..].iter().copied().chain([name]).map(str::to_owned).collect();
        return Err(TemplateError::at(name, Problem::Circular(circle)));
    }
    path.push(name);
    for next in graph.get(name).into_iter().flatten() {
        visit(next, graph, path, done)?;
    }
    path.pop();
    done.insert(name);
    Ok(())
}

/// Everything that needs one of `roots`, directly or through others; the roots themselves too.
pub(super) fn dependants(graph: &Graph, roots: &BTreeSet<String>) -> BTreeSet<String> {
    let mut found = roots.clone();
    loop {
        let more: Vec<String> = graph
            .iter()
            .filter(|(name, needs)| !found.contains(*name) && !needs.is_disjoint(&found))
            .map(|(name, _)| name.clone())
            .collect();
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use serde_json::json;

    use super::*;

    fn graph(edges: &[(&str, &[&str])]) -> Graph {
        edges
            .iter()
            .map(|(name, needs)| ((*name).to_owned(), needs.iter().map(|need| (*need).to_owned()).collect()))
            .collect()
    }

    #[test]
    fn every_form_of_reference_counts_once() {
        let value = json!({
            "a": {"Ref": "A"},
            "b": [{"Fn::GetAtt": ["B", "Arn"]}],
            "c": {"Fn::Sub": "${C.Arn}-${!Not}-${D}"},
            "d": {"Fn::Sub": ["${x}${E}", {"x": {"Ref": "F"}}]},
            "e": {"Fn::If": ["No", {"Ref": "Not"}, {"Ref": "G"}]},
        });
        let mut names = BTreeSet::new();
        collect(&value, &BTreeMap::from([("No".to_owned(), false)]), "X", &mut names).unwrap();
        assert_eq!(names, ["A", "B", "C", "D", "E", "F", "G"].map(str::to_owned).into());
    }

    #[test]
    fn a_circle_is_shown() {
        let error = refuse_circles(&graph(&[("A", &["B"]), ("B", &["C"]), ("C", &["B"])])).unwrap_err();
        assert!(error.to_string().contains("B → C → B"), "{error}");
        refuse_circles(&graph(&[("A", &["B", "C"]), ("B", &["C"]), ("C", &[])])).unwrap();
    }

    #[test]
    fn dependants_are_transitive() {
        let graph = graph(&[("A", &["B"]), ("B", &["K"]), ("C", &[]), ("K", &["C"])]);
        assert_eq!(dependants(&graph, &["K".to_owned()].into()), ["A", "B", "K"].map(str::to_owned).into());
    }
}
