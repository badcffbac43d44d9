//! What a process survives, and how it ends.

use std::process::Command;

use bytes::Bytes;
use local::functions::InvocationError;

use super::binaries::Binaries;
use super::{cases, events, functions, start};
use crate::platform::{PATIENCE, Platform};

crate::tests![what_is_not_an_event_is_an_error_and_the_next_event_works, a_process_ends_when_it_is_told_to];

/// What no function takes for its event.
const NO_EVENTS: [&str; 4] = ["", "not JSON", "[[[[", "\"a text\""];

async fn what_is_not_an_event_is_an_error_and_the_next_event_works(_shared: &Platform) {
    let binaries = Binaries::build().await;
    let platform = Platform::start(|_| {}).await;
    for (name, function) in functions(&platform) {
        let folder = events().join(&name);
        let event = folder.join(format!("{}.json", cases(&folder).first().unwrap()));
        let event = Bytes::from(std::fs::read(event).unwrap());
        let mut bootstrap = start(&platform, binaries, &function).await;
        for no_event in NO_EVENTS {
            let answer = bootstrap.invoke(Bytes::from_static(no_event.as_bytes())).await;
            let is_error = matches!(answer, Err(InvocationError::Function { .. }));
            assert!(is_error, "{name} answers {no_event:?} with {answer:?}");
        }
        for time in ["first", "second"] {
            let answer = bootstrap.invoke(event.clone()).await;
            let has_answered = matches!(answer, Ok(_) | Err(InvocationError::Function { .. }));
            assert!(has_answered, "{name}, the {time} time: {answer:?}");
        }
        assert!(!bootstrap.log().contains("panicked"), "{name}: {}", bootstrap.log());
    }
    platform.shut_down().await;
}

/// Lambda ends a process without extensions at once, and a developer's tools send SIGTERM: nothing is to be tidied up, and
/// nothing keeps it.
async fn a_process_ends_when_it_is_told_to(shared: &Platform) {
    let binaries = Binaries::build().await;
    for (name, function) in functions(shared) {
        let bootstrap = start(shared, binaries, &function).await;
        let process_id = bootstrap.process_id().unwrap().to_string();
        assert!(Command::new("kill").args(["-TERM", &process_id]).status().unwrap().success());
        let ended = tokio::time::timeout(PATIENCE, bootstrap.ended()).await;
        assert!(ended.is_ok(), "{name} goes on");
    }
}
