//! Alarms, the dashboard and the runbook: what the template watches is there to be watched, and whoever is woken finds what
//! to do.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::platform::Platform;

crate::tests![
    alarms_watch_what_there_is_and_tell_somebody,
    every_alarm_has_its_entry_in_the_runbook,
    the_dashboard_shows_every_metric,
];

/// Alarms on more metrics than these are charged for.
const FREE_ALARM_METRICS: usize = 10;

fn resources() -> Map<String, Value> {
    let mut template = local::template::read(&local::Options::default().template).unwrap();
    let Value::Object(resources) = template["Resources"].take() else { panic!("no resources") };
    resources
}

/// Logical ids and properties.
fn resources_of_type(resource_type: &str) -> Vec<(String, Value)> {
    let of_type = resources().into_iter().filter(|(_, resource)| resource["Type"] == resource_type);
    of_type.map(|(logical_id, mut resource)| (logical_id, resource["Properties"].take())).collect()
}

fn alarms() -> Vec<(String, Value)> {
    resources_of_type("AWS::CloudWatch::Alarm")
}

/// The metrics that an alarm looks at.
fn metrics_of(alarm: &Value) -> Vec<&Value> {
    match &alarm["Metrics"] {
        Value::Array(queries) => {
            queries.iter().filter_map(|query| query.pointer("/MetricStat/Metric")).collect()
        }
        _ => vec![alarm],
    }
}

async fn alarms_watch_what_there_is_and_tell_somebody(_platform: &Platform) {
    let resources = resources();
    let ours: BTreeSet<_> = api::metrics::names().collect();
    let mut watched = 0;
    for (logical_id, alarm) in alarms() {
        assert!(!alarm["AlarmDescription"].as_str().unwrap().is_empty(), "{logical_id}");
        assert_eq!(alarm["AlarmActions"][0]["Ref"], "AlarmTopic", "{logical_id} tells nobody");
        assert!(alarm["TreatMissingData"].is_string(), "{logical_id} leaves silence to a default");
        for metric in metrics_of(&alarm) {
            watched += 1;
            let (namespace, name) =
                (metric["Namespace"].as_str().unwrap(), metric["MetricName"].as_str().unwrap());
            assert_eq!(
                namespace == api::metrics::NAMESPACE,
                ours.contains(name),
                "{logical_id}: {namespace} {name}"
            );
            for dimension in metric["Dimensions"].as_array().into_iter().flatten() {
                let value = &dimension["Value"];
                let named = value["Ref"].as_str().or(value["Fn::GetAtt"][0].as_str());
                let named = named.or(value["Fn::GetAtt"].as_str().and_then(|text| text.split('.').next()));
                let named = named.unwrap_or_else(|| panic!("{logical_id}: {value}"));
                let is_service = dimension["Name"] == "Service" && named == "AWS::StackName";
                assert!(is_service || resources.contains_key(named), "{logical_id}: there is no {named}");
            }
        }
    }
    assert!((1..=FREE_ALARM_METRICS).contains(&watched), "{watched}");
}

async fn every_alarm_has_its_entry_in_the_runbook(_platform: &Platform) {
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let runbook = readme.split("\n## ").find(|section| section.starts_with("Runbook\n")).unwrap();
    let rows = runbook.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let entries: BTreeSet<&str> = rows.map(|(logical_id, _)| logical_id).collect();
    let alarms = alarms();
    let declared: BTreeSet<&str> = alarms.iter().map(|(logical_id, _)| logical_id.as_str()).collect();
    assert_eq!(entries, declared);
}

async fn the_dashboard_shows_every_metric(_platform: &Platform) {
    let dashboards = resources_of_type("AWS::CloudWatch::Dashboard");
    let [(_, dashboard)] = dashboards.as_slice() else { panic!("one dashboard") };
    let body = dashboard["DashboardBody"]["Fn::Sub"].as_str().unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    let widgets = body["widgets"].as_array().unwrap();
    let mut shown = BTreeSet::new();
    for properties in widgets.iter().map(|widget| &widget["properties"]) {
        for metric in properties["metrics"].as_array().into_iter().flatten() {
            if metric[0] == api::metrics::NAMESPACE {
                shown.insert(metric[1].as_str().unwrap().to_owned());
            }
        }
        let words = properties["query"]
            .as_str()
            .unwrap_or_default()
            .split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
        shown.extend(words.filter(|word| api::metrics::names().any(|name| name == *word)).map(str::to_owned));
    }
    let all: BTreeSet<String> = api::metrics::names().map(str::to_owned).collect();
    assert_eq!(shown, all);
}
