//! The repository's own template.

use std::collections::BTreeSet;
use std::path::Path;

use local::functions::Registry;
use local::stack::Stack;
use local::template::{Provisioned, ProvisionedResource, Settings, Template, read};
use local::{LocalStack, Options};
use serde_json::Value;

/// Every attribute of a custom resource that the template asks for.
fn attributes(tree: &Value, resource: &str, found: &mut BTreeSet<String>) {
    match tree {
        Value::Object(entries) => {
            if let Some([Value::String(name), Value::String(attribute)]) =
                entries.get("Fn::GetAtt").and_then(Value::as_array).map(Vec::as_slice)
                && name == resource
            {
                found.insert(attribute.clone());
            }
            entries.values().for_each(|value| attributes(value, resource, found));
        }
        Value::Array(items) => items.iter().for_each(|item| attributes(item, resource, found)),
        _ => {}
    }
}

fn stack() -> Stack {
    stack_with(&[])
}

fn stack_with(parameters: &[(&str, &str)]) -> Stack {
    let tree = read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../template.yaml"))).unwrap();
    let parameters =
        parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let template = Template::new(&tree, Settings { parameters, ..Settings::default() }).unwrap();
    let mut provisioned = Provisioned::new();
    loop {
        let resolution = template.resolve(&provisioned).unwrap();
        if resolution.pending.is_empty() {
            return resolution.stack;
        }
        for pending in resolution.pending {
            let mut names = BTreeSet::new();
            attributes(&tree, &pending.logical_id, &mut names);
            let answer = ProvisionedResource {
                physical_id: "id".to_owned(),
                attributes: names.into_iter().map(|name| (name, "value".to_owned())).collect(),
                properties: pending.properties,
            };
            provisioned.insert(pending.logical_id, answer);
        }
    }
}

#[test]
fn the_template_can_be_run() {
    let stack = stack();
    assert!(!stack.routes.is_empty() && !stack.tables.is_empty() && stack.buckets.len() >= 2);
    assert!(stack.routes.iter().any(|route| route.path == "$default"));
    for mapping in &stack.event_source_mappings {
        assert!(stack.queue(&mapping.queue_arn).is_some(), "{}", mapping.queue_arn);
    }
}

#[test]
fn a_cdn_is_made_where_it_is_asked_for() {
    assert!(stack().distribution.is_none());
    let stack = stack_with(&[("CdnEnabled", "true")]);
    let cdn = stack.distribution.unwrap();
    let media = stack.buckets.iter().find(|bucket| bucket.logical_id == "MediaBucket").unwrap();
    let default = &cdn.default_cache_behavior;
    assert_eq!((&default.bucket, default.trusted_key_groups.len()), (&media.name, 1));
    for (pattern, behavior) in &cdn.cache_behaviors {
        assert!(behavior.trusted_key_groups.is_empty() && pattern.contains("/thumbnail/"), "{pattern}");
    }
    let told = stack.functions.values().filter(|one| one.environment.contains_key("CDN_DOMAIN"));
    assert!(told.into_iter().all(|function| function.environment["CDN_DOMAIN"] == cdn.domain_name));
}

#[test]
fn every_function_has_a_crate_and_every_crate_a_function() {
    let stack = stack();
    let declared: BTreeSet<&str> =
        stack.functions.values().map(|function| function.binary.as_str()).collect();
    let registry = Registry::platform();
    let crates: BTreeSet<&str> = registry.binaries().collect();
    assert_eq!(declared, crates);
}

#[tokio::test]
async fn the_demo_does_the_main_job() {
    local::demo::run(None, None).await.unwrap();
}

#[tokio::test]
async fn the_demo_says_which_step_failed() {
    let media = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../media"));
    let stack = LocalStack::start(Options::default()).await.unwrap();
    let api = stack.api_url().parse().unwrap();
    let error =
        local::demo::run(Some(&media.join("v_bad_text.mp4")), Some(&api)).await.unwrap_err().to_string();
    assert!(error.starts_with("waiting for the media to be ready: it is rejected: "), "{error}");

    stack.shut_down().await;
    let error = local::demo::run(None, Some(&api)).await.unwrap_err().to_string();
    assert!(error.starts_with("signing up: "), "{error}");
}
