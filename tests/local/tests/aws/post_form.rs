//! Forms made by hand: a policy of any shape, its signature, and `multipart/form-data`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use local::aws::Credentials;
use ring::hmac;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Duration, OffsetDateTime};

use crate::support::{Answer, INGEST, Local, REGION, send};

const BOUNDARY: &str = "----WebKitFormBoundaryqLzD1kLQiPzTQx8H";

/// A form, in the order in which its fields are sent. The file comes last.
#[derive(Clone)]
pub(crate) struct PostForm {
    pub(crate) fields: Vec<(String, String)>,
    /// Besides those that signing adds.
    pub(crate) conditions: Vec<Value>,
    pub(crate) filename: Option<String>,
    pub(crate) file: Vec<u8>,
    pub(crate) signed_at: OffsetDateTime,
    pub(crate) expires_at: OffsetDateTime,
}

impl PostForm {
    /// A form for one key of the ingest bucket.
    pub(crate) fn new(key: &str) -> PostForm {
        let now = OffsetDateTime::now_utc();
        PostForm {
            fields: vec![("key".to_owned(), key.to_owned())],
            conditions: vec![json!({ "bucket": INGEST }), json!(["starts-with", "$key", "uploads/"])],
            filename: Some("film.mp4".to_owned()),
            file: b"hello world".to_vec(),
            signed_at: now,
            expires_at: now + Duration::minutes(10),
        }
    }

    /// With a field and a condition that it is just that.
    pub(crate) fn with(mut self, name: &str, value: &str) -> PostForm {
        self.conditions.push(json!({ name: value }));
        self.with_field(name, value)
    }

    /// With a field that the policy does not know.
    pub(crate) fn with_field(mut self, name: &str, value: &str) -> PostForm {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn with_condition(mut self, condition: Value) -> PostForm {
        self.conditions.push(condition);
        self
    }

    pub(crate) fn with_file(mut self, file: &[u8]) -> PostForm {
        file.clone_into(&mut self.file);
        self
    }

    /// Adds what signs it.
    pub(crate) fn sign(mut self, credentials: &Credentials) -> PostForm {
        let date =
            self.signed_at.format(format_description!("[year][month][day]T[hour][minute][second]Z")).unwrap();
        let scope = format!("{}/{REGION}/s3/aws4_request", &date[..8]);
        let credential = format!("{}/{scope}", credentials.access_key_id);
        self = self.with("x-amz-algorithm", "AWS4-HMAC-SHA256");
        self = self.with("X-Amz-Credential", &credential).with("x-amz-date", &date);
        if let Some(token) = &credentials.session_token {
            self = self.with("x-amz-security-token", token);
        }
        let expiration = self.expires_at.format(&Rfc3339).unwrap();
        let policy = json!({ "expiration": expiration, "conditions": self.conditions }).to_string();
        self.sign_document(&policy, credentials)
    }

    /// Adds a policy as it is, and its signature.
    pub(crate) fn sign_document(self, document: &str, credentials: &Credentials) -> PostForm {
        let policy = STANDARD.encode(document);
        let scope = self.field("x-amz-credential").split_once('/').unwrap().1.to_owned();
        let secret = format!("AWS4{}", credentials.secret_access_key).into_bytes();
        let sign = |key: &[u8], text: &str| {
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
        };
        let key = scope.split('/').fold(secret, |key, part| sign(&key, part));
        let signature: Vec<String> = sign(&key, &policy).iter().map(|byte| format!("{byte:02x}")).collect();
        self.with_field("Policy", &policy).with_field("x-amz-signature", &signature.concat())
    }

    pub(crate) fn field(&self, name: &str) -> &str {
        &self.fields.iter().find(|(sent, _)| sent.eq_ignore_ascii_case(name)).unwrap().1
    }

    /// Without a field; what is signed stays signed.
    pub(crate) fn without(mut self, name: &str) -> PostForm {
        self.fields.retain(|(sent, _)| !sent.eq_ignore_ascii_case(name));
        self
    }

    /// With another value of a field; what is signed stays signed.
    pub(crate) fn replace(self, name: &str, value: &str) -> PostForm {
        self.without(name).with_field(name, value)
    }

    /// The body, up to the file's last byte.
    pub(crate) fn open_body(&self) -> Vec<u8> {
        let mut body = Vec::new();
        for (name, value) in &self.fields {
            let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
            body.extend([head.as_bytes(), value.as_bytes(), b"\r\n"].concat());
        }
        body.extend(file_head(self.filename.as_deref()).bytes());
        body.extend(&self.file);
        body
    }

    pub(crate) fn body(&self) -> Vec<u8> {
        [self.open_body(), format!("\r\n--{BOUNDARY}--\r\n").into_bytes()].concat()
    }

    pub(crate) async fn send(&self, local: &Local) -> Answer {
        self.send_with(local, &[]).await
    }

    pub(crate) async fn send_with(&self, local: &Local, headers: &[(&str, &str)]) -> Answer {
        post(local, INGEST, headers, &self.body()).await
    }
}

/// The start of a part that is a file.
pub(crate) fn file_head(filename: Option<&str>) -> String {
    let filename = filename.map(|filename| format!("; filename=\"{filename}\"")).unwrap_or_default();
    format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"{filename}\r\nContent-Type: text/plain\r\n\r\n"
    )
}

pub(crate) fn content_type() -> String {
    format!("multipart/form-data; boundary={BOUNDARY}")
}

/// Posts the body of a form.
pub(crate) async fn post(local: &Local, bucket: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let content_type = content_type();
    let headers = [&[("content-type", content_type.as_str())], headers].concat();
    send(Method::POST, &format!("{}/{bucket}", local.url()), &headers, body).await
}
