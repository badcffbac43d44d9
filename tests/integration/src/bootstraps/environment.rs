//! What is missing or malformed in a function's environment ends its init with an error that names the variable, and
//! tells nothing of its value.

use std::collections::BTreeMap;

use futures::StreamExt as _;
use local::bootstrap::Bootstrap;
use local::stack::Function;

use super::binaries::Binaries;
use super::{AT_ONCE, functions};
use crate::platform::{PATIENCE, Platform};

crate::tests![a_missing_variable_ends_init_and_is_named, a_malformed_variable_ends_init_and_is_named];

/// Nothing that a variable of the template may be: no name, number, role, media type, key, URL or ARN.
const MALFORMED: &str = "?";

/// The variables that may be any text.
const TEXTS: [&str; 3] = ["COMMIT", "SERVICE_NAME", "TOKEN_ISSUER"];

/// The variables without which an SDK can call nothing; Lambda sets them.
const OF_LAMBDA: [&str; 3] = ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];

async fn a_missing_variable_ends_init_and_is_named(shared: &Platform) {
    let calls_aws = |function: &Function| function.environment.contains_key("TABLE_NAME");
    try_each(shared, |function| {
        let of_lambda = if calls_aws(function) { &OF_LAMBDA[..] } else { &[] };
        let names = needed(function).chain(of_lambda.iter().copied());
        names.map(|name| (name.to_owned(), None)).collect()
    })
    .await;
}

async fn a_malformed_variable_ends_init_and_is_named(shared: &Platform) {
    try_each(shared, |function| {
        let names = needed(function).filter(|name| !TEXTS.contains(name));
        names.map(|name| (name.to_owned(), Some(MALFORMED.to_owned()))).collect()
    })
    .await;
}

/// The variables that the template gives a function. An empty one is as good as missing.
fn needed(function: &Function) -> impl Iterator<Item = &str> {
    function.environment.iter().filter(|(_, value)| !value.is_empty()).map(|(name, _)| name.as_str())
}

/// Starts each function once for each change of a variable that `changes` says, and tells all that is wrong at once.
async fn try_each(platform: &Platform, changes: impl Fn(&Function) -> Vec<(String, Option<String>)>) {
    let binaries = Binaries::build().await;
    let functions = functions(platform);
    let trials = functions.values().flat_map(|function| {
        let changes = changes(function);
        changes.into_iter().map(move |(name, value)| try_one(platform, binaries, function, name, value))
    });
    let found: Vec<Option<String>> = futures::stream::iter(trials).buffer_unordered(AT_ONCE).collect().await;
    let wrong: Vec<String> = found.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Starts a function with this variable changed, or without it. What is wrong with how it ends.
async fn try_one(
    platform: &Platform,
    binaries: &Binaries,
    function: &Function,
    name: String,
    value: Option<String>,
) -> Option<String> {
    let mut environment = platform.stack.environment_of(function);
    let was = environment.remove(&name);
    let place = format!("{}, {name} as {value:?}", function.binary);
    environment.extend(value.map(|value| (name.clone(), value)));
    let bootstrap = Bootstrap::start(binaries.path(&function.binary), function, &environment).await.unwrap();
    let Ok(ended) = tokio::time::timeout(PATIENCE, bootstrap.ended()).await else {
        return Some(format!("{place}: it started"));
    };
    let (status, log) = ended.unwrap();
    if status.success() || !log.contains(&name) || log.contains("panicked") {
        return Some(format!("{place}: it ended with {status}: {log}"));
    }
    let told = secrets(&environment, was).find(|secret| log.contains(secret));
    told.map(|secret| format!("{place}: the log tells {secret}: {log}"))
}

/// Values that no log may tell.
fn secrets(environment: &BTreeMap<String, String>, was: Option<String>) -> impl Iterator<Item = String> {
    let secret = ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];
    let values = secret.map(|name| environment.get(name).cloned());
    // Short ones are words or numbers that an error may say by chance.
    values.into_iter().flatten().chain(was.filter(|value| value.len() >= 20))
}
