//! A client that asks and sends as `@uppy/aws-s3` does.

use reqwest::multipart::{Form, Part};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use crate::platform::{File, PATIENCE, Platform, User, expect, expect_problem};

/// Which of the two that do it differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// With an access token in its `headers`.
    Five,
    /// With an upload token in its endpoint, and no header.
    Six,
}

impl Version {
    pub(super) const BOTH: [Self; 2] = [Self::Five, Self::Six];
}

/// Uppy on a page, as one user.
pub(super) struct Uppy<'a> {
    platform: &'a Platform,
    endpoint: String,
    access_token: Option<String>,
}

pub(super) async fn upload_token(platform: &Platform, user: &User) -> Value {
    expect(platform.post_as(user, "/upload-tokens", &json!({})).await, StatusCode::CREATED).await
}

impl<'a> Uppy<'a> {
    pub(super) async fn new(platform: &'a Platform, user: &User, version: Version) -> Self {
        match version {
            Version::Five => Self {
                platform,
                endpoint: platform.stack.api_url().to_owned(),
                access_token: Some(user.token.clone()),
            },
            Version::Six => {
                let token = upload_token(platform, user).await;
                Self::at(platform, token["companion_url"].as_str().unwrap())
            }
        }
    }

    /// Version 6 with this endpoint.
    pub(super) fn at(platform: &'a Platform, endpoint: &str) -> Self {
        Self { platform, endpoint: endpoint.to_owned(), access_token: None }
    }

    /// Version 6 with this token.
    pub(super) fn with_token(platform: &'a Platform, token: &str) -> Self {
        Self::at(platform, &format!("{}/u/{token}", platform.stack.api_url()))
    }

    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.endpoint);
        let request = self.platform.http.request(method, url).timeout(PATIENCE);
        match &self.access_token {
            Some(token) => request.bearer_auth(token).header("accept", "application/json"),
            None => request,
        }
    }

    /// The path of an upload, with the key as each version encodes it.
    fn path(upload: &Value, rest: &str) -> String {
        let (id, key) = (upload["uploadId"].as_str().unwrap(), upload["key"].as_str().unwrap());
        format!("/s3/multipart/{id}{rest}?key={}", key.replace('/', "%2F"))
    }

    pub(super) async fn sign_form(&self, name: &str, content_type: &str) -> Response {
        let of_type = content_type.replace('/', "%2F");
        let query =
            format!("filename={name}&type={of_type}&metadata%5Bname%5D={name}&metadata%5Btype%5D={of_type}");
        self.request(Method::GET, &format!("/s3/params?{query}")).send().await.unwrap()
    }

    pub(super) async fn send_form(&self, form: &Value, bytes: Vec<u8>) -> Response {
        let fields = form["fields"].as_object().unwrap().iter();
        let body = fields.fold(Form::new(), |body, (name, value)| {
            body.text(name.clone(), value.as_str().unwrap().to_owned())
        });
        let body = body.part("file", Part::bytes(bytes).file_name("blob"));
        let request = self.platform.http.post(form["url"].as_str().unwrap()).multipart(body);
        request.timeout(PATIENCE).send().await.unwrap()
    }

    pub(super) async fn ask_to_begin(&self, file: &File) -> Response {
        let metadata = json!({"name": file.name, "type": file.content_type, "relativePath": null});
        let body = json!({"filename": file.name, "type": file.content_type, "metadata": metadata});
        self.request(Method::POST, "/s3/multipart").json(&body).send().await.unwrap()
    }

    pub(super) async fn begin(&self, file: &File) -> Value {
        expect(self.ask_to_begin(file).await, StatusCode::OK).await
    }

    pub(super) async fn sign_part(&self, upload: &Value, number: usize) -> Response {
        self.request(Method::GET, &Self::path(upload, &format!("/{number}"))).send().await.unwrap()
    }

    /// Sends bytes without any header; answers the tag that S3 gave them.
    pub(super) async fn put(&self, url: &str, bytes: Vec<u8>) -> String {
        let answer = self.platform.http.put(url).body(bytes).timeout(PATIENCE).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        answer.headers()["etag"].to_str().unwrap().to_owned()
    }

    /// Signs and sends a part. Version 5 names its tag with quotes, version 6 without.
    pub(super) async fn send_part(&self, upload: &Value, number: usize, bytes: &[u8]) -> Value {
        let signed = expect(self.sign_part(upload, number).await, StatusCode::OK).await;
        assert!((900..=3_600).contains(&signed["expires"].as_u64().unwrap()), "{signed}");
        let etag = self.put(signed["url"].as_str().unwrap(), bytes.to_vec()).await;
        let etag = if self.access_token.is_some() { etag.as_str() } else { etag.trim_matches('"') };
        json!({"PartNumber": number, "ETag": etag})
    }

    /// Sends a file cut so; answers what is named when it is completed.
    pub(super) async fn send_parts(&self, upload: &Value, file: &File, cuts: &[usize]) -> Vec<Value> {
        self.send_parts_from(upload, file, cuts, 1).await
    }

    pub(super) async fn send_parts_from(
        &self,
        upload: &Value,
        file: &File,
        cuts: &[usize],
        first: usize,
    ) -> Vec<Value> {
        assert_eq!(cuts.iter().sum::<usize>(), file.bytes.len());
        let (mut rest, mut sent) = (file.bytes.as_slice(), Vec::new());
        for (number, cut) in (1..).zip(cuts) {
            let (part, others) = rest.split_at(*cut);
            rest = others;
            if number >= first {
                sent.push(self.send_part(upload, number, part).await);
            }
        }
        sent
    }

    pub(super) async fn ask_to_list(&self, upload: &Value) -> Response {
        self.request(Method::GET, &Self::path(upload, "")).send().await.unwrap()
    }

    pub(super) async fn list(&self, upload: &Value) -> Value {
        expect(self.ask_to_list(upload).await, StatusCode::OK).await
    }

    pub(super) async fn complete(&self, upload: &Value, parts: &[Value]) -> Response {
        let request = self.request(Method::POST, &Self::path(upload, "/complete"));
        request.json(&json!({"parts": parts})).send().await.unwrap()
    }

    pub(super) async fn abort(&self, upload: &Value) -> Response {
        self.request(Method::DELETE, &Self::path(upload, "")).send().await.unwrap()
    }

    /// Everything that can be asked of an upload.
    pub(super) async fn ask_all(&self, upload: &Value) -> Vec<Response> {
        vec![
            self.ask_to_list(upload).await,
            self.sign_part(upload, 1).await,
            self.complete(upload, &[]).await,
            self.abort(upload).await,
        ]
    }

    /// A problem that Uppy can show.
    pub(super) async fn expect_problem(&self, answer: Response, status: StatusCode, code: &str) -> Value {
        let problem = expect_problem(answer, status, code).await;
        assert_eq!((&problem["error"], &problem["message"]), (&problem["title"], &problem["detail"]));
        problem
    }
}

pub(super) fn quoted(etag: &str) -> String {
    format!("\"{}\"", etag.trim_matches('"'))
}
