//! The API's contract: every answer that a test of this suite gets is held against the OpenAPI document, whatever the test
//! is about.
//!
//! The local HTTP API shows each answer to [`inspect`] before it sends it. An answer that breaks the document is replaced
//! by the objection, so that it fails the test that asked; and it fails the run, should that test look at no answers.
//! After a complete run [`unseen`] has what the document promises and no test ever saw.

mod document;
mod examples;
mod schemas;

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock, Mutex};

use local::gateway::Inspect;

use self::document::Document;
pub(crate) use self::examples::tests;

/// The document as it is published, read once.
static DOCUMENT: LazyLock<Document> = LazyLock::new(Document::read);

/// What the document says and an answer did.
static SEEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// What was objected to.
static OBJECTIONS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Holds each answer against the document.
pub(crate) fn inspect() -> Inspect {
    Arc::new(|exchange| match DOCUMENT.check(exchange) {
        Ok(seen) => {
            SEEN.lock().unwrap().extend(seen);
            Ok(())
        }
        Err(objection) => {
            let objection = format!("{} {}: {objection}", exchange.route, exchange.answer.status().as_u16());
            OBJECTIONS.lock().unwrap().insert(objection.clone());
            Err(format!("this answer breaks the OpenAPI document: {objection}"))
        }
    })
}

/// What was objected to since the run began.
pub(crate) fn objections() -> Vec<String> {
    OBJECTIONS.lock().unwrap().iter().cloned().collect()
}

/// What the document promises and no test ever saw: `GET /media/{media_id} 404 not_found`.
pub(crate) fn unseen() -> Vec<String> {
    let seen = SEEN.lock().unwrap();
    DOCUMENT.promises().filter(|promise| !seen.contains(promise)).collect()
}
