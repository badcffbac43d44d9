//! `cargo local demo`: the main job, done over HTTP as a client would do it.
//!
//! It signs up, logs in, creates a media, uploads the bytes to the URL it was given, waits until the media is `ready`,
//! shows its metadata, and plays it back through the stream URL, comparing byte for byte. It succeeds only if all of that
//! is true; otherwise the error says which step failed and why. Against a deployed API it is the operator's smoke test.

pub(crate) mod client;
mod playback;
pub(crate) mod random;
mod source;

use std::path::Path;
use std::time::{Duration, Instant};

use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use http::Method;
use serde_json::{Value, json};

use self::client::{Client, ClientError};
use self::source::{Source, SourceError};
use crate::{LocalStack, Options, StartError};

/// How long the platform may take from the upload to `ready`.
const READY_TIMEOUT: Duration = Duration::from_mins(5);
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// Why the demo failed.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The local stack does not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A step did not do what it should.
    #[error("{step}: {reason}")]
    Step {
        /// What was being done.
        step: &'static str,
        /// What went wrong.
        reason: String,
    },
}

/// Names the step that an error belongs to.
trait During<T> {
    fn during(self, step: &'static str) -> Result<T, DemoError>;
}

impl<T, E: std::fmt::Display> During<T> for Result<T, E> {
    fn during(self, step: &'static str) -> Result<T, DemoError> {
        self.map_err(|error| DemoError::Step { step, reason: error.to_string() })
    }
}

/// Does the main job with `file`, or with a small bundled video; against `api`, or against a local stack of its own.
pub async fn run(file: Option<&Path>, api: Option<&http::Uri>) -> Result<(), DemoError> {
    let source = Source::open(file).await.during("reading the file")?;
    if let Some(api) = api {
        return main_job(api.to_string().trim_end_matches('/'), &source).await;
    }
    let stack = LocalStack::start(Options::default()).await?;
    println!("Local stack   {}", stack.api_url());
    let result = main_job(stack.api_url(), &source).await;
    stack.shut_down().await;
    result
}

async fn main_job(api: &str, source: &Source) -> Result<(), DemoError> {
    let client = Client::new();
    let token = sign_in(&client, api).await?;
    let created = create_media(&client, api, &token, source).await?;
    let media_id = text(&created, "/media/id").during("creating the media")?.to_owned();
    upload(&client, &created, source).await.during("uploading")?;
    let media = wait_until_ready(&client, api, &token, &media_id).await?;
    println!("Ready");
    println!("{}", metadata_table(&media));
    let stream_url = stream_url(&client, api, &token, &media_id).await?;
    let compared = playback::compare(&client, &stream_url, source).await.during("playing back")?;
    println!("Played back   {compared} bytes compared, all the same");
    Ok(())
}

async fn sign_in(client: &Client, api: &str) -> Result<String, DemoError> {
    let email = random::email().during("signing up")?;
    let password = random::password().during("signing up")?;
    let account = json!({"email": email, "password": password});
    client
        .json(Method::POST, &format!("{api}/auth/signup"), None, Some(&account))
        .await
        .during("signing up")?;
    println!("Signed up     {email}");
    let tokens = client
        .json(Method::POST, &format!("{api}/auth/login"), None, Some(&account))
        .await
        .during("logging in")?;
    Ok(text(&tokens, "/access_token").during("logging in")?.to_owned())
}

async fn create_media(client: &Client, api: &str, token: &str, source: &Source) -> Result<Value, DemoError> {
    let checksum = source.checksum_sha256().await.during("reading the file")?;
    let media = json!({
        "title": source.title(),
        "filename": source.filename(),
        "content_type": source.content_type(),
        "size_bytes": source.size_bytes(),
        "checksum_sha256": checksum,
        "upload_method": "put",
    });
    let created = client
        .json(Method::POST, &format!("{api}/media"), Some(token), Some(&media))
        .await
        .during("creating the media")?;
    println!("Created       media {}", text(&created, "/media/id").during("creating the media")?);
    Ok(created)
}

async fn upload(client: &Client, created: &Value, source: &Source) -> Result<(), String> {
    let url = text(created, "/upload/url")?;
    let mut headers = Vec::new();
    for (name, value) in created.pointer("/upload/headers").and_then(Value::as_object).into_iter().flatten() {
        headers
            .push((name.as_str(), value.as_str().ok_or_else(|| format!("header {name} is not a string"))?));
    }
    let bar = indicatif::ProgressBar::new(source.size_bytes());
    let style = indicatif::ProgressStyle::with_template(
        "Uploading     {wide_bar} {bytes}/{total_bytes} {bytes_per_sec}",
    );
    bar.set_style(style.map_err(|error| error.to_string())?);
    let body = source.body(bar.clone()).await.map_err(|error: SourceError| error.to_string())?;
    let sent = client
        .put(url, &headers, source.size_bytes(), body)
        .await
        .map_err(|error: ClientError| error.to_string());
    bar.finish_and_clear();
    sent?;
    println!("Uploaded      {} bytes", source.size_bytes());
    Ok(())
}

async fn wait_until_ready(
    client: &Client,
    api: &str,
    token: &str,
    media_id: &str,
) -> Result<Value, DemoError> {
    const STEP: &str = "waiting for the media to be ready";
    let deadline = Instant::now() + READY_TIMEOUT;
    let failed = |reason: String| DemoError::Step { step: STEP, reason };
    loop {
        let media = client
            .json(Method::GET, &format!("{api}/media/{media_id}"), Some(token), None)
            .await
            .during(STEP)?;
        match text(&media, "/status").during(STEP)? {
            "ready" => return Ok(media),
            "awaiting_upload" | "completing" | "processing" if Instant::now() < deadline => {}
            status @ ("awaiting_upload" | "completing" | "processing") => {
                return Err(failed(format!("still {status} after {} s", READY_TIMEOUT.as_secs())));
            }
            status => {
                let detail =
                    media.pointer("/failure/detail").and_then(Value::as_str).unwrap_or("no reason is given");
                return Err(failed(format!("it is {status}: {detail}")));
            }
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

async fn stream_url(client: &Client, api: &str, token: &str, media_id: &str) -> Result<String, DemoError> {
    const STEP: &str = "creating a stream URL";
    let url = format!("{api}/media/{media_id}/stream-url");
    let answer = client.json(Method::GET, &url, Some(token), None).await.during(STEP)?;
    let stream_url = text(&answer, "/stream_url").during(STEP)?;
    Ok(if stream_url.starts_with('/') { format!("{api}{stream_url}") } else { stream_url.to_owned() })
}

fn text<'a>(value: &'a Value, pointer: &str) -> Result<&'a str, String> {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .ok_or_else(|| format!("the answer has no {pointer}: {value}"))
}

fn metadata_table(media: &Value) -> Table {
    let mut rows = Vec::new();
    for name in ["title", "kind", "content_type", "size_bytes", "checksum_verified"] {
        flatten(name, media.get(name).unwrap_or(&Value::Null), &mut rows);
    }
    flatten("", media.get("metadata").unwrap_or(&Value::Null), &mut rows);
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(["", "value"]);
    for (name, value) in rows {
        table.add_row([name, value]);
    }
    table
}

fn flatten(name: &str, value: &Value, rows: &mut Vec<(String, String)>) {
    let join = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
    match value {
        Value::Null => {}
        Value::Object(entries) => entries.iter().for_each(|(key, value)| flatten(&join(key), value, rows)),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                flatten(&format!("{name}[{index}]"), item, rows);
            }
        }
        Value::String(text) => rows.push((name.to_owned(), text.clone())),
        other => rows.push((name.to_owned(), other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_becomes_rows() {
        let table = metadata_table(&json!({
            "title": "clip",
            "metadata": {"duration_seconds": 1.5, "video": [{"codec": "h264", "width": 320}], "tags": {}},
        }))
        .to_string();
        for row in ["title", "clip", "duration_seconds", "1.5", "video[0].codec", "h264", "video[0].width"] {
            assert!(table.contains(row), "{row} in\n{table}");
        }
    }
}
