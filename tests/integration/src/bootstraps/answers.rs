//! The answers that are committed, and how an answer is compared with one of them.
//!
//! A body in JSON is kept as JSON, so that a diff shows what changed. What no two runs have in common (ids, times, tokens,
//! keys, signatures, ports) is replaced by what it is, in angle brackets, unless the event itself says it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use local::stack::Function;
use regex_lite::{Captures, Regex};
use serde_json::Value;

use super::cases;

/// What nobody can guess.
const RANDOM: &str = "<random>";

/// Headers and fields that are different each time, and what they are.
const FIELDS: [(&str, &str); 11] = [
    ("CdnKeyPairId", "<key id>"),
    ("CdnPublicKeyIds", "<key ids>"),
    ("expires", "<seconds>"),
    ("next_cursor", "<cursor>"),
    ("policy", "<policy>"),
    ("ratelimit-reset", "<seconds>"),
    ("retry-after", "<seconds>"),
    ("x-amz-credential", "<credential>"),
    ("x-amz-date", "<time>"),
    ("x-amz-security-token", "<token>"),
    ("x-amz-signature", "<signature>"),
];

/// The folder of the answers, and what is done with it.
pub(super) struct Answers {
    folder: PathBuf,
    is_update: bool,
    volatile: Volatile,
}

impl Answers {
    /// `tests/integration/answers`; written instead of compared if `UPDATE_ANSWERS` is set.
    pub(super) fn open() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("answers");
        Self { folder, is_update: std::env::var_os("UPDATE_ANSWERS").is_some(), volatile: Volatile::new() }
    }

    /// Folders of functions that there are not.
    pub(super) fn of_unknown_functions(&self, functions: &BTreeMap<String, Function>) -> Vec<String> {
        let folders = std::fs::read_dir(&self.folder).unwrap();
        let names = folders.map(|folder| folder.unwrap().file_name().into_string().unwrap());
        let unknown = names.filter(|name| !functions.contains_key(name));
        unknown.map(|name| format!("answers/{name}: there is no such function")).collect()
    }

    /// Answers of a function to events that there are not.
    pub(super) fn superfluous(&self, function: &str, events: &BTreeSet<String>) -> Vec<String> {
        let answered = cases(&self.folder.join(function));
        let superfluous = answered.difference(events);
        superfluous.map(|case| format!("answers/{function}/{case}.json: there is no such event")).collect()
    }

    /// What is wrong with the answer to an event: nothing, if it is the committed one.
    pub(super) fn check(&self, function: &str, case: &str, event: &str, mut answer: Value) -> Option<String> {
        unfold_body(&mut answer);
        self.volatile.replace(&mut answer, event);
        let file = self.folder.join(function).join(format!("{case}.json"));
        let text = format!("{answer:#}\n");
        if self.is_update {
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, text).unwrap();
            return None;
        }
        let place = format!("answers/{function}/{case}.json");
        match std::fs::read_to_string(&file) {
            Ok(committed) if committed == text => None,
            Ok(committed) => Some(format!("{place} says\n{committed}but the answer is\n{text}")),
            Err(_) => Some(format!("{place} is missing; the answer is\n{text}")),
        }
    }
}

/// Replaces a body in JSON, which an HTTP answer holds as text, by what it says.
fn unfold_body(answer: &mut Value) {
    let Some(body) = answer.get_mut("body") else { return };
    if let Some(unfolded) = body.as_str().and_then(|text| serde_json::from_str(text).ok()) {
        *body = unfolded;
    }
}

/// What no two runs have in common.
struct Volatile(Vec<(Regex, &'static str)>);

impl Volatile {
    fn new() -> Self {
        let forms = [
            (r"eyJ[\w-]+\.[\w-]+\.[\w-]+", "<JWT>"),
            (r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "<UUID>"),
            (r"[0-9a-f]{32}@example\.com", "<e-mail address>"),
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "<time>"),
            (r"127\.0\.0\.1:\d+", "127.0.0.1:<port>"),
            (r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}", "Root=<trace id>"),
            (r"uploadId=[^&]+", "uploadId=<upload id>"),
            // Of a URL signed by Signature Version 4.
            (r"X-Amz-Credential=[^&]+", "X-Amz-Credential=<credential>"),
            (r"X-Amz-Date=\w+", "X-Amz-Date=<time>"),
            (r"X-Amz-Expires=\d+", "X-Amz-Expires=<seconds>"),
            (r"X-Amz-Security-Token=[^&]+", "X-Amz-Security-Token=<token>"),
            (r"X-Amz-Signature=\w+", "X-Amz-Signature=<signature>"),
            // Of a URL signed for CloudFront.
            (r"Expires=\d{10}", "Expires=<time>"),
            (r"Signature=[\w~-]+", "Signature=<signature>"),
            (r"Key-Pair-Id=\w+", "Key-Pair-Id=<key id>"),
            // 256 bits or more in base64url: a public key, its thumbprint, a refresh token.
            (r"[\w-]{43,}", RANDOM),
        ];
        Self(forms.into_iter().map(|(form, name)| (Regex::new(form).unwrap(), name)).collect())
    }

    fn replace(&self, value: &mut Value, event: &str) {
        match value {
            Value::String(text) => {
                for (form, name) in &self.0 {
                    let replace = |found: &Captures<'_>| {
                        // The name of a bucket can be as long; it has no capital letters.
                        let is_name = *name == RANDOM && !found[0].contains(|c: char| c.is_ascii_uppercase());
                        let is_kept = is_name || event.contains(&found[0]);
                        if is_kept { found[0].to_owned() } else { (*name).to_owned() }
                    };
                    *text = form.replace_all(text, replace).into_owned();
                }
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.replace(value, event)),
            Value::Object(fields) => {
                for (name, value) in fields {
                    match FIELDS.iter().find(|(field, _)| field == name) {
                        Some((_, what)) if value.is_string() || value.is_number() => {
                            *value = Value::from(*what);
                        }
                        _ => self.replace(value, event),
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}
