//! Every function's own binary, run as Lambda runs it, against the local stack: each of its `events/` is answered as
//! `answers/` says, and what is wrong with its environment ends its init.
//!
//! `UPDATE_ANSWERS=1 cargo test --package integration -- bootstraps` writes the answers anew; what changed is then read
//! in the diff. The binaries are built first, as `cargo test` builds no binary of another package.

mod answers;
mod binaries;
mod environment;
mod robustness;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::StreamExt as _;
use local::bootstrap::Bootstrap;
use local::functions::InvocationError;
use local::stack::Function;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use self::answers::Answers;
use self::binaries::Binaries;
use crate::cloud_formation;
use crate::platform::{PASSWORD, Platform, with_cdn};

crate::tests![every_event_is_answered_as_recorded];

pub(crate) use self::environment::tests as tests_of_environments;
pub(crate) use self::robustness::tests as tests_of_robustness;

/// How many functions are tried side by side.
const AT_ONCE: usize = 2;

/// The platform's functions, by the name of their binary.
fn functions(platform: &Platform) -> BTreeMap<String, Function> {
    let functions = platform.stack.stack().functions.values();
    functions.map(|function| (function.binary.clone(), function.clone())).collect()
}

/// Starts the binary of a function with the environment that the template gives it.
async fn start(platform: &Platform, binaries: &Binaries, function: &Function) -> Bootstrap {
    let environment = platform.stack.environment_of(function);
    Bootstrap::start(binaries.path(&function.binary), function, &environment).await.unwrap()
}

/// The cases of a function: the names of its files in this folder, without `.json`.
fn cases(folder: &Path) -> BTreeSet<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return BTreeSet::new() };
    let files = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    files.map(|file| file.strip_suffix(".json").unwrap_or_else(|| panic!("{file}")).to_owned()).collect()
}

/// The repository's `events/`.
fn events() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events")
}

async fn every_event_is_answered_as_recorded(shared: &Platform) {
    let binaries = Binaries::build().await;
    let functions = functions(shared);
    let answers = Answers::open();
    let mut wrong = answers.of_unknown_functions(&functions);
    for folder in std::fs::read_dir(events()).unwrap() {
        let name = folder.unwrap().file_name().into_string().unwrap();
        if !functions.contains_key(&name) {
            wrong.push(format!("events/{name}: there is no such function"));
        }
    }
    let checks = functions.keys().map(|name| check(binaries, &answers, name));
    let found: Vec<Vec<String>> = futures::stream::iter(checks).buffer_unordered(AT_ONCE).collect().await;
    wrong.extend(found.into_iter().flatten());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Gives one process of a function all of its events, in the order of their names, on a platform of its own. What is wrong,
/// in lines.
async fn check(binaries: &Binaries, answers: &Answers, name: &str) -> Vec<String> {
    let folder = events().join(name);
    let cases = cases(&folder);
    if cases.is_empty() {
        return vec![format!("events/{name}: there is no event for this function")];
    }
    let platform = Platform::start(with_cdn).await;
    // Whom events name: as the README's journey makes her.
    platform.post("/auth/signup", &json!({"email": "ada@example.com", "password": PASSWORD})).await;
    let mut bootstrap = start(&platform, binaries, &functions(&platform)[name]).await;
    let mut wrong = answers.superfluous(name, &cases);
    for case in cases {
        let event = std::fs::read_to_string(folder.join(format!("{case}.json"))).unwrap();
        match answer(&platform, &mut bootstrap, &event).await {
            Ok(answer) => wrong.extend(answers.check(name, &case, &event, answer)),
            Err(error) => {
                wrong.push(format!("{name}/{case}: {error}\n{}", bootstrap.log()));
                break;
            }
        }
    }
    if bootstrap.log().contains("panicked") {
        wrong.push(format!("{name} panicked:\n{}", bootstrap.log()));
    }
    platform.shut_down().await;
    wrong
}

/// What a binary answers, and what it tells CloudFormation, if that is who asks; an error if it gives no answer at all.
async fn answer(
    platform: &Platform,
    bootstrap: &mut Bootstrap,
    event: &str,
) -> Result<Value, InvocationError> {
    let mut event: Value = serde_json::from_str(event).unwrap();
    if event.get("ResponseURL").is_none() {
        return outcome(bootstrap.invoke(Bytes::from(event.to_string())).await);
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    cloud_formation::address(platform, &mut event, &listener);
    let invoking = async { outcome(bootstrap.invoke(Bytes::from(event.to_string())).await) };
    let (answer, sent) = tokio::try_join!(invoking, async { Ok(cloud_formation::receive(&listener).await) })?;
    Ok(json!({"answer": answer, "sent": sent}))
}

/// As Lambda's Invoke API answers it; an error that the function tells is an answer, too.
fn outcome(result: Result<Value, InvocationError>) -> Result<Value, InvocationError> {
    match result {
        Err(error @ InvocationError::Function { .. }) => Ok(error.to_json()),
        other => other,
    }
}
