//! One integration-test binary: it starts the local stack once, and its tests talk to it over HTTP as a frontend does.
//! Each test makes users of its own, so that they can run side by side; one that needs another deployment, another
//! clock or faults starts a stack of its own.
//!
//! Every answer of the API is held against the OpenAPI document ([`contract`]).
//!
//! After a complete run it compares the permissions that the template grants with those that were used: one that no
//! test needed is named, and the run fails. What the document promises and no test saw is named, too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::missing_panics_doc)]

mod accounts;
mod audience;
mod bootstraps;
mod bounds;
mod bulk;
mod caching;
mod cdn_playback;
mod cloud_formation;
mod contract;
mod deletions;
mod edits;
mod faults;
mod forms;
mod health;
mod lifecycles;
mod lists;
mod logs;
mod matrix;
mod media_files;
mod methods;
mod miniatures;
mod mint;
mod model;
mod operations;
mod parts;
mod permissions;
mod platform;
mod processing;
mod publishing;
mod quota;
mod races;
mod rate_limits;
mod repeats;
mod routes;
mod search;
mod seed;
mod sessions;
mod signed_urls;
mod signing_keys;
mod stream_tokens;
mod streaming;
mod sweep;
mod tokens;
mod uploads;
mod uppy;
mod user_deletion;
mod users;
mod views;

use std::future::Future;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};
use tokio::runtime::{Builder, Runtime};

use crate::platform::Platform;

/// Runs a test on the shared platform.
type Run = fn(Arc<Platform>) -> Pin<Box<dyn Future<Output = ()>>>;

/// A test: its name, and what it does with the shared platform.
pub(crate) struct Test {
    name: &'static str,
    run: Run,
}

/// Lists the tests of a module; one that is left out is dead code, which does not compile here.
macro_rules! tests {
    ($($name:ident),+ $(,)?) => {
        pub(crate) fn tests() -> Vec<crate::Test> {
            vec![$(crate::Test {
                name: concat!(module_path!(), "::", stringify!($name)),
                run: |platform| Box::pin(async move { $name(&platform).await }),
            }),+]
        }
    };
}
pub(crate) use tests;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    logs::record();
    let _ = platform::INSPECT.set(contract::inspect());
    let runtime = Arc::new(Builder::new_multi_thread().enable_all().build().unwrap());
    let is_complete = arguments.filter.is_none() && arguments.skip.is_empty() && !arguments.list;
    let platform = (!arguments.list).then(|| Arc::new(runtime.block_on(Platform::start(|_| {}))));
    let conclusion = libtest_mimic::run(&arguments, trials(&runtime, platform.as_ref()));

    let Some(platform) = platform else { return ExitCode::SUCCESS };
    // A test may have looked at no answer.
    let objections = contract::objections().into_iter();
    let mut complaints: Vec<String> =
        objections.map(|what| format!("an answer breaks the OpenAPI document: {what}")).collect();
    if is_complete && !conclusion.has_failed() {
        // A CDN only adds permissions.
        let with_cdn = runtime.block_on(Platform::start(platform::with_cdn));
        let unused = with_cdn.unused_permissions().into_iter();
        complaints.extend(unused.map(|what| format!("no test used this permission of the template: {what}")));
        runtime.block_on(with_cdn.shut_down());
        for what in contract::unseen() {
            eprintln!("notice: no test saw this answer of the OpenAPI document: {what}");
        }
    }
    if let Ok(platform) = Arc::try_unwrap(platform) {
        runtime.block_on(platform.shut_down());
    }
    for complaint in &complaints {
        eprintln!("{complaint}");
    }
    if conclusion.has_failed() || !complaints.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// All tests; without a platform they can only be listed.
fn trials(runtime: &Arc<Runtime>, platform: Option<&Arc<Platform>>) -> Vec<Trial> {
    let modules = [
        routes::tests(),
        accounts::tests(),
        sessions::tests(),
        users::tests(),
        user_deletion::tests(),
        tokens::tests(),
        uploads::tests(),
        uppy::tests(),
        uppy::tests_of_refusals(),
        uppy::tests_of_sizes(),
        bounds::tests(),
        bulk::tests(),
        caching::tests(),
        deletions::tests(),
        edits::tests(),
        forms::tests(),
        methods::tests(),
        parts::tests(),
        quota::tests(),
        rate_limits::tests(),
        rate_limits::tests_of_accounts(),
        races::tests(),
        repeats::tests(),
        media_files::tests(),
        lifecycles::tests(),
        miniatures::tests(),
        processing::tests(),
        lists::tests(),
        matrix::tests(),
        model::tests(),
        publishing::tests(),
        search::tests(),
        signed_urls::tests(),
        stream_tokens::tests(),
        streaming::tests(),
        cdn_playback::tests(),
        views::tests(),
        views::tests_of_playing(),
        sweep::tests(),
        sweep::tests_of_faults(),
        faults::tests(),
        health::tests(),
        logs::tests(),
        operations::tests(),
        permissions::tests(),
        cloud_formation::tests(),
        contract::tests(),
        signing_keys::tests(),
        bootstraps::tests(),
        bootstraps::tests_of_environments(),
        bootstraps::tests_of_robustness(),
    ];
    let tests = modules.into_iter().flatten();
    tests
        .map(|test| {
            let (runtime, platform) = (Arc::clone(runtime), platform.map(Arc::clone));
            let name = test.name.trim_start_matches("integration::");
            Trial::test(name, move || {
                let platform = platform.ok_or("the platform is not running")?;
                runtime.block_on((test.run)(platform));
                Ok(())
            })
        })
        .collect()
}
